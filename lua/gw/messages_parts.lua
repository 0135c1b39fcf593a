-- anthropic.messages: content blocks, stop reasons and usage, to and from the normal form. Shared by the dialect file
-- (whole bodies) and by the streams. Facts and quirks: see adapters/dialects/anthropic_messages.lua.
-- It does not know about requests or answers as a whole.

local base64 = require("gw.base64")
local content_list = require("gw.content_list")
local parts = require("gw.parts")
local seals = require("gw.seals")

local json = gw.json
local value, optional, required, lose, fail = parts.value, parts.optional, parts.required, parts.lose, parts.fail
local array = json.array

local M = {}

local dialect = "anthropic.messages"

----- blocks, Anthropic → normal

local read = {}

function M.citation_to_normal(citation)
  return { type = value(citation.type) or "unknown", url = value(citation.url), title = value(citation.title)
    or value(citation.document_title), text = value(citation.cited_text), dialect = dialect, body = citation }
end

function read.text(block, field)
  local part = { type = "text", text = required(block.text, "string", field, ".text") }
  local citations = parts.objects(block.citations, field .. ".citations")
  if #citations > 0 then
    part.citations = {}
    for i, citation in ipairs(citations) do part.citations[i] = M.citation_to_normal(citation) end
  end
  return part
end

-- The source of an image or document, into the part.
local function read_source(part, source, field)
  required(source, "object", field)
  local kind = required(source.type, "string", field, ".type")
  if kind == "base64" then
    part.media_type = required(source.media_type, "string", field, ".media_type")
    part.bytes = required(source.data, "string", field, ".data")
  elseif kind == "url" then
    part.url = required(source.url, "string", field, ".url")
  elseif kind == "file" then
    part.file_id, part.dialect = required(source.file_id, "string", field, ".file_id"), dialect
  elseif kind == "text" then
    optional(source.media_type, "string", field, ".media_type")
    part.text, part.media_type = required(source.data, "string", field, ".data"), "text/plain"
  elseif kind == "content" then
    part.text, part.source = M.plain_text(source.content, field .. ".content"), source
  else
    fail(field .. ".type", "is \"" .. kind .. "\", which is not known")
  end
  return part
end

-- The text of a string or of a list of text blocks.
function M.plain_text(content, field)
  if type(content) == "string" then return content end
  local texts = {}
  parts.or_text(content, "array", field)
  for i, block in ipairs(parts.objects(content, field)) do
    if required(block.type, "string", field .. "[" .. (i - 1) .. "].type") == "text" then
      texts[#texts + 1] = required(block.text, "string", field .. "[" .. (i - 1) .. "].text")
    end
  end
  return table.concat(texts, "\n")
end

function read.image(block, field)
  return read_source({ type = "image", at = field }, block.source, field .. ".source")
end

function read.document(block, field)
  local part = { type = "document", at = field, title = optional(block.title, "string", field, ".title"),
    context = optional(block.context, "string", field, ".context") }
  local citations = optional(block.citations, "object", field, ".citations")
  if citations and optional(citations.enabled, "boolean", field, ".citations.enabled") then
    part.citations_enabled = true
  end
  return read_source(part, block.source, field .. ".source")
end

function read.thinking(block, field)
  local signature = optional(block.signature, "string", field, ".signature")
  local signed_by
  if signature == "" then signature = nil end
  if signature then signature, signed_by = seals.open(signature, "anthropic") end
  return { type = "thinking", text = required(block.thinking, "string", field, ".thinking"), signature = signature,
    signed_by = signed_by }
end

function read.redacted_thinking(block, field)
  local sealed, signed_by = seals.open(required(block.data, "string", field, ".data"), "anthropic")
  return { type = "thinking", redacted = true, data = sealed, signed_by = signed_by }
end

function read.tool_use(block, field)
  return { type = "tool_call", id = required(block.id, "string", field, ".id"), at = field,
    name = required(block.name, "string", field, ".name"),
    arguments = parts.raw_object(block.input, field, ".input") or json.raw("{}") }
end

function read.tool_result(block, field)
  local part = { type = "tool_result", id = required(block.tool_use_id, "string", field, ".tool_use_id"),
    is_error = optional(block.is_error, "boolean", field, ".is_error") or nil, parts = {}, at = field }
  M.add_blocks(block.content, field .. ".content", part.parts)
  return part
end

-- Reads a string or a list of blocks into a list of parts. Blocks that only Anthropic knows (server tools and their
-- results, uploads, search results) stay whole as opaque parts.
M.add_blocks = content_list.reader { dialect = dialect, read = read, mark = function(part, block, path, is_read)
  if is_read then part.cache = optional(block.cache_control, "object", path, ".cache_control") end
end }

----- blocks, normal → Anthropic

-- For `write[type](part, how)`: how = { rename, quirks, losses, is_answer }; nil when nothing is left to send.
local write = {}

function write.text(part, how)
  -- The API refuses blank text in requests; in an answer it is the model's own.
  if not how.is_answer and parts.is_blank(part.text) then return nil end
  local block = { type = "text", text = part.text }
  if part.citations then
    local citations = array({})
    for _, citation in ipairs(part.citations) do
      if citation.dialect == dialect then citations[#citations + 1] = citation.body end
    end
    if #citations > 0 then
      block.citations = citations
    else
      lose(how.losses, "messages[].content[].citations")
    end
  end
  return block
end

function write.refusal(part)
  if parts.is_blank(part.text) then return nil end
  return { type = "text", text = part.text }
end

-- The source of a file that is not sent along.
local function source_elsewhere(part)
  if part.url then return { type = "url", url = part.url } end
  if part.dialect == dialect then return { type = "file", file_id = part.file_id } end
  fail(part.at or "messages", "the " .. part.type .. " is a file id; it belongs to another provider and cannot be sent "
    .. "here")
end

function write.image(part, how)
  if part.detail and part.detail ~= "auto" then lose(how.losses, "messages[].content[].image_url.detail") end
  return { type = "image", source = part.bytes
    and { type = "base64", media_type = part.media_type, data = part.bytes } or source_elsewhere(part) }
end

local longest_text_bytes = 64 * 1024

-- Bytes are taken of PDFs alone; a text in base64 is sent as text. Decoding takes a worker's time: hence the limit.
local function source_of_bytes(part)
  local media_type = part.media_type
  if media_type == "application/pdf" then return { type = "base64", media_type = media_type, data = part.bytes } end
  if not media_type:find("^text/") then
    fail(part.at or "messages", "is " .. media_type .. "; this provider takes PDFs and plain text")
  elseif #part.bytes > longest_text_bytes then
    fail(part.at or "messages", "is a text of more than 64 KiB as base64; send it as text")
  end
  local text = base64.decode(part.bytes)
  if not text or not utf8.len(text) then fail(part.at or "messages", "is not the base64 of UTF-8 text") end
  return { type = "text", media_type = "text/plain", data = text }
end

function write.document(part)
  local source
  if part.source then
    source = part.source
  elseif part.text then
    source = { type = "text", media_type = "text/plain", data = part.text }
  elseif part.bytes then
    source = source_of_bytes(part)
  else
    source = source_elsewhere(part)
  end
  return { type = "document", source = source, title = part.title, context = part.context,
    citations = part.citations_enabled and { enabled = true } or nil }
end

function write.audio(part)
  fail(part.at or "messages", "is audio, which this provider does not take")
end

function write.thinking(part, how)
  local is_own = part.signed_by == "anthropic"
  -- Claude takes only what it has signed itself; unsigned text must not be replayed. Clients keep what anybody signed.
  if part.redacted then
    if not is_own and not how.is_answer then
      return lose(how.losses, "messages[].reasoning_details(not Anthropic's)")
    end
    return { type = "redacted_thinking", data = seals.close(part.data, part.signed_by, "anthropic") }
  end
  if not how.is_answer and not (is_own and part.signature) then
    return lose(how.losses, "messages[].thinking(" .. (part.signature and "not Anthropic's" or "unsigned") .. ")")
  end
  -- Clients demand the field. A block whose signature is empty is not sent back to a model later.
  return { type = "thinking", thinking = part.text,
    signature = part.signature and seals.close(part.signature, part.signed_by, "anthropic") or "" }
end

function write.tool_call(part, how)
  local input, is_wrapped = parts.arguments_object(part)
  if is_wrapped then lose(how.losses, "messages[].tool_calls[].function.arguments(not an object)") end
  return { type = "tool_use", id = parts.call_id(part.id, how.quirks, true), name = how.rename(part.name),
    input = input }
end

function write.tool_result(part, how)
  local content = M.blocks_from_parts(part.parts, how)
  local block = { type = "tool_result", tool_use_id = parts.call_id(part.id, how.quirks, true),
    is_error = part.is_error }
  if #content == 1 and content[1].type == "text" and not content[1].cache_control then
    block.content = content[1].text
  elseif #content > 0 then
    block.content = content
  end
  return block
end

function write.opaque(part, how)
  if part.dialect == dialect then return part.body end
  lose(how.losses, "messages[].content[](" .. part.kind .. ")")
  return nil
end

function M.block_from_part(part, how)
  local block = write[part.type](part, how)
  if block and part.cache and part.type ~= "opaque" then block.cache_control = part.cache end
  return block
end

function M.blocks_from_parts(list, how)
  local blocks = array({})
  for _, part in ipairs(list) do
    blocks[#blocks + 1] = M.block_from_part(part, how)
  end
  return blocks
end

----- stop reasons

local reasons = {
  end_turn = "stop", stop_sequence = "stop_sequence", pause_turn = "pause", max_tokens = "length",
  model_context_window_exceeded = "context_window", tool_use = "tool_calls", refusal = "content_filter",
}

function M.finish_to_normal(raw, stop_sequence, has_calls)
  local reason = raw and reasons[raw]
  if not reason then
    if raw then gw.log.warn("unknown stop_reason \"" .. raw .. "\" taken as end_turn") end
    reason = has_calls and "tool_calls" or "stop"
  end
  return { reason = reason, raw = raw, dialect = dialect, stop_sequence = stop_sequence }
end

local stop_reasons = {
  stop = "end_turn", stop_sequence = "stop_sequence", pause = "pause_turn", length = "max_tokens",
  context_window = "model_context_window_exceeded", tool_calls = "tool_use", content_filter = "refusal",
  error = "end_turn",
}

-- `has_refusal`: the model refused in words; OpenAI ends such an answer with "stop".
function M.finish_from_normal(finish, has_refusal, losses)
  if finish.dialect == dialect and finish.raw then return finish.raw end
  if finish.reason == "error" then lose(losses, "stop_reason(error sent as end_turn)") end
  if has_refusal and finish.reason == "stop" then return "refusal" end
  return stop_reasons[finish.reason] or "end_turn"
end

----- usage

local counters = { "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens" }

-- A usage object of the normal form with room for what is set in it.
function M.new_usage()
  return { own = nil, input_tokens = nil, output_tokens = nil, cache_read_tokens = nil, cache_write_tokens = nil,
    service_tier = nil }
end

-- Sets what the usage object names in `usage` (normal form, inclusive) and leaves the rest: a later message_delta
-- corrects, it never adds. Anthropic's own parts are kept beside, since its input_tokens excludes cached ones.
function M.merge_usage(usage, given)
  local own = usage.own
  if own then
    for _, name in ipairs(counters) do
      local n = value(given[name])
      if n then own[name] = n end
    end
  else
    own = {
      input_tokens = value(given.input_tokens), output_tokens = value(given.output_tokens),
      cache_read_input_tokens = value(given.cache_read_input_tokens),
      cache_creation_input_tokens = value(given.cache_creation_input_tokens),
    }
    usage.own = own
  end
  usage.input_tokens = (own.input_tokens or 0) + (own.cache_read_input_tokens or 0)
    + (own.cache_creation_input_tokens or 0)
  usage.output_tokens = own.output_tokens or 0
  usage.cache_read_tokens = own.cache_read_input_tokens
  usage.cache_write_tokens = own.cache_creation_input_tokens
  local details = value(given.output_tokens_details)
  if details then usage.reasoning_tokens = value(details.thinking_tokens) or usage.reasoning_tokens end
  local ages = value(given.cache_creation)
  if ages then usage.cache_write_1h_tokens = value(ages.ephemeral_1h_input_tokens) end
  local tools = value(given.server_tool_use)
  if tools then usage.server_tools = tools end
  usage.service_tier = value(given.service_tier) or usage.service_tier
  return usage
end

function M.usage_from_normal(usage, losses)
  usage = usage or {}
  if (usage.audio_input_tokens or 0) + (usage.audio_output_tokens or 0) > 0 then lose(losses, "usage.audio_tokens") end
  local cached, written = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
  local body = {
    input_tokens = math.max(0, (usage.input_tokens or 0) - cached - written),
    cache_read_input_tokens = cached,
    cache_creation_input_tokens = written,
    output_tokens = usage.output_tokens or 0,
    server_tool_use = usage.server_tools,
  }
  if usage.cache_write_1h_tokens then
    body.cache_creation = { ephemeral_1h_input_tokens = usage.cache_write_1h_tokens,
      ephemeral_5m_input_tokens = written - usage.cache_write_1h_tokens }
  end
  if usage.reasoning_tokens then body.output_tokens_details = { thinking_tokens = usage.reasoning_tokens } end
  return body
end

return M
