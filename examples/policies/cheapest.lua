-- cheapest: the target that costs least for this request comes first; targets without a price come last.
-- Route: { policy = "cheapest.lua", targets = {…} }. Prices are those of adapters/models/ and the config's `prices`.
local P = { api = 1 }

P.options = {
  answer_tokens = { type = "integer", default = 500, min = 1, doc = "of an answer that is asked for without a limit" },
}

function P.setup(opts)
  return { answer_tokens = opts.answer_tokens, order = gw.targets() }
end

-- A list of a few targets is nearly in order already: insertion sort makes no garbage and keeps equals where they were.
function P:route(req)
  local input, output = req.prompt_tokens, req.max_tokens or self.answer_tokens
  local function cost(target)
    local price = target.input_usd_per_mtok
    return price and price * input + target.output_usd_per_mtok * output or math.huge
  end
  local order = self.order
  for i = 2, #order do
    local target, at = order[i], i
    local mine = cost(target)
    while at > 1 and cost(order[at - 1]) > mine do
      order[at] = order[at - 1]
      at = at - 1
    end
    order[at] = target
  end
  return order
end

return P
