-- Places where a translation to or from Cohere's chat could lose, change or invent something, by the stable numbers of
-- the list that the other specs of this folder name too (TR-01 …). Requests, whole answers and errors; streams are in
-- cohere_streams_spec.lua.

local load = dofile("tests/lua/dialects/load.lua")
local json, translate = load.gw.json, load.translate
local cohere = load.file("adapters/dialects/cohere_chat.lua")

-- A body of one dialect sent to the other: what the provider gets, the losses, the hop.
local function send(client, provider, body, quirks, asked)
  body.messages = body.messages or { { role = "user", content = "hi" } }
  local target = { model = "m", provider = "p", quirks = quirks or {} }
  local text, hop, losses =
    load.request(client, provider, nil, target, asked or { model = "alias" }, nil, json.encode(body))
  return json.decode(text), losses, hop
end

local function chat_to_cohere(body, quirks) return send(load.chat, cohere, body, quirks) end
local function cohere_to_chat(body, quirks) return send(cohere, load.chat, body, quirks) end

local function anthropic_to_cohere(body, quirks)
  body.max_tokens = body.max_tokens or 1000
  return send(load.messages, cohere, body, quirks)
end

local function cohere_to_anthropic(body, quirks)
  body.max_tokens = body.max_tokens or 1000
  return send(cohere, load.messages, body, quirks)
end

local function refusal(run, ...)
  local ok, err = pcall(run, ...)
  if ok then error("was not refused", 2) end
  if type(err) ~= "table" then error(err, 2) end
  return err
end

local function answer(message, finish_reason, usage)
  message.role = "assistant"
  return { id = "c-1", message = message, finish_reason = finish_reason or "COMPLETE", usage = usage or {
    billed_units = { input_tokens = 3, output_tokens = 5 }, tokens = { input_tokens = 10, output_tokens = 5 } } }
end

local function told_chat(body)
  local _, _, hop = chat_to_cohere({})
  local status, text = translate.response(hop, 200, json.encode(body))
  return json.decode(text), status
end

local function told_cohere(body, tools)
  local _, _, hop = cohere_to_chat({ tools = tools })
  local status, text = translate.response(hop, 200, json.encode(body))
  return json.decode(text), status, hop.asked.losses
end

local function completion(message, finish_reason, usage)
  message.role = "assistant"
  return { id = "x", object = "chat.completion", created = 1, model = "gpt", usage = usage
    or { prompt_tokens = 10, completion_tokens = 5, total_tokens = 15 },
    choices = { { index = 0, message = message, finish_reason = finish_reason or "stop" } } }
end

local function tool(name, more)
  local fn = { name = name, description = "d", parameters = { type = "object" } }
  for key, v in pairs(more or {}) do fn[key] = v end
  return { type = "function", ["function"] = fn }
end

local function call(id, name, arguments)
  return { id = id, type = "function", ["function"] = { name = name, arguments = arguments } }
end

local rebuilt = { role = "user", content = "hi" }

describe("messages", function()
  it("TR-01 TR-02 TR-03 TR-04 TR-08 system messages stay where they are, developer becomes system", function()
    local sent, losses = chat_to_cohere({ messages = { { role = "developer", content = "a" },
      { role = "system", content = "b" }, { role = "user", content = "c" }, { role = "system", content = "d" } } })
    assert.are.same({ { role = "system", content = "a" }, { role = "system", content = "b" },
      { role = "user", content = "c" }, { role = "system", content = "d" } }, sent.messages)
    assert.are.same({}, losses)
    local _, late = cohere_to_anthropic({ messages = sent.messages })
    assert.are.same({ "messages[].role(late system text moved to the top)" }, late)
  end)

  it("TR-05 cache markers are lost and reported", function()
    local _, losses = anthropic_to_cohere({ system = { { type = "text", text = "a",
      cache_control = { type = "ephemeral" } } } })
    assert.are.same({ "cache_control" }, losses)
  end)

  it("TR-07 Claude Code's billing text does not reach Cohere", function()
    local sent, losses = anthropic_to_cohere({ system = { { type = "text", text = "x-anthropic-billing-header: a" },
      { type = "text", text = "b" } } })
    assert.are.equal("b", sent.messages[1].content)
    assert.are.same({ "system[](billing header)" }, losses)
  end)

  it("TR-11 an assistant turn without anything is left out", function()
    for _, nothing in ipairs({ json.null, "" }) do
      local sent = chat_to_cohere({ messages = { rebuilt, { role = "assistant", content = nothing }, rebuilt } })
      assert.are.same({ rebuilt, rebuilt }, sent.messages)
    end
  end)

  it("TR-12 TR-13 names are reported, refusals in history become text", function()
    local sent, losses = chat_to_cohere({ messages = { { role = "user", name = "ann", content = "a" },
      { role = "assistant", refusal = "no" }, rebuilt } })
    assert.are.equal("no", sent.messages[2].content)
    assert.are.same({ "messages[].name" }, losses)
  end)

  it("TR-28 TR-29 TR-33 calls, their ids and plans, and results travel both ways", function()
    local history = { { role = "user", content = "go" },
      { role = "assistant", tool_plan = "I will look.", tool_calls = { call("a_1", "look", '{"x":1}'),
        call("a_2", "look", "{}") } },
      { role = "tool", tool_call_id = "a_1", content = "one" },
      { role = "tool", tool_call_id = "a_2", content = { { type = "text", text = "two" },
        { type = "document", document = { id = "d", data = { title = "T", text = "three" } } } } },
      { role = "user", content = "and?" } }
    local tools = { tool("look") }
    local chat = cohere_to_chat({ messages = history, tools = tools }).messages
    assert.are.equal("I will look.", chat[2].reasoning_content)
    assert.are.same({ "a_1", "a_2" }, { chat[2].tool_calls[1].id, chat[2].tool_calls[2].id })
    assert.are.same({ "tool", "one", "a_1" }, { chat[3].role, chat[3].content, chat[3].tool_call_id })
    assert.are.equal("two\nthree", chat[4].content)
    local anthropic, losses = cohere_to_anthropic({ messages = history, tools = tools })
    assert.are.same({ "messages[].thinking(unsigned)" }, losses)
    assert.are.equal(3, #anthropic.messages)
    local results = anthropic.messages[3].content
    assert.are.same({ "a_1", "a_2" }, { results[1].tool_use_id, results[2].tool_use_id })
    assert.are.equal("three", results[2].content[2].source.data)
    assert.are.equal("and?", results[3].text)
    -- What a Chat client sends back of the plan becomes the plan again for a model that does not think.
    local sent = chat_to_cohere({ messages = { rebuilt, chat[2], chat[3] }, tools = tools }, { thinking = "none" })
    assert.are.equal("I will look.", sent.messages[2].tool_plan)
    local thinking = chat_to_cohere({ messages = { rebuilt, chat[2], chat[3] }, tools = tools })
    assert.are.same({ { type = "thinking", thinking = "I will look." } }, thinking.messages[2].content)
  end)

  it("TR-29 images in results move into the user message that follows", function()
    local sent, losses = anthropic_to_cohere({ messages = { rebuilt,
      { role = "assistant", content = { { type = "tool_use", id = "t", name = "f", input = { x = 1 } } } },
      { role = "user", content = { { type = "tool_result", tool_use_id = "t", content = {
        { type = "text", text = "see" },
        { type = "image", source = { type = "base64", media_type = "image/png", data = "AA" } } } } } } } })
    assert.are.same({ "tool", "see" }, { sent.messages[3].role, sent.messages[3].content })
    assert.are.equal("data:image/png;base64,AA", sent.messages[4].content[1].image_url.url)
    assert.are.same({ "messages[].content[].tool_result(image moved into the next user message)" }, losses)
  end)

  it("TR-30 is_error is said in the text, once", function()
    for content, want in pairs({ bad = "Error: bad", ["Error: bad"] = "Error: bad" }) do
      local sent, losses = anthropic_to_cohere({ messages = { rebuilt,
        { role = "assistant", content = { { type = "tool_use", id = "t", name = "f", input = { x = 1 } } } },
        { role = "user", content = { { type = "tool_result", tool_use_id = "t", is_error = true,
          content = content } } } } })
      assert.are.equal(want, sent.messages[3].content)
      assert.are.same({ "messages[].content[].is_error(sent as text)" }, losses)
    end
  end)

  it("TR-32 text beside calls survives both ways", function()
    local sent = chat_to_cohere({ messages = { rebuilt,
      { role = "assistant", content = "Let me see.", tool_calls = { call("a", "f", "{}") } },
      { role = "tool", tool_call_id = "a", content = "ok" } } })
    assert.are.equal("Let me see.", sent.messages[2].content)
    assert.are.equal("Let me see.", cohere_to_chat({ messages = sent.messages }).messages[2].content)
  end)

  it("TR-58 what others signed goes as plain thinking, what is sealed does not", function()
    local sent, losses = anthropic_to_cohere({ messages = { rebuilt, { role = "assistant", content = {
      { type = "thinking", thinking = "hm", signature = "sig" }, { type = "redacted_thinking", data = "x" },
      { type = "text", text = "yes" } } }, rebuilt } })
    assert.are.same({ { type = "thinking", thinking = "hm" }, { type = "text", text = "yes" } },
      sent.messages[2].content)
    assert.are.same({ "messages[].thinking.signature", "messages[].redacted_thinking" }, losses)
    local _, dropped = chat_to_cohere({ messages = { rebuilt,
      { role = "assistant", content = "yes", reasoning_content = "hm" }, rebuilt } }, { reasoning_history = "none" })
    assert.are.same({ "messages[].thinking" }, dropped)
  end)
end)

describe("content", function()
  it("TR-37 TR-39 images by URL and as data, with their detail", function()
    local part = { type = "image_url", image_url = { url = "https://e.test/a.png", detail = "low" } }
    local bytes = { type = "image_url", image_url = { url = "data:image/png;base64,AA" } }
    local sent, losses = chat_to_cohere({ messages = { { role = "user", content = { part, bytes } } } })
    assert.are.same({ part, bytes }, sent.messages[1].content)
    assert.are.same({}, losses)
    local anthropic = cohere_to_anthropic({ messages = sent.messages })
    assert.are.same({ type = "base64", media_type = "image/png", data = "AA" },
      anthropic.messages[1].content[2].source)
  end)

  it("TR-38 TR-40 PDFs, audio and other people's files are refused with the place", function()
    for _, part in ipairs({ { type = "file", file = { file_data = "data:application/pdf;base64,AA" } },
      { type = "input_audio", input_audio = { data = "AA", format = "wav" } },
      { type = "file", file = { file_id = "file-1" } } }) do
      local err = refusal(chat_to_cohere, { messages = { { role = "user",
        content = { { type = "text", text = "a" }, part } } } })
      assert.are.equal("messages[0].content[1]", err.field)
    end
  end)

  it("documents of the request become documents of the last question, and the other way", function()
    local body = { messages = { rebuilt, { role = "assistant", content = "yes" }, { role = "user", content = "who?" } },
      documents = { "plain", { id = "d1", data = { title = "T", text = "text" } },
        { id = "d2", data = { author = "A", text = "t", year = 1999 } } } }
    local sent, losses = cohere_to_anthropic(body)
    assert.are.same({}, losses)
    local content = sent.messages[3].content
    assert.are.same({ "plain", "text", '{"author":"A","text":"t","year":1999}', "T" },
      { content[1].source.data, content[2].source.data, content[3].source.data, content[2].title })
    assert.is_true(content[1].citations.enabled)
    assert.are.equal("who?", content[4].text)
    local back = anthropic_to_cohere({ messages = sent.messages })
    assert.are.same({ { id = "doc:0", data = { text = "plain" } },
      { id = "doc:1", data = { text = "text", title = "T" } },
      { id = "doc:2", data = { text = '{"author":"A","text":"t","year":1999}' } } }, back.documents)
    assert.are.equal("who?", back.messages[3].content)
    body.citation_options = { mode = "OFF" }
    local quiet, told = cohere_to_anthropic(body)
    assert.is_nil(quiet.messages[3].content[1].citations)
    assert.are.same({ "citation_options" }, told)
  end)

  it("a message of nothing but a document keeps it as text", function()
    local sent, losses = anthropic_to_cohere({ messages = { { role = "user", content = { { type = "document",
      title = "T", source = { type = "text", media_type = "text/plain", data = "d" } } } } } })
    assert.is_nil(sent.documents)
    assert.are.equal("T\n\nd", sent.messages[1].content)
    assert.are.same({ "messages[].content[](document sent as text)" }, losses)
  end)
end)

describe("tools", function()
  it("TR-14 TR-15 TR-16 definitions are nested, schemas whole, a missing one is an object", function()
    local schema = '{"type":"object","properties":{"n":{"maximum":12345678901234567890}},"$defs":{"a":true}}'
    local normal = load.chat.request_to_normal(json.decode('{"messages":[],"tools":[{"type":"function","function":'
      .. '{"name":"f","parameters":' .. schema .. '}},{"type":"function","function":{"name":"g"}}]}',
      { raw = load.chat.raw_keys }), {})
    local sent = cohere.request_from_normal(normal, { model = "m" }, {})
    assert.are.equal(schema, json.text(sent.tools[1]["function"].parameters))
    assert.are.equal('{"type":"object","properties":{}}', json.text(sent.tools[2]["function"].parameters))
  end)

  it("TR-19 TR-26 TR-27 names and ids that are too odd are mapped, and back; arguments stay a string", function()
    local sent, _, hop = anthropic_to_cohere({ tools = { { name = "a.b", input_schema = { type = "object" } } },
      messages = { rebuilt, { role = "assistant", content = { { type = "tool_use", id = "toolu_1", name = "a.b",
        input = { n = 9007199254740993 } } } },
      { role = "user", content = { { type = "tool_result", tool_use_id = "toolu_1", content = "ok" } } } } })
    local name = sent.tools[1]["function"].name
    assert.is_nil(name:find(".", 1, true))
    assert.are.equal(name, sent.messages[2].tool_calls[1]["function"].name)
    assert.are.equal('{"n":9007199254740993}', sent.messages[2].tool_calls[1]["function"].arguments)
    local _, text = translate.response(hop, 200,
      json.encode(answer({ tool_calls = { call("c", name, '{"a":1}') } }, "TOOL_CALL")))
    assert.are.equal("a.b", json.decode(text).content[1].name)
  end)

  it("TR-20 server tools are reported; when no tool is left, the choice goes too", function()
    local sent, losses = anthropic_to_cohere({ tools = { { type = "web_search_20250305", name = "web_search" } },
      tool_choice = { type = "any" } })
    assert.is_nil(sent.tools)
    assert.is_nil(sent.tool_choice)
    assert.are.same({ "tools[](web_search_20250305)", "tool_choice" }, losses)
  end)

  it("TR-21 REQUIRED and NONE; a named tool leaves the others out, which is a loss", function()
    for choice, want in pairs({ required = "REQUIRED", none = "NONE" }) do
      local sent, losses = chat_to_cohere({ tools = { tool("f") }, tool_choice = choice })
      assert.are.equal(want, sent.tool_choice)
      assert.are.same({}, losses)
      assert.are.equal(choice, cohere_to_chat({ tools = { tool("f") }, tool_choice = want }).tool_choice)
    end
    assert.is_nil(chat_to_cohere({ tools = { tool("f") }, tool_choice = "auto" }).tool_choice)
    local named = { type = "function", ["function"] = { name = "g" } }
    local sent, losses = chat_to_cohere({ tools = { tool("f"), tool("g") }, tool_choice = named })
    assert.are.same({ "REQUIRED", 1, "g" }, { sent.tool_choice, #sent.tools, sent.tools[1]["function"].name })
    assert.are.same({ "tool_choice(sent as REQUIRED, other tools left out)" }, losses)
    local _, nothing = chat_to_cohere({ tools = { tool("g") }, tool_choice = named })
    assert.are.same({}, nothing)
  end)

  it("TR-22 a model without tool_choice gets no tools for none, and required is reported", function()
    local sent = chat_to_cohere({ tools = { tool("f") }, tool_choice = "none" }, { tool_choice = false })
    assert.is_nil(sent.tools)
    local _, losses = chat_to_cohere({ tools = { tool("f") }, tool_choice = "required" }, { tool_choice = false })
    assert.are.same({ "tool_choice(required)" }, losses)
  end)

  it("TR-25 there is no parallel flag: false is reported, true is what happens anyway", function()
    local _, losses = chat_to_cohere({ tools = { tool("f") }, parallel_tool_calls = false })
    assert.are.same({ "parallel_tool_calls" }, losses)
    _, losses = chat_to_cohere({ tools = { tool("f") }, parallel_tool_calls = true })
    assert.are.same({}, losses)
  end)

  it("strict holds for all tools or for none", function()
    local sent, losses = chat_to_cohere({ tools = { tool("f", { strict = true }), tool("g", { strict = true }) } })
    assert.is_true(sent.strict_tools)
    assert.are.same({}, losses)
    sent, losses = chat_to_cohere({ tools = { tool("f", { strict = true }), tool("g") } })
    assert.is_nil(sent.strict_tools)
    assert.are.same({ "tools[].strict(only for all tools at once)" }, losses)
    local chat = cohere_to_chat({ strict_tools = true, tools = { tool("f"), tool("g") } })
    assert.is_true(chat.tools[1]["function"].strict and chat.tools[2]["function"].strict)
  end)
end)

describe("parameters", function()
  it("TR-41 TR-45 TR-46 names: max_tokens, stop_sequences, p and k", function()
    local sent, losses = chat_to_cohere({ max_completion_tokens = 9, stop = "x", top_p = 0.5, top_k = 7, seed = 3 })
    assert.are.same({ 9, { "x" }, 0.5, 7, 3 }, { sent.max_tokens, sent.stop_sequences, sent.p, sent.k, sent.seed })
    assert.are.same({}, losses)
    local chat, told = cohere_to_chat(sent)
    assert.are.same({ 9, { "x" }, 0.5, 3 }, { chat.max_tokens, chat.stop, chat.top_p, chat.seed })
    assert.are.same({ "top_k" }, told)
    sent, losses = chat_to_cohere({ stop = { "1", "2", "3", "4", "5", "6" } })
    assert.are.equal(5, #sent.stop_sequences)
    assert.are.same({ "stop(more than 5)" }, losses)
  end)

  it("TR-43 values out of range are clamped and reported, or refused by setting", function()
    local sent, losses = chat_to_cohere({ temperature = 1.5, top_p = 1, frequency_penalty = -1, presence_penalty = 2 })
    assert.are.same({ 1, 0.99, 0, 1 }, { sent.temperature, sent.p, sent.frequency_penalty, sent.presence_penalty })
    assert.are.same({ "temperature(clamped to 1)", "top_p(clamped to 0.99)", "frequency_penalty(clamped to 0)",
      "presence_penalty(clamped to 1)" }, losses)
    assert.are.equal("temperature", refusal(chat_to_cohere, { temperature = 1.5 }, { temperature = "reject" }).field)
  end)

  it("TR-47 TR-48 TR-49 what has no place is reported; several answers are refused", function()
    assert.are.equal("n", refusal(chat_to_cohere, { n = 2 }).field)
    local sent, losses = chat_to_cohere({ logit_bias = { ["1"] = 2 }, user = "u", service_tier = "flex",
      logprobs = true, top_logprobs = 3 })
    assert.is_true(sent.logprobs)
    assert.are.same({ "top_logprobs", "logit_bias", "user", "service_tier" }, losses)
    local _, usual = chat_to_cohere({ service_tier = "default" })
    assert.are.same({}, usual)
  end)

  it("TR-51 what only Cohere knows is reported to others", function()
    local _, losses = cohere_to_chat({ safety_mode = "STRICT", citation_options = { mode = "FAST" }, priority = 3 })
    assert.are.same({ "citation_options", "priority", "safety_mode" }, losses)
  end)

  it("TR-52 TR-53 TR-54 the schema goes into response_format, and back", function()
    local schema = { type = "object", properties = { a = { type = "string" } } }
    local sent, losses = chat_to_cohere({ response_format = { type = "json_schema",
      json_schema = { name = "n", schema = schema, description = "d" } } })
    assert.are.same({ type = "json_object", json_schema = schema }, sent.response_format)
    assert.are.same({ "response_format.json_schema.description" }, losses)
    assert.are.same({ type = "json_object" },
      chat_to_cohere({ response_format = { type = "json_object" } }).response_format)
    local chat = cohere_to_chat({ response_format = { type = "json_object", schema = schema } })
    assert.are.same(schema, chat.response_format.json_schema.schema)
    assert.are.same({ type = "json_object" },
      cohere_to_chat({ response_format = { type = "json_object" } }).response_format)
  end)

  it("TR-56 TR-57 thinking is on, off, or on with a budget", function()
    local sent, losses = chat_to_cohere({ reasoning_effort = "high" })
    assert.are.same({ type = "enabled", token_budget = 4096 }, sent.thinking)
    assert.are.same({ "reasoning_effort(sent as a budget of 4096 tokens)" }, losses)
    assert.are.same({ type = "disabled" }, chat_to_cohere({ reasoning_effort = "none" }).thinking)
    local budget, none = anthropic_to_cohere({ thinking = { type = "enabled", budget_tokens = 2000 },
      max_tokens = 5000 })
    assert.are.same({ type = "enabled", token_budget = 2000 }, budget.thinking)
    assert.are.same({}, none)
    local _, dropped = chat_to_cohere({ reasoning_effort = "low" }, { thinking = "none" })
    assert.are.same({ "thinking" }, dropped)
    assert.are.same({ type = "enabled", budget_tokens = 3000 },
      cohere_to_anthropic({ thinking = { type = "enabled", token_budget = 3000 }, max_tokens = 5000 }).thinking)
  end)
end)

describe("answers", function()
  it("TR-32 TR-61 the plan is thinking, thinking is thinking, calls are calls", function()
    local told = told_chat(answer({ tool_plan = "I will.", tool_calls = { call("c", "f", "{}") } }, "TOOL_CALL"))
    local message = told.choices[1].message
    assert.are.same({ "I will.", json.null, "tool_calls" },
      { message.reasoning_content, message.content, told.choices[1].finish_reason })
    local own = told_cohere(completion({ content = "b", reasoning_content = "a",
      tool_calls = { call("c", "f", "{}") } }, "tool_calls"), { tool("f") })
    assert.are.same({ { type = "thinking", thinking = "a" }, { type = "text", text = "b" } }, own.message.content)
    assert.are.equal("TOOL_CALL", own.finish_reason)
  end)

  it("TR-63 TR-65 TR-66 finish reasons to Chat's; unknown ones are stop", function()
    for raw, want in pairs({ COMPLETE = "stop", STOP_SEQUENCE = "stop", MAX_TOKENS = "length", NEW_WORD = "stop",
      ERROR_TOXIC = "content_filter" }) do
      assert.are.equal(want, told_chat(answer({ content = { { type = "text", text = "a" } } }, raw)).choices[1]
        .finish_reason)
    end
    local calls = answer({ tool_calls = { call("c", "f", "{}") } }, "COMPLETE")
    assert.are.equal("tool_calls", told_chat(calls).choices[1].finish_reason)
  end)

  it("TR-63 an answer of nothing but an error, or out of time, is an error", function()
    local told, status = told_chat(answer({}, "ERROR"))
    assert.are.equal(502, status)
    assert.is_string(told.error.message)
    local _, late = told_chat(answer({ content = { { type = "text", text = "a" } } }, "TIMEOUT"))
    assert.are.equal(504, late)
  end)

  it("TR-64 Chat's finish reasons to Cohere's; a filtered answer is not complete", function()
    for raw, want in pairs({ stop = "COMPLETE", length = "MAX_TOKENS", content_filter = "ERROR_TOXIC" }) do
      assert.are.equal(want, told_cohere(completion({ content = "a" }, raw)).finish_reason)
    end
    local told = told_cohere(completion({ refusal = "I will not" }))
    assert.are.same({ "ERROR_TOXIC", "I will not" }, { told.finish_reason, told.message.content[1].text })
  end)

  it("TR-68 TR-69 TR-73 tokens are reported, billed units are kept beside", function()
    local usage = { billed_units = { input_tokens = 18, output_tokens = 34 }, cached_tokens = 16,
      tokens = { input_tokens = 98, output_tokens = 66, reasoning_tokens = 7, image_tokens = 2 } }
    local told = told_chat(answer({ content = { { type = "text", text = "a" } } }, "COMPLETE", usage)).usage
    assert.are.same({ 100, 66, 16, 7 }, { told.prompt_tokens, told.completion_tokens,
      told.prompt_tokens_details.cached_tokens, told.completion_tokens_details.reasoning_tokens })
    local normal = cohere.response_to_normal(answer({ content = { { type = "text", text = "a" } } }, "COMPLETE",
      usage))
    assert.are.same({ input_tokens = 18, output_tokens = 34 }, normal.usage.billed)
    local own = told_cohere(completion({ content = "a" }, "stop", { prompt_tokens = 10, completion_tokens = 5,
      total_tokens = 15, prompt_tokens_details = { cached_tokens = 4 } })).usage
    assert.are.same({ billed_units = { input_tokens = 10, output_tokens = 5 },
      tokens = { input_tokens = 10, output_tokens = 5 }, cached_tokens = 4 }, own)
  end)

  it("TR-93 the id is the gateway's where it gives one; there is no model and no time", function()
    local _, _, hop = cohere_to_chat({}, nil)
    hop.asked.id = "own-id"
    local _, text = translate.response(hop, 200, json.encode(completion({ content = "a" })))
    local told = json.decode(text)
    assert.are.same({ "own-id", nil, nil }, { told.id, told.model, told.created })
  end)

  it("citations of others become Cohere's, with the place and the words", function()
    local told = told_cohere(completion({ content = "Ça va: sunny.", annotations = { { type = "url_citation",
      url_citation = { url = "https://e.test", title = "E", start_index = 7, end_index = 12 } } } }))
    assert.are.same({ { start = 7, ["end"] = 12, text = "sunny", type = "TEXT_CONTENT", content_index = 0, sources = {
      { type = "document", id = "https://e.test", document = { title = "E", url = "https://e.test" } } } } },
      told.message.citations)
    local _, _, hop = cohere_to_anthropic({})
    local _, text = translate.response(hop, 200, json.encode({ type = "message", role = "assistant",
      stop_reason = "end_turn", usage = { input_tokens = 1, output_tokens = 1 }, content = {
        { type = "text", text = "By " }, { type = "text", text = "Matz", citations = { { type = "char_location",
          cited_text = "created by Matz", document_index = 0, document_title = "facts" } } } } }))
    local message = json.decode(text).message
    assert.are.same({ { type = "text", text = "By Matz" } }, message.content)
    assert.are.same({ start = 3, ["end"] = 7, text = "Matz", type = "TEXT_CONTENT", content_index = 0, sources = {
      { type = "document", id = "facts", document = { title = "facts", text = "created by Matz" } } } },
      message.citations[1])
  end)

  it("Cohere's citations reach Chat where they have a URL, and are reported where not", function()
    local function cited(document)
      return answer({ content = { { type = "text", text = "By Matz" } }, citations = { { start = 3, ["end"] = 7,
        text = "Matz", sources = { { type = "document", id = "d", document = document } } } } })
    end
    local told = told_chat(cited({ url = "https://e.test", title = "E", text = "t" }))
    assert.are.same({ { type = "url_citation", url_citation = { url = "https://e.test", title = "E", start_index = 3,
      end_index = 7 } } }, told.choices[1].message.annotations)
    local _, _, hop = chat_to_cohere({})
    translate.response(hop, 200, json.encode(cited({ title = "E" })))
    assert.are.same({ "content[].citations(document)" }, hop.asked.losses)
  end)

  it("log probabilities change their shape; tokens of one entry share its text", function()
    local body = answer({ content = { { type = "text", text = "ab" } } })
    body.logprobs = { { text = "ab", token_ids = { 1, 2 }, logprobs = { -0.25, -0.5 } } }
    local content = told_chat(body).choices[1].logprobs.content
    assert.are.same({ "ab", -0.75 }, { content[1].token, content[1].logprob })
    local chat = completion({ content = "ab" })
    chat.choices[1].logprobs = { content = { { token = "ab", logprob = -0.75, top_logprobs = json.array({}) } } }
    assert.are.same({ { text = "ab", token_ids = {}, logprobs = { -0.75 } } }, told_cohere(chat).logprobs)
  end)
end)

describe("errors", function()
  it("TR-88 TR-89 TR-90 Cohere's shape both ways; 529 is 503; an overflow has its class", function()
    local _, _, hop = chat_to_cohere({})
    local status, text, class = translate.error(hop, 400,
      '{"error_type":"TOO_MANY_TOKENS","id":"1","message":"too many tokens: size limit exceeded"}')
    assert.are.same({ 400, "context_length_exceeded", "context_length" },
      { status, json.decode(text).error.code, class })
    local overloaded, body = cohere.error_from_normal({ status = 529, message = "m", class = "overloaded" }, "req_1")
    assert.are.same({ 503, { id = "req_1", message = "m" } }, { overloaded, body })
    local _, placed = cohere.error_from_normal({ status = 400, message = "is wrong", param = "messages[0]" })
    assert.are.equal("messages[0]: is wrong", placed.message)
    local inside = told_chat({ id = "x", message = "internal server error" })
    assert.are.equal("internal server error", inside.error.message)
  end)

  it("wrong kinds are named with their place", function()
    for field, body in pairs({
      ["messages"] = { messages = 3 }, ["messages[0].role"] = { messages = { { role = "chatbot", content = "a" } } },
      ["messages[0].tool_call_id"] = { messages = { { role = "tool", content = "a" } } },
      ["tool_choice"] = { tool_choice = "f" }, ["response_format.type"] = { response_format = { type = "xml" } },
      ["documents[0].data"] = { documents = { { id = "a" } } }, ["thinking.type"] = { thinking = { type = "maybe" } },
      ["tools[0].function.name"] = { tools = { { type = "function", ["function"] = { description = "d" } } } },
    }) do
      body.messages = body.messages or { rebuilt }
      assert.are.equal(field, refusal(cohere_to_chat, body).field)
    end
  end)
end)
