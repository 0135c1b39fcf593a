/* shared_answer: one answer that several requests deliver: its head, a log of its bytes, and how it ended. One thread
 * writes, any number read at their own pace, each from the first byte on; nobody waits and no lock is taken.
 *
 *   AWAITED ─▶ BEGUN ─▶ COMPLETE      stages of a stream; a whole answer goes from AWAITED to COMPLETE
 *      └─────────┴────▶ FAULTED       the fault stands in the answer's place, or behind what there is of it
 *
 *   root ─▶ block ─▶ block ─▶ last    each block is held by the one before it, by readers that stand in it, and the
 * last └ held while readers may open   by the writer: what all have read, and nobody may read anew, is freed
 *
 * It wakes nobody, and does not know requests: that is gate/sharing/coalesce.h. */
#ifndef MOONGATE_GATE_SHARED_ANSWER_H
#define MOONGATE_GATE_SHARED_ANSWER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "gate/fault.h"

enum shared_stage { SHARED_AWAITED, SHARED_BEGUN, SHARED_COMPLETE, SHARED_FAULTED };

struct shared_block;

struct shared_answer {
  _Atomic uint32_t stage;    /* enum shared_stage; what it says there is may be read after it was */
  _Atomic uint64_t bytes;    /* written */
  struct shared_block *root; /* NULL: closed to new readers */
  struct shared_block *last; /* the writer's; NULL: ended */
  uint16_t status;           /* of the head */
  bool whole;                /* the body is one piece, and complete with the head */
  bool relays;               /* bytes of no protocol: a fault can only cut them */
  struct buf lines;          /* of the head, ready: "name: value\r\n" */
  struct fault fault;        /* FAULTED */
};

struct shared_reader {
  struct shared_block *at; /* NULL: closed */
  uint64_t read_bytes;
};

void shared_answer_init(struct shared_answer *s);
void shared_answer_done(struct shared_answer *s); /* readers that are open keep the bytes, not the head */

/* ---- for the writer */

/* Once; lines are copied. whole: one append and shared_answer_end follow before anybody is told. */
void shared_answer_begin(struct shared_answer *s, unsigned status, bool whole, struct slice lines);
void shared_answer_append(struct shared_answer *s, struct slice bytes); /* readers see all of it or nothing */
void shared_answer_end(struct shared_answer *s);
void shared_answer_fail(struct shared_answer *s, const struct fault *f);

/* ---- for readers */

static inline enum shared_stage shared_answer_stage(const struct shared_answer *s) {
  return (enum shared_stage)atomic_load_explicit(&s->stage, memory_order_acquire);
}

/* Nobody opens it any more, and what all readers have passed is freed. The caller keeps this and opening apart. */
void shared_answer_close(struct shared_answer *s);
void shared_reader_open(struct shared_reader *r, struct shared_answer *s); /* at the first byte; s is not closed */
/* What is there behind all that was read before, as far as it lies in one piece; valid until the next call. Empty: all
 * has been read that was written. A whole answer is one piece. */
struct slice shared_reader_next(struct shared_reader *r, const struct shared_answer *s);
/* How much is there that it has not read. */
uint64_t shared_reader_behind(const struct shared_reader *r, const struct shared_answer *s);
void shared_reader_close(struct shared_reader *r); /* closed already: nothing */

#endif
