-- The known pitfalls of translating requests to and from Gemini, by their stable numbers (TR-01 … TR-96). Answers and
-- errors are in gemini_answers_spec.lua, streams in gemini_streams_spec.lua, recorded traffic in
-- gemini_recorded_spec.lua.

local gemini = dofile("tests/lua/dialects/gemini_exchange.lua")
local strange = dofile("tests/lua/dialects/strange.lua")
local load, D = gemini.load, gemini.D
local json, refusal = load.gw.json, gemini.exchange.refusal
local send, user, said, call, result = gemini.send, gemini.user, gemini.said, gemini.call, gemini.result
local from_chat, from_anthropic = gemini.from_chat, gemini.from_anthropic
local to_chat, to_anthropic = gemini.to_chat, gemini.to_anthropic

local function tool(name, parameters)
  return { type = "function", ["function"] = { name = name, parameters = parameters } }
end

local weather = { type = "object", properties = { city = { type = "string" } } }

describe("system text and roles, towards Gemini", function()
  it("TR-01 TR-03 every system message is a part of systemInstruction, in order", function()
    local body = from_chat({ messages = { { role = "system", content = "a" }, { role = "developer", content = "b" },
      { role = "system", content = { { type = "text", text = "c" }, { type = "text", text = "d" } } }, user } })
    assert.are.same({ parts = { { text = "a" }, { text = "b" }, { text = "c" }, { text = "d" } } },
      body.systemInstruction)
    assert.are.same({ said("hi") }, body.contents)
  end)

  it("TR-04 late system text is moved to the top and reported", function()
    local body, losses = from_chat({ messages = { user, { role = "system", content = "late" } } })
    assert.are.same({ parts = { { text = "late" } } }, body.systemInstruction)
    assert.are.same({ "messages[].role(late system text moved to the top)" }, losses)
  end)

  it("TR-06 a model without a system instruction gets it in front of the first user turn", function()
    local body, losses = from_chat({ messages = { { role = "system", content = "be" }, user } }, { system = false })
    assert.is_nil(body.systemInstruction)
    assert.are.same({ { role = "user", parts = { { text = "be" }, { text = "hi" } } } }, body.contents)
    assert.are.same({ "system(moved into the first user turn)" }, losses)
    body = from_chat({ messages = { { role = "system", content = "be" }, { role = "assistant", content = "a" } } },
      { system = false })
    assert.are.same({ said("be"), { role = "model", parts = { { text = "a" } } } }, body.contents)
  end)

  it("TR-07 Claude Code's billing text does not reach Gemini", function()
    local body, losses = from_anthropic({ system = { { type = "text", text = "x-anthropic-billing-header: cch=1;" },
      { type = "text", text = "be" } } })
    assert.are.same({ parts = { { text = "be" } } }, body.systemInstruction)
    assert.are.same({ "system[](billing header)" }, losses)
  end)

  it("TR-08 TR-09 roles are user and model; turns of one role are merged in order", function()
    local body = from_chat({ messages = { { role = "user", content = "a" }, { role = "user", content = "b" },
      { role = "assistant", content = "c" }, { role = "assistant", content = "d" }, user } })
    assert.are.same({ { role = "user", parts = { { text = "a" }, { text = "b" } } },
      { role = "model", parts = { { text = "c" }, { text = "d" } } }, said("hi") }, body.contents)
  end)

  it("TR-10 a history that ends with the model stays so", function()
    local body = from_chat({ messages = { user, { role = "assistant", content = "{" } } })
    assert.are.equal("model", body.contents[2].role)
    assert.are.equal(2, #body.contents)
  end)

  it("TR-11 empty turns are dropped, images alone get a text, nothing becomes a blank turn", function()
    local body, losses = from_chat({ messages = { user, { role = "assistant", content = "" },
      { role = "assistant", content = json.null }, { role = "user", content = "b" } } })
    assert.are.same({ { role = "user", parts = { { text = "hi" }, { text = "b" } } } }, body.contents)
    assert.are.same({}, losses)
    body, losses = from_chat({ messages = { { role = "user", content = { { type = "image_url",
      image_url = { url = "data:image/png;base64,AA" } } } } } })
    assert.are.same({ { text = " " }, { inlineData = { mimeType = "image/png", data = "AA" } } },
      body.contents[1].parts)
    assert.are.same({ "messages[].content(blank text added)" }, losses)
    body, losses = from_chat({ messages = { { role = "system", content = "s" } } })
    assert.are.same({ said(" ") }, body.contents)
    assert.are.same({ "messages(blank user turn added)" }, losses)
  end)

  it("TR-12 TR-13 names are reported, refusals become text", function()
    local body, losses = from_chat({ messages = { { role = "user", name = "bob", content = "a" },
      { role = "assistant", refusal = "no" } } })
    assert.are.same({ role = "model", parts = { { text = "no" } } }, body.contents[2])
    assert.are.same({ "messages[].name" }, losses)
  end)
end)

describe("what a Gemini client sends", function()
  it("TR-01 is read in camelCase and in snake_case, with or without a role", function()
    for _, text in ipairs({
      [[{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"parts":[{"text":"a"},{"inlineData":{"mimeType":
      "image/png","data":"AA"}}]}],"generationConfig":{"maxOutputTokens":7,"topP":0.5,"stopSequences":["x"]}}]],
      [[{"system_instruction":{"parts":{"text":"s"}},"contents":[{"role":"user","parts":[{"text":"a"},{"inline_data":
      {"mime_type":"image/png","data":"AA"}}]}],"generation_config":{"max_output_tokens":7,"top_p":0.5,
      "stop_sequences":["x"]}}]] }) do
      local body, losses = send(D, load.chat, json.decode(text))
      assert.are.same({ { role = "system", content = "s" }, { role = "user", content = { { type = "text", text = "a" },
        { type = "image_url", image_url = { url = "data:image/png;base64,AA" } } } } }, body.messages)
      assert.are.same({ 7, 0.5, { "x" } }, { body.max_tokens, body.top_p, body.stop })
      assert.are.same({}, losses)
    end
  end)

  it("TR-92 TR-93 the model comes with the path, and does not go into a body for Gemini", function()
    local normal = D.request_to_normal(json.decode('{"contents":[{"parts":[]}]}'), {}, { model = "route",
      stream = true })
    assert.are.same({ "route", true, true }, { normal.model, normal.stream, normal.stream_usage })
    local body = from_chat({ model = "x", stream = true })
    assert.is_nil(body.model)
    assert.is_nil(body.stream)
  end)

  it("TR-27 calls without ids are joined with their results by name and order", function()
    local body = to_anthropic({ contents = { said("hi"),
      { role = "model", parts = { { functionCall = { name = "f", args = { a = 1 } } },
        { functionCall = { name = "g" } }, { functionCall = { name = "f", args = { a = 2 } } } } },
      { role = "user", parts = { { functionResponse = { name = "g", response = { output = "G" } } },
        { functionResponse = { name = "f", response = { output = "F1" } } },
        { functionResponse = { name = "f", response = { output = "F2" } } } } } } })
    local calls, results = body.messages[2].content, body.messages[3].content
    assert.are.same({ calls[2].id, calls[1].id, calls[3].id },
      { results[1].tool_use_id, results[2].tool_use_id, results[3].tool_use_id })
    assert.are_not.equal(calls[1].id, calls[3].id)
    assert.are.same({}, calls[2].input)
  end)

  it("TR-27 the same history gives the same ids each time", function()
    local function ids()
      local body = to_chat({ contents = { said("hi"), { role = "model", parts = { { functionCall = { name = "f" } } } },
        { role = "user", parts = { { functionResponse = { name = "f", response = {} } } } } } })
      return body.messages[2].tool_calls[1].id
    end
    assert.are.equal(ids(), ids())
  end)

  it("TR-30 what a tool said comes as text, an error as one", function()
    local body = to_anthropic({ contents = { said("hi"),
      { role = "model", parts = { { functionCall = { id = "a", name = "f" } },
        { functionCall = { id = "b", name = "f" } }, { functionCall = { id = "c", name = "f" } } } },
      { parts = { { functionResponse = { id = "a", name = "f", response = { output = "fine" } } },
        { functionResponse = { id = "b", name = "f", response = { error = "broken" } } },
        { functionResponse = { id = "c", name = "f",
          response = json.raw('{"z":1, "a":12345678901234567890}') } } } } } })
    assert.are.same({
      { type = "tool_result", tool_use_id = "a", content = "fine" },
      { type = "tool_result", tool_use_id = "b", content = "broken", is_error = true },
      { type = "tool_result", tool_use_id = "c", content = '{"z":1, "a":12345678901234567890}' },
    }, body.messages[3].content)
  end)

  it("a history as a client was streamed it is put together again", function()
    local body = to_chat({ contents = { said("hi"), { role = "model", parts = { { text = "a" } } },
      { role = "model", parts = { { text = "b" } } }, { role = "model", parts = { { text = "" } } }, said("c") } })
    assert.are.same({ user, { role = "assistant", content = "ab" }, { role = "user", content = "c" } }, body.messages)
  end)

  it("TR-21 modes have their names in each dialect", function()
    local tools = { { functionDeclarations = { { name = "f", parameters = weather }, { name = "g" } } } }
    local function choice(config, send_to)
      local body, losses = send_to({ tools = tools, toolConfig = { functionCallingConfig = config } })
      return body.tool_choice, losses, body
    end
    assert.are.equal("auto", choice({ mode = "AUTO" }, to_chat))
    assert.are.equal("none", choice({ mode = "NONE" }, to_chat))
    assert.are.equal("required", choice({ mode = "any" }, to_chat))
    assert.are.same({ type = "tool", name = "g" },
      choice({ mode = "ANY", allowedFunctionNames = { "g" } }, to_anthropic))
    local chosen, losses = choice({ mode = "VALIDATED" }, to_chat)
    assert.are.equal("auto", chosen)
    assert.are.same({ "toolConfig.functionCallingConfig.mode(VALIDATED sent as AUTO)" }, losses)
    assert.are.equal("toolConfig.functionCallingConfig.mode",
      refusal(choice, { mode = "MAYBE" }, to_chat).field)
  end)

  it("TR-17 its schemas become JSON Schema for others; those that are both stay as they are", function()
    local body = to_chat({ tools = { { functionDeclarations = { { name = "f", parameters = { type = "OBJECT",
      properties = { n = { type = "INTEGER", nullable = true, minItems = "2", format = "int32" },
        e = { type = "STRING", format = "enum", enum = { "a" } },
        l = { type = "ARRAY", items = { anyOf = { { type = "STRING" }, { type = "NUMBER" } } } } },
      required = { "n" }, propertyOrdering = { "n", "e" } } } } } } })
    assert.are.same({ type = "object", required = { "n" }, properties = {
      n = { type = { "integer", "null" }, minItems = 2, format = "int32" }, e = { type = "string", enum = { "a" } },
      l = { type = "array", items = { anyOf = { { type = "string" }, { type = "number" } } } } },
    }, body.tools[1]["function"].parameters)
    local own = '{"type":"object", "properties":{"z":{"type":"string"},"a":{"type":"string"}}}'
    local _, _, _, text = to_chat({ tools = { { functionDeclarations = { { name = "f",
      parameters = json.raw(own) } } } } })
    assert.is_truthy(text:find(own, 1, true))
  end)

  it("TR-52 JSON formats are carried, with either schema", function()
    for field, schema in pairs({ responseJsonSchema = { type = "object" }, responseSchema = { type = "OBJECT" } }) do
      local body = to_chat({ generationConfig = { responseMimeType = "application/json", [field] = schema } })
      assert.are.same({ type = "object" }, body.response_format.json_schema.schema)
    end
    assert.are.same({ type = "json_object" },
      to_chat({ generationConfig = { responseMimeType = "application/json" } }).response_format)
    assert.is_nil(to_chat({ generationConfig = { responseMimeType = "text/plain" } }).response_format)
  end)

  it("TR-56 TR-57 thinking: budgets, levels, and off", function()
    local function asked_with(thinking, quirks)
      return to_chat({ generationConfig = { thinkingConfig = thinking } }, quirks).reasoning_effort
    end
    assert.are.equal("low", asked_with({ thinkingLevel = "LOW", includeThoughts = true }))
    assert.are.equal("medium", asked_with({ thinkingBudget = 2048 }))
    assert.are.equal("none", asked_with({ thinkingBudget = 0 }, { reasoning_off = "none" }))
    local body = to_anthropic({ generationConfig = { maxOutputTokens = 9000, thinkingConfig = {
      thinkingBudget = 2048 } } })
    assert.are.same({ type = "enabled", budget_tokens = 2048 }, body.thinking)
  end)

  it("TR-47 sampling and what has no place elsewhere", function()
    local body, losses = to_chat({ generationConfig = { candidateCount = 2, seed = 7, presencePenalty = 0.5,
      frequencyPenalty = 0.25, responseLogprobs = true, logprobs = 3, topK = 40, responseModalities = { "TEXT" },
      speechConfig = { voice = "x" } }, safetySettings = { { category = "c", threshold = "t" } },
      labels = { a_b = "c" } })
    assert.are.same({ 2, 7, 0.5, 0.25, true, 3 }, { body.n, body.seed, body.presence_penalty, body.frequency_penalty,
      body.logprobs, body.top_logprobs })
    assert.are.same({ "top_k", "generationConfig.speechConfig", "labels", "safetySettings" }, losses)
  end)

  it("TR-50 a cache of Google's is refused elsewhere: without it the request means something else", function()
    for _, send_to in ipairs({ to_chat, to_anthropic }) do
      assert.are.equal("cachedContent", refusal(send_to, { cachedContent = "cachedContents/x" }).field)
    end
  end)

  it("TR-20 tools that Google runs are reported, code it ran too", function()
    local body, losses = to_chat({ tools = { { googleSearch = {} }, { codeExecution = {} } },
      contents = { said("a"), { role = "model", parts = { { executableCode = { code = "1" } }, { text = "b" } } } } })
    assert.is_nil(body.tools)
    assert.are.same({ "tools[](googleSearch)", "tools[](codeExecution)",
      "messages[].content[](executableCode)" }, losses)
  end)

  it("TR-37 TR-38 TR-40 media find their place, and Google's own files are refused elsewhere", function()
    local function media(part) return { contents = { { parts = { { text = "a" }, part } } } } end
    local body = to_anthropic(media({ inlineData = { mimeType = "application/pdf", data = "AA" } }))
    assert.are.equal("document", body.messages[1].content[2].type)
    body = to_chat(media({ inlineData = { mimeType = "audio/wav", data = "AA" } }))
    assert.are.same({ data = "AA", format = "wav" }, body.messages[1].content[2].input_audio)
    body = to_chat(media({ fileData = { mimeType = "image/png", fileUri = "https://e.test/a.png" } }))
    assert.are.equal("https://e.test/a.png", body.messages[1].content[2].image_url.url)
    for _, uri in ipairs({ "gs://b/a.png", "https://generativelanguage.googleapis.com/v1beta/files/x" }) do
      for _, send_to in ipairs({ to_chat, to_anthropic }) do
        assert.are.equal("contents[0].parts[1]",
          refusal(send_to, media({ fileData = { mimeType = "image/png", fileUri = uri } })).field)
      end
    end
    assert.are.equal("contents[0].parts[1]",
      refusal(to_anthropic, media({ inlineData = { mimeType = "audio/wav", data = "AA" } })).field)
  end)
end)

describe("tools, towards Gemini", function()
  it("TR-14 TR-15 all functions in one tool object, schemas whole, with their numbers and key order", function()
    local schema = '{"type":"object","$defs":{"z":1,"a":12345678901234567890},"additionalProperties":false}'
    local _, _, _, text = from_chat({ tools = { tool("f", json.raw(schema)), tool("g") } })
    assert.is_truthy(text:find('"parametersJsonSchema":' .. schema, 1, true))
    local tools = json.decode(text).tools
    assert.are.equal(1, #tools)
    assert.are.same({ name = "g" }, tools[1].functionDeclarations[2])
  end)

  it("TR-17 models that take only the subset get references inlined, null as nullable, const as enum", function()
    local body, losses = from_chat({ tools = { tool("f", { type = "object", additionalProperties = false,
      ["$defs"] = { city = { type = "string", description = "d" } },
      properties = {
        a = { ["$ref"] = "#/$defs/city" }, b = { type = { "string", "null" } }, c = { const = "x" },
        d = { anyOf = { { type = "integer" }, { type = "null" } } }, e = { type = "array" },
        f = { allOf = { { type = "object", properties = { p = { type = "string" } }, required = { "p" } },
          { properties = { q = { type = "number" } }, required = { "q" } } } },
        g = { enum = { 1, 2 }, type = "integer" }, h = { enum = { "u", json.null } },
        i = { oneOf = { { type = "string" }, { type = "boolean" } } }, j = { type = { "string", "integer" } },
        k = { type = "string", format = "uri" } },
      required = { "a" } }) } }, { json_schema = false })
    assert.are.same({ type = "object", required = { "a" }, properties = {
      a = { type = "string", description = "d" }, b = { type = "string", nullable = true },
      c = { type = "string", enum = { "x" } }, d = { type = "integer", nullable = true },
      e = { type = "array", items = { type = "string" } },
      f = { type = "object", required = { "q", "p" },
        properties = { p = { type = "string" }, q = { type = "number" } } },
      g = { type = "integer" }, h = { type = "string", enum = { "u" }, nullable = true },
      i = { anyOf = { { type = "string" }, { type = "boolean" } } },
      j = { anyOf = { { type = "string" }, { type = "integer" } } }, k = { type = "string" },
    } }, body.tools[1].functionDeclarations[1].parameters)
    assert.are.same({ "tools[].parameters(additionalProperties)", "tools[].parameters(enum of other than strings)",
      "tools[].parameters(format)" }, losses)
  end)

  it("TR-17 keywords that a schema loses are reported in sorted order, in every process", function()
    local _, losses = from_chat({ tools = { tool("f", { type = "object", unevaluatedItems = false, contains = {},
      propertyNames = {}, additionalItems = false, dependentRequired = {}, multipleOf = 2, uniqueItems = true }) } },
      { json_schema = false })
    local sorted = { table.unpack(losses) }
    table.sort(sorted)
    assert.are.equal(7, #losses)
    assert.are.same(sorted, losses)
  end)

  it("TR-17 a schema that leads back to itself ends, and says so", function()
    local body, losses = from_chat({ tools = { tool("f", { type = "object", properties = {
      child = { ["$ref"] = "#" }, list = { type = "array", items = { ["$ref"] = "#/$defs/n" } } },
      ["$defs"] = { n = { type = "object", properties = { next = { ["$ref"] = "#/$defs/n" } } } } }) } },
      { json_schema = false })
    local sent = body.tools[1].functionDeclarations[1].parameters
    assert.are.same({ type = "object" }, sent.properties.list.items.properties.next)
    assert.are.equal("object", sent.properties.child.properties.child.type)
    assert.are.same({ "tools[].parameters($ref to itself)" }, losses)
  end)

  it("TR-17 each use of one definition is inlined", function()
    local body, losses = from_chat({ tools = { tool("f", { type = "object", ["$defs"] = { c = { type = "string" } },
      properties = { a = { ["$ref"] = "#/$defs/c" }, b = { ["$ref"] = "#/$defs/c" } } }) } }, { json_schema = false })
    assert.are.same({ a = { type = "string" }, b = { type = "string" } },
      body.tools[1].functionDeclarations[1].parameters.properties)
    assert.are.same({}, losses)
  end)

  it("TR-16 a function without parameters is sent without; an empty object where the model refuses it too", function()
    assert.are.same({ name = "f" }, from_chat({ tools = { tool("f") } }).tools[1].functionDeclarations[1])
    assert.are.same({ name = "f" }, from_chat({ tools = { tool("f", { type = "object", properties = {} }) } },
      { json_schema = false }).tools[1].functionDeclarations[1])
  end)

  it("TR-19 long and odd names are mapped, everywhere, and mapped back", function()
    local long = "mcp__" .. ("x"):rep(80)
    local asked = { model = "alias" }
    local body, _, hop = from_anthropic({ tools = { { name = long, input_schema = weather } },
      tool_choice = { type = "tool", name = long }, messages = { user,
        { role = "assistant", content = { { type = "tool_use", id = "t", name = long, input = weather } } },
        { role = "user", content = { { type = "tool_result", tool_use_id = "t", content = "x" } } } } }, nil, asked)
    local sent = body.tools[1].functionDeclarations[1].name
    assert.is_true(#sent <= 64 and not sent:find("[^%w_-]"))
    assert.are.same({ sent, sent, sent }, { body.toolConfig.functionCallingConfig.allowedFunctionNames[1],
      body.contents[2].parts[1].functionCall.name, body.contents[3].parts[1].functionResponse.name })
    local _, text = load.translate.response(hop, 200, json.encode(gemini.answer({ content = { role = "model", parts = {
      { functionCall = { name = sent, args = {} } } } } })))
    assert.are.equal(long, json.decode(text).content[1].name)
  end)

  it("TR-20 TR-21 choices: modes, names only where they are taken, nothing without tools", function()
    local tools = { tool("f", weather), tool("g", weather) }
    local function config(choice)
      return from_chat({ tools = tools, tool_choice = choice }).toolConfig.functionCallingConfig
    end
    assert.are.same({ mode = "AUTO" }, config("auto"))
    assert.are.same({ mode = "NONE" }, config("none"))
    assert.are.same({ mode = "ANY" }, config("required"))
    assert.are.same({ mode = "ANY", allowedFunctionNames = { "g" } }, config(tool("g")))
    assert.are.same({ mode = "ANY", allowedFunctionNames = { "f", "g" } }, config({ type = "allowed_tools",
      allowed_tools = { mode = "required", tools = tools } }))
    assert.are.same({ mode = "VALIDATED", allowedFunctionNames = { "f" } }, config({ type = "allowed_tools",
      allowed_tools = { mode = "auto", tools = { tools[1] } } }))
    local body, losses = from_anthropic({ tools = { { type = "web_search_20250305", name = "web_search" } },
      tool_choice = { type = "any" } })
    assert.is_nil(body.tools)
    assert.is_nil(body.toolConfig)
    assert.are.same({ "tools[](web_search_20250305)", "tool_choice" }, losses)
  end)

  it("TR-25 serial calls cannot be asked for, and that is reported", function()
    local _, losses = from_chat({ tools = { tool("f", weather) }, parallel_tool_calls = false })
    assert.are.same({ "parallel_tool_calls" }, losses)
  end)

  it("TR-26 arguments keep their numbers and key order; what is no object is wrapped and reported", function()
    local arguments = '{"z":12345678901234567890,"a":1.10}'
    local _, _, _, text = from_chat({ messages = { user,
      { role = "assistant", tool_calls = { call("c", "f", arguments) } }, result("c", "x") } })
    assert.is_truthy(text:find('"args":' .. arguments, 1, true))
    local body, losses = from_chat({ messages = { user, { role = "assistant", tool_calls = { call("c", "f", "{broken"),
      call("d", "f", "") } }, result("c", "x"), result("d", "y") } })
    assert.are.same({ _raw_arguments = "{broken" }, body.contents[2].parts[1].functionCall.args)
    assert.are.same({}, body.contents[2].parts[2].functionCall.args)
    assert.are.same({ "messages[].tool_calls[].function.arguments(not an object)" }, losses)
  end)

  it("TR-27 TR-28 TR-31 results of one turn: one content, in call order, by name, with or without ids", function()
    local body = { messages = { user,
      { role = "assistant", tool_calls = { call("a", "f", "{}"), call("b", "g", "{}") } }, result("b", "B"),
      result("a", "A"), { role = "user", content = "and?" } } }
    assert.are.same({ role = "user", parts = {
      { functionResponse = { id = "a", name = "f", response = { output = "A" } } },
      { functionResponse = { id = "b", name = "g", response = { output = "B" } } } } }, from_chat(body).contents[3])
    assert.are.same(said("and?"), from_chat(body).contents[4])
    local without = from_chat(body, { call_ids = false })
    assert.is_nil(without.contents[2].parts[1].functionCall.id)
    assert.is_nil(without.contents[3].parts[1].functionResponse.id)
  end)

  it("TR-29 TR-31 what a tool shows stands in the response where the model takes it, else after it", function()
    local function ask()
      return { messages = { user,
        { role = "assistant", content = { { type = "tool_use", id = "t", name = "f", input = weather } } },
        { role = "user", content = { { type = "tool_result", tool_use_id = "t", content = {
          { type = "text", text = "see" },
          { type = "image", source = { type = "base64", media_type = "image/png", data = "AA" } } } },
          { type = "text", text = "and?" } } } } }
    end
    local blob = { inlineData = { mimeType = "image/png", data = "AA" } }
    local body, losses = from_anthropic(ask(), { result_parts = true })
    assert.are.same({ blob }, body.contents[3].parts[1].functionResponse.parts)
    assert.are.same({}, losses)
    body, losses = from_anthropic(ask())
    assert.are.equal(1, #body.contents[3].parts)
    assert.are.same({ role = "user", parts = { blob, { text = "and?" } } }, body.contents[4])
    assert.are.same({ "messages[].content[].tool_result(image moved into the next user message)" }, losses)
  end)

  it("TR-30 TR-32 errors have their key, objects stay objects, text beside calls survives", function()
    local object = '{"b":1, "a":12345678901234567890}'
    local body, losses, _, text = from_anthropic({ messages = { user,
      { role = "assistant", content = { { type = "text", text = "look" },
        { type = "tool_use", id = "t", name = "f", input = weather },
        { type = "tool_use", id = "u", name = "f", input = weather } } },
      { role = "user", content = { { type = "tool_result", tool_use_id = "t", is_error = true, content = "no" },
        { type = "tool_result", tool_use_id = "u", content = object } } } } })
    assert.are.same({ error = "no" }, body.contents[3].parts[1].functionResponse.response)
    assert.is_truthy(text:find('"response":' .. object, 1, true))
    assert.are.equal("look", body.contents[2].parts[1].text)
    assert.are.same({}, losses)
  end)
end)

describe("media, towards Gemini", function()
  local function with(part, quirks)
    return from_chat({ messages = { { role = "user", content = { { type = "text", text = "a" }, part } } } }, quirks)
  end

  it("TR-37 bytes go inline; URLs only where Google holds the file, or fetches it", function()
    local body = with({ type = "image_url", image_url = { url = "data:image/png;base64,AA" } })
    assert.are.same({ inlineData = { mimeType = "image/png", data = "AA" } }, body.contents[1].parts[2])
    local url = { type = "image_url", image_url = { url = "https://e.test/a.JPG?x=1" } }
    local err = refusal(with, url)
    assert.are.equal("messages[0].content[1]", err.field)
    assert.are.same({ fileData = { fileUri = "https://e.test/a.JPG?x=1", mimeType = "image/jpeg" } },
      with(url, { file_urls = true }).contents[1].parts[2])
    body = with({ type = "image_url", image_url = { url = "gs://b/a.png" } })
    assert.are.same({ fileUri = "gs://b/a.png", mimeType = "image/png" }, body.contents[1].parts[2].fileData)
  end)

  it("TR-38 PDFs go inline, their name as text before them", function()
    local body, losses = with({ type = "file", file = { filename = "paper.pdf",
      file_data = "data:application/pdf;base64,AA" } })
    assert.are.same({ { text = "a" }, { text = "paper.pdf" },
      { inlineData = { mimeType = "application/pdf", data = "AA" } } }, body.contents[1].parts)
    assert.are.same({}, losses)
  end)

  it("TR-39 detail is a media resolution where the model takes one, else a loss", function()
    local image = { type = "image_url", image_url = { url = "data:image/png;base64,AA", detail = "low" } }
    assert.are.same({ level = "MEDIA_RESOLUTION_LOW" },
      with(image, { media_resolution = true }).contents[1].parts[2].mediaResolution)
    local _, losses = with(image)
    assert.are.same({ "messages[].content[].image_url.detail" }, losses)
  end)

  it("TR-40 audio goes inline", function()
    local body = with({ type = "input_audio", input_audio = { data = "AA", format = "mp3" } })
    assert.are.same({ inlineData = { mimeType = "audio/mp3", data = "AA" } }, body.contents[1].parts[2])
  end)

  it("a file id of another provider is refused", function()
    assert.are.equal("messages[0].content[1]", refusal(with, { type = "file", file = { file_id = "file-1" } }).field)
  end)
end)

describe("sampling and limits, towards Gemini", function()
  it("TR-41 TR-43 TR-46 limits, temperature and top_k have their names", function()
    local body, losses = from_chat({ max_tokens = 5, max_completion_tokens = 9, temperature = 1.7, top_p = 0.9,
      top_k = 40, n = 2, presence_penalty = 0.5 })
    assert.are.same({ maxOutputTokens = 9, temperature = 1.7, topP = 0.9, topK = 40, candidateCount = 2,
      presencePenalty = 0.5 }, body.generationConfig)
    assert.are.same({}, losses)
    assert.is_nil(from_chat({}).generationConfig)
  end)

  it("TR-43 a model that ignores sampling is not sent any, and that is reported", function()
    local body, losses = from_anthropic({ temperature = 0.2, top_p = 0.9, top_k = 3, max_tokens = 9 },
      { sampling = "none" })
    assert.are.same({ maxOutputTokens = 9 }, body.generationConfig)
    assert.are.same({ "temperature", "top_p", "top_k" }, losses)
  end)

  it("TR-57 each of Google's models gets what it takes", function()
    local adapter = load.file("adapters/gemini.lua")
    local function thinking(model, effort)
      local target = { model = model, provider = "gemini", quirks = adapter.quirks }
      local text = load.request(load.chat, D, nil, target, { model = "a" }, nil,
        json.encode({ messages = { user }, reasoning_effort = effort }))
      return json.decode(text).generationConfig.thinkingConfig
    end
    assert.are.same({ thinkingBudget = 24576, includeThoughts = true }, thinking("gemini-2.5-flash", "high"))
    assert.are.same({ thinkingBudget = 128 }, thinking("gemini-2.5-pro", "none"))
    assert.are.same({ thinkingLevel = "low", includeThoughts = true }, thinking("gemini-3-pro-preview", "medium"))
    assert.are.same({ thinkingLevel = "minimal" }, thinking("gemini-3-flash-preview", "none"))
    assert.are.same({ thinkingLevel = "medium", includeThoughts = true }, thinking("gemini-4-argon", "medium"))
    assert.are.same({ thinkingLevel = "high", includeThoughts = true }, thinking("gemini-flash-latest", "xhigh"))
  end)

  it("TR-45 TR-47 stops, seeds, logprobs and what has no place", function()
    local body, losses = from_chat({ stop = "x", seed = 2 ^ 40, logprobs = true, top_logprobs = 20,
      logit_bias = { ["1"] = 2 }, user = "u" })
    local config = body.generationConfig
    assert.are.same({ "x" }, config.stopSequences)
    assert.is_true(math.type(config.seed) == "integer" and config.seed >= 0 and config.seed < 2 ^ 31)
    assert.are.same({ true, 5 }, { config.responseLogprobs, config.logprobs })
    table.sort(losses)
    assert.are.same({ "logit_bias", "seed(sent as " .. config.seed .. ")", "top_logprobs(clamped to 5)", "user" },
      losses)
    assert.are.equal(-7, from_chat({ seed = -7 }).generationConfig.seed)
    body, losses = from_anthropic({ stop_sequences = { "1", "2", "3", "4", "5", "6" } })
    assert.are.equal(5, #body.generationConfig.stopSequences)
    assert.are.same({ "stop(more than 5)" }, losses)
  end)

  it("TR-48 TR-49 users and tiers are not handed on", function()
    local _, losses = from_anthropic({ metadata = { user_id = "u" }, service_tier = "auto" })
    assert.are.same({ "user", "service_tier" }, losses)
  end)

  it("TR-52 TR-54 formats: a MIME type, and the schema whole, or within the subset", function()
    local function config(format, quirks)
      return from_chat({ response_format = format }, quirks).generationConfig
    end
    local format = { type = "json_schema", json_schema = { name = "n", schema = { type = "object",
      additionalProperties = false, properties = { a = { type = "string" } } } } }
    assert.are.same({ responseMimeType = "application/json" }, config({ type = "json_object" }))
    assert.are.same({ responseMimeType = "application/json", responseJsonSchema = format.json_schema.schema },
      config(format))
    assert.are.same({ responseMimeType = "application/json", responseSchema = { type = "object",
      properties = { a = { type = "string" } } } }, config(format, { json_schema = false }))
    local body, losses = from_chat({ response_format = format, tools = { tool("f", weather) } },
      { format_with_tools = false })
    assert.is_nil(body.generationConfig)
    assert.are.same({ "response_format(not with tools)" }, losses)
  end)

  it("TR-56 TR-57 efforts and budgets, by what the model takes", function()
    local function thinking(body, quirks)
      local sent, losses = from_chat(body, quirks)
      return sent.generationConfig and sent.generationConfig.thinkingConfig, losses
    end
    local config, losses = thinking({ reasoning_effort = "high" })
    assert.are.same({ thinkingBudget = 4096, includeThoughts = true }, config)
    assert.are.same({ "reasoning_effort(sent as a budget of 4096 tokens)" }, losses)
    assert.are.same({ thinkingBudget = 0 }, thinking({ reasoning_effort = "none" }))
    config, losses = thinking({ reasoning_effort = "none" }, { thinking_off = false, thinking_min = 128 })
    assert.are.same({ thinkingBudget = 128 }, config)
    assert.are.same({ "reasoning_effort(none sent as a budget of 128 tokens)" }, losses)
    config, losses = thinking({ reasoning = { max_tokens = 90000 } }, { thinking_max = 24576 })
    assert.are.same({ thinkingBudget = 24576, includeThoughts = true }, config)
    assert.are.same({ "thinking.budget_tokens(clamped to 24576)" }, losses)
    local levels = { thinking = "level", efforts = { low = true, high = true } }
    config, losses = thinking({ reasoning_effort = "low" }, levels)
    assert.are.same({ thinkingLevel = "low", includeThoughts = true }, config)
    assert.are.same({}, losses)
    config, losses = thinking({ reasoning_effort = "medium" }, levels)
    assert.are.equal("low", config.thinkingLevel)
    assert.are.same({ "reasoning_effort(medium sent as low)" }, losses)
    config, losses = thinking({ reasoning_effort = "none" }, levels)
    assert.are.same({ thinkingLevel = "low" }, config)
    assert.are.equal(1, #losses)
    assert.are.same({ "reasoning_effort" },
      select(2, thinking({ reasoning_effort = "low" }, { thinking = "none" })))
    local sent = from_anthropic({ max_tokens = 9000, thinking = { type = "enabled", budget_tokens = 2000 } })
    assert.are.same({ thinkingBudget = 2000, includeThoughts = true }, sent.generationConfig.thinkingConfig)
    assert.is_nil(from_chat({}).generationConfig)
  end)
end)

describe("bodies with a value of the wrong kind", function()
  local text = [[{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"a"},
{"inlineData":{"mimeType":"image/png","data":"AA"}},
{"fileData":{"mimeType":"image/png","fileUri":"https://e.test/a"}}]},
{"role":"model","parts":[{"text":"t","thought":true},{"functionCall":{"name":"f","args":{"a":1},"id":"c"},
"thoughtSignature":"EpID"},{"executableCode":{"code":"1"}}]},{"role":"user","parts":[{"functionResponse":{"id":"c",
"name":"f","response":{"output":"x"},"parts":[{"inlineData":{"mimeType":"image/png","data":"AA"}}]}}]}],
"tools":[{"functionDeclarations":[{"name":"f","description":"d","parameters":{"type":"OBJECT"}}],"googleSearch":{}}],
"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]},"x":1},
"generationConfig":{"temperature":0.5,"topK":3,"candidateCount":1,"maxOutputTokens":9,"stopSequences":["x"],"seed":1,
"responseLogprobs":true,"logprobs":2,"responseMimeType":"application/json","responseSchema":{"type":"OBJECT"},
"responseModalities":["TEXT"],"thinkingConfig":{"thinkingBudget":100,"includeThoughts":true,"thinkingLevel":"low"}},
"safetySettings":[{"category":"c"}],"labels":{"a":"b"}}]]

  it("are carried, or refused with a field and a message", function()
    assert.is_true(strange.check(to_chat, text) > 1000)
  end)
end)
