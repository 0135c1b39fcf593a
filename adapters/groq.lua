-- Groq. Facts from recorded traffic (2025-2026): URL, usage also under x_groq, thinking under `reasoning`, the error
-- tool_use_failed (the model's call did not parse: another try may succeed). From Groq's documentation as it was in
-- 2025: logprobs, top_logprobs and logit_bias are refused. Efforts of gpt-oss from the model's card. Not verified: the
-- class of 413, which Groq's reports of users call a token rate limit.
-- It does not carry thinking of earlier turns.
return {
  api = 1,
  doc = "Groq (api.groq.com), Chat Completions",
  dialect = "openai.chat",
  base_url = "https://api.groq.com/openai/v1",
  auth = "bearer",
  environment = "GROQ_API_KEY",
  models = { "openai/gpt-oss-120b", "openai/gpt-oss-20b", "whisper-large-v3", "whisper-large-v3-turbo" },
  quirks = {
    max_tokens_field = "max_completion_tokens",
    reasoning_history = "none",
    drops = { logprobs = true, top_logprobs = true, logit_bias = true },
    models = {
      { prefix = "openai/gpt-oss", efforts = { low = true, medium = true, high = true } },
      { prefix = "", reasoning = "none" },
    },
  },
  errors = {
    { status = 400, code = "tool_use_failed", class = "bad_answer" },
    { status = 400, code = "context_length_exceeded", class = "context_length" },
    { status = 413, code = "rate_limit_exceeded", class = "rate_limited" },
  },
}
