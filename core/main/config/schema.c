/* schema: the table and the check. Any thread. */
#include "main/config/schema.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/suggest.h"

enum schema_type {
  ONE_TABLE, /* a table with the keys of the rows below it */
  NAMED,     /* a table from names to whatever the row "path.*" says */
  LIST,      /* a list of whatever the row "path[]" says */
  TEXT,
  SECRET,
  INTEGER,
  SHARE, /* 0 to 1 */
  BOOLEAN,
  DURATION,
  BYTES,
  URL,
  TARGET,
  CHOICE,
  CHOICE_OR_TABLE, /* one of the words, or a table with the keys of the rows below it */
  FREE
};

struct row {
  const char *path;
  enum schema_type type;
  const char *fallback; /* as written in the file; NULL: none */
  const char *doc;
  const char *example; /* a value as written in the file */
};

static const struct row rows[] = {
    {"", ONE_TABLE, NULL, "The file returns this table. Paths in it are relative to the file's own folder.",
     "return { listen = \"127.0.0.1:8080\" }"},
    {"listen", TEXT, "127.0.0.1:8080",
     "Address and port for clients. Beyond loopback it needs `keys`. Change needs a restart.", "\"0.0.0.0:8080\""},
    {"open_access", BOOLEAN, "false",
     "Serve beyond loopback without `keys`: anybody who reaches the port spends your money.", "true"},
    {"workers", INTEGER, "0", "Worker threads; 0: one a core. Change needs a restart.", "2"},
    {"tls", ONE_TABLE, NULL, "Serve HTTPS. A reload reads the files again without dropping connections.",
     "{ cert = \"chain.pem\", key = \"key.pem\" }"},
    {"tls.cert", TEXT, NULL, "PEM file with the certificate chain, leaf first.", "\"/etc/moongate/chain.pem\""},
    {"tls.key", TEXT, NULL, "PEM file with its private key.", "\"/etc/moongate/key.pem\""},
    {"admin", ONE_TABLE, NULL, "The operator's port: health, metrics, status, reload.",
     "{ listen = \"127.0.0.1:8081\" }"},
    {"admin.listen", TEXT, "127.0.0.1:8081",
     "Address and port. Beyond loopback it needs `admin.token`. Change needs a restart.", "\"127.0.0.1:8081\""},
    {"admin.token", SECRET, NULL, "Bearer token for everything but /livez and /readyz.",
     "env \"MOONGATE_ADMIN_TOKEN\""},
    {"drain", DURATION, "300s", "How long SIGTERM lets running requests finish.", "\"30s\""},
    {"drain_delay", DURATION, "0s",
     "How long SIGTERM goes on accepting while /readyz already says no, for a load balancer to notice.", "\"5s\""},
    {"providers", NAMED, NULL, "Accounts with somebody who serves models, by a name of your choice.",
     "{ openai = { keys = { env \"OPENAI_API_KEY\" } } }"},
    {"providers.*", ONE_TABLE, NULL, "One account.", "{ adapter = \"openai\", keys = { env \"OPENAI_API_KEY\" } }"},
    {"providers.*.adapter", TEXT, NULL,
     "The file under adapters/ that knows this provider, or a path; default: the provider's name.",
     "\"openai-compatible\""},
    {"providers.*.base_url", URL, NULL, "Where the API lives, up to and with its version; default: the adapter's.",
     "\"https://api.openai.com/v1\""},
    {"providers.*.keys", LIST, NULL, "Its API keys; several take turns.", "{ env \"OPENAI_API_KEY\" }"},
    {"providers.*.keys[]", SECRET, NULL, "A key, by reference.", "env \"OPENAI_API_KEY\""},
    {"providers.*.aws", ONE_TABLE, NULL, "An AWS access key, in place of `keys`, for adapters that sign (aws-sigv4).",
     "{ access_key = env \"AWS_ACCESS_KEY_ID\", secret_key = env \"AWS_SECRET_ACCESS_KEY\" }"},
    {"providers.*.aws.access_key", SECRET, NULL, "Its id.", "env \"AWS_ACCESS_KEY_ID\""},
    {"providers.*.aws.secret_key", SECRET, NULL, "The secret access key.", "env \"AWS_SECRET_ACCESS_KEY\""},
    {"providers.*.aws.session_token", SECRET, NULL, "Of temporary credentials.", "env \"AWS_SESSION_TOKEN\""},
    {"providers.*.region", TEXT, NULL,
     "Of a cloud: stands for {region} in the adapter's base_url, and AWS signatures are made for it.", "\"us-east-1\""},
    {"providers.*.service", TEXT, NULL, "The service that AWS signatures are made for; default: bedrock.",
     "\"bedrock\""},
    {"providers.*.project", TEXT, NULL, "Of a cloud: stands for {project} in the adapter's base_url.",
     "\"my-project\""},
    {"providers.*.dialect", CHOICE,
     "openai.chat|openai.responses|anthropic.messages|gemini|cohere.chat|bedrock.converse",
     "The wire protocol it speaks; default: the adapter's.", "\"openai.chat\""},
    {"providers.*.http2", BOOLEAN, "false", "Use HTTP/2 towards it.", "true"},
    {"providers.*.ca_file", TEXT, NULL, "PEM file of certificate authorities to trust instead of the system's.",
     "\"/etc/ssl/internal.pem\""},
    {"providers.*.insecure", BOOLEAN, "false", "Do not verify its certificate. For tests only; every start warns.",
     "true"},
    {"providers.*.proxy", TEXT, NULL,
     "HTTP or SOCKS proxy to reach it through. The environment's proxies are never used.",
     "\"http://proxy.internal:3128\""},
    {"providers.*.timeouts", ONE_TABLE, NULL, "Clocks of this provider; default: the top-level `timeouts`.",
     "{ first_token = \"20s\" }"},
    {"providers.*.timeouts.connect", DURATION, NULL, "DNS and TCP.", "\"3s\""},
    {"providers.*.timeouts.tls", DURATION, NULL, "The TLS handshake.", "\"3s\""},
    {"providers.*.timeouts.upload", DURATION, NULL, "How long the provider may take nothing more of the request.",
     "\"30s\""},
    {"providers.*.timeouts.first_token", DURATION, NULL, "Of a stream: from the attempt's start to its first content.",
     "\"300s\""},
    {"providers.*.timeouts.between_tokens", DURATION, NULL,
     "Between two pieces of content of a stream; pings do not count.", "\"30s\""},
    {"providers.*.timeouts.first_byte", DURATION, NULL,
     "Of a whole answer: from the attempt's start to its body's first byte, white space aside; 0s: no such clock.",
     "\"180s\""},
    {"providers.*.timeouts.between_bytes", DURATION, NULL,
     "Of a whole answer, behind its head: while nothing more of it comes.", "\"60s\""},
    {"providers.*.timeouts.min_tokens_per_s", INTEGER, NULL, "Of a stream, over 10 seconds, about; 0: no such clock.",
     "5"},
    {"providers.*.timeouts.total", DURATION, NULL, "The whole attempt; said nowhere: a stream has an hour.", "\"1h\""},
    {"providers.*.models", NAMED, NULL, "What is special about some of its models, by their names.",
     "{ [\"o3-pro\"] = { timeouts = { first_token = \"300s\" } } }"},
    {"providers.*.models.*", ONE_TABLE, NULL, "One model.", "{ timeouts = { first_token = \"300s\" } }"},
    {"providers.*.models.*.timeouts", ONE_TABLE, NULL, "Clocks of this model; default: the provider's.",
     "{ first_token = \"300s\" }"},
    {"providers.*.models.*.timeouts.connect", DURATION, NULL, "DNS and TCP.", "\"3s\""},
    {"providers.*.models.*.timeouts.tls", DURATION, NULL, "The TLS handshake.", "\"3s\""},
    {"providers.*.models.*.timeouts.upload", DURATION, NULL,
     "How long the provider may take nothing more of the request.", "\"30s\""},
    {"providers.*.models.*.timeouts.first_token", DURATION, NULL,
     "Of a stream: from the attempt's start to its first content.", "\"300s\""},
    {"providers.*.models.*.timeouts.between_tokens", DURATION, NULL,
     "Between two pieces of content of a stream; pings do not count.", "\"30s\""},
    {"providers.*.models.*.timeouts.first_byte", DURATION, NULL,
     "Of a whole answer: from the attempt's start to its body's first byte, white space aside; 0s: no such clock.",
     "\"180s\""},
    {"providers.*.models.*.timeouts.between_bytes", DURATION, NULL,
     "Of a whole answer, behind its head: while nothing more of it comes.", "\"60s\""},
    {"providers.*.models.*.timeouts.min_tokens_per_s", INTEGER, NULL,
     "Of a stream, over 10 seconds, about; 0: no such clock.", "5"},
    {"providers.*.models.*.timeouts.total", DURATION, NULL, "The whole attempt; said nowhere: a stream has an hour.",
     "\"1h\""},
    {"providers.*.health", ONE_TABLE, NULL, "Of this provider; default: the top-level `health`.",
     "{ eject_after = 10 }"},
    {"providers.*.health.eject_after", INTEGER, NULL,
     "Failures in a row that eject a target; 0: this rule does not hold.", "5"},
    {"providers.*.health.error_share", SHARE, NULL,
     "Share of failed attempts within `window` that ejects a target; 0: does not hold.", "0.3"},
    {"providers.*.health.error_minimum", INTEGER, NULL, "Attempts within `window` before `error_share` holds.", "50"},
    {"providers.*.health.window", DURATION, NULL, "How far back `error_share` looks.", "\"30s\""},
    {"providers.*.health.eject", DURATION, NULL,
     "How long a target is left out the first time; doubles until a request succeeds. \"0s\": never.", "\"30s\""},
    {"providers.*.health.eject_max", DURATION, NULL, "How long at most.", "\"10m\""},
    {"providers.*.health.key_bench", DURATION, NULL,
     "How long a key is left out after 401, 402, 403 or a quota error; doubles. \"0s\": never.", "\"60s\""},
    {"providers.*.health.key_bench_max", DURATION, NULL, "How long at most.", "\"1h\""},
    {"providers.*.health.active", ONE_TABLE, NULL,
     "Active checks: GETs that cost nothing, besides what requests tell. Only where this is set.",
     "{ every = \"10s\" }"},
    {"providers.*.health.active.every", DURATION, NULL, "How often.", "\"30s\""},
    {"providers.*.health.active.path", TEXT, NULL,
     "What is asked for, behind the base_url. Less than 500 is an answer.", "\"/models\""},
    {"providers.*.health.active.timeout", DURATION, NULL, "How long it may take.", "\"2s\""},
    {"providers.*.health.active.eject_after", INTEGER, NULL,
     "Checks in a row that fail before the provider's targets are left out; one that passes ends it.", "3"},
    {"providers.*.max_in_flight", INTEGER, NULL,
     "Attempts at it at the same time; above it the next target of the plan is tried, and when all are full the "
     "request "
     "waits. Default: no cap.",
     "200"},
    {"providers.*.memory", BYTES, NULL,
     "Of bodies that are held for it: requests that it has, and whole answers as they come. From there on the next "
     "target "
     "of the plan is tried, and when all are full the request waits. At least `limits.body`. Default: no cap.",
     "\"256MiB\""},
    {"providers.*.options", FREE, NULL, "Options that the adapter file declares.", "{ region = \"eu\" }"},
    {"timeouts", ONE_TABLE, NULL, "Clocks for every provider that does not set its own.", "{ first_token = \"20s\" }"},
    {"timeouts.connect", DURATION, "3s", "DNS and TCP.", "\"3s\""},
    {"timeouts.tls", DURATION, "3s", "The TLS handshake.", "\"3s\""},
    {"timeouts.upload", DURATION, "30s", "How long the provider may take nothing more of the request.", "\"30s\""},
    {"timeouts.first_token", DURATION, "60s", "Of a stream: from the attempt's start to its first content.",
     "\"300s\""},
    {"timeouts.between_tokens", DURATION, "30s", "Between two pieces of content of a stream; pings do not count.",
     "\"30s\""},
    {"timeouts.first_byte", DURATION, "0s",
     "Of a whole answer: from the attempt's start to its body's first byte, white space aside; 0s: no such clock.",
     "\"180s\""},
    {"timeouts.between_bytes", DURATION, "60s", "Of a whole answer, behind its head: while nothing more of it comes.",
     "\"60s\""},
    {"timeouts.min_tokens_per_s", INTEGER, "0", "Of a stream, over 10 seconds, about; 0: no such clock.", "5"},
    {"timeouts.total", DURATION, "600s", "The whole attempt; said nowhere: a stream has an hour.", "\"1h\""},
    {"retry_budget", ONE_TABLE, NULL,
     "How many attempts may repeat at a provider what it failed at, within ten seconds, so that an outage is not made "
     "worse. First attempts at another provider are free.",
     "{ percent = 20, per_s = 10 }"},
    {"retry_budget.percent", INTEGER, "20", "Of the requests that reached the provider.", "20"},
    {"retry_budget.per_s", INTEGER, "10", "Besides, a second.", "10"},
    {"health", ONE_TABLE, NULL,
     "When targets and keys are left out for a time, for every provider that does not say it.", "{ eject_after = 5 }"},
    {"health.eject_after", INTEGER, "5", "Failures in a row that eject a target; 0: this rule does not hold.", "5"},
    {"health.error_share", SHARE, "0.5",
     "Share of failed attempts within `window` that ejects a target; 0: does not hold.", "0.3"},
    {"health.error_minimum", INTEGER, "20", "Attempts within `window` before `error_share` holds.", "50"},
    {"health.window", DURATION, "10s", "How far back `error_share` looks.", "\"30s\""},
    {"health.eject", DURATION, "10s",
     "How long a target is left out the first time; doubles until a request succeeds. \"0s\": never.", "\"30s\""},
    {"health.eject_max", DURATION, "300s", "How long at most.", "\"10m\""},
    {"health.key_bench", DURATION, "30s",
     "How long a key is left out after 401, 402, 403 or a quota error; doubles. \"0s\": never.", "\"60s\""},
    {"health.key_bench_max", DURATION, "600s", "How long at most.", "\"1h\""},
    {"health.active", ONE_TABLE, NULL,
     "Active checks: GETs that cost nothing, besides what requests tell. Only where this is set.",
     "{ every = \"10s\" }"},
    {"health.active.every", DURATION, "10s", "How often.", "\"30s\""},
    {"health.active.path", TEXT, "/models", "What is asked for, behind the base_url. Less than 500 is an answer.",
     "\"/models\""},
    {"health.active.timeout", DURATION, "5s", "How long it may take.", "\"2s\""},
    {"health.active.eject_after", INTEGER, "2",
     "Checks in a row that fail before the provider's targets are left out; one that passes ends it.", "3"},
    {"health.panic", SHARE, "0.5",
     "When more than this share of a route's targets is left out, nobody is: its requests go as planned.", "0.7"},
    {"routes", NAMED, NULL, "Names that clients put into `model`, each with targets and a policy.",
     "{ cheap = { targets = { \"openai/gpt-5-mini\" } } }"},
    {"routes.*", ONE_TABLE, NULL, "One route.",
     "{ targets = { \"openai/gpt-5-mini\", \"anthropic/claude-haiku-4-5\" } }"},
    {"routes.*.policy", TEXT, "builtin",
     "A policy that ships (builtin, least_loaded, weighted), or the path of your own, from this file's directory.",
     "\"policies/tiered.lua\""},
    {"routes.*.targets", LIST, NULL, "What may be tried, in order.",
     "{ \"openai/gpt-5-mini\", \"anthropic/claude-haiku-4-5\" }"},
    {"routes.*.targets[]", TARGET, NULL,
     "\"provider/model\", or { \"provider/model\", weight = 3 } for policies that weigh.", "\"openai/gpt-5-mini\""},
    {"routes.*.pools", NAMED, NULL, "Named lists of targets, for policies that choose between them (gw.pool).",
     "{ small = { \"openai/gpt-5-nano\" } }"},
    {"routes.*.pools.*", LIST, NULL, "One pool, in order.", "{ \"openai/gpt-5-nano\" }"},
    {"routes.*.pools.*[]", TARGET, NULL, "As in `targets`.", "\"openai/gpt-5-nano\""},
    {"routes.*.options", FREE, NULL, "Options that the policy file declares.", "{ limit = 4000 }"},
    {"routes.*.on_script_error", CHOICE, "builtin|refuse",
     "When the policy raises an error: go on in the order of targets (builtin), or refuse with 500.", "\"refuse\""},
    {"routes.*.strict", BOOLEAN, "false",
     "Pass over targets for which a translation would drop, clamp or invent something, and refuse with 400 when none "
     "is "
     "left; clients ask for it with `x-moongate-strict: true`.",
     "true"},
    {"routes.*.coalesce", BOOLEAN, "false",
     "Identical requests of one team that run at the same time make one call to a provider, and each gets its answer.",
     "true"},
    {"routes.*.queue_time", DURATION, NULL, "How long its requests may wait for a place; default: limits.queue_time.",
     "\"30s\""},
    {"routes.*.priority", INTEGER, NULL,
     "0 … 9: who waits in the queue with a higher one goes first. A key's own wins; default: 5.", "8"},
    {"routes.*.timeouts", ONE_TABLE, NULL, "Clocks of this route's attempts; default: the model's or the provider's.",
     "{ first_token = \"20s\" }"},
    {"routes.*.timeouts.connect", DURATION, NULL, "DNS and TCP.", "\"3s\""},
    {"routes.*.timeouts.tls", DURATION, NULL, "The TLS handshake.", "\"3s\""},
    {"routes.*.timeouts.upload", DURATION, NULL, "How long the provider may take nothing more of the request.",
     "\"30s\""},
    {"routes.*.timeouts.first_token", DURATION, NULL, "Of a stream: from the attempt's start to its first content.",
     "\"300s\""},
    {"routes.*.timeouts.between_tokens", DURATION, NULL,
     "Between two pieces of content of a stream; pings do not count.", "\"30s\""},
    {"routes.*.timeouts.first_byte", DURATION, NULL,
     "Of a whole answer: from the attempt's start to its body's first byte, white space aside; 0s: no such clock.",
     "\"180s\""},
    {"routes.*.timeouts.between_bytes", DURATION, NULL,
     "Of a whole answer, behind its head: while nothing more of it comes.", "\"60s\""},
    {"routes.*.timeouts.min_tokens_per_s", INTEGER, NULL, "Of a stream, over 10 seconds, about; 0: no such clock.",
     "5"},
    {"routes.*.timeouts.total", DURATION, NULL, "The whole attempt; said nowhere: a stream has an hour.", "\"1h\""},
    {"routes.*.retry", ONE_TABLE, NULL, "What is tried after a failed attempt, as long as the client has seen nothing.",
     "{ same_target = 2, base = \"500ms\" }"},
    {"routes.*.retry.attempts", INTEGER, NULL,
     "Attempts of a request at most; default: what the plan and `same_target` give.", "3"},
    {"routes.*.retry.same_target", INTEGER, NULL,
     "How often a target is tried again before the next; default: once, where there is no next.", "1"},
    {"routes.*.retry.base", DURATION, "250ms",
     "The wait before a target is tried again: a random part of this, doubled each time.", "\"500ms\""},
    {"routes.*.retry.max", DURATION, "8s",
     "The longest wait. A provider that asks for a longer one (Retry-After) is not waited for.", "\"30s\""},
    {"routes.*.retry.on", LIST, NULL,
     "Failure classes (errors.md) after which a target is tried again; default: connect, no_descriptor, "
     "reset, rate_limited, overloaded, server_error, request_timeout.",
     "{ \"rate_limited\", \"overloaded\" }"},
    {"routes.*.retry.on[]", TEXT, NULL, "A failure class.", "\"overloaded\""},
    {"routes.*.recover", CHOICE, "none|restart|continue",
     "When a stream breaks off after content: end with an error (none, the default), start over (restart), or have a "
     "target with the capability `prefill` go on (continue).",
     "\"continue\""},
    {"routes.*.disconnect", CHOICE_OR_TABLE, "cancel",
     "When the client leaves: stop its attempts (cancel), or read on without it, for the provider's exact usage.",
     "{ drain = \"30s\" }"},
    {"routes.*.disconnect.drain", DURATION, NULL, "How long at most.", "\"30s\""},
    {"routes.*.hedge", ONE_TABLE, NULL,
     "A second attempt beside one that is slow to begin: the first content of either is delivered, the other attempt "
     "is "
     "cancelled. Without this table there is none.",
     "{ after = \"p95\", max_extra = 0.05 }"},
    {"routes.*.hedge.after", TEXT, "p95",
     "p90, p95 or p99 of the target's time to first token (its last 256 streams, at least 20 within ten minutes; else "
     "nothing is hedged), or a duration. Answers that are not streamed are hedged after a duration only.",
     "\"1500ms\""},
    {"routes.*.hedge.max_extra", SHARE, "0.05",
     "Second attempts at most, as a share of the route's requests; and what their prompts cost, as a share of what "
     "those "
     "of the requests cost, where both prices are known.",
     "0.02"},
    {"routes.*.fallbacks", ONE_TABLE, NULL, "Targets for requests that another model may take.",
     "{ context_length = { \"gemini/gemini-2.5-pro\" } }"},
    {"routes.*.fallbacks.context_length", LIST, NULL, "Tried, in order, when the prompt is too long for a target.",
     "{ \"gemini/gemini-2.5-pro\" }"},
    {"routes.*.fallbacks.context_length[]", TARGET, NULL, "As in `targets`.", "\"gemini/gemini-2.5-pro\""},
    {"routes.*.fallbacks.content_policy", LIST, NULL, "Tried, in order, when a provider refuses the content.",
     "{ \"anthropic/claude-haiku-4-5\" }"},
    {"routes.*.fallbacks.content_policy[]", TARGET, NULL, "As in `targets`.", "\"anthropic/claude-haiku-4-5\""},
    {"teams", NAMED, NULL, "Who pays.", "{ search = {} }"},
    {"teams.*", ONE_TABLE, NULL, "One team.", "{}"},
    {"teams.*.max_in_flight", INTEGER, NULL, "Its requests at the same time; above it they wait. Default: no cap.",
     "50"},
    {"teams.*.memory", BYTES, NULL,
     "Of bodies that are held for it: requests until their stream begins, and whole answers as they come. What would "
     "be "
     "more gets 503 before its body is read. At least `limits.body`. Default: no cap.",
     "\"256MiB\""},
    {"keys", LIST, NULL, "Virtual keys: who may. Without any, only loopback is served, without a key.",
     "{ { name = \"ci\", team = \"search\", key = env \"CI_KEY\" } }"},
    {"keys[]", ONE_TABLE, NULL, "One key.", "{ name = \"ci\", key = env \"CI_KEY\" }"},
    {"keys[].name", TEXT, NULL, "What traces and metrics show.", "\"ci\""},
    {"keys[].team", TEXT, NULL, "Its team.", "\"search\""},
    {"keys[].key", SECRET, NULL, "The secret that clients send; 16 bytes or more.", "env \"CI_KEY\""},
    {"keys[].models", LIST, NULL, "Routes and models it may use; default: all.", "{ \"cheap\" }"},
    {"keys[].priority", INTEGER, NULL, "0 … 9, as a route's; wins over it.", "2"},
    {"keys[].models[]", TEXT, NULL, "As a client would write it in `model`.", "\"cheap\""},
    {"upstreams", NAMED, NULL,
     "HTTP services that scripts may call (gw.fetch); nothing else can be reached from a script.",
     "{ classifier = { base_url = \"http://127.0.0.1:9000\" } }"},
    {"upstreams.*", ONE_TABLE, NULL, "One service.", "{ base_url = \"http://127.0.0.1:9000\" }"},
    {"upstreams.*.base_url", URL, NULL, "Where it lives.", "\"http://127.0.0.1:9000\""},
    {"upstreams.*.key", SECRET, NULL, "Sent as Bearer; scripts never see it.", "env \"CLASSIFIER_KEY\""},
    {"upstreams.*.ca_file", TEXT, NULL, "As for providers.", "\"/etc/ssl/internal.pem\""},
    {"prices", FREE, NULL,
     "What you know of models: a table of rows (US dollars per million tokens), the path of a price file, or a table "
     "whose `file` names one. They win over adapters/models/.",
     "{ [\"openai/gpt-5-mini\"] = { input = \"0.25\", output = \"2\" } }"},
    {"unknown_price", CHOICE, "estimate|deny",
     "A model without a price: count `estimate_price` for it, or do not call it.", "\"deny\""},
    {"estimate_price", FREE, NULL,
     "What is counted for a model without a price; default: { input = \"5\", output = \"25\" }.",
     "{ input = \"5\", output = \"25\" }"},
    {"trace", ONE_TABLE, NULL, "The trace record of each request.", "{ file = \"traces.jsonl\" }"},
    {"trace.file", TEXT, "-", "Where the lines go; \"-\": stdout. Change needs a restart; SIGUSR1 opens it anew.",
     "\"/var/log/moongate/traces.jsonl\""},
    {"limits", ONE_TABLE, NULL, "Limits of the edge.", "{ body = \"8MiB\" }"},
    {"limits.body", BYTES, "32MiB", "Largest request body.", "\"8MiB\""},
    {"limits.head", BYTES, "32KiB", "Largest request head.", "\"16KiB\""},
    {"limits.head_time", DURATION, "5s", "For a whole head, from its first byte; and for a new connection's first one.",
     "\"5s\""},
    {"limits.body_time", DURATION, "30s", "For a whole body.", "\"60s\""},
    {"limits.keep_alive", DURATION, "75s", "How long an idle client connection stays.", "\"75s\""},
    {"limits.write_idle", DURATION, "60s", "How long a client may take no byte of its answer.", "\"60s\""},
    {"limits.half_close", CHOICE, "wait|leave",
     "When a client closes its sending side and its request runs: find out whether it still reads, and go on if it does"
     " (wait, the default), or take it for gone (leave).",
     "\"leave\""},
    {"limits.connections", INTEGER, "10000", "Client connections a worker; above it, accepting waits.", "20000"},
    {"limits.in_flight", INTEGER, NULL,
     "Requests in the process at the same time; above it they wait. Default: no cap.", "2000"},
    {"limits.queue", INTEGER, "1000", "Requests that may wait for a place; above it they get 503.", "200"},
    {"limits.queue_time", DURATION, "5s", "How long one may wait; then it gets 504.", "\"2s\""},
    {"limits.memory", BYTES, NULL,
     "Memory of the process; from nine tenths of it on, new requests get 503. Default: no cap.", "\"2GiB\""},
    {"limits.kept_answers", BYTES, "64MiB",
     "Memory for answers that Responses clients may refer to in later requests (`previous_response_id`, references to "
     "items), where no provider keeps them; 0B: none are kept.",
     "\"0B\""},
    {"limits.kept_answers_time", DURATION, "1h", "How long one stays after it was last referred to.", "\"24h\""},
};
enum { ROWS = sizeof rows / sizeof *rows };

static const struct row *row_of(const char *path) {
  for (unsigned i = 0; i < ROWS; i++)
    if (strcmp(rows[i].path, path) == 0) return &rows[i];
  return NULL;
}

/* ---- units -------------------------------------------------------------------------------------------------- */

struct unit {
  const char *name;
  uint64_t factor;
};

static bool parse_units(struct slice text, const struct unit *units, size_t count, uint64_t *out) {
  size_t digits = 0;
  while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') digits++;
  uint64_t number;
  if (!slice_to_u64(slice_of(text.ptr, digits), &number)) return false;
  for (size_t i = 0; i < count; i++) {
    if (!slice_eq(slice_from(text, digits), slice_text(units[i].name))) continue;
    if (number > UINT32_MAX || number * units[i].factor > (UINT64_C(1) << 40)) return false;
    *out = number * units[i].factor;
    return true;
  }
  return false;
}

bool schema_parse_ms(struct slice text, uint64_t *out) {
  static const struct unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
  return parse_units(text, units, 4, out) && *out <= UINT32_MAX;
}

bool schema_parse_bytes(struct slice text, uint64_t *out) {
  static const struct unit units[] = {{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
  return parse_units(text, units, 4, out);
}

/* ---- the check ---------------------------------------------------------------------------------------------- */

static const char *const expected[] = {
    [ONE_TABLE] = "a table",
    [NAMED] = "a table of names",
    [LIST] = "a list",
    [TEXT] = "a string",
    [SECRET] = "a secret: env \"NAME\", file \"PATH\", or a string",
    [INTEGER] = "a whole number of at least 0",
    [SHARE] = "a share from 0 to 1",
    [BOOLEAN] = "true or false",
    [DURATION] = "a duration such as \"300ms\", \"5s\", \"2m\" or \"1h\"",
    [BYTES] = "a size such as \"512B\", \"64KiB\" or \"32MiB\"",
    [URL] = "a URL that begins with http:// or https://",
    [TARGET] = "\"provider/model\" or { \"provider/model\", weight = 1 } with a weight above 0",
    [CHOICE] = "one of the known values",
    [CHOICE_OR_TABLE] = "one of the known values or a table",
    [FREE] = "a table",
};

struct walk {
  const char *file;
  struct err *e;
};

/* A text where a secret, a list or a table belongs may be a key that was put in the wrong place: it is not shown. */
static bool may_show_text(enum schema_type expected_type) {
  return expected_type != SECRET && expected_type != ONE_TABLE && expected_type != NAMED && expected_type != LIST &&
         expected_type != FREE;
}

static void describe(const struct value *v, enum schema_type expected_type, char *out, size_t cap) {
  if (v->kind == VALUE_TEXT && v->text.len == 0) snprintf(out, cap, "an empty string");
  else if (v->kind == VALUE_TEXT && may_show_text(expected_type))
    snprintf(out, cap, "the string \"%.60s\"", v->text.ptr);
  else if (v->kind == VALUE_INTEGER) snprintf(out, cap, "the number %lld", (long long)v->integer);
  else if (v->kind == VALUE_NUMBER) snprintf(out, cap, "the number %.14g", v->number);
  else if (v->kind == VALUE_BOOL) snprintf(out, cap, "%s", v->boolean ? "true" : "false");
  else snprintf(out, cap, "%s", value_kind_name(v->kind));
}

static bool wrong(struct walk *w, const struct value *v, const char *shown, const struct row *row, const char *what) {
  char got[128];
  describe(v, row->type, got, sizeof got);
  return err_set(w->e, "%s:%d: %s must be %s, not %s\n  for example: %s", w->file, v->line, shown, what, got,
                 row->example);
}

static bool is_choice(const char *choices, struct slice text) {
  struct slice left = slice_text(choices);
  while (left.len > 0) {
    ptrdiff_t bar = slice_find_byte(left, '|');
    if (slice_eq(bar < 0 ? left : slice_of(left.ptr, (size_t)bar), text)) return true;
    left = bar < 0 ? SLICE("") : slice_from(left, (size_t)bar + 1);
  }
  return false;
}

/* "a|b" as: "a" or "b" */
static void list_choices(const struct row *row, char *out, size_t cap) {
  size_t at = (size_t)snprintf(out, cap, "\"");
  for (const char *choices = row->fallback; *choices && at < cap; choices++)
    at += (size_t)snprintf(out + at, cap - at, *choices == '|' ? "\" or \"" : "%c", *choices);
  if (at < cap) snprintf(out + at, cap - at, row->type == CHOICE_OR_TABLE ? "\" or a table" : "\"");
}

static bool is_target(const struct value *v) {
  const struct value *name = v;
  if (v->kind == VALUE_TABLE) {
    name = value_get(v, "1");
    const struct value *weight = value_get(v, "weight");
    if (v->count != 1u + (weight != NULL) ||
        (weight != NULL && (weight->kind != VALUE_INTEGER && weight->kind != VALUE_NUMBER)) ||
        (weight != NULL && !(weight->number > 0 && weight->number <= 1e6)))
      return false;
  }
  if (name == NULL || name->kind != VALUE_TEXT) return false;
  ptrdiff_t slash = slice_find_byte(name->text, '/');
  return slash > 0 && (size_t)slash + 1 < name->text.len;
}

static bool fits(const struct row *row, const struct value *v) {
  uint64_t ignored;
  switch (row->type) {
  case ONE_TABLE:
  case NAMED:
  case FREE: return v->kind == VALUE_TABLE || (v->kind == VALUE_LIST && v->count == 0);
  case LIST: return v->kind == VALUE_LIST || (v->kind == VALUE_TABLE && v->count == 0);
  case TEXT: return v->kind == VALUE_TEXT && v->text.len > 0;
  case SECRET: return v->kind == VALUE_SECRET || (v->kind == VALUE_TEXT && v->text.len > 0);
  case INTEGER: return v->kind == VALUE_INTEGER && v->integer >= 0 && v->integer <= INT32_MAX;
  case SHARE: return (v->kind == VALUE_INTEGER || v->kind == VALUE_NUMBER) && v->number >= 0 && v->number <= 1;
  case BOOLEAN: return v->kind == VALUE_BOOL;
  case DURATION: return v->kind == VALUE_TEXT && schema_parse_ms(v->text, &ignored);
  case BYTES: return v->kind == VALUE_TEXT && schema_parse_bytes(v->text, &ignored);
  case URL:
    return v->kind == VALUE_TEXT &&
           (slice_starts(v->text, SLICE("http://")) || slice_starts(v->text, SLICE("https://")));
  case TARGET: return is_target(v);
  case CHOICE: return v->kind == VALUE_TEXT && is_choice(row->fallback, v->text);
  case CHOICE_OR_TABLE: return v->kind == VALUE_TABLE || (v->kind == VALUE_TEXT && is_choice(row->fallback, v->text));
  }
  return false;
}

static bool unknown(struct walk *w, const struct value_field *field, const char *path, const char *shown) {
  const char *known[ROWS] = {NULL};
  size_t count = 0, len = strlen(path);
  for (unsigned i = 1; i < ROWS; i++) {
    const char *rest = rows[i].path + len + (len > 0);
    bool below = strncmp(rows[i].path, path, len) == 0 && (len == 0 || rows[i].path[len] == '.');
    if (below && *rest != '*' && *rest != '[' && strpbrk(rest, ".[") == NULL) known[count++] = rest;
  }
  char all[512] = "";
  for (size_t i = 0, at = 0; i < count && at < sizeof all - 40; i++)
    at += (size_t)snprintf(all + at, sizeof all - at, "%s%s", i ? ", " : "", known[i]);
  const char *near = suggest_nearest(field->key.ptr, known, count), *where = *shown ? shown : "the config";
  if (near != NULL)
    return err_set(w->e, "%s:%d: unknown key \"%s\" in %s; did you mean \"%s\"?", w->file, field->value.line,
                   field->key.ptr, where, near);
  if (count == 0)
    return err_set(w->e, "%s:%d: unknown key \"%s\" in %s, which takes no keys yet", w->file, field->value.line,
                   field->key.ptr, where);
  return err_set(w->e, "%s:%d: unknown key \"%s\" in %s\n  known: %s", w->file, field->value.line, field->key.ptr,
                 where, all);
}

/* path: of the schema ("routes.*.policy"); shown: as the user wrote it ("routes.cost.policy"). */
static bool check(struct walk *w, const struct value *v, const char *path, const char *shown) {
  const struct row *row = row_of(path);
  must(row != NULL);
  if (!fits(row, v)) {
    char choices[160];
    bool chooses = row->type == CHOICE || row->type == CHOICE_OR_TABLE;
    if (chooses) list_choices(row, choices, sizeof choices);
    return wrong(w, v, *shown ? shown : "the file's result", row, chooses ? choices : expected[row->type]);
  }
  char below[256], name[256];
  if (row->type == LIST) {
    for (uint32_t i = 0; i < v->count && v->kind == VALUE_LIST; i++) {
      snprintf(below, sizeof below, "%s[]", path);
      snprintf(name, sizeof name, "%s[%u]", shown, i + 1);
      if (!check(w, &v->items[i], below, name)) return false;
    }
  } else if ((row->type == ONE_TABLE || row->type == NAMED || row->type == CHOICE_OR_TABLE) && v->kind == VALUE_TABLE) {
    for (uint32_t i = 0; i < v->count; i++) {
      const struct value_field *f = &v->fields[i];
      snprintf(below, sizeof below, "%s%s%s", path, *path ? "." : "", row->type == NAMED ? "*" : f->key.ptr);
      snprintf(name, sizeof name, "%s%s%s", shown, *shown ? "." : "", f->key.ptr);
      if (row_of(below) == NULL) return unknown(w, f, path, shown);
      if (!check(w, &f->value, below, name)) return false;
    }
  }
  return true;
}

bool schema_check(const struct value *tree, const char *file, struct err *e) {
  struct walk w = {file, e};
  return check(&w, tree, "", "");
}

/* ---- readers ------------------------------------------------------------------------------------------------ */

static const struct value *find(const struct value *in, const char *path) {
  const char *last = strrchr(path, '.');
  return value_get(in, last ? last + 1 : path);
}

static struct slice text_of(const struct value *in, const char *path) {
  const struct value *v = find(in, path);
  if (v != NULL && v->kind == VALUE_TEXT) return v->text;
  const struct row *row = row_of(path);
  must(row != NULL);
  return slice_text(row->fallback);
}

const char *schema_text(const struct value *in, const char *path) {
  return text_of(in, path).ptr;
}

uint64_t schema_ms(const struct value *in, const char *path) {
  uint64_t ms = 0;
  must(schema_parse_ms(text_of(in, path), &ms));
  return ms;
}

uint64_t schema_bytes(const struct value *in, const char *path) {
  uint64_t bytes = 0;
  must(schema_parse_bytes(text_of(in, path), &bytes));
  return bytes;
}

uint64_t schema_integer(const struct value *in, const char *path) {
  const struct value *v = find(in, path);
  if (v != NULL) return (uint64_t)v->integer;
  uint64_t number = 0;
  must(slice_to_u64(text_of(in, path), &number));
  return number;
}

uint32_t schema_share_ppm(const struct value *in, const char *path) {
  const struct value *v = find(in, path);
  return (uint32_t)((v != NULL ? v->number : strtod(text_of(in, path).ptr, NULL)) * 1e6 + 0.5);
}

bool schema_boolean(const struct value *in, const char *path) {
  const struct value *v = find(in, path);
  return v != NULL && v->boolean;
}

void schema_reference(struct buf *out) {
  static const char *const names[] = {
      [ONE_TABLE] = "table",   [NAMED] = "table of names",
      [LIST] = "list",         [TEXT] = "string",
      [SECRET] = "secret",     [INTEGER] = "integer",
      [SHARE] = "share",       [BOOLEAN] = "boolean",
      [DURATION] = "duration", [BYTES] = "size",
      [URL] = "URL",           [TARGET] = "target",
      [CHOICE] = "choice",     [CHOICE_OR_TABLE] = "choice or table",
      [FREE] = "table",
  };
  buf_text(out, "| key | type | default | meaning | example |\n| --- | --- | --- | --- | --- |\n");
  for (unsigned i = 1; i < ROWS; i++) {
    const struct row *r = &rows[i];
    buf_fill(out, "| `%s` | %s | ", r->path, names[r->type]);
    if (r->type == CHOICE || r->type == CHOICE_OR_TABLE) {
      for (const char *at = r->fallback; *at; at++) *at == '|' ? buf_text(out, " or ") : buf_byte(out, *at);
    } else {
      buf_text(out, r->fallback ? r->fallback : "–");
    }
    buf_fill(out, " | %s | `%s` |\n", r->doc, r->example);
  }
}
