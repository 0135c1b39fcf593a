/* simulate_json: hops over values by their quotes and brackets. Pure; any thread. */
#include "main/simulate/json.h"

#include "base/must.h"
#include "wire/json.h"

static const char *skip_blank(const char *at, const char *end) {
  while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
  return at;
}

/* at is behind the opening quote; returns behind the closing one. */
static const char *skip_string(const char *at, const char *end) {
  for (const char *from = at;; at++) {
    at = memchr(at, '"', (size_t)(end - at));
    must(at != NULL);
    const char *slash = at;
    while (slash > from && slash[-1] == '\\') slash--;
    if (((at - slash) & 1) == 0) return at + 1;
  }
}

/* Whether c ends a number or a word. */
static bool ends_plain(char c) {
  return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const char *skip_value(const char *at, const char *end) {
  if (*at == '"') return skip_string(at + 1, end);
  if (*at != '{' && *at != '[') {
    while (at < end && !ends_plain(*at)) at++;
    return at;
  }
  unsigned depth = 0;
  do {
    must(at < end);
    char c = *at++;
    if (c == '"') at = skip_string(at, end);
    if (c == '{' || c == '[') depth++;
    if (c == '}' || c == ']') depth--;
  } while (depth > 0);
  return at;
}

/* Steps over the bracket that opens a value, or over the comma between two; false at the end. */
static bool enter(struct slice *rest, char open) {
  const char *end = rest->ptr + rest->len;
  const char *at = rest->len > 0 ? skip_blank(rest->ptr, end) : end;
  if (at == end || (*at != open && *at != ',')) return false;
  at = skip_blank(at + 1, end);
  *rest = slice_of(at, (size_t)(end - at));
  return rest->len > 0 && *at != ']' && *at != '}';
}

static struct slice take_value(struct slice *rest) {
  const char *end = rest->ptr + rest->len;
  const char *behind = skip_value(rest->ptr, end);
  struct slice value = slice_of(rest->ptr, (size_t)(behind - rest->ptr));
  *rest = slice_of(behind, (size_t)(end - behind));
  return value;
}

bool sim_json_element(struct slice *rest, struct slice *value) {
  if (!enter(rest, '[')) return false;
  *value = take_value(rest);
  return true;
}

bool sim_json_member(struct slice *rest, struct slice *key, struct slice *value) {
  if (!enter(rest, '{')) return false;
  struct slice quoted = take_value(rest);
  *key = slice_of(quoted.ptr + 1, quoted.len - 2);
  const char *end = rest->ptr + rest->len;
  const char *at = skip_blank(skip_blank(rest->ptr, end) + 1, end); /* over the colon */
  *rest = slice_of(at, (size_t)(end - at));
  *value = take_value(rest);
  return true;
}

struct slice sim_json_get(struct slice object, const char *key) {
  struct slice wanted = slice_text(key), found, value;
  if (object.len == 0 || *object.ptr != '{') return (struct slice){0};
  while (sim_json_member(&object, &found, &value))
    if (slice_eq(found, wanted)) return value;
  return (struct slice){0};
}

bool sim_json_is(struct slice raw, const char *text) {
  size_t len = strlen(text);
  return raw.len == len + 2 && *raw.ptr == '"' && memcmp(raw.ptr + 1, text, len) == 0;
}

struct slice sim_json_text(struct arena *arena, struct slice raw) {
  struct slice view;
  if (json_plain(raw, &view)) return view;
  if (raw.len < 2 || *raw.ptr != '"') return (struct slice){"", 0};
  char *copy = arena_alloc(arena, raw.len);
  size_t len = 0;
  if (!json_unquote(raw, copy, &len)) return (struct slice){"", 0};
  return slice_of(copy, len);
}
