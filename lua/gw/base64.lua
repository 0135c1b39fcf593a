-- Base64 (RFC 4648, section 4) of short texts: what one dialect carries as text and another as bytes.
-- Pure. It is not made for images: those are base64 in every dialect and are passed on as they are.

local M = {}

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local value_of, digit_of = {}, {}
for i = 1, #alphabet do
  value_of[alphabet:byte(i)] = i - 1
  digit_of[i - 1] = alphabet:sub(i, i)
end

function M.encode(text)
  local out = {}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local bits = a << 16 | (b or 0) << 8 | (c or 0)
    out[#out + 1] = digit_of[bits >> 18] .. digit_of[bits >> 12 & 63] .. (b and digit_of[bits >> 6 & 63] or "=")
      .. (c and digit_of[bits & 63] or "=")
  end
  return table.concat(out)
end

-- The bytes, or nil when `text` is not base64.
function M.decode(text)
  if #text % 4 ~= 0 then return nil end
  local out = {}
  for i = 1, #text, 4 do
    local a, b, c, d = text:byte(i, i + 3)
    local is_last = i + 4 > #text
    local missing = is_last and (c == 61 and 2 or d == 61 and 1) or 0
    if c == 61 and d ~= 61 then return nil end
    local bits = value_of[a] and value_of[b] and value_of[a] << 18 | value_of[b] << 12
    local third, fourth = missing == 2 and 0 or value_of[c], missing > 0 and 0 or value_of[d]
    if not bits or not third or not fourth then return nil end
    bits = bits | third << 6 | fourth
    out[#out + 1] = string.char(bits >> 16, bits >> 8 & 255, bits & 255):sub(1, 3 - missing)
  end
  return table.concat(out)
end

return M
