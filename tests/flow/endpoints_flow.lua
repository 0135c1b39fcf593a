-- Everything that is no chat, and chats whose model is in the path: where it goes, what of it is changed (the model's
-- name, nothing else), what comes back, what the record says.
local flow = require "flow"
local http = require "http"
local json = require "cjson"

local function ask(t, gate, method, target, options)
  options = options or {}
  local headers = { options.key or "authorization: Bearer " .. flow.client_key }
  for _, line in ipairs(options.headers or {}) do headers[#headers + 1] = line end
  local conn = t:client(gate)
  t:check(conn:send(http.request_text { method = method, target = target, headers = headers, body = options.body }),
    "sending")
  local answer, why = http.read_response(conn, options.seconds, method == "HEAD")
  if not answer then t:fail("no answer: " .. tostring(why)) end
  conn:close()
  return answer
end

local base = { ["openai.chat"] = "/v1", ["openai.responses"] = "/v1", ["anthropic.messages"] = "/v1",
  ["gemini"] = "/v1beta", ["cohere.chat"] = "/v2", ["bedrock.converse"] = "" }

-- A gateway with one provider "up" of that dialect and a route "r" to its model-a. say: { status, body, type } or a
-- function(x).
local function one(t, dialect, say, config)
  local script = type(say) == "function" and say
    or function(x) x:reply(say[1] or 200, say[2], { "content-type: " .. (say[3] or "application/json") }) end
  local up = t:upstream { dialect = dialect, script = script }
  config = config or {}
  config.providers = config.providers or {}
  config.providers.up = t:provider(up, { adapter = "openai-compatible", dialect = dialect,
    base_url = up.url .. base[dialect] })
  config.routes = config.routes or {}
  config.routes.r = config.routes.r or { targets = { "up/model-a" } }
  return t:gateway(config), up
end

local function anthropic_version(target)
  return target:find("/v1/messages", 1, true) and { "anthropic-version: 2023-06-01" } or nil
end

-- operation, dialect, path here, path there, body here (r is the route), body there, answer
local rows = {
  { "embeddings", "openai.chat", "/v1/embeddings", "/v1/embeddings", '{"input": ["a","b"], "model" : "r" ,"x":1.0}',
    '{"input": ["a","b"], "model" : "model-a" ,"x":1.0}',
    '{"object":"list","data":[ {"embedding":[0.1]}],"usage":{"prompt_tokens":5,"total_tokens":5}}', 5 },
  { "completions", "openai.chat", "/v1/completions", "/v1/completions", '{"model":"r","prompt":"a","zz":[1e3]}',
    '{"model":"model-a","prompt":"a","zz":[1e3]}',
    '{"choices":[{"text":"b"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}', 3, 4 },
  { "moderations", "openai.chat", "/v1/moderations", "/v1/moderations", '{"model":"r","input":[{"type":"text"}]}',
    '{"model":"model-a","input":[{"type":"text"}]}', '{"results":[]}', 0 },
  { "images", "openai.chat", "/v1/images/generations", "/v1/images/generations", '{"model":"r","prompt":"a"}',
    '{"model":"model-a","prompt":"a"}', '{"data":[{"b64_json":"eA=="}],"usage":{"input_tokens":9,"output_tokens":272}}',
    9, 272 },
  { "rerank", "openai.chat", "/v1/rerank", "/v1/rerank", '{"model":"r","query":"a","documents":["b"]}',
    '{"model":"model-a","query":"a","documents":["b"]}', '{"results":[],"usage":{"total_tokens":12}}', 12 },
  { "count_tokens", "anthropic.messages", "/v1/messages/count_tokens", "/v1/messages/count_tokens",
    '{"model":"r","messages":[]}', '{"model":"model-a","messages":[]}', '{"input_tokens":14}', 0 },
  { "count_tokens", "openai.responses", "/v1/responses/input_tokens", "/v1/responses/input_tokens",
    '{"model":"r","input":"a"}', '{"model":"model-a","input":"a"}', '{"input_tokens":14}', 0 },
  { "embeddings", "cohere.chat", "/v2/embed", "/v2/embed", '{"model":"r","texts":["a"],"input_type":"x"}',
    '{"model":"model-a","texts":["a"],"input_type":"x"}', '{"id":"1","meta":{"billed_units":{"input_tokens":2}}}', 2 },
  { "rerank", "cohere.chat", "/v2/rerank", "/v2/rerank", '{"model":"r","query":"a","documents":["b"]}',
    '{"model":"model-a","query":"a","documents":["b"]}', '{"results":[],"meta":{"billed_units":{"search_units":1}}}',
    0 },
  { "embeddings", "gemini", "/v1beta/models/r:embedContent", "/v1beta/models/model-a:embedContent",
    '{"model": "models/r","content":{"parts":[{"text":"\\"model\\":"}]}}',
    '{"model": "models/model-a","content":{"parts":[{"text":"\\"model\\":"}]}}', '{"embedding":{"values":[1]}}' },
  { "embeddings", "gemini", "/v1/models/r:batchEmbedContents", "/v1beta/models/model-a:batchEmbedContents",
    '{"requests":[{"model":"models/r","content":{}}, {"model":"models/r","content":{"model":"kept"}}]}',
    '{"requests":[{"model":"models/model-a","content":{}}, {"model":"models/model-a","content":{"model":"kept"}}]}',
    '{"embeddings":[{"values":[1]}]}' },
  { "count_tokens", "gemini", "/v1beta/models/r:countTokens", "/v1beta/models/model-a:countTokens", '{"contents":[]}',
    '{"contents":[]}', '{"totalTokens":31}', 0 },
  { "invoke", "bedrock.converse", "/model/r/invoke", "/model/model-a/invoke", '{"inputText":"a", "k":1}',
    '{"inputText":"a", "k":1}', '{"inputTextTokenCount":6,"results":[]}', 6 },
  { "chat", "gemini", "/v1beta/models/r:generateContent", "/v1beta/models/model-a:generateContent",
    '{"contents":[{"parts":[{"text":"a"}]}], "zz":1.50}', '{"contents":[{"parts":[{"text":"a"}]}], "zz":1.50}',
    '{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,'
      .. '"candidatesTokenCount":2,"totalTokenCount":5}}', 3, 2 },
  { "chat", "bedrock.converse", "/model/r/converse", "/model/model-a/converse", '{"messages":[] , "zz":1}',
    '{"messages":[] , "zz":1}', '{"output":{"message":{"content":[{"text":"b"}]}},"stopReason":"end_turn","usage":'
      .. '{"inputTokens":3,"outputTokens":2,"totalTokens":5}}', 3, 2 },
}

for _, row in ipairs(rows) do
  local operation, dialect, here, there, sent, expected, said, input, output = table.unpack(row)
  flow.case("endpoints: " .. here .. " to its own API", function(t)
    local gate, up = one(t, dialect, { 200, said })
    local answer = ask(t, gate, "POST", here, { body = sent, headers = anthropic_version(here) })
    t:equal(answer.status, 200, answer.body)
    t:equal(answer.body, said, "the answer's bytes")
    t:equal(answer.headers["x-moongate-target"], "up/model-a")
    t:equal(up.requests[1].target, there, "path at the provider")
    t:equal(up.requests[1].body, expected, "the request's bytes")
    t:equal(up.requests[1].headers["content-type"], "application/json")
    local record = t:trace(gate, answer.headers["x-request-id"])
    t:equal(record.operation, operation)
    t:equal(record.dialect, dialect)
    t:equal(record.model, "model-a")
    if input then t:equal(record.input_tokens, input, "input tokens") end
    if output then t:equal(record.output_tokens, output, "output tokens") end
    if not input then t:equal(record.usage_source, "estimated") end
  end)
  flow.case("endpoints: " .. here .. " keeps the provider's error and its own checks", function(t)
    local gate, up = one(t, dialect, { 422, '{"error":{"message":"no","type":"x"},"message":"no"}' })
    local answer = ask(t, gate, "POST", here, { body = sent, headers = anthropic_version(here) })
    t:equal(answer.status, 422)
    t:equal(answer.body, '{"error":{"message":"no","type":"x"},"message":"no"}')
    t:equal(ask(t, gate, "POST", here, { body = "{", headers = anthropic_version(here) }).status, 400)
    t:equal(ask(t, gate, "POST", here, { body = sent, key = "x-api-key: wrong",
      headers = anthropic_version(here) }).status, 401)
    t:equal(ask(t, gate, "GET", here, { headers = anthropic_version(here) }).status, 405)
    t:equal(#up.requests, 1, "requests that reached the provider")
  end)
end

local function form(boundary, fields)
  local out = {}
  for _, field in ipairs(fields) do
    local name, value, file = table.unpack(field)
    out[#out + 1] = ('--%s\r\ncontent-disposition: form-data; name="%s"%s\r\n%s\r\n%s\r\n'):format(boundary, name,
      file and ('; filename="%s"'):format(file) or "", file and "content-type: audio/wav\r\n" or "", value)
  end
  return table.concat(out) .. ("--%s--\r\n"):format(boundary)
end

for _, path in ipairs { "/audio/transcriptions", "/audio/translations", "/images/edits", "/images/variations" } do
  flow.case("endpoints: /v1" .. path .. " has the model of its form replaced", function(t)
    local gate, up = one(t, "openai.chat", { 200, '{"text":"hello","usage":{"type":"duration","seconds":3}}' })
    local sound = ("RIFF\0\r\n--x\r\n model "):rep(2000)
    local function body(model)
      return form("=x:y", { { "file", sound, "a.wav" }, { "model", model }, { "prompt", "model" } })
    end
    local type_line = 'content-type: multipart/form-data; boundary="=x:y"'
    local answer = ask(t, gate, "POST", "/v1" .. path, { body = body "r", headers = { type_line } })
    t:equal(answer.status, 200, answer.body)
    t:equal(up.requests[1].target, "/v1" .. path)
    t:check(up.requests[1].body == body "model-a", "the form with the provider's model, else byte for byte")
    t:equal("content-type: " .. up.requests[1].headers["content-type"], type_line)
    local cut = ask(t, gate, "POST", "/v1" .. path, { body = body("r"):sub(1, -8), headers = { type_line } })
    t:equal(cut.status, 400)
    t:match(cut.body, "bad_form")
    t:equal(ask(t, gate, "POST", "/v1" .. path, { body = "{}" }).status, 415)
    t:equal(#up.requests, 1)
  end)
end

flow.case("endpoints: seconds, characters, images and searches are paid by the piece", function(t)
  local said = {
    ["/v1/audio/transcriptions"] = '{"text":"a","duration":2.5}', ["/v1/audio/speech"] = "sound",
    ["/v1/images/generations"] = '{"data":[{"url":"a"},{"url":"b"}]}', ["/v1/rerank"] = '{"results":[]}',
  }
  local gate = one(t, "openai.chat", function(x)
    x:reply(200, said[x.request.target],
      { "content-type: " .. (said[x.request.target]:find "^{" and "application/json" or "audio/mpeg") })
  end, { prices = { ["up/model-a"] = { per_second = "0.0001", per_character = "0.00001", per_image = "0.04",
    per_search = "0.002" } } })
  local function cost(path, options)
    local answer = ask(t, gate, "POST", path, options)
    t:equal(answer.status, 200, answer.body)
    return t:trace(gate, answer.headers["x-request-id"]).cost_pico_usd
  end
  t:equal(cost("/v1/audio/transcriptions", { body = form("b", { { "model", "r" }, { "file", "x", "a" } }),
    headers = { "content-type: multipart/form-data; boundary=b" } }), 250000000, "2.5 seconds")
  t:equal(cost("/v1/audio/speech", { body = '{"model":"r","input":"h\\u00e9\xc3\xa9\\n"}' }), 40000000, "4 characters")
  t:equal(cost("/v1/images/generations", { body = '{"model":"r","prompt":"a"}' }), 80000000000, "2 images")
  t:equal(cost("/v1/rerank", { body = '{"model":"r","query":"a","documents":[]}' }), 2000000000, "a search")
end)

-- ---- streams ------------------------------------------------------------------------------------------------

flow.case("endpoints: a streamed completion passes on, without the usage that only the gateway asked for", function(t)
  local events = { 'data: {"choices":[{"text":"a","index":0}]}\n\n', 'data: {"choices":[{"text":"b","index":0}]}\n\n',
    'data: {"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6}}\n\n',
    "data: [DONE]\n\n" }
  local gate, up = one(t, "openai.chat", function(x) x:stream(events) end)
  local answer = ask(t, gate, "POST", "/v1/completions", { body = '{"model":"r","prompt":"a","stream":true}' })
  local asked_usage = up.requests[1].body:find("include_usage", 1, true)
  t:equal(answer.body, asked_usage and events[1] .. events[2] .. events[4] or table.concat(events))
  t:match(answer.headers["content-type"], "^text/event%-stream")
  local record = t:trace(gate, answer.headers["x-request-id"])
  t:equal(record.input_tokens, 4)
  t:equal(record.output_tokens, 2)
end)

flow.case("endpoints: sound passes on as it is made; what breaks off is cut, never mended with words", function(t)
  local sound = string.char(255, 251, 0, 13, 10):rep(20000)
  local gate = one(t, "openai.chat", function(x)
    x:reply(200, sound, { "content-type: audio/mpeg" })
  end)
  local answer = ask(t, gate, "POST", "/v1/audio/speech", { body = '{"model":"r","input":"whole"}' })
  t:check(answer.body == sound, "every byte")
  t:equal(answer.headers["content-type"], "audio/mpeg")
  t:equal(answer.headers["content-length"], tostring(#sound))
  local broken = one(t, "openai.chat", function(x)
    x.conn:send("HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ntransfer-encoding: chunked\r\n\r\n")
    x:chunk(sound)
    x.conn:close()
    x.last = true
  end)
  local cut = ask(t, broken, "POST", "/v1/audio/speech", { body = '{"model":"r","input":"a"}' })
  t:check(cut.cut, "the answer is cut")
  t:check(cut.body == sound:sub(1, #cut.body), "nothing of the gateway's own is in it")
  local record = t:trace(broken, cut.headers["x-request-id"])
  t:equal(record.outcome, "failed")
end)

-- The JSON array of Gemini, in pieces that cut everywhere.
local function in_pieces(x, type_line, text, size)
  x.conn:send("HTTP/1.1 200 OK\r\n" .. type_line .. "\r\ntransfer-encoding: chunked\r\n\r\n")
  for at = 1, #text, size do x:chunk(text:sub(at, at + size - 1)) end
  x:end_stream()
end

local array = '[{"candidates":[{"content":{"role":"model","parts":[{"text":"a]"}]}}],"modelVersion":"m",'
  .. '"responseId":"r"}\n,\r\n{"candidates":[{"content":{"role":"model","parts":[{"text":"b"}]},'
  .. '"finishReason":"STOP"}],'
  .. '"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5},"modelVersion":"m",'
  .. '"responseId":"r"}\n]\n'

for _, size in ipairs { 1, 7, 1000 } do
  flow.case("endpoints: Gemini's array of answers is passed on byte for byte, cut every " .. size, function(t)
    local gate, up = one(t, "gemini", function(x)
      in_pieces(x, "content-type: application/json; charset=UTF-8", array, size)
    end)
    local answer = ask(t, gate, "POST", "/v1beta/models/r:streamGenerateContent", { body = '{"contents":[]}' })
    t:equal(answer.body, array)
    t:match(answer.headers["content-type"], "^application/json")
    t:equal(up.requests[1].target, "/v1beta/models/model-a:streamGenerateContent")
    local record = t:trace(gate, answer.headers["x-request-id"])
    t:equal(record.input_tokens, 3)
    t:equal(record.stream, true)
    t:equal(record.outcome, "ok")
  end)
end

flow.case("endpoints: a Gemini array that breaks off ends in an error within the array", function(t)
  local gate = one(t, "gemini", function(x)
    x.conn:send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    x:chunk(array:sub(1, 120))
    x.conn:close()
    x.last = true
  end)
  local answer = ask(t, gate, "POST", "/v1beta/models/r:streamGenerateContent", { body = '{"contents":[]}' })
  local list = json.decode(answer.body)
  t:equal(#list, 2)
  t:check(list[2].error.message, "an error at the end")
end)

flow.case("endpoints: alt=sse is asked for when the client did, and the key in the query goes nowhere", function(t)
  local event = 'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"a"}]},"finishReason":"STOP"}],'
    .. '"modelVersion":"m","responseId":"r"}\r\n\r\n'
  local gate, up = one(t, "gemini", function(x) x:stream { event } end)
  local answer = ask(t, gate, "POST", "/v1beta/models/r:streamGenerateContent?alt=sse&key=" .. flow.client_key
    .. "&x=y", { body = '{"contents":[]}', key = "x-none: 1" })
  t:equal(answer.status, 200, answer.body)
  t:equal(answer.body, event)
  t:equal(up.requests[1].target, "/v1beta/models/model-a:streamGenerateContent?alt=sse")
  t:absent(up.requests[1].raw, flow.client_key, "the request at the provider")
  t:absent(json.encode(t:trace(gate, answer.headers["x-request-id"])), flow.client_key, "the record")
end)

flow.case("endpoints: names of models stay in their place", function(t)
  local gate, up = one(t, "gemini", { 200, "{}" })
  for _, name in ipairs { "a%00b", "a%0ab", "up%2F..%2F..%2Fx", "up/../x", "up/a%3Fkey=1", "up/a%23b", "up/%2E%2E",
    "up/a%252e", "up/a%5Cb", "%zz" } do
    local answer = ask(t, gate, "POST", "/v1beta/models/" .. name .. ":generateContent", { body = '{"contents":[]}' })
    t:check(answer.status == 400 or answer.status == 404, name .. " is refused: " .. answer.status)
    t:check(json.decode(answer.body).error.status, "in the client's words")
  end
  t:equal(#up.requests, 0)
  ask(t, gate, "POST", "/v1beta/models/up/a:b%2Fc:generateContent", { body = '{"contents":[]}' })
  t:equal(up.requests[1].target, "/v1beta/models/a%3Ab%2Fc:generateContent")
end)

-- ---- files, batches, raw ------------------------------------------------------------------------------------

flow.case("endpoints: files and batches go to the provider that is named, or the only one", function(t)
  local function script(name)
    return function(x)
      if x.request.target:find "/content" then
        return x:reply(200, name .. "\0\1\2", { "content-type: application/octet-stream",
          'content-disposition: attachment; filename="a"' })
      end
      x:reply(200, ('{"id":"%s"}'):format(name))
    end
  end
  local first = t:upstream { script = script "first" }
  local second = t:upstream { script = script "second" }
  local messages = t:upstream { dialect = "anthropic.messages", script = script "third" }
  local gate = t:gateway { providers = { first = t:provider(first), second = t:provider(second),
    third = t:provider(messages) }, routes = { r = { targets = { "first/m" } } } }
  t:match(ask(t, gate, "GET", "/v1/files").body, "provider_needed")
  t:match(ask(t, gate, "GET", "/v1/files", { headers = { "x-moongate-provider: third" } }).body, "provider_not_found")
  local function second_says(method, target, options)
    options = options or {}
    options.headers = options.headers or {}
    table.insert(options.headers, "x-moongate-provider: second")
    local answer = ask(t, gate, method, target, options)
    t:equal(answer.status, 200, answer.body)
    local last = second.requests[#second.requests]
    t:equal(last.method, method)
    t:equal(last.headers["x-moongate-provider"], nil)
    return answer, last
  end
  local upload = form("b", { { "purpose", "batch" }, { "file", ("{}\n"):rep(100), "a.jsonl" } })
  local answer, sent = second_says("POST", "/v1/files",
    { body = upload, headers = { "content-type: multipart/form-data; boundary=b" } })
  t:equal(answer.body, '{"id":"second"}')
  t:check(sent.body == upload, "the upload as it came")
  t:equal(sent.headers["content-type"], "multipart/form-data; boundary=b")
  local record = t:trace(gate, answer.headers["x-request-id"])
  t:equal(record.operation, "files")
  t:equal(record.provider_chosen, "second")
  answer, sent = second_says("GET", "/v1/files/file-1%2B/content?limit=2&key=" .. flow.client_key .. "&after=x")
  t:equal(sent.target, "/v1/files/file-1%2B/content?limit=2&after=x")
  t:check(answer.body == "second\0\1\2", "every byte")
  t:match(answer.headers["content-disposition"], "attachment")
  second_says("DELETE", "/v1/files/file-1")
  answer, sent = second_says("POST", "/v1/batches", { body = '{"input_file_id":"file-1"}' })
  t:equal(sent.target, "/v1/batches")
  t:equal(sent.body, '{"input_file_id":"file-1"}')
  second_says("GET", "/v1/responses/resp_1")
  t:equal(t:trace(gate, answer.headers["x-request-id"]).operation, "batches")
  for _, path in ipairs { "/v1/messages/batches", "/v1/messages/batches/b1/results", "/v1/files" } do
    answer = ask(t, gate, "GET", path, { headers = { "anthropic-version: 2023-06-01" } })
    t:equal(answer.body, '{"id":"third"}', path)
    t:equal(messages.requests[#messages.requests].target, path)
  end
  t:equal(ask(t, gate, "GET", "/v1/files/../models", { headers = { "x-moongate-provider: second" } }).status, 400)
  t:equal(#first.requests, 0)
end)

flow.case("endpoints: /providers/NAME/ passes anything on, with the provider's key", function(t)
  local gate, up = one(t, "openai.chat", function(x)
    if x.request.method == "HEAD" then return x.conn:send "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n" end
    x:reply(201, '{"model":"m","usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}',
      { "x-own: 1", "set-cookie: a=b", "x-drop: 1", "connection: x-drop" })
  end, { prices = { ["up/m"] = { input = "1", output = "2" } } })
  local answer = ask(t, gate, "PATCH", "/providers/up/some/thing%20new?a=b&key=" .. flow.client_key .. "&c", {
    body = '{"model":"m"}', headers = { "x-custom: 1", "cookie: a=b", "te: trailers", "connection: x-hop", "x-hop: 1",
      "x-forwarded-for: 1.2.3.4", "content-type: application/vnd.own+json" } })
  local got = up.requests[1]
  t:equal(answer.status, 201)
  t:equal(got.method, "PATCH")
  t:equal(got.target, "/v1/some/thing%20new?a=b&c")
  t:equal(got.headers.authorization, "Bearer " .. up.key)
  t:equal(got.headers["x-custom"], "1")
  t:equal(got.headers["content-type"], "application/vnd.own+json")
  for _, name in ipairs { "cookie", "te", "x-hop", "x-forwarded-for", "x-api-key" } do
    t:equal(got.headers[name], nil, name)
  end
  t:absent(got.raw, flow.client_key)
  t:equal(answer.headers["x-own"], "1")
  for _, name in ipairs { "set-cookie", "x-drop" } do t:equal(answer.headers[name], nil, name) end
  local record = t:trace(gate, answer.headers["x-request-id"])
  t:equal(record.operation, "raw")
  t:equal(record.model, "m")
  t:equal(record.input_tokens, 3)
  t:equal(record.cost_pico_usd, 11000000)
  t:equal(ask(t, gate, "HEAD", "/providers/up/x").status, 200)
  t:equal(ask(t, gate, "GET", "/providers/nobody/x").status, 404)
  local count = #up.requests
  for _, path in ipairs { "../x", "a/../../x", "a/%2e%2e/x", "a/.%2E/x", "a/%252e%252e/x", "..%2fx", "a%2f..%2fx",
    "..%5cx", ".", "a/%00", "a/%zz" } do
    local refused = ask(t, gate, "GET", "/providers/up/" .. path)
    t:equal(refused.status, 400, path)
  end
  t:equal(#up.requests, count, "requests that reached the provider")
end)

flow.case("endpoints: a raw stream passes on as it comes, and is metered", function(t)
  local events = { 'data: {"choices":[{"delta":{"content":"a"}}]}\n\n',
    'data: {"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6}}\n\n',
    "data: [DONE]\n\n" }
  local gate = one(t, "openai.chat", function(x) x:stream(events, 0.05) end)
  local answer = ask(t, gate, "POST", "/providers/up/chat/completions", { body = '{"model":"m","stream":true}' })
  t:equal(answer.body, table.concat(events))
  local record = t:trace(gate, answer.headers["x-request-id"])
  t:equal(record.input_tokens, 4)
  t:equal(record.output_tokens, 2)
  t:equal(record.outcome, "ok")
end)

flow.case("endpoints: a key for some models reaches what names none only with NAME/*", function(t)
  local narrow, wide = "mg-canary7Q-narrow-0123456789", "mg-canary7Q-wide-0123456789ab"
  local gate, up = one(t, "openai.chat", { 200, "{}" }, { keys = {
    { name = "narrow", key = narrow, models = { "up/m", "r" } }, { name = "wide", key = wide, models = { "up/*" } } } })
  local function with(key, method, target, body)
    return ask(t, gate, method, target, { key = "authorization: Bearer " .. key, body = body }).status
  end
  t:equal(with(narrow, "GET", "/providers/up/models"), 403)
  t:equal(with(narrow, "GET", "/v1/files"), 404)
  t:equal(with(narrow, "POST", "/v1/embeddings", '{"model":"up/other","input":"a"}'), 403)
  t:equal(#up.requests, 0)
  t:equal(with(narrow, "POST", "/v1/embeddings", '{"model":"up/m","input":"a"}'), 200)
  t:equal(with(wide, "GET", "/providers/up/models"), 200)
  t:equal(with(wide, "GET", "/v1/files"), 200)
  t:equal(with(wide, "POST", "/v1/embeddings", '{"model":"up/other","input":"a"}'), 200)
  t:equal(with(wide, "POST", "/v1/embeddings", '{"model":"r","input":"a"}'), 403)
end)

-- ---- models -------------------------------------------------------------------------------------------------

flow.case("endpoints: models in each API's own shape", function(t)
  local gate = one(t, "openai.chat", { 200, "{}" })
  local function list(target, headers) return json.decode(ask(t, gate, "GET", target, { headers = headers }).body) end
  t:equal(list("/v1/models").data[1].id, "r")
  t:equal(list("/v1/models", { "anthropic-version: 2023-06-01" }).data[1].type, "model")
  t:equal(list("/v1/models", { "x-goog-api-key: " .. flow.client_key }).models[1].name, "models/r")
  local gemini = list "/v1beta/models"
  t:equal(gemini.models[1].name, "models/r")
  t:equal(gemini.models[2].name, "models/up/model-a")
  t:equal(list("/v1beta/models/up/model-a").name, "models/up/model-a")
  t:equal(list("/foundation-models").modelSummaries[1].modelId, "r")
  t:equal(list("/foundation-models/r").modelDetails.modelId, "r")
  t:equal(list("/v1beta/models/none").error.status, "NOT_FOUND")
  t:equal(list("/v1/models/up%2Fmodel-a").id, "up/model-a")
end)

-- ---- translated ---------------------------------------------------------------------------------------------

flow.case("endpoints: embeddings and rerank are translated, the rest is refused by name", function(t)
  local gate, up = one(t, "cohere.chat", function(x)
    if x.request.target:find "rerank" then
      return x:reply(200, '{"id":"1","results":[{"index":1,"relevance_score":0.9}],"meta":{"billed_units":'
        .. '{"search_units":1}}}')
    end
    x:reply(200, '{"id":"1","embeddings":{"float":[[0.25,-1],[0.5,1]]},"texts":["a","b"],"meta":{"billed_units":'
      .. '{"input_tokens":2}}}')
  end)
  local answer = ask(t, gate, "POST", "/v1/embeddings", { body = '{"model":"r","input":["a","b"]}' })
  t:equal(answer.status, 200, answer.body)
  local body = json.decode(answer.body)
  t:equal(up.requests[1].target, "/v2/embed")
  t:equal(json.decode(up.requests[1].body).model, "model-a")
  t:equal(#body.data, 2)
  t:equal(body.data[2].embedding[1], 0.5)
  local record = t:trace(gate, answer.headers["x-request-id"])
  t:equal(record.input_tokens, 2)
  t:equal(record.operation, "embeddings")
  answer = ask(t, gate, "POST", "/v1/rerank", { body = '{"model":"r","query":"q","documents":["a","b"]}' })
  t:equal(answer.status, 200, answer.body)
  t:equal(json.decode(answer.body).results[1].index, 1)
  local count = #up.requests
  answer = ask(t, gate, "POST", "/v1/moderations", { body = '{"model":"r","input":"a"}' })
  t:equal(answer.status, 400)
  t:match(answer.body, "moderations")
  answer = ask(t, gate, "POST", "/v1/embeddings", { body = '{"model":"r","input":[[1,2]]}' })
  t:equal(answer.status, 400, answer.body)
  t:equal(#up.requests, count)
end)

flow.case("endpoints: strict refuses what a translation would lose, by route or by header", function(t)
  local up = t:upstream { dialect = "anthropic.messages" }
  local gate = t:gateway { providers = { up = t:provider(up) },
    routes = { r = { targets = { "up/m" } }, strict = { targets = { "up/m" }, strict = true } } }
  local lossy = { logit_bias = { ["1"] = 2 }, max_tokens = 9 }
  local answer = t:chat(gate, "r", { fields = lossy })
  t:equal(answer.status, 200)
  t:match(answer.headers["x-moongate-lossy"], "logit_bias")
  local count = #up.requests
  for _, refused in ipairs { t:chat(gate, "strict", { fields = lossy }),
    t:chat(gate, "r", { fields = lossy, headers = { "x-moongate-strict: true" } }) } do
    t:equal(refused.status, 400)
    local fault = json.decode(refused.body).error
    t:equal(fault.code, "fields_not_carried")
    t:equal(fault.param, "logit_bias")
    t:match(fault.message, "logit_bias")
  end
  t:equal(#up.requests, count, "nothing was sent")
  t:equal(t:chat(gate, "strict", { fields = { max_tokens = 9 } }).status, 200, "what loses nothing")
end)

flow.case("endpoints: embeddings between the other APIs, one text and several", function(t)
  local answers = {
    ["openai.chat"] = '{"object":"list","data":[{"index":0,"embedding":[0.5,1]}],"usage":{"prompt_tokens":3,'
      .. '"total_tokens":3}}',
    ["gemini"] = '{"embeddings":[{"values":[0.5,1]}]}',
    ["bedrock.converse"] = '{"embedding":[0.5,1],"inputTextTokenCount":3}',
  }
  local paths = { ["openai.chat"] = "/v1/embeddings", ["gemini"] = "/v1beta/models/model-a:batchEmbedContents",
    ["bedrock.converse"] = "/model/amazon.titan-embed-text-v2%3A0/invoke" }
  local function first_of(body)
    if body.embedding then return body.embedding.values[1] end
    if body.data then return body.data[1].embedding[1] end
    local list = body.embeddings.float or body.embeddings
    return list[1].values and list[1].values[1] or list[1][1]
  end
  local clients = {
    { "openai.chat", "/v1/embeddings", '{"model":"r","input":"a"}' },
    { "gemini", "/v1beta/models/r:embedContent", '{"content":{"parts":[{"text":"a"}]}}' },
    { "gemini", "/v1beta/models/r:batchEmbedContents",
      '{"requests":[{"model":"models/r","content":{"parts":[{"text":"a"}]}}]}' },
    { "cohere.chat", "/v2/embed",
      '{"model":"r","texts":["a"],"input_type":"search_document","embedding_types":["float"]}' },
  }
  for dialect, said in pairs(answers) do
    local model = dialect == "bedrock.converse" and "amazon.titan-embed-text-v2:0" or "model-a"
    local gate, up = one(t, dialect, { 200, said }, { routes = { r = { targets = { "up/" .. model } } } })
    for _, client in ipairs(clients) do
      if client[1] ~= dialect then
        local answer = ask(t, gate, "POST", client[2], { body = client[3] })
        t:equal(answer.status, 200, client[2] .. " to " .. dialect .. ": " .. answer.body)
        t:equal(first_of(json.decode(answer.body)), 0.5, client[2] .. " from " .. dialect)
        t:equal(up.requests[#up.requests].target, paths[dialect])
        local record = t:trace(gate, answer.headers["x-request-id"])
        t:equal(record.usage_source, dialect == "gemini" and "estimated" or "provider")
      end
    end
  end
end)

flow.case("endpoints: a provider's error reaches the client of another API in its words", function(t)
  local gate = one(t, "cohere.chat", { 429, '{"message":"slow down"}' })
  local answer = ask(t, gate, "POST", "/v1/embeddings", { body = '{"model":"r","input":"a"}' })
  t:equal(answer.status, 429)
  t:equal(json.decode(answer.body).error.message, "slow down")
  answer = ask(t, gate, "POST", "/v1beta/models/r:embedContent", { body = '{"content":{"parts":[{"text":"a"}]}}' })
  t:equal(answer.status, 429)
  t:equal(json.decode(answer.body).error.status, "RESOURCE_EXHAUSTED")
  local broken = one(t, "cohere.chat", { 200, '{"id":"1"}' })
  answer = ask(t, broken, "POST", "/v1/embeddings", { body = '{"model":"r","input":"a"}' })
  t:check(answer.status >= 500, "an answer that is none: " .. answer.status)
end)
