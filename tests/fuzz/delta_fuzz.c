/* delta_fuzz: any bytes as an event of each dialect's stream. What is taken for one more piece is valid JSON, whole,
 * and the piece is a string that is written as any other text. */
#include <stdlib.h>

#include "base/must.h"
#include "gate/dialect/dialect.h"
#include "wire/json.h"
#include "wire/stencil.h"

static void look(const struct dialect *d, const struct stream_event *e) {
  struct delta found = {.raw = {NULL, 0}};
  if (!d->read_delta(e, &found)) return;
  must(json_valid(e->data, NULL) && json_valid(found.raw, NULL) && found.raw.len > 2);
  must(found.rest.ptr == NULL || json_valid(found.rest, NULL));
  char *text = malloc(found.raw.len);
  size_t len;
  must(json_unquote(found.raw, text, &len));
  struct stencil s = {0};
  struct buf written = {0}, expected = {0};
  stencil_set(&s, &(struct stencil_cut){.before = SLICE("["), .after = SLICE("]")});
  stencil_put(&s, &written, found.raw, slice_of(text, len));
  buf_byte(&expected, '[');
  json_put_string(&expected, slice_of(text, len));
  buf_byte(&expected, ']');
  must(slice_eq(buf_view(&written), buf_view(&expected)));
  stencil_done(&s);
  buf_done(&written);
  buf_done(&expected);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  char *copy = malloc(len + JSON_PADDING);
  if (len) memcpy(copy, bytes, len);
  memset(copy + len, '"', JSON_PADDING);
  for (int id = 0; id < DIALECT_COUNT; id++) {
    struct stream_event e = {.name = SLICE(""), .data = slice_of(copy, len), .has_data = true};
    look(dialect_of((enum dialect_id)id), &e);
    e.name = SLICE("contentBlockDelta");
    look(dialect_of((enum dialect_id)id), &e);
  }
  free(copy);
  return 0;
}
