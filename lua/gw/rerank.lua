-- Rerank, between the shapes of providers (docs/reference/normal-form.md, "Rerank"). Shapes go by the dialect that
-- serves them:
--
--   openai.chat        POST /v1/rerank: Jina's, with `results` and `usage` (llama.cpp, OpenRouter, vLLM …); also
--                      Cohere's first version, which has the same names, and Voyage's, with `top_k` and `data`
--   cohere.chat        POST /v2/rerank
--   bedrock.converse   InvokeModel of a rerank model
--
-- Sources: the providers' API references and recorded exchanges. Pure: tables in and out.
-- The provider is never asked to send documents back: they are the client's own and are put into its answer here.
--
-- Quirk it reads: rerank = "voyage": the provider speaks Voyage's shape.

local parts = require("gw.parts")
local errors = require("gw.errors")

local json = gw.json
local value, optional, required, lose, fail = parts.value, parts.optional, parts.required, parts.lose, parts.fail
local array = json.array

local M = {}

M.raw_keys = {}

----- requests, client → normal

-- A string, or an object whose text is ranked; `given` is what the client gets back.
local function document_to_normal(document, field)
  if type(document) == "string" then return { text = document, given = { text = document }, at = field } end
  parts.or_text(document, "object", field)
  return { text = required(document.text, "string", field .. ".text"), given = document, at = field,
    has_more = parts.rest(document, { text = true }) ~= nil }
end

local known_fields = { model = true, query = true, documents = true, top_n = true, top_k = true,
  return_documents = true, max_tokens_per_doc = true, truncation = true, rank_fields = true, max_chunks_per_doc = true }

-- asked keeps what the answer needs to know.
function M.request_to_normal(client, body, losses, asked)
  if client ~= "openai.chat" and client ~= "cohere.chat" then
    fail("model", "reranking by this API cannot be sent to another")
  end
  required(body, "object", "body")
  local list = {}
  for i, document in ipairs(required(body.documents, "array", "documents")) do
    list[i] = document_to_normal(document, "documents[" .. (i - 1) .. "]")
    if list[i].has_more then lose(losses, "documents[](fields other than text)") end
  end
  if #list == 0 then fail("documents", "is empty") end
  if value(body.rank_fields) then lose(losses, "rank_fields") end
  if value(body.max_chunks_per_doc) then lose(losses, "max_chunks_per_doc") end
  local normal = {
    dialect = client,
    model = optional(body.model, "string", "model") or asked and asked.model,
    query = required(body.query, "string", "query"),
    documents = list,
    top = optional(body.top_n, "number", "top_n") or optional(body.top_k, "number", "top_k"),
    return_documents = optional(body.return_documents, "boolean", "return_documents"),
    max_tokens_per_document = optional(body.max_tokens_per_doc, "number", "max_tokens_per_doc"),
    truncation = optional(body.truncation, "boolean", "truncation"),
    extra = parts.rest(body, known_fields),
  }
  if asked then
    asked.rerank = { documents = normal.return_documents and list or nil,
      is_voyage = value(body.top_k) ~= nil or normal.truncation ~= nil }
  end
  return normal
end

----- requests, normal → provider

local function texts(normal)
  local list = array({})
  for i, document in ipairs(normal.documents) do list[i] = document.text end
  return list
end

-- `has`: the fields that the body has a place for.
local function lose_rest(normal, has, losses)
  if normal.max_tokens_per_document and not has.max_tokens then lose(losses, "max_tokens_per_doc") end
  -- Cutting what is too long is what all others do anyway.
  if normal.truncation == false and not has.truncation then lose(losses, "truncation") end
  parts.lose_fields(losses, normal.extra, "")
end

local write = {}

write["openai.chat"] = function(normal, target, quirks, losses)
  local body = { model = target.model, query = normal.query, documents = texts(normal) }
  if quirks.rerank == "voyage" then
    body.top_k, body.truncation = normal.top, normal.truncation
    lose_rest(normal, { truncation = true }, losses)
  else
    body.top_n = normal.top
    lose_rest(normal, {}, losses)
  end
  return body
end

write["cohere.chat"] = function(normal, target, _, losses)
  lose_rest(normal, { max_tokens = true }, losses)
  return { model = target.model, query = normal.query, documents = texts(normal), top_n = normal.top,
    max_tokens_per_doc = normal.max_tokens_per_document }
end

write["bedrock.converse"] = function(normal, target, _, losses)
  local is_cohere = target.model:find("cohere.rerank", 1, true) ~= nil
  if not is_cohere and not target.model:find("rerank", 1, true) then
    fail("model", "is no rerank model that can be served here")
  end
  lose_rest(normal, { max_tokens = is_cohere }, losses)
  return { query = normal.query, documents = texts(normal), top_n = normal.top, api_version = is_cohere and 2 or nil,
    max_tokens_per_doc = is_cohere and normal.max_tokens_per_document or nil }
end

-- target: { model, quirks }; raises { field, message } for what the provider cannot take.
function M.request_from_normal(provider, normal, target, losses)
  local writer = write[provider]
  if not writer then fail("model", "this provider does not rerank") end
  return writer(normal, target, parts.quirks(target), losses)
end

----- answers

-- The answer in no shape, or nil and the error that came with a good status.
function M.response_to_normal(provider, body)
  local list = value(body.results) or value(body.data)
  if not list then return nil, errors.from_table(nil, body) end
  local answer = { dialect = provider, id = value(body.id), results = {} }
  for i, result in ipairs(parts.objects(list, "results")) do
    local field = "results[" .. (i - 1) .. "]"
    answer.results[i] = { index = required(result.index, "number", field .. ".index"),
      score = required(result.relevance_score, "number", field .. ".relevance_score") }
  end
  local meta, usage = optional(body.meta, "object", "meta"), optional(body.usage, "object", "usage")
  local billed = meta and optional(meta.billed_units, "object", "meta.billed_units")
  if billed or usage then
    answer.usage = {
      search_units = billed and optional(billed.search_units, "number", "meta.billed_units.search_units")
        or usage and optional(usage.search_units, "number", "usage.search_units"),
      input_tokens = usage and optional(usage.total_tokens, "number", "usage.total_tokens"),
    }
  end
  return answer
end

-- `is_text`: documents are told as their text alone.
local function results_of(answer, asked, is_text)
  local list, documents = array({}), asked.rerank and asked.rerank.documents
  for i, result in ipairs(answer.results) do
    local document = documents and documents[result.index + 1]
    list[i] = { index = result.index, relevance_score = result.score }
    if document then list[i].document = is_text and document.text or document.given end
  end
  return list
end

local tell = {}

tell["cohere.chat"] = function(answer, asked)
  local usage = answer.usage or {}
  local meta = { api_version = { version = "2" } }
  if usage.search_units then meta.billed_units = { search_units = usage.search_units } end
  if usage.input_tokens then meta.tokens = { input_tokens = usage.input_tokens } end
  return { id = asked.id or answer.id or gw.id(""), results = results_of(answer, asked), meta = meta }
end

-- Jina's and Cohere's first version at once, or Voyage's when the client asked in its words.
tell["openai.chat"] = function(answer, asked)
  local usage = answer.usage or {}
  local told = { total_tokens = usage.input_tokens or 0, search_units = usage.search_units }
  if asked.rerank and asked.rerank.is_voyage then
    return { object = "list", data = results_of(answer, asked, true), model = asked.model, usage = told }
  end
  local meta
  if usage.search_units then
    meta = { api_version = { version = "1" }, billed_units = { search_units = usage.search_units } }
  end
  return { id = asked.id or answer.id or gw.id(""), object = "list", model = asked.model, usage = told, meta = meta,
    results = results_of(answer, asked) }
end

-- asked: { model, rerank (set by request_to_normal), id }
function M.response_from_normal(client, answer, asked)
  return tell[client](answer, asked)
end

return M
