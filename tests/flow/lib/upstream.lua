-- upstream: a provider under a test's control. It records every request and connection, and does with each request
-- what its script says: answer, stream, stall, cut, reset.
local answers = require "answers"
local http = require "http"
local json = require "cjson"
local loop = require "loop"
local net = require "net"

local M = {}

local Exchange = {}
Exchange.__index = Exchange

-- A whole answer. headers: list of "name: value".
function Exchange:reply(status, body, headers)
  local lines = { ("HTTP/1.1 %d Flow\r\n"):format(status) }
  local typed = false
  for _, line in ipairs(headers or {}) do
    typed = typed or line:lower():find("^content%-type:") ~= nil
    lines[#lines + 1] = line .. "\r\n"
  end
  if not typed then lines[#lines + 1] = "content-type: application/json\r\n" end
  lines[#lines + 1] = ("content-length: %d\r\n\r\n"):format(#body)
  return self.conn:send(table.concat(lines) .. body)
end

function Exchange:start_stream(headers)
  local lines = { "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n" }
  for _, line in ipairs(headers or {}) do lines[#lines + 1] = line .. "\r\n" end
  return self.conn:send(table.concat(lines) .. "\r\n")
end

function Exchange:chunk(text) return self.conn:send(("%x\r\n%s\r\n"):format(#text, text)) end
function Exchange:end_stream() return self.conn:send "0\r\n\r\n" end

-- A stream of ready events, `pause` seconds apart.
function Exchange:stream(events, pause)
  self:start_stream()
  for _, event in ipairs(events) do
    if not self:chunk(event) then return end
    if pause then loop.sleep(pause) end
  end
  return self:end_stream()
end

-- What a healthy provider says to this request: whole or streamed as asked for.
function Exchange:serve(text)
  local up = self.upstream
  local body = self:json()
  if body.stream then
    return self:stream(answers.stream[up.dialect]({ text }, body.model))
  end
  return self:reply(200, answers.whole[up.dialect](text, body.model))
end

function Exchange:json() return json.decode(self.request.body) end

-- Waits for the gateway to close the connection; seconds it took, or nil when it did not within `seconds`.
function Exchange:wait_closed(seconds)
  local from = loop.now()
  if self.conn:wait_closed(seconds) then
    self.upstream.closed_at = loop.now()
    return loop.now() - from
  end
end

-- options: dialect ("openai.chat"), tls (luasec parameters), script(exchange) or text to answer with.
function M.new(options)
  local up = { dialect = options.dialect or "openai.chat", requests = {}, connections = 0, faults = {} }
  local script = options.script
  if type(script) ~= "function" then
    local text = script or "hello"
    script = function(x) x:serve(text) end
  end
  up.listener = net.listen(function(conn)
    up.connections = up.connections + 1
    up.open = (up.open or 0) + 1
    while not conn.gone do
      local request = http.read_request(conn)
      if not request then break end
      up.requests[#up.requests + 1] = request
      local x = setmetatable({ upstream = up, conn = conn, request = request, number = #up.requests }, Exchange)
      script(x)
      if x.last then break end
    end
    up.open = up.open - 1
  end, { tls = options.tls })
  up.port = up.listener.port
  up.url = (options.tls and "https://localhost:" or "http://127.0.0.1:") .. up.port
  function up:close() self.listener:close() end
  return up
end

return M
