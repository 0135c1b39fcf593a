/* json_fuzz: any bytes through every reader and the writer. What is accepted must agree between them: a scan or a walk
 * accepts only what json_valid accepts, a cursor that enters everything too, and a string that was read is written and
 * reads back the same. */
#include <stdlib.h>

#include "base/must.h"
#include "wire/json.h"
#include "wire/json_cursor.h"

static enum json_walk_step visit(void *owner, enum json_kind kind, struct slice key, struct slice text,
                                 struct slice raw, size_t count) {
  struct buf *written = owner;
  (void)key, (void)count;
  if (kind == JSON_STRING) {
    struct json_fault fault;
    written->len = 0;
    json_put_string(written, text);
    must(json_valid(buf_view(written), &fault));
    char *back = malloc(written->len);
    size_t len;
    must(json_unquote(buf_view(written), back, &len));
    must(slice_eq(slice_of(back, len), text));
    free(back);
  }
  if (kind == JSON_NUMBER) {
    double number;
    must(json_to_double(raw, &number));
  }
  return raw.len % 7 == 6 ? JSON_WALK_SKIP : JSON_WALK_ENTER;
}

static bool leave(void *owner) {
  (void)owner;
  return true;
}

static void enter(struct json_cursor *c, unsigned depth) {
  struct slice key;
  char first = c->at < c->end && depth < 8 ? *c->at : '\0';
  if (first != '{' && first != '[') json_take(c);
  else if (first == '[')
    while (json_next_element(c)) enter(c, depth + 1);
  else
    while (json_next_key(c, &key)) enter(c, depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  static const struct json_walker walker = {visit, leave};
  static const char *const path[] = {"a", "b", NULL};
  char *copy = malloc(len + JSON_PADDING);
  struct slice text = slice_of(copy, len);
  struct json_field fields[] = {{.key = SLICE("model")}, {.key = SLICE("stream")}, {.key = SLICE("a")}};
  struct json_field picked[] = {{.key = SLICE("a.b")}, {.key = SLICE("choices.0.delta.content")}, {.key = SLICE("a")}};
  struct json_fault fault = {SIZE_MAX, NULL};
  struct buf written = {0};
  if (len) memcpy(copy, bytes, len);
  memset(copy + len, '"', JSON_PADDING);
  bool valid = json_valid(text, &fault);
  must(valid || (fault.why != NULL && fault.at <= len));
  bool scanned = json_scan(text, fields, 3, &fault), walked = json_walk(text, &walker, &written, &fault);
  must(walked == valid);
  must(!scanned || valid);
  struct json_cursor cursor = json_cursor_of(text);
  enter(&cursor, 0);
  must(valid || !json_ended(&cursor));
  bool was_picked = json_pick(text, picked, 3);
  must(!valid || was_picked);
  struct slice found = json_find(text, path);
  must(!valid || slice_eq(found, picked[0].raw));
  must(found.ptr == NULL || !valid || json_valid(found, &fault));
  json_put_string(&written, slice_of(copy, len));
  size_t out_len;
  char *out = malloc(len + 1);
  json_unquote(text, out, &out_len);
  uint64_t integer;
  double number;
  json_to_u64(text, &integer);
  if (json_to_double(text, &number)) json_put_double(&written, number);
  free(out);
  buf_done(&written);
  free(copy);
  return 0;
}
