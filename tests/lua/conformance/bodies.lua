-- Bodies that clients of a dialect can send although the dialect's own writer never makes them so. By dialect and name
-- of the loss table: a function that changes the body without what the name means into one with it.
-- It does not hold whole bodies: the base is what the dialect file writes for lua/gw/samples.lua.

local M = {}

M["openai.chat"] = {
  ["stop(more than 5)"] = function(body) body.stop = { "1", "2", "3", "4", "5", "6" } end,
  ["user(e-mail address)"] = function(body) body.user = "ann@example.org" end,
  ["part.citations"] = function(body)
    body.messages[2].annotations = { { type = "url_citation", url_citation = { url = "https://news.example/a",
      title = "News", start_index = 0, end_index = 6 } } }
  end,
  ["part.thinking(signed by gemini)"] = function(body)
    body.messages[2].thinking_blocks = { { type = "thinking", thinking = "Hm.", signature = "gemini:c2lnbmVk" } }
  end,
  ["part.thinking(signed by openai)"] = function(body)
    body.messages[2].thinking_blocks = { { type = "redacted_thinking", data = "openai:c2lnbmVk" } }
  end,
}

local function thought(block)
  return function(body)
    body.messages[2].content = { block, { type = "text", text = "Sunny." } }
  end
end

M["anthropic.messages"] = {
  ["system(late)"] = function(body)
    table.insert(body.messages, 3, { role = "system", content = "Be long." })
  end,
  ["user(e-mail address)"] = function(body) body.metadata = { user_id = "ann@example.org" } end,
  ["part.thinking"] = thought({ type = "thinking", thinking = "Hm.", signature = "" }),
  ["part.thinking(signed by gemini)"] = thought({ type = "thinking", thinking = "Hm.", signature = "gemini:c2lnbmVk" }),
  ["part.thinking(signed by openai)"] = thought({ type = "redacted_thinking", data = "openai:c2lnbmVk" }),
}

local function reasoned(sealed, thought_of)
  return function(body)
    local summary = thought_of and { { type = "summary_text", text = thought_of } } or nil
    table.insert(body.input, 2, { type = "reasoning", summary = summary, encrypted_content = sealed })
  end
end

M["openai.responses"] = {
  ["user(e-mail address)"] = function(body) body.user = "ann@example.org" end,
  ["part.thinking(signed by anthropic)"] = reasoned("anthropic:c2lnbmVk", "Hm."),
  ["part.thinking(signed by gemini)"] = reasoned("gemini:c2lnbmVk", "Hm."),
  ["part.thinking(redacted)"] = reasoned("anthropic/redacted:c2VjcmV0"),
}

M["cohere.chat"] = {
  ["tool.strict"] = function(body) body.strict_tools = true end,
  ["logprobs"] = function(body) body.logprobs = true end,
}

local function reasoning(content)
  return function(body) table.insert(body.messages[2].content, 1, { reasoningContent = content }) end
end

M["bedrock.converse"] = {
  ["part.audio"] = function(body)
    table.insert(body.messages[1].content, { audio = { format = "wav", source = { bytes = "UklGRg==" } } })
  end,
  ["part.thinking(signed by gemini)"] = reasoning({ reasoningText = { text = "Hm.", signature = "gemini:c2lnbmVk" } }),
  ["part.thinking(signed by openai)"] = reasoning({ redactedContent = "b3BlbmFpOmMybG5ibVZr" }),
}

-- The same for answers: a function that changes the text of a provider's answer, whole or as the text of events.
M.answers = {
  ["openai.chat"] = {
    ["finish(error)"] = function(text) return (text:gsub('"finish_reason":"stop"', '"finish_reason":"error"')) end,
  },
}

return M
