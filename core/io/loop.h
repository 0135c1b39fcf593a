/* loop: one worker's event loop (libevent), its timers, and the door through which other threads post messages. One
 * loop per thread; everything but loop_post is for that thread only. */
#ifndef MOONGATE_IO_LOOP_H
#define MOONGATE_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct loop;
struct event_base;

struct loop *loop_new(void);    /* also ignores SIGPIPE in the process */
void loop_free(struct loop *l); /* runs what loop_later holds; posted messages that have not run are dropped */
void loop_run(struct loop *l);  /* until loop_stop */
void loop_stop(struct loop *l); /* from the loop's thread; loop_post a call to it from another */
/* Monotonic time of this turn: one clock read a turn, good enough for deadlines. Use clock_ns for phases. */
uint64_t loop_now_ns(const struct loop *l);
struct event_base *loop_base(struct loop *l); /* for io/ only */

/* Runs call(owner, argument) on the loop's thread, soon. Any thread. Calls of one sender arrive in order. */
void loop_post(struct loop *l, void (*call)(void *owner, void *argument), void *owner, void *argument);
/* Runs call(owner) once the present callbacks have returned, before the loop waits again. Loop's thread. The struct is
 * the caller's and must be cancelled before it is freed. */
struct later {
  struct link link;
  void (*call)(void *owner);
  void *owner;
};
void loop_later(struct loop *l, struct later *later); /* already queued: nothing */
void loop_later_cancel(struct later *later);

/* A timer, embedded in its owner. Coarse (1 ms), cheap to move: setting a later deadline costs no system call. */
struct timer {
  void (*fired)(void *owner);
  void *owner;
  uint64_t due_ns;  /* 0: not set */
  uint32_t heap_at; /* private */
  struct loop *loop;
};
void timer_init(struct timer *t, struct loop *l, void (*fired)(void *owner), void *owner);
void timer_set_ms(struct timer *t, uint64_t from_now_ms); /* sets or moves */
/* No deadline for now, but keeps its place, so that setting it again costs nothing: for what is idle between two
 * deadlines. Clear it before the owner is freed. */
void timer_park(struct timer *t);
void timer_clear(struct timer *t); /* safe when not set */

/* A signal of the process, delivered on this loop. */
void loop_on_signal(struct loop *l, int signal_number, void (*call)(void *owner, int signal_number), void *owner);

#endif
