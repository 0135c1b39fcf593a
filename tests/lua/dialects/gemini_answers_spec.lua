-- The known pitfalls of translating Gemini's answers, errors and signatures, by their stable numbers (TR-27 …).
-- Requests are in gemini_rows_spec.lua.

local gemini = dofile("tests/lua/dialects/gemini_exchange.lua")
local exchange, load, D = gemini.exchange, gemini.load, gemini.D
local json = load.gw.json
local send, user, said, call, result = gemini.send, gemini.user, gemini.said, gemini.call, gemini.result
local from_chat, from_anthropic, to_anthropic = gemini.from_chat, gemini.from_anthropic, gemini.to_anthropic
local answer, told = gemini.answer, gemini.told
local told_chat, told_anthropic = gemini.told_chat, gemini.told_anthropic

describe("signatures", function()
  local parts = { { text = "think", thought = true }, { functionCall = { name = "f", args = { a = 1 }, id = "c1" },
    thoughtSignature = "EpID" }, { functionCall = { name = "f", args = { a = 2 }, id = "c2" } } }

  it("TR-58 TR-59 TR-60 of Gemini travel through Chat on the call that they are on, and come back there", function()
    local message = told_chat({ content = { role = "model", parts = parts } }).choices[1].message
    assert.are.equal("think", message.reasoning_content)
    assert.are.same({ google = { thought_signature = "EpID" } }, message.tool_calls[1].extra_content)
    assert.is_nil(message.tool_calls[2].extra_content)
    assert.is_nil(message.thinking_blocks)
    local body, losses = from_chat({ messages = { user, message, result("c1", "1"), result("c2", "2") } })
    assert.are.same({ { functionCall = { name = "f", args = { a = 1 }, id = "c1" }, thoughtSignature = "EpID" },
      { functionCall = { name = "f", args = { a = 2 }, id = "c2" } } }, body.contents[2].parts)
    assert.are.same({ "messages[].thinking(unsigned)" }, losses)
  end)

  it("TR-58 of Gemini on a text travel through Chat in thinking_blocks, tagged with their maker", function()
    local message = told_chat({ content = { role = "model", parts = { { text = "ok", thoughtSignature = "EpID" } } } })
      .choices[1].message
    assert.are.same({ { type = "thinking", thinking = "", signature = "gemini:EpID" } }, message.thinking_blocks)
    local body = from_chat({ messages = { user, message, user } })
    assert.are.same({ { text = "ok", thoughtSignature = "EpID" } }, body.contents[2].parts)
  end)

  it("TR-58 of Gemini travel through Anthropic clients before the call", function()
    local content = told_anthropic({ content = { role = "model", parts = parts } }).content
    assert.are.same({ type = "thinking", thinking = "think", signature = "gemini:EpID" }, content[1])
    local body, losses = from_anthropic({ messages = { user, { role = "assistant", content = content },
      { role = "user", content = { { type = "tool_result", tool_use_id = "c1", content = "1" },
        { type = "tool_result", tool_use_id = "c2", content = "2" } } } } })
    assert.are.same({ { text = "think", thought = true },
      { functionCall = { name = "f", args = { a = 1 }, id = "c1" }, thoughtSignature = "EpID" },
      { functionCall = { name = "f", args = { a = 2 }, id = "c2" } } }, body.contents[2].parts)
    assert.are.same({}, losses)
    local claude, lost = send(load.messages, load.chat, { max_tokens = 9, messages = { user,
      { role = "assistant", content = content }, user } })
    assert.are.equal("think", claude.messages[2].reasoning_content)
    assert.are.same({ "messages[].thinking.signature" }, lost)
  end)

  it("TR-58 of others travel through Gemini clients as bytes, in either alphabet of base64", function()
    local claude = { id = "msg_1", type = "message", role = "assistant", model = "c", stop_reason = "end_turn",
      usage = { input_tokens = 1, output_tokens = 1 }, content = {
        { type = "thinking", thinking = "why", signature = "sig+/~~~>>>???==" },
        { type = "redacted_thinking", data = "DATA" }, { type = "text", text = "ok" } } }
    local content = told(D, load.messages, claude).candidates[1].content
    assert.are.same({ "why", true }, { content.parts[1].text, content.parts[1].thought })
    for _, part in ipairs(content.parts) do
      -- What Google's SDK for Python makes of a field that holds bytes.
      part.thoughtSignature = part.thoughtSignature and part.thoughtSignature:gsub("+", "-"):gsub("/", "_")
    end
    local body, losses = to_anthropic({ contents = { said("hi"), content, said("so?") } })
    assert.are.same(claude.content, body.messages[2].content)
    assert.are.same({ "max_tokens(default 8192)" }, losses)
  end)

  it("TR-58 none is lost when two follow each other", function()
    local body = to_anthropic({ contents = { said("hi"), { role = "model", parts = {
      { text = "a", thoughtSignature = "S1" }, { text = "", thoughtSignature = "S2" } } }, said("so?") } })
    local back = from_anthropic({ messages = { user, { role = "assistant", content = {
      { type = "thinking", thinking = "", signature = "gemini:S1" },
      { type = "thinking", thinking = "", signature = "gemini:S2" }, { type = "text", text = "a" } } }, user } })
    assert.are.equal("a", body.messages[2].content)
    assert.are.same({ { text = "", thoughtSignature = "S1" }, { text = "a", thoughtSignature = "S2" } },
      back.contents[2].parts)
  end)

  it("TR-58 what Claude has signed is not shown to Gemini", function()
    local body, losses = from_anthropic({ messages = { user, { role = "assistant", content = {
      { type = "thinking", thinking = "why", signature = "S" }, { type = "text", text = "ok" } } }, user } })
    assert.are.same({ { text = "ok" } }, body.contents[2].parts)
    assert.are.same({ "messages[].thinking(not Gemini's)" }, losses)
  end)

  it("TR-59 a model that demands one gets Google's word for a call that never had one, once a turn", function()
    local body, losses = from_chat({ messages = { user, { role = "assistant", tool_calls = { call("a", "f", "{}"),
      call("b", "f", "{}") } }, result("a", "1"), result("b", "2") } }, { signature_filler = "skip" })
    assert.are.equal("skip", body.contents[2].parts[1].thoughtSignature)
    assert.is_nil(body.contents[2].parts[2].thoughtSignature)
    assert.are.same({ "messages[].tool_calls[](without the signature of its thinking)" }, losses)
  end)
end)

describe("answers of Gemini", function()
  it("has counts that add up, though a provider counts more thoughts than output", function()
    local usage = load.module("gw.gemini_answer").usage_from_normal({ input_tokens = 10, output_tokens = 5,
      reasoning_tokens = 8 }, {})
    assert.are.same({ 10, 0, 5, 15 }, { usage.promptTokenCount, usage.candidatesTokenCount, usage.thoughtsTokenCount,
      usage.totalTokenCount })
  end)

  it("TR-63 TR-65 finish reasons, and tool calls that end with STOP", function()
    for raw, want in pairs({ STOP = "stop", MAX_TOKENS = "length", SAFETY = "content_filter",
      RECITATION = "content_filter", BLOCKLIST = "content_filter", PROHIBITED_CONTENT = "content_filter",
      SPII = "content_filter", BRAND_NEW = "stop", MALFORMED_FUNCTION_CALL = "stop" }) do
      assert.are.equal(want, told_chat({ finishReason = raw }).choices[1].finish_reason)
    end
    local parts = { { functionCall = { name = "f", args = {} } } }
    for _, raw in ipairs({ "STOP", "UNEXPECTED_TOOL_CALL" }) do
      assert.are.equal("tool_calls",
        told_chat({ finishReason = raw, content = { parts = parts } }).choices[1].finish_reason)
    end
    assert.are.equal("refusal", told_anthropic({ finishReason = "SAFETY", content = {} }).stop_reason)
  end)

  it("TR-63 a prompt that is refused is a filtered answer, not a missing one", function()
    local body, status = told(load.chat, D, { promptFeedback = { blockReason = "PROHIBITED_CONTENT" },
      usageMetadata = { promptTokenCount = 9, totalTokenCount = 9 } })
    assert.are.same({ 200, "content_filter", 9 }, { status, body.choices[1].finish_reason, body.usage.prompt_tokens })
  end)

  it("TR-69 TR-73 thoughts are output, prompts of tools are input, cached and audio tokens are told", function()
    local usage = told_chat({}, { usageMetadata = { promptTokenCount = 100, toolUsePromptTokenCount = 20,
      cachedContentTokenCount = 60, candidatesTokenCount = 7, thoughtsTokenCount = 5, totalTokenCount = 132,
      promptTokensDetails = { { modality = "TEXT", tokenCount = 70 },
        { modality = "AUDIO", tokenCount = 30 } } } }).usage
    assert.are.same({ 120, 12, 132, 60, 30, 5 }, { usage.prompt_tokens, usage.completion_tokens, usage.total_tokens,
      usage.prompt_tokens_details.cached_tokens, usage.prompt_tokens_details.audio_tokens,
      usage.completion_tokens_details.reasoning_tokens })
  end)

  it("TR-27 ids are made where there are none, and are never the same", function()
    local parts = { { functionCall = { name = "f", args = {} } }, { functionCall = { name = "f", args = {} } },
      { functionCall = { name = "f", args = {}, id = "own" } } }
    local seen = {}
    for _ = 1, 2 do
      local calls = told_chat({ content = { parts = parts } }).choices[1].message.tool_calls
      assert.are.equal("own", calls[3].id)
      for i = 1, 2 do
        assert.is_nil(seen[calls[i].id])
        seen[calls[i].id] = true
      end
    end
  end)

  it("grounding becomes annotations, with places in characters", function()
    local text = "Grüße. Paris ist schön."
    local message = told_chat({ content = { parts = { { text = text } } }, groundingMetadata = {
      groundingChunks = { { web = { uri = "https://a.test", title = "A" } }, { web = { uri = "https://b.test" } } },
      groundingSupports = { { segment = { startIndex = 9, endIndex = 26 }, groundingChunkIndices = { 0 } } },
      webSearchQueries = { "q" } } }).choices[1].message
    assert.are.same({ url = "https://a.test", title = "A", start_index = 7, end_index = 23 },
      message.annotations[1].url_citation)
    assert.are.equal("https://b.test", message.annotations[2].url_citation.url)
  end)

  it("TR-47 logprobs have Chat's shape, and come back", function()
    local result_of = { chosenCandidates = { { token = "a", logProbability = -0.5 } },
      topCandidates = { { candidates = { { token = "a", logProbability = -0.5 }, { token = "b",
        logProbability = -1.5 } } } } }
    local chat = told_chat({ logprobsResult = result_of })
    local entry = chat.choices[1].logprobs.content[1]
    assert.are.same({ "a", -0.5, 2 }, { entry.token, entry.logprob, #entry.top_logprobs })
    assert.are.same(result_of, told(D, load.chat, chat).candidates[1].logprobsResult)
  end)

  it("TR-65 a part of a kind that nobody knows yet is reported, and does not fail the answer", function()
    local body, status, losses = told_chat({ content = { parts = { { text = "a" }, { brandNew = { x = 1 } } } } })
    assert.are.same({ 200, "a" }, { status, body.choices[1].message.content })
    assert.are.same({ "content[](brandNew)" }, losses)
  end)

  it("several candidates are several choices", function()
    local body = answer({ index = 0 })
    body.candidates[2] = { index = 1, content = { parts = { { text = "two" } } }, finishReason = "STOP" }
    local choices = told(load.chat, D, body).choices
    assert.are.same({ 0, 1, "two" }, { choices[1].index, choices[2].index, choices[2].message.content })
  end)
end)

describe("answers to Gemini clients", function()
  local function told_gemini(message, finish_reason, usage)
    return told(D, load.chat, exchange.completion(message, finish_reason, usage))
  end

  it("TR-64 finish reasons, and refusals", function()
    for raw, want in pairs({ stop = "STOP", length = "MAX_TOKENS", content_filter = "SAFETY" }) do
      assert.are.equal(want, told_gemini({ content = "a" }, raw).candidates[1].finishReason)
    end
    local refused = told_gemini({ refusal = "no" }, "stop").candidates[1]
    assert.are.same({ "SAFETY", "no" }, { refused.finishReason, refused.content.parts[1].text })
    local calls = told_gemini({ tool_calls = { call("c", "f", "{}") } }, "tool_calls").candidates[1]
    assert.are.same({ "STOP", { functionCall = { id = "c", name = "f", args = {} } } },
      { calls.finishReason, calls.content.parts[1] })
  end)

  it("TR-67 TR-68 the stop text is reported, usage counts cached and thought tokens Google's way", function()
    local body, _, losses = told(D, load.messages, exchange.answer({ stop_reason = "stop_sequence",
      stop_sequence = "END", usage = { input_tokens = 10, cache_read_input_tokens = 100,
        cache_creation_input_tokens = 20, output_tokens = 9,
        output_tokens_details = { thinking_tokens = 4 } } }))
    assert.are.same({ promptTokenCount = 130, cachedContentTokenCount = 100, candidatesTokenCount = 5,
      thoughtsTokenCount = 4, totalTokenCount = 139 }, body.usageMetadata)
    assert.are.same({ "stop_sequence", "usage.cache_write_tokens" }, losses)
  end)

  it("citations become grounding, with places in bytes", function()
    local annotation = { type = "url_citation", url_citation = { url = "https://a.test", title = "A", start_index = 7,
      end_index = 23 } }
    local candidate = told_gemini({ content = "Grüße. Paris ist schön.", annotations = { annotation } }, "stop")
      .candidates[1]
    assert.are.same({ groundingChunks = { { web = { uri = "https://a.test", title = "A" } } },
      groundingSupports = { { groundingChunkIndices = { 0 },
        segment = { startIndex = 9, endIndex = 26, text = "Paris ist schön." } } } }, candidate.groundingMetadata)
  end)

  it("TR-93 id and model are the gateway's", function()
    local body = told(D, load.messages, exchange.answer({}), { model = "alias", id = "x" })
    assert.are.same({ "x", "alias" }, { body.responseId, body.modelVersion })
  end)
end)

describe("errors", function()
  it("TR-88 Google's envelope, as it is or within a list, whole or with status 200", function()
    local envelope = { error = { code = 429, message = "slow down", status = "RESOURCE_EXHAUSTED" } }
    for _, body in ipairs({ envelope, json.array({ envelope }) }) do
      local err = D.error_to_normal(429, json.encode(body))
      assert.are.same({ 429, "slow down", "RESOURCE_EXHAUSTED", "rate_limit" }, { err.status, err.message, err.type,
        err.class })
    end
    local body, status = told(load.chat, D, envelope)
    assert.are.same({ 429, "slow down" }, { status, body.error.message })
  end)

  it("TR-88 TR-89 every status has Google's word, and what is wrong its details", function()
    for status, word in pairs({ [400] = "INVALID_ARGUMENT", [401] = "UNAUTHENTICATED", [403] = "PERMISSION_DENIED",
      [404] = "NOT_FOUND", [429] = "RESOURCE_EXHAUSTED", [500] = "INTERNAL", [502] = "INTERNAL",
      [503] = "UNAVAILABLE", [504] = "DEADLINE_EXCEEDED" }) do
      local got, body = D.error_from_normal({ status = status, message = "m", class = "x" })
      assert.are.same({ status, { error = { code = status, message = "m", status = word } } }, { got, body })
    end
    assert.are.equal(503, (D.error_from_normal({ status = 529, message = "m" })))
    local _, body = D.error_from_normal({ status = 400, message = "must be a string", param = "contents[0].role",
      class = "invalid" }, "req_1")
    assert.are.equal("contents[0].role: must be a string", body.error.message)
    assert.are.equal("contents[0].role", body.error.details[1].fieldViolations[1].field)
    assert.are.equal("req_1", body.error.details[2].requestId)
  end)

  it("TR-89 the field that Google names is told", function()
    local err = D.error_to_normal(400, json.encode({ error = { code = 400, status = "INVALID_ARGUMENT", message = "m",
      details = { { ["@type"] = "type.googleapis.com/google.rpc.BadRequest", fieldViolations = {
        { field = "contents[0].parts", description = "d" } } } } } }))
    assert.are.equal("contents[0].parts", err.param)
  end)

  it("TR-90 a context overflow is told from other invalid arguments", function()
    local err = D.error_to_normal(400, json.encode({ error = { code = 400, status = "INVALID_ARGUMENT",
      message = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)." } }))
    assert.are.equal("context_length", err.class)
  end)
end)
