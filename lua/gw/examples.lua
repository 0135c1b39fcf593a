-- A policy's examples: { req = { … }, gives = { … } } or { req = { … }, refuses = 429 }. They run in a fresh VM while a
-- generation is loaded; one that comes out otherwise refuses the load.
-- It does not run the hooks: C does, with the request made here.
local M = {}

local example_keys = { req = "table", gives = "table", refuses = "number", doc = "string" }

local function fail(policy, index, message)
  error(policy.name .. ":" .. M.line(policy.text, index) .. ": example " .. index .. ": " .. message, 0)
end

-- Where the text behind the comment or string at `at` goes on; nil when there is none.
local function behind(text, at)
  local first = text:sub(at, at)
  local level = text:match("^%-%-%[(=*)%[", at) or text:match("^%[(=*)%[", at)
  if level then
    local _, last = text:find("]" .. level .. "]", at, true)
    return (last or #text) + 1
  end
  if text:sub(at, at + 1) == "--" then return (text:find("\n", at, true) or #text) + 1 end
  if first ~= '"' and first ~= "'" then return nil end
  local stop = at + 1
  while stop <= #text and text:sub(stop, stop) ~= first do
    stop = stop + (text:sub(stop, stop) == "\\" and 2 or 1)
  end
  return stop + 1
end

-- The line of the index-th example in the source.
function M.line(text, index)
  local at = text:match("%f[%w_]examples%s*=%s*(){") or 1
  local depth, seen = 0, 0
  while at do
    at = text:find("[{}\"'%-%[]", at)
    if not at then break end
    local next_at = behind(text, at)
    local character = text:sub(at, at)
    if not next_at and character == "{" then
      depth = depth + 1
      if depth == 2 then seen = seen + 1 end
      if seen == index then break end
    elseif not next_at and character == "}" then
      depth = depth - 1
      if depth <= 0 then break end
    end
    at = next_at or at + 1
  end
  local _, lines = text:sub(1, at or #text):gsub("\n", "\n")
  return lines + 1
end

local zero = { string = "", integer = 0, number = 0, boolean = false }

local function is_of(value, wanted)
  local kind = type(value)
  if wanted:find("integer", 1, true) then return math.type(value) == "integer" end
  return wanted:find(kind, 1, true) ~= nil
end

-- The example's request: its own fields, zeros for the others, errors for what no request has. policy: { name, text }.
function M.request(api, policy, index, example)
  if type(example) ~= "table" then fail(policy, index, "must be a table { req = { … }, gives = { … } }") end
  for key, value in pairs(example) do
    local wanted = example_keys[key]
    if not wanted then
      fail(policy, index, "unknown key '" .. tostring(key) .. "'; there are req, gives, refuses, doc")
    end
    if type(value) ~= wanted then fail(policy, index, key .. " must be a " .. wanted) end
  end
  if (example.gives == nil) == (example.refuses == nil) then
    fail(policy, index, "must say what it gives, or what status it refuses with")
  end
  local types = {}
  for _, field in ipairs(api.fields) do
    if field.object == "req" then types[field.name] = field.type end
  end
  local given = example.req or {}
  for key, value in pairs(given) do
    if key ~= "headers" and key ~= "body" then
      if not types[key] then fail(policy, index, "a request has no field '" .. tostring(key) .. "'") end
      if not is_of(value, types[key]) then fail(policy, index, "req." .. key .. " must be " .. types[key]) end
    end
  end
  local methods = {}
  function methods.header(_, name)
    for key, value in pairs(given.headers or {}) do
      if key:lower() == name:lower() then return value end
    end
    return nil
  end
  function methods.body()
    return given.body or error("the example's req has no body", 0)
  end
  return setmetatable({}, {
    __index = function(_, key)
      if methods[key] then return methods[key] end
      if not types[key] then error("req has no field '" .. tostring(key) .. "'", 2) end
      local value = given[key]
      if value == nil and not types[key]:find("nil", 1, true) then return zero[types[key]] end
      return value
    end,
    __newindex = function() error("req is read-only", 2) end,
    __metatable = "req",
  })
end

local function shown(names)
  return #names == 0 and "nothing" or table.concat(names, ", ")
end

-- pools: name → names of its targets. got: names of the targets that came. status: of a refusal, or nil.
function M.compare(policy, index, example, pools, got, status)
  if example.refuses then
    if status == example.refuses then return end
    fail(policy, index, "gave " .. (status and "a refusal with " .. status or shown(got)) .. ", not a refusal with "
      .. example.refuses)
  end
  if status then fail(policy, index, "refused with " .. status .. ", instead of giving " .. shown(example.gives)) end
  local wanted = {}
  for _, name in ipairs(example.gives) do
    if pools[name] then
      table.move(pools[name], 1, #pools[name], #wanted + 1, wanted)
    else
      wanted[#wanted + 1] = name
    end
  end
  if table.concat(wanted, "\n") ~= table.concat(got, "\n") then
    fail(policy, index, "gave " .. shown(got) .. ", not " .. shown(wanted))
  end
end

return M
