-- What a translation cannot carry: told in a header and in the trace, refused where strict is on. And the known
-- pitfalls of translating (TR-nn) that only the whole gateway can show: headers, paths, sizes, streams cut anywhere.
local flow = require "flow"
local http = require "http"
local json = require "cjson"
local proc = require "proc"

local chat, claude = "openai.chat", "anthropic.messages"

local function named(name, body) return "event: " .. name .. "\ndata: " .. json.encode(body) .. "\n\n" end

flow.case("losses of a request: a header of the answer, whole and streamed, and the trace", function(t)
  local gate, up = t:simple { dialect = claude, script = "hi" }
  local fields = { seed = 7, logprobs = true, temperature = 1.5, max_tokens = 64 }
  for _, ask in ipairs { t.chat, t.chat_stream } do
    local answer = ask(t, gate, "r", { fields = fields })
    t:equal(t:text(answer), "hi")
    -- A whole answer's own, too: the field that every answer of the kit has beside what is known.
    local of_answer = answer.events and "" or ",x_unknown"
    t:equal(answer.headers["x-moongate-lossy"], "seed,logprobs,temperature" .. of_answer)
    local record = t:trace(gate, answer.headers["x-request-id"])
    t:equal(table.concat(record.losses, ","), "seed,logprobs,temperature" .. of_answer)
  end
  t:equal(json.decode(up.requests[1].body).seed, nil)
end)

flow.case("a hop between equal dialects loses nothing and says nothing", function(t)
  local gate = t:simple { dialect = chat, script = "hi" }
  local answer = t:chat(gate, "r", { fields = { seed = 7, temperature = 1.5, x_unknown = 1 } })
  t:equal(t:text(answer), "hi")
  t:equal(answer.headers["x-moongate-lossy"], nil)
end)

flow.case("losses of an answer: in the header of a whole one, in the trace of a streamed one", function(t)
  local cited = { type = "char_location", cited_text = "x", document_index = 0, document_title = "a",
    start_char_index = 0, end_char_index = 1 }
  local message = { id = "msg_1", type = "message", role = "assistant", model = "m", stop_reason = "end_turn",
    stop_sequence = json.null, usage = { input_tokens = 3, output_tokens = 2 },
    content = { { type = "text", text = "ok", citations = { cited } } } }
  local gate = t:simple { dialect = claude, script = function(x)
    if not x:json().stream then return x:reply(200, json.encode(message)) end
    local begun = { id = "msg_1", type = "message", role = "assistant", model = "m", stop_reason = json.null,
      stop_sequence = json.null, content = json.empty_array, usage = { input_tokens = 3, output_tokens = 1 } }
    return x:stream {
      named("message_start", { type = "message_start", message = begun }),
      named("content_block_start", { type = "content_block_start", index = 0,
        content_block = { type = "text", text = "" } }),
      named("content_block_delta", { type = "content_block_delta", index = 0,
        delta = { type = "text_delta", text = "ok" } }),
      named("content_block_delta", { type = "content_block_delta", index = 0,
        delta = { type = "citations_delta", citation = cited } }),
      named("content_block_stop", { type = "content_block_stop", index = 0 }),
      named("message_delta", { type = "message_delta", delta = { stop_reason = "end_turn", stop_sequence = json.null },
        usage = { output_tokens = 2 } }),
      named("message_stop", { type = "message_stop" }),
    }
  end }
  local lost = "content[].citations(char_location)"
  local whole = t:chat(gate, "r", { fields = { max_tokens = 64 } })
  t:equal(whole.headers["x-moongate-lossy"], lost)
  local stream = t:chat_stream(gate, "r", { fields = { max_tokens = 64 } })
  t:equal(t:text(stream), "ok")
  for _, answer in ipairs { whole, stream } do
    t:equal(table.concat(t:trace(gate, answer.headers["x-request-id"]).losses, " "), lost, "losses in the trace")
  end
end)

for _, client in ipairs { chat, claude } do
  local lossy = client == chat and { seed = 7, max_tokens = 64 } or { top_k = 5 }
  local name = client == chat and "seed" or "top_k"

  flow.case("strict by header: 400 with the field, nothing is sent: " .. client, function(t)
    local gate, up = t:simple { dialect = client == chat and claude or chat, script = "hi" }
    for _, stream in ipairs { false, true } do
      local answer = t:chat(gate, "r", { dialect = client, fields = lossy, stream = stream,
        headers = { "x-moongate-strict: true" } })
      t:equal(answer.status, 400)
      t:envelope(answer, client)
      t:match(json.decode(answer.body).error.message, name, "message")
      if client == chat then
        t:equal(json.decode(answer.body).error.code, "fields_not_carried")
        t:equal(json.decode(answer.body).error.param, name)
      end
    end
    t:equal(#up.requests, 0, "requests upstream")
    local fine = t:chat(gate, "r", { dialect = client, fields = { max_tokens = 64 },
      headers = { "x-moongate-strict: true" } })
    t:equal(t:text(fine), "hi", "a request that loses nothing")
    local told = t:chat(gate, "r", { dialect = client, fields = lossy, headers = { "x-moongate-strict: false" } })
    t:equal(told.headers["x-moongate-lossy"], name .. ",x_unknown", "without strict it is told")
  end)

  flow.case("strict by header: who says it in other words means it too: " .. client, function(t)
    local gate, up = t:simple { dialect = client == chat and claude or chat, script = "hi" }
    local function status_with(word)
      return t:chat(gate, "r", { dialect = client, fields = lossy,
        headers = { "x-moongate-strict: " .. word } }).status
    end
    for _, word in ipairs { "TRUE", "1", "yes" } do t:equal(status_with(word), 400, word) end
    t:equal(#up.requests, 0, "requests upstream")
    for _, word in ipairs { "False", "0" } do t:equal(status_with(word), 200, word) end
  end)

  flow.case("strict by route: no header makes it laxer: " .. client, function(t)
    local up = t:upstream { dialect = client == chat and claude or chat, script = "hi" }
    local gate = t:gateway { providers = { up = t:provider(up) }, routes = {
      r = { targets = { "up/model-a" } }, s = { targets = { "up/model-a" }, strict = true } } }
    local answer = t:chat(gate, "s", { dialect = client, fields = lossy, headers = { "x-moongate-strict: false" } })
    t:equal(answer.status, 400)
    t:equal(#up.requests, 0, "requests upstream")
    t:equal(t:text(t:chat(gate, "s", { dialect = client, fields = { max_tokens = 64 } })), "hi")
    t:equal(t:text(t:chat(gate, "r", { dialect = client, fields = lossy })), "hi", "the other route")
  end)
end

flow.case("losses that have no room: the last name says that there are more", function(t)
  local gate = t:simple { dialect = claude, script = "hi" }
  for _, count in ipairs { 90, 5000 } do
    local fields = { max_tokens = 9 }
    for i = 1, count do fields[("unknown_field_%d"):format(i)] = 1 end
    local answer = t:chat(gate, "r", { fields = fields })
    t:equal(t:text(answer), "hi")
    local names = answer.headers["x-moongate-lossy"]
    t:match(names, "^unknown_field_1,", "the first names")
    t:match(names, ",and_more$", "the last")
    t:check(#names <= 1024, "a header of " .. #names .. " bytes")
  end
end)

flow.case("strict over several targets: the next one that can carry everything is asked", function(t)
  local first = t:upstream { dialect = "anthropic.messages" }
  local second = t:upstream { dialect = "anthropic.messages" }
  local equal = t:upstream {}
  local broken = t:upstream { script = function(x)
    x:reply(503, '{"error":{"message":"busy","type":"server_error"}}')
  end }
  local gate = t:gateway {
    providers = { claude = t:provider(first), other = t:provider(second), chat = t:provider(equal),
      broken = t:provider(broken) },
    routes = {
      some = { targets = { "claude/a", "chat/b" }, strict = true },
      none = { targets = { "claude/first", "other/second" }, strict = true },
      down = { targets = { "broken/a", "claude/b" }, strict = true, retry = { same_target = 0 } },
      down_last = { targets = { "claude/a", "broken/b" }, strict = true, retry = { same_target = 0 } },
    },
  }
  local lossy = { seed = 7, max_tokens = 9 }
  local answer = t:chat(gate, "some", { fields = lossy })
  t:equal(answer.status, 200)
  t:equal(answer.headers["x-moongate-target"], "chat/b")
  t:equal(answer.headers["x-moongate-lossy"], nil)
  local record = t:trace(gate, answer.headers["x-request-id"])
  t:equal(record.attempts[1].class, "lossy")
  t:equal(record.attempts[2].class, "none")
  t:equal(record.outcome, "ok")

  answer = t:chat(gate, "none", { fields = lossy })
  t:equal(answer.status, 400)
  t:equal(t:envelope(answer), "fields_not_carried")
  t:match(answer.body, "claude/first cannot be given: seed")
  t:equal(json.decode(answer.body).error.param, "seed")
  record = t:trace(gate, answer.headers["x-request-id"])
  t:equal(record.outcome, "refused")
  t:equal(#record.attempts, 2)

  for _, route in ipairs { "down", "down_last" } do -- who could carry it is down: that is what the client is told
    answer = t:chat(gate, route, { fields = lossy })
    t:equal(answer.status, 503, route)
    t:match(answer.body, "busy")
  end
  t:equal(#first.requests + #second.requests, 0, "requests that lost something")
end)

flow.case("strict between equal dialects refuses nothing", function(t)
  local gate = t:simple { dialect = chat, script = "hi" }
  local answer = t:chat(gate, "r", { fields = { seed = 7, x_unknown = 1 }, headers = { "x-moongate-strict: true" } })
  t:equal(t:text(answer), "hi")
end)

flow.case("TR-74 nothing is answered from memory: equal requests are calls of their own, with their usage", function(t)
  local gate, up = t:simple { dialect = claude, script = "hi" }
  for i = 1, 2 do
    local answer = t:chat(gate, "r", { fields = { max_tokens = 64 } })
    t:equal(json.decode(answer.body).usage.prompt_tokens, 11)
    t:equal(t:trace(gate, answer.headers["x-request-id"]).input_tokens, 11)
    t:equal(#up.requests, i, "calls")
  end
end)

flow.case("TR-77 an event of a megabyte passes, one beyond the limit ends the stream", { only = "release" }, function(t)
  local big = ("x"):rep(1 << 20)
  local huge = ("x"):rep(17 << 20)
  local function chunk(text)
    return 'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
      .. '{"content":"' .. text .. '"},"finish_reason":null}]}\n\n'
  end
  local ending = 'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
    .. '"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
  local gate = t:simple { dialect = chat, script = function(x)
    x:stream { chunk "a", chunk(x.number == 1 and big or huge), ending }
  end }
  local fine = t:chat_stream(gate, "r", { dialect = claude, seconds = 30 })
  t:equal(#t:text(fine), #big + 1)
  local ended = t:chat_stream(gate, "r", { dialect = claude, seconds = 30 })
  t:equal(json.decode(ended.events[#ended.events].data).type, "error", "last event")
end)

flow.case("TR-87 what belongs to the provider's connection stays there; streams say not to be buffered", function(t)
  local own = { "alt-svc: h3=\":443\"", "server: them", "set-cookie: a=b", "x-ratelimit-remaining-requests: 5" }
  local gate, up = t:simple { dialect = claude, script = function(x)
    if not x:json().stream then
      return x:reply(200, json.encode { id = "msg_1", type = "message", role = "assistant", model = "m",
        stop_reason = "end_turn", stop_sequence = json.null, usage = { input_tokens = 3, output_tokens = 2 },
        content = { { type = "text", text = "a longer text than what is told" } } }, own)
    end
    x:serve "hi"
  end }
  local whole = t:chat(gate, "r", { fields = { max_tokens = 64 }, headers = { "accept-encoding: gzip, br" } })
  t:equal(whole.status, 200)
  t:equal(tonumber(whole.headers["content-length"]), #whole.body)
  for _, name in ipairs { "alt-svc", "set-cookie", "content-encoding", "transfer-encoding" } do
    t:equal(whole.headers[name], nil, name)
  end
  t:check(whole.headers.server ~= "them", "the provider's server line stays there")
  t:equal(up.requests[1]:header_value "accept-encoding", "identity")
  local stream = t:chat_stream(gate, "r", { fields = { max_tokens = 64 } })
  t:equal(t:text(stream), "hi")
  t:match(stream.headers["cache-control"], "no%-transform")
  t:equal(stream.headers["x-accel-buffering"], "no")
  t:equal(stream.headers["content-length"], nil)
end)

flow.case("TR-91 each provider gets its own credentials and no header of the client's SDK", function(t)
  local sdk = { "anthropic-beta: x-2026-01-01", "x-stainless-lang: js", "cookie: a=b", "openai-organization: org-1" }
  local up, other = t:upstream { dialect = chat, script = "hi" }, t:upstream { dialect = claude, script = "hi" }
  local gate = t:gateway { providers = { o = t:provider(up), a = t:provider(other) } }
  t:equal(t:text(t:chat(gate, "o/m", { dialect = claude, headers = sdk })), "hi")
  t:equal(t:text(t:chat(gate, "a/m", { dialect = chat, headers = sdk, fields = { max_tokens = 64 } })), "hi")
  t:equal(up.requests[1]:header_value "authorization", "Bearer " .. up.key)
  t:equal(other.requests[1]:header_value "x-api-key", other.key)
  t:equal(other.requests[1]:header_value "anthropic-version", "2023-06-01")
  for _, request in ipairs { up.requests[1], other.requests[1] } do
    for _, name in ipairs { "anthropic-beta", "x-stainless-lang", "cookie", "openai-organization" } do
      t:equal(request:header_value(name), nil, name)
    end
  end
  t:equal(up.requests[1]:header_value "x-api-key", nil)
  t:equal(up.requests[1]:header_value "anthropic-version", nil)
  t:equal(other.requests[1]:header_value "authorization", nil)
end)

flow.case("TR-92 a model in the path is encoded, and one that would leave its place is refused", function(t)
  local up = t:upstream { dialect = chat, script = function(x)
    x:reply(200, '{"candidates":[{"index":0,"finishReason":"STOP","content":{"role":"model","parts":[{"text":"hi"}]}}],'
      .. '"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5}}')
  end }
  local gate = t:gateway { providers = { g = t:provider(up, { adapter = "openai-compatible", dialect = "gemini",
    base_url = up.url .. "/v1beta" }) } }
  for model, sent in pairs {
    ["gemini-2.5-flash"] = "gemini-2.5-flash", ["arn:aws:x"] = "arn%3Aaws%3Ax", ["a@1"] = "a%401",
  } do
    local answer = t:chat(gate, "g/" .. model)
    t:equal(answer.status, 200, "status for " .. model)
    local target = up.requests[#up.requests].target
    t:check(target == "/v1beta/models/" .. sent .. ":generateContent"
      or target == "/v1beta/models/" .. model .. ":generateContent", "path " .. target)
  end
  local before = #up.requests
  for _, model in ipairs { "..", "a b", "../x", "a/../../b", "a?b=c", "a#b", "a\nb", "a\0b", "%2e%2e/x", "" } do
    local answer = t:chat(gate, "g/" .. model)
    t:check(answer.status == 400 or answer.status == 404 or #up.requests > before
      and not up.requests[#up.requests].target:find("/../", 1, true)
      and up.requests[#up.requests].target:find("^/v1beta/models/[^/?#]+:generateContent$"),
      ("model %q: status %d, path %s"):format(model, answer.status,
        #up.requests > before and up.requests[#up.requests].target or "none"))
    before = #up.requests
  end
end)

flow.case("TR-95 tokens are counted by the provider whose API the client speaks, and by no other", function(t)
  local counts = t:upstream { dialect = claude, script = function(x) x:reply(200, '{"input_tokens":14}') end }
  local other = t:upstream { dialect = chat, script = "hi" }
  local gate = t:gateway { providers = { a = t:provider(counts), o = t:provider(other) } }
  local ask = { dialect = claude, target = "/v1/messages/count_tokens" }
  local answer = t:chat(gate, "a/claude-x", ask)
  t:equal(answer.status, 200)
  t:equal(answer.body, '{"input_tokens":14}')
  t:equal(counts.requests[1].target, "/v1/messages/count_tokens")
  t:equal(json.decode(counts.requests[1].body).model, "claude-x")
  local refused = t:chat(gate, "o/m", ask)
  t:check(refused.status >= 400 and refused.status < 500, "status " .. refused.status)
  t:envelope(refused, claude)
  t:equal(#other.requests, 0, "requests to a provider of another API")
end)

-- Cases of tests/lua/conformance are data; those that are a provider's stream run here through the running gateway, the
-- bytes coming in pieces. What the client gets must be the same for every size of piece.
local function conformance_cases(name)
  local shim = { null = json.null, array = function(list) return #list > 0 and list or json.empty_array end,
    raw = json.decode, encode = json.encode }
  return assert(loadfile(flow.root .. "/tests/lua/conformance/cases/" .. name .. ".lua"))()(shim)
end

local function wire(dialect, events)
  local out = {}
  for i, event in ipairs(events) do
    local body = type(event) == "table" and json.encode(event) or event
    out[i] = (dialect == claude and "event: " .. event.type .. "\n" or "") .. "data: " .. body .. "\n\n"
  end
  return table.concat(out)
end

-- The bytes of a stream without what is made anew each time.
local function settled(events)
  local out = {}
  for i, event in ipairs(events) do
    out[i] = (event.name or "") .. "|" .. event.data:gsub('"created":%d+', '"created":0')
      :gsub('"request_id":"[^"]*"', '"request_id":""'):gsub('"id":"chatcmpl%-[^"]*"', '"id":""')
      :gsub('"id":"msg_[^"]*"', '"id":""')
  end
  return table.concat(out, "\n")
end

flow.case("streams of the conformance cases are the same however they are cut", { seconds = 240 }, function(t)
  local providers, cases, current = {}, {}, {}
  local ups = {}
  for _, dialect in ipairs { chat, claude } do
    ups[dialect] = t:upstream { dialect = dialect, script = function(x)
      x.conn:send "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
      x.conn:drip(current.bytes, current.size)
      x.conn:close()
      x.last = true
    end }
  end
  for _, case in ipairs(conformance_cases "answers") do
    local pair = case.client == chat and case.provider == claude or case.client == claude and case.provider == chat
    if pair and case.events then
      cases[#cases + 1] = case
      providers["p" .. #cases] = t:provider(ups[case.provider])
    end
  end
  t:check(#cases >= 10, "cases with a stream")
  local gate = t:gateway { providers = providers }
  for i, case in ipairs(cases) do
    local first
    for _, size in ipairs { 1000000, 1, 2, 3, 7, 64 } do
      current.bytes, current.size = wire(case.provider, case.events), size
      local fields = { max_tokens = 64, stream_options = case.client == chat and { include_usage = true } or nil }
      local answer = t:chat_stream(gate, "p" .. i .. "/m", { dialect = case.client, fields = fields })
      local told = answer.events and settled(answer.events) or answer.status .. " " .. tostring(answer.body):gsub(
        '"request_id":"[^"]*"', "")
      first = first or told
      t:equal(told, first, case.name .. " in pieces of " .. size)
    end
  end
end)

-- A provider that passes the first request on to the simulator, keeps the bytes of the answer, and gives them again in
-- pieces of any size.
local function replayer(t, simulator)
  local up
  up = t:upstream { script = function(x)
    if not up.kept then
      local conn = t:keep(assert(require "net".connect(simulator)))
      conn:send(http.request_text { method = "POST", target = x.request.target, body = x.request.body,
        headers = { ["anthropic-version"] = "2023-06-01" } })
      local answer = assert(http.read_response(conn, 20 * t.seconds))
      conn:close()
      t:equal(answer.status, 200, "the simulator's answer: " .. answer.body)
      up.kept = { type = answer.headers["content-type"], bytes = answer.body }
    end
    x.conn:send("HTTP/1.1 200 OK\r\ncontent-type: " .. up.kept.type .. "\r\nconnection: close\r\n\r\n")
    x.conn:drip(up.kept.bytes, up.size)
    x.conn:close()
    x.last = true
  end }
  return up
end

local wants = {
  ["a text with thinking"] = '[[simulate thinking chunks=4 text="gr\195\188\195\159e \240\159\152\128 welt"]]',
  ["calls"] = "[[simulate tools=f,g]]",
}

local function function_tool(dialect, name)
  local schema = { type = "object", properties = { x = { type = "integer" } } }
  if dialect == claude then return { name = name, input_schema = schema } end
  return { type = "function", ["function"] = { name = name, parameters = schema } }
end

for _, dialect in ipairs { "openai.chat", "openai.responses", claude, "gemini", "cohere.chat", "bedrock.converse" } do
  flow.case("a simulated stream is the same for clients, however its bytes are cut: " .. dialect, { seconds = 240 },
    function(t)
      local simulator = proc.start(t.dir, "simulate", { require "gateway".binary, "simulate", "--listen",
        "127.0.0.1:0" })
      local port = t:until_true(20 * t.seconds, function() return simulator:output():match "127%.0%.0%.1:(%d+)" end)
      local bases = { gemini = "/v1beta", ["cohere.chat"] = "/v2", ["bedrock.converse"] = "" }
      for what, words in pairs(wants) do
        local up = replayer(t, tonumber(port))
        local gate = t:gateway { providers = { up = t:provider(up, { adapter = "openai-compatible", dialect = dialect,
          base_url = up.url .. (bases[dialect] or "/v1") }) } }
        for _, client in ipairs { chat, claude } do
          if client ~= dialect then
            up.kept = nil
            local first
            local fields = { max_tokens = 4000, messages = { { role = "user", content = words } },
              tools = { function_tool(client, "f"), function_tool(client, "g") } }
            for _, size in ipairs { 1000000, 1, 2, 3, 7, 64 } do
              up.size = size
              local answer = t:chat_stream(gate, "up/model-a", { dialect = client, fields = fields })
              t:equal(answer.status, 200, "status")
              t:check(not answer.cut, "proper end")
              first = first or settled(answer.events)
              t:equal(settled(answer.events), first, what .. " for " .. client .. " in pieces of " .. size)
            end
            t:match(first, what == "calls" and "\"name\":\"g\"" or "welt", what .. " for " .. client)
          end
        end
      end
      simulator:stop(10)
    end)
end

flow.case("the loss table is printed as Markdown and as data", function(t)
  local binary = proc.quote(require "gateway".binary)
  local status, text = proc.run(t.dir, "losses", { "sh", "-c", binary .. " reference losses --json" })
  t:equal(status, 0)
  local rows = json.decode(text).rows
  t:check(#rows > 1000, "rows: " .. #rows)
  for _, row in ipairs(rows) do
    t:check(row.client ~= row.provider, "a pair of two dialects")
    t:equal(row.listed, row.verdict == "lost" or row.verdict == "changed", row.field)
    if row.client == chat and row.provider == claude and row.field == "temperature(above 1)" then
      t:equal(row.listed_as[1], "temperature(clamped to 1)")
    end
  end
  local done, page = proc.run(t.dir, "page", { "sh", "-c", binary .. " reference losses" })
  t:equal(done, 0)
  t:match(page, "## openai%.chat client, anthropic%.messages provider")
end)
