-- Configs: each broken one in tests/fixtures/config is refused with its golden message; good ones are shown with their
-- secrets masked; starts without a config, and with --demo.
--
-- NAME.expect: the whole message, without the folder of the configs. FLOW_BLESS=1 writes what is said now.
local flow = require "flow"
local gateway = require "gateway"
local proc = require "proc"

local folder = flow.root .. "/tests/fixtures/config"

local function broken_configs()
  local pipe = assert(io.popen("ls " .. proc.quote(folder)))
  local names = {}
  for file in pipe:lines() do names[#names + 1] = file:match "^(.*)%.expect$" end
  pipe:close()
  return names
end

for _, name in ipairs(broken_configs()) do
  flow.case("broken config " .. name, function(t)
    local status, output, errors = proc.run(t.dir, "check", { gateway.binary, "check", "--config", folder .. "/"
      .. name .. ".lua" })
    local message = (output .. errors):gsub("[^%s\"]*/tests/fixtures/config/", "")
    t:check(status == 78, "exit status is " .. tostring(status) .. ": " .. message)
    t:check(message:find("^" .. name:gsub("%-", "%%-") .. "%.lua:%d+: "), "the place stands first: " .. message)
    local expect = folder .. "/" .. name .. ".expect"
    if os.getenv "FLOW_BLESS" then proc.write_file(expect, message) end
    t:equal(message, proc.read_file(expect))
    local run_status = proc.run(t.dir, "run", { gateway.binary, "run", "--config", folder .. "/" .. name .. ".lua" })
    t:check(run_status and run_status ~= 0, "`run` refuses it too")
  end)
end

flow.case("there are at least forty broken configs", function(t)
  t:check(#broken_configs() >= 40)
end)

flow.case("check --dump shows the whole config with secrets masked", function(t)
  proc.write_file(t.dir .. "/good.lua", [[return {
    listen = "127.0.0.1:0",
    admin = { listen = "127.0.0.1:0", token = env "DUMP_TOKEN" },
    providers = { openai = { adapter = "openai", keys = { env "DUMP_KEY", "sk-canary7Q-literal" } },
      own = { adapter = "openai-compatible", base_url = "http://127.0.0.1:1/v1", keys = { file "secret.txt" } } },
    routes = { r = { policy = "weighted", targets = { { "openai/gpt-5-mini", weight = 2 }, "own/m" } } },
    teams = { search = {} },
    keys = { { name = "ci", team = "search", key = env "DUMP_CLIENT" } },
  }]])
  proc.write_file(t.dir .. "/secret.txt", "sk-canary7Q-file\n")
  local environment = { DUMP_TOKEN = "canary7Q-token-0123456789", DUMP_KEY = "sk-canary7Q-env",
    DUMP_CLIENT = "mg-canary7Q-0123456789abcdef" }
  local status, output, errors = proc.run(t.dir, "check", { gateway.binary, "check", "--config", t.dir
    .. "/good.lua" }, environment)
  t:equal(status, 0, output .. errors)
  status, output, errors = proc.run(t.dir, "dump", { gateway.binary, "check", "--dump", "--config", t.dir
    .. "/good.lua" }, environment)
  t:equal(status, 0, output .. errors)
  t:absent(output .. errors, "canary7Q")
  for _, word in ipairs { "openai", "own", "gpt-5-mini", "weighted", "search", "127.0.0.1:1/v1" } do
    t:match(output, word:gsub("%p", "%%%0")) end
end)

-- These two use the default ports, 8080 and 8081.
flow.case("zero config: the environment's keys are enough to start", { alone = true }, function(t)
  local process = proc.start(t.dir, "zero", { "sh", "-c", "cd " .. proc.quote(t.dir) .. " && exec "
    .. proc.quote(gateway.binary)
    .. " run" }, { OPENAI_API_KEY = "sk-canary7Q-zero" })
  local ready = t:until_true(10, function() return process:status() or process:output():find("ready on", 1, true) end)
  t:check(process:output():find("ready on", 1, true), "ready: " .. process:output() .. process:errors()
    .. tostring(ready))
  t:absent(process:output() .. process:errors(), "canary7Q")
  t:equal(process:stop(), 0)
end)

flow.case("--demo serves a first answer without any key", { alone = true }, function(t)
  local process = proc.start(t.dir, "demo", { gateway.binary, "run", "--demo" })
  t:until_true(10, function() return process:status() or process:output():find("ready on", 1, true) end)
  local port = process:output():match "ready on [^%s]-:(%d+)"
  t:check(port, "ready: " .. process:output() .. process:errors())
  local gate = { port = tonumber(port) }
  local models = require "cjson".decode((function()
    local conn = t:client(gate)
    conn:send "GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n"
    return require "http".read_response(conn).body
  end)())
  t:check(#models.data > 0, "models")
  t:check(#t:text(t:chat(gate, models.data[1].id, { key = false })) > 0, "a first answer")
  t:equal(process:stop(), 0)
end)

flow.case("wrong words on the command line", function(t)
  for _, argv in ipairs { { "rnu" }, { "run", "--confg", "x" }, { "run", "--config" },
    { "check", "--config", "/no/such.lua" } } do
    local status, output, errors = proc.run(t.dir, "words", { gateway.binary, table.unpack(argv) })
    t:check(status and status ~= 0 and status < 128, "exit status of " .. table.concat(argv, " ") .. " is "
      .. tostring(status))
    t:check(#errors > 0 and #output == 0, "a message on stderr only")
  end
  local status, output = proc.run(t.dir, "version", { gateway.binary, "version" })
  t:equal(status, 0)
  t:match(output, "%d+%.%d+%.%d+")
end)

flow.case("check warns of a key whose models nobody could mean", function(t)
  proc.write_file(t.dir .. "/moongate.lua", [[return {
    listen = "127.0.0.1:0", admin = { listen = "127.0.0.1:0" },
    providers = { openai = { keys = { "sk-made-up-00000" } } },
    routes = { chat = { targets = { "openai/gpt-5-mini" } } },
    keys = { { name = "ci", key = "0123456789abcdef",
      models = { "chat", "openai/*", "openai/any", "gpt-5-mini", "chta", "opnai/gpt-5-mini" } } },
  }]])
  local status, _, errors = proc.run(t.dir, "check", { gateway.binary, "check", "--config", t.dir .. "/moongate.lua" })
  t:equal(status, 0, "exit status")
  local warnings = {}
  for line in errors:gmatch "warning: (key [^\n]+)" do warnings[#warnings + 1] = line end
  t:equal(table.concat(warnings, "\n"), 'key ci: models: there is no route or model "chta"; did you mean "chat"?\n'
    .. 'key ci: models: there is no route or model "opnai/gpt-5-mini"; did you mean "openai/gpt-5-mini"?')
end)
