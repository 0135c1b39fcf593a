/* sse_fuzz: any bytes, whole and cut where the first bytes say: the same events, and the input again from their raws.
 */
#include <stdlib.h>

#include "base/must.h"
#include "wire/sse.h"

struct heard {
  struct buf events, raws;
};

static void hear(struct heard *h, const struct stream_event *e) {
  buf_slice(&h->raws, e->raw);
  struct slice parts[] = {e->name, e->data, e->id, e->has_data ? SLICE("1") : SLICE("0")};
  for (size_t i = 0; i < 4; i++) {
    buf_slice(&h->events, parts[i]);
    buf_byte(&h->events, '\0');
  }
}

static void feed(struct sse_reader *r, const uint8_t *bytes, size_t len, struct heard *h) {
  char *copy = malloc(len + BUF_SLACK);
  struct slice in = slice_of(copy, len);
  struct stream_event e;
  if (len) memcpy(copy, bytes, len);
  memset(copy + len, '\n', BUF_SLACK);
  while (sse_next(r, &in, &e) == SSE_EVENT) hear(h, &e);
  must(in.len == 0);
  free(copy);
}

/* The LF of a CRLF that ends the stream, when the last cut was within it, is an event of its own: only its raw byte is
 * news. */
static void finish(struct sse_reader *r, struct heard *h) {
  struct stream_event e;
  if (sse_finish(r, &e) == SSE_EVENT) {
    bool half = slice_eq(e.raw, SLICE("\n")) && h->raws.len > 0 && h->raws.ptr[h->raws.len - 1] == '\r';
    must(!half || !e.has_data);
    if (half) buf_byte(&h->raws, '\n');
    else hear(h, &e);
  }
  must(sse_finish(r, &e) == SSE_MORE);
  must(r->held.ptr == NULL && r->joined.ptr == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  struct heard whole = {0}, cut = {0};
  struct sse_reader r;
  if (len < 2) return 0;
  size_t first = bytes[0], piece = bytes[1] % 16 + 1u;
  bytes += 2;
  len -= 2;
  if (first > len) first = len;
  sse_init(&r, 1 << 20);
  feed(&r, bytes, len, &whole);
  finish(&r, &whole);
  sse_init(&r, 1 << 20);
  feed(&r, bytes, first, &cut);
  for (size_t at = first; at < len; at += piece) feed(&r, bytes + at, len - at < piece ? len - at : piece, &cut);
  finish(&r, &cut);
  must(slice_eq(buf_view(&whole.raws), slice_of((const char *)bytes, len)));
  must(slice_eq(buf_view(&cut.raws), buf_view(&whole.raws)));
  must(slice_eq(buf_view(&cut.events), buf_view(&whole.events)));
  buf_done(&whole.events);
  buf_done(&whole.raws);
  buf_done(&cut.events);
  buf_done(&cut.raws);
  return 0;
}
