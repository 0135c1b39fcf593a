-- What the specs of Gemini share: a body sent to the other dialect, an answer told back, in both directions.

local exchange = dofile("tests/lua/dialects/exchange.lua")
local load = exchange.load
local json = load.gw.json
local D = load.file("adapters/dialects/gemini.lua")

local M = { exchange = exchange, load = load, D = D }

-- A body (a Lua table) of `client` sent to `provider`; what the provider gets, the losses, the hop, the text.
function M.send(client, provider, body, quirks, asked)
  local target = { model = "m", provider = "p", quirks = quirks or {} }
  asked = asked or { model = "alias" }
  local text, hop, losses = load.request(client, provider, nil, target, asked, nil, json.encode(body))
  return json.decode(text), losses, hop, text
end

M.user = { role = "user", content = "hi" }

function M.said(text) return { role = "user", parts = { { text = text } } } end

function M.from_chat(body, quirks, asked)
  body.messages = body.messages or { M.user }
  return M.send(load.chat, D, body, quirks, asked)
end

function M.from_anthropic(body, quirks, asked)
  body.max_tokens = body.max_tokens or 1000
  body.messages = body.messages or { M.user }
  return M.send(load.messages, D, body, quirks, asked)
end

function M.to_chat(body, quirks, asked)
  body.contents = body.contents or { M.said("hi") }
  return M.send(D, load.chat, body, quirks, asked)
end

function M.to_anthropic(body, quirks, asked)
  body.contents = body.contents or { M.said("hi") }
  return M.send(D, load.messages, body, quirks, asked)
end

function M.call(id, name, arguments)
  return { id = id, type = "function", ["function"] = { name = name, arguments = arguments } }
end

function M.result(id, content) return { role = "tool", tool_call_id = id, content = content } end

-- An answer of Gemini with one candidate.
function M.answer(candidate, more)
  candidate.content = candidate.content or { role = "model", parts = { { text = "ok" } } }
  local body = { candidates = json.array({ candidate }), modelVersion = "gemini-x", responseId = "r1",
    usageMetadata = { promptTokenCount = 10, candidatesTokenCount = 5, totalTokenCount = 15 } }
  for name, v in pairs(more or {}) do body[name] = v end
  return body
end

-- A provider's answer told to a client: its body, the status, the losses.
function M.told(client, provider, body, asked)
  asked = asked or { model = "alias" }
  asked.losses = {}
  local hop = load.translate.hop(client, provider, nil, { model = "m" }, asked)
  local status, text = load.translate.response(hop, 200, json.encode(body))
  return json.decode(text), status, asked.losses
end

function M.told_chat(candidate, more) return M.told(load.chat, D, M.answer(candidate, more)) end
function M.told_anthropic(candidate, more) return M.told(load.messages, D, M.answer(candidate, more)) end

return M
