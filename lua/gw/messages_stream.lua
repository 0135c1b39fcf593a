-- anthropic.messages: streams. reader: provider events → normal events; writer: normal events → events for an Anthropic
-- client. All state is in the reader or writer object, one a stream.
--
-- The writer keeps Anthropic's order whatever the source does:
--
--   message_start ─▶ ( content_block_start ─▶ delta* ─▶ content_block_stop )* ─▶ message_delta ─▶ message_stop
--                      one block open at a time, indices 0, 1, 2 …
--
-- A source may interleave several tool calls and text: lua/gw/block_order.lua brings them into order.
-- It does not read SSE framing: `data` is one event's text (or the table an adapter's event hook left).

local parts = require("gw.parts")
local errors = require("gw.errors")
local blocks = require("gw.messages_parts")
local block_order = require("gw.block_order")
local block_reader = require("gw.block_reader")
local block_writer = require("gw.block_writer")
local seals = require("gw.seals")
local stream_writer = require("gw.stream_writer")
local streams = require("gw.streams")

local json = gw.json
local value = parts.value
local text_of = json.text
local emit_text, emit_thinking = block_reader.emit_text, block_reader.emit_thinking

local M = {}

local dialect = "anthropic.messages"

----- reader

local R = {}
R.__index = R

function M.reader(raw_keys)
  return block_reader.new({ options = { raw = raw_keys }, usage = {} }, R)
end

local read = {}

function read.message_start(self, body, emit)
  local message = value(body.message) or {}
  self.started = true
  if value(message.usage) then blocks.merge_usage(self.usage, message.usage) end
  emit({ type = "start", id = value(message.id), model = value(message.model), usage = self.usage })
end

local function emit_signature(text, emit)
  text = value(text) or ""
  if text == "" then return end
  local signature, signed_by = seals.open(text, "anthropic")
  emit({ type = "signature", signature = signature, signed_by = signed_by })
end

function read.content_block_start(self, body, emit)
  local block = body.content_block
  local kind = value(block.type)
  local open = { kind = kind }
  self.open[body.index] = open
  if kind == "text" then
    if (value(block.text) or "") ~= "" then emit_text(self, block.text, emit) end
    for _, citation in ipairs(value(block.citations) or {}) do
      emit({ type = "citation", citation = blocks.citation_to_normal(citation) })
    end
  elseif kind == "thinking" then
    if (value(block.thinking) or "") ~= "" then emit_thinking(self, block.thinking, emit) end
    emit_signature(block.signature, emit)
  elseif kind == "redacted_thinking" then
    local sealed, signed_by = seals.open(value(block.data) or "", "anthropic")
    emit({ type = "redacted_thinking", data = sealed, signed_by = signed_by })
  elseif kind == "tool_use" then
    block_reader.start_call(self, open, value(block.id), value(block.name), emit)
    local input = value(block.input)
    -- An empty object is only the place where deltas will build the input.
    local text = input and text_of(input) or "{}"
    if not text:find("^%s*{%s*}%s*$") then block_reader.emit_arguments(self, open.index, text, emit) end
  else
    open.block, open.pieces = block, {}
  end
end

function read.content_block_delta(self, body, emit)
  local delta = body.delta
  local kind = delta.type
  if kind == "text_delta" then
    if delta.text ~= "" then emit_text(self, delta.text, emit) end
  elseif kind == "input_json_delta" then
    local open = self.open[body.index]
    if delta.partial_json ~= "" and open then block_reader.add_input(self, open, delta.partial_json, emit) end
  elseif kind == "thinking_delta" then
    if delta.thinking ~= "" then emit_thinking(self, delta.thinking, emit) end
  elseif kind == "signature_delta" then
    emit_signature(delta.signature, emit)
  elseif kind == "citations_delta" then
    emit({ type = "citation", citation = blocks.citation_to_normal(delta.citation) })
  end
end

function read.content_block_stop(self, body, emit)
  if not self.open[body.index] then return end
  local open = block_reader.stop(self, body.index, emit)
  if not open then return end
  local text = table.concat(open.pieces)
  if text ~= "" and json.valid(text) then open.block.input = json.raw(text) end
  emit({ type = "opaque", kind = open.kind, dialect = dialect, body = open.block })
end

function read.message_delta(self, body)
  local delta = value(body.delta)
  if delta then
    self.stop_reason = value(delta.stop_reason) or self.stop_reason
    self.stop_sequence = value(delta.stop_sequence) or self.stop_sequence
  end
  if value(body.usage) then blocks.merge_usage(self.usage, body.usage) end
end

function read.message_stop(self, _, emit)
  self.ended = true
  emit({ type = "finish",
    finish = blocks.finish_to_normal(self.stop_reason, self.stop_sequence, self.call_count > 0) })
  emit({ type = "usage", usage = self.usage })
  emit({ type = "end" })
end

function read.ping(_, _, emit)
  emit({ type = "ping" })
end

function read.error(self, body, emit)
  streams.end_reader(self, errors.from_table(nil, body), emit)
end

function R:event(_, data, emit)
  if self.ended then return end
  local body = data
  if type(data) == "string" then body = json.decode(data, self.options) end
  if type(body) ~= "table" then return streams.fail_reader(self, streams.not_json, emit) end
  local handle = read[body.type]
  if handle then
    handle(self, body, emit)
  elseif value(body.error) then
    read.error(self, body, emit)
  end
end

R.delta, R.passed = block_reader.delta, block_reader.passed

-- The body has ended. A stop reason without message_stop is a complete answer of a careless server; less is not.
function R:finish(emit)
  if self.ended then return end
  if self.stop_reason then return read.message_stop(self, nil, emit) end
  streams.fail_reader(self, streams.broken_off, emit)
end

----- writer

local W = {}
W.__index = W

local render = {}

-- The delta of each kind of block, up to the text that it adds.
local delta_heads = {
  text = "{\"type\":\"text_delta\",\"text\":", thinking = "{\"type\":\"thinking_delta\",\"thinking\":",
  tool = "{\"type\":\"input_json_delta\",\"partial_json\":",
}

local delta_tail = "}}\n\n"

function render.open(item, put)
  local block, kind, index = item.block, item.kind, text_of(item.index)
  if kind == "text" then
    block = { type = "text", text = "" }
  elseif kind == "thinking" then
    block = { type = "thinking", thinking = "" }
  elseif kind == "tool" then
    block = { type = "tool_use", id = item.id, name = item.name, input = json.raw("{}") }
  end
  put("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":" .. index
    .. ",\"content_block\":" .. json.encode(block) .. "}\n\n")
  item.delta_head = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":" .. index
    .. ",\"delta\":"
  if delta_heads[kind] then item.head = item.delta_head .. delta_heads[kind] end
end

-- piece: text, or a whole delta.
function render.piece(item, piece, put)
  if type(piece) == "string" then
    put(item.head .. text_of(piece) .. delta_tail)
  else
    put(item.delta_head .. json.encode(piece) .. "}\n\n")
  end
end

function render.close(item, put)
  put("event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":" .. text_of(item.index)
    .. "}\n\n")
end

function M.writer(asked, stream_error)
  return setmetatable({
    asked = asked, stream_error = stream_error, order = block_order.new(render), calls = {},
    usage = nil, finish_of = nil, has_refusal = false,
    started = false, closed = false,
  }, W)
end

local function start(self, event, put)
  if self.started then return end
  self.started = true
  local asked = self.asked
  local usage = blocks.usage_from_normal(event.usage)
  if not event.usage then usage.input_tokens = asked.prompt_tokens or 0 end
  put(parts.sse("message_start", json.encode({ type = "message_start", message = {
    id = asked.id or event.id or gw.id("msg_"), type = "message", role = "assistant",
    model = asked.model or event.model or "", content = json.array({}), stop_reason = json.null,
    stop_sequence = json.null, usage = usage,
  } })))
end

local write = block_writer.handlers()

function write.signature(self, event, put)
  -- A model may hide its thinking and sign it all the same.
  local order = self.order
  local item = order:last("thinking") or order:add({ kind = "thinking" }, put)
  order:piece(item, { type = "signature_delta",
    signature = seals.close(event.signature, event.signed_by, "anthropic") }, put)
  order:stop(item, put)
end

local function whole_block(self, block, put)
  local item = self.order:add({ kind = "block", block = block }, put)
  self.order:stop(item, put)
end

function write.redacted_thinking(self, event, put)
  whole_block(self, { type = "redacted_thinking", data = seals.close(event.data, event.signed_by, "anthropic") }, put)
end

function write.opaque(self, event, put)
  if event.dialect ~= dialect then
    parts.lose(self.asked.losses, "content[](" .. event.kind .. ")")
    return
  end
  whole_block(self, event.body, put)
end

function write.citation(self, event, put)
  if event.citation.dialect ~= dialect then
    parts.lose(self.asked.losses, "message.annotations")
    return
  end
  self.order:append("text", { type = "citations_delta", citation = event.citation.body }, put)
end

local function close(self, put)
  self.closed = true
  start(self, {}, put)
  self.order:finish(put)
  local finish = self.finish_of or { reason = "stop" }
  put(parts.sse("message_delta", json.encode({
    type = "message_delta",
    delta = { stop_reason = blocks.finish_from_normal(finish, self.has_refusal, self.asked.losses),
      stop_sequence = finish.stop_sequence or json.null },
    usage = blocks.usage_from_normal(self.usage, self.asked.losses),
  })))
  put("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
end

W.event, W.finish = stream_writer.of_one_answer { write = write, start = start, close = close, starts_first = true,
  ping = "event: ping\ndata: {\"type\":\"ping\"}\n\n", choices = "choices" }

function W:stencil(event)
  local item = self.order:flowing(event, self.calls)
  if item then return { before = item.head, after = delta_tail, keeps_text = item.kind == "tool" } end
end

W.passed = block_writer.passed

return M
