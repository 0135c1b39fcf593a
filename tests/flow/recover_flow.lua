-- An answer that breaks off after the client has read some of it, on routes with `recover`: it goes on in the same
-- message, where its words allow that, or ends with the error that it ends with on every other route.
local answers = require "answers"
local bill = require "bill"
local flow = require "flow"
local http = require "http"
local gateway = require "gateway"
local json = require "cjson"
local proc = require "proc"
local talk = require "talk"
local order = require "order" -- of tests/lua/dialects

local words = "one two three four five six"
local began, rest = "one two three", "and the rest"
local separator = "\n\n[The answer broke off here. It starts over.]\n\n"

local function says(text) return "text=%22" .. text:gsub(" ", "%%20") .. "%22" end

local function metric(gate, name)
  return tonumber(gate:metrics():match("\n" .. name:gsub("%p", "%%%0") .. " (%d+)"))
end

-- A gateway with the route "r" to two simulated providers: `first` says what its path says, `second` says the rest.
-- options: recover, first, second (dialects), path (of the first), rest (path of the second), can (of both), targets,
-- retry, retry_budget, hedge, between_tokens (of the first: for one that stalls; all else has time).
local function start(t, options)
  local sim = bill.start(t)
  local prices = bill.prices("first/model-a", "second/model-b")
  prices["second/model-b"].can = options.can or "tools prefill"
  prices["first/model-a"].can = prices["second/model-b"].can
  local first = sim:provider(t, options.first or "openai.chat", options.path or says(words) .. ",reset=middle")
  first.timeouts.between_tokens = options.between_tokens or first.timeouts.between_tokens
  local gate = t:gateway {
    providers = { first = first,
      second = sim:provider(t, options.second or "anthropic.messages", options.rest or says(rest)) },
    routes = { r = { targets = options.targets or { "first/model-a", "second/model-b" }, recover = options.recover,
      retry = options.retry, hedge = options.hedge } },
    health = { eject = "0s", key_bench = "0s" },
    retry_budget = options.retry_budget or { percent = 1000, per_s = 1000 }, prices = prices,
  }
  return gate, sim
end

local function stream(t, gate, client, fields)
  local conn = t:client(gate)
  local body = talk.rows[client].body("r", "Say something.", true)
  for name, value in pairs(fields or {}) do body[name] = value end
  conn:send(http.request_text { method = "POST", target = talk.rows[client].path("r", true),
    headers = { "anthropic-version: 2023-06-01", "authorization: Bearer " .. flow.client_key },
    body = json.encode(body) })
  local answer = http.read_response(conn, 20 * t.seconds)
  t:check(answer, "an answer")
  conn:close()
  return answer
end

local text_in = {
  ["openai.chat"] = function(d)
    local choice = d.choices and d.choices[1]
    return choice and choice.delta.content ~= json.null and choice.delta.content
  end,
  ["openai.responses"] = function(d) return d.type == "response.output_text.delta" and d.delta end,
  ["anthropic.messages"] = function(d) return d.delta and d.delta.text end,
  gemini = function(d)
    local content = d.candidates and d.candidates[1].content
    return content and content.parts and content.parts[1].text
  end,
  ["cohere.chat"] = function(d) return d.type == "content-delta" and d.delta.message.content.text end,
}

local function text_of(client, answer)
  local list = {}
  if client == "bedrock.converse" then
    for text in answer.body:gmatch '"delta":({"text":".-[^\\]"})' do list[#list + 1] = json.decode(text).text end
    return table.concat(list)
  end
  for _, e in ipairs(order.events(answer.body)) do
    local is_json, d = pcall(json.decode, e.data)
    if is_json and type(d) == "table" then list[#list + 1] = text_in[client](d) or nil end
  end
  return table.concat(list)
end

local function whole(t, client, answer)
  local verdict, wrong = talk.judge(client, true, answer)
  t:equal(verdict, "complete", wrong or "the answer")
end

-- Both attempts are in the trace, and cost what was billed. A stream that breaks off is counted to the token.
local function accounted(t, gate, sim, number, answer, class)
  local record, billed = t:trace(gate, answer.headers["x-request-id"]), sim:records(2 * number, 20 * t.seconds)
  t:equal(record.outcome, "ok", "outcome")
  t:equal(#record.attempts, 2, "attempts")
  t:equal(record.attempts[1].class, class, "why it broke off")
  t:equal(record.attempts[2].class, "none", "the second attempt")
  t:equal(record.attempts[1].recovered, nil, "the first one goes on with nothing")
  t:equal(record.attempts[2].recovered, true, "the second one does")
  t:equal(record.fallback_used, true, "fallback_used")
  local first, second = billed[2 * number - 1], billed[2 * number]
  t:equal(record.attempts[2].cost_pico_usd, bill.due(second), "cost of the second attempt")
  return record, first, second
end

local faults = { { "reset=middle", "reset" }, { "error_event=middle", "stream_error" },
  { "stall=middle", "between_tokens_timeout", between_tokens = "300ms" } }

-- The last turn of what a provider was sent, by its own dialect.
local last_turn = {
  ["openai.chat"] = function(b) local m = b.messages[#b.messages] return m.role, m.content end,
  ["anthropic.messages"] = function(b)
    local m = b.messages[#b.messages]
    return m.role, type(m.content) == "table" and m.content[1].text or m.content
  end,
  ["bedrock.converse"] = function(b) local m = b.messages[#b.messages] return m.role, m.content[1].text end,
  gemini = function(b)
    local m = b.contents[#b.contents]
    return m.role == "model" and "assistant" or m.role, m.parts[1].text
  end,
  ["cohere.chat"] = function(b)
    local m = b.messages[#b.messages]
    return m.role, type(m.content) == "table" and m.content[1].text or m.content
  end,
  ["openai.responses"] = function(b)
    local m = b.input[#b.input]
    return m.role, type(m.content) == "table" and m.content[1].text or m.content
  end,
}

for _, first in ipairs(talk.dialects) do
  local second = first == "anthropic.messages" and "openai.chat" or "anthropic.messages"
  for _, mode in ipairs { "continue", "restart" } do
    flow.case(("%s: a stream of %s goes on with %s, for clients of all dialects"):format(mode, first, second),
      { seconds = 90 }, function(t)
      local gate, sim = start(t, { recover = mode, first = first, second = second })
      for i, client in ipairs(talk.dialects) do
        local answer = stream(t, gate, client)
        whole(t, client, answer)
        local text = text_of(client, answer)
        local _, _, asked = accounted(t, gate, sim, i, answer, "reset")
        local role, said = last_turn[second](json.decode(asked.body))
        if mode == "continue" then
          t:equal(text, began .. rest, client .. "'s text")
          t:equal(role, "assistant", "the last turn's role")
          t:equal(said, began, "the last turn")
        else
          local joins = client == "openai.chat" or client == "gemini"
          t:equal(text, began .. (joins and separator or "") .. rest, client .. "'s text")
          t:equal(role, "user", "the last turn's role")
          local tells = client ~= "gemini" and client ~= "bedrock.converse"
          t:equal(answer.body:find(": moongate-restart attempt=2 target=second/model-b\n\n", 1, true) ~= nil, tells,
            client .. "'s notice")
        end
      end
      t:equal(metric(gate, "moongate_recoveries_total"), #talk.dialects)
      t:equal(metric(gate, "moongate_recoveries_succeeded_total"), #talk.dialects)
    end)
  end
end

flow.case("whatever breaks it off: resets, errors within the stream, stalls", { seconds = 90 }, function(t)
  for _, mode in ipairs { "continue", "restart" } do
    for _, fault in ipairs(faults) do
      local gate, sim = start(t, { recover = mode, path = says(words) .. "," .. fault[1],
        between_tokens = fault.between_tokens })
      for i, client in ipairs { "openai.chat", "anthropic.messages", "openai.responses" } do
        local answer = stream(t, gate, client)
        whole(t, client, answer)
        t:match(text_of(client, answer), "^" .. began .. ".*" .. rest .. "$")
        local record, first = accounted(t, gate, sim, i, answer, fault[2])
        local kind, wrong = bill.judge(record.attempts[1], first)
        t:equal(kind, "estimated", wrong or "the first attempt's cost")
      end
    end
  end
end)

-- Cut after every few bytes of a stream: what comes is one well-formed answer, or one well-formed error.
for _, dialect in ipairs { "openai.chat", "anthropic.messages" } do
  flow.case("cut anywhere within a stream of " .. dialect, { seconds = 120 }, function(t)
    local bytes = table.concat(answers.stream[dialect] { "one ", "two ", "three" })
    local cut
    local broken = t:upstream { dialect = dialect, script = function(x)
      x:start_stream()
      x:chunk(bytes:sub(1, cut))
      x.conn:reset()
      x.last = true
    end }
    local well = t:upstream { dialect = "anthropic.messages", script = "four" }
    local config = { providers = { broken = t:provider(broken), well = t:provider(well) }, routes = {},
      health = { eject = "0s" }, retry_budget = { percent = 1000, per_s = 1000 },
      prices = { ["well/m"] = { input = "1", output = "1", can = "prefill" } } }
    for _, mode in ipairs { "continue", "restart" } do
      config.routes[mode] = { targets = { "broken/m", "well/m" }, recover = mode }
    end
    local gate = t:gateway(config)
    local complete, recovered = 0, 0
    for at = 1, #bytes, 9 do
      for _, mode in ipairs { "continue", "restart" } do
        for _, client in ipairs { "openai.chat", "anthropic.messages", "openai.responses" } do
          cut = at
          local answer = stream(t, gate, client, { model = mode })
          local verdict, wrong = talk.judge(client, true, answer)
          local where = ("%s, %s, cut at %d: "):format(mode, client, cut)
          t:check(verdict, where .. tostring(wrong))
          if verdict == "complete" then
            local text = text_of(client, answer)
            t:check(text == "one two three" or text:find "four$", where .. text)
            complete = complete + 1
            if answer.body:find "one" and answer.body:find "four" then recovered = recovered + 1 end
          end
        end
      end
    end
    t:check(recovered > complete / 5, recovered .. " of " .. complete .. " were gone on with")
  end)
end

-- Ends as it does without `recover`: with the client's own kind of error, after one attempt.
local function ends_with_error(t, gate, client, fields, attempts)
  local answer = stream(t, gate, client, fields)
  t:equal(talk.judge(client, true, answer), "error", "the end of the stream")
  local record = t:trace(gate, answer.headers["x-request-id"])
  t:equal(record.outcome, "failed")
  t:equal(#record.attempts, attempts or 1, "attempts")
  t:equal(metric(gate, "moongate_recoveries_succeeded_total"), 0)
  return answer, record
end

flow.case("none is the default", function(t)
  for _, client in ipairs { "openai.chat", "anthropic.messages" } do ends_with_error(t, (start(t, {})), client) end
end)

flow.case("continue: only targets with the capability prefill", function(t)
  for _, client in ipairs { "openai.chat", "anthropic.messages" } do
    ends_with_error(t, (start(t, { recover = "continue", can = "tools" })), client)
  end
end)

local tool = { { type = "function", ["function"] = { name = "look", parameters = { type = "object",
  properties = { at = { type = "string" } } } } } }

flow.case("a tool call is never gone on with", { seconds = 90 }, function(t)
  for _, mode in ipairs { "continue", "restart" } do
    for _, at in ipairs { "middle", "end" } do
      for _, first in ipairs { "openai.chat", "anthropic.messages", "openai.responses" } do
        local gate = start(t, { recover = mode, first = first, path = "tools=look,reset=" .. at })
        local answer = ends_with_error(t, gate, "openai.chat", { tools = tool })
        t:match(answer.body, '"name":"look"')
      end
    end
  end
end)

flow.case("thinking: continue does not go on after it; restart not within what would be signed", { seconds = 90 },
  function(t)
  local path = "thinking_text=hmm," .. says(words) .. ",reset=middle"
  for _, first in ipairs { "anthropic.messages", "openai.chat" } do
    ends_with_error(t, (start(t, { recover = "continue", first = first, path = path })), "openai.chat",
      { reasoning_effort = "low" })
  end
  local gate = start(t, { recover = "restart", first = "anthropic.messages", path = path })
  local answer = stream(t, gate, "anthropic.messages", { max_tokens = 4000,
    thinking = { type = "enabled", budget_tokens = 1024 } })
  whole(t, "anthropic.messages", answer)
  t:match(text_of("anthropic.messages", answer), "^one.*" .. rest .. "$")
end)

flow.case("an answer in a format that was asked for does not start over within itself", function(t)
  for _, mode in ipairs { "continue", "restart" } do
    ends_with_error(t, (start(t, { recover = mode })), "openai.chat", { response_format = { type = "json_object" } })
  end
end)

flow.case("the retry rules hold: attempts, the retry budget, two recoveries at most", { seconds = 90 }, function(t)
  ends_with_error(t, (start(t, { recover = "restart", retry = { attempts = 1 } })), "openai.chat")
  local breaks = says(words) .. ",reset=middle"
  local gate = start(t, { recover = "restart", rest = breaks, retry_budget = { percent = 0, per_s = 0 },
    targets = { "first/model-a", "first/model-b" } })
  local _, record = ends_with_error(t, gate, "anthropic.messages")
  t:equal(record.attempts[1].class, "reset")
  for _, mode in ipairs { "restart", "continue" } do
    gate = start(t, { recover = mode, rest = breaks, second = "anthropic.messages",
      targets = { "first/model-a", "second/model-b", "first/model-a", "second/model-b", "first/model-a" } })
    local answer = ends_with_error(t, gate, "anthropic.messages", nil, 3)
    local starts = select(2, answer.body:gsub("event: message_start", ""))
    t:equal(starts, 1, "message_start")
    t:equal(metric(gate, "moongate_recoveries_total"), 2)
  end
end)

flow.case("a target that fails before it says anything is passed over", function(t)
  local gate = start(t, { recover = "restart", rest = "fail_first=1,status=503," .. says(rest),
    targets = { "first/model-a", "second/model-b", "second/model-c" } })
  local answer = stream(t, gate, "anthropic.messages")
  whole(t, "anthropic.messages", answer)
  local classes = {}
  for i, attempt in ipairs(gate:traces(1, 5)[1].attempts) do classes[i] = attempt.class end
  t:equal(table.concat(classes, " "), "reset overloaded overloaded none")
end)

flow.case("a hedge that won and broke off is gone on with, and is not hedged again", function(t)
  -- The first never answers; the second breaks off once, and is each time later than a hedge would be.
  local gate = start(t, { recover = "restart", path = "stall=head",
    rest = says(words) .. ",ttft_ms=400,fail_first=1,reset=middle", hedge = { after = "40ms", max_extra = 1 },
    targets = { "first/model-a", "second/model-b", "second/model-b" } })
  local answer = stream(t, gate, "anthropic.messages")
  whole(t, "anthropic.messages", answer)
  t:equal(text_of("anthropic.messages", answer), began .. words)
  local classes = {}
  for i, attempt in ipairs(gate:traces(1, 5)[1].attempts) do
    classes[i] = attempt.class .. (attempt.hedge and "+hedge" or "") .. (attempt.recovered and "+recovered" or "")
  end
  t:match(table.concat(classes, " "), "^%S+ reset%+hedge none%+recovered$")
end)

flow.case("check warns of a route that would continue with nobody", function(t)
  for model, warns in pairs { ["gpt-5-mini"] = true, ["claude-sonnet-4-5"] = false } do
    proc.write_file(t.dir .. "/moongate.lua", [[return { listen = "127.0.0.1:0", admin = { listen = "127.0.0.1:0" },
      providers = { openai = { keys = { "sk-made-up" } }, anthropic = { keys = { "sk-made-up" } } },
      routes = { r = { recover = "continue", targets = { "openai/gpt-5-mini", "]] .. (warns and "openai" or "anthropic")
      .. "/" .. model .. '" } } } }')
    local argv = { gateway.binary, "check", "--config", t.dir .. "/moongate.lua" }
    local status, _, errors = proc.run(t.dir, "check", argv)
    t:equal(status, 0, "exit status")
    t:equal(errors:find("routes.r: recover: none of its targets has the capability prefill", 1, true) ~= nil, warns,
      model)
  end
end)

flow.case("an array of Gemini's stays one array", function(t)
  for _, mode in ipairs { "continue", "restart" } do
    local gate = start(t, { recover = mode, first = "gemini" })
    local conn = t:client(gate)
    conn:send(http.request_text { method = "POST", target = "/v1beta/models/r:streamGenerateContent",
      headers = { "authorization: Bearer " .. flow.client_key },
      body = json.encode(talk.rows.gemini.body("r", "Say something.")) })
    local answer = http.read_response(conn, 20 * t.seconds)
    local texts, ends = {}, 0
    for _, element in ipairs(json.decode(answer.body)) do
      texts[#texts + 1] = text_in.gemini(element)
      if type(element.candidates[1].finishReason) == "string" then ends = ends + 1 end
    end
    t:equal(table.concat(texts), began .. (mode == "restart" and separator or "") .. rest)
    t:equal(ends, 1, "finish reasons")
    t:absent(answer.body, "moongate-restart")
  end
end)

flow.case("usage is told once: the prompt of the first attempt, the output of both", function(t)
  for _, mode in ipairs { "restart", "continue" } do
    local gate, sim = start(t, { recover = mode, first = "anthropic.messages" })
    local answer = stream(t, gate, "openai.chat")
    local told
    for _, e in ipairs(order.events(answer.body)) do
      local is_json, d = pcall(json.decode, e.data)
      if is_json and d.usage then told = d.usage end
    end
    local record, first, second = accounted(t, gate, sim, 1, answer, "reset")
    t:equal(told.prompt_tokens, first.billed_input_tokens, "prompt")
    t:equal(told.completion_tokens, record.attempts[1].output_tokens + second.billed_output_tokens, "output")
  end
end)

flow.case("a client that leaves between two attempts ends it", function(t)
  local gate = start(t, { recover = "restart", rest = "stall=head" })
  local conn = t:client(gate)
  conn:send(talk.request("openai.chat", "r", "Say something.", true, flow.client_key))
  t:check(conn:read_until "three", "the first words")
  t:until_true(5 * t.seconds, function() return metric(gate, "moongate_recoveries_total") == 1 end, "it goes on")
  conn:reset()
  local record = gate:traces(1)[1]
  t:equal(record.outcome, "client_gone")
  t:equal(record.attempts[2].class, "client_gone")
end)

flow.case("whole answers, and requests that name a target, are as ever", function(t)
  local gate = start(t, { recover = "restart", path = says(words) })
  local answer = t:chat(gate, "r")
  t:equal(t:text(answer), words)
  t:equal(t:text(t:chat_stream(gate, "r")), words)
  t:equal(t:text(t:chat_stream(gate, "first/model-a")), words)
end)
