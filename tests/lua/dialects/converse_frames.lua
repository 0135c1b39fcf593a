-- AWS event-stream messages for specs, written from the format's description apart from the gateway's own code: to
-- bytes (order.frames takes them apart), and base64 for the recordings.

local M = {}

local crc32 = dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "order_framing.lua").crc32

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
