-- Streams of the Responses API, event by event: what servers leave out or do otherwise, and the order that its clients
-- need. Every produced stream is run through the order checkers. Rows by their stable numbers (TR-35 …).

local all = dofile("tests/lua/conformance/dialects.lua")
local order = dofile("tests/lua/dialects/order.lua")
local outcome = dofile("tests/lua/dialects/outcome.lua")
local responses = dofile("tests/lua/dialects/responses_outcome.lua")
local load, json = all.load, all.json
local D, chat, messages = all.by_name["openai.responses"], load.chat, load.messages

local clients = {
  ["openai.chat"] = { D = chat, assemble = outcome.assemble_chat, of = outcome.of_chat },
  ["anthropic.messages"] = { D = messages, assemble = outcome.assemble_messages, of = outcome.of_messages },
  ["openai.responses"] = { D = D, assemble = responses.assemble, of = responses.of },
}

-- A provider's events through a writer: the client's events, the stream object, the texts in the order they came.
local function run(client, provider, events, asked)
  asked = asked or {}
  asked.model, asked.stream_usage = asked.model or "alias", true
  local hop = load.translate.hop(client, provider, nil, { model = "m", quirks = asked.quirks or {} }, asked)
  hop.is_same = false -- also a dialect's own events are read and written anew here
  local stream = load.translate.stream(hop)
  local pieces = load.play(stream, events)
  return order.events(table.concat(pieces)), stream, pieces
end

local function read_by(name, events, asked)
  local client = clients[name]
  local produced, stream = run(client.D, D, events, asked)
  order.check(name, produced)
  return client.of(json, assert(client.assemble(json, produced))), stream, produced
end

local function written(provider, events, asked)
  local produced, stream, pieces = run(D, provider, events, asked)
  order.check("openai.responses", produced)
  return produced, stream, pieces
end

local function last_response(produced)
  return json.decode(produced[#produced].data).response
end

local function kinds(produced)
  local list = {}
  for i, event in ipairs(produced) do list[i] = event.name:gsub("^response%.", "") end
  return table.concat(list, " ")
end

----- what providers send

local usage = { input_tokens = 10, input_tokens_details = { cached_tokens = 4 }, output_tokens = 7,
  output_tokens_details = { reasoning_tokens = 2 }, total_tokens = 17 }

local created = { type = "response.created", response = { id = "resp_1", model = "gpt", created_at = 7,
  status = "in_progress", output = json.array({}) } }

local function added(index, item) return { type = "response.output_item.added", output_index = index, item = item } end
local function done(index, item) return { type = "response.output_item.done", output_index = index, item = item } end

local function ended(output, status, more)
  local body = { id = "resp_1", model = "gpt", status = status or "completed", output = json.array(output or {}),
    usage = usage, error = json.null, incomplete_details = json.null }
  for name, v in pairs(more or {}) do body[name] = v end
  return { type = "response." .. (status or "completed"), response = body }
end

local function said(index, text)
  return { type = "response.output_text.delta", output_index = index, content_index = 0, delta = text }
end

local function thought(index, part, text)
  return { type = "response.reasoning_summary_text.delta", output_index = index, summary_index = part, delta = text }
end

local function argued(index, text)
  return { type = "response.function_call_arguments.delta", output_index = index, delta = text }
end

local function message(text)
  return { id = "msg_1", type = "message", role = "assistant", status = "completed",
    content = { { type = "output_text", text = text, annotations = json.array({}) } } }
end

local function call(n, arguments)
  return { id = "fc_" .. n, type = "function_call", status = "completed", call_id = "call_" .. n, name = "f" .. n,
    arguments = arguments }
end

local function opening(item)
  local copy = {}
  for key, v in pairs(item) do copy[key] = v end
  copy.status = "in_progress"
  if copy.arguments then copy.arguments = "" end
  if copy.content then copy.content = json.array({}) end
  return copy
end

describe("Responses events that leave steps out", function()
  local want = { text = "ab", calls = { { id = "call_1", name = "f1", arguments = '{"x":1}' } } }

  local variants = {
    ["in full"] = { created, added(0, opening(message(""))), said(0, "a"), said(0, "b"), done(0, message("ab")),
      added(1, opening(call(1, ""))), argued(1, '{"x"'), argued(1, ":1}"), done(1, call(1, '{"x":1}')),
      ended({ message("ab"), call(1, '{"x":1}') }) },
    ["only finished items"] = { created, done(0, message("ab")), done(1, call(1, '{"x":1}')), ended() },
    ["only the finished response"] = { ended({ message("ab"), call(1, '{"x":1}') }) },
    ["half of the deltas"] = { created, added(0, opening(message(""))), said(0, "a"), done(0, message("ab")),
      added(1, opening(call(1, ""))), argued(1, '{"x"'), done(1, call(1, '{"x":1}')), ended() },
    ["the rest in the events that end parts"] = { created, added(0, opening(message(""))), said(0, "a"),
      { type = "response.output_text.done", output_index = 0, content_index = 0, text = "ab" },
      added(1, opening(call(1, ""))), { type = "response.function_call_arguments.done", output_index = 1,
        arguments = '{"x":1}' }, ended() },
    ["no item at all, only deltas"] = { said(0, "a"), said(0, "b"), done(1, call(1, '{"x":1}')), ended() },
    ["all items under one number"] = { created, added(0, opening(message(""))), said(0, "ab"), done(0, message("ab")),
      added(0, opening(call(1, ""))), argued(0, '{"x":1}'), done(0, call(1, '{"x":1}')),
      ended({ message("ab"), call(1, '{"x":1}') }) },
    ["content counted from elsewhere"] = { created, added(0, opening(message(""))),
      { type = "response.output_text.delta", output_index = 0, content_index = 5, delta = "ab" },
      { type = "response.content_part.done", output_index = 0, content_index = 5, part = { type = "output_text",
        text = "ab" } }, done(0, message("ab")), done(1, call(1, '{"x":1}')), ended() },
    ["a [DONE] behind the end"] = { created, done(0, message("ab")), done(1, call(1, '{"x":1}')), ended(), "[DONE]" },
  }
  for title, events in pairs(variants) do
    for name in pairs(clients) do
      it("TR-36 TR-84 " .. title .. ", to " .. name, function()
        local got = read_by(name, events)
        assert.are.equal(want.text, got.text)
        assert.are.same(want.calls, got.calls)
        assert.are.equal("tool", got.finish)
        assert.are.same({ 10, 4, 7 }, { got.usage.input, got.usage.cached, got.usage.output })
      end)
    end
  end

  it("TR-82 nameless events, and none but the type in their data", function()
    local pieces = {}
    local reader, writer = D.reader({ quirks = {} }), messages.writer({ model = "a" })
    local function emit(event) writer:event(event, function(text) pieces[#pieces + 1] = text end) end
    for _, event in ipairs(variants["in full"]) do reader:event("", json.encode(event), emit) end
    reader:finish(emit)
    order.check("anthropic.messages", order.events(table.concat(pieces)))
  end)

  it("TR-65 unknown events are passed over, keep-alives are pings", function()
    local _, _, pieces = run(chat, D, { created, { type = "response.brand_new", x = 1 },
      { type = "keepalive", sequence_number = 3 }, said(0, "a"), ended() })
    assert.is_truthy(table.concat(pieces):find(": ping\n\n", 1, true))
  end)
end)

describe("Responses thoughts", function()
  local function reasoning(sealed, ...)
    local item = { id = "rs_1", type = "reasoning", summary = json.array({}), encrypted_content = sealed }
    for i, text in ipairs { ... } do item.summary[i] = { type = "summary_text", text = text } end
    return item
  end

  it("TR-58 parts of a summary stay apart, and the signature belongs to the last", function()
    local _, _, produced = read_by("anthropic.messages", { created, added(0, reasoning()), thought(0, 0, "on"),
      thought(0, 0, "e"), thought(0, 1, "two"), done(0, reasoning("gA==", "one", "two")), said(1, "a"),
      ended() })
    local content = outcome.assemble_messages(json, produced).content
    assert.are.same({ type = "thinking", thinking = "one" }, content[1])
    assert.are.same({ type = "thinking", thinking = "two", signature = "openai:gA==" }, content[2])
    assert.are.equal("a", content[3].text)
  end)

  it("TR-58 hidden reasoning is redacted thinking, with its maker's name", function()
    local events = { created, done(0, reasoning("gA==")), said(1, "a"), ended() }
    local _, _, produced = read_by("anthropic.messages", events)
    assert.are.same({ type = "redacted_thinking", data = "openai:gA==" },
      outcome.assemble_messages(json, produced).content[1])
    local _, _, signed = read_by("anthropic.messages", events, { quirks = { signer = "xai" } })
    assert.are.equal("xai:gA==", outcome.assemble_messages(json, signed).content[1].data)
  end)

  it("TR-61 full thoughts and a summary that repeats them are told once", function()
    local item = reasoning(nil, "sum")
    item.content = { { type = "reasoning_text", text = "full" } }
    local got = read_by("openai.chat", { created, added(0, reasoning()),
      { type = "response.reasoning_text.delta", output_index = 0, content_index = 0, delta = "full" },
      thought(0, 0, "sum"), done(0, item), said(1, "a"), ended() })
    assert.are.equal("full", got.thinking)
    assert.are.equal("sum", read_by("openai.chat", { created, thought(0, 0, "sum"), done(0, item), said(1, "a"),
      ended() }).thinking)
    assert.are.equal("full", read_by("openai.chat", { created, done(0, item), said(1, "a"), ended() }).thinking)
  end)
end)

describe("Responses ends", function()
  it("TR-63 TR-80 completed, incomplete, and nothing without one", function()
    assert.are.equal("length", read_by("openai.chat", { created, said(0, "a"),
      ended({}, "incomplete", { incomplete_details = { reason = "max_output_tokens" } }) }).finish)
    assert.are.equal("filter", read_by("anthropic.messages", { created, said(0, "a"),
      ended({}, "incomplete", { incomplete_details = { reason = "content_filter" } }) }).finish)
    local produced, stream = run(chat, D, { created, said(0, "a") })
    assert.is_table(json.decode(produced[#produced].data).error)
    assert.is_false(stream.is_done)
  end)

  it("TR-85 TR-86 errors under every name, before content and after", function()
    for _, event in ipairs {
      { type = "error", code = "rate_limit_exceeded", message = "slow" },
      { type = "error", error = { type = "requests", code = "rate_limit_exceeded", message = "slow" } },
      { type = "response.failed", response = { id = "r", status = "failed", error = { code = "rate_limit_exceeded",
        message = "slow" } } },
      { type = "response.completed", response = { id = "r", status = "failed", error = {
        code = "rate_limit_exceeded", message = "slow" } } },
      { error = { code = 429, message = "slow" } },
    } do
      local produced, stream = run(messages, D, { created, event, ended() })
      assert.are.equal("error", produced[#produced].name)
      assert.are.same({ 429, "slow", false }, { stream.failed.status, stream.failed.message, stream.has_content })
      local _, begun = run(messages, D, { created, said(0, "a"), event })
      assert.is_true(begun.has_content)
    end
  end)

  it("an event of a shape nobody knows is an error, and so is one that is not JSON", function()
    for _, odd in ipairs { { type = "response.output_text.delta", output_index = 0, delta = 3 },
      { type = "response.output_item.done", output_index = 0 }, { type = "response.output_item.added",
        output_index = 0, item = "x" }, { type = "response.completed", response = { output = 3 } }, "oops" } do
      local produced, stream = run(messages, D, { created, odd })
      assert.are.equal("error", produced[#produced].name)
      assert.is_table(stream.failed)
    end
  end)

  it("citations, whether told alone or only with the part", function()
    local annotation = { type = "url_citation", url = "https://e.test", title = "E", start_index = 0, end_index = 1 }
    local item = message("ab")
    item.content[1].annotations = { annotation }
    for _, events in ipairs { { created, said(0, "ab"), { type = "response.output_text.annotation.added",
      output_index = 0, content_index = 0, annotation_index = 0, annotation = annotation }, done(0, item), ended() },
      { created, said(0, "ab"), done(0, item), ended() } } do
      local _, _, produced = read_by("openai.chat", events)
      local seen = {}
      for _, event in ipairs(produced) do
        local chunk = event.data ~= "[DONE]" and json.decode(event.data)
        local choice = chunk and chunk.choices[1]
        for _, one in ipairs(choice and choice.delta.annotations or {}) do seen[#seen + 1] = one.url_citation end
      end
      assert.are.same({ { url = "https://e.test", title = "E", start_index = 0, end_index = 1 } }, seen)
    end
  end)

  it("TR-34 free text of a custom tool arrives as an object, escapes and all", function()
    local item = { id = "ctc_1", type = "custom_tool_call", call_id = "c1", name = "sql", input = 'a"\n\u{1F600}' }
    local function delta(text)
      return { type = "response.custom_tool_call_input.delta", output_index = 0, delta = text }
    end
    local empty = opening(item)
    empty.input = ""
    for _, events in ipairs { { created, added(0, empty), delta('a"'), delta("\n\u{1F600}"), done(0, item), ended() },
      { created, done(0, item), ended() } } do
      local got = read_by("anthropic.messages", events)
      assert.are.same({ { id = "c1", name = "sql", arguments = json.encode({ input = item.input }) } }, got.calls)
    end
  end)
end)

----- what clients get

local function chunk(delta, finish_reason)
  return { id = "c1", object = "chat.completion.chunk", created = 1, model = "gpt",
    choices = json.array({ { index = 0, delta = delta, finish_reason = finish_reason or json.null } }) }
end

local function fragment(index, id, name, arguments)
  return chunk({ tool_calls = { { index = index, id = id, ["function"] = { name = name, arguments = arguments } } } })
end

local usage_chunk = { id = "c1", object = "chat.completion.chunk", created = 1, model = "gpt",
  choices = json.array({}), usage = { prompt_tokens = 10, completion_tokens = 5, total_tokens = 15 } }

describe("a Responses client", function()
  it("TR-84 gets every event of a text, in order, with the whole repeated", function()
    local produced = written(chat, { chunk({ role = "assistant", content = "" }), chunk({ content = "a" }),
      chunk({ content = "b" }), chunk({}, "stop"), usage_chunk, "[DONE]" })
    assert.are.equal("created in_progress output_item.added content_part.added output_text.delta output_text.delta "
      .. "output_text.done content_part.done output_item.done completed", kinds(produced))
    local response = last_response(produced)
    assert.are.equal("ab", response.output[1].content[1].text)
    assert.are.same({ 10, 5, 15 }, { response.usage.input_tokens, response.usage.output_tokens,
      response.usage.total_tokens })
    assert.are.same({ "resp_c1", "alias", "completed" }, { response.id, response.model, response.status })
  end)

  it("TR-35 TR-81 parallel calls that interleave keep their own items", function()
    local produced = written(chat, { chunk({ content = "t" }), fragment(0, "a", "f", ""), fragment(1, "b", "g", ""),
      fragment(1, nil, nil, '{"y"'), fragment(0, nil, nil, '{"x":'), fragment(1, nil, nil, ":2}"),
      fragment(0, nil, nil, "1}"), chunk({}, "tool_calls"), "[DONE]" })
    local output = last_response(produced).output
    assert.are.same({ "t", "a", '{"x":1}', "b", '{"y":2}' }, { output[1].content[1].text, output[2].call_id,
      output[2].arguments, output[3].call_id, output[3].arguments })
  end)

  it("a call is done as soon as something else begins", function()
    local _, _, pieces = written(chat, { fragment(0, "a", "f", '{"x":1}'), fragment(1, "b", "g", "{}"),
      chunk({ content = "late" }), chunk({}, "tool_calls"), "[DONE]" })
    assert.is_truthy(pieces[2]:find("function_call_arguments.done", 1, true))
    assert.is_truthy(pieces[3]:find("output_item.done", 1, true))
  end)

  it("a call without arguments has an empty object", function()
    local produced = written(chat, { fragment(0, "a", "f", ""), chunk({}, "tool_calls"), "[DONE]" })
    assert.are.equal("{}", last_response(produced).output[1].arguments)
  end)

  it("a call whose arguments were cut off is incomplete, streamed and whole", function()
    local produced = written(chat, { fragment(0, "a", "f", "{}"), fragment(1, "b", "g", '{"x":'), chunk({}, "length"),
      "[DONE]" })
    local response = last_response(produced)
    assert.are.same({ "completed", "incomplete", "incomplete" }, { response.output[1].status,
      response.output[2].status, response.status })
    local function called(id, text)
      return { id = id, type = "function", ["function"] = { name = "f", arguments = text } }
    end
    local normal = chat.response_to_normal(json.decode(json.encode({ id = "c1", model = "m", choices = { { index = 0,
      finish_reason = "length", message = { role = "assistant", content = json.null,
        tool_calls = { called("a", "{}"), called("b", '{"x":') } } } } })), {})
    local whole = json.decode(json.encode(D.response_from_normal(normal, { model = "alias", losses = {} })))
    assert.are.same({ "completed", "incomplete", '{"x":' }, { whole.output[1].status, whole.output[2].status,
      whole.output[2].arguments })
  end)

  it("TR-61 thoughts are a reasoning item with a summary", function()
    local produced = written(chat, { chunk({ reasoning_content = "h" }), chunk({ reasoning_content = "m" }),
      chunk({ content = "a" }), chunk({}, "stop"), "[DONE]" })
    local output = last_response(produced).output
    assert.are.same({ { type = "summary_text", text = "hm" } }, output[1].summary)
    assert.is_nil(output[1].encrypted_content)
    assert.are.equal("message", output[2].type)
  end)

  it("a refusal is a part of its own", function()
    local produced = written(chat, { chunk({ content = "a" }), chunk({ refusal = "no" }), chunk({}, "stop"),
      "[DONE]" })
    local content = last_response(produced).output[1].content
    assert.are.same({ "a", "no" }, { content[1].text, content[2].refusal })
  end)

  it("TR-34 a custom tool's text comes once it is whole", function()
    local produced = written(chat, { fragment(0, "a", "sql", '{"inp'), fragment(0, nil, nil, 'ut":"x y"}'),
      chunk({}, "tool_calls"), "[DONE]" }, { custom_tools = { sql = true } })
    local item = last_response(produced).output[1]
    assert.are.same({ "custom_tool_call", "x y" }, { item.type, item.input })
  end)

  it("TR-85 an error is an error event and a failed response, and never a fake end", function()
    local produced, stream = written(chat, { chunk({ content = "a" }), { error = { message = "busy", code = 503 } } })
    assert.are.equal("error", produced[#produced - 1].name)
    local err = json.decode(produced[#produced - 1].data)
    assert.are.same({ "busy", "busy" }, { err.message, err.error.message })
    assert.are.same({ "failed", "busy" }, { last_response(produced).status, last_response(produced).error.message })
    assert.are.equal(503, stream.failed.status)
    local broken = written(chat, { chunk({ content = "a" }) })
    assert.are.equal("response.failed", broken[#broken].name)
    local early = written(chat, { { error = { message = "busy" } } })
    assert.are.equal(1, #early)
  end)

  it("TR-63 the reasons that make a response incomplete", function()
    for reason, want in pairs { length = "max_output_tokens", content_filter = "content_filter" } do
      local response = last_response(written(chat, { chunk({ content = "a" }), chunk({}, reason), "[DONE]" }))
      assert.are.same({ "incomplete", want, "incomplete" }, { response.status, response.incomplete_details.reason,
        response.output[1].status })
    end
  end)

  it("TR-58 Claude's thoughts are sealed with its name, block by block", function()
    local function block(index, content_block, ...)
      local events = { { type = "content_block_start", index = index, content_block = content_block } }
      for _, delta in ipairs { ... } do
        events[#events + 1] = { type = "content_block_delta", index = index, delta = delta }
      end
      events[#events + 1] = { type = "content_block_stop", index = index }
      return events
    end
    local events = { { type = "message_start", message = { id = "msg_1", model = "c",
      usage = { input_tokens = 1, output_tokens = 1 } } } }
    for _, list in ipairs { block(0, { type = "thinking", thinking = "" },
      { type = "thinking_delta", thinking = "h" }, { type = "thinking_delta", thinking = "m" },
      { type = "signature_delta", signature = "S=" }), block(1, { type = "redacted_thinking", data = "D=" }),
      block(2, { type = "text", text = "" }, { type = "text_delta", text = "a" }),
      block(3, { type = "text", text = "" }, { type = "text_delta", text = "b" }, { type = "citations_delta",
        citation = { type = "web_search_result_location", url = "https://e.test", title = "E", cited_text = "x" } }),
      block(4, { type = "tool_use", id = "t1", name = "f", input = json.raw("{}") },
        { type = "input_json_delta", partial_json = '{"x":1}' }),
      { { type = "message_delta", delta = { stop_reason = "tool_use" }, usage = { output_tokens = 9 } },
        { type = "message_stop" } } } do
      for _, event in ipairs(list) do events[#events + 1] = event end
    end
    local output = last_response(written(messages, events)).output
    assert.are.same({ "hm", "anthropic:S=" }, { output[1].summary[1].text, output[1].encrypted_content })
    assert.are.same({ 0, "anthropic/redacted:D=" }, { #output[2].summary, output[2].encrypted_content })
    assert.are.equal("ab", output[3].content[1].text)
    assert.are.same({ type = "url_citation", url = "https://e.test", title = "E", start_index = 1, end_index = 2 },
      output[3].content[1].annotations[1])
    assert.are.same({ "t1", '{"x":1}' }, { output[4].call_id, output[4].arguments })
  end)

  it("citations before their text find it, and those behind a call make no message of their own", function()
    local url = { type = "url_citation", url_citation = { url = "https://e.test", title = "E", start_index = 0,
      end_index = 1 } }
    local asked = { losses = {} }
    local early = written(chat, { chunk({ annotations = { url } }), chunk({ content = "ab" }), chunk({}, "stop"),
      "[DONE]" }, asked)
    assert.are.equal("https://e.test", last_response(early).output[1].content[1].annotations[1].url)
    assert.are.same({}, asked.losses)
    local late = last_response(written(chat, { chunk({ content = "ab" }), fragment(0, "a", "f", "{}"),
      chunk({ annotations = { url } }), chunk({}, "stop"), "[DONE]" }, asked))
    assert.are.equal(2, #late.output)
    assert.are.same({ "output[].content[].annotations(without a text)" }, asked.losses)
    local hop = load.translate.hop(D, chat, nil, { model = "m", quirks = {} }, { model = "a" })
    local _, text = load.translate.response(hop, 200, json.encode({ choices = { { index = 0, finish_reason = "stop",
      message = { content = "ab", annotations = { url }, tool_calls = { { id = "a", type = "function",
        ["function"] = { name = "f", arguments = "{}" } } } } } } }))
    local whole = json.decode(text).output
    assert.are.same({ 2, "https://e.test" }, { #whole, whole[1].content[1].annotations[1].url })
  end)

  it("two streams at once do not meet", function()
    local function stream()
      return load.translate.stream(load.translate.hop(D, chat, nil, { model = "m", quirks = {} }, { model = "a",
        id = "resp_x", created = 1 }))
    end
    local events = { chunk({ reasoning_content = "h" }), chunk({ content = "a" }), fragment(0, "t", "f", "{}"),
      chunk({}, "stop"), "[DONE]" }
    local one, two, first, second = stream(), stream(), {}, {}
    for i = 1, #events + 2 do
      local function feed(to, event, into)
        if event then into[#into + 1] = to:event("", type(event) == "table" and json.encode(event) or event) end
      end
      feed(one, events[i], first)
      feed(two, events[i - 2], second)
    end
    local function idless(list) return (table.concat(list):gsub('"%l+_%w+"', '""')) end
    assert.are.equal(idless(first), idless(second))
  end)
end)

describe("the order checker of Responses streams", function()
  local good = written(chat, { chunk({ reasoning_content = "h" }), chunk({ content = "ab" }),
    fragment(0, "t", "f", "{}"), chunk({}, "stop"), "[DONE]" })

  local function changed(change)
    local events = {}
    for i, event in ipairs(good) do events[i] = { name = event.name, data = event.data } end
    change(events)
    return pcall(order.check, "openai.responses", events)
  end

  it("takes a good stream and refuses each that lacks an event or has two in another order", function()
    assert.is_true(changed(function() end))
    for i = 1, #good do
      assert.is_false(changed(function(events) table.remove(events, i) end), "without event " .. i)
      if i < #good then
        assert.is_false(changed(function(events) events[i], events[i + 1] = events[i + 1], events[i] end),
          "with event " .. i .. " behind the next")
      end
      assert.is_false(changed(function(events)
        events[i].data = events[i].data:gsub('"ab"', '"ba"'):gsub('"h"', '"x"'):gsub('"{}"', '"[]"')
          :gsub('"sequence_number":%d+', '"sequence_number":99')
      end), "with event " .. i .. " changed")
    end
  end)
end)
