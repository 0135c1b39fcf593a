-- loop: tasks that wait for sockets and clocks, on one select(2). Everything in a flow test is such a task: clients,
-- scripted upstreams, and the case itself. Not for more than about 900 sockets (FD_SETSIZE).
local socket = require "socket"
local system = require "system"

local M = {}

local runnable = {} -- { task, value } in order
local readers, writers = {}, {} -- socket → { task =, deadline = }
local sleepers = {} -- list of { task =, at = }
local current

M.now = system.monotime -- seconds, that nobody sets

-- How long to wait for what comes at once on a machine that has time: whoever waits for a condition pays nothing for
-- patience, and a clock that is short fails tests for no other reason than a busy neighbour.
M.patience = (tonumber(os.getenv "FLOW_SLOW" or "1") > 1) and 30 or 15

local Task = {}
Task.__index = Task

local function wake(task, value) runnable[#runnable + 1] = { task, value } end

-- Starts fn as a task. A fault in it is kept in task.fault and reported to `on_fault` of the group it belongs to.
function M.spawn(fn, group)
  local task = setmetatable({ group = group or (current and current.group), joined = {} }, Task)
  task.thread = coroutine.create(fn)
  wake(task)
  return task
end

function M.group() return current and current.group end

function Task:join(timeout)
  local deadline = timeout and M.now() + timeout
  while not self.done do
    if deadline and M.now() > deadline then return false end
    M.sleep(0.002)
  end
  return true
end

function M.sleep(seconds)
  sleepers[#sleepers + 1] = { task = current, at = M.now() + seconds }
  coroutine.yield()
end

local function wait(list, sock, deadline)
  assert(not list[sock], "two tasks wait for one socket")
  list[sock] = { task = current, deadline = deadline }
  return coroutine.yield()
end

-- True when ready, false at the deadline (an absolute time, or nil for none).
function M.readable(sock, deadline) return wait(readers, sock, deadline) end
function M.writable(sock, deadline) return wait(writers, sock, deadline) end

-- Waits until fn() gives something true, and returns it; nil at the deadline.
function M.until_true(seconds, fn)
  local deadline = M.now() + seconds
  while true do
    local value = fn()
    if value then return value end
    if M.now() > deadline then return nil end
    M.sleep(0.003)
  end
end

-- Forgets whoever waits for sock: it is being closed by another task.
function M.forget(sock)
  for _, list in ipairs { readers, writers } do
    local w = list[sock]
    list[sock] = nil
    if w then wake(w.task, false) end
  end
end

local function run(task, value)
  if task.cancelled then task.done = true return end
  current = task
  local ok, fault = coroutine.resume(task.thread, value)
  current = nil
  if coroutine.status(task.thread) ~= "dead" then return end
  task.done = true
  if not ok then
    task.fault = fault
    if task.group and task.group.on_fault then task.group.on_fault(fault, debug.traceback(task.thread)) end
  end
end

local function collect(list, socks, now, limit)
  for sock, w in pairs(list) do
    if w.deadline and w.deadline <= now then
      list[sock] = nil
      wake(w.task, false)
    else
      socks[#socks + 1] = sock
      if w.deadline then limit = math.min(limit, w.deadline - now) end
    end
  end
  return limit
end

-- Runs until `finished()` is true.
function M.run(finished)
  while true do
    local batch = runnable
    runnable = {}
    for _, item in ipairs(batch) do run(item[1], item[2]) end
    if finished() then return end
    local now, limit, left = M.now(), 0.5, {}
    for _, s in ipairs(sleepers) do
      if s.at <= now then wake(s.task) else
        left[#left + 1] = s
        limit = math.min(limit, s.at - now)
      end
    end
    sleepers = left
    local r, w = {}, {}
    limit = collect(readers, r, now, limit)
    limit = collect(writers, w, now, limit)
    if #runnable > 0 then limit = 0 end
    local can_read, can_write = socket.select(r, w, math.max(limit, 0))
    for _, sock in ipairs(can_read) do
      local waiting = readers[sock]
      readers[sock] = nil
      if waiting then wake(waiting.task, true) end
    end
    for _, sock in ipairs(can_write) do
      local waiting = writers[sock]
      writers[sock] = nil
      if waiting then wake(waiting.task, true) end
    end
  end
end

return M
