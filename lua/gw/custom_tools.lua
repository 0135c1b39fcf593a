-- Custom tools of OpenAI's two APIs: the model calls them with free text. To other dialects such a tool is a function
-- with one argument, `input`; what the model gives it becomes free text again for the client.
-- A request in the normal form names them in `custom_tools`, { [name] = true }, and so does `asked` for its answer.

local parts = require("gw.parts")

local json = gw.json

local M = {}

M.schema = '{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],'
  .. '"additionalProperties":false}'

-- Free text as arguments.
function M.arguments(input)
  return json.raw('{"input":' .. json.text(input) .. "}")
end

-- The free text out of arguments of a call; arguments of any other shape stay as they are.
function M.input(part)
  local text = parts.arguments_text(part)
  local object = json.decode(text)
  local input = type(object) == "table" and object.input
  if type(input) == "string" then return input end
  return text
end

-- Fields of a definition that other dialects cannot be told; free text is what they all give.
function M.extra(definition)
  local extra = parts.rest(definition, { type = true, name = true, description = true })
  local format = extra and extra.format
  if type(format) == "table" and format.type == "text" then extra.format = nil end
  return extra
end

-- Notes that the request has such a tool.
function M.note(request, name)
  request.custom_tools = request.custom_tools or {}
  request.custom_tools[name] = true
end

-- Did the client declare the tool as one of these?
function M.is_custom(asked, name)
  return asked.custom_tools ~= nil and asked.custom_tools[name] == true
end

return M
