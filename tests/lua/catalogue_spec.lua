-- The catalogue that ships (adapters/models/*.lua): no tier and no step of a prompt's length makes free what costs
-- something without it. That the rows can be read at all is seen when a gateway starts.

local function rows()
  local pipe = assert(io.popen("ls adapters/models/*.lua"))
  local list = {}
  for path in pipe:lines() do
    for name, row in pairs(assert(loadfile(path))().models) do list[#list + 1] = { name = name, row = row } end
  end
  pipe:close()
  return list
end

local function is_free(prices, key) return prices[key] ~= nil and tonumber(prices[key]) == 0 end

-- Names of what costs nothing in `prices` and something in `base`.
local function made_free(base, prices, place, found)
  for _, key in ipairs { "input", "output" } do
    if is_free(prices, key) and base[key] and not is_free(base, key) then
      found[#found + 1] = place .. "." .. key
    end
  end
end

describe("the catalogue", function()
  it("makes nothing free by a tier or a step", function()
    local found, count = {}, 0
    for _, one in ipairs(rows()) do
      local holders = { { one.row, one.name } }
      for _, tier in ipairs { "flex", "priority", "batch" } do
        if one.row[tier] then
          made_free(one.row, one.row[tier], one.name .. "." .. tier, found)
          holders[#holders + 1] = { one.row[tier], one.name .. "." .. tier }
        end
      end
      for _, holder in ipairs(holders) do
        for _, step in ipairs(holder[1].above or {}) do made_free(holder[1], step, holder[2] .. ".above", found) end
      end
      count = count + 1
    end
    assert.are.same({}, found)
    assert.is_true(count > 1000)
  end)
end)
