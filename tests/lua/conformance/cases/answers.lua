-- Stop reasons, usage, streams and errors, TR-63 … TR-96: what a provider answers, and what a client of another dialect
-- is told, whole and streamed.

return function(json)
  local chat, claude, gemini, bedrock = "openai.chat", "anthropic.messages", "gemini", "bedrock.converse"
  local cohere, responses = "cohere.chat", "openai.responses"
  local none = json.null

  local function completion(message, finish, usage)
    message.role = "assistant"
    return { id = "c1", object = "chat.completion", created = 1, model = "pm",
      usage = usage or { prompt_tokens = 10, completion_tokens = 5, total_tokens = 15 },
      choices = { { index = 0, finish_reason = finish, message = message } } }
  end

  local function chunk(delta, finish, usage)
    return { id = "c1", object = "chat.completion.chunk", created = 1, model = "pm", usage = usage,
      choices = { { index = 0, delta = delta, finish_reason = finish or none } } }
  end

  local function usage_chunk(usage)
    return { id = "c1", object = "chat.completion.chunk", created = 1, model = "pm", choices = json.array({}),
      usage = usage or { prompt_tokens = 10, completion_tokens = 5, total_tokens = 15 } }
  end

  local function message(content, stop_reason, usage, stop_sequence)
    if type(content) == "string" then content = { { type = "text", text = content } } end
    return { id = "msg_1", type = "message", role = "assistant", model = "pm", stop_reason = stop_reason,
      stop_sequence = stop_sequence or none, content = content,
      usage = usage or { input_tokens = 10, output_tokens = 5 } }
  end

  local function started(usage)
    local begun = message(json.array({}), none, usage or { input_tokens = 10, output_tokens = 1 })
    return { type = "message_start", message = begun }
  end

  local function text_block(index, ...)
    local events = { { type = "content_block_start", index = index, content_block = { type = "text", text = "" } } }
    for _, text in ipairs({ ... }) do
      events[#events + 1] = { type = "content_block_delta", index = index,
        delta = { type = "text_delta", text = text } }
    end
    events[#events + 1] = { type = "content_block_stop", index = index }
    return events
  end

  local function stream(...)
    local out = {}
    for _, item in ipairs({ ... }) do
      if item.type or item.id or item.data then
        out[#out + 1] = item
      else
        for _, event in ipairs(item) do out[#out + 1] = event end
      end
    end
    return out
  end

  local function ending(reason, usage)
    return { { type = "message_delta", delta = { stop_reason = reason, stop_sequence = none },
      usage = usage or { output_tokens = 5 } }, { type = "message_stop" } }
  end

  local function converse(reason)
    return { output = { message = { role = "assistant", content = { { text = "ok" } } } }, stopReason = reason,
      usage = { inputTokens = 10, outputTokens = 5, totalTokens = 15 }, metrics = { latencyMs = 1 } }
  end

  local function candidate(reason, parts)
    return { candidates = { { index = 0, finishReason = reason,
      content = { role = "model", parts = parts or { { text = "ok" } } } } }, modelVersion = "pm", responseId = "r1",
      usageMetadata = { promptTokenCount = 10, candidatesTokenCount = 5, totalTokenCount = 15 } }
  end

  local cases = {
    { name = "TR-64 a filtered answer is a refusal for Anthropic", client = claude, provider = chat,
      answer = completion({ content = "ok" }, "content_filter"), told_has = { stop_reason = "refusal" },
      outcome = { finish = "content_filter" } },
    { name = "TR-64 a refusal in words is a refusal for Anthropic", client = claude, provider = chat,
      answer = completion({ content = none, refusal = "No." }, "stop"),
      told_has = { stop_reason = "refusal", content = { { type = "text", text = "No." } } } },

    { name = "TR-65 an unknown reason does not fail the answer: Anthropic's", client = chat, provider = claude,
      answer = message("ok", "brand_new"), told_has = { choices = { { finish_reason = "stop" } } } },
    { name = "TR-65 an unknown reason does not fail the answer: Chat's", client = claude, provider = chat,
      answer = completion({ content = "ok" }, "brand_new"), told_has = { stop_reason = "end_turn" } },
    { name = "TR-65 an unknown reason does not fail the answer: Bedrock's", client = chat, provider = bedrock,
      answer = converse("brand_new"), told_has = { choices = { { finish_reason = "stop" } } } },

    { name = "TR-66 odd reasons on each chunk, and stop beside calls", client = claude, provider = chat,
      events = { chunk({ role = "assistant", content = "" }, ""), chunk({ content = "on it" }, "null"),
        chunk({ tool_calls = { { index = 0, id = "a", type = "function", ["function"] = { name = "f",
          arguments = "{}" } } } }, ""), chunk({}, "stop"), usage_chunk(), "[DONE]" },
      outcome = { text = "on it", finish = "tool_calls", calls = { { id = "a", name = "f", arguments = "{}" } } } },

    { name = "TR-67 the stop text that was met stands beside", client = chat, provider = claude,
      answer = message("ok", "stop_sequence", nil, "END"),
      told_has = { choices = { { finish_reason = "stop", stop_sequence = "END" } } } },

    { name = "TR-68 Anthropic's usage for Chat: the sum", client = chat, provider = claude,
      answer = message("ok", "end_turn", { input_tokens = 10, cache_read_input_tokens = 100,
        cache_creation_input_tokens = 20, output_tokens = 5 }),
      told_has = { usage = { prompt_tokens = 130, completion_tokens = 5, total_tokens = 135,
        prompt_tokens_details = { cached_tokens = 100 } } },
      usage = { input_tokens = 130, cache_read_tokens = 100, cache_write_tokens = 20, output_tokens = 5 } },
    { name = "TR-68 Chat's usage for Anthropic: the difference", client = claude, provider = chat,
      answer = completion({ content = "ok" }, "stop", { prompt_tokens = 130, completion_tokens = 5, total_tokens = 135,
        prompt_tokens_details = { cached_tokens = 100 } }),
      told_has = { usage = { input_tokens = 30, cache_read_input_tokens = 100, output_tokens = 5 } },
      usage = { input_tokens = 130, cache_read_tokens = 100, output_tokens = 5 } },
    { name = "TR-68 never below 0", client = claude, provider = chat,
      answer = completion({ content = "ok" }, "stop", { prompt_tokens = 0, completion_tokens = 5, total_tokens = 5,
        prompt_tokens_details = { cached_tokens = 0 } }),
      told_has = { usage = { input_tokens = 0, output_tokens = 5 } } },
    { name = "TR-68 Bedrock's usage for Chat: the sum", client = chat, provider = bedrock,
      answer = { output = converse("end_turn").output, stopReason = "end_turn", metrics = { latencyMs = 1 },
        usage = { inputTokens = 10, outputTokens = 5, totalTokens = 115, cacheReadInputTokens = 100 } },
      told_has = { usage = { prompt_tokens = 110, prompt_tokens_details = { cached_tokens = 100 } } } },

    { name = "TR-69 thoughts of Gemini are added to the output", client = chat, provider = gemini,
      answer = { candidates = candidate("STOP").candidates, modelVersion = "pm",
        usageMetadata = { promptTokenCount = 10, candidatesTokenCount = 5, thoughtsTokenCount = 7,
          totalTokenCount = 22 } },
      told_has = { usage = { completion_tokens = 12, completion_tokens_details = { reasoning_tokens = 7 } } },
      usage = { output_tokens = 12, reasoning_tokens = 7 } },
    { name = "TR-69 reasoning of Chat is inside", client = claude, provider = chat,
      answer = completion({ content = "ok" }, "stop", { prompt_tokens = 10, completion_tokens = 12, total_tokens = 22,
        completion_tokens_details = { reasoning_tokens = 7 } }),
      usage = { output_tokens = 12, reasoning_tokens = 7 }, told_has = { usage = { output_tokens = 12 } } },

    { name = "TR-70 counters are set, never added", client = chat, provider = claude,
      events = stream(started({ input_tokens = 10, cache_read_input_tokens = 4, output_tokens = 1 }),
        text_block(0, "ok"), { { type = "message_delta", delta = json.raw("{}"), usage = { output_tokens = 3 } },
          { type = "message_delta", delta = { stop_reason = "end_turn" }, usage = { output_tokens = 5 } },
          { type = "message_delta", delta = json.raw("{}") }, { type = "message_stop" } }),
      outcome = { usage = { input_tokens = 14, cache_read_tokens = 4, output_tokens = 5 } } },
    { name = "TR-70 Gemini counts on each chunk: the last value", client = chat, provider = gemini,
      events = { { candidates = { { index = 0, content = { role = "model", parts = { { text = "o" } } } } },
        usageMetadata = { promptTokenCount = 10, candidatesTokenCount = 1, totalTokenCount = 11 } },
        candidate("STOP", { { text = "k" } }) },
      outcome = { text = "ok", finish = "stop", usage = { input_tokens = 10, output_tokens = 5 } } },

    { name = "TR-71 usage behind the finish reason, without choices, is waited for", client = claude, provider = chat,
      request = { model = "r", max_tokens = 100, stream = true, messages = { { role = "user", content = "hi" } } },
      sent = { model = "m", max_tokens = 100, stream = true, stream_options = { include_usage = true },
        messages = { { role = "user", content = "hi" } } },
      events = { chunk({ role = "assistant", content = "ok" }), chunk({}, "stop"), usage_chunk(), "[DONE]" },
      told_stream_has = { { type = "message_start" }, { type = "message_delta", usage = { input_tokens = 10,
        output_tokens = 5 } }, { type = "message_stop" } },
      outcome = { text = "ok", finish = "stop", usage = { input_tokens = 10, output_tokens = 5 } } },
    { name = "TR-71 without [DONE] the end of the body is enough", client = claude, provider = chat,
      events = { chunk({ role = "assistant", content = "ok" }), chunk({}, "stop") },
      outcome = { text = "ok", finish = "stop" } },

    { name = "TR-72 message_start says 0 and message_delta corrects it", client = claude, provider = chat,
      events = { chunk({ role = "assistant", content = "ok" }), chunk({}, "stop"), usage_chunk(), "[DONE]" },
      told_stream_has = { { type = "message_start", message = { usage = { input_tokens = 0, output_tokens = 0 } } },
        { type = "message_delta", usage = { input_tokens = 10 } } } },

    { name = "TR-73 Cohere's tokens are told", client = chat, provider = cohere,
      answer = { id = "r1", finish_reason = "COMPLETE", message = { role = "assistant",
        content = { { type = "text", text = "ok" } } }, usage = { billed_units = { input_tokens = 3,
        output_tokens = 5 }, tokens = { input_tokens = 10, output_tokens = 5 } } },
      told_has = { usage = { prompt_tokens = 10, completion_tokens = 5 } } },
    { name = "TR-73 audio tokens are counted apart", client = chat, provider = gemini,
      answer = { candidates = candidate("STOP").candidates, modelVersion = "pm",
        usageMetadata = { promptTokenCount = 10, candidatesTokenCount = 5, totalTokenCount = 15,
          promptTokensDetails = { { modality = "TEXT", tokenCount = 4 }, { modality = "AUDIO", tokenCount = 6 } } } },
      usage = { input_tokens = 10, audio_input_tokens = 6 } },

    { name = "TR-76 text is bytes: escapes, halves of pairs and odd characters arrive", client = claude,
      provider = chat,
      events = { '{"id":"c1","object":"chat.completion.chunk","created":1,"model":"pm","choices":[{"index":0,'
        .. '"delta":{"role":"assistant","content":"h\\u00e9 \\ud83d\\ude00 \\"q\\" \u{2028} \240\159\152\128"},'
        .. '"finish_reason":null}]}', chunk({}, "stop"), "[DONE]" },
      outcome = { text = "hé \u{1F600} \"q\" \u{2028} \u{1F600}" } },

    { name = "TR-80 a stream that breaks off is no end: Chat's", client = claude, provider = chat,
      events = { chunk({ role = "assistant", content = "ok" }) },
      outcome = { text = "ok", error = "The provider's stream broke off before its end." } },
    { name = "TR-80 a stream that breaks off is no end: Anthropic's", client = chat, provider = claude,
      events = stream(started(), text_block(0, "ok")),
      outcome = { text = "ok", error = "The provider's stream broke off before its end." } },
    { name = "TR-78 TR-80 Bedrock's usage comes behind its stop", client = chat, provider = bedrock,
      events = { { name = "messageStart", data = { role = "assistant" } },
        { name = "contentBlockDelta", data = { contentBlockIndex = 0, delta = { text = "ok" } } },
        { name = "contentBlockStop", data = { contentBlockIndex = 0 } },
        { name = "messageStop", data = { stopReason = "end_turn" } },
        { name = "metadata", data = { usage = { inputTokens = 10, outputTokens = 5, totalTokens = 15 },
          metrics = { latencyMs = 1 } } } },
      outcome = { text = "ok", finish = "stop", usage = { input_tokens = 10, output_tokens = 5 } } },

    { name = "TR-81 interleaved calls and text are whole blocks, one after the other", client = claude,
      provider = chat,
      events = { chunk({ role = "assistant", content = "" }),
        chunk({ tool_calls = { { index = 0, id = "a", type = "function", ["function"] = { name = "f",
          arguments = '{"x"' } } } }),
        chunk({ tool_calls = { { index = 1, id = "b", type = "function", ["function"] = { name = "g",
          arguments = '{"y"' } } } }), chunk({ content = "late" }),
        chunk({ tool_calls = { { index = 0, ["function"] = { arguments = ":1}" } } } }),
        chunk({ tool_calls = { { index = 1, ["function"] = { arguments = ":2}" } } } }),
        chunk({}, "tool_calls"), "[DONE]" },
      outcome = { text = "late", finish = "tool_calls", calls = { { id = "a", name = "f", arguments = '{"x":1}' },
        { id = "b", name = "g", arguments = '{"y":2}' } } } },

    { name = "TR-82 no role, no choices in the first chunk, the role again and again", client = claude,
      provider = chat,
      events = { { id = "c1", object = "chat.completion.chunk", created = 1, model = "pm", choices = json.array({}),
        prompt_filter_results = json.array({}) }, chunk({ content = "o" }),
        chunk({ role = "assistant", content = "k" }), chunk({ role = "assistant", content = "" }),
        chunk({}, "stop"), "[DONE]" },
      outcome = { text = "ok", finish = "stop" } },

    { name = "TR-83 the role comes once", client = chat, provider = claude,
      events = stream(started(), { { type = "ping" } }, text_block(0, "o", "k"), ending("end_turn")),
      outcome = { text = "ok", finish = "stop" } },

    { name = "TR-84 Responses events have numbers, items and their ends", client = responses, provider = claude,
      events = stream(started(), text_block(0, "o", "k"), ending("end_turn")),
      told_stream_has = { { type = "response.created", sequence_number = 0 }, { type = "response.output_item.added",
        output_index = 0 }, { type = "response.output_text.delta", output_index = 0, content_index = 0, delta = "o" },
        { type = "response.output_text.done", text = "ok" }, { type = "response.output_item.done" },
        { type = "response.completed" } },
      outcome = { text = "ok", finish = "stop" } },

    { name = "TR-85 an error inside a stream is Anthropic's error event", client = claude, provider = chat,
      events = { chunk({ role = "assistant", content = "ok" }), { error = { message = "overloaded",
        type = "server_error", code = 503 } } },
      told_stream_has = { { type = "error", error = { type = "overloaded_error", message = "overloaded" } } },
      outcome = { text = "ok", error = "overloaded" } },
    { name = "TR-85 an error inside a stream is an error chunk for Chat, not a finish reason", client = chat,
      provider = claude,
      events = stream(started(), text_block(0, "ok"), { { type = "error", error = { type = "overloaded_error",
        message = "Overloaded" } } }),
      told_stream_has = { { error = { message = "Overloaded" } } },
      outcome = { text = "ok", error = "Overloaded" } },
    { name = "TR-85 an error inside a stream is response.failed for Responses", client = responses, provider = claude,
      events = stream(started(), text_block(0, "ok"), { { type = "error", error = { type = "overloaded_error",
        message = "Overloaded" } } }),
      told_stream_has = { { type = "response.failed" } }, outcome = { error = "Overloaded" } },
    { name = "TR-78 TR-85 an exception of Bedrock inside status 200", client = chat, provider = bedrock,
      events = { { name = "messageStart", data = { role = "assistant" } },
        { name = "throttlingException", data = { message = "Too many requests" } } },
      outcome = { error = "Too many requests" } },

    { name = "TR-88 an error inside status 200 is an error", client = claude, provider = chat,
      answer = { error = { message = "no such thing", code = 400 } }, told_status = 400,
      told_has = { type = "error", error = { type = "invalid_request_error", message = "no such thing" } } },
    { name = "TR-88 Bedrock without output", client = chat, provider = bedrock, answer = { Output = none },
      told_status = 502 },

    { name = "TR-89 529 is 503 for Chat", client = chat, provider = claude, error = { status = 529,
      body = { type = "error", error = { type = "overloaded_error", message = "Overloaded" } } },
      told_status = 503, told_has = { error = { message = "Overloaded", code = "overloaded" } },
      class = "overloaded" },
    { name = "TR-89 Gemini's exhausted resource is 429", client = chat, provider = gemini, error = { status = 429,
      body = { error = { code = 429, status = "RESOURCE_EXHAUSTED", message = "Quota exceeded" } } },
      told_status = 429, told_has = { error = { message = "Quota exceeded", type = "rate_limit_error" } } },

    { name = "TR-93 id and model are what the client may see, created is there for Chat", client = chat,
      provider = claude, answer = message("ok", "end_turn"),
      told_has = { id = "msg_1", model = "alias", object = "chat.completion", created = 1 } },
    { name = "TR-93 Bedrock names no model and no id", client = claude, provider = bedrock,
      answer = converse("end_turn"), told_has = { model = "alias", type = "message", stop_reason = "end_turn" } },

    { name = "TR-96 an answer in escaped ASCII is the same answer", client = claude, provider = chat,
      answer = '{"id":"c1","object":"chat.completion","created":1,"model":"pm","choices":[{"index":0,"finish_reason":'
        .. '"stop","message":{"role":"assistant","content":"h\\u00e9 \\u003cb\\u003e \\ud83d\\ude00"}}]}',
      outcome = { text = "hé <b> \u{1F600}" } },
  }

  -- TR-63: each provider's words for how an answer ended.
  for _, row in ipairs {
    { claude, "end_turn", "stop" }, { claude, "stop_sequence", "stop" }, { claude, "pause_turn", "stop" },
    { claude, "max_tokens", "length" }, { claude, "model_context_window_exceeded", "length" },
    { claude, "tool_use", "tool_calls" }, { claude, "refusal", "content_filter" },
    { bedrock, "end_turn", "stop" }, { bedrock, "max_tokens", "length" },
    { bedrock, "guardrail_intervened", "content_filter" }, { bedrock, "content_filtered", "content_filter" },
    { gemini, "STOP", "stop" }, { gemini, "MAX_TOKENS", "length" }, { gemini, "SAFETY", "content_filter" },
    { gemini, "BLOCKLIST", "content_filter" }, { gemini, "PROHIBITED_CONTENT", "content_filter" },
    { gemini, "SPII", "content_filter" },
  } do
    local provider, word, told = row[1], row[2], row[3]
    local content = word == "tool_use" and { { type = "tool_use", id = "t", name = "f", input = { x = 1 } } } or "ok"
    local answer = provider == claude and message(content, word) or provider == bedrock and converse(word)
      or candidate(word)
    cases[#cases + 1] = { name = "TR-63 " .. provider .. " " .. word .. " is " .. told, client = chat,
      provider = provider, answer = answer, told_has = { choices = { { finish_reason = told } } } }
  end
  cases[#cases + 1] = { name = "TR-63 STOP beside a call of Gemini is tool_calls", client = chat, provider = gemini,
    answer = candidate("STOP", { { functionCall = { name = "f", args = { x = 1 } } } }),
    told_has = { choices = { { finish_reason = "tool_calls" } } } }

  -- TR-88: every shape of error body gives a message.
  for _, row in ipairs {
    { chat, { error = { message = "bad", type = "invalid_request_error", param = none, code = none } } },
    { chat, { message = "bad", type = "invalid" } }, { chat, { detail = { { msg = "bad", loc = { "body" } } } } },
    { chat, { { error = { message = "bad", code = 400, status = "INVALID_ARGUMENT" } } } },
    { chat, "<html><body><h1>bad</h1></body></html>" }, { gemini, { error = { message = "bad", code = 400,
      status = "INVALID_ARGUMENT" } } }, { bedrock, { message = "bad" } }, { cohere, { message = "bad" } },
    { claude, { type = "error", error = { type = "invalid_request_error", message = "bad" } } },
    { responses, { error = { message = "bad", type = "invalid_request_error", param = none, code = none } } },
  } do
    for _, client in ipairs { chat, claude } do
      cases[#cases + 1] = { name = "TR-88 " .. row[1] .. ": " .. (type(row[2]) == "string" and row[2]
        or json.encode(row[2])) .. " for " .. client, client = client, provider = row[1],
        error = { status = 400, body = row[2] }, told_status = 400, told_has = { error = { message = "bad" } } }
    end
  end

  -- TR-90: a full context has one class, whatever the text.
  for _, row in ipairs {
    { chat, { error = { message = "This model's maximum context length is 8192 tokens.",
      type = "invalid_request_error", code = "context_length_exceeded" } } },
    { claude, { type = "error", error = { type = "invalid_request_error",
      message = "prompt is too long: 210000 tokens > 200000 maximum" } } },
    { gemini, { error = { code = 400, status = "INVALID_ARGUMENT",
      message = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)." } } },
    { bedrock, { message = "Input is too long for requested model." } },
    { cohere, { message = "too many tokens: total number of tokens in the prompt cannot exceed 128000" } },
  } do
    cases[#cases + 1] = { name = "TR-90 a full context of " .. row[1], client = chat, provider = row[1],
      error = { status = 400, body = row[2] }, told_status = 400,
      told_has = { error = { code = "context_length_exceeded" } }, class = "context_length" }
  end
  return cases
end
