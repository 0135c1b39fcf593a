-- Every function of lua/gw/api.lua in every hook, in the real sandbox under the real guards: allowed where the
-- description says so, refused elsewhere with the way out.
local host = require("tests.lua.helper").host

-- How each function is called; a function without a row here fails the spec.
local calls = {
  ["print"] = "print('x')",
  ["gw.log.info"] = "gw.log.info('x')",
  ["gw.log.warn"] = "gw.log.warn('x')",
  ["gw.log.error"] = "gw.log.error('x')",
  ["gw.now_ms"] = "gw.now_ms()",
  ["gw.random"] = "gw.random()",
  ["gw.id"] = "gw.id('x_')",
  ["gw.aws_event"] = "gw.aws_event('ping', '{}')",
  ["gw.hash"] = "gw.hash('x')",
  ["gw.count"] = "gw.count('spec_calls')",
  ["gw.json.decode"] = "gw.json.decode('{}')",
  ["gw.json.encode"] = "gw.json.encode({})",
  ["gw.json.array"] = "gw.json.array()",
  ["gw.json.is_array"] = "gw.json.is_array({})",
  ["gw.json.raw"] = "gw.json.raw('1')",
  ["gw.json.text"] = "gw.json.text(1)",
  ["gw.json.is_raw"] = "gw.json.is_raw(1)",
  ["gw.floats.to_base64"] = "gw.floats.to_base64({ 1 })",
  ["gw.floats.from_base64"] = "gw.floats.from_base64('AACAPw==')",
  ["gw.json.valid"] = "gw.json.valid('1')",
  ["gw.pool"] = "gw.pool('all')",
  ["gw.target"] = "gw.target('p/one')",
  ["gw.targets"] = "gw.targets()",
  ["gw.sleep"] = "gw.sleep(1)",
  ["gw.fetch"] = "gw.fetch('svc', {})",
  ["gw.refuse"] = "gw.refuse(400, 'no')",
  ["req:header"] = "req:header('x')",
  ["req:timeout"] = "req:timeout('total')",
  ["req:body"] = "req:body()",
}

-- What a method of req is called on where there is no request: nothing can reach the function at all then.
local function needs_request(name)
  return name:find("^req:") ~= nil
end

local function has_request(hook)
  return hook ~= "load" and hook ~= "setup"
end

local function allows(f, hook)
  if f.hooks == "all" then return true end
  for _, name in ipairs(f.hooks) do
    if name == hook then return true end
  end
  return false
end

local functions, hooks = host.api.functions, host.api.hooks

describe("function and hook:", function()
  it("every described function is called here, and no other", function()
    local described = {}
    for _, f in ipairs(functions) do
      described[f.name] = true
      assert.is_string(calls[f.name], f.name)
    end
    for name in pairs(calls) do assert.is_true(described[name], name) end
  end)

  for _, f in ipairs(functions) do
    for _, hook in ipairs(hooks) do
      if not needs_request(f.name) or has_request(hook.name) then
        local allowed = allows(f, hook.name)
        it(f.name .. (allowed and " may be called in " or " is refused in ") .. hook.name, function()
          local outcome, message, file, line = host.run(hook.name, "local req = ...\nlocal _ = req\n" .. calls[f.name])
          if not allowed then
            assert.equal("failed", outcome)
            assert.equal("piece.lua:3", file .. ":" .. line)
            assert.truthy(message:find(f.name .. " may not be called in `" .. hook.name .. "`", 1, true), message)
            assert.truthy(message:find(f.hooks[1], 1, true), message)
            assert.is_string(f.way_out)
            assert.truthy(message:find(f.way_out, 1, true), message)
          elseif f.may_wait and hook.wait_ms > 0 then
            assert.equal("waiting", outcome)
          else
            assert.equal("done", outcome)
          end
        end)
      elseif needs_request(f.name) then
        it(f.name .. " has nothing to be called on in " .. hook.name, function()
          assert.is_false(allows(f, hook.name))
        end)
      end
    end
  end
end)
