-- What OpenAI's two APIs (openai.chat, openai.responses) and the servers that speak them take alike: service tiers,
-- efforts, which sampling goes with reasoning, schemas of answers. Fields have the names of both; what they call
-- differently is the dialect file's. Quirks: see adapters/dialects/openai_chat.lua and openai_responses.lua.
-- Pure. It does not know messages, tools or any other part of a request.

local parts = require("gw.parts")

local lose = parts.lose

local M = {}

-- Of servers that name none.
M.default_efforts = { minimal = true, low = true, medium = true, high = true }

local tier_names = { auto = "auto", default = "default", standard_only = "default", flex = "flex",
  priority = "priority" }

-- The tier of a request for a provider that speaks `dialect`; nil when none was asked for, or, a loss, when OpenAI has
-- no word for it.
function M.tier(request, dialect, losses)
  local tier = request.service_tier
  if not tier then return nil end
  local sent = request.dialect == dialect and tier or tier_names[tier]
  if not sent then lose(losses, "service_tier") end
  return sent
end

-- The effort that was asked for; a budget becomes one, a loss. nil: neither was named.
function M.effort(reasoning, quirks, losses)
  local effort, budget = reasoning.effort, reasoning.budget_tokens
  if not budget then return effort end
  if effort then
    lose(losses, "thinking.budget_tokens")
    return effort
  end
  effort = parts.budget_to_effort(budget, quirks)
  lose(losses, "thinking.budget_tokens(sent as effort " .. effort .. ")")
  return effort
end

-- Takes back the sampling that the model does not take together with reasoning. effort: what the body asks for.
function M.mind_sampling(body, effort, quirks, losses)
  local sampling = quirks.sampling or "all"
  if sampling == "all" then return end
  if sampling == "without_reasoning" and effort == quirks.reasoning_off then return end
  for _, name in ipairs { "temperature", "top_p" } do
    if body[name] and body[name] ~= 1 then lose(losses, name) end
    body[name] = nil
  end
end

-- A format with a schema: strict, unless the client says that it is not.
function M.json_schema(format)
  local strict = format.strict
  if strict == nil then strict = true end
  return { name = format.name or "response", description = format.description, schema = format.schema, strict = strict }
end

return M
