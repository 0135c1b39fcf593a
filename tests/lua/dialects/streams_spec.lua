-- Streams between Chat and Anthropic, event by event: orders that real servers produce, and what each dialect allows.
-- Every produced stream is run through the order checkers. Rows by their stable numbers.

local load = dofile("tests/lua/dialects/load.lua")
local order = dofile("tests/lua/dialects/order.lua")
local outcome = dofile("tests/lua/dialects/outcome.lua")
local json, translate = load.gw.json, load.translate

-- Runs a translate stream; returns the client's events and the stream object.
local function run(client, provider, events, asked)
  asked = asked or {}
  asked.model, asked.stream_usage = asked.model or "alias", asked.stream_usage ~= false
  local body = json.encode({ stream = true, max_tokens = 9, messages = { { role = "user", content = "hi" } } })
  local _, hop = load.request(client, provider, nil, { model = "m", quirks = {} }, asked, nil, body)
  local stream = translate.stream(hop)
  local pieces = load.play(stream, events)
  return order.events(table.concat(pieces)), stream, pieces
end

local function to_messages(events, asked)
  local produced, stream, pieces = run(load.messages, load.chat, events, asked)
  order.check("anthropic.messages", produced)
  return produced, stream, pieces
end

local function to_chat(events, asked)
  local produced, stream, pieces = run(load.chat, load.messages, events, asked)
  order.check("openai.chat", produced)
  return produced, stream, pieces
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
    prompt_tokens_details = { cached_tokens = 4 } } }

local function message_of(produced)
  return assert(outcome.assemble_messages(json, produced))
end

local function start(usage)
  return { type = "message_start", message = { id = "msg_1", type = "message", role = "assistant", model = "claude",
    content = json.array({}), stop_reason = json.null, stop_sequence = json.null,
    usage = usage or { input_tokens = 10, output_tokens = 1 } } }
end

local function block(index, content_block, ...)
  local events = { { type = "content_block_start", index = index, content_block = content_block } }
  for _, delta in ipairs({ ... }) do
    events[#events + 1] = { type = "content_block_delta", index = index, delta = delta }
  end
  events[#events + 1] = { type = "content_block_stop", index = index }
  return events
end

local function stream_of(...)
  local events = { start() }
  for _, group in ipairs({ ... }) do
    for _, event in ipairs(group) do events[#events + 1] = event end
  end
  return events
end

local function ending(reason)
  return { { type = "message_delta", delta = { stop_reason = reason or "end_turn", stop_sequence = json.null },
    usage = { output_tokens = 7 } }, { type = "message_stop" } }
end

local text_block = { type = "text", text = "" }
local function text(s) return { type = "text_delta", text = s } end

describe("Chat events to an Anthropic client", function()
  it("TR-71 TR-72 message_start says 0, message_delta waits for the usage chunk and corrects it", function()
    local produced = to_messages({ chunk({ role = "assistant", content = "" }), chunk({ content = "a" }),
      chunk({}, "stop"), usage_chunk, "[DONE]" })
    assert.are.equal(0, json.decode(produced[1].data).message.usage.input_tokens)
    local delta = json.decode(produced[#produced - 1].data)
    assert.are.same({ 6, 4, 5 }, { delta.usage.input_tokens, delta.usage.cache_read_input_tokens,
      delta.usage.output_tokens })
    local estimated = to_messages({ chunk({ content = "a" }, "stop"), "[DONE]" }, { prompt_tokens = 33 })
    assert.are.equal(33, json.decode(estimated[1].data).message.usage.input_tokens)
  end)

  it("TR-71 the end of the body after a finish reason ends the answer without [DONE]", function()
    local produced, stream = to_messages({ chunk({ content = "a" }), chunk({}, "length") })
    assert.are.equal("max_tokens", message_of(produced).stop_reason)
    assert.is_true(stream.is_done)
  end)

  it("TR-80 a stream that breaks off is an error, never an end", function()
    local produced, stream = to_messages({ chunk({ content = "a" }) })
    assert.are.equal("error", produced[#produced].name)
    assert.is_table(stream.failed)
    assert.is_false(stream.is_done)
  end)

  it("TR-82 the first chunk may have no choices, no role, or the role again and again", function()
    local filtered = { id = "", object = "", model = "", created = 0, choices = json.array({}),
      prompt_filter_results = json.array({}) }
    local produced = to_messages({ filtered, chunk({ content = "a" }), chunk({ role = "assistant", content = "b" }),
      chunk({ role = "assistant", content = "" }, "stop"), "[DONE]" })
    assert.are.equal("ab", message_of(produced).content[1].text)
  end)

  it("TR-36 name after arguments, repeated id and name, a whole call at once, no index", function()
    local produced = to_messages({ fragment(0, "a", nil, '{"x"'), fragment(0, "a", "f", ":1"),
      fragment(0, "a", "f", "}"), fragment(1, "b", "g", '{"y":2}'), chunk({}, "tool_calls"), "[DONE]" })
    local content = message_of(produced).content
    assert.are.same({ type = "tool_use", id = "a", name = "f", input = { x = 1 } }, content[1])
    assert.are.same({ type = "tool_use", id = "b", name = "g", input = { y = 2 } }, content[2])
    produced = to_messages({ chunk({ tool_calls = { { id = "a", ["function"] = { name = "f", arguments = "{" } } } }),
      chunk({ tool_calls = { { ["function"] = { arguments = "}" } } } }),
      chunk({ tool_calls = { { id = "b", ["function"] = { name = "g", arguments = "{}" } } } }),
      chunk({}, "stop"), "[DONE]" })
    local message = message_of(produced)
    assert.are.equal(2, #message.content)
    assert.are.equal("tool_use", message.stop_reason)
  end)

  it("TR-35 calls that all come with index 0 but fresh ids stay apart", function()
    local produced = to_messages({ fragment(0, "a", "f", "{}"), fragment(0, "b", "g", "{}"), chunk({}, "tool_calls"),
      "[DONE]" })
    assert.are.equal(2, #message_of(produced).content)
  end)

  it("TR-81 interleaved calls and text become whole blocks, one after the other", function()
    local produced = to_messages({ chunk({ content = "t" }), fragment(0, "a", "f", ""), fragment(1, "b", "g", ""),
      fragment(1, nil, nil, '{"y"'), fragment(0, nil, nil, '{"x":'), chunk({ content = "late" }),
      fragment(1, nil, nil, ":2}"), fragment(0, nil, nil, "1}"), chunk({}, "tool_calls"), "[DONE]" })
    local content = message_of(produced).content
    assert.are.equal("t", content[1].text)
    assert.are.same({ x = 1 }, content[2].input)
    assert.are.same({ y = 2 }, content[3].input)
    assert.are.equal("late", content[4].text)
  end)

  it("TR-81 a second call streams as soon as the first is complete", function()
    local _, _, pieces = to_messages({ fragment(0, "a", "f", '{"x":1}'), fragment(1, "b", "g", '{"y"'),
      fragment(1, nil, nil, ":2}"), chunk({}, "tool_calls"), "[DONE]" })
    assert.is_truthy(pieces[2]:find("content_block_stop", 1, true))
    assert.is_truthy(pieces[2]:find([[{\"y\"]], 1, true))
    assert.is_truthy(pieces[3]:find(":2}", 1, true))
  end)

  it("TR-61 reasoning is a thinking block of its own, and never text", function()
    local produced = to_messages({ chunk({ reasoning_content = "hm" }), chunk({ reasoning = "m" }),
      chunk({ content = "a" }), chunk({}, "stop"), "[DONE]" })
    local content = message_of(produced).content
    assert.are.same({ type = "thinking", thinking = "hmm" }, content[1])
    assert.are.equal("a", content[2].text)
  end)

  it("TR-66 odd finish reasons on every chunk do not end the answer", function()
    local produced = to_messages({ chunk({ content = "a" }, ""), chunk({ content = "b" }, "null"), chunk({}, "stop"),
      "[DONE]" })
    assert.are.equal("ab", message_of(produced).content[1].text)
  end)

  it("TR-85 TR-86 an error is an error event, is not content, and ends the stream", function()
    local produced, stream = run(load.messages, load.chat, { { error = { message = "busy", code = 503 } }, "[DONE]" })
    assert.are.equal(1, #produced)
    assert.are.equal("error", produced[1].name)
    assert.is_false(stream.has_content)
    assert.are.equal(503, stream.failed.status)
    produced, stream = to_messages({ chunk({ role = "assistant" }), chunk({ content = "a" }),
      { error = { message = "busy" } } })
    assert.are.equal("error", produced[#produced].name)
    assert.is_true(stream.has_content)
  end)

  it("TR-86 the role alone does not commit the answer", function()
    local _, hop = load.request(load.messages, load.chat, nil, { model = "m" }, { model = "a" }, nil,
      '{"max_tokens":1,"messages":[{"role":"user","content":"hi"}]}')
    local stream = translate.stream(hop)
    stream:event("", json.encode(chunk({ role = "assistant", content = "" })))
    assert.is_false(stream.has_content)
    stream:event("", json.encode(chunk({ content = "a" })))
    assert.is_true(stream.has_content)
  end)

  it("an event of a shape nobody knows is an error", function()
    for _, odd in ipairs({ chunk("x"), { choices = json.array({ 3 }) }, { choices = "x" },
      chunk({ tool_calls = json.array({ { index = 0, ["function"] = "f" } }) }) }) do
      local produced, stream = run(load.messages, load.chat, { odd })
      assert.are.equal("error", produced[#produced].name)
      assert.is_table(stream.failed)
    end
    local produced = run(load.chat, load.messages, { start(), { type = "content_block_delta", index = 0, delta = 3 } })
    assert.is_table(json.decode(produced[#produced].data).error)
  end)

  it("an event that is not JSON is an error", function()
    local produced = run(load.messages, load.chat, { "oops" })
    assert.are.equal("error", produced[1].name)
  end)
end)

describe("Anthropic events to a Chat client", function()
  it("TR-70 counters are set, never added; a delta without usage keeps them", function()
    local produced = to_chat({ start({ input_tokens = 10, cache_read_input_tokens = 90, output_tokens = 1 }),
      { type = "content_block_start", index = 0, content_block = text_block },
      { type = "content_block_delta", index = 0, delta = text("a") }, { type = "content_block_stop", index = 0 },
      { type = "message_delta", delta = { stop_reason = "end_turn" }, usage = { output_tokens = 7 } },
      { type = "message_delta", delta = { stop_reason = "end_turn" } }, { type = "message_stop" } })
    local usage = json.decode(produced[#produced - 1].data).usage
    assert.are.same({ 100, 7, 107, 90 }, { usage.prompt_tokens, usage.completion_tokens, usage.total_tokens,
      usage.prompt_tokens_details.cached_tokens })
  end)

  it("TR-71 the usage chunk is sent only to clients that asked", function()
    local produced = to_chat(stream_of(block(0, text_block, text("a")), ending()), { stream_usage = false })
    for _, event in ipairs(produced) do assert.is_nil(event.data:find("usage", 1, true)) end
  end)

  it("TR-35 call indices count calls only", function()
    local produced = to_chat(stream_of(block(0, text_block, text("a")),
      block(1, { type = "tool_use", id = "t1", name = "f", input = json.raw("{}") },
        { type = "input_json_delta", partial_json = "" }, { type = "input_json_delta", partial_json = '{"x":1}' }),
      block(2, { type = "tool_use", id = "t2", name = "g", input = json.raw("{}") }), ending("tool_use")))
    local got = outcome.of_chat(json, outcome.assemble_chat(json, produced))
    assert.are.same({ { id = "t1", name = "f", arguments = '{"x":1}' }, { id = "t2", name = "g", arguments = "{}" } },
      got.calls)
    assert.are.equal("tool", got.finish)
  end)

  it("TR-36 input given in content_block_start is not lost", function()
    local produced = to_chat(stream_of(block(0, { type = "tool_use", id = "t1", name = "f", input = { x = 1 } }),
      ending("tool_use")))
    assert.are.equal('{"x":1}', outcome.of_chat(json, outcome.assemble_chat(json, produced)).calls[1].arguments)
  end)

  it("TR-59 signed and redacted thinking travels in thinking_blocks with an index", function()
    local produced = to_chat(stream_of(
      block(0, { type = "thinking", thinking = "" }, { type = "thinking_delta", thinking = "h" },
        { type = "thinking_delta", thinking = "m" }, { type = "signature_delta", signature = "S1" }),
      block(1, { type = "redacted_thinking", data = "D" }), block(2, text_block, text("a")), ending()))
    local message = outcome.assemble_chat(json, produced).choices[1].message
    assert.are.same({ { index = 0, type = "thinking", thinking = "hm", signature = "S1" },
      { index = 1, type = "redacted_thinking", data = "D" } },
      { message.thinking_blocks[1], message.thinking_blocks[2] })
    assert.are.equal("hm", message.reasoning_content)
  end)

  it("TR-83 ping is a comment", function()
    local _, _, pieces = to_chat(stream_of({ { type = "ping" } }, block(0, text_block, text("a")), ending()))
    assert.are.equal(": ping\n\n", pieces[2])
  end)

  it("TR-85 an error in the stream is an error chunk without [DONE]", function()
    local produced, stream = to_chat(stream_of(block(0, text_block, text("a")),
      { { type = "error", error = { type = "overloaded_error", message = "Overloaded" } } }))
    local last = json.decode(produced[#produced].data)
    assert.are.equal("Overloaded", last.error.message)
    assert.are.equal(529, stream.failed.status)
  end)

  it("TR-80 [DONE] follows only a real end", function()
    local produced = to_chat({ start(), { type = "content_block_start", index = 0, content_block = text_block },
      { type = "content_block_delta", index = 0, delta = text("a") } })
    assert.is_nil(produced[#produced].data:find("DONE", 1, true))
    assert.is_table(json.decode(produced[#produced].data).error)
  end)

  it("TR-76 text that needs escapes arrives as it was", function()
    local odd = "a\"\\\n\t\1\u{1F600}\u{2028}é"
    local produced = to_chat(stream_of(block(0, text_block, text(odd)), ending()))
    assert.are.equal(odd, outcome.assemble_chat(json, produced).choices[1].message.content)
    produced = to_messages({ chunk({ content = odd }), chunk({}, "stop"), "[DONE]" })
    assert.are.equal(odd, message_of(produced).content[1].text)
  end)

  it("url citations become annotations with their place; server tools are reported", function()
    local asked = {}
    local produced = to_chat(stream_of(
      block(0, { type = "server_tool_use", id = "s1", name = "web_search", input = json.raw("{}") },
        { type = "input_json_delta", partial_json = '{"q":1}' }),
      block(1, text_block, text("ab")),
      block(2, { type = "text", text = "", citations = json.array({}) }, { type = "citations_delta", citation = {
        type = "web_search_result_location", url = "https://e.test", title = "E", cited_text = "c" } }, text("cde")),
      ending()), asked)
    local annotations
    for _, event in ipairs(produced) do
      local body = event.data ~= "[DONE]" and json.decode(event.data)
      local choice = body and body.choices[1]
      annotations = choice and choice.delta.annotations or annotations
    end
    assert.are.same({ type = "url_citation", url_citation = { url = "https://e.test", title = "E", start_index = 2,
      end_index = 5 } }, annotations[1])
    assert.are.same({ "content[](server_tool_use)" }, asked.losses)
  end)

  it("two streams at once do not meet", function()
    local function hop()
      local _, made = load.request(load.chat, load.messages, nil, { model = "m" }, { model = "a", id = "x",
        created = 1, stream_usage = false }, nil, '{"max_tokens":1,"messages":[{"role":"user","content":"hi"}]}')
      return translate.stream(made)
    end
    local events = stream_of(block(0, text_block, text("a"), text("b")),
      block(1, { type = "tool_use", id = "t", name = "f", input = json.raw("{}") }), ending("tool_use"))
    local alone, one, two = hop(), hop(), hop()
    local a, b, c = {}, {}, {}
    for _, event in ipairs(events) do a[#a + 1] = alone:event(event.type, json.encode(event)) end
    for i = 1, #events + 2 do
      if events[i] then b[#b + 1] = one:event(events[i].type, json.encode(events[i])) end
      if events[i - 2] then c[#c + 1] = two:event(events[i - 2].type, json.encode(events[i - 2])) end
    end
    assert.are.equal(table.concat(a), table.concat(b))
    assert.are.equal(table.concat(a), table.concat(c))
  end)
end)

describe("a decoded body", function()
  it("is not changed, so it serves several attempts", function()
    local plain = '{"max_tokens":9,"messages":[{"role":"user","content":"hi","name":"n"}],"extra":{"a":[1,{}]}}'
    local function hook(_, _, body)
      body.extra = body.extra or {}
      body.extra.a, body.messages = "changed", json.array({})
      return body
    end
    for _, provider in ipairs({ load.chat, load.messages }) do
      local body = json.decode(plain, { raw = load.chat.raw_keys })
      load.request(load.chat, provider, nil, { model = "m" }, {}, nil, body)
      load.request(load.chat, provider, { request = hook }, { model = "m" }, {}, nil, body)
      assert.are.same(json.decode(plain), json.decode(json.encode(body)))
    end
  end)
end)

describe("adapter hooks", function()
  local adapter = { self = {},
    request = function(_, _, body) body.extra_field = 1 return body end,
    response = function(_, _, body) body.choices[1].message.content = "changed" return body end,
    event = function(_, _, event)
      if event.choices[1] and event.choices[1].delta.content then event.choices[1].delta.content = "x" end
      return event
    end }
  local request = '{"model":"a","max_tokens":1,"messages":[{"role":"user","content":"hi"}],"unknown":{"kept":1.50}}'

  it("see the provider's dialect, on a translated hop", function()
    local sent, hop = load.request(load.messages, load.chat, adapter, { model = "m" }, { model = "a" }, nil,
      request)
    assert.are.equal(1, json.decode(sent).extra_field)
    local _, told = translate.response(hop, 200, json.encode({ choices = { { index = 0, finish_reason = "stop",
      message = { content = "a" } } } }))
    assert.are.equal("changed", json.decode(told).content[1].text)
    local stream = translate.stream(hop)
    assert.is_truthy(stream:event("", json.encode(chunk({ content = "a" }))):find('"text":"x"', 1, true))
  end)

  it("keep the client's other fields on a same-dialect hop, with the model's own name", function()
    local sent, hop = load.request(load.chat, load.chat, adapter, { model = "m" }, { model = "a" }, nil, request)
    local body = json.decode(sent)
    assert.are.same({ "m", 1.5 }, { body.model, body.unknown.kept })
    local stream = translate.stream(hop)
    assert.are.equal("data: [DONE]\n\n", stream:event("", "[DONE]"))
    assert.is_truthy(stream:event("", json.encode(chunk({ content = "a" }))):find('"content":"x"', 1, true))
    assert.is_nil(stream:finish())
  end)
end)
