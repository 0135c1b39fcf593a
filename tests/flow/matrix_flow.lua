-- Every fault of a provider, in every phase of its answer, whole and streamed, in the client's own dialect and
-- translated: a client gets exactly one complete answer or one well-formed error, there is one trace record a request
-- and one attempt in it for each call that the provider saw, and each attempt costs what the provider billed for it.
local bill = require "bill"
local flow = require "flow"
local http = require "http"
local loop = require "loop"
local proc = require "proc"
local talk = require "talk"

-- What the simulated provider is told. `good`: the answer is complete nevertheless; `good_whole`: where it is whole;
-- `breaks`: rules of the order of events that the provider itself breaks with it, and `turned`: the byte that it turns
-- a bit of; in the client's own dialect its bytes pass as they are;
-- `spoiled`: behind an event that cannot be read the gateway reads no further, while all of the answer is on its way.
local faults = {
  -- before the head
  { "latency_ms=30", good = true }, { "latency_ms=4000" }, { "stall=head" }, { "close=head" }, { "reset=head" },
  { "header_bytes=90000" }, { 'header="content-length: 3"' },
  -- refusals
  { "status=400" }, { "status=401" }, { "status=403" }, { "status=404" }, { "status=408" }, { "status=409" },
  { "status=413" }, { "status=422" }, { "status=429" }, { "status=429 retry_after=0" },
  { "status=429 retry_after=60" }, { "status=429 retry_after=60 retry_form=date" },
  { "status=429 retry_after=60 retry_form=ms" }, { "status=429 type=insufficient_quota" }, { "status=500" },
  { "status=502" }, { "status=503 retry_after=60" }, { "status=504" }, { "status=529" },
  { "status=503 stall=middle" }, { "status=503 close=middle" },
  -- what is no answer
  { "malformed=content_type" }, { "malformed=json", spoiled = true, breaks = "any" },
  { "malformed=sse", spoiled = true, breaks = "any" }, { "gzip_bytes=2000000" },
  -- before the first content
  { "ttft_ms=40", good = true }, { "ttft_ms=4000", good_whole = true }, { "stall=first_event" },
  { "stall=first_event ping_ms=40", breaks = "unknown" }, { "close=first_event" },
  { "reset=first_event" }, { "error_event=first" },
  { "error_event=first status=429" }, { "cut_at=1" },
  -- between the tokens
  { "chunk_ms=3", good = true }, { "chunk_ms=4000", good_whole = true }, { "stall=middle" },
  { "stall=middle ping_ms=40", breaks = "unknown" }, { "close=middle" },
  { "reset=middle" }, { "error_event=middle" }, { "corrupt_at=90", spoiled = true, turned = 90 },
  { "drip_ms=1 drip_bytes=64", good = true }, { "drip_ms=500" },
  -- before the end
  { "stall=end" }, { "close=end" }, { "reset=end" },
  { "error_event=end" },
  -- what is no fault
  { "finish=length", good = true }, { "no_usage", good = true, breaks = "usage end" },
  { "cached_tokens=3", good = true },
}

-- The route `r` has short clocks, for what ends by them alone; everything else takes `patient`, on however slow a
-- machine.
local function start(t, dialect)
  local sim = bill.start(t)
  local timeouts = { connect = "20s", first_token = "400ms", between_tokens = "400ms", between_bytes = "400ms",
    total = "900ms" }
  local gate = t:gateway {
    providers = { up = sim:provider(t, dialect, nil, { timeouts = timeouts }), patient = sim:provider(t, dialect) },
    health = { eject = "0s", key_bench = "0s" },
    routes = { r = { targets = { "up/model-a" } }, patient = { targets = { "patient/model-a" } } },
    prices = bill.prices("up/model-a", "patient/model-a"),
  }
  return gate, sim
end

local function must_be_complete(one) return one.fault.good or (not one.stream and one.fault.good_whole) end

local function route_of(one)
  if must_be_complete(one) then return "patient" end
  local words = one.fault[1]
  return (words:find "stall=" or words:find "ms=4000" or words:find "drip_ms=500") and "r" or "patient"
end

-- Asks; returns what is wrong, or nil and how it ended.
local function ask(t, gate, one)
  local conn = t:client(gate)
  if one.client == one.dialect then
    conn.watch.turned = one.fault.turned
    conn.watch.excuse = function(rule)
      local broken = one.fault.breaks or ""
      local is_known = broken == "any" or (" " .. broken .. " "):find(" " .. rule .. " ", 1, true)
      return is_known and ("the simulated provider with %s, in its own dialect"):format(one.fault[1])
    end
  end
  local text = ("Say something. nonce=%d. [[simulate %s]]"):format(one.nonce, one.fault[1])
  assert(conn:send(talk.request(one.client, route_of(one), text, one.stream, flow.client_key)))
  local answer, why = http.read_response(conn, 20 * t.seconds)
  conn:close()
  if not answer then return "no answer: " .. tostring(why) end
  one.request_id = answer.headers["x-request-id"]
  one.attempts = tonumber(answer.headers["x-moongate-attempts"] or "0")
  local verdict, wrong = talk.judge(one.client, one.stream, answer)
  if not verdict then return wrong end
  if must_be_complete(one) and verdict ~= "complete" then
    return "an error where none was provoked: " .. answer.body:sub(1, 300)
  end
  one.verdict = verdict
end

-- Compares each attempt of a trace record with what the provider says of that very call (bill.compare).
local function settle(one, trace, calls, sums)
  local spoiled = one.fault.spoiled and one.stream
  return bill.compare(trace, calls, spoiled, function(kind, attempt, record)
    local sum, due = sums[kind], record and bill.due(record) or 0
    sum.count = sum.count + 1
    sum.billed, sum.traced = sum.billed + due, sum.traced + attempt.cost_pico_usd
    if os.getenv "MATRIX_VERBOSE" and due ~= attempt.cost_pico_usd then
      print(one.client, one.stream and "stream" or "whole", one.fault[1], kind, due, attempt.cost_pico_usd,
        ("%.2f"):format(attempt.cost_pico_usd / due))
    end
  end)
end

local function run_all(t, gate, list, at_once)
  local wrong, next_one, tasks = {}, 1, {}
  for i = 1, at_once do
    tasks[i] = t:spawn(function()
      while list[next_one] do
        local one = list[next_one]
        next_one = next_one + 1
        local fault = ask(t, gate, one)
        if fault then
          wrong[#wrong + 1] = ("%s, %s, %s: %s"):format(one.client, one.stream and "stream" or "whole", one.fault[1],
            fault)
        end
      end
    end)
  end
  for _, task in ipairs(tasks) do task:join(200 * t.seconds) end
  return wrong
end

for _, dialect in ipairs(talk.dialects) do
  local other = dialect == "openai.chat" and "anthropic.messages" or "openai.chat"
  flow.case("every fault in every phase ends in one answer or one error: " .. dialect, { seconds = 240 }, function(t)
    local gate, sim = start(t, dialect)
    local list = {}
    for _, fault in ipairs(faults) do
      for _, client in ipairs { dialect, other } do
        for _, stream in ipairs { false, true } do
          list[#list + 1] = { nonce = #list + 1, fault = fault, client = client, stream = stream,
            dialect = dialect }
        end
      end
    end
    local wrong = run_all(t, gate, list, 24)
    local traces, by_id = gate:traces(#list, 10 * t.seconds), {}
    for _, trace in ipairs(traces) do by_id[trace.request_id] = trace end
    t:equal(#traces, #list, "trace records")
    local calls, count
    loop.until_true(20 * t.seconds, function() -- a call that was cancelled is recorded when the provider has noticed
      local records = sim:records(0)
      calls, count = bill.calls(records), #records
      return bill.has_all(traces, calls)
    end)
    local sums = {}
    for _, kind in ipairs { "told", "estimated", "unknown", "free" } do
      sums[kind] = { count = 0, billed = 0, traced = 0 }
    end
    local ends = { complete = 0, error = 0 }
    for _, one in ipairs(list) do
      if one.verdict then
        ends[one.verdict] = ends[one.verdict] + 1
        local fault = settle(one, by_id[one.request_id], calls, sums)
        if fault then
          wrong[#wrong + 1] = ("%s, %s, %s: %s"):format(one.client, one.stream and "stream" or "whole", one.fault[1],
            fault)
        end
      end
    end
    local figures = ("%s: %d requests: %d answers, %d errors; %d calls, in 10^-12 dollars:\n"):format(dialect, #list,
      ends.complete, ends.error, count)
    for _, kind in ipairs { "told", "estimated", "unknown", "free" } do
      local sum = sums[kind]
      figures = figures .. ("  %-9s %3d calls, billed %11d, traced %11d\n"):format(kind, sum.count, sum.billed,
        sum.traced)
    end
    proc.write_file(t.dir .. "/figures.txt", figures)
    io.write(figures)
    t:check(#wrong == 0, #wrong .. " wrong:\n" .. table.concat(wrong, "\n"))
    t:equal(sums.told.traced, sums.told.billed, "the sum of what was told")
    t:check(sums.told.count > 25 and sums.estimated.count > 40 and sums.unknown.count > 8,
      "enough of each: " .. figures)
  end)
end
