-- The three framings of streams, cut in every place, by the readers that serve (host.tools.frames).

local helper = require("tests.lua.helper")
local frames = helper.host.tools.frames
local gw = helper.gw

local function events(framing, bytes, sizes)
  local texts = {}
  for i, event in ipairs(assert(frames(framing, bytes, sizes))) do texts[i] = event.name .. "|" .. event.data end
  return texts
end

-- In equal pieces of every size, and cut once in every place.
local function cut_anyhow(framing, bytes, expected)
  for size = 1, #bytes do
    assert.are.same(expected, events(framing, bytes, { size }))
    assert.are.same(expected, events(framing, bytes, { size, #bytes }))
  end
end

describe("a stream's bytes", function()
  it("TR-75 SSE by the standard: line ends, no blank, several data lines, comments, BOM, no last blank line", function()
    local bytes = "\xef\xbb\xbf: hello\r\nevent: a\r\ndata:1\r\ndata: 2\r\n\r\nid: 7\nretry: 5\ndata: h\195\169\n\n"
      .. "data: 3\r\rdata: 4"
    cut_anyhow("sse", bytes, { "a|1\n2", "|h\195\169", "|3", "|4" })
  end)

  it("TR-78 AWS messages, their checksums checked, an exception by its name", function()
    local bytes = gw.aws_event("messageStart", '{"role":"assistant"}')
      .. gw.aws_event("throttlingException", '{"message":"slow down"}')
    cut_anyhow("aws-events", bytes,
      { 'messageStart|{"role":"assistant"}', 'throttlingException|{"message":"slow down"}' })
    for at = 1, #bytes do
      local broken = bytes:sub(1, at - 1) .. string.char(bytes:byte(at) ~ 1) .. bytes:sub(at + 1)
      assert.is_nil((frames("aws-events", broken, { #broken })))
    end
    assert.is_nil((frames("aws-events", bytes:sub(1, -2), { #bytes })))
  end)

  it("TR-79 an array of documents, with any blanks, brackets in texts, and one that is not closed", function()
    local bytes = '[{"a":"]}\\"["},\r\n {"b":[1,{}]}\n,{"c":"h\195\169"}]\n'
    cut_anyhow("json-array", bytes, { '|{"a":"]}\\"["}', '|{"b":[1,{}]}', '|{"c":"h\195\169"}' })
    assert.is_nil((frames("json-array", '[{"a":1},', { 100 })))
  end)
end)
