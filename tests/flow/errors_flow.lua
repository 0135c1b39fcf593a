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
  local name = '%s*"([%w_]+)",' -- an entry may be broken over lines
  for code, status, first, second in text:gmatch("FAULT%(%s*[%w_]+," .. name .. "%s*(%d+)," .. name .. name) do
    rows[code] = { tonumber(status), first, second }
  end
end

local provider_errors = {
  total_timeout = function(x) x:wait_closed(20) x.last = true end,
  first_token_timeout = function(x)
    x:start_stream()
    x:wait_closed(20)
    x.last = true
  end,
  between_tokens_timeout = function(x)
    x:start_stream()
    local events = answers.stream[x.upstream.dialect] { "a" }
    for i = 1, #events - 3 do x:chunk(events[i]) end
    x:wait_closed(20)
    x.last = true
  end,
  too_few_tokens = function(x)
    x:start_stream()
    local events = answers.stream[x.upstream.dialect] { "a" }
    for i = 1, #events - 3 do x:chunk(events[i]) end
    for _ = 1, 40 do
      require "loop".sleep(0.4)
      if not x:chunk(events[#events - 3]) then break end
    end
    x.last = true
  end,
  first_byte_timeout = function(x) x:wait_closed(20) x.last = true end,
  between_bytes_timeout = function(x)
    x.conn:send "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
    x:wait_closed(20)
    x.last = true
  end,
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

-- The clocks of the providers of provider_errors.
local timeouts = {
  total_timeout = { total = "400ms" },
  first_token_timeout = { first_token = "400ms" },
  between_tokens_timeout = { between_tokens = "400ms" },
  too_few_tokens = { min_tokens_per_s = 50 },
  first_byte_timeout = { first_byte = "400ms" },
  between_bytes_timeout = { between_bytes = "400ms" },
}
local streamed = { provider_failed = true, first_token_timeout = true, between_tokens_timeout = true,
  too_few_tokens = true }
-- Codes of which a client reads in a stream that has begun.
local late = { between_tokens_timeout = true, too_few_tokens = true }

-- How to get each code: a function that returns the answer.
local provoke = {}

local function raw(text)
  return function(t, gate, dialect)
    local conn = t:client(gate)
    conn:send(text(t, flow.paths[dialect], dialect))
    local answer = t:check(http.read_response(conn), "an answer")
    conn:close()
    return answer
  end
end

-- Cases run beside each other: each call has options of its own.
local function chat(options)
  return function(t, gate, dialect)
    local own = { dialect = dialect }
    for name, value in pairs(options) do own[name] = value end
    return t:chat(gate, own.model or "good", own)
  end
end

local post = "POST %s HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nauthorization: Bearer "
  .. flow.client_key .. "\r\n"

provoke.model_unpriced = function(t, _, dialect)
  local up = t:upstream { dialect = dialect }
  local gate = t:gateway { providers = { up = t:provider(up) }, routes = { r = { targets = { "up/nobodys" } } },
    unknown_price = "deny" }
  local answer = t:chat(gate, "r", { dialect = dialect })
  t:equal(#up.requests, 0, "requests to the provider")
  return answer
end
provoke.bad_http = raw(function(_, path) return post:format(path) .. "bad header: 1\r\n\r\n" end)
provoke.request_timeout = raw(function(_, path) return post:format(path) .. "content-length: 100\r\n\r\n{" end)
provoke.body_too_large = raw(function(_, path) return post:format(path) .. "content-length: 99999999\r\n\r\n{" end)
provoke.target_too_long = raw(function(_, path) return post:format(path .. "?" .. ("x"):rep(9000)) .. "\r\n" end)
provoke.headers_too_large = raw(function(_, path) return post:format(path) .. ("x-a: b\r\n"):rep(120) .. "\r\n" end)
provoke.expectation_failed = raw(function(_, path) return post:format(path)
  .. "expect: the-worst\r\ncontent-length: 2\r\n\r\n{}" end)
provoke.transfer_coding_unknown = raw(function(_, path) return post:format(path)
  .. "transfer-encoding: gzip\r\n\r\n" end)
provoke.response_not_found = function(t)
  local gate = t:gateway { providers = { up = t:provider(t:upstream { dialect = "anthropic.messages" }) } }
  local conn = t:client(gate)
  conn:send(http.request_text { method = "GET", target = "/v1/responses/resp_nobodys",
    headers = { "authorization: Bearer " .. flow.client_key } })
  return t:check(http.read_response(conn), "an answer")
end
provoke.not_a_proxy = raw(function() return "CONNECT api.example:443 HTTP/1.1\r\nhost: api.example:443\r\n\r\n" end)
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
  if late[code] then
    provoke[code] = function(t, gate, dialect) return t:chat_stream(gate, code, { dialect = dialect }) end
  else
    provoke[code] = chat { model = code, fields = streamed[code] and { stream = true } or nil }
  end
end
for code in pairs(policies) do provoke[code] = chat { model = code } end

provoke.fields_not_carried = function(t, gate, dialect)
  local lost = dialect == "openai.chat" and { logit_bias = { ["50256"] = -100 } } or { top_k = 5 }
  return t:chat(gate, "other", { dialect = dialect, fields = lost, headers = { "x-moongate-strict: true" } })
end

-- Stored files, which name no model; in either API by its version header.
local function files(more, method, target)
  return function(t, gate, dialect)
    local conn = t:client(gate)
    local headers = { (method or "GET") .. " " .. (target or "/v1/files") .. " HTTP/1.1", "host: a",
      "authorization: Bearer " .. flow.client_key, "content-length: 0" }
    if dialect == "anthropic.messages" then headers[#headers + 1] = "anthropic-version: 2023-06-01" end
    for _, line in ipairs(more) do headers[#headers + 1] = line end
    conn:send(table.concat(headers, "\r\n") .. "\r\n\r\n")
    local answer = t:check(http.read_response(conn), "an answer")
    conn:close()
    return answer
  end
end

provoke.provider_needed = files {}
provoke.provider_not_found = files { "x-moongate-provider: nobody" }
provoke.bad_form = files({ "content-type: multipart/form-data; boundary=b" }, "POST", "/v1/images/edits")

-- A provider of its own that is slow below HTTP.
local function slow_provider(clock, open)
  return function(t, _, dialect)
    local gate = t:gateway {
      providers = { slow = t:provider({ dialect = dialect, url = open(t) },
        { timeouts = { [clock] = "400ms" }, insecure = true }) },
      routes = { r = { targets = { "slow/m" }, retry = { same_target = 0 } } },
    }
    local fields = clock == "upload" and { user = ("x"):rep(12 << 20) } or nil
    return t:chat(gate, "r", { dialect = dialect, fields = fields, seconds = 30 })
  end
end

provoke.connect_timeout = slow_provider("connect", function(t) return "http://127.0.0.1:" .. t:full_port() end)
provoke.tls_timeout = slow_provider("tls", function(t) return "https://127.0.0.1:" .. t:deaf_port() end)
provoke.upload_timeout = slow_provider("upload", function(t) return "http://127.0.0.1:" .. t:deaf_port() end)

-- Codes that only one API has an endpoint for, or that take long.
local only = { bad_form = "openai.chat", too_few_tokens = "openai.chat", not_a_proxy = "openai.chat",
  response_not_found = "openai.chat" }

-- On a gateway of its own, whose only place is taken.
local function crowded(limits)
  return function(t, _, dialect)
    local up = t:upstream { dialect = dialect, script = function(x) x:wait_closed(20) x.last = true end }
    limits.in_flight = 1
    local gate = t:gateway { limits = limits, providers = { slow = t:provider(up) },
      routes = { slow = { targets = { "slow/m" } } } }
    local first = t:client(gate)
    first:send(t:chat_text("slow", { dialect = dialect }))
    t:until_true(10, function() return #up.requests == 1 end, "the request is with the provider")
    local answer = t:chat(gate, "slow", { dialect = dialect })
    t:check(tonumber(answer.headers["retry-after"]) > 0, "Retry-After")
    first:close()
    return answer
  end
end

provoke.overloaded = crowded { queue = 0 }
provoke.queue_timeout = crowded { queue_time = "200ms" }

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
  local answer = t:check(http.read_response(conn), "an answer")
  gate.process:wait(30)
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
      config.providers[code] = t:provider(up, { timeouts = timeouts[code] })
      config.routes[code] = { targets = { code .. "/m" } }
    end
    local good = t:upstream { dialect = dialect }
    config.providers.good = t:provider(good)
    local other = t:upstream { dialect = dialect == "openai.chat" and "anthropic.messages" or "openai.chat" }
    config.providers.other = t:provider(other)
    config.routes.other = { targets = { "other/m" } }
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
        local spoken = only[code] or dialect
        local answer = provoke[code](t, gate, spoken)
        if late[code] then
          t:equal(answer.status, 200, "status of the stream")
          local last = json.decode(answer.events[#answer.events].data)
          t:equal(last.error.type, spoken == "openai.chat" and row[2] or row[3], "type")
          if spoken == "openai.chat" then t:equal(last.error.code, code, "code") end
          return
        end
        t:equal(answer.status, row[1], "status")
        local said = t:envelope(answer, spoken)
        local body = json.decode(answer.body)
        t:equal(body.error.type, spoken == "openai.chat" and row[2] or row[3], "type")
        if spoken == "openai.chat" and code ~= "refused_by_policy" then t:equal(said, code, "code") end
        t:check(#body.error.message > 20, "a message that helps: " .. body.error.message)
        t:equal(answer.headers["x-gateway-error"], "true", "x-gateway-error")
      end)
      if not ok then wrong[#wrong + 1] = code .. ": " .. tostring(fault) end
    end
    table.sort(wrong)
    t:equal(table.concat(wrong, "\n"), "", "codes")
    t:equal(#good.requests + #other.requests, 0, "requests that reached a provider")
  end)
end
