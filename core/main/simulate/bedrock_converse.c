/* simulate_bedrock_converse: the row of bedrock.converse, POST /model/MODEL/converse and /converse-stream. Pure; any
 * thread. Shapes and wording of errors are those of bedrock-runtime. It does NOT check AWS signatures: their access key
 * id counts as the key. */
#include "main/simulate/dialect.h"
#include "main/simulate/json.h"
#include "wire/aws_events.h"
#include "wire/json.h"
#include "wire/url.h"

static const struct slice whole_end = SLICE_INIT("/converse"), stream_end = SLICE_INIT("/converse-stream");

static bool takes(struct slice path) {
  return slice_find(path, SLICE("/model/")) >= 0 && (slice_ends(path, whole_end) || slice_ends(path, stream_end));
}

static void read_choice(struct slice choice, struct sim_ask *ask) {
  if (sim_json_get(choice, "any").ptr != NULL) ask->tool_choice = SIM_TOOL_REQUIRED;
  struct slice named = sim_json_get(choice, "tool");
  if (named.ptr == NULL) return;
  ask->tool_choice = SIM_TOOL_NAMED;
  ask->named = sim_json_get(named, "name");
}

static void name_result(struct slice blocks, struct sim_result *result) {
  struct slice block;
  while (sim_json_element(&blocks, &block)) {
    struct slice use = sim_json_get(block, "toolUse");
    if (use.ptr != NULL && slice_eq(sim_json_get(use, "toolUseId"), result->id))
      result->name = sim_json_get(use, "name");
  }
}

/* A user message whose content holds tool results carries them; texts beside them do not make it a new question. */
static bool read_results(struct slice content, struct slice calls, struct sim_ask *ask) {
  struct slice block;
  bool has_text = false;
  ask->result_count = 0;
  while (sim_json_element(&content, &block) && ask->result_count < SIM_RESULTS_MAX) {
    struct slice found = sim_json_get(block, "toolResult");
    has_text = has_text || sim_json_get(block, "text").ptr != NULL;
    if (found.ptr == NULL) continue;
    struct slice id = sim_json_get(found, "toolUseId");
    name_result(calls, sim_ask_add_result(ask, id, sim_json_get(found, "content")));
  }
  return has_text;
}

static void read_messages(struct slice messages, struct sim_ask *ask) {
  struct slice message, calls = {0};
  while (sim_json_element(&messages, &message)) {
    struct slice role = sim_json_get(message, "role"), content = sim_json_get(message, "content");
    if (sim_json_is(role, "assistant")) calls = content;
    if (!sim_json_is(role, "user")) continue;
    bool has_text = read_results(content, calls, ask);
    if (ask->result_count == 0 || has_text) ask->user = content;
  }
}

/* The model's name as a raw JSON string, out of the path; in memory of this thread, until its next request. */
static struct slice model_of(struct slice path) {
  static _Thread_local char raw[1100];
  char decoded[512];
  size_t len = 0;
  ptrdiff_t at = slice_find(path, SLICE("/model/"));
  struct slice name = slice_from(path, (size_t)at + 7);
  name.len -= slice_ends(path, stream_end) ? stream_end.len : whole_end.len;
  if (name.len == 0 || name.len > sizeof decoded || !url_decode(name, decoded, &len)) return slice_of(NULL, 0);
  struct buf out = {0};
  json_put_string(&out, slice_of(decoded, len));
  size_t bytes = out.len < sizeof raw ? out.len : 0;
  memcpy(raw, out.ptr, bytes);
  buf_done(&out);
  return bytes > 0 ? slice_of(raw, bytes) : slice_of(NULL, 0);
}

/* The schema, which is JSON text in a string: decoded, in memory of this thread until its next request. "{}" when there
 * is none, or none that is JSON. */
static struct slice schema_of(struct slice config) {
  static _Thread_local struct buf kept;
  static const char *const path[] = {"textFormat", "structure", "jsonSchema", "schema", NULL};
  struct slice raw = json_find(config, path);
  size_t len = 0;
  if (raw.ptr == NULL || !json_unquote(raw, (kept.len = 0, buf_reserve(&kept, raw.len)), &len)) return SLICE("{}");
  kept.len = len;
  return json_valid(buf_view(&kept), NULL) ? buf_view(&kept) : SLICE("{}");
}

static bool read(struct slice body, const struct http_head *head, struct sim_ask *ask, struct sim_refusal *why) {
  enum { MESSAGES, SYSTEM, TOOLS, LIMITS, OUTPUT, FIELDS };
  struct json_field f[FIELDS] = {{.key = SLICE("messages")},
                                 {.key = SLICE("system")},
                                 {.key = SLICE("toolConfig")},
                                 {.key = SLICE("inferenceConfig")},
                                 {.key = SLICE("outputConfig")}};
  struct json_fault fault;
  *why = (struct sim_refusal){.status = 400};
  ask->model = model_of(head->path);
  if (ask->model.ptr == NULL) why->message = SLICE("The provided model identifier is invalid.");
  else if (!json_scan(body, f, FIELDS, &fault)) why->message = SLICE("Unexpected token at the request body");
  else if (f[MESSAGES].raw.ptr == NULL || f[MESSAGES].kind != JSON_ARRAY)
    why->message = SLICE("1 validation error detected: Value at 'messages' failed to satisfy constraint: Member must "
                         "not be null");
  if (why->message.len > 0) return false;
  ask->stream = slice_ends(head->path, stream_end);
  ask->stream_type = SLICE("application/vnd.amazon.eventstream");
  struct slice limit = f[LIMITS].raw.ptr != NULL ? sim_json_get(f[LIMITS].raw, "maxTokens") : slice_of(NULL, 0);
  if (limit.ptr != NULL) json_to_u64(limit, &ask->max_tokens);
  if (f[TOOLS].raw.ptr != NULL && f[TOOLS].kind == JSON_OBJECT) {
    ask->tools = sim_json_get(f[TOOLS].raw, "tools");
    read_choice(sim_json_get(f[TOOLS].raw, "toolChoice"), ask);
  }
  if (f[OUTPUT].raw.ptr != NULL && f[OUTPUT].kind == JSON_OBJECT) ask->schema = schema_of(f[OUTPUT].raw);
  read_messages(f[MESSAGES].raw, ask);
  ask->input_tokens = (f[MESSAGES].raw.len + f[SYSTEM].raw.len + ask->tools.len) / 4;
  return true;
}

static bool tool(struct slice *rest, struct slice *name, struct slice *schema) {
  struct slice entry;
  while (sim_json_element(rest, &entry)) {
    struct slice spec = sim_json_get(entry, "toolSpec");
    if (spec.ptr == NULL) continue;
    *name = sim_json_get(spec, "name");
    *schema = sim_json_get(sim_json_get(spec, "inputSchema"), "json");
    if (name->len > 0 && *name->ptr == '"' && schema->ptr != NULL) return true;
  }
  return false;
}

static struct slice credential(const struct http_head *head) {
  struct slice given = http_header_of(head, SLICE("authorization")), token = sim_bearer_token(head);
  if (token.ptr != NULL) return token;
  ptrdiff_t at = slice_find(given, SLICE("Credential="));
  if (at < 0) return (struct slice){0};
  struct slice id = slice_from(given, (size_t)at + 11);
  ptrdiff_t slash = slice_find_byte(id, '/');
  return slash < 0 ? id : slice_of(id.ptr, (size_t)slash);
}

static void wrong_key(struct slice key, struct buf *message) {
  buf_text(message,
           key.len == 0 ? "Missing Authentication Token" : "The security token included in the request is invalid.");
}

static void headers(const struct sim_answer *a, struct buf *out) {
  buf_text(out, "x-amzn-requestid: ");
  sim_id_put(out, "", a, 7);
  buf_text(out, "\r\n");
}

static struct slice stop_reason(const struct sim_answer *a) {
  static const struct sim_finish_words words = {.stop = SLICE_INIT("end_turn"),
                                                .length = SLICE_INIT("max_tokens"),
                                                .tool_calls = SLICE_INIT("tool_use"),
                                                .refusal = SLICE_INIT("content_filtered"),
                                                .content_filter = SLICE_INIT("content_filtered")};
  return sim_finish_word(a, &words);
}

static void put_usage(const struct sim_answer *a, struct buf *out) {
  sim_put_count(out, "\"usage\":{\"cacheReadInputTokens\":", a->cached_tokens);
  sim_put_count(out, ",\"cacheWriteInputTokens\":0,\"inputTokens\":", a->input_tokens - a->cached_tokens);
  sim_put_count(out, ",\"outputTokens\":", a->output_tokens);
  sim_put_count(out, ",\"totalTokens\":", a->input_tokens + a->output_tokens);
  buf_text(out, "}");
}

static void put_block(const struct sim_answer *a, unsigned index, struct buf *out) {
  const struct sim_block *b = &a->blocks[index];
  switch (b->kind) {
  case SIM_THINKING:
    buf_text(out, "{\"reasoningContent\":{\"reasoningText\":{\"signature\":");
    sim_signature_put(out, a);
    buf_text(out, ",\"text\":");
    sim_block_put(b, 0, b->bytes, out);
    buf_text(out, "}}}");
    break;
  case SIM_CALL:
    buf_text(out, "{\"toolUse\":{\"input\":");
    buf_slice(out, b->text);
    buf_text(out, ",\"name\":");
    buf_slice(out, b->name);
    buf_text(out, ",\"toolUseId\":\"");
    sim_id_put(out, "tooluse_", a, 100 + index);
    buf_text(out, "\"}}");
    break;
  case SIM_TEXT:
  case SIM_REFUSAL:
    buf_text(out, "{\"text\":");
    sim_block_put(b, 0, b->bytes, out);
    buf_text(out, "}");
    break;
  }
}

static void whole(const struct sim_answer *a, struct buf *out) {
  buf_text(out, "{\"metrics\":{\"latencyMs\":1},\"output\":{\"message\":{\"content\":[");
  for (unsigned i = 0; i < a->block_count; i++) {
    if (i > 0) buf_byte(out, ',');
    put_block(a, i, out);
  }
  buf_text(out, "],\"role\":\"assistant\"}},\"stopReason\":");
  json_put_string(out, stop_reason(a));
  if (a->usage) {
    buf_byte(out, ',');
    put_usage(a, out);
  }
  buf_byte(out, '}');
}

/* The JSON of one event, built in memory that this thread keeps. */
static struct buf *payload(void) {
  static _Thread_local struct buf kept;
  kept.len = 0;
  return &kept;
}

static void put_event(struct buf *out, struct slice name, const struct buf *json) {
  aws_events_put_json(out, false, name, buf_view(json));
}

static void put_delta_head(unsigned index, struct buf *json) {
  sim_put_count(json, "{\"contentBlockIndex\":", index);
  buf_text(json, ",\"delta\":");
}

static void put_open(const struct sim_answer *a, unsigned index, struct buf *out) {
  const struct sim_block *b = &a->blocks[index];
  struct buf *json = payload();
  if (b->kind != SIM_CALL) return;
  sim_put_count(json, "{\"contentBlockIndex\":", index);
  buf_text(json, ",\"start\":{\"toolUse\":{\"name\":");
  buf_slice(json, b->name);
  buf_text(json, ",\"toolUseId\":\"");
  sim_id_put(json, "tooluse_", a, 100 + index);
  buf_text(json, "\"}}}");
  put_event(out, SLICE("contentBlockStart"), json);
}

static void put_delta(const struct sim_answer *a, const struct sim_step *step, struct buf *out) {
  const struct sim_block *b = &a->blocks[step->block];
  struct buf *json = payload();
  put_delta_head(step->block, json);
  switch (b->kind) {
  case SIM_THINKING: buf_text(json, "{\"reasoningContent\":{\"text\":"); break;
  case SIM_CALL: buf_text(json, "{\"toolUse\":{\"input\":"); break;
  case SIM_TEXT:
  case SIM_REFUSAL: buf_text(json, "{\"text\":"); break;
  }
  sim_block_put(b, step->from, step->to, json);
  if (b->kind == SIM_THINKING || b->kind == SIM_CALL) buf_text(json, "}");
  buf_text(json, "},\"p\":\"abcdefghij\"}");
  put_event(out, SLICE("contentBlockDelta"), json);
}

static void put_close(const struct sim_answer *a, unsigned index, struct buf *out) {
  struct buf *json = payload();
  if (a->blocks[index].kind == SIM_THINKING) {
    put_delta_head(index, json);
    buf_text(json, "{\"reasoningContent\":{\"signature\":");
    sim_signature_put(json, a);
    buf_text(json, "}}}");
    put_event(out, SLICE("contentBlockDelta"), json);
    json->len = 0;
  }
  sim_put_count(json, "{\"contentBlockIndex\":", index);
  buf_text(json, "}");
  put_event(out, SLICE("contentBlockStop"), json);
}

static void put_begin(const struct sim_answer *a, struct buf *out) {
  struct buf *json = payload();
  (void)a;
  buf_text(json, "{\"role\":\"assistant\"}");
  put_event(out, SLICE("messageStart"), json);
}

static void put_finish(const struct sim_answer *a, struct buf *out) {
  struct buf *json = payload();
  buf_text(json, "{\"stopReason\":");
  json_put_string(json, stop_reason(a));
  buf_text(json, "}");
  put_event(out, SLICE("messageStop"), json);
}

static void put_end(const struct sim_answer *a, struct buf *out) {
  struct buf *json = payload();
  if (!a->usage) return;
  buf_text(json, "{\"metrics\":{\"latencyMs\":1},");
  put_usage(a, json);
  buf_text(json, "}");
  put_event(out, SLICE("metadata"), json);
}

/* Converse has no ping; an event of a name that clients do not know is passed over by them. */
static void ping(struct buf *out) {
  struct buf *json = payload();
  buf_text(json, "{}");
  put_event(out, SLICE("ping"), json);
}

static const struct sim_fault faults[] = {
    {400, SLICE_INIT("ValidationException"),
     SLICE_INIT("Malformed input request, please reformat your input and try again.")},
    {401, SLICE_INIT("UnrecognizedClientException"),
     SLICE_INIT("The security token included in the request is invalid.")},
    {403, SLICE_INIT("AccessDeniedException"),
     SLICE_INIT("You don't have access to the model with the specified model ID.")},
    {404, SLICE_INIT("ResourceNotFoundException"), SLICE_INIT("The specified resource ARN was not found.")},
    {408, SLICE_INIT("ModelTimeoutException"), SLICE_INIT("The request took too long to process.")},
    {424, SLICE_INIT("ModelErrorException"), SLICE_INIT("The model encountered an error.")},
    {429, SLICE_INIT("ThrottlingException"), SLICE_INIT("Too many requests, please wait before trying again.")},
    {503, SLICE_INIT("ServiceUnavailableException"),
     SLICE_INIT("The service isn't currently available. Try again later.")},
    {0, SLICE_INIT("InternalServerException"), SLICE_INIT("An internal server error occurred. Retry your request.")},
};

static struct slice stream_type(unsigned status) {
  switch (status) {
  case 400:
  case 401:
  case 403:
  case 404: return SLICE("validationException");
  case 408:
  case 424: return SLICE("modelStreamErrorException");
  case 429: return SLICE("throttlingException");
  case 503: return SLICE("serviceUnavailableException");
  default: return SLICE("internalServerException");
  }
}

static void error(const struct sim_answer *a, const struct sim_refusal *why, struct buf *out) {
  struct sim_refusal said = sim_refusal_worded(why, faults);
  (void)a;
  buf_text(out, "{\"__type\":");
  json_put_string(out, said.type);
  buf_text(out, ",\"message\":");
  json_put_string(out, said.message);
  buf_text(out, "}");
}

static void error_event(const struct sim_answer *a, const struct sim_refusal *why, struct buf *out) {
  struct sim_refusal said = sim_refusal_worded(why, faults);
  struct buf *json = payload();
  (void)a;
  buf_text(json, "{\"message\":");
  json_put_string(json, said.message);
  buf_text(json, "}");
  aws_events_put_json(out, true, why->type.len > 0 ? why->type : stream_type(why->status), buf_view(json));
}

static void models(struct buf *out) {
  buf_text(out, "{\"modelSummaries\":[{\"modelId\":\"anthropic.claude-sonnet-4-5-20250929-v1:0\"},"
                "{\"modelId\":\"amazon.nova-lite-v1:0\"}]}");
}

const struct sim_dialect sim_bedrock_converse = {
    .name = "bedrock.converse",
    .takes = takes,
    .tool = tool,
    SIM_OWN_CHAT,
    .steps = {put_begin, put_open, put_delta, put_close, put_finish, put_end},
    SIM_OWN_PROVIDER,
};
