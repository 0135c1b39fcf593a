/* dialect: what the C core must know of a wire protocol: how its requests are shaped, where its providers take them,
 * how its events read, how its errors look. The paths that clients use are in gate/endpoint_table.h; the mapping
 * between dialects is Lua (adapters/dialects/). A new dialect is a row in dialect.c and a file beside it. Pure; any
 * thread. */
#ifndef MOONGATE_GATE_DIALECT_H
#define MOONGATE_GATE_DIALECT_H

#include "base/bytes.h"
#include "gate/asked.h"
#include "gate/dialect/delta.h"
#include "gate/dialect/reading.h"
#include "gate/fault.h"
#include "wire/json.h"
#include "wire/stream.h"

enum dialect_id {
  DIALECT_OPENAI_CHAT,
  DIALECT_OPENAI_RESPONSES,
  DIALECT_ANTHROPIC_MESSAGES,
  DIALECT_GEMINI,
  DIALECT_COHERE_CHAT,
  DIALECT_BEDROCK_CONVERSE,
  DIALECT_COUNT
};

/* Where a client's stream stands. */
struct stream_place {
  enum framing framing;
  uint64_t number; /* of the next event, where the dialect numbers them */
};

struct dialect {
  const char *name;         /* "openai.chat" */
  struct slice path_prefix; /* paths below it that no endpoint has are refused in this dialect; empty: none */
  struct request_shape request;

  /* Appended to the path of a provider's base URL; {model} stands for the model, percent-encoded. */
  struct slice provider_path, provider_stream_path; /* stream_path empty: the same */
  struct slice sse_query;                           /* asks for server-sent events; empty: not needed */
  enum framing framing; /* in which its providers are asked to stream for clients of other dialects */
  bool finish_ends;     /* a stream that ends in order after a finish reason is whole without a terminal event */

  struct slice request_id_header; /* beside x-request-id; empty: none */

  /* One event of a provider's stream. */
  void (*read_event)(struct reading *r, const struct stream_event *e);
  /* Whether the event is one more piece of the only answer and says nothing else that the dialect's reader in Lua would
   * hear: a translation then needs no decoding of the event, which is valid JSON. */
  bool (*read_delta)(const struct stream_event *e, struct delta *out);
  /* A whole answer with a 2xx status. Sets complete when it is valid JSON of the dialect's shape. */
  void (*read_answer)(struct reading *r, struct slice body);
  /* type and message out of an error body of this dialect, as far as they can be found; both are cut to fit.
   * r->error_type holds the answer's x-amzn-errortype before, when it had one. */
  void (*read_error)(struct reading *r, struct slice body);
  /* A fault as this dialect's error body, and as the terminal error of a stream that has begun (so at least one event
   * of it is out), where that stream stands. */
  void (*put_fault)(struct buf *out, const struct fault *f, struct slice request_id);
  void (*put_stream_fault)(struct buf *out, const struct fault *f, const struct stream_place *at,
                           struct slice request_id);
  /* These bytes of a stream go to a client, whole events: *next is the number of the one to follow. NULL: they have
   * no numbers. */
  void (*note_sent)(uint64_t *next, struct slice bytes);
  /* Ready lines that an answer with put_fault's body gets. NULL: none. */
  void (*put_fault_headers)(struct buf *out, const struct fault *f);
};

const struct dialect *dialect_of(enum dialect_id id);
/* NULL when there is none of that name. */
const struct dialect *dialect_named(struct slice name);
enum dialect_id dialect_index(const struct dialect *d);

extern const struct dialect dialect_openai_chat, dialect_openai_responses, dialect_anthropic_messages, dialect_gemini,
    dialect_cohere_chat, dialect_bedrock_converse;

#endif
