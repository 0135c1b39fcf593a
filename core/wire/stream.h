/* stream: the three framings in which providers stream, behind one reader. Pure; one reader, one thread. What each
 * framing promises (zero copy, the same events however the bytes are cut, raw bytes that add up to the input) is said
 * by sse.h, frames.h and aws_events.h; what an event means is the dialect's business. */
#ifndef MOONGATE_WIRE_STREAM_H
#define MOONGATE_WIRE_STREAM_H

#include "wire/aws_events.h"
#include "wire/frames.h"
#include "wire/sse.h"

enum framing { FRAMING_SSE, FRAMING_JSON_ARRAY, FRAMING_AWS_EVENTS, FRAMING_COUNT };

struct framing_row {
  const char *name;          /* as scripts see it: "sse" */
  struct slice content_type; /* of an answer in this framing, as this gateway writes it */
  struct slice accept;       /* what a request for it accepts */
  struct slice filler;       /* says nothing between two events; ptr NULL: there is nothing of the kind */
};
const struct framing_row *framing_row(enum framing framing);

/* `{0}` is a valid reader that holds nothing. */
struct stream_reader {
  enum framing framing;
  union {
    struct sse_reader sse;
    struct frames_reader frames;
    struct aws_reader aws;
  };
};

enum stream_verdict { STREAM_MORE, STREAM_EVENT, STREAM_TOO_LARGE, STREAM_BROKEN };

void stream_init(struct stream_reader *r, enum framing framing, size_t event_bytes_max);
void stream_done(struct stream_reader *r);
/* Takes bytes from the front of *in (advancing it) until an event is complete or nothing is left. `in` must have
 * BUF_SLACK readable bytes behind it. After STREAM_TOO_LARGE and STREAM_BROKEN there is no way on. */
enum stream_verdict stream_next(struct stream_reader *r, struct slice *in, struct stream_event *out);
/* At the end of the stream: a last event (STREAM_EVENT once; SSE only), then STREAM_MORE; STREAM_BROKEN for an array
 * that is not closed and for a message that is cut. */
enum stream_verdict stream_finish(struct stream_reader *r, struct stream_event *out);
/* Static text: why, after STREAM_BROKEN. */
const char *stream_why(const struct stream_reader *r);

#endif
