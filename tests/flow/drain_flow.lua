-- The end of the process: SIGTERM lets requests finish, then it exits 0.
local answers = require "answers"
local flow = require "flow"
local http = require "http"
local net = require "net"

flow.case("SIGTERM: running requests finish, new connections are refused, exit 0", { threads = true }, function(t)
  local go
  local gate, up = t:simple { script = function(x)
    if not x:json().stream then return x:serve "quick" end
    x:start_stream()
    for i, event in ipairs(answers.openai_stream { "to the ", "end" }) do
      x:chunk(event)
      if i == 2 then t:until_true(10, function() return go end) end
    end
    x:end_stream()
  end }
  local idle = t:client(gate)
  idle:send(t:chat_text("r"))
  t:equal(http.read_response(idle).status, 200)
  local conn = t:client(gate)
  conn:send(t:chat_text("r", { stream = true }))
  local answer = http.read_head(conn)
  t:check(answer:event(), "first event")
  gate.expect_exit = true
  gate.process:signal "TERM"
  t:check(idle:wait_closed(5 * t.seconds), "an idle connection closes")
  t:until_true(5 * t.seconds, function()
    local late = net.connect(gate.port)
    if not late then return true end
    late:close()
  end, "no new connections")
  t:check(not gate.process:status(), "still running for the stream")
  go = true
  answer.dialect, answer.events = "openai.chat", answer:read_events(10)
  t:equal(t:text(answer), "to the end")
  t:equal(gate.process:wait(10 * t.seconds), 0, "exit status")
  t:equal(#gate:traces(2), 2, "trace records are written before the end")
  t:equal(#up.requests, 2)
end)

flow.case("readiness is false while draining", function(t)
  local go
  local gate = t:simple { script = function(x)
    t:until_true(10, function() return go end)
    x:serve "late"
  end }
  t:equal(gate:admin("GET", "/readyz").status, 200)
  local conn = t:client(gate)
  conn:send(t:chat_text("r"))
  t:sleep(0.1)
  gate.expect_exit = true
  gate.process:signal "TERM"
  t:sleep(0.2)
  local ok, answer = pcall(gate.admin, gate, "GET", "/readyz")
  if ok then t:equal(answer.status, 503, "readyz while draining") end
  go = true
  t:equal(http.read_response(conn, 10).status, 200)
  t:equal(gate.process:wait(10 * t.seconds), 0)
end)

flow.case("drain bounds the wait: a stream gets a terminal error", function(t)
  local gate = t:simple { config = { drain = "500ms" }, script = function(x)
    x:start_stream()
    x:chunk(answers.openai_stream({ "a" })[2])
    x:wait_closed(20)
    x.last = true
  end }
  local conn = t:client(gate)
  conn:send(t:chat_text("r", { stream = true }))
  local answer = http.read_head(conn)
  t:check(answer:event(), "first event")
  gate.expect_exit = true
  gate.process:signal "TERM"
  local events = answer:read_events(10)
  t:check(#events > 0 and events[#events].data:find('"error"', 1, true), "terminal error")
  t:equal(gate.process:wait(10 * t.seconds), 0)
end)

flow.case("a second SIGTERM ends it at once", function(t)
  local gate = t:simple { script = function(x) x:wait_closed(20) x.last = true end }
  local conn = t:client(gate)
  conn:send(t:chat_text("r"))
  t:sleep(0.1)
  gate.expect_exit = true
  gate.process:signal "TERM"
  t:sleep(0.3)
  gate.process:signal "TERM"
  t:check(gate.process:wait(3 * t.seconds), "ended")
end)
