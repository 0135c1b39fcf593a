-- flow: what a case is written in. A case is a function of `t`; everything it starts through t ends with it, and a
-- gateway that does not end clean, or has more files open than before, fails it.
--
--     flow.case("a dead first provider costs the client nothing", function(t)
--       local gate = t:gateway { providers = { dead = t:dead(), alive = t:provider(t:upstream { script = "hi" }) },
--         routes = { r = { targets = { "dead/m", "alive/m" } } } }
--       t:equal(t:text(t:chat(gate, "r")), "hi")
--     end)
local answers = require "answers"
local gateway = require "gateway"
local http = require "http"
local json = require "cjson"
local loop = require "loop"
local net = require "net"
local proc = require "proc"
local upstream = require "upstream"
local watch = require "watch"

local M = { cases = {}, env = gateway.env, client_key = gateway.client_key, slow = gateway.slow }

-- options.alone: nothing else runs meanwhile (it measures time or memory); options.seconds: its deadline (60);
-- options.only: "release" when a sanitizer's overhead would make it meaningless.
function M.case(name, options, fn)
  if type(options) == "function" then options, fn = {}, options end
  local where = debug.getinfo(2, "S").short_src:match "([^/]+)_flow%.lua$"
  M.cases[#M.cases + 1] = { name = name, file = where, run = fn, options = options }
end

local T = {}
T.__index = T

function M.new_case_state(dir)
  return setmetatable({ dir = dir, opened = {}, gateways = {}, captured = {}, order_faults = {},
    seconds = gateway.slow }, T)
end

-- ---- what is expected --------------------------------------------------------------------------------------

local function show(value)
  if type(value) == "table" then
    local ok, text = pcall(json.encode, value)
    return ok and text or tostring(value)
  end
  value = type(value) == "string" and ("%q"):format(value) or tostring(value)
  return #value > 600 and value:sub(1, 600) .. "…" or value
end

function T:fail(text) error(text, 0) end

function T:check(value, what)
  if not value then error((what or "expectation") .. " does not hold ("
    .. debug.getinfo(2, "S").short_src:match "[^/]+$"
    .. ":" .. debug.getinfo(2, "l").currentline .. ")", 0) end
  return value
end

function T:equal(value, expected, what)
  if value ~= expected then
    error(("%s is %s, not %s (%s:%d)"):format(what or "value", show(value), show(expected),
      debug.getinfo(2, "S").short_src:match "[^/]+$", debug.getinfo(2, "l").currentline), 0)
  end
end

function T:match(text, pattern, what)
  if type(text) ~= "string" or not text:find(pattern) then
    error(("%s is %s, which does not match %q (line %d)"):format(what or "text", show(text), pattern,
      debug.getinfo(2, "l").currentline), 0)
  end
end

function T:absent(text, plain, what)
  if text:find(plain, 1, true) then error(("%s holds %q: %s"):format(what or "text", plain, show(text)), 0) end
end

-- ---- parts --------------------------------------------------------------------------------------------------

function T:keep(thing)
  self.opened[#self.opened + 1] = thing
  return thing
end

-- options: dialect, script, tls. See upstream.lua.
function T:upstream(options) return self:keep(upstream.new(options or {})) end

-- A provider entry for a config that points to an upstream. more: further fields.
function T:provider(up, more)
  local number = (self.key_number or 0) + 1
  self.key_number = number
  local anthropic = up.dialect == "anthropic.messages"
  local entry = {
    adapter = anthropic and "anthropic" or "openai",
    base_url = up.url .. "/v1",
    keys = { gateway.env("FLOW_KEY_" .. number, up.key or "sk-canary7Q-provider-" .. number) },
    timeouts = { connect = "20s", tls = "20s", first_token = "20s", between_tokens = "20s", total = "60s" },
  }
  up.key = entry.keys[1].value
  for name, value in pairs(more or {}) do entry[name] = value end
  return entry
end

-- A provider nobody serves.
function T:dead(dialect)
  local port, sock = net.closed_port()
  self:keep(sock)
  return self:provider { dialect = dialect, url = "http://127.0.0.1:" .. port }
end

-- A port whose queue of connections is full: nobody gets through.
function T:full_port()
  local full = net.listen(function() end, { backlog = 0 })
  full.closed = true
  self:keep { close = function() full.sock:close() end }
  repeat -- the queue takes one or two more than it was told
    local conn = net.connect(full.port, { seconds = 0.3 * self.seconds })
    if conn then self:keep(conn) end
  until not conn
  return full.port
end

-- A port where connections are made, by the kernel, and nobody ever reads.
function T:deaf_port()
  local deaf = net.listen(function() end)
  deaf.closed = true
  self:keep { close = function() deaf.sock:close() end }
  return deaf.port
end

-- The config as in gateway.lua; options: arguments, environment.
function T:gateway(config, options)
  options = options or {}
  options.config = config
  options.name = "gateway" .. (#self.gateways > 0 and #self.gateways + 1 or "")
  local gate = gateway.start(self.dir, options)
  self.gateways[#self.gateways + 1] = gate
  return gate
end

-- One upstream and one gateway with a route "r" to it: what most cases need.
function T:simple(options)
  options = options or {}
  local up = self:upstream(options)
  local config = options.config or {}
  config.providers = { up = self:provider(up, options.provider) }
  config.routes = { r = { targets = { "up/model-a" } } }
  return self:gateway(config), up
end

-- A connection to the gateway; options.tls: luasec parameters; options.receive_bytes.
function T:client(gate, options)
  local connecting = {
    report = function(text, bytes) self:order_fault(text, bytes) end,
    excuse = function(rule) return self:excuse(rule) end,
  }
  for name, value in pairs(options or {}) do connecting[name] = value end
  local conn, why = net.connect(gate.port, connecting)
  if not conn then self:fail("cannot connect to the gateway: " .. tostring(why)) end
  conn.capture = ""
  self.captured[#self.captured + 1] = conn
  self:keep(conn)
  if options and options.tls then
    local ok, fault = conn:tls(options.tls, "localhost")
    if not ok then return nil, fault end
  end
  return conn
end

-- A stream that no client of its dialect could follow (watch.lua): the case fails, and the bytes are kept.
function T:order_fault(text, bytes)
  local faults = self.order_faults
  faults[#faults + 1] = text
  proc.write_file(("%s/stream%d.bytes"):format(self.dir, #faults), bytes)
end

-- For a stream that was received in a process of its own.
function T:judge_stream(dialect, bytes)
  watch.new(function(text) self:order_fault(text, bytes) end):judge(dialect, bytes, "whole")
end

-- The case's own provider sends streams that break these rules ("end finish") of the order of events, and the gateway
-- passes them as they are. At least one of them must be broken; why: what is said of it at the stage's end.
function T:provider_breaks(rules, why)
  self.broken = { why = why, seen = false, rules = {} }
  for rule in rules:gmatch "%S+" do self.broken.rules[rule] = true end
end

function T:excuse(rule)
  local broken = self.broken
  if not broken or not broken.rules[rule] then return nil end
  broken.seen = true
  return broken.why
end

M.paths = { ["openai.chat"] = "/v1/chat/completions", ["anthropic.messages"] = "/v1/messages" }

-- The text of a chat request. options: dialect, stream, key, body, fields (merged into the body), headers, target.
function T:chat_text(model, options)
  options = options or {}
  local dialect = options.dialect or "openai.chat"
  local body = options.body
  if not body then
    local fields = { model = model, messages = { { role = "user", content = "say something" } } }
    if dialect == "anthropic.messages" then fields.max_tokens = 64 end
    if options.stream then fields.stream = true end
    for name, value in pairs(options.fields or {}) do fields[name] = value end
    body = json.encode(fields)
  end
  local headers = {}
  if options.key ~= false then
    headers[1] = (dialect == "anthropic.messages" and "x-api-key: " or "authorization: Bearer ")
      .. (options.key or M.client_key)
  end
  if dialect == "anthropic.messages" then headers[#headers + 1] = "anthropic-version: 2023-06-01" end
  for _, line in ipairs(options.headers or {}) do headers[#headers + 1] = line end
  return http.request_text {
    method = "POST", target = options.target or M.paths[dialect], headers = headers, body = body,
      chunked = options.chunked,
  }
end

-- Sends a chat request on a connection of its own and reads the whole answer.
function T:chat(gate, model, options)
  options = options or {}
  local conn = options.conn or self:client(gate, options.client)
  self:check(conn:send(self:chat_text(model, options)), "sending")
  local answer, why = http.read_response(conn, options.seconds)
  if not answer then self:fail("no answer: " .. tostring(why)) end
  if not options.conn then conn:close() end
  answer.dialect = options.dialect or "openai.chat"
  return answer
end

-- The same for a stream: answer with .events (and .cut when it did not end properly).
function T:chat_stream(gate, model, options)
  options = options or {}
  options.stream = true
  local conn = options.conn or self:client(gate, options.client)
  self:check(conn:send(self:chat_text(model, options)), "sending")
  local answer, why = http.read_head(conn, options.seconds)
  if not answer then self:fail("no answer: " .. tostring(why)) end
  answer.dialect = options.dialect or "openai.chat"
  if (answer.headers["content-type"] or ""):find("text/event-stream", 1, true) then
    answer.events = answer:read_events(options.seconds)
  else
    answer:read_body(options.seconds)
  end
  if not options.conn then conn:close() end
  return answer
end

-- The text a client reads in a good answer, whole or streamed; fails on anything else.
function T:text(answer)
  if answer.status ~= 200 then self:fail("status " .. answer.status .. ": " .. show(answer.body)) end
  if answer.events then
    local text, ended = answers.stream_text[answer.dialect](answer.events)
    self:check(ended, "terminal event of the stream")
    self:check(not answer.cut, "proper end of the stream")
    return text
  end
  return answers.text_of[answer.dialect](answer.body)
end

-- Checks the envelope of an error in the dialect; returns its code or type.
function T:envelope(answer, dialect)
  self:match(answer.headers["content-type"], "^application/json", "content-type")
  self:check(answer.headers["x-request-id"], "x-request-id of an error")
  local ok, body = pcall(json.decode, answer.body)
  self:check(ok, "JSON in the error body " .. show(answer.body))
  self:check(type(body.error) == "table" and type(body.error.message) == "string", "error.message in "
    .. show(answer.body))
  self:check(type(body.error.type) == "string", "error.type")
  if dialect == "anthropic.messages" then
    self:equal(body.type, "error", "type of the envelope")
    return body.error.type
  end
  return body.error.code
end

-- Checks that what fn() returns, seconds, is within `limit` in one of five tries: a machine that stands
-- still for a moment spoils one of them, a gateway that is slow spoils all.
function T:within(limit, fn, what)
  local took
  for _ = 1, 5 do
    took = fn()
    if took <= limit * self.seconds then return end
  end
  self:fail(("%s took %.0f ms, five times more than %.0f"):format(what, took * 1000, limit * self.seconds * 1000))
end

function T:sleep(seconds) loop.sleep(seconds) end
function T:now() return loop.now() end
function T:spawn(fn) return loop.spawn(fn) end
-- Waits until fn() is true, for `seconds` or loop.patience, whichever is longer.
function T:until_true(seconds, fn, what)
  return self:check(loop.until_true(math.max(seconds, loop.patience), fn), what or "condition in time")
end

-- The one trace record with that request id (or the only one).
function T:trace(gate, request_id)
  local found
  loop.until_true(loop.patience, function()
    for _, record in ipairs(gate:traces(1, 0)) do
      if not request_id or record.request_id == request_id then found = record end
    end
    return found
  end)
  return self:check(found, "trace record of " .. tostring(request_id))
end

-- Ends everything; the list of what was wrong.
function T:finish()
  local wrong = {}
  for _, thing in ipairs(self.opened) do thing:close() end
  for _, gate in ipairs(self.gateways) do
    if not gate.process:status() and not gate.may_hold_files then
      local allowed = gate.files_at_start + 1
      local n, kinds
      local closed = loop.until_true(loop.patience, function()
        n, kinds = gate.process:open_files()
        return n <= allowed
      end)
      if not closed then
        wrong[#wrong + 1] = ("%d files open, %d at start: now %s; then %s"):format(n, gate.files_at_start, kinds,
          gate.kinds_at_start)
      end
    end
    for _, text in ipairs(gate:stop()) do wrong[#wrong + 1] = text end
  end
  if self.broken and not self.broken.seen then wrong[#wrong + 1] = "no stream broke a rule: " .. self.broken.why end
  for i, text in ipairs(self.order_faults) do
    if i <= 5 then wrong[#wrong + 1] = text end
  end
  local out = {}
  for i, conn in ipairs(self.captured) do out[i] = conn.capture or "" end
  proc.write_file(self.dir .. "/client.bytes", table.concat(out, "\n"))
  for _, conn in ipairs(self.captured) do
    if conn.capture and conn.capture:find("canary7Q", 1, true) and not self.canary_allowed then
      wrong[#wrong + 1] = "a secret reached a client"
      break
    end
  end
  return wrong
end

return M
