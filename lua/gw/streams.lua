-- What the stream readers of all dialects do alike where a stream ends in an error, and how long a text is that grows.
-- Writers: lua/gw/stream_writer.lua.
-- It keeps no state of a reader: that is in the reader object.

local M = {}

M.not_json = "The provider sent an event that is not JSON."
M.broken_off = "The provider's stream broke off before its end."

-- How many characters a text that grows has: counted when somebody asks, which is seldom.
local Length = {}
Length.__index = Length

function M.length()
  return setmetatable({ pieces = {}, counted = 0 }, Length)
end

function Length:add(text)
  self.pieces[#self.pieces + 1] = text
end

function Length:characters()
  if self.pieces[1] then
    local text = table.concat(self.pieces)
    self.pieces, self.counted = {}, self.counted + (utf8.len(text) or #text)
  end
  return self.counted
end

-- Ends a reader with this error; it has the field `ended`.
function M.end_reader(reader, err, emit)
  reader.ended = true
  emit({ type = "error", error = err })
end

-- The same with a fault of the provider's stream.
function M.fail_reader(reader, message, emit)
  M.end_reader(reader, { status = 502, class = "server", message = message }, emit)
end

return M
