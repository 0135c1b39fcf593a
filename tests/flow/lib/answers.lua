-- answers: what providers say, in both dialects, as exact bytes. Used by scripted upstreams and as the expectation of
-- what clients must receive.
local json = require "cjson"

local M = {}

function M.openai_whole(text, model)
  return ('{"id":"chatcmpl-flow","object":"chat.completion","created":1700000000,"model":"%s","choices":[{"index":0,'
    .. '"message":{"role":"assistant","content":%s,"refusal":null},"logprobs":null,"finish_reason":"stop"}],'
    .. '"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18},"x_unknown":{"kept":[1,2.50,null]}}')
    :format(model or "model-a", json.encode(text))
end

local function openai_chunk(delta, finish, model)
  return ('data: {"id":"chatcmpl-flow","object":"chat.completion.chunk","created":1700000000,"model":"%s",'
    .. '"choices":[{"index":0,"delta":%s,"finish_reason":%s}],"x_unknown":1}\n\n')
    :format(model or "model-a", delta, finish and '"' .. finish .. '"' or "null")
end

-- A list of events: role, one for each text, finish, usage, [DONE].
function M.openai_stream(texts, model)
  local events = { openai_chunk('{"role":"assistant","content":""}', nil, model) }
  for _, text in ipairs(texts) do
    events[#events + 1] = openai_chunk('{"content":' .. json.encode(text) .. "}", nil, model)
  end
  events[#events + 1] = openai_chunk("{}", "stop", model)
  events[#events + 1] = ('data: {"id":"chatcmpl-flow","object":"chat.completion.chunk","created":1700000000,'
    .. '"model":"%s","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}\n\n')
    :format(model or "model-a")
  events[#events + 1] = "data: [DONE]\n\n"
  return events
end

function M.anthropic_whole(text, model)
  return ('{"id":"msg_flow","type":"message","role":"assistant","model":"%s","content":[{"type":"text","text":%s}],'
    .. '"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":11,"output_tokens":7},"x_unknown":[1]}')
    :format(model or "model-b", json.encode(text))
end

local function named(name, data) return "event: " .. name .. "\ndata: " .. data .. "\n\n" end

function M.anthropic_stream(texts, model)
  local events = {
    named("message_start", ('{"type":"message_start","message":{"id":"msg_flow","type":"message","role":"assistant",'
      .. '"model":"%s","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":11,'
      .. '"output_tokens":1}}}'):format(model or "model-b")),
    named("content_block_start",
      '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}'),
    named("ping", '{"type":"ping"}'),
  }
  for _, text in ipairs(texts) do
    events[#events + 1] = named("content_block_delta",
      '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":' .. json.encode(text) .. "}}")
  end
  events[#events + 1] = named("content_block_stop", '{"type":"content_block_stop","index":0}')
  events[#events + 1] = named("message_delta",
    '{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}}')
  events[#events + 1] = named("message_stop", '{"type":"message_stop"}')
  return events
end

-- The beginning of a stream of Responses: the answer, a message, its text, and these deltas; numbered from `first`.
function M.responses_begun(texts, first)
  local response = ',"response":{"id":"resp_flow","object":"response","created_at":1700000000,"status":"in_progress",'
    .. '"model":"model-a","output":[],"tools":[],"tool_choice":"auto","parallel_tool_calls":true,"metadata":{},'
    .. '"error":null,"incomplete_details":null,"instructions":null,"temperature":1,"top_p":1}'
  local place = ',"item_id":"msg_1","output_index":0,"content_index":0'
  local events = {}
  local function add(name, more)
    local body = ('{"type":"%s"%s,"sequence_number":%d}'):format(name, more, (first or 0) + #events)
    events[#events + 1] = named(name, body)
  end
  add("response.created", response)
  add("response.in_progress", response)
  add("response.output_item.added", ',"output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant",'
    .. '"status":"in_progress","content":[]}')
  add("response.content_part.added", place .. ',"part":{"type":"output_text","text":"","annotations":[]}')
  for _, text in ipairs(texts) do add("response.output_text.delta", place .. ',"delta":' .. json.encode(text)) end
  return events
end

function M.openai_error(message, kind, code)
  return json.encode { error = { message = message, type = kind or "server_error", param = json.null, code = code
    or json.null } }
end

function M.anthropic_error(message, kind)
  return json.encode { type = "error", error = { type = kind or "api_error", message = message },
    request_id = "req_up" }
end

-- By dialect name.
M.whole = { ["openai.chat"] = M.openai_whole, ["anthropic.messages"] = M.anthropic_whole }
M.stream = { ["openai.chat"] = M.openai_stream, ["anthropic.messages"] = M.anthropic_stream }
M.fault = { ["openai.chat"] = M.openai_error, ["anthropic.messages"] = M.anthropic_error }

-- What a client reads out of an answer of its dialect: the text of a whole body, and of a list of stream events.
M.text_of = {
  ["openai.chat"] = function(body) return json.decode(body).choices[1].message.content end,
  ["anthropic.messages"] = function(body)
    local parts = {}
    for _, part in ipairs(json.decode(body).content) do parts[#parts + 1] = part.text end
    return table.concat(parts)
  end,
}
M.stream_text = {
  ["openai.chat"] = function(events)
    local parts, ended = {}, false
    for _, e in ipairs(events) do
      if e.data == "[DONE]" then ended = true else
        local chunk = json.decode(e.data)
        local choice = chunk.choices and chunk.choices[1]
        local content = choice and choice.delta and choice.delta.content
        if type(content) == "string" then parts[#parts + 1] = content end
      end
    end
    return table.concat(parts), ended
  end,
  ["anthropic.messages"] = function(events)
    local parts, ended = {}, false
    for _, e in ipairs(events) do
      local value = json.decode(e.data)
      if value.type == "message_stop" then ended = true end
      if value.delta and value.delta.text then parts[#parts + 1] = value.delta.text end
    end
    return table.concat(parts), ended
  end,
}

return M
