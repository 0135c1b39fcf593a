-- Azure OpenAI and Foundry, the v1 API. base_url is the resource's: "https://RESOURCE.openai.azure.com/openai/v1" (or
-- .services.ai.azure.com); the model is the deployment's name. Facts from recorded traffic (2024-2026): URL, Chat
-- Completions, Responses and embeddings, prompt_filter_results and content_filter_results, cached tokens of Grok
-- beside the prompt, the error RateLimitReached. From Microsoft's documentation (api-version-lifecycle, stored copy of
-- 2026): api-key header, no api-version. For dated versions there is adapters/azure-deployments.lua.
-- It does not know which model a deployment has: name it like the model, or put its price into `prices`.
local azure = require("gw.azure")

return {
  api = 1,
  doc = "Azure OpenAI and Foundry, v1 API: Chat Completions and Responses; set base_url",
  dialects = { "openai.chat", "openai.responses" },
  auth = { header = "api-key" },
  environment = "AZURE_OPENAI_API_KEY",
  quirks = azure.quirks,
  errors = azure.errors,
}
