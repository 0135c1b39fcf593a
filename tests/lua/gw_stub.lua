-- A stand-in for the `gw` table, for running dialect specs under plain busted, outside the gateway's VM. Test-only.
-- Only what dialect files use: json, log, id, hash, now_ms. The clock and the ids are fixed, to compare results.
-- It does not limit anything and is slow; tests/lua/dialects/stub_spec.lua holds it to the script API's contract.

local array_mt, raw_mt, null = {}, {}, setmetatable({}, { __tostring = function() return "null" end })

local M = { logged = {} }
local json = { null = null }

function json.array(t) return setmetatable(t or {}, array_mt) end
function json.is_array(t) return type(t) == "table" and getmetatable(t) == array_mt end
function json.is_raw(v) return type(v) == "table" and getmetatable(v) == raw_mt end

local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ["/"] = "/", ["\\"] = "\\", ["\""] = "\"" }

local function bad(position, what)
  error({ message = what .. " at byte " .. position }, 0)
end

local function read_string(text, from)
  local pieces, i = {}, from + 1
  while true do
    local stop = text:find("[\"\\%c]", i)
    if not stop then bad(i, "unterminated string") end
    pieces[#pieces + 1] = text:sub(i, stop - 1)
    local c = text:sub(stop, stop)
    if c == "\"" then return table.concat(pieces), stop + 1 end
    if c ~= "\\" then
      if c:byte() < 32 then bad(stop, "control character in string") end
      pieces[#pieces + 1] = c
      i = stop + 1
    else
      local e = text:sub(stop + 1, stop + 1)
      if e == "u" then
        local code = tonumber(text:match("^%x%x%x%x", stop + 2) or bad(stop, "bad escape"), 16)
        i = stop + 6
        if code >= 0xD800 and code < 0xDC00 then
          local low = text:match("^\\u(%x%x%x%x)", i)
          low = low and tonumber(low, 16)
          if not low or low < 0xDC00 or low > 0xDFFF then bad(stop, "lone surrogate") end
          code = 0x10000 + (code - 0xD800) * 0x400 + low - 0xDC00
          i = i + 6
        end
        pieces[#pieces + 1] = utf8.char(code)
      else
        pieces[#pieces + 1] = escapes[e] or bad(stop, "bad escape")
        i = stop + 2
      end
    end
  end
end

local read_value

local function skip(text, i)
  return text:find("[^ \t\r\n]", i) or #text + 1
end

local function read_object(text, i, raw)
  local object = {}
  i = skip(text, i + 1)
  if text:sub(i, i) == "}" then return object, i + 1 end
  while true do
    if text:sub(i, i) ~= "\"" then bad(i, "key expected") end
    local key
    key, i = read_string(text, i)
    i = skip(text, i)
    if text:sub(i, i) ~= ":" then bad(i, "colon expected") end
    i = skip(text, i + 1)
    local from, v = i
    v, i = read_value(text, i, raw)
    if raw and raw[key] and type(v) == "table" and v ~= null then
      v = setmetatable({ text = text:sub(from, i - 1) }, raw_mt)
    end
    object[key] = v
    i = skip(text, i)
    local c = text:sub(i, i)
    if c == "}" then return object, i + 1 end
    if c ~= "," then bad(i, "comma expected") end
    i = skip(text, i + 1)
  end
end

local function read_array(text, i, raw)
  local list = json.array({})
  i = skip(text, i + 1)
  if text:sub(i, i) == "]" then return list, i + 1 end
  while true do
    list[#list + 1], i = read_value(text, i, raw)
    i = skip(text, i)
    local c = text:sub(i, i)
    if c == "]" then return list, i + 1 end
    if c ~= "," then bad(i, "comma expected") end
    i = skip(text, i + 1)
  end
end

function read_value(text, i, raw)
  local c = text:sub(i, i)
  if c == "{" then return read_object(text, i, raw) end
  if c == "[" then return read_array(text, i, raw) end
  if c == "\"" then return read_string(text, i) end
  local word = text:match("^%a+", i)
  if word == "true" then return true, i + 4 end
  if word == "false" then return false, i + 5 end
  if word == "null" then return null, i + 4 end
  local digits = text:match("^-?%d+%.?%d*[eE]?[+-]?%d*", i)
  local number = digits and tonumber(digits)
  if not number or digits:find("^-?0%d") then bad(i, "value expected") end
  return number, i + #digits
end

function json.decode(text, options)
  local ok, v, i = pcall(function()
    local v, i = read_value(text, skip(text, 1), options and options.raw)
    return v, skip(text, i)
  end)
  if not ok then
    if type(v) ~= "table" then error(v, 0) end
    return nil, v.message
  end
  if i <= #text then return nil, "more text at byte " .. i end
  return v
end

function json.valid(text) return json.decode(text) ~= nil end

function json.raw(text)
  if not json.valid(text) then error("not JSON", 2) end
  return setmetatable({ text = text }, raw_mt)
end

local function quoted(text)
  return "\"" .. text:gsub("[%c\"\\]", function(c)
    local short = ({ ["\""] = "\\\"", ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" })[c]
    return short or (c:byte() < 32 and string.format("\\u%04x", c:byte()) or c)
  end) .. "\""
end

function json.encode(v)
  local kind = type(v)
  if v == null then return "null" end
  if kind == "string" then return quoted(v) end
  if kind == "boolean" then return tostring(v) end
  if kind == "number" then
    if v ~= v or v == math.huge or v == -math.huge then error("not a number that JSON has", 2) end
    return math.type(v) == "integer" and tostring(v) or string.format("%.17g", v)
  end
  if kind ~= "table" then error("cannot encode a " .. kind, 2) end
  if json.is_raw(v) then return v.text end
  local out = {}
  if json.is_array(v) or #v > 0 then
    for i, item in ipairs(v) do out[i] = json.encode(item) end
    return "[" .. table.concat(out, ",") .. "]"
  end
  local keys = {}
  for key in pairs(v) do keys[#keys + 1] = key end
  table.sort(keys)
  for i, key in ipairs(keys) do out[i] = quoted(key) .. ":" .. json.encode(v[key]) end
  return "{" .. table.concat(out, ",") .. "}"
end

json.text = json.encode

M.json = json

local function log(...)
  M.logged[#M.logged + 1] = table.concat({ ... })
end
M.log = { info = log, warn = log, error = log }

local ids = 0
function M.id(prefix)
  ids = ids + 1
  return prefix .. string.format("%024d", ids)
end

function M.now_ms() return 1700000000000 end

-- Not SHA-256, but as long, and different for different texts.
function M.hash(text, n)
  local h = { 0x811c9dc5, 0x1234567, 0x89abcdef, 0xdeadbeef }
  for i = 1, #text do
    for k = 1, 4 do h[k] = ((h[k] ~ (text:byte(i) + k)) * 0x01000193) & 0xffffffff end
  end
  return string.format("%08x%08x%08x%08x", h[1], h[2], h[3], h[4]):sub(1, n or 16)
end

return M
