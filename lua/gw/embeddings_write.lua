-- Embeddings: requests in the normal form to what each provider takes. See lua/gw/embeddings.lua.
-- A writer takes (normal, target, quirks, losses); it sets target.embedding_type where the answer comes in another type
-- than float. It does not split a batch.

local parts = require("gw.parts")

local json = gw.json
local lose, fail = parts.lose, parts.fail
local array = json.array

local cohere_types = { query = "search_query", document = "search_document", classification = "classification",
  clustering = "clustering", image = "image", question = "search_query", fact = "search_query", code = "search_query" }

local gemini_types = { query = "RETRIEVAL_QUERY", document = "RETRIEVAL_DOCUMENT", similarity = "SEMANTIC_SIMILARITY",
  classification = "CLASSIFICATION", clustering = "CLUSTERING", question = "QUESTION_ANSWERING",
  fact = "FACT_VERIFICATION", code = "CODE_RETRIEVAL_QUERY" }

local voyage_types = { query = "query", document = "document", question = "query", fact = "query", code = "query" }

-- Which of those say less than what was asked.
local is_narrowed = { question = true, fact = true, code = true }

local function type_from_normal(kind, words, losses)
  if not kind then return nil end
  local word = words[kind]
  if not word then
    lose(losses, "input_type(" .. kind .. ")")
  elseif is_narrowed[kind] and words ~= gemini_types then
    lose(losses, "input_type(" .. kind .. " sent as " .. word .. ")")
  end
  return word
end

local function text_of(input)
  if input.tokens then fail(input.at, "holds token ids; this provider takes only text") end
  if not input.text then fail(input.at, "holds more than text, which this provider does not take") end
  return input.text
end

local function refuse_more(normal, most)
  if #normal.inputs > most then
    fail(normal.inputs[most + 1].at, "is one of " .. #normal.inputs .. " inputs; this provider takes "
      .. (most == 1 and "one" or most) .. " a request")
  end
end

-- Fields that have no place in the provider's body; `has`: those that have.
local function lose_rest(normal, has, losses)
  for _, name in ipairs({ "user", "max_tokens", "input_type", "dimensions" }) do
    if normal[name] and not has[name] then lose(losses, name) end
  end
  if normal.truncate and not has.truncate then lose(losses, "truncate") end
  for _, input in ipairs(normal.inputs) do
    if input.title and not has.title then lose(losses, "title") end
  end
  if normal.dialect ~= has.dialect then parts.lose_fields(losses, normal.extra, "") end
end

-- Other kinds than these two can be made of floats here; quantised ones only the model's owner can make.
local function refuse_quantised(normal)
  for _, kind in ipairs(normal.types) do
    if kind ~= "float" and kind ~= "base64" then
      fail("embedding_types", "holds " .. kind .. "; this provider gives only float")
    end
  end
end

local write = {}

local is_whole = { none = "none", ["end"] = "end" }

local function openai_body(normal, target, quirks, losses)
  local style, inputs = quirks.embeddings or "openai", array({})
  if style == "bytes" then fail("model", "has 8-bit vectors in base64, which a client of this API cannot be told") end
  for i, input in ipairs(normal.inputs) do inputs[i] = input.tokens or text_of(input) end
  local body = { model = target.model, input = inputs }
  if style == "openai" then
    refuse_quantised(normal)
    body.dimensions, body.user = normal.dimensions, normal.user
    lose_rest(normal, { dimensions = true, user = true }, losses)
  else
    local dtype = normal.types[1]
    if #normal.types > 1 then fail("embedding_types", "names several; this provider gives one a request") end
    body.output_dimension = normal.dimensions
    if dtype ~= "float" and dtype ~= "base64" then
      body.output_dtype, target.embedding_type = dtype, dtype
    end
    local is_voyage = style == "voyage"
    if is_voyage then
      body.input_type = type_from_normal(normal.input_type, voyage_types, losses)
      if normal.truncate then
        if not is_whole[normal.truncate] then lose(losses, "truncate(" .. normal.truncate .. " sent as end)") end
        body.truncation = normal.truncate ~= "none"
      end
    end
    lose_rest(normal, { dimensions = true, input_type = is_voyage, truncate = is_voyage }, losses)
  end
  -- Half the bytes and no rounding of text; the answer is turned where the client wants numbers.
  if normal.encoding == "base64" then body.encoding_format = "base64" end
  return body
end

write["openai.chat"] = openai_body

local function gemini_parts(input)
  if input.tokens then fail(input.at, "holds token ids; this provider takes only text") end
  if input.text then return array({ { text = input.text } }) end
  local list = array({})
  for i, part in ipairs(input.parts) do
    if part.type == "text" then
      list[i] = { text = part.text }
    elseif part.bytes then
      list[i] = { inlineData = { mimeType = part.media_type, data = part.bytes } }
    else
      fail(input.at, "holds an image by URL; this provider takes bytes")
    end
  end
  return list
end

local gemini_most = 100

local function predict_body(normal, losses)
  local instances = array({})
  local kind = type_from_normal(normal.input_type, gemini_types, losses)
  for i, input in ipairs(normal.inputs) do
    instances[i] = { content = text_of(input), task_type = kind, title = input.title }
  end
  local parameters = { outputDimensionality = normal.dimensions }
  if normal.truncate then parameters.autoTruncate = normal.truncate ~= "none" end
  if normal.truncate == "start" then lose(losses, "truncate(start sent as end)") end
  lose_rest(normal, { dimensions = true, input_type = true, title = true, truncate = true }, losses)
  return { instances = instances, parameters = next(parameters) and parameters or nil }
end

function write.gemini(normal, target, quirks, losses)
  refuse_quantised(normal)
  refuse_more(normal, gemini_most)
  if quirks.embeddings == "predict" then return predict_body(normal, losses) end
  local requests = array({})
  local kind = type_from_normal(normal.input_type, gemini_types, losses)
  for i, input in ipairs(normal.inputs) do
    requests[i] = { model = "models/" .. target.model, content = { parts = gemini_parts(input) }, taskType = kind,
      outputDimensionality = normal.dimensions, title = input.title }
  end
  lose_rest(normal, { dimensions = true, input_type = true, title = true }, losses)
  return { requests = requests }
end

local function data_url(part, at)
  if part.url then return part.url end
  if not part.media_type then fail(at, "holds an image without its media type") end
  return "data:" .. part.media_type .. ";base64," .. part.bytes
end

local function cohere_content(input)
  local content = array({})
  for i, part in ipairs(input.parts or { { type = "text", text = text_of(input) } }) do
    if part.type == "text" then
      content[i] = { type = "text", text = part.text }
    else
      content[i] = { type = "image_url", image_url = { url = data_url(part, input.at) } }
    end
  end
  return { content = content }
end

local cohere_most = 96

-- Sets texts, images or inputs: whichever says it all.
local function set_cohere_inputs(normal, body)
  local texts, images, inputs = array({}), array({}), array({})
  for i, input in ipairs(normal.inputs) do
    if input.tokens then text_of(input) end
    local only = input.parts and #input.parts == 1 and input.parts[1]
    texts[#texts + 1] = input.text
    if only and only.type == "image" then images[#images + 1] = data_url(only, input.at) end
    inputs[i] = cohere_content(input)
  end
  if #texts == #inputs then
    body.texts = texts
  elseif #images == #inputs then
    body.images = images
  else
    body.inputs = inputs
  end
  return body.images ~= nil
end

local function cohere_body(normal, quirks, losses)
  refuse_more(normal, cohere_most)
  local body, types = { output_dimension = normal.dimensions, max_tokens = normal.max_tokens }, array({})
  local are_images = set_cohere_inputs(normal, body)
  for i, kind in ipairs(normal.types) do types[i] = kind end
  body.embedding_types = types
  body.truncate = normal.truncate and normal.truncate:upper()
  local kind = type_from_normal(normal.input_type, cohere_types, losses)
  if not kind and are_images then
    kind = "image"
  elseif not kind then
    kind = quirks.embedding_input_type or "search_document"
    lose(losses, "input_type(default " .. kind .. ")")
  end
  body.input_type = kind
  lose_rest(normal, { dimensions = true, input_type = true, truncate = true, max_tokens = true }, losses)
  return body
end

write["cohere.chat"] = function(normal, target, quirks, losses)
  local body = cohere_body(normal, quirks, losses)
  body.model = target.model
  return body
end

local function titan_body(normal, target, losses)
  refuse_more(normal, 1)
  local input = normal.inputs[1]
  if target.model:find("titan%-embed%-image") then
    local body = {}
    for _, part in ipairs(input.parts or { { type = "text", text = text_of(input) } }) do
      if part.type == "text" then
        body.inputText = (body.inputText and body.inputText .. "\n" or "") .. part.text
      elseif part.bytes and not body.inputImage then
        body.inputImage = part.bytes
      else
        fail(input.at, "holds more than one image, or one by URL; this model takes one as bytes")
      end
    end
    if normal.dimensions then body.embeddingConfig = { outputEmbeddingLength = normal.dimensions } end
    lose_rest(normal, { dimensions = true }, losses)
    return body
  end
  local is_first = target.model:find("titan%-embed%-text%-v1") or target.model:find("titan%-embed%-g1")
  lose_rest(normal, { dimensions = not is_first }, losses)
  return { inputText = text_of(input), dimensions = not is_first and normal.dimensions or nil }
end

write["bedrock.converse"] = function(normal, target, quirks, losses)
  if target.model:find("cohere.embed", 1, true) then return cohere_body(normal, quirks, losses) end
  if target.model:find("titan-embed", 1, true) then
    refuse_quantised(normal)
    return titan_body(normal, target, losses)
  end
  fail("model", "is no embedding model that can be served here (Titan or Cohere)")
end

return write
