-- Anthropic's own API. Facts: Anthropic documentation, "Models overview" (output limits) and "Extended thinking" (read
-- 2026-11). max_tokens is what is sent when the client names none; it is the model's own limit, so that no answer is
-- cut short in silence.
-- It does not list prices; those are in the price table.
return {
  api = 1,
  doc = "Anthropic (api.anthropic.com), Messages",
  dialect = "anthropic.messages",
  base_url = "https://api.anthropic.com/v1",
  auth = "x-api-key",
  headers = { ["anthropic-version"] = "2023-06-01" },
  environment = "ANTHROPIC_API_KEY",
  models = {
    "claude-opus-4-6", "claude-sonnet-4-6", "claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5",
    "claude-opus-4-1",
  },
  quirks = {
    max_tokens = 32000,
    models = {
      { prefix = "claude-3-haiku", max_tokens = 4096, thinking = "none", structured_output = false },
      { prefix = "claude-3-opus", max_tokens = 4096, thinking = "none", structured_output = false },
      { prefix = "claude-3-5", max_tokens = 8192, thinking = "none", structured_output = false },
      { prefix = "claude-3-7", max_tokens = 64000, structured_output = false },
      { prefix = "claude-sonnet-4-2", max_tokens = 64000, structured_output = false },
      { prefix = "claude-opus-4-2", max_tokens = 32000, structured_output = false },
      { prefix = "claude-opus-4-1", max_tokens = 32000, one_sampling = true },
      { prefix = "claude-haiku-4-5", max_tokens = 64000, one_sampling = true },
      { prefix = "claude-sonnet-4-5", max_tokens = 64000, one_sampling = true },
      { prefix = "claude-opus-4-5", max_tokens = 64000, one_sampling = true },
      { prefix = "claude-sonnet-4-6", max_tokens = 64000, one_sampling = true, thinking = "adaptive" },
      { prefix = "claude-opus-4-6", max_tokens = 128000, one_sampling = true, thinking = "adaptive" },
    },
  },
  errors = {
    { status = 400, type = "invalid_request_error", match = "prompt is too long", class = "context_length" },
    { status = 400, match = "credit balance is too low", class = "permission" },
  },
}
