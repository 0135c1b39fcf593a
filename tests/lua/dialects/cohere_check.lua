-- What the specs know of cohere.chat, written from the protocol and apart from the translator: a checker of the order
-- of events, a stream put together into a whole answer, what an answer says (as tests/lua/dialects/outcome.lua has it),
-- and the canonical form of a request.

local M = {}

local function fail(...)
  error(table.concat({ ... }), 0)
end

local function get(json, v)
  if v == json.null then return nil end
  return v
end

-- message-start → (tool-plan-delta | content | call)* → message-end → [DONE]; or message-end with an error, and nothing
-- after it. Content and calls are counted apart from 0, one open at a time; citations lie within an open content item.
function M.check(events, json)
  local state, open, kind = "before", nil, nil
  local counts = { content = 0, ["tool-call"] = 0, citation = 0 }
  local open_citation
  for i, event in ipairs(events) do
    if state == "done" then fail("event ", i, " after the end") end
    if event.data == "[DONE]" then
      if state ~= "ended" then fail("[DONE] in state ", state) end
      state = "done"
    else
      local body = json.decode(event.data) or fail("event ", i, " is not JSON: ", event.data)
      local what, step = body.type:match("^(.*)%-(%l+)$")
      if body.type ~= event.name then fail("event ", i, " is named ", tostring(event.name), " but is ", body.type) end
      if state == "ended" then fail(body.type, " after message-end") end
      if body.type == "message-end" and body.delta.error then
        local reason = body.delta.finish_reason
        if reason ~= "ERROR" and reason ~= "TIMEOUT" then fail("a fault as an end") end
        state = "done"
      elseif body.type == "message-start" then
        if state ~= "before" then fail("a second message-start") end
        local m = body.delta.message
        if type(body.id) ~= "string" or m.role ~= "assistant" or not json.is_array(m.content)
          or not json.is_array(m.tool_calls) or not json.is_array(m.citations) then
          fail("message-start lacks a field: ", event.data)
        end
        state = "open"
      elseif state ~= "open" then
        fail(body.type, " in state ", state)
      elseif body.type == "message-end" then
        if open then fail("message-end while ", kind, " ", open, " is open") end
        if type(body.delta.finish_reason) ~= "string" then fail("no finish_reason") end
        if not body.delta.usage.tokens.output_tokens or not body.delta.usage.billed_units then fail("no usage") end
        state = "ended"
      elseif body.type == "tool-plan-delta" then
        if type(body.delta.message.tool_plan) ~= "string" then fail("a plan without text") end
      elseif what == "citation" then
        if step == "start" then
          local c = body.delta.message.citations
          if kind ~= "content" or open_citation then fail("a citation outside content") end
          if body.index ~= counts.citation then fail("citation index ", body.index) end
          if c.start >= c["end"] or c.text == "" or #c.sources == 0 then fail("odd citation ", event.data) end
          counts.citation, open_citation = counts.citation + 1, body.index
        else
          if body.index ~= open_citation then fail("citation-end of ", body.index) end
          open_citation = nil
        end
      elseif counts[what] and step == "start" then
        if open then fail(what, " starts while ", kind, " ", open, " is open") end
        if body.index ~= counts[what] then fail(what, " index ", body.index, ", expected ", counts[what]) end
        if what == "tool-call" then
          local call = body.delta.message.tool_calls
          if (call.id or "") == "" or (call["function"].name or "") == "" then fail("a call without id or name") end
        end
        open, kind, counts[what] = body.index, what, counts[what] + 1
      elseif counts[what] and (step == "delta" or step == "end") then
        if what ~= kind or body.index ~= open then fail(body.type, " ", body.index, ", open is ", tostring(open)) end
        if step == "end" then
          if open_citation then fail("content ends within a citation") end
          open, kind = nil, nil
        end
      else
        fail("unknown event ", body.type)
      end
    end
  end
  if state ~= "done" then fail("the stream ends in state ", state) end
end

-- Events of a stream → the body of a whole answer, or nil and the error.
function M.assemble(json, events)
  local body, message = {}, { role = "assistant" }
  local plan, citations, logprobs = {}, {}, {}
  for _, event in ipairs(events) do
    local e = event.data ~= "[DONE]" and json.decode(event.data) or {}
    local m = e.delta and e.delta.message or {}
    if e.type == "message-start" then
      body.id = e.id
    elseif e.type == "content-start" then
      message.content = message.content or json.array({})
      message.content[e.index + 1] = m.content
    elseif e.type == "content-delta" then
      local item = message.content[e.index + 1]
      item.text = m.content.text and item.text .. m.content.text or item.text
      item.thinking = m.content.thinking and item.thinking .. m.content.thinking or item.thinking
      if e.logprobs then logprobs[#logprobs + 1] = e.logprobs end
    elseif e.type == "tool-plan-delta" then
      plan[#plan + 1] = m.tool_plan
    elseif e.type == "tool-call-start" then
      message.tool_calls = message.tool_calls or json.array({})
      message.tool_calls[e.index + 1] = m.tool_calls
    elseif e.type == "tool-call-delta" then
      local fn = message.tool_calls[e.index + 1]["function"]
      fn.arguments = fn.arguments .. m.tool_calls["function"].arguments
    elseif e.type == "citation-start" then
      citations[#citations + 1] = m.citations
    elseif e.type == "message-end" then
      if e.delta.error then return nil, { message = e.delta.error } end
      body.finish_reason, body.usage = e.delta.finish_reason, e.delta.usage
    end
  end
  if #plan > 0 then message.tool_plan = table.concat(plan) end
  if #citations > 0 then message.citations = json.array(citations) end
  if #logprobs > 0 then body.logprobs = json.array(logprobs) end
  body.message = message
  return body
end

local function canonical_arguments(json, text)
  if not text:find("%S") then return "{}" end
  local v = json.decode(text)
  return v == nil and text or json.encode(v)
end

local finishes = { COMPLETE = "stop", STOP_SEQUENCE = "stop", MAX_TOKENS = "length", TOOL_CALL = "tool",
  ERROR_TOXIC = "filter" }

function M.outcome(json, body)
  local texts, thoughts, calls = {}, {}, {}
  for _, item in ipairs(body.message.content or {}) do
    if item.type == "text" then texts[#texts + 1] = item.text else thoughts[#thoughts + 1] = item.thinking end
  end
  thoughts[#thoughts + 1] = body.message.tool_plan
  for i, call in ipairs(body.message.tool_calls or {}) do
    calls[i] = { id = call.id, name = call["function"].name,
      arguments = canonical_arguments(json, call["function"].arguments) }
  end
  local usage = body.usage and {
    input = body.usage.tokens.input_tokens + (body.usage.tokens.image_tokens or 0),
    output = body.usage.tokens.output_tokens, cached = get(json, body.usage.cached_tokens) or 0, written = 0,
    reasoning = body.usage.tokens.reasoning_tokens or 0,
  }
  return { text = table.concat(texts), thinking = table.concat(thoughts), calls = calls, signatures = {},
    finish = finishes[body.finish_reason] or "?", usage = usage }
end

local function as_items(content)
  if type(content) ~= "table" then content = { { type = "text", text = content or "" } } end
  local items = {}
  for _, item in ipairs(content) do
    if item.text ~= "" then items[#items + 1] = item end
  end
  return items
end

-- Two requests that ask for the same become equal: content as a list, null and empty lists left out, documents as they
-- stand, arguments as values.
function M.canonical(json, body)
  for name, v in pairs(body) do
    if v == json.null or type(v) == "table" and next(v) == nil then body[name] = nil end
  end
  if body.stream == false then body.stream = nil end
  for _, message in ipairs(body.messages) do
    message.content = as_items(message.content)
    for _, call in ipairs(message.tool_calls or {}) do
      call["function"].arguments = json.decode(call["function"].arguments) or call["function"].arguments
    end
  end
  return body
end

return M
