-- Runs every case of tests/lua/conformance/cases/ (lua/gw/cases.lua says what a case is) and looks that no known
-- pitfall of translating is without one.

local dialects = dofile("tests/lua/conformance/dialects.lua")
local order = dofile("tests/lua/dialects/order.lua")
local helper = require("tests.lua.helper")
local runner = dialects.load.module("gw.cases")

local rows = 96

local env = {
  dialects = dialects.by_name, dialect = "openai.chat", translate = dialects.load.translate, tools = helper.host.tools,
  check_order = order.check,
}

local function lines_of(command)
  local pipe = assert(io.popen(command))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  pipe:close()
  table.sort(lines)
  return lines
end

for _, path in ipairs(lines_of("ls tests/lua/conformance/cases/*.lua")) do
  describe(path:match("([^/]+)%.lua$"), function()
    for _, case in ipairs(assert(loadfile(path))()(dialects.json)) do
      it(case.name, function()
        local failures = runner.run(case, env)
        assert(#failures == 0, table.concat(failures, "\n"))
      end)
    end
  end)
end

describe("the known pitfalls", function()
  it("have a case each", function()
    local seen, missing = {}, {}
    for _, path in ipairs(lines_of("find tests -name node_modules -prune -o -type f -name '*.lua' -print"
      .. " -o -type f -name '*.c' -print -o -type f -name '*.mjs' -print")) do
      local file = assert(io.open(path))
      for row in file:read("a"):gmatch("TR%-(%d%d)") do seen[tonumber(row)] = true end
      file:close()
    end
    for row = 1, rows do
      if not seen[row] then missing[#missing + 1] = ("TR-%02d"):format(row) end
    end
    assert.are.same({}, missing)
  end)
end)
