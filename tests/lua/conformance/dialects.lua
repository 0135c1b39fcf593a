-- The dialect files in their order, loaded as the sandbox would, and how the text that their writers make is cut into
-- events. For the specs of this folder.

local load = dofile("tests/lua/dialects/load.lua")
local order = dofile("tests/lua/dialects/order.lua")
local json = load.gw.json

local M = { gw = load.gw, json = json, load = load }

M.names = { "openai.chat", "openai.responses", "anthropic.messages", "gemini", "cohere.chat", "bedrock.converse" }

-- Those that exist, in order; by_name too.
M.list, M.by_name = {}, {}

for _, name in ipairs(M.names) do
  local path = "adapters/dialects/" .. name:gsub("%.", "_") .. ".lua"
  local file = io.open(path)
  if file then
    file:close()
    local dialect = load.file(path)
    M.list[#M.list + 1], M.by_name[name] = dialect, dialect
  end
end

-- What a writer of this dialect has put, as a list of { name, data }.
function M.events(dialect, text)
  if dialect.name == "bedrock.converse" then return order.frames(text) end
  return order.events(text)
end

-- A body as it would come off the wire.
function M.decode(dialect, body)
  return assert(json.decode(type(body) == "string" and body or json.encode(body), { raw = dialect.raw_keys }))
end

-- Two plain values are the same.
function M.same(a, b)
  if type(a) ~= type(b) then return false end
  if type(a) ~= "table" or json.is_raw(a) then
    if json.is_raw(a) then return json.is_raw(b) and json.text(a) == json.text(b) end
    return a == b
  end
  for key, value in pairs(a) do
    if not M.same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

return M
