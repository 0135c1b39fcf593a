-- Conversations of texts, calls of tools and their results are translated without Lua
-- (core/script/translation/text_request.h), and answers of one text nearly so (core/script/translation/text_answer.h).
-- What comes out must be what Lua makes of the same body, byte for byte: each body is sent as it is, when its frame is
-- new and when it is known, and with a member that says nothing and only Lua steps over.
local flow = require "flow"
local http = require "http"
local talk = require "talk"

-- Strings as they stand in a body.
local texts = {
  "Hello.", "Error in it", "eRROR", "err\\u006fr",
  "one\\ntwo\\n", "\\u0041\\u00e9", "a\\/b", "h\195\169llo \226\130\172 \240\159\153\130",
  "\\ud83d\\ude42 pair", "\\ud83d alone", "\\\\", "\\\\u0041", "\\\"quoted\\\"", " leading", "\\n\\n then",
  "\\t\\u0020 x", "x\\u0000y", "{\\\"a\\\":1}",
  "%s %d %%", "[1,2]", "\127", ("long "):rep(300), ("line\\n"):rep(200), "\\b\\f\\r\\t", "moon0", "x",
}
-- Blanks, and what is for one company's own models only: those stay with Lua.
local odd = { "", " ", "\\n", "\\u0020", "\\t \\r\\n", "x-anthropic-billing-header: cch=1;" }

local function choose(list) return list[math.random(#list)] end
local function maybe(share) return math.random() < share end

local function text() return '"' .. (maybe(0.03) and choose(odd) or choose(texts)) .. '"' end

-- Roles in the order in which people talk, and now and then in another.
local function roles()
  local list, count = {}, math.random(1, 7)
  for i = 1, count do
    list[i] = i % 2 == 1 and "user" or "assistant"
    if maybe(0.1) then list[i] = choose { "user", "assistant" } end
  end
  if #list % 2 == 0 and maybe(0.7) then list[#list] = nil end
  return list
end

-- One a dialect: list, system (nil: in the list), turn(role, text, extra), frames: members for beside it.
local shapes = {}

local function chat_turn(role, said, extra)
  local content = maybe(0.2) and '[{"type": "text","text":' .. said .. "}]" or said
  if maybe(0.5) then return '{"role":"' .. role .. '","content":' .. content .. extra .. "}" end
  return '{ "content" : ' .. content .. ', "role": "' .. role .. '"' .. extra .. " }"
end

local schema = '{"type":"object","properties":{"x":{"type":"number"}},"required":["x"]}'

shapes["openai.chat"] = { list = "messages", turn = chat_turn, system_role = "system", frames = {
  '"temperature":0.5', '"temperature":1.70', '"top_p":9e-1', '"max_tokens":77', '"max_completion_tokens":88', '"n":1',
  '"seed":7', '"stop":["a","b"]', '"user":"somebody"', '"user":"a@b.example"', '"frequency_penalty":0.25',
  '"reasoning_effort":"low"', '"response_format":{"type":"json_object"}', '"metadata":{"a":"b"}', '"stream":false',
  '"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":' .. schema .. "}}",
  '"tools":[{"type":"function","function":{"name":"a.b","parameters":' .. schema .. "}}]", '"unheard_of":[1]',
  '"service_tier":"flex"', '"logit_bias":{"5":1}', '"parallel_tool_calls":false', '"top_k":4',
} }
shapes["cohere.chat"] = { list = "messages", turn = chat_turn, system_role = "system", frames = {
  '"temperature":0.5', '"p":0.9', '"k":3', '"max_tokens":77', '"seed":7', '"stop_sequences":["a"]', '"stream":false',
  '"response_format":{"type":"json_object"}', '"frequency_penalty":0.25', '"thinking":{"type":"disabled"}',
  '"tools":[{"type":"function","function":{"name":"f","parameters":' .. schema .. "}}]", '"unheard_of":[1]',
} }
shapes["anthropic.messages"] = { list = "messages", turn = chat_turn, system = "system", base = '"max_tokens":90',
  system_text = function(said)
    local mark = maybe(0.5) and ',"cache_control":{"type":"ephemeral"}' or ""
    return maybe(0.3) and '[{"type":"text","text":' .. said .. mark .. "}]" or said
  end,
  frames = {
    '"temperature":0.5', '"top_p":0.9', '"top_k":3', '"stop_sequences":["a"]', '"metadata":{"user_id":"somebody"}',
    '"thinking":{"type":"enabled","budget_tokens":2000}', '"stream":false', '"service_tier":"auto"',
    '"tools":[{"name":"f","input_schema":' .. schema .. "}]", '"unheard_of":[1]',
  } }
shapes["openai.responses"] = { list = "input", system = "instructions", frames = {
  '"temperature":0.5', '"top_p":0.9', '"max_output_tokens":77', '"user":"somebody"', '"stream":false', '"store":false',
  '"text":{"format":{"type":"json_object"}}', '"reasoning":{"effort":"low"}', '"metadata":{"a":"b"}',
  '"tools":[{"type":"function","name":"f","parameters":' .. schema .. "}]", '"unheard_of":[1]',
}, turn = function(role, said, extra)
  local kind = role == "user" and "input_text" or "output_text"
  local content = maybe(0.3) and '[{"type":"' .. kind .. '","text":' .. said .. "}]" or said
  return "{" .. (maybe(0.5) and '"type":"message",' or "") .. '"role":"' .. role .. '","content":' .. content .. extra
    .. "}"
end }

local function list_turn(key, model)
  return function(role, said, extra)
    return '{"role":"' .. (role == "assistant" and model or role) .. '","' .. key .. '":[{"text":' .. said .. "}]"
      .. extra .. "}"
  end
end

shapes.gemini = { list = "contents", system = "systemInstruction", turn = list_turn("parts", "model"),
  system_text = function(said) return '{"parts":[{"text":' .. said .. "}]}" end, frames = {
    '"generationConfig":{"temperature":0.5,"topK":3}', '"generation_config":{"max_output_tokens":60}',
    '"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":' .. schema .. "}]}]",
    '"safetySettings":[]', '"cachedContent":"cachedContents/x"', '"unheardOf":1',
  } }
shapes["bedrock.converse"] = { list = "messages", system = "system", turn = list_turn("content", "assistant"),
  system_text = function(said) return '[{"text":' .. said .. "}]" end, frames = {
    '"inferenceConfig":{"temperature":0.5,"maxTokens":70}', '"inferenceConfig":{"stopSequences":["a"]}',
    '"additionalModelRequestFields":{"top_k":5}', '"unheardOf":1',
    '"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":' .. schema .. "}}}]}",
  } }

-- ---- calls and results --------------------------------------------------------------------------------------

local ids = { "call_1", "call_2", "toolu_01AbCdEfGhIjKlMnOpQrStUv", "x", ("i"):rep(40), ("i"):rep(41), ("i"):rep(64),
  "call-3", "123456789" }
local odd_ids = { "", ("i"):rep(65), "functions.f:0", "a b", "\\u0061", "\195\169" }
local names = { "f", "g", "read_file", "a-b", ("n"):rep(64) }
local odd_names = { "a.b", ("n"):rep(65), "\\u0066", "", "a b" }
-- Arguments, and what came: as JSON, and what is none.
local objects = { "{}", '{"a":1}', '{ "path" : "/src/\\u0041\\n\\"x\\".c", "n": [1, 2.50, -0.0, 1E+2] }',
  '{"b":{"z":null,"a":true},"a":"\226\130\172"}', '{"a":1,"a":2}', '{"deep":[[[[{"x":[]}]]]]}', ' {"x": 1}\n',
  '{"n":12345678901234567890}' }
local odd_objects = { "[1]", "7", '"s"', "not json", '{"a":', "", " ", "null", "{} x", "\n{ }\t" }

-- A JSON text as a string of JSON, now and then with escapes that nobody has to make.
local function quoted(json)
  local escaped = json:gsub('[\\"]', "\\%0"):gsub("\n", "\\n"):gsub("\t", "\\t")
  if maybe(0.1) then escaped = escaped:gsub("{", "\\u007b"):gsub("/", "\\/") end
  return '"' .. escaped .. '"'
end

local odd_share = 0.01

local function odd_or(list, odd_list) return maybe(odd_share) and choose(odd_list) or choose(list) end

-- { id, name, json }; ids of a conversation are usually its own.
local function new_call(number)
  local id = odd_or(ids, odd_ids)
  if maybe(0.8) then id = "call_" .. number end
  return { id = id, name = odd_or(names, odd_names), json = odd_or(objects, odd_objects) }
end

-- { id, name, text (raw) or json, is_error }
local function result_of(call)
  local result = { id = maybe(odd_share) and choose(ids) or call.id, name = call.name, is_error = maybe(0.04) }
  if maybe(0.3) then result.json = odd_or(objects, odd_objects) else result.said = text() end
  if maybe(0.1) then result.said, result.json = '""', nil end
  if maybe(0.05) then result.said, result.json = choose { '" "', '"\\\\n"', '"[1, 2]"', '" [{}]"', '"{oops"' }, nil end
  return result
end

local function shuffled(list)
  for i = #list, 2, -1 do
    local k = math.random(i)
    list[i], list[k] = list[k], list[i]
  end
  return list
end

-- Turns { role, texts, calls, results }: what an agent sends, in the usual order and now and then in another.
local function said_by_agent()
  local turns, open, count = { { role = "user", texts = { text() } } }, {}, 0
  for _ = 1, math.random(1, 5) do
    local turn = { role = "assistant", texts = {}, calls = {} }
    for _ = 1, maybe(0.4) and math.random(1, maybe(0.1) and 2 or 1) or 0 do turn.texts[#turn.texts + 1] = text() end
    for _ = 1, maybe(0.85) and math.random(1, maybe(0.4) and 3 or 1) or 0 do
      count = count + 1
      turn.calls[#turn.calls + 1] = new_call(count)
    end
    if not turn.calls[1] and not turn.texts[1] then turn.texts[1] = text() end
    turns[#turns + 1] = turn
    for _, call in ipairs(turn.calls) do open[#open + 1] = call end
    if maybe(0.1) then shuffled(open) end
    local user = { role = "user", texts = {}, results = {} }
    for _, call in ipairs(open) do user.results[#user.results + 1] = result_of(call) end
    open = {}
    if maybe(odd_share) then table.remove(user.results) end
    if not user.results[1] or maybe(0.1) then user.texts[1] = text() end
    if maybe(0.05) then user.texts[#user.texts + 1] = text() end
    turns[#turns + 1] = user
    if maybe(0.1) then turns[#turns + 1] = { role = "user", texts = { text() }, results = {} } end
  end
  if maybe(0.05) then turns[#turns] = nil end
  return turns
end

local function map(list, fn)
  local made = {}
  for _, v in ipairs(list or {}) do made[#made + 1] = fn(v) end
  return made
end

local function joined(list) return table.concat(list, ",") end

local function value_or_text(result) return result.said or quoted(result.json) end

-- Elements of the list for one turn of an agent, by dialect; extra goes into the last.
local agents = {}

local function text_part(said) return '{"type":"text","text":' .. said .. "}" end

local function texts_content(list)
  if #list == 1 and maybe(0.8) then return list[1] end
  return "[" .. joined(map(list, text_part)) .. "]"
end

agents["openai.chat"] = function(turn, extra, is_cohere)
  local list = map(turn.results, function(result)
    local content = value_or_text(result)
    if maybe(0.1) then content = "[" .. text_part(content) .. "]" end
    if result.said == '""' and not is_cohere and maybe(0.3) then content = "null" end
    local name = maybe(0.1) and not is_cohere and ',"name":"f"' or ""
    return '{"role":"tool","tool_call_id":"' .. result.id .. '"' .. name .. ',"content":' .. content .. "}"
  end)
  local calls = map(turn.calls, function(call)
    return '{"id":"' .. call.id .. '","type":"function","function":{"name":"' .. call.name .. '","arguments":'
      .. quoted(call.json) .. "}}"
  end)
  if #turn.texts > 0 or #calls > 0 then
    local content = #turn.texts > 0 and '"content":' .. texts_content(turn.texts)
      or choose { '"content":null', '"content":""', '"refusal":null' }
    list[#list + 1] = '{"role":"' .. turn.role .. '",' .. content
      .. (#calls > 0 and ',"tool_calls":[' .. joined(calls) .. "]" or "") .. "}"
  end
  list[#list] = list[#list]:sub(1, -2) .. extra .. "}"
  return list
end
agents["cohere.chat"] = function(turn, extra) return agents["openai.chat"](turn, extra, true) end

-- With a cache marker, now and then.
local function marked(part)
  if maybe(0.85) then return part end
  local mark = choose { '{"type":"ephemeral"}', '{"type":"ephemeral","ttl":"1h"}', "null" }
  if maybe(odd_share) then mark = choose { "[]", "true", '"x"' } end
  return part:sub(1, -2) .. ',"cache_control":' .. mark .. "}"
end

agents["anthropic.messages"] = function(turn, extra)
  local parts = map(turn.results, function(result)
    local content = value_or_text(result)
    if maybe(0.2) then content = "[" .. text_part(content) .. "]" end
    local flag = result.is_error and ',"is_error":true' or maybe(0.2) and ',"is_error":false' or ""
    return '{"type":"tool_result","tool_use_id":"' .. result.id .. '"'
      .. (result.said == '""' and maybe(0.3) and "" or ',"content":' .. content) .. flag .. "}"
  end)
  for _, said in ipairs(turn.texts) do parts[#parts + 1] = text_part(said) end
  for _, call in ipairs(turn.calls or {}) do
    local input = call.json == "" and "null" or call.json:find("[jx:]$") and "{}" or call.json
    parts[#parts + 1] = '{"type":"tool_use","id":"' .. call.id .. '","name":"' .. call.name .. '","input":'
      .. (input:find("%S") and not input:find("not json") and input or "{}") .. "}"
  end
  local content = "[" .. joined(map(parts, marked)) .. "]"
  if #parts == 1 and turn.texts[1] and maybe(0.5) then content = turn.texts[1] end
  return { '{"role":"' .. turn.role .. '","content":' .. content .. extra .. "}" }
end

-- The JSON of a call or a result where a value is wanted: what is none becomes one.
local function value_of(json)
  if json:find("^%s*$") or json:find("not json", 1, true) or json:find("x$") or json:find(":$") then return "{}" end
  return json
end

local function object_of(json)
  local value = value_of(json)
  return value:find("^%s*{") and value or maybe(0.5) and value or '{"value":' .. value .. "}"
end

local odd_responses = { '{"output":{"b":1,"a":2}}', '{"output":"a","output":"b"}', '{"output":"a","x":1}',
  '{"o\\u0075tput":"a"}', '{"output":null}', '{"output":[ ]}' }

agents.gemini = function(turn, extra)
  local parts = map(turn.results, function(result)
    local response = result.said and '{"output":' .. result.said .. "}" or object_of(result.json)
    if result.is_error then response = '{"error":' .. (result.said or '"no"') .. "}" end
    if result.said and maybe(0.1) then response = '{"result":' .. result.said .. ',"code":0}' end
    if result.said == '""' and maybe(0.3) then response = "{}" end
    if maybe(0.02) then response = choose(odd_responses) end
    return '{"functionResponse":{"id":"' .. result.id .. '","name":"' .. result.name .. '","response":' .. response
      .. "}}"
  end)
  for _, said in ipairs(turn.texts) do parts[#parts + 1] = '{"text":' .. said .. "}" end
  for _, call in ipairs(turn.calls or {}) do
    local arguments = call.json == "{}" and maybe(0.3) and "" or ',"args":' .. object_of(call.json)
    parts[#parts + 1] = '{"functionCall":{"name":"' .. call.name .. '"' .. arguments .. ',"id":"' .. call.id .. '"}}'
  end
  return { '{"role":"' .. (turn.role == "user" and "user" or "model") .. '","parts":[' .. joined(parts) .. "]" .. extra
    .. "}" }
end

agents["bedrock.converse"] = function(turn, extra)
  local parts = map(turn.results, function(result)
    local content = result.said and '[{"text":' .. result.said .. "}]" or '[{"json":' .. object_of(result.json) .. "}]"
    if result.said == '""' and maybe(0.5) then content = "[]" end
    local status = result.is_error and ',"status":"error"' or maybe(0.3) and ',"status":"success"' or ""
    return '{"toolResult":{"toolUseId":"' .. result.id .. '","content":' .. content .. status .. "}}"
  end)
  for _, said in ipairs(turn.texts) do parts[#parts + 1] = '{"text":' .. said .. "}" end
  for _, call in ipairs(turn.calls or {}) do
    parts[#parts + 1] = '{"toolUse":{"toolUseId":"' .. call.id .. '","name":"' .. call.name .. '","input":'
      .. object_of(call.json) .. "}}"
  end
  return { '{"role":"' .. turn.role .. '","content":[' .. joined(parts) .. "]" .. extra .. "}" }
end

agents["openai.responses"] = function(turn, extra)
  local list = map(turn.results, function(result)
    local output = value_or_text(result)
    if maybe(0.1) then output = '[{"type":"input_text","text":' .. output .. "}]" end
    return '{"type":"function_call_output","call_id":"' .. result.id .. '","output":' .. output
      .. (maybe(0.2) and ',"id":"fco_1","status":"completed"' or "") .. "}"
  end)
  local kind = turn.role == "user" and "input_text" or "output_text"
  if #turn.texts > 0 then
    local content = #turn.texts == 1 and maybe(0.5) and turn.texts[1] or "["
      .. joined(map(turn.texts, function(said) return '{"type":"' .. kind .. '","text":' .. said .. "}" end)) .. "]"
    list[#list + 1] = '{"type":"message","role":"' .. turn.role .. '","content":' .. content .. "}"
  end
  for _, call in ipairs(turn.calls or {}) do
    list[#list + 1] = '{"type":"function_call","call_id":"' .. call.id .. '","name":"' .. call.name .. '","arguments":'
      .. quoted(call.json) .. (maybe(0.2) and ',"id":"fc_1","status":"completed"' or "") .. "}"
  end
  list[#list] = list[#list]:sub(1, -2) .. extra .. "}"
  return list
end

-- ---- bodies -------------------------------------------------------------------------------------------------

-- Members of a turn that say nothing.
local function idle(dialect)
  local list = { ',"refusal":null', ',"annotations":[]', ',"tool_calls":null,"name":null' }
  if dialect == "openai.responses" then list = { ',"id":"msg_0","status":"completed"', ',"phase":null' } end
  return maybe(0.25) and choose(list) or ""
end

-- A body twice: as it is, and with a member in its last turn that says nothing either, but that only Lua steps over.
local function bodies(dialect, model)
  local shape = shapes[dialect]
  local list, members = {}, { '"model":"' .. model .. '"', shape.base }
  local said = maybe(0.4) and text()
  if said and shape.system_role then list[1] = shape.turn(shape.system_role, said, "") end
  if said and shape.system then
    members[#members + 1] = ('"%s":%s'):format(shape.system, (shape.system_text or tostring)(said))
  end
  local last_elements
  if maybe(0.5) then
    local turns = said_by_agent()
    for i = 1, #turns - 1 do table.move(agents[dialect](turns[i], ""), 1, 20, #list + 1, list) end
    last_elements = function(extra) return joined(agents[dialect](turns[#turns], extra)) end
  else
    local order, last = roles(), text()
    for i = 1, #order - 1 do list[#list + 1] = shape.turn(order[i], text(), idle(dialect)) end
    last_elements = function(extra) return shape.turn(order[#order], last, extra) end
  end
  for _ = 1, math.random(0, 3) do
    local member = choose(shape.frames)
    local key = member:match '^"[^"]+"'
    local is_there = false
    for _, other in ipairs(members) do is_there = is_there or other:sub(1, #key) == key end
    if not is_there then members[#members + 1] = member end
  end
  local seed, at = math.random(1, 1 << 30), math.random(#members + 1)
  local function body(extra)
    math.randomseed(seed)
    local all = { table.unpack(members) }
    table.insert(all, at, '"' .. shape.list .. '": [' .. table.concat(list, ",") .. (list[1] and "," or "")
      .. last_elements(extra) .. " ]")
    return "{" .. table.concat(all, ", ") .. "}"
  end
  return body "", body ',"nothing":false'
end

-- ---- answers ------------------------------------------------------------------------------------------------

-- By what the path ends in: an answer with the text, `more` being members of the part, or of the message, that say
-- nothing but keep the answer with Lua.
local answers = {
  { "/chat/completions$", "openai.chat", ',"audio":{}',
    '{"id":"chatcmpl-9","object":"chat.completion","created":1700000000,"model":"m-9","choices":[{"index":0,"message":'
    .. '{"role":"assistant","content":%s,"refusal":null,"annotations":[]%s},"logprobs":null,"finish_reason":"%s"}],'
    .. '"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,'
    .. '"prompt_tokens_details":{"cached_tokens":3,'
    .. '"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":2}},"service_tier":"default",'
    .. '"system_fingerprint":%s}', { "stop", "length", "content_filter", "", "unheard_of" } },
  { "/responses$", "openai.responses", ',"x":{}',
    '{"id":"resp_9","object":"response","created_at":1700000000,"status":"%3$s","error":null,"incomplete_details":'
    .. '{"reason":"max_output_tokens"},"model":"m-9","output":[{"type":"message","id":"msg_9",'
    .. '"status":"completed","role":'
    .. '"assistant","content":[{"type":"output_text","text":%1$s,"annotations":[],"logprobs":[]%2$s}]}],"reasoning":'
    .. '{"effort":null,"summary":null},"usage":{"input_tokens":19,"input_tokens_details":{"cached_tokens":3},'
    .. '"output_tokens":10,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":29},"service_tier":"default"}',
    { "completed", "incomplete" } },
  { "/messages$", "anthropic.messages", ',"x":{}',
    '{"id":"msg_9","type":"message","role":"assistant","model":"m-9","content":[{"type":"text",'
    .. '"text":%s%s}],"stop_reason":'
    .. '"%s","stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":4,'
    .. '"cache_read_input_tokens":3,'
    .. '"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":0},'
    .. '"output_tokens":10,"service_tier":'
    .. '"standard"}}', { "end_turn", "max_tokens", "refusal", "stop_sequence", "pause_turn" } },
  { ":generateContent$", "gemini", ',"x":{}',
    '{"candidates":[{"content":{"parts":[{"text":%s%s}],"role":"model"},"finishReason":"%s",'
    .. '"index":0,"avgLogprobs":-0.1}],'
    .. '"usageMetadata":{"promptTokenCount":19,"candidatesTokenCount":8,"totalTokenCount":29,"thoughtsTokenCount":2,'
    .. '"promptTokensDetails":[{"modality":"TEXT","tokenCount":19}]},"modelVersion":"m-9","responseId":"r9"}',
    { "STOP", "MAX_TOKENS", "SAFETY", "OTHER" } },
  { "/v2/chat$", "cohere.chat", ',"x":{}',
    '{"id":"c9","finish_reason":"%3$s","message":{"role":"assistant","content":[{"type":"text",'
    .. '"text":%1$s%2$s}]},"usage":'
    .. '{"billed_units":{"input_tokens":9,"output_tokens":8},"tokens":{"input_tokens":19,"output_tokens":10},'
    .. '"cached_tokens":3}}', { "COMPLETE", "MAX_TOKENS", "STOP_SEQUENCE" } },
  { "/converse$", "bedrock.converse", ',"x":{}',
    '{"metrics":{"latencyMs":5},"output":{"message":{"content":[{"text":%s%s}],"role":"assistant"}},"stopReason":"%s",'
    .. '"usage":{"inputTokens":12,"outputTokens":10,"totalTokens":22,"cacheReadInputTokens":3,'
    .. '"cacheWriteInputTokens":4}}',
    { "end_turn", "max_tokens", "stop_sequence", "guardrail_intervened" } },
}

local function fill(pattern, said, more, finish, fingerprint)
  if not pattern:find "%%1%$s" then return pattern:format(said, more, finish, fingerprint) end
  local values = { said, more, finish }
  return (pattern:gsub("%%(%d)%$s", function(i) return values[tonumber(i)] end))
end

-- What the gateway makes up for each answer anew.
local function masked(body)
  return (body:gsub('"id":"[%w_-]+"', '"id":""'):gsub('"responseId":"%w*"', '"responseId":""'):gsub("req_%w+", "req")
    :gsub('"(c%a+_?a?t?)":%d+', '"%1":0'):gsub('"latencyMs":%d+', '"latencyMs":0'))
end

local adapters = { ["openai.chat"] = "openai-compatible", ["openai.responses"] = "openai",
  ["anthropic.messages"] = "anthropic", gemini = "gemini", ["cohere.chat"] = "cohere",
  ["bedrock.converse"] = "bedrock" }
local roots = { gemini = "/v1beta", ["cohere.chat"] = "/v2", ["bedrock.converse"] = "" }

local function start(t, answer_of)
  local up
  up = t:upstream { script = function(x)
    local target = x.request.target
    for _, row in ipairs(answers) do
      if target:find(row[1]) then return x:reply(200, answer_of(row)) end
    end
    x:reply(404, "{}")
  end }
  local providers, routes = {}, {}
  for i, dialect in ipairs(talk.dialects) do
    providers["p" .. i] = t:provider(up, { adapter = adapters[dialect], dialect = dialect,
      base_url = up.url .. (roots[dialect] or "/v1"), region = dialect == "bedrock.converse" and "us-east-1" or nil })
    routes["r" .. i] = { targets = { "p" .. i .. "/claude-sonnet-4-5" } }
  end
  return t:gateway { providers = providers, routes = routes }, up
end

local function ask(t, conn, client, route, body)
  local text_of = http.request_text { method = "POST", target = talk.rows[client].path(route), body = body,
    headers = { "authorization: Bearer " .. flow.client_key, "anthropic-version: 2023-06-01" } }
  t:check(conn:send(text_of), "sending")
  local answer, why = http.read_response(conn, 30 * t.seconds)
  if not answer then t:fail("no answer: " .. tostring(why) .. " to " .. body) end
  return answer
end

for number, client in ipairs(talk.dialects) do
  flow.case("texts of " .. client .. " clients pass without Lua as they do with it", function(t)
    local answer
    local gate, up = start(t, function(row) return answer(row) end)
    local conn = t:client(gate)
    for i, provider in ipairs(talk.dialects) do
      for round = 1, provider == client and 0 or 40 do
        math.randomseed(number, i * 1000 + round) -- whatever cases beside this one have drawn meanwhile
        local plain, whole = bodies(client, "r" .. i)
        local said = text()
        local finish, fingerprint = math.random(100), maybe(0.5) and "null" or '"fp_1"'
        local got, seen = {}, {}
        for pass, body in ipairs { whole, plain, plain } do
          answer = function(row)
            return fill(row[4], said, pass == 1 and row[3] or "", row[5][finish % #row[5] + 1], fingerprint)
          end
          local before = #up.requests
          got[pass] = ask(t, conn, client, "r" .. i, body)
          seen[pass] = #up.requests > before and up.requests[#up.requests].body or "(nothing)"
        end
        local what = ("%s, round %d, of %s"):format(provider, round, plain:sub(1, 400))
        for pass = 2, 3 do
          t:equal(seen[pass], seen[1], "the provider's body: " .. what)
          t:equal(got[pass].status, got[1].status, "status: " .. what)
          t:equal(got[pass].headers["x-moongate-lossy"], got[1].headers["x-moongate-lossy"], "losses: " .. what)
          t:equal(masked(got[pass].body), masked(got[1].body), "answer: " .. what)
        end
      end
    end
  end)
end

-- An answer of one text with a field more: C reads it where that says nothing, Lua where it is to be listed.
flow.case("texts: what an answer has that nobody knows is listed", function(t)
  local new
  local gate = start(t, function(row)
    return (fill(row[4], '"hi"', "", row[5][1], "null"):gsub("^{", function() return "{" .. new end))
  end)
  local conn = t:client(gate)
  for _, client in ipairs { "openai.chat", "anthropic.messages" } do
    for i, provider in ipairs(talk.dialects) do
      local got, body = {}, (bodies(client, "r" .. i))
      for n, more in ipairs { "", '"brand_new":{},', '"brand_new":{"a":1},' } do
        new = more
        got[n] = provider ~= client and ask(t, conn, client, "r" .. i, body)
      end
      if provider ~= client then
        local what = provider .. " to " .. client
        for n = 1, 3 do
          t:equal(got[n].status, 200, what)
          t:equal((got[n].headers["x-moongate-lossy"] or ""):find("brand_new", 1, true) ~= nil, n == 3, what)
        end
        t:equal(masked(got[2].body), masked(got[1].body), what)
        t:equal(masked(got[3].body), masked(got[1].body), what)
      end
    end
  end
end)
