-- The loss table against what translations do: for every pair and name a body that says it is made, translated, and the
-- list of losses must name it if and only if the table says so; what is kept must arrive.

local dialects = dofile("tests/lua/conformance/dialects.lua")
local bodies = dofile("tests/lua/conformance/bodies.lua")
local losses_of = dialects.load.module("gw.losses")
local samples = dialects.load.module("gw.samples")
local json = dialects.json

local function shown(list) return "{ " .. table.concat(list, ", ") .. " }" end

-- Names in `with` that are not in `without`.
local function added(with, without)
  local known, out = {}, {}
  for _, name in ipairs(without) do known[name] = true end
  for _, name in ipairs(with) do
    if not known[name] then out[#out + 1] = name end
  end
  return out
end

-- What a client of the dialect sends for a request in the normal form, as the dialect reads it.
local function said(client, request, quirks, change)
  local body = client.request_from_normal(request, { model = "m", provider = "p", quirks = quirks or {} }, {})
  if change then change(body) end
  local read = client.request_to_normal(dialects.decode(client, body), {}, { model = "m", stream = false })
  read.dialect = client.name
  return read
end

-- The provider's body as the provider would read it, and the losses; or nil and the refusal.
local function asked(provider, request, quirks)
  local lost = {}
  local ok, body = pcall(provider.request_from_normal, request, { model = "m", provider = "p", quirks = quirks or {} },
    lost)
  if not ok then
    if type(body) ~= "table" or not body.field then error(body, 0) end
    return nil, body
  end
  return provider.request_to_normal(dialects.decode(provider, body), {}, { model = "m", stream = false }), lost
end

local function check_request(client, provider, name, row, quirks)
  local entry = losses_of.entry(client.carries, name)
  local change = bodies[client.name] and bodies[client.name][name]
  local without, with = samples.request(name, client.name)
  local read_without = said(client, without, entry.quirk)
  local read_with = said(client, change and samples.request(name, client.name) or with, entry.quirk, change)
  local value = samples.seen(name, read_with)
  assert(value, client.name .. " cannot say " .. name .. ", but its entry says so")
  if not change and entry.verdict ~= "renamed" then
    assert(dialects.same(value, samples.seen(name, with)), client.name .. " says " .. name .. " as "
      .. json.encode({ value }) .. "; a body that says it exactly belongs into bodies.lua")
  end
  local _, base = asked(provider, read_without, quirks)
  local arrived, lost = asked(provider, read_with, quirks)
  local verdict = quirks and "kept" or row.verdict
  if verdict == "refused" then
    assert(arrived == nil, "was not refused")
    return
  end
  assert(arrived, "was refused: " .. tostring(lost.field) .. " " .. tostring(lost.message))
  assert(base.field == nil, "the request without it was refused: " .. tostring(base.message))
  local new = added(lost, base)
  if verdict == "lost" or verdict == "changed" then
    assert(#new > 0, verdict .. ", but no loss is listed")
  else
    assert(#new == 0, verdict .. ", but listed as " .. shown(new))
  end
  local seen = samples.seen(name, arrived)
  local own = losses_of.entry(provider.carries, name)
  if verdict == "kept" and own.read then
    assert(dialects.same(seen, value), "kept, but arrives as " .. json.encode({ seen }) .. " and not as "
      .. json.encode({ value }))
  elseif verdict == "lost" then
    assert(not dialects.same(seen, value), "lost, but arrives")
  end
end

----- answers

local function unchanged(text) return text end

local function told_by(provider, answer, change)
  local body = json.encode(provider.response_from_normal(answer, { model = "pm", losses = {} }))
  return provider.response_to_normal(dialects.decode(provider, change(body)), {})
end

local function told_to(client, answer)
  local lost = {}
  local body = client.response_from_normal(answer, { model = "alias", losses = lost })
  return client.response_to_normal(dialects.decode(client, body), {}), lost
end

local function written(dialect, events, lost)
  local asks = { model = "alias", stream = true, stream_usage = true, framing = "sse", losses = lost }
  local pieces, writer = {}, dialect.writer(asks)
  local function put(text) pieces[#pieces + 1] = text end
  for _, event in ipairs(events) do writer:event(event, put) end
  writer:finish(put)
  return dialects.events(dialect, table.concat(pieces))
end

local function read(dialect, wire)
  local events = {}
  local function keep(event)
    local copy = {}
    for key, value in pairs(event) do copy[key] = value end
    events[#events + 1] = copy
  end
  local reader = dialect.reader({ model = "m", quirks = {} })
  for _, event in ipairs(wire) do reader:event(event.name or "", event.data, keep) end
  reader:finish(keep)
  return events
end

local function stream_losses(client, provider, answer, change)
  local lost = {}
  local wire = written(provider, samples.events(answer), {})
  for _, event in ipairs(wire) do event.data = change(event.data) end
  local events = read(provider, wire)
  assert(events[#events].type == "end", "the provider's stream does not end: " .. json.encode(events[#events]))
  local client_events = read(client, written(client, events, lost))
  assert(client_events[#client_events].type == "end", "the client's stream does not end")
  return lost
end

local function check_answer(client, provider, name, row)
  local without, with = samples.answer(name, provider.name)
  local change = bodies.answers[provider.name] and bodies.answers[provider.name][name] or unchanged
  local read_without, read_with = told_by(provider, without, unchanged), told_by(provider, with, change)
  local value = samples.seen_in_answer(name, read_with)
  assert(value, provider.name .. " cannot say " .. name .. ", but its entry says so")
  local _, base = told_to(client, read_without)
  local arrived, lost = told_to(client, read_with)
  local new = added(lost, base)
  local stream_new = added(stream_losses(client, provider, with, change),
    stream_losses(client, provider, without, unchanged))
  if row.verdict == "lost" or row.verdict == "changed" then
    assert(#new > 0, row.verdict .. ", but no loss is listed")
    assert(#stream_new > 0, row.verdict .. ", but no loss of a stream is listed")
  else
    assert(#new == 0, row.verdict .. ", but listed as " .. shown(new))
    assert(#stream_new == 0, row.verdict .. ", but in a stream listed as " .. shown(stream_new))
  end
  local own = losses_of.entry(client.carries, name)
  if row.verdict == "kept" and own.read then
    local seen = samples.seen_in_answer(name, arrived)
    assert(dialects.same(seen, value), "kept, but arrives as " .. json.encode({ seen }) .. " and not as "
      .. json.encode({ value }))
  elseif row.verdict == "lost" then
    assert(not dialects.same(samples.seen_in_answer(name, arrived), value), "lost, but arrives")
  end
end

----- what no other dialect takes

local foreign = {}

foreign["extra"] = function(_, request) request.extra = { x_unknown = "v" } end

foreign["tools(server)"] = function(client, request)
  request.tools = request.tools or {}
  table.insert(request.tools, { kind = "server", name = "web_search", dialect = client.name,
    body = { type = "web_search" } })
end

foreign["part.opaque"] = function(client, request)
  table.insert(request.messages[1].parts, { type = "opaque", kind = "odd", dialect = client.name,
    body = { type = "odd" }, at = "messages[0].content[1]" })
end

foreign["part.file_id"] = function(client, request)
  table.insert(request.messages[1].parts, { type = "image", file_id = "file-1", dialect = client.name,
    at = "messages[0].content[1]" })
end

local function check_foreign(client, provider, row)
  local without = samples.request("temperature", client.name)
  local with = samples.request("temperature", client.name)
  foreign[row.name](client, with)
  local _, base = asked(provider, without)
  local arrived, lost = asked(provider, with)
  if row.verdict == "refused" then
    assert(arrived == nil, "was not refused")
  else
    assert(arrived, "was refused")
    assert(#added(lost, base) > 0, "no loss is listed")
  end
end

local function check_foreign_answer(client, provider)
  local answer = samples.answer("answer.text", provider.name)
  table.insert(answer.choices[1].parts, { type = "opaque", kind = "odd", dialect = provider.name,
    body = { type = "odd" } })
  local _, lost = told_to(client, answer)
  assert(#lost > 0, "no loss is listed")
end

local function no_error(check, ...)
  local ok, err = pcall(check, ...)
  if not ok then error(type(err) == "table" and json.encode(err) or tostring(err), 0) end
end

describe("the loss table", function()
  for _, dialect in ipairs(dialects.list) do
    it("has an entry for every name in " .. dialect.name, function()
      assert.are.same({}, losses_of.mistakes(dialect))
    end)
  end

  it("tells of entries that are missing, unknown or of no known shape", function()
    local carries = {}
    for name, entry in pairs(dialects.list[1].carries) do carries[name] = entry end
    carries.seed, carries.sede, carries.top_p, carries.n = nil, true, 5, nil
    carries.stop = { true, raed = false }
    assert.are.same({ 'x: carries["sede"] is not a name of lua/gw/losses.lua', 'x: carries["seed"] is missing',
      'x: carries["stop"] has an unknown key raed',
      'x: carries["top_p"] is not true, false, a text, or a table of such' },
      losses_of.mistakes({ name = "x", carries = carries }))
    assert.are.same({ "x: has no carries" }, losses_of.mistakes({ name = "x" }))
  end)

  it("says of a pair what the client says and the provider takes, with the quirk that helps", function()
    local a = { name = "a", carries = { temperature = true, top_k = true, seed = false, ["answer.text"] = true } }
    local b = { name = "b", carries = { temperature = "clamped", top_k = { false, read = true, quirk = { k = 1 } },
      seed = true, ["answer.text"] = { as = "words" } } }
    local found = {}
    for _, row in ipairs(losses_of.rows({ a, b })) do
      if losses_of.is_declared(row) then
        found[#found + 1] = row.client .. ">" .. row.provider .. " " .. row.name .. " " .. row.verdict
          .. (row.with_quirk and " " .. row.with_quirk or "")
      end
    end
    assert.are.same({ "a>b temperature changed", "a>b top_k lost kept with quirks.k = 1", "a>b answer.text kept",
      "b>a temperature kept", "b>a top_k kept", "b>a seed lost", "b>a answer.text renamed" }, found)
  end)

  it("has a sample for every name", function()
    for _, row in ipairs(losses_of.request) do samples.request(row[1], "openai.chat") end
    for _, row in ipairs(losses_of.answer) do samples.answer(row[1], "openai.chat") end
  end)

  local declared = {}
  for _, dialect in ipairs(dialects.list) do
    if dialect.carries then declared[#declared + 1] = dialect end
  end
  for _, row in ipairs(losses_of.rows(declared)) do
    if not losses_of.is_declared(row) then
      local client, provider = dialects.by_name[row.client], dialects.by_name[row.provider]
      local check = row.side == "answer" and check_foreign_answer or check_foreign
      it(row.client .. " → " .. row.provider .. ": " .. row.name .. " is " .. row.verdict, function()
        no_error(check, client, provider, row)
      end)
    end
    if losses_of.is_declared(row) then
      local client, provider = dialects.by_name[row.client], dialects.by_name[row.provider]
      local title = row.client .. " → " .. row.provider .. ": " .. row.name
      local check = row.side == "request" and check_request or check_answer
      it(title .. " is " .. row.verdict, function() no_error(check, client, provider, row.name, row) end)
      if row.quirk and row.side == "request" then
        it(title .. " is kept by a quirk", function() no_error(check, client, provider, row.name, row, row.quirk) end)
      end
    end
  end
end)
