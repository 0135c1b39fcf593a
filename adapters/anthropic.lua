-- Anthropic's own API. Facts, from stored public copies: the model overviews of platform.claude.com (to 2026-10) for
-- output limits and thinking of claude-sonnet-4-5, -4-6 and the 5 series, BerriAI/litellm
-- model_prices_and_context_window.json (commit 00035b69f416, 2026-07) for the others, anomalyco/models.dev (commit
-- 0f899d76d45b) for claude-3-sonnet, Anthropic's "Structured outputs" page (2026-03) and its migration guides.
-- max_tokens is what is sent when the client names none; it is the model's own limit, so that no answer is cut short
-- in silence.
-- What models refuse with status 400, from Anthropic's migration guides (models/MODEL/migration-guide, to 2026-11):
-- since claude-opus-4-7 and in the 5 series temperature, top_p and top_k other than their defaults, and budgets of
-- thinking; claude-fable-5 and claude-opus-5-5 thinking switched off, claude-sonnet-5-5 the word "disabled" for it;
-- claude-fable-5-1, claude-opus-5-5 and claude-sonnet-5-5 a forced tool. Those are not sent to them, and are losses.
-- The values in front of the list are for models not in it: 32000 is within the limit of every model since
-- claude-opus-4, the rest is the careful side. Not verified at the source: sampling of the 4 series, which rests on
-- users' reports of the provider's answer (Anthropic's guides say it of claude-haiku-4-5) and is the careful side for
-- claude-opus-4 and claude-sonnet-4.
-- It does not list prices; those are in adapters/models/. Nor does it know who refuses a conversation that ends with
-- the assistant's words (models since claude-opus-4-6): the provider says so.
local claude_models = require("gw.claude_models")

return {
  api = 1,
  doc = "Anthropic (api.anthropic.com), Messages",
  dialect = "anthropic.messages",
  base_url = "https://api.anthropic.com/v1",
  auth = "x-api-key",
  headers = { ["anthropic-version"] = "2023-06-01" },
  environment = "ANTHROPIC_API_KEY",
  models = {
    "claude-fable-5-1", "claude-fable-5", "claude-opus-5-5", "claude-opus-5", "claude-sonnet-5-5", "claude-sonnet-5",
    "claude-haiku-5-5", "claude-opus-4-8", "claude-opus-4-7", "claude-opus-4-6", "claude-sonnet-4-6", "claude-opus-4-5",
    "claude-sonnet-4-5", "claude-haiku-4-5",
  },
  quirks = claude_models.quirks(),
  errors = {
    { status = 400, type = "invalid_request_error", match = "prompt is too long", class = "context_length" },
    { status = 400, match = "credit balance is too low", class = "quota" },
  },
}
