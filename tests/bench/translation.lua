-- translation: what it costs when client and provider speak different dialects, beside the same request passed through:
-- CPU per request and per text delta, and under callgrind instructions and allocations. The client speaks Chat
-- Completions; its largest request is the context of an agent: 50 calls of tools, and what came of them. One gateway,
-- one simulator; loads interleaved, medians. Called by bench.lua; it does NOT judge.
local servers = require "servers"

local M = {}

-- Name of the route and provider, dialect, adapter, where the base URL ends, further keys. The first is passed through.
local targets = {
  { "same", "openai.chat", "openai-compatible", "/v1" }, { "responses", "openai.responses", "openai", "/v1" },
  { "anthropic", "anthropic.messages", "anthropic", "/v1" }, { "gemini", "gemini", "gemini", "/v1beta" },
  { "cohere", "cohere.chat", "cohere", "/v2" },
  { "bedrock", "bedrock.converse", "bedrock", "", ", region = 'us-east-1'" },
}
do -- TARGETS=same,gemini: only these
  local named = os.getenv "TARGETS"
  for i = named and #targets or 0, 1, -1 do
    if not ("," .. named .. ","):find("," .. targets[i][1] .. ",", 1, true) then table.remove(targets, i) end
  end
end
local DELTAS = 60

local function gateway(name, sim, wrap)
  local providers, routes = {}, {}
  for _, t in ipairs(targets) do
    providers[#providers + 1] = ("%s = { adapter = %q, dialect = %q, base_url = %q, keys = { 'sk-bench' }%s }")
      :format(t[1], t[3], t[2], ("http://127.0.0.1:%d%s"):format(sim.port, t[4]), t[5] or "")
    routes[#routes + 1] = ("%s = { targets = { %q } }"):format(t[1], t[1] .. "/small")
  end
  local file = servers.dir .. "/" .. name .. ".lua"
  os.remove(servers.dir .. "/" .. name .. "-traces.jsonl")
  servers.write_file(file, ([[return {
  listen = "127.0.0.1:0", admin = { listen = "127.0.0.1:0" }, workers = 1,
  providers = { %s },
  routes = { %s },
  teams = { bench = {} },
  keys = { { name = "bench", team = "bench", key = %q } },
  trace = { file = %q },
}
]]):format(table.concat(providers, ",\n    "), table.concat(routes, ",\n    "), servers.key,
    servers.dir .. "/" .. name .. "-traces.jsonl"))
  local server = servers.start(name, servers.gateway_core, ("%s %s run --config %s")
    :format(wrap or "", servers.moongate, file), "ready on %S-:(%d+)")
  server.port = tonumber(server.ready)
  return server
end

-- The body of bench.lua in `file`, for the route of target t.
local function body_for(t, file)
  local path = file:gsub("%.json$", "-" .. t[1] .. ".json")
  servers.write_file(path, (servers.read_file(file):gsub('"model":"r"', '"model":"' .. t[1] .. '"', 1)))
  return path
end

-- The body of an agent's next step: 115 KB.
local function agent_body()
  local call = '{"role":"assistant","content":%s,"tool_calls":[{"id":"call_%d","type":"function","function":{"name":'
    .. '"read_file","arguments":"{\\"path\\": \\"/src/file_%d.c\\", \\"from\\": 1, \\"to\\": 200}"}}]},'
  local result = '{"role":"tool","tool_call_id":"call_%d","content":"'
    .. ("line of a file with some text in it\\n"):rep(55) .. '"},'
  local turns = { '{"role":"system","content":"', ("You are an agent. "):rep(20), '"},' }
  for i = 1, 50 do
    if i % 10 == 1 then turns[#turns + 1] = ('{"role":"user","content":"Please look at file %d."},'):format(i) end
    turns[#turns + 1] = call:format(i % 2 == 0 and '"I look at it."' or "null", i, i)
    turns[#turns + 1] = result:format(i)
  end
  local path = servers.dir .. "/agent.json"
  servers.write_file(path, '{"model":"r","max_tokens":900,"tools":[{"type":"function","function":{"name":"read_file",'
    .. '"parameters":{"type":"object","properties":{"path":{"type":"string"}}}}}],"messages":[' .. table.concat(turns)
    .. '{"role":"user","content":"Go on. [[simulate answer_bytes=500]]"}]}')
  return path
end

local function with_agent(bodies)
  bodies.agent = bodies.agent or agent_body()
  return bodies
end

-- options: bodies (files by name), rounds, seconds, say, median.
function M.cpu(options)
  local files = with_agent(options.bodies)
  local sim = servers.simulator "sim"
  local gate = gateway("translation", sim)
  for _, cell in ipairs { { "2 KB request, 900 B answer", "small", 64 }, { "100 KB request", "large", 32 },
    { "115 KB of an agent", "agent", 32 }, { "stream of 60 deltas", "stream", 16 } } do
    local used, failures = {}, {}
    for round = 0, options.rounds do
      for _, t in ipairs(targets) do
        local before = servers.cpu_ns(gate)
        local load = servers.load(gate, body_for(t, files[cell[2]]),
          { connections = cell[3], seconds = round == 0 and 0.3 or options.seconds })
        used[t], failures[t] = used[t] or {}, (failures[t] or 0) + load.failures
        -- The first round warms up.
        used[t][round] = (servers.cpu_ns(gate) - before) / 1000 / math.max(load.requests, 1)
      end
    end
    local base = options.median(used[targets[1]])
    for _, t in ipairs(targets) do
      local each = options.median(used[t])
      local more = each - base
      options.say("%-34s %-10s %8.2f us/request  %+8.2f us%s%s", "translated: " .. cell[1], t[1], each, more,
        cell[2] == "stream" and ("  %+6.2f us/delta"):format(more / DELTAS) or "",
        failures[t] > 0 and ("  " .. failures[t] .. " FAILED") or "")
    end
  end
  servers.stop_all()
end

-- Calls of functions whose name ends in one of the names, in a file of callgrind.
local function calls_of(path, names)
  local by_id, total, called = {}, 0, nil
  for line in io.lines(path) do
    local id, name = line:match "^c?fn=%((%d+)%) ?(.*)"
    if id and name ~= "" then by_id[id] = name:gsub("'.*", "") end
    if line:find("^cfn=") then called = by_id[id] end
    local count = line:match "^calls=(%d+)"
    if count and names[called] then total = total + tonumber(count) end
  end
  return total
end

-- Instructions and allocations a request and a delta, each the difference of two runs. options: bodies, say.
function M.instructions(options)
  local sim = servers.simulator "sim"
  local results, files = {}, with_agent(options.bodies)
  for _, t in ipairs(targets) do
    for _, name in ipairs { "small", "large", "agent", "stream" } do
      local runs = {}
      for i, seconds in ipairs { 1, 10 } do
        local out = servers.dir .. "/callgrind-translation"
        local gate = gateway("translation-" .. i, sim,
          "valgrind --tool=callgrind --callgrind-out-file=" .. out .. ".%p")
        local file = body_for(t, files[name])
        servers.load(gate, file, { connections = 1, seconds = 1 })
        local load = servers.load(gate, file, { connections = 1, seconds = seconds, rate = 100 })
        -- The clock of scripts runs as ever while they are fifty times slower: one in a hundred may be stopped by it.
        assert(load.failures * 100 <= load.requests, "failures under callgrind")
        servers.stop(gate)
        local path = out .. "." .. gate.pid
        runs[i] = { requests = load.requests,
          instructions = tonumber((servers.read_file(gate.out) or ""):match "Collected : (%d+)"),
          allocations = calls_of(path, { malloc = true, calloc = true, realloc = true }) }
        os.remove(path)
      end
      local n = runs[2].requests - runs[1].requests
      local each = {}
      for _, what in ipairs { "instructions", "allocations" } do each[what] = (runs[2][what] - runs[1][what]) / n end
      results[t[1] .. name] = each
      local base = results[targets[1][1] .. name]
      local delta = name ~= "stream" and "" or (", a delta %+.0f instructions, %+.1f allocations"):format(
        (each.instructions - base.instructions) / DELTAS, (each.allocations - base.allocations) / DELTAS)
      options.say("%-34s %-10s %9.0f instructions  %7.1f allocations%s", "translated: " .. name, t[1],
        each.instructions, each.allocations, delta)
    end
  end
  servers.stop_all()
end

M.gateway, M.calls_of = gateway, calls_of -- for deltas.lua

return M
