-- order_judge: what the checkers of the order of events share: a list of faults, and the types of JSON values. It knows
-- no dialect. A fault has a rule (a short name, so that exceptions can be listed by it) and a sentence.
local cjson = require("cjson")

local M = {}

-- A decoder of its own, so that no test changes its settings; NaN and hexadecimal are no JSON.
local json = cjson.new()
json.decode_invalid_numbers(false)
M.null = cjson.null

local J = {}
J.__index = J

function M.new() return setmetatable({ faults = {}, at = 0, what = "" }, J) end

-- A fault unless `fact` holds. The words are put together only then.
function J:must(fact, rule, ...)
  if fact then return fact end
  local words = table.pack(...)
  for i = 1, words.n do words[i] = tostring(words[i]) end
  if #self.faults < 50 then
    self.faults[#self.faults + 1] = { rule = rule,
      text = ("event %d%s: %s"):format(self.at, self.what, table.concat(words)) }
  end
  return fact
end

-- The JSON object that an event holds, or nil and a fault.
function J:object(text)
  local is_json, body = pcall(json.decode, text)
  local is_object = is_json and type(body) == "table" and text:find("^%s*{")
  return self:must(is_object and body, "json", "is no JSON object: ", text:sub(1, 200)) or nil
end

function M.decode(text)
  local is_json, value = pcall(json.decode, text)
  return is_json and value or nil
end

function M.get(v) if v ~= M.null then return v end end

function M.is_text(v) return type(v) == "string" end

function M.is_name(v) return type(v) == "string" and v ~= "" end

function M.is_count(v) return type(v) == "number" and v >= 0 and v % 1 == 0 end

-- The decoder gives one empty table for [] and {}: which of them it was, the text says.
function M.is_list(v, name, text)
  if type(v) ~= "table" then return false end
  if next(v) == nil then return text:find('"' .. name .. '"%s*:%s*%[%s*%]') ~= nil end
  return v[1] ~= nil
end

-- The arguments of a call, when they are all there: nothing, or a JSON object.
function M.is_arguments(text) return text == "" or type(M.decode(text)) == "table" end

function M.set(words)
  local set = {}
  for word in words:gmatch("%S+") do set[word] = true end
  return set
end

function M.same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, v in pairs(a) do if not M.same(v, b[key]) then return false end end
  for key in pairs(b) do if a[key] == nil then return false end end
  return true
end

return M
