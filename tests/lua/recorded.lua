-- The recorded exchanges of providers, for specs: read at run time from $MOONGATE_SHARED/wire (default ../shared beside
-- the checkout). Where they are not there is nothing to test, and a spec says so.
local json = require("tests.lua.helper").gw.json

local M = {}

local folder = (os.getenv("MOONGATE_SHARED") or "../shared") .. "/wire/"

local function read(path)
  local file = io.open(folder .. path, "rb")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

-- The exchanges whose protocol fits, in the order of the index.
function M.exchanges(fits)
  local list, index = {}, read("INDEX.json")
  for _, entry in ipairs(index and json.decode(index) or {}) do
    if fits(entry.protocol) then list[#list + 1] = json.decode(read(entry.file)) end
  end
  return list
end

-- The body of a test that at least so many were there, or none at all; most: and no more than these.
function M.counted(count, least, most)
  return function()
    if count == 0 then return print("no recorded exchanges at " .. folder .. "; set MOONGATE_SHARED") end
    assert(count >= least and count <= (most or math.huge), count .. " exchanges")
  end
end

return M
