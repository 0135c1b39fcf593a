-- Embeddings, between the shapes of providers (docs/reference/normal-form.md, "Embeddings"). Shapes go by the dialect
-- that serves them:
--
--   openai.chat        POST /embeddings: OpenAI and all who copied it; quirks.embeddings tells their own fields
--   gemini             :embedContent and :batchEmbedContents (to providers always the latter); Vertex: :predict
--   cohere.chat        POST /embed of the second version
--   bedrock.converse   InvokeModel; the model's name tells Titan's body from Cohere's
--
-- Sources: the providers' API references and recorded exchanges. Pure: tables in and out; vectors stay raw JSON, or
-- base64, and are turned into each other only where client and provider differ (gw.floats).
-- It does not split a batch: more inputs than a provider takes at once are refused.
--
-- Quirks it reads: embeddings = "openai" (default), "mistral" (output_dimension, output_dtype), "voyage" (these, and
-- input_type, truncation), "bytes" (the answer is always base64 of 8-bit numbers, which no other shape can hold),
-- "predict" (Vertex); embedding_input_type, sent to Cohere when the client gives none,
-- default "search_document", a loss.

local answer = require("gw.embeddings_answer")
local parts = require("gw.parts")
local read = require("gw.embeddings_read")
local write = require("gw.embeddings_write")

local M = { raw_keys = answer.raw_keys }

-- What the client asks, in no shape. asked keeps what the answer needs to know of it.
function M.request_to_normal(client, body, losses, asked)
  local reader = read[client]
  if not reader then parts.fail("model", "embeddings of this API cannot be sent to another") end
  local normal = reader(parts.required(body, "object", "body"), losses)
  normal.dialect, normal.model = client, parts.optional(body.model, "string", "model") or asked and asked.model
  if asked then
    asked.embeddings = { encoding = normal.encoding, types = normal.types, texts = normal.texts,
      is_batch = normal.is_batch }
  end
  return normal
end

-- target: { model, quirks }; raises { field, message } for what the provider cannot take.
function M.request_from_normal(provider, normal, target, losses)
  local writer = write[provider]
  if not writer then parts.fail("model", "this provider has no embeddings") end
  return writer(normal, target, parts.quirks(target), losses)
end

-- The answer in no shape, or nil and the error that came with a good status.
function M.response_to_normal(provider, body, target)
  return answer.to_normal(provider, body, target)
end

-- asked: { model, embeddings (set by request_to_normal), id, prompt_tokens (an estimate, told where a provider counts
-- none) }
function M.response_from_normal(client, normal, asked)
  return answer.from_normal(client, normal, asked)
end

return M
