/* asked: what a request asks for, as far as routing and accounting read it: out of its body, in one strict scan, and
 * out of its path where a protocol has it there (gate/endpoint.h). Pure; any thread. What the fields mean beyond that
 * is the business of the dialect files. */
#ifndef MOONGATE_GATE_ASKED_H
#define MOONGATE_GATE_ASKED_H

#include "base/arena.h"
#include "base/bytes.h"
#include "gate/fault.h"
#include "wire/stream.h"

/* The top-level fields of a body that mean something here. A protocol names those that it has. */
enum asked_field {
  ASKED_MODEL,
  ASKED_STREAM,
  ASKED_STREAM_OPTIONS,
  ASKED_LIMIT,       /* the most tokens to make; or the object that holds it (limit_path) */
  ASKED_OTHER_LIMIT, /* the same under a second name, which wins */
  ASKED_MESSAGES,
  ASKED_SYSTEM,
  ASKED_TOOLS,    /* a list, or an object that holds one under "tools" */
  ASKED_PREVIOUS, /* the answer that it goes on from, by its id */
  ASKED_STORE,    /* whether the answer is to be kept for such */
  ASKED_FIELDS
};

struct request_shape {
  struct slice fields[ASKED_FIELDS]; /* names; empty: the protocol has no such field */
  const char *limit_path[2];         /* below the limit's field, NULL at the end; {NULL}: the field is the number */
  bool model_optional;               /* without one, a provider is chosen in another way */
  bool messages_any;                 /* of whatever kind, or absent: they are only measured */
  bool messages_may_be_text;         /* a string may stand for one message */
  bool messages_optional;            /* something else may stand for them, such as the name of a stored prompt */
};

/* ptr NULL: absent. */
struct asked {
  struct slice model;                         /* decoded; in the request's arena */
  struct slice model_raw, stream_options_raw; /* in the body; model_raw.ptr NULL: the path named the model, or nobody */
  struct slice input_raw, previous_raw;       /* in the body: ASKED_MESSAGES and ASKED_PREVIOUS */
  bool only_looks;                            /* the method makes nothing that is paid for */
  bool model_is_plain;                        /* model_raw is the name itself, not JSON */
  enum framing framing;                       /* of the answer, when it is streamed */
  bool stream;
  bool usage_event; /* the client asked for the stream's usage chunk */
  bool has_tools;
  bool not_stored;                 /* it asks for that */
  uint64_t max_tokens;             /* 0: not given */
  uint32_t prompt_tokens;          /* estimate: a quarter of text_bytes and tool_bytes, and what is attached */
  uint32_t text_bytes, tool_bytes; /* of messages and system without what is attached; of tools */
  uint32_t attached_tokens;        /* estimate: pictures and documents in base64 (gate/account/attached.h) */
  uint32_t message_bytes;
  uint64_t characters; /* of a text to be read aloud */
};

/* Validates the whole body, which must be an object, and fills what it says; what the path said before stays. *out
 * starts zeroed. Decoded text is the arena's. On failure f tells. */
bool asked_read(const struct request_shape *shape, struct arena *arena, struct slice body, struct asked *out,
                struct fault *f);
/* The same of a multipart/form-data body: its fields `model` and `stream`. */
bool asked_read_form(struct arena *arena, struct slice content_type, struct slice body, struct asked *out,
                     struct fault *f);
/* Characters of the text that stands for messages; 0: it is no text. */
uint64_t asked_characters(const struct request_shape *shape, struct slice body);
/* Whether a model may be named so: no control byte, not too long. On failure f tells. */
bool asked_model_fits(struct slice model, struct fault *f);

#endif
