-- net: connections for tasks: raw bytes with deadlines, splits, half closes, resets, TLS. Knows nothing of HTTP; what a
-- client sends and receives is shown to watch.lua.
local loop = require "loop"
local socket = require "socket"
local ssl = require "ssl"
local watch = require "watch"

local M = {}

local Conn = {}
Conn.__index = Conn

local function wrap(sock)
  sock:settimeout(0)
  pcall(sock.setoption, sock, "tcp-nodelay", true)
  return setmetatable({ sock = sock, inbuf = "", received = 0, sent = 0 }, Conn)
end

-- A connection to 127.0.0.1:port, or nil and why. options.receive_bytes: SO_RCVBUF, for slow
-- readers; options.seconds: how long it may take, loop.patience when absent; options.report, options.excuse: of
-- watch.new.
function M.connect(port, options)
  local sock = assert(socket.tcp4())
  sock:settimeout(0)
  if options and options.receive_bytes then sock:setoption("recv-buffer-size", options.receive_bytes) end
  local ok, why = sock:connect("127.0.0.1", port)
  if not ok and why ~= "timeout" then sock:close() return nil, why end
  if not ok then
    loop.writable(sock, loop.now() + (options and options.seconds or loop.patience))
    ok, why = sock:connect("127.0.0.1", port)
    if not ok and why ~= "already connected" then sock:close() return nil, why end
  end
  local conn = wrap(sock)
  conn.watch = watch.new(options and options.report, options and options.excuse)
  return conn
end

-- Turns c into a TLS connection. params as luasec's newcontext wants them; sni: the name to ask for.
function Conn:tls(params, sni)
  local context, why = ssl.newcontext(params)
  if not context then return nil, why end
  local sock = assert(ssl.wrap(self.sock, context))
  sock:settimeout(0)
  if sni then sock:sni(sni) end
  self.sock = sock
  local deadline = loop.now() + loop.patience
  while true do
    local ok, state = sock:dohandshake()
    if ok then return self end
    if state == "wantread" then
      if not loop.readable(sock, deadline) then return nil, "timeout" end
    elseif state == "wantwrite" then
      if not loop.writable(sock, deadline) then return nil, "timeout" end
    else
      return nil, state
    end
  end
end

-- All of text, or nil and why. Waits as long as it takes, up to `seconds` (20) without progress.
function Conn:send(text, seconds)
  if self.watch then self.watch:sent(text) end
  local at = 1
  while at <= #text do
    local last, why, partial = self.sock:send(text, at)
    local upto = last or partial
    if upto and upto >= at then
      self.sent = self.sent + (upto - at + 1)
      at = upto + 1
    end
    if not last then
      if why == "closed" or (why ~= "timeout" and why ~= "wantwrite" and why ~= "wantread") then return nil, why end
      local ready = why == "wantread" and loop.readable or loop.writable
      if not ready(self.sock, loop.now() + (seconds or 20)) then return nil, "timeout" end
    end
  end
  return true
end

-- The same, cut into pieces of `size` bytes with a pause between them.
function Conn:drip(text, size, pause)
  for at = 1, #text, size do
    local ok, why = self:send(text:sub(at, at + size - 1))
    if not ok then return nil, why end
    if pause then loop.sleep(pause) end
  end
  return true
end

-- Adds what has come to self.inbuf. True, or nil and "closed" | "timeout" | another reason.
function Conn:fill(deadline)
  while true do
    local whole, why, part = self.sock:receive(65536)
    local text = whole or part
    if text and #text > 0 then
      self.inbuf = self.inbuf .. text
      self.received = self.received + #text
      if self.watch then self.watch:received(text) end
      if self.capture and #self.capture < 262144 then self.capture = self.capture .. text end
      return true
    end
    if why == "timeout" or why == "wantread" then
      if not loop.readable(self.sock, deadline) then return nil, self.gone and "closed" or "timeout" end
    elseif why == "wantwrite" then
      if not loop.writable(self.sock, deadline) then return nil, "timeout" end
    else
      self.end_reason = why
      if self.watch then self.watch:over(false) end
      return nil, why == "closed" and "closed" or why
    end
  end
end

-- Exactly n bytes, or nil and why.
function Conn:read(n, seconds)
  local deadline = loop.now() + (seconds or 20)
  while #self.inbuf < n do
    local ok, why = self:fill(deadline)
    if not ok then return nil, why end
  end
  local text = self.inbuf:sub(1, n)
  self.inbuf = self.inbuf:sub(n + 1)
  return text
end

-- Bytes up to and with `mark` (plain text), or nil and why.
function Conn:read_until(mark, seconds)
  local deadline = loop.now() + (seconds or 20)
  local from = 1
  while true do
    local _, last = self.inbuf:find(mark, from, true)
    if last then
      local text = self.inbuf:sub(1, last)
      self.inbuf = self.inbuf:sub(last + 1)
      return text
    end
    from = math.max(1, #self.inbuf - #mark)
    local ok, why = self:fill(deadline)
    if not ok then return nil, why end
  end
end

-- Waits for the other side's close; true, or nil when it has not come in `seconds`. What comes before is kept.
function Conn:wait_closed(seconds)
  local deadline = loop.now() + seconds
  while true do
    local ok, why = self:fill(deadline)
    if not ok then return why ~= "timeout" or nil end
  end
end

function Conn:half_close() self.sock:shutdown("send") end

function Conn:close()
  if self.gone then return end
  self.gone = true
  if self.watch then self.watch:over(true) end
  loop.forget(self.sock)
  self.sock:close()
end

-- Closes with a RST.
function Conn:reset()
  if self.gone then return end
  self.sock:setoption("linger", { on = true, timeout = 0 })
  self:close()
end

-- Listens on 127.0.0.1, a port of the system's choice, and calls serve(conn) as a task for each connection.
function M.listen(serve, options)
  options = options or {}
  local sock = assert(socket.bind("127.0.0.1", options.port or 0, options.backlog or 512))
  sock:settimeout(0)
  local _, port = sock:getsockname()
  local listener = { sock = sock, port = tonumber(port), connections = {} }
  local group = loop.group()
  loop.spawn(function()
    while not listener.closed do
      if loop.readable(sock) and not listener.closed then
        local accepted = sock:accept()
        if accepted then
          local conn = wrap(accepted)
          listener.connections[#listener.connections + 1] = conn
          loop.spawn(function()
            if options.tls and not conn:tls(options.tls) then
              listener.tls_failures = (listener.tls_failures or 0) + 1
              return conn:close()
            end
            serve(conn)
            conn:close()
          end, group)
        end
      end
    end
  end, group)
  function listener:close()
    if self.closed then return end
    self.closed = true
    loop.forget(sock)
    sock:close()
    for _, conn in ipairs(self.connections) do conn:close() end
  end
  return listener
end

-- A port nobody listens on, nor will: it is bound as long as `sock`, the second result, is open.
function M.closed_port()
  local sock = assert(socket.tcp4())
  assert(sock:bind("127.0.0.1", 0))
  local _, port = sock:getsockname()
  return tonumber(port), sock
end

return M
