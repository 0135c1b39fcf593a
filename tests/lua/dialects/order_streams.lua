-- A good stream of each dialect, written by hand from the providers' documentation, for order_spec: thinking, text and
-- two calls. A list of { name, data, is_free }. Free is what a stream is whole without: of two texts nobody can say
-- that there was a third. "anywhere": nor where it stood; "early": it may stand before the one in front of it; "less":
-- it may be missing.
local M = {}

local function list()
  local events = {}
  return events, function(name, text, is_free)
    events[#events + 1] = { name = name, data = text, is_free = is_free or false }
  end
end

local function chat()
  local events, put = list()
  local function chunk(delta, finish, is_free)
    put(nil, ('{"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":%s,'
      .. '"finish_reason":%s}],"usage":null}'):format(delta, finish or "null"), is_free)
  end
  chunk '{"role":"assistant","content":""}'
  chunk('{"reasoning_content":"hm"}', nil, "anywhere")
  chunk('{"content":"one"}', nil, "anywhere")
  chunk '{"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"f","arguments":""}}]}'
  chunk '{"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\":"}}]}'
  chunk '{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}'
  chunk('{"tool_calls":[{"index":1,"id":"t2","type":"function","function":{"name":"g","arguments":""}}]}', nil, "early")
  chunk('{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}', nil, "less")
  chunk("{}", '"tool_calls"')
  put(nil, '{"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[],'
    .. '"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}', "less")
  put(nil, "[DONE]")
  return events
end

-- Events whose name stands in them: `type` is added to what is given.
local function typed(put)
  return function(name, fields, is_free) put(name, ('{"type":"%s"%s}'):format(name, fields), is_free) end
end

local function messages()
  local events, put_event = list()
  local put = typed(put_event)
  put("message_start", ',"message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],'
    .. '"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}')
  put("content_block_start", ',"index":0,"content_block":{"type":"thinking","thinking":"","signature":""}')
  put("content_block_delta", ',"index":0,"delta":{"type":"thinking_delta","thinking":"hm"}', true)
  put("content_block_delta", ',"index":0,"delta":{"type":"signature_delta","signature":"s"}', true)
  put("content_block_stop", ',"index":0')
  put("content_block_start", ',"index":1,"content_block":{"type":"text","text":""}')
  put("ping", "", "anywhere")
  put("content_block_delta", ',"index":1,"delta":{"type":"text_delta","text":"one"}', true)
  put("content_block_stop", ',"index":1')
  for i, name in ipairs { "f", "g" } do
    put("content_block_start", (',"index":%d,"content_block":{"type":"tool_use","id":"t%d","name":"%s","input":{}}')
      :format(i + 1, i, name))
    put("content_block_delta", (',"index":%d,"delta":{"type":"input_json_delta","partial_json":"{\\"a\\":"}')
      :format(i + 1))
    put("content_block_delta", (',"index":%d,"delta":{"type":"input_json_delta","partial_json":"1}"}'):format(i + 1))
    put("content_block_stop", (',"index":%d'):format(i + 1))
  end
  put("message_delta", ',"delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":4}')
  put("message_stop", "")
  return events
end

local function responses()
  local events, put_event = list()
  local function put(name, fields)
    put_event("response." .. name, ('{"type":"response.%s","sequence_number":%d%s}'):format(name, #events, fields))
  end
  local function response(status, output, usage)
    return (',"response":{"id":"resp_1","object":"response","created_at":7,"status":"%s","model":"m","output":[%s],'
      .. '"tools":[],"tool_choice":"auto","parallel_tool_calls":true,"metadata":{},"error":null,'
      .. '"incomplete_details":null,"instructions":null,"temperature":1,"top_p":1,"usage":%s}'):format(status, output,
      usage)
  end
  put("created", response("in_progress", "", "null"))
  put("in_progress", response("in_progress", "", "null"))
  local items = {
    '{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]}',
    '{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text",'
      .. '"text":"one two","annotations":[{"type":"url_citation","url":"u"}]}]}',
    '{"id":"fc_1","type":"function_call","status":"completed","call_id":"t1","name":"f","arguments":"{}"}',
    '{"id":"fc_2","type":"function_call","status":"completed","call_id":"t2","name":"g","arguments":"{}"}',
  }
  local function item(i, name, text) put("output_item." .. name, (',"output_index":%d,"item":%s'):format(i, text)) end
  local function of(i, id, index, fields)
    return (',"output_index":%d,"item_id":"%s"%s%s'):format(i, id, index and (',"%s":0'):format(index) or "", fields)
  end
  item(0, "added", '{"id":"rs_1","type":"reasoning","summary":[]}')
  local thought = '{"type":"summary_text","text":"%s"}'
  put("reasoning_summary_part.added", of(0, "rs_1", "summary_index", ',"part":' .. thought:format ""))
  put("reasoning_summary_text.delta", of(0, "rs_1", "summary_index", ',"delta":"hm"'))
  put("reasoning_summary_text.done", of(0, "rs_1", "summary_index", ',"text":"hm"'))
  put("reasoning_summary_part.done", of(0, "rs_1", "summary_index", ',"part":' .. thought:format "hm"))
  item(0, "done", items[1])
  item(1, "added", '{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}')
  put("content_part.added", of(1, "msg_1", "content_index",
    ',"part":{"type":"output_text","text":"","annotations":[]}'))
  put("output_text.delta", of(1, "msg_1", "content_index", ',"delta":"one "'))
  put("output_text.delta", of(1, "msg_1", "content_index", ',"delta":"two"'))
  put("output_text.annotation.added", of(1, "msg_1", "content_index",
    ',"annotation_index":0,"annotation":{"type":"url_citation","url":"u"}'))
  put("output_text.done", of(1, "msg_1", "content_index", ',"text":"one two"'))
  put("content_part.done", of(1, "msg_1", "content_index", ',"part":' .. items[2]:match '"content":%[(.*)%]}$'))
  item(1, "done", items[2])
  for i = 1, 2 do
    local id = "fc_" .. i
    item(i + 1, "added", (items[i + 2]:gsub('"{}"', '""'):gsub("completed", "in_progress")))
    put("function_call_arguments.delta", of(i + 1, id, nil, ',"delta":"{}"'))
    put("function_call_arguments.done", of(i + 1, id, nil, ',"arguments":"{}"'))
    item(i + 1, "done", items[i + 2])
  end
  put("completed", response("completed", table.concat(items, ","),
    '{"input_tokens":3,"output_tokens":4,"total_tokens":7}'))
  return events
end

local function gemini()
  local events, put = list()
  local function chunk(parts, finish, is_free)
    put(nil, ('{"candidates":[{"content":{"role":"model","parts":[%s]},"index":0%s}],"usageMetadata":'
      .. '{"promptTokenCount":3,"candidatesTokenCount":4,"totalTokenCount":7},"modelVersion":"m","responseId":"r1"}')
      :format(parts, finish or ""), is_free)
  end
  chunk('{"text":"hm","thought":true}', nil, true)
  chunk('{"text":"one"}', nil, true)
  chunk('{"functionCall":{"name":"f","args":{}},"thoughtSignature":"s"}', nil, true)
  chunk('{"functionCall":{"name":"g","args":{}}}', ',"finishReason":"STOP"')
  return events
end

local function cohere()
  local events, put_event = list()
  local put = typed(put_event)
  local function content(i, name, fields, is_free)
    put("content-" .. name, (',"index":%d%s'):format(i, fields and ',"delta":{"message":{"content":' .. fields .. "}}"
      or ""), is_free)
  end
  put("message-start", ',"id":"c1","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],'
    .. '"citations":[]}}')
  content(0, "start", '{"type":"thinking","thinking":""}')
  content(0, "delta", '{"thinking":"hm"}', true)
  content(0, "end")
  content(1, "start", '{"type":"text","text":""}')
  content(1, "delta", '{"text":"one "}')
  content(1, "delta", '{"text":"two"}', true)
  put("citation-start", ',"index":0,"delta":{"message":{"citations":{"start":4,"end":7,"text":"two","sources":'
    .. '[{"type":"document","id":"d"}],"content_index":1,"type":"TEXT_CONTENT"}}}')
  put("citation-end", ',"index":0')
  content(1, "end")
  put("tool-plan-delta", ',"delta":{"message":{"tool_plan":"I look."}}', true)
  for i = 0, 1 do
    put("tool-call-start", (',"index":%d,"delta":{"message":{"tool_calls":{"id":"t%d","type":"function","function":'
      .. '{"name":"f","arguments":""}}}}'):format(i, i))
    for _, piece in ipairs { '{\\"a\\":', "1}" } do
      put("tool-call-delta", (',"index":%d,"delta":{"message":{"tool_calls":{"function":{"arguments":"%s"}}}}')
        :format(i, piece))
    end
    put("tool-call-end", (',"index":%d'):format(i))
  end
  put("message-end", ',"delta":{"finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":3,'
    .. '"output_tokens":4},"tokens":{"input_tokens":3,"output_tokens":4}}}')
  put_event(nil, "[DONE]")
  return events
end

local function converse()
  local events, put = list()
  put("messageStart", '{"role":"assistant"}')
  put("contentBlockDelta", '{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}}}', true)
  put("contentBlockDelta", '{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"s"}}}', true)
  put("contentBlockStop", '{"contentBlockIndex":0}')
  put("contentBlockDelta", '{"contentBlockIndex":1,"delta":{"text":"one "}}', true)
  put("contentBlockDelta", '{"contentBlockIndex":1,"delta":{"text":"two"}}', true)
  put("contentBlockStop", '{"contentBlockIndex":1}')
  for i = 2, 3 do
    put("contentBlockStart", ('{"contentBlockIndex":%d,"start":{"toolUse":{"toolUseId":"t%d","name":"f"}}}'):format(i,
      i))
    put("contentBlockDelta", ('{"contentBlockIndex":%d,"delta":{"toolUse":{"input":"{\\"a\\":"}}}'):format(i))
    put("contentBlockDelta", ('{"contentBlockIndex":%d,"delta":{"toolUse":{"input":"1}"}}}'):format(i))
    put("contentBlockStop", ('{"contentBlockIndex":%d}'):format(i))
  end
  put("messageStop", '{"stopReason":"tool_use"}')
  put("metadata", '{"usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7},"metrics":{"latencyMs":5}}')
  return events
end

M["openai.chat"], M["openai.responses"], M["anthropic.messages"] = chat(), responses(), messages()
M.gemini, M["cohere.chat"], M["bedrock.converse"] = gemini(), cohere(), converse()

return M
