-- Every fault of a provider, in every phase of its answer, whole and streamed, in the client's own dialect and
-- translated: a client gets exactly one complete answer or one well-formed error, there is one trace record a request
-- and one attempt in it for each call that the provider saw, and what the traces cost is what the provider billed.
local bill = require "bill"
local flow = require "flow"
local http = require "http"
local loop = require "loop"
local proc = require "proc"
local talk = require "talk"

-- What the simulated provider is told. `good`: the answer is complete nevertheless; `good_whole`: where it is whole;
-- `counted`: where a stream breaks off between two tokens, what came can be counted to the token.
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
  { "malformed=content_type" }, { "malformed=json" }, { "malformed=sse" }, { "gzip_bytes=2000000" },
  -- before the first content
  { "ttft_ms=40", good = true }, { "ttft_ms=4000", good_whole = true }, { "stall=first_event", counted = true },
  { "stall=first_event ping_ms=40", counted = true }, { "close=first_event", counted = true },
  { "reset=first_event", counted = true }, { "error_event=first" },
  { "error_event=first status=429" }, { "cut_at=1" },
  -- between the tokens
  { "chunk_ms=3", good = true }, { "chunk_ms=4000", good_whole = true }, { "stall=middle", counted = true },
  { "stall=middle ping_ms=40", counted = true }, { "close=middle", counted = true },
  { "reset=middle", counted = true }, { "error_event=middle", counted = true }, { "corrupt_at=90" },
  { "drip_ms=1 drip_bytes=64", good = true }, { "drip_ms=500" },
  -- before the end
  { "stall=end", counted = true }, { "close=end", counted = true }, { "reset=end", counted = true },
  { "error_event=end", counted = true },
  -- what is no fault
  { "finish=length", good = true }, { "no_usage", good = true }, { "cached_tokens=3", good = true },
}

local function start(t, dialect)
  local sim = bill.start(t)
  local timeouts = { connect = "2s", first_token = "400ms", between_tokens = "400ms", between_bytes = "400ms",
    total = "900ms" }
  local gate = t:gateway {
    providers = { up = sim:provider(t, dialect, nil, { timeouts = timeouts }) },
    health = { eject = "0s", key_bench = "0s" },
    routes = { r = { targets = { "up/model-a" } } },
    prices = bill.prices "up/model-a",
  }
  return gate, sim
end

-- Asks; returns what is wrong, or nil and how it ended.
local function ask(t, gate, one)
  local conn = t:client(gate)
  local text = ("Say something. nonce=%d. [[simulate %s]]"):format(one.nonce, one.fault[1])
  assert(conn:send(talk.request(one.client, "r", text, one.stream, flow.client_key)))
  local answer, why = http.read_response(conn, 20 * t.seconds)
  conn:close()
  if not answer then return "no answer: " .. tostring(why) end
  one.request_id = answer.headers["x-request-id"]
  one.attempts = tonumber(answer.headers["x-moongate-attempts"] or "0")
  local verdict, wrong = talk.judge(one.client, one.stream, answer)
  if not verdict then return wrong end
  local good = one.fault.good or (not one.stream and one.fault.good_whole)
  if good and verdict ~= "complete" then return "an error where none was provoked: " .. answer.body:sub(1, 300) end
  one.verdict = verdict
end

local function records_of(sim)
  local by_nonce, list = {}, sim:records(0)
  for _, record in ipairs(list) do
    local nonce = tonumber(record.body:match "nonce=(%d+)")
    by_nonce[nonce] = by_nonce[nonce] or {}
    table.insert(by_nonce[nonce], record)
  end
  return by_nonce, #list
end

-- Compares the attempts of a trace record with what the provider says of its calls. What it billed is, attempt by
-- attempt, one of three: told (all of the answer was sent, with its usage): to the token what the trace says; not told
-- (the answer broke off, or nobody could read it): an estimate that is marked as one and has the prompt, at least; or
-- not known: what it sent has no head that a gateway may read, so nothing says that it was an answer.
local function settle(one, trace, records, sums)
  local calls = 0
  for _, attempt in ipairs(trace.attempts) do calls = calls + (attempt.resent and 2 or 1) end
  if calls ~= #records then return ("%d calls by the trace, %d at the provider"):format(calls, #records) end
  local cost = 0
  local at = 0
  for i, attempt in ipairs(trace.attempts) do
    at = at + (attempt.resent and 2 or 1) -- what was sent in vain is billed nothing: the connection was lost
    local billed = records[at]
    cost = cost + attempt.cost_pico_usd
    local due = bill.due(billed)
    local function is(kind)
      sums[kind].count = sums[kind].count + 1
      sums[kind].billed, sums[kind].traced = sums[kind].billed + due, sums[kind].traced + attempt.cost_pico_usd
    end
    local function wrong(what)
      return ("attempt %d (%s): %s: traced %d + %d (%s), billed %d + %d, %s"):format(i, attempt.class, what,
        attempt.input_tokens, attempt.output_tokens, attempt.usage_source, billed.billed_input_tokens,
        billed.billed_output_tokens, billed.answer_sent and "told" or "not told")
    end
    if due == 0 then
      if attempt.cost_pico_usd ~= 0 then return wrong "it costs what was not billed" end
      is "free"
    elseif attempt.status == 0 then
      is "unknown"
      if attempt.class ~= "bad_answer" or attempt.cost_pico_usd ~= 0 then return wrong "no head" end
    elseif billed.answer_sent then
      is "told"
      if attempt.usage_source ~= "provider" or due ~= attempt.cost_pico_usd then return wrong "not what was told" end
    else
      is "estimated"
      -- Of an answer that is spoiled elsewhere the usage may have been read nevertheless.
      local is_exact = attempt.usage_source == "provider" and attempt.cost_pico_usd == due
      if attempt.usage_source ~= "estimated" and not is_exact then return wrong "not marked as an estimate" end
      -- The simulator counts a message's bytes as they came, and another dialect frames it in up to 20 more.
      local frame = one.client == one.dialect and 0 or 5
      if attempt.input_tokens + frame < billed.billed_input_tokens then return wrong "less than the prompt" end
      if one.fault.counted and one.stream and one.client == one.dialect then
        -- OpenAI's Responses says a text again when it is done, which counts as content too.
        local more = one.dialect == "openai.responses" and 4 or 0
        local off = attempt.output_tokens - billed.billed_output_tokens
        if attempt.input_tokens ~= billed.billed_input_tokens or off < 0 or off > more then
          return wrong "not to the token"
        end
        sums.counted = sums.counted + 1
      end
    end
    if os.getenv "MATRIX_VERBOSE" and due ~= attempt.cost_pico_usd then
      print(one.client, one.stream and "stream" or "whole", one.fault[1], wrong "off")
    end
  end
  if cost ~= trace.cost_pico_usd then return "the record's cost is not the sum of its attempts'" end
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
    local by_nonce, calls
    loop.until_true(3 * t.seconds, function() -- a call that was cancelled is recorded when the provider has noticed
      by_nonce, calls = records_of(sim)
      for _, one in ipairs(list) do
        if one.verdict and #(by_nonce[one.nonce] or {}) < #by_id[one.request_id].attempts then return false end
      end
      return true
    end)
    local sums = { counted = 0 }
    for _, kind in ipairs { "told", "estimated", "unknown", "free" } do
      sums[kind] = { count = 0, billed = 0, traced = 0 }
    end
    local ends = { complete = 0, error = 0 }
    for _, one in ipairs(list) do
      if one.verdict then
        ends[one.verdict] = ends[one.verdict] + 1
        local fault = settle(one, by_id[one.request_id], by_nonce[one.nonce] or {}, sums)
        if fault then
          wrong[#wrong + 1] = ("%s, %s, %s: %s"):format(one.client, one.stream and "stream" or "whole", one.fault[1],
            fault)
        end
      end
    end
    local figures = ("%s: %d requests: %d answers, %d errors; %d calls, in 10^-12 dollars:\n"):format(dialect, #list,
      ends.complete, ends.error, calls)
    for _, kind in ipairs { "told", "estimated", "unknown", "free" } do
      local sum = sums[kind]
      figures = figures .. ("  %-9s %3d calls, billed %11d, traced %11d\n"):format(kind, sum.count, sum.billed,
        sum.traced)
    end
    figures = figures .. ("  of those estimated, %d to the token\n"):format(sums.counted)
    proc.write_file(t.dir .. "/figures.txt", figures)
    io.write(figures)
    t:check(#wrong == 0, #wrong .. " wrong:\n" .. table.concat(wrong, "\n"))
    t:equal(sums.told.traced, sums.told.billed, "the sum of what was told")
    t:check(sums.told.count > 25 and sums.estimated.count > 50, "enough of each: " .. figures)
  end)
end
