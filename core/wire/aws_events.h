/* aws_events: the AWS event stream (application/vnd.amazon.eventstream), both directions: what Bedrock streams in
 * place of SSE. Pure; one reader, one thread. Format: Amazon Transcribe and S3 developer guides, "event stream
 * encoding".
 *
 *     ┌───────────┬─────────────┬─────────────┬─────────┬─────────┬─────────────┐
 *     │ total u32 │ headers u32 │ prelude crc │ headers │ payload │ message crc │   big endian; CRC-32 (IEEE)
 *     └───────────┴─────────────┴─────────────┴─────────┴─────────┴─────────────┘
 *
 * Zero copy where a message lies whole within one read. Both CRCs are checked, that of the prelude before its lengths
 * are believed. What the payload means is the dialect's business; an exception arrives inside HTTP 200. */
#ifndef MOONGATE_WIRE_AWS_EVENTS_H
#define MOONGATE_WIRE_AWS_EVENTS_H

#include "base/bytes.h"

enum aws_header_type {
  AWS_TRUE,
  AWS_FALSE,
  AWS_BYTE,
  AWS_SHORT,
  AWS_INTEGER,
  AWS_LONG,
  AWS_BYTES,
  AWS_STRING,
  AWS_TIMESTAMP, /* ms since 1970 */
  AWS_UUID       /* 16 bytes */
};

struct aws_header {
  struct slice name; /* 1 to 255 bytes */
  enum aws_header_type type;
  struct slice value; /* AWS_BYTES, AWS_STRING (at most 65,535 bytes), AWS_UUID */
  int64_t number;     /* the other types; AWS_TRUE 1, AWS_FALSE 0 */
};

struct aws_event {
  struct slice kind;    /* ":message-type": "event", "exception", "error"; empty when absent, as those below */
  struct slice name;    /* ":event-type", else ":exception-type", else ":error-code" */
  struct slice message; /* ":error-message" */
  struct slice content_type;
  struct slice headers; /* all of them, for aws_header_next */
  struct slice payload; /* JSON_PADDING readable bytes behind it */
  struct slice raw;     /* the whole message */
};

struct aws_reader {
  struct buf held;          /* a message that is not complete yet, or the one given last */
  size_t message_bytes_max; /* a message larger than this is a fault */
  const char *why;          /* after AWS_BROKEN: static text */
  bool given;               /* held has been given out */
};

enum aws_verdict { AWS_MORE, AWS_EVENT, AWS_TOO_LARGE, AWS_BROKEN };

void aws_events_init(struct aws_reader *r, size_t message_bytes_max);
void aws_events_done(struct aws_reader *r);
/* Takes bytes from the front of *in (advancing it) until a message is complete or nothing is left. The event's slices
 * are valid until the next call. `in` must have BUF_SLACK readable bytes behind it. After AWS_TOO_LARGE and AWS_BROKEN
 * there is no way on. A reader that answers AWS_MORE with nothing held has no memory on the heap. */
enum aws_verdict aws_events_next(struct aws_reader *r, struct slice *in, struct aws_event *out);
/* At the end of the stream: whether it ended between two messages. */
bool aws_events_ended_whole(const struct aws_reader *r);

/* Takes one header from the front of *headers; false at the end, and where they are malformed (then something is left
 * in *headers; never so for the headers of a struct aws_event, which have been checked). */
bool aws_header_next(struct slice *headers, struct aws_header *out);

/* Appends a message. Names and values must fit their lengths (see struct aws_header). */
void aws_events_put(struct buf *out, const struct aws_header *headers, size_t count, struct slice payload);
/* The same for what Bedrock streams: ":event-type" (or, for an exception, ":exception-type") `name`, a JSON payload. */
void aws_events_put_json(struct buf *out, bool is_exception, struct slice name, struct slice json);
size_t aws_events_json_bytes(bool is_exception, struct slice name, struct slice json); /* how many that appends */

#endif
