-- openai.responses: normal events → stream events for a Responses client. All state is in the writer, one a stream.
--
--   created ─▶ in_progress ─▶ item* ─▶ completed | incomplete            or at any place: error ─▶ failed
--
--   item = output_item.added ─▶ ( part.added ─▶ delta* ─▶ delta's done ─▶ part.done )* ─▶ output_item.done
--
-- Items are numbered in the order they begin. A message and a reasoning item are closed by whatever begins after them;
-- a call stays open until the source says that it is over, until its arguments are a complete JSON value when something
-- else begins, or until the end: items of their own number may interleave. The last event holds the whole response, so
-- what was told is kept.
-- It does not number events of its own invention: each has the next sequence_number.

local parts = require("gw.parts")
local items = require("gw.responses_parts")
local answer = require("gw.responses_answer")
local stream_writer = require("gw.stream_writer")
local streams = require("gw.streams")

local json = gw.json
local array = json.array
local text_of = json.text

local M = {}

local W = {}
W.__index = W

function M.writer(asked, stream_error)
  return setmetatable({
    asked = asked, stream_error = stream_error,
    sequence = 0, count = 0, output = {}, calls = {},
    message = nil, text = nil, reasoning = nil, usage = nil, finish_of = nil, told = streams.length(),
    started = false, closed = false,
  }, W)
end

-- `fields`: JSON text of the event's own members, with a comma in front.
local function put_event(self, name, fields, put)
  local n = self.sequence
  self.sequence = n + 1
  put("event: " .. name .. "\ndata: {\"type\":\"" .. name .. "\"" .. fields .. ",\"sequence_number\":" .. n .. "}\n\n")
end

----- the response object

local function output_text(self)
  local list = {}
  for i = 1, self.count do list[#list + 1] = self.output[i] end
  return "[" .. table.concat(list, ",") .. "]"
end

local function response_text(self, status, usage, more)
  return self.head .. ",\"status\":\"" .. status .. "\",\"output\":" .. output_text(self) .. ",\"usage\":"
    .. text_of(answer.usage_from_normal(usage, self.asked.losses)) .. more .. "}"
end

local function start(self, event, put)
  if self.started then return end
  self.started = true
  local asked = self.asked
  local frame = answer.frame(asked)
  frame.error, frame.incomplete_details = nil, nil
  frame.id = answer.response_id(asked, event.id)
  frame.model = asked.model or event.model or ""
  frame.created_at = asked.created or event.created or gw.now_ms() // 1000
  self.head = json.encode(frame):sub(1, -2)
  local response = ",\"response\":" .. response_text(self, "in_progress", nil,
    ",\"error\":null,\"incomplete_details\":null")
  put_event(self, "response.created", response, put)
  put_event(self, "response.in_progress", response, put)
end

----- items

local function begin_item(self, item, put)
  if not self.started then start(self, {}, put) end
  item.index = self.count
  self.count = item.index + 1
  put_event(self, "response.output_item.added", ",\"output_index\":" .. item.index .. ",\"item\":"
    .. json.encode(item.body), put)
  item.place = ",\"item_id\":" .. text_of(item.body.id) .. ",\"output_index\":" .. item.index
  return item
end

local function end_item(self, item, put)
  local text = json.encode(item.body)
  self.output[item.index + 1] = text
  put_event(self, "response.output_item.done", ",\"output_index\":" .. item.index .. ",\"item\":" .. text, put)
end

-- The first half of an event that comes often; the value and delta_tail follow.
local function delta_head(name, place)
  return "event: " .. name .. "\ndata: {\"type\":\"" .. name .. "\"" .. place .. ",\"delta\":"
end

local function put_delta(self, head, value, more, put)
  local n = self.sequence
  self.sequence = n + 1
  put(head .. text_of(value) .. more .. n .. "}\n\n")
end

local plain_tail = ",\"sequence_number\":"
local text_tail = ",\"logprobs\":[],\"sequence_number\":"

----- messages

local function length_of(pieces, to)
  return items.characters(table.concat(pieces, "", 1, to))
end

-- Citations get their place when the text that they belong to is over.
local function place_citations(self, content, put)
  if #content.unplaced > 0 then
    local from, to = length_of(content.pieces, content.part_from), length_of(content.pieces, #content.pieces)
    for _, citation in ipairs(content.unplaced) do
      local annotation = answer.annotation(citation, self.told:characters(), from, to)
      if annotation then
        local list = content.part.annotations
        list[#list + 1] = annotation
        put_event(self, "response.output_text.annotation.added", content.place .. ",\"annotation_index\":"
          .. #list - 1 .. ",\"annotation\":" .. json.encode(annotation), put)
      else
        parts.lose(self.asked.losses, "output[].content[].annotations(" .. citation.type .. ")")
      end
    end
    content.unplaced = {}
  end
  content.part_from = #content.pieces
end

local function close_content(self, put)
  local message = self.message
  local content = message.content
  if not content then return end
  message.content, self.text = nil, nil
  local part, text = content.part, table.concat(content.pieces)
  if part.type == "refusal" then
    part.refusal = text
    put_event(self, "response.refusal.done", content.place .. ",\"refusal\":" .. text_of(text), put)
  else
    place_citations(self, content, put)
    part.text = text
    self.told:add(text)
    put_event(self, "response.output_text.done", content.place .. ",\"text\":" .. text_of(text) .. ",\"logprobs\":"
      .. json.encode(part.logprobs), put)
  end
  put_event(self, "response.content_part.done", content.place .. ",\"part\":" .. json.encode(part), put)
  table.insert(message.body.content, part)
end

local function close_message(self, put, status)
  local message = self.message
  if not message then return end
  close_content(self, put)
  self.message = nil
  message.body.status = status or "completed"
  end_item(self, message, put)
end

----- reasoning

local function close_summary(self, reasoning, put)
  local pieces = reasoning.pieces
  if not pieces then return end
  reasoning.pieces = nil
  local text = text_of(table.concat(pieces))
  put_event(self, "response.reasoning_summary_text.done", reasoning.part_place .. ",\"text\":" .. text, put)
  put_event(self, "response.reasoning_summary_part.done", reasoning.part_place
    .. ",\"part\":{\"type\":\"summary_text\",\"text\":" .. text .. "}", put)
  table.insert(reasoning.body.summary, { type = "summary_text", text = table.concat(pieces) })
end

local function close_reasoning(self, put)
  local reasoning = self.reasoning
  if not reasoning then return end
  self.reasoning = nil
  close_summary(self, reasoning, put)
  end_item(self, reasoning, put)
end

local function open_reasoning(self, put)
  local body = { type = "reasoning", id = gw.id("rs_"), summary = array({}) }
  self.reasoning = begin_item(self, { body = body }, put)
  return self.reasoning
end

----- calls

local function close_call(self, call, put)
  if call.closed then return end
  call.closed = true
  local text = table.concat(call.pieces)
  local body = call.body
  if call.is_custom then
    body.input = items.custom_input(parts.set_arguments({}, text))
    put_event(self, "response.custom_tool_call_input.delta", call.place .. ",\"delta\":" .. text_of(body.input), put)
    put_event(self, "response.custom_tool_call_input.done", call.place .. ",\"input\":" .. text_of(body.input), put)
  else
    -- Clients parse the arguments; no text at all is no object.
    if parts.is_blank(text) then
      text = "{}"
      put_delta(self, call.head, text, plain_tail, put)
    end
    body.arguments = text
    put_event(self, "response.function_call_arguments.done", call.place .. ",\"arguments\":" .. text_of(text), put)
  end
  -- Arguments that are no JSON were cut off.
  body.status = (parts.is_blank(text) or json.valid(text)) and "completed" or "incomplete"
  end_item(self, call, put)
end

local function sorted_calls(self)
  local list = {}
  for _, call in pairs(self.calls) do
    if not call.closed then list[#list + 1] = call end
  end
  table.sort(list, function(a, b) return a.index < b.index end)
  return list
end

-- Something else begins: nothing can follow a complete JSON value.
local function close_complete_calls(self, put)
  for _, call in ipairs(sorted_calls(self)) do
    if json.valid(table.concat(call.pieces)) then close_call(self, call, put) end
  end
end

-- Makes room for an item of another kind.
local function close_others(self, kept, put)
  if kept ~= "message" then close_message(self, put) end
  if kept ~= "reasoning" then close_reasoning(self, put) end
  close_complete_calls(self, put)
end

local function open_content(self, kind, put)
  if not self.message then
    close_others(self, "message", put)
    local body = { type = "message", id = gw.id("msg_"), status = "in_progress", role = "assistant",
      content = array({}) }
    self.message = begin_item(self, { body = body, content_count = 0 }, put)
  end
  local message = self.message
  if message.content then close_content(self, put) end
  local part = kind == "text" and { type = "output_text", text = "", annotations = array({}), logprobs = array({}) }
    or { type = "refusal", refusal = "" }
  local content = { kind = kind, part = part, pieces = {}, unplaced = {}, part_from = 0,
    place = message.place .. ",\"content_index\":" .. message.content_count }
  message.content_count = message.content_count + 1
  message.content = content
  if kind == "text" then content.unplaced, self.early = self.early or {}, nil end
  content.head = delta_head(kind == "text" and "response.output_text.delta" or "response.refusal.delta", content.place)
  put_event(self, "response.content_part.added", content.place .. ",\"part\":" .. json.encode(part), put)
  return content
end

local function content_of(self, kind, put)
  local message = self.message
  local content = message and message.content
  if content and content.kind == kind then return content end
  return open_content(self, kind, put)
end

----- events

local write = {}

function write.text(self, event, put)
  local content = self.text
  if not content then
    content = content_of(self, "text", put)
    self.text = content
  end
  local pieces, n = content.pieces, self.sequence
  pieces[#pieces + 1] = event.text
  if not event.logprobs then
    -- Nearly every event of a stream: put_delta, without the call.
    self.sequence = n + 1
    return put(content.head .. text_of(event.text) .. text_tail .. n .. "}\n\n")
  end
  local text = answer.logprobs_text(event.logprobs)
  for _, token in ipairs(json.decode(text)) do table.insert(content.part.logprobs, token) end
  put_delta(self, content.head, event.text, ",\"logprobs\":" .. text .. plain_tail, put)
end

function write.refusal(self, event, put)
  local content = content_of(self, "refusal", put)
  content.pieces[#content.pieces + 1] = event.text
  put_delta(self, content.head, event.text, plain_tail, put)
end

function write.thinking(self, event, put)
  local reasoning = self.reasoning
  if not reasoning then
    close_others(self, "reasoning", put)
    reasoning = open_reasoning(self, put)
  end
  if not reasoning.pieces then
    reasoning.pieces = {}
    reasoning.part_place = reasoning.place .. ",\"summary_index\":" .. #reasoning.body.summary
    reasoning.head = delta_head("response.reasoning_summary_text.delta", reasoning.part_place)
    put_event(self, "response.reasoning_summary_part.added", reasoning.part_place
      .. ",\"part\":{\"type\":\"summary_text\",\"text\":\"\"}", put)
  end
  reasoning.pieces[#reasoning.pieces + 1] = event.text
  put_delta(self, reasoning.head, event.text, plain_tail, put)
end

-- A model may hide its thinking and sign it all the same: then the item has no summary.
function write.signature(self, event, put)
  if not self.reasoning then
    close_others(self, nil, put)
    open_reasoning(self, put)
  end
  self.reasoning.body.encrypted_content = items.close_seal(event.signature, event.signed_by, false)
  close_reasoning(self, put)
end

function write.redacted_thinking(self, event, put)
  close_others(self, nil, put)
  open_reasoning(self, put)
  self.reasoning.body.encrypted_content = items.close_seal(event.data, event.signed_by, true)
  close_reasoning(self, put)
end

function write.part_stop(self, _, put)
  if self.reasoning then close_summary(self, self.reasoning, put) end
  local content = self.message and self.message.content
  if content then place_citations(self, content, put) end
end

-- What was said until now is an item of its own.
function write.restart(self, _, put)
  close_message(self, put, "incomplete")
  close_reasoning(self, put)
end

function write.citation(self, event)
  local content = self.message and self.message.content
  if content and content.kind == "text" then
    content.unplaced[#content.unplaced + 1] = event.citation
  else
    -- Anthropic cites before the words that it cites for.
    self.early = self.early or {}
    table.insert(self.early, event.citation)
  end
end

function write.tool_start(self, event, put)
  close_others(self, nil, put)
  local name = answer.client_name(self.asked, event.name)
  local is_custom = answer.is_custom(self.asked, name)
  local body = { status = "in_progress", call_id = event.id, name = name }
  if is_custom then
    body.type, body.id, body.input = "custom_tool_call", gw.id("ctc_"), ""
  else
    body.type, body.id, body.arguments = "function_call", gw.id("fc_"), ""
  end
  local call = begin_item(self, { body = body, pieces = {}, is_custom = is_custom }, put)
  call.head = delta_head("response.function_call_arguments.delta", call.place)
  self.calls[event.index] = call
end

function write.tool_delta(self, event, put)
  local call = self.calls[event.index]
  -- Only blanks can follow arguments that are complete.
  if call.closed then return end
  call.pieces[#call.pieces + 1] = event.arguments
  if not call.is_custom then put_delta(self, call.head, event.arguments, plain_tail, put) end
end

function write.tool_stop(self, event, put)
  close_call(self, self.calls[event.index], put)
end

function write.opaque(self, event, put)
  if event.dialect ~= items.dialect or type(event.body.id) ~= "string" then
    parts.lose(self.asked.losses, "output[](" .. event.kind .. ")")
    return
  end
  close_others(self, nil, put)
  end_item(self, begin_item(self, { body = event.body }, put), put)
end

-- Terminal events: what the service sends when an answer breaks off is an error and the failed response.
local function fail(self, err, put)
  self.closed = true
  put(self.stream_error(err, self.asked.request_id, self.sequence))
  self.sequence = self.sequence + 1
  if not self.started then return end
  local code = err.class == "rate_limit" and "rate_limit_exceeded" or "server_error"
  put_event(self, "response.failed", ",\"response\":" .. response_text(self, "failed", self.usage,
    ",\"incomplete_details\":null,\"error\":" .. json.encode({ code = code, message = err.message })), put)
end

local function close(self, put)
  start(self, {}, put)
  local finish = self.finish_of or { reason = "stop" }
  local status, reason = answer.status_from_normal(finish, self.asked.losses)
  self.closed = true
  if self.early then parts.lose(self.asked.losses, "output[].content[].annotations(without a text)") end
  close_reasoning(self, put)
  for _, call in ipairs(sorted_calls(self)) do close_call(self, call, put) end
  close_message(self, put, status)
  local more = ",\"error\":null,\"incomplete_details\":" .. (reason and "{\"reason\":\"" .. reason .. "\"}" or "null")
  if status == "completed" then more = more .. ",\"completed_at\":" .. gw.now_ms() // 1000 end
  put_event(self, "response." .. status, ",\"response\":" .. response_text(self, status, self.usage, more), put)
end

W.event, W.finish = stream_writer.of_one_answer { write = write, start = start, close = close, fail = fail,
  ping = ": ping\n\n", choices = "choices" }

-- What a piece goes to: a content part, a reasoning item or a call, each with its pieces and the head of its delta.
local function target_of(self, event)
  local kind = event.type
  if kind == "tool_delta" then return self.calls[event.index] end
  if kind == "text" then return self.text end
  return self.reasoning
end

function W:stencil(event)
  local target = target_of(self, event)
  if not target or target.closed then return nil end
  if target.is_custom then return { keeps_text = true } end
  return { before = target.head, middle = event.type == "text" and text_tail or plain_tail, number = self.sequence,
    after = "}\n\n", keeps_text = true }
end

function W:passed(event, count, _, text)
  local target = target_of(self, event)
  local pieces = target.pieces
  pieces[#pieces + 1] = text
  if not target.is_custom then self.sequence = self.sequence + count end
end

return M
