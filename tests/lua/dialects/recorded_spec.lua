-- Every recorded exchange of the two protocols, from $MOONGATE_SHARED/wire (default ../shared beside the checkout):
-- requests through the normal form and back, answers and streams into the other dialect, errors into both.
-- The recorded bodies are read at run time; without them this file has nothing to test and says so.

local load = dofile("tests/lua/dialects/load.lua")
local order = dofile("tests/lua/dialects/order.lua")
local outcome = dofile("tests/lua/dialects/outcome.lua")
local canonical = dofile("tests/lua/dialects/canonical.lua")
local recorded = dofile("tests/lua/recorded.lua")
local json = load.gw.json

local dialects = {
  ["openai.chat"] = {
    D = load.chat, other = "anthropic.messages", canonical = canonical.chat, check = order.checker("openai.chat"),
    assemble = outcome.assemble_chat, outcome = outcome.of_chat,
    quirks = { developer_role = true, cache_control = true, document_url = true, top_k = true, reasoning_off = "none",
      efforts = { low = true, medium = true, high = true, minimal = true, xhigh = true } },
  },
  ["anthropic.messages"] = {
    D = load.messages, other = "openai.chat", canonical = canonical.messages,
    check = order.checker("anthropic.messages"), assemble = outcome.assemble_messages, outcome = outcome.of_messages,
    quirks = {},
  },
}

-- Requests that are refused before any provider sees them, and the field that is named.
local refused_requests = {
  -- A schema that is `true`; Anthropic answered it with 400 as well.
  ["anthropic-messages-5b747f96a0"] = "tools[0].input_schema",
}

local exchanges = recorded.exchanges(function(protocol) return dialects[protocol] end)

local function decode_raw(D, text)
  return assert(json.decode(text, { raw = D.raw_keys }))
end

-- Runs a provider's events through its reader and the client's writer; returns the produced events.
local function translate_stream(provider, client, events, asked)
  local pieces = {}
  local function put(text) pieces[#pieces + 1] = text end
  local reader, writer = provider.reader({ quirks = {} }), client.writer(asked)
  local function emit(event) writer:event(event, put) end
  for _, event in ipairs(events) do reader:event(event.name or "", event.data, emit) end
  reader:finish(emit)
  writer:finish(put)
  return order.events(table.concat(pieces))
end

local function compare(want, got, id)
  assert.are.equal(want.text, got.text, id)
  assert.are.equal(want.thinking, got.thinking, id)
  assert.are.same(want.calls, got.calls, id)
  assert.are.equal(want.finish, got.finish, id)
  assert.are.same(want.signatures, got.signatures, id)
  if want.usage then
    for _, name in ipairs({ "input", "output", "cached", "written" }) do
      assert.are.equal(want.usage[name], got.usage[name], id .. " usage." .. name)
    end
  end
end

-- What a request says by role, whatever its turns and blocks are cut into. Known moves between dialects are made equal
-- here: system text goes to the top, images of tool results follow the results, text documents become text.
local function conversation(normal)
  local said = { system = {}, user = {}, assistant = {}, calls = {}, images = 0, results = {} }
  local function add(role, list)
    for _, part in ipairs(list) do
      if part.type == "text" or part.type == "refusal" then
        table.insert(said[role == "developer" and "system" or role], part.text)
      elseif part.type == "document" and part.text then
        table.insert(said[role], (part.title and part.title .. "\n\n" or "") .. part.text)
      elseif part.type == "tool_call" then
        table.insert(said.calls, part.name .. json.encode(json.decode(json.text(part.arguments))))
      elseif part.type == "image" then
        said.images = said.images + 1
      elseif part.type == "tool_result" then
        local texts = {}
        for _, inner in ipairs(part.parts) do
          if inner.type == "image" then said.images = said.images + 1 end
          texts[#texts + 1] = inner.text
        end
        local text = table.concat(texts):gsub("%s", "")
        table.insert(said.results, part.is_error and not text:find("^[Ee]rror") and "Error:" .. text or text)
      end
    end
  end
  for _, message in ipairs(normal.system or {}) do add("system", message.parts) end
  for _, message in ipairs(normal.messages) do add(message.role, message.parts) end
  for _, role in ipairs({ "system", "user", "assistant" }) do said[role] = table.concat(said[role]):gsub("%s", "") end
  if normal.format and normal.format.kind == "json" then
    said.system = said.system .. "AnswerwithoneJSONobjectandnothingelse."
  end
  return said
end

local function asked_of(exchange)
  local legacy = exchange.request_body and exchange.request_body.functions ~= nil
  return { model = "alias", stream_usage = true, legacy_functions = legacy or nil, losses = {} }
end

describe("recorded exchanges", function()
  it("are there, or this checkout stands alone", recorded.counted(#exchanges, 301))

  for _, exchange in ipairs(exchanges) do
    local from = dialects[exchange.protocol]
    local to = dialects[from.other]
    local id = exchange.id

    if refused_requests[id] then
      it("request " .. id .. " is refused with its field", function()
        local ok, refusal = pcall(from.D.request_to_normal, decode_raw(from.D, json.encode(exchange.request_body)), {})
        assert.is_false(ok)
        assert.are.equal(refused_requests[id], refusal.field)
      end)
    elseif exchange.request_body and exchange.request_body ~= json.null then
      it("request " .. id .. " comes back the same", function()
        local text, losses, quirks = json.encode(exchange.request_body), {}, {}
        for name, v in pairs(from.quirks) do quirks[name] = v end
        if exchange.request_body.reasoning then quirks.reasoning = "object" end
        local normal = from.D.request_to_normal(decode_raw(from.D, text), losses)
        local sent = from.D.request_from_normal(normal, { model = normal.model, quirks = quirks }, losses)
        local want = from.canonical(json, json.decode(text))
        local got = from.canonical(json, json.decode(json.encode(sent)))
        assert.are.same(want, got, id .. ": " .. table.concat(losses, ", "))
      end)

      it("request " .. id .. " is sent to the other dialect, or refused with the field", function()
        local losses = {}
        local normal = from.D.request_to_normal(decode_raw(from.D, json.encode(exchange.request_body)), losses)
        local ok, sent = pcall(to.D.request_from_normal, normal, { model = "m", quirks = {} }, losses)
        if not ok then
          assert.is_table(sent, tostring(sent))
          assert.is_string(sent.field)
          assert.is_string(sent.message)
          return
        end
        -- What was sent must be readable by the dialect it was written for, with every turn of the conversation.
        local again = to.D.request_to_normal(decode_raw(to.D, json.encode(sent)), {})
        assert.are.same(conversation(normal), conversation(again))
      end)
    end

    local body_text = exchange.response_body
    if exchange.status >= 400 then
      it("error " .. id .. " is told in both dialects", function()
        local err = from.D.error_to_normal(exchange.status, body_text)
        assert.are.equal(exchange.status, err.status)
        assert.is_true(#err.message > 0)
        assert.is_nil(err.message:find("sk%-%w"))
        for _, D in ipairs({ load.chat, load.messages }) do
          local status, body = D.error_from_normal(err, "req_1")
          assert.is_true(status >= 400 and status < 600)
          assert.is_string(body.error.message)
          assert.is_string(body.error.type)
        end
      end)
    elseif exchange.stream_framing == "sse" then
      for _, client in ipairs({ to, from }) do
        it("stream " .. id .. " reaches a client of " .. client.D.name, function()
          local events = order.events(body_text)
          local asked = asked_of(exchange)
          local produced = translate_stream(from.D, client.D, events, asked)
          client.check(produced)
          local whole, failed = from.assemble(json, events)
          local got, got_failed = client.assemble(json, produced)
          if failed then
            assert.is_nil(got)
            assert.is_string(got_failed.message)
            return
          end
          assert.is_nil(got_failed, got_failed and got_failed.message)
          local want = from.outcome(json, whole)
          compare(want, client.outcome(json, got), id)
          -- The same answer, told whole, gives the client the same.
          local normal = from.D.response_to_normal(decode_raw(from.D, json.encode(whole)), {})
          local told = json.decode(json.encode(client.D.response_from_normal(normal, asked)))
          compare(client.outcome(json, told), client.outcome(json, got), id .. " whole")
        end)
      end
    else
      for _, client in ipairs({ to, from }) do
        it("answer " .. id .. " reaches a client of " .. client.D.name, function()
          local asked = asked_of(exchange)
          local normal, err = from.D.response_to_normal(decode_raw(from.D, body_text), asked.losses)
          if not normal then
            assert.is_string(err.message)
            return
          end
          local told = json.decode(json.encode(client.D.response_from_normal(normal, asked)))
          compare(from.outcome(json, json.decode(body_text)), client.outcome(json, told), id)
          if client == from and exchange.protocol == "openai.chat" then
            assert.are.equal(#json.decode(body_text).choices, #told.choices)
          end
        end)
      end
    end
  end
end)
