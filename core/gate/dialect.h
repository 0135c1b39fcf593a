/* dialect: what the C core must know of a wire protocol: where it lives, how its events read, how its errors look. The
 * mapping between dialects is Lua (adapters/dialects/). A new dialect is a row in dialect.c and a file beside it. Pure;
 * any thread. */
#ifndef MOONGATE_GATE_DIALECT_H
#define MOONGATE_GATE_DIALECT_H

#include "base/bytes.h"
#include "gate/fault.h"
#include "gate/reading.h"
#include "wire/json.h"
#include "wire/sse.h"

enum dialect_id { DIALECT_OPENAI_CHAT, DIALECT_ANTHROPIC_MESSAGES, DIALECT_COUNT };

/* The top-level request fields that routing and accounting read, of whichever dialect. ptr NULL: absent. */
struct asked {
  struct slice model; /* decoded */
  struct slice model_raw, stream_options_raw;
  bool stream;
  bool usage_event;       /* the client asked for the stream's usage chunk */
  uint64_t max_tokens;    /* 0: not given */
  uint32_t prompt_tokens; /* estimate: a quarter of the bytes of messages, system and tools */
  uint32_t message_bytes;
  bool has_tools;
};

struct dialect {
  const char *name;               /* "openai.chat" */
  struct slice client_path;       /* where clients post to this gateway */
  struct slice provider_path;     /* appended to the path of a provider's base URL */
  struct slice client_key_header; /* how its SDKs carry the key; Bearer works everywhere */

  /* One event of a provider's stream. */
  void (*read_event)(struct reading *r, const struct sse_event *e);
  /* A whole answer with a 2xx status. Sets complete when it is valid JSON of the dialect's shape. */
  void (*read_answer)(struct reading *r, struct slice body);
  /* type and message out of an error body of this dialect, as far as they can be found; both are cut to fit. */
  void (*read_error)(struct reading *r, struct slice body);
  /* A fault as this dialect's error body, and as the terminal error of a stream that has begun. */
  void (*put_fault)(struct buf *out, const struct fault *f, struct slice request_id);
  void (*put_stream_fault)(struct buf *out, const struct fault *f, struct slice request_id);
};

const struct dialect *dialect_of(enum dialect_id id);
/* NULL when there is none of that name. */
const struct dialect *dialect_named(struct slice name);
enum dialect_id dialect_index(const struct dialect *d);
/* The dialect whose clients use this path, by prefix; openai.chat when no other claims it. For refusals before routing.
 */
const struct dialect *dialect_for_path(struct slice path);

/* Validates the whole body and reads what routing needs. arena_* memory is the caller's arena's. On failure f tells. */
struct arena;
bool dialect_read_request(const struct dialect *d, struct arena *arena, struct slice body, struct asked *out,
                          struct fault *f);

extern const struct dialect dialect_openai_chat, dialect_anthropic_messages;

#endif
