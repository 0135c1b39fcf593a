-- What follows a failed attempt: waits and who asks for them, the retry budget, lists of other targets, money, clients
-- and shutdowns that do not wait along. failover_flow.lua has the ways in which an attempt can fail.
local answers = require "answers"
local flow = require "flow"
local http = require "http"
local json = require "cjson"
local proc = require "proc"

local function metric(gate, line)
  return tonumber(gate:metrics():match("\n" .. line:gsub("%p", "%%%0") .. " (%d+)"))
end

-- Fails the first `times` requests with `fail`, then serves.
local function recovers(times, fail)
  return function(x)
    if x.number <= times then return fail(x) end
    return x:serve "recovered"
  end
end

local function status(code, message, headers, kind, name)
  return function(x)
    if x.upstream.dialect == "openai.chat" then
      return x:reply(code, answers.openai_error(message or "no", kind, name), headers)
    end
    return x:reply(code, answers.anthropic_error(message or "no", kind), headers)
  end
end

-- ---- waits -----------------------------------------------------------------------------------------------------

-- name → headers, body, the wait it asks for in ms. Whatever else might be taken for it is 7 s and more.
local told = {
  ["retry-after in seconds"] = { headers = { "retry-after: 1" }, ms = 1000 },
  ["retry-after as a date"] = { headers = function() return { os.date("!retry-after: %a, %d %b %Y %H:%M:%S GMT",
    os.time() + 4) } end, ms = 900 }, -- some of it passes on the way
  ["retry-after-ms, which is exacter"] = { headers = { "retry-after: 7", "retry-after-ms: 320" }, ms = 320 },
  ["a used up limit's reset"] = { headers = { "x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 340ms",
    "x-ratelimit-remaining-tokens: 7", "x-ratelimit-reset-tokens: 7s" }, ms = 340 },
  ["RetryInfo in the body"] = { body = json.encode { error = { code = 429, message = "slow down",
    details = { { ["@type"] = "type.googleapis.com/google.rpc.RetryInfo", retryDelay = "0.36s" } } } }, ms = 360 },
  ["words in the body"] = { body = answers.openai_error("Rate limit reached. Please try again in 380ms.", "requests"),
    ms = 380 },
}
for name, row in pairs(told) do
  flow.case("retry: the wait that " .. name .. " asks for is kept", function(t)
    local gate, up = t:simple { script = recovers(1, function(x)
      local headers = type(row.headers) == "function" and row.headers() or row.headers
      x:reply(429, row.body or answers.openai_error("slow down", "requests"), headers)
    end) }
    local answer = t:chat(gate, "r")
    t:equal(t:text(answer), "recovered")
    t:equal(answer.headers["x-moongate-attempts"], "2", "x-moongate-attempts")
    local record = t:trace(gate)
    t:equal(#up.requests, 2)
    t:equal(record.attempts[1].class, "rate_limited")
    t:equal(record.attempts[1].waited_ms, 0)
    local waited = record.attempts[2].waited_ms
    t:check(waited >= row.ms and waited < 7000, ("waited %d ms, asked for %d"):format(waited, row.ms))
    t:check(record.latency_ms >= waited, "the wait is part of the latency")
    t:equal(metric(gate, 'moongate_retries_total{kind="same_target"}'), 1)
  end)
end

flow.case("retry: who asks for a longer wait than retry.max is not waited for", function(t)
  local busy, good = t:upstream { script = status(429, "slow", { "retry-after: 30" }) }, t:upstream { script = "next" }
  local gate = t:gateway {
    providers = { busy = t:provider(busy), good = t:provider(good) },
    routes = {
      two = { targets = { "busy/m", "good/m" }, retry = { same_target = 3 } },
      alone = { targets = { "busy/m" } },
      early = { targets = { "busy/m" }, retry = { max = "60s", same_target = 1 }, timeouts = { total = "5s" } },
    },
  }
  t:equal(t:text(t:chat(gate, "two")), "next")
  t:equal(#busy.requests, 1, "requests to the busy one")
  local answer = t:chat(gate, "alone")
  t:equal(answer.status, 429)
  t:equal(answer.headers["retry-after"], "30", "what the client is told")
  t:equal(answer.headers["x-moongate-attempts"], "1")
  t:equal(t:chat(gate, "early").status, 429, "a wait beyond the deadline")
  t:equal(#busy.requests, 3)
end)

flow.case("retry: a key at its limit is not waited for while another one has room", function(t)
  local limited
  local up = t:upstream { script = function(x)
    limited = limited or x.request.headers.authorization
    if x.request.headers.authorization == limited then return status(429, "slow", { "retry-after: 30" })(x) end
    x:serve "by the other key"
  end }
  local gate = t:gateway {
    providers = { up = t:provider(up, { keys = { flow.env("FLOW_KEY_A", "sk-canary7Q-a-0123456789"),
      flow.env("FLOW_KEY_B", "sk-canary7Q-b-0123456789") } }) },
    routes = { r = { targets = { "up/m" } } },
  }
  t:equal(t:text(t:chat(gate, "r")), "by the other key")
  t:equal(#up.requests, 2)
end)

for _, row in ipairs {
  { name = "by default the last target is asked once more", retry = nil, first = 1, second = 2 },
  { name = "same_target = 0 asks nobody twice", retry = { same_target = 0 }, first = 1, second = 1 },
  { name = "same_target = 2 asks each three times", retry = { same_target = 2, base = "5ms" }, first = 3, second = 3 },
  { name = "attempts caps all of it", retry = { same_target = 2, base = "5ms", attempts = 4 }, first = 3, second = 1 },
  { name = "`on` says after what", retry = { same_target = 2, on = { "rate_limited" } }, first = 1, second = 1 },
} do
  flow.case("retry: " .. row.name, function(t)
    local a = t:upstream { script = status(500) }
    local b = t:upstream { dialect = "anthropic.messages", script = status(500) }
    local gate = t:gateway { health = { eject_after = 0 }, providers = { a = t:provider(a), b = t:provider(b) },
      routes = { r = { targets = { "a/m", "b/m" }, retry = row.retry } } }
    for turn, streamed in ipairs { false, true } do
      local answer = t:chat(gate, "r", { fields = streamed and { stream = true } or nil })
      t:equal(answer.status, 500)
      t:equal(answer.headers["x-moongate-attempts"], tostring(row.first + row.second), "x-moongate-attempts")
      t:equal(#a.requests, turn * row.first, "requests to the first")
      t:equal(#b.requests, turn * row.second, "requests to the second")
    end
  end)
end

for _, class in ipairs { 400, 401, 403, 404, 413, 422 } do
  flow.case("retry: the same target is not asked again after " .. class, function(t)
    local gate, up = t:simple { script = status(class) }
    t:equal(t:chat(gate, "r").status, class)
    t:equal(#up.requests, 1)
  end)
end

flow.case("retry: x-should-retry: false is believed", function(t)
  local gate, up = t:simple { script = status(500, "no", { "x-should-retry: false" }) }
  t:equal(t:chat(gate, "r").status, 500)
  t:equal(#up.requests, 1)
end)

-- Until the gateway has read the refusal, and waits.
local function wait_begun(t, gate, up, model)
  t:until_true(5, function() return #up.requests == 1 end, "the first attempt")
  t:until_true(5, function()
    return metric(gate, ('moongate_target_in_flight{provider="up",model="%s"}'):format(model)) == 0
  end, "the wait")
end

flow.case("retry: a client that leaves during a wait ends the request, and nobody is asked again", function(t)
  local gate, up = t:simple { script = status(429, "slow", { "retry-after: 2" }) }
  local conn = t:client(gate)
  conn:send(t:chat_text "r")
  wait_begun(t, gate, up, "model-a")
  conn:close()
  local record = t:trace(gate)
  t:equal(record.outcome, "client_gone")
  t:equal(record.status, 499)
  t:equal(#record.attempts, 1)
  t:sleep(2.5)
  t:equal(#up.requests, 1, "requests after the wait would have ended")
end)

flow.case("retry: a shutdown ends waits", function(t)
  local up = t:upstream { script = status(429, "slow", { "retry-after: 60" }) }
  local gate = t:gateway { drain = "300ms", providers = { up = t:provider(up) },
    routes = { r = { targets = { "up/m" }, retry = { max = "100s" }, timeouts = { total = "100s" } } } }
  local conn = t:client(gate)
  conn:send(t:chat_text "r")
  wait_begun(t, gate, up, "m")
  gate.expect_exit = true
  gate.process:signal "TERM"
  local answer = t:check(http.read_response(conn, 30), "an answer before the wait is over")
  t:equal(t:envelope(answer), "draining")
  t:check(gate.process:wait(30), "the end of the process")
  t:equal(#up.requests, 1)
end)

-- ---- the budget ------------------------------------------------------------------------------------------------

-- The budget is of ten seconds: two workers may each be one over it in each of them.
local function windows(t, from) return 2 * math.ceil((t:now() - from) / 10 + 1) end

flow.case("retry: a provider that fails every request gets 1.2 times as many, and no more", function(t)
  local gate, up = t:simple { script = status(500), config = { retry_budget = { percent = 20, per_s = 0 },
    workers = 2 } }
  local count, from = 100, t:now()
  for _ = 1, count do t:chat(gate, "r") end
  t:check(#up.requests > count, "some were tried again")
  t:check(#up.requests <= 1.2 * count + windows(t, from), #up.requests .. " attempts of " .. count .. " requests")
  t:check(metric(gate, "moongate_retries_denied_total") > 0, "the budget said no")
end)

flow.case("retry: those who wait at the same time have their share of the budget already", { threads = true },
  function(t)
  local gate, up = t:simple { script = status(500), config = { workers = 2, health = { eject_after = 0,
    error_share = 0 }, retry_budget = { percent = 0, per_s = 1 } } }
  local over, from = 0, t:now()
  for _ = 1, 60 do
    t:spawn(function()
      t:chat(gate, "r")
      over = over + 1
    end)
  end
  t:until_true(20, function() return over == 60 end, "all answers")
  local most = 60 + 10 + (t:now() - from) + windows(t, from) -- one a second
  t:check(#up.requests > 60 and #up.requests <= most, #up.requests .. " attempts of 60 requests")
end)

flow.case("retry: a budget of nothing lets other providers be tried all the same", function(t)
  local bad, good = t:upstream { script = status(500) }, t:upstream { script = "other" }
  local gate = t:gateway { retry_budget = { percent = 0, per_s = 0 },
    providers = { bad = t:provider(bad), good = t:provider(good) },
    routes = { r = { targets = { "bad/m", "bad/n", "good/m" } } } }
  t:equal(t:text(t:chat(gate, "r")), "other")
  t:equal(#bad.requests, 1, "the failing provider's second target is a repetition")
end)

flow.case("retry: a brown-out costs no client its answer, and stays within the budget", { seconds = 90 }, function(t)
  local draw = 7
  local bad = t:upstream { script = function(x)
    draw = (draw * 1103515245 + 12345) % 2147483648
    if draw / 2147483648 < 0.3 then
      t:sleep(0.02)
      return status(503, "busy")(x)
    end
    x:serve "from the weak one"
  end }
  local good = t:upstream { dialect = "anthropic.messages", script = "from the other" }
  local gate = t:gateway { retry_budget = { percent = 20, per_s = 0 },
    providers = { bad = t:provider(bad), good = t:provider(good) },
    routes = { r = { targets = { "bad/m", "good/m" }, retry = { same_target = 1, base = "5ms" } } } }
  local count, served, from = 300, 0, t:now()
  for i = 1, count do
    local answer = i % 3 == 0 and t:chat_stream(gate, "r") or t:chat(gate, "r")
    if answer.status == 200 then served = served + 1 end
  end
  t:check(served >= 0.95 * count, served .. " of " .. count .. " were served")
  t:check(#bad.requests <= 1.2 * count + windows(t, from), #bad.requests .. " attempts at the weak one")
  t:check(#bad.requests > 0 and #good.requests > 0, "both were asked")
end)

-- ---- lists, money, hooks ---------------------------------------------------------------------------------------

local too_long = status(400, "This model's maximum context length is 8192 tokens", nil, "invalid_request_error",
  "context_length_exceeded")
local refused = status(400, "The response was filtered", nil, "invalid_request_error", "content_policy_violation")

for _, streamed in ipairs { false, true } do
  flow.case("retry: a prompt that is too long goes to the route's longer models" .. (streamed and ", streamed" or ""),
    function(t)
    local small, middle = t:upstream { script = too_long }, t:upstream { script = too_long }
    local large, next_one = t:upstream { dialect = "anthropic.messages", script = "long" }, t:upstream {}
    local gate = t:gateway {
      providers = { small = t:provider(small), middle = t:provider(middle), large = t:provider(large),
        next = t:provider(next_one) },
      routes = { r = { targets = { "small/m", "next/m" },
        fallbacks = { context_length = { "small/m", "middle/m", "large/m" } } } },
    }
    local ask = streamed and t.chat_stream or t.chat
    local answer = ask(t, gate, "r")
    t:equal(t:text(answer), "long")
    t:equal(answer.headers["x-moongate-attempts"], "3")
    t:equal(#small.requests, 1, "who has said no is not in the list again")
    t:equal(#next_one.requests, 0, "the plan's next target takes no more than the first")
    t:equal(metric(gate, 'moongate_retries_total{kind="fallback_list"}'), 1)
  end)
end

flow.case("retry: each class has its own list, and an empty list gives the provider's words", function(t)
  local strict, other = t:upstream { script = refused }, t:upstream { script = "willing" }
  local gate = t:gateway {
    providers = { strict = t:provider(strict), other = t:provider(other) },
    routes = {
      policy = { targets = { "strict/m" }, fallbacks = { content_policy = { "other/m" } } },
      length = { targets = { "strict/m", "other/m" }, fallbacks = { context_length = { "other/m" } } },
      all_refuse = { targets = { "strict/m" }, fallbacks = { content_policy = { "strict/n" } } },
    },
  }
  t:equal(t:text(t:chat(gate, "policy")), "willing")
  local answer = t:chat(gate, "length")
  t:equal(answer.status, 400)
  t:match(answer.body, "filtered")
  answer = t:chat(gate, "all_refuse")
  t:equal(answer.status, 400)
  t:equal(answer.headers["x-moongate-attempts"], "2")
end)

for name, fail in pairs {
  ["429 that means money"] = status(429, "You exceeded your current quota", nil, "insufficient_quota",
    "insufficient_quota"),
  ["402"] = status(402, "pay first"),
  ["a stream whose first event tells of money"] = function(x)
    x:stream { "data: " .. answers.openai_error("You exceeded your current quota", "insufficient_quota",
      "insufficient_quota") .. "\n\n" }
  end,
} do
  flow.case("retry: " .. name .. " is not tried again on that account", function(t)
    local poor, rich = t:upstream { script = fail }, t:upstream { script = "paid" }
    local gate = t:gateway {
      providers = { poor = t:provider(poor), rich = t:provider(rich) },
      routes = { r = { targets = { "poor/m", "poor/n", "rich/m" } }, alone = { targets = { "poor/m", "poor/n" } } },
    }
    t:equal(t:text(t:chat_stream(gate, "r")), "paid")
    t:equal(#poor.requests, 1, "requests to the account without money")
    t:check(t:chat(gate, "alone", { fields = { stream = true } }).status >= 400)
    t:equal(#poor.requests, 2)
    t:equal(t:trace(gate).attempts[1].class, "quota")
  end)
end

flow.case("retry: a list does not lead back to an account without money", function(t)
  local poor = t:upstream { script = status(402, "pay first") }
  local small, large = t:upstream { script = too_long }, t:upstream { script = "long" }
  local gate = t:gateway {
    providers = { poor = t:provider(poor), small = t:provider(small), large = t:provider(large) },
    routes = { r = { targets = { "poor/m", "small/m" }, fallbacks = { context_length = { "poor/n", "large/m" } } } },
  }
  t:equal(t:text(t:chat(gate, "r")), "long")
  t:equal(#poor.requests, 1)
end)

flow.case("retry: a policy's hook decides, and reads what happened so far", function(t)
  proc.write_file(t.dir .. "/told.lua", [[
local P = { api = 1 }
function P.setup() return { all = gw.targets() } end
function P.route() end
function P:retry(_, attempt)
  print(("seen %s %d %d %s"):format(attempt.class, attempt.waited_ms > 0 and 1 or 0, attempt.attempts_left,
    attempt.retry_after_ms or "none"))
  if attempt.number == 2 then return self.all[2] end
end
return P
]])
  local busy, good = t:upstream { script = status(429, "slow", { "retry-after-ms: 200" }) }, t:upstream {}
  local gate = t:gateway {
    providers = { busy = t:provider(busy), good = t:provider(good) },
    routes = { r = { policy = t.dir .. "/told.lua", targets = { "busy/m", "good/m" },
      retry = { attempts = 5, same_target = 3 } } },
  }
  t:equal(t:text(t:chat(gate, "r")), "hello")
  t:equal(#busy.requests, 2, "the builtin way once, then the hook's")
  local log = proc.read_file(t.dir .. "/gateway.err")
  t:match(log, "seen rate_limited 0 4 200")
  t:match(log, "seen rate_limited 1 3 200")
end)

flow.case("retry: what was received whole and then lost may be a duplicate, and is counted", function(t)
  local lost = t:upstream { script = function(x) x.conn:reset() x.last = true end }
  local good = t:upstream { dialect = "anthropic.messages" }
  local gate = t:gateway { providers = { lost = t:provider(lost), good = t:provider(good), dead = t:dead() },
    routes = { r = { targets = { "lost/m", "good/m" } }, d = { targets = { "dead/m", "good/m" } } } }
  t:chat(gate, "d")
  t:equal(metric(gate, "moongate_possibly_duplicate_total"), 0, "nothing was sent to who is not there")
  local answer = t:chat(gate, "r", { headers = { "idempotency-key: once-7" } })
  t:equal(t:text(answer), "hello")
  t:equal(metric(gate, "moongate_possibly_duplicate_total"), 1)
  t:equal(lost.requests[1].headers["idempotency-key"], "once-7")
  t:equal(good.requests[2].headers["idempotency-key"], "once-7")
end)

-- ---- before the status is told ---------------------------------------------------------------------------------

local firsts = {
  ["an error event"] = function(x)
    local fault = answers.fault[x.upstream.dialect]("overloaded", "overloaded_error")
    x:stream { (x.upstream.dialect == "openai.chat" and "data: " or "event: error\ndata: ") .. fault .. "\n\n" }
  end,
  ["no event at all"] = function(x) x:stream {} end,
  ["pings only, then its end"] = function(x)
    local openai = x.upstream.dialect == "openai.chat"
    x:stream { openai and ": ping\n\n" or answers.anthropic_stream({})[1], openai and ": ping\n\n"
      or 'event: ping\ndata: {"type":"ping"}\n\n' }
  end,
  ["a role without content, then an error event"] = function(x)
    local fault = answers.fault[x.upstream.dialect]("overloaded", "overloaded_error")
    x:stream { answers.stream[x.upstream.dialect]({ "a" })[1],
      (x.upstream.dialect == "openai.chat" and "data: " or "event: error\ndata: ") .. fault .. "\n\n" }
  end,
}
for name, script in pairs(firsts) do
  for _, client in ipairs { "openai.chat", "anthropic.messages" } do
    for _, provider in ipairs { "openai.chat", "anthropic.messages" } do
      flow.case(("retry: a stream with %s is no answer: never 200 (client %s, provider %s)"):format(name, client,
        provider), function(t)
        local bad, good = t:upstream { dialect = provider, script = script }, t:upstream { script = "whole" }
        local gate = t:gateway { providers = { bad = t:provider(bad), good = t:provider(good) },
          routes = { alone = { targets = { "bad/m" }, retry = { same_target = 0 } },
            two = { targets = { "bad/m", "good/m" } } } }
        local answer = t:chat(gate, "alone", { dialect = client, fields = { stream = true } })
        t:equal(answer.status, 502)
        t:envelope(answer, client)
        t:equal(answer.headers["x-moongate-attempts"], "1")
        answer = t:chat_stream(gate, "two", { dialect = client })
        t:equal(t:text(answer), "whole")
        t:equal(answer.headers["x-moongate-attempts"], "2")
      end)
    end
  end
end

-- Clients go by the status whether to try again, and a prompt does not get shorter by that.
for _, case in ipairs {
  { "context_length_exceeded", "This model's maximum context length is 8192 tokens", 400 },
  { "content_policy_violation", "Your request was rejected by the safety system", 400 },
  { "server_error", "The server had an error", 502 },
} do
  flow.case("an error event before content, " .. case[1] .. ": " .. case[3], function(t)
    local gate = t:gateway {
      providers = { up = t:provider(t:upstream { script = function(x)
        x:stream { "data: " .. answers.openai_error(case[2], "invalid_request_error", case[1]) .. "\n\n" }
      end }) },
      routes = { r = { targets = { "up/m" }, retry = { same_target = 0 } } },
    }
    local answer = t:chat(gate, "r", { fields = { stream = true } })
    t:equal(answer.status, case[3])
    t:equal(t:envelope(answer), "provider_failed")
    t:match(answer.body, case[2]:gsub("%p", "%%%0"))
  end)
end

-- A load balancer in front of the provider answers in its stead.
for name, body in pairs { ["a page"] = "<html><body><h1>502 Bad Gateway</h1></body></html>", nothing = "" } do
  for _, dialect in ipairs { "openai.chat", "anthropic.messages" } do
    flow.case(("the provider's last word is %s: the client has an error of its API, %s"):format(name, dialect),
      function(t)
        local gate = t:gateway {
          providers = { up = t:provider(t:upstream { dialect = dialect, script = function(x)
            x:reply(503, body, { "content-type: text/html", "retry-after: 17" })
          end }) },
          routes = { r = { targets = { "up/m" }, retry = { same_target = 0 } } },
        }
        local answer = t:chat(gate, "r", { dialect = dialect })
        t:equal(answer.status, 503)
        t:envelope(answer, dialect)
        t:equal(answer.headers["retry-after"], "17")
        t:equal(answer.headers["x-moongate-attempts"], "1")
        t:absent(answer.body, "<html>")
      end)
  end
end
