-- The route's targets in the order of the config; the next one is tried when an attempt fails before its first content.
-- It does not look at the request or at the targets' health.
local P = { api = 1, doc = "targets in the order of the config" }

function P.setup()
  return { targets = gw.targets() }
end

function P:route()
  return self.targets
end

return P
