-- Bodies with a value of the wrong kind somewhere: every place, every kind. What reads them carries each or refuses it,
-- and never ends in a script error.
local json = dofile("tests/lua/dialects/load.lua").gw.json

local M = {}

local values = { 3, 0.5, true, false, "", "x", json.null, json.array({}), {}, json.array({ 1 }), { a = 1 },
  json.array({ json.array({}) }), json.array({ {} }), json.array({ "x" }), json.array({ json.null }) }

-- Every place of a value, as { table, key }, always in the same order.
local function places(v, found)
  local keys = {}
  for key in pairs(v) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    found[#found + 1] = { v, key }
    if type(v[key]) == "table" and v[key] ~= json.null then places(v[key], found) end
  end
  return found
end

-- Iterates over the bodies made of text: a body, and in words what is strange about it.
function M.bodies(text)
  local count, place, at = #places(json.decode(text), {}), 1, 0
  return function()
    at = at + 1
    if at > #values then place, at = place + 1, 1 end
    if place > count then return nil end
    local body = json.decode(text)
    local spot = places(body, {})[place]
    spot[1][spot[2]] = values[at]
    return body, spot[2] .. " = " .. json.encode(values[at])
  end
end

-- Sends each; returns how many there were. Raises a list of what was no refusal with a field and a message.
function M.check(send, text)
  local tried, faults, seen = 0, {}, {}
  for body, what in M.bodies(text) do
    local ok, err = pcall(send, body)
    local is_refusal = type(err) == "table" and type(err.field) == "string" and type(err.message) == "string"
    if not ok and not is_refusal and not seen[tostring(err)] then
      seen[tostring(err)] = true
      faults[#faults + 1] = tostring(err) .. " for " .. what
    end
    tried = tried + 1
  end
  if #faults > 0 then error("\n" .. table.concat(faults, "\n"), 0) end
  return tried
end

return M
