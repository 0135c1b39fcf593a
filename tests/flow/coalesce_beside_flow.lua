-- Coalescing beside all else: slow clients, queues, failover, hedging, recovery, reload, drain, much coming and going.
local answers = require "answers"
local bill = require "bill"
local flow = require "flow"
local json = require "cjson"
local shared = require "many"

local begin, config_of, gated, many, total_cost, wait_coalesced, wait_left =
  shared.begin, shared.config_of, shared.gated, shared.many, shared.total_cost, shared.wait_coalesced,
  shared.wait_left

-- A stream of `most` bytes of text, begun when state.ready; state.over ends it earlier.
local function long_stream(t, state, most)
  local text = ("x"):rep(60000)
  state.sent = 0
  return t:upstream { script = function(x)
    t:until_true(20 * t.seconds, function() return state.ready end)
    local events = answers.openai_stream { text }
    x:start_stream()
    x:chunk(events[1])
    while state.sent < most and not state.over do
      if not x:chunk(events[2]) then return end
      state.sent = state.sent + #text
    end
    for i = 3, #events do x:chunk(events[i]) end
    x:end_stream()
  end }
end

local function read_all(t, list)
  local tasks = {}
  for i, one in ipairs(list) do tasks[i] = t:spawn(function() one:read() end) end
  for _, task in ipairs(tasks) do t:check(task:join(30 * t.seconds), "read to the end") end
end

local lazily = { stream = true, client = { receive_bytes = 65536 } }

for _, slow in ipairs { "leader", "follower" } do
  flow.case("a slow " .. slow .. " holds back nobody", { threads = true }, function(t)
    local state, lazy, eager = {}, nil, nil
    local up = long_stream(t, state, 6000000)
    local gate = t:gateway(config_of(t, up))
    local function start_lazy() lazy = begin(t, gate, lazily) end
    local function start_eager() eager = many(t, gate, 3, { stream = true }) end
    if slow == "leader" then start_lazy() else start_eager() end
    t:until_true(5 * t.seconds, function() return #up.requests == 1 end)
    if slow == "leader" then start_eager() else start_lazy() end
    wait_coalesced(t, gate, 3)
    state.ready = true
    read_all(t, eager)
    for _, one in ipairs(eager) do t:check(#one.answer.body > 6000000 and not one.answer.cut, "all of it") end
    t:equal(#lazy:read().body, #eager[1].answer.body, "the slow one has all of it, later")
    t:equal(#up.requests, 1)
    t:equal(#gate:traces(4, 5 * t.seconds), 4)
  end)
end

flow.case("who is 8 MiB behind is cut off, who reads is not", { threads = true }, function(t)
  local state = {}
  local up = long_stream(t, state, 18000000)
  local gate = t:gateway(config_of(t, up))
  local lazy = { begin(t, gate, lazily) }
  t:until_true(5 * t.seconds, function() return #up.requests == 1 end)
  lazy[2] = begin(t, gate, lazily)
  local eager = many(t, gate, 1, { stream = true })
  wait_coalesced(t, gate, 2)
  state.ready = true
  read_all(t, eager)
  for _, one in ipairs(eager) do t:check(#one.answer.body > 18000000 and not one.answer.cut, "all of it") end
  read_all(t, lazy)
  for _, one in ipairs(lazy) do t:check(one.answer.cut and #one.answer.body < 18000000, "cut") end
  local behind = 0
  for _, record in ipairs(gate:traces(3, 5 * t.seconds)) do
    if record.outcome == "client_gone" and record.status == 499 then behind = behind + 1 end
  end
  t:equal(behind, 2)
end)

flow.case("while all clients are slow the provider is paused", { threads = true }, function(t)
  local state, most = {}, 200000000 -- more than all that kernels keep
  local up = long_stream(t, state, most)
  local gate = t:gateway(config_of(t, up))
  local list = many(t, gate, 3, { stream = true })
  wait_coalesced(t, gate, 2)
  state.ready = true
  local before, still = nil, 0
  t:until_true(10 * t.seconds, function() -- it might have sent more between any two looks
    still = before == state.sent and state.sent > 0 and still + 1 or 0
    before = state.sent
    t:sleep(0.01)
    return still == 30
  end, "the provider is held")
  t:check(state.sent < most, "held before the end")
  state.over = true
  read_all(t, list)
  local whole = 0
  for _, one in ipairs(list) do
    if not one.answer.cut and #one.answer.body > state.sent then whole = whole + 1 end
  end
  t:check(whole > 0, "who reads on has all of it")
  t:equal(#up.requests, 1)
end)

flow.case("a translated answer is shared in the clients' words", { threads = true }, function(t)
  local ready = false
  local up = t:upstream { dialect = "anthropic.messages", script = function(x)
    t:until_true(20 * t.seconds, function() return ready end)
    x:serve "translated"
  end }
  local gate = t:gateway(config_of(t, up))
  local leader = begin(t, gate, { stream = true })
  t:until_true(5 * t.seconds, function() return #up.requests == 1 end, "the provider has the request")
  local list = many(t, gate, 3, { stream = true })
  wait_coalesced(t, gate, 3)
  leader.conn:reset()
  wait_left(t, gate, 3)
  ready = true
  local first
  for i = 1, 3 do
    local answer = list[i]:read()
    t:match(answer.body, '"content":"translated"')
    t:match(answer.body, "DONE")
    first = first or answer.body
    t:equal(answer.body, first)
  end
  t:equal(#up.requests, 1)
end)

flow.case("followers take no place; they leave and are asked to lead like any other", { threads = true }, function(t)
  local state = gated(t)
  local config = config_of(t, state.up)
  config.limits = { in_flight = 1, queue = 1, queue_time = "20s" }
  local gate = t:gateway(config)
  local list = many(t, gate, 6)
  wait_coalesced(t, gate, 5)
  state.go = 2
  for _, one in ipairs(list) do t:equal(one:read().status, 200) end
  t:equal(#state.up.requests, 1)
end)

flow.case("a leader that waits for a place leaves: a follower leads in its stead", { threads = true }, function(t)
  local state = gated(t)
  local config = config_of(t, state.up)
  config.limits = { in_flight = 1, queue = 4, queue_time = "20s" }
  local gate = t:gateway(config)
  local other = begin(t, gate, { fields = { temperature = 1 } })
  t:until_true(5 * t.seconds, function() return #state.up.requests == 1 end)
  local leader = begin(t, gate)
  t:until_true(5 * t.seconds, function() return gate:metrics():find "\nmoongate_queue_length 1\n" end,
    "the leader waits")
  local rest = many(t, gate, 4)
  wait_coalesced(t, gate, 4)
  leader.conn:reset()
  t:equal(t:trace(gate).outcome, "client_gone")
  state.go = 2
  t:equal(other:read().status, 200)
  local own = 0
  for _, one in ipairs(rest) do
    t:equal(one:read().status, 200)
    if not one.answer.headers["x-moongate-coalesced"] then own = own + 1 end
  end
  t:equal(own, 1, "new leaders")
  t:equal(#state.up.requests, 2)
  t:equal(#gate:traces(6, 5 * t.seconds), 6)
end)

flow.case("the leader's failover is everybody's answer", { threads = true }, function(t)
  local state = gated(t)
  local config = config_of(t, state.up)
  config.providers.dead = t:dead()
  config.routes.r.targets = { "dead/m", "up/model-a" }
  local gate = t:gateway(config)
  local list = many(t, gate, 5)
  wait_coalesced(t, gate, 4)
  state.go = 2
  for _, one in ipairs(list) do
    t:equal(one:read().status, 200)
    t:equal(one.answer.headers["x-moongate-attempts"], "2")
    t:equal(one.answer.headers["x-moongate-target"], "up/model-a")
  end
  t:equal(#state.up.requests, 1)
end)

flow.case("the leader's hedge is everybody's answer", { threads = true }, function(t)
  local slow = t:upstream { script = function(x) x:wait_closed(20 * t.seconds) x.last = true end }
  local state = gated(t)
  local config = config_of(t, state.up)
  config.providers.slow = t:provider(slow)
  config.routes.r = { targets = { "slow/m", "up/model-a" }, coalesce = true, hedge = { after = "40ms", max_extra = 1 } }
  local gate = t:gateway(config)
  local list = many(t, gate, 5, { stream = true })
  wait_coalesced(t, gate, 4)
  t:until_true(10 * t.seconds, function() return #state.up.requests == 1 end, "the hedge")
  state.go = 2
  for _, one in ipairs(list) do
    t:match(one:read().body, "one.*three.*DONE")
    t:equal(one.answer.headers["x-moongate-target"], "up/model-a")
  end
  t:equal(#slow.requests, 1)
end)

flow.case("a leader's stream that is taken up again is so for everybody", { threads = true }, function(t)
  local broken = false
  local first = t:upstream { script = function(x)
    local events = answers.openai_stream { "lost" }
    x:start_stream()
    for i = 1, 2 do x:chunk(events[i]) end
    t:until_true(20 * t.seconds, function() return broken end)
    x.conn:reset()
  end }
  local state = gated(t)
  state.go = 2
  local config = config_of(t, state.up)
  config.providers.first = t:provider(first)
  config.routes.r = { targets = { "first/m", "up/model-a" }, coalesce = true, recover = "restart" }
  local gate = t:gateway(config)
  local list = many(t, gate, 4, { stream = true })
  wait_coalesced(t, gate, 3)
  for _, one in ipairs(list) do one:first() end
  broken = true
  local rest
  for _, one in ipairs(list) do
    local body = one:read().body
    rest = rest or body
    t:equal(body, rest)
  end
  t:match(rest, "one.*three.*DONE")
  t:equal(#first.requests + #state.up.requests, 2)
end)

flow.case("when all have left, the route's `disconnect` says what becomes of the call", { threads = true }, function(t)
  local state = gated(t)
  local config = config_of(t, state.up)
  config.routes.r.disconnect = { drain = "20s" }
  local gate = t:gateway(config)
  local list = many(t, gate, 4, { stream = true })
  wait_coalesced(t, gate, 3)
  state.go = 1
  for _, one in ipairs(list) do one:first() end
  for _, one in ipairs(list) do one.conn:reset() end
  wait_left(t, gate, 0)
  state.go = 2
  local records = gate:traces(4, 10 * t.seconds)
  t:equal(#records, 4)
  t:equal(total_cost(records), 25000000, "what the provider told at its end")
  t:match(gate:metrics(), 'moongate_disconnects_total{end="drained"} 1\n')
  t:equal(#state.up.requests, 1)
end)

flow.case("an error behind numbered events has its number for everybody", { threads = true }, function(t)
  local broken = false
  local up = t:upstream { script = function(x)
    x:start_stream()
    for _, event in ipairs(answers.responses_begun { "hi" }) do x:chunk(event) end
    t:until_true(20 * t.seconds, function() return broken end)
    x.conn:reset()
  end }
  local gate = t:gateway(config_of(t, up))
  local list = many(t, gate, 4, { target = "/v1/responses", body = '{"model":"r","stream":true,"input":"say"}' })
  wait_coalesced(t, gate, 3)
  for _, one in ipairs(list) do one:first() end
  broken = true
  for _, one in ipairs(list) do
    local last
    for number in one:read().body:gmatch '"sequence_number":(%d+)' do last = number end
    t:equal(last, "5", "number of the last event")
    t:match(one.answer.body, "provider_broken")
  end
end)

flow.case("clients come and go, the provider fails now and then: one end each, one record each, no call unrecorded",
  { threads = true, seconds = 90 }, function(t)
    local count, number = 160, 0
    local up = t:upstream { script = function(x)
      number = number + 1
      local kind, stream = number % 5, x:json().stream
      t:sleep(0.01 * (number % 4))
      if kind == 0 then return x:reply(500, answers.openai_error "broken") end
      if not stream then return x:serve "hello" end
      local events = answers.openai_stream { "one", "two", "three" }
      x:start_stream()
      for i, event in ipairs(events) do
        if not x:chunk(event) then return end
        t:sleep(0.01)
        if kind == 1 and i == 3 then return x.conn:reset() end
      end
      x:end_stream()
    end }
    local gate = t:gateway(config_of(t, up))
    local tasks, whole, faults, left = {}, 0, 0, 0
    for i = 1, count do
      tasks[i] = t:spawn(function()
        local stream = i % 3 > 0
        local one = begin(t, gate, { stream = stream, fields = { seed = i // 20 % 2 } })
        if i % 4 == 0 then
          t:sleep(0.004 * (i % 17))
          if i % 8 == 0 then one.conn:reset() else one.conn:close() end
          left = left + 1
          return
        end
        local answer = one:read()
        t:check(not answer.cut, "a proper end")
        if answer.status == 200 and (not stream or answer.body:find("[DONE]", 1, true)) then
          whole = whole + 1
        else
          t:match(answer.body, '"error":')
          faults = faults + 1
        end
      end)
      t:sleep(0.003)
    end
    for _, task in ipairs(tasks) do t:check(task:join(30 * t.seconds), "an end") end
    t:equal(whole + faults + left, count)
    t:check(whole > 0 and faults > 0, "some of both")
    local records = gate:traces(count, 20 * t.seconds)
    t:equal(#records, count, "records")
    local followers, seen = 0, {}
    for _, record in ipairs(records) do
      t:check(not seen[record.request_id], "one record for each")
      seen[record.request_id] = true
      if record.coalesced_with ~= json.null then followers = followers + 1 end
      if #record.attempts == 0 then t:equal(record.cost_pico_usd, 0) end
    end
    t:equal(bill.unmatched(records, up), nil, "the provider's calls and the attempts in the records")
    t:check(followers > 0, "some shared an answer")
  end)

flow.case("a reload and a drain in the middle: nobody's stream is harmed", { threads = true }, function(t)
  local state = gated(t)
  local config = config_of(t, state.up)
  local gate = t:gateway(config)
  local list = many(t, gate, 4, { stream = true })
  wait_coalesced(t, gate, 3)
  state.go = 1
  for _, one in ipairs(list) do one:first() end
  config.routes.r.strict = true
  gate:write_config(config)
  t:equal(gate:admin("POST", "/reload").status, 200)
  -- The new generation shares nothing with the old one.
  local new = begin(t, gate, { stream = true })
  t:until_true(5 * t.seconds, function() return #state.up.requests == 2 end)
  gate.process:signal "TERM"
  t:until_true(5 * t.seconds, function() return gate.process:errors():find("draining", 1, true) end, "it drains")
  state.go = 2
  list[5] = new
  for _, one in ipairs(list) do t:match(one:read().body, "three.*DONE") end
  t:equal(gate.process:wait(20 * t.seconds), 0)
  gate.expect_exit = true
  t:equal(#gate:traces(5, 1), 5)
end)

for _, how in ipairs { "at the end of its drain", "at once" } do
  flow.case("the gateway stops " .. how .. " with a leader's client gone and followers waiting", { threads = true },
    function(t)
      local state = gated(t)
      local config = config_of(t, state.up)
      config.drain = how == "at once" and "60s" or "1s"
      -- Of two workers, one may let its followers go before the leader's does: then it is left by all its clients.
      config.workers = how == "at once" and 2 or 1
      local gate = t:gateway(config)
      local list = many(t, gate, 6, { stream = true })
      wait_coalesced(t, gate, 5)
      state.go = 1
      for _, one in ipairs(list) do one:first() end
      for i = 1, 3 do list[i].conn:reset() end
      wait_left(t, gate, 3)
      gate.process:signal "TERM"
      if how == "at once" then
        t:until_true(5 * t.seconds, function() return gate.process:errors():find("draining", 1, true) end, "it drains")
        gate.process:signal "TERM"
        for i = 4, 6 do t:check(not list[i]:read().body:find "three", "an end") end
      else
        for i = 4, 6 do t:match(list[i]:read().body, '"code":"draining"') end
      end
      t:equal(gate.process:wait(20 * t.seconds), 0, "exit status")
      gate.expect_exit = true
      t:absent(gate.process:errors(), "must(")
      local records = gate:traces(6, 1)
      t:equal(#records, 6)
      for _, record in ipairs(records) do
        t:check(record.outcome ~= "refused", "nobody was refused whose answer had begun")
        for _, attempt in ipairs(how == "at once" and {} or record.attempts) do t:equal(attempt.class, "draining") end
      end
    end)
end
