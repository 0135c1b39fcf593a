-- openai.chat: messages and their parts, to and from the normal form. Shared by the dialect file (whole bodies) and by
-- the streams. Facts and quirks: see adapters/dialects/openai_chat.lua.
-- It does not know about requests or answers as a whole.

local content_list = require("gw.content_list")
local custom_tools = require("gw.custom_tools")
local parts = require("gw.parts")
local seals = require("gw.seals")

local json = gw.json
local value, optional, required, lose, fail = parts.value, parts.optional, parts.required, parts.lose, parts.fail
local array = json.array
local message_paths, content_paths = parts.paths("messages"), parts.paths("messages", ".content")

local M = {}

local dialect = "openai.chat"

----- messages, Chat → normal

-- Which company signed a reasoning_details entry, by its format: "anthropic-claude-v1" -> "anthropic".
local function signer(format)
  format = value(format)
  if type(format) ~= "string" then return nil end
  if format:sub(1, 9) == "anthropic" then return "anthropic" end
  if format:sub(1, 6) == "google" then return "gemini" end
  if format:sub(1, 6) == "openai" then return "openai" end
  return format:match("^%w+")
end
M.signer = signer

local function add_thinking_blocks(blocks, field, into)
  for i, block in ipairs(blocks) do
    local path = field .. "[" .. (i - 1) .. "]"
    if optional(block.type, "string", path, ".type") == "redacted_thinking" then
      local sealed, signed_by = seals.open(required(block.data, "string", path, ".data"), "anthropic")
      into[#into + 1] = { type = "thinking", redacted = true, data = sealed, signed_by = signed_by }
    else
      local signature, signed_by = optional(block.signature, "string", path, ".signature"), nil
      if signature == "" then signature = nil end
      if signature then signature, signed_by = seals.open(signature, "anthropic") end
      into[#into + 1] = { type = "thinking", signature = signature, signed_by = signed_by,
        text = optional(block.thinking, "string", path, ".thinking") or "" }
    end
  end
end

local function add_reasoning_details(details, text, field, into)
  local collected, signature, signed_by = {}, nil, nil
  local encrypted = {}
  for i, detail in ipairs(details) do
    local path = field .. "[" .. (i - 1) .. "]"
    local kind = value(detail.type)
    if kind == "reasoning.encrypted" then
      encrypted[#encrypted + 1] = { type = "thinking", redacted = true, data = value(detail.data),
        signed_by = signer(detail.format), id = value(detail.id) }
    else
      collected[#collected + 1] = optional(detail.text, "string", path, ".text")
        or optional(detail.summary, "string", path, ".summary") or ""
      local given = optional(detail.signature, "string", path, ".signature")
      if given and given ~= "" then signature, signed_by = given, signer(detail.format) end
    end
  end
  local joined = table.concat(collected)
  -- A signature signs the text beside it, byte for byte; without one, the plain field is as good.
  if not signature and text then joined = text end
  if joined ~= "" or signature then
    into[#into + 1] = { type = "thinking", text = joined, signature = signature, signed_by = signed_by }
  end
  for _, part in ipairs(encrypted) do into[#into + 1] = part end
end

-- Thinking comes under four names; the signed forms win over the plain text that repeats them.
local function add_thinking(message, field, into)
  local plain, plain_field = value(message.reasoning_content), "reasoning_content"
  if plain == nil then plain, plain_field = value(message.reasoning), "reasoning" end
  if type(plain) ~= "string" or plain == "" then plain = nil end
  local before = #into
  local blocks = parts.objects(message.thinking_blocks, field .. ".thinking_blocks")
  local details = parts.objects(message.reasoning_details, field .. ".reasoning_details")
  if #blocks > 0 then
    add_thinking_blocks(blocks, field .. ".thinking_blocks", into)
  elseif #details > 0 then
    add_reasoning_details(details, plain, field .. ".reasoning_details", into)
  end
  if #into == before and plain then into[#into + 1] = { type = "thinking", text = plain, field = plain_field } end
end

local function thinking_text(part, field)
  local inner = value(part.thinking)
  if type(inner) == "string" then return inner end
  local texts = {}
  field = (field or "content[]") .. ".thinking"
  for i, piece in ipairs(parts.objects(inner ~= nil and parts.or_text(inner, "array", field) or nil, field)) do
    texts[i] = optional(piece.text, "string", field .. "[" .. (i - 1) .. "].text") or ""
  end
  return table.concat(texts)
end
M.thinking_text = thinking_text

local function url_of(v, field)
  v = value(v)
  if type(v) == "string" then return v, nil end
  parts.or_text(v, "object", field)
  return required(v.url, "string", field, ".url"), optional(v.detail, "string", field, ".detail")
end

local function image_part(part, field)
  local url, detail = url_of(part.image_url, field .. ".image_url")
  local media_type, bytes = parts.data_url(url)
  if media_type == "application/pdf" then
    return { type = "document", media_type = media_type, bytes = bytes, at = field }
  end
  if media_type then return { type = "image", media_type = media_type, bytes = bytes, detail = detail, at = field } end
  if url:lower():match("%.pdf$") or url:lower():match("%.pdf%?") then
    return { type = "document", media_type = "application/pdf", url = url, at = field }
  end
  return { type = "image", url = url, detail = detail, at = field }
end

local function file_part(part, field)
  local file = required(part.file, "object", field, ".file")
  local title = optional(file.filename, "string", field, ".file.filename")
  local id = optional(file.file_id, "string", field, ".file.file_id")
  if id then return { type = "document", file_id = id, title = title, at = field } end
  local bytes = required(file.file_data, "string", field, ".file.file_data")
  local media_type, base64 = parts.data_url(bytes)
  if media_type then
    return { type = "document", media_type = media_type, bytes = base64, title = title, at = field }
  end
  if bytes:find("^https?://") then return { type = "document", url = bytes, title = title, at = field } end
  return { type = "document", media_type = "application/pdf", bytes = bytes, title = title, at = field }
end

local function audio_part(part, field)
  local audio = value(part.input_audio)
  if type(audio) == "string" then return { type = "audio", bytes = audio, at = field } end
  parts.or_text(audio, "object", field, ".input_audio")
  return { type = "audio", bytes = required(audio.data, "string", field, ".input_audio.data"),
    format = optional(audio.format, "string", field, ".input_audio.format"), at = field }
end

local part_readers = {
  text = function(part, field) return { type = "text", text = required(part.text, "string", field, ".text") } end,
  refusal = function(part, field)
    return { type = "refusal", text = required(part.refusal, "string", field, ".refusal") }
  end,
  image_url = image_part,
  file = file_part,
  input_audio = audio_part,
  thinking = function(part, field) return { type = "thinking", text = thinking_text(part, field) } end,
  document_url = function(part, field)
    local url = url_of(part.document_url, field .. ".document_url")
    return { type = "document", url = url, title = optional(part.document_name, "string", field, ".document_name"),
      at = field }
  end,
}

local add_content = content_list.reader { dialect = dialect, read = part_readers, takes_texts = true,
  mark = function(normal, part, path)
    normal.cache = optional(part.cache_control, "object", path, ".cache_control")
  end }

-- The signature that Gemini put on a call, where Google's own Chat endpoint has it; nil when there is none.
function M.call_signature(call)
  local extra = value(call.extra_content)
  local google = type(extra) == "table" and value(extra.google)
  local signature = type(google) == "table" and value(google.thought_signature)
  return type(signature) == "string" and signature ~= "" and signature or nil
end

-- extra_content of a call that Gemini has signed.
function M.signed_call(signature)
  return { google = { thought_signature = signature } }
end

local function add_custom_call(call, path, into)
  local custom = required(call.custom, "object", path, ".custom")
  into[#into + 1] = { type = "tool_call", at = path, custom = true,
    id = required(call.id, "string", path, ".id"),
    name = required(custom.name, "string", path, ".custom.name"),
    arguments = custom_tools.arguments(optional(custom.input, "string", path, ".custom.input") or "") }
  into.has_calls = true
end

local function add_call(call, i, path, into, is_answer)
  local fn = optional(call["function"], "object", path, ".function")
  if not fn then fail(path .. ".function", "is missing; only calls of functions and custom tools can be carried") end
  local id = optional(call.id, "string", path, ".id")
  -- In history it must be the same each time the history is sent; no two answers may share one.
  if not id or is_answer and id == "" then id = is_answer and gw.id("call_") or "call_" .. i end
  local part = { type = "tool_call", at = path, id = id,
    name = required(fn.name, "string", path, ".function.name") }
  local arguments = fn.arguments
  -- Some servers answer with the object itself.
  if is_answer and type(arguments) == "table" and arguments ~= json.null then arguments = json.encode(arguments) end
  into[#into + 1] = parts.set_arguments(part, optional(arguments, "string", path, ".function.arguments") or "")
  into.has_calls = true
end

local function add_calls(message, field, into, is_answer)
  for i, call in ipairs(optional(message.tool_calls, "array", field, ".tool_calls") or {}) do
    local path = field .. ".tool_calls[" .. (i - 1) .. "]"
    local signature = M.call_signature(required(call, "object", path))
    if signature then
      into[#into + 1] = { type = "thinking", text = "", signature = signature, signed_by = "gemini" }
    end
    local kind = optional(call.type, "string", path, ".type")
    if kind == "custom" then add_custom_call(call, path, into) else add_call(call, i, path, into, is_answer) end
  end
  local legacy = optional(message.function_call, "object", field, ".function_call")
  local name = legacy and optional(legacy.name, "string", field, ".function_call.name")
  -- Some servers fill the unused field with empty strings.
  if name and name ~= "" then
    local part = { type = "tool_call", id = "call_" .. name, name = name, legacy = true }
    local text = optional(legacy.arguments, "string", field, ".function_call.arguments") or ""
    into[#into + 1] = parts.set_arguments(part, text)
    into.has_calls = true
  end
end

local function add_citations(message, field, into)
  local citations
  for i, annotation in ipairs(parts.objects(message.annotations, field)) do
    local url = optional(annotation.url_citation, "object", field .. "[" .. (i - 1) .. "].url_citation")
    if url then
      citations = citations or {}
      citations[#citations + 1] = { type = "url", url = value(url.url), title = value(url.title),
        start_index = value(url.start_index), end_index = value(url.end_index) }
    end
  end
  into.citations = citations
end

-- All parts of an assistant message, thinking first, calls last. The list has has_calls and citations beside them.
function M.message_parts(message, field, is_answer)
  local found = {}
  add_thinking(message, field, found)
  add_content(message.content, field .. ".content", found)
  local refusal = value(message.refusal)
  if type(refusal) == "string" and refusal ~= "" then found[#found + 1] = { type = "refusal", text = refusal } end
  add_calls(message, field, found, is_answer)
  local audio = value(message.audio)
  -- In an answer the audio comes with its bytes; in history only its id is left (kept with the unknown fields).
  if type(audio) == "table" and (value(audio.data) or "") ~= "" then
    found[#found + 1] = { type = "audio", bytes = audio.data, id = value(audio.id),
      transcript = value(audio.transcript), expires_at = value(audio.expires_at), at = field .. ".audio" }
  end
  add_citations(message, field .. ".annotations", found)
  return found
end

local message_fields = {
  role = true, content = true, name = true, tool_calls = true, tool_call_id = true, function_call = true,
  refusal = true, reasoning = true, reasoning_content = true, reasoning_details = true, thinking_blocks = true,
  annotations = true, cache_control = true,
}

-- Those of an answer's message, and of its content's parts, for parts.lose_unknown.
M.answer_fields = { audio = true, provider_metadata = true }
for name in pairs(message_fields) do M.answer_fields[name] = true end
M.part_fields = { text = { type = true, text = true }, thinking = { type = true, thinking = true, closed = true } }

function M.message_extra(message)
  local extra = parts.rest(message, message_fields)
  local audio = extra and extra.audio
  if audio and ((value(audio.data) or "") ~= "" or (value(audio.id) or "") == "") then
    extra.audio = nil
    if next(extra) == nil then extra = nil end
  end
  return extra
end

local function result_part(message, field)
  local inner = {}
  add_content(message.content, field .. ".content", inner)
  local id = message.role == "function" and "call_" .. required(message.name, "string", field, ".name")
    or required(message.tool_call_id, "string", field, ".tool_call_id")
  return { type = "tool_result", id = id, parts = inner,
    cache = optional(message.cache_control, "object", field, ".cache_control"),
    legacy_name = message.role == "function" and message.name or nil }
end

-- Reads body.messages into request.system and request.messages. Tool results that follow each other become one user
-- message, as Anthropic, Bedrock and Gemini want them; normal → Chat takes them apart again.
function M.messages_to_normal(messages, request)
  local system, list = {}, {}
  local results
  for i, message in ipairs(messages) do
    local field = message_paths[i]
    required(message, "object", field)
    local role = required(message.role, "string", field, ".role")
    local text = (role == "user" or role == "assistant") and parts.plain_text(message)
    if text then
      results = nil
      list[#list + 1] = { role = role, at = field, parts = { { type = "text", text = text } } }
    elseif role == "tool" or role == "function" then
      if not results then
        results = { role = "user", parts = {}, at = field }
        list[#list + 1] = results
      end
      results.parts[#results.parts + 1] = result_part(message, field)
    else
      results = nil
      local normal = { role = role, name = optional(message.name, "string", field, ".name"), at = field,
        extra = M.message_extra(message) }
      if role == "assistant" then
        normal.parts = M.message_parts(message, field)
      elseif role == "user" or role == "system" or role == "developer" then
        normal.parts = {}
        add_content(message.content, content_paths[i], normal.parts)
      else
        fail(field .. ".role", "must be system, developer, user, assistant or tool, not \"" .. role .. "\"")
      end
      local cache = optional(message.cache_control, "object", field, ".cache_control")
      if cache and #normal.parts > 0 then normal.parts[#normal.parts].cache = cache end
      if role ~= "user" and role ~= "assistant" and #list == 0 then
        system[#system + 1] = normal
      else
        list[#list + 1] = normal
      end
    end
  end
  if #system > 0 then request.system = system end
  request.messages = list
end

----- messages, normal → Chat

-- The Chat form of one part of a user or system message, or nil when it is lost.
local function content_part(part, quirks, losses)
  local sent
  local kind = part.type
  if kind == "text" or kind == "refusal" then
    sent = { type = "text", text = part.text }
    if part.citations then lose(losses, "messages[].content[].citations") end
  elseif kind == "image" then
    if part.file_id then
      fail(part.at or "messages", "the image is a file id; it belongs to another provider and cannot be sent here")
    end
    local url = part.url or "data:" .. part.media_type .. ";base64," .. part.bytes
    sent = { type = "image_url", image_url = { url = url, detail = part.detail } }
  elseif kind == "document" then
    if part.citations_enabled then lose(losses, "messages[].content[].citations") end
    if part.context then lose(losses, "messages[].content[].context") end
    if parts.is_video(part) then fail(part.at or "messages", "is video, which this provider does not take") end
    if part.text then
      lose(losses, "messages[].content[](document sent as text)")
      sent = { type = "text", text = part.title and part.title .. "\n\n" .. part.text or part.text }
    elseif part.file_id then
      if part.dialect then
        fail(part.at or "messages", "the document is a file id; it belongs to another provider and cannot be sent here")
      end
      sent = { type = "file", file = { file_id = part.file_id, filename = part.title } }
    elseif part.url then
      if not quirks.document_url then
        fail(part.at or "messages", "this provider takes documents only as bytes, not by URL")
      end
      sent = { type = "file", file = { file_data = part.url, filename = part.title } }
    else
      sent = { type = "file", file = { filename = parts.file_name(part),
        file_data = "data:" .. part.media_type .. ";base64," .. part.bytes } }
    end
  elseif kind == "audio" then
    sent = { type = "input_audio", input_audio = { data = part.bytes, format = part.format or "wav" } }
  elseif kind == "opaque" and part.dialect == dialect then
    return part.body
  else
    lose(losses, "messages[].content[](" .. (part.kind or kind) .. ")")
    return nil
  end
  if part.cache then
    if quirks.cache_control then sent.cache_control = part.cache else lose(losses, "cache_control") end
  end
  return sent
end

-- A string where one plain text says it all, a list of parts otherwise.
local function content_from_parts(list, quirks, losses)
  local sent = array({})
  for _, part in ipairs(list) do sent[#sent + 1] = content_part(part, quirks, losses) end
  if #sent == 0 then return "" end
  if #sent == 1 and sent[1].type == "text" and not sent[1].cache_control then return sent[1].text end
  if quirks.flat_content then
    local texts = {}
    for _, part in ipairs(sent) do
      if part.type == "text" then
        texts[#texts + 1] = part.text
      else
        lose(losses, "messages[].content[](" .. part.type .. ")")
      end
    end
    return table.concat(texts, "\n\n")
  end
  return sent
end

local function result_from_part(part, quirks, losses, after)
  local texts = {}
  for _, inner in ipairs(part.parts) do
    if inner.type == "text" then
      texts[#texts + 1] = inner.text
    elseif inner.type == "document" and inner.text then
      texts[#texts + 1] = inner.text
    elseif inner.type == "image" or inner.type == "document" then
      lose(losses, "messages[].content[].tool_result(" .. inner.type .. " moved into the next user message)")
      after[#after + 1] = inner
    else
      lose(losses, "messages[].content[].tool_result(" .. (inner.kind or inner.type) .. ")")
    end
  end
  local text = table.concat(texts, "\n")
  if part.is_error then
    lose(losses, "messages[].content[].is_error(sent as text)")
    if text:sub(1, 5):lower() ~= "error" then text = "Error: " .. text end
  end
  if part.legacy_name then return { role = "function", name = part.legacy_name, content = text } end
  local sent = { role = "tool", tool_call_id = parts.call_id(part.id, quirks), content = text }
  if part.cache then
    if quirks.cache_control then sent.cache_control = part.cache else lose(losses, "cache_control") end
  end
  return sent
end

local function user_from_normal(message, quirks, losses, out)
  local after, rest = {}, {}
  for _, part in ipairs(message.parts) do
    if part.type == "tool_result" then
      out[#out + 1] = result_from_part(part, quirks, losses, after)
    else
      rest[#rest + 1] = part
    end
  end
  table.move(rest, 1, #rest, #after + 1, after)
  if #after == 0 and #rest < #message.parts then return nil end
  return { role = "user", name = message.name, content = content_from_parts(after, quirks, losses) }
end

function M.thinking_entry(part)
  if part.redacted then
    return { type = "redacted_thinking", data = seals.close(part.data, part.signed_by, "anthropic") }
  end
  local signature = part.signature and seals.close(part.signature, part.signed_by, "anthropic")
  return { type = "thinking", thinking = part.text, signature = signature }
end

local function add_thinking_history(part, sent, quirks, losses)
  local field = quirks.reasoning_history or part.field or "reasoning_content"
  if field == "none" then return lose(losses, "messages[].thinking") end
  if field == "thinking_blocks" and part.signed_by ~= "anthropic" then
    -- Servers that take the field hand it to Claude, which takes only what it has signed itself.
    if part.redacted then return lose(losses, "messages[].redacted_thinking") end
    field = "reasoning_content"
  end
  if field == "thinking_blocks" then
    sent.thinking_blocks = sent.thinking_blocks or array({})
    table.insert(sent.thinking_blocks, M.thinking_entry(part))
    return
  end
  if part.redacted then return lose(losses, "messages[].redacted_thinking") end
  if part.signature then lose(losses, "messages[].thinking.signature") end
  if part.text ~= "" then sent[field] = (sent[field] or "") .. part.text end
end

local function assistant_from_normal(message, quirks, rename, losses)
  local sent = { role = "assistant", name = message.name }
  local texts, cached = {}, false
  for _, part in ipairs(message.parts) do
    if part.type == "tool_call" then
      local fn = { name = rename(part.name), arguments = parts.arguments_text(part) }
      if part.cache then lose(losses, "cache_control") end
      if part.legacy then
        sent.function_call = fn
      else
        sent.tool_calls = sent.tool_calls or array({})
        table.insert(sent.tool_calls, { id = parts.call_id(part.id, quirks), type = "function", ["function"] = fn })
      end
    elseif part.type == "thinking" then
      add_thinking_history(part, sent, quirks, losses)
    elseif part.type == "refusal" then
      sent.refusal = (sent.refusal or "") .. part.text
    else
      texts[#texts + 1] = part
      cached = cached or part.cache ~= nil
    end
  end
  if #texts > 0 then
    if cached and quirks.cache_control then
      sent.content = content_from_parts(texts, quirks, losses)
    else
      local joined = {}
      for _, part in ipairs(texts) do
        local one = content_part(part, quirks, losses)
        joined[#joined + 1] = one and one.text
      end
      sent.content = table.concat(joined)
    end
  elseif sent.tool_calls or sent.function_call or sent.refusal then
    sent.content = json.null
  else
    sent.content = ""
  end
  return sent
end

local function with_extra(sent, message, request, losses)
  if not message.extra then return sent end
  if request.dialect == dialect then
    for name, v in pairs(message.extra) do sent[name] = v end
  else
    parts.lose_fields(losses, message.extra, "messages[].")
  end
  return sent
end

local function system_from_normal(message, quirks, losses)
  local role = message.role == "developer" and quirks.developer_role and "developer" or "system"
  local kept = {}
  for _, part in ipairs(message.parts) do
    if part.billing then lose(losses, "system[](billing header)") else kept[#kept + 1] = part end
  end
  if #kept == 0 and #message.parts > 0 then return nil end
  return { role = role, name = message.name, content = content_from_parts(kept, quirks, losses) }
end

function M.messages_from_normal(request, quirks, rename, losses)
  local out = array({})
  local function add(sent, message)
    if sent then out[#out + 1] = with_extra(sent, message, request, losses) end
  end
  for _, message in ipairs(request.system or {}) do add(system_from_normal(message, quirks, losses), message) end
  for _, message in ipairs(request.messages) do
    local text = (message.role == "user" or message.role == "assistant") and parts.only_text(message)
    if text then
      out[#out + 1] = { role = message.role, content = text }
    elseif message.role == "assistant" then
      add(assistant_from_normal(message, quirks, rename, losses), message)
    elseif message.role == "user" then
      add(user_from_normal(message, quirks, losses, out), message)
    else
      add(system_from_normal(message, quirks, losses), message)
    end
  end
  return out
end

----- answers

local function annotation(citation)
  return { type = "url_citation", url_citation = { url = citation.url, title = citation.title or "",
    start_index = citation.start_index or 0, end_index = citation.end_index or 0 } }
end
M.annotation = annotation

-- The Chat message of one answer. Thinking is shown as reasoning_content; what the next turn must bring back byte-exact
-- (signatures, redacted thinking) travels in thinking_blocks, which the reader of requests takes back.
function M.message_from_parts(choice, asked)
  local text = parts.answer_text(choice.parts)
  if text then return { role = "assistant", content = text, refusal = json.null } end
  local message = { role = "assistant" }
  local texts, thinking, blocks, refusals = {}, {}, array({}), {}
  local annotations = array({})
  local length, call_signature = 0, nil
  for i, part in ipairs(choice.parts) do
    local kind = part.type
    if kind == "text" then
      for _, citation in ipairs(part.citations or {}) do
        if citation.url then
          local placed = { url = citation.url, title = citation.title,
            start_index = citation.start_index or length,
            end_index = citation.end_index or length + (utf8.len(part.text) or #part.text) }
          annotations[#annotations + 1] = annotation(placed)
        else
          lose(asked.losses, "content[].citations(" .. citation.type .. ")")
        end
      end
      texts[#texts + 1] = part.text
      length = length + (utf8.len(part.text) or #part.text)
    elseif kind == "thinking" then
      if part.text then thinking[#thinking + 1] = part.text end
      local following = choice.parts[i + 1]
      if part.signed_by == "gemini" and part.signature and following and following.type == "tool_call"
        and not asked.legacy_functions then
        call_signature = part.signature
      elseif part.redacted or part.signature then
        blocks[#blocks + 1] = M.thinking_entry(part)
      end
    elseif kind == "refusal" then
      refusals[#refusals + 1] = part.text
    elseif kind == "tool_call" then
      local name = asked.tool_names and asked.tool_names[part.name] or part.name
      local fn = { name = name, arguments = parts.arguments_text(part) }
      if asked.legacy_functions and not message.function_call then
        message.function_call = fn
      else
        local call = { id = part.id, type = "function", ["function"] = fn,
          extra_content = call_signature and M.signed_call(call_signature) }
        if custom_tools.is_custom(asked, name) then
          call.type, call["function"], call.custom = "custom", nil, { name = name, input = custom_tools.input(part) }
        end
        message.tool_calls = message.tool_calls or array({})
        table.insert(message.tool_calls, call)
        call_signature = nil
      end
    elseif kind == "audio" then
      message.audio = { data = part.bytes, id = part.id, transcript = part.transcript, expires_at = part.expires_at }
    else
      lose(asked.losses, "content[](" .. (part.kind or kind) .. ")")
    end
  end
  for _, citation in ipairs(choice.parts.citations or {}) do
    if citation.url then
      annotations[#annotations + 1] = annotation(citation)
    else
      lose(asked.losses, "content[].citations(" .. citation.type .. ")")
    end
  end
  message.content = #texts > 0 and table.concat(texts) or json.null
  message.refusal = #refusals > 0 and table.concat(refusals) or json.null
  if #thinking > 0 then message.reasoning_content = table.concat(thinking) end
  if #blocks > 0 then message.thinking_blocks = blocks end
  if #annotations > 0 then message.annotations = annotations end
  return message
end

return M
