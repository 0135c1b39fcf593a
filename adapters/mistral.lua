-- Mistral's API. Facts from recorded traffic (2025-2026): URL, tool_choice "any", random_seed, nine-character call
-- ids, usage at the end of each stream without being asked for, audio tokens beside the prompt, efforts "none" and
-- "high" of mistral-small and -medium, error bodies without an envelope. From BerriAI/litellm 1.109.1: the models that
-- take an effort. Not verified: that logit_bias, user and service_tier are refused as unknown fields.
-- It does not carry thinking of earlier turns: their form (a content list with thinking in it) is the provider's own.
local on_or_off = { high = true }

return {
  api = 1,
  doc = "Mistral (api.mistral.ai), Chat Completions",
  dialect = "openai.chat",
  base_url = "https://api.mistral.ai/v1",
  auth = "bearer",
  environment = "MISTRAL_API_KEY",
  models = {
    "mistral-large-4", "mistral-medium-latest", "mistral-small-latest", "magistral-medium-latest",
    "ministral-3b-latest", "ministral-8b-latest", "codestral-latest", "devstral-latest", "voxtral-small-latest",
    "mistral-embed",
  },
  quirks = {
    tool_choice_required = "any",
    tool_id_length = 9,
    seed_field = "random_seed",
    stream_usage = false,
    prefill = "prefix",
    reasoning_history = "none",
    embeddings = "mistral",
    drops = { logit_bias = true, user = true, service_tier = true, stream_options = true },
    models = {
      { prefix = "mistral-small", reasoning_off = "none", efforts = on_or_off },
      { prefix = "mistral-medium", reasoning_off = "none", efforts = on_or_off },
      { prefix = "mistral-large-4", reasoning_off = "none", efforts = on_or_off },
      { prefix = "devstral", reasoning_off = "none", efforts = on_or_off },
      { prefix = "", reasoning = "none" },
    },
  },
  errors = {
    { status = 400, match = "maximum context length", class = "context_length" },
    { status = 400, type = "invalid_model", class = "not_found" },
  },
}
