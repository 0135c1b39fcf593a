-- Order of a stream of Chat Completions (https://platform.openai.com/docs/api-reference/chat-streaming):
--
--     chunk* → usage chunk? → [DONE]                        or an error anywhere, and nothing behind it
--     a choice: role first and once → deltas → one finish_reason; a call's id, type and name stand in its first piece
local judges = ...
local get, is_text, is_name, is_count = judges.get, judges.is_text, judges.is_name, judges.is_count

local finishes = judges.set "stop length tool_calls content_filter function_call"

local function check_call(judge, state, call)
  local called = call["function"] or call.custom or {}
  local piece = get(called.arguments) or get(called.input)
  if not judge:must(is_count(call.index), "call_index", "a call's index is ", call.index) then return end
  if call.index >= state.calls then
    judge:must(call.index == state.calls, "call_index", "call ", call.index, " where ", state.calls, " is next")
    judge:must(is_name(get(call.id)) and is_name(get(called.name)), "call_begins", "a call without id or name")
    judge:must(call.type == "function" or call.type == "custom", "call_type", "a call of type ", call.type)
    state.calls, state.arguments[call.index] = call.index + 1, { custom = call.type == "custom" }
  else
    judge:must(not get(call.id) and not get(called.name) and not get(call.type), "call_again",
      "id, type or name again in call ", call.index)
    judge:must(piece, "call_empty", "a piece of a call without arguments")
  end
  judge:must(piece == nil or is_text(piece), "call_text", "arguments are no text")
  table.insert(state.arguments[call.index] or {}, piece)
end

local function check_choice(judge, choices, choice)
  if not judge:must(is_count(choice.index), "index", "a choice's index is ", choice.index) then return end
  local delta = choice.delta
  if not judge:must(type(delta) == "table", "delta", "choice ", choice.index, " has no delta") then return end
  local state, finish = choices[choice.index], get(choice.finish_reason)
  if not state then
    judge:must(delta.role == "assistant", "role", "choice ", choice.index, " begins without its role")
    state = { calls = 0, arguments = {} }
    choices[choice.index], choices.count = state, choices.count + 1
  else
    judge:must(delta.role == nil, "role_again", "the role comes again: ", delta.role)
  end
  judge:must(not state.finish, "after_finish", "choice ", choice.index, " goes on after its finish_reason")
  for _, name in ipairs { "content", "refusal", "reasoning_content", "reasoning" } do
    local v = get(delta[name])
    judge:must(v == nil or is_text(v), "text", name, " is no text")
  end
  for _, call in ipairs(get(delta.tool_calls) or {}) do check_call(judge, state, call) end
  if get(delta.function_call) then state.calls = math.max(state.calls, 1) end
  if finish then
    judge:must(finishes[finish], "finish_word", "finish_reason is ", finish)
    judge:must(finish ~= "tool_calls" or state.calls > 0, "finish_calls", "finish_reason tool_calls without a call")
    for _, pieces in pairs(finish == "tool_calls" and state.arguments or {}) do
      local text = table.concat(pieces)
      judge:must(pieces.custom or judges.is_arguments(text), "input", "arguments are no JSON: ", text)
    end
    state.finish = finish
  end
end

local function check_usage(judge, state, usage, alone)
  judge:must(not state.usage, "usage_again", "usage comes again")
  judge:must(alone, "usage_beside", "usage stands beside choices")
  state.usage = true
  local input, output, total = usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
  judge:must(is_count(input) and is_count(output) and is_count(total), "usage_counts", "usage is not whole")
  judge:must(not is_count(total) or total == input + output, "usage_sum", "total_tokens is not the sum")
end

return function(events, judge, is_cut)
  local state, choices = {}, { count = 0 }
  for i, event in ipairs(events) do
    judge.at = i
    judge:must(not state.over, "after_end", "something follows the end")
    judge:must((event.name or "") == "", "name", "has the name ", event.name)
    local chunk = event.data ~= "[DONE]" and judge:object(event.data)
    if event.data == "[DONE]" then
      state.over = "done"
    elseif chunk and chunk.error then
      local fault = type(chunk.error) == "table" and chunk.error or {}
      judge:must(is_name(fault.message), "error", "an error without a message")
      judge:must(is_text(fault.type), "error_type", "an error without a type")
      state.over = "error"
    elseif chunk then
      state.id, state.model = state.id or chunk.id, state.model or chunk.model
      state.created = state.created or chunk.created
      judge:must(chunk.object == "chat.completion.chunk", "object", "object is ", chunk.object)
      judge:must(is_name(chunk.id) and chunk.id == state.id, "id", "its id is ", chunk.id, ", was ", state.id)
      judge:must(is_text(chunk.model) and chunk.model == state.model, "model", "its model is ", chunk.model)
      judge:must(is_count(chunk.created), "created", "created is ", chunk.created)
      judge:must(chunk.created == state.created, "created_changes", "created changes to ", chunk.created)
      if judge:must(judges.is_list(chunk.choices, "choices", event.data), "choices", "choices is no list") then
        judge:must(not state.usage, "after_usage", "something follows the usage")
        for _, choice in ipairs(chunk.choices) do check_choice(judge, choices, choice) end
        local usage = get(chunk.usage)
        judge:must(usage or #chunk.choices > 0, "empty", "a chunk with neither choices nor usage")
        if usage then check_usage(judge, state, usage, #chunk.choices == 0) end
      end
    end
  end
  judge.at = #events + 1
  if is_cut then return end
  judge:must(state.over, "end", "no [DONE]")
  if state.over ~= "done" then return end
  judge:must(choices.count > 0, "no_choice", "no choice was there")
  for index = 0, choices.count - 1 do
    local choice = choices[index]
    judge:must(choice, "index", "no choice ", index, " of ", choices.count)
    judge:must(not choice or choice.finish, "finish", "choice ", index, " has no finish_reason")
  end
end
