-- TLS on both sides, and HTTP/2 towards a provider (Debian's nginx speaks it for the scripted upstream).
local certs = require "certs"
local flow = require "flow"
local http = require "http"
local proc = require "proc"

local client_tls = { mode = "client", protocol = "any", verify = "none", options = { "all" } }

local function with_ca(file) return { mode = "client", protocol = "any", verify = "peer", cafile = file,
  options = { "all" } } end

flow.case("the edge speaks TLS 1.2 and 1.3, nothing older, whole and streamed", { threads = true }, function(t)
  certs.authority(t.dir, "edge")
  local pair = certs.server(t.dir, "edge", "server")
  local gate = t:simple { config = { tls = pair }, script = ("long "):rep(20000) }
  for _, protocol in ipairs { "tlsv1_2", "tlsv1_3" } do
    local params = with_ca(t.dir .. "/edge-ca.pem")
    params.protocol = protocol
    t:equal(#t:text(t:chat(gate, "r", { client = { tls = params } })), 100000, protocol)
    t:equal(#t:text(t:chat_stream(gate, "r", { client = { tls = params } })), 100000, protocol)
  end
  for _, old in ipairs { "tlsv1", "tlsv1_1" } do
    local conn = t:client(gate, { tls = { mode = "client", protocol = old, verify = "none",
      ciphers = "ALL:@SECLEVEL=0" } })
    t:check(not conn, old .. " is refused")
  end
  local plain = t:client(gate)
  plain:send(t:chat_text("r"))
  local answer = http.read_response(plain, 5)
  t:check(not answer or answer.status == 400, "plain HTTP on a TLS port")
end)

flow.case("a TLS client that leaves is noticed", { alone = true }, function(t)
  certs.authority(t.dir, "edge")
  local pair = certs.server(t.dir, "edge", "server")
  local noticed, reached
  local gate = t:simple { config = { tls = pair }, script = function(x)
    reached = true
    noticed = x:wait_closed(10) and t:now()
    x.last = true
  end }
  t:within(0.25, function()
    noticed, reached = nil, nil
    local conn = t:client(gate, { tls = client_tls })
    conn:send(t:chat_text("r"))
    t:until_true(5, function() return reached end, "the provider is reached")
    local left = t:now()
    conn:close()
    t:until_true(5, function() return noticed end, "the provider sees the close")
    return noticed - left
  end, "to notice it")
  t:equal(t:trace(gate).status, 499)
end)

flow.case("a new certificate is taken by a reload; open connections stay", function(t)
  certs.authority(t.dir, "old")
  certs.authority(t.dir, "new")
  local pair = certs.server(t.dir, "old", "server")
  local gate = t:simple { config = { tls = pair } }
  local open = t:client(gate, { tls = with_ca(t.dir .. "/old-ca.pem") })
  t:equal(t:text(t:chat(gate, "r", { conn = open })), "hello")
  certs.server(t.dir, "new", "server")
  t:equal(gate:admin("POST", "/reload").status, 200)
  t:equal(t:text(t:chat(gate, "r", { conn = open })), "hello", "the open connection")
  t:equal(t:text(t:chat(gate, "r", { client = { tls = with_ca(t.dir .. "/new-ca.pem") } })), "hello")
  t:check(not t:client(gate, { tls = with_ca(t.dir .. "/old-ca.pem") }), "the old authority no longer fits")
  proc.write_file(pair.cert, "garbage")
  local refused = gate:admin("POST", "/reload")
  t:equal(refused.status, 400, refused.body)
  t:match(refused.body, "certificate", "the answer to a reload with a broken certificate")
  t:match(refused.body, "server", "the file's name")
  t:until_true(5, function() return gate.process:errors():find "certificate" end, "a broken certificate is told")
  t:equal(t:text(t:chat(gate, "r", { client = { tls = with_ca(t.dir .. "/new-ca.pem") } })), "hello")
end)

flow.case("an HTTPS provider is used when its certificate fits ca_file", { threads = true }, function(t)
  local ca = certs.authority(t.dir, "up")
  local pair = certs.server(t.dir, "up", "server")
  local gate, up = t:simple { tls = certs.serve(pair), provider = { ca_file = ca }, script = ("secure "):rep(5000) }
  for _ = 1, 3 do
    t:equal(#t:text(t:chat(gate, "r")), 35000)
    t:equal(#t:text(t:chat_stream(gate, "r")), 35000)
  end
  t:equal(up.connections, 1, "one connection is used again")
end)

flow.case("providers with certificates that do not fit are refused", function(t)
  local ca = certs.authority(t.dir, "good")
  certs.authority(t.dir, "other")
  local pairs_of = {
    ["another authority"] = certs.server(t.dir, "other", "foreign"),
    ["another host"] = certs.server(t.dir, "good", "host", "elsewhere.example"),
    ["expired"] = certs.server(t.dir, "good", "expired", nil, true),
  }
  for name, pair in pairs(pairs_of) do
    local gate, up = t:simple { tls = certs.serve(pair), provider = { ca_file = ca } }
    local answer = t:chat(gate, "r")
    t:equal(answer.status, 502, name)
    t:equal(#up.requests, 0, "requests to " .. name)
  end
  local gate, up = t:simple { tls = certs.serve(certs.server(t.dir, "good", "fine")) }
  t:equal(t:chat(gate, "r").status, 502, "an authority the system does not know")
  t:equal(#up.requests, 0)
end)

local nginx_config = [[
daemon off;
master_process off;
pid %s/nginx.pid;
error_log %s/nginx.log;
events { worker_connections 256; }
http {
  log_format protocol '$server_protocol';
  access_log %s/nginx.access protocol;
  client_body_temp_path %s/body; proxy_temp_path %s/proxy; fastcgi_temp_path %s/f; uwsgi_temp_path %s/u;
  scgi_temp_path %s/s;
  client_max_body_size 64m;
  server {
    listen 127.0.0.1:%d ssl http2;
    ssl_certificate %s; ssl_certificate_key %s;
    location / {
      proxy_pass http://127.0.0.1:%d; proxy_http_version 1.1; proxy_buffering off; proxy_set_header connection ""; }
  }
}
]]

local function http2_case(name, options, fn)
  flow.case("HTTP/2 to a provider: " .. name, options, function(t)
    local ca = certs.authority(t.dir, "up")
    local pair = certs.server(t.dir, "up", "server")
    local up = t:upstream { script = function(x) return t.script(x) end }
    local d = t.dir
    local nginx, port
    t:keep { close = function() nginx:stop(5) end }
    repeat -- a port that the system gives to nobody by itself; another nginx may have it
      port = math.random(10000, 30000)
      proc.write_file(d .. "/nginx.conf", nginx_config:format(d, d, d, d, d, d, d, d, port, pair.cert, pair.key,
        up.port))
      nginx = proc.start(d, "nginx", { "nginx", "-e", d .. "/nginx.log", "-c", d .. "/nginx.conf" })
      -- Its pid is written when it listens; that somebody listens may be another nginx, for which it waits.
      t:until_true(5, function() return proc.read_file(d .. "/nginx.pid") or nginx:status() end, "nginx listens")
      local log = proc.read_file(d .. "/nginx.log") or ""
      t:check(not nginx:status() or log:find("Address already in use", 1, true), "nginx starts: " .. log)
    until not nginx:status()
    local gate = t:gateway {
      providers = { up = t:provider({ dialect = "openai.chat", url = "https://localhost:" .. port },
        { http2 = true, ca_file = ca }) },
      routes = { r = { targets = { "up/model-a" } } },
    }
    fn(t, gate, up)
    t:until_true(5, function()
      return (proc.read_file(d .. "/nginx.access") or ""):find("HTTP/2.0", 1, true)
    end, "HTTP/2.0 in what the provider has seen")
  end)
end

http2_case("whole, streamed, many at once", {}, function(t, gate)
  gate.may_hold_files = true -- libcurl sees that an idle connection was closed only when it next looks
  t.script = function(x) x:serve(x:json().messages[1].content) end
  t:equal(t:text(t:chat_stream(gate, "r")), "say something")
  local tasks = {}
  for i = 1, 30 do
    tasks[i] = t:spawn(function()
      local text = ("text %d "):format(i):rep(i * 20)
      local ask = i % 2 == 0 and t.chat or t.chat_stream
      t:equal(t:text(ask(t, gate, "r", { fields = { messages = { { role = "user", content = text } } } })), text)
    end)
  end
  for _, task in ipairs(tasks) do t:check(task:join(20 * t.seconds) and not task.fault, "client done") end
end)

http2_case("a client that leaves", { alone = true }, function(t, gate)
  local noticed, reached
  t.script = function(x)
    x:start_stream()
    reached = true
    noticed = x:wait_closed(10) and t:now()
    x.last = true
  end
  t:within(0.25, function()
    noticed, reached = nil, nil
    local conn = t:client(gate)
    conn:send(t:chat_text("r", { stream = true }))
    t:until_true(5, function() return reached end, "the provider is reached")
    local left = t:now()
    conn:close()
    t:until_true(5, function() return noticed end, "the provider sees the close")
    return noticed - left
  end, "to notice it")
  gate:traces(1)
end)
