/* worker: one thread with its loop, listener and gate. Made by the server on the main thread; everything after
 * worker_start happens on its own thread, and reaches it by posted messages. */
#ifndef MOONGATE_MAIN_WORKER_H
#define MOONGATE_MAIN_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "gate/gate.h"

struct worker {
  unsigned number;
  struct loop *loop;
  struct gate *gate;
  struct listener *listener;
  struct tls_identity *tls; /* shared; NULL: plain */
  struct timer drain_timer; /* looks for the end of a drain, and counts connections */
  uint64_t drain_due_ns, grace_due_ns;
  _Atomic uint32_t beat;                     /* the last worker_ping that it has seen */
  _Atomic uint32_t drain_ms, drain_delay_ms; /* of the config that it runs */
  uint64_t tidy_due_ns;
  uint64_t served;              /* requests, when it last looked */
  bool restless;                /* has served some since it last gave memory back */
  uint8_t rounds;               /* of the scripts' collection, since it became quiet */
  void (*drained)(void *owner); /* told once, on the worker's thread, when a drain is over */
  void *owner;
  pthread_t thread;
};

/* It will accept from these sockets, and owns them. */
void worker_init(struct worker *w, unsigned number, const int *fds, unsigned fd_count, struct tls_identity *tls,
                 const struct server_limits *limits, struct trace_log *traces);
void worker_start(struct worker *w);
void worker_adopt(struct worker *w, struct generation *g); /* any thread */
/* From now on every answer ends its connection; new ones are still accepted. Any thread. */
void worker_say_close(struct worker *w);
/* Its loop turns: sets w->beat to that, soon. Any thread. */
void worker_ping(struct worker *w, uint32_t beat);
/* No new connections; the requests that run may finish within drain_ms, then are ended with an error. Any thread. */
void worker_drain(struct worker *w, uint32_t drain_ms, void (*drained)(void *owner), void *owner);
/* Stops the loop, joins the thread, frees. Main thread. */
void worker_stop(struct worker *w);

#endif
