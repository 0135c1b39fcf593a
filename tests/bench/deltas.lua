-- deltas: what one more text delta of a running stream costs between two dialects, under callgrind: instructions and
-- allocations, reading from and writing to sockets not counted. Two streams that differ by STEP deltas, so that the
-- request, the stream's beginning and its end cancel out. Called by bench.lua; it does NOT judge.
local servers = require "servers"
local translation = require "translation"

local M = {}

local SHORT, STEP, DELTA_BYTES = 40, 500, 25

-- A client's path and body of a streamed request for a route that says `text`.
local clients = {
  chat = { "/v1/chat/completions", '{"model":"%s","stream":true,"messages":[{"role":"user","content":"%s"}]}' },
  responses = { "/v1/responses", '{"model":"%s","stream":true,"input":"%s"}' },
  anthropic = { "/v1/messages",
    '{"model":"%s","stream":true,"max_tokens":9999,"messages":[{"role":"user","content":"%s"}]}' },
  gemini = { "/v1beta/models/%s:streamGenerateContent?alt=sse", '{"contents":[{"parts":[{"text":"%s"}]}]}' },
  cohere = { "/v2/chat", '{"model":"%s","stream":true,"messages":[{"role":"user","content":"%s"}]}' },
  bedrock = { "/model/%s/converse-stream", '{"messages":[{"role":"user","content":[{"text":"%s"}]}]}' },
}
local order = { "chat", "responses", "anthropic", "gemini", "cohere", "bedrock" }

-- translation.lua's route to the provider of that dialect.
local function route_to(provider)
  return provider == "chat" and "same" or provider
end

local function run(sim, client, provider, deltas)
  local out, route = servers.dir .. "/callgrind-deltas", route_to(provider)
  local path, body = table.unpack(clients[client])
  local text = ("Go on. [[simulate chunks=%d answer_bytes=%d]]"):format(deltas, deltas * DELTA_BYTES)
  local file = servers.dir .. "/deltas.json"
  if path:find("%s", 1, true) then
    path, body = "'" .. path:format(route) .. "'", body:format(text)
  else
    body = body:format(route, text)
  end
  servers.write_file(file, body)
  local gate = translation.gateway("deltas", sim, "valgrind --tool=callgrind --callgrind-out-file=" .. out .. ".%p")
  local load = servers.load(gate, file, { connections = 1, seconds = 2, rate = 4, path = path })
  assert(load.failures == 0 and load.requests > 0, "failures under callgrind")
  servers.stop(gate)
  local figures = { requests = load.requests,
    instructions = tonumber((servers.read_file(gate.out) or ""):match "Collected : (%d+)"),
    allocations = translation.calls_of(out .. "." .. gate.pid, { malloc = true, calloc = true, realloc = true }) }
  os.remove(out .. "." .. gate.pid)
  return figures
end

-- Of one pair: instructions and allocations a delta.
local function measure(sim, client, provider)
  local short, long = run(sim, client, provider, SHORT), run(sim, client, provider, SHORT + STEP)
  assert(short.requests == long.requests, "the load generator did not keep up")
  local count = STEP * short.requests
  return (long.instructions - short.instructions) / count, (long.allocations - short.allocations) / count
end

-- options: say.
function M.run(options)
  local sim = servers.simulator "sim"
  local function tell(client, provider)
    local instructions, allocations = measure(sim, client, provider)
    options.say("%-34s %-10s %9.0f instructions  %6.2f allocations", "a delta to a client of " .. client, provider,
      instructions, allocations)
  end
  for _, dialect in ipairs(order) do tell(dialect, dialect) end
  for i = 2, #order do tell("chat", order[i]) end
  for i = 2, #order do tell(order[i], "chat") end
  servers.stop_all()
end

return M
