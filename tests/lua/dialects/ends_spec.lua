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

describe("a piece of text that is none", function()
  local all = dofile("tests/lua/conformance/dialects.lua")
  local order = dofile("tests/lua/dialects/order.lua")
  -- By provider: what comes in front, and an event whose text is missing, or of another kind.
  local begun = { type = "message_start", message = { id = "m", role = "assistant", usage = {} } }
  local rows = {
    { "anthropic.messages", begun, { type = "content_block_delta", index = 0, delta = { type = "text_delta" } } },
    { "anthropic.messages", begun, { type = "content_block_delta", index = 0, delta = { type = "thinking_delta" } } },
    { "openai.chat", text "a", text(7) },
    { "openai.chat", text "a", { choices = { { index = 0, delta = { reasoning_content = true } } } } },
    { "openai.responses", { type = "response.created", response = { id = "r" } },
      { type = "response.output_text.delta", output_index = 0, content_index = 0, delta = 7 } },
    { "gemini", { candidates = { { content = { parts = { { text = "a" } } } } } },
      { candidates = { { content = { parts = { { text = 7 } } } } } } },
    { "cohere.chat", { type = "message-start", id = "c" },
      { type = "content-delta", index = 0, delta = { message = { content = { text = 7 } } } } },
    { "bedrock.converse", { role = "assistant" }, { contentBlockIndex = 0, delta = { text = 7 } }, "messageStart",
      "contentBlockDelta" },
  }
  for number, row in ipairs(rows) do
    for _, client in ipairs(all.list) do
      if client.name ~= row[1] then
        it("ends the stream in an error: " .. row[1] .. " " .. number .. " for " .. client.name, function()
          local asked = { model = "alias", stream = true, stream_usage = true, losses = {}, framing = "sse" }
          local stream = translate.stream(translate.hop(client, all.by_name[row[1]], nil, { model = "m", quirks = {} },
            asked))
          local pieces = {}
          for i = 2, 3 do
            pieces[#pieces + 1] = stream:event(row[i + 2] or row[i].type or "", json.encode(row[i]))
          end
          pieces[#pieces + 1] = stream:finish()
          order.check(client.name, all.events(client, table.concat(pieces)))
          assert.is_table(stream.failed)
        end)
      end
    end
  end
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
