-- What the stream readers of anthropic.messages and bedrock.converse do alike: both protocols have numbered content
-- blocks that begin, grow and stop.
--
--   reader.open[number] = { index }             a call, under the index that it has in normal events
--                         { block, pieces }     what only its dialect knows; pieces: the text of its input so far
--                         {}                    text or thinking
-- It does not know the names of either protocol.

local M = {}

-- A reader with these fields of its own, in front of its methods.
function M.new(fields, methods)
  fields.text_event = { type = "text" }
  fields.thinking_event = { type = "thinking" }
  fields.delta_event = { type = "tool_delta" }
  fields.open, fields.call_count, fields.started, fields.ended = {}, 0, false, false
  return setmetatable(fields, methods)
end

local function emit_text(reader, text, emit)
  local event = reader.text_event
  event.text = text
  emit(event)
end
M.emit_text = emit_text

local function emit_thinking(reader, text, emit)
  local event = reader.thinking_event
  event.text = text
  emit(event)
end
M.emit_thinking = emit_thinking

local function emit_arguments(reader, index, text, emit)
  local event = reader.delta_event
  event.index, event.arguments = index, text
  emit(event)
end
M.emit_arguments = emit_arguments

-- Makes an open block a call.
function M.start_call(reader, open, id, name, emit)
  open.index = reader.call_count
  reader.call_count = open.index + 1
  emit({ type = "tool_start", index = open.index, id = id, name = name })
end

-- A piece of an open block's input.
function M.add_input(reader, open, text, emit)
  if open.index then
    emit_arguments(reader, open.index, text, emit)
  elseif open.pieces then
    open.pieces[#open.pieces + 1] = text
  end
end

-- A block has stopped. Returns it when only its dialect knows what it is; of all others it is told.
function M.stop(reader, number, emit)
  local open = reader.open[number]
  if open then reader.open[number] = nil end
  if open and open.block then return open end
  if open and open.index then
    emit({ type = "tool_stop", index = open.index })
  else
    emit({ type = "part_stop" })
  end
  return nil
end

-- The method `delta`, see lua/gw/translate.lua. place: the number of the block.
function M.delta(reader, kind, text, place, _, _, emit)
  if reader.ended then return nil end
  if kind == "text" then
    emit_text(reader, text, emit)
    return reader.text_event
  elseif kind == "thinking" then
    emit_thinking(reader, text, emit)
    return reader.thinking_event
  end
  local open = reader.open[place]
  if not open or not open.index then return nil end
  emit_arguments(reader, open.index, text, emit)
  return reader.delta_event
end

-- The method `passed`: nothing of what goes by is kept.
function M.passed()
end

return M
