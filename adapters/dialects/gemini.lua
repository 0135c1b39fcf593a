-- gemini: Google's generateContent (Gemini API and Vertex AI), to and from the normal form
-- (docs/reference/normal-form.md). Requests, whole answers and errors are here, streams in lua/gw/gemini_stream.lua.
-- Source: Gemini API reference "Generating content", "Thinking", "Thought signatures", "Structured outputs", "Function
-- calling", and recorded exchanges. Field names are read in camelCase and in snake_case, as Google reads them.
-- The model is in the path, not in the body. It does not change a same-dialect hop: those bytes are forwarded as they
-- are.
--
-- Quirks it reads (adapter.quirks, per model by quirks.models):
--   json_schema           false: the model takes only the OpenAPI subset; schemas are rewritten; what has no place is
--                         a loss. Otherwise JSON Schema is sent whole (parametersJsonSchema, responseJsonSchema)
--   format_with_tools     false: the model refuses a JSON format beside tools; the format is dropped, a loss
--   system                false: the model has no system instruction; its text leads the first user turn, a loss
--   thinking              "budget" (thinkingBudget, default), "level" (thinkingLevel; a budget becomes one, a loss) or
--                         "none" (the model cannot think: dropped, a loss)
--   thinking_off          false: it cannot be switched off; the least is sent instead, a loss
--   thinking_min, thinking_max   budgets outside are clamped, a loss
--   efforts               { low = true, … } levels that the model takes; others become the nearest, a loss; default
--                         low, medium, high
--   sampling              "all" (default); "none": the model takes no temperature, topP and topK; dropped, a loss
--   signature_filler      sent where the first call of a turn has no thoughtSignature and the model demands one, a loss
--   call_ids              false: the provider refuses ids on calls and results
--   result_parts          true: images and files of a tool result go into functionResponse.parts; otherwise they are
--                         moved into the next user message, a loss
--   file_urls             true: the provider fetches http URLs; otherwise they are refused
--   media_resolution      true: the model takes mediaResolution on an image; otherwise `detail` is a loss
--   tool_name_max         default 64;  tool_id_max  default 64;  logprobs_max  default 5;  stop_max  default 5
--   effort_budgets, budget_efforts     see lua/gw/parts.lua

local parts = require("gw.parts")
local errors = require("gw.errors")
local request_tools = require("gw.request_tools")
local system_text = require("gw.system_text")
local contents = require("gw.gemini_parts")
local answers = require("gw.gemini_answer")
local schemas = require("gw.gemini_schema")
local stream = require("gw.gemini_stream")

local json = gw.json
local value, optional, required, lose, fail = parts.value, parts.optional, parts.required, parts.lose, parts.fail
local array = json.array

local D = { api = 1, name = "gemini" }

D.raw_keys = {
  args = true, response = true, labels = true, parameters = true, parametersJsonSchema = true,
  parameters_json_schema = true, responseSchema = true, response_schema = true, responseJsonSchema = true,
  response_json_schema = true,
}

-- How texts, calls and results are read and written, without Lua (core/script/translation/text_form.h).
D.texts = {
  list = "contents", content = "parts", roles = { user = "user", assistant = "model" },
  system_key = "systemInstruction",
  system = '{"parts":[{"text":%s}]}', user = '{"parts":[{"text":%s}],"role":"user"}',
  assistant = '{"parts":[{"text":%s}],"role":"model"}',
  user_parts = '{"parts":[%s],"role":"user"}', assistant_parts = '{"parts":[%s],"role":"model"}',
  part = '{"text":%s}', joins = true, joins_assistant = true, joins_texts = true,
  tools = {
    place = "keyed", call = "functionCall", call_id = "id", name = "name", arguments = "args",
    result = "functionResponse", result_id = "id", result_name = "name", output = "response", result_is_object = true,
    write_call = '{"functionCall":{"args":%v,"id":%i,"name":%n}}',
    write_result = '{"functionResponse":{"id":%i,"name":%n,"response":%v}}', write_output = '{"output":%v}',
    write_error = '{"functionResponse":{"id":%i,"name":%n,"response":{"error":%s}}}',
    results_apart = true,
    otherwise = { -- quirk signature_filler
      write_call = '{"functionCall":{"args":%v,"id":%i,"name":%n}}',
      write_first_call = '{"functionCall":{"args":%v,"id":%i,"name":%n},'
        .. '"thoughtSignature":"skip_thought_signature_validator"}',
      write_result = '{"functionResponse":{"id":%i,"name":%n,"response":%v}}',
      write_error = '{"functionResponse":{"id":%i,"name":%n,"response":{"error":%s}}}',
    },
  },
}

----- request, Gemini → normal

local function function_to_normal(fn, field)
  local name = required(required(fn, "object", field).name, "string", field, ".name")
  local whole = parts.raw_object(fn.parametersJsonSchema, field, ".parametersJsonSchema")
  local subset = parts.raw_object(fn.parameters, field, ".parameters")
  local rest = parts.rest(fn, { name = true, description = true, parameters = true, parametersJsonSchema = true })
  return { kind = "function", name = name, description = optional(fn.description, "string", field, ".description"),
    schema = whole or subset and schemas.to_json_schema(subset), extra = rest }
end

local function tools_to_normal(body)
  local tools = {}
  for i, tool in ipairs(value(body.tools) ~= nil and contents.list_of(body.tools, "tools") or {}) do
    local field = "tools[" .. (i - 1) .. "]"
    local kinds = {}
    for kind, v in pairs(required(tool, "object", field)) do
      if kind ~= "functionDeclarations" and v ~= json.null then kinds[#kinds + 1] = kind end
    end
    local path = field .. ".functionDeclarations"
    for j, fn in ipairs(optional(tool.functionDeclarations, "array", path) or {}) do
      tools[#tools + 1] = function_to_normal(fn, path .. "[" .. (j - 1) .. "]")
    end
    table.sort(kinds)
    for _, kind in ipairs(kinds) do
      tools[#tools + 1] = { kind = "server", name = kind, dialect = D.name, body = { [kind] = tool[kind] }, at = field }
    end
  end
  return #tools > 0 and tools or nil
end

local function tool_choice_to_normal(config, request, losses)
  local field = "toolConfig.functionCallingConfig"
  local calling = optional(config.functionCallingConfig, "object", field)
  if not calling then return end
  local mode = (optional(calling.mode, "string", field, ".mode") or "AUTO"):upper()
  local names = optional(calling.allowedFunctionNames, "array", field, ".allowedFunctionNames")
  if names and #names == 0 then names = nil end
  for i, name in ipairs(names or {}) do
    required(name, "string", field .. ".allowedFunctionNames[" .. (i - 1) .. "]")
  end
  if mode == "ANY" then
    request.tool_choice = { mode = "required", names = names }
    if names and #names == 1 then request.tool_choice = { mode = "tool", name = names[1] } end
  elseif mode == "NONE" then
    request.tool_choice = { mode = "none" }
  elseif mode == "AUTO" or mode == "MODE_UNSPECIFIED" then
    request.tool_choice = { mode = "auto" }
  elseif mode == "VALIDATED" then
    request.tool_choice = { mode = "auto", names = names }
    if not names then lose(losses, field .. ".mode(VALIDATED sent as AUTO)") end
  else
    fail(field .. ".mode", "must be AUTO, ANY, NONE or VALIDATED, not \"" .. mode .. "\"")
  end
end

local function thinking_to_normal(thinking, request)
  local field = "generationConfig.thinkingConfig"
  local budget = optional(thinking.thinkingBudget, "number", field, ".thinkingBudget")
  local level = optional(thinking.thinkingLevel, "string", field, ".thinkingLevel")
  local is_shown = optional(thinking.includeThoughts, "boolean", field, ".includeThoughts")
  if level == "THINKING_LEVEL_UNSPECIFIED" then level = nil end
  if budget == 0 then
    request.reasoning = { mode = "off" }
  elseif budget and budget > 0 then
    request.reasoning = { mode = "on", budget_tokens = budget }
  elseif level then
    request.reasoning = { mode = "on", effort = level:lower() }
  elseif budget then
    request.reasoning = { mode = "adaptive" }
  elseif is_shown then
    request.reasoning = { mode = "on" }
  end
  if is_shown ~= nil and request.reasoning then request.reasoning.display = is_shown and "summarized" or "omitted" end
end

local function format_to_normal(config, request, losses)
  local media_type = optional(config.responseMimeType, "string", "generationConfig.responseMimeType")
  local whole = parts.raw_object(config.responseJsonSchema, "generationConfig.responseJsonSchema")
  local subset = parts.raw_object(config.responseSchema, "generationConfig.responseSchema")
  local schema = whole or subset and schemas.to_json_schema(subset)
  if media_type == "application/json" then
    request.format = schema and { kind = "json_schema", schema = schema } or { kind = "json" }
  elseif media_type == "text/x.enum" and schema then
    lose(losses, "generationConfig.responseMimeType(text/x.enum sent as JSON)")
    request.format = { kind = "json_schema", schema = schema }
  elseif schema and not media_type then
    request.format = { kind = "json_schema", schema = schema }
  elseif media_type and media_type ~= "text/plain" then
    lose(losses, "generationConfig.responseMimeType")
  end
end

local config_fields = {
  temperature = true, topP = true, topK = true, candidateCount = true, maxOutputTokens = true, stopSequences = true,
  seed = true, presencePenalty = true, frequencyPenalty = true, responseLogprobs = true, logprobs = true,
  responseMimeType = true, responseSchema = true, responseJsonSchema = true, thinkingConfig = true,
}

local function config_to_normal(config, request, losses)
  local function number(name) return optional(config[name], "number", "generationConfig." .. name) end
  request.temperature, request.top_p, request.top_k = number("temperature"), number("topP"), number("topK")
  request.n, request.max_tokens, request.seed = number("candidateCount"), number("maxOutputTokens"), number("seed")
  request.presence_penalty, request.frequency_penalty = number("presencePenalty"), number("frequencyPenalty")
  local stop = parts.strings(config.stopSequences, "generationConfig.stopSequences")
  request.stop = stop and #stop > 0 and stop or nil
  if optional(config.responseLogprobs, "boolean", "generationConfig.responseLogprobs") then
    request.logprobs = { top = number("logprobs") }
  end
  format_to_normal(config, request, losses)
  local thinking = optional(config.thinkingConfig, "object", "generationConfig.thinkingConfig")
  if thinking then thinking_to_normal(thinking, request) end
end

-- Text is what every model answers in.
local function is_text_only(modalities)
  return type(modalities) == "table" and #modalities == 1 and modalities[1] == "TEXT"
end

local body_fields = { model = true, contents = true, systemInstruction = true, tools = true, toolConfig = true,
  generationConfig = true, cachedContent = true }

-- Fields without a place in the normal form, by their path; a path with a point goes back into its object.
local function extra_of(body, config, tool_config)
  local extra = parts.rest(body, body_fields) or {}
  for name, v in pairs(parts.rest(config, config_fields) or {}) do
    if name ~= "responseModalities" or not is_text_only(v) then extra["generationConfig." .. name] = v end
  end
  for name, v in pairs(parts.rest(tool_config, { functionCallingConfig = true }) or {}) do
    extra["toolConfig." .. name] = v
  end
  return next(extra) ~= nil and extra or nil
end

local function system_to_normal(body)
  local system = optional(body.systemInstruction, "object", "systemInstruction")
  if not system or value(system.parts) == nil then return nil end
  local message = { role = "system" }
  message.parts = contents.add_parts(contents.list_of(system.parts, "systemInstruction.parts"),
    "systemInstruction.parts", {}, { calls = 0, open = {} })
  return #message.parts > 0 and { message } or nil
end

-- A cache holds the beginning of the prompt. It belongs to Google, like a file that is held there: other dialects must
-- refuse it, for without it the request means something else.
local function cache_to_normal(body, messages)
  local name = optional(body.cachedContent, "string", "cachedContent")
  if not name or name == "" then return end
  table.insert(messages[1].parts, 1, { type = "document", file_id = name, dialect = D.name, is_cache = true,
    at = "cachedContent" })
end

-- asked: model and stream, which the path carries.
function D.request_to_normal(body, losses, asked)
  required(body, "object", "body")
  body, asked = contents.camelized(body), asked or {}
  local config = optional(body.generationConfig, "object", "generationConfig") or {}
  local tool_config = optional(body.toolConfig, "object", "toolConfig") or {}
  local request = {
    dialect = D.name,
    model = asked.model or optional(body.model, "string", "model"),
    stream = asked.stream or false,
    stream_usage = true,
    system = system_to_normal(body),
    tools = tools_to_normal(body),
    extra = extra_of(body, config, tool_config),
  }
  config_to_normal(config, request, losses)
  tool_choice_to_normal(tool_config, request, losses)
  if value(body.contents) == nil then fail("contents", "is missing; it must be an array") end
  local list = contents.list_of(body.contents, "contents")
  if #list == 0 then fail("contents", "is empty; it must hold at least one turn") end
  request.messages = contents.contents_to_normal(list, losses)
  cache_to_normal(body, request.messages)
  return request
end

----- request, normal → Gemini

local function tools_from_normal(request, rename, quirks, losses)
  local declared, list = array({}), array({})
  for _, tool in ipairs(request.tools or {}) do
    if tool.kind == "server" then
      list[#list + 1] = request_tools.server_tool(tool, D.name, losses)
    else
      local sent = { name = rename(tool.name), description = tool.description }
      if tool.schema and quirks.json_schema == false then
        local schema = schemas.from_json_schema(tool.schema, "tools[].parameters", losses)
        -- Models of this kind refuse an object without properties.
        if schema.type ~= "object" or schema.properties and next(schema.properties) then sent.parameters = schema end
      elseif tool.schema then
        sent.parametersJsonSchema = tool.schema
      end
      if tool.strict then lose(losses, "tools[].strict") end
      if tool.cache then lose(losses, "cache_control") end
      request_tools.add_extra(sent, tool, request.dialect == D.name, losses)
      declared[#declared + 1] = sent
    end
  end
  if #declared > 0 then table.insert(list, 1, { functionDeclarations = declared }) end
  return #list > 0 and list or nil
end

local modes = { auto = "AUTO", none = "NONE", required = "ANY", tool = "ANY" }

local function tool_choice_from_normal(choice, rename)
  local config = { mode = modes[choice.mode] }
  local names = choice.mode == "tool" and { choice.name } or choice.names
  if names then
    config.allowedFunctionNames = array({})
    for i, name in ipairs(names) do config.allowedFunctionNames[i] = rename(name) end
    -- Only these two modes take names.
    if config.mode == "AUTO" then config.mode = "VALIDATED" end
  end
  return { functionCallingConfig = config }
end

local default_efforts = { low = true, medium = true, high = true }

local function level_from_normal(reasoning, quirks, losses)
  local effort, budget = reasoning.effort, reasoning.budget_tokens
  local taken = quirks.efforts or default_efforts
  if reasoning.mode == "off" then
    effort = parts.nearest_effort("minimal", taken, "reasoning_effort")
    lose(losses, "reasoning_effort(none sent as " .. effort .. ")")
    return { thinkingLevel = effort }
  end
  if budget and effort then
    lose(losses, "thinking.budget_tokens")
  elseif budget then
    effort = parts.budget_to_effort(budget, quirks)
    lose(losses, "thinking.budget_tokens(sent as effort " .. effort .. ")")
  end
  return { thinkingLevel = effort and parts.nearest_effort(effort, taken, "reasoning_effort", losses),
    includeThoughts = reasoning.display ~= "omitted" }
end

local function budget_from_normal(reasoning, quirks, losses)
  local budget = reasoning.budget_tokens
  local least, most = quirks.thinking_min, quirks.thinking_max
  if reasoning.mode == "off" then
    if quirks.thinking_off ~= false then return { thinkingBudget = 0 } end
    least = least or 128
    lose(losses, "reasoning_effort(none sent as a budget of " .. least .. " tokens)")
    return { thinkingBudget = least }
  end
  if budget and reasoning.effort then
    lose(losses, "reasoning_effort")
  elseif reasoning.effort then
    budget = parts.effort_to_budget(reasoning.effort, quirks) or parts.effort_to_budget("medium", quirks)
    lose(losses, "reasoning_effort(sent as a budget of " .. budget .. " tokens)")
  elseif not budget and reasoning.mode == "adaptive" then
    budget = -1
  end
  if budget and budget >= 0 then
    local fitting = math.min(math.max(budget, least or budget), most or budget)
    if fitting ~= budget then lose(losses, "thinking.budget_tokens(clamped to " .. fitting .. ")") end
    budget = fitting
  end
  return { thinkingBudget = budget, includeThoughts = reasoning.display ~= "omitted" }
end

local function thinking_from_normal(reasoning, quirks, losses)
  local style = quirks.thinking or "budget"
  if style == "none" then
    if reasoning.mode ~= "off" then lose(losses, "reasoning_effort") end
    return nil
  end
  local write = style == "level" and level_from_normal or budget_from_normal
  return write(reasoning, quirks, losses)
end

local function format_from_normal(request, config, has_tools, quirks, losses)
  local format = request.format
  if not format then return end
  if has_tools and quirks.format_with_tools == false then return lose(losses, "response_format(not with tools)") end
  config.responseMimeType = "application/json"
  if format.kind ~= "json_schema" then return end
  if quirks.json_schema == false then
    config.responseSchema = schemas.from_json_schema(format.schema, "response_format.schema", losses)
  else
    config.responseJsonSchema = format.schema
  end
  if format.description then lose(losses, "response_format.json_schema.description") end
end

local function sampling_from_normal(request, config, quirks, losses)
  if quirks.sampling == "none" then
    if (request.temperature or 1) ~= 1 then lose(losses, "temperature") end
    if (request.top_p or 1) ~= 1 then lose(losses, "top_p") end
    if request.top_k then lose(losses, "top_k") end
  else
    config.temperature, config.topP, config.topK = request.temperature, request.top_p, request.top_k
  end
  config.candidateCount, config.maxOutputTokens = request.n, request.max_tokens
  config.presencePenalty, config.frequencyPenalty = request.presence_penalty, request.frequency_penalty
  if request.seed then
    -- A 32 bit integer, with a sign.
    local seed = math.tointeger(request.seed)
    if not seed or seed < -0x80000000 or seed > 0x7fffffff then
      seed = math.floor(request.seed) & 0x7fffffff
      lose(losses, "seed(sent as " .. seed .. ")")
    end
    config.seed = seed
  end
  local stop_max = quirks.stop_max or 5
  if request.stop then
    config.stopSequences = array({ table.unpack(request.stop, 1, stop_max) })
    if #request.stop > stop_max then lose(losses, "stop(more than " .. stop_max .. ")") end
  end
  if request.logprobs then
    local top, most = request.logprobs.top, quirks.logprobs_max or 5
    config.responseLogprobs = true
    if top and top > most then
      lose(losses, "top_logprobs(clamped to " .. most .. ")")
      top = most
    end
    config.logprobs = top
  end
end

local function lose_what_has_no_place(request, losses)
  if request.logit_bias then lose(losses, "logit_bias") end
  if request.user then lose(losses, "user") end
  if request.service_tier then lose(losses, "service_tier") end
  if request.cache then lose(losses, "cache_control") end
  if request.parallel_tools == false and request.tools then lose(losses, "parallel_tool_calls") end
end

local function system_from_normal(request, how)
  local list = array({})
  system_text.each(request, how.losses, function(message) contents.system_parts(message, how, list) end)
  return #list > 0 and list or nil
end

-- Models without a system instruction get its text in front of what the user says first.
local function into_first_turn(list, system, losses)
  lose(losses, "system(moved into the first user turn)")
  local first = list[1]
  if first.role ~= "user" or first.parts[1].functionResponse then
    first = { role = "user", parts = array({}) }
    table.insert(list, 1, first)
  end
  table.move(first.parts, 1, #first.parts, #system + 1)
  table.move(system, 1, #system, 1, first.parts)
end

local function add_extra(body, extra)
  for path, v in pairs(extra or {}) do
    local outer, inner = path:match("^(%w+)%.(.+)$")
    if outer then
      body[outer] = body[outer] or {}
      body[outer][inner] = v
    else
      body[path] = v
    end
  end
end

function D.request_from_normal(request, target, losses)
  local quirks = parts.quirks(target)
  local rename, changed = parts.tool_names(quirks.tool_name_max or 64)
  target.tool_names = changed
  local body, config = {}, {}
  lose_what_has_no_place(request, losses)
  sampling_from_normal(request, config, quirks, losses)
  body.tools = tools_from_normal(request, rename, quirks, losses)
  local choice = request.tool_choice
  if body.tools and choice then
    body.toolConfig = tool_choice_from_normal(choice, rename)
  elseif choice and choice.mode ~= "none" and choice.mode ~= "auto" then
    lose(losses, "tool_choice")
  end
  format_from_normal(request, config, body.tools ~= nil, quirks, losses)
  if request.reasoning then config.thinkingConfig = thinking_from_normal(request.reasoning, quirks, losses) end
  if next(config) then body.generationConfig = config end

  local how = { rename = rename, quirks = quirks, losses = losses, is_own = request.dialect == D.name }
  local system = system_from_normal(request, how)
  body.contents = contents.contents_from_normal(request.messages, how)
  body.cachedContent = how.cache
  if system and quirks.system == false then
    into_first_turn(body.contents, system, losses)
  elseif system then
    body.systemInstruction = { parts = system }
  end
  if how.is_own then add_extra(body, request.extra) else parts.lose_fields(losses, request.extra, "") end
  return body
end

----- whole answers

local candidate_fields = { content = true, finishReason = true, finishMessage = true, index = true, avgLogprobs = true,
  tokenCount = true, groundingMetadata = true, citationMetadata = true, logprobsResult = true }

local answer_fields = { candidates = true, usageMetadata = true, responseId = true, modelVersion = true,
  promptFeedback = true, createTime = true, modelStatus = true, error = true }
local content_fields = { parts = true, role = true }

-- All that was said, and where in it each part begins.
local function spoken(list)
  local texts, bases, length = {}, {}, 0
  for i, part in ipairs(list) do
    bases[i - 1] = length
    if value(part.text) and value(part.thought) ~= true then
      texts[#texts + 1] = part.text
      length = length + #part.text
    end
  end
  return table.concat(texts), bases
end

local function choice_to_normal(candidate, position, losses)
  local content = value(candidate.content) or {}
  local field = "candidates[" .. (position - 1) .. "].content.parts"
  local list = value(content.parts) or array({})
  local found = contents.add_parts(list, field, {}, contents.answer_state())
  for _, part in ipairs(found) do
    if part.type == "image" or part.type == "document" then
      part.kind, part.dialect, part.body = part.type, D.name, { inlineData = { mimeType = part.media_type,
        data = part.bytes } }
      part.type = "opaque"
    end
  end
  found.citations = answers.citations_to_normal(candidate, spoken(list))
  parts.lose_unknown(losses, candidate, candidate_fields, "candidates[].")
  parts.lose_unknown(losses, content, content_fields, "candidates[].content.")
  for _, part in ipairs(list) do contents.lose_unknown(part, losses) end
  answers.lose_grounding(candidate, losses)
  return {
    index = value(candidate.index) or position - 1, parts = found,
    finish = answers.finish_to_normal(value(candidate.finishReason), found.has_calls),
    logprobs = answers.logprobs_to_normal(candidate.logprobsResult),
  }
end

D.texts.answer = {
  content = "candidates.0.content.parts",
  values = { "candidates.0.finishReason", "candidates.0.index", "usageMetadata", "responseId", "modelVersion" },
  without = { "error", "candidates.1" },
  known = parts.names_of(answer_fields, content_fields, { finishMessage = true, avgLogprobs = true,
    tokenCount = true }),
}

function D.texts.answer.read(_, text, finish, index, used, id, model)
  local usage = answers.usage_to_normal(used)
  return { dialect = D.name, id = id, model = model, usage = usage, service_tier = usage and usage.service_tier,
    choices = { parts.text_choice(text, answers.finish_to_normal(finish), index) } }
end

function D.response_to_normal(body, losses)
  local feedback = value(body.promptFeedback)
  local blocked = feedback and value(feedback.blockReason)
  local candidates = value(body.candidates)
  if value(body.error) or not candidates and not blocked and not value(body.usageMetadata) then
    return nil, answers.complete_error(errors.from_table(nil, body), body)
  end
  local usage = answers.usage_to_normal(value(body.usageMetadata))
  local response = { dialect = D.name, id = value(body.responseId), model = value(body.modelVersion), usage = usage,
    service_tier = usage and usage.service_tier, choices = {} }
  parts.lose_unknown(losses, body, answer_fields, "")
  for i, candidate in ipairs(candidates or {}) do response.choices[i] = choice_to_normal(candidate, i, losses) end
  if #response.choices == 0 then
    response.choices[1] = { index = 0, parts = {}, finish = answers.finish_to_normal(nil, false, blocked or "OTHER") }
  end
  return response
end

-- The citations of a choice, with places in all its text; nil when there are none.
local function grounding(choice, losses)
  if parts.answer_text(choice.parts) then return nil end
  local citations, texts, length = {}, {}, 0
  for _, part in ipairs(choice.parts) do
    if part.type == "text" or part.type == "refusal" then
      local characters = utf8.len(part.text) or #part.text
      for _, citation in ipairs(part.citations or {}) do
        citations[#citations + 1] = { url = citation.url, title = citation.title, text = citation.text,
          start_index = length, end_index = length + characters }
        if not citation.url and not citation.title and not citation.text then
          lose(losses, "content[].citations(" .. citation.type .. ")")
          citations[#citations] = nil
        end
      end
      texts[#texts + 1] = part.text
      length = length + characters
    end
  end
  for _, citation in ipairs(choice.parts.citations or {}) do citations[#citations + 1] = citation end
  return answers.grounding_from_normal(citations, table.concat(texts))
end

function D.response_from_normal(response, asked)
  local candidates = array({})
  for i, choice in ipairs(response.choices) do
    local has_refusal = false
    for _, part in ipairs(choice.parts) do has_refusal = has_refusal or part.type == "refusal" end
    local sent = contents.answer_parts(choice.parts, asked)
    if #sent == 0 then sent[1] = { text = "" } end
    candidates[i] = {
      index = choice.index or i - 1,
      content = { role = "model", parts = sent },
      finishReason = answers.finish_from_normal(choice.finish, has_refusal, asked.losses),
      groundingMetadata = grounding(choice, asked.losses),
      logprobsResult = answers.logprobs_from_normal(choice.logprobs),
    }
  end
  local usage = response.usage
  if usage then usage.service_tier = usage.service_tier or response.service_tier end
  return {
    candidates = candidates,
    usageMetadata = usage and answers.usage_from_normal(usage, asked.losses) or nil,
    modelVersion = asked.model or response.model,
    responseId = asked.id or response.id or gw.id(""),
  }
end

----- errors

local statuses = {
  [400] = "INVALID_ARGUMENT", [401] = "UNAUTHENTICATED", [402] = "FAILED_PRECONDITION", [403] = "PERMISSION_DENIED",
  [404] = "NOT_FOUND", [408] = "DEADLINE_EXCEEDED", [409] = "ABORTED", [413] = "INVALID_ARGUMENT",
  [422] = "INVALID_ARGUMENT", [429] = "RESOURCE_EXHAUSTED", [499] = "CANCELLED", [501] = "UNIMPLEMENTED",
  [503] = "UNAVAILABLE", [504] = "DEADLINE_EXCEEDED",
}

function D.error_to_normal(status, body_text)
  return answers.complete_error(errors.from_text(status, body_text), json.decode(body_text))
end

function D.error_from_normal(err, request_id)
  local status = err.status == 529 and 503 or err.status
  local message, details = err.message, array({})
  if err.param then
    details[1] = { ["@type"] = "type.googleapis.com/google.rpc.BadRequest",
      fieldViolations = array({ { field = err.param, description = message } }) }
    if message:sub(1, #err.param) ~= err.param then message = err.param .. ": " .. message end
  end
  local reason = err.class == "context_length" and "context_length_exceeded" or err.code
  if reason then
    details[#details + 1] = { ["@type"] = "type.googleapis.com/google.rpc.ErrorInfo",
      reason = reason, domain = "moongate" }
  end
  if request_id then
    details[#details + 1] = { ["@type"] = "type.googleapis.com/google.rpc.RequestInfo", requestId = request_id }
  end
  local word = statuses[status] or (status >= 500 and "INTERNAL" or "INVALID_ARGUMENT")
  return status, { error = { code = status, message = message, status = word,
    details = #details > 0 and details or nil } }
end

-- Google's SDKs take an event with an error for an answer that says nothing, and go on. They raise at a last block that
-- they cannot read: a comment, ended by a blank line of a kind that they do not know. Other readers pass over it.
local unreadable = ": the stream ends with an error\n\r\n"

-- framing: "json-array" gives the last element of an array that is closed with it.
function D.stream_error(err, request_id, framing)
  local _, body = D.error_from_normal(err, request_id)
  if framing == "json-array" then return json.encode(body) .. "]" end
  return "data: " .. json.encode(body) .. "\r\n\r\n" .. unreadable
end

----- what it carries (see docs/reference/normal-form.md)

local packed = { as = "thoughtSignature, packed with its signer", read = false }

D.carries = {
  max_tokens = true, ["max_tokens(absent)"] = true, temperature = true, ["temperature(above 1)"] = true, top_p = true,
  top_k = true, stop = true, ["stop(more than 5)"] = { "cut to 5", read = false }, seed = true, ["n(above 1)"] = true,
  frequency_penalty = true, presence_penalty = true, logit_bias = false, logprobs = true,
  ["reasoning.effort"] = { "sent as a budget of tokens", quirk = { thinking = "level" } },
  ["reasoning.budget_tokens"] = true, ["reasoning(off)"] = true,
  ["format(json)"] = true, ["format(json_schema)"] = true, ["format.description"] = false,
  user = false, ["user(e-mail address)"] = false, ["service_tier(default)"] = false, ["service_tier(flex)"] = false,
  cache = false,
  system = true, ["system(developer)"] = { as = "systemInstruction", read = false },
  ["system(late)"] = { "moved to the top", read = false }, ["message.name"] = false,
  tools = true, ["tool.strict"] = false, ["tool.cache"] = false, ["tool_choice(auto)"] = true,
  ["tool_choice(none)"] = true, ["tool_choice(required)"] = true, ["tool_choice(tool)"] = true,
  ["tool_choice(names)"] = true, ["parallel_tools(false)"] = false,
  ["part.text"] = true, ["part.cache"] = false, ["part.citations"] = false, ["part.image(bytes)"] = true,
  ["part.image(url)"] = { refused = "fetches no URLs", read = true, quirk = { file_urls = true } },
  ["part.image.detail"] = { false, read = true, quirk = { media_resolution = true } },
  ["part.document(bytes)"] = true,
  ["part.document(url)"] = { refused = "fetches no URLs", read = true, quirk = { file_urls = true } },
  ["part.document(text)"] = { "sent as text", read = false },
  ["part.document.title"] = { as = "text before it", read = false },
  ["part.document.context"] = false, ["part.document.citations_enabled"] = false, ["part.audio"] = true,
  ["part.tool_call"] = true,
  ["part.tool_call(arguments not an object)"] = { "wrapped as _raw_arguments", read = false },
  ["part.tool_result"] = true,
  ["part.tool_result(image)"] = { "moved into the next user message", read = true, quirk = { result_parts = true } },
  ["part.tool_result(document)"] = { "moved into the next user message", read = true,
    quirk = { result_parts = true } },
  ["part.tool_result.is_error"] = { as = "response.error" },
  ["part.thinking"] = { false, read = true }, ["part.thinking(signed by anthropic)"] = { false, read = true },
  ["part.thinking(signed by gemini)"] = true, ["part.thinking(signed by openai)"] = { false, read = true },
  ["part.thinking(redacted)"] = { false, read = true }, ["part.refusal"] = { as = "text", read = false },

  ["answer.text"] = true, ["answer.thinking"] = true, ["answer.thinking(signed by anthropic)"] = packed,
  ["answer.thinking(signed by gemini)"] = true, ["answer.thinking(signed by openai)"] = packed,
  ["answer.thinking(redacted)"] = packed, ["answer.tool_call"] = true,
  ["answer.refusal"] = { as = "text, with finishReason SAFETY", read = false }, ["answer.audio"] = true,
  ["answer.citations(url)"] = true, ["answer.citations(document)"] = { as = "groundingChunks[].retrievedContext" },
  ["answer.logprobs"] = true, ["answer.choices(more than 1)"] = true,
  ["answer.service_tier"] = { as = "usageMetadata.serviceTier" },
  ["finish(stop)"] = true, ["finish(stop_sequence)"] = false, ["finish(pause)"] = { "sent as STOP", read = false },
  ["finish(length)"] = true, ["finish(context_window)"] = { as = "MAX_TOKENS", read = false },
  ["finish(tool_calls)"] = true, ["finish(content_filter)"] = true, ["finish(error)"] = { as = "OTHER" },
  ["usage.tokens"] = true, ["usage.cache_read_tokens"] = true, ["usage.cache_write_tokens"] = false,
  ["usage.cache_write_1h_tokens"] = false, ["usage.reasoning_tokens"] = true, ["usage.audio_input_tokens"] = true,
  ["usage.audio_output_tokens"] = true, ["usage.server_tools"] = false,
}

function D.reader()
  return stream.reader(D.raw_keys)
end

function D.writer(asked)
  return stream.writer(asked, D.stream_error)
end

return D
