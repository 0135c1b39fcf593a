-- A whole answer of each dialect with about every field that providers send, for kinds_spec.lua: [dialect] = JSON text.
-- What becomes of an answer for a client is in cases/.

return {
  ["openai.chat"] = [[{"id":"c1","object":"chat.completion","created":1,"model":"m-up","system_fingerprint":"fp",
"service_tier":"flex","choices":[{"index":0,"message":{"role":"assistant","content":"ok",
"refusal":null,"reasoning_content":"think","annotations":[{"type":"url_citation",
"url_citation":{"url":"http://x","title":"t","start_index":0,"end_index":2}}],"audio":{"id":
"a1","data":"AAAA","transcript":"tr","expires_at":5},"tool_calls":[{"id":"call_1","type":
"function","function":{"name":"f","arguments":"{\"a\":\"x\"}"}}],"x_unknown":1},"logprobs":{
"content":[{"token":"ok","logprob":-0.1,"bytes":[111,107],"top_logprobs":[{"token":"ok",
"logprob":-0.1,"bytes":null}]}],"refusal":null},"finish_reason":"tool_calls","x_choice":1},{
"index":1,"message":{"role":"assistant","content":"two"},"finish_reason":"length"}],"usage":
{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{
"cached_tokens":4,"audio_tokens":1,"cache_write_tokens":2},"completion_tokens_details":{
"reasoning_tokens":3,"audio_tokens":1,"accepted_prediction_tokens":1,
"rejected_prediction_tokens":0}},"citations":["http://x"],"search_results":[{"url":"u"}]}]],

  ["openai.responses"] = [[{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m-up",
"service_tier":"flex","output":[{"type":"reasoning","id":"rs_1","summary":[{"type":
"summary_text","text":"th"}],"content":[{"type":"reasoning_text","text":"full"}],
"encrypted_content":"gAAA"},{"type":"web_search_call","id":"ws_1","status":"completed",
"action":{"type":"search","query":"q"}},{"type":"message","id":"msg_1","status":"completed",
"role":"assistant","phase":"final_answer","content":[{"type":"output_text","text":"ok",
"annotations":[{"type":"url_citation","url":"http://x","title":"t","start_index":0,
"end_index":2},{"type":"file_citation","file_id":"f1","index":0,"filename":"n"}],"logprobs":
[{"token":"ok","logprob":-0.1,"bytes":[111],"top_logprobs":[]}]},{"type":"refusal",
"refusal":"no"}]},{"type":"function_call","id":"fc_1","call_id":"call_1","name":"f",
"arguments":"{\"a\":1}","status":"completed"},{"type":"image_generation_call","id":"ig_1",
"status":"completed","result":"iVBORw0KGgo="}],"usage":{"input_tokens":10,
"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"output_tokens":5,
"output_tokens_details":{"reasoning_tokens":3},"total_tokens":15},"metadata":{"k":"v"},
"conversation":{"id":"cv"}}]],

  ["anthropic.messages"] = [[{"id":"msg_1","type":"message","role":"assistant","model":"m-up","content":[{"type":
"thinking","thinking":"th","signature":"sig"},{"type":"redacted_thinking","data":"red"},{
"type":"text","text":"ok","citations":[{"type":"web_search_result_location","url":
"http://x","title":"t","encrypted_index":"e","cited_text":"ct"}]},{"type":"text","text":
"two","citations":[{"type":"char_location","cited_text":"x","document_index":0,
"document_title":"T","start_char_index":0,"end_char_index":1}]},{"type":"server_tool_use",
"id":"srv_1","name":"web_search","input":{"query":"q"}},{"type":"web_search_tool_result",
"tool_use_id":"srv_1","content":[{"type":"web_search_result","url":"http://x","title":"t",
"encrypted_content":"e"}]},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}],
"stop_reason":"tool_use","stop_sequence":null,"container":{"id":"c","expires_at":"t"},
"context_management":{"applied_edits":[{"type":"x"}]},"usage":{"input_tokens":10,
"output_tokens":5,"cache_read_input_tokens":4,"cache_creation_input_tokens":3,
"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":2},
"server_tool_use":{"web_search_requests":1},"service_tier":"priority",
"output_tokens_details":{"thinking_tokens":2},"inference_geo":"us"}}]],

  ["gemini"] = [[{"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"th","thought":true},{
"text":"ok","thoughtSignature":"c2ln"},{"functionCall":{"id":"g1","name":"f","args":{"a":
1}},"thoughtSignature":"c2lnMg=="},{"inlineData":{"mimeType":"image/png","data":
"iVBORw0KGgo="}},{"executableCode":{"language":"PYTHON","code":"1"}},{"codeExecutionResult":
{"outcome":"OUTCOME_OK","output":"1"}}]},"finishReason":"STOP","finishMessage":"fm",
"safetyRatings":[{"category":"HARM_CATEGORY_HATE_SPEECH","probability":"LOW"}],
"citationMetadata":{"citationSources":[{"startIndex":0,"endIndex":2,"uri":"http://x",
"license":"l"}]},"groundingMetadata":{"webSearchQueries":["q"],"groundingChunks":[{"web":{
"uri":"http://y","title":"y"}}],"groundingSupports":[{"segment":{"startIndex":0,"endIndex":
2,"text":"ok"},"groundingChunkIndices":[0]}],"searchEntryPoint":{"renderedContent":"<x>"}},
"urlContextMetadata":{"urlMetadata":[{"retrievedUrl":"http://z"}]},"avgLogprobs":-0.1,
"logprobsResult":{"topCandidates":[{"candidates":[{"token":"ok","logProbability":-0.1,
"tokenId":1}]}],"chosenCandidates":[{"token":"ok","logProbability":-0.1,"tokenId":1}]},
"tokenCount":3},{"index":1,"content":{"role":"model","parts":[{"text":"two"}]},
"finishReason":"MAX_TOKENS"}],"promptFeedback":{"safetyRatings":[{"category":
"HARM_CATEGORY_HATE_SPEECH","probability":"LOW"}]},"usageMetadata":{"promptTokenCount":10,
"candidatesTokenCount":5,"totalTokenCount":20,"thoughtsTokenCount":3,
"cachedContentTokenCount":4,"toolUsePromptTokenCount":2,"promptTokensDetails":[{"modality":
"TEXT","tokenCount":9},{"modality":"AUDIO","tokenCount":1}],"candidatesTokensDetails":[{
"modality":"TEXT","tokenCount":4},{"modality":"AUDIO","tokenCount":1}],"trafficType":
"ON_DEMAND"},"modelVersion":"m-up","responseId":"r1","createTime":"2026-01-01T00:00:00Z"}]],

  ["cohere.chat"] = [[{"id":"co1","finish_reason":"TOOL_CALL","message":{"role":"assistant","tool_plan":"plan",
"content":[{"type":"thinking","thinking":"th"},{"type":"text","text":"ok"}],"citations":[{
"start":0,"end":2,"text":"ok","type":"TEXT_CONTENT","content_index":1,"sources":[{"type":
"document","id":"d1","document":{"id":"d1","title":"t"}}]}],"tool_calls":[{"id":"c1","type":
"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},"logprobs":[{"token_ids":[1],
"text":"ok","logprobs":[-0.1]}],"usage":{"billed_units":{"input_tokens":7,"output_tokens":5,
"search_units":1,"classifications":0},"tokens":{"input_tokens":10,"output_tokens":5},
"cached_tokens":4}}]],

  ["bedrock.converse"] = [[{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{
"text":"th","signature":"sig"}}},{"reasoningContent":{"redactedContent":"cmVk"}},{"text":
"ok"},{"citationsContent":{"content":[{"text":"two"}],"citations":[{"title":"T","location":{
"documentChar":{"documentIndex":0,"start":0,"end":1}},"sourceContent":[{"text":"x"}]}]}},{
"toolUse":{"toolUseId":"t1","name":"f","input":{"a":1}}}]}},"stopReason":"tool_use","usage":
{"inputTokens":10,"outputTokens":5,"totalTokens":15,"cacheReadInputTokens":4,
"cacheWriteInputTokens":3,"cacheDetails":[{"inputTokens":2,"ttl":"1h"}]},"metrics":{
"latencyMs":1},"additionalModelResponseFields":{"stop_sequence":"A"},"trace":{"guardrail":{
"modelOutput":["x"]}},"performanceConfig":{"latency":"optimized"},"serviceTier":{"type":
"flex"}}]],
}
