-- What dialects do alike with the tools of a normal request on the way out: tools that the provider runs itself, the
-- names that tool_choice leaves, and fields that only the client's dialect knows. For the dialect files.
-- It does not know how a tool is written, nor how tool_choice is.

local parts = require("gw.parts")

local lose = parts.lose

local M = {}

-- A tool of kind "server" for a provider that speaks `dialect`: as the client wrote it; nil, a loss, where the client
-- speaks another.
function M.server_tool(tool, dialect, losses)
  if tool.dialect == dialect then return tool.body end
  lose(losses, "tools[](" .. tool.name .. ")")
  return nil
end

-- { [name] = true } of the tools that may be sent, where the provider cannot be told of fewer; nil: all of them.
function M.allowed_names(request, losses)
  local names = request.tool_choice and request.tool_choice.names
  if not names then return nil end
  local allowed = {}
  for _, name in ipairs(names) do allowed[name] = true end
  lose(losses, "tool_choice.allowed_tools(other tools left out)")
  return allowed
end

-- Fields of the tool's definition without a place in the normal form go back into their own dialect only.
function M.add_extra(sent, tool, is_own, losses)
  if not is_own then return parts.lose_fields(losses, tool.extra, "tools[].") end
  for name, v in pairs(tool.extra or {}) do sent[name] = v end
end

return M
