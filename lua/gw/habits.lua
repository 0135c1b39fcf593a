-- Quirks of servers that do not depend on the wire dialect, so that each dialect file need not know them:
--   system = "user"     the model takes no system text: it goes to the front of the first user turn, a loss
--   drops = { seed = true }   fields of the body (in the provider's dialect) that the server refuses: left out, a loss
--   think_tags = true   the model puts its thinking into its text, as <think>…</think> before the answer: it becomes
--                       thinking, whole or streamed, wherever the tags are cut
-- They work where a hop translates; bytes that pass as they are are not touched.

local parts = require("gw.parts")

local lose = parts.lose

local M = {}

----- requests

-- On a request in the normal form.
function M.request(request, quirks, losses)
  if quirks.system ~= "user" or not request.system then return end
  local texts = {}
  for _, message in ipairs(request.system) do
    for _, part in ipairs(message.parts) do
      if part.billing then
        lose(losses, "system[](billing header)")
      elseif part.type == "text" then
        texts[#texts + 1] = part.text
      end
      if part.cache then lose(losses, "cache_control") end
    end
  end
  request.system = nil
  if #texts == 0 then return end
  lose(losses, "system(moved into the first user turn)")
  local text = table.concat(texts, "\n\n")
  local first = request.messages[1]
  if not first or first.role ~= "user" then
    first = { role = "user", parts = {} }
    table.insert(request.messages, 1, first)
  end
  local own = first.parts[1]
  if own and own.type == "text" then
    local joined = {}
    for key, value in pairs(own) do joined[key] = value end
    joined.text = text .. "\n\n" .. own.text
    first.parts[1] = joined
  else
    table.insert(first.parts, 1, { type = "text", text = text })
  end
end

-- On a body in the provider's dialect.
function M.body(body, quirks, losses)
  if not quirks.drops then return end
  local names = {}
  for name, is_dropped in pairs(quirks.drops) do
    if is_dropped and body[name] ~= nil then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    body[name] = nil
    lose(losses, name)
  end
end

----- thinking in tags
--
--   start ── "<think>" ──▶ thinking ── "</think>" ──▶ after ── anything but blanks ──▶ text
--     └────────── anything else but blanks ──────────────────────────────────────────▶ text
--
-- What may be the beginning of a tag is held back until it is one or is not.

local opening, closing = "<think>", "</think>"

local T = {}
T.__index = T

-- take(kind, text): "text" or "thinking".
function M.splitter(take)
  return setmetatable({ state = "start", held = "", take = take }, T)
end

-- The length of the longest end of text that a tag begins with.
local function partial(text, tag)
  for length = math.min(#tag - 1, #text), 1, -1 do
    if text:sub(-length) == tag:sub(1, length) then return length end
  end
  return 0
end

local step = {}

function step.start(self, text)
  local first = text:find("%S")
  if not first then return text end
  local begun = text:sub(first)
  if begun:sub(1, #opening) == opening then
    self.state = "thinking"
    return begun:sub(#opening + 1), true
  end
  if #begun < #opening and opening:sub(1, #begun) == begun then return text end
  self.state = "text"
  return text, true
end

function step.thinking(self, text)
  local from, to = text:find(closing, 1, true)
  local kept = from and 0 or partial(text, closing)
  local thought = text:sub(1, from and from - 1 or #text - kept)
  if thought ~= "" then self.take("thinking", thought) end
  if not from then return text:sub(#text - kept + 1) end
  self.state = "after"
  return text:sub(to + 1), true
end

function step.after(self, text)
  local first = text:find("%S")
  if not first then return "" end
  self.state = "text"
  return text:sub(first), true
end

function step.text(self, text)
  if text ~= "" then self.take("text", text) end
  return ""
end

function T:feed(text)
  local goes_on
  text = self.held .. text
  repeat
    text, goes_on = step[self.state](self, text)
  until not goes_on
  self.held = text
end

-- Nothing more comes: what was held back is what it looks like.
function T:finish()
  local held = self.held
  self.held = ""
  if held ~= "" then self.take(self.state == "thinking" and "thinking" or "text", held) end
end

-- On a whole answer in the normal form.
function M.answer(answer, quirks)
  if not quirks.think_tags then return end
  for _, choice in ipairs(answer.choices or {}) do
    local found = { citations = choice.parts.citations, has_calls = choice.parts.has_calls }
    local splitter = M.splitter(function(kind, text)
      local last = found[#found]
      if last and last.type == kind and not last.citations then
        last.text = last.text .. text
      else
        found[#found + 1] = { type = kind, text = text }
      end
    end)
    for _, part in ipairs(choice.parts) do
      if part.type == "text" and not part.citations then
        splitter:feed(part.text)
      else
        splitter:finish()
        found[#found + 1] = part
      end
    end
    splitter:finish()
    choice.parts = found
  end
end

-- emit for a reader, before the emit that is given: texts are split, choice by choice. Then a function that tells
-- whether a choice's text goes on as it is: it is past the place where a tag may be.
function M.emitter(emit)
  local splitters, event = {}, {}
  local function splitter_of(choice)
    local splitter = splitters[choice]
    if not splitter then
      splitter = M.splitter(function(kind, text)
        event.type, event.text, event.choice = kind, text, choice
        emit(event)
      end)
      splitters[choice] = splitter
    end
    return splitter
  end
  return function(normal)
    if normal.type == "text" then return splitter_of(normal.choice or 0):feed(normal.text) end
    if normal.type ~= "ping" and normal.type ~= "start" then
      for _, splitter in pairs(splitters) do splitter:finish() end
    end
    emit(normal)
  end, function(choice) return splitter_of(choice or 0).state == "text" end
end

return M
