-- Order of a stream of Cohere's chat, version 2 (https://docs.cohere.com/v2/docs/streaming):
--
--     message-start → (tool-plan-delta | content | call)* → message-end → [DONE]
--     content: content-start → (content-delta | citation)* → content-end; call: tool-call-start → delta* → end
--     or message-end with finish_reason ERROR or TIMEOUT, and nothing behind it
--
-- Content and calls are counted apart from 0, one is open at a time. A citation's text is what stands at its place.
local judges = ...
local get, is_text, is_name, is_count = judges.get, judges.is_text, judges.is_name, judges.is_count

local finishes = judges.set "COMPLETE STOP_SEQUENCE MAX_TOKENS TOOL_CALL ERROR_TOXIC ERROR_LIMIT"

local steps = {}

steps["message-start"] = function(judge, state, body, event)
  judge:must(state.stage == "new", "stage", "in stage ", state.stage)
  state.stage = "open"
  local m = body.delta.message
  judge:must(is_name(body.id) and m.role == "assistant", "message", "without id or role")
  for _, name in ipairs { "content", "tool_calls", "citations" } do
    judge:must(judges.is_list(m[name], name, event.data) and #m[name] == 0, "message_lists", name, " is no empty list")
  end
  judge:must(is_text(m.tool_plan), "message_plan", "tool_plan is no text")
end

-- Something of `kind` begins: content or call.
local function begins(judge, state, kind, body)
  judge:must(not state.open, "open", state.open, " is open")
  judge:must(body.index == state[kind], "index", kind, " ", body.index, ", expected ", state[kind])
  state.open, state[kind] = kind, state[kind] + 1
end

local function is_in(judge, state, kind, body)
  return judge:must(state.open == kind and body.index == state[kind] - 1, "index", kind, " ", body.index,
    " is not open")
end

steps["content-start"] = function(judge, state, body)
  begins(judge, state, "content", body)
  local content = body.delta.message.content
  judge:must(content.type == "text" or content.type == "thinking", "content_type", "content of type ", content.type)
  judge:must(is_text(content[content.type]), "content", "content without its text")
  state.type = content.type
  if state.type == "text" then state.texts[body.index] = { content.text } end
end

steps["content-delta"] = function(judge, state, body)
  if not is_in(judge, state, "content", body) then return end
  local piece = body.delta.message.content[state.type]
  judge:must(is_text(piece), "content", "no ", state.type, " in content of that type")
  local text = state.texts[body.index]
  if text then text[#text + 1] = piece end
end

steps["content-end"] = function(judge, state, body)
  is_in(judge, state, "content", body)
  judge:must(not state.citation, "citation_open", "citation ", state.citation, " is open")
  state.open = nil
end

steps["tool-plan-delta"] = function(judge, state, body)
  judge:must(not state.open and state.call == 0, "plan", "a plan behind a call, or within something")
  judge:must(is_text(body.delta.message.tool_plan), "plan", "a plan without text")
end

steps["tool-call-start"] = function(judge, state, body)
  begins(judge, state, "call", body)
  local call = body.delta.message.tool_calls
  judge:must(is_name(call.id) and call.type == "function" and is_name(call["function"].name)
    and is_text(call["function"].arguments), "call", "a call without id, type, name or arguments")
  judge:must(not state.ids[call.id], "call_id", "two calls have the id ", call.id)
  state.ids[call.id], state.json = true, { call["function"].arguments }
end

steps["tool-call-delta"] = function(judge, state, body)
  is_in(judge, state, "call", body)
  local piece = body.delta.message.tool_calls["function"].arguments
  if judge:must(is_text(piece), "call", "arguments are no text") and state.json then table.insert(state.json, piece) end
end

steps["tool-call-end"] = function(judge, state, body)
  is_in(judge, state, "call", body)
  local text = table.concat(state.json or {})
  state.spoiled = state.spoiled or not judges.is_arguments(text) and text
  state.open, state.json = nil, nil
end

steps["citation-start"] = function(judge, state, body)
  local c = body.delta.message.citations
  judge:must(state.open == "content" and not state.citation, "citation_open", "a citation outside of content")
  judge:must(body.index == state.citations, "citation_index", "citation ", body.index, ", expected ", state.citations)
  state.citation, state.citations = body.index, state.citations + 1
  judge:must(is_count(c.start) and is_count(c["end"]) and c.start < c["end"] and is_name(c.text)
    and type(c.sources) == "table", "citation", "an odd citation")
  local text = table.concat(state.texts[get(c.content_index) or 0] or {})
  local from, to = utf8.offset(text, (c.start // 1 | 0) + 1), utf8.offset(text, (c["end"] // 1 | 0) + 1)
  judge:must(from and to and text:sub(from, to - 1) == c.text, "citation_text", "at ", c.start, " stands no ", c.text)
end

steps["citation-end"] = function(judge, state, body)
  judge:must(state.citation and body.index == state.citation, "citation_index", "citation ", body.index,
    " is not open")
  state.citation = nil
end

steps["message-end"] = function(judge, state, body)
  local delta = body.delta
  if get(delta.error) or delta.finish_reason == "ERROR" or delta.finish_reason == "TIMEOUT" then
    judge:must(delta.finish_reason == "ERROR" or delta.finish_reason == "TIMEOUT", "error", "a fault as an end: ",
      delta.finish_reason)
    judge:must(is_name(delta.error), "error", "an error without its text")
    state.stage = "over"
    return
  end
  judge:must(state.stage == "open", "stage", "in stage ", state.stage)
  judge:must(not state.open, "open", state.open, " is open")
  judge:must(finishes[delta.finish_reason], "finish_word", "finish_reason is ", delta.finish_reason)
  judge:must(delta.finish_reason ~= "TOOL_CALL" or state.call > 0, "finish_calls", "TOOL_CALL without a call")
  judge:must(delta.finish_reason ~= "TOOL_CALL" or not state.spoiled, "input", "arguments are no JSON: ", state.spoiled)
  local usage = delta.usage or {}
  local tokens = usage.tokens or {}
  judge:must(is_count(tokens.input_tokens) and is_count(tokens.output_tokens) and type(usage.billed_units) == "table",
    "usage", "usage is not whole")
  state.stage = "ended"
end

return function(events, judge, is_cut)
  local state = { stage = "new", content = 0, call = 0, citations = 0, texts = {}, ids = {} }
  for i, event in ipairs(events) do
    judge.at, judge.what = i, ""
    judge:must(state.stage ~= "over", "after_end", "something follows the end")
    if event.data == "[DONE]" then
      judge:must(state.stage == "ended", "stage", "[DONE] in stage ", state.stage)
      judge:must((event.name or "") == "", "name", "has the name ", event.name)
      state.stage = "over"
    else
      local body = judge:object(event.data)
      local kind = body and body.type
      judge.what = kind and " (" .. kind .. ")" or ""
      if body then
        judge:must(kind == event.name, "name", "its name is ", event.name)
        judge:must(kind == "message-start" or kind == "message-end" or state.stage == "open", "stage", "in stage ",
          state.stage)
        if judge:must(steps[kind], "unknown", "an event of no such type") then
          steps[kind](judge, state, body, event)
        end
      end
    end
  end
  judge.at, judge.what = #events + 1, ""
  judge:must(is_cut or state.stage == "over", "end", "ends in stage ", state.stage)
end
