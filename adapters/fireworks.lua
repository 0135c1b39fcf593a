-- Fireworks AI. From BerriAI/litellm 1.109.1: URL, top_k, reasoning_effort, stream_options, parallel_tool_calls.
-- Models are named "accounts/fireworks/models/NAME". Not verified on recorded traffic: there is none.
return {
  api = 1,
  doc = "Fireworks AI (api.fireworks.ai), Chat Completions",
  dialect = "openai.chat",
  base_url = "https://api.fireworks.ai/inference/v1",
  auth = "bearer",
  environment = "FIREWORKS_API_KEY",
  quirks = { top_k = true, efforts = { low = true, medium = true, high = true } },
  errors = {
    { status = 400, match = "maximum context length", class = "context_length" },
    { status = 400, match = "prompt is too long", class = "context_length" },
    { status = 412, class = "quota" },
  },
}
