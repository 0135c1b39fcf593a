/* operation: what a client may ask for besides a chat: who can serve it, on which path, and what its answers tell about
 * usage. Pure; any thread. The paths that clients use are in gate/endpoint_table.h; bodies of a chat are read by the
 * dialect (gate/dialect/dialect.h). */
#ifndef MOONGATE_GATE_OPERATION_H
#define MOONGATE_GATE_OPERATION_H

#include "gate/asked.h"
#include "gate/dialect/dialect.h"
#include "gate/dialect/reading.h"

enum operation {
#define OPERATION(id, name, estimate, doc) OPERATION_##id,
#include "gate/dialect/operation_table.h"
#undef OPERATION
  OPERATION_COUNT
};

enum operation_estimate { ESTIMATE_NOTHING, ESTIMATE_INPUT, ESTIMATE_ALL };

struct operation_row {
  const char *name; /* "embeddings" */
  enum operation_estimate estimate;
  const char *doc;
};
const struct operation_row *operation_row(enum operation operation);

/* Whether a provider of that dialect takes the client's bytes as they are. Beyond chat, OpenAI's two dialects are one
 * API. */
bool operation_is_shared(enum operation operation, const struct dialect *client, const struct dialect *provider);
/* Where a provider of that dialect takes it when the request is translated; empty: it cannot be translated. */
struct slice operation_path(enum operation operation, const struct dialect *provider);

/* A whole 2xx answer of any operation but chat: usage, and whether it is an answer at all (complete). */
void operation_read_answer(enum operation operation, const struct dialect *provider, const struct asked *asked,
                           struct reading *r, struct slice body);
/* One event of a streamed one. */
void operation_read_event(enum operation operation, const struct dialect *provider, const struct asked *asked,
                          struct reading *r, const struct stream_event *e);
/* Bytes that are no JSON (audio, files) begin. */
void operation_read_bytes(enum operation operation, const struct asked *asked, struct reading *r);

#endif
