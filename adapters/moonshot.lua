-- Moonshot AI, Kimi. From Moonshot's documentation (platform.kimi.ai/docs/api/overview, as quoted in public pages of
-- 2026): URL, Chat Completions, Responses, and the Messages API below /anthropic, all with a Bearer key; thinking = {
-- type = … } of kimi-k2.5 and later. From BerriAI/litellm 1.109.1: max_tokens, efforts of kimi-k3, and that
-- tool_choice "required" is not taken; from users' reports (2026): that parallel_tool_calls and the penalties are
-- refused. From recorded traffic of Kimi models at other hosts (2026): reasoning_content in both directions. Not
-- verified on recorded traffic of its own: there is none. For mainland China: base_url = "https://api.moonshot.cn/v1".
return {
  api = 1,
  doc = "Moonshot AI (api.moonshot.ai), Chat Completions, Responses and Messages",
  dialects = { "openai.chat", "openai.responses", "anthropic.messages" },
  base_url = "https://api.moonshot.ai/v1",
  paths = { ["anthropic.messages"] = "{origin}/anthropic/v1/messages" },
  auth = "bearer",
  environment = "MOONSHOT_API_KEY",
  models = { "kimi-k3.1-pro", "kimi-k3", "kimi-k2.7-code", "kimi-k2.6", "kimi-k2.5" },
  quirks = {
    tool_choice_required = "auto",
    drops = {
      logit_bias = true, seed = true, parallel_tool_calls = true, service_tier = true, frequency_penalty = true,
      presence_penalty = true,
    },
    models = {
      { prefix = "kimi-k3", efforts = { low = true, high = true, max = true } },
      { prefix = "kimi-k2", reasoning = "thinking" },
      { prefix = "", reasoning = "none" },
    },
  },
  errors = {
    { status = 400, match = "exceeded model token limit", class = "context_length" },
    { status = 429, type = "exceeded_current_quota_error", class = "quota" },
  },
}
