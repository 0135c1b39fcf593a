-- A value of the wrong kind in a client's request, at each place of a full body, every kind in turn: where the gateway
-- reads the field it refuses and names its path; where it does not, the body is carried to each of the other dialects.
-- Never does a script fail, and never is such a value passed on as if it were of the right kind.
-- The same in a provider's answer: each client gets an answer or 502, which another target may make good.

local dialects = dofile("tests/lua/conformance/dialects.lua")
local full = dofile("tests/lua/conformance/full.lua")
local full_answers = dofile("tests/lua/conformance/full_answers.lua")
local json, load = dialects.json, dialects.load

local wrong = { 7, "x", true, json.array({}), {} }

local function kind_of(v)
  local kind = type(v)
  if kind == "table" then return json.is_array(v) and "array" or "object" end
  return kind
end

local function copy(v)
  if type(v) ~= "table" or v == json.null then return v end
  local made = json.is_array(v) and json.array({}) or {}
  for key, inner in pairs(v) do made[key] = copy(inner) end
  return made
end

-- visit(path, holder, key, value) for everything within `v`, which it may change and must put back.
local function walk(v, path, visit)
  for key, inner in pairs(v) do
    local place = type(key) == "number" and path .. "[" .. (key - 1) .. "]" or path == "" and key or path .. "." .. key
    visit(place, v, key, inner)
    if type(inner) == "table" and inner ~= json.null then walk(inner, place, visit) end
  end
end

local function fits(list, path)
  for _, pattern in ipairs(list) do
    if path:find(pattern) then return true end
  end
  return false
end

-- Kinds that a place takes beside the one in the body.
local function is_taken(also, path, kind)
  for pattern, kinds in pairs(also) do
    if path:find(pattern) and kinds:find(kind, 1, true) then return true end
  end
  return false
end

-- What reading the body says: nil, or the error.
local function read(client, text)
  local body = assert(json.decode(text, { raw = client.raw_keys }))
  local is_read, err = pcall(client.request_to_normal, body, {}, { model = "m" })
  return not is_read and err or nil
end

local function carry(client, text)
  for _, provider in ipairs(dialects.list) do
    if provider.name ~= client.name then
      local target = { model = "anthropic.m", provider = "p", quirks = {} }
      local is_made, err = pcall(load.request, client, provider, nil, target, { model = "m" }, nil, text)
      if not is_made and type(err) ~= "table" then return provider.name .. ": " .. tostring(err) end
    end
  end
  return nil
end

for _, case in ipairs(full) do
  local client = dialects.by_name[case.dialect]

  it("the full body is carried to everybody: " .. case.dialect, function()
    for _, provider in ipairs(dialects.list) do
      local target = { model = "anthropic.m", provider = "p", quirks = { document_url = true, file_urls = true } }
      local _, _, losses = load.request(client, provider, nil, target, { model = "m" }, nil, case.body)
      assert.is_table(losses)
    end
  end)

  it("values of the wrong kind: " .. case.dialect, function()
    local body, tried, faults, carried = copy(assert(json.decode(case.body))), 0, {}, {}
    walk(body, "", function(path, holder, key, value)
      if fits(case.schemas, path) then return end
      local is_free = fits(case.free, path)
      for _, other in ipairs(wrong) do
        local kind = kind_of(other)
        if kind ~= kind_of(value) and value ~= json.null and not is_taken(case.also, path, kind) then
          holder[key] = other
          local text = json.encode(body)
          local err, shown = read(client, text), path .. " as " .. json.encode(other)
          local failed = not err and not carried[path] and carry(client, text)
          carried[path] = true
          if err and type(err) ~= "table" or failed then
            faults[#faults + 1] = shown .. ": " .. tostring(err or failed)
          elseif err and tostring(err.field):sub(1, #path) ~= path then
            faults[#faults + 1] = shown .. " is told as " .. tostring(err.field) .. " " .. err.message
          elseif not err and not is_free then
            faults[#faults + 1] = shown .. " is not refused"
          end
          tried = tried + 1
        end
      end
      holder[key] = value
    end)
    assert.are.equal("", table.concat(faults, "\n"))
    assert.is_true(tried > 200, "only " .. tried .. " bodies")
  end)
end

-- The statuses that are told, or the reason why a script failed.
local function tell(client, provider, text)
  local target = { model = "anthropic.m", provider = "p", quirks = {} }
  local hop = load.translate.hop(client, provider, nil, target, { model = "m", losses = {} })
  local is_told, status = pcall(load.translate.response, hop, 200, text)
  return is_told and (status == 200 or status == 502) and status or nil, status
end

for _, provider in ipairs(dialects.list) do
  it("answers with values of the wrong kind: " .. provider.name, function()
    local body, faults, told_count = copy(assert(json.decode(full_answers[provider.name]))), {}, 0
    for _, client in ipairs(dialects.list) do
      if client ~= provider then assert.are.equal(200, (tell(client, provider, json.encode(body)))) end
    end
    local turn = 0
    walk(body, "", function(path, holder, key, value)
      for _, other in ipairs { 7, "x", {}, json.null } do
        -- Each client in turn: all of them for each value would take long.
        turn = turn % #dialects.list + 1
        if dialects.list[turn] == provider then turn = turn % #dialects.list + 1 end
        local client = dialects.list[turn]
        holder[key] = other
        local status, why = tell(client, provider, json.encode(body))
        if not status then
          faults[#faults + 1] = ("%s as %s for %s: %s"):format(path, json.encode(other), client.name, tostring(why))
        end
        told_count = told_count + 1
      end
      holder[key] = value
    end)
    assert.are.equal("", table.concat(faults, "\n"))
    assert.is_true(told_count > 100)
  end)
end
