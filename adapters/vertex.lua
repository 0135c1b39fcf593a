-- Google's Vertex AI: Gemini models under publishers/google, and open models ("meta/llama-…", "qwen/…") behind its Chat
-- Completions. The key is a service account's key file; tokens are made of it and renewed by the gateway. For the
-- location "global" set base_url to "https://aiplatform.googleapis.com/v1/projects/PROJECT/locations/global".
-- Facts: Vertex AI REST reference (publishers.models.generateContent, streamGenerateContent, endpoints/openapi) and
-- recorded exchanges of the first two.
-- It does not serve Claude: adapters/vertex-anthropic.lua does.
return {
  api = 1,
  doc = "Google Vertex AI, Gemini and open models; set region, project and a service account's key file",
  dialects = { "gemini", "openai.chat" },
  model_dialects = {
    { prefix = "gemini", dialects = { "gemini" } },
    { prefix = "", dialects = { "openai.chat" } },
  },
  base_url = "https://{region}-aiplatform.googleapis.com/v1/projects/{project}/locations/{region}",
  auth = "google-oauth",
  paths = {
    ["gemini"] = "/publishers/google/models/{model}:generateContent",
    ["gemini_stream"] = "/publishers/google/models/{model}:streamGenerateContent",
    ["openai.chat"] = "/endpoints/openapi/chat/completions",
  },
  errors = {
    { status = 400, match = "exceeds the maximum number of tokens", class = "context_length" },
    { status = 400, match = "input token count", class = "context_length" },
    { status = 429, match = "quota exceeded", class = "rate_limited" },
  },
}
