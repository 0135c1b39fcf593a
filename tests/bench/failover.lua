-- failover: what it adds over the failed attempt's own time: a request that fails at one target and is answered by the
-- next, less the time of its failed attempt, less a request that goes to the good target at once. At low load, where it
-- may be below nothing: the second attempt finds a process that is awake.
local servers = require "servers"

local M = {}

local config = [[return {
  listen = "127.0.0.1:0", admin = { listen = "127.0.0.1:0" }, workers = 1,
  health = { eject_after = 0, error_share = 0 }, -- nobody is left out
  providers = {
    good = { adapter = "openai-compatible", base_url = "http://127.0.0.1:%d/v1", keys = { "sk-bench-good" } },
    status = { adapter = "openai-compatible", base_url = "http://127.0.0.1:%d/s/status=500,latency_ms=2/v1",
      keys = { "sk-bench-status" } },
    closes = { adapter = "openai-compatible", base_url = "http://127.0.0.1:%d/s/close=head,latency_ms=2/v1",
      keys = { "sk-bench-closes" } },
    frame = { adapter = "openai-compatible", base_url = "http://127.0.0.1:%d/s/error_event=first,latency_ms=2/v1",
      keys = { "sk-bench-frame" } },
    refused = { adapter = "openai-compatible", base_url = "http://127.0.0.1:%d/v1", keys = { "sk-bench-refused" } },
  },
  routes = {
    direct = { targets = { "good/m" } },
    status = { targets = { "status/m", "good/m" } },
    closes = { targets = { "closes/m", "good/m" } },
    frame = { targets = { "frame/m", "good/m" } },
    refused = { targets = { "refused/m", "good/m" } },
  },
  keys = { { name = "bench", key = %q } },
  trace = { file = %q },
}
]]

local kinds = {
  { "status", "status 500" }, { "closes", "closes without an answer" }, { "refused", "connection refused" },
  { "frame", "error event in a stream" },
}

local function percentile(list, share)
  table.sort(list)
  return list[math.max(1, math.ceil(#list * share))]
end

-- By route and stream: what each request took beyond its failed attempt, in ms, as the trace tells.
local function times(file)
  local by = {}
  for line in io.lines(file) do
    local name = line:match '"route":"(%a+)"' .. line:match '"stream":(%a+)'
    local latency, first = line:match '"latency_ms":([%d.]+)', line:match '"attempts":%[{.-"total_ms":([%d.]+)'
    local is_direct = line:find('"route":"direct"', 1, true)
    -- The load generator leaves in the middle of its last requests.
    if not line:find('"outcome":"client_gone"', 1, true) then
      assert(line:find('"outcome":"ok"', 1, true) and (is_direct or line:find('{"n":2,', 1, true)), line)
      by[name] = by[name] or {}
      table.insert(by[name], tonumber(latency) - (is_direct and 0 or tonumber(first)))
    end
  end
  return by
end

-- b: rounds, seconds, say. false: failover added more than 1 ms at the median.
function M.run(b)
  local sim = servers.simulator "sim"
  local file, traces = servers.dir .. "/failover.lua", servers.dir .. "/failover-traces.jsonl"
  os.remove(traces)
  servers.write_file(file, config:format(sim.port, sim.port, sim.port, sim.port, servers.free_port(), servers.key,
    traces))
  local gate = servers.start("failover", servers.gateway_core, servers.moongate .. " run --config " .. file,
    "ready on %S-:(%d+)")
  gate.port = tonumber(gate.ready)
  for _ = 1, b.rounds do
    for _, row in ipairs { { "direct", false }, { "direct", true }, { "status", false }, { "closes", false },
      { "refused", false }, { "frame", true } } do
      local body = ("%s/failover-%s.json"):format(servers.dir, row[1])
      servers.write_file(body, ('{"model":"%s",%s"messages":[{"role":"user","content":"Go on."}]}')
        :format(row[1], row[2] and '"stream":true,' or ""))
      local load = servers.load(gate, body, { connections = 4, seconds = b.seconds, rate = 100 })
      assert(load.failures == 0, "failures of " .. row[1])
    end
  end
  servers.stop_all()
  local by, good = times(traces), true
  for _, row in ipairs(kinds) do
    local stream = row[1] == "frame" and "true" or "false"
    local over, direct = by[row[1] .. stream], by["direct" .. stream]
    local added = percentile(over, 0.5) - percentile(direct, 0.5)
    good = good and added <= 1
    b.say("%-34s %-10s added p50 %6.3f ms   added p90 %6.3f ms   of %d", "failover: " .. row[2], "moongate", added,
      percentile(over, 0.9) - percentile(direct, 0.9), #over)
  end
  return good
end

return M
