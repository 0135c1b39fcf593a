-- Cerebras. Facts from recorded traffic (2025-2026): URL, thinking under `reasoning`, usage without reasoning tokens.
-- From BerriAI/litellm 1.109.1: max_completion_tokens, seed, stop, tools, response_format; the penalties, logit_bias
-- and n are not among what it takes. Not verified: the wording of its error for long prompts.
return {
  api = 1,
  doc = "Cerebras (api.cerebras.ai), Chat Completions",
  dialect = "openai.chat",
  base_url = "https://api.cerebras.ai/v1",
  auth = "bearer",
  environment = "CEREBRAS_API_KEY",
  models = { "gpt-oss-120b", "qwen-3.8-27b", "gemma-4-31b" },
  quirks = {
    max_tokens_field = "max_completion_tokens",
    reasoning_history = "reasoning",
    drops = { frequency_penalty = true, presence_penalty = true, logit_bias = true, n = true, service_tier = true },
    models = {
      { prefix = "gpt-oss", efforts = { low = true, medium = true, high = true } },
      { prefix = "", reasoning = "none" },
    },
  },
  errors = {
    { status = 400, code = "context_length_exceeded", class = "context_length" },
    { status = 402, class = "quota" },
  },
}
