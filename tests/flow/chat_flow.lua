-- Requests that succeed: bytes passed through, translated, streamed, listed.
local answers = require "answers"
local flow = require "flow"
local http = require "http"
local json = require "cjson"

local dialects = { "openai.chat", "anthropic.messages" }

for _, dialect in ipairs(dialects) do
  flow.case("same dialect: both ways byte for byte, whole: " .. dialect, function(t)
    local reply = answers.whole[dialect]("héllo \\u00e9 \240\159\152\128 1e400", "model-a")
    local gate, up = t:simple { dialect = dialect, script = function(x) x:reply(200, reply) end }
    local before = '{ "unknown" : [1, 2.50, -0, 1e5, 9007199254740993, {"deep":null}],\n\t"model":"'
    local after = '",  "max_tokens": 64, "messages":[{"role":"user","content":"a\\u0041\\ud83d\\ude00 \195\169"}],'
      .. '"z":"\\/" }\n'
    local answer = t:chat(gate, "r", { dialect = dialect, body = before .. "r" .. after })
    t:equal(answer.status, 200)
    t:equal(answer.body, reply, "body to the client")
    t:equal(up.requests[1].body, before .. "model-a" .. after, "body to the provider")
  end)

  flow.case("same dialect: streamed bytes are the provider's: " .. dialect, function(t)
    local events = answers.stream[dialect]({ "one ", "tw\195\182 ", "\240\159\152\128" }, "model-a")
    local gate = t:simple { dialect = dialect, script = function(x) x:stream(events) end }
    local conn = t:client(gate)
    conn:send(t:chat_text("r", { dialect = dialect, stream = true, fields = dialect == "openai.chat"
      and { stream_options = { include_usage = true } } or nil }))
    local answer = t:check(http.read_head(conn), "answer")
    t:equal(answer.status, 200)
    t:match(answer.headers["content-type"], "^text/event%-stream")
    t:check(answer.headers["x-request-id"], "x-request-id")
    t:equal(answer:read_body(), table.concat(events), "stream")
    t:check(not answer.cut, "proper end")
  end)

  -- What comes before the first content waits for it, because until then another provider may be tried.
  flow.case("from the first content on, each event is with the client before the next is sent: " .. dialect, function(t)
    local texts = { "a", "b", "c", "d", "e" }
    local events = answers.stream[dialect](texts)
    local seen, first = 0, dialect == "openai.chat" and 2 or 4
    local gate = t:simple { dialect = dialect, script = function(x)
      x:start_stream()
      for i, event in ipairs(events) do
        x:chunk(event)
        if i >= first then t:until_true(2 * t.seconds, function() return seen >= i end, "event " .. i .. " seen") end
      end
      x:end_stream()
    end }
    local conn = t:client(gate)
    conn:send(t:chat_text("r", { dialect = dialect, stream = true, fields = dialect == "openai.chat"
      and { stream_options = { include_usage = true } } or nil }))
    local answer = t:check(http.read_head(conn), "answer")
    while answer:event() do seen = seen + 1 end
    t:equal(seen, #events, "events")
  end)

  for _, other in ipairs(dialects) do
    if other ~= dialect then
      flow.case(("translated: client %s, provider %s, whole and streamed"):format(dialect, other), function(t)
        local gate, up = t:simple { dialect = other, script = "Bonjour \240\159\152\128" }
        local whole = t:chat(gate, "r", { dialect = dialect })
        t:equal(t:text(whole), "Bonjour \240\159\152\128")
        t:equal(json.decode(whole.body).model, "r", "model as asked for")
        local stream = t:chat_stream(gate, "r", { dialect = dialect })
        t:equal(t:text(stream), "Bonjour \240\159\152\128")
        t:equal(up.requests[1].target:match "[^/]+$", flow.paths[other]:match "[^/]+$", "path upstream")
        t:equal(up.requests[1]:header_value "content-type", "application/json")
        local record = t:trace(gate, whole.headers["x-request-id"])
        t:equal(record.input_tokens, 11)
        t:equal(record.output_tokens, 7)
      end)
    end
  end
end

flow.case("split and joined provider bytes give the same client stream", function(t)
  local bytes = table.concat(answers.anthropic_stream { "alpha ", "beta" })
  local sizes = { 1, 2, 3, 5, 8, 13, 64, 100000 }
  -- Thousands of pieces, each in a turn of its own of all that this process does.
  local patient = { timeouts = { first_token = "120s", between_tokens = "120s", total = "120s" } }
  local gate = t:simple { dialect = "anthropic.messages", provider = patient, script = function(x)
    local size = sizes[x.number]
    x.conn:send "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    x.conn:drip(bytes, size, size < 5 and 0.0005 or nil)
    x.conn:close()
    x.last = true
  end }
  for i = 1, #sizes do
    t:equal(t:text(t:chat_stream(gate, "r", { seconds = 120 })), "alpha beta", "in pieces of " .. sizes[i])
  end
end)

flow.case("models: routes and provider/model names, for both SDK families", function(t)
  local up = t:upstream {}
  local gate = t:gateway {
    providers = { up = t:provider(up) },
    routes = { cost = { targets = { "up/model-a" } }, fast = { targets = { "up/model-b" } } },
  }
  local conn = t:client(gate)
  conn:send(http.request_text { method = "GET", target = "/v1/models",
    headers = { "authorization: Bearer " .. flow.client_key } })
  local answer = http.read_response(conn)
  t:equal(answer.status, 200)
  local ids = {}
  for _, model in ipairs(json.decode(answer.body).data) do ids[model.id] = model end
  for _, id in ipairs { "cost", "fast", "up/model-a", "up/model-b" } do t:check(ids[id], id .. " in the list") end
  conn:send(http.request_text { method = "GET", target = "/v1/models" })
  t:equal(http.read_response(conn).status, 401, "without a key")
  t:equal(t:chat(gate, "up/model-b").status, 200, "provider/model")
  t:equal(json.decode(up.requests[1].body).model, "model-b")
  t:equal(t:chat(gate, "nothing").status, 404, "unknown model")
  t:equal(t:chat(gate, "up/").status, 404, "provider without model")
end)

flow.case("bodies that are not what they should be are refused with the field's name", function(t)
  local gate, up = t:simple()
  for _, row in ipairs {
    { "{", 400, "bad_json" }, { "", 400, "bad_json" }, { "[]", 400 }, { "null", 400 },
    { '{"messages":[]}', 400 }, { '{"model":5,"messages":[]}', 400 },
    { '{"model":"r","model":"x","messages":[]}', 400, "bad_json" },
    { '{"mod\\u0065l":"r","model":"x","messages":[]}', 400, "bad_json" },
    { '{"model":"r","messages":[{"role":"user","content":' .. ("["):rep(200) .. ("]"):rep(200) .. "}]}", 400,
      "bad_json" },
    { '{"model":"r","messages":[]} trailing', 400, "bad_json" },
    { '{"model":"r","messages":[{"content":"\255"}]}', 400, "bad_json" },
  } do
    local answer = t:chat(gate, "r", { body = row[1] })
    t:equal(answer.status, row[2], "status for " .. row[1]:sub(1, 60))
    local code = t:envelope(answer, "openai.chat")
    if row[3] then t:equal(code, row[3], "code for " .. row[1]:sub(1, 60)) end
  end
  t:equal(#up.requests, 0)
end)

flow.case("a weighted policy spreads requests over its targets", function(t)
  local a, b = t:upstream { script = "from a" }, t:upstream { script = "from b" }
  local gate = t:gateway {
    providers = { a = t:provider(a), b = t:provider(b) },
    routes = { w = { policy = "weighted", targets = { { "a/m", weight = 3 }, { "b/m", weight = 1 } } } },
  }
  for _ = 1, 80 do t:equal(t:chat(gate, "w").status, 200) end
  t:check(#a.requests > #b.requests and #b.requests > 4, ("3:1 gave %d:%d"):format(#a.requests, #b.requests))
end)

flow.case("a route's own Lua policy chooses by the request", function(t)
  local small, large = t:upstream { script = "small" }, t:upstream { script = "large" }
  require "proc".write_file(t.dir .. "/tiered.lua", [[
local P = { api = 1, options = { limit = { type = "integer", default = 2000, doc = "tokens" } } }
function P.setup(opts) return { limit = opts.limit, small = gw.pool "small", large = gw.pool "large" } end
function P:route(req)
  if req.team == "search" and req.prompt_tokens < self.limit then return self.small, self.large end
  return self.large
end
return P
]])
  local gate = t:gateway {
    providers = { s = t:provider(small), l = t:provider(large) },
    routes = { cost = { policy = t.dir .. "/tiered.lua", options = { limit = 100 },
      pools = { small = { "s/m" }, large = { "l/m" } } } },
  }
  t:equal(t:text(t:chat(gate, "cost")), "small")
  local long = { messages = { { role = "user", content = ("word "):rep(2000) } } }
  t:equal(t:text(t:chat(gate, "cost", { fields = long })), "large")
end)
