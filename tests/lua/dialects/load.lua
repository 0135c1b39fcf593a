-- Loads dialect files, adapters and lua/gw modules for specs, each in an environment that has only what the sandbox
-- has, so that a use of anything else fails. Run from the project's root.

local M = {}

-- The gateway's own test host provides the global gw; plain busted gets the stand-in.
M.gw = rawget(_G, "gw") or dofile("tests/lua/gw_stub.lua")

local loaded = {}

local allowed = { "assert", "error", "ipairs", "next", "pairs", "pcall", "xpcall", "select", "tonumber", "tostring",
  "type", "rawequal", "rawlen", "setmetatable", "getmetatable", "string", "table", "math", "utf8" }

function M.file(path)
  local env = { gw = M.gw, require = function(name) return M.module(name) end }
  for _, name in ipairs(allowed) do env[name] = _G[name] end
  setmetatable(env, { __index = function(_, name) error("undeclared global " .. name, 2) end,
    __newindex = function(_, name) error("assignment to global " .. name, 2) end })
  return assert(loadfile(path, "t", env))()
end

function M.module(name)
  if loaded[name] == nil then loaded[name] = M.file("lua/" .. name:gsub("%.", "/") .. ".lua") end
  return loaded[name]
end

M.chat = M.file("adapters/dialects/openai_chat.lua")
M.messages = M.file("adapters/dialects/anthropic_messages.lua")
M.translate = M.module("gw.translate")
M.adapters = {
  openai = M.file("adapters/openai.lua"),
  anthropic = M.file("adapters/anthropic.lua"),
  compatible = M.file("adapters/openai-compatible.lua"),
}

-- One request over a fresh hop: the provider's body text, the hop, the losses.
function M.request(client, provider, adapter, target, asked, req, body)
  local hop = M.translate.hop(client, provider, adapter, target, asked, req)
  local text, losses = M.translate.request(hop, body)
  return text, hop, losses
end

-- Events (tables, or texts as they are) through a stream of translate; the texts for the client, in their order.
function M.play(stream, events)
  local pieces = {}
  for _, event in ipairs(events) do
    local is_table = type(event) == "table"
    pieces[#pieces + 1] = stream:event(is_table and event.type or "", is_table and M.gw.json.encode(event) or event)
  end
  pieces[#pieces + 1] = stream:finish()
  return pieces
end

return M
