-- gemini: contents and their parts, to and from the normal form. Shared by the dialect file (whole bodies) and by the
-- streams. Facts and quirks: see adapters/dialects/gemini.lua.
-- A thoughtSignature stands on the part it signs; in the normal form it is a thinking part before that part (after a
-- text that came before it). What other companies have signed travels on thought parts of their own; see `pack`.
-- It does not know about requests or answers as a whole.

local parts = require("gw.parts")
local base64 = require("gw.base64")

local json = gw.json
local value, optional, required, lose, fail = parts.value, parts.optional, parts.required, parts.lose, parts.fail
local array = json.array

local M = {}

local dialect = "gemini"

----- signatures of others

-- The field holds bytes, and Google's own SDKs decode and encode it: what travels there must be base64.
local mark = "moongate:"
local packed_mark = base64.encode(mark)

local function pack(kind, signed_by, text)
  return base64.encode(mark .. kind .. ":" .. (signed_by or "unknown") .. ":" .. text)
end

-- A thinking part out of what `pack` made; nil for Gemini's own.
local function unpacked(signature)
  if signature:sub(1, #packed_mark) ~= packed_mark then return nil end
  local text = base64.decode((signature:gsub("[-_]", { ["-"] = "+", ["_"] = "/" })))
  local kind, maker, inner = (text or ""):match("^moongate:(%l+):([%w_/-]+):(.*)$")
  if kind == "redacted" then return { type = "thinking", redacted = true, data = inner, signed_by = maker } end
  if kind == "signed" then return { type = "thinking", signature = inner, signed_by = maker } end
  return nil
end

-- The thoughtSignature of a thinking part that Gemini has not signed.
function M.packed_signature(part)
  if part.redacted then return pack("redacted", part.signed_by, part.data or "") end
  if part.signature then return pack("signed", part.signed_by, part.signature) end
  return nil
end

-- The thinking part that carries a signature as it was found on the wire, whoever made it.
function M.thinking_of(signature)
  return unpacked(signature) or { type = "thinking", signature = signature, signed_by = dialect }
end

----- names

local function camel(key)
  return (key:gsub("_(%l)", string.upper))
end

-- A copy of a body with all its field names in camelCase: protocol buffers take both, and SDKs send both. Raw JSON
-- (schemas, arguments, results, labels) belongs to the client and stays.
function M.camelized(v)
  if type(v) ~= "table" or v == json.null or json.is_raw(v) then return v end
  local made = json.is_array(v) and array({}) or {}
  for key, inner in pairs(v) do
    made[type(key) == "string" and key:find("_", 2, true) and camel(key) or key] = M.camelized(inner)
  end
  return made
end

-- Where a list is wanted, one object is taken too, as Google's own reader does.
function M.list_of(v, field)
  v = value(v)
  if type(v) == "table" and not json.is_array(v) and #v == 0 and next(v) ~= nil then return array({ v }) end
  return required(v, "array", field)
end

----- parts, Gemini → normal

local audio_formats = { ["audio/mpeg"] = "mp3", ["audio/mp3"] = "mp3", ["audio/wav"] = "wav", ["audio/x-wav"] = "wav",
  ["audio/wave"] = "wav", ["audio/flac"] = "flac", ["audio/ogg"] = "ogg", ["audio/aac"] = "aac",
  ["audio/aiff"] = "aiff", ["audio/opus"] = "opus" }

local function audio_format(media_type)
  local bare = media_type:match("^[^;]*"):lower()
  if bare == "audio/l16" then return "pcm16" end
  return audio_formats[bare] or bare:match("^audio/(.+)$")
end

local function inline_part(blob, field, at)
  local media_type = required(blob.mimeType, "string", field, ".mimeType")
  local bytes = required(blob.data, "string", field, ".data")
  local kind = media_type:match("^%a+")
  if kind == "audio" then return { type = "audio", bytes = bytes, format = audio_format(media_type), at = at } end
  return { type = kind == "image" and "image" or "document", media_type = media_type, bytes = bytes, at = at,
    title = optional(blob.displayName, "string", field, ".displayName") }
end

-- Files of Google's stores, and its videos, mean nothing to other providers.
local function is_own_file(uri)
  return uri:find("^gs://") or uri:find("^https://generativelanguage%.googleapis%.com/")
    or uri:find("^https://[%w.]*youtube%.com/") or uri:find("^https://youtu%.be/") or not uri:find("^https?://")
end

local function file_part(file, field, at)
  local uri = required(file.fileUri, "string", field, ".fileUri")
  local media_type = optional(file.mimeType, "string", field, ".mimeType")
  local part = { type = media_type and media_type:find("^image/") and "image" or "document", media_type = media_type,
    at = at }
  if is_own_file(uri) then part.file_id, part.dialect = uri, dialect else part.url = uri end
  return part
end

-- What a tool said: { output = "…" } and { error = "…" } are Google's own words for it; anything else is kept whole.
local function result_text(response)
  if response == nil then return "", nil end
  local text = json.text(response)
  local object = json.decode(text)
  local key, inner = next(object)
  if (key ~= "output" and key ~= "error") or next(object, key) ~= nil then return text, nil end
  return type(inner) == "string" and inner or json.text(inner), key == "error" or nil
end

local function call_part(call, field, state)
  local arguments = parts.raw_object(call.args, field, ".args") or json.raw("{}")
  local part = { type = "tool_call", name = required(call.name, "string", field, ".name"), arguments = arguments,
    id = optional(call.id, "string", field, ".id"), at = field }
  state.calls = state.calls + 1
  -- In history an id must be the same each time the history is sent; no two answers may use one.
  if (part.id or "") == "" then part.id = state.is_answer and gw.id("call_") or "call_" .. state.calls end
  state.open[#state.open + 1] = part
  return part
end

-- The call that a result answers: by id, else the first unanswered one of that name, else the first unanswered one.
local function answered(state, id, name)
  local found
  for i, call in ipairs(state.open) do
    if id and call.id == id or not id and call.name == name then found = i break end
  end
  if not found and not id and #state.open > 0 then found = 1 end
  return found and table.remove(state.open, found)
end

local function result_part(result, field, state)
  local name = optional(result.name, "string", field, ".name")
  local id = optional(result.id, "string", field, ".id")
  if id == "" then id = nil end
  local call = answered(state, id, name)
  local response = parts.raw_object(result.response, field, ".response")
  local text, is_error = result_text(response)
  parts.lose_fields(state.losses, { scheduling = result.scheduling, willContinue = result.willContinue },
    "contents[].parts[].functionResponse.")
  local part = { type = "tool_result", id = id or call and call.id or "call_unknown", name = name, is_error = is_error,
    parts = {}, at = field }
  if text ~= "" then part.parts[1] = { type = "text", text = text } end
  for i, inner in ipairs(optional(result.parts, "array", field, ".parts") or {}) do
    local path = field .. ".parts[" .. (i - 1) .. "]"
    required(inner, "object", path)
    local blob = optional(inner.inlineData, "object", path, ".inlineData")
    local file = optional(inner.fileData, "object", path, ".fileData")
    if blob then
      part.parts[#part.parts + 1] = inline_part(blob, path .. ".inlineData", path)
    elseif file then
      part.parts[#part.parts + 1] = file_part(file, path .. ".fileData", path)
    else
      fail(path, "must hold inlineData or fileData")
    end
  end
  return part
end

local own_kinds = { "executableCode", "codeExecutionResult", "toolCall", "toolResponse" }

-- The kind of a part that only Gemini knows, or nil.
function M.own_kind(part)
  for _, kind in ipairs(own_kinds) do
    if value(part[kind]) ~= nil then return kind end
  end
  return nil
end

local levels = { MEDIA_RESOLUTION_LOW = "low", MEDIA_RESOLUTION_MEDIUM = "auto", MEDIA_RESOLUTION_HIGH = "high" }

local function add_thought(text, signature, into)
  local last = into[#into]
  local signed = signature and M.thinking_of(signature)
  if signed and signed.redacted then
    into[#into + 1] = signed
    return
  end
  if not (last and last.type == "thinking" and not last.signature and not last.redacted) then
    last = { type = "thinking", text = "" }
    into[#into + 1] = last
  end
  last.text = last.text .. text
  if signed then last.signature, last.signed_by = signed.signature, signed.signed_by end
end

-- Puts a signature on its place among the parts: after a text that the model had begun, else before what it signs.
local function add_signed(part, signature, into)
  local last = into[#into]
  local is_after = part and part.type == "text" and last and last.type == "text"
  if is_after then last.text, part = last.text .. part.text, nil end
  add_thought("", signature, into)
  into[#into + 1] = part
end

local part_fields = { text = true, thought = true, thoughtSignature = true, functionCall = true,
  functionResponse = true, inlineData = true, fileData = true, mediaResolution = true, videoMetadata = true,
  partMetadata = true }

-- Of an answer's part that is read, the fields that are not. Others stay whole.
function M.lose_unknown(part, losses)
  if type(part) ~= "table" or M.own_kind(part) then return end
  if part.text or part.functionCall or part.inlineData or part.fileData then
    parts.lose_unknown(losses, part, part_fields, "candidates[].content.parts[].")
  end
end

function M.answer_state()
  return { calls = 0, open = {}, is_model = true, is_answer = true }
end

local function read_media(part, path)
  local blob = optional(part.inlineData, "object", path, ".inlineData")
  if blob then return inline_part(blob, path .. ".inlineData", path) end
  local file = optional(part.fileData, "object", path, ".fileData")
  return file and file_part(file, path .. ".fileData", path)
end

-- A part that is neither a thought nor Gemini's own; nil when there is nothing in it.
local function read_plain(part, text, path, state)
  local call = optional(part.functionCall, "object", path, ".functionCall")
  local result = optional(part.functionResponse, "object", path, ".functionResponse")
  local normal
  if call then
    normal = call_part(call, path .. ".functionCall", state)
  elseif result then
    normal = result_part(result, path .. ".functionResponse", state)
  else
    normal = read_media(part, path)
  end
  parts.lose_fields(state.losses, { videoMetadata = part.videoMetadata }, "contents[].parts[].")
  local resolution = optional(part.mediaResolution, "object", path, ".mediaResolution")
  if normal and resolution then normal.detail = levels[value(resolution.level)] end
  if normal or not text or text == "" then return normal end
  return { type = "text", text = text }
end

local function read_part(part, path, into, state)
  local text = optional(part.text, "string", path, ".text")
  local signature = optional(part.thoughtSignature, "string", path, ".thoughtSignature")
  if signature == "" then signature = nil end
  local own = M.own_kind(part)
  if own then
    into[#into + 1] = { type = "opaque", kind = own, dialect = dialect, body = part, at = path }
    return
  end
  if optional(part.thought, "boolean", path, ".thought") and text then return add_thought(text, signature, into) end
  local normal, last = read_plain(part, text, path, state), into[#into]
  if signature then
    add_signed(normal, signature, into)
  elseif normal and normal.type == "text" and state.is_model and last and last.type == "text" then
    last.text = last.text .. normal.text
  elseif normal then
    into[#into + 1] = normal
  elseif not text and not state.is_answer then
    fail(path, "holds nothing that is known: text, inlineData, fileData, functionCall or functionResponse")
  elseif not text and next(part) ~= nil then
    -- What Google's models will say one day must not fail the answer.
    into[#into + 1] = { type = "opaque", kind = next(part), dialect = dialect, body = part, at = path }
  end
end

-- Reads parts into a list of normal parts. state = { calls = 0, open = {} }: one for all contents of a request. Answers
-- of the model come in small pieces when a client returns what it was streamed: those are joined.
function M.add_parts(list, field, into, state)
  for i, part in ipairs(list) do
    local path = field .. "[" .. (i - 1) .. "]"
    read_part(required(part, "object", path), path, into, state)
  end
  if state.is_answer then into.has_calls = state.calls > 0 end
  return into
end

local roles = { user = "user", model = "assistant", ["function"] = "user", tool = "user", assistant = "assistant" }

-- Reads body.contents into a list of messages; contents of the model that follow each other become one.
function M.contents_to_normal(contents, losses)
  local messages, state = {}, { calls = 0, open = {}, losses = losses }
  for i, content in ipairs(contents) do
    local field = "contents[" .. (i - 1) .. "]"
    local role = optional(required(content, "object", field).role, "string", field, ".role") or "user"
    if role == "" then role = "user" end
    if not roles[role] then fail(field .. ".role", "must be user or model, not \"" .. role .. "\"") end
    local last = messages[#messages]
    state.is_model = roles[role] == "assistant"
    if not (state.is_model and last and last.role == "assistant") then
      last = { role = roles[role], parts = {}, at = field }
      messages[#messages + 1] = last
    end
    if value(content.parts) ~= nil then
      M.add_parts(M.list_of(content.parts, field .. ".parts"), field .. ".parts", last.parts, state)
    elseif not state.is_model then
      fail(field .. ".parts", "is missing; it must be an array")
    end
  end
  return messages
end

----- parts, normal → Gemini

local media_types = { png = "image/png", jpg = "image/jpeg", jpeg = "image/jpeg", webp = "image/webp",
  heic = "image/heic", gif = "image/gif", pdf = "application/pdf", mp4 = "video/mp4", mp3 = "audio/mp3",
  wav = "audio/wav", txt = "text/plain" }

local function media_type_of(part)
  if part.media_type then return part.media_type end
  local extension = (part.url or part.file_id):match("^[^?#]*%.(%w+)$") or (part.url or ""):match("%.(%w+)[?#]")
  return extension and media_types[extension:lower()]
end

-- The place of an image or a document that is not text.
local function file_from_part(part, how)
  if part.bytes then return { inlineData = { mimeType = part.media_type, data = part.bytes } } end
  local uri = part.url or part.file_id
  if part.file_id and part.dialect ~= dialect then
    fail(part.at or "messages", "the " .. part.type .. " is a file id; it belongs to another provider and cannot be "
      .. "sent here")
  end
  if not part.file_id and not is_own_file(uri) and not how.quirks.file_urls then
    fail(part.at or "messages", "this provider does not fetch URLs; send the " .. part.type .. " as bytes")
  end
  return { fileData = { fileUri = uri, mimeType = media_type_of(part) } }
end

local write = {}

function write.text(part, how)
  if part.text == "" then return nil end
  if part.citations then lose(how.losses, "messages[].content[].citations") end
  return { text = part.text }
end

function write.refusal(part)
  return part.text ~= "" and { text = part.text } or nil
end

function write.image(part, how)
  local sent = file_from_part(part, how)
  if part.detail and part.detail ~= "auto" then
    if how.quirks.media_resolution then
      sent.mediaResolution = { level = part.detail == "low" and "MEDIA_RESOLUTION_LOW" or "MEDIA_RESOLUTION_HIGH" }
    else
      lose(how.losses, "messages[].content[].image_url.detail")
    end
  end
  return sent
end

function write.document(part, how)
  if part.is_cache then
    how.cache = part.file_id
    return nil
  end
  if part.citations_enabled then lose(how.losses, "messages[].content[].citations") end
  if part.context then lose(how.losses, "messages[].content[].context") end
  if part.text then
    lose(how.losses, "messages[].content[](document sent as text)")
    return { text = part.title and part.title .. "\n\n" .. part.text or part.text }
  end
  return file_from_part(part, how)
end

function write.audio(part)
  local format = part.format or "wav"
  local media_type = format == "pcm16" and "audio/L16;codec=pcm;rate=24000" or "audio/" .. format
  return { inlineData = { mimeType = media_type, data = part.bytes } }
end

-- Only thoughts that Gemini has signed are shown to it again.
function write.thinking(part, how)
  if part.signed_by == dialect and not part.redacted or how.is_own then
    local packed = part.signed_by ~= dialect and M.packed_signature(part) or nil
    local text = part.text or ""
    return (text ~= "" or packed) and { text = text, thought = true, thoughtSignature = packed } or nil
  end
  local reason = part.signature and "not Gemini's" or "unsigned"
  return lose(how.losses, part.redacted and "messages[].redacted_thinking" or "messages[].thinking(" .. reason .. ")")
end

function write.tool_call(part, how)
  local arguments, is_wrapped = parts.arguments_object(part)
  if is_wrapped then lose(how.losses, "messages[].tool_calls[].function.arguments(not an object)") end
  local id = how.quirks.call_ids ~= false and parts.call_id(part.id, how.quirks) or nil
  return { functionCall = { id = id, name = how.rename(part.name), args = arguments } }
end

function write.opaque(part, how)
  if part.dialect == dialect then return part.body end
  return lose(how.losses, "messages[].content[](" .. (part.kind or part.type) .. ")")
end

local function result_response(text, is_error)
  if is_error then return { error = text } end
  if text:find("^%s*{") and json.valid(text) then return json.raw(text) end
  if text:find("^%s*%[") and json.valid(text) then return { output = json.raw(text) } end
  return { output = text }
end

-- A functionResponse; what is neither text nor takes a place inside goes into `after`.
local function result_from_part(part, how, after)
  local texts, inside = {}, array({})
  for _, inner in ipairs(part.parts) do
    if inner.type == "text" or inner.type == "document" and inner.text then
      texts[#texts + 1] = inner.text
    elseif inner.type == "document" and how.quirks.result_parts then
      texts[#texts + 1] = inner.title
      inside[#inside + 1] = write.document(inner, how)
    elseif inner.type == "image" or inner.type == "document" or inner.type == "audio" then
      if how.quirks.result_parts then
        inside[#inside + 1] = write[inner.type](inner, how)
      else
        lose(how.losses, "messages[].content[].tool_result(" .. inner.type .. " moved into the next user message)")
        after[#after + 1] = inner
      end
    else
      lose(how.losses, "messages[].content[].tool_result(" .. (inner.kind or inner.type) .. ")")
    end
    if inner.cache then lose(how.losses, "cache_control") end
  end
  if part.cache then lose(how.losses, "cache_control") end
  local sent = { name = how.rename(part.name or how.names[part.id] or part.id),
    response = result_response(table.concat(texts, "\n"), part.is_error) }
  if how.quirks.call_ids ~= false then sent.id = parts.call_id(part.id, how.quirks) end
  if #inside > 0 then sent.parts = inside end
  return { functionResponse = sent }
end

-- The part of `list` after position `from` that a signature standing there signs: the first call before the next
-- signature, else the first text; nil when there is neither.
local function signed_part(list, from)
  local first_text
  for i = from + 1, #list do
    local part = list[i]
    if part.type == "thinking" and part.signature then break end
    if part.type == "tool_call" then return part end
    if part.type == "text" and part.text ~= "" then first_text = first_text or part end
  end
  return first_text
end

local function model_parts(list, how)
  local sent, signature_of = array({}), {}
  if list.citations then lose(how.losses, "messages[].annotations") end
  for i, part in ipairs(list) do
    local one = write[part.type] and write[part.type](part, how)
    if one and signature_of[part] then one.thoughtSignature = signature_of[part] end
    sent[#sent + 1] = one or nil
    if part.cache then lose(how.losses, "cache_control") end
    if part.type == "thinking" and part.signature and part.signed_by == dialect then
      local target = signed_part(list, i)
      if target then
        signature_of[target] = part.signature
      else
        sent[#sent + 1] = { text = "", thoughtSignature = part.signature }
      end
    end
  end
  local filler = how.quirks.signature_filler
  if filler then
    for _, part in ipairs(sent) do
      if part.functionCall then
        if not part.thoughtSignature then
          part.thoughtSignature = filler
          lose(how.losses, "messages[].tool_calls[](without the signature of its thinking)")
        end
        break
      end
    end
  end
  return sent
end

-- Adds a content, merged with the one before it when that is of the same kind. Results stay among themselves: newer
-- models refuse other parts beside them.
local function add_content(contents, kind, sent)
  if #sent == 0 then return end
  local last = contents[#contents]
  if not last or last.kind ~= kind then
    last = { kind = kind, content = { role = kind == "model" and "model" or "user", parts = array({}) } }
    contents[#contents + 1] = last
  end
  for _, part in ipairs(sent) do last.content.parts[#last.content.parts + 1] = part end
end

local function user_contents(message, contents, how)
  local results, after, rest = array({}), {}, array({})
  for _, part in ipairs(message.parts) do
    if part.type == "tool_result" then
      results[#results + 1] = { at = how.order[part.id] or math.maxinteger, place = #results,
        sent = result_from_part(part, how, after) }
    end
  end
  -- The provider matches results to calls by their place.
  table.sort(results, function(a, b) return a.at < b.at or a.at == b.at and a.place < b.place end)
  for i, result in ipairs(results) do results[i] = result.sent end
  add_content(contents, "results", results)
  for _, part in ipairs(message.parts) do
    if part.type ~= "tool_result" then after[#after + 1] = part end
  end
  for _, part in ipairs(after) do
    if part.cache then lose(how.losses, "cache_control") end
    -- A file's name has no place beside its bytes.
    if part.type == "document" and part.title and not part.text then rest[#rest + 1] = { text = part.title } end
    rest[#rest + 1] = write[part.type](part, how)
  end
  add_content(contents, "user", rest)
end

-- Text that must be there: contents of images only, and a request without any turn.
local function fill(contents, losses)
  for _, entry in ipairs(contents) do
    if entry.kind == "user" then
      local has_text = false
      for _, part in ipairs(entry.content.parts) do has_text = has_text or part.text ~= nil end
      if not has_text then
        lose(losses, "messages[].content(blank text added)")
        table.insert(entry.content.parts, 1, { text = " " })
      end
    end
  end
  if #contents == 0 then
    lose(losses, "messages(blank user turn added)")
    contents[1] = { content = { role = "user", parts = array({ { text = " " } }) } }
  end
end

-- The contents of a request. how = { rename, quirks, losses, is_own }; sets how.cache where one is named.
function M.contents_from_normal(messages, how)
  local contents, count = {}, 0
  how.names, how.order = {}, {}
  for _, message in ipairs(messages) do
    for _, part in ipairs(message.parts) do
      if part.type == "tool_call" then
        count = count + 1
        how.names[part.id], how.order[part.id] = part.name, count
      end
    end
    if message.name then lose(how.losses, "messages[].name") end
    if not how.is_own then parts.lose_fields(how.losses, message.extra, "messages[].") end
    if message.role == "assistant" then
      add_content(contents, "model", model_parts(message.parts, how))
    elseif message.role == "user" then
      user_contents(message, contents, how)
    end
  end
  if not how.is_own then fill(contents, how.losses) end
  local list = array({})
  for i, entry in ipairs(contents) do list[i] = entry.content end
  return list
end

-- The parts of system messages: texts, each of its own.
function M.system_parts(message, how, into)
  for _, part in ipairs(message.parts) do
    if part.billing then
      lose(how.losses, "system[](billing header)")
    else
      if part.cache then lose(how.losses, "cache_control") end
      into[#into + 1] = write[part.type] and write[part.type](part, how)
    end
  end
  if message.name then lose(how.losses, "messages[].name") end
  if not how.is_own then parts.lose_fields(how.losses, message.extra, "messages[].") end
end

----- answers

-- The parts of one answer for a client: asked as for D.response_from_normal. What Gemini has signed keeps its signature
-- on the part that follows.
function M.answer_parts(list, asked)
  local sent, signature = array({}), nil
  local names = asked.tool_names or {}
  local how = { losses = asked.losses, quirks = { media_resolution = false, file_urls = true },
    rename = function(name) return names[name] or name end }
  for _, part in ipairs(list) do
    local one
    if part.type == "thinking" then
      if part.signed_by == dialect and part.signature then
        signature = part.signature
        one = part.text ~= "" and { text = part.text, thought = true } or nil
      else
        one = { text = part.text or "", thought = true, thoughtSignature = M.packed_signature(part) }
      end
    else
      one = part.type == "text" and part.text ~= "" and { text = part.text }
        or part.type ~= "text" and write[part.type] and write[part.type](part, how) or nil
      if part.type == "tool_call" then one.functionCall.id = part.id end
      if one and signature then one.thoughtSignature, signature = signature, nil end
    end
    sent[#sent + 1] = one
  end
  if signature then sent[#sent + 1] = { text = "", thoughtSignature = signature } end
  return sent
end

return M
