-- Converse towards the other dialects, by the stable numbers of the known pitfalls (TR-01 … TR-96): requests both ways,
-- answers, errors, and what its streams may and may not look like. The recorded exchanges are in
-- converse_recorded_spec.lua.

local load = dofile("tests/lua/dialects/load.lua")
local order = dofile("tests/lua/dialects/order.lua")
local frames = dofile("tests/lua/dialects/converse_frames.lua")
local json = load.gw.json
load.gw.aws_event = load.gw.aws_event or frames.encode

local converse = load.file("adapters/dialects/bedrock_converse.lua")
local claude = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"

local function decode(D, body)
  return assert(json.decode(type(body) == "string" and body or json.encode(body), { raw = D.raw_keys }))
end

-- A body of one dialect as another one sends it: the body, the losses, the target.
local function sent(from, to, body, model, quirks)
  local losses, target = {}, { model = model or claude, quirks = quirks or {} }
  local normal = from.request_to_normal(decode(from, body), losses, { model = "alias", stream = false })
  local made = to.request_from_normal(normal, target, losses)
  return json.decode(json.encode(made)), losses, target
end

local function from_chat(body, model, quirks)
  body.messages = body.messages or { { role = "user", content = "hi" } }
  return sent(load.chat, converse, body, model, quirks)
end

local function from_messages(body, model, quirks)
  body.max_tokens = body.max_tokens or 4000
  body.messages = body.messages or { { role = "user", content = "hi" } }
  return sent(load.messages, converse, body, model, quirks)
end

local function to_messages(body)
  body.messages = body.messages or { { role = "user", content = { { text = "hi" } } } }
  return sent(converse, load.messages, body, "claude")
end

local function refused(run, ...)
  local ok, err = pcall(run, ...)
  assert.is_false(ok)
  assert.is_table(err, tostring(err))
  return err
end

local function tool(name) return { type = "function", ["function"] = { name = name } } end

local function call(id, name, arguments)
  return { id = id, type = "function", ["function"] = { name = name, arguments = arguments } }
end

local schema = { json = { type = "object" } }

describe("requests to Converse", function()
  it("TR-01 TR-03 system text is gathered in system[], in order", function()
    local body = from_chat({ messages = { { role = "system", content = "a" }, { role = "developer", content = "b" },
      { role = "user", content = "hi" } } })
    assert.are.same({ { text = "a" }, { text = "b" } }, body.system)
    assert.are.same({ { role = "user", content = { { text = "hi" } } } }, body.messages)
  end)

  it("TR-06 a model without system text gets it in front of the first user text", function()
    local body, losses = from_chat({ messages = { { role = "system", content = "be brief" },
      { role = "user", content = "hi" } } }, "amazon.titan-text-lite-v1", { system = false })
    assert.is_nil(body.system)
    assert.are.same({ { text = "be brief" }, { text = "hi" } }, body.messages[1].content)
    assert.are.same({ "system(moved into the first user message)" }, losses)
  end)

  it("TR-05 cache markers become cache points behind what they mark, in system, messages and tools", function()
    local marker = { type = "ephemeral", ttl = "1h" }
    local body = from_messages({
      system = { { type = "text", text = "a", cache_control = marker }, { type = "text", text = "b" } },
      tools = { { name = "f", input_schema = { type = "object" }, cache_control = { type = "ephemeral" } } },
      messages = { { role = "user", content = { { type = "text", text = "hi", cache_control = marker } } } } })
    local point = { cachePoint = { type = "default", ttl = "1h" } }
    assert.are.same({ { text = "a" }, point, { text = "b" } }, body.system)
    assert.are.same({ { text = "hi" }, point }, body.messages[1].content)
    assert.are.same({ cachePoint = { type = "default" } }, body.toolConfig.tools[2])
    local _, losses = from_messages({ system = { { type = "text", text = "a", cache_control = marker } } },
      "meta.llama3", { cache_points = false })
    assert.are.same({ "cache_control" }, losses)
  end)

  it("TR-09 TR-11 turns of one role are one; empty turns and blank text are left out", function()
    local body = from_chat({ messages = { { role = "user", content = "a" }, { role = "assistant", content = "" },
      { role = "assistant", content = json.null }, { role = "user", content = " \n" },
      { role = "user", content = "b" } } })
    assert.are.same({ { role = "user", content = { { text = "a" }, { text = "b" } } } }, body.messages)
  end)

  it("TR-14 TR-15 TR-16 definitions are toolSpecs; the schema is copied whole; none is an object's", function()
    local text = '{"type":"object","$defs":{"z":1,"a":12345678901234567890}}'
    local normal = load.chat.request_to_normal(decode(load.chat, { messages = { { role = "user", content = "hi" } },
      tools = { { type = "function", ["function"] = { name = "f", description = "", parameters = json.raw(text),
        strict = true } }, tool("g") } }), {})
    local made = json.encode(converse.request_from_normal(normal, { model = claude }, {}))
    assert.is_truthy(made:find('"inputSchema":{"json":' .. text .. "}", 1, true))
    local tools = json.decode(made).toolConfig.tools
    assert.are.same({ true, nil }, { tools[1].toolSpec.strict, tools[1].toolSpec.description })
    assert.are.same({ toolSpec = { name = "g", inputSchema = schema } }, tools[2])
  end)

  it("TR-19 long and odd names are replaced everywhere, and come back", function()
    local long = "mcp__" .. ("x"):rep(80)
    local body, _, target = from_chat({ tools = { tool(long), tool("a.b") },
      tool_choice = { type = "function", ["function"] = { name = "a.b" } },
      messages = { { role = "user", content = "hi" }, { role = "assistant", tool_calls = { call("c", long, "{}") } },
        { role = "tool", tool_call_id = "c", content = "x" } } })
    local name = body.toolConfig.tools[1].toolSpec.name
    assert.is_true(#name <= 64 and not name:find("[^%w_-]"))
    assert.are.equal(name, body.messages[2].content[1].toolUse.name)
    assert.are.equal(body.toolConfig.tools[2].toolSpec.name, body.toolConfig.toolChoice.tool.name)
    local normal = converse.response_to_normal(decode(converse, { stopReason = "tool_use", output = { message = {
      role = "assistant", content = { { toolUse = { toolUseId = "t", name = name, input = {} } } } } } }), {})
    local told = load.chat.response_from_normal(normal, { tool_names = target.tool_names, losses = {} })
    assert.are.equal(long, told.choices[1].message.tool_calls[1]["function"].name)
  end)

  it("TR-20 server tools of others are reported", function()
    local body, losses = from_messages({ tools = { { type = "web_search_20250305", name = "web_search" } } })
    assert.is_nil(body.toolConfig)
    assert.are.same({ "tools[](web_search_20250305)" }, losses)
  end)

  it("TR-21 choices are auto, any and tool, and are sent only with tools", function()
    local tools = { tool("f"), tool("g") }
    assert.are.same({ auto = {} }, from_chat({ tools = tools, tool_choice = "auto" }).toolConfig.toolChoice)
    assert.are.same({ any = {} }, from_chat({ tools = tools, tool_choice = "required" }).toolConfig.toolChoice)
    assert.are.same({ tool = { name = "g" } }, from_chat({ tools = tools,
      tool_choice = { type = "function", ["function"] = { name = "g" } } }).toolConfig.toolChoice)
    assert.is_nil(from_chat({ tools = tools }).toolConfig.toolChoice)
    local _, losses = from_chat({ tool_choice = "required" })
    assert.are.same({ "tool_choice" }, losses)
    local body
    body, losses = from_chat({ tools = tools, tool_choice = "required" }, "meta.llama3", { tool_choice = false })
    assert.is_nil(body.toolConfig.toolChoice)
    assert.are.same({ "tool_choice" }, losses)
  end)

  it("TR-22 none leaves the tools out", function()
    local body, losses = from_chat({ tools = { tool("f") }, tool_choice = "none" })
    assert.is_nil(body.toolConfig)
    assert.are.same({ "tool_choice(none: the tools are left out)" }, losses)
  end)

  it("TR-23 a history with calls and no tools gets a placeholder, not the old names", function()
    local messages = { { role = "user", content = "hi" },
      { role = "assistant", tool_calls = { call("c", "f", '{"a":1}') } },
      { role = "tool", tool_call_id = "c", content = "x" } }
    for _, body in ipairs({ { messages = messages }, { messages = messages, tools = { tool("f") },
      tool_choice = "none" } }) do
      local made, losses = from_chat(body)
      assert.are.equal(1, #made.toolConfig.tools)
      assert.are.equal("no_tool_available", made.toolConfig.tools[1].toolSpec.name)
      assert.are.equal("tools(a placeholder sent: the history has calls)", losses[#losses])
    end
  end)

  it("TR-24 a forced tool drops thinking, and says so", function()
    local body, losses = from_chat({ tools = { tool("f") }, tool_choice = "required", reasoning_effort = "high" })
    assert.is_nil(body.additionalModelRequestFields)
    assert.are.equal("reasoning_effort(tool_choice forces a tool)", losses[#losses])
  end)

  it("TR-25 calls cannot be made one at a time", function()
    local _, losses = from_chat({ tools = { tool("f") }, parallel_tool_calls = false })
    assert.are.same({ "parallel_tool_calls" }, losses)
  end)

  it("TR-26 arguments are objects: empty text is {}, numbers survive, what is no object is wrapped", function()
    local normal = load.chat.request_to_normal(decode(load.chat, { tools = { tool("f") }, messages = {
      { role = "user", content = "hi" }, { role = "assistant", tool_calls = { call("a", "f", ""),
        call("b", "f", '{"n":12345678901234567890,"a":1}'), call("c", "f", "[1]") } } } }), {})
    local losses = {}
    local made = json.encode(converse.request_from_normal(normal, { model = claude }, losses))
    assert.is_truthy(made:find('"input":{"n":12345678901234567890,"a":1}', 1, true))
    assert.is_truthy(made:find('"input":{}', 1, true))
    assert.is_truthy(made:find('"_raw_arguments"', 1, true))
    assert.are.equal(1, #losses)
  end)

  it("TR-27 ids that Converse does not take are replaced, calls and results alike", function()
    local odd = "functions.f:0"
    local body = from_chat({ tools = { tool("f") }, messages = { { role = "user", content = "hi" },
      { role = "assistant", tool_calls = { call(odd, "f", "{}") } },
      { role = "tool", tool_call_id = odd, content = "x" } } })
    local id = body.messages[2].content[1].toolUse.toolUseId
    assert.is_nil(id:find("[^%w_-]"))
    assert.are.equal(id, body.messages[3].content[1].toolResult.toolUseId)
  end)

  it("TR-28 TR-30 all results of a turn are in one user turn, before its text; failures say so", function()
    local body = from_messages({ tools = { { name = "f", input_schema = { type = "object" } } }, messages = {
      { role = "user", content = "hi" },
      { role = "assistant", content = { { type = "tool_use", id = "a", name = "f", input = {} },
        { type = "tool_use", id = "b", name = "f", input = {} } } },
      { role = "user", content = { { type = "text", text = "and" },
        { type = "tool_result", tool_use_id = "a", content = "1" } } },
      { role = "user", content = { { type = "tool_result", tool_use_id = "b", is_error = true,
        content = { { type = "text", text = "2" } } } } } } })
    assert.are.same({
      { toolResult = { toolUseId = "a", content = { { text = "1" } } } },
      { toolResult = { toolUseId = "b", content = { { text = "2" } }, status = "error" } },
      { text = "and" },
    }, body.messages[3].content)
  end)

  it("TR-37 images are bytes with a format; a URL is refused with its field", function()
    local function image(url)
      return { messages = { { role = "user", content = { { type = "text", text = "see" },
        { type = "image_url", image_url = { url = url } } } } } }
    end
    assert.are.same({ image = { format = "jpeg", source = { bytes = "AAAA" } } },
      from_chat(image("data:image/jpeg;base64,AAAA")).messages[1].content[2])
    for _, url in ipairs({ "https://a.example/x.png", "data:image/bmp;base64,AAAA" }) do
      assert.is_truthy(refused(from_chat, image(url)).field:find("^messages%[0%]%.content%[1%]"))
    end
    assert.are.same({ s3Location = { uri = "s3://b/x.png" } },
      from_chat(image("s3://b/x.png")).messages[1].content[2].image.source)
  end)

  it("TR-38 documents have names that Converse takes, each once, and words beside them", function()
    local function pdf(title) return { type = "document", title = title,
      source = { type = "base64", media_type = "application/pdf", data = "AAAA" } } end
    local body, losses = from_messages({ messages = { { role = "user",
      content = { pdf("Q3: report/final.pdf"), pdf("Q3: report/final.pdf"), pdf() } } } })
    local names = {}
    for i = 1, 3 do names[i] = body.messages[1].content[i].document.name end
    assert.are.same({ "Q3 report final", "Q3 report final (2)", "Document 3" }, names)
    assert.are.same({ text = "See the attached document." }, body.messages[1].content[4])
    assert.are.same({ "messages[].content[].title(characters replaced)",
      "messages[].content[](text added beside a document)" }, losses)
  end)

  it("TR-40 audio is refused", function()
    local err = refused(from_chat, { messages = { { role = "user", content = { { type = "input_audio",
      input_audio = { data = "AAAA", format = "wav" } } } } } })
    assert.is_truthy(err.message:find("audio"))
  end)

  it("TR-41 TR-44 TR-47 limits and sampling have their places; what has none is listed", function()
    local body, losses = from_chat({ max_completion_tokens = 50, temperature = 1.5, top_p = 0.5, stop = { "a", " " },
      seed = 1, frequency_penalty = 1, presence_penalty = 1, logprobs = true, logit_bias = { ["1"] = 1 } })
    assert.are.same({ maxTokens = 50, temperature = 1, topP = 0.5, stopSequences = { "a" } }, body.inferenceConfig)
    assert.are.same({ "/stop_sequence" }, body.additionalModelResponseFieldPaths)
    table.sort(losses)
    assert.are.same({ "frequency_penalty", "logit_bias", "logprobs", "presence_penalty", "seed", "stop(blank)",
      "temperature(clamped to 1)" }, losses)
    assert.is_nil(from_chat({}).inferenceConfig)
    assert.are.equal("n", refused(from_chat, { n = 2 }).field)
  end)

  it("TR-46 top_k has its place by who made the model", function()
    assert.are.same({ top_k = 5 }, from_messages({ top_k = 5 }).additionalModelRequestFields)
    assert.are.same({ inferenceConfig = { topK = 5 } },
      from_messages({ top_k = 5 }, "us.amazon.nova-lite-v1:0").additionalModelRequestFields)
    local body, losses = from_messages({ top_k = 5 }, "meta.llama3-70b-instruct-v1:0")
    assert.is_nil(body.additionalModelRequestFields)
    assert.are.same({ "top_k" }, losses)
  end)

  it("TR-48 a user's name is not sent", function()
    local body, losses = from_chat({ user = "ann" })
    assert.is_nil(body.requestMetadata)
    assert.are.same({ "user" }, losses)
  end)

  it("TR-49 the service tier is an object", function()
    assert.are.same({ type = "flex" }, from_chat({ service_tier = "flex" }).serviceTier)
    assert.is_nil(from_chat({ service_tier = "auto" }).serviceTier)
  end)

  it("TR-52 a schema is text in outputConfig", function()
    local body = from_chat({ response_format = { type = "json_schema", json_schema = { name = "n", description = "d",
      schema = { type = "object" } } } })
    assert.are.same({ type = "json_schema", structure = { jsonSchema = { name = "n", description = "d",
      schema = '{"type":"object"}' } } }, body.outputConfig.textFormat)
    local _, losses = from_chat({ response_format = { type = "json_schema", json_schema = { name = "n",
      schema = { type = "object" } } } }, claude, { structured_output = false })
    assert.are.same({ "response_format" }, losses)
  end)

  it("TR-56 thinking is asked for in the words of the model's family", function()
    local budget = from_messages({ max_tokens = 9000, thinking = { type = "enabled", budget_tokens = 2000 } })
    assert.are.same({ thinking = { type = "enabled", budget_tokens = 2000 } }, budget.additionalModelRequestFields)
    local adaptive = from_chat({ reasoning_effort = "high" }, claude, { thinking = "adaptive" })
    assert.are.same({ thinking = { type = "adaptive" }, output_config = { effort = "high" } },
      adaptive.additionalModelRequestFields)
    assert.are.same({ reasoningConfig = { type = "enabled", maxReasoningEffort = "low" } },
      from_chat({ reasoning_effort = "low" }, "us.amazon.nova-2-lite-v1:0").additionalModelRequestFields)
    assert.are.same({ reasoning_effort = "high" },
      from_chat({ reasoning_effort = "high" }, "openai.gpt-oss-120b-1:0").additionalModelRequestFields)
    local body, losses = from_chat({ reasoning_effort = "high" }, "meta.llama3-70b-instruct-v1:0")
    assert.is_nil(body.additionalModelRequestFields)
    assert.are.same({ "reasoning_effort" }, losses)
    local profile = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123"
    assert.are.same({ thinking = { type = "enabled", budget_tokens = 2000 } },
      from_messages({ max_tokens = 9000, thinking = { type = "enabled", budget_tokens = 2000 } }, profile,
        { family = "anthropic" }).additionalModelRequestFields)
  end)

  it("TR-57 TR-58 signed thinking goes back to Claude byte-exact, in its place; other thinking stays away", function()
    local content = { { type = "thinking", thinking = "hm", signature = "c2ln" },
      { type = "redacted_thinking", data = "ZGF0YQ==" }, { type = "text", text = "a" } }
    local history = { { role = "user", content = "hi" }, { role = "assistant", content = content },
      { role = "user", content = "go on" } }
    assert.are.same({ { reasoningContent = { reasoningText = { text = "hm", signature = "c2ln" } } },
      { reasoningContent = { redactedContent = "WkdGMFlRPT0=" } }, { text = "a" } },
      from_messages({ messages = history }).messages[2].content)
    local body, losses = from_messages({ messages = history }, "us.amazon.nova-2-lite-v1:0")
    assert.are.same({ { text = "a" } }, body.messages[2].content)
    assert.are.same({ "messages[].thinking(signed by anthropic)" }, losses)
  end)

  it("TR-92 quirks are found without region and ARN", function()
    local quirks = { models = { { prefix = "anthropic.claude-sonnet-4-5", structured_output = false } } }
    for _, model in ipairs({ claude, "anthropic.claude-sonnet-4-5-20250929-v1:0", "global." .. claude:sub(4),
      "arn:aws:bedrock:us-east-1:123456789012:inference-profile/" .. claude }) do
      local _, losses = from_chat({ response_format = { type = "json_schema", json_schema = { name = "n",
        schema = { type = "object" } } } }, model, quirks)
      assert.are.same({ "response_format" }, losses, model)
    end
  end)
end)

describe("requests of Converse clients", function()
  it("guarded text stays text, and the guard is reported", function()
    local body, losses = to_messages({ messages = { { role = "user", content = { { guardContent = { text = {
      text = "Tokyo", qualifiers = { "grounding_source" } } } }, { text = "Where?" } } } },
      inferenceConfig = { maxTokens = 9 }, guardrailConfig = { guardrailIdentifier = "g" } })
    assert.are.same({ { type = "text", text = "Tokyo" }, { type = "text", text = "Where?" } },
      body.messages[1].content)
    assert.are.same({ "guardContent(sent as text)", "guardrailConfig" }, losses)
  end)

  it("TR-29 JSON results become text", function()
    local body = to_messages({ toolConfig = { tools = { { toolSpec = { name = "f", inputSchema = schema } } } },
      messages = { { role = "user", content = { { text = "hi" } } },
        { role = "assistant", content = { { toolUse = { toolUseId = "t", name = "f", input = {} } } } },
        { role = "user", content = { { toolResult = { toolUseId = "t", content = { { json = { a = 1 } } } } } } } } })
    assert.are.equal('{"a":1}', body.messages[3].content[1].content)
  end)

  it("TR-58 TR-59 what was sealed for a Converse client goes back to who made it", function()
    local function normal_of(content)
      return converse.request_to_normal(decode(converse, { messages = { { role = "assistant", content = {
        { reasoningContent = content } } } } }), {}).messages[1].parts[1]
    end
    local part = normal_of({ reasoningText = { text = "hm", signature = "gemini:c2ln" } })
    assert.are.same({ "c2ln", "gemini" }, { part.signature, part.signed_by })
    part = normal_of({ reasoningText = { text = "hm", signature = "c2ln" } })
    assert.are.same({ "c2ln", "anthropic" }, { part.signature, part.signed_by })
    part = normal_of({ redactedContent = "WkdGMFlRPT0=" })
    assert.are.same({ "ZGF0YQ==", "anthropic" }, { part.data, part.signed_by })
    part = normal_of({ redactedContent = "/wD/AA==" })
    assert.are.same({ "/wD/AA==", "bedrock" }, { part.data, part.signed_by })
  end)

  it("what is wrong is refused with its field", function()
    local rows = {
      { { messages = "hi" }, "messages" }, { {}, "messages" },
      { { messages = { { role = "system", content = json.array({}) } } }, "messages[0].role" },
      { { messages = { { role = "user", content = "hi" } } }, "messages[0].content" },
      { { messages = { { role = "user", content = { {} } } } }, "messages[0].content[0]" },
      { { messages = { { role = "user", content = { { text = 1 } } } } }, "messages[0].content[0].text" },
      { { messages = { { role = "user", content = { { image = { format = "png", source = {} } } } } } },
        "messages[0].content[0].image.source" },
      { { messages = { { role = "user", content = { { toolUse = { toolUseId = "t" } } } } } },
        "messages[0].content[0].toolUse.name" },
      { { messages = json.array({}), inferenceConfig = { maxTokens = "9" } }, "inferenceConfig.maxTokens" },
      { { messages = json.array({}), toolConfig = { tools = { { toolSpec = { name = "f" } } } } },
        "toolConfig.tools[0].toolSpec.inputSchema" },
      { { messages = json.array({}), toolConfig = { toolChoice = { none = {} } } }, "toolConfig.toolChoice" },
      { { messages = json.array({}),
        outputConfig = { textFormat = { structure = { jsonSchema = { schema = "{" } } } } },
        "outputConfig.textFormat.structure.jsonSchema.schema" },
    }
    for i, row in ipairs(rows) do
      local err = refused(converse.request_to_normal, decode(converse, row[1]), {}, {})
      assert.are.equal(row[2], err.field, "row " .. i)
      assert.is_string(err.message)
    end
  end)
end)

describe("answers and errors of Converse", function()
  local function answered(fields)
    local message = { role = "assistant", content = { { text = "ok" } } }
    local body = { stopReason = "end_turn", output = { message = message },
      usage = { inputTokens = 10, outputTokens = 5, totalTokens = 15 }, metrics = { latencyMs = 1 } }
    for name, v in pairs(fields) do body[name] = v end
    return converse.response_to_normal(decode(converse, body), {}, { model = claude })
  end

  it("TR-63 stop reasons", function()
    for raw, reason in pairs({ end_turn = "stop", tool_use = "tool_calls", max_tokens = "length",
      stop_sequence = "stop_sequence", guardrail_intervened = "content_filter", content_filtered = "content_filter",
      model_context_window_exceeded = "context_window", malformed_tool_use = "error" }) do
      assert.are.equal(reason, answered({ stopReason = raw }).choices[1].finish.reason)
    end
    local told = load.messages.response_from_normal(answered({ stopReason = "stop_sequence",
      additionalModelResponseFields = { stop_sequence = "END" } }), { losses = {} })
    assert.are.same({ "stop_sequence", "END" }, { told.stop_reason, told.stop_sequence })
  end)

  it("TR-68 usage is inclusive outside, exclusive inside", function()
    local usage = { inputTokens = 10, outputTokens = 5, totalTokens = 1115, cacheReadInputTokens = 1000,
      cacheWriteInputTokens = 100,
      cacheDetails = { { ttl = "1h", inputTokens = 60 }, { ttl = "5m", inputTokens = 40 } } }
    local normal = answered({ usage = usage })
    assert.are.equal(1110, normal.usage.input_tokens)
    assert.are.equal(60, normal.usage.cache_write_1h_tokens)
    assert.are.equal(1110, load.chat.response_from_normal(normal, { losses = {} }).usage.prompt_tokens)
    local told = json.decode(json.encode(converse.response_from_normal(normal, { losses = {} })))
    assert.are.same(usage, told.usage)
  end)

  it("TR-49 the tier that was used is told", function()
    assert.are.equal("flex", answered({ serviceTier = { type = "flex" } }).service_tier)
  end)

  it("TR-88 an answer without output is an error, whatever its status", function()
    local normal, err = converse.response_to_normal(decode(converse, { message = "The model is not ready." }), {})
    assert.is_nil(normal)
    assert.are.equal("The model is not ready.", err.message)
    assert.is_true(err.status >= 500)
  end)

  it("TR-89 each class of error has its exception; the field leads the message", function()
    for status, kind in pairs({ [400] = "ValidationException", [401] = "UnrecognizedClientException",
      [403] = "AccessDeniedException", [404] = "ResourceNotFoundException", [429] = "ThrottlingException",
      [500] = "InternalServerException", [503] = "ServiceUnavailableException" }) do
      local told_status, body = converse.error_from_normal({ status = status, message = "m", param = "messages" })
      assert.are.same({ status, kind, "messages: m" }, { told_status, body.__type, body.message })
    end
    assert.are.equal(503, (converse.error_from_normal({ status = 529, message = "m" })))
  end)

  it("TR-93 no model, no id and no time are invented for a Converse client", function()
    local told = converse.response_from_normal(answered({}), { model = "alias", losses = {} })
    assert.is_nil(told.model)
    assert.is_nil(told.id)
  end)
end)

describe("streams of Converse", function()
  -- Normal events as a Converse client gets them.
  local function written(events, asked)
    asked = asked or { losses = {} }
    local pieces, writer = {}, converse.writer(asked)
    local function put(text) pieces[#pieces + 1] = text end
    for _, event in ipairs(events) do writer:event(event, put) end
    writer:finish(put)
    local produced = order.frames(table.concat(pieces))
    order.check("bedrock.converse", produced)
    return frames.assemble(json, produced), produced, asked
  end

  local function ended(...)
    local list = { { type = "start" }, ... }
    for _, event in ipairs({ { type = "finish", finish = { reason = "stop" } },
      { type = "usage", usage = { input_tokens = 3, output_tokens = 2 } }, { type = "end" } }) do
      list[#list + 1] = event
    end
    return list
  end

  it("TR-35 TR-36 interleaved calls become one block after the other, complete", function()
    local body = written(ended({ type = "text", text = "a" },
      { type = "tool_start", index = 0, id = "t0", name = "f" },
      { type = "tool_start", index = 1, id = "t1", name = "g" },
      { type = "tool_delta", index = 1, arguments = '{"b":' }, { type = "tool_delta", index = 0, arguments = '{"a":1' },
      { type = "tool_delta", index = 1, arguments = "2}" }, { type = "tool_delta", index = 0, arguments = "}" },
      { type = "text", text = "z" }))
    assert.are.same({ { text = "a" }, { toolUse = { toolUseId = "t0", name = "f", input = { a = 1 } } },
      { toolUse = { toolUseId = "t1", name = "g", input = { b = 2 } } }, { text = "z" } }, body.output.message.content)
  end)

  it("TR-36 a call without arguments has a start and a stop", function()
    local body = written(ended({ type = "tool_start", index = 0, id = "t0", name = "f" },
      { type = "tool_stop", index = 0 }))
    assert.are.same({}, body.output.message.content[1].toolUse.input)
  end)

  it("TR-58 thinking, its signature and what is redacted are blocks of their own", function()
    local body = written(ended({ type = "thinking", text = "h" }, { type = "thinking", text = "m" },
      { type = "signature", signature = "c2ln", signed_by = "anthropic" },
      { type = "redacted_thinking", data = "ZGF0YQ==", signed_by = "anthropic" }, { type = "text", text = "a" }))
    assert.are.same({ { reasoningContent = { reasoningText = { text = "hm", signature = "c2ln" } } },
      { reasoningContent = { redactedContent = "WkdGMFlRPT0=" } }, { text = "a" } }, body.output.message.content)
  end)

  it("TR-80 TR-85 an error ends the stream as an exception, and so does a stream that breaks off", function()
    local _, produced = written({ { type = "start" }, { type = "text", text = "a" },
      { type = "error", error = { status = 429, message = "slow down" } } })
    assert.are.same({ "throttlingException", "exception" }, { produced[#produced].name, produced[#produced].kind })
    _, produced = written({ { type = "start" }, { type = "text", text = "a" } })
    assert.are.same({ "internalServerException", "exception" }, { produced[#produced].name, produced[#produced].kind })
  end)

  local function read(events)
    local seen, reader = {}, converse.reader({ model = claude })
    local function emit(event)
      seen[#seen + 1] = event.type == "error" and "error " .. event.error.status or event.type
    end
    for _, event in ipairs(events) do reader:event(event[1], json.encode(event[2]), emit) end
    reader:finish(emit)
    return table.concat(seen, " ")
  end

  local start, stop = { "messageStart", { role = "assistant" } }, { "messageStop", { stopReason = "end_turn" } }
  local metadata = { "metadata", { usage = { inputTokens = 1, outputTokens = 1, totalTokens = 2 } } }
  local delta = { "contentBlockDelta", { contentBlockIndex = 0, delta = { text = "a" } } }

  it("TR-80 usage comes after the stop; the end is not told before it", function()
    assert.are.equal("start text finish usage end", read({ start, delta, stop, metadata }))
    assert.are.equal("start text finish end", read({ start, delta, stop }))
    assert.are.equal("start text error 502", read({ start, delta }))
    assert.are.equal("start text error 502", read({ start, delta, metadata }))
  end)

  it("TR-82 events and deltas that nobody knows are passed over", function()
    assert.are.equal("start text finish usage end", read({ start, { "ping", {} }, delta,
      { "contentBlockDelta", { contentBlockIndex = 0, delta = { somethingNew = { a = 1 } } } }, stop, metadata }))
  end)

  it("TR-85 exceptions have their statuses", function()
    for name, status in pairs({ throttlingException = 429, validationException = 400, modelStreamErrorException = 424,
      serviceUnavailableException = 503, internalServerException = 500, brandNewException = 502 }) do
      assert.are.equal("start error " .. status, read({ start, { name, { message = "m" } }, stop }))
    end
  end)
end)
