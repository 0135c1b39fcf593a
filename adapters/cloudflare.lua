-- Cloudflare Workers AI. base_url holds the account: "https://api.cloudflare.com/client/v4/accounts/ACCOUNT/ai/v1".
-- From developers.cloudflare.com (workers-ai/configuration/open-ai-compatibility, stored copy of 2026): URL, auth,
-- embeddings. Models are named "@cf/OWNER/NAME". Not verified on recorded traffic: there is none.
return {
  api = 1,
  doc = "Cloudflare Workers AI, Chat Completions; set base_url",
  dialect = "openai.chat",
  auth = "bearer",
  environment = "CLOUDFLARE_API_TOKEN",
  quirks = {
    reasoning = "none",
    top_k = true,
    stream_usage = false,
    drops = { logit_bias = true, n = true, user = true, logprobs = true, top_logprobs = true, service_tier = true },
  },
  errors = {
    { status = 413, class = "context_length" },
    { status = 400, match = "context window", class = "context_length" },
  },
}
