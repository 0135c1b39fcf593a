/* stream_reading: what a dialect learns from a whole stream of server-sent events. */
#ifndef MOONGATE_TESTS_GATE_STREAM_READING_H
#define MOONGATE_TESTS_GATE_STREAM_READING_H

#include "gate/dialect/dialect.h"
#include "wire/sse.h"

static inline void reading_of_stream(const struct dialect *d, struct slice body, struct reading *r) {
  struct sse_reader reader;
  struct stream_event e;
  sse_init(&reader, 16 << 20);
  while (sse_next(&reader, &body, &e) == SSE_EVENT) d->read_event(r, &e);
  while (sse_finish(&reader, &e) == SSE_EVENT) d->read_event(r, &e);
  sse_done(&reader);
}

#endif
