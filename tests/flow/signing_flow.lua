-- Signatures: calls to AWS that the gateway signs, requests that AWS clients sign, and Google's tokens. Each one is
-- checked or made by the openssl command from the bytes on the wire.
local flow = require "flow"
local http = require "http"
local json = require "cjson"
local openssl = require "openssl"

local access_key, secret_key = "AKIAFLOWEXAMPLE00001", "canary7Q/aws+secret/EXAMPLEKEY"

local function encoded(text)
  return (text:gsub("[^%w_.~-]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function canonical_path(path)
  return (path:gsub("[^/]+", encoded))
end

-- What is signed of a request as it stands on the wire: { method, target, headers, body }, the names as the client
-- lists them.
local function text_to_sign(t, request, names, scope)
  local lines = { request.method, canonical_path(request.target:match "^[^?]*"), "" }
  for name in names:gmatch "[^;]+" do lines[#lines + 1] = name .. ":" .. request.headers[name] end
  lines[#lines + 1] = ""
  lines[#lines + 1] = names
  lines[#lines + 1] = openssl.sha256(t.dir, request.body)
  return table.concat({ "AWS4-HMAC-SHA256", request.headers["x-amz-date"], scope,
    openssl.sha256(t.dir, table.concat(lines, "\n")) }, "\n")
end

local function check_signature(t, request, region, service)
  local id, scope, names, signature = request.headers.authorization:match
    "^AWS4%-HMAC%-SHA256 Credential=([^/]+)/([^,]+), SignedHeaders=([^,]+), Signature=(%x+)$"
  t:equal(id, access_key, "access key")
  local date = request.headers["x-amz-date"]:match "^(%d%d%d%d%d%d%d%d)T%d%d%d%d%d%dZ$"
  t:equal(scope, ("%s/%s/%s/aws4_request"):format(date, region, service), "scope")
  request.method, request.target = request.first:match "^(%S+) (%S+) "
  t:equal(signature, openssl.aws_signature(t.dir, secret_key, date, region, service,
    text_to_sign(t, request, names, scope)), "signature")
  return names
end

local answer = json.encode {
  output = { message = { role = "assistant", content = { { text = "signed" } } } }, stopReason = "end_turn",
  usage = { inputTokens = 3, outputTokens = 1, totalTokens = 4 }, metrics = { latencyMs = 1 },
}

local function bedrock(up, more)
  local entry = {
    adapter = "bedrock", base_url = up.url, region = "eu-west-1",
    aws = { access_key = flow.env("FLOW_AWS_ID", access_key), secret_key = flow.env("FLOW_AWS_SECRET", secret_key) },
  }
  for name, value in pairs(more or {}) do entry[name] = value end
  return entry
end

flow.case("calls to AWS are signed over path, headers and body", function(t)
  local up = t:upstream { script = function(x) x:reply(200, answer) end }
  local gate = t:gateway { providers = { aws = bedrock(up) } }
  local models = {
    "anthropic.claude-v2:1", "us.amazon.nova-lite-v1:0",
    "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
  }
  for i, model in ipairs(models) do
    local fields = { messages = { { role = "user", content = "ä" .. i } } }
    t:equal(t:text(t:chat(gate, "aws/" .. model, { fields = fields })), "signed")
    local request = up.requests[i]
    t:equal(check_signature(t, request, "eu-west-1", "bedrock"), "content-type;host;x-amz-date")
    t:equal(request.target, "/model/" .. encoded(model) .. "/converse", "target")
    t:check(not request.headers["x-amz-security-token"], "no token")
  end
end)

flow.case("temporary credentials sign their session token; service and region are the config's", function(t)
  local up = t:upstream { script = function(x) x:reply(200, answer) end }
  local token = "canary7Q-session-token//////////w=="
  local gate = t:gateway { providers = { aws = bedrock(up, {
    service = "bedrock-mantle", region = "us-gov-west-1",
    aws = { access_key = flow.env("FLOW_AWS_ID", access_key), secret_key = flow.env("FLOW_AWS_SECRET", secret_key),
      session_token = flow.env("FLOW_AWS_TOKEN", token) },
  }) } }
  t:equal(t:text(t:chat(gate, "aws/amazon.nova-lite-v1:0")), "signed")
  local request = up.requests[1]
  t:equal(check_signature(t, request, "us-gov-west-1", "bedrock-mantle"),
    "content-type;host;x-amz-date;x-amz-security-token")
  t:equal(request.headers["x-amz-security-token"], token)
end)

flow.case("a Bedrock API key is sent as Bearer", function(t)
  local up = t:upstream { script = function(x) x:reply(200, answer) end }
  local key = "bedrock-api-key-canary7Q"
  local gate = t:gateway { providers = { aws = { adapter = "bedrock", base_url = up.url, region = "us-east-1",
    keys = { flow.env("FLOW_BEDROCK_KEY", key) } } } }
  t:equal(t:text(t:chat(gate, "aws/amazon.nova-lite-v1:0")), "signed")
  t:equal(up.requests[1].headers.authorization, "Bearer " .. key)
  t:check(not up.requests[1].headers["x-amz-date"], "no date")
end)

-- ---- clients -----------------------------------------------------------------------------------------------

local function pair_of(t, key)
  return "MGAK" .. openssl.hmac(t.dir, key, "moongate aws access key id", 32):sub(1, 16),
    openssl.hmac(t.dir, key, "moongate aws secret access key"):sub(1, 40)
end

-- A request signed as an AWS SDK does it. change(request): made after the signature.
local function signed(t, gate, options)
  local seconds = os.time() + (options.off or 0)
  local date = os.date("!%Y%m%dT%H%M%SZ", seconds)
  local request = {
    method = "POST", target = options.target or "/model/r/converse",
    body = '{"messages":[{"role":"user","content":[{"text":"hi"}]}]}',
    headers = { host = "127.0.0.1:" .. gate.port, ["content-type"] = "application/json", ["x-amz-date"] = date },
  }
  local names = "content-type;host;x-amz-date"
  if options.hash then
    request.headers["x-amz-content-sha256"] = openssl.sha256(t.dir, request.body)
    names = "content-type;host;x-amz-content-sha256;x-amz-date"
  end
  local region = "us-west-2"
  local scope = ("%s/%s/bedrock/aws4_request"):format(date:sub(1, 8), region)
  local signature = openssl.aws_signature(t.dir, options.secret, date:sub(1, 8), region, "bedrock",
    text_to_sign(t, request, names, scope))
  request.headers.authorization = ("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s")
    :format(options.id, scope, names, signature)
  if options.change then options.change(request) end
  local conn = t:client(gate)
  t:check(conn:send(http.request_text(request)), "sending")
  local said = http.read_response(conn, 20)
  conn:close()
  return said
end

flow.case("clients that sign with the pair of their key are let in, and with nothing else", function(t)
  local up = t:upstream { script = function(x) x:reply(200, answer) end }
  local gate = t:gateway { providers = { aws = bedrock(up) },
    routes = { r = { targets = { "aws/amazon.nova-lite-v1:0" } } } }
  local id, secret = pair_of(t, flow.client_key)
  local other = select(2, pair_of(t, "sk-of-somebody-else"))
  local function body(request) request.body = request.body:gsub("hi", "ho") end
  local function type_of(request) request.headers["content-type"] = "application/json; charset=utf-8" end
  local function cut(request) request.headers.authorization = request.headers.authorization:sub(1, -2) end
  local rows = {
    { "good", 200, {} },
    { "with the body's hash", 200, { hash = true } },
    { "a little early", 200, { off = 600 } },
    { "secret of another key", 401, { secret = other } },
    { "the key itself as secret", 401, { secret = flow.client_key } },
    { "unknown id", 401, { id = "MGAKAAAAAAAAAAAAAAAA" } },
    { "body changed", 401, { change = body } },
    { "body changed, hash sent", 401, { hash = true, change = body } },
    { "path changed", 401, { change = function(r) r.target = "/model/r%20/converse" end } },
    { "header changed", 401, { change = type_of } },
    { "old", 401, { off = -1200 } },
    { "of tomorrow", 401, { off = 86400 } },
    { "unsigned header of AWS", 401, { change = function(r) r.headers["x-amz-target"] = "x" end } },
    { "signature cut", 401, { change = cut } },
    { "a Bearer key beside it", 401, { change = function(r) r.headers["x-api-key"] = flow.client_key end } },
  }
  local allowed = 0
  for _, row in ipairs(rows) do
    local options = { id = id, secret = secret }
    for name, value in pairs(row[3]) do options[name] = value end
    local said = signed(t, gate, options)
    t:equal(said.status, row[2], row[1])
    if row[2] == 200 then
      allowed = allowed + 1
      t:equal(json.decode(said.body).output.message.content[1].text, "signed")
    else
      t:equal(json.decode(said.body).__type, "UnrecognizedClientException", row[1])
      t:match(said.headers["x-amzn-errortype"], "^UnrecognizedClientException")
      t:absent(said.body, secret, "body")
    end
  end
  t:equal(#up.requests, allowed, "upstream requests")
  t:equal(gate:traces(#rows)[1].team, "search", "team")
end)

-- ---- Google ------------------------------------------------------------------------------------------------

local function from_base64url(text)
  local out, bits, held = {}, 0, 0
  local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
  for c in text:gmatch "." do
    held, bits = held << 6 | digits:find(c, 1, true) - 1, bits + 6
    if bits >= 8 then
      bits = bits - 8
      out[#out + 1] = string.char(held >> bits & 255)
      held = held & (1 << bits) - 1
    end
  end
  return table.concat(out)
end

local gemini_answer = json.encode {
  candidates = { { content = { role = "model", parts = { { text = "signed" } } }, finishReason = "STOP" } },
  usageMetadata = { promptTokenCount = 3, candidatesTokenCount = 1, totalTokenCount = 4 },
}

-- A provider of Vertex and the token endpoint that its service account names.
local function vertex(t, up, oauth)
  local pem, public = openssl.rsa_key(t.dir)
  local account = json.encode { type = "service_account", client_email = "flow@project.iam.gserviceaccount.com",
    private_key_id = "key-1", private_key = pem, token_uri = oauth.url .. "/token" }
  return { adapter = "vertex", base_url = up.url .. "/v1/projects/p/locations/global",
    keys = { flow.env("FLOW_SERVICE_ACCOUNT", account) } }, public, pem
end

flow.case("a service account's token is fetched once for all, with an assertion that holds",
  { threads = true }, function(t)
  local up = t:upstream { script = function(x) x:reply(200, gemini_answer) end }
  local oauth = t:upstream { script = function(x)
    t:sleep(0.2)
    x:reply(200, json.encode { access_token = "ya29.canary7Q-token", expires_in = 3599, token_type = "Bearer" })
  end }
  local provider, public, pem = vertex(t, up, oauth)
  local gate = t:gateway { workers = 2, providers = { vertex = provider } }
  local tasks = {}
  for i = 1, 8 do
    tasks[i] = t:spawn(function() t:equal(t:text(t:chat(gate, "vertex/gemini-2.5-flash")), "signed") end)
  end
  for _, task in ipairs(tasks) do t:check(task:join(20 * t.seconds), "an answer") end
  t:equal(t:text(t:chat(gate, "vertex/gemini-2.5-flash")), "signed")
  t:equal(#oauth.requests, 1, "exchanges")
  t:equal(#up.requests, 9, "requests")
  for _, request in ipairs(up.requests) do
    t:equal(request.headers.authorization, "Bearer ya29.canary7Q-token")
    t:match(request.first, "^POST /v1/projects/p/locations/global/publishers/google/models/gemini%-2%.5%-flash:gen")
  end
  local request = oauth.requests[1]
  t:match(request.first, "^POST /token ")
  t:equal(request.headers["content-type"], "application/x-www-form-urlencoded")
  local text, signature = request.body:match
    "^grant_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Agrant%-type%%3Ajwt%-bearer&assertion=([^.]+%.[^.]+)%.([^.]+)$"
  t:check(openssl.rs256_holds(t.dir, public, text, from_base64url(signature)), "the assertion's signature")
  local head, claims = text:match "^(.-)%.(.*)$"
  head, claims = json.decode(from_base64url(head)), json.decode(from_base64url(claims))
  t:equal(head.alg, "RS256")
  t:equal(head.kid, "key-1")
  t:equal(claims.iss, "flow@project.iam.gserviceaccount.com")
  t:equal(claims.aud, oauth.url .. "/token")
  t:equal(claims.scope, "https://www.googleapis.com/auth/cloud-platform")
  t:equal(claims.exp - claims.iat, 3600)
  t:check(math.abs(claims.iat - os.time()) < 120, "issued now")
  local said = gate.process:output() .. gate.process:errors()
  t:absent(said, pem:match "\n([^\n]+)\n", "log")
  t:absent(said, "ya29", "log")
end)

local chat_answer = json.encode {
  id = "c", object = "chat.completion", created = 1, model = "m", usage = { prompt_tokens = 3, completion_tokens = 1,
    total_tokens = 4 },
  choices = { { index = 0, message = { role = "assistant", content = "signed" }, finish_reason = "stop" } },
}

local messages_answer = json.encode {
  id = "msg", type = "message", role = "assistant", model = "m", content = { { type = "text", text = "signed" } },
  stop_reason = "end_turn", stop_sequence = json.null, usage = { input_tokens = 3, output_tokens = 1 },
}

flow.case("each of Vertex's makers has its own path and body", function(t)
  local answers = { [":generateContent"] = gemini_answer, ["/chat/completions"] = chat_answer,
    [":rawPredict"] = messages_answer }
  local up = t:upstream { script = function(x)
    local target = x.request.first:match "^%S+ (%S+)"
    x:reply(200, answers[target:match ":%w+$" or target:match "/%w+/%w+$"])
  end }
  local oauth = t:upstream { script = function(x) x:reply(200, json.encode { access_token = "ya29.canary7Q" }) end }
  local open = vertex(t, up, oauth)
  local claude = { adapter = "vertex-anthropic" }
  for name, value in pairs(open) do claude[name] = claude[name] or value end
  local gate = t:gateway { providers = { vertex = open, claude = claude } }
  local place = "/v1/projects/p/locations/global/"
  for model, path in pairs {
    ["vertex/gemini-2.5-flash"] = place .. "publishers/google/models/gemini-2.5-flash:generateContent",
    ["vertex/meta/llama-3.1-405b-instruct-maas"] = place .. "endpoints/openapi/chat/completions",
    ["claude/claude-sonnet-4@20250514"] = place .. "publishers/anthropic/models/claude-sonnet-4%4020250514:rawPredict",
  } do
    t:equal(t:text(t:chat(gate, model)), "signed", model)
    local request = up.requests[#up.requests]
    t:equal(request.first:match "^POST (%S+)", path)
    local body = json.decode(request.body)
    if model:find "^claude" then
      t:equal(body.anthropic_version, "vertex-2023-10-16")
      t:equal(body.model, nil)
    elseif model:find "llama" then
      t:equal(body.model, "meta/llama-3.1-405b-instruct-maas")
    end
  end
  t:equal(#oauth.requests, 1, "exchanges: both providers have one key file")
end)

flow.case("an exchange that fails is a clear failure, and the next target serves", function(t)
  local up = t:upstream { script = function(x) x:reply(200, gemini_answer) end }
  local oauth = t:upstream { script = function(x)
    x:reply(400, json.encode { error = "invalid_grant", error_description = "Invalid JWT Signature." })
  end }
  local other = t:upstream { script = "from the other" }
  local gate = t:gateway { providers = { vertex = (vertex(t, up, oauth)), other = t:provider(other) },
    routes = { r = { targets = { "vertex/gemini-2.5-flash", "other/m" } } } }
  t:equal(t:text(t:chat(gate, "r")), "from the other")
  t:equal(t:text(t:chat(gate, "r")), "from the other")
  t:equal(#up.requests, 0, "requests to Vertex")
  t:equal(#oauth.requests, 1, "exchanges")
  local alone = t:chat(gate, "vertex/gemini-2.5-flash")
  t:check(alone.status >= 500, "status " .. alone.status)
  local failure = json.encode(gate:traces(3)[1])
  t:match(failure, "exchange for an access token failed")
  t:match(failure, "invalid_grant")
end)

flow.case("active checks of a provider are signed, too", function(t)
  local up = t:upstream { script = function(x) x:reply(403, "{}") end }
  local active = { every = "1s", path = "/models?x=1" }
  local gate = t:gateway { providers = { aws = bedrock(up, { health = { active = active } }) } }
  t:until_true(5, function() return up.requests[1] end)
  local request = up.requests[1]
  t:equal(request.first, "GET /models?x=1 HTTP/1.1", "request line")
  t:match(request.headers.authorization, "^AWS4%-HMAC%-SHA256 Credential=" .. access_key .. "/")
  t:until_true(5, function()
    return gate:metrics():find 'moongate_provider_checks_total{provider="aws",result="passed"} [1-9]'
  end)
end)
