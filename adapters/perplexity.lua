-- Perplexity, Sonar. Facts from recorded traffic (2025-2026): URL without a version, usage in every chunk without
-- being asked for, the cost of each answer in usage.cost.total_cost, `citations` and `search_results` beside the
-- choices, the error type too_many_prompt_tokens. From BerriAI/litellm 1.109.1: the parameters that it takes.
-- It does not take tools: requests with tools reach it without them, a loss.
return {
  api = 1,
  doc = "Perplexity (api.perplexity.ai), Chat Completions with search",
  dialect = "openai.chat",
  base_url = "https://api.perplexity.ai",
  auth = "bearer",
  environment = "PERPLEXITY_API_KEY",
  tells_cost = true,
  models = { "sonar", "sonar-pro", "sonar-reasoning-pro", "sonar-deep-research" },
  quirks = {
    stream_usage = false,
    reasoning_history = "none",
    drops = {
      tools = true, tool_choice = true, parallel_tool_calls = true, stop = true, seed = true, n = true, logprobs = true,
      top_logprobs = true, logit_bias = true, user = true, service_tier = true,
    },
    models = {
      { prefix = "sonar-deep-research", efforts = { low = true, medium = true, high = true } },
      { prefix = "", reasoning = "none" },
    },
  },
  errors = { { status = 400, type = "too_many_prompt_tokens", class = "context_length" } },
}
