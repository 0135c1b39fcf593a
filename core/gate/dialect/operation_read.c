/* operation_read: usage out of answers beyond chat. Providers word it in few ways, wherever they put it; a field that
 * is not there is simply not counted. Sources: the providers' API references and recorded traffic. Any thread. */
#include "gate/account/price.h"
#include "gate/dialect/dialect_read.h"
#include "gate/dialect/operation.h"

/* The object or number that tells the usage. */
static void read_usage(struct reading *r, struct slice usage) {
  enum { PROMPT, INPUT, COMPLETION, OUTPUT, TOTAL, CACHED, AUDIO, GEMINI, SECONDS, SEARCHES, KEYS };
  struct json_sight f[KEYS] = {
      [PROMPT] = {.key = SLICE_INIT("prompt_tokens")},
      [INPUT] = {.key = SLICE_INIT("input_tokens")},
      [COMPLETION] = {.key = SLICE_INIT("completion_tokens")},
      [OUTPUT] = {.key = SLICE_INIT("output_tokens")},
      [TOTAL] = {.key = SLICE_INIT("total_tokens")},
      [CACHED] = {.key = SLICE_INIT("cached_tokens")},
      [AUDIO] = {.key = SLICE_INIT("audio_tokens")},
      [GEMINI] = {.key = SLICE_INIT("promptTokenCount")},
      [SECONDS] = {.key = SLICE_INIT("seconds")},
      [SEARCHES] = {.key = SLICE_INIT("search_units")},
  };
  json_glance(usage, f, KEYS);
  struct usage *u = &r->usage;
  uint64_t output = dialect_number_at(&f[OUTPUT], usage, dialect_number_at(&f[COMPLETION], usage, 0));
  uint64_t total = dialect_number_at(&f[TOTAL], usage, 0);
  uint64_t input = dialect_number_at(&f[INPUT], usage, dialect_number_at(&f[PROMPT], usage, 0));
  input = dialect_number_at(&f[GEMINI], usage, input);
  if (input == 0 && total > output) input = total - output;
  uint64_t searches = dialect_number_at(&f[SEARCHES], usage, 0), ms = 0;
  if (f[SECONDS].value != NULL) {
    const char *end = f[SECONDS].value;
    while (end < usage.ptr + usage.len && ((*end >= '0' && *end <= '9') || *end == '.')) end++;
    price_scale(slice_of(f[SECONDS].value, (size_t)(end - f[SECONDS].value)), 3, &ms, NULL);
  }
  if (input + output + searches + ms == 0) return;
  u->input_tokens = input;
  u->output_tokens = output;
  u->cache_read_tokens = dialect_number_at(&f[CACHED], usage, 0);
  if (u->cache_read_tokens > input) u->cache_read_tokens = input;
  u->audio_input_tokens = dialect_number_at(&f[AUDIO], usage, 0);
  if (u->audio_input_tokens > input) u->audio_input_tokens = input;
  u->searches = searches;
  u->audio_ms = ms;
  u->source = USAGE_PROVIDER;
}

enum place { USAGE, GEMINI_USAGE, BILLED, TITAN, DURATION, DATA, RESPONSE_USAGE, ERROR, PLACES };

/* false: the text is no JSON as far as it was read. */
static bool find_places(struct slice text, struct json_field f[PLACES]) {
  static const char *const keys[PLACES] = {[USAGE] = "usage",
                                           [GEMINI_USAGE] = "usageMetadata",
                                           [BILLED] = "meta.billed_units",
                                           [TITAN] = "inputTextTokenCount",
                                           [DURATION] = "duration",
                                           [DATA] = "data",
                                           [RESPONSE_USAGE] = "response.usage",
                                           [ERROR] = "error"};
  for (unsigned i = 0; i < PLACES; i++) f[i] = (struct json_field){.key = slice_text(keys[i])};
  return json_pick(text, f, PLACES);
}

static void read_places(struct reading *r, const struct json_field f[PLACES]) {
  for (unsigned i = 0; i < PLACES; i++)
    if ((i == USAGE || i == GEMINI_USAGE || i == BILLED || i == RESPONSE_USAGE) && f[i].kind == JSON_OBJECT &&
        f[i].raw.ptr != NULL)
      read_usage(r, f[i].raw);
  uint64_t titan;
  if (f[TITAN].raw.ptr != NULL && json_to_u64(f[TITAN].raw, &titan)) {
    r->usage.input_tokens = titan;
    r->usage.source = USAGE_PROVIDER;
  }
}

static enum json_walk_step take_count(void *owner, enum json_kind kind, struct slice key, struct slice text,
                                      struct slice raw, size_t count) {
  (void)key, (void)text, (void)raw;
  if (kind == JSON_ARRAY) *(uint64_t *)owner = count;
  return JSON_WALK_STOP;
}

static bool take_end(void *owner) {
  (void)owner;
  return false;
}

static uint64_t count_of(struct slice array) {
  static const struct json_walker walker = {take_count, take_end};
  uint64_t count = 0;
  json_walk(array, &walker, &count, NULL);
  return count;
}

/* Counted here, so that what is paid by the piece has a cost though the provider tells none. */
static void count_pieces(enum operation operation, const struct asked *asked, struct reading *r,
                         const struct json_field f[PLACES]) {
  struct usage *u = &r->usage;
  if (operation == OPERATION_IMAGES && f[DATA].raw.ptr != NULL) u->images = count_of(f[DATA].raw);
  if (operation == OPERATION_RERANK && u->source == USAGE_NONE) u->searches = 1;
  if (operation == OPERATION_TRANSCRIPTIONS && u->audio_ms == 0 && f[DURATION].raw.ptr != NULL)
    price_scale(f[DURATION].raw, 3, &u->audio_ms, NULL);
  u->characters = asked->characters;
  if (u->source == USAGE_NONE && (u->images > 0 || u->searches > 0 || u->audio_ms > 0 || u->characters > 0))
    u->source = USAGE_ESTIMATED;
}

/* Whether usage that an answer tells is this request's: what is stored tells that of the request which made it. */
static bool is_paid(enum operation operation, const struct asked *asked) {
  return operation != OPERATION_COUNT_TOKENS && operation != OPERATION_FILES && operation != OPERATION_BATCHES &&
         operation != OPERATION_RESPONSES && !asked->only_looks;
}

/* Whether an answer must be a JSON object to be one. */
static bool has_shape(enum operation operation) {
  return operation != OPERATION_RAW && operation != OPERATION_FILES && operation != OPERATION_BATCHES &&
         operation != OPERATION_RESPONSES && operation != OPERATION_INVOKE;
}

void operation_read_answer(enum operation operation, const struct dialect *provider, const struct asked *asked,
                           struct reading *r, struct slice body) {
  struct json_field f[PLACES];
  r->complete = !has_shape(operation);
  if (body.len == 0) return;
  if ((operation == OPERATION_RAW || operation == OPERATION_INVOKE) && is_paid(operation, asked)) {
    /* A chat by another door is read as one. */
    struct reading chat = {0};
    provider->read_answer(&chat, body);
    if (chat.complete && !chat.failed && chat.usage.source == USAGE_PROVIDER) {
      r->usage = chat.usage;
      r->finish = chat.finish;
      return;
    }
  }
  if (has_shape(operation)) {
    struct json_field none = {.key = SLICE("usage")};
    r->complete = json_fields(body, &none, 1, NULL);
  }
  r->content_begun = r->complete && operation_row(operation)->estimate != ESTIMATE_NOTHING;
  if (!is_paid(operation, asked) || !find_places(body, f)) return;
  read_places(r, f);
  count_pieces(operation, asked, r, f);
}

void operation_read_event(enum operation operation, const struct dialect *provider, const struct asked *asked,
                          struct reading *r, const struct stream_event *e) {
  r->events++;
  r->usage_only = r->is_content = false;
  if (!e->has_data || e->data.len == 0) return;
  r->is_content = r->content_begun = true;
  if (e->is_exception && operation != OPERATION_RAW) {
    r->failed = true;
    provider->read_error(r, e->data);
    return;
  }
  if (slice_eq(e->data, SLICE("[DONE]"))) {
    r->complete = true;
    return;
  }
  struct json_field f[PLACES];
  if (!find_places(e->data, f)) return;
  if (f[ERROR].raw.ptr != NULL && f[ERROR].kind == JSON_OBJECT && operation != OPERATION_RAW) {
    r->failed = true;
    provider->read_error(r, e->data);
    return;
  }
  if (is_paid(operation, asked)) read_places(r, f);
  if (operation != OPERATION_COMPLETIONS) return;
  static const char *const choices[] = {"choices", NULL};
  struct slice list = json_find(e->data, choices);
  r->usage_only = r->usage.source == USAGE_PROVIDER && list.ptr != NULL && count_of(list) == 0;
}

void operation_read_bytes(enum operation operation, const struct asked *asked, struct reading *r) {
  static const struct json_field nothing[PLACES];
  r->complete = true;
  count_pieces(operation, asked, r, nothing);
}
