-- Under which names a loss of the table is listed for clients: what a translation of its sample says
-- (lua/gw/samples.lua).
-- The table itself does not come from here: it is what dialect files declare.

local losses = require("gw.losses")
local samples = require("gw.samples")

local json = gw.json

local M = {}

local function added(with, without)
  local known, out = {}, json.array({})
  for _, name in ipairs(without) do known[name] = true end
  for _, name in ipairs(with) do
    if not known[name] then out[#out + 1] = name end
  end
  return out
end

local function decoded(dialect, body)
  return json.decode(json.encode(body), { raw = dialect.raw_keys })
end

local function of_request(client, provider, name)
  local entry = losses.entry(client.carries, name)
  local lists = {}
  for i, request in ipairs({ samples.request(name, client.name) }) do
    local body = client.request_from_normal(request, { model = "m", provider = "p", quirks = entry.quirk or {} }, {})
    local read = client.request_to_normal(decoded(client, body), {}, { model = "m", stream = false })
    lists[i] = {}
    provider.request_from_normal(read, { model = "m", provider = "p", quirks = {} }, lists[i])
  end
  return added(lists[2], lists[1])
end

local function of_answer(client, provider, name)
  local lists = {}
  for i, answer in ipairs({ samples.answer(name, provider.name) }) do
    local body = provider.response_from_normal(answer, { model = "pm", losses = {} })
    lists[i] = {}
    client.response_from_normal(provider.response_to_normal(decoded(provider, body), {}),
      { model = "alias", losses = lists[i] })
  end
  return added(lists[2], lists[1])
end

-- The names, as a list; nil where the row is no loss, or where no sample says it.
function M.names(client, provider, row)
  if row.verdict ~= "lost" and row.verdict ~= "changed" or not losses.is_declared(row) then return nil end
  local is_told, names = pcall(row.side == "request" and of_request or of_answer, client, provider, row.name)
  return is_told and #names > 0 and names or nil
end

-- Every row as JSON, those that lose nothing included.
function M.json(dialects)
  local by_name, rows = {}, json.array({})
  for _, dialect in ipairs(dialects) do by_name[dialect.name] = dialect end
  for i, row in ipairs(losses.rows(dialects)) do
    rows[i] = { client = row.client, provider = row.provider, side = row.side, field = row.name, verdict = row.verdict,
      note = row.note, quirk = row.quirk, listed = row.verdict == "lost" or row.verdict == "changed",
      listed_as = M.names(by_name[row.client], by_name[row.provider], row) }
  end
  return json.encode({ version = 1, rows = rows }) .. "\n"
end

return M
