-- Who ends a translated stream: a caller with a tell hears of the end and of what cannot be read, once, and writes the
-- errors itself. Without one the stream writes all of them.

local load = dofile("tests/lua/dialects/load.lua")
local json, translate = load.gw.json, load.translate

local function text(words) return { choices = { { index = 0, delta = { content = words } } } } end
local finish = { choices = { { index = 0, delta = {}, finish_reason = "stop" } } }

-- Plays chunks of Chat for a client of that dialect: what was written, and what was told, in order.
local function play(client, events)
  local pieces, told = {}, {}
  local asked = { model = "alias", stream = true, stream_usage = true, losses = {} }
  local hop = translate.hop(client, load.chat, nil, { model = "m", quirks = {} }, asked)
  local stream = translate.stream(hop, function(piece) pieces[#pieces + 1] = piece end,
    function(reason) told[#told + 1] = reason or "the end" end)
  for _, event in ipairs(events) do
    stream:event("", type(event) == "table" and json.encode(event) or event)
  end
  stream:finish()
  return table.concat(pieces), told
end

describe("a translated stream whose caller is told of its end", function()
  it("tells the end once, when it has been written", function()
    local written, told = play(load.messages, { text "a", finish, "[DONE]", text "zzz", "[DONE]" })
    assert.are.same({ "the end" }, told)
    assert.is_truthy(written:find("message_stop", 1, true))
    assert.is_nil(written:find("zzz", 1, true))
  end)

  it("tells the end of a stream that ends without its marker", function()
    local written, told = play(load.messages, { text "a", finish })
    assert.are.same({ "the end" }, told)
    assert.is_truthy(written:find("message_stop", 1, true))
  end)

  it("tells what cannot be read and writes neither an error nor an end", function()
    for _, events in ipairs { { text "a", "{oh", finish, "[DONE]" }, { "{oh" }, { text "a", "7" } } do
      local written, told = play(load.messages, events)
      assert.are.equal(1, #told)
      assert.is_truthy(told[1]:find("not JSON", 1, true))
      assert.is_nil(told[1]:find("%.$"))
      assert.is_nil(written:find("error", 1, true))
      assert.is_nil(written:find("message_stop", 1, true))
    end
  end)

  it("tells that a stream broke off", function()
    local written, told = play(load.messages, {})
    assert.are.equal(1, #told)
    assert.are.equal("", written)
  end)
end)

describe("a whole answer that is none", function()
  it("comes with a reason that can stand within a sentence", function()
    local asked = { model = "alias", losses = {} }
    local responses = load.file("adapters/dialects/openai_responses.lua")
    local hop = translate.hop(load.messages, responses, nil, { model = "m", quirks = {} }, asked)
    local status, body, class, reason = translate.response(hop, 200, '{"status":"queued","output":[]}')
    assert.are.equal(502, status)
    assert.are.equal("server", class)
    assert.are.equal("The provider has only queued the answer (`background`)", reason)
    assert.is_truthy(json.decode(body).error)
    assert.is_truthy(select(4, translate.response(hop, 200, "7")):find("not a JSON object", 1, true))
  end)
end)
