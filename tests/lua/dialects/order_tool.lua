-- order_tool: the checkers of the order of events for tests that are not written in Lua (tests/sdk/lib/order.mjs):
--     lua5.4 tests/lua/dialects/order_tool.lua
-- reads "DIALECT FRAMING HOW LENGTH" and LENGTH bytes for each stream (FRAMING: sse, json-array or aws; HOW: whole or
-- cut), and answers each with a line: a JSON list of what is wrong.
local here = arg[0]:match("^(.*/)") or "./"
local order = dofile(here .. "order.lua")
local cjson = require("cjson")

io.stdout:setvbuf("line")
for head in io.lines() do
  local dialect, framing, how, length = head:match("^(%S+) (%S+) (%S+) (%d+)$")
  local bytes = length == "0" and "" or io.read(math.tointeger(tonumber(length)))
  local lines = {}
  for i, fault in ipairs(order.faults_of(dialect, bytes, framing, how == "cut")) do
    if i <= 4 then lines[i] = fault.rule .. ": " .. fault.text:gsub("[\x80-\xFF]", "?") end
  end
  print(#lines > 0 and cjson.encode(lines) or "[]")
end
