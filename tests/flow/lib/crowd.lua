-- crowd: many clients that send one and the same request, in a process of its own: more sockets than one select(2)
-- takes. All connect and send, then read their answers, one after the other, to the end.
--
--     lua5.4 crowd.lua PORT COUNT REQUEST-FILE ANSWERS-FILE
--
-- REQUEST-FILE is gone then. ANSWERS-FILE gets one line an answer: status, x-request-id, x-moongate-coalesced or "-",
-- and the body, quoted, with its chunks joined.
local socket = require "socket"

local port, count, request_file, answers_file = tonumber(arg[1]), tonumber(arg[2]), arg[3], arg[4]
local f = assert(io.open(request_file, "rb"))
local request = f:read "a"
f:close()
os.remove(request_file) -- it holds the client's key

local clients = {}
for i = 1, count do
  local sock = assert(socket.tcp4())
  sock:settimeout(60)
  assert(sock:connect("127.0.0.1", port))
  assert(sock:send(request))
  clients[i] = sock
end

local function read(sock)
  local status = assert(sock:receive "*l"):match "^HTTP/1.1 (%d+)"
  local headers = {}
  for line in function() return assert(sock:receive "*l") end do
    if line == "" then break end
    local name, value = line:match "^([^:]+): *(.*)$"
    headers[name:lower()] = value
  end
  local length = tonumber(headers["content-length"])
  if length then return status, headers, assert(sock:receive(length)) end
  local parts = {}
  while true do
    local size = tonumber(assert(sock:receive "*l"), 16)
    if size > 0 then parts[#parts + 1] = assert(sock:receive(size)) end
    assert(sock:receive "*l")
    if size == 0 then return status, headers, table.concat(parts) end
  end
end

local out = assert(io.open(answers_file, "wb"))
for _, sock in ipairs(clients) do
  local status, headers, body = read(sock)
  out:write(("%s %s %s %s\n"):format(status, headers["x-request-id"], headers["x-moongate-coalesced"] or "-",
    ("%q"):format(body):gsub("\n", "n")))
  sock:close()
end
out:close()
