/* hedge_budget: how much hedging may add to what a route costs: a share of its calls, and the same share of what their
 * prompts cost. Each request brings its share of both as credit; a hedge takes all of its own from it, or is not made.
 * So at no moment were there more hedges than that share of the requests that came before, whoever asked at once. No
 * more credit for calls is kept than HEDGE_BUDGET_REQUESTS bring: a quiet day does not allow a burst at night.
 *
 * One a route's name, the process's: a reload keeps it. Any thread; no lock but for adding one. It is no window as the
 * retry budget is, which may be overshot by workers that ask at the same moment and grants some a second for nothing.
 */
#ifndef MOONGATE_GATE_HEDGE_BUDGET_H
#define MOONGATE_GATE_HEDGE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { HEDGE_BUDGET_REQUESTS = 200 };

/* Zeroed: no request has come. */
struct hedge_budget {
  char *name;
  _Atomic uint64_t calls_micro; /* credit in millionths of a call */
  _Atomic uint64_t pico_usd;
  struct hedge_budget *next;
};

/* That of the route, made when new; lives as long as the process. */
struct hedge_budget *hedge_budget_of(const char *route);
/* A request of the route is about to make its first call. cost_pico_usd: of its prompt; 0: not known. */
void hedge_budget_earn(struct hedge_budget *b, uint32_t share_ppm, int64_t cost_pico_usd);
/* Whether one more call may be made whose prompt costs that; 0: only calls count. */
bool hedge_budget_take(struct hedge_budget *b, int64_t cost_pico_usd);
void hedge_budget_give_back(struct hedge_budget *b, int64_t cost_pico_usd); /* it was not made after all */

#endif
