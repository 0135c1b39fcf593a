-- Usage that the gateway asks for, because it keeps account, and its client did not: nothing of it reaches the client.
-- And what it books where nobody tells usage.
local answers = require "answers"
local bill = require "bill"
local flow = require "flow"
local http = require "http"
local talk = require "talk"

-- A stream as OpenAI sends it when usage is asked for: each chunk has the field, the last one its value.
local function with_usage(events)
  local list = {}
  for i, event in ipairs(events) do
    local holds = event:find("[DONE]", 1, true) or event:find('"usage"', 1, true)
    list[i] = holds and event or event:gsub("}\n\n$", ',"usage":null,"obfuscation":"xY2"}\n\n')
  end
  return list
end

for _, piece in ipairs { 1000000, 7, 1 } do
  flow.case("usage that only the gateway asked for is taken out of a stream, written by " .. piece, function(t)
    local texts = { "one", ' ,\\"usage\\":null ', ("long "):rep(100) }
    local plain = answers.stream["openai.chat"](texts)
    local sent = table.concat(with_usage(plain))
    local gate, up = t:simple { script = function(x)
      x:start_stream()
      for at = 1, #sent, piece do x:chunk(sent:sub(at, at + piece - 1)) end
      x:end_stream()
    end }
    local conn = t:client(gate)
    conn:send(t:chat_text("r", { stream = true }))
    local answer = t:check(http.read_head(conn), "answer")
    local wanted = {}
    for _, event in ipairs(plain) do
      local holds = event:find("[DONE]", 1, true)
      if not event:find('"choices":[],', 1, true) then
        wanted[#wanted + 1] = holds and event or event:gsub("}\n\n$", ',"obfuscation":"xY2"}\n\n')
      end
    end
    t:equal(answer:read_body(), table.concat(wanted), "stream")
    t:match(up.requests[1].body, '"include_usage":true', "body to the provider")
    -- Who asks for it gets all of it.
    conn = t:client(gate)
    conn:send(t:chat_text("r", { stream = true, fields = { stream_options = { include_usage = true } } }))
    t:equal(t:check(http.read_head(conn), "answer"):read_body(), sent, "stream with usage")
  end)
end

-- ---- what is booked where usage was not delivered, against what the provider billed (bill.compare) --------------

-- A gateway with a route to one simulated provider.
local function house(t, dialect, timeouts)
  local sim = bill.start(t)
  return t:gateway {
    providers = { up = sim:provider(t, dialect, nil, { timeouts = timeouts }) },
    routes = { r = { targets = { "up/model-a" }, retry = { attempts = 1 } } },
    prices = bill.prices "up/model-a", health = { eject = "0s", key_bench = "0s" },
  }, sim
end

local function ask(t, gate, dialect, words, stream)
  local conn = t:client(gate)
  t:check(conn:send(talk.request(dialect, "r", "Say something. [[simulate " .. words .. "]]", stream,
    flow.client_key)), "sending")
  return conn
end

-- The kinds of all attempts of these traces, in their order.
local function kinds_of(t, traces, sims)
  local calls, kinds = nil, {}
  t:until_true(10 * t.seconds, function()
    local records = {}
    for _, sim in ipairs(sims) do table.move(sim:records(0), 1, 1000, #records + 1, records) end
    calls = bill.calls(records)
    return bill.has_all(traces, calls)
  end, "the providers' records")
  for _, trace in ipairs(traces) do
    t:equal(bill.compare(trace, calls, false, function(kind) kinds[#kinds + 1] = kind end), nil, "attempt by attempt")
  end
  return kinds
end

for _, dialect in ipairs(talk.dialects) do
  flow.case("booked: what is sent whole and of which nothing is heard costs its prompt: " .. dialect, function(t)
    local gate, sim = house(t, dialect, { total = "1500ms" })
    local list = { "stall=head", "close=head", "reset=head", "header_bytes=90000", 'header="content-length: 3"' }
    for i, words in ipairs(list) do
      for k, stream in ipairs { true, false } do
        local conn = ask(t, gate, dialect, words, stream)
        if i == 1 and k == 1 then
          t:until_true(10 * t.seconds, function() return sim:asked() == 1 end, "the provider has the request")
          conn:reset()
        else
          http.read_response(conn, 20 * t.seconds)
          conn:close()
        end
      end
    end
    local traces = gate:traces(2 * #list, 20 * t.seconds)
    for i, kind in ipairs(kinds_of(t, traces, { sim })) do t:equal(kind, "unknown", "attempt " .. i) end
    for _, trace in ipairs(traces) do
      t:equal(trace.attempts[1].usage_source, "estimated")
      t:check(trace.cost_pico_usd > 0, "it is in the sum")
    end
  end)
end

flow.case("booked: what was refused costs nothing", function(t)
  local gate, sim = house(t, "openai.chat", { between_bytes = "500ms" })
  for _, words in ipairs { "status=400", "status=429", "status=500", "status=503 stall=middle" } do
    http.read_response(ask(t, gate, "openai.chat", words, false), 20 * t.seconds)
  end
  local kinds = kinds_of(t, gate:traces(4, 20 * t.seconds), { sim })
  t:equal(table.concat(kinds, " "), "free free free free")
end)

flow.case("booked: what was never sent whole costs nothing", function(t)
  local deaf = t:deaf_port()
  local gate = t:gateway {
    providers = { dead = t:dead(), deaf = t:provider({ dialect = "openai.chat", url = "http://127.0.0.1:" .. deaf },
      { timeouts = { upload = "300ms", total = "10s" } }) },
    routes = { r = { targets = { "dead/model-a", "deaf/model-a" }, retry = { attempts = 2 } } },
    prices = bill.prices("dead/model-a", "deaf/model-a"),
  }
  local conn = t:client(gate)
  conn:send(t:chat_text("r", { fields = { messages = { { role = "user", content = ("x "):rep(4000000) } } } }))
  http.read_response(conn, 30 * t.seconds)
  local trace = gate:traces(1, 20 * t.seconds)[1]
  t:equal(#trace.attempts, 2)
  t:equal(trace.attempts[1].class, "connect")
  t:equal(trace.attempts[2].class, "upload_timeout")
  for _, attempt in ipairs(trace.attempts) do
    t:equal(attempt.usage_source, "none")
    t:equal(attempt.cost_pico_usd, 0)
  end
end)

-- Before its head, or behind it.
for words, asks in pairs { latency_ms = { true, false }, ttft_ms = { true } } do
  flow.case("booked: the loser of a hedge: " .. words, function(t)
    local slow, quick = bill.start(t), bill.start(t)
    local gate = t:gateway {
      providers = { slow = slow:provider(t, "openai.chat", words .. "=20000"),
        quick = quick:provider(t, "openai.chat") },
      routes = { r = { targets = { "slow/model-a", "quick/model-a" }, hedge = { after = "40ms", max_extra = 1 } } },
      prices = bill.prices("slow/model-a", "quick/model-a"),
    }
    for _, stream in ipairs(asks) do
      local answer = http.read_response(ask(t, gate, "openai.chat", "chunks=3", stream), 20 * t.seconds)
      t:equal(answer and talk.judge("openai.chat", stream, answer), "complete")
    end
    local kinds = kinds_of(t, gate:traces(#asks, 20 * t.seconds), { slow, quick })
    for i = 1, #asks do
      local lost = kinds[2 * i - 1]
      t:check(lost == "unknown" or (lost == "estimated" and words == "ttft_ms"), "the loser: " .. tostring(lost))
      t:equal(kinds[2 * i], "told")
    end
  end)
end

local long = ("It takes a while to say what there is to be said about gateways, and about what they cost. "):rep(20)

for _, dialect in ipairs(talk.dialects) do
  flow.case("booked: a long stream that breaks off is booked within half above its bill: " .. dialect, function(t)
    local gate, sim = house(t, dialect)
    for _, fault in ipairs { "close=middle", "close=end", "close=middle thinking", "cut_at=9000" } do
      local text = fault:find "cut" and "" or (" text=%q"):format(long)
      http.read_response(ask(t, gate, dialect, fault .. text .. (text == "" and " chunks=400" or ""), true),
        20 * t.seconds)
    end
    local traces = gate:traces(4, 20 * t.seconds)
    for _, kind in ipairs(kinds_of(t, traces, { sim })) do t:equal(kind, "estimated") end
    local calls = bill.calls(sim:records(4))
    for _, trace in ipairs(traces) do
      local due = bill.due(calls[bill.call_id(trace, trace.attempts[1])][1])
      t:check(trace.cost_pico_usd <= 1.5 * due, ("booked %d, billed %d"):format(trace.cost_pico_usd, due))
    end
  end)
end

-- Few deltas: a stream of 2 to 3 KB.
for _, dialect in ipairs { "openai.chat", "anthropic.messages" } do
  flow.case("booked: a stream that is cut anywhere is never booked below its bill: " .. dialect, { seconds = 90 },
    function(t)
      local gate, sim = house(t, dialect)
      local count = 0
      for at = 1, 4000, 67 do
        http.read_response(ask(t, gate, dialect, "chunks=6 answer_bytes=300 cut_at=" .. at, true), 20 * t.seconds)
        count = count + 1
      end
      local kinds = {}
      for _, kind in ipairs(kinds_of(t, gate:traces(count, 20 * t.seconds), { sim })) do
        kinds[kind] = (kinds[kind] or 0) + 1
      end
      t:check(kinds.estimated > 20, "cut before its usage")
      t:check(kinds.told > 2, "cut behind its usage")
    end)
end
