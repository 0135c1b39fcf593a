/* frames_fuzz: any bytes as lines and as an array, whole and cut where the first bytes say: the same documents. */
#include <stdlib.h>

#include "base/must.h"
#include "wire/frames.h"

struct heard {
  struct buf texts, raws;
  enum frames_verdict last;
};

static void hear(struct heard *h, const struct frames_item *item, bool whole) {
  buf_slice(&h->raws, item->raw);
  if (!whole) return;
  buf_slice(&h->texts, item->text);
  buf_byte(&h->texts, '\0');
}

static void feed(struct frames_reader *r, const uint8_t *bytes, size_t len, struct heard *h) {
  char *copy = malloc(len + BUF_SLACK);
  struct slice in = slice_of(copy, len);
  struct frames_item item;
  if (len) memcpy(copy, bytes, len);
  memset(copy + len, '}', BUF_SLACK);
  for (;;) {
    h->last = frames_next(r, &in, &item);
    if (h->last != FRAMES_ITEM && h->last != FRAMES_BETWEEN) break;
    hear(h, &item, h->last == FRAMES_ITEM);
  }
  must(h->last != FRAMES_MORE || in.len == 0);
  free(copy);
}

static struct heard run(enum frames_shape shape, const uint8_t *bytes, size_t len, size_t first, size_t piece) {
  struct heard h = {0};
  struct frames_reader r;
  struct frames_item item;
  frames_init(&r, shape, 1 << 20);
  feed(&r, bytes, first, &h);
  for (size_t at = first; at < len && h.last == FRAMES_MORE; at += piece)
    feed(&r, bytes + at, len - at < piece ? len - at : piece, &h);
  if (h.last == FRAMES_MORE) {
    h.last = frames_finish(&r, &item);
    if (h.last == FRAMES_ITEM) {
      hear(&h, &item, true);
      h.last = frames_finish(&r, &item);
    }
    if (h.last == FRAMES_MORE) must(slice_eq(buf_view(&h.raws), slice_of((const char *)bytes, len)));
  }
  must((h.last == FRAMES_BROKEN) == (r.why != NULL));
  frames_done(&r);
  return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  if (len < 2) return 0;
  size_t first = bytes[0], piece = bytes[1] % 16 + 1u;
  bytes += 2;
  len -= 2;
  if (first > len) first = len;
  for (int shape = FRAMES_LINES; shape <= FRAMES_ARRAY; shape++) {
    struct heard whole = run(shape, bytes, len, len, 1), cut = run(shape, bytes, len, first, piece);
    must(whole.last == cut.last);
    must(slice_eq(buf_view(&whole.texts), buf_view(&cut.texts)));
    buf_done(&whole.texts);
    buf_done(&whole.raws);
    buf_done(&cut.texts);
    buf_done(&cut.raws);
  }
  return 0;
}
