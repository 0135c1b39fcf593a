-- Hyperbolic. From BerriAI/litellm 1.109.1: URL and the parameters that it takes. Not verified on recorded traffic:
-- there is none.
return {
  api = 1,
  doc = "Hyperbolic (api.hyperbolic.xyz), Chat Completions",
  dialect = "openai.chat",
  base_url = "https://api.hyperbolic.xyz/v1",
  auth = "bearer",
  environment = "HYPERBOLIC_API_KEY",
  quirks = {
    reasoning = "none",
    drops = { logit_bias = true, parallel_tool_calls = true, service_tier = true },
  },
  errors = { { status = 400, match = "maximum context length", class = "context_length" } },
}
