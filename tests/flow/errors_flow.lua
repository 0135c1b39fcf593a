-- Every code of core/gate/fault_table.h, provoked in both dialects: status, envelope, type, and words that help. A code
-- without a way to provoke it here fails the first case.
local answers = require "answers"
local flow = require "flow"
local http = require "http"
local json = require "cjson"
local proc = require "proc"

-- code → { status, openai type, anthropic type }
local rows = {}
do
  local text = assert(proc.read_file(flow.root .. "/core/gate/fault_table.h"))
  for code, status, first, second in text:gmatch 'FAULT%([%w_]+, "([%w_]+)", (%d+), "([%w_]+)", "([%w_]+)"' do
    rows[code] = { tonumber(status), first, second }
  end
end

local provider_errors = {
  provider_timeout = function(x) x:wait_closed(20) x.last = true end,
  provider_broken = function(x) x.conn:close() x.last = true end,
  upstream_redirect = function(x) x:reply(302, "", { "location: http://127.0.0.1:9/" }) end,
  provider_failed = function(x)
    x:stream { (x.upstream.dialect == "openai.chat" and "data: " or "event: error\ndata: ")
      .. answers.fault[x.upstream.dialect]("no", "overloaded_error") .. "\n\n" }
  end,
}

local policies = {
  refused_by_policy = "function P:route() return gw.refuse(403, 'not today') end",
  no_target = "function P:route() return {} end",
  script_failed = "function P:route() error 'broken' end",
}

-- How to get each code: a function that returns the answer.
local provoke = {}

local function raw(text)
  return function(t, gate, dialect)
    local conn = t:client(gate)
    conn:send(text(t, flow.paths[dialect], dialect))
    local answer = t:check(http.read_response(conn, 10), "an answer")
    conn:close()
    return answer
  end
end

local function chat(options)
  return function(t, gate, dialect)
    options.dialect = dialect
    return t:chat(gate, options.model or "good", options)
  end
end

local post = "POST %s HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nauthorization: Bearer "
  .. flow.client_key .. "\r\n"

provoke.bad_http = raw(function(_, path) return post:format(path) .. "bad header: 1\r\n\r\n" end)
provoke.request_timeout = raw(function(_, path) return post:format(path) .. "content-length: 100\r\n\r\n{" end)
provoke.body_too_large = raw(function(_, path) return post:format(path) .. "content-length: 99999999\r\n\r\n{" end)
provoke.target_too_long = raw(function(_, path) return post:format(path .. "?" .. ("x"):rep(9000)) .. "\r\n" end)
provoke.headers_too_large = raw(function(_, path) return post:format(path) .. ("x-a: b\r\n"):rep(120) .. "\r\n" end)
provoke.expectation_failed = raw(function(_, path) return post:format(path)
  .. "expect: the-worst\r\ncontent-length: 2\r\n\r\n{}" end)
provoke.transfer_coding_unknown = raw(function(_, path) return post:format(path)
  .. "transfer-encoding: gzip\r\n\r\n" end)
provoke.http_version_unsupported = raw(function(_, path) return (post:format(path):gsub("HTTP/1.1", "HTTP/1.7"))
  .. "\r\n" end)
provoke.endpoint_not_found = function(t, gate, dialect)
  return t:chat(gate, "good", { dialect = dialect, target = flow.paths[dialect] .. "/nothing" })
end
provoke.method_not_allowed = raw(function(_, path) return (post:format(path):gsub("^POST", "DELETE")) .. "\r\n" end)
provoke.content_type_unsupported = chat { headers = { "content-type: text/plain" } }
provoke.key_missing = chat { key = false }
provoke.key_invalid = chat { key = "mg-wrong" }
provoke.key_ambiguous = chat { headers = { "authorization: Bearer other", "x-api-key: another" } }
provoke.bad_json = chat { body = '{"model":"good",' }
provoke.field_invalid = chat { body = '{"model":7,"messages":[]}' }
provoke.model_not_found = chat { model = "nothing" }
provoke.model_forbidden = chat { key = "mg-canary7Q-narrow-0123456789" }
provoke.provider_unreachable = chat { model = "dead" }
for code in pairs(provider_errors) do
  provoke[code] = chat { model = code, fields = code == "provider_failed" and { stream = true } or nil }
end
for code in pairs(policies) do provoke[code] = chat { model = code } end

-- On a gateway of its own, which ends while its provider is still thinking.
provoke.draining = function(t, _, dialect)
  local up = t:upstream { dialect = dialect, script = function(x) x:wait_closed(20) x.last = true end }
  local gate = t:gateway { drain = "200ms", providers = { slow = t:provider(up) },
    routes = { slow = { targets = { "slow/m" } } } }
  local conn = t:client(gate)
  conn:send(t:chat_text("slow", { dialect = dialect }))
  t:until_true(10, function() return #up.requests == 1 end, "the request is with the provider")
  gate.expect_exit = true
  gate.process:signal "TERM"
  local answer = t:check(http.read_response(conn, 10), "an answer")
  gate.process:wait(10 * t.seconds)
  return answer
end

flow.case("errors: every code can be provoked", function(t)
  local count = 0
  for code in pairs(rows) do
    count = count + 1
    t:check(provoke[code], "a way to provoke " .. code)
  end
  local _, lines = proc.read_file(flow.root .. "/core/gate/fault_table.h"):gsub("\nFAULT%(", "")
  t:equal(count, lines, "codes that were understood")
  for code in pairs(provoke) do t:check(rows[code], code .. " is in the table") end
end)

for _, dialect in ipairs { "openai.chat", "anthropic.messages" } do
  flow.case("errors: each code has its status, envelope and advice: " .. dialect, { seconds = 90 }, function(t)
    local config = { providers = { dead = t:dead(dialect) }, routes = { dead = { targets = { "dead/m" } } },
      limits = { body = "1MiB", body_time = "500ms" }, teams = { search = {} } }
    for code, script in pairs(provider_errors) do
      local up = t:upstream { dialect = dialect, script = script }
      config.providers[code] = t:provider(up, { timeouts = { total = "400ms" } })
      config.routes[code] = { targets = { code .. "/m" } }
    end
    local good = t:upstream { dialect = dialect }
    config.providers.good = t:provider(good)
    config.routes.good = { targets = { "good/m" } }
    for code, body in pairs(policies) do
      proc.write_file(t.dir .. "/" .. code .. ".lua", "local P = { api = 1 }\n" .. body .. "\nreturn P\n")
      config.routes[code] = { policy = t.dir .. "/" .. code .. ".lua", targets = { "good/m" },
        on_script_error = "refuse" }
    end
    config.keys = {
      { name = "all", team = "search", key = flow.env("FLOW_CLIENT_KEY", flow.client_key) },
      { name = "narrow", team = "search", key = "mg-canary7Q-narrow-0123456789", models = { "dead" } },
    }
    local gate = t:gateway(config)
    local wrong = {}
    for code, row in pairs(rows) do
      local ok, fault = pcall(function()
        local answer = provoke[code](t, gate, dialect)
        t:equal(answer.status, row[1], "status")
        local said = t:envelope(answer, dialect)
        local body = json.decode(answer.body)
        t:equal(body.error.type, dialect == "openai.chat" and row[2] or row[3], "type")
        if dialect == "openai.chat" and code ~= "refused_by_policy" then t:equal(said, code, "code") end
        t:check(#body.error.message > 20, "a message that helps: " .. body.error.message)
        t:equal(answer.headers["x-gateway-error"], "true", "x-gateway-error")
      end)
      if not ok then wrong[#wrong + 1] = code .. ": " .. tostring(fault) end
    end
    table.sort(wrong)
    t:equal(table.concat(wrong, "\n"), "", "codes")
    t:equal(#good.requests, 0, "requests that reached a provider")
  end)
end
