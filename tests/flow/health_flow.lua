-- Health: failing targets are left out and come back by one live request, refused keys are benched and others take
-- over, the last target is never left out, and what clients do never counts. Availability in metrics, status, policies.
local answers = require "answers"
local flow = require "flow"
local json = require "cjson"
local proc = require "proc"

local function fails(status, message, kind)
  return function(x) x:reply(status, answers.openai_error(message or "boom", kind)) end
end

-- Fails while `up.broken`.
local function breakable(t, text)
  local up
  up = t:upstream { script = function(x)
    if up.broken then return fails(up.broken)(x) end
    x:serve(text)
  end }
  return up
end

local function two(t, first, second, health, more)
  local config = {
    providers = { a = t:provider(first), b = t:provider(second) },
    routes = { r = { targets = { "a/m", "b/m" } } },
    health = health,
  }
  for key, value in pairs(more or {}) do config[key] = value end
  return t:gateway(config)
end

local function ask(t, gate, model, options)
  local answer = t:chat(gate, model or "r", options)
  return answer, t:trace(gate, answer.headers["x-request-id"])
end

local function metric(gate, name)
  return tonumber(gate:metrics():match("\n" .. name:gsub("%p", "%%%0") .. " ([%d.]+)\n"))
end

flow.case("a target that fails five times in a row is left out", { threads = true }, function(t)
  local first, second = breakable(t, "first"), breakable(t, "second")
  local gate = two(t, first, second, { eject = "60s" })
  first.broken = 503
  for i = 1, 5 do
    local answer, record = ask(t, gate)
    t:equal(t:text(answer), "second")
    t:equal(#record.attempts, 2, "attempts of request " .. i)
  end
  t:equal(#first.requests, 5)
  for _ = 1, 5 do
    local answer, record = ask(t, gate)
    t:equal(t:text(answer), "second")
    t:equal(#record.attempts, 1, "attempts while it is ejected")
    t:equal(record.fallback_used, true)
    t:equal(#record.skipped, 1)
    t:equal(record.skipped[1].provider, "a")
    t:equal(record.skipped[1].model, "m")
    t:equal(record.skipped[1].why, "ejected")
    t:check(record.skipped[1].left_ms > 0 and record.skipped[1].left_ms <= 60000, "left_ms")
  end
  t:equal(#first.requests, 5, "requests to the ejected")
  t:equal(metric(gate, 'moongate_target_ejected{provider="a",model="m"}'), 1)
  t:equal(metric(gate, 'moongate_target_ejections_total{provider="a",model="m"}'), 1)
  t:equal(metric(gate, 'moongate_target_skips_total{provider="a",model="m"}'), 5)
  t:match(gate.process:errors(), "a/m is ejected for 60000 ms")
end)

flow.case("when its time is over one live request asks again: it brings the target back, or the time doubles",
  { threads = true }, function(t)
  local first, second = breakable(t, "first"), breakable(t, "second")
  local gate = two(t, first, second, { eject = "300ms" })
  first.broken = 503
  for _ = 1, 5 do t:equal(t:text((ask(t, gate))), "second") end
  local probes, longest_ms = 0, 0
  t:until_true(10, function()
    local answer, record = ask(t, gate)
    t:equal(t:text(answer), "second", "the answer, also of who asks for the others")
    if record.attempts[1].provider == "a" then
      t:equal(record.attempts[1].probe, true, "attempts[1].probe")
      probes = probes + 1
    else
      local left_ms = record.skipped[1].left_ms
      t:check(left_ms <= 300 << probes, ("%d ms are left after %d probes"):format(left_ms, probes))
      longest_ms = math.max(longest_ms, left_ms)
    end
    return longest_ms > 600
  end, "a time that has doubled twice")
  t:equal(#first.requests, 5 + probes, "requests to the ejected: its probes")
  first.broken = nil
  local answer, record
  t:until_true(10, function()
    answer, record = ask(t, gate)
    return t:text(answer) == "first"
  end, "the probe that brings it back")
  t:equal(#record.skipped, 0)
  t:equal(record.attempts[1].probe, true, "attempts[1].probe")
  for _ = 1, 3 do
    answer, record = ask(t, gate)
    t:equal(t:text(answer), "first")
    t:equal(record.attempts[1].probe, nil)
  end
  t:equal(metric(gate, 'moongate_target_ejected{provider="a",model="m"}'), 0)
  t:match(gate.process:errors(), "a/m is back")
end)

flow.case("while one request probes, all others go elsewhere", { threads = true }, function(t)
  local slow, hold = nil, true
  local first
  first = t:upstream { script = function(x)
    if first.broken then return fails(500)(x) end
    slow = (slow or 0) + 1
    t:until_true(10, function() return not hold end)
    x:serve "first"
  end }
  local second = breakable(t, "second")
  local gate = two(t, first, second, { eject_after = 2, eject = "300ms" }, { workers = 2 })
  first.broken = true
  for _ = 1, 2 do t:equal(t:text(t:chat(gate, "r")), "second") end
  first.broken = false
  t:sleep(0.4)
  local probe
  t:spawn(function() probe = t:text(t:chat(gate, "r")) end)
  t:until_true(5, function() return slow == 1 end, "the probe")
  for _ = 1, 10 do
    local answer, record = ask(t, gate)
    t:equal(t:text(answer), "second")
    t:equal(record.skipped[1].why, "probed")
  end
  t:equal(slow, 1, "requests to the probed target")
  hold = false
  t:until_true(5, function() return probe end, "the probe's answer")
  t:equal(probe, "first")
  t:equal(t:text(t:chat(gate, "r")), "first")
end)

flow.case("the last target is tried however often it fails, also when it is named directly", function(t)
  local only = breakable(t, "back")
  local gate = t:gateway { providers = { a = t:provider(only) }, routes = { r = { targets = { "a/m" } } } }
  only.broken = 500
  for _ = 1, 12 do
    local answer, record = ask(t, gate)
    t:equal(answer.status, 500)
    t:equal(#record.skipped, 0)
  end
  for _ = 1, 3 do t:equal((ask(t, gate, "a/m")).status, 500) end
  t:check(#only.requests >= 15, "requests that were tried: " .. #only.requests)
  t:equal(metric(gate, 'moongate_target_ejected{provider="a",model="m"}'), 1)
  only.broken = nil
  t:equal(t:text((ask(t, gate))), "back")
  t:equal(metric(gate, 'moongate_target_ejected{provider="a",model="m"}'), 0, "its success brings it back at once")
end)

flow.case("when the others fail too, the ejected target is tried after all", function(t)
  local first, second = breakable(t, "first"), breakable(t, "second")
  local gate = two(t, first, second, { eject = "60s" })
  first.broken = 500
  for _ = 1, 6 do t:equal(t:text(t:chat(gate, "r")), "second") end
  first.broken, second.broken = nil, 500
  local answer, record = ask(t, gate)
  t:equal(t:text(answer), "first")
  t:equal(#record.attempts, 2)
  t:equal(record.attempts[1].provider, "b")
  t:equal(record.attempts[2].provider, "a")
  t:equal(#record.skipped, 1)
end)

flow.case("when more than half of a route is out, nobody is", function(t)
  local ups, providers, targets = {}, {}, {}
  for i, name in ipairs { "a", "b", "c" } do
    ups[i] = breakable(t, name)
    providers[name] = t:provider(ups[i])
    targets[i] = name .. "/m"
  end
  local gate = t:gateway { providers = providers, routes = { r = { targets = targets } },
    health = { eject_after = 2, eject = "60s" } }
  ups[1].broken, ups[2].broken = 500, 500
  for _ = 1, 2 do t:equal(t:text(t:chat(gate, "r")), "c") end
  -- Two of three are out: the plan is as the config says.
  local answer, record = ask(t, gate)
  t:equal(t:text(answer), "c")
  t:equal(#record.attempts, 3)
  t:equal(#record.skipped, 0)
  ups[1].broken = nil
  t:equal(t:text((ask(t, gate))), "a")
end)

flow.case("a share of failures ejects though none are in a row", function(t)
  local count = 0
  local first = t:upstream { script = function(x)
    count = count + 1
    if count % 2 == 0 then return fails(500)(x) end
    x:serve "first"
  end }
  local gate = two(t, first, t:upstream { script = "second" },
    { error_share = 0.4, error_minimum = 10, window = "60s", eject = "60s" })
  for _ = 1, 20 do t:chat(gate, "r") end
  t:equal(count, 10, "requests until it was ejected")
end)

flow.case("a refused key is benched: its request goes on with another, and later ones do not try it",
  { threads = true }, function(t)
  local seen = {}
  local up = t:upstream { script = function(x)
    local key = x.request.headers.authorization:match "Bearer (.*)"
    seen[#seen + 1] = key
    if key:find "bad" then
      return x:reply(401, answers.openai_error("Incorrect API key provided: " .. key, "invalid_request_error"))
    elseif key:find "poor" then
      return x:reply(429, answers.openai_error("You exceeded your current quota", "insufficient_quota"))
    end
    x:serve "ok"
  end }
  local provider = t:provider(up)
  provider.keys = { flow.env("KEY_BAD", "sk-canary7Q-bad"), flow.env("KEY_POOR", "sk-canary7Q-poor"),
    flow.env("KEY_GOOD", "sk-canary7Q-good") }
  local gate = t:gateway { providers = { up = provider }, routes = { r = { targets = { "up/m" } } } }
  local answer, record = ask(t, gate)
  t:equal(t:text(answer), "ok")
  t:equal(#record.attempts, 3, "attempts of the first request")
  t:equal(record.fallback_used, false)
  for _ = 1, 9 do t:equal(t:text((ask(t, gate))), "ok") end
  t:equal(#seen, 12, "calls")
  t:equal(metric(gate, 'moongate_key_benched{provider="up",key="env KEY_BAD"}'), 1)
  t:equal(metric(gate, 'moongate_key_benched{provider="up",key="env KEY_POOR"}'), 1)
  t:equal(metric(gate, 'moongate_key_benched{provider="up",key="env KEY_GOOD"}'), 0)
  t:equal(metric(gate, 'moongate_target_ejected{provider="up",model="m"}'), 0)
  t:equal(metric(gate, 'moongate_provider_availability_ratio{provider="up",window="5m"}'), 1)
  -- The state is the key's, not the generation's.
  local config = gate.config
  config.routes.second = { targets = { "up/m2" } }
  gate:write_config(config)
  t:equal(gate:admin("POST", "/reload").status, 200)
  for _ = 1, 4 do t:equal(t:text((ask(t, gate, "second"))), "ok") end
  t:equal(#seen, 16, "calls after the reload")
  t:absent(gate:metrics() .. gate:admin("GET", "/status").body .. gate.process:errors(), "canary7Q")
end)

flow.case("a benched key has its turn again, and a provider without any is passed over", function(t)
  local function refusing(key_bench)
    local first = t:upstream { script = function(x)
      if x.upstream.refuses then return x:reply(401, answers.openai_error "no") end
      x:serve "first"
    end }
    first.refuses = true
    local gate = two(t, first, t:upstream { script = "second" }, { key_bench = key_bench })
    local answer, record = ask(t, gate)
    t:equal(t:text(answer), "second")
    t:equal(#record.attempts, 2)
    return gate, first
  end
  local gate, first = refusing "60s"
  local answer, record = ask(t, gate)
  t:equal(t:text(answer), "second")
  t:equal(#record.attempts, 1)
  t:equal(record.skipped[1].why, "keys_benched")
  t:equal(#first.requests, 1)

  gate, first = refusing "300ms"
  first.refuses = false
  t:until_true(10, function() return t:text((ask(t, gate))) == "first" end, "its turn")
  t:equal(metric(gate, 'moongate_key_benchings_total{provider="a",key="env FLOW_KEY_3"}'), 1)
end)

flow.case("a model that a good key may not use costs the provider nothing else", function(t)
  local up = t:upstream { script = function(x)
    if x:json().model == "secret" then return x:reply(403, answers.openai_error "no access to this model") end
    x:serve "ok"
  end }
  local gate = t:gateway { providers = { a = t:provider(up) }, routes = { r = { targets = { "a/secret", "a/open" } } } }
  t:equal(t:text((ask(t, gate, "a/open"))), "ok")
  for _ = 1, 10 do t:equal(t:text((ask(t, gate))), "ok") end
  t:equal(#up.requests, 1 + 5 * 2 + 5, "the forbidden one is left out after five")
  t:equal(metric(gate, 'moongate_key_benched{provider="a",key="env FLOW_KEY_1"}'), 0)
  t:equal(metric(gate, 'moongate_target_ejected{provider="a",model="open"}'), 0)
end)

flow.case("clients that leave, and their own mistakes, never count", { threads = true }, function(t)
  local first = t:upstream { script = function(x)
    if x:json().model == "slow" then
      x:wait_closed(20)
      x.last = true
    elseif x:json().user == "mistaken" then
      x:reply(400, answers.openai_error("your fault", "invalid_request_error"))
    else
      x:serve "first"
    end
  end }
  local gate = t:gateway {
    providers = { a = t:provider(first), b = t:provider(t:upstream { script = "second" }) },
    routes = { r = { targets = { "a/m", "b/m" } }, s = { targets = { "a/slow", "b/m" } } },
    health = { eject_after = 1, error_share = 0.01, error_minimum = 1 },
  }
  for i = 1, 6 do
    local conn = t:client(gate)
    conn:send(t:chat_text("s", { stream = i % 2 == 0 }))
    t:until_true(5, function() return #first.requests == i end)
    conn:close()
  end
  gate:traces(6)
  for _ = 1, 6 do t:equal(t:chat(gate, "r", { fields = { user = "mistaken" } }).status, 400) end
  local _, record = ask(t, gate, "r")
  t:equal(record.provider_chosen, "a")
  t:equal(#record.skipped, 0)
  for _, model in ipairs { "m", "slow" } do
    t:equal(metric(gate, ('moongate_target_ejections_total{provider="a",model="%s"}'):format(model)), 0)
  end
  t:equal(metric(gate, 'moongate_provider_availability_ratio{provider="a",window="5m"}'), 1)
  t:equal(metric(gate, 'moongate_provider_window_attempts{provider="a",window="5m"}'), 1)
end)

flow.case("availability stands in metrics, status and before policies", { threads = true }, function(t)
  local first, second = breakable(t, "first"), breakable(t, "second")
  proc.write_file(t.dir .. "/look.lua", [[
    local P = { api = 1 }
    function P.setup() return { targets = gw.targets() } end
    function P:route()
      local one, two = self.targets[1], self.targets[2]
      gw.count("healthy_" .. (one.healthy and "yes" or "no"))
      if one.ejected_for_ms > 0 then gw.count "waits" end
      if one.availability then gw.count("availability_" .. (one.availability * 100 // 1 | 0)) end
      if two.wait_ms then gw.count "second_is_known" end
      return self.targets
    end
    return P
  ]])
  local gate = two(t, first, second, { eject_after = 4, eject = "60s" },
    { routes = { r = { policy = "look.lua", targets = { "a/m", "b/m" } } } })
  for _ = 1, 4 do t:equal(t:text(t:chat(gate, "r")), "first") end
  first.broken = 500
  for _ = 1, 5 do t:equal(t:text(t:chat(gate, "r")), "second") end
  gate:traces(9)
  t:equal(metric(gate, 'moongate_provider_availability_ratio{provider="a",window="5m"}'), 0.5)
  t:equal(metric(gate, 'moongate_provider_availability_ratio{provider="a",window="1h"}'), 0.5)
  t:equal(metric(gate, 'moongate_provider_availability_ratio{provider="a",window="24h"}'), 0.5)
  t:equal(metric(gate, 'moongate_provider_window_attempts{provider="a",window="24h"}'), 8)
  t:equal(metric(gate, 'moongate_script_count_total{name="healthy_yes"}'), 8)
  t:equal(metric(gate, 'moongate_script_count_total{name="healthy_no"}'), 1)
  t:equal(metric(gate, 'moongate_script_count_total{name="waits"}'), 1)
  t:equal(metric(gate, 'moongate_script_count_total{name="availability_100"}'), 4)
  t:equal(metric(gate, 'moongate_script_count_total{name="availability_50"}'), 1)
  t:equal(metric(gate, 'moongate_script_count_total{name="second_is_known"}'), 4)
  local status = json.decode(gate:admin("GET", "/status").body)
  local by_name = {}
  for _, row in ipairs(status.providers) do by_name[row.name] = row end
  for _, row in ipairs(status.targets) do by_name[row.name] = row end
  t:equal(by_name.a.availability["5m"].share, 0.5)
  t:equal(by_name.a.availability["1h"].attempts, 8)
  t:equal(by_name.a.keys[1].benched, false)
  t:equal(by_name["a/m"].ejected, true)
  t:check(by_name["a/m"].ejected_for_ms > 0)
  t:equal(by_name["b/m"].ejected, false)
  -- A reload changes nothing of it.
  local config = gate.config
  config.drain = "10s"
  gate:write_config(config)
  t:equal(gate:admin("POST", "/reload").status, 200)
  local _, record = ask(t, gate)
  t:equal(#record.skipped, 1)
end)

flow.case("active checks leave a provider out and bring it back", { threads = true }, function(t)
  local checks = 0
  local first = t:upstream { script = function(x)
    if x.request.method ~= "GET" then return x:serve "first" end
    checks = checks + 1
    t:equal(x.request.target, "/v1/models")
    t:match(x.request.headers.authorization, "^Bearer ")
    if x.upstream.broken then return x:reply(503, "no") end
    x:reply(x.upstream.refuses and 401 or 200, "{}")
  end }
  local second = t:upstream { script = function(x)
    if x.request.method == "GET" then t:fail "a provider without checks was checked" end
    x:serve "second"
  end }
  local a = t:provider(first)
  a.health = { active = { every = "1s", timeout = "20s" } }
  local gate = t:gateway { workers = 2, providers = { a = a, b = t:provider(second) },
    routes = { r = { targets = { "a/m", "b/m" } } } }
  t:until_true(5, function() return checks >= 1 end)
  first.refuses = true -- the key is no matter of theirs
  t:until_true(5, function() return checks >= 2 end)
  t:equal(t:text(t:chat(gate, "r")), "first")
  first.broken = true
  t:until_true(10, function() return metric(gate, 'moongate_provider_checks_fail{provider="a"}') == 1 end)
  local answer, record = ask(t, gate)
  t:equal(t:text(answer), "second")
  t:equal(record.skipped[1].why, "checks_fail")
  first.broken = nil
  t:until_true(10, function() return metric(gate, 'moongate_provider_checks_fail{provider="a"}') == 0 end)
  t:equal(t:text(t:chat(gate, "r")), "first")
  t:check(metric(gate, 'moongate_provider_checks_total{provider="a",result="failed"}') >= 2)
  -- A config without them ends them, and what they had found.
  first.broken = true
  t:until_true(10, function() return metric(gate, 'moongate_provider_checks_fail{provider="a"}') == 1 end)
  local config = gate.config
  config.providers.a.health = nil
  gate:write_config(config)
  t:equal(gate:admin("POST", "/reload").status, 200)
  t:until_true(5, function() return metric(gate, 'moongate_provider_checks_fail{provider="a"}') == 0 end)
  t:until_true(10, function() -- one may be on its way
    local before = checks
    t:sleep(1.5)
    return checks == before
  end, "no more checks after the reload")
end)

flow.case("least_loaded keeps away from a slow target, and from one that is out", function(t)
  local slow = t:upstream { script = function(x)
    t:sleep(1)
    x:serve "slow"
  end }
  local failing, fast = breakable(t, "failing"), breakable(t, "fast")
  failing.broken = 500
  local gate = t:gateway {
    providers = { slow = t:provider(slow), failing = t:provider(failing), fast = t:provider(fast) },
    routes = { r = { policy = "least_loaded", targets = { "slow/m", "failing/m", "fast/m" } } },
    health = { eject_after = 2, eject = "60s" },
  }
  for _ = 1, 40 do t:equal(t:chat(gate, "r").status, 200) end
  t:check(#slow.requests <= 4, "requests to the slow one: " .. #slow.requests)
  t:check(#failing.requests <= 3, "requests to the failing one: " .. #failing.requests)
  t:check(#fast.requests >= 34, "requests to the fast one: " .. #fast.requests)
end)
