-- Tools, TR-14 … TR-36: definitions, choices, calls and results, in requests, answers and streams.

return function(json)
  local chat, claude, gemini, bedrock = "openai.chat", "anthropic.messages", "gemini", "bedrock.converse"
  local cohere, responses = "cohere.chat", "openai.responses"
  local hi = { role = "user", content = "hi" }
  local schema = { type = "object", properties = { city = { type = "string" } }, required = { "city" } }

  local function fn(name, parameters, strict)
    return { type = "function", ["function"] = { name = name, description = "d", parameters = parameters,
      strict = strict } }
  end

  local function own(name, input_schema, strict)
    return { name = name, description = "d", input_schema = input_schema, strict = strict }
  end

  local function call(id, name, arguments)
    return { id = id, type = "function", ["function"] = { name = name, arguments = arguments } }
  end

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

  -- A history with calls and their results, as Chat says it.
  local function history(calls, results, text)
    local messages = { hi, { role = "assistant", content = text or json.null, tool_calls = calls } }
    for _, result in ipairs(results) do
      messages[#messages + 1] = { role = "tool", tool_call_id = result[1], content = result[2] }
    end
    return messages
  end

  local function chunk(delta, finish)
    return { id = "c1", object = "chat.completion.chunk", created = 1, model = "pm",
      choices = { { index = 0, delta = delta, finish_reason = finish or json.null } } }
  end

  local function fragment(index, id, name, arguments)
    return chunk({ tool_calls = { { index = index, id = id, type = id and "function" or nil,
      ["function"] = { name = name, arguments = arguments } } } })
  end

  local function started(usage)
    return { type = "message_start", message = { id = "msg_1", type = "message", role = "assistant", model = "pm",
      content = json.array({}), stop_reason = json.null, stop_sequence = json.null,
      usage = usage or { input_tokens = 10, output_tokens = 1 } } }
  end

  local big = '{"n":12345678901234567890,"b":1,"a":2}'
  local long = "mcp__" .. ("x"):rep(80)
  local deep = '{"type":"object","$defs":{"z":{"type":"string"}},"additionalProperties":false,'
    .. '"properties":{"n":{"maximum":12345678901234567890,"$ref":"#/$defs/z"}},"anyOf":[{"required":["n"]}]}'

  return {
    { name = "TR-14 definitions in Anthropic's shape", client = chat, provider = claude,
      request = asks({ tools = { fn("f", schema, true) } }), sent = sent({ tools = { own("f", schema, true) } }) },
    { name = "TR-14 definitions in Chat's shape", client = claude, provider = chat,
      request = asks({ tools = { own("f", schema, true) } }), sent = sent({ tools = { fn("f", schema, true) } }) },
    { name = "TR-14 definitions in Bedrock's shape", client = chat, provider = bedrock,
      request = asks({ tools = { fn("f", schema) } }), sent_has = { toolConfig = { tools = { { toolSpec = { name = "f",
        description = "d", inputSchema = { json = schema } } } } } } },
    { name = "TR-14 definitions in one object for Gemini", client = chat, provider = gemini,
      request = asks({ tools = { fn("f", schema), fn("g", schema) } }),
      sent_has = { tools = { { functionDeclarations = { { name = "f", description = "d" }, { name = "g" } } } } } },
    { name = "TR-14 definitions lie flat for Responses", client = chat, provider = responses,
      request = asks({ tools = { fn("f", schema) } }),
      sent_has = { tools = { { type = "function", name = "f", description = "d", parameters = schema } } } },
    { name = "TR-14 definitions are nested for Cohere", client = claude, provider = cohere,
      request = asks({ tools = { own("f", schema) } }),
      sent_has = { tools = { { type = "function", ["function"] = { name = "f", parameters = schema } } } } },

    { name = "TR-15 the schema is copied byte for byte: Anthropic", client = chat, provider = claude,
      request = asks({ tools = { fn("f", json.raw(deep)) } }), sent_text = { '"input_schema":' .. deep } },
    { name = "TR-15 the schema is copied byte for byte: Chat", client = claude, provider = chat,
      request = asks({ tools = { own("f", json.raw(deep)) } }), sent_text = { '"parameters":' .. deep } },
    { name = "TR-15 the schema is copied byte for byte: Bedrock", client = chat, provider = bedrock,
      request = asks({ tools = { fn("f", json.raw(deep)) } }), sent_text = { deep } },

    { name = "TR-17 models of Gemini that take JSON Schema get it whole", client = chat, provider = gemini,
      request = asks({ tools = { fn("f", json.raw(deep)) } }), sent_text = { '"parametersJsonSchema":' .. deep } },
    { name = "TR-17 the others get the part they know", client = chat, provider = gemini,
      quirks = { json_schema = false }, request = asks({ tools = { fn("f", { type = "object",
        ["$defs"] = { z = { type = "string", const = "a" } }, additionalProperties = false,
        properties = { n = { ["$ref"] = "#/$defs/z" }, m = { type = { "string", "null" } } } }) } }),
      sent_has = { tools = { { functionDeclarations = { { name = "f", parameters = {
        properties = { n = { enum = { "a" } }, m = { nullable = true } } } } } } } },
      losses = { "tools[].parameters(additionalProperties)" } },

    { name = "TR-16 a missing schema is an object schema: Anthropic", client = chat, provider = claude,
      request = asks({ tools = { { type = "function", ["function"] = { name = "f" } } } }),
      sent = sent({ tools = { { name = "f", input_schema = { type = "object" } } } }) },
    { name = "TR-16 a missing schema is an object schema: Bedrock", client = chat, provider = bedrock,
      request = asks({ tools = { { type = "function", ["function"] = { name = "f" } } } }),
      sent_has = { toolConfig = { tools = { { toolSpec = { name = "f",
        inputSchema = { json = { type = "object" } } } } } } } },

    { name = "TR-18 strict schemas arrive whole, none is made strict", client = claude, provider = chat,
      request = asks({ tools = { own("f", schema), own("g", schema, true) } }),
      sent = sent({ tools = { fn("f", schema), fn("g", schema, true) } }) },

    { name = "TR-19 long and odd names are mapped everywhere and mapped back", client = claude, provider = chat,
      request = asks({ tools = { own(long, schema), own("a.b", schema) }, tool_choice = { type = "tool", name = "a.b" },
        messages = { hi, { role = "assistant", content = { { type = "tool_use", id = "t1", name = "a.b",
          input = { city = "Paris" } } } }, { role = "user", content = { { type = "tool_result", tool_use_id = "t1",
          content = "1" } } } } }),
      sent = sent({ tools = { fn("mcp__" .. ("x"):rep(50) .. "_" .. gw.hash(long, 8), schema),
        fn("a_b_" .. gw.hash("a.b", 8), schema) },
        tool_choice = { type = "function", ["function"] = { name = "a_b_" .. gw.hash("a.b", 8) } },
        messages = history({ call("t1", "a_b_" .. gw.hash("a.b", 8), '{"city":"Paris"}') }, { { "t1", "1" } }) }),
      answer = { id = "c1", object = "chat.completion", created = 1, model = "pm",
        choices = { { index = 0, finish_reason = "tool_calls", message = { role = "assistant", content = json.null,
          tool_calls = { call("c1", "a_b_" .. gw.hash("a.b", 8), "{}") } } } } },
      outcome = { calls = { { id = "c1", name = "a.b", arguments = "{}" } } } },

    { name = "TR-20 tools that Anthropic runs are listed; with the last tool its choice goes", client = claude,
      provider = chat, request = asks({ tools = { { type = "web_search_20250305", name = "web_search" } },
        tool_choice = { type = "auto", disable_parallel_tool_use = true } }),
      sent = sent({}), losses = { "tools[](web_search_20250305)", "tool_choice" } },
    { name = "TR-20 tools that the provider runs do not go to Bedrock", client = claude, provider = bedrock,
      request = asks({ tools = { { type = "web_search_20250305", name = "web_search" } } }),
      not_sent = { "toolConfig" }, losses = { "tools[](web_search_20250305)" } },

    { name = "TR-21 required is any for Anthropic", client = chat, provider = claude,
      request = asks({ tools = { fn("f", schema) }, tool_choice = "required" }),
      sent = sent({ tools = { own("f", schema) }, tool_choice = { type = "any" } }) },
    { name = "TR-21 a named tool for Anthropic", client = chat, provider = claude,
      request = asks({ tools = { fn("f", schema) }, tool_choice = { type = "function",
        ["function"] = { name = "f" } } }),
      sent = sent({ tools = { own("f", schema) }, tool_choice = { type = "tool", name = "f" } }) },
    { name = "TR-21 any is required for Chat, and any for Mistral", client = claude, provider = chat,
      quirks = { tool_choice_required = "any" },
      request = asks({ tools = { own("f", schema) }, tool_choice = { type = "any" } }),
      sent = sent({ tools = { fn("f", schema) }, tool_choice = "any" }) },
    { name = "TR-21 modes of Gemini", client = chat, provider = gemini,
      request = asks({ tools = { fn("f", schema) }, tool_choice = { type = "function",
        ["function"] = { name = "f" } } }),
      sent_has = { toolConfig = { functionCallingConfig = { mode = "ANY", allowedFunctionNames = { "f" } } } } },
    { name = "TR-21 modes of Bedrock", client = chat, provider = bedrock,
      request = asks({ tools = { fn("f", schema) }, tool_choice = "required" }),
      sent_has = { toolConfig = { toolChoice = { any = json.raw("{}") } } } },
    { name = "TR-21 a named tool is REQUIRED for Cohere, the others are left out", client = chat, provider = cohere,
      request = asks({ tools = { fn("f", schema), fn("g", schema) }, tool_choice = { type = "function",
        ["function"] = { name = "f" } } }), sent_text = { '"tool_choice":"REQUIRED"' },
      losses = { "tool_choice(sent as REQUIRED, other tools left out)" } },
    { name = "TR-21 allowed tools leave the others out for Anthropic", client = chat, provider = claude,
      request = asks({ tools = { fn("f", schema), fn("g", schema) }, tool_choice = { type = "allowed_tools",
        allowed_tools = { mode = "required", tools = { { type = "function", ["function"] = { name = "g" } } } } } }),
      sent = sent({ tools = { own("g", schema) }, tool_choice = { type = "any" } }),
      losses = { "tool_choice.allowed_tools(other tools left out)" } },
    { name = "TR-21 no choice is sent where there are no tools", client = chat, provider = claude,
      request = asks({ tool_choice = "auto" }), sent = sent({}) },

    { name = "TR-22 none leaves the tools out where there is no none", client = chat, provider = claude,
      quirks = { tool_choice_none = false }, request = asks({ tools = { fn("f", schema) }, tool_choice = "none" }),
      sent = sent({}) },
    { name = "TR-22 none forces no tool of Bedrock's models", client = chat, provider = bedrock,
      request = asks({ tools = { fn("f", schema) }, tool_choice = "none" }), not_sent = { "toolConfig" } },

    { name = "TR-23 calls in the history, no tools in the request: Bedrock gets a tool that is none of the old ones",
      client = chat, provider = bedrock,
      request = asks({ messages = history({ call("c1", "f", "{}") }, { { "c1", "1" } }) }),
      sent_text = { '"toolConfig":{' }, losses = { "tools(a placeholder sent: the history has calls)" } },
    { name = "TR-23 calls in the history, no tools in the request: Anthropic", client = chat, provider = claude,
      request = asks({ messages = history({ call("c1", "f", '{"x":1}') }, { { "c1", "1" } }) }),
      sent = sent({ messages = { hi,
        { role = "assistant", content = { { type = "tool_use", id = "c1", name = "f", input = { x = 1 } } } },
        { role = "user", content = { { type = "tool_result", tool_use_id = "c1", content = "1" } } } } }) },

    { name = "TR-24 a forced tool drops thinking, and says so", client = chat, provider = claude,
      request = asks({ max_tokens = 9000, tools = { fn("f", schema) }, tool_choice = "required",
        reasoning_effort = "high" }),
      sent = sent({ max_tokens = 9000, tools = { own("f", schema) }, tool_choice = { type = "any" } }),
      losses = { "reasoning_effort(sent as a budget of 4096 tokens)", "reasoning_effort(tool_choice forces a tool)" } },

    { name = "TR-25 the flag is inverted and carried by an invented auto", client = chat, provider = claude,
      request = asks({ tools = { fn("f", schema) }, parallel_tool_calls = false }),
      sent = sent({ tools = { own("f", schema) },
        tool_choice = { type = "auto", disable_parallel_tool_use = true } }) },
    { name = "TR-25 a choice alone sets no flag", client = claude, provider = chat,
      request = asks({ tools = { own("f", schema) }, tool_choice = { type = "auto" } }),
      sent = sent({ tools = { fn("f", schema) }, tool_choice = "auto" }) },
    { name = "TR-25 the flag on the way back", client = claude, provider = chat,
      request = asks({ tools = { own("f", schema) },
        tool_choice = { type = "any", disable_parallel_tool_use = true } }),
      sent = sent({ tools = { fn("f", schema) }, tool_choice = "required", parallel_tool_calls = false }) },

    { name = "TR-26 arguments: empty is {}, big integers and key order survive", client = chat, provider = claude,
      request = asks({ messages = history({ call("a", "f", ""), call("b", "f", big) },
        { { "a", "1" }, { "b", "2" } }) }),
      sent_text = { '"input":{},', '"input":' .. big } },
    { name = "TR-26 big integers survive towards Gemini", client = chat, provider = gemini,
      request = asks({ messages = history({ call("b", "f", big) }, { { "b", "2" } }) }), sent_text = { big } },
    { name = "TR-26 big integers survive towards Bedrock", client = chat, provider = bedrock,
      request = asks({ tools = { fn("f", schema) }, messages = history({ call("b", "f", big) }, { { "b", "2" } }) }),
      sent_text = { big } },
    { name = "TR-26 objects become strings of the same bytes", client = claude, provider = chat,
      request = asks({ messages = { hi, { role = "assistant", content = { { type = "tool_use", id = "t1", name = "f",
        input = json.raw(big) } } }, { role = "user", content = { { type = "tool_result", tool_use_id = "t1",
        content = "1" } } } } }),
      sent = sent({ messages = history({ call("t1", "f", big) }, { { "t1", "1" } }) }) },
    { name = "TR-26 broken arguments are kept under a key, and listed", client = chat, provider = claude,
      request = asks({ messages = history({ call("a", "f", "{oops"), call("b", "f", "[1]") },
        { { "a", "1" }, { "b", "2" } }) }),
      sent_text = { '"input":{"_raw_arguments":"{oops"}', '"input":{"_raw_arguments":"[1]"}' },
      losses = { "messages[].tool_calls[].function.arguments(not an object)" } },
    { name = "TR-26 arguments of an answer keep their bytes", client = chat, provider = claude,
      answer = '{"id":"msg_1","type":"message","role":"assistant","model":"pm","stop_reason":"tool_use",'
        .. '"stop_sequence":null,"content":[{"type":"tool_use","id":"t1","name":"f","input":' .. big .. "}],"
        .. '"usage":{"input_tokens":10,"output_tokens":5}}',
      told_has = { choices = { { message = { tool_calls = { call("t1", "f", big) } } } } } },

    { name = "TR-27 odd ids are replaced alike in calls and results: Anthropic", client = chat, provider = claude,
      request = asks({ messages = history({ call("functions.f:0", "f", '{"x":1}') }, { { "functions.f:0", "1" } }) }),
      sent = sent({ messages = { hi,
        { role = "assistant", content = { { type = "tool_use", id = "call_" .. gw.hash("functions.f:0", 24), name = "f",
          input = { x = 1 } } } },
        { role = "user", content = { { type = "tool_result", tool_use_id = "call_" .. gw.hash("functions.f:0", 24),
          content = "1" } } } } }) },
    { name = "TR-27 ids of nine characters for Mistral", client = claude, provider = chat,
      quirks = { tool_id_length = 9 },
      request = asks({ messages = { hi,
        { role = "assistant", content = { { type = "tool_use", id = "toolu_01", name = "f", input = { x = 1 } } } },
        { role = "user", content = { { type = "tool_result", tool_use_id = "toolu_01", content = "1" } } } } }),
      sent = sent({ messages = history({ call(gw.hash("toolu_01", 9), "f", '{"x":1}') },
        { { gw.hash("toolu_01", 9), "1" } }) }) },
    { name = "TR-27 results that come shuffled stand in the order of the calls for Gemini", client = chat,
      provider = gemini, request = asks({ messages = history({ call("a", "f", "{}"), call("b", "g", "{}") },
        { { "b", "2" }, { "a", "1" } }) }),
      sent_has = { contents = { { role = "user" }, { role = "model" }, { role = "user", parts = {
        { functionResponse = { name = "f" } }, { functionResponse = { name = "g" } } } } } } },

    { name = "TR-28 one turn holds all results, then the text: Anthropic", client = chat, provider = claude,
      request = asks({ messages = { hi, { role = "assistant", content = "on it",
        tool_calls = { call("a", "f", '{"x":1}'), call("b", "g", '{"x":2}') } },
        { role = "tool", tool_call_id = "a", content = "1" }, { role = "tool", tool_call_id = "b", content = "2" },
        { role = "user", content = "go on" } } }),
      sent = sent({ messages = { hi,
        { role = "assistant", content = { { type = "text", text = "on it" },
          { type = "tool_use", id = "a", name = "f", input = { x = 1 } },
          { type = "tool_use", id = "b", name = "g", input = { x = 2 } } } },
        { role = "user", content = { { type = "tool_result", tool_use_id = "a", content = "1" },
          { type = "tool_result", tool_use_id = "b", content = "2" }, { type = "text", text = "go on" } } } } }) },
    { name = "TR-28 results follow the assistant, the text comes after them: Chat", client = claude, provider = chat,
      request = asks({ messages = { hi, { role = "assistant", content = { { type = "tool_use", id = "a", name = "f",
        input = { x = 1 } } } }, { role = "user", content = { { type = "text", text = "go on" },
        { type = "tool_result", tool_use_id = "a", content = "1" } } } } }),
      sent = sent({ messages = { hi,
        { role = "assistant", content = json.null, tool_calls = { call("a", "f", '{"x":1}') } },
        { role = "tool", tool_call_id = "a", content = "1" }, { role = "user", content = "go on" } } }) },
    { name = "TR-28 one turn holds all results: Bedrock", client = chat, provider = bedrock,
      request = asks({ tools = { fn("f", schema) },
        messages = history({ call("a", "f", "{}"), call("b", "f", "{}") }, { { "a", "1" }, { "b", "2" } }) }),
      sent_has = { messages = { { role = "user" }, { role = "assistant" }, { role = "user", content = {
        { toolResult = { toolUseId = "a" } }, { toolResult = { toolUseId = "b" } } } } } } },

    { name = "TR-29 images in a result move behind it, and that is listed: Chat", client = claude, provider = chat,
      request = asks({ messages = { hi, { role = "assistant", content = { { type = "tool_use", id = "a", name = "f",
        input = { x = 1 } } } }, { role = "user", content = { { type = "tool_result", tool_use_id = "a", content = {
        { type = "text", text = "see" }, { type = "image", source = { type = "base64", media_type = "image/png",
          data = "AAAA" } } } } } } } }),
      sent = sent({ messages = { hi,
        { role = "assistant", content = json.null, tool_calls = { call("a", "f", '{"x":1}') } },
        { role = "tool", tool_call_id = "a", content = "see" },
        { role = "user", content = { { type = "image_url",
          image_url = { url = "data:image/png;base64,AAAA" } } } } } }),
      losses = { "messages[].content[].tool_result(image moved into the next user message)" } },

    { name = "TR-30 is_error is said in the text: Chat", client = claude, provider = chat,
      request = asks({ messages = { hi, { role = "assistant", content = { { type = "tool_use", id = "a", name = "f",
        input = { x = 1 } } } }, { role = "user", content = { { type = "tool_result", tool_use_id = "a",
        is_error = true, content = "gone" } } } } }),
      sent = sent({ messages = { hi,
        { role = "assistant", content = json.null, tool_calls = { call("a", "f", '{"x":1}') } },
        { role = "tool", tool_call_id = "a", content = "Error: gone" } } }),
      losses = { "messages[].content[].is_error(sent as text)" } },
    { name = "TR-30 is_error is not guessed: Anthropic", client = chat, provider = claude,
      request = asks({ messages = history({ call("a", "f", '{"x":1}') }, { { "a", '{"error":"x"}' } }) }),
      sent = sent({ messages = { hi,
        { role = "assistant", content = { { type = "tool_use", id = "a", name = "f", input = { x = 1 } } } },
        { role = "user", content = { { type = "tool_result", tool_use_id = "a", content = '{"error":"x"}' } } } } }) },
    { name = "TR-30 is_error is a status of Bedrock", client = claude, provider = bedrock,
      request = asks({ tools = { own("f", schema) }, messages = { hi, { role = "assistant", content = {
        { type = "tool_use", id = "a", name = "f", input = { x = 1 } } } }, { role = "user", content = {
        { type = "tool_result", tool_use_id = "a", is_error = true, content = "gone" } } } } }),
      sent_has = { messages = { { role = "user" }, { role = "assistant" }, { role = "user",
        content = { { toolResult = { status = "error" } } } } } } },

    { name = "TR-31 a result finds its function's name in the history: Gemini", client = claude, provider = gemini,
      request = asks({ messages = { hi, { role = "assistant", content = { { type = "tool_use", id = "a", name = "f",
        input = { x = 1 } } } }, { role = "user", content = { { type = "tool_result", tool_use_id = "a",
        content = "1" }, { type = "text", text = "go on" } } } } }),
      sent_text = { '"functionResponse":{', '"name":"f"' } },

    { name = "TR-32 text beside calls survives: Anthropic's answer to Chat", client = chat, provider = claude,
      answer = { id = "msg_1", type = "message", role = "assistant", model = "pm", stop_reason = "tool_use",
        stop_sequence = json.null, usage = { input_tokens = 10, output_tokens = 5 },
        content = { { type = "text", text = "on it" }, { type = "tool_use", id = "t1", name = "f",
          input = { x = 1 } } } },
      told_has = { choices = { { finish_reason = "tool_calls", message = { content = "on it",
        tool_calls = { call("t1", "f", '{"x":1}') } } } } },
      outcome = { text = "on it", calls = { { id = "t1", name = "f", arguments = '{"x":1}' } } } },
    { name = "TR-32 text beside calls survives: Chat's answer to Anthropic", client = claude, provider = chat,
      answer = { id = "c1", object = "chat.completion", created = 1, model = "pm",
        usage = { prompt_tokens = 10, completion_tokens = 5, total_tokens = 15 },
        choices = { { index = 0, finish_reason = "tool_calls", message = { role = "assistant", content = "on it",
          tool_calls = { call("t1", "f", '{"x":1}') } } } } },
      told_has = { stop_reason = "tool_use", content = { { type = "text", text = "on it" },
        { type = "tool_use", id = "t1", name = "f", input = { x = 1 } } } } },

    { name = "TR-33 calls, results and plan are copied: Cohere", client = chat, provider = cohere,
      request = asks({ messages = history({ call("a", "f", '{"x":1}') }, { { "a", "1" } }, "on it") }),
      sent_text = { '"on it"' },
      sent_has = { messages = { hi, { role = "assistant", tool_calls = { call("a", "f", '{"x":1}') } },
        { role = "tool", tool_call_id = "a" } } } },

    { name = "TR-34 legacy functions, their history and their answer", client = chat, provider = claude,
      request = asks({ functions = { { name = "f", description = "d", parameters = schema } },
        function_call = { name = "f" }, messages = { hi,
        { role = "assistant", content = json.null, function_call = { name = "f", arguments = '{"x":1}' } },
        { role = "function", name = "f", content = "1" } } }),
      sent = sent({ tools = { own("f", schema) }, tool_choice = { type = "tool", name = "f" }, messages = { hi,
        { role = "assistant", content = { { type = "tool_use", id = "call_f", name = "f", input = { x = 1 } } } },
        { role = "user", content = { { type = "tool_result", tool_use_id = "call_f", content = "1" } } } } }),
      answer = { id = "msg_1", type = "message", role = "assistant", model = "pm", stop_reason = "tool_use",
        stop_sequence = json.null, usage = { input_tokens = 10, output_tokens = 5 },
        content = { { type = "tool_use", id = "t1", name = "f", input = { x = 1 } } } },
      told_has = { choices = { { finish_reason = "function_call", message = { content = json.null,
        function_call = { name = "f", arguments = '{"x":1}' } } } } } },
    { name = "TR-34 a custom tool is a function with one text, and its calls are free text again", client = chat,
      provider = claude, request = asks({
        tools = { { type = "custom", custom = { name = "shell", description = "d" } } },
        tool_choice = { type = "custom", custom = { name = "shell" } },
        messages = { hi, { role = "assistant", content = json.null,
          tool_calls = { { id = "c1", type = "custom", custom = { name = "shell", input = "ls -l" } } } },
          { role = "tool", tool_call_id = "c1", content = "a" } } }),
      sent = sent({ tools = { own("shell", { type = "object", properties = { input = { type = "string" } },
          required = { "input" }, additionalProperties = false }) },
        tool_choice = { type = "tool", name = "shell" },
        messages = { hi,
          { role = "assistant", content = { { type = "tool_use", id = "c1", name = "shell",
            input = { input = "ls -l" } } } },
          { role = "user", content = { { type = "tool_result", tool_use_id = "c1", content = "a" } } } } }),
      answer = { id = "msg_1", type = "message", role = "assistant", model = "pm", stop_reason = "tool_use",
        stop_sequence = json.null, usage = { input_tokens = 10, output_tokens = 5 },
        content = { { type = "tool_use", id = "t1", name = "shell", input = { input = "pwd\n" } } } },
      told_has = { choices = { { finish_reason = "tool_calls", message = { tool_calls = { { id = "t1", type = "custom",
        custom = { name = "shell", input = "pwd\n" } } } } } } },
      told_stream_has = { { choices = { { delta = { tool_calls = { { index = 0, id = "t1", type = "custom",
        custom = { name = "shell" } } } } } } },
        { choices = { { delta = { tool_calls = { { index = 0, custom = { input = "pwd\n" } } } } } } } } },
    { name = "TR-34 the grammar of a custom tool is listed", client = chat, provider = gemini,
      request = asks({ tools = { { type = "custom", custom = { name = "shell", format = { type = "grammar",
        grammar = { syntax = "regex", definition = "a+" } } } } } }), losses = { "tools[].format" } },

    { name = "TR-35 indices of a stream count calls only, whatever stands between them", client = chat,
      provider = claude, request = asks({ stream = true }),
      events = { started(),
        { type = "content_block_start", index = 0, content_block = { type = "text", text = "" } },
        { type = "content_block_delta", index = 0, delta = { type = "text_delta", text = "on it" } },
        { type = "content_block_stop", index = 0 },
        { type = "content_block_start", index = 1, content_block = { type = "tool_use", id = "a", name = "f",
          input = json.raw("{}") } },
        { type = "content_block_delta", index = 1, delta = { type = "input_json_delta", partial_json = '{"x":1}' } },
        { type = "content_block_stop", index = 1 },
        { type = "content_block_start", index = 2, content_block = { type = "tool_use", id = "b", name = "g",
          input = json.raw("{}") } },
        { type = "content_block_stop", index = 2 },
        { type = "message_delta", delta = { stop_reason = "tool_use", stop_sequence = json.null },
          usage = { output_tokens = 5 } },
        { type = "message_stop" } },
      told_stream_has = {
        { choices = { { delta = { tool_calls = { { index = 0, id = "a", type = "function",
          ["function"] = { name = "f" } } } } } } },
        { choices = { { delta = { tool_calls = { { index = 1, id = "b", type = "function",
          ["function"] = { name = "g" } } } } } } },
        { choices = { { finish_reason = "tool_calls" } } } },
      outcome = { text = "on it", finish = "tool_calls", calls = { { id = "a", name = "f", arguments = '{"x":1}' },
        { id = "b", name = "g", arguments = "{}" } } } },

    { name = "TR-36 a name behind arguments, repeated ids, a whole call at once", client = claude, provider = chat,
      request = asks({ stream = true }),
      events = { chunk({ role = "assistant", content = "" }),
        fragment(0, "a", nil, '{"x"'), fragment(0, "a", "f", ":1}"),
        fragment(1, "b", "g", '{"y":2}'), fragment(1, "b", "g", ""),
        chunk({}, "tool_calls"), "[DONE]" },
      outcome = { finish = "tool_calls", calls = { { id = "a", name = "f", arguments = '{"x":1}' },
        { id = "b", name = "g", arguments = '{"y":2}' } } } },
    { name = "TR-36 input given where a block starts", client = chat, provider = claude,
      request = asks({ stream = true }),
      events = { started(),
        { type = "content_block_start", index = 0, content_block = { type = "tool_use", id = "a", name = "f",
          input = { x = 1 } } },
        { type = "content_block_stop", index = 0 },
        { type = "message_delta", delta = { stop_reason = "tool_use", stop_sequence = json.null },
          usage = { output_tokens = 5 } },
        { type = "message_stop" } },
      outcome = { calls = { { id = "a", name = "f", arguments = '{"x":1}' } } } },
  }
end
