-- openai.responses: a provider's stream events → normal events. All state is in the reader, one a stream.
--
--   created ─▶ ( output_item.added ─▶ parts and deltas ─▶ output_item.done )* ─▶ completed | incomplete | failed
--
-- Servers leave steps out: some send no deltas but only the finished item, some no items but only the finished
-- response, some number content parts from elsewhere. So of each item it is counted what was told of it, and what a
-- finished item holds beyond that is told then. Items may be open at once (OpenRouter).
-- It does not read SSE framing: `data` is one event's text (or the table an adapter's event hook left).

local parts = require("gw.parts")
local errors = require("gw.errors")
local items = require("gw.responses_parts")
local answer = require("gw.responses_answer")
local streams = require("gw.streams")

local json = gw.json
local value = parts.value

local M = {}

local R = {}
R.__index = R

function M.reader(quirks)
  return setmetatable({
    quirks = quirks,
    options = { raw = { logprobs = true, parameters = true, schema = true } },
    text_event = { type = "text" },
    thinking_event = { type = "thinking" },
    delta_event = { type = "tool_delta" },
    items = {}, done_ids = {}, call_count = 0, told = streams.length(), started = false, ended = false,
  }, R)
end

local function start(self, response, emit)
  if self.started then return end
  self.started = true
  local id = value(response.id)
  emit({ type = "start", id = id ~= "" and id or nil, model = value(response.model),
    created = value(response.created_at) })
end

-- What has been told of one item: bytes of text, of thoughts and of arguments, and how many annotations.
local function item_of(self, index, emit)
  index = value(index) or 0
  local item = self.items[index]
  if not item then
    start(self, {}, emit)
    item = { text = 0, part_from = 0, refusal = 0, refusal_from = 0, thinking = 0, thinking_from = 0, arguments = 0,
      annotations = 0, told = streams.length(), done = false }
    self.items[index] = item
  end
  return item
end

----- text

local function emit_text(self, item, text, logprobs, emit)
  if text == "" then return end
  item.text = item.text + #text
  local event = self.text_event
  event.text, event.logprobs = text, logprobs
  emit(event)
end

local function emit_refusal(item, text, emit)
  if text == "" then return end
  item.refusal = item.refusal + #text
  emit({ type = "refusal", text = text })
end

-- Places are told in the whole answer: behind the messages that are done, and the parts of this one.
local function emit_annotation(self, item, annotation, emit)
  item.annotations = item.annotations + 1
  local before = self.told:characters() + item.told:characters()
  emit({ type = "citation", citation = items.citation_to_normal(annotation, before) })
end

-- What a finished message holds beyond what was told.
local function finish_message(self, item, body, emit)
  local texts, refusals, annotations = {}, {}, {}
  for _, part in ipairs(value(body.content) or {}) do
    local kind = part.type
    if kind == "refusal" then
      refusals[#refusals + 1] = value(part.refusal)
    elseif value(part.text) then
      texts[#texts + 1] = part.text
      for _, annotation in ipairs(value(part.annotations) or {}) do annotations[#annotations + 1] = annotation end
    end
  end
  emit_text(self, item, table.concat(texts):sub(item.text + 1), nil, emit)
  emit_refusal(item, table.concat(refusals):sub(item.refusal + 1), emit)
  item.told = streams.length()
  for i = item.annotations + 1, #annotations do emit_annotation(self, item, annotations[i], emit) end
  self.told:add(table.concat(texts))
  if item.text > 0 then emit({ type = "part_stop" }) end
end

----- thinking

-- Thoughts come as a summary or in full; where a server sends both, what comes first counts. A part's end is told when
-- the next begins, since what signs the whole item comes behind the last.
local function emit_thinking(self, item, kind, part, text, emit)
  if text == "" or item.thinking_kind and item.thinking_kind ~= kind then return end
  item.thinking_kind = kind
  if item.thinking > 0 and item.thinking_part ~= part then emit({ type = "part_stop" }) end
  if item.thinking_part ~= part then item.thinking_part, item.thinking_from = part, item.thinking end
  item.thinking = item.thinking + #text
  local event = self.thinking_event
  event.text = text
  emit(event)
end

local function finish_reasoning(self, item, body, emit)
  local found, kind = {}, item.thinking_kind
  items.add_reasoning({ summary = kind ~= "text" and body.summary or nil, id = body.id,
    content = kind ~= "summary" and body.content or nil, encrypted_content = body.encrypted_content }, "output",
    answer.signer_of(self.quirks, body), found)
  local told = item.thinking
  local last
  for i, part in ipairs(found) do
    local text = part.text or ""
    if told >= #text then
      told = told - #text
    else
      -- Where a piece was begun by deltas its rest belongs to the same part.
      local label = kind or "item"
      emit_thinking(self, item, label, told > 0 and item.thinking_part or "item" .. i, text:sub(told + 1), emit)
      told = 0
    end
    last = part
  end
  if last and last.redacted then
    emit({ type = "redacted_thinking", data = last.data, signed_by = last.signed_by })
  elseif last and last.signature then
    emit({ type = "signature", signature = last.signature, signed_by = last.signed_by })
  elseif item.thinking > 0 then
    emit({ type = "part_stop" })
  end
end

----- calls

local function start_call(self, item, body, emit)
  local id, name = value(body.call_id), value(body.name)
  if item.index or not id or id == "" or not name or name == "" then return end
  item.index, item.is_custom = self.call_count, body.type == "custom_tool_call"
  self.call_count = self.call_count + 1
  emit({ type = "tool_start", index = item.index, id = id, name = name })
end

local function emit_arguments(self, item, text, emit)
  local event = self.delta_event
  event.index, event.arguments = item.index, text
  emit(event)
end

-- Free text of a custom tool goes on as a JSON object, piece by piece.
local function add_arguments(self, item, text, emit)
  if text == "" or not item.index then return end
  if item.is_custom then
    local escaped = json.text(text):sub(2, -2)
    if item.arguments == 0 then escaped = '{"input":"' .. escaped end
    emit_arguments(self, item, escaped, emit)
  else
    emit_arguments(self, item, text, emit)
  end
  item.arguments = item.arguments + #text
end

local function finish_call(self, item, body, emit)
  start_call(self, item, body, emit)
  if not item.index then
    gw.log.warn("a streamed tool call without a name or an id was dropped")
    return
  end
  local whole = value(item.is_custom and body.input or body.arguments) or ""
  add_arguments(self, item, whole:sub(item.arguments + 1), emit)
  if item.is_custom then emit_arguments(self, item, item.arguments == 0 and '{"input":""}' or '"}', emit) end
  emit({ type = "tool_stop", index = item.index })
end

----- events

local finish_item = { message = finish_message, reasoning = finish_reasoning, function_call = finish_call,
  custom_tool_call = finish_call }

local function item_done(self, index, body, emit)
  local item = item_of(self, index, emit)
  if item.done then return end
  item.done = true
  if value(body.id) then self.done_ids[body.id] = true end
  local handle = finish_item[body.type]
  if handle then return handle(self, item, body, emit) end
  emit({ type = "opaque", kind = body.type, dialect = items.dialect, body = body })
end

local read = {}

local function response_event(self, body, emit)
  start(self, value(body.response) or {}, emit)
end
read["response.created"], read["response.in_progress"], read["response.queued"] = response_event, response_event,
  response_event

read["response.output_item.added"] = function(self, body, emit)
  local index = value(body.output_index) or 0
  -- A server that numbers all items alike: what is open under the number is over.
  if self.items[index] then self.items[index] = nil end
  start_call(self, item_of(self, index, emit), body.item, emit)
end

read["response.output_item.done"] = function(self, body, emit)
  item_done(self, body.output_index, body.item, emit)
end

read["response.output_text.delta"] = function(self, body, emit)
  local logprobs = body.logprobs
  if logprobs then logprobs = answer.logprobs_to_normal(logprobs) end
  emit_text(self, item_of(self, body.output_index, emit), body.delta, logprobs, emit)
end

read["response.output_text.done"] = function(self, body, emit)
  local item = item_of(self, body.output_index, emit)
  emit_text(self, item, (value(body.text) or ""):sub(item.text - item.part_from + 1), nil, emit)
end

read["response.refusal.delta"] = function(self, body, emit)
  emit_refusal(item_of(self, body.output_index, emit), body.delta, emit)
end

read["response.refusal.done"] = function(self, body, emit)
  local item = item_of(self, body.output_index, emit)
  emit_refusal(item, (value(body.refusal) or ""):sub(item.refusal - item.refusal_from + 1), emit)
end

read["response.content_part.done"] = function(self, body, emit)
  local item = item_of(self, body.output_index, emit)
  item.part_from, item.refusal_from = item.text, item.refusal
  local text = value(body.part) and value(body.part.text)
  if text then item.told:add(text) end
end

read["response.output_text.annotation.added"] = function(self, body, emit)
  emit_annotation(self, item_of(self, body.output_index, emit), body.annotation, emit)
end

local function summary_delta(self, body, emit)
  emit_thinking(self, item_of(self, body.output_index, emit), "summary", value(body.summary_index) or 0, body.delta,
    emit)
end
read["response.reasoning_summary_text.delta"], read["response.reasoning_summary.delta"] = summary_delta, summary_delta

local function reasoning_delta(self, body, emit)
  emit_thinking(self, item_of(self, body.output_index, emit), "text", value(body.content_index) or 0, body.delta, emit)
end
read["response.reasoning_text.delta"], read["response.reasoning.delta"] = reasoning_delta, reasoning_delta

local function thinking_done(kind, index_field)
  return function(self, body, emit)
    local item = item_of(self, body.output_index, emit)
    local part, text = value(body[index_field]) or 0, value(body.text) or ""
    local told = item.thinking_part == part and item.thinking - item.thinking_from or 0
    emit_thinking(self, item, kind, part, text:sub(told + 1), emit)
  end
end
read["response.reasoning_summary_text.done"] = thinking_done("summary", "summary_index")
read["response.reasoning_text.done"] = thinking_done("text", "content_index")

local function arguments_delta(self, body, emit)
  add_arguments(self, item_of(self, body.output_index, emit), body.delta, emit)
end
read["response.function_call_arguments.delta"] = arguments_delta
read["response.custom_tool_call_input.delta"] = arguments_delta

local function arguments_done(field)
  return function(self, body, emit)
    local item = item_of(self, body.output_index, emit)
    add_arguments(self, item, (value(body[field]) or ""):sub(item.arguments + 1), emit)
  end
end
read["response.function_call_arguments.done"] = arguments_done("arguments")
read["response.custom_tool_call_input.done"] = arguments_done("input")

local function fail_with(self, body, emit)
  self.ended = true
  emit({ type = "error", error = errors.from_table(nil, answer.error_body(body)) })
end

local function response_done(self, body, emit)
  local response = value(body.response) or {}
  if value(response.error) or response.status == "failed" or response.status == "cancelled" then
    return fail_with(self, response, emit)
  end
  start(self, response, emit)
  for i, item in ipairs(value(response.output) or {}) do
    if not (value(item.id) and self.done_ids[item.id]) then item_done(self, i - 1, item, emit) end
  end
  self.ended = true
  emit({ type = "finish", finish = answer.finish_to_normal(value(response.status) or "completed",
    value(response.incomplete_details), self.call_count > 0) })
  local usage = answer.usage_to_normal(response.usage)
  if usage then emit({ type = "usage", usage = usage }) end
  emit({ type = "end" })
end
read["response.completed"], read["response.incomplete"] = response_done, response_done
read["response.done"] = response_done

read["response.failed"] = function(self, body, emit)
  fail_with(self, value(body.response) or {}, emit)
end
read["response.cancelled"] = read["response.failed"]

read["error"] = function(self, body, emit)
  fail_with(self, { error = type(value(body.error)) == "table" and body.error or body }, emit)
end

function read.keepalive(_, _, emit)
  emit({ type = "ping" })
end
read.ping = read.keepalive

function R:event(name, data, emit)
  if self.ended or data == "[DONE]" then return end
  local body = data
  if type(data) == "string" then body = json.decode(data, self.options) end
  if type(body) ~= "table" then return streams.fail_reader(self, streams.not_json, emit) end
  local handle = read[value(body.type) or name]
  if handle then
    handle(self, body, emit)
  elseif value(body.error) then
    fail_with(self, body, emit)
  end
end

-- See lua/gw/translate.lua. place: the item; part: which part of a summary, or below 0 of thoughts told in full.
function R:delta(kind, text, place, part, _, emit)
  local item = self.items[place]
  if self.ended or not item then return nil end
  self.passing = item
  if kind == "text" then
    emit_text(self, item, text, nil, emit)
    return self.text_event
  elseif kind == "thinking" then
    local name, number = part < 0 and "text" or "summary", part < 0 and -1 - part or part
    if item.thinking_kind and item.thinking_kind ~= name then return nil end
    emit_thinking(self, item, name, number, text, emit)
    return self.thinking_event
  end
  if not item.index or item.is_custom then return nil end
  add_arguments(self, item, text, emit)
  return self.delta_event
end

local told_of = { text = "text", thinking = "thinking", tool_delta = "arguments" }

function R:passed(event, bytes)
  local item, field = self.passing, told_of[event.type]
  item[field] = item[field] + bytes
end

-- The body has ended: without a last event the answer is not whole.
function R:finish(emit)
  if not self.ended then streams.fail_reader(self, streams.broken_off, emit) end
end

return M
