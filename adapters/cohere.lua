-- Cohere's API, second version. Facts from recorded traffic (2024-2026): URLs, `thinking` of command-a-reasoning and
-- command-a-plus, thinking of the latter without being asked for, error_type TOO_MANY_TOKENS. From Cohere's API
-- reference ("Chat", v2): tool_choice is for command-r7b and newer models only.
-- Not verified, and so on the careful side: that the other models refuse `thinking` in requests and in histories.
return {
  api = 1,
  doc = "Cohere (api.cohere.com), Chat, Embed and Rerank of the second version",
  dialect = "cohere.chat",
  base_url = "https://api.cohere.com/v2",
  auth = "bearer",
  environment = "COHERE_API_KEY",
  models = {
    "command-a-plus-05-2026", "command-a-reasoning-08-2025", "command-a-vision-07-2025", "command-a-translate-08-2025",
    "command-a-03-2025", "command-r7b-12-2024", "command-r-plus-08-2024", "command-r-08-2024", "embed-v4.0",
    "embed-english-v3.0", "embed-multilingual-v3.0", "rerank-v3.5",
  },
  quirks = {
    models = {
      { prefix = "command-a-plus" },
      { prefix = "command-a-reasoning" },
      { prefix = "command-r7b", thinking = "none", reasoning_history = "none" },
      { prefix = "command-r", thinking = "none", reasoning_history = "none", tool_choice = false },
      { prefix = "command", thinking = "none", reasoning_history = "none" },
    },
  },
  errors = {
    { status = 400, type = "TOO_MANY_TOKENS", class = "context_length" },
    { status = 400, match = "too many tokens", class = "context_length" },
    { status = 429, match = "Trial key", class = "quota" },
    { status = 498, class = "auth" },
  },
}
