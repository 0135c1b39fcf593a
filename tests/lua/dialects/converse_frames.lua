-- AWS event-stream messages for specs, written from the format's description apart from the gateway's own code:
-- to bytes, from bytes (both checksums are checked), base64 for the recordings, and the order that ConverseStream
-- keeps.

local M = {}

local crc_table = {}
for i = 0, 255 do
  local c = i
  for _ = 1, 8 do c = c & 1 == 1 and 0xEDB88320 ~ (c >> 1) or c >> 1 end
  crc_table[i] = c
end

local function crc32(text)
  local c = 0xFFFFFFFF
  for i = 1, #text do c = crc_table[(c ~ text:byte(i)) & 255] ~ (c >> 8) end
  return c ~ 0xFFFFFFFF
end

local function header(name, text)
  return string.pack(">s1B", name, 7) .. string.pack(">s2", text)
end

-- One message: an exception when the name says so, else an event.
function M.encode(name, body)
  local kind = name:find("Exception$") and "exception" or "event"
  local headers = header(":" .. kind .. "-type", name) .. header(":content-type", "application/json")
    .. header(":message-type", kind)
  local prelude = string.pack(">I4I4", #headers + #body + 16, #headers)
  local message = prelude .. string.pack(">I4", crc32(prelude)) .. headers .. body
  return message .. string.pack(">I4", crc32(message))
end

-- All messages of a stream, as { name, kind, data }; raises at the first that is wrong.
function M.decode(bytes)
  local events, at = {}, 1
  while at <= #bytes do
    local total, headers_bytes, prelude_crc = string.unpack(">I4I4I4", bytes, at)
    assert(crc32(bytes:sub(at, at + 7)) == prelude_crc, "prelude checksum")
    local crc = string.unpack(">I4", bytes, at + total - 4)
    assert(crc32(bytes:sub(at, at + total - 5)) == crc, "message checksum")
    local headers, i = {}, at + 12
    while i < at + 12 + headers_bytes do
      local name, kind, text
      name, kind, i = string.unpack(">s1B", bytes, i)
      assert(kind == 7, "a header that is no string")
      text, i = string.unpack(">s2", bytes, i)
      headers[name] = text
    end
    events[#events + 1] = { name = headers[":event-type"] or headers[":exception-type"],
      kind = headers[":message-type"], data = bytes:sub(i, at + total - 5) }
    at = at + total
  end
  return events
end

local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

function M.from_base64(text)
  local out, bits, count = {}, 0, 0
  for c in text:gmatch("[%w+/]") do
    bits, count = bits << 6 | (digits:find(c, 1, true) - 1), count + 6
    if count >= 8 then
      count = count - 8
      out[#out + 1] = string.char(bits >> count & 255)
      bits = bits & ((1 << count) - 1)
    end
  end
  return table.concat(out)
end

local function fail(...)
  error(table.concat({ ... }), 0)
end

local stream_exceptions = { internalServerException = true, modelStreamErrorException = true,
  validationException = true, throttlingException = true, serviceUnavailableException = true }

-- messageStart → (blockStart? → delta* → blockStop)* → messageStop → metadata; indices 0, 1, 2 …; calls have a start,
-- nothing else but server tools has. An exception ends it anywhere.
function M.check(events, json)
  local state, open, kind, next_index = "before", nil, nil, 0
  local kind_of = { text = "text", citation = "text", reasoningContent = "thinking", toolUse = "toolUse",
    toolResult = "toolResult" }
  for i, event in ipairs(events) do
    local body = json.decode(event.data) or fail("event ", i, " is not JSON")
    local name = event.name
    if state == "done" then fail("event ", i, " ", name, " after the end") end
    if event.kind == "exception" then
      if not stream_exceptions[name] then fail("ConverseStream has no ", name) end
      if type(body.message) ~= "string" then fail("an exception without a message") end
      state = "done"
    elseif name == "messageStart" then
      if state ~= "before" or body.role ~= "assistant" then fail("messageStart in state ", state) end
      state = "blocks"
    elseif name == "contentBlockStart" then
      if state ~= "blocks" or open then fail("a block starts while ", tostring(open), " is open") end
      if body.contentBlockIndex ~= next_index then fail("index ", body.contentBlockIndex, ", expected ", next_index) end
      open, kind = next_index, next(body.start)
      local start = body.start[kind]
      if (start.toolUseId or "") == "" then fail("a call without an id") end
      if kind == "toolUse" and (start.name or "") == "" then fail("a call without a name") end
    elseif name == "contentBlockDelta" then
      if state ~= "blocks" then fail("delta in state ", state) end
      local delta = next(body.delta)
      if not open then
        if body.contentBlockIndex ~= next_index then fail("a block begins at ", body.contentBlockIndex) end
        open, kind = next_index, kind_of[delta]
        if kind == "toolUse" or kind == "toolResult" then fail("a call without a start") end
      end
      if body.contentBlockIndex ~= open then fail("delta of ", body.contentBlockIndex, ", open is ", open) end
      if kind_of[delta] ~= kind then fail("delta ", delta, " in a block of ", kind) end
    elseif name == "contentBlockStop" then
      if body.contentBlockIndex ~= open then fail("stop of ", body.contentBlockIndex, ", open is ", tostring(open)) end
      open, next_index = nil, next_index + 1
    elseif name == "messageStop" then
      if state ~= "blocks" or open then fail("messageStop in state ", state) end
      if type(body.stopReason) ~= "string" then fail("messageStop without stopReason") end
      state = "stopped"
    elseif name == "metadata" then
      if state ~= "stopped" then fail("metadata in state ", state) end
      local usage = body.usage
      if not usage.inputTokens or not usage.outputTokens or not usage.totalTokens then fail("usage lacks a field") end
      if not body.metrics.latencyMs then fail("metadata without metrics") end
      state = "done"
    else
      fail("unknown event ", name)
    end
  end
  if state ~= "done" then fail("the stream ends in state ", state) end
end

----- what an answer says, for comparisons; the same fields as tests/lua/dialects/outcome.lua

local finishes = { end_turn = "stop", stop_sequence = "stop", max_tokens = "length", tool_use = "tool",
  model_context_window_exceeded = "length", guardrail_intervened = "filter", content_filtered = "filter" }

function M.outcome(json, body)
  local texts, thoughts, signatures, redacted, calls = {}, {}, {}, {}, {}
  for _, block in ipairs(body.output.message.content) do
    local use, reasoning, cited = block.toolUse, block.reasoningContent, block.citationsContent
    texts[#texts + 1] = block.text
    for _, piece in ipairs(cited and cited.content or {}) do texts[#texts + 1] = piece.text end
    if use and (use.type or "tool_use") == "tool_use" then
      calls[#calls + 1] = { id = use.toolUseId, name = use.name, arguments = json.encode(use.input) }
    elseif reasoning and reasoning.reasoningText then
      thoughts[#thoughts + 1] = reasoning.reasoningText.text
      signatures[#signatures + 1] = reasoning.reasoningText.signature
    elseif reasoning then
      redacted[#redacted + 1] = M.from_base64(reasoning.redactedContent)
    end
  end
  local u = body.usage
  local read, written = u.cacheReadInputTokens or 0, u.cacheWriteInputTokens or 0
  local finish = finishes[body.stopReason] or "stop"
  if finish == "stop" and #calls > 0 then finish = "tool" end
  return { text = table.concat(texts), thinking = table.concat(thoughts), signatures = signatures, redacted = redacted,
    calls = calls, finish = finish,
    usage = { input = u.inputTokens + read + written, output = u.outputTokens, cached = read, written = written } }
end

-- Events back into a whole answer, or nil and the exception.
function M.assemble(json, events)
  local body, pieces = { output = { message = { role = "assistant", content = {} } } }, {}
  local content = body.output.message.content
  for _, event in ipairs(events) do
    local e = json.decode(event.data)
    local at = e.contentBlockIndex and e.contentBlockIndex + 1
    if event.kind == "exception" then return nil, e end
    if event.name == "contentBlockStart" then
      content[at], pieces[at] = e.start, {}
    elseif event.name == "contentBlockDelta" then
      local block, delta = content[at] or {}, e.delta
      content[at] = block
      local thinking = delta.reasoningContent
      if delta.text and block.citationsContent then
        table.insert(block.citationsContent.content, { text = delta.text })
      elseif delta.text then
        block.text = (block.text or "") .. delta.text
      elseif delta.citation then
        block.citationsContent = block.citationsContent or { content = { { text = block.text or "" } }, citations = {} }
        block.text = nil
        table.insert(block.citationsContent.citations, delta.citation)
      elseif delta.toolUse then
        table.insert(pieces[at], delta.toolUse.input)
      elseif thinking and thinking.redactedContent then
        block.reasoningContent = thinking
      elseif thinking then
        block.reasoningContent = block.reasoningContent or { reasoningText = { text = "" } }
        local said = block.reasoningContent.reasoningText
        said.text, said.signature = said.text .. (thinking.text or ""), thinking.signature or said.signature
      end
    elseif event.name == "contentBlockStop" then
      local block = content[at] or { text = "" }
      content[at] = block
      if block.toolUse then
        local text = table.concat(pieces[at])
        block.toolUse.input = json.decode(text == "" and "{}" or text)
      end
    elseif event.name == "messageStop" then
      body.stopReason = e.stopReason
    elseif event.name == "metadata" then
      body.usage, body.metrics = e.usage, e.metrics
    end
  end
  return body
end

return M
