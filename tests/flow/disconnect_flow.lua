-- A client that leaves under `disconnect`: with `drain` the attempt is read on until the provider has told its usage,
-- and what the trace costs is what the provider billed; what has not been sent ends at once. Always one record, never
-- anything against the target. What `cancel` does to a running attempt is in gone_flow.lua.
local answers = require "answers"
local bill = require "bill"
local flow = require "flow"
local http = require "http"
local json = require "cjson"
local shared = require "many"
local talk = require "talk"

local function metric(gate, line)
  return tonumber(gate:metrics():match("\n" .. line:gsub("%p", "%%%0") .. " (%d+)"))
end

local function ended(gate, how) return metric(gate, ('moongate_disconnects_total{end="%s"}'):format(how)) end

-- A gateway whose route "r" goes to a simulated provider of that dialect.
local function start(t, dialect, options)
  options = options or {}
  local sim = bill.start(t)
  local gate = t:gateway {
    providers = { up = sim:provider(t, dialect) },
    routes = { r = { targets = { "up/model-a" }, disconnect = options.disconnect or { drain = "10s" } } },
    prices = bill.prices "up/model-a", drain = options.drain,
  }
  return gate, sim
end

local function first_bytes(conn)
  http.read_head(conn, 10)
  conn:read(1, 10)
end

-- Asks, and leaves with the first bytes of the answer; with `sim`, when that provider has the request.
local function leave(t, gate, client, stream, words, sim)
  local before = sim and sim:asked()
  local conn = t:client(gate)
  conn:send(talk.request(client, "r", "Say something. [[simulate " .. words .. "]]", stream, flow.client_key))
  if sim then
    t:until_true(10 * t.seconds, function() return sim:asked() > before end, "the provider has the request")
  else
    first_bytes(conn)
  end
  conn:reset()
end

local function gone(t, record)
  t:equal(record.outcome, "client_gone", "outcome")
  t:equal(record.status, 499, "status")
  t:equal(#record.attempts, 1, "attempts")
end

for _, dialect in ipairs(talk.dialects) do
  flow.case("drain: usage is exact when the client leaves within an answer: " .. dialect, { seconds = 90 }, function(t)
    local gate, sim = start(t, dialect)
    local other = dialect == "openai.chat" and "anthropic.messages" or "openai.chat"
    local list = {}
    for _, client in ipairs { dialect, other } do
      list[#list + 1] = { client, true, "chunks=8 chunk_ms=25" }
      list[#list + 1] = { client, true, "ttft_ms=200 chunks=4", sim }
      list[#list + 1] = { client, false, "latency_ms=200 answer_bytes=3000", sim }
    end
    local asked, tries = 0, 0
    for _, one in ipairs(list) do
      local trace
      repeat -- a client that is kept from its CPU for so long that the answer is whole leaves too late: once more
        asked, tries = asked + 1, tries + 1
        leave(t, gate, table.unpack(one))
        local records = sim:records(asked, 10 * t.seconds)
        t:equal(#records, asked, "requests at the provider")
        trace = t:check(gate:traces(asked)[asked], "a trace record")
        t:equal(trace.cost_pico_usd, bill.due(records[asked]), "cost, and what was billed")
        t:equal(records[asked]["end"], "finished", "the provider's view")
      until trace.outcome ~= "ok" or tries == 3 * #list
      gone(t, trace)
      t:equal(trace.attempts[1].class, "none", "class of the attempt")
      t:equal(trace.usage_source, "provider", "where usage is from")
      t:check(trace.drained_ms and trace.drained_ms >= 0, "drained_ms")
    end
    t:equal(ended(gate, "drained"), #list)
    t:equal(#gate:traces(asked, 0), asked, "trace records")
  end)
end

flow.case("drain: after its time the attempt is cancelled, and what came is counted", { threads = true }, function(t)
  local gate, sim = start(t, "openai.chat", { disconnect = { drain = "200ms" } })
  leave(t, gate, "openai.chat", true, "chunks=6 stall=middle")
  local record, billed = gate:traces(1, 10 * t.seconds)[1], sim:records(1, 10 * t.seconds)[1]
  gone(t, record)
  t:equal(record.attempts[1].class, "client_gone")
  t:equal(billed["end"], "client_gone", "the provider's connection is closed")
  t:equal(bill.compare(record, bill.calls { billed }), nil, "cost, and what was billed")
  t:equal(record.usage_source, "estimated")
  t:equal(ended(gate, "cut"), 1)
end)

flow.case("drain: a provider that breaks off without a client is not held against anybody", function(t)
  local left
  local up = t:upstream { script = function(x)
    local events = answers.openai_stream { "one" }
    if x.number < 3 then
      x:start_stream()
      for i = 1, 2 do x:chunk(events[i]) end
    end
    t:until_true(20 * t.seconds, function() return left end)
    if x.number == 1 then return x.conn:reset() end
    if x.number == 3 then return x:reply(500, answers.openai_error "broken") end
    x:chunk('data: {"error":{"message":"broken","type":"server_error"}}\n\n')
    x:end_stream()
  end }
  local gate = t:gateway { providers = { up = t:provider(up) }, health = { eject_after = 1, eject = "60s" },
    routes = { r = { targets = { "up/model-a" }, disconnect = { drain = "20s" } } } }
  for i, status in ipairs { 200, 200, 500 } do
    left = false
    local conn = t:client(gate)
    conn:send(t:chat_text("r", { stream = i < 3 }))
    t:until_true(5, function() return #up.requests == i end, "the provider has the request")
    if i < 3 then first_bytes(conn) end
    conn:reset()
    shared.wait_left(t, gate, 0)
    left = true
    local record = gate:traces(i)[i]
    gone(t, record)
    t:equal(record.attempts[1].class, "client_gone")
    t:equal(record.attempts[1].status, status, "read on")
  end
  t:equal(metric(gate, 'moongate_target_ejected{provider="up",model="model-a"}'), 0, "ejected")
end)

flow.case("a client that leaves before anything was sent is no attempt's business", function(t)
  local go
  local gate, up = t:simple { config = { limits = { in_flight = 1, queue = 5, queue_time = "60s" } },
    script = function(x)
      t:until_true(20, function() return go end)
      x:serve "first"
    end }
  local first = t:client(gate)
  first:send(talk.request("openai.chat", "r", "first", false, flow.client_key))
  t:until_true(5, function() return #up.requests == 1 end, "the provider has the request")
  local queued = t:client(gate)
  queued:send(talk.request("openai.chat", "r", "never", false, flow.client_key))
  t:until_true(5 * t.seconds, function() return metric(gate, "moongate_queue_length") == 1 end, "it waits")
  queued:reset()
  local record = gate:traces(1, 5 * t.seconds)[1]
  t:equal(record.outcome, "client_gone")
  t:equal(record.status, 499)
  t:equal(#record.attempts, 0)
  t:equal(record.drained_ms, json.null)
  go = true
  t:equal(http.read_response(first).status, 200)
  t:equal(#up.requests, 1, "requests at the provider")
end)

flow.case("a client that leaves while the provider is being connected to is not waited for", function(t)
  local gate = t:gateway {
    providers = { deaf = t:provider({ dialect = "openai.chat", url = "https://localhost:" .. t:deaf_port() },
      { timeouts = { tls = "20s" } }) },
    routes = { r = { targets = { "deaf/m" }, disconnect = { drain = "20s" } } },
  }
  local conn = t:client(gate)
  conn:send(t:chat_text("r"))
  t:until_true(5 * t.seconds, function() return metric(gate, "moongate_requests_in_flight") == 1 end)
  conn:close()
  gone(t, gate:traces(1, 10 * t.seconds)[1])
  t:equal(ended(gate, "cancelled"), 1)
end)

flow.case("a client that leaves after the last byte was served", function(t)
  local gate, sim = start(t, "openai.chat")
  local conn = t:client(gate)
  conn:send(talk.request("openai.chat", "r", "[[simulate chunks=3]]", true, flow.client_key))
  local answer = http.read_response(conn, 10)
  conn:reset()
  t:equal(talk.judge("openai.chat", true, answer), "complete")
  local record = gate:traces(1, 5)[1]
  t:equal(record.outcome, "ok")
  t:equal(record.drained_ms, json.null)
  t:equal(record.cost_pico_usd, bill.due(sim:records(1, 5)[1]))
end)

flow.case("coalesced: the last of those who read an answer leaves, and it is read on", function(t)
  local state = shared.gated(t)
  local config = shared.config_of(t, state.up)
  config.routes.r.disconnect = { drain = "20s" }
  local gate = t:gateway(config)
  local list = shared.many(t, gate, 3, { stream = true })
  state.go = 1
  for _, one in ipairs(list) do one:first() end
  for i, one in ipairs(list) do
    one.conn:reset()
    shared.wait_left(t, gate, 3 - i)
  end
  state.go = 2
  local records = gate:traces(3, 10 * t.seconds)
  t:equal(#records, 3, "trace records")
  t:equal(#state.up.requests, 1, "calls")
  for _, record in ipairs(records) do t:equal(record.outcome, "client_gone", "outcome") end
  t:equal(shared.total_cost(records), 25000000, "what the provider told at its end")
end)

flow.case("SIGTERM: what is read on without a client ends with the drain limit", { threads = true }, function(t)
  local gate, sim = start(t, "openai.chat", { disconnect = { drain = "60s" }, drain = "300ms" })
  leave(t, gate, "openai.chat", true, "chunks=6 stall=middle")
  shared.wait_left(t, gate, 0)
  t:equal(#gate:traces(1, 0), 0, "records while it is read on")
  gate.expect_exit = true
  gate.process:signal "TERM"
  t:equal(gate.process:wait(20 * t.seconds), 0, "exit status")
  local record = gate:traces(1, 5)[1]
  gone(t, record)
  t:equal(bill.compare(record, bill.calls(sim:records(1, 5))), nil, "cost, and what was billed")
end)

flow.case("a second SIGTERM does not wait for what is read on", function(t)
  local gate = start(t, "openai.chat", { disconnect = { drain = "60s" } })
  leave(t, gate, "openai.chat", true, "chunks=6 stall=middle")
  shared.wait_left(t, gate, 0)
  gate.expect_exit = true
  gate.process:signal "TERM"
  t:until_true(5 * t.seconds, function() return gate.process:errors():find("draining", 1, true) end)
  gate.process:signal "TERM"
  t:check(gate.process:wait(10 * t.seconds), "it ends")
  gone(t, gate:traces(1, 5)[1])
end)

flow.case("drain holds no memory: a client that does not read, then leaves", { alone = true, only = "release" },
  function(t)
  local gate, sim = start(t, "openai.chat")
  local words = "answer_bytes=24000000 chunks=12000"
  leave(t, gate, "openai.chat", true, words)
  local before, most = gate.process:resident_kib(), 0
  t:until_true(30, function()
    most = math.max(most, gate.process:resident_kib())
    return #gate:traces(1, 0) == 1
  end, "the attempt ends")
  t:check(most - before < 8192, ("memory grew by %d KiB"):format(most - before))
  local record = gate:traces(1, 5)[1]
  gone(t, record)
  t:equal(bill.compare(record, bill.calls(sim:records(1, 5))), nil, "cost, and what was billed")
end)

-- ---- the leader's client leaves, and others wait for its answer: what is done for them was done for it ----------

-- A leader and two followers of a route that shares answers. The leader's client leaves when the first provider has its
-- request (and, with `reads`, has begun to answer); then that provider's script is told to go on: fail(x). The second
-- one answers. Returns the leader's record, and both upstreams.
local function leaderless(t, options)
  local left = false
  local first = t:upstream { script = function(x)
    if options.before then options.before(x) end
    if x.number > 1 then return x:serve "again" end
    t:until_true(20 * t.seconds, function() return left or x.conn.gone end)
    options.fail(x)
  end }
  local second = t:upstream { script = function(x)
    t:until_true(20 * t.seconds, function() return left end)
    x:serve "of the second"
  end }
  local route = { targets = { "one/model-a", "two/model-b" }, coalesce = true }
  for name, value in pairs(options.route or {}) do route[name] = value end
  local gate = t:gateway { workers = 2, providers = { one = t:provider(first), two = t:provider(second) },
    routes = { r = route }, health = { eject = "0s", key_bench = "0s" } }
  local function begin()
    local conn = t:client(gate)
    conn:send(t:chat_text("r", { stream = options.stream }))
    return conn
  end
  local leader = begin()
  t:until_true(10 * t.seconds, function() return #first.requests == 1 end, "the provider has the request")
  local others = { begin(), begin() }
  t:until_true(10 * t.seconds, function() return metric(gate, "moongate_coalesced_total") == 2 end, "two followers")
  if options.reads then first_bytes(leader) end
  leader:reset()
  shared.wait_left(t, gate, 2)
  left = true
  local texts = {}
  for i, conn in ipairs(others) do
    local answer, why = http.read_response(conn, 20 * t.seconds)
    t:check(answer, "an answer: " .. tostring(why))
    t:equal(talk.judge("openai.chat", options.stream, answer), options.ends or "complete", "what a follower gets")
    texts[i] = answer.body
  end
  if not options.ends then t:equal(texts[1], texts[2], "one answer") end
  local led
  for _, record in ipairs(gate:traces(3, 10 * t.seconds)) do
    if record.outcome == "client_gone" then led = record
    else t:equal(#record.attempts, 0, "attempts of a follower") end
  end
  t:check(led, "the leader's record")
  t:equal(led.status, 499)
  t:equal(#led.attempts, options.attempts or 2, "attempts")
  t:equal(ended(gate, "shared"), 1)
  return led, first, second
end

for _, stream in ipairs { false, true } do
  local kind = stream and ", streamed" or ", whole"
  flow.case("without its client a leader tries the next target" .. kind, { threads = true }, function(t)
    local led, first, second = leaderless(t, { stream = stream,
      fail = function(x) x:reply(401, '{"error":{"message":"no","type":"invalid_request_error"}}') end })
    t:equal(led.attempts[1].class, "auth")
    t:equal(led.attempts[2].provider, "two")
    t:equal(#first.requests + #second.requests, 2, "calls")
  end)

  flow.case("without its client a leader tries the same target again" .. kind, function(t)
    local led, first = leaderless(t, { stream = stream,
      route = { targets = { "one/model-a" }, retry = { base = "50ms" } },
      fail = function(x) x:reply(503, '{"error":{"message":"no","type":"overloaded"}}') end })
    t:equal(led.attempts[1].class, "overloaded")
    t:equal(#first.requests, 2, "calls")
  end)

  flow.case("without its client a leader is hedged" .. kind, { threads = true }, function(t)
    local led = leaderless(t, { stream = stream, route = { hedge = { after = "500ms", max_extra = 1 } },
      fail = function(x)
        x:wait_closed(20 * t.seconds)
        x.last = true
      end })
    t:equal(led.attempts[1].class, "hedge_lost")
    t:equal(led.attempts[2].hedge, true)
  end)
end

flow.case("without its client a leader's stream is gone on with", { threads = true }, function(t)
  local led = leaderless(t, { stream = true, reads = true, route = { recover = "restart" },
    before = function(x)
      x:start_stream()
      for i, event in ipairs(answers.openai_stream { "one", "two" }) do
        if i <= 2 then x:chunk(event) end
      end
    end,
    fail = function(x) x.conn:reset() end })
  t:equal(led.attempts[1].class, "reset")
  t:equal(led.attempts[2].recovered, true)
end)

for _, stream in ipairs { false, true } do
  flow.case("without its client a leader whose targets all fail ends" .. (stream and ", streamed" or ", whole"),
    { threads = true }, function(t)
      local led = leaderless(t, { stream = stream, ends = "error", attempts = 1,
        route = { targets = { "one/model-a" } },
        fail = function(x) x:reply(400, '{"error":{"message":"no","type":"invalid_request_error"}}') end })
      t:equal(led.attempts[1].class, "invalid")
    end)
end

flow.case("without its client a leader whose stream breaks off ends", { threads = true }, function(t)
  local led = leaderless(t, { stream = true, reads = true, ends = "error", attempts = 1,
    before = function(x)
      x:start_stream()
      for i, event in ipairs(answers.openai_stream { "one", "two" }) do
        if i <= 2 then x:chunk(event) end
      end
    end,
    fail = function(x) x.conn:reset() end })
  t:equal(led.attempts[1].class, "reset")
  t:equal(led.attempts[1].usage_source, "estimated")
end)
