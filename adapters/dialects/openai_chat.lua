-- openai.chat: OpenAI Chat Completions and the many servers that speak it, to and from the normal form
-- (docs/reference/normal-form.md). Requests, whole answers and errors are here, streams in lua/gw/chat_stream.lua.
-- Source: OpenAI API reference "Chat"; names that other servers add (reasoning_content, reasoning, reasoning_details,
-- thinking_blocks, cache_control, content lists with thinking) as recorded from them.
-- It does not read or write sockets, and it never changes a same-dialect hop: those bytes are forwarded as they are.
--
-- Quirks it reads (adapter.quirks, per model by quirks.models):
--   max_tokens_field      "max_tokens" (default) or "max_completion_tokens"
--   developer_role        the server knows role "developer"; otherwise it is sent as "system"
--   reasoning             how effort is asked for: "effort" (reasoning_effort, default), "object" (reasoning = {…}),
--                         "thinking" (thinking = { type = "enabled" | "disabled" }; an effort beside it only where
--                         `efforts` is there, else a loss: DeepSeek, Z.AI, Moonshot) or "none" (the model does not
--                         reason: dropped, a loss)
--   reasoning_off         value of reasoning_effort that switches reasoning off, where there is one
--   efforts               { low = true, … } the server takes; others become the nearest, a loss; default minimal, low,
--                         medium, high
--   sampling              "all" (default); "none": the model refuses temperature and top_p, they are dropped, a loss;
--                         "without_reasoning": it takes them only with reasoning_off
--   tools_without_reasoning  true: the server takes tools only with reasoning_off, which is then sent
--   reasoning_history     field that carries thinking back: "reasoning_content" (default), "reasoning",
--                         "thinking_blocks" or "none" (dropped, a loss)
--   prefill               "prefix": an assistant's message at the end is gone on from only with prefix = true in it
--                         (Mistral); "none": not at this URL, whatever the model can (lua/gw/recover.lua)
--   cache_control         the server takes cache_control on parts; otherwise a loss
--   stream_usage          false: the server refuses stream_options
--   usage_nulls           each chunk holds "usage":null when usage is asked for, and only then: it is taken out again
--                         for a client that did not ask
--   tool_choice_required  word for "some tool must be called"; default "required"; "auto" where there is none, a loss
--   seed_field            "seed" (default) or "random_seed" (Mistral)
--   json_schema           false: the server takes JSON without a schema only; the schema is dropped, a loss
--   tool_name_max         default 64;  tool_id_max  default 64;  tool_id_length  exact length (Mistral: 9)
--   top_k, document_url, flat_content  true where the server takes top_k, URLs in `file`, only string content
--   effort_budgets, budget_efforts     see lua/gw/parts.lua

local custom_tools = require("gw.custom_tools")
local parts = require("gw.parts")
local errors = require("gw.errors")
local stream = require("gw.chat_stream")
local chat = require("gw.chat_parts")
local ends = require("gw.chat_ends")
local openai = require("gw.openai")
local request_fields = require("gw.request_fields")
local request_tools = require("gw.request_tools")

local json = gw.json
local value, optional, required, lose, fail = parts.value, parts.optional, parts.required, parts.lose, parts.fail
local array = json.array

local D = { api = 1, name = "openai.chat" }

D.raw_keys = { parameters = true, schema = true, logprobs = true, logit_bias = true, prediction = true,
  provider_metadata = true }

-- The names of the quirks above.
D.quirks = {
  json_schema = true, seed_field = true, max_tokens_field = true, developer_role = true, reasoning = true,
  reasoning_off = true, efforts = true, sampling = true, tools_without_reasoning = true, reasoning_history = true,
  cache_control = true, stream_usage = true, usage_nulls = true, tool_choice_required = true, tool_name_max = true,
  tool_id_max = true, tool_id_length = true, top_k = true, document_url = true, flat_content = true,
}

-- How texts, calls and results are read and written, without Lua (core/script/translation/text_form.h).
D.texts = {
  list = "messages", content = "content", roles = { system = "system", user = "user", assistant = "assistant" },
  types = { "text" }, may_be_text = true,
  system = '{"content":%s,"role":"system"}', user = '{"content":%s,"role":"user"}',
  assistant = '{"content":%s,"role":"assistant"}',
  user_parts = '{"content":[%s],"role":"user"}', part = '{"text":%s,"type":"text"}',
  lists = { "annotations", "tool_calls" },
  tools = {
    place = "beside", call = "tool_calls", call_type = "function", inside = "function", call_id = "id", name = "name",
    arguments = "arguments", arguments_are_text = true,
    result = "tool", result_id = "tool_call_id", output = "content", result_name = "name",
    calls = '{"content":%s,"role":"assistant","tool_calls":[%v]}',
    calls_alone = '{"content":null,"role":"assistant","tool_calls":[%v]}',
    write_call = '{"function":{"arguments":%s,"name":%n},"id":%i,"type":"function"}',
    write_result = '{"content":%s,"role":"tool","tool_call_id":%i}',
  },
}

local known_fields = {
  model = true, messages = true, stream = true, stream_options = true, max_tokens = true, max_completion_tokens = true,
  temperature = true, top_p = true, top_k = true, stop = true, seed = true, random_seed = true, n = true,
  frequency_penalty = true, presence_penalty = true, logit_bias = true, logprobs = true, top_logprobs = true,
  tools = true, tool_choice = true, parallel_tool_calls = true, functions = true, function_call = true,
  response_format = true, reasoning_effort = true, reasoning = true, thinking = true, user = true,
  service_tier = true, cache_control = true,
}

----- request, Chat → normal

local function tool_from_function(fn, field, holder, at)
  return {
    kind = "function",
    name = required(fn.name, "string", field, ".name"),
    description = optional(fn.description, "string", field, ".description"),
    schema = parts.raw_object(fn.parameters, field, ".parameters"),
    strict = optional(fn.strict, "boolean", field, ".strict"),
    cache = optional(holder.cache_control, "object", at, ".cache_control"),
  }
end

-- `custom` of the tool is the definition as Responses has it: flat.
local function custom_tool(custom, field, request)
  local name = required(custom.name, "string", field, ".name")
  local description = optional(custom.description, "string", field, ".description")
  local format = optional(custom.format, "object", field, ".format")
  local grammar = format and optional(format.grammar, "object", field, ".format.grammar")
  if grammar then
    format = { type = value(format.type), syntax = value(grammar.syntax), definition = value(grammar.definition) }
  end
  custom_tools.note(request, name)
  return { kind = "function", name = name, description = description, schema = json.raw(custom_tools.schema),
    custom = { type = "custom", name = name, description = description, format = format },
    extra = custom_tools.extra(custom) }
end

local function tools_to_normal(body, request)
  local tools = {}
  for i, tool in ipairs(optional(body.tools, "array", "tools") or {}) do
    local field = "tools[" .. (i - 1) .. "]"
    required(tool, "object", field)
    local kind = optional(tool.type, "string", field, ".type") or "function"
    if kind == "function" then
      tools[i] = tool_from_function(required(tool["function"], "object", field, ".function"), field .. ".function",
        tool, field)
    elseif kind == "custom" then
      tools[i] = custom_tool(required(tool.custom, "object", field, ".custom"), field .. ".custom", request)
    else
      tools[i] = { kind = "server", name = kind, dialect = D.name, body = tool, at = field }
    end
  end
  for i, fn in ipairs(optional(body.functions, "array", "functions") or {}) do
    local field = "functions[" .. (i - 1) .. "]"
    tools[#tools + 1] = tool_from_function(required(fn, "object", field), field, fn, field)
    request.legacy_functions = true
  end
  if #tools > 0 then request.tools = tools end
end

local choice_modes = { auto = "auto", none = "none", required = "required", any = "required" }

local function tool_choice_to_normal(body, request)
  local field, choice = "tool_choice", value(body.tool_choice)
  if choice == nil then field, choice = "function_call", value(body.function_call) end
  if choice == nil then return end
  if type(choice) == "string" then
    local mode = choice_modes[choice]
    if not mode then fail(field, "must be one of auto, none, required, or an object, not \"" .. choice .. "\"") end
    request.tool_choice = { mode = mode }
    return
  end
  optional(parts.or_text(choice, "object", field).type, "string", field, ".type")
  if value(choice.allowed_tools) then
    local allowed, names = required(choice.allowed_tools, "object", field, ".allowed_tools"), {}
    for i, tool in ipairs(required(allowed.tools, "array", field, ".allowed_tools.tools")) do
      local path = field .. ".allowed_tools.tools[" .. (i - 1) .. "]"
      local fn = required(required(tool, "object", path)["function"], "object", path, ".function")
      names[i] = required(fn.name, "string", path, ".function.name")
    end
    request.tool_choice = { mode = choice_modes[value(allowed.mode) or "auto"] or "auto", names = names }
    return
  end
  local fn = field == "function_call" and choice or value(choice.custom)
    or required(choice["function"], "object", field, ".function")
  request.tool_choice = { mode = "tool", name = required(fn.name, "string", field, ".function.name") }
end

local function format_to_normal(body, request)
  local format = optional(body.response_format, "object", "response_format")
  if not format then return end
  local kind = required(format.type, "string", "response_format.type")
  if kind == "text" then return end
  if kind == "json_object" then
    request.format = { kind = "json" }
  elseif kind == "json_schema" then
    -- Some clients leave the wrapper out and put name and schema one level up.
    local wrapper = optional(format.json_schema, "object", "response_format.json_schema") or format
    local field = wrapper == format and "response_format" or "response_format.json_schema"
    local schema = parts.raw_object(wrapper.schema, field, ".schema")
    if not schema then fail("response_format.json_schema.schema", "is missing; it must be an object") end
    request.format = {
      kind = "json_schema", schema = schema, name = optional(wrapper.name, "string", field, ".name"),
      description = optional(wrapper.description, "string", field, ".description"),
      strict = optional(wrapper.strict, "boolean", field, ".strict"),
    }
  else
    fail("response_format.type", "must be text, json_object or json_schema, not \"" .. kind .. "\"")
  end
end

local function reasoning_to_normal(body, request)
  local effort = optional(body.reasoning_effort, "string", "reasoning_effort")
  local object = optional(body.reasoning, "object", "reasoning")
  local thinking = optional(body.thinking, "object", "thinking")
  local budget
  if object then
    local given = optional(object.effort, "string", "reasoning.effort")
    effort = effort or given
    budget = optional(object.max_tokens, "number", "reasoning.max_tokens")
    if optional(object.enabled, "boolean", "reasoning.enabled") == false then effort = "none" end
  end
  if thinking then
    local given = optional(thinking.budget_tokens, "number", "thinking.budget_tokens")
    budget = budget or given
    if optional(thinking.type, "string", "thinking.type") == "disabled" then effort = "none" end
  end
  if effort == "none" then
    request.reasoning = { mode = "off" }
  elseif effort or budget then
    request.reasoning = { mode = "on", effort = effort, budget_tokens = budget }
  elseif object or thinking then
    request.reasoning = { mode = "on" }
  end
end

local function stop_to_normal(body)
  local stop = value(body.stop)
  if type(stop) == "string" then return { stop } end
  return stop ~= nil and parts.strings(parts.or_text(stop, "array", "stop"), "stop") or nil
end

function D.request_to_normal(body)
  required(body, "object", "body")
  local number, options = "number", optional(body.stream_options, "object", "stream_options")
  local max_tokens = optional(body.max_tokens, number, "max_tokens")
  local request = {
    dialect = D.name,
    model = optional(body.model, "string", "model"),
    stream = optional(body.stream, "boolean", "stream") or false,
    stream_usage = options and optional(options.include_usage, "boolean", "stream_options.include_usage") or false,
    max_tokens = optional(body.max_completion_tokens, number, "max_completion_tokens") or max_tokens,
    temperature = optional(body.temperature, number, "temperature"),
    top_p = optional(body.top_p, number, "top_p"),
    top_k = optional(body.top_k, number, "top_k"),
    stop = stop_to_normal(body),
    seed = optional(body.seed, number, "seed") or optional(body.random_seed, number, "random_seed"),
    n = optional(body.n, number, "n"),
    frequency_penalty = optional(body.frequency_penalty, number, "frequency_penalty"),
    presence_penalty = optional(body.presence_penalty, number, "presence_penalty"),
    logit_bias = parts.raw_object(body.logit_bias, "logit_bias"),
    parallel_tools = optional(body.parallel_tool_calls, "boolean", "parallel_tool_calls"),
    user = optional(body.user, "string", "user"),
    service_tier = optional(body.service_tier, "string", "service_tier"),
    cache = optional(body.cache_control, "object", "cache_control"),
    extra = parts.rest(body, known_fields),
  }
  local top = optional(body.top_logprobs, number, "top_logprobs")
  if optional(body.logprobs, "boolean", "logprobs") then request.logprobs = { top = top } end
  tools_to_normal(body, request)
  tool_choice_to_normal(body, request)
  format_to_normal(body, request)
  reasoning_to_normal(body, request)
  chat.messages_to_normal(required(body.messages, "array", "messages"), request)
  return request
end

----- request, normal → Chat

local function tools_from_normal(request, quirks, rename, losses)
  local tools = array({})
  for _, tool in ipairs(request.tools or {}) do
    if tool.kind == "function" then
      local sent = {
        type = "function",
        ["function"] = {
          name = rename(tool.name), description = tool.description, parameters = tool.schema, strict = tool.strict,
        },
      }
      if tool.cache then
        if quirks.cache_control then sent.cache_control = tool.cache else lose(losses, "cache_control") end
      end
      if tool.extra then parts.lose_fields(losses, tool.extra, "tools[].") end
      tools[#tools + 1] = sent
    else
      tools[#tools + 1] = request_tools.server_tool(tool, D.name, losses)
    end
  end
  return #tools > 0 and tools or nil
end

local function tool_choice_from_normal(choice, quirks, rename, losses)
  if choice.names then
    local allowed = array({})
    for i, name in ipairs(choice.names) do
      allowed[i] = { type = "function", ["function"] = { name = rename(name) } }
    end
    return { type = "allowed_tools", allowed_tools = { mode = choice.mode, tools = allowed } }
  end
  if choice.mode == "tool" then return { type = "function", ["function"] = { name = rename(choice.name) } } end
  if choice.mode == "required" then
    local word = quirks.tool_choice_required or "required"
    if word == "auto" then lose(losses, "tool_choice(required)") end
    return word
  end
  return choice.mode
end

local function format_from_normal(format, quirks, losses)
  if format.kind == "json" then return { type = "json_object" } end
  if quirks.json_schema == false then
    lose(losses, "response_format.json_schema")
    return { type = "json_object" }
  end
  return { type = "json_schema", json_schema = openai.json_schema(format) }
end

local function reasoning_from_normal(reasoning, quirks, body, losses)
  local style = quirks.reasoning or "effort"
  if reasoning.mode == "off" then
    if quirks.reasoning_off then
      body.reasoning_effort = quirks.reasoning_off
    elseif style == "thinking" then
      body.thinking = { type = "disabled" }
    elseif style ~= "none" then
      lose(losses, "thinking(off)")
    end
    return
  end
  if style == "none" then return lose(losses, "thinking") end
  if style == "thinking" then
    body.thinking = { type = "enabled" }
    if not quirks.efforts then
      if reasoning.effort then lose(losses, "effort") end
      if reasoning.budget_tokens then lose(losses, "thinking.budget_tokens") end
      return
    end
  end
  if style == "object" and reasoning.budget_tokens and not reasoning.effort then
    body.reasoning = { max_tokens = reasoning.budget_tokens }
    return
  end
  local effort = openai.effort(reasoning, quirks, losses)
  if not effort then
    if style == "object" then body.reasoning = { enabled = true } end
    if style == "effort" then lose(losses, "thinking") end
    return
  end
  effort = parts.nearest_effort(effort, quirks.efforts or openai.default_efforts, "effort", losses)
  if style == "object" then body.reasoning = { effort = effort } else body.reasoning_effort = effort end
end

-- Takes back what the model does not take together with reasoning, or tools.
local function mind_reasoning(body, quirks, losses)
  if body.tools and quirks.tools_without_reasoning then
    if body.reasoning_effort and body.reasoning_effort ~= quirks.reasoning_off then
      lose(losses, "effort(" .. body.reasoning_effort .. " not with tools)")
    end
    body.reasoning_effort = quirks.reasoning_off
  end
  openai.mind_sampling(body, body.reasoning_effort, quirks, losses)
end

function D.request_from_normal(request, target, losses)
  local quirks = parts.quirks(target)
  local rename, changed = parts.tool_names(quirks.tool_name_max or 64)
  target.tool_names = changed
  local body = {
    model = target.model,
    stream = request.stream or nil,
    temperature = request.temperature,
    top_p = request.top_p,
    n = request.n,
    frequency_penalty = request.frequency_penalty,
    presence_penalty = request.presence_penalty,
    logit_bias = request.logit_bias,
  }
  body[quirks.max_tokens_field or "max_tokens"] = request.max_tokens
  body[quirks.seed_field or "seed"] = request.seed
  if request.top_k then
    if quirks.top_k then body.top_k = request.top_k else lose(losses, "top_k") end
  end
  if request.stop then
    local stop = array({ table.unpack(request.stop, 1, 4) })
    if #stop < #request.stop then lose(losses, "stop(more than 4)") end
    body.stop = stop
  end
  if request.logprobs then body.logprobs, body.top_logprobs = true, request.logprobs.top end
  if request.stream and quirks.stream_usage ~= false then body.stream_options = { include_usage = true } end
  body.user = request_fields.user(request, D.name, losses)
  body.service_tier = openai.tier(request, D.name, losses)
  if request.cache then
    if quirks.cache_control then body.cache_control = request.cache else lose(losses, "cache_control") end
  end

  body.tools = tools_from_normal(request, quirks, rename, losses)
  if body.tools then
    if request.tool_choice then
      body.tool_choice = tool_choice_from_normal(request.tool_choice, quirks, rename, losses)
    end
    body.parallel_tool_calls = request.parallel_tools
  elseif parts.asks_for_tools(request) then
    lose(losses, "tool_choice")
  end
  if request.format then body.response_format = format_from_normal(request.format, quirks, losses) end
  if request.reasoning then reasoning_from_normal(request.reasoning, quirks, body, losses) end
  mind_reasoning(body, quirks, losses)

  if request.dialect == D.name then
    for name, v in pairs(request.extra or {}) do body[name] = v end
  else
    parts.lose_fields(losses, request.extra, "")
  end
  body.messages = chat.messages_from_normal(request, quirks, rename, losses)
  local last = body.messages[#body.messages]
  if quirks.prefill == "prefix" and last and last.role == "assistant" then last.prefix = true end
  return body
end

----- whole answers

-- What may stand in an answer; behind the first lines what servers tell of their own work.
local answer_fields = {
  id = true, object = true, created = true, model = true, choices = true, usage = true, error = true,
  citations = true, search_results = true,
  service_tier = true, system_fingerprint = true, provider = true, cost = true, metadata = true, request_id = true,
  generationId = true, time_info = true, timings = true, usage_breakdown = true, x_groq = true,
  venice_parameters = true, prompt_filter_results = true,
}
local choice_fields = {
  index = true, message = true, finish_reason = true, logprobs = true,
  delta = true, native_finish_reason = true, stop_reason = true, seed = true, content_filter_results = true,
}

local function choice_to_normal(choice, position, losses)
  local message = value(choice.message) or {}
  parts.lose_unknown(losses, choice, choice_fields, "choices[].")
  parts.lose_unknown(losses, message, chat.answer_fields, "choices[].message.")
  parts.lose_unknown_of_types(losses, message.content, chat.part_fields, "choices[].message.content[].")
  local found = chat.message_parts(message, "choices[].message", true)
  local finish = ends.finish_to_normal(value(choice.finish_reason), found.has_calls)
  return {
    index = value(choice.index) or position - 1,
    parts = found,
    finish = finish,
    logprobs = value(choice.logprobs),
    extra = chat.message_extra(message),
  }
end

function D.response_to_normal(body, losses)
  local choices = value(body.choices)
  if value(body.error) or not choices then return nil, errors.from_table(nil, body) end
  local response = {
    dialect = D.name,
    id = value(body.id),
    model = value(body.model),
    created = value(body.created),
    usage = ends.usage_to_normal(value(body.usage)),
    service_tier = value(body.service_tier),
    choices = {},
    extra = { citations = value(body.citations), search_results = value(body.search_results) },
  }
  parts.lose_unknown(losses, body, answer_fields, "")
  for i, choice in ipairs(choices) do response.choices[i] = choice_to_normal(choice, i, losses) end
  if #response.choices > 1 then table.sort(response.choices, function(a, b) return a.index < b.index end) end
  parts.lose_fields(losses, response.extra, "")
  return response
end

D.texts.answer = {
  content = "choices.0.message",
  values = { "choices.0.finish_reason", "choices.0.index", "usage", "id", "model", "created", "service_tier",
    "citations", "search_results" },
  without = { "error", "choices.1", "choices.0.logprobs" },
  known = parts.names_of(answer_fields, choice_fields),
}

function D.texts.answer.read(hop, text, finish, index, usage, id, model, created, tier, citations, found)
  local extra
  if citations or found then
    extra = { citations = citations, search_results = found }
    parts.lose_fields(hop.asked.losses, extra, "")
  end
  return { dialect = D.name, id = id, model = model, created = created, usage = ends.usage_to_normal(usage),
    service_tier = tier, choices = { parts.text_choice(text, ends.finish_to_normal(finish), index) }, extra = extra }
end

function D.response_from_normal(response, asked)
  local choices = array({})
  for i, choice in ipairs(response.choices) do
    choices[i] = {
      index = choice.index or i - 1,
      message = chat.message_from_parts(choice, asked),
      finish_reason = ends.finish_from_normal(choice.finish, asked),
      logprobs = choice.logprobs or json.null,
    }
    if choice.finish.stop_sequence then choices[i].stop_sequence = choice.finish.stop_sequence end
  end
  local body = {
    id = asked.id or response.id or gw.id("chatcmpl-"),
    object = "chat.completion",
    created = asked.created or response.created or gw.now_ms() // 1000,
    model = asked.model or response.model,
    choices = choices,
    usage = response.usage and ends.usage_from_normal(response.usage, asked.losses) or nil,
    service_tier = ends.tier_from_normal(response.service_tier),
  }
  if response.dialect == D.name then
    for name, v in pairs(response.extra or {}) do body[name] = v end
  end
  return body
end

----- errors

D.error_to_normal = errors.from_text

D.error_from_normal = errors.openai_body

function D.stream_error(err, request_id)
  local status, body = D.error_from_normal(err, request_id)
  body.error.status = status
  return parts.sse(nil, json.encode(body))
end

function D.reader()
  return stream.reader()
end

function D.writer(asked)
  return stream.writer(asked, D.stream_error)
end

----- what it carries (see docs/reference/normal-form.md)

local cache_quirk = { false, read = true, quirk = { cache_control = true } }
local moved = { "moved into the user message that follows", read = false }
local blocks_quirk = { reasoning_history = "thinking_blocks" }
local as_text = { "sent as reasoning_content, without the signature", read = true }

D.carries = {
  max_tokens = true, ["max_tokens(absent)"] = true, temperature = true, ["temperature(above 1)"] = true, top_p = true,
  top_k = { false, read = true, quirk = { top_k = true } },
  stop = true, ["stop(more than 5)"] = "the first 4 are sent", seed = true, ["n(above 1)"] = true,
  frequency_penalty = true, presence_penalty = true, logit_bias = true, logprobs = true,
  ["reasoning.effort"] = true,
  ["reasoning.budget_tokens"] = { "sent as an effort", quirk = { reasoning = "object" } },
  ["reasoning(off)"] = { false, read = true, quirk = { reasoning_off = "none" } },
  ["format(json)"] = true, ["format(json_schema)"] = true, ["format.description"] = true,
  user = true, ["user(e-mail address)"] = { false, read = true },
  ["service_tier(default)"] = true, ["service_tier(flex)"] = true,
  cache = cache_quirk, ["tool.cache"] = cache_quirk, ["part.cache"] = cache_quirk,
  system = true, ["system(developer)"] = { as = "system", quirk = { developer_role = true } }, ["system(late)"] = true,
  ["message.name"] = true,
  tools = true, ["tool.strict"] = true, ["tool_choice(auto)"] = true, ["tool_choice(none)"] = true,
  ["tool_choice(required)"] = true, ["tool_choice(tool)"] = true, ["tool_choice(names)"] = true,
  ["parallel_tools(false)"] = true,
  ["part.text"] = true, ["part.citations"] = { false, read = true },
  ["part.image(bytes)"] = true, ["part.image(url)"] = true, ["part.image.detail"] = true,
  ["part.document(bytes)"] = true,
  ["part.document(url)"] = { refused = "documents are taken as bytes only", read = true,
    quirk = { document_url = true } },
  ["part.document(text)"] = { "sent as text", read = false }, ["part.document.title"] = true,
  ["part.document.context"] = false, ["part.document.citations_enabled"] = false, ["part.audio"] = true,
  ["part.tool_call"] = true, ["part.tool_call(arguments not an object)"] = true, ["part.tool_result"] = true,
  ["part.tool_result(image)"] = moved, ["part.tool_result(document)"] = moved,
  ["part.tool_result.is_error"] = { "said in the text", read = false },
  ["part.thinking"] = true,
  ["part.thinking(signed by anthropic)"] = { as_text[1], quirk = blocks_quirk },
  ["part.thinking(signed by gemini)"] = as_text, ["part.thinking(signed by openai)"] = { false, read = true },
  ["part.thinking(redacted)"] = { false, read = true, quirk = blocks_quirk }, ["part.refusal"] = true,

  ["answer.text"] = true, ["answer.thinking"] = true, ["answer.thinking(signed by anthropic)"] = true,
  ["answer.thinking(signed by gemini)"] = true, ["answer.thinking(signed by openai)"] = true,
  ["answer.thinking(redacted)"] = true, ["answer.tool_call"] = true, ["answer.refusal"] = true, ["answer.audio"] = true,
  ["answer.citations(url)"] = true, ["answer.citations(document)"] = false, ["answer.logprobs"] = true,
  ["answer.choices(more than 1)"] = true, ["answer.service_tier"] = true,
  ["finish(stop)"] = true, ["finish(stop_sequence)"] = { as = "stop, with stop_sequence beside it", read = false },
  ["finish(pause)"] = { "sent as stop", read = false }, ["finish(length)"] = true,
  ["finish(context_window)"] = { as = "length", read = false }, ["finish(tool_calls)"] = true,
  ["finish(content_filter)"] = true, ["finish(error)"] = "sent as stop",
  ["usage.tokens"] = true, ["usage.cache_read_tokens"] = true, ["usage.cache_write_tokens"] = true,
  ["usage.cache_write_1h_tokens"] = false, ["usage.reasoning_tokens"] = true, ["usage.audio_input_tokens"] = true,
  ["usage.audio_output_tokens"] = true, ["usage.server_tools"] = false,
}

return D
