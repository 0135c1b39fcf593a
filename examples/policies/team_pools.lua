-- team_pools: each team gets its own pool; a team without one gets the default pool, or is refused.
-- Route: { policy = "team_pools.lua", pools = { search = {…}, default = {…} }, options = { teams = { "search" } } }.
local P = { api = 1 }

P.options = {
  teams = { type = "list", default = {}, doc = "teams that have a pool of their own name" },
  strict = { type = "boolean", default = false, doc = "refuse other teams instead of giving them the default pool" },
}

function P.setup(opts)
  local pools = {}
  for _, team in ipairs(opts.teams) do pools[team] = gw.pool(team) end
  return { pools = pools, default = not opts.strict and gw.pool("default") }
end

function P:route(req)
  local pool = self.pools[req.team] or self.default
  if pool then return pool end
  return gw.refuse(403, "Team " .. (req.team or "none") .. " has no models on this route.", "team_without_pool")
end

return P
