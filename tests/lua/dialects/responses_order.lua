-- Event-order checker for Responses streams: feed it the events of a produced stream, it raises at the first that a
-- client could not follow. It knows the wire protocol and nothing of the translators. Beside the order it holds every
-- repetition to what was said before: a part's text is its deltas, an item its parts, the last response its items.

local M = {}

local function fail(...)
  local words = table.pack(...)
  for i = 1, words.n do words[i] = tostring(words[i]) end
  error(table.concat(words), 0)
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, v in pairs(a) do if not same(v, b[key]) then return false end end
  for key in pairs(b) do if a[key] == nil then return false end end
  return true
end

local id_prefix = { message = "msg_", reasoning = "rs_", function_call = "fc_", custom_tool_call = "ctc_" }
local terminal = { ["response.completed"] = "completed", ["response.incomplete"] = "incomplete",
  ["response.failed"] = "failed" }

-- Deltas and what ends them: where they add up, and the field that repeats the sum.
local deltas = {
  ["response.output_text.delta"] = { kind = "output_text", list = "content", index = "content_index" },
  ["response.refusal.delta"] = { kind = "refusal", list = "content", index = "content_index" },
  ["response.reasoning_text.delta"] = { kind = "reasoning_text", list = "content", index = "content_index" },
  ["response.reasoning_summary_text.delta"] = { kind = "summary_text", list = "summary", index = "summary_index" },
}
local dones = {
  ["response.output_text.done"] = { kind = "output_text", field = "text", index = "content_index" },
  ["response.refusal.done"] = { kind = "refusal", field = "refusal", index = "content_index" },
  ["response.reasoning_text.done"] = { kind = "reasoning_text", field = "text", index = "content_index" },
  ["response.reasoning_summary_text.done"] = { kind = "summary_text", field = "text", index = "summary_index" },
}
local part_events = {
  ["response.content_part.added"] = { "content_index", "added" },
  ["response.content_part.done"] = { "content_index", "done" },
  ["response.reasoning_summary_part.added"] = { "summary_index", "added" },
  ["response.reasoning_summary_part.done"] = { "summary_index", "done" },
}
local call_events = {
  ["response.function_call_arguments.delta"] = { "function_call", "delta" },
  ["response.function_call_arguments.done"] = { "function_call", "arguments" },
  ["response.custom_tool_call_input.delta"] = { "custom_tool_call", "delta" },
  ["response.custom_tool_call_input.done"] = { "custom_tool_call", "input" },
}

local required_fields = { "id", "object", "created_at", "status", "model", "output", "tools", "tool_choice",
  "parallel_tool_calls", "metadata", "error", "incomplete_details", "instructions", "temperature", "top_p" }

local function check_response(response, json)
  for _, field in ipairs(required_fields) do
    if response[field] == nil then fail("the response lacks ", field) end
  end
  if response.object ~= "response" then fail("object is ", response.object) end
  if not json.is_array(response.output) or not json.is_array(response.tools) then fail("output or tools is no list") end
end

local function item_added(state, body, json)
  if body.output_index ~= #state.items then
    fail("item ", body.output_index, " is added where ", #state.items, " is next")
  end
  local item = body.item
  local prefix = id_prefix[item.type]
  if type(item.id) ~= "string" or prefix and item.id:sub(1, #prefix) ~= prefix then fail("item id is ", item.id) end
  if state.ids[item.id] then fail("item id ", item.id, " comes twice") end
  state.ids[item.id] = true
  if item.type:find("call$") and id_prefix[item.type] then
    if (item.call_id or "") == "" or (item.name or "") == "" then fail("a call without call_id or name") end
  end
  if item.type == "message" and (item.role ~= "assistant" or not json.is_array(item.content)) then
    fail("a message without role or content")
  end
  if item.type == "reasoning" and not json.is_array(item.summary) then fail("a reasoning item without summary") end
  state.items[#state.items + 1] = { id = item.id, type = item.type, parts = {}, arguments = {}, call_id = item.call_id }
end

local function open_item(state, body)
  local item = state.items[(body.output_index or -1) + 1]
  if not item then fail(body.type, " for item ", body.output_index, ", which was not added") end
  if item.done then fail(body.type, " for item ", body.output_index, ", which is done") end
  if body.item_id ~= nil and body.item_id ~= item.id then fail(body.type, " with another item_id") end
  return item
end

local function part_event(state, body, rule)
  local item = open_item(state, body)
  local index = body[rule[1]]
  if rule[2] == "added" then
    if index ~= #item.parts then fail("part ", index, " is added where ", #item.parts, " is next") end
    if item.open_part then fail("part ", index, " is added while another is open") end
    item.open_part = { kind = body.part.type, pieces = {}, annotations = {} }
    item.parts[#item.parts + 1] = item.open_part
    return
  end
  local part = item.open_part
  if not part or index ~= #item.parts - 1 then fail("part ", index, " is done and was not open") end
  if not part.said then fail("part ", index, " is done before its text is") end
  if part.kind ~= body.part.type then fail("part ", index, " changes its type") end
  local text = body.part.text or body.part.refusal
  if text ~= table.concat(part.pieces) then fail("part ", index, " says other text than its deltas") end
  if not same(body.part.annotations or {}, part.annotations) then fail("part ", index, " has other annotations") end
  part.final, item.open_part = body.part, nil
end

local function text_event(state, body, rule, is_done)
  local item = open_item(state, body)
  local part = item.open_part
  if not part or body[rule.index] ~= #item.parts - 1 then fail(body.type, " outside of its part") end
  if part.kind ~= rule.kind then fail(body.type, " in a part of type ", part.kind) end
  if part.said then fail(body.type, " after the text was done") end
  if not is_done then
    if body.delta == "" then fail("an empty delta") end
    part.pieces[#part.pieces + 1] = body.delta
    return
  end
  if body[rule.field] ~= table.concat(part.pieces) then fail(body.type, " says other text than the deltas") end
  part.said = true
end

local function item_done(state, body)
  local item = open_item(state, body)
  local final = body.item
  if final.id ~= item.id or final.type ~= item.type then fail("item ", body.output_index, " changes id or type") end
  if item.open_part then fail("item ", body.output_index, " is done while a part is open") end
  if item.type == "message" or item.type == "reasoning" then
    local list = item.type == "message" and final.content or final.summary
    if item.type == "reasoning" and #item.parts > 0 and item.parts[1].kind == "reasoning_text" then
      list = final.content
    end
    if #list ~= #item.parts then fail("item ", body.output_index, " has other parts than it was built of") end
    for i, part in ipairs(item.parts) do
      if not same(part.final, list[i]) then fail("part ", i - 1, " of item ", body.output_index, " changes") end
    end
  elseif id_prefix[item.type] then
    local text = final.arguments or final.input
    if text ~= item.said then fail("item ", body.output_index, " has other arguments than were said") end
    if final.call_id ~= item.call_id then fail("item ", body.output_index, " changes its call_id") end
  end
  if item.type ~= "reasoning" and final.status ~= "completed" and final.status ~= "incomplete" then
    fail("item ", body.output_index, " is done with status ", final.status)
  end
  item.done, item.final = true, final
end

local function call_event(state, body, rule)
  local item = open_item(state, body)
  if item.type ~= rule[1] then fail(body.type, " in an item of type ", item.type) end
  if item.said then fail(body.type, " after the arguments were done") end
  if rule[2] == "delta" then
    item.arguments[#item.arguments + 1] = body.delta
    return
  end
  item.said = body[rule[2]]
  if item.said ~= table.concat(item.arguments) then fail(body.type, " says other arguments than the deltas") end
end

local function finish(state, body, json)
  local response, status = body.response, terminal[body.type]
  check_response(response, json)
  if response.status ~= status then fail(body.type, " with status ", response.status) end
  if response.id ~= state.id then fail("the response changes its id") end
  if status == "failed" then
    if type(response.error) ~= "table" then fail("a failed response without an error") end
    return
  end
  if status == "incomplete" and not response.incomplete_details.reason then fail("incomplete without a reason") end
  if #response.output ~= #state.items then fail("the response has other items than were told") end
  for i, item in ipairs(state.items) do
    if not item.done then fail("the response ends while item ", i - 1, " is open") end
    if not same(item.final, response.output[i]) then fail("item ", i - 1, " changes in the response") end
  end
end

-- events: { name, data } as order.events splits them.
function M.check(events, json)
  local state = { items = {}, ids = {}, stage = "before" }
  for i, event in ipairs(events) do
    local body = json.decode(event.data) or fail("event ", i, " is not JSON: ", event.data)
    local kind = body.type
    if kind ~= event.name then fail("event ", i, " is named ", event.name, " but is ", kind) end
    if state.stage == "done" or state.stage == "error" and kind ~= "response.failed" then
      fail("event ", i, " ", kind, " after the end")
    end
    if body.sequence_number ~= i - 1 then
      fail("event ", i, " has sequence_number ", body.sequence_number, ", expected ", i - 1)
    end
    if kind == "error" then
      if type(body.message) ~= "string" or type(body.error) ~= "table" then fail("an error without a message") end
      state.stage = "error"
    elseif kind == "response.created" then
      if state.stage ~= "before" then fail("a second response.created") end
      check_response(body.response, json)
      state.stage, state.id = "created", body.response.id
    elseif kind == "response.in_progress" then
      if state.stage ~= "created" then fail("response.in_progress in stage ", state.stage) end
      state.stage = "items"
    elseif state.stage ~= "items" and state.stage ~= "error" then
      fail(kind, " in stage ", state.stage)
    elseif terminal[kind] then
      finish(state, body, json)
      state.stage = "done"
    elseif kind == "response.output_item.added" then
      item_added(state, body, json)
    elseif kind == "response.output_item.done" then
      item_done(state, body)
    elseif part_events[kind] then
      part_event(state, body, part_events[kind])
    elseif deltas[kind] then
      text_event(state, body, deltas[kind], false)
    elseif dones[kind] then
      text_event(state, body, dones[kind], true)
    elseif call_events[kind] then
      call_event(state, body, call_events[kind])
    elseif kind == "response.output_text.annotation.added" then
      local item = open_item(state, body)
      local part = item.open_part
      if not part or part.said then fail("an annotation outside of its part") end
      if body.annotation_index ~= #part.annotations then fail("annotation ", body.annotation_index, " skips") end
      part.annotations[#part.annotations + 1] = body.annotation
    else
      fail("unknown event ", kind)
    end
  end
  if state.stage ~= "done" and state.stage ~= "error" then fail("the stream ends in stage ", state.stage) end
end

return M
