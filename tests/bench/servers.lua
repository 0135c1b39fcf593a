-- servers: what a benchmark runs: nginx (plain, and with its Lua module), the gateway, the simulator; each pinned to a
-- core, started and stopped by pid. Files under build/bench.
local socket = require "socket"

local M = { key = "mg-canary7Q-bench-0123456789abcdef" }
-- The gateway under test; the simulator is always the plain build.
M.moongate = os.getenv "MOONGATE" or "build/moongate"

local function shell(text)
  local pipe = assert(io.popen(text))
  local out = pipe:read "a"
  pipe:close()
  return out
end
M.shell = shell

M.root = shell("pwd"):gsub("%s+$", "")
M.dir = M.root .. "/build/bench"

function M.read_file(path)
  local f = io.open(path, "rb")
  if not f then return nil end
  local text = f:read "a"
  f:close()
  return text
end

function M.write_file(path, text)
  local f = assert(io.open(path, "wb"))
  f:write(text)
  f:close()
end

function M.free_port()
  local sock = assert(socket.bind("127.0.0.1", 0))
  local _, port = sock:getsockname()
  sock:close()
  return tonumber(port)
end

local running = {}

-- Starts command on a core; { pid =, out = file }. ready: a pattern that its output must show, or a port to answer.
function M.start(name, core, command, ready)
  local out = M.dir .. "/" .. name .. ".out"
  os.remove(out)
  local pid = shell(("taskset -c %d %s </dev/null >%s 2>&1 & echo $!"):format(core, command, out)):match "%d+"
  local server = { name = name, pid = tonumber(pid), out = out }
  running[#running + 1] = server
  local deadline = socket.gettime() + 20
  while true do
    if type(ready) == "string" then
      server.ready = (M.read_file(out) or ""):match(ready)
      if server.ready then return server end
    else
      local sock = socket.connect("127.0.0.1", ready)
      if sock then sock:close() return server end
    end
    assert(socket.gettime() < deadline, name .. " does not start: " .. (M.read_file(out) or ""))
    socket.sleep(0.02)
  end
end

function M.stop(server)
  for i, s in ipairs(running) do
    if s == server then table.remove(running, i) end
  end
  os.execute("kill " .. server.pid .. " 2>/dev/null")
  for _ = 1, 1500 do
    if not M.read_file("/proc/" .. server.pid .. "/stat") then return end
    if (M.read_file("/proc/" .. server.pid .. "/stat") or ""):match "%) Z" then return end
    socket.sleep(0.02)
  end
  os.execute("kill -KILL " .. server.pid .. " 2>/dev/null")
end

function M.stop_all()
  while #running > 0 do M.stop(running[#running]) end
end

-- CPU nanoseconds of all threads so far (user and system; kernel work for its sockets is inside).
function M.cpu_ns(server)
  local total = 0
  for line in shell("cat /proc/" .. server.pid .. "/task/*/schedstat 2>/dev/null"):gmatch "[^\n]+" do
    total = total + tonumber(line:match "^(%d+)")
  end
  return total
end

-- { rss, pss, anonymous } in KiB.
function M.memory(server)
  local text = M.read_file("/proc/" .. server.pid .. "/smaps_rollup") or ""
  return { rss = tonumber(text:match "\nRss:%s*(%d+)"), pss = tonumber(text:match "\nPss:%s*(%d+)"),
    anonymous = tonumber(text:match "\nAnonymous:%s*(%d+)") }
end

-- ---- the servers --------------------------------------------------------------------------------------------------

M.gateway_core, M.load_core = 0, 1

function M.certificates()
  if M.read_file(M.dir .. "/ca.pem") then return end
  local key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
  shell(table.concat({
    "cd " .. M.dir,
    "openssl req -x509 " .. key .. " -days 365 -subj '/CN=bench ca' -keyout ca.key -out ca.new 2>/dev/null",
    "openssl req -new " .. key .. " -subj '/CN=localhost' -keyout up.key -out up.csr 2>/dev/null",
    "printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' >up.ext",
    "openssl x509 -req -in up.csr -CA ca.new -CAkey ca.key -set_serial 2 -days 365 -extfile up.ext -out up.pem "
      .. "2>/dev/null",
    "mv ca.new ca.pem", -- last: where it stands, all of them do
  }, " && "))
end

function M.simulator(name, options)
  local server = M.start(name, M.load_core, "build/moongate simulate --listen 127.0.0.1:0 --keep 0 --quiet "
    .. (options or ""),
    "listening on %S-:(%d+)")
  server.port = tonumber(server.ready)
  return server
end

local policy = [[
-- Short prompts to the cheap pool, the rest to the strong one.
local P = { api = 1 }
function P.setup() return { small = gw.pool "small", large = gw.pool "large" } end
function P:route(req)
  if req.prompt_tokens < 2000 then return self.small, self.large end
  return self.large, self.small
end
return P
]]

-- Everything on: key, team, Lua policy, accounting, trace. options: workers, upstream (URL), ca_file, wrap (a command
-- before it, such as valgrind), core.
function M.gateway(name, options)
  M.write_file(M.dir .. "/policy.lua", policy)
  os.remove(M.dir .. "/" .. name .. "-traces.jsonl")
  M.write_file(M.dir .. "/" .. name .. ".lua", ([[return {
  listen = "127.0.0.1:0", admin = { listen = "127.0.0.1:0" }, workers = %d,
  providers = { sim = { adapter = "openai-compatible", base_url = %q, keys = { "sk-bench" }, %s } },
  routes = { r = { policy = "policy.lua", pools = { small = { "sim/small" }, large = { "sim/large" } } } },
  teams = { bench = {} },
  keys = { { name = "bench", team = "bench", key = %q } },
  prices = { ["sim/small"] = { input = "0.25", output = "2" }, ["sim/large"] = { input = "2.5", output = "10" } },
  trace = { file = %q },
}
]]):format(options.workers or 1, options.upstream, options.ca_file and ("ca_file = %q"):format(options.ca_file) or "",
  M.key,
    M.dir .. "/" .. name .. "-traces.jsonl"))
  local server = M.start(name, options.core or M.gateway_core,
    ("%s %s run --config %s/%s.lua"):format(options.wrap or "", M.moongate, M.dir, name), "ready on %S-:(%d+)")
  server.port = tonumber(server.ready)
  return server
end

local nginx_head = [[
%s
daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 20000;
pid %s/NAME.pid; error_log %s/NAME.log crit;
events { worker_connections 20000; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 300s;
  client_body_buffer_size 2m; client_max_body_size 64m;
  client_body_temp_path %s/NAME.body; proxy_temp_path %s/NAME.proxy; fastcgi_temp_path %s/NAME.f;
  uwsgi_temp_path %s/NAME.u; scgi_temp_path %s/NAME.s;
  upstream sim { server 127.0.0.1:%d; keepalive 256; keepalive_requests 1000000000; keepalive_timeout 300s; }
]]

local nginx_server = [[
  server {
    listen 127.0.0.1:%d backlog=4096 reuseport;
    location / {
      %s
      proxy_pass %s; proxy_http_version 1.1; proxy_set_header connection ""; proxy_buffering off;
      proxy_read_timeout 300s;
      %s
    }
  }
}
]]

-- nginx as a plain proxy, or with `lua`: key check and cjson.decode of the body. options: upstream_port, tls, lua.
function M.nginx(name, options)
  local d = M.dir
  local modules = options.lua and "load_module modules/ndk_http_module.so; load_module modules/ngx_http_lua_module.so;"
    or ""
  local head = nginx_head:format(modules, d, d, d, d, d, d, d, options.upstream_port):gsub("NAME", name)
  local port = M.free_port()
  local access = ""
  if options.lua then
    head = head .. '  lua_package_cpath "/usr/lib/x86_64-linux-gnu/lua/5.1/?.so;;";\n'
    access = [[
      access_by_lua_block {
        local cjson = require "cjson"
        if ngx.var.http_authorization ~= "Bearer ]] .. M.key .. [[" then return ngx.exit(401) end
        ngx.req.read_body()
        local body = cjson.decode(ngx.req.get_body_data())
        local routes = { r = "small" }
        if not routes[body.model] then return ngx.exit(404) end
        ngx.req.set_header("x-model", routes[body.model])
      }]]
  end
  local tls = options.tls and ([[proxy_ssl_verify on; proxy_ssl_trusted_certificate %s/ca.pem; proxy_ssl_name localhost;
      proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.3;]]):format(d) or ""
  M.write_file(d .. "/" .. name .. ".conf", head .. nginx_server:format(port, access,
    (options.tls and "https" or "http") .. "://sim", tls))
  local server = M.start(name, options.core or M.gateway_core, ("nginx -e %s/%s.log -c %s/%s.conf")
    :format(d, name, d, name), port)
  server.port = port
  return server
end

-- Runs the load generator to its end: its figures by name.
function M.load(server, body, options)
  local words = { ("taskset -c %d build/bench/load --port %d --key %s --body %s")
    :format(M.load_core, server.port, M.key, body) }
  for name, value in pairs(options) do words[#words + 1] = ("--%s %s"):format(name, value) end
  local figures = {}
  for name, value in shell(table.concat(words, " ")):gmatch "([%w_]+)=([%d.]+)" do figures[name] = tonumber(value) end
  assert(figures.requests, "the load generator said nothing about " .. server.name)
  return figures
end

-- Begins to hold connections (streams when the body asks for one) and returns when all have an answer: { pid, stop() }.
function M.hold(server, body, connections)
  local out = M.dir .. "/hold.out"
  os.remove(out)
  local pid = shell(
    ("taskset -c %d build/bench/load --port %d --key %s --body %s --connections %d --hold "
      .. "</dev/null >%s 2>&1 & echo $!")
    :format(M.load_core, server.port, M.key, body, connections, out)):match "%d+"
  local line
  for _ = 1, 1200 do
    line = (M.read_file(out) or ""):match "holding=[^\n]+\n"
    if line then break end
    socket.sleep(0.05)
  end
  assert(line, "connections could not be held: " .. (M.read_file(out) or ""))
  return { without_answer = tonumber(line:match "without_answer=(%d+)"),
    failures = tonumber(line:match "failures=(%d+)"), stop = function()
    os.execute("kill " .. pid)
    socket.sleep(0.3)
    return M.read_file(out)
  end }
end

return M
