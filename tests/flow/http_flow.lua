-- The edge over real sockets: the table of HTTP vectors, limits, methods, keep-alive, pipelining, interim answers.
local flow = require "flow"
local http = require "http"
local json = require "cjson"
local proc = require "proc"

-- Refusals that mean "this is not HTTP as we take it", by status.
local framing = { [400] = true, [408] = true, [413] = true, [414] = true, [417] = true, [431] = true, [501] = true,
  [505] = true }

local function vectors()
  local pipe = assert(io.popen(proc.quote(os.getenv "HTTP_VECTORS" or "build/http_vectors_dump")))
  local list = {}
  for line in pipe:lines() do
    local id, level, expected, hex = line:match "^([^\t]+)\t([^\t]+)\t([^\t]+)\t(%x*)$"
    if id then
      local bytes = hex:gsub("%x%x", function(x) return string.char(tonumber(x, 16)) end)
      list[#list + 1] = { id = id, level = level, expected = expected, bytes = bytes }
    end
  end
  pipe:close()
  return list
end

-- Vectors know no endpoint: a POST goes where its body is read, with a key, and a request that would reach a provider
-- is
-- put where a vector hides a second one.
local function arm(t, bytes)
  bytes = bytes:gsub("^POST /v1 HTTP/1.1\r\n",
    "POST /v1/chat/completions HTTP/1.1\r\ncontent-type: application/json\r\n"
    .. "authorization: Bearer " .. flow.client_key .. "\r\n")
  local smuggled = "GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n"
  local at = bytes:find(smuggled, 1, true)
  if not at then return bytes end
  return bytes:sub(1, at - 1) .. t:chat_text("r") .. bytes:sub(at + #smuggled)
end

-- The edge's verdict on bytes: "accept", "more" or a status; and whether it closed after a refusal. Silence is
-- waited for only where it is expected.
local function verdict(t, gate, bytes, size, expected)
  local conn = t:client(gate)
  if size then conn:drip(bytes, size) else conn:send(bytes) end
  local answer, why = http.read_response(conn, expected == "more" and 0.4 * t.seconds or 15,
    bytes:find "^%s*HEAD " ~= nil)
  if not answer then
    conn:close()
    return why == "timeout" and "more" or "closed"
  end
  local ok, body = pcall(json.decode, answer.body)
  local code = ok and type(body) == "table" and type(body.error) == "table" and body.error.code
  if framing[answer.status] and not (answer.status == 400 and code ~= "bad_http") then
    local closed = conn:wait_closed(15)
    conn:close()
    return tostring(answer.status), closed or answer.headers.connection == "close"
  end
  conn:close()
  return "accept"
end

local function vector_case(name, size, pick)
  flow.case(name, { seconds = 240 }, function(t)
    local gate, up = t:simple()
    local list, wrong = vectors(), {}
    t:check(#list >= 190, "at least 190 vectors in the dump, there are " .. #list)
    local waiting, jobs = 0, {}
    for _, v in ipairs(list) do
      if not pick or pick(v) then
        t:until_true(60, function() return waiting < 12 end)
        waiting = waiting + 1
        jobs[#jobs + 1] = t:spawn(function()
          local got, closed = verdict(t, gate, arm(t, v.bytes), size, v.expected)
          local by_limit = got == "413" and v.expected == "more" -- a length beyond the limit needs no waiting
          if got ~= v.expected and not by_limit then wrong[#wrong + 1] = ("%s: %s, expected %s")
            :format(v.id, got, v.expected)
          elseif got ~= "accept" and got ~= "more" and not closed then
            wrong[#wrong + 1] = v.id .. ": the connection stays open after " .. got
          end
          waiting = waiting - 1
        end)
      end
    end
    for _, job in ipairs(jobs) do t:check(job:join(60 * t.seconds), "the end of a vector") end
    t:equal(table.concat(wrong, "\n"), "", "vectors with another verdict")
    t:check(#up.requests <= #jobs, "at most one upstream request a vector")
    for _, request in ipairs(up.requests) do t:equal(request.target, "/v1/chat/completions") end
  end)
end

vector_case("every HTTP vector gets its verdict", nil)
vector_case("every HTTP vector gets its verdict byte by byte", 1, function(v) return #v.bytes < 400 end)

flow.case("a refused request never reaches a provider, nor does what hides behind it", { seconds = 120 }, function(t)
  local gate, up = t:simple()
  local hidden = t:chat_text("r")
  local head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer " .. flow.client_key
    .. "\r\ncontent-type: application/json\r\n"
  for _, bytes in ipairs {
    head .. "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" .. hidden,
    head .. "content-length: 5\r\ncontent-length: 6\r\n\r\n{}   " .. hidden,
    head .. "content-length: +2\r\n\r\n{}" .. hidden,
    head .. "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n" .. hidden,
    head .. "transfer-encoding: chunked\r\n\r\n0x1\r\n{\r\n0\r\n\r\n" .. hidden,
    head .. "transfer-encoding: chunked\r\n\r\n2\r\n{}X\r\n0\r\n\r\n" .. hidden,
    head .. "content-length : 2\r\n\r\n{}" .. hidden,
    "GET /v1/models HTTP/1.1\nhost: a\n\n" .. hidden,
  } do
    local conn = t:client(gate)
    conn:send(bytes)
    local answer = http.read_response(conn)
    t:check(answer and answer.status >= 400, "a refusal of " .. bytes:sub(1, 200))
    t:check(conn:wait_closed(15), "the connection closes")
    conn:close()
  end
  t:equal(#up.requests, 0, "upstream requests")
end)

flow.case("limits are answered with their status, in the dialect of the path", function(t)
  local gate, up = t:simple { config = { limits = { body = "64KiB" } } }
  local auth = "authorization: Bearer " .. flow.client_key
  local function refused(expected, dialect, bytes)
    local conn = t:client(gate)
    conn:send(bytes)
    local answer = http.read_response(conn)
    t:check(answer, "an answer, not a reset, for " .. expected)
    t:equal(answer.status, expected, "status")
    t:envelope(answer, dialect)
    conn:close()
    return answer
  end
  local big = ('{"model":"r","messages":[{"role":"user","content":"%s"}]}'):format(("x"):rep(70000))
  for dialect, path in pairs(flow.paths) do
    refused(413, dialect, http.request_text { target = path, headers = { auth }, body = big })
    refused(413, dialect, http.request_text { target = path, headers = { auth }, body = big, chunked = 1000 })
    refused(431, dialect, http.request_text { target = path, headers = { auth, "x-long: " .. ("y"):rep(40000) },
      body = "{}" })
    local many = { auth }
    for i = 1, 120 do many[#many + 1] = "x-" .. i .. ": 1" end
    refused(431, dialect, http.request_text { target = path, headers = many, body = "{}" })
    refused(414, dialect, http.request_text { target = path .. "?" .. ("z"):rep(9000), headers = { auth },
      body = "{}" })
    refused(415, dialect, http.request_text { target = path, headers = { auth, "content-type: text/plain" },
      body = "{}" })
    refused(415, dialect, http.request_text { target = path, headers = { auth, "content-encoding: gzip" },
      body = "{}" })
    local wrong_method = refused(405, dialect, http.request_text { method = "GET", target = path, headers = { auth } })
    t:match(wrong_method.headers.allow, "POST", "Allow header")
    refused(501, dialect, "POST " .. path .. " HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n")
    refused(505, dialect, "POST " .. path .. " HTTP/1.2\r\nhost: a\r\ncontent-length: 0\r\n\r\n")
  end
  refused(404, "openai.chat", http.request_text { target = "/v1/nothing", headers = { auth }, body = "{}" })
  -- As clients write that take the gateway for their proxy.
  for target, status in pairs { ["CONNECT api.example:443"] = 501, ["GET http://api.example/page"] = 404 } do
    local answer = refused(status, "openai.chat", target .. " HTTP/1.1\r\nhost: " .. target:match "[%w.]+example[:%d]*"
      .. "\r\n\r\n")
    t:match(json.decode(answer.body).error.message, "no proxy.*base URL", target)
  end
  t:equal(#up.requests, 0, "upstream requests")
end)

flow.case("slow heads and bodies end at an absolute deadline with 408", function(t)
  local gate = t:simple { config = { limits = { head_time = "1s", body_time = "1s" } } }
  local function slow(first, rest)
    local from, conn, answer
    repeat -- a connection on which nothing comes in time is closed without a word
      if conn then conn:close() end
      from = t:now()
      conn = t:client(gate)
      conn:send(first)
    until t:now() - from < 0.5
    local sent = 0
    t:spawn(function()
      for i = 1, #rest do
        if conn.gone or answer or not conn:send(rest:sub(i, i)) then return end
        sent = i
        t:sleep(0.1)
      end
    end)
    local why
    answer, why = http.read_response(conn)
    t:check(answer, "an answer: " .. tostring(why))
    t:equal(answer.status, 408, "status")
    t:check(t:now() - from > 0.5, "no deadline before its time")
    t:check(sent < #rest, "the deadline does not wait for the last byte")
    t:check(conn:wait_closed(15), "the connection closes")
    conn:close()
  end
  slow("POST /v1/chat/completions HTTP/1.1\r\n", ("x-a: b\r\n"):rep(20))
  slow("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nauthorization: Bearer "
    .. flow.client_key .. "\r\ncontent-length: 500\r\n\r\n", ("{"):rep(100))
end)

flow.case("keep-alive, pipelined and split requests are all answered in order", function(t)
  local gate, up = t:simple { script = function(x) x:serve(x:json().messages[1].content) end }
  local conn = t:client(gate)
  local function ask(text) return t:chat_text("r", { fields = {
    messages = { { role = "user", content = text } } } }) end
  for i = 1, 3 do
    conn:send(ask("keep " .. i))
    local answer = http.read_response(conn)
    answer.dialect = "openai.chat"
    t:equal(t:text(answer), "keep " .. i)
  end
  local all = {}
  for i = 1, 8 do all[i] = ask("pipe " .. i) end
  conn:send(table.concat(all))
  for i = 1, 8 do
    local answer = t:check(http.read_response(conn), "answer " .. i)
    answer.dialect = "openai.chat"
    t:equal(t:text(answer), "pipe " .. i)
  end
  for _, size in ipairs { 1, 7, 100 } do
    conn:drip(ask("split " .. size), size)
    local answer = http.read_response(conn)
    answer.dialect = "openai.chat"
    t:equal(t:text(answer), "split " .. size)
  end
  t:equal(#up.requests, 14, "upstream requests")
  t:equal(up.connections, 1, "upstream connections")
end)

flow.case("chunked bodies arrive whole, however they are cut", function(t)
  local gate, up = t:simple()
  for _, size in ipairs { 1, 3, 17, 4000 } do
    t:equal(t:text(t:chat(gate, "r", { chunked = size })), "hello")
  end
  for _, request in ipairs(up.requests) do
    t:equal(json.decode(request.body).messages[1].content, "say something", "body")
    t:check(request.headers["content-length"], "content-length upstream")
  end
end)

flow.case("Expect: 100-continue gets its interim answer before the body", function(t)
  local gate = t:simple()
  local conn = t:client(gate)
  local text = t:chat_text("r", { headers = { "expect: 100-continue" } })
  local head_end = select(2, text:find("\r\n\r\n", 1, true))
  conn:send(text:sub(1, head_end))
  local interim = t:check(http.read_head(conn), "interim answer")
  t:equal(interim.status, 100)
  conn:send(text:sub(head_end + 1))
  t:equal(http.read_response(conn).status, 200)
  local refused = t:client(gate)
  refused:send(t:chat_text("r", { headers = { "expect: 100-continue" }, key = "wrong" }):match "^.-\r\n\r\n")
  t:equal(http.read_response(refused).status, 401, "a refusal comes instead of 100")
end)

flow.case("OPTIONS and HEAD are answered without a body and without a provider", function(t)
  local gate, up = t:simple()
  local auth = { "authorization: Bearer " .. flow.client_key }
  local conn = t:client(gate)
  conn:send(http.request_text { method = "OPTIONS", target = "/v1/chat/completions", headers = auth })
  local options = t:check(http.read_response(conn), "answer to OPTIONS")
  t:check(options.status == 200 or options.status == 204, "status of OPTIONS is " .. options.status)
  t:match(options.headers.allow, "POST", "Allow")
  conn:send(http.request_text { method = "HEAD", target = "/v1/models", headers = auth })
  local head = t:check(http.read_response(conn, nil, true), "answer to HEAD")
  t:equal(head.status, 200)
  conn:send(http.request_text { method = "GET", target = "/v1/models", headers = auth })
  local get = t:check(http.read_response(conn), "answer to GET behind HEAD")
  t:equal(head.headers["content-length"], get.headers["content-length"], "content-length of HEAD")
  t:equal(#up.requests, 0)
end)

flow.case("HTTP/1.0 clients get a close-delimited or counted answer", function(t)
  local gate = t:simple()
  local conn = t:client(gate)
  local body = '{"model":"r","stream":true,"messages":[{"role":"user","content":"x"}]}'
  conn:send("POST /v1/chat/completions HTTP/1.0\r\nauthorization: Bearer " .. flow.client_key
    .. "\r\ncontent-type: application/json\r\ncontent-length: " .. #body .. "\r\n\r\n" .. body)
  local answer = t:check(http.read_head(conn), "answer")
  t:equal(answer.headers["transfer-encoding"], nil, "transfer-encoding")
  answer.dialect, answer.events = "openai.chat", answer:read_events()
  t:equal(t:text(answer), "hello")
end)
