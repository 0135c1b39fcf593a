-- Every recorded exchange of Cohere's chat, from $MOONGATE_SHARED/wire (default ../shared beside the checkout):
-- requests through the normal form and back and into other dialects; answers and streams told to clients of Cohere,
-- Chat and Anthropic; errors. And every recorded answer of Chat and Anthropic told to a Cohere client.
-- The recorded bodies are read at run time; without them this file has nothing to test and says so.

local load = dofile("tests/lua/dialects/load.lua")
local order = dofile("tests/lua/dialects/order.lua")
local outcome = dofile("tests/lua/dialects/outcome.lua")
local outcomes = dofile("tests/lua/dialects/cohere_outcome.lua")
local recorded = dofile("tests/lua/recorded.lua")
local json = load.gw.json
local cohere = load.file("adapters/dialects/cohere_chat.lua")

local clients = {
  { D = cohere, check = order.checker("cohere.chat"), assemble = outcomes.assemble, outcome = outcomes.outcome },
  { D = load.chat, check = order.checker("openai.chat"), assemble = outcome.assemble_chat, outcome = outcome.of_chat },
  { D = load.messages, check = order.checker("anthropic.messages"), assemble = outcome.assemble_messages,
    outcome = outcome.of_messages },
}
local by_protocol = { ["cohere.v2.chat"] = clients[1], ["openai.chat"] = clients[2],
  ["anthropic.messages"] = clients[3] }

local own = recorded.exchanges(function(protocol) return protocol == "cohere.v2.chat" end)
local others = recorded.exchanges(function(protocol)
  return protocol ~= "cohere.v2.chat" and by_protocol[protocol]
end)

local function decode_raw(D, body)
  return assert(json.decode(type(body) == "string" and body or json.encode(body), { raw = D.raw_keys }))
end

local function asked()
  return { model = "alias", stream_usage = true, losses = {} }
end

local function tell_stream(provider, client, events)
  local pieces = {}
  local function put(text) pieces[#pieces + 1] = text end
  local reader, writer = provider.reader({ quirks = {} }), client.writer(asked())
  for _, event in ipairs(events) do
    reader:event(event.name or "", event.data, function(e) writer:event(e, put) end)
  end
  reader:finish(function(e) writer:event(e, put) end)
  writer:finish(put)
  return order.events(table.concat(pieces))
end

local function compare(want, got, id)
  for _, name in ipairs({ "text", "thinking", "finish" }) do
    assert.are.equal(want[name], got[name], id .. " " .. name)
  end
  assert.are.same(want.calls, got.calls, id)
  for _, name in ipairs(want.usage and { "input", "output", "cached" } or {}) do
    assert.are.equal(want.usage[name], got.usage[name], id .. " usage." .. name)
  end
end

-- An answer of `from` to a client of `to`, streamed or whole; a stream also against the same answer told whole.
local function answer_reaches(exchange, from, to)
  local id, body_text = exchange.id, exchange.response_body
  if exchange.stream_framing ~= "sse" then
    local normal, err = from.D.response_to_normal(decode_raw(from.D, body_text), {})
    if not normal then return assert.is_string(err.message) end
    local told = json.decode(json.encode(to.D.response_from_normal(normal, asked())))
    return compare(from.outcome(json, json.decode(body_text)), to.outcome(json, told), id)
  end
  local events = order.events(body_text)
  local produced = tell_stream(from.D, to.D, events)
  to.check(produced)
  local whole, failed = from.assemble(json, events)
  local got, got_failed = to.assemble(json, produced)
  if failed then
    assert.is_nil(got)
    return assert.is_string(got_failed.message)
  end
  compare(from.outcome(json, whole), to.outcome(json, got), id)
  local normal = from.D.response_to_normal(decode_raw(from.D, whole), {})
  local told = json.decode(json.encode(to.D.response_from_normal(normal, asked())))
  compare(to.outcome(json, told), to.outcome(json, got), id .. " whole")
  return told, got
end

describe("recorded exchanges of Cohere", function()
  it("are there, or this checkout stands alone", recorded.counted(#own, 18))
  it("of others are there, too", recorded.counted(#others, 301))

  for _, exchange in ipairs(own) do
    local id = exchange.id

    it("request " .. id .. " comes back the same, without a loss", function()
      local losses = {}
      local normal = cohere.request_to_normal(decode_raw(cohere, exchange.request_body), losses)
      local sent = cohere.request_from_normal(normal, { model = normal.model, quirks = {} }, losses)
      assert.are.same({}, losses)
      assert.are.same(outcomes.canonical(json, json.decode(json.encode(exchange.request_body))),
        outcomes.canonical(json, json.decode(json.encode(sent))))
    end)

    it("request " .. id .. " says the same in other dialects and back", function()
      local normal = cohere.request_to_normal(decode_raw(cohere, exchange.request_body), {})
      for _, other in ipairs({ load.chat, load.messages }) do
        local losses = {}
        local sent = other.request_from_normal(normal, { model = "m", quirks = {} }, losses)
        local back = cohere.request_from_normal(other.request_to_normal(decode_raw(other, sent), {}),
          { model = normal.model, quirks = {} }, losses)
        local want = outcomes.canonical(json, json.decode(json.encode(exchange.request_body)))
        local got = outcomes.canonical(json, json.decode(json.encode(back)))
        -- Chat has no documents; Anthropic keeps them, but not what Cohere calls them.
        if not exchange.request_body.documents then assert.are.same(want.messages, got.messages, id) end
        assert.are.same(want.tools, got.tools)
        assert.are.same(want.stop_sequences, got.stop_sequences)
      end
    end)

    if exchange.status >= 400 then
      it("error " .. id .. " is told in each dialect", function()
        local err = cohere.error_to_normal(exchange.status, exchange.response_body)
        assert.are.equal(json.decode(exchange.response_body).message:sub(1, 20), err.message:sub(1, 20))
        if id == "cohere-v2-chat-174a971699" then
          assert.are.same({ "context_length", "TOO_MANY_TOKENS" }, { err.class, err.type })
        end
        for _, client in ipairs(clients) do
          local status, body = client.D.error_from_normal(err, "req_1")
          assert.are.equal(exchange.status, status)
          assert.is_string(body.message or body.error.message)
        end
      end)
    else
      for _, client in ipairs(clients) do
        it("answer " .. id .. " reaches a client of " .. client.D.name, function()
          answer_reaches(exchange, clients[1], client)
        end)
      end

      it("answer " .. id .. " is read and written the same by Cohere", function()
        if exchange.stream_framing == "sse" then
          local told, got = answer_reaches(exchange, clients[1], clients[1])
          local whole = outcomes.assemble(json, order.events(exchange.response_body))
          told.id, got.id, whole.id = nil, nil, nil
          assert.are.same(whole, got)
          assert.are.same(whole, told)
        else
          local normal = cohere.response_to_normal(decode_raw(cohere, exchange.response_body), {})
          local told = json.decode(json.encode(cohere.response_from_normal(normal, asked())))
          local want = json.decode(exchange.response_body)
          if want.usage.tokens.image_tokens then
            want.usage.tokens.input_tokens = want.usage.tokens.input_tokens + want.usage.tokens.image_tokens
            want.usage.tokens.image_tokens = nil
          end
          assert.are.same(want, told)
        end
      end)
    end
  end

  it("a stream cut anywhere between two events is an error, and what came before stays", function()
    for _, exchange in ipairs(own) do
      if exchange.stream_framing == "sse" then
        local events = order.events(exchange.response_body)
        for keep = 0, #events - 2 do
          local produced = tell_stream(cohere, cohere, { table.unpack(events, 1, keep) })
          order.check("cohere.chat", produced)
          local _, failed = outcomes.assemble(json, produced)
          assert.is_table(failed, exchange.id .. " cut after " .. keep)
        end
      end
    end
  end)
end)

describe("recorded answers of other dialects", function()
  for _, exchange in ipairs(others) do
    if exchange.status < 400 then
      it(exchange.id .. " reaches a client of cohere.chat", function()
        answer_reaches(exchange, by_protocol[exchange.protocol], clients[1])
      end)
    end
    if exchange.request_body and exchange.request_body ~= json.null then
      it("request " .. exchange.id .. " is sent to Cohere, or refused with the field", function()
        local from, losses = by_protocol[exchange.protocol].D, {}
        local read, normal = pcall(from.request_to_normal, decode_raw(from, exchange.request_body), losses)
        local ok, sent = read, normal
        if read then ok, sent = pcall(cohere.request_from_normal, normal, { model = "m", quirks = {} }, losses) end
        if not ok then
          assert.is_table(sent, tostring(sent))
          return assert.is_string(sent.field)
        end
        local again = cohere.request_to_normal(decode_raw(cohere, sent), {})
        assert.is_true(#again.messages > 0)
      end)
    end
  end
end)
