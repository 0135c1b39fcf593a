-- Streams that break off and go on with another attempt (lua/gw/recover.lua): one message for the client, whatever the
-- dialects; what may be gone on with; and the request that another attempt gets.

local load = dofile("tests/lua/dialects/load.lua")
local order = dofile("tests/lua/dialects/order.lua")
local json, translate = load.gw.json, load.translate
local responses = load.file("adapters/dialects/openai_responses.lua")

local ask = { stream = true, max_tokens = 9, messages = { { role = "user", content = "hi" } } }

local function hop_of(client, provider, quirks)
  return translate.hop(client, provider, nil, { model = "m", provider = "p", quirks = quirks or {} },
    { model = "alias", stream = true, stream_usage = true, framing = "sse" })
end

local function body_of(client, more)
  local body = {}
  for name, v in pairs(ask) do body[name] = v end
  if client == responses then
    body = { stream = true, input = "hi" }
  end
  for name, v in pairs(more or {}) do body[name] = v end
  return body
end

-- One answer over several attempts. attempts: { { provider, events } … }; returns the client's text, the recovery and
-- the last request that was made.
local function run(mode, client, attempts, more)
  local pieces, recovery, request = {}, nil, nil
  local function put(text) pieces[#pieces + 1] = text end
  for number, attempt in ipairs(attempts) do
    local hop = hop_of(client, attempt[1], attempt.quirks)
    hop.recovery = recovery
    local asked = json.encode(body_of(client, more))
    request = json.decode((translate.request(hop, asked)))
    local body = hop.is_same and not recovery and json.decode(asked) or nil
    recovery = translate.recover(hop, mode, body, 3 * (number - 1), number)
    local stream = translate.stream(hop, put, function() end)
    for _, event in ipairs(attempt[2]) do
      stream:event(type(event) == "table" and event.type or "", type(event) == "table" and json.encode(event) or event)
    end
    if number == #attempts then stream:finish() end
  end
  return table.concat(pieces), recovery, request
end

local function chunk(delta, finish)
  return json.encode({ id = "c1", object = "chat.completion.chunk", created = 1, model = "gpt",
    choices = json.array({ { index = 0, delta = delta, finish_reason = finish or json.null } }) })
end

local function chat(...)
  local events = { chunk({ role = "assistant", content = "" }) }
  for _, text in ipairs { ... } do events[#events + 1] = chunk({ content = text }) end
  return events
end

local function whole_chat(...)
  local events = chat(...)
  events[#events + 1] = chunk({}, "stop")
  events[#events + 1] = json.encode({ id = "c1", object = "chat.completion.chunk", created = 1, model = "gpt",
    choices = json.array({}), usage = { prompt_tokens = 10, completion_tokens = 5, total_tokens = 15 } })
  events[#events + 1] = "[DONE]"
  return events
end

local function message_start(input)
  return { type = "message_start", message = { id = "msg_1", type = "message", role = "assistant", model = "claude",
    content = json.array({}), usage = { input_tokens = input, output_tokens = 1 } } }
end

local function messages(...)
  local events = { message_start(20), { type = "content_block_start", index = 0,
    content_block = { type = "text", text = "" } } }
  for _, text in ipairs { ... } do
    events[#events + 1] = { type = "content_block_delta", index = 0, delta = { type = "text_delta", text = text } }
  end
  return events
end

local function texts(body, pattern)
  local list = {}
  for _, event in ipairs(order.events(body)) do
    local text = event.data:match(pattern)
    if text then list[#list + 1] = json.decode('"' .. text .. '"') end
  end
  return table.concat(list, "|")
end

local pattern_of = { ["openai.chat"] = '"content":"([^"]+)"', ["anthropic.messages"] = '"text_delta","text":"(.-)"}',
  ["openai.responses"] = '"response.output_text.delta".-"delta":"(.-)"' }

local function heard(client, body) return texts(body, pattern_of[client.name]) end

describe("continue", function()
  for _, client in ipairs { load.chat, load.messages, responses } do
    it("is one message for a client of " .. client.name, function()
      local body, _, request = run("continue", client, { { load.messages, messages("one ", "two") },
        { load.chat, whole_chat(" three") } })
      order.check(client.name, order.events(body))
      assert.equal("one |two| three", heard(client, body))
      local last = request.messages[#request.messages]
      assert.same({ "assistant", "one two" }, { last.role, last.content })
      assert.is_nil(last.prefix)
    end)
  end

  it("gives no model a turn that ends in white space, and its client none of it twice", function()
    local body, _, request = run("continue", load.chat, { { load.chat, chat("one", "  \n") },
      { load.messages, messages("\n ", " two", " three") } })
    assert.equal("one|  \n|two| three", heard(load.chat, body))
    assert.equal("one", request.messages[2].content[1] and request.messages[2].content[1].text
      or request.messages[2].content)
  end)

  it("goes on twice, with all that was said", function()
    local body, _, request = run("continue", load.messages, { { load.chat, chat("one") },
      { load.messages, messages(" two") }, { load.chat, whole_chat(" three") } })
    order.check("anthropic.messages", order.events(body))
    assert.equal("one| two| three", heard(load.messages, body))
    assert.equal("one two", request.messages[#request.messages].content)
  end)

  it("adds to the client's own prefill", function()
    local _, _, request = run("continue", load.messages, { { load.chat, chat(" one") }, { load.messages, {} } },
      { messages = { { role = "user", content = "count" }, { role = "assistant", content = "zero" } } })
    local last = request.messages[#request.messages]
    assert.equal(2, #request.messages)
    assert.same({ "zero", " one" }, { last.content[1].text, last.content[2].text })
  end)

  it("marks the turn where the server wants that, and refuses where it cannot", function()
    local _, _, request = run("continue", load.chat, { { load.chat, chat("one") },
      { load.chat, chat(), quirks = { prefill = "prefix" } } })
    assert.is_true(request.messages[#request.messages].prefix)
    assert.has_error(function()
      run("continue", load.chat, { { load.chat, chat("one") }, { load.chat, chat(), quirks = { prefill = "none" } } })
    end)
  end)

  it("is told once, with the first prompt and all output", function()
    local body = run("continue", load.chat, { { load.messages, messages("one") }, { load.chat, whole_chat(" two") } })
    local usage = json.decode(body:match('"usage":({.-})}'))
    assert.same({ 20, 8 }, { usage.prompt_tokens, usage.completion_tokens })
    body = run("continue", load.chat, { { load.chat, chat("one") }, { load.chat, whole_chat(" two") } })
    usage = json.decode(body:match('"usage":({.-})}'))
    assert.same({ 7, 8 }, { usage.prompt_tokens, usage.completion_tokens })
  end)
end)

describe("restart", function()
  it("closes the block, tells, and begins the next one", function()
    local body = run("restart", load.messages, { { load.chat, chat("one") }, { load.chat, whole_chat("all") } })
    order.check("anthropic.messages", order.events(body))
    assert.equal("one|all", heard(load.messages, body))
    local at = body:find(": moongate-restart attempt=2 target=p/m\n\n", 1, true)
    assert.is_true(at and at < body:find('"index":1', 1, true))
    assert.equal(1, select(2, body:gsub("event: message_start", "")))
  end)

  it("is an item of its own for Responses", function()
    local body = run("restart", responses, { { load.chat, chat("one") }, { load.messages, messages("all") },
      { load.chat, whole_chat("again") } })
    local events = order.events(body)
    order.check("openai.responses", events)
    local output = json.decode(events[#events].data).response.output
    assert.same({ "incomplete", "incomplete", "completed" }, { output[1].status, output[2].status, output[3].status })
    assert.same({ "one", "all", "again" }, { output[1].content[1].text, output[2].content[1].text,
      output[3].content[1].text })
  end)

  it("stands in the text of Chat, which has no parts", function()
    local body, _, request = run("restart", load.chat, { { load.messages, messages("one") },
      { load.chat, whole_chat("all") } })
    order.check("openai.chat", order.events(body))
    assert.equal("one|\n\n[The answer broke off here. It starts over.]\n\n|all", heard(load.chat, body))
    assert.equal(1, #request.messages)
  end)

  it("writes nothing of an attempt that says nothing", function()
    local body = run("restart", load.messages, { { load.chat, chat("one") }, { load.messages, { message_start(5) } },
      { load.chat, whole_chat("all") } })
    order.check("anthropic.messages", order.events(body))
    assert.is_nil(body:find("attempt=2", 1, true))
    assert.truthy(body:find("attempt=3", 1, true))
  end)
end)

describe("what was said decides", function()
  local function may(mode, provider, events, more)
    local _, recovery = run(mode, load.chat, { { provider, events } }, more)
    return recovery:may_go_on()
  end

  local call = chunk({ tool_calls = { { index = 0, id = "a", type = "function",
    ["function"] = { name = "look", arguments = "" } } } })
  local function thinks(...)
    local events = { message_start(5), { type = "content_block_start", index = 0,
      content_block = { type = "thinking", thinking = "", signature = "" } },
      { type = "content_block_delta", index = 0, delta = { type = "thinking_delta", thinking = "hm" } } }
    for _, event in ipairs { ... } do events[#events + 1] = event end
    return events
  end
  local signed = {
    { type = "content_block_delta", index = 0, delta = { type = "signature_delta", signature = "c2ln" } },
    { type = "content_block_stop", index = 0 } }

  it("text may be gone on with, calls never", function()
    for _, mode in ipairs { "continue", "restart" } do
      assert.is_true(may(mode, load.chat, chat("one")))
      local events = chat("one")
      events[#events + 1] = call
      assert.is_false(may(mode, load.chat, events))
      assert.is_false(may(mode, load.chat, { chunk({ role = "assistant" }), call }))
    end
  end)

  it("thinking is not continued, and not started over where it would lack its signature", function()
    local open, closed = thinks(), thinks(table.unpack(signed))
    assert.is_false(may("continue", load.messages, open))
    assert.is_false(may("continue", load.messages, closed))
    assert.is_false(may("restart", load.messages, open))
    assert.is_true(may("restart", load.messages, closed))
    assert.is_true(may("restart", load.chat, { chunk({ role = "assistant", reasoning_content = "hm" }) }))
    assert.is_false(may("continue", load.chat, { chunk({ role = "assistant", reasoning_content = "hm" }),
      chunk({ content = "one" }) }))
  end)

  it("neither is an answer that has its reason to end, or a format to keep", function()
    local events = chat("one")
    events[#events + 1] = chunk({}, "stop")
    events[#events + 1] = "[DONE]"
    for _, mode in ipairs { "continue", "restart" } do
      assert.is_false(may(mode, load.chat, events))
      assert.is_false(may(mode, load.chat, chat("{"), { response_format = { type = "json_object" } }))
    end
    assert.is_false(may("continue", load.chat, chat("one"), { reasoning_effort = "low" }))
    assert.is_true(may("restart", load.chat, chat("one"), { reasoning_effort = "low" }))
  end)

  it("so is one whose request has no normal form", function()
    local hop = hop_of(load.chat, load.chat)
    assert.is_nil(translate.recover(hop, "restart", { messages = 5 }, 0, 1))
    assert.is_true(hop.is_same)
  end)
end)
