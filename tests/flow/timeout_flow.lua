-- Every phase has its own clock: the error names it, and comes when it should.
local answers = require "answers"
local flow = require "flow"

local function timed(name, options, script, expect)
  flow.case("timeouts: " .. name, function(t)
    local timeouts = { connect = "10s", first_token = "10s", between_tokens = "10s", total = "30s" }
    for key, value in pairs(options.timeouts) do timeouts[key] = value end
    local gate = t:simple { dialect = options.dialect, provider = { timeouts = timeouts }, script = script }
    local from = t:now()
    local ask = options.stream and t.chat_stream or t.chat
    local answer = ask(t, gate, "r", { dialect = options.dialect })
    local took = t:now() - from
    -- The other clocks are at 10 s and more.
    t:check(took > (options.least or 0.45) and took < 8, ("took %.2f s"):format(took))
    local record = t:trace(gate, answer.headers["x-request-id"])
    t:match(require "cjson".encode(record.attempts), expect, "class of the attempt")
    if options.stream == "late" then
      t:equal(answer.status, 200)
      t:match(answer.events[#answer.events].data, '"error"', "terminal error")
    else
      t:equal(answer.status, 504)
      t:match(answer.body, expect:match "^%a+", "the message names the phase")
    end
  end)
end

local function silent(x) x:wait_closed(15) x.last = true end

timed("no head at all, whole", { timeouts = { total = "500ms" } }, silent, "total_timeout")
timed("no head at all, stream", { timeouts = { first_token = "500ms" }, stream = true }, silent, "first_token_timeout")
timed("head, then silence", { timeouts = { first_token = "500ms" }, stream = true }, function(x)
  x:start_stream()
  silent(x)
end, "first_token_timeout")
timed("pings only", { timeouts = { first_token = "500ms" }, stream = true, dialect = "anthropic.messages" }, function(x)
  x:start_stream()
  local events = answers.anthropic_stream {}
  x:chunk(events[1])
  for _ = 1, 100 do
    if not x:chunk(events[3]) then break end
    require "loop".sleep(0.05)
  end
  x.last = true
end, "first_token_timeout")
timed("silence between tokens", { timeouts = { between_tokens = "500ms" }, stream = "late" }, function(x)
  x:start_stream()
  for i = 1, 2 do x:chunk(answers.openai_stream({ "a" })[i]) end
  silent(x)
end, "between_tokens_timeout")
-- Its first token must be there before its time is over.
timed("a drip of tokens without end", { timeouts = { total = "3s" }, stream = "late", least = 2.9 }, function(x)
  x:start_stream()
  local events = answers.openai_stream { "a" }
  x:chunk(events[1])
  for _ = 1, 1000 do
    if not x:chunk(events[2]) then break end
    require "loop".sleep(0.02)
  end
  x.last = true
end, "total_timeout")
timed("no head, and first_byte says how long", { timeouts = { first_byte = "500ms" } }, silent, "first_byte_timeout")
timed("a whole answer's head, then silence", { timeouts = { between_bytes = "500ms" } }, function(x)
  x.conn:send "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"
  silent(x)
end, "between_bytes_timeout")
timed("half of a whole answer, then silence", { timeouts = { between_bytes = "500ms" } }, function(x)
  local body = answers.openai_whole "Hello"
  x.conn:send(("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"):format(#body))
  x.conn:send(body:sub(1, #body // 2))
  silent(x)
end, "between_bytes_timeout")
timed("an error's head, then silence", { timeouts = { between_bytes = "500ms" }, stream = true }, function(x)
  x.conn:send "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"
  silent(x)
end, "between_bytes_timeout")
timed("white space hides no stuck model", { timeouts = { first_byte = "500ms", between_bytes = "10s" } }, function(x)
  x.conn:send "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"
  for _ = 1, 400 do
    if not x.conn:send "\n" then break end
    require "loop".sleep(0.05)
  end
  x.last = true
end, "first_byte_timeout")

flow.case("timeouts: a whole answer may come in pieces, and late, for longer than between_bytes", function(t)
  local gate = t:simple {
    provider = { timeouts = { connect = "10s", between_bytes = "2s", total = "30s" } },
    script = function(x)
      local body = answers.openai_whole "Hello"
      require "loop".sleep(2.2) -- before the head nothing is due
      x.conn:send(("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"):format(#body))
      for at = 1, #body, (#body + 6) // 7 do
        require "loop".sleep(0.35)
        x.conn:send(body:sub(at, at + (#body + 6) // 7 - 1))
      end
    end,
  }
  local answer = t:chat(gate, "r")
  t:equal(answer.status, 200)
  t:equal(answer.body, answers.openai_whole "Hello")
end)

timed("a whole body that drips", { timeouts = { total = "500ms" } }, function(x)
  x.conn:send "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"
  for _ = 1, 200 do
    if not x.conn:send " " then break end
    require "loop".sleep(0.02)
  end
  x.last = true
end, "total_timeout")

flow.case("timeouts: connect", function(t)
  local gate = t:gateway {
    providers = { up = t:provider({ dialect = "openai.chat", url = "http://127.0.0.1:" .. t:full_port() },
      { timeouts = { connect = "500ms", first_token = "10s", between_tokens = "10s", total = "30s" } }) },
    routes = { r = { targets = { "up/m" } } },
  }
  local from = t:now()
  local answer = t:chat(gate, "r")
  local took = t:now() - from
  t:check(answer.status == 502 or answer.status == 504, "status " .. answer.status)
  t:check(took > 0.4 and took < 8, ("took %.2f s"):format(took))
end)

flow.case("timeouts: a drill of a slow first token is survived by whoever sets them", { seconds = 40 },
  function(t)
  local gateway = require "gateway"
  local proc = require "proc"
  proc.write_file(t.dir .. "/moongate.lua", [[
return {
  timeouts = { first_token = "2s", between_bytes = "2s" },
  providers = {
    first = { adapter = "openai", keys = { env "FLOW_DRILL_A" } },
    second = { adapter = "anthropic", keys = { env "FLOW_DRILL_B" } },
  },
  routes = { chat = { targets = { "first/gpt-5-mini", "second/claude-haiku-4-5" } } },
}
]])
  local status, text = proc.run(t.dir, "drill",
    { gateway.binary, "drill", "--config", t.dir .. "/moongate.lua", "--rate", "4", "slow-first-token" }, nil, 120)
  t:equal(status, 0, text)
  t:match(text, "chat: kept answering")
  t:absent(text, "out of patience", "what drill said")
end)
