-- What the stream writers do alike whose protocol has one content block open at a time: which item of
-- lua/gw/block_order.lua a normal event belongs to. anthropic.messages and bedrock.converse take all of it, cohere.chat
-- what it says about calls.
--
-- The writer has the fields order (a block_order), calls (items by the index of the call), asked and has_refusal.
-- It does not know how an item looks: that is the dialect's renderer.

local parts = require("gw.parts")

local M = {}

local write = {}

function write.text(writer, event, put)
  if event.logprobs then parts.lose(writer.asked.losses, "choices[].logprobs") end
  writer.order:append("text", event.text, put)
end

function write.refusal(writer, event, put)
  writer.has_refusal = true
  writer.order:append("text", event.text, put)
end

function write.thinking(writer, event, put)
  writer.order:append("thinking", event.text, put)
end

function write.part_stop(writer, _, put)
  writer.order:stop_last(put)
end

write.restart = write.part_stop

function write.tool_start(writer, event, put)
  local names = writer.asked.tool_names
  local item = { kind = "tool", id = event.id, name = names and names[event.name] or event.name }
  writer.calls[event.index] = item
  writer.order:add(item, put)
end

function write.tool_delta(writer, event, put)
  writer.order:piece(writer.calls[event.index], event.arguments, put)
end

function write.tool_stop(writer, event, put)
  writer.order:stop(writer.calls[event.index], put)
end

-- Functions by the type of event, for lua/gw/stream_writer.lua; the caller adds its own to the table, which is its own.
function M.handlers()
  local copy = {}
  for kind, handle in pairs(write) do copy[kind] = handle end
  return copy
end

-- The method `passed`, see lua/gw/translate.lua.
function M.passed(writer, event, _, _, text)
  writer.order:passed(event, writer.calls, text)
end

return M
