-- What happens when a provider fails: before the first content the client gets another one's answer; after it, the
-- terminal error of its own dialect, and never an end that looks like success.
local answers = require "answers"
local flow = require "flow"
local json = require "cjson"

local dialects = { "openai.chat", "anthropic.messages" }

-- name → what the first provider does. `stream`: only for streamed requests; `whole`: only for others.
local failures = {
  ["answers 500"] = { script = function(x) x:reply(500, answers.fault[x.upstream.dialect]("boom")) end, status = 500 },
  ["answers 503 without JSON"] = { script = function(x) x:reply(503, "<html>no</html>",
    { "content-type: text/html" }) end },
  ["answers 429"] = { script = function(x)
    x:reply(429, answers.fault[x.upstream.dialect]("slow down", "rate_limit_error"), { "retry-after: 30" })
  end, status = 429 },
  ["answers 529"] = { script = function(x)
    x:reply(529, answers.fault[x.upstream.dialect]("overloaded", "overloaded_error"))
  end, status = 529 },
  ["answers 408"] = { script = function(x) x:reply(408, answers.fault[x.upstream.dialect]("timeout")) end },
  ["answers 401 to the gateway's key"] = { script = function(x) x:reply(401,
    answers.fault[x.upstream.dialect]("key")) end },
  ["redirects"] = { script = function(x) x:reply(302, "", { "location: http://127.0.0.1:9/" }) end },
  ["stalls before any byte"] = { script = function(x) x:wait_closed(20) x.last = true end, timeout = true },
  ["stalls behind the head"] = { stream = true, script = function(x)
    x:start_stream()
    x:wait_closed(20)
    x.last = true
  end, timeout = true },
  ["stalls before the first token, with pings"] = { stream = true, only = "anthropic.messages", script = function(x)
    x:start_stream()
    local events = answers.anthropic_stream { "late" }
    x:chunk(events[1])
    for _ = 1, 200 do
      if not x:chunk(events[3]) then break end
      require "loop".sleep(0.05)
    end
    x.last = true
  end, timeout = true },
  ["sends an error as first stream event"] = { stream = true, script = function(x)
    local fault = answers.fault[x.upstream.dialect]("overloaded", "overloaded_error")
    x:stream { (x.upstream.dialect == "openai.chat" and "data: " or "event: error\ndata: ") .. fault .. "\n\n" }
  end },
  ["sends 200 with an error body"] = { whole = true, script = function(x)
    x:reply(200, answers.fault[x.upstream.dialect]("hidden", "overloaded_error"))
  end },
  ["sends malformed JSON"] = { whole = true, script = function(x) x:reply(200, '{"id":"x","choices":[{"mess') end },
  ["sends an empty stream"] = { stream = true, script = function(x) x:stream {} end },
  ["resets before the first byte"] = { script = function(x) x.conn:reset() x.last = true end },
  ["closes before the first byte"] = { script = function(x) x.conn:close() x.last = true end },
  ["closes within the head"] = { script = function(x)
    x.conn:send "HTTP/1.1 200 OK\r\ncontent-ty"
    x.conn:close()
    x.last = true
  end },
  ["closes within a whole body"] = { whole = true, script = function(x)
    x.conn:send('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"id":')
    x.conn:close()
    x.last = true
  end },
  ["breaks HTTP with two lengths"] = { script = function(x)
    x.conn:send "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}"
    x.last = true
  end },
  ["breaks HTTP with length and chunks"] = { script = function(x)
    x.conn:send "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    x.last = true
  end },
  ["sends endless headers"] = { script = function(x)
    x.conn:send "HTTP/1.1 200 OK\r\n"
    for _ = 1, 5000 do
      if not x.conn:send(("x-filler: " .. ("y"):rep(90) .. "\r\n"):rep(10)) then break end
    end
    x.last = true
  end },
  ["sends a storm of 1xx"] = { script = function(x)
    for _ = 1, 3000 do
      if not x.conn:send(("HTTP/1.1 102 Processing\r\n\r\n"):rep(20)) then break end
    end
    x.last = true
  end },
  ["sends gzip though it was asked not to"] = { whole = true, script = function(x)
    x:reply(200, "\31\139\8\0\0\0\0\0\0\3", { "content-encoding: gzip" })
  end },
}

local function fail_over(name, failure, first, second, streamed)
  local kind = streamed and "stream" or "whole"
  flow.case(("first provider %s (%s, %s then %s): the second answers"):format(name, kind, first, second),
    { threads = first == second },
    function(t)
      local bad = t:upstream { dialect = first, script = failure.script }
      local good = t:upstream { dialect = second, script = "from the second" }
      -- Only a stream has a first token; a whole answer has its clock for the whole attempt.
      local timeouts = { connect = "10s", first_token = failure.timeout and "400ms" or "10s", between_tokens = "10s",
        total = failure.timeout and not streamed and "400ms" or "30s" }
      local gate = t:gateway {
        providers = { bad = t:provider(bad, { timeouts = timeouts }), good = t:provider(good) },
        routes = { r = { targets = { "bad/m1", "good/m2" } } },
      }
      local ask = streamed and t.chat_stream or t.chat
      local answer = ask(t, gate, "r", { dialect = first })
      t:equal(t:text(answer), "from the second")
      local record = t:trace(gate, answer.headers["x-request-id"])
      t:equal(record.fallback_used, true, "fallback_used")
      t:equal(record.provider_chosen, "good", "provider_chosen")
      t:equal(record.model, "m2", "model")
      t:equal(record.route, "r", "route")
      t:equal(#record.attempts, 2, "attempts")
      t:equal(record.attempts[1].provider, "bad")
      if failure.status then t:equal(record.attempts[1].status, failure.status) end
      t:check(#good.requests == 1, "one request to the second")
    end)
end

local names = {}
for name in pairs(failures) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do
  local failure = failures[name]
  for index, first in ipairs(dialects) do
    if not failure.only or failure.only == first then
      for _, streamed in ipairs { false, true } do
        if not (streamed and failure.whole) and not (not streamed and failure.stream) then
          fail_over(name, failure, first, first, streamed)
          fail_over(name, failure, first, dialects[3 - index], streamed)
        end
      end
    end
  end
end

flow.case("a provider nobody serves costs the client nothing", function(t)
  local good = t:upstream { script = "alive" }
  local gate = t:gateway {
    providers = { dead = t:dead(), good = t:provider(good) },
    routes = { r = { targets = { "dead/m", "good/m" } } },
  }
  for _, dialect in ipairs(dialects) do
    t:equal(t:text(t:chat(gate, "r", { dialect = dialect })), "alive")
    t:equal(t:text(t:chat_stream(gate, "r", { dialect = dialect })), "alive")
  end
  for _, record in ipairs(gate:traces(4)) do
    t:equal(record.fallback_used, true)
    t:equal(record.attempts[1].provider, "dead")
  end
end)

flow.case("when all fail the client gets the last reason in its own dialect", function(t)
  local first, second = t:upstream { script = failures["answers 500"].script },
    t:upstream { script = failures["answers 529"].script }
  local gate = t:gateway {
    providers = { a = t:provider(first), b = t:provider(second), dead = t:dead() },
    routes = { both = { targets = { "a/m", "b/m" } }, none = { targets = { "dead/m" } } },
  }
  for _, dialect in ipairs(dialects) do
    local answer = t:chat(gate, "both", { dialect = dialect })
    t:check(answer.status >= 500, "status is " .. answer.status)
    t:envelope(answer, dialect)
    local nobody = t:chat(gate, "none", { dialect = dialect })
    t:equal(nobody.status, 502)
    t:envelope(nobody, dialect)
  end
end)

for _, row in ipairs { { 400, "invalid_request_error" }, { 413, "request_too_large" },
  { 422, "invalid_request_error" } } do
  flow.case("a provider's " .. row[1] .. " is the caller's mistake: no second attempt", function(t)
    local bad = t:upstream { script = function(x) x:reply(row[1], answers.openai_error("your fault", row[2])) end }
    local good = t:upstream {}
    local gate = t:gateway {
      providers = { bad = t:provider(bad), good = t:provider(good) },
      routes = { r = { targets = { "bad/m", "good/m" } } },
    }
    local answer = t:chat(gate, "r")
    t:equal(answer.status, row[1])
    t:match(answer.body, "your fault")
    t:equal(t:chat(gate, "r", { dialect = "anthropic.messages" }).status, row[1])
    t:equal(#good.requests, 0, "requests to the second")
  end)
end

-- ---- after the first content -----------------------------------------------------------------------------------

local cuts = {
  ["closes"] = function(x) x.conn:close() end,
  ["resets"] = function(x) x.conn:reset() end,
  ["ends its chunks without a terminal event"] = function(x) x:end_stream() end,
  ["goes silent"] = function(x) x:wait_closed(20) end,
  ["sends an error event"] = function(x)
    local fault = answers.fault[x.upstream.dialect]("died", "overloaded_error")
    x:chunk((x.upstream.dialect == "openai.chat" and "data: " or "event: error\ndata: ") .. fault .. "\n\n")
    x:end_stream()
  end,
  ["breaks its chunks"] = function(x) x.conn:send "zz\r\n" end,
}

local function cut_case(name, cut, client, provider)
  flow.case(("mid-stream the provider %s (client %s, provider %s): a terminal error, no fake end")
    :format(name, client, provider), { threads = name == "resets" }, function(t)
    local bad = t:upstream { dialect = provider, script = function(x)
      x:start_stream()
      local events = answers.stream[provider] { "first words " }
      for i = 1, #events - 3 do x:chunk(events[i]) end
      t:sleep(0.1)
      cut(x)
      x.last = true
    end }
    local spare = t:upstream {}
    local gate = t:gateway {
      providers = { bad = t:provider(bad, { timeouts = { connect = "10s", first_token = "10s", between_tokens = "500ms",
        total = "30s" } }),
        spare = t:provider(spare) },
      routes = { r = { targets = { "bad/m", "spare/m" } } },
    }
    local answer = t:chat_stream(gate, "r", { dialect = client })
    t:equal(answer.status, 200)
    local text, ended = answers.stream_text[client](answer.events)
    t:equal(text, "first words ", "text so far")
    t:check(not ended, "no terminal event of success")
    local last = answer.events[#answer.events]
    local ok, value = pcall(json.decode, last.data)
    t:check(ok and value.error and type(value.error.message) == "string", "last event is an error: " .. last.data)
    if client == "anthropic.messages" then
      t:equal(last.event, "error", "name of the last event")
      t:equal(value.type, "error")
    end
    t:equal(#spare.requests, 0, "no second provider behind content")
    local record = t:trace(gate, answer.headers["x-request-id"])
    t:check(record.error or record.error_type or record.error_code or record.status ~= 200,
      "the trace tells of the fault")
    t:equal(record.fallback_used, false)
  end)
end

local cut_names = {}
for name in pairs(cuts) do cut_names[#cut_names + 1] = name end
table.sort(cut_names)
for _, name in ipairs(cut_names) do
  for _, client in ipairs(dialects) do
    for _, provider in ipairs(dialects) do cut_case(name, cuts[name], client, provider) end
  end
end

flow.case("a reused connection that died is replaced without an attempt being spent", function(t)
  local up = t:upstream { script = function(x)
    x:serve "ok"
    x.last = true -- the provider closes behind each answer without saying so
  end }
  local gate = t:gateway { providers = { up = t:provider(up) }, routes = { r = { targets = { "up/m" } } } }
  for _ = 1, 10 do t:equal(t:text(t:chat(gate, "r")), "ok") end
  for _, record in ipairs(gate:traces(10)) do t:equal(record.fallback_used, false) end
end)

flow.case("an answer that cannot be told in the client's API: the next provider's is", function(t)
  local usage = { prompt_tokens = 3, completion_tokens = 2, prompt_tokens_details = { cache_write_tokens = "x" } }
  local odd = t:upstream { dialect = "openai.chat", script = function(x)
    x:reply(200, json.encode { id = "c", object = "chat.completion", created = 1, model = "m", usage = usage,
      choices = { { index = 0, finish_reason = "stop", message = { role = "assistant", content = "odd" } } } })
  end }
  local none = t:upstream { dialect = "openai.chat", script = function(x)
    x:reply(200, '{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[]}')
  end }
  local good = t:upstream { dialect = "openai.chat", script = "good" }
  local gate = t:gateway {
    providers = { odd = t:provider(odd), none = t:provider(none), good = t:provider(good) },
    routes = { r = { targets = { "odd/a", "none/b", "good/c" }, retry = { same_target = 0 } },
      alone = { targets = { "none/b" }, retry = { same_target = 0 } } },
  }
  local answer = t:chat(gate, "r", { dialect = "anthropic.messages", fields = { max_tokens = 9 } })
  t:equal(t:text(answer), "good")
  t:equal(answer.headers["x-moongate-attempts"], "3")
  t:equal(t:chat(gate, "alone", { dialect = "anthropic.messages", fields = { max_tokens = 9 } }).status, 502)
end)
