-- Sampling, limits, structured output and reasoning, TR-41 … TR-62.

return function(json)
  local chat, claude, gemini, bedrock = "openai.chat", "anthropic.messages", "gemini", "bedrock.converse"
  local cohere, responses = "cohere.chat", "openai.responses"
  local hi = { role = "user", content = "hi" }
  local schema = { type = "object", properties = { a = { type = "string" } }, additionalProperties = false }

  local function asks(fields)
    local body = { model = "r", max_tokens = 100, messages = { hi } }
    for name, value in pairs(fields) do body[name] = value end
    return body
  end

  local function sent(fields)
    local body = asks(fields)
    body.model = "m"
    return body
  end

  local function without_limit(model)
    return { model = model, messages = { hi } }
  end

  local function completion(message, finish)
    message.role = "assistant"
    return { id = "c1", object = "chat.completion", created = 1, model = "pm",
      usage = { prompt_tokens = 10, completion_tokens = 5, total_tokens = 15 },
      choices = { { index = 0, finish_reason = finish or "stop", message = message } } }
  end

  local function delta(fields, finish)
    return { id = "c1", object = "chat.completion.chunk", created = 1, model = "pm",
      choices = { { index = 0, delta = fields, finish_reason = finish or json.null } } }
  end

  local function message(content, stop_reason)
    return { id = "msg_1", type = "message", role = "assistant", model = "pm", stop_reason = stop_reason or "end_turn",
      stop_sequence = json.null, content = content, usage = { input_tokens = 10, output_tokens = 5 } }
  end

  local thought = { type = "thinking", thinking = "Hm.\n", signature = "U2lnKy89" }
  local sealed = { type = "redacted_thinking", data = "RW5jKy89" }
  local words = { type = "text", text = "So." }

  return {
    { name = "TR-41 both of Chat's limits: the newer one counts", client = chat, provider = claude,
      request = asks({ max_completion_tokens = 77 }), sent = sent({ max_tokens = 77 }) },
    { name = "TR-41 no limit: the model's own is sent and listed", client = chat, provider = claude,
      quirks = { max_tokens = 64000 }, request = without_limit("r"),
      sent = { model = "m", max_tokens = 64000, messages = { hi } }, losses = { "max_tokens(default 64000)" } },
    { name = "TR-41 newer models of OpenAI want max_completion_tokens", client = claude, provider = chat,
      quirks = { max_tokens_field = "max_completion_tokens" }, request = asks({}),
      sent = { model = "m", max_completion_tokens = 100, messages = { hi } } },
    { name = "TR-41 maxOutputTokens for Gemini", client = chat, provider = gemini, request = asks({}),
      sent_has = { generationConfig = { maxOutputTokens = 100 } } },
    { name = "TR-41 maxTokens for Bedrock", client = chat, provider = bedrock, request = asks({}),
      sent_has = { inferenceConfig = { maxTokens = 100 } } },
    { name = "TR-41 max_output_tokens for Responses", client = chat, provider = responses, request = asks({}),
      sent_has = { max_output_tokens = 100 } },

    { name = "TR-42 a budget is clamped under max_tokens", client = chat, provider = claude,
      request = asks({ max_tokens = 2000, reasoning_effort = "high" }),
      sent = sent({ max_tokens = 2000, thinking = { type = "enabled", budget_tokens = 1999 } }),
      losses = { "reasoning_effort(sent as a budget of 4096 tokens)", "thinking.budget_tokens(clamped to 1999)" } },
    { name = "TR-42 a budget that is too small is dropped", client = chat, provider = claude,
      request = asks({ max_tokens = 500, reasoning_effort = "low" }), sent = sent({ max_tokens = 500 }),
      losses = { "reasoning_effort(sent as a budget of 1024 tokens)", "thinking.budget_tokens(clamped to 499)",
        "reasoning_effort(less than 1024 tokens are left to think)" } },

    { name = "TR-43 temperature above 1 is clamped and listed", client = chat, provider = claude,
      request = asks({ temperature = 1.7 }), sent = sent({ temperature = 1 }),
      losses = { "temperature(clamped to 1)" } },
    { name = "TR-43 or refused, by a setting", client = chat, provider = claude, quirks = { temperature = "reject" },
      request = asks({ temperature = 1.7 }), refused = "temperature" },
    { name = "TR-43 a double stays a double", client = chat, provider = claude,
      request = '{"model":"r","max_tokens":100,"temperature":0.7,"messages":[{"role":"user","content":"hi"}]}',
      sent_text = { '"temperature":0.7}' } },
    { name = "TR-43 Gemini goes to 2", client = chat, provider = gemini, request = asks({ temperature = 1.7 }),
      losses = {}, sent_has = { generationConfig = { temperature = 1.7 } } },

    { name = "TR-44 sampling is unset beside thinking", client = chat, provider = claude,
      request = asks({ max_tokens = 9000, reasoning_effort = "low", temperature = 0.2, top_p = 0.5, top_k = 3 }),
      sent = sent({ max_tokens = 9000, thinking = { type = "enabled", budget_tokens = 1024 } }),
      losses = { "reasoning_effort(sent as a budget of 1024 tokens)", "temperature(not with thinking)",
        "top_p(not with thinking)", "top_k(not with thinking)" } },
    { name = "TR-44 one of temperature and top_p, where the model takes no two", client = chat, provider = claude,
      quirks = { sampling = "one" }, request = asks({ temperature = 0.2, top_p = 0.5 }),
      sent = sent({ temperature = 0.2 }), losses = { "top_p(not with temperature)" } },

    { name = "TR-45 one stop text is a list", client = chat, provider = claude, request = asks({ stop = "x" }),
      sent = sent({ stop_sequences = { "x" } }) },
    { name = "TR-45 four stop texts are the most that Chat takes", client = claude, provider = chat,
      request = asks({ stop_sequences = { "1", "2", "3", "4", "5" } }),
      sent = sent({ stop = { "1", "2", "3", "4" } }), losses = { "stop(more than 4)" } },
    { name = "TR-45 Responses has no stop texts", client = chat, provider = responses, request = asks({ stop = "x" }),
      not_sent = { "stop" }, losses = { "stop" } },

    { name = "TR-46 top_k from a Chat client", client = chat, provider = claude, request = asks({ top_k = 3 }),
      sent = sent({ top_k = 3 }) },
    { name = "TR-46 top_k towards Chat is listed", client = claude, provider = chat, request = asks({ top_k = 3 }),
      sent = sent({}), losses = { "top_k" } },
    { name = "TR-46 k and p of Cohere", client = claude, provider = cohere, request = asks({ top_k = 3, top_p = 0.5 }),
      sent_has = { k = 3, p = 0.5 } },
    { name = "TR-46 random_seed of Mistral's clients", client = chat, provider = gemini,
      request = asks({ random_seed = 7 }), sent_has = { generationConfig = { seed = 7 } } },

    { name = "TR-47 what Anthropic does not know is listed", client = chat, provider = claude,
      request = asks({ seed = 7, frequency_penalty = 0.5, presence_penalty = 0.5, logprobs = true, top_logprobs = 3,
        logit_bias = { ["50256"] = -100 } }), sent = sent({}),
      losses = { "seed", "logprobs", "logit_bias", "frequency_penalty", "presence_penalty" } },
    { name = "TR-47 zeros and one answer ask for nothing", client = chat, provider = claude,
      request = asks({ frequency_penalty = 0, presence_penalty = 0, n = 1, logprobs = false }), sent = sent({}) },
    { name = "TR-47 several answers are refused by Anthropic", client = chat, provider = claude,
      request = asks({ n = 2 }), refused = "n" },
    { name = "TR-47 several answers are candidates of Gemini", client = chat, provider = gemini,
      request = asks({ n = 2 }), sent_has = { generationConfig = { candidateCount = 2 } } },

    { name = "TR-48 user is metadata.user_id", client = chat, provider = claude, request = asks({ user = "u-1" }),
      sent = sent({ metadata = { user_id = "u-1" } }) },
    { name = "TR-48 an address is given to nobody", client = chat, provider = claude,
      request = asks({ user = "ann@example.org" }), sent = sent({}), losses = { "user" } },
    { name = "TR-48 metadata of Chat is not Anthropic's", client = chat, provider = claude,
      request = asks({ metadata = { job = "7" } }), sent = sent({}), losses = { "metadata" } },

    { name = "TR-49 tiers have their names", client = chat, provider = claude,
      request = asks({ service_tier = "default" }), sent = sent({ service_tier = "standard_only" }) },
    { name = "TR-49 a tier that is not there is listed", client = chat, provider = claude,
      request = asks({ service_tier = "flex" }), sent = sent({}), losses = { "service_tier" } },
    { name = "TR-49 the tier that was given is told", client = claude, provider = chat,
      answer = { id = "c1", object = "chat.completion", created = 1, model = "pm", service_tier = "priority",
        usage = { prompt_tokens = 10, completion_tokens = 5, total_tokens = 15 },
        choices = { { index = 0, finish_reason = "stop", message = { role = "assistant", content = "ok" } } } },
      told_has = { usage = { service_tier = "priority" } }, answer_losses = {} },

    { name = "TR-50 what only its provider remembers is refused elsewhere: previous_response_id", client = responses,
      provider = claude, request = { model = "r", input = "hi", previous_response_id = "resp_1" },
      refused = "previous_response_id" },
    { name = "TR-50 what only its provider remembers is refused elsewhere: item_reference", client = responses,
      provider = chat, request = { model = "r", input = { { type = "item_reference", id = "msg_1" } } },
      refused = "input[0]" },

    { name = "TR-51 unknown fields are dropped and listed, in order", client = chat, provider = claude,
      request = asks({ zeta = 1, alpha = { b = 1 }, store = false }), sent = sent({}), losses = { "alpha", "zeta" } },
    { name = "TR-51 unknown fields of Anthropic", client = claude, provider = chat,
      request = asks({ container = "c", mcp_servers = { { name = "x" } } }), sent = sent({}),
      losses = { "container", "mcp_servers" } },

    { name = "TR-52 a schema is output_config.format for Anthropic", client = chat, provider = claude,
      request = asks({ response_format = { type = "json_schema", json_schema = { name = "a", schema = schema,
        strict = true } } }),
      sent = sent({ output_config = { format = { type = "json_schema", schema = schema } } }) },
    { name = "TR-52 a schema is response_format for Chat", client = claude, provider = chat,
      request = asks({ output_config = { format = { type = "json_schema", schema = schema } } }),
      sent = sent({ response_format = { type = "json_schema", json_schema = { name = "response", schema = schema,
        strict = true } } }) },
    { name = "TR-52 a schema for Gemini", client = chat, provider = gemini,
      request = asks({ response_format = { type = "json_schema", json_schema = { name = "a", schema = schema } } }),
      sent_has = { generationConfig = { responseMimeType = "application/json" } } },
    { name = "TR-52 a schema is text.format for Responses", client = chat, provider = responses,
      request = asks({ response_format = { type = "json_schema", json_schema = { name = "a", schema = schema,
        strict = true } } }),
      sent_has = { text = { format = { type = "json_schema", name = "a", schema = schema, strict = true } } } },
    { name = "TR-52 a host without it: listed", client = chat, provider = claude,
      quirks = { structured_output = false },
      request = asks({ response_format = { type = "json_schema", json_schema = { name = "a", schema = schema } } }),
      sent = sent({}), losses = { "response_format" } },

    { name = "TR-53 a schema one level up", client = chat, provider = claude,
      request = asks({ response_format = { type = "json_schema", name = "a", schema = schema } }),
      sent = sent({ output_config = { format = { type = "json_schema", schema = schema } } }) },
    { name = "TR-53 a schema that is not there is refused", client = chat, provider = claude,
      request = asks({ response_format = { type = "json_schema", json_schema = { name = "a" } } }),
      refused = "response_format.json_schema.schema" },

    { name = "TR-54 some JSON is asked for in words, and that is listed", client = chat, provider = claude,
      request = asks({ response_format = { type = "json_object" } }),
      sent = sent({ system = "Answer with one JSON object and nothing else." }),
      losses = { "response_format(json_object asked for in the system prompt)" } },
    { name = "TR-54 some JSON for Gemini", client = chat, provider = gemini,
      request = asks({ response_format = { type = "json_object" } }), losses = {},
      sent_has = { generationConfig = { responseMimeType = "application/json" } } },

    { name = "TR-55 JSON is asked for natively, so nothing of an answer is trimmed", client = chat, provider = gemini,
      request = asks({ response_format = { type = "json_schema", json_schema = { name = "a", schema = schema } } }),
      says = ' {"a":"x"} ', outcome = { text = ' {"a":"x"} ' } },

    { name = "TR-56 efforts are budgets by one table", client = chat, provider = claude,
      request = asks({ max_tokens = 9000, reasoning_effort = "medium" }),
      sent = sent({ max_tokens = 9000, thinking = { type = "enabled", budget_tokens = 2048 } }),
      losses = { "reasoning_effort(sent as a budget of 2048 tokens)" } },
    { name = "TR-56 the table is a setting", client = chat, provider = claude,
      quirks = { effort_budgets = { low = 1024, medium = 8192, high = 16384 } },
      request = asks({ max_tokens = 9000, reasoning_effort = "medium" }),
      sent = sent({ max_tokens = 9000, thinking = { type = "enabled", budget_tokens = 8192 } }),
      losses = { "reasoning_effort(sent as a budget of 8192 tokens)" } },
    { name = "TR-56 budgets are efforts by the same table", client = claude, provider = chat,
      request = asks({ max_tokens = 9000, thinking = { type = "enabled", budget_tokens = 3000 } }),
      sent = sent({ max_tokens = 9000, reasoning_effort = "medium" }),
      losses = { "thinking.budget_tokens(sent as effort medium)" } },
    { name = "TR-56 an effort is sent natively where the model has it", client = chat, provider = claude,
      quirks = { thinking = "adaptive" }, request = asks({ reasoning_effort = "medium" }),
      sent = sent({ thinking = { type = "adaptive" }, output_config = { effort = "medium" } }) },

    { name = "TR-57 adaptive thinking with an effort", client = claude, provider = chat,
      request = asks({ thinking = { type = "adaptive" }, output_config = { effort = "high" } }),
      sent = sent({ reasoning_effort = "high" }) },
    { name = "TR-57 a budget for Gemini 2.5 is a number", client = claude, provider = gemini,
      model = "gemini-2.5-flash",
      request = asks({ max_tokens = 9000, thinking = { type = "enabled", budget_tokens = 3000 } }),
      sent_has = { generationConfig = { thinkingConfig = { thinkingBudget = 3000 } } } },
    { name = "TR-57 thinking switched off", client = claude, provider = chat, quirks = { reasoning_off = "none" },
      request = asks({ thinking = { type = "disabled" } }), sent = sent({ reasoning_effort = "none" }) },

    { name = "TR-58 TR-59 what Claude signed comes back byte-exact, before text and calls", client = chat,
      provider = claude,
      request = asks({ messages = { hi, { role = "assistant", content = "So.", reasoning_content = "Hm.\n",
        thinking_blocks = { thought, sealed } }, hi } }),
      sent = sent({ messages = { hi, { role = "assistant", content = { thought, sealed, words } }, hi } }),
      answer = message({ thought, sealed, words }),
      told_has = { choices = { { message = { content = "So.", reasoning_content = "Hm.\n",
        thinking_blocks = { thought, sealed } } } } },
      outcome = { text = "So.", thinking = "Hm.\n", signatures = { { signed = "U2lnKy89", by = "anthropic" },
        { signed = "RW5jKy89", by = "anthropic" } } } },
    { name = "TR-58 unsigned thinking is shown, without an empty signature", client = claude, provider = chat,
      answer = completion({ content = "So.", reasoning_content = "Hm." }),
      told_has = { content = { { type = "thinking", thinking = "Hm." }, words } },
      outcome = { thinking = "Hm.", signatures = json.array({}) } },
    { name = "TR-58 unsigned thinking is not replayed to Claude", client = chat, provider = claude,
      request = asks({ messages = { hi, { role = "assistant", content = "So.", reasoning_content = "Hm." }, hi } }),
      sent = sent({ messages = { hi, { role = "assistant", content = "So." }, hi } }),
      losses = { "messages[].thinking(unsigned)" } },
    { name = "TR-58 what Gemini signed travels through an Anthropic client", client = claude, provider = gemini,
      says = { { type = "thinking", text = "Hm.", signature = "U2lnKy89", signed_by = "gemini" },
        { type = "text", text = "So." } },
      outcome = { text = "So.", thinking = "Hm.", signatures = { { signed = "U2lnKy89", by = "gemini" } } } },
    { name = "TR-58 what OpenAI encrypted travels through an Anthropic client", client = claude, provider = responses,
      says = { { type = "thinking", redacted = true, data = "RW5jKy89", signed_by = "openai" },
        { type = "text", text = "So." } },
      outcome = { text = "So.", signatures = { { signed = "RW5jKy89", by = "openai" } } } },
    { name = "TR-59 what Gemini signed travels through a Chat client", client = chat, provider = gemini,
      says = { { type = "thinking", text = "Hm.", signature = "U2lnKy89", signed_by = "gemini" },
        { type = "text", text = "So." } },
      outcome = { text = "So.", thinking = "Hm.", signatures = { { signed = "U2lnKy89", by = "gemini" } } } },
    { name = "TR-59 and none of it goes to another provider", client = chat, provider = claude,
      request = asks({ messages = { hi, { role = "assistant", content = "So.",
        thinking_blocks = { { type = "thinking", thinking = "Hm.", signature = "gemini:U2lnKy89" } } }, hi } }),
      sent = sent({ messages = { hi, { role = "assistant", content = "So." }, hi } }),
      losses = { "messages[].thinking(not Anthropic's)" } },

    { name = "TR-60 a signature on the first of two calls is not copied to the second", client = claude,
      provider = gemini,
      says = { { type = "thinking", text = "", signature = "U2lnKy89", signed_by = "gemini" },
        { type = "tool_call", id = "a", name = "f", arguments = json.raw('{"x":1}') },
        { type = "tool_call", id = "b", name = "f", arguments = json.raw('{"x":2}') } },
      outcome = { signatures = { { signed = "U2lnKy89", by = "gemini" } },
        calls = { { name = "f" }, { name = "f" } } } },

    { name = "TR-61 reasoning of OpenRouter and vLLM", client = claude, provider = chat,
      answer = completion({ content = "So.", reasoning = "Hm." }),
      told_has = { content = { { type = "thinking", thinking = "Hm." }, words } } },
    { name = "TR-61 reasoning is never text, also streamed", client = claude, provider = chat,
      events = { delta({ role = "assistant" }), delta({ reasoning_content = "Hm" }), delta({ reasoning_content = "." }),
        delta({ content = "So." }), delta({}, "stop"), "[DONE]" },
      outcome = { text = "So.", thinking = "Hm." } },
    { name = "TR-61 one name is written", client = chat, provider = claude,
      answer = message({ { type = "thinking", thinking = "Hm.", signature = "U2ln" }, words }),
      told_has = { choices = { { message = { content = "So.", reasoning_content = "Hm." } } } } },

    { name = "TR-62 tags are text unless they are configured", client = claude, provider = chat,
      answer = completion({ content = "<think>Hm.</think>\n\nSo." }),
      outcome = { text = "<think>Hm.</think>\n\nSo.", thinking = "" } },
    { name = "TR-62 thinking in tags, whole", client = claude, provider = chat, quirks = { think_tags = true },
      answer = completion({ content = "\n<think>Hm.</think>\n\nSo." }),
      told_has = { content = { { type = "thinking", thinking = "Hm." }, words } },
      outcome = { text = "So.", thinking = "Hm." } },
    { name = "TR-62 thinking in tags that are cut anywhere", client = claude, provider = chat,
      quirks = { think_tags = true },
      events = { delta({ role = "assistant", content = "" }), delta({ content = "<th" }), delta({ content = "ink>H" }),
        delta({ content = "m. a < b </th" }), delta({ content = "e </thi" }), delta({ content = "nk>" }),
        delta({ content = "\n" }), delta({ content = "\nSo <think> stays" }), delta({}, "stop"), "[DONE]" },
      outcome = { thinking = "Hm. a < b </the ", text = "So <think> stays" } },
    { name = "TR-62 an answer that ends inside what looks like a tag", client = claude, provider = chat,
      quirks = { think_tags = true },
      events = { delta({ role = "assistant", content = "" }), delta({ content = "<thi" }), delta({}, "stop"),
        "[DONE]" },
      outcome = { text = "<thi", thinking = "" } },
  }
end
