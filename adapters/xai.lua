-- xAI. Facts from recorded traffic (2025-2026): URL, Chat Completions and Responses, reasoning_content, reasoning
-- tokens beside completion_tokens, the cost of each answer in usage.cost_in_usd_ticks. From BerriAI/litellm 1.109.1
-- and xAI's documentation as it was in 2025: reasoning models refuse stop, frequency_penalty and presence_penalty;
-- grok-3-mini takes the efforts low and high. Not verified: which later models take an effort, and that a wrong key is
-- status 400.
return {
  api = 1,
  doc = "xAI (api.x.ai), Chat Completions and Responses",
  dialects = { "openai.chat", "openai.responses" },
  base_url = "https://api.x.ai/v1",
  auth = "bearer",
  environment = "XAI_API_KEY",
  tells_cost = true,
  models = { "grok-4.7", "grok-4.6", "grok-4.5", "grok-4.3", "grok-4.20", "grok-code-fast-1" },
  quirks = {
    max_tokens_field = "max_completion_tokens",
    drops = { logit_bias = true },
    models = {
      { prefix = "grok-3-mini", efforts = { low = true, high = true } },
      { prefix = "grok-4", reasoning = "none",
        drops = { logit_bias = true, stop = true, frequency_penalty = true, presence_penalty = true } },
      { prefix = "grok-code", reasoning = "none",
        drops = { logit_bias = true, stop = true, frequency_penalty = true, presence_penalty = true } },
      { prefix = "", reasoning = "none" },
    },
  },
  errors = {
    { status = 400, match = "Incorrect API key", class = "auth" },
    { status = 400, match = "maximum prompt length", class = "context_length" },
  },
}
