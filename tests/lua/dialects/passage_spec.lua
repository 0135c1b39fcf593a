-- Pieces of text that pass without Lua: for every client dialect, event by event, the bytes are those that reader and
-- writer make of the whole events. Streams: the recorded ones from $MOONGATE_SHARED/wire (default ../shared beside
-- the checkout), and random ones: normal events told by each dialect's own writer, with every kind of escape in their
-- texts, some of them damaged.

local host = require("tests.lua.helper").host
local load = dofile("tests/lua/dialects/load.lua")
local json, translate, gw = load.gw.json, load.translate, load.gw

local wire = (os.getenv("MOONGATE_SHARED") or "../shared") .. "/wire/"

local names = { "openai_chat", "openai_responses", "anthropic_messages", "gemini", "cohere_chat", "bedrock_converse" }
local dialects, files = {}, {}
for i, name in ipairs(names) do
  files[i] = load.file("adapters/dialects/" .. name .. ".lua")
  dialects[files[i].name] = files[i]
end
local protocols = { ["gemini.streamGenerateContent"] = "gemini", ["cohere.v2.chat"] = "cohere.chat",
  ["bedrock.converse-stream"] = "bedrock.converse", ["bedrock.converse"] = "bedrock.converse" }
local framings = { ["bedrock.converse"] = "aws-events" }

-- Ids and times come from here, so that two runs of one stream can be compared.
local counter = { id = 0 }
local real = { id = gw.id, now_ms = gw.now_ms }

local function fix()
  gw.id = function(prefix)
    counter.id = counter.id + 1
    return prefix .. counter.id
  end
  gw.now_ms = function() return 1000 end
end

local function unfix()
  gw.id, gw.now_ms = real.id, real.now_ms
end

local function hop_of(client, provider, framing, quirks)
  local asked = { model = "alias", stream = true, stream_usage = true, framing = framing, request_id = "req",
    custom_tools = quirks.custom and { [quirks.custom] = true } or nil }
  local target = { model = "m", provider = "p", quirks = quirks }
  return translate.hop(client, provider, nil, target, asked)
end

local function open_stream(...)
  return translate.stream(hop_of(...)), { id = 0 }
end

-- Tells the events both ways; returns how many passed without Lua.
local function compare(id, client, provider, framing, events, quirks)
  local slow, slow_ids = open_stream(client, provider, framing, quirks)
  local fast, fast_ids = open_stream(client, provider, framing, quirks)
  local carry = host.carrier(provider.name)
  local passed = 0
  local function same(n, what, want, got)
    if (want or "") ~= (got or "") then
      error(("%s to %s: event %d, %s\n whole: %s\n cut:   %s"):format(id, client.name, n, what, want, got), 0)
    end
  end
  for n, event in ipairs(events) do
    counter = slow_ids
    local want = slow:event(event.name, event.data)
    counter = fast_ids
    local got, is_passed = carry(fast, event.name, event.data)
    same(n, event.data, want, got)
    if is_passed then passed = passed + 1 end
  end
  counter = slow_ids
  local want = slow:finish()
  counter = fast_ids
  carry(fast)
  same(#events + 1, "the end", want, fast:finish())
  assert.are.same(slow.hop.asked.losses, fast.hop.asked.losses)
  assert.are.equal(slow.has_content, fast.has_content)
  return passed
end

local function to_all(id, provider, events, quirks)
  local passed = 0
  for _, client in ipairs(files) do
    if client ~= provider then
      passed = passed + compare(id, client, provider, framings[client.name] or "sse", events, quirks or {})
    end
  end
  if provider ~= dialects.gemini then
    passed = passed + compare(id, dialects.gemini, provider, "json-array", events, quirks or {})
  end
  return passed
end

describe("pieces that pass: recorded streams", function()
  setup(fix)
  teardown(unfix)

  local function read_file(path)
    local file = io.open(path, "rb")
    if not file then return nil end
    local text = file:read("a")
    file:close()
    return text
  end

  local function unbase64(text)
    local bits, count, out = 0, 0, {}
    local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for letter in text:gmatch("[%w+/]") do
      bits, count = (bits << 6 | letters:find(letter, 1, true) - 1) & 0xffffff, count + 6
      if count >= 8 then
        count = count - 8
        out[#out + 1] = string.char(bits >> count & 0xff)
      end
    end
    return table.concat(out)
  end

  local index = read_file(wire .. "INDEX.json")
  local passed, streams = {}, 0
  for _, entry in ipairs(index and json.decode(index) or {}) do
    local provider = dialects[protocols[entry.protocol] or entry.protocol]
    if entry.streaming and entry.status == 200 and provider then
      it(entry.id, function()
        local exchange = json.decode(read_file(wire .. entry.file))
        local framing = ({ sse = "sse", ["aws-eventstream"] = "aws-events", ["json-array"] = "json-array" })
          [exchange.stream_framing]
        if not framing then return end
        local body = exchange.response_body
        if exchange.response_body_encoding == "base64" then body = unbase64(body) end
        local events = host.tools.frames(framing, body, { #body })
        if not events then return end
        streams = streams + 1
        passed[provider.name] = (passed[provider.name] or 0) + to_all(entry.id, provider, events)
        to_all(entry.id .. " with tags", provider, events, { think_tags = true })
      end)
    end
  end

  it("did pass, of each dialect", function()
    if not index then return print("no recorded streams at " .. wire .. "; set MOONGATE_SHARED") end
    assert.is_true(streams > 100)
    for name in pairs(dialects) do assert.is_true((passed[name] or 0) > 0, name) end
  end)
end)

describe("pieces that pass: random streams", function()
  setup(fix)
  teardown(unfix)

  -- What may stand in a JSON string, beside what a writer would put there.
  local inside = { "a", "word ", "é", "日本", "😀", "\\n", "\\\"", "\\\\", "\\/", "\\b\\f\\r\\t", "\\u00e9", "\\u00E9",
    "\\ud83d\\ude00", "\\ud800", "\\udc00x", "\\u0000", "\\u001f", "\127", "\u{2028}", "<think>", "</think>", "{", "}]",
    "\\\"}}", "data: ", ("long "):rep(40) }

  local function pick(list) return list[math.random(#list)] end

  local function raw_text()
    local out = {}
    for i = 1, math.random(4) do out[i] = pick(inside) end
    return table.concat(out)
  end

  local marks
  local function mark()
    marks = marks + 1
    return "@" .. marks .. "@"
  end

  local function normal_events()
    local events, calls, open = { { type = "start", id = "x", model = "m" } }, 0, {}
    marks = 0
    local function add(event) events[#events + 1] = event end
    local function run(kind, most)
      for _ = 1, math.random(most) do add({ type = kind, text = mark() }) end
    end
    local function arguments(index, ends)
      local list = math.random(4) == 1 and { pick({ mark(), "{}", " " }) } or { '{"input":"', mark(), mark(), mark() }
      if ends and #list > 1 then list[#list + 1] = '"}' end
      for _, text in ipairs(list) do add({ type = "tool_delta", index = index, arguments = text }) end
    end
    -- Calls that begin together; their arguments come in turn.
    local function call(count)
      local first = calls
      calls = calls + count
      for i = first, calls - 1 do
        add({ type = "tool_start", index = i, id = "call_" .. i, name = "f" .. i })
        open[#open + 1] = i
      end
      for i = first, calls - 1 do arguments(i, math.random(2) == 1) end
      for i = first, calls - 1 do
        if math.random(2) == 1 then
          arguments(i, true)
          add({ type = "tool_stop", index = i })
          for at, index in ipairs(open) do if index == i then table.remove(open, at) end end
        end
      end
    end
    local citations = {
      { type = "url", url = "http://a/", title = "t" },
      { type = "url", url = "http://b/", title = "u", start_index = 0, end_index = 2, text = "x" },
    }
    local steps = {
      function() run("text", 6) end,
      function() run("text", 3) end,
      function()
        run("thinking", 5)
        if math.random(2) == 1 then add({ type = "signature", signature = "c2ln", signed_by = "anthropic" }) end
      end,
      function()
        run("thinking", 4)
        add({ type = "part_stop" })
        run("thinking", 4)
      end,
      function() call(1) end,
      function() call(2) end,
      function() if open[1] then arguments(pick(open)) end end,
      function() add({ type = "ping" }) end,
      function() add({ type = "part_stop" }) end,
      function() add({ type = "refusal", text = mark() }) end,
      function()
        run("text", 3)
        add({ type = "citation", citation = pick(citations) })
        if math.random(2) == 1 then run("text", 2) end
        add({ type = "part_stop" })
      end,
    }
    for _ = 1, math.random(8) do pick(steps)() end
    add({ type = "finish", finish = { reason = calls > 0 and "tool_calls" or "stop" } })
    add({ type = "usage", usage = { input_tokens = 3, output_tokens = 4 } })
    add({ type = "end" })
    return events
  end

  -- A count of tokens in each chunk, and in the last one not always.
  local count = {}

  count["openai.chat"] = function(events)
    if math.random(2) == 1 then return end
    for i, event in ipairs(events) do
      local usage = '"usage":{"prompt_tokens":3,"completion_tokens":' .. i .. "}"
      if event.data:find('"delta":{"', 1, true) then event.data = "{" .. usage .. "," .. event.data:sub(2) end
      if event.data:find('"choices":[]', 1, true) then event.data = '{"choices":[]}' end
    end
  end

  function count.gemini(events)
    for i, event in ipairs(events) do
      local usage = '"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":' .. i .. "}"
      if i == #events then event.data = event.data:gsub('"usageMetadata":%b{},', "") end
      if i < #events or math.random(2) == 1 then event.data = "{" .. usage .. "," .. event.data:sub(2) end
    end
  end

  -- tagged: the first text begins with a tag; blank: many pieces are; given: the normal events
  local function told_by(provider, tagged, blank, given)
    local framing = framings[provider.name] or "sse"
    local asked, pieces = { model = "m", stream_usage = true, framing = framing, losses = {} }, {}
    local writer = provider.writer(asked)
    for _, event in ipairs(given or normal_events()) do
      writer:event(event, function(text) pieces[#pieces + 1] = text end)
    end
    local texts = {}
    for i = 1, marks do
      local text = blank and math.random(2) == 1 and pick({ " ", "\\n" }) or raw_text()
      texts[tostring(i)] = (i == 1 and tagged and "<think>" or "") .. text
    end
    local bytes = table.concat(pieces)
    local events = assert(host.tools.frames(framing, bytes, { #bytes }))
    if count[provider.name] then count[provider.name](events) end
    for _, event in ipairs(events) do event.data = event.data:gsub("@(%d+)@", texts) end
    return events
  end

  local function damage(events)
    local event = pick(events)
    local data, at = event.data, math.random(#event.data)
    local keys = { "text", "delta", "type", "content", "x", "te\\u0078t" }
    local values = { "null", '""', "1", '"more"', "{}", "[]" }
    local how = {
      function() return data:sub(1, at - 1) .. data:sub(at + 1) end,
      function()
        local more = pick({ "\"", "\\", "{", "}", "]", ",", " ", "\255", "\n", "0" })
        return data:sub(1, at) .. more .. data:sub(at + 1)
      end,
      function() return data:sub(1, at) end,
      function() return (data:gsub("%d+", function() return tostring(math.random(0, 3)) end)) end,
      function() return (data:gsub("\"(%a+)\":", "\"%1\":1,\"%1\":", 1)) end,
      function() return (data:gsub("{", '{"' .. pick(keys) .. '":' .. pick(values) .. ",", 1)) end,
    }
    event.data = pick(how)()
  end

  for _, provider in ipairs(files) do
    it("of " .. provider.name .. ", longer than what is kept from Lua", function()
      local kinds = { "text", "thinking", "tool_delta" }
      for _, kind in ipairs(kinds) do
        local events = { { type = "start", id = "x", model = "m" } }
        if kind == "tool_delta" then events[2] = { type = "tool_start", index = 0, id = "c", name = "f1" } end
        for i = 1, 600 do
          local text = ("piece %d of many "):format(i)
          events[#events + 1] = { type = kind, text = text, index = 0, arguments = text }
        end
        events[#events + 1] = { type = "finish", finish = { reason = "stop" } }
        events[#events + 1] = { type = "end" }
        marks = 0
        local passed = to_all("long", provider, told_by(provider, false, false, events), { custom = "f1" })
        -- Gemini has no arguments in pieces.
        if provider ~= dialects.gemini or kind ~= "tool_delta" then assert.is_true(passed > 5 * 580, kind) end
      end
    end)

    it("of " .. provider.name, function()
      local passed = 0
      for seed = 1, tonumber(os.getenv("MOONGATE_ROUNDS") or "60") do
        math.randomseed(seed)
        counter = { id = 0 }
        local tagged = seed % 5 == 0
        local events = told_by(provider, tagged)
        if seed % 3 == 0 then damage(events) end
        passed = passed + to_all("seed " .. seed, provider, events, { think_tags = tagged, custom = "f1" })
      end
      assert.is_true(passed > 100)
    end)
  end

  local function only_text()
    local events = { { type = "start", id = "x", model = "m" } }
    marks = 0
    for _ = 1, 12 do events[#events + 1] = { type = "text", text = mark() } end
    events[#events + 1] = { type = "finish", finish = { reason = "stop" } }
    events[#events + 1] = { type = "end" }
    return events
  end

  -- What was said when a stream breaks off, and what the next one goes on with.
  for _, mode in ipairs { "continue", "restart" } do
    it("that break off and are gone on with: " .. mode, function()
      local passed = 0
      local function run(client, providers, cut, is_cut)
        local out, recovery, ids = {}, nil, { id = 0 }
        for number, provider in ipairs(providers) do
          local hop = hop_of(client, provider.dialect, framings[client.name] or "sse", {})
          hop.recovery = recovery
          recovery = translate.recover(hop, mode, nil, 7, number)
          local stream, carry = translate.stream(hop), host.carrier(provider.dialect.name)
          for n, event in ipairs(provider.events) do
            if number == 1 and n > cut then break end
            counter = ids
            local text, is_passed
            if is_cut then text, is_passed = carry(stream, event.name, event.data) end
            if not is_cut then text = stream:event(event.name, event.data) end
            if is_passed then passed = passed + 1 end
            out[#out + 1] = text or ""
          end
          if is_cut then carry(stream) end
          if number == 2 then out[#out + 1] = stream:finish() or "" end
          out[#out + 1] = table.concat(recovery.pieces)
          if not recovery:may_go_on() then break end
        end
        return out
      end
      for seed = 1, 150 do
        math.randomseed(seed)
        counter = { id = 0 }
        local providers = {}
        for i = 1, 2 do
          local dialect = pick(files)
          local given = seed % 2 == 0 and only_text() or nil
          providers[i] = { dialect = dialect, events = told_by(dialect, false, true, given) }
        end
        local cut = math.random(#providers[1].events)
        for _, client in ipairs(files) do
          assert.are.same(run(client, providers, cut, false), run(client, providers, cut, true))
        end
      end
      assert.is_true(passed > 500)
    end)
  end
end)

describe("pieces that do not pass", function()
  setup(fix)
  teardown(unfix)

  local function each(name, list)
    local events = {}
    for i, data in ipairs(list) do events[i] = { name = "", data = data } end
    to_all(name, dialects[name], events)
  end

  it("arguments of a call that has no name yet", function()
    local function chunk(call) return '{"choices":[{"index":0,"delta":{"tool_calls":[' .. call .. "]}}]}" end
    each("openai.chat", { chunk('{"index":0,"id":"c","function":{"arguments":"{\\"a"}}'),
      chunk('{"index":0,"function":{"arguments":"b"}}'), chunk('{"index":0,"function":{"arguments":"c\\":"}}'),
      chunk('{"index":0,"function":{"name":"f"}}'), chunk('{"index":0,"function":{"arguments":"1"}}'),
      chunk('{"index":0,"function":{"arguments":"}"}}'), '{"choices":[{"index":0,"finish_reason":"tool_calls"}]}',
      "[DONE]" })
  end)

  it("thoughts in full behind their summary", function()
    local function delta(kind, part, text)
      return ('{"type":"response.reasoning_%s.delta","output_index":0,%s,"delta":"%s"}'):format(kind, part, text)
    end
    local list = { '{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"r"}}' }
    for i = 0, 2 do
      for _ = 1, 3 do list[#list + 1] = delta("summary_text", '"summary_index":' .. i, "s" .. i) end
      for _ = 1, 3 do list[#list + 1] = delta("text", '"content_index":' .. i, "t" .. i) end
    end
    each("openai.responses", list)
  end)
end)
