-- Baseten's Model APIs. From docs.baseten.co (quickstart, stored copy of 2026): URL and auth. From BerriAI/litellm
-- 1.109.1: the parameters that they take. A dedicated deployment has a base_url of its own
-- (https://model-ID.api.baseten.co/environments/production/sync/v1). Not verified on recorded traffic: there is none.
return {
  api = 1,
  doc = "Baseten (inference.baseten.co), Chat Completions",
  dialect = "openai.chat",
  base_url = "https://inference.baseten.co/v1",
  auth = "bearer",
  environment = "BASETEN_API_KEY",
  quirks = {
    efforts = { low = true, medium = true, high = true },
    drops = { logit_bias = true, n = true, parallel_tool_calls = true, service_tier = true },
  },
  errors = {
    { status = 402, class = "quota" },
    { status = 400, match = "maximum context length", class = "context_length" },
  },
}
