-- The checkers of the order of events, tried from both sides: they take every recorded stream of their dialect (what
-- providers do otherwise is listed, with the provider and the reason), and they refuse a good stream when anything of
-- it is missing, doubled, swapped or changed. The recordings are read at run time; without them that part has nothing
-- to test and says so.

local order = dofile("tests/lua/dialects/order.lua")
local streams = dofile("tests/lua/dialects/order_streams.lua")
local frames = dofile("tests/lua/dialects/converse_frames.lua")
local recorded = dofile("tests/lua/recorded.lua")

-- By dialect: { provider, rules, why }. Everybody but OpenAI itself is compatible with Chat Completions in his own way.
local exceptions = {
  ["openai.chat"] = {
    { "avian", "id role_again", "it passes on what OpenRouter sends: another id, the role in every chunk" },
    { "azure", "empty id model object", "its first chunk has nothing but the filter's verdict on the prompt" },
    { "azure", "created_changes", "the time of each chunk" },
    { "azure", "delta role", "a chunk with only the filter's verdict on the answer has no delta" },
    { "deepseek", "usage_beside", "usage comes with the finish_reason" },
    { "doubleword", "after_finish role_again usage_beside", "the role in every chunk; usage in one of its own, with "
      .. "the finish_reason again" },
    { "gpustack", "created_changes role", "the time of each chunk; no role" },
    { "groq", "after_usage usage_again usage_beside", "usage comes with the finish_reason, and again alone" },
    { "groq", "created_changes name", "an error has a name, and its own time" },
    { "huggingface", "after_usage usage_again usage_beside", "usage comes with the finish_reason, and again alone" },
    { "llamacpp", "created_changes", "the time of each chunk" },
    { "mistral", "usage_beside", "usage comes with the finish_reason" },
    { "mistral", "text", "content is a list when the model thinks" },
    { "mistral", "usage_sum", "the tokens of audio are in the total only" },
    { "ollama", "created_changes", "the time of each chunk" },
    { "openrouter", "after_finish role_again usage_beside", "the role in every chunk; usage in one of its own, with "
      .. "the finish_reason again" },
    { "perplexity", "after_usage usage_again usage_beside role_again", "usage and role in every chunk" },
    { "perplexity", "end id object", "its steps of research have objects of their own, and no [DONE]" },
    { "snowflake", "finish id role_again", "no id, no finish_reason" },
    { "together", "role_again usage_beside", "the role in every chunk; usage comes with the finish_reason" },
    { "venice", "role_again usage_beside call_again", "the role in every chunk, id and name in every piece of a call" },
    { "vercel-gateway", "usage_beside", "usage comes with the finish_reason" },
    { "xai", "created_changes usage_sum", "the time of each chunk; thoughts are in the total only" },
    { "zai", "role_again", "the role in every chunk" },
  },
  ["openai.responses"] = {
    { "bedrock", "name", "events have no names" },
    { "bedrock", "item_id_prefix item_parts part_closed part_index part_open unknown", "thoughts in parts of their own "
      .. "kind, that end without an event; ids without a prefix" },
    { "deepseek", "item_id_prefix", "ids without a prefix" },
    { "openai", "output", "what it thought is encrypted anew each time that it is told" },
    { "openai", "item_parts", "logprobs are left out of the part that is done, and told in its item" },
    { "openrouter", "name item_open json", "events have no names, items overlap, and a [DONE] ends it" },
  },
  gemini = { { "vertex", "usage usage_sum", "usage of the first chunks says only which traffic it counts as" } },
}

local dialect_of = { ["gemini.streamGenerateContent"] = "gemini", ["cohere.v2.chat"] = "cohere.chat" }
for _, dialect in ipairs(order.dialects) do dialect_of[dialect] = dialect end
-- Of their recordings so many are streams; one of anything is a mistake in reading them.
local least = { ["openai.chat"] = 80, ["openai.responses"] = 30, ["anthropic.messages"] = 25, gemini = 20,
  ["cohere.chat"] = 6, ["bedrock.converse"] = 10 }

local function bytes_of(exchange)
  local is_text = exchange.response_body_encoding ~= "base64"
  return is_text and exchange.response_body or frames.from_base64(exchange.response_body)
end

describe("every recorded stream is well ordered", function()
  local by_dialect, used = {}, {}
  for _, exchange in ipairs(recorded.exchanges(function(protocol) return dialect_of[protocol] end)) do
    if type(exchange.stream_framing) == "string" then
      local list = by_dialect[dialect_of[exchange.protocol]] or {}
      by_dialect[dialect_of[exchange.protocol]], list[#list + 1] = list, exchange
    end
  end

  local function listed(dialect, provider, rule)
    for _, row in ipairs(exceptions[dialect] or {}) do
      if row[1] == provider and (" " .. row[2] .. " "):find(" " .. rule .. " ", 1, true) then
        used[row] = used[row] or {}
        used[row][rule] = true
        return true
      end
    end
  end

  for _, dialect in ipairs(order.dialects) do
    local list = by_dialect[dialect] or {}
    it("of " .. dialect, function()
      for _, exchange in ipairs(list) do
        for _, fault in ipairs(order.faults_of(dialect, bytes_of(exchange), exchange.stream_framing)) do
          local rule = fault.rule
          assert(listed(dialect, exchange.provider, rule), exchange.id .. ": " .. rule .. ": " .. fault.text)
        end
      end
      recorded.counted(#list, least[dialect])()
    end)

    it("of " .. dialect .. ", and each exception is one", function()
      for _, row in ipairs(#list > 0 and exceptions[dialect] or {}) do
        for rule in row[2]:gmatch("%S+") do
          assert(used[row] and used[row][rule], row[1] .. " does not break the rule " .. rule .. " any more")
        end
      end
    end)
  end
end)

-- ---- what is no good stream ---------------------------------------------------------------------------------------

-- By dialect: changes of the text of one event, as { event, pattern, replacement }.
local changes = {
  ["openai.chat"] = {
    { 1, '"role":"assistant",', "" }, { 1, '"c1"', '"c2"' }, { 2, '"m"', '"n"' }, { 2, '"index":0', '"index":1' },
    { 2, "chat.completion.chunk", "chat.completion" }, { 2, '"created":7', '"created":"7"' },
    { 3, '"content":"one"', '"content":1' }, { 3, '"content"', '"role":"assistant","content"' },
    { 3, "null}]", '"stop"}]' }, { 4, '"t1"', '""' }, { 4, '"name":"f",', "" }, { 4, '"type":"function",', "" },
    { 5, '"index":0,"function"', '"index":0,"id":"t1","function"' }, { 7, '"index":1,"id"', '"index":2,"id"' },
    { 8, '"{}"', "{}" }, { 9, '"tool_calls"}', '"tools"}' }, { 9, '"tool_calls"}', "null}" },
    { 10, '"total_tokens":7', '"total_tokens":8' }, { 10, '"prompt_tokens":3', '"prompt_tokens":-3' },
    { 10, '"completion_tokens":4,', "" }, { 6, '"1}"', '"1"' }, { 10, '"choices":%[%]', '"choices":{}' },
  },
  ["openai.responses"] = {
    { 3, '"output_index":0', '"output_index":1' }, { 3, '"rs_1"', '"msg_1"' }, { 5, '"hm"', '"h"' },
    { 6, '"hm"', '"hmm"' }, { 7, '"hm"', '""' }, { 8, '"hm"', '"h"' }, { 9, '"msg_1"', '"rs_1"' },
    { 10, "output_text", "refusal" }, { 11, '"content_index":0', '"content_index":1' }, { 12, '"two"', "2" },
    { 13, '"annotation_index":0', '"annotation_index":1' }, { 13, '"u"', '"v"' }, { 14, "one two", "two one" },
    { 15, '"annotations":.*%]', '"annotations":[]' }, { 16, '"completed"', '"in_progress"' },
    { 17, '"call_id":"t1",', "" }, { 18, '"item_id":"fc_1"', '"item_id":"fc_2"' }, { 19, '"{}"', '"[]"' },
    { 20, '"t1"', '"t2"' }, { 21, '"t2"', '"t1"' }, { 25, '"completed","model"', '"failed","model"' },
    { 25, "resp_1", "resp_2" }, { 25, '"total_tokens":7', '"total_tokens":8' },
    { 25, '"text":"one two"', '"text":"one"' },
    { 25, '"parallel_tool_calls":true,', "" }, { 25, ',{"id":"fc_2".-}', "" }, { 2, "in_progress", "created" },
  },
  ["anthropic.messages"] = {
    { 1, '"content":%[%]', '"content":[{"type":"text","text":"x"}]' }, { 1, '"content":%[%]', '"content":{}' },
    { 1, '"stop_reason":null', '"stop_reason":"end_turn"' }, { 1, '"input_tokens":3,', "" }, { 1, '"msg_1"', '""' },
    { 2, '"index":0', '"index":1' }, { 3, '"index":0', '"index":1' }, { 3, "thinking_delta", "text_delta" },
    { 3, '"hm"', "null" }, { 5, '"index":0', '"index":1' }, { 6, '"type":"text","text"', '"type":"texts","text"' },
    { 8, "text_delta", "input_json_delta" }, { 10, '"id":"t1"', '"id":""' }, { 10, ',"name":"f"', "" },
    { 11, "partial_json", "json" }, { 12, '"1}"', '"1"' }, { 14, '"t2"', '"t1"' }, { 14, '"index":3', '"index":2' },
    { 18, '"tool_use"', '"tools"' }, { 18, '"tool_use"', "null" }, { 18, '"output_tokens":4', "" },
  },
  gemini = {
    { 1, '"model"', '"user"' }, { 1, '"text":"hm",', "" }, { 2, '"r1"', '"r2"' }, { 2, '"m"', '"n"' },
    { 2, '"text":"one"', '"text":1' }, { 2, '"text":"one"', '"text":"one","functionCall":{"name":"f"}' },
    { 3, '"name":"f",', "" }, { 3, '"args":{}', '"args":"{}"' }, { 3, '"s"', '""' }, { 3, '"thoughtSignature":"s"',
      '"thought":1' }, { 3, '"index":0', '"index":0,"finishReason":"STOP"' }, { 4, '"STOP"', '"END"' },
    { 4, ',"finishReason":"STOP"', "" }, { 4, '"totalTokenCount":7', '"totalTokenCount":8' },
    { 4, '"promptTokenCount":3,', "" }, { 4, '"usageMetadata":{.-},', "" }, { 2, '"index":0', '"index":-1' },
  },
  ["cohere.chat"] = {
    { 1, '"assistant"', '"user"' }, { 1, '"content":%[%]', '"content":{}' }, { 1, '"id":"c1",', "" },
    { 2, '"index":0', '"index":1' }, { 2, '"thinking","thinking"', '"image","thinking"' },
    { 3, '"thinking"', '"text"' },
    { 4, '"index":0', '"index":1' }, { 6, '"one "', "1" }, { 8, '"start":4', '"start":3' }, { 8, '"two"', '"one"' },
    { 8, '"index":0', '"index":1' }, { 9, '"index":0', '"index":1' }, { 11, '"I look."', "null" },
    { 12, '"t0"', '""' }, { 12, '"name":"f",', "" }, { 13, '"index":0', '"index":1' }, { 14, '"1}"', "1" },
    { 16, '"t1"', '"t0"' }, { 20, '"TOOL_CALL"', '"TOOLS"' }, { 20, '"billed_units":{.-},', "" },
    { 20, '"tokens":{.-}', '"tokens":{}' }, { 20, '"TOOL_CALL"', '"TOOL_CALL","error":"x"' },
  },
  ["bedrock.converse"] = {
    { 1, '"assistant"', '"user"' }, { 2, '"contentBlockIndex":0', '"contentBlockIndex":1' }, { 2, '"hm"', "1" },
    { 3, '"signature"', '"sign"' }, { 4, '"contentBlockIndex":0', '"contentBlockIndex":1' },
    { 5, '"text":"one "', '"toolUse":{"input":"{}"}' }, { 6, '"text":"two"', '"reasoningContent":{"text":"two"}' },
    { 6, '"text":"two"', '"text":"two","citation":{}' }, { 8, '"t2"', '""' }, { 8, ',"name":"f"', "" },
    { 8, '"toolUse":', '"call":' }, { 9, '"input":".*"}}', '"input":1}}' }, { 10, '"1}"', '"1"' },
    { 12, '"t3"', '"t2"' },
    { 12, '"contentBlockIndex":3', '"contentBlockIndex":2' }, { 16, '"tool_use"', '"stop"' },
    { 17, '"totalTokens":7', '"totalTokens":8' }, { 17, '"outputTokens":4,', "" }, { 17, '"latencyMs":5', "" },
  },
}

local function copy(events)
  local list = {}
  for i, event in ipairs(events) do list[i] = { name = event.name, data = event.data, is_free = event.is_free } end
  return list
end

for _, dialect in ipairs(order.dialects) do
  describe("the checker of " .. dialect, function()
    local good = streams[dialect]

    local function refuses(what, change)
      local events = copy(good)
      change(events)
      assert(#order.faults(dialect, events) > 0, "takes a stream " .. what)
    end

    it("takes a good stream, and the beginning of one that was cut", function()
      for keep = 0, #good do
        local faults = order.faults(dialect, { table.unpack(good, 1, keep) }, keep < #good)
        assert(#faults == 0, faults[1] and faults[1].text)
      end
    end)

    it("refuses one that lacks its end", function()
      for keep = 0, #good - 1 do
        refuses("of " .. keep .. " events", function(events)
          for i = #events, keep + 1, -1 do events[i] = nil end
        end)
      end
    end)

    it("refuses one without an event, with an event twice, or with two in another order", function()
      local tried = 0
      for i, event in ipairs(good) do
        local following = good[i + 1]
        local about = i .. " (" .. (event.name or event.data) .. ")"
        local function try(is_free, what, change)
          if is_free then return end
          tried = tried + 1
          refuses(what .. about, change)
        end
        local is_anywhere = event.is_free == "anywhere" or following and following.is_free == "anywhere"
        local is_moved = is_anywhere or following and following.is_free == "early"
        try(event.is_free and event.is_free ~= "early", "without event ", function(events) table.remove(events, i) end)
        try(event.is_free and event.is_free ~= "less" and event.is_free ~= "early", "with twice event ",
          function(events) table.insert(events, i, events[i]) end)
        try(not following or is_moved or event.is_free == true and following.is_free == true, "with another before ",
          function(events) events[i], events[i + 1] = events[i + 1], events[i] end)
        if not event.is_free then
          try(false, "that ends, and then comes event ", function(events) events[#events + 1] = good[i] end)
        end
      end
      assert(tried + #changes[dialect] >= 20, tried .. " were tried")
    end)

    it("refuses one with a wrong name, or what is no JSON", function()
      for i, event in ipairs(good) do
        refuses("with another name of event " .. i, function(events) events[i].name = "other" end)
        refuses("with half of event " .. i, function(events) events[i].data = event.data:sub(1, -2) end)
      end
    end)

    for _, row in ipairs(changes[dialect]) do
      it(("refuses event %d with %s for %s"):format(row[1], row[3], row[2]), function()
        refuses("that is changed", function(events)
          local changed, count = events[row[1]].data:gsub(row[2], (row[3]:gsub("%%", "%%%%")), 1)
          assert.equal(1, count)
          events[row[1]].data = changed
        end)
      end)
    end
  end)
end

describe("the bytes of a stream", function()
  local function sse(events)
    local list = {}
    for i, e in ipairs(events) do
      list[i] = (e.name and "event: " .. e.name .. "\n" or "") .. "data: " .. e.data .. "\n\n"
    end
    return table.concat(list)
  end

  local function array(events)
    local list = {}
    for i, e in ipairs(events) do list[i] = e.data end
    return "[" .. table.concat(list, ",\r\n") .. "]"
  end

  local function aws(events)
    local list = {}
    for i, e in ipairs(events) do list[i] = frames.encode(e.name, e.data) end
    return table.concat(list)
  end

  local function rule(...)
    local fault = order.faults_of(...)[1]
    return fault and fault.rule
  end

  it("are good as SSE, with any line ends and comments", function()
    for _, dialect in ipairs(order.dialects) do
      if dialect ~= "bedrock.converse" then
        local text = sse(streams[dialect])
        assert.is_nil(rule(dialect, text))
        assert.is_nil(rule(dialect, ": ping\n\n" .. text:gsub("\n", "\r\n")))
        assert.equal("blank_line", rule(dialect, text:sub(1, -2)))
        assert.equal("utf8", rule(dialect, (text:gsub('"m"', '"\xFF"'):gsub("assistant", "assist\xFFnt"))))
        assert.equal("field", rule(dialect, "datum: {}\n" .. text))
      end
    end
  end)

  it("are good as an array", function()
    local text = array(streams.gemini)
    assert.is_nil(rule("gemini", text, "json-array"))
    assert.is_nil(rule("gemini", text:sub(1, -9), "json-array", true))
    for _, changed in ipairs { text:sub(1, -2), text .. "]", text .. "x", text:gsub("}%]},", "}]}", 1),
      text:gsub("},\r", "}\r", 1), text:gsub("},\r", "},,\r", 1) } do
      assert.is_string(rule("gemini", changed, "json-array"), changed)
    end
  end)

  it("are good as AWS messages, with both checksums", function()
    local bytes = aws(streams["bedrock.converse"])
    assert.is_nil(rule("bedrock.converse", bytes))
    local first = #frames.encode("messageStart", streams["bedrock.converse"][1].data)
    for at = 1, first do -- whatever byte of the first message is changed
      local changed = bytes:sub(1, at - 1) .. string.char(bytes:byte(at) ~ 1) .. bytes:sub(at + 1)
      assert.equal("frame", rule("bedrock.converse", changed), "byte " .. at)
    end
    assert.equal("frame", rule("bedrock.converse", bytes:sub(1, -2)))
    assert.is_nil(rule("bedrock.converse", bytes:sub(1, -2), nil, true))
  end)
end)

describe("an error ends a stream anywhere, and nothing follows it", function()
  local errors = {
    ["openai.chat"] = { { nil, '{"error":{"message":"x","type":"server_error"}}' }, { nil, '{"error":{}}' } },
    ["openai.responses"] = { { "error", '{"type":"error","message":"x","sequence_number":%d}' },
      { "error", '{"type":"error","sequence_number":%d}' } },
    ["anthropic.messages"] = { { "error", '{"type":"error","error":{"type":"api_error","message":"x"}}' },
      { "error", '{"type":"error","error":{"type":"api_error"}}' } },
    gemini = { { nil, '{"error":{"code":500,"message":"x","status":"INTERNAL"}}' },
      { nil, '{"error":{"message":"x","status":"INTERNAL"}}' } },
    ["cohere.chat"] = { { "message-end", '{"type":"message-end","delta":{"finish_reason":"ERROR","error":"x"}}' },
      { "message-end", '{"type":"message-end","delta":{"finish_reason":"COMPLETE","error":"x"}}' } },
    ["bedrock.converse"] = { { "throttlingException", '{"message":"x"}' }, { "otherException", '{"message":"x"}' } },
  }
  for _, dialect in ipairs(order.dialects) do
    it("of " .. dialect, function()
      local good = streams[dialect]
      for keep = 1, #good - 3 do
        for number, row in ipairs(errors[dialect]) do
          local events = { table.unpack(good, 1, keep) }
          events[#events + 1] = { name = row[1], data = row[2]:format(keep) }
          assert.equal(number == 1, #order.faults(dialect, events) == 0, "after event " .. keep)
          events[#events + 1] = good[keep + 1]
          assert.is_true(#order.faults(dialect, events) > 0, "going on after event " .. keep)
        end
      end
    end)
  end
end)
