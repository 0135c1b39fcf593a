-- /metrics, /livez, /readyz.
local flow = require "flow"
local proc = require "proc"
local answers = require "answers"

flow.case("metrics are clean for promtool, count what happened and name no secret", { threads = true }, function(t)
  local up = t:upstream { script = function(x)
    if x.number % 5 == 0 then return x:reply(500, answers.openai_error "no") end
    x:serve "ok"
  end }
  local gate = t:gateway { workers = 2, providers = { up = t:provider(up) }, routes = { r = { targets = { "up/m" } } } }
  for i = 1, 20 do
    local ask = i % 2 == 0 and t.chat or t.chat_stream
    ask(t, gate, "r", { key = i % 4 == 0 and "wrong" or nil })
  end
  gate:traces(20)
  local text = gate:metrics()
  local function sum(pattern)
    local total = 0
    for line in text:gmatch "[^\n]+" do
      if not line:find "^#" and line:find(pattern) then total = total + tonumber(line:match "([%d.e+-]+)$") end
    end
    return total
  end
  t:match(text, "# TYPE moongate_", "metric names")
  t:equal(sum "^moongate_requests_total", 20, "requests counted")
  t:absent(text, "canary7Q")
  proc.write_file(t.dir .. "/metrics.txt", text)
  local status, output, errors = proc.run(t.dir, "promtool",
    { "sh", "-c", "promtool check metrics <" .. proc.quote(t.dir .. "/metrics.txt") })
  t:equal(status, 0, "promtool: " .. output .. errors)
  for _ = 1, 5 do t:chat(gate, "r") end
  gate:traces(25)
  t:check(gate:metrics() ~= text, "counters move")
  gate:admin("POST", "/reload")
  t:check(gate:metrics():find "moongate_requests_total", "metrics stay across a reload")
end)

flow.case("open client connections are counted as they come and go", function(t)
  local gate = t:simple()
  local function open() return tonumber(gate:metrics():match "\nmoongate_client_connections (%d+)") end
  local conns = {}
  for i = 1, 3 do
    conns[i] = t:client(gate)
    t:chat(gate, "r", { conn = conns[i] })
    t:equal(open(), i, "of clients that have an answer")
  end
  for i = 1, 3 do
    conns[i]:close()
    t:until_true(5 * t.seconds, function() return open() == 3 - i end, "who has left is not counted")
  end
end)

flow.case("livez and readyz answer without a token and say no version", function(t)
  local gate = t:simple()
  for _, path in ipairs { "/livez", "/readyz" } do
    local answer = gate:admin("GET", path, {})
    t:equal(answer.status, 200)
    t:absent(answer.body:lower() .. (answer.headers.server or ""), "0.1.0")
  end
end)
