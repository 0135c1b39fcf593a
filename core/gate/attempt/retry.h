/* retry: what is done after a failed attempt of which the client has seen nothing: the one retry loop there is.
 *
 *   failed ─▶ list     the class has a list of targets of its own (route.fallbacks): the plan is that list now
 *        ├──▶ same     after a wait: Retry-After, else exponential backoff with full jitter
 *        ├──▶ next     another target of the plan, at once
 *        └──▶ give up  the client gets the failed attempt's error
 *
 * What the policy's `retry` hook has returned goes before all of these. Targets of a provider whose retry budget is
 * used up, or of an account that has no money left, are taken out of the plan before. One worker's thread; retry_decide
 * and retry_backoff_ms are pure. It does not look at health: that decides which target of the plan is next. */
#ifndef MOONGATE_GATE_RETRY_H
#define MOONGATE_GATE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "gate/attempt/failure.h"
#include "gate/hooks.h"
#include "io/loop.h"

struct attempt;
struct request;
struct target;

/* Of a route. */
struct retry_rules {
  uint32_t attempts; /* of a request at most; 0: what the plan gives */
  uint32_t
      same_target; /* how often a target is tried again before the next; RETRY_LAST_ONLY: once, if it is the last */
  uint32_t base_ms, max_ms;
  uint64_t on; /* classes after which a target is tried again: bits 1 << enum failure_class */
};
enum { RETRY_LAST_ONLY = UINT32_MAX };
extern const struct retry_rules retry_rules_default;

/* Targets for what a larger or another model may take. */
struct fallback_list {
  struct target **targets;
  uint32_t count;
};
enum { FALLBACK_CONTEXT_LENGTH, FALLBACK_CONTENT_POLICY, FALLBACK_COUNT };
/* "context_length": the class's name, and the key of route.fallbacks. */
enum failure_class fallback_class(unsigned which);

/* ---- deciding */

enum retry_step { RETRY_GIVE_UP, RETRY_NEXT, RETRY_SAME, RETRY_LIST, RETRY_STEP_COUNT };
const char *retry_step_name(enum retry_step step); /* "same_target", as in metrics */

struct retry_case {
  enum failure_class failure;
  uint32_t attempts; /* of the request, the failed one too */
  uint32_t tries;    /* of the failed one's target, it too */
  bool has_next;     /* the plan has another target that may be tried */
  bool has_list;     /* the class has a list that has not begun */
  bool is_listed;    /* the failed one came from the class's list */
  bool may_repeat;   /* nothing speaks against the same target: its provider, the retry budget, a drain */
  uint32_t told_ms;  /* Retry-After; 0: none */
  uint64_t left_ms;  /* until the request's deadline */
  uint64_t random;   /* 64 random bits */
};
struct retry_choice {
  enum retry_step step;
  uint32_t wait_ms; /* before it */
};
struct retry_choice retry_decide(const struct retry_rules *rules, const struct retry_case *c);
/* Before try number tries + 1: evenly from 0 to base · 2^(tries - 1), at most max. */
uint32_t retry_backoff_ms(const struct retry_rules *rules, uint32_t tries, uint64_t random);

/* ---- doing */

/* Of a request. */
struct retry {
  struct timer timer; /* while it waits */
  bool waits;
  bool is_counted;                  /* what it waits for is in its provider's budget */
  uint32_t wait_ms;                 /* before the attempt that comes next */
  const struct fallback_list *list; /* that the plan is now; NULL: it is the policy's */
};

/* The rules of r: its route's, or the default. */
const struct retry_rules *retry_rules_of(const struct request *r);
/* Attempts that may still be begun. */
uint32_t retry_left(const struct request *r);
/* Goes on after `failed`; verdict: the retry hook's. false: give up. Later or within, request_try_next is called. */
bool retry_go_on(struct request *r, const struct attempt *failed, enum hook_verdict verdict);
/* An attempt is about to be sent: it counts for its provider's retry budget. */
void retry_count(struct attempt *a);
/* The client has gone, or has been told no: nothing is waited for any more. */
void retry_end(struct request *r);

#endif
