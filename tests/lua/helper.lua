-- What specs need of the gateway: its own gw, and host.run. They run on the interpreter of tests/lua/host:
--     build/lua_host /usr/bin/busted --lpath='lua/?.lua;?.lua' tests/lua
local M = {}

M.host = assert(rawget(_G, "host"), "run the specs with build/lua_host /usr/bin/busted, not with a plain Lua")
M.gw = _G.gw

return M
