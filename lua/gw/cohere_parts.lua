-- cohere.chat: messages, their content and documents, to and from the normal form. Facts and quirks: see
-- adapters/dialects/cohere_chat.lua. What only answers have is in lua/gw/cohere_answer.lua.
-- It does not know about requests as a whole.

local parts = require("gw.parts")

local json = gw.json
local value, optional, required, lose, fail = parts.value, parts.optional, parts.required, parts.lose, parts.fail
local array = json.array

local M = {}

local dialect = "cohere.chat"

----- documents

local plain_text_fields = { text = true, snippet = true, content = true }

-- The text and the title of a document's fields: of one text field beside the title, else all of them as the JSON that
-- they came as, whose numbers are exact.
local function document_text(fields)
  local known = json.decode(json.text(fields))
  local rest = parts.rest(known, { title = true }) or {}
  local only = next(rest)
  if only and next(rest, only) == nil and plain_text_fields[only] and type(rest[only]) == "string" then
    return rest[only], type(known.title) == "string" and known.title or nil
  end
  return json.text(fields), nil
end

-- A string, or { id, data }; `body` keeps it as the client wrote it.
function M.document_to_normal(document, field)
  local part = { type = "document", dialect = dialect, body = document, at = field, citations_enabled = true }
  if type(document) == "string" then
    part.text = document
    return part
  end
  parts.or_text(document, "object", field)
  optional(document.id, "string", field, ".id")
  local fields = value(document.data)
  if type(fields) == "string" then
    part.text = fields
    return part
  end
  if fields == nil then parts.or_text(fields, "object", field, ".data") end
  if not (json.is_raw(fields) and json.text(fields):find("^%s*{")) then
    fail(field .. ".data", "must be a string or an object")
  end
  part.text, part.title = document_text(fields)
  return part
end

-- `number` counts the documents of the request; it makes the id of those that have none.
function M.document_from_normal(part, number)
  if part.dialect == dialect then return part.body end
  if part.file_id then
    fail(part.at or "messages", "the document is a file id; it belongs to another provider and cannot be sent here")
  end
  if not part.text then fail(part.at or "messages", "this provider takes documents only as text") end
  return { id = "doc:" .. number, data = { text = part.text, title = part.title, context = part.context } }
end

----- messages, Cohere → normal

local function image_part(item, field)
  local image = value(item.image_url)
  local url, detail = image, nil
  if type(image) ~= "string" then
    parts.or_text(image, "object", field, ".image_url")
    url = required(image.url, "string", field, ".image_url.url")
    detail = optional(image.detail, "string", field, ".image_url.detail")
  end
  local media_type, bytes = parts.data_url(url)
  if media_type then return { type = "image", media_type = media_type, bytes = bytes, detail = detail, at = field } end
  return { type = "image", url = url, detail = detail, at = field }
end

local read = {
  text = function(item, field) return { type = "text", text = required(item.text, "string", field, ".text") } end,
  thinking = function(item, field)
    return { type = "thinking", text = required(item.thinking, "string", field, ".thinking") }
  end,
  image_url = image_part,
  document = function(item, field)
    return M.document_to_normal(value(item.document), field .. ".document")
  end,
}

-- Reads a string or a list of content items into `into`. Returns the parts by the index of their item.
local function add_content(content, field, into)
  local by_item = {}
  content = value(content)
  if content == nil then return by_item end
  if type(content) == "string" then
    if content ~= "" then into[#into + 1] = { type = "text", text = content } end
    return by_item
  end
  for i, item in ipairs(parts.or_text(content, "array", field)) do
    local path = field .. "[" .. (i - 1) .. "]"
    local kind = required(required(item, "object", path).type, "string", path, ".type")
    local reader = read[kind]
    local part = reader and reader(item, path)
      or { type = "opaque", kind = kind, dialect = dialect, body = item, at = path }
    if part.text ~= "" then
      by_item[i - 1] = part
      into[#into + 1] = part
    end
  end
  return by_item
end

local function add_calls(calls, field, into, is_answer)
  for i, call in ipairs(optional(calls, "array", field) or {}) do
    local path = field .. "[" .. (i - 1) .. "]"
    optional(required(call, "object", path).type, "string", path, ".type")
    local fn = required(call["function"], "object", path, ".function")
    local id = optional(call.id, "string", path, ".id")
    -- In history it must be the same each time the history is sent; no two answers may share one.
    if not id or is_answer and id == "" then id = is_answer and gw.id("call_") or "call_" .. i end
    local part = { type = "tool_call", at = path, id = id,
      name = required(fn.name, "string", path, ".function.name") }
    into[#into + 1] =
      parts.set_arguments(part, optional(fn.arguments, "string", path, ".function.arguments") or "")
    into.has_calls = true
  end
end

-- All parts of an assistant message: thinking, the tool plan (which is thinking too), the other content, calls. Returns
-- also the parts by the index of their content item.
function M.message_parts(message, field, is_answer)
  local content, found = {}, {}
  local by_item = add_content(message.content, field .. ".content", content)
  local plan = optional(message.tool_plan, "string", field, ".tool_plan")
  for _, part in ipairs(content) do
    if part.type == "thinking" then found[#found + 1] = part end
  end
  if plan and plan ~= "" then found[#found + 1] = { type = "thinking", text = plan, plan = true } end
  for _, part in ipairs(content) do
    if part.type ~= "thinking" then found[#found + 1] = part end
  end
  add_calls(message.tool_calls, field .. ".tool_calls", found, is_answer)
  return found, by_item
end

local message_fields = { role = true, content = true, tool_calls = true, tool_plan = true, tool_call_id = true }

local function result_part(message, field)
  local inner = {}
  add_content(message.content, field .. ".content", inner)
  return { type = "tool_result", id = required(message.tool_call_id, "string", field, ".tool_call_id"),
    parts = inner, at = field }
end

-- Reads body.messages into request.system and request.messages. Tool messages that follow each other become one user
-- message.
function M.messages_to_normal(messages, request)
  local system, list, results = {}, {}, nil
  for i, message in ipairs(messages) do
    local field = "messages[" .. (i - 1) .. "]"
    local role = required(required(message, "object", field).role, "string", field, ".role")
    if role == "tool" then
      if not results then
        results = { role = "user", parts = {}, at = field }
        list[#list + 1] = results
      end
      results.parts[#results.parts + 1] = result_part(message, field)
    else
      results = nil
      local normal = { role = role, at = field, extra = parts.rest(message, message_fields) }
      if role == "assistant" then
        normal.parts = M.message_parts(message, field)
      elseif role == "user" or role == "system" then
        normal.parts = {}
        add_content(message.content, field .. ".content", normal.parts)
      else
        fail(field .. ".role", "must be system, user, assistant or tool, not \"" .. role .. "\"")
      end
      if role == "system" and #list == 0 then system[#system + 1] = normal else list[#list + 1] = normal end
    end
  end
  if #system > 0 then request.system = system end
  request.messages = list
end

-- Puts the request's documents in front of its last user message, where other dialects have them.
function M.documents_to_normal(documents, request)
  local read_ones = {}
  for i, document in ipairs(documents) do
    read_ones[i] = M.document_to_normal(document, "documents[" .. (i - 1) .. "]")
  end
  if #read_ones == 0 then return end
  for i = #request.messages, 1, -1 do
    local message = request.messages[i]
    if message.role == "user" and not (message.parts[1] and message.parts[1].type == "tool_result") then
      for at, part in ipairs(read_ones) do table.insert(message.parts, at, part) end
      return
    end
  end
  table.insert(request.messages, { role = "user", parts = read_ones })
end

----- messages, normal → Cohere
-- how = { rename, quirks, losses, documents }; documents: the list that the request's documents go to.

local function content_item(part, how)
  local kind = part.type
  if part.cache then lose(how.losses, "cache_control") end
  if kind == "text" or kind == "refusal" then
    if part.citations then lose(how.losses, "messages[].content[].citations") end
    return { type = "text", text = part.text }
  end
  if kind == "image" then
    if part.file_id then
      fail(part.at or "messages", "the image is a file id; it belongs to another provider and cannot be sent here")
    end
    return { type = "image_url", image_url = { detail = part.detail,
      url = part.url or "data:" .. part.media_type .. ";base64," .. part.bytes } }
  end
  if kind == "audio" then fail(part.at or "messages", "is audio, which this provider does not take") end
  if kind == "opaque" and part.dialect == dialect then return part.body end
  lose(how.losses, "messages[].content[](" .. (part.kind or kind) .. ")")
  return nil
end

-- A string where one text says it all, a list of items otherwise.
local function content_from_items(items)
  if #items == 0 then return "" end
  if #items == 1 and items[1].type == "text" then return items[1].text end
  return items
end

local function add_document(part, how)
  if part.cache then lose(how.losses, "cache_control") end
  how.documents[#how.documents + 1] = M.document_from_normal(part, #how.documents)
end

local function document_as_text(part, how)
  if part.cache then lose(how.losses, "cache_control") end
  if not part.text then M.document_from_normal(part, 0) end
  lose(how.losses, "messages[].content[](document sent as text)")
  return { type = "text", text = (part.title and part.title .. "\n\n" or "")
    .. (part.context and part.context .. "\n\n" or "") .. part.text }
end

-- Documents of a user message go into the request's documents. In a message of nothing else they stay, as text: there
-- must be something to answer.
local function user_content(list, how)
  local items, has_question = array({}), false
  for _, part in ipairs(list) do has_question = has_question or part.type ~= "document" end
  for _, part in ipairs(list) do
    if part.type ~= "document" then
      items[#items + 1] = content_item(part, how)
    elseif has_question then
      add_document(part, how)
    else
      items[#items + 1] = document_as_text(part, how)
    end
  end
  return content_from_items(items)
end

local function mark_error(items, how)
  lose(how.losses, "messages[].content[].is_error(sent as text)")
  local first = items[1]
  if not first or first.type ~= "text" then
    table.insert(items, 1, { type = "text", text = "Error:" })
  elseif first.text:sub(1, 5):lower() ~= "error" then
    first.text = "Error: " .. first.text
  end
end

local function result_from_part(part, how, after)
  local items = array({})
  if part.cache then lose(how.losses, "cache_control") end
  for _, inner in ipairs(part.parts) do
    if inner.type == "text" then
      items[#items + 1] = content_item(inner, how)
    elseif inner.type == "document" and inner.text then
      items[#items + 1] = { type = "document",
        document = M.document_from_normal(inner, part.id .. ":" .. #items) }
    elseif inner.type == "image" or inner.type == "document" then
      lose(how.losses, "messages[].content[].tool_result(" .. inner.type .. " moved into the next user message)")
      after[#after + 1] = inner
    else
      lose(how.losses, "messages[].content[].tool_result(" .. (inner.kind or inner.type) .. ")")
    end
  end
  if part.is_error then mark_error(items, how) end
  return { role = "tool", tool_call_id = parts.call_id(part.id, how.quirks), content = content_from_items(items) }
end

local function user_from_normal(message, how, out)
  local after, rest = {}, {}
  for _, part in ipairs(message.parts) do
    if part.type == "tool_result" then
      out[#out + 1] = result_from_part(part, how, after)
    else
      rest[#rest + 1] = part
    end
  end
  table.move(rest, 1, #rest, #after + 1, after)
  if #after == 0 and #rest < #message.parts then return nil end
  return { role = "user", content = user_content(after, how) }
end

-- Models that do not think take their earlier words about calls as the plan of those calls.
local function add_thinking(part, items, plans, how, has_calls)
  if part.cache then lose(how.losses, "cache_control") end
  if part.redacted then return lose(how.losses, "messages[].redacted_thinking") end
  if part.signature then lose(how.losses, "messages[].thinking.signature") end
  if part.text == "" then return end
  if part.plan or has_calls and how.quirks.thinking == "none" then
    plans[#plans + 1] = part.text
  elseif how.quirks.reasoning_history == "none" then
    lose(how.losses, "messages[].thinking")
  else
    items[#items + 1] = { type = "thinking", thinking = part.text }
  end
end

local function add_call(part, sent, how)
  if part.cache then lose(how.losses, "cache_control") end
  sent.tool_calls = sent.tool_calls or array({})
  table.insert(sent.tool_calls, { id = parts.call_id(part.id, how.quirks), type = "function",
    ["function"] = { name = how.rename(part.name), arguments = parts.arguments_text(part) } })
end

local function assistant_from_normal(message, how)
  local sent, items, plans, texts, has_calls = { role = "assistant" }, array({}), {}, {}, false
  for _, part in ipairs(message.parts) do has_calls = has_calls or part.type == "tool_call" end
  for _, part in ipairs(message.parts) do
    if part.type == "tool_call" then
      add_call(part, sent, how)
    elseif part.type == "thinking" then
      add_thinking(part, items, plans, how, has_calls)
    else
      local item = content_item(part, how)
      if item and item.type ~= "text" then
        items[#items + 1] = item
      elseif item then
        texts[#texts + 1] = item.text
      end
    end
  end
  local text = table.concat(texts)
  if text ~= "" then items[#items + 1] = { type = "text", text = text } end
  if #plans > 0 then sent.tool_plan = table.concat(plans) end
  if #items > 0 then sent.content = content_from_items(items) end
  -- A turn without anything in it is refused by the API, and says nothing.
  if not sent.content and not has_calls and not sent.tool_plan then return nil end
  return sent
end

local function system_from_normal(message, how)
  local items = array({})
  for _, part in ipairs(message.parts) do
    if part.billing then
      lose(how.losses, "system[](billing header)")
    elseif part.type == "document" then
      add_document(part, how)
    else
      items[#items + 1] = content_item(part, how)
    end
  end
  if #items == 0 then return nil end
  return { role = "system", content = content_from_items(items) }
end

function M.messages_from_normal(request, how)
  local out = array({})
  local function add(message)
    local sent
    if message.role == "assistant" then
      sent = assistant_from_normal(message, how)
    elseif message.role == "user" then
      sent = user_from_normal(message, how, out)
    else
      sent = system_from_normal(message, how)
    end
    if message.parts.citations then lose(how.losses, "messages[].content[].citations") end
    if message.name then lose(how.losses, "messages[].name") end
    if request.dialect ~= dialect then
      parts.lose_fields(how.losses, message.extra, "messages[].")
    elseif sent then
      for name, v in pairs(message.extra or {}) do sent[name] = v end
    end
    out[#out + 1] = sent
  end
  for _, message in ipairs(request.system or {}) do add(message) end
  for _, message in ipairs(request.messages) do add(message) end
  return out
end

return M
