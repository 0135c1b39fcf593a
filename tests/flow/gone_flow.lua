-- A client that leaves: in every phase the provider's connection closes within 250 ms, the trace says 499, and a half
-- close is not leaving.
local answers = require "answers"
local flow = require "flow"
local http = require "http"

local function gone_case(phase, streamed, leave, script, ask_first)
  flow.case(("client %s while %s (%s): provider closed within 250 ms")
    :format(leave, phase, streamed and "stream" or "whole"),
    { alone = true, threads = true }, function(t)
      local noticed, reached
      local gate, up = t:simple { script = function(x)
        reached = true
        script(x)
        noticed = x:wait_closed(10)
        noticed = noticed and t:now()
        x.last = true
      end }
      local asked = 0
      t:within(0.25, function()
        noticed, reached, asked = nil, nil, asked + 1
        local conn = t:client(gate)
        conn:send(t:chat_text("r", { stream = streamed }))
        t:until_true(5, function() return reached end, "the provider is reached")
        if ask_first then ask_first(t, conn) end
        t:sleep(0.05)
        local left = t:now()
        if leave == "resets" then conn:reset() else conn:close() end
        t:until_true(5, function() return noticed end, "the provider sees the close")
        return noticed - left
      end, "to pass the close on")
      local records = gate:traces(asked)
      t:equal(#records, asked, "trace records")
      for _, record in ipairs(records) do
        t:equal(record.outcome, "client_gone", "outcome in the trace")
        t:equal(record.status, 499, "status in the trace")
      end
      t:equal(#up.requests, asked)
    end)
end

local function first_event(_, conn)
  local answer = http.read_head(conn)
  answer:event()
end

for _, leave in ipairs { "closes", "resets" } do
  gone_case("waiting for a whole answer", false, leave, function() end)
  gone_case("waiting for the head", true, leave, function() end)
  gone_case("waiting for the first token", true, leave, function(x) x:start_stream() end)
  gone_case("the stream runs", true, leave, function(x)
    x:start_stream()
    x:chunk(answers.openai_stream({ "a" })[1])
    x:chunk(answers.openai_stream({ "a" })[2])
  end, first_event)
  gone_case("a whole answer is half there", false, leave, function(x)
    x.conn:send 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 400\r\n\r\n{"id":"x",'
  end)
end

flow.case("client leaves while the provider is being connected to: nothing is sent", function(t)
  local up = t:upstream { script = "late" }
  local gate = t:gateway {
    providers = { full = t:provider({ dialect = "openai.chat", url = "http://127.0.0.1:" .. t:full_port() },
      { timeouts = { connect = "20s" } }), up = t:provider(up) },
    routes = { r = { targets = { "full/m", "up/m" } } },
  }
  local conn = t:client(gate)
  conn:send(t:chat_text("r"))
  t:sleep(0.2)
  conn:close()
  t:equal(t:trace(gate).status, 499)
  t:sleep(0.3)
  t:equal(#up.requests, 0, "no request for a client that left")
end)

flow.case("client leaves during its own body: nothing reaches the provider", function(t)
  local gate, up = t:simple()
  local conn = t:client(gate)
  conn:send(t:chat_text("r"):sub(1, -10))
  t:sleep(0.1)
  conn:close()
  t:sleep(0.3)
  t:equal(#up.requests, 0)
  t:equal(t:text(t:chat(gate, "r")), "hello", "the gateway lives")
end)

-- A half close: the request is all there, and the client reads on. What the gateway asks it with is no part of the
-- answer.
for _, stream in ipairs { false, true } do
  flow.case(("a client that only closes its sending side gets its answer, %s"):format(stream and "streamed" or "whole"),
    { threads = true }, function(t)
      local go
      local gate = t:simple { script = function(x)
        if stream then
          local events = answers.openai_stream({ "pat", "ient" }, "model-a")
          x:start_stream()
          for i, event in ipairs(events) do
            if i == 3 then t:until_true(10, function() return go end) end
            x:chunk(event)
          end
          return x:end_stream()
        end
        t:until_true(10, function() return go end)
        x:serve "patient"
      end }
      local conn = t:client(gate)
      conn:send(t:chat_text("r", { stream = stream }))
      local answer
      if stream then
        answer = http.read_head(conn)
        answer.events = { answer:event(), answer:event() }
      end
      conn:half_close()
      if stream then t:check(answer:piece():find(":\n\n", 1, true), "it is asked within the stream")
      else t:equal(http.read_head(conn).status, 100, "it is asked before the answer") end
      go = true
      if stream then
        for _, e in ipairs(answer:read_events()) do table.insert(answer.events, e) end
      else
        answer = http.read_response(conn)
      end
      answer.dialect = "openai.chat"
      t:equal(t:text(answer), "patient")
      t:check(conn:wait_closed(10), "nothing more can be asked on that connection")
      t:equal(t:trace(gate).outcome, "ok")
    end)
end

flow.case("limits.half_close = \"leave\": who closes the sending side has left", function(t)
  local reached, noticed
  local gate = t:simple {
    config = { limits = { half_close = "leave" } },
    script = function(x)
      reached = true
      noticed = x:wait_closed(20)
      x.last = true
    end,
  }
  local conn = t:client(gate)
  conn:send(t:chat_text("r"))
  t:until_true(10, function() return reached end)
  conn:half_close()
  t:equal(t:trace(gate).status, 499)
  t:until_true(10, function() return noticed end, "the provider sees the close")
end)

flow.case("half closes of clients that share one answer", function(t)
  local go, asked
  local gate = t:gateway { providers = { up = t:provider(t:upstream { script = function(x)
    asked = true
    local events = answers.openai_stream({ "sha", "red" }, "model-a")
    x:start_stream()
    for i, event in ipairs(events) do
      if i == 3 then t:until_true(10, function() return go end) end
      x:chunk(event)
    end
    x:end_stream()
  end }) }, routes = { r = { targets = { "up/model-a" }, coalesce = true } } }
  local conns, heads = {}, {}
  for i = 1, 3 do
    conns[i] = t:client(gate)
    conns[i]:send(t:chat_text("r", { stream = true }))
    t:until_true(10, function() return asked end)
  end
  for i = 1, 3 do
    heads[i] = http.read_head(conns[i])
    heads[i].first = { heads[i]:event(), heads[i]:event() }
  end
  conns[1]:half_close()
  conns[2]:half_close()
  for i = 1, 2 do t:check(heads[i]:piece():find(":\n\n", 1, true), "it is asked") end
  go = true
  for i = 1, 3 do
    local events = heads[i].first
    for _, e in ipairs(heads[i]:read_events()) do events[#events + 1] = e end
    t:equal(t:text { status = 200, dialect = "openai.chat", events = events, cut = heads[i].cut }, "shared")
  end
  for _, r in ipairs(gate:traces(3)) do t:equal(r.outcome, "ok") end
end)

flow.case("a hundred clients that leave do no harm to the ones that stay", { seconds = 90 }, function(t)
  local gate, up = t:simple { script = function(x) t:sleep(0.15) x:serve "stay" end }
  local good, tasks = 0, {}
  for i = 1, 100 do
    tasks[i] = t:spawn(function()
      if i % 2 == 0 then
        if t:text(t:chat_stream(gate, "r")) == "stay" then good = good + 1 end
      else
        local conn = t:client(gate)
        conn:send(t:chat_text("r", { stream = i % 4 == 1 }))
        t:sleep(0.001 * i)
        conn:reset()
      end
    end)
    t:sleep(0.002)
  end
  for _, task in ipairs(tasks) do t:check(task:join(), "client done") end
  t:equal(good, 50, "complete answers")
  t:until_true(5, function() return (up.open or 0) <= 64 end)
end)
