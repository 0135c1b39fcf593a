-- Helpers that every dialect file needs: reading values that came off the wire, losses, the tables between reasoning
-- efforts and token budgets, tool names and ids, one SSE event as text.
-- Pure: tables and strings in and out. It does not know any wire dialect; see adapters/dialects/.

local json = gw.json
local null = json.null

local M = {}

-- A field of a decoded body as a script wants it: JSON null is absence.
function M.value(v)
  if v == null then return nil end
  return v
end

-- Ends the translation: the client's body is wrong or cannot be carried at `field`, a path like "messages[2].role".
function M.fail(field, message)
  error({ field = field, message = message }, 0)
end
local fail = M.fail

local function kind_of(v)
  local kind = type(v)
  if kind == "table" then return (json.is_array(v) or #v > 0) and "array" or "object" end
  return json.is_raw(v) and "object" or kind
end

local article = { array = "an array", object = "an object", string = "a string", number = "a number",
  boolean = "a boolean" }

-- The value, or nil when it is absent or null; anything of another kind ends the translation.
-- `kind`: "string" "number" "boolean" "array" "object". The path is `field`, with `rest` behind it when there is one:
-- only what fails is joined.
function M.optional(v, kind, field, rest)
  if v == nil or type(v) == kind then return v end
  if v == null then return nil end
  local found = kind_of(v)
  if found ~= kind then
    fail(field .. (rest or ""), "must be " .. article[kind] .. ", not " .. article[found])
  end
  return v
end

function M.required(v, kind, field, rest)
  if type(v) == kind then return v end
  if v == nil or v == null then fail(field .. (rest or ""), "is missing; it must be " .. article[kind]) end
  return M.optional(v, kind, field, rest)
end

-- The same of what may be a string too; the caller has looked for that.
function M.or_text(v, kind, field, rest)
  local found = v ~= nil and v ~= null and kind_of(v)
  if found == kind then return v end
  local words = "must be a string or " .. article[kind]
  fail(field .. (rest or ""), found and words .. ", not " .. article[found] or "is missing; it " .. words)
end

-- A raw JSON object, whose bytes matter; nil when it is absent or null.
function M.raw_object(v, field, rest)
  v = M.value(v)
  if v == nil then return nil end
  if not json.is_raw(v) or not json.text(v):find("^%s*{") then fail(field .. (rest or ""), "must be an object") end
  return v
end

-- A list of strings; nil when it is absent or null.
function M.strings(v, field)
  local list = M.optional(v, "array", field)
  for i, text in ipairs(list or {}) do M.required(text, "string", field .. "[" .. (i - 1) .. "]") end
  return list
end

-- A list of objects; an empty one when it is absent or null.
function M.objects(v, field)
  local list = M.optional(v, "array", field) or {}
  for i, item in ipairs(list) do M.required(item, "object", field .. "[" .. (i - 1) .. "]") end
  return list
end

local losses_max = 100

-- Appends a field name to the losses once. Clients choose names: after so many, the last says that there are more.
function M.lose(losses, name)
  if not losses then return end
  local count = #losses
  if count >= losses_max then
    losses[losses_max] = "and more"
    return
  end
  for i = 1, count do
    if losses[i] == name then return end
  end
  losses[count + 1] = name
end

-- Every key of `fields` that carries something becomes a loss, in sorted order. Values that ask for nothing (false, an
-- empty list) are no loss.
function M.lose_fields(losses, fields, prefix)
  if not fields then return end
  local names = {}
  for name, v in pairs(fields) do
    if v ~= false and v ~= null and not (json.is_array(v) and #v == 0) then names[#names + 1] = name end
  end
  table.sort(names)
  for i = 1, math.min(#names, losses_max + 1) do M.lose(losses, prefix .. names[i]) end
end

local function says_nothing(v)
  return v == null or v == false or v == "" or type(v) == "table" and next(v) == nil
end

-- Every key of an answer's object that is not known and says something becomes a loss, by its path, in sorted order.
-- In `known` is also what a provider tells of its own work, which no client of another API can miss.
function M.lose_unknown(losses, object, known, prefix)
  if type(object) ~= "table" then return end
  local names
  for name, v in next, object do
    if not known[name] and type(name) == "string" and not says_nothing(v) then
      names = names or {}
      names[#names + 1] = name
    end
  end
  if not names then return end
  table.sort(names)
  for i = 1, math.min(#names, losses_max + 1) do M.lose(losses, prefix .. names[i]) end
end

-- The same for a list of objects whose keys go by their `type`. Others are not looked at: they stay whole.
function M.lose_unknown_of_types(losses, list, known, prefix)
  for _, object in ipairs(type(list) == "table" and list or {}) do
    local keys = type(object) == "table" and known[object.type]
    if keys then M.lose_unknown(losses, object, keys, prefix) end
  end
end

-- The keys of sets, as one list.
function M.names_of(...)
  local names = {}
  for _, set in ipairs { ... } do
    for name in pairs(set) do names[#names + 1] = name end
  end
  return names
end

-- What is left of an object when the known keys are taken out; nil when nothing is.
function M.rest(object, known)
  local left
  for key, v in pairs(object) do
    if not known[key] and v ~= null then
      left = left or {}
      left[key] = v
    end
  end
  return left
end

function M.is_blank(text)
  local first = text:byte()
  return (not first or first <= 32) and not text:find("%S")
end

-- Most messages of a long conversation are a role and a text, and take a short way. On the wire: the text of a message
-- that has no other field; nil for any other message, and for an empty text.
function M.plain_text(message)
  local text = message.content
  if type(text) ~= "string" or text == "" then return nil end
  for key in next, message do
    if key ~= "role" and key ~= "content" then return nil end
  end
  return text
end

-- The same of a message in the normal form.
function M.only_text(message)
  local list = message.parts
  local part = list[1]
  if not part or list[2] or part.type ~= "text" or list.citations or message.name or message.extra then return nil end
  if part.cache or part.citations or part.billing then return nil end
  return part.text
end

-- The text of an answer that is nothing else, which may be raw JSON (translate.texts); nil for any other answer.
function M.answer_text(list)
  local part = list[1]
  if not part or list[2] or part.type ~= "text" or part.citations or list.citations then return nil end
  return part.text
end

-- An answer of one choice with this text.
function M.text_choice(text, finish, index)
  return { index = index or 0, parts = { { type = "text", text = text } }, finish = finish }
end

-- The paths of a list's elements, by Lua's index: paths[3] is "messages[2].content" for ("messages", ".content").
-- Nearly no path is ever read, and a long conversation has thousands: they are made once.
function M.paths(list, rest)
  local most = 1000
  return setmetatable({}, { __index = function(paths, i)
    local path = list .. "[" .. (i - 1) .. "]" .. (rest or "")
    if i <= most then paths[i] = path end
    return path
  end })
end

-- "data:image/png;base64,AAAA" -> "image/png", "AAAA"; nil for any other URL.
function M.data_url(url)
  if url:sub(1, 5) ~= "data:" then return nil end
  local comma = url:find(",", 6, true)
  if not comma then return nil end
  local head = url:sub(6, comma - 1)
  if head:sub(-7) ~= ";base64" then return nil end
  local media_type = head:sub(1, -8)
  local parameters = media_type:find(";", 1, true)
  if parameters then media_type = media_type:sub(1, parameters - 1) end
  media_type = media_type:lower()
  if media_type == "image/jpg" then media_type = "image/jpeg" end
  return media_type, url:sub(comma + 1)
end

local extensions = { plain = "txt", markdown = "md", msword = "doc" }

-- What the file of a document is called where it must have a name.
function M.file_name(part)
  if part.title then return part.title end
  local kind = (part.media_type or "application/pdf"):match("/(%w+)$")
  return kind and "document." .. (extensions[kind] or kind) or "document"
end

function M.is_video(part)
  return part.media_type ~= nil and part.media_type:sub(1, 6) == "video/"
end

-- Arguments of a tool call as a model wrote them. Sets part.arguments (raw JSON), or part.arguments_text when they do
-- not parse, so that numbers, key order and the broken text itself survive.
function M.set_arguments(part, text)
  if M.is_blank(text) then
    part.arguments = json.raw("{}")
  elseif json.valid(text) then
    part.arguments = json.raw(text)
  else
    part.arguments_text = text
  end
  return part
end

-- Arguments as JSON text for dialects that carry a string.
function M.arguments_text(part)
  return part.arguments_text or json.text(part.arguments)
end

-- Arguments as raw JSON for dialects that carry an object. Text that is no object is kept whole under "_raw_arguments";
-- the second result says so.
function M.arguments_object(part)
  local text = M.arguments_text(part)
  if not part.arguments_text and text:find("^%s*{") then return part.arguments, false end
  return json.raw('{"_raw_arguments":' .. json.text(text) .. "}"), true
end

-- Tokens that each effort may think; `quirks.effort_budgets` replaces it.
M.effort_budgets = { minimal = 1024, low = 1024, medium = 2048, high = 4096, xhigh = 8192, max = 16384 }

-- The way back. It closes for low, medium and high; `quirks.budget_efforts` replaces it.
M.budget_efforts = { { 1024, "minimal" }, { 2048, "low" }, { 4096, "medium" }, { math.maxinteger, "high" } }

function M.effort_to_budget(effort, quirks)
  return (quirks.effort_budgets or M.effort_budgets)[effort]
end

function M.budget_to_effort(budget, quirks)
  for _, step in ipairs(quirks.budget_efforts or M.budget_efforts) do
    if budget < step[1] then return step[2] end
  end
  return "high"
end

local efforts = { "minimal", "low", "medium", "high", "xhigh", "max" }
local rank = {}
for i, effort in ipairs(efforts) do rank[effort] = i end

-- The effort to send to who takes only some of them ({ low = true, … }): the same one, else the nearest, of two as near
-- the lesser. A word that is not known here counts as high. A change is a loss: `field(xhigh sent as high)`.
function M.nearest_effort(effort, taken, field, losses)
  if taken[effort] then return effort end
  local wanted = rank[effort] or rank.high
  for distance = 0, #efforts do
    local lesser, greater = efforts[wanted - distance], efforts[wanted + distance]
    local near = lesser and taken[lesser] and lesser or greater and taken[greater] and greater
    if near then
      M.lose(losses, field .. "(" .. effort .. " sent as " .. near .. ")")
      return near
    end
  end
  error("quirks.efforts names no effort that is known", 0)
end

local no_quirks = {}
local merged_by_model = {} -- [an adapter's quirks] = { by_name = { [model] = merged }, count }

local function merge(all, model)
  local merged = {}
  for name, v in pairs(all) do merged[name] = v end
  for _, rule in ipairs(all.models or {}) do
    if model:sub(1, #rule.prefix) == rule.prefix then
      for name, v in pairs(rule) do merged[name] = v end
      break
    end
  end
  return merged
end

-- The quirks that hold for the target's model: the adapter's, overlaid by the first rule of quirks.models whose prefix
-- the model name has. Shared between requests: they are only read. Clients can name any model, so not all are kept.
function M.quirks(target)
  local most = 200
  local all, model = target.quirks or no_quirks, target.model or ""
  local known = merged_by_model[all]
  if not known or known.count >= most then
    known = { by_name = {}, count = 0 }
    merged_by_model[all] = known
  end
  local merged = known.by_name[model]
  if not merged then
    merged = merge(all, model)
    known.by_name[model], known.count = merged, known.count + 1
  end
  return merged
end

-- Tool names for a dialect that allows only [a-zA-Z0-9_-] and `max` characters. Returns rename(name) and the table
-- { [sent name] = the client's name }, which holds only names that changed.
-- Register the definitions first: a name that only history knows must not take the place of a defined one.
function M.tool_names(max)
  local sent_as, changed, taken = {}, {}, {}
  local function rename(name)
    local sent = sent_as[name]
    if sent then return sent end
    sent = name
    if #name > max or name:find("[^%w_-]") or taken[name] or name == "" then
      sent = name:gsub("[^%w_-]", "_"):sub(1, max - 9) .. "_" .. gw.hash(name, 8)
      changed[sent] = name
    end
    sent_as[name], taken[sent] = sent, true
    return sent
  end
  return rename, changed
end

-- Where no tool is sent: does the request's tool_choice say anything all the same? To choose freely, or nothing, among
-- no tools is no loss.
function M.asks_for_tools(request)
  local choice = request.tool_choice
  return choice ~= nil and (request.tools ~= nil or choice.mode ~= "none" and choice.mode ~= "auto")
end

-- A call id that a provider takes: quirks.tool_id_length (exactly so many characters), quirks.tool_id_max (at most);
-- `is_plain`: only [a-zA-Z0-9_-]. An id is always replaced by the same one, so calls and results still meet.
function M.call_id(id, quirks, is_plain)
  local exact = quirks.tool_id_length
  if exact then
    if #id == exact and not id:find("%W") then return id end
    return gw.hash(id, exact)
  end
  if #id > (quirks.tool_id_max or 64) or id == "" or is_plain and id:find("[^%w_-]") then
    return "call_" .. gw.hash(id, 24)
  end
  return id
end

-- One server-sent event. `body` is JSON text without line ends.
function M.sse(name, body)
  if name then return "event: " .. name .. "\ndata: " .. body .. "\n\n" end
  return "data: " .. body .. "\n\n"
end

return M
