-- anthropic.messages: the Anthropic Messages API, to and from the normal form (docs/reference/normal-form.md).
-- Requests, whole answers and errors are here, streams in lua/gw/messages_stream.lua.
-- Source: Anthropic API reference "Messages", "Extended thinking", "Errors", and recorded exchanges.
-- It does not change a same-dialect hop: those bytes are forwarded as they are.
--
-- Quirks it reads (adapter.quirks, per model by quirks.models):
--   max_tokens            sent when the client names none (the API requires it); default 8192, always listed as a loss
--   thinking              "budget" (default), "adaptive" (effort is sent natively, a budget becomes one, a loss) or
--                         "none" (the model cannot think)
--   thinking_off          adaptive models: the type that switches thinking off, default "disabled"; false: it cannot be
--                         switched off, the lowest effort is sent instead, a loss
--   efforts               { low = true, … } an adaptive model takes; others become the nearest, a loss; default low,
--                         medium, high, max
--   temperature           above 1: "clamp" (default, a loss) or "reject" (400)
--   sampling              "all" (default); "one": the model refuses temperature together with top_p, which is dropped;
--                         "none": it refuses temperature, top_p and top_k, all are dropped; each a loss
--   tool_choice_forced    false: the model refuses to be forced to call a tool; auto is sent, a loss
--   structured_output     false: the model has no output_config.format; the schema is dropped, a loss
--   tool_choice_none      false: the model has no tool_choice none; the tools are left out instead
--   tool_name_max         default 128;  tool_id_max  default 64
--   effort_budgets, budget_efforts     see lua/gw/parts.lua

local parts = require("gw.parts")
local errors = require("gw.errors")
local stream = require("gw.messages_stream")
local blocks = require("gw.messages_parts")
local claude = require("gw.claude")
local request_fields = require("gw.request_fields")
local request_tools = require("gw.request_tools")
local system_text = require("gw.system_text")

local json = gw.json
local value, optional, required, lose, fail = parts.value, parts.optional, parts.required, parts.lose, parts.fail
local array = json.array
local message_paths, content_paths = parts.paths("messages"), parts.paths("messages", ".content")

local D = { api = 1, name = "anthropic.messages" }

D.raw_keys = { input_schema = true, schema = true, input = true }

-- The names of the quirks above.
D.quirks = {
  max_tokens = true, thinking = true, thinking_off = true, efforts = true, temperature = true, sampling = true,
  tool_choice_forced = true, structured_output = true, tool_choice_none = true, tool_name_max = true,
  tool_id_max = true,
}

-- How texts, calls and results are read and written, without Lua (core/script/translation/text_form.h).
D.texts = {
  list = "messages", content = "content", roles = { user = "user", assistant = "assistant" }, types = { "text" },
  may_be_text = true, system_key = "system",
  system = '%s', user = '{"content":%s,"role":"user"}', assistant = '{"content":%s,"role":"assistant"}',
  user_parts = '{"content":[%s],"role":"user"}', assistant_parts = '{"content":[%s],"role":"assistant"}',
  part = '{"text":%s,"type":"text"}', joins = true, lists = { "citations" }, mark = "cache_control",
  tools = {
    place = "typed", call = "tool_use", call_id = "id", name = "name", arguments = "input",
    result = "tool_result", result_id = "tool_use_id", output = "content", error = "is_error",
    write_call = '{"id":%i,"input":%v,"name":%n,"type":"tool_use"}',
    write_result = '{"content":%s,"tool_use_id":%i,"type":"tool_result"}',
    write_empty_result = '{"tool_use_id":%i,"type":"tool_result"}',
    write_error = '{"content":%s,"is_error":true,"tool_use_id":%i,"type":"tool_result"}',
  },
}

local known_fields = {
  model = true, messages = true, system = true, max_tokens = true, stream = true, temperature = true, top_p = true,
  top_k = true, stop_sequences = true, tools = true, tool_choice = true, thinking = true, metadata = true,
  service_tier = true, output_config = true, cache_control = true,
}

----- request, Anthropic → normal

local tool_fields = {
  type = true, name = true, description = true, input_schema = true, strict = true, cache_control = true,
}

local function tools_to_normal(body)
  local tools = {}
  for i, tool in ipairs(optional(body.tools, "array", "tools") or {}) do
    local field = "tools[" .. (i - 1) .. "]"
    local kind = optional(required(tool, "object", field).type, "string", field, ".type")
    local name = required(tool.name, "string", field, ".name")
    if kind and kind ~= "custom" then
      tools[i] = { kind = "server", name = kind, dialect = D.name, body = tool, at = field }
    else
      local schema = parts.raw_object(tool.input_schema, field, ".input_schema")
      if not schema then fail(field .. ".input_schema", "is missing; it must be an object") end
      tools[i] = {
        kind = "function", name = name, description = optional(tool.description, "string", field, ".description"),
        schema = schema, strict = optional(tool.strict, "boolean", field, ".strict"),
        cache = optional(tool.cache_control, "object", field, ".cache_control"), extra = parts.rest(tool, tool_fields),
      }
    end
  end
  return #tools > 0 and tools or nil
end

local choice_modes = { auto = "auto", any = "required", none = "none", tool = "tool" }

local function tool_choice_to_normal(body, request)
  local choice = optional(body.tool_choice, "object", "tool_choice")
  if not choice then return end
  local kind = required(choice.type, "string", "tool_choice.type")
  local mode = choice_modes[kind]
  if not mode then fail("tool_choice.type", "must be auto, any, none or tool, not \"" .. kind .. "\"") end
  request.tool_choice = { mode = mode }
  if mode == "tool" then request.tool_choice.name = required(choice.name, "string", "tool_choice.name") end
  local is_serial = optional(choice.disable_parallel_tool_use, "boolean", "tool_choice.disable_parallel_tool_use")
  if is_serial ~= nil then request.parallel_tools = not is_serial end
end

local function reasoning_to_normal(body, request)
  local config = optional(body.output_config, "object", "output_config")
  local thinking = optional(body.thinking, "object", "thinking")
  local effort = config and optional(config.effort, "string", "output_config.effort")
  if thinking then
    local kind = required(thinking.type, "string", "thinking.type")
    if kind == "disabled" then
      request.reasoning = { mode = "off" }
    elseif kind == "adaptive" then
      request.reasoning = { mode = "adaptive" }
    elseif kind == "enabled" then
      request.reasoning = { mode = "on",
        budget_tokens = required(thinking.budget_tokens, "number", "thinking.budget_tokens") }
    else
      fail("thinking.type", "must be enabled, disabled or adaptive, not \"" .. kind .. "\"")
    end
    request.reasoning.display = optional(thinking.display, "string", "thinking.display")
  end
  if effort then
    request.reasoning = request.reasoning or {}
    request.reasoning.effort = effort
  end
  local format = config and optional(config.format, "object", "output_config.format")
  if format then
    local kind = required(format.type, "string", "output_config.format.type")
    if kind ~= "json_schema" then fail("output_config.format.type", "must be json_schema") end
    local schema = parts.raw_object(format.schema, "output_config.format.schema")
    if not schema then fail("output_config.format.schema", "is missing; it must be an object") end
    request.format = { kind = "json_schema", schema = schema }
  end
  local rest = config and parts.rest(config, { effort = true, format = true })
  if rest then
    request.extra = request.extra or {}
    request.extra.output_config = rest
  end
end

local function system_to_normal(body)
  local system = value(body.system)
  if system == nil then return nil end
  local message = { role = "system", parts = blocks.add_blocks(system, "system", {}) }
  for _, part in ipairs(message.parts) do
    -- Claude Code puts a value that changes with each request into the prompt; other providers must not see it.
    if part.type == "text" and part.text:find("^x%-anthropic%-billing%-header:") then part.billing = true end
  end
  return #message.parts > 0 and { message } or nil
end

function D.request_to_normal(body)
  required(body, "object", "body")
  local metadata = optional(body.metadata, "object", "metadata")
  local request = {
    dialect = D.name,
    model = optional(body.model, "string", "model"),
    stream = optional(body.stream, "boolean", "stream") or false,
    stream_usage = true,
    max_tokens = optional(body.max_tokens, "number", "max_tokens"),
    temperature = optional(body.temperature, "number", "temperature"),
    top_p = optional(body.top_p, "number", "top_p"),
    top_k = optional(body.top_k, "number", "top_k"),
    stop = parts.strings(body.stop_sequences, "stop_sequences"),
    user = metadata and optional(metadata.user_id, "string", "metadata.user_id"),
    service_tier = optional(body.service_tier, "string", "service_tier"),
    cache = optional(body.cache_control, "object", "cache_control"),
    system = system_to_normal(body),
    tools = tools_to_normal(body),
    extra = parts.rest(body, known_fields),
    messages = {},
  }
  tool_choice_to_normal(body, request)
  reasoning_to_normal(body, request)
  for i, message in ipairs(required(body.messages, "array", "messages")) do
    local field = message_paths[i]
    local role = required(required(message, "object", field).role, "string", field, ".role")
    if role ~= "user" and role ~= "assistant" and role ~= "system" then
      fail(field .. ".role", "must be user or assistant, not \"" .. role .. "\"")
    end
    if value(message.content) == nil then fail(field .. ".content", "is missing; it must be a string or an array") end
    request.messages[i] = { role = role, at = field,
      parts = blocks.add_blocks(message.content, content_paths[i], {}) }
  end
  return request
end

----- request, normal → Anthropic

local function system_from_normal(request, how)
  local list = system_text.blocks(request, request.dialect == D.name, how, blocks.blocks_from_parts, "text")
  if #list == 0 then return nil end
  if #list == 1 and not list[1].cache_control then return list[1].text end
  return list
end

-- Adds a turn, merged with one of the same role before it. In a user turn tool results come first.
local function add_turn(turns, role, content)
  if #content == 0 then return end
  local last = turns[#turns]
  if not last or last.role ~= role then
    last = { role = role, content = array({}), results = 0 }
    turns[#turns + 1] = last
  elseif type(last.content) == "string" then
    last.content, last.results = array({ { type = "text", text = last.content } }), 0
  end
  for _, block in ipairs(content) do
    if block.type == "tool_result" then
      last.results = last.results + 1
      table.insert(last.content, last.results, block)
    else
      last.content[#last.content + 1] = block
    end
  end
end

local function messages_from_normal(request, how)
  local turns = array({})
  for _, message in ipairs(request.messages) do
    local role, last = message.role, turns[#turns]
    local is_turn = role == "user" or role == "assistant"
    local text = is_turn and not (last and last.role == role) and parts.only_text(message)
    if text and not parts.is_blank(text) then
      turns[#turns + 1] = { role = role, content = text }
    elseif is_turn then
      if message.name then lose(how.losses, "messages[].name") end
      if message.parts.citations then lose(how.losses, "messages[].annotations") end
      if request.dialect ~= D.name then parts.lose_fields(how.losses, message.extra, "messages[].") end
      add_turn(turns, role, blocks.blocks_from_parts(message.parts, how))
    end
  end
  for _, turn in ipairs(turns) do
    turn.results = nil
    local only = type(turn.content) == "table" and #turn.content == 1 and turn.content[1]
    if only and only.type == "text" and not only.cache_control and not only.citations then turn.content = only.text end
  end
  return turns
end

local function tools_from_normal(request, rename, losses)
  local is_own = request.dialect == D.name
  local list, allowed = array({}), request_tools.allowed_names(request, losses)
  for _, tool in ipairs(request.tools or {}) do
    if tool.kind == "server" then
      list[#list + 1] = request_tools.server_tool(tool, D.name, losses)
    elseif not allowed or allowed[tool.name] then
      local sent = {
        name = rename(tool.name), description = tool.description, strict = tool.strict, cache_control = tool.cache,
        input_schema = tool.schema or json.raw('{"type":"object"}'),
      }
      if tool.strict == false then sent.strict = nil end
      request_tools.add_extra(sent, tool, is_own, losses)
      list[#list + 1] = sent
    end
  end
  return #list > 0 and list or nil
end

local function tool_choice_from_normal(request, body, rename, quirks, losses)
  local choice = request.tool_choice
  if not choice and request.parallel_tools == false then choice = { mode = "auto" } end
  if not choice then return end
  if choice.mode == "none" then
    if quirks.tool_choice_none == false then body.tools = nil else body.tool_choice = { type = "none" } end
    return
  end
  local sent = { type = choice.mode == "required" and "any" or choice.mode }
  if choice.mode == "tool" then sent.name = rename(choice.name) end
  if choice.mode ~= "auto" and quirks.tool_choice_forced == false then
    lose(losses, "tool_choice(" .. choice.mode .. " sent as auto)")
    sent = { type = "auto" }
  end
  if request.parallel_tools ~= nil then sent.disable_parallel_tool_use = not request.parallel_tools end
  body.tool_choice = sent
end

local tier_names = { auto = "auto", default = "standard_only", standard_only = "standard_only" }

local unknown_fields = { "seed", "logprobs", "logit_bias", "frequency_penalty", "presence_penalty" }

function D.request_from_normal(request, target, losses)
  local quirks = parts.quirks(target)
  local rename, changed = parts.tool_names(quirks.tool_name_max or 128)
  target.tool_names = changed
  request_fields.refuse_choices(request)
  request_fields.lose_each(request, unknown_fields, losses)
  local max_tokens = request.max_tokens
  if not max_tokens then
    max_tokens = quirks.max_tokens or 8192
    lose(losses, "max_tokens(default " .. max_tokens .. ")")
  end
  local body = { model = target.model, max_tokens = max_tokens, stream = request.stream or nil,
    cache_control = request.cache, stop_sequences = request_fields.stops(request, losses) }
  local user = request_fields.user(request, D.name, losses)
  if user then body.metadata = { user_id = user } end
  if request.service_tier then
    body.service_tier = tier_names[request.service_tier]
    if not body.service_tier then lose(losses, "service_tier") end
  end

  body.tools = tools_from_normal(request, rename, losses)
  if body.tools then
    tool_choice_from_normal(request, body, rename, quirks, losses)
  elseif request.tool_choice and request.tool_choice.mode ~= "none" and request.tool_choice.mode ~= "auto" then
    lose(losses, "tool_choice")
  end
  local choice = body.tool_choice
  local is_forced = choice ~= nil and (choice.type == "any" or choice.type == "tool")
  local is_thinking = claude.think(request, body, quirks, request.dialect == D.name, is_forced, losses)
  claude.sample(request, body, quirks, is_thinking, losses)
  if request.format and request.format.kind == "json_schema" then
    if quirks.structured_output == false then
      lose(losses, "response_format")
    else
      body.output_config = body.output_config or {}
      body.output_config.format = { type = "json_schema", schema = request.format.schema }
      if request.format.description then lose(losses, "response_format.json_schema.description") end
    end
  end

  if request.dialect == D.name then
    for name, v in pairs(request.extra or {}) do
      if name == "output_config" then
        body.output_config = body.output_config or {}
        for key, inner in pairs(v) do body.output_config[key] = inner end
      else
        body[name] = v
      end
    end
  else
    parts.lose_fields(losses, request.extra, "")
  end
  local how = { rename = rename, quirks = quirks, losses = losses }
  body.system = system_from_normal(request, how)
  body.messages = messages_from_normal(request, how)
  return body
end

----- whole answers

local answer_fields = { id = true, type = true, role = true, model = true, content = true, stop_reason = true,
  stop_sequence = true, stop_details = true, usage = true, container = true, context_management = true, error = true }
local block_fields = {
  text = { type = true, text = true, citations = true },
  thinking = { type = true, thinking = true, signature = true },
  redacted_thinking = { type = true, data = true },
  tool_use = { type = true, id = true, name = true, input = true, caller = true },
}

function D.response_to_normal(body, losses)
  if value(body.type) == "error" or value(body.error) then return nil, errors.from_table(nil, body) end
  parts.lose_unknown(losses, body, answer_fields, "")
  parts.lose_unknown_of_types(losses, body.content, block_fields, "content[].")
  local found = blocks.add_blocks(body.content, "content", {})
  local has_calls = false
  for _, part in ipairs(found) do has_calls = has_calls or part.type == "tool_call" end
  local usage = value(body.usage)
  local extra = { container = value(body.container), context_management = value(body.context_management) }
  parts.lose_fields(losses, extra, "")
  return {
    dialect = D.name,
    id = value(body.id),
    model = value(body.model),
    usage = usage and blocks.merge_usage(blocks.new_usage(), usage) or nil,
    service_tier = usage and value(usage.service_tier),
    choices = { {
      index = 0, parts = found,
      finish = blocks.finish_to_normal(value(body.stop_reason), value(body.stop_sequence), has_calls),
    } },
    extra = extra,
  }
end

D.texts.answer = {
  content = "content",
  values = { "type", "stop_reason", "stop_sequence", "usage", "id", "model", "container", "context_management" },
  without = { "error" }, known = parts.names_of(answer_fields),
}

function D.texts.answer.read(hop, text, kind, reason, sequence, usage, id, model, container, management)
  if kind == "error" then return nil end
  local extra = { container = container, context_management = management }
  parts.lose_fields(hop.asked.losses, extra, "")
  return {
    dialect = D.name, id = id, model = model, usage = usage and blocks.merge_usage(blocks.new_usage(), usage),
    service_tier = usage and value(usage.service_tier),
    choices = { parts.text_choice(text, blocks.finish_to_normal(reason, sequence, false)) },
    extra = extra,
  }
end

local function response_blocks(choice, asked, names)
  local content, has_refusal = array({}), false
  local how = { is_answer = true, losses = asked.losses, quirks = { tool_id_max = math.maxinteger },
    rename = function(name) return names[name] or name end }
  for _, part in ipairs(choice.parts) do
    local block
    if part.type == "audio" then
      lose(asked.losses, "message.audio")
    elseif part.type == "tool_call" then
      block = { type = "tool_use", id = part.id, name = how.rename(part.name), input = parts.arguments_object(part) }
    else
      block = blocks.block_from_part(part, how)
    end
    has_refusal = has_refusal or part.type == "refusal"
    content[#content + 1] = block
  end
  if choice.parts.citations then lose(asked.losses, "message.annotations") end
  return content, has_refusal
end

local answer_tiers = { default = "standard", standard = "standard", priority = "priority", batch = "batch",
  flex = "batch" }

function D.response_from_normal(response, asked)
  local choice = response.choices[1]
  if response.choices[2] then lose(asked.losses, "choices") end
  if choice.logprobs then lose(asked.losses, "choices[].logprobs") end
  local content, has_refusal = response_blocks(choice, asked, asked.tool_names or {})
  local usage = blocks.usage_from_normal(response.usage, asked.losses)
  local tier = response.service_tier
  if tier then
    usage.service_tier = response.dialect == D.name and tier or answer_tiers[tier]
    if not usage.service_tier then lose(asked.losses, "service_tier") end
  end
  local body = {
    id = asked.id or response.id or gw.id("msg_"),
    type = "message",
    role = "assistant",
    model = asked.model or response.model,
    content = content,
    stop_reason = blocks.finish_from_normal(choice.finish, has_refusal, asked.losses),
    stop_sequence = choice.finish.stop_sequence or json.null,
    usage = usage,
  }
  if response.dialect == D.name then
    for name, v in pairs(response.extra or {}) do body[name] = v end
  end
  return body
end

----- errors

local error_types = {
  [400] = "invalid_request_error", [401] = "authentication_error", [402] = "billing_error",
  [403] = "permission_error", [404] = "not_found_error", [408] = "timeout_error", [409] = "conflict_error",
  [413] = "request_too_large", [429] = "rate_limit_error", [500] = "api_error", [503] = "overloaded_error",
  [504] = "timeout_error", [529] = "overloaded_error",
}

D.error_to_normal = errors.from_text

function D.error_from_normal(err, request_id)
  local status = err.status
  local kind = error_types[status] or (status >= 500 and "api_error" or "invalid_request_error")
  local body = { type = "error", error = { type = kind, message = errors.placed_message(err) } }
  if request_id then body.request_id = request_id end
  return status, body
end

function D.stream_error(err, request_id)
  local _, body = D.error_from_normal(err, request_id)
  return parts.sse("error", json.encode(body))
end

function D.reader()
  return stream.reader(D.raw_keys)
end

function D.writer(asked)
  return stream.writer(asked, D.stream_error)
end

----- what it carries (see docs/reference/normal-form.md)

local forwarded = { false, read = true }

D.carries = {
  max_tokens = true, ["max_tokens(absent)"] = { "the model's limit is sent", read = false }, temperature = true,
  ["temperature(above 1)"] = { "clamped to 1", read = false }, top_p = true, top_k = true, stop = true,
  ["stop(more than 5)"] = true, seed = false, ["n(above 1)"] = { refused = "one answer a request" },
  frequency_penalty = false, presence_penalty = false, logit_bias = false, logprobs = false,
  ["reasoning.effort"] = { "sent as a budget of tokens", quirk = { thinking = "adaptive" } },
  ["reasoning.budget_tokens"] = true, ["reasoning(off)"] = true,
  ["format(json)"] = { "asked for in the system prompt", read = false }, ["format(json_schema)"] = true,
  ["format.description"] = false,
  user = true, ["user(e-mail address)"] = forwarded,
  ["service_tier(default)"] = { as = "standard_only" }, ["service_tier(flex)"] = false, cache = true,
  system = true, ["system(developer)"] = { as = "system", read = false },
  ["system(late)"] = "moved to the top", ["message.name"] = false,
  tools = true, ["tool.strict"] = true, ["tool.cache"] = true, ["tool_choice(auto)"] = true,
  ["tool_choice(none)"] = true, ["tool_choice(required)"] = true, ["tool_choice(tool)"] = true,
  ["tool_choice(names)"] = { "the other tools are left out", read = false }, ["parallel_tools(false)"] = true,
  ["part.text"] = true, ["part.cache"] = true, ["part.citations"] = forwarded, ["part.image(bytes)"] = true,
  ["part.image(url)"] = true, ["part.image.detail"] = false, ["part.document(bytes)"] = true,
  ["part.document(url)"] = true, ["part.document(text)"] = true, ["part.document.title"] = true,
  ["part.document.context"] = true, ["part.document.citations_enabled"] = true,
  ["part.audio"] = { refused = "takes no audio" }, ["part.tool_call"] = true,
  ["part.tool_call(arguments not an object)"] = { "wrapped as _raw_arguments", read = false },
  ["part.tool_result"] = true, ["part.tool_result(image)"] = true, ["part.tool_result(document)"] = true,
  ["part.tool_result.is_error"] = true, ["part.thinking"] = forwarded,
  ["part.thinking(signed by anthropic)"] = true, ["part.thinking(signed by gemini)"] = forwarded,
  ["part.thinking(signed by openai)"] = forwarded, ["part.thinking(redacted)"] = true,
  ["part.refusal"] = { as = "text", read = false },

  ["answer.text"] = true, ["answer.thinking"] = true, ["answer.thinking(signed by anthropic)"] = true,
  ["answer.thinking(signed by gemini)"] = { as = "the signature, its signer before it", read = false },
  ["answer.thinking(signed by openai)"] = { as = "redacted_thinking, its signer before it", read = false },
  ["answer.thinking(redacted)"] = true, ["answer.tool_call"] = true,
  ["answer.refusal"] = { as = "text, with stop_reason refusal", read = false }, ["answer.audio"] = false,
  ["answer.citations(url)"] = forwarded, ["answer.citations(document)"] = forwarded, ["answer.logprobs"] = false,
  ["answer.choices(more than 1)"] = false,
  ["answer.service_tier"] = { as = "usage.service_tier, standard for default" },
  ["finish(stop)"] = true, ["finish(stop_sequence)"] = true, ["finish(pause)"] = true, ["finish(length)"] = true,
  ["finish(context_window)"] = true, ["finish(tool_calls)"] = true, ["finish(content_filter)"] = true,
  ["finish(error)"] = { "sent as end_turn", read = false },
  ["usage.tokens"] = true, ["usage.cache_read_tokens"] = true, ["usage.cache_write_tokens"] = true,
  ["usage.cache_write_1h_tokens"] = true, ["usage.reasoning_tokens"] = true, ["usage.audio_input_tokens"] = false,
  ["usage.audio_output_tokens"] = false, ["usage.server_tools"] = true,
}

return D
