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
#include "gate/account/usage.h"
#include "gate/attempt/failure.h"
#include "gate/health/breaker.h"

struct provider;
struct recent;

enum { METER_WORKERS_MAX = 64, METER_BUCKETS = 15, HEALTH_WINDOW_SLOTS = 5 };

/* Counts of one worker for one target; only that worker writes. */
struct target_meter {
  _Atomic uint64_t attempts, failures[FAILURE_COUNT];
  _Atomic uint64_t input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens;
  _Atomic uint64_t cost_pico_usd;
  _Atomic uint64_t unpriced; /* answers whose model has no price, and did not tell their cost */
  _Atomic uint64_t first_token_buckets[METER_BUCKETS], first_token_count, first_token_sum_us;
};

struct target_state {
  char *name; /* "provider/model" */
  _Atomic int32_t in_flight;
  _Atomic uint32_t latency_us;     /* moving average of whole answers; 0: none yet */
  _Atomic uint32_t first_token_us; /* of time to first token; 0: none yet */
  _Atomic uint32_t error_ppm;      /* moving average of the share of failed attempts, parts per million */
  _Atomic uint32_t wait_us;        /* until the first content, by time: see target_wait_us */
  _Atomic uint64_t wait_at_ns;     /* when it was last written */
  struct breaker breaker;          /* open: ejected */
  _Atomic uint32_t failures_in_row;
  _Atomic uint64_t window[2][HEALTH_WINDOW_SLOTS];        /* tallies of attempts by [succeeded] */
  struct recent *_Atomic first_tokens;                    /* of its streams; NULL: nobody hedges by them */
  _Atomic uint64_t skips;                                 /* times a plan passed it over, because it was left out */
  struct target_meter *_Atomic meters[METER_WORKERS_MAX]; /* made on a worker's first attempt */
  uint32_t name_len;
  struct target_state *next, *next_in_bucket; /* neither changes once the state can be found */
};

struct target {
  struct slice name;  /* "provider/model", zero-terminated */
  struct slice model; /* as the provider knows it */
  struct provider *provider;
  const struct model *facts; /* what the catalogue knows; NULL: nothing */
  const struct price *price; /* an estimate when the model has none; NULL: none at all */
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

/* An average of the time to the first content that is quick to rise (a longer one counts whole at once) and fades by
 * half in some 7 s, so that whoever was slow is asked again after a while, and one good answer then weighs much.
 * 0: none yet. (Peak EWMA, as Finagle balances, with its decay of 10 s.) */
void target_record_wait(struct target_state *s, uint64_t wait_us, uint64_t now_ns);
uint32_t target_wait_us(const struct target_state *s, uint64_t now_ns);

#endif
