-- What bodies and streams of Gemini say, for specs: the outcome of an answer as tests/lua/dialects/outcome.lua has it,
-- a stream put together again, a checker of its order, and the canonical form of a request. Written from the protocol,
-- apart from the translators, so that a mistake there is not repeated here.

local M = {}

local function present(json, v)
  if v == json.null then return nil end
  return v
end

local finishes = { STOP = "stop", MAX_TOKENS = "length", SAFETY = "filter" }

-- outcome = { text, thinking, signatures, calls, finish, usage } of the first candidate.
function M.outcome(json, body)
  local candidate = body.candidates[1]
  local texts, thoughts, signatures, calls = {}, {}, {}, {}
  for _, part in ipairs(candidate.content.parts or {}) do
    if part.text then
      local into = part.thought == true and thoughts or texts
      into[#into + 1] = part.text
    end
    if part.functionCall then
      local call = part.functionCall
      calls[#calls + 1] = { id = call.id, name = call.name, arguments = json.encode(call.args or {}) }
    end
    if part.thoughtSignature then signatures[#signatures + 1] = part.thoughtSignature end
  end
  local finish = #calls > 0 and "tool" or finishes[candidate.finishReason] or "stop"
  local u = body.usageMetadata
  local usage = u and {
    input = (u.promptTokenCount or 0) + (u.toolUsePromptTokenCount or 0),
    output = (u.candidatesTokenCount or 0) + (u.thoughtsTokenCount or 0), cached = u.cachedContentTokenCount or 0,
    reasoning = u.thoughtsTokenCount or 0, total = u.totalTokenCount,
  }
  return { text = table.concat(texts), thinking = table.concat(thoughts), signatures = signatures, calls = calls,
    finish = finish, usage = usage }
end

-- Complete stream text as chunks { data } (JSON texts), strictly by its framing.
function M.chunks(json, text, framing)
  local chunks = {}
  if framing == "json-array" then
    for i, chunk in ipairs(assert(json.decode(text), "not one JSON array: " .. text)) do
      chunks[i] = { data = json.encode(chunk) }
    end
    return chunks
  end
  local rest = text
  while rest ~= "" do
    local data, after = rest:match("^data: ([^\r\n]*)\r\n\r\n(.*)$")
    if not data then
      -- After an error stands a comment that Google's SDKs stumble over.
      assert(rest:find("^: [%w ]+\n\r\n$") and chunks[#chunks].data:find('^{"error"'), "not an event: " .. rest)
      break
    end
    chunks[#chunks + 1], rest = { data = data }, after
  end
  return chunks
end

-- Chunks → the body of a whole answer, or nil and the error.
function M.assemble(json, chunks)
  local body = { candidates = {} }
  for _, event in ipairs(chunks) do
    local chunk = json.decode(event.data)
    if chunk.error then return nil, chunk.error end
    for _, name in ipairs({ "usageMetadata", "responseId", "modelVersion", "promptFeedback" }) do
      body[name] = present(json, chunk[name]) or body[name]
    end
    for _, candidate in ipairs(chunk.candidates or {}) do
      local place = (candidate.index or 0) + 1
      local made = body.candidates[place] or { index = place - 1, content = { role = "model", parts = json.array({}) } }
      body.candidates[place] = made
      for _, part in ipairs(candidate.content and candidate.content.parts or {}) do
        table.insert(made.content.parts, part)
      end
      for _, name in ipairs({ "finishReason", "groundingMetadata", "citationMetadata" }) do
        made[name] = candidate[name] or made[name]
      end
    end
  end
  body.candidates = json.array(body.candidates)
  return body
end

----- requests

local owned = { args = true, response = true, parameters = true, parametersJsonSchema = true, responseSchema = true,
  responseJsonSchema = true }

local function camelized(json, v)
  if type(v) ~= "table" or v == json.null then return v end
  local made = {}
  for key, inner in pairs(v) do
    if type(key) == "string" and #key > 1 then key = key:gsub("_(%l)", string.upper) end
    if inner ~= json.null then made[key] = owned[key] and inner or camelized(json, inner) end
  end
  return made
end

-- OpenAPI types in upper case are JSON Schema's in lower case; nothing else is special in the recorded schemas.
local function lower_types(v)
  if type(v) ~= "table" then return v end
  local made = {}
  for key, inner in pairs(v) do
    if key == "type" and type(inner) == "string" then made[key] = inner:lower() else made[key] = lower_types(inner) end
    if key == "propertyOrdering" then made[key] = nil end
  end
  return made
end

-- Two bodies that ask for the same thing become equal. Each step is one way in which bodies may differ without meaning
-- anything else.
function M.canonical(json, body)
  body = camelized(json, body)
  body.model = nil
  if body.systemInstruction then
    local list = body.systemInstruction.parts or {}
    if list.text then list = { list } end
    local texts = {}
    for _, part in ipairs(list) do texts[#texts + 1] = part.text ~= "" and part.text or nil end
    body.systemInstruction = #texts > 0 and texts or nil
  end
  local config = body.generationConfig or {}
  if config.responseModalities and #config.responseModalities == 1 and config.responseModalities[1] == "TEXT" then
    config.responseModalities = nil
  end
  config.responseJsonSchema = config.responseJsonSchema or lower_types(config.responseSchema)
  config.responseSchema = nil
  if config.responseMimeType == "text/plain" then config.responseMimeType = nil end
  local thinking = config.thinkingConfig
  if thinking then
    if thinking.thinkingLevel then thinking.thinkingLevel = thinking.thinkingLevel:lower() end
    -- Thoughts are asked for with every budget; clients of other dialects want to see them.
    thinking.includeThoughts = thinking.thinkingBudget ~= 0 or nil
  end
  body.generationConfig = next(config) and config or nil
  local calling = body.toolConfig and body.toolConfig.functionCallingConfig
  if calling then
    calling.mode = calling.mode:upper()
    if calling.mode == "VALIDATED" and not calling.allowedFunctionNames then calling.mode = "AUTO" end
  end
  local tools = {}
  for _, tool in ipairs(body.tools or {}) do
    for kind, v in pairs(tool) do
      if kind == "functionDeclarations" then
        for _, fn in ipairs(v) do
          fn.parametersJsonSchema, fn.parameters = lower_types(fn.parametersJsonSchema or fn.parameters), nil
          tools[fn.name] = fn
        end
      else
        tools[kind] = v
      end
    end
  end
  body.tools = next(tools) and tools or nil
  if body.toolConfig and not next(body.toolConfig) then body.toolConfig = nil end
  if body.safetySettings and #body.safetySettings == 0 then body.safetySettings = nil end
  local said, signature = {}, nil
  for _, content in ipairs(body.contents) do
    for _, part in ipairs(content.parts.text and { content.parts } or content.parts) do
      part.thought = part.thought == true or nil
      local call = part.functionCall or part.functionResponse
      if call then call.id = nil end
      -- A thought's signature is the one of the part after it.
      part.thoughtSignature, signature = part.thoughtSignature or signature, nil
      if part.thought then part.thoughtSignature, signature = nil, part.thoughtSignature end
      if part.functionResponse then
        local response = part.functionResponse.response
        if not next(response) then part.functionResponse.response = {} end
      end
      said[#said + 1] = { role = content.role or "user", part = part }
    end
  end
  body.contents = said
  return body
end

-- What a request says by role, whatever its turns and parts are cut into. Known moves are made equal: system text goes
-- to the top, files of tool results follow the results, documents of text become text. What only Gemini knows, and
-- thoughts, are left out.
function M.conversation(json, normal)
  local said = { system = {}, user = {}, assistant = {}, calls = {}, files = {}, results = {} }
  local function add(role, list)
    for _, part in ipairs(list) do
      if part.type == "text" or part.type == "refusal" then
        table.insert(said[role == "developer" and "system" or role], part.text)
      elseif part.type == "tool_call" then
        table.insert(said.calls, part.id .. part.name .. json.encode(json.decode(json.text(part.arguments))))
      elseif part.type == "tool_result" then
        local texts = {}
        for _, inner in ipairs(part.parts) do
          if inner.type == "text" then texts[#texts + 1] = inner.text else add(role, { inner }) end
        end
        local text = table.concat(texts)
        table.insert(said.results, part.id .. (text:find("^%s*[%[{]") and json.encode(json.decode(text)) or text))
      elseif part.type == "image" or part.type == "document" or part.type == "audio" then
        table.insert(said.files, part.bytes or part.url or part.file_id)
      end
    end
  end
  for _, message in ipairs(normal.system or {}) do add("system", message.parts) end
  for _, message in ipairs(normal.messages) do add(message.role, message.parts) end
  for _, role in ipairs({ "system", "user", "assistant" }) do said[role] = table.concat(said[role]):gsub("%s", "") end
  -- The name that Chat gives a file without one comes back as text.
  said.user = said.user:gsub("document%.pdf", "")
  return said
end

return M
