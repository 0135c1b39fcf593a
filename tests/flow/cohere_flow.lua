-- Cohere's API through the whole gateway, both sides of it: chat byte for byte, billed units, paths, faults inside a
-- stream; embeddings and rerank between the shapes of all providers, with vectors compared bit by bit.
local flow = require "flow"
local json = require "cjson"

local usage = '{"billed_units":{"input_tokens":3,"output_tokens":5},"tokens":{"input_tokens":503,"output_tokens":9},'
  .. '"cached_tokens":480}'
local whole = '{"id":"c-1","message":{"role":"assistant","content":[{"type":"text","text":"hi"}]},'
  .. '"finish_reason":"COMPLETE","usage":' .. usage .. ',"x_unknown":[1, 2.50]}'

local function named(name, rest) return "event: " .. name .. '\ndata: {"type":"' .. name .. '"' .. rest .. "}\n\n" end

local events = {
  named("message-start", ',"id":"c-1","delta":{"message":{"role":"assistant","content":[],"tool_plan":"",'
    .. '"tool_calls":[],"citations":[]}}'),
  named("content-start", ',"index":0,"delta":{"message":{"content":{"type":"text","text":""}}}'),
  named("content-delta", ',"index":0,"delta":{"message":{"content":{"text":"hi"}}},"x_unknown":1'),
  named("content-end", ',"index":0'),
  named("message-end", ',"delta":{"finish_reason":"COMPLETE","usage":' .. usage .. "}"),
  "data: [DONE]\n\n",
}

-- A provider of a dialect; the script answers by the path that it was asked at.
local function setup(t, dialect, root, model, script)
  local up = t:upstream { script = script }
  local provider = t:provider(up, { adapter = "openai-compatible", dialect = dialect, base_url = up.url .. root })
  local gate = t:gateway { unknown_price = "estimate", providers = { up = provider },
    routes = { r = { targets = { "up/" .. model } } } }
  return gate, up
end

local function serve_chat(x)
  if x:json().stream then return x:stream(events) end
  return x:reply(200, whole)
end

local function ask(t, gate, path, body)
  return t:chat(gate, "r", { target = path, body = type(body) == "string" and body or json.encode(body) })
end

local question = { { role = "user", content = "hi" } }

flow.case("cohere: a hop between Cohere and Cohere keeps every byte but the model's name, and bills billed units",
  function(t)
    local gate, up = setup(t, "cohere.chat", "/v2", "command-x", serve_chat)
    local body = '{"model":"r", "stream": true,"messages":[{"role":"user","content":"hi"}],"x_unknown":{"a":1.50}}'
    local answer = ask(t, gate, "/v2/chat", body)
    t:equal(answer.status, 200)
    t:equal(answer.body, table.concat(events))
    t:equal(up.requests[1].target, "/v2/chat")
    t:equal(up.requests[1].body, (body:gsub('"r"', '"command-x"')))
    local record = t:trace(gate, answer.headers["x-request-id"])
    t:equal(record.input_tokens, 3)
    t:equal(record.output_tokens, 5)
    t:equal(record.cache_read_tokens, 0)
    t:equal(record.finish_reason, "stop")
    t:equal(ask(t, gate, "/v2/chat", { model = "r", messages = question }).body, whole)
  end)

flow.case("cohere: a Chat client is told the tokens; a Cohere client of a Chat provider is served in kind", function(t)
  local gate, up = setup(t, "cohere.chat", "/v2", "command-x", serve_chat)
  local told = json.decode(t:chat(gate, "r").body)
  t:equal(told.choices[1].message.content, "hi")
  t:equal(told.usage.prompt_tokens, 503)
  t:equal(told.usage.prompt_tokens_details.cached_tokens, 480)
  t:equal(t:text(t:chat_stream(gate, "r")), "hi")
  t:equal(up.requests[2].target, "/v2/chat")
  local other = t:simple { script = "hi there" }
  local answer = ask(t, other, "/v2/chat", { model = "r", stream = true, messages = question })
  t:match(answer.body, "event: message%-start.*event: content%-start.*event: content%-delta.*event: content%-end.*"
    .. "event: message%-end.*data: %[DONE%]\n\n$")
  t:match(answer.body, '"tokens":{"input_tokens":11,"output_tokens":7}')
end)

flow.case("cohere: a fault before content is an answer, one after it is message-end with the error", function(t)
  local broken = { events[1], events[2], events[3] }
  local gate = setup(t, "cohere.chat", "/v2", "command-x", function(x)
    local keep = x:json().k or 3
    x:start_stream()
    for i = 1, keep do x:chunk(broken[i]) end
    x:end_stream()
  end)
  local late = ask(t, gate, "/v2/chat", { model = "r", stream = true, messages = question })
  t:equal(late.status, 200)
  t:match(late.body, 'event: message%-end\ndata: {"type":"message%-end","id":"req_[^"]+","delta":{"error":"[^"]+",'
    .. '"finish_reason":"ERROR"}}\n\n$')
  t:absent(late.body, "[DONE]")
  local early = ask(t, gate, "/v2/chat", { model = "r", stream = true, k = 2, messages = question })
  t:equal(early.status, 502)
  t:match(json.decode(early.body).message, "without content")
  local refused = ask(t, gate, "/v2/chat", { model = "r", messages = 3 })
  t:equal(refused.status, 400)
  t:match(json.decode(refused.body).message, "messages")
end)

-- Numbers as providers write them; each is a 32-bit float, so that base64 of it reads back as the same.
local vector, base64 = "[0.5, -2.25,1.0e-1]", "AAAAPwAAEMDNzMw9"
local values = { 0.5, -2.25, 0.1 }

local shapes = {
  { dialect = "openai.chat", root = "/v1", model = "m", path = "/v1/embeddings",
    answer = '{"object":"list","data":[{"object":"embedding","index":0,"embedding":' .. vector
      .. '}],"model":"m","usage":{"prompt_tokens":4,"total_tokens":4}}',
    sent = function(body) return body.input[1] or body.input end },
  { dialect = "cohere.chat", root = "/v2", model = "m", path = "/v2/embed",
    answer = '{"id":"e-1","embeddings":{"float":[' .. vector .. ']},"texts":["one"],"meta":{"billed_units":'
      .. '{"input_tokens":4}},"response_type":"embeddings_by_type"}',
    sent = function(body) return body.texts[1] end },
  { dialect = "gemini", root = "/v1beta", model = "m", path = "/v1beta/models/m:batchEmbedContents",
    answer = '{"embeddings":[{"values":' .. vector .. '}],"usageMetadata":{"promptTokenCount":4}}',
    sent = function(body) return body.requests[1].content.parts[1].text end },
  { dialect = "bedrock.converse", root = "", model = "amazon.titan-embed-text-v2:0",
    path = "/model/amazon.titan-embed-text-v2%3A0/invoke",
    answer = '{"embedding":' .. vector .. ',"inputTextTokenCount":4}',
    sent = function(body) return body.inputText end },
}

local clients = {
  { dialect = "openai.chat", path = "/v1/embeddings", body = { model = "r", input = "one" },
    numbers = function(body) return body.data[1].embedding end, tokens = function(b) return b.usage.total_tokens end },
  { dialect = "cohere.chat", path = "/v2/embed", body = { model = "r", texts = { "one" },
    input_type = "search_document", embedding_types = { "float" } },
    numbers = function(body) return body.embeddings.float[1] end,
    tokens = function(b) return b.meta.billed_units.input_tokens end },
  { dialect = "gemini", path = "/v1beta/models/r:embedContent", body = { content = { parts = { { text = "one" } } } },
    numbers = function(body) return body.embedding.values end,
    tokens = function(b) return b.usageMetadata.promptTokenCount end },
}

for _, shape in ipairs(shapes) do
  flow.case("TR-94 embeddings: every client reads the vector of a provider of " .. shape.dialect, function(t)
    local gate, up = setup(t, shape.dialect, shape.root, shape.model, function(x) x:reply(200, shape.answer) end)
    for _, client in ipairs(clients) do
      if client.dialect ~= "gemini" or shape.dialect ~= "gemini" then
        local answer = ask(t, gate, client.path, client.body)
        t:equal(answer.status, 200, client.path .. ": " .. answer.body)
        local told = json.decode(answer.body)
        t:equal(json.encode(client.numbers(told)), json.encode(values))
        -- Text of numbers is passed on as it came.
        t:check(answer.body:find(vector, 1, true), "the numbers as they were written")
        t:equal(client.tokens(told), 4)
        local request = up.requests[#up.requests]
        t:equal(request.target, shape.path)
        t:equal(shape.sent(json.decode(request.body)), "one")
        t:equal(t:trace(gate, answer.headers["x-request-id"]).input_tokens, 4)
      end
    end
    if shape.dialect ~= "openai.chat" then
      local coded = ask(t, gate, "/v1/embeddings", { model = "r", input = "one", encoding_format = "base64" })
      t:equal(json.decode(coded.body).data[1].embedding, base64)
    end
  end)
end

flow.case("TR-94 embeddings: what a provider cannot take is refused and not sent", function(t)
  local titan = shapes[4]
  local gate, up = setup(t, titan.dialect, titan.root, titan.model, function(x) x:reply(200, titan.answer) end)
  local two = ask(t, gate, "/v1/embeddings", { model = "r", input = { "one", "two" } })
  t:equal(two.status, 400)
  t:equal(json.decode(two.body).error.param, "input[1]")
  local tokens = ask(t, gate, "/v1/embeddings", { model = "r", input = { 1, 2 } })
  t:equal(tokens.status, 400)
  t:match(json.decode(tokens.body).error.message, "token ids")
  t:equal(#up.requests, 0)
end)

flow.case("rerank: Cohere's and Jina's shapes for clients of either", function(t)
  local answers = {
    ["cohere.chat"] = { root = "/v2", path = "/v2/rerank", text = '{"id":"r-1","results":[{"index":1,'
      .. '"relevance_score":0.999071}],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}}' },
    ["openai.chat"] = { root = "/v1", path = "/v1/rerank", text = '{"model":"m","results":[{"index":1,'
      .. '"relevance_score":0.999071}],"usage":{"total_tokens":9}}' },
  }
  for dialect, provider in pairs(answers) do
    local gate, up = setup(t, dialect, provider.root, "m", function(x) x:reply(200, provider.text) end)
    for _, path in ipairs { "/v2/rerank", "/v1/rerank" } do
      local answer = ask(t, gate, path, { model = "r", query = "q", documents = { "a", "b" }, top_n = 1 })
      t:equal(answer.status, 200, path .. ": " .. answer.body)
      local told = json.decode(answer.body)
      t:equal(told.results[1].index, 1)
      t:equal(told.results[1].relevance_score, 0.999071)
      t:equal(up.requests[#up.requests].target, provider.path)
      t:equal(json.decode(up.requests[#up.requests].body).model, "m")
    end
  end
end)
