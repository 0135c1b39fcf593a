-- Bad input, from clients of all six dialects: a clear 4xx in the client's own shape, with the path of the field, and
-- nothing reaches the provider. The provider speaks another dialect than the client: only then does the gateway read
-- the whole body; what a provider of the same dialect is sent, it judges itself.
local flow = require "flow"
local http = require "http"
local json = require "cjson"

local null = json.null

-- target(model): where the client posts; body(): a good request; turns: where its turns stand; put: how a fault tells.
local dialects = {
  ["openai.chat"] = { turns = "messages", limit = "max_tokens",
    target = function() return "/v1/chat/completions" end,
    body = function(model) return { model = model, messages = { { role = "user", content = "say something" } } } end },
  ["openai.responses"] = { turns = "input", limit = "max_output_tokens",
    target = function() return "/v1/responses" end,
    body = function(model) return { model = model, input = { { role = "user", content = "say something" } } } end },
  ["anthropic.messages"] = { turns = "messages", limit = "max_tokens",
    target = function() return "/v1/messages" end,
    body = function(model)
      return { model = model, max_tokens = 64, messages = { { role = "user", content = "say something" } } }
    end },
  gemini = { turns = "contents", content = "parts", path = true, limit = "generationConfig.maxOutputTokens",
    target = function(model) return "/v1beta/models/" .. model .. ":generateContent" end,
    body = function() return { contents = { { role = "user", parts = { { text = "say something" } } } } } end },
  ["cohere.chat"] = { turns = "messages", limit = "max_tokens",
    target = function() return "/v2/chat" end,
    body = function(model)
      return { model = model, stream = false, messages = { { role = "user", content = "say something" } } }
    end },
  ["bedrock.converse"] = { turns = "messages", content = "content", path = true, limit = "inferenceConfig.maxTokens",
    target = function(model) return "/model/" .. model .. "/converse" end,
    body = function() return { messages = { { role = "user", content = { { text = "say something" } } } } } end },
}
local bases = { ["openai.chat"] = "/v1", ["openai.responses"] = "/v1", ["anthropic.messages"] = "/v1",
  gemini = "/v1beta", ["cohere.chat"] = "/v2", ["bedrock.converse"] = "" }

local function set(body, path, value)
  local at, last = body, nil
  for name in path:gmatch "[^.]+" do
    if last then
      at[last] = at[last] or {}
      at = at[last]
    end
    last = name
  end
  at[last] = value
  return body
end

-- { what, body (a table, or text), path in the message }
local function faults_of(dialect)
  local d, list = dialects[dialect], {}
  local turn = d.turns .. "[0]"
  local inner = d.content or "content"
  local function add(what, change, path)
    local body = d.body "r"
    list[#list + 1] = { what, change(body) or body, path }
  end
  add("no turns", function(b) b[d.turns] = nil end, d.turns)
  add("turns of another type", function(b) b[d.turns] = 7 end, d.turns)
  add("turns are null", function(b) b[d.turns] = null end, d.turns)
  add("a turn that is no object", function(b) b[d.turns][1] = 7 end, turn)
  add("an unknown role", function(b) b[d.turns][1].role = "wizard" end, turn .. ".role")
  add("a role of another type", function(b) b[d.turns][1].role = { "user" } end, turn .. ".role")
  add("content of another type", function(b) b[d.turns][1][inner] = 7 end, turn .. "." .. inner)
  add("a part that is no object", function(b) b[d.turns][1][inner] = { 7 } end, turn .. "." .. inner .. "[0]")
  add("a limit of another type", function(b) set(b, d.limit, "many") end, d.limit)
  local tools = dialect == "bedrock.converse" and "toolConfig.tools" or "tools"
  add("tools of another type", function(b) set(b, tools, "all") end, tools)
  add("a tool that is no object", function(b) set(b, tools, { 7 }) end, tools .. "[0]")
  if not d.path then
    add("a model of another type", function(b) b.model = 7 end, "model")
    add("a model that is null", function(b) b.model = null end, "model")
    add("no model", function(b) b.model = nil end, "model")
    add("an empty model", function(b) b.model = "" end, "model")
    add("stream of another type", function(b) b.stream = "yes" end, "stream")
  end
  return list
end

-- The message of an error body in the client's own shape; its status is checked where the body has it.
local function message_of(t, dialect, answer)
  t:match(answer.headers["content-type"], "^application/json", "content-type")
  local ok, body = pcall(json.decode, answer.body)
  t:check(ok, "JSON in the error body " .. answer.body)
  if dialect == "cohere.chat" then return body.message end
  if dialect == "bedrock.converse" then
    t:match(answer.headers["x-amzn-errortype"], "^%u%a+Exception", "x-amzn-errortype")
    return body.message
  end
  if dialect == "gemini" then
    t:equal(body.error.code, answer.status, "error.code")
    t:match(body.error.status, "^[%u_]+$", "error.status")
  else
    t:check(type(body.error.type) == "string", "error.type")
  end
  if dialect == "anthropic.messages" then t:equal(body.type, "error", "type") end
  return body.error.message
end

local function post(t, gate, target, body)
  local conn = t:client(gate)
  local headers = { "authorization: Bearer " .. flow.client_key }
  -- Who is refused at its head may not get to send the rest.
  conn:send(http.request_text { method = "POST", target = target, headers = headers,
    body = type(body) == "table" and json.encode(body) or body })
  local answer = t:check(http.read_response(conn), "an answer to " .. target)
  conn:close()
  return answer
end

-- A gateway with a provider of each dialect, and routes NAME to each; the upstreams by dialect.
local function providers(t, config)
  config = config or {}
  config.providers, config.routes = {}, {}
  local ups = {}
  for dialect, base in pairs(bases) do
    local served = not dialects[dialect].path and "hello" or function(x) x:reply(500, "{}") end
    local up, name = t:upstream { dialect = dialect, script = served }, dialect:gsub("%.", "-")
    up.url = up.url .. base
    config.providers[name] = t:provider({ dialect = dialect, url = up.url, key = up.key },
      { adapter = "openai-compatible", dialect = dialect, base_url = up.url })
    config.routes["to-" .. name] = { targets = { name .. "/m" } }
    ups[dialect] = up
  end
  return t:gateway(config), ups
end

local function check_untouched(t, ups)
  for dialect, up in pairs(ups) do t:equal(#up.requests, 0, "requests that reached the provider of " .. dialect) end
end

-- Names of Bedrock's profiles hold slashes and colons.
flow.case("bad input: what a name may hold stays one segment of the provider's path", function(t)
  local gate, ups = providers(t)
  for _, name in ipairs { "gemini", "bedrock-converse" } do
    local up = ups[(name:gsub("-", "."))]
    post(t, gate, "/v1/chat/completions", dialects["openai.chat"].body(name .. "/arn:aws:x/m&a=b"))
    t:match(up.requests[1].target, "/arn%%3Aaws%%3Ax%%2Fm%%26a%%3Db[:/]", "path at the provider")
    t:absent(up.requests[1].target, "?", "path at the provider")
  end
end)

for dialect, d in pairs(dialects) do
  local route = dialect == "anthropic.messages" and "to-openai-chat" or "to-anthropic-messages"

  flow.case("bad input: fields: " .. dialect, function(t)
    local gate, ups = providers(t)
    local wrong = {}
    for _, fault in ipairs(faults_of(dialect)) do
      local what, body, path = fault[1], fault[2], fault[3]
      if body.model == "r" then body.model = route end
      local ok, why = pcall(function()
        local answer = post(t, gate, d.target(route), body)
        t:equal(answer.status, 400, "status")
        local message = message_of(t, dialect, answer)
        t:check(message:find(path, 1, true), "the path " .. path .. " in: " .. message)
      end)
      if not ok then wrong[#wrong + 1] = what .. ": " .. tostring(why) end
    end
    t:equal(table.concat(wrong, "\n"), "", "faults")
    check_untouched(t, ups)
  end)

  flow.case("bad input: bodies: " .. dialect, function(t)
    local gate, ups = providers(t, { limits = { body = "1MiB" } })
    local good = json.encode(d.body(route))
    local big = good:gsub("say something", ("A"):rep(2 * 1024 * 1024))
    local bodies = {
      { "cut off", good:sub(1, -2), 400 }, { "empty", "", 400 }, { "no JSON", "hello", 400 }, { "a list", "[]", 400 },
      { "invalid UTF-8", (good:gsub("say something", "say \xff\xc3\x28")), 400 },
      { "a bare control byte", (good:gsub("say something", "say \1")), 400 },
      { "two values", good .. good, 400 }, { "too deep", ("["):rep(100000), 400 }, { "too large", big, 413 },
    }
    for _, row in ipairs(bodies) do
      local answer = post(t, gate, d.target(route), row[2])
      t:equal(answer.status, row[3], "status for a body that is " .. row[1] .. ": " .. answer.body)
      t:check(#message_of(t, dialect, answer) > 20, "a message that helps, for a body that is " .. row[1])
    end
    check_untouched(t, ups)
  end)

  -- Half a surrogate pair is no text: it becomes what Unicode has for that, and stays valid JSON in UTF-8.
  flow.case("bad input: half a surrogate pair: " .. dialect, function(t)
    local gate, ups = providers(t)
    local answer = post(t, gate, d.target(route), (json.encode(d.body(route)):gsub("say something", "say \\ud83d.")))
    t:equal(answer.status, 200, "status")
    local up = ups[route == "to-openai-chat" and "openai.chat" or "anthropic.messages"]
    t:check(utf8.len(up.requests[1].body), "UTF-8 in " .. up.requests[1].body)
    t:match(up.requests[1].body, "say \239\191\189%.", "body to the provider")
  end)

  flow.case("bad input: names of models: " .. dialect, function(t)
    local gate, ups = providers(t)
    -- As they stand in JSON; in a path they are percent-encoded.
    local names = { "..", "../..", "a/../b", "gemini/..", "gemini/../../v1/admin", "bedrock-converse/..%2f..%2fadmin",
      "bedrock-converse/m?x=1", "gemini/m?key=stolen", "gemini/a\0b", "a\0b",
      "gemini/a\r\nx-evil: 1", "gemini/%2e%2e", "gemini/a%00b", ("m"):rep(5000) }
    for _, name in ipairs(names) do
      local body, target = d.body(name), d.target(name)
      if d.path then target = d.target((name:gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end))) end
      local answer = post(t, gate, target, body)
      t:check(answer.status >= 400 and answer.status < 500,
        ("status %d for the model %q: %s"):format(answer.status, name, answer.body))
      t:check(#message_of(t, dialect, answer) > 20, ("a message that helps, for the model %q"):format(name))
    end
    if d.path then
      for _, name in ipairs { "a%00b", "%2e%2e", "..%2f..", "%", "%zz", "a b" } do
        local answer = post(t, gate, d.target(name), d.body())
        t:check(answer.status >= 400 and answer.status < 500, "status " .. answer.status .. " for the path " .. name)
      end
    end
    check_untouched(t, ups)
  end)
end

flow.case("bad input: a body too long to be translated is told so, and goes to who need not translate it", function(t)
  local far = t:upstream { dialect = "anthropic.messages", script = "far" }
  local near = t:upstream { dialect = "openai.chat", script = "near" }
  local gate = t:gateway {
    providers = { far = t:provider(far), near = t:provider(near) },
    routes = { alone = { targets = { "far/a" } }, both = { targets = { "far/a", "near/b" } } },
  }
  -- Five megabytes that are some two hundred as tables of a script.
  local tables = ("{},"):rep(1700000)
  local many = '"max_tokens":9,"messages":[{"role":"user","content":"hi"}],"metadata":[' .. tables .. "{}]}"
  local answer = t:chat(gate, "alone", { body = '{"model":"alone",' .. many })
  t:equal(answer.status, 400)
  t:envelope(answer, "openai.chat")
  t:match(json.decode(answer.body).error.message, "too long to be translated")
  t:equal(#far.requests, 0, "requests to who would have to be told otherwise")
  t:equal(t:text(t:chat(gate, "both", { body = '{"model":"both",' .. many })), "near")
end)
