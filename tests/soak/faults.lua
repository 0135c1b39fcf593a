-- Memory that runs out and system calls that fail: lua5.4 tests/soak/faults.lua [--seconds N] [oom|io]…
-- MOONGATE names the binary; default build/moongate. For each N the N-th call fails (tests/soak/faults.c, loaded in
-- front of libc), once or from then on, in four phases: start, a whole request, a streamed one, a reload.
--   oom: the process answers, or says so and ends with status 71; never by a signal.
--   io: it goes on; the request that was hit ends, and the next one is answered well. EMFILE in accept does not spin.
-- N goes up in steps that fit the time (default 18 s): all of them when it is long. Last line "N passed, N failed".
local here = arg[0]:match "^(.*)/[^/]+$" or "."
package.path = here .. "/../flow/lib/?.lua;" .. here .. "/../lua/dialects/?.lua;" .. package.path
local http = require "http"
local loop = require "loop"
local net = require "net"
local proc = require "proc"
local talk = require "talk"
local watch = require "watch"

local seconds, wanted = 18, {}
do
  local i = 1
  while arg[i] do
    if arg[i] == "--seconds" then seconds, i = tonumber(arg[i + 1]), i + 1 else wanted[arg[i]] = true end
    i = i + 1
  end
  if not next(wanted) then wanted = { oom = true, io = true } end
end

local binary = os.getenv "MOONGATE" or "build/moongate"
local functions = { memory = 1, accept4 = 2, socket = 3, connect = 4, recv = 5, read = 6, readv = 7, send = 8,
  sendmsg = 9, write = 10, writev = 11, epoll_ctl = 12, epoll_wait = 13 }
local errors = { ENOMEM = 12, EINTR = 4, EIO = 5, EMFILE = 24, ENOSPC = 28, EPIPE = 32, ECONNRESET = 104,
  ECONNREFUSED = 111, ECONNABORTED = 103, EAGAIN = 11 }

local pipe = assert(io.popen "mktemp -d")
local dir = pipe:read "l"
pipe:close()
local library, page = dir .. "/faults.so", dir .. "/page"
assert(os.execute(("cc -O2 -shared -fPIC -o %s %s/faults.c -ldl"):format(library, here)))

local passed, failed = 0, 0
local function report(ok, what)
  if ok then passed = passed + 1 else
    failed = failed + 1
    print("FAILED  " .. what)
  end
end

-- Arms call number `countdown` of a function; 0: none.
local function arm(name, fault, countdown, sticky)
  local text = ("<i4i4i4i4i8i8i8"):pack(functions[name] or 0, errors[fault] or 0, sticky and 1 or 0, 0, countdown, 0, 0)
  local f = io.open(page, "r+b") or assert(io.open(page, "w+b"))
  f:write(text)
  f:close()
end

local function hits_and_calls()
  local _, _, _, _, _, hits, calls = ("<i4i4i4i4i8i8i8"):unpack(proc.read_file(page))
  return hits, calls
end

local simulator, upstream
local function start_simulator()
  simulator = proc.start(dir, "simulate", { binary, "simulate", "--listen", "127.0.0.1:0", "--quiet", "--keep", "0" })
  upstream = loop.until_true(30, function() return simulator:output():match "127%.0%.0%.1:(%d+)" end)
  -- A connection a request, so that dialling is hit too.
  local base_url = "http://127.0.0.1:" .. upstream .. "/s/header=%22connection:%20close%22/v1"
  proc.write_file(dir .. "/moongate.lua", ([[return { listen = "127.0.0.1:0", admin = { listen = "127.0.0.1:0" },
    workers = 1, drain = "1s", trace = { file = %q }, providers = {
      up = { adapter = "openai", keys = { "no-key-but-long-enough" }, base_url = %q,
        timeouts = { connect = "1s", first_token = "2s", between_tokens = "2s", total = "3s" } } },
    health = { eject = "0s", key_bench = "0s" },
    routes = { r = { targets = { "up/model-a" }, retry = { attempts = 1 } } } }]]):format(dir .. "/traces", base_url))
end

-- nil when it ended before it was ready.
local function start_gateway()
  local gate = proc.start(dir, "gateway", { binary, "run", "--config", dir .. "/moongate.lua" },
    { LD_PRELOAD = library, FAULTS_PAGE = page })
  local port = loop.until_true(30, function()
    if gate:status() then return "ended" end
    return gate:output():match "ready on [^%s]-:(%d+)"
  end)
  return gate, port ~= "ended" and tonumber(port or 0) or nil
end

-- "complete", "error", or nil and why.
local function ask(port, stream)
  local conn, why = net.connect(port)
  if not conn then return nil, why end
  if not conn:send(talk.request("openai.chat", "r", "hello", stream)) then return nil, "sending" end
  local ok, answer, fault = pcall(http.read_response, conn, 5)
  conn:close()
  if not ok or not answer then return nil, tostring(ok and fault or answer) end
  return talk.judge("openai.chat", stream, answer)
end

local phases = {
  ["a whole request"] = function(_, port) return ask(port, false) end,
  ["a streamed request"] = function(_, port) return ask(port, true) end,
  ["a reload"] = function(gate, port)
    gate:signal "HUP"
    loop.sleep(0.05)
    return ask(port, false)
  end,
}
local phase_names = { "a whole request", "a streamed request", "a reload" }

local function by_signal(status) return status ~= nil and status > 128 end

-- One after the other up to 12, then in steps of a tenth: a long loop looks at all, a short one at some of each size.
local function following(n, fine) return fine and n + 1 or n + math.max(1, n // 8) end

local fine = seconds > 120

local function oom_start(until_time, sticky)
  local n, tried, ended, last = 1, 0, 0, nil
  while loop.now() < until_time do
    arm("memory", "ENOMEM", n, sticky)
    local gate, port = start_gateway()
    local hits = hits_and_calls()
    arm("memory", "ENOMEM", 0)
    local status = port and gate:stop(30) or gate:status()
    local good = port and (status == 0 or status == 71) or not port and not by_signal(status) and status ~= 0
    if not good then last = ("N = %d: status %s: %s"):format(n, tostring(status), gate:errors():sub(1, 300)) end
    report(good, "start without memory, " .. (last or ""))
    tried, ended = tried + 1, ended + (port and 0 or 1)
    if hits == 0 then break end
    n = following(n, fine)
  end
  print(("oom, start, %s: up to allocation %d: %d starts, %d ended"):format(sticky and "sticky" or "once", n, tried,
    ended))
end

local function oom_phase(name, until_time, sticky)
  local n, tried, ended, gate, port = 1, 0, 0, nil, nil
  while loop.now() < until_time do
    if not gate or gate:status() then
      gate, port = start_gateway()
      assert(port, "the gateway does not start")
      ask(port, false)
      ask(port, true)
    end
    arm("memory", "ENOMEM", n, sticky)
    local verdict, why = phases[name](gate, port)
    local hits = hits_and_calls()
    arm("memory", "ENOMEM", 0)
    loop.until_true(verdict and 0.01 or 5, function() return gate:status() end)
    local status = gate:status()
    local good = status == 71 or (status == nil and verdict ~= nil)
    report(good, ("%s without memory, N = %d: %s, status %s: %s"):format(name, n, tostring(verdict or why),
      tostring(status), gate:errors():sub(-300)))
    tried, ended = tried + 1, ended + (status and 1 or 0)
    if hits == 0 then break end
    n = following(n, fine)
  end
  if gate and not gate:status() then report(gate:stop(30) == 0, name .. ": exit status after SIGTERM") end
  print(("oom, %s, %s: up to allocation %d: %d tries, %d ended with 71"):format(name, sticky and "sticky" or "once", n,
    tried, ended))
end

local calls = {
  { "accept4", "EMFILE" }, { "accept4", "ECONNABORTED" }, { "accept4", "EINTR" }, { "socket", "EMFILE" },
  { "connect", "ECONNREFUSED" }, { "connect", "EINTR" }, { "recv", "ECONNRESET" }, { "recv", "EINTR" },
  { "recv", "EAGAIN" }, { "read", "EINTR" }, { "readv", "ECONNRESET" }, { "send", "ECONNRESET" },
  { "send", "EINTR" }, { "send", "EAGAIN" }, { "sendmsg", "EPIPE" }, { "sendmsg", "EINTR" }, { "sendmsg", "EAGAIN" },
  { "write", "ENOSPC" }, { "write", "EINTR" }, { "writev", "ENOSPC" }, { "epoll_ctl", "ENOMEM" },
  { "epoll_wait", "EINTR" },
}

local function io_call(name, fault, until_time)
  local gate, port = start_gateway()
  local tried, hit_times = 0, 0
  ask(port, false)
  for _, phase in ipairs(phase_names) do
    for n = 1, fine and 200 or 12 do
      if loop.now() > until_time or gate:status() then break end
      arm(name, fault, n)
      local verdict, why = phases[phase](gate, port)
      local hits = hits_and_calls()
      arm(name, fault, 0)
      local after, after_why = ask(port, n % 2 == 0)
      local what = ("%s, %s in call %d of %s: "):format(phase, fault, n, name)
      report(not gate:status(), what .. "the process ended with " .. tostring(gate:status()) .. ": "
        .. gate:errors():sub(-300))
      report(after == "complete", what .. "the next request: " .. tostring(after or after_why))
      report(verdict or hits > 0, what .. tostring(why))
      tried, hit_times = tried + 1, hit_times + (hits > 0 and 1 or 0)
      if hits == 0 then break end
    end
  end
  if not gate:status() then report(gate:stop(30) == 0, name .. ": exit status after SIGTERM") end
  return tried, hit_times
end

local function cpu_ticks(pid)
  local stat = proc.read_file("/proc/" .. pid .. "/stat"):match "%) (.*)"
  local fields = {}
  for word in stat:gmatch "%S+" do fields[#fields + 1] = word end
  return tonumber(fields[12]) + tonumber(fields[13])
end

local function no_spinning()
  local gate, port = start_gateway()
  arm("accept4", "EMFILE", 1, true)
  local conn = net.connect(port)
  loop.sleep(0.1)
  local before = cpu_ticks(gate.pid)
  loop.sleep(1)
  local ticks = cpu_ticks(gate.pid) - before
  arm("accept4", "EMFILE", 0)
  report(ticks < 25, ("EMFILE in accept: %d of 100 ticks of CPU in a second"):format(ticks))
  local verdict, why = ask(port, false)
  report(verdict == "complete", "after EMFILE: " .. tostring(verdict or why))
  print(("io, accept4 EMFILE sticky: %d of 100 ticks of CPU in a second"):format(ticks))
  conn:close()
  report(gate:stop(30) == 0, "exit status after SIGTERM")
end

local function main()
  arm("none", "none", 0)
  start_simulator()
  local parts = (wanted.oom and 8 or 0) + (wanted.io and 8 or 0)
  local share = seconds / parts
  if wanted.oom then
    for _, sticky in ipairs { false, true } do
      oom_start(loop.now() + share, sticky)
      for _, name in ipairs(phase_names) do oom_phase(name, loop.now() + share, sticky) end
    end
  end
  if wanted.io then
    local tried, hit = 0, 0
    for _, call in ipairs(calls) do
      local a, b = io_call(call[1], call[2], loop.now() + share * 7 / #calls)
      tried, hit = tried + a, hit + b
      if b == 0 and a > 0 then print(("io: %s is not called there"):format(call[1])) end
    end
    print(("io: %d tries, %d of them hit a call"):format(tried, hit))
    no_spinning()
  end
  simulator:stop(5)
end

local done
local task = loop.spawn(function()
  local ok, fault = pcall(main)
  if not ok then report(false, tostring(fault)) end
  done = true
end)
loop.run(function() return done end)
os.execute("rm -rf '" .. dir .. "'")
-- Streams that break off are judged as far as they came.
local lines, wrong = watch.summary({ "openai.chat" })
for _, text in ipairs(wrong) do report(false, text) end
print(table.concat(lines, "\n"))
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and passed > 0 and task ~= nil)
