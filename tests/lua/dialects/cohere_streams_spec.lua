-- Streams to and from Cohere's chat, event by event: orders that real servers produce, and what Cohere's protocol
-- allows. Every produced stream is run through the order checkers. Rows by their stable numbers (TR-35 …).

local load = dofile("tests/lua/dialects/load.lua")
local order = dofile("tests/lua/dialects/order.lua")
local outcome = dofile("tests/lua/dialects/outcome.lua")
local outcomes = dofile("tests/lua/dialects/cohere_outcome.lua")
local strange = dofile("tests/lua/dialects/strange.lua")
local json, translate = load.gw.json, load.translate
local cohere = load.file("adapters/dialects/cohere_chat.lua")

local function run(client, provider, events, asked)
  asked = asked or {}
  asked.model, asked.stream_usage = asked.model or "alias", true
  local body = json.encode({ stream = true, max_tokens = 9, messages = { { role = "user", content = "hi" } } })
  local _, hop = load.request(client, provider, nil, { model = "m", quirks = {} }, asked, nil, body)
  local stream = translate.stream(hop)
  local pieces = load.play(stream, events)
  return order.events(table.concat(pieces)), stream
end

local function to_cohere(events, asked)
  local produced, stream = run(cohere, load.chat, events, asked)
  order.check("cohere.chat", produced)
  return produced, stream
end

local function from_cohere(events, asked)
  local produced, stream = run(load.chat, cohere, events, asked)
  order.check("openai.chat", produced)
  return produced, stream
end

local function chunk(delta, finish_reason)
  return { id = "c1", object = "chat.completion.chunk", created = 1, model = "gpt",
    choices = json.array({ { index = 0, delta = delta, finish_reason = finish_reason or json.null } }) }
end

local function fragment(index, id, name, arguments)
  return chunk({ tool_calls = { { index = index, id = id, type = id and "function" or nil,
    ["function"] = { name = name, arguments = arguments } } } })
end

local function assembled(produced)
  return assert(outcomes.assemble(json, produced))
end

local function e(kind, message, index, more)
  local body = { type = kind, index = index, delta = message and { message = message } or nil }
  for name, v in pairs(more or {}) do body[name] = v end
  return body
end

local function started()
  return e("message-start", { role = "assistant", content = json.array({}), tool_plan = "",
    tool_calls = json.array({}), citations = json.array({}) }, nil, { id = "c-1" })
end

local function ended(reason, fault)
  return { type = "message-end", delta = { finish_reason = reason or "COMPLETE", error = fault, usage = {
    billed_units = { input_tokens = 3, output_tokens = 5 }, tokens = { input_tokens = 10, output_tokens = 5 },
    cached_tokens = 4 } } }
end

describe("Chat events to a Cohere client", function()
  it("TR-35 TR-36 TR-81 interleaved calls and text come one after the other", function()
    local produced = to_cohere({ chunk({ role = "assistant", content = "" }), fragment(0, "a", "f", ""),
      fragment(1, "b", "g", '{"y":'), fragment(0, nil, nil, '{"x":1'), chunk({ content = "hm" }),
      fragment(1, nil, nil, "2}"), fragment(0, nil, nil, "}"), chunk({}, "tool_calls"), "[DONE]" })
    local body = assembled(produced)
    assert.are.same({ { "a", "f", '{"x":1}' }, { "b", "g", '{"y":2}' } }, {
      { body.message.tool_calls[1].id, body.message.tool_calls[1]["function"].name,
        body.message.tool_calls[1]["function"].arguments },
      { body.message.tool_calls[2].id, body.message.tool_calls[2]["function"].name,
        body.message.tool_calls[2]["function"].arguments } })
    assert.are.equal("hm", body.message.content[1].text)
    assert.are.equal("TOOL_CALL", body.finish_reason)
  end)

  it("an open call streams; it is not held back until its end", function()
    local first = to_cohere({ fragment(0, "a", "f", '{"x'), fragment(0, nil, nil, '":1}') })
    assert.are.same({ "message-start", "tool-call-start", "tool-call-delta", "tool-call-delta" },
      { first[1].name, first[2].name, first[3].name, first[4].name })
  end)

  it("thinking and text are items of their own, texts that follow each other are one", function()
    local body = assembled(to_cohere({ chunk({ reasoning_content = "th" }), chunk({ reasoning_content = "ink" }),
      chunk({ content = "a" }), chunk({ content = "b" }), chunk({}, "stop"), "[DONE]" }))
    assert.are.same({ { type = "thinking", thinking = "think" }, { type = "text", text = "ab" } },
      body.message.content)
  end)

  it("TR-64 a refusal is told as text, and the answer is not complete", function()
    local body = assembled(to_cohere({ chunk({ refusal = "No." }), chunk({}, "stop"), "[DONE]" }))
    assert.are.same({ "No.", "ERROR_TOXIC" }, { body.message.content[1].text, body.finish_reason })
  end)

  it("TR-71 TR-80 usage comes with message-end, [DONE] only after success", function()
    local usage = { id = "c1", object = "chat.completion.chunk", created = 1, model = "gpt", choices = json.array({}),
      usage = { prompt_tokens = 10, completion_tokens = 5, total_tokens = 15 } }
    local produced = to_cohere({ chunk({ content = "a" }), chunk({}, "length"), usage, "[DONE]" })
    assert.are.equal("[DONE]", produced[#produced].data)
    local body = assembled(produced)
    assert.are.same({ 10, 5, "MAX_TOKENS" }, { body.usage.tokens.input_tokens, body.usage.billed_units.output_tokens,
      body.finish_reason })
    local broken, stream = to_cohere({ chunk({ content = "a" }) })
    assert.are.equal("message-end", broken[#broken].name)
    assert.is_table(stream.failed)
  end)

  it("TR-85 an error inside the stream is message-end with the error, before content too", function()
    for _, before in ipairs({ {}, { chunk({ content = "a" }) } }) do
      before[#before + 1] = { error = { message = "out of luck", code = 503 } }
      local produced = to_cohere(before, { request_id = "req_1" })
      local last = json.decode(produced[#produced].data)
      assert.are.same({ "message-end", "req_1", "out of luck", "ERROR" },
        { last.type, last.id, last.delta.error, last.delta.finish_reason })
    end
    local text = cohere.stream_error({ status = 504, class = "timeout", message = "late" })
    assert.is_truthy(text:find('"finish_reason":"TIMEOUT"', 1, true))
  end)

  it("TR-83 a ping is a comment", function()
    local pieces, writer = {}, cohere.writer({ losses = {} })
    writer:event({ type = "ping" }, function(text) pieces[#pieces + 1] = text end)
    assert.are.same({ ": ping\n\n" }, pieces)
  end)

  it("log probabilities stand beside each delta", function()
    local event = chunk({ content = "ab" })
    event.choices[1].logprobs = { content = { { token = "a", logprob = -0.5 }, { token = "b", logprob = -0.25 } } }
    local body = assembled(to_cohere({ event, chunk({}, "stop"), "[DONE]" }))
    assert.are.same({ { text = "ab", token_ids = {}, logprobs = { -0.5, -0.25 } } }, body.logprobs)
  end)

  it("citations lie within the text that they cite", function()
    local annotated = chunk({ annotations = { { type = "url_citation", url_citation = { url = "https://e.test",
      title = "E", start_index = 3, end_index = 7 } } } })
    local body = assembled(to_cohere({ chunk({ content = "By Matz" }), annotated, chunk({ content = "." }),
      chunk({}, "stop"), "[DONE]" }))
    assert.are.same({ 3, 7, "Matz", "https://e.test" }, { body.message.citations[1].start,
      body.message.citations[1]["end"], body.message.citations[1].text, body.message.citations[1].sources[1].id })
  end)

  it("a second choice has no place and is reported", function()
    local second = chunk({ content = "b" })
    second.choices[1].index = 1
    local _, stream = to_cohere({ chunk({ content = "a" }), second, chunk({}, "stop"), "[DONE]" })
    assert.are.same({ "choices(more than 1)" }, stream.hop.asked.losses)
  end)
end)

describe("Anthropic events to a Cohere client", function()
  it("cite the block they came in; signatures and what is sealed are reported", function()
    local function block(index, content_block, ...)
      local events = { { type = "content_block_start", index = index, content_block = content_block } }
      for _, delta in ipairs({ ... }) do
        events[#events + 1] = { type = "content_block_delta", index = index, delta = delta }
      end
      events[#events + 1] = { type = "content_block_stop", index = index }
      return table.unpack(events)
    end
    local events = { { type = "message_start", message = { id = "m", role = "assistant", content = json.array({}),
      usage = { input_tokens = 1, output_tokens = 1 } } } }
    local function add(...) for _, event in ipairs({ ... }) do events[#events + 1] = event end end
    add(block(0, { type = "thinking", thinking = "" }, { type = "thinking_delta", thinking = "hm" },
      { type = "signature_delta", signature = "S" }))
    add(block(1, { type = "redacted_thinking", data = "D" }))
    add(block(2, { type = "text", text = "" }, { type = "text_delta", text = "By " }))
    add(block(3, { type = "text", text = "" }, { type = "citations_delta", citation = { type = "char_location",
      cited_text = "created by Matz", document_title = "facts" } }, { type = "text_delta", text = "Matz" }))
    add({ type = "message_delta", delta = { stop_reason = "end_turn" }, usage = { output_tokens = 5 } },
      { type = "message_stop" })
    local produced, stream = run(cohere, load.messages, events)
    order.check("cohere.chat", produced)
    local message = assembled(produced).message
    assert.are.same({ { type = "thinking", thinking = "hm" }, { type = "text", text = "By Matz" } }, message.content)
    assert.are.same({ 3, 7, "Matz", 1, "facts" }, { message.citations[1].start, message.citations[1]["end"],
      message.citations[1].text, message.citations[1].content_index, message.citations[1].sources[1].id })
    assert.are.same({ "message.content[].thinking.signature", "message.content[].redacted_thinking" },
      stream.hop.asked.losses)
  end)
end)

-- An answer of two text items, with a call between them: places count within an item at Cohere, and within the whole
-- text everywhere else.
describe("citations of a second text", function()
  local document = { type = "document", id = "d", document = { url = "https://e.test", title = "E" } }
  local cited = { start = 1, ["end"] = 3, text = "xy", content_index = 1, sources = { document } }

  it("have their place in the whole text, streamed and whole", function()
    local produced = from_cohere({ started(), e("content-start", { content = { type = "text", text = "" } }, 0),
      e("content-delta", { content = { text = "one " } }, 0), e("content-end", nil, 0),
      e("content-start", { content = { type = "text", text = "" } }, 1),
      e("content-delta", { content = { text = "(xy)" } }, 1), e("citation-start", { citations = cited }, 0),
      e("citation-end", nil, 0), e("content-end", nil, 1), ended() })
    local annotations
    for _, event in ipairs(produced) do
      local body = event.data ~= "[DONE]" and json.decode(event.data) or { choices = {} }
      local first = body.choices[1]
      annotations = first and first.delta.annotations or annotations
    end
    local place = annotations[1].url_citation
    assert.are.same({ 5, 7 }, { place.start_index, place.end_index })
    local normal = cohere.response_to_normal(json.decode(json.encode({ id = "a", finish_reason = "COMPLETE",
      message = { role = "assistant", citations = { cited },
        content = { { type = "text", text = "one " }, { type = "text", text = "(xy)" } } } })))
    assert.are.same({ 5, 7 }, { normal.choices[1].parts.citations[1].start_index,
      normal.choices[1].parts.citations[1].end_index })
  end)

  it("come back into their item, streamed and whole", function()
    local annotation = { type = "url_citation", url_citation = { url = "https://e.test", title = "E", start_index = 5,
      end_index = 7 } }
    local body = assembled(to_cohere({ chunk({ content = "one " }), fragment(0, "a", "f", "{}"),
      chunk({ content = "(xy)" }), chunk({ annotations = { annotation } }), chunk({}, "tool_calls"), "[DONE]" }))
    local citation = body.message.citations[1]
    assert.are.same({ 1, 3, "xy", 1 }, { citation.start, citation["end"], citation.text, citation.content_index })
    local told = cohere.response_from_normal({ choices = { { finish = { reason = "stop" }, parts = {
      { type = "text", text = "one " }, { type = "tool_call", id = "a", name = "f", arguments = json.raw("{}") },
      { type = "text", text = "(xy)" },
      citations = { { type = "url", url = "https://e.test", start_index = 5, end_index = 7 } } } } } }, { losses = {} })
    local whole = told.message.citations[1]
    assert.are.same({ 1, 3, "xy", 1 }, { whole.start, whole["end"], whole.text, whole.content_index })
  end)
end)

describe("Cohere's events to a Chat client", function()
  it("TR-35 calls by their own index, whole and in pieces", function()
    local produced = from_cohere({ started(), e("tool-plan-delta", { tool_plan = "I will." }),
      e("tool-call-start", { tool_calls = { id = "a", type = "function", ["function"] = { name = "f",
        arguments = "{" } } }, 0),
      e("tool-call-delta", { tool_calls = { ["function"] = { arguments = "}" } } }, 0), e("tool-call-end", nil, 0),
      e("tool-call-start", { tool_calls = { id = "b", type = "function", ["function"] = { name = "g",
        arguments = "{}" } } }, 1), e("tool-call-end", nil, 1), ended("TOOL_CALL"), "[DONE]" })
    local message = outcome.assemble_chat(json, produced).choices[1].message
    assert.are.equal("I will.", message.reasoning_content)
    assert.are.same({ "a", "{}", "b", "{}" }, { message.tool_calls[1].id,
      message.tool_calls[1]["function"].arguments, message.tool_calls[2].id,
      message.tool_calls[2]["function"].arguments })
  end)

  it("TR-73 TR-80 message-end ends the answer, with or without [DONE]", function()
    local text = e("content-delta", { content = { text = "a" } }, 0)
    for _, last in ipairs({ "[DONE]", nil }) do
      local produced, stream = from_cohere({ started(), text, ended(), last })
      local body = outcome.assemble_chat(json, produced)
      assert.are.same({ "a", "stop", 10, 4 }, { body.choices[1].message.content, body.choices[1].finish_reason,
        body.usage.prompt_tokens, body.usage.prompt_tokens_details.cached_tokens })
      assert.is_true(stream.is_done)
    end
    local _, stream = from_cohere({ started(), text, "[DONE]" })
    assert.is_table(stream.failed)
  end)

  it("TR-85 TR-86 an error at the end, or in place of an event, is an error", function()
    for want, last in pairs({ ["out of luck"] = ended("ERROR", "out of luck"), ["Provider busy"] = {
      message = "Provider busy", id = "x" } }) do
      local _, stream = from_cohere({ started(), last })
      assert.are.equal(want, stream.failed.message)
      assert.is_false(stream.has_content)
    end
    local _, late = from_cohere({ started(), ended("TIMEOUT") })
    assert.are.equal("timeout", late.failed.class)
    local _, nothing = from_cohere({ started(), ended("ERROR") })
    assert.is_table(nothing.failed)
    local _, odd = from_cohere({ started(), "{oops" })
    assert.are.equal(502, odd.failed.status)
  end)

  it("TR-75 TR-76 an answer in any pieces is the same answer", function()
    local words = "Grüße — 15°C, \u{1F324} and \"quotes\""
    local characters = {}
    for _, c in utf8.codes(words) do characters[#characters + 1] = utf8.char(c) end
    for size = 1, #characters do
      local events = { started(), e("content-start", { content = { type = "text", text = "" } }, 0) }
      for i = 1, #characters, size do
        events[#events + 1] = e("content-delta",
          { content = { text = table.concat(characters, "", i, math.min(#characters, i + size - 1)) } }, 0)
      end
      events[#events + 1] = e("content-end", nil, 0)
      events[#events + 1] = ended()
      assert.are.equal(words, outcome.assemble_chat(json, (from_cohere(events))).choices[1].message.content)
    end
  end)
end)

-- Every place of a body with every kind of value: carried or refused with a field, never a script error.
describe("malformed bodies of Cohere", function()
  local body = [[{"model":"m","stream":true,"max_tokens":100,"temperature":0.5,"p":0.5,"k":3,"seed":1,"logprobs":true,
"stop_sequences":["x"],"response_format":{"type":"json_object","json_schema":{"type":"object"}},"strict_tools":true,
"thinking":{"type":"enabled","token_budget":2000},"citation_options":{"mode":"FAST"},"safety_mode":"STRICT",
"documents":["a",{"id":"d","data":{"title":"t","text":"x"}}],"tool_choice":"REQUIRED","frequency_penalty":0.1,
"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],
"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"a"},
{"type":"image_url","image_url":{"url":"https://e.test/a.png","detail":"low"}}]},
{"role":"assistant","tool_plan":"p","content":[{"type":"thinking","thinking":"h"}],
"citations":[{"start":0,"end":1,"text":"x","sources":[]}],
"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},
{"role":"tool","tool_call_id":"c1","content":[{"type":"document","document":{"id":"d","data":{"a":"b"}}}]}]}]]

  it("are carried or refused, never a script error", function()
    local tried = 0
    for _, provider in ipairs({ load.chat, load.messages, cohere }) do
      tried = tried + strange.check(function(changed)
        local decoded = json.decode(json.encode(changed), { raw = cohere.raw_keys })
        local normal = cohere.request_to_normal(decoded, {})
        json.encode(provider.request_from_normal(normal, { model = "m", quirks = {} }, {}))
      end, body)
    end
    assert.is_true(tried > 2000)
  end)

  it("answers of strange shapes are the provider's fault, not a crash", function()
    local answer = [[{"id":"a","message":{"role":"assistant","tool_plan":"p","content":[{"type":"text","text":"x"}],
"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}],"citations":[{"start":0,"end":1,
"text":"x","sources":[{"type":"document","id":"d","document":{"title":"t"}}]}]},"finish_reason":"COMPLETE",
"usage":{"billed_units":{"input_tokens":1,"output_tokens":2},"tokens":{"input_tokens":1,"output_tokens":2}}}]]
    local body_text = json.encode({ messages = { { role = "user", content = "hi" } } })
    local _, hop = load.request(load.chat, cohere, nil, { model = "m" }, { model = "alias" }, nil, body_text)
    for changed, what in strange.bodies(answer) do
      local ok, status = pcall(translate.response, hop, 200, json.encode(changed))
      assert.is_true(ok, what .. ": " .. tostring(status))
      assert.is_true(status == 200 or status >= 400)
    end
  end)
end)
