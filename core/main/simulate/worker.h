/* simulate_worker: what the simulator's process and its workers hold. A worker has a loop, a listener and a recorder of
 * its own; they share the options, the request counter, the live defaults and the counts of fail_first. */
#ifndef MOONGATE_MAIN_SIMULATE_WORKER_H
#define MOONGATE_MAIN_SIMULATE_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "io/server.h"
#include "main/simulate/dialect.h"
#include "main/simulate/record.h"
#include "main/simulate/scenario.h"
#include "main/simulate/steer.h"

enum { SIM_WORKERS_MAX = 64, SIM_COUNTS = 1024 };

/* The steer every request begins with, replaced as a whole by POST /simulate/config. Old ones stay until the end:
 * requests may still hold their texts. */
struct sim_defaults {
  struct sim_steer steer;
  struct arena arena;
  struct sim_defaults *before;
};

struct sim_count {
  uint64_t key; /* hash of path and model; 0: free */
  uint64_t requests;
};

struct sim_worker;

struct simulator {
  const struct sim_dialect *only; /* NULL: all */
  struct slice key;               /* len 0: none is asked for */
  struct sim_scenario *scenario;  /* NULL: none */
  struct slice strike;            /* whom its phases strike that name nobody; empty: everybody */
  atomic_uint_fast64_t began_ns;  /* the scenario's first request; 0: none yet */
  uint64_t seed;
  struct sim_steer given; /* as on the command line, for /simulate/reset */
  _Atomic(struct sim_defaults *) defaults;
  atomic_uint_fast64_t requests;
  pthread_mutex_t lock; /* of counts, and of who replaces defaults */
  struct sim_count counts[SIM_COUNTS];
  unsigned worker_count;
  struct sim_worker *workers;
  struct sim_recorder *recorders[SIM_WORKERS_MAX];
};

struct sim_worker {
  struct simulator *simulator;
  struct loop *loop;
  struct listener *listener;
  struct sim_recorder recorder;
  struct buf out, headers; /* scratch of one callback */
  pthread_t thread;
};

/* simulate_play.c */
extern const struct service sim_service; /* owner: struct sim_worker */

/* simulate_control.c: answers a request to /simulate/… */
void sim_control(struct sim_worker *w, struct exchange *x);
void sim_defaults_set(struct simulator *s, const struct sim_steer *steer); /* texts are copied */

#endif
