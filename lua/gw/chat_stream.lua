-- openai.chat: streams. reader: provider chunks → normal events; writer: normal events → chunks for a Chat client.
-- All state is in the reader or writer object, one a stream.
--
-- reader:  (chunk without choices)* → start → (text | thinking | signature | tool_start | tool_delta | …)* →
--          [DONE] or the end of the body after a finish_reason → finish, usage, end
-- Finish and usage are told at the end, once, because servers repeat the finish reason, send usage on every chunk, or
-- send it after the finish reason with empty choices.
-- It does not read SSE framing: `data` is one event's text (or the table an adapter's event hook left).

local parts = require("gw.parts")
local errors = require("gw.errors")
local chat = require("gw.chat_parts")
local ends = require("gw.chat_ends")
local custom_tools = require("gw.custom_tools")
local seals = require("gw.seals")
local stream_writer = require("gw.stream_writer")
local streams = require("gw.streams")

local json = gw.json
local value = parts.value
local text_of = json.text
local null = json.null

local M = {}

----- reader

local R = {}
R.__index = R

function M.reader()
  return setmetatable({
    text_event = { type = "text" },
    thinking_event = { type = "thinking" },
    delta_event = { type = "tool_delta" },
    choices = {},
    started = false, ended = false, usage = nil,
  }, R)
end

local function choice_state(self, index)
  local state = self.choices[index]
  if not state then
    state = { index = index, calls = {}, by_key = {}, thinking_seen = false }
    self.choices[index] = state
  end
  return state
end

local function emit_thinking(self, state, text, emit)
  local event = self.thinking_event
  event.text, event.choice = text, state.index
  state.thinking_seen = true
  emit(event)
end

local function emit_text(self, state, text, logprobs, emit)
  local event = self.text_event
  event.text, event.choice, event.logprobs = text, state.index, logprobs
  emit(event)
end

local function emit_signature(state, signature, signed_by, emit)
  emit({ type = "signature", signature = signature, signed_by = signed_by, choice = state.index })
  state.thinking_seen = false
end

local function read_thinking(self, state, delta, emit)
  local plain = value(delta.reasoning_content)
  if plain == nil then plain = value(delta.reasoning) end
  if type(plain) ~= "string" or plain == "" then plain = nil end
  if plain then emit_thinking(self, state, plain, emit) end
  for _, block in ipairs(value(delta.thinking_blocks) or {}) do
    if value(block.type) == "redacted_thinking" then
      local sealed, signed_by = seals.open(value(block.data) or "", "anthropic")
      emit({ type = "redacted_thinking", data = sealed, signed_by = signed_by, choice = state.index })
    else
      local text, signature = value(block.thinking), value(block.signature)
      if not state.thinking_seen and text and text ~= "" then emit_thinking(self, state, text, emit) end
      if signature and signature ~= "" then
        local sealed, signed_by = seals.open(signature, "anthropic")
        emit_signature(state, sealed, signed_by, emit)
      end
    end
  end
  for _, detail in ipairs(value(delta.reasoning_details) or {}) do
    if value(detail.type) == "reasoning.encrypted" then
      emit({ type = "redacted_thinking", data = value(detail.data), signed_by = chat.signer(detail.format),
        choice = state.index })
    else
      local text, signature = value(detail.text) or value(detail.summary), value(detail.signature)
      if not plain and text and text ~= "" then emit_thinking(self, state, text, emit) end
      if signature and signature ~= "" then emit_signature(state, signature, chat.signer(detail.format), emit) end
    end
  end
end

local function read_content_list(self, state, content, logprobs, emit)
  for _, part in ipairs(content) do
    local kind = value(part.type)
    if kind == "thinking" then
      local text = chat.thinking_text(part)
      if text ~= "" then emit_thinking(self, state, text, emit) end
    elseif kind == "text" then
      if part.text ~= "" then emit_text(self, state, part.text, logprobs, emit) end
    else
      emit({ type = "opaque", kind = kind, dialect = "openai.chat", body = part, choice = state.index })
    end
  end
end

-- The call a fragment belongs to. Normally `index` says so; some servers send no index, and some send index 0 for every
-- call with a fresh id.
local function call_of(state, fragment)
  local key, id = value(fragment.index), value(fragment.id)
  if id == "" then id = nil end
  if key == nil then
    if not id and #state.calls > 0 then return state.calls[#state.calls] end
    key = id or #state.calls
  end
  local call = state.by_key[key]
  local fn = value(fragment["function"])
  local is_another = call and id and call.id and call.id ~= id and fn and value(fn.name)
  if not call or is_another then
    call = { index = #state.calls, id = id, started = false, held = {} }
    state.calls[#state.calls + 1] = call
    state.by_key[key] = call
  end
  if id and not call.id then call.id = id end
  if fragment.extra_content then call.signature = chat.call_signature(fragment) end
  return call
end

local function emit_arguments(self, state, call, arguments, emit)
  local event = self.delta_event
  event.index, event.arguments, event.choice = call.index, arguments, state.index
  emit(event)
end

local function read_fragment(self, state, call, fn, emit)
  local name, arguments = value(fn.name), value(fn.arguments)
  if not call.started and name and name ~= "" then
    call.started = true
    if call.signature then emit_signature(state, call.signature, "gemini", emit) end
    emit({ type = "tool_start", index = call.index, id = call.id or gw.id("call_"), name = name,
      choice = state.index })
    if #call.held > 0 then
      arguments = table.concat(call.held) .. (arguments or "")
      call.held = {}
    end
  end
  if not arguments or arguments == "" then return end
  if type(arguments) ~= "string" then arguments = text_of(arguments) end
  if not call.started then
    call.held[#call.held + 1] = arguments
    return
  end
  emit_arguments(self, state, call, arguments, emit)
end

-- A call of a custom tool: its free text goes on as the one argument of a function, piece by piece.
local function read_custom(self, state, call, custom, emit)
  local text = value(custom.input) or ""
  if not call.is_custom then
    call.is_custom = true
    read_fragment(self, state, call, { name = custom.name, arguments = '{"input":"' }, emit)
  end
  if text ~= "" then read_fragment(self, state, call, { arguments = text_of(text):sub(2, -2) }, emit) end
end

local function read_delta(self, state, delta, logprobs, emit)
  if delta.reasoning_content or delta.reasoning or delta.reasoning_details or delta.thinking_blocks then
    read_thinking(self, state, delta, emit)
  end
  local content = delta.content
  if type(content) == "string" then
    if content ~= "" then emit_text(self, state, content, logprobs, emit) end
  elseif content ~= nil and content ~= null then
    read_content_list(self, state, content, logprobs, emit)
  end
  -- Most deltas are one text and nothing else.
  local only = next(delta)
  if only == "content" and next(delta, only) == nil then return end
  local refusal = value(delta.refusal)
  if refusal and refusal ~= "" then emit({ type = "refusal", text = refusal, choice = state.index }) end
  local fragments = value(delta.tool_calls)
  if fragments then
    for _, fragment in ipairs(fragments) do
      local fn = value(fragment["function"])
      local custom = value(fragment.custom)
      if fn then read_fragment(self, state, call_of(state, fragment), fn, emit) end
      if custom then read_custom(self, state, call_of(state, fragment), custom, emit) end
    end
  end
  local legacy = value(delta.function_call)
  if legacy and ((value(legacy.name) or "") ~= "" or (value(legacy.arguments) or "") ~= "") then
    local id = value(legacy.name) and "call_" .. legacy.name
    read_fragment(self, state, call_of(state, { index = "legacy", id = id, ["function"] = legacy }), legacy, emit)
  end
  local annotations = value(delta.annotations)
  if annotations then
    for _, annotation in ipairs(annotations) do
      local url = value(annotation.url_citation)
      if url then
        emit({ type = "citation", choice = state.index, citation = { type = "url", url = value(url.url),
          title = value(url.title), start_index = value(url.start_index), end_index = value(url.end_index) } })
      end
    end
  end
  if value(delta.audio) then
    emit({ type = "opaque", kind = "audio", dialect = "openai.chat", body = { audio = delta.audio },
      choice = state.index })
  end
end

local function end_stream(self, emit)
  self.ended = true
  if not self.started then
    return streams.fail_reader(self, "The provider's stream ended before its answer.", emit)
  end
  local indexes = {}
  for index in pairs(self.choices) do indexes[#indexes + 1] = index end
  table.sort(indexes)
  for _, index in ipairs(indexes) do
    local state = self.choices[index]
    for _, call in ipairs(state.calls) do
      if not call.started then gw.log.warn("a streamed tool call without a name was dropped") end
      if call.is_custom then read_fragment(self, state, call, { arguments = '"}' }, emit) end
    end
    emit({ type = "finish", finish = ends.finish_to_normal(state.finish, #state.calls > 0), choice = index })
  end
  local usage = self.usage
  if json.is_raw(usage) then usage = json.decode(json.text(usage)) end
  if usage then emit({ type = "usage", usage = ends.usage_to_normal(usage) }) end
  emit({ type = "end" })
end

function R:event(name, data, emit)
  if self.ended then return end
  if data == "[DONE]" then return end_stream(self, emit) end
  local chunk = data
  if type(data) == "string" then chunk = json.decode(data) end
  if type(chunk) ~= "table" then return streams.fail_reader(self, streams.not_json, emit) end
  if chunk.error and chunk.error ~= null or name == "error" then
    return streams.end_reader(self, errors.from_table(nil, chunk), emit)
  end
  local usage = chunk.usage
  if usage and usage ~= null then self.usage = usage end
  local choices = chunk.choices
  if not choices or choices == null then return end
  for i = 1, #choices do
    local choice = choices[i]
    if not self.started then
      self.started = true
      local id, model = value(chunk.id), value(chunk.model)
      emit({ type = "start", id = id ~= "" and id or nil, model = model, created = value(chunk.created) })
    end
    local index = choice.index
    if index == nil or index == null then index = 0 end
    local state = self.choices[index] or choice_state(self, index)
    local delta = choice.delta
    if delta and delta ~= null then
      local logprobs = choice.logprobs
      if logprobs == null then logprobs = nil end
      read_delta(self, state, delta, logprobs, emit)
    end
    local finish = choice.finish_reason
    if finish and finish ~= null and finish ~= "" and finish ~= "null" then state.finish = finish end
  end
end

-- See lua/gw/translate.lua. Of the first choice; place: the index of the call; rest: the usage so far.
function R:delta(kind, text, place, _, rest, emit)
  local state = self.choices[0]
  if self.ended or not state then return nil end
  self.usage = rest or self.usage
  if kind == "text" then
    emit_text(self, state, text, nil, emit)
    return self.text_event
  elseif kind == "thinking" then
    emit_thinking(self, state, text, emit)
    return self.thinking_event
  end
  local call = state.by_key[place]
  if not call or not call.started or call.is_custom then return nil end
  emit_arguments(self, state, call, text, emit)
  return self.delta_event
end

function R:passed(_, _, _, _, rest)
  self.usage = rest or self.usage
end

-- The body has ended. Servers that never send [DONE] are done when they have given a finish reason.
function R:finish(emit)
  if self.ended then return end
  for _, state in pairs(self.choices) do
    if state.finish then return end_stream(self, emit) end
  end
  streams.fail_reader(self, streams.broken_off, emit)
end

----- writer

local W = {}
W.__index = W

function M.writer(asked, stream_error)
  return setmetatable({
    asked = asked, stream_error = stream_error,
    choices = {}, head = nil, usage = nil, closed = false,
  }, W)
end

local tail = "},\"finish_reason\":null}]}\n\n"

local function set_head(self, event)
  local asked = self.asked
  self.head = "data: {\"id\":" .. text_of(asked.id or event.id or gw.id("chatcmpl-"))
    .. ",\"object\":\"chat.completion.chunk\",\"created\":"
    .. text_of(asked.created or event.created or gw.now_ms() // 1000)
    .. ",\"model\":" .. text_of(asked.model or event.model or "")
end

-- The writer's view of one choice; its first use sends the role.
local function choice_of(self, event, put)
  local index = event.choice or 0
  local choice = self.choices[index]
  if choice then return choice end
  if not self.head then set_head(self, event) end
  local head = self.head .. ",\"choices\":[{\"index\":" .. text_of(index)
  local delta_head = head .. ",\"delta\":{"
  choice = {
    head = head, delta_head = delta_head,
    text_head = delta_head .. "\"content\":",
    thinking_head = delta_head .. "\"reasoning_content\":",
    length = 0, part_from = 0, thinking = {}, block_count = 0, call_heads = {}, citations = {}, unplaced = {},
  }
  self.choices[index] = choice
  put(delta_head .. "\"role\":\"assistant\",\"content\":\"\"" .. tail)
  return choice
end

local function put_thinking_block(choice, part, put)
  local entry = chat.thinking_entry(part)
  -- The Python SDK merges lists of objects by `index`.
  entry.index = choice.block_count
  choice.block_count = choice.block_count + 1
  put(choice.delta_head .. "\"thinking_blocks\":[" .. json.encode(entry) .. "]" .. tail)
end

local function put_held(choice, put)
  local held = choice.held
  choice.held = nil
  put_thinking_block(choice, held, put)
end

local function place_citations(choice)
  for _, citation in ipairs(choice.unplaced) do
    choice.citations[#choice.citations + 1] = chat.annotation({ url = citation.url, title = citation.title,
      start_index = citation.start_index or choice.part_from, end_index = citation.end_index or choice.length })
  end
  choice.unplaced = {}
  choice.part_from = choice.length
end

local write = {}

function write.text(_, choice, event, put)
  local text = event.text
  choice.length = choice.length + (utf8.len(text) or #text)
  if event.logprobs then
    put(choice.text_head .. text_of(text) .. "},\"logprobs\":" .. text_of(event.logprobs)
      .. ",\"finish_reason\":null}]}\n\n")
  else
    put(choice.text_head .. text_of(text) .. tail)
  end
end

function write.thinking(_, choice, event, put)
  choice.thinking[#choice.thinking + 1] = event.text
  put(choice.thinking_head .. text_of(event.text) .. tail)
end

function write.signature(self, choice, event, put)
  local text = table.concat(choice.thinking)
  choice.thinking = {}
  if event.signed_by == "gemini" and not self.asked.legacy_functions then
    -- It signs what follows: on a call it has a place of its own.
    if choice.held then put_held(choice, put) end
    choice.held = { text = text, signature = event.signature, signed_by = "gemini" }
    return
  end
  put_thinking_block(choice, { text = text, signature = event.signature, signed_by = event.signed_by }, put)
end

function write.redacted_thinking(_, choice, event, put)
  put_thinking_block(choice, { redacted = true, data = event.data, signed_by = event.signed_by }, put)
end

function write.part_stop(_, choice)
  choice.thinking = {}
  place_citations(choice)
end

-- There are no parts: the words of the event stand between what was said and what comes.
function write.restart(self, choice, event, put)
  if choice.length > 0 then
    write.text(self, choice, event, put)
  elseif #choice.thinking > 0 then
    write.thinking(self, choice, event, put)
  end
  write.part_stop(self, choice)
end

function write.refusal(_, choice, event, put)
  put(choice.delta_head .. "\"refusal\":" .. text_of(event.text) .. tail)
end

-- The call of a custom tool is told when its arguments are complete: its free text stands inside them.
local function put_custom(choice, index, put)
  local pieces = choice.custom and choice.custom[index]
  if not pieces then return end
  choice.custom[index] = nil
  local input = custom_tools.input(parts.set_arguments({}, table.concat(pieces)))
  put(choice.delta_head .. "\"tool_calls\":[{\"index\":" .. text_of(index) .. ",\"custom\":{\"input\":"
    .. text_of(input) .. "}}]" .. tail)
end

local function start_custom(choice, event, name, put)
  choice.custom = choice.custom or {}
  choice.custom[event.index] = {}
  put(choice.delta_head .. "\"tool_calls\":[{\"index\":" .. text_of(event.index) .. ",\"id\":" .. text_of(event.id)
    .. ",\"type\":\"custom\",\"custom\":{\"name\":" .. name .. ",\"input\":\"\"}}]" .. tail)
end

function write.tool_start(self, choice, event, put)
  local names = self.asked.tool_names
  local client_name = names and names[event.name] or event.name
  local name = text_of(client_name)
  if custom_tools.is_custom(self.asked, client_name) then return start_custom(choice, event, name, put) end
  if self.asked.legacy_functions then
    choice.call_heads[event.index] = choice.delta_head .. "\"function_call\":{\"arguments\":"
    choice.call_tail = "}" .. tail
    put(choice.delta_head .. "\"function_call\":{\"name\":" .. name .. ",\"arguments\":\"\"}" .. tail)
    return
  end
  local head = choice.delta_head .. "\"tool_calls\":[{\"index\":" .. text_of(event.index)
  choice.call_heads[event.index] = head .. ",\"function\":{\"arguments\":"
  choice.call_tail = "}}]" .. tail
  local held, extra = choice.held, ""
  if held then
    extra, choice.held = ",\"extra_content\":" .. json.encode(chat.signed_call(held.signature)), nil
  end
  put(head .. ",\"id\":" .. text_of(event.id) .. ",\"type\":\"function\",\"function\":{\"name\":" .. name
    .. ",\"arguments\":\"\"}" .. extra .. "}]" .. tail)
end

function write.tool_delta(_, choice, event, put)
  local pieces = choice.custom and choice.custom[event.index]
  if pieces then
    pieces[#pieces + 1] = event.arguments
    return
  end
  put(choice.call_heads[event.index] .. text_of(event.arguments) .. choice.call_tail)
end

function write.tool_stop(_, choice, event, put)
  put_custom(choice, event.index, put)
end

function write.citation(self, choice, event)
  if event.citation.url then
    choice.unplaced[#choice.unplaced + 1] = event.citation
  else
    parts.lose(self.asked.losses, "content[].citations(" .. event.citation.type .. ")")
  end
end

function write.opaque(self, choice, event, put)
  if event.dialect == "openai.chat" and event.kind == "audio" then
    put(choice.delta_head .. "\"audio\":" .. json.encode(event.body.audio) .. tail)
  else
    parts.lose(self.asked.losses, "content[](" .. event.kind .. ")")
  end
end

function write.finish(_, choice, event)
  choice.finish = event.finish
end

local function close_choice(self, choice, put)
  place_citations(choice)
  local waiting = {}
  for index in pairs(choice.custom or {}) do waiting[#waiting + 1] = index end
  table.sort(waiting)
  for _, index in ipairs(waiting) do put_custom(choice, index, put) end
  if choice.held then put_held(choice, put) end
  if #choice.citations > 0 then
    -- All at once: SDKs that merge deltas have no key to join annotations by.
    put(choice.delta_head .. "\"annotations\":" .. json.encode(json.array(choice.citations)) .. tail)
  end
  local finish = choice.finish or { reason = "stop" }
  local ending = ",\"delta\":{},\"finish_reason\":" .. text_of(ends.finish_from_normal(finish, self.asked))
  if finish.stop_sequence then ending = ending .. ",\"stop_sequence\":" .. text_of(finish.stop_sequence) end
  put(choice.head .. ending .. "}]}\n\n")
end

local function close(self, put)
  self.closed = true
  if not self.choices[0] then choice_of(self, {}, put) end
  local indexes = {}
  for index in pairs(self.choices) do indexes[#indexes + 1] = index end
  table.sort(indexes)
  for _, index in ipairs(indexes) do close_choice(self, self.choices[index], put) end
  local usage = self.usage and ends.usage_from_normal(self.usage, self.asked.losses)
  if self.asked.stream_usage and usage then
    put(self.head .. ",\"choices\":[],\"usage\":" .. json.encode(usage) .. "}\n\n")
  end
  put("data: [DONE]\n\n")
end

W.event, W.finish = stream_writer.of_choices { write = write, choice_of = choice_of, start = choice_of, close = close,
  ping = ": ping\n\n" }

function W:stencil(event)
  local choice, kind = self.choices[event.choice or 0], event.type
  if kind == "text" then return { before = choice.text_head, after = tail } end
  if kind == "thinking" then return { before = choice.thinking_head, after = tail, keeps_text = true } end
  if choice.custom and choice.custom[event.index] then return { keeps_text = true } end
  return { before = choice.call_heads[event.index], after = choice.call_tail }
end

function W:passed(event, _, characters, text)
  local choice, kind = self.choices[event.choice or 0], event.type
  if kind == "text" then
    choice.length = choice.length + characters
  else
    local pieces = kind == "thinking" and choice.thinking or choice.custom and choice.custom[event.index]
    if pieces then pieces[#pieces + 1] = text end
  end
end

return M
