-- Reachable from elsewhere, with a virtual key for each user: clients never see the provider's keys.
-- `openssl rand -hex 24` makes a key; an operator's token guards the admin port.
return {
  listen = "0.0.0.0:8080",
  admin = { listen = "127.0.0.1:8081", token = env "MOONGATE_ADMIN_TOKEN" },
  providers = {
    openai = { keys = { env "OPENAI_API_KEY_1", env "OPENAI_API_KEY_2" } }, -- they take turns
    anthropic = { keys = { env "ANTHROPIC_API_KEY" } },
  },
  routes = {
    fast = { targets = { "openai/gpt-5-mini", "anthropic/claude-haiku-4-5" } },
    smart = { targets = { "anthropic/claude-sonnet-4-5", "openai/gpt-5" } },
  },
  teams = { search = {}, support = {} },
  keys = {
    { name = "search-prod", team = "search", key = env "SEARCH_KEY" },
    { name = "support-bot", team = "support", key = env "SUPPORT_KEY", models = { "fast" } },
  },
  trace = { file = "traces.jsonl" },
}
