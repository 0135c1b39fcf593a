#!/bin/sh
# simulate_smoke: `moongate simulate` alone, asked by curl: shapes, directives, each fault, records and counters.
# Usage: tests/flow/simulate_smoke.sh [COMMAND…]   COMMAND runs the simulator; default: build/moongate simulate
# Last line: "N passed, N failed". It does not go through the gateway.
set -u
[ $# -gt 0 ] || set -- "$(dirname "$0")/../../build/moongate" simulate
work=$(mktemp -d) passed=0 failed=0 server=

finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT

# start OPTION…: starts the simulator on a free port; sets $server and $url.
start() {
  : >"$work/out"
  "$command_" $command_word --listen 127.0.0.1:0 "$@" >"$work/out" 2>"$work/err" &
  server=$!
  tries=0
  while ! grep -q listening "$work/out"; do
    tries=$((tries + 1))
    [ $tries -lt 600 ] || { echo "the simulator did not start: $(cat "$work/err")"; exit 1; }
    sleep 0.05
  done
  url=http://$(sed 's/.* //' "$work/out")
}

# stop: ends it by SIGTERM; its exit status has to be 0.
stop() {
  kill -TERM "$server"
  wait "$server"
  is "exit status on SIGTERM" 0 $?
  server=
}

is() { # name wanted got
  if [ "$2" = "$3" ]; then passed=$((passed + 1)); else failed=$((failed + 1)) && printf 'FAILED %s\n  wanted %s\n  got    %s\n' "$1" "$2" "$3"; fi
}

has() { # name text: the last answer ($work/answer) holds the text
  if grep -qF -- "$2" "$work/answer"; then passed=$((passed + 1)); else failed=$((failed + 1)) && printf 'FAILED %s: no "%s" in\n%s\n' "$1" "$2" "$(head -c 2000 "$work/answer")"; fi
}

count() { # text: how many lines of the last answer hold it
  grep -cF -- "$1" "$work/answer"
}

message() { # user text
  printf '{"model":"m-1","max_tokens":1000,"messages":[{"role":"user","content":"%s"}]' "$1"
}

# ask PATH BODY [curl option…]: headers and body into $work/answer; sets $exit.
ask() {
  path=$1 body=$2
  shift 2
  curl -sSiN -m 20 -H 'content-type: application/json' -H 'anthropic-version: 2023-06-01' "$@" -d "$body" "$url$path" >"$work/answer" 2>"$work/curl"
  exit=$?
}

openai=/v1/chat/completions anthropic=/v1/messages responses=/v1/responses
command_=$1 command_word=${2:-}

start --record "$work/record" --quiet

ask $openai "$(message 'Hello there')}"
has "openai.chat whole: sentence" '"content": "This is m-1, simulated. You said: Hello there"'
has "openai.chat whole: finish" '"finish_reason": "stop"'
has "openai.chat whole: output tokens are words" '"completion_tokens": 8'
has "openai.chat whole: rate headers" 'x-ratelimit-remaining-requests: '
ask $openai "$(message 'Hello there'),\"stream\":true}"
is "openai.chat stream: events (role, 8 words, finish, [DONE])" 11 "$(count 'data: ')"
is "openai.chat stream: no usage unless asked" 0 "$(count prompt_tokens)"
has "openai.chat stream: type" 'content-type: text/event-stream'
ask $openai "$(message 'Hello there'),\"stream\":true,\"stream_options\":{\"include_usage\":true}}"
is "openai.chat stream: one usage chunk" 1 "$(count '"choices":[],"usage":{')"
is "openai.chat stream: usage null elsewhere" 10 "$(count '"usage":null')"
ask $anthropic "$(message 'Hello there')}"
has "anthropic.messages whole: text" '"content":[{"type":"text","text":"This is m-1, simulated. You said: Hello there"}],"stop_reason":"end_turn"'
has "anthropic.messages whole: request id" 'request-id: req_'
ask $anthropic "$(message 'Hello there'),\"stream\":true}"
for event in message_start content_block_start ping content_block_stop message_delta message_stop; do
  is "anthropic.messages stream: one $event" 1 "$(count "event: $event")"
done
is "anthropic.messages stream: deltas" 8 "$(count 'event: content_block_delta')"

asked='{"model":"m-1","input":'
ask $responses "$asked\"Hello there\"}"
has "openai.responses whole: text" '"text":"This is m-1, simulated. You said: Hello there"}]'
has "openai.responses whole: status" '"status":"completed","background":false'
has "openai.responses whole: output tokens are words" '"output_tokens":8,'
ask $responses "$asked\"Hello [[simulate thinking]]\",\"stream\":true}"
for event in created in_progress reasoning_summary_part.done output_text.done content_part.done completed; do
  is "openai.responses stream: one $event" 1 "$(count "event: response.$event")"
done
is "openai.responses stream: items" 2 "$(count 'event: response.output_item.done')"
has "openai.responses stream: sealed thoughts" '"encrypted_content":"gAAAAAB'
is "openai.responses stream: every event is numbered" "$(count 'data: ')" "$(count '"sequence_number":')"
flat='"tools":[{"type":"function","name":"alpha","parameters":{"type":"object"}},{"type":"web_search"}]'
ask $responses "$asked\"call alpha\",$flat,\"stream\":true}"
has "openai.responses call" '"type":"function_call","status":"completed","arguments":"{}","call_id":"call_'
ask $responses "${asked}[{\"role\":\"user\",\"content\":\"call alpha\"},{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"alpha\",\"arguments\":\"{}\"},{\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":\"rain\"}],$flat}"
has "openai.responses after a result" 'The tools answered. alpha: rain'
ask $responses "$asked\"x\",\"max_output_tokens\":2}"
has "openai.responses cut: reason" '"incomplete_details":{"reason":"max_output_tokens"}'
ask $responses "$asked\"x\"}" -H 'x-simulate: finish=refusal'
has "openai.responses refusal" '{"type":"refusal","refusal":"I'
ask $responses "${asked}[{\"type\":\"reasoning\",\"summary\":[],\"encrypted_content\":\"anthropic:x\"}]}"
has "openai.responses thoughts of another maker" 'The encrypted content could not be verified.'
ask $responses "$asked\"x\",\"stream\":true}" -H 'x-simulate: error_event=middle; chunks=4'
is "openai.responses error: no end" 0 "$(count 'event: response.completed')"
is "openai.responses error: failed" 1 "$(count 'event: response.failed')"
ask $responses '{"model":"m"}'
has "openai.responses input is required" "Missing required parameter: 'input'."

gemini=/v1beta/models/m-1
turn() { # user text
  printf '{"contents":[{"parts":[{"text":"%s"}]}]' "$1"
}
ask $gemini:generateContent "$(turn 'Hello there')}"
has "gemini whole: text" '"parts": [{"text": "This is m-1, simulated. You said: Hello there"}]'
has "gemini whole: usage" '"candidatesTokenCount": 8,'
ask "$gemini:streamGenerateContent?alt=sse" "$(turn 'Hello [[simulate thinking=1]]')}"
is "gemini events: one a word, and the end" 19 "$(count 'data: ')"
is "gemini events: one end" 1 "$(count '"finishReason": "STOP"')"
is "gemini events: what was thought is signed once" 1 "$(count '"thoughtSignature"')"
ask $gemini:streamGenerateContent "$(turn 'call alpha')"',"tools":[{"googleSearch":{}},{"function_declarations":[{"name":"beta"},{"name":"alpha","parameters":{"type":"OBJECT","required":["n"],"properties":{"n":{"type":"INTEGER"}}}}]}]}'
has "gemini array: type" 'content-type: application/json'
has "gemini array: a call comes whole" '[{"candidates": [{"content": {"parts": [{"functionCall": {"name": "alpha","args": {"n":1},"id": "'
is "gemini array: is closed" ']' "$(tail -n 1 "$work/answer")"
ask $gemini:generateContent '{"contents":[{"role":"model","parts":[{"functionCall":{"name":"alpha"}}]},{"role":"user","parts":[{"functionResponse":{"name":"alpha","response":{"output":"rain"}}}]}]}'
has "gemini after a result" 'The tools answered. alpha: rain'
ask $gemini:generateContent "$(turn x)}" -H 'x-simulate: status=429'
has "gemini refused: envelope" '{"error": {"code": 429,"message": "You exceeded'
ask $gemini:streamGenerateContent "$(turn x)}" -H 'x-simulate: error_event=middle; chunks=4'
is "gemini array: an error is its last element" 1 "$(tail -n 1 "$work/answer" | grep -c '^{"error": {"code": 503,.*}}\]$')"
ask $gemini:generateContent '{"contents":[]}'
has "gemini contents are required" 'contents is not specified'

tools='"tools":[{"type":"function","function":{"name":"alpha","parameters":{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"array","items":{"type":"integer"},"minItems":2},"c":{"$ref":"#/$defs/c"}},"required":["a","b","c"],"$defs":{"c":{"enum":["x","y"]}}}}},{"type":"function","function":{"name":"alpha_two","parameters":{}}}]'
ask $openai "$(message 'please call alpha, now'),$tools}"
has "tool call: minimal arguments" '"arguments": "{\"a\":\"simulated\",\"b\":[1,1],\"c\":\"x\"}"'
is "tool call: no other tool" 0 "$(count alpha_two)"
has "tool call: finish" '"finish_reason": "tool_calls"'
ask $openai "$(message 'both [[simulate tools=alpha,alpha_two]]'),$tools,\"stream\":true}"
is "parallel calls: two openings" 2 "$(count '"type":"function"')"
has "parallel calls: second index" '"tool_calls":[{"index":1,"id":"call_'
ask $openai "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"call alpha\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"alpha\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"21 degrees\"}],$tools}"
has "after a result: text" 'The tools answered. alpha: 21 degrees'
ask $anthropic '{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"x [[simulate tools=alpha]]"},{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"alpha","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"rain [[simulate tools=beta]]"}]}],"tools":[{"name":"alpha","input_schema":{"type":"object"}},{"name":"beta","input_schema":{"type":"object"}}]}'
has "a tool result steers: the next call" '"name":"beta"'
is "a tool result steers: not what the user said" 0 "$(count '"name":"alpha"')"
ask $anthropic "$(message x),\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"]}}}}"
has "output_config: JSON of the schema" '{\"city\":\"simulated\"}'
ask $anthropic '{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"call alpha"},{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"alpha","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"rain"}]}],"tools":[{"name":"alpha","input_schema":{"type":"object"}}]}'
has "after a result: anthropic" 'The tools answered. alpha: rain'

ask $openai "$(message 'a b')}" -H 'x-simulate: text="one, two"; finish=length; cached_tokens=3'
has "header: text" '"content": "one, two"'
has "header: finish" '"finish_reason": "length"'
has "header: cached" '"cached_tokens": 3'
ask $anthropic "$(message 'a b [[simulate thinking echo]]')}"
has "text directive: thinking" '"type":"thinking"'
has "text directive: echo" 'a b [[simulate thinking echo]]'
ask "/s/finish=refusal/v1/chat/completions" "$(message 'a b')}"
has "path: refusal" '"refusal": "I'
ask $openai "$(message x)}" -H 'x-simulate: statsu=3'
has "unknown key: did you mean" 'did you mean \"status\"?'
ask $openai "$(message 'a [[simulate chunks=60 answer_bytes=6000]]'),\"stream\":true}"
is "60 chunks" 63 "$(count 'data: ')"
ask $openai "$(message 'a'),\"stream\":true}" -H 'x-simulate: no_usage; chunks=4; chunk_ms=1; ttft_ms=5; ping_ms=1'
is "paced stream is whole" 7 "$(count 'data: ')"
has "pings while waiting" ': ping'
ask $openai "$(message 'a'),\"stream\":true}" -m 2 -H 'x-simulate: tail=1; tail_ms=20000'
is "tail=1: the client times out" 28 $exit
is "tail=1: its first content is what comes late" 1 "$(count 'HTTP/1.1 200')"
ask $openai "$(message 'a')}" -m 2 -H 'x-simulate: tail=1; tail_ms=20000'
is "tail=1: nothing of a whole answer came" 0 "$(count 'HTTP/1.1 200')"
ask $openai "$(message 'a')}" -H 'x-simulate: tail=0; tail_ms=20000'
has "tail=0: nobody waits" 'HTTP/1.1 200'

ask "/s/status=429,retry_after=2/v1/chat/completions" "$(message x)}"
has "429" 'HTTP/1.1 429'
has "429: retry-after" 'retry-after: 2'
has "429: code" '"code": "rate_limit_exceeded"'
ask $openai "$(message x)}" -H 'x-simulate: status=429; type=insufficient_quota'
has "quota" '"code": "insufficient_quota"'
ask $anthropic "$(message x)}" -H 'x-simulate: status=529'
has "529" '"error":{"type":"overloaded_error","message":"Overloaded"}'
ask $openai "$(message x)}" -H 'x-simulate: status=500; quote_key' -H 'authorization: Bearer sk-canary-1234'
has "a quoted key" 'sk-canary-1234'
ask $openai '{"model":"m","messages":[}'
has "broken JSON" 'We could not parse the JSON body'
ask $anthropic '{"model":"m","messages":[]}'
has "max_tokens is required" 'max_tokens: Field required'
ask /v1/nowhere "$(message x)}"
has "unknown path" 'HTTP/1.1 404'

for moment in head first_event middle end; do
  ask $openai "$(message x),\"stream\":true}" -m 2 -H "x-simulate: stall=$moment; chunks=4"
  is "stall at $moment: the client times out" 28 $exit
  case $moment in head) want=0 ;; first_event) want=0 ;; middle) want=3 ;; end) want=5 ;; esac
  is "stall at $moment: events before" $want "$(count 'data: ')"
  ask $anthropic "$(message x),\"stream\":true}" -H "x-simulate: close=$moment; chunks=4"
  case $moment in head) want=52 ;; *) want=18 ;; esac
  is "close at $moment" $want $exit
  ask $openai "$(message x)}" -H "x-simulate: reset=$moment"
  is "reset at $moment" 56 $exit
done
ask $openai "$(message x),\"stream\":true}" -H 'x-simulate: error_event=first'
is "error event first: nothing else" 1 "$(count 'data: ')"
has "error event first" 'data: {"error":{"message": '
ask $anthropic "$(message x),\"stream\":true}" -H 'x-simulate: error_event=middle; chunks=4'
has "error event in the middle" 'event: error'
is "error event in the middle: two deltas before" 2 "$(count 'event: content_block_delta')"
is "error event in the middle: no end" 0 "$(count message_stop)"
for bytes in 0 1 300; do
  ask $openai "$(message x)}" -H "x-simulate: cut_at=$bytes"
  is "whole answer cut at $bytes" 18 $exit
  ask $openai "$(message x),\"stream\":true}" -H "x-simulate: cut_at=$bytes"
  is "stream cut at $bytes" 18 $exit
  is "stream cut at $bytes: so many bytes" $bytes "$(sed '1,/^\r$/d' "$work/answer" | wc -c)"
done
ask $openai "$(message x)}" -H 'x-simulate: malformed=json'
is "malformed json: the last brace is gone" '  "system_fingerprint": "fp_51db84afab"' "$(tail -n 2 "$work/answer" | head -n 1)"
ask $openai "$(message x),\"stream\":true}" -H 'x-simulate: malformed=sse; chunks=4'
is "malformed sse: one event without its field" 6 "$(count 'data: ')"
ask $openai "$(message x),\"stream\":true}" -H 'x-simulate: malformed=content_type'
has "malformed content type" 'content-type: text/html'
for n in 1 2 3; do
  ask /s/fail_first=2,status=503/v1/chat/completions "$(message x)}"
  case $n in 3) want='HTTP/1.1 200' ;; *) want='HTTP/1.1 503' ;; esac
  has "fail_first=2, request $n" "$want"
done

ask $openai "$(message x)}" -H 'x-simulate: status=429; retry_after=7; retry_form=ms'
has "retry_form=ms" 'retry-after-ms: 7000'
ask $openai "$(message x)}" -H 'x-simulate: status=429; retry_after=7; retry_form=date'
is "retry_form=date" 1 "$(grep -cE '^retry-after: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} 20[0-9]{2} [0-9:]{8} GMT' "$work/answer")"
ask $openai "$(message x)}" -H 'x-simulate: header="x-made-up: 1"; header_bytes=640'
has "header" 'x-made-up: 1'
is "header_bytes" 10 "$(count 'x-filler: ')"
ask $openai "$(message x)}" -H 'x-simulate: text="drips and drips"; drip_ms=1; drip_bytes=50'
has "drip_ms, whole" '"content": "drips and drips"'
ask $openai "$(message x),\"stream\":true}" -H 'x-simulate: drip_ms=1; drip_bytes=200'
has "drip_ms, streamed" 'data: [DONE]'
ask $openai "$(message x),\"stream\":true}" -H 'x-simulate: corrupt_at=0'
is "corrupt_at" 1 "$(count 'eata: ')"
is "gzip_bytes" 1234567 "$(curl -sS --compressed -H 'x-simulate: gzip_bytes=1234567' -d "$(message x)}" "$url$openai" | wc -c)"

curl -sS "$url/v1/models" >"$work/answer"
has "models, openai" '"object": "list"'
curl -sS -H 'anthropic-version: 2023-06-01' "$url/v1/models" >"$work/answer"
has "models, anthropic" '"has_more":false'

curl -sS -X POST "$url/simulate/reset" >/dev/null
ask $openai "$(message 'secret word')}" -H 'x-tag: t1'
ask $openai "$(message y),\"stream\":true}" -m 2 -H 'x-simulate: stall=middle; chunks=4'
tries=0
while curl -sS "$url/simulate/stats" >"$work/answer" && ! grep -q '"open":0' "$work/answer" && [ $tries -lt 200 ]; do
  tries=$((tries + 1))
  sleep 0.05
done
has "stats" '"requests":2,"open":0,"finished":1,"client_gone":1'
has "stats: billed is what was streamed" '"billed_output_tokens":10'
curl -sS "$url/simulate/requests?n=2" >"$work/answer"
has "requests: headers in order" '["x-tag","t1"]'
has "requests: body" 'secret word'
has "requests: end" '"end":"client_gone"'
curl -sS -d '{"status": 503, "latency_ms": 1}' "$url/simulate/config" >/dev/null
ask $openai "$(message x)}"
has "config" 'HTTP/1.1 503'
curl -sS -X POST "$url/simulate/reset" >/dev/null
ask $openai "$(message x)}"
has "reset" 'HTTP/1.1 200'
stop
is "record: a line for each request" "$(grep -c '"seq":' "$work/record")" "$(wc -l <"$work/record")"
grep -qF '"t1"' "$work/record"
is "record: holds what was sent" 0 $?

start --key sk-right-key-000000001 --fail 0.5 --seed 7 --workers 2 --quiet
ask $openai "$(message x)}" -H 'authorization: Bearer sk-wrong-key-123456789'
has "wrong key: masked" 'Incorrect API key provided: sk-wrong**********6789.'
has "wrong key: status" 'HTTP/1.1 401'
ask $openai "$(message x)}"
has "no key" "You didn't provide an API key"
ask $anthropic "$(message x)}" -H 'x-api-key: nope'
has "wrong key, anthropic" '"type":"authentication_error","message":"invalid x-api-key"'
good=0 n=0
while [ $n -lt 40 ]; do
  ask $openai "$(message x)}" -H 'authorization: Bearer sk-right-key-000000001'
  if grep -q 'HTTP/1.1 200' "$work/answer"; then good=$((good + 1)); fi
  n=$((n + 1))
done
is "fail=0.5: between 4 and 36 of 40 succeed" yes "$([ $good -ge 4 ] && [ $good -le 36 ] && echo yes || echo $good)"
stop

cat >"$work/scenario.lua" <<'SCENARIO'
return { seconds = 60, phases = {
  { from = 0, provider = "a", fault = { status = 503 } },
  { from = 0, provider = "all", fault = { header = "x-all: 1" } },
  { from = 0, fault = { header = "x-struck: 1" } },
  { from = 50, provider = "all", fault = { status = 500 } },
} }
SCENARIO
start --scenario "$work/scenario.lua" --strike b --quiet
ask /s/provider=a$openai "$(message x)}"
has "scenario: strikes by name" 'HTTP/1.1 503'
has "scenario: strikes all" 'x-all: 1'
ask /s/provider=b$openai "$(message x)}"
has "scenario: strikes whom --strike names" 'x-struck: 1'
ask /s/provider=c$openai "$(message x)}"
has "scenario: spares others" 'HTTP/1.1 200'
has "scenario: but not where all are struck" 'x-all: 1'
stop

wrong() { # scenario message
  printf '%s' "$1" >"$work/wrong.lua"
  "$command_" $command_word --scenario "$work/wrong.lua" 2>"$work/answer"
  is "wrong scenario: status" 69 $?
  has "wrong scenario" "$2"
}
wrong 'return { phases = {
  { from = 1, too = 2, fault = { status = 503 } } } }' 'wrong.lua:2: unknown key "too" in a phase; did you mean "to"?'
wrong 'return { phases = { { from = 1, to = 2,
  fault = { statuss = 503 } } } }' 'wrong.lua:2: unknown key "statuss" for the simulator; did you mean "status"?'
wrong 'return { phases = { { from = 2, to = 1, fault = { status = 503 } } } }' '`to` must be later than `from`'
wrong 'return { phases = { { share = 2, fault = { status = 503 } } } }' 'share must be a share from 0 to 1'
wrong 'return { }' 'a scenario needs `phases`'

"$command_" $command_word --lisen x 2>"$work/answer"
is "wrong option: status" 64 $?
has "wrong option: did you mean" 'did you mean --listen?'

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
