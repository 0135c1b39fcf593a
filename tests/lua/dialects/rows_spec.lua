-- The known pitfalls of translating between Chat and Anthropic, one test or more each, named by their stable numbers
-- (TR-01 … TR-96). Requests here; answers
-- are in answers_spec.lua, the order of streams in streams_spec.lua.

local exchange = dofile("tests/lua/dialects/exchange.lua")
local load = exchange.load
local json, translate = load.gw.json, load.translate
local adapters = load.adapters

local to_anthropic, to_chat, refusal = exchange.to_anthropic, exchange.to_chat, exchange.refusal
local told_chat, told_anthropic = exchange.told_chat, exchange.told_anthropic
local answer, completion = exchange.answer, exchange.completion

local function tool(name, parameters)
  return { type = "function", ["function"] = { name = name, parameters = parameters } }
end

local function call(id, name, arguments)
  return { id = id, type = "function", ["function"] = { name = name, arguments = arguments } }
end

local weather = { type = "object", properties = { city = { type = "string" } } }
local user = { role = "user", content = "hi" }

describe("system text and roles", function()
  it("TR-01 TR-03 all system messages are gathered, in order", function()
    local body = to_anthropic({ messages = { { role = "system", content = "a" }, { role = "developer", content = "b" },
      user } })
    assert.are.same({ { type = "text", text = "a" }, { type = "text", text = "b" } }, body.system)
    assert.are.same({ user }, body.messages)
    assert.are.equal("a", to_anthropic({ messages = { { role = "system", content = "a" }, user } }).system)
    local chat = to_chat({ system = "a" })
    assert.are.same({ role = "system", content = "a" }, chat.messages[1])
  end)

  it("TR-02 developer becomes system where the server does not know it", function()
    local chat = load.chat
    local normal = chat.request_to_normal(json.decode([[{"messages":[{"role":"developer","content":"d"}]}]]), {})
    assert.are.equal("system", chat.request_from_normal(normal, { quirks = {} }, {}).messages[1].role)
    assert.are.equal("developer",
      chat.request_from_normal(normal, { quirks = { developer_role = true } }, {}).messages[1].role)
  end)

  it("TR-04 late system text is moved to the top and reported", function()
    local body, losses = to_anthropic({ messages = { user, { role = "system", content = "late" } } })
    assert.are.equal("late", body.system)
    assert.are.same({ "messages[].role(late system text moved to the top)" }, losses)
  end)

  it("TR-05 blocks with cache markers stay blocks", function()
    local marker = { type = "ephemeral" }
    local blocks = { { type = "text", text = "a", cache_control = marker }, { type = "text", text = "b" } }
    local body, losses = to_anthropic({ messages = { { role = "system", content = blocks }, user } })
    assert.are.same(blocks, body.system)
    assert.are.same({}, losses)
    local chat, chat_losses = to_chat({ system = blocks }, { cache_control = true })
    assert.are.same(blocks, chat.messages[1].content)
    assert.are.same({}, chat_losses)
    local _, lost = to_chat({ system = blocks })
    assert.are.same({ "cache_control" }, lost)
  end)

  it("TR-07 Claude Code's billing text does not reach other providers", function()
    local body, losses = to_chat({ system = { { type = "text", text = "x-anthropic-billing-header: cch=1;" },
      { type = "text", text = "be" } } })
    assert.are.equal("be", body.messages[1].content)
    assert.are.same({ "system[](billing header)" }, losses)
  end)

  it("TR-09 TR-10 turns of one role are merged in order; a prefill is left alone", function()
    local body = to_anthropic({ messages = { { role = "user", content = "a" }, { role = "user", content = "b" },
      { role = "assistant", content = "{" } } })
    assert.are.same({ { role = "user", content = { { type = "text", text = "a" }, { type = "text", text = "b" } } },
      { role = "assistant", content = "{" } }, body.messages)
  end)

  it("TR-11 empty turns and blank text are dropped towards Anthropic", function()
    local body = to_anthropic({ messages = { { role = "user", content = "a" }, { role = "assistant", content = "" },
      { role = "assistant", content = json.null }, { role = "user", content = "  \n" },
      { role = "user", content = "b" } } })
    assert.are.same({ { role = "user", content = { { type = "text", text = "a" }, { type = "text", text = "b" } } } },
      body.messages)
  end)

  it("TR-12 names have no place and are reported", function()
    local _, losses = to_anthropic({ messages = { { role = "user", name = "bob", content = "a" } } })
    assert.are.same({ "messages[].name" }, losses)
  end)

  it("TR-13 refusals in history become text", function()
    local body = to_anthropic({ messages = { user, { role = "assistant", refusal = "no" }, user } })
    assert.are.equal("no", body.messages[2].content)
  end)
end)

describe("tools", function()
  it("TR-14 TR-15 definitions change shape, schemas are copied whole with their numbers and key order", function()
    local schema = '{"type":"object","$defs":{"z":1,"a":12345678901234567890},"additionalProperties":false,"anyOf":[]}'
    local body = { max_tokens = 9, messages = { user }, tools = { { type = "function",
      ["function"] = { name = "f", description = "d", parameters = json.raw(schema), strict = true } } } }
    local text = load.request(load.chat, load.messages, nil, { model = "m" }, {}, nil, json.encode(body))
    assert.is_truthy(text:find('"input_schema":' .. schema, 1, true))
    local sent = json.decode(text).tools[1]
    assert.are.equal("f", sent.name)
    assert.are.equal("d", sent.description)
    assert.is_true(sent.strict)
    local back = { max_tokens = 9, messages = { user }, tools = { { name = "f", input_schema = json.raw(schema) } } }
    text = load.request(load.messages, load.chat, nil, { model = "m" }, {}, nil, json.encode(back))
    assert.is_truthy(text:find('"parameters":' .. schema, 1, true))
  end)

  it("TR-16 a missing schema becomes an object schema", function()
    assert.are.same({ type = "object" }, to_anthropic({ tools = { tool("f") } }).tools[1].input_schema)
  end)

  it("TR-19 long and odd names are mapped, everywhere, and mapped back", function()
    local long = "mcp__" .. ("x"):rep(80)
    local asked = { model = "alias" }
    local body, _, hop = to_chat({
      tools = { { name = long, input_schema = weather }, { name = "a.b", input_schema = weather } },
      tool_choice = { type = "tool", name = "a.b" },
      messages = { user,
        { role = "assistant", content = { { type = "tool_use", id = "t", name = long, input = weather } } },
        { role = "user", content = { { type = "tool_result", tool_use_id = "t", content = "x" } } } },
    }, nil, nil, asked)
    local sent_long, sent_odd = body.tools[1]["function"].name, body.tools[2]["function"].name
    for _, name in ipairs({ sent_long, sent_odd }) do
      assert.is_true(#name <= 64 and not name:find("[^%w_-]"))
    end
    assert.are.equal(sent_odd, body.tool_choice["function"].name)
    assert.are.equal(sent_long, body.messages[2].tool_calls[1]["function"].name)
    local _, text = translate.response(hop, 200, json.encode(completion({ tool_calls = {
      call("c1", sent_long, "{}"), call("c2", sent_odd, "{}") } }, "tool_calls")))
    local told = json.decode(text)
    assert.are.equal(long, told.content[1].name)
    assert.are.equal("a.b", told.content[2].name)
  end)

  it("TR-19 a name from history cannot take a defined name's place", function()
    local rename = load.module("gw.parts").tool_names(64)
    local first = rename("a.b")
    assert.are_not.equal(first, rename(first))
    assert.are.equal(first, rename("a.b"))
  end)

  it("TR-20 server tools are reported; when no tool is left, the choice goes too", function()
    local body, losses = to_chat({ tools = { { type = "web_search_20250305", name = "web_search" } },
      tool_choice = { type = "auto", disable_parallel_tool_use = true } })
    assert.is_nil(body.tools)
    assert.is_nil(body.tool_choice)
    assert.is_nil(body.parallel_tool_calls)
    assert.are.same({ "tools[](web_search_20250305)", "tool_choice" }, losses)
  end)

  it("TR-21 choices have their names in each dialect", function()
    local tools = { tool("f", weather) }
    for chat, anthropic in pairs({ auto = "auto", none = "none", required = "any" }) do
      assert.are.same({ type = anthropic }, to_anthropic({ tools = tools, tool_choice = chat }).tool_choice)
      assert.are.equal(chat, to_chat({ tools = { { name = "f", input_schema = weather } },
        tool_choice = { type = anthropic } }).tool_choice)
    end
    assert.are.same({ type = "tool", name = "f" },
      to_anthropic({ tools = tools, tool_choice = { type = "function", ["function"] = { name = "f" } } }).tool_choice)
    assert.is_nil(to_anthropic({ tool_choice = "auto" }).tool_choice)
    assert.are.equal("any", to_chat({ tools = { { name = "f", input_schema = weather } },
      tool_choice = { type = "any" } }, { tool_choice_required = "any" }).tool_choice)
    assert.are.equal("tool_choice", refusal(to_anthropic, { tools = tools, tool_choice = "maybe" }).field)
  end)

  it("TR-21 allowed_tools leaves the other tools out", function()
    local body, losses = to_anthropic({ tools = { tool("f", weather), tool("g", weather) }, tool_choice = {
      type = "allowed_tools", allowed_tools = { mode = "required", tools = { tool("g") } } } })
    assert.are.equal(1, #body.tools)
    assert.are.equal("g", body.tools[1].name)
    assert.are.equal("any", body.tool_choice.type)
    assert.are.equal(1, #losses)
  end)

  it("TR-22 none leaves the tools out where there is no none", function()
    local body = to_anthropic({ tools = { tool("f", weather) }, tool_choice = "none" }, { tool_choice_none = false })
    assert.is_nil(body.tools)
    assert.is_nil(body.tool_choice)
  end)

  it("TR-24 a forced tool drops thinking, and says so", function()
    local body, losses = to_anthropic({ tools = { tool("f", weather) }, tool_choice = "required", max_tokens = 9000,
      reasoning_effort = "high" })
    assert.is_nil(body.thinking)
    assert.are.same({ type = "any" }, body.tool_choice)
    assert.are.equal("reasoning_effort(tool_choice forces a tool)", losses[#losses])
  end)

  it("TR-25 the parallel flag is inverted, carried by an invented auto, and never invented itself", function()
    local tools = { tool("f", weather) }
    assert.are.same({ type = "auto", disable_parallel_tool_use = true },
      to_anthropic({ tools = tools, parallel_tool_calls = false }).tool_choice)
    assert.is_nil(to_anthropic({ tools = tools, parallel_tool_calls = true }).tool_choice)
    local own = { { name = "f", input_schema = weather } }
    assert.is_false(to_chat({ tools = own, tool_choice = { type = "auto", disable_parallel_tool_use = true } })
      .parallel_tool_calls)
    assert.is_nil(to_chat({ tools = own, tool_choice = { type = "auto" } }).parallel_tool_calls)
  end)

  it("TR-26 arguments: empty is {}, broken text is kept under a key, big integers survive", function()
    local big = '{"n":12345678901234567890,"b":1,"a":2}'
    local body = { max_tokens = 9, messages = { user, { role = "assistant", tool_calls = { call("a", "f", ""),
      call("b", "f", "{oops"), call("c", "f", big), call("d", "f", "[1]") } } } }
    local text, _, losses = load.request(load.chat, load.messages, nil, { model = "m" }, {}, nil,
      json.encode(body))
    local content = json.decode(text).messages[2].content
    assert.are.same({}, content[1].input)
    assert.are.same({ _raw_arguments = "{oops" }, content[2].input)
    assert.is_truthy(text:find('"input":' .. big, 1, true))
    assert.are.same({ _raw_arguments = "[1]" }, content[4].input)
    assert.are.same({ "messages[].tool_calls[].function.arguments(not an object)" }, losses)
    local chat = to_chat({ messages = { user, { role = "assistant", content = { { type = "tool_use", id = "t",
      name = "f", input = json.raw(big) } } } } })
    assert.are.equal(big, chat.messages[2].tool_calls[1]["function"].arguments)
  end)

  it("TR-27 ids stay; odd ones are replaced alike in calls and results", function()
    local body = to_anthropic({ messages = { user, { role = "assistant", tool_calls = {
      call("functions.f:0", "f", "{}"), call("call_1", "f", "{}") } },
      { role = "tool", tool_call_id = "functions.f:0", content = "x" },
      { role = "tool", tool_call_id = "call_1", content = "y" } } })
    local calls, results = body.messages[2].content, body.messages[3].content
    assert.is_nil(calls[1].id:find("[^%w_-]"))
    assert.are.equal(calls[1].id, results[1].tool_use_id)
    assert.are.equal("call_1", results[2].tool_use_id)
    local mistral = to_chat({ messages = { user, { role = "assistant", content = { { type = "tool_use",
      id = "toolu_0123456789", name = "f", input = weather } } }, { role = "user", content = { { type = "tool_result",
      tool_use_id = "toolu_0123456789", content = "x" } } } } }, { tool_id_length = 9 })
    assert.are.equal(9, #mistral.messages[2].tool_calls[1].id)
    assert.are.equal(mistral.messages[2].tool_calls[1].id, mistral.messages[3].tool_call_id)
  end)

  it("TR-28 Chat→Anthropic: one user turn holds all results, then the text", function()
    local body = to_anthropic({ messages = { user,
      { role = "assistant", content = "on it", tool_calls = { call("a", "f", "{}"), call("b", "g", "{}") } },
      { role = "tool", tool_call_id = "a", content = "1" }, { role = "tool", tool_call_id = "b", content = "2" },
      { role = "user", content = "go on" } } })
    assert.are.equal(3, #body.messages)
    local content = body.messages[3].content
    assert.are.same({ "tool_result", "tool_result", "text" }, { content[1].type, content[2].type, content[3].type })
    assert.are.equal("a", content[1].tool_use_id)
    assert.are.equal("b", content[2].tool_use_id)
  end)

  it("TR-28 Anthropic→Chat: results follow the assistant turn as tool messages, the text comes after", function()
    local body = to_chat({ messages = { user,
      { role = "assistant", content = { { type = "tool_use", id = "a", name = "f", input = weather } } },
      { role = "user", content = { { type = "text", text = "go on" },
        { type = "tool_result", tool_use_id = "a", content = { { type = "text", text = "1" } } } } } } })
    assert.are.same({ role = "tool", tool_call_id = "a", content = "1" }, body.messages[3])
    assert.are.same({ role = "user", content = "go on" }, body.messages[4])
    assert.are.equal(4, #body.messages)
  end)

  it("TR-29 images in results move into the user message that follows, and that is reported", function()
    local body, losses = to_chat({ messages = { user,
      { role = "assistant", content = { { type = "tool_use", id = "a", name = "f", input = weather } } },
      { role = "user", content = { { type = "tool_result", tool_use_id = "a", content = {
        { type = "text", text = "see" },
        { type = "image", source = { type = "base64", media_type = "image/png", data = "AA" } } } } } } } })
    assert.are.equal("see", body.messages[3].content)
    assert.are.equal("data:image/png;base64,AA", body.messages[4].content[1].image_url.url)
    assert.are.equal(1, #losses)
  end)

  it("TR-30 is_error is said in the text, and never guessed towards Anthropic", function()
    local body, losses = to_chat({ messages = { user,
      { role = "assistant", content = { { type = "tool_use", id = "a", name = "f", input = weather } } },
      { role = "user", content = { { type = "tool_result", tool_use_id = "a", is_error = true,
        content = "gone" } } } } })
    assert.are.equal("Error: gone", body.messages[3].content)
    assert.are.same({ "messages[].content[].is_error(sent as text)" }, losses)
    local back = to_anthropic({ messages = { user, { role = "assistant", tool_calls = { call("a", "f", "{}") } },
      { role = "tool", tool_call_id = "a", content = '{"error":"x"}' } } })
    assert.is_nil(back.messages[3].content[1].is_error)
  end)

  it("TR-32 text beside calls survives both ways", function()
    local body = to_anthropic({ messages = { user, { role = "assistant", content = "on it",
      tool_calls = { call("a", "f", "{}") } } } })
    assert.are.equal("on it", body.messages[2].content[1].text)
    local told = told_chat(answer({ stop_reason = "tool_use", content = { { type = "text", text = "on it" },
      { type = "tool_use", id = "t", name = "f", input = { x = 1 } } } }))
    assert.are.equal("on it", told.choices[1].message.content)
    assert.are.equal('{"x":1}', told.choices[1].message.tool_calls[1]["function"].arguments)
    assert.are.equal("tool_calls", told.choices[1].finish_reason)
  end)

  it("TR-34 legacy functions work, history and answer included", function()
    local body, _, hop = to_anthropic({ functions = { { name = "f", parameters = weather } },
      function_call = { name = "f" }, messages = { user,
      { role = "assistant", content = json.null, function_call = { name = "f", arguments = "{}" } },
      { role = "function", name = "f", content = "1" } } })
    assert.are.equal("f", body.tools[1].name)
    assert.are.same({ type = "tool", name = "f" }, body.tool_choice)
    assert.are.equal(body.messages[2].content[1].id, body.messages[3].content[1].tool_use_id)
    local _, text = translate.response(hop, 200, json.encode(answer({ stop_reason = "tool_use", content = {
      { type = "tool_use", id = "t", name = "f", input = { x = 1 } } } })))
    local choice = json.decode(text).choices[1]
    assert.are.same({ name = "f", arguments = '{"x":1}' }, choice.message.function_call)
    assert.are.equal("function_call", choice.finish_reason)
  end)
end)

describe("images, documents, audio", function()
  local function image(url)
    return { messages = { { role = "user", content = { { type = "image_url", image_url = { url = url } } } } } }
  end

  it("TR-37 data URLs become base64, http URLs stay URLs, and back", function()
    local body = to_anthropic(image("data:image/png;base64,AAAA"))
    local source = { type = "base64", media_type = "image/png", data = "AAAA" }
    assert.are.same({ { type = "image", source = source } }, body.messages[1].content)
    assert.are.same({ type = "url", url = "https://e.test/a.png" },
      to_anthropic(image("https://e.test/a.png")).messages[1].content[1].source)
    local chat = to_chat({ messages = { { role = "user", content = { { type = "image", source = source } } } } })
    assert.are.equal("data:image/png;base64,AAAA", chat.messages[1].content[1].image_url.url)
  end)

  it("TR-38 PDFs become documents, whether they come as file or as image_url", function()
    local pdf = "data:application/pdf;base64,JVBE"
    assert.are.equal("document", to_anthropic(image(pdf)).messages[1].content[1].type)
    assert.are.equal("document", to_anthropic(image("https://e.test/a.pdf")).messages[1].content[1].type)
    local body = to_anthropic({ messages = { { role = "user", content = { { type = "file",
      file = { filename = "a.pdf", file_data = pdf } } } } } })
    local document = { type = "document", title = "a.pdf",
      source = { type = "base64", media_type = "application/pdf", data = "JVBE" } }
    assert.are.same(document, body.messages[1].content[1])
    local chat = to_chat({ messages = { { role = "user", content = { document } } } })
    assert.are.same({ filename = "a.pdf", file_data = pdf }, chat.messages[1].content[1].file)
  end)

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

  it("TR-39 detail is reported", function()
    local body = image("https://e.test/a.png")
    body.messages[1].content[1].image_url.detail = "high"
    local _, losses = to_anthropic(body)
    assert.are.same({ "messages[].content[].image_url.detail" }, losses)
  end)

  it("TR-40 audio is refused with its field, not dropped", function()
    local err = refusal(to_anthropic, { messages = { user, { role = "user", content = {
      { type = "text", text = "hear" }, { type = "input_audio", input_audio = { data = "AA", format = "wav" } } } } } })
    assert.are.equal("messages[1].content[1]", err.field)
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

  it("TR-42 the thinking budget is clamped under max_tokens, or dropped when too small", function()
    local body, losses = to_anthropic({ max_tokens = 2000, reasoning_effort = "high" })
    assert.are.equal(1999, body.thinking.budget_tokens)
    assert.is_true(#losses == 2)
    body, losses = to_anthropic({ max_tokens = 500, reasoning_effort = "high" })
    assert.is_nil(body.thinking)
    assert.is_true(losses[#losses]:find("reasoning_effort", 1, true) == 1)
  end)

  it("TR-43 temperature above 1 is clamped and reported, or refused by setting; doubles stay doubles", function()
    local body, losses = to_anthropic({ temperature = 1.7 })
    assert.are.equal(1, body.temperature)
    assert.are.same({ "temperature(clamped to 1)" }, losses)
    assert.are.equal("temperature", refusal(to_anthropic, { temperature = 1.7 }, { temperature = "reject" }).field)
    assert.are.equal(0.7, to_anthropic({ temperature = 0.7 }).temperature)
  end)

  it("TR-44 sampling is unset with thinking, top_p with temperature where the model refuses both", function()
    local body, losses = to_anthropic({ max_tokens = 9000, reasoning_effort = "low", temperature = 0.2, top_p = 0.5,
      top_k = 3 })
    assert.is_nil(body.temperature)
    assert.is_nil(body.top_p)
    assert.is_nil(body.top_k)
    assert.are.equal(4, #losses)
    body, losses = to_anthropic({ temperature = 0.2, top_p = 0.5 }, { sampling = "one" })
    assert.are.equal(0.2, body.temperature)
    assert.is_nil(body.top_p)
    assert.are.same({ "top_p(not with temperature)" }, losses)
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

  it("TR-45 stop: a string or a list", function()
    assert.are.same({ "x" }, to_anthropic({ stop = "x" }).stop_sequences)
    assert.are.same({ "x", "y" }, to_anthropic({ stop = { "x", "y" } }).stop_sequences)
    assert.are.same({ "x" }, to_chat({ stop_sequences = { "x" } }).stop)
    local body, losses = to_chat({ stop_sequences = { "1", "2", "3", "4", "5" } })
    assert.are.equal(4, #body.stop)
    assert.are.same({ "stop(more than 4)" }, losses)
  end)

  it("TR-46 top_k is an extension of Chat, and reported towards servers without it", function()
    assert.are.equal(3, to_anthropic({ top_k = 3 }).top_k)
    local body, losses = to_chat({ top_k = 3 })
    assert.is_nil(body.top_k)
    assert.are.same({ "top_k" }, losses)
  end)

  it("TR-47 n above 1 is refused; seed, penalties, logprobs and bias are reported; zeros are nothing", function()
    assert.are.equal("n", refusal(to_anthropic, { n = 2 }).field)
    local _, losses = to_anthropic({ n = 1, seed = 1, logprobs = true, top_logprobs = 2, frequency_penalty = 0.5,
      presence_penalty = 0, logit_bias = { ["1"] = 2 } })
    assert.are.same({ "seed", "logprobs", "logit_bias", "frequency_penalty" }, losses)
  end)

  it("TR-48 user ↔ metadata.user_id; an address is not given away; Chat metadata is not Anthropic's", function()
    assert.are.same({ user_id = "u1" }, to_anthropic({ user = "u1" }).metadata)
    assert.are.equal("u1", to_chat({ metadata = { user_id = "u1" } }).user)
    local body, losses = to_anthropic({ user = "a@b.test", metadata = { k = "v" } })
    assert.is_nil(body.metadata)
    assert.are.same({ "user", "metadata" }, losses)
  end)

  it("TR-49 service_tier has its names", function()
    assert.are.equal("standard_only", to_anthropic({ service_tier = "default" }).service_tier)
    assert.are.equal("default", to_chat({ service_tier = "standard_only" }).service_tier)
    local _, losses = to_anthropic({ service_tier = "flex" })
    assert.are.same({ "service_tier" }, losses)
    local told = told_chat(answer({ usage = { input_tokens = 1, output_tokens = 1, service_tier = "standard" } }))
    assert.are.equal("default", told.service_tier)
  end)

  it("TR-51 unknown fields are dropped with a report, sorted", function()
    local _, losses = to_anthropic({ zebra = 1, prompt_cache_key = "k", store = false })
    assert.are.same({ "prompt_cache_key", "zebra" }, losses)
    _, losses = to_chat({ container = "c", mcp_servers = { { name = "x" } } })
    assert.are.same({ "container", "mcp_servers" }, losses)
  end)

end)

describe("structured output", function()
  local schema = { type = "object", additionalProperties = false, properties = { a = { type = "string" } } }

  it("TR-52 TR-53 response_format ↔ output_config.format, also when the wrapper is left out", function()
    local format = { type = "json_schema", schema = schema }
    local body, losses = to_anthropic({ response_format = { type = "json_schema", json_schema = { name = "n",
      schema = schema, strict = true } } })
    assert.are.same(format, body.output_config.format)
    assert.are.same({}, losses)
    assert.are.same(format, to_anthropic({ response_format = { type = "json_schema", name = "n", schema = schema } })
      .output_config.format)
    local chat = to_chat({ output_config = { format = format } })
    assert.are.same({ type = "json_schema", json_schema = { name = "response", schema = schema, strict = true } },
      chat.response_format)
    local _, lost = to_anthropic({ response_format = { type = "json_schema", json_schema = { schema = schema } } },
      { structured_output = false })
    assert.are.same({ "response_format" }, lost)
  end)

  it("TR-54 json_object is asked for in the system prompt, and reported", function()
    local body, losses = to_anthropic({ response_format = { type = "json_object" } })
    assert.is_truthy(body.system:find("JSON"))
    assert.is_nil(body.output_config)
    assert.are.equal(1, #losses)
  end)
end)

describe("reasoning", function()
  it("TR-56 efforts and budgets by one table, which is a setting", function()
    for effort, budget in pairs({ low = 1024, medium = 2048, high = 4096 }) do
      local body = to_anthropic({ max_tokens = 9000, reasoning_effort = effort })
      assert.are.same({ type = "enabled", budget_tokens = budget }, body.thinking)
      assert.are.equal(effort, to_chat({ thinking = { type = "enabled", budget_tokens = budget } }).reasoning_effort)
    end
    assert.are.equal(3000, to_anthropic({ max_tokens = 9000, reasoning_effort = "low" },
      { effort_budgets = { low = 3000, medium = 4000 } }).thinking.budget_tokens)
    assert.are.same({ type = "disabled" }, to_anthropic({ reasoning_effort = "none" }).thinking)
  end)

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

  it("TR-58 TR-59 signed and redacted thinking travels through a Chat client and returns byte-exact, first", function()
    local content = { { type = "thinking", thinking = "hm\n", signature = "Sig+/=" },
      { type = "redacted_thinking", data = "Enc+/=" }, { type = "text", text = "calling" },
      { type = "tool_use", id = "t1", name = "f", input = { x = 1 } } }
    local told = told_chat(answer({ stop_reason = "tool_use", content = content })).choices[1].message
    assert.are.equal("hm\n", told.reasoning_content)
    local body, losses = to_anthropic({ messages = { user, told,
      { role = "tool", tool_call_id = "t1", content = "r" } } })
    assert.are.same(content, body.messages[2].content)
    assert.are.same({}, losses)
  end)

  it("TR-58 unsigned thinking is shown without a signature and is not replayed", function()
    local told = told_anthropic(completion({ content = "a", reasoning_content = "hm" }, "stop"))
    assert.are.same({ type = "thinking", thinking = "hm" }, told.content[1])
    local body, losses = to_anthropic({ messages = { user,
      { role = "assistant", content = "a", reasoning_content = "hm" }, user } })
    assert.are.equal("a", body.messages[2].content)
    assert.are.same({ "messages[].thinking(unsigned)" }, losses)
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
      assert.are.same({ type = "thinking", thinking = "hm" }, told.content[1])
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
