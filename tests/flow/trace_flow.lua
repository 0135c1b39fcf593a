-- One trace record for every request, whatever became of it.
local answers = require "answers"
local flow = require "flow"
local http = require "http"

local names = { "request_id", "architecture", "route", "provider_chosen", "model", "fallback_used", "cache_hit",
  "input_tokens",
  "output_tokens", "latency_ms", "cost_usd" }

flow.case("the record's names and meanings", function(t)
  local gate = t:simple { config = { workers = 2 } }
  for _, dialect in ipairs { "openai.chat", "anthropic.messages" } do
    for _, ask in ipairs { t.chat, t.chat_stream } do
      local answer = ask(t, gate, "r", { dialect = dialect })
      t:equal(answer.status, 200)
      local record = t:trace(gate, answer.headers["x-request-id"])
      for _, name in ipairs(names) do t:check(record[name] ~= nil, "field " .. name) end
      t:equal(record.architecture, "multi-provider-gateway")
      t:equal(record.route, "r")
      t:equal(record.provider_chosen, "up")
      t:equal(record.model, "model-a")
      t:equal(record.fallback_used, false)
      t:equal(record.cache_hit, false)
      t:equal(record.input_tokens, 11, dialect .. " input tokens")
      t:equal(record.output_tokens, 7, dialect .. " output tokens")
      t:equal(record.status, 200)
      t:equal(record.team, "search")
      t:equal(#record.attempts, 1)
      t:check(type(record.latency_ms) == "number" and record.latency_ms >= 0 and record.latency_ms < 20000)
      t:check(type(record.cost_usd) == "number" and record.cost_usd >= 0)
    end
  end
  t:equal(#gate:traces(4), 4, "records")
end)

flow.case("refusals have records too", function(t)
  local gate = t:simple { config = { limits = { body = "64KiB" } } }
  local expected = {}
  local function add(answer, status)
    t:equal(answer.status, status)
    expected[answer.headers["x-request-id"]] = status
  end
  add(t:chat(gate, "r", { key = "wrong" }), 401)
  add(t:chat(gate, "r", { key = false }), 401)
  add(t:chat(gate, "nothing"), 404)
  add(t:chat(gate, "r", { body = "{" }), 400)
  add(t:chat(gate, "r", { body = ('{"model":"r","x":"%s"}'):format(("y"):rep(70000)) }), 413)
  add(t:chat(gate, "r", { target = "/v1/nothing" }), 404)
  local conn = t:client(gate)
  conn:send "GET / HTTP/1.1\r\nhost: a\r\nbad header: 1\r\n\r\n"
  add(http.read_response(conn), 400)
  gate:traces(7)
  for id, status in pairs(expected) do t:equal(t:trace(gate, id).status, status, "status of " .. id) end
end)

flow.case("request ids are unique and in every answer", function(t)
  local gate = t:simple { config = { workers = 2 } }
  local seen, tasks = {}, {}
  for i = 1, 8 do
    tasks[i] = t:spawn(function()
      local conn = t:client(gate)
      for _ = 1, 25 do
        local id = t:chat(gate, "r", { conn = conn }).headers["x-request-id"]
        t:check(id and #id > 8 and not seen[id], "a new id")
        seen[id] = true
      end
    end)
  end
  for _, task in ipairs(tasks) do t:check(task:join(30 * t.seconds), "client done") end
  t:equal(#gate:traces(200), 200, "records")
end)

flow.case("cost is exact, tokens of every kind are kept", function(t)
  local usage = '"usage":{"input_tokens":100,"cache_read_input_tokens":1000,"cache_creation_input_tokens":200,'
    .. '"output_tokens":50}'
  local price = { input = "1", output = "5", cache_read = "0.1", cache_write = "1.25" }
  local gate = t:simple { dialect = "anthropic.messages", config = { prices = { ["up/model-a"] = price } },
    script = function(x) x:reply(200, (answers.anthropic_whole("x", "model-a"):gsub('"usage":{.-}', usage))) end }
  for _, dialect in ipairs { "anthropic.messages", "openai.chat" } do
    local answer = t:chat(gate, "r", { dialect = dialect })
    local record = t:trace(gate, answer.headers["x-request-id"])
    t:equal(record.input_tokens, 1300, "input with cached and written tokens")
    t:equal(record.output_tokens, 50)
    t:equal(record.cache_read_tokens, 1000)
    t:equal(record.cache_write_tokens, 200)
    t:equal(record.cost_pico_usd, 700000000, "100 x 1 + 1000 x 0.1 + 200 x 1.25 + 50 x 5 = 700 microdollars")
    t:check(math.abs(record.cost_usd - 0.0007) < 1e-12, "cost_usd")
  end
end)

flow.case("a trace file that cannot be written does not stop requests", function(t)
  local gate = t:simple { config = { trace = { file = "/dev/full" } } }
  for _ = 1, 20 do t:equal(t:text(t:chat(gate, "r")), "hello") end
end)
