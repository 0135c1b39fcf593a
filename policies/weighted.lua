-- Spreads requests over the route's targets by their weights; the others follow as fallbacks, in the config's order.
-- Smooth: of weights 5, 1, 1 it makes a b a c a a a and not a a a a a b c (the way nginx balances its upstreams).
-- It counts per worker, so shares hold within a worker's requests; a target of weight 0 is only a fallback.
local P = { api = 1, doc = "targets by weight, the others as fallbacks" }

function P.setup()
  local targets, weights, current, total = gw.targets(), {}, {}, 0
  for i, target in ipairs(targets) do
    weights[i] = target.weight
    current[i] = 0
    total = total + weights[i]
  end
  if total <= 0 then error("at least one target needs a weight above 0") end
  -- For each target the list that begins with it, made once: a request then only chooses one.
  local plans = {}
  for i in ipairs(targets) do
    plans[i] = { targets[i] }
    for k in ipairs(targets) do
      if k ~= i then plans[i][#plans[i] + 1] = targets[k] end
    end
  end
  return { plans = plans, weights = weights, current = current, total = total, count = #targets }
end

function P:route()
  local weights, current, best = self.weights, self.current, 1
  for i = 1, self.count do
    current[i] = current[i] + weights[i]
    if current[i] > current[best] then best = i end
  end
  current[best] = current[best] - self.total
  return self.plans[best]
end

return P
