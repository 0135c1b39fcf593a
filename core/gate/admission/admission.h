/* admission: who is let in when there is more to do than may be done at once: caps on requests in flight and on memory
 * (of the process, of a team, at a provider), and a queue in front of them. Without any cap in the config all of
 * it is one branch.
 *
 *   head read ─▶ knock ─▶ body read ─▶ enter ──┬─▶ routed ─▶ choose ──┬─▶ attempt ─▶ … ─▶ end
 *                  │                           ├─▶ waits ─▶ admitted  ├─▶ another target of the plan
 *                  └─ 503: no memory, or       └─ 503: queue is full  └─▶ waits, holding nothing ─▶ admitted
 *                     no hope                     504: waited too long
 *
 * Caps and queue are the process's, workers share them: one lock, which only those take who wait or make others wait no
 * longer. A request that waits holds no place and no connection to a provider, only its body and its client's
 * connection; when the client leaves, it leaves the queue. Which place was measured to come free when decides what
 * Retry-After says.
 *
 * Functions that take a request are for its worker's thread. It does not choose targets: it only steps over those of
 * providers that are full. */
#ifndef MOONGATE_GATE_ADMISSION_H
#define MOONGATE_GATE_ADMISSION_H

#include "gate/admission/queue.h"
#include "gate/config.h"
#include "io/loop.h"
#include "wire/http.h"

struct attempt;
struct gate;
struct request;

/* Of one request; in its arena. */
struct admission {
  struct waiter waiter;
  struct request *request;
  struct timer timer;                                                                         /* the queue's deadline */
  enum { ADMISSION_IDLE, ADMISSION_WAITING, ADMISSION_GRANTED, ADMISSION_DISPLACED } verdict; /* under the lock */
  bool waits;              /* it is in the queue, or has not been told of the verdict */
  bool inside;             /* it holds places of the process and the team */
  struct place *provider;  /* held for the attempt that is about to begin; NULL: none */
  uint64_t promised_bytes; /* of the body that is to come */
  uint64_t team_bytes;     /* of its bodies, that count for its team */
  uint64_t entered_ns, queued_ns;
  uint32_t queue_ms;  /* it may wait so long each time */
  uint64_t waited_ns; /* in the queue, all in all */
};

/* The place of that name, made when new; lives as long as the process. For who builds a config. */
struct place *admission_place(enum place_kind kind, const char *name);
/* The caps of c are in force from now on. */
void admission_adopt(const struct config *c);

/* The head has come. false: f says why not. */
bool admission_knock(struct request *r, const struct http_head *head, struct fault *f);
/* The body has come. false: it waits, and request_admitted comes later; or it was refused. */
bool admission_enter(struct request *r);
/* The body has come, but r waits for what another request gets, and takes no place. */
void admission_stand_by(struct request *r);
/* Puts a healthy target whose provider has a place to the front of what is left of the plan, and takes that place.
 * false: as above. */
bool admission_choose(struct request *r);
/* The place for an attempt at t, to be given back when that ends; NULL: no cap. */
struct place *admission_bind(struct request *r, const struct target *t);
void admission_leave(struct place *p, uint64_t held_ns);
/* The attempt holds the request's body for its provider from now on. */
void admission_hold_body(struct attempt *a);
/* Some of a whole answer is held until it is complete. */
void admission_hold_answer(struct attempt *a, size_t bytes);
/* The attempt holds nothing any more. */
void admission_drop(struct attempt *a);
/* A stream has begun: neither the attempt (NULL: another request's) nor the request holds a body any more. */
void admission_drop_body(struct request *r, struct attempt *a);
/* Turns away whose bodies are still coming when the process holds more than limits.memory. For the worker, now and
 * then; true: it is to be called often. */
bool admission_relieve(struct gate *g);
/* The request ends: it leaves the queue, and gives back what it holds. */
void admission_end(struct request *r);

/* For metrics; any thread. Walk with ->next. */
const struct place *admission_places(void);
uint32_t admission_waiting(void);

#endif
