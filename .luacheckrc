-- What luacheck may take for granted. Scripts see only the sandbox; tools see a whole Lua.
std = "lua54"
max_line_length = 120
codes = true
self = false

local sandbox = {
  read_globals = { "gw" },
}

files["policies"] = sandbox
files["adapters"] = sandbox
files["lua"] = sandbox
files["examples"] = { read_globals = { "gw", "env", "file" } }
files["tests/fixtures"] = { read_globals = { "gw", "env", "file" } }
files["tests/lua"] = { std = "+busted", read_globals = { "gw" } }

exclude_files = { "build", "tests/sdk/node_modules", "tests/fixtures/config", "tests/fixtures/scripts/broken" }
