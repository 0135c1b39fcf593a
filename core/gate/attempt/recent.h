/* recent: how long something took lately, and which time so and so many of a hundred stayed within: the last 256 times,
 * none older than ten minutes. Exact quantiles (nearest rank), because what is decided by them lies in the tail, where
 * the buckets of a metric are as wide as what is looked for.
 *
 * Any thread, no lock: a time is one word of a ring. The quantiles are found anew with every sixteenth time, so reading
 * one is a load. It never knows what it is asked about with fewer than RECENT_LEAST times. */
#ifndef MOONGATE_GATE_RECENT_H
#define MOONGATE_GATE_RECENT_H

#include <stdatomic.h>
#include <stdint.h>

enum { RECENT_TIMES = 256, RECENT_LEAST = 20, RECENT_STEP = 16, RECENT_SECONDS = 600 };

enum recent_quantile { RECENT_P90, RECENT_P95, RECENT_P99, RECENT_QUANTILES };
extern const char *const recent_quantile_names[RECENT_QUANTILES]; /* "p95", as the config says it */

/* Zeroed: nothing is known. */
struct recent {
  _Atomic uint64_t times[RECENT_TIMES]; /* when, in seconds of the monotonic clock, above how long, in µs */
  _Atomic uint64_t added;
  _Atomic uint32_t quantiles_us[RECENT_QUANTILES];
  _Atomic uint32_t until_s; /* they hold no longer */
};

void recent_add(struct recent *r, uint64_t took_us, uint64_t now_ns);
/* In µs; 0: too little is known. */
uint32_t recent_quantile_us(const struct recent *r, enum recent_quantile q, uint64_t now_ns);

#endif
