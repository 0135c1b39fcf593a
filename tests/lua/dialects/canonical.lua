-- Canonical form of a request body: two bodies that ask for the same thing become equal. Used to show that
-- request → normal form → same dialect loses nothing. Each step below is one way in which bodies may differ without
-- meaning anything else.

local M = {}

local function each_message(body, visit)
  for _, message in ipairs(body.messages or {}) do visit(message) end
end

-- null, false flags that are the default, and empty lists ask for nothing.
local function drop_nothings(json, v)
  if type(v) ~= "table" or v == json.null then return end
  for key, inner in pairs(v) do
    if inner == json.null then v[key] = nil else drop_nothings(json, inner) end
  end
end

local function one_text_is_string(content)
  if type(content) == "table" and #content == 1 and content[1].type == "text" and not content[1].cache_control
    and not content[1].citations then
    return content[1].text
  end
  return content
end

local function joined_texts(content)
  if type(content) ~= "table" then return content end
  local texts = {}
  for _, part in ipairs(content) do
    if part.type ~= "text" or part.cache_control then return content end
    texts[#texts + 1] = part.text
  end
  return table.concat(texts)
end

function M.chat(json, body)
  drop_nothings(json, body)
  body.max_tokens = body.max_completion_tokens or body.max_tokens
  body.max_completion_tokens, body.stream_options = nil, nil
  if body.stream == false then body.stream = nil end
  body.seed, body.random_seed = body.seed or body.random_seed, nil
  if body.logprobs == false then body.logprobs, body.top_logprobs = nil, nil end
  if type(body.stop) == "string" then body.stop = { body.stop } end
  if body.tool_choice == "any" then body.tool_choice = "required" end
  if body.functions then
    -- The deprecated names ask for the same.
    body.tools = {}
    for i, fn in ipairs(body.functions) do body.tools[i] = { type = "function", ["function"] = fn } end
    body.tool_choice, body.functions, body.function_call = body.tool_choice or body.function_call, nil, nil
  end
  for _, tool in ipairs(body.tools or {}) do tool.type = tool.type or "function" end
  if type(body.tool_choice) == "table" then body.tool_choice.type = body.tool_choice.type or "function" end
  if body.tools and #body.tools == 0 then body.tools = nil end
  if not body.tools then body.tool_choice, body.parallel_tool_calls = nil, nil end
  if body.thinking and body.thinking.type == "disabled" then body.thinking, body.reasoning_effort = nil, "none" end
  if body.response_format and body.response_format.json_schema then
    local schema = body.response_format.json_schema
    if schema.strict == nil then schema.strict = true end
  end
  each_message(body, function(message)
    if message.role == "assistant" or message.role == "tool" then message.content = joined_texts(message.content) end
    message.content = one_text_is_string(message.content)
    if message.content and #message.content == 0 then message.content = nil end
    for _, call in ipairs(message.tool_calls or {}) do
      call.index, call.type = nil, "function"
      local arguments = call["function"].arguments
      call["function"].arguments = arguments == "" and {} or json.decode(arguments) or arguments
    end
    -- Reasoning details say the same as reasoning beside them; what is signed is compared by its own test.
    message.reasoning_details = nil
    message.reasoning_content, message.reasoning = nil, nil
    for _, part in ipairs(type(message.content) == "table" and message.content or {}) do
      if type(part.image_url) == "string" then part.image_url = { url = part.image_url } end
      if type(part.input_audio) == "string" then part.input_audio = { data = part.input_audio, format = "wav" } end
      if part.type == "document_url" then
        part.type, part.file, part.document_url = "file", { file_data = part.document_url }, nil
      end
    end
  end)
  return body
end

function M.messages(json, body)
  drop_nothings(json, body)
  if body.stream == false then body.stream = nil end
  if type(body.system) == "table" and #body.system == 0 then body.system = nil end
  body.system = one_text_is_string(body.system)
  for _, tool in ipairs(body.tools or {}) do
    if tool.strict == false then tool.strict = nil end
    if tool.type == "custom" then tool.type = nil end
  end
  local turns = {}
  each_message(body, function(message)
    local content = message.content
    if type(content) == "string" then content = { { type = "text", text = content } } end
    local last = turns[#turns]
    if not last or last.role ~= message.role then
      last = { role = message.role, content = {}, results = 0 }
      turns[#turns + 1] = last
    end
    for _, block in ipairs(content) do
      if block.type == "tool_result" then
        if block.is_error == false then block.is_error = nil end
        block.content = one_text_is_string(block.content)
        if block.content == "" or type(block.content) == "table" and #block.content == 0 then block.content = nil end
        last.results = last.results + 1
        table.insert(last.content, last.results, block)
      elseif block.type ~= "text" or block.text:find("%S") then
        if block.type == "document" and block.citations and not block.citations.enabled then block.citations = nil end
        last.content[#last.content + 1] = block
      end
    end
  end)
  for _, turn in ipairs(turns) do turn.results = nil end
  body.messages = turns
  return body
end

return M
