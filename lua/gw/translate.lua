-- One hop between a client's dialect and a provider's: what the core calls for requests, answers, streams and errors.
--
--   hop: who speaks what; the other four take it
--   client body ─▶ request ─▶ provider body
--   provider answer ─▶ response ─▶ client answer
--   provider events ─▶ stream:event / stream:finish ─▶ client's stream, framed as it asked
--   provider error ─▶ error ─▶ client error
--
-- A hop belongs to one attempt; nothing here is shared between attempts. Bodies are JSON text on both sides.
-- It is not called for a same-dialect hop of an adapter without hooks: those bytes are forwarded as they are.

local habits = require("gw.habits")
local parts = require("gw.parts")
local recover = require("gw.recover")
local streams = require("gw.streams")

local json = gw.json
local embeddings = require("gw.embeddings")
local rerank = require("gw.rerank")

-- What is no chat is mapped by a module of its own, for all dialects; errors are the dialect files' all the same.
local mappings = { embeddings = embeddings, rerank = rerank }

-- Beyond chat, OpenAI's two dialects are one API.
local function api_of(dialect)
  return dialect.name == "openai.responses" and "openai.chat" or dialect.name
end

local M = {}

local function refuse(field, message)
  error({ field = field, message = message }, 0)
end

-- What an answer to this request needs to know, beside what the caller put into `asked`.
local function complete_asked(asked, normal, target)
  asked.legacy_functions, asked.echo, asked.custom_tools = normal.legacy_functions, normal.echo, normal.custom_tools
  if asked.stream == nil then asked.stream = normal.stream end
  if target.tool_names and next(target.tool_names) then asked.tool_names = target.tool_names end
  if asked.stream_usage == nil then asked.stream_usage = normal.stream_usage end
  recover.note_request(asked, normal)
end

-- A hop for one attempt. client, provider: dialect files. adapter: { quirks, self, request, response, event } or nil.
-- target: { model, provider }; quirks are set from the adapter.
-- asked: { model (what the client sent), stream, framing (of a streamed answer: "sse", "json-array" or "aws-events"),
-- id, created, request_id, prompt_tokens, stream_usage, operation ("chat" when nil), path (the client's) }; all but
-- model may be nil. req: the request handle for adapter hooks.
function M.hop(client, provider, adapter, target, asked, req)
  adapter = adapter or {}
  target.quirks = target.quirks or adapter.quirks
  asked.losses = asked.losses or {}
  return { client = client, provider = provider, adapter = adapter, target = target, asked = asked, req = req,
    is_same = client.name == provider.name, mapping = mappings[asked.operation] }
end

local function copy(v)
  if type(v) ~= "table" or v == json.null or json.is_raw(v) then return v end
  local made = json.is_array(v) and json.array({}) or {}
  for key, inner in pairs(v) do made[key] = copy(inner) end
  return made
end

-- body: the client's body, as text, or decoded with the raw keys of the client's dialect (it is not changed, so one
-- decoded body serves all attempts). Returns the provider's body as text, and the list of losses.
-- Raises { field, message } when the client's body is wrong or cannot be carried.
function M.request(hop, body)
  local client, provider, adapter, asked, target = hop.client, hop.provider, hop.adapter, hop.asked, hop.target
  if type(body) == "string" then
    local decoded, message = json.decode(body, { raw = client.raw_keys })
    if decoded == nil then refuse("body", "is not JSON: " .. message) end
    body = decoded
  elseif hop.is_same or adapter.request then
    body = copy(body)
  end
  if type(body) ~= "table" or json.is_array(body) or json.is_raw(body) then refuse("body", "must be an object") end
  local losses = {}
  if hop.mapping then
    local normal = hop.mapping.request_to_normal(api_of(client), body, losses, asked)
    return json.encode(hop.mapping.request_from_normal(api_of(provider), normal, target, losses)), losses
  end
  local goes_on = hop.recovery and hop.recovery.mode == "continue"
  if hop.is_same and not goes_on then
    if body.model ~= nil then body.model = target.model end
  else
    local normal = client.request_to_normal(body, losses, asked)
    if goes_on then recover.prefill(hop, normal) end
    -- Where the path says these, the body does not.
    normal.model = normal.model or asked.model
    if asked.stream ~= nil then normal.stream = asked.stream end
    local quirks = parts.quirks(hop.target)
    habits.request(normal, quirks, losses)
    body = provider.request_from_normal(normal, target, losses)
    habits.body(body, quirks, losses)
    complete_asked(asked, normal, target)
  end
  if adapter.request then
    local changed, lost = adapter.request(adapter.self, hop.req, body)
    body = changed or body
    for _, name in ipairs(lost or {}) do parts.lose(losses, name) end
  end
  return json.encode(body), losses
end

-- A stream of the hop may break off and be gone on with by the hop of another attempt, whose hop.recovery is the result
-- of this one: what is to be kept until then. mode: "restart" or "continue". body: the client's, decoded, where no
-- request was made of it. spoken: tokens that the client has got already; number: the attempt's. nil: what the client
-- asked for has no normal form.
function M.recover(hop, mode, body, spoken, number)
  local recovery = hop.recovery
  if recovery then
    recovery:go_on(hop, spoken, number)
  else
    if body then
      local is_read, normal = pcall(hop.client.request_to_normal, body, {}, hop.asked)
      if not is_read then return nil end
      complete_asked(hop.asked, normal, hop.target)
    end
    recovery = recover.new(mode, hop)
  end
  hop.writer, hop.is_same = recovery, false
  return recovery
end

-- As a part of a sentence.
local function reason_of(err)
  return (tostring(err.message):gsub("%.$", ""))
end

local function error_body(hop, err)
  local status, body = hop.client.error_from_normal(err, hop.asked.request_id)
  return status, json.encode(body), err.class, reason_of(err)
end

-- What a failed reading of the provider's bytes is to the client: the provider's fault, with the reason in the log.
local function unreadable(err)
  local reason = type(err) == "table" and err.field and err.field .. " " .. err.message or tostring(err)
  gw.log.error("the provider's answer could not be read: " .. reason)
  return { status = 502, class = "server", message = "The provider's answer could not be read." }
end

local function mapped_response(hop, body)
  local mapping, losses = hop.mapping, hop.asked.losses
  local is_read, normal, err = pcall(mapping.response_to_normal, api_of(hop.provider), body, hop.target, losses)
  if not is_read then return nil, unreadable(normal) end
  if not normal then return nil, err end
  local is_made, body_or_err = pcall(mapping.response_from_normal, api_of(hop.client), normal, hop.asked)
  if not is_made then return nil, unreadable(body_or_err) end
  return body_or_err
end

-- The client's status and body for a whole answer; of what is no answer an error's, with its class and reason.
function M.response(hop, status, body_text)
  local body = json.decode(body_text, { raw = (hop.mapping or hop.provider).raw_keys })
  if type(body) ~= "table" or json.is_array(body) or json.is_raw(body) then
    return error_body(hop, { status = 502, class = "server", message = "The provider's answer is not a JSON object." })
  end
  if hop.mapping then
    local made, err = mapped_response(hop, body)
    if not made then return error_body(hop, err) end
    return status, json.encode(made)
  end
  local adapter = hop.adapter
  if adapter.response then body = adapter.response(adapter.self, hop.req, body) or body end
  if hop.is_same then return status, json.encode(body) end
  local is_read, normal, err = pcall(hop.provider.response_to_normal, body, hop.asked.losses, hop.target)
  if not is_read then return error_body(hop, unreadable(normal)) end
  if not normal then return error_body(hop, err) end
  habits.answer(normal, parts.quirks(hop.target))
  -- What a reader has taken over unseen may still be of a kind that cannot be written.
  local is_made, told = pcall(hop.client.response_from_normal, normal, hop.asked)
  if not is_made then return error_body(hop, unreadable(told)) end
  return status, json.encode(told)
end

-- The client's body, as a table, for an answer that holds one text, which is raw JSON here; the values are those that
-- `texts.answer` of the provider's dialect file names; and the list of losses. nil when it must go through M.response.
-- Nothing of the hop is kept or changed but asked.losses: it may serve other requests like this one.
function M.texts(hop, text, ...)
  if parts.quirks(hop.target).think_tags then return nil end
  local is_read, normal = pcall(hop.provider.texts.answer.read, hop, text, ...)
  if not is_read or not normal then return nil end
  local is_made, told = pcall(hop.client.response_from_normal, normal, hop.asked)
  if is_made then return told, hop.asked.losses end
  return nil
end

-- The client's status and body for a provider's error, and its class.
function M.error(hop, status, body_text)
  return error_body(hop, hop.provider.error_to_normal(status, body_text))
end

----- streams

local S = {}
S.__index = S

-- Events that commit the answer to this attempt: once one was sent, no other provider can take over. Of those that are
-- pieces of text, the field that holds it: readers take it over unseen.
local commits = {
  text = "text", thinking = "text", refusal = "text", tool_start = true, tool_delta = "arguments",
  redacted_thinking = true, opaque = true,
}

-- A stream of the hop. stream:event(name, data) and stream:finish() make the text for the client: they give it to
-- put(text), piece by piece; without a put they return it, or nil when there is none yet. stream.has_content: content
-- was produced; stream.failed: the error, when the stream ended in one; stream.is_done: a correct end was produced.
-- tell(reason), when there is one, is called once the client has its end, without a reason; and with one instead of
-- making the client's error, which is then the caller's to make.
function M.stream(hop, put, tell)
  local stream = setmetatable({ hop = hop, out = {}, count = 0, has_content = false, is_done = false }, S)
  put = put or function(text)
    local n = stream.count + 1
    stream.count = n
    stream.out[n] = text
  end
  stream.put, stream.tell = put, tell
  if hop.is_same then return stream end
  local writer = hop.writer or hop.client.writer(hop.asked)
  stream.reader, stream.writer = hop.provider.reader(hop.target), writer
  function stream.emit(event)
    local kind = event.type
    local piece = commits[kind]
    if piece then
      if piece ~= true and type(event[piece]) ~= "string" then error("a piece of " .. kind .. " is no text", 0) end
      stream.has_content = true
    elseif kind == "error" then
      stream.failed = event.error
      if tell then return tell(reason_of(event.error)) end
    end
    writer:event(event, put)
    if kind == "end" then
      stream.is_done = true
      if tell then tell() end
    end
  end
  if parts.quirks(hop.target).think_tags then stream.emit, stream.goes_on = habits.emitter(stream.emit) end
  return stream
end

local function taken(stream)
  local n = stream.count
  if n == 0 then return nil end
  local out = stream.out
  stream.count = 0
  if n == 1 then return out[1] end
  return table.concat(out, "", 1, n)
end

-- An event that an adapter's hook has seen, in the framing that both sides speak.
local put_same = {
  ["sse"] = function(stream, name, text)
    if name ~= "" and name ~= "message" then stream.put("event: " .. name .. "\n") end
    stream.put("data: " .. text .. "\n\n")
  end,
  ["json-array"] = function(stream, _, text) stream.put((stream.has_content and ",\r\n" or "[") .. text) end,
  ["aws-events"] = function(stream, name, text) stream.put(gw.aws_event(name, text)) end,
}

-- Pieces of text, of thoughts and of a call's arguments are nearly all events of a stream. The core knows them by
-- itself (read_delta, core/gate/dialect/dialect.h) and tells the first of a kind:
--
--   reader:delta(kind, text, place, part, rest, emit)
--       kind: "text", "thinking" or "arguments"; place, part: which of them, in the dialect's own count; rest: the
--       value of which the last counts, raw. Emits what reader:event would, and returns that event; nil, and nothing
--       is done, when the event must be read whole
--   writer:stencil(event)
--       how more of the same is written: { before, after, middle, number, aws_type, keeps_text }, see stencil_of
--   reader:passed(event, bytes, characters, text, rest)
--   writer:passed(event, count, characters, text)
--       so much more of the same went by without them: their state becomes what it would be. text: what all said, when
--       the stencil or the reader keeps texts

-- What the core writes for the next piece like this event: `before`, the piece as a JSON string, and `after`; between
-- them, with `number`, `middle` and that number, which counts on; without `before` it writes nothing. nil when the next
-- one must be seen by the reader or the writer.
local function stencil_of(stream, event)
  local goes_on = stream.goes_on
  if stream.is_done or stream.failed then return nil end
  if goes_on and event.type == "text" and not goes_on(event.choice) then return nil end
  local stencil = stream.writer:stencil(event)
  if stencil and stream.reader.keeps_texts then stencil.keeps_text = true end
  stream.passing = event
  return stencil
end

-- What the core has written since the last event.
function S:passed(count, bytes, characters, text, rest)
  local event = self.passing
  self.reader:passed(event, bytes, characters, text, rest)
  self.writer:passed(event, count, characters, text)
end

-- kind and what follows it: see above; nil when the event is more than one piece, or not known to be one. The second
-- result is the stencil for more of the same, if there is one.
function S:event(name, data, kind, text, place, part, rest)
  local hop = self.hop
  local adapter = hop.adapter
  local event = data
  if kind and self.reader then
    local told = self.reader:delta(kind, text, place, part, rest, self.emit)
    if told then return taken(self), stencil_of(self, told) end
  end
  if adapter.event and data ~= "[DONE]" then
    event = json.decode(data, { raw = hop.provider.raw_keys })
    if type(event) == "table" then
      event = adapter.event(adapter.self, hop.req, event) or event
    else
      event = data
    end
  end
  if not hop.is_same then
    local reader = self.reader
    local is_read, err = pcall(reader.event, reader, name, event, self.emit)
    if not is_read and not self.failed then self.emit({ type = "error", error = unreadable(err) }) end
    return taken(self)
  end
  put_same[hop.asked.framing or "sse"](self, name or "", type(event) == "table" and json.encode(event) or event)
  self.has_content = true
  return taken(self)
end

function S:finish()
  if self.hop.is_same then
    if self.hop.asked.framing == "json-array" then self.put(self.has_content and "\r\n]" or "[]") end
    return taken(self)
  end
  self.reader:finish(self.emit)
  if self.is_done or not self.tell then
    self.writer:finish(self.put)
  elseif not self.failed then
    self.tell(reason_of { message = streams.broken_off })
  end
  return taken(self)
end

return M
