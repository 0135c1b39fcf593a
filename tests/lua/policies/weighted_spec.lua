local testing = require("gw.testing")

local function policy_of(weights)
  local targets = {}
  for i, weight in ipairs(weights) do targets[i] = testing.target("p/" .. string.char(96 + i), { weight = weight }) end
  return testing.policy("policies/weighted.lua", { targets = targets })
end

-- The first targets of n requests, as letters.
local function firsts(policy, n)
  local out = {}
  for i = 1, n do out[i] = policy:route({})[1]:sub(3) end
  return table.concat(out)
end

describe("weighted", function()
  it("keeps the shares exact in each round and spreads them within it", function()
    assert.equal("aabacaa", firsts(policy_of { 5, 1, 1 }, 7))
    assert.equal("abab", firsts(policy_of { 1, 1 }, 4))
  end)

  it("keeps fractions of weights over many requests", function()
    local count = {}
    for letter in firsts(policy_of { 0.5, 0.25, 1.25 }, 4000):gmatch(".") do
      count[letter] = (count[letter] or 0) + 1
    end
    assert.same({ a = 1000, b = 500, c = 2500 }, count)
  end)

  it("never begins with a weight of 0, but falls back to it", function()
    local policy = policy_of { 0, 1, 2 }
    for _ = 1, 20 do
      local plan = policy:route {}
      assert.not_equal("p/a", plan[1])
      assert.equal("p/a", plan[2])
      assert.equal(3, #plan)
    end
  end)

  it("refuses weights that are all 0", function()
    assert.has_error(function() policy_of { 0, 0 } end)
  end)
end)
