-- openai.responses: the response object, to and from the answer of the normal form. Shared by the dialect file (whole
-- answers) and by the streams, whose first and last events hold such an object.
-- Facts and quirks: see adapters/dialects/openai_responses.lua. It does not know about requests or streams.

local parts = require("gw.parts")
local items = require("gw.responses_parts")

local json = gw.json
local null, array = json.null, json.array
local value, lose = parts.value, parts.lose

local M = {}

local dialect = items.dialect

----- Responses → normal

-- Logprobs are a list of tokens here; in the normal form, as in Chat, they are an object with that list as content.
-- An empty list says nothing.
function M.logprobs_to_normal(list)
  list = value(list)
  if list == nil then return nil end
  local text = json.text(list)
  if text == "[]" or text:find("^%[%s*%]$") then return nil end
  return json.raw('{"content":' .. text .. "}")
end

local function list_of(logprobs)
  if not logprobs then return nil end
  local object = json.decode(json.text(logprobs))
  local list = type(object) == "table" and object.content
  return type(list) == "table" and #list > 0 and list or nil
end

-- The list of one `text` event's logprobs, as JSON text; "[]" where there are none.
function M.logprobs_text(logprobs)
  local list = list_of(logprobs)
  return list and json.encode(json.array(list)) or "[]"
end

local read = {}

function read.message(item, field, _, into)
  local before = #into
  items.read_item.message(item, field, nil, into)
  for i, part in ipairs(value(item.content) or {}) do
    if type(part) == "table" then
      local normal = into[before + i]
      if normal then normal.logprobs = M.logprobs_to_normal(part.logprobs) end
    end
  end
end
read.reasoning = items.read_item.reasoning
read.function_call = items.read_item.function_call
read.custom_tool_call = items.read_item.custom_tool_call

-- One item of an answer's output into the list of parts. Items of provider-run tools stay whole.
function M.add_item(item, field, signer, into)
  local kind = parts.required(item.type, "string", field, ".type")
  local handle = read[kind]
  if handle then return handle(item, field, signer, into) end
  into[#into + 1] = { type = "opaque", kind = kind, dialect = dialect, body = item, at = field }
end

-- Who signs an item's encrypted_content: what the adapter says, else OpenRouter's word on it, else OpenAI.
function M.signer_of(quirks, item)
  if quirks.signer then return quirks.signer end
  local format = value(item.format)
  if type(format) ~= "string" then return nil end
  if format:sub(1, 6) == "google" then return "gemini" end
  return format:match("^%w+")
end

local incomplete_reasons = { max_output_tokens = "length", max_tokens = "length", content_filter = "content_filter",
  error = "error" }

-- There is no word for a tool call: it is inferred from the items.
function M.finish_to_normal(status, details, has_calls)
  local raw = status
  if status == "incomplete" then
    raw = details and value(details.reason) or status
    local reason = incomplete_reasons[raw]
    if not reason then gw.log.warn("unknown incomplete_details.reason \"" .. tostring(raw) .. "\" taken as length") end
    return { reason = reason or "length", raw = raw, dialect = dialect }
  end
  return { reason = has_calls and "tool_calls" or "stop", raw = raw, dialect = dialect }
end

function M.usage_to_normal(usage)
  usage = value(usage)
  if type(usage) ~= "table" or usage.input_tokens == nil then return nil end
  local input_details = value(usage.input_tokens_details) or {}
  local output_details = value(usage.output_tokens_details) or {}
  return {
    input_tokens = value(usage.input_tokens) or 0,
    output_tokens = value(usage.output_tokens) or 0,
    cache_read_tokens = value(input_details.cached_tokens),
    cache_write_tokens = value(input_details.cache_write_tokens),
    reasoning_tokens = value(output_details.reasoning_tokens),
  }
end

-- The status that an error of a failed response would have had before the answer began.
local code_status = { rate_limit_exceeded = 429, server_error = 500, invalid_prompt = 400, vector_store_timeout = 504 }

-- The error object of a failed response, as the body that gw.errors reads.
function M.error_body(body)
  local err = value(body.error)
  if type(err) ~= "table" then
    return { error = { message = "The provider's answer has status \"" .. tostring(value(body.status)) .. "\"." } }
  end
  local code = value(err.code)
  return { error = { message = value(err.message), type = value(err.type) or code, code = code,
    status_code = code_status[code] or type(code) == "string" and code:find("image") and 400 or nil } }
end

----- normal → Responses

-- The status of a response, and the reason when it is incomplete. The service has no word for a model that failed
-- inside its answer; to call that completed would be worse than a reason of our own.
function M.status_from_normal(finish, losses)
  local reason = finish.reason
  if reason == "length" or reason == "context_window" then return "incomplete", "max_output_tokens" end
  if reason == "content_filter" or reason == "error" then return "incomplete", reason end
  if reason == "pause" then lose(losses, "status(pause sent as completed)") end
  if reason == "stop_sequence" then lose(losses, "stop_sequence") end
  return "completed", nil
end

function M.usage_from_normal(usage, losses)
  if not usage then return null end
  if (usage.cache_write_1h_tokens or 0) > 0 then lose(losses, "usage.cache_creation") end
  if (usage.audio_input_tokens or 0) + (usage.audio_output_tokens or 0) > 0 then lose(losses, "usage.audio_tokens") end
  for _, count in pairs(usage.server_tools or {}) do
    if count ~= 0 and count ~= null then lose(losses, "usage.server_tool_use") end
  end
  local input, output = usage.input_tokens or 0, usage.output_tokens or 0
  return {
    input_tokens = input, output_tokens = output, total_tokens = input + output,
    input_tokens_details = { cached_tokens = usage.cache_read_tokens or 0,
      cache_write_tokens = usage.cache_write_tokens },
    output_tokens_details = { reasoning_tokens = usage.reasoning_tokens or 0 },
  }
end

-- What a response repeats of its request, with the API's defaults for what was not sent.
local defaults = {
  background = false, instructions = null, max_output_tokens = null, max_tool_calls = null, metadata = {},
  parallel_tool_calls = true, previous_response_id = null, store = false, temperature = 1, tool_choice = "auto",
  tools = array({}), top_p = 1, truncation = "disabled", user = null,
}

-- The fields of a response object that do not depend on the answer.
function M.frame(asked)
  local echo = asked.echo or {}
  local frame = { object = "response", error = null, incomplete_details = null }
  for name, default in pairs(defaults) do
    frame[name] = default
    if echo[name] ~= nil then frame[name] = echo[name] end
  end
  local text, reasoning = echo.text or {}, echo.reasoning or {}
  frame.text = { format = value(text.format) or { type = "text" }, verbosity = value(text.verbosity) }
  frame.reasoning = { effort = value(reasoning.effort) or null, summary = value(reasoning.summary) or null }
  frame.store, frame.background, frame.previous_response_id = asked.keeps == true, false, asked.previous or null
  return frame
end

-- Names of request fields that a frame may repeat.
M.echoed = { text = true, reasoning = true }
for name in pairs(defaults) do M.echoed[name] = true end

-- What may stand in an answer, for parts.lose_unknown: what it repeats of its request, its own, and what servers tell
-- of their work.
M.fields = {
  id = true, object = true, created_at = true, completed_at = true, status = true, error = true,
  incomplete_details = true, model = true, output = true, output_text = true, usage = true, service_tier = true,
  conversation = true, frequency_penalty = true, presence_penalty = true, prompt = true, prompt_cache_key = true,
  prompt_cache_retention = true, safety_identifier = true, top_logprobs = true,
  billing = true, content_filters = true, moderation = true, tool_usage = true,
}
for name in pairs(M.echoed) do M.fields[name] = true end
M.item_fields = {
  message = { type = true, id = true, status = true, role = true, content = true, phase = true },
  reasoning = { type = true, id = true, status = true, summary = true, content = true, encrypted_content = true,
    format = true },
  function_call = { type = true, id = true, status = true, call_id = true, name = true, arguments = true,
    namespace = true },
  custom_tool_call = { type = true, id = true, status = true, call_id = true, name = true, input = true,
    namespace = true },
}
M.part_fields = {
  output_text = { type = true, text = true, annotations = true, logprobs = true },
  refusal = { type = true, refusal = true },
}

-- An id under which an answer is kept must be its own: small servers count theirs, or throw dice.
function M.response_id(asked, id)
  if asked.id then return asked.id end
  local is_own = type(id) == "string" and id:sub(1, 5) == "resp_"
  if type(id) ~= "string" or id == "" or asked.keeps and not is_own then return gw.id("resp_") end
  return id:sub(1, 5) == "resp_" and id or "resp_" .. id
end

local tiers = { standard = "default", batch = "flex" }

function M.tier_from_normal(tier)
  return tier and (tiers[tier] or tier) or nil
end

-- An annotation; nil when the citation has none. `before`: characters of the answer before this part of its text.
-- `from`, `to`: the characters of the part that it belongs to, where the citation does not say.
function M.annotation(citation, before, from, to)
  if citation.dialect == dialect and citation.body then return citation.body end
  if not citation.url then return nil end
  return { type = "url_citation", url = citation.url, title = citation.title or "",
    start_index = citation.start_index and citation.start_index - before or from,
    end_index = citation.end_index and citation.end_index - before or to }
end

-- A call as the client declared the tool: a function, or a custom tool with free text.
function M.is_custom(asked, name)
  return asked.custom_tools ~= nil and asked.custom_tools[name] == true
end

function M.client_name(asked, name)
  return asked.tool_names and asked.tool_names[name] or name
end

local write = {}

function write.thinking(state, part)
  local item = state.reasoning
  if not item or part.redacted then
    item = { type = "reasoning", id = gw.id("rs_"), summary = array({}) }
    state.items[#state.items + 1] = item
  end
  state.message, state.reasoning = nil, item
  if part.text and part.text ~= "" then
    item.summary[#item.summary + 1] = { type = "summary_text", text = part.text }
  end
  local sealed = part.data or part.signature
  if sealed then
    item.encrypted_content = items.close_seal(sealed, part.signed_by, part.redacted)
    state.reasoning = nil
  end
end

local function message_item(state)
  local item = state.message
  if not item then
    item = { type = "message", id = gw.id("msg_"), status = "completed", role = "assistant", content = array({}) }
    state.items[#state.items + 1] = item
  end
  state.message, state.reasoning = item, nil
  return item
end

-- Texts that follow each other are one: clients read an answer's text out of one part.
local function text_content(state)
  local item = message_item(state)
  local last = item.content[#item.content]
  if last and last.type == "output_text" then return last end
  state.before, state.characters = state.before + state.characters, 0
  last = { type = "output_text", text = "", annotations = array({}), logprobs = array({}) }
  item.content[#item.content + 1] = last
  return last
end

-- Annotations of `content`, whose text begins `state.before` characters into the answer; `from`: where in it the text
-- begins that they belong to.
local function annotate(state, content, citations, from)
  for _, citation in ipairs(citations or {}) do
    local annotation = M.annotation(citation, state.before, from, state.characters)
    if annotation then
      content.annotations[#content.annotations + 1] = annotation
    else
      lose(state.asked.losses, "output[].content[].annotations(" .. citation.type .. ")")
    end
  end
end

function write.text(state, part)
  local content = text_content(state)
  local from = state.characters
  content.text = content.text .. part.text
  state.characters = from + items.characters(part.text)
  annotate(state, content, part.citations, from)
  for _, token in ipairs(list_of(part.logprobs) or {}) do content.logprobs[#content.logprobs + 1] = token end
end

local function last_text(state)
  for i = #state.items, 1, -1 do
    local item = state.items[i]
    local content = item.type == "message" and item.content[#item.content]
    if content and content.type == "output_text" then return content end
  end
  return nil
end

-- Citations of the whole answer go to its last text: a message of their own would be taken for the answer.
local function annotate_last(state, citations)
  local content = last_text(state)
  if content then return annotate(state, content, citations, 0) end
  lose(state.asked.losses, "output[].content[].annotations(without a text)")
end

local function add_logprobs(state, tokens)
  local content = last_text(state)
  if content then
    content.logprobs = array(tokens)
  else
    lose(state.asked.losses, "output[].content[].logprobs(without a text)")
  end
end

function write.refusal(state, part)
  local item = message_item(state)
  item.content[#item.content + 1] = { type = "refusal", refusal = part.text }
end

function write.tool_call(state, part)
  state.message, state.reasoning = nil, nil
  local name = M.client_name(state.asked, part.name)
  -- Arguments that are no JSON were cut off.
  local text = part.arguments_text
  local status = (not text or json.valid(text)) and "completed" or "incomplete"
  local item = { status = status, call_id = part.id, name = name }
  if M.is_custom(state.asked, name) then
    item.type, item.id, item.input = "custom_tool_call", gw.id("ctc_"), items.custom_input(part)
  else
    item.type, item.id, item.arguments = "function_call", gw.id("fc_"), parts.arguments_text(part)
  end
  state.items[#state.items + 1] = item
end

function write.opaque(state, part)
  if part.dialect ~= dialect then return lose(state.asked.losses, "output[](" .. part.kind .. ")") end
  state.message, state.reasoning = nil, nil
  state.items[#state.items + 1] = part.body
end

-- The output items of one choice, in order.
function M.items_from_parts(choice, asked)
  local only = parts.answer_text(choice.parts)
  if only and not choice.logprobs and not choice.parts[1].logprobs then
    return array({ { type = "message", id = gw.id("msg_"), role = "assistant",
      status = M.status_from_normal(choice.finish), content = array({
        { type = "output_text", text = only, annotations = array({}), logprobs = array({}) } }) } })
  end
  local state = { items = array({}), asked = asked, before = 0, characters = 0 }
  for _, part in ipairs(choice.parts) do
    local handle = write[part.type]
    if handle then handle(state, part) else lose(asked.losses, "output[](" .. part.type .. ")") end
  end
  if choice.parts.citations and #choice.parts.citations > 0 then annotate_last(state, choice.parts.citations) end
  local tokens = list_of(choice.logprobs)
  if tokens then add_logprobs(state, tokens) end
  if M.status_from_normal(choice.finish) == "incomplete" and #state.items > 0 then
    local last = state.items[#state.items]
    if last.type == "message" then last.status = "incomplete" end
  end
  return state.items
end

return M
