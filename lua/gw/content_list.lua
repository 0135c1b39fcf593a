-- The content of a message on the wire as anthropic.messages, openai.chat and openai.responses have it: a text, or a
-- list of objects whose `type` says what they are. For the parts modules of those dialects.
-- It does not know any type.

local parts = require("gw.parts")

local value, required = parts.value, parts.required

local M = {}

-- A function add(content, field, into) that appends the normal parts of some content to the list `into`, which it
-- returns.
--   own = {
--     dialect       its name
--     read          { [type] = function(item, path, into): the normal part }; items of other types stay whole, opaque
--     mark          function(part, item, path, is_read): what an item says beside its type, such as a cache marker
--     takes_texts   the list may hold bare strings
--   }
function M.reader(own)
  local dialect, read, mark, takes_texts = own.dialect, own.read, own.mark, own.takes_texts
  return function(content, field, into)
    content = value(content)
    if content == nil then return into end
    if type(content) == "string" then
      if content ~= "" then into[#into + 1] = { type = "text", text = content } end
      return into
    end
    for i, item in ipairs(parts.or_text(content, "array", field)) do
      local path = field .. "[" .. (i - 1) .. "]"
      if takes_texts and type(item) == "string" then item = { type = "text", text = item } end
      local kind = required(required(item, "object", path).type, "string", path, ".type")
      local reader = read[kind]
      local part = reader and reader(item, path, into)
        or { type = "opaque", kind = kind, dialect = dialect, body = item, at = path }
      mark(part, item, path, reader ~= nil)
      into[#into + 1] = part
    end
    return into
  end
end

return M
