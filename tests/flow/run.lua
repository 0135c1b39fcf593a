-- Runs flow cases: lua5.4 tests/flow/run.lua [--jobs N] [--mode release|asan|tsan] [--dir DIR] [PATTERN…]
-- MOONGATE names the binary. Cases run beside each other, those marked `alone` one by one afterwards. Prints failures
-- and a last line "N passed, N failed". PATTERN: only cases whose "file: name" holds one of them.
local here = arg[0]:match "^(.*)/[^/]+$" or "."
package.path = here .. "/lib/?.lua;" .. here .. "/../lua/dialects/?.lua;" .. package.path

local options = { jobs = 4, mode = "release", dir = "build/test-logs/flow", patterns = {} }
do
  local i = 1
  while arg[i] do
    if arg[i] == "--jobs" then options.jobs, i = tonumber(arg[i + 1]), i + 1
    elseif arg[i] == "--mode" then options.mode, i = arg[i + 1], i + 1
    elseif arg[i] == "--dir" then options.dir, i = arg[i + 1], i + 1
    else options.patterns[#options.patterns + 1] = arg[i] end
    i = i + 1
  end
end

if options.dir:sub(1, 1) ~= "/" then
  local pwd = assert(io.popen "pwd")
  options.dir = pwd:read "l" .. "/" .. options.dir
  pwd:close()
end
assert(os.execute(("rm -rf '%s' && mkdir -p '%s'"):format(options.dir, options.dir)))

local flow = require "flow"
local lfs = require "lfs"
local loop = require "loop"
flow.mode = options.mode
flow.root = here .. "/../.."

local files = assert(io.popen("ls " .. here .. "/*_flow.lua"))
for path in files:lines() do dofile(path) end
files:close()

local function wanted(case)
  if case.options.only and case.options.only ~= options.mode then return false end
  if options.mode == "tsan" and not case.options.threads then return false end
  if #options.patterns == 0 then return true end
  for _, pattern in ipairs(options.patterns) do
    if (case.file .. ": " .. case.name):find(pattern, 1, true) then return true end
  end
  return false
end

local beside, alone = {}, {}
for number, case in ipairs(flow.cases) do
  case.number = number
  if wanted(case) then table.insert(case.options.alone and alone or beside, case) end
end

local passed, failed = 0, 0
local function report(case, wrong)
  if #wrong == 0 then
    passed = passed + 1
    if os.getenv "FLOW_VERBOSE" then print(("ok      %s: %s  (%.1f s)"):format(case.file, case.name, case.took)) end
  else
    failed = failed + 1
    print(("FAILED  %s: %s"):format(case.file, case.name))
    for _, text in ipairs(wrong) do print("        " .. tostring(text):gsub("\n", "\n        ")) end
    print("        files: " .. case.dir)
  end
  io.stdout:flush()
end

local function run_case(case)
  case.dir = ("%s/%03d-%s"):format(options.dir, case.number, case.file)
  assert(lfs.mkdir(case.dir))
  local wrong = {}
  local t = flow.new_case_state(case.dir)
  local from = loop.now()
  local group = { on_fault = function(fault) wrong[#wrong + 1] = fault end }
  local body = loop.spawn(function()
    case.run(t)
  end, group)
  local limit = (case.options.seconds or 60) * flow.slow
  if not body:join(limit) then
    body.cancelled = true
    wrong[#wrong + 1] = ("not done after %d s"):format(limit)
  end
  group.on_fault = function(fault) -- tasks that outlive the body only matter while they find something
    if not tostring(fault):find("closed", 1, true) then wrong[#wrong + 1] = fault end
  end
  for _, text in ipairs(t:finish()) do wrong[#wrong + 1] = text end
  case.took = loop.now() - from
  report(case, wrong)
end

local function run_list(list, jobs)
  local next_case, running = 1, 0
  while next_case <= #list or running > 0 do
    while running < jobs and next_case <= #list do
      local case = list[next_case]
      next_case, running = next_case + 1, running + 1
      loop.spawn(function()
        local ok, fault = pcall(run_case, case)
        if not ok then report(case, { "the runner failed: " .. tostring(fault) }) end
        running = running - 1
      end)
    end
    loop.sleep(0.005)
  end
end

local main = loop.spawn(function()
  run_list(beside, options.jobs)
  run_list(alone, 1)
end)
loop.run(function() return main.done end)
if main.fault then print("FAILED  the runner: " .. tostring(main.fault)) failed = failed + 1 end

-- Each dialect must have had a stream that was judged; a part of the cases need not use all of them.
local watch = require "watch"
local is_all = #options.patterns == 0 and options.mode ~= "tsan"
local lines, wrong = watch.summary(is_all and watch.dialects or {})
for _, text in ipairs(wrong) do print("FAILED  the order of events: " .. text) failed = failed + 1 end
print(table.concat(lines, "\n"))
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and passed > 0, true)
