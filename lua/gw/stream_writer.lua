-- What the stream writers of all dialects do alike: which of a writer's functions a normal event goes to, and how a
-- stream ends that nobody ended. For lua/gw/*_stream.lua and lua/gw/responses_writer.lua.
--
--   content (text, tool_start …) ─▶ write[type]          around it: start, finish, usage, ping, error, end
--
-- A writer is an object with the fields closed, asked, usage, finish_of, and stream_error where it has no `fail`.
--
--   own = {
--     write    { [type of event] = function(writer, event, put) }
--     start    function(writer, event, put): the stream's beginning, once, however often it is called
--     close    function(writer, put): its correct end
--     fail     function(writer, err, put): its end in an error, and sets `closed`; nil: writer.stream_error makes it
--     ping     the text of one; nil: there is none
--   }
-- It does not know what the text of an event looks like.

local parts = require("gw.parts")

local lose = parts.lose

local M = {}

local function fail_writer(writer, err, put)
  writer.closed = true
  put(writer.stream_error(err, writer.asked.request_id))
end

-- What stands around the content.
local function frame(own)
  local start, close, fail, ping = own.start, own.close, own.fail or fail_writer, own.ping
  return function(writer, event, put)
    local kind = event.type
    if kind == "start" then
      start(writer, event, put)
      if event.usage then writer.usage = event.usage end
    elseif kind == "finish" then
      writer.finish_of = event.finish
    elseif kind == "usage" then
      writer.usage = event.usage
    elseif kind == "ping" then
      if ping then put(ping) end
    elseif kind == "error" then
      fail(writer, event.error, put)
    elseif kind == "end" then
      close(writer, put)
    end
  end
end

-- Nothing more will come. A stream that was not ended is an error for the client, never a silent end.
local function finish(own)
  local fail = own.fail or fail_writer
  return function(writer, put)
    if writer.closed then return end
    fail(writer, { status = 502, class = "server", message = "The answer broke off before its end." }, put)
  end
end

-- The methods `event` and `finish` of writers whose dialect has one answer a message: further choices have no place
-- (n > 1 is refused in the request). own.choices: the name of that loss; own.starts_first: any content begins the
-- stream, not only what is written at once.
function M.of_one_answer(own)
  local write, start, around, choices = own.write, own.start, frame(own), own.choices
  local starts_first = own.starts_first
  local function event_of_one(writer, event, put)
    if writer.closed then return end
    if (event.choice or 0) > 0 then return lose(writer.asked.losses, choices) end
    local handle = write[event.type]
    if not handle then return around(writer, event, put) end
    if starts_first and not writer.started then start(writer, {}, put) end
    handle(writer, event, put)
  end
  return event_of_one, finish(own)
end

-- The same of writers that tell choices apart, in writer.choices by their index. own.choice_of(writer, event, put): the
-- state of a choice that is not there yet; own.write's functions take it: (writer, choice, event, put).
function M.of_choices(own)
  local write, choice_of, around = own.write, own.choice_of, frame(own)
  local function event_of_choice(writer, event, put)
    if writer.closed then return end
    local handle = write[event.type]
    if not handle then return around(writer, event, put) end
    handle(writer, writer.choices[event.choice or 0] or choice_of(writer, event, put), event, put)
  end
  return event_of_choice, finish(own)
end

return M
