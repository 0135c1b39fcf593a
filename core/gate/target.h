/* target: provider/model, the thing that is tried; and its live state, which outlives generations. Targets belong to a
 * config (or, for models named only in a request, to that request's arena); states belong to the process.
 *
 * State is atomics with relaxed order: a router needs figures of about now, not of exactly now. */
#ifndef MOONGATE_GATE_TARGET_H
#define MOONGATE_GATE_TARGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "gate/failure.h"
#include "gate/usage.h"

struct provider;

enum { METER_WORKERS_MAX = 64, METER_BUCKETS = 15 };

/* Counts of one worker for one target; only that worker writes. */
struct target_meter {
  _Atomic uint64_t attempts, failures[FAILURE_COUNT];
  _Atomic uint64_t input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens;
  _Atomic uint64_t cost_pico_usd;
  _Atomic uint64_t unpriced; /* answers whose target has no price */
  _Atomic uint64_t first_token_buckets[METER_BUCKETS], first_token_count, first_token_sum_us;
};

struct target_state {
  char *name; /* "provider/model" */
  _Atomic int32_t in_flight;
  _Atomic uint32_t latency_us;     /* moving average of whole answers; 0: none yet */
  _Atomic uint32_t first_token_us; /* of time to first token; 0: none yet */
  _Atomic uint32_t error_ppm;      /* moving average of the share of failed attempts, parts per million */
  struct target_meter *_Atomic meters[METER_WORKERS_MAX]; /* made on a worker's first attempt */
  struct target_state *next;
};

struct target {
  struct slice name;  /* "provider/model", zero-terminated */
  struct slice model; /* as the provider knows it */
  struct provider *provider;
  const struct price *price; /* NULL: not priced */
  struct target_state *state;
  uint32_t weight_milli; /* of the route's list, for policies that weigh; 1000 by default */
};

/* The state of that name, made when new. Any thread. After TARGET_STATES_MAX names the shared state "other" is given,
 * so that clients cannot grow the process by inventing models. */
enum { TARGET_STATES_MAX = 4096 };
struct target_state *target_state_of(struct slice name);
struct target_state *target_state_first(void); /* walk with ->next; entries are never removed */
struct target_meter *target_meter_of(struct target_state *s, unsigned worker);

/* An attempt of s has ended. */
void target_record(struct target_state *s, bool failed, uint64_t latency_us, uint64_t first_token_us);

#endif
