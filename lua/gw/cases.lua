-- Cases: plain data that says what a translation must do, and the runner that holds it against what it does. Used by
-- `moongate test` (lua/gw/conformance.lua and specs of adapters) and by the project's own specs.
--
-- A case is a table; what is absent is not looked at.
--   name                what it shows
--   client, provider    dialects; default: the adapter's
--   quirks, model       of the provider, where no adapter is given
--   request             the client's body; a table, or its JSON text. Default: a short question
--   sent                the provider's body must be this; sent_has: must hold this; sent_text: list of texts in it
--   not_sent            list of top-level fields that must not be in it
--   losses              names listed for the request; none by default when sent, sent_has or sent_text is given
--   refused             the request must be refused at this field; message: with these words
--   answer              the provider's whole answer (table or text); status: its status, 200 by default
--   says                instead of answer: a text, or the parts of an answer in the normal form
--   events              the provider's stream: a list of bodies, texts, or { name, data }; default: made from answer
--   told, told_has      the client's whole answer must be, or hold, this; told_status
--   told_stream_has     list: each must be held by one event of the client's stream, in this order
--   outcome             what the client has in the end, whole and streamed: { text, thinking, refusal, calls, finish,
--                       stop_sequence, signatures, citations, usage, error }
--   answer_losses       names listed for the answer; default: not looked at
--   usage               counters in the normal form that the provider's answer means
--   error               { status, body } of the provider; told, told_has, told_status are of the client's error then;
--   class               the failure class it has, by the rules of the adapter
--
-- Every stream is cut in every place and byte by byte; the client's stream must come out the same, and must mean what
-- the whole answer means. It opens no sockets.

local samples = require("gw.samples")

local json = gw.json

local M = {}

----- comparing

local function shown(value)
  if value == nil then return "nothing" end
  local text = json.encode(value)
  return #text > 300 and text:sub(1, 300) .. "…" or text
end

-- Where and how `found` differs from `wanted`, as a text, or nil. is_part: objects may hold more than is wanted.
local function difference(wanted, found, is_part, path)
  if type(wanted) ~= "table" then
    if wanted == found and math.type(wanted) == math.type(found) or wanted == found then return nil end
    return path .. " is " .. shown(found) .. ", not " .. shown(wanted)
  end
  if type(found) ~= "table" then return path .. " is " .. shown(found) .. ", not " .. shown(wanted) end
  if json.is_array(wanted) or #wanted > 0 then
    for i, item in ipairs(wanted) do
      local found_one = difference(item, found[i], is_part, path .. "[" .. (i - 1) .. "]")
      if found_one then return found_one end
    end
    if #found > #wanted then
      return path .. " has " .. #found .. " items, not " .. #wanted .. ": " .. shown(found[#wanted + 1])
    end
    return nil
  end
  local keys = {}
  for key in pairs(wanted) do keys[#keys + 1] = key end
  if not is_part then
    for key in pairs(found) do
      if wanted[key] == nil then keys[#keys + 1] = key end
    end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do
    local one = difference(wanted[key], found[key], is_part, path == "" and key or path .. "." .. key)
    if one then return one end
  end
  return nil
end
M.difference = difference

-- Plain data as it is after JSON: what came as text is decoded, raw values are opened.
local function plain(value)
  if type(value) == "string" then return assert(json.decode(value)) end
  return assert(json.decode(json.encode(value)))
end

----- what an answer means

local function new_outcome()
  return { text = "", thinking = "", refusal = "", calls = json.array({}), signatures = json.array({}), citations = 0 }
end

local counters = { "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens",
  "reasoning_tokens", "audio_input_tokens", "audio_output_tokens" }

local function counts(usage)
  if not usage then return nil end
  local out = {}
  for _, name in ipairs(counters) do
    if usage[name] and usage[name] ~= 0 then out[name] = usage[name] end
  end
  return out
end

local function ended(outcome, finish)
  outcome.finish, outcome.stop_sequence = finish.reason, finish.stop_sequence
end

-- Arguments in one writing, whatever the order of keys or blanks.
local function same_arguments(text)
  local value = json.decode(text)
  return value ~= nil and json.encode(value) or text
end

local function add_call(outcome, call)
  outcome.calls[#outcome.calls + 1] = { id = call.id, name = call.name, arguments = same_arguments(call.arguments) }
end

-- Of a whole answer in the normal form: its first choice.
function M.outcome(answer)
  local outcome = new_outcome()
  local choice = answer.choices[1]
  for _, part in ipairs(choice.parts) do
    if part.type == "text" then outcome.text = outcome.text .. part.text end
    if part.type == "refusal" then outcome.refusal = outcome.refusal .. part.text end
    if part.type == "thinking" and not part.redacted then outcome.thinking = outcome.thinking .. (part.text or "") end
    if part.type == "thinking" and (part.signature or part.redacted) then
      outcome.signatures[#outcome.signatures + 1] = { signed = part.signature or part.data, by = part.signed_by }
    end
    if part.type == "tool_call" then
      add_call(outcome, { id = part.id, name = part.name,
        arguments = part.arguments_text or json.text(part.arguments) })
    end
    outcome.citations = outcome.citations + #(part.citations or {})
  end
  outcome.citations = outcome.citations + #(choice.parts.citations or {})
  ended(outcome, choice.finish)
  outcome.usage = counts(answer.usage)
  return outcome
end

-- Collects the normal events of a stream. Returns emit(event) and the outcome that it fills.
local function collector()
  local outcome, calls = new_outcome(), {}
  local function emit(event)
    local kind = event.type
    if (event.choice or 0) > 0 then return end
    if kind == "text" or kind == "thinking" or kind == "refusal" then
      outcome[kind] = outcome[kind] .. event.text
    elseif kind == "signature" then
      outcome.signatures[#outcome.signatures + 1] = { signed = event.signature, by = event.signed_by }
    elseif kind == "redacted_thinking" then
      outcome.signatures[#outcome.signatures + 1] = { signed = event.data, by = event.signed_by }
    elseif kind == "tool_start" then
      calls[event.index + 1] = { id = event.id, name = event.name, arguments = "" }
    elseif kind == "tool_delta" then
      local call = calls[event.index + 1]
      call.arguments = call.arguments .. event.arguments
    elseif kind == "citation" then
      outcome.citations = outcome.citations + 1
    elseif kind == "finish" then
      ended(outcome, event.finish)
    elseif kind == "usage" then
      outcome.usage = counts(event.usage)
    elseif kind == "error" then
      outcome.error = event.error.message
    elseif kind == "end" then
      for _, call in ipairs(calls) do
        if call.arguments == "" then call.arguments = "{}" end
        add_call(outcome, call)
      end
      outcome.is_whole = true
    end
  end
  return emit, outcome
end

----- streams as bytes

-- How streams of a dialect are framed, first as its providers do.
local framings_of = { ["bedrock.converse"] = { "aws-events" }, ["gemini"] = { "sse", "json-array" } }
local sse = { "sse" }

local function framing_of(dialect) return (framings_of[dialect.name] or sse)[1] end

local function block_of(provider, event)
  local name, body = nil, event
  if type(event) == "table" then
    name, body = event.name, event.data or event
    if not event.data and provider.name ~= "cohere.chat" then name = event.type end
  end
  if type(body) == "table" then body = json.encode(body) end
  if framing_of(provider) == "aws-events" then return gw.aws_event(name, body) end
  return (name and "event: " .. name .. "\n" or "") .. "data: " .. body:gsub("\n", "\ndata: ") .. "\n\n"
end

-- The bytes of a provider's stream: of a case's events, or of an answer in the normal form.
function M.wire(provider, events, answer)
  local pieces = {}
  local function put(text) pieces[#pieces + 1] = text end
  if events then
    for _, event in ipairs(events) do put(block_of(provider, event)) end
    return table.concat(pieces)
  end
  local writer = provider.writer({ model = answer.model, stream = true, stream_usage = true, created = 1,
    framing = framing_of(provider), losses = {} })
  for _, event in ipairs(samples.events(answer)) do writer:event(event, put) end
  writer:finish(put)
  return table.concat(pieces)
end

-- The events of the bytes.
local function frames(env, framing, wire, fail)
  local whole, why = env.tools.frames(framing, wire, { #wire + 1 })
  if not whole then fail("the stream's bytes are broken: " .. why) end
  return whole or {}
end

-- The same; fails when they are others for any cut. Bytes that were cut before are not cut again.
local function cut_frames(env, dialect, wire, fail)
  local framing = framing_of(dialect)
  env.cut = env.cut or {}
  if not env.cut[wire] then
    env.cut[wire] = true
    local at = env.tools.uncut(framing, wire)
    if at then fail((at == 0 and "byte by byte" or "cut after byte " .. at) .. ", the stream has other events") end
  end
  return frames(env, framing, wire, fail)
end

----- running

local question = { messages = { { role = "user", content = "hi" } } }

local function default_request(client)
  if client.name == "openai.responses" then return { model = "alias", input = "hi" } end
  if client.name == "gemini" then
    return { contents = json.array({ { role = "user", parts = json.array({ { text = "hi" } }) } }) }
  end
  if client.name == "bedrock.converse" then
    return { messages = json.array({ { role = "user", content = json.array({ { text = "hi" } }) } }) }
  end
  return { model = "alias", max_tokens = 1000, messages = question.messages }
end

local known = {}
for name in ("name client provider quirks model request sent sent_has sent_text not_sent losses refused message answer "
  .. "status says events told told_has told_status told_stream_has outcome answer_losses usage error class")
  :gmatch("%S+") do
  known[name] = true
end

-- Keys of a case that mean nothing, as failures.
local function unknown_keys(case)
  local found = {}
  for key in pairs(case) do
    if not known[key] then found[#found + 1] = "unknown key '" .. tostring(key) .. "' in a case" end
  end
  table.sort(found)
  return found
end

local R = {}
R.__index = R

local function fail_of(run)
  return function(text) run.failures[#run.failures + 1] = text end
end

-- Calls f under the limits of a hook, with a request handle. Fails, and returns false, when it does not end well.
local function limited(run, hook, f)
  local env = run.env
  local outcome, message, file, line, field = env.tools.run(hook, f, { model = "alias", body = run.body,
    stream = run.is_stream })
  if outcome == "done" then return true end
  if outcome == "killed" then env.killed = (env.killed or 0) + 1 end
  if field then return false, { field = field, message = message } end
  local place = file and file ~= "" and file .. ":" .. line .. ": " or ""
  run.fail(place .. (outcome == "killed" and "took too long: " or "") .. message)
  return false
end

local function new_hop(run, req)
  local env, case = run.env, run.case
  local adapter = env.adapter or { quirks = case.quirks or {} }
  local target = { model = case.model or env.model or "m", provider = "p" }
  return env.translate.hop(run.client, run.provider, adapter, target,
    { model = run.alias, created = 1, request_id = "req-1", stream = run.is_stream, stream_usage = true,
      framing = run.framing or framing_of(run.client) }, req)
end

-- Translates the case's request; sets run.hop. False when it was refused or failed.
local function ask(run)
  local text, losses
  local ok, refusal = limited(run, "request", function(req)
    run.hop = new_hop(run, req)
    text, losses = run.env.translate.request(run.hop, run.body)
  end)
  if ok then return text, losses end
  return nil, nil, refusal
end

local function same_list(name, wanted, found, fail)
  local text = difference(json.array(wanted), json.array(found), false, name)
  if text then fail(text .. " (found " .. shown(json.array(found)) .. ")") end
end

local function check_request(run)
  local case, fail = run.case, run.fail
  local text, losses, refusal = ask(run)
  if case.refused then
    if not refusal then
      if text then fail("was not refused; sent " .. text:sub(1, 300)) end
    else
      if refusal.field ~= case.refused then fail("was refused at " .. refusal.field .. ", not " .. case.refused) end
      if case.message and not refusal.message:find(case.message, 1, true) then
        fail("was refused because " .. refusal.message)
      end
    end
    return false
  end
  if refusal then
    fail("was refused: " .. refusal.field .. " " .. refusal.message)
    return false
  end
  if not text then return false end
  local body = json.decode(text)
  if body == nil then
    fail("the provider is sent no JSON: " .. text:sub(1, 300))
    return false
  end
  local wanted, is_part = case.sent or case.sent_has, case.sent == nil
  local wrong = wanted and difference(plain(wanted), body, is_part, "")
  if wrong then fail("sent: " .. wrong) end
  for _, part in ipairs(case.sent_text or {}) do
    if not text:find(part, 1, true) then fail("sent: " .. part .. " is not in " .. text:sub(1, 300)) end
  end
  for _, name in ipairs(case.not_sent or {}) do
    if body[name] ~= nil then fail("sent: " .. name .. " is " .. shown(body[name]) .. ", not nothing") end
  end
  if case.losses or wanted or case.sent_text then same_list("losses", case.losses or {}, losses, fail) end
  return true
end

-- The provider's answer of the case as a body, or nil.
local function answer_of(run)
  local case, provider = run.case, run.provider
  if case.answer then return type(case.answer) == "string" and case.answer or json.encode(case.answer) end
  if not case.says then return nil end
  local parts = type(case.says) == "string" and { { type = "text", text = case.says } } or case.says
  local reason = "stop"
  for _, part in ipairs(parts) do
    if part.type == "tool_call" then reason = "tool_calls" end
  end
  local normal = { dialect = provider.name, id = "answer-1", model = "pm", created = 1,
    usage = { input_tokens = 10, output_tokens = 5 },
    choices = { { index = 0, parts = parts, finish = { reason = reason, dialect = provider.name } } } }
  return json.encode(provider.response_from_normal(normal, { model = "pm", created = 1, losses = {} }))
end

local function check_outcome(wanted, found, what, fail)
  local wrong = wanted and difference(plain(wanted), plain(found), true, "")
  if wrong then fail(what .. ": " .. wrong) end
end

local function check_answer(run, text)
  local case, fail, env = run.case, run.fail, run.env
  local status, told
  local ok = limited(run, "response", function()
    status, told = env.translate.response(run.hop, case.status or 200, text)
  end)
  if not ok then return nil end
  local body = assert(json.decode(told))
  if status ~= (case.told_status or 200) then fail("told status: is " .. status) end
  local wanted = case.told or case.told_has
  local wrong = wanted and difference(plain(wanted), body, case.told == nil, "")
  if wrong then fail("told: " .. wrong) end
  if case.answer_losses then same_list("answer_losses", case.answer_losses, run.hop.asked.losses, fail) end
  if status >= 400 then return nil end
  if case.usage then
    local raw = json.decode(text, { raw = run.provider.raw_keys })
    check_outcome(case.usage, counts(run.provider.response_to_normal(raw, {}).usage), "usage", fail)
  end
  local outcome = M.outcome(run.client.response_to_normal(json.decode(told, { raw = run.client.raw_keys }), {}))
  check_outcome(case.outcome, outcome, "told", fail)
  return outcome
end

-- The client's stream for the provider's events, each under its own limit.
local function stream(run, events)
  local pieces, made = {}, nil
  local ok = limited(run, "request", function(req)
    run.hop = new_hop(run, req)
    run.env.translate.request(run.hop, run.body)
    made = run.env.translate.stream(run.hop, function(text) pieces[#pieces + 1] = text end)
  end)
  for _, event in ipairs(events) do
    if not ok then return nil end
    local refusal
    ok, refusal = limited(run, "event", function(req)
      run.hop.req = req
      made:event(event.name, event.data)
    end)
    if refusal then run.fail("an event of the stream ends in a refusal: " .. refusal.message) end
  end
  ok = ok and limited(run, "event", function() made:finish() end)
  return ok and table.concat(pieces) or nil
end

local function check_stream_has(wanted, events, fail)
  local at = 1
  for i, part in ipairs(wanted) do
    local found = false
    while at <= #events and not found do
      local body = json.decode(events[at].data)
      found = type(body) == "table" and difference(plain(part), body, true, "") == nil
      at = at + 1
    end
    if not found then return fail("told_stream_has[" .. i .. "]: no event holds " .. shown(part)) end
  end
end

-- framing: of the client's stream.
local function check_framing(run, events, whole, framing)
  local case, fail, env, client = run.case, run.fail, run.env, run.client
  run.framing = framing
  local told = stream(run, events)
  if not told then return end
  local told_events = frames(env, framing, told, fail)
  if env.check_order then
    local ok, why = pcall(env.check_order, client.name, told_events)
    if not ok then fail("order of the client's stream: " .. tostring(why)) end
  end
  local emit, outcome = collector()
  local reader = client.reader({ model = "alias", quirks = {} })
  for _, event in ipairs(told_events) do reader:event(event.name, event.data, emit) end
  reader:finish(emit)
  if case.told_stream_has then check_stream_has(case.told_stream_has, told_events, fail) end
  check_outcome(case.outcome, outcome, "streamed", fail)
  if not whole then return end
  local is_whole = outcome.is_whole
  outcome.is_whole = nil
  if not is_whole then return fail("streamed: the stream does not end well: " .. tostring(outcome.error)) end
  -- Ids that the provider did not give are made anew each time.
  for _, calls in ipairs { whole.calls, outcome.calls } do
    for _, one in ipairs(calls) do
      if one.id and not run.given:find(one.id, 1, true) then one.id = nil end
    end
  end
  local wrong = difference(plain(whole), plain(outcome), false, "")
  if wrong then fail("streamed is not as whole: " .. wrong) end
end

local function check_stream(run, wire, whole)
  run.is_stream = true
  local events = cut_frames(run.env, run.provider, wire, run.fail)
  for _, framing in ipairs(framings_of[run.client.name] or sse) do check_framing(run, events, whole, framing) end
end

local function check_error(run)
  local case, fail, env = run.case, run.fail, run.env
  local body = type(case.error.body) == "string" and case.error.body or json.encode(case.error.body)
  local status, told
  local ok = limited(run, "response", function(req)
    run.hop = new_hop(run, req)
    status, told = env.translate.error(run.hop, case.error.status, body)
  end)
  if not ok then return end
  local wanted = case.told or case.told_has
  local wrong = wanted and difference(plain(wanted), json.decode(told) or told, case.told == nil, "")
  if wrong then fail("told: " .. wrong) end
  if case.told_status and status ~= case.told_status then fail("told status: is " .. status) end
  if case.class then
    local err = run.provider.error_to_normal(case.error.status, body)
    local class = env.tools.class(case.error.status, err.code or err.type, err.message)
    if class ~= case.class then fail("class: is " .. class .. ", not " .. case.class) end
  end
end

-- Runs a case; returns the list of what failed, as texts.
-- env: { dialects = { [name] = dialect }, dialect (default of client and provider), model, translate, tools (kit.h),
--        adapter (nil: the case's quirks), check_order(dialect, events) or nil }
function M.run(case, env)
  local run = setmetatable({ case = case, env = env, failures = unknown_keys(case) }, R)
  if #run.failures > 0 then return run.failures end
  run.fail = fail_of(run)
  run.client = env.dialects[case.client or env.dialect]
  run.provider = env.dialects[case.provider or env.dialect]
  if not run.client or not run.provider then
    run.fail("there is no dialect " .. tostring(run.client and case.provider or case.client))
    return run.failures
  end
  local request = case.request or default_request(run.client)
  run.body = type(request) == "string" and request or json.encode(request)
  run.alias = type(request) == "table" and request.model or "alias"
  if case.error then
    check_error(run)
    return run.failures
  end
  if not check_request(run) then return run.failures end
  local answer = answer_of(run)
  local whole = answer and check_answer(run, answer)
  if not answer and not case.events then return run.failures end
  local wire
  if case.events then
    wire = M.wire(run.provider, case.events)
  elseif whole then
    local normal = run.provider.response_to_normal(json.decode(answer, { raw = run.provider.raw_keys }), {})
    if normal then wire = M.wire(run.provider, nil, normal) end
  end
  run.given = answer or wire
  if wire then check_stream(run, wire, whole) end
  return run.failures
end

return M
