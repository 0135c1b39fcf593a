-- Live reload: under load, by every trigger, with broken scripts and configs, and back.
local answers = require "answers"
local flow = require "flow"
local json = require "cjson"
local gateway = require "gateway"
local http = require "http"
local proc = require "proc"

local policy = [[
local P = { api = 1 }
function P.setup() return { mine = gw.targets() } end
function P:route() return self.mine[%d] end
return P
]]

-- Two providers; the policy file picks one of them by number.
local function two(t, options)
  options = options or {}
  local first, second = t:upstream { script = options.script or "one" }, t:upstream { script = options.script or "two" }
  local file = t.dir .. "/choose.lua"
  proc.write_file(file, policy:format(1))
  local gate = t:gateway({
    workers = options.workers, providers = { a = t:provider(first), b = t:provider(second) },
    routes = { r = { policy = file, targets = { "a/m", "b/m" } } },
  }, { arguments = options.arguments })
  return gate, file, first, second
end

-- A steady stream of requests, `rate` a second: returns a function that stops it, and counts.
local function load(t, gate, rate)
  local state = { done = 0, failed = {}, busy = 0 }
  local idle, stop = {}, false
  t:spawn(function()
    local from, started = t:now(), 0
    while not stop do
      while started < (t:now() - from) * rate and state.busy < 40 do
        started, state.busy = started + 1, state.busy + 1
        local streamed = started % 5 == 0
        t:spawn(function()
          local ok, fault = pcall(function()
            local conn = table.remove(idle)
            if not conn or conn.gone then conn = t:client(gate) conn.capture = nil end
            local ask = streamed and t.chat_stream or t.chat
            local text = t:text(ask(t, gate, "r", { conn = conn }))
            t:check(text == "one" or text == "two", "text " .. tostring(text))
            idle[#idle + 1] = conn
          end)
          state.busy, state.done = state.busy - 1, state.done + 1
          if not ok then state.failed[#state.failed + 1] = tostring(fault) end
        end)
      end
      t:sleep(0.002)
    end
  end)
  return function()
    stop = true
    t:until_true(20, function() return state.busy == 0 end, "requests in flight end")
  end, state
end

-- Waits until `count` more requests are answered: that there is load does not depend on how quick the machine is.
local function goes_on(t, state, count)
  local wanted = state.done + count
  t:until_true(20, function() return state.done >= wanted end, "answers meanwhile")
end

flow.case("20 reloads under 300 requests a second: none fails", { alone = true, seconds = 120, threads = true },
  function(t)
  local gate, file = two(t, { workers = 2 })
  local stop, state = load(t, gate, flow.mode == "release" and 300 or 60)
  for i = 1, 20 do
    proc.write_file(file, policy:format(i % 2 + 1))
    local answer = gate:admin("POST", "/reload")
    t:equal(answer.status, 200, "reload " .. i .. ": " .. answer.body)
    goes_on(t, state, 20)
    t:equal(t:text(t:chat(gate, "r")), i % 2 == 0 and "one" or "two", "answer after reload " .. i)
  end
  stop()
  t:equal(table.concat(state.failed, "\n"), "", "failed requests")
  local memory = gate.process:resident_kib()
  for _ = 1, 10 do gate:admin("POST", "/reload") end
  local room = flow.mode == "release" and 16384 or 262144 -- sanitizers keep what was freed for a while
  t:check(gate.process:resident_kib() < memory + room, "memory after ten more reloads")
end)

flow.case("50 reloads under load with 50 long streams: none fails, none is cut", { alone = true, seconds = 120,
  only = "release" }, function(t)
  local go
  local function script(name)
    return function(x)
      local asked = x:json()
      if asked.messages[1].content ~= "long" then return x:serve(name) end
      local events = answers.openai_stream { "drop " }
      x:start_stream()
      x:chunk(events[1])
      repeat
        x:chunk(events[2])
        t:sleep(0.5)
      until go
      for i = 3, #events do x:chunk(events[i]) end
      x:end_stream()
    end
  end
  local file = t.dir .. "/choose.lua"
  proc.write_file(file, policy:format(1))
  local patience = { timeouts = { total = "1h" } } -- the streams last for as long as the reloads take
  local gate = t:gateway { workers = 2, providers = { a = t:provider(t:upstream { script = script "one" }, patience),
    b = t:provider(t:upstream { script = script "two" }, patience) }, routes = { r = { policy = file, targets = {
    "a/m", "b/m" } } } }
  local streams = {}
  for i = 1, 50 do
    local conn = t:client(gate)
    conn.capture = nil
    conn:send(t:chat_text("r", { stream = true, fields = { messages = { { role = "user", content = "long" } } } }))
    streams[i] = http.read_head(conn)
    t:check(streams[i]:event(), "first event of stream " .. i)
  end
  local stop, state = load(t, gate, 500)
  for i = 1, 50 do
    proc.write_file(file, policy:format(i % 2 + 1))
    local answer = gate:admin("POST", "/reload")
    t:equal(answer.status, 200, "reload " .. i .. ": " .. answer.body)
    goes_on(t, state, 40)
  end
  stop()
  t:equal(table.concat(state.failed, "\n"), "", "failed requests of " .. state.done)
  go = true
  for i = 1, 50 do
    streams[i].dialect, streams[i].events = "openai.chat", streams[i]:read_events(10)
    t:match(t:text(streams[i]), "^drop ", "stream " .. i)
  end
  t:match(gate:metrics(), "\nmoongate_generation 51\n")
end)

flow.case("a broken script is refused with file:line and the old one goes on", function(t)
  local gate, file = two(t)
  for _, row in ipairs {
    { "local P = {", "choose%.lua:%d+" }, { "return 5", "choose%.lua" }, { "return { api = 1, rout = 1 }", "route" },
    { "local P = { api = 1 }\nfunction P.setup() error 'bad setup' end\nfunction P:route() end\nreturn P",
      "choose%.lua:2.*bad setup" },
    { "return { api = 99 }", "api" }, { "\27LuaS", "choose%.lua" },
    { "local P = { api = 1 }\nfunction P.setup() while true do end end\nfunction P:route() end\nreturn P",
      "choose%.lua" },
    { "local P = { api = 1 }\nfunction P:route() end\nP.examples = { { req = {}, gives = { 'zz' } } }\nreturn P",
      "example" },
  } do
    proc.write_file(file, row[1])
    local answer = gate:admin("POST", "/reload")
    t:equal(answer.status, 400, "reload of " .. row[1]:sub(1, 40))
    t:match(answer.body, row[2], "reload's answer")
    t:equal(t:text(t:chat(gate, "r")), "one", "the old script")
  end
  proc.write_file(gate.file, "return { listen = 5, provders = {} }\n")
  t:equal(gate:admin("POST", "/reload").status, 400, "a broken config")
  t:equal(t:text(t:chat(gate, "r")), "one")
end)

flow.case("SIGHUP reloads", function(t)
  local gate, file = two(t)
  proc.write_file(file, policy:format(2))
  gate.process:signal "HUP"
  t:until_true(5 * t.seconds, function() return t:text(t:chat(gate, "r")) == "two" end, "the new policy")
  proc.write_file(file, "nonsense")
  gate.process:signal "HUP"
  t:until_true(5, function() return gate.process:errors():find "choose%.lua:1" end, "the log says why")
  t:equal(t:text(t:chat(gate, "r")), "two")
end)

flow.case("`moongate reload` and `--back`", function(t)
  local gate, file = two(t)
  local function command(...)
    return proc.run(t.dir, "reload", { gateway.binary, "reload", "--config", gate.file, "--admin",
      "127.0.0.1:" .. gate.admin_port, ... }, {
      MOONGATE_ADMIN_TOKEN = gateway.admin_token, FLOW_ADMIN_TOKEN = gateway.admin_token,
    })
  end
  proc.write_file(file, policy:format(2))
  local status, output, errors = command()
  t:equal(status, 0, "exit status: " .. output .. errors)
  t:equal(t:text(t:chat(gate, "r")), "two")
  proc.write_file(file, "local x = ")
  status, output, errors = command()
  t:check(status ~= 0, "a broken script is told by the exit status")
  t:match(output .. errors, "choose%.lua:%d+")
  status, output, errors = command "--back"
  t:equal(status, 0, "exit status of --back: " .. output .. errors)
  t:equal(t:text(t:chat(gate, "r")), "one")
end)

flow.case("--dev watches the files", function(t)
  local gate, file = two(t, { arguments = { "--dev" } })
  local function put(text) -- whole at once: half of it, or nothing, would be another broken file
    proc.write_file(file .. ".new", text)
    assert(os.rename(file .. ".new", file))
  end
  t:equal(t:text(t:chat(gate, "r")), "one")
  proc.write_file(file, policy:format(2))
  t:until_true(5 * t.seconds, function() return t:text(t:chat(gate, "r")) == "two" end,
    "the new policy without being told")
  put(policy:format(1))
  t:until_true(5 * t.seconds, function() return t:text(t:chat(gate, "r")) == "one" end,
    "a file put in its place by rename")
  put "return {"
  t:until_true(5 * t.seconds, function() return gate.process:errors():find "choose%.lua:1" end, "a broken file is told")
  t:sleep(1.2)
  local _, times = gate.process:errors():gsub("choose%.lua:1", "")
  t:equal(times, 1, "how often the same broken file is told")
  t:equal(t:text(t:chat(gate, "r")), "one", "the old policy goes on")
  proc.write_file(file, policy:format(2))
  t:until_true(5 * t.seconds, function() return t:text(t:chat(gate, "r")) == "two" end, "the mended file")
end)

flow.case("a reload changes providers, keys and routes of the config", function(t)
  local gate = two(t)
  gate.may_hold_files = true -- a third provider has connections of its own
  local third = t:upstream { script = "three" }
  local config = gate.config
  config.providers.c = t:provider(third)
  gate.environment = setmetatable({}, { __index = gate.environment, __newindex = function() end })
  config.providers.c.keys = { "sk-canary7Q-third" }
  config.routes.new = { targets = { "c/m" } }
  config.keys[2] = { name = "second", team = "search", key = "mg-canary7Q-second-0123456789" }
  t:equal(t:chat(gate, "new").status, 404, "before")
  gate:write_config(config)
  local answer = gate:admin("POST", "/reload")
  t:equal(answer.status, 200, answer.body)
  t:equal(t:text(t:chat(gate, "new", { key = "mg-canary7Q-second-0123456789" })), "three")
  t:equal(third.requests[1].headers.authorization, "Bearer sk-canary7Q-third")
  config.keys[2] = nil
  gate:write_config(config)
  t:equal(gate:admin("POST", "/reload").status, 200)
  t:equal(t:chat(gate, "new", { key = "mg-canary7Q-second-0123456789" }).status, 401, "a key taken away")
end)

flow.case("a stream begun before a reload ends on its own generation", function(t)
  local go
  local gate, file = two(t, { script = function(x)
    x:start_stream()
    for _, event in ipairs(require "answers".openai_stream { "long", "est" }) do
      x:chunk(event)
      if event:find "long" then t:until_true(10, function() return go end) end
    end
    x:end_stream()
  end })
  local conn = t:client(gate)
  conn:send(t:chat_text("r", { stream = true }))
  local answer = http.read_head(conn)
  t:check(answer:event(), "first event")
  for i = 1, 5 do
    proc.write_file(file, policy:format(i % 2 + 1))
    t:equal(gate:admin("POST", "/reload").status, 200)
  end
  go = true
  answer.dialect, answer.events = "openai.chat", answer:read_events(10)
  t:equal(t:text(answer), "longest")
  local record = t:trace(gate, answer.headers["x-request-id"])
  t:check(record.generation, "generation in the trace")
end)

flow.case("the answer to a reload says what changed and how long it took", function(t)
  local gate, file = two(t)
  proc.write_file(file, policy:format(2))
  local answer = gate:admin("POST", "/reload")
  t:equal(answer.status, 200)
  local report = json.decode(answer.body)
  t:equal(type(report), "table")
  t:match(answer.body, "generation")
end)
