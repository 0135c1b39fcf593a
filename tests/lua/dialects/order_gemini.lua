-- Order of a stream of streamGenerateContent
-- (https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse): chunks without names, as SSE or as a
-- JSON array. A candidate has one finishReason, in its last chunk; usage, where it is told, stands in the last one too.
-- Or an error, and nothing behind it; or a prompt that is refused, which has no candidate.
local judges = ...
local is_text, is_name, is_count = judges.is_text, judges.is_name, judges.is_count

-- A part holds one of these.
local kinds = { "text", "inlineData", "functionCall", "functionResponse", "fileData", "executableCode",
  "codeExecutionResult", "toolCall", "toolResponse" }
local finishes = judges.set("STOP MAX_TOKENS SAFETY RECITATION LANGUAGE OTHER BLOCKLIST PROHIBITED_CONTENT SPII "
  .. "MALFORMED_FUNCTION_CALL IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT IMAGE_OTHER NO_IMAGE IMAGE_RECITATION "
  .. "UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MISSING_THOUGHT_SIGNATURE MALFORMED_RESPONSE")
local counts = { "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount" }

local function check_part(judge, part)
  local found = 0
  for _, kind in ipairs(kinds) do
    if part[kind] ~= nil then found = found + 1 end
  end
  judge:must(found == 1 or found == 0 and part.thoughtSignature, "part", "a part holds ", found, " things")
  judge:must(part.text == nil or is_text(part.text), "text", "text is no text")
  judge:must(part.thought == nil or type(part.thought) == "boolean", "thought", "thought is ", part.thought)
  judge:must(part.thoughtSignature == nil or is_name(part.thoughtSignature), "signature", "an odd signature")
  local call = part.functionCall
  if call then
    judge:must(is_name(call.name) and (call.args == nil or type(call.args) == "table"), "call",
      "a call without name or args")
  end
end

local function check_candidate(judge, state, candidate)
  local index = candidate.index or 0
  judge:must(is_count(index), "index", "index is ", index)
  judge:must(not state.finished[index], "after_finish", "candidate ", index, " goes on after its finishReason")
  state.seen[index] = true
  local content = candidate.content
  if content then
    judge:must(content.role == "model", "role", "content of role ", content.role)
    for _, part in ipairs(content.parts or {}) do check_part(judge, part) end
  end
  local finish = candidate.finishReason
  judge:must(finish or content, "empty", "a candidate with neither content nor finishReason")
  if finish then
    judge:must(finishes[finish], "finish_word", "finishReason is ", finish)
    state.finished[index] = true
  end
end

local function check_usage(judge, state, usage)
  judge:must(is_count(usage.promptTokenCount) and is_count(usage.totalTokenCount), "usage", "usage is not whole")
  local sum = usage.promptTokenCount or 0
  for _, name in ipairs(counts) do
    judge:must(usage[name] == nil or is_count(usage[name]), "usage", name, " is no count")
    sum = sum + (usage[name] or 0)
  end
  judge:must(usage.totalTokenCount == sum, "usage_sum", "totalTokenCount is ", usage.totalTokenCount, ", not ", sum)
  state.usage = state.at
end

local function check_chunk(judge, state, chunk)
  state.id, state.model = state.id or chunk.responseId, state.model or chunk.modelVersion
  judge:must(is_name(chunk.responseId) and chunk.responseId == state.id, "id", "responseId is ", chunk.responseId)
  judge:must(is_text(chunk.modelVersion) and chunk.modelVersion == state.model, "model", "modelVersion is ",
    chunk.modelVersion)
  for _, candidate in ipairs(chunk.candidates or {}) do check_candidate(judge, state, candidate) end
  if chunk.usageMetadata then check_usage(judge, state, chunk.usageMetadata) end
  if chunk.promptFeedback and chunk.promptFeedback.blockReason then state.blocked = true end
  judge:must(next(chunk.candidates or {}) or chunk.promptFeedback or chunk.usageMetadata, "empty", "an empty chunk")
end

return function(events, judge, is_cut)
  local state = { seen = {}, finished = {} }
  for i, event in ipairs(events) do
    judge.at, state.at = i, i
    judge:must(not state.failed, "after_end", "something follows the error")
    judge:must(not next(state.finished) or next(state.seen) and (function()
      for index in pairs(state.seen) do if not state.finished[index] then return true end end
    end)(), "after_finish", "something follows the last finishReason")
    judge:must((event.name or "") == "", "name", "has the name ", event.name)
    local chunk = judge:object(event.data)
    if chunk and chunk.error then
      local fault = chunk.error
      judge:must(is_count(fault.code) and is_name(fault.message) and is_name(fault.status), "error",
        "an error without code, message or status")
      state.failed = true
    elseif chunk then
      check_chunk(judge, state, chunk)
    end
  end
  judge.at = #events + 1
  if is_cut or state.failed then return end
  judge:must(state.blocked or next(state.seen), "end", "no candidate was there")
  for index in pairs(state.seen) do
    judge:must(state.finished[index], "end", "candidate ", index, " has no finishReason")
  end
  judge:must(state.usage == nil or state.usage == #events, "usage_last", "the last chunk has no usage")
end
