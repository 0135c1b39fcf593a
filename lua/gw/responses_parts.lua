-- openai.responses: input items and their content, to and from the messages of the normal form. Facts and quirks: see
-- adapters/dialects/openai_responses.lua; answers are in lua/gw/responses_answer.lua.
--
-- An input is a flat list; the normal form has turns. What the model said between two inputs is one assistant message:
--
--   reasoning*, message(assistant)*, function_call* …   ─▶ one assistant message: thinking, text, tool_call …
--   function_call_output*                               ─▶ one user message of tool results
--   message(user), message(system | developer)          ─▶ a message each
--
-- It does not know about requests as a whole.

local content_list = require("gw.content_list")
local custom_tools = require("gw.custom_tools")
local parts = require("gw.parts")
local seals = require("gw.seals")

local json = gw.json
local value, optional, required, lose, fail = parts.value, parts.optional, parts.required, parts.lose, parts.fail
local array = json.array

local M = {}

M.dialect = "openai.responses"
-- Whose signatures stand in encrypted_content without a name before them.
M.own_signer = "openai"

local dialect = M.dialect

----- content, Responses → normal

-- `before`: characters of the answer before the text that the annotation belongs to.
function M.citation_to_normal(annotation, before)
  local kind, from, to = value(annotation.type) or "unknown", annotation.start_index, annotation.end_index
  return { type = kind == "url_citation" and "url" or kind, url = value(annotation.url),
    title = value(annotation.title) or value(annotation.filename),
    start_index = type(from) == "number" and from + before or nil,
    end_index = type(to) == "number" and to + before or nil, dialect = dialect, body = annotation }
end

function M.characters(text)
  return utf8.len(text) or #text
end

local function characters_of(list)
  local count = 0
  for _, part in ipairs(list) do
    if part.type == "text" then count = count + M.characters(part.text) end
  end
  return count
end

local function text_part(part, field, before)
  local normal = { type = "text", text = required(part.text, "string", field, ".text") }
  local annotations = parts.objects(part.annotations, field .. ".annotations")
  if #annotations > 0 then
    normal.citations = {}
    local shift = characters_of(before)
    for i, annotation in ipairs(annotations) do normal.citations[i] = M.citation_to_normal(annotation, shift) end
  end
  return normal
end

local function image_part(part, field)
  local detail = optional(part.detail, "string", field, ".detail")
  local url = value(part.image_url)
  if type(url) == "table" then url = required(url.url, "string", field, ".image_url.url") end
  if url == nil then
    return { type = "image", file_id = required(part.file_id, "string", field, ".file_id"), dialect = dialect,
      detail = detail, at = field }
  end
  local media_type, bytes = parts.data_url(required(url, "string", field, ".image_url"))
  if media_type == "application/pdf" then
    return { type = "document", media_type = media_type, bytes = bytes, at = field }
  end
  if media_type then return { type = "image", media_type = media_type, bytes = bytes, detail = detail, at = field } end
  return { type = "image", url = url, detail = detail, at = field }
end

local function file_part(part, field)
  local title = optional(part.filename, "string", field, ".filename")
  if value(part.file_id) then
    return { type = "document", file_id = required(part.file_id, "string", field, ".file_id"), dialect = dialect,
      title = title, at = field }
  end
  if value(part.file_url) then
    return { type = "document", url = required(part.file_url, "string", field, ".file_url"), title = title,
      at = field }
  end
  local bytes = required(part.file_data, "string", field, ".file_data")
  local media_type, base64 = parts.data_url(bytes)
  return { type = "document", media_type = media_type or "application/pdf", bytes = base64 or bytes, title = title,
    at = field }
end

local function audio_part(part, field)
  local audio = required(part.input_audio, "object", field, ".input_audio")
  return { type = "audio", bytes = required(audio.data, "string", field, ".input_audio.data"),
    format = optional(audio.format, "string", field, ".input_audio.format"), at = field }
end

local part_readers = {
  input_text = text_part, output_text = text_part, text = text_part,
  refusal = function(part, field)
    return { type = "refusal", text = required(part.refusal, "string", field, ".refusal") }
  end,
  input_image = image_part,
  input_file = file_part,
  input_audio = audio_part,
}

-- A string or a list of content parts, into the list of normal parts.
M.add_content = content_list.reader { dialect = dialect, read = part_readers, mark = function(normal, part)
  if value(part.prompt_cache_breakpoint) then normal.cache = { type = "ephemeral" } end
end }

----- items that requests and answers share

local function texts_of(list, field)
  local texts = {}
  for i, part in ipairs(parts.objects(list, field)) do
    local text = optional(part.text, "string", field .. "[" .. (i - 1) .. "].text")
    if text and text ~= "" then texts[#texts + 1] = text end
  end
  return texts
end

local redacted_tail = "/redacted"

-- What encrypted_content holds: the signature or data, its signer, and whether it is redacted thinking.
function M.open_seal(text, signer)
  local signature, signed_by = seals.open(text, signer or M.own_signer)
  if signed_by:sub(-#redacted_tail) == redacted_tail then
    return signature, signed_by:sub(1, -#redacted_tail - 1), true
  end
  return signature, signed_by, false
end

function M.close_seal(signature, signed_by, is_redacted)
  signed_by = signed_by or "unknown"
  -- OpenAI's own hidden reasoning is an item without a summary; that says enough.
  if is_redacted and signed_by ~= M.own_signer then signed_by = signed_by .. redacted_tail end
  return seals.close(signature, signed_by, M.own_signer)
end

-- A reasoning item: one thinking part for each piece of its text, the last of them signed. `signer`: who signs what
-- carries no name of its own.
function M.add_reasoning(item, field, signer, into)
  -- Some servers repeat the text as a summary; the full text says more.
  local texts = texts_of(item.content, field .. ".content")
  if #texts == 0 then texts = texts_of(item.summary, field .. ".summary") end
  local sealed = optional(item.encrypted_content, "string", field, ".encrypted_content")
  for _, text in ipairs(texts) do into[#into + 1] = { type = "thinking", text = text } end
  if not sealed or sealed == "" then return end
  local signature, signed_by, is_redacted = M.open_seal(sealed, signer)
  local id = optional(item.id, "string", field, ".id")
  if #texts > 0 then
    local last = into[#into]
    last.signature, last.signed_by, last.item_id = signature, signed_by, id
  elseif is_redacted or signed_by == (signer or M.own_signer) then
    into[#into + 1] = { type = "thinking", redacted = true, data = signature, signed_by = signed_by, item_id = id }
  else
    into[#into + 1] = { type = "thinking", text = "", signature = signature, signed_by = signed_by, item_id = id }
  end
end

M.custom_arguments, M.custom_input, M.custom_schema = custom_tools.arguments, custom_tools.input, custom_tools.schema
M.custom_extra = custom_tools.extra

local function add_call(item, field, into)
  local part = { type = "tool_call", at = field, id = required(item.call_id, "string", field, ".call_id"),
    name = required(item.name, "string", field, ".name"), namespace = value(item.namespace) }
  into[#into + 1] = parts.set_arguments(part, optional(item.arguments, "string", field, ".arguments") or "")
end

local function add_custom_call(item, field, into)
  into[#into + 1] = { type = "tool_call", custom = true, at = field,
    id = required(item.call_id, "string", field, ".call_id"), name = required(item.name, "string", field, ".name"),
    arguments = M.custom_arguments(optional(item.input, "string", field, ".input") or "") }
end

-- Items of the model's turn, in requests and in answers.
M.read_item = {
  message = function(item, field, _, into) M.add_content(item.content, field .. ".content", into) end,
  reasoning = function(item, field, signer, into) M.add_reasoning(item, field, signer, into) end,
  function_call = function(item, field, _, into) add_call(item, field, into) end,
  custom_tool_call = function(item, field, _, into) add_custom_call(item, field, into) end,
}

----- items, Responses → normal

-- The turn that goes on, where it is of this kind, or a new one.
local function turn_of(state, kind, role, field)
  local turn = state[kind]
  if not turn then
    turn = { role = role, parts = {}, at = field }
    state.list[#state.list + 1] = turn
  end
  state.assistant, state.results = nil, nil
  state[kind] = turn
  return turn
end

local function assistant_turn(state, field) return turn_of(state, "assistant", "assistant", field) end

local function results_turn(state, field) return turn_of(state, "results", "user", field) end

local roles = { user = true, system = true, developer = true }

local read = {}

function read.message(state, item, field)
  local role = required(item.role, "string", field, ".role")
  if value(item.content) == nil then fail(field .. ".content", "is missing; it must be a string or an array") end
  if role == "assistant" then
    local turn = assistant_turn(state, field)
    M.read_item.message(item, field, nil, turn.parts)
    local phase = optional(item.phase, "string", field, ".phase")
    if phase then turn.extra = { phase = phase } end
    return
  end
  if not roles[role] then
    fail(field .. ".role", "must be user, assistant, system or developer, not \"" .. role .. "\"")
  end
  state.assistant, state.results = nil, nil
  local message = { role = role, at = field, parts = M.add_content(item.content, field .. ".content", {}) }
  local list = role ~= "user" and #state.list == 0 and state.system or state.list
  list[#list + 1] = message
end

for _, kind in ipairs { "reasoning", "function_call", "custom_tool_call" } do
  read[kind] = function(state, item, field)
    local turn = assistant_turn(state, field)
    M.read_item[kind](item, field, nil, turn.parts)
    local last = turn.parts[#turn.parts]
    if last and last.namespace then turn.extra = { namespace = last.namespace } end
  end
end

function read.function_call_output(state, item, field)
  local turn = results_turn(state, field)
  if value(item.output) == nil then fail(field .. ".output", "is missing; it must be a string or an array") end
  turn.parts[#turn.parts + 1] = { type = "tool_result", at = field,
    id = required(item.call_id, "string", field, ".call_id"), custom = item.type == "custom_tool_call_output" or nil,
    parts = M.add_content(item.output, field .. ".output", {}) }
end
read.custom_tool_call_output = read.function_call_output

function read.item_reference(_, _, field)
  fail(field, "refers to an item that this gateway does not keep for this key (any more); send the item itself, as "
    .. "client libraries do when told `store = false`")
end

function read.compaction(_, _, field)
  fail(field, "holds earlier turns in a form that only the provider that made it can read; send the turns themselves")
end

-- Input as a string or a list of items → state.system, state.list.
function M.items_to_normal(input, system)
  local state = { system = system, list = {} }
  if type(input) == "string" then
    state.list[1] = { role = "user", parts = M.add_content(input, "input", {}), at = "input" }
    return state.list
  end
  for i, item in ipairs(parts.or_text(input, "array", "input")) do
    local field = "input[" .. (i - 1) .. "]"
    local kind = optional(required(item, "object", field).type, "string", field, ".type") or "message"
    local handle = read[kind]
    if handle then
      handle(state, item, field)
    else
      local is_input = kind:find("_output$") or kind:find("_response$")
      local turn = is_input and results_turn(state, field) or assistant_turn(state, field)
      turn.parts[#turn.parts + 1] = { type = "opaque", kind = kind, dialect = dialect, body = item, at = field }
    end
  end
  return state.list
end

----- normal → Responses
-- how = { rename, quirks, losses, is_own, signer }

local write = {}

function write.text(part, how)
  if part.citations and not how.is_own then lose(how.losses, "messages[].content[].citations") end
  return { type = "input_text", text = part.text }
end
write.refusal = function(part) return { type = "input_text", text = part.text } end

local function refuse_file(part)
  fail(part.at or "messages", "the " .. part.type .. " is a file id; it belongs to another provider and cannot be sent "
    .. "here")
end

function write.image(part)
  local sent = { type = "input_image", detail = part.detail }
  if part.file_id then
    if part.dialect ~= dialect then refuse_file(part) end
    sent.file_id = part.file_id
  else
    sent.image_url = part.url or "data:" .. part.media_type .. ";base64," .. part.bytes
  end
  return sent
end

function write.document(part, how)
  if part.citations_enabled then lose(how.losses, "messages[].content[].citations") end
  if part.context then lose(how.losses, "messages[].content[].context") end
  if parts.is_video(part) then fail(part.at or "messages", "is video, which this provider does not take") end
  if part.text then
    lose(how.losses, "messages[].content[](document sent as text)")
    return { type = "input_text", text = part.title and part.title .. "\n\n" .. part.text or part.text }
  end
  if part.file_id then
    if part.dialect ~= dialect then refuse_file(part) end
    return { type = "input_file", file_id = part.file_id, filename = part.title }
  end
  if part.url then
    if part.title then lose(how.losses, "messages[].content[].title") end
    return { type = "input_file", file_url = part.url }
  end
  return { type = "input_file", filename = parts.file_name(part),
    file_data = "data:" .. part.media_type .. ";base64," .. part.bytes }
end

function write.audio(part)
  return { type = "input_audio", input_audio = { data = part.bytes, format = part.format or "wav" } }
end

local function mark_cache(sent, cache, how)
  if not how.quirks.cache_breakpoints then return lose(how.losses, "cache_control") end
  sent.prompt_cache_breakpoint = { mode = "explicit" }
  if cache.ttl then lose(how.losses, "cache_control.ttl") end
end

local function content_part(part, how)
  if part.type == "opaque" and part.dialect == dialect then return part.body end
  local handle = write[part.type]
  if not handle then return lose(how.losses, "messages[].content[](" .. (part.kind or part.type) .. ")") end
  local sent = handle(part, how)
  if part.cache then mark_cache(sent, part.cache, how) end
  return sent
end

-- A string where one plain text says it all, a list of parts otherwise.
local function content_from_parts(list, how)
  local sent = array({})
  for _, part in ipairs(list) do sent[#sent + 1] = content_part(part, how) end
  if #sent == 0 then return "" end
  if #sent == 1 and sent[1].type == "input_text" and not sent[1].prompt_cache_breakpoint then return sent[1].text end
  return sent
end
M.content_from_parts = content_from_parts

local function output_from_result(part, how)
  local output = content_from_parts(part.parts, how)
  if part.is_error then
    lose(how.losses, "messages[].content[].is_error(sent as text)")
    if type(output) == "string" then
      if output:sub(1, 5):lower() ~= "error" then output = "Error: " .. output end
    else
      table.insert(output, 1, { type = "input_text", text = "Error:" })
    end
  end
  if part.cache then lose(how.losses, "cache_control") end
  return { type = part.custom and "custom_tool_call_output" or "function_call_output",
    call_id = parts.call_id(part.id, how.quirks), output = output }
end

local function user_items(message, how, out)
  local rest = {}
  for _, part in ipairs(message.parts) do
    if part.type == "tool_result" then
      out[#out + 1] = output_from_result(part, how)
    elseif part.type == "opaque" and part.dialect == dialect and not part.kind:find("^input_") then
      out[#out + 1] = part.body
    else
      rest[#rest + 1] = part
    end
  end
  if #rest > 0 then
    out[#out + 1] = { type = "message", role = "user", content = content_from_parts(rest, how) }
  end
end

-- Thinking without a signature: summaries of the signed part that follows, or, where none does, shown text that only
-- some servers take back.
local function drop_unsigned(how, out)
  local pending = how.unsigned
  how.unsigned = {}
  for _, part in ipairs(pending) do
    if how.quirks.reasoning_history == "text" then
      out[#out + 1] = { type = "reasoning", summary = array({}),
        content = array({ { type = "reasoning_text", text = part.text } }) }
    else
      lose(how.losses, "messages[].thinking(unsigned)")
    end
  end
end

local function thinking_item(part, how, out)
  if not part.redacted and not part.signature then
    how.unsigned[#how.unsigned + 1] = part
    return
  end
  if part.signed_by ~= how.signer then
    drop_unsigned(how, out)
    lose(how.losses, "messages[].thinking(signed by " .. (part.signed_by or "unknown") .. ")")
    return
  end
  local item = { type = "reasoning", summary = array({}), encrypted_content = part.data or part.signature,
    id = how.is_own and part.item_id or nil }
  if not part.redacted then
    if part.text ~= "" then how.unsigned[#how.unsigned + 1] = part end
    for i, piece in ipairs(how.unsigned) do item.summary[i] = { type = "summary_text", text = piece.text } end
    how.unsigned = {}
  else
    drop_unsigned(how, out)
  end
  out[#out + 1] = item
end

local function call_item(part, how)
  if part.cache then lose(how.losses, "cache_control") end
  local id, name = parts.call_id(part.id, how.quirks), how.rename(part.name)
  if part.custom then return { type = "custom_tool_call", call_id = id, name = name, input = M.custom_input(part) } end
  return { type = "function_call", call_id = id, name = name, arguments = parts.arguments_text(part),
    namespace = part.namespace }
end

local function annotations_of(part)
  if not part.citations then return nil end
  local list = array({})
  for i, citation in ipairs(part.citations) do list[i] = citation.body end
  return list
end

local function assistant_items(message, how, out)
  local open
  how.unsigned = {}
  for _, part in ipairs(message.parts) do
    local kind = part.type
    if kind == "thinking" then
      open = nil
      thinking_item(part, how, out)
    elseif kind == "text" or kind == "refusal" then
      drop_unsigned(how, out)
      if part.cache then lose(how.losses, "cache_control") end
      if part.citations and not how.is_own then lose(how.losses, "messages[].content[].citations") end
      if part.text ~= "" then
        if not open then
          open = { type = "message", role = "assistant", content = array({}) }
          out[#out + 1] = open
        end
        open.content[#open.content + 1] = kind == "text"
          and { type = "output_text", text = part.text, annotations = how.is_own and annotations_of(part) or nil }
          or { type = "refusal", refusal = part.text }
      end
    else
      drop_unsigned(how, out)
      open = nil
      if kind == "tool_call" then
        out[#out + 1] = call_item(part, how)
      elseif kind == "opaque" and part.dialect == dialect then
        out[#out + 1] = part.body
      else
        lose(how.losses, "messages[].content[](" .. (part.kind or kind) .. ")")
      end
    end
  end
  drop_unsigned(how, out)
end

local function system_item(message, how)
  local kept = {}
  for _, part in ipairs(message.parts) do
    if part.billing then lose(how.losses, "system[](billing header)") else kept[#kept + 1] = part end
  end
  if #kept == 0 then return nil end
  local role = message.role
  if role == "developer" and how.quirks.developer_role == false then role = "system" end
  return { type = "message", role = role, content = content_from_parts(kept, how) }
end

-- The system text that goes into `instructions`: what came from there, or another dialect's plain text that stands
-- alone.
local function instructions_of(system, first, how)
  if not first or type(first.content) ~= "string" then return nil end
  if system[1].instructions then return first.content end
  if not how.is_own and #system == 1 and first.role == "system" then return first.content end
  return nil
end

-- request.system and request.messages → instructions (or nil) and the list of items.
function M.items_from_normal(request, how)
  local out = array({})
  local instructions
  local function count(message)
    if message.name then lose(how.losses, "messages[].name") end
    if message.parts.citations then lose(how.losses, "messages[].annotations") end
    if not how.is_own then parts.lose_fields(how.losses, message.extra, "messages[].") end
  end
  for i, message in ipairs(request.system or {}) do
    count(message)
    local item = system_item(message, how)
    local text = i == 1 and instructions_of(request.system, item, how)
    if text then instructions = text else out[#out + 1] = item end
  end
  for _, message in ipairs(request.messages) do
    count(message)
    if message.role == "assistant" then
      assistant_items(message, how, out)
    elseif message.role == "user" then
      user_items(message, how, out)
    else
      out[#out + 1] = system_item(message, how)
    end
  end
  return instructions, out
end

return M
