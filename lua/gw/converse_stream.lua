-- bedrock.converse: streams. reader: provider events → normal events; writer: normal events → AWS event-stream messages
-- for a Converse client. All state is in the reader or writer object, one a stream.
--
--   messageStart ─▶ ( contentBlockStart? ─▶ contentBlockDelta* ─▶ contentBlockStop )* ─▶ messageStop ─▶ metadata
--                     one block open at a time, indices 0, 1, 2 …; only calls have a start
--
-- Usage comes in metadata, after messageStop: that is the end. An exception may come at any place, inside status 200.
-- It does not read AWS framing: `name` is the event's or the exception's type, `body` its JSON.

local parts = require("gw.parts")
local errors = require("gw.errors")
local block_order = require("gw.block_order")
local block_reader = require("gw.block_reader")
local block_writer = require("gw.block_writer")
local blocks = require("gw.converse_parts")
local stream_writer = require("gw.stream_writer")
local streams = require("gw.streams")

local json = gw.json
local value = parts.value
local text_of = json.text

local M = {}

local dialect = "bedrock.converse"

----- reader

local R = {}
R.__index = R

-- target: { model } tells who signs the thinking.
function M.reader(raw_keys, target)
  return block_reader.new({
    options = { raw = raw_keys },
    how = { signer = blocks.signer(blocks.family(target and target.model)) },
    model = target and target.model,
  }, R)
end

local read = {}

function read.messageStart(self, _, emit)
  self.started = true
  emit({ type = "start", model = self.model })
end

function read.contentBlockStart(self, body, emit)
  local start = value(body.start) or {}
  local use, result = value(start.toolUse), value(start.toolResult)
  local open = {}
  self.open[body.contentBlockIndex] = open
  if use and (value(use.type) or "tool_use") == "tool_use" then
    block_reader.start_call(self, open, value(use.toolUseId), value(use.name), emit)
  elseif use then
    open.kind, open.block, open.pieces = use.type, { toolUse = use }, {}
  elseif result then
    result.content = json.array({})
    open.kind, open.block = value(result.type) or "toolResult", { toolResult = result }
  end
end

local function read_reasoning(self, content, emit)
  local text, signature, bytes = value(content.text), value(content.signature), value(content.redactedContent)
  if text and text ~= "" then block_reader.emit_thinking(self, text, emit) end
  if signature and signature ~= "" then
    emit({ type = "signature", signature = signature, signed_by = self.how.signer })
  end
  if bytes then
    local part = blocks.redacted_to_normal(bytes, self.how)
    emit({ type = "redacted_thinking", data = part.data, signed_by = part.signed_by })
  end
end

function read.contentBlockDelta(self, body, emit)
  local delta = body.delta
  local text = delta.text
  if type(text) == "string" then
    if text ~= "" then block_reader.emit_text(self, text, emit) end
    return
  end
  local use, open = value(delta.toolUse), self.open[body.contentBlockIndex]
  if use then
    local piece = value(use.input)
    if not open or not piece or piece == "" then return end
    if type(piece) ~= "string" then piece = text_of(piece) end
    block_reader.add_input(self, open, piece, emit)
  elseif value(delta.reasoningContent) then
    read_reasoning(self, delta.reasoningContent, emit)
  elseif value(delta.citation) then
    emit({ type = "citation", citation = blocks.citation_to_normal(delta.citation) })
  elseif value(delta.toolResult) and open and open.block then
    local content = open.block.toolResult.content
    for _, block in ipairs(delta.toolResult) do content[#content + 1] = block end
  end
end

function read.contentBlockStop(self, body, emit)
  local open = block_reader.stop(self, body.contentBlockIndex, emit)
  if not open then return end
  if open.pieces then
    local text = table.concat(open.pieces)
    open.block.toolUse.input = json.raw(json.valid(text) and text or "{}")
  end
  emit({ type = "opaque", kind = open.kind, dialect = dialect, body = open.block })
end

function read.messageStop(self, body, emit)
  self.stopped = true
  emit({ type = "finish", finish = blocks.finish_to_normal(value(body.stopReason), self.call_count > 0,
    body.additionalModelResponseFields) })
end

function read.metadata(self, body, emit)
  if not self.stopped then
    return streams.fail_reader(self, "The provider ended its stream without a stop reason.", emit)
  end
  self.ended = true
  local usage = value(body.usage)
  if usage then emit({ type = "usage", usage = blocks.usage_to_normal(usage) }) end
  emit({ type = "end" })
end

local exception_status = {
  validationException = 400, accessDeniedException = 403, resourceNotFoundException = 404, modelTimeoutException = 408,
  modelErrorException = 424, throttlingException = 429, internalServerException = 500,
  modelStreamErrorException = 424, serviceUnavailableException = 503, modelNotReadyException = 429,
}

local function read_exception(self, name, body, emit)
  local status = exception_status[name:sub(1, 1):lower() .. name:sub(2)] or 502
  local err = errors.from_table(status, type(body) == "table" and body or {})
  err.type = name
  streams.end_reader(self, err, emit)
end

function R:event(name, data, emit)
  if self.ended then return end
  local body = data
  if type(data) == "string" then body = json.decode(data, self.options) end
  local handle = read[name]
  if handle then
    if type(body) ~= "table" then return streams.fail_reader(self, streams.not_json, emit) end
    return handle(self, body, emit)
  end
  if name:find("Exception$") or name:find("Error$") then read_exception(self, name, body, emit) end
end

R.delta, R.passed = block_reader.delta, block_reader.passed

-- The body has ended. A stop reason without metadata is a complete answer of a careless server; less is not.
function R:finish(emit)
  if self.ended then return end
  if not self.stopped then return streams.fail_reader(self, streams.broken_off, emit) end
  self.ended = true
  emit({ type = "end" })
end

----- writer

local W = {}
W.__index = W

local render = {}

-- The text of each kind of delta before and behind the value.
local delta_of = {
  text = { '{"text":', "}}" },
  thinking = { '{"reasoningContent":{"text":', "}}}" },
  tool = { '{"toolUse":{"input":', "}}}" },
}

function render.open(item, put)
  item.head = '{"contentBlockIndex":' .. text_of(item.index) .. ',"delta":'
  local use = item.kind == "tool" and { name = item.name, toolUseId = item.id } or item.use
  if use then
    put(gw.aws_event("contentBlockStart", json.encode({ contentBlockIndex = item.index, start = { toolUse = use } })))
  elseif item.result then
    put(gw.aws_event("contentBlockStart", json.encode({ contentBlockIndex = item.index,
      start = { toolResult = item.result } })))
  end
  local names = delta_of[item.kind]
  if names then item.head, item.tail = item.head .. names[1], names[2] end
end

function render.piece(item, piece, put)
  if type(piece) == "string" then
    put(gw.aws_event("contentBlockDelta", item.head .. text_of(piece) .. item.tail))
  else
    put(gw.aws_event("contentBlockDelta", json.encode({ contentBlockIndex = item.index, delta = piece })))
  end
end

function render.close(item, put)
  put(gw.aws_event("contentBlockStop", '{"contentBlockIndex":' .. text_of(item.index) .. "}"))
end

function M.writer(asked, stream_error)
  return setmetatable({
    asked = asked, stream_error = stream_error, order = block_order.new(render), calls = {}, started_ms = gw.now_ms(),
    usage = nil, finish_of = nil, has_refusal = false, started = false, closed = false,
  }, W)
end

local function start(self, _, put)
  if self.started then return end
  self.started = true
  put(gw.aws_event("messageStart", '{"role":"assistant"}'))
end

local write = block_writer.handlers()

function write.signature(self, event, put)
  local item = self.order:last("thinking") or self.order:add({ kind = "thinking" }, put)
  self.order:piece(item, { reasoningContent = {
    signature = blocks.signature_from_normal(event.signature, event.signed_by) } }, put)
  self.order:stop(item, put)
end

function write.redacted_thinking(self, event, put)
  local bytes = blocks.redacted_from_normal(event.data, event.signed_by)
  local item = self.order:add({ kind = "block", pieces = { { reasoningContent = { redactedContent = bytes } } } }, put)
  self.order:stop(item, put)
end

function write.opaque(self, event, put)
  local use, result = event.body.toolUse, event.body.toolResult
  if event.dialect ~= dialect or not use and not result then
    parts.lose(self.asked.losses, "content[](" .. event.kind .. ")")
    return
  end
  local item = { kind = "block", done = true }
  if use then
    item.use = { name = use.name, toolUseId = use.toolUseId, type = use.type }
    item.pieces = { { toolUse = { input = text_of(use.input) } } }
  else
    item.result = { status = result.status, toolUseId = result.toolUseId, type = result.type }
    item.pieces = { { toolResult = result.content } }
  end
  self.order:stop(self.order:add(item, put), put)
end

function write.citation(self, event, put)
  self.order:append("text", { citation = blocks.citation_from_normal(event.citation, self.asked.losses) }, put)
end

local function close(self, put)
  self.closed = true
  start(self, nil, put)
  self.order:finish(put)
  local finish = self.finish_of or { reason = "stop" }
  local losses = self.asked.losses
  local reason = blocks.finish_from_normal(finish, self.has_refusal, losses)
  put(gw.aws_event("messageStop", json.encode({ stopReason = reason,
    additionalModelResponseFields = blocks.fields_from_normal(finish) })))
  put(gw.aws_event("metadata", json.encode({ usage = blocks.usage_from_normal(self.usage, losses),
    metrics = { latencyMs = gw.now_ms() - self.started_ms } })))
end

local exception_of_status = {
  [400] = "validationException", [401] = "validationException", [403] = "validationException",
  [404] = "validationException", [408] = "modelStreamErrorException", [424] = "modelStreamErrorException",
  [429] = "throttlingException", [503] = "serviceUnavailableException", [529] = "serviceUnavailableException",
}

-- The exception that ends a stream. ConverseStream has five: internalServer, modelStreamError, validation, throttling
-- and serviceUnavailable.
function M.exception(err)
  local name = exception_of_status[err.status] or err.status >= 500 and "internalServerException"
    or "validationException"
  return gw.aws_event(name, json.encode({ message = err.message }))
end

W.event, W.finish = stream_writer.of_one_answer { write = write, start = start, close = close, starts_first = true,
  choices = "choices[](more than 1)" }

function W:stencil(event)
  local item = self.order:flowing(event, self.calls)
  if item then
    return { before = item.head, after = item.tail, aws_type = "contentBlockDelta", keeps_text = item.kind == "tool" }
  end
end

W.passed = block_writer.passed

return M
