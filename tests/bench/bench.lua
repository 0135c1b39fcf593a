-- The benchmarks. Ratios to nginx in the same run are what counts: absolute times on a shared machine mean little.
-- Proxy on core 0; load generator and simulated provider on core 1. Loads interleaved A B C A B C, medians.
package.path = "tests/bench/?.lua;" .. package.path
local deltas = require "deltas"
local failover = require "failover"
local hedging = require "hedging"
local servers = require "servers"
local socket = require "socket"
local streams = require "streams"
local translation = require "translation"

local rounds = tonumber(os.getenv "ROUNDS" or "5")
local seconds = tonumber(os.getenv "SECONDS_EACH" or "1.0")
local dir = servers.dir

-- ---- request bodies -------------------------------------------------------------------------------------------------

local function body(name, bytes, steer, streamed)
  local head = '{"model":"r","temperature":0.7,' .. (streamed
    and '"stream":true,"stream_options":{"include_usage":true},' or "")
    .. '"messages":[{"role":"system","content":"You are a helpful assistant."},'
  local messages, size = {}, #head + #steer + 80
  while size < bytes do
    local text = ("Some words of an earlier turn, number %d. "):format(#messages):rep(8)
      :sub(1, math.max(20, bytes - size - 40))
    messages[#messages + 1] = ('{"role":"%s","content":"%s"},')
      :format(#messages % 2 == 0 and "user" or "assistant", text)
    size = size + #messages[#messages]
  end
  local last = ('{"role":"user","content":"Go on. [[simulate %s]]"}]}'):format(steer)
  local path = dir .. "/" .. name .. ".json"
  servers.write_file(path, head .. table.concat(messages) .. last)
  return path
end

local bodies = {
  small = body("small", 2000, "answer_bytes=500"),
  large = body("large", 100 * 1024, "answer_bytes=500"),
  later = body("later", 2000, "answer_bytes=500 latency_ms=5"),
  stream = body("stream", 2000, "chunks=60 answer_bytes=1500", true),
  paced = body("paced", 2000, "chunks=60 answer_bytes=1500 chunk_ms=10", true),
  slow = body("slow", 2000, "chunks=3600 answer_bytes=90000 chunk_ms=1000", true),
}

-- ---- tables ---------------------------------------------------------------------------------------------------------

local function median(list)
  table.sort(list)
  return #list % 2 == 1 and list[#list // 2 + 1] or (list[#list // 2] + list[#list // 2 + 1]) / 2
end

local report = {}
local function say(format, ...)
  local line = format:format(...)
  report[#report + 1] = line
  print(line)
end

-- Per-request (or per-event) CPU of each server under one load, interleaved.
local function measure(cell, list, file, options, per)
  local results = {}
  for _, s in ipairs(list) do
    results[s.name] = { cpu = {}, p50 = {}, p99 = {}, rate = {}, failures = 0 }
    servers.load(s, file, { connections = options.connections, seconds = 0.4, rate = options.rate })
  end
  for _ = 1, rounds do
    for _, s in ipairs(list) do
      local before = servers.cpu_ns(s)
      local load = servers.load(s, file, { connections = options.connections, seconds = options.seconds or seconds,
        rate = options.rate })
      local used = servers.cpu_ns(s) - before
      local r = results[s.name]
      local count = per == "event" and load.events or load.requests
      r.cpu[#r.cpu + 1] = used / 1000 / math.max(count, 1)
      r.p50[#r.p50 + 1], r.p99[#r.p99 + 1] = load.p50_us, load.p99_us
      r.rate[#r.rate + 1] = count / load.seconds
      r.failures = r.failures + load.failures
    end
  end
  local base = median(results[list[1].name].cpu)
  for _, s in ipairs(list) do
    local r = results[s.name]
    say("%-34s %-10s %8.2f us/%-8s %5.2f x  %9.0f/s  p50 %7.0f us  p99 %7.0f us%s", cell, s.label or s.name,
      median(r.cpu), per or "request",
      median(r.cpu) / base, median(r.rate), median(r.p50), median(r.p99), r.failures > 0
        and ("  " .. r.failures .. " FAILED") or "")
  end
  return results
end

-- ---- parts ----------------------------------------------------------------------------------------------------------

local function cpu()
  servers.certificates()
  local sim = servers.simulator "sim"
  local url = ("http://127.0.0.1:%d/v1"):format(sim.port)
  local plain = servers.nginx("nginx", { upstream_port = sim.port })
  local lua = servers.nginx("nginx-lua", { upstream_port = sim.port, lua = true })
  local gate = servers.gateway("moongate", { upstream = url })
  local three, two = { plain, lua, gate }, { plain, gate }
  measure("2 KB request, 900 B answer", three, bodies.small, { connections = 64 })
  measure("100 KB request", three, bodies.large, { connections = 32 })
  measure("provider answers after 5 ms", two, bodies.later, { connections = 128 })
  measure("60-event stream, back to back", two, bodies.stream, { connections = 16 }, "event")
  measure("60-event stream, 10 ms, 200 at once", two, bodies.paced,
    { connections = 200, seconds = math.max(seconds, 1.5) }, "event")
  servers.stop_all()
  local secure = servers.simulator("sim-tls", ("--tls-cert %s/up.pem --tls-key %s/up.key"):format(dir, dir))
  plain = servers.nginx("nginx-tls", { upstream_port = secure.port, tls = true })
  gate = servers.gateway("moongate-tls", { upstream = ("https://localhost:%d/v1"):format(secure.port), ca_file = dir
    .. "/ca.pem" })
  measure("HTTPS provider, 2 KB", { plain, gate }, bodies.small, { connections = 64 })
  servers.stop_all()
end

local function latency()
  local sim = servers.simulator "sim"
  local plain = servers.nginx("nginx", { upstream_port = sim.port })
  local gate = servers.gateway("moongate", { upstream = ("http://127.0.0.1:%d/v1"):format(sim.port) })
  sim.label = "direct"
  local r = measure("3,000 requests/s, open loop", { plain, gate, sim }, bodies.small,
    { connections = 64, rate = 3000 })
  local direct = r.sim
  for _, s in ipairs { plain, gate } do
    say("%-34s %-10s added p50 %7.0f us   added p99 %7.0f us", "3,000 requests/s, added", s.name,
      median(r[s.name].p50) - median(direct.p50),
      median(r[s.name].p99) - median(direct.p99))
  end
  servers.stop_all()
end

local function memory()
  local sim = servers.simulator "sim"
  local url = ("http://127.0.0.1:%d/v1"):format(sim.port)
  local idle = servers.gateway("moongate-idle", { upstream = url, workers = 2 })
  socket.sleep(0.5)
  local m = servers.memory(idle)
  say("%-34s %-10s RSS %6.1f MiB   PSS %6.1f MiB   anonymous %6.1f MiB", "idle, 2 workers", "moongate", m.rss / 1024,
    m.pss / 1024, m.anonymous / 1024)
  servers.stop(idle)
  local connections = tonumber(os.getenv "CONNECTIONS" or "5000")
  for _, kind in ipairs { "idle client", "active stream" } do
    for _, make in ipairs { function() return servers.nginx("nginx", { upstream_port = sim.port }) end,
      function() return servers.gateway("moongate", { upstream = url }) end } do
      local s = make()
      servers.load(s, bodies.small, { connections = 8, seconds = 0.3 })
      local before = servers.memory(s).rss
      local held = servers.hold(s, kind == "idle client" and bodies.small or bodies.slow, connections)
      socket.sleep(1)
      local after = servers.memory(s).rss
      say("%-34s %-10s %6.2f KiB each at %d%s", kind, s.name, (after - before) / connections, connections,
        held.without_answer + held.failures > 0 and (" (%d without answer, %d failures)")
          :format(held.without_answer, held.failures) or "")
      held.stop()
      servers.stop(s)
    end
  end
  servers.stop_all()
end

local function start()
  local sim = servers.simulator "sim"
  servers.stop(servers.gateway("moongate", { upstream = ("http://127.0.0.1:%d/v1"):format(sim.port), workers = 2 }))
  local times = {}
  for i = 1, 9 do
    local from = socket.gettime()
    local pipe = assert(io.popen(("echo $$; exec %s run --config %s/moongate.lua 2>/dev/null")
      :format(servers.moongate, dir)))
    local pid = pipe:read "l"
    repeat local line = pipe:read "l" until not line or line:find "ready on"
    times[i] = (socket.gettime() - from) * 1000
    os.execute("kill " .. pid)
    pipe:close()
  end
  say("%-34s %-10s %6.1f ms", "start to ready, 2 workers", "moongate", median(times))
  servers.stop_all()
end

-- ---- training: what a build that counts is to count (tests/bench/train)

local function training()
  servers.certificates()
  for _, kind in ipairs { "plain", "tls" } do
    local sim = servers.simulator(kind, kind == "tls"
      and ("--tls-cert %s/up.pem --tls-key %s/up.key"):format(dir, dir) or nil)
    local gate = servers.gateway("training", { ca_file = dir .. "/ca.pem",
      upstream = ("%s://localhost:%d/v1"):format(kind == "tls" and "https" or "http", sim.port) })
    for _, name in ipairs { "small", "large", "later", "stream" } do
      local load = servers.load(gate, bodies[name], { connections = 32, seconds = seconds })
      assert(load.failures == 0, "failures in training")
      say("%-10s %-10s %6d requests", kind, name, load.requests)
    end
    servers.stop_all()
  end
  translation.cpu { bodies = bodies, rounds = 1, seconds = seconds, say = say, median = median }
end

-- ---- instructions


local function instructions(write)
  local file = "tests/bench/instructions.txt"
  local known = {}
  for name, count in (servers.read_file(file) or ""):gmatch "(%S+)%s+(%d+)" do known[name] = tonumber(count) end
  local sim = servers.simulator "sim"
  local lines, worse = {}, 0
  for _, name in ipairs { "small", "large", "stream" } do
    -- Two runs that differ only in their number of requests, whose first ones differ too: start and end cancel out.
    local totals, counts = {}, {}
    for i, duration in ipairs { 1, 4 } do
      local out = dir .. "/callgrind"
      local gate = servers.gateway("moongate-" .. i, { upstream = ("http://127.0.0.1:%d/v1"):format(sim.port),
        wrap = "valgrind --tool=callgrind --callgrind-out-file=" .. out .. ".%p" })
      local first = servers.load(gate, bodies[name], { connections = 1, seconds = 1 })
      local load = servers.load(gate, bodies[name], { connections = 1, seconds = duration, rate = 100 })
      assert(first.failures + load.failures == 0, "failures under callgrind")
      counts[i] = first.requests + load.requests
      local pid = gate.pid
      servers.stop(gate)
      totals[i] = tonumber((servers.read_file(gate.out) or ""):match "Collected : (%d+)")
      assert(totals[i], "callgrind said nothing: " .. gate.out)
      os.remove(out .. "." .. pid)
    end
    local each = math.floor((totals[2] - totals[1]) / (counts[2] - counts[1]))
    local before = known[name]
    say("%-10s %9d instructions a request%s", name, each, before and (", %+.1f %%"):format((each / before - 1) * 100)
      or "")
    if before and each > before * 1.05 then worse = worse + 1 end
    lines[#lines + 1] = ("%-10s %d"):format(name, each)
  end
  servers.stop_all()
  if write then
    servers.write_file(file,
      "# User-space instructions a request, all features on (tests/bench/run instructions --write).\n"
      .. table.concat(lines, "\n") .. "\n")
  end
  return worse == 0
end

-- ---- the run
-- -----------------------------------------------------------------------------------------------------------

local function translated()
  translation.cpu { bodies = bodies, rounds = rounds, seconds = seconds, say = say, median = median }
end

local function translated_instructions() translation.instructions { bodies = bodies, say = say } end

local function hedged() return hedging.run { rounds = rounds, seconds = seconds, say = say, median = median } end
local function failed_over() return failover.run { rounds = rounds, seconds = seconds, say = say } end

local function held_open() return streams.run { say = say, slow = bodies.slow, small = bodies.small } end

local parts = { cpu = cpu, latency = latency, failover = failed_over, hedging = hedged, memory = memory,
  start = start, training = training, streams = held_open, translation = translated,
  ["translation-instructions"] = translated_instructions,
  deltas = function() return deltas.run { say = say } end }
local good = true
local ok, fault = xpcall(function()
  if arg[1] == "instructions" then
    good = instructions(arg[2] == "--write")
  elseif arg[1] then
    for _, name in ipairs(arg) do good = assert(parts[name], "no part " .. name)() ~= false and good end
  else
    for _, name in ipairs { "cpu", "latency", "failover", "hedging", "memory", "start", "translation" } do
      good = parts[name]() ~= false and good
    end
  end
end, debug.traceback)
servers.stop_all()
if not ok then
  io.stderr:write(fault, "\n")
  os.exit(false)
end
servers.write_file(dir .. "/report.txt", table.concat(report, "\n") .. "\n")
os.exit(good)
