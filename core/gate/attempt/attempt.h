/* attempt: one try of one target: the provider's request, the upstream call, its clocks, and the reader that judges the
 * answer. One worker's thread; in its request's arena.
 *
 *   BUILDING ─▶ CALLING ─▶ HEAD ─▶ PEEKING ─▶ FLOWING ─▶ DONE
 *       └──────────┴─────────┴────────┴──────────┴─────▶ FAILED | CANCELLED
 *
 * PEEKING: a stream's events are held until the first content, so that an error frame or an empty stream is a failed
 * attempt and not an answer. Completion is judged by the dialect's terminal event, never by the transport's end.
 * What is no chat has no such event: its streams and bytes are whole when the transport ends in order. */
#ifndef MOONGATE_GATE_ATTEMPT_H
#define MOONGATE_GATE_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "gate/account/reckon.h"
#include "gate/attempt/clocks.h"
#include "gate/attempt/failure.h"
#include "gate/config.h"
#include "gate/dialect/reading.h"
#include "gate/health/health.h"
#include "gate/signer/signer.h"
#include "io/upcall.h"
#include "wire/stream.h"

struct request;

enum attempt_phase {
  ATTEMPT_BUILDING,
  ATTEMPT_CALLING,
  ATTEMPT_HEAD,
  ATTEMPT_PEEKING,
  ATTEMPT_FLOWING,
  ATTEMPT_DONE,
  ATTEMPT_FAILED,
  ATTEMPT_CANCELLED
};

enum { ATTEMPT_BODY_PARTS_MAX = 8 };

struct attempt {
  struct request *request;
  struct attempt *next; /* of the request's list */
  uint16_t number;      /* 1 … */
  enum attempt_phase phase;
  struct target *target;
  struct place *place;       /* at its provider; NULL: no cap */
  uint64_t place_bytes;      /* of bodies, that count there */
  uint32_t key_index;        /* of the provider's keys */
  struct health_claim claim; /* how it was let in; not made: by nobody yet */
  bool crosses;              /* the provider's API is another one than the client's: bodies are translated */
  bool translated;           /* that, or the adapter rewrites, or it recovers */
  bool recovers;             /* its stream may break off and be gone on with (gate/attempt/recover.h) */
  bool resumes;              /* it goes on with the stream of one that broke off */
  bool continues;            /* with the text of that one as the last turn of its request */
  bool strip_usage_event;    /* include_usage was put in for accounting; its chunk is not the client's */
  bool is_hedge;             /* begun beside a slow one (gate/attempt/hedge.h) */
  bool streams;              /* the answer is an event stream */
  bool relays;               /* the answer is bytes that pass on as they come (no chat) */

  struct buf body; /* built by a hook; ptr NULL: the client's bytes with splices. Goes when a stream begins */
  struct iovec parts[ATTEMPT_BODY_PARTS_MAX];
  int part_count;
  struct slice losses; /* comma-separated field names that this target could not be given */

  const struct dialect *dialect; /* what is spoken to the provider */
  struct slice path;             /* of its endpoint, with its query */
  struct signer_wait wait;       /* for the token of the provider's signer */
  struct upcall *call;           /* NULL before the start and after the end */
  struct upcall_times times;     /* copied at its end */
  struct timer timer;            /* one for all clocks; due at the nearest */
  struct clocks clocks;
  uint32_t waited_ms; /* before its start, after the failure of the one before */

  uint16_t status; /* of the provider's answer; 0: none came */
  char provider_request_id[64];
  uint32_t retry_after_ms;     /* as the provider told; 0: it did not */
  bool no_retry;               /* it said that it will not help to ask again */
  struct slice content_type;   /* in the arena */
  struct slice passed_headers; /* ready lines for the client: retry-after, x-ratelimit-…, request-id */
  uint32_t expected_bytes;     /* of a whole answer whose length is known; 0: not */
  enum framing framing;        /* in which the provider is asked to stream */
  struct stream_reader stream; /* of its answer */
  bool told_end;               /* translated: the client has its end; what still comes is not for it */
  bool error_whole;            /* `held` is the provider's error answer, all of it */
  struct buf held;             /* PEEKING: client's bytes so far. Whole answers: the body. Errors: the body */
  struct reading reading;
  struct reckoned reckoned; /* of its stream, where the provider does not tell */
  struct reckoned_whole reckoned_whole;
  enum failure_class failure;
  char failure_text[200]; /* no secrets */
  int64_t cost_pico_usd;
  uint64_t started_ns, first_content_ns, ended_ns;
  bool recorded;      /* cost, health, meters: once */
  void *script_state; /* the script layer's stream translator */
};

struct attempt *attempt_new(struct request *r, struct target *t);
/* Builds and calls. Failure is told through request_attempt_failed, later or within. */
void attempt_start(struct attempt *a);
void attempt_cancel(struct attempt *a, enum failure_class why);
void attempt_pause(struct attempt *a);
void attempt_resume(struct attempt *a);
/* How much of its time lies before end_ns. */
static inline uint64_t attempt_shared_ns(const struct attempt *a, uint64_t end_ns) {
  uint64_t to_ns = a->ended_ns < end_ns ? a->ended_ns : end_ns;
  return to_ns > a->started_ns ? to_ns - a->started_ns : 0;
}

#endif
