-- DeepInfra. From BerriAI/litellm 1.109.1: URL, and that tool_choice is "auto" or "none" only. Not verified on
-- recorded traffic: there is none.
return {
  api = 1,
  doc = "DeepInfra (api.deepinfra.com), Chat Completions",
  dialect = "openai.chat",
  base_url = "https://api.deepinfra.com/v1/openai",
  auth = "bearer",
  environment = "DEEPINFRA_API_KEY",
  quirks = {
    tool_choice_required = "auto",
    drops = { logit_bias = true, parallel_tool_calls = true },
    models = {
      { prefix = "openai/gpt-oss", efforts = { low = true, medium = true, high = true } },
      { prefix = "", reasoning = "none" },
    },
  },
  errors = {
    { status = 402, class = "quota" },
    { status = 400, match = "maximum context length", class = "context_length" },
  },
}
