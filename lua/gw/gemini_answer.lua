-- gemini: what an answer says beside its parts, to and from the normal form: finish reasons, usage, citations, logprobs
-- and errors. Shared by the dialect file (whole bodies) and by the streams. Source: Gemini API reference
-- "GenerateContentResponse", and recorded exchanges.
-- It does not know about parts, requests or answers as a whole.

local parts = require("gw.parts")

local json = gw.json
local value, lose = parts.value, parts.lose
local array = json.array

local M = {}

local dialect = "gemini"

----- finish reasons

local reasons = {
  STOP = "stop", MAX_TOKENS = "length", SAFETY = "content_filter", RECITATION = "content_filter",
  LANGUAGE = "content_filter", BLOCKLIST = "content_filter", PROHIBITED_CONTENT = "content_filter",
  SPII = "content_filter", IMAGE_SAFETY = "content_filter", IMAGE_PROHIBITED_CONTENT = "content_filter",
  IMAGE_RECITATION = "content_filter", MODEL_ARMOR = "content_filter", OTHER = "error", IMAGE_OTHER = "error",
  NO_IMAGE = "error", MALFORMED_FUNCTION_CALL = "error", MALFORMED_RESPONSE = "error", UNEXPECTED_TOOL_CALL = "error",
  TOO_MANY_TOOL_CALLS = "error", MISSING_THOUGHT_SIGNATURE = "error",
}

-- `blocked`: promptFeedback.blockReason, of an answer without candidates.
function M.finish_to_normal(raw, has_calls, blocked)
  if raw == "" or raw == "FINISH_REASON_UNSPECIFIED" then raw = nil end
  local reason = raw and reasons[raw]
  if blocked and not raw then raw, reason = blocked, "content_filter" end
  if raw and not reason then
    gw.log.warn("unknown finishReason \"" .. raw .. "\" taken as STOP")
    reason = "stop"
  end
  if not reason or reason == "stop" or reason == "error" and has_calls then
    reason = has_calls and "tool_calls" or "stop"
  end
  return { reason = reason, raw = raw, dialect = dialect }
end

local finish_reasons = {
  stop = "STOP", stop_sequence = "STOP", pause = "STOP", tool_calls = "STOP", length = "MAX_TOKENS",
  context_window = "MAX_TOKENS", content_filter = "SAFETY", error = "OTHER",
}

-- `has_refusal`: the model refused in words; OpenAI ends such an answer with "stop".
function M.finish_from_normal(finish, has_refusal, losses)
  if finish.dialect == dialect and finish.raw then return reasons[finish.raw] and finish.raw or "SAFETY" end
  if finish.stop_sequence or finish.reason == "stop_sequence" then lose(losses, "stop_sequence") end
  if finish.reason == "pause" then lose(losses, "finishReason(pause sent as STOP)") end
  if has_refusal and finish.reason == "stop" then return "SAFETY" end
  return finish_reasons[finish.reason] or "STOP"
end

----- usage

local function of_modality(details, name)
  for _, entry in ipairs(value(details) or {}) do
    if value(entry.modality) == name then return value(entry.tokenCount) end
  end
  return nil
end

-- candidatesTokenCount leaves thoughts out, promptTokenCount what tools have put into the prompt.
function M.usage_to_normal(usage)
  if not usage then return nil end
  local thoughts = value(usage.thoughtsTokenCount)
  return {
    input_tokens = (value(usage.promptTokenCount) or 0) + (value(usage.toolUsePromptTokenCount) or 0),
    output_tokens = (value(usage.candidatesTokenCount) or 0) + (thoughts or 0),
    cache_read_tokens = value(usage.cachedContentTokenCount),
    reasoning_tokens = thoughts,
    audio_input_tokens = of_modality(usage.promptTokensDetails, "AUDIO"),
    audio_output_tokens = of_modality(usage.candidatesTokensDetails, "AUDIO"),
    service_tier = value(usage.serviceTier),
  }
end

local function details(total, audio)
  if (audio or 0) == 0 then return nil end
  local list = array({ { modality = "AUDIO", tokenCount = audio } })
  if total > audio then table.insert(list, 1, { modality = "TEXT", tokenCount = total - audio }) end
  return list
end

local tiers = { default = "standard" }

function M.usage_from_normal(usage, losses)
  local input, output = usage.input_tokens or 0, usage.output_tokens or 0
  local thought = math.min(output, usage.reasoning_tokens or 0)
  local visible = output - thought
  if (usage.cache_write_tokens or 0) > 0 then lose(losses, "usage.cache_write_tokens") end
  if (usage.cache_write_1h_tokens or 0) > 0 then lose(losses, "usage.cache_creation") end
  for _, count in pairs(usage.server_tools or {}) do
    if count ~= 0 and count ~= json.null then lose(losses, "usage.server_tool_use") end
  end
  local cached = (usage.cache_read_tokens or 0) > 0 and usage.cache_read_tokens or nil
  return {
    promptTokenCount = input, candidatesTokenCount = visible, totalTokenCount = input + output,
    thoughtsTokenCount = thought > 0 and thought or nil, cachedContentTokenCount = cached,
    serviceTier = usage.service_tier and (tiers[usage.service_tier] or usage.service_tier),
    promptTokensDetails = details(input, usage.audio_input_tokens),
    candidatesTokensDetails = details(visible, usage.audio_output_tokens),
  }
end

----- citations

-- Google counts bytes of UTF-8, the normal form characters.
local function characters(text, bytes)
  return utf8.len(text, 1, math.min(bytes, #text)) or bytes
end

local function bytes_before(text, count)
  local at = utf8.offset(text, count + 1)
  return at and at - 1 or #text
end

local function chunk_citation(chunk)
  local web = value(chunk.web)
  local source = web or value(chunk.retrievedContext) or value(chunk.maps) or {}
  return { type = web and "url" or "document", url = value(source.uri), title = value(source.title),
    text = value(source.text), dialect = dialect }
end

-- The citations of a candidate, or nil. `text`: all it has said, thoughts left out. `bases`: where in it the text of
-- each part begins, by the part's place from 0; nil when it is one text.
function M.citations_to_normal(candidate, text, bases)
  local grounding, list, is_used = value(candidate.groundingMetadata) or {}, {}, {}
  local chunks = value(grounding.groundingChunks) or {}
  for _, support in ipairs(value(grounding.groundingSupports) or {}) do
    local segment = value(support.segment) or {}
    local base = bases and bases[value(segment.partIndex) or 0] or 0
    for _, place in ipairs(value(support.groundingChunkIndices) or {}) do
      local citation = chunks[place + 1] and chunk_citation(chunks[place + 1])
      if citation then
        is_used[place + 1] = true
        citation.text = value(segment.text) or citation.text
        citation.start_index = characters(text, base + (value(segment.startIndex) or 0))
        citation.end_index = characters(text, base + (value(segment.endIndex) or #text - base))
        list[#list + 1] = citation
      end
    end
  end
  for i, chunk in ipairs(chunks) do
    if not is_used[i] then list[#list + 1] = chunk_citation(chunk) end
  end
  local sources = value(candidate.citationMetadata) or {}
  for _, source in ipairs(value(sources.citations) or value(sources.citationSources) or {}) do
    if value(source.uri) then
      list[#list + 1] = { type = "url", url = source.uri, title = value(source.title), dialect = dialect,
        start_index = value(source.startIndex) and characters(text, source.startIndex),
        end_index = value(source.endIndex) and characters(text, source.endIndex) }
    end
  end
  return #list > 0 and list or nil
end

local grounding_fields = { groundingChunks = true, groundingSupports = true }

-- Citations are carried; the searches, and what Google wants shown of them, are not.
function M.lose_grounding(candidate, losses)
  local grounding = value(candidate.groundingMetadata)
  if grounding then parts.lose_fields(losses, parts.rest(grounding, grounding_fields), "groundingMetadata.") end
end

-- groundingMetadata for citations whose places count characters of `text`; nil when there are none.
function M.grounding_from_normal(citations, text)
  if #citations == 0 then return nil end
  local chunks, supports, places = array({}), array({}), {}
  for _, citation in ipairs(citations) do
    local key = (citation.url or "") .. "\0" .. (citation.title or "")
    if not places[key] then
      chunks[#chunks + 1] = citation.url and { web = { uri = citation.url, title = citation.title } }
        or { retrievedContext = { title = citation.title, text = citation.text } }
      places[key] = #chunks - 1
    end
    if citation.end_index then
      local from, to = bytes_before(text, citation.start_index or 0), bytes_before(text, citation.end_index)
      supports[#supports + 1] = { groundingChunkIndices = array({ places[key] }),
        segment = { startIndex = from > 0 and from or nil, endIndex = to, text = text:sub(from + 1, to) } }
    end
  end
  return { groundingChunks = chunks, groundingSupports = supports }
end

----- logprobs

local function chat_entry(candidate)
  return { token = value(candidate.token) or "", logprob = value(candidate.logProbability) or 0, bytes = json.null }
end

-- logprobsResult as the normal form has it, which is Chat's object.
function M.logprobs_to_normal(result)
  result = value(result)
  if not result then return nil end
  local content, tops = array({}), value(result.topCandidates) or {}
  for i, chosen in ipairs(value(result.chosenCandidates) or {}) do
    local entry = chat_entry(chosen)
    entry.top_logprobs = array({})
    for _, candidate in ipairs(tops[i] and value(tops[i].candidates) or {}) do
      table.insert(entry.top_logprobs, chat_entry(candidate))
    end
    content[i] = entry
  end
  return { content = content, refusal = json.null }
end

function M.logprobs_from_normal(logprobs)
  if not logprobs then return nil end
  if json.is_raw(logprobs) then logprobs = json.decode(json.text(logprobs)) end
  local chosen, tops = array({}), array({})
  for i, entry in ipairs(value(logprobs.content) or {}) do
    chosen[i] = { token = entry.token, logProbability = entry.logprob }
    local candidates = array({})
    for j, other in ipairs(value(entry.top_logprobs) or {}) do
      candidates[j] = { token = other.token, logProbability = other.logprob }
    end
    tops[i] = { candidates = candidates }
  end
  if #chosen == 0 then return nil end
  return { chosenCandidates = chosen, topCandidates = tops }
end

----- errors

local function detail_of(list, key)
  for _, detail in ipairs(list) do
    if type(detail) == "table" and value(detail[key]) ~= nil then return detail[key] end
  end
  return nil
end

-- Adds what Google's envelope says beyond the others': a word for the status, details with the field and the reason.
function M.complete_error(err, body)
  if type(body) ~= "table" then return err end
  if #body > 0 and type(body[1]) == "table" then body = body[1] end
  local inner = value(body.error)
  if type(inner) ~= "table" or json.is_raw(inner) then return err end
  local list = type(value(inner.details)) == "table" and inner.details or {}
  local violations, reason = detail_of(list, "fieldViolations"), detail_of(list, "reason")
  if type(value(inner.status)) == "string" then
    err.type, err.code = inner.status, type(reason) == "string" and reason or nil
  end
  if type(violations) == "table" and type(violations[1]) == "table" and type(violations[1].field) == "string" then
    err.param = violations[1].field
  end
  if reason == "API_KEY_INVALID" then err.class = "auth" end
  return err
end

return M
