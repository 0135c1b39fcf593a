/* clocks: how long each phase of an attempt may last, and which clock falls due next. An attempt has one timer, set to
 * what clocks_next says; when it fires, the attempt asks again.
 *
 *   start ─▶ connect ─▶ tls ─▶ upload ─▶ (waiting) ─▶ content ─▶ content … ─▶ end
 *     │      DNS, TCP           kernel takes no byte     │ between_tokens, min_tokens_per_s
 *     ├──────────── first_token (streams) ───────────────┘
 *     └──────────────────────────────── total ─────────────────────────────────┘
 *
 *   Of a whole answer, instead of tokens:
 *     start ─▶ … (waiting) ─▶ head ─▶ byte ─▶ byte … ─▶ end
 *     │                        └─ between_bytes ─┴─ between_bytes
 *     └──────────── first_byte (not white space) ┘
 *
 * Of a stream only content moves a clock: pings, comments and empty deltas do not. Pure but for the config it reads;
 * one thread an attempt. It does not wait and does not stop anything itself. */
#ifndef MOONGATE_GATE_CLOCKS_H
#define MOONGATE_GATE_CLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "gate/attempt/failure.h"
#include "io/upcall.h"

struct provider;
struct route;
struct target;

/* 0: there is no such clock. */
struct timeouts {
  uint32_t connect_ms, first_token_ms, between_tokens_ms, total_ms;
  uint32_t tls_ms, upload_ms, min_tokens_per_s;
  uint32_t first_byte_ms, between_bytes_ms; /* of whole answers */
};

/* In the timeouts of a route or a model: the next wider one says it. In total_ms of a provider: the default, which is
 * longer for streams. */
enum { TIMEOUT_UNSAID = UINT32_MAX, TOTAL_WHOLE_MS = 600000, TOTAL_STREAM_MS = 3600000 };
extern const struct timeouts timeouts_unsaid;

/* Of one of a provider's models. */
struct model_clocks {
  struct slice model;
  struct timeouts timeouts;
};

enum clock_id {
  CLOCK_CONNECT,
  CLOCK_TLS,
  CLOCK_UPLOAD,
  CLOCK_FIRST_TOKEN,
  CLOCK_BETWEEN_TOKENS,
  CLOCK_TOKEN_RATE,
  CLOCK_FIRST_BYTE,
  CLOCK_BETWEEN_BYTES,
  CLOCK_TOTAL,
  CLOCK_COUNT
};

/* What over says wins. */
void timeouts_overlay(struct timeouts *under, const struct timeouts *over);
/* Of an attempt at t: the route's own, else the model's, else the provider's. route NULL: none. */
void timeouts_find(const struct route *route, const struct target *t, bool stream, struct timeouts *out);
/* The name in the config ("first_token") and in milliseconds; min_tokens_per_s as it is. NULL behind the last. */
const char *timeout_name(enum clock_id id);
uint32_t timeout_value(const struct timeouts *t, enum clock_id id);

/* Over this long is the rate of tokens measured. */
enum { TOKEN_RATE_WINDOW_MS = 10000 };

/* Of one attempt. */
struct clocks {
  struct timeouts limits;
  uint64_t started_ns;
  uint64_t content_ns; /* when content, or a byte of a whole answer, last came, or the client began to read again */
  uint64_t rate_from_ns;
  uint64_t tokens, rate_from_tokens; /* of the content that came, about */
  bool body_begun;                   /* of a whole answer more than white space has come */
  uint32_t shortest_bytes;           /* of an event with content: what an event weighs besides its text */
};

/* Where the attempt stands. */
struct clocks_view {
  bool calls; /* there is a call; phase and since_ns are of it */
  enum upcall_phase phase;
  uint64_t since_ns;
  bool awaits_first, awaits_next;
  bool awaits_first_byte; /* no stream was asked for, and nothing has been delivered */
  bool may_be_whole;      /* no head yet, and no stream was asked for */
  bool awaits_bytes;      /* the head of an answer that is no stream has come, its end has not */
};

void clocks_start(struct clocks *c, uint64_t now_ns);
/* Content has come: event_bytes of it, 0: of no known shape. */
void clocks_content(struct clocks *c, size_t event_bytes, uint64_t now_ns);
/* The head of a whole answer has come (no bytes), or some of its body. */
void clocks_bytes(struct clocks *c, struct slice bytes, uint64_t now_ns);
/* The first content has come, or the client reads again: what lies between does not count. */
void clocks_resume(struct clocks *c, uint64_t now_ns);

/* The clock that falls due next, and when: never too late, at times too early, because a call does not tell when a new
 * phase begins. UINT64_MAX: none. */
struct clock_due {
  enum clock_id id;
  uint64_t at_ns;
};
struct clock_due clocks_next(const struct clocks *c, const struct clocks_view *v, uint64_t now_ns);
/* The timer fired. false: nothing is over yet. true: *id is; text says it in words. */
bool clocks_over(struct clocks *c, const struct clocks_view *v, uint64_t now_ns, enum clock_id *id, char text[120]);
enum failure_class clock_failure(enum clock_id id);

#endif
