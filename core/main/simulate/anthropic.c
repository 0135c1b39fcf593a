/* simulate_anthropic: the row of anthropic.messages, POST …/messages. Pure; any thread. Shapes, field order and wording
 * of errors are those of api.anthropic.com. It does NOT do server tools, citations or stop sequences. */
#include "base/clock.h"
#include "main/simulate/dialect.h"
#include "main/simulate/json.h"
#include "wire/json.h"

static void read_choice(struct slice choice, struct sim_ask *ask) {
  struct slice type = sim_json_get(choice, "type");
  if (sim_json_is(type, "none")) ask->tool_choice = SIM_TOOL_NONE;
  if (sim_json_is(type, "any")) ask->tool_choice = SIM_TOOL_REQUIRED;
  if (sim_json_is(type, "tool")) {
    ask->tool_choice = SIM_TOOL_NAMED;
    ask->named = sim_json_get(choice, "name");
  }
}

static void name_result(struct slice blocks, struct sim_result *result) {
  struct slice block;
  while (sim_json_element(&blocks, &block))
    if (slice_eq(sim_json_get(block, "id"), result->id)) result->name = sim_json_get(block, "name");
}

/* A user message whose content holds tool results carries them; texts beside them do not make it a new question. */
static void read_results(struct slice content, struct slice calls, struct sim_ask *ask) {
  struct slice block;
  ask->result_count = 0;
  while (sim_json_element(&content, &block) && ask->result_count < SIM_RESULTS_MAX) {
    if (!sim_json_is(sim_json_get(block, "type"), "tool_result")) continue;
    struct slice id = sim_json_get(block, "tool_use_id");
    name_result(calls, sim_ask_add_result(ask, id, sim_json_get(block, "content")));
  }
}

static void read_messages(struct slice messages, struct sim_ask *ask) {
  struct slice message, calls = {0};
  while (sim_json_element(&messages, &message)) {
    struct slice role = sim_json_get(message, "role"), content = sim_json_get(message, "content"), raw, rest = content;
    if (sim_json_is(role, "assistant")) calls = content;
    if (!sim_json_is(role, "user")) continue;
    read_results(content, calls, ask);
    if (ask->result_count == 0 || sim_ask_text_next(&rest, &raw)) ask->user = content;
  }
}

static bool read(struct slice body, const struct http_head *head, struct sim_ask *ask, struct sim_refusal *why) {
  enum { MODEL, MESSAGES, STREAM, SYSTEM, TOOLS, CHOICE, FORMAT, CONFIG, MAX, FIELDS };
  struct json_field f[FIELDS] = {
      {.key = SLICE("model")},         {.key = SLICE("messages")},      {.key = SLICE("stream")},
      {.key = SLICE("system")},        {.key = SLICE("tools")},         {.key = SLICE("tool_choice")},
      {.key = SLICE("output_format")}, {.key = SLICE("output_config")}, {.key = SLICE("max_tokens")}};
  struct json_fault fault;
  *why = (struct sim_refusal){.status = 400};
  if (http_header_of(head, SLICE("anthropic-version")).len == 0)
    why->message = SLICE("anthropic-version: header is required");
  else if (!json_scan(body, f, FIELDS, &fault))
    why->message = SLICE("The request body is not valid JSON: the simulator could not read it");
  else if (f[MODEL].raw.ptr == NULL || f[MODEL].kind != JSON_STRING) why->message = SLICE("model: Field required");
  else if (f[MESSAGES].raw.ptr == NULL) why->message = SLICE("messages: Field required");
  else if (f[MESSAGES].kind != JSON_ARRAY) why->message = SLICE("messages: Input should be a valid list");
  else if (f[MAX].raw.ptr == NULL) why->message = SLICE("max_tokens: Field required");
  else if (!json_to_u64(f[MAX].raw, &ask->max_tokens) || ask->max_tokens == 0)
    why->message = SLICE("max_tokens: Input should be greater than or equal to 1");
  if (why->message.len > 0) return false;
  sim_ask_begin(ask, &f[MODEL], &f[STREAM], &f[TOOLS]);
  read_choice(f[CHOICE].raw, ask);
  struct slice format = f[CONFIG].raw.ptr != NULL ? sim_json_get(f[CONFIG].raw, "format") : f[FORMAT].raw;
  if (format.ptr != NULL) ask->schema = sim_json_get(format, "schema");
  read_messages(f[MESSAGES].raw, ask);
  ask->input_tokens = (f[MESSAGES].raw.len + f[SYSTEM].raw.len + ask->tools.len) / 4;
  return true;
}

static bool tool(struct slice *rest, struct slice *name, struct slice *schema) {
  struct slice entry;
  while (sim_json_element(rest, &entry)) {
    *name = sim_json_get(entry, "name");
    *schema = sim_json_get(entry, "input_schema");
    if (name->len > 0 && *name->ptr == '"' && schema->ptr != NULL) return true; /* server tools have no schema */
  }
  return false;
}

static struct slice credential(const struct http_head *head) {
  struct slice key = http_header_of(head, SLICE("x-api-key"));
  return key.len > 0 ? key : sim_bearer_token(head);
}

static void wrong_key(struct slice key, struct buf *message) {
  buf_text(message, key.len == 0 ? "x-api-key header is required" : "invalid x-api-key");
}

static void headers(const struct sim_answer *a, struct buf *out) {
  static _Thread_local int64_t second;
  static _Thread_local char reset[CLOCK_RFC3339_BYTES];
  int64_t now_ms = clock_wall_ms();
  if (now_ms / 1000 != second) {
    second = now_ms / 1000;
    clock_rfc3339(second * 1000, reset);
    reset[19] = 'Z'; /* whole seconds, 20 bytes */
  }
  buf_text(out, "anthropic-ratelimit-requests-limit: 4000\r\nanthropic-ratelimit-requests-remaining: 3999\r\n"
                "anthropic-ratelimit-requests-reset: ");
  buf_append(out, reset, 20);
  buf_text(out, "\r\nanthropic-ratelimit-tokens-limit: 480000\r\nanthropic-ratelimit-tokens-remaining: 480000\r\n"
                "anthropic-ratelimit-tokens-reset: ");
  buf_append(out, reset, 20);
  buf_text(out, "\r\nrequest-id: ");
  sim_id_put(out, "req_", a, 7);
  buf_text(out, "\r\n");
}

static void put_stop_reason(const struct sim_answer *a, struct buf *out) {
  static const struct sim_finish_words words = {.stop = SLICE_INIT("end_turn"),
                                                .length = SLICE_INIT("max_tokens"),
                                                .tool_calls = SLICE_INIT("tool_use"),
                                                .content_filter = SLICE_INIT("refusal")};
  json_put_string(out, sim_finish_word(a, &words));
}

static void put_details(const struct sim_answer *a, struct buf *out) {
  sim_put_count(out, ",\"output_tokens_details\":{\"thinking_tokens\":", a->thinking_tokens);
  buf_text(out, "}");
}

/* At the start of a stream one output token is known, and no details. */
static void put_usage(const struct sim_answer *a, bool start, struct buf *out) {
  if (!a->usage) return;
  sim_put_count(out, ",\"usage\":{\"input_tokens\":", a->input_tokens - a->cached_tokens);
  sim_put_count(out, ",\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":", a->cached_tokens);
  sim_put_count(
      out, ",\"cache_creation\":{\"ephemeral_5m_input_tokens\":0,\"ephemeral_1h_input_tokens\":0},\"output_tokens\":",
      start ? 1 : a->output_tokens);
  if (!start) put_details(a, out);
  buf_text(out, ",\"service_tier\":\"standard\",\"inference_geo\":\"global\"}");
}

static void put_block(const struct sim_answer *a, unsigned index, struct buf *out) {
  const struct sim_block *b = &a->blocks[index];
  switch (b->kind) {
  case SIM_THINKING:
    buf_text(out, "{\"type\":\"thinking\",\"thinking\":");
    sim_block_put(b, 0, b->bytes, out);
    buf_text(out, ",\"signature\":");
    sim_signature_put(out, a);
    break;
  case SIM_CALL:
    buf_text(out, "{\"type\":\"tool_use\",\"id\":\"");
    sim_id_put(out, "toolu_01", a, 100 + index);
    buf_text(out, "\",\"name\":");
    buf_slice(out, b->name);
    buf_text(out, ",\"input\":");
    buf_slice(out, b->text);
    break;
  case SIM_TEXT:
  case SIM_REFUSAL:
    buf_text(out, "{\"type\":\"text\",\"text\":");
    sim_block_put(b, 0, b->bytes, out);
    break;
  }
  buf_text(out, "}");
}

/* A message up to its content, whose list is open then. */
static void put_message_head(const struct sim_answer *a, struct buf *out) {
  buf_text(out, "{\"model\":");
  buf_slice(out, a->model);
  buf_text(out, ",\"id\":\"");
  sim_id_put(out, "msg_01", a, 1);
  buf_text(out, "\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[");
}

static void whole(const struct sim_answer *a, struct buf *out) {
  put_message_head(a, out);
  for (unsigned i = 0; i < a->block_count; i++) {
    if (i > 0) buf_byte(out, ',');
    put_block(a, i, out);
  }
  buf_text(out, "],\"stop_reason\":");
  put_stop_reason(a, out);
  buf_text(out, ",\"stop_sequence\":null,\"stop_details\":null");
  put_usage(a, false, out);
  buf_byte(out, '}');
}

static void put_begin(const struct sim_answer *a, struct buf *out) {
  buf_text(out, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":");
  put_message_head(a, out);
  buf_text(out, "],\"stop_reason\":null,\"stop_sequence\":null,\"stop_details\":null");
  put_usage(a, true, out);
  buf_text(out, "}}\n\n");
}

static void ping(struct buf *out) {
  buf_text(out, "event: ping\ndata: {\"type\": \"ping\"}\n\n");
}

static void put_open(const struct sim_answer *a, unsigned index, struct buf *out) {
  const struct sim_block *b = &a->blocks[index];
  sim_put_count(out, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":", index);
  switch (b->kind) {
  case SIM_THINKING:
    buf_text(out, ",\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n");
    break;
  case SIM_CALL:
    buf_text(out, ",\"content_block\":{\"type\":\"tool_use\",\"id\":\"");
    sim_id_put(out, "toolu_01", a, 100 + index);
    buf_text(out, "\",\"name\":");
    buf_slice(out, b->name);
    buf_text(out, ",\"input\":{}}}\n\n");
    break;
  case SIM_TEXT:
  case SIM_REFUSAL: buf_text(out, ",\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"); break;
  }
  if (index == 0) ping(out);
}

static void put_delta_head(unsigned index, struct buf *out) {
  sim_put_count(out, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":", index);
}

static void put_delta(const struct sim_answer *a, const struct sim_step *step, struct buf *out) {
  const struct sim_block *b = &a->blocks[step->block];
  put_delta_head(step->block, out);
  switch (b->kind) {
  case SIM_THINKING: buf_text(out, ",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":"); break;
  case SIM_CALL: buf_text(out, ",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":"); break;
  case SIM_TEXT:
  case SIM_REFUSAL: buf_text(out, ",\"delta\":{\"type\":\"text_delta\",\"text\":"); break;
  }
  sim_block_put(b, step->from, step->to, out);
  buf_text(out, "}}\n\n");
}

static void put_close(const struct sim_answer *a, unsigned index, struct buf *out) {
  if (a->blocks[index].kind == SIM_THINKING) {
    put_delta_head(index, out);
    buf_text(out, ",\"delta\":{\"type\":\"signature_delta\",\"signature\":");
    sim_signature_put(out, a);
    buf_text(out, "}}\n\n");
  }
  sim_put_count(out, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":", index);
  buf_text(out, "}\n\n");
}

static void put_finish(const struct sim_answer *a, struct buf *out) {
  buf_text(out, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":");
  put_stop_reason(a, out);
  buf_text(out, ",\"stop_sequence\":null,\"stop_details\":null}");
  if (a->usage) {
    sim_put_count(out, ",\"usage\":{\"input_tokens\":", a->input_tokens - a->cached_tokens);
    sim_put_count(out, ",\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":", a->cached_tokens);
    sim_put_count(out, ",\"output_tokens\":", a->output_tokens);
    put_details(a, out);
    buf_text(out, "}");
  }
  buf_text(out, "}\n\n");
}

static void put_end(const struct sim_answer *a, struct buf *out) {
  (void)a;
  buf_text(out, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
}

static const struct sim_fault faults[] = {
    {400, SLICE_INIT("invalid_request_error"), SLICE_INIT("Invalid request.")},
    {401, SLICE_INIT("authentication_error"), SLICE_INIT("invalid x-api-key")},
    {402, SLICE_INIT("billing_error"), SLICE_INIT("Your credit balance is too low to access the Anthropic API.")},
    {403, SLICE_INIT("permission_error"),
     SLICE_INIT("Your API key does not have permission to use the specified resource.")},
    {404, SLICE_INIT("not_found_error"), SLICE_INIT("The requested resource could not be found.")},
    {413, SLICE_INIT("request_too_large"), SLICE_INIT("Request exceeds the maximum allowed number of bytes.")},
    {429, SLICE_INIT("rate_limit_error"), SLICE_INIT("This request would exceed your organization's rate limit.")},
    {504, SLICE_INIT("timeout_error"), SLICE_INIT("Request timed out")},
    {529, SLICE_INIT("overloaded_error"), SLICE_INIT("Overloaded")},
    {0, SLICE_INIT("api_error"), SLICE_INIT("Internal server error")},
};

static void error(const struct sim_answer *a, const struct sim_refusal *why, struct buf *out) {
  struct sim_refusal said = sim_refusal_worded(why, faults);
  buf_text(out, "{\"type\":\"error\",\"error\":{\"type\":");
  json_put_string(out, said.type);
  buf_text(out, ",\"message\":");
  json_put_string(out, said.message);
  buf_text(out, "},\"request_id\":\"");
  sim_id_put(out, "req_", a, 7);
  buf_text(out, "\"}");
}

static void error_event(const struct sim_answer *a, const struct sim_refusal *why, struct buf *out) {
  buf_text(out, "event: error\ndata: ");
  error(a, why, out);
  buf_text(out, "\n\n");
}

static void models(struct buf *out) {
  static const char *const ids[] = {"claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5"};
  buf_text(out, "{\"data\":[");
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
    buf_text(out, i == 0 ? "{\"type\":\"model\",\"id\":\"" : ",{\"type\":\"model\",\"id\":\"");
    buf_text(out, ids[i]);
    buf_text(out, "\",\"display_name\":\"");
    buf_text(out, ids[i]);
    buf_text(out, "\",\"created_at\":\"2026-01-01T00:00:00Z\"}");
  }
  buf_text(out, "],\"has_more\":false,\"first_id\":\"");
  buf_text(out, ids[0]);
  buf_text(out, "\",\"last_id\":\"");
  buf_text(out, ids[sizeof ids / sizeof *ids - 1]);
  buf_text(out, "\"}");
}

const struct sim_dialect sim_anthropic_messages = {
    .name = "anthropic.messages",
    .path_end = SLICE_INIT("/messages"),
    .tool = tool,
    SIM_OWN_CHAT,
    .steps = {put_begin, put_open, put_delta, put_close, put_finish, put_end},
    SIM_OWN_PROVIDER,
};
