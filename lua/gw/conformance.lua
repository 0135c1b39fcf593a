-- What every adapter must do, tried without a network: `moongate test adapters/NAME.lua`. Called by core/script/kit.c.
--
--   quirks      are known to the adapter's dialect
--   requests    whatever a client of any dialect says arrives, is listed as a loss, or is refused: nothing is lost in
--               silence, not by the dialect, not by quirks, not by the adapter's hooks
--   answers     whatever the dialect can answer is told to clients of every dialect, the same whole and streamed, the
--               stream cut in every place
--   errors      each rule can be met and gives its class; a client of every dialect gets the message
--   the spec    the cases of NAME_spec.lua, see lua/gw/cases.lua
--
-- It knows no provider: what only one of them does stands in its spec.

local cases = require("gw.cases")
local losses = require("gw.losses")
local samples = require("gw.samples")
local translate = require("gw.translate")

local json = gw.json

local M = {}

local killed_max = 3

local T = {}
T.__index = T

-- The line of a file where a text stands first; 1 when it does not.
local function line_of(text, part)
  local at = part and text:find(part, 1, true)
  if not at then return 1 end
  local line = 1
  for _ in text:sub(1, at - 1):gmatch("\n") do line = line + 1 end
  return line
end

-- Counts one check; failures: list of texts. part: what in the file it is about.
function T:check(failures, part, name, file, text)
  if #failures == 0 then
    self.passed = self.passed + 1
    return
  end
  self.failed = self.failed + 1
  local place = (file or self.subject.file) .. ":" .. line_of(text or self.subject.text, part)
  for _, failure in ipairs(failures) do
    -- A script's own place is the better one.
    if not failure:find("^[^%s:]+%.lua:%d+: ") then failure = place .. ": " .. failure end
    local known = self.by_text[failure]
    if known then
      known.more = known.more + 1
    else
      known = { text = failure, name = name, more = 0 }
      self.by_text[failure] = known
      self.found[#self.found + 1] = known
    end
  end
end

-- A line for each failure; one that many checks met is told once.
function T:report()
  local lines = {}
  for i, one in ipairs(self.found) do
    lines[i] = one.text .. " (" .. one.name .. (one.more > 0 and ", and " .. one.more .. " more" or "") .. ")\n"
  end
  return table.concat(lines)
end

-- Quirks of lua/gw/habits.lua, lua/gw/parts.lua and lua/gw/recover.lua, which every dialect has.
local common = { system = true, drops = true, think_tags = true, models = true, effort_budgets = true,
  budget_efforts = true, prefix = true, embeddings = true, prefill = true }

local function check_quirks(test)
  local known = test.provider.quirks
  if not known then return end
  local function check(quirks)
    for name in pairs(quirks) do
      local is_known = known[name] or common[name]
      test:check(is_known and {} or { "quirks." .. tostring(name) .. " is not a quirk that " .. test.provider.name
        .. " reads" }, tostring(name), "quirks")
    end
  end
  local quirks = test.subject.adapter.quirks or {}
  check(quirks)
  for _, rule in ipairs(quirks.models or {}) do check(rule) end
end

----- requests

local function same(a, b)
  return cases.difference(json.decode(json.encode({ a })), json.decode(json.encode({ b })), false, "") == nil
end

-- The body that a client sends for a request in the normal form, and how the client's dialect reads it.
local function said(client, request, quirks)
  local body = json.encode(client.request_from_normal(request, { model = "alias", provider = "p",
    quirks = quirks or {} }, {}))
  return body, client.request_to_normal(json.decode(body, { raw = client.raw_keys }), {}, { model = "alias" })
end

-- What the provider is sent: its body and the losses, or nil and what went wrong (a refusal has a field).
local function ask(test, client, body)
  local text, lost
  local outcome, message, file, line, field = test.env.tools.run("request", function(req)
    local asked = { model = "alias", stream = false, created = 1, request_id = "req-1" }
    local hop = translate.hop(client, test.provider, test.subject.adapter, { model = test.subject.model,
      provider = "p" }, asked, req)
    text, lost = translate.request(hop, body)
  end, { model = "alias", body = body })
  if outcome == "done" then return text, lost end
  if outcome == "killed" then test.env.killed = (test.env.killed or 0) + 1 end
  local place = file ~= "" and file .. ":" .. line .. ": " or ""
  return nil, { field = field, message = place .. (outcome == "killed" and "took too long: " or "") .. message }
end

local function added(with, without)
  local known = {}
  for _, name in ipairs(without) do known[name] = true end
  for _, name in ipairs(with) do
    if not known[name] then return true end
  end
  return false
end

-- Does the provider lose or change what the sample needs before it can have what its name means (tools, say), or has it
-- nothing to switch off? Then there is nothing left to lose.
local function is_moot(test, client, name, says, base_lost)
  local plain = samples.request("top_p", client.name)
  local _, plain_lost = ask(test, client, (said(client, plain)))
  if added(base_lost, plain_lost) then return true end
  if name ~= "reasoning(off)" then return false end
  local _, thinks = samples.request("reasoning.effort", client.name)
  local _, lost = ask(test, client, (said(client, thinks, says.quirk)))
  return added(lost, plain_lost)
end

local function check_request(test, client, name)
  local says = losses.entry(client.carries, name)
  if not says or not says.read then return end
  local without, with = samples.request(name, client.name)
  local body_without = said(client, without, says.quirk)
  -- What the dialect's own writer cannot say is tried by the dialect's specs.
  local is_said, body_with, read = pcall(said, client, with, says.quirk)
  local value = is_said and samples.seen(name, read)
  if not value or not same(value, samples.seen(name, with)) then return end
  local failures = {}
  local base, base_lost = ask(test, client, body_without)
  local text, lost = ask(test, client, body_with)
  if not text then
    if not lost.field then failures[1] = lost.message end
  elseif not base then
    failures[1] = "the request without it is refused: " .. base_lost.message
  elseif not added(lost, base_lost) and not is_moot(test, client, name, says, base_lost) then
    local provider = test.provider
    local writes = losses.entry(provider.carries, name)
    if not writes then return end
    local arrived = provider.request_to_normal(json.decode(text, { raw = provider.raw_keys }), {}, { model = "alias" })
    if writes.read and writes.verdict ~= "renamed" and not same(samples.seen(name, arrived), value) then
      failures[1] = name .. " is lost in silence: it is not sent, not listed as a loss, and not refused"
    end
  end
  test:check(failures, test.subject.text:find("request%s*%(") and "request" or "quirks",
    name .. " from a client of " .. client.name)
end

----- answers

local function check_answer(test, client, name)
  local provider = test.provider
  local says = losses.entry(provider.carries, name)
  if not says or not says.read then return end
  local _, with = samples.answer(name, provider.name)
  local answer = json.encode(provider.response_from_normal(with, { model = "pm", created = 1, losses = {} }))
  local failures = cases.run({ client = client.name, answer = answer }, test.env)
  test:check(failures, "response", name .. " for a client of " .. client.name)
end

----- errors

local statuses = { 400, 401, 403, 404, 413, 422, 429, 500, 502, 503, 529 }

local function check_error(test, client, status)
  local failures = {}
  local hop = translate.hop(client, test.provider, test.subject.adapter, { model = "m", provider = "p" },
    { model = "alias", request_id = "req-1" })
  local _, body = test.provider.error_from_normal({ status = status, message = "what went wrong" }, nil)
  local told_status, told = translate.error(hop, status, json.encode(body))
  local read = client.error_to_normal(told_status, told)
  if told_status < 400 then failures[1] = "status " .. status .. " became " .. told_status end
  if not read.message or not read.message:find("what went wrong", 1, true) then
    failures[#failures + 1] = "the message of status " .. status .. " is lost: " .. told
  end
  test:check(failures, "errors", "status " .. status .. " for a client of " .. client.name)
end

-- A rule that an earlier one hides is a mistake that nobody sees until money is lost.
local function check_rule(test, rule, number)
  local message = rule.match or "something"
  local class = test.env.tools.class(rule.status or 400, rule.name or "", message)
  local failures = {}
  if class ~= rule.class then
    failures[1] = "errors[" .. number .. "] is never reached: what fits it is taken as " .. class .. " and not as "
      .. rule.class
  end
  test:check(failures, rule.match or rule.name or "errors", "errors")
end

----- the spec

local function check_spec(test)
  local subject = test.subject
  local file = subject.file:gsub("%.lua$", "_spec.lua")
  for i, case in ipairs(subject.spec or {}) do
    local name = type(case) == "table" and type(case.name) == "string" and case.name or nil
    if not name then
      test:check({ "case " .. i .. " has no name" }, nil, "spec", file, subject.spec_text)
    else
      test:check(cases.run(case, test.env), '"' .. name .. '"', name, file, subject.spec_text)
    end
  end
end

-- subject: { file, text, dialect, model, adapter, rules, dialects (list), tools, spec, spec_text }. Returns how many
-- checks passed, how many failed, and a line for each failure.
function M.test(subject)
  local by_name = {}
  for _, dialect in ipairs(subject.dialects) do by_name[dialect.name] = dialect end
  local test = setmetatable({ subject = subject, provider = by_name[subject.dialect], passed = 0, failed = 0,
    found = {}, by_text = {},
    env = { dialects = by_name, dialect = subject.dialect, model = subject.model, translate = translate,
      tools = subject.tools, adapter = subject.adapter } }, T)
  -- A hook that computes for ever takes its whole time at each try.
  local function each(list, check, client)
    for _, row in ipairs(list) do
      if (test.env.killed or 0) >= killed_max then return end
      check(test, client, row[1])
    end
  end
  check_quirks(test)
  for _, client in ipairs(subject.dialects) do
    if client.name ~= subject.dialect then
      each(losses.request, check_request, client)
      each(losses.answer, check_answer, client)
      for _, status in ipairs(statuses) do check_error(test, client, status) end
    end
  end
  for i, rule in ipairs(subject.rules) do check_rule(test, rule, i) end
  check_spec(test)
  return test.passed, test.failed, test:report()
end

return M
