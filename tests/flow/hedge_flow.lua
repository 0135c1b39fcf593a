-- A second attempt beside a slow one: when it is sent, whose answer the client gets, what becomes of the other, and who
-- pays.
local answers = require "answers"
local flow = require "flow"
local http = require "http"

local function metric(gate, name, labels)
  return tonumber(gate:metrics():match("\n" .. (name .. labels):gsub("%p", "%%%0") .. " (%d+)"))
end

local function hedges(gate, result)
  return metric(gate, "moongate_hedges_total", ('{route="r",result="%s"}'):format(result))
end

local prices = { ["slow/m"] = { input = "3", output = "9" }, ["quick/m"] = { input = "2", output = "8" },
  ["third/m"] = { input = "1", output = "1" } }
local soon = { after = "40ms", max_extra = 1 }

-- Goes silent after its first event, which has no content; sees when the gateway closes.
local function stalls(x)
  x:start_stream()
  x:chunk(answers.stream[x.upstream.dialect]({ "never" }, "m-slow")[1])
  x:wait_closed(10)
  x.last = true
end

local function silent(x)
  x:wait_closed(10)
  x.last = true
end

-- Serves `text` after so long.
local function late(seconds, text)
  return function(x)
    x.upstream.loop_sleep(seconds)
    x:serve(text)
  end
end

-- A gateway with a hedging route r to the upstreams slow, quick and third (those that are given) in this order.
local function house(t, ups, more)
  local config = { providers = {}, prices = prices, routes = { r = { targets = {}, hedge = soon } },
    health = { eject_after = 0 } }
  for _, name in ipairs { "slow", "quick", "third" } do
    if ups[name] then
      ups[name].loop_sleep = function(seconds) t:sleep(seconds) end
      config.providers[name] = t:provider(ups[name])
      table.insert(config.routes.r.targets, name .. "/m")
    end
  end
  for name, value in pairs(more or {}) do config.routes.r[name] = value end
  return t:gateway(config)
end

local function pair(t, slow, quick, more)
  local ups = { slow = t:upstream { script = slow }, quick = t:upstream { script = quick } }
  return house(t, ups, more), ups
end

local function all_closed(t, ...)
  for _, up in ipairs { ... } do
    t:until_true(5, function() return (up.open or 0) == 0 or up.closed_at end, "its connection is closed")
  end
end

-- ---- who wins ------------------------------------------------------------------------------------------------

flow.case("hedge: the second answers, the slow one is cancelled within 250 ms, and both are in the record",
  { alone = true }, function(t)
    t:within(0.25, function()
      local answered
      local gate, ups = pair(t, stalls, function(x)
        x:start_stream()
        local events = answers.openai_stream({ "by ", "the second" }, "m-quick")
        for i, event in ipairs(events) do
          if i == 2 then answered = t:now() end
          x:chunk(event)
        end
        x:end_stream()
      end)
      local answer = t:chat_stream(gate, "r")
      t:equal(t:text(answer), "by the second")
      for _, event in ipairs(answer.events) do t:absent(event.data, "m-slow", "an event of the winner") end
      t:equal(#answer.events, 5, "events: the winner's, all of them, once")
      t:equal(answer.headers["x-moongate-attempts"], "2", "x-moongate-attempts")
      t:equal(answer.headers["x-moongate-target"], "quick/m", "x-moongate-target")
      t:until_true(5, function() return ups.slow.closed_at end, "the slow one's connection is closed")
      local record = t:trace(gate)
      local first, second = record.attempts[1], record.attempts[2]
      t:equal(#record.attempts, 2)
      t:equal(record.outcome, "ok")
      t:equal(record.provider_chosen, "quick")
      t:equal(first.class, "hedge_lost")
      t:equal(first.hedge, nil)
      t:equal(first.status, 200)
      t:equal(second.class, "none")
      t:equal(second.hedge, true)
      t:check(first.input_tokens > 0, "the loser's prompt is booked")
      t:equal(first.output_tokens, 0, "tokens of the loser's answer")
      t:equal(first.cost_pico_usd, first.input_tokens * 3000000, "cost of the loser")
      t:equal(second.cost_pico_usd, 11 * 2000000 + 7 * 8000000, "cost of the winner")
      t:equal(record.cost_pico_usd, first.cost_pico_usd + second.cost_pico_usd, "cost of both")
      t:check(record.overhead_ms > 0, "the time in which both ran counts once: the rest is the gateway's own")
      t:equal(hedges(gate, "won"), 1, "hedges won")
      t:equal(hedges(gate, "lost"), 0, "hedges lost")
      t:equal(metric(gate, "moongate_attempts_total", '{provider="slow",model="m",class="hedge_lost"}'), 1)
      t:equal(metric(gate, "moongate_provider_window_attempts", '{provider="slow",window="5m"}'), 0,
        "the loser's verdicts on health")
      return ups.slow.closed_at - answered
    end, "to cancel the slow one")
  end)

flow.case("hedge: a loser that has not begun to answer is booked with the prompt that it has got", function(t)
  local gate, ups = pair(t, silent, "second")
  t:equal(t:text(t:chat_stream(gate, "r")), "second")
  all_closed(t, ups.slow)
  local first = t:trace(gate).attempts[1]
  t:equal(first.class, "hedge_lost")
  t:equal(first.status, 0)
  t:equal(first.usage_source, "estimated")
  t:check(first.input_tokens > 0, "the loser's prompt is booked")
  t:equal(first.output_tokens, 0)
  t:equal(first.cost_pico_usd, first.input_tokens * 3000000)
end)

flow.case("hedge: the first answers after all, and the second is cancelled", function(t)
  local gate, ups = pair(t, late(0.15, "first"), stalls)
  local answer = t:chat_stream(gate, "r")
  t:equal(t:text(answer), "first")
  t:equal(answer.headers["x-moongate-attempts"], "2", "x-moongate-attempts")
  all_closed(t, ups.quick)
  local record = t:trace(gate)
  t:equal(record.attempts[1].class, "none")
  t:equal(record.attempts[2].class, "hedge_lost")
  t:equal(record.attempts[2].hedge, true)
  t:equal(record.fallback_used, false)
  t:equal(hedges(gate, "lost"), 1, "hedges lost")
  t:equal(hedges(gate, "won"), 0, "hedges won")
end)

local error_frame = 'data: {"error":{"message":"no capacity","type":"server_error","code":null}}\n\n'
local function fails_within(x)
  x:start_stream()
  x:chunk(answers.openai_stream({ "x" }, "m-quick")[1])
  x:chunk(error_frame)
  x:end_stream()
end

flow.case("hedge: an error frame never wins, whoever sends it", function(t)
  local gate = pair(t, late(0.2, "first"), fails_within)
  local answer = t:chat_stream(gate, "r")
  t:equal(t:text(answer), "first")
  for _, event in ipairs(answer.events) do t:absent(event.data, "capacity", "an event") end
  local record = t:trace(gate)
  t:equal(record.outcome, "ok")
  t:equal(record.attempts[2].class, "stream_error")
  t:equal(#record.attempts, 2, "attempts: nothing is retried while the first runs")
  t:equal(hedges(gate, "failed"), 1, "hedges failed")

  gate = pair(t, function(x)
    t:sleep(0.1)
    fails_within(x)
  end, late(0.15, "second"))
  answer = t:chat_stream(gate, "r")
  t:equal(t:text(answer), "second")
  t:equal(t:trace(gate, answer.headers["x-request-id"]).attempts[1].class, "stream_error")
  t:equal(hedges(gate, "won"), 1, "hedges won")
end)

for _, row in ipairs { { "an error status", function(x) x:reply(503, answers.openai_error "busy") end },
  { "an empty stream", function(x) x:start_stream() x:end_stream() end },
  { "a reset", function(x) x.conn:reset() x.last = true end } } do
  flow.case("hedge: " .. row[1] .. " of the second leaves the first alone", function(t)
    local gate, ups = pair(t, late(0.2, "first"), row[2])
    t:equal(t:text(t:chat_stream(gate, "r")), "first")
    t:equal(#ups.quick.requests, 1, "requests to the second")
    t:equal(t:trace(gate).outcome, "ok")
  end)
end

flow.case("hedge: none after content, and none when the answer comes in time", function(t)
  local gate, ups = pair(t, function(x)
    x:start_stream()
    local events = answers.openai_stream({ "slow", "ly" }, "m")
    for i, event in ipairs(events) do
      x:chunk(event)
      if i == 2 then t:sleep(0.2) end
    end
    x:end_stream()
  end, "second")
  t:equal(t:text(t:chat_stream(gate, "r")), "slowly")
  t:equal(#ups.quick.requests, 0, "requests to the second")
  t:equal(t:trace(gate).attempts[2], nil)
end)

flow.case("hedge: a long prompt, and bytes of an answer that the client is slow to read", function(t)
  local piece = ("word "):rep(4000)
  local gate = pair(t, stalls, function(x)
    x:start_stream()
    local events = answers.openai_stream({ piece, piece, piece, piece, piece, piece, piece, piece }, "m-quick")
    for _, event in ipairs(events) do
      if not x:chunk(event) then return end
    end
    x:end_stream()
  end)
  local conn = t:client(gate, { receive_bytes = 4096 })
  conn:send(t:chat_text("r", { stream = true, fields = { messages = { { role = "user", content = piece:rep(20) } } } }))
  local answer = http.read_head(conn, 5)
  t:sleep(0.2)
  answer.dialect = "openai.chat"
  answer.events = answer:read_events(10)
  t:equal(t:text(answer), piece:rep(8))
  conn:close()
  t:equal(t:trace(gate).outcome, "ok")
end)

-- ---- whole answers -------------------------------------------------------------------------------------------

flow.case("hedge: whole answers after a fixed time, by the same rule", function(t)
  local gate, ups = pair(t, silent, "second")
  local answer = t:chat(gate, "r")
  t:equal(t:text(answer), "second")
  t:equal(answer.headers["x-moongate-attempts"], "2", "x-moongate-attempts")
  all_closed(t, ups.slow)
  t:equal(t:trace(gate).attempts[1].class, "hedge_lost")

  gate, ups = pair(t, late(0.15, "first"), silent)
  t:equal(t:text(t:chat(gate, "r")), "first")
  all_closed(t, ups.quick)
  t:equal(hedges(gate, "lost"), 1, "hedges lost")
end)

flow.case("hedge: a quantile is of streams; whole answers are not hedged by it", function(t)
  local turn = 0
  local gate, ups = pair(t, function(x)
    turn = turn + 1
    if turn > 20 then t:sleep(0.3) end
    x:serve "first"
  end, "second", { hedge = { after = "p95", max_extra = 1 } })
  for i = 1, 20 do
    t:chat_stream(gate, "r")
    if i == 19 then t:equal(hedges(gate, "won"), nil, "hedges while nothing is known") end
  end
  t:equal(#ups.quick.requests, 0, "requests to the second while the first is quick")
  t:equal(t:text(t:chat(gate, "r")), "first")
  t:equal(#ups.quick.requests, 0, "whole answers")
  t:equal(t:text(t:chat_stream(gate, "r")), "second")
  t:equal(hedges(gate, "won"), 1, "hedges won")
end)

flow.case("hedge: how long a loser had kept the client waiting is learnt", function(t)
  local gate, ups = pair(t, function(x)
    if x.number > 20 and x.number <= 52 then return stalls(x) end
    if x.number > 52 then t:sleep(0.06) end
    x:serve "first"
  end, late(0.3, "second"), { hedge = { after = "p90", max_extra = 1 } })
  for _ = 1, 20 do t:chat_stream(gate, "r") end
  local done = 0
  for _ = 1, 32 do
    t:spawn(function()
      t:chat_stream(gate, "r")
      done = done + 1
    end)
  end
  t:until_true(8, function() return done == 32 end, "32 answers")
  local before = #ups.quick.requests
  t:check(before > 0, "some were hedged")
  -- Known are 20 quick answers and those that had not begun after 300 ms: 60 ms are not slow any more.
  t:equal(t:text(t:chat_stream(gate, "r")), "first")
  t:equal(#ups.quick.requests, before, "requests to the second")
end)

-- ---- whom ----------------------------------------------------------------------------------------------------

flow.case("hedge: the same target is asked where the plan has no other", function(t)
  local up = t:upstream { script = function(x)
    if x.number == 1 then return stalls(x) end
    x:serve "again"
  end }
  local gate = house(t, { slow = up })
  t:equal(t:text(t:chat_stream(gate, "r")), "again")
  t:equal(#up.requests, 2)
  local record = t:trace(gate)
  t:equal(record.fallback_used, false)
  t:equal(record.attempts[2].hedge, true)
end)

flow.case("hedge: whoever is full or left out is passed over", function(t)
  local ups = { slow = t:upstream { script = function(x)
    if x.number % 2 == 1 then return stalls(x) end
    x:serve "again"
  end }, quick = t:upstream { script = function(x)
    if x.number == 1 then return stalls(x) end
    x:reply(500, answers.openai_error "no")
  end } }
  local config = { providers = { slow = t:provider(ups.slow), quick = t:provider(ups.quick, { max_in_flight = 1 }) },
    health = { eject_after = 1, eject = "60s", panic = 1 },
    routes = { r = { targets = { "slow/m", "quick/m" }, hedge = soon }, only = { targets = { "quick/m" },
      retry = { same_target = 0 } } } }
  local gate = t:gateway(config)
  local holder = t:client(gate)
  holder:send(t:chat_text("only", { stream = true }))
  t:until_true(5, function() return #ups.quick.requests == 1 end, "the only place is taken")
  t:equal(t:text(t:chat_stream(gate, "r")), "again")
  t:equal(#ups.quick.requests, 1, "requests to who is full")
  holder:close()
  t:until_true(5, function() return ups.quick.closed_at end)
  t:equal(t:chat(gate, "only").status, 500)
  t:equal(t:text(t:chat_stream(gate, "r")), "again")
  t:equal(#ups.quick.requests, 2, "requests to who is left out")
end)

flow.case("hedge: a provider is not asked twice by one idempotency-key", function(t)
  local up = t:upstream { script = function(x)
    t:sleep(0.15)
    x:serve(x.request.headers["idempotency-key"] or "none")
  end }
  local gate = house(t, { slow = up })
  t:equal(t:text(t:chat_stream(gate, "r", { headers = { "idempotency-key: once" } })), "once")
  t:equal(#up.requests, 1, "requests with the key")
  t:equal(t:text(t:chat_stream(gate, "r")), "none")
  t:equal(#up.requests, 3, "requests with and without it")
end)

flow.case("hedge: retry.attempts caps it too", function(t)
  local gate, ups = pair(t, late(0.2, "first"), "second", { retry = { attempts = 1 } })
  t:equal(t:text(t:chat_stream(gate, "r")), "first")
  t:equal(#ups.quick.requests, 0)
end)

-- ---- both fail -----------------------------------------------------------------------------------------------

flow.case("hedge: when both fail, the plan's next target is asked", function(t)
  local ups = {
    slow = t:upstream { script = function(x)
      t:sleep(0.15)
      x:reply(500, answers.openai_error "first")
    end },
    quick = t:upstream { script = function(x) x:reply(503, answers.openai_error "second") end },
    third = t:upstream { script = "third" },
  }
  local gate = house(t, ups)
  local answer = t:chat_stream(gate, "r")
  t:equal(t:text(answer), "third")
  t:equal(answer.headers["x-moongate-attempts"], "3", "x-moongate-attempts")
  local record = t:trace(gate)
  t:equal(record.attempts[1].class, "server_error")
  t:equal(record.attempts[2].class, "overloaded")
  t:equal(record.attempts[3].hedge, nil)
  t:equal(metric(gate, "moongate_retries_total", '{kind="next_target"}'), 1)
end)

for _, row in ipairs {
  { name = "the request's own fault says more than an outage", first = 400, second = 503, status = 400 },
  { name = "the second's, which was tried last", first = 500, second = 404, status = 404 },
  { name = "the provider's words say more than a lost connection", first = 500, second = "reset", status = 500 },
} do
  flow.case("hedge: both fail, and the client is told of " .. row.name, function(t)
    local function fails(how, seconds)
      return function(x)
        t:sleep(seconds)
        if how == "reset" then
          x.conn:reset()
          x.last = true
        else
          x:reply(how, answers.openai_error("status " .. how, "t"))
        end
      end
    end
    for _, streamed in ipairs { true, false } do
      local gate = pair(t, fails(row.first, 0.08), fails(row.second, 0.1), { retry = { same_target = 0 } })
      local answer = t:chat(gate, "r", { stream = streamed })
      t:equal(answer.status, row.status)
      t:equal(answer.headers["x-moongate-attempts"], "2", "x-moongate-attempts")
      t:envelope(answer, "openai.chat")
      t:equal(t:trace(gate).outcome, "failed")
    end
  end)
end

flow.case("hedge: a prompt that is too long for one goes to its list when the other fails too", function(t)
  local ups = {
    slow = t:upstream { script = function(x)
      t:sleep(0.1)
      x:reply(400, answers.openai_error("too long", "invalid_request_error", "context_length_exceeded"))
    end },
    quick = t:upstream { script = function(x) x:reply(500, answers.openai_error "no") end },
  }
  local third = t:upstream { script = "from the list" }
  local gate = t:gateway {
    providers = { slow = t:provider(ups.slow), quick = t:provider(ups.quick), third = t:provider(third) },
    routes = { r = { targets = { "slow/m", "quick/m" }, hedge = soon,
      fallbacks = { context_length = { "third/m" } } } },
  }
  t:equal(t:text(t:chat_stream(gate, "r")), "from the list")
end)

-- ---- translated ----------------------------------------------------------------------------------------------

for _, row in ipairs { { "anthropic.messages", "openai.chat" }, { "openai.chat", "anthropic.messages" } } do
  flow.case(("hedge: %s client, two providers of %s, of which the first has begun"):format(row[1], row[2]), function(t)
    local ups = { slow = t:upstream { dialect = row[2], script = stalls },
      quick = t:upstream { dialect = row[2], script = "translated" } }
    local gate = house(t, ups)
    for _ = 1, 5 do
      local answer = t:chat_stream(gate, "r", { dialect = row[1] })
      t:equal(t:text(answer), "translated")
      for _, event in ipairs(answer.events) do t:absent(event.data, "m-slow", "an event of the winner") end
    end
    ups.slow.closed_at = nil
    local whole = t:chat(gate, "r", { dialect = row[1] })
    t:equal(whole.headers["x-moongate-attempts"], "2")
    for _, record in ipairs(gate:traces(6)) do t:equal(record.attempts[1].class, "hedge_lost") end
  end)
end

for _, how in ipairs { "restart", "continue" } do
  flow.case("hedge: on a route that recovers (" .. how .. "), too", function(t)
    local gate, ups = pair(t, stalls, "second", { recover = how })
    for _ = 1, 3 do
      local answer = t:chat_stream(gate, "r")
      t:equal(t:text(answer), "second")
      for _, event in ipairs(answer.events) do t:absent(event.data, "m-slow", "an event of the winner") end
    end
    all_closed(t, ups.slow)
  end)
end

flow.case("hedge: when the winner breaks off, a route that recovers goes on without the loser", function(t)
  local ups = { slow = t:upstream { script = stalls }, third = t:upstream { script = " third" },
    quick = t:upstream { script = function(x)
      x:start_stream()
      for i, event in ipairs(answers.openai_stream({ "some" }, "m-quick")) do
        if i <= 2 then x:chunk(event) end
      end
      t:sleep(0.05)
      x.conn:close()
      x.last = true
    end } }
  local gate = house(t, ups, { recover = "restart" })
  local answer = t:chat_stream(gate, "r")
  t:match(t:text(answer), "^some.* third$", "text")
  local record = t:trace(gate, answer.headers["x-request-id"])
  t:equal(record.attempts[1].class, "hedge_lost")
  t:equal(#ups.slow.requests, 1, "requests to the loser")
  t:equal(hedges(gate, "won"), 1, "hedges won")
end)

flow.case("hedge: requests that share one call share its hedge", function(t)
  local gate, ups = pair(t, stalls, "second", { coalesce = true })
  local texts = {}
  for i = 1, 5 do
    t:spawn(function() texts[i] = t:text(t:chat_stream(gate, "r")) end)
  end
  t:until_true(5, function() return #texts == 5 end, "five answers")
  t:equal(table.concat(texts, ","), "second,second,second,second,second")
  t:equal(#ups.slow.requests, 1, "requests to the slow one")
  t:equal(#ups.quick.requests, 1, "requests to the second")
  all_closed(t, ups.slow)
end)

flow.case("hedge: a target that strict refuses does not end what runs", function(t)
  local ups = { slow = t:upstream { dialect = "anthropic.messages", script = late(0.15, "first") },
    quick = t:upstream { script = "second" } }
  local gate = house(t, ups, { strict = true })
  local answer = t:chat_stream(gate, "r", { dialect = "anthropic.messages", fields = { top_k = 5 } })
  t:equal(t:text(answer), "first")
  t:equal(#ups.quick.requests, 0)
  t:equal(t:trace(gate).attempts[2].class, "lossy")
end)

-- ---- ends ----------------------------------------------------------------------------------------------------

for _, streamed in ipairs { true, false } do
  local how = streamed and "streamed" or "whole"
  flow.case("hedge: a client that leaves ends both, " .. how, { alone = true }, function(t)
    t:within(0.25, function()
      local gate, ups = pair(t, streamed and stalls or silent, streamed and stalls or silent)
      local conn = t:client(gate)
      conn:send(t:chat_text("r", { stream = streamed }))
      t:until_true(5, function() return #ups.quick.requests == 1 end, "the second is asked")
      local left = t:now()
      conn:close()
      t:until_true(5, function() return ups.slow.closed_at and ups.quick.closed_at end, "both are closed")
      local record = t:trace(gate)
      t:equal(record.status, 499)
      for i = 1, 2 do t:equal(record.attempts[i].class, "client_gone") end
      t:equal(hedges(gate, "failed"), 1, "hedges that were neither")
      return math.max(ups.slow.closed_at, ups.quick.closed_at) - left
    end, "to close both")
  end)
end

flow.case("hedge: a client that leaves before it is due is not hedged", function(t)
  local gate, ups = pair(t, silent, silent, { hedge = { after = "200ms", max_extra = 1 } })
  local conn = t:client(gate)
  conn:send(t:chat_text("r", { stream = true }))
  t:until_true(5, function() return #ups.slow.requests == 1 end)
  conn:close()
  t:equal(t:trace(gate).status, 499)
  t:sleep(0.3)
  t:equal(#ups.quick.requests, 0)
end)

flow.case("hedge: both end with a gateway that stops", function(t)
  local ups = { slow = t:upstream { script = stalls }, quick = t:upstream { script = stalls } }
  local gate = t:gateway { drain = "200ms", providers = { slow = t:provider(ups.slow), quick = t:provider(ups.quick) },
    routes = { r = { targets = { "slow/m", "quick/m" }, hedge = soon } } }
  local conn = t:client(gate)
  conn:send(t:chat_text("r", { stream = true }))
  t:until_true(5, function() return #ups.quick.requests == 1 end, "the second is asked")
  gate.process:signal "TERM"
  local answer = http.read_response(conn, 5)
  t:equal(answer and answer.status, 503)
  t:until_true(5, function() return ups.slow.closed_at and ups.quick.closed_at end, "both are closed")
  local record = t:trace(gate)
  for i = 1, 2 do t:equal(record.attempts[i].class, "client_gone") end
end)

-- ---- the budget ----------------------------------------------------------------------------------------------

flow.case("hedge: of 200 slow requests no more than 5 % are sent twice", { seconds = 90 }, function(t)
  local gate, ups = pair(t, late(0.06, "first"), late(0.06, "second"), { hedge = { after = "10ms" } })
  local done = 0
  for _ = 1, 20 do
    t:spawn(function()
      for _ = 1, 10 do
        t:chat_stream(gate, "r")
        done = done + 1
      end
    end)
  end
  t:until_true(60, function() return done == 200 end, "200 answers")
  t:equal(#ups.slow.requests, 200, "requests to the first")
  local sent = #ups.quick.requests
  t:check(sent <= 10 and sent >= 8, ("%d of 200 were sent twice"):format(sent))
  t:check(hedges(gate, "denied") >= 150, "the others were denied")
  -- A reload does not begin a new budget.
  gate:admin("POST", "/reload")
  for _ = 1, 5 do t:chat_stream(gate, "r") end
  t:check(#ups.quick.requests <= 10, "no more after a reload")
end)

flow.case("hedge: what a prompt costs counts, where both prices are known", function(t)
  local gate, ups = pair(t, late(0.08, "first"), "second", { hedge = { after = "20ms", max_extra = 0.5 } })
  local function ask(words)
    return t:text(t:chat_stream(gate, "r", { fields = { messages = { { role = "user",
      content = ("word "):rep(words) } } } }))
  end
  t:equal(ask(100), "first")
  t:equal(ask(3000), "first", "the second call is free, but its prompt costs more than half of all before")
  t:equal(hedges(gate, "denied"), 2)
  t:equal(ask(100), "second")
  t:equal(#ups.quick.requests, 1)
  t:equal(hedges(gate, "won"), 1)
end)
