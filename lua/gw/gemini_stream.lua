-- gemini: streams. reader: provider chunks → normal events; writer: normal events → chunks for a Gemini client.
-- All state is in the reader or writer object, one a stream.
--
-- Every chunk is a whole GenerateContentResponse with some more parts and the usage so far. Nothing marks the last one:
--
--   reader:  start → (text | thinking | signature | tool_start tool_delta tool_stop | opaque)* → end of the body, after
--            a finishReason or a blocked prompt → citation*, finish, usage, end
--   writer:  chunk* → one chunk with finishReason, citations and usage; without alt=sse they are the elements of one
--            JSON array, which is closed after the last
--
-- A call comes whole: the writer keeps its arguments until it is complete.
-- It does not read SSE or array framing: `data` is one chunk's text (or the table an adapter's event hook left).

local parts = require("gw.parts")
local errors = require("gw.errors")
local contents = require("gw.gemini_parts")
local answers = require("gw.gemini_answer")
local stream_writer = require("gw.stream_writer")
local streams = require("gw.streams")

local json = gw.json
local value, lose = parts.value, parts.lose
local text_of = json.text

local M = {}

local dialect = "gemini"

----- reader

local R = {}
R.__index = R

function M.reader(raw_keys)
  -- Each chunk counts all so far: only the last is decoded.
  local raw = { usageMetadata = true }
  for name in pairs(raw_keys) do raw[name] = true end
  return setmetatable({
    options = { raw = raw },
    text_event = { type = "text" },
    thinking_event = { type = "thinking" },
    candidates = {}, started = false, ended = false, keeps_texts = true,
  }, R)
end

local function candidate_state(self, index)
  local state = self.candidates[index]
  if not state then
    state = { index = index, call_count = 0, texts = {} }
    self.candidates[index] = state
  end
  return state
end

local function emit_signature(state, signature, emit)
  local part = contents.thinking_of(signature)
  if part.redacted then
    emit({ type = "redacted_thinking", data = part.data, signed_by = part.signed_by, choice = state.index })
  else
    emit({ type = "signature", signature = part.signature, signed_by = part.signed_by, choice = state.index })
  end
end

local function read_call(state, call, emit)
  local index, id = state.call_count, value(call.id)
  state.call_count = index + 1
  if id == "" then id = nil end
  emit({ type = "tool_start", index = index, id = id or gw.id("call_"), name = value(call.name) or "",
    choice = state.index })
  local arguments = value(call.args)
  emit({ type = "tool_delta", index = index, arguments = arguments and text_of(arguments) or "{}",
    choice = state.index })
  emit({ type = "tool_stop", index = index, choice = state.index })
end

-- Parts that only Gemini has, and media.
local function read_other(state, part, emit)
  local blob = value(part.inlineData)
  if blob then
    local kind = (value(blob.mimeType) or ""):match("^%a+")
    if kind == "audio" then
      -- The shape that pieces of audio have in the normal form is Chat's.
      emit({ type = "opaque", kind = kind, dialect = "openai.chat", choice = state.index,
        body = { audio = { data = value(blob.data) } } })
    else
      emit({ type = "opaque", kind = kind or "inlineData", dialect = dialect, body = part, choice = state.index })
    end
    return true
  end
  local own = contents.own_kind(part)
  if not own and value(part.thoughtSignature) == nil and next(part) ~= nil then own = next(part) end
  if own then emit({ type = "opaque", kind = own, dialect = dialect, body = part, choice = state.index }) end
  return own ~= nil
end

local function emit_text(self, state, text, logprobs, emit)
  state.texts[#state.texts + 1] = text
  local event = self.text_event
  event.text, event.choice, event.logprobs = text, state.index, logprobs
  emit(event)
end

local function emit_thinking(self, state, text, emit)
  local event = self.thinking_event
  event.text, event.choice = text, state.index
  emit(event)
end

local function read_part(self, state, part, logprobs, emit)
  -- Most parts are one text and nothing else.
  local only = next(part)
  if only == "text" and next(part, only) == nil and type(part.text) == "string" then
    if part.text ~= "" then emit_text(self, state, part.text, logprobs, emit) end
    return
  end
  local text, signature, call = value(part.text), value(part.thoughtSignature), value(part.functionCall)
  if signature == "" then signature = nil end
  if text and value(part.thought) == true then
    if text ~= "" then emit_thinking(self, state, text, emit) end
  elseif text and text ~= "" then
    -- What signs a text stands before it, or after it where it had begun.
    if signature and #state.texts == 0 then
      emit_signature(state, signature, emit)
      signature = nil
    end
    emit_text(self, state, text, logprobs, emit)
  elseif call then
    if signature then emit_signature(state, signature, emit) end
    read_call(state, call, emit)
    return
  elseif not text and read_other(state, part, emit) then
    return
  end
  if signature then emit_signature(state, signature, emit) end
end

local function read_candidate(self, candidate, emit)
  local index = value(candidate.index) or 0
  local state = self.candidates[index] or candidate_state(self, index)
  local content = value(candidate.content)
  local list = content and value(content.parts)
  if list then
    local logprobs = candidate.logprobsResult and answers.logprobs_to_normal(candidate.logprobsResult)
    for i = 1, #list do read_part(self, state, list[i], logprobs, emit) end
  end
  state.finish = value(candidate.finishReason) or state.finish
  state.grounding = value(candidate.groundingMetadata) or state.grounding
  state.sources = value(candidate.citationMetadata) or state.sources
end

function R:event(_, data, emit)
  if self.ended then return end
  local chunk = data
  if type(data) == "string" then chunk = json.decode(data, self.options) end
  if type(chunk) ~= "table" then return streams.fail_reader(self, streams.not_json, emit) end
  if value(chunk.error) or #chunk > 0 then
    return streams.end_reader(self, answers.complete_error(errors.from_table(nil, chunk), chunk), emit)
  end
  if not self.started then
    self.started = true
    emit({ type = "start", id = value(chunk.responseId), model = value(chunk.modelVersion) })
  end
  self.usage = value(chunk.usageMetadata) or self.usage
  local feedback = value(chunk.promptFeedback)
  self.blocked = feedback and value(feedback.blockReason) or self.blocked
  local candidates = value(chunk.candidates)
  for i = 1, candidates and #candidates or 0 do read_candidate(self, candidates[i], emit) end
end

-- See lua/gw/translate.lua. Of the first candidate; rest: the usage so far.
function R:delta(kind, text, _, _, rest, emit)
  local state = self.candidates[0]
  if self.ended or not state then return nil end
  self.usage = rest or self.usage
  if kind == "text" then
    emit_text(self, state, text, nil, emit)
    return self.text_event
  end
  emit_thinking(self, state, text, emit)
  return self.thinking_event
end

function R:passed(event, _, _, text, rest)
  self.usage = rest or self.usage
  if event.type == "text" then
    local texts = self.candidates[0].texts
    texts[#texts + 1] = text
  end
end

-- The body has ended: complete when a finish reason was seen, or when the prompt was refused.
function R:finish(emit)
  if self.ended then return end
  local indexes = {}
  for index, state in pairs(self.candidates) do
    if state.finish or self.blocked then indexes[#indexes + 1] = index end
  end
  if #indexes == 0 and self.blocked then
    candidate_state(self, 0)
    indexes[1] = 0
  end
  if #indexes == 0 then return streams.fail_reader(self, streams.broken_off, emit) end
  self.ended = true
  table.sort(indexes)
  for _, index in ipairs(indexes) do
    local state = self.candidates[index]
    local found = answers.citations_to_normal({ groundingMetadata = state.grounding, citationMetadata = state.sources },
      table.concat(state.texts))
    for _, citation in ipairs(found or {}) do emit({ type = "citation", citation = citation, choice = index }) end
    emit({ type = "finish", finish = answers.finish_to_normal(state.finish, state.call_count > 0, self.blocked),
      choice = index })
  end
  local usage = self.usage
  if json.is_raw(usage) then usage = json.decode(json.text(usage)) end
  if usage then emit({ type = "usage", usage = answers.usage_to_normal(usage) }) end
  emit({ type = "end" })
end

----- writer

local W = {}
W.__index = W

function M.writer(asked, stream_error)
  local is_array = asked.framing == "json-array"
  return setmetatable({
    asked = asked, is_array = is_array,
    stream_error = function(err, request_id) return stream_error(err, request_id, asked.framing) end,
    before = is_array and "[" or "data: ", after = is_array and "" or "\r\n\r\n",
    choices = {}, usage = nil, closed = false,
  }, W)
end

local function put_chunk(self, text, put)
  -- Raw JSON keeps its line ends, all of them between values; an event's data is one line.
  if text:find("\n", 1, true) or text:find("\r", 1, true) then text = text:gsub("[\r\n]+", " ") end
  put(self.before .. text .. self.after)
  if self.is_array then self.before = ",\r\n" end
end

local function set_tail(self, event)
  if self.tail then return end
  local asked = self.asked
  self.tail = "],\"modelVersion\":" .. text_of(asked.model or event.model or "") .. ",\"responseId\":"
    .. text_of(asked.id or event.id or gw.id("")) .. "}"
end

local function choice_of(self, event)
  local index = event.choice or 0
  local choice = self.choices[index]
  if not choice then
    set_tail(self, {})
    local tail = "],\"role\":\"model\"},\"index\":" .. text_of(index) .. "}" .. self.tail
    choice = { index = index, calls = {}, next_call = 0, texts = {}, part_from = 0, citations = {}, unplaced = {},
      content_tail = tail, text_tail = "}" .. tail .. self.after }
    self.choices[index] = choice
  end
  return choice
end

-- What streams carry of audio: samples without a header.
local audio_type = "audio/L16;codec=pcm;rate=24000"

local chunk_head = "{\"candidates\":[{\"content\":{\"parts\":["
local text_head = chunk_head .. "{\"text\":"

-- One part as a chunk of its own. A signature of Gemini's waits for the part it signs.
local function put_part(self, choice, part, put)
  if choice.signature then
    part.thoughtSignature, choice.signature = choice.signature, nil
  end
  put_chunk(self, chunk_head .. json.encode(part) .. choice.content_tail, put)
end

-- Puts the calls that are complete, in their order; `is_over`: nothing more will come for any of them.
local function put_calls(self, choice, is_over, put)
  while true do
    local call = choice.calls[choice.next_call]
    if not call then return end
    local text = table.concat(call.pieces)
    if not (call.is_complete or is_over or text ~= "" and json.valid(text)) then return end
    choice.next_call = choice.next_call + 1
    choice.signature = call.signature or choice.signature
    local arguments, is_wrapped = parts.arguments_object(parts.set_arguments({}, text))
    if is_wrapped then lose(self.asked.losses, "message.tool_calls[].function.arguments(not an object)") end
    put_part(self, choice, { functionCall = { id = call.id, name = call.name, args = arguments } }, put)
  end
end

local write = {}

function write.text(self, choice, event, put)
  local text = event.text
  choice.texts[#choice.texts + 1] = text
  if choice.calls[choice.next_call] then put_calls(self, choice, false, put) end
  if choice.signature or event.logprobs then
    local part = { text = text, thoughtSignature = choice.signature }
    local logprobs = answers.logprobs_from_normal(event.logprobs)
    choice.signature = nil
    local tail = choice.content_tail
    if logprobs then
      local content_end = "],\"role\":\"model\"}"
      tail = content_end .. ",\"logprobsResult\":" .. json.encode(logprobs) .. tail:sub(#content_end + 1)
    end
    put_chunk(self, chunk_head .. json.encode(part) .. tail, put)
  else
    put(self.before .. text_head .. text_of(text) .. choice.text_tail)
    if self.is_array then self.before = ",\r\n" end
  end
end

function write.refusal(self, choice, event, put)
  choice.has_refusal = true
  write.text(self, choice, event, put)
end

local thought_tail = ",\"thought\":true}"

function write.thinking(self, choice, event, put)
  if choice.calls[choice.next_call] then put_calls(self, choice, false, put) end
  put_chunk(self, text_head .. text_of(event.text) .. thought_tail .. choice.content_tail, put)
end

function write.signature(self, choice, event, put)
  if event.signed_by == dialect then
    choice.signature = event.signature
    return
  end
  put_chunk(self, chunk_head .. json.encode({ text = "", thought = true,
    thoughtSignature = contents.packed_signature(event) }) .. choice.content_tail, put)
end

function write.redacted_thinking(self, choice, event, put)
  put_chunk(self, chunk_head .. json.encode({ text = "", thought = true,
    thoughtSignature = contents.packed_signature({ redacted = true, data = event.data, signed_by = event.signed_by }) })
    .. choice.content_tail, put)
end

function write.tool_start(self, choice, event, put)
  put_calls(self, choice, false, put)
  local names = self.asked.tool_names
  choice.calls[event.index] = { id = event.id, name = names and names[event.name] or event.name, pieces = {},
    signature = choice.signature }
  choice.signature = nil
end

function write.tool_delta(_, choice, event)
  local pieces = choice.calls[event.index].pieces
  pieces[#pieces + 1] = event.arguments
end

function write.tool_stop(self, choice, event, put)
  choice.calls[event.index].is_complete = true
  put_calls(self, choice, false, put)
end

-- Characters in the first `count` pieces of text.
local function length_of(choice, count)
  local text = table.concat(choice.texts, "", 1, count)
  return utf8.len(text) or #text
end

local function place_citations(choice)
  if #choice.unplaced > 0 then
    local from, to = length_of(choice, choice.part_from), length_of(choice, #choice.texts)
    for _, citation in ipairs(choice.unplaced) do
      choice.citations[#choice.citations + 1] = { url = citation.url, title = citation.title, text = citation.text,
        start_index = citation.start_index or from, end_index = citation.end_index or to }
    end
    choice.unplaced = {}
  end
  choice.part_from = #choice.texts
end

function write.part_stop(_, choice)
  place_citations(choice)
end

-- Clients join all texts: the words of the event stand between what was said and what comes.
function write.restart(self, choice, event, put)
  local goes_before = #choice.texts > 0 and write.text or write.thinking
  goes_before(self, choice, event, put)
  place_citations(choice)
end

function write.citation(self, choice, event)
  local citation = event.citation
  if citation.url or citation.title or citation.text then
    choice.unplaced[#choice.unplaced + 1] = citation
  else
    lose(self.asked.losses, "content[].citations(" .. citation.type .. ")")
  end
end

function write.opaque(self, choice, event, put)
  local audio = event.kind == "audio" and value(event.body.audio)
  if audio then
    if value(audio.data) then
      put_part(self, choice, { inlineData = { mimeType = audio_type, data = audio.data } }, put)
    end
  elseif event.dialect == dialect then
    put_part(self, choice, event.body, put)
  else
    lose(self.asked.losses, "content[](" .. event.kind .. ")")
  end
end

function write.finish(_, choice, event)
  choice.finish = event.finish
end

local function last_candidate(self, choice)
  place_citations(choice)
  local part = { text = "", thoughtSignature = choice.signature }
  return {
    content = { parts = json.array({ part }), role = "model" }, index = choice.index,
    finishReason = answers.finish_from_normal(choice.finish or { reason = "stop" }, choice.has_refusal,
      self.asked.losses),
    groundingMetadata = answers.grounding_from_normal(choice.citations, table.concat(choice.texts)),
  }
end

local function close(self, put)
  self.closed = true
  choice_of(self, {})
  local indexes, candidates = {}, {}
  for index in pairs(self.choices) do indexes[#indexes + 1] = index end
  table.sort(indexes)
  for i, index in ipairs(indexes) do
    put_calls(self, self.choices[index], true, put)
    candidates[i] = json.encode(last_candidate(self, self.choices[index]))
  end
  local usage = self.usage and ",\"usageMetadata\":"
    .. json.encode(answers.usage_from_normal(self.usage, self.asked.losses)) or ""
  put_chunk(self, "{\"candidates\":[" .. table.concat(candidates, ",") .. "]" .. usage .. self.tail:sub(2), put)
  if self.is_array then put("]") end
end

-- An error is the last element of an array.
local function fail(self, err, put)
  self.closed = true
  put((self.is_array and self.before or "") .. self.stream_error(err, self.asked.request_id))
end

W.event, W.finish = stream_writer.of_choices { write = write, choice_of = choice_of, start = set_tail, close = close,
  fail = fail }

function W:stencil(event)
  local choice, kind = self.choices[event.choice or 0], event.type
  -- A call is written when it is complete.
  if kind == "tool_delta" then return { keeps_text = true } end
  local after = kind == "text" and choice.text_tail or thought_tail .. choice.content_tail .. self.after
  return { before = self.before .. text_head, after = after, keeps_text = kind == "text" }
end

function W:passed(event, _, _, text)
  local choice, kind = self.choices[event.choice or 0], event.type
  if kind == "thinking" then return end
  local pieces = kind == "text" and choice.texts or choice.calls[event.index].pieces
  pieces[#pieces + 1] = text
end

return M
