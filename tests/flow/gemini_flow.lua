-- Gemini's API through the whole gateway, both sides of it: the model and the framing in the path, streams as events
-- and as one JSON array byte for byte, providers that stream arrays unasked, faults inside streams, and refusals.
local flow = require "flow"
local json = require "cjson"

local function chunk(text, more)
  return '{"candidates":[{"content":{"parts":[{"text":' .. json.encode(text) .. '}],"role":"model"}' .. (more or "")
    .. ',"index":0}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":4,"thoughtsTokenCount":3,'
    .. '"totalTokenCount":27},"modelVersion":"gemini-x","responseId":"r1","x_unknown":[1, 2.50]}'
end

local whole = chunk("hi", ',"finishReason":"STOP"')
local chunks = { chunk("h"), chunk("i"), chunk("", ',"finishReason":"STOP"') }

local function as_events()
  local events = {}
  for i, one in ipairs(chunks) do events[i] = "data: " .. one .. "\r\n\r\n" end
  return events
end

local function as_array() return { "[" .. chunks[1], "\n,\n" .. chunks[2], "\n,\n" .. chunks[3] .. "\n]" } end

-- A healthy provider: streams as it is asked to by the query.
local function start_array(x)
  x.conn:send("HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=UTF-8\r\n"
    .. "transfer-encoding: chunked\r\n\r\n")
end

local function serve(x)
  local target = x.request.target
  if not target:find ":streamGenerateContent" then return x:reply(200, whole) end
  if target:find "alt=sse" then return x:stream(as_events()) end
  start_array(x)
  for _, piece in ipairs(as_array()) do x:chunk(piece) end
  return x:end_stream()
end

local function setup(t, script, dialect)
  local up = t:upstream { script = script, dialect = dialect }
  local provider = t:provider(up, { adapter = "openai-compatible", dialect = dialect or "gemini",
    base_url = up.url .. (dialect and "/v1" or "/v1beta") })
  local gate = t:gateway { unknown_price = "estimate", providers = { up = provider },
    routes = { r = { targets = { "up/gemini-x" } } } }
  return gate, up
end

local function ask(t, gate, action, body)
  return t:chat(gate, "r", { target = "/v1beta/models/" .. action,
    body = type(body) == "string" and body or json.encode(body) })
end

local question = '{ "contents" : [{"parts":[{"text":"h\\u00e9"}]}],"x_unknown":{"a":1.50} }'

flow.case("gemini: the model in the path is the only thing that changes, whole, as events and as an array", function(t)
  local gate, up = setup(t, serve)
  local cases = {
    { "r:generateContent", "/v1beta/models/gemini-x:generateContent", whole },
    { "r:streamGenerateContent?alt=sse", "/v1beta/models/gemini-x:streamGenerateContent?alt=sse",
      table.concat(as_events()) },
    { "r:streamGenerateContent", "/v1beta/models/gemini-x:streamGenerateContent", table.concat(as_array()) },
  }
  for i, case in ipairs(cases) do
    local answer = ask(t, gate, case[1], question)
    t:equal(answer.status, 200)
    t:equal(answer.body, case[3])
    t:equal(up.requests[i].target, case[2])
    t:equal(up.requests[i].body, question)
    local record = t:trace(gate, answer.headers["x-request-id"])
    t:equal(record.input_tokens, 20)
    t:equal(record.output_tokens, 7)
    t:equal(record.finish_reason, "stop")
  end
end)

flow.case("gemini: a client's key in its path or in Google's header does not reach the provider", function(t)
  local gate, up = setup(t, serve)
  for _, case in ipairs {
    { target = "/v1beta/models/r:generateContent?key=" .. flow.client_key },
    { target = "/v1beta/models/r:generateContent", headers = { "x-goog-api-key: " .. flow.client_key } },
  } do
    case.key, case.body = false, question
    t:equal(t:chat(gate, "r", case).status, 200)
    local seen = up.requests[#up.requests]
    t:equal(seen.target, "/v1beta/models/gemini-x:generateContent")
    t:equal(seen.headers["x-goog-api-key"], nil)
  end
end)

flow.case("gemini: clients of other dialects get its streams, also where it streams an array unasked", function(t)
  local gate, up = setup(t, function(x)
    x.request.target = x.request.target:gsub("%?alt=sse", "")
    serve(x)
  end)
  for _, dialect in ipairs { "openai.chat", "anthropic.messages" } do
    local answer = t:chat_stream(gate, "r", { dialect = dialect })
    t:equal(answer.status, 200)
    t:equal(t:text(answer), "hi")
  end
  t:equal(#up.requests, 2)
end)

flow.case("gemini: its clients are served by a Chat provider, as events and as an array", function(t)
  local gate, up = setup(t, "hi there", "openai.chat")
  local answer = ask(t, gate, "r:streamGenerateContent?alt=sse", question)
  t:match(answer.headers["content-type"], "^text/event%-stream")
  local text = {}
  for data in answer.body:gmatch "data: ([^\r]+)\r\n\r\n" do
    text[#text + 1] = json.decode(data).candidates[1].content.parts[1].text
  end
  t:equal(table.concat(text), "hi there")
  answer = ask(t, gate, "r:streamGenerateContent", question)
  t:match(answer.headers["content-type"], "^application/json")
  local list = json.decode(answer.body)
  t:equal(list[#list].candidates[1].finishReason, "STOP")
  t:equal(list[#list].usageMetadata.promptTokenCount, 11)
  t:equal(json.decode(up.requests[1].body).messages[1].content, "h\195\169")
  t:equal(json.decode(ask(t, gate, "r:generateContent", question).body).candidates[1].content.parts[1].text, "hi there")
end)

flow.case("gemini: an answer that breaks off ends in Google's error, in either framing", function(t)
  local gate = setup(t, function(x)
    if x.request.target:find "alt=sse" then
      x:start_stream()
      x:chunk("data: " .. chunks[1] .. "\r\n\r\n")
    else
      start_array(x)
      x:chunk("[" .. chunks[1])
    end
    return x:end_stream()
  end)
  local answer = ask(t, gate, "r:streamGenerateContent?alt=sse", question)
  t:equal(answer.status, 200)
  t:match(answer.body, '\r\n\r\ndata: {"error":{"code":502,.*"status":"INTERNAL".*}}\r\n\r\n: [%w ]+\n\r\n$')
  answer = ask(t, gate, "r:streamGenerateContent", question)
  t:equal(answer.status, 200)
  local list = json.decode(answer.body)
  t:equal(#list, 2)
  t:equal(list[2].error.status, "INTERNAL")
end)

flow.case("gemini: refusals have Google's envelope, with the field", function(t)
  local gate, up = setup(t, serve, "openai.chat")
  for body, field in pairs {
    ["{}"] = "contents", ['{"contents":3}'] = "contents", ['{"contents":[]}'] = "contents",
    ['{"contents":[{"role":"king","parts":[]}]}'] = "contents[0].role",
    ['{"contents":[{"parts":[{"text":3}]}]}'] = "contents[0].parts[0].text",
  } do
    local answer = ask(t, gate, "r:generateContent", body)
    t:equal(answer.status, 400, body)
    local err = json.decode(answer.body).error
    t:equal(err.code, 400)
    t:equal(err.status, "INVALID_ARGUMENT")
    local found
    for _, detail in ipairs(err.details) do
      if detail.fieldViolations then found = detail.fieldViolations[1].field end
    end
    t:equal(found, field, body)
  end
  t:equal(#up.requests, 0)
  local unknown = json.decode(ask(t, gate, "nobody:generateContent", question).body).error
  t:equal(unknown.status, "NOT_FOUND")
end)
