-- Fields that take a string or something else: a value that is neither is refused with both said, by every reader.

local load = dofile("tests/lua/dialects/load.lua")
local json = load.gw.json

local dialects = {
  chat = load.chat, claude = load.messages, responses = load.file("adapters/dialects/openai_responses.lua"),
  cohere = load.file("adapters/dialects/cohere_chat.lua"),
}

-- What is sent for NEITHER, and how it is called.
local neither = { { "7", "a number" }, { "false", "a boolean" } }

local user = '{"model":"m","max_tokens":9,"messages":[{"role":"user","content":%s}]}'
local asks = '{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"}],%s}'

-- client, provider, body, the field at fault, what it may be beside a string, the operation where it is no chat;
-- untold: its bytes are kept raw, so that what it is instead is not said
local rows = {
  { "responses", "chat", '{"model":"m","input":NEITHER}', "input", "an array" },
  { "responses", "chat", '{"model":"m","input":[{"role":"user","content":NEITHER}]}', "input[0].content", "an array" },
  { "responses", "claude", '{"model":"m","input":[{"role":"assistant","content":NEITHER}]}', "input[0].content",
    "an array" },
  { "responses", "chat", '{"model":"m","input":[{"type":"function_call_output","call_id":"c","output":NEITHER}]}',
    "input[0].output", "an array" },
  { "responses", "chat", '{"model":"m","input":"a","tool_choice":NEITHER}', "tool_choice", "an object" },
  { "chat", "claude", user:format("NEITHER"), "messages[0].content", "an array" },
  { "chat", "claude", '{"model":"m","messages":[{"role":"tool","tool_call_id":"c","content":NEITHER}]}',
    "messages[0].content", "an array" },
  { "chat", "claude", user:format('[{"type":"image_url","image_url":NEITHER}]'), "messages[0].content[0].image_url",
    "an object" },
  { "chat", "claude", user:format('[{"type":"thinking","thinking":NEITHER}]'), "messages[0].content[0].thinking",
    "an array" },
  { "chat", "claude", user:format('[{"type":"input_audio","input_audio":NEITHER}]'),
    "messages[0].content[0].input_audio", "an object" },
  { "chat", "claude", asks:format('"stop":NEITHER'), "stop", "an array" },
  { "chat", "claude", asks:format('"tool_choice":NEITHER'), "tool_choice", "an object" },
  { "claude", "chat", user:format("NEITHER"), "messages[0].content", "an array" },
  { "claude", "chat", asks:format('"system":NEITHER'), "system", "an array" },
  { "claude", "chat", user:format('[{"type":"tool_result","tool_use_id":"t","content":NEITHER}]'),
    "messages[0].content[0].content", "an array" },
  { "claude", "chat", user:format('[{"type":"document","source":{"type":"content","content":NEITHER}}]'),
    "messages[0].content[0].source.content", "an array" },
  { "cohere", "chat", user:format("NEITHER"), "messages[0].content", "an array" },
  { "cohere", "chat", user:format('[{"type":"image_url","image_url":NEITHER}]'), "messages[0].content[0].image_url",
    "an object" },
  { "cohere", "chat", asks:format('"documents":[NEITHER]'), "documents[0]", "an object" },
  { "cohere", "chat", asks:format('"documents":[{"data":NEITHER}]'), "documents[0].data", "an object", untold = true },
  { "chat", "cohere", '{"model":"m","input":NEITHER}', "input", "an array", "embeddings" },
  { "chat", "cohere", '{"model":"m","input":[[1],NEITHER]}', "input[1]", "an array", "embeddings" },
  { "chat", "cohere", '{"model":"m","query":"q","documents":[NEITHER]}', "documents[0]", "an object", "rerank" },
}

local function refusal(row, body)
  local ok, err = pcall(load.request, dialects[row[1]], dialects[row[2]], nil,
    { model = "m", provider = "p", quirks = {} }, { operation = row[6] }, nil, body)
  assert(not ok and type(err) == "table", body)
  return err
end

describe("a field that takes a string or something else", function()
  for _, row in ipairs(rows) do
    it(row[1] .. " " .. row[4], function()
      for _, kind in ipairs(neither) do
        local err = refusal(row, (row[3]:gsub("NEITHER", kind[1])))
        assert.equal(row[4], err.field)
        assert.equal("must be a string or " .. row[5] .. (row.untold and "" or ", not " .. kind[2]), err.message)
      end
    end)
  end

  it("is missing where an answer to a call, or an item, has none", function()
    for _, body in ipairs { '{"model":"m","input":[{"role":"user"}]}', '{"model":"m"}' } do
      local err = refusal({ "responses", "chat" }, body)
      assert.equal("is missing; it must be a string or an array", err.message)
    end
  end)

  it("is told in JSON's words for what is an object", function()
    local err = refusal({ "responses", "chat" }, json.encode { model = "m", input = { { role = "user",
      content = { type = "input_text" } } } })
    assert.equal("must be a string or an array, not an object", err.message)
  end)
end)
