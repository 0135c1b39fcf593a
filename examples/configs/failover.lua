-- Two accounts with different APIs behind one name. When the first fails before its first content, the second answers.
return {
  providers = {
    openai = { keys = { env "OPENAI_API_KEY" }, timeouts = { connect = "2s", first_token = "20s" } },
    anthropic = { keys = { env "ANTHROPIC_API_KEY" } },
  },
  routes = {
    chat = { targets = { "openai/gpt-5-mini", "anthropic/claude-haiku-4-5" } },
    -- Three of four requests begin with the first; the other target stands behind in either case.
    split = {
      policy = "weighted",
      targets = { { "openai/gpt-5-mini", weight = 3 }, { "anthropic/claude-haiku-4-5", weight = 1 } },
    },
    -- Each request goes to the one that has less to do and answers sooner.
    spread = { policy = "least_loaded", targets = { "openai/gpt-5-mini", "anthropic/claude-haiku-4-5" } },
  },
  trace = { file = "traces.jsonl" },
}
