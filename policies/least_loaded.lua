-- Of two targets drawn at random the one with less to do comes first: requests in flight times the time that it lately
-- let one wait for its first content (power of two choices over a peak average). It keeps away from what is slow and
-- does not run all at once to what is fast; the others follow as fallbacks, in the config's order.
-- Figures are those of all workers. It does not look at prices or at the request; weights do not matter to it.
local P = { api = 1, doc = "of two targets drawn at random the less loaded, the others as fallbacks" }

function P.setup()
  local targets = gw.targets()
  local count = #targets
  -- plans[first * count + second]: made once, so that a request only chooses one.
  local plans = {}
  for first = 1, count do
    for second = 1, count do
      local plan = { targets[first] }
      if second ~= first then plan[2] = targets[second] end
      for i = 1, count do
        if i ~= first and i ~= second then plan[#plan + 1] = targets[i] end
      end
      plans[first * count + second] = plan
    end
  end
  return { targets = targets, plans = plans, count = count }
end

-- What one more request would meet there.
local function load_of(target)
  local running, wait_ms = target.in_flight, target.wait_ms
  if not wait_ms then
    -- Not known: worth one try at a time.
    wait_ms = running > 0 and 1e9 or 1
  end
  local good = 1.01 - target.error_rate -- who fails at once is not fast
  return (running + 1) * wait_ms / (good * good)
end

-- The index of one of the healthy targets but `other`, drawn at random; nil when there is none.
local function draw(targets, count, other)
  local start = gw.random() * count // 1 | 0
  for step = 0, count - 1 do
    local i = (start + step) % count + 1
    if i ~= other and targets[i].healthy then return i end
  end
  return nil
end

function P:route()
  local targets, count = self.targets, self.count
  local one = draw(targets, count, nil)
  if not one then return targets end
  local two = draw(targets, count, one)
  if not two then return self.plans[one * count + one] end
  if load_of(targets[two]) < load_of(targets[one]) then one, two = two, one end
  return self.plans[one * count + two]
end

return P
