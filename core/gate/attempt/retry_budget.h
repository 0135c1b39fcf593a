/* retry_budget: how much of a provider's traffic may be repetitions, so that a provider that fails is not asked many
 * times as often as one that works: within any ten seconds, a share of the requests that reached it, and a few a second
 * besides (as the retry budgets of Finagle). What is not used within ten seconds is lost. One a
 * provider, the process's; any thread, no lock.
 *
 * A request's first attempt at another provider is no repetition: it never counts here. */
#ifndef MOONGATE_GATE_RETRY_BUDGET_H
#define MOONGATE_GATE_RETRY_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { RETRY_BUDGET_SECONDS = 10, RETRY_BUDGET_SLOTS = RETRY_BUDGET_SECONDS + 1 };

/* Zeroed: nothing happened yet. */
struct retry_budget {
  _Atomic uint64_t requests[RETRY_BUDGET_SLOTS], repeats[RETRY_BUDGET_SLOTS]; /* tallies, one slot a second */
};

struct retry_budget_rules {
  uint32_t share_ppm; /* of the requests; 200,000 by default */
  uint32_t per_s;     /* besides; 10 by default */
};

void retry_budget_request(struct retry_budget *b, uint64_t now_ns); /* a request's first attempt there */
void retry_budget_repeat(struct retry_budget *b, uint64_t now_ns);  /* another one of it */
/* Whether one more repetition fits. Workers that ask at the same moment may all be told yes. */
bool retry_budget_allows(const struct retry_budget *b, const struct retry_budget_rules *rules, uint64_t now_ns);

#endif
