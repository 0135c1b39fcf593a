-- watch: reads along with what a client's connection sends and receives, and has every stream among it judged by the
-- checker of its dialect (tests/lua/dialects/order.lua). It stands in net's connect, send and receive, so that no case
-- can forget it. It changes nothing, and knows HTTP/1.1 only as far as it must to see where a stream begins and ends.
--
-- Every stream is one of: whole; cut by the gateway (its connection ends, or the process does); left by the client. The
-- order of what came is judged in all three. Where a test's own provider sends what no provider should, and it passes
-- as it is, the case says which rules that breaks (t:provider_breaks): those faults are counted and named, all others
-- count as ever.
local order = require "order" -- of tests/lua/dialects

local M = {
  dialects = order.dialects,
  whole = {}, cut = {}, left = {}, -- streams judged, by dialect
  other = 0, -- streams of APIs that are not translated
  excused = {}, -- streams with a fault that their case foresaw, by what it says of it
  loose = {}, -- faults on connections of no case
}

local paths = {
  { "^/v1/chat/completions", "openai.chat" }, { "^/v1/responses", "openai.responses" },
  { "^/v1/messages", "anthropic.messages" }, { "^/v1beta/models/[^?]*:stream", "gemini" },
  { "^/v1/models/[^?]*:stream", "gemini" }, { "^/v2/chat", "cohere.chat" },
  { "^/model/[^?]*/converse%-stream", "bedrock.converse" },
}

local function dialect_of(target)
  for _, row in ipairs(paths) do
    if target:find(row[1]) then return row[2] end
  end
end

local W = {}
W.__index = W

-- Its `turned`: the byte (from 0) of which the test's provider has turned a bit, where its bytes pass as they are; the
-- stream is judged with it turned back.
-- report(text, bytes): what is told of a fault; M.loose gets it where there is none. excuse(rule): what the case says
-- of a fault that it foresaw.
function M.new(report, excuse)
  return setmetatable({ requests = {}, out = "", pieces = {}, state = "head", buffer = "", answers = 0,
    excuse = excuse, report = report or function(text) M.loose[#M.loose + 1] = text end }, W)
end

local longest_line = 2000 -- that names an API

local function add(table, key) table[key] = (table[key] or 0) + 1 end

-- ---- what the client sends: only its request lines -------------------------------------------------------------

function W:sent(text)
  self.out = self.out .. text
  local at = 1
  while true do
    local from, to = self.out:find(" HTTP/1.", at, true)
    if not from or #self.out < to + 3 then break end
    local method, target = self.out:sub(math.max(at, from - longest_line), from - 1):match "(%u+) (/%S*)$"
    if method and self.out:find("^[01]\r\n", to + 1) then
      self.requests[#self.requests + 1] = { method = method, target = target, dialect = dialect_of(target) }
    end
    at = to + 1
  end
  -- A line that came in pieces is still whole in what is kept.
  self.out = self.out:sub(math.max(at, #self.out - longest_line))
end

-- ---- what it receives --------------------------------------------------------------------------------------------

local function is_streaming(kind, target)
  return kind:find("event-stream", 1, true) or kind:find("eventstream", 1, true)
    or kind:find("application/json", 1, true) and target:find(":streamGenerateContent", 1, true)
end

function W:begin_answer(head)
  local status = tonumber(head:match "^HTTP/1%.[01] (%d%d%d)")
  local headers = {}
  for name, value in head:gmatch "\r\n([^:\r\n]+):[ \t]*([^\r\n]*)" do headers[name:lower()] = value end
  if not status or status < 200 then return end
  self.answers = self.answers + 1
  local request = self.requests[self.answers] or { method = "?", target = "?" }
  self.stream = status == 200 and is_streaming(headers["content-type"] or "", request.target)
    and { request = request, framing = headers["content-type"]:find "json" and "json-array" or nil } or nil
  self.pieces, self.kept = {}, 0
  if request.method == "HEAD" or status == 204 or status == 304 then
    self.state = "head"
  elseif headers["transfer-encoding"] then
    self.state = "size"
  elseif headers["content-length"] then
    self.state, self.missing = "length", tonumber(headers["content-length"]) or 0
  else
    self.state = "rest"
  end
end

local longest = 4 << 20 -- of a stream longer than that the beginning is judged

function W:body(text)
  if not self.stream or self.kept > longest then return end
  self.pieces[#self.pieces + 1], self.kept = text, self.kept + #text
end

-- Judges and counts a stream. how: "whole", "cut" or "left"; framing: "json-array" for Gemini without SSE.
function W:judge(dialect, bytes, how, framing)
  add(M[how], dialect)
  local at = self.turned
  if at and at < #bytes then bytes = bytes:sub(1, at) .. string.char(bytes:byte(at + 1) ~ 1) .. bytes:sub(at + 2) end
  local faults = order.faults_of(dialect, bytes, framing, how ~= "whole")
  local lines, excuses = {}, {}
  for _, fault in ipairs(faults) do
    local why = self.excuse and self.excuse(fault.rule)
    if why then excuses[why] = true else lines[#lines + 1] = fault.rule .. ": " .. fault.text end
  end
  for why in pairs(excuses) do add(M.excused, why) end
  if #lines > 0 then
    self.report(("order of a stream of %s (%s): %s"):format(dialect, how, table.concat(lines, "; ", 1,
      math.min(#lines, 4))), bytes)
  end
end

function W:end_stream(how)
  local stream = self.stream
  self.stream, self.state = nil, "head"
  if not stream then return end
  local dialect, target, bytes = stream.request.dialect, stream.request.target, table.concat(self.pieces)
  if self.kept > longest then how = "left" end
  self.pieces = {}
  if dialect then
    self:judge(dialect, bytes, how, stream.framing)
  elseif target:find "^/v1/completions" or target:find "^/providers/" then
    M.other = M.other + 1
  else
    self.report("a stream of no known dialect: " .. target, bytes)
  end
end

-- Takes what the state wants out of the buffer; false when more bytes must come first.
local steps = {}

function steps.head(self)
  local _, last = self.buffer:find("\r\n\r\n", 1, true)
  if not last then return false end
  local head = self.buffer:sub(1, last)
  self.buffer = self.buffer:sub(last + 1)
  self:begin_answer(head)
  return true
end

function steps.size(self)
  local line, at = self.buffer:match "^([^\r\n]*)\r\n()"
  local size = line and tonumber(line:match "^%x+" or "", 16)
  if not line then return false end
  self.buffer = self.buffer:sub(at)
  self.missing, self.state = size or 0, (size or 0) > 0 and "chunk" or "trailer"
  return true
end

function steps.chunk(self)
  if self.buffer == "" then return false end
  local text = self.buffer:sub(1, self.missing)
  self:body(text)
  self.buffer, self.missing = self.buffer:sub(#text + 1), self.missing - #text
  if self.missing == 0 then self.state = "chunk_end" end
  return true
end

function steps.chunk_end(self)
  if #self.buffer < 2 then return false end
  self.buffer, self.state = self.buffer:sub(3), "size"
  return true
end

function steps.trailer(self)
  local line, at = self.buffer:match "^([^\r\n]*)\r\n()"
  if not line then return false end
  self.buffer = self.buffer:sub(at)
  if line == "" then self:end_stream "whole" end
  return true
end

function steps.length(self)
  local text = self.buffer:sub(1, self.missing)
  self:body(text)
  self.buffer, self.missing = self.buffer:sub(#text + 1), self.missing - #text
  if self.missing > 0 then return false end
  self:end_stream "whole"
  return self.buffer ~= ""
end

function steps.rest(self)
  self:body(self.buffer)
  self.buffer = ""
  return false
end

function W:received(text)
  self.buffer = self.buffer .. text
  while steps[self.state](self) do end
end

-- The connection is over. by_client: it was the client who closed it.
function W:over(by_client)
  if self.ended then return end
  self.ended = true
  if self.state == "rest" and not by_client then self:end_stream "whole" end
  self:end_stream(by_client and "left" or "cut")
end

-- ---- at the end of a stage --------------------------------------------------------------------------------------

-- Lines that say how many streams of each dialect were judged, and a list of what is wrong. needed: the dialects that
-- must have had one.
function M.summary(needed)
  local lines, wrong = {}, {}
  for _, dialect in ipairs(needed) do
    if not M.whole[dialect] then wrong[#wrong + 1] = "no whole stream of " .. dialect end
  end
  for _, dialect in ipairs(order.dialects) do
    lines[#lines + 1] = ("order of events: %-20s %6d whole, %d cut by the gateway, %d left by the client"):format(
      dialect, M.whole[dialect] or 0, M.cut[dialect] or 0, M.left[dialect] or 0)
  end
  lines[#lines + 1] = ("order of events: %d streams of other APIs, which pass as they are"):format(M.other)
  local excused = {}
  for why, count in pairs(M.excused) do excused[#excused + 1] = ("order of events: %d × %s"):format(count, why) end
  table.sort(excused)
  table.move(excused, 1, #excused, #lines + 1, lines)
  table.move(M.loose, 1, #M.loose, #wrong + 1, wrong)
  return lines, wrong
end

return M
