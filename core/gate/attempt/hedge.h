/* hedge: a second attempt beside one that is slow to begin: sent when the first has no content after the time that most
 * of its target's answers begin within. Whose content comes first is delivered; the other is cancelled in the same turn
 * of the loop ("The Tail at Scale", Dean and Barroso 2013).
 *
 *   first attempt ──▶ timer ──▶ due ──┬─▶ second attempt ──┬─▶ content of either: the other one is cancelled
 *        │                            │                    ├─▶ one fails: the other decides
 *        └─▶ content, failure: off    └─▶ not allowed      └─▶ both have failed: the retry loop, with the more telling
 *
 * An error, within a 200 too, is no content and never wins: an attempt has committed or it has not. A request has one
 * hedge at most. Whether it may be sent: its route says so, the client waits, its budget allows it, nobody waits for a
 * place, and a target is well: the next one of the plan that is, else the same one.
 *
 * One worker's thread. It decides nothing about retries, and neither parses nor delivers: attempts and the request do.
 */
#ifndef MOONGATE_GATE_HEDGE_H
#define MOONGATE_GATE_HEDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "gate/attempt/hedge_budget.h"
#include "gate/attempt/recent.h"
#include "io/loop.h"

struct attempt;
struct request;

/* Of a route. */
struct hedge_rules {
  uint32_t after_ms;             /* 0: the quantile; of streams only, see hedge_start */
  enum recent_quantile quantile; /* of the target's time to first token */
  uint32_t extra_ppm;            /* of the route's calls, and of what their prompts cost */
  struct hedge_budget *budget;   /* the process's */
};

/* Of a request whose route hedges; in its arena. */
struct hedge {
  struct timer timer;
  struct attempt *first, *second; /* second NULL: not sent */
  bool won;                       /* the second was delivered */
};

/* a, which is about to be started, may get a hedge. The time to first token of whole answers is not known, and that of
 * the whole answer says how long it was: they are hedged after a fixed time only. Operations whose cost cannot be
 * reckoned are not hedged. */
void hedge_start(struct request *r, struct attempt *a);
/* a's first content is there: when it streams, its target's times are learnt. */
void hedge_learn(struct attempt *a);
/* a is delivered: the other attempt is cancelled, now. */
void hedge_committed(struct request *r, struct attempt *a);
/* a has failed. The failed attempt that says most of why; NULL: the other one runs on. */
struct attempt *hedge_failed(struct request *r, struct attempt *a);
/* How long both ran at once, up to the request's end. */
uint64_t hedge_overlap_ns(const struct request *r);
/* The request ends. */
void hedge_end(struct request *r);

#endif
