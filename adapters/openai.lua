-- OpenAI's own API. Facts: OpenAI API reference, "Models" and "Reasoning" (read 2026-11).
-- It does not list prices; those are in the price table.
return {
  api = 1,
  doc = "OpenAI (api.openai.com), Chat Completions",
  dialect = "openai.chat",
  base_url = "https://api.openai.com/v1",
  auth = "bearer",
  environment = "OPENAI_API_KEY",
  models = {
    "gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano", "gpt-4o", "gpt-4o-mini", "o3",
    "o3-mini", "o4-mini",
  },
  quirks = {
    max_tokens_field = "max_completion_tokens",
    developer_role = true,
    -- Thinking of earlier turns has no place in Chat Completions; unknown message fields are refused.
    reasoning_history = "none",
    tool_id_max = 40,
    models = {
      { prefix = "o1", reasoning = "effort" },
      { prefix = "o3", reasoning = "effort" },
      { prefix = "o4", reasoning = "effort" },
      { prefix = "gpt-5-chat", reasoning = "none" },
      { prefix = "gpt-5.", reasoning = "effort", reasoning_off = "none" },
      { prefix = "gpt-5", reasoning = "effort", reasoning_off = "minimal" },
      { prefix = "", reasoning = "none" },
    },
  },
  errors = {
    { status = 400, code = "context_length_exceeded", class = "context_length" },
    { status = 429, code = "insufficient_quota", class = "permission" },
  },
}
