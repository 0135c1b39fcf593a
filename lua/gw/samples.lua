-- A request or an answer in the normal form for every name of the loss table (lua/gw/losses.lua), and the question
-- whether one has what the name means. With them `carries` of a dialect file is held against what the dialect does, and
-- `moongate test` tries an adapter's quirks.
--
--   request(name) → one without it, one with it      seen(name, request) → what of it is there, or nil
--   answer(name, dialect) → the same for answers      events(answer) → the answer as a stream's normal events
--
-- It knows no wire dialect, except where a citation must be one's own object.

local json = gw.json

local M = {}

local function text(words) return { type = "text", text = words } end

local function user(...) return { role = "user", parts = { ... }, at = "messages[0]" } end

local weather = '{"properties":{"city":{"type":"string"}},"required":["city"],"type":"object"}'

local function tool(name)
  return { kind = "function", name = name, description = "Tells the weather.", schema = json.raw(weather) }
end

local function base()
  return { model = "m", stream = false, max_tokens = 4000, messages = { user(text("What is the weather?")) } }
end

local function with_tools(request) request.tools = { tool("get_weather"), tool("get_tide") } end

local function call(arguments)
  return { type = "tool_call", id = "call_1", name = "get_weather", arguments = json.raw(arguments) }
end

local function with_call(request)
  with_tools(request)
  local messages = request.messages
  messages[2] = { role = "assistant", parts = { call('{"city":"Paris"}') }, at = "messages[1]" }
  messages[3] = user({ type = "tool_result", id = "call_1", parts = { text("sunny") } })
end

local function with_history(request)
  request.messages[2] = { role = "assistant", parts = { text("Sunny.") }, at = "messages[1]" }
  request.messages[3] = user(text("And tomorrow?"))
end

local function field(name, value)
  return {
    add = function(request) request[name] = value end,
    see = function(request) return request[name] end,
  }
end

-- The first part of a type in the messages, also inside tool results.
local function find(request, kind)
  for _, message in ipairs(request.messages) do
    for _, part in ipairs(message.parts) do
      if part.type == kind then return part end
      for _, inner in ipairs(part.parts or {}) do
        if inner.type == kind then return inner end
      end
    end
  end
  return nil
end

local function copy(part)
  local made = {}
  for key, value in pairs(part) do made[key] = value end
  return made
end

local function add_part(part)
  return function(request)
    local added = copy(part)
    added.at = "messages[0].content[1]"
    table.insert(request.messages[1].parts, added)
  end
end

-- A part in the first user message, seen by one of its fields.
local function part_of(part, key)
  return {
    add = add_part(part),
    see = function(request)
      local found = find(request, part.type)
      return found and found[key]
    end,
  }
end

local png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
local pdf = "JVBERi0xLjQKJSVFT0YK"

local function image() return { type = "image", media_type = "image/png", bytes = png } end

local function document()
  return { type = "document", media_type = "application/pdf", bytes = pdf, title = "paper.pdf" }
end

local function document_field(name, value)
  return {
    prepare = function(request) add_part(document())(request) end,
    add = function(request) find(request, "document")[name] = value end,
    see = function(request)
      local found = find(request, "document")
      return found and found[name]
    end,
  }
end

local function choice(value)
  return {
    prepare = with_tools,
    add = function(request) request.tool_choice = value end,
    see = function(request)
      local found = request.tool_choice
      return found and { mode = found.mode, name = found.name }
    end,
  }
end

-- Thinking before the assistant's words, in the history.
local function thought(part)
  return {
    prepare = with_history,
    add = function(request) table.insert(request.messages[2].parts, 1, copy(part)) end,
    see = function(request)
      local found = find(request, "thinking")
      return found and { text = found.text, signature = found.signature, sealed = found.data, by = found.signed_by }
    end,
  }
end

local function inner_part(part)
  return {
    prepare = with_call,
    add = function(request) table.insert(request.messages[3].parts[1].parts, copy(part)) end,
    see = function(request)
      for _, message in ipairs(request.messages) do
        for _, outer in ipairs(message.parts) do
          for _, inner in ipairs(outer.parts or {}) do
            if inner.type == part.type then return inner.bytes end
          end
        end
      end
      return nil
    end,
  }
end

local function reasoning(value)
  return {
    add = function(request) request.reasoning = value end,
    see = function(request)
      local found = request.reasoning
      return found and (value.effort and { found.effort } or value.budget_tokens and { found.budget_tokens }
        or { found.mode })
    end,
  }
end

local marker = { type = "ephemeral" }

local requests = {
  max_tokens = field("max_tokens", 4000),
  ["max_tokens(absent)"] = {
    add = function(request) request.max_tokens = nil end,
    see = function(request) return request.max_tokens == nil end,
  },
  temperature = field("temperature", 0.5),
  ["temperature(above 1)"] = field("temperature", 1.5),
  top_p = field("top_p", 0.5),
  top_k = field("top_k", 40),
  stop = field("stop", { "one", "two" }),
  ["stop(more than 5)"] = field("stop", { "1", "2", "3", "4", "5", "6" }),
  seed = field("seed", 7),
  ["n(above 1)"] = field("n", 2),
  frequency_penalty = field("frequency_penalty", 0.5),
  presence_penalty = field("presence_penalty", 0.5),
  logit_bias = field("logit_bias", json.raw('{"50256":-100}')),
  logprobs = field("logprobs", { top = 3 }),
  ["reasoning.effort"] = reasoning({ mode = "on", effort = "low" }),
  ["reasoning.budget_tokens"] = reasoning({ mode = "on", budget_tokens = 2000 }),
  ["reasoning(off)"] = reasoning({ mode = "off" }),
  ["format(json)"] = {
    add = function(request) request.format = { kind = "json" } end,
    see = function(request) return request.format and request.format.kind end,
  },
  ["format(json_schema)"] = {
    add = function(request)
      request.format = { kind = "json_schema", name = "answer", schema = json.raw(weather), strict = true }
    end,
    see = function(request) return request.format and request.format.schema and json.text(request.format.schema) end,
  },
  ["format.description"] = {
    prepare = function(request)
      request.format = { kind = "json_schema", name = "answer", schema = json.raw(weather), strict = true }
    end,
    add = function(request) request.format.description = "A place." end,
    see = function(request) return request.format and request.format.description end,
  },
  user = field("user", "user-7"),
  ["user(e-mail address)"] = field("user", "ann@example.org"),
  ["service_tier(default)"] = {
    add = function(request) request.service_tier = "default" end,
    see = function(request) return request.service_tier ~= nil end,
  },
  ["service_tier(flex)"] = {
    add = function(request) request.service_tier = "flex" end,
    see = function(request) return request.service_tier ~= nil end,
  },
  cache = field("cache", marker),
  system = {
    add = function(request) request.system = { { role = "system", parts = { text("Be short.") } } } end,
    see = function(request) return request.system and request.system[1].parts[1].text end,
  },
  ["system(developer)"] = {
    add = function(request) request.system = { { role = "developer", parts = { text("Be short.") } } } end,
    see = function(request) return request.system and request.system[1].role end,
  },
  ["system(late)"] = {
    prepare = with_history,
    add = function(request)
      table.insert(request.messages, 3, { role = "system", parts = { text("Be long.") }, at = "messages[2]" })
    end,
    see = function(request)
      for _, message in ipairs(request.messages) do
        if message.role == "system" then return message.parts[1].text end
      end
      return nil
    end,
  },
  ["message.name"] = {
    add = function(request) request.messages[1].name = "ann" end,
    see = function(request) return request.messages[1].name end,
  },
  tools = {
    add = with_tools,
    see = function(request)
      local first = request.tools and request.tools[1]
      return first and { name = first.name, description = first.description, schema = json.text(first.schema) }
    end,
  },
  ["tool.strict"] = {
    prepare = with_tools,
    add = function(request) request.tools[1].strict = true end,
    see = function(request) return request.tools and request.tools[1].strict end,
  },
  ["tool.cache"] = {
    prepare = with_tools,
    add = function(request) request.tools[#request.tools].cache = marker end,
    see = function(request) return request.tools and request.tools[#request.tools].cache ~= nil end,
  },
  ["tool_choice(auto)"] = choice({ mode = "auto" }),
  ["tool_choice(none)"] = choice({ mode = "none" }),
  ["tool_choice(required)"] = choice({ mode = "required" }),
  ["tool_choice(tool)"] = choice({ mode = "tool", name = "get_weather" }),
  ["tool_choice(names)"] = {
    prepare = function(request)
      with_tools(request)
      request.tool_choice = { mode = "auto" }
    end,
    add = function(request) request.tool_choice.names = { "get_tide" } end,
    see = function(request) return request.tool_choice and request.tool_choice.names end,
  },
  ["parallel_tools(false)"] = {
    prepare = with_tools,
    add = function(request) request.parallel_tools = false end,
    see = function(request) return request.parallel_tools == false end,
  },
  ["part.text"] = {
    add = add_part(text("In Paris.")),
    see = function(request)
      local joined = {}
      for _, message in ipairs(request.messages) do
        for _, part in ipairs(message.parts) do joined[#joined + 1] = part.text end
      end
      return table.concat(joined, "|")
    end,
  },
  ["part.cache"] = {
    add = function(request) request.messages[1].parts[1].cache = marker end,
    see = function(request) return request.messages[1].parts[1].cache ~= nil end,
  },
  ["part.citations"] = {
    prepare = with_history,
    add = function(request, dialect)
      request.messages[2].parts[1].citations = { M.citation("document", dialect) }
    end,
    see = function(request)
      local found = request.messages[2] and request.messages[2].parts
      return found and (found.citations or found[1].citations) ~= nil
    end,
  },
  ["part.image(bytes)"] = part_of(image(), "bytes"),
  ["part.image(url)"] = part_of({ type = "image", url = "https://images.example/a.png" }, "url"),
  ["part.image.detail"] = {
    prepare = add_part(image()),
    add = function(request) find(request, "image").detail = "high" end,
    see = function(request)
      local found = find(request, "image")
      return found and found.detail
    end,
  },
  ["part.document(bytes)"] = part_of(document(), "bytes"),
  ["part.document(url)"] = part_of({ type = "document", url = "https://papers.example/a.pdf" }, "url"),
  ["part.document(text)"] = part_of({ type = "document", text = "Once upon a time.", media_type = "text/plain" },
    "text"),
  ["part.document.title"] = document_field("title", "other.pdf"),
  ["part.document.context"] = document_field("context", "A draft."),
  ["part.document.citations_enabled"] = document_field("citations_enabled", true),
  ["part.audio"] = part_of({ type = "audio", bytes = "UklGRgAAAABXQVZF", format = "wav" }, "bytes"),
  ["part.tool_call"] = {
    prepare = with_tools,
    add = function(request) with_call(request) end,
    see = function(request)
      local found = find(request, "tool_call")
      return found and { name = found.name, arguments = found.arguments and json.text(found.arguments) }
    end,
  },
  ["part.tool_call(arguments not an object)"] = {
    prepare = with_call,
    add = function(request)
      local part = find(request, "tool_call")
      part.arguments, part.arguments_text = nil, "{oops"
    end,
    see = function(request)
      local found = find(request, "tool_call")
      return found and found.arguments_text
    end,
  },
  ["part.tool_result"] = {
    prepare = with_tools,
    add = function(request) with_call(request) end,
    see = function(request)
      local found = find(request, "tool_result")
      return found and found.parts[1] and found.parts[1].text
    end,
  },
  ["part.tool_result(image)"] = inner_part(image()),
  ["part.tool_result(document)"] = inner_part(document()),
  ["part.tool_result.is_error"] = {
    prepare = with_call,
    add = function(request) find(request, "tool_result").is_error = true end,
    see = function(request)
      local found = find(request, "tool_result")
      return found and found.is_error
    end,
  },
  ["part.thinking"] = thought({ type = "thinking", text = "Hm." }),
  ["part.thinking(signed by anthropic)"] = thought({ type = "thinking", text = "Hm.", signature = "c2lnbmVk",
    signed_by = "anthropic" }),
  ["part.thinking(signed by gemini)"] = thought({ type = "thinking", text = "Hm.", signature = "c2lnbmVk",
    signed_by = "gemini" }),
  ["part.thinking(signed by openai)"] = thought({ type = "thinking", redacted = true, data = "c2lnbmVk",
    signed_by = "openai" }),
  ["part.thinking(redacted)"] = thought({ type = "thinking", redacted = true, data = "c2VjcmV0",
    signed_by = "anthropic" }),
  ["part.refusal"] = {
    prepare = with_history,
    add = function(request) request.messages[2].parts = { { type = "refusal", text = "I will not." } } end,
    see = function(request)
      local found = find(request, "refusal")
      return found and found.text
    end,
  },
}

-- Citations are kept as the object of the dialect they came in; this is one for each dialect that has such objects.
local citation_bodies = {
  ["anthropic.messages"] = {
    url = { type = "web_search_result_location", url = "https://news.example/a", title = "News", cited_text = "Sunny.",
      encrypted_index = "eA==" },
    document = { type = "char_location", cited_text = "Sunny.", document_index = 0, document_title = "paper.pdf",
      start_char_index = 0, end_char_index = 6 },
  },
  ["openai.responses"] = {
    url = { type = "url_citation", url = "https://news.example/a", title = "News", start_index = 0, end_index = 6 },
    document = { type = "file_citation", file_id = "file-1", filename = "paper.pdf", index = 6 },
  },
}

function M.citation(kind, dialect)
  local own = citation_bodies[dialect]
  local citation = { type = "url", url = "https://news.example/a", title = "News", text = "Sunny.", start_index = 0,
    end_index = 6, dialect = dialect, body = own and own[kind] }
  if kind == "document" then
    citation.type, citation.url, citation.title = "char_location", nil, "paper.pdf"
  end
  return citation
end

-- A request in the normal form without what `name` means, and one with it. dialect: the one that says it.
function M.request(name, dialect)
  local sample, without, with = requests[name], base(), base()
  for _, request in ipairs { without, with } do
    request.dialect = dialect
    if sample.prepare then sample.prepare(request) end
  end
  sample.add(with, dialect)
  return without, with
end

-- What of it a request has; nil or false when it has nothing.
function M.seen(name, request)
  return requests[name].see(request)
end

----- answers

local function answer_base(dialect)
  return { dialect = dialect, id = "answer-1", model = "pm", created = 1790000000,
    usage = { input_tokens = 100, output_tokens = 50 },
    choices = { { index = 0, parts = { text("It is sunny.") }, finish = { reason = "stop", dialect = dialect } } } }
end

local function answer_part(part, at)
  return {
    add = function(answer) table.insert(answer.choices[1].parts, at or 2, copy(part)) end,
    see = function(answer)
      local texts, first = {}, nil
      for _, found in ipairs(answer.choices[1].parts) do
        if found.type == part.type then
          first = first or found
          texts[#texts + 1] = found.text
        end
      end
      return first and { text = table.concat(texts), signature = first.signature, sealed = first.data,
        by = first.signed_by, name = first.name, bytes = first.bytes,
        arguments = first.arguments and json.text(first.arguments) }
    end,
  }
end

local function cited(kind)
  return {
    add = function(answer, dialect)
      local citation = M.citation(kind, dialect)
      answer.choices[1].parts[1].citations = { citation }
    end,
    see = function(answer)
      local found = answer.choices[1].parts
      if found.citations and found.citations[1] then return found.citations[1].url or true end
      for _, part in ipairs(found) do
        if part.citations and part.citations[1] then return part.citations[1].url or true end
      end
      return nil
    end,
  }
end

local function finish(reason)
  return {
    add = function(answer)
      local ending = answer.choices[1].finish
      ending.reason = reason
      if reason == "stop_sequence" then ending.stop_sequence = "one" end
      if reason == "tool_calls" then table.insert(answer.choices[1].parts, call('{"city":"Paris"}')) end
    end,
    see = function(answer)
      local ending = answer.choices[1].finish
      return { reason = ending.reason, stop_sequence = ending.stop_sequence }
    end,
  }
end

local function counter(name, value)
  return {
    add = function(answer)
      answer.usage[name] = value
      if name == "cache_write_1h_tokens" then answer.usage.cache_write_tokens = 30 end
    end,
    prepare = function(answer)
      if name == "cache_write_1h_tokens" then answer.usage.cache_write_tokens = 30 end
    end,
    see = function(answer) return answer.usage and answer.usage[name] end,
  }
end

local probabilities = '{"content":[{"token":"It","logprob":-0.1,"bytes":[73,116],"top_logprobs":[]}],"refusal":null}'

local answers = {
  ["answer.text"] = answer_part(text(" Very sunny.")),
  ["answer.thinking"] = answer_part({ type = "thinking", text = "Hm." }, 1),
  ["answer.thinking(signed by anthropic)"] = answer_part({ type = "thinking", text = "Hm.", signature = "c2lnbmVk",
    signed_by = "anthropic" }, 1),
  ["answer.thinking(signed by gemini)"] = answer_part({ type = "thinking", text = "Hm.", signature = "c2lnbmVk",
    signed_by = "gemini" }, 1),
  ["answer.thinking(signed by openai)"] = answer_part({ type = "thinking", redacted = true, data = "c2lnbmVk",
    signed_by = "openai" }, 1),
  ["answer.thinking(redacted)"] = answer_part({ type = "thinking", redacted = true, data = "c2VjcmV0",
    signed_by = "anthropic" }, 1),
  ["answer.tool_call"] = {
    add = function(answer)
      table.insert(answer.choices[1].parts, call('{"city":"Paris"}'))
      answer.choices[1].finish.reason = "tool_calls"
    end,
    see = answer_part(call("{}")).see,
  },
  ["answer.refusal"] = {
    add = function(answer) answer.choices[1].parts = { { type = "refusal", text = "I will not." } } end,
    see = answer_part({ type = "refusal" }).see,
  },
  ["answer.audio"] = answer_part({ type = "audio", bytes = "UklGRgAAAABXQVZF", id = "audio-1", transcript = "Sunny.",
    expires_at = 1790000000 }),
  ["answer.citations(url)"] = cited("url"),
  ["answer.citations(document)"] = cited("document"),
  ["answer.logprobs"] = {
    add = function(answer) answer.choices[1].logprobs = json.raw(probabilities) end,
    see = function(answer) return answer.choices[1].logprobs ~= nil end,
  },
  ["answer.choices(more than 1)"] = {
    add = function(answer)
      answer.choices[2] = { index = 1, parts = { text("It rains.") }, finish = { reason = "stop" } }
    end,
    see = function(answer) return answer.choices[2] and answer.choices[2].parts[1].text end,
  },
  ["answer.service_tier"] = {
    add = function(answer) answer.service_tier = "default" end,
    see = function(answer) return answer.service_tier ~= nil end,
  },
  ["finish(stop)"] = finish("stop"),
  ["finish(stop_sequence)"] = finish("stop_sequence"),
  ["finish(pause)"] = finish("pause"),
  ["finish(length)"] = finish("length"),
  ["finish(context_window)"] = finish("context_window"),
  ["finish(tool_calls)"] = finish("tool_calls"),
  ["finish(content_filter)"] = finish("content_filter"),
  ["finish(error)"] = finish("error"),
  ["usage.tokens"] = {
    add = function(answer) answer.usage = { input_tokens = 101, output_tokens = 51 } end,
    see = function(answer) return answer.usage and { answer.usage.input_tokens, answer.usage.output_tokens } end,
  },
  ["usage.cache_read_tokens"] = counter("cache_read_tokens", 20),
  ["usage.cache_write_tokens"] = counter("cache_write_tokens", 30),
  ["usage.cache_write_1h_tokens"] = counter("cache_write_1h_tokens", 10),
  ["usage.reasoning_tokens"] = counter("reasoning_tokens", 12),
  ["usage.audio_input_tokens"] = counter("audio_input_tokens", 8),
  ["usage.audio_output_tokens"] = counter("audio_output_tokens", 9),
  ["usage.server_tools"] = {
    add = function(answer) answer.usage.server_tools = { web_search_requests = 2 } end,
    see = function(answer) return answer.usage and answer.usage.server_tools ~= nil end,
  },
}

-- An answer in the normal form without what `name` means, and one with it. dialect: the provider's.
function M.answer(name, dialect)
  local sample, without, with = answers[name], answer_base(dialect), answer_base(dialect)
  for _, answer in ipairs { without, with } do
    if sample.prepare then sample.prepare(answer) end
  end
  sample.add(with, dialect)
  return without, with
end

function M.seen_in_answer(name, answer)
  return answers[name].see(answer)
end

-- The answer as the events of a stream. Texts come in two pieces.
function M.events(answer)
  local events = { { type = "start", id = answer.id, model = answer.model, created = answer.created } }
  local function emit(event) events[#events + 1] = event end
  local function pieces(words, event)
    local half = #words // 2
    for _, piece in ipairs { words:sub(1, half), words:sub(half + 1) } do
      if piece ~= "" then
        emit({ type = event.type, text = piece, choice = event.choice, logprobs = event.logprobs })
      end
    end
  end
  for _, one in ipairs(answer.choices) do
    local index, call_count = one.index, 0
    for _, part in ipairs(one.parts) do
      if part.type == "text" then
        pieces(part.text, { type = "text", choice = index, logprobs = one.logprobs })
        for _, citation in ipairs(part.citations or {}) do
          emit({ type = "citation", citation = citation, choice = index })
        end
        emit({ type = "part_stop", choice = index })
      elseif part.type == "thinking" and part.redacted then
        emit({ type = "redacted_thinking", data = part.data, signed_by = part.signed_by, choice = index })
      elseif part.type == "thinking" then
        pieces(part.text, { type = "thinking", choice = index })
        if part.signature then
          emit({ type = "signature", signature = part.signature, signed_by = part.signed_by, choice = index })
        end
        emit({ type = "part_stop", choice = index })
      elseif part.type == "refusal" then
        pieces(part.text, { type = "refusal", choice = index })
      elseif part.type == "tool_call" then
        emit({ type = "tool_start", index = call_count, id = part.id, name = part.name, choice = index })
        local arguments = json.text(part.arguments)
        emit({ type = "tool_delta", index = call_count, arguments = arguments:sub(1, 3), choice = index })
        emit({ type = "tool_delta", index = call_count, arguments = arguments:sub(4), choice = index })
        emit({ type = "tool_stop", index = call_count, choice = index })
        call_count = call_count + 1
      elseif part.type == "audio" then
        emit({ type = "opaque", kind = "audio", dialect = answer.dialect, choice = index,
          body = { audio = { id = part.id, data = part.bytes, transcript = part.transcript } } })
      end
    end
    for _, citation in ipairs(one.parts.citations or {}) do
      emit({ type = "citation", citation = citation, choice = index })
    end
  end
  for _, one in ipairs(answer.choices) do emit({ type = "finish", finish = one.finish, choice = one.index }) end
  emit({ type = "usage", usage = answer.usage })
  emit({ type = "end" })
  return events
end

return M
