-- One block at a time: for writers whose protocol has at most one content block open, with indices 0, 1, 2 …, whatever
-- order the source has.
--
-- A source may interleave several tool calls and text. The block that is open streams; what belongs to another one
-- waits until the open one can be closed: text and thinking at once, a tool call when the source says so, or when its
-- arguments are a complete JSON value (nothing can follow them), or at the end.
--
--   item = { kind, pieces = { piece … }, index, done, stopped, …the writer's own fields }
--   render.open(item, put), render.piece(item, piece, put), render.close(item, put) make the protocol's text.
-- A piece is a string (text, or a part of arguments), or whatever else render.piece knows.
-- It does not know any protocol.

local json = gw.json

local M = {}

local B = {}
B.__index = B

function M.new(render)
  return setmetatable({ render = render, open = nil, waiting = {}, next_index = 0 }, B)
end

local function open_item(self, item, put)
  item.index = self.next_index
  self.next_index = item.index + 1
  self.open = item
  self.render.open(item, put)
  for _, piece in ipairs(item.pieces) do self.render.piece(item, piece, put) end
end

-- May the item's block be closed because something else is to come?
local function is_complete(item)
  if item.kind ~= "tool" or item.done then return true end
  if item.checked == #item.pieces then return false end
  item.checked = #item.pieces
  item.done = json.valid(table.concat(item.pieces))
  return item.done
end

-- Opens what waits, as far as the order allows.
local function advance(self, put)
  while true do
    local open = self.open
    if open and (open.stopped or #self.waiting > 0 and is_complete(open)) then
      self.open = nil
      self.render.close(open, put)
      open = nil
    end
    if open or #self.waiting == 0 then return end
    open_item(self, table.remove(self.waiting, 1), put)
  end
end

-- Adds an item behind all others.
function B:add(item, put)
  item.pieces = item.pieces or {}
  self.waiting[#self.waiting + 1] = item
  advance(self, put)
  return item
end

-- The item that more of this kind belongs to: the last one, if it is of that kind and still takes some.
function B:last(kind)
  local last = self.waiting[#self.waiting] or self.open
  if last and last.kind == kind and not last.done then return last end
  return nil
end

-- One more piece of an item.
function B:piece(item, piece, put)
  -- A call's arguments are kept: whether they are complete is asked of all of them. Other pieces go and are forgotten.
  if item ~= self.open then
    item.pieces[#item.pieces + 1] = piece
    return
  end
  if item.kind == "tool" then item.pieces[#item.pieces + 1] = piece end
  self.render.piece(item, piece, put)
  if self.waiting[1] then advance(self, put) end
end

-- Adds the piece to the last item of this kind, or to a new one.
function B:append(kind, piece, put)
  local open = self.open
  if open and open.kind == kind and not open.done and not self.waiting[1] then
    return self.render.piece(open, piece, put)
  end
  local item = self:last(kind)
  if item then self:piece(item, piece, put) else self:add({ kind = kind, pieces = { piece } }, put) end
end

-- The open item that the piece of a normal event has just gone to (`calls`: those of calls, by their index), when
-- nothing but a further render.piece would come of more such events, and of a call's the piece is kept.
function B:flowing(event, calls)
  local open, kind = self.open, event.type
  if not open or open.done or self.waiting[1] then return nil end
  if kind == "tool_delta" then return calls[event.index] == open and open or nil end
  return open.kind == kind and open or nil
end

-- Such pieces were written without B:piece.
function B:passed(event, calls, text)
  if event.type ~= "tool_delta" then return end
  local pieces = calls[event.index].pieces
  pieces[#pieces + 1] = text
end

-- Nothing more comes for this item.
function B:stop(item, put)
  item.done, item.stopped = true, true
  advance(self, put)
end

-- Nothing more comes for the last item, unless it is a call.
function B:stop_last(put)
  local last = self.waiting[#self.waiting] or self.open
  if last and last.kind ~= "tool" then self:stop(last, put) end
end

-- Everything that is open or waits is written and closed.
function B:finish(put)
  if self.open then self.open.done, self.open.stopped = true, true end
  for _, item in ipairs(self.waiting) do item.done, item.stopped = true, true end
  advance(self, put)
end

return M
