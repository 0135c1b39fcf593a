-- Each clock of an attempt, provoked in its own phase: when it fires, what the client reads, what trace and metrics
-- call it, and which level of the config sets it. timeout_flow.lua has the ways in which a provider can be slow with
-- content.
local answers = require "answers"
local flow = require "flow"
local json = require "cjson"
local loop = require "loop"

local far = { connect = "20s", tls = "20s", upload = "20s", first_token = "20s", between_tokens = "20s", total = "60s" }

local function clocks(set)
  local all = {}
  for name, value in pairs(far) do all[name] = value end
  for name, value in pairs(set or {}) do all[name] = value end
  return all
end

local function metric(gate, line)
  return tonumber(gate:metrics():match("\n" .. line:gsub("%p", "%%%0") .. " (%d+)"))
end

-- open(t): the provider's URL. ask: further options of the request.
local phases = {
  connect = { code = "connect_timeout", open = function(t) return "http://127.0.0.1:" .. t:full_port() end },
  tls = { code = "tls_timeout", open = function(t) return "https://127.0.0.1:" .. t:deaf_port() end },
  upload = { code = "upload_timeout", open = function(t) return "http://127.0.0.1:" .. t:deaf_port() end,
    fields = function() return { user = ("x"):rep(12 << 20) } end },
  first_token = { code = "first_token_timeout", stream = true,
    open = function(t) return "http://127.0.0.1:" .. t:deaf_port() end },
  first_byte = { code = "first_byte_timeout", open = function(t) return "http://127.0.0.1:" .. t:deaf_port() end },
  total = { code = "total_timeout", open = function(t) return "http://127.0.0.1:" .. t:deaf_port() end },
}

local names = {}
for name in pairs(phases) do names[#names + 1] = name end
table.sort(names)

for _, name in ipairs(names) do
  local phase = phases[name]
  flow.case("clocks: a provider that stalls in " .. name .. " is given up in time, and the 504 names the clock",
    function(t)
    local gate = t:gateway {
      providers = { up = t:provider({ url = phase.open(t) },
        { timeouts = clocks { [name] = "500ms" }, insecure = true }) },
      routes = { r = { targets = { "up/m" }, retry = { same_target = 0 } } },
    }
    local fields = phase.fields and phase.fields()
    local from = t:now()
    local answer = t:chat(gate, "r", { fields = phase.stream and { stream = true } or fields, seconds = 30 })
    local took = t:now() - from
    t:equal(answer.status, 504)
    t:equal(t:envelope(answer), phase.code)
    t:match(answer.body, "timeouts%." .. name, "the message names the clock")
    t:equal(answer.headers["x-moongate-attempts"], "1", "x-moongate-attempts")
    local record = t:trace(gate)
    t:equal(record.attempts[1].class, phase.code, "class in the trace")
    t:equal(record.error_code, phase.code, "error_code in the trace")
    t:equal(metric(gate, ('moongate_attempts_total{provider="up",model="m",class="%s"}'):format(phase.code)), 1)
    -- The other clocks are at 20 s and more.
    t:check(took > 0.45 and took < 15, ("took %.2f s for a clock of 500 ms"):format(took))
  end)
end

-- libcurl has the connection then, and is asked where it stands.
for _, name in ipairs { "connect", "tls", "first_token", "first_byte" } do
  local phase = phases[name]
  flow.case("clocks: over HTTP/2 a provider that stalls in " .. name .. " is given up in time",
    function(t)
    local gate = t:gateway {
      providers = { up = t:provider({ url = phase.open(t) },
        { timeouts = clocks { [name] = "500ms" }, insecure = true, http2 = true }) },
      routes = { r = { targets = { "up/m" }, retry = { same_target = 0 } } },
    }
    local answer = t:chat(gate, "r", { fields = { stream = name ~= "first_byte" }, seconds = 15 })
    t:equal(answer.status, 504)
    t:equal(t:envelope(answer), phase.code)
    t:equal(t:trace(gate).attempts[1].class, phase.code)
  end)
end

-- ---- whose value counts ----------------------------------------------------------------------------------------

local function level_case(name, config, expected_ms)
  flow.case("clocks: " .. name, function(t)
    local gate = t:gateway {
      timeouts = config.process,
      providers = { up = t:provider({ url = config.url and config.url(t) or "http://127.0.0.1:" .. t:deaf_port() },
        { timeouts = config.provider or {}, models = { m = { timeouts = config.model },
          other = { timeouts = { first_token = "1ms", connect = "1ms" } } } }) },
      routes = { r = { targets = { "up/m" }, timeouts = config.route, retry = { same_target = 0 } } },
    }
    local from = t:now()
    local answer = t:chat(gate, "r", { fields = { stream = true } })
    local took = (t:now() - from) * 1000
    t:equal(answer.status, 504)
    t:match(answer.body, expected_ms .. " ms", "the message tells the limit")
    t:check(took > expected_ms - 50, ("took %.0f ms for a clock of %d"):format(took, expected_ms))
  end)
end

level_case("the process's value holds where nobody else says one", { process = { first_token = "300ms" } }, 300)
level_case("a provider's goes before the process's", { process = { first_token = "10s" },
  provider = { first_token = "310ms" } }, 310)
level_case("a model's goes before its provider's", { provider = { first_token = "1ms" },
  model = { first_token = "320ms" } }, 320)
level_case("a route's goes before the model's", { provider = { first_token = "1ms" },
  model = { first_token = "20s" }, route = { first_token = "330ms" } }, 330)
level_case("a route may let connecting take longer than its provider does", { provider = { connect = "100ms" },
  route = { connect = "600ms" }, url = function(t) return "http://127.0.0.1:" .. t:full_port() end }, 600)
level_case("a model may let connecting take longer than its provider does", { provider = { connect = "100ms" },
  model = { connect = "500ms" }, url = function(t) return "http://127.0.0.1:" .. t:full_port() end }, 500)

-- ---- only content moves the clock ------------------------------------------------------------------------------

local noise = {
  ["openai.chat"] = ": keep-alive\n\n",
  ["anthropic.messages"] = 'event: ping\ndata: {"type":"ping"}\n\n',
}
for provider, ping in pairs(noise) do
  for _, client in ipairs { "openai.chat", "anthropic.messages" } do
    flow.case(("clocks: pings of %s do not hide a stream that stands still (client %s)"):format(provider, client),
      function(t)
      local up = t:upstream { dialect = provider, script = function(x)
        x:start_stream()
        local events = answers.stream[provider] { "a" }
        for i = 1, #events - 3 do x:chunk(events[i]) end
        while x:chunk(ping) do loop.sleep(0.05) end
        x.last = true
      end }
      local gate = t:gateway { providers = { up = t:provider(up, { timeouts = clocks { between_tokens = "500ms" } }) },
        routes = { r = { targets = { "up/m" } } } }
      local answer = t:chat_stream(gate, "r", { dialect = client })
      t:equal(answer.status, 200)
      local last = json.decode(answer.events[#answer.events].data)
      t:match(last.error.message, "timeouts%.between_tokens")
      t:equal(t:trace(gate).attempts[1].class, "between_tokens_timeout")
    end)
  end
end

flow.case("clocks: a stream slower than min_tokens_per_s ends, a faster one does not", { seconds = 90 },
  function(t)
  local function drip(pause, count, at_once)
    return function(x)
      x:start_stream()
      local events = answers.openai_stream { "a" }
      x:chunk(events[1])
      for _ = 1, count do
        if not x:chunk(events[2]:rep(at_once)) then break end
        loop.sleep(pause)
      end
      for i = 3, #events do x:chunk(events[i]) end
      x:end_stream()
    end
  end
  local slow, quick = t:upstream { script = drip(0.5, 60, 1) }, t:upstream { script = drip(0.05, 240, 10) }
  local limits = clocks { min_tokens_per_s = 5 }
  local gate = t:gateway {
    providers = { slow = t:provider(slow, { timeouts = limits }), quick = t:provider(quick, { timeouts = limits }) },
    routes = { slow = { targets = { "slow/m" } }, quick = { targets = { "quick/m" } } },
  }
  local fast
  t:spawn(function() fast = t:chat_stream(gate, "quick", { seconds = 30 }) end)
  local answer = t:chat_stream(gate, "slow", { seconds = 30 })
  t:match(json.decode(answer.events[#answer.events].data).error.message, "5 tokens a second")
  t:equal(t:trace(gate, answer.headers["x-request-id"]).attempts[1].class, "too_few_tokens")
  t:until_true(20, function() return fast end, "the faster one's end")
  t:equal(t:text(fast), ("a"):rep(2400))
end)

flow.case("clocks: a policy reads them", function(t)
  local proc = require "proc"
  proc.write_file(t.dir .. "/reads.lua", [[
local P = { api = 1 }
function P.setup() return { all = gw.targets() } end
function P:route(req)
  return gw.refuse(418, table.concat({ req:timeout "first_token", req:timeout("connect", self.all[2]),
    req:timeout "min_tokens_per_s" or "none", req:timeout "total" }, " "), "told")
end
return P
]])
  local up = t:upstream {}
  local gate = t:gateway {
    providers = { up = t:provider(up, { timeouts = { connect = "1s", first_token = "2s" },
      models = { b = { timeouts = { connect = "3s" } } } }) },
    routes = { r = { policy = t.dir .. "/reads.lua", targets = { "up/a", "up/b" },
      timeouts = { first_token = "5s" } } },
  }
  t:match(t:chat(gate, "r").body, "5000 3000 none 600000")
  t:match(t:chat(gate, "r", { fields = { stream = true } }).body, "5000 3000 none 3600000")
end)
