-- Every recorded exchange of the Responses API, from $MOONGATE_SHARED/wire (default ../shared beside the checkout):
-- requests through the normal form and back and to every other dialect, answers and streams to clients of every
-- dialect, errors. The recorded bodies are read at run time; without them there is nothing to test.

local load = dofile("tests/lua/dialects/load.lua")
local order = dofile("tests/lua/dialects/order.lua")
local outcome = dofile("tests/lua/dialects/outcome.lua")
local responses = dofile("tests/lua/dialects/responses_outcome.lua")
local all = dofile("tests/lua/conformance/dialects.lua")
local recorded = dofile("tests/lua/recorded.lua")
local json = load.gw.json

local D = all.by_name["openai.responses"]

local exchanges = recorded.exchanges(function(protocol) return protocol == "openai.responses" end)

-- How a client of each dialect reads what it got, apart from the translators.
local readers = {
  ["openai.responses"] = { check = order.checker("openai.responses"), assemble = responses.assemble,
    outcome = responses.of },
  ["openai.chat"] = { check = order.checker("openai.chat"), assemble = outcome.assemble_chat,
    outcome = outcome.of_chat },
  ["anthropic.messages"] = { check = order.checker("anthropic.messages"), assemble = outcome.assemble_messages,
    outcome = outcome.of_messages },
}

-- Requests that lean on what OpenAI keeps: refused with their field on every translated hop.
local function state_field(body)
  for _, field in ipairs { "previous_response_id", "conversation" } do
    if body[field] and body[field] ~= json.null then return field end
  end
  return body.background == true and "background" or nil
end

local function normal_request(exchange)
  local body = all.decode(D, json.encode(exchange.request_body))
  local ok, normal = pcall(D.request_to_normal, body, {})
  return ok and normal or nil, normal
end

local function asked_of(exchange)
  local normal = normal_request(exchange) or {}
  return { model = "alias", stream_usage = true, framing = "sse", losses = {}, echo = normal.echo,
    custom_tools = normal.custom_tools }
end

local function translate_stream(client, events, asked)
  local pieces = {}
  local function put(text) pieces[#pieces + 1] = text end
  local reader, writer = D.reader({ quirks = {} }), client.writer(asked)
  local function emit(event) writer:event(event, put) end
  for _, event in ipairs(events) do reader:event(event.name or "", event.data, emit) end
  reader:finish(emit)
  writer:finish(put)
  return all.events(client, table.concat(pieces))
end

local function compare(want, got, id)
  assert.are.equal(want.text, got.text, id)
  assert.are.equal(want.thinking, got.thinking, id)
  assert.are.same(want.calls, got.calls, id)
  assert.are.equal(want.finish, got.finish, id)
  if want.usage then
    for _, name in ipairs { "input", "output", "cached", "written" } do
      assert.are.equal(want.usage[name], got.usage[name], id .. " usage." .. name)
    end
  end
end

-- What answers in the normal form say, for clients whose protocol is read by its own dialect file only.
local function of_normal(normal)
  local said = { texts = {}, thoughts = {}, calls = {} }
  for _, part in ipairs(normal.choices[1].parts) do
    if part.type == "text" or part.type == "refusal" then
      table.insert(said.texts, part.text)
    elseif part.type == "thinking" then
      table.insert(said.thoughts, part.text)
    elseif part.type == "tool_call" then
      local text = part.arguments_text or json.text(part.arguments)
      table.insert(said.calls, { name = part.name, arguments = json.encode(json.decode(text)) })
    end
  end
  return table.concat(said.texts), table.concat(said.thoughts), said.calls
end

local function nameless(calls)
  local list = {}
  for i, call in ipairs(calls) do list[i] = { name = call.name, arguments = call.arguments } end
  return list
end

describe("recorded Responses exchanges", function()
  it("are there, or this checkout stands alone", recorded.counted(#exchanges, 90))

  for _, exchange in ipairs(exchanges) do
    local id, request_body = exchange.id, exchange.request_body
    local field = state_field(request_body)

    if field then
      it("request " .. id .. " leans on the provider's memory and is refused", function()
        local normal, refusal = normal_request(exchange)
        assert.is_nil(normal)
        assert.are.equal(field, refusal.field)
      end)
    else
      it("request " .. id .. " comes back the same", function()
        local normal, losses = assert(normal_request(exchange)), {}
        local sent = D.request_from_normal(normal, { model = normal.model, quirks = { reasoning_history = "text" } },
          losses)
        assert.are.same(responses.canonical(json, json.decode(json.encode(request_body))),
          responses.canonical(json, json.decode(json.encode(sent))), id .. ": " .. table.concat(losses, ", "))
      end)

      for _, provider in ipairs(all.list) do
        if provider ~= D then
          it("request " .. id .. " is sent to " .. provider.name .. ", or refused with its field", function()
            local normal, losses = assert(normal_request(exchange)), {}
            local ok, sent = pcall(provider.request_from_normal, normal, { model = "m", quirks = {} }, losses)
            if not ok then
              assert.is_table(sent, tostring(sent))
              assert.is_string(sent.field)
              return
            end
            local again = provider.request_to_normal(all.decode(provider, sent), {}, { model = "m", stream = false })
            local calls, results = 0, 0
            for _, request in ipairs { normal, again } do
              for _, message in ipairs(request.messages) do
                for _, part in ipairs(message.parts) do
                  local sign = request == normal and 1 or -1
                  if part.type == "tool_call" then calls = calls + sign end
                  if part.type == "tool_result" then results = results + sign end
                end
              end
            end
            assert.are.same({ 0, 0 }, { calls, results })
          end)
        end
      end
    end

    local body_text = exchange.response_body
    if exchange.status >= 400 then
      it("error " .. id .. " is told", function()
        local err = D.error_to_normal(exchange.status, body_text)
        assert.are.equal(exchange.status, err.status)
        assert.are.equal(json.decode(body_text).error.message, err.message)
        local status, body = D.error_from_normal(err)
        assert.are.equal(exchange.status, status)
        assert.are.equal(json.decode(body_text).error.type, body.error.type)
      end)
    else
      for _, client in ipairs(all.list) do
        local reads = readers[client.name]
        it((exchange.stream_framing and "stream " or "answer ") .. id .. " reaches a client of " .. client.name,
          function()
            local asked = asked_of(exchange)
            local whole = exchange.stream_framing ~= "sse" and json.decode(body_text)
              or responses.assemble(json, order.events(body_text))
            if whole.status == "queued" then
              local normal, err = D.response_to_normal(all.decode(D, body_text), {})
              assert.is_nil(normal)
              assert.are.equal(502, err.status)
              return
            end
            local want = responses.of(json, whole)
            local normal = assert(D.response_to_normal(all.decode(D, json.encode(whole)), asked.losses))
            local told = json.decode(json.encode(client.response_from_normal(normal, asked)))
            local produced = exchange.stream_framing == "sse"
              and translate_stream(client, order.events(body_text), asked)
            if reads then
              local told_outcome = reads.outcome(json, told)
              compare(want, told_outcome, id)
              if produced then
                reads.check(produced)
                local got, failed = reads.assemble(json, produced)
                assert.is_nil(failed, failed and failed.message)
                compare(want, reads.outcome(json, got), id .. " streamed")
              end
              if client == D then
                -- What another company than OpenAI signed has its name before it.
                for i, sealed in ipairs(told_outcome.sealed) do told_outcome.sealed[i] = sealed:gsub("^[%l/]+:", "") end
                assert.are.same(want.sealed, told_outcome.sealed)
              end
            else
              local text, thinking, calls = of_normal(assert(client.response_to_normal(all.decode(client, told), {})))
              assert.are.equal(want.text, text)
              assert.are.equal(want.thinking, thinking)
              assert.are.same(nameless(want.calls), calls)
            end
          end)
      end
    end
  end
end)
