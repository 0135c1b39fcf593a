/* frames_heard: what a frames_reader says of a stream, given whole or in pieces, for the unit test and the fuzzer. Each
 * piece lies in memory of its own, so that a sanitizer sees what reads beyond it. It does NOT judge. */
#ifndef MOONGATE_TESTS_WIRE_FRAMES_HEARD_H
#define MOONGATE_TESTS_WIRE_FRAMES_HEARD_H

#include <stdlib.h>

#include "wire/frames.h"
#include "wire/json.h"

struct heard {
  struct buf texts, raws; /* documents with `behind` after each; raws one after the other */
  char behind;
  enum frames_verdict last; /* how it ended */
  size_t left;              /* bytes that were not taken though more was asked for */
  bool holds, tells;        /* the reader's at the end: it keeps bytes; it says why */
};

static inline void heard_done(struct heard *h) {
  buf_done(&h->texts);
  buf_done(&h->raws);
}

static inline void hear(struct heard *h, const struct frames_item *item, bool whole) {
  buf_slice(&h->raws, item->raw);
  if (!whole) return;
  buf_slice(&h->texts, item->text);
  buf_byte(&h->texts, h->behind);
  volatile char sum = 0;
  for (size_t i = 0; i < JSON_PADDING; i++) sum = (char)(sum + item->text.ptr[item->text.len + i]);
}

static inline void hear_piece(struct heard *h, struct frames_reader *r, struct slice bytes) {
  char *copy = malloc(bytes.len + BUF_SLACK);
  struct slice in = slice_of(copy, bytes.len);
  struct frames_item item;
  if (bytes.len > 0) memcpy(copy, bytes.ptr, bytes.len);
  memset(copy + bytes.len, ']', BUF_SLACK);
  for (;;) {
    h->last = frames_next(r, &in, &item);
    if (h->last != FRAMES_ITEM && h->last != FRAMES_BETWEEN) break;
    hear(h, &item, h->last == FRAMES_ITEM);
  }
  if (h->last == FRAMES_MORE) h->left += in.len;
  free(copy);
}

/* A stream from `from` on in pieces of `piece` bytes. */
static inline void hear_pieces(struct heard *h, struct frames_reader *r, struct slice stream, size_t from,
                               size_t piece) {
  for (size_t at = from; at < stream.len && h->last == FRAMES_MORE; at += piece)
    hear_piece(h, r, slice_of(stream.ptr + at, stream.len - at < piece ? stream.len - at : piece));
}

/* A whole stream: first `first` bytes, then pieces of `piece`. The caller ends it with heard_done. */
static inline struct heard hear_stream(enum frames_shape shape, size_t limit, struct slice stream, size_t first,
                                       size_t piece, char behind) {
  struct heard h = {.behind = behind};
  struct frames_reader r;
  struct frames_item item;
  frames_init(&r, shape, limit);
  hear_piece(&h, &r, slice_of(stream.ptr, first));
  hear_pieces(&h, &r, stream, first, piece);
  if (h.last == FRAMES_MORE && (h.last = frames_finish(&r, &item)) == FRAMES_ITEM) {
    hear(&h, &item, true);
    h.last = frames_finish(&r, &item);
  }
  h.holds = r.held.ptr != NULL;
  h.tells = r.why != NULL;
  frames_done(&r);
  return h;
}

#endif
