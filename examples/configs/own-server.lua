-- A server of your own that speaks Chat Completions (vLLM, llama.cpp, Ollama …), with a provider behind it.
-- Prices of your own keep the cost in traces and metrics right.
return {
  providers = {
    own = { adapter = "openai-compatible", base_url = "http://127.0.0.1:8000/v1", timeouts = { connect = "500ms" } },
    openai = { keys = { env "OPENAI_API_KEY" } },
  },
  routes = {
    chat = { targets = { "own/llama-3.1-8b", "openai/gpt-5-mini" } },
  },
  prices = {
    ["own/llama-3.1-8b"] = { input = "0.02", output = "0.06", date = "2026-11-01", source = "our own power bill" },
  },
}
