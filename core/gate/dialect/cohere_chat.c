/* dialect_cohere_chat: Cohere's chat, version 2, as the core sees it: named events from message-start to message-end,
 * which holds finish reason and usage, or the error. A stream's "[DONE]" after it says nothing. Source: the provider's
 * API reference and recorded traffic. Any thread. */
#include "gate/dialect/dialect.h"
#include "gate/dialect/dialect_read.h"

/* What is billed, which is far less than what the model saw ("tokens"); that counts where nothing is said to be billed.
 * Cached tokens are a part of the latter alone and are not billed apart. */
static void read_usage(struct reading *r, struct slice usage) {
  enum { BILLED_INPUT, BILLED_OUTPUT, SEARCHES, INPUT, OUTPUT, IMAGES, REASONING, CACHED, FIELDS };
  struct json_field f[FIELDS] = {
      [BILLED_INPUT] = {.key = SLICE_INIT("billed_units.input_tokens")},
      [BILLED_OUTPUT] = {.key = SLICE_INIT("billed_units.output_tokens")},
      [SEARCHES] = {.key = SLICE_INIT("billed_units.search_units")},
      [INPUT] = {.key = SLICE_INIT("tokens.input_tokens")},
      [OUTPUT] = {.key = SLICE_INIT("tokens.output_tokens")},
      [IMAGES] = {.key = SLICE_INIT("tokens.image_tokens")},
      [REASONING] = {.key = SLICE_INIT("tokens.reasoning_tokens")},
      [CACHED] = {.key = SLICE_INIT("cached_tokens")},
  };
  if (!json_pick(usage, f, FIELDS)) return;
  struct usage *u = &r->usage;
  bool billed = dialect_present(&f[BILLED_INPUT]) || dialect_present(&f[BILLED_OUTPUT]);
  u->input_tokens = billed ? dialect_number(f[BILLED_INPUT].raw, 0)
                           : dialect_number(f[INPUT].raw, 0) + dialect_number(f[IMAGES].raw, 0);
  u->output_tokens = dialect_number(f[billed ? BILLED_OUTPUT : OUTPUT].raw, 0);
  u->searches = dialect_number(f[SEARCHES].raw, 0);
  uint64_t reasoning = dialect_number(f[REASONING].raw, 0), cached = billed ? 0 : dialect_number(f[CACHED].raw, 0);
  u->reasoning_tokens = reasoning < u->output_tokens ? reasoning : u->output_tokens;
  u->cache_read_tokens = cached < u->input_tokens ? cached : u->input_tokens;
  u->source = USAGE_PROVIDER;
}

static enum finish_reason finish_of(struct slice raw) {
  static const struct finish_word rows[] = {
      {SLICE_INIT("COMPLETE"), FINISH_STOP},        {SLICE_INIT("STOP_SEQUENCE"), FINISH_STOP},
      {SLICE_INIT("MAX_TOKENS"), FINISH_LENGTH},    {SLICE_INIT("ERROR_LIMIT"), FINISH_LENGTH},
      {SLICE_INIT("TOOL_CALL"), FINISH_TOOL_CALLS}, {SLICE_INIT("ERROR_TOXIC"), FINISH_REFUSAL},
  };
  return dialect_finish(raw, rows, sizeof rows / sizeof *rows);
}

/* An answer that ends so came to no end. */
static bool is_failure(struct slice finish) {
  return slice_eq(finish, SLICE("\"ERROR\"")) || slice_eq(finish, SLICE("\"TIMEOUT\""));
}

static void read_error(struct reading *r, struct slice body) {
  dialect_read_error(r, body, SLICE("error_type"), SLICE("message"));
}

static void read_end(struct reading *r, struct slice data) {
  enum { FINISH, FAULT, USAGE, FIELDS };
  struct json_field f[FIELDS] = {
      [FINISH] = {.key = SLICE_INIT("delta.finish_reason")},
      [FAULT] = {.key = SLICE_INIT("delta.error")},
      [USAGE] = {.key = SLICE_INIT("delta.usage")},
  };
  if (!json_pick(data, f, FIELDS)) return;
  if (dialect_present(&f[USAGE])) read_usage(r, f[USAGE].raw);
  r->finish = finish_of(f[FINISH].raw);
  if (dialect_present(&f[FAULT]) || is_failure(f[FINISH].raw)) {
    r->failed = true;
    dialect_text(r->error_type, sizeof r->error_type, f[FINISH].raw);
    dialect_text(r->error_text, sizeof r->error_text, f[FAULT].raw);
    return;
  }
  r->complete = r->is_content = r->content_begun = true;
}

static bool read_content(struct json_cursor *c, struct delta *out) {
  struct slice key;
  if (*c->at != '{') return false;
  while (json_next_key(c, &key)) {
    bool is_text = slice_eq(key, SLICE("text"));
    if (!is_text && !slice_eq(key, SLICE("thinking"))) json_take(c);
    else if (!dialect_take_piece(c, is_text ? DELTA_TEXT : DELTA_THINKING, out)) return false;
  }
  return true;
}

static bool take_arguments(struct json_cursor *c, struct delta *out) {
  return dialect_take_piece(c, DELTA_ARGUMENTS, out);
}

static bool read_function(struct json_cursor *c, struct delta *out) {
  return dialect_take_member(c, SLICE("arguments"), take_arguments, out);
}

enum { PLAN_PART = 1 }; /* a plan is a thought of its own kind */

static bool read_message(struct json_cursor *c, struct delta *out) {
  struct slice key;
  if (*c->at != '{') return false;
  while (json_next_key(c, &key)) {
    bool taken = true;
    if (slice_eq(key, SLICE("content"))) taken = read_content(c, out);
    else if (slice_eq(key, SLICE("tool_calls"))) taken = dialect_take_member(c, SLICE("function"), read_function, out);
    else if (!slice_eq(key, SLICE("tool_plan"))) json_take(c);
    else taken = dialect_take_piece(c, DELTA_THINKING, out), out->part = PLAN_PART;
    if (!taken) return false;
  }
  return true;
}

/* Whether an event of this type has such a piece; what else is in it, the reader in Lua does not look at. */
static bool is_of_type(struct slice type, const struct delta *d) {
  if (d->part == PLAN_PART) return slice_eq(type, SLICE("\"tool-plan-delta\""));
  return slice_eq(type, d->kind == DELTA_ARGUMENTS ? SLICE("\"tool-call-delta\"") : SLICE("\"content-delta\""));
}

static bool read_delta(const struct stream_event *e, struct delta *out) {
  struct json_cursor c = json_cursor_of(e->data);
  struct slice key, type = {0};
  int64_t index = -1;
  if (c.at == c.end || *c.at != '{') return false;
  while (json_next_key(&c, &key)) {
    if (slice_eq(key, SLICE("delta"))) {
      if (!dialect_take_member(&c, SLICE("message"), read_message, out)) return false;
    } else if (slice_eq(key, SLICE("index"))) {
      if (index >= 0 || !dialect_take_index(&c, &index)) return false;
    } else if (slice_eq(key, SLICE("type"))) {
      if (type.ptr != NULL) return false;
      type = json_take(&c);
    } else if (slice_eq(key, SLICE("logprobs"))) {
      if (!json_take_null(&c)) return false;
    } else {
      json_take(&c);
    }
  }
  if (out->kind == DELTA_ARGUMENTS) out->place = index;
  return out->raw.ptr != NULL && json_ended(&c) && is_of_type(type, out);
}

static bool says_something(struct slice type) {
  return slice_eq(type, SLICE("content-delta")) || slice_eq(type, SLICE("tool-call-delta")) ||
         slice_eq(type, SLICE("tool-plan-delta")) || slice_eq(type, SLICE("tool-call-start"));
}

static void read_event(struct reading *r, const struct stream_event *e) {
  if (!dialect_begin_event(r, e)) return;
  struct slice type;
  if (!dialect_event_type(e, &type)) {
    /* An error in place of an event: {"message": …, "id": …}. */
    static const char *const message[] = {"message", NULL};
    r->failed = json_find(e->data, message).ptr != NULL;
    if (r->failed) read_error(r, e->data);
    return;
  }
  if (says_something(type)) {
    r->is_content = !dialect_ends_empty(e->data);
    if (r->is_content) r->content_begun = true;
  } else if (slice_eq(type, SLICE("message-end"))) {
    read_end(r, e->data);
  } else if (slice_eq(type, SLICE("error"))) {
    r->failed = true;
    read_error(r, e->data);
  }
}

static void read_answer(struct reading *r, struct slice body) {
  enum { MESSAGE, FINISH, USAGE, FIELDS };
  struct json_field f[FIELDS] = {
      [MESSAGE] = {.key = SLICE_INIT("message")},
      [FINISH] = {.key = SLICE_INIT("finish_reason")},
      [USAGE] = {.key = SLICE_INIT("usage")},
  };
  if (!json_fields(body, f, FIELDS, NULL)) return;
  if (f[MESSAGE].raw.ptr != NULL && f[MESSAGE].kind == JSON_STRING) {
    r->failed = true;
    read_error(r, body);
    return;
  }
  if (dialect_present(&f[USAGE])) read_usage(r, f[USAGE].raw);
  r->finish = finish_of(f[FINISH].raw);
  r->complete = r->content_begun = f[MESSAGE].raw.ptr != NULL && f[MESSAGE].kind == JSON_OBJECT;
}

static void put_id(struct buf *out, struct slice request_id) {
  buf_text(out, "\"id\":");
  json_put_string(out, request_id);
}

static void put_fault(struct buf *out, const struct fault *f, struct slice request_id) {
  buf_byte(out, '{');
  put_id(out, request_id);
  buf_text(out, ",\"message\":");
  dialect_put_message(out, f, true, true);
  buf_byte(out, '}');
}

/* The last event tells the error; "[DONE]" does not follow, it would say that all is well. */
static void put_stream_fault(struct buf *out, const struct fault *f, const struct stream_place *at,
                             struct slice request_id) {
  (void)at;
  buf_text(out, "event: message-end\ndata: {\"type\":\"message-end\",");
  put_id(out, request_id);
  buf_text(out, ",\"delta\":{\"error\":");
  dialect_put_message(out, f, true, true);
  buf_text(out, ",\"finish_reason\":");
  buf_text(out, fault_status(f) == 504 ? "\"TIMEOUT\"}}\n\n" : "\"ERROR\"}}\n\n");
}

const struct dialect dialect_cohere_chat = {
    .name = "cohere.chat",
    .path_prefix = SLICE_INIT("/v2/"),
    .request = {.fields = {[ASKED_MODEL] = SLICE_INIT("model"),
                           [ASKED_STREAM] = SLICE_INIT("stream"),
                           [ASKED_LIMIT] = SLICE_INIT("max_tokens"),
                           [ASKED_MESSAGES] = SLICE_INIT("messages"),
                           [ASKED_SYSTEM] = SLICE_INIT("documents"), /* beside the messages, and as much read */
                           [ASKED_TOOLS] = SLICE_INIT("tools")}},
    .provider_path = SLICE_INIT("/chat"),
    DIALECT_READERS,
    .put_fault = put_fault,
    .put_stream_fault = put_stream_fault,
};
