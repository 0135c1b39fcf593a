-- Calls that a server gives no id, or an empty one: each gets one of its own, whole and streamed, since a conversation
-- may hold many of them; in a client's history it is the same each time.

local load = dofile("tests/lua/dialects/load.lua")
local exchange = dofile("tests/lua/dialects/exchange.lua")
local json, translate = load.gw.json, load.translate
local cohere = load.file("adapters/dialects/cohere_chat.lua")

local function call(id) return { id = id, type = "function", ["function"] = { name = "f", arguments = "{}" } } end

local function chat_answer(id)
  return { choices = { { index = 0, finish_reason = "tool_calls", message = { role = "assistant",
    content = json.null, tool_calls = { call(id) } } } } }
end

local function cohere_answer(id)
  return { id = "c", finish_reason = "TOOL_CALL", message = { role = "assistant", tool_calls = { call(id) } } }
end

local function hop_to(provider)
  return translate.hop(load.messages, provider, nil, { model = "m", quirks = {} }, { model = "alias", losses = {} })
end

local function whole_id(provider, body)
  local _, text = translate.response(hop_to(provider), 200, json.encode(body))
  return json.decode(text).content[1].id
end

local function streamed_id(provider, events)
  local written = table.concat(load.play(translate.stream(hop_to(provider)), events))
  return written:match('"id":"([^"]*)","input"') or written:match('"type":"tool_use","id":"([^"]*)"')
end

local function assert_made(first, second)
  assert.is_truthy(first and first:find("^call_%w"), tostring(first))
  assert.are_not.equal(first, second)
end

describe("TR-27 calls without an id", function()
  for _, id in ipairs { "absent", "empty" } do
    local given = id == "empty" and "" or nil

    it("of a whole answer: " .. id, function()
      assert_made(whole_id(load.chat, chat_answer(given)), whole_id(load.chat, chat_answer(given)))
      assert_made(whole_id(cohere, cohere_answer(given)), whole_id(cohere, cohere_answer(given)))
    end)

    it("of a stream: " .. id, function()
      local chat_events = { { choices = { { index = 0, delta = { tool_calls = { { index = 0, id = given,
        ["function"] = { name = "f", arguments = "{}" } } } } } } } }
      local cohere_events = { { type = "message-start", delta = { message = {} } }, { type = "tool-call-start",
        index = 0, delta = { message = { tool_calls = call(given) } } } }
      assert_made(streamed_id(load.chat, chat_events), streamed_id(load.chat, chat_events))
      assert_made(streamed_id(cohere, cohere_events), streamed_id(cohere, cohere_events))
    end)
  end

  it("of a history are the same each time", function()
    local function sent(id)
      return (exchange.to_anthropic { messages = { { role = "user", content = "hi" },
        { role = "assistant", tool_calls = { call(id) } },
        { role = "tool", tool_call_id = id or "call_1", content = "ok" } } })
    end
    for _, given in ipairs { false, "" } do
      local id = sent(given or nil).messages[2].content[1].id
      assert.are.equal(id, sent(given or nil).messages[2].content[1].id)
      assert.are.equal(id, sent(given or nil).messages[3].content[1].tool_use_id)
    end
  end)
end)
