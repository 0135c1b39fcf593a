-- order: is a stream of a dialect put together as its provider does? One checker a dialect (order_*.lua), each a small
-- state machine written from the provider's documentation and from recorded streams; they know nothing of the gateway.
-- Whatever a test receives as a stream goes through here: tests/flow/lib/watch.lua hands over what the clients of the
-- flows receive, order_tool.lua what the official SDKs receive, and the specs what a translation has made.
--
-- A stream that ends with an error of its dialect is well ordered when nothing follows the error.
local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local judges = dofile(here .. "order_judge.lua")
local framing = dofile(here .. "order_framing.lua")

local M = {
  dialects = { "openai.chat", "openai.responses", "anthropic.messages", "gemini", "cohere.chat", "bedrock.converse" },
}

local checkers = {}
for dialect, name in pairs { ["openai.chat"] = "chat", ["openai.responses"] = "responses",
  ["anthropic.messages"] = "messages", gemini = "gemini", ["cohere.chat"] = "cohere",
  ["bedrock.converse"] = "converse" } do
  checkers[dialect] = assert(loadfile(here .. "order_" .. name .. ".lua"))(judges)
end

local function judged(judge, dialect, events, is_cut)
  local ran, fault = pcall(checkers[dialect], events, judge, is_cut)
  judge:must(ran, "shape", "has another shape: ", fault)
  return judge.faults
end

-- What is wrong with these events ({ name, data } each), as a list of { rule, text }. is_cut: they are the beginning of
-- a stream, whose end the client did not get.
function M.faults(dialect, events, is_cut) return judged(judges.new(), dialect, events, is_cut) end

-- The same for a stream's bytes. how: "json-array" for Gemini without SSE.
function M.faults_of(dialect, bytes, how, is_cut)
  local judge = judges.new()
  local cut = dialect == "bedrock.converse" and framing.aws or how == "json-array" and framing.array or framing.sse
  local is_read, events = pcall(cut, bytes, judge, is_cut)
  if not judge:must(is_read, "frame", "cannot be taken apart: ", events) then return judge.faults end
  return judged(judge, dialect, events, is_cut)
end

-- Raises at events that a client of the dialect could not follow.
function M.check(dialect, events)
  local faults, lines = M.faults(dialect, events), {}
  for i, fault in ipairs(faults) do lines[i] = fault.text end
  if #faults > 0 then error(table.concat(lines, "\n"), 2) end
end

-- check of one dialect.
function M.checker(dialect)
  return function(events) M.check(dialect, events) end
end

-- SSE text as { name, data }.
function M.events(text) return framing.sse(text) end

-- AWS event-stream bytes as { name, kind, data, headers }; raises at the first message that is spoiled.
function M.frames(bytes)
  local judge = judges.new()
  local events = framing.aws(bytes, judge)
  if #judge.faults > 0 then error(judge.faults[1].text, 2) end
  return events
end

return M
