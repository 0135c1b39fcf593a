-- Responses clients that leave it to the server to remember: answers of providers of other dialects are kept by the
-- gateway, for the team whose key asked, in bounds of bytes and time (core/gate/keeping/keeping.h).
local answers = require "answers"
local flow = require "flow"
local http = require "http"
local json = require "cjson"
local proc = require "proc"

local function request(t, gate, options, method, target, body)
  local conn = options.conn or t:client(gate)
  local headers = { "authorization: Bearer " .. (options.key or flow.client_key) }
  t:check(conn:send(http.request_text { method = method, target = target, headers = headers, body = body }))
  local answer = t:check(http.read_response(conn, 20 * t.seconds), "an answer")
  if not options.conn then conn:close() end
  return answer
end

-- One request; options: key, conn. A stream's answer is what its last event holds.
local function ask(t, gate, fields, options)
  options = options or {}
  fields.model = fields.model or "r"
  local answer = request(t, gate, options, "POST", "/v1/responses", options.body or json.encode(fields))
  if fields.stream and answer.status == 200 then
    answer.value = json.decode(answer.body:match "\nevent: response%.completed\ndata: ([^\n]+)\n\n$").response
  else
    answer.value = json.decode(answer.body)
  end
  return answer
end

-- An entry that speaks no other dialect than the upstream's: the client's own would be passed through.
local function provider(t, up) return t:provider(up, { dialect = up.dialect }) end

local function said(answer)
  for _, item in ipairs(answer.value.output or {}) do
    if item.type == "message" then return item.content[1].text, item.id end
  end
end

-- It is a 400 that names the field, and says what to do.
local function refused(t, answer, field)
  t:equal(answer.status, 400, "status of " .. answer.body)
  t:equal(answer.value.error.param, field)
  t:equal(answer.value.error.type, "invalid_request_error")
  t:match(answer.value.error.message, "this gateway does not keep")
  t:match(answer.value.error.message, "send the")
end

-- The turns that a provider was sent, as "role:text" in one line.
local function turns(body)
  local list = {}
  for _, m in ipairs(body.messages) do
    local text = m.content
    if type(text) == "table" then
      local parts = {}
      for i, part in ipairs(text) do parts[i] = part.text or part.type end
      text = table.concat(parts, "+")
    end
    list[#list + 1] = m.role .. ":" .. tostring(text)
  end
  return table.concat(list, " ")
end

-- A provider that says "one", "two", … and the last body that it got.
local names = { "one", "two", "three", "four", "five", "six" }
local function counting(t, dialect, more)
  local count, seen = 0, {}
  local up = t:upstream { dialect = dialect, script = function(x)
    if x.request.body == "" then return x:reply(404, answers.openai_error("No such response.")) end
    count = count + 1
    seen.body, seen.text = x:json(), x.request.body
    x:serve(names[count] or "more")
  end }
  local config = { providers = { up = provider(t, up) }, routes = { r = { targets = { "up/model-a" } } } }
  for name, value in pairs(more or {}) do config[name] = value end
  return t:gateway(config), up, seen
end

for _, dialect in ipairs { "openai.chat", "anthropic.messages" } do
  for _, streamed in ipairs { false, true } do
    flow.case(("previous_response_id goes on with an answer of %s, %s"):format(dialect,
      streamed and "streamed" or "whole"), function(t)
      local gate, up, seen = counting(t, dialect)
      local stream = streamed or nil
      local first = ask(t, gate, { input = "a", instructions = "Be brief.", stream = stream })
      t:equal(first.status, 200, first.body)
      t:equal(first.value.store, true)
      t:equal(first.value.previous_response_id, json.null)
      t:absent(first.headers["x-moongate-lossy"] or "", "store")
      local second = ask(t, gate, { input = "b", previous_response_id = first.value.id, stream = stream, store = true })
      t:equal(said(second), "two")
      t:equal(second.value.previous_response_id, first.value.id)
      t:absent(second.headers["x-moongate-lossy"] or "", "store")
      t:equal(turns(seen.body), "user:a assistant:one user:b")
      t:absent(seen.text, "Be brief", "a request without instructions")
      t:absent(seen.text, "response_id", "what the provider got")
      local third = ask(t, gate, { input = { { role = "user", content = "c" } }, stream = stream,
        previous_response_id = second.value.id })
      t:equal(said(third), "three")
      t:equal(turns(seen.body), "user:a assistant:one user:b assistant:two user:c")
      -- From the same answer again, to another end; and without anything new.
      ask(t, gate, { input = "d", stream = stream, previous_response_id = first.value.id })
      t:equal(turns(seen.body), "user:a assistant:one user:d")
      ask(t, gate, { previous_response_id = second.value.id, stream = stream })
      t:equal(turns(seen.body), "user:a assistant:one user:b assistant:two")
      t:check(first.value.id ~= second.value.id, "ids of their own")
      t:equal(#up.requests, 5)
    end)

    flow.case(("references to items of %s, %s"):format(dialect, streamed and "streamed" or "whole"), function(t)
      local gate, _, seen = counting(t, dialect)
      local stream = streamed or nil
      local first = ask(t, gate, { input = "a", stream = stream })
      local _, one = said(first)
      local second = ask(t, gate, { stream = stream, input = { { role = "user", content = "a" },
        { type = "item_reference", id = one }, { role = "user", content = "b" } } })
      t:equal(turns(seen.body), "user:a assistant:one user:b")
      local _, two = said(second)
      ask(t, gate, { stream = stream, input = { { type = "item_reference", id = two }, { role = "user", content = "c" },
        { type = "item_reference", id = one }, { role = "user", content = "d" } } })
      t:equal(turns(seen.body), "assistant:two user:c assistant:one user:d")
      refused(t, ask(t, gate, { stream = stream, input = { { role = "user", content = "a" },
        { type = "item_reference", id = one }, { type = "item_reference", id = "msg_other" } } }), "input[2]")
    end)
  end
end

flow.case("what is kept is its team's, or its key's, alone", function(t)
  local function key(name, team)
    return { name = name, team = team, key = flow.env("FLOW_KEPT_" .. name:upper(), "mg-canary7Q-kept-" .. name) }
  end
  local gate, up = counting(t, "openai.chat", { teams = { red = {}, blue = {} },
    keys = { key("one", "red"), key("two", "red"), key("three", "blue"), key("four"), key("five") } })
  local function as(name) return { key = "mg-canary7Q-kept-" .. name } end
  local function go_on(answer) return { input = "b", previous_response_id = answer.value.id } end
  local reds, fours = ask(t, gate, { input = "a" }, as "one"), ask(t, gate, { input = "a" }, as "four")
  local _, item = said(reds)
  for _, name in ipairs { "three", "four", "five" } do
    refused(t, ask(t, gate, go_on(reds), as(name)), "previous_response_id")
    refused(t, ask(t, gate, { input = { { type = "item_reference", id = item } } }, as(name)), "input[0]")
    t:check(request(t, gate, as(name), "DELETE", "/v1/responses/" .. reds.value.id).headers["x-moongate-target"],
      "a stranger's DELETE goes to the provider")
  end
  for _, name in ipairs { "one", "three", "five" } do
    refused(t, ask(t, gate, go_on(fours), as(name)), "previous_response_id")
  end
  local before = #up.requests
  for _, name in ipairs { "one", "two" } do t:equal(ask(t, gate, go_on(reds), as(name)).status, 200) end
  t:equal(ask(t, gate, go_on(fours), as "four").status, 200)
  t:equal(#up.requests, before + 3, "nothing that was refused has reached the provider")
end)

flow.case("store = false is not kept; nor is anything with limits.kept_answers = 0B", function(t)
  local gate, _, seen = counting(t, "openai.chat")
  local first = ask(t, gate, { input = "a", store = false })
  t:equal(first.value.store, false)
  refused(t, ask(t, gate, { input = "b", previous_response_id = first.value.id }), "previous_response_id")
  -- It may go on from what was kept all the same.
  local second = ask(t, gate, { input = "a" })
  local third = ask(t, gate, { input = "b", previous_response_id = second.value.id, store = false })
  t:equal(third.status, 200)
  t:equal(turns(seen.body), "user:a assistant:two user:b")
  refused(t, ask(t, gate, { input = "c", previous_response_id = third.value.id }), "previous_response_id")

  gate = counting(t, "openai.chat", { limits = { kept_answers = "0B" } })
  first = ask(t, gate, { input = "a", store = true })
  t:equal(first.value.store, false)
  t:match(first.headers["x-moongate-lossy"], "^store,")
  local _, item = said(first)
  refused(t, ask(t, gate, { input = "b", previous_response_id = first.value.id }), "previous_response_id")
  refused(t, ask(t, gate, { input = { { type = "item_reference", id = item } } }), "input[0]")
end)

local function kept(gate)
  local text = gate:metrics()
  return tonumber(text:match "\nmoongate_kept_answers (%d+)"), tonumber(text:match "\nmoongate_kept_bytes (%d+)"),
    tonumber(text:match "\nmoongate_kept_evicted_total (%d+)")
end

flow.case("an answer that nobody refers to is over after limits.kept_answers_time, and its memory is free", function(t)
  local gate = counting(t, "openai.chat", { limits = { kept_answers_time = "200ms" } })
  local first = ask(t, gate, { input = "a" })
  t:until_true(20 * t.seconds, function() return kept(gate) == 0 end, "nothing kept")
  local count, bytes, evicted = kept(gate)
  t:equal(count + bytes + evicted, 0)
  refused(t, ask(t, gate, { input = "b", previous_response_id = first.value.id }), "previous_response_id")
end)

flow.case("without room the answer that was not used for longest goes", function(t)
  local gate = counting(t, "openai.chat", { limits = { kept_answers = "70KiB" } })
  local long = ("x"):rep(18 * 1024)
  local ids = {}
  for i = 1, 2 do ids[i] = ask(t, gate, { input = long .. i }).value.id end
  -- The first is used: of what comes next and has no room, the second makes way.
  t:equal(ask(t, gate, { input = "short", previous_response_id = ids[1], store = false }).status, 200)
  for i = 3, 4 do ids[i] = ask(t, gate, { input = long .. i }).value.id end
  refused(t, ask(t, gate, { input = "b", previous_response_id = ids[2], store = false }), "previous_response_id")
  for _, i in ipairs { 1, 3, 4 } do
    local answer = ask(t, gate, { input = "b", previous_response_id = ids[i], store = false })
    t:equal(answer.status, 200, "answer " .. i)
  end
  local count, bytes, evicted = kept(gate)
  t:equal(count, 3)
  t:equal(evicted, 1)
  t:check(bytes > 54 * 1024 and bytes <= 70 * 1024, "bytes: " .. bytes)
  -- A conversation costs its length, not its length at each turn.
  local last = ids[4]
  for _ = 1, 5 do last = ask(t, gate, { input = "more", previous_response_id = last }).value.id end
  t:equal(select(3, kept(gate)), 1, "evicted")
  -- What has no room at all is not kept, and drives out nothing.
  local huge = ask(t, gate, { input = long .. long .. long .. long })
  t:equal(huge.status, 200)
  refused(t, ask(t, gate, { input = "b", previous_response_id = huge.value.id }), "previous_response_id")
  t:equal(kept(gate), 8)
end)

flow.case("all workers share what is kept, and a reload keeps it", { threads = true }, function(t)
  local up = t:upstream { script = "hi" }
  local alone = { key = "mg-canary7Q-kept-alone" }
  local config = { workers = 2, teams = { search = {} }, keys = {
    { name = "client", team = "search", key = flow.env("FLOW_KEPT_CLIENT", flow.client_key) },
    { name = "alone", key = flow.env("FLOW_KEPT_ALONE", alone.key) } },
    providers = { up = provider(t, up) }, routes = { r = { targets = { "up/model-a" } } } }
  local gate = t:gateway(config)
  -- A connection to each worker, as the records tell.
  local conns, count = {}, 0
  t:until_true(30 * t.seconds, function()
    local conn = t:client(gate)
    local answer = ask(t, gate, { input = "a" }, { conn = conn })
    local worker = t:trace(gate, answer.headers["x-request-id"]).worker
    if not conns[worker] then conns[worker], count = conn, count + 1 end
    return count == 2
  end, "a connection to each worker")
  local id = ask(t, gate, { input = "a" }, { conn = conns[0] }).value.id
  for i = 1, 6 do
    local answer = ask(t, gate, { input = "b" .. i, previous_response_id = id }, { conn = conns[i % 2] })
    t:equal(answer.status, 200, answer.body)
    id = answer.value.id
    t:equal(#json.decode(up.requests[#up.requests].body).messages, 2 * i + 1)
  end
  local alones = ask(t, gate, { input = "a" }, alone).value.id
  config.routes.other = { targets = { "up/model-b" } }
  gate:write_config(config)
  t:equal(gate:admin("POST", "/reload").status, 200)
  for worker = 0, 1 do
    local answer = ask(t, gate, { model = "other", input = "c", previous_response_id = id }, { conn = conns[worker] })
    t:equal(answer.status, 200, answer.body)
    t:equal(#json.decode(up.requests[#up.requests].body).messages, 15)
  end
  t:equal(ask(t, gate, { model = "other", input = "b", previous_response_id = alones }, alone).status, 200)
  config.limits = { kept_answers = "0B" }
  gate:write_config(config)
  t:equal(gate:admin("POST", "/reload").status, 200)
  t:until_true(20 * t.seconds, function()
    return ask(t, gate, { input = "d", previous_response_id = id }, { conn = conns[1] }).status == 400
  end)
  t:equal(kept(gate), 0)
end)

-- A provider of the client's own dialect.
local function native(t, more)
  local own = '{"id":"resp_own","object":"response","created_at":1,"status":"completed","error":null,'
    .. '"incomplete_details":null,"model":"m","output":[{"type":"message","id":"msg_own","status":"completed",'
    .. '"role":"assistant","content":[{"type":"output_text","text":"own","annotations":[]}]}],"usage":null}'
  local up = t:upstream { script = function(x) x:reply(200, own) end }
  local other = t:upstream { script = "other" }
  local config = { providers = { own = t:provider(up, { dialect = "openai.responses" }), other = provider(t, other) },
    routes = { r = { targets = { "own/m" } }, other = { targets = { "other/m" } } } }
  for name, value in pairs(more or {}) do config[name] = value end
  return t:gateway(config), up, other, own
end

flow.case("what a provider of the client's own dialect keeps is left to it, byte for byte", function(t)
  local gate, up, _, own = native(t)
  local bodies = {
    '{"model":"own/m", "input" : "b","previous_response_id":"resp_own","store":true}',
    '{"input":[{"type":"item_reference","id":"msg_own"},{"role":"user","content":"b"}],"model":"own/m"}',
    '{"model":"own/m","input":"a"}',
  }
  for i, body in ipairs(bodies) do
    local answer = ask(t, gate, { model = "own/m" }, { body = body })
    t:equal(answer.body, own)
    t:equal(up.requests[i].body, (body:gsub('"own/m"', '"m"')))
  end
  t:equal(kept(gate), 0)
  local gone_on = ask(t, gate, { model = "other", input = "b", previous_response_id = "resp_own" })
  refused(t, gone_on, "previous_response_id")
end)

flow.case("what the gateway keeps is put in for a provider of the client's own dialect, too", function(t)
  local gate, up = native(t)
  local first = ask(t, gate, { model = "other", input = "a" })
  local text, id = said(first)
  t:equal(text, "other")
  local second = ask(t, gate, { input = "b", previous_response_id = first.value.id })
  t:equal(second.status, 200, second.body)
  local body = json.decode(up.requests[1].body)
  t:equal(body.previous_response_id, json.null)
  t:equal(#body.input, 3)
  t:equal(body.input[2].id, id)
  t:equal(body.input[2].content[1].text, "other")
  -- Of two references the one that is its own stays.
  ask(t, gate, { input = { { type = "item_reference", id = id }, { type = "item_reference", id = "msg_own" } } })
  body = json.decode(up.requests[2].body)
  t:equal(body.input[1].content[1].text, "other")
  t:equal(body.input[2].type .. body.input[2].id, "item_referencemsg_own")
end)

flow.case("calls, thoughts and their signature come back as they were seen", function(t)
  local whole = [[{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[
    {"type":"thinking","thinking":"Hm \ud83d\ude42","signature":"c2lnbmVk"},{"type":"text","text":"Let me \"look\"."},
    {"type":"tool_use","id":"toolu_1","name":"look","input":{"at":"m\u00f6on","n":1.50}}],"stop_reason":"tool_use",
    "stop_sequence":null,"usage":{"input_tokens":11,"output_tokens":7}}]]
  local up = t:upstream { dialect = "anthropic.messages", script = function(x) x:reply(200, whole) end }
  local gate = t:gateway { providers = { up = provider(t, up) }, routes = { r = { targets = { "up/m" } } } }
  local tools = { { type = "function", name = "look", parameters = { type = "object" } } }
  local first = ask(t, gate, { input = "a", tools = tools, reasoning = { effort = "low" } })
  local input = { { role = "user", content = "a" } }
  for _, item in ipairs(first.value.output) do input[#input + 1] = { type = "item_reference", id = item.id } end
  t:equal(#input, 4)
  input[5] = { type = "function_call_output", call_id = "toolu_1", output = "seen" }
  for i, fields in ipairs { { input = input }, { input = { input[5] }, previous_response_id = first.value.id } } do
    fields.tools, fields.reasoning = tools, { effort = "low" }
    t:equal(ask(t, gate, fields).status, 200)
    local messages = json.decode(up.requests[i + 1].body).messages
    t:equal(#messages, 3)
    local parts = messages[2].content
    t:equal(parts[1].thinking .. parts[1].signature, "Hm \240\159\153\130c2lnbmVk")
    t:equal(parts[2].text, 'Let me "look".')
    t:equal(parts[3].id .. parts[3].input.at .. parts[3].input.n, "toolu_1m\195\182on1.5")
    t:match(up.requests[i + 1].body, '"n":1.50')
    t:equal(messages[3].content[1].tool_use_id, "toolu_1")
  end
end)

flow.case("an answer is deleted by its id; what later answers hold of it stays", function(t)
  local gate, up = counting(t, "openai.chat")
  local first = ask(t, gate, { input = "a" })
  local second = ask(t, gate, { input = "b", previous_response_id = first.value.id })
  local gone = request(t, gate, {}, "DELETE", "/v1/responses/" .. first.value.id)
  t:equal(gone.status, 200)
  local value = json.decode(gone.body)
  t:equal(value.id, first.value.id)
  t:equal(value.deleted, true)
  t:equal(#up.requests, 2)
  refused(t, ask(t, gate, { input = "b", previous_response_id = first.value.id }), "previous_response_id")
  t:equal(ask(t, gate, { input = "c", previous_response_id = second.value.id }).status, 200)
  t:equal(kept(gate), 2)
end)

-- The answer as its client saw it is what is got again; a provider without that API is never asked.
for _, streamed in ipairs { false, true } do
  flow.case("an answer is got by its id, " .. (streamed and "streamed" or "whole"), function(t)
    local gate, up = counting(t, "anthropic.messages")
    local tools = { { type = "function", name = "look", description = ("long "):rep(300),
      parameters = { type = "object" } } }
    local first = ask(t, gate, { input = "a", instructions = "Be brief.", tools = tools, metadata = { a = "b" },
      stream = streamed or nil })
    local second = ask(t, gate, { input = "b", previous_response_id = first.value.id, tools = tools,
      stream = streamed or nil })
    for _, answer in ipairs { first, second } do
      local got = request(t, gate, {}, "GET", "/v1/responses/" .. answer.value.id)
      t:equal(got.status, 200, got.body)
      t:equal(got.headers["content-type"], "application/json")
      local text = json.encode(answer.value)
      t:equal(#json.encode(json.decode(got.body)), #text, "bytes of " .. got.body)
      for _, name in ipairs { "id", "object", "created_at", "status", "model", "previous_response_id" } do
        t:equal(json.decode(got.body)[name], answer.value[name], name)
      end
      t:equal(said { value = json.decode(got.body) }, said(answer))
      t:equal(json.decode(got.body).tools[1].description, tools[1].description)
      t:equal(json.decode(got.body).usage.output_tokens, answer.value.usage.output_tokens)
    end
    t:equal(json.decode(request(t, gate, {}, "GET", "/v1/responses/" .. first.value.id).body).instructions, "Be brief.")
    local as_stream = request(t, gate, {}, "GET", "/v1/responses/" .. first.value.id .. "?stream=true")
    t:equal(as_stream.status, 400)
    t:equal(json.decode(as_stream.body).error.param, "stream")
    t:equal(request(t, gate, {}, "DELETE", "/v1/responses/" .. first.value.id).status, 200)
    for _, id in ipairs { first.value.id, second.value.id .. "/input_items", "resp_nobodys" } do
      local none = request(t, gate, {}, "GET", "/v1/responses/" .. id)
      t:equal(none.status, 404)
      t:equal(json.decode(none.body).error.code, "response_not_found")
      t:equal(json.decode(none.body).error.type, "invalid_request_error")
    end
    t:equal(#up.requests, 2)
  end)
end

flow.case("an answer is got by its team alone", function(t)
  local gate = counting(t, "anthropic.messages", { teams = { red = {}, blue = {} }, keys = {
    { name = "one", team = "red", key = flow.env("FLOW_GOT_ONE", "mg-canary7Q-got-one") },
    { name = "two", team = "red", key = flow.env("FLOW_GOT_TWO", "mg-canary7Q-got-two") },
    { name = "three", team = "blue", key = flow.env("FLOW_GOT_THREE", "mg-canary7Q-got-three") } } })
  local answer = ask(t, gate, { input = "a" }, { key = "mg-canary7Q-got-one" })
  for name, status in pairs { one = 200, two = 200, three = 404 } do
    local got = request(t, gate, { key = "mg-canary7Q-got-" .. name }, "GET", "/v1/responses/" .. answer.value.id)
    t:equal(got.status, status, name)
  end
end)

flow.case("a conversation that outgrows limits.body is refused by name", function(t)
  local gate, up = counting(t, "openai.chat", { limits = { body = "16KiB" } })
  local first = ask(t, gate, { input = ("x"):rep(10000) })
  local second = ask(t, gate, { input = ("y"):rep(10000), previous_response_id = first.value.id })
  t:equal(second.status, 413)
  t:equal(second.value.error.param, "previous_response_id")
  t:match(second.value.error.message, "limits.body")
  local _, item = said(ask(t, gate, { input = "say x" }))
  local many = {}
  for i = 1, 190 do many[i] = { type = "item_reference", id = item } end
  local third = ask(t, gate, { input = many })
  t:equal(third.status, 413)
  t:equal(third.value.error.param, "input")
  t:equal(#up.requests, 2)
end)

flow.case("a stream that breaks off is not kept; one that was gone on with is, as its client saw it", function(t)
  local broken = t:upstream { script = function(x)
    local events = answers.openai_stream { "half of " }
    x:start_stream()
    for i = 1, 2 do x:chunk(events[i]) end
    x.conn:reset()
  end }
  local seen
  local good = t:upstream { script = function(x)
    seen = x:json()
    x:serve "it"
  end }
  local can = { input = 1, output = 1, can = "tools prefill" }
  local gate = t:gateway { providers = { a = provider(t, broken), b = provider(t, good) },
    routes = { plain = { targets = { "a/m" } }, r = { targets = { "a/m", "b/m" }, recover = "continue" },
      good = { targets = { "b/m" } } }, prices = { ["a/m"] = can, ["b/m"] = can } }
  local cut = request(t, gate, {}, "POST", "/v1/responses", '{"model":"plain","input":"a","stream":true}')
  t:match(cut.body, "event: error")
  t:equal(kept(gate), 0)
  local first = ask(t, gate, { input = "a", stream = true })
  t:equal(said(first), "half of it")
  ask(t, gate, { model = "good", input = "b", previous_response_id = first.value.id })
  t:equal(turns(seen), "user:a assistant:half of it user:b")
end)

flow.case("of a stream that the gateway has rewritten in the same dialect it keeps the items", function(t)
  local part = '{"type":"output_text","text":"%s","annotations":[],"logprobs":[]}'
  local item = '{"type":"message","id":"msg_own","status":"%s","role":"assistant","content":[%s]}'
  local response = '"response":{"id":"resp_own","object":"response","created_at":1,"status":"%s","error":null,'
    .. '"incomplete_details":null,"model":"m","output":[%s],"usage":null,"tools":[],"tool_choice":"auto",'
    .. '"parallel_tool_calls":true,"metadata":{},"instructions":null,"temperature":1,"top_p":1}'
  local place = '"item_id":"msg_own","output_index":0,"content_index":0,'
  local whole = item:format("completed", part:format "own")
  local events = {
    { "created", response:format("in_progress", "") },
    { "in_progress", response:format("in_progress", "") },
    { "output_item.added", '"output_index":0,"item":' .. item:format("in_progress", "") },
    { "content_part.added", place .. '"part":' .. part:format "" },
    { "output_text.delta", place .. '"delta":"own","logprobs":[]' },
    { "output_text.done", place .. '"text":"own","logprobs":[]' },
    { "content_part.done", place .. '"part":' .. part:format "own" },
    { "output_item.done", '"output_index":0,"item":' .. whole },
    { "completed", response:format("completed", whole) },
  }
  for n, event in ipairs(events) do
    local name = "response." .. event[1]
    events[n] = ('event: %s\ndata: {"type":"%s",%s,"sequence_number":%d}\n\n'):format(name, name, event[2], n - 1)
  end
  local up = t:upstream { script = function(x) x:stream(events) end }
  local gate = t:gateway { providers = { up = t:provider(up, { dialect = "openai.responses" }) },
    routes = { r = { targets = { "up/m" }, recover = "restart" } } }
  local first = ask(t, gate, { input = "a", stream = true })
  local text, id = said(first)
  t:equal(text .. first.value.id, "ownresp_own")
  t:check(id ~= "msg_own", "an id of the gateway's own")
  ask(t, gate, { input = { { type = "item_reference", id = id }, { role = "user", content = "b" } }, stream = true })
  local body = json.decode(up.requests[2].body)
  t:equal(body.input[1].content[1].text, "own")
  ask(t, gate, { input = "b", previous_response_id = "resp_own", stream = true })
  body = json.decode(up.requests[3].body)
  t:equal(body.previous_response_id, "resp_own")
  t:equal(body.input, "b")
end)

flow.case("clients that share one answer may each go on from it", function(t)
  local go, seen = false, nil
  local up = t:upstream { script = function(x)
    seen = x:json()
    t:until_true(20 * t.seconds, function() return go end)
    x:serve "shared"
  end }
  local gate = t:gateway { providers = { up = provider(t, up) },
    routes = { r = { targets = { "up/m" }, coalesce = true } } }
  for _, stream in ipairs { false, true } do
    local answers_of, count = {}, #up.requests
    go = false
    for i = 1, 2 do
      t:spawn(function() answers_of[i] = ask(t, gate, { input = "a", stream = stream or nil }) end)
    end
    t:until_true(20 * t.seconds, function()
      return tonumber(gate:metrics():match "\nmoongate_coalesced_total (%d+)") == (stream and 2 or 1)
    end, "a follower")
    go = true
    t:until_true(20 * t.seconds, function() return answers_of[1] and answers_of[2] end, "both answers")
    t:equal(#up.requests, count + 1)
    t:equal(answers_of[1].value.id, answers_of[2].value.id)
    for i = 1, 2 do ask(t, gate, { input = "b" .. i, previous_response_id = answers_of[i].value.id }) end
    t:equal(turns(seen), "user:a assistant:shared user:b2")
  end
end)

flow.case("what is kept stands in no log", function(t)
  local gate = counting(t, "openai.chat")
  local first = ask(t, gate, { input = "canaryWords" })
  ask(t, gate, { input = "b", previous_response_id = first.value.id })
  refused(t, ask(t, gate, { input = "canaryWords", previous_response_id = "resp_no" }), "previous_response_id")
  gate:traces(3, 5 * t.seconds)
  for _, name in ipairs { "/traces.jsonl", "/gateway.err", "/gateway.out" } do
    local text = proc.read_file(t.dir .. name)
    if text then t:absent(text, "canaryWords", name) end
  end
end)
