-- Every recorded exchange of generateContent and streamGenerateContent (Gemini API and Vertex AI), from
-- $MOONGATE_SHARED/wire (default ../shared beside the checkout): requests through the normal form and back, answers and
-- streams read natively, written again by our own writer and by the writers of the other dialects, errors.
-- The recorded bodies are read at run time; without them this file has nothing to test and says so.

local load = dofile("tests/lua/dialects/load.lua")
local order = dofile("tests/lua/dialects/order.lua")
local outcome = dofile("tests/lua/dialects/outcome.lua")
local gemini = dofile("tests/lua/dialects/gemini_outcome.lua")
local recorded = dofile("tests/lua/recorded.lua")
local json = load.gw.json
local D = load.file("adapters/dialects/gemini.lua")
local frames = require("tests.lua.helper").host.tools.frames

local exchanges = recorded.exchanges(function(protocol) return protocol:find("^gemini%..*[gG]enerateContent$") end)

local others = {
  { D = load.chat, outcome = outcome.of_chat, check = order.checker("openai.chat"), assemble = outcome.assemble_chat },
  { D = load.messages, outcome = outcome.of_messages, check = order.checker("anthropic.messages"),
    assemble = outcome.assemble_messages },
}

-- Of the model that a request was recorded from.
local function target_of(body_text)
  return { model = "m", quirks = { result_parts = true, file_urls = true,
    thinking = body_text:find('"thinking_?[lL]evel"') and "level" or nil } }
end

local function decode_raw(dialect, text)
  return assert(json.decode(text, { raw = dialect.raw_keys }))
end

-- The chunks, by the gateway's own readers of framings; `sizes`: of the pieces that the bytes come in.
local function events_of(exchange, sizes)
  local events = {}
  for _, event in ipairs(assert(frames(exchange.stream_framing, exchange.response_body, sizes or { 1 << 20 }))) do
    if event.data then events[#events + 1] = event end
  end
  return events
end

local function translate(client, events, asked)
  local pieces = {}
  local function put(text) pieces[#pieces + 1] = text end
  local reader, writer = D.reader({ quirks = {} }), client.writer(asked)
  local function emit(event) writer:event(event, put) end
  for _, event in ipairs(events) do reader:event(event.name or "", event.data, emit) end
  reader:finish(emit)
  writer:finish(put)
  return table.concat(pieces)
end

local function asked_of(framing)
  return { model = "alias", stream_usage = true, framing = framing, losses = {} }
end

-- An id that the provider did not give is made up, so it can only be there.
local function compare(want, got, id)
  assert.are.equal(want.text, got.text, id)
  assert.are.equal(want.thinking, got.thinking, id)
  assert.are.equal(#want.calls, #got.calls, id)
  for i, call in ipairs(want.calls) do
    assert.are.same({ call.name, call.arguments }, { got.calls[i].name, got.calls[i].arguments }, id)
    if call.id then assert.are.equal(call.id, got.calls[i].id, id) end
    assert.is_true(#got.calls[i].id > 0)
  end
  assert.are.equal(want.finish, got.finish, id)
  if want.usage then
    for _, name in ipairs({ "input", "output", "cached", "reasoning" }) do
      assert.are.equal(want.usage[name], got.usage[name], id .. " usage." .. name)
    end
  end
end

describe("recorded exchanges of Gemini", function()
  it("are there, or this checkout stands alone", recorded.counted(#exchanges, 75, 75))

  for _, exchange in ipairs(exchanges) do
    local id, body_text = exchange.id, exchange.response_body

    it("request " .. id .. " comes back the same", function()
      local text, losses = json.encode(exchange.request_body), {}
      local normal = D.request_to_normal(decode_raw(D, text), losses, { model = "m" })
      local sent = D.request_from_normal(normal, target_of(text), losses)
      assert.are.same(gemini.canonical(json, json.decode(text)),
        gemini.canonical(json, json.decode(json.encode(sent))), id)
    end)

    it("request " .. id .. " is sent to the other dialects, or refused with the field", function()
      for _, other in ipairs(others) do
        local losses = {}
        local normal = D.request_to_normal(decode_raw(D, json.encode(exchange.request_body)), losses, { model = "m" })
        local ok, sent = pcall(other.D.request_from_normal, normal, { model = "m", quirks = {} }, losses)
        if ok then
          local again = other.D.request_to_normal(decode_raw(other.D, json.encode(sent)), {})
          assert.are.same(gemini.conversation(json, normal), gemini.conversation(json, again), id)
          -- And back to Gemini: nothing of the conversation may be lost on the way.
          local back = D.request_from_normal(again, target_of(""), {})
          local third = D.request_to_normal(decode_raw(D, json.encode(back)), {}, { model = "m" })
          assert.are.same(gemini.conversation(json, normal), gemini.conversation(json, third), id)
        else
          assert.is_table(sent, tostring(sent))
          assert.is_string(sent.field)
          assert.is_string(sent.message)
        end
      end
    end)

    if exchange.status >= 400 then
      it("error " .. id .. " is told in all dialects", function()
        local err = D.error_to_normal(exchange.status, body_text)
        assert.are.equal(exchange.status, err.status)
        assert.are.equal(json.decode(body_text).error.message, err.message)
        assert.are.equal(json.decode(body_text).error.status, err.type)
        local status, body = D.error_from_normal(err, "req_1")
        assert.are.equal(exchange.status, status)
        assert.are.equal(json.decode(body_text).error.status, body.error.status)
        for _, other in ipairs(others) do
          status = other.D.error_from_normal(err, "req_1")
          assert.are.equal(exchange.status, status)
        end
      end)
    elseif exchange.streaming then
      it("TR-75 TR-76 TR-79 stream " .. id .. " cut at each byte, and byte by byte, gives the same chunks", function()
        local whole, bytes = events_of(exchange), #body_text
        assert.is_true(#whole > 0)
        for cut = 0, bytes do
          local events = events_of(exchange, cut == 0 and { 1 } or { cut, bytes })
          assert(#events == #whole, id .. " cut at " .. cut)
          for i, event in ipairs(events) do assert(event.data == whole[i].data, id .. " cut at " .. cut) end
        end
      end)

      for _, framing in ipairs({ "sse", "json-array" }) do
        it("stream " .. id .. " is written again as " .. framing, function()
          local events = events_of(exchange)
          local text = translate(D, events, asked_of(framing))
          local chunks = gemini.chunks(json, text, framing)
          order.check("gemini", chunks)
          local want = gemini.outcome(json, gemini.assemble(json, events))
          local got = gemini.outcome(json, gemini.assemble(json, chunks))
          compare(want, got, id)
          assert.are.same(want.signatures, got.signatures, id)
          -- The same answer, told whole, gives the client the same.
          local normal = D.response_to_normal(decode_raw(D, json.encode(gemini.assemble(json, events))), {})
          local told = json.decode(json.encode(D.response_from_normal(normal, asked_of())))
          local whole = gemini.outcome(json, told)
          compare(want, whole, id .. " whole")
          assert.are.same(want.signatures, whole.signatures, id)
        end)
      end
      for _, other in ipairs(others) do
        it("stream " .. id .. " reaches a client of " .. other.D.name, function()
          local events = events_of(exchange)
          local produced = order.events(translate(other.D, events, asked_of()))
          other.check(produced)
          local want = gemini.outcome(json, gemini.assemble(json, events))
          compare(want, other.outcome(json, (other.assemble(json, produced))), id)
        end)
      end
    else
      it("answer " .. id .. " reaches clients of all dialects", function()
        local want = gemini.outcome(json, json.decode(body_text))
        local normal = D.response_to_normal(decode_raw(D, body_text), {})
        local told = json.decode(json.encode(D.response_from_normal(normal, asked_of())))
        local own = gemini.outcome(json, told)
        compare(want, own, id)
        assert.are.same(want.signatures, own.signatures, id)
        assert.are.equal(#json.decode(body_text).candidates, #told.candidates)
        for _, other in ipairs(others) do
          local answer = json.decode(json.encode(other.D.response_from_normal(normal, asked_of())))
          compare(want, other.outcome(json, answer), id .. " " .. other.D.name)
        end
      end)
    end
  end
end)
