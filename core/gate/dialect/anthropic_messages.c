/* dialect_anthropic_messages: Anthropic Messages as the core sees it. Usage comes twice, at message_start (input,
 * cache) and cumulative at message_delta, whose values replace earlier ones. Source: the provider's API reference and
 * recorded traffic. Any thread. */
#include "gate/dialect/dialect.h"
#include "gate/dialect/dialect_read.h"

/* input_tokens excludes what the cache served or took; here input is all of it. Fields that a later event leaves out
 * keep their value. */
static void read_usage(struct reading *r, struct slice usage) {
  enum { INPUT, OUTPUT, CACHE_READ, CACHE_WRITE, CACHE_1H, SEARCHES, THINKING, TIER, FIELDS };
  struct json_field f[FIELDS] = {
      [INPUT] = {.key = SLICE_INIT("input_tokens")},
      [OUTPUT] = {.key = SLICE_INIT("output_tokens")},
      [CACHE_READ] = {.key = SLICE_INIT("cache_read_input_tokens")},
      [CACHE_WRITE] = {.key = SLICE_INIT("cache_creation_input_tokens")},
      [CACHE_1H] = {.key = SLICE_INIT("cache_creation.ephemeral_1h_input_tokens")},
      [SEARCHES] = {.key = SLICE_INIT("server_tool_use.web_search_requests")},
      [THINKING] = {.key = SLICE_INIT("output_tokens_details.thinking_tokens")},
      [TIER] = {.key = SLICE_INIT("service_tier")},
  };
  if (!json_pick(usage, f, FIELDS)) return;
  struct usage *u = &r->usage;
  uint64_t written = u->cache_write_tokens + u->cache_write_1h_tokens;
  uint64_t plain = u->input_tokens - u->cache_read_tokens - written;
  uint64_t hour = dialect_number(f[CACHE_1H].raw, u->cache_write_1h_tokens);
  plain = dialect_number(f[INPUT].raw, plain);
  u->cache_read_tokens = dialect_number(f[CACHE_READ].raw, u->cache_read_tokens);
  written = dialect_number(f[CACHE_WRITE].raw, written);
  dialect_count_written(u, plain, written, hour);
  u->output_tokens = dialect_number(f[OUTPUT].raw, u->output_tokens);
  u->searches = dialect_number(f[SEARCHES].raw, u->searches);
  uint64_t thought = dialect_number(f[THINKING].raw, u->reasoning_tokens);
  u->reasoning_tokens = thought < u->output_tokens ? thought : u->output_tokens;
  u->tier = dialect_tier(f[TIER].raw, u->tier);
  u->source = USAGE_PROVIDER;
}

static enum finish_reason finish_of(struct slice raw) {
  static const struct finish_word rows[] = {
      {SLICE_INIT("end_turn"), FINISH_STOP},       {SLICE_INIT("stop_sequence"), FINISH_STOP},
      {SLICE_INIT("max_tokens"), FINISH_LENGTH},   {SLICE_INIT("model_context_window_exceeded"), FINISH_LENGTH},
      {SLICE_INIT("tool_use"), FINISH_TOOL_CALLS}, {SLICE_INIT("refusal"), FINISH_REFUSAL},
      {SLICE_INIT("pause_turn"), FINISH_PAUSE},
  };
  return dialect_finish(raw, rows, sizeof rows / sizeof *rows);
}

static void read_error(struct reading *r, struct slice body) {
  dialect_read_error(r, body, SLICE("error.type"), SLICE("error.message"));
}

/* The kinds of deltas that are one piece each, and the field that has it. */
static const struct piece {
  struct slice type, field;
  enum delta_kind kind;
} pieces[] = {{SLICE_INIT("\"text_delta\""), SLICE_INIT("text"), DELTA_TEXT},
              {SLICE_INIT("\"thinking_delta\""), SLICE_INIT("thinking"), DELTA_THINKING},
              {SLICE_INIT("\"input_json_delta\""), SLICE_INIT("partial_json"), DELTA_ARGUMENTS}};

static bool read_piece(struct json_cursor *c, struct delta *out) {
  struct slice key, type = {0};
  const struct piece *found = NULL;
  if (*c->at != '{') return false;
  while (json_next_key(c, &key)) {
    if (slice_eq(key, SLICE("type"))) {
      if (type.ptr != NULL) return false;
      type = json_take(c);
      continue;
    }
    const struct piece *p = NULL;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
      if (slice_eq(key, pieces[i].field)) p = &pieces[i];
    if (p == NULL || !dialect_take_piece(c, p->kind, out)) return false;
    found = p;
  }
  return found != NULL && slice_eq(type, found->type);
}

/* A text and a thought go on wherever the last one stands; arguments belong to the call of a block. */
static bool read_delta(const struct stream_event *e, struct delta *out) {
  struct json_cursor c = json_cursor_of(e->data);
  struct slice key;
  int64_t index = -1;
  bool is_delta = false;
  if (c.at == c.end || *c.at != '{') return false;
  while (json_next_key(&c, &key)) {
    if (slice_eq(key, SLICE("type"))) {
      if (is_delta || !slice_eq(json_take(&c), SLICE("\"content_block_delta\""))) return false;
      is_delta = true;
    } else if (slice_eq(key, SLICE("index"))) {
      if (index >= 0 || !dialect_take_index(&c, &index)) return false;
    } else if (slice_eq(key, SLICE("delta"))) {
      if (!read_piece(&c, out)) return false;
    } else {
      json_take(&c);
    }
  }
  if (out->kind == DELTA_ARGUMENTS) out->place = index;
  return is_delta && out->raw.ptr != NULL && json_ended(&c);
}

static void read_event(struct reading *r, const struct stream_event *e) {
  struct slice type;
  if (!dialect_begin_event(r, e) || !dialect_event_type(e, &type)) return;
  if (slice_eq(type, SLICE("content_block_delta"))) {
    r->is_content = !dialect_ends_empty(e->data);
    if (r->is_content) r->content_begun = true;
  } else if (slice_eq(type, SLICE("content_block_start"))) {
    /* A text block starts empty; every other kind (tool use, thinking with data, server results) says something. */
    static const char *const path[] = {"content_block", "type", NULL};
    struct slice kind;
    r->is_content = json_plain(json_find(e->data, path), &kind) && !slice_eq(kind, SLICE("text")) &&
                    !slice_eq(kind, SLICE("thinking"));
    if (r->is_content) r->content_begun = true;
  } else if (slice_eq(type, SLICE("message_start"))) {
    static const char *const path[] = {"message", "usage", NULL};
    struct slice usage = json_find(e->data, path);
    if (usage.ptr != NULL) read_usage(r, usage);
  } else if (slice_eq(type, SLICE("message_delta"))) {
    struct json_field f[] = {{.key = SLICE_INIT("delta.stop_reason")}, {.key = SLICE_INIT("usage")}};
    if (!json_pick(e->data, f, 2)) return;
    enum finish_reason finish = finish_of(f[0].raw);
    if (finish != FINISH_NONE) r->finish = finish, r->is_content = r->content_begun = true;
    if (dialect_present(&f[1])) read_usage(r, f[1].raw);
  } else if (slice_eq(type, SLICE("message_stop"))) {
    r->complete = true;
  } else if (slice_eq(type, SLICE("error"))) {
    r->failed = true;
    read_error(r, e->data);
  }
}

static void read_answer(struct reading *r, struct slice body) {
  enum { TYPE, STOP, USAGE, CONTENT, FIELDS };
  struct json_field f[FIELDS] = {
      [TYPE] = {.key = SLICE_INIT("type")},
      [STOP] = {.key = SLICE_INIT("stop_reason")},
      [USAGE] = {.key = SLICE_INIT("usage")},
      [CONTENT] = {.key = SLICE_INIT("content")},
  };
  if (!json_fields(body, f, FIELDS, NULL)) return;
  if (slice_eq(f[TYPE].raw, SLICE("\"error\""))) {
    r->failed = true;
    read_error(r, body);
    return;
  }
  if (dialect_present(&f[USAGE])) read_usage(r, f[USAGE].raw);
  r->finish = finish_of(f[STOP].raw);
  r->complete = r->content_begun = f[CONTENT].raw.ptr != NULL && f[CONTENT].kind == JSON_ARRAY;
}

static void put_fault(struct buf *out, const struct fault *f, struct slice request_id) {
  const struct fault_row *row = fault_row(f->code);
  buf_text(out, "{\"type\":\"error\",\"error\":{\"type\":\"");
  buf_text(out, row->anthropic_type);
  buf_text(out, "\",\"message\":");
  dialect_put_message(out, f, true, true);
  buf_text(out, "},\"request_id\":");
  if (request_id.len > 0) json_put_string(out, request_id);
  else buf_text(out, "null");
  buf_text(out, "}");
}

static void put_stream_fault(struct buf *out, const struct fault *f, const struct stream_place *at,
                             struct slice request_id) {
  (void)at;
  buf_text(out, "event: error\ndata: ");
  put_fault(out, f, request_id);
  buf_text(out, "\n\n");
}

const struct dialect dialect_anthropic_messages = {
    .name = "anthropic.messages",
    .path_prefix = SLICE_INIT("/v1/messages"),
    .request = {.fields = {[ASKED_MODEL] = SLICE_INIT("model"),
                           [ASKED_STREAM] = SLICE_INIT("stream"),
                           [ASKED_LIMIT] = SLICE_INIT("max_tokens"),
                           [ASKED_MESSAGES] = SLICE_INIT("messages"),
                           [ASKED_SYSTEM] = SLICE_INIT("system"),
                           [ASKED_TOOLS] = SLICE_INIT("tools")}},
    .provider_path = SLICE_INIT("/messages"),
    .request_id_header = SLICE_INIT("request-id"),
    DIALECT_READERS,
    .put_fault = put_fault,
    .put_stream_fault = put_stream_fault,
};
