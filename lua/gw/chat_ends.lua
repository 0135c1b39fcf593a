-- openai.chat: how an answer ended and what it used, to and from the normal form. Shared by the dialect file (whole
-- bodies) and by the streams. Facts and quirks: see adapters/dialects/openai_chat.lua.
-- It does not know about content.

local parts = require("gw.parts")

local json = gw.json
local value, lose = parts.value, parts.lose

local M = {}

local dialect = "openai.chat"

local finish_reasons = {
  stop = "stop", length = "length", tool_calls = "tool_calls", function_call = "tool_calls",
  content_filter = "content_filter", error = "error", max_tokens = "length", model_length = "length",
  end_turn = "stop", eos = "stop",
}

function M.finish_to_normal(raw, has_calls)
  if raw == "" or raw == "null" then raw = nil end
  local reason = raw and finish_reasons[raw]
  if raw and not reason then
    gw.log.warn("unknown finish_reason \"" .. raw .. "\" taken as stop")
    reason = "stop"
  end
  if not reason or reason == "stop" then reason = has_calls and "tool_calls" or "stop" end
  return { reason = reason, raw = raw, dialect = dialect }
end

local chat_reasons = {
  stop = "stop", stop_sequence = "stop", pause = "stop", length = "length", context_window = "length",
  tool_calls = "tool_calls", content_filter = "content_filter", error = "stop",
}

function M.finish_from_normal(finish, asked)
  local reason = chat_reasons[finish.reason] or "stop"
  if finish.reason == "pause" or finish.reason == "error" then
    lose(asked.losses, "finish_reason(" .. finish.reason .. " sent as stop)")
  end
  if reason == "tool_calls" and asked.legacy_functions then return "function_call" end
  return reason
end

local tiers = { standard = "default", priority = "priority", batch = "flex" }

function M.tier_from_normal(tier)
  return tier and (tiers[tier] or tier)
end

----- usage

-- The normal form counts inclusively: input_tokens holds cached ones, output_tokens holds reasoning.
function M.usage_to_normal(usage)
  if not usage then return nil end
  local input, output = value(usage.prompt_tokens) or 0, value(usage.completion_tokens) or 0
  local input_details = value(usage.prompt_tokens_details) or {}
  local output_details = value(usage.completion_tokens_details) or {}
  local reasoning = value(output_details.reasoning_tokens) or value(usage.reasoning_tokens)
  local total = value(usage.total_tokens)
  -- Mistral counts audio beside prompt_tokens, xAI reasoning beside completion_tokens; only the total tells.
  local heard = value(input_details.audio_tokens)
  if heard and heard > 0 and total == input + output + heard then input = input + heard end
  if reasoning and reasoning > 0 and total == input + output + reasoning then output = output + reasoning end
  local cached = value(input_details.cached_tokens) or value(usage.cache_read_input_tokens)
    or value(usage.prompt_cache_hit_tokens) or value(usage.cached_tokens) or value(usage.num_cached_tokens)
  -- Grok on Azure counts cached tokens beside prompt_tokens; more cached than prompt tokens can mean nothing else.
  if cached and cached > input then input = input + cached end
  return {
    input_tokens = input,
    output_tokens = output,
    cache_read_tokens = cached,
    cache_write_tokens = value(input_details.cache_write_tokens) or value(usage.cache_creation_input_tokens),
    reasoning_tokens = reasoning,
    audio_input_tokens = heard,
    audio_output_tokens = value(output_details.audio_tokens),
  }
end

function M.usage_from_normal(usage, losses)
  local input, output = usage.input_tokens or 0, usage.output_tokens or 0
  if (usage.cache_write_1h_tokens or 0) > 0 then lose(losses, "usage.cache_creation") end
  for _, count in pairs(usage.server_tools or {}) do
    if count ~= 0 and count ~= json.null then lose(losses, "usage.server_tool_use") end
  end
  local body = { prompt_tokens = input, completion_tokens = output, total_tokens = input + output }
  if usage.cache_read_tokens or usage.cache_write_tokens or usage.audio_input_tokens then
    body.prompt_tokens_details = { cached_tokens = usage.cache_read_tokens or 0,
      cache_write_tokens = usage.cache_write_tokens, audio_tokens = usage.audio_input_tokens }
  end
  if usage.reasoning_tokens or usage.audio_output_tokens then
    body.completion_tokens_details = { reasoning_tokens = usage.reasoning_tokens or 0,
      audio_tokens = usage.audio_output_tokens }
  end
  return body
end

return M
