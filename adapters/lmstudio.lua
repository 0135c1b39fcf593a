-- LM Studio's server, on your own machine. From lmstudio.ai's documentation as it was in 2026 and BerriAI/litellm
-- 1.109.1: URL, and that it takes JSON with a schema only. Not verified on recorded traffic: there is none.
return {
  api = 1,
  doc = "LM Studio (127.0.0.1:1234), Chat Completions",
  dialect = "openai.chat",
  base_url = "http://127.0.0.1:1234/v1",
  auth = "bearer",
  quirks = { top_k = true, reasoning = "none", drops = { n = true, parallel_tool_calls = true, service_tier = true } },
  errors = { { status = 400, match = "context length", class = "context_length" } },
}
