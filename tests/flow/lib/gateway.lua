-- gateway: the real binary with a config made for one case. Started on ports of the system's choice, stopped at the
-- case's end, when it must exit clean. Keys in its config are canaries: they must never turn up in what it writes.
local json = require "cjson"
local lfs = require "lfs"
local loop = require "loop"
local net = require "net"
local http = require "http"
local proc = require "proc"

local M = { binary = os.getenv "MOONGATE" or "build/moongate", slow = tonumber(os.getenv "FLOW_SLOW" or "1") }

if M.binary:sub(1, 1) ~= "/" then M.binary = lfs.currentdir() .. "/" .. M.binary end -- cases run it elsewhere, too

M.client_key = "mg-canary7Q-client-0123456789abcdef"
M.admin_token = "canary7Q-admin-0123456789abcdef"

local Env = {}
-- A secret by reference in a config table: written as `env "NAME"`; `value` goes into the gateway's environment.
function M.env(name, value) return setmetatable({ name = name, value = value }, Env) end

local function lua_text(value, indent, environment)
  if getmetatable(value) == Env then
    environment[value.name] = value.value
    return ("env %q"):format(value.name)
  end
  if type(value) ~= "table" then return type(value) == "string" and ("%q"):format(value) or tostring(value) end
  local pad = indent .. "  "
  local out, keys = {}, {}
  for i, item in ipairs(value) do out[i] = pad .. lua_text(item, pad, environment) end
  for key in pairs(value) do
    if type(key) ~= "number" then keys[#keys + 1] = key end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do
    out[#out + 1] = ("%s[%q] = %s"):format(pad, key, lua_text(value[key], pad, environment))
  end
  if #out == 0 then return "{}" end
  return "{\n" .. table.concat(out, ",\n") .. "\n" .. indent .. "}"
end

local Gateway = {}
Gateway.__index = Gateway

-- Writes the config file; used again before a reload.
function Gateway:write_config(config)
  self.config = config
  proc.write_file(self.file, "return " .. lua_text(config, "", self.environment) .. "\n")
end

-- options.config: the config without listen, admin, trace, limits.head_time (set here unless present);
-- options.arguments: more for `run`; options.binary: another one than M.binary.
function M.start(dir, options)
  local number = (options.name or ""):match "%d*$" -- each of a case has its own files
  local gate = setmetatable({ dir = dir, environment = {}, trace_file = ("%s/traces%s.jsonl"):format(dir, number),
    file = ("%s/moongate%s.lua"):format(dir, number), metrics_file = ("%s/metrics%s.txt"):format(dir, number) },
    Gateway)
  for name, value in pairs(options.environment or {}) do gate.environment[name] = value end
  local config = options.config
  config.listen = config.listen or "127.0.0.1:0"
  config.workers = config.workers or 1
  config.admin = config.admin or { listen = "127.0.0.1:0", token = M.env("FLOW_ADMIN_TOKEN", M.admin_token) }
  config.trace = config.trace or { file = gate.trace_file }
  config.limits = config.limits or {} -- a client that stands still between two steps is a case of head_time's own
  config.limits.head_time = config.limits.head_time or "60s"
  if config.keys == nil then
    config.teams = config.teams or { search = {} }
    config.keys = { { name = "flow", team = "search", key = M.env("FLOW_CLIENT_KEY", M.client_key) } }
  elseif config.keys == false then
    config.keys = nil
  end
  gate:write_config(config)
  gate.tls = config.tls ~= nil
  local argv = { options.binary or M.binary, "run", "--config", gate.file }
  for _, word in ipairs(options.arguments or {}) do argv[#argv + 1] = word end
  gate.process = proc.start(dir, options.name or "gateway", argv, gate.environment)
  local from = loop.now()
  local ready = loop.until_true(2 * loop.patience, function()
    if gate.process:status() then return "ended" end
    return gate.process:output():match "moongate: ready on [^\n]+\n"
  end)
  gate.ready_seconds = loop.now() - from
  if not ready or ready == "ended" then
    gate.process:stop(1)
    error("the gateway did not get ready: " .. gate.process:output() .. gate.process:errors(), 0)
  end
  gate.port = tonumber(ready:match "ready on [^%s]-:(%d+)")
  gate.admin_port = tonumber(ready:match "admin [^%s)]-:(%d+)")
  assert(gate.port, "no port in: " .. ready)
  -- It is ready before its workers are; they have opened what they need for each provider when they all run.
  assert(loop.until_true(2 * loop.patience, function()
    return gate.process:status() or gate.process:errors():find("generation 1 runs", 1, true)
  end), "no worker runs")
  gate.files_at_start, gate.kinds_at_start = gate.process:open_files()
  return gate
end

-- Trace records so far, decoded. Waits for `count` of them, unless `seconds` is 0.
function Gateway:traces(count, seconds)
  local text
  local function is_complete()
    text = proc.read_file(self.trace_file) or ""
    return select(2, text:gsub("\n", "")) >= (count or 1)
  end
  if not is_complete() and seconds ~= 0 then loop.until_true(loop.patience, is_complete) end
  local list = {}
  for line in text:gmatch "([^\n]+)\n" do list[#list + 1] = json.decode(line) end
  return list
end

-- GET or POST on the admin port with its token: the answer.
function Gateway:admin(method, target, headers)
  local conn = assert(net.connect(self.admin_port))
  headers = headers or { authorization = "Bearer " .. M.admin_token }
  conn:send(http.request_text { method = method, target = target, headers = headers, body = method == "POST" and ""
    or nil })
  local answer, why = http.read_response(conn, 20)
  conn:close()
  assert(answer, "no answer on the admin port: " .. tostring(why))
  return answer
end

function Gateway:metrics()
  local text = self:admin("GET", "/metrics").body
  proc.write_file(self.metrics_file, text)
  return text
end

-- Stops it; returns a list of what was wrong with its end.
function Gateway:stop()
  if self.stopped then return {} end
  self.stopped = true
  local wrong = {}
  if self.process:status() then
    if not self.expect_exit then wrong[1] = "the gateway ended by itself with " .. self.process:status() end
  else
    if self.admin_port and not self.dirty then pcall(function() self:metrics() end) end
    local status = self.process:stop(2 * loop.patience)
    if status ~= 0 then wrong[#wrong + 1] = "exit status " .. tostring(status) .. " after SIGTERM" end
  end
  local errors = self.process:errors()
  local report = errors:match "[^\n]*ERROR: %w+Sanitizer[^\n]*" or errors:match "[^\n]*runtime error:[^\n]*"
    or errors:match "[^\n]*WARNING: ThreadSanitizer[^\n]*" or errors:match "[^\n]*must%([^\n]*"
  if report then wrong[#wrong + 1] = report end
  return wrong
end

return M
