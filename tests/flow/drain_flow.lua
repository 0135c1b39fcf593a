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
  t:check(idle:wait_closed(20 * t.seconds), "an idle connection closes")
  t:until_true(5 * t.seconds, function()
    local late = net.connect(gate.port)
    if not late then return true end
    late:close()
  end, "no new connections")
  t:check(not gate.process:status(), "still running for the stream")
  go = true
  answer.dialect, answer.events = "openai.chat", answer:read_events(10)
  t:equal(t:text(answer), "to the end")
  t:equal(gate.process:wait(30), 0, "exit status")
  t:equal(#gate:traces(2), 2, "trace records are written before the end")
  t:equal(#up.requests, 2)
end)

flow.case("readiness is false while draining", function(t)
  local go
  local gate, up = t:simple { script = function(x)
    t:until_true(20, function() return go end)
    x:serve "late"
  end }
  t:equal(gate:admin("GET", "/readyz").status, 200)
  local conn = t:client(gate)
  conn:send(t:chat_text("r"))
  t:until_true(5, function() return #up.requests == 1 end, "the provider has the request")
  gate.expect_exit = true
  gate.process:signal "TERM"
  t:until_true(5, function() return gate.process:errors():find("draining", 1, true) end, "it drains")
  t:equal(gate:admin("GET", "/readyz").status, 503, "readyz while draining")
  go = true
  t:equal(http.read_response(conn).status, 200)
  t:equal(gate.process:wait(30), 0)
end)

flow.case("drain bounds the wait: a stream gets a terminal error", function(t)
  local gate = t:simple { config = { drain = "500ms" }, script = function(x)
    x:start_stream()
    local events = answers.openai_stream { "a" }
    x:chunk(events[1] .. events[2])
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
  t:equal(gate.process:wait(30), 0)
  local record = t:trace(gate)
  t:equal(record.outcome, "failed")
  t:equal(record.attempts[1].class, "draining")
end)

flow.case("a second SIGTERM ends it at once", function(t)
  local gate, up = t:simple { script = function(x) x:wait_closed(300) x.last = true end }
  local conn = t:client(gate)
  conn:send(t:chat_text("r"))
  t:until_true(5, function() return #up.requests == 1 end, "the provider has the request")
  gate.expect_exit = true
  gate.process:signal "TERM"
  t:until_true(5, function() return gate.process:errors():find("draining", 1, true) end, "it drains")
  gate.process:signal "TERM"
  t:check(gate.process:wait(30), "ended")
end)
