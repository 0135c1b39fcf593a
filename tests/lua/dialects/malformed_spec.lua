-- Bodies with a value of the wrong kind somewhere, every place and every kind: each is carried or refused with a field
-- and a message, and never ends in a script error.

local exchange = dofile("tests/lua/dialects/exchange.lua")
local load = exchange.load
local json = load.gw.json

local chat = [[{"model":"m","stream":true,"max_tokens":100,"temperature":0.5,"stop":["x"],"user":"u","n":1,"seed":3,
"stream_options":{"include_usage":true},"reasoning_effort":"low","reasoning":{"effort":"low"},"logprobs":true,
"top_logprobs":2,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},
"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}}],
"tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,"functions":[{"name":"g"}],
"thinking":{"type":"enabled","budget_tokens":2000},"metadata":{"a":"b"},
"messages":[{"role":"system","content":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}]},
{"role":"user","name":"bob","content":[{"type":"text","text":"a"},{"type":"image_url",
"image_url":{"url":"https://e.test/a.png","detail":"low"}},
{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AA"}}]},
{"role":"assistant","content":"t","reasoning_content":"r",
"thinking_blocks":[{"type":"thinking","thinking":"h","signature":"S"}],
"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}],"annotations":[],
"function_call":{"name":"g","arguments":"{}"},
"reasoning_details":[{"type":"reasoning.text","text":"x","signature":"s","format":"f"}]},
{"role":"tool","tool_call_id":"c1","content":"ok"}]}]]

local anthropic = [[{"model":"m","stream":true,"max_tokens":5000,"temperature":0.5,"top_k":3,"stop_sequences":["x"],
"metadata":{"user_id":"u"},"thinking":{"type":"enabled","budget_tokens":2000},
"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}},
"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],
"tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"strict":true},
{"type":"web_search_20250305","name":"web_search"}],
"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},
"messages":[{"role":"user","content":[{"type":"text","text":"a"},
{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}},
{"type":"document","title":"t","context":"c","citations":{"enabled":true},
"source":{"type":"content","content":[{"type":"text","text":"d"}]}}]},
{"role":"assistant","content":[{"type":"thinking","thinking":"h","signature":"S"},
{"type":"redacted_thinking","data":"D"},
{"type":"text","text":"b","citations":[{"type":"char_location","cited_text":"c"}]},
{"type":"tool_use","id":"t1","name":"f","input":{"x":1}},{"type":"server_tool_use","id":"s","name":"w","input":{}}]},
{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1",
"is_error":true,"content":[{"type":"text","text":"ok"}]}]}]}]]

local strange = { 3, 0.5, true, false, "", "x", json.null, json.array({}), {}, json.array({ 1 }), { a = 1 },
  json.array({ json.array({}) }), json.array({ {} }), json.array({ "x" }), json.array({ json.null }) }

-- Every place of a value, as { table, key }, always in the same order.
local function places(v, found)
  local keys = {}
  for key in pairs(v) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    found[#found + 1] = { v, key }
    if type(v[key]) == "table" and v[key] ~= json.null then places(v[key], found) end
  end
  return found
end

-- Puts each strange value at each place; returns how many bodies were tried. Raises a list of what was no refusal.
local function check(send, text)
  local count, faults, seen = #places(json.decode(text), {}), {}, {}
  for place = 1, count do
    for _, strange_value in ipairs(strange) do
      local body = json.decode(text)
      local spot = places(body, {})[place]
      spot[1][spot[2]] = strange_value
      local ok, err = pcall(send, body)
      local is_refusal = type(err) == "table" and type(err.field) == "string" and type(err.message) == "string"
      if not ok and not is_refusal and not seen[tostring(err)] then
        seen[tostring(err)] = true
        faults[#faults + 1] = tostring(err) .. " for " .. spot[2] .. " = " .. json.encode(strange_value)
      end
    end
  end
  if #faults > 0 then error("\n" .. table.concat(faults, "\n"), 0) end
  return count * #strange
end

describe("malformed bodies", function()
  it("of Chat", function()
    assert.is_true(check(exchange.to_anthropic, chat) > 1000)
  end)

  it("of Anthropic", function()
    assert.is_true(check(exchange.to_chat, anthropic) > 800)
  end)
end)
