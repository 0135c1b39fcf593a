/* dialect_openai_chat: OpenAI Chat Completions as the core sees it, spoken by most providers with small differences:
 * usage in a chunk of its own, in the last chunk, or under x_groq; reasoning tokens inside or outside
 * completion_tokens. Source: the provider's API reference and recorded traffic. Any thread. */
#include "gate/dialect/dialect.h"
#include "gate/dialect/dialect_read.h"
#include "gate/dialect/openai_error.h"

/* Audio is counted within prompt_tokens, or beside them (Mistral): the total tells. */
static void read_audio(struct usage *u, struct slice usage, uint64_t total) {
  struct json_field f[] = {{.key = SLICE_INIT("prompt_tokens_details.audio_tokens")},
                           {.key = SLICE_INIT("completion_tokens_details.audio_tokens")}};
  if (!json_pick(usage, f, 2)) return;
  u->audio_input_tokens = dialect_number(f[0].raw, 0);
  u->audio_output_tokens = dialect_number(f[1].raw, 0);
  if (u->audio_input_tokens > 0 && total == u->input_tokens + u->output_tokens + u->audio_input_tokens)
    u->input_tokens += u->audio_input_tokens;
}

/* Nearly every usage names counts of audio, and nearly none has one above 0. first: the first one's value. */
static bool tells_audio(struct slice usage, const struct json_sight *first) {
  struct json_sight f = *first;
  while (f.value != NULL) {
    if (dialect_number_at(&f, usage, 0) > 0) return true;
    size_t behind = (size_t)(f.value - usage.ptr);
    json_glance(slice_of(usage.ptr + behind, usage.len - behind), &f, 1);
  }
  return false;
}

/* usage: {"prompt_tokens","completion_tokens","total_tokens","prompt_tokens_details":{"cached_tokens"},
 * "completion_tokens_details":{"reasoning_tokens"}}; DeepSeek names the cached part prompt_cache_hit_tokens. */
enum {
  SIGHT_PROMPT,
  SIGHT_COMPLETION,
  SIGHT_TOTAL,
  SIGHT_CACHED,
  SIGHT_WRITTEN,
  SIGHT_REASONING,
  SIGHT_CACHE_HIT,
  SIGHT_AUDIO,
  SIGHT_COST,
  SIGHT_TICKS,
  SIGHT_TIER,
  USAGE_SIGHT_COUNT
};
#define USAGE_SIGHTS                                                                                                   \
  [SIGHT_PROMPT] = {.key = SLICE_INIT("prompt_tokens")},                                                               \
  [SIGHT_COMPLETION] = {.key = SLICE_INIT("completion_tokens")}, [SIGHT_TOTAL] = {.key = SLICE_INIT("total_tokens")},  \
  [SIGHT_CACHED] = {.key = SLICE_INIT("cached_tokens")}, [SIGHT_WRITTEN] = {.key = SLICE_INIT("cache_write_tokens")},  \
  [SIGHT_REASONING] = {.key = SLICE_INIT("reasoning_tokens")},                                                         \
  [SIGHT_CACHE_HIT] = {.key = SLICE_INIT("prompt_cache_hit_tokens")},                                                  \
  [SIGHT_AUDIO] = {.key = SLICE_INIT("audio_tokens")}, [SIGHT_COST] = {.key = SLICE_INIT("cost")},                     \
  [SIGHT_TICKS] = {.key = SLICE_INIT("cost_in_usd_ticks")}, [SIGHT_TIER] = {.key = SLICE_INIT("service_tier")}

/* f: where the keys stand in `usage`. */
static void take_usage(struct reading *r, struct slice usage, const struct json_sight *f) {
  if (f[SIGHT_PROMPT].value == NULL) return;
  struct usage *u = &r->usage;
  uint64_t total = dialect_number_at(&f[SIGHT_TOTAL], usage, 0);
  *u = (struct usage){.source = USAGE_PROVIDER, .tier = u->tier};
  u->input_tokens = dialect_number_at(&f[SIGHT_PROMPT], usage, 0);
  u->output_tokens = dialect_number_at(&f[SIGHT_COMPLETION], usage, 0);
  u->cache_read_tokens = dialect_number_at(&f[SIGHT_CACHED], usage, dialect_number_at(&f[SIGHT_CACHE_HIT], usage, 0));
  u->cache_write_tokens = dialect_number_at(&f[SIGHT_WRITTEN], usage, 0);
  u->reasoning_tokens = dialect_number_at(&f[SIGHT_REASONING], usage, 0);
  if (tells_audio(usage, &f[SIGHT_AUDIO])) read_audio(u, usage, total);
  if (f[SIGHT_COST].value != NULL || f[SIGHT_TICKS].value != NULL) dialect_read_cost(u, usage);
  dialect_count_beside(u, total); /* xAI tells reasoning apart from completion_tokens: by the total */
}

static void read_usage(struct reading *r, struct slice usage) {
  struct json_sight f[USAGE_SIGHT_COUNT] = {USAGE_SIGHTS};
  json_glance(usage, f, USAGE_SIGHT_COUNT);
  take_usage(r, usage, f);
}

/* The raw service_tier of a chunk; ptr NULL: none. */
static struct slice tier_word(struct slice text) {
  struct json_sight f = {.key = SLICE_INIT("service_tier")};
  json_glance(text, &f, 1);
  return f.value != NULL ? dialect_string_at(f.value, text) : slice_of(NULL, 0);
}

static enum finish_reason finish_of(struct slice raw) {
  static const struct finish_word rows[] = {
      {SLICE_INIT("stop"), FINISH_STOP},
      {SLICE_INIT("length"), FINISH_LENGTH},
      {SLICE_INIT("tool_calls"), FINISH_TOOL_CALLS},
      {SLICE_INIT("function_call"), FINISH_TOOL_CALLS},
      {SLICE_INIT("content_filter"), FINISH_REFUSAL},
      {SLICE_INIT("null"), FINISH_NONE},
  };
  return dialect_finish(raw, rows, sizeof rows / sizeof *rows);
}

/* error: {"message","type","code"}, or a string. */
static void read_error_value(struct reading *r, const struct json_field *error) {
  static const char *const type[] = {"type", NULL}, *const code[] = {"code", NULL},
                           *const message[] = {"message", NULL};
  if (error->kind != JSON_OBJECT) {
    dialect_text(r->error_text, sizeof r->error_text, error->raw);
    return;
  }
  struct slice named = json_find(error->raw, code);
  if (named.ptr == NULL || *named.ptr != '"') named = json_find(error->raw, type);
  dialect_text(r->error_type, sizeof r->error_type, named);
  dialect_text(r->error_text, sizeof r->error_text, json_find(error->raw, message));
}

/* Whether a delta says anything: every field but role that is neither null, nor "", nor []. */
static bool delta_speaks(struct slice delta) {
  enum { CONTENT, REASONING_CONTENT, REASONING, TOOL_CALLS, REFUSAL, FUNCTION_CALL, AUDIO, REASONING_DETAILS, FIELDS };
  struct json_field f[FIELDS] = {
      [CONTENT] = {.key = SLICE_INIT("content")},     [REASONING_CONTENT] = {.key = SLICE_INIT("reasoning_content")},
      [REASONING] = {.key = SLICE_INIT("reasoning")}, [TOOL_CALLS] = {.key = SLICE_INIT("tool_calls")},
      [REFUSAL] = {.key = SLICE_INIT("refusal")},     [FUNCTION_CALL] = {.key = SLICE_INIT("function_call")},
      [AUDIO] = {.key = SLICE_INIT("audio")},         [REASONING_DETAILS] = {.key = SLICE_INIT("reasoning_details")},
  };
  if (delta.ptr == NULL || !json_pick(delta, f, FIELDS)) return false;
  for (unsigned i = 0; i < FIELDS; i++)
    if (dialect_present(&f[i]) && f[i].raw.len > 2) return true;
  return false;
}

/* The same of one within a stream that has begun, by the fields that it does not know, too. */
static bool delta_says_nothing(struct slice delta) {
  struct json_cursor c = json_cursor_of(delta);
  struct slice key;
  if (c.at == c.end || *c.at != '{') return false;
  while (json_next_key(&c, &key)) {
    if (slice_eq(key, SLICE("role"))) json_take(&c);
    else if (!json_take_nothing(&c)) return false;
  }
  return true;
}

/* "error": null, false or "" says that there is none. */
static bool is_error(const struct json_field *f) {
  return f->raw.ptr != NULL && (f->kind == JSON_OBJECT || f->kind == JSON_STRING);
}

/* [] with or without blanks. */
static bool is_empty(struct slice array) {
  for (size_t i = 1; i + 1 < array.len; i++)
    if (array.ptr[i] != ' ' && array.ptr[i] != '\n' && array.ptr[i] != '\r' && array.ptr[i] != '\t') return false;
  return array.len >= 2;
}

static void read_error(struct reading *r, struct slice body);

static bool is_said(const struct json_sight *s) {
  return s->value != NULL && s->value[0] == '"' && s->value[1] != '"';
}

/* Of a delta without content: some servers send thoughts beside an empty one. */
static bool thinks(struct slice event) {
  struct json_sight keys[] = {{.key = SLICE_INIT("reasoning_content")}, {.key = SLICE_INIT("reasoning")}};
  json_glance(event, keys, 2);
  return is_said(&keys[0]) || is_said(&keys[1]);
}

/* Nearly every event of a stream that has begun: a delta that says something, and neither an end, nor usage, nor an
 * error. */
static bool is_plain_delta(struct slice event) {
  enum { DELTA, CONTENT, FINISH, USAGE, ERROR, KEYS };
  struct json_sight keys[KEYS] = {[DELTA] = {.key = SLICE_INIT("delta")},
                                  [CONTENT] = {.key = SLICE_INIT("content")},
                                  [FINISH] = {.key = SLICE_INIT("finish_reason")},
                                  [USAGE] = {.key = SLICE_INIT("usage")},
                                  [ERROR] = {.key = SLICE_INIT("error")}};
  json_glance(event, keys, KEYS);
  const char *delta = keys[DELTA].value;
  bool is_delta = delta != NULL && *delta == '{' && keys[ERROR].value == NULL &&
                  (keys[FINISH].value == NULL || *keys[FINISH].value == 'n') &&
                  (keys[USAGE].value == NULL || *keys[USAGE].value == 'n');
  if (!is_delta) return false;
  return keys[CONTENT].value == NULL ? delta[1] != '}' : is_said(&keys[CONTENT]) || thinks(event);
}

/* ---- one more piece: as lua/gw/chat_stream.lua reads it; fields that it does not know say nothing */

/* Thoughts in the form that also carries what signs them: without a signature they repeat the plain field. *some:
 * there are any. */
static bool repeats_thoughts(struct json_cursor *c, bool *some) {
  struct slice key;
  if (c->at < c->end && *c->at != '[') return json_take_null(c);
  while (json_next_element(c)) {
    bool is_plain = false;
    *some = true;
    if (*c->at != '{') return false;
    while (json_next_key(c, &key)) {
      bool is_type = slice_eq(key, SLICE("type")), is_signature = slice_eq(key, SLICE("signature"));
      struct slice raw = json_take(c);
      if (is_type)
        is_plain = slice_eq(raw, SLICE("\"reasoning.text\"")) || slice_eq(raw, SLICE("\"reasoning.summary\""));
      if (is_signature && !slice_eq(raw, SLICE("null")) && !slice_eq(raw, SLICE("\"\""))) return false;
    }
    if (!is_plain) return false;
  }
  return true;
}

static bool read_arguments(struct json_cursor *c, struct delta *out) {
  struct slice key;
  if (*c->at != '{') return false;
  while (json_next_key(c, &key)) {
    if (slice_eq(key, SLICE("arguments"))) {
      if (!dialect_take_piece(c, DELTA_ARGUMENTS, out)) return false;
    } else if (slice_eq(key, SLICE("name"))) {
      if (!json_take_nothing(c)) return false;
    } else {
      json_take(c);
    }
  }
  return true;
}

/* The only call of a delta, which has begun before: it goes by its index alone. */
static bool read_call(struct json_cursor *c, struct delta *out) {
  struct slice key;
  bool has_index = false;
  if (*c->at != '[') return json_take_null(c);
  if (!json_next_element(c)) return true;
  if (*c->at != '{') return false;
  while (json_next_key(c, &key)) {
    if (slice_eq(key, SLICE("index"))) {
      if (has_index || !dialect_take_index(c, &out->place)) return false;
      has_index = true;
    } else if (slice_eq(key, SLICE("function"))) {
      if (!read_arguments(c, out)) return false;
    } else if (slice_eq(key, SLICE("type"))) {
      json_take(c);
    } else if (!json_take_nothing(c)) { /* an id, what signs it, a custom call */
      return false;
    }
  }
  return has_index && !json_next_element(c);
}

static bool read_pieces(struct json_cursor *c, struct delta *out) {
  static const struct slice others[] = {SLICE_INIT("refusal"), SLICE_INIT("function_call"), SLICE_INIT("annotations"),
                                        SLICE_INIT("thinking_blocks")};
  struct slice key;
  bool repeats = false;
  if (*c->at != '{') return false;
  while (json_next_key(c, &key)) {
    bool known = true;
    if (slice_eq(key, SLICE("content"))) {
      if (c->at[0] == '"' && c->at[1] != '"') known = dialect_take_piece(c, DELTA_TEXT, out);
      else known = json_take_nothing(c);
    } else if (slice_eq(key, SLICE("reasoning_content"))) {
      known = *c->at == 'n' ? json_take_null(c) : dialect_take_piece(c, DELTA_THINKING, out);
    } else if (slice_eq(key, SLICE("reasoning"))) {
      if (c->at[0] == '"' && c->at[1] != '"') known = dialect_take_piece(c, DELTA_THINKING, out);
      else known = json_take_nothing(c);
    } else if (slice_eq(key, SLICE("reasoning_details"))) {
      known = repeats_thoughts(c, &repeats);
    } else if (slice_eq(key, SLICE("tool_calls"))) {
      known = read_call(c, out);
    } else if (slice_eq(key, SLICE("audio"))) {
      known = json_take_null(c);
    } else {
      size_t i = 0;
      while (i < sizeof others / sizeof *others && !slice_eq(key, others[i])) i++;
      if (i < sizeof others / sizeof *others) known = json_take_nothing(c);
      else json_take(c);
    }
    if (!known) return false;
  }
  return out->raw.ptr != NULL && (!repeats || out->kind == DELTA_THINKING);
}

static bool read_choice(struct json_cursor *c, struct delta *out) {
  struct slice key;
  int64_t index;
  if (*c->at != '{') return false;
  while (json_next_key(c, &key)) {
    if (slice_eq(key, SLICE("delta"))) {
      if (!read_pieces(c, out)) return false;
    } else if (slice_eq(key, SLICE("index"))) {
      if (!dialect_take_index(c, &index) || index != 0) return false;
    } else if (slice_eq(key, SLICE("finish_reason")) || slice_eq(key, SLICE("logprobs"))) {
      if (!json_take_null(c)) return false;
    } else {
      json_take(c);
    }
  }
  return true;
}

static bool read_delta(const struct stream_event *e, struct delta *out) {
  struct json_cursor c = json_cursor_of(e->data);
  struct slice key;
  if (e->name.len > 0 || c.at == c.end || *c.at != '{') return false;
  while (json_next_key(&c, &key)) {
    if (slice_eq(key, SLICE("choices"))) {
      if (*c.at != '[' || !json_next_element(&c) || !read_choice(&c, out) || json_next_element(&c)) return false;
    } else if (slice_eq(key, SLICE("usage")) && *c.at == '{') { /* of all so far, from servers that tell it each time */
      out->rest = json_take(&c);
    } else if (slice_eq(key, SLICE("usage")) || slice_eq(key, SLICE("error"))) {
      if (!json_take_null(&c)) return false;
    } else {
      json_take(&c);
    }
  }
  return out->raw.ptr != NULL && json_ended(&c);
}

static void read_event(struct reading *r, const struct stream_event *e) {
  if (!dialect_begin_event(r, e)) return;
  if (r->content_begun && e->name.len == 0 && is_plain_delta(e->data)) {
    r->is_content = true;
    return;
  }
  if (slice_eq(e->data, SLICE("[DONE]"))) {
    r->complete = true;
    return;
  }
  enum { CHOICES, DELTA, FINISH, USAGE, GROQ_USAGE, ERROR, FIELDS };
  struct json_field f[FIELDS] = {
      [CHOICES] = {.key = SLICE_INIT("choices")},
      [DELTA] = {.key = SLICE_INIT("choices.0.delta")},
      [FINISH] = {.key = SLICE_INIT("choices.0.finish_reason")},
      [USAGE] = {.key = SLICE_INIT("usage")},
      [GROQ_USAGE] = {.key = SLICE_INIT("x_groq.usage")},
      [ERROR] = {.key = SLICE_INIT("error")},
  };
  if (!json_pick(e->data, f, FIELDS)) return;
  if (slice_eq(e->name, SLICE("error")) || (is_error(&f[ERROR]) && f[ERROR].raw.len > 2)) {
    r->failed = true;
    if (is_error(&f[ERROR])) read_error_value(r, &f[ERROR]);
    else read_error(r, e->data);
    return;
  }
  bool empty = f[CHOICES].raw.ptr == NULL || f[DELTA].raw.ptr == NULL;
  if (dialect_present(&f[USAGE])) {
    r->usage.tier = dialect_tier(tier_word(e->data), TIER_STANDARD);
    read_usage(r, f[USAGE].raw);
    r->usage_only = f[CHOICES].kind == JSON_ARRAY && is_empty(f[CHOICES].raw);
  } else if (dialect_present(&f[GROQ_USAGE])) {
    read_usage(r, f[GROQ_USAGE].raw);
  }
  enum finish_reason finish = finish_of(f[FINISH].raw);
  if (finish != FINISH_NONE) r->finish = finish;
  bool speaks = !r->content_begun ? delta_speaks(f[DELTA].raw) : !empty && !delta_says_nothing(f[DELTA].raw);
  r->is_content = finish != FINISH_NONE || speaks;
  if (r->is_content) r->content_begun = true;
}

static bool stands_within(const char *at, struct slice text) {
  return at >= text.ptr && at < text.ptr + text.len;
}

static void read_answer(struct reading *r, struct slice body) {
  enum { CHOICES, USAGE, ERROR, TIER, FIELDS };
  enum { FINISH = USAGE_SIGHT_COUNT, SIGHTS };
  struct json_field f[FIELDS] = {
      [CHOICES] = {.key = SLICE_INIT("choices")},
      [USAGE] = {.key = SLICE_INIT("usage")},
      [ERROR] = {.key = SLICE_INIT("error")},
      [TIER] = {.key = SLICE_INIT("service_tier")},
  };
  struct json_sight at[SIGHTS] = {USAGE_SIGHTS, [FINISH] = {.key = SLICE_INIT("finish_reason")}};
  if (!json_fields_looking(body, f, FIELDS, at, SIGHTS, NULL)) return;
  if (is_error(&f[ERROR]) && f[CHOICES].raw.ptr == NULL) {
    r->failed = true;
    read_error_value(r, &f[ERROR]);
    return;
  }
  if (dialect_present(&f[USAGE])) {
    struct slice usage = f[USAGE].raw;
    bool elsewhere = false; /* one of the keys stands in another field, too, and first there */
    for (unsigned i = 0; i < USAGE_SIGHT_COUNT; i++)
      elsewhere |= at[i].value != NULL && !stands_within(at[i].value, usage);
    if (elsewhere) json_glance(usage, at, USAGE_SIGHT_COUNT);
    /* Mistral tells the tier within its usage. */
    struct slice tier = f[TIER].raw;
    if (tier.ptr == NULL && at[SIGHT_TIER].value != NULL) tier = dialect_string_at(at[SIGHT_TIER].value, usage);
    r->usage.tier = dialect_tier(tier, TIER_STANDARD);
    take_usage(r, usage, at);
  }
  if (f[CHOICES].raw.ptr == NULL || f[CHOICES].kind != JSON_ARRAY) return;
  if (at[FINISH].value != NULL) r->finish = finish_of(dialect_string_at(at[FINISH].value, body));
  r->complete = r->content_begun = true;
}

static void read_error(struct reading *r, struct slice body) {
  enum { ERROR, MESSAGE, TYPE, CODE, DETAIL, IN_LIST, FIELDS };
  struct json_field f[FIELDS] = {
      [ERROR] = {.key = SLICE_INIT("error")},   [MESSAGE] = {.key = SLICE_INIT("message")},
      [TYPE] = {.key = SLICE_INIT("type")},     [CODE] = {.key = SLICE_INIT("code")},
      [DETAIL] = {.key = SLICE_INIT("detail")}, [IN_LIST] = {.key = SLICE_INIT("0.error")},
  };
  if (!json_pick(body, f, FIELDS)) return;
  if (dialect_present(&f[ERROR])) {
    read_error_value(r, &f[ERROR]);
  } else if (dialect_present(&f[IN_LIST])) { /* Google's shim puts its error into a list. */
    read_error_value(r, &f[IN_LIST]);
  } else {
    dialect_text(r->error_type, sizeof r->error_type, dialect_present(&f[CODE]) ? f[CODE].raw : f[TYPE].raw);
    dialect_text(r->error_text, sizeof r->error_text, dialect_present(&f[MESSAGE]) ? f[MESSAGE].raw : f[DETAIL].raw);
  }
}

/* An error object and the end, never a [DONE]: a client must not take half an answer for a whole one. */
static void put_stream_fault(struct buf *out, const struct fault *f, const struct stream_place *at,
                             struct slice request_id) {
  (void)at;
  buf_text(out, "data: ");
  openai_error_put(out, f, request_id);
  buf_text(out, "\n\n");
}

const struct dialect dialect_openai_chat = {
    .name = "openai.chat",
    .path_prefix = SLICE_INIT("/v1/chat/completions"),
    .request = {.fields = {[ASKED_MODEL] = SLICE_INIT("model"),
                           [ASKED_STREAM] = SLICE_INIT("stream"),
                           [ASKED_STREAM_OPTIONS] = SLICE_INIT("stream_options"),
                           [ASKED_LIMIT] = SLICE_INIT("max_tokens"),
                           [ASKED_OTHER_LIMIT] = SLICE_INIT("max_completion_tokens"),
                           [ASKED_MESSAGES] = SLICE_INIT("messages"),
                           [ASKED_TOOLS] = SLICE_INIT("tools")}},
    .provider_path = SLICE_INIT("/chat/completions"),
    .finish_ends = true,
    DIALECT_READERS,
    .put_fault = openai_error_put,
    .put_stream_fault = put_stream_fault,
};
