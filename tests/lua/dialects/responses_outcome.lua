-- What a Responses answer says, in the words of outcome.lua, and streams put together again from their deltas alone.
-- Written from the protocol, apart from the translators, so that a mistake there is not repeated here.

local M = {}

local function present(json, v)
  if v == json.null then return nil end
  return v
end

local function canonical(json, text)
  if not text:find("%S") then return "{}" end
  local v = json.decode(text)
  return v == nil and text or json.encode(v)
end

-- outcome = { text, thinking, calls, finish, usage, sealed }: sealed holds what encrypted_content said, in order.
function M.of(json, body)
  local texts, thoughts, calls, sealed, has_refusal = {}, {}, {}, {}, false
  if type(body.reasoning) == "string" then thoughts[1] = body.reasoning end
  for _, item in ipairs(body.output) do
    if item.type == "message" then
      for _, part in ipairs(item.content) do
        if part.type == "refusal" then has_refusal = true end
        texts[#texts + 1] = part.text or part.refusal
      end
    elseif item.type == "reasoning" then
      local content = present(json, item.content) or {}
      for _, piece in ipairs(#content > 0 and content or present(json, item.summary) or {}) do
        thoughts[#thoughts + 1] = piece.text
      end
      if (present(json, item.encrypted_content) or "") ~= "" then sealed[#sealed + 1] = item.encrypted_content end
    elseif item.type == "function_call" then
      calls[#calls + 1] = { id = item.call_id, name = item.name, arguments = canonical(json, item.arguments) }
    elseif item.type == "custom_tool_call" then
      calls[#calls + 1] = { id = item.call_id, name = item.name, arguments = json.encode({ input = item.input }) }
    end
  end
  local finish = #calls > 0 and "tool" or has_refusal and "filter" or "stop"
  local details = present(json, body.incomplete_details)
  if body.status == "incomplete" then finish = details.reason == "content_filter" and "filter" or "length" end
  local u = present(json, body.usage)
  local input = u and present(json, u.input_tokens_details) or {}
  local output = u and present(json, u.output_tokens_details) or {}
  return { text = table.concat(texts), thinking = table.concat(thoughts), calls = calls, finish = finish,
    sealed = sealed, signatures = {}, redacted = {},
    usage = u and { input = u.input_tokens, output = u.output_tokens,
      cached = present(json, input.cached_tokens) or 0, written = present(json, input.cache_write_tokens) or 0,
      reasoning = present(json, output.reasoning_tokens) or 0 } }
end

local appended = { ["response.output_text.delta"] = "text", ["response.refusal.delta"] = "refusal",
  ["response.function_call_arguments.delta"] = "arguments", ["response.custom_tool_call_input.delta"] = "input",
  ["response.reasoning_summary_text.delta"] = "summary", ["response.reasoning_text.delta"] = "thought" }

-- Events → the body of a whole answer built of deltas, or nil and the error. Of finished items only what no delta says
-- is taken: ids, names, encrypted content.
function M.assemble(json, events)
  local items, last, final = {}, -1, nil
  for _, event in ipairs(events) do
    local body = event.data ~= "[DONE]" and json.decode(event.data) or {}
    local kind = body.type
    if kind == "error" then return nil, body.error or body end
    if kind == "response.failed" then return nil, body.response.error end
    if kind == "response.output_item.added" then
      items[body.output_index] = { item = body.item, text = "", refusal = "", arguments = "", input = "", summary = "",
        thought = "" }
      last = math.max(last, body.output_index)
    elseif kind == "response.output_item.done" then
      local state = items[body.output_index]
      state.item.encrypted_content = body.item.encrypted_content
    elseif appended[kind] then
      local state, field = items[body.output_index], appended[kind]
      state[field] = state[field] .. body.delta
    elseif kind == "response.completed" or kind == "response.incomplete" then
      final = body.response
    end
  end
  if not final then return nil, { message = "no end" } end
  local output = json.array({})
  for index = 0, last do
    local state = items[index]
    local item = state.item
    if item.type == "message" then
      item.content = json.array({})
      if state.text ~= "" then table.insert(item.content, { type = "output_text", text = state.text }) end
      if state.refusal ~= "" then table.insert(item.content, { type = "refusal", refusal = state.refusal }) end
    elseif item.type == "reasoning" then
      local text = state.summary .. state.thought
      item.content = nil
      item.summary = json.array({ text ~= "" and { type = "summary_text", text = text } or nil })
    elseif item.type == "function_call" then
      item.arguments = state.arguments
    elseif item.type == "custom_tool_call" then
      item.input = state.input
    end
    output[#output + 1] = item
  end
  return { id = final.id, object = "response", model = final.model, status = final.status, output = output,
    usage = final.usage, incomplete_details = final.incomplete_details, error = json.null }
end

----- requests

-- null, empty lists of nothing, and flags that are the default ask for nothing.
local function drop_nothings(json, v)
  if type(v) ~= "table" or v == json.null then return end
  for key, inner in pairs(v) do
    if inner == json.null then v[key] = nil else drop_nothings(json, inner) end
  end
end

local function canonical_content(content, role)
  if type(content) == "string" then content = { { text = content } } end
  for _, part in ipairs(content) do
    if part.text then part.type = "text" end
    if role == "assistant" and part.annotations and #part.annotations == 0 then part.annotations = nil end
  end
  return content
end

-- Canonical form of a request: two that ask for the same become equal. What a stateless hop leaves out on purpose
-- (store, include, ids and states of items) is left out here.
function M.canonical(json, body)
  drop_nothings(json, body)
  if body.stream == false then body.stream = nil end
  body.store, body.include, body.truncation = nil, nil, nil
  if type(body.input) == "string" then body.input = { { role = "user", content = body.input } } end
  local said = {}
  for _, item in ipairs(body.input) do
    item.type = item.type or "message"
    if item.type ~= "web_search_call" and not item.type:find("^tool_search") then item.id, item.status = nil, nil end
    item.phase = nil
    if item.type == "message" then item.content = canonical_content(item.content, item.role) end
    if item.type == "function_call_output" then item.output = canonical_content(item.output) end
    if item.type == "function_call" then item.arguments = canonical(json, item.arguments) end
    if item.type == "reasoning" and not item.encrypted_content then
      -- Unsigned thoughts may stand in either list, in one item or several.
      local list = item.content and #item.content > 0 and item.content or item.summary or {}
      item.summary, item.content, item.thoughts = nil, nil, {}
      for i, piece in ipairs(list) do item.thoughts[i] = piece.text end
    end
    local last = said[#said]
    -- An empty turn says nothing.
    local is_empty = item.role == "assistant" and #item.content == 1 and item.content[1].text == ""
    if last and last.thoughts and item.thoughts then
      for _, text in ipairs(item.thoughts) do table.insert(last.thoughts, text) end
    elseif last and last.role == "assistant" and item.role == "assistant" and not is_empty then
      for _, piece in ipairs(item.content) do table.insert(last.content, piece) end
    elseif not is_empty then
      said[#said + 1] = item
    end
  end
  body.input = said
  if body.instructions == "" then body.instructions = nil end
  for _, tool in ipairs(body.tools or {}) do
    if tool.type == "function" then
      tool.strict = tool.strict or false
      tool.parameters = tool.parameters or { type = "object", properties = {} }
    end
  end
  if body.tools and #body.tools == 0 then body.tools = nil end
  if not body.tools then body.tool_choice = nil end
  if body.reasoning then
    body.reasoning.summary = body.reasoning.summary or body.reasoning.generate_summary
    body.reasoning.generate_summary = nil
    if not next(body.reasoning) then body.reasoning = nil end
  end
  local format = body.text and body.text.format
  if format and format.type == "json_schema" and format.strict == nil then format.strict = true end
  return body
end

return M
