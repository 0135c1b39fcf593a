-- tiered: short prompts go to the small pool, long ones to the large pool, and the backup pool stands behind both.
-- Route: { policy = "tiered.lua", pools = { small = {…}, large = {…}, backup = {…} }, options = { limit = 2000 } }.
local P = { api = 1 }

P.options = {
  limit = { type = "integer", default = 2000, min = 1, doc = "prompts under this many tokens are short" },
}

function P.setup(opts)
  return { limit = opts.limit, small = gw.pool("small"), large = gw.pool("large"), backup = gw.pool("backup") }
end

function P:route(req)
  if req.prompt_tokens < self.limit then return self.small, self.backup end
  return self.large, self.backup
end

P.examples = {
  { req = { prompt_tokens = 10 }, gives = { "small", "backup" } },
  { req = { prompt_tokens = 9000 }, gives = { "large", "backup" } },
}

return P
