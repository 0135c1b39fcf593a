-- Adapter files: every shipped one loads; providers that speak several dialects; paths with the model in them; and what
-- the shipped quirks do to a request.
local answers = require "answers"
local flow = require "flow"
local json = require "cjson"
local proc = require "proc"

local binary = os.getenv "MOONGATE" or "build/moongate"

local function adapter_names()
  local pipe, names = assert(io.popen("ls " .. proc.quote(flow.root .. "/adapters"))), {}
  for name in pipe:lines() do names[#names + 1] = name:match "^(.+)%.lua$" end
  pipe:close()
  return names
end

-- A provider whose base URL says which dialect it answers in, by the path.
local function two_tongues(t)
  return t:upstream { script = function(x)
    if x.request.target:find "messages" then return x:reply(200, answers.anthropic_whole("hello", "m")) end
    x:reply(200, answers.openai_whole("hello", "m"))
  end }
end

flow.case("every adapter and every list of models loads", function(t)
  local lines, targets = {}, {}
  for _, name in ipairs(adapter_names()) do
    local cloud = name:find "^bedrock" or name:find "^vertex"
    if not cloud then
      lines[#lines + 1] = ('  [%q] = { base_url = "https://provider.example/v1", keys = { "a-key-that-is-none" } },')
        :format(name)
      targets[#targets + 1] = ("%q"):format(name .. "/m")
    end
  end
  t:check(#lines >= 30, "adapters")
  proc.write_file(t.dir .. "/all.lua", "return { providers = {\n" .. table.concat(lines, "\n")
    .. "\n}, routes = { r = { targets = { " .. table.concat(targets, ", ") .. " } } } }\n")
  local status, _, told = proc.run(t.dir, "check", { binary, "check", "--config", t.dir .. "/all.lua" })
  t:equal(status, 0, told)
  t:match(told, "fine: " .. #lines .. " providers")
end)

flow.case("a start without a config takes providers whose variable is set, and none that needs a base URL", function(t)
  local status, _, told = proc.run(t.dir, "environment", { binary, "check" },
    { MISTRAL_API_KEY = "a-key-that-is-none", XAI_API_KEY = "another-key-that-is-none",
      AZURE_OPENAI_API_KEY = "a-third-key" })
  t:equal(status, 0, told)
  t:match(told, "environment: fine: 2 providers")
end)

flow.case("a client who speaks one of a provider's dialects is passed through; others get the first", function(t)
  proc.write_file(t.dir .. "/two.lua", [[
return {
  api = 1, dialects = { "openai.chat", "anthropic.messages" }, auth = { header = "api-key" },
  paths = { ["anthropic.messages"] = "{origin}/anthropic/v1/messages" },
  model_dialects = { { prefix = "only-", dialects = { "anthropic.messages" } } },
}
]])
  local up = two_tongues(t)
  local gate = t:gateway {
    providers = { two = t:provider(up, { adapter = "./two.lua" }),
      one = t:provider(up, { adapter = "./two.lua", dialect = "anthropic.messages" }) },
    routes = { r = { targets = { "two/m" } }, only = { targets = { "two/only-m" } }, one = { targets = { "one/m" } } },
  }
  local function ask(route, dialect)
    local body = ('{"model":"%s","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"kept":1.50}'):format(route)
    local answer = t:chat(gate, route, { dialect = dialect, body = body })
    t:equal(t:text(answer), "hello", route .. " " .. dialect)
    return up.requests[#up.requests], answer
  end
  local request, answer = ask("r", "openai.chat")
  t:equal(request.target, "/v1/chat/completions")
  t:equal(answer.body, answers.openai_whole("hello", "m"), "bytes as they came")
  t:match(request.body, '"kept":1.50')
  t:equal(request.headers["api-key"], up.key)
  request, answer = ask("r", "anthropic.messages")
  t:equal(request.target, "/anthropic/v1/messages")
  t:equal(answer.body, answers.anthropic_whole("hello", "m"), "bytes as they came")
  t:match(request.body, '"kept":1.50')
  request = ask("only", "openai.chat")
  t:equal(request.target, "/anthropic/v1/messages", "a model that has one dialect only")
  t:equal(json.decode(request.body).kept, nil, "translated")
  request = ask("one", "openai.chat")
  t:equal(request.target, "/anthropic/v1/messages", "the config's dialect is the only one")
end)

flow.case("azure-deployments has the deployment in the path and the key in its header", function(t)
  local up = t:upstream {}
  local gate = t:gateway {
    providers = { az = t:provider(up, { adapter = "azure-deployments", base_url = up.url .. "/openai" }) },
    routes = { r = { targets = { "az/gpt-5.2_2025-12-11" } } },
  }
  t:text(t:chat(gate, "r"))
  local request = up.requests[1]
  t:equal(request.target, "/openai/deployments/gpt-5.2_2025-12-11/chat/completions?api-version=2024-10-21")
  t:equal(request.headers["api-key"], up.key)
  t:equal(request.headers.authorization, nil)
end)

flow.case("a path that is odd is a fault of the file, told with its line", function(t)
  for text, message in pairs {
    ['dialects = { "openai.chat", "french" }'] = "dialects must be one of: openai.chat",
    ["dialects = {}"] = "dialects must be one of",
    ['dialect = "openai.chat", model_dialects = { { prefix = "a" } }'] = "model_dialects%[1%] must be",
    ["doc = 'none'"] = "an adapter needs 'dialect' or 'dialects'",
    ['dialect = "openai.chat", tells_cost = 1'] = "tells_cost. must be",
  } do
    proc.write_file(t.dir .. "/odd.lua", "return { api = 1,\n  " .. text .. " }\n")
    proc.write_file(t.dir .. "/moongate.lua", 'return { providers = { p = { adapter = "./odd.lua", base_url = '
      .. '"http://127.0.0.1:9", keys = { "a-key-that-is-none" } } }, routes = { r = { targets = { "p/m" } } } }\n')
    local status, _, told = proc.run(t.dir, "check", { binary, "check", "--config", t.dir .. "/moongate.lua" })
    t:equal(status, 78, told)
    t:match(told, message)
    t:match(told, "odd%.lua:[12]: ")
  end
end)

-- adapter, model → what a Messages request becomes: fields that must be so (false: absent), and losses.
local quirks = {
  { "mistral", "ministral-3b-latest", { tool_choice = "any", stream_options = false, reasoning_effort = false,
    max_tokens = 2000 }, { "thinking" } },
  { "mistral", "mistral-small-latest", { reasoning_effort = "high" } },
  { "groq", "openai/gpt-oss-120b", { max_completion_tokens = 2000, max_tokens = false, reasoning_effort = "low" } },
  { "deepseek", "deepseek-chat", { max_tokens = 2000 } },
  { "xai", "grok-4.3", { stop = false, max_completion_tokens = 2000 }, { "stop", "thinking" } },
  { "openrouter", "maker/model", { top_k = 5 } },
  { "perplexity", "sonar", { tools = false, tool_choice = false, stop = false }, { "tools", "tool_choice", "stop" } },
  { "cerebras", "gpt-oss-120b", { max_completion_tokens = 2000 } },
  { "moonshot", "moonshot-v1-8k", { tool_choice = "auto" }, { "tool_choice(required)" }, "openai.chat" },
  { "deepinfra", "a/b", { tool_choice = "auto" }, { "tool_choice(required)" } },
  { "github", "openai/gpt-5-mini", { max_completion_tokens = 2000, temperature = false } },
  { "ollama", "gpt-oss:20b", { reasoning_effort = "low" } },
}

flow.case("the quirks of shipped adapters", { seconds = 60 }, function(t)
  local up = t:upstream {}
  local config = { providers = {}, routes = {} }
  for i, row in ipairs(quirks) do
    config.providers["p" .. i] = t:provider(up, { adapter = row[1], dialect = "openai.chat" })
    config.routes["r" .. i] = { targets = { "p" .. i .. "/" .. row[2] } }
  end
  local gate = t:gateway(config)
  for i, row in ipairs(quirks) do
    local answer = t:chat(gate, "r" .. i, { dialect = "anthropic.messages", stream = true, fields = {
      max_tokens = 2000, stop_sequences = { "END" }, top_k = 5, thinking = { type = "enabled", budget_tokens = 1024 },
      tools = { { name = "look", input_schema = { type = "object" } } }, tool_choice = { type = "any" } } })
    local shown = row[1] .. "/" .. row[2]
    t:equal(answer.status, 200, shown .. ": " .. answer.body)
    local sent = json.decode(up.requests[#up.requests].body)
    for name, wanted in pairs(row[3]) do
      if wanted == false then t:equal(sent[name], nil, shown .. " " .. name)
      else t:equal(sent[name], wanted, shown .. " " .. name) end
    end
    local lossy = "," .. (answer.headers["x-moongate-lossy"] or "") .. ","
    for _, name in ipairs(row[4] or {}) do
      t:check(lossy:find("," .. name, 1, true), shown .. " loses " .. name .. ", has " .. lossy)
    end
  end
end)

flow.case("thinking is switched by a type at DeepSeek and its like, a seed has another name at Mistral", function(t)
  local up = t:upstream {}
  local gate = t:gateway {
    providers = { ds = t:provider(up, { adapter = "deepseek", dialect = "openai.chat" }),
      glm = t:provider(up, { adapter = "zhipu", dialect = "openai.chat" }) },
    routes = { ds = { targets = { "ds/deepseek-flash" } }, glm = { targets = { "glm/glm-5" } } },
  }
  local function sent(route, fields)
    t:text(t:chat(gate, route, { dialect = "anthropic.messages", fields = fields }))
    return json.decode(up.requests[#up.requests].body)
  end
  local body = sent("ds", { thinking = { type = "disabled" } })
  t:equal(body.thinking.type, "disabled")
  body = sent("ds", { thinking = { type = "enabled", budget_tokens = 8192 }, max_tokens = 9000 })
  t:equal(body.thinking.type, "enabled")
  t:equal(body.reasoning_effort, "high")
  body = sent("glm", { thinking = { type = "enabled", budget_tokens = 1024 }, max_tokens = 9000 })
  t:equal(body.thinking.type, "enabled")
  t:equal(body.reasoning_effort, nil)
  body = sent("glm", { output_config = { format = { type = "json_schema", schema = { type = "object" } } } })
  t:equal(body.response_format.type, "json_object")
end)
