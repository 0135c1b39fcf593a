-- order_framing: takes whole streams apart, as their standards say and apart from the gateway's own code: server-sent
-- events, AWS event-stream messages (both checksums), a JSON array. What is not as it should be is a fault of `judge`.
local M = {}

-- Events of SSE text as { name, data }, by the HTML standard: three line ends, comments and unknown fields passed over.
-- is_cut: the last event need not be whole.
function M.sse(text, judge, is_cut)
  local events, name, lines, at = {}, nil, {}, 1
  if judge then
    judge:must(is_cut or utf8.len(text), "utf8", "bytes that are no UTF-8")
    judge:must(is_cut or text == "" or text:find("\n\r?\n$"), "blank_line", "the last event lacks its blank line")
  end
  text = text:gsub("^\xEF\xBB\xBF", "")
  if text:find("\r", 1, true) then text = text:gsub("\r\n", "\n"):gsub("\r", "\n") end
  if not is_cut then text = text .. "\n\n" end
  while true do
    local line_end = text:find("\n", at, true)
    if not line_end then return events end
    local line = text:sub(at, line_end - 1)
    at = line_end + 1
    if line == "" then
      if #lines > 0 then events[#events + 1] = { name = name, data = table.concat(lines, "\n") } end
      name, lines = nil, {}
    elseif line:sub(1, 1) ~= ":" then
      local field, rest = line:match("^([^:]*):? ?(.*)$")
      if field == "data" then lines[#lines + 1] = rest
      elseif field == "event" then name = rest
      elseif judge then judge:must(field == "id" or field == "retry", "field", "a line of SSE: ", line:sub(1, 80)) end
    end
  end
end

local crc_table = {}
for i = 0, 255 do
  local c = i
  for _ = 1, 8 do c = c & 1 == 1 and 0xEDB88320 ~ (c >> 1) or c >> 1 end
  crc_table[i] = c
end

function M.crc32(text)
  local c = 0xFFFFFFFF
  for at = 1, #text, 4096 do
    for _, byte in ipairs { text:byte(at, math.min(at + 4095, #text)) } do
      c = crc_table[(c ~ byte) & 255] ~ (c >> 8)
    end
  end
  return c ~ 0xFFFFFFFF
end

local function aws_headers(bytes, at, stop)
  local headers = {}
  while at < stop do
    local name, kind, text
    name, kind, at = string.unpack(">s1B", bytes, at)
    if kind ~= 7 then return nil, "header " .. name .. " is no string" end
    text, at = string.unpack(">s2", bytes, at)
    headers[name] = text
  end
  return headers
end

-- One message at `at`: an event { name, kind, data, headers } and where the next begins; or nil and why.
local function aws_message(bytes, at)
  if #bytes - at + 1 < 16 then return nil, "cut" end
  local total, headers_bytes, prelude_crc = string.unpack(">I4I4I4", bytes, at)
  if M.crc32(bytes:sub(at, at + 7)) ~= prelude_crc then return nil, "the prelude's checksum" end
  if total < headers_bytes + 16 then return nil, "lengths that do not fit" end
  if at + total - 1 > #bytes then return nil, "cut" end
  if M.crc32(bytes:sub(at, at + total - 5)) ~= string.unpack(">I4", bytes, at + total - 4) then
    return nil, "the message's checksum"
  end
  local data_at = at + 12 + headers_bytes
  local headers, why = aws_headers(bytes, at + 12, data_at)
  if not headers then return nil, why end
  return { name = headers[":event-type"] or headers[":exception-type"], kind = headers[":message-type"],
    headers = headers, data = bytes:sub(data_at, at + total - 5) }, at + total
end

function M.aws(bytes, judge, is_cut)
  local events, at = {}, 1
  while at <= #bytes do
    judge.at = #events + 1
    local event, next_at = aws_message(bytes, at)
    if not event then
      judge:must(is_cut and next_at == "cut", "frame", "an AWS message is spoiled: ", next_at)
      return events
    end
    events[#events + 1], at = event, next_at
  end
  return events
end

-- Elements of a JSON array, as text each. A cut one ends before the first that is not whole.
function M.array(text, judge, is_cut)
  local events, depth, from, is_string, over = {}, 0, nil, false, false
  judge:must(is_cut or utf8.len(text), "utf8", "bytes that are no UTF-8")
  local at, between = 1, ""
  while at <= #text do
    local i = text:find(is_string and '["\\]' or '["%[%]{}]', at)
    if not i then break end
    local c = text:sub(i, i)
    if depth == 1 then between = between .. text:sub(at, i - 1) end
    if is_string then
      if c == "\\" then i = i + 1 else is_string = false end
    elseif c == '"' then
      is_string = true
    elseif c == "{" or c == "[" then
      if depth == 1 then
        local comma = between:match("^%s*(,?)%s*$")
        judge:must(comma and (comma == ",") == (#events > 0), "array", "between the elements stands ", between)
        from, between = i, ""
      end
      judge:must(depth > 0 or c == "[" and not over, "array", "more than an array")
      depth = depth + 1
    else
      judge:must(depth > 0, "array", "ends twice")
      depth = depth - 1
      if depth == 1 then events[#events + 1] = { data = text:sub(from, i) } end
      if depth == 0 then over = true end
    end
    at = i + 1
  end
  judge:must(is_cut or over and not text:find("%S", at), "array", "is no whole JSON array")
  return events
end

return M
