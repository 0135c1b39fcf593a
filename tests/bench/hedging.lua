-- hedging: time to first token from a provider with a heavy tail, through one gateway, by a route that hedges at the
-- p95 and by one that does not; and what that costs in calls, as the provider counts them. The answer's text comes in
-- one piece, so that the latency of a request is its time to first token.
local servers = require "servers"
local socket = require "socket"
local http = require "socket.http"

local M = {}

local config = [[return {
  listen = "127.0.0.1:0", admin = { listen = "127.0.0.1:0" }, workers = 1,
  providers = {
    one = { adapter = "openai-compatible", base_url = %q, keys = { "sk-bench-one" } },
    two = { adapter = "openai-compatible", base_url = %q, keys = { "sk-bench-two" } },
  },
  routes = {
    plain = { targets = { "one/m", "two/m" } },
    hedged = { targets = { "one/m", "two/m" }, hedge = { after = "p95", max_extra = 0.05 } },
  },
  keys = { { name = "bench", key = %q } },
  prices = { ["one/m"] = { input = "1", output = "4" }, ["two/m"] = { input = "1", output = "4" } },
  trace = { file = %q },
}
]]

local function gateway(url)
  local file = servers.dir .. "/hedging.lua"
  servers.write_file(file, config:format(url, url, servers.key, servers.dir .. "/hedging-traces.jsonl"))
  local gate = servers.start("hedging", servers.gateway_core, servers.moongate .. " run --config " .. file,
    "ready on %S-:(%d+)")
  gate.port = tonumber(gate.ready)
  return gate
end

local function calls(sim)
  local text = assert(http.request(("http://127.0.0.1:%d/simulate/stats"):format(sim.port)))
  return tonumber(text:match '"requests": *(%d+)')
end

-- b: rounds, seconds, say, median. false: p99 is not halved, or there were too many calls.
function M.run(b)
  local sim = servers.simulator("sim-tail", "--ttft-ms 100 --tail 0.03 --tail-ms 1500")
  local gate = gateway(("http://127.0.0.1:%d/v1"):format(sim.port))
  local results = {}
  for _, route in ipairs { "plain", "hedged" } do
    local body = servers.dir .. "/hedging-" .. route .. ".json"
    servers.write_file(body, ('{"model":"%s","stream":true,"messages":[{"role":"user","content":'
      .. '"Go on. [[simulate text=yes]]"}]}'):format(route))
    servers.load(gate, body, { connections = 64, seconds = 1.5, rate = 100 }) -- learns what is usual
    results[route] = { p50 = {}, p99 = {}, requests = 0, calls = 0, body = body }
  end
  for _ = 1, b.rounds do
    for _, route in ipairs { "plain", "hedged" } do
      local r = results[route]
      local before = calls(sim)
      local load = servers.load(gate, r.body, { connections = 64, seconds = b.seconds * 6, rate = 100 })
      socket.sleep(2) -- what the load generator left behind comes to its end
      r.p50[#r.p50 + 1], r.p99[#r.p99 + 1] = load.p50_us / 1000, load.p99_us / 1000
      r.requests = r.requests + math.floor(load.seconds * 100 + 0.5)
      r.calls = r.calls + calls(sim) - before
      assert(load.failures == 0, "failures")
    end
  end
  servers.stop_all()
  local plain, hedged = results.plain, results.hedged
  local extra = hedged.calls / plain.calls - 1
  local ratio = b.median(hedged.p99) / b.median(plain.p99)
  for _, route in ipairs { "plain", "hedged" } do
    local r = results[route]
    b.say("%-34s %-10s p50 %7.1f ms  p99 %7.1f ms  %6d calls", "first token, 3 % of them +1500 ms", route,
      b.median(r.p50), b.median(r.p99), r.calls)
  end
  b.say("%-34s %-10s p99 %5.2f x   calls %+.1f %%", "", "hedged", ratio, extra * 100)
  return ratio <= 0.5 and extra <= 0.05
end

return M
