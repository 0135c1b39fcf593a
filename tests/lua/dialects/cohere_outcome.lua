-- What the specs know of cohere.chat, written from the protocol and apart from the translator: a stream put together
-- into a whole answer, what an answer says (as tests/lua/dialects/outcome.lua has it), and the canonical form of a
-- request.

local M = {}

local function get(json, v)
  if v == json.null then return nil end
  return v
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
