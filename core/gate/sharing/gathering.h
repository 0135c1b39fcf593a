/* gathering: identical requests that share one answer, on all workers: who leads, who is given the answer, and who is
 * told when there is more of it. The process's table of them, under one lock; bytes are read without it
 * (gate/sharing/shared_answer.h).
 *
 *   table ─▶ gathering ─▶ audience of worker 0 ─▶ its members, the leader among them maybe
 *                    └──▶ audience of worker 1 ─▶ its members
 *
 * A gathering lives while it has an audience, an audience while it has members. Members belong to their worker, which
 * alone walks them; a message to a worker names none of them, so it may come late. Any thread, on behalf of members of
 * its own worker. What is done with requests is gate/sharing/coalesce.c's. */
#ifndef MOONGATE_GATE_GATHERING_H
#define MOONGATE_GATE_GATHERING_H

#include "gate/account/meter.h"
#include "gate/request.h"
#include "gate/sharing/coalesce.h"
#include "gate/sharing/coalesce_key.h"

enum { GATHERING_KEPT_BYTES = 8 << 20, GATHERING_PROMOTIONS = 2 };

struct gathering {
  unsigned char key[COALESCE_KEY_BYTES];
  struct link of_table; /* in no list: nobody joins any more */
  struct shared_answer answer;
  struct link audiences;
  struct audience *leading; /* the leader's; NULL: nobody leads, or the answer has ended */
  struct audience *heir;    /* of which one is to lead; NULL: none */
  char leader_id[REQUEST_ID_BYTES];
  struct buf target;    /* "provider/model" that answers; set before the head is told */
  enum outcome outcome; /* of the answer, for followers; set before its end is told, as is: */
  uint64_t next_number; /* of the stream's event that would come next (struct delivery) */
  uint32_t readers;     /* who are to be given the answer */
  uint32_t takers;      /* of those: whose clients take more */
  uint8_t promotions;
  bool paused; /* the leader's provider */
};

/* Of one gathering on one worker. */
struct audience {
  struct gathering *gathering;
  struct gate *gate;
  struct link of_gathering;
  struct link woken;   /* of gate->woken: there is something new */
  struct link members; /* struct coalesced; the worker's */
  uint32_t followers;  /* of the readers */
  bool walks;          /* its members are being told: it is not freed meanwhile */
};

static inline struct gathering *gathering_of(const struct coalesced *c) {
  return c->audience->gathering;
}

/* ---- by themselves */

/* Finds or makes the gathering of that key, and makes c, which reads from now on, a member; c->leads when it is new. */
void gathering_join(struct coalesced *c, const unsigned char key[COALESCE_KEY_BYTES]);
/* c, whose request ends, is no member any more. */
void gathering_leave(struct coalesced *c);
void gathering_set_full(struct coalesced *c, bool full);
/* The next audience of g that is to be told of something, not to be freed until gathering_told; and which of its
 * members, a follower so far, leads from now on (NULL: none). NULL: there is none. */
struct audience *gathering_to_tell(struct gate *g, struct coalesced **heir);
void gathering_told(struct audience *a);

/* ---- under the lock */

void gathering_lock(void);
void gathering_unlock(void);
void gathering_wake_followers(struct gathering *g);
/* Nobody joins any more. */
void gathering_close(struct gathering *g);
/* c waits for the answer no more: it has it, or its client has left. */
void gathering_stop_reading(struct coalesced *c);
/* Of the leader: the answer has ended, as it is; failed, with f; or it is another's to get. */
void gathering_answer_ended(struct coalesced *c);
void gathering_answer_failed(struct coalesced *c, const struct fault *f, enum outcome outcome);
void gathering_hand_over(struct coalesced *c);
/* Whether another may have more luck: such a failure tells of the provider, not of the request, and it was not too
 * often. true counts. */
bool gathering_may_promote(struct gathering *g, const struct attempt *failed);

#endif
