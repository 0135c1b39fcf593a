-- The policy on targets made up, and in a simulation of four servers: what LB-1 of load balancing asks for.
local testing = require("gw.testing")

local function policy_of(targets)
  return testing.policy("policies/least_loaded.lua", { targets = targets })
end

-- How often each target came first in n requests.
local function firsts(policy, n)
  local count = {}
  for _ = 1, n do
    local first = policy:route({})[1]
    count[first] = (count[first] or 0) + 1
  end
  return count
end

describe("least_loaded", function()
  it("gives each target once, whichever comes first", function()
    local policy = policy_of { "a/one", "b/two", "c/three" }
    for _ = 1, 50 do
      local plan = policy:route {}
      assert.equal(3, #plan)
      table.sort(plan)
      assert.same({ "a/one", "b/two", "c/three" }, plan)
    end
    assert.same({ "a/one" }, policy_of({ "a/one" }):route {})
  end)

  it("prefers less in flight, and less to wait for", function()
    local busy = testing.target("a/busy", { in_flight = 9, wait_ms = 100 })
    local free = testing.target("b/free", { in_flight = 1, wait_ms = 100 })
    assert.same({ ["b/free"] = 100 }, firsts(policy_of { busy, free }, 100))
    free.wait_ms = 1000
    assert.same({ ["a/busy"] = 100 }, firsts(policy_of { busy, free }, 100))
  end)

  it("tries what is not known with one request at a time", function()
    local new = testing.target("a/new")
    local known = testing.target("b/known", { wait_ms = 100, in_flight = 3 })
    local policy = policy_of { new, known }
    assert.same({ ["a/new"] = 20 }, firsts(policy, 20))
    new.in_flight = 1
    assert.same({ ["b/known"] = 20 }, firsts(policy, 20))
  end)

  it("does not take failing at once for being fast", function()
    local failing = testing.target("a/failing", { wait_ms = 1, error_rate = 1 })
    local slow = testing.target("b/slow", { wait_ms = 5000 })
    assert.same({ ["b/slow"] = 50 }, firsts(policy_of { failing, slow }, 50))
  end)

  it("draws only the healthy ones, and gives all when none is", function()
    local out = testing.target("a/out", { healthy = false, wait_ms = 1 })
    local one = testing.target("b/one", { wait_ms = 50 })
    local two = testing.target("c/two", { wait_ms = 50 })
    local policy = policy_of { out, one, two }
    local count = firsts(policy, 300)
    assert.is_nil(count["a/out"])
    assert.is_true(count["b/one"] > 0)
    assert.equal("a/out", policy:route({})[3])
    two.healthy = false
    assert.same({ "b/one", "a/out", "c/two" }, policy:route {})
    one.healthy = false
    assert.same({ "a/out", "b/one", "c/two" }, policy:route {})
  end)
end)

-- ---- the simulation: Poisson arrivals, servers with a mean time and nothing else to limit them. `wait_ms` is kept as
-- core/gate/attempt/target.c keeps it (target_record_wait, target_wait_us).

local function fading(seconds)
  local x = seconds / 10
  return 1 / (1 + x + x * x / 2 + x ^ 3 / 6)
end

-- choose(targets): the target to ask. mean_ms(i, now): of server i. Returns a list of { at=, server=, ms= }.
local function simulate(seconds, per_second, mean_ms, choose)
  local targets, seen, running, done, now = {}, {}, {}, {}, 0.0
  for i = 1, 4 do
    targets[i] = testing.target("s" .. i .. "/m")
    seen[i] = { ms = 0, at = 0 }
  end
  local function refresh()
    for i, target in ipairs(targets) do
      target.wait_ms = seen[i].ms > 0 and seen[i].ms * fading(now - seen[i].at) or nil
    end
  end
  local policy_choice = choose(targets)
  while now < seconds do
    now = now - math.log(1 - math.random()) / per_second
    table.sort(running, function(a, b) return a.ends < b.ends end)
    while running[1] and running[1].ends <= now do
      local over = table.remove(running, 1)
      local i, ended = over.server, over.ends
      local left = fading(ended - seen[i].at)
      local old = seen[i].ms * left
      seen[i].ms = over.ms < old and old * left + over.ms * (1 - left) or over.ms
      seen[i].at = ended
      targets[i].in_flight = targets[i].in_flight - 1
    end
    refresh()
    local i = policy_choice()
    local ms = mean_ms(i, now) * (0.5 + math.random())
    targets[i].in_flight = targets[i].in_flight + 1
    running[#running + 1] = { server = i, ms = ms, ends = now + ms / 1000 }
    done[#done + 1] = { at = now, server = i, ms = ms }
  end
  return done
end

local function least_loaded(targets)
  local policy = policy_of(targets)
  return function() return tonumber(policy:route({})[1]:match "%d") end
end

local function round_robin()
  local turn = 0
  return function()
    turn = turn % 4 + 1
    return turn
  end
end

local function share(done, server, from, to)
  local all, its = 0, 0
  for _, one in ipairs(done) do
    if one.at >= from and one.at < to then
      all = all + 1
      if one.server == server then its = its + 1 end
    end
  end
  return its / all
end

local function p99(done, from)
  local list = {}
  for _, one in ipairs(done) do
    if one.at >= from then list[#list + 1] = one.ms end
  end
  table.sort(list)
  return list[#list * 99 // 100]
end

describe("least_loaded among four servers", function()
  local function sick(i, now) return i == 1 and now >= 20 and now < 60 and 2000 or 200 end

  for seed = 1, 3 do
    it("keeps away from one that is ten times slower, and comes back when it is well (seed " .. seed .. ")", function()
      math.randomseed(seed)
      local done = simulate(120, 50, sick, least_loaded)
      assert.is_true(math.abs(share(done, 1, 5, 20) - 0.25) < 0.08, "share while well: " .. share(done, 1, 5, 20))
      assert.is_true(share(done, 1, 30, 60) < 0.05, "share while slow: " .. share(done, 1, 30, 60))
      assert.is_true(share(done, 1, 90, 120) > 0.15, "share 30 s after: " .. share(done, 1, 90, 120))
    end)
  end

  it("has a far shorter tail than taking turns", function()
    math.randomseed(4)
    local function slow(i) return i == 1 and 2000 or 200 end
    local ours, turns = p99(simulate(60, 50, slow, least_loaded), 10), p99(simulate(60, 50, slow, round_robin), 10)
    assert.is_true(ours * 3 < turns, ours .. " ms and " .. turns .. " ms")
  end)
end)
