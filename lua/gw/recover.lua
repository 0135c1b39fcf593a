-- The writer of a stream that may go on with another attempt: it stands before the writer of the client's dialect,
-- lives as long as the answer, and knows what was said. Readers come and go; this one stays.
--
--   reader of attempt 1 ─▶ event ─┐
--   reader of attempt 2 ─▶ event ─┴▶ recovery: notes, joins ─▶ the client's writer ─▶ the client
--
-- mode "continue": the text so far is the next request's last turn, and what comes is more of it. mode "restart":
-- behind a notice the answer starts over, in a new part. Either way the client reads one message: a second start is
-- swallowed, and usage is told once, of all that it got.
-- It decides whether what was said can be gone on with; not whether it should, nor by whom
-- (core/gate/attempt/recover.h).

local parts = require("gw.parts")

local M = {}

local R = {}
R.__index = R

-- Told within the text where a stream has neither parts nor comments that its clients take.
local separator = "\n\n[The answer broke off here. It starts over.]\n\n"

-- Whose thinking is signed at its end: what is cut off before cannot be given back.
local signs = { ["openai.responses"] = true, ["anthropic.messages"] = true, gemini = true,
  ["bedrock.converse"] = true }

function M.new(mode, hop)
  return setmetatable({
    mode = mode, inner = hop.client.writer(hop.asked), client = hop.client.name, asked = hop.asked,
    provider = hop.provider.name,
    pieces = {}, is_plain = true, -- nothing but text was said
    open = nil, has_calls = false, has_others = false, is_finished = false,
    first_usage = nil, spoken = 0, notice = nil, joins = false,
  }, R)
end

----- what was said

local note = {}

function note.text(self, event)
  self.open = "text"
  if self.mode == "continue" then self.pieces[#self.pieces + 1] = event.text end
end

function note.thinking(self)
  self.open, self.is_plain = "thinking", false
end

function note.signature(self)
  self.open, self.is_plain = nil, false
end

note.redacted_thinking = note.signature

function note.refusal(self)
  self.open, self.is_plain = "refusal", false
end

function note.citation(self)
  self.is_plain = false
end

function note.opaque(self)
  self.has_others = true
end

function note.tool_start(self)
  self.has_calls = true
end

note.tool_delta, note.tool_stop = note.tool_start, note.tool_start

-- May another attempt go on from here? A client may act on a call as soon as it stands there; two answers in JSON are
-- not JSON; and whoever thinks wants its own thoughts before its words.
function R:may_go_on()
  local asked = self.asked
  if self.has_calls or self.has_others or self.is_finished or asked.wants_format then return false end
  if self.mode == "continue" then return self.is_plain and not asked.wants_thinking and not asked.wants_call end
  return not (self.open == "thinking" and signs[self.provider])
end

-- What of the request counts here.
function M.note_request(asked, normal)
  local reasoning, choice = normal.reasoning, normal.tool_choice
  asked.wants_format = normal.format ~= nil
  asked.wants_thinking = reasoning ~= nil and reasoning.mode ~= "off"
  asked.wants_call = choice ~= nil and (choice.mode == "required" or choice.mode == "tool")
end

----- going on

-- The text so far, as the last turn of a request: models refuse one that ends in white space.
function M.prefill(hop, normal)
  local recovery, quirks = hop.recovery, parts.quirks(hop.target)
  if quirks.prefill == "none" then error({ field = "messages", message = "cannot be gone on from by it" }, 0) end
  local text = table.concat(recovery.pieces):gsub("%s+$", "")
  if text == "" then return end
  local messages = normal.messages
  local last = messages[#messages]
  if last and last.role == "assistant" then
    last.parts[#last.parts + 1] = { type = "text", text = text }
  else
    messages[#messages + 1] = { role = "assistant", parts = { { type = "text", text = text } } }
  end
end

-- The next attempt, whose hop it is, goes on. spoken: tokens that the client has got so far; number: the attempt's.
function R:go_on(hop, spoken, number)
  self.provider, self.spoken, self.is_resumed = hop.provider.name, spoken, true
  if self.mode == "continue" then
    self.joins = table.concat(self.pieces):find("%s$") ~= nil
  else
    local target = (hop.target.provider .. "/" .. hop.target.model):gsub("%c", "")
    self.notice = ": moongate-restart attempt=" .. number .. " target=" .. target .. "\n\n"
  end
end

-- Before the first content of an answer that starts over.
local function put_notice(self, put)
  local notice, framing = self.notice, self.asked.framing or "sse"
  self.notice, self.open = nil, nil
  -- Google's Python SDK takes every line of a stream for data.
  if framing == "sse" and self.client ~= "gemini" then put(notice) end
  self.inner:event({ type = "restart", text = separator }, put)
end

-- The white space that the prefill lacked stands already. Returns the event that is left, or nil.
local function joined(self, event)
  if event.type ~= "text" then
    self.joins = false
    return event
  end
  local text = event.text:gsub("^%s+", "")
  if text == "" then return nil end
  self.joins = false
  if text == event.text then return event end
  return { type = "text", text = text, choice = event.choice }
end

-- One figure for what the client got: the prompt counts once.
local function total(self, usage)
  local first, sum = self.first_usage, {}
  for name, value in pairs(usage) do sum[name] = value end
  if first and first.input_tokens then
    for _, name in ipairs { "input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens" } do
      sum[name] = first[name]
    end
  elseif self.mode == "continue" and sum.input_tokens then
    sum.input_tokens = math.max(sum.input_tokens - self.spoken, sum.cache_read_tokens or 0)
  end
  sum.output_tokens = (sum.output_tokens or 0) + self.spoken
  return sum
end

----- as a writer

function R:event(event, put)
  local kind = event.type
  local noted = note[kind]
  if noted then
    if (event.choice or 0) > 0 then self.has_others = true end
    if self.notice then put_notice(self, put) end
    if self.joins then event = joined(self, event) end
    if not event then return end
    noted(self, event)
  elseif kind == "part_stop" then
    self.open = nil
  elseif kind == "start" then
    if self.is_resumed then return end
    self.first_usage = event.usage
  elseif kind == "usage" then
    if self.is_resumed then event = { type = "usage", usage = total(self, event.usage) } end
  elseif kind == "finish" then
    self.is_finished = true
  end
  self.inner:event(event, put)
end

-- What was noted of the first piece holds for more of it, but for the text.
function R:stencil(event)
  if self.joins then return nil end
  local stencil = self.inner:stencil(event)
  if stencil and event.type == "text" and self.mode == "continue" then stencil.keeps_text = true end
  return stencil
end

function R:passed(event, count, characters, text)
  if event.type == "text" and self.mode == "continue" then self.pieces[#self.pieces + 1] = text end
  self.inner:passed(event, count, characters, text)
end

function R:finish(put)
  self.inner:finish(put)
end

return M
