/* dialect_bedrock_converse: Amazon Bedrock's Converse as the core sees it: the model and whether to stream are in the
 * path; a stream is AWS messages, and an exception may come as one of them. Source: the provider's API reference and
 * recorded traffic. Any thread. */
#include "gate/dialect/dialect.h"
#include "gate/dialect/dialect_read.h"

/* The class of an error stands in a header over HTTP, in ":exception-type" within a stream, seldom in the body; there
 * it may have a namespace before '#', in the header a URL behind ':'. */
static void set_class(struct reading *r, struct slice text) {
  ptrdiff_t hash = slice_find_byte(text, '#');
  if (hash >= 0) text = slice_from(text, (size_t)hash + 1);
  ptrdiff_t colon = slice_find_byte(text, ':');
  if (colon >= 0) text.len = (size_t)colon;
  if (text.len >= sizeof r->error_type) text.len = sizeof r->error_type - 1;
  if (text.len > 0) memmove(r->error_type, text.ptr, text.len);
  r->error_type[text.len] = '\0';
}

static void read_error(struct reading *r, struct slice body) {
  enum { TYPE, MESSAGE, CAPITAL, FIELDS };
  struct json_field f[FIELDS] = {[TYPE] = {.key = SLICE_INIT("__type")},
                                 [MESSAGE] = {.key = SLICE_INIT("message")},
                                 [CAPITAL] = {.key = SLICE_INIT("Message")}};
  struct slice named;
  if (json_pick(body, f, FIELDS)) {
    dialect_text(r->error_text, sizeof r->error_text, f[f[MESSAGE].raw.ptr != NULL ? MESSAGE : CAPITAL].raw);
    if (json_plain(f[TYPE].raw, &named)) {
      set_class(r, named);
      return;
    }
  }
  set_class(r, slice_text(r->error_type));
}

/* inputTokens excludes what the cache served or took; here input is all of it. Written tokens are told by their age in
 * cacheDetails, at most one entry for each of the two. */
static void read_usage(struct reading *r, struct slice body) {
  enum { INPUT, OUTPUT, READ, WRITTEN, TTL_0, COUNT_0, TTL_1, COUNT_1, FIELDS };
  struct json_field f[FIELDS] = {
      [INPUT] = {.key = SLICE_INIT("usage.inputTokens")},
      [OUTPUT] = {.key = SLICE_INIT("usage.outputTokens")},
      [READ] = {.key = SLICE_INIT("usage.cacheReadInputTokens")},
      [WRITTEN] = {.key = SLICE_INIT("usage.cacheWriteInputTokens")},
      [TTL_0] = {.key = SLICE_INIT("usage.cacheDetails.0.ttl")},
      [COUNT_0] = {.key = SLICE_INIT("usage.cacheDetails.0.inputTokens")},
      [TTL_1] = {.key = SLICE_INIT("usage.cacheDetails.1.ttl")},
      [COUNT_1] = {.key = SLICE_INIT("usage.cacheDetails.1.inputTokens")},
  };
  if (!json_pick(body, f, FIELDS) || f[OUTPUT].raw.ptr == NULL) return;
  struct usage *u = &r->usage;
  uint64_t written = dialect_number(f[WRITTEN].raw, 0), hour = 0;
  if (slice_eq(f[TTL_0].raw, SLICE("\"1h\""))) hour = dialect_number(f[COUNT_0].raw, 0);
  else if (slice_eq(f[TTL_1].raw, SLICE("\"1h\""))) hour = dialect_number(f[COUNT_1].raw, 0);
  u->cache_read_tokens = dialect_number(f[READ].raw, 0);
  dialect_count_written(u, dialect_number(f[INPUT].raw, 0), written, hour);
  u->output_tokens = dialect_number(f[OUTPUT].raw, 0);
  u->source = USAGE_PROVIDER;
}

static enum finish_reason finish_of(struct slice raw) {
  static const struct finish_word rows[] = {
      {SLICE_INIT("end_turn"), FINISH_STOP},
      {SLICE_INIT("stop_sequence"), FINISH_STOP},
      {SLICE_INIT("tool_use"), FINISH_TOOL_CALLS},
      {SLICE_INIT("max_tokens"), FINISH_LENGTH},
      {SLICE_INIT("model_context_window_exceeded"), FINISH_LENGTH},
      {SLICE_INIT("guardrail_intervened"), FINISH_REFUSAL},
      {SLICE_INIT("content_filtered"), FINISH_REFUSAL},
  };
  return dialect_finish(raw, rows, sizeof rows / sizeof *rows);
}

/* {"text"}, {"reasoningContent":{"text"}} or {"toolUse":{"input"}}, and nothing else. */
static bool read_piece(struct json_cursor *c, struct slice field, enum delta_kind kind, struct delta *out) {
  struct slice key;
  if (*c->at != '{') return false;
  while (json_next_key(c, &key)) {
    bool taken = false;
    if (slice_eq(key, field)) taken = dialect_take_piece(c, kind, out);
    else if (kind != DELTA_TEXT) return false;
    else if (slice_eq(key, SLICE("toolUse"))) taken = read_piece(c, SLICE("input"), DELTA_ARGUMENTS, out);
    else if (slice_eq(key, SLICE("reasoningContent"))) taken = read_piece(c, SLICE("text"), DELTA_THINKING, out);
    if (!taken) return false;
  }
  return true;
}

static bool read_delta(const struct stream_event *e, struct delta *out) {
  struct json_cursor c = json_cursor_of(e->data);
  struct slice key;
  int64_t index = -1;
  if (e->is_exception || !slice_eq(e->name, SLICE("contentBlockDelta")) || c.at == c.end || *c.at != '{') return false;
  while (json_next_key(&c, &key)) {
    if (slice_eq(key, SLICE("delta"))) {
      if (!read_piece(&c, SLICE("text"), DELTA_TEXT, out)) return false;
    } else if (slice_eq(key, SLICE("contentBlockIndex"))) {
      if (index >= 0 || !dialect_take_index(&c, &index)) return false;
    } else {
      json_take(&c);
    }
  }
  if (out->kind == DELTA_ARGUMENTS) out->place = index;
  return out->raw.ptr != NULL && json_ended(&c);
}

/* Usage comes in metadata, after messageStop. An orderly end without it is whole (finish_ends), as some models' are. */
static void read_event(struct reading *r, const struct stream_event *e) {
  r->events++;
  r->usage_only = r->is_content = false;
  if (e->is_exception) {
    r->failed = true;
    set_class(r, e->name);
    read_error(r, e->data);
  } else if (slice_eq(e->name, SLICE("contentBlockDelta"))) {
    r->is_content = r->content_begun = true;
  } else if (slice_eq(e->name, SLICE("contentBlockStart"))) {
    /* Only calls, and results of calls that the provider has made itself, have a start. */
    r->is_content = r->content_begun = true;
  } else if (slice_eq(e->name, SLICE("messageStop"))) {
    static const char *const path[] = {"stopReason", NULL};
    enum finish_reason finish = finish_of(json_find(e->data, path));
    if (finish != FINISH_NONE) r->finish = finish, r->is_content = r->content_begun = true;
  } else if (slice_eq(e->name, SLICE("metadata"))) {
    read_usage(r, e->data);
    r->complete = r->finish != FINISH_NONE;
  }
}

static void read_answer(struct reading *r, struct slice body) {
  enum { OUTPUT, STOP, FIELDS };
  struct json_field f[FIELDS] = {[OUTPUT] = {.key = SLICE_INIT("output")}, [STOP] = {.key = SLICE_INIT("stopReason")}};
  if (!json_fields(body, f, FIELDS, NULL)) return;
  if (f[OUTPUT].raw.ptr == NULL || f[OUTPUT].kind != JSON_OBJECT) {
    /* Seen with status 200: an exception's body. */
    read_error(r, body);
    r->failed = r->error_text[0] != '\0';
    return;
  }
  read_usage(r, body);
  r->finish = finish_of(f[STOP].raw);
  r->complete = r->content_begun = true;
}

/* What Converse calls an error of that status; the SDKs raise the class of that name. */
static const char *exception_of(uint16_t status) {
  switch (status) {
  case 401: return "UnrecognizedClientException";
  case 402:
  case 403: return "AccessDeniedException";
  case 404: return "ResourceNotFoundException";
  case 408:
  case 504: return "ModelTimeoutException";
  case 409: return "ConflictException";
  case 424: return "ModelErrorException";
  case 429: return "ThrottlingException";
  case 503:
  case 529: return "ServiceUnavailableException";
  default: return status < 500 ? "ValidationException" : "InternalServerException";
  }
}

/* A stream that has begun knows fewer: these are ConverseStream's. */
static const char *stream_exception_of(uint16_t status) {
  if (status == 429) return "throttlingException";
  if (status == 503 || status == 529) return "serviceUnavailableException";
  if (status == 504 || status == 408 || status == 502) return "modelStreamErrorException";
  return status < 500 ? "validationException" : "internalServerException";
}

static void put_fault(struct buf *out, const struct fault *f, struct slice request_id) {
  (void)request_id;
  buf_text(out, "{\"__type\":\"");
  buf_text(out, exception_of(fault_status(f)));
  buf_text(out, "\",\"message\":");
  dialect_put_message(out, f, true, true);
  buf_text(out, "}");
}

static void put_stream_fault(struct buf *out, const struct fault *f, const struct stream_place *at,
                             struct slice request_id) {
  (void)at, (void)request_id;
  struct buf payload = {0};
  buf_text(&payload, "{\"message\":");
  dialect_put_message(&payload, f, true, true);
  buf_text(&payload, "}");
  aws_events_put_json(out, true, slice_text(stream_exception_of(fault_status(f))), buf_view(&payload));
  buf_done(&payload);
}

static void put_fault_headers(struct buf *out, const struct fault *f) {
  buf_text(out, "x-amzn-errortype: ");
  buf_text(out, exception_of(fault_status(f)));
  buf_text(out, "\r\n");
}

const struct dialect dialect_bedrock_converse = {
    .name = "bedrock.converse",
    .path_prefix = SLICE_INIT("/model/"),
    .request = {.fields = {[ASKED_LIMIT] = SLICE_INIT("inferenceConfig"),
                           [ASKED_MESSAGES] = SLICE_INIT("messages"),
                           [ASKED_SYSTEM] = SLICE_INIT("system"),
                           [ASKED_TOOLS] = SLICE_INIT("toolConfig")},
                .limit_path = {"maxTokens", NULL},
                .messages_optional = true},
    .provider_path = SLICE_INIT("/model/{model}/converse"),
    .provider_stream_path = SLICE_INIT("/model/{model}/converse-stream"),
    .framing = FRAMING_AWS_EVENTS,
    .finish_ends = true,
    .request_id_header = SLICE_INIT("x-amzn-requestid"),
    DIALECT_READERS,
    .put_fault = put_fault,
    .put_stream_fault = put_stream_fault,
    .put_fault_headers = put_fault_headers,
};
