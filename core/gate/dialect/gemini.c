/* dialect_gemini: Gemini's generateContent as the core sees it: the model and whether to stream are in the path; a
 * stream is one JSON array of answers, or with alt=sse one answer an event, and ends in order after a finishReason.
 * Every event counts all tokens so far, so the last one holds. Source: the provider's API reference and recorded
 * traffic. Any thread. It does not read requests: gate/asked.c does, by the row below. */
#include "gate/dialect/dialect.h"
#include "gate/dialect/dialect_read.h"

/* The tokens of one modality in a list of {"modality","tokenCount"}. */
static uint64_t tokens_of(struct slice usage, const char *list, struct slice modality) {
  for (unsigned i = 0; i < 8; i++) {
    char kind[64], count[64];
    struct slice text;
    struct json_field f[] = {
        {.key = slice_of(kind, (size_t)snprintf(kind, sizeof kind, "%s.%u.modality", list, i))},
        {.key = slice_of(count, (size_t)snprintf(count, sizeof count, "%s.%u.tokenCount", list, i))}};
    if (!json_pick(usage, f, 2) || f[0].raw.ptr == NULL) return 0;
    if (json_plain(f[0].raw, &text) && slice_eq(text, modality)) return dialect_number(f[1].raw, 0);
  }
  return 0;
}

/* candidatesTokenCount leaves out what was thought, promptTokenCount what tools have put into the prompt. */
static void read_usage(struct reading *r, struct slice usage) {
  enum { PROMPT, CANDIDATES, THOUGHTS, TOOL_PROMPT, CACHED, TIER, TRAFFIC, KEYS };
  struct json_sight f[KEYS] = {
      [PROMPT] = {.key = SLICE_INIT("promptTokenCount")},
      [CANDIDATES] = {.key = SLICE_INIT("candidatesTokenCount")},
      [THOUGHTS] = {.key = SLICE_INIT("thoughtsTokenCount")},
      [TOOL_PROMPT] = {.key = SLICE_INIT("toolUsePromptTokenCount")},
      [CACHED] = {.key = SLICE_INIT("cachedContentTokenCount")},
      [TIER] = {.key = SLICE_INIT("serviceTier")},
      [TRAFFIC] = {.key = SLICE_INIT("trafficType")},
  };
  json_glance(usage, f, KEYS);
  struct usage *u = &r->usage;
  *u = (struct usage){.source = USAGE_PROVIDER, .tier = u->tier, .searches = u->searches};
  u->input_tokens = dialect_number_at(&f[PROMPT], usage, 0) + dialect_number_at(&f[TOOL_PROMPT], usage, 0);
  u->reasoning_tokens = dialect_number_at(&f[THOUGHTS], usage, 0);
  u->output_tokens = dialect_number_at(&f[CANDIDATES], usage, 0) + u->reasoning_tokens;
  u->cache_read_tokens = dialect_number_at(&f[CACHED], usage, 0);
  if (u->cache_read_tokens > u->input_tokens) u->cache_read_tokens = u->input_tokens;
  if (slice_find(usage, SLICE("\"AUDIO\"")) >= 0) {
    u->audio_input_tokens = tokens_of(usage, "promptTokensDetails", SLICE("AUDIO"));
    u->audio_output_tokens = tokens_of(usage, "candidatesTokensDetails", SLICE("AUDIO"));
  }
  const struct json_sight *tier = f[TIER].value != NULL ? &f[TIER] : &f[TRAFFIC];
  if (tier->value != NULL) u->tier = dialect_tier(dialect_string_at(tier->value, usage), u->tier);
}

static enum finish_reason finish_of(const struct reading *r, struct slice raw) {
  static const struct finish_word rows[] = {
      {SLICE_INIT("STOP"), FINISH_STOP},
      {SLICE_INIT("MAX_TOKENS"), FINISH_LENGTH},
      {SLICE_INIT("SAFETY"), FINISH_REFUSAL},
      {SLICE_INIT("RECITATION"), FINISH_REFUSAL},
      {SLICE_INIT("LANGUAGE"), FINISH_REFUSAL},
      {SLICE_INIT("BLOCKLIST"), FINISH_REFUSAL},
      {SLICE_INIT("PROHIBITED_CONTENT"), FINISH_REFUSAL},
      {SLICE_INIT("SPII"), FINISH_REFUSAL},
      {SLICE_INIT("IMAGE_SAFETY"), FINISH_REFUSAL},
      {SLICE_INIT("IMAGE_PROHIBITED_CONTENT"), FINISH_REFUSAL},
      {SLICE_INIT("IMAGE_RECITATION"), FINISH_REFUSAL},
      {SLICE_INIT("MODEL_ARMOR"), FINISH_REFUSAL},
      {SLICE_INIT("FINISH_REASON_UNSPECIFIED"), FINISH_NONE},
  };
  enum finish_reason reason = dialect_finish(raw, rows, sizeof rows / sizeof *rows);
  return reason == FINISH_STOP && r->has_calls ? FINISH_TOOL_CALLS : reason;
}

/* The envelope, as it is or within a list. */
static void read_error(struct reading *r, struct slice body) {
  enum { STATUS, MESSAGE, LISTED_STATUS, LISTED_MESSAGE, FIELDS };
  struct json_field f[FIELDS] = {[STATUS] = {.key = SLICE_INIT("error.status")},
                                 [MESSAGE] = {.key = SLICE_INIT("error.message")},
                                 [LISTED_STATUS] = {.key = SLICE_INIT("0.error.status")},
                                 [LISTED_MESSAGE] = {.key = SLICE_INIT("0.error.message")}};
  if (!json_pick(body, f, FIELDS)) return;
  bool listed = f[LISTED_MESSAGE].raw.ptr != NULL;
  dialect_text(r->error_type, sizeof r->error_type, f[listed ? LISTED_STATUS : STATUS].raw);
  dialect_text(r->error_text, sizeof r->error_text, f[listed ? LISTED_MESSAGE : MESSAGE].raw);
}

static bool is_error(struct slice text) {
  struct json_field f[] = {{.key = SLICE_INIT("error")}, {.key = SLICE_INIT("0.error")}};
  return json_pick(text, f, 2) && (dialect_present(&f[0]) || dialect_present(&f[1]));
}

/* What grounding is paid by: the searches made, those of an empty query left out; up to Gemini 2.5 the grounded
 * request. Source: Gemini API pricing, "Grounding with Google Search". */
static void read_searches(struct reading *r, struct slice text) {
  static const char *const version_path[] = {"modelVersion", NULL};
  char key[64];
  uint64_t searches = 0;
  for (unsigned i = 0; i < 100; i++) {
    struct json_field f = {
        .key =
            slice_of(key, (size_t)snprintf(key, sizeof key, "candidates.0.groundingMetadata.webSearchQueries.%u", i))};
    if (!json_pick(text, &f, 1) || f.raw.ptr == NULL) break;
    if (f.raw.len > 2) searches++;
  }
  struct slice version = json_find(text, version_path);
  bool by_request = slice_starts(version, SLICE("\"gemini-1")) || slice_starts(version, SLICE("\"gemini-2"));
  r->usage.searches = by_request && searches > 0 ? 1 : searches;
}

/* An answer or a piece of one that is more than a text: the structure is read. */
static void read_closely(struct reading *r, struct slice text, bool *speaks) {
  enum { CALL, FINISH, PARTS, SECOND, FIRST_TEXT, BLOCKED, USAGE, FIELDS };
  struct json_field f[FIELDS] = {
      [CALL] = {.key = SLICE_INIT("candidates.0.content.parts.0.functionCall")},
      [FINISH] = {.key = SLICE_INIT("candidates.0.finishReason")},
      [PARTS] = {.key = SLICE_INIT("candidates.0.content.parts.0")},
      [SECOND] = {.key = SLICE_INIT("candidates.0.content.parts.1")},
      [FIRST_TEXT] = {.key = SLICE_INIT("candidates.0.content.parts.0.text")},
      [BLOCKED] = {.key = SLICE_INIT("promptFeedback.blockReason")},
      [USAGE] = {.key = SLICE_INIT("usageMetadata")},
  };
  if (!json_pick(text, f, FIELDS)) return;
  *speaks = f[PARTS].raw.ptr != NULL &&
            (f[FIRST_TEXT].raw.ptr == NULL || f[FIRST_TEXT].raw.len > 2 || f[SECOND].raw.ptr != NULL);
  if (dialect_present(&f[CALL])) r->has_calls = true;
  if (f[SECOND].raw.ptr != NULL && !r->has_calls) {
    struct json_sight call = {.key = SLICE_INIT("functionCall")};
    json_glance(slice_from(text, (size_t)(f[SECOND].raw.ptr - text.ptr)), &call, 1);
    if (call.value != NULL) r->has_calls = true;
  }
  enum finish_reason finish = finish_of(r, f[FINISH].raw);
  if (finish == FINISH_NONE && dialect_present(&f[BLOCKED])) finish = FINISH_REFUSAL;
  if (finish != FINISH_NONE) r->finish = finish, *speaks = true;
  if (dialect_present(&f[USAGE])) read_usage(r, f[USAGE].raw);
  struct json_sight searched = {.key = SLICE_INIT("webSearchQueries")};
  json_glance(text, &searched, 1);
  if (searched.value != NULL) read_searches(r, text);
}

/* Nearly every event: some text, and the usage so far. */
static bool read_plain_text(struct reading *r, struct slice event) {
  enum { TEXT, USAGE, FINISH, CALL, ERROR, FEEDBACK, KEYS };
  struct json_sight f[KEYS] = {
      [TEXT] = {.key = SLICE_INIT("text")},           [USAGE] = {.key = SLICE_INIT("usageMetadata")},
      [FINISH] = {.key = SLICE_INIT("finishReason")}, [CALL] = {.key = SLICE_INIT("functionCall")},
      [ERROR] = {.key = SLICE_INIT("error")},         [FEEDBACK] = {.key = SLICE_INIT("promptFeedback")}};
  json_glance(event, f, KEYS);
  if (f[TEXT].value == NULL || f[FINISH].value != NULL || f[CALL].value != NULL || f[ERROR].value != NULL ||
      f[FEEDBACK].value != NULL)
    return false;
  if (f[TEXT].value[0] != '"' || f[TEXT].value[1] == '"') return false;
  if (f[USAGE].value != NULL) read_usage(r, slice_from(event, (size_t)(f[USAGE].value - event.ptr)));
  return true;
}

/* The only part: a text, or a thought. */
static bool read_part(struct json_cursor *c, struct delta *out) {
  struct slice key;
  bool is_thought = false;
  if (*c->at != '[' || !json_next_element(c) || *c->at != '{') return false;
  while (json_next_key(c, &key)) {
    if (slice_eq(key, SLICE("text"))) {
      if (!dialect_take_piece(c, DELTA_TEXT, out)) return false;
    } else if (is_thought || !slice_eq(key, SLICE("thought")) || !slice_eq(json_take(c), SLICE("true"))) {
      return false;
    } else {
      is_thought = true;
    }
  }
  if (is_thought) out->kind = DELTA_THINKING;
  return !json_next_element(c);
}

static bool read_candidate(struct json_cursor *c, struct delta *out) {
  static const struct slice others[] = {SLICE_INIT("finishReason"), SLICE_INIT("groundingMetadata"),
                                        SLICE_INIT("citationMetadata"), SLICE_INIT("logprobsResult")};
  struct slice key;
  int64_t index;
  if (*c->at != '[' || !json_next_element(c) || *c->at != '{') return false;
  while (json_next_key(c, &key)) {
    if (slice_eq(key, SLICE("content"))) {
      if (!dialect_take_member(c, SLICE("parts"), read_part, out)) return false;
    } else if (slice_eq(key, SLICE("index"))) {
      if (!dialect_take_index(c, &index) || index != 0) return false;
    } else {
      for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (slice_eq(key, others[i])) return false;
      json_take(c);
    }
  }
  return !json_next_element(c);
}

/* Each chunk counts all tokens so far: the last count is what holds. */
static bool read_delta(const struct stream_event *e, struct delta *out) {
  struct json_cursor c = json_cursor_of(e->data);
  struct slice key;
  if (c.at == c.end || *c.at != '{') return false;
  while (json_next_key(&c, &key)) {
    if (slice_eq(key, SLICE("candidates"))) {
      if (!read_candidate(&c, out)) return false;
    } else if (slice_eq(key, SLICE("usageMetadata"))) {
      if (*c.at != '{') return false;
      out->rest = json_take(&c);
    } else if (slice_eq(key, SLICE("error")) || slice_eq(key, SLICE("promptFeedback"))) {
      return false;
    } else {
      json_take(&c);
    }
  }
  return out->raw.ptr != NULL && json_ended(&c);
}

static void read_event(struct reading *r, const struct stream_event *e) {
  if (!dialect_begin_event(r, e)) return;
  if (read_plain_text(r, e->data)) {
    r->is_content = r->content_begun = true;
    return;
  }
  if (is_error(e->data)) {
    r->failed = true;
    read_error(r, e->data);
    return;
  }
  bool speaks = false;
  read_closely(r, e->data, &speaks);
  if (speaks) r->is_content = r->content_begun = true;
}

static void read_answer(struct reading *r, struct slice body) {
  enum { CANDIDATES, FEEDBACK, USAGE, ERROR, FIELDS };
  struct json_field f[FIELDS] = {[CANDIDATES] = {.key = SLICE_INIT("candidates")},
                                 [FEEDBACK] = {.key = SLICE_INIT("promptFeedback")},
                                 [USAGE] = {.key = SLICE_INIT("usageMetadata")},
                                 [ERROR] = {.key = SLICE_INIT("error")}};
  bool is_object = json_fields(body, f, FIELDS, NULL);
  if (is_object ? dialect_present(&f[ERROR]) : json_valid(body, NULL) && is_error(body)) {
    r->failed = true;
    read_error(r, body);
    return;
  }
  if (!is_object) return;
  bool speaks = false;
  read_closely(r, body, &speaks);
  r->complete = r->content_begun =
      dialect_present(&f[CANDIDATES]) || dialect_present(&f[FEEDBACK]) || dialect_present(&f[USAGE]);
}

/* google.rpc.Code's names of HTTP statuses. */
static const char *status_name(uint16_t status) {
  switch (status) {
  case 401: return "UNAUTHENTICATED";
  case 402: return "FAILED_PRECONDITION";
  case 403: return "PERMISSION_DENIED";
  case 404: return "NOT_FOUND";
  case 408: return "DEADLINE_EXCEEDED";
  case 409: return "ABORTED";
  case 429: return "RESOURCE_EXHAUSTED";
  case 499: return "CANCELLED";
  case 501: return "UNIMPLEMENTED";
  case 503: return "UNAVAILABLE";
  case 504: return "DEADLINE_EXCEEDED";
  default: return status < 500 ? "INVALID_ARGUMENT" : "INTERNAL";
  }
}

static void put_fault(struct buf *out, const struct fault *f, struct slice request_id) {
  buf_text(out, "{\"error\":{\"code\":");
  buf_u64(out, fault_status(f));
  buf_text(out, ",\"message\":");
  dialect_put_message(out, f, true, false);
  buf_text(out, ",\"status\":\"");
  buf_text(out, status_name(fault_status(f)));
  buf_text(out, "\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":");
  json_put_string(out, slice_text(fault_code_text(f)));
  buf_text(out, ",\"domain\":\"moongate\"}");
  if (f->param[0]) {
    buf_text(out, ",{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\",\"fieldViolations\":[{\"field\":");
    json_put_string(out, slice_text(f->param));
    buf_text(out, "}]}");
  }
  if (request_id.len > 0) {
    buf_text(out, ",{\"@type\":\"type.googleapis.com/google.rpc.RequestInfo\",\"requestId\":");
    json_put_string(out, request_id);
    buf_text(out, "}");
  }
  buf_text(out, "]}}");
}

/* Google's SDKs take an event with an error for an answer that says nothing, and go on. They raise at a last block that
 * they cannot read: a comment, ended by a blank line of a kind that they do not know. Other readers pass over it. */
static void put_stream_fault(struct buf *out, const struct fault *f, const struct stream_place *at,
                             struct slice request_id) {
  bool array = at->framing == FRAMING_JSON_ARRAY;
  buf_text(out, array ? ",\r\n" : "data: ");
  put_fault(out, f, request_id);
  buf_text(out, array ? "]" : "\r\n\r\n: the stream ends with an error\n\r\n");
}

const struct dialect dialect_gemini = {
    .name = "gemini",
    .path_prefix = SLICE_INIT("/v1beta/"),
    .request = {.fields = {[ASKED_LIMIT] = SLICE_INIT("generation_config"),
                           [ASKED_OTHER_LIMIT] = SLICE_INIT("generationConfig"),
                           [ASKED_MESSAGES] = SLICE_INIT("contents"),
                           [ASKED_SYSTEM] = SLICE_INIT("systemInstruction"),
                           [ASKED_TOOLS] = SLICE_INIT("tools")},
                .limit_path = {"maxOutputTokens", NULL}},
    .provider_path = SLICE_INIT("/models/{model}:generateContent"),
    .provider_stream_path = SLICE_INIT("/models/{model}:streamGenerateContent"),
    .sse_query = SLICE_INIT("alt=sse"),
    .finish_ends = true,
    DIALECT_READERS,
    .put_fault = put_fault,
    .put_stream_fault = put_stream_fault,
};
