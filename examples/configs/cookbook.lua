-- Each policy of examples/policies in a route of its own, with what it needs.
local small, large = "openai/gpt-5-mini", "anthropic/claude-sonnet-4-5"

return {
  providers = {
    openai = { keys = { env "OPENAI_API_KEY" } },
    anthropic = { keys = { env "ANTHROPIC_API_KEY" } },
  },
  routes = {
    tiered = {
      policy = "../policies/tiered.lua",
      pools = { small = { small }, large = { large }, backup = { "openai/gpt-5" } },
      options = { limit = 4000 },
    },
    cheapest = { policy = "../policies/cheapest.lua", targets = { large, small, "openai/gpt-5-nano" } },
    sticky = { policy = "../policies/sticky.lua", targets = { small, large } },
    fastest = { policy = "../policies/fastest.lua", targets = { small, large } },
    team_pools = {
      policy = "../policies/team_pools.lua",
      pools = { search = { large } },
      options = { teams = { "search" } },
    },
    retry_once = { policy = "../policies/retry_once.lua", targets = { small, large } },
    classifier = { policy = "../policies/classifier.lua", pools = { easy = { small }, hard = { large } } },
  },
  upstreams = { classifier = { base_url = "http://127.0.0.1:9100", key = env "CLASSIFIER_KEY" } },
  teams = { search = {} },
  keys = { { name = "search-prod", team = "search", key = env "SEARCH_KEY" } },
}
