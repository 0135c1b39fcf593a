/* reading: what the gateway learns from a provider's answer while it passes by: usage, how it ended, whether content
 * has begun. Filled by the dialect's readers (gate/dialect/dialect.h). One attempt's; one thread. */
#ifndef MOONGATE_GATE_READING_H
#define MOONGATE_GATE_READING_H

#include "base/bytes.h"
#include "gate/account/usage.h"

enum finish_reason {
  FINISH_NONE,
  FINISH_STOP,
  FINISH_LENGTH,
  FINISH_TOOL_CALLS,
  FINISH_REFUSAL,
  FINISH_PAUSE,
  FINISH_OTHER
};
const char *finish_reason_name(enum finish_reason reason); /* "stop" …; "" for none */

struct reading {
  struct usage usage;
  enum finish_reason finish;
  uint32_t events;      /* of a stream */
  uint32_t deltas;      /* those with content; counted by whoever reads them */
  bool content_begun;   /* a content, tool or reasoning delta, or a finish reason, was seen */
  bool complete;        /* the dialect's terminal event, or a whole answer of its shape, was seen */
  bool failed;          /* the provider reported an error inside its answer */
  bool usage_only;      /* the last event carried nothing but usage (strippable) */
  bool is_content;      /* the last event carried content */
  bool has_calls;       /* a tool call was seen, where the finish reason does not tell */
  char error_type[48];  /* with failed: the provider's type or code */
  char error_text[200]; /* with failed: its message, cut */
};

#endif
