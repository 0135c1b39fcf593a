-- Bedrock's Converse through the binary: streams of AWS messages, exceptions within them, and what is left of a stream
-- when its bytes are wrong. The messages are made by tests/lua/dialects/converse_frames.lua.
local flow = require "flow"
local http = require "http"
local json = require "cjson"

local order = require "order" -- of tests/lua/dialects
local frames = dofile(flow.root .. "/tests/lua/dialects/converse_frames.lua")

local function event(name, body) return frames.encode(name, json.encode(body)) end

local function delta(text)
  return event("contentBlockDelta", { contentBlockIndex = 0, delta = { text = text }, p = "ab" })
end

local start = event("messageStart", { role = "assistant", p = "abcd" })
local stop = event("contentBlockStop", { contentBlockIndex = 0 })
local ending = event("messageStop", { stopReason = "end_turn" })
local metadata = event("metadata", { usage = { inputTokens = 5, outputTokens = 2, totalTokens = 7 },
  metrics = { latencyMs = 1 } })
local whole = start .. delta "one " .. delta "two" .. stop .. ending .. metadata

-- A provider that sends these bytes, `cut` bytes a piece; then its stream ends in order.
local function provider(t, bytes, cut)
  local up = t:upstream { script = function(x)
    x.conn:send("HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n"
      .. "transfer-encoding: chunked\r\n\r\n")
    for i = 1, #bytes, cut or #bytes do x:chunk(bytes:sub(i, i + (cut or #bytes) - 1)) end
    x:end_stream()
  end }
  return { adapter = "bedrock", base_url = up.url, region = "us-east-1",
    keys = { flow.env("FLOW_BEDROCK_KEY", "canary7Q-bedrock-key") } }, up
end

local function converse_stream(t, gate, model)
  local body = json.encode { messages = { { role = "user", content = { { text = "hi" } } } } }
  local conn = t:client(gate)
  conn:send(http.request_text { method = "POST", target = "/model/" .. model .. "/converse-stream", body = body,
    headers = { "authorization: Bearer " .. flow.client_key, "content-type: application/json" } })
  local answer = http.read_response(conn, 20)
  conn:close()
  return answer
end

flow.case("a stream of Converse reaches a Converse client byte by byte as it was", function(t)
  local gate = t:gateway { providers = { a = (provider(t, whole)), b = (provider(t, whole, 7)) } }
  for _, name in ipairs { "a", "b" } do
    local answer = converse_stream(t, gate, name .. "%2Fm")
    t:equal(answer.headers["content-type"], "application/vnd.amazon.eventstream")
    t:equal(answer.body, whole, "bytes")
  end
  local record = gate:traces(2)[1]
  t:equal(record.input_tokens, 5)
  t:equal(record.output_tokens, 2)
  t:equal(record.finish_reason, "stop")
end)

flow.case("Converse's stream reaches clients of other dialects, however it is cut", function(t)
  local gate = t:gateway { providers = { b = (provider(t, whole, 5)) } }
  for dialect in pairs(flow.paths) do
    t:equal(t:text(t:chat_stream(gate, "b/m", { dialect = dialect })), "one two", dialect)
  end
end)

local slow_down = event("throttlingException", { message = "Too many tokens, please wait." })

flow.case("an exception before the content is a failed attempt, after it the client is told", function(t)
  local gate = t:gateway {
    providers = { early = (provider(t, start .. slow_down)), late = (provider(t, start .. delta "one " .. slow_down)),
      good = (provider(t, whole)) },
    routes = { r = { targets = { "early/m", "good/m" } }, late = { targets = { "late/m", "good/m" } } },
  }
  t:equal(converse_stream(t, gate, "r").body, whole, "of the next target")
  local answer = converse_stream(t, gate, "late")
  t:equal(answer.body, start .. delta "one " .. slow_down, "as the provider sent it")
  local chat = t:chat_stream(gate, "late")
  local last = json.decode(chat.events[#chat.events].data)
  t:match(last.error.message, "Too many tokens")
  local records = gate:traces(3)
  t:equal(records[1].outcome, "ok")
  t:check(records[2].outcome ~= "ok", "the outcome of a stream that failed")
end)

flow.case("a stream that breaks off is an exception for a Converse client", function(t)
  local broken = start .. delta "one " .. stop
  local wrong_sum = whole:sub(1, #start + 20) .. "X" .. whole:sub(#start + 22)
  local gate = t:gateway { providers = { broken = (provider(t, broken)), wrong = (provider(t, wrong_sum)),
    half = (provider(t, whole:sub(1, -30))), good = (provider(t, whole)) },
    routes = { r = { targets = { "wrong/m", "good/m" } } } }
  local answer = converse_stream(t, gate, "broken%2Fm")
  local events = order.frames(answer.body)
  t:equal(events[#events].kind, "exception")
  t:equal(converse_stream(t, gate, "r").body, whole, "of the next target")
  -- The stop reason had come: the usage is missing, the answer is not.
  local cut = order.frames(converse_stream(t, gate, "half%2Fm").body)
  t:check(cut[#cut].kind == "exception" or cut[#cut].name == "messageStop", "a clear end")
end)

flow.case("errors of Converse have its header, its type and its body", function(t)
  local up = t:upstream { script = function(x)
    x:reply(400, '{"message":"The provided model identifier is invalid."}',
      { "x-amzn-errortype: ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/" })
  end }
  local gate = t:gateway { providers = { b = { adapter = "bedrock", base_url = up.url, region = "us-east-1",
    keys = { flow.env("FLOW_BEDROCK_KEY", "canary7Q-bedrock-key") } } } }
  local answer = converse_stream(t, gate, "b%2Fm")
  t:equal(answer.status, 400)
  t:match(answer.headers["x-amzn-errortype"], "^ValidationException")
  t:match(answer.body, "model identifier is invalid")
  local own = converse_stream(t, gate, "nothing")
  t:equal(own.status, 404)
  t:equal(own.headers["x-amzn-errortype"], "ResourceNotFoundException")
  t:equal(json.decode(own.body).__type, "ResourceNotFoundException")
end)
