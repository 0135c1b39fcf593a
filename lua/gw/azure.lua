-- What OpenAI's models on Azure take and how their errors are told, whichever of Azure's APIs serves them: quirks and
-- rules for errors of adapters/azure.lua and adapters/azure-deployments.lua. Facts and their sources: see there.
-- It does not know URLs, keys or which model a deployment has.

return {
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
