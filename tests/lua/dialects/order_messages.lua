-- Order of a stream of the Messages API (https://docs.anthropic.com/en/docs/build-with-claude/streaming):
--
--     message_start → (content_block_start → content_block_delta* → content_block_stop)* → message_delta → message_stop
--     ping anywhere behind the start; error anywhere, and nothing behind it; indices 0, 1, 2 …, one block at a time
local judges = ...
local is_text, is_name, is_count = judges.is_text, judges.is_name, judges.is_count

-- By type of block: the deltas that it may have, with the field that holds the text of each.
local blocks = {
  text = { text_delta = "text", citations_delta = false },
  thinking = { thinking_delta = "thinking", signature_delta = "signature" },
  redacted_thinking = {},
  tool_use = { input_json_delta = "partial_json" },
  server_tool_use = { input_json_delta = "partial_json" },
  mcp_tool_use = { input_json_delta = "partial_json" },
  compaction = { compaction_delta = false },
}
local stop_reasons = judges.set("end_turn max_tokens stop_sequence tool_use pause_turn refusal "
  .. "model_context_window_exceeded compaction")

local steps = {}

function steps.message_start(judge, state, body, event)
  judge:must(state.stage == "new", "stage", "in stage ", state.stage)
  state.stage = "open"
  local m = body.message
  judge:must(m.type == "message" and m.role == "assistant" and is_name(m.id) and is_text(m.model), "message",
    "not a whole message")
  judge:must(judges.is_list(m.content, "content", event.data) and #m.content == 0, "message_content",
    "the message has content, or none that is a list")
  judge:must(m.stop_reason == nil or m.stop_reason == judges.null, "message_stop_reason", "it has stopped already")
  local usage = m.usage or {}
  judge:must(is_count(usage.input_tokens) and is_count(usage.output_tokens), "usage", "usage is not whole")
end

function steps.content_block_start(judge, state, body)
  judge:must(state.stage == "open", "stage", "in stage ", state.stage)
  judge:must(not state.block, "open", "block ", state.next - 1, " is open")
  judge:must(body.index == state.next, "index", "index ", body.index, ", expected ", state.next)
  local block = body.content_block
  state.next, state.block, state.json = state.next + 1, { type = block.type }, nil
  if block.type == "text" then judge:must(is_text(block.text), "block", "a text without text") end
  if block.type == "thinking" then judge:must(is_text(block.thinking), "block", "a thinking without thinking") end
  if block.type == "redacted_thinking" then judge:must(is_name(block.data), "block", "no data") end
  if block.type:find("tool_use$") then
    judge:must(is_name(block.id) and is_name(block.name) and type(block.input) == "table", "call",
      "a call without id, name or input")
    judge:must(not state.ids[block.id], "call_id", "two calls have the id ", block.id)
    state.ids[block.id], state.json = true, {}
  end
  if block.type == "tool_use" then state.calls = true end
  judge:must(blocks[block.type] or block.type:find("_tool_result$"), "block_type", "a block of type ", block.type)
end

function steps.content_block_delta(judge, state, body)
  local block = state.block
  if not judge:must(block and body.index == state.next - 1, "index", "block ", body.index, " is not open") then
    return
  end
  local field = (blocks[block.type] or {})[body.delta.type]
  judge:must(field ~= nil, "delta_type", body.delta.type, " in a block of type ", block.type)
  judge:must(not field or is_text(body.delta[field]), "delta", field, " is no text")
  judge:must(not block.signed or body.delta.type == "signature_delta", "signed", "more thinking behind its signature")
  if body.delta.type == "signature_delta" then block.signed = true end
  if state.json then state.json[#state.json + 1] = body.delta.partial_json end
end

function steps.content_block_stop(judge, state, body)
  judge:must(state.block and body.index == state.next - 1, "index", "block ", body.index, " is not open")
  local text = state.json and table.concat(state.json) or ""
  state.spoiled = state.spoiled or not judges.is_arguments(text) and text
  state.block, state.json = nil, nil
end

function steps.message_delta(judge, state, body)
  judge:must(state.stage == "open" and not state.block, "stage", "in stage ", state.stage, ", block ",
    state.block and state.block.type)
  state.stage = "told"
  local reason = body.delta.stop_reason
  judge:must(stop_reasons[reason], "stop_reason", "stop_reason is ", reason)
  judge:must(reason ~= "tool_use" or state.calls, "stop_calls", "stop_reason tool_use without a call")
  judge:must(reason == "max_tokens" or reason == "refusal" or not state.spoiled, "input",
    "the input of a call is no JSON: ", state.spoiled)
  judge:must(is_count((body.usage or {}).output_tokens), "usage", "usage is not whole")
end

function steps.message_stop(judge, state)
  judge:must(state.stage == "told", "stage", "in stage ", state.stage)
  state.stage = "over"
end

function steps.ping(judge, state) judge:must(state.stage ~= "new", "stage", "a ping before message_start") end

function steps.error(judge, state, body)
  judge:must(is_name(body.error.type) and is_name(body.error.message), "error", "an error without type or message")
  state.stage = "over"
end

return function(events, judge, is_cut)
  local state = { stage = "new", next = 0, ids = {} }
  for i, event in ipairs(events) do
    judge.at = i
    local body = judge:object(event.data)
    local kind = body and body.type
    judge.what = kind and " (" .. kind .. ")" or ""
    judge:must(state.stage ~= "over", "after_end", "something follows the end")
    if body then
      judge:must(kind == event.name, "name", "its name is ", event.name)
      if judge:must(steps[kind], "unknown", "an event of no such type") then steps[kind](judge, state, body, event) end
    end
  end
  judge.at, judge.what = #events + 1, ""
  judge:must(is_cut or state.stage == "over", "end", "ends in stage ", state.stage)
end
