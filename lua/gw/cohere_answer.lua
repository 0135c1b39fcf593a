-- cohere.chat: what answers have: citations, finish reasons, usage and log probabilities, to and from the normal form.
-- Shared by the dialect file (whole answers) and by the streams; both are told the same.
-- It does not know about answers as a whole.

local parts = require("gw.parts")

local json = gw.json
local value, optional, required, lose = parts.value, parts.optional, parts.required, parts.lose
local array = json.array

local M = {}

local dialect = "cohere.chat"

----- citations

-- start and end count characters of one content item; base: of the texts before it.
function M.citation_to_normal(citation, base)
  local field = "citations"
  local source = parts.objects(required(citation, "object", field).sources, field .. "[].sources")[1] or {}
  local document = optional(source.document, "object", field, "[].sources[].document") or {}
  if json.is_raw(document) then document = json.decode(json.text(document)) end
  local from = optional(citation.start, "number", field, "[].start")
  local to = optional(citation["end"], "number", field, "[].end")
  return {
    type = optional(source.type, "string", field, "[].sources[].type") or "document",
    url = type(document.url) == "string" and document.url or nil,
    title = type(document.title) == "string" and document.title or nil,
    text = optional(citation.text, "string", field, "[].text"),
    start_index = from and from + base, end_index = to and to + base,
    dialect = dialect, body = citation,
  }
end

local function characters(text, from, to)
  local first = utf8.offset(text, from + 1)
  local last = utf8.offset(text, to + 1)
  if not first then return "" end
  return text:sub(first, last and last - 1 or #text)
end

-- Does it say which characters it cites? Some servers send 0 and 0 when they do not know.
function M.is_placed(citation)
  return citation.start_index ~= nil and citation.start_index < (citation.end_index or math.maxinteger)
end

-- The text item that a citation cites: the one its place is in, else `item`. items: all text items so far, in order,
-- each { base, texts, number }; base: characters before it, number: its index among the content items.
function M.cited_item(citation, items, item)
  if not M.is_placed(citation) then return item end
  for i = #items, 1, -1 do
    if items[i].base <= citation.start_index then return items[i] end
  end
  return item
end

-- from, to: the cited characters of the item, where the citation does not say.
function M.citation_from_normal(citation, item, from, to)
  if citation.dialect == dialect and citation.body then return citation.body end
  if M.is_placed(citation) then
    from, to = citation.start_index - item.base, (citation.end_index or item.base + to) - item.base
  end
  local document = { title = citation.title, url = citation.url, text = citation.text }
  return { start = from, ["end"] = to, text = characters(table.concat(item.texts), from, to), type = "TEXT_CONTENT",
    content_index = item.number, sources = array({
      { type = "document", id = citation.url or citation.title or "doc:0", document = document } }) }
end

-- Gives the citations of a whole message to its parts; those with a URL to the whole text, as Chat has them.
function M.place_citations(citations, found, by_item)
  local bases, length, first_text = {}, 0, nil
  for _, part in ipairs(found) do
    if part.type == "text" then
      first_text = first_text or part
      bases[part] = length
      length = length + (utf8.len(part.text) or #part.text)
    end
  end
  for _, raw in ipairs(citations) do
    local part = by_item[value(raw.content_index) or -1] or first_text or found[1]
    local citation = M.citation_to_normal(raw, bases[part] or 0)
    if citation.url then
      found.citations = found.citations or {}
      table.insert(found.citations, citation)
    elseif part then
      part.citations = part.citations or {}
      table.insert(part.citations, citation)
    end
  end
end

----- finish reasons

-- The last three are words of the API's first version that some deployments still send.
local reasons = {
  COMPLETE = "stop", STOP_SEQUENCE = "stop_sequence", MAX_TOKENS = "length", TOOL_CALL = "tool_calls", ERROR = "error",
  TIMEOUT = "error", ERROR_TOXIC = "content_filter", ERROR_LIMIT = "context_window", USER_CANCEL = "stop",
}

function M.finish_to_normal(raw, has_calls)
  local reason = raw and reasons[raw]
  if raw and not reason then gw.log.warn("unknown finish_reason \"" .. raw .. "\" taken as COMPLETE") end
  if not reason or reason == "stop" then reason = has_calls and "tool_calls" or "stop" end
  return { reason = reason, raw = raw, dialect = dialect }
end

-- What the client is told of an answer that has nothing but ERROR, or that ran into TIMEOUT.
function M.failure(raw, message)
  if raw == "TIMEOUT" then
    return { status = 504, class = "timeout", message = message or "The provider ran out of time." }
  end
  return { status = 502, class = "server", message = message or "The provider ended the answer with an error." }
end

local words = {
  stop = "COMPLETE", stop_sequence = "STOP_SEQUENCE", pause = "COMPLETE", length = "MAX_TOKENS",
  context_window = "MAX_TOKENS", tool_calls = "TOOL_CALL", content_filter = "ERROR_TOXIC", error = "ERROR",
}

-- A filtered answer or a refusal must not look complete; ERROR_TOXIC is the API's own word for the first.
function M.finish_from_normal(finish, has_refusal, losses)
  if finish.reason == "pause" then lose(losses, "finish_reason(pause sent as COMPLETE)") end
  if has_refusal and finish.reason == "stop" then return "ERROR_TOXIC" end
  return words[finish.reason] or "COMPLETE"
end

----- usage

local function count(v)
  v = optional(v, "number", "usage")
  return v and (math.tointeger(v) or v)
end

-- `tokens` is what the model saw and wrote; image tokens are counted beside its input. `billed_units` is what is paid
-- for, kept as `billed`.
function M.usage_to_normal(usage)
  usage = optional(usage, "object", "usage")
  if not usage then return nil end
  local billed = optional(usage.billed_units, "object", "usage.billed_units")
  local tokens = optional(usage.tokens, "object", "usage.tokens") or billed or {}
  local paid
  if billed then
    paid = { input_tokens = count(billed.input_tokens) or 0, output_tokens = count(billed.output_tokens) or 0 }
  end
  return {
    input_tokens = (count(tokens.input_tokens) or 0) + (count(tokens.image_tokens) or 0),
    output_tokens = count(tokens.output_tokens) or 0,
    cache_read_tokens = count(usage.cached_tokens),
    reasoning_tokens = count(tokens.reasoning_tokens),
    billed = paid,
  }
end

local uncounted = { "cache_write_tokens", "cache_write_1h_tokens", "audio_input_tokens", "audio_output_tokens" }

function M.usage_from_normal(usage, losses)
  usage = usage or {}
  local input, output = usage.input_tokens or 0, usage.output_tokens or 0
  for _, name in ipairs(uncounted) do
    if (usage[name] or 0) > 0 then lose(losses, "usage." .. name) end
  end
  if usage.server_tools then lose(losses, "usage.server_tool_use") end
  return {
    billed_units = usage.billed or { input_tokens = input, output_tokens = output },
    tokens = { input_tokens = input, output_tokens = output, reasoning_tokens = usage.reasoning_tokens },
    cached_tokens = usage.cache_read_tokens,
  }
end

----- log probabilities. The normal form has Chat's object: { content = { { token, logprob, … } } }

-- list: of { text, token_ids, logprobs }; the tokens of one entry share its text, so their probability is the product.
function M.logprobs_to_normal(list)
  local content = array({})
  for i, entry in ipairs(list) do
    local sum = 0
    for _, logprob in ipairs(value(entry.logprobs) or {}) do sum = sum + logprob end
    content[i] = { token = value(entry.text) or "", logprob = sum, bytes = json.null, top_logprobs = array({}) }
  end
  return { content = content, refusal = json.null }
end

-- Token ids are the provider's own and not known here.
function M.logprobs_from_normal(logprobs)
  if json.is_raw(logprobs) then logprobs = json.decode(json.text(logprobs)) end
  local list = array({})
  for i, entry in ipairs(type(logprobs) == "table" and value(logprobs.content) or {}) do
    list[i] = { text = entry.token, token_ids = array({}), logprobs = array({ entry.logprob }) }
  end
  return list
end

return M
