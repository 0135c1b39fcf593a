-- Is what a script file returned sound, and are the options given to it? Called by C at load, before anything runs.
-- Every error begins with "file:line: ". `suggest(word, names)` is put into M by C.
local M = {}

local kinds = {
  policy = {
    api = "integer", doc = "string", options = "table", setup = "function", route = "function", retry = "function",
    examples = "table",
  },
  adapter = {
    api = "integer", doc = "string", dialect = "string", base_url = "string", auth = "string or table",
    headers = "table", paths = "table", options = "table", setup = "function", request = "function",
    response = "function", event = "function", errors = "table", quirks = "table", environment = "string",
    models = "table", dialects = "table", model_dialects = "table", tells_cost = "boolean",
    catalogue = "string",
  },
  dialect = {
    api = "integer", doc = "string", name = "string", raw_keys = "table", quirks = "table", carries = "table",
    texts = "table",
    request_to_normal = "function", request_from_normal = "function",
    response_to_normal = "function", response_from_normal = "function", reader = "function", writer = "function",
    error_to_normal = "function", error_from_normal = "function", stream_error = "function",
  },
}

-- One of these must be there for the file to make sense.
local needed = {
  policy = { "route" },
  adapter = {},
  dialect = {
    "name", "request_to_normal", "request_from_normal", "response_to_normal", "response_from_normal", "reader",
    "writer", "error_to_normal", "error_from_normal", "stream_error",
  },
}

local error_keys = { status = "integer", code = "string", type = "string", match = "string", class = "string" }

local declaration_keys = {
  type = "string", default = "any", min = "number", max = "number", one_of = "table", doc = "string",
}
local option_types = {
  integer = true, number = true, string = true, boolean = true, list = true, table = true,
}

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = tostring(key) end
  table.sort(keys)
  return keys
end

local function did_you_mean(word, known)
  local near = M.suggest(tostring(word), sorted_keys(known))
  if near then return "; did you mean '" .. near .. "'?" end
  return ""
end

-- The source with comments and strings blanked out, so that words in them are not taken for keys.
local function blank(text)
  local function spaces(part) return (part:gsub("[^\n]", " ")) end
  local out, at = {}, 1
  while at <= #text do
    local stop = text:find("[%-\"'%[]", at)
    if not stop then break end
    out[#out + 1] = text:sub(at, stop - 1)
    local last
    local first = text:sub(stop, stop)
    local level = text:match("^%-%-%[(=*)%[", stop) or text:match("^%[(=*)%[", stop)
    if level then
      local _, close = text:find("]" .. level .. "]", stop, true)
      last = close or #text
    elseif text:sub(stop, stop + 1) == "--" then
      last = (text:find("\n", stop, true) or #text + 1) - 1
    elseif first == '"' or first == "'" then
      last = stop + 1
      while last <= #text and text:sub(last, last) ~= first do
        if text:sub(last, last) == "\\" then last = last + 1 end
        last = last + 1
      end
      -- ["key"] = …: the word stays, it may be the key that is looked for.
      if text:match("^%s*%]%s*=", last + 1) then
        out[#out + 1] = " " .. text:sub(stop + 1, last - 1) .. " "
        at = last + 1
        goto continue
      end
    else
      out[#out + 1] = first
      at = stop + 1
      goto continue
    end
    out[#out + 1] = spaces(text:sub(stop, last))
    at = last + 1
    ::continue::
  end
  out[#out + 1] = text:sub(at)
  return table.concat(out)
end

-- The line where a key is given: `key = …`, `["key"] = …`, `function T.key` or `function T:key`; else that of `return`.
local function line_of(text, key)
  local number, last_return = 0, 1
  local word = "%f[%w_]" .. tostring(key):gsub("%p", "%%%0") .. "%f[^%w_]"
  for line in (blank(text) .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    if line:find(word .. "%s*%]?%s*=%f[^=]") or line:find("function%s+[%w_]+[.:]" .. word) then return number end
    if line:find("^%s*return%f[^%w_]") then last_return = number end
  end
  return last_return
end

local function is_of(value, wanted)
  local kind = math.type(value) or type(value)
  if wanted == "any" then return true end
  if wanted == "number" then return kind == "integer" or kind == "float" end
  if wanted == "string or table" then return kind == "string" or kind == "table" end
  if wanted == "list" then return kind == "table" and (next(value) == nil or rawlen(value) > 0) end
  return kind == wanted
end

local function article(wanted)
  return (wanted:find("^[aeiou]") and "an " or "a ") .. wanted
end

local function shown(value)
  if type(value) == "string" then return '"' .. value:sub(1, 40) .. '"' end
  if type(value) == "table" or type(value) == "function" or type(value) == "userdata" then
    return article(type(value))
  end
  return tostring(value)
end

-- Keys and types of one table. fail(key, message) raises.
local function keys_and_types(t, known, where, fail)
  for _, key in ipairs(sorted_keys(t)) do
    local wanted = known[key]
    if not wanted then fail(key, "unknown key '" .. key .. "' in " .. where .. did_you_mean(key, known)) end
    if not is_of(t[key], wanted) then
      fail(key, where .. ": '" .. key .. "' must be " .. article(wanted) .. ", not " .. shown(t[key]))
    end
  end
end

-- Says what is wrong with a value for a declared option, or nil.
local function wrong_value(value, declared)
  if not is_of(value, declared.type) then
    return "must be " .. article(declared.type) .. ", not " .. shown(value)
  end
  if declared.min and value < declared.min then return "must be at least " .. tostring(declared.min) end
  if declared.max and value > declared.max then return "must be at most " .. tostring(declared.max) end
  if declared.one_of then
    local names = {}
    for i, allowed in ipairs(declared.one_of) do
      if allowed == value then return nil end
      names[i] = tostring(allowed)
    end
    local near = type(value) == "string" and M.suggest(value, names)
    return "must be one of " .. table.concat(names, ", ") .. ", not " .. shown(value)
      .. (near and "; did you mean '" .. near .. "'?" or "")
  end
  return nil
end

local function check_declarations(options, fail)
  for _, name in ipairs(sorted_keys(options)) do
    local declared = options[name]
    local where = "options." .. name
    if type(declared) ~= "table" then
      fail(name, where .. " must be a table such as { type = \"integer\", default = 1 }, not " .. shown(declared))
    end
    keys_and_types(declared, declaration_keys, where, function(_, message) fail(name, message) end)
    if not option_types[declared.type] then
      fail(name, where .. ": type must be one of " .. table.concat(sorted_keys(option_types), ", ") .. ", not "
        .. shown(declared.type) .. did_you_mean(declared.type, option_types))
    end
    if declared.type ~= "integer" and declared.type ~= "number" and (declared.min or declared.max) then
      fail(name, where .. ": min and max are for numbers")
    end
    if declared.default ~= nil then
      local wrong = wrong_value(declared.default, declared)
      if wrong then fail(name, where .. ": default " .. wrong) end
    end
  end
end

local auth_kinds = {
  bearer = true, ["x-api-key"] = true, ["aws-sigv4"] = true, ["google-oauth"] = true, none = true,
}

local function check_adapter(script, fail)
  local auth = script.auth
  if type(auth) == "string" and not auth_kinds[auth] then
    fail("auth", 'auth must be "bearer", "x-api-key", "aws-sigv4", "google-oauth", "none" or { header = "…" }, not '
      .. shown(auth) .. did_you_mean(auth, auth_kinds))
  end
  if type(auth) == "table" then
    keys_and_types(auth, { header = "string" }, "auth", fail)
    if not auth.header then fail("auth", 'auth as a table must be { header = "…" }') end
  end
  for _, member in ipairs { "headers", "paths" } do
    for _, key in ipairs(sorted_keys(script[member] or {})) do
      local value = script[member][key]
      if type(value) ~= "string" then fail(key, member .. "." .. key .. " must be a string, not " .. shown(value)) end
    end
  end
  if not script.dialect and not script.dialects then fail("", "an adapter needs 'dialect' or 'dialects'") end
  for i, name in ipairs(script.models or {}) do
    if type(name) ~= "string" then fail("models", "models[" .. i .. "] must be a string, not " .. shown(name)) end
  end
  for i, class in ipairs(script.errors or {}) do
    local where = "errors[" .. i .. "]"
    if type(class) ~= "table" then fail("errors", where .. " must be a table, not " .. shown(class)) end
    keys_and_types(class, error_keys, where, fail)
    if not class.class then fail("errors", where .. " has no class") end
    if class.code and class.type then fail("errors", where .. " may have a code or a type, not both") end
  end
end

-- Raises "name:line: …" unless `script` is a sound file of this kind. text: its source.
function M.script(script, kind, name, text)
  local function fail(key, message)
    error(name .. ":" .. line_of(text, key) .. ": " .. message, 0)
  end
  if type(script) ~= "table" then
    fail("", "the file must return a table, such as { api = 1 }, not " .. shown(script))
  end
  if script.api == nil then fail("", "the table has no api; write `api = 1`") end
  if script.api ~= 1 then fail("api", "api must be 1, the only version there is, not " .. shown(script.api)) end
  keys_and_types(script, kinds[kind], article(kind), fail)
  for _, key in ipairs(needed[kind]) do
    if script[key] == nil then fail("", article(kind) .. " needs '" .. key .. "'") end
  end
  check_declarations(script.options or {}, fail)
  if kind == "adapter" then check_adapter(script, fail) end
end

-- The options for setup: `given` checked against what the script declares, defaults filled in. Raises "place: …".
function M.options(script, given, place)
  local declared, out = script.options or {}, {}
  for _, name in ipairs(sorted_keys(given or {})) do
    local option = declared[name]
    if not option then
      local known = sorted_keys(declared)
      error(place .. ": unknown option '" .. name .. "'" .. did_you_mean(name, declared)
        .. (#known == 0 and "; the script has no options" or "; known: " .. table.concat(known, ", ")), 0)
    end
    local wrong = wrong_value(given[name], option)
    if wrong then error(place .. ": option '" .. name .. "' " .. wrong, 0) end
    out[name] = given[name]
  end
  for name, option in pairs(declared) do
    if out[name] == nil then out[name] = option.default end
  end
  return out
end

return M
