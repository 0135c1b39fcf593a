-- retry_once: a target that was busy or lost the connection is asked once more, a moment later, before the next one is.
-- Route: { policy = "retry_once.lua", targets = {…}, options = { wait_ms = 50 } }.
local P = { api = 1 }

P.options = {
  wait_ms = { type = "integer", default = 50, min = 0, max = 90, doc = "the moment; a hook may wait 100 ms in all" },
}

local passing = { connect = true, reset = true, overloaded = true }

-- others[target]: all targets but that one.
function P.setup(opts)
  local targets, others = gw.targets(), {}
  for _, target in ipairs(targets) do
    others[target] = {}
    for _, other in ipairs(targets) do
      if other ~= target then table.insert(others[target], other) end
    end
  end
  return { wait_ms = opts.wait_ms, others = others }
end

function P.route() end -- returning nothing: the order of the config

function P:retry(_, attempt)
  if attempt.number > 1 or not passing[attempt.class] then return end
  gw.sleep(self.wait_ms)
  return attempt.target, self.others[attempt.target]
end

P.examples = {
  { req = {}, gives = {} },
}

return P
