/* frames: JSON documents that come one after the other in one body, incremental: lines (NDJSON), and the elements of
 * one top-level array (Gemini without alt=sse). Pure; one reader, one thread.
 *
 * Zero copy where a document lies whole within one read; one that spans reads is gathered in the reader's own buffer.
 * The same documents come out however the bytes are cut, and all raw bytes one after the other are the input. Documents
 * are only told apart here: whether each one is JSON is json's question. */
#ifndef MOONGATE_WIRE_FRAMES_H
#define MOONGATE_WIRE_FRAMES_H

#include "base/bytes.h"

enum frames_shape { FRAMES_LINES, FRAMES_ARRAY };

struct frames_item {
  struct slice text; /* the document, no blanks around it; JSON_PADDING readable bytes behind it */
  struct slice raw;  /* the same with what stood before it (blanks, '[', ','), and for a line with its line end */
};

struct frames_reader {
  struct buf held;        /* a document that is not complete yet, with what stood before it, or the one given last */
  size_t text_at;         /* where in held the document begins */
  size_t frame_bytes_max; /* a document larger than this is a fault */
  const char *why;        /* after FRAMES_BROKEN: static text */
  uint32_t depth;         /* open brackets and braces of the document */
  uint8_t shape;          /* enum frames_shape */
  uint8_t place;          /* private */
  bool within_string;
  bool escaped; /* the last byte was the backslash of an escape */
  bool given;   /* held has been given out */
};

enum frames_verdict {
  FRAMES_MORE,
  FRAMES_ITEM,
  FRAMES_BETWEEN, /* raw only: bytes that belong to no document, and nothing follows them yet. How many of these there
                     are depends on the cuts */
  FRAMES_TOO_LARGE,
  FRAMES_BROKEN /* not an array, or something between its elements that is no comma */
};

void frames_init(struct frames_reader *r, enum frames_shape shape, size_t frame_bytes_max);
void frames_done(struct frames_reader *r);
/* Takes bytes from the front of *in (advancing it) until a document is complete or nothing is left. The item's slices
 * are valid until the next call. `in` must have BUF_SLACK readable bytes behind it. After TOO_LARGE and BROKEN there is
 * no way on. A reader that answers FRAMES_MORE between two documents has no memory on the heap. */
enum frames_verdict frames_next(struct frames_reader *r, struct slice *in, struct frames_item *out);
/* At the end of the stream: FRAMES_ITEM once for a last line without its end; FRAMES_BROKEN for an array that is not
 * closed; else FRAMES_MORE. */
enum frames_verdict frames_finish(struct frames_reader *r, struct frames_item *out);

#endif
