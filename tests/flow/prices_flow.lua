-- Prices from outside: `moongate prices import` on the three public formats, what a config does with such a file, and
-- how tiers, long prompts, unknown models and told costs end up in traces and metrics.
local answers = require "answers"
local flow = require "flow"
local json = require "cjson"
local proc = require "proc"

local function import(t, name, text, arguments)
  local file = t.dir .. "/" .. name
  proc.write_file(file, text)
  local argv = { os.getenv "MOONGATE" or "build/moongate", "prices", "import", file, "--date", "2026-11-22" }
  for _, word in ipairs(arguments or {}) do argv[#argv + 1] = word end
  return proc.run(t.dir, "import-" .. name, argv)
end

local function rows_of(t, text)
  local chunk = t:check(load(text, "=imported", "t", {}), "Lua in what was imported")
  return chunk()
end

-- Everything that a row can say in each format, and everything that is left out with a reason.
local litellm = [[{
  "sample_spec": { "litellm_provider": "one of many", "mode": "chat" },
  "gpt-9": { "litellm_provider": "openai", "mode": "chat", "max_input_tokens": 272000, "max_output_tokens": 128000,
    "input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-07,
    "input_cost_per_token_above_200k_tokens": 2.5e-06, "output_cost_per_token_above_200k_tokens": 1.5e-05,
    "input_cost_per_token_flex": 6.25e-07, "output_cost_per_token_flex": 5e-06,
    "input_cost_per_token_above_200k_tokens_flex": 1.25e-06, "output_cost_per_token_above_200k_tokens_flex": 7.5e-06,
    "input_cost_per_token_batches": 6.25e-07, "output_cost_per_token_batches": 5e-06,
    "supports_function_calling": true, "supports_parallel_function_calling": true, "supports_vision": true,
    "supports_reasoning": true, "supports_response_schema": false,
    "search_context_cost_per_query": { "search_context_size_medium": 0.01 } },
  "half": { "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06,
    "output_cost_per_token": 4e-06, "input_cost_per_token_above_200k_tokens": 2e-06,
    "output_cost_per_token_above_272k_tokens": 8e-06, "input_cost_per_token_flex": 5e-07 },
  "gpt-9-2026-01-02": { "litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 2e-08 },
  "groq/fast": { "litellm_provider": "groq", "mode": "chat", "input_cost_per_token": 5.00000000000001e-08,
    "output_cost_per_token": 8e-08 },
  "groq/fast-2026-01-02": { "litellm_provider": "groq", "mode": "chat", "input_cost_per_token": 5.00000000000001e-08,
    "output_cost_per_token": 8e-08 },
  "dashscope/stairs": { "litellm_provider": "dashscope", "mode": "chat", "tiered_pricing": [
    { "range": [0, 32000], "input_cost_per_token": 4e-07, "output_cost_per_token": 1.2e-06 },
    { "range": [32000, 128000], "input_cost_per_token": 7e-07, "output_cost_per_token": 2.1e-06 } ] },
  "perplexity/sonar-9": { "litellm_provider": "perplexity", "mode": "chat", "input_cost_per_token": 1e-06,
    "output_cost_per_token": 1e-06, "search_context_cost_per_query": { "search_context_size_low": 0.005,
      "search_context_size_medium": 0.008 } },
  "whisper-9": { "litellm_provider": "openai", "mode": "audio_transcription", "input_cost_per_second": 0.0001 },
  "voice": { "litellm_provider": "gemini", "mode": "chat", "input_cost_per_token": 3e-07,
    "output_cost_per_token": 2.5e-06, "input_cost_per_audio_token": 1e-06, "output_cost_per_reasoning_token": 3e-06 },
  "1024-x-1024/dall-e-9": { "litellm_provider": "openai", "mode": "image_generation", "input_cost_per_pixel": 1e-08 },
  "gone": { "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06,
    "deprecation_date": "2026-11-21" },
  "elsewhere/m": { "litellm_provider": "elsewhere", "mode": "chat", "input_cost_per_token": 1e-06 },
  "veo": { "litellm_provider": "vertex_ai", "mode": "video_generation", "output_cost_per_second": 0.4 },
  "nothing": { "litellm_provider": "openai", "mode": "chat", "max_input_tokens": 5 },
  "odd": { "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": "much", "output_cost_per_token": 1 }
}]]

local litellm_rows = {
  ["openai/gpt-9"] = { context = 272000, max_output = 128000, can = "tools parallel_tools images thinking",
    input = "1.25", output = "10", cache_read = "0.125", per_search = "0.01",
    above = { { tokens = 200000, input = "2.5", output = "15" } },
    flex = { input = "0.625", output = "5", above = { { tokens = 200000, input = "1.25", output = "7.5" } } },
    batch = { input = "0.625", output = "5" } },
  -- What a step or a tier does not say costs what it costs without it, never nothing.
  ["openai/half"] = { can = "", input = "1", output = "4", flex = { input = "0.5", output = "4" },
    above = { { tokens = 200000, input = "2", output = "4" }, { tokens = 272000, input = "2", output = "8" } } },
  ["openai/gpt-9-2026-01-02"] = { input = "0.02", output = "0" },
  ["groq/fast"] = { can = "", input = "0.05", output = "0.08" },
  ["qwen/stairs"] = { can = "", input = "0.4", output = "1.2",
    above = { { tokens = 32000, input = "0.7", output = "2.1" } } },
  ["perplexity/sonar-9"] = { can = "", input = "1", output = "1", per_request = "0.005" },
  ["openai/whisper-9"] = { per_second = "0.0001" },
  ["gemini/voice"] = { can = "", input = "0.3", output = "2.5", audio_input = "1", reasoning = "3" },
}

local function canonical(value)
  if type(value) ~= "table" then return type(value) .. ":" .. tostring(value) end
  local keys, out = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for i, key in ipairs(keys) do out[i] = tostring(key) .. "=" .. canonical(value[key]) end
  return "{" .. table.concat(out, ",") .. "}"
end

local function same_rows(t, got, wanted)
  for name, row in pairs(wanted) do t:equal(canonical(got[name]), canonical(row), name) end
  for name in pairs(got) do t:check(wanted[name], "a row for " .. name .. " was expected") end
end

flow.case("prices import: LiteLLM's list, with what was left out and why", function(t)
  local status, out, told = import(t, "litellm.json", litellm)
  t:equal(status, 0, told)
  local file = rows_of(t, out)
  t:equal(file.date, "2026-11-22")
  t:equal(file.source, "litellm.json")
  same_rows(t, file.models, litellm_rows)
  t:match(told, "LiteLLM: 8 models taken, 2 prices rounded")
  t:match(told, "left out 1: it is retired: gone\n")
  t:match(told, "left out 1: its provider has no adapter here: elsewhere/m\n")
  t:match(told, "left out 1: it is a row for one region or one size: 1024%-x%-1024/dall%-e%-9\n")
  t:match(told, "left out 1: its kind is not served: veo\n")
  t:match(told, "left out 1: it has no price that a gateway could count: nothing\n")
  t:match(told, "left out 1: a price is no number: odd\n")
  t:match(told, "left out 1: it is dated and says what its undated row says: groq/fast%-2026%-01%-02\n")
  local _, again = import(t, "litellm.json", litellm)
  t:equal(again, out, "the same bytes from the same list")
  local order = {}
  for name in out:gmatch '\n    %["([^"]+)"%] = ' do order[#order + 1] = name end
  local sorted = { table.unpack(order) }
  table.sort(sorted)
  t:equal(table.concat(order, " "), table.concat(sorted, " "), "sorted")
  for line in out:gmatch "[^\n]+" do t:check(#line <= 120, "a line of 120 characters at most: " .. line) end
  local _, only = import(t, "litellm.json", litellm, { "--adapter", "groq", "--source", "a list \"quoted\"" })
  same_rows(t, rows_of(t, only).models, { ["groq/fast"] = litellm_rows["groq/fast"] })
  t:equal(rows_of(t, only).source, 'a list "quoted"')
end)

flow.case("prices import: OpenRouter's list", function(t)
  local status, out, told = import(t, "openrouter.json", [[{ "data": [
    { "id": "maker/model", "context_length": 200000, "top_provider": { "max_completion_tokens": 64000 },
      "architecture": { "input_modalities": ["text", "image", "file"], "output_modalities": ["text"] },
      "supported_parameters": ["tools", "reasoning", "structured_outputs", "max_tokens"],
      "pricing": { "prompt": "0.000003", "completion": "0.000015", "request": "0", "image": "0.0048",
        "input_cache_read": "0.0000003", "input_cache_write": "0.00000375", "internal_reasoning": "0",
        "web_search": "0.01" } },
    { "id": "maker/free:free", "pricing": { "prompt": "0", "completion": "0" } },
    { "id": "maker/auto", "pricing": { "prompt": "-1", "completion": "-1" } } ] }]])
  t:equal(status, 0, told)
  same_rows(t, rows_of(t, out).models, {
    ["openrouter/maker/model"] = { context = 200000, max_output = 64000, can = "tools images pdf thinking json_schema",
      input = "3", output = "15", cache_read = "0.3", cache_write = "3.75", per_request = "0", per_search = "0.01" },
    ["openrouter/maker/free:free"] = { can = "", input = "0", output = "0" },
  })
  t:match(told, "left out 1: a price is no number: maker/auto\n")
end)

flow.case("prices import: models.dev's list", function(t)
  local status, out, told = import(t, "models-dev.json", [[{
    "google": { "id": "google", "models": { "gem-9": { "tool_call": true, "reasoning": true, "structured_output": true,
      "modalities": { "input": ["text", "image", "pdf", "audio", "video"], "output": ["text"] },
      "limit": { "context": 1048576, "output": 65536 },
      "cost": { "input": 1.25, "output": 10, "cache_read": 0.31, "input_audio": 1.5,
        "context_over_200k": { "input": 2.5, "output": 15 } } } } },
    "xai": { "models": { "grok-9": { "cost": { "input": 0.0375, "output": 0.5, "reasoning": 0.6 } } } },
    "nobody": { "models": { "m": { "cost": { "input": 1, "output": 1 } } } } }]])
  t:equal(status, 0, told)
  same_rows(t, rows_of(t, out).models, {
    ["gemini/gem-9"] = { context = 1048576, max_output = 65536,
      can = "tools images pdf audio video thinking json_schema", input = "1.25", output = "10", cache_read = "0.31",
      audio_input = "1.5", above = { { tokens = 200000, input = "2.5", output = "15" } } },
    ["xai/grok-9"] = { can = "", input = "0.0375", output = "0.5", reasoning = "0.6" },
  })
  t:match(told, "left out 1: its provider has no adapter here: nobody\n")
end)

flow.case("prices import: what is no list is refused", function(t)
  for name, text in pairs { ["a.json"] = "not json", ["b.json"] = "[1]", ["c.json"] = "{}", ["d.json"] = "" } do
    local status, out, told = import(t, name, text)
    t:equal(status, 1, name)
    t:equal(out, "", name)
    t:match(told, "moongate: .*" .. name .. ": not ", name)
  end
  local function told_by(...)
    local status, _, told = proc.run(t.dir, "wrong-use", { os.getenv "MOONGATE" or "build/moongate", "prices", ... })
    return status, told
  end
  t:equal(told_by(), 64)
  t:equal(told_by "export", 64)
  t:equal(told_by("import", "x", "--date", "today"), 64)
  local status, told = told_by("import", t.dir .. "/no-such-file.json")
  t:equal(status, 69)
  t:match(told, "No such file")
end)

flow.case("an imported file sets prices: tiers, long prompts, search, and a row of the config above it", function(t)
  import(t, "litellm.json", litellm, { "--out", t.dir .. "/prices.lua" })
  local usage = '{"prompt_tokens":%d,"completion_tokens":10,"total_tokens":%d}'
  local tokens, tier = 100, "default"
  local up = t:upstream { script = function(x)
    local whole = answers.openai_whole("x", "gpt-9"):gsub('"usage":{.-}', '"service_tier":"' .. tier .. '","usage":'
      .. usage:format(tokens, tokens + 10))
    x:reply(200, whole)
  end }
  local entry = t:provider(up)
  local gate = t:gateway {
    providers = { openai = entry, groq = t:provider(up) },
    routes = { r = { targets = { "openai/gpt-9" } }, g = { targets = { "groq/fast" } } },
    prices = { file = "prices.lua", ["groq/fast"] = { input = "100", output = "0" } },
  }
  local function cost(route)
    local answer = t:chat(gate, route)
    t:equal(answer.status, 200, answer.body)
    local record = t:trace(gate, answer.headers["x-request-id"])
    t:equal(record.price_date, route == "r" and "2026-11-22" or json.null, "price_date")
    return record.cost_pico_usd
  end
  t:equal(cost "r", 100 * 1250000 + 10 * 10000000, "standard")
  tier = "flex"
  t:equal(cost "r", 100 * 625000 + 10 * 5000000, "flex")
  tokens = 200001
  t:equal(cost "r", 200001 * 1250000 + 10 * 7500000, "flex, a long prompt")
  tier = "default"
  t:equal(cost "r", 200001 * 2500000 + 10 * 15000000, "a long prompt")
  tokens = 7
  t:equal(cost "g", 700000000, "the config's own row")
end)

flow.case("a model without a price: the estimate, and a counter; with deny the next target", function(t)
  local up = t:upstream {}
  local gate = t:gateway { providers = { up = t:provider(up) }, routes = { r = { targets = { "up/nobodys" } } } }
  local record = t:trace(gate, t:chat(gate, "r").headers["x-request-id"])
  t:equal(record.cost_pico_usd, 11 * 5000000 + 7 * 25000000, "estimate")
  t:equal(record.price_date, json.null)
  t:match(gate:metrics(), 'moongate_unpriced_attempts_total{provider="up",model="nobodys"} 1\n')
  gate = t:gateway { providers = { up = t:provider(up) }, routes = { r = { targets = { "up/nobodys" } } },
    estimate_price = { input = "1", output = "2" } }
  record = t:trace(gate, t:chat(gate, "r").headers["x-request-id"])
  t:equal(record.cost_pico_usd, 11 * 1000000 + 7 * 2000000, "an estimate of one's own")
  local before = #up.requests
  gate = t:gateway { providers = { up = t:provider(up) }, unknown_price = "deny",
    prices = { ["up/known"] = { input = "1", output = "1" } },
    routes = { r = { targets = { "up/nobodys", "up/known" } } } }
  local answer = t:chat(gate, "r")
  t:text(answer)
  record = t:trace(gate, answer.headers["x-request-id"])
  t:equal(record.attempts[1].class, "unpriced")
  t:equal(record.model, "known")
  t:equal(#up.requests, before + 1, "only the priced target was called")
  t:equal(t:chat(gate, "up/any").status, 403, "named by the client")
end)

flow.case("what the provider says it charged counts, where its adapter says that it tells", function(t)
  proc.write_file(t.dir .. "/telling.lua", 'return { api = 1, dialect = "openai.chat", tells_cost = true }\n')
  local up = t:upstream { script = function(x)
    x:reply(200, (answers.openai_whole("x", "m"):gsub('"total_tokens":18', '%0,"cost":0.00014300000000000003')))
  end }
  local gate = t:gateway {
    providers = { telling = t:provider(up, { adapter = "./telling.lua" }), silent = t:provider(up) },
    routes = { t = { targets = { "telling/m" } }, s = { targets = { "silent/m" } } },
    prices = { ["silent/m"] = { input = "1", output = "1" } },
  }
  local record = t:trace(gate, t:chat(gate, "t").headers["x-request-id"])
  t:equal(record.cost_pico_usd, 143000000)
  t:absent(gate:metrics(), 'moongate_unpriced_attempts_total{provider="telling",model="m"} 1')
  record = t:trace(gate, t:chat(gate, "s").headers["x-request-id"])
  t:equal(record.cost_pico_usd, 18000000)
end)

flow.case("policies see what models can do", function(t)
  proc.write_file(t.dir .. "/able.lua", [[
local P = { api = 1 }
function P.setup() return { targets = gw.targets() } end
function P:route()
  for _, target in ipairs(self.targets) do
    local can = target.capabilities
    if can and can.images and not can.audio and target.context_tokens == 9000 and target.max_output_tokens == nil then
      return target
    end
  end
end
return P
]])
  local up = t:upstream {}
  local gate = t:gateway {
    providers = { up = t:provider(up) },
    routes = { r = { policy = t.dir .. "/able.lua", targets = { "up/unknown", "up/blind", "up/seeing" } } },
    prices = { ["up/blind"] = { can = "tools audio", input = "1", output = "1" },
      ["up/seeing"] = { can = "tools images", context = 9000, input = "1", output = "1" } },
  }
  t:text(t:chat(gate, "r"))
  t:equal(json.decode(up.requests[1].body).model, "seeing")
end)
