-- A client that leaves under `disconnect`: with `drain` the attempt is read on until the provider has told its usage,
-- and what the trace costs is what the provider billed; what has not been sent ends at once. Always one record, never
-- anything against the target. What `cancel` does to a running attempt is in gone_flow.lua.
local bill = require "bill"
local flow = require "flow"
local http = require "http"
local json = require "cjson"
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
    providers = { up = sim:provider(t, dialect, options.path, options.provider) },
    routes = { r = { targets = { "up/model-a" }, disconnect = options.disconnect or { drain = "10s" },
      coalesce = options.coalesce } },
    prices = bill.prices "up/model-a", health = options.health, limits = options.limits, drain = options.drain,
  }
  return gate, sim
end

-- Asks, waits until `seen` says so, and leaves.
local function leave(t, gate, client, stream, words, seen)
  local conn = t:client(gate)
  conn:send(talk.request(client, "r", "Say something. [[simulate " .. words .. "]]", stream, flow.client_key))
  seen(conn)
  conn:reset()
end

local function first_bytes(conn)
  http.read_head(conn, 10)
  conn:read(1, 10)
end

local function gone(t, record)
  t:equal(record.outcome, "client_gone", "outcome")
  t:equal(record.status, 499, "status")
  t:equal(#record.attempts, 1, "attempts")
end

local function sim_has_it(t, sim)
  return function()
    t:until_true(10 * t.seconds, function() return sim:open() == 1 end, "the provider has the request")
  end
end

for _, dialect in ipairs(talk.dialects) do
  flow.case("drain: usage is exact when the client leaves within an answer: " .. dialect, { seconds = 90 }, function(t)
    local gate, sim = start(t, dialect)
    local other = dialect == "openai.chat" and "anthropic.messages" or "openai.chat"
    local list = {}
    for _, client in ipairs { dialect, other } do
      list[#list + 1] = { client, true, "chunks=8 chunk_ms=25", first_bytes }
      list[#list + 1] = { client, true, "ttft_ms=200 chunks=4", sim_has_it(t, sim) }
      list[#list + 1] = { client, false, "latency_ms=200 answer_bytes=3000", sim_has_it(t, sim) }
    end
    for i, one in ipairs(list) do
      leave(t, gate, table.unpack(one))
      local records = sim:records(i, 10 * t.seconds)
      t:equal(#records, i, "requests at the provider")
      local trace = gate:traces(i, 10 * t.seconds)[i]
      t:check(trace, "a trace record")
      gone(t, trace)
      t:equal(trace.attempts[1].class, "none", "class of the attempt")
      t:equal(trace.usage_source, "provider", "where usage is from")
      t:equal(records[i]["end"], "finished", "the provider's view")
      t:equal(trace.cost_pico_usd, bill.due(records[i]), "cost, and what was billed")
      t:check(trace.drained_ms and trace.drained_ms >= 0, "drained_ms")
    end
    t:equal(ended(gate, "drained"), #list)
    t:equal(#gate:traces(#list, 0), #list, "trace records")
  end)
end

flow.case("drain: after its time the attempt is cancelled, and what came is counted", { threads = true }, function(t)
  local gate, sim = start(t, "openai.chat", { disconnect = { drain = "200ms" } })
  leave(t, gate, "openai.chat", true, "chunks=6 stall=middle", first_bytes)
  local record, billed = gate:traces(1, 10 * t.seconds)[1], sim:records(1, 10 * t.seconds)[1]
  gone(t, record)
  t:equal(record.attempts[1].class, "client_gone")
  t:equal(billed["end"], "client_gone", "the provider's connection is closed")
  t:equal(record.cost_pico_usd, bill.due(billed), "cost, and what was billed")
  t:equal(record.usage_source, "estimated")
  t:equal(ended(gate, "cut"), 1)
end)

flow.case("drain: a provider that breaks off without a client is not held against anybody", function(t)
  local gate, sim = start(t, "openai.chat", { health = { eject_after = 1, eject = "60s" } })
  for i, words in ipairs { "chunks=6 chunk_ms=20 reset=middle", "chunks=6 chunk_ms=20 error_event=middle",
    "latency_ms=150 status=500" } do
    leave(t, gate, "openai.chat", i < 3, words, i < 3 and first_bytes or sim_has_it(t, sim))
    local record = gate:traces(i, 10 * t.seconds)[i]
    gone(t, record)
    t:equal(record.attempts[1].class, "client_gone")
  end
  t:equal(metric(gate, 'moongate_target_ejected{provider="up",model="model-a"}'), 0, "ejected")
  t:equal(sim:records(3, 5)[3].status, 500)
end)

flow.case("a client that leaves before anything was sent is no attempt's business", function(t)
  local gate, sim = start(t, "openai.chat", { limits = { in_flight = 1, queue = 5, queue_time = "10s" } })
  local first = t:client(gate)
  first:send(talk.request("openai.chat", "r", "[[simulate latency_ms=400]]", false, flow.client_key))
  sim_has_it(t, sim)()
  local queued = t:client(gate)
  queued:send(talk.request("openai.chat", "r", "never", false, flow.client_key))
  t:until_true(5 * t.seconds, function() return metric(gate, "moongate_queue_length") == 1 end, "it waits")
  queued:reset()
  local record = gate:traces(1, 5 * t.seconds)[1]
  t:equal(record.outcome, "client_gone")
  t:equal(record.status, 499)
  t:equal(#record.attempts, 0)
  t:equal(record.drained_ms, json.null)
  t:equal(http.read_response(first, 10).status, 200)
  t:equal(#sim:records(1, 5), 1, "requests at the provider")
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
  local gate, sim = start(t, "openai.chat", { coalesce = true })
  local conns = {}
  for i = 1, 3 do
    conns[i] = t:client(gate)
    conns[i]:send(talk.request("openai.chat", "r", "[[simulate chunks=10 chunk_ms=80]]", true, flow.client_key))
    first_bytes(conns[i])
  end
  for i = 1, 3 do
    conns[i]:reset()
    t:sleep(0.03)
  end
  local records, billed = gate:traces(3, 10 * t.seconds), sim:records(1, 10 * t.seconds)
  t:equal(#records, 3, "trace records")
  t:equal(#billed, 1, "calls")
  t:equal(billed[1]["end"], "finished", "the provider's view")
  local cost = 0
  for _, record in ipairs(records) do
    t:equal(record.outcome, "client_gone", "outcome")
    cost = cost + record.cost_pico_usd
  end
  t:equal(cost, bill.due(billed[1]), "cost, and what was billed")
end)

flow.case("SIGTERM: what is read on without a client ends with the drain limit", { threads = true }, function(t)
  local gate, sim = start(t, "openai.chat", { disconnect = { drain = "60s" }, drain = "300ms" })
  leave(t, gate, "openai.chat", true, "chunks=6 stall=middle", first_bytes)
  t:until_true(5 * t.seconds, function() return metric(gate, "moongate_client_connections") == 0 end)
  t:equal(#gate:traces(1, 0), 0, "records while it is read on")
  gate.expect_exit = true
  gate.process:signal "TERM"
  t:equal(gate.process:wait(20 * t.seconds), 0, "exit status")
  local record = gate:traces(1, 5)[1]
  gone(t, record)
  t:equal(record.cost_pico_usd, bill.due(sim:records(1, 5)[1]), "cost, and what was billed")
end)

flow.case("a second SIGTERM does not wait for what is read on", function(t)
  local gate = start(t, "openai.chat", { disconnect = { drain = "60s" } })
  leave(t, gate, "openai.chat", true, "chunks=6 stall=middle", first_bytes)
  t:until_true(5 * t.seconds, function() return metric(gate, "moongate_client_connections") == 0 end)
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
  leave(t, gate, "openai.chat", true, words, first_bytes)
  local before, most = gate.process:resident_kib(), 0
  t:until_true(30, function()
    most = math.max(most, gate.process:resident_kib())
    return #gate:traces(1, 0) == 1
  end, "the attempt ends")
  t:check(most - before < 8192, ("memory grew by %d KiB"):format(most - before))
  local record = gate:traces(1, 5)[1]
  gone(t, record)
  t:equal(record.cost_pico_usd, bill.due(sim:records(1, 5)[1]), "cost, and what was billed")
end)
