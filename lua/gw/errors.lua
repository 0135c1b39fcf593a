-- What a provider's error body says, whatever its shape, and the words of each client dialect for it.
-- Shapes seen on the wire: {error:{message,type,param,code}} (OpenAI and most servers), {type:"error",error:{…}}
-- (Anthropic), {error:"text"}, {message,type,code} (Mistral, Cohere), {detail:"text"} and {detail:[{msg,loc}]}
-- (FastAPI), [{error:{…}}] (Google's shims), HTML or plain text (proxies).
-- It does not decide what is tried again: core/gate does, from the status and the class.

local parts = require("gw.parts")
local json = gw.json
local value = parts.value

local M = {}

local message_max = 2000

-- Keys are never shown to clients, also not when a provider repeats the one it was sent.
local key_patterns = { "sk%-[%w_%*%.%-]+", "[Bb]earer%s+[%w_%*%.%-]+", "AIza[%w_%-]+", "gsk_[%w_%*%-]+" }

local function clean(text)
  if #text > message_max then text = text:sub(1, message_max) end
  for _, pattern in ipairs(key_patterns) do text = text:gsub(pattern, "[key]") end
  return text
end

local function plain_text(body)
  local text = body:sub(1, 4000):gsub("<[^>]*>", " "):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
  return text:sub(1, 500)
end

local function first_detail(detail)
  if type(detail) == "string" then return detail end
  local first = type(detail) == "table" and detail[1]
  if type(first) ~= "table" then return nil end
  return value(first.msg) or value(first.message)
end

local overflow_texts = {
  "context_length_exceeded", "maximum context length", "prompt is too long", "context window", "too many tokens",
  "too_many_prompt_tokens", "maximum number of tokens", "exceeds the available context", "input is too long",
  "reduce the length of the messages",
}

-- The class of an error: "context_length" "overloaded" "rate_limit" "auth" "permission" "not_found" "too_large"
-- "timeout" "invalid" "server".
function M.class(status, text)
  if status == 400 or status == 413 or status == 422 then
    local lower = text:lower()
    for _, sign in ipairs(overflow_texts) do
      if lower:find(sign, 1, true) then return "context_length" end
    end
  end
  if status == 401 then return "auth" end
  if status == 402 or status == 403 then return "permission" end
  if status == 404 then return "not_found" end
  if status == 408 or status == 504 then return "timeout" end
  if status == 413 then return "too_large" end
  if status == 429 then return "rate_limit" end
  if status == 503 or status == 529 then return "overloaded" end
  if status >= 500 then return "server" end
  return "invalid"
end

local status_of_type = {
  invalid_request_error = 400, authentication_error = 401, billing_error = 402, permission_error = 403,
  not_found_error = 404, request_too_large = 413, rate_limit_error = 429, rate_limit_exceeded = 429, api_error = 500,
  server_error = 500, timeout_error = 504, overloaded_error = 529,
}

local function as_string(v)
  v = value(v)
  if type(v) == "number" then return string.format("%d", math.floor(v)) end
  if type(v) == "string" and v ~= "" then return v end
  return nil
end

-- A decoded error object, or the object that holds one under "error". `status`: the HTTP status; nil inside a stream.
function M.from_table(status, body)
  if #body > 0 and type(body[1]) == "table" then body = body[1] end
  local inner = value(body.error)
  local kind, code, param = nil, nil, nil
  local message
  if type(inner) == "table" and not json.is_raw(inner) then
    message, kind, code, param = value(inner.message), value(inner.type), value(inner.code), value(inner.param)
  elseif type(inner) == "string" then
    message = inner
  else
    message, kind, code, param = value(body.message), value(body.type), value(body.code), value(body.param)
    inner = body
  end
  message = type(message) == "string" and message or first_detail(value(body.detail)) or first_detail(message)
  if not status then
    local given = type(inner) == "table" and (value(inner.status_code) or value(inner.code))
    if type(given) == "number" and given >= 400 and given < 600 then status = math.floor(given) end
    status = status or status_of_type[kind] or 502
  end
  kind, code, param = as_string(kind), as_string(code), as_string(param)
  message = clean(message or "The provider answered " .. status .. " without a message.")
  local class = M.class(status, message .. " " .. (code or "") .. " " .. (kind or ""))
  return { status = status, type = kind, code = code, message = message, param = param, class = class }
end

function M.from_text(status, text)
  local body = json.decode(text)
  if type(body) == "table" and not json.is_raw(body) then return M.from_table(status, body) end
  local message = type(body) == "string" and body or plain_text(text)
  if message == "" then message = "The provider answered " .. status .. " without a body." end
  message = clean(message)
  return { status = status, message = message, class = M.class(status, message) }
end

-- The message for a client whose dialect has no field for the place of a mistake: it leads the message.
function M.placed_message(err)
  local message, place = err.message, err.param
  if place and message:sub(1, #place) ~= place then return place .. ": " .. message end
  return message
end

----- OpenAI's words, for both of its APIs

local openai_types = {
  [400] = "invalid_request_error", [401] = "authentication_error", [402] = "insufficient_quota",
  [403] = "permission_error", [404] = "invalid_request_error", [413] = "invalid_request_error",
  [422] = "invalid_request_error", [429] = "rate_limit_error",
}

local openai_codes = {
  context_length = "context_length_exceeded", auth = "invalid_api_key", rate_limit = "rate_limit_exceeded",
  overloaded = "overloaded", timeout = "timeout",
}

-- The status and body for a client of OpenAI's APIs.
function M.openai_body(err, request_id)
  local status = err.status == 529 and 503 or err.status
  local kind = openai_types[status] or (status >= 500 and "server_error" or "invalid_request_error")
  local body = {
    message = err.message, type = kind, param = err.param or json.null,
    code = err.class == "context_length" and "context_length_exceeded" or err.code or openai_codes[err.class]
      or json.null,
  }
  if request_id then body.request_id = request_id end
  return status, { error = body }
end

return M
