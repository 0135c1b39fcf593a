-- Streams to and from Gemini, event by event: what real servers send, and what Google's SDKs can read. Every produced
-- stream is run through the order checkers. Rows by their stable numbers (TR-27 …).

local load = dofile("tests/lua/dialects/load.lua")
local order = dofile("tests/lua/dialects/order.lua")
local outcome = dofile("tests/lua/dialects/outcome.lua")
local gemini = dofile("tests/lua/dialects/gemini_outcome.lua")
local json, translate = load.gw.json, load.translate
local D = load.file("adapters/dialects/gemini.lua")

-- Runs a translate stream over events (tables or texts); returns the text, the stream object, the losses.
local function run(client, provider, events, asked)
  asked = asked or {}
  asked.model, asked.stream, asked.stream_usage, asked.losses = "alias", true, true, {}
  local stream = translate.stream(translate.hop(client, provider, nil, { model = "m", quirks = {} }, asked))
  local pieces = load.play(stream, events)
  return table.concat(pieces), stream, asked.losses
end

local function to_gemini(events, framing, provider)
  local text, stream, losses = run(D, provider or load.chat, events, { framing = framing or "sse" })
  local chunks = gemini.chunks(json, text, framing or "sse")
  order.check("gemini", chunks)
  return gemini.assemble(json, chunks), stream, chunks, losses, text
end

local function to_chat(events)
  local text, stream, losses = run(load.chat, D, events)
  local produced = order.events(text)
  order.check("openai.chat", produced)
  return outcome.assemble_chat(json, produced), stream, produced, losses
end

local function to_messages(events)
  local text, stream, losses = run(load.messages, D, events)
  local produced = order.events(text)
  order.check("anthropic.messages", produced)
  return outcome.assemble_messages(json, produced), stream, produced, losses
end

local function chunk(delta, finish_reason, more)
  local body = { id = "c1", object = "chat.completion.chunk", created = 1, model = "gpt",
    choices = json.array({ { index = 0, delta = delta, finish_reason = finish_reason or json.null } }) }
  for name, v in pairs(more or {}) do body[name] = v end
  return body
end

local function fragment(index, id, name, arguments)
  return chunk({ tool_calls = { { index = index, id = id, type = id and "function" or nil,
    ["function"] = { name = name, arguments = arguments } } } })
end

local usage_chunk = { id = "c1", object = "chat.completion.chunk", created = 1, model = "gpt", choices = json.array({}),
  usage = { prompt_tokens = 10, completion_tokens = 5, total_tokens = 15,
    completion_tokens_details = { reasoning_tokens = 2 } } }

-- A chunk of Gemini's.
local function part(...)
  return { candidates = json.array({ { index = 0, content = { role = "model", parts = json.array({ ... }) } } }),
    modelVersion = "gemini-x", responseId = "r1",
    usageMetadata = { promptTokenCount = 10, candidatesTokenCount = 1, totalTokenCount = 11 } }
end

local function last(reason, more)
  local body = part({ text = "" })
  body.candidates[1].finishReason = reason or "STOP"
  body.usageMetadata = { promptTokenCount = 10, candidatesTokenCount = 5, thoughtsTokenCount = 3, totalTokenCount = 18 }
  for name, v in pairs(more or {}) do body.candidates[1][name] = v end
  return body
end

local function calls_of(body)
  local calls = {}
  for _, one in ipairs(body.candidates[1].content.parts) do
    if one.functionCall then calls[#calls + 1] = one.functionCall end
  end
  return calls
end

describe("events of others to a Gemini client", function()
  for _, framing in ipairs({ "sse", "json-array" }) do
    it("TR-79 TR-80 text, usage last and once, no terminator: as " .. framing, function()
      local body, _, chunks = to_gemini({ chunk({ role = "assistant", content = "" }), chunk({ content = "a" }),
        chunk({ content = "b" }), chunk({}, "stop"), usage_chunk, "[DONE]" }, framing)
      local got = gemini.outcome(json, body)
      assert.are.same({ "ab", "stop", 10, 5, 2 }, { got.text, got.finish, got.usage.input, got.usage.output,
        got.usage.reasoning })
      assert.are.equal(3, #chunks)
      assert.are.equal("alias", body.modelVersion)
    end)
  end

  it("TR-35 TR-36 interleaved calls come whole and in order, each when it is complete", function()
    local body = to_gemini({ fragment(0, "a", "f", ""), fragment(1, "b", "g", '{"y":'), fragment(0, nil, nil, '{"x"'),
      fragment(1, nil, nil, "2}"), fragment(0, nil, nil, ":1}"), chunk({ content = "and" }), chunk({}, "tool_calls"),
      "[DONE]" })
    assert.are.same({ { id = "a", name = "f", args = { x = 1 } }, { id = "b", name = "g", args = { y = 2 } } },
      calls_of(body))
    assert.are.equal("STOP", body.candidates[1].finishReason)
  end)

  it("TR-26 arguments keep numbers; broken ones are wrapped and reported; line ends do not break an event", function()
    local pretty = '{\n  "z": 12345678901234567890,\n  "a": 1.10\n}'
    local body, _, _, losses, text = to_gemini({ fragment(0, "a", "f", pretty),
      fragment(1, "b", "g", "{broken"), fragment(2, "c", "h", ""), chunk({}, "tool_calls"), "[DONE]" })
    assert.is_truthy(text:find('"args":{   "z": 12345678901234567890,   "a": 1.10 }', 1, true))
    assert.are.same({ { _raw_arguments = "{broken" }, {} }, { calls_of(body)[2].args, calls_of(body)[3].args })
    assert.are.same({ "message.tool_calls[].function.arguments(not an object)" }, losses)
  end)

  it("TR-58 signatures of Claude are bytes on a thought that ends what was thought", function()
    local block = { type = "content_block_start", index = 0, content_block = { type = "thinking", thinking = "" } }
    local function delta(d) return { type = "content_block_delta", index = 0, delta = d } end
    local body = to_gemini({ { type = "message_start", message = { id = "m", model = "c",
      usage = { input_tokens = 3, output_tokens = 1 } } }, block,
      delta({ type = "thinking_delta", thinking = "w" }), delta({ type = "thinking_delta", thinking = "hy" }),
      delta({ type = "signature_delta", signature = "S+/=" }), { type = "content_block_stop", index = 0 },
      { type = "content_block_start", index = 1, content_block = { type = "text", text = "ok" } },
      { type = "content_block_stop", index = 1 },
      { type = "message_delta", delta = { stop_reason = "end_turn" }, usage = { output_tokens = 7 } },
      { type = "message_stop" } }, "sse", load.messages)
    local history = { contents = { { role = "model", parts = body.candidates[1].content.parts } } }
    local normal = D.request_to_normal(json.decode(json.encode(history), { raw = D.raw_keys }), {}, {})
    assert.are.same({ { type = "thinking", text = "why", signature = "S+/=", signed_by = "anthropic" },
      { type = "text", text = "ok" } }, normal.messages[1].parts)
  end)

  it("several choices are candidates", function()
    local two = chunk({ content = "b" })
    two.choices[1].index = 1
    local ends = chunk({}, "length")
    ends.choices[1].index = 1
    local body = to_gemini({ chunk({ content = "a" }), two, chunk({}, "stop"), ends, "[DONE]" })
    assert.are.same({ "STOP", "MAX_TOKENS" }, { body.candidates[1].finishReason, body.candidates[2].finishReason })
    assert.are.equal("b", body.candidates[2].content.parts[1].text)
  end)

  it("citations are grounding of the last chunk", function()
    local body = to_gemini({ chunk({ content = "Grüße" }), chunk({ annotations = { { type = "url_citation",
      url_citation = { url = "https://a.test", title = "A", start_index = 0, end_index = 5 } } } }), chunk({}, "stop"),
      "[DONE]" })
    assert.are.same({ startIndex = nil, endIndex = 7, text = "Grüße" },
      body.candidates[1].groundingMetadata.groundingSupports[1].segment)
  end)

  it("TR-83 pings are not sent: Google's SDKs stumble over them", function()
    local writer, pieces = D.writer({ model = "m", losses = {} }), {}
    writer:event({ type = "ping" }, function(text) pieces[#pieces + 1] = text end)
    assert.are.equal(0, #pieces)
  end)

  it("TR-85 an error ends the stream, in both framings, and leaves something that SDKs raise at", function()
    for _, framing in ipairs({ "sse", "json-array" }) do
      for _, begun in ipairs({ true, false }) do
        local events = { { error = { message = "slow down", code = 429 } } }
        if begun then table.insert(events, 1, chunk({ content = "a" })) end
        local body, stream, chunks, _, text = to_gemini(events, framing)
        assert.is_nil(body)
        assert.are.equal(429, json.decode(chunks[#chunks].data).error.code)
        assert.are.equal("slow down", stream.failed.message)
        if framing == "sse" then
          -- Google's SDK for JavaScript: what is left behind the last blank line that it knows.
          local rest = text:match(".*\r\n\r\n(.*)$")
          assert.is_truthy(rest:find("%S"))
          assert.is_nil(rest:find("\n\n"))
        end
      end
    end
  end)

  it("TR-80 a stream that breaks off is an error", function()
    local _, stream, chunks = to_gemini({ chunk({ content = "a" }) })
    assert.are.equal(502, stream.failed.status)
    assert.are.equal("INTERNAL", json.decode(chunks[#chunks].data).error.status)
  end)
end)

describe("chunks of Gemini to others", function()
  it("TR-35 TR-27 calls in several chunks are counted on, with ids of their own", function()
    local body = to_chat({ part({ functionCall = { name = "f", args = { a = 1 } }, thoughtSignature = "EpID" }),
      part({ functionCall = { name = "f", args = { a = 2 } } }), last() })
    local calls = body.choices[1].message.tool_calls
    assert.are.same({ '{"a":1}', '{"a":2}' }, { calls[1]["function"].arguments, calls[2]["function"].arguments })
    assert.are_not.equal(calls[1].id, calls[2].id)
    assert.are.equal("tool_calls", body.choices[1].finish_reason)
  end)

  it("TR-58 TR-60 a signature reaches Chat on its call, Anthropic before it", function()
    local events = { part({ text = "hm", thought = true }), part({ functionCall = { name = "f", id = "c" },
      thoughtSignature = "EpID" }), part({ functionCall = { name = "g", id = "d" } }), last() }
    local _, _, produced = to_chat(events)
    local signed = {}
    for _, event in ipairs(produced) do
      local body = event.data ~= "[DONE]" and json.decode(event.data) or { choices = {} }
      local delta = body.choices[1] and body.choices[1].delta or {}
      for _, one in ipairs(delta.tool_calls or {}) do
        if one.extra_content then signed[one.index] = one.extra_content.google.thought_signature end
      end
      assert.is_nil(delta.thinking_blocks)
    end
    assert.are.same({ [0] = "EpID" }, signed)
    local message = to_messages(events)
    assert.are.same({ type = "thinking", thinking = "hm", signature = "gemini:EpID" }, message.content[1])
    assert.are.same({ "tool_use", "tool_use" }, { message.content[2].type, message.content[3].type })
  end)

  it("TR-58 a signature on an empty last text is kept", function()
    local end_chunk = last()
    end_chunk.candidates[1].content.parts = json.array({ { text = "", thoughtSignature = "EpID" } })
    local body = to_chat({ part({ text = "a" }), end_chunk })
    assert.are.same({ index = 0, type = "thinking", thinking = "", signature = "gemini:EpID" },
      body.choices[1].message.thinking_blocks[1])
    local message = to_messages({ part({ text = "a" }), end_chunk })
    assert.are.same({ "text", "thinking" }, { message.content[1].type, message.content[2].type })
  end)

  it("TR-70 the last usage counts, and one that is missing does not take it back", function()
    local late = last()
    late.usageMetadata = nil
    local body = to_chat({ part({ text = "a" }), last(), late })
    assert.are.same({ 10, 8 }, { body.usage.prompt_tokens, body.usage.completion_tokens })
  end)

  it("TR-63 a refused prompt ends in order, without any candidate", function()
    local body = to_chat({ { promptFeedback = { blockReason = "SAFETY" }, modelVersion = "g", responseId = "r",
      usageMetadata = { promptTokenCount = 4, totalTokenCount = 4 } } })
    assert.are.same({ "content_filter", 4 }, { body.choices[1].finish_reason, body.usage.prompt_tokens })
  end)

  it("TR-80 nothing but the end of the body after a finish reason is an end", function()
    local _, stream = to_messages({ part({ text = "a" }), last("MAX_TOKENS") })
    assert.is_true(stream.is_done)
    for _, events in ipairs({ { part({ text = "a" }) }, {}, { part({ functionCall = { name = "f" } }) } }) do
      local text, broken = run(load.messages, D, events)
      assert.are.equal(502, broken.failed.status)
      assert.is_truthy(text:find("event: error", 1, true))
    end
  end)

  it("TR-86 TR-88 an error within a stream, as it is or within a list, fails it", function()
    local envelope = { error = { code = 503, message = "busy", status = "UNAVAILABLE" } }
    for _, event in ipairs({ json.encode(envelope), json.encode(json.array({ envelope })) }) do
      local _, stream = run(load.chat, D, { event })
      assert.are.same({ 503, "busy", "UNAVAILABLE", "overloaded" }, { stream.failed.status, stream.failed.message,
        stream.failed.type, stream.failed.class })
      assert.is_false(stream.has_content)
    end
  end)

  it("grounding is told at the end, with places in characters", function()
    local body, _, produced = to_chat({ part({ text = "Grüße. " }), part({ text = "Paris." }),
      last("STOP", { groundingMetadata = { groundingChunks = { { web = { uri = "https://a.test", title = "A" } } },
        groundingSupports = { { segment = { startIndex = 9, endIndex = 15 }, groundingChunkIndices = { 0 } } } } }) })
    assert.are.equal("stop", body.choices[1].finish_reason)
    local found
    for _, event in ipairs(produced) do
      local annotations = event.data:find("annotations", 1, true)
      if annotations then found = json.decode(event.data).choices[1].delta.annotations[1].url_citation end
    end
    assert.are.same({ url = "https://a.test", title = "A", start_index = 7, end_index = 13 }, found)
  end)

  it("code that Google ran, and pictures, are reported", function()
    local _, _, _, losses = to_chat({ part({ executableCode = { code = "1", language = "PYTHON" } }),
      part({ codeExecutionResult = { outcome = "OUTCOME_OK" } }),
      part({ inlineData = { mimeType = "image/png", data = "AA" } }), last() })
    assert.are.same({ "content[](executableCode)", "content[](codeExecutionResult)", "content[](image)" }, losses)
  end)
end)
