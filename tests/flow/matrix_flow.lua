-- Every fault of a provider, in every phase of its answer, whole and streamed, in the client's own dialect and
-- translated: a client gets exactly one complete answer or one well-formed error, there is one trace record a request
-- and one attempt in it for each call that the provider saw, and what the traces cost is what the provider billed.
local flow = require "flow"
local http = require "http"
local json = require "cjson"
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

local adapters = { ["openai.chat"] = "openai", ["openai.responses"] = "openai", ["anthropic.messages"] = "anthropic",
  gemini = "gemini", ["cohere.chat"] = "cohere", ["bedrock.converse"] = "openai-compatible" }
local base = { gemini = "/v1beta", ["cohere.chat"] = "/v2", ["bedrock.converse"] = "" }
local input_usd, output_usd = 3, 7 -- of a million tokens; in 10^-12 dollars a token: the same number, times 10^6

local function simulator(t)
  local file = t.dir .. "/billed.jsonl"
  local process = proc.start(t.dir, "simulate", { require "gateway".binary, "simulate", "--listen", "127.0.0.1:0",
    "--record", file, "--quiet" })
  local port = t:until_true(20 * t.seconds, function() return process:output():match "127%.0%.0%.1:(%d+)" end)
  t:keep { close = function() process:stop(5) end }
  return process, port, file
end

local function start(t, dialect)
  local process, port, file = simulator(t)
  local up = { dialect = "openai.chat", url = "http://127.0.0.1:" .. port }
  local timeouts = { connect = "2s", first_token = "400ms", between_tokens = "400ms", total = "900ms" }
  local gate = t:gateway {
    providers = { up = t:provider(up, { adapter = adapters[dialect], dialect = dialect, timeouts = timeouts,
      base_url = up.url .. (base[dialect] or "/v1") }) },
    health = { eject = "0s", key_bench = "0s" },
    routes = { r = { targets = { "up/model-a" } } },
    prices = { ["up/model-a"] = { input = tostring(input_usd), output = tostring(output_usd) } },
  }
  return gate, process, file
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

local function records_of(file)
  local by_nonce, list = {}, {}
  for line in (proc.read_file(file) or ""):gmatch "[^\n]+" do list[#list + 1] = json.decode(line) end
  table.sort(list, function(a, b) return a.seq < b.seq end)
  for _, record in ipairs(list) do
    local nonce = tonumber(record.body:match "nonce=(%d+)")
    by_nonce[nonce] = by_nonce[nonce] or {}
    table.insert(by_nonce[nonce], record)
  end
  return by_nonce, #list
end

-- Compares the attempts of a trace record with what the provider says of its calls.
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
    local due = (billed.billed_input_tokens * input_usd + billed.billed_output_tokens * output_usd) * 1000000
    sums.billed, sums.traced = sums.billed + due, sums.traced + attempt.cost_pico_usd
    -- Where the provider told its usage, to the token; where the answer broke off before, an estimate stands for it.
    local told = attempt.class == "none"
    local tells = one.fault.good and one.fault[1] ~= "no_usage"
    if tells and trace.usage_source ~= "provider" then
      return "usage that the provider told is " .. trace.usage_source
    end
    if told and trace.usage_source == "provider" then
      sums.exact = sums.exact + 1
      if due ~= attempt.cost_pico_usd then
        return ("attempt %d costs %d, the provider billed %d"):format(i, attempt.cost_pico_usd, due)
      end
    elseif due == 0 and attempt.cost_pico_usd == 0 then
      sums.free = sums.free + 1
    else
      if one.fault.counted and one.stream and one.client == one.dialect then
        -- OpenAI's Responses says a text again when it is done, which counts as content too.
        local more = one.dialect == "openai.responses" and 4 or 0
        local off = attempt.output_tokens - billed.billed_output_tokens
        if attempt.input_tokens ~= billed.billed_input_tokens or off < 0 or off > more then
          return ("attempt %d is counted as %d + %d tokens, the provider billed %d + %d"):format(i,
            attempt.input_tokens, attempt.output_tokens, billed.billed_input_tokens, billed.billed_output_tokens)
        end
        sums.counted = sums.counted + 1
      end
      sums.estimated = sums.estimated + 1
      sums.estimated_billed, sums.estimated_traced = sums.estimated_billed + due,
        sums.estimated_traced + attempt.cost_pico_usd
      if os.getenv "MATRIX_VERBOSE" then
        print(one.client, one.stream and "stream" or "whole", one.fault[1], "billed "
          .. billed.billed_input_tokens .. "+" .. billed.billed_output_tokens, "traced "
          .. tostring(attempt.input_tokens) .. "+" .. tostring(attempt.output_tokens), attempt.class,
          trace.usage_source)
      end
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
    local gate, _, file = start(t, dialect)
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
      by_nonce, calls = records_of(file)
      for _, one in ipairs(list) do
        if one.verdict and #(by_nonce[one.nonce] or {}) < #by_id[one.request_id].attempts then return false end
      end
      return true
    end)
    local sums = { billed = 0, traced = 0, exact = 0, free = 0, counted = 0, estimated = 0, estimated_billed = 0,
      estimated_traced = 0 }
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
    local figures = ("%s: %d requests: %d answers, %d errors; %d calls: %d told and exact, %d free, %d estimated, %d "
      .. "of them to the token (billed %d, traced %d); in all billed %d, traced %d\n"):format(dialect, #list,
      ends.complete, ends.error, calls, sums.exact, sums.free, sums.estimated, sums.counted, sums.estimated_billed,
      sums.estimated_traced, sums.billed, sums.traced)
    proc.write_file(t.dir .. "/figures.txt", figures)
    if os.getenv "FLOW_VERBOSE" then io.write(figures) end
    t:check(#wrong == 0, #wrong .. " wrong:\n" .. table.concat(wrong, "\n"))
  end)
end
