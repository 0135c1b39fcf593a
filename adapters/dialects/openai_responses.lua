-- openai.responses: OpenAI Responses and the servers that speak it, to and from the normal form
-- (docs/reference/normal-form.md). Requests, whole answers and errors are here, streams in lua/gw/responses_reader.lua
-- and lua/gw/responses_writer.lua.
-- Source: OpenAI API reference "Responses"; what Azure, xAI, DeepSeek, Bedrock, OpenRouter and mistral.rs do otherwise
-- as recorded from them. It does not change a same-dialect hop: those bytes are forwarded as they are.
--
-- A hop to or from another dialect is stateless: a request that leans on what a provider keeps (previous_response_id,
-- conversation, item_reference, prompt, background) is refused with its field. What the gateway itself keeps
-- (core/gate/keeping/keeping.h) has been put in before, and asked.keeps says whether this answer will be. Towards a
-- provider store=false is sent, and reasoning is asked for encrypted, so that the client can bring it back.
--
-- Quirks it reads (adapter.quirks, per model by quirks.models):
--   reasoning             "effort" (default) or "none" (the model does not reason: effort is dropped, a loss, and no
--                         encrypted reasoning is asked for, which such models refuse)
--   encrypted_reasoning   false: the server does not know include reasoning.encrypted_content
--   reasoning_off         value of reasoning.effort that switches reasoning off, where there is one
--   efforts               { low = true, … } the server takes; others become the nearest, a loss; default minimal, low,
--                         medium, high
--   summary               value of reasoning.summary that is sent whenever the client asks for reasoning (some
--                         organisations may not ask for one); default: only where the client asked to see thoughts
--   reasoning_history     "text": the server takes unsigned thoughts of earlier turns back; otherwise a loss
--   signer                who signs its encrypted_content, as gw.seals names it; default "openai"
--   sampling              "all" (default); "none": the model refuses temperature and top_p, they are dropped, a loss;
--                         "without_reasoning": it takes them only with reasoning_off
--   developer_role        false: the server does not know role "developer"; it is sent as "system"
--   cache_breakpoints     the model takes prompt_cache_breakpoint on content parts; otherwise markers are a loss
--   max_tokens_min        the least max_output_tokens the server takes; less is raised, a loss
--   tool_name_max         default 64;  tool_id_max  default 64
--   effort_budgets, budget_efforts     see lua/gw/parts.lua

local parts = require("gw.parts")
local errors = require("gw.errors")
local stream_reader = require("gw.responses_reader")
local stream_writer = require("gw.responses_writer")
local items = require("gw.responses_parts")
local answer = require("gw.responses_answer")
local openai = require("gw.openai")
local request_fields = require("gw.request_fields")
local request_tools = require("gw.request_tools")

local json = gw.json
local value, optional, required, lose, fail = parts.value, parts.optional, parts.required, parts.lose, parts.fail
local array = json.array

local D = { api = 1, name = "openai.responses" }

D.raw_keys = { parameters = true, schema = true, logprobs = true, metadata = true }

-- How texts, calls and results are read and written, without Lua (core/script/translation/text_form.h).
D.texts = {
  list = "input", list_may_be_text = true, content = "content", roles = { user = "user", assistant = "assistant" },
  kind = "message", types = { "input_text", "output_text" }, ignored = { "id", "status" }, may_be_text = true,
  system_key = "instructions", frames_system = true, -- answers repeat it
  system = '%s', user = '{"content":%s,"role":"user","type":"message"}',
  assistant = '{"content":[{"text":%s,"type":"output_text"}],"role":"assistant","type":"message"}',
  user_parts = '{"content":[%s],"role":"user","type":"message"}', part = '{"text":%s,"type":"input_text"}',
  assistant_parts = '{"content":[%s],"role":"assistant","type":"message"}',
  assistant_part = '{"text":%s,"type":"output_text"}',
  lists = { "annotations", "logprobs" }, joins_assistant = true,
  tools = {
    place = "listed", call = "function_call", call_id = "call_id", name = "name", arguments = "arguments",
    arguments_are_text = true, result = "function_call_output", result_id = "call_id", output = "output",
    write_call = '{"arguments":%s,"call_id":%i,"name":%n,"type":"function_call"}',
    write_result = '{"call_id":%i,"output":%s,"type":"function_call_output"}',
  },
}

local known_fields = {
  model = true, input = true, instructions = true, stream = true, max_output_tokens = true, temperature = true,
  top_p = true, tools = true, tool_choice = true, parallel_tool_calls = true, text = true, reasoning = true,
  include = true, store = true, user = true, service_tier = true, top_logprobs = true, truncation = true,
  previous_response_id = true, conversation = true, prompt = true, background = true,
}

----- request, Responses → normal

local function tools_to_normal(body, request)
  local tools = {}
  for i, tool in ipairs(optional(body.tools, "array", "tools") or {}) do
    local field = "tools[" .. (i - 1) .. "]"
    local kind = required(required(tool, "object", field).type, "string", field, ".type")
    if kind == "function" then
      local schema = parts.raw_object(tool.parameters, field, ".parameters")
      tools[i] = {
        kind = "function", name = required(tool.name, "string", field, ".name"), schema = schema,
        description = optional(tool.description, "string", field, ".description"),
        strict = optional(tool.strict, "boolean", field, ".strict"),
        extra = parts.rest(tool, { type = true, name = true, description = true, parameters = true, strict = true }),
      }
    elseif kind == "custom" then
      local name = required(tool.name, "string", field, ".name")
      tools[i] = {
        kind = "function", name = name, custom = tool, schema = json.raw(items.custom_schema),
        description = optional(tool.description, "string", field, ".description"),
        extra = items.custom_extra(tool),
      }
      request.custom_tools = request.custom_tools or {}
      request.custom_tools[name] = true
    else
      tools[i] = { kind = "server", name = kind, dialect = D.name, body = tool, at = field }
    end
  end
  if #tools > 0 then request.tools = tools end
end

local choice_modes = { auto = "auto", none = "none", required = "required" }

local function allowed_to_normal(choice, losses)
  local names = {}
  for i, tool in ipairs(required(choice.tools, "array", "tool_choice.tools")) do
    local path = "tool_choice.tools[" .. (i - 1) .. "]"
    local kind = value(required(tool, "object", path).type)
    if kind == "function" or kind == "custom" then
      names[#names + 1] = required(tool.name, "string", path, ".name")
    else
      lose(losses, "tool_choice.tools[]")
    end
  end
  local mode = optional(choice.mode, "string", "tool_choice.mode") or "auto"
  if mode ~= "auto" and mode ~= "required" then
    fail("tool_choice.mode", "must be auto or required, not \"" .. mode .. "\"")
  end
  return { mode = mode, names = names }
end

local function tool_choice_to_normal(body, request, losses)
  local choice = value(body.tool_choice)
  if choice == nil then return end
  if type(choice) == "string" then
    local mode = choice_modes[choice]
    if not mode then
      fail("tool_choice", "must be one of auto, none, required, or an object, not \"" .. choice .. "\"")
    end
    request.tool_choice = { mode = mode }
    return
  end
  local kind = required(parts.or_text(choice, "object", "tool_choice").type, "string", "tool_choice.type")
  if kind == "function" or kind == "custom" then
    request.tool_choice = { mode = "tool", name = required(choice.name, "string", "tool_choice.name") }
  elseif kind == "allowed_tools" then
    request.tool_choice = allowed_to_normal(choice, losses)
  else
    -- A tool that the provider runs; it is lost together with the tool itself.
    request.extra = request.extra or {}
    request.extra.tool_choice = choice
  end
end

local function text_to_normal(body, request)
  local text = optional(body.text, "object", "text")
  if not text then return end
  if value(text.verbosity) then
    request.extra = request.extra or {}
    request.extra["text.verbosity"] = text.verbosity
  end
  local format = optional(text.format, "object", "text.format")
  local kind = format and required(format.type, "string", "text.format.type")
  if not format or kind == "text" then return end
  if kind == "json_object" then
    request.format = { kind = "json" }
  elseif kind == "json_schema" then
    local schema = parts.raw_object(format.schema, "text.format.schema")
    if not schema then fail("text.format.schema", "is missing; it must be an object") end
    request.format = {
      kind = "json_schema", schema = schema, name = optional(format.name, "string", "text.format.name"),
      description = optional(format.description, "string", "text.format.description"),
      strict = optional(format.strict, "boolean", "text.format.strict"),
    }
  else
    fail("text.format.type", "must be text, json_object or json_schema, not \"" .. kind .. "\"")
  end
end

local function reasoning_to_normal(body, request)
  local reasoning = optional(body.reasoning, "object", "reasoning")
  if not reasoning then return end
  local effort = optional(reasoning.effort, "string", "reasoning.effort")
  local summary = optional(reasoning.summary, "string", "reasoning.summary")
    or optional(reasoning.generate_summary, "string", "reasoning.generate_summary")
  if effort == "none" then
    request.reasoning = { mode = "off" }
  elseif effort or summary then
    request.reasoning = { mode = "on", effort = effort, display = summary and "summarized" or nil }
  end
  if summary and summary ~= "auto" then
    request.extra = request.extra or {}
    request.extra["reasoning.summary"] = summary
  end
end

local function include_to_normal(body, request, losses)
  for i, name in ipairs(optional(body.include, "array", "include") or {}) do
    required(name, "string", "include[" .. (i - 1) .. "]")
    if name == "message.output_text.logprobs" then
      request.logprobs = { top = optional(body.top_logprobs, "number", "top_logprobs") }
    elseif name ~= "reasoning.encrypted_content" then
      lose(losses, "include(" .. name .. ")")
    end
  end
  if not request.logprobs and (optional(body.top_logprobs, "number", "top_logprobs") or 0) > 0 then
    request.logprobs = { top = body.top_logprobs }
  end
end

local kept_by_provider = {
  previous_response_id = "names an answer that this gateway does not keep for this key (any more); send the earlier "
    .. "turns as input, and `store = false` where they are always sent",
  conversation = "names a conversation that another provider keeps; send the earlier turns as input",
  prompt = "names a prompt that another provider keeps; send its text as instructions",
}

local function refuse_state(body)
  for _, field in ipairs { "previous_response_id", "conversation", "prompt" } do
    if value(body[field]) then fail(field, kept_by_provider[field]) end
  end
  if optional(body.background, "boolean", "background") then
    fail("background", "asks the provider to work on after the request; only its own clients can come back for that")
  end
end

local function echo_of(body)
  local echo = {}
  for name in pairs(answer.echoed) do echo[name] = value(body[name]) end
  return echo
end

function D.request_to_normal(body, losses, asked)
  required(body, "object", "body")
  refuse_state(body)
  local request = {
    dialect = D.name,
    model = optional(body.model, "string", "model"),
    stream = optional(body.stream, "boolean", "stream") or false,
    stream_usage = true,
    max_tokens = optional(body.max_output_tokens, "number", "max_output_tokens"),
    temperature = optional(body.temperature, "number", "temperature"),
    top_p = optional(body.top_p, "number", "top_p"),
    parallel_tools = optional(body.parallel_tool_calls, "boolean", "parallel_tool_calls"),
    user = optional(body.user, "string", "user"),
    service_tier = optional(body.service_tier, "string", "service_tier"),
    extra = parts.rest(body, known_fields),
    echo = echo_of(body),
  }
  if optional(body.store, "boolean", "store") and not (asked and asked.keeps) then lose(losses, "store") end
  if (optional(body.truncation, "string", "truncation") or "disabled") ~= "disabled" then lose(losses, "truncation") end
  optional(body.metadata, "object", "metadata")
  tools_to_normal(body, request)
  tool_choice_to_normal(body, request, losses)
  text_to_normal(body, request)
  reasoning_to_normal(body, request)
  include_to_normal(body, request, losses)
  local system = {}
  local instructions = optional(body.instructions, "string", "instructions")
  if instructions and instructions ~= "" then
    system[1] = { role = "system", parts = { { type = "text", text = instructions } }, at = "instructions",
      instructions = true }
  end
  if value(body.input) == nil then fail("input", "is missing; it must be a string or an array") end
  request.messages = items.items_to_normal(body.input, system)
  if #system > 0 then request.system = system end
  return request
end

----- request, normal → Responses

local function tools_from_normal(request, how)
  local tools = array({})
  for _, tool in ipairs(request.tools or {}) do
    if tool.kind == "server" then
      tools[#tools + 1] = request_tools.server_tool(tool, D.name, how.losses)
    elseif tool.custom then
      tools[#tools + 1] = tool.custom
      how.custom[tool.name] = true
    else
      local sent = {
        type = "function", name = how.rename(tool.name), description = tool.description,
        parameters = tool.schema or json.raw('{"type":"object","properties":{}}'),
        -- Without a word this API makes a schema strict where it can, which changes what the schema allows.
        strict = tool.strict or false,
      }
      if tool.cache then lose(how.losses, "cache_control") end
      request_tools.add_extra(sent, tool, how.is_own, how.losses)
      tools[#tools + 1] = sent
    end
  end
  return #tools > 0 and tools or nil
end

local function tool_choice_from_normal(choice, how)
  local function named(name)
    return { type = how.custom[name] and "custom" or "function", name = how.rename(name) }
  end
  if choice.names then
    local allowed = array({})
    for i, name in ipairs(choice.names) do allowed[i] = named(name) end
    return { type = "allowed_tools", mode = choice.mode, tools = allowed }
  end
  if choice.mode == "tool" then return named(choice.name) end
  return choice.mode
end

local function format_from_normal(format)
  if format.kind == "json" then return { type = "json_object" } end
  local sent = openai.json_schema(format)
  sent.type = "json_schema"
  return sent
end

local function reasoning_from_normal(request, quirks, body, losses)
  local reasoning = request.reasoning
  if not reasoning then return end
  local can_reason = (quirks.reasoning or "effort") ~= "none"
  if reasoning.mode == "off" then
    if quirks.reasoning_off then
      body.reasoning = { effort = quirks.reasoning_off }
    elseif can_reason then
      lose(losses, "thinking(off)")
    end
    return
  end
  if not can_reason then return lose(losses, "thinking") end
  local effort = openai.effort(reasoning, quirks, losses)
  if effort and request.dialect ~= D.name then
    effort = parts.nearest_effort(effort, quirks.efforts or openai.default_efforts, "effort", losses)
  end
  local summary
  if reasoning.display ~= "omitted" then
    summary = request.dialect == D.name and request.extra and request.extra["reasoning.summary"]
      or quirks.summary or reasoning.display == "summarized" and "auto" or nil
  end
  if effort or summary then
    body.reasoning = { effort = effort, summary = summary }
  else
    lose(losses, "thinking")
  end
end

local unknown_fields = { "top_k", "seed", "logit_bias", "frequency_penalty", "presence_penalty" }

-- Fields of Chat that mean the same here.
local shared_with_chat = { metadata = true, prompt_cache_key = true, safety_identifier = true,
  prompt_cache_retention = true }

local function extra_from_normal(request, body, losses)
  local left = {}
  for name, v in pairs(request.extra or {}) do
    if request.dialect == D.name then
      if name == "text.verbosity" then
        body.text = body.text or {}
        body.text.verbosity = v
      elseif name ~= "reasoning.summary" then
        body[name] = v
      end
    elseif request.dialect == "openai.chat" and name == "verbosity" then
      body.text = body.text or {}
      body.text.verbosity = v
    elseif request.dialect == "openai.chat" and shared_with_chat[name] then
      body[name] = v
    else
      left[name] = v
    end
  end
  parts.lose_fields(losses, left, "")
end

function D.request_from_normal(request, target, losses)
  local quirks = parts.quirks(target)
  local rename, changed = parts.tool_names(quirks.tool_name_max or 64)
  target.tool_names = changed
  request_fields.refuse_choices(request)
  if request.stop and #request.stop > 0 then lose(losses, "stop") end
  request_fields.lose_each(request, unknown_fields, losses)
  if request.cache then lose(losses, "cache_control") end
  local how = { rename = rename, quirks = quirks, losses = losses, is_own = request.dialect == D.name,
    signer = quirks.signer or items.own_signer, custom = {} }
  local body = {
    model = target.model, stream = request.stream or nil, store = false, temperature = request.temperature,
    top_p = request.top_p, max_output_tokens = request.max_tokens,
  }
  if quirks.max_tokens_min and request.max_tokens and request.max_tokens < quirks.max_tokens_min then
    body.max_output_tokens = quirks.max_tokens_min
    lose(losses, "max_tokens(raised to " .. quirks.max_tokens_min .. ")")
  end
  body.user = request_fields.user(request, D.name, losses)
  body.service_tier = openai.tier(request, D.name, losses)
  local include = array({})
  if (quirks.reasoning or "effort") ~= "none" and quirks.encrypted_reasoning ~= false then
    include[1] = "reasoning.encrypted_content"
  end
  if request.logprobs then
    include[#include + 1] = "message.output_text.logprobs"
    body.top_logprobs = request.logprobs.top
  end
  if #include > 0 then body.include = include end

  body.tools = tools_from_normal(request, how)
  if body.tools then
    if request.tool_choice then body.tool_choice = tool_choice_from_normal(request.tool_choice, how) end
    body.parallel_tool_calls = request.parallel_tools
  elseif parts.asks_for_tools(request) then
    lose(losses, "tool_choice")
  end
  if request.format then body.text = { format = format_from_normal(request.format) } end
  reasoning_from_normal(request, quirks, body, losses)
  openai.mind_sampling(body, body.reasoning and body.reasoning.effort, quirks, losses)
  extra_from_normal(request, body, losses)
  body.instructions, body.input = items.items_from_normal(request, how)
  return body
end

----- whole answers

local function lose_unknown(body, output, losses)
  parts.lose_unknown(losses, body, answer.fields, "")
  parts.lose_unknown_of_types(losses, output, answer.item_fields, "output[].")
  for _, item in ipairs(output) do
    if type(item) == "table" and item.type == "message" then
      parts.lose_unknown_of_types(losses, item.content, answer.part_fields, "output[].content[].")
    end
  end
end

function D.response_to_normal(body, losses, target)
  local status = value(body.status)
  local output = value(body.output)
  if status == "queued" or status == "in_progress" then
    return nil, { status = 502, class = "server", message = "The provider has only queued the answer (`background`)." }
  end
  if value(body.error) or not output or status == "failed" or status == "cancelled" then
    return nil, errors.from_table(nil, answer.error_body(body))
  end
  lose_unknown(body, output, losses)
  local quirks, found = parts.quirks(target or {}), {}
  -- mistral.rs has no reasoning items: the thoughts stand beside the output.
  if type(body.reasoning) == "string" and body.reasoning ~= "" then
    found[1] = { type = "thinking", text = body.reasoning }
  end
  for i, item in ipairs(output) do
    answer.add_item(item, "output[" .. (i - 1) .. "]", answer.signer_of(quirks, item), found)
  end
  local has_calls, logprobs = false, nil
  for _, part in ipairs(found) do
    has_calls = has_calls or part.type == "tool_call"
    logprobs = logprobs or part.logprobs
  end
  return {
    dialect = D.name,
    id = value(body.id),
    model = value(body.model),
    created = value(body.created_at),
    usage = answer.usage_to_normal(body.usage),
    service_tier = value(body.service_tier),
    choices = { { index = 0, parts = found, logprobs = logprobs,
      finish = answer.finish_to_normal(status, value(body.incomplete_details), has_calls) } },
  }
end

D.texts.answer = {
  content = "output.0.content", types = { "output_text" },
  values = { "output.0.type", "status", "incomplete_details", "reasoning", "usage", "id", "model", "created_at",
    "service_tier" },
  without = { "error", "output.1" },
  known = parts.names_of(answer.fields, answer.item_fields.message),
}

function D.texts.answer.read(_, text, kind, status, details, reasoning, usage, id, model, created, tier)
  if kind ~= "message" or status ~= "completed" and status ~= "incomplete" then return nil end
  if type(reasoning) == "string" and reasoning ~= "" then return nil end
  return { dialect = D.name, id = id, model = model, created = created, usage = answer.usage_to_normal(usage),
    service_tier = tier, choices = { parts.text_choice(text, answer.finish_to_normal(status, details)) } }
end

function D.response_from_normal(response, asked)
  local choice = response.choices[1]
  local body = answer.frame(asked)
  local status, reason = answer.status_from_normal(choice.finish, asked.losses)
  if response.choices[2] then lose(asked.losses, "choices") end
  body.id = answer.response_id(asked, response.id)
  body.model = asked.model or response.model
  body.created_at = asked.created or response.created or gw.now_ms() // 1000
  body.status = status
  if status == "completed" then body.completed_at = gw.now_ms() // 1000 end
  if reason then body.incomplete_details = { reason = reason } end
  body.output = answer.items_from_parts(choice, asked)
  body.usage = answer.usage_from_normal(response.usage, asked.losses)
  body.service_tier = answer.tier_from_normal(response.service_tier)
  return body
end

----- errors

D.error_to_normal = errors.from_text

D.error_from_normal = errors.openai_body

-- The fields stand twice: beside the type, as the reference has them, and in `error`, as the service sends them and its
-- own client library raises them.
function D.stream_error(err, request_id, sequence)
  local status, body = D.error_from_normal(err, request_id)
  local inner = body.error
  inner.status = status
  return parts.sse("error", json.encode({ type = "error", error = inner, code = inner.code, message = inner.message,
    param = inner.param, sequence_number = sequence or 0 }))
end

function D.reader(target)
  return stream_reader.reader(parts.quirks(target or {}))
end

function D.writer(asked)
  return stream_writer.writer(asked, D.stream_error)
end

----- what it carries (see docs/reference/normal-form.md)

local forwarded = { false, read = true }
local cache_quirk = { false, read = true, quirk = { cache_breakpoints = true } }
local sealed = { as = "encrypted_content, its signer before it", read = false }

D.carries = {
  max_tokens = true, ["max_tokens(absent)"] = true, temperature = true, ["temperature(above 1)"] = true, top_p = true,
  top_k = false, stop = false, ["stop(more than 5)"] = false, seed = false,
  ["n(above 1)"] = { refused = "one answer a request" }, frequency_penalty = false, presence_penalty = false,
  logit_bias = false, logprobs = true,
  ["reasoning.effort"] = true, ["reasoning.budget_tokens"] = { "sent as an effort", read = false },
  ["reasoning(off)"] = { false, read = true, quirk = { reasoning_off = "none" } },
  ["format(json)"] = true, ["format(json_schema)"] = true, ["format.description"] = true,
  user = true, ["user(e-mail address)"] = forwarded, ["service_tier(default)"] = true, ["service_tier(flex)"] = true,
  cache = false, ["tool.cache"] = false, ["part.cache"] = cache_quirk,
  system = true, ["system(developer)"] = true, ["system(late)"] = true, ["message.name"] = false,
  tools = true, ["tool.strict"] = true, ["tool_choice(auto)"] = true, ["tool_choice(none)"] = true,
  ["tool_choice(required)"] = true, ["tool_choice(tool)"] = true, ["tool_choice(names)"] = true,
  ["parallel_tools(false)"] = true,
  ["part.text"] = true, ["part.citations"] = forwarded, ["part.image(bytes)"] = true, ["part.image(url)"] = true,
  ["part.image.detail"] = true, ["part.document(bytes)"] = true, ["part.document(url)"] = true,
  ["part.document(text)"] = { "sent as text", read = false }, ["part.document.title"] = true,
  ["part.document.context"] = false, ["part.document.citations_enabled"] = false, ["part.audio"] = true,
  ["part.tool_call"] = true, ["part.tool_call(arguments not an object)"] = true, ["part.tool_result"] = true,
  ["part.tool_result(image)"] = true, ["part.tool_result(document)"] = true,
  ["part.tool_result.is_error"] = { "sent as text", read = false },
  ["part.thinking"] = { false, read = true, quirk = { reasoning_history = "text" } },
  ["part.thinking(signed by anthropic)"] = forwarded, ["part.thinking(signed by gemini)"] = forwarded,
  ["part.thinking(signed by openai)"] = true, ["part.thinking(redacted)"] = forwarded, ["part.refusal"] = true,

  ["answer.text"] = true, ["answer.thinking"] = true, ["answer.thinking(signed by anthropic)"] = sealed,
  ["answer.thinking(signed by gemini)"] = sealed, ["answer.thinking(signed by openai)"] = true,
  ["answer.thinking(redacted)"] = sealed, ["answer.tool_call"] = true, ["answer.refusal"] = true,
  ["answer.audio"] = false, ["answer.citations(url)"] = true, ["answer.citations(document)"] = forwarded,
  ["answer.logprobs"] = true, ["answer.choices(more than 1)"] = false, ["answer.service_tier"] = true,
  ["finish(stop)"] = true, ["finish(stop_sequence)"] = false,
  ["finish(pause)"] = { "sent as completed", read = false }, ["finish(length)"] = true,
  ["finish(context_window)"] = { as = "incomplete, max_output_tokens", read = false }, ["finish(tool_calls)"] = true,
  ["finish(content_filter)"] = true, ["finish(error)"] = { as = "incomplete, error", read = false },
  ["usage.tokens"] = true, ["usage.cache_read_tokens"] = true, ["usage.cache_write_tokens"] = true,
  ["usage.cache_write_1h_tokens"] = false, ["usage.reasoning_tokens"] = true, ["usage.audio_input_tokens"] = false,
  ["usage.audio_output_tokens"] = false, ["usage.server_tools"] = false,
}

return D
