/* hedge: see the header. The worker's thread. */
#include "gate/attempt/hedge.h"

#include "base/clock.h"
#include "base/memory.h"
#include "gate/request.h"

#define MS_NS UINT64_C(1000000)

static const struct hedge_rules *rules_of(const struct request *r) {
  return r->route != NULL ? r->route->hedge : NULL;
}

static bool runs(const struct attempt *a) {
  return a != NULL && a->phase < ATTEMPT_DONE;
}

/* ---- when --------------------------------------------------------------------------------------------------- */

/* The times of a target are kept from the first request on that asks for them. */
static struct recent *times_of(struct target_state *s) {
  struct recent *times = atomic_load_explicit(&s->first_tokens, memory_order_acquire), *none = NULL;
  if (times != NULL) return times;
  times = mem_new(struct recent);
  if (atomic_compare_exchange_strong(&s->first_tokens, &none, times)) return times;
  mem_free(times);
  return none;
}

/* From the attempt's start; 0: never. */
static uint64_t after_ms(const struct request *r, const struct hedge_rules *rules, const struct attempt *a) {
  if (rules->after_ms > 0) return rules->after_ms;
  if (!r->asked.stream) return 0;
  uint32_t us = recent_quantile_us(times_of(a->target->state), rules->quantile, loop_now_ns(r->gate->loop));
  return (us + 999) / 1000;
}

/* A stand-in price says nothing of how two targets compare. */
static bool has_price(const struct target *t) {
  return t->price != NULL && !t->price->estimate;
}

/* What the prompt costs there. */
static int64_t prompt_pico_usd(const struct request *r, const struct target *t) {
  struct usage u = {.input_tokens = r->asked.prompt_tokens};
  return has_price(t) ? price_cost_pico_usd(t->price, &u) : 0;
}

static void fired(void *owner);

void hedge_start(struct request *r, struct attempt *a) {
  const struct hedge_rules *rules = rules_of(r);
  if (rules == NULL) return;
  if (a->number == 1) hedge_budget_earn(rules->budget, rules->extra_ppm, prompt_pico_usd(r, a->target));
  if (operation_row(r->endpoint->operation)->estimate == ESTIMATE_NOTHING || r->first_content_ns != 0) return;
  if (r->hedge != NULL && r->hedge->second != NULL) return;
  uint64_t ms = after_ms(r, rules, a);
  if (ms == 0) return;
  if (r->hedge == NULL) {
    r->hedge = arena_new(&r->arena, struct hedge);
    timer_init(&r->hedge->timer, r->gate->loop, fired, r);
  }
  r->hedge->first = a;
  timer_set_ms(&r->hedge->timer, ms);
}

/* ---- whether, and where ------------------------------------------------------------------------------------- */

static bool is_wanted(const struct request *r) {
  const struct delivery *d = &r->delivery;
  return runs(r->hedge->first) && r->first_content_ns == 0 && request_is_heard(r) && !d->started && !d->ended &&
         !r->gate->draining && retry_left(r) > 0 && admission_waiting() == 0;
}

/* A provider that goes by the client's idempotency-key would refuse the second, or answer both at the same time. */
static bool is_same_call(const struct request *r, const struct target *t) {
  return t->provider == r->hedge->first->target->provider && http_header_of(r->head, SLICE("idempotency-key")).len > 0;
}

static bool may_be_asked(const struct request *r, const struct target *t) {
  uint32_t left_ms;
  const struct place *p = t->provider->place;
  if (is_same_call(r, t)) return false;
  if (t->price == NULL && r->tenure->generation->config->deny_unpriced) return false;
  return (r->admission == NULL || p == NULL || !place_is_full(p)) &&
         health_look(t, loop_now_ns(r->gate->loop), &left_ms) == HEALTH_FINE;
}

/* The first in what is left of the plan that may be asked, at *at; else, with *at behind the plan, the slow one itself:
 * another of its keys or machines may do better. NULL: nobody. */
static struct target *choose(const struct request *r, uint16_t *at) {
  for (*at = r->plan_next; *at < r->plan_count; ++*at)
    if (may_be_asked(r, r->plan[*at])) return r->plan[*at];
  struct target *same = r->hedge->first->target;
  return may_be_asked(r, same) ? same : NULL;
}

static void take_from_plan(struct request *r, uint16_t at) {
  struct target *t = r->plan[at];
  for (; at > r->plan_next; at--) r->plan[at] = r->plan[at - 1];
  r->plan[r->plan_next++] = t;
}

static void fired(void *owner) {
  struct request *r = owner;
  struct hedge *h = r->hedge;
  struct hedge_budget *budget = rules_of(r)->budget;
  uint16_t at;
  struct target *t = is_wanted(r) ? choose(r, &at) : NULL;
  if (t == NULL) return;
  int64_t cost = has_price(h->first->target) ? prompt_pico_usd(r, t) : 0;
  if (!hedge_budget_take(budget, cost)) {
    meter_hedge(r->gate->meter, r->route_name, HEDGE_DENIED);
    return;
  }
  struct health_claim claim;
  if (!health_claim(t, &r->tenure->next_key[t->provider->index], loop_now_ns(r->gate->loop), &claim)) {
    hedge_budget_give_back(budget, cost); /* somebody else was quicker to ask whoever comes back */
    return;
  }
  if (at < r->plan_count) take_from_plan(r, at);
  struct attempt *a = h->second = attempt_new(r, t);
  a->is_hedge = true;
  a->claim = claim;
  a->key_index = claim.key_index;
  a->place = admission_bind(r, t);
  attempt_start(a);
}

/* ---- what becomes of the two -------------------------------------------------------------------------------- */

static void learn(struct attempt *a, uint64_t now_ns) {
  struct recent *times = atomic_load_explicit(&a->target->state->first_tokens, memory_order_acquire);
  if (times != NULL && now_ns > a->started_ns) recent_add(times, (now_ns - a->started_ns) / 1000, now_ns);
}

void hedge_learn(struct attempt *a) {
  if (a->streams) learn(a, a->first_content_ns);
}

/* How long the slow one would have taken nobody knows, but it was longer than this. Were that left out, only quick
 * answers would be known, the quantile of those would be shorter, and with each turn more of them would seem slow. */
static void learn_of_loser(struct attempt *a) {
  uint64_t now_ns = clock_ns();
  if (a->is_hedge || now_ns <= a->started_ns) return;
  if (a->request->asked.stream) learn(a, now_ns);
  target_record_wait(a->target->state, (now_ns - a->started_ns) / 1000, now_ns);
}

void hedge_committed(struct request *r, struct attempt *a) {
  struct hedge *h = r->hedge;
  if (h == NULL) return;
  timer_clear(&h->timer);
  if (a == h->second) h->won = true;
  struct attempt *other = a == h->first ? h->second : h->first;
  if (!runs(other)) return;
  learn_of_loser(other);
  attempt_cancel(other, FAILURE_HEDGE_LOST);
}

/* The request's own fault, which others would find too, above the provider's words, above the gateway's; what was never
 * sent says least. */
static int telling(const struct attempt *a) {
  if (a->times.started_ns == 0) return 0;
  return !failure_row(a->failure)->next_target ? 3 : a->error_whole ? 2 : 1;
}

struct attempt *hedge_failed(struct request *r, struct attempt *a) {
  struct hedge *h = r->hedge;
  if (h == NULL) return a;
  timer_clear(&h->timer);
  bool decided = h->second == NULL || r->first_content_ns != 0;
  if (decided || (a != h->first && a != h->second)) return a;
  if (runs(h->first) || runs(h->second)) return NULL;
  return telling(h->first) > telling(h->second) ? h->first : h->second;
}

uint64_t hedge_overlap_ns(const struct request *r) {
  const struct hedge *h = r->hedge;
  if (h == NULL || h->second == NULL) return 0;
  uint64_t until_ns = h->first->ended_ns < h->second->ended_ns ? h->first->ended_ns : h->second->ended_ns;
  return attempt_shared_ns(h->second, until_ns < r->ended_ns ? until_ns : r->ended_ns);
}

void hedge_end(struct request *r) {
  struct hedge *h = r->hedge;
  if (h == NULL) return;
  timer_clear(&h->timer);
  if (h->second == NULL) return;
  bool lost = h->second->failure == FAILURE_HEDGE_LOST;
  meter_hedge(r->gate->meter, r->route_name, h->won ? HEDGE_WON : lost ? HEDGE_LOST : HEDGE_FAILED);
}
