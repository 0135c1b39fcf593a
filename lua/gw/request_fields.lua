-- Fields of a normal request that dialects send, or give up, by one rule: how many answers, sampling, stop texts and
-- who the user is. For the dialect files on the way out (request_from_normal).
-- Pure. It does not know how a field is called on the wire.

local parts = require("gw.parts")

local array = gw.json.array
local fail, lose = parts.fail, parts.lose

local M = {}

-- For a dialect that has one answer a request.
function M.refuse_choices(request)
  if request.n and request.n > 1 then fail("n", "is above 1; this provider gives one answer a request") end
end

local asks_nothing = { frequency_penalty = 0, presence_penalty = 0 }

-- These fields have no place: those that ask for something are losses, in this order.
function M.lose_each(request, names, losses)
  for _, name in ipairs(names) do
    local given = request[name]
    if given and given ~= asks_nothing[name] then lose(losses, name) end
  end
end

-- The stop texts, for providers that refuse blank ones; nil when none is left.
function M.stops(request, losses)
  local stops = array({})
  for _, text in ipairs(request.stop or {}) do
    if parts.is_blank(text) then lose(losses, "stop(blank)") else stops[#stops + 1] = text end
  end
  return #stops > 0 and stops or nil
end

-- Who the client's user is, for a provider that speaks `dialect`. An e-mail address is the client's secret, not
-- something to hand to another company.
function M.user(request, dialect, losses)
  local user = request.user
  if user and request.dialect ~= dialect and user:find("@", 1, true) then
    lose(losses, "user")
    return nil
  end
  return user
end

return M
