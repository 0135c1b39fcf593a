/* splice: the client's body with a few values changed and every other byte as it came, as parts for one send. Pure; the
 * parts point into the body and into the arena. */
#ifndef MOONGATE_GATE_SPLICE_H
#define MOONGATE_GATE_SPLICE_H

#include <stdbool.h>
#include <sys/uio.h>

#include "base/arena.h"
#include "gate/asked.h"

enum { SPLICE_PARTS_MAX = 8 };

/* Parts of `body` with the model named `model`, and, when want_usage, with stream_options.include_usage true (Chat
 * Completions). Returns how many parts. */
int splice_body(struct arena *arena, struct slice body, const struct asked *asked, struct slice model, bool want_usage,
                struct iovec parts[SPLICE_PARTS_MAX]);

/* Appends the body with every model that Gemini repeats inside it ("model": at the top, in requests[], in
 * generateContentRequest) named "models/" and `model`. */
void splice_inner_models(struct buf *out, struct slice body, struct slice model);

#endif
