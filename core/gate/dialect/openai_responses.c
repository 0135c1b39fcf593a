/* dialect_openai_responses: OpenAI Responses as the core sees it: events that say what they are in "type" (and mostly
 * in their SSE name, too); the last one holds the whole response with its usage. There is no finish reason: it follows
 * from the status and from the items. Source: the provider's API reference and recorded traffic. Any thread. */
#include "gate/dialect/dialect.h"
#include "gate/dialect/dialect_read.h"
#include "gate/dialect/openai_error.h"

/* usage: {"input_tokens","input_tokens_details":{"cached_tokens","cache_write_tokens"},"output_tokens",
 * "output_tokens_details":{"reasoning_tokens"}}; both totals include their parts. */
static void read_usage(struct reading *r, struct slice usage, struct slice tier) {
  enum { CACHED, WRITTEN, REASONING, COST, TICKS, WEB, X, KEYS };
  struct json_sight f[KEYS] = {
      [CACHED] = {.key = SLICE_INIT("cached_tokens")},       [WRITTEN] = {.key = SLICE_INIT("cache_write_tokens")},
      [REASONING] = {.key = SLICE_INIT("reasoning_tokens")}, [COST] = {.key = SLICE_INIT("cost")},
      [TICKS] = {.key = SLICE_INIT("cost_in_usd_ticks")},    [WEB] = {.key = SLICE_INIT("web_search_calls")},
      [X] = {.key = SLICE_INIT("x_search_calls")},
  };
  /* The totals by their place: xAI repeats their names in an object before them. */
  static const char *const input[] = {"input_tokens", NULL}, *const output[] = {"output_tokens", NULL};
  struct slice total = json_find(usage, input);
  if (total.ptr == NULL) return;
  json_glance(usage, f, KEYS);
  struct usage *u = &r->usage;
  *u = (struct usage){.source = USAGE_PROVIDER, .searches = u->searches};
  u->input_tokens = dialect_number(total, 0);
  u->output_tokens = dialect_number(json_find(usage, output), 0);
  u->cache_read_tokens = dialect_number_at(&f[CACHED], usage, 0);
  u->cache_write_tokens = dialect_number_at(&f[WRITTEN], usage, 0);
  u->reasoning_tokens = dialect_number_at(&f[REASONING], usage, 0);
  if (f[WEB].value != NULL) /* xAI */
    u->searches = dialect_number_at(&f[WEB], usage, 0) + dialect_number_at(&f[X], usage, 0);
  if (f[COST].value != NULL || f[TICKS].value != NULL) dialect_read_cost(u, usage);
  dialect_count_beside(u, 0);
  u->tier = dialect_tier(tier, u->tier);
}

/* error: {"code","message"} in a response, {"type","code","message","param"} in an event or a body. */
static void read_error_object(struct reading *r, struct slice error) {
  enum { TYPE, CODE, MESSAGE, FIELDS };
  struct json_field f[FIELDS] = {[TYPE] = {.key = SLICE_INIT("type")},
                                 [CODE] = {.key = SLICE_INIT("code")},
                                 [MESSAGE] = {.key = SLICE_INIT("message")}};
  if (!json_pick(error, f, FIELDS)) return;
  struct slice named = f[CODE].raw.ptr != NULL && f[CODE].kind == JSON_STRING ? f[CODE].raw : f[TYPE].raw;
  dialect_text(r->error_type, sizeof r->error_type, named);
  dialect_text(r->error_text, sizeof r->error_text, f[MESSAGE].raw);
}

/* {"error":{…}}, as most servers that speak it, {"error":"text"}, or the fields at the top. */
static void read_error(struct reading *r, struct slice body) {
  struct json_field f[] = {{.key = SLICE_INIT("error")}, {.key = SLICE_INIT("detail")}};
  if (!json_pick(body, f, 2)) return;
  if (!dialect_present(&f[0])) {
    read_error_object(r, body);
    if (r->error_text[0] == '\0') dialect_text(r->error_text, sizeof r->error_text, f[1].raw);
  } else if (f[0].kind == JSON_OBJECT) {
    read_error_object(r, f[0].raw);
  } else {
    dialect_text(r->error_text, sizeof r->error_text, f[0].raw);
  }
}

/* What a response object says at its end, wherever it stands. */
enum { STATUS, USAGE, ERROR, REASON, OUTPUT, TIER, SEARCHES, RESPONSE_FIELDS };

static void read_response(struct reading *r, const struct json_field f[RESPONSE_FIELDS]) {
  struct slice word = {0};
  if (f[SEARCHES].raw.ptr != NULL) r->usage.searches = dialect_number(f[SEARCHES].raw, 0);
  if (f[USAGE].raw.ptr != NULL && f[USAGE].kind == JSON_OBJECT) read_usage(r, f[USAGE].raw, f[TIER].raw);
  if (dialect_present(&f[ERROR])) {
    r->failed = true;
    read_error_object(r, f[ERROR].raw);
    return;
  }
  if (f[REASON].raw.ptr != NULL && json_plain(f[REASON].raw, &word)) {
    if (slice_eq(word, SLICE("content_filter"))) r->finish = FINISH_REFUSAL;
    else r->finish = slice_starts(word, SLICE("max_")) ? FINISH_LENGTH : FINISH_OTHER;
  } else if (r->finish == FINISH_NONE && json_plain(f[STATUS].raw, &word) && slice_eq(word, SLICE("completed"))) {
    r->finish = FINISH_STOP;
  }
}

/* Whether the text has this as a value of its own: quotes within strings are escaped. */
static bool holds(struct slice text, struct slice quoted) {
  return text.ptr != NULL && memmem(text.ptr, text.len, quoted.ptr, quoted.len) != NULL;
}

static void note_items(struct reading *r, struct slice items) {
  if (holds(items, SLICE("\"function_call\"")) || holds(items, SLICE("\"custom_tool_call\"")))
    r->finish = FINISH_TOOL_CALLS;
  else if (holds(items, SLICE("\"refusal\""))) r->finish = FINISH_REFUSAL;
}

static void read_end(struct reading *r, struct slice event) {
  struct json_field f[RESPONSE_FIELDS] = {
      [STATUS] = {.key = SLICE_INIT("response.status")},
      [USAGE] = {.key = SLICE_INIT("response.usage")},
      [ERROR] = {.key = SLICE_INIT("response.error")},
      [REASON] = {.key = SLICE_INIT("response.incomplete_details.reason")},
      [OUTPUT] = {.key = SLICE_INIT("response.output")},
      [TIER] = {.key = SLICE_INIT("response.service_tier")},
      [SEARCHES] = {.key = SLICE_INIT("response.tool_usage.web_search.num_requests")},
  };
  if (!json_pick(event, f, RESPONSE_FIELDS)) return;
  /* A server may send no items before. */
  if (r->finish == FINISH_NONE) note_items(r, f[OUTPUT].raw);
  read_response(r, f);
}

/* An item has begun, or is there as a whole. Thoughts and text begin with their first delta, everything else now. */
static void read_item(struct reading *r, struct slice event, bool is_done) {
  struct json_field f[] = {{.key = SLICE_INIT("item.type")}, {.key = SLICE_INIT("item")}};
  struct slice type;
  if (!json_pick(event, f, 2) || !json_plain(f[0].raw, &type)) return;
  bool is_text = slice_eq(type, SLICE("message")) || slice_eq(type, SLICE("reasoning"));
  if (!is_text) note_items(r, f[1].raw);
  else if (is_done && slice_eq(type, SLICE("message")) && r->finish == FINISH_NONE) note_items(r, f[1].raw);
  r->is_content = is_done || !is_text;
}

/* The events that are one piece each. Thoughts are told in full or as a summary, and the parts of each are numbered
 * from 0: those of the former get the numbers below 0. */
static const struct piece {
  struct slice type;
  enum delta_kind kind;
  bool is_full;
} pieces[] = {
    {SLICE_INIT("\"response.output_text.delta\""), DELTA_TEXT, false},
    {SLICE_INIT("\"response.function_call_arguments.delta\""), DELTA_ARGUMENTS, false},
    {SLICE_INIT("\"response.reasoning_summary_text.delta\""), DELTA_THINKING, false},
    {SLICE_INIT("\"response.reasoning_text.delta\""), DELTA_THINKING, true},
};

static const struct piece *piece_named(struct slice type) {
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
    if (slice_eq(pieces[i].type, type)) return &pieces[i];
  return NULL;
}

static bool read_delta(const struct stream_event *e, struct delta *out) {
  struct json_cursor c = json_cursor_of(e->data);
  struct slice key, type = {0};
  int64_t item = -1, content = -1, summary = -1;
  if (c.at == c.end || *c.at != '{') return false;
  while (json_next_key(&c, &key)) {
    bool known = true;
    if (slice_eq(key, SLICE("type"))) {
      known = type.ptr == NULL;
      type = json_take(&c);
    } else if (slice_eq(key, SLICE("delta"))) {
      known = dialect_take_piece(&c, DELTA_TEXT, out);
    } else if (slice_eq(key, SLICE("output_index"))) {
      known = item < 0 && dialect_take_index(&c, &item);
    } else if (slice_eq(key, SLICE("content_index"))) {
      known = content < 0 && dialect_take_index(&c, &content);
    } else if (slice_eq(key, SLICE("summary_index"))) {
      known = summary < 0 && dialect_take_index(&c, &summary);
    } else if (slice_eq(key, SLICE("logprobs"))) {
      known = *c.at == '[' ? slice_eq(json_take(&c), SLICE("[]")) : json_take_null(&c);
    } else {
      json_take(&c);
    }
    if (!known) return false;
  }
  const struct piece *p = piece_named(type);
  if (p == NULL || out->raw.ptr == NULL || item < 0 || !json_ended(&c)) return false;
  out->kind = p->kind;
  out->place = item;
  if (p->kind != DELTA_THINKING) return true;
  out->part = p->is_full ? -1 - content : summary;
  return (p->is_full ? content : summary) >= 0;
}

static void read_event(struct reading *r, const struct stream_event *e) {
  struct slice type;
  if (!dialect_begin_event(r, e) || !dialect_event_type(e, &type)) return;
  if (slice_ends(type, SLICE(".delta"))) {
    struct json_sight delta = {.key = SLICE_INIT("delta")};
    json_glance(e->data, &delta, 1);
    /* Some servers begin with an empty one, which says nothing yet. */
    r->is_content = delta.value == NULL || delta.value[0] != '"' || delta.value[1] != '"';
  } else if (slice_eq(type, SLICE("response.output_item.added"))) {
    read_item(r, e->data, false);
  } else if (slice_eq(type, SLICE("response.output_item.done"))) {
    read_item(r, e->data, true);
  } else if (slice_ends(type, SLICE(".done")) && !slice_eq(type, SLICE("response.done"))) {
    r->is_content = r->content_begun;
  } else if (slice_eq(type, SLICE("response.completed")) || slice_eq(type, SLICE("response.incomplete")) ||
             slice_eq(type, SLICE("response.done"))) {
    read_end(r, e->data);
    r->complete = r->is_content = !r->failed;
  } else if (slice_eq(type, SLICE("response.failed")) || slice_eq(type, SLICE("response.cancelled"))) {
    read_end(r, e->data);
    r->failed = true;
  } else if (slice_eq(type, SLICE("error"))) {
    r->failed = true;
    read_error(r, e->data);
  }
  if (r->is_content) r->content_begun = true;
}

static void read_answer(struct reading *r, struct slice body) {
  enum { DETAILS = REASON, TOOLS = SEARCHES };
  struct json_field f[RESPONSE_FIELDS] = {
      [STATUS] = {.key = SLICE_INIT("status")},    [USAGE] = {.key = SLICE_INIT("usage")},
      [ERROR] = {.key = SLICE_INIT("error")},      [DETAILS] = {.key = SLICE_INIT("incomplete_details")},
      [OUTPUT] = {.key = SLICE_INIT("output")},    [TIER] = {.key = SLICE_INIT("service_tier")},
      [TOOLS] = {.key = SLICE_INIT("tool_usage")},
  };
  if (!json_fields(body, f, RESPONSE_FIELDS, NULL)) return;
  static const char *const reason[] = {"reason", NULL}, *const searches[] = {"web_search", "num_requests", NULL};
  f[REASON].raw = f[DETAILS].kind == JSON_OBJECT ? json_find(f[DETAILS].raw, reason) : (struct slice){0};
  f[SEARCHES].raw = f[TOOLS].kind == JSON_OBJECT ? json_find(f[TOOLS].raw, searches) : (struct slice){0};
  if (f[OUTPUT].raw.ptr != NULL && f[OUTPUT].kind == JSON_ARRAY) {
    note_items(r, f[OUTPUT].raw);
    r->complete = r->content_begun = true;
  }
  read_response(r, f);
  if (r->failed) r->complete = r->content_begun = false;
}

/* The last number counts. It stands in each event, ours and the service's; within a text the quote behind the name has
 * a backslash. This runs for every event: hardly another one of its letters is as rare as the q. */
static void note_sent(uint64_t *next, struct slice bytes) {
  static const struct slice name = SLICE_INIT("\"sequence_number\":");
  enum { BEFORE_Q = 3 };
  struct slice rest = bytes;
  for (const char *q; rest.len > 0 && (q = memrchr(rest.ptr, 'q', rest.len)) != NULL;) {
    rest.len = (size_t)(q - rest.ptr);
    struct slice at = rest.len < BEFORE_Q ? SLICE("") : slice_from(bytes, rest.len - BEFORE_Q);
    if (!slice_starts(at, name)) continue;
    at = slice_from(at, name.len);
    while (at.len > 0 && *at.ptr == ' ') at = slice_from(at, 1);
    size_t digits = 0;
    while (digits < at.len && at.ptr[digits] >= '0' && at.ptr[digits] <= '9') digits++;
    uint64_t n;
    if (!slice_to_u64(slice_of(at.ptr, digits), &n)) continue;
    *next = n + 1;
    return;
  }
}

/* The fields stand beside the type, as the reference has them, and in "error", as the service sends them and its client
 * libraries raise them. */
static void put_stream_fault(struct buf *out, const struct fault *f, const struct stream_place *at,
                             struct slice request_id) {
  (void)request_id;
  buf_text(out, "event: error\ndata: {\"type\":\"error\",\"error\":");
  openai_error_put_object(out, f);
  buf_text(out, ",\"code\":");
  json_put_string(out, slice_text(fault_code_text(f)));
  buf_text(out, ",\"message\":");
  dialect_put_message(out, f, false, false);
  buf_text(out, ",\"param\":null,\"sequence_number\":");
  buf_u64(out, at->number);
  buf_text(out, "}\n\n");
}

const struct dialect dialect_openai_responses = {
    .name = "openai.responses",
    .path_prefix = SLICE_INIT("/v1/responses"),
    .request = {.fields = {[ASKED_MODEL] = SLICE_INIT("model"),
                           [ASKED_STREAM] = SLICE_INIT("stream"),
                           [ASKED_LIMIT] = SLICE_INIT("max_output_tokens"),
                           [ASKED_MESSAGES] = SLICE_INIT("input"),
                           [ASKED_SYSTEM] = SLICE_INIT("instructions"),
                           [ASKED_TOOLS] = SLICE_INIT("tools"),
                           [ASKED_PREVIOUS] = SLICE_INIT("previous_response_id"),
                           [ASKED_STORE] = SLICE_INIT("store")},
                .messages_may_be_text = true,
                .messages_optional = true},
    .provider_path = SLICE_INIT("/responses"),
    DIALECT_READERS,
    .put_fault = openai_error_put,
    .put_stream_fault = put_stream_fault,
    .note_sent = note_sent,
};
