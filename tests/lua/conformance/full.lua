-- A request of each dialect with about every field that clients send, beside schemas and arguments, for kinds_spec.lua.
--   dialect, body   the JSON text
--   schemas         patterns of paths that belong to the client: JSON of any kind within
--   free            patterns of paths that the gateway does not read: lost, or passed on whole
--   also            [pattern] = kinds that a place takes beside the one in the body
-- It holds no answers; what must become of a request is in cases/.

local chat = [[{"messages":[{"role":"system","content":"S1","name":"sys"},{"role":"developer","content":[{"type":
"text","text":"S2"}]},{"role":"user","name":"bob","content":[{"type":"text","text":"look"},{"type":"image_url",
"image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"high"}},{"type":"text","text":"c","cache_control":{
"type":"ephemeral"}}]},{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"h"}]},{
"type":"text","text":"t"}],"reasoning_content":"r","thinking_blocks":[{"type":"thinking","thinking":"h","signature":
"S"}]},{"role":"assistant","content":"ok","name":"al","refusal":null,"tool_calls":[{"id":"call_1","type":"function",
"function":{"name":"f","arguments":"{\"a\":\"x\"}"}},{"id":"call_2","type":"function","function":{"name":"f",
"arguments":"{\"a\":\"y\"}"}}]},{"role":"tool","tool_call_id":"call_2","content":"r2"},{"role":"tool","tool_call_id":
"call_1","content":[{"type":"text","text":"r1"}]},{"role":"assistant","content":[{"type":"text","text":"part"},{
"type":"refusal","refusal":"no"}]},{"role":"user","content":"go"}],"max_completion_tokens":2000,"max_tokens":1999,
"temperature":0.5,"top_p":0.9,"stop":["A","B"],"seed":5,"n":1,"frequency_penalty":0.1,"presence_penalty":0.2,
"logit_bias":{"50":-1},"logprobs":true,"top_logprobs":3,"tools":[{"type":"function","function":{"name":"f",
"description":"d","parameters":{"type":"object","properties":{"a":{"type":"string"},"n":{"type":"integer"}},
"required":["a"],"additionalProperties":false},"strict":true}}],"tool_choice":{"type":"function","function":{"name":
"f"}},"parallel_tool_calls":false,"response_format":{"type":"json_schema","json_schema":{"name":"nm","description":
"dd","schema":{"type":"object","properties":{"a":{"type":"string"},"n":{"type":"integer"}},"required":["a"],
"additionalProperties":false},"strict":true}},"reasoning_effort":"high","user":"u1","service_tier":"flex","metadata":{
"k":"v"},"store":true,"modalities":["text"],"prediction":{"type":"content","content":"p"},"web_search_options":{
"search_context_size":"low"},"verbosity":"low","prompt_cache_key":"pk","safety_identifier":"si","stream_options":{
"include_usage":true,"include_obfuscation":false},"reasoning":{"effort":"low","max_tokens":2000,"enabled":true},
"thinking":{"type":"enabled","budget_tokens":2000}}]]

local responses = [[{"input":[{"type":"message","role":"system","content":"S1"},{"role":"developer","content":[{
"type":"input_text","text":"S2"}]},{"role":"user","content":[{"type":"input_text","text":"look"},{"type":
"input_image","image_url":"data:image/png;base64,iVBORw0KGgo=","detail":"high"}]},{"type":"reasoning","id":"rs_1",
"summary":[{"type":"summary_text","text":"th"}],"encrypted_content":"gAAA"},{"type":"message","id":"msg_0","role":
"assistant","status":"completed","phase":"commentary","content":[{"type":"output_text","text":"ok","annotations":[{
"type":"url_citation","url":"http://x/","title":"t","start_index":0,"end_index":1}],"logprobs":[]},{"type":"refusal",
"refusal":"no"}]},{"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"{\"a\":\"x\"}",
"status":"completed"},{"type":"function_call","call_id":"call_2","name":"f","arguments":"{\"a\":\"y\"}"},{"type":
"function_call_output","call_id":"call_2","output":"r2","id":"fco","status":"completed"},{"type":
"function_call_output","call_id":"call_1","output":[{"type":"input_text","text":"r1"}]},{"role":"user","content":
"go"}],"instructions":"INS","max_output_tokens":2000,"temperature":0.5,"top_p":0.9,"top_logprobs":3,"tools":[{"type":
"function","name":"f","description":"d","parameters":{"type":"object","properties":{"a":{"type":"string"},"n":{"type":
"integer"}},"required":["a"],"additionalProperties":false},"strict":true}],"tool_choice":{"type":"function","name":
"f"},"parallel_tool_calls":false,"text":{"format":{"type":"json_schema","name":"nm","description":"dd","schema":{
"type":"object","properties":{"a":{"type":"string"},"n":{"type":"integer"}},"required":["a"],"additionalProperties":
false},"strict":true},"verbosity":"low"},"reasoning":{"effort":"high","summary":"auto"},"user":"u1","service_tier":
"flex","metadata":{"k":"v"},"store":false,"truncation":"auto","include":["reasoning.encrypted_content",
"message.output_text.logprobs"],"max_tool_calls":3,"prompt_cache_key":"pk","safety_identifier":"si","background":
false,"stream_options":{"include_obfuscation":false},"x_unknown":1}]]

local messages = [[{"max_tokens":20000,"system":[{"type":"text","text":"S1","cache_control":{"type":"ephemeral","ttl":
"1h"}},{"type":"text","text":"S2"}],"messages":[{"role":"user","content":[{"type":"text","text":"look",
"cache_control":{"type":"ephemeral"}},{"type":"image","source":{"type":"base64","media_type":"image/png","data":
"iVBORw0KGgo="},"cache_control":{"type":"ephemeral"}},{"type":"document","source":{"type":"text","media_type":
"text/plain","data":"plain"}},{"type":"document","source":{"type":"content","content":[{"type":"text","text":"cc"}]}},
{"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"sr"}]}]},{"role":"assistant",
"content":[{"type":"thinking","thinking":"th","signature":"sig"},{"type":"redacted_thinking","data":"red"},{"type":
"text","text":"ok","citations":[{"type":"char_location","cited_text":"x","document_index":0,"document_title":"T",
"start_char_index":0,"end_char_index":1}]},{"type":"server_tool_use","id":"srv_1","name":"web_search","input":{
"query":"q"}},{"type":"web_search_tool_result","tool_use_id":"srv_1","content":[]},{"type":"tool_use","id":"toolu_1",
"name":"f","input":{"a":"x"},"cache_control":{"type":"ephemeral"}},{"type":"tool_use","id":"toolu_2","name":"f",
"input":{"a":"y"}}]},{"role":"user","content":[{"type":"text","text":"before"},{"type":"tool_result","tool_use_id":
"toolu_2","content":"r2","is_error":true},{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text",
"text":"r1"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}],
"cache_control":{"type":"ephemeral"}},{"type":"text","text":"after"}]}],"temperature":0.5,"top_p":0.9,"top_k":4,
"stop_sequences":["A","B"],"tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{"a":{
"type":"string"},"n":{"type":"integer"}},"required":["a"],"additionalProperties":false},"cache_control":{"type":
"ephemeral"},"type":"custom","strict":true,"input_examples":[{"a":"x"}],"defer_loading":false,"eager_input_streaming":
true},{"type":"web_search_20250305","name":"web_search","max_uses":2}],"tool_choice":{"type":"any",
"disable_parallel_tool_use":true},"thinking":{"type":"enabled","budget_tokens":3000},"metadata":{"user_id":"u1"},
"service_tier":"auto","output_config":{"effort":"high","format":{"type":"json_schema","schema":{"type":"object",
"properties":{"a":{"type":"string"},"n":{"type":"integer"}},"required":["a"],"additionalProperties":false}}},
"cache_control":{"type":"ephemeral"},"container":"c1","context_management":{"edits":[]},"mcp_servers":[{"type":"url",
"url":"http://x","name":"m"}],"inference_geo":"us"}]]

local gemini = [[{"systemInstruction":{"role":"system","parts":[{"text":"S1"},{"text":"S2"}]},"contents":[{"role":
"user","parts":[{"text":"look"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo=","displayName":"i.png"}},{
"text":"x","videoMetadata":{"fps":1}}]},{"role":"model","parts":[{"text":"th","thought":true},{"text":"ok",
"thoughtSignature":"c2ln"},{"functionCall":{"id":"c1","name":"f","args":{"a":"x"}},"thoughtSignature":"c2ln"},{
"functionCall":{"name":"f","args":{"a":"y"}}},{"executableCode":{"language":"PYTHON","code":"1"}},{
"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1"}}]},{"role":"user","parts":[{"functionResponse":{"id":"c1",
"name":"f","response":{"result":{"o":[1]}},"willContinue":false,"scheduling":"SILENT"}},{"functionResponse":{"name":
"f","response":{"output":"r2"}}},{"text":"go"}]}],"tools":[{"functionDeclarations":[{"name":"f","description":"d",
"parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING"}},"required":["a"]},"response":{"type":"STRING"},
"behavior":"BLOCKING"},{"name":"g","parametersJsonSchema":{"type":"object","properties":{"a":{"type":"string"},"n":{
"type":"integer"}},"required":["a"],"additionalProperties":false}}]},{"googleSearch":{}},{"codeExecution":{}}],
"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]},"retrievalConfig":{"languageCode":
"en"}},"safetySettings":[{"category":"HARM_CATEGORY_HATE_SPEECH","threshold":"BLOCK_NONE"}],"labels":{"a":"b"},
"serviceTier":"flex","generationConfig":{"maxOutputTokens":2000,"temperature":0.5,"topP":0.9,"topK":4,"stopSequences":
["A","B"],"seed":5,"candidateCount":1,"presencePenalty":0.2,"frequencyPenalty":0.1,"responseLogprobs":true,"logprobs":
3,"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","properties":{"a":{"type":"STRING"}}},
"thinkingConfig":{"includeThoughts":true,"thinkingBudget":2048},"responseModalities":["TEXT"],"mediaResolution":
"MEDIA_RESOLUTION_LOW","speechConfig":{"languageCode":"en"},"enableEnhancedCivicAnswers":true,"audioTimestamp":true,
"imageConfig":{"aspectRatio":"1:1"}}}]]

local cohere = [[{"messages":[{"role":"system","content":"S1"},{"role":"user","content":[{"type":"text","text":
"look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"high"}}]},{"role":
"assistant","tool_plan":"plan","content":[{"type":"thinking","thinking":"th"},{"type":"text","text":"ok"}],
"citations":[{"start":0,"end":1,"text":"o","sources":[{"type":"document","id":"d1","document":{"id":"d1"}}]}],
"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":\"x\"}"}},{"id":"c2","type":
"function","function":{"name":"f","arguments":"{\"a\":\"y\"}"}}]},{"role":"tool","tool_call_id":"c2","content":"r2"},{
"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"r1"},{"type":"document","document":{"id":"dd",
"data":{"t":"x"}}}]},{"role":"user","content":"go"}],"tools":[{"type":"function","function":{"name":"f","description":
"d","parameters":{"type":"object","properties":{"a":{"type":"string"},"n":{"type":"integer"}},"required":["a"],
"additionalProperties":false}}}],"tool_choice":"REQUIRED","strict_tools":true,"documents":["plain doc",{"id":"d1",
"data":{"title":"T","text":"body"}}],"citation_options":{"mode":"FAST"},"response_format":{"type":"json_object",
"json_schema":{"type":"object","properties":{"a":{"type":"string"},"n":{"type":"integer"}},"required":["a"],
"additionalProperties":false}},"safety_mode":"STRICT","max_tokens":2000,"stop_sequences":["A","B"],"temperature":0.5,
"seed":5,"frequency_penalty":0.1,"presence_penalty":0.2,"k":4,"p":0.9,"logprobs":true,"thinking":{"type":"enabled",
"token_budget":2048},"priority":3,"raw_prompting":false}]]

local converse = [[{"system":[{"text":"S1"},{"cachePoint":{"type":"default","ttl":"1h"}},{"guardContent":{"text":{
"text":"G","qualifiers":["query"]}}}],"messages":[{"role":"user","content":[{"text":"look"},{"cachePoint":{"type":
"default"}},{"image":{"format":"png","source":{"bytes":"iVBORw0KGgo="}}},{"guardContent":{"text":{"text":"G2",
"qualifiers":["query"]}}},{"document":{"format":"txt","name":"Doc2","source":{"text":"plain"}}}]},{"role":"assistant",
"content":[{"reasoningContent":{"reasoningText":{"text":"th","signature":"sig"}}},{"reasoningContent":{
"redactedContent":"cmVk"}},{"citationsContent":{"content":[{"text":"ok"}],"citations":[{"title":"T","location":{
"documentChar":{"documentIndex":0,"start":0,"end":1}},"sourceContent":[{"text":"x"}]}]}},{"toolUse":{"toolUseId":"t1",
"name":"f","input":{"a":"x"}}},{"toolUse":{"toolUseId":"t2","name":"f","input":{"a":"y"}}}]},{"role":"user","content":
[{"toolResult":{"toolUseId":"t2","content":[{"json":{"o":[1]}}],"status":"error"}},{"toolResult":{"toolUseId":"t1",
"content":[{"text":"r1"},{"image":{"format":"png","source":{"bytes":"iVBORw0KGgo="}}}],"status":"success"}},{"text":
"go"}]}],"inferenceConfig":{"maxTokens":20000,"temperature":0.5,"topP":0.9,"stopSequences":["A","B"]},"toolConfig":{
"tools":[{"toolSpec":{"name":"f","description":"d","inputSchema":{"json":{"type":"object","properties":{"a":{"type":
"string"},"n":{"type":"integer"}},"required":["a"],"additionalProperties":false}},"strict":true}},{"cachePoint":{
"type":"default"}}],"toolChoice":{"any":{}}},"additionalModelRequestFields":{"top_k":4,"thinking":{"type":"enabled",
"budget_tokens":3000},"xx":1,"output_config":{"effort":"low"},"reasoning_effort":"low","reasoningConfig":{"type":
"enabled","maxReasoningEffort":"low"},"inferenceConfig":{"topK":3}},"additionalModelResponseFieldPaths":[
"/stop_sequence"],"guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"1","trace":"enabled"},
"requestMetadata":{"k":"v"},"performanceConfig":{"latency":"optimized"},"serviceTier":{"type":"flex"},
"promptVariables":{"x":{"text":"y"}},"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{
"schema":"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}","name":"nm","description":"dd"}}}}}]]

-- What belongs to the client: schemas, arguments, results.
local function client_json(...)
  return { "%.parameters%.", "schema%.", "Schema%.", "[sS]chema%.json%.", "%.input%.", "%.args%.", "%.response%.",
    "%.data%.",
    "%.json$", "%.json%.", ... }
end

return {
  {
    dialect = "openai.chat", body = chat, schemas = client_json(),
    free = { "^metadata", "^store$", "^modalities", "^prediction", "^web_search_options", "^verbosity$",
      "^prompt_cache_key$",
      "^safety_identifier$", "^x_unknown$", "^stream_options%.include_obfuscation$", "^logit_bias%.",
      "%.cache_control%.",
      -- Read as leniently as in the answers of servers, which clients send back.
      "%.refusal$", "%.reasoning_content$", "%.thinking%[0%]%.type$" },
    also = { ["%.content$"] = "string array", ["%.content%[%d%]$"] = "string", ["%.image_url$"] = "string",
      ["^stop$"] = "string",
      ["^tool_choice$"] = "string", ["%.thinking$"] = "string" },
  },
  {
    dialect = "openai.responses", body = responses, schemas = client_json(),
    free = { "^metadata", "^max_tool_calls$", "^prompt_cache_key$", "^safety_identifier$", "^stream_options",
      "^text%.verbosity$",
      "^x_unknown$", "%.status$", "%.id$", "%.annotations%[0%]%.", "%.logprobs$", "%.summary%[0%]%.type$" },
    also = { ["^input$"] = "string", ["%.content$"] = "string array", ["%.output$"] = "string array",
      ["%.image_url$"] = "object",
      ["^tool_choice$"] = "string" },
  },
  {
    dialect = "anthropic.messages", body = messages, schemas = client_json(),
    free = { "^container", "^context_management", "^mcp_servers", "^inference_geo$", "%.cache_control%.",
      "%.citations%[0%]%.",
      "%.input_examples", "^cache_control%.", "%.defer_loading$", "%.eager_input_streaming$", "%.max_uses$",
      -- Blocks that only Anthropic knows.
      "^messages%[0%]%.content%[4%]%.", "^messages%[1%]%.content%[[34]%]%." },
    also = { ["^system$"] = "string", ["%.content$"] = "string array" },
  },
  {
    dialect = "gemini", body = gemini, schemas = client_json(),
    free = { "%.videoMetadata", "%.executableCode", "%.codeExecutionResult", "%.willContinue$", "%.scheduling$",
      "%.response$",
      "%.behavior$", "%.googleSearch$", "%.codeExecution$", "%.retrievalConfig", "^safetySettings", "^labels",
      "^serviceTier$",
      "%.responseModalities", "%.mediaResolution$", "%.speechConfig", "%.enableEnhancedCivicAnswers$",
      "%.audioTimestamp$",
      "%.imageConfig", "^systemInstruction%.role$" },
    also = { ["^contents$"] = "object", ["%.parts$"] = "object", ["^tools$"] = "object" },
  },
  {
    dialect = "cohere.chat", body = cohere, schemas = client_json(),
    free = { "%.citations", "^safety_mode$", "^priority$", "^raw_prompting$" },
    also = { ["%.content$"] = "string array", ["%.image_url$"] = "string", ["%.document$"] = "string",
      ["%.data$"] = "string",
      ["^documents%[%d%]$"] = "string object" },
  },
  {
    dialect = "bedrock.converse", body = converse, schemas = client_json(),
    free = { "%.qualifiers", "%.location%.", "%.citations%[0%]%.title$", "^additionalModelRequestFields%.xx$",
      "^additionalModelResponseFieldPaths", "^guardrailConfig", "^requestMetadata", "^performanceConfig",
      "^promptVariables" },
    also = {},
  },
}
