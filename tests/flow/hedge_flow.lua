-- A second attempt beside a slow one: when it is sent, whose answer the client gets, what becomes of the other, and who
-- pays.
local answers = require "answers"
local flow = require "flow"
local http = require "http"
local many = require "many"

-- What a request counts at its end is counted before its trace record is written: who has read that may read these.
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
  x.upstream.has_begun = true
  x:wait_closed(60)
  x.last = true
end

local function silent(x)
  x:wait_closed(60)
  x.last = true
end

-- Serves `text` after so long: for what must not happen meanwhile. What must have happened is waited for: see `once`.
local function late(seconds, text)
  return function(x)
    x.upstream.house.t:sleep(seconds)
    x:serve(text)
  end
end

-- Does what `act` says (serves it, when it is a text) when ready(house) is true. A house is what `house` fills: the
-- upstreams by name, t and gate.
local function once(ready, act)
  return function(x)
    local h = x.upstream.house
    h.t:until_true(10, function() return ready(h) end, "what a provider waits for")
    if type(act) == "string" then return x:serve(act) end
    act(x)
  end
end

local function second_is_asked(h) return #h.quick.requests > 0 end
-- The gateway knows it: its verdict on the second's health is counted.
local function second_has_failed(h)
  return metric(h.gate, "moongate_provider_window_attempts", '{provider="quick",window="5m"}') == 1
end

-- Returns when the gateway has read all that was sent to it before. Its only worker asks for the bytes of all
-- connections at once: when it has accepted and answered two connections, one behind the other, none of those is left.
local function wait_until_read(h)
  for _ = 1, 2 do
    local conn = h.t:client(h.gate)
    conn:send(http.request_text { target = "/v1/models", headers = { "authorization: Bearer " .. flow.client_key } })
    h.t:check(http.read_response(conn), "the list of models")
    conn:close()
  end
end

-- A gateway with a hedging route r to the upstreams slow, quick and third (those that are given) in this order.
local function house(t, ups, more)
  local config = { providers = {}, prices = prices, routes = { r = { targets = {}, hedge = soon } },
    health = { eject_after = 0 } }
  for _, name in ipairs { "slow", "quick", "third" } do
    if ups[name] then
      ups[name].house = ups
      config.providers[name] = t:provider(ups[name])
      table.insert(config.routes.r.targets, name .. "/m")
    end
  end
  for name, value in pairs(more or {}) do config.routes.r[name] = value end
  ups.t, ups.gate = t, t:gateway(config)
  return ups.gate
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
        local h = x.upstream.house
        t:until_true(10, function() return h.slow.has_begun end, "the slow one begins")
        wait_until_read(h)
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
      local record = t:trace(gate, answer.headers["x-request-id"])
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
  local gate, ups = pair(t, silent, once(function(h) return #h.slow.requests == 1 end, "second"))
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
  local gate, ups = pair(t, once(second_is_asked, "first"), stalls)
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
  local gate = pair(t, once(second_has_failed, "first"), fails_within)
  local answer = t:chat_stream(gate, "r")
  t:equal(t:text(answer), "first")
  for _, event in ipairs(answer.events) do t:absent(event.data, "capacity", "an event") end
  local record = t:trace(gate)
  t:equal(record.outcome, "ok")
  t:equal(record.attempts[2].class, "stream_error")
  t:equal(#record.attempts, 2, "attempts: nothing is retried while the first runs")
  t:equal(hedges(gate, "failed"), 1, "hedges failed")

  gate = pair(t, once(second_is_asked, fails_within), once(function(h)
    return metric(h.gate, "moongate_attempts_total", '{provider="slow",model="m",class="stream_error"}') == 1
  end, "second"))
  answer = t:chat_stream(gate, "r")
  t:equal(t:text(answer), "second")
  t:equal(t:trace(gate, answer.headers["x-request-id"]).attempts[1].class, "stream_error")
  t:equal(hedges(gate, "won"), 1, "hedges won")
end)

for _, row in ipairs { { "an error status", function(x) x:reply(503, answers.openai_error "busy") end },
  { "an empty stream", function(x) x:start_stream() x:end_stream() end },
  { "a reset", function(x) x.conn:reset() x.last = true end } } do
  flow.case("hedge: " .. row[1] .. " of the second leaves the first alone", function(t)
    local gate, ups = pair(t, once(second_has_failed, "first"), row[2])
    t:equal(t:text(t:chat_stream(gate, "r")), "first")
    t:equal(#ups.quick.requests, 1, "requests to the second")
    t:equal(t:trace(gate).outcome, "ok")
  end)
end

-- What is not hedged because it comes in time, on a machine that may stand still. run() is one try: the trace record
-- and how many ms it says of what has the time `limit`. A try that took longer shows nothing.
local function in_time(t, limit, run)
  t:until_true(10, function()
    local record, ms = run()
    if ms < limit then
      t:equal(#record.attempts, 1, "attempts")
      return true
    end
  end, ("a try within %d ms"):format(limit))
end

flow.case("hedge: none after content, and none when the answer comes in time", function(t)
  in_time(t, 400, function()
    local gate, ups = pair(t, function(x)
      x:start_stream()
      local events = answers.openai_stream({ "slow", "ly" }, "m")
      for i, event in ipairs(events) do
        x:chunk(event)
        if i == 2 then t:sleep(0.5) end
      end
      x:end_stream()
    end, "second", { hedge = { after = "400ms", max_extra = 1 } })
    local answer = t:chat_stream(gate, "r")
    local record = t:trace(gate, answer.headers["x-request-id"])
    if record.ttft_ms < 400 then
      t:equal(t:text(answer), "slowly")
      t:equal(#ups.quick.requests, 0, "requests to the second")
    end
    return record, record.ttft_ms
  end)
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
  local answer = http.read_head(conn)
  t:sleep(0.2)
  answer.dialect = "openai.chat"
  answer.events = answer:read_events()
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

  gate, ups = pair(t, once(second_is_asked, "first"), silent)
  answer = t:chat(gate, "r")
  t:equal(t:text(answer), "first")
  all_closed(t, ups.quick)
  t:trace(gate, answer.headers["x-request-id"])
  t:equal(hedges(gate, "lost"), 1, "hedges lost")
end)

flow.case("hedge: a quantile is of streams; whole answers are not hedged by it", function(t)
  local waits
  local gate, ups = pair(t, function(x)
    if waits then waits(x) else x:serve "first" end
  end, "second", { hedge = { after = "p95", max_extra = 1 } })
  for i = 1, 20 do
    t:chat_stream(gate, "r")
    if i == 19 then t:equal(hedges(gate, "won"), nil, "hedges while nothing is known") end
  end
  t:equal(#ups.quick.requests, 0, "requests to the second while the first is quick")
  waits = late(0.3, "first")
  t:equal(t:text(t:chat(gate, "r")), "first")
  t:equal(#ups.quick.requests, 0, "whole answers")
  waits = silent
  local answer = t:chat_stream(gate, "r")
  t:equal(t:text(answer), "second")
  t:trace(gate, answer.headers["x-request-id"])
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
  t:check(#ups.quick.requests > 0, "some were hedged")
  -- Known are 20 quick answers and those that had not begun after 300 ms: 60 ms are not slow any more.
  in_time(t, 300, function()
    local before = #ups.quick.requests
    local answer = t:chat_stream(gate, "r")
    local record = t:trace(gate, answer.headers["x-request-id"])
    if record.ttft_ms < 300 then
      t:equal(t:text(answer), "first")
      t:equal(#ups.quick.requests, before, "requests to the second")
    end
    return record, record.ttft_ms
  end)
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
    local key, h = x.request.headers["idempotency-key"], x.upstream.house
    if key then t:sleep(0.15) -- no other comes
    else t:until_true(10, function() return #h.slow.requests == 3 end, "the request is sent twice") end
    x:serve(key or "none")
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
    slow = t:upstream { script = once(second_is_asked, function(x)
      x:reply(500, answers.openai_error "first")
    end) },
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
    local function fails(how)
      return once(second_is_asked, function(x)
        if how == "reset" then
          x.conn:reset()
          x.last = true
        else
          x:reply(how, answers.openai_error("status " .. how, "t"))
        end
      end)
    end
    for _, streamed in ipairs { true, false } do
      local gate = pair(t, fails(row.first), fails(row.second), { retry = { same_target = 0 } })
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
    slow = t:upstream { script = once(second_is_asked, function(x)
      x:reply(400, answers.openai_error("too long", "invalid_request_error", "context_length_exceeded"))
    end) },
    quick = t:upstream { script = function(x) x:reply(500, answers.openai_error "no") end },
    t = t,
  }
  ups.slow.house = ups
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
    quick = t:upstream { script = once(function(h) return #h.slow.requests == 1 end, function(x)
      x:start_stream()
      for i, event in ipairs(answers.openai_stream({ "some" }, "m-quick")) do
        if i <= 2 then x:chunk(event) end
      end
      t:sleep(0.05)
      x.conn:close()
      x.last = true
    end) } }
  local gate = house(t, ups, { recover = "restart" })
  local answer = t:chat_stream(gate, "r")
  t:match(t:text(answer), "^some.* third$", "text")
  local record = t:trace(gate, answer.headers["x-request-id"])
  t:equal(record.attempts[1].class, "hedge_lost")
  t:equal(#ups.slow.requests, 1, "requests to the loser")
  t:equal(hedges(gate, "won"), 1, "hedges won")
end)

flow.case("hedge: requests that share one call share its hedge", function(t)
  local gate, ups = pair(t, stalls, function(x)
    many.wait_coalesced(t, x.upstream.house.gate, 4)
    x:serve "second"
  end, { coalesce = true })
  local texts = {}
  for _ = 1, 5 do
    t:spawn(function()
      local text = t:text(t:chat_stream(gate, "r"))
      texts[#texts + 1] = text
    end)
  end
  t:until_true(5, function() return #texts == 5 end, "five answers")
  t:equal(table.concat(texts, ","), "second,second,second,second,second")
  t:equal(#ups.slow.requests, 1, "requests to the slow one")
  t:equal(#ups.quick.requests, 1, "requests to the second")
  all_closed(t, ups.slow)
end)

flow.case("hedge: a target that strict refuses does not end what runs", function(t)
  local ups = { slow = t:upstream { dialect = "anthropic.messages", script = once(function(h)
    return metric(h.gate, "moongate_attempts_total", '{provider="quick",model="m",class="lossy"}') == 1
  end, "first") }, quick = t:upstream { script = "second" } }
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
      t:until_true(5, function() return #ups.slow.requests == 1 and #ups.quick.requests == 1 end, "both are asked")
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
  in_time(t, 400, function()
    local gate, ups = pair(t, silent, silent, { hedge = { after = "400ms", max_extra = 1 } })
    local conn = t:client(gate)
    conn:send(t:chat_text("r", { stream = true }))
    t:until_true(5, function() return #ups.slow.requests == 1 end)
    conn:close()
    local record = t:trace(gate)
    t:equal(record.status, 499)
    t:sleep(0.5)
    if record.latency_ms < 400 then t:equal(#ups.quick.requests, 0, "requests to the second") end
    return record, record.latency_ms
  end)
end)

flow.case("hedge: both end with a gateway that stops", function(t)
  local ups = { slow = t:upstream { script = stalls }, quick = t:upstream { script = stalls } }
  local gate = t:gateway { drain = "200ms", providers = { slow = t:provider(ups.slow), quick = t:provider(ups.quick) },
    routes = { r = { targets = { "slow/m", "quick/m" }, hedge = soon } } }
  local conn = t:client(gate)
  conn:send(t:chat_text("r", { stream = true }))
  t:until_true(5, function() return #ups.slow.requests == 1 and #ups.quick.requests == 1 end, "both are asked")
  gate.expect_exit = true
  gate.process:signal "TERM"
  local answer = http.read_response(conn)
  t:equal(answer and answer.status, 503)
  t:until_true(5, function() return ups.slow.closed_at and ups.quick.closed_at end, "both are closed")
  local record = t:trace(gate)
  for i = 1, 2 do t:equal(record.attempts[i].class, "draining") end
  t:equal(gate.process:wait(30), 0, "exit status")
end)

-- ---- the budget ----------------------------------------------------------------------------------------------

-- Providers that answer when, of all requests that were made, the gateway has said which are sent twice: `made` of its
-- answer is how many they are.
local function decided(t, made, more)
  local function served(text)
    return once(function(h) return (hedges(h.gate, "denied") or 0) + #h.quick.requests == made.count end, text)
  end
  return pair(t, served "first", served "second", more)
end

flow.case("hedge: of 200 slow requests no more than 5 % are sent twice", { seconds = 90 }, function(t)
  local made, done = { count = 0 }, 0
  local gate, ups = decided(t, made, { hedge = { after = "10ms" } })
  local function ask(count)
    made.count = made.count + count
    for _ = 1, count do
      t:spawn(function()
        t:chat_stream(gate, "r")
        done = done + 1
      end)
    end
    t:until_true(10, function() return done == made.count end, made.count .. " answers")
  end
  for i = 1, 10 do
    ask(20)
    -- The twentieth has brought the last 5 % of a call.
    t:equal(#ups.quick.requests, i, ("of %d sent twice"):format(made.count))
  end
  t:until_true(5, function() return #ups.slow.requests == 200 end, "requests to the first")
  t:equal(hedges(gate, "denied"), 190, "the others were denied")
  -- A reload does not begin a new budget.
  gate:admin("POST", "/reload")
  ask(5)
  t:equal(#ups.quick.requests, 10, "no more after a reload")
end)

flow.case("hedge: what a prompt costs counts, where both prices are known", function(t)
  local gate, ups = pair(t, function(x)
    if x.number == 3 then return silent(x) end
    once(function(h) return (hedges(h.gate, "denied") or 0) + #h.quick.requests == x.number end, "first")(x)
  end, "second", { hedge = { after = "20ms", max_extra = 0.5 } })
  local function ask(words)
    local answer = t:chat_stream(gate, "r", { fields = { messages = { { role = "user",
      content = ("word "):rep(words) } } } })
    t:trace(gate, answer.headers["x-request-id"])
    return t:text(answer)
  end
  t:equal(ask(100), "first")
  t:equal(ask(3000), "first", "the second call is free, but its prompt costs more than half of all before")
  t:equal(hedges(gate, "denied"), 2)
  t:equal(ask(100), "second")
  t:equal(#ups.quick.requests, 1)
  t:equal(hedges(gate, "won"), 1)
end)
