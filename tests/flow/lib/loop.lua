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

-- Whether it ended in time.
function Task:join(timeout)
  return M.until_true(timeout or math.huge, function() return self.done end) or false
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

-- True when ready, false at the deadline (an absolute time, or nil for none). What has come is seen however late this
-- process looks: after each deadline it looks once more.
function M.readable(sock, deadline) return wait(readers, sock, deadline) end
function M.writable(sock, deadline) return wait(writers, sock, deadline) end

-- Waits until fn() gives something true, and returns it; nil at the deadline.
function M.until_true(seconds, fn)
  local deadline, is_late = M.now() + seconds, false
  while true do
    local value = fn()
    if value then return value end
    if is_late then return nil end
    is_late = M.now() > deadline -- once more, when the other tasks have seen what is there
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
    socks[#socks + 1] = sock
    if w.deadline then limit = math.min(limit, w.deadline - now) end
  end
  return limit
end

-- Wakes who waits for what is ready, and whose deadline had come before that was looked at.
local function wake_all(list, ready, now)
  for _, sock in ipairs(ready) do
    local waiting = list[sock]
    list[sock] = nil
    if waiting then wake(waiting.task, true) end
  end
  for sock, w in pairs(list) do
    if w.deadline and w.deadline <= now then
      list[sock] = nil
      wake(w.task, false)
    end
  end
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
    wake_all(readers, can_read, now)
    wake_all(writers, can_write, now)
  end
end

return M
