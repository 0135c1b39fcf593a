-- vLLM's server, on your own machine. Facts from recorded traffic (2024-2025): URL. From vLLM's documentation as it
-- was in 2026: top_k, reasoning_content, the wording of its error for long prompts.
return {
  api = 1,
  doc = "vLLM (127.0.0.1:8000), Chat Completions",
  dialect = "openai.chat",
  base_url = "http://127.0.0.1:8000/v1",
  auth = "bearer",
  quirks = { top_k = true, efforts = { low = true, medium = true, high = true } },
  errors = { { status = 400, match = "maximum context length", class = "context_length" } },
}
