-- bedrock.converse: Amazon Bedrock's Converse and ConverseStream, to and from the normal form
-- (docs/reference/normal-form.md). Requests, whole answers and errors are here, streams in lua/gw/converse_stream.lua.
-- The model and whether to stream are in the path: /model/MODEL/converse, /model/MODEL/converse-stream.
-- Source: Amazon Bedrock API reference "Converse", "ConverseStream", user guide "Structured outputs", and recorded
-- exchanges. metrics.latencyMs is not a loss: clients get the gateway's own time.
-- It does not change a same-dialect hop: those bytes are forwarded as they are.
--
-- What only some models know goes into additionalModelRequestFields, by who made the model. That is read from its name
-- ("us.anthropic.claude-…"); the ARN of an application's inference profile does not tell it.
--
-- Quirks it reads (adapter.quirks; prefixes of quirks.models are compared without region and ARN):
--   family                who made the model, where its name does not tell: "anthropic", "amazon", "openai", …
--   reasoning             of other families than anthropic: "effort" (reasoning_effort), "nova" (reasoningConfig),
--                         "none"; default: effort for openai, nova for amazon's nova-2, else none
--   efforts               { low = true, … } the model takes; others become the nearest, a loss
--   thinking, thinking_off, sampling, temperature, effort_budgets, budget_efforts
--                         see adapters/dialects/anthropic_messages.lua
--   tool_choice_forced    false: the model refuses to be forced to call a tool; auto is sent, a loss
--   tool_choice           false: the model takes no toolChoice at all; it is left out, a loss
--   structured_output     false: the model has no outputConfig.textFormat; the schema is dropped, a loss
--   cache_points          false: the model takes no cachePoint; cache markers are dropped, a loss
--   system                false: the model takes no system text; it is put before the first user text, a loss
--   tool_name_max, tool_id_max         default 64

local parts = require("gw.parts")
local errors = require("gw.errors")
local claude = require("gw.claude")
local stream = require("gw.converse_stream")
local blocks = require("gw.converse_parts")
local request_fields = require("gw.request_fields")
local request_tools = require("gw.request_tools")
local system_text = require("gw.system_text")

local json = gw.json
local value, optional, required, lose, fail = parts.value, parts.optional, parts.required, parts.lose, parts.fail
local array = json.array

local D = { api = 1, name = "bedrock.converse" }

D.raw_keys = { input = true, json = true }

-- The names of the quirks above.
D.quirks = {
  family = true, reasoning = true, efforts = true, thinking = true, thinking_off = true, sampling = true,
  temperature = true, tool_choice_forced = true, tool_choice = true, structured_output = true, cache_points = true,
  system = true, tool_name_max = true, tool_id_max = true,
}

-- How texts, calls and results are read and written, without Lua (core/script/translation/text_form.h).
D.texts = {
  list = "messages", content = "content", roles = { user = "user", assistant = "assistant" }, system_key = "system",
  system = '[{"text":%s}]', user = '{"content":[{"text":%s}],"role":"user"}',
  assistant = '{"content":[{"text":%s}],"role":"assistant"}',
  user_parts = '{"content":[%s],"role":"user"}', assistant_parts = '{"content":[%s],"role":"assistant"}',
  part = '{"text":%s}', joins = true,
  tools = {
    place = "keyed", call = "toolUse", call_id = "toolUseId", name = "name", arguments = "input",
    result = "toolResult", result_id = "toolUseId", output = "content", output_value_key = "json",
    error = "status", error_words = { "success", "error" },
    write_call = '{"toolUse":{"input":%v,"name":%n,"toolUseId":%i}}',
    write_result = '{"toolResult":{"content":[{"text":%s}],"toolUseId":%i}}',
    write_empty_result = '{"toolResult":{"content":[],"toolUseId":%i}}',
    write_error = '{"toolResult":{"content":[{"text":%s}],"status":"error","toolUseId":%i}}',
  },
}

local known_fields = {
  messages = true, system = true, inferenceConfig = true, toolConfig = true, additionalModelRequestFields = true,
  outputConfig = true, serviceTier = true,
}

----- request, Converse → normal

local tool_fields = { name = true, description = true, inputSchema = true, strict = true }

local function tools_to_normal(config)
  local tools = {}
  for i, tool in ipairs(parts.objects(config.tools, "toolConfig.tools")) do
    local field = "toolConfig.tools[" .. (i - 1) .. "]"
    local spec = optional(tool.toolSpec, "object", field .. ".toolSpec")
    local point, last = value(tool.cachePoint), tools[#tools]
    if spec then
      field = field .. ".toolSpec"
      local schema = required(spec.inputSchema, "object", field .. ".inputSchema").json
      schema = parts.raw_object(schema, field, ".inputSchema.json")
      if not schema then fail(field .. ".inputSchema.json", "is missing; it must be an object") end
      tools[#tools + 1] = {
        kind = "function", name = required(spec.name, "string", field .. ".name"), schema = schema,
        description = optional(spec.description, "string", field .. ".description"),
        strict = optional(spec.strict, "boolean", field .. ".strict"), extra = parts.rest(spec, tool_fields),
      }
    elseif point then
      if not last then fail(field, "is a cachePoint with no tool before it") end
      last.cache = blocks.cache_of(point, field .. ".cachePoint")
    else
      local kind, system_tool = next(tool)
      if not kind then fail(field, "is empty; it must have toolSpec, systemTool or cachePoint") end
      tools[#tools + 1] = { kind = "server", dialect = D.name, body = tool, at = field,
        name = type(system_tool) == "table" and value(system_tool.name) or kind }
    end
  end
  return #tools > 0 and tools or nil
end

local choice_modes = { auto = "auto", any = "required", tool = "tool" }

local function tool_choice_to_normal(config)
  local field, choice = "toolConfig.toolChoice", optional(config.toolChoice, "object", "toolConfig.toolChoice")
  if not choice then return nil end
  for kind, mode in pairs(choice_modes) do
    local given = optional(choice[kind], "object", field .. "." .. kind)
    if given then
      return { mode = mode, name = mode == "tool" and required(given.name, "string", field .. ".tool.name") or nil }
    end
  end
  fail("toolConfig.toolChoice", "must have auto, any or tool")
end

local additional_fields = { thinking = true, output_config = true, top_k = true, reasoning_effort = true,
  reasoningConfig = true, inferenceConfig = true }

-- What clients say to Claude, Nova and gpt-oss beside Converse's own fields.
local function additional_to_normal(body, request)
  local place = "additionalModelRequestFields"
  local more = optional(body[place], "object", place)
  if not more then return end
  local thinking = optional(more.thinking, "object", place .. ".thinking")
  local config = optional(more.output_config, "object", place .. ".output_config") or {}
  local nova = optional(more.reasoningConfig, "object", place .. ".reasoningConfig")
  local nova_sampling = optional(more.inferenceConfig, "object", place .. ".inferenceConfig") or {}
  local effort = optional(more.reasoning_effort, "string", place .. ".reasoning_effort")
  effort = optional(config.effort, "string", place .. ".output_config.effort") or effort
  local mode, budget, display
  if thinking then
    local kind = required(thinking.type, "string", place .. ".thinking.type")
    mode = kind == "disabled" and "off" or kind == "adaptive" and "adaptive" or "on"
    budget = optional(thinking.budget_tokens, "number", place .. ".thinking.budget_tokens")
    display = optional(thinking.display, "string", place .. ".thinking.display")
  end
  if nova then
    local kind = optional(nova.type, "string", place .. ".reasoningConfig.type")
    local most = optional(nova.maxReasoningEffort, "string", place .. ".reasoningConfig.maxReasoningEffort")
    if not mode then mode, effort = kind == "disabled" and "off" or "on", effort or most end
  end
  if mode or effort then
    request.reasoning = { mode = mode, effort = effort, budget_tokens = budget, display = display }
  end
  local nova_top_k = optional(nova_sampling.topK, "number", place .. ".inferenceConfig.topK")
  request.top_k = optional(more.top_k, "number", place .. ".top_k") or nova_top_k
  request.extra[place] = parts.rest(more, additional_fields)
end

local function format_to_normal(body, request)
  local config = optional(body.outputConfig, "object", "outputConfig") or {}
  local format = optional(config.textFormat, "object", "outputConfig.textFormat")
  if not format then return end
  local place, field = "outputConfig.textFormat", "outputConfig.textFormat.structure.jsonSchema"
  optional(format.type, "string", place, ".type")
  local structure = required(format.structure, "object", place, ".structure")
  local definition = required(structure.jsonSchema, "object", field)
  local text = required(definition.schema, "string", field .. ".schema")
  if not json.valid(text) then fail(field .. ".schema", "must be JSON text") end
  request.format = {
    kind = "json_schema", schema = json.raw(text), name = optional(definition.name, "string", field .. ".name"),
    description = optional(definition.description, "string", field .. ".description"),
  }
end

local message_paths, content_paths = parts.paths("messages"), parts.paths("messages", ".content")

local function messages_to_normal(body, how, losses)
  local list = {}
  for i, message in ipairs(required(body.messages, "array", "messages")) do
    local field = message_paths[i]
    local role = required(required(message, "object", field).role, "string", field, ".role")
    if role ~= "user" and role ~= "assistant" then
      fail(field .. ".role", "must be user or assistant, not \"" .. role .. "\"")
    end
    local content = required(message.content, "array", field, ".content")
    list[i] = { role = role, at = field, parts = blocks.add_blocks(content, content_paths[i], {}, how, losses) }
  end
  return list
end

-- asked: { model, stream }, which this dialect has in its path.
function D.request_to_normal(body, losses, asked)
  required(body, "object", "body")
  asked = asked or {}
  local config = optional(body.inferenceConfig, "object", "inferenceConfig") or {}
  local tools = optional(body.toolConfig, "object", "toolConfig") or {}
  local tier = optional(body.serviceTier, "object", "serviceTier")
  local how = { signer = "anthropic", is_client = true }
  local system = blocks.add_blocks(body.system, "system", {}, how, losses)
  local request = {
    dialect = D.name,
    model = asked.model,
    stream = asked.stream or false,
    stream_usage = true,
    max_tokens = optional(config.maxTokens, "number", "inferenceConfig.maxTokens"),
    temperature = optional(config.temperature, "number", "inferenceConfig.temperature"),
    top_p = optional(config.topP, "number", "inferenceConfig.topP"),
    stop = parts.strings(config.stopSequences, "inferenceConfig.stopSequences"),
    service_tier = tier and optional(tier.type, "string", "serviceTier.type"),
    system = #system > 0 and { { role = "system", parts = system } } or nil,
    tools = tools_to_normal(tools),
    tool_choice = tool_choice_to_normal(tools),
    extra = parts.rest(body, known_fields) or {},
  }
  additional_to_normal(body, request)
  format_to_normal(body, request)
  request.messages = messages_to_normal(body, how, losses)
  return request
end

----- request, normal → Converse

-- Adds a turn, merged with one of the same role before it. In a user turn tool results come first; a cache point stays
-- behind the block that it marks.
local function add_turn(turns, role, content)
  if #content == 0 then return end
  local last = turns[#turns]
  if not last or last.role ~= role then
    last = { role = role, content = array({}), results = 0 }
    turns[#turns + 1] = last
  end
  local is_after_result = false
  for _, block in ipairs(content) do
    is_after_result = block.toolResult ~= nil and role == "user" or is_after_result and block.cachePoint ~= nil
    if is_after_result then
      last.results = last.results + 1
      table.insert(last.content, last.results, block)
    else
      last.content[#last.content + 1] = block
    end
  end
end

-- Converse refuses a document without words beside it.
local function add_words(content, losses)
  local has_document = false
  for _, block in ipairs(content) do
    if block.text or block.guardContent then return end
    has_document = has_document or block.document ~= nil
  end
  if not has_document then return end
  lose(losses, "messages[].content[](text added beside a document)")
  content[#content + 1] = { text = "See the attached document." }
end

local function messages_from_normal(request, how)
  local turns = array({})
  for _, message in ipairs(request.messages) do
    local is_turn = message.role == "user" or message.role == "assistant"
    local text = is_turn and not (how.is_own and message.parts[1] and message.parts[1].guard)
      and parts.only_text(message)
    if text and not parts.is_blank(text) then
      add_turn(turns, message.role, { { text = text } })
    elseif is_turn then
      if message.name then lose(how.losses, "messages[].name") end
      if not how.is_own then parts.lose_fields(how.losses, message.extra, "messages[].") end
      if message.parts.citations then lose(how.losses, "messages[].annotations") end
      add_turn(turns, message.role, blocks.blocks_from_parts(message.parts, how))
    end
  end
  for _, turn in ipairs(turns) do
    turn.results = nil
    if turn.role == "user" then add_words(turn.content, how.losses) end
  end
  return turns
end

local function has_tool_blocks(turns)
  for _, turn in ipairs(turns) do
    for _, block in ipairs(turn.content) do
      if block.toolUse or block.toolResult then return true end
    end
  end
  return false
end

local function tools_from_normal(request, how)
  local list, allowed = array({}), request_tools.allowed_names(request, how.losses)
  for _, tool in ipairs(request.tools or {}) do
    if tool.kind == "server" then
      list[#list + 1] = request_tools.server_tool(tool, D.name, how.losses)
    elseif not allowed or allowed[tool.name] then
      local spec = {
        name = how.rename(tool.name), description = tool.description ~= "" and tool.description or nil,
        strict = tool.strict or nil, inputSchema = { json = tool.schema or json.raw('{"type":"object"}') },
      }
      request_tools.add_extra(spec, tool, how.is_own, how.losses)
      list[#list + 1] = { toolSpec = spec }
    end
    if tool.cache then list[#list + 1] = blocks.cache_point(tool.cache, how) end
  end
  return #list > 0 and list or nil
end

-- Converse has no "none": the tools are left out instead.
local function tool_config_from_normal(request, how)
  local choice = request.tool_choice
  local tools = tools_from_normal(request, how)
  if tools and choice and choice.mode == "none" then
    lose(how.losses, "tool_choice(none: the tools are left out)")
    return nil
  end
  if not tools then
    if choice and choice.mode ~= "none" and choice.mode ~= "auto" then lose(how.losses, "tool_choice") end
    return nil
  end
  if request.parallel_tools == false then lose(how.losses, "parallel_tool_calls") end
  if not choice then return { tools = tools } end
  local quirks, mode = how.quirks, choice.mode
  if mode ~= "auto" and quirks.tool_choice_forced == false then
    lose(how.losses, "tool_choice(" .. mode .. " sent as auto)")
    mode = "auto"
  end
  if quirks.tool_choice == false then
    if mode ~= "auto" then lose(how.losses, "tool_choice") end
    return { tools = tools }
  end
  local sent = { auto = {} }
  if mode == "required" then sent = { any = {} } end
  if mode == "tool" then sent = { tool = { name = how.rename(choice.name) } } end
  return { tools = tools, toolChoice = sent }
end

-- Converse demands tools when the history has calls. The old ones must not be offered again.
local placeholder = { toolSpec = { name = "no_tool_available",
  description = "Never call this. No tool is available in this turn.", inputSchema = { json = { type = "object" } } } }

local function is_forced(config)
  return config ~= nil and config.toolChoice ~= nil and config.toolChoice.auto == nil
end

local default_efforts = { low = true, medium = true, high = true }

-- Reasoning of models other than Claude.
local function reason_elsewhere(request, more, how)
  local reasoning, quirks = request.reasoning, how.quirks
  if not reasoning then return end
  local style = quirks.reasoning or how.family == "openai" and "effort"
    or how.family == "amazon" and how.model:find("^amazon%.nova%-2") and "nova" or "none"
  if reasoning.mode == "off" then
    if style == "nova" then
      more.reasoningConfig = { type = "disabled" }
    elseif style == "effort" then
      more.reasoning_effort = parts.nearest_effort("minimal", quirks.efforts or default_efforts, "reasoning_effort",
        how.losses)
    elseif not how.family then
      lose(how.losses, "reasoning_effort(none)")
    end
    return
  end
  if style == "none" then return lose(how.losses, "reasoning_effort") end
  local effort = reasoning.effort
  if reasoning.budget_tokens then
    effort = effort or parts.budget_to_effort(reasoning.budget_tokens, quirks)
    lose(how.losses, "thinking.budget_tokens(sent as effort " .. effort .. ")")
  end
  effort = parts.nearest_effort(effort or "medium", quirks.efforts or default_efforts, "reasoning_effort", how.losses)
  if style == "nova" then
    more.reasoningConfig = { type = "enabled", maxReasoningEffort = effort }
  else
    more.reasoning_effort = effort
  end
end

local own_words = { ["anthropic.messages"] = true, [D.name] = true }

-- Sampling and thinking. Claude's and others' own fields go into `more`.
local function model_fields_from_normal(request, body, more, how)
  local fields = { max_tokens = request.max_tokens }
  local is_thinking = false
  if how.family == "anthropic" then
    is_thinking = claude.think(request, fields, how.quirks, own_words[request.dialect] or false,
      is_forced(body.toolConfig), how.losses)
    more.thinking, more.output_config = fields.thinking, fields.output_config
  else
    reason_elsewhere(request, more, how)
  end
  claude.sample(request, fields, how.quirks, is_thinking, how.losses)
  body.inferenceConfig.maxTokens = request.max_tokens
  body.inferenceConfig.temperature, body.inferenceConfig.topP = fields.temperature, fields.top_p
  if fields.top_k == nil then return end
  if how.family == "anthropic" or how.family == "mistral" then
    more.top_k = fields.top_k
  elseif how.family == "amazon" then
    more.inferenceConfig = { topK = fields.top_k }
  else
    lose(how.losses, "top_k")
  end
end

local tier_names = { default = "default", standard_only = "default", flex = "flex", priority = "priority",
  reserved = "reserved" }

local unknown_fields = { "seed", "logprobs", "logit_bias", "frequency_penalty", "presence_penalty", "user" }

local function output_config(format, quirks, losses)
  if not format or format.kind ~= "json_schema" then return nil end
  if quirks.structured_output == false then return lose(losses, "response_format") end
  return { textFormat = { type = "json_schema", structure = { jsonSchema = {
    schema = json.text(format.schema), name = format.name, description = format.description,
  } } } }
end

-- System text of a model that takes none, in front of what the user says first.
local function move_system(body, losses)
  if not body.system then return end
  lose(losses, "system(moved into the first user message)")
  local first = body.messages[1]
  if not first or first.role ~= "user" then
    first = { role = "user", content = array({}) }
    table.insert(body.messages, 1, first)
  end
  for i, block in ipairs(body.system) do table.insert(first.content, i, block) end
  body.system = nil
end

function D.request_from_normal(request, target, losses)
  local model = blocks.bare_model(target.model)
  local quirks = parts.quirks({ quirks = target.quirks, model = model })
  local rename, changed = parts.tool_names(quirks.tool_name_max or 64)
  target.tool_names = changed
  local how = { rename = rename, quirks = quirks, losses = losses, is_own = request.dialect == D.name, model = model,
    family = quirks.family or blocks.family(model), names = {} }
  request_fields.refuse_choices(request)
  request_fields.lose_each(request, unknown_fields, losses)
  if request.cache then lose(losses, "cache_control") end
  local stops = request_fields.stops(request, losses)
  local body, more = { inferenceConfig = { stopSequences = stops } }, {}
  -- Claude tells which one it was, if it is asked to.
  if stops and how.family == "anthropic" and not how.is_own then
    body.additionalModelResponseFieldPaths = array({ "/stop_sequence" })
  end
  if request.service_tier and request.service_tier ~= "auto" then
    local tier = tier_names[request.service_tier]
    if tier then body.serviceTier = { type = tier } else lose(losses, "service_tier") end
  end
  body.toolConfig = tool_config_from_normal(request, how)
  model_fields_from_normal(request, body, more, how)
  body.outputConfig = output_config(request.format, quirks, losses)
  if how.is_own then
    for name, v in pairs(request.extra or {}) do
      if name == "additionalModelRequestFields" then
        for key, inner in pairs(v) do more[key] = inner end
      else
        body[name] = v
      end
    end
  else
    parts.lose_fields(losses, request.extra, "")
  end
  if next(more) then body.additionalModelRequestFields = more end
  if not next(body.inferenceConfig) then body.inferenceConfig = nil end
  body.system = system_text.blocks(request, how.is_own, how, blocks.blocks_from_parts)
  if #body.system == 0 then body.system = nil end
  body.messages = messages_from_normal(request, how)
  if quirks.system == false then move_system(body, losses) end
  if not body.toolConfig and has_tool_blocks(body.messages) then
    lose(losses, "tools(a placeholder sent: the history has calls)")
    body.toolConfig = { tools = array({ placeholder }) }
  end
  return body
end

----- whole answers

-- Nova tells of citations in blocks without text: they belong to the text before them.
local function join_citations(found)
  local kept = {}
  for _, part in ipairs(found) do
    local last = kept[#kept]
    if part.type == "text" and part.text == "" and part.citations and last and last.type == "text" then
      last.citations = last.citations or {}
      for _, citation in ipairs(part.citations) do last.citations[#last.citations + 1] = citation end
    else
      kept[#kept + 1] = part
    end
  end
  return kept
end

local told_fields = { stop_sequence = true }
local answer_fields = { output = true, stopReason = true, usage = true, metrics = true, serviceTier = true,
  additionalModelResponseFields = true, trace = true, performanceConfig = true }
local output_fields, message_fields = { message = true }, { role = true, content = true }

-- target: { model } tells who signed the thinking; nil: not known.
function D.response_to_normal(body, losses, target)
  local output = optional(body.output, "object", "output")
  local message = output and optional(output.message, "object", "output.message")
  if not message then return nil, errors.from_table(nil, body) end
  parts.lose_unknown(losses, body, answer_fields, "")
  parts.lose_unknown(losses, output, output_fields, "output.")
  parts.lose_unknown(losses, message, message_fields, "output.message.")
  local how = { signer = blocks.signer(blocks.family(target and target.model)), is_answer = true }
  local found = join_citations(blocks.add_blocks(message.content, "output.message.content", {}, how, losses))
  local has_calls = false
  for _, part in ipairs(found) do has_calls = has_calls or part.type == "tool_call" end
  local usage, tier, fields = value(body.usage), value(body.serviceTier), value(body.additionalModelResponseFields)
  local finish = blocks.finish_to_normal(value(body.stopReason), has_calls, fields)
  local response = {
    dialect = D.name,
    model = target and target.model,
    usage = usage and blocks.usage_to_normal(usage) or nil,
    service_tier = tier and value(tier.type) or nil,
    choices = { { index = 0, parts = found, finish = finish } },
    extra = { trace = value(body.trace), additionalModelResponseFields = fields and parts.rest(fields, told_fields),
      performanceConfig = value(body.performanceConfig) },
  }
  parts.lose_fields(losses, response.extra, "")
  return response
end

D.texts.answer = {
  content = "output.message.content",
  values = { "stopReason", "usage", "serviceTier", "additionalModelResponseFields", "trace", "performanceConfig" },
  known = parts.names_of(answer_fields, message_fields),
}

function D.texts.answer.read(hop, text, reason, usage, tier, fields, trace, performance)
  local extra
  if trace or fields or performance then
    extra = { trace = trace, additionalModelResponseFields = fields and parts.rest(fields, told_fields),
      performanceConfig = performance }
    parts.lose_fields(hop.asked.losses, extra, "")
  end
  return { dialect = D.name, model = hop.target.model, usage = usage and blocks.usage_to_normal(usage),
    service_tier = tier and value(tier.type), extra = extra,
    choices = { parts.text_choice(text, blocks.finish_to_normal(reason, false, fields)) } }
end

local answer_tiers = { default = "default", standard = "default", flex = "flex", priority = "priority" }

function D.response_from_normal(response, asked)
  local choice = response.choices[1]
  local names = asked.tool_names or {}
  local content, has_refusal = array({}), false
  local how = { is_answer = true, losses = asked.losses, quirks = {}, names = {},
    rename = function(name) return names[name] or name end }
  for _, part in ipairs(choice.parts) do
    if part.type == "audio" then
      lose(asked.losses, "message.audio")
    else
      content[#content + 1] = blocks.block_from_part(part, how)
    end
    has_refusal = has_refusal or part.type == "refusal"
  end
  if choice.parts.citations then
    local list = blocks.citations_from_normal(choice.parts.citations, asked.losses)
    if #list > 0 then content[#content + 1] = { citationsContent = { citations = list } } end
  end
  if choice.logprobs then lose(asked.losses, "choices[].logprobs") end
  if #response.choices > 1 then lose(asked.losses, "choices[](more than 1)") end
  local tier = response.service_tier and answer_tiers[response.service_tier]
  return {
    output = { message = { role = "assistant", content = content } },
    stopReason = blocks.finish_from_normal(choice.finish, has_refusal, asked.losses),
    additionalModelResponseFields = blocks.fields_from_normal(choice.finish),
    usage = blocks.usage_from_normal(response.usage, asked.losses),
    metrics = { latencyMs = asked.created and math.max(0, gw.now_ms() - asked.created * 1000) or 0 },
    serviceTier = tier and { type = tier } or nil,
  }
end

----- errors

-- The class of an exception is its name; over HTTP it is in a header, and the body has only the message.
local error_types = {
  [400] = "ValidationException", [401] = "UnrecognizedClientException", [402] = "AccessDeniedException",
  [403] = "AccessDeniedException", [404] = "ResourceNotFoundException", [408] = "ModelTimeoutException",
  [409] = "ConflictException", [413] = "ValidationException", [422] = "ValidationException",
  [424] = "ModelErrorException", [429] = "ThrottlingException", [500] = "InternalServerException",
  [502] = "InternalServerException", [503] = "ServiceUnavailableException", [504] = "ModelTimeoutException",
  [529] = "ServiceUnavailableException",
}

-- Converse's own statuses; the SDKs go by the name, proxies by the status.
local error_statuses = { [402] = 403, [413] = 400, [422] = 400, [504] = 408, [529] = 503 }

D.error_to_normal = errors.from_text

function D.error_from_normal(err)
  local status = err.status
  local kind = error_types[status] or (status >= 500 and "InternalServerException" or "ValidationException")
  return error_statuses[status] or status, { message = errors.placed_message(err), __type = kind }
end

function D.stream_error(err)
  return stream.exception(err)
end

function D.reader(target)
  return stream.reader(D.raw_keys, target)
end

function D.writer(asked)
  return stream.writer(asked, D.stream_error)
end

local forwarded = { false, read = true }

local function of_claude(verdict) return { verdict, read = true, quirk = { family = "anthropic" } } end

-- Verdicts are for a model whose maker is not known; see the quirks at the head of this file.
D.carries = {
  max_tokens = true, ["max_tokens(absent)"] = true, temperature = true,
  ["temperature(above 1)"] = { "clamped to 1", read = false }, top_p = true, top_k = of_claude(false), stop = true,
  ["stop(more than 5)"] = true, seed = false, ["n(above 1)"] = { refused = "one answer a request" },
  frequency_penalty = false, presence_penalty = false, logit_bias = false, logprobs = false,
  ["reasoning.effort"] = { false, read = true, quirk = { family = "openai" } },
  ["reasoning.budget_tokens"] = of_claude(false), ["reasoning(off)"] = of_claude(false),
  ["format(json)"] = { "asked for in the system prompt", read = false }, ["format(json_schema)"] = true,
  ["format.description"] = true,
  user = false, ["user(e-mail address)"] = false,
  ["service_tier(default)"] = true, ["service_tier(flex)"] = true, cache = false,
  system = true, ["system(developer)"] = { as = "system", read = false },
  ["system(late)"] = { "moved to the top", read = false }, ["message.name"] = false,
  tools = true, ["tool.strict"] = true, ["tool.cache"] = true, ["tool_choice(auto)"] = true,
  ["tool_choice(none)"] = { "the tools are left out", read = false }, ["tool_choice(required)"] = true,
  ["tool_choice(tool)"] = true, ["tool_choice(names)"] = { "the other tools are left out", read = false },
  ["parallel_tools(false)"] = false,
  ["part.text"] = true, ["part.cache"] = true, ["part.citations"] = forwarded, ["part.image(bytes)"] = true,
  ["part.image(url)"] = { refused = "takes bytes, or an s3:// address" }, ["part.image.detail"] = false,
  ["part.document(bytes)"] = true,
  ["part.document(url)"] = { refused = "takes bytes, or an s3:// address" },
  ["part.document(text)"] = true, ["part.document.title"] = true, ["part.document.context"] = true,
  ["part.document.citations_enabled"] = true,
  ["part.audio"] = { refused = "takes no audio", read = true }, ["part.tool_call"] = true,
  ["part.tool_call(arguments not an object)"] = { "wrapped as _raw_arguments", read = false },
  ["part.tool_result"] = true, ["part.tool_result(image)"] = true, ["part.tool_result(document)"] = true,
  ["part.tool_result.is_error"] = true, ["part.thinking"] = forwarded,
  ["part.thinking(signed by anthropic)"] = true, ["part.thinking(signed by gemini)"] = forwarded,
  ["part.thinking(signed by openai)"] = forwarded, ["part.thinking(redacted)"] = true,
  ["part.refusal"] = { as = "text", read = false },

  ["answer.text"] = true, ["answer.thinking"] = true, ["answer.thinking(signed by anthropic)"] = true,
  ["answer.thinking(signed by gemini)"] = { as = "the signature, its signer before it", read = false },
  ["answer.thinking(signed by openai)"] = { as = "redactedContent, its signer before it", read = false },
  ["answer.thinking(redacted)"] = true, ["answer.tool_call"] = true,
  ["answer.refusal"] = { as = "text, with stopReason content_filtered", read = false }, ["answer.audio"] = false,
  ["answer.citations(url)"] = { as = "citationsContent with a web location", read = true },
  ["answer.citations(document)"] = { "without its place in the document", read = true },
  ["answer.logprobs"] = false, ["answer.choices(more than 1)"] = false,
  ["answer.service_tier"] = true,
  ["finish(stop)"] = true, ["finish(stop_sequence)"] = true,
  ["finish(pause)"] = { "sent as end_turn", read = false }, ["finish(length)"] = true,
  ["finish(context_window)"] = true, ["finish(tool_calls)"] = true, ["finish(content_filter)"] = true,
  ["finish(error)"] = { "sent as end_turn", read = false },
  ["usage.tokens"] = true, ["usage.cache_read_tokens"] = true, ["usage.cache_write_tokens"] = true,
  ["usage.cache_write_1h_tokens"] = true, ["usage.reasoning_tokens"] = false, ["usage.audio_input_tokens"] = false,
  ["usage.audio_output_tokens"] = false, ["usage.server_tools"] = false,
}

return D
