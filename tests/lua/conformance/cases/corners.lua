-- Corners of several pitfalls that clients meet with valid but rare requests and answers: what is lost there is named,
-- what a provider would refuse is refused with its place, nothing of one company's words reaches another's.

return function(json)
  local chat, claude, gemini, bedrock = "openai.chat", "anthropic.messages", "gemini", "bedrock.converse"
  local cohere, responses = "cohere.chat", "openai.responses"
  local text_bytes, words = "SGVsbG8=", "Hello"

  local function asks(fields)
    local body = { model = "r", max_tokens = 100, messages = { { role = "user", content = "hi" } } }
    for name, v in pairs(fields) do body[name] = v end
    return body
  end

  local function says(...) return asks({ messages = { { role = "user", content = { ... } } } }) end

  local function generates(parts, config, rest)
    local body = { contents = { { role = "user", parts = parts } }, generationConfig = config }
    for name, v in pairs(rest or {}) do body[name] = v end
    return body
  end

  local function converses(...)
    return { inferenceConfig = { maxTokens = 9 }, messages = { { role = "user", content = { { text = "t" }, ... } } } }
  end

  local function inline(media_type, bytes)
    return generates({ { text = "t" }, { inlineData = { mimeType = media_type, data = bytes or text_bytes } } },
      { maxOutputTokens = 100 })
  end

  local function document(media_type)
    return { type = "document", source = { type = "base64", media_type = media_type, data = text_bytes } }
  end

  local grammar = { type = "grammar", grammar = { syntax = "regex", definition = "a+" } }
  local logprobs = { { token = "ok", logprob = -0.5, bytes = { 111, 107 }, top_logprobs = json.array({}) } }
  local hm, no_more = { type = "enabled" }, {}

  local cases = {
    { name = "TR-34 a custom tool is one for Responses too, its grammar flat", client = chat, provider = responses,
      request = asks({
        tools = { { type = "custom", custom = { name = "shell", description = "d", format = grammar } } },
        tool_choice = { type = "custom", custom = { name = "shell" } } }),
      sent_has = { tools = { { type = "custom", name = "shell", description = "d",
        format = { type = "grammar", syntax = "regex", definition = "a+" } } },
        tool_choice = { type = "custom", name = "shell" } } },
    { name = "TR-34 the grammar of a custom tool is no word of Anthropic's", client = chat, provider = claude,
      request = asks({ tools = { { type = "custom", custom = { name = "shell", format = grammar } } } }),
      sent_has = { tools = { { name = "shell" } } }, losses = { "tools[].format" } },
    { name = "TR-51 Gemini's words on a function are none of Anthropic's", client = gemini, provider = claude,
      request = generates({ { text = "hi" } }, { maxOutputTokens = 9 },
        { tools = { { functionDeclarations = { { name = "f", behavior = "BLOCKING" } } } } }),
      losses = { "tools[].behavior" } },

    { name = "TR-37 a media type is written in any case, and jpg is jpeg", client = chat, provider = claude,
      request = says({ type = "image_url", image_url = { url = "data:image/JPG;base64,AAAA" } }),
      sent_has = { messages = { { content = { { source = { media_type = "image/jpeg", data = "AAAA" } } } } } } },
    { name = "TR-38 a text in base64 is text for Anthropic", client = gemini, provider = claude,
      request = inline("text/plain"),
      sent_has = { messages = { { content = { { text = "t" },
        { type = "document", source = { type = "text", media_type = "text/plain", data = words } } } } } } },
    { name = "TR-38 Anthropic takes no other documents: a video", client = gemini, provider = claude,
      request = inline("video/mp4"), refused = "contents[0].parts[1]" },
    { name = "TR-38 Anthropic takes no other documents: Word's", client = bedrock, provider = claude,
      request = converses({ document = { format = "docx", name = "a", source = { bytes = text_bytes } } }),
      refused = "messages[0].content[1].document" },
    { name = "TR-38 nor texts that are none", client = gemini, provider = claude,
      request = inline("text/plain", "/w=="), refused = "contents[0].parts[1]" },
    { name = "TR-38 a file of Chat is named after its type", client = claude, provider = chat,
      request = says(document("text/csv")),
      sent_text = { '"filename":"document.csv"', '"file_data":"data:text/csv;base64,' } },
    { name = "TR-38 a video is no file of Chat", client = gemini, provider = chat, request = inline("video/mp4"),
      refused = "contents[0].parts[1]" },
    { name = "TR-38 a video is no file of Responses", client = gemini, provider = responses,
      request = inline("video/mp4"), refused = "contents[0].parts[1]" },
    { name = "TR-40 audio of Converse is audio", client = bedrock, provider = chat,
      request = converses({ audio = { format = "mp3", source = { bytes = "AAAA" } } }),
      sent_has = { messages = { { content = { { text = "t" },
        { type = "input_audio", input_audio = { data = "AAAA", format = "mp3" } } } } } } },
    { name = "TR-51 a block of Converse is one thing", client = bedrock, provider = chat,
      request = converses({ text = "a", image = { format = "png", source = { bytes = "AAAA" } } }),
      refused = "messages[0].content[1]" },
    { name = "TR-51 what Gemini is told beside a part is listed", client = gemini, provider = bedrock,
      request = generates({ { text = "t" }, { inlineData = { mimeType = "video/mp4", data = "AAAA" },
        videoMetadata = { fps = 1 } } }, { maxOutputTokens = 100 }),
      losses = { "contents[].parts[].videoMetadata" } },
    { name = "TR-51 when a result is to be told is listed", client = gemini, provider = chat,
      request = { contents = { { role = "model", parts = { { functionCall = { name = "f", args = no_more } } } },
        { role = "user", parts = { { functionResponse = { name = "f", response = { output = "x" },
          willContinue = false, scheduling = "SILENT" } } } } } },
      losses = { "contents[].parts[].functionResponse.scheduling" } },
    { name = "TR-52 a media type that nobody else answers in is listed", client = gemini, provider = chat,
      request = generates({ { text = "t" } }, { responseMimeType = "text/x.enum" }),
      losses = { "generationConfig.responseMimeType" } },

    { name = "TR-57 thinking that Chat has no word for is listed", client = chat, provider = responses,
      request = asks({ thinking = hm }), losses = { "thinking" }, not_sent = { "reasoning" } },
    { name = "TR-57 adaptive thinking is Anthropic's alone", client = claude, provider = chat,
      request = asks({ thinking = { type = "adaptive" } }), losses = { "thinking" } },
    { name = "TR-57 thoughts are shown by Responses as by Gemini", client = gemini, provider = responses,
      request = generates({ { text = "t" } }, { thinkingConfig = { includeThoughts = true } }),
      sent_has = { reasoning = { summary = "auto" } } },
    { name = "TR-56 of effort and budget the effort is sent, the budget listed: Chat", client = claude, provider = chat,
      request = asks({ max_tokens = 9000, thinking = { type = "enabled", budget_tokens = 3000 },
        output_config = { effort = "high" } }),
      sent_has = { reasoning_effort = "high" }, losses = { "thinking.budget_tokens" } },
    { name = "TR-56 of effort and budget the effort is sent, the budget listed: Responses", client = claude,
      provider = responses, request = asks({ max_tokens = 9000,
        thinking = { type = "enabled", budget_tokens = 3000 }, output_config = { effort = "high" } }),
      sent_has = { reasoning = { effort = "high" } }, losses = { "thinking.budget_tokens" } },
    { name = "TR-56 of effort and budget the budget is sent, the effort listed: Gemini", client = claude,
      provider = gemini, request = asks({ max_tokens = 9000, thinking = { type = "enabled", budget_tokens = 3000 },
        output_config = { effort = "high" } }),
      sent_has = { generationConfig = { thinkingConfig = { thinkingBudget = 3000 } } },
      losses = { "reasoning_effort" } },
    { name = "documents of Cohere keep their numbers", client = cohere, provider = chat,
      request = '{"model":"r","messages":[{"role":"user","content":"hi"}],"citation_options":{"mode":"OFF"},'
        .. '"documents":[{"data":{"n":12345678901234567890,"f":1.10}}]}',
      sent_text = { '12345678901234567890', '1.10' },
      losses = { "citation_options", "messages[].content[](document sent as text)" } },

    { name = "logprobs find their text before a call", client = responses, provider = chat,
      request = { model = "r", input = "hi", include = { "message.output_text.logprobs" } },
      answer = { id = "c1", object = "chat.completion", created = 1, model = "pm", choices = { { index = 0,
        finish_reason = "tool_calls", logprobs = { content = logprobs },
        message = { role = "assistant", content = "ok", tool_calls = { { id = "c", type = "function",
          ["function"] = { name = "f", arguments = "{}" } } } } } } },
      told_has = { output = { { content = { { text = "ok", logprobs = logprobs } } }, { type = "function_call" } } } },
    { name = "logprobs of an answer without text are listed", client = responses, provider = chat,
      answer = { id = "c1", object = "chat.completion", created = 1, model = "pm", choices = { { index = 0,
        finish_reason = "tool_calls", logprobs = { content = logprobs },
        message = { role = "assistant", content = json.null, tool_calls = { { id = "c", type = "function",
          ["function"] = { name = "f", arguments = "{}" } } } } } } },
      answer_losses = { "output[].content[].logprobs(without a text)" } },
    { name = "what Anthropic says of its containers and edits is listed", client = chat, provider = claude,
      answer = { id = "msg_1", type = "message", role = "assistant", model = "pm", stop_reason = "end_turn",
        stop_sequence = json.null, usage = { input_tokens = 1, output_tokens = 1 },
        content = { { type = "text", text = "ok" } }, container = { id = "c" },
        context_management = { applied_edits = { { type = "clear_tool_uses_20250919" } } } },
      answer_losses = { "container", "context_management" } },
    { name = "what Google wants shown of its search is listed", client = chat, provider = gemini,
      answer = { candidates = { { index = 0, finishReason = "STOP",
        content = { role = "model", parts = { { text = "ok" } } },
        groundingMetadata = { webSearchQueries = { "q" }, searchEntryPoint = { renderedContent = "<b/>" } } } },
        usageMetadata = { promptTokenCount = 1, candidatesTokenCount = 1, totalTokenCount = 2 } },
      answer_losses = { "groundingMetadata.searchEntryPoint", "groundingMetadata.webSearchQueries" } },
    { name = "an item without a type is the provider's fault", client = chat, provider = responses,
      answer = { id = "resp_1", object = "response", status = "completed", output = { { id = "x" } } },
      told_status = 502 },
  }

  -- Answers that some servers give: an object of arguments, an empty id. How such a call is named is not known here.
  local lax = { id = "", type = "function", ["function"] = { name = "f", arguments = { x = 1 } } }
  cases[#cases + 1] = { name = "TR-26 arguments of an answer that are an object", client = claude, provider = chat,
    answer = { id = "c1", object = "chat.completion", created = 1, model = "pm", choices = { { index = 0,
      finish_reason = "tool_calls", message = { role = "assistant", content = json.null, tool_calls = { lax } } } } },
    told_has = { content = { { type = "tool_use", name = "f", input = { x = 1 } } } } }

  for _, choice in ipairs { "none", "auto" } do
    for _, provider in ipairs { claude, gemini, bedrock, cohere, responses } do
      cases[#cases + 1] = { name = "TR-21 " .. choice .. " of no tools loses nothing: " .. provider, client = chat,
        provider = provider, request = asks({ tool_choice = choice }), losses = {}, not_sent = { "tool_choice" } }
    end
    cases[#cases + 1] = { name = "TR-21 " .. choice .. " of no tools loses nothing: " .. chat, client = responses,
      provider = chat, request = { model = "r", input = "hi", tool_choice = choice }, losses = {},
      not_sent = { "tool_choice" } }
  end
  return cases
end
