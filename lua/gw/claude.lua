-- What Claude models take, whoever serves them: how thinking is asked for, and which sampling goes with it. The fields
-- have the names of the Anthropic Messages API; a dialect that carries them elsewhere moves them.
-- Quirks: see adapters/dialects/anthropic_messages.lua.
-- Pure. It does not know messages, tools or any other part of a request.

local parts = require("gw.parts")

local fail, lose = parts.fail, parts.lose

local M = {}

local smallest_budget = 1024
local default_efforts = { low = true, medium = true, high = true, max = true }

-- Thinking as adaptive models take it: effort and no budget. What a client of Claude's own words said is kept.
local function adaptive(reasoning, fields, quirks, is_own, losses)
  local effort, budget = reasoning.effort, reasoning.budget_tokens
  if budget and not is_own then
    lose(losses, "reasoning.max_tokens(sent as effort)")
    effort = effort or parts.budget_to_effort(budget, quirks)
    budget = nil
  end
  if effort and not is_own then
    effort = parts.nearest_effort(effort, quirks.efforts or default_efforts, "reasoning_effort", losses)
  end
  if effort then fields.output_config = { effort = effort } end
  if reasoning.mode == "on" and budget then
    fields.thinking = { type = "enabled", budget_tokens = budget }
  elseif reasoning.mode or not is_own then
    fields.thinking = { type = "adaptive" }
  end
end

-- Sets what switches thinking off; true when the model thinks all the same.
local function off(fields, quirks, style, is_own, losses)
  if style == "none" then return false end
  if style == "adaptive" and not is_own then
    if quirks.thinking_off == false then
      local lowest = parts.nearest_effort("minimal", quirks.efforts or default_efforts, "reasoning_effort")
      fields.output_config = { effort = lowest }
      lose(losses, "reasoning_effort(none sent as " .. lowest .. ")")
      return true
    end
    fields.thinking = { type = quirks.thinking_off or "disabled" }
    return false
  end
  fields.thinking = { type = "disabled" }
  return false
end

local function budgeted(reasoning, fields, quirks, losses)
  local budget = reasoning.budget_tokens
    or parts.effort_to_budget(reasoning.effort or "medium", quirks) or parts.effort_to_budget("medium", quirks)
  if not reasoning.budget_tokens then
    lose(losses, "reasoning_effort(sent as a budget of " .. budget .. " tokens)")
  elseif reasoning.effort then
    fields.output_config = { effort = reasoning.effort }
  end
  if fields.max_tokens and budget >= fields.max_tokens then
    budget = math.floor(fields.max_tokens) - 1
    lose(losses, "thinking.budget_tokens(clamped to " .. budget .. ")")
  end
  if budget < smallest_budget then
    lose(losses, "reasoning_effort(less than " .. smallest_budget .. " tokens are left to think)")
    return false
  end
  fields.thinking = { type = "enabled", budget_tokens = budget }
  return true
end

-- Sets fields.thinking and fields.output_config; true when the model will think. fields.max_tokens may be nil (no
-- limit). `is_own`: the client named thinking in Claude's own words. `is_forced`: a tool must be called.
function M.think(request, fields, quirks, is_own, is_forced, losses)
  local reasoning = request.reasoning
  if not reasoning then return false end
  local style = quirks.thinking or "budget"
  if reasoning.mode == "off" then return off(fields, quirks, style, is_own, losses) end
  if style == "none" then
    lose(losses, "reasoning_effort")
    return false
  end
  if is_own and reasoning.mode ~= "on" or style == "adaptive" then
    adaptive(reasoning, fields, quirks, is_own, losses)
  elseif not budgeted(reasoning, fields, quirks, losses) then
    return false
  end
  if reasoning.display and fields.thinking then fields.thinking.display = reasoning.display end
  if fields.thinking and is_forced and not is_own then
    -- Claude refuses both; the forced tool is what the client's code relies on.
    lose(losses, "reasoning_effort(tool_choice forces a tool)")
    fields.thinking = nil
  end
  return fields.thinking ~= nil
end

-- Sets fields.temperature, top_p and top_k as far as the model takes them.
function M.sample(request, fields, quirks, is_thinking, losses)
  local temperature, top_p, top_k = request.temperature, request.top_p, request.top_k
  if quirks.sampling == "none" then
    if temperature and temperature ~= 1 then lose(losses, "temperature") end
    if top_p and top_p ~= 1 then lose(losses, "top_p") end
    if top_k then lose(losses, "top_k") end
    return
  end
  if temperature and temperature > 1 then
    if quirks.temperature == "reject" then fail("temperature", "is above 1, the most this provider takes") end
    lose(losses, "temperature(clamped to 1)")
    temperature = 1
  end
  if is_thinking then
    if temperature and temperature ~= 1 then
      lose(losses, "temperature(not with thinking)")
      temperature = nil
    end
    if top_p and top_p < 0.95 then
      lose(losses, "top_p(not with thinking)")
      top_p = nil
    end
    if top_k then
      lose(losses, "top_k(not with thinking)")
      top_k = nil
    end
  end
  if quirks.sampling == "one" and temperature and top_p then
    lose(losses, "top_p(not with temperature)")
    top_p = nil
  end
  fields.temperature, fields.top_p, fields.top_k = temperature, top_p, top_k
end

return M
