-- Coalescing: identical requests of one tenant that run at the same time make one call; each client gets the answer,
-- whoever leaves, and the cost stands in one record.
local answers = require "answers"
local flow = require "flow"
local proc = require "proc"
local shared = require "many"

local begin, coalesced, config_of, gated, many, total_cost, wait_coalesced, wait_left =
  shared.begin, shared.coalesced, shared.config_of, shared.gated, shared.many, shared.total_cost,
  shared.wait_coalesced, shared.wait_left

for _, streamed in ipairs { true, false } do
  local count = (flow.mode or "release") == "release" and 1000 or 200
  flow.case(("%d identical %s make one call, are one answer and cost once")
    :format(count, streamed and "streams" or "whole answers"), { threads = true, seconds = 120 }, function(t)
    local state = gated(t)
    local config = config_of(t, state.up)
    config.providers.up.max_in_flight = 50 -- what this process can take of them, were they not one
    local gate = t:gateway(config)
    proc.write_file(t.dir .. "/request", t:chat_text("r", { stream = streamed }))
    local crowd = proc.start(t.dir, "crowd",
      { "lua5.4", flow.root .. "/tests/flow/lib/crowd.lua", gate.port, count, t.dir .. "/request",
        t.dir .. "/answers" })
    wait_coalesced(t, gate, count - 1)
    state.go = 2
    t:equal(crowd:wait(60 * t.seconds), 0, "the clients' end: " .. crowd:errors())
    local bodies, ids, leaders, leader = {}, {}, {}, nil
    for line in proc.read_file(t.dir .. "/answers"):gmatch "([^\n]+)\n" do
      local status, id, with, body = line:match "^(%S+) (%S+) (%S+) (.*)$"
      t:equal(status, "200")
      bodies[body], ids[#ids + 1] = true, id
      if with == "-" then leader = id else leaders[with] = true end
    end
    t:equal(#ids, count, "answers")
    local body, another = next(bodies)
    t:check(body and not next(bodies, body) and another, "one and the same body")
    t:match(body, streamed and "DONE" or "shared")
    if streamed then t:judge_stream("openai.chat", load("return " .. body)()) end
    t:check(leader and leaders[leader] and next(leaders, leader) == nil and next(leaders) == leader, "one leader")
    t:equal(#state.up.requests, 1, "calls")
    local records = gate:traces(count, 20 * t.seconds)
    t:equal(#records, count, "records")
    local seen, with_cost = {}, 0
    for _, record in ipairs(records) do
      t:check(not seen[record.request_id], "one record for each")
      seen[record.request_id] = true
      t:equal(record.outcome, "ok")
      t:equal(record.status, 200)
      if record.request_id == leader then
        with_cost = record.cost_pico_usd
        t:equal(#record.attempts, 1)
        t:equal(record.output_tokens, 7)
      else
        t:equal(record.coalesced_with, leader)
        t:equal(record.provider_chosen, "up")
        t:equal(record.model, "model-a")
        t:equal(#record.attempts, 0)
        t:equal(record.output_tokens, 0)
      end
    end
    for _, id in ipairs(ids) do t:check(seen[id], "a record of " .. id) end
    t:equal(with_cost, 11 * 1000000 + 7 * 2000000, "cost")
    t:equal(total_cost(records), with_cost, "sum of costs")
  end)
end

flow.case("who joins while the stream runs gets it from its first byte", { threads = true }, function(t)
  local state = gated(t)
  local gate = t:gateway(config_of(t, state.up))
  local first = begin(t, gate, { stream = true })
  state.go = 1
  first:first()
  local late = many(t, gate, 4, { stream = true })
  for _, one in ipairs(late) do one:first() end
  wait_coalesced(t, gate, 4)
  state.go = 2
  local body = first:read().body
  t:match(body, "one.*two.*three.*DONE")
  for _, one in ipairs(late) do
    t:equal(one:read().body, body)
    t:check(not one.answer.cut, "a proper end")
  end
  t:equal(#state.up.requests, 1)
  -- It is no cache: what comes after the end asks anew.
  t:equal(t:text(t:chat_stream(gate, "r")), "onetwothree")
  t:equal(#state.up.requests, 2)
end)

for _, case in ipairs { { "before the answer", 0 }, { "while the stream runs", 1 } } do
  flow.case("the leader's client leaves " .. case[1] .. ": its followers are served", { threads = true }, function(t)
    local state = gated(t)
    local gate = t:gateway(config_of(t, state.up))
    local leader = begin(t, gate, { stream = true })
    t:until_true(5 * t.seconds, function() return #state.up.requests == 1 end)
    local others = many(t, gate, 5, { stream = true })
    wait_coalesced(t, gate, 5)
    state.go = case[2]
    if state.go == 1 then leader:first() end
    leader.conn:reset()
    wait_left(t, gate, 5)
    state.go = 2
    local with
    for _, one in ipairs(others) do
      local answer = one:read()
      t:equal(answer.status, 200)
      t:check(not answer.cut, "a proper end")
      t:match(answer.body, "one.*two.*three.*DONE")
      with = answer.headers["x-moongate-coalesced"]
    end
    t:equal(#state.up.requests, 1)
    local records = gate:traces(6, 5 * t.seconds)
    t:equal(#records, 6)
    local gone = t:trace(gate, with)
    t:equal(gone.outcome, "client_gone")
    t:equal(gone.status, 499)
    t:equal(gone.attempts[1].class, "none")
    t:equal(gone.cost_pico_usd, 25000000)
    t:equal(total_cost(records), 25000000)
    t:match(gate:metrics(), 'moongate_disconnects_total{end="shared"} 1\n')
  end)
end

for _, case in ipairs { { "before the answer", 0 }, { "while the stream runs", 1 } } do
  flow.case("all clients leave " .. case[1] .. ": the provider's connection closes within 250 ms",
    { threads = true, alone = true }, function(t)
      t:within(0.25, function()
        local state = gated(t)
        local gate = t:gateway(config_of(t, state.up))
        local leader = begin(t, gate, { stream = true })
        t:until_true(5 * t.seconds, function() return #state.up.requests == 1 end)
        local others = many(t, gate, 5, { stream = true })
        wait_coalesced(t, gate, 5)
        state.go = case[2]
        if state.go == 1 then for _, one in ipairs(others) do one:first() end end
        leader.conn:reset()
        for i = 1, 4 do others[i].conn:close() end
        wait_left(t, gate, 1)
        local left = t:now()
        others[5].conn:reset()
        t:check(state.x:wait_closed(15), "the provider sees the close")
        local took = t:now() - left
        local records = gate:traces(6, 5 * t.seconds)
        t:equal(#records, 6)
        for _, record in ipairs(records) do t:equal(record.outcome, "client_gone") end
        t:equal(#state.up.requests, 1)
        return took
      end, "to pass the close on")
    end)
end

flow.case("the leader's provider fails: one follower asks again, for all", { threads = true }, function(t)
  local state
  state = gated(t, { before = function(x)
    if x.number > 1 then return false end
    t:until_true(20 * t.seconds, function() return state.fail end)
    return x:reply(500, answers.openai_error "broken")
  end })
  local up = state.up
  local config = config_of(t, up)
  config.routes.r.retry = { attempts = 1 }
  local gate = t:gateway(config)
  local list = many(t, gate, 8, { stream = true })
  wait_coalesced(t, gate, 7)
  state.go, state.fail = 2, true
  local failed, good, with = 0, 0, {}
  for _, one in ipairs(list) do
    local answer = one:read()
    if answer.status == 500 then failed = failed + 1 else
      good = good + 1
      t:equal(answer.status, 200)
      t:match(answer.body, "one.*two.*three.*DONE")
      with[answer.headers["x-moongate-coalesced"] or "own"] = true
    end
  end
  t:equal(failed, 1, "the leader has its error")
  t:equal(good, 7)
  t:equal(#up.requests, 2, "calls")
  local records = gate:traces(8, 5 * t.seconds)
  local leaders = 0
  for _, record in ipairs(records) do
    if record.coalesced_with == require "cjson".null then leaders = leaders + 1 else
      t:check(with[record.coalesced_with], "the second leader's id in the records of its followers")
    end
  end
  t:equal(leaders, 2)
end)

flow.case("a dead provider: three calls, then all have the error", { threads = true }, function(t)
  local ready = false
  local up = t:upstream { script = function(x)
    t:until_true(20 * t.seconds, function() return ready end)
    x:reply(503, answers.openai_error "overloaded", { "retry-after: 7" })
  end }
  local config = config_of(t, up)
  config.routes.r.retry = { attempts = 1 }
  local gate = t:gateway(config)
  local list = many(t, gate, 12)
  wait_coalesced(t, gate, 11)
  ready = true
  for _, one in ipairs(list) do
    local answer = one:read()
    t:equal(answer.status, 503)
    t:equal(answer.headers["retry-after"], "7")
    t:envelope(answer)
  end
  t:equal(#up.requests, 3, "calls")
  for _, record in ipairs(gate:traces(12, 5 * t.seconds)) do t:equal(record.outcome, "failed") end
end)

flow.case("an error of the request itself is everybody's at once", { threads = true }, function(t)
  local ready = false
  local up = t:upstream { script = function(x)
    t:until_true(20 * t.seconds, function() return ready end)
    x:reply(400, answers.openai_error("too odd", "invalid_request_error"))
  end }
  local gate = t:gateway(config_of(t, up))
  local list = many(t, gate, 6)
  wait_coalesced(t, gate, 5)
  ready = true
  for _, one in ipairs(list) do
    local answer = one:read()
    t:equal(answer.status, 400)
    t:match(answer.body, "too odd")
  end
  t:equal(#up.requests, 1, "calls")
end)

flow.case("a stream that breaks off ends with an error for everybody", { threads = true }, function(t)
  local state = { }
  local up = t:upstream { script = function(x)
    local events = answers.openai_stream { "one", "two" }
    x:start_stream()
    for i = 1, 2 do x:chunk(events[i]) end
    t:until_true(20 * t.seconds, function() return state.cut end)
    x.conn:reset()
  end }
  local gate = t:gateway(config_of(t, up))
  local list = many(t, gate, 6, { stream = true })
  wait_coalesced(t, gate, 5)
  for _, one in ipairs(list) do one:head():piece(5 * t.seconds) end
  state.cut = true
  for _, one in ipairs(list) do
    local body = one:read().body
    t:match(body, '"code":"provider_broken"')
    t:check(not one.answer.cut, "a proper end of the transport")
  end
  t:equal(#up.requests, 1)
  for _, record in ipairs(gate:traces(6, 5 * t.seconds)) do
    t:equal(record.outcome, "failed")
    t:equal(record.error_code, "provider_broken")
  end
end)

flow.case("what is not the same is not shared", { threads = true }, function(t)
  local state = gated(t)
  local env, keys = flow.env, {}
  for i, team in ipairs { "one", "two", false, false, "one" } do
    keys[i] = { name = "k" .. i, team = team or nil, key = env("FLOW_K" .. i, "mg-canary7Q-key-0123456789abcde" .. i) }
  end
  local config = config_of(t, state.up, { keys = keys, teams = { one = {}, two = {} } })
  config.routes.plain = { targets = { "up/model-a" } }
  local gate = t:gateway(config)
  local function ask(options)
    options.key = options.key or keys[1].key.value
    return begin(t, gate, options)
  end
  local apart = {
    ask {}, ask { key = keys[2].key.value }, ask { key = keys[3].key.value }, ask { key = keys[4].key.value },
    ask { fields = { temperature = 0.5 } }, ask { stream = true }, ask { headers = { "openai-beta: x" } },
    ask { headers = { "x-moongate-strict: true" } }, ask { headers = { "x-tier: gold" } },
    ask { target = "/v1/chat/completions?a=1" }, ask { headers = { "idempotency-key: 1" } },
  }
  t:until_true(10 * t.seconds, function() return #state.up.requests == #apart end, "each asks for itself")
  local same = {
    ask { key = keys[5].key.value }, ask { headers = { "x-request-id: mine", "traceparent: 00-1-2-3" } },
    ask { headers = { "X-Stainless-Retry-Count: 1" } },
  }
  wait_coalesced(t, gate, #same)
  for _ = 1, 3 do apart[#apart + 1] = begin(t, gate, { key = keys[1].key.value, body =
    '{"model":"plain","messages":[{"role":"user","content":"x"}]}' }) end
  t:until_true(10 * t.seconds, function() return #state.up.requests == #apart end, "a route without it shares nothing")
  state.go = 2
  for _, list in ipairs { apart, same } do
    for _, one in ipairs(list) do t:equal(one:read().status, 200) end
  end
  t:equal(coalesced(gate), #same)
end)
