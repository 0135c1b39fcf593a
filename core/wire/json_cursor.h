/* json_cursor: one strict pass over a JSON text, member by member, by whoever knows what may stand where: for events of
 * a stream, which are short and nearly always look alike. Pure; any thread; allocates nothing.
 *
 *     while (json_next_key(&c, &key)) {
 *       if (slice_eq(key, SLICE("delta"))) read_delta(&c, …);   at an object or array: enter it by asking for its first
 *       else json_take(&c);                                     or take the value, whatever it is, as it stands
 *     }
 *     … json_ended(&c)
 *
 * What has been passed is validated as json_valid would, but for UTF-8 and what follows the document: nothing is to be
 * believed before json_ended has said so. Keys are as they stand: an escaped one breaks the cursor, so that none can
 * hide behind an escape. Which values are arrays and objects, to be entered, the caller looks at: *c.at. */
#ifndef MOONGATE_WIRE_JSON_CURSOR_H
#define MOONGATE_WIRE_JSON_CURSOR_H

#include "base/bytes.h"
#include "wire/json_simd.h"

struct json_cursor {
  const char *at, *end; /* BUF_SLACK readable bytes behind end */
  const char *begin;
  bool is_behind; /* a value: a comma or a closing bracket is due */
  bool is_broken;
  bool high; /* bytes from 0x80 on were passed within strings */
};

/* The end of the value that begins at c->at, NULL when it is none. The way for all that is not short and plain. */
const char *json_value_end(struct json_cursor *c);

static inline struct json_cursor json_cursor_of(struct slice text) {
  return (struct json_cursor){.at = text.ptr, .end = text.ptr + text.len, .begin = text.ptr};
}

static inline void json_pass_blanks(struct json_cursor *c) {
  while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t')) c->at++;
}

static inline bool json_break(struct json_cursor *c) {
  c->is_broken = true;
  c->at = c->end;
  return false;
}

static inline bool json_pass_value(struct json_cursor *c) {
  const char *end = json_value_end(c);
  if (end == NULL) return json_break(c);
  c->at = end;
  return true;
}

/* Moves past the string that begins at c->at. */
static inline bool json_pass_string(struct json_cursor *c) {
  for (const char *at = c->at + 1; at < c->end; at += JSON_BLOCK) {
    unsigned high, special = json_mask_special(at, &high);
    if (special == 0 && high == 0) continue;
    unsigned first = json_mask_first(special | high);
    if (at + first >= c->end) break;
    if (at[first] != '"') return json_pass_value(c);
    c->at = at + first + 1;
    return true;
  }
  return json_break(c);
}

/* Opens what c->at stands before, or moves past the comma to the next. false: it is closed, and passed. */
static inline bool json_next(struct json_cursor *c, char open, char close) {
  json_pass_blanks(c);
  if (c->at >= c->end) return json_break(c);
  bool was_behind = c->is_behind, closes = was_behind && *c->at == close;
  if (!closes && *c->at != (was_behind ? ',' : open)) return json_break(c);
  c->at++;
  json_pass_blanks(c);
  c->is_behind = closes;
  if (closes) return false;
  if (c->at >= c->end) return json_break(c);
  if (*c->at != close) return true;
  if (was_behind) return json_break(c);
  c->at++;
  c->is_behind = true;
  json_pass_blanks(c);
  return false;
}

/* The next element of the array that c->at stands before or in: c->at is at its value then. */
static inline bool json_next_element(struct json_cursor *c) {
  return json_next(c, '[', ']');
}

/* The next member of the object that c->at stands before or in: c->at is at its value then. */
static inline bool json_next_key(struct json_cursor *c, struct slice *key) {
  if (!json_next(c, '{', '}')) return false;
  const char *begin = c->at;
  if (*begin != '"' || !json_pass_string(c)) return json_break(c);
  *key = slice_of(begin + 1, (size_t)(c->at - begin - 2));
  for (size_t i = 0; i < key->len; i++)
    if (key->ptr[i] == '\\') return json_break(c);
  json_pass_blanks(c);
  if (c->at >= c->end || *c->at != ':') return json_break(c);
  c->at++;
  json_pass_blanks(c);
  return c->at < c->end || json_break(c);
}

/* Takes the value at c->at: its text as it stands, and the blanks behind it. Empty when the cursor is broken. */
static inline struct slice json_take(struct json_cursor *c) {
  const char *begin = c->at;
  bool passed = c->at < c->end && (*c->at == '"' ? json_pass_string(c) : json_pass_value(c));
  if (!passed) {
    json_break(c);
    return slice_of("", 0);
  }
  struct slice raw = slice_of(begin, (size_t)(c->at - begin));
  c->is_behind = true;
  json_pass_blanks(c);
  return raw;
}

/* Takes the value; whether it says nothing: null. */
static inline bool json_take_null(struct json_cursor *c) {
  return slice_eq(json_take(c), SLICE("null"));
}

/* Takes the value; whether it says nothing: null, an empty string, or an empty array. */
static inline bool json_take_nothing(struct json_cursor *c) {
  struct slice raw = json_take(c);
  return slice_eq(raw, SLICE("null")) || slice_eq(raw, SLICE("\"\"")) || slice_eq(raw, SLICE("[]"));
}

/* At the end: whether all of the text was one value of JSON. */
bool json_ended(const struct json_cursor *c);

#endif
