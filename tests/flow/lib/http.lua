-- http: messages over a net connection, read without mercy: what is malformed is an error of the test. Both directions.
-- Reads whole bodies, pieces as they come, or server-sent events.
local loop = require "loop"

local M = {}

local function parse_head(text)
  local lines = {}
  for line in text:gmatch "(.-)\r\n" do lines[#lines + 1] = line end
  local head = { first = lines[1], headers = {}, list = {}, raw = text }
  for i = 2, #lines - 1 do
    local name, value = lines[i]:match "^([^:%s]+):[ \t]*(.-)[ \t]*$"
    assert(name, "malformed header line: " .. tostring(lines[i]))
    name = name:lower()
    head.headers[name] = head.headers[name] and head.headers[name] .. ", " .. value or value
    head.list[#head.list + 1] = { name, value }
  end
  return head
end

local Message = {}
Message.__index = Message

-- The next piece of the body as it comes, decoded; nil at the end. self.cut says why when the end is not a proper one.
function Message:piece(seconds)
  if self.over then return nil end
  local conn, deadline = self.conn, loop.now() + (seconds or 20)
  local function stop(why)
    self.over, self.cut = true, why
    return nil
  end
  if self.framing == "none" or self.left == 0 and self.framing == "length" then return stop() end
  if self.framing == "chunked" and self.left == 0 then
    local line, why = conn:read_until("\r\n", seconds)
    if not line then return stop(why) end
    local size = tonumber(line:match "^(%x+)", 16)
    assert(size, "malformed chunk size: " .. line)
    if size == 0 then
      repeat
        line, why = conn:read_until("\r\n", seconds)
        if not line then return stop(why) end
      until line == "\r\n"
      return stop()
    end
    self.left = size
  end
  if #conn.inbuf == 0 then
    local ok, why = conn:fill(deadline)
    if not ok then
      if self.framing == "close" and why == "closed" then return stop() end
      return stop(why)
    end
  end
  local text = conn.inbuf
  if self.framing ~= "close" then
    text = text:sub(1, self.left)
    self.left = self.left - #text
  end
  conn.inbuf = conn.inbuf:sub(#text + 1)
  if self.framing == "chunked" and self.left == 0 then
    local mark, why = conn:read(2, seconds)
    if not mark then self.cut_after = why else assert(mark == "\r\n", "no line end behind a chunk") end
  end
  return text
end

-- The whole body; self.cut is set when it did not end properly.
function Message:read_body(seconds)
  local parts = {}
  for text in function() return self:piece(seconds) end do parts[#parts + 1] = text end
  self.body = table.concat(parts)
  return self.body
end

-- The next server-sent event: { event =, data =, at = time }; nil at the end. Line ends as they come.
function Message:event(seconds)
  self.pending = self.pending or ""
  while true do
    local block, rest = self.pending:match "^(.-)\r?\n\r?\n(.*)$"
    if block then
      self.pending = rest
      local event, lines = nil, {}
      for line in (block .. "\n"):gmatch "(.-)\r?\n" do
        local field, value = line:match "^([%w]+):%s?(.*)$"
        if field == "event" then event = value elseif field == "data" then lines[#lines + 1] = value end
      end
      if #lines > 0 or event then return { event = event, data = table.concat(lines, "\n"), at = loop.now() } end
    else
      local text = self:piece(seconds)
      if not text then return nil end
      self.pending = self.pending .. text
    end
  end
end

function Message:read_events(seconds)
  local list = {}
  for e in function() return self:event(seconds) end do list[#list + 1] = e end
  return list
end

-- The value of a header, nil when absent.
function Message:header_value(name) return self.headers[name:lower()] end

local function framing(message, no_body)
  local h = message.headers
  message.left = 0
  if no_body then message.framing = "none"
  elseif h["transfer-encoding"] then
    assert(h["transfer-encoding"]:lower() == "chunked", "odd transfer-encoding: " .. h["transfer-encoding"])
    message.framing = "chunked"
  elseif h["content-length"] then
    message.framing, message.left = "length", assert(tonumber(h["content-length"]))
  else message.framing = message.is_request and "none" or "close" end
end

-- The head of an answer, its body to be read by piece/event/read_body. nil and why when the connection ends first.
function M.read_head(conn, seconds, to_head)
  local text, why = conn:read_until("\r\n\r\n", seconds)
  if not text then return nil, why end
  local message = setmetatable(parse_head(text), Message)
  message.conn = conn
  message.version, message.status = message.first:match "^(HTTP/1%.[01]) (%d%d%d)"
  assert(message.status, "malformed status line: " .. tostring(message.first))
  message.status = tonumber(message.status)
  framing(message, to_head or message.status < 200 or message.status == 204 or message.status == 304)
  return message
end

-- A whole answer (1xx ones are counted in interim and passed over).
function M.read_response(conn, seconds, to_head)
  local interim = 0
  while true do
    local message, why = M.read_head(conn, seconds, to_head)
    if not message then return nil, why end
    if message.status >= 200 then
      message.interim = interim
      message:read_body(seconds)
      return message
    end
    interim = interim + 1
  end
end

-- A whole request, on the serving side. nil and why when the connection ends within it: nobody is asked by half of one.
function M.read_request(conn, seconds)
  local text, why = conn:read_until("\r\n\r\n", seconds or 3600)
  if not text then return nil, why end
  local message = setmetatable(parse_head(text), Message)
  message.conn, message.is_request, message.at = conn, true, loop.now()
  message.method, message.target = message.first:match "^(%S+) (%S+) HTTP/1%.[01]$"
  assert(message.method, "malformed request line: " .. tostring(message.first))
  framing(message)
  if message.headers.expect then conn:send "HTTP/1.1 100 Continue\r\n\r\n" end
  message:read_body(seconds or 3600)
  if message.cut then return nil, message.cut end
  return message
end

-- Request text: { method =, target =, headers = { [name] = value } or list of "name: value", body =, chunked = size }
function M.request_text(r)
  local out = { (r.method or (r.body and "POST" or "GET")) .. " " .. (r.target or "/") .. " HTTP/1.1\r\n" }
  local seen = {}
  local function add(name, value)
    seen[name:lower()] = true
    out[#out + 1] = name .. ": " .. value .. "\r\n"
  end
  for name, value in pairs(r.headers or {}) do
    if type(name) == "number" then add(value:match "^(.-):%s*(.*)$") else add(name, value) end
  end
  if not seen.host then add("host", "gateway.test") end
  if r.body and not seen["content-type"] then add("content-type", "application/json") end
  local body = r.body or ""
  if r.chunked then
    add("transfer-encoding", "chunked")
    local parts = {}
    for at = 1, #body, r.chunked do
      local part = body:sub(at, at + r.chunked - 1)
      parts[#parts + 1] = ("%x\r\n%s\r\n"):format(#part, part)
    end
    body = table.concat(parts) .. "0\r\n\r\n"
  elseif r.body and not seen["content-length"] then
    add("content-length", tostring(#body))
  end
  return table.concat(out) .. "\r\n" .. body
end

return M
