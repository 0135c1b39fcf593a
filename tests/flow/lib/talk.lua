-- talk: asks in each of the six dialects and judges what came: one complete answer, or one well-formed error, or
-- neither, which is a fault of the gateway. It knows what ends an answer in each dialect, not what stands in it.
local http = require "http"
local json = require "cjson"

local M = {}

M.dialects = { "openai.chat", "openai.responses", "anthropic.messages", "gemini", "cohere.chat", "bedrock.converse" }

local function messages(text) return { { role = "user", content = text } } end

local function decoded(text)
  local ok, body = pcall(json.decode, text)
  return ok and type(body) == "table" and body or nil
end

local function has_message(body) return type(body.error) == "table" and type(body.error.message) == "string" end

-- One a dialect: path(model, stream); body(model, text, stream); whole(body): is it an answer; fault(body): is it an
-- error; ends(events): how many ends of a good stream there are; faults(events): how many errors.
local rows = {}
M.rows = rows

local function count(events, fn)
  local n = 0
  for _, e in ipairs(events) do
    if fn(e, decoded(e.data) or {}) then n = n + 1 end
  end
  return n
end

rows["openai.chat"] = {
  path = function() return "/v1/chat/completions" end,
  body = function(model, text, stream)
    return { model = model, max_tokens = 200, messages = messages(text), stream = stream,
      stream_options = stream and { include_usage = true } or nil }
  end,
  whole = function(b) return type(b.choices) == "table" and #b.choices == 1 end,
  fault = has_message,
  ends = function(events) return count(events, function(e) return e.data == "[DONE]" end) end,
  faults = function(events) return count(events, function(_, d) return d.error end) end,
}
rows["openai.responses"] = {
  path = function() return "/v1/responses" end,
  body = function(model, text, stream)
    return { model = model, max_output_tokens = 200, input = messages(text), stream = stream, store = false }
  end,
  whole = function(b) return b.object == "response" and (b.status == "completed" or b.status == "incomplete") end,
  fault = has_message,
  ends = function(events) return count(events, function(e)
    return e.event == "response.completed" or e.event == "response.incomplete"
  end) end,
  faults = function(events) -- `error`, and the response.failed that OpenAI sends behind it
    local errors = count(events, function(e) return e.event == "error" end)
    local failed = count(events, function(e) return e.event == "response.failed" end)
    return errors == 1 and failed <= 1 and 1 or errors + failed
  end,
}
rows["anthropic.messages"] = {
  path = function() return "/v1/messages" end,
  body = function(model, text, stream)
    return { model = model, max_tokens = 200, messages = messages(text), stream = stream }
  end,
  whole = function(b) return b.type == "message" and type(b.content) == "table" end,
  fault = function(b) return b.type == "error" and has_message(b) end,
  ends = function(events) return count(events, function(e) return e.event == "message_stop" end) end,
  faults = function(events) return count(events, function(e) return e.event == "error" end) end,
}
rows.gemini = {
  path = function(model, stream)
    return "/v1beta/models/" .. model .. (stream and ":streamGenerateContent?alt=sse" or ":generateContent")
  end,
  body = function(_, text)
    return { contents = { { role = "user", parts = { { text = text } } } },
      generationConfig = { maxOutputTokens = 200 } }
  end,
  whole = function(b) return type(b.candidates) == "table" end,
  fault = function(b) return has_message(b) and type(b.error.status) == "string" end,
  ends = function(events)
    return count(events, function(_, d)
      return d.candidates and d.candidates[1] and type(d.candidates[1].finishReason) == "string"
    end)
  end,
  faults = function(events) return count(events, function(_, d) return d.error end) end,
}
rows["cohere.chat"] = {
  path = function() return "/v2/chat" end,
  body = function(model, text, stream)
    return { model = model, max_tokens = 200, messages = messages(text), stream = stream }
  end,
  whole = function(b) return type(b.message) == "table" and type(b.finish_reason) == "string" end,
  fault = function(b) return type(b.message) == "string" end,
  ends = function(events)
    return count(events, function(_, d) return d.type == "message-end" and not d.delta.error end)
  end,
  faults = function(events)
    return count(events, function(_, d) return d.type == "message-end" and d.delta.error end)
  end,
}
rows["bedrock.converse"] = {
  path = function(model, stream) return "/model/" .. model .. (stream and "/converse-stream" or "/converse") end,
  body = function(_, text)
    return { messages = { { role = "user", content = { { text = text } } } }, inferenceConfig = { maxTokens = 200 } }
  end,
  whole = function(b) return type(b.output) == "table" and type(b.stopReason) == "string" end,
  fault = function(b) return type(b.message) == "string" end,
  binary = true, -- a stream is AWS messages: their names stand in the headers as they are
  ends = function(text)
    local n = 0
    for _ in text:gmatch ":event%-type\7%z\11messageStop" do n = n + 1 end
    return n
  end,
  faults = function(text)
    local n = 0
    for _ in text:gmatch ":exception%-type" do n = n + 1 end
    return n
  end,
}

-- The request's text. key: the virtual key, or nil.
function M.request(dialect, model, text, stream, key)
  local row = rows[dialect]
  local headers = { "anthropic-version: 2023-06-01" }
  if dialect ~= "anthropic.messages" then headers[1] = nil end
  if key then headers[#headers + 1] = "authorization: Bearer " .. key end
  return http.request_text {
    method = "POST", target = row.path(model, stream), headers = headers,
    body = json.encode(row.body(model, text, stream or nil)),
  }
end

-- "complete", "error", or nil and what is wrong. answer: read whole (.body, .cut).
function M.judge(dialect, stream, answer)
  local row = rows[dialect]
  local body = decoded(answer.body)
  if answer.cut then return nil, "the answer is cut" end
  if answer.status >= 400 then
    if body and row.fault(body) then return "error" end
    return nil, answer.status .. " without a well-formed error: " .. answer.body:sub(1, 200)
  end
  if answer.status ~= 200 then return nil, "status " .. answer.status end
  if not stream then
    if body and row.whole(body) then return "complete" end
    return nil, "200 without an answer: " .. answer.body:sub(1, 200)
  end
  local events = answer.body
  if not row.binary then
    events = {}
    for block in (answer.body:gsub("\r\n", "\n")):gmatch "(.-)\n\n" do
      local lines = {}
      for line in (block .. "\n"):gmatch "data:%s?(.-)\n" do lines[#lines + 1] = line end
      events[#events + 1] = { event = block:match "event:%s?([^\n]+)", data = table.concat(lines, "\n") }
    end
  end
  local ends, faults = row.ends(events), row.faults(events)
  if ends == 1 and faults == 0 then return "complete" end
  if ends == 0 and faults == 1 then return "error" end
  return nil, ("%d ends and %d errors in the stream: %s"):format(ends, faults, answer.body:sub(-300))
end

return M
