-- Novita AI. From BerriAI/litellm 1.109.1 and recorded traffic of Hugging Face's router to it (2025): URL. Not
-- verified: its errors.
return {
  api = 1,
  doc = "Novita AI (api.novita.ai), Chat Completions",
  dialect = "openai.chat",
  base_url = "https://api.novita.ai/v3/openai",
  auth = "bearer",
  environment = "NOVITA_API_KEY",
  quirks = {
    top_k = true,
    models = {
      { prefix = "openai/gpt-oss", efforts = { low = true, medium = true, high = true } },
      { prefix = "", reasoning = "none" },
    },
  },
  errors = {
    { status = 403, match = "NOT_ENOUGH_BALANCE", class = "quota" },
    { status = 400, match = "maximum context length", class = "context_length" },
  },
}
