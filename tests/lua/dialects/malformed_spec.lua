-- Bodies with a value of the wrong kind somewhere, every place and every kind: each is carried or refused with a field
-- and a message, and never ends in a script error.

local exchange = dofile("tests/lua/dialects/exchange.lua")
local strange = dofile("tests/lua/dialects/strange.lua")
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

local responses = [[{"model":"m","stream":true,"instructions":"i","max_output_tokens":100,"temperature":0.5,"top_p":1,
"user":"u","service_tier":"auto","store":false,"truncation":"auto","parallel_tool_calls":false,"top_logprobs":2,
"include":["reasoning.encrypted_content","message.output_text.logprobs"],"metadata":{"a":"b"},"background":false,
"reasoning":{"effort":"low","summary":"auto"},"previous_response_id":null,
"text":{"verbosity":"low","format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true}},
"tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":true},
{"type":"custom","name":"c","description":"d","format":{"type":"text"}},{"type":"web_search"}],
"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]},
"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"a"},
{"type":"input_image","image_url":"https://e.test/a.png","detail":"low"},
{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,AA"},
{"type":"input_file","file_url":"https://e.test/a.pdf"},
{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}]},
{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"s"}],"encrypted_content":"anthropic:S",
"content":[{"type":"reasoning_text","text":"t"}]},
{"type":"message","id":"msg_1","role":"assistant","phase":"commentary","content":[{"type":"output_text","text":"b",
"annotations":[{"type":"url_citation","url":"https://e.test","title":"t","start_index":0,"end_index":1}]},
{"type":"refusal","refusal":"no"}]},
{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
{"type":"custom_tool_call","call_id":"c2","name":"c","input":"x"},
{"type":"web_search_call","id":"ws_1","status":"completed"},
{"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"ok"}]},
{"type":"custom_tool_call_output","call_id":"c2","output":"ok"}]}]]

describe("malformed bodies", function()
  it("of Chat", function()
    assert.is_true(strange.check(exchange.to_anthropic, chat) > 1000)
  end)

  it("of Anthropic", function()
    assert.is_true(strange.check(exchange.to_chat, anthropic) > 800)
  end)

  it("of Responses", function()
    local dialect = load.file("adapters/dialects/openai_responses.lua")
    for _, provider in ipairs { load.chat, load.messages } do
      assert.is_true(strange.check(function(body)
        load.request(dialect, provider, nil, { model = "m", provider = "p", quirks = {} }, {}, nil, json.encode(body))
      end, responses) > 1000)
    end
  end)
end)
