-- DeepSeek. Facts from recorded traffic (2025-2026): URL, Chat Completions and Responses, reasoning_content in both
-- directions, thinking = { type = "disabled" }, reasoning_effort, cache counts under prompt_cache_hit_tokens, images
-- and files refused. From api-docs.deepseek.com (guides/anthropic_api, stored copy of 2026): the Messages API below
-- /anthropic. Not verified: that it takes the key as Bearer there too (documented for Claude Code in 2025). From
-- users' reports: response_format json_schema is refused. From its guide to Chat Prefix Completion: answers are gone on
-- with only below /beta.
return {
  api = 1,
  doc = "DeepSeek (api.deepseek.com), Chat Completions, Responses and Messages",
  dialects = { "openai.chat", "openai.responses", "anthropic.messages" },
  base_url = "https://api.deepseek.com",
  paths = { ["anthropic.messages"] = "{origin}/anthropic/v1/messages" },
  auth = "bearer",
  environment = "DEEPSEEK_API_KEY",
  models = { "deepseek-flash", "deepseek-v4-pro", "deepseek-v4-flash", "deepseek-chat", "deepseek-reasoner" },
  quirks = {
    reasoning = "thinking",
    efforts = { low = true, medium = true, high = true },
    json_schema = false,
    prefill = "none",
    drops = { logit_bias = true, seed = true, user = true, n = true, service_tier = true },
  },
  errors = {
    { status = 400, match = "maximum context length", class = "context_length" },
    { status = 402, class = "quota" },
  },
}
