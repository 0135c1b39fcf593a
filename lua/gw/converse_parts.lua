-- bedrock.converse: content blocks, stop reasons, usage and model names, to and from the normal form. Shared by the
-- dialect file (whole bodies) and by the streams. Facts and quirks: see adapters/dialects/bedrock_converse.lua.
-- It does not know about requests or answers as a whole.

local parts = require("gw.parts")
local base64 = require("gw.base64")
local seals = require("gw.seals")

local json = gw.json
local value, optional, required, lose, fail = parts.value, parts.optional, parts.required, parts.lose, parts.fail
local array = json.array

local M = {}

local dialect = "bedrock.converse"

----- models

local regions = { us = true, eu = true, apac = true, global = true, ["us-gov"] = true, jp = true, au = true, ca = true }

-- "us.anthropic.claude-…", or an ARN that ends with it, as "anthropic.claude-…". An ARN of an application's own profile
-- does not tell its model.
function M.bare_model(model)
  local bare = model or ""
  if bare:sub(1, 4) == "arn:" then
    bare = bare:match("/([^/]*)$") or bare
    if not bare:find(".", 1, true) then return "" end
  end
  local dot = bare:find(".", 1, true)
  if dot and regions[bare:sub(1, dot - 1)] then return bare:sub(dot + 1) end
  return bare
end

-- Who made the model, "anthropic", "amazon", …; nil when its name does not tell.
function M.family(model)
  return M.bare_model(model):match("^([%a%d-]+)%.")
end

-- Claude's signatures are the same on every cloud; what another model signed is good for Bedrock alone.
function M.signer(family)
  if family == nil or family == "anthropic" then return "anthropic" end
  return "bedrock"
end

----- blocks, Converse → normal

local image_types = { png = "image/png", jpeg = "image/jpeg", gif = "image/gif", webp = "image/webp" }

local document_types = {
  pdf = "application/pdf", csv = "text/csv", doc = "application/msword",
  docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document", xls = "application/vnd.ms-excel",
  xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", html = "text/html", txt = "text/plain",
  md = "text/markdown",
}

local function invert(map)
  local back = {}
  for key, v in pairs(map) do back[v] = key end
  return back
end

local video_types = {
  mp4 = "video/mp4", mov = "video/quicktime", mkv = "video/x-matroska", webm = "video/webm", flv = "video/x-flv",
  mpeg = "video/mpeg", wmv = "video/x-ms-wmv", three_gp = "video/3gpp",
}

local image_formats, document_formats = invert(image_types), invert(document_types)
local video_formats = invert(video_types)

-- reads[kind](block[kind], field, how, losses); how = { signer, is_client }: who signs the thinking of a provider's
-- answer; a client's history may hold what others have signed.
local reads = {}

function reads.text(text, field)
  return { type = "text", text = required(text, "string", field) }
end

-- The source of an image or document, into the part.
local function read_source(part, source, field)
  required(source, "object", field)
  if value(source.bytes) then
    part.bytes = required(source.bytes, "string", field .. ".bytes")
  elseif value(source.s3Location) then
    local place = required(source.s3Location, "object", field .. ".s3Location")
    part.file_id, part.dialect = required(place.uri, "string", field .. ".s3Location.uri"), dialect
    part.owner = optional(place.bucketOwner, "string", field .. ".s3Location.bucketOwner")
  elseif value(source.text) then
    part.text = required(source.text, "string", field .. ".text")
  elseif value(source.content) then
    local texts, blocks = {}, array({})
    for i, chunk in ipairs(parts.objects(source.content, field .. ".content")) do
      texts[i] = required(chunk.text, "string", field .. ".content[" .. (i - 1) .. "].text")
      blocks[i] = { type = "text", text = texts[i] }
    end
    -- Chunks are what citations count; they stay apart where the other side knows them too.
    part.text, part.source = table.concat(texts, "\n"), { type = "content", content = blocks }
  else
    fail(field, "must have bytes, text, content or s3Location")
  end
  return part
end

function reads.image(image, field)
  local format = required(required(image, "object", field).format, "string", field .. ".format")
  return read_source({ type = "image", at = field, media_type = image_types[format] or "image/" .. format },
    image.source, field .. ".source")
end

function reads.document(document, field)
  required(document, "object", field)
  local format = optional(document.format, "string", field .. ".format") or "txt"
  local citations = optional(document.citations, "object", field .. ".citations")
  return read_source({
    type = "document", at = field, media_type = document_types[format] or "application/" .. format,
    -- The name of a file elsewhere: Converse has its extension apart.
    title = required(document.name, "string", field .. ".name") .. "." .. format,
    context = optional(document.context, "string", field .. ".context"),
    citations_enabled = citations and optional(citations.enabled, "boolean", field .. ".citations.enabled") or nil,
  }, document.source, field .. ".source")
end

function reads.audio(audio, field)
  local format = required(required(audio, "object", field).format, "string", field .. ".format")
  local source = required(audio.source, "object", field .. ".source")
  return { type = "audio", at = field, format = format,
    bytes = required(source.bytes, "string", field .. ".source.bytes") }
end

-- In the normal form a video is a document of that type, as Gemini has it: who takes none refuses it.
function reads.video(video, field)
  local format = required(required(video, "object", field).format, "string", field .. ".format")
  return read_source({ type = "document", at = field, media_type = video_types[format] or "video/" .. format },
    video.source, field .. ".source")
end

function reads.toolUse(use, field)
  required(use, "object", field)
  local kind = value(use.type)
  if kind and kind ~= "tool_use" then
    return { type = "opaque", kind = kind, dialect = dialect, body = { toolUse = use }, at = field }
  end
  return { type = "tool_call", id = required(use.toolUseId, "string", field .. ".toolUseId"), at = field,
    name = required(use.name, "string", field .. ".name"),
    arguments = parts.raw_object(use.input, field, ".input") or json.raw("{}") }
end

function reads.toolResult(result, field, how, losses)
  required(result, "object", field)
  if value(result.type) then
    return { type = "opaque", kind = result.type, dialect = dialect, body = { toolResult = result }, at = field }
  end
  local part = { type = "tool_result", id = required(result.toolUseId, "string", field .. ".toolUseId"), parts = {},
    is_error = optional(result.status, "string", field .. ".status") == "error" or nil, at = field }
  for i, block in ipairs(parts.objects(result.content, field .. ".content")) do
    local raw = value(block.json)
    if raw ~= nil then
      part.parts[i] = { type = "text", text = json.text(raw), json = raw }
    else
      M.add_block(block, field .. ".content[" .. (i - 1) .. "]", part.parts, how, losses)
    end
  end
  return part
end

function reads.reasoningContent(content, field, how)
  required(content, "object", field)
  local redacted = optional(content.redactedContent, "string", field .. ".redactedContent")
  if redacted then return M.redacted_to_normal(redacted, how) end
  local said = required(content.reasoningText, "object", field .. ".reasoningText")
  local signature = optional(said.signature, "string", field .. ".reasoningText.signature")
  local signed_by = how.signer
  if signature and how.is_client then signature, signed_by = seals.open(signature, how.signer) end
  if signature == "" then signature = nil end
  return { type = "thinking", text = required(said.text, "string", field .. ".reasoningText.text"),
    signature = signature, signed_by = signature and signed_by or nil }
end

-- Converse carries bytes: of Claude's redacted thinking, which is text already, it shows the base64 of that text.
function M.redacted_to_normal(bytes, how)
  local text = how.signer == "anthropic" and base64.decode(bytes)
  if text and not text:find("[^%w+/=_:-]") then
    local signed_by = how.signer
    if how.is_client then text, signed_by = seals.open(text, signed_by) end
    return { type = "thinking", redacted = true, data = text, signed_by = signed_by }
  end
  return { type = "thinking", redacted = true, data = bytes, signed_by = "bedrock" }
end

function reads.guardContent(content, field, _, losses)
  local text = optional(required(content, "object", field).text, "object", field .. ".text")
  if not text then
    return { type = "opaque", kind = "guardContent", dialect = dialect, body = { guardContent = content }, at = field }
  end
  -- It is part of the prompt: without the guardrail it is still text.
  lose(losses, "guardContent(sent as text)")
  return { type = "text", text = required(text.text, "string", field .. ".text.text"), guard = content }
end

function M.citation_to_normal(citation, field)
  field = field or "citation"
  local place = optional(citation.location, "object", field, ".location") or {}
  local web, texts = optional(place.web, "object", field, ".location.web"), {}
  for i, source in ipairs(parts.objects(citation.sourceContent, field .. ".sourceContent")) do
    texts[#texts + 1] = optional(source.text, "string", field .. ".sourceContent[" .. (i - 1) .. "].text")
  end
  return {
    type = next(place) or "unknown", url = web and optional(web.url, "string", field, ".location.web.url"),
    title = optional(citation.title, "string", field, ".title")
      or web and optional(web.domain, "string", field, ".location.web.domain"),
    text = texts[1] and table.concat(texts) or nil, dialect = dialect, body = citation,
  }
end

function reads.citationsContent(content, field)
  local texts = {}
  for i, piece in ipairs(parts.objects(required(content, "object", field).content, field .. ".content")) do
    texts[i] = required(piece.text, "string", field .. ".content[" .. (i - 1) .. "].text")
  end
  local part = { type = "text", text = table.concat(texts), citations = {} }
  for i, citation in ipairs(parts.objects(content.citations, field .. ".citations")) do
    part.citations[i] = M.citation_to_normal(citation, field .. ".citations[" .. (i - 1) .. "]")
  end
  if #part.citations == 0 then part.citations = nil end
  return part
end

local marker_ages = { ["5m"] = "5m", ["1h"] = "1h" }

-- A cache point marks all that stands before it; in the normal form the part before it carries the mark.
function M.cache_of(point, field)
  optional(required(point, "object", field).type, "string", field, ".type")
  return { type = "ephemeral", ttl = marker_ages[optional(point.ttl, "string", field, ".ttl")] }
end

-- The member that says what a block is; of several one that is read.
local function kind_of(block)
  local found, content
  for kind, inner in pairs(block) do
    if inner ~= json.null and (not found or reads[kind]) then found, content = kind, inner end
  end
  return found, content
end

-- Reads one block into a list of parts. What only Converse knows (searchResult, server tools) stays whole as an opaque
-- part.
function M.add_block(block, field, into, how, losses)
  local kind, content = kind_of(block)
  if not kind then fail(field, "is empty; it must have text, image, document, toolUse or another member") end
  for other, inner in pairs(block) do
    if how.is_client and other ~= kind and inner ~= json.null then
      fail(field, "has more than one member; it must be one of text, image, document, toolUse or another")
    end
  end
  if how.is_answer and reads[kind] then
    parts.lose_unknown(losses, block, { [kind] = true }, "output.message.content[].")
  end
  local last = into[#into]
  if kind == "cachePoint" and last then
    last.cache = M.cache_of(content, field .. ".cachePoint")
    return
  end
  local read = reads[kind]
  into[#into + 1] = read and read(content, field .. "." .. kind, how, losses)
    or { type = "opaque", kind = kind, dialect = dialect, body = block, at = field }
end

function M.add_blocks(content, field, into, how, losses)
  for i, block in ipairs(optional(content, "array", field) or {}) do
    local text = type(block) == "table" and block.text
    if type(text) == "string" and not next(block, "text") and next(block) == "text" then
      into[#into + 1] = { type = "text", text = text }
    else
      local path = field .. "[" .. (i - 1) .. "]"
      M.add_block(required(block, "object", path), path, into, how, losses)
    end
  end
  return into
end

----- blocks, normal → Converse

-- writes[type](part, how): how = { rename, quirks, losses, is_answer, is_own, family, names }; nil when nothing is left
-- to send.
local writes = {}

-- A citation of any dialect as Converse has it. Only what Converse made itself, and web pages, keep their place.
local function citation_from_normal(citation, losses)
  if citation.dialect == dialect and citation.body then return citation.body end
  local web = citation.url and { url = citation.url, domain = citation.url:match("//([^/]+)") }
  if not web and losses then lose(losses, "message.annotations(place in the document)") end
  return { title = citation.title, location = web and { web = web } or nil,
    sourceContent = citation.text and array({ { text = citation.text } }) or nil }
end
M.citation_from_normal = citation_from_normal

function M.citations_from_normal(citations, losses)
  local list = array({})
  for i, citation in ipairs(citations) do list[i] = citation_from_normal(citation, losses) end
  return list
end

-- In a request only Converse's own are certain to be taken.
local function own_citations(citations)
  local list = array({})
  for _, citation in ipairs(citations) do
    if citation.dialect == dialect then list[#list + 1] = citation_from_normal(citation) end
  end
  return list
end

function writes.text(part, how)
  if part.guard and how.is_own then return { guardContent = part.guard } end
  local citations = part.citations
  if citations then
    local list = how.is_answer and M.citations_from_normal(citations, how.losses) or own_citations(citations)
    if #list > 0 then return { citationsContent = { content = array({ { text = part.text } }), citations = list } } end
    if not how.is_answer then lose(how.losses, "messages[].content[].citations") end
  end
  -- The API refuses blank text in requests; in an answer it is the model's own.
  if not how.is_answer and parts.is_blank(part.text) then return nil end
  return { text = part.text }
end

function writes.refusal(part)
  if parts.is_blank(part.text) then return nil end
  return { text = part.text }
end

local function s3_place(part)
  local uri = part.url or part.file_id
  if part.url and part.url:sub(1, 5) ~= "s3://" then
    fail(part.at or "messages", "is a URL; this provider takes the " .. part.type .. "'s bytes, or an s3:// address")
  elseif part.file_id and part.dialect ~= dialect then
    fail(part.at or "messages", "the " .. part.type .. " is a file id; it belongs to another provider and cannot be "
      .. "sent here")
  end
  return { s3Location = { uri = uri, bucketOwner = part.owner } }
end

function writes.image(part, how)
  if part.detail and part.detail ~= "auto" then lose(how.losses, "messages[].content[].image_url.detail") end
  local media_type = part.media_type
  if media_type == "image/jpg" then media_type = "image/jpeg" end
  local format = media_type and image_formats[media_type]
  if part.bytes then
    if not format then
      fail(part.at or "messages", "is " .. (media_type or "of no known type") .. "; this provider takes png, jpeg, gif "
        .. "and webp")
    end
    return { image = { format = format, source = { bytes = part.bytes } } }
  end
  format = format or (part.url or part.file_id):match("%.(%a+)$")
  if format == "jpg" then format = "jpeg" end
  return { image = { format = format or "png", source = s3_place(part) } }
end

local name_max = 200

-- A name that Converse takes, each one once in a request; without the extension that says the format again.
local function document_name(title, format, how)
  local names = how.names
  names.count = (names.count or 0) + 1
  if title and title:lower():sub(-#format - 1) == "." .. format then title = title:sub(1, -#format - 2) end
  local name = (title or ""):gsub("[^%w%s()%[%]_-]", " "):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
  name = name:sub(1, name_max)
  if name == "" then name = "Document " .. names.count end
  local free, n = name, 1
  while names[free] do
    n = n + 1
    free = name .. " (" .. n .. ")"
  end
  names[free] = true
  if title and free ~= title then lose(how.losses, "messages[].content[].title(characters replaced)") end
  return free
end

local function video_from_part(part)
  local format = video_formats[part.media_type]
  if not format then
    fail(part.at or "messages", "is " .. part.media_type .. "; this provider takes mp4, mov, mkv, webm, flv, mpeg, wmv "
      .. "and 3gp")
  end
  return { video = { format = format, source = part.bytes and { bytes = part.bytes } or s3_place(part) } }
end

function writes.document(part, how)
  if part.media_type and part.media_type:find("^video/") then return video_from_part(part) end
  local source
  local format = document_formats[part.media_type or "text/plain"]
  if part.source and part.source.type == "content" and type(part.source.content) == "table" then
    local chunks = array({})
    for _, block in ipairs(part.source.content) do
      if block.type == "text" then chunks[#chunks + 1] = { text = block.text } end
    end
    source = { content = chunks }
  elseif part.text then
    source, format = { text = part.text }, format or "txt"
  elseif part.bytes then
    source = { bytes = part.bytes }
  else
    source = s3_place(part)
    format = format or "pdf"
  end
  if not format then
    fail(part.at or "messages", "is " .. part.media_type .. "; this provider takes pdf, csv, doc, docx, xls, xlsx, "
      .. "html, txt and md")
  end
  return { document = {
    format = format, name = document_name(part.title, format, how), source = source, context = part.context,
    citations = part.citations_enabled and { enabled = true } or nil,
  } }
end

function M.redacted_from_normal(data, signed_by)
  if signed_by == "bedrock" then return data end
  return base64.encode(seals.close(data, signed_by, "anthropic"))
end

function M.signature_from_normal(signature, signed_by)
  return seals.close(signature, signed_by, "anthropic")
end

function writes.thinking(part, how)
  -- A model takes only what it has signed itself; unsigned thinking must not be replayed. Clients get all of it.
  local is_shown = how.is_answer or how.is_own and not part.signed_by
  if not is_shown and part.signed_by ~= M.signer(how.family) then
    return lose(how.losses, "messages[].thinking(" .. (part.signed_by and "signed by " .. part.signed_by or "unsigned")
      .. ")")
  end
  if part.redacted then
    return { reasoningContent = { redactedContent = M.redacted_from_normal(part.data, part.signed_by) } }
  end
  local signature = part.signature and M.signature_from_normal(part.signature, part.signed_by)
  return { reasoningContent = { reasoningText = { text = part.text, signature = signature } } }
end

function writes.tool_call(part, how)
  local input, is_wrapped = parts.arguments_object(part)
  if is_wrapped then lose(how.losses, "messages[].tool_calls[].function.arguments(not an object)") end
  local id = how.is_answer and part.id or parts.call_id(part.id, how.quirks, true)
  return { toolUse = { toolUseId = id, name = how.rename(part.name), input = input } }
end

function writes.tool_result(part, how)
  local content = array({})
  for _, inner in ipairs(part.parts) do
    local block
    if inner.json ~= nil then
      block = { json = inner.json }
    elseif inner.type == "text" then
      block = inner.text ~= "" and { text = inner.text } or nil
    else
      block = M.block_from_part(inner, how)
    end
    content[#content + 1] = block
  end
  return { toolResult = { toolUseId = parts.call_id(part.id, how.quirks, true), content = content,
    status = part.is_error and "error" or nil } }
end

function writes.opaque(part, how)
  if part.dialect == dialect then return part.body end
  return lose(how.losses, "messages[].content[](" .. part.kind .. ")")
end

function M.block_from_part(part, how)
  local write = writes[part.type]
  if not write then fail(part.at or "messages", "is " .. part.type .. ", which this provider does not take") end
  return write(part, how)
end

-- What Converse has for a cache marker; nil, and a loss, where the model has none.
function M.cache_point(cache, how)
  if how.quirks.cache_points == false then return lose(how.losses, "cache_control") end
  return { cachePoint = { type = "default", ttl = cache.ttl == "1h" and "1h" or nil } }
end

function M.blocks_from_parts(list, how)
  local blocks = array({})
  for _, part in ipairs(list) do
    local block = M.block_from_part(part, how)
    blocks[#blocks + 1] = block
    if block and part.cache then blocks[#blocks + 1] = M.cache_point(part.cache, how) end
  end
  return blocks
end

----- stop reasons

local reasons = {
  end_turn = "stop", stop_sequence = "stop_sequence", max_tokens = "length", tool_use = "tool_calls",
  model_context_window_exceeded = "context_window", guardrail_intervened = "content_filter",
  content_filtered = "content_filter", malformed_model_output = "error", malformed_tool_use = "error",
}

-- fields: additionalModelResponseFields, where Claude's answer has the text that stopped it when it was asked for.
function M.finish_to_normal(raw, has_calls, fields)
  local reason = raw and reasons[raw]
  if not reason or reason == "stop" and has_calls then
    if raw and not reason then gw.log.warn("unknown stopReason \"" .. raw .. "\" taken as end_turn") end
    reason = has_calls and "tool_calls" or "stop"
  end
  local text = type(fields) == "table" and fields.stop_sequence
  return { reason = reason, raw = raw, dialect = dialect, stop_sequence = type(text) == "string" and text or nil }
end

local stop_reasons = {
  stop = "end_turn", stop_sequence = "stop_sequence", pause = "end_turn", length = "max_tokens",
  context_window = "model_context_window_exceeded", tool_calls = "tool_use", content_filter = "content_filtered",
  error = "end_turn",
}

-- additionalModelResponseFields of an answer: what stopped it; nil when that is not known.
function M.fields_from_normal(finish)
  return finish.stop_sequence and { stop_sequence = finish.stop_sequence } or nil
end

-- `has_refusal`: the model refused in words; OpenAI ends such an answer with "stop".
function M.finish_from_normal(finish, has_refusal, losses)
  if finish.dialect == dialect and finish.raw then return finish.raw end
  if finish.reason == "pause" or finish.reason == "error" then
    lose(losses, "finish_reason(" .. finish.reason .. " sent as end_turn)")
  end
  if has_refusal and finish.reason == "stop" then return "content_filtered" end
  return stop_reasons[finish.reason] or "end_turn"
end

----- usage

-- Converse's inputTokens leaves out what the cache served or took; the normal form counts it in.
function M.usage_to_normal(given)
  local read, written = value(given.cacheReadInputTokens), value(given.cacheWriteInputTokens)
  local usage = {
    input_tokens = (value(given.inputTokens) or 0) + (read or 0) + (written or 0),
    output_tokens = value(given.outputTokens) or 0,
    cache_read_tokens = read, cache_write_tokens = written,
  }
  for _, detail in ipairs(value(given.cacheDetails) or {}) do
    if value(detail.ttl) == "1h" then usage.cache_write_1h_tokens = value(detail.inputTokens) end
  end
  return usage
end

local unknown_counters = { "reasoning_tokens", "audio_input_tokens", "audio_output_tokens", "server_tools" }

function M.usage_from_normal(usage, losses)
  usage = usage or {}
  for _, name in ipairs(unknown_counters) do
    if usage[name] and usage[name] ~= 0 then lose(losses, "usage." .. name) end
  end
  local read, written = usage.cache_read_tokens, usage.cache_write_tokens
  local input, output = usage.input_tokens or 0, usage.output_tokens or 0
  local body = {
    inputTokens = math.max(0, input - (read or 0) - (written or 0)), outputTokens = output,
    totalTokens = input + output, cacheReadInputTokens = read, cacheWriteInputTokens = written,
  }
  if usage.cache_write_1h_tokens then
    body.cacheDetails = array({ { ttl = "1h", inputTokens = usage.cache_write_1h_tokens },
      { ttl = "5m", inputTokens = (written or 0) - usage.cache_write_1h_tokens } })
  end
  return body
end

return M
