-- Images, documents and audio, TR-37 … TR-40.

return function(json)
  local chat, claude, gemini, bedrock = "openai.chat", "anthropic.messages", "gemini", "bedrock.converse"
  local png, pdf = "iVBORw0KGgo=", "JVBERi0xLjQK"

  local function asks(...)
    return { model = "r", max_tokens = 100, messages = { { role = "user", content = { ... } } } }
  end

  local function sent(...)
    return { model = "m", max_tokens = 100, messages = { { role = "user", content = { ... } } } }
  end

  local function url(address, detail)
    return { type = "image_url", image_url = { url = address, detail = detail } }
  end

  local function image(source) return { type = "image", source = source } end

  local bytes = { type = "base64", media_type = "image/png", data = png }
  local pdf_bytes = { type = "base64", media_type = "application/pdf", data = pdf }
  local file = { type = "file", file = { filename = "a.pdf", file_data = "data:application/pdf;base64," .. pdf } }
  local see = { type = "text", text = "see" }

  return {
    { name = "TR-37 data URLs are base64 for Anthropic", client = chat, provider = claude,
      request = asks(see, url("data:image/png;base64," .. png)), sent = sent(see, image(bytes)) },
    { name = "TR-37 base64 is a data URL for Chat", client = claude, provider = chat, request = asks(see, image(bytes)),
      sent = sent(see, url("data:image/png;base64," .. png)) },
    { name = "TR-37 data URLs are inlineData for Gemini", client = chat, provider = gemini,
      request = asks(see, url("data:image/png;base64," .. png)), losses = {},
      sent_has = { contents = { { parts = { { text = "see" },
        { inlineData = { mimeType = "image/png", data = png } } } } } } },
    { name = "TR-37 data URLs are bytes with a format for Bedrock", client = chat, provider = bedrock,
      request = asks(see, url("data:image/png;base64," .. png)), losses = {},
      sent_has = { messages = { { content = { { text = "see" },
        { image = { format = "png", source = { bytes = png } } } } } } } },
    { name = "TR-37 addresses stay addresses for Anthropic", client = chat, provider = claude,
      request = asks(url("https://images.example/a.png")),
      sent = sent(image({ type = "url", url = "https://images.example/a.png" })) },
    { name = "TR-37 nothing is fetched for Bedrock: refused", client = chat, provider = bedrock,
      request = asks(see, url("https://images.example/a.png")), refused = "messages[0].content[1]" },
    { name = "TR-37 a bucket's address is fileData for Gemini", client = chat, provider = gemini,
      request = asks(see, url("gs://bucket/a.png")),
      sent_has = { contents = { { parts = { { text = "see" },
        { fileData = { fileUri = "gs://bucket/a.png" } } } } } } },

    { name = "TR-38 a PDF as image_url is a document", client = chat, provider = claude,
      request = asks(url("data:application/pdf;base64," .. pdf)),
      sent = sent({ type = "document", source = pdf_bytes }) },
    { name = "TR-38 the address of a PDF is a document", client = chat, provider = claude,
      request = asks(url("https://papers.example/a.pdf")),
      sent = sent({ type = "document", source = { type = "url", url = "https://papers.example/a.pdf" } }) },
    { name = "TR-38 a file with its name", client = chat, provider = claude,
      request = asks(file),
      sent = sent({ type = "document", title = "a.pdf", source = pdf_bytes }) },
    { name = "TR-38 a document is a file for Chat", client = claude, provider = chat,
      request = asks({ type = "document", title = "a.pdf", source = pdf_bytes }),
      sent = sent(file) },
    { name = "TR-38 a document for Bedrock has a name it takes, and text beside it", client = claude,
      provider = bedrock, request = asks({ type = "document", title = "a (1).b.pdf", source = pdf_bytes }),
      sent_text = { '"document":{"format":"pdf"', '"text":' },
      losses = { "messages[].content[].title(characters replaced)",
        "messages[].content[](text added beside a document)" } },
    { name = "TR-38 a file id belongs to its provider: Chat's to Anthropic", client = chat, provider = claude,
      request = asks(see, { type = "file", file = { file_id = "file-1" } }), refused = "messages[0].content[1]" },
    { name = "TR-38 a file id belongs to its provider: Anthropic's to Chat", client = claude, provider = chat,
      request = asks(see, { type = "document", source = { type = "file", file_id = "file_1" } }),
      refused = "messages[0].content[1]" },

    { name = "TR-39 detail is listed where nobody takes it", client = chat, provider = claude,
      request = asks(url("https://images.example/a.png", "high")),
      sent = sent(image({ type = "url", url = "https://images.example/a.png" })),
      losses = { "messages[].content[].image_url.detail" } },
    { name = "TR-39 auto asks for nothing", client = chat, provider = claude,
      request = asks(url("https://images.example/a.png", "auto")),
      sent = sent(image({ type = "url", url = "https://images.example/a.png" })) },

    { name = "TR-40 audio is refused by Anthropic, not dropped", client = chat, provider = claude,
      request = asks(see, { type = "input_audio", input_audio = { data = "UklGRg==", format = "wav" } }),
      refused = "messages[0].content[1]" },
    { name = "TR-40 audio is refused by Bedrock, not dropped", client = chat, provider = bedrock,
      request = asks(see, { type = "input_audio", input_audio = { data = "UklGRg==", format = "wav" } }),
      refused = "messages[0].content[1]" },
    { name = "TR-40 audio is inlineData for Gemini", client = chat, provider = gemini,
      request = asks(see, { type = "input_audio", input_audio = { data = "UklGRg==", format = "wav" } }),
      sent_has = { contents = { { parts = { { text = "see" },
        { inlineData = { mimeType = "audio/wav", data = "UklGRg==" } } } } } } },
    { name = "TR-40 audio of an answer is listed where nobody takes it", client = claude, provider = chat,
      answer = { id = "c1", object = "chat.completion", created = 1, model = "pm", choices = { { index = 0,
        finish_reason = "stop", message = { role = "assistant", content = json.null,
        audio = { id = "a1", data = "UklGRg==", transcript = "hi", expires_at = 2 } } } } },
      answer_losses = { "message.audio" } },
  }
end
