-- Embeddings: answers of providers to the normal form, and from it to what each client expects. See
-- lua/gw/embeddings.lua. Vectors stay as they came, raw JSON or base64, until a client wants the other.

local parts = require("gw.parts")
local errors = require("gw.errors")

local json = gw.json
local value, optional, required, fail = parts.value, parts.optional, parts.required, parts.fail
local array = json.array

local M = {}

-- For decoding bodies: vectors are never made into tables.
M.raw_keys = { embedding = true, values = true, float = true, int8 = true, uint8 = true, binary = true,
  ubinary = true }

----- provider → normal

-- The vectors of a raw list of lists, each as raw. They hold numbers only, so brackets tell where one ends.
local function split(raw)
  local text, list, at = json.text(raw), {}, 2
  while true do
    local from = text:find("[", at, true)
    if not from then return list end
    local to = text:find("]", from, true)
    list[#list + 1] = json.raw(text:sub(from, to))
    at = to + 1
  end
end

-- A vector as it came: raw JSON of floats or of the type that was asked for, or base64 text.
local function vector(v, field, kind)
  if json.is_raw(v) then return { [kind or "float"] = v } end
  return { base64 = required(v, "string", field) }
end

local take = {}

take["openai.chat"] = function(body, target)
  local list = value(body.data)
  if not list then return nil, errors.from_table(nil, body) end
  local usage = optional(body.usage, "object", "usage")
  local answer = { id = value(body.id), vectors = {} }
  for i, item in ipairs(parts.objects(list, "data")) do
    local at = optional(item.index, "number", "data[].index") or i - 1
    answer.vectors[at + 1] = vector(item.embedding, "data[].embedding", target and target.embedding_type)
  end
  if usage then
    answer.usage = { input_tokens = optional(usage.prompt_tokens, "number", "usage.prompt_tokens")
      or optional(usage.total_tokens, "number", "usage.total_tokens") }
  end
  return answer
end

local function gemini_vector(holder, field)
  -- `embedding` is a raw key, since elsewhere it is the vector.
  if json.is_raw(holder) then holder = json.decode(json.text(holder), { raw = M.raw_keys }) end
  return vector(required(holder, "object", field).values, field .. ".values")
end

local function predictions(list)
  local answer, tokens = { vectors = {} }, 0
  for i, prediction in ipairs(parts.objects(list, "predictions")) do
    local field = "predictions[" .. (i - 1) .. "].embeddings"
    answer.vectors[i] = gemini_vector(prediction.embeddings, field)
    local statistics = optional(prediction.embeddings.statistics, "object", field .. ".statistics") or {}
    tokens = tokens + (optional(statistics.token_count, "number", field .. ".statistics.token_count") or 0)
  end
  answer.usage = { input_tokens = tokens }
  return answer
end

function take.gemini(body)
  if value(body.predictions) then return predictions(body.predictions) end
  local list = value(body.embeddings) or value(body.embedding) and { body.embedding }
  if not list then return nil, errors.from_table(nil, body) end
  local answer = { vectors = {} }
  for i, holder in ipairs(required(list, "array", "embeddings")) do
    answer.vectors[i] = gemini_vector(holder, "embeddings[" .. (i - 1) .. "]")
  end
  local usage = optional(body.usageMetadata, "object", "usageMetadata")
  if usage then
    answer.usage = { input_tokens = optional(usage.promptTokenCount, "number", "usageMetadata.promptTokenCount") }
  end
  return answer
end

-- By type (an object of lists), or a plain list of vectors where no type was asked for.
local function cohere_vectors(embeddings)
  local vectors = {}
  local function add(kind, i, v)
    vectors[i] = vectors[i] or {}
    vectors[i][kind] = v
  end
  if json.is_array(embeddings) then
    for i, v in ipairs(embeddings) do add("float", i, json.raw(json.encode(v))) end
    return vectors
  end
  for kind, list in pairs(required(embeddings, "object", "embeddings")) do
    if json.is_raw(list) then
      for i, v in ipairs(split(list)) do add(kind, i, v) end
    elseif list ~= json.null then
      for i, v in ipairs(required(list, "array", "embeddings." .. kind)) do
        add(kind, i, required(v, "string", "embeddings." .. kind))
      end
    end
  end
  return vectors
end

take["cohere.chat"] = function(body)
  if value(body.embeddings) == nil then return nil, errors.from_table(nil, body) end
  local answer = { id = value(body.id), vectors = cohere_vectors(body.embeddings) }
  local meta = optional(body.meta, "object", "meta")
  local billed = meta and optional(meta.billed_units, "object", "meta.billed_units")
  if billed then
    answer.usage = { input_tokens = (optional(billed.input_tokens, "number", "meta.billed_units.input_tokens") or 0)
      + (optional(billed.image_tokens, "number", "meta.billed_units.image_tokens") or 0),
      images = optional(billed.images, "number", "meta.billed_units.images") }
  end
  return answer
end

take["bedrock.converse"] = function(body)
  if value(body.embeddings) ~= nil then return take["cohere.chat"](body) end
  if value(body.embedding) == nil then return nil, errors.from_table(nil, body) end
  local tokens = optional(body.inputTextTokenCount, "number", "inputTextTokenCount")
  return { vectors = { vector(body.embedding, "embedding") }, usage = tokens and { input_tokens = tokens } }
end

-- The answer in no shape, or nil and an error that came with status 200.
function M.to_normal(provider, body, target)
  local answer, err = take[provider](body, target)
  if not answer then return nil, err end
  answer.dialect = provider
  return answer
end

----- normal → client

local function as_float(v)
  if v.float then return v.float end
  local raw = v.base64 and gw.floats.from_base64(v.base64)
  if not raw then fail("embedding", "is not base64 of 32-bit floats") end
  return raw
end

local function as_base64(v)
  return v.base64 or gw.floats.to_base64(as_float(v))
end

local function input_tokens(answer, asked)
  return answer.usage and answer.usage.input_tokens or asked.prompt_tokens or 0
end

local tell = {}

local function openai_vector(v, how)
  local kind = how.types and how.types[1] or "float"
  if kind ~= "float" and v[kind] then return v[kind] end
  if how.encoding == "base64" then return as_base64(v) end
  return as_float(v)
end

tell["openai.chat"] = function(answer, asked)
  local list, tokens = array({}), input_tokens(answer, asked)
  for i, v in ipairs(answer.vectors) do
    list[i] = { object = "embedding", index = i - 1, embedding = openai_vector(v, asked.embeddings or {}) }
  end
  return { object = "list", data = list, model = asked.model,
    usage = { prompt_tokens = tokens, total_tokens = tokens } }
end

function tell.gemini(answer, asked)
  local list = array({})
  for i, v in ipairs(answer.vectors) do list[i] = { values = as_float(v) } end
  local usage = answer.usage and answer.usage.input_tokens
  local told = usage and { promptTokenCount = usage } or nil
  if asked.embeddings and asked.embeddings.is_batch then return { embeddings = list, usageMetadata = told } end
  return { embedding = list[1], usageMetadata = told }
end

tell["cohere.chat"] = function(answer, asked)
  local how, by_type = asked.embeddings or {}, {}
  for _, kind in ipairs(how.types or { "float" }) do
    local list = array({})
    for i, v in ipairs(answer.vectors) do
      list[i] = kind == "float" and as_float(v) or kind == "base64" and as_base64(v) or v[kind]
    end
    by_type[kind] = list
  end
  return { id = asked.id or answer.id or gw.id(""), embeddings = by_type, texts = how.texts or array({}),
    response_type = "embeddings_by_type",
    meta = { api_version = { version = "2" }, billed_units = { input_tokens = input_tokens(answer, asked) } } }
end

function M.from_normal(client, answer, asked)
  return tell[client](answer, asked)
end

return M
