-- Nebius Token Factory (AI Studio before). From docs.tokenfactory.nebius.com (api-reference/introduction, stored copy
-- of 2026): URL and auth. Not verified on recorded traffic: there is none.
return {
  api = 1,
  doc = "Nebius Token Factory (api.tokenfactory.nebius.com), Chat Completions",
  dialect = "openai.chat",
  base_url = "https://api.tokenfactory.nebius.com/v1",
  auth = "bearer",
  environment = "NEBIUS_API_KEY",
  quirks = {
    models = {
      { prefix = "openai/gpt-oss", efforts = { low = true, medium = true, high = true } },
      { prefix = "", reasoning = "none" },
    },
  },
  errors = { { status = 400, match = "maximum context length", class = "context_length" } },
}
