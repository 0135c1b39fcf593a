-- cohere.chat: Cohere's Chat API of its second version (POST /v2/chat), to and from the normal form
-- (docs/reference/normal-form.md). Requests, whole answers and errors are here, streams in lua/gw/cohere_stream.lua.
-- Source: Cohere API reference "Chat" (v2), its ranges of values among them, and recorded exchanges.
-- It does not change a same-dialect hop: those bytes are forwarded as they are.
--
-- The plan before tool calls (tool_plan) is thinking with `plan = true`. Thinking has no signature. Documents of the
-- request travel as documents of the last user message.
--
-- Quirks it reads (adapter.quirks, per model by quirks.models):
--   thinking              "toggle" (default) or "none" (the model cannot think: asking for it is dropped, a loss)
--   reasoning_history     "none": the model takes no thinking back (dropped, a loss)
--   tool_choice           false: the model has no tool_choice; REQUIRED is dropped, a loss, and for NONE the tools are
--                         left out
--   temperature           above 1: "clamp" (default, a loss) or "reject" (400)
--   tool_name_max         default 64;  tool_id_max  default 64
--   effort_budgets, budget_efforts     see lua/gw/parts.lua

local parts = require("gw.parts")
local errors = require("gw.errors")
local stream = require("gw.cohere_stream")
local cohere = require("gw.cohere_parts")
local answers = require("gw.cohere_answer")
local request_fields = require("gw.request_fields")
local request_tools = require("gw.request_tools")

local json = gw.json
local value, optional, required, lose, fail = parts.value, parts.optional, parts.required, parts.lose, parts.fail
local array = json.array

local D = { api = 1, name = "cohere.chat" }

D.raw_keys = { parameters = true, json_schema = true, schema = true, data = true }

-- How texts, calls and results are read and written, without Lua (core/script/translation/text_form.h).
D.texts = {
  list = "messages", content = "content", roles = { system = "system", user = "user", assistant = "assistant" },
  types = { "text" }, may_be_text = true,
  system = '{"content":%s,"role":"system"}', user = '{"content":%s,"role":"user"}',
  assistant = '{"content":%s,"role":"assistant"}',
  user_parts = '{"content":[%s],"role":"user"}', part = '{"text":%s,"type":"text"}',
  lists = { "tool_calls" },
  tools = {
    place = "beside", call = "tool_calls", call_type = "function", inside = "function", call_id = "id", name = "name",
    arguments = "arguments", arguments_are_text = true,
    result = "tool", result_id = "tool_call_id", output = "content",
    calls = '{"content":%s,"role":"assistant","tool_calls":[%v]}',
    calls_alone = '{"role":"assistant","tool_calls":[%v]}',
    write_call = '{"function":{"arguments":%s,"name":%n},"id":%i,"type":"function"}',
    write_result = '{"content":%s,"role":"tool","tool_call_id":%i}',
  },
}

local known_fields = {
  model = true, messages = true, stream = true, tools = true, tool_choice = true, strict_tools = true,
  documents = true, response_format = true, max_tokens = true, stop_sequences = true, temperature = true, seed = true,
  frequency_penalty = true, presence_penalty = true, k = true, p = true, logprobs = true, thinking = true,
}

----- request, Cohere → normal

local function tools_to_normal(body)
  local strict = optional(body.strict_tools, "boolean", "strict_tools")
  local tools = {}
  for i, tool in ipairs(optional(body.tools, "array", "tools") or {}) do
    local field = "tools[" .. (i - 1) .. "]"
    local kind = optional(required(tool, "object", field).type, "string", field, ".type") or "function"
    if kind == "function" then
      local fn = required(tool["function"], "object", field, ".function")
      local schema = parts.raw_object(fn.parameters, field, ".function.parameters")
      tools[i] = { kind = "function", schema = schema, strict = strict,
        name = required(fn.name, "string", field, ".function.name"),
        description = optional(fn.description, "string", field, ".function.description") }
    else
      tools[i] = { kind = "server", name = kind, dialect = D.name, body = tool, at = field }
    end
  end
  return #tools > 0 and tools or nil
end

local choice_modes = { REQUIRED = "required", NONE = "none", AUTO = "auto" }

local function tool_choice_to_normal(body)
  local choice = optional(body.tool_choice, "string", "tool_choice")
  if not choice then return nil end
  local mode = choice_modes[choice:upper()]
  if not mode then fail("tool_choice", "must be REQUIRED or NONE, not \"" .. choice .. "\"") end
  return { mode = mode }
end

local function format_to_normal(body)
  local format = optional(body.response_format, "object", "response_format")
  if not format then return nil end
  local kind = required(format.type, "string", "response_format.type")
  if kind == "text" then return nil end
  if kind ~= "json_object" then
    fail("response_format.type", "must be text or json_object, not \"" .. kind .. "\"")
  end
  local field = value(format.json_schema) == nil and "schema" or "json_schema"
  local schema = parts.raw_object(format[field], "response_format.", field)
  if not schema then return { kind = "json" } end
  return { kind = "json_schema", schema = schema }
end

local function thinking_to_normal(body)
  local thinking = optional(body.thinking, "object", "thinking")
  if not thinking then return nil end
  local kind = optional(thinking.type, "string", "thinking.type") or "enabled"
  if kind == "disabled" then return { mode = "off" } end
  if kind ~= "enabled" then fail("thinking.type", "must be enabled or disabled, not \"" .. kind .. "\"") end
  return { mode = "on", budget_tokens = optional(thinking.token_budget, "number", "thinking.token_budget") }
end

local function stop_to_normal(body)
  local stop = parts.strings(body.stop_sequences, "stop_sequences")
  return stop and #stop > 0 and stop or nil
end

-- Citing is on unless the client switches it off. Providers do not cite and keep to a schema at once.
local function wants_citations(body, format)
  local options = optional(body.citation_options, "object", "citation_options")
  local mode = options and optional(options.mode, "string", "citation_options.mode")
  return format == nil and mode ~= "OFF" and mode ~= "DISABLED"
end

function D.request_to_normal(body)
  required(body, "object", "body")
  local number = "number"
  local request = {
    dialect = D.name,
    model = optional(body.model, "string", "model"),
    stream = optional(body.stream, "boolean", "stream") or false,
    stream_usage = true,
    max_tokens = optional(body.max_tokens, number, "max_tokens"),
    temperature = optional(body.temperature, number, "temperature"),
    top_p = optional(body.p, number, "p"),
    top_k = optional(body.k, number, "k"),
    seed = optional(body.seed, number, "seed"),
    frequency_penalty = optional(body.frequency_penalty, number, "frequency_penalty"),
    presence_penalty = optional(body.presence_penalty, number, "presence_penalty"),
    stop = stop_to_normal(body),
    tools = tools_to_normal(body),
    tool_choice = tool_choice_to_normal(body),
    format = format_to_normal(body),
    reasoning = thinking_to_normal(body),
    extra = parts.rest(body, known_fields),
  }
  if optional(body.logprobs, "boolean", "logprobs") then request.logprobs = {} end
  cohere.messages_to_normal(required(body.messages, "array", "messages"), request)
  cohere.documents_to_normal(optional(body.documents, "array", "documents") or {}, request)
  if not wants_citations(body, request.format) then
    for _, message in ipairs(request.messages) do
      for _, part in ipairs(message.parts) do part.citations_enabled = nil end
    end
  end
  return request
end

----- request, normal → Cohere

-- Tools that tool_choice leaves out: the API can force a call, but not of which tool.
local function allowed_tools(request, losses)
  local choice = request.tool_choice
  if not choice then return nil end
  local names = choice.names or choice.mode == "tool" and { choice.name }
  if not names then return nil end
  local allowed, left_out = {}, false
  for _, name in ipairs(names) do allowed[name] = true end
  for _, tool in ipairs(request.tools or {}) do left_out = left_out or not allowed[tool.name] end
  if left_out then
    lose(losses, choice.names and "tool_choice.allowed_tools(other tools left out)"
      or "tool_choice(sent as REQUIRED, other tools left out)")
  end
  return allowed
end

local function tools_from_normal(request, body, rename, losses)
  local list, allowed = array({}), allowed_tools(request, losses)
  local strict, lax = false, false
  for _, tool in ipairs(request.tools or {}) do
    if tool.kind == "server" then
      list[#list + 1] = request_tools.server_tool(tool, D.name, losses)
    elseif not allowed or allowed[tool.name] then
      if tool.cache then lose(losses, "cache_control") end
      if tool.extra then parts.lose_fields(losses, tool.extra, "tools[].") end
      if tool.strict then strict = true else lax = true end
      list[#list + 1] = { type = "function", ["function"] = { name = rename(tool.name),
        description = tool.description, parameters = tool.schema or json.raw('{"type":"object","properties":{}}') } }
    end
  end
  if #list == 0 then return end
  body.tools = list
  if strict and lax then
    lose(losses, "tools[].strict(only for all tools at once)")
  elseif strict then
    body.strict_tools = true
  end
end

local function tool_choice_from_normal(request, body, quirks, losses)
  local choice = request.tool_choice
  local mode = choice and choice.mode or "auto"
  if request.parallel_tools == false and body.tools then lose(losses, "parallel_tool_calls") end
  if mode == "auto" then return end
  if not body.tools then
    if mode ~= "none" then lose(losses, "tool_choice") end
  elseif quirks.tool_choice ~= false then
    body.tool_choice = mode == "none" and "NONE" or "REQUIRED"
  elseif mode == "none" then
    body.tools, body.strict_tools = nil, nil
  else
    lose(losses, "tool_choice(" .. mode .. ")")
  end
end

local function thinking_from_normal(request, body, quirks, losses)
  local reasoning = request.reasoning
  if not reasoning then return end
  if quirks.thinking == "none" then
    if reasoning.mode ~= "off" then lose(losses, "thinking") end
    return
  end
  if reasoning.mode == "off" then
    body.thinking = { type = "disabled" }
    return
  end
  local budget = reasoning.budget_tokens
  if not budget and reasoning.effort then
    budget = parts.effort_to_budget(reasoning.effort, quirks) or parts.effort_to_budget("medium", quirks)
    lose(losses, "reasoning_effort(sent as a budget of " .. budget .. " tokens)")
  elseif reasoning.effort then
    lose(losses, "reasoning_effort")
  end
  if reasoning.mode == "adaptive" then lose(losses, "thinking.type(adaptive sent as enabled)") end
  -- Thoughts are always shown.
  if reasoning.display == "omitted" then lose(losses, "thinking.display") end
  body.thinking = { type = "enabled", token_budget = budget }
end

-- The value within the range that the API takes; what had to be changed is a loss.
local function clamped(v, least, most, field, losses)
  if not v then return nil end
  local sent = math.max(least, math.min(most, v))
  if sent == v then return v end
  lose(losses, field .. "(clamped to " .. sent .. ")")
  return sent
end

local stops_max = 5

local function sampling_from_normal(request, body, quirks, losses)
  if request.temperature and request.temperature > 1 and quirks.temperature == "reject" then
    fail("temperature", "is above 1, the most this provider takes")
  end
  body.temperature = clamped(request.temperature, 0, 1, "temperature", losses)
  body.p = clamped(request.top_p, 0.01, 0.99, "top_p", losses)
  body.k = clamped(request.top_k, 0, 500, "top_k", losses)
  body.frequency_penalty = clamped(request.frequency_penalty, 0, 1, "frequency_penalty", losses)
  body.presence_penalty = clamped(request.presence_penalty, 0, 1, "presence_penalty", losses)
  request_fields.refuse_choices(request)
  if request.logprobs then
    body.logprobs = true
    if (request.logprobs.top or 0) > 0 then lose(losses, "top_logprobs") end
  end
  if request.stop then
    body.stop_sequences = array({ table.unpack(request.stop, 1, stops_max) })
    if #request.stop > stops_max then lose(losses, "stop(more than " .. stops_max .. ")") end
  end
end

-- This API has no tiers; to be without one is no loss where the usual one is meant.
local usual_tiers = { auto = true, default = true, standard = true, standard_only = true }

local function lose_unknown(request, losses)
  if request.logit_bias then lose(losses, "logit_bias") end
  if request.user then lose(losses, "user") end
  if not usual_tiers[request.service_tier or "default"] then lose(losses, "service_tier") end
  if request.cache then lose(losses, "cache_control") end
  if request.dialect ~= D.name then parts.lose_fields(losses, request.extra, "") end
end

function D.request_from_normal(request, target, losses)
  local quirks = parts.quirks(target)
  local rename, changed = parts.tool_names(quirks.tool_name_max or 64)
  target.tool_names = changed
  local body = { model = target.model, stream = request.stream or nil, max_tokens = request.max_tokens,
    seed = request.seed }
  sampling_from_normal(request, body, quirks, losses)
  tools_from_normal(request, body, rename, losses)
  tool_choice_from_normal(request, body, quirks, losses)
  thinking_from_normal(request, body, quirks, losses)
  if request.format then
    body.response_format = { type = "json_object", json_schema = request.format.schema }
    if request.format.description then lose(losses, "response_format.json_schema.description") end
  end
  lose_unknown(request, losses)
  if request.dialect == D.name then
    for name, v in pairs(request.extra or {}) do body[name] = v end
  end
  local how = { rename = rename, quirks = quirks, losses = losses, documents = array({}) }
  body.messages = cohere.messages_from_normal(request, how)
  if #how.documents > 0 then body.documents = how.documents end
  return body
end

----- whole answers

local answer_fields = { id = true, message = true, finish_reason = true, usage = true, logprobs = true }
local message_fields = { role = true, content = true, tool_calls = true, tool_plan = true, citations = true }
local item_fields = { text = { type = true, text = true }, thinking = { type = true, thinking = true } }

function D.response_to_normal(body, losses)
  local message = value(body.message)
  if type(message) ~= "table" then return nil, errors.from_table(nil, body) end
  parts.lose_unknown(losses, body, answer_fields, "")
  parts.lose_unknown(losses, message, message_fields, "message.")
  parts.lose_unknown_of_types(losses, message.content, item_fields, "message.content[].")
  local found, by_item = cohere.message_parts(message, "message", true)
  local finish = answers.finish_to_normal(optional(body.finish_reason, "string", "finish_reason"), found.has_calls)
  if finish.reason == "error" and (finish.raw == "TIMEOUT" or #found == 0) then
    return nil, answers.failure(finish.raw)
  end
  answers.place_citations(parts.objects(message.citations, "message.citations"), found, by_item)
  local logprobs = optional(body.logprobs, "array", "logprobs")
  local response = {
    dialect = D.name,
    id = value(body.id),
    usage = answers.usage_to_normal(body.usage),
    choices = { { index = 0, parts = found, finish = finish,
      logprobs = logprobs and answers.logprobs_to_normal(logprobs) } },
    extra = parts.rest(body, answer_fields),
  }
  return response
end

D.texts.answer = {
  content = "message", values = { "finish_reason", "usage", "id" }, without = { "logprobs" },
}

function D.texts.answer.read(_, text, finish, usage, id)
  finish = answers.finish_to_normal(optional(finish, "string", "finish_reason"))
  if finish.reason == "error" then return nil end
  return { dialect = D.name, id = id, usage = answers.usage_to_normal(usage),
    choices = { parts.text_choice(text, finish) } }
end

-- items: { kind, texts, number, … }, with `texts` of them beside: those of text, which count characters (base, length).
local function add_text(items, kind, part)
  local item = items[#items]
  if not item or item.kind ~= kind or items.broken then
    local before = items.texts[#items.texts]
    item = { kind = kind, texts = {}, number = #items, base = before and before.base + before.length or 0, length = 0,
      citations = {} }
    items[#items + 1] = item
    if kind == "text" then items.texts[#items.texts + 1] = item end
    items.broken = false
  end
  local from = item.length
  item.texts[#item.texts + 1] = part.text
  item.length = from + (utf8.len(part.text) or #part.text)
  for _, citation in ipairs(part.citations or {}) do
    item.citations[#item.citations + 1] = { citation = citation, from = from, to = item.length }
  end
end

local function add_call(message, part, asked)
  local name = asked.tool_names and asked.tool_names[part.name] or part.name
  message.tool_calls = message.tool_calls or array({})
  table.insert(message.tool_calls, { id = part.id, type = "function",
    ["function"] = { name = name, arguments = parts.arguments_text(part) } })
end

-- Sets content and citations of a message from what was collected. `whole`: citations of the whole text.
local function set_content(message, items, whole, losses)
  local content, citations = array({}), array({})
  local function cite(citation, item, from, to)
    item = answers.cited_item(citation, items.texts, item)
    citations[#citations + 1] = answers.citation_from_normal(citation, item, from, to)
  end
  for i, item in ipairs(items) do
    content[i] = { type = item.kind, [item.kind] = table.concat(item.texts) }
    for _, placed in ipairs(item.citations) do cite(placed.citation, item, placed.from, placed.to) end
  end
  local first = items.texts[1]
  for _, citation in ipairs(whole or {}) do
    if first then cite(citation, first, 0, first.length) else lose(losses, "message.citations(of no text)") end
  end
  if #content > 0 then message.content = content end
  if #citations > 0 then message.citations = citations end
end

-- The Cohere message of one answer, and whether the model refused in words. Texts that follow each other become one
-- item: clients read the answer from one.
local function message_from_parts(choice, asked)
  local only = parts.answer_text(choice.parts)
  if only then return { role = "assistant", content = array({ { type = "text", text = only } }) }, false end
  local message, items, plans, has_refusal = { role = "assistant" }, { texts = {} }, {}, false
  for _, part in ipairs(choice.parts) do
    local kind = part.type
    if kind == "text" or kind == "refusal" then
      has_refusal = has_refusal or kind == "refusal"
      add_text(items, "text", part)
    elseif kind == "thinking" then
      if part.redacted then lose(asked.losses, "message.content[].redacted_thinking") end
      if part.signature then lose(asked.losses, "message.content[].thinking.signature") end
      if part.plan then
        plans[#plans + 1] = part.text
      elseif (part.text or "") ~= "" then
        add_text(items, "thinking", part)
      end
    elseif kind == "tool_call" then
      add_call(message, part, asked)
      items.broken = true
    else
      lose(asked.losses, "message.content[](" .. (part.kind or kind) .. ")")
    end
  end
  if #plans > 0 then message.tool_plan = table.concat(plans) end
  set_content(message, items, choice.parts.citations, asked.losses)
  return message, has_refusal
end

function D.response_from_normal(response, asked)
  local choice = response.choices[1]
  if not usual_tiers[response.service_tier or "default"] then lose(asked.losses, "service_tier") end
  if #response.choices > 1 then lose(asked.losses, "choices(more than 1)") end
  local message, has_refusal = message_from_parts(choice, asked)
  local body = {
    id = asked.id or response.id or gw.id(""),
    message = message,
    finish_reason = answers.finish_from_normal(choice.finish, has_refusal, asked.losses),
    usage = answers.usage_from_normal(response.usage, asked.losses),
    logprobs = choice.logprobs and answers.logprobs_from_normal(choice.logprobs),
  }
  if response.dialect == D.name then
    for name, v in pairs(response.extra or {}) do body[name] = v end
  end
  return body
end

----- errors

function D.error_to_normal(status, body_text)
  local err = errors.from_text(status, body_text)
  local body = json.decode(body_text)
  if type(body) == "table" and type(body.error_type) == "string" then err.type = body.error_type end
  return err
end

function D.error_from_normal(err, request_id)
  return err.status == 529 and 503 or err.status, { id = request_id, message = errors.placed_message(err) }
end

-- Within a stream an error is told by the last event. [DONE] does not follow: it would say that all is well.
function D.stream_error(err, request_id)
  return parts.sse("message-end", json.encode({ type = "message-end", id = request_id,
    delta = { error = errors.placed_message(err), finish_reason = err.class == "timeout" and "TIMEOUT" or "ERROR" } }))
end

D.quirks = { thinking = true, reasoning_history = true, tool_choice = true, temperature = true, tool_name_max = true,
  tool_id_max = true, effort_budgets = true, budget_efforts = true, embedding_input_type = true }

-- What this dialect carries, with the default quirks; docs/reference/normal-form.md says how to read it.
D.carries = {
  max_tokens = true, ["max_tokens(absent)"] = true, temperature = true,
  ["temperature(above 1)"] = { "clamped to 1", read = false },
  top_p = true, top_k = true, stop = true, ["stop(more than 5)"] = { "cut to 5", read = false }, seed = true,
  ["n(above 1)"] = { refused = "one answer a request" }, frequency_penalty = true, presence_penalty = true,
  logit_bias = false, logprobs = { "without top_logprobs", read = true },
  ["reasoning.effort"] = { "sent as a budget", read = false }, ["reasoning.budget_tokens"] = true,
  ["reasoning(off)"] = true,
  ["format(json)"] = true, ["format(json_schema)"] = true, ["format.description"] = false,
  user = false, ["user(e-mail address)"] = false, cache = false,
  ["service_tier(default)"] = { as = "no tier", read = false }, ["service_tier(flex)"] = false,
  system = true, ["system(developer)"] = { as = "system" }, ["system(late)"] = true, ["message.name"] = false,
  tools = true, ["tool.strict"] = { "only for all tools at once", read = true }, ["tool.cache"] = false,
  ["tool_choice(auto)"] = { as = "no tool_choice", read = false }, ["tool_choice(none)"] = true,
  ["tool_choice(required)"] = true,
  ["tool_choice(tool)"] = { "sent as REQUIRED, other tools left out", read = false },
  ["tool_choice(names)"] = { "other tools left out", read = false }, ["parallel_tools(false)"] = false,
  ["part.text"] = true, ["part.cache"] = false, ["part.citations"] = false,
  ["part.image(bytes)"] = true, ["part.image(url)"] = true, ["part.image.detail"] = true,
  ["part.document(bytes)"] = { refused = "takes documents only as text" },
  ["part.document(url)"] = { refused = "takes documents only as text" },
  ["part.document(text)"] = { as = "documents" },
  ["part.document.title"] = { refused = "of a text it is data.title, of a PDF refused with it" },
  ["part.document.context"] = { refused = "of a text it is data.context, of a PDF refused with it" },
  ["part.document.citations_enabled"] = { refused = "texts are cited anyway, a PDF is refused" },
  ["part.audio"] = { refused = "takes no audio" },
  ["part.tool_call"] = true, ["part.tool_call(arguments not an object)"] = true,
  ["part.tool_result"] = true, ["part.tool_result(image)"] = { "moved into the next user message", read = false },
  ["part.tool_result(document)"] = { refused = "takes documents only as text" },
  ["part.tool_result.is_error"] = { "said in the text", read = false },
  ["part.thinking"] = true,
  ["part.thinking(signed by anthropic)"] = { "without its signature", read = false },
  ["part.thinking(signed by gemini)"] = { "without its signature", read = false },
  ["part.thinking(signed by openai)"] = false, ["part.thinking(redacted)"] = false,
  ["part.refusal"] = { as = "text", read = false },

  ["answer.text"] = true, ["answer.thinking"] = true,
  ["answer.thinking(signed by anthropic)"] = { "without its signature", read = false },
  ["answer.thinking(signed by gemini)"] = { "without its signature", read = false },
  ["answer.thinking(signed by openai)"] = false, ["answer.thinking(redacted)"] = false,
  ["answer.tool_call"] = true, ["answer.refusal"] = { as = "text", read = false }, ["answer.audio"] = false,
  ["answer.citations(url)"] = true, ["answer.citations(document)"] = true, ["answer.logprobs"] = true,
  ["answer.choices(more than 1)"] = false, ["answer.service_tier"] = { as = "no tier", read = false },
  ["finish(stop)"] = { as = "COMPLETE" }, ["finish(stop_sequence)"] = { as = "STOP_SEQUENCE" },
  ["finish(pause)"] = { "sent as COMPLETE", read = false }, ["finish(length)"] = { as = "MAX_TOKENS" },
  ["finish(context_window)"] = { as = "MAX_TOKENS", read = false }, ["finish(tool_calls)"] = { as = "TOOL_CALL" },
  ["finish(content_filter)"] = { as = "ERROR_TOXIC" }, ["finish(error)"] = { as = "ERROR", read = false },
  ["usage.tokens"] = true, ["usage.cache_read_tokens"] = true, ["usage.cache_write_tokens"] = false,
  ["usage.cache_write_1h_tokens"] = false, ["usage.reasoning_tokens"] = true, ["usage.audio_input_tokens"] = false,
  ["usage.audio_output_tokens"] = false, ["usage.server_tools"] = false,
}

function D.reader()
  return stream.reader()
end

function D.writer(asked)
  return stream.writer(asked, D.stream_error)
end

return D
