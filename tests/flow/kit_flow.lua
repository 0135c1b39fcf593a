-- The commands for authors: `moongate new adapter NAME`, `moongate test FILE…`, as they are used, without a network.
local flow = require "flow"
local proc = require "proc"

local binary = proc.quote(require "gateway".binary)

-- Runs a command line in the case's directory; status, what it printed, what it complained about.
local function run(t, name, line)
  return proc.run(t.dir, name, { "sh", "-c", "cd " .. proc.quote(t.dir) .. " && " .. line:gsub("moongate ",
    function() return binary .. " " end) }, nil, 60 * t.seconds)
end

local function write(t, name, text)
  os.execute("mkdir -p " .. proc.quote(t.dir .. "/adapters"))
  proc.write_file(t.dir .. "/adapters/" .. name, text)
end

local dialects = { "openai.chat", "openai.responses", "anthropic.messages", "gemini", "cohere.chat",
  "bedrock.converse" }

for i, dialect in ipairs(dialects) do
  flow.case("a new adapter passes its tests: " .. dialect, { seconds = 120 }, function(t)
    local status, _, told = run(t, "new", "moongate new adapter acme-" .. i .. " --dialect " .. dialect)
    t:equal(status, 0, told)
    t:match(told, "adapters/acme%-" .. i .. "%.lua\nadapters/acme%-" .. i .. "_spec%.lua\n")
    local passed, text = run(t, "test", "moongate test adapters/acme-" .. i .. ".lua")
    t:equal(passed, 0, text)
    t:check(tonumber(text:match "^(%d+) passed, 0 failed\n$") > 50, text)
    local again, _, why = run(t, "again", "moongate new adapter acme-" .. i)
    t:equal(again, 1)
    t:match(why, "File exists")
  end)
end

flow.case("names and dialects that are none are refused with what to do", function(t)
  for _, row in ipairs {
    { "moongate new adapter Acme", 1, "small letters" }, { "moongate new adapter ../x", 1, "small letters" },
    { "moongate new adapter a --dialect openai.caht", 1, 'did you mean "openai.chat"' },
    { "moongate new adapter", 64, "name" }, { "moongate new policy", 64, "adapter NAME" },
    { "moongate test", 64, "file is missing" },
  } do
    local status, _, told = run(t, "wrong", row[1])
    t:equal(status, row[2], row[1])
    t:match(told, row[3], row[1])
  end
  t:equal(proc.read_file(t.dir .. "/x.lua"), nil)
end)

-- What is wrong is told as file:line with the reason, and the status is 1.
local function fails(name, adapter, spec, ...)
  local wanted = { ... }
  flow.case("moongate test tells " .. name, { seconds = 120 }, function(t)
    write(t, "x.lua", adapter)
    if spec then write(t, "x_spec.lua", spec) end
    local status, text = run(t, "test", "moongate test adapters/x.lua")
    t:equal(status, 1)
    for _, line in ipairs(wanted) do
      t:check(("\n" .. text):find("\n" .. line, 1, true), line .. " in: " .. text:sub(1, 1500))
    end
    t:match(text, "\n?%d+ passed, [1-9]%d* failed\n$")
  end)
end

fails("a key that does not exist", "return {\n  api = 1,\n  dialect = 'openai.chat',\n  auht = 'bearer',\n}\n", nil,
  "adapters/x.lua:4: unknown key 'auht' in an adapter; did you mean 'auth'?")
fails("what is no Lua", "return {\n  api = 1,\n  dialect = \n}\n", nil, "adapters/x.lua:4: unexpected symbol")
fails("a file that is not there", "return { api = 1, dialect = 'nope' }", nil, "adapters/x.lua")
fails("a quirk that nobody reads", "return {\n  api = 1, dialect = 'openai.chat',\n  quirks = { top_kay = true },\n}\n",
  nil, "adapters/x.lua:3: quirks.top_kay is not a quirk that openai.chat reads")
fails("a rule that is never reached", "return {\n  api = 1, dialect = 'openai.chat',\n  errors = {\n"
  .. "    { status = 400, class = 'invalid' },\n    { status = 400, match = 'full up', class = 'context_length' },\n"
  .. "  },\n}\n", nil, "adapters/x.lua:5: errors[2] is never reached")
fails("what a hook drops in silence", "local A = { api = 1, dialect = 'openai.chat' }\nfunction A:request(_, body)\n"
  .. "  body.seed = nil\n  return body\nend\nreturn A\n", nil, "adapters/x.lua:2: seed is lost in silence")
fails("a hook that breaks, with its line", "local A = { api = 1, dialect = 'openai.chat' }\n"
  .. "function A:response(_, body)\n  return body.choices.nothing.here\nend\nreturn A\n", nil,
  "adapters/x.lua:3: attempt to index a nil value (field 'nothing')")
fails("a hook that computes for ever", "local A = { api = 1, dialect = 'openai.chat' }\n"
  .. "function A:event()\n  while true do end\nend\nreturn A\n", nil, "adapters/x.lua:3: took too long")
fails("a hook that changes whole answers only", "local A = { api = 1, dialect = 'openai.chat' }\n"
  .. "function A:response(_, body)\n  body.choices[1].message.content = 'X'\n  return body\nend\nreturn A\n", nil,
  "adapters/x.lua:2: streamed is not as whole")
fails("a spec that does not hold, and a key of a case that is none", "return { api = 1, dialect = 'openai.chat' }",
  "return {\n  { name = 'says hi', client = 'anthropic.messages', says = 'ho', outcome = { text = 'hi' } },\n"
  .. "  { name = 'odd', cleint = 'gemini' },\n  { client = 'gemini' },\n}\n",
  'adapters/x_spec.lua:1: told: text is "ho", not "hi" (says hi)',
  "adapters/x_spec.lua:1: unknown key 'cleint' in a case (odd)", "adapters/x_spec.lua:1: case 3 has no name")

flow.case("a hook may drop what it tells, and quirks of every dialect are told", { seconds = 120 }, function(t)
  write(t, "x.lua", "local A = { api = 1, dialect = 'openai.chat', quirks = { system = 'user', think_tags = true,\n"
    .. "  drops = { logit_bias = true } } }\nfunction A:request(_, body)\n  if body.seed == nil then return body end\n"
    .. "  body.seed = nil\n  return body, { 'seed' }\nend\nreturn A\n")
  write(t, "x_spec.lua", [[
return {
  { name = "all three", client = "openai.responses", model = "m",
    request = { model = "r", instructions = "be", input = "hi" },
    sent_has = { messages = { { role = "user", content = "be\n\nhi" } } },
    losses = { "system(moved into the first user turn)" }, says = "<think>Hm.</think>So.",
    outcome = { text = "So.", thinking = "Hm." } },
}
]])
  local status, text = run(t, "test", "moongate test adapters/x.lua")
  t:equal(status, 0, text)
end)

flow.case("the adapters that ship pass", { seconds = 240, only = "release" }, function(t)
  local list = assert(io.popen("ls $(realpath " .. flow.root .. ")/adapters/*.lua"))
  local paths = {}
  for path in list:lines() do paths[#paths + 1] = proc.quote(path) end
  list:close()
  t:check(#paths >= 3, "adapters")
  local process = proc.start(t.dir, "all", { "sh", "-c", binary .. " test " .. table.concat(paths, " ") })
  t:equal(process:wait(200 * t.seconds), 0, process:output():sub(1, 3000))
end)
