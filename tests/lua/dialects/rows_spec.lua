-- What requests between Chat and Anthropic become for the models of the shipped adapters, and bodies that are refused.
-- The known pitfalls themselves (TR-nn) are data, in tests/lua/conformance/cases; answers are in answers_spec.lua, the
-- order of streams in streams_spec.lua.

local exchange = dofile("tests/lua/dialects/exchange.lua")
local load = exchange.load
local json = load.gw.json
local adapters = load.adapters

local to_anthropic, to_chat, refusal = exchange.to_anthropic, exchange.to_chat, exchange.refusal
local told_anthropic, completion = exchange.told_anthropic, exchange.completion

local function tool(name, parameters)
  return { type = "function", ["function"] = { name = name, parameters = parameters } }
end

local weather = { type = "object", properties = { city = { type = "string" } } }
local user = { role = "user", content = "hi" }

describe("tools", function()
  it("TR-19 a name from history cannot take a defined name's place", function()
    local rename = load.module("gw.parts").tool_names(64)
    local first = rename("a.b")
    assert.are_not.equal(first, rename(first))
    assert.are.equal(first, rename("a.b"))
  end)
end)

describe("images, documents, audio", function()
  it("TR-38 a document by URL, or a file id of another provider, is refused with its field", function()
    local function by(source)
      return { messages = { { role = "user", content = { { type = "document", source = source } } } } }
    end
    assert.are.equal("messages[0].content[0]",
      refusal(to_chat, by({ type = "url", url = "https://e.test/a.pdf" })).field)
    assert.are.equal("messages[0].content[0]", refusal(to_chat, by({ type = "file", file_id = "file_1" })).field)
    assert.are.equal("messages[0].content[0]", refusal(to_anthropic, { messages = { { role = "user", content = { {
      type = "file", file = { file_id = "file-1" } } } } } }).field)
  end)
end)

describe("sampling and limits", function()
  it("TR-41 max_tokens: required by Anthropic, its default is the model's and is reported", function()
    local body, losses = to_anthropic({ max_completion_tokens = 77, max_tokens = 5 })
    assert.are.equal(77, body.max_tokens)
    assert.are.same({}, losses)
    local text, _, lost = load.request(load.chat, load.messages, adapters.anthropic,
      { model = "claude-haiku-4-5-20251001" }, {}, nil, '{"messages":[{"role":"user","content":"hi"}]}')
    assert.are.equal(64000, json.decode(text).max_tokens)
    assert.are.same({ "max_tokens(default 64000)" }, lost)
    local chat = to_chat({ max_tokens = 5 }, adapters.openai.quirks)
    assert.are.equal(5, chat.max_completion_tokens)
    assert.is_nil(chat.max_tokens)
    assert.are.equal(5, to_chat({ max_tokens = 5 }).max_tokens)
  end)

  it("sampling goes only to models that take it", function()
    local claude, gpt = adapters.anthropic.quirks, adapters.openai.quirks
    local given = { max_tokens = 9, temperature = 0.2, top_p = 0.5, top_k = 3 }
    for _, model in ipairs { "claude-opus-4-7", "claude-opus-5-5", "claude-sonnet-5", "claude-haiku-5-5-20261001",
      "claude-fable-5-1", "claude-of-tomorrow" } do
      local body, losses = to_anthropic(given, claude, model)
      assert.are.same({ [1] = "temperature", [2] = "top_p", [3] = "top_k" }, losses, model)
      assert.is_nil(body.temperature or body.top_p or body.top_k)
    end
    local body, losses = to_anthropic({ temperature = 1, top_p = 1 }, claude, "claude-opus-4-7")
    assert.is_nil(body.temperature or body.top_p)
    assert.are.same({}, losses)
    body, losses = to_anthropic(given, claude, "claude-sonnet-4-6")
    assert.are.same({ 0.2, 3 }, { body.temperature, body.top_k })
    assert.are.same({ "top_p(not with temperature)" }, losses)
    assert.are.equal(0.5, to_anthropic(given, claude, "claude-3-5-haiku-latest").top_p)

    given = { temperature = 0.2, top_p = 0.5 }
    for _, model in ipairs { "o1", "o3-mini", "gpt-5-mini", "gpt-5.2", "gpt-6-sol", "gpt-6.1-sol" } do
      body, losses = to_chat(given, gpt, model)
      assert.is_nil(body.temperature or body.top_p)
      assert.are.same({ "temperature", "top_p" }, losses, model)
    end
    body, losses = to_chat({ temperature = 0.2, thinking = { type = "disabled" } }, gpt, "gpt-5.2")
    assert.are.same({ 0.2, "none" }, { body.temperature, body.reasoning_effort })
    assert.are.same({}, losses)
    assert.are.equal(0.5, to_chat(given, gpt, "gpt-4.1").top_p)
  end)
end)

describe("reasoning", function()
  it("TR-57 adaptive thinking where the model has it; a budget and an effort do not meet by accident", function()
    local body = to_anthropic({ reasoning_effort = "high" }, { thinking = "adaptive" })
    assert.are.same({ type = "adaptive" }, body.thinking)
    assert.are.same({ effort = "high" }, body.output_config)
    local chat, losses = to_chat({ thinking = { type = "adaptive" }, output_config = { effort = "max" } })
    assert.are.equal("high", chat.reasoning_effort)
    assert.are.same({ "effort(max sent as high)" }, losses)
    body, losses = to_anthropic({ reasoning = { max_tokens = 3000 } }, adapters.anthropic.quirks, "claude-opus-5")
    assert.are.same({ type = "adaptive" }, body.thinking)
    assert.are.same({ effort = "medium" }, body.output_config)
    assert.are.same({ "reasoning.max_tokens(sent as effort)" }, losses)
    chat, losses = to_chat({ thinking = { type = "enabled", budget_tokens = 2048 } }, { reasoning = "none" })
    assert.is_nil(chat.reasoning_effort)
    assert.are.same({ "thinking" }, losses)
  end)

  it("an effort that the model does not know becomes the nearest", function()
    local claude, gpt = adapters.anthropic.quirks, adapters.openai.quirks
    local rows = { { "gpt-5", "minimal", "minimal" }, { "gpt-5.1", "minimal", "low" }, { "gpt-5.1", "xhigh", "high" },
      { "gpt-5.2", "xhigh", "xhigh" }, { "gpt-5.4", "max", "xhigh" }, { "gpt-5.6-sol", "max", "max" },
      { "gpt-6.2-sol", "minimal", "low" }, { "o3", "max", "high" }, { "gpt-5.2", "ultra", "high" } }
    for _, row in ipairs(rows) do
      local model, asked, sent = row[1], row[2], row[3]
      local chat, losses = to_chat({ thinking = { type = "adaptive" }, output_config = { effort = asked } }, gpt, model)
      assert.are.equal(sent, chat.reasoning_effort, model)
      assert.are.same(asked ~= sent and { "effort(" .. asked .. " sent as " .. sent .. ")" } or {}, losses)
    end
    rows = { { "claude-opus-4-6", "xhigh", "high" }, { "claude-opus-4-7", "xhigh", "xhigh" },
      { "claude-sonnet-4-6", "max", "max" }, { "claude-sonnet-5", "minimal", "low" } }
    for _, row in ipairs(rows) do
      local model, asked, sent = row[1], row[2], row[3]
      local body, losses = to_anthropic({ reasoning_effort = asked }, claude, model)
      assert.are.equal(sent, body.output_config.effort, model)
      assert.are.same(asked ~= sent and { "reasoning_effort(" .. asked .. " sent as " .. sent .. ")" } or {}, losses)
    end
    assert.has_error(function() to_chat({ output_config = { effort = "low" } }, { efforts = { lo = true } }) end)
  end)

  it("thinking is switched off in the model's own word, or turned down where it has none", function()
    local claude = adapters.anthropic.quirks
    for model, kind in pairs({ ["claude-opus-4-8"] = "disabled", ["claude-opus-5"] = "disabled",
      ["claude-haiku-4-5"] = "disabled", ["claude-sonnet-5-5"] = "between_tools" }) do
      local body, losses = to_anthropic({ reasoning_effort = "none" }, claude, model)
      assert.are.same({ type = kind }, body.thinking, model)
      assert.are.same({}, losses)
    end
    for _, model in ipairs { "claude-fable-5", "claude-opus-5-5", "claude-of-tomorrow" } do
      local body, losses = to_anthropic({ reasoning_effort = "none" }, claude, model)
      assert.is_nil(body.thinking)
      assert.are.same({ effort = "low" }, body.output_config, model)
      assert.are.same({ "reasoning_effort(none sent as low)" }, losses)
    end
    assert.is_nil(to_anthropic({ reasoning_effort = "none" }, claude, "claude-3-opus-latest").thinking)
  end)

  it("tools beside reasoning, and forced tools, only where the model takes them", function()
    local claude, gpt = adapters.anthropic.quirks, adapters.openai.quirks
    local tools = { tool("f", weather) }
    for asked, lost in pairs({ required = "required", [false] = "tool" }) do
      local choice = asked or { type = "function", ["function"] = { name = "f" } }
      local body, losses = to_anthropic({ tools = tools, tool_choice = choice, parallel_tool_calls = false }, claude,
        "claude-opus-5-5")
      assert.are.same({ type = "auto", disable_parallel_tool_use = true }, body.tool_choice)
      assert.are.same({ "tool_choice(" .. lost .. " sent as auto)" }, losses)
      body, losses = to_anthropic({ tools = tools, tool_choice = choice }, claude, "claude-opus-5")
      assert.are.equal(asked and "any" or "tool", body.tool_choice.type)
      assert.are.same({}, losses)
    end
    local own = { { name = "f", input_schema = weather } }
    local chat, losses = to_chat({ tools = own, output_config = { effort = "high" } }, gpt, "gpt-6-luna")
    assert.are.equal("none", chat.reasoning_effort)
    assert.are.same({ "effort(high not with tools)" }, losses)
    chat, losses = to_chat({ tools = own }, gpt, "gpt-6-sol")
    assert.are.equal("none", chat.reasoning_effort)
    assert.are.same({}, losses)
    assert.is_nil(to_chat({ tools = own }, gpt, "gpt-5.6-sol").reasoning_effort)
  end)

  it("TR-58 what another company signed is not sent to Anthropic", function()
    local body, losses = to_anthropic({ messages = { user, { role = "assistant", content = "a", reasoning_details = { {
      type = "reasoning.encrypted", data = "x", format = "openai-responses-v1" } } }, user } })
    assert.are.equal("a", body.messages[2].content)
    assert.are.equal(1, #losses)
  end)

  it("TR-61 all names of reasoning are read, one is written", function()
    for _, message in ipairs({ { reasoning_content = "hm" }, { reasoning = "hm" },
      { reasoning_details = { { type = "reasoning.text", text = "hm" } } },
      { content = { { type = "thinking", thinking = { { type = "text", text = "hm" } } } } } }) do
      local told = told_anthropic(completion(message, "stop"))
      assert.are.same({ type = "thinking", thinking = "hm", signature = "" }, told.content[1])
    end
  end)

  it("TR-61 thinking in history goes under the name the server wants", function()
    local messages = { user, { role = "assistant", content = { { type = "thinking", thinking = "hm", signature = "S" },
      { type = "text", text = "a" } } }, user }
    assert.are.equal("hm", to_chat({ messages = messages }).messages[2].reasoning_content)
    assert.are.equal("hm", to_chat({ messages = messages }, { reasoning_history = "reasoning" }).messages[2].reasoning)
    local body, losses = to_chat({ messages = messages }, { reasoning_history = "none" })
    assert.are.same({ role = "assistant", content = "a" }, body.messages[2])
    assert.are.same({ "messages[].thinking" }, losses)
  end)
end)

describe("bad input is refused with its path", function()
  local cases = {
    { { messages = "x" }, "messages" }, { { messages = { 1 } }, "messages[0]" },
    { { messages = { { content = "x" } } }, "messages[0].role" },
    { { messages = { { role = "robot", content = "x" } } }, "messages[0].role" },
    { { messages = { { role = "user", content = 3 } } }, "messages[0].content" },
    { { messages = { { role = "user", content = { { text = "x" } } } } }, "messages[0].content[0].type" },
    { { messages = { { role = "tool", content = "x" } } }, "messages[0].tool_call_id" },
    { { messages = { { role = "assistant", tool_calls = { { id = "a", ["function"] = {} } } } } },
      "messages[0].tool_calls[0].function.name" },
    { { temperature = "hot" }, "temperature" }, { { tools = { { type = "function" } } }, "tools[0].function" },
    { { stop = 3 }, "stop" }, { { response_format = { type = "xml" } }, "response_format.type" },
  }
  for _, case in ipairs(cases) do
    it("Chat " .. case[2], function()
      assert.are.equal(case[2], refusal(to_anthropic, case[1]).field)
    end)
  end

  local anthropic_cases = {
    { { messages = { { role = "tool", content = "x" } } }, "messages[0].role" },
    { { messages = { { role = "user" } } }, "messages[0].content" },
    { { messages = { { role = "user", content = { { type = "tool_result", content = "x" } } } } },
      "messages[0].content[0].tool_use_id" },
    { { messages = { { role = "user", content = { { type = "image", source = { type = "ftp" } } } } } },
      "messages[0].content[0].source.type" },
    { { tools = { { name = "f" } } }, "tools[0].input_schema" }, { { thinking = { type = "enabled" } },
      "thinking.budget_tokens" }, { { tool_choice = { type = "maybe" } }, "tool_choice.type" },
    { { system = 3 }, "system" },
  }
  for _, case in ipairs(anthropic_cases) do
    it("Anthropic " .. case[2], function()
      assert.are.equal(case[2], refusal(to_chat, case[1]).field)
    end)
  end

  it("a body that is not JSON, or not an object", function()
    for _, text in ipairs({ "{", "[]", "3" }) do
      assert.are.equal("body",
        refusal(load.request, load.chat, load.messages, nil, { model = "m" }, {}, nil, text).field)
    end
  end)
end)
