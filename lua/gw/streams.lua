-- What the readers and writers of all dialects do alike at the end of a stream.
-- It keeps no state: that is in the reader or writer object.

local M = {}

local function provider_fault(message)
  return { status = 502, class = "server", message = message }
end

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

-- Ends a reader with an error of the provider; it has the field `ended`.
function M.fail_reader(reader, message, emit)
  reader.ended = true
  emit({ type = "error", error = provider_fault(message) })
end

-- The method `finish` of writers: nothing more will come. A stream that was not ended is an error for the client, never
-- a silent end. The writer has the fields closed, asked and stream_error.
function M.finish_writer(writer, put)
  if writer.closed then return end
  writer.closed = true
  put(writer.stream_error(provider_fault("The answer broke off before its end."), writer.asked.request_id))
end

return M
