/* dialect_read: small readers and a writer that the dialect files share. Private to gate/dialect/. Any thread. */
#ifndef MOONGATE_GATE_DIALECT_READ_H
#define MOONGATE_GATE_DIALECT_READ_H

#include <stdio.h>

#include "gate/dialect/delta.h"
#include "gate/dialect/reading.h"
#include "gate/fault.h"
#include "wire/json.h"
#include "wire/json_cursor.h"
#include "wire/stream.h"

/* A fault's sentence and its advice, as a JSON string. For envelopes that have no field for it, with the parameter
 * before it (unless the text names it already), and with the code behind it. */
void dialect_put_message(struct buf *out, const struct fault *f, bool with_param, bool with_code);

/* What was charged, where a server's usage object tells: OpenRouter's cost (dollars), Perplexity's cost.total_cost,
 * xAI's ticks of 10^-10 dollars. */
void dialect_read_cost(struct usage *u, struct slice usage);

/* The four readers of struct dialect, each under its own name in the dialect's file. */
#define DIALECT_READERS                                                                                                \
  .read_event = read_event, .read_delta = read_delta, .read_answer = read_answer, .read_error = read_error

/* type and message of an error, by the paths at which they stand in it. */
void dialect_read_error(struct reading *r, struct slice body, struct slice type, struct slice message);

/* What every reader of events begins with. false: the event says nothing. */
static inline bool dialect_begin_event(struct reading *r, const struct stream_event *e) {
  r->events++;
  r->usage_only = r->is_content = false;
  return e->has_data && e->data.len > 0;
}

/* The type of an event: the SSE name, or "type" within the data where a server leaves the name out. false: none. */
static inline bool dialect_event_type(const struct stream_event *e, struct slice *type) {
  static const char *const path[] = {"type", NULL};
  *type = e->name;
  return type->len > 0 || json_plain(json_find(e->data, path), type);
}

/* The number behind raw, or `otherwise` when it is absent or no whole number. */
static inline uint64_t dialect_number(struct slice raw, uint64_t otherwise) {
  uint64_t number;
  return raw.ptr != NULL && json_to_u64(raw, &number) ? number : otherwise;
}

/* The whole number that a glance found within `text`, or `otherwise`. */
static inline uint64_t dialect_number_at(const struct json_sight *s, struct slice text, uint64_t otherwise) {
  const char *end = text.ptr + text.len, *at = s->value;
  while (at != NULL && at < end && *at >= '0' && *at <= '9') at++;
  return at != NULL ? dialect_number(slice_of(s->value, (size_t)(at - s->value)), otherwise) : otherwise;
}

/* The raw string that begins at `at` within `text`; ptr NULL when no string does, or one with escapes. */
static inline struct slice dialect_string_at(const char *at, struct slice text) {
  const char *end = text.ptr + text.len, *close = *at == '"' ? memchr(at + 1, '"', (size_t)(end - at - 1)) : NULL;
  return close != NULL ? slice_of(at, (size_t)(close + 1 - at)) : slice_of(NULL, 0);
}

/* A provider's word for why an answer ended. */
struct finish_word {
  struct slice word;
  enum finish_reason reason;
};

/* The reason that a raw string names: none for no string and an empty one, FINISH_OTHER for a word that no row has. Not
 * inline: an answer has one, and what reads every event is to stay small. */
enum finish_reason dialect_finish(struct slice raw, const struct finish_word *words, size_t count);

/* Takes the value at the cursor for the delta's piece. false: it is no string, an empty one, or the second. */
static inline bool dialect_take_piece(struct json_cursor *c, enum delta_kind kind, struct delta *out) {
  struct slice raw = json_take(c);
  if (raw.len <= 2 || *raw.ptr != '"' || out->raw.ptr != NULL) return false;
  out->kind = kind;
  out->raw = raw;
  return true;
}

/* Takes the small whole number at the cursor, an index. */
static inline bool dialect_take_index(struct json_cursor *c, int64_t *out) {
  uint64_t number;
  if (!json_to_u64(json_take(c), &number) || number > INT32_MAX) return false;
  *out = (int64_t)number;
  return true;
}

/* The object at the cursor: its member `name` is read by `read`, all others are passed over. */
static inline bool dialect_take_member(struct json_cursor *c, struct slice name,
                                       bool (*read)(struct json_cursor *, struct delta *), struct delta *out) {
  struct slice key;
  if (*c->at != '{') return false;
  while (json_next_key(c, &key)) {
    if (!slice_eq(key, name)) json_take(c);
    else if (!read(c, out)) return false;
  }
  return true;
}

/* The tier that a raw string names, or `otherwise` when it is absent or has escapes. */
static inline enum service_tier dialect_tier(struct slice raw, enum service_tier otherwise) {
  struct slice word;
  return raw.ptr != NULL && json_plain(raw, &word) ? service_tier_named(word) : otherwise;
}

/* A part that is more than its total is counted beside it: some servers do. So is reasoning where the total of all
 * (0: not looked at) says so. */
static inline void dialect_count_beside(struct usage *u, uint64_t total) {
  if (u->cache_read_tokens > u->input_tokens) u->input_tokens += u->cache_read_tokens;
  uint64_t fresh = u->input_tokens - u->cache_read_tokens;
  if (u->cache_write_tokens > fresh) u->cache_write_tokens = fresh;
  if (u->reasoning_tokens > u->output_tokens ||
      (u->reasoning_tokens > 0 && total == u->input_tokens + u->output_tokens + u->reasoning_tokens))
    u->output_tokens += u->reasoning_tokens;
}

/* Input of a server that counts apart what the cache served (set before) and took: `written`, `hour` of it for an hour,
 * or all of it where `hour` is more. */
static inline void dialect_count_written(struct usage *u, uint64_t plain, uint64_t written, uint64_t hour) {
  u->cache_write_1h_tokens = hour < written ? hour : written;
  u->cache_write_tokens = written - u->cache_write_1h_tokens;
  u->input_tokens = plain + u->cache_read_tokens + written;
}

static inline bool dialect_present(const struct json_field *f) {
  return f->raw.ptr != NULL && f->kind != JSON_NULL;
}

/* Whether the last value of an event is an empty text, as of {"delta":{"text":""}}: a piece that says nothing. Within a
 * string a quote is escaped, so the end of no text looks like it. */
static inline bool dialect_ends_empty(struct slice event) {
  const char *at = event.ptr + event.len;
  while (at > event.ptr && (at[-1] == '}' || at[-1] == ' ')) at--;
  if (at - event.ptr < 3 || at[-1] != '"' || at[-2] != '"') return false;
  for (at -= 2; at > event.ptr && at[-1] == ' ';) at--;
  return at > event.ptr && at[-1] == ':';
}

/* A raw JSON string, decoded and cut to fit; anything else is left as its text. */
static inline void dialect_text(char *out, size_t cap, struct slice raw) {
  char decoded[2048];
  size_t len = 0;
  if (raw.ptr == NULL) return;
  if (raw.len > sizeof decoded || !json_unquote(raw, decoded, &len)) {
    len = raw.len < sizeof decoded ? raw.len : sizeof decoded;
    memcpy(decoded, raw.ptr, len);
  }
  if (len >= cap) {
    len = cap - 1;
    while (len > 0 && ((unsigned char)decoded[len] & 0xc0) == 0x80) len--; /* not inside a UTF-8 sequence */
  }
  memcpy(out, decoded, len);
  out[len] = '\0';
}

#endif
