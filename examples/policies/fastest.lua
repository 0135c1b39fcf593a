-- fastest: the target with the shortest recent time to its first token comes first; those that fail often come last.
-- Route: { policy = "fastest.lua", targets = {…}, options = { error_limit = 0.3 } }.
local P = { api = 1 }

P.options = {
  error_limit = { type = "number", default = 0.3, min = 0, max = 1, doc = "a larger share of failures is often" },
  explore = { type = "number", default = 0.05, min = 0, max = 1, doc = "share of requests in the order of the config" },
}

function P.setup(opts)
  return { error_limit = opts.error_limit, explore = opts.explore, order = gw.targets() }
end

function P:route()
  -- Figures of a target that is never tried grow old: now and then the order of the config has its turn.
  if gw.random() < self.explore then return end
  local limit = self.error_limit
  local function wait_ms(target)
    if target.error_rate > limit then return math.huge end
    return target.ttft_ms or 0 -- not tried yet: worth a try
  end
  local order = self.order
  for i = 2, #order do
    local target, at = order[i], i
    local mine = wait_ms(target)
    while at > 1 and wait_ms(order[at - 1]) > mine do
      order[at] = order[at - 1]
      at = at - 1
    end
    order[at] = target
  end
  return order
end

return P
