-- Databricks model serving. base_url is the workspace's: "https://WORKSPACE.cloud.databricks.com/serving-endpoints";
-- the model is the serving endpoint's name. From Databricks' documentation of its Foundation Model APIs as it was in
-- 2026. Not verified on recorded traffic: there is none.
return {
  api = 1,
  doc = "Databricks model serving, Chat Completions; set base_url",
  dialect = "openai.chat",
  auth = "bearer",
  environment = "DATABRICKS_TOKEN",
  quirks = {
    reasoning_history = "none",
    drops = { logit_bias = true, seed = true, parallel_tool_calls = true, service_tier = true, user = true },
    models = {
      { prefix = "databricks-gpt", efforts = { low = true, medium = true, high = true } },
      { prefix = "", reasoning = "none" },
    },
  },
  errors = {
    { status = 400, match = "maximum context length", class = "context_length" },
    { status = 403, match = "rate limit of 0", class = "quota" },
  },
}
