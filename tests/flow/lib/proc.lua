-- proc: other programs, run beside the tasks without stopping them. Output goes to files; a wrapper writes the exit
-- status. Processes are ended by their own pid only.
local lfs = require "lfs"
local loop = require "loop"

local M = {}

-- One shell, started before any socket is open, starts everything: so no program inherits the tests' sockets.
local launcher = assert(io.popen("exec sh", "w"))

local function launch(line)
  launcher:write(line, "\n")
  launcher:flush()
end

local function quote(text) return "'" .. tostring(text):gsub("'", "'\\''") .. "'" end
M.quote = quote

function M.read_file(path)
  local f = io.open(path, "rb")
  if not f then return nil end
  local text = f:read "a"
  f:close()
  return text
end

function M.write_file(path, text)
  local f = assert(io.open(path, "wb"))
  f:write(text)
  f:close()
end

local Process = {}
Process.__index = Process

-- Starts argv with output to dir/name.out and dir/name.err. environment: { NAME = value }, set for it alone.
function M.start(dir, name, argv, environment)
  local base = dir .. "/" .. name
  for _, suffix in ipairs { ".pid", ".rc", ".out", ".err" } do os.remove(base .. suffix) end
  local words = {}
  for key, value in pairs(environment or {}) do words[#words + 1] = key .. "=" .. quote(value) end
  table.sort(words)
  table.insert(words, 1, "env")
  for _, word in ipairs(argv) do words[#words + 1] = quote(word) end
  local script = ("( sh -c 'echo $$ >\"$0\"; exec \"$@\"' %s %s >%s 2>%s; echo $? >%s ) </dev/null >/dev/null 2>&1 &")
    :format(quote(base .. ".pid"), table.concat(words, " "), quote(base .. ".out"), quote(base .. ".err"),
      quote(base .. ".rc"))
  launch(script)
  local process = setmetatable({ base = base }, Process)
  local text = loop.until_true(loop.patience, function()
    local pid = M.read_file(base .. ".pid")
    return pid and pid:match "^(%d+)\n"
  end)
  process.pid = assert(text, "the program did not start: " .. argv[1])
  return process
end

function Process:output() return M.read_file(self.base .. ".out") or "" end
function Process:errors() return M.read_file(self.base .. ".err") or "" end

-- The exit status once it has ended, else nil.
function Process:status()
  local text = M.read_file(self.base .. ".rc")
  return text and tonumber(text)
end

function Process:signal(name)
  if not self:status() then launch("kill -" .. name .. " " .. self.pid .. " 2>/dev/null") end
end

-- The exit status, or nil when it has not ended in `seconds`.
function Process:wait(seconds) return loop.until_true(seconds, function() return self:status() end) end

-- SIGTERM, then SIGKILL after `seconds` (loop.patience). The exit status (137 when it had to be killed).
function Process:stop(seconds)
  self:signal "TERM"
  local status = self:wait(seconds or loop.patience)
  if not status then
    self:signal "KILL"
    status = self:wait(5)
  end
  return status
end

-- Runs argv to its end: exit status, output, errors.
function M.run(dir, name, argv, environment, seconds)
  local process = M.start(dir, name, argv, environment)
  local status = process:wait(seconds or 2 * loop.patience)
  if not status then process:signal "KILL" end
  return status, process:output(), process:errors()
end

-- How many files it has open, and how many of each kind: 24, "7 named pipe, 11 other, 6 socket". Looked at from within
-- this process: to fork one that has grown, a thousand times, takes longer than the tests.
function Process:open_files()
  local folder, n, count, kinds = "/proc/" .. self.pid .. "/fd/", 0, {}, {}
  pcall(function() -- it may end meanwhile
    for name in lfs.dir(folder) do
      local kind = name:find "^%d" and lfs.attributes(folder .. name, "mode")
      if kind then n, count[kind] = n + 1, (count[kind] or 0) + 1 end
    end
  end)
  for kind, of_it in pairs(count) do kinds[#kinds + 1] = of_it .. " " .. kind end
  table.sort(kinds)
  return n, table.concat(kinds, ", ")
end

-- Resident memory of its own in KiB: pages of files come and go with what else the machine does.
function Process:resident_kib()
  local text = M.read_file("/proc/" .. self.pid .. "/status") or ""
  return tonumber(text:match "RssAnon:%s*(%d+)") or 0
end

return M
