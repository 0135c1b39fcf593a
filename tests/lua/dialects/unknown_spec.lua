-- Fields of providers' answers that no reader knows: each is listed as a loss, by its path. What providers tell of
-- their own work is not, nor what says nothing.

local load = dofile("tests/lua/dialects/load.lua")
local recorded = require("tests.lua.recorded")
local json = load.gw.json

local dialects = {
  ["openai.chat"] = load.chat, ["anthropic.messages"] = load.messages,
  ["openai.responses"] = load.file("adapters/dialects/openai_responses.lua"),
  gemini = load.file("adapters/dialects/gemini.lua"),
  ["cohere.chat"] = load.file("adapters/dialects/cohere_chat.lua"),
  ["bedrock.converse"] = load.file("adapters/dialects/bedrock_converse.lua"),
}

-- NEW is where a new field comes in; the losses then, in their order.
local rows = {
  ["openai.chat"] = {
    [[{"id":"c","object":"chat.completion","created":1,"model":"m",NEW"choices":[{"index":0,NEW"message":{NEW
    "role":"assistant","content":[{"type":"text",NEW"text":"hi"}]},"finish_reason":"stop"}],"service_tier":"default",
    "usage":{"prompt_tokens":1,"completion_tokens":1},"system_fingerprint":"fp","provider":"p","x_groq":{"id":"r"}}]],
    "new", "choices[].new", "choices[].message.new", "choices[].message.content[].new" },
  ["anthropic.messages"] = {
    [[{"id":"c","type":"message","role":"assistant","model":"m",NEW"content":[{NEW"type":"text","text":"hi"},
    {"type":"thinking",NEW"thinking":"h","signature":"U"},{"type":"tool_use",NEW"id":"t","name":"f","input":{"new":1},
    "caller":{"type":"direct"}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}]],
    "new", "content[].new" },
  ["openai.responses"] = {
    [[{"id":"resp_c","object":"response","created_at":1,"status":"completed","model":"m",NEW"output":[{"type":"message",
    "id":"msg_1","role":"assistant","status":"completed",NEW"content":[{NEW"type":"output_text","text":"hi",
    "annotations":[]}]},{"type":"reasoning",NEW"id":"rs_1","summary":[]}],"usage":{"input_tokens":1,"output_tokens":1},
    "temperature":1,"tools":[{"type":"web_search"}],"billing":{"payer":"developer"}}]],
    "new", "output[].new", "output[].content[].new" },
  gemini = {
    [[{NEW"candidates":[{NEW"content":{NEW"role":"model","parts":[{NEW"text":"hi"},{"functionCall":{"name":"f",
    "args":{"new":1}},NEW"thoughtSignature":"c2ln"}]},"finishReason":"STOP","avgLogprobs":-1}],"createTime":"2026",
    "usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1},"modelVersion":"m"}]],
    "new", "candidates[].new", "candidates[].content.new", "candidates[].content.parts[].new" },
  ["cohere.chat"] = {
    [[{"id":"c",NEW"message":{NEW"role":"assistant","content":[{NEW"type":"text","text":"hi"}]},
    "finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":1,"output_tokens":1}}}]],
    "new", "message.new", "message.content[].new" },
  ["bedrock.converse"] = {
    [[{NEW"output":{NEW"message":{NEW"role":"assistant","content":[{NEW"text":"hi"},{NEW"toolUse":{"toolUseId":"t",
    "name":"f","input":{"new":1}}}]}},"stopReason":"tool_use","usage":{"inputTokens":1,"outputTokens":1},
    "metrics":{"latencyMs":1}}]],
    "new", "output.new", "output.message.new", "output.message.content[].new" },
}

-- The client's answer and what was lost on the way.
local protocols = { ["gemini.generateContent"] = "gemini", ["cohere.v2.chat"] = "cohere.chat" }

local function dialect_of(protocol) return dialects[protocols[protocol] or protocol] end

local function told(provider, body)
  local client = provider == "anthropic.messages" and "openai.chat" or "anthropic.messages"
  local hop = load.translate.hop(dialects[client], dialects[provider], nil, { model = "m", provider = "p",
    quirks = {} }, { model = "alias", id = "msg_1", created = 1, losses = {} })
  local status, text = load.translate.response(hop, 200, body)
  assert.equal(200, status, text)
  text = text:gsub('"id":"[%w_]*"', '"id":""')
  return text, hop.asked.losses
end

for provider, row in pairs(rows) do
  describe("an answer of " .. provider, function()
    local function body(new) return (row[1]:gsub("NEW", new)) end

    it("loses fields that nobody knows, by their path", function()
      for _, new in ipairs { '"new":1,', '"new":{"a":[]},', '"new":"x",', '"new":true,' } do
        local _, losses = told(provider, body(new))
        assert.same({ table.unpack(row, 2) }, losses)
      end
    end)

    it("loses nothing where such a field says nothing, and tells the client the same", function()
      local plain, none = told(provider, body "")
      assert.same({}, none)
      for _, new in ipairs { '"new":null,', '"new":false,', '"new":"",', '"new":[],', '"new":{},', '"new":1,' } do
        local text, losses = told(provider, body(new))
        assert.same(json.decode(plain), json.decode(text))
        if new ~= '"new":1,' then assert.same({}, losses) end
      end
    end)
  end)
end

-- What recorded answers lose of their fields: all of it says something that a client of theirs may want.
local expected = {}
for _, name in ipairs { "citations", "search_results", "choices[].message.executed_tools", "container", "trace",
  "performanceConfig", "candidates[].safetyRatings", "candidates[].urlContextMetadata",
  "groundingMetadata.searchEntryPoint", "groundingMetadata.webSearchQueries" } do
  expected[name] = true
end

describe("a recorded answer", function()
  local count = 0
  for _, exchange in ipairs(recorded.exchanges(function(protocol) return dialect_of(protocol) ~= nil end)) do
    local D, text = dialect_of(exchange.protocol), exchange.response_body
    local body = type(text) == "string" and json.decode(text, { raw = D.raw_keys })
    if exchange.status == 200 and type(body) == "table" and not json.is_array(body) then
      count = count + 1
      it(exchange.id .. " loses only what is known", function()
        local losses = {}
        D.response_to_normal(body, losses, { model = exchange.model })
        for _, name in ipairs(losses) do assert.is_true(expected[name] == true, name) end
      end)
    end
  end

  it("was there", recorded.counted(count, 200))
end)
