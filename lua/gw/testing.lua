-- For specs of policies: a policy file with targets, pools and requests that the spec makes up. Runs in a whole Lua
-- with a global gw (build/lua_host), not in the sandbox.
--
--     local two = testing.target("b/two", { weight = 2 })
--     local policy = testing.policy("policies/cost.lua", { targets = { "a/one", two } })
--     assert.same({ "a/one", "b/two" }, policy:route { prompt_tokens = 10 })
--
-- It does not limit time or memory, and nothing waits: gw.sleep returns at once, gw.fetch gives what `fetch` says.
local M = {}

local allowed = {
  "assert", "error", "ipairs", "next", "pairs", "pcall", "xpcall", "select", "tonumber", "tostring", "type", "rawequal",
  "rawlen", "rawget", "setmetatable", "getmetatable", "string", "table", "math", "utf8",
}

local defaults = { weight = 1.0, in_flight = 0, error_rate = 0.0, dialect = "openai.chat", healthy = true,
  ejected_for_ms = 0 }

-- A target as a policy sees one; fields override what a fresh target has.
function M.target(name, fields)
  local provider, model = name:match("^([^/]+)/(.+)$")
  local target = { name = name, provider = provider, model = model }
  for key, value in pairs(defaults) do target[key] = value end
  for key, value in pairs(fields or {}) do target[key] = value end
  return target
end

local function names(result, out)
  for _, value in ipairs(result) do
    if value.name then out[#out + 1] = value.name else names(value, out) end
  end
  return out
end

local P = {}
P.__index = P

-- What the hook gave: names of targets in order; nil for nothing; for gw.refuse nil, status, reason, code.
local function told(...)
  local results = {}
  for i = 1, select("#", ...) do results[#results + 1] = (select(i, ...)) end
  if #results == 0 then return nil end
  local first = results[1]
  if first.status then return nil, first.status, first.reason, first.code end
  return names(results, {})
end

function P:route(req)
  return told(self.script.route(self.self, req or {}))
end

function P:retry(req, attempt)
  return told(self.script.retry(self.self, req or {}, attempt))
end

-- given: { targets = { name or target, … }, pools = { name = { … } }, options = { … }, fetch = function(name, call) }
function M.policy(path, given)
  local by_name = {}
  local function list_of(list)
    local out = {}
    for i, value in ipairs(list or {}) do
      local name = type(value) == "table" and value.name or value
      by_name[name] = by_name[name] or (type(value) == "table" and value or M.target(name))
      out[i] = by_name[name]
    end
    return out
  end
  local targets, pools = list_of(given.targets), {}
  for name, list in pairs(given.pools or {}) do pools[name] = list_of(list) end
  local api = setmetatable({
    targets = function() return targets end,
    pool = function(name) return pools[name] or error("there is no pool '" .. name .. "'", 2) end,
    target = function(name) return by_name[name] or error("there is no target '" .. name .. "'", 2) end,
    refuse = function(status, reason, code) return { status = status, reason = reason, code = code or "refused" } end,
    sleep = function() end,
    fetch = given.fetch or function() return nil, "the spec gives no fetch" end,
  }, { __index = gw })
  local env = { gw = api, require = require, print = print }
  for _, name in ipairs(allowed) do env[name] = _G[name] end
  local script = assert(loadfile(path, "t", setmetatable(env, {
    __index = function(_, name) error("global '" .. tostring(name) .. "' is not known", 2) end,
    __newindex = function(_, name) error("assignment to global '" .. tostring(name) .. "'", 2) end,
  })))()
  local options = {}
  for name, declared in pairs(script.options or {}) do options[name] = declared.default end
  for name, value in pairs(given.options or {}) do options[name] = value end
  local self = script.setup and script.setup(options) or options
  return setmetatable({ script = script, self = self }, P)
end

return M
