-- The Gemini API (generativelanguage.googleapis.com, Google AI Studio). What its models take is in
-- lua/gw/gemini_models.lua, which says where each fact comes from. Recorded from it: the key in x-goog-api-key, images
-- by URL in fileData (gemini-2.5-flash), ids on calls and results, a wrong key answered with status 400.
-- It does not serve Vertex AI: adapters/vertex.lua does.
local gemini = require("gw.gemini_models")

return {
  api = 1,
  doc = "Google's Gemini API (generativelanguage.googleapis.com)",
  dialect = "gemini",
  base_url = "https://generativelanguage.googleapis.com/v1beta",
  auth = { header = "x-goog-api-key" },
  environment = "GEMINI_API_KEY",
  models = {
    "gemini-4-argon", "gemini-3.8-flash", "gemini-3.7-flash", "gemini-3.6-flash", "gemini-3.5-flash",
    "gemini-3.5-flash-lite", "gemini-3.1-pro-preview", "gemini-3.1-flash-lite", "gemini-3-pro-preview",
    "gemini-3-flash-preview", "gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.0-flash",
    "gemini-flash-latest", "gemini-pro-latest", "gemini-flash-lite-latest", "gemini-embedding-001",
  },
  quirks = {
    file_urls = true,
    logprobs_max = 20,
    effort_budgets = gemini.effort_budgets,
    models = gemini.models,
  },
  errors = {
    { status = 400, match = "API key not valid", class = "auth" },
    { status = 400, match = "API key expired", class = "auth" },
    { status = 400, match = "exceeds the maximum number of tokens", class = "context_length" },
    { status = 400, match = "input token count", class = "context_length" },
    { status = 400, match = "User location is not supported", class = "auth" },
  },
}
