/* attempt: one try of one target: the provider's request, the upstream call, its clocks, and the reader that judges the
 * answer. One worker's thread; in its request's arena.
 *
 *   BUILDING ─▶ CALLING ─▶ HEAD ─▶ PEEKING ─▶ FLOWING ─▶ DONE
 *       └──────────┴─────────┴────────┴──────────┴─────▶ FAILED | CANCELLED
 *
 * PEEKING: a stream's events are held until the first content, so that an error frame or an empty stream is a failed
 * attempt and not an answer. Completion is judged by the dialect's terminal event, never by the transport's end. */
#ifndef MOONGATE_GATE_ATTEMPT_H
#define MOONGATE_GATE_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "gate/config.h"
#include "gate/failure.h"
#include "gate/reading.h"
#include "io/upcall.h"
#include "wire/sse.h"

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
  uint32_t key_index;     /* of the provider's keys */
  bool translated;        /* client's and provider's dialects differ, or the adapter rewrites */
  bool strip_usage_event; /* include_usage was put in for accounting; its chunk is not the client's */
  bool streams;           /* the answer is an event stream */

  struct buf body; /* built by a hook; ptr NULL: the client's bytes with splices. Goes when a stream begins */
  struct iovec parts[ATTEMPT_BODY_PARTS_MAX];
  int part_count;
  struct slice losses; /* comma-separated field names that this target could not be given */

  struct upcall *call;       /* NULL before the start and after the end */
  struct upcall_times times; /* copied at its end */
  struct timer timer;        /* one for all clocks; due at the nearest */
  uint64_t first_token_due_ns, total_due_ns, last_content_ns;

  uint16_t status; /* of the provider's answer; 0: none came */
  char provider_request_id[64];
  uint32_t retry_after_ms;     /* as the provider told; 0: it did not */
  struct slice content_type;   /* in the arena */
  struct slice passed_headers; /* ready lines for the client: retry-after, x-ratelimit-…, request-id */
  uint32_t expected_bytes;     /* of a whole answer whose length is known; 0: not */
  struct sse_reader sse;
  bool error_whole; /* `held` is the provider's error answer, all of it */
  struct buf held;  /* PEEKING: client's bytes so far. Whole answers: the body. Errors: the body */
  struct reading reading;
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

#endif
