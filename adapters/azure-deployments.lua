-- Azure OpenAI by deployment and dated version. base_url is "https://RESOURCE.openai.azure.com/openai"; the model is
-- the deployment's name and stands in the path. Facts from recorded traffic (2023-2026, api-version 2023-07-01-preview
-- to 2025-03-01-preview): paths. api-key header and version 2024-10-21, the last that is not a preview, from
-- Microsoft's documentation as it was in 2026. Another version: copy this file.
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
  quirks = {
    max_tokens_field = "max_completion_tokens",
    developer_role = true,
    usage_nulls = true,
    reasoning_history = "none",
    tool_id_max = 40,
    efforts = { low = true, medium = true, high = true },
  },
  errors = {
    { status = 400, code = "content_filter", class = "content_policy" },
    { status = 400, code = "context_length_exceeded", class = "context_length" },
    { status = 429, code = "insufficient_quota", class = "quota" },
  },
}
