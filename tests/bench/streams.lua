-- streams: 10,000 streams open at the same time, one event a second each, through the gateway (key, team, policy,
-- accounting, trace), nginx and HAProxy, in one run: the memory of each stream, and whether all of them lived. A stream
-- takes two files of its proxy; where a process may not open twice as many as there are streams, the streams are shared
-- out evenly between as many processes as it takes, the same for all three.
local servers = require "servers"
local socket = require "socket"

local M = {}

local function files_limit() return tonumber(servers.shell("ulimit -n"):match "%d+") or math.huge end

local haproxy_config = [[
global
  maxconn %d
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
frontend clients
  bind 127.0.0.1:%d backlog 4096
  default_backend sim
backend sim
  server sim 127.0.0.1:%d
]]

local function haproxy(name, streams, upstream_port)
  local port = servers.free_port()
  local file = servers.dir .. "/" .. name .. ".cfg"
  servers.write_file(file, haproxy_config:format(streams + 100, port, upstream_port))
  local server = servers.start(name, servers.gateway_core, "haproxy -db -f " .. file, port)
  server.port = port
  return server
end

-- One proxy of the kind; streams: how many it will carry.
local makers = {
  { "nginx", function(name, _, port) return servers.nginx(name, { upstream_port = port }) end },
  { "haproxy", haproxy },
  { "moongate", function(name, _, port)
    return servers.gateway(name, { upstream = ("http://127.0.0.1:%d/v1"):format(port) })
  end },
}

-- What a body that asks for no stream costs first, so that what a process takes once is not counted.
local function warm(server, body) servers.load(server, body, { connections = 8, seconds = 0.3 }) end

local function carry(kind, make, options)
  local each = options.streams // options.processes
  local proxies, held, before, after, without, cpu = {}, {}, 0, 0, 0, 0
  local sim = servers.simulator("sim-" .. kind)
  for i = 1, options.processes do
    local proxy = make(kind .. "-" .. i, each, sim.port)
    proxies[i] = proxy
    warm(proxy, options.small)
    before = before + servers.memory(proxy).rss
  end
  for i, proxy in ipairs(proxies) do
    held[i] = servers.hold(proxy, options.slow, each)
    without = without + held[i].without_answer + held[i].failures
  end
  socket.sleep(1)
  for _, proxy in ipairs(proxies) do cpu = cpu - servers.cpu_ns(proxy) end
  socket.sleep(options.seconds)
  for _, proxy in ipairs(proxies) do
    cpu = cpu + servers.cpu_ns(proxy)
    after = after + servers.memory(proxy).rss
  end
  local open = tonumber(servers.shell(("curl -s http://127.0.0.1:%d/simulate/stats"):format(sim.port))
    :match '"open":(%d+)')
  for i, proxy in ipairs(proxies) do
    held[i].stop()
    servers.stop(proxy)
  end
  servers.stop(sim)
  options.say("%-34s %-10s %6.2f KiB each, %5.2f us CPU an event; %d open at the provider after %d s, %d lost",
    ("%d streams, %d process%s"):format(each * options.processes, options.processes,
      options.processes == 1 and "" or "es"), kind, (after - before) / (each * options.processes),
    cpu / 1000 / (each * options.processes * options.seconds), open, options.seconds, without)
  return open == each * options.processes and without == 0
end

-- options: say, slow (a body that asks for a stream of an event a second), small (one that asks for a whole answer).
-- false: a stream was lost.
function M.run(options)
  options.streams = tonumber(os.getenv "STREAMS" or "10000")
  options.seconds = 5
  options.processes = math.ceil((2 * options.streams + 200) / files_limit())
  options.streams = options.streams // options.processes * options.processes
  local good = true
  for _, maker in ipairs(makers) do good = carry(maker[1], maker[2], options) and good end
  servers.stop_all()
  return good
end

return M
