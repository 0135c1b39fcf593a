-- What an answer says, in neither dialect: the specs compare what a provider sent with what a client got. Written from
-- the two protocols, apart from the translators, so that a mistake there is not repeated here.
--
-- outcome = { text, thinking, signatures, redacted, calls = { { id, name, arguments } }, finish, usage, error }
-- finish: "stop" "length" "tool" "filter"; arguments: canonical JSON text, or the raw text when it does not parse.

local M = {}

local function present(json, v)
  if v == json.null then return nil end
  return v
end

local function canonical(json, text)
  if not text:find("%S") then return "{}" end
  local v = json.decode(text)
  if v == nil then return text end
  if type(v) == "table" and v._raw_arguments then return v._raw_arguments end
  return json.encode(v)
end

local chat_finish = { stop = "stop", length = "length", tool_calls = "tool", function_call = "tool",
  content_filter = "filter" }

function M.usage_of_chat(json, usage)
  usage = present(json, usage)
  if not usage then return nil end
  local details = present(json, usage.prompt_tokens_details) or {}
  local out_details = present(json, usage.completion_tokens_details) or {}
  local output, reasoning = usage.completion_tokens, present(json, out_details.reasoning_tokens) or 0
  -- xAI counts reasoning beside completion_tokens.
  local is_beside = usage.total_tokens == usage.prompt_tokens + output + reasoning
  if is_beside then output = output + reasoning end
  local cached = present(json, details.cached_tokens) or present(json, usage.cache_read_input_tokens)
    or present(json, usage.prompt_cache_hit_tokens) or present(json, usage.cached_tokens)
    or present(json, usage.num_cached_tokens) or 0
  local input, heard = usage.prompt_tokens, present(json, details.audio_tokens) or 0
  -- Mistral counts audio beside prompt_tokens.
  if heard > 0 and usage.total_tokens == input + usage.completion_tokens + heard then input = input + heard end
  -- Grok on Azure counts cached tokens beside prompt_tokens.
  if cached > input then input = input + cached end
  return { input = input, output = output, cached = cached, reasoning = reasoning,
    written = present(json, details.cache_write_tokens) or present(json, usage.cache_creation_input_tokens) or 0 }
end

-- From the message of one Chat choice (whole, or re-assembled from deltas).
function M.of_chat_choice(json, message, finish_reason)
  -- Azure leaves the message out when its filter took the whole answer.
  message = message or {}
  local function get(name) return present(json, message[name]) end
  local texts, thoughts = {}, {}
  if type(get("content")) == "string" then
    texts[1] = message.content
  else
    for _, part in ipairs(get("content") or {}) do
      if part.type == "text" then
        texts[#texts + 1] = part.text
      elseif part.type == "thinking" then
        for _, piece in ipairs(part.thinking) do thoughts[#thoughts + 1] = piece.text end
      end
    end
  end
  local signatures, redacted = {}, {}
  local plain = get("reasoning_content") or get("reasoning")
  for _, block in ipairs(get("thinking_blocks") or {}) do
    signatures[#signatures + 1] = block.signature
    redacted[#redacted + 1] = block.data
  end
  local details = {}
  for _, detail in ipairs(get("reasoning_details") or {}) do
    if detail.type ~= "reasoning.encrypted" then details[#details + 1] = detail.text or detail.summary end
    if (detail.signature or "") ~= "" and (detail.format or ""):find("^anthropic") then
      signatures[#signatures + 1] = detail.signature
    end
  end
  if plain and plain ~= "" then thoughts = { plain } elseif #details > 0 then thoughts = details end
  local refusal = get("refusal")
  if refusal == "" then refusal = nil end
  texts[#texts + 1] = refusal
  local calls = {}
  for _, call in ipairs(get("tool_calls") or {}) do
    -- The free text of a custom tool is the one argument of a function elsewhere.
    local called = call["function"] or { name = call.custom.name,
      arguments = json.encode({ input = call.custom.input }) }
    calls[#calls + 1] = { id = call.id, name = called.name, arguments = canonical(json, called.arguments) }
  end
  local legacy = get("function_call")
  if legacy and legacy.name ~= "" then
    calls[#calls + 1] = { id = "call_" .. legacy.name, name = legacy.name,
      arguments = canonical(json, legacy.arguments) }
  end
  local finish = chat_finish[finish_reason] or "stop"
  if finish == "stop" and #calls > 0 then finish = "tool" end
  if finish == "stop" and refusal then finish = "filter" end
  return { text = table.concat(texts), thinking = table.concat(thoughts), signatures = signatures, redacted = redacted,
    calls = calls, finish = finish }
end

function M.of_chat(json, body)
  local choice = body.choices[1]
  local outcome = M.of_chat_choice(json, choice.message, choice.finish_reason)
  outcome.usage = M.usage_of_chat(json, body.usage)
  return outcome
end

local stop_finish = { end_turn = "stop", stop_sequence = "stop", pause_turn = "stop", max_tokens = "length",
  model_context_window_exceeded = "length", tool_use = "tool", refusal = "filter" }

function M.of_messages(json, body)
  local texts, thoughts, signatures, redacted, calls = {}, {}, {}, {}, {}
  for _, block in ipairs(body.content) do
    if block.type == "text" then
      texts[#texts + 1] = block.text
    elseif block.type == "thinking" then
      thoughts[#thoughts + 1] = block.thinking
      if (block.signature or "") ~= "" then signatures[#signatures + 1] = block.signature end
    elseif block.type == "redacted_thinking" then
      redacted[#redacted + 1] = block.data
    elseif block.type == "tool_use" then
      calls[#calls + 1] = { id = block.id, name = block.name, arguments = block.broken_input
        or canonical(json, json.encode(block.input)) }
    end
  end
  local u = body.usage
  local usage = u and {
    input = u.input_tokens + (present(json, u.cache_read_input_tokens) or 0)
      + (present(json, u.cache_creation_input_tokens) or 0),
    output = u.output_tokens, cached = present(json, u.cache_read_input_tokens) or 0,
    written = present(json, u.cache_creation_input_tokens) or 0,
    reasoning = present(json, u.output_tokens_details) and u.output_tokens_details.thinking_tokens or 0,
  }
  return { text = table.concat(texts), thinking = table.concat(thoughts), signatures = signatures, redacted = redacted,
    calls = calls, finish = stop_finish[body.stop_reason] or "stop", usage = usage }
end

----- streams back into whole bodies

-- Events of an Anthropic stream → the body of a whole answer, or nil and the error.
function M.assemble_messages(json, events)
  local message, builders = nil, {}
  for _, event in ipairs(events) do
    local body = json.decode(event.data)
    if body.type == "message_start" then
      message = body.message
      message.content = {}
    elseif body.type == "content_block_start" then
      message.content[body.index + 1], builders[body.index] = body.content_block, {}
    elseif body.type == "content_block_delta" then
      local block, delta = message.content[body.index + 1], body.delta
      if delta.type == "text_delta" then
        block.text = block.text .. delta.text
      elseif delta.type == "thinking_delta" then
        block.thinking = block.thinking .. delta.thinking
      elseif delta.type == "signature_delta" then
        block.signature = delta.signature
      elseif delta.type == "input_json_delta" then
        table.insert(builders[body.index], delta.partial_json)
      end
    elseif body.type == "content_block_stop" then
      local text = table.concat(builders[body.index])
      if text ~= "" then
        local block = message.content[body.index + 1]
        block.input = json.decode(text)
        if block.input == nil then block.broken_input = text end
      end
    elseif body.type == "message_delta" then
      message.stop_reason = body.delta.stop_reason
      for name, v in pairs(body.usage or {}) do
        if v ~= json.null then message.usage[name] = v end
      end
    elseif body.type == "error" then
      return nil, body.error
    end
  end
  message.content = json.array(message.content)
  return message
end

-- Events of a Chat stream → the body of a whole answer (choice 0), or nil and the error.
function M.assemble_chat(json, events)
  local function get(v) return present(json, v) end
  local message, finish, usage = { role = "assistant" }, nil, nil
  local texts, thoughts, details_text, refusals, calls, blocks, signature = {}, {}, {}, {}, {}, {}, nil
  local head = {}
  local last_key
  for _, event in ipairs(events) do
    local chunk = event.data ~= "[DONE]" and json.decode(event.data) or nil
    if chunk and chunk.error then return nil, chunk.error end
    if chunk then
      head.id, head.model = head.id or chunk.id, head.model or chunk.model
      usage = get(chunk.usage) or usage
      for _, choice in ipairs(get(chunk.choices) or {}) do
        if choice.index == 0 then
          local delta = get(choice.delta) or {}
          if type(delta.content) == "string" then
            texts[#texts + 1] = delta.content
          else
            for _, part in ipairs(get(delta.content) or {}) do
              if part.type == "text" then
                texts[#texts + 1] = part.text
              else
                for _, piece in ipairs(part.thinking) do thoughts[#thoughts + 1] = piece.text end
              end
            end
          end
          thoughts[#thoughts + 1] = get(delta.reasoning_content) or get(delta.reasoning)
          for _, detail in ipairs(get(delta.reasoning_details) or {}) do
            if detail.type ~= "reasoning.encrypted" then
              details_text[#details_text + 1] = detail.text or detail.summary
            end
            if (detail.signature or "") ~= "" and (detail.format or ""):find("^anthropic") then
              signature = detail.signature
            end
          end
          for _, block in ipairs(get(delta.thinking_blocks) or {}) do blocks[#blocks + 1] = block end
          refusals[#refusals + 1] = get(delta.refusal)
          for _, fragment in ipairs(get(delta.tool_calls) or {}) do
            local key = get(fragment.index) or get(fragment.id) or last_key
            last_key = key
            local call
            for _, known in ipairs(calls) do if known.key == key then call = known end end
            if not call then
              call = { key = key, type = "function", ["function"] = { arguments = "" } }
              calls[#calls + 1] = call
            end
            call.id = call.id or get(fragment.id)
            local fn = call["function"]
            fn.name = fn.name or get(fragment["function"].name)
            fn.arguments = fn.arguments .. (get(fragment["function"].arguments) or "")
          end
          local reason = get(choice.finish_reason)
          if reason and reason ~= "" then finish = reason end
        end
      end
    end
  end
  message.content = table.concat(texts)
  local joined = table.concat(thoughts)
  if joined == "" then joined = table.concat(details_text) end
  if joined ~= "" then message.reasoning_content = joined end
  if #blocks > 0 then message.thinking_blocks = json.array(blocks) end
  if signature then
    message.reasoning_content = nil
    message.reasoning_details = json.array({ { type = "reasoning.text", text = joined, signature = signature,
      format = "anthropic-claude-v1" } })
  end
  local refusal = table.concat(refusals)
  if refusal ~= "" then message.refusal = refusal end
  for _, call in ipairs(calls) do call.key = nil end
  if #calls > 0 then message.tool_calls = json.array(calls) end
  return { id = head.id, model = head.model, usage = usage,
    choices = json.array({ { index = 0, message = message, finish_reason = finish or json.null } }) }
end

return M
