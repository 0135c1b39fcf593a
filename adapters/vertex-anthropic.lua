-- Claude on Google's Vertex AI: Messages under publishers/anthropic, where the model is in the path and the version in
-- the body. The key is a service account's key file, as for adapters/vertex.lua.
-- Facts: Anthropic's "Claude on Vertex AI", recorded exchanges of rawPredict and streamRawPredict.
-- Claude's own limits: lua/gw/claude_models.lua; max_tokens is sent when the client names none.
-- It does not serve Gemini: adapters/vertex.lua does.
local claude_models = require("gw.claude_models")

local A = {
  api = 1,
  doc = "Claude on Google Vertex AI; set region, project and a service account's key file",
  catalogue = "vertex",
  dialect = "anthropic.messages",
  base_url = "https://{region}-aiplatform.googleapis.com/v1/projects/{project}/locations/{region}",
  auth = "google-oauth",
  paths = {
    chat = "/publishers/anthropic/models/{model}:rawPredict",
    chat_stream = "/publishers/anthropic/models/{model}:streamRawPredict",
  },
  quirks = claude_models.quirks(),
  errors = {
    { status = 400, type = "invalid_request_error", match = "prompt is too long", class = "context_length" },
    { status = 429, match = "quota exceeded", class = "rate_limited" },
  },
}

function A.request(_, _, body)
  body.model, body.anthropic_version = nil, "vertex-2023-10-16"
  return body
end

return A
