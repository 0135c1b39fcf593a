-- OpenRouter. Facts from recorded traffic (2025-2026): URL, Chat Completions and Responses, reasoning = {…}, thinking
-- under `reasoning` and `reasoning_details`, cache_control on parts, errors with a number as code, comments in
-- streams, the cost of each answer in usage.cost (credits, of one dollar each).
-- It does not know what the model behind a name refuses: OpenRouter leaves out what that one does not take.
return {
  api = 1,
  doc = "OpenRouter (openrouter.ai), Chat Completions and Responses",
  dialects = { "openai.chat", "openai.responses" },
  base_url = "https://openrouter.ai/api/v1",
  auth = "bearer",
  environment = "OPENROUTER_API_KEY",
  tells_cost = true,
  quirks = {
    reasoning = "object",
    efforts = { minimal = true, low = true, medium = true, high = true, xhigh = true },
    reasoning_history = "reasoning",
    cache_control = true,
    top_k = true,
  },
  errors = {
    { status = 402, class = "quota" },
    { status = 403, match = "moderation", class = "content_policy" },
    { status = 400, match = "maximum context length", class = "context_length" },
  },
}
