-- What the row specs share: a body of one dialect sent to the other, an answer told back, a refusal caught.

local load = dofile("tests/lua/dialects/load.lua")
local json, translate = load.gw.json, load.translate

local M = { load = load }

-- Sends a body (a Lua table) of one dialect to the other; returns what the provider gets, the losses, the hop.
local function send(client, provider, body, quirks, model, asked)
  asked = asked or { model = "alias" }
  local target = { model = model or "m", provider = "p", quirks = quirks or {} }
  local text, hop, losses = load.request(client, provider, nil, target, asked, nil, json.encode(body))
  return json.decode(text), losses, hop
end

function M.to_anthropic(body, quirks, model, asked)
  body.max_tokens = body.max_tokens or (not body.max_completion_tokens and 1000 or nil)
  body.messages = body.messages or { { role = "user", content = "hi" } }
  return send(load.chat, load.messages, body, quirks, model, asked)
end

function M.to_chat(body, quirks, model, asked)
  body.max_tokens = body.max_tokens or 1000
  body.messages = body.messages or { { role = "user", content = "hi" } }
  return send(load.messages, load.chat, body, quirks, model, asked)
end

-- The refusal a translation ends with.
function M.refusal(run, ...)
  local ok, err = pcall(run, ...)
  if ok then error("was not refused", 2) end
  if type(err) ~= "table" then error(err, 2) end
  return err
end

-- An Anthropic answer told to a Chat client, and the other way.
function M.told_chat(body, asked)
  local _, _, hop = M.to_anthropic({}, nil, nil, asked)
  local status, text = translate.response(hop, 200, json.encode(body))
  return json.decode(text), status
end

function M.told_anthropic(body, asked)
  local _, _, hop = M.to_chat({}, nil, nil, asked)
  local status, text = translate.response(hop, 200, json.encode(body))
  return json.decode(text), status
end

function M.answer(fields)
  local body = { id = "msg_1", type = "message", role = "assistant", model = "claude", stop_reason = "end_turn",
    stop_sequence = json.null, content = { { type = "text", text = "ok" } },
    usage = { input_tokens = 10, output_tokens = 5 } }
  for name, v in pairs(fields) do body[name] = v end
  return body
end

function M.completion(message, finish_reason, usage)
  message.role = "assistant"
  return { id = "chatcmpl-1", object = "chat.completion", created = 1, model = "gpt", usage = usage
    or { prompt_tokens = 10, completion_tokens = 5, total_tokens = 15 },
    choices = { { index = 0, message = message, finish_reason = finish_reason } } }
end

return M
