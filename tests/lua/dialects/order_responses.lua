-- Order of a stream of the Responses API (https://platform.openai.com/docs/api-reference/responses-streaming):
--
--     response.created → response.in_progress → items → response.completed | .incomplete | .failed
--     item: output_item.added → parts, or arguments → output_item.done; part: added → deltas → text done → part done
--     or `error`, and nothing behind it but response.failed; sequence_number 0, 1, 2 …
--
-- Beside the order it holds every repetition to what was said before: a part's text is its deltas, an item its parts,
-- the last response its items.
local judges = ...
local get, is_text, is_name, same = judges.get, judges.is_text, judges.is_name, judges.same

local id_prefix = { message = "msg_", reasoning = "rs_", function_call = "fc_", custom_tool_call = "ctc_" }
local terminal = { ["response.completed"] = "completed", ["response.incomplete"] = "incomplete",
  ["response.failed"] = "failed" }

-- Calls may be written beside each other; nothing else is.
local is_call = judges.set "function_call custom_tool_call"

-- Of a part's text: its type, the field that names the part, and the field that repeats the sum of the deltas.
local texts = {
  output_text = { kind = "output_text", index = "content_index", field = "text" },
  refusal = { kind = "refusal", index = "content_index", field = "refusal" },
  reasoning_text = { kind = "reasoning_text", index = "content_index", field = "text" },
  reasoning_summary_text = { kind = "summary_text", index = "summary_index", field = "text" },
}
local part_index = { content_part = "content_index", reasoning_summary_part = "summary_index" }
-- Of an item's arguments: its type, and the field that repeats the sum of the deltas.
local arguments = {
  function_call_arguments = { "function_call", "arguments" },
  custom_tool_call_input = { "custom_tool_call", "input" },
  mcp_call_arguments = { "mcp_call", "arguments" },
  code_interpreter_call_code = { "code_interpreter_call", "code" },
}
-- What the provider's own tools tell of their progress, by the type of the item that it belongs to.
local progress = judges.set("web_search_call file_search_call code_interpreter_call image_generation_call mcp_call "
  .. "mcp_list_tools x_search_call")

local required_fields = { "id", "object", "created_at", "status", "model", "output", "tools", "tool_choice",
  "parallel_tool_calls", "metadata", "error", "incomplete_details", "instructions", "temperature", "top_p" }

local function check_response(judge, state, response, status)
  if not judge:must(type(response) == "table", "response", "without a response") then return end
  for _, field in ipairs(required_fields) do
    judge:must(response[field] ~= nil, "response_field", "the response lacks ", field)
  end
  judge:must(response.object == "response", "response", "object is ", response.object)
  judge:must(type(response.output) == "table" and type(response.tools) == "table", "response",
    "output or tools is no list")
  state.id = state.id or response.id
  judge:must(is_name(response.id) and response.id == state.id, "response_id", "the response's id is ", response.id)
  judge:must(response.status == status, "status", "status ", response.status)
end

local function item_added(judge, state, body, text)
  judge:must(body.output_index == #state.items, "item_index", "item ", body.output_index, " is added where ",
    #state.items, " is next")
  local last = state.items[#state.items]
  local item = body.item
  judge:must(not last or last.final or is_call[last.type] and is_call[item.type], "item_open",
    "the item before is still open")
  local prefix = id_prefix[item.type]
  judge:must(is_name(item.id), "item_id", "an item without id")
  judge:must(not prefix or tostring(item.id):sub(1, #prefix) == prefix, "item_id_prefix", "item id is ", item.id)
  judge:must(not state.ids[item.id], "item_id_again", "item id ", item.id, " comes twice")
  state.ids[tostring(item.id)] = true
  if is_call[item.type] then
    judge:must(is_name(item.call_id) and is_name(item.name), "call", "a call without call_id or name")
    judge:must(not state.calls[item.call_id], "call_id", "two calls have the id ", item.call_id)
    state.calls[item.call_id] = true
  elseif item.type == "message" then
    judge:must(item.role == "assistant" and judges.is_list(item.content, "content", text), "message",
      "a message without role or content")
  elseif item.type == "reasoning" then
    judge:must(judges.is_list(item.summary, "summary", text), "reasoning", "a reasoning item without summary")
  end
  state.items[#state.items + 1] = { id = item.id, type = item.type, call_id = item.call_id, content = {},
    summary = {}, pieces = {} }
end

-- The item that the event is about, or nil and a fault.
local function item_of(judge, state, body)
  local item = state.items[(body.output_index or -1) + 1]
  if not judge:must(item and not item.final, "item_closed", "item ", body.output_index, " is not open") then
    return nil
  end
  judge:must(body.item_id == nil or body.item_id == item.id, "item_id", "item_id is ", body.item_id)
  return item
end

local function parts_of(item, index_name) return index_name == "content_index" and item.content or item.summary end

local function part_step(judge, state, body, index_name, step)
  local item = item_of(judge, state, body)
  if not item then return end
  local parts, index = parts_of(item, index_name), body[index_name]
  if step == "added" then
    judge:must(index == #parts, "part_index", "part ", index, " is added where ", #parts, " is next")
    judge:must(not item.open, "part_open", "part ", index, " is added while another is open")
    item.open = { kind = body.part.type, pieces = { body.part.text or body.part.refusal }, annotations = {} }
    parts[#parts + 1] = item.open
    return
  end
  local part = item.open
  if not judge:must(part and parts[#parts] == part and index == #parts - 1, "part_closed", "part ", index,
    " is not open") then return end
  judge:must(part.said or #table.concat(part.pieces) == 0 and part.kind == "summary_text", "part_text",
    "part ", index, " is done before its text is")
  judge:must(part.kind == body.part.type, "part_type", "part ", index, " changes its type")
  judge:must((body.part.text or body.part.refusal) == table.concat(part.pieces), "sum", "part ", index,
    " says other text than its deltas")
  judge:must(same(body.part.annotations or {}, part.annotations), "annotations", "part ", index,
    " has other annotations")
  part.final, item.open = body.part, nil
end

local function text_step(judge, state, body, rule, step)
  local item = item_of(judge, state, body)
  if not item then return end
  local part, parts = item.open, parts_of(item, rule.index)
  if not judge:must(part and parts[#parts] == part and body[rule.index] == #parts - 1, "part_closed", "part ",
    body[rule.index], " is not open") then return end
  judge:must(part.kind == rule.kind, "part_type", "in a part of type ", part.kind)
  judge:must(not part.said, "text_again", "after the text was done")
  if step == "delta" then
    judge:must(is_text(body.delta), "delta", "delta is no text")
    part.pieces[#part.pieces + 1] = body.delta
  else
    judge:must(body[rule.field] == table.concat(part.pieces), "sum", "says other text than the deltas")
    part.said = true
  end
end

local function annotation(judge, state, body)
  local item = item_of(judge, state, body)
  local part = item and item.open
  if not item or not judge:must(part and not part.said, "part_closed", "an annotation outside of its part") then
    return
  end
  judge:must(body.annotation_index == #part.annotations, "annotation_index", "annotation ", body.annotation_index,
    " where ", #part.annotations, " is next")
  part.annotations[#part.annotations + 1] = body.annotation
end

local function arguments_step(judge, state, body, rule, step)
  local item = item_of(judge, state, body)
  if not item then return end
  judge:must(item.type == rule[1], "item_type", "in an item of type ", item.type)
  judge:must(not item.said, "arguments_again", "after the arguments were done")
  if step == "delta" then
    judge:must(is_text(body.delta), "delta", "delta is no text")
    item.pieces[#item.pieces + 1] = body.delta
  else
    item.said = body[rule[2]]
    judge:must(item.said == table.concat(item.pieces), "sum", "says other arguments than the deltas")
  end
end

local function check_parts(judge, name, list, parts)
  if not judge:must(#list == #parts, "item_parts", "its ", name, " has ", #list, " parts, ", #parts, " were sent") then
    return
  end
  for i, part in ipairs(parts) do
    judge:must(same(part.final, list[i]), "item_parts", name, " part ", i - 1, " is not what was sent")
  end
end

local function item_done(judge, state, body)
  local item = item_of(judge, state, body)
  if not item then return end
  local final = body.item
  judge:must(final.id == item.id and final.type == item.type, "item_changes", "id or type is another")
  judge:must(not item.open, "part_open", "a part is open")
  if item.type == "message" then
    check_parts(judge, "content", final.content, item.content)
  elseif item.type == "reasoning" then
    check_parts(judge, "summary", final.summary, item.summary)
    if #item.content > 0 then check_parts(judge, "content", final.content or {}, item.content) end
  elseif is_call[item.type] then
    judge:must(item.said and (final.arguments or final.input) == item.said, "sum", "other arguments than were said")
    judge:must(final.call_id == item.call_id, "item_changes", "call_id is another")
    judge:must(final.status ~= "completed" or item.type ~= "function_call" or judges.is_arguments(item.said), "input",
      "arguments are no JSON: ", item.said)
  end
  judge:must(item.type == "reasoning" or final.status == "completed" or final.status == "incomplete"
    or final.status == "failed", "item_status", "status is ", final.status)
  item.final = final
end

local function ends(judge, state, body, status)
  local response = body.response
  check_response(judge, state, response, status)
  if type(response) ~= "table" then return end
  if status == "failed" then
    judge:must(type(response.error) == "table" and is_name(response.error.message), "error",
      "a failed response without an error")
    return
  end
  if status == "incomplete" then
    judge:must(is_name((get(response.incomplete_details) or {}).reason), "reason", "incomplete without a reason")
  end
  local usage = get(response.usage)
  if usage then
    judge:must(judges.is_count(usage.input_tokens) and judges.is_count(usage.output_tokens), "usage",
      "usage is not whole")
    judge:must(usage.total_tokens == usage.input_tokens + usage.output_tokens, "usage_sum",
      "total_tokens is not the sum")
  end
  judge:must(#response.output == #state.items, "output", "has ", #response.output, " items, ", #state.items,
    " were sent")
  for i, item in ipairs(state.items) do
    judge:must(item.final, "item_open", "item ", i - 1, " is open")
    judge:must(same(item.final, response.output[i]), "output", "item ", i - 1, " is not what was sent")
  end
end

local function step(judge, state, body, event)
  local kind = body.type
  local name, last = kind:match("^response%.([%w_]+)%.([%w_]+)$")
  if terminal[kind] then
    ends(judge, state, body, terminal[kind])
    state.stage = "over"
  elseif kind == "response.output_item.added" then
    item_added(judge, state, body, event.data)
  elseif kind == "response.output_item.done" then
    item_done(judge, state, body)
  elseif part_index[name] and (last == "added" or last == "done") then
    part_step(judge, state, body, part_index[name], last)
  elseif texts[name] and (last == "delta" or last == "done") then
    text_step(judge, state, body, texts[name], last)
  elseif arguments[name] and (last == "delta" or last == "done") then
    arguments_step(judge, state, body, arguments[name], last)
  elseif kind == "response.output_text.annotation.added" then
    annotation(judge, state, body)
  elseif progress[name] then
    local item = item_of(judge, state, body)
    judge:must(not item or item.type == name, "item_type", "in an item of type ", item and item.type)
  else
    judge:must(false, "unknown", "an event of no such type")
  end
end

local function check_event(judge, state, body, event, number)
  local kind = body.type
  judge:must(kind == event.name, "name", "its name is ", event.name)
  judge:must(state.stage ~= "over" and (state.stage ~= "error" or kind == "response.failed"), "after_end",
    "something follows the end")
  judge:must(body.sequence_number == number, "sequence", "sequence_number is ", body.sequence_number, ", expected ",
    number)
  if kind == "error" then
    judge:must(is_name(body.message) or type(body.error) == "table" and is_name(body.error.message), "error",
      "an error without a message")
    state.stage = "error"
  elseif kind == "response.created" then
    judge:must(state.stage == "new", "stage", "in stage ", state.stage)
    state.status = body.response.status
    check_response(judge, state, body.response, state.status == "queued" and "queued" or "in_progress")
    state.stage = "created"
  elseif kind == "response.in_progress" or kind == "response.queued" then
    judge:must(state.stage == "created", "stage", "in stage ", state.stage)
    check_response(judge, state, body.response, kind == "response.queued" and "queued" or "in_progress")
    if kind == "response.in_progress" then state.stage = "items" end
  else
    judge:must(state.stage == "items" or kind == "response.failed", "stage", "in stage ", state.stage)
    step(judge, state, body, event)
  end
end

return function(events, judge, is_cut)
  local state = { items = {}, ids = {}, calls = {}, stage = "new" }
  for i, event in ipairs(events) do
    judge.at, judge.what = i, ""
    local body = judge:object(event.data)
    judge.what = body and body.type and " (" .. body.type .. ")" or ""
    if body then check_event(judge, state, body, event, i - 1) end
  end
  judge.at, judge.what = #events + 1, ""
  judge:must(is_cut or state.stage == "over" or state.stage == "error", "end", "ends in stage ", state.stage)
end
