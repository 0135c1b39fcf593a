-- Together AI. Facts from recorded traffic (2024-2026): URL (api.together.ai; api.together.xyz before), top_k, usage
-- at the end of streams without being asked for, finish reason "eos", cached_tokens in usage itself. Not verified:
-- which of its models take reasoning_effort.
return {
  api = 1,
  doc = "Together AI (api.together.ai), Chat Completions",
  dialect = "openai.chat",
  base_url = "https://api.together.ai/v1",
  auth = "bearer",
  environment = "TOGETHER_API_KEY",
  quirks = {
    top_k = true,
    stream_usage = false,
    drops = { service_tier = true },
    models = {
      { prefix = "openai/gpt-oss", efforts = { low = true, medium = true, high = true } },
      { prefix = "moonshotai/Kimi-K3", efforts = { low = true, high = true, max = true } },
      { prefix = "", reasoning = "none" },
    },
  },
  errors = { { status = 422, match = "max_new_tokens", class = "context_length" } },
}
