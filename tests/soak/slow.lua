-- Clients that are slow on purpose: lua5.4 tests/soak/slow.lua [--connections N]. N of them (default 1000) open at once
-- and send a head byte by byte, a body byte by byte, or read nothing of a large answer. Meanwhile a client that behaves
-- is answered as fast as before, none of its requests is refused, the slow ones are closed when their time is over, and
-- no file stays open. MOONGATE names the binary; default build/moongate. Last line "N passed, N failed".
--
-- The slow ones are in processes of their own, 250 in each (slow.lua --be-slow PORT COUNT): a loop on select(2) holds
-- some hundred sockets at most, and what it takes to turn them must not be in the figures of the client that behaves.
local here = arg[0]:match "^(.*)/[^/]+$" or "."
package.path = here .. "/../flow/lib/?.lua;" .. here .. "/../lua/dialects/?.lua;" .. package.path
local http = require "http"
local loop = require "loop"
local net = require "net"
local proc = require "proc"
local talk = require "talk"
local watch = require "watch"

local connections = arg[1] == "--connections" and tonumber(arg[2]) or 1000
local each = 250
local binary = os.getenv "MOONGATE" or "build/moongate"
local pipe = assert(io.popen "mktemp -d")
local dir = pipe:read "l"
pipe:close()

local passed, failed = 0, 0
local function report(ok, what)
  if ok then passed = passed + 1 else
    failed = failed + 1
    print("FAILED  " .. what)
  end
end

local limit_s = 3
local simulator, gate, port
local is_slow = arg[1] == "--be-slow"
if is_slow then port = tonumber(arg[2]) end

local function start()
  simulator = proc.start(dir, "simulate", { binary, "simulate", "--listen", "127.0.0.1:0", "--quiet", "--keep", "0" })
  local upstream = loop.until_true(30, function() return simulator:output():match "127%.0%.0%.1:(%d+)" end)
  proc.write_file(dir .. "/moongate.lua", ([[return { listen = "127.0.0.1:0", admin = { listen = "127.0.0.1:0" },
    workers = 1, drain = "1s", trace = { file = "/dev/null" },
    limits = { head_time = "%ds", body_time = "%ds", write_idle = "%ds" },
    providers = { up = { adapter = "openai", keys = { "no-key-but-long-enough" },
      base_url = %q } },
    routes = { r = { targets = { "up/model-a" } } } }]]):format(limit_s, limit_s, limit_s,
    -- No connection is kept for later: files are counted at the end.
    "http://127.0.0.1:" .. upstream .. "/s/header=%22connection:%20close%22/v1"))
  gate = proc.start(dir, "gateway", { binary, "run", "--config", dir .. "/moongate.lua" })
  port = tonumber(loop.until_true(30, function() return gate:output():match "ready on [^%s]-:(%d+)" end))
end

-- How each kind is slow: what it sends at once, and what it goes on sending.
local large = talk.request("openai.chat", "r", "[[simulate answer_bytes=8000000]]", false)
local kinds = {
  head = { first = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n", piece = "x-a: b\r\n" },
  body = { first = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    .. "content-length: 100000\r\n\r\n", piece = " " },
  reader = { first = large },
}
local names = { "head", "body", "reader" }

-- Prints its kind and how many seconds it was let live; "refused": it did not get in.
local function be_slow(name)
  local kind = kinds[name]
  local conn = net.connect(port, name == "reader" and { receive_bytes = 4096 } or nil)
  if not conn then return print "refused 0" end
  local from = loop.now()
  conn:send(kind.first)
  if kind.piece then
    repeat
      loop.sleep(0.5)
    until not conn:send(kind.piece) or conn:wait_closed(0.001) or loop.now() - from > limit_s + 20
  else
    loop.sleep(limit_s + 1.5)
  end
  print(name, loop.now() - from)
  conn:close()
end

local function be_all_slow(count)
  local tasks = {}
  for i = 1, count do
    local name = i % 100 == 0 and "reader" or names[i % 2 + 1] -- few readers: each costs 8 MB, twice
    tasks[i] = loop.spawn(function() be_slow(name) end)
  end
  for _, task in ipairs(tasks) do task:join(60) end
end

-- Latencies of a client that behaves, in ms, sorted; and how many of its requests were not answered. For so many
-- seconds, and until it is over.
local function behave(seconds, is_over)
  local list, lost, from = {}, 0, loop.now()
  while loop.now() - from < seconds or is_over and not is_over() do
    local began = loop.now()
    local conn = net.connect(port)
    local answer = conn and conn:send(talk.request("openai.chat", "r", "hello", false)) and http.read_response(conn)
    if conn then conn:close() end
    if answer and talk.judge("openai.chat", false, answer) == "complete" then
      list[#list + 1] = (loop.now() - began) * 1000
    else
      lost = lost + 1
    end
    loop.sleep(0.005)
  end
  table.sort(list)
  return list, lost
end

local function at(list, share) return list[math.max(1, math.ceil(#list * share))] or 0 end

local function main()
  start()
  behave(0.5)
  local files = gate:open_files()
  local before = behave(2)
  local slow, lived = {}, { head = {}, body = {}, reader = {}, refused = {} }
  for i = 1, math.ceil(connections / each) do
    slow[i] = proc.start(dir, "slow" .. i, { "lua5.4", arg[0], "--be-slow", tostring(port),
      tostring(math.min(each, connections - (i - 1) * each)) })
  end
  -- All the time that they are there: on a slow machine they come one after the other.
  local most_files, until_time = 0, loop.now() + 60
  local during, lost = behave(0, function()
    most_files = math.max(most_files, gate:open_files() - files)
    for _, process in ipairs(slow) do
      if not process:status() then return loop.now() > until_time end
    end
    return true
  end)
  for _, process in ipairs(slow) do
    report(process:wait(60) == 0, "the slow clients end: " .. process:errors())
    for name, seconds in process:output():gmatch "(%a+)%s+([%d.]+)" do
      table.insert(lived[name], tonumber(seconds))
    end
  end
  report(#lived.refused == 0, #lived.refused .. " slow clients did not get in")
  report(#lived.head + #lived.body + #lived.reader == connections, "slow clients that tell how they fared")
  print(("%d slow clients, %d files more than before"):format(connections, most_files))
  local text = ("a client that behaves: p50 %.1f ms, p99 %.1f ms before; p50 %.1f, p99 %.1f beside %d slow ones; %d of "
    .. "%d lost"):format(at(before, 0.5), at(before, 0.99), at(during, 0.5), at(during, 0.99), connections, lost,
    #during + lost)
  print(text)
  report(lost == 0 and #during > 0, text)
  -- The processes that are slow share this machine's cores, and their share is in these figures; whatever else runs
  -- there holds up one request in a hundred for any time. A gateway that waits for slow ones holds up most.
  report(at(during, 0.5) < 2 * at(before, 0.5) + 50, text)
  report(at(during, 0.9) < 2 * at(before, 0.9) + 250, text)
  for _, name in ipairs { "head", "body" } do
    table.sort(lived[name])
    local most = lived[name][#lived[name]] or 0
    print(("slow %s: %d closed after %.1f to %.1f s; the limit is %d s"):format(name, #lived[name],
      lived[name][1] or 0, most, limit_s))
    report(most <= limit_s + 10 and most > 0, name .. ": closed in time") -- not at all: after 20 s more
  end
  local left = loop.until_true(30, function()
    local now = gate:open_files()
    return now <= files + 1 and now
  end)
  report(left, ("%d files are open, %d were"):format(gate:open_files(), files))
  report(gate:stop(30) == 0, "exit status after SIGTERM")
  simulator:stop(5)
end

if is_slow then
  local over
  loop.spawn(function()
    be_all_slow(tonumber(arg[3]))
    over = true
  end)
  loop.run(function() return over end)
  os.execute("rmdir '" .. dir .. "'")
  for _, text in ipairs(watch.loose) do io.stderr:write(text, "\n") end
  os.exit(#watch.loose == 0)
end

local done
loop.spawn(function()
  local ok, fault = pcall(main)
  if not ok then report(false, tostring(fault)) end
  done = true
end)
loop.run(function() return done end)
os.execute("rm -rf '" .. dir .. "'")
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and passed > 0)
