-- team_pools: each team gets the pool of its own name; whoever has none is refused.
-- Route: { policy = "team_pools.lua", pools = { search = {…} }, options = { teams = { "search" } } }.
local P = { api = 1 }

P.options = {
  teams = { type = "list", default = {}, doc = "the teams, each with a pool of its name" },
}

function P.setup(opts)
  local pools = {}
  for _, team in ipairs(opts.teams) do pools[team] = gw.pool(team) end
  return { pools = pools }
end

function P:route(req)
  local pool = self.pools[req.team]
  if pool then return pool end
  return gw.refuse(403, "Team " .. (req.team or "none") .. " has no models on this route.", "team_without_pool")
end

P.examples = {
  { req = { team = "a team that nobody has" }, refuses = 403 },
  { req = {}, refuses = 403 },
}

return P
