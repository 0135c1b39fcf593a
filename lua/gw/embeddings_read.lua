-- Embeddings: what clients send, in each shape, to the normal form. See lua/gw/embeddings.lua.
-- It does not know what providers take.

local parts = require("gw.parts")

local value, optional, required, lose, fail = parts.value, parts.optional, parts.required, parts.lose, parts.fail

local input_types = {
  search_query = "query", search_document = "document", query = "query", document = "document", passage = "document",
  classification = "classification", clustering = "clustering", image = "image",
  RETRIEVAL_QUERY = "query", RETRIEVAL_DOCUMENT = "document", SEMANTIC_SIMILARITY = "similarity",
  CLASSIFICATION = "classification", CLUSTERING = "clustering", QUESTION_ANSWERING = "question",
  FACT_VERIFICATION = "fact", CODE_RETRIEVAL_QUERY = "code",
}

local function type_to_normal(word, field)
  word = optional(word, "string", field)
  if not word or word == "TASK_TYPE_UNSPECIFIED" then return nil end
  local kind = input_types[word]
  if not kind then fail(field, "is \"" .. word .. "\", which is not known") end
  return kind
end

local function texts_to_inputs(list, field)
  local inputs = {}
  for i, text in ipairs(list) do
    inputs[i] = { text = required(text, "string", field .. "[" .. (i - 1) .. "]"),
      at = field .. "[" .. (i - 1) .. "]" }
  end
  return inputs
end

-- A string, a list of strings, one text's tokens, or a list of these.
local function openai_inputs(body)
  local input = value(body.input)
  if type(input) == "string" then return { { text = input, at = "input" } } end
  local list = parts.or_text(input, "array", "input")
  if #list == 0 then fail("input", "is empty") end
  if type(list[1]) == "number" then return { { tokens = list, at = "input" } } end
  if type(list[1]) == "string" then return texts_to_inputs(list, "input") end
  local inputs = {}
  for i, tokens in ipairs(list) do
    local field = "input[" .. (i - 1) .. "]"
    parts.or_text(tokens, "array", field)
    for _, token in ipairs(tokens) do required(token, "number", field) end
    inputs[i] = { tokens = tokens, at = field }
  end
  return inputs
end

local openai_fields = { model = true, input = true, dimensions = true, output_dimension = true, output_dtype = true,
  encoding_format = true, user = true, input_type = true, truncation = true }

local read = {}

read["openai.chat"] = function(body)
  local encoding = optional(body.encoding_format, "string", "encoding_format")
  if encoding and encoding ~= "float" and encoding ~= "base64" then
    fail("encoding_format", "must be float or base64, not \"" .. encoding .. "\"")
  end
  local dtype = optional(body.output_dtype, "string", "output_dtype")
  local truncation = optional(body.truncation, "boolean", "truncation")
  local truncate
  if truncation ~= nil then truncate = truncation and "end" or "none" end
  return {
    inputs = openai_inputs(body),
    dimensions = optional(body.dimensions, "number", "dimensions")
      or optional(body.output_dimension, "number", "output_dimension"),
    encoding = encoding or "float", types = { dtype or "float" },
    input_type = type_to_normal(body.input_type, "input_type"), truncate = truncate,
    user = optional(body.user, "string", "user"), extra = parts.rest(body, openai_fields),
  }
end

-- One of Gemini's requests, whose fields may be written in either style.
local function gemini_input(request, field, losses)
  required(request, "object", field)
  local content = required(request.content, "object", field .. ".content")
  local texts, items = {}, {}
  for i, part in ipairs(parts.objects(content.parts, field .. ".content.parts")) do
    local at = field .. ".content.parts[" .. (i - 1) .. "]"
    local inline = value(part.inlineData) or value(part.inline_data)
    if value(part.text) then
      items[i] = { type = "text", text = required(part.text, "string", at .. ".text") }
      texts[#texts + 1] = part.text
    elseif inline then
      required(inline, "object", at .. ".inlineData")
      items[i] = { type = "image", bytes = required(inline.data, "string", at .. ".inlineData.data"),
        media_type = value(inline.mimeType) or value(inline.mime_type) }
    else
      fail(at, "is neither text nor inlineData; nothing else can be carried")
    end
  end
  if #items == 0 then fail(field .. ".content.parts", "is empty") end
  if #texts == #items then
    if #texts > 1 then lose(losses, "content.parts(joined)") end
    return { text = table.concat(texts, "\n"), at = field }
  end
  return { parts = items, at = field }
end

local function gemini_settings(request, field)
  return type_to_normal(value(request.taskType) or value(request.task_type), field .. ".taskType"),
    optional(value(request.outputDimensionality) or value(request.output_dimensionality), "number",
      field .. ".outputDimensionality"),
    optional(request.title, "string", field .. ".title")
end

function read.gemini(body, losses)
  local list = value(body.requests)
  local is_batch = list ~= nil
  list = is_batch and required(list, "array", "requests") or { body }
  if #list == 0 then fail("requests", "is empty") end
  local normal = { inputs = {}, is_batch = is_batch, encoding = "float", types = { "float" } }
  for i, request in ipairs(list) do
    local field = is_batch and "requests[" .. (i - 1) .. "]" or "body"
    normal.inputs[i] = gemini_input(request, field, losses)
    local kind, dimensions, title = gemini_settings(request, field)
    normal.inputs[i].title = title
    if i == 1 then
      normal.input_type, normal.dimensions = kind, dimensions
    elseif kind ~= normal.input_type or dimensions ~= normal.dimensions then
      fail(field, "differs from the first request in taskType or outputDimensionality; one request must be for all")
    end
  end
  return normal
end

local function cohere_input(input, field)
  required(input, "object", field)
  local items, only_text = {}, true
  for i, item in ipairs(parts.objects(required(input.content, "array", field .. ".content"), field .. ".content")) do
    local at = field .. ".content[" .. (i - 1) .. "]"
    local kind = required(item.type, "string", at .. ".type")
    if kind == "text" then
      items[i] = { type = "text", text = required(item.text, "string", at .. ".text") }
    elseif kind == "image_url" then
      local url = required(required(item.image_url, "object", at .. ".image_url").url, "string", at .. ".image_url.url")
      local media_type, bytes = parts.data_url(url)
      items[i] = { type = "image", media_type = media_type, bytes = bytes, url = not bytes and url or nil }
      only_text = false
    else
      fail(at .. ".type", "must be text or image_url, not \"" .. kind .. "\"")
    end
  end
  if only_text and #items == 1 then return { text = items[1].text, at = field } end
  return { parts = items, at = field }
end

local cohere_fields = { model = true, texts = true, images = true, inputs = true, input_type = true,
  embedding_types = true, output_dimension = true, truncate = true, max_tokens = true }

read["cohere.chat"] = function(body)
  local texts, images, inputs = value(body.texts), value(body.images), value(body.inputs)
  local list
  if texts then
    list = texts_to_inputs(required(texts, "array", "texts"), "texts")
  elseif images then
    list = {}
    for i, url in ipairs(required(images, "array", "images")) do
      local field = "images[" .. (i - 1) .. "]"
      local media_type, bytes = parts.data_url(required(url, "string", field))
      if not bytes then fail(field, "must be a data URL") end
      list[i] = { parts = { { type = "image", media_type = media_type, bytes = bytes } }, at = field }
    end
  else
    list = {}
    for i, input in ipairs(required(inputs, "array", "inputs")) do
      list[i] = cohere_input(input, "inputs[" .. (i - 1) .. "]")
    end
  end
  if #list == 0 then fail(texts and "texts" or images and "images" or "inputs", "is empty") end
  local types = optional(body.embedding_types, "array", "embedding_types") or { "float" }
  for i, kind in ipairs(types) do required(kind, "string", "embedding_types[" .. (i - 1) .. "]") end
  local truncate = optional(body.truncate, "string", "truncate")
  return {
    inputs = list, texts = texts, encoding = "float", types = #types > 0 and types or { "float" },
    input_type = type_to_normal(body.input_type, "input_type"),
    dimensions = optional(body.output_dimension, "number", "output_dimension"),
    truncate = truncate and truncate:lower(), max_tokens = optional(body.max_tokens, "number", "max_tokens"),
    extra = parts.rest(body, cohere_fields),
  }
end

return read
