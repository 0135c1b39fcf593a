-- sticky: requests of the same key always begin with the same target, so that its prompt cache stays warm.
-- Route: { policy = "sticky.lua", targets = {…}, options = { header = "x-session" } }.
local P = { api = 1 }

P.options = {
  header = { type = "string", default = "", doc = "stick to this header of the client instead of its key" },
}

-- orders[i]: all targets, beginning with the i-th and going round.
function P.setup(opts)
  local targets, orders = gw.targets(), {}
  for first = 1, #targets do
    orders[first] = {}
    for i = 1, #targets do orders[first][i] = targets[(first + i - 2) % #targets + 1] end
  end
  return { orders = orders, header = opts.header ~= "" and opts.header }
end

function P:route(req)
  local name = self.header and req:header(self.header) or req.key_name
  if not name then return end -- nothing to stick to: the order of the config
  return self.orders[tonumber(gw.hash(name, 8), 16) % #self.orders + 1]
end

P.examples = {
  { req = {}, gives = {} },
}

return P
