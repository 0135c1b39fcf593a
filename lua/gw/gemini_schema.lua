-- Schemas of Gemini: the subset of OpenAPI 3.0 that `parameters` and `responseSchema` take, to and from JSON Schema.
-- Newer models take JSON Schema itself (parametersJsonSchema, responseJsonSchema); then nothing here is needed.
-- Source: Gemini API reference "Schema", and recorded exchanges.
-- Tables in and out; raw JSON is decoded by the caller's leave only where something must change. It does not validate.

local parts = require("gw.parts")

local json = gw.json
local value, lose = parts.value, parts.lose
local array = json.array

local M = {}

----- subset → JSON Schema

local counts = { minItems = true, maxItems = true, minLength = true, maxLength = true, minProperties = true,
  maxProperties = true }

local open_subset

local function open_list(list)
  local out = array({})
  for i, schema in ipairs(list) do out[i] = open_subset(schema) end
  return out
end

local function add_null(out)
  if type(out.type) == "string" then
    out.type = array({ out.type, "null" })
  elseif out.anyOf then
    out.anyOf[#out.anyOf + 1] = { type = "null" }
  end
  if out.enum then out.enum[#out.enum + 1] = json.null end
end

function open_subset(schema)
  if type(schema) ~= "table" or schema == json.null then return schema end
  local out = {}
  for key, v in pairs(schema) do
    if key == "type" and type(v) == "string" then
      if v ~= "TYPE_UNSPECIFIED" then out.type = v:lower() end
    elseif key == "properties" or key == "$defs" or key == "defs" then
      out[key] = {}
      for name, inner in pairs(v) do out[key][name] = open_subset(inner) end
    elseif key == "items" or key == "additionalProperties" then
      out[key] = open_subset(v)
    elseif key == "anyOf" then
      out.anyOf = open_list(v)
    elseif key == "enum" then
      out.enum = array({ table.unpack(v) })
    elseif key == "example" then
      out.examples = array({ v })
    elseif counts[key] then
      out[key] = math.tointeger(tonumber(v)) or v
    elseif key == "format" then
      if v ~= "enum" and v ~= "" then out.format = v end
    elseif key ~= "nullable" and key ~= "propertyOrdering" and v ~= json.null then
      out[key] = v
    end
  end
  if value(schema.nullable) == true then add_null(out) end
  return out
end

local signs_of_subset = { '"type"%s*:%s*"[A-Z]', '"nullable"', '"propertyOrdering"', '"example"%s*:',
  '"format"%s*:%s*"enum"', '"m[axin]+%u%a+"%s*:%s*"' }

-- A raw schema of the subset as raw JSON Schema. Many clients write what is both: then its bytes stay.
function M.to_json_schema(raw)
  local text = json.text(raw)
  local is_subset = false
  for _, sign in ipairs(signs_of_subset) do is_subset = is_subset or text:find(sign) ~= nil end
  if not is_subset then return raw end
  return json.raw(json.encode(open_subset(json.decode(text))))
end

----- JSON Schema → subset

local kept = {
  title = true, description = true, maxItems = true, minItems = true, required = true, minProperties = true,
  maxProperties = true, minLength = true, maxLength = true, pattern = true, default = true, minimum = true,
  maximum = true, nullable = true,
}

local formats = {
  string = { ["date-time"] = true, enum = true }, number = { float = true, double = true },
  integer = { int32 = true, int64 = true },
}

-- Without meaning for what may be generated: not worth a loss.
local silent = { ["$schema"] = true, ["$id"] = true, ["$comment"] = true, ["$anchor"] = true, ["$defs"] = true,
  definitions = true, examples = true, example = true, readOnly = true, writeOnly = true, deprecated = true }

local close

local function resolve(root, pointer)
  local at = root
  for step in pointer:gmatch("[^/]+") do
    if step ~= "#" then
      step = step:gsub("~1", "/"):gsub("~0", "~")
      at = type(at) == "table" and at[step] or nil
    end
  end
  return type(at) == "table" and at or nil
end

-- Every key of `more` into `schema`: properties and required are united, other keys replaced.
local function overlay(schema, more)
  for key, v in pairs(more) do
    if key == "properties" and type(schema.properties) == "table" then
      local united = {}
      for name, inner in pairs(schema.properties) do united[name] = inner end
      for name, inner in pairs(v) do united[name] = inner end
      schema.properties = united
    elseif key == "required" and type(schema.required) == "table" then
      local united, seen = array({}), {}
      for _, list in ipairs({ schema.required, v }) do
        for _, name in ipairs(list) do
          if not seen[name] then united[#united + 1] = name end
          seen[name] = true
        end
      end
      schema.required = united
    else
      schema[key] = v
    end
  end
end

-- References and allOf folded into one table of plain keys; nil when a reference leads back to itself.
local function flat(schema, how, depth)
  local out = {}
  for key, v in pairs(schema) do
    if key ~= "$ref" and key ~= "allOf" then out[key] = v end
  end
  local pointer = schema["$ref"]
  if type(pointer) == "string" then
    if how.open[pointer] or depth > 32 then
      lose(how.losses, how.field .. "($ref to itself)")
      return { type = "object", description = out.description }, nil
    end
    local found = resolve(how.root, pointer)
    if not found then
      lose(how.losses, how.field .. "($ref)")
      return out, nil
    end
    how.open[pointer] = true
    local inner, opened = flat(found, how, depth + 1)
    overlay(inner, out)
    return inner, { pointer, opened }
  end
  local opened
  for _, branch in ipairs(schema.allOf or {}) do
    local inner, more = flat(branch, how, depth + 1)
    if more then opened = { more, opened } end
    overlay(inner, out)
    out = inner
  end
  return out, opened
end

local function shut(opened, how)
  if type(opened) == "string" then
    how.open[opened] = nil
  elseif opened then
    shut(opened[1], how)
    shut(opened[2], how)
  end
end

local function is_null(schema)
  return type(schema) == "table" and (schema.type == "null" or schema.const == json.null)
end

-- anyOf and oneOf: the null branch becomes nullable, a single other branch takes the place of the whole.
local function close_branches(list, out, how, depth)
  local rest = array({})
  for _, branch in ipairs(list) do
    if is_null(branch) then out.nullable = true else rest[#rest + 1] = close(branch, how, depth) end
  end
  if #rest == 1 then
    overlay(rest[1], out)
    return rest[1]
  end
  if #rest > 1 then out.anyOf = rest end
  return out
end

local function close_type(out, kind)
  if type(kind) ~= "table" then
    out.type = kind
    return
  end
  local rest = {}
  for _, name in ipairs(kind) do
    if name == "null" then out.nullable = true else rest[#rest + 1] = name end
  end
  if #rest == 1 then
    out.type = rest[1]
  elseif #rest > 1 then
    out.anyOf = array({})
    for i, name in ipairs(rest) do
      out.anyOf[i] = { type = name, items = name == "array" and { type = "string" } or nil }
    end
  end
end

local function close_enum(out, list, how)
  local texts = array({})
  for _, v in ipairs(list) do
    if type(v) == "string" then
      texts[#texts + 1] = v
    elseif v == json.null then
      out.nullable = true
    else
      lose(how.losses, how.field .. "(enum of other than strings)")
      return
    end
  end
  if #texts > 0 then
    out.enum, out.type = texts, out.type or "string"
  end
end

function close(schema, how, depth)
  if type(schema) ~= "table" then return { type = "object" } end
  if depth > 64 then
    lose(how.losses, how.field .. "(deeper than 64)")
    return { type = "object" }
  end
  local source, opened = flat(schema, how, depth)
  local out = {}
  close_type(out, source.type)
  for key, v in pairs(source) do
    if kept[key] then
      out[key] = v
    elseif key == "properties" then
      out.properties = {}
      for name, inner in pairs(v) do out.properties[name] = close(inner, how, depth + 1) end
      out.type = out.type or "object"
    elseif key == "items" then
      out.items = close(v, how, depth + 1)
      out.type = out.type or "array"
    elseif key == "format" then
      local known = formats[out.type]
      if known and known[v] then out.format = v else lose(how.losses, how.field .. "(format)") end
    elseif key ~= "type" and key ~= "enum" and key ~= "const" and key ~= "anyOf" and key ~= "oneOf"
      and not silent[key] then
      lose(how.losses, how.field .. "(" .. key .. ")")
    end
  end
  if source.enum then close_enum(out, source.enum, how) end
  if source.const ~= nil then close_enum(out, { source.const }, how) end
  if out.type == "array" and not out.items then out.items = { type = "string" } end
  local branches = source.anyOf or source.oneOf
  if branches then out = close_branches(branches, out, how, depth + 1) end
  shut(opened, how)
  return out
end

-- A raw JSON Schema as a table of the subset. What has no place is listed as `field(keyword)`.
function M.from_json_schema(raw, field, losses)
  local root, found = json.decode(json.text(raw)), {}
  local schema = close(root, { root = root, field = field, losses = found, open = {} }, 0)
  table.sort(found) -- keys of a table come in another order in each process
  for _, name in ipairs(found) do lose(losses, name) end
  return schema
end

return M
