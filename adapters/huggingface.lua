-- Hugging Face Inference Providers, a router in front of others. Facts from recorded traffic (2025-2026): URL, names
-- such as "moonshotai/Kimi-K2-Instruct-0905:groq" that choose who answers, usage when asked for. What is taken depends
-- on who answers.
-- It has no prices of its own: those of the provider behind hold; give rows in `prices`.
return {
  api = 1,
  doc = "Hugging Face Inference Providers (router.huggingface.co), Chat Completions",
  dialect = "openai.chat",
  base_url = "https://router.huggingface.co/v1",
  auth = "bearer",
  environment = "HF_TOKEN",
  quirks = {
    reasoning_history = "none",
    models = {
      { prefix = "openai/gpt-oss", efforts = { low = true, medium = true, high = true } },
      { prefix = "", reasoning = "none" },
    },
  },
  errors = {
    { status = 402, class = "quota" },
    { status = 400, match = "maximum context length", class = "context_length" },
  },
}
