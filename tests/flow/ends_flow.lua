-- How streams end when a provider does not end them as it should: the client gets exactly one end or one error, in its
-- own dialect, whatever the two readers of an event (the core's and the translation's) make of it.
local answers = require "answers"
local flow = require "flow"
local json = require "cjson"
local talk = require "talk"

local chat, claude, responses = "openai.chat", "anthropic.messages", "openai.responses"

-- Serves the events as they are, then ends in order.
local function plays(events)
  return function(x)
    x:start_stream()
    for _, event in ipairs(events) do x:chunk(event) end
    x:end_stream()
  end
end

local function start(t, dialect, events, more)
  local up = t:upstream { dialect = dialect, script = plays(events) }
  local config = { providers = { up = t:provider(up, more) }, routes = { r = { targets = { "up/m" },
    retry = { same_target = 0 } } } }
  return t:gateway(config), up
end

-- The verdict, the answer and the trace record.
local function ask(t, gate, client)
  local http = require "http"
  local conn = t:client(gate)
  assert(conn:send(talk.request(client, "r", "Hello", true, flow.client_key)))
  local answer = assert(http.read_response(conn, 10 * t.seconds))
  conn:close()
  local verdict, wrong = talk.judge(client, true, answer)
  if not verdict then t:fail(client .. ": " .. wrong) end
  return verdict, answer, t:trace(gate, answer.headers["x-request-id"])
end

local function without_last(list, last)
  local out = {}
  for i = 1, #list - 1 do out[i] = list[i] end
  out[#out + 1] = last
  return out
end

local stream = answers.openai_stream { "Hello", " there" }
local odd_ends = {
  ["no [DONE]"] = without_last(stream),
  ["a damaged [DONE]"] = without_last(stream, "data: [DONF]\n\n"),
  ["a damaged name of its field"] = without_last(stream, "eata: [DONE]\n\n"),
  ["a [DONE] without its blank line"] = without_last(stream, "data: [DONE]\n"),
  ["a [DONE] without its line"] = without_last(stream, "data: [DONE]"),
  ["nothing behind its last line"] = without_last(without_last(stream), stream[#stream - 1]:gsub("%s+$", "")),
}
for name, events in pairs(odd_ends) do
  flow.case("ends: a stream with its finish reason that ends in order is complete: " .. name, function(t)
    local gate = start(t, chat, events)
    if not events[#events]:find "^data: %[DONE%]" then
      t:provider_breaks("end json field", "a provider's stream has no good [DONE], and passes as it is")
    end
    local answer = t:chat(gate, "r", { fields = { stream = true, stream_options = { include_usage = true } } })
    local given = table.concat(events)
    -- As the provider has it; but its last event is one, too.
    t:equal(answer.body, given .. (given:find "\n\n$" and "" or "\n\n"), "the bytes")
    t:equal(t:trace(gate, answer.headers["x-request-id"]).outcome, "ok", chat)
    -- Who translates must read what it is given, and this says nothing.
    local wanted = name == "a damaged [DONE]" and "error" or "complete"
    local verdict, _, trace = ask(t, gate, claude)
    t:equal(verdict, wanted, claude)
    t:equal(trace.outcome, wanted == "complete" and "ok" or "failed", claude)
  end)
end

flow.case("ends: [DONE] is not made up where the finish reason is missing, nor behind an error", function(t)
  local gate = start(t, chat, { stream[1], stream[2] })
  local verdict, answer = ask(t, gate, chat)
  t:equal(verdict, "error")
  t:absent(answer.body, "[DONE]", "a stream that broke off")
  gate = start(t, chat, { stream[1], stream[2], stream[4],
    'data: {"error":{"message":"oh","type":"server_error"}}\n\n' })
  verdict, answer = ask(t, gate, chat)
  t:equal(verdict, "error")
  t:absent(answer.body, "[DONE]", "a stream with an error")
end)

-- What becomes of one event of Anthropic's; wanted: how the client's stream ends then.
local said = answers.anthropic_stream { "Hello", " there" }
local function change(pattern, with, only)
  local out = {}
  for i, event in ipairs(said) do out[i] = event end
  for i, event in ipairs(out) do
    if event:find(only or pattern) then
      out[i] = event:gsub(pattern, with, 1)
      return out
    end
  end
  error("no event has " .. pattern)
end
local odd_events = {
  { "the end's name is another", change("event: message_stop", "event: messagf_stop"), "complete" },
  { "the end's type is another", change('"type":"message_stop"', '"type":"messagf_stop"'), "complete" },
  { "the end is no JSON", change('"type":"message_stop"}', '"type":"message_stop"', "message_stop"), "error" },
  { "a delta is no JSON", change('"Hello"', '"Hel\1lo"'), "error" },
  { "a late delta is no JSON", change('" there"}}', '" there"}'), "error" },
  { "the finish is no JSON", change("stop_reason", 'stop"_reason'), "error" },
  { "an error stands under another name", change("event: message_delta\ndata: .*$",
    'event: message_delta\ndata: {"type":"error","error":{"type":"overloaded_error","message":"oh"}}\n\n'), "error" },
  { "an end comes before an error", change("$",
    'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"late"}}\n\n', "message_stop"),
    "complete" },
}
for _, case in ipairs(odd_events) do
  flow.case("ends: one end or one error in another dialect: " .. case[1], function(t)
    local gate = start(t, claude, case[2])
    for _, client in ipairs { chat, responses, "gemini", "cohere.chat" } do
      local verdict, answer, trace = ask(t, gate, client)
      t:equal(verdict, case[3], client .. ": " .. answer.body)
      t:equal(trace.outcome, case[3] == "complete" and "ok" or "failed", client)
      local class = trace.attempts[1].class
      if case[3] == "error" and class ~= "bad_answer" then t:equal(class, "stream_error") end
    end
  end)
end

flow.case("ends: an event that is no JSON before the first content fails over", function(t)
  local bad = t:upstream { dialect = claude, script = plays { said[1], "event: content_block_start\ndata: {oh\n\n",
    said[#said] } }
  local good = t:upstream { dialect = claude }
  local gate = t:gateway { providers = { bad = t:provider(bad), good = t:provider(good) },
    routes = { r = { targets = { "bad/m", "good/m" } } } }
  local verdict, _, trace = ask(t, gate, chat)
  t:equal(verdict, "complete")
  t:equal(trace.attempts[1].class, "bad_answer")
  t:equal(trace.attempts[2].class, "none")
end)

-- ---- the number of the error's event -----------------------------------------------------------------------------

local function numbers(t, answer)
  local last
  for text in answer.body:gmatch "data: (.-)\n\n" do
    local event = json.decode(text)
    if last then t:equal(event.sequence_number, last + 1, "the number of " .. event.type) end
    last = event.sequence_number
  end
  t:match(answer.body, '"type":"error"')
  return last
end

flow.case("ends: the error that ends a Responses stream has the next number", function(t)
  local begun = answers.responses_begun({ 'Hi "sequence_number":77', "there" }, 4)
  t:provider_breaks("sequence", "a provider's numbers begin at 4")
  local up = t:upstream { dialect = responses, script = function(x)
    x:start_stream()
    for _, text in ipairs(begun) do x:chunk(text) end
    x.last = true -- the connection ends in the middle of the body
  end }
  local gate = t:gateway { providers = { up = t:provider(up) }, routes = { r = { targets = { "up/m" } } } }
  local verdict, answer = ask(t, gate, responses)
  t:equal(verdict, "error")
  t:equal(numbers(t, answer), 10, "the last number")

  gate = start(t, claude, { said[1], said[2], said[3], said[4], said[5] })
  verdict, answer = ask(t, gate, responses)
  t:equal(verdict, "error")
  t:check(numbers(t, answer) > 3, "numbers of a translated stream")
end)

-- ---- a whole answer that is none yet -----------------------------------------------------------------------------

flow.case("ends: a Responses answer that is only queued is a 502 that says so; to its clients it passes", function(t)
  local queued = '{"id":"resp_1","object":"response","created_at":1700000000,"status":"queued","background":true,'
    .. '"model":"m","output":[],"error":null,"usage":null}'
  local up = t:upstream { dialect = responses, script = function(x) x:reply(200, queued) end }
  local gate = t:gateway { providers = { up = t:provider(up, { dialect = responses }) },
    routes = { r = { targets = { "up/m" }, retry = { same_target = 0 } } } }
  for _, client in ipairs { chat, claude } do
    local answer = t:chat(gate, "r", { dialect = client })
    t:equal(answer.status, 502, client)
    t:envelope(answer, client)
    t:match(answer.body, "only queued", client)
    t:equal(t:trace(gate, answer.headers["x-request-id"]).attempts[1].class, "bad_answer")
  end
  local http = require "http"
  local conn = t:client(gate)
  assert(conn:send(talk.request(responses, "r", "Hello", false, flow.client_key)))
  local answer = assert(http.read_response(conn, 10 * t.seconds))
  conn:close()
  t:equal(answer.status, 200)
  t:equal(answer.body, queued)
end)
