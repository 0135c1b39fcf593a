-- Order of a stream of ConverseStream
-- (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html):
--
--     messageStart → (contentBlockStart? → contentBlockDelta* → contentBlockStop)* → messageStop → metadata
--     an exception anywhere, and nothing behind it; indices 0, 1, 2 …, one block at a time; calls have a start
--
-- Events as order_framing cuts them: both checksums are looked at there.
local judges = ...
local is_text, is_name, is_count = judges.is_text, judges.is_name, judges.is_count

local kind_of = { text = "text", citation = "text", reasoningContent = "thinking", toolUse = "toolUse",
  toolResult = "toolResult" }
local exceptions = judges.set("internalServerException modelStreamErrorException validationException "
  .. "throttlingException serviceUnavailableException")
local stop_reasons = judges.set("end_turn tool_use max_tokens stop_sequence guardrail_intervened content_filtered "
  .. "malformed_model_output malformed_tool_use model_context_window_exceeded")

local steps = {}

function steps.messageStart(judge, state, body)
  judge:must(state.stage == "new", "stage", "in stage ", state.stage)
  judge:must(body.role == "assistant", "message", "role is ", body.role)
  state.stage = "open"
end

function steps.contentBlockStart(judge, state, body)
  judge:must(state.stage == "open", "stage", "in stage ", state.stage)
  judge:must(not state.kind, "open", "block ", state.next, " is open")
  judge:must(body.contentBlockIndex == state.next, "index", "index ", body.contentBlockIndex, ", expected ",
    state.next)
  local kind, start = next(body.start)
  judge:must(kind == "toolUse" or kind == "toolResult", "block", "a start of ", kind)
  judge:must(is_name(start.toolUseId), "call", "a call without its id")
  if kind == "toolUse" then
    judge:must(is_name(start.name), "call", "a call without its name")
    judge:must(not state.ids[start.toolUseId], "call_id", "two calls have the id ", start.toolUseId)
    state.ids[start.toolUseId], state.calls = true, state.calls or start.type ~= "server_tool_use"
  end
  state.kind, state.json = kind, {}
end

function steps.contentBlockDelta(judge, state, body)
  local kind, piece = next(body.delta)
  judge:must(state.stage == "open", "stage", "in stage ", state.stage)
  judge:must(body.contentBlockIndex == state.next, "index", "index ", body.contentBlockIndex, ", expected ",
    state.next)
  judge:must(next(body.delta, kind) == nil, "delta", "a delta of several things")
  if not state.kind then
    judge:must(kind ~= "toolUse" and kind ~= "toolResult", "call", "a call without a start")
    state.kind = kind_of[kind]
  end
  judge:must(kind_of[kind] == state.kind, "delta_type", kind, " in a block of ", state.kind)
  if kind == "text" then judge:must(is_text(piece), "delta", "text is no text") end
  if kind == "toolUse" and judge:must(is_text(piece.input), "delta", "input is no text") and state.json then
    table.insert(state.json, piece.input)
  end
  if kind == "reasoningContent" then
    local name, value = next(piece)
    judge:must((name == "text" or name == "signature" or name == "redactedContent") and is_text(value), "delta",
      "reasoning with ", name)
    judge:must(not state.signed or name == "signature", "signed", "more reasoning behind its signature")
    state.signed = name == "signature"
  end
end

function steps.contentBlockStop(judge, state, body)
  judge:must(state.stage == "open" and body.contentBlockIndex == state.next, "index", "index ",
    body.contentBlockIndex, ", expected ", state.next)
  judge:must(state.kind, "open", "block ", state.next, " is not open")
  if state.kind == "toolUse" then
    local text = table.concat(state.json)
    state.spoiled = state.spoiled or not judges.is_arguments(text) and text
  end
  state.kind, state.json, state.signed, state.next = nil, nil, nil, state.next + 1
end

function steps.messageStop(judge, state, body)
  judge:must(state.stage == "open" and not state.kind, "stage", "in stage ", state.stage, ", block ", state.kind)
  judge:must(stop_reasons[body.stopReason], "stop_reason", "stopReason is ", body.stopReason)
  judge:must(body.stopReason ~= "tool_use" or state.calls, "stop_calls", "tool_use without a call")
  judge:must(body.stopReason == "max_tokens" or not state.spoiled, "input", "the input of a call is no JSON: ",
    state.spoiled)
  state.stage = "stopped"
end

function steps.metadata(judge, state, body)
  judge:must(state.stage == "stopped", "stage", "in stage ", state.stage)
  local usage = body.usage
  judge:must(is_count(usage.inputTokens) and is_count(usage.outputTokens) and is_count(usage.totalTokens), "usage",
    "usage is not whole")
  judge:must(usage.totalTokens == usage.inputTokens + usage.outputTokens + (usage.cacheReadInputTokens or 0)
    + (usage.cacheWriteInputTokens or 0), "usage_sum", "totalTokens is not the sum")
  judge:must(is_count(body.metrics.latencyMs), "metrics", "no latencyMs")
  state.stage = "over"
end

return function(events, judge, is_cut)
  local state = { stage = "new", next = 0, ids = {} }
  for i, event in ipairs(events) do
    judge.at, judge.what = i, event.name and " (" .. event.name .. ")" or ""
    judge:must(state.stage ~= "over", "after_end", "something follows the end")
    local body = judge:object(event.data)
    local headers = event.headers
    judge:must(not headers or headers[":content-type"] == "application/json", "content_type", "no content type")
    local kind = event.kind or event.name:find("Exception$") and "exception" or "event"
    if kind == "exception" then
      judge:must(exceptions[event.name], "exception", "ConverseStream has no ", event.name)
      judge:must(body and is_name(body.message), "error", "an exception without a message")
      state.stage = "over"
    elseif judge:must(kind == "event" and steps[event.name], "unknown", "no such event") and body then
      steps[event.name](judge, state, body)
    end
  end
  judge.at, judge.what = #events + 1, ""
  judge:must(is_cut or state.stage == "over", "end", "ends in stage ", state.stage)
end
