-- The one description of the script API. Drives the checks at run time (where may a function be called), the
-- reference manual, and the test matrix of hooks and functions. A C function that is not described here cannot be
-- registered.
-- A released signature never changes; `since` says in which API version something came.
local M = { version = 1 }

-- cpu_ms: Lua that computes longer without waiting is stopped. wait_ms: how long a hook may wait in all; 0: not at all.
M.hooks = {
  { name = "load", files = "all", cpu_ms = 200, wait_ms = 0, doc = "the body of a file, run once per VM and load" },
  { name = "setup", files = "all", cpu_ms = 200, wait_ms = 0, doc = "once per VM and load; does every lookup" },
  { name = "route", files = "policy", cpu_ms = 20, wait_ms = 100, doc = "once per request: gives targets in order" },
  { name = "retry", files = "policy", cpu_ms = 20, wait_ms = 100, doc = "after a failed attempt" },
  { name = "request", files = "adapter", cpu_ms = 20, wait_ms = 0, doc = "per attempt, before it is sent; a "
    .. "body that is translated has 8 ms a MB more" },
  { name = "response", files = "adapter", cpu_ms = 20, wait_ms = 0, doc = "whole answers; 8 ms a MB "
    .. "more where they are translated" },
  { name = "event", files = "adapter", cpu_ms = 20, wait_ms = 0, doc = "stream events that need translation" },
}

local setup_only = { "setup" }
local choosing = { "route", "retry" }
local with_request = { "route", "retry", "request", "response", "event" }
local lookup = "Look targets up in `setup` and keep them in self"
local no_wait = "Do it in `route` or `retry`, which may wait"

-- name, since, hooks ("all" or a list), may_wait, args {{name, type, doc}…}, returns, doc, way_out (what to do instead)
M.functions = {
  { name = "print", since = 1, hooks = "all", args = { { "...", "any", "parts of the line" } }, returns = "",
    doc = "The same as gw.log.info." },
  { name = "gw.log.info", since = 1, hooks = "all", args = { { "...", "any", "parts of the line" } }, returns = "",
    doc = "Writes a line to the log with the script's file and line. 2 KB at most; 10 lines a second." },
  { name = "gw.log.warn", since = 1, hooks = "all", args = { { "...", "any", "parts of the line" } }, returns = "",
    doc = "As gw.log.info, as a warning." },
  { name = "gw.log.error", since = 1, hooks = "all", args = { { "...", "any", "parts of the line" } }, returns = "",
    doc = "As gw.log.info, as an error." },
  { name = "gw.now_ms", since = 1, hooks = "all", args = {}, returns = "integer",
    doc = "The time in milliseconds since 1970." },
  { name = "gw.random", since = 1, hooks = "all", args = {}, returns = "number",
    doc = "A random number from 0 up to, but not including, 1." },
  { name = "gw.id", since = 1, hooks = "all", args = { { "prefix", "string", "at most 16 bytes; default none" } },
    returns = "string", doc = "The prefix and 24 random characters of 0-9 and a-z." },
  { name = "gw.hash", since = 1, hooks = "all",
    args = { { "text", "string", "" }, { "n", "integer", "how many characters, 1 to 64; default 16" } },
    returns = "string", doc = "The first n hexadecimal characters of the text's SHA-256." },
  { name = "gw.aws_event", since = 1, hooks = "all",
    args = { { "name", "string", "event type; one that ends in Exception makes an exception" },
      { "text", "string", "JSON" } }, returns = "string",
    doc = "One message of an AWS event stream: what a stream of Bedrock's Converse is made of." },
  { name = "gw.count", since = 1, hooks = "all",
    args = { { "name", "string", "a-z, 0-9, _" }, { "n", "integer", "default 1" } }, returns = "",
    doc = "Adds to a counter that /metrics shows." },

  { name = "gw.json.decode", since = 1, hooks = "all",
    args = { { "text", "string", "JSON" }, { "options", "table", "{ raw = { key = true, … } }" } },
    returns = "value | nil, message",
    doc = "Reads a document into tables. Arrays carry a mark (see gw.json.is_array), null is gw.json.null. Arrays and "
      .. "objects under the keys named in `raw`, at any depth, stay raw JSON." },
  { name = "gw.json.encode", since = 1, hooks = "all", args = { { "value", "any", "" } }, returns = "string",
    doc = "Writes JSON; keys in byte order. Raw JSON is copied as it is. An empty plain table is {}." },
  { name = "gw.json.array", since = 1, hooks = "all", args = { { "list", "table", "default a new one" } },
    returns = "table", doc = "Marks a table as an array, so that it is written as [] when empty." },
  { name = "gw.json.is_array", since = 1, hooks = "all", args = { { "value", "any", "" } }, returns = "boolean",
    doc = "Is it a table with the mark of arrays or with a first element?" },
  { name = "gw.json.raw", since = 1, hooks = "all", args = { { "text", "string", "JSON" } }, returns = "raw",
    doc = "A value that is written as these very bytes. An error when they are not JSON." },
  { name = "gw.json.text", since = 1, hooks = "all", args = { { "value", "any", "" } }, returns = "string",
    doc = "The bytes of raw JSON; the JSON of any other value." },
  { name = "gw.json.is_raw", since = 1, hooks = "all", args = { { "value", "any", "" } }, returns = "boolean",
    doc = "Is it raw JSON?" },
  { name = "gw.json.valid", since = 1, hooks = "all", args = { { "text", "string", "" } }, returns = "boolean",
    doc = "Is the text JSON?" },

  { name = "gw.floats.to_base64", since = 1, hooks = "all", args = { { "numbers", "raw | list", "" } },
    returns = "string", doc = "Base64 of the numbers as little-endian 32-bit floats, as embeddings travel." },
  { name = "gw.floats.from_base64", since = 1, hooks = "all", args = { { "text", "string", "" } },
    returns = "raw | nil",
    doc = "The way back, as raw JSON; nil when the text is not base64 of whole floats. Each number reads back as the "
      .. "very float." },

  { name = "gw.pool", since = 1, hooks = setup_only, args = { { "name", "string", "a pool of the config" } },
    returns = "list of target", doc = "The pool's targets in order.", way_out = lookup },
  { name = "gw.target", since = 1, hooks = setup_only, args = { { "name", "string", "provider/model" } },
    returns = "target", doc = "One target.", way_out = lookup },
  { name = "gw.targets", since = 1, hooks = setup_only, args = {}, returns = "list of target",
    doc = "The route's own targets in the order of the config.", way_out = lookup },
  { name = "gw.sleep", since = 1, hooks = choosing, may_wait = true, args = { { "ms", "number", "" } }, returns = "",
    doc = "Waits. The worker serves other requests meanwhile.", way_out = no_wait },
  { name = "gw.fetch", since = 1, hooks = choosing, may_wait = true,
    args = {
      { "upstream", "string", "a name from `upstreams` in the config" },
      { "request", "table", "{ method=, path=, headers=, body=, timeout_ms= }" },
    },
    returns = "{ status=, headers=, body= } | nil, message",
    doc = "One HTTP call to a named upstream. Its key is added outside Lua.", way_out = no_wait },
  { name = "gw.refuse", since = 1, hooks = choosing,
    args = {
      { "status", "integer", "HTTP status, 400 to 599" }, { "reason", "string", "told to the client" },
      { "code", "string", "a stable code for programs; default \"refused\"" },
    },
    returns = "refusal", doc = "To be returned by the hook: the request is answered with this error.",
    way_out = "Only a hook that decides can refuse; in `request`, `response` and `event` raise an error" },

  { name = "req:header", since = 1, hooks = with_request, args = { { "name", "string", "in any case" } },
    returns = "string | nil", doc = "A header of the client. Credentials are never shown.",
    way_out = "There is no request yet" },
  { name = "req:timeout", since = 1, hooks = choosing,
    args = { { "name", "string", "a clock of `timeouts` in the config: \"first_token\"" },
      { "target", "target", "default: the route's first" } },
    returns = "integer | nil",
    doc = "What the clock is set to for an attempt at the target in this route, in ms (min_tokens_per_s as it is); "
      .. "nil: there is no such clock.",
    way_out = "The clocks of an attempt are set when it begins" },
  { name = "req:body", since = 1, hooks = with_request, args = {}, returns = "table",
    doc = "The client's body, decoded. Costs a decode of the whole body: prefer the fields of req.",
    way_out = "There is no request yet" },
}

-- What hooks are given. Read-only; req and attempt are dead after the request, targets live as long as the scripts.
M.objects = {
  { name = "req", hooks = with_request, doc = "the request" },
  { name = "target", hooks = "all", doc = "a provider's model" },
  { name = "capabilities", hooks = "all", doc = "what a model can do; a target's" },
  { name = "attempt", hooks = choosing, doc = "the attempt that failed; given to retry" },
}

-- object, name, type ("x | nil" where it may be absent), since, doc
M.fields = {
  { object = "req", name = "id", type = "string", since = 1, doc = "the request's id, as in x-request-id" },
  { object = "req", name = "route", type = "string", since = 1, doc = "the route's name" },
  { object = "req", name = "model", type = "string", since = 1, doc = "`model` as the client sent it" },
  { object = "req", name = "stream", type = "boolean", since = 1, doc = "the client asked for a stream" },
  { object = "req", name = "dialect", type = "string", since = 1, doc = "the client's dialect" },
  { object = "req", name = "endpoint", type = "string", since = 1, doc = "what is asked for: \"chat\", …" },
  { object = "req", name = "team", type = "string | nil", since = 1, doc = "who pays" },
  { object = "req", name = "key_name", type = "string | nil", since = 1, doc = "the virtual key's name" },
  { object = "req", name = "prompt_tokens", type = "integer", since = 1, doc = "an estimate from the body's size" },
  { object = "req", name = "body_bytes", type = "integer", since = 1, doc = "size of the body" },
  { object = "req", name = "max_tokens", type = "integer | nil", since = 1, doc = "the longest answer asked for" },
  { object = "req", name = "tool_count", type = "integer", since = 1, doc = "tools offered" },
  { object = "req", name = "message_count", type = "integer", since = 1, doc = "messages in the conversation" },
  { object = "req", name = "elapsed_ms", type = "number", since = 1, doc = "since the request's head was read" },
  { object = "req", name = "attempt_count", type = "integer", since = 1, doc = "attempts begun" },
  { object = "target", name = "name", type = "string", since = 1, doc = "provider/model" },
  { object = "target", name = "provider", type = "string", since = 1, doc = "the provider's name in the config" },
  { object = "target", name = "model", type = "string", since = 1, doc = "the provider's name of the model" },
  { object = "target", name = "dialect", type = "string", since = 1, doc = "what the provider speaks" },
  { object = "target", name = "weight", type = "number", since = 1, doc = "its share, from the config; 1 by default" },
  { object = "target", name = "in_flight", type = "integer", since = 1, doc = "attempts running now, in all workers" },
  { object = "target", name = "latency_ms", type = "number | nil", since = 1, doc = "recent average; nil: none yet" },
  { object = "target", name = "ttft_ms", type = "number | nil", since = 1, doc = "recent time to the first token" },
  { object = "target", name = "wait_ms", type = "number | nil", since = 1,
    doc = "recent time to the first content, quick to rise; fades over some 10 s while nobody asks; nil: none yet" },
  { object = "target", name = "error_rate", type = "number", since = 1, doc = "recent, 0 to 1" },
  { object = "target", name = "healthy", type = "boolean", since = 1,
    doc = "false while it is ejected, its provider's keys are all benched, or the active checks fail" },
  { object = "target", name = "ejected_for_ms", type = "integer", since = 1,
    doc = "how long it is still left out; 0 when it is not, while one request probes it, when a check must end it" },
  { object = "target", name = "availability", type = "number | nil", since = 1,
    doc = "share of the provider's attempts that succeeded in the last 5 minutes; nil: there were none" },
  { object = "target", name = "input_usd_per_mtok", type = "number | nil", since = 1, doc = "nil: price not known" },
  { object = "target", name = "output_usd_per_mtok", type = "number | nil", since = 1, doc = "nil: price not known" },
  { object = "target", name = "context_tokens", type = "integer | nil", since = 1,
    doc = "the longest prompt it takes, by the catalogue; nil: not known" },
  { object = "target", name = "max_output_tokens", type = "integer | nil", since = 1,
    doc = "the longest answer it gives, by the catalogue; nil: not known" },
  { object = "target", name = "capabilities", type = "capabilities | nil", since = 1,
    doc = "what its model can do, by the catalogue; nil: not known" },
  { object = "capabilities", name = "tools", type = "boolean", since = 1, doc = "call functions" },
  { object = "capabilities", name = "parallel_tools", type = "boolean", since = 1, doc = "several in one turn" },
  { object = "capabilities", name = "images", type = "boolean", since = 1, doc = "read images" },
  { object = "capabilities", name = "pdf", type = "boolean", since = 1, doc = "read PDF documents" },
  { object = "capabilities", name = "audio", type = "boolean", since = 1, doc = "listen" },
  { object = "capabilities", name = "audio_output", type = "boolean", since = 1, doc = "speak" },
  { object = "capabilities", name = "video", type = "boolean", since = 1, doc = "watch" },
  { object = "capabilities", name = "thinking", type = "boolean", since = 1, doc = "think before it answers" },
  { object = "capabilities", name = "json_schema", type = "boolean", since = 1, doc = "answer as a schema says" },
  { object = "capabilities", name = "prefill", type = "boolean", since = 1, doc = "go on from words it is given" },
  { object = "attempt", name = "target", type = "target", since = 1, doc = "what was tried" },
  { object = "attempt", name = "number", type = "integer", since = 1, doc = "1 for the first" },
  { object = "attempt", name = "status", type = "integer | nil", since = 1, doc = "HTTP status, if one came" },
  { object = "attempt", name = "class", type = "string", since = 1, doc = "a failure class, as in traces" },
  { object = "attempt", name = "message", type = "string", since = 1, doc = "the provider's words" },
  { object = "attempt", name = "elapsed_ms", type = "number", since = 1, doc = "how long it took" },
  { object = "attempt", name = "retry_after_ms", type = "number | nil", since = 1, doc = "as the provider asked" },
  { object = "attempt", name = "waited_ms", type = "integer", since = 1,
    doc = "how long the gateway waited before it, after the failure of the one before" },
  { object = "attempt", name = "attempts_left", type = "integer", since = 1,
    doc = "how many attempts the request may still have" },
}

return M
