-- cohere.chat: streams. reader: provider events → normal events; writer: normal events → events for a Cohere client.
-- All state is in the reader or writer object, one a stream.
--
-- The writer keeps Cohere's order whatever the source does; a citation lies within the content that it cites:
--
--   message-start ─▶ ( tool-plan-delta
--                    | content-start ─▶ (content-delta | citation-start ─▶ citation-end)* ─▶ content-end
--                    | tool-call-start ─▶ tool-call-delta* ─▶ tool-call-end )* ─▶ message-end ─▶ [DONE]
--
-- Content items and calls are counted apart, each from 0; one of them is open at a time (lua/gw/block_order.lua). Text
-- that follows text goes on in the same item, because clients read the answer from one.
-- It does not read SSE framing: `data` is one event's text (or the table an adapter's event hook left).

local parts = require("gw.parts")
local errors = require("gw.errors")
local answers = require("gw.cohere_answer")
local block_order = require("gw.block_order")
local block_writer = require("gw.block_writer")
local stream_writer = require("gw.stream_writer")
local streams = require("gw.streams")

local json = gw.json
local value, lose = parts.value, parts.lose
local text_of = json.text

local M = {}

----- reader

local R = {}
R.__index = R

function M.reader()
  return setmetatable({
    text_event = { type = "text" },
    plan_event = { type = "thinking", plan = true },
    thinking_event = { type = "thinking" },
    delta_event = { type = "tool_delta" },
    calls = {}, call_count = 0, base = 0, length = 0,
    has_content = false, ended = false,
  }, R)
end

local function message_of(body)
  local delta = value(body.delta)
  return delta and value(delta.message) or {}
end

local function emit_text(self, text, logprobs, emit)
  self.has_content = true
  self.length = self.length + (utf8.len(text) or #text)
  local event = self.text_event
  event.text, event.logprobs = text, logprobs
  emit(event)
end

local function emit_content(self, content, logprobs, emit)
  local text, thinking = value(content.text), value(content.thinking)
  if text and text ~= "" then emit_text(self, text, logprobs, emit) end
  if thinking and thinking ~= "" then
    self.has_content = true
    local event = self.thinking_event
    event.text = thinking
    emit(event)
  end
end

local read = {}

read["message-start"] = function(_, body, emit)
  emit({ type = "start", id = value(body.id) })
end

read["content-start"] = function(self, body, emit)
  self.base = self.length
  emit_content(self, value(message_of(body).content) or {}, nil, emit)
end

read["content-delta"] = function(self, body, emit)
  local content = value(message_of(body).content)
  if not content then return end
  local given = value(body.logprobs)
  emit_content(self, content, given and answers.logprobs_to_normal({ given }), emit)
end

read["content-end"] = function(_, _, emit)
  emit({ type = "part_stop" })
end

read["tool-plan-delta"] = function(self, body, emit)
  local plan = value(message_of(body).tool_plan)
  if not plan or plan == "" then return end
  local event = self.plan_event
  event.text = plan
  emit(event)
end

local function send_arguments(self, call, arguments, emit)
  local event = self.delta_event
  event.index, event.arguments = call.index, arguments
  emit(event)
end

local function emit_arguments(self, call, fn, emit)
  local arguments = fn and value(fn.arguments)
  if arguments and arguments ~= "" then send_arguments(self, call, arguments, emit) end
end

read["tool-call-start"] = function(self, body, emit)
  local given = value(message_of(body).tool_calls) or {}
  local fn = value(given["function"]) or {}
  local call = { index = self.call_count }
  self.calls[value(body.index) or call.index] = call
  self.last = call
  self.call_count, self.has_content = call.index + 1, true
  local id = value(given.id)
  if not id or id == "" then id = gw.id("call_") end
  emit({ type = "tool_start", index = call.index, id = id, name = value(fn.name) or "" })
  emit_arguments(self, call, fn, emit)
end

read["tool-call-delta"] = function(self, body, emit)
  local call = self.calls[value(body.index) or -1] or self.last
  local given = value(message_of(body).tool_calls)
  if call and given then emit_arguments(self, call, value(given["function"]), emit) end
end

read["tool-call-end"] = function(self, body, emit)
  local call = self.calls[value(body.index) or -1] or self.last
  if call then emit({ type = "tool_stop", index = call.index }) end
end

read["citation-start"] = function(self, body, emit)
  local citation = value(message_of(body).citations)
  if citation then emit({ type = "citation", citation = answers.citation_to_normal(citation, self.base) }) end
end

read["message-end"] = function(self, body, emit)
  local delta = value(body.delta) or {}
  local finish = answers.finish_to_normal(value(delta.finish_reason), self.call_count > 0)
  local told = value(delta.error)
  if told or finish.raw == "TIMEOUT" or finish.reason == "error" and not self.has_content then
    return streams.end_reader(self, answers.failure(finish.raw, type(told) == "string" and told or nil), emit)
  end
  self.ended = true
  emit({ type = "finish", finish = finish })
  local usage = answers.usage_to_normal(delta.usage)
  if usage then emit({ type = "usage", usage = usage }) end
  emit({ type = "end" })
end

function R:event(name, data, emit)
  -- [DONE] says nothing that message-end did not; without that, the body's end tells.
  if self.ended or data == "[DONE]" then return end
  local body = data
  if type(data) == "string" then body = json.decode(data) end
  if type(body) ~= "table" then return streams.fail_reader(self, streams.not_json, emit) end
  local kind = value(body.type) or name
  local handle = read[kind]
  if handle then
    handle(self, body, emit)
  elseif value(body.error) or type(body.message) == "string" and not value(body.delta) then
    streams.end_reader(self, errors.from_table(nil, body), emit)
  end
end

-- See lua/gw/translate.lua. part: 1 for a plan; place: the index of the call.
function R:delta(kind, text, place, part, _, emit)
  if self.ended then return nil end
  if kind == "text" then
    emit_text(self, text, nil, emit)
    return self.text_event
  elseif kind == "thinking" then
    local event = part == 1 and self.plan_event or self.thinking_event
    if part ~= 1 then self.has_content = true end
    event.text = text
    emit(event)
    return event
  end
  local call = self.calls[place]
  if not call then return nil end
  send_arguments(self, call, text, emit)
  return self.delta_event
end

function R:passed(event, _, characters)
  if event.type == "text" then self.length = self.length + characters end
end

-- The body has ended before message-end.
function R:finish(emit)
  if self.ended then return end
  streams.fail_reader(self, streams.broken_off, emit)
end

----- writer

local W = {}
W.__index = W

local function put_citation(self, item, citation, from, to, put)
  item = answers.cited_item(citation, self.text_items, item)
  local body = answers.citation_from_normal(citation, item, from, to)
  local index = text_of(self.citation_count)
  self.citation_count = self.citation_count + 1
  put("event: citation-start\ndata: {\"type\":\"citation-start\",\"index\":" .. index
    .. ",\"delta\":{\"message\":{\"citations\":" .. json.encode(body) .. "}}}\n\n")
  put("event: citation-end\ndata: {\"type\":\"citation-end\",\"index\":" .. index .. "}\n\n")
end

-- Citations that cite the part just ended, from where it began. One that has no text yet waits for it.
local function place_citations(self, item, put)
  if item.length == item.part_from then return end
  for _, citation in ipairs(item.unplaced) do put_citation(self, item, citation, item.part_from, item.length, put) end
  item.unplaced, item.part_from = {}, item.length
end

local function open_call(self, item, put)
  local index = text_of(self.call_count)
  self.call_count = self.call_count + 1
  put("event: tool-call-start\ndata: {\"type\":\"tool-call-start\",\"index\":" .. index
    .. ",\"delta\":{\"message\":{\"tool_calls\":{\"id\":" .. text_of(item.id)
    .. ",\"type\":\"function\",\"function\":{\"name\":" .. text_of(item.name) .. ",\"arguments\":\"\"}}}}}\n\n")
  item.head = "event: tool-call-delta\ndata: {\"type\":\"tool-call-delta\",\"index\":" .. index
    .. ",\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":"
  item.tail = "}}}}}\n\n"
  item.ending = "event: tool-call-end\ndata: {\"type\":\"tool-call-end\",\"index\":" .. index .. "}\n\n"
end

local function open_content(self, item, put)
  item.number = self.content_count
  self.content_count = item.number + 1
  local index = text_of(item.number)
  put("event: content-start\ndata: {\"type\":\"content-start\",\"index\":" .. index
    .. ",\"delta\":{\"message\":{\"content\":{\"type\":\"" .. item.kind .. "\",\"" .. item.kind .. "\":\"\"}}}}\n\n")
  item.head = "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":" .. index
    .. ",\"delta\":{\"message\":{\"content\":{\"" .. item.kind .. "\":"
  item.tail = "}}}}\n\n"
  item.ending = "event: content-end\ndata: {\"type\":\"content-end\",\"index\":" .. index .. "}\n\n"
end

-- How items look; a piece is a string, or { text, logprobs } with the log probabilities of its tokens.
local function renderer(self)
  local render = {}
  function render.open(item, put)
    if item.kind == "tool" then open_call(self, item, put) else open_content(self, item, put) end
  end
  function render.piece(item, piece, put)
    if type(piece) == "string" then
      put(item.head .. text_of(piece) .. item.tail)
    else
      put(item.head .. text_of(piece.text) .. "}}},\"logprobs\":" .. json.encode(piece) .. "}\n\n")
    end
  end
  function render.close(item, put)
    if item.unplaced then
      place_citations(self, item, put)
      if #item.unplaced > 0 then lose(self.asked.losses, "message.citations(of no text)") end
    end
    put(item.ending)
  end
  return render
end

function M.writer(asked, stream_error)
  local self = setmetatable({
    asked = asked, stream_error = stream_error, calls = {}, text_items = {}, text_length = 0,
    content_count = 0, call_count = 0, citation_count = 0,
    usage = nil, finish_of = nil, has_refusal = false,
    started = false, closed = false,
  }, W)
  self.order = block_order.new(renderer(self))
  return self
end

local function start(self, event, put)
  if self.started then return end
  self.started = true
  put("event: message-start\ndata: {\"id\":" .. text_of(self.asked.id or event.id or gw.id(""))
    .. ",\"type\":\"message-start\",\"delta\":{\"message\":{\"role\":\"assistant\",\"content\":[],\"tool_plan\":\"\","
    .. "\"tool_calls\":[],\"citations\":[]}}}\n\n")
end

local function text_item(self, put)
  local item = self.order:last("text")
  if item then return item end
  item = { kind = "text", texts = {}, unplaced = {}, base = self.text_length, length = 0, part_from = 0 }
  self.text_items[#self.text_items + 1] = item
  start(self, {}, put)
  return self.order:add(item, put)
end

local function add_text(self, text, piece, put)
  local item = text_item(self, put)
  item.texts[#item.texts + 1] = text
  local length = utf8.len(text) or #text
  item.length, self.text_length = item.length + length, self.text_length + length
  self.order:piece(item, piece, put)
end

local write = block_writer.handlers()
local start_call = write.tool_start

function write.text(self, event, put)
  local piece = event.text
  if event.logprobs then
    piece = { text = event.text, token_ids = json.array({}), logprobs = json.array({}) }
    for i, entry in ipairs(answers.logprobs_from_normal(event.logprobs)) do piece.logprobs[i] = entry.logprobs[1] end
  end
  add_text(self, event.text, piece, put)
end

function write.refusal(self, event, put)
  self.has_refusal = true
  add_text(self, event.text, event.text, put)
end

local plan_head = "event: tool-plan-delta\ndata: {\"type\":\"tool-plan-delta\",\"delta\":{\"message\":{\"tool_plan\":"
local plan_tail = "}}}\n\n"

function write.thinking(self, event, put)
  if not self.started then start(self, {}, put) end
  if not event.plan then return self.order:append("thinking", event.text, put) end
  put(plan_head .. text_of(event.text) .. plan_tail)
end

function write.signature(self)
  lose(self.asked.losses, "message.content[].thinking.signature")
end

function write.redacted_thinking(self)
  lose(self.asked.losses, "message.content[].redacted_thinking")
end

function write.opaque(self, event)
  lose(self.asked.losses, "message.content[](" .. event.kind .. ")")
end

function write.citation(self, event, put)
  local citation, item = event.citation, text_item(self, put)
  if answers.is_placed(citation) and item == self.order.open then
    put_citation(self, item, citation, 0, item.length, put)
  else
    item.unplaced[#item.unplaced + 1] = citation
  end
end

function write.part_stop(self, _, put)
  local item = self.order:last("text")
  if item and item == self.order.open then place_citations(self, item, put) end
end

function write.tool_start(self, event, put)
  start(self, {}, put)
  start_call(self, event, put)
end

local function close(self, put)
  self.closed = true
  start(self, {}, put)
  self.order:finish(put)
  local finish = self.finish_of or { reason = "stop" }
  put("event: message-end\ndata: " .. json.encode({ type = "message-end", delta = {
    finish_reason = answers.finish_from_normal(finish, self.has_refusal, self.asked.losses),
    usage = answers.usage_from_normal(self.usage, self.asked.losses),
  } }) .. "\n\n")
  put("data: [DONE]\n\n")
end

W.event, W.finish = stream_writer.of_one_answer { write = write, start = start, close = close, ping = ": ping\n\n",
  choices = "choices(more than 1)" }

function W:stencil(event)
  if event.plan then return { before = plan_head, after = plan_tail } end
  local item = self.order:flowing(event, self.calls)
  if item then return { before = item.head, after = item.tail, keeps_text = item.kind ~= "thinking" } end
end

function W:passed(event, _, characters, text)
  local item = self.order.open
  if event.type == "text" then
    item.texts[#item.texts + 1] = text
    item.length, self.text_length = item.length + characters, self.text_length + characters
  else
    self.order:passed(event, self.calls, text)
  end
end

return M
