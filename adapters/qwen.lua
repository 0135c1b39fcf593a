-- Qwen at Alibaba Cloud's Model Studio (DashScope), international. From Alibaba's documentation as it was in 2026 and
-- BerriAI/litellm 1.109.1: URL and auth. Not verified on recorded traffic: there is none. For mainland China: base_url
-- = "https://dashscope.aliyuncs.com/compatible-mode/v1".
-- It does not switch thinking on and off: that is a field of Qwen's own (enable_thinking), and a loss here.
return {
  api = 1,
  doc = "Qwen (dashscope-intl.aliyuncs.com), Chat Completions",
  dialect = "openai.chat",
  base_url = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
  auth = "bearer",
  environment = "DASHSCOPE_API_KEY",
  models = { "qwen3-max", "qwen-plus", "qwen-flash", "qwen-turbo", "qwq-plus" },
  quirks = {
    reasoning = "none",
    top_k = true,
    drops = { logit_bias = true, user = true, service_tier = true },
  },
  errors = {
    { status = 400, match = "Range of input length", class = "context_length" },
    { status = 400, code = "Arrearage", class = "quota" },
    { status = 400, code = "data_inspection_failed", class = "content_policy" },
  },
}
