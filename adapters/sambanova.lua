-- SambaNova. From BerriAI/litellm 1.109.1: URL and the parameters that it takes; the penalties, seed, n, logprobs and
-- logit_bias are not among them. Not verified on recorded traffic: there is none.
return {
  api = 1,
  doc = "SambaNova (api.sambanova.ai), Chat Completions",
  dialect = "openai.chat",
  base_url = "https://api.sambanova.ai/v1",
  auth = "bearer",
  environment = "SAMBANOVA_API_KEY",
  quirks = {
    top_k = true,
    drops = {
      frequency_penalty = true, presence_penalty = true, seed = true, n = true, logprobs = true, top_logprobs = true,
      logit_bias = true, user = true, service_tier = true,
    },
    models = {
      { prefix = "gpt-oss", efforts = { low = true, medium = true, high = true } },
      { prefix = "", reasoning = "none" },
    },
  },
  errors = { { status = 400, match = "maximum context length", class = "context_length" } },
}
