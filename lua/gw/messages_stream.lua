-- anthropic.messages: streams. reader: provider events → normal events; writer: normal events → events for an Anthropic
-- client. All state is in the reader or writer object, one a stream.
--
-- The writer keeps Anthropic's order whatever the source does:
--
--   message_start ─▶ ( content_block_start ─▶ delta* ─▶ content_block_stop )* ─▶ message_delta ─▶ message_stop
--                      one block open at a time, indices 0, 1, 2 …
--
-- A source may interleave several tool calls and text. The block that is open streams; what belongs to another one
-- waits in `waiting` until the open one can be closed: text and thinking at once, a tool call when the source says so,
-- or when its arguments are a complete JSON value (nothing can follow them), or at the end.
-- It does not read SSE framing: `data` is one event's text (or the table an adapter's event hook left).

local parts = require("gw.parts")
local errors = require("gw.errors")
local blocks = require("gw.messages_parts")

local json = gw.json
local value = parts.value
local text_of = json.text

local M = {}

local dialect = "anthropic.messages"

----- reader

local R = {}
R.__index = R

function M.reader(raw_keys)
  return setmetatable({
    options = { raw = raw_keys },
    text_event = { type = "text" },
    thinking_event = { type = "thinking" },
    delta_event = { type = "tool_delta" },
    open = {}, call_count = 0, usage = {},
    started = false, ended = false,
  }, R)
end

local read = {}

function read.message_start(self, body, emit)
  local message = value(body.message) or {}
  self.started = true
  if value(message.usage) then blocks.merge_usage(self.usage, message.usage) end
  emit({ type = "start", id = value(message.id), model = value(message.model), usage = self.usage })
end

local function emit_text(self, text, emit)
  local event = self.text_event
  event.text = text
  emit(event)
end

local function emit_thinking(self, text, emit)
  local event = self.thinking_event
  event.text = text
  emit(event)
end

local function emit_arguments(self, index, text, emit)
  local event = self.delta_event
  event.index, event.arguments = index, text
  emit(event)
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
    if (value(block.signature) or "") ~= "" then
      emit({ type = "signature", signature = block.signature, signed_by = "anthropic" })
    end
  elseif kind == "redacted_thinking" then
    emit({ type = "redacted_thinking", data = value(block.data), signed_by = "anthropic" })
  elseif kind == "tool_use" then
    open.index = self.call_count
    self.call_count = self.call_count + 1
    emit({ type = "tool_start", index = open.index, id = value(block.id), name = value(block.name) })
    local input = value(block.input)
    -- An empty object is only the place where deltas will build the input.
    local text = input and text_of(input) or "{}"
    if not text:find("^%s*{%s*}%s*$") then emit_arguments(self, open.index, text, emit) end
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
    if delta.partial_json == "" or not open then return end
    if open.index then
      emit_arguments(self, open.index, delta.partial_json, emit)
    elseif open.pieces then
      open.pieces[#open.pieces + 1] = delta.partial_json
    end
  elseif kind == "thinking_delta" then
    if delta.thinking ~= "" then emit_thinking(self, delta.thinking, emit) end
  elseif kind == "signature_delta" then
    emit({ type = "signature", signature = delta.signature, signed_by = "anthropic" })
  elseif kind == "citations_delta" then
    emit({ type = "citation", citation = blocks.citation_to_normal(delta.citation) })
  end
end

function read.content_block_stop(self, body, emit)
  local open = self.open[body.index]
  if not open then return end
  self.open[body.index] = nil
  if open.index then
    emit({ type = "tool_stop", index = open.index })
  elseif open.block then
    if #open.pieces > 0 then
      local text = table.concat(open.pieces)
      if json.valid(text) then open.block.input = json.raw(text) end
    end
    emit({ type = "opaque", kind = open.kind, dialect = dialect, body = open.block })
  else
    emit({ type = "part_stop" })
  end
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

local function fail(self, err, emit)
  self.ended = true
  emit({ type = "error", error = err })
end

function read.error(self, body, emit)
  fail(self, errors.from_table(nil, body), emit)
end

function R:event(_, data, emit)
  if self.ended then return end
  local body = data
  if type(data) == "string" then body = json.decode(data, self.options) end
  if type(body) ~= "table" then
    return fail(self, { status = 502, class = "server", message = "The provider sent an event that is not JSON." },
      emit)
  end
  local handle = read[body.type]
  if handle then
    handle(self, body, emit)
  elseif value(body.error) then
    read.error(self, body, emit)
  end
end

-- The body has ended. A stop reason without message_stop is a complete answer of a careless server; less is not.
function R:finish(emit)
  if self.ended then return end
  if self.stop_reason then return read.message_stop(self, nil, emit) end
  fail(self, { status = 502, class = "server", message = "The provider's stream broke off before its end." }, emit)
end

----- writer

local W = {}
W.__index = W

function M.writer(asked, stream_error)
  return setmetatable({
    asked = asked, stream_error = stream_error,
    open = nil, waiting = {}, next_index = 0, calls = {},
    usage = nil, finish_of = nil, has_refusal = false,
    started = false, closed = false,
  }, W)
end

local function start(self, event, put)
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

local delta_kinds = {
  text = { "text_delta", "text" }, thinking = { "thinking_delta", "thinking" },
  tool = { "input_json_delta", "partial_json" },
}

local function open_item(self, item, put)
  local index = self.next_index
  self.next_index = index + 1
  self.open = item
  item.index = index
  local block = item.block
  local kind = item.kind
  if kind == "text" then
    block = { type = "text", text = "" }
  elseif kind == "thinking" then
    block = { type = "thinking", thinking = "" }
  elseif kind == "tool" then
    block = { type = "tool_use", id = item.id, name = item.name, input = json.raw("{}") }
  end
  put("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":" .. text_of(index)
    .. ",\"content_block\":" .. json.encode(block) .. "}\n\n")
  item.delta_head = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":" .. text_of(index)
    .. ",\"delta\":{\"type\":"
  local names = delta_kinds[kind]
  if names then
    item.head = item.delta_head .. "\"" .. names[1] .. "\",\"" .. names[2] .. "\":"
    for _, piece in ipairs(item.pieces) do put(item.head .. text_of(piece) .. "}}\n\n") end
  end
  for _, citation in ipairs(item.citations or {}) do
    put(item.delta_head .. "\"citations_delta\",\"citation\":" .. json.encode(citation) .. "}}\n\n")
  end
  if item.signature then
    put(item.delta_head .. "\"signature_delta\",\"signature\":" .. text_of(item.signature) .. "}}\n\n")
  end
end

local function close_open(self, put)
  local item = self.open
  self.open = nil
  put("event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":" .. text_of(item.index)
    .. "}\n\n")
end

-- May the item's block be closed because something else is to come?
local function is_complete(item)
  if item.kind ~= "tool" or item.done then return true end
  if item.checked == #item.pieces then return false end
  item.checked = #item.pieces
  item.done = json.valid(table.concat(item.pieces))
  return item.done
end

-- Opens what waits, as far as the order allows.
local function advance(self, put)
  while true do
    local open = self.open
    if open and (open.done and (open.kind ~= "tool" or open.stopped) or #self.waiting > 0 and is_complete(open)) then
      close_open(self, put)
      open = nil
    end
    if open or #self.waiting == 0 then return end
    open_item(self, table.remove(self.waiting, 1), put)
  end
end

local function add_item(self, item, put)
  if not self.started then start(self, {}, put) end
  self.waiting[#self.waiting + 1] = item
  advance(self, put)
end

-- The item that more text of this kind belongs to: the last one, if it is of that kind and still takes text.
local function last_item(self, kind)
  local last = self.waiting[#self.waiting] or self.open
  if last and last.kind == kind and not last.done then return last end
  return nil
end

local function add_piece(self, kind, text, put)
  local item = last_item(self, kind)
  if not item then
    add_item(self, { kind = kind, pieces = { text } }, put)
  elseif item == self.open then
    put(item.head .. text_of(text) .. "}}\n\n")
  else
    item.pieces[#item.pieces + 1] = text
  end
end

local write = {}

function write.text(self, event, put)
  local open = self.open
  if open and open.kind == "text" and not self.waiting[1] then
    put(open.head .. text_of(event.text) .. "}}\n\n")
  else
    add_piece(self, "text", event.text, put)
  end
end

function write.refusal(self, event, put)
  self.has_refusal = true
  add_piece(self, "text", event.text, put)
end

function write.thinking(self, event, put)
  add_piece(self, "thinking", event.text, put)
end

function write.signature(self, event, put)
  if event.signed_by ~= "anthropic" then
    parts.lose(self.asked.losses, "reasoning_details(signed by " .. (event.signed_by or "unknown") .. ")")
    return
  end
  local item = last_item(self, "thinking")
  if not item then
    -- A model may hide its thinking and sign it all the same.
    add_item(self, { kind = "thinking", pieces = {}, signature = event.signature, done = true }, put)
    return
  end
  item.signature, item.done = event.signature, true
  if item == self.open then
    put(item.delta_head .. "\"signature_delta\",\"signature\":" .. text_of(event.signature) .. "}}\n\n")
    advance(self, put)
  end
end

function write.redacted_thinking(self, event, put)
  if event.signed_by ~= "anthropic" then
    parts.lose(self.asked.losses, "reasoning_details(signed by " .. (event.signed_by or "unknown") .. ")")
    return
  end
  add_item(self, { kind = "block", done = true, block = { type = "redacted_thinking", data = event.data } }, put)
end

function write.opaque(self, event, put)
  if event.dialect ~= dialect then
    parts.lose(self.asked.losses, "content[](" .. event.kind .. ")")
    return
  end
  add_item(self, { kind = "block", done = true, block = event.body }, put)
end

function write.citation(self, event, put)
  if event.citation.dialect ~= dialect then
    parts.lose(self.asked.losses, "message.annotations")
    return
  end
  local item = last_item(self, "text")
  if not item then
    item = { kind = "text", pieces = {}, citations = { event.citation.body } }
    add_item(self, item, put)
  elseif item == self.open then
    put(item.delta_head .. "\"citations_delta\",\"citation\":" .. json.encode(event.citation.body) .. "}}\n\n")
  else
    item.citations = item.citations or {}
    item.citations[#item.citations + 1] = event.citation.body
  end
end

function write.part_stop(self, _, put)
  local last = self.waiting[#self.waiting] or self.open
  if last and last.kind ~= "tool" then
    last.done = true
    advance(self, put)
  end
end

function write.tool_start(self, event, put)
  local names = self.asked.tool_names
  local item = { kind = "tool", id = event.id, name = names and names[event.name] or event.name, pieces = {} }
  self.calls[event.index] = item
  add_item(self, item, put)
end

function write.tool_delta(self, event, put)
  local item = self.calls[event.index]
  item.pieces[#item.pieces + 1] = event.arguments
  if item == self.open then
    put(item.head .. text_of(event.arguments) .. "}}\n\n")
    if self.waiting[1] then advance(self, put) end
  end
end

function write.tool_stop(self, event, put)
  local item = self.calls[event.index]
  item.done, item.stopped = true, true
  advance(self, put)
end

local function close(self, put)
  self.closed = true
  if not self.started then start(self, {}, put) end
  if self.open then
    self.open.done, self.open.stopped = true, true
  end
  for _, item in ipairs(self.waiting) do item.done, item.stopped = true, true end
  advance(self, put)
  local finish = self.finish_of or { reason = "stop" }
  put(parts.sse("message_delta", json.encode({
    type = "message_delta",
    delta = { stop_reason = blocks.finish_from_normal(finish, self.has_refusal),
      stop_sequence = finish.stop_sequence or json.null },
    usage = blocks.usage_from_normal(self.usage),
  })))
  put("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
end

function W:event(event, put)
  -- This dialect has one answer a message; further choices have no place (n > 1 is refused in the request).
  if self.closed or (event.choice or 0) > 0 then return end
  local kind = event.type
  local handle = write[kind]
  if handle then
    handle(self, event, put)
  elseif kind == "start" then
    if not self.started then start(self, event, put) end
    if event.usage then self.usage = event.usage end
  elseif kind == "finish" then
    self.finish_of = event.finish
  elseif kind == "usage" then
    self.usage = event.usage
  elseif kind == "ping" then
    put("event: ping\ndata: {\"type\":\"ping\"}\n\n")
  elseif kind == "error" then
    self.closed = true
    put(self.stream_error(event.error, self.asked.request_id))
  elseif kind == "end" then
    close(self, put)
  end
end

-- Nothing more will come. A stream that was not ended is an error for the client, never a silent end.
function W:finish(put)
  if self.closed then return end
  self.closed = true
  put(self.stream_error({ status = 502, class = "server", message = "The answer broke off before its end." },
    self.asked.request_id))
end

return M
