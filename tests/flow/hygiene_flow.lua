-- What must not cross: headers, secrets, destinations, redirects, environment. Both directions.
local answers = require "answers"
local flow = require "flow"
local json = require "cjson"
local proc = require "proc"

flow.case("request headers: credentials, cookies and hop-by-hop ones stay here", function(t)
  local gate, up = t:simple()
  local sent = {
    "cookie: session=canary", "proxy-authorization: Basic eHg=", "te: trailers", "upgrade: h2c", "keep-alive: 5",
    "connection: x-drop-me, keep-alive", "x-drop-me: 1", "x-forwarded-for: 10.0.0.1", "x-forwarded-host: evil.example",
    "forwarded: for=10.0.0.1", "x-real-ip: 10.0.0.1", "authorization-extra: 1",
    "api-key: " .. flow.client_key, "x-goog-api-key: " .. flow.client_key,
    "user-agent: flow/1", "x-stainless-lang: js", "openai-organization: org-client",
  }
  t:equal(t:chat(gate, "r", { headers = sent }).status, 200)
  local got = up.requests[1].headers
  for _, name in ipairs { "cookie", "proxy-authorization", "te", "upgrade", "x-drop-me", "x-forwarded-for",
    "x-forwarded-host",
    "forwarded", "x-real-ip", "x-api-key", "api-key", "x-goog-api-key", "proxy-connection", "trailer" } do
    t:equal(got[name], nil, "header " .. name .. " upstream")
  end
  t:equal(got.authorization, "Bearer " .. up.key, "the provider's own key")
  t:check(got.host == "127.0.0.1:" .. up.port, "host is the provider's: " .. tostring(got.host))
  t:absent(up.requests[1].raw, flow.client_key, "raw request upstream")
end)

flow.case("anthropic requests carry x-api-key and the version, and no bearer", function(t)
  local gate, up = t:simple { dialect = "anthropic.messages" }
  t:equal(t:chat(gate, "r", { dialect = "anthropic.messages", headers = { "anthropic-beta: some-beta-2025" } }).status,
    200)
  local got = up.requests[1].headers
  t:equal(got["x-api-key"], up.key)
  t:equal(got.authorization, nil)
  t:equal(got["anthropic-version"], "2023-06-01")
  t:equal(got["anthropic-beta"], "some-beta-2025", "beta header on a same-dialect hop")
  t:equal(t:chat(gate, "r").status, 200, "from the other dialect")
  t:check(up.requests[2].headers["anthropic-version"], "version for a translated request")
end)

flow.case("answer headers: the provider's own stay here", function(t)
  local gate = t:simple { script = function(x)
    x:reply(200, answers.openai_whole "x", { "set-cookie: provider=1", "server: cloud", "x-powered-by: y", "via: 1.1 z",
      "x-goog-api-key: " .. x.upstream.key, "authorization: Bearer " .. x.upstream.key, "alt-svc: h3",
        "x-request-id: theirs",
      "proxy-authenticate: Basic", "strict-transport-security: max-age=1", "access-control-allow-origin: *" })
  end }
  local answer = t:chat(gate, "r")
  t:equal(answer.status, 200)
  for _, name in ipairs { "set-cookie", "server", "x-powered-by", "via", "x-goog-api-key", "authorization", "alt-svc",
    "proxy-authenticate", "access-control-allow-origin", "strict-transport-security" } do
    t:equal(answer.headers[name], nil, "header " .. name)
  end
  t:check(answer.headers["x-request-id"] ~= "theirs", "x-request-id is the gateway's")
end)

flow.case("retry-after of a provider reaches the client", function(t)
  local gate = t:simple { script = function(x)
    x:reply(429, answers.openai_error("slow", "rate_limit_error", "rate_limit_exceeded"), { "retry-after: 17" })
  end }
  local answer = t:chat(gate, "r")
  t:equal(answer.status, 429)
  t:equal(answer.headers["retry-after"], "17")
end)

for _, dialect in ipairs { "openai.chat", "anthropic.messages" } do
  flow.case("a provider that quotes its key in an error leaks nothing: " .. dialect, function(t)
    local gate = t:simple { dialect = dialect, script = function(x)
      local key = x.upstream.key
      x:reply(x.number % 2 == 1 and 401 or 400, answers.fault[dialect]("Incorrect API key provided: " .. key
        .. ". Header: Bearer " .. key))
    end }
    for _, client in ipairs { "openai.chat", "anthropic.messages" } do
      for _ = 1, 2 do
        local answer = t:chat(gate, "r", { dialect = client })
        t:check(answer.status >= 400, "an error")
        t:absent(answer.body, "canary7Q", "error body")
        t:envelope(answer, client)
      end
    end
    gate:traces(4)
    local files = (proc.read_file(gate.trace_file) or "") .. gate.process:output() .. gate.process:errors()
    t:absent(files, "canary7Q", "trace and logs")
  end)
end

flow.case("a provider that repeats its key in the headers of an answer leaks nothing", function(t)
  local gate = t:simple { script = function(x)
    local key = x.upstream.key
    local lines = { "retry-after: " .. key, "x-ratelimit-remaining-requests: Bearer " .. key, "x-request-id: " .. key,
      "set-cookie: k=" .. key, "x-ratelimit-limit-requests: 7" }
    if x.number == 1 then return x:reply(200, answers.openai_whole("fine"), lines) end
    lines[#lines + 1] = "content-type: application/json; k=" .. key
    x:reply(400, answers.openai_error "no", lines)
  end }
  for i = 1, 2 do
    local answer = t:chat(gate, "r")
    t:equal(answer.status, i == 1 and 200 or 400)
    t:absent(answer.raw .. answer.body, "canary7Q", "answer")
    t:equal(answer.headers["x-ratelimit-limit-requests"], "7")
    t:trace(gate, answer.headers["x-request-id"])
  end
  t:absent(proc.read_file(gate.trace_file) .. gate.process:errors(), "canary7Q", "trace and log")
end)

for _, status in ipairs { 301, 302, 303, 307, 308 } do
  flow.case(status .. " from a provider is not followed", function(t)
    local canary = t:upstream {}
    local gate = t:simple { script = function(x) x:reply(status, "",
      { "location: " .. canary.url .. "/v1/chat/completions" }) end }
    local answer = t:chat(gate, "r")
    t:equal(answer.status, 502)
    t:equal(t:envelope(answer, "openai.chat"), "upstream_redirect")
    t:equal(answer.headers.location, nil)
    t:equal(canary.connections, 0, "connections to the canary")
  end)
end

flow.case("a client cannot choose the destination", function(t)
  local gate, up = t:simple()
  local canary = t:upstream {}
  local host = "127.0.0.1:" .. canary.port
  local url = canary.url .. "/v1"
  for _, fields in ipairs { { api_base = url }, { base_url = url }, { baseURL = url }, { custom_host = url },
    { api_url = url },
    { endpoint = url }, { proxy = url }, { metadata = { api_base = url } }, { extra_body = { base_url = url } } } do
    local answer = t:chat(gate, "r", { fields = fields })
    t:check(answer.status == 200 or answer.status == 400, "status " .. answer.status)
  end
  for _, header in ipairs { "x-portkey-custom-host: " .. url, "x-custom-host: " .. url, "x-base-url: " .. url,
    "x-upstream: " .. host,
    "x-forwarded-host: " .. host, "x-original-url: " .. url, "x-target-url: " .. url, "openai-base-url: " .. url } do
    t:equal(t:chat(gate, "r", { headers = { header } }).status, 200)
  end
  t:equal(t:chat(gate, "r", { headers = { "host: " .. host } }).status, 200)
  for _, target in ipairs { url .. "/chat/completions", "/v1/chat/completions?base_url=" .. url, "//" .. host
    .. "/v1/chat/completions" } do
    t:chat(gate, "r", { target = target })
  end
  for _, model in ipairs { "http://" .. host .. "/x", "//" .. host, "up/../../x", "@" .. host } do
    t:chat(gate, model) end
  t:equal(canary.connections, 0, "connections to the canary")
  for _, request in ipairs(up.requests) do t:equal(request.target, "/v1/chat/completions", "target upstream") end
end)

flow.case("images named by a URL are never fetched here", function(t)
  local canary = t:upstream {}
  for _, dialect in ipairs { "openai.chat", "anthropic.messages" } do
    local gate = t:simple { dialect = dialect }
    local parts = { { type = "text", text = "look" }, { type = "image_url",
      image_url = { url = canary.url .. "/a.png" } } }
    t:equal(t:chat(gate, "r", { fields = { messages = { { role = "user", content = parts } } } }).status, 200, dialect)
  end
  t:equal(canary.connections, 0)
end)

flow.case("control bytes in what is reflected make no new lines", function(t)
  local gate, up = t:simple()
  for _, value in ipairs { "r\r\nx-evil: 1", "r\nx: 1", "r\0", "up/m\r\nx-evil: 1", "up/m\0" } do
    local answer = t:chat(gate, value)
    t:check(answer.status == 400 or answer.status == 404 or answer.status == 200, "status " .. answer.status)
    t:equal(answer.headers["x-evil"], nil)
  end
  for _, request in ipairs(up.requests) do t:equal(request.headers["x-evil"], nil) end
end)

flow.case("the environment's proxies and .netrc change nothing", function(t)
  local canary = t:upstream {}
  proc.write_file(t.dir .. "/.netrc", "machine 127.0.0.1 login canary password canary\ndefault login a password b\n")
  local up = t:upstream {}
  local gate = t:gateway({ providers = { up = t:provider(up) }, routes = { r = { targets = { "up/m" } } } }, {
    environment = { http_proxy = canary.url, HTTP_PROXY = canary.url, https_proxy = canary.url, ALL_PROXY = canary.url,
      all_proxy = canary.url, HOME = t.dir, no_proxy = "" },
  })
  t:equal(t:chat(gate, "r").status, 200)
  t:equal(canary.connections, 0)
  t:equal(up.requests[1].headers.authorization, "Bearer " .. up.key)
end)

flow.case("two keys on one host are never mixed up", { threads = true }, function(t)
  local wrong = 0
  local up = t:upstream { script = function(x)
    local want = "Bearer " .. x.upstream.keys[x:json().model]
    if x.request.headers.authorization ~= want then wrong = wrong + 1 end
    x:serve(x:json().model)
  end }
  local first = t:provider(up)
  up.keys = { one = up.key }
  up.key = nil
  local second = t:provider(up)
  up.keys.two = up.key
  local gate = t:gateway { workers = 2, providers = { a = first, b = second },
    routes = { one = { targets = { "a/one" } }, two = { targets = { "b/two" } } } }
  local tasks = {}
  for i = 1, 16 do
    tasks[i] = t:spawn(function()
      local conn = t:client(gate)
      for j = 1, 40 do
        local model = (i + j) % 2 == 0 and "one" or "two"
        t:equal(t:text(t:chat(gate, model, { conn = conn })), model)
      end
    end)
  end
  for _, task in ipairs(tasks) do t:check(task:join() and not task.fault, "client done") end
  t:equal(wrong, 0, "requests with another provider's key")
end)

flow.case("nothing that is asked or answered stands in trace or log", function(t)
  local gate = t:simple { script = "the-answer-text" }
  t:chat(gate, "r", { fields = { messages = { { role = "user", content = "the-question-text" } } } })
  t:chat(gate, "r", { body = '{"model":"r","messages":[{"role":"user","content":"the-question-text"}]' })
  gate:traces(2)
  local files = (proc.read_file(gate.trace_file) or "") .. gate.process:output() .. gate.process:errors()
  t:absent(files, "the-question-text")
  t:absent(files, "the-answer-text")
  t:check(json.decode(files:match "[^\n]+"), "a trace line")
end)

flow.case("the process hides its secrets: not in argv, no core", function(t)
  local gate = t:simple()
  local base = "/proc/" .. gate.process.pid
  t:absent(proc.read_file(base .. "/cmdline") or "", "canary7Q", "argv")
  t:match(proc.read_file(base .. "/limits") or "", "Max core file size%s+0", "core limit")
end)
