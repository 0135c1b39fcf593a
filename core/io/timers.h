/* timers: the deadlines of one loop, in a binary heap. One thread; pure, reads no clock; owns the heap, not the timers.
 *
 * Moving a deadline later only writes the timer's due_ns: the heap finds out when the old place comes to the top. A
 * connection that moves its deadline with each request therefore pays nothing for it. */
#ifndef MOONGATE_IO_TIMERS_H
#define MOONGATE_IO_TIMERS_H

#include "io/loop.h"

struct timers_place {
  uint64_t key_ns; /* not above the timer's due_ns */
  struct timer *timer;
};

struct timers {
  struct timers_place *heap; /* from 1; heap_at 0 means: not in here */
  uint32_t count, cap;
};

void timers_done(struct timers *h);
/* Sets or moves; due_ns UINT64_MAX parks. */
void timers_set(struct timers *h, struct timer *t, uint64_t due_ns);
void timers_remove(struct timers *h, struct timer *t);
/* A time before which nothing is due, UINT64_MAX when nothing is set. May be too early, never too late. */
uint64_t timers_next_ns(const struct timers *h);
/* The next timer due at now_ns, taken out of the heap; NULL when there is none. */
struct timer *timers_take_due(struct timers *h, uint64_t now_ns);

#endif
