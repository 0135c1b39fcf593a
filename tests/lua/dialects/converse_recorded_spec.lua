-- Every recorded exchange of Converse, from $MOONGATE_SHARED/wire (default ../shared beside the checkout): requests
-- through the normal form and back, and into the other dialects; answers and streams told to clients of each dialect,
-- Converse's own among them; errors. The recorded bodies are read at run time; without them this file has nothing to
-- test and says so.

local load = dofile("tests/lua/dialects/load.lua")
local order = dofile("tests/lua/dialects/order.lua")
local outcome = dofile("tests/lua/dialects/outcome.lua")
local frames = dofile("tests/lua/dialects/converse_frames.lua")
local recorded = dofile("tests/lua/recorded.lua")
local json = load.gw.json
load.gw.aws_event = load.gw.aws_event or frames.encode

local converse = load.file("adapters/dialects/bedrock_converse.lua")

local clients = {
  { D = load.chat, events = order.events, check = order.checker("openai.chat"), assemble = outcome.assemble_chat,
    outcome = outcome.of_chat },
  { D = load.messages, events = order.events, check = order.checker("anthropic.messages"),
    assemble = outcome.assemble_messages, outcome = outcome.of_messages },
  { D = converse, events = order.frames, check = order.checker("bedrock.converse"), assemble = frames.assemble,
    outcome = frames.outcome },
}

local exchanges = recorded.exchanges(function(protocol) return protocol == "bedrock.converse" end)

local function decode_raw(D, text)
  return assert(json.decode(text, { raw = D.raw_keys }))
end

-- Two requests that ask for the same become equal: what is empty asks for nothing, turns of one role are one turn, and
-- results that went well say so or not.
local function canonical(body)
  for _, name in ipairs({ "system", "inferenceConfig" }) do
    if body[name] and next(body[name]) == nil then body[name] = nil end
  end
  local config = body.inferenceConfig
  if config and config.stopSequences and #config.stopSequences == 0 then config.stopSequences = nil end
  local turns = {}
  for _, message in ipairs(body.messages) do
    local last = turns[#turns]
    if not last or last.role ~= message.role then
      last = { role = message.role, content = {} }
      turns[#turns + 1] = last
    end
    for _, block in ipairs(message.content) do
      if block.toolResult and block.toolResult.status == "success" and not block.toolResult.type then
        block.toolResult.status = nil
      end
      if block.toolUse and block.toolUse.type == "tool_use" then block.toolUse.type = nil end
      last.content[#last.content + 1] = block
    end
  end
  body.messages = turns
  return body
end

-- What must not get lost on the way to another dialect, by role; images and documents are counted.
local function said(normal)
  local found = { user = {}, assistant = {}, calls = {}, results = {}, images = 0 }
  local function add(role, list)
    for _, part in ipairs(list) do
      if part.type == "text" then
        table.insert(found[role], part.text)
      elseif part.type == "document" and part.text then
        table.insert(found[role], (part.title or "") .. part.text)
      elseif part.type == "tool_call" then
        table.insert(found.calls, part.name .. json.encode(json.decode(json.text(part.arguments))))
      elseif part.type == "image" then
        found.images = found.images + 1
      elseif part.type == "tool_result" then
        for _, inner in ipairs(part.parts) do
          if inner.type == "image" then found.images = found.images + 1 end
          table.insert(found.results, inner.text)
        end
      end
    end
  end
  for _, message in ipairs(normal.messages) do add(message.role, message.parts) end
  for _, name in ipairs({ "user", "assistant", "results" }) do
    found[name] = table.concat(found[name]):gsub("%s", "")
  end
  return found
end

local function asked_of()
  return { model = "alias", stream_usage = true, losses = {} }
end

local function compare(want, got, id)
  for _, name in ipairs({ "text", "thinking", "finish", "calls", "signatures", "redacted" }) do
    assert.are.same(want[name], got[name], id .. " " .. name)
  end
  for _, name in ipairs({ "input", "output", "cached", "written" }) do
    assert.are.equal(want.usage[name], got.usage[name], id .. " usage." .. name)
  end
end

local function translate_stream(client, events, model)
  local pieces, asked = {}, asked_of()
  local function put(text) pieces[#pieces + 1] = text end
  local reader, writer = converse.reader({ model = model, quirks = {} }), client.D.writer(asked)
  local function emit(event) writer:event(event, put) end
  for _, event in ipairs(events) do reader:event(event.name, event.data, emit) end
  reader:finish(emit)
  writer:finish(put)
  return client.events(table.concat(pieces))
end

describe("recorded exchanges of Converse", function()
  it("are there, or this checkout stands alone", recorded.counted(#exchanges, 44, 44))

  for _, exchange in ipairs(exchanges) do
    local id, model = exchange.id, exchange.model
    local request_text = json.encode(exchange.request_body)

    it("request " .. id .. " comes back the same", function()
      local losses = {}
      local normal = converse.request_to_normal(decode_raw(converse, request_text), losses,
        { model = model, stream = exchange.streaming })
      assert.are.equal(model, normal.model)
      assert.are.equal(exchange.streaming, normal.stream)
      local sent = converse.request_from_normal(normal, { model = model, quirks = {} }, losses)
      assert.are.same(canonical(json.decode(request_text)), canonical(json.decode(json.encode(sent))), id)
    end)

    for _, client in ipairs({ clients[1], clients[2] }) do
      it("request " .. id .. " is sent to " .. client.D.name .. ", or refused with the field", function()
        local losses = {}
        local normal = converse.request_to_normal(decode_raw(converse, request_text), losses, { model = model })
        local ok, sent = pcall(client.D.request_from_normal, normal, { model = "m", quirks = {} }, losses)
        if not ok then
          assert.is_table(sent, tostring(sent))
          assert.is_string(sent.field)
          return
        end
        local again = client.D.request_to_normal(decode_raw(client.D, json.encode(sent)), {})
        assert.are.same(said(normal), said(again))
      end)
    end

    if exchange.status >= 400 then
      it("error " .. id .. " is told in each dialect", function()
        local err = converse.error_to_normal(exchange.status, exchange.response_body)
        assert.are.equal(exchange.status, err.status)
        assert.are.equal(json.decode(exchange.response_body).message, err.message)
        for _, client in ipairs(clients) do
          local status, body = client.D.error_from_normal(err, "req_1")
          assert.is_true(status >= 400 and status < 600)
          assert.is_truthy(json.encode(body):find(err.message:sub(1, 20), 1, true))
        end
      end)
    elseif exchange.stream_framing == "aws-eventstream" then
      local events = order.frames(frames.from_base64(exchange.response_body))
      local whole, exception = frames.assemble(json, events)
      for _, client in ipairs(clients) do
        it("stream " .. id .. " reaches a client of " .. client.D.name, function()
          local produced = translate_stream(client, events, model)
          client.check(produced)
          local got, failed = client.assemble(json, produced)
          if exception then
            assert.is_nil(got)
            assert.are.equal(exception.message, failed.message)
            return
          end
          assert.is_nil(failed)
          compare(frames.outcome(json, whole), client.outcome(json, got), id)
          -- The same answer, told whole, gives the client the same.
          local normal = converse.response_to_normal(decode_raw(converse, json.encode(whole)), {}, { model = model })
          local told = json.decode(json.encode(client.D.response_from_normal(normal, asked_of())))
          compare(client.outcome(json, told), client.outcome(json, got), id .. " whole")
        end)
      end
    else
      for _, client in ipairs(clients) do
        it("answer " .. id .. " reaches a client of " .. client.D.name, function()
          local body = decode_raw(converse, exchange.response_body)
          local normal = converse.response_to_normal(body, {}, { model = model })
          local told = json.decode(json.encode(client.D.response_from_normal(normal, asked_of())))
          compare(frames.outcome(json, json.decode(exchange.response_body)), client.outcome(json, told), id)
        end)
      end
    end
  end
end)
