/* sse: server-sent events, incremental (WHATWG HTML 9.2.6): LF, CR, CRLF, several data lines, comments, BOM, no blank
 * after the colon, a last event without its blank line. Pure; one reader, one thread.
 *
 * Zero copy where an event lies whole within one read: its slices point into the caller's bytes. An event that spans
 * reads is gathered in the reader's own buffer. The same events come out however the bytes are cut, and their raw bytes
 * one after the other are the input, byte for byte. A block without any "data:" line is an event without data.
 * "retry:" and what else the standard leaves to browsers (the last event id, reconnecting) is not done here. */
#ifndef MOONGATE_WIRE_SSE_H
#define MOONGATE_WIRE_SSE_H

#include "wire/stream_event.h"

struct sse_reader {
  struct buf held;        /* bytes of an event that is not complete yet, or of the one given last */
  struct buf joined;      /* data of a multi-line event */
  size_t event_bytes_max; /* an event larger than this is a fault */
  bool given;             /* held has been given out as an event */
  bool started;           /* the first event is over: a BOM is no BOM any more */
  bool swallow_lf;        /* the last byte of the last event was a CR */
};

enum sse_verdict { SSE_MORE, SSE_EVENT, SSE_TOO_LARGE };

void sse_init(struct sse_reader *r, size_t event_bytes_max);
void sse_done(struct sse_reader *r);
/* Takes bytes from the front of *in (advancing it) until an event is complete or nothing is left. The event's slices
 * are valid until the next call. `in` must have BUF_SLACK readable bytes behind it. After SSE_TOO_LARGE there is no way
 * on. A reader that answers SSE_MORE with nothing held has no memory on the heap. */
enum sse_verdict sse_next(struct sse_reader *r, struct slice *in, struct stream_event *out);
/* At the end of the stream: what is held, as a last event (SSE_EVENT once), then SSE_MORE. The last event may be no
 * more than the LF of a CRLF that was cut in two: without data, for the sake of raw. */
enum sse_verdict sse_finish(struct sse_reader *r, struct stream_event *out);

#endif
