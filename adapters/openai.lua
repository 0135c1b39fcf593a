-- OpenAI's own API. Facts, from stored public copies: OpenAI's model pages (api/docs/models, to 2026-11) for gpt-5.6
-- to gpt-6.2, BerriAI/litellm model_prices_and_context_window.json (commit 00035b69f416, 2026-07) for gpt-5 to gpt-5.5
-- and the o-series, a recorded answer for o1-mini. reasoning_off is named only for models whose source lists that
-- value. Efforts, from the API reference (chat, reasoning_effort) and the model pages: minimal is gpt-5's alone, xhigh
-- came with gpt-5.2, max with gpt-5.6. From the guide "Using GPT-6": with reasoning there is no temperature and no
-- top_p; gpt-6-sol and gpt-6-luna take tools on Chat Completions only without reasoning. Models before gpt-5.1 cannot
-- but reason, and the provider's answers say that they refuse both values.
-- Not verified, and so on the careful side: that o1-mini and gpt-5-chat take no reasoning_effort, tool_id_max, and that
-- gpt-5.1 to gpt-5.4, which do not reason unless told to, are sent temperature and top_p only when told not to.
-- Models that have no Chat Completions are called on the Responses API, for whoever speaks something else: from
-- BerriAI/litellm 1.109.1 (supported_endpoints).
-- It does not list prices, limits and capabilities; those are in adapters/models/openai.lua. Nor does it know which
-- models take tools only on the Responses API (gpt-6-astra, gpt-6.1-sol): the provider refuses such requests of Chat
-- clients.
local responses = { "openai.responses" }
local to_high = { low = true, medium = true, high = true }
local to_xhigh = { low = true, medium = true, high = true, xhigh = true }
local to_max = { low = true, medium = true, high = true, xhigh = true, max = true }

return {
  api = 1,
  doc = "OpenAI (api.openai.com), Chat Completions and Responses",
  dialects = { "openai.chat", "openai.responses" },
  model_dialects = {
    { prefix = "gpt-5-pro", dialects = responses },
    { prefix = "gpt-5.2-pro", dialects = responses },
    { prefix = "gpt-5.4-pro", dialects = responses },
    { prefix = "gpt-5.5-pro", dialects = responses },
    { prefix = "gpt-5-codex", dialects = responses },
    { prefix = "gpt-5.1-codex", dialects = responses },
    { prefix = "gpt-5.2-codex", dialects = responses },
    { prefix = "gpt-5.3-codex", dialects = responses },
    { prefix = "gpt-daybreak", dialects = responses },
    { prefix = "codex-mini", dialects = responses },
    { prefix = "o1-pro", dialects = responses },
    { prefix = "o3-pro", dialects = responses },
    { prefix = "o3-deep-research", dialects = responses },
    { prefix = "o4-mini-deep-research", dialects = responses },
    { prefix = "computer-use-preview", dialects = responses },
  },
  base_url = "https://api.openai.com/v1",
  auth = "bearer",
  environment = "OPENAI_API_KEY",
  models = {
    "gpt-6.2-sol", "gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-astra", "gpt-6-sol", "gpt-6-luna", "gpt-5.6-sol",
    "gpt-5.6-terra", "gpt-5.6-luna", "gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano", "gpt-5.2", "gpt-5.1",
    "gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-4.1", "gpt-4.1-mini", "gpt-4o", "gpt-4o-mini", "o3", "o3-mini",
    "o4-mini",
  },
  quirks = {
    max_tokens_field = "max_completion_tokens",
    developer_role = true,
    usage_nulls = true,
    -- Thinking of earlier turns has no place in Chat Completions; unknown message fields are refused.
    reasoning_history = "none",
    tool_id_max = 40,
    models = {
      { prefix = "o1-mini", reasoning = "none", developer_role = false, sampling = "none" },
      { prefix = "o1", reasoning = "effort", efforts = to_high, sampling = "none" },
      { prefix = "o3", reasoning = "effort", efforts = to_high, sampling = "none" },
      { prefix = "o4", reasoning = "effort", efforts = to_high, sampling = "none" },
      { prefix = "gpt-6.1-terra", reasoning = "effort", reasoning_off = "none", efforts = to_max,
        sampling = "without_reasoning" },
      { prefix = "gpt-6-sol", reasoning = "effort", reasoning_off = "none", efforts = to_max,
        sampling = "without_reasoning", tools_without_reasoning = true },
      { prefix = "gpt-6-luna", reasoning = "effort", reasoning_off = "none", efforts = to_max,
        sampling = "without_reasoning", tools_without_reasoning = true },
      { prefix = "gpt-6", reasoning = "effort", efforts = to_max, sampling = "none" },
      { prefix = "gpt-5-chat", reasoning = "none" },
      { prefix = "gpt-5.6", reasoning = "effort", reasoning_off = "none", efforts = to_max,
        sampling = "without_reasoning" },
      { prefix = "gpt-5.1", reasoning = "effort", reasoning_off = "none", efforts = to_high,
        sampling = "without_reasoning" },
      { prefix = "gpt-5.", reasoning = "effort", reasoning_off = "none", efforts = to_xhigh,
        sampling = "without_reasoning" },
      { prefix = "gpt-5", reasoning = "effort", reasoning_off = "minimal", sampling = "none" },
      { prefix = "", reasoning = "none" },
    },
  },
  errors = {
    { status = 400, code = "context_length_exceeded", class = "context_length" },
    { status = 429, code = "insufficient_quota", class = "quota" },
  },
}
