-- NVIDIA's hosted NIM microservices. From BerriAI/litellm 1.109.1: URL and the parameters that it takes. Not verified
-- on recorded traffic: there is none. NVIDIA lists no prices for them: estimate_price is counted, or give rows in
-- `prices`.
return {
  api = 1,
  doc = "NVIDIA NIM (integrate.api.nvidia.com), Chat Completions",
  dialect = "openai.chat",
  base_url = "https://integrate.api.nvidia.com/v1",
  auth = "bearer",
  environment = "NVIDIA_API_KEY",
  quirks = {
    reasoning = "none",
    stream_usage = false,
    drops = { user = true, logit_bias = true, n = true, service_tier = true },
  },
  errors = { { status = 400, match = "maximum context length", class = "context_length" } },
}
