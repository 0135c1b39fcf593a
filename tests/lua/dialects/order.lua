-- Event-order checkers: feed them the events of a produced stream, they raise at the first that a client of that
-- dialect could not follow. They know the two wire protocols and nothing of the translators.

local M = {}

local function fail(...)
  error(table.concat({ ... }), 0)
end

-- Splits complete SSE text into { name, data } (strings), as the standard says; comments are left out.
function M.events(text)
  local events, name, lines = {}, nil, {}
  for line in (text:gsub("\r\n", "\n") .. "\n\n"):gmatch("(.-)\n") do
    if line == "" then
      if #lines > 0 then events[#events + 1] = { name = name, data = table.concat(lines, "\n") } end
      name, lines = nil, {}
    else
      local field, rest = line:match("^([^:]*):? ?(.*)$")
      if field == "data" then lines[#lines + 1] = rest elseif field == "event" then name = rest end
    end
  end
  return events
end

-- Anthropic: message_start → (block_start → delta* → block_stop)* → message_delta → message_stop, indices 0, 1, 2 …
function M.check_messages(events, json)
  local state, open, next_index, kind = "before", nil, 0, nil
  local delta_of = { text_delta = "text", citations_delta = "text", thinking_delta = "thinking",
    signature_delta = "thinking", input_json_delta = "tool_use" }
  for i, event in ipairs(events) do
    local body = json.decode(event.data) or fail("event ", i, " is not JSON: ", event.data)
    if body.type ~= event.name then fail("event ", i, " is named ", tostring(event.name), " but is ", body.type) end
    if state == "done" then fail("event ", i, " ", body.type, " after the end") end
    if body.type == "error" then
      state = "done"
    elseif body.type == "ping" then
      if state == "before" then fail("ping before message_start") end
    elseif body.type == "message_start" then
      if state ~= "before" then fail("a second message_start") end
      state = "blocks"
      local m = body.message
      if m.role ~= "assistant" or m.type ~= "message" or not m.usage.input_tokens or not m.usage.output_tokens
        or type(m.id) ~= "string" or type(m.model) ~= "string" then
        fail("message_start lacks a field: ", event.data)
      end
    elseif body.type == "content_block_start" then
      if state ~= "blocks" then fail("block start in state ", state) end
      if open then fail("block ", body.index, " starts while ", open, " is open") end
      if body.index ~= next_index then fail("block index ", body.index, ", expected ", next_index) end
      open, next_index, kind = body.index, next_index + 1, body.content_block.type
      if kind == "tool_use" and (body.content_block.id or "") == "" then fail("tool_use without id") end
      if kind == "tool_use" and (body.content_block.name or "") == "" then fail("tool_use without name") end
    elseif body.type == "content_block_delta" then
      if body.index ~= open then fail("delta for block ", body.index, ", open is ", tostring(open)) end
      if delta_of[body.delta.type] ~= kind then fail(body.delta.type, " in a ", kind, " block") end
    elseif body.type == "content_block_stop" then
      if body.index ~= open then fail("stop of block ", body.index, ", open is ", tostring(open)) end
      open = nil
    elseif body.type == "message_delta" then
      if open then fail("message_delta while block ", open, " is open") end
      if state ~= "blocks" then fail("message_delta in state ", state) end
      if type(body.delta.stop_reason) ~= "string" then fail("message_delta without stop_reason") end
      if not body.usage.output_tokens then fail("message_delta without usage") end
      state = "delta"
    elseif body.type == "message_stop" then
      if state ~= "delta" then fail("message_stop in state ", state) end
      state = "done"
    else
      fail("unknown event ", body.type)
    end
  end
  if state ~= "done" then fail("the stream ends in state ", state) end
end

-- Chat: role first and once a choice, deltas, one finish_reason a choice, optional usage chunk, [DONE]; or an error and
-- nothing after it. Tool ids and names come once, in the first fragment of their index.
function M.check_chat(events, json)
  local done, failed, usage_seen, id = false, false, false, nil
  local choices = {}
  for i, event in ipairs(events) do
    if done or failed then fail("event ", i, " after the end") end
    if event.data == "[DONE]" then
      done = true
    else
      local chunk = json.decode(event.data) or fail("event ", i, " is not JSON: ", event.data)
      if chunk.error then
        failed = true
      else
        if chunk.object ~= "chat.completion.chunk" then fail("object is ", tostring(chunk.object)) end
        id = id or chunk.id
        if chunk.id ~= id or type(id) ~= "string" or id == "" then fail("id changes or is missing") end
        if type(chunk.model) ~= "string" or type(chunk.created) ~= "number" then fail("no model or created") end
        if usage_seen then fail("a chunk after the usage chunk") end
        if #chunk.choices == 0 then
          if not chunk.usage then fail("a chunk without choices or usage") end
          usage_seen = true
        end
        for _, choice in ipairs(chunk.choices) do
          local state = choices[choice.index]
          if not state then
            if choice.delta.role ~= "assistant" then fail("choice ", choice.index, " begins without a role") end
            state = { calls = 0 }
            choices[choice.index] = state
          elseif choice.delta.role then
            fail("the role comes again")
          end
          if state.finished then fail("choice ", choice.index, " goes on after its finish_reason") end
          for _, call in ipairs(choice.delta.tool_calls or {}) do
            local called = call["function"] or call.custom
            if call.index == state.calls then
              if (call.id or "") == "" or (called.name or "") == "" then fail("a call without id or name") end
              state.calls = state.calls + 1
            elseif call.index > state.calls then
              fail("call index ", call.index, " skips")
            elseif call.id or called.name then
              fail("id or name again in call ", call.index)
            end
          end
          if choice.finish_reason ~= json.null then state.finished = true end
        end
      end
    end
  end
  if failed then return end
  if not done then fail("no [DONE]") end
  if not choices[0] then fail("no choice 0") end
  for index, state in pairs(choices) do
    if not state.finished then fail("choice ", index, " has no finish_reason") end
  end
end

return M
