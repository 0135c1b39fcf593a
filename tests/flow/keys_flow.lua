-- Virtual keys: who may ask, and that a refusal says nothing more than it must.
local flow = require "flow"
local http = require "http"
local proc = require "proc"

local good = flow.client_key

-- headers → status
local rows = {
  { "right, bearer", { "authorization: Bearer " .. good }, 200 },
  { "right, bearer in lower case", { "authorization: bearer " .. good }, 200 },
  { "right, x-api-key", { "x-api-key: " .. good }, 200 },
  { "both, the same", { "authorization: Bearer " .. good, "x-api-key: " .. good }, 200 },
  { "missing", {}, 401 },
  { "wrong", { "authorization: Bearer mg-wrong" }, 401 },
  { "wrong by one letter", { "authorization: Bearer " .. good:sub(1, -2) .. "X" }, 401 },
  { "too short", { "authorization: Bearer " .. good:sub(1, -2) }, 401 },
  { "too long", { "authorization: Bearer " .. good .. "0" }, 401 },
  { "empty", { "authorization: Bearer " }, 401 },
  { "empty header", { "authorization:" }, 401 },
  { "basic", { "authorization: Basic " .. good }, 401 },
  { "no scheme", { "authorization: " .. good }, 401 },
  { "two authorization headers", { "authorization: Bearer " .. good, "authorization: Bearer " .. good }, 401 },
  { "two, the second wrong", { "authorization: Bearer " .. good, "authorization: Bearer mg-wrong" }, 401 },
  { "disagreeing", { "authorization: Bearer " .. good, "x-api-key: mg-wrong" }, 401 },
  { "disagreeing, the other way", { "authorization: Bearer mg-wrong", "x-api-key: " .. good }, 401 },
  { "quotes and stars", { "authorization: Bearer ' OR 1=1 --*" }, 401 },
  { "high bytes", { "authorization: Bearer \195\169\255" }, 401 },
  { "8 KiB", { "authorization: Bearer " .. ("k"):rep(8192) }, 401 },
}

flow.case("keys: missing, wrong, ambiguous, right, on both surfaces", function(t)
  local gate, up = t:simple()
  local allowed = 0
  for _, row in ipairs(rows) do
    for dialect in pairs(flow.paths) do
      local answer = t:chat(gate, "r", { dialect = dialect, key = false, headers = row[2] })
      t:equal(answer.status, row[3], row[1] .. ", " .. dialect)
      if row[3] == 200 then allowed = allowed + 1 else
        t:envelope(answer, dialect)
        t:absent(answer.body, good, "body")
      end
    end
  end
  t:equal(#up.requests, allowed, "upstream requests")
  for _, record in ipairs(gate:traces(#rows * 2)) do
    if record.status == 200 then t:equal(record.team, "search", "team") else t:equal(record.status, 401) end
  end
end)

flow.case("unknown keys all get the same answer", function(t)
  local gate = t:simple()
  local seen
  for _, key in ipairs { "mg-a", good:sub(1, -2), ("k"):rep(500) } do
    local answer = t:chat(gate, "r", { key = key })
    local body = answer.body:gsub("req_[%w_-]+", "REQ")
    if seen then t:equal(body, seen) end
    seen = body
  end
end)

flow.case("each key has its team and name in the trace", function(t)
  local up = t:upstream {}
  local keys = {}
  for i, team in ipairs { "search", "ads", "search" } do
    keys[i] = { name = "key" .. i, team = team, key = flow.env("FLOW_TEAM_KEY_" .. i, "mg-canary7Q-team-" .. i .. ("x")
      :rep(16)) }
  end
  local gate = t:gateway {
    providers = { up = t:provider(up) }, routes = { r = { targets = { "up/m" } } },
    teams = { search = {}, ads = {} }, keys = keys,
  }
  for i, team in ipairs { "search", "ads", "search" } do
    local answer = t:chat(gate, "r", { key = "mg-canary7Q-team-" .. i .. ("x"):rep(16) })
    t:equal(answer.status, 200)
    t:equal(t:trace(gate, answer.headers["x-request-id"]).team, team)
  end
end)

flow.case("without keys the gateway serves loopback only", function(t)
  local up = t:upstream {}
  local gate = t:gateway { keys = false, providers = { up = t:provider(up) },
    routes = { r = { targets = { "up/m" } } } }
  t:equal(t:chat(gate, "r", { key = false }).status, 200)
  proc.write_file(t.dir .. "/open.lua", ([[return { listen = "0.0.0.0:0",
    providers = { up = { adapter = "openai", base_url = %q, keys = { "sk-canary7Q-open" } } },
    routes = { r = { targets = { "up/m" } } } }]]):format(up.url))
  local status, _, errors = proc.run(t.dir, "open", { require "gateway".binary, "run", "--config", t.dir
    .. "/open.lua" })
  t:check(status and status ~= 0, "an open gateway on all addresses does not start")
  t:match(errors, "key", "message")
end)

flow.case("the admin port wants its token and knows no client key", function(t)
  local gate = t:simple()
  for _, row in ipairs {
    { "POST", "/reload", {}, 401 }, { "POST", "/reload", { authorization = "Bearer wrong" }, 401 },
    { "POST", "/reload", { authorization = "Bearer " .. good }, 401 },
    { "GET", "/livez", {}, 200 }, { "GET", "/readyz", {}, 200 },
  } do
    t:equal(gate:admin(row[1], row[2], row[3]).status, row[4], row[1] .. " " .. row[2])
  end
  local conn = t:client(gate)
  conn:send(http.request_text { method = "POST", target = "/reload", headers = { "authorization: Bearer " .. good },
    body = "" })
  t:equal(http.read_response(conn).status, 404, "/reload on the data port")
end)
