/* simulate_openai_responses: the row of openai.responses, POST …/responses. Pure; any thread. Shapes, event order and
 * wording of errors are those of api.openai.com, without its line ends. Thinking is a reasoning item with a summary and
 * encrypted content; such content of another maker in a request is refused, as the provider does. It does NOT store
 * answers, run hosted tools, or call custom ones. */
#include "main/simulate/json.h"
#include "main/simulate/openai.h"
#include "wire/json.h"

#define SEAL "gAAAAABo" /* how encrypted content begins */

static void read_choice(struct slice choice, struct sim_ask *ask) {
  if (sim_json_is(choice, "none")) ask->tool_choice = SIM_TOOL_NONE;
  if (sim_json_is(choice, "required")) ask->tool_choice = SIM_TOOL_REQUIRED;
  if (choice.len == 0 || *choice.ptr != '{') return;
  struct slice type = sim_json_get(choice, "type");
  if (sim_json_is(type, "allowed_tools") && sim_json_is(sim_json_get(choice, "mode"), "required"))
    ask->tool_choice = SIM_TOOL_REQUIRED;
  if (!sim_json_is(type, "function")) return;
  ask->named = sim_json_get(choice, "name");
  ask->tool_choice = SIM_TOOL_NAMED;
}

static void read_format(struct slice text, struct sim_ask *ask) {
  struct slice format = sim_json_get(text, "format"), type = sim_json_get(format, "type");
  if (sim_json_is(type, "json_object")) ask->schema = SLICE("{}");
  if (sim_json_is(type, "json_schema")) ask->schema = sim_json_get(format, "schema");
}

static void name_results(struct slice input, struct sim_ask *ask) {
  struct slice item;
  while (ask->result_count > 0 && sim_json_element(&input, &item)) {
    if (!sim_json_is(sim_json_get(item, "type"), "function_call")) continue;
    struct slice id = sim_json_get(item, "call_id");
    for (unsigned i = 0; i < ask->result_count; i++)
      if (slice_eq(id, ask->results[i].id)) ask->results[i].name = sim_json_get(item, "name");
  }
}

static bool read_input(struct slice input, struct sim_ask *ask, struct sim_refusal *why) {
  struct slice item, rest = input;
  if (*input.ptr == '"') {
    ask->user = input;
    return true;
  }
  while (sim_json_element(&rest, &item)) {
    struct slice type = sim_json_get(item, "type");
    if (sim_json_is(type, "function_call_output")) {
      if (ask->result_count < SIM_RESULTS_MAX)
        sim_ask_add_result(ask, sim_json_get(item, "call_id"), sim_json_get(item, "output"));
      continue;
    }
    ask->result_count = 0;
    if (sim_json_is(sim_json_get(item, "role"), "user")) ask->user = sim_json_get(item, "content");
    if (sim_json_is(type, "reasoning")) {
      struct slice sealed = sim_json_get(item, "encrypted_content");
      if (sealed.len > 0 && *sealed.ptr == '"' && !slice_starts(sealed, SLICE("\"" SEAL))) {
        why->message = SLICE("The encrypted content could not be verified. Reason: Encrypted content could not be "
                             "decrypted or parsed.");
        return false;
      }
    }
  }
  name_results(input, ask);
  return true;
}

static bool read(struct slice body, const struct http_head *head, struct sim_ask *ask, struct sim_refusal *why) {
  enum { MODEL, INPUT, INSTRUCTIONS, STREAM, TOOLS, CHOICE, TEXT, MAX, FIELDS };
  struct json_field f[FIELDS] = {{.key = SLICE("model")},        {.key = SLICE("input")},
                                 {.key = SLICE("instructions")}, {.key = SLICE("stream")},
                                 {.key = SLICE("tools")},        {.key = SLICE("tool_choice")},
                                 {.key = SLICE("text")},         {.key = SLICE("max_output_tokens")}};
  struct json_fault fault;
  (void)head;
  *why = (struct sim_refusal){.status = 400};
  if (!json_scan(body, f, FIELDS, &fault)) why->message = SLICE("Invalid body: failed to parse JSON value.");
  else if (f[MODEL].raw.ptr == NULL || f[MODEL].kind != JSON_STRING)
    why->message = SLICE("Missing required parameter: 'model'.");
  else if (f[INPUT].raw.ptr == NULL) why->message = SLICE("Missing required parameter: 'input'.");
  else if (f[INPUT].kind != JSON_ARRAY && f[INPUT].kind != JSON_STRING)
    why->message = SLICE("Invalid type for 'input': expected one of an array of input items or a string.");
  if (why->message.len > 0) return false;
  sim_ask_begin(ask, &f[MODEL], &f[STREAM], &f[TOOLS]);
  if (!json_to_u64(f[MAX].raw, &ask->max_tokens)) ask->max_tokens = 0;
  read_choice(f[CHOICE].raw, ask);
  read_format(f[TEXT].raw, ask);
  ask->input_tokens = (f[INPUT].raw.len + f[INSTRUCTIONS].raw.len + ask->tools.len) / 4;
  return read_input(f[INPUT].raw, ask, why);
}

static bool tool(struct slice *rest, struct slice *name, struct slice *schema) {
  struct slice entry;
  while (sim_json_element(rest, &entry)) {
    if (!sim_json_is(sim_json_get(entry, "type"), "function")) continue;
    *name = sim_json_get(entry, "name");
    *schema = sim_json_get(entry, "parameters");
    if (name->len > 0 && *name->ptr == '"') return true;
  }
  return false;
}

static struct slice incomplete_reason(const struct sim_answer *a) {
  if (slice_eq(a->finish, SLICE("length"))) return SLICE("max_output_tokens");
  return slice_eq(a->finish, SLICE("content_filter")) ? SLICE("content_filter") : (struct slice){0};
}

static const char *id_prefix(enum sim_block_kind kind) {
  return kind == SIM_THINKING ? "rs_" : kind == SIM_CALL ? "fc_" : "msg_";
}

static void put_id(const struct sim_answer *a, unsigned index, struct buf *out) {
  buf_byte(out, '"');
  sim_id_put(out, id_prefix(a->blocks[index].kind), a, 200 + index);
  buf_byte(out, '"');
}

static void put_part(const struct sim_block *b, uint64_t to, struct buf *out) {
  if (b->kind == SIM_REFUSAL) buf_text(out, "{\"type\":\"refusal\",\"refusal\":");
  else if (b->kind == SIM_THINKING) buf_text(out, "{\"type\":\"summary_text\",\"text\":");
  else buf_text(out, "{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":");
  sim_block_put(b, 0, to, out);
  buf_byte(out, '}');
}

/* The item of a block, empty at its start or whole at its end. */
static void put_item(const struct sim_answer *a, unsigned index, bool done, struct buf *out) {
  const struct sim_block *b = &a->blocks[index];
  buf_text(out, "{\"id\":");
  put_id(a, index, out);
  switch (b->kind) {
  case SIM_THINKING:
    buf_text(out, ",\"type\":\"reasoning\",\"encrypted_content\":\"" SEAL);
    sim_id_put(out, "", a, 300 + index);
    sim_id_put(out, "-_", a, 400 + index);
    buf_text(out, "==\",\"summary\":[");
    if (done) put_part(b, b->bytes, out);
    buf_text(out, "]}");
    break;
  case SIM_CALL:
    buf_text(out, done ? ",\"type\":\"function_call\",\"status\":\"completed\",\"arguments\":"
                       : ",\"type\":\"function_call\",\"status\":\"in_progress\",\"arguments\":");
    sim_block_put(b, 0, done ? b->bytes : 0, out);
    buf_text(out, ",\"call_id\":\"");
    sim_id_put(out, "call_", a, 100 + index);
    buf_text(out, "\",\"name\":");
    buf_slice(out, b->name);
    buf_byte(out, '}');
    break;
  case SIM_TEXT:
  case SIM_REFUSAL:
    buf_text(out, ",\"type\":\"message\",\"status\":\"");
    buf_text(out, !done ? "in_progress" : incomplete_reason(a).len > 0 ? "incomplete" : "completed");
    buf_text(out, "\",\"content\":[");
    if (done) put_part(b, b->bytes, out);
    buf_text(out, "],\"role\":\"assistant\"}");
    break;
  }
}

static void put_usage(const struct sim_answer *a, struct buf *out) {
  sim_put_count(out, "{\"input_tokens\":", a->input_tokens);
  sim_put_count(out, ",\"input_tokens_details\":{\"cached_tokens\":", a->cached_tokens);
  sim_put_count(out, "},\"output_tokens\":", a->output_tokens);
  sim_put_count(out, ",\"output_tokens_details\":{\"reasoning_tokens\":", a->thinking_tokens);
  sim_put_count(out, "},\"total_tokens\":", a->input_tokens + a->output_tokens);
  buf_byte(out, '}');
}

/* why: of a failed one; NULL otherwise. An answer that is not done has no items yet. */
static void put_response(const struct sim_answer *a, bool done, const struct sim_refusal *why, struct buf *out) {
  struct slice reason = done ? incomplete_reason(a) : (struct slice){0};
  buf_text(out, "{\"id\":\"");
  sim_id_put(out, "resp_", a, 1);
  sim_put_count(out, "\",\"object\":\"response\",\"created_at\":", SIM_OPENAI_CREATED + a->number);
  buf_text(out, ",\"status\":\"");
  buf_text(out, why != NULL ? "failed" : !done ? "in_progress" : reason.len > 0 ? "incomplete" : "completed");
  buf_text(out, "\",\"background\":false,\"error\":");
  if (why != NULL) {
    buf_text(out, "{\"code\":");
    json_put_string(out, why->status == 429 ? SLICE("rate_limit_exceeded") : SLICE("server_error"));
    buf_text(out, ",\"message\":");
    json_put_string(out, why->message.len > 0 ? why->message : SLICE("The server had an error."));
    buf_byte(out, '}');
  } else {
    buf_text(out, "null");
  }
  buf_text(out, ",\"incomplete_details\":");
  if (reason.len > 0) {
    buf_text(out, "{\"reason\":\"");
    buf_slice(out, reason);
    buf_text(out, "\"}");
  } else {
    buf_text(out, "null");
  }
  buf_text(out, ",\"instructions\":null,\"max_output_tokens\":null,\"max_tool_calls\":null,\"model\":");
  buf_slice(out, a->model);
  buf_text(out, ",\"output\":[");
  for (unsigned i = 0; done && i < a->block_count; i++) {
    if (i > 0) buf_byte(out, ',');
    put_item(a, i, true, out);
  }
  buf_text(out, "],\"parallel_tool_calls\":true,\"previous_response_id\":null,\"prompt_cache_key\":null,"
                "\"reasoning\":{\"effort\":\"medium\",\"summary\":null},\"safety_identifier\":null,"
                "\"service_tier\":\"default\",\"store\":false,\"temperature\":1.0,"
                "\"text\":{\"format\":{\"type\":\"text\"},\"verbosity\":\"medium\"},\"tool_choice\":\"auto\","
                "\"tools\":[],\"top_logprobs\":0,\"top_p\":1.0,\"truncation\":\"disabled\",\"usage\":");
  if (done && a->usage) put_usage(a, out);
  else buf_text(out, "null");
  buf_text(out, ",\"user\":null,\"metadata\":{}}");
}

static void whole(const struct sim_answer *a, struct buf *out) {
  put_response(a, true, NULL, out);
}

/* event: and data: up to the sequence number; the caller goes on with a comma and ends with put_end. */
static void put_event(const struct sim_answer *a, const char *name, struct buf *out) {
  buf_text(out, "event: ");
  buf_text(out, name);
  buf_text(out, "\ndata: {\"type\":\"");
  buf_text(out, name);
  sim_put_count(out, "\",\"sequence_number\":", a->event_number != NULL ? (*a->event_number)++ : 0);
}

static void put_end(struct buf *out) {
  buf_text(out, "}\n\n");
}

static void put_place(const struct sim_answer *a, unsigned index, struct buf *out) {
  buf_text(out, ",\"item_id\":");
  put_id(a, index, out);
  sim_put_count(out, ",\"output_index\":", index);
  if (a->blocks[index].kind == SIM_THINKING) buf_text(out, ",\"summary_index\":0");
  else if (a->blocks[index].kind != SIM_CALL) buf_text(out, ",\"content_index\":0");
}

static void put_response_event(const struct sim_answer *a, const char *name, bool done, const struct sim_refusal *why,
                               struct buf *out) {
  put_event(a, name, out);
  buf_text(out, ",\"response\":");
  put_response(a, done, why, out);
  put_end(out);
}

static void put_item_event(const struct sim_answer *a, const char *name, unsigned index, bool done, struct buf *out) {
  put_event(a, name, out);
  sim_put_count(out, ",\"output_index\":", index);
  buf_text(out, ",\"item\":");
  put_item(a, index, done, out);
  put_end(out);
}

static void put_part_event(const struct sim_answer *a, const char *name, unsigned index, bool done, struct buf *out) {
  const struct sim_block *b = &a->blocks[index];
  put_event(a, name, out);
  put_place(a, index, out);
  buf_text(out, ",\"part\":");
  put_part(b, done ? b->bytes : 0, out);
  put_end(out);
}

/* The names of a block's events. */
static const struct names {
  const char *added, *delta, *done, *part_done, *field; /* added NULL: no parts */
} names[] = {
    [SIM_THINKING] = {"response.reasoning_summary_part.added", "response.reasoning_summary_text.delta",
                      "response.reasoning_summary_text.done", "response.reasoning_summary_part.done", ",\"text\":"},
    [SIM_TEXT] = {"response.content_part.added", "response.output_text.delta", "response.output_text.done",
                  "response.content_part.done", ",\"logprobs\":[],\"text\":"},
    [SIM_REFUSAL] = {"response.content_part.added", "response.refusal.delta", "response.refusal.done",
                     "response.content_part.done", ",\"refusal\":"},
    [SIM_CALL] = {NULL, "response.function_call_arguments.delta", "response.function_call_arguments.done", NULL,
                  ",\"arguments\":"},
};

static void put_open(const struct sim_answer *a, unsigned index, struct buf *out) {
  const struct names *n = &names[a->blocks[index].kind];
  put_item_event(a, "response.output_item.added", index, false, out);
  if (n->added != NULL) put_part_event(a, n->added, index, false, out);
}

static void put_close(const struct sim_answer *a, unsigned index, struct buf *out) {
  const struct sim_block *b = &a->blocks[index];
  const struct names *n = &names[b->kind];
  put_event(a, n->done, out);
  put_place(a, index, out);
  buf_text(out, n->field);
  sim_block_put(b, 0, b->bytes, out);
  put_end(out);
  if (n->part_done != NULL) put_part_event(a, n->part_done, index, true, out);
  put_item_event(a, "response.output_item.done", index, true, out);
}

static void put_begin(const struct sim_answer *a, struct buf *out) {
  put_response_event(a, "response.created", false, NULL, out);
  put_response_event(a, "response.in_progress", false, NULL, out);
}

static void put_delta(const struct sim_answer *a, const struct sim_step *step, struct buf *out) {
  const struct sim_block *b = &a->blocks[step->block];
  put_event(a, names[b->kind].delta, out);
  put_place(a, step->block, out);
  buf_text(out, ",\"delta\":");
  sim_block_put(b, step->from, step->to, out);
  put_end(out);
}

static void put_last(const struct sim_answer *a, struct buf *out) {
  put_response_event(a, incomplete_reason(a).len > 0 ? "response.incomplete" : "response.completed", true, NULL, out);
}

static void error_event(const struct sim_answer *a, const struct sim_refusal *why, struct buf *out) {
  put_event(a, "error", out);
  sim_openai_put_error(why, ",\"error\":{", ",", "}", out);
  put_end(out);
  put_response_event(a, "response.failed", false, why, out);
}

const struct sim_dialect sim_openai_responses = {
    .name = "openai.responses",
    .path_end = SLICE_INIT("/responses"),
    .tool = tool,
    .begin = sim_answer_number_events,
    SIM_OWN_CHAT,
    .steps = {put_begin, put_open, put_delta, put_close, .end = put_last},
    SIM_OPENAI_PROVIDER,
};
