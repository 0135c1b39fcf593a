-- The Responses API to and from the other dialects: requests and whole answers. Rows by their stable numbers (TR-01 …);
-- streams are in responses_streams_spec.lua.

local all = dofile("tests/lua/conformance/dialects.lua")
local load, json = all.load, all.json
local translate = load.translate
local D, chat, messages = all.by_name["openai.responses"], load.chat, load.messages

-- Sends a body (a Lua table) from one dialect to another: the provider's body, the losses, the hop.
local function send(client, provider, body, quirks, asked)
  local text, hop, losses = load.request(client, provider, nil, { model = "m", provider = "p", quirks = quirks or {} },
    asked or { model = "alias" }, nil, json.encode(body))
  return json.decode(text), losses, hop
end

local function from_chat(body, quirks)
  body.messages = body.messages or { { role = "user", content = "hi" } }
  return send(chat, D, body, quirks)
end

local function from_messages(body, quirks)
  body.max_tokens, body.messages = body.max_tokens or 1000, body.messages or { { role = "user", content = "hi" } }
  return send(messages, D, body, quirks)
end

local function to_chat(body, quirks)
  body.input = body.input or "hi"
  return send(D, chat, body, quirks)
end

local function to_messages(body, quirks)
  body.input, body.max_output_tokens = body.input or "hi", body.max_output_tokens or 1000
  return send(D, messages, body, quirks)
end

local function refusal(run, ...)
  local ok, err = pcall(run, ...)
  assert.is_false(ok)
  assert.is_table(err, tostring(err))
  return err
end

-- A provider's whole answer told to the client of a hop.
local function told(hop, body)
  local status, text = translate.response(hop, 200, json.encode(body))
  return json.decode(text), status
end

local function response(output, more)
  local body = { id = "resp_1", object = "response", created_at = 7, status = "completed", model = "gpt",
    output = json.array(output), error = json.null, incomplete_details = json.null,
    usage = { input_tokens = 130, input_tokens_details = { cached_tokens = 100, cache_write_tokens = 20 },
      output_tokens = 30, output_tokens_details = { reasoning_tokens = 10 }, total_tokens = 160 } }
  for name, v in pairs(more or {}) do body[name] = v end
  return body
end

local function message(text, annotations)
  return { id = "msg_1", type = "message", status = "completed", role = "assistant", content = {
    { type = "output_text", text = text, annotations = json.array(annotations or {}), logprobs = json.array({}) } } }
end

local function call(name, arguments)
  return { id = "fc_1", type = "function_call", status = "completed", call_id = "call_1", name = name,
    arguments = arguments }
end

local weather = { type = "function", name = "get_weather", description = "d", parameters = { type = "object" },
  strict = true }

describe("system text", function()
  it("TR-01 one system text is instructions, and instructions are system text", function()
    local body = from_chat({ messages = { { role = "system", content = "be short" },
      { role = "user", content = "hi" } } })
    assert.are.equal("be short", body.instructions)
    assert.are.same({ { type = "message", role = "user", content = "hi" } }, body.input)
    local sent = to_messages({ instructions = "be short" })
    assert.are.equal("be short", sent.system)
  end)

  it("TR-03 several system texts keep their order, with instructions first", function()
    local body = from_chat({ messages = { { role = "system", content = "a" }, { role = "system", content = "b" },
      { role = "user", content = "hi" } } })
    assert.is_nil(body.instructions)
    assert.are.same({ "a", "b", "hi" }, { body.input[1].content, body.input[2].content, body.input[3].content })
    local sent = to_chat({ instructions = "a", input = { { role = "developer", content = "b" },
      { role = "user", content = "hi" } } }, { developer_role = true })
    assert.are.same({ { role = "system", content = "a" }, { role = "developer", content = "b" },
      { role = "user", content = "hi" } }, sent.messages)
  end)

  it("TR-02 developer stays, or becomes system where the server does not know it", function()
    local body = { messages = { { role = "developer", content = "a" }, { role = "user", content = "hi" } } }
    assert.are.equal("developer", from_chat(body).input[1].role)
    assert.are.equal("a", from_chat(body, { developer_role = false }).instructions)
  end)

  it("TR-04 late system text stays where it was, without a loss", function()
    local body, losses = from_chat({ messages = { { role = "user", content = "hi" },
      { role = "system", content = "late" } } })
    assert.are.same({ type = "message", role = "system", content = "late" }, body.input[2])
    assert.are.same({}, losses)
  end)

  it("TR-05 a cache marker makes the text an input item with a breakpoint, or is reported", function()
    local system = { { type = "text", text = "long", cache_control = { type = "ephemeral" } } }
    local body, losses = from_messages({ system = system }, { cache_breakpoints = true })
    assert.is_nil(body.instructions)
    assert.are.same({ { type = "input_text", text = "long", prompt_cache_breakpoint = { mode = "explicit" } } },
      body.input[1].content)
    assert.are.same({}, losses)
    local _, lost = from_messages({ system = system })
    assert.are.same({ "cache_control" }, lost)
  end)

  it("TR-07 Claude Code's billing text does not reach the provider", function()
    local body = from_messages({ system = { { type = "text", text = "x-anthropic-billing-header: cch=1;" },
      { type = "text", text = "be short" } } })
    assert.are.equal("be short", body.instructions)
  end)

  it("TR-12 TR-13 names are reported, refusals in history keep their kind", function()
    local body, losses = from_chat({ messages = { { role = "user", name = "ann", content = "hi" },
      { role = "assistant", content = json.null, refusal = "no" }, { role = "user", content = "why" } } })
    assert.are.same({ "messages[].name" }, losses)
    assert.are.same({ { type = "refusal", refusal = "no" } }, body.input[2].content)
  end)
end)

describe("tools", function()
  it("TR-14 TR-15 TR-16 definitions are flat, schemas are copied whole", function()
    local schema = '{"type":"object","$defs":{"z":1,"a":12345678901234567890},"anyOf":[]}'
    local text = load.request(chat, D, nil, { model = "m", quirks = {} }, {}, nil, json.encode({
      messages = { { role = "user", content = "hi" } }, tools = { { type = "function",
        ["function"] = { name = "f", description = "d", parameters = json.raw(schema), strict = true } },
        { type = "function", ["function"] = { name = "g" } } } }))
    assert.is_truthy(text:find('"parameters":' .. schema, 1, true))
    local tools = json.decode(text).tools
    assert.are.same({ "f", "d", true }, { tools[1].name, tools[1].description, tools[1].strict })
    assert.are.same({ type = "object", properties = {} }, tools[2].parameters)
    local back = to_chat({ tools = { weather } })
    assert.are.same({ name = "get_weather", description = "d", parameters = { type = "object" }, strict = true },
      back.tools[1]["function"])
  end)

  it("TR-18 a schema that nobody called strict is not made strict by the API's default", function()
    assert.is_false(from_messages({ tools = { { name = "f", input_schema = { type = "object" } } } }).tools[1].strict)
  end)

  it("TR-19 long and odd names are mapped and mapped back", function()
    local long = ("x"):rep(80)
    local body, _, hop = from_messages({ tools = { { name = long, input_schema = { type = "object" } },
      { name = "a.b", input_schema = { type = "object" } } }, tool_choice = { type = "tool", name = "a.b" },
      messages = { { role = "user", content = "hi" }, { role = "assistant", content = {
        { type = "tool_use", id = "t1", name = long, input = { x = 1 } } } },
        { role = "user", content = { { type = "tool_result", tool_use_id = "t1", content = "ok" } } } } })
    for _, tool in ipairs(body.tools) do assert.is_true(#tool.name <= 64 and not tool.name:find("[^%w_-]")) end
    assert.are.equal(body.tools[2].name, body.tool_choice.name)
    assert.are.equal(body.tools[1].name, body.input[2].name)
    assert.are.equal(long, told(hop, response({ call(body.tools[1].name, "{}") })).content[1].name)
  end)

  it("TR-20 hosted tools are reported; when none is left the choice goes, too", function()
    local body, losses = to_chat({ tools = { { type = "web_search" } }, tool_choice = "required",
      parallel_tool_calls = false })
    assert.is_nil(body.tools)
    assert.is_nil(body.tool_choice)
    assert.is_nil(body.parallel_tool_calls)
    assert.are.same({ "tools[](web_search)", "tool_choice" }, losses)
  end)

  it("TR-21 choices, hosted ones and allowed tools too", function()
    for _, mode in ipairs { "auto", "none", "required" } do
      assert.are.equal(mode, to_chat({ tools = { weather }, tool_choice = mode }).tool_choice)
      assert.are.equal(mode, from_chat({ tools = { { type = "function", ["function"] = { name = "f" } } },
        tool_choice = mode }).tool_choice)
    end
    local named = to_messages({ tools = { weather }, tool_choice = { type = "function", name = "get_weather" } })
    assert.are.same({ type = "tool", name = "get_weather" }, named.tool_choice)
    local allowed = { type = "allowed_tools", mode = "required", tools = { { type = "function",
      name = "get_weather" } } }
    local only = to_chat({ tools = { weather }, tool_choice = allowed })
    assert.are.same({ type = "allowed_tools", allowed_tools = { mode = "required", tools = { { type = "function",
      ["function"] = { name = "get_weather" } } } } }, only.tool_choice)
    local hosted, losses = to_chat({ tools = { weather, { type = "file_search" } },
      tool_choice = { type = "file_search" } })
    assert.is_nil(hosted.tool_choice)
    assert.are.same({ "tools[](file_search)", "tool_choice" }, losses)
    assert.are.equal("tool_choice", refusal(to_chat, { tools = { weather }, tool_choice = "any" }).field)
  end)

  it("TR-25 one call a turn", function()
    assert.is_true(to_messages({ tools = { weather }, parallel_tool_calls = false }).tool_choice
      .disable_parallel_tool_use)
    assert.is_false(from_messages({ tools = { { name = "f", input_schema = { type = "object" } } },
      tool_choice = { type = "auto", disable_parallel_tool_use = true } }).parallel_tool_calls)
  end)

  it("TR-26 arguments are text here and objects there, byte for byte", function()
    local arguments = '{"b": 12345678901234567890, "a": 1.50}'
    local text = load.request(D, messages, nil, { model = "m", quirks = {} }, {}, nil, json.encode({
      max_output_tokens = 9, input = { { role = "user", content = "hi" }, call("f", arguments),
        { type = "function_call_output", call_id = "call_1", output = "ok" } } }))
    assert.is_truthy(text:find('"input":' .. arguments, 1, true))
    local empty = to_messages({ input = { { role = "user", content = "hi" }, call("f", ""),
      { type = "function_call_output", call_id = "call_1", output = "ok" } } })
    assert.are.equal("{}", json.encode(empty.messages[2].content[1].input))
  end)

  it("TR-27 TR-28 calls meet their results by call_id, never by the item's id", function()
    local input = { { role = "user", content = "hi" }, call("f", "{}"),
      { id = "fc_2", type = "function_call", call_id = "call_2", name = "g", arguments = "{}" },
      { type = "function_call_output", call_id = "call_2", output = "two" },
      { type = "function_call_output", call_id = "call_1", output = "one" }, { role = "user", content = "so?" } }
    local sent = to_messages({ input = input })
    assert.are.equal(3, #sent.messages)
    assert.are.same({ "call_1", "call_2" }, { sent.messages[2].content[1].id, sent.messages[2].content[2].id })
    assert.are.same({ "call_2", "call_1", "so?" }, { sent.messages[3].content[1].tool_use_id,
      sent.messages[3].content[2].tool_use_id, sent.messages[3].content[3].text })
    local shown = to_chat({ input = input })
    assert.are.same({ "user", "assistant", "tool", "tool", "user" }, { shown.messages[1].role, shown.messages[2].role,
      shown.messages[3].role, shown.messages[4].role, shown.messages[5].role })
  end)

  it("TR-29 results carry images and documents, both ways", function()
    local image = { type = "image", source = { type = "base64", media_type = "image/png", data = "AA==" } }
    local history = { { role = "user", content = "hi" },
      { role = "assistant", content = { { type = "tool_use", id = "t1", name = "f", input = {} } } },
      { role = "user", content = { { type = "tool_result", tool_use_id = "t1", content = {
        { type = "text", text = "see" }, image } } } } }
    local body, losses = from_messages({ messages = history })
    assert.are.same({ { type = "input_text", text = "see" }, { type = "input_image",
      image_url = "data:image/png;base64,AA==" } }, body.input[3].output)
    assert.are.same({}, losses)
    body.max_output_tokens, body.include, body.store = 100, nil, nil
    local back = send(D, messages, body)
    assert.are.same(image, back.messages[3].content[1].content[2])
  end)

  it("TR-30 a failed result says so in its text", function()
    local history = { { role = "user", content = "hi" },
      { role = "assistant", content = { { type = "tool_use", id = "t1", name = "f", input = {} } } },
      { role = "user", content = { { type = "tool_result", tool_use_id = "t1", content = "boom",
        is_error = true } } } }
    local body, losses = from_messages({ messages = history })
    assert.are.equal("Error: boom", body.input[3].output)
    assert.are.same({ "messages[].content[].is_error(sent as text)" }, losses)
  end)

  it("TR-32 text next to calls stays in its place", function()
    local sent = to_messages({ input = { { role = "user", content = "hi" },
      { type = "message", role = "assistant", content = { { type = "output_text", text = "I look." } } },
      call("f", "{}"), { type = "function_call_output", call_id = "call_1", output = "ok" } } })
    assert.are.same({ "text", "tool_use" }, { sent.messages[2].content[1].type, sent.messages[2].content[2].type })
  end)

  it("TR-34 custom tools take one text, wrapped as an object and back", function()
    local body = { tools = { { type = "custom", name = "sql", description = "d", format = { type = "text" } } },
      tool_choice = { type = "custom", name = "sql" }, input = { { role = "user", content = "hi" },
        { type = "custom_tool_call", call_id = "c1", name = "sql", input = 'select "a"' },
        { type = "custom_tool_call_output", call_id = "c1", output = "1" } } }
    local sent, losses, hop = to_messages(body)
    assert.are.same({ type = "object", properties = { input = { type = "string" } }, required = { "input" },
      additionalProperties = false }, sent.tools[1].input_schema)
    assert.are.same({ input = 'select "a"' }, sent.messages[2].content[1].input)
    assert.are.same({ type = "tool", name = "sql" }, sent.tool_choice)
    assert.are.same({}, losses)
    local answer = told(hop, { type = "message", id = "msg_1", role = "assistant", model = "c",
      stop_reason = "tool_use", stop_sequence = json.null, usage = { input_tokens = 1, output_tokens = 1 },
      content = { { type = "tool_use", id = "t1", name = "sql", input = { input = "select 2" } } } })
    assert.are.same({ "custom_tool_call", "t1", "sql", "select 2" }, { answer.output[1].type,
      answer.output[1].call_id, answer.output[1].name, answer.output[1].input })
  end)
end)

describe("content", function()
  it("TR-37 TR-39 images by data, URL and detail", function()
    local body = from_chat({ messages = { { role = "user", content = { { type = "text", text = "see" },
      { type = "image_url", image_url = { url = "data:image/png;base64,AA==", detail = "low" } },
      { type = "image_url", image_url = { url = "https://e.test/a.png" } } } } } })
    assert.are.same({ { type = "input_text", text = "see" },
      { type = "input_image", image_url = "data:image/png;base64,AA==", detail = "low" },
      { type = "input_image", image_url = "https://e.test/a.png" } }, body.input[1].content)
  end)

  it("TR-38 documents by bytes, URL and text", function()
    local body, losses = from_messages({ messages = { { role = "user", content = {
      { type = "document", title = "a.pdf", source = { type = "base64", media_type = "application/pdf", data = "AA" } },
      { type = "document", source = { type = "url", url = "https://e.test/a.pdf" } },
      { type = "document", source = { type = "text", media_type = "text/plain", data = "once" } } } } } })
    assert.are.same({ { type = "input_file", filename = "a.pdf", file_data = "data:application/pdf;base64,AA" },
      { type = "input_file", file_url = "https://e.test/a.pdf" }, { type = "input_text", text = "once" } },
      body.input[1].content)
    assert.are.same({ "messages[].content[](document sent as text)" }, losses)
  end)

  it("files that OpenAI keeps are refused elsewhere, with their place", function()
    for _, part in ipairs { { type = "input_file", file_id = "file-1" }, { type = "input_image",
      file_id = "file-1" } } do
      local err = refusal(to_messages, { input = { { role = "user", content = { part } } } })
      assert.are.equal("input[0].content[0]", err.field)
    end
  end)
end)

describe("limits and sampling", function()
  it("TR-41 TR-45 TR-46 TR-47 what has a field and what has none", function()
    local body, losses = from_chat({ max_completion_tokens = 50, temperature = 1.5, top_p = 0.5, stop = "x", top_k = 3,
      seed = 1, frequency_penalty = 0.5, presence_penalty = 0.5, logit_bias = { ["1"] = 2 }, logprobs = true,
      top_logprobs = 2 })
    assert.are.same({ 50, 1.5, 0.5, 2 }, { body.max_output_tokens, body.temperature, body.top_p, body.top_logprobs })
    assert.are.same({ "reasoning.encrypted_content", "message.output_text.logprobs" }, body.include)
    table.sort(losses)
    assert.are.same({ "frequency_penalty", "logit_bias", "presence_penalty", "seed", "stop", "top_k" }, losses)
    assert.are.equal("n", refusal(from_chat, { n = 2 }).field)
    local raised, lost = from_chat({ max_tokens = 5 }, { max_tokens_min = 16 })
    assert.are.equal(16, raised.max_output_tokens)
    assert.are.same({ "max_tokens(raised to 16)" }, lost)
  end)

  it("TR-48 TR-49 user, tier, and what OpenAI's two APIs share", function()
    local body, losses = from_chat({ user = "u1", service_tier = "flex", metadata = { a = "b" }, verbosity = "low",
      prompt_cache_key = "k", safety_identifier = "s" })
    assert.are.same({ "u1", "flex", { a = "b" }, "low", "k", "s" }, { body.user, body.service_tier, body.metadata,
      body.text.verbosity, body.prompt_cache_key, body.safety_identifier })
    assert.are.same({}, losses)
    assert.is_nil(from_chat({ user = "ann@e.test" }).user)
  end)

  it("TR-50 what the provider keeps is refused with its field; what is stateless is not", function()
    assert.are.equal("previous_response_id", refusal(to_chat, { previous_response_id = "resp_1" }).field)
    assert.are.equal("conversation", refusal(to_chat, { conversation = "conv_1" }).field)
    assert.are.equal("prompt", refusal(to_chat, { prompt = { id = "pmpt_1" } }).field)
    assert.are.equal("background", refusal(to_chat, { background = true }).field)
    assert.are.equal("input[1]", refusal(to_chat, { input = { { role = "user", content = "hi" },
      { type = "item_reference", id = "rs_1" } } }).field)
    local _, losses = to_chat({ store = false, background = false, previous_response_id = json.null,
      truncation = "disabled", include = { "reasoning.encrypted_content" } })
    assert.are.same({}, losses)
    local _, lost = to_chat({ store = true, truncation = "auto", include = { "web_search_call.action.sources" } })
    assert.are.same({ "store", "truncation", "include(web_search_call.action.sources)" }, lost)
    assert.is_false(from_chat({}).store)
  end)

  it("TR-52 TR-53 formats", function()
    local schema = { type = "object", properties = { a = { type = "string" } } }
    local body = from_chat({ response_format = { type = "json_schema", json_schema = { name = "n", schema = schema,
      strict = false, description = "d" } } })
    assert.are.same({ type = "json_schema", name = "n", schema = schema, strict = false, description = "d" },
      body.text.format)
    assert.are.same({ type = "json_object" }, from_chat({ response_format = { type = "json_object" } }).text.format)
    local sent = to_messages({ text = { format = { type = "json_schema", name = "n", schema = schema } } })
    assert.are.same({ type = "json_schema", schema = schema }, sent.output_config.format)
    assert.are.equal("text.format.schema", refusal(to_chat, { text = { format = { type = "json_schema" } } }).field)
  end)
end)

describe("reasoning", function()
  it("TR-56 TR-57 efforts, budgets, and models that cannot", function()
    assert.are.equal("high", from_chat({ reasoning_effort = "high" }).reasoning.effort)
    local body, losses = from_messages({ max_tokens = 9000, thinking = { type = "enabled", budget_tokens = 3000 } })
    assert.are.equal("medium", body.reasoning.effort)
    assert.are.same({ "thinking.budget_tokens(sent as effort medium)" }, losses)
    local plain, lost = from_chat({ reasoning_effort = "high" }, { reasoning = "none" })
    assert.is_nil(plain.reasoning)
    assert.is_nil(plain.include)
    assert.are.same({ "thinking" }, lost)
    assert.are.equal("none", from_chat({ reasoning_effort = "none" }, { reasoning_off = "none" }).reasoning.effort)
    assert.are.equal("low", to_chat({ reasoning = { effort = "low", summary = "auto" } }).reasoning_effort)
    assert.are.same({}, select(2, to_chat({ reasoning = { effort = json.null, summary = json.null } })))
  end)

  it("a summary is asked for where thoughts shall be shown", function()
    assert.is_nil(from_chat({ reasoning_effort = "low" }).reasoning.summary)
    assert.are.equal("auto", from_chat({ reasoning_effort = "low" }, { summary = "auto" }).reasoning.summary)
    assert.are.equal("auto", from_messages({ max_tokens = 9000, thinking = { type = "adaptive",
      display = "summarized" } }).reasoning.summary)
  end)

  it("TR-44 sampling that the model refuses beside reasoning", function()
    local body, losses = from_chat({ temperature = 0.5, top_p = 1 }, { sampling = "none" })
    assert.is_nil(body.temperature)
    assert.is_nil(body.top_p)
    assert.are.same({ "temperature" }, losses)
  end)

  local reasoned = { id = "rs_1", type = "reasoning", encrypted_content = "gAAAA==", summary = {
    { type = "summary_text", text = "one" }, { type = "summary_text", text = "two" } } }
  local hidden = { id = "rs_2", type = "reasoning", encrypted_content = "gBBBB==", summary = json.array({}) }

  it("TR-58 encrypted reasoning survives a turn through an Anthropic client", function()
    local _, _, hop = from_messages({})
    local shown = told(hop, response({ reasoned, hidden, call("f", "{}") }))
    assert.are.same({ { type = "thinking", thinking = "one", signature = "" },
      { type = "thinking", thinking = "two", signature = "openai:gAAAA==" },
      { type = "redacted_thinking", data = "openai:gBBBB==" } },
      { shown.content[1], shown.content[2], shown.content[3] })
    local history = { { role = "user", content = "hi" }, { role = "assistant", content = shown.content },
      { role = "user", content = { { type = "tool_result", tool_use_id = "call_1", content = "ok" } } } }
    local body, losses = from_messages({ messages = history })
    assert.are.same({ type = "reasoning", summary = reasoned.summary, encrypted_content = "gAAAA==" }, body.input[2])
    assert.are.same({ type = "reasoning", summary = {}, encrypted_content = "gBBBB==" }, body.input[3])
    assert.are.equal("function_call", body.input[4].type)
    assert.are.same({}, losses)
    -- Another maker's provider is not sent what it cannot read.
    local other, lost = from_messages({ messages = history }, { signer = "xai" })
    assert.are.equal("function_call", other.input[2].type)
    assert.are.same({ "messages[].thinking(unsigned)", "messages[].thinking(signed by openai)" }, lost)
    local claude, from_claude = send(messages, chat, { max_tokens = 9, messages = history })
    assert.is_nil(json.encode(claude):find("gAAAA", 1, true))
    assert.is_true(#from_claude > 0)
  end)

  it("TR-59 and through a Chat client", function()
    local _, _, hop = from_chat({})
    local shown = told(hop, response({ reasoned, call("f", "{}") })).choices[1].message
    assert.are.equal("onetwo", shown.reasoning_content)
    local body = from_chat({ messages = { { role = "user", content = "hi" }, shown,
      { role = "tool", tool_call_id = "call_1", content = "ok" } } })
    assert.are.equal("gAAAA==", body.input[2].encrypted_content)
  end)

  it("TR-58 Claude's signatures survive a turn through a Responses client", function()
    local _, _, hop = to_messages({})
    local shown = told(hop, { type = "message", id = "msg_1", role = "assistant", model = "c",
      stop_reason = "tool_use", stop_sequence = json.null, usage = { input_tokens = 1, output_tokens = 1 },
      content = { { type = "thinking", thinking = "hm", signature = "SIG=" },
        { type = "redacted_thinking", data = "DATA=" }, { type = "thinking", thinking = "", signature = "EMPTY=" },
        { type = "tool_use", id = "t1", name = "f", input = { a = 1 } } } })
    assert.are.same({ "reasoning", "reasoning", "reasoning", "function_call" }, { shown.output[1].type,
      shown.output[2].type, shown.output[3].type, shown.output[4].type })
    local input = { { role = "user", content = "hi" } }
    for _, item in ipairs(shown.output) do input[#input + 1] = item end
    input[#input + 1] = { type = "function_call_output", call_id = "t1", output = "ok" }
    local body, losses = to_messages({ input = input })
    assert.are.same({ { type = "thinking", thinking = "hm", signature = "SIG=" },
      { type = "redacted_thinking", data = "DATA=" }, { type = "thinking", thinking = "", signature = "EMPTY=" },
      { type = "tool_use", id = "t1", name = "f", input = { a = 1 } } }, body.messages[2].content)
    assert.are.same({}, losses)
  end)

  it("TR-61 thoughts under every name", function()
    local _, _, hop = from_messages({})
    local function thought(item, more) return told(hop, response({ item, message("a") }, more)).content[1].thinking end
    assert.are.equal("full", thought({ type = "reasoning", id = "rs_1", summary = { { type = "summary_text",
      text = "short" } }, content = { { type = "reasoning_text", text = "full" } } }))
    assert.are.equal("beside", thought(nil, { reasoning = "beside", output = { message("a") } }))
  end)
end)

describe("answers", function()
  it("TR-63 TR-64 statuses are reasons, and reasons are statuses", function()
    local _, _, hop = from_chat({})
    local function finish(output, status, reason)
      return told(hop, response(output, { status = status, incomplete_details = reason and { reason = reason }
        or json.null })).choices[1].finish_reason
    end
    assert.are.equal("stop", finish({ message("a") }, "completed"))
    assert.are.equal("tool_calls", finish({ message("a"), call("f", "{}") }, "completed"))
    assert.are.equal("length", finish({ message("a") }, "incomplete", "max_output_tokens"))
    assert.are.equal("content_filter", finish({ message("a") }, "incomplete", "content_filter"))
    local _, _, back = to_chat({})
    local function status(reason)
      local body = told(back, { id = "c", model = "g", choices = { { index = 0, finish_reason = reason,
        message = { role = "assistant", content = "a" } } } })
      return body.status, body.incomplete_details ~= json.null and body.incomplete_details.reason or nil,
        body.output[1].status
    end
    assert.are.same({ "completed", nil, "completed" }, { status("stop") })
    assert.are.same({ "incomplete", "max_output_tokens", "incomplete" }, { status("length") })
    assert.are.same({ "incomplete", "content_filter", "incomplete" }, { status("content_filter") })
  end)

  it("TR-64 a refusal in words is a refusal everywhere", function()
    local _, _, hop = from_messages({})
    local shown = told(hop, response({ { id = "msg_1", type = "message", status = "completed", role = "assistant",
      content = { { type = "refusal", refusal = "I will not." } } } }))
    assert.are.same({ "refusal", "I will not." }, { shown.stop_reason, shown.content[1].text })
  end)

  it("TR-68 TR-69 usage counts inclusively", function()
    local _, _, hop = from_messages({})
    local usage = told(hop, response({ message("a") })).usage
    assert.are.same({ 10, 100, 20, 30 }, { usage.input_tokens, usage.cache_read_input_tokens,
      usage.cache_creation_input_tokens, usage.output_tokens })
    local _, _, back = to_messages({})
    local own = told(back, { type = "message", id = "m", role = "assistant", model = "c",
      content = json.array({}), stop_reason = "end_turn", usage = usage }).usage
    assert.are.same({ 130, 100, 20, 30, 10, 160 }, { own.input_tokens, own.input_tokens_details.cached_tokens,
      own.input_tokens_details.cache_write_tokens, own.output_tokens, own.output_tokens_details.reasoning_tokens,
      own.total_tokens })
  end)

  it("TR-93 ids, model and time, and the request repeated", function()
    local body = { input = "hi", instructions = "be", temperature = 0.5, metadata = { a = "b" }, tools = { weather },
      text = { verbosity = "low" }, max_output_tokens = 99 }
    local _, _, hop = to_messages(body)
    local shown = told(hop, { type = "message", id = "msg_x", role = "assistant", model = "c", stop_reason = "end_turn",
      content = { { type = "text", text = "a" }, { type = "text", text = "b" } },
      usage = { input_tokens = 1, output_tokens = 1 } })
    assert.are.same({ "resp_msg_x", "alias", "response", 0.5, 99, "be", "low" }, { shown.id, shown.model, shown.object,
      shown.temperature, shown.max_output_tokens, shown.instructions, shown.text.verbosity })
    assert.are.same({ a = "b" }, shown.metadata)
    assert.are.equal("get_weather", shown.tools[1].name)
    assert.is_number(shown.created_at)
    -- Clients take an answer's text out of one part.
    assert.are.equal("ab", shown.output[1].content[1].text)
    assert.is_nil(shown.output[1].content[2])
    assert.are.same({ "msg_", false }, { shown.output[1].id:sub(1, 4), shown.store })
  end)

  it("TR-50 TR-93 an answer that the gateway keeps says so, under an id of its own", function()
    local answer = { type = "message", id = "msg_x", role = "assistant", model = "c", stop_reason = "end_turn",
      content = { { type = "text", text = "a" } }, usage = { input_tokens = 1, output_tokens = 1 } }
    local keeping = { model = "alias", keeps = true, previous = "resp_before" }
    local _, lost, hop = send(D, messages, { input = "hi", store = true }, nil, keeping)
    assert.are.same({ "max_tokens(default 8192)" }, lost)
    local shown = told(hop, answer)
    assert.are.same({ true, "resp_before" }, { shown.store, shown.previous_response_id })
    assert.is_truthy(shown.id:find("^resp_%w+$"))
    assert.are_not.equal("resp_msg_x", shown.id)
    assert.are_not.equal(shown.id, told(hop, answer).id)
  end)

  it("citations keep their place in the whole answer", function()
    local _, _, hop = from_chat({})
    local cited = { type = "url_citation", url = "https://e.test", title = "E", start_index = 1, end_index = 2 }
    local shown = told(hop, response({ message("dé"), message("abc", { cited }) })).choices[1].message
    assert.are.same({ url = "https://e.test", title = "E", start_index = 3, end_index = 4 },
      shown.annotations[1].url_citation)
  end)

  it("TR-88 a failed, cancelled or unfinished response is an error", function()
    local _, _, hop = from_chat({})
    local function status(more) return select(2, told(hop, response({}, more))) end
    assert.are.equal(429, status({ status = "failed", error = { code = "rate_limit_exceeded", message = "slow" } }))
    assert.are.equal(500, status({ status = "failed", error = { code = "server_error", message = "x" } }))
    assert.are.equal(400, status({ status = "failed", error = { code = "invalid_image", message = "x" } }))
    assert.are.equal(502, status({ status = "cancelled" }))
    assert.are.equal(502, status({ status = "queued" }))
  end)

  it("TR-20 items of tools that the provider ran are reported", function()
    local _, _, hop = from_chat({})
    told(hop, response({ { type = "web_search_call", id = "ws_1", status = "completed" }, message("a") }))
    assert.are.same({ "content[](web_search_call)" }, hop.asked.losses)
  end)
end)
