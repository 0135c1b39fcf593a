-- Any server that speaks Chat Completions: vLLM, llama.cpp, Ollama, Groq, DeepSeek, OpenRouter and so on. The URL comes
-- from the config (providers.NAME.base_url).
-- It does not assume OpenAI's newer fields: max_tokens is sent under its old name, developer becomes system.
return {
  api = 1,
  doc = "a server with OpenAI's Chat Completions API; set base_url",
  dialect = "openai.chat",
  auth = "bearer",
  quirks = {
    max_tokens_field = "max_tokens",
    reasoning_history = "reasoning_content",
  },
  errors = {
    { status = 400, match = "maximum context length", class = "context_length" },
    { status = 400, match = "exceeds the available context", class = "context_length" },
  },
}
