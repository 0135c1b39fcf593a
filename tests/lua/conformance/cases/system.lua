-- System text and roles, TR-01 … TR-13: requests of a client of one dialect, and the body that a provider of another
-- one must be sent, whole.

return function(json)
  local chat, claude, gemini, bedrock = "openai.chat", "anthropic.messages", "gemini", "bedrock.converse"
  local cohere, responses = "cohere.chat", "openai.responses"
  local hi = { role = "user", content = "hi" }
  local marker = { type = "ephemeral" }

  local function text(words, cache) return { type = "text", text = words, cache_control = cache } end

  local function asks(...) return { model = "r", max_tokens = 100, messages = { ... } } end

  local system = { role = "system", content = "be" }
  local blocks = { text("a", marker), text("b") }

  local called = { role = "assistant", tool_calls = { { id = "c1", type = "function",
    ["function"] = { name = "f", arguments = '{"x":1}' } } } }

  return {
    { name = "TR-01 system text stands at the top for Anthropic", client = chat, provider = claude,
      request = asks(system, hi),
      sent = { model = "m", max_tokens = 100, system = "be", messages = { hi } } },
    { name = "TR-01 system text is the first message for Chat", client = claude, provider = chat,
      request = { model = "r", max_tokens = 100, system = "be", messages = { hi } },
      sent = { model = "m", max_tokens = 100, messages = { system, hi } } },
    { name = "TR-01 system text is systemInstruction for Gemini", client = chat, provider = gemini,
      request = asks(system, hi), losses = {},
      sent_has = { systemInstruction = { parts = { { text = "be" } } },
        contents = { { role = "user", parts = { { text = "hi" } } } } } },
    { name = "TR-01 system text is a list at the top for Bedrock", client = chat, provider = bedrock,
      request = asks(system, hi), losses = {},
      sent_has = { system = { { text = "be" } }, messages = { { role = "user", content = { { text = "hi" } } } } } },
    { name = "TR-01 system text is instructions for Responses", client = chat, provider = responses,
      request = asks(system, hi), losses = {}, sent_has = { instructions = "be" } },
    { name = "TR-01 system text stays a message for Cohere", client = claude, provider = cohere,
      request = { model = "r", max_tokens = 100, system = "be", messages = { hi } },
      sent_has = { messages = { system, hi } } },

    { name = "TR-02 developer is system where the server does not know it", client = chat, provider = cohere,
      request = asks({ role = "developer", content = "be" }, hi), sent_has = { messages = { system, hi } } },
    { name = "TR-02 developer text of a Responses client is system text for Chat servers", client = responses,
      provider = chat, request = { model = "r", input = { { role = "developer", content = "be" }, hi } },
      sent_has = { messages = { system, hi } } },

    { name = "TR-03 all system messages are kept, in order: Anthropic", client = chat, provider = claude,
      request = asks({ role = "system", content = "a" }, { role = "developer", content = "b" }, hi),
      sent = { model = "m", max_tokens = 100, system = { text("a"), text("b") }, messages = { hi } } },
    { name = "TR-03 all system messages are kept, in order: Gemini", client = chat, provider = gemini,
      request = asks({ role = "system", content = "a" }, { role = "system", content = { text("b"), text("c") } }, hi),
      sent_has = { systemInstruction = { parts = { { text = "a" }, { text = "b" }, { text = "c" } } } } },
    { name = "TR-03 all system messages are kept, in order: Bedrock", client = chat, provider = bedrock,
      request = asks({ role = "system", content = "a" }, { role = "system", content = "b" }, hi),
      sent_has = { system = { { text = "a" }, { text = "b" } } } },

    { name = "TR-04 late system text is hoisted, and that is listed: Anthropic", client = chat, provider = claude,
      request = asks(hi, { role = "assistant", content = "yes" }, system, hi),
      sent = { model = "m", max_tokens = 100, system = "be",
        messages = { hi, { role = "assistant", content = "yes" }, hi } },
      losses = { "messages[].role(late system text moved to the top)" } },
    { name = "TR-04 late system text stays where it was for Chat", client = claude, provider = chat,
      request = asks(hi, { role = "assistant", content = "yes" }, system, hi),
      sent = { model = "m", max_tokens = 100,
        messages = { hi, { role = "assistant", content = "yes" }, system, hi } } },

    { name = "TR-05 blocks with markers stay blocks: Anthropic", client = chat, provider = claude,
      request = asks({ role = "system", content = blocks }, hi),
      sent = { model = "m", max_tokens = 100, system = blocks, messages = { hi } } },
    { name = "TR-05 blocks with markers stay blocks: a Chat server that takes them", client = claude, provider = chat,
      quirks = { cache_control = true },
      request = { model = "r", max_tokens = 100, system = blocks, messages = { hi } },
      sent = { model = "m", max_tokens = 100, messages = { { role = "system", content = blocks }, hi } } },
    { name = "TR-05 a marker that no one takes is listed", client = claude, provider = chat,
      request = { model = "r", max_tokens = 100, system = blocks, messages = { hi } },
      sent = { model = "m", max_tokens = 100,
        messages = { { role = "system", content = { text("a"), text("b") } }, hi } },
      losses = { "cache_control" } },
    { name = "TR-05 a marker becomes a cache point for Bedrock", client = claude, provider = bedrock,
      request = { model = "r", max_tokens = 100, system = blocks, messages = { hi } }, losses = {},
      sent_has = { system = { { text = "a" }, { cachePoint = { type = "default" } }, { text = "b" } } } },

    { name = "TR-06 the first user turn carries the system text", client = claude, provider = chat,
      quirks = { system = "user" },
      request = { model = "r", max_tokens = 100, system = "be", messages = { hi } },
      sent = { model = "m", max_tokens = 100, messages = { { role = "user", content = "be\n\nhi" } } },
      losses = { "system(moved into the first user turn)" } },
    { name = "TR-06 a turn is made for it where there is none", client = claude, provider = chat,
      quirks = { system = "user" },
      request = { model = "r", max_tokens = 100, system = "be", messages = { { role = "assistant", content = "a" } } },
      sent = { model = "m", max_tokens = 100,
        messages = { { role = "user", content = "be" }, { role = "assistant", content = "a" } } },
      losses = { "system(moved into the first user turn)" } },
    { name = "TR-06 the same for a model on Gemini", client = chat, provider = gemini, quirks = { system = "user" },
      request = asks(system, hi), not_sent = { "systemInstruction" },
      sent_has = { contents = { { role = "user", parts = { { text = "be\n\nhi" } } } } },
      losses = { "system(moved into the first user turn)" } },

    { name = "TR-07 Claude Code's billing text stays with Anthropic", client = claude, provider = chat,
      request = { model = "r", max_tokens = 100, messages = { hi },
        system = { text("x-anthropic-billing-header: cc_version=1; cch=1f3b;"), text("be") } },
      sent = { model = "m", max_tokens = 100, messages = { system, hi } },
      losses = { "system[](billing header)" } },
    { name = "TR-07 also towards Gemini", client = claude, provider = gemini,
      request = { model = "r", max_tokens = 100, messages = { hi },
        system = { text("x-anthropic-billing-header: cc_version=1; cch=1f3b;"), text("be") } },
      sent_has = { systemInstruction = { parts = { { text = "be" } } } },
      losses = { "system[](billing header)" } },

    { name = "TR-08 assistant is model, results are user turns: Gemini", client = chat, provider = gemini,
      request = asks(hi, called, { role = "tool", tool_call_id = "c1", content = "1" }),
      sent_has = { contents = { { role = "user" }, { role = "model", parts = { { functionCall = { name = "f",
        args = { x = 1 } } } } }, { role = "user", parts = { { functionResponse = { name = "f" } } } } } } },
    { name = "TR-08 results are user turns: Anthropic", client = chat, provider = claude,
      request = asks(hi, called, { role = "tool", tool_call_id = "c1", content = "1" }),
      sent = { model = "m", max_tokens = 100, messages = { hi,
        { role = "assistant", content = { { type = "tool_use", id = "c1", name = "f", input = { x = 1 } } } },
        { role = "user", content = { { type = "tool_result", tool_use_id = "c1", content = "1" } } } } } },

    { name = "TR-09 turns of one role are merged in order: Anthropic", client = chat, provider = claude,
      request = asks({ role = "user", content = "a" }, { role = "user", content = "b" }, { role = "assistant",
        content = "c" }, { role = "assistant", content = "d" }),
      sent = { model = "m", max_tokens = 100, messages = { { role = "user", content = { text("a"), text("b") } },
        { role = "assistant", content = { text("c"), text("d") } } } } },
    { name = "TR-09 turns of one role are merged in order: Bedrock", client = chat, provider = bedrock,
      request = asks({ role = "user", content = "a" }, { role = "user", content = "b" }),
      sent_has = { messages = { { role = "user", content = { { text = "a" }, { text = "b" } } } } } },
    { name = "TR-09 turns of one role are merged in order: Gemini", client = chat, provider = gemini,
      request = asks({ role = "user", content = "a" }, { role = "user", content = "b" }),
      sent_has = { contents = { { role = "user", parts = { { text = "a" }, { text = "b" } } } } } },

    { name = "TR-10 a prefill stays the last turn, nothing is added", client = chat, provider = claude,
      request = asks(hi, { role = "assistant", content = "{" }),
      sent = { model = "m", max_tokens = 100, messages = { hi, { role = "assistant", content = "{" } } } },
    { name = "TR-10 also from Anthropic to Chat", client = claude, provider = chat,
      request = asks(hi, { role = "assistant", content = "{" }),
      sent = { model = "m", max_tokens = 100, messages = { hi, { role = "assistant", content = "{" } } } },

    { name = "TR-11 empty turns and blank text are left out: Anthropic", client = chat, provider = claude,
      request = asks({ role = "user", content = "a" }, { role = "assistant", content = "" },
        { role = "assistant", content = json.null }, { role = "user", content = "  \n" },
        { role = "user", content = "b" }),
      sent = { model = "m", max_tokens = 100,
        messages = { { role = "user", content = { text("a"), text("b") } } } } },
    { name = "TR-11 an empty turn is left out: Bedrock", client = chat, provider = bedrock,
      request = asks({ role = "user", content = "a" }, { role = "assistant", content = "" },
        { role = "user", content = "b" }),
      sent_has = { messages = { { role = "user", content = { { text = "a" }, { text = "b" } } } } } },

    { name = "TR-12 names are listed: Anthropic", client = chat, provider = claude,
      request = asks({ role = "user", name = "ann", content = "hi" }),
      sent = { model = "m", max_tokens = 100, messages = { hi } }, losses = { "messages[].name" } },
    { name = "TR-12 names are listed: Gemini", client = chat, provider = gemini,
      request = asks({ role = "user", name = "ann", content = "hi" }), losses = { "messages[].name" } },
    { name = "TR-12 names are listed: Bedrock", client = chat, provider = bedrock,
      request = asks({ role = "user", name = "ann", content = "hi" }), losses = { "messages[].name" } },

    { name = "TR-13 a refusal in the history is text: Anthropic", client = chat, provider = claude,
      request = asks(hi, { role = "assistant", content = json.null, refusal = "No." }, hi),
      sent = { model = "m", max_tokens = 100, messages = { hi, { role = "assistant", content = "No." }, hi } } },
    { name = "TR-13 a refusal part in the history is text: Gemini", client = chat, provider = gemini,
      request = asks(hi, { role = "assistant", content = { { type = "refusal", refusal = "No." } } }, hi),
      sent_has = { contents = { { role = "user" }, { role = "model", parts = { { text = "No." } } },
        { role = "user" } } } },
  }
end
