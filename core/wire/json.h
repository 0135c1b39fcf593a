/* json: reading and writing JSON (RFC 8259), simdjson behind a C face. Pure; any thread (parsers are per thread).
 *
 * Three ways to read, cheapest first: json_scan for the top-level fields of a body on the hot path; json_find for one
 * nested value (json_pick for many small ones); json_walk for a whole document (the script layer builds Lua tables from
 * it). Scan and walk are strict: a document that RFC 8259 does not allow is refused with a position, one deeper than
 * JSON_DEPTH_MAX too. Raw slices are never decoded, so numbers and escapes pass byte-exact, those of lone surrogates
 * too; where text is decoded, a lone surrogate becomes U+FFFD.
 *
 * Texts given to a reader must have JSON_PADDING readable bytes behind them (struct buf and sse events have). */
#ifndef MOONGATE_WIRE_JSON_H
#define MOONGATE_WIRE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "wire/json_names.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { JSON_PADDING = 64, JSON_DEPTH_MAX = 128 };

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_fault {
  size_t at;       /* byte offset, as near as known */
  const char *why; /* static text */
};

/* Where a key stands. */
struct json_sight {
  struct slice key;  /* the caller's; not empty */
  const char *value; /* the first byte of its value; NULL: not there */
};
enum { JSON_SIGHTS_MAX = 16 };

/* One top-level field as json_scan found it. */
struct json_field {
  struct slice key; /* decoded key: the caller's wanted name */
  struct slice raw; /* the value's text as it stands; ptr NULL when the field is absent */
  enum json_kind kind;
};

/* Validates the WHOLE document strictly, which must be an object, and finds the wanted top-level fields: fields[i].key
 * is set by the caller, raw and kind by the call. A top-level key that occurs twice (compared decoded: "mod\u0065l" is
 * "model") is refused, wanted or not. One pass; allocates nothing once the thread's parser has grown. */
bool json_scan(struct slice text, struct json_field *fields, size_t count, struct json_fault *fault);
/* The same for a document whose keys are somebody else's business (a provider's answer): of a key that comes twice the
 * first counts, and keys are compared as they stand, undecoded. */
bool json_fields(struct slice text, struct json_field *fields, size_t count, struct json_fault *fault);

/* The same, and where each wanted key stands first below the top level, at whatever depth, without a second look. */
bool json_fields_looking(struct slice text, struct json_field *fields, size_t count, struct json_sight *sights,
                         size_t sight_count, struct json_fault *fault);

/* Validates the whole document strictly (any kind at the top). */
bool json_valid(struct slice text, struct json_fault *fault);

/* The raw text of the value at a path of object keys, e.g. {"usage","prompt_tokens"}; ptr NULL when absent or when the
 * text up to there is not JSON. Of a key that comes twice the first counts. Not strict: brackets are counted, escapes
 * are not looked at. The last of `path` is NULL. */
struct slice json_find(struct slice text, const char *const *path);

/* Many small reads of one event in one pass: wanted[i].key may be a path with dots ("choices.0.finish_reason"; digits
 * index arrays). Sets raw and kind; absent → ptr NULL. Not strict, as json_find, and stops once all are found. Returns
 * false when text is not JSON as far as it was read. */
bool json_pick(struct slice text, struct json_field *wanted, size_t count);

/* The same of up to 64 fields, where nothing else is expected: false also when an object in which something is wanted
 * has another key that `known` has not and whose value says something: it is not null, false, "", [] or {}. */
bool json_pick_known(struct slice text, struct json_field *wanted, size_t count, const struct json_names *known);

/* A look at a text without reading its structure: where `"key":` stands first, at whatever depth. For telling cheaply
 * that an event of a stream needs no closer look: within a string a quote is escaped, so text cannot pass for a key.
 * What comes behind a key is not validated; an escaped key ("us\u0061ge") is not seen. */
void json_glance(struct slice text, struct json_sight *wanted, size_t count);

/* Decodes a raw JSON string ("…" with its quotes) into out (needs raw.len bytes). false when it is not a string. */
bool json_unquote(struct slice raw, char *out, size_t *out_len);
/* A raw string with no escapes, as a view of its inside; false when it is not a string or has escapes. */
bool json_plain(struct slice raw, struct slice *out);
/* Raw number → integer; false for fractions, exponents, overflow, other kinds. */
bool json_to_u64(struct slice raw, uint64_t *out);
/* Raw number → the nearest double; infinity or 0 where the number is out of a double's range. */
bool json_to_double(struct slice raw, double *out);

/* Calls back through a whole document in order. A callback that returns false ends the walk (json_walk → false with
 * fault->why NULL). `raw` is given for every value before it is entered: a `value` callback for an array or object may
 * return JSON_WALK_SKIP to leave its inside unvisited (it is validated all the same). Nothing is called back before the
 * whole document has been found valid. Decoded slices end with the callback; a callback may use json itself, but must
 * not leave by longjmp: the thread's parser would stay taken. */
enum json_walk_step { JSON_WALK_STOP, JSON_WALK_ENTER, JSON_WALK_SKIP };
struct json_walker {
  /* key: decoded key within an object, ptr NULL within arrays and at the top. text: for strings the decoded string, for
   * everything else the raw text. count: for arrays and objects, the number of elements. raw: the value's own text. */
  enum json_walk_step (*value)(void *owner, enum json_kind kind, struct slice key, struct slice text, struct slice raw,
                               size_t count);
  bool (*end)(void *owner); /* an entered array or object ends */
};
bool json_walk(struct slice text, const struct json_walker *walker, void *owner, struct json_fault *fault);

/* ---- writing ------------------------------------------------------------------------------------------------ */

/* Appends s as a JSON string with its quotes: escapes ", \, controls; invalid UTF-8 becomes U+FFFD. */
void json_put_string(struct buf *out, struct slice s);
/* Shortest form that reads back as the same double. NaN and infinities are written as null. */
void json_put_double(struct buf *out, double number);
/* "key": with a comma before it unless it follows '{'. Key is trusted ASCII. */
void json_put_key(struct buf *out, const char *key);

#ifdef __cplusplus
}
#endif
#endif
