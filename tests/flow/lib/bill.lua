-- bill: a simulated provider that writes down what it bills, and what that is in money. For cases that compare it with
-- the cost in traces.
local http = require "http"
local json = require "cjson"
local loop = require "loop"
local net = require "net"
local proc = require "proc"

local M = { input_usd = 3, output_usd = 7 } -- of a million tokens

local adapters = { ["openai.chat"] = "openai", ["openai.responses"] = "openai", ["anthropic.messages"] = "anthropic",
  gemini = "gemini", ["cohere.chat"] = "cohere", ["bedrock.converse"] = "openai-compatible" }
local base = { gemini = "/v1beta", ["cohere.chat"] = "/v2", ["bedrock.converse"] = "" }

local Sim = {}
Sim.__index = Sim

function M.start(t)
  t.bills = (t.bills or 0) + 1
  local name = "simulate" .. t.bills
  local sim = setmetatable({ file = t.dir .. "/" .. name .. ".billed.jsonl" }, Sim)
  sim.process = proc.start(t.dir, name, { require "gateway".binary, "simulate", "--listen", "127.0.0.1:0",
    "--record", sim.file, "--quiet" })
  sim.port = t:until_true(20 * t.seconds, function() return sim.process:output():match "127%.0%.0%.1:(%d+)" end)
  t:keep { close = function() sim.process:stop(5) end }
  return sim
end

-- A provider of a config that speaks `dialect`. path: what bends all its answers ("chunk_ms=20"), or nil.
function Sim:provider(t, dialect, path, more)
  local url = "http://127.0.0.1:" .. self.port .. (path and "/s/" .. path or "")
  local entry = t:provider({ dialect = "openai.chat", url = url }, { adapter = adapters[dialect], dialect = dialect,
    base_url = url .. (base[dialect] or "/v1") })
  for name, value in pairs(more or {}) do entry[name] = value end
  return entry
end

-- prices of a config for these targets.
function M.prices(...)
  local prices = {}
  for _, name in ipairs { ... } do
    prices[name] = { input = tostring(M.input_usd), output = tostring(M.output_usd) }
  end
  return prices
end

-- How many requests it is busy with.
function Sim:open()
  local conn = assert(net.connect(self.port))
  conn:send(http.request_text { method = "GET", target = "/simulate/stats", headers = {} })
  local answer = http.read_response(conn, 10)
  conn:close()
  return json.decode(answer.body).open
end

-- What it has recorded, in the order in which it was asked. Waits for `count` records.
function Sim:records(count, seconds)
  local list
  loop.until_true(seconds or 5, function()
    list = {}
    for line in (proc.read_file(self.file) or ""):gmatch "([^\n]+)\n" do list[#list + 1] = json.decode(line) end
    return #list >= count
  end)
  table.sort(list, function(a, b) return a.seq < b.seq end)
  return list
end

-- What these records cost, in 10^-12 dollars.
function M.due(...)
  local sum = 0
  for _, record in ipairs { ... } do
    sum = sum + (record.billed_input_tokens * M.input_usd + record.billed_output_tokens * M.output_usd) * 1000000
  end
  return sum
end

return M
