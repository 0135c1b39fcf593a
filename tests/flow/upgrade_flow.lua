-- The process is replaced while it serves; what systemd gives and is told; the delay between "not ready" and the drain.
local answers = require "answers"
local flow = require "flow"
local gateway = require "gateway"
local http = require "http"
local json = require "cjson"
local loop = require "loop"
local net = require "net"
local proc = require "proc"

-- In a process of its own, so that other cases go on meanwhile.
local function shell(t, command)
  local status, output, errors = proc.run(t.dir, "shell", { "sh", "-c", command }, nil, 60 * t.seconds)
  t:equal(status, 0, command .. ": " .. output .. errors)
end

-- A gateway whose binary is a file of this case, so that it can be replaced.
local function own_binary(t, config)
  local binary = t.dir .. "/moongate"
  shell(t, ("cp %s %s"):format(proc.quote(gateway.binary), proc.quote(binary)))
  local root = os.getenv "MOONGATE_ROOT"
  local environment = { MOONGATE_ROOT = root and root ~= "" and root or flow.root }
  local gate = t:gateway(config, { environment = environment, binary = binary })
  gate.may_hold_files = true
  return gate, binary
end

local function alive(pid) return os.execute("kill -0 " .. pid .. " 2>/dev/null") end

-- The pid of the process that took over; ended with the case.
local function successor(t, gate)
  local pid = t:until_true(20 * t.seconds, function()
    return gate.process:errors():match "process (%d+) serves now"
  end, "somebody takes over")
  t:keep { close = function()
    os.execute("kill " .. pid .. " 2>/dev/null")
    loop.until_true(loop.patience, function() return not alive(pid) end)
    if alive(pid) then os.execute("kill -9 " .. pid) end
  end }
  return pid
end

-- Requests, one after the other on each of a few connections, as SDKs do: what is told to close is opened anew, and
-- what this process has left idle for almost as long as a drain leaves idle connections open (a second).
local function load(t, gate, clients)
  local state = { done = 0, failed = {}, running = clients, stop = false }
  for i = 1, clients do
    t:spawn(function()
      local conn, used
      while not state.stop do
        local ok, fault = pcall(function()
          if conn and loop.now() - used > 0.5 then conn:close() end
          if not conn or conn.gone then
            conn = assert(net.connect(gate.port))
            t:keep(conn)
          end
          local ask = i % 3 == 0 and t.chat_stream or t.chat
          local answer = ask(t, gate, "r", { conn = conn })
          t:equal(t:text(answer), "served")
          used = loop.now()
          if (answer.headers.connection or ""):lower() == "close" then
            conn:close()
            conn = nil
          end
        end)
        state.done = state.done + 1
        if not ok then
          state.failed[#state.failed + 1] = tostring(fault)
          conn = nil
        end
        loop.sleep(0.002)
      end
      state.running = state.running - 1
    end)
  end
  function state.finish()
    state.stop = true
    t:until_true(20, function() return state.running == 0 end)
    return state
  end
  return state
end

flow.case("SIGUSR2: the new binary takes over under load, nothing is refused, streams go on", { alone = true,
  seconds = 120, only = "release" }, function(t)
  local go
  local up = t:upstream { script = function(x)
    local asked = x:json()
    if asked.messages[1].content ~= "long" then return x:serve "served" end
    x:start_stream()
    for i, event in ipairs(answers.openai_stream { "to the ", "end" }) do
      x:chunk(event)
      if i == 2 then t:until_true(60, function() return go end) end
    end
    x:end_stream()
  end }
  local gate, binary = own_binary(t, { workers = 2, providers = { up = t:provider(up) },
    routes = { r = { targets = { "up/m" } } } })
  local stream = t:client(gate)
  stream:send(t:chat_text("r", { stream = true, fields = { messages = { { role = "user", content = "long" } } } }))
  local answer = http.read_head(stream)
  t:check(answer:event(), "first event")
  local state = load(t, gate, 8)
  t:until_true(20, function() return state.done > 100 end, "load")
  shell(t, ("cp %s %s.new && mv %s.new %s"):format(proc.quote(gateway.binary), binary, binary, binary))
  gate.expect_exit = true
  gate.process:signal "USR2"
  local pid = successor(t, gate)
  t:check(pid ~= gate.process.pid, "another process")
  local before = state.done
  t:until_true(20, function() return state.done > before + 200 end, "requests after the handover")
  t:check(not gate.process:status(), "the old one is there for its stream")
  go = true
  answer.dialect, answer.events = "openai.chat", answer:read_events(10)
  t:equal(t:text(answer), "to the end", "the stream that began in the old process")
  t:equal(gate.process:wait(10 * t.seconds), 0, "exit status of the old one")
  before = state.done
  t:until_true(20, function() return state.done > before + 100 end, "requests after its end")
  state.finish()
  t:equal(table.concat(state.failed, "\n"), "", "failed requests of " .. state.done)
  t:check(alive(pid), "the new one serves")
  t:equal(gate:admin("GET", "/readyz").status, 200, "the admin port has moved too")
  -- And once more, from the one that took over.
  local told = gate:admin("POST", "/upgrade")
  t:equal(told.status, 200)
  local third = math.tointeger(json.decode(told.body).pid)
  t:keep { close = function() os.execute("kill " .. third) end }
  t:until_true(10 * t.seconds, function() return not alive(pid) end, "the second one ends")
  t:check(alive(third), "the third one is there")
  t:equal(t:text(t:chat(gate, "r")), "served", "the third serves")
end)

flow.case("a new binary that does not start leaves the old one serving", { threads = true }, function(t)
  local up = t:upstream { script = "served" }
  local gate, binary = own_binary(t, { providers = { up = t:provider(up) }, routes = { r = { targets = { "up/m" } } } })
  os.remove(binary)
  proc.write_file(binary, "#!/bin/sh\nexit 3\n")
  shell(t, "chmod +x " .. proc.quote(binary))
  local answer = gate:admin("POST", "/upgrade")
  t:equal(answer.status, 500)
  t:match(json.decode(answer.body).error, "status 3")
  t:equal(t:text(t:chat(gate, "r")), "served")
  os.remove(binary)
  answer = gate:admin("POST", "/upgrade")
  t:equal(answer.status, 500)
  t:equal(t:text(t:chat(gate, "r")), "served")
  -- A config that is broken by now, too.
  shell(t, ("cp %s %s"):format(proc.quote(gateway.binary), proc.quote(binary)))
  local good = proc.read_file(gate.file)
  proc.write_file(gate.file, "return { listen = 5 }\n")
  t:equal(gate:admin("POST", "/upgrade").status, 500)
  proc.write_file(gate.file, good)
  t:equal(t:text(t:chat(gate, "r")), "served")
  t:equal(gate:admin("GET", "/readyz").status, 200)
end)

flow.case("drain_delay: not ready at once, accepting and saying close until it is over", function(t)
  local up = t:upstream { script = "served" }
  local gate = t:gateway { drain_delay = "4s", providers = { up = t:provider(up) },
    routes = { r = { targets = { "up/m" } } } }
  local idle = t:client(gate)
  idle:send(t:chat_text("r"))
  t:equal(http.read_response(idle).headers.connection, nil, "before, connections are kept")
  gate.expect_exit = true
  gate.process:signal "TERM"
  t:until_true(1 * t.seconds, function() return gate:admin("GET", "/readyz").status == 503 end, "not ready")
  local answer
  t:until_true(2, function() -- the worker is told in its turn
    idle:send(t:chat_text("r"))
    answer = http.read_response(idle)
    t:equal(answer.status, 200, "on the connection that was there")
    return answer.headers.connection == "close"
  end, "the connection's end is told")
  answer = t:chat(gate, "r")
  t:equal(answer.status, 200, "on a new connection")
  t:equal(answer.headers.connection, "close")
  t:equal(gate.process:wait(10 * t.seconds), 0)
  t:equal(net.connect(gate.port), nil, "nobody listens any more")
end)

flow.case("an idle connection may still send a request when the drain has begun", function(t)
  local go
  local gate, up = t:simple { script = function(x)
    if x:json().messages[1].content == "wait" then t:until_true(20, function() return go end) end
    x:serve "served"
  end }
  local idle, busy = t:client(gate), t:client(gate)
  idle:send(t:chat_text("r"))
  t:equal(http.read_response(idle).status, 200)
  busy:send(t:chat_text("r", { fields = { messages = { { role = "user", content = "wait" } } } }))
  t:until_true(5, function() return #up.requests == 2 end, "the provider has it")
  gate.expect_exit = true
  gate.process:signal "TERM"
  t:until_true(2 * t.seconds, function() -- its worker has been told, in its turn
    local conn = net.connect(gate.port)
    if conn then conn:close() end
    return not conn
  end, "nobody listens any more")
  idle:send(t:chat_text("r"))
  local answer = http.read_response(idle)
  t:equal(answer.status, 200)
  t:equal(answer.headers.connection, "close")
  go = true
  t:equal(http.read_response(busy).status, 200)
  t:equal(gate.process:wait(10 * t.seconds), 0)
end)

-- ---- systemd ------------------------------------------------------------------------------------------------

-- A gateway started as systemd does it: its sockets came with it, and what it tells comes to `notes`, which are read
-- all the time: the kernel holds ten. names: of the sockets, "clients:admin". options.busy: as many are there already,
-- and nobody reads until the gateway has begun.
local function activated(t, names, options)
  local activate = t.dir .. "/activate"
  shell(t, ("cc -o %s %s/tests/flow/lib/activate.c"):format(proc.quote(activate), proc.quote(flow.root)))
  local place = os.tmpname() -- short enough for a socket's name, and nobody else's
  local path = place .. ".sock"
  local notes = { text = "" }
  notes.socket = require "socket.unix".dgram()
  assert(notes.socket:bind(path))
  notes.socket:settimeout(0)
  t:keep { close = function()
    notes.closed = true
    notes.socket:close()
    os.remove(path)
    os.remove(place)
  end }
  function notes.have(pattern)
    for part in function() return notes.socket:receive() end do notes.text = notes.text .. part end
    return notes.text:match(pattern)
  end
  local other = options.busy and require "socket.unix".dgram()
  if other then
    other:settimeout(0)
    assert(other:connect(path))
    repeat until not other:send "X_OF_ANOTHER_SERVICE=1\n"
    other:close()
  end
  t:spawn(function()
    if other then
      loop.until_true(loop.patience, function() return (proc.read_file(t.dir .. "/gateway.out") or ""):find "ready" end)
      loop.sleep(0.2)
    end
    while not notes.closed do
      notes.have ""
      loop.sleep(0.02)
    end
  end)
  local wrapper = t.dir .. "/run-activated"
  proc.write_file(wrapper, ("#!/bin/sh\nexec %s %s %s %s \"$@\"\n"):format(proc.quote(activate),
    proc.quote(t.dir .. "/ports"), names, proc.quote(gateway.binary)))
  shell(t, "chmod +x " .. proc.quote(wrapper))
  local up = t:upstream { script = options.script or "served" }
  local environment = { NOTIFY_SOCKET = path, WATCHDOG_USEC = options.watchdog_usec }
  local config = { workers = options.workers, providers = { up = t:provider(up) },
    routes = { r = { targets = { "up/m" } } } }
  local gate = t:gateway(config, { environment = environment, binary = wrapper })
  local ports = {}
  for port in proc.read_file(t.dir .. "/ports"):gmatch "%d+" do ports[#ports + 1] = tonumber(port) end
  return gate, notes, ports
end

flow.case("systemd: sockets that came with the process are served, one shared by all workers", { threads = true },
  function(t)
  local gate, notes, ports = activated(t, "moongate.socket:admin", { workers = 3 })
  t:equal(gate.port, ports[1], "the clients' port")
  t:equal(gate.admin_port, ports[2], "the admin port")
  for _ = 1, 20 do t:equal(t:text(t:chat(gate, "r")), "served") end
  t:until_true(5, function() return notes.have "READY=1" end, "READY=1 is told")
  t:equal(notes.have "MAINPID=(%d+)", gate.process.pid)
  gate.process:signal "HUP"
  t:until_true(5, function() return notes.have "RELOADING=1\nMONOTONIC_USEC=%d+\n.*READY=1" end, "reload is told")
  gate.expect_exit = true
  gate.process:signal "TERM"
  t:equal(gate.process:wait(10 * t.seconds), 0)
  t:check(notes.have "STOPPING=1", "STOPPING=1 is told")
end)

flow.case("systemd: a service manager that is busy hears all the same that it is ready", function(t)
  local gate, notes = activated(t, "clients", { busy = true })
  t:until_true(5, function() return notes.have "READY=1\nMAINPID=" end, "READY=1 is told")
  t:equal(t:text(t:chat(gate, "r")), "served")
end)

flow.case("systemd: more sockets than workers: each is served", function(t)
  local gate, _, ports = activated(t, "a:b:c", { workers = 2 })
  for _, port in ipairs(ports) do t:equal(t:text(t:chat({ port = port }, "r")), "served", "port " .. port) end
  t:equal(gate.port, ports[1])
end)

flow.case("systemd: the watchdog is told while every loop turns, and not while one hangs", { alone = true,
  only = "release" }, function(t)
  local gate, notes = activated(t, "clients", { workers = 2, watchdog_usec = "400000" })
  t:until_true(5, function() return select(2, notes.text:gsub("WATCHDOG=1", "")) >= 3 or notes.have "nothing" end,
    "it is told again and again")
  gate.process:signal "STOP"
  t:until_true(5, function()
    return proc.read_file("/proc/" .. gate.process.pid .. "/stat"):find("%) T ")
  end, "it stands still")
  notes.have ""
  notes.text = ""
  t:sleep(1)
  t:equal(notes.have "WATCHDOG=1", nil, "while it stands still")
  gate.process:signal "CONT"
  t:until_true(5, function() return notes.have "WATCHDOG=1" end, "and again afterwards")
end)

flow.case("systemd: the process that takes over is told to be the main one", { alone = true, only = "release" },
  function(t)
  local gate, notes = activated(t, "clients:admin", { workers = 2, watchdog_usec = "400000" })
  gate.expect_exit = true
  gate.process:signal "USR2"
  local pid = successor(t, gate)
  t:until_true(5, function() return notes.have("READY=1\nMAINPID=" .. pid) end, "MAINPID of the new process")
  t:equal(gate.process:wait(10 * t.seconds), 0)
  t:equal(notes.have "STOPPING=1", nil, "the service does not stop")
  notes.text = ""
  t:until_true(5, function() return notes.have "WATCHDOG=1" end, "the new one tells that it is alive")
  for _ = 1, 10 do t:equal(t:text(t:chat(gate, "r")), "served") end
end)

flow.case("what comes with the process and is no listening socket is refused", function(t)
  local status, _, errors = proc.run(t.dir, "odd", { "sh", "-c",
    "exec env LISTEN_PID=$$ LISTEN_FDS=1 " .. proc.quote(gateway.binary) .. " run --config /nowhere 3</dev/null" })
  t:equal(status, 69)
  t:match(errors, "descriptor 3")
end)

-- The unit files that ship are ones that systemd takes; where it is not installed, they are read as it reads them.
flow.case("systemd: the unit files in examples/systemd are well-formed", function(t)
  local folder = flow.root .. "/examples/systemd"
  local known = {
    Unit = "Description Documentation After Wants Requires",
    Service = "Type NotifyAccess ExecStart ExecReload Restart RestartSec TimeoutStartSec TimeoutStopSec WatchdogSec "
      .. "LimitNOFILE LimitCORE MemoryMax EnvironmentFile DynamicUser User Group StateDirectory LogsDirectory "
      .. "NoNewPrivileges ProtectSystem ProtectHome PrivateTmp PrivateDevices ProtectKernelTunables "
      .. "ProtectControlGroups RestrictAddressFamilies RestrictNamespaces LockPersonality MemoryDenyWriteExecute "
      .. "SystemCallArchitectures CapabilityBoundingSet AmbientCapabilities KillMode NonBlocking Sockets",
    Socket = "ListenStream FileDescriptorName Service NoDelay Backlog ReusePort",
    Install = "WantedBy Also",
  }
  for _, file in ipairs { "moongate.service", "moongate.socket", "moongate-admin.socket" } do
    local section
    for line in (proc.read_file(folder .. "/" .. file) or t:fail(file .. " is missing")):gmatch "[^\n]+" do
      local name, key = line:match "^%[(%a+)%]$", line:match "^(%a+)="
      if name then
        section = t:check(known[name] and name, file .. ": [" .. name .. "]")
      elseif not line:find "^#" then
        local keys = " " .. (known[section] or "") .. " "
        t:check(key and keys:find(" " .. key .. " ", 1, true), file .. ": " .. line)
      end
    end
  end
  local service = proc.read_file(folder .. "/moongate.service")
  for _, line in ipairs { "Type=notify", "NotifyAccess=all", "WatchdogSec=", "ExecReload=" } do
    t:check(service:find("\n" .. line, 1, true), line)
  end
  if os.execute "command -v systemd-analyze >/dev/null" then
    -- In a folder of their own, with a binary that is there.
    local names = {}
    for _, file in ipairs { "moongate.service", "moongate.socket", "moongate-admin.socket" } do
      local text = proc.read_file(folder .. "/" .. file):gsub("/usr/local/bin/moongate", "/bin/true")
      proc.write_file(t.dir .. "/" .. file, (text:gsub("EnvironmentFile=%-?[^\n]*\n", "")))
      names[#names + 1] = proc.quote(t.dir .. "/" .. file)
    end
    local _, output, errors = proc.run(t.dir, "verify", { "sh", "-c", "systemd-analyze verify "
      .. table.concat(names, " ") })
    for line in (output .. errors):gmatch "[^\n]+" do
      t:check(not line:find("moongate", 1, true), "systemd-analyze: " .. line)
    end
  end
end)
