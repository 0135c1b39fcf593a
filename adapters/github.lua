-- GitHub Models. From docs.github.com (github-models/quickstart and rest/models/inference, stored copies of 2026):
-- URL, auth, version header, names as "openai/gpt-4.1". The key is a token with the models permission. Not verified on
-- recorded traffic: there is none. It is free within limits, or billed by units of its own: give rows in `prices` to
-- count it.
return {
  api = 1,
  doc = "GitHub Models (models.github.ai), Chat Completions",
  dialect = "openai.chat",
  base_url = "https://models.github.ai/inference",
  auth = "bearer",
  headers = { ["x-github-api-version"] = "2022-11-28" },
  environment = "GITHUB_MODELS_TOKEN",
  quirks = {
    reasoning_history = "none",
    drops = { logit_bias = true, user = true, n = true, parallel_tool_calls = true, service_tier = true },
    models = {
      { prefix = "openai/gpt-5", max_tokens_field = "max_completion_tokens",
        efforts = { low = true, medium = true, high = true }, sampling = "none" },
      { prefix = "openai/o", max_tokens_field = "max_completion_tokens",
        efforts = { low = true, medium = true, high = true }, sampling = "none" },
      { prefix = "", reasoning = "none" },
    },
  },
  errors = {
    { status = 413, code = "tokens_limit_reached", class = "context_length" },
    { status = 400, code = "content_filter", class = "content_policy" },
  },
}
