-- Usage that the gateway asks for, because it keeps account, and its client did not: nothing of it reaches the client.
local answers = require "answers"
local flow = require "flow"
local http = require "http"

-- A stream as OpenAI sends it when usage is asked for: each chunk has the field, the last one its value.
local function with_usage(events)
  local list = {}
  for i, event in ipairs(events) do
    local holds = event:find("[DONE]", 1, true) or event:find('"usage"', 1, true)
    list[i] = holds and event or event:gsub("}\n\n$", ',"usage":null,"obfuscation":"xY2"}\n\n')
  end
  return list
end

for _, piece in ipairs { 1000000, 7, 1 } do
  flow.case("usage that only the gateway asked for is taken out of a stream, written by " .. piece, function(t)
    local texts = { "one", ' ,\\"usage\\":null ', ("long "):rep(100) }
    local plain = answers.stream["openai.chat"](texts)
    local sent = table.concat(with_usage(plain))
    local gate, up = t:simple { script = function(x)
      x:start_stream()
      for at = 1, #sent, piece do x:chunk(sent:sub(at, at + piece - 1)) end
      x:end_stream()
    end }
    local conn = t:client(gate)
    conn:send(t:chat_text("r", { stream = true }))
    local answer = t:check(http.read_head(conn), "answer")
    local wanted = {}
    for _, event in ipairs(plain) do
      local holds = event:find("[DONE]", 1, true)
      if not event:find('"choices":[],', 1, true) then
        wanted[#wanted + 1] = holds and event or event:gsub("}\n\n$", ',"obfuscation":"xY2"}\n\n')
      end
    end
    t:equal(answer:read_body(), table.concat(wanted), "stream")
    t:match(up.requests[1].body, '"include_usage":true', "body to the provider")
    -- Who asks for it gets all of it.
    conn = t:client(gate)
    conn:send(t:chat_text("r", { stream = true, fields = { stream_options = { include_usage = true } } }))
    t:equal(t:check(http.read_head(conn), "answer"):read_body(), sent, "stream with usage")
  end)
end
