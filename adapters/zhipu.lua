-- Zhipu AI, Z.AI: the GLM models. Facts from recorded traffic of api.z.ai (2026): reasoning_content in both
-- directions, a named tool_choice, usage when asked for, request_id in the body. The recordings went to the coding
-- plan's URL (https://api.z.ai/api/coding/paas/v4): set base_url to it for keys of that plan. From BerriAI/litellm
-- 1.109.1: the general URL, thinking = { type = … }, and that json_schema is not taken. From Z.AI's documentation as
-- it was in 2026: the Messages API below /api/anthropic. Not verified: its code for long prompts.
return {
  api = 1,
  doc = "Zhipu AI (api.z.ai), Chat Completions and Messages",
  dialects = { "openai.chat", "anthropic.messages" },
  base_url = "https://api.z.ai/api/paas/v4",
  paths = { ["anthropic.messages"] = "{origin}/api/anthropic/v1/messages" },
  auth = "bearer",
  environment = "ZAI_API_KEY",
  models = { "glm-5.3", "glm-5.3-flash", "glm-5.2", "glm-5.1", "glm-5", "glm-4.7", "glm-4.7-flash", "glm-4.6" },
  quirks = {
    reasoning = "thinking",
    json_schema = false,
    drops = {
      logit_bias = true, seed = true, n = true, frequency_penalty = true, presence_penalty = true, logprobs = true,
      top_logprobs = true, parallel_tool_calls = true, service_tier = true,
    },
  },
  errors = {
    { status = 400, code = "1261", class = "context_length" },
    { status = 429, code = "1113", class = "quota" },
  },
}
