-- many: clients that send one and the same request to a gateway that coalesces, and a provider that answers when told.
local answers = require "answers"
local http = require "http"

local M = {}

function M.config_of(t, up, more)
  local config = {
    workers = 2,
    providers = { up = t:provider(up) },
    routes = { r = { targets = { "up/model-a" }, coalesce = true } },
    prices = { ["up/model-a"] = { input = 1, output = 2 } },
  }
  for name, value in pairs(more or {}) do config[name] = value end
  return config
end

function M.coalesced(gate) return tonumber(gate:metrics():match "\nmoongate_coalesced_total (%d+)") end

function M.wait_coalesced(t, gate, count)
  t:until_true(20 * t.seconds, function() return M.coalesced(gate) == count end, "followers: " .. count)
end

-- Waits until the gateway knows that all but `count` of its clients have left.
function M.wait_left(t, gate, count)
  t:until_true(20 * t.seconds, function()
    return gate:metrics():find("\nmoongate_client_connections " .. count .. "\n", 1, true)
  end, "clients: " .. count)
end

-- A provider that begins its stream when told, and goes on when told. options.before(x, state): true when it has
-- answered already.
function M.gated(t, options)
  local state = { go = 0 }
  state.up = t:upstream { dialect = options and options.dialect, script = function(x)
    state.x = x
    if options and options.before and options.before(x, state) then return end
    t:until_true(20 * t.seconds, function() return state.go >= 1 or x.conn.gone end)
    if not x:json().stream then return x:serve "shared" end
    local events = answers.openai_stream { "one", "two", "three" }
    x:start_stream()
    for i = 1, 2 do x:chunk(events[i]) end
    t:until_true(20 * t.seconds, function() return state.go >= 2 or x.conn.gone end)
    for i = 3, #events do x:chunk(events[i]) end
    x:end_stream()
  end }
  return state
end

-- Sends a request and leaves its answer to be read: a function that reads it.
function M.begin(t, gate, options)
  options = options or {}
  local conn = t:client(gate, options.client)
  t:check(conn:send(t:chat_text("r", options)))
  return {
    conn = conn,
    head = function(self)
      self.answer = self.answer or t:check(http.read_head(conn, 20 * t.seconds), "the head of an answer")
      self.answer.dialect = options.dialect or "openai.chat"
      return self.answer
    end,
    -- Reads the first bytes of its body, as many as come at once.
    first = function(self)
      self.begun = t:check(self:head():piece(20 * t.seconds), "the first bytes of an answer")
    end,
    read = function(self)
      local answer = self:head()
      answer:read_body(20 * t.seconds)
      answer.body = (self.begun or "") .. answer.body
      return answer
    end,
  }
end

function M.many(t, gate, count, options)
  local list = {}
  for i = 1, count do list[i] = M.begin(t, gate, options) end
  return list
end

function M.total_cost(records)
  local sum = 0
  for _, record in ipairs(records) do sum = sum + record.cost_pico_usd end
  return sum
end

return M
