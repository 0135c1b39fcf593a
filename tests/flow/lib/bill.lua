-- bill: a simulated provider that writes down what it bills, what that is in money, and whether a trace says the same,
-- attempt by attempt: each goes out with an id of its own (x-client-request-id), which the simulator records.
local http = require "http"
local json = require "cjson"
local loop = require "loop"
local net = require "net"
local proc = require "proc"

local M = { input_usd = 3, output_usd = 7 } -- of a million tokens

local adapters = { ["openai.chat"] = "openai", ["openai.responses"] = "openai", ["anthropic.messages"] = "anthropic",
  gemini = "gemini", ["cohere.chat"] = "cohere", ["bedrock.converse"] = "openai-compatible" }
local base = { gemini = "/v1beta", ["cohere.chat"] = "/v2", ["bedrock.converse"] = "" }

local Sim = {}
Sim.__index = Sim

function M.start(t)
  t.bills = (t.bills or 0) + 1
  local name = "simulate" .. t.bills
  local sim = setmetatable({ file = t.dir .. "/" .. name .. ".billed.jsonl" }, Sim)
  sim.process = proc.start(t.dir, name, { require "gateway".binary, "simulate", "--listen", "127.0.0.1:0",
    "--record", sim.file, "--quiet" })
  t:keep { close = function() sim.process:stop(5) end }
  sim.port = t:until_true(20 * t.seconds, function() return sim.process:output():match "127%.0%.0%.1:(%d+)" end)
  return sim
end

-- A provider of a config that speaks `dialect`. path: what bends all its answers ("chunk_ms=20"), or nil.
function Sim:provider(t, dialect, path, more)
  local url = "http://127.0.0.1:" .. self.port .. (path and "/s/" .. path or "")
  local entry = t:provider({ dialect = "openai.chat", url = url }, { adapter = adapters[dialect], dialect = dialect,
    base_url = url .. (base[dialect] or "/v1") })
  for name, value in pairs(more or {}) do entry[name] = value end
  return entry
end

-- prices of a config for these targets.
function M.prices(...)
  local prices = {}
  for _, name in ipairs { ... } do
    prices[name] = { input = tostring(M.input_usd), output = tostring(M.output_usd) }
  end
  return prices
end

-- How many requests have reached it.
function Sim:asked()
  local conn = assert(net.connect(self.port))
  conn:send(http.request_text { method = "GET", target = "/simulate/stats", headers = {} })
  local answer = http.read_response(conn, 10)
  conn:close()
  return json.decode(answer.body).requests
end

-- What it has recorded, in the order in which it was asked. Waits for `count` records.
function Sim:records(count, seconds)
  local list
  loop.until_true(math.max(seconds or 0, loop.patience), function()
    list = {}
    for line in (proc.read_file(self.file) or ""):gmatch "([^\n]+)\n" do list[#list + 1] = json.decode(line) end
    return #list >= count
  end)
  table.sort(list, function(a, b) return a.seq < b.seq end)
  return list
end

-- The calls that these records are of: lists of records by the attempt's id, in the order in which they came. What was
-- sent again on another connection (`resent`) has the same id.
function M.calls(records)
  local calls = {}
  for _, record in ipairs(records) do
    for _, header in ipairs(record.headers) do
      if header[1] == "x-client-request-id" then
        calls[header[2]] = calls[header[2]] or {}
        table.insert(calls[header[2]], record)
      end
    end
  end
  return calls
end

function M.call_id(trace, attempt) return ("%s-%d"):format(trace.request_id, attempt.n) end

-- Whether all attempts of these traces are in `calls` that a provider must know of: their head came.
function M.has_all(traces, calls)
  for _, trace in ipairs(traces) do
    for _, attempt in ipairs(trace.attempts) do
      if attempt.status ~= 0 and not calls[M.call_id(trace, attempt)] then return false end
    end
  end
  return true
end

-- Joins the attempts of these traces with the requests that providers of the case (upstream.lua) have read, call by
-- call. Returns what is wrong, or nil. Their counts need not be the same: who leaves at once leaves an attempt that was
-- begun and given up before anything of it went out. No provider knows of it, and it costs nothing.
function M.unmatched(traces, ...)
  local ups, attempts, seen = { ... }, {}, {}
  for _, trace in ipairs(traces) do
    for _, attempt in ipairs(trace.attempts) do attempts[M.call_id(trace, attempt)] = attempt end
  end
  loop.until_true(loop.patience, function() -- what was sent may not have been read yet
    seen = {}
    for _, up in ipairs(ups) do
      for _, request in ipairs(up.requests) do
        local id = request:header_value "x-client-request-id" or "without an id"
        seen[id] = (seen[id] or 0) + 1
      end
    end
    for id, attempt in pairs(attempts) do
      if attempt.send_ms ~= json.null and not seen[id] then return false end
    end
    return true
  end)
  for id, count in pairs(seen) do
    local attempt = attempts[id]
    if not attempt then return "a call that no record tells of: " .. id end
    if count > (attempt.resent and 2 or 1) then return ("%d calls of one attempt: %s"):format(count, id) end
  end
  for id, attempt in pairs(attempts) do
    if not seen[id] and (attempt.send_ms ~= json.null or attempt.status ~= 0 or attempt.class ~= "client_gone"
      or attempt.usage_source ~= "none" or attempt.cost_pico_usd ~= 0) then
      return "an attempt that no provider has seen: " .. id .. ": " .. json.encode(attempt)
    end
  end
end

-- What these records cost, in 10^-12 dollars.
function M.due(...)
  local sum = 0
  for _, record in ipairs { ... } do
    sum = sum + (record.billed_input_tokens * M.input_usd + record.billed_output_tokens * M.output_usd) * 1000000
  end
  return sum
end

-- How far what is booked may lie above what was billed: the estimates err to that side.
M.most_times = 2
M.most_more = 400000000 -- 10^-12 dollars: the frame of a short answer, which is known by its length alone

local function tokens_usd(input, output) return (input * M.input_usd + output * M.output_usd) * 1000000 end

-- One attempt and the record of its call (nil: the provider knows of none). Returns what it was, or nil and what is
-- wrong:
--   free       billed nothing, booked nothing
--   told       usage was delivered: booked to the pico-dollar
--   estimated  an answer began, and its usage was not delivered: never below the bill, and within the bound above;
--              the prompt at least where it was spoiled: then there was more that nobody could read
--   unknown    sent whole, and no head of an answer came that a gateway can read: the prompt, whatever became of it
function M.judge(attempt, record, spoiled)
  local cost, due = attempt.cost_pico_usd, record and M.due(record) or 0
  local input = record and record.billed_input_tokens or 0
  local function wrong(what)
    return nil, ("attempt %d (%s, status %d): %s: booked %d + %d tokens (%s), billed %d + %d, %s"):format(attempt.n,
      attempt.class, attempt.status, what, attempt.input_tokens, attempt.output_tokens, attempt.usage_source, input,
      record and record.billed_output_tokens or 0, record and record.answer_sent and "told" or "not told")
  end
  if attempt.usage_source == "none" then
    if cost ~= 0 then return wrong "it costs without usage" end
    if due ~= 0 then return wrong "billed, and not booked" end
    return "free"
  end
  if cost ~= tokens_usd(attempt.input_tokens, attempt.output_tokens) then return wrong "not the cost of its tokens" end
  if attempt.usage_source == "provider" then
    if cost ~= due then return wrong "not what was told" end
    return "told"
  end
  if record and record.answer_sent and attempt.class == "none" then return wrong "estimated, though told" end
  if attempt.status == 0 then
    if attempt.output_tokens ~= 0 then return wrong "an answer that nobody saw" end
    if attempt.input_tokens < input then return wrong "less than the prompt" end
    if record and attempt.input_tokens > record.body_bytes / 2 then return wrong "more than the prompt" end
    return "unknown"
  end
  if spoiled and attempt.input_tokens < input then return wrong "less than the prompt" end
  if cost < due and not spoiled then return wrong "less than was billed" end
  if cost > due * M.most_times + M.most_more then return wrong "far more than was billed" end
  return "estimated"
end

-- All attempts of a trace. calls: M.calls of every provider it may have asked. spoiled: see M.judge.
-- each(kind, attempt, record) may be nil. Returns what is wrong, or nil.
function M.compare(trace, calls, spoiled, each)
  local sum = 0
  for _, attempt in ipairs(trace.attempts) do
    local records = calls[M.call_id(trace, attempt)] or {}
    if #records > (attempt.resent and 2 or 1) then return ("attempt %d: %d calls"):format(attempt.n, #records) end
    local record = records[#records] -- what was sent in vain before it was lost with its connection
    local kind, fault = M.judge(attempt, record, spoiled)
    if not kind then return fault end
    if each then each(kind, attempt, record) end
    sum = sum + attempt.cost_pico_usd
  end
  if sum ~= trace.cost_pico_usd then return "the record's cost is not the sum of its attempts'" end
end

return M
