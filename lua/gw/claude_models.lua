-- What each Claude model takes and refuses, for every host of them (Anthropic's own API, Bedrock, Vertex): rules for
-- quirks.models of an adapter. Facts and their sources: see adapters/anthropic.lua.
-- max_tokens is the model's own limit. It does not know prices, nor what else a host serves.

local M = {}

local without_xhigh = { low = true, medium = true, high = true, max = true }

-- Of models that no rule names: the careful side. 32000 is within the limit of every model since claude-opus-4.
M.default = {
  max_tokens = 32000, thinking = "adaptive", thinking_off = false,
  efforts = { low = true, medium = true, high = true, xhigh = true, max = true }, sampling = "none",
}

-- Kinds of models, by what differs from the default.
local function unthinking(max_tokens)
  return { max_tokens = max_tokens, thinking = "none", sampling = "all", structured_output = false }
end

local function with_budget(max_tokens, sampling, structured_output)
  return { max_tokens = max_tokens, thinking = "budget", sampling = sampling, structured_output = structured_output }
end

local adaptive = { max_tokens = 128000, thinking_off = "disabled", efforts = without_xhigh, sampling = "one" }
local can_stop = { max_tokens = 128000, thinking_off = "disabled" }
local unforced = { max_tokens = 128000, tool_choice_forced = false }

-- { name without the host's prefix, what differs }, longer names before those that begin them.
local rows = {
  { "claude-v2", unthinking(4096) }, { "claude-instant", unthinking(4096) },
  { "claude-3-5", unthinking(8192) }, { "claude-3-7", with_budget(64000, "all", false) },
  { "claude-3-", unthinking(4096) },
  { "claude-sonnet-4-0", with_budget(64000, "one", false) }, { "claude-sonnet-4-2", with_budget(64000, "one", false) },
  { "claude-sonnet-4@", with_budget(64000, "one", false) },
  { "claude-opus-4-0", with_budget(32000, "one", false) }, { "claude-opus-4-2", with_budget(32000, "one", false) },
  { "claude-opus-4@", with_budget(32000, "one", false) }, { "claude-opus-4-1", with_budget(32000, "one", false) },
  { "claude-haiku-4-5", with_budget(64000, "one") }, { "claude-sonnet-4-5", with_budget(64000, "one") },
  { "claude-opus-4-5", with_budget(64000, "one") },
  { "claude-sonnet-4-6", adaptive }, { "claude-opus-4-6", adaptive },
  { "claude-opus-4-7", can_stop }, { "claude-opus-4-8", can_stop },
  { "claude-sonnet-5-5", { max_tokens = 128000, thinking_off = "between_tools", tool_choice_forced = false } },
  { "claude-sonnet-5", can_stop }, { "claude-opus-5-5", unforced }, { "claude-opus-5", can_stop },
  { "claude-haiku-5-5", can_stop },
  { "claude-fable-5-1", unforced }, { "claude-fable-5", { max_tokens = 128000 } },
  { "claude-mythos-5-1", unforced }, { "claude-mythos-5", { max_tokens = 128000 } },
}

-- The rules with `host_prefix` ("anthropic.") before each name; each holds the default too, so that they can stand
-- beside rules of other families. without_limit: max_tokens is left out, for hosts that need no limit from the client.
function M.rules(host_prefix, without_limit)
  local rules = {}
  local function add(prefix, own)
    local rule = { prefix = host_prefix .. prefix }
    for name, v in pairs(M.default) do rule[name] = v end
    for name, v in pairs(own) do rule[name] = v end
    if without_limit then rule.max_tokens = nil end
    rules[#rules + 1] = rule
  end
  for _, row in ipairs(rows) do add(row[1], row[2]) end
  add("claude-", {})
  return rules
end

-- Quirks of a host that serves nothing else.
function M.quirks()
  local quirks = { models = M.rules("") }
  for name, v in pairs(M.default) do quirks[name] = v end
  return quirks
end

return M
