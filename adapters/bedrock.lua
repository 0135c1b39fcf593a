-- Amazon Bedrock's Converse, for all models that it serves; the model is a model id, an inference profile or an ARN.
-- Keys: a Bedrock API key (sent as Bearer), or an AWS access key (providers.NAME.aws), with which each call is signed.
-- Facts: Amazon Bedrock user guide, "Supported models and model features" (Converse, prompt caching) and "Structured
-- outputs"; API reference, "ToolChoice" (any: Claude, Mistral Large, Nova; tool: Claude, Nova); recorded exchanges.
-- Claude's own limits: lua/gw/claude_models.lua. Not verified at the source: that families without a rule below take
-- toolChoice and cachePoint; the provider says so where they do not.
-- It does not list prices, nor models' limits; those are in adapters/models/.
local claude_models = require("gw.claude_models")

local rules = claude_models.rules("anthropic.", true)
for _, rule in ipairs {
  { prefix = "amazon.nova", structured_output = false },
  { prefix = "amazon.titan", structured_output = false, cache_points = false, tool_choice = false, system = false },
  { prefix = "meta.", structured_output = false, cache_points = false, tool_choice = false },
  { prefix = "mistral.mistral-7b", structured_output = false, cache_points = false, tool_choice = false,
    system = false },
  { prefix = "mistral.mixtral", structured_output = false, cache_points = false, tool_choice = false,
    system = false },
  { prefix = "mistral.", cache_points = false },
  { prefix = "cohere.", structured_output = false, cache_points = false, tool_choice = false },
  { prefix = "ai21.", structured_output = false, cache_points = false, tool_choice = false },
  { prefix = "deepseek.", cache_points = false },
  { prefix = "openai.", cache_points = false },
  { prefix = "qwen.", cache_points = false },
} do
  rules[#rules + 1] = rule
end

return {
  api = 1,
  doc = "Amazon Bedrock, Converse; set region, and keys or aws",
  dialect = "bedrock.converse",
  base_url = "https://bedrock-runtime.{region}.amazonaws.com",
  auth = "aws-sigv4",
  quirks = { models = rules },
  errors = {
    { status = 400, match = "input is too long", class = "context_length" },
    { status = 400, match = "maximum tokens you requested exceeds", class = "invalid" },
    { status = 400, match = "too many tokens", class = "context_length" },
    { status = 400, match = "exceeds the maximum number of input tokens", class = "context_length" },
    { status = 400, match = "on-demand throughput", class = "not_found" },
    { status = 400, match = "provided model identifier is invalid", class = "not_found" },
    { status = 400, match = "security token", class = "auth" },
    { status = 403, match = "is not authorized to perform", class = "auth" },
    { status = 424, class = "server_error" },
    { status = 429, match = "too many tokens per day", class = "quota" },
    { status = 429, match = "model is not ready", class = "overloaded" },
  },
}
