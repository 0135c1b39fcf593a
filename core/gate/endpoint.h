/* endpoint: which paths clients use, in which dialect, for which operation, and what of the request a path holds. Pure;
 * any thread. The table is in endpoint_table.h. What providers' paths look like is said there for the client's own
 * dialect, by the operation for others, and by the adapter before both. */
#ifndef MOONGATE_GATE_ENDPOINT_H
#define MOONGATE_GATE_ENDPOINT_H

#include "gate/asked.h"
#include "gate/dialect/dialect.h"
#include "gate/dialect/operation.h"
#include "wire/http.h"

enum model_place {
  MODEL_IN_BODY, /* of JSON */
  MODEL_IN_PATH, /* the body is JSON, too */
  MODEL_IN_FORM, /* multipart/form-data */
  MODEL_NOWHERE  /* the body is whatever it is */
};

struct endpoint {
  enum operation operation;
  enum dialect_id dialect;
  struct slice method;        /* empty: any */
  struct slice before, after; /* of the path: around the model's name; all of it where it names none */
  bool below;                 /* something follows `before`; it goes to the provider as it came */
  enum model_place place;
  bool streams;                      /* an answer from here is always a stream; only with MODEL_IN_PATH */
  enum framing framing;              /* of a stream: unless the query asks for server-sent events */
  struct slice header;               /* only for requests that have this header; empty: for all */
  struct slice provider;             /* path at a provider of the same dialect; empty: the dialect's, for chat */
  const struct request_shape *shape; /* of a JSON body; NULL: the dialect's, for chat */
};

/* The endpoint of a request; never NULL: operation OPERATION_NONE when no row has the path. The method is not looked
 * at. */
const struct endpoint *endpoint_of(const struct http_head *head);
/* Into *out what the path holds of the request. On failure f tells. */
bool endpoint_read_path(const struct endpoint *e, struct arena *arena, const struct http_head *head, struct asked *out,
                        struct fault *f);
/* What follows `before` of an endpoint that has something below; checked by endpoint_read_path: nothing in it can leave
 * the place where it is put, however often it is decoded. */
struct slice endpoint_rest(const struct endpoint *e, struct slice path);
/* An endpoint of OPERATION_NONE in the dialect of the path, for refusals when no more than the path is known. */
const struct endpoint *endpoint_for_path(struct slice path);
/* The manual: a Markdown table of all of them. */
void endpoint_reference(struct buf *out);

#endif
