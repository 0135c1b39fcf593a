-- Ollama, on your own machine or at ollama.com (base_url = "https://ollama.com/v1", with a key). Facts from recorded
-- traffic (2025-2026): URL, thinking under `reasoning`, json_schema, images, usage when asked for. It serves Chat
-- Completions below /v1; its own API (/api/chat) is not spoken here.
return {
  api = 1,
  doc = "Ollama (127.0.0.1:11434), Chat Completions",
  dialect = "openai.chat",
  base_url = "http://127.0.0.1:11434/v1",
  auth = "bearer",
  quirks = {
    reasoning_off = "none",
    efforts = { low = true, medium = true, high = true },
    reasoning_history = "reasoning",
    drops = { logit_bias = true, n = true, logprobs = true, top_logprobs = true, parallel_tool_calls = true },
  },
  errors = {
    { status = 404, match = "not found", class = "not_found" },
    { status = 400, match = "exceeds the context", class = "context_length" },
  },
}
