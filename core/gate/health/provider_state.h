/* provider_state: what the process knows of a provider by its name, whatever generations come and go: how available it
 * has been, and whether its active checks pass. Any thread; states are never removed. */
#ifndef MOONGATE_GATE_PROVIDER_STATE_H
#define MOONGATE_GATE_PROVIDER_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "gate/attempt/retry_budget.h"

/* One more slot than the window has, for the one that has just begun: a window is never shorter than it says. */
enum { AVAILABILITY_MINUTES = 61, AVAILABILITY_QUARTERS = 97 };

enum availability_window { AVAILABILITY_5M, AVAILABILITY_1H, AVAILABILITY_24H, AVAILABILITY_COUNT };
const char *availability_name(enum availability_window w); /* "5m" */

struct provider_state {
  char *name;
  _Atomic uint64_t minutes[2][AVAILABILITY_MINUTES], quarters[2][AVAILABILITY_QUARTERS]; /* [succeeded] */
  struct retry_budget retries;
  _Atomic bool down;           /* its active checks fail */
  _Atomic uint64_t checks[2];  /* [passed] */
  struct provider_state *next; /* never changes once the state can be found */
};

/* The state of that name, made when new; takes a lock. */
struct provider_state *provider_state_of(const char *name);
struct provider_state *provider_state_first(void); /* walk with ->next */

/* An attempt has ended whose end tells of the provider. */
void provider_state_count(struct provider_state *s, bool succeeded, uint64_t now_ns);

struct availability {
  uint64_t succeeded, failed;
};
struct availability provider_availability(const struct provider_state *s, enum availability_window w, uint64_t now_ns);
uint64_t availability_attempts(struct availability a);
/* The share that succeeded; of no attempts at all: -1. */
double availability_share(struct availability a);

#endif
