/* queue: places of which there is a limited number (in the process, for a team, at a provider), and those who wait for
 * some, in the order in which they get them: the higher priority first; within one, teams take turns; within a team,
 * who came first.
 *
 * Taking turns is start-time fair queueing: a waiter's tag is one more than its team's last, or than the last that was
 * served, whichever is more. A team that brings a hundred requests at once stands behind itself, not before the others.
 *
 * The counters of a place are atomics, so that a place which is free is taken without a lock; everything else is for
 * who holds the queue's lock, which is the caller's (gate/admission/admission.c). It reads no clock and knows no
 * requests. */
#ifndef MOONGATE_GATE_QUEUE_H
#define MOONGATE_GATE_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum place_kind { PLACE_PROCESS, PLACE_TEAM, PLACE_PROVIDER };
enum { QUEUE_PRIORITIES = 10, QUEUE_PRIORITY_DEFAULT = 5 };
#define PLACES_UNLIMITED UINT32_MAX

struct place {
  char *name; /* of the team or the provider */
  enum place_kind kind;
  _Atomic uint32_t in_use, cap;
  _Atomic uint64_t bytes;     /* of bodies that are held for it */
  _Atomic uint64_t bytes_cap; /* 0: none */
  _Atomic uint64_t held_ns;   /* moving average of how long one is held; 0: not measured yet */
  uint64_t tag;               /* of the team's last waiter */
  uint32_t waiting;           /* who wait and could use it */
  struct place *next;         /* of the caller's list */
};

/* One of it, if there is one; of a provider, only while it holds fewer bytes than its cap. Any thread. */
bool place_take(struct place *p);
/* Gives it back. held_ns: how long it was held; 0: it was not used, and is not measured. Any thread. */
void place_leave(struct place *p, uint64_t held_ns);
bool place_is_full(const struct place *p);
/* Bytes that are held for it from now on. false: that would be more than its cap, and they are not. Any thread. */
bool place_hold(struct place *p, uint64_t bytes);
/* The same whatever its cap: they are here. */
void place_add(struct place *p, uint64_t bytes);
void place_drop(struct place *p, uint64_t bytes);
/* How long until one of its holders gives its bytes back, by what was measured; 0: not measured. */
uint64_t place_memory_wait_ns(const struct place *p);

struct waiter {
  struct link link;
  struct place *process, *team; /* it needs both of these */
  struct place **providers;     /* and one of these; none: it needs no provider yet */
  uint16_t provider_count;
  uint8_t priority; /* 0 … 9 */
  uint64_t tag;
  struct place *provider; /* the one that it got; NULL: none */
};

struct queue {
  struct link lines[QUEUE_PRIORITIES]; /* each by tag */
  _Atomic uint32_t waiting;            /* read without the lock: 0 lets everybody pass it by */
  uint64_t tag;                        /* the highest that was served */
};

void queue_init(struct queue *q);
/* All that w needs, or nothing. Any thread. */
bool waiter_take(struct waiter *w);
void queue_enter(struct queue *q, struct waiter *w);
void queue_leave(struct queue *q, struct waiter *w);
/* The first for whom there is all it needs: it has that then, and waits no longer. NULL: there is none. */
struct waiter *queue_next(struct queue *q);
/* Who gives way when somebody of that priority finds the queue full: the last of the lowest priority below it. NULL:
 * nobody. */
struct waiter *queue_last_below(struct queue *q, uint8_t priority);
/* How long whoever came now would wait for what w needs, by what was measured: places come free every held/cap, and
 * who waits already goes first. 0: nothing was measured yet. */
uint64_t queue_wait_ns(const struct waiter *w);

#endif
