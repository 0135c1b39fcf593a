-- structure: the rules of the house that no other tool knows. Prints "file:line: what" and exits with 1 when one is
-- broken.
local found = 0

local function complain(file, line, text)
  found = found + 1
  print(("%s:%s: %s"):format(file, line or 1, text))
end

local function lines_of(command)
  local pipe = assert(io.popen(command))
  local list = {}
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

local function read(path)
  local f = io.open(path, "rb")
  if not f then return nil end
  local text = f:read "a"
  f:close()
  return text
end

local folders = { base = 1, wire = 2, io = 3, gate = 4, script = 5, main = 6 }

-- Which system headers may be used where.
local fences = {
  { "^lua%.h$", { script = true } }, { "^lauxlib%.h$", { script = true } }, { "^lualib%.h$", { script = true } },
  { "^event2/", { io = true, main = true } }, { "^curl/", { io = true, main = true } },
}

local banned_words = { "TODO", "FIXME", "XXX", "HACK" }

-- Built from parts, so that this file does not hold them.
local forbidden = { "/wo" .. "rk/", "/tmp/" .. "plan", "registry." .. "npmjs", "deb." .. "debian.org", "py"
  .. "pi.org", "crates" .. ".io" }

local function check_includes(file, folder, number, line)
  local own = line:match '^%s*#%s*include%s+"([^"]+)"'
  if own then
    local other = own:match "^([^/]+)/"
    if folder and other and folders[other] and folders[other] > folders[folder] then
      complain(file, number, ("%s/ may not include %s/"):format(folder, other))
    end
  end
  local system = line:match "^%s*#%s*include%s+<([^>]+)>"
  if system and folder then
    for _, fence in ipairs(fences) do
      if system:find(fence[1]) and not fence[2][folder] then complain(file, number, "<" .. system .. "> is not for "
        .. folder .. "/") end
    end
  end
end

local files = lines_of "git ls-files -co --exclude-standard"
for _, file in ipairs(files) do
  local text = read(file)
  local is_code = file:find "%.[ch]$" or file:find "%.cpp$" or file:find "%.lua$" or file:find "%.mjs$"
    or file:find "%.sh$"
  local is_fixture = file:find "^tests/fixtures/" or file:find "^tests/fuzz/corpus/"
  if text and not is_fixture and file ~= "LICENSE" and not text:find "\0" then
    local folder = file:match "^core/([^/]+)/"
    local number = 0
    for line in (text .. "\n"):gmatch "(.-)\n" do
      number = number + 1
      if is_code then check_includes(file, folder, number, line) end
      if file ~= "tests/lint/structure.lua" then
        for _, word in ipairs(banned_words) do
          if is_code and line:find("%f[%w_]" .. word .. "%f[^%w_]") then complain(file, number, word) end
        end
      end
      for _, word in ipairs(forbidden) do
        if line:find(word, 1, true) then complain(file, number, "names " .. word) end
      end
      if is_code and line:find "%s$" then complain(file, number, "blanks at the line's end") end
      if is_code and line:find "\t" and not file:find "%.mjs$" then complain(file, number, "a tab") end
    end
    if text:sub(-2) == "\n\n" then number = number - 1 end
    local may_be_long = file:find "^adapters/models/" -- lists, one row a model
    if is_code and number - 1 > 800 and not may_be_long then
      complain(file, number, ("%d lines, more than 800"):format(number - 1))
    end
    if is_code and text ~= "" and text:sub(-1) ~= "\n" then complain(file, number, "no line end at the file's end") end
    if folder and file:find "%.[ch]$" and not text:find "^/%* " then complain(file, 1, "no comment at the head") end
    if (file:find "^lua/" or file:find "^policies/" or file:find "^adapters/") and file:find "%.lua$"
      and not text:find "^%-%- " then
      complain(file, 1, "no comment at the head")
    end
  end
end

-- Every function that C gives to scripts is described, and what is described exists.
local api = read "lua/gw/api.lua"
if api then
  local described, registered = {}, {}
  for name in api:gmatch 'name = "([%w_.:]+)"' do described[name:match "[%w_]+$"] = name end
  for _, file in ipairs(lines_of "ls core/script/api/api_*.c 2>/dev/null") do
    local number = 0
    for line in (read(file) .. "\n"):gmatch "(.-)\n" do
      number = number + 1
      for name in line:gmatch '{"([%w_]+)", l_' do
        registered[name] = true
        if not described[name] then complain(file, number, "gw function " .. name
          .. " is not described in lua/gw/api.lua") end
      end
    end
  end
  for short, name in pairs(described) do
    if name:find "^gw%." and not registered[short] and not name:find "%.null$" then
      local source = table.concat(lines_of("grep -rl '\"" .. short .. "\"' core/script lua/gw 2>/dev/null"))
      if source == "" then complain("lua/gw/api.lua", 1, name .. " is described but nobody provides it") end
    end
  end
end

-- Every error code has its entry in the manual and a test that names it.
local faults = read "core/gate/fault_table.h"
if faults then
  local manual = read "docs/reference/errors.md" or ""
  for code in faults:gmatch 'FAULT%([%w_]+, "([%w_]+)"' do
    if not manual:find(code, 1, true) then complain("docs/reference/errors.md", 1, "no entry for " .. code) end
  end
end

os.exit(found == 0)
