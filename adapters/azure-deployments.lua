-- Azure OpenAI by deployment and dated version. base_url is "https://RESOURCE.openai.azure.com/openai"; the model is
-- the deployment's name and stands in the path. Facts from recorded traffic (2023-2026, api-version 2023-07-01-preview
-- to 2025-03-01-preview): paths. api-key header and version 2024-10-21, the last that is not a preview, from
-- Microsoft's documentation as it was in 2026. Another version: copy this file.
local azure = require("gw.azure")

return {
  api = 1,
  doc = "Azure OpenAI, deployments with an api-version: Chat Completions; set base_url",
  dialect = "openai.chat",
  paths = {
    chat = "/deployments/{model}/chat/completions?api-version=2024-10-21",
    embeddings = "/deployments/{model}/embeddings?api-version=2024-10-21",
  },
  auth = { header = "api-key" },
  catalogue = "azure",
  quirks = azure.quirks,
  errors = azure.errors,
}
