-- A stream of 2 KB that is cut, or has one bit turned, at every one of its bytes; and a provider that is killed under
-- load. Every request ends in exactly one complete answer or one well-formed error, with one trace record.
local bill = require "bill"
local flow = require "flow"
local http = require "http"
local json = require "cjson"
local proc = require "proc"
local talk = require "talk"

local chat, claude = "openai.chat", "anthropic.messages"

local function simulator(t, name)
  local process = proc.start(t.dir, name or "simulate", { require "gateway".binary, "simulate", "--listen",
    "127.0.0.1:0", "--quiet", "--keep", "0" })
  local port = t:until_true(20 * t.seconds, function() return process:output():match "127%.0%.0%.1:(%d+)" end)
  t:keep { close = function() process:stop(5) end }
  return process, { dialect = chat, url = "http://127.0.0.1:" .. port }
end

-- One request; its verdict, or an error that names it. turned: the byte of the answer that the provider spoils where
-- its bytes are passed on as they are: the order of events is looked at with that bit turned back.
local function ask(t, gate, client, model, words, turned)
  local conn = t:client(gate)
  conn.watch.turned = turned
  assert(conn:send(talk.request(client, model, words, true, flow.client_key)))
  local answer, why = http.read_response(conn, 20 * t.seconds)
  conn:close()
  conn.capture = "" -- thousands of answers: their bytes are judged, not kept
  if not answer then error(words .. ": no answer: " .. tostring(why), 0) end
  local verdict, wrong = talk.judge(client, true, answer)
  if not verdict then error(("%s, %s: %s"):format(client, words, wrong), 0) end
  return verdict, answer
end

local function beside(t, count, fn)
  local tasks = {}
  for i = 1, count do tasks[i] = t:spawn(fn) end
  for _, task in ipairs(tasks) do task:join(200 * t.seconds) end
end

-- A stream of about 2 KB whatever the dialect: few deltas with long words.
local pace = { [chat] = "chunks=2 answer_bytes=120", [claude] = "chunks=6 answer_bytes=300" }

-- How long what ends a stream is, with the line ends before it.
local terminal = { [chat] = #"\n\ndata: [DONE]\n\n",
  [claude] = #'\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n' }

for _, dialect in ipairs { chat, claude } do
  for _, client in ipairs { chat, claude } do
    for _, fault in ipairs { "cut_at", "corrupt_at" } do
      flow.case(("%s at each byte of a stream of %s, for a client of %s"):format(fault, dialect, client),
        { seconds = 240 }, function(t)
          local _, up = simulator(t)
          local gate = t:gateway {
            providers = { up = t:provider(up, { adapter = dialect == claude and "anthropic" or "openai",
              timeouts = { connect = "2s", first_token = "5s", between_tokens = "5s", total = "10s" } }) },
            health = { eject = "0s", key_bench = "0s" },
            retry_budget = { percent = 100, per_s = 100000 },
            routes = { r = { targets = { "up/model-a" }, retry = { attempts = 1 } } },
          }
          local _, whole = ask(t, gate, dialect, "r", "[[simulate " .. pace[dialect] .. "]]")
          local bytes = #whole.body
          t:check(bytes > 1000 and bytes < 3500, "a stream of about 2 KB: " .. bytes)
          -- A turned bit in what ends a stream is for the client to find: who passes bytes on does not mend them.
          if fault == "corrupt_at" and dialect == client then bytes = bytes - terminal[dialect] end
          local step = flow.slow > 1 and 7 or 1 -- sanitizers: each seventh byte
          local at, asked, ends = 0, 1, { complete = 0, error = 0 }
          beside(t, 8, function()
            while at < bytes do
              local here = at
              at, asked = at + step, asked + 1
              local verdict = ask(t, gate, client, "r", ("[[simulate %s %s=%d]]"):format(pace[dialect], fault, here),
                fault == "corrupt_at" and dialect == client and here or nil)
              ends[verdict] = ends[verdict] + 1
            end
          end)
          t:equal(ends.complete + ends.error, asked - 1, "requests that ended")
          t:equal(#gate:traces(asked, 10 * t.seconds), asked, "trace records")
          if fault == "cut_at" then -- only what lies behind the last event's data may be missing
            t:check(ends.complete <= 32 and ends.error > asked - 40, ("%d complete, %d errors"):format(ends.complete,
              ends.error))
          end
          if os.getenv "FLOW_VERBOSE" then
            print(("%s, %s → %s: %d bytes: %d answers, %d errors"):format(fault, dialect, client, bytes,
              ends.complete, ends.error))
          end
        end)
    end
  end
end

-- What the gateway itself writes is a stream of the client's dialect, whatever becomes of the provider's: watch.lua
-- looks at its order.
flow.case("cut_at and corrupt_at in a stream of each dialect, for a client of each other one", { seconds = 240 },
  function(t)
    local sim = bill.start(t)
    local config = { providers = {}, routes = {}, health = { eject = "0s", key_bench = "0s" },
      retry_budget = { percent = 100, per_s = 100000 } }
    for i, dialect in ipairs(talk.dialects) do
      config.providers["p" .. i] = sim:provider(t, dialect)
      config.routes["r" .. i] = { targets = { "p" .. i .. "/model-a" }, retry = { attempts = 1 } }
    end
    local gate = t:gateway(config)
    local words = "thinking chunks=3 answer_bytes=60"
    local list = {}
    for i, dialect in ipairs(talk.dialects) do
      local _, whole = ask(t, gate, dialect, "r" .. i, "[[simulate " .. words .. "]]")
      for j, client in ipairs(talk.dialects) do
        for at = j, i ~= j and #whole.body or 0, flow.slow > 1 and 601 or 397 do
          for _, fault in ipairs { "cut_at", "corrupt_at" } do
            list[#list + 1] = { client, "r" .. i, ("[[simulate %s %s=%d]]"):format(words, fault, at) }
          end
        end
      end
    end
    local next_one = 1
    beside(t, 8, function()
      while list[next_one] do
        local one = list[next_one]
        next_one = next_one + 1
        ask(t, gate, one[1], one[2], one[3])
      end
    end)
    t:equal(#gate:traces(#list + #talk.dialects, 10 * t.seconds), #list + #talk.dialects, "trace records")
  end)

flow.case("kill -9 of a provider under load: no request without an end, and the other provider goes on", {
  seconds = 120 }, function(t)
  local doomed, first = simulator(t, "doomed")
  local _, second = simulator(t, "second")
  local gate = t:gateway {
    providers = { first = t:provider(first), second = t:provider(second, { adapter = "anthropic" }) },
    routes = { r = { targets = { "first/model-a", "second/model-b" } } },
  }
  local ends, asked, by_second, killed = { complete = 0, error = 0 }, 0, 0, false
  beside(t, 30, function()
    while by_second < 300 do
      asked = asked + 1
      local verdict, answer = ask(t, gate, asked % 2 == 0 and chat or claude, "r", "[[simulate chunks=20 chunk_ms=5]]")
      ends[verdict] = ends[verdict] + 1
      if answer.headers["x-moongate-target"] == "second/model-b" then by_second = by_second + 1 end
      if not killed and ends.complete >= 200 then
        killed = true
        t:sleep(0.05) -- all began together, and are now in the middle
        doomed:signal "KILL"
      end
    end
  end)
  t:equal(ends.complete + ends.error, asked, "requests that ended")
  -- Only streams that had begun can have been lost.
  t:check(ends.error <= 30, ends.error .. " errors: more than there were streams at that moment")
  local traces = gate:traces(asked, 10 * t.seconds)
  t:equal(#traces, asked, "trace records")
  local fallback = 0
  for _, trace in ipairs(traces) do
    if trace.provider_chosen == "second" and trace.outcome == "ok" then fallback = fallback + 1 end
    if trace.outcome == "failed" then t:check(trace.ttft_ms ~= json.null, "an error only behind content") end
  end
  t:check(fallback > 0, "the second provider answered")
  if os.getenv "FLOW_VERBOSE" then
    print(("kill -9: %d requests: %d answers (%d by the second), %d errors"):format(asked, ends.complete, fallback,
      ends.error))
  end
end)
