/* stream_event: one event of a provider's stream, whatever carried it: server-sent events, the elements of a JSON
 * array, or AWS messages. Plain data; its slices are valid until its reader's next call. */
#ifndef MOONGATE_WIRE_STREAM_EVENT_H
#define MOONGATE_WIRE_STREAM_EVENT_H

#include "base/bytes.h"

struct stream_event {
  struct slice name; /* SSE: "event:" value; AWS: ":event-type", or ":exception-type"; empty when absent */
  struct slice data; /* SSE: "data:" lines joined by '\n'; else the JSON text. JSON_PADDING readable bytes behind it */
  struct slice id;   /* SSE only */
  struct slice raw;  /* the event as it came, what stood before it included (SSE: comments; array: '[', ',', blanks).
                        When a read ends between the CR and the LF of SSE's blank line, the LF comes with the next */
  bool has_data;     /* false: bytes that say nothing (a comment, a lone "event:", what stands between elements) */
  bool is_exception; /* AWS: ":message-type" is not "event" */
};

#endif
