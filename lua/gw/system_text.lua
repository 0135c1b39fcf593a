-- System text for dialects that have one place for it, beside the messages: anthropic.messages, bedrock.converse and
-- gemini. What a request says later, as a message of its own, moves there.
-- It does not know how a block is written.

local parts = require("gw.parts")

local array = gw.json.array
local lose = parts.lose

local M = {}

-- Calls add(message) for each message of system text, in their order.
function M.each(request, losses, add)
  for _, message in ipairs(request.system or {}) do add(message) end
  for _, message in ipairs(request.messages) do
    if message.role == "system" or message.role == "developer" then
      lose(losses, "messages[].role(late system text moved to the top)")
      add(message)
    end
  end
end

-- All of it as blocks, and the request for JSON, for which these dialects have no field. blocks_from_parts(parts, how)
-- makes the blocks of one message; `kind`: the type of a block of text, where it has one.
function M.blocks(request, is_own, how, blocks_from_parts, kind)
  local list, losses = array({}), how.losses
  M.each(request, losses, function(message)
    for _, block in ipairs(blocks_from_parts(message.parts, how)) do list[#list + 1] = block end
    if message.name then lose(losses, "messages[].name") end
    if not is_own then parts.lose_fields(losses, message.extra, "messages[].") end
  end)
  if request.format and request.format.kind == "json" then
    lose(losses, "response_format(json_object asked for in the system prompt)")
    list[#list + 1] = { type = kind, text = "Answer with one JSON object and nothing else." }
  end
  return list
end

return M
