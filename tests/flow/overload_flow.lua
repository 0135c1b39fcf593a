-- More is asked than may be done at once: caps of the process, teams and providers, the queue in front of them with its
-- priorities and turns, what is told to those who are turned away, and memory.
local answers = require "answers"
local flow = require "flow"
local gateway = require "gateway"
local http = require "http"
local json = require "cjson"
local proc = require "proc"

-- A provider whose answers wait until they are let go, one by one or all.
local function held(t, options)
  options = options or {}
  local state = { order = {}, running = 0, most = 0, free = 0 }
  state.up = t:upstream { script = function(x)
    local asked = x:json()
    state.running = state.running + 1
    state.most = math.max(state.most, state.running)
    state.order[#state.order + 1] = asked.messages[1].content
    local number = #state.order
    t:until_true(120, function() return number <= state.free or x:wait_closed(0) end)
    state.running = state.running - 1
    x:serve(options.text or "served")
  end }
  return state
end

-- Sends a chat request that nobody waits for; call the result to read its answer.
local function ask(t, gate, content, options)
  options = options or {}
  options.fields = { messages = { { role = "user", content = content } } }
  local conn = t:client(gate)
  conn:send(t:chat_text(options.model or "r", options))
  return function(seconds) return http.read_response(conn, seconds or 20) end, conn
end

local function key(name, more)
  local entry = { name = name, key = gateway.env("FLOW_KEY_OF_" .. name:upper(), "mg-canary7Q-" .. name
    .. "-0123456789abcdef") }
  for field, value in pairs(more or {}) do entry[field] = value end
  return entry, entry.key.value
end

-- Who waits in this queue is there for as long as the case takes, however slow the machine.
local function patient(limits)
  limits.queue_time = "120s"
  return limits
end

local function metric(gate, line)
  return tonumber(gate:metrics():match("\n" .. line:gsub("%p", "%%%0") .. " (%d+)"))
end

local function waiting(t, gate, count)
  t:until_true(5 * t.seconds, function() return metric(gate, "moongate_queue_length") == count end, count .. " wait")
end

flow.case("limits.in_flight: the third waits, holds no provider connection, and is served", { threads = true },
  function(t)
  local provider = held(t)
  local gate = t:gateway { workers = 2, limits = patient { in_flight = 2 },
    providers = { up = t:provider(provider.up) }, routes = { r = { targets = { "up/m" } } } }
  local read = {}
  for i = 1, 4 do read[i] = ask(t, gate, "n" .. i) end
  waiting(t, gate, 2)
  t:until_true(5, function() return #provider.order == 2 end, "two are at the provider")
  t:equal(metric(gate, 'moongate_places_in_use{scope="process",name=""}'), 2)
  provider.free = 4
  for i = 1, 4 do t:equal(read[i]().status, 200) end
  t:equal(provider.most, 2, "at the same time")
  waiting(t, gate, 0)
  t:until_true(5, function() return metric(gate, 'moongate_places_in_use{scope="process",name=""}') == 0 end)
  local queued = 0
  for _, record in ipairs(gate:traces(4)) do
    if record.queue_ms ~= json.null then queued = queued + 1 t:check(record.queue_ms > 0) end
  end
  t:equal(queued, 2, "trace records that tell of a wait")
  t:equal(metric(gate, "moongate_queue_wait_seconds_count"), 2)
end)

for _, dialect in ipairs { "openai.chat", "anthropic.messages" } do
  flow.case("a full queue: 503 at once in the client's dialect, " .. dialect, function(t)
    local provider = held(t)
    local gate = t:gateway { limits = patient { in_flight = 1, queue = 1 },
      providers = { up = t:provider(provider.up) }, routes = { r = { targets = { "up/m" } } } }
    local first = ask(t, gate, "one")
    t:until_true(5, function() return #provider.order == 1 end)
    local second = ask(t, gate, "two")
    waiting(t, gate, 1)
    local refused = t:chat(gate, "r", { dialect = dialect })
    t:equal(refused.status, 503)
    t:equal(t:envelope(refused, dialect), dialect == "openai.chat" and "overloaded" or "overloaded_error")
    t:check(tonumber(refused.headers["retry-after"]) >= 1, "Retry-After")
    t:equal(metric(gate, 'moongate_shed_total{reason="queue_full"}'), 1)
    provider.free = 9
    t:equal(first().status, 200)
    t:equal(second().status, 200)
    t:equal(#provider.order, 2, "requests that reached the provider")
    t:equal(t:chat(gate, "r").status, 200, "room again")
  end)
end

flow.case("queue = 0: nobody waits", function(t)
  local provider = held(t)
  local gate = t:gateway { limits = { in_flight = 1, queue = 0 }, providers = { up = t:provider(provider.up) },
    routes = { r = { targets = { "up/m" } } } }
  local first = ask(t, gate, "one")
  t:until_true(5, function() return #provider.order == 1 end)
  t:equal(t:chat(gate, "r").status, 503)
  provider.free = 9
  t:equal(first().status, 200)
  t:equal(t:chat(gate, "r").status, 200, "after it has ended")
end)

flow.case("limits.queue_time: 504 with a code of its own, and no provider was called", function(t)
  local provider = held(t)
  local gate = t:gateway { limits = { in_flight = 1, queue_time = "200ms" },
    providers = { up = t:provider(provider.up) },
    routes = { r = { targets = { "up/m" } }, quick = { targets = { "up/m" }, queue_time = "50ms" } } }
  local first = ask(t, gate, "one")
  t:until_true(5, function() return #provider.order == 1 end)
  local from = t:now()
  local late = t:chat(gate, "r")
  t:check(t:now() - from >= 0.2, "it has waited")
  t:equal(late.status, 504)
  t:equal(t:envelope(late), "queue_timeout")
  t:match(late.body, "within 200 ms %(queue_time%)")
  t:check(tonumber(late.headers["retry-after"]) >= 1, "Retry-After")
  t:equal(metric(gate, 'moongate_shed_total{reason="queue_timeout"}'), 1)
  local record = t:trace(gate, late.headers["x-request-id"])
  t:equal(#record.attempts, 0)
  t:check(record.queue_ms > 20, "queue_ms") -- its clock began with the turn in which it came, which may be older
  t:match(t:chat(gate, "quick").body, "within 50 ms", "a route's own")
  provider.free = 1
  t:equal(first().status, 200)
end)

flow.case("Retry-After comes from what was measured", { alone = true, only = "release" }, function(t)
  local provider = held(t)
  local gate = t:gateway { limits = { in_flight = 1, queue = 0, queue_time = "60s" },
    providers = { up = t:provider(provider.up) }, routes = { r = { targets = { "up/m" } } } }
  local slow = ask(t, gate, "slow")
  t:until_true(5, function() return #provider.order == 1 end, "it has the place")
  t:equal(t:chat(gate, "r").headers["retry-after"], "60", "nothing is measured yet: the queue's own time")
  t:sleep(1.3)
  provider.free = 1
  t:equal(slow().status, 200)
  local took_s = gate:traces(2)[2].latency_ms / 1000 -- the refused one's record comes before
  slow = ask(t, gate, "slow")
  t:until_true(5, function() return #provider.order == 2 end, "it has the place")
  local told = tonumber(t:chat(gate, "r").headers["retry-after"])
  t:check(told >= 2 and told <= math.ceil(took_s) + 1, ("one took %.2f s, told %d"):format(took_s, told))
  provider.free = 2
  t:equal(slow().status, 200)
end)

flow.case("a client that leaves the queue is gone from it at once", function(t)
  local provider = held(t)
  local gate = t:gateway { limits = patient { in_flight = 1 }, providers = { up = t:provider(provider.up) },
    routes = { r = { targets = { "up/m" } } } }
  local first = ask(t, gate, "one")
  t:until_true(5, function() return #provider.order == 1 end)
  local _, conn = ask(t, gate, "leaves")
  waiting(t, gate, 1)
  conn:close()
  waiting(t, gate, 0)
  provider.free = 9
  t:equal(first().status, 200)
  t:equal(t:chat(gate, "r").status, 200)
  t:equal(#provider.order, 2, "requests that reached the provider")
  for _, record in ipairs(gate:traces(3)) do
    if record.outcome == "client_gone" then return t:equal(record.status, 499) end
  end
  t:fail "no record of who left"
end)

flow.case("providers.X.max_in_flight: the next target takes what is too much, then the queue", function(t)
  local small, large = held(t, { text = "small" }), held(t, { text = "large" })
  local gate = t:gateway { providers = { small = t:provider(small.up, { max_in_flight = 1 }),
    large = t:provider(large.up, { max_in_flight = 2 }) }, limits = patient {},
    routes = { r = { targets = { "small/m", "large/m" } } } }
  local read = {}
  for i = 1, 5 do
    read[i] = ask(t, gate, "n" .. i)
    t:until_true(5, function() return #small.order + #large.order + metric(gate, "moongate_queue_length") == i end)
  end
  t:equal(#small.order, 1)
  t:equal(#large.order, 2)
  t:equal(metric(gate, "moongate_queue_length"), 2)
  t:equal(metric(gate, 'moongate_places_in_use{scope="provider",name="large"}'), 2)
  small.free = 9
  t:until_true(5, function() return #small.order == 3 end, "the waiting ones go where a place came free")
  large.free = 9
  for i = 1, 5 do t:equal(read[i]().status, 200) end
  t:equal(small.most, 1)
  t:equal(large.most, 2)
end)

flow.case("teams.X.max_in_flight bounds that team only", function(t)
  local provider = held(t)
  local a, a_key = key("a", { team = "busy" })
  local b, b_key = key("b", { team = "other" })
  local gate = t:gateway { teams = { busy = { max_in_flight = 1 }, other = {} }, keys = { a, b }, limits = patient {},
    providers = { up = t:provider(provider.up) }, routes = { r = { targets = { "up/m" } } } }
  local read = { ask(t, gate, "a1", { key = a_key }) }
  t:until_true(5, function() return #provider.order == 1 end)
  read[2] = ask(t, gate, "a2", { key = a_key })
  waiting(t, gate, 1)
  read[3] = ask(t, gate, "b1", { key = b_key })
  t:until_true(5, function() return #provider.order == 2 end, "the other team is served")
  t:equal(provider.order[2], "b1")
  provider.free = 9
  for i = 1, 3 do t:equal(read[i]().status, 200) end
end)

local mib = ("x"):rep(1 << 20)

flow.case("teams.X.memory: what would be more is refused before its body is read, the other team's is not", function(t)
  local provider = held(t)
  local a, a_key = key("a", { team = "busy" })
  local b, b_key = key("b", { team = "other" })
  local gate = t:gateway { teams = { busy = { memory = "3MiB" }, other = {} }, keys = { a, b },
    limits = { body = "2MiB" },
    providers = { up = t:provider(provider.up) }, routes = { r = { targets = { "up/m" } } } }
  local used = 'moongate_bodies_bytes{scope="team",name="busy"}'
  local read = { ask(t, gate, mib, { key = a_key }), ask(t, gate, mib, { key = a_key }) }
  t:until_true(5, function() return #provider.order == 2 end, "two are at the provider")
  t:check(metric(gate, used) > 2 << 20, "bytes of the team: " .. tostring(metric(gate, used)))
  local answer = ask(t, gate, mib, { key = a_key })()
  t:equal(answer.status, 503)
  t:equal(t:envelope(answer), "overloaded")
  t:match(answer.body, "this team's requests")
  t:check(tonumber(answer.headers["retry-after"]), "retry-after")
  t:equal(metric(gate, 'moongate_shed_total{reason="team_memory"}'), 1)
  local small = ask(t, gate, "small", { key = a_key }) -- there is still room for it
  read[3] = ask(t, gate, mib, { key = b_key })
  t:until_true(5, function() return #provider.order == 4 end, "a small one, and the other team's")
  provider.free = 9
  for i = 1, 3 do t:equal(read[i]().status, 200) end
  t:equal(small().status, 200)
  t:until_true(5, function() return metric(gate, used) == 0 end, "all given back")
  t:equal(ask(t, gate, mib, { key = a_key })().status, 200)
end)

flow.case("providers.X.memory: the next target takes what is too much, then the queue", function(t)
  local small, large = held(t, { text = "small" }), held(t, { text = "large" })
  local gate = t:gateway { limits = patient { body = "1536KiB", queue = 1 },
    providers = { small = t:provider(small.up, { memory = "1536KiB" }),
      large = t:provider(large.up, { memory = "1536KiB" }) },
    routes = { r = { targets = { "small/m", "large/m" } } } }
  local function used(name) return metric(gate, ('moongate_bodies_bytes{scope="provider",name="%s"}'):format(name)) end
  local read = {}
  for i = 1, 5 do -- two fill the first, two the second, and one waits
    read[i] = ask(t, gate, mib .. i)
    t:until_true(5, function() return #small.order + #large.order + metric(gate, "moongate_queue_length") == i end)
  end
  t:equal(#small.order, 2)
  t:equal(#large.order, 2)
  t:check(used "small" > 2 << 20, "bytes at the provider: " .. tostring(used "small"))
  local answer = ask(t, gate, "late")()
  t:equal(answer.status, 503)
  t:check(tonumber(answer.headers["retry-after"]), "retry-after")
  small.free = 1
  t:until_true(5, function() return #small.order == 3 end, "the waiting one goes where memory came free")
  small.free, large.free = 9, 9
  for i = 1, 5 do t:equal(read[i]().status, 200) end
  t:until_true(5, function() return used "small" == 0 and used "large" == 0 end, "all given back")
end)

flow.case("providers.X.memory: a stream that has begun holds no body, a whole answer counts as it comes", function(t)
  local go = false
  local up = t:upstream { script = function(x)
    local text = ("y"):rep(1 << 20)
    if x:json().stream then
      x:start_stream()
      local events = answers.openai_stream { "a", "b" }
      for i = 1, 2 do x:chunk(events[i]) end
      t:until_true(20, function() return go end)
      for i = 3, #events do x:chunk(events[i]) end
      return x:end_stream()
    end
    local body = answers.openai_whole(text)
    x.conn:send(("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"):format(#body))
    x.conn:send(body:sub(1, -10))
    t:until_true(20, function() return go end)
    x.conn:send(body:sub(-9))
  end }
  local gate = t:gateway { limits = { body = "1536KiB" }, teams = { search = { memory = "64MiB" } },
    providers = { up = t:provider(up, { memory = "64MiB" }) }, routes = { r = { targets = { "up/m" } } } }
  local function used(scope, name)
    return metric(gate, ('moongate_bodies_bytes{scope="%s",name="%s"}'):format(scope, name))
  end
  local conn = t:client(gate)
  conn:send(t:chat_text("r", { fields = { stream = true, messages = { { role = "user", content = mib } } } }))
  assert(conn:read_until "\r\n\r\n")
  t:until_true(5, function() return used("provider", "up") == 0 and used("team", "search") == 0 end,
    "the stream's body is gone")
  local read = ask(t, gate, "whole")
  t:until_true(5, function() return used("provider", "up") > 1 << 20 and used("team", "search") > 1 << 20 end,
    "the answer counts")
  go = true
  t:equal(read().status, 200)
  t:until_true(5, function() return used("provider", "up") == 0 and used("team", "search") == 0 end, "all given back")
end)

flow.case("within a priority teams take turns; the higher priority goes first", function(t)
  local provider = held(t)
  local a, a_key = key("a", { team = "many" })
  local b, b_key = key("b", { team = "few" })
  local c, c_key = key("c", { priority = 9 })
  local gate = t:gateway { teams = { many = {}, few = {} }, keys = { a, b, c }, limits = patient { in_flight = 1 },
    providers = { up = t:provider(provider.up) },
    routes = { r = { targets = { "up/m" } }, batch = { targets = { "up/m" }, priority = 1 } } }
  local read = {}
  local function add(content, of, model)
    read[#read + 1] = ask(t, gate, content, { key = of, model = model })
    t:until_true(5, function() return #provider.order + metric(gate, "moongate_queue_length") == #read end)
  end
  add("first", a_key)
  add("batch", a_key, "batch")
  for i = 1, 3 do add("a" .. i, a_key) end
  for i = 1, 2 do add("b" .. i, b_key) end
  add("urgent", c_key)
  for i = 1, #read do
    provider.free = i
    t:until_true(5, function() return #provider.order == math.min(i + 1, #read) end)
  end
  t:equal(table.concat(provider.order, " "), "first urgent b1 a1 b2 a2 a3 batch")
  for _, each in ipairs(read) do t:equal(each().status, 200) end
end)

flow.case("a full queue gives way to a higher priority", function(t)
  local provider = held(t)
  local low, low_key = key("low", { priority = 1 })
  local high, high_key = key("high", { priority = 8 })
  local gate = t:gateway { keys = { low, high }, limits = patient { in_flight = 1, queue = 1 },
    providers = { up = t:provider(provider.up) }, routes = { r = { targets = { "up/m" } } } }
  local first = ask(t, gate, "first", { key = low_key })
  t:until_true(5, function() return #provider.order == 1 end)
  local second = ask(t, gate, "second", { key = low_key })
  waiting(t, gate, 1)
  local third = ask(t, gate, "third", { key = high_key })
  local displaced = second()
  t:equal(displaced.status, 503)
  t:equal(t:envelope(displaced), "overloaded")
  t:match(displaced.body, "higher priority")
  t:equal(metric(gate, 'moongate_shed_total{reason="displaced"}'), 1)
  t:equal(t:chat(gate, "r", { key = low_key }).status, 503, "the low one finds it full")
  provider.free = 9
  t:equal(first().status, 200)
  t:equal(third().status, 200)
end)

flow.case("a reload that lifts the cap lets the waiting ones in", function(t)
  local provider = held(t)
  local gate = t:gateway { limits = patient { in_flight = 1 }, providers = { up = t:provider(provider.up) },
    routes = { r = { targets = { "up/m" } } } }
  local read = {}
  for i = 1, 3 do read[i] = ask(t, gate, "n" .. i) end
  waiting(t, gate, 2)
  gate.config.limits = nil
  gate:write_config(gate.config)
  t:equal(gate:admin("POST", "/reload").status, 200)
  t:until_true(5, function() return #provider.order == 3 end, "all are at the provider")
  provider.free = 9
  for i = 1, 3 do t:equal(read[i]().status, 200) end
end)

flow.case("SIGTERM ends who waits with the terminal error, at drain's end", function(t)
  local provider = held(t)
  local gate = t:gateway { drain = "300ms", limits = patient { in_flight = 1 },
    providers = { up = t:provider(provider.up) }, routes = { r = { targets = { "up/m" } } } }
  local first = ask(t, gate, "one")
  t:until_true(5, function() return #provider.order == 1 end)
  local second = ask(t, gate, "two")
  waiting(t, gate, 1)
  gate.expect_exit = true
  gate.process:signal "TERM"
  t:equal(first().status, 503)
  t:equal(second().status, 503)
  t:equal(gate.process:wait(10 * t.seconds), 0)
end)

flow.case("limits.memory: new requests get 503, running streams finish", { alone = true, only = "release" }, function(t)
  local go
  local up = t:upstream { script = function(x)
    x:start_stream()
    for i, event in ipairs(answers.openai_stream { "to the ", "end" }) do
      x:chunk(event)
      if i == 2 then t:until_true(30, function() return go end) end
    end
    x:end_stream()
  end }
  local gate = t:gateway { limits = { memory = "64MiB", body_time = "60s" }, providers = { up = t:provider(up) },
    routes = { r = { targets = { "up/m" } } } }
  local stream = t:client(gate)
  stream:send(t:chat_text("r", { stream = true }))
  local answer = http.read_head(stream)
  t:check(answer:event(), "first event")
  -- Bodies that are announced and do not come: each promises 20 MiB.
  local promised = {}
  for i = 1, 3 do
    promised[i] = t:client(gate)
    promised[i]:send("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer " .. flow.client_key
      .. "\r\ncontent-type: application/json\r\ncontent-length: 20971520\r\n\r\n{")
    t:until_true(5, function() return metric(gate, "moongate_requests_in_flight") == i + (i < 3 and 1 or 0) end)
  end
  local refused = http.read_response(promised[3], 10)
  t:equal(refused.status, 503, "what 64 MiB do not hold")
  t:equal(t:envelope(refused), "overloaded")
  t:match(refused.body, "memory")
  t:check(metric(gate, 'moongate_shed_total{reason="memory"}') >= 1)
  go = true
  answer.dialect, answer.events = "openai.chat", answer:read_events(10)
  t:equal(t:text(answer), "to the end")
  for i = 1, 3 do promised[i]:close() end
  t:until_true(5, function() return t:chat_stream(gate, "r").status == 200 end, "room again")
end)

flow.case("limits.memory: chunked bodies that grow beyond it are refused while they come", { alone = true,
  only = "release" }, function(t)
  local up = t:upstream { script = "served" }
  local gate = t:gateway { limits = { memory = "64MiB", body = "512MiB", body_time = "60s" },
    providers = { up = t:provider(up) }, routes = { r = { targets = { "up/m" } } } }
  gate.dirty = true
  local conn = t:client(gate)
  conn:send("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer " .. flow.client_key
    .. "\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
  local chunk, sent = ("%x\r\n%s\r\n"):format(1 << 20, (" "):rep(1 << 20)), 0
  t:spawn(function()
    for _ = 1, 400 do
      if not conn:send(chunk) then break end
      sent = sent + 1
      t:sleep(0.01)
    end
  end)
  local answer = t:check(http.read_response(conn, 20), "an answer while the body comes")
  t:equal(answer.status, 503)
  t:equal(t:envelope(answer), "overloaded")
  t:check(sent < 200, sent .. " MiB were taken")
  conn:close()
  t:until_true(5, function() return t:chat(gate, "r").status == 200 end, "room again")
end)

flow.case("thirty clients that read nothing stay within limits.memory, and others are served", { alone = true,
  only = "release", seconds = 90 }, function(t)
  local event = "data: " .. json.encode { id = "x", object = "chat.completion.chunk", created = 1, model = "m",
    choices = { { index = 0, delta = { content = ("x"):rep(16000) } } } } .. "\n\n"
  local sent = 0
  local up = t:upstream { script = function(x)
    if not x:json().stream then return x:serve "served" end
    x:start_stream()
    for _ = 1, 2000 do
      if not x:chunk(event) then break end
      sent = sent + #event
    end
    x.last = true
  end }
  local gate = t:gateway { limits = { memory = "128MiB" }, providers = { up = t:provider(up) },
    routes = { r = { targets = { "up/m" } } } }
  gate.dirty = true
  local before = gate.process:resident_kib()
  local slow = {}
  for i = 1, 30 do
    slow[i] = t:client(gate, { receive_bytes = 4096 })
    slow[i]:send(t:chat_text("r", { stream = true }))
  end
  local last, still = -1, 0
  t:until_true(40, function() -- until nobody sends any more: all are held back
    t:sleep(0.2)
    still = sent == last and still + 1 or 0
    last = sent
    return still >= 5 and sent > 0
  end, "the provider is held back")
  local grown = (gate.process:resident_kib() - before) // 30
  t:check(grown < 1024, ("%d KiB a stream"):format(grown))
  t:equal(t:text(t:chat(gate, "r")), "served")
  t:equal(metric(gate, 'moongate_shed_total{reason="memory"}'), 0)
  for i = 1, 30 do slow[i]:close() end
end)

flow.case("no descriptors left: accepting rests, does not spin, and goes on when some are free", { alone = true,
  only = "release" }, function(t)
  local up = t:upstream { script = "served" }
  local wrapper = t.dir .. "/few"
  proc.write_file(wrapper, ("#!/bin/sh\nulimit -n 64\nexec %s \"$@\"\n"):format(proc.quote(gateway.binary)))
  t:equal(proc.run(t.dir, "chmod", { "chmod", "+x", wrapper }), 0)
  local gate = t:gateway({ providers = { up = t:provider(up) }, routes = { r = { targets = { "up/m" } } } },
    { binary = wrapper })
  local function ticks()
    local text = proc.read_file("/proc/" .. gate.process.pid .. "/stat"):match "%) (.*)"
    local fields = {}
    for field in text:gmatch "%S+" do fields[#fields + 1] = tonumber(field) or 0 end
    return fields[12] + fields[13] -- utime and stime, in hundredths of a second
  end
  local many = {}
  for i = 1, 100 do many[i] = t:client(gate) end
  t:until_true(5, function() return gate.process:errors():find("cannot accept", 1, true) end, "it says so")
  local before = ticks()
  t:sleep(2)
  local used = ticks() - before
  t:check(used <= 10, used .. " hundredths of a second of 200")
  for i = 1, 100 do many[i]:close() end
  t:equal(t:text(t:chat(gate, "r")), "served", "once some are free")
end)

flow.case("no descriptors left for a call: it is said so, and no provider is blamed", function(t)
  local other = t:upstream { script = "other" }
  local up = t:upstream { script = function(x)
    if x.request.method == "POST" then return x:serve "served" end
    x:reply(200, "{}", { "connection: close" }) -- a check leaves no connection behind that a call could use
    x.last = true
  end }
  local gate = t:gateway { health = { eject_after = 1 },
    providers = { up = t:provider(up, { health = { active = { every = "1s", eject_after = 1 } } }),
      other = t:provider(other) },
    routes = { r = { targets = { "up/m", "other/m" }, retry = { same_target = 0 } } } }
  local conn = t:client(gate)
  t:until_true(10, function() return #up.requests > 0 end) -- checked once
  local function limit(soft)
    t:equal(proc.run(t.dir, "prlimit", { "prlimit", "--pid", gate.process.pid, ("--nofile=%d:"):format(soft) }), 0)
  end
  conn:send "GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n" -- it is accepted
  http.read_response(conn)
  limit(4)
  local answer = t:chat(gate, "r", { conn = conn })
  t:equal(answer.status, 503)
  t:equal(t:envelope(answer), "overloaded")
  t:check(tonumber(answer.headers["retry-after"]) >= 1, "retry-after")
  local record = t:trace(gate, answer.headers["x-request-id"])
  for _, attempt in ipairs(record.attempts) do t:equal(attempt.class, "no_descriptor") end
  t:equal(#record.attempts, 2)
  t:sleep(1.2) -- an active check falls into this time
  limit(1000)
  answer = t:chat(gate, "r", { conn = conn })
  t:equal(t:text(answer), "served", "nobody was left out for it")
  t:equal(#t:trace(gate, answer.headers["x-request-id"]).skipped, 0)
end)

flow.case("two workers, many clients, few places: each gets one answer, and every place comes back", { alone = true,
  threads = true, seconds = 120 }, function(t)
  local running, most = 0, 0
  local up = t:upstream { script = function(x)
    running = running + 1
    most = math.max(most, running)
    t:sleep(0.01)
    running = running - 1
    x:serve "served"
  end }
  local a, a_key = key("a", { team = "one", priority = 3 })
  local b, b_key = key("b", { team = "two" })
  local gate = t:gateway { workers = 2, teams = { one = { max_in_flight = 3 }, two = {} }, keys = { a, b },
    limits = { in_flight = 4, queue = 6, queue_time = "150ms" },
    providers = { up = t:provider(up, { max_in_flight = 3 }), other = t:provider(up, { max_in_flight = 2 }) },
    routes = { r = { targets = { "up/m", "other/m" } } } }
  local counts = { [200] = 0, [503] = 0, [504] = 0 }
  local function round(some_leave)
    local done = 0
    for i = 1, 24 do
      t:spawn(function()
        for n = 1, 6 do
          local conn = t:client(gate)
          conn.capture = nil
          conn:send(t:chat_text("r", { key = i % 2 == 0 and a_key or b_key }))
          if some_leave and (i + n) % 3 == 0 then
            t:sleep(0.005) -- and leaves, wherever it stands by then
          else
            local answer = t:check(http.read_response(conn, 20 * t.seconds), "an answer")
            counts[answer.status] = counts[answer.status] + 1
          end
          conn:close()
        end
        done = done + 1
      end)
    end
    t:until_true(50, function() return done == 24 end, "all are done")
  end
  round(false)
  t:check(counts[200] > 0 and counts[503] > 0, json.encode { counts[200], counts[503], counts[504] })
  t:check(most <= 4, most .. " at the provider at the same time")
  round(true)
  t:until_true(5 * t.seconds, function()
    local text = gate:metrics()
    for value in text:gmatch "\nmoongate_places_in_use%b{} (%d+)" do
      if value ~= "0" then return false end
    end
    return text:find("\nmoongate_queue_length 0\n", 1, true)
  end, "every place comes back")
  t:equal(#gate:traces(24 * 12, 10), 24 * 12, "records")
end)
