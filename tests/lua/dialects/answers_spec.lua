-- Answers and errors between Chat and Anthropic: stop reasons, usage, error bodies. Rows by their stable numbers; see
-- rows_spec.lua.

local exchange = dofile("tests/lua/dialects/exchange.lua")
local load = exchange.load
local json, translate = load.gw.json, load.translate
local to_anthropic = exchange.to_anthropic
local told_chat, told_anthropic = exchange.told_chat, exchange.told_anthropic
local answer, completion = exchange.answer, exchange.completion

local function call(id, name, arguments)
  return { id = id, type = "function", ["function"] = { name = name, arguments = arguments } }
end

describe("stop reasons", function()
  it("TR-63 Anthropic's to Chat's", function()
    for raw, want in pairs({ end_turn = "stop", stop_sequence = "stop", pause_turn = "stop", max_tokens = "length",
      model_context_window_exceeded = "length", tool_use = "tool_calls", refusal = "content_filter" }) do
      assert.are.equal(want, told_chat(answer({ stop_reason = raw })).choices[1].finish_reason)
    end
  end)

  it("TR-64 Chat's to Anthropic's; a filtered answer is a refusal", function()
    for raw, want in pairs({ stop = "end_turn", length = "max_tokens", content_filter = "refusal" }) do
      assert.are.equal(want, told_anthropic(completion({ content = "a" }, raw)).stop_reason)
    end
    local told = told_anthropic(completion({ refusal = "I will not" }, "stop"))
    assert.are.equal("refusal", told.stop_reason)
    assert.are.equal("I will not", told.content[1].text)
  end)

  it("TR-65 TR-66 unknown and odd values do not fail the answer", function()
    assert.are.equal("stop", told_chat(answer({ stop_reason = "brand_new" })).choices[1].finish_reason)
    assert.are.equal("end_turn", told_anthropic(completion({ content = "a" }, "brand_new")).stop_reason)
    for _, odd in ipairs({ "", "null", json.null, "stop" }) do
      local told = told_anthropic(completion({ tool_calls = { call("c", "f", "{}") } }, odd))
      assert.are.equal("tool_use", told.stop_reason)
    end
  end)

  it("TR-67 the matched stop sequence is kept beside", function()
    local told = told_chat(answer({ stop_reason = "stop_sequence", stop_sequence = "END" }))
    assert.are.equal("END", told.choices[1].stop_sequence)
  end)
end)

describe("usage", function()
  it("TR-68 inclusive in Chat, exclusive in Anthropic", function()
    local told = told_chat(answer({ usage = { input_tokens = 10, cache_read_input_tokens = 100,
      cache_creation_input_tokens = 20, output_tokens = 5 } }))
    assert.are.equal(130, told.usage.prompt_tokens)
    assert.are.equal(100, told.usage.prompt_tokens_details.cached_tokens)
    assert.are.equal(135, told.usage.total_tokens)
    local back = told_anthropic(completion({ content = "a" }, "stop", { prompt_tokens = 130, completion_tokens = 5,
      total_tokens = 135, prompt_tokens_details = { cached_tokens = 100 } }))
    assert.are.equal(30, back.usage.input_tokens)
    assert.are.equal(100, back.usage.cache_read_input_tokens)
  end)

  it("TR-69 reasoning is part of the output; where the total says it is not, it is added", function()
    local usage = { prompt_tokens = 10, completion_tokens = 5, total_tokens = 35,
      completion_tokens_details = { reasoning_tokens = 20 } }
    assert.are.equal(25, told_anthropic(completion({ content = "a" }, "stop", usage)).usage.output_tokens)
    usage = { prompt_tokens = 10, completion_tokens = 25, total_tokens = 35,
      completion_tokens_details = { reasoning_tokens = 20 } }
    assert.are.equal(25, told_anthropic(completion({ content = "a" }, "stop", usage)).usage.output_tokens)
  end)

  it("audio counts beside the prompt where the total says so (Mistral), within it elsewhere", function()
    local usage = { prompt_tokens = 9, completion_tokens = 248, total_tokens = 632,
      prompt_tokens_details = { cached_tokens = 0, audio_tokens = 375 } }
    assert.are.equal(384, told_anthropic(completion({ content = "a" }, "stop", usage)).usage.input_tokens)
    usage = { prompt_tokens = 21, completion_tokens = 1, total_tokens = 22,
      prompt_tokens_details = { audio_tokens = 2 } }
    assert.are.equal(21, told_anthropic(completion({ content = "a" }, "stop", usage)).usage.input_tokens)
  end)
end)

describe("errors", function()
  local function error_of(status, text)
    local _, _, hop = to_anthropic({})
    hop.asked.request_id = nil
    local got, body, class = translate.error(hop, status, text)
    return got, json.decode(body).error, class
  end

  it("TR-88 every shape gives a message", function()
    for text, want in pairs({
      ['{"error":{"message":"m","type":"t"}}'] = "m", ['{"type":"error","error":{"type":"t","message":"m"}}'] = "m",
      ['{"error":"m"}'] = "m", ['{"message":"m"}'] = "m", ['{"detail":"m"}'] = "m",
      ['{"detail":[{"msg":"m","loc":["a"]}]}'] = "m", ['[{"error":{"code":400,"message":"m"}}]'] = "m",
      ["<html><body>m</body></html>"] = "m", ["m"] = "m",
    }) do
      local _, err = error_of(400, text)
      assert.are.equal(want, err.message)
    end
    local _, err = error_of(500, "")
    assert.is_true(#err.message > 0)
  end)

  it("an answer of a shape nobody knows is the provider's fault", function()
    for _, odd in ipairs({ { choices = json.array({ 3 }) }, { choices = 3 }, { choices = json.array({
      { message = { tool_calls = 3 } } }) } }) do
      local _, status = told_anthropic(odd)
      assert.are.equal(502, status)
    end
    local _, status = told_chat({ type = "message", content = 3 })
    assert.are.equal(502, status)
  end)

  it("TR-88 an error inside 200 is an error", function()
    local _, status = told_anthropic({ error = { message = "m", code = 429 } })
    assert.are.equal(429, status)
  end)

  it("TR-89 529 is 503 for Chat clients and stays 529 for Anthropic's", function()
    local status, err = error_of(529, '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}')
    assert.are.equal(503, status)
    assert.are.equal("server_error", err.type)
    local own, body = load.messages.error_from_normal({ status = 529, message = "m" }, "req_1")
    assert.are.equal(529, own)
    assert.are.same({ type = "error", error = { type = "overloaded_error", message = "m" }, request_id = "req_1" },
      body)
  end)

  it("TR-90 a context overflow has one class and code, whatever the text", function()
    for _, text in ipairs({
      '{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 2"}}',
      '{"error":{"message":"This model\'s maximum context length is 8","code":"context_length_exceeded"}}' }) do
      local status, err, class = error_of(400, text)
      assert.are.equal(400, status)
      assert.are.equal("context_length_exceeded", err.code)
      assert.are.equal("context_length", class)
    end
  end)

  it("a key that a provider repeats is not shown", function()
    local _, err = error_of(401, '{"error":{"message":"Incorrect API key provided: sk-proj-abc123. See"}}')
    assert.is_nil(err.message:find("abc123", 1, true))
  end)

  it("TR-93 id, model and created are the gateway's where the provider has none", function()
    local told = told_chat(answer({}), { model = "alias", id = "chatcmpl-x", created = 7 })
    assert.are.same({ "chatcmpl-x", "alias", 7 }, { told.id, told.model, told.created })
  end)
end)
