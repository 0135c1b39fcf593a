/* retry: see the header. The worker's thread. */
#include "gate/attempt/retry.h"

#include "base/clock.h"
#include "base/random.h"
#include "gate/health/key_state.h"
#include "gate/health/provider_state.h"
#include "gate/request.h"

#define CLASS(name) (UINT64_C(1) << FAILURE_##name)

const struct retry_rules retry_rules_default = {
    .same_target = RETRY_LAST_ONLY,
    .base_ms = 250,
    .max_ms = 8000,
    .on = CLASS(CONNECT) | CLASS(NO_DESCRIPTOR) | CLASS(RESET) | CLASS(RATE_LIMITED) | CLASS(OVERLOADED) |
          CLASS(SERVER_ERROR) | CLASS(REQUEST_TIMEOUT),
};
_Static_assert(FAILURE_COUNT <= 64, "retry_rules.on has a bit for each class");

enum failure_class fallback_class(unsigned which) {
  return which == FALLBACK_CONTEXT_LENGTH ? FAILURE_CONTEXT_LENGTH : FAILURE_CONTENT_POLICY;
}

const char *retry_step_name(enum retry_step step) {
  static const char *const names[RETRY_STEP_COUNT] = {"give_up", "next_target", "same_target", "fallback_list"};
  return names[step];
}

/* ---- deciding ----------------------------------------------------------------------------------------------- */

uint32_t retry_backoff_ms(const struct retry_rules *rules, uint32_t tries, uint64_t random) {
  uint64_t most = rules->base_ms;
  for (uint32_t i = 1; i < tries && most < rules->max_ms; i++) most *= 2;
  if (most > rules->max_ms) most = rules->max_ms;
  return (uint32_t)(random % (most + 1));
}

/* Waiting longer than max_ms, or beyond the deadline, is the client's business: it reads Retry-After too. */
static bool may_try_again(const struct retry_rules *rules, const struct retry_case *c, uint32_t *wait_ms) {
  uint32_t times = rules->same_target != RETRY_LAST_ONLY ? rules->same_target : c->has_next ? 0 : 1;
  if (!c->may_repeat || c->tries > times || (rules->on >> c->failure & 1) == 0) return false;
  if (c->told_ms > rules->max_ms) return false;
  /* Whoever was told the same time must not come back at the same moment. */
  uint64_t wait = (uint64_t)c->told_ms + retry_backoff_ms(rules, c->told_ms > 0 ? 1 : c->tries, c->random);
  if (wait >= c->left_ms) wait = c->told_ms;
  *wait_ms = (uint32_t)wait;
  return wait < c->left_ms;
}

struct retry_choice retry_decide(const struct retry_rules *rules, const struct retry_case *c) {
  struct retry_choice choice = {RETRY_GIVE_UP, 0};
  if (rules->attempts > 0 && c->attempts >= rules->attempts) return choice;
  if (c->has_list) choice.step = RETRY_LIST;
  else if (may_try_again(rules, c, &choice.wait_ms)) choice.step = RETRY_SAME;
  else if (c->has_next && (c->is_listed || failure_row(c->failure)->next_target)) choice.step = RETRY_NEXT;
  return choice;
}

/* ---- the request's side ------------------------------------------------------------------------------------- */

const struct retry_rules *retry_rules_of(const struct request *r) {
  return r->route != NULL && r->route->retry != NULL ? r->route->retry : &retry_rules_default;
}

uint32_t retry_left(const struct request *r) {
  uint32_t most = retry_rules_of(r)->attempts;
  if (most == 0) most = PLAN_MAX;
  return most > r->attempt_count ? most - r->attempt_count : 0;
}

static bool is_unwell(const struct attempt *a) {
  return failure_row(a->failure)->counts_against_health;
}

/* Whether an attempt at p would repeat what p has failed at. */
static bool would_repeat(const struct request *r, const struct provider *p) {
  for (const struct attempt *a = r->attempts; a != NULL; a = a->next)
    if (a->target->provider == p && a->phase >= ATTEMPT_FAILED && is_unwell(a)) return true;
  return false;
}

static bool budget_allows(const struct request *r, const struct provider *p) {
  if (p->state == NULL || !would_repeat(r, p)) return true;
  const struct retry_budget_rules *rules = &r->tenure->generation->config->retry_budget;
  return retry_budget_allows(&p->state->retries, rules, loop_now_ns(r->gate->loop));
}

/* Its account had no money left when this request last asked it. */
static bool is_out_of_money(const struct request *r, const struct provider *p) {
  const struct attempt *latest = NULL;
  for (const struct attempt *a = r->attempts; a != NULL; a = a->next)
    if (a->target->provider == p) latest = a;
  return latest != NULL && latest->failure == FAILURE_QUOTA;
}

/* Takes out of what is left of the plan what may not be tried after `failed`. */
static void thin_plan(struct request *r, const struct attempt *failed, bool other_key) {
  bool denied = false;
  uint16_t kept = r->plan_next;
  for (uint16_t i = r->plan_next; i < r->plan_count; i++) {
    const struct provider *p = r->plan[i]->provider;
    bool too_much = !budget_allows(r, p);
    denied = denied || too_much;
    bool no_money = is_out_of_money(r, p) && !(other_key && p == failed->target->provider);
    if (!too_much && !no_money && recover_takes(r, r->plan[i])) r->plan[kept++] = r->plan[i];
  }
  r->plan_count = kept;
  if (denied) meter_add(&r->gate->meter->retries_denied, 1);
}

static uint32_t tries_of(const struct request *r, const struct target *t) {
  uint32_t tries = 0;
  for (const struct attempt *a = r->attempts; a != NULL; a = a->next) tries += slice_eq(a->target->name, t->name);
  return tries;
}

static const struct fallback_list *list_for(const struct request *r, enum failure_class failure) {
  for (unsigned i = 0; r->route != NULL && i < FALLBACK_COUNT; i++)
    if (fallback_class(i) == failure && r->route->fallbacks[i].count > 0) return &r->route->fallbacks[i];
  return NULL;
}

static bool is_new(const struct request *r, const struct target *t) {
  return tries_of(r, t) == 0 && !is_out_of_money(r, t->provider);
}

static bool has_new_target(const struct request *r, const struct fallback_list *list) {
  for (uint32_t i = 0; list != NULL && i < list->count; i++)
    if (is_new(r, list->targets[i])) return true;
  return false;
}

static void begin_list(struct request *r, const struct fallback_list *list) {
  r->retry.list = list;
  request_plan_replace(r);
  for (uint32_t i = 0; i < list->count; i++)
    if (is_new(r, list->targets[i])) request_plan_add(r, list->targets[i]);
}

/* The limit that was hit is one key's, and another key has room: there is nothing to wait for. */
static bool has_free_key(const struct attempt *failed, uint64_t now_ns) {
  const struct provider *p = failed->target->provider;
  if (failed->failure != FAILURE_RATE_LIMITED) return false;
  for (uint32_t i = 0; i < p->key_count; i++) {
    const struct key_state *k = p->keys[i].state;
    if (i == failed->key_index || k == NULL || breaker_look(&k->breaker, now_ns) != BREAKER_CLOSED) continue;
    if (atomic_load_explicit(&k->rests_until_ns, memory_order_relaxed) <= now_ns) return true;
  }
  return false;
}

/* The deadline of the request is the failed attempt's total, counted from when the request was whole. */
static uint64_t left_ms(const struct request *r, const struct attempt *failed, uint64_t now_ns) {
  uint64_t gone_ms = now_ns > r->ready_ns ? (now_ns - r->ready_ns) / 1000000 : 0;
  uint64_t total_ms = failed->clocks.limits.total_ms;
  if (total_ms == 0) return UINT64_MAX;
  return total_ms > gone_ms ? total_ms - gone_ms : 0;
}

/* The provider may have done, and may bill, what is now asked of somebody again. */
static bool may_be_duplicate(const struct attempt *failed) {
  return failed->times.sent_ns != 0 && failed->status == 0;
}

static void waited(void *owner) {
  struct request *r = owner;
  r->retry.waits = false;
  if (!request_is_heard(r) || r->delivery.ended) return;
  request_try_next(r);
}

static void go(struct request *r, const struct attempt *failed, enum retry_step step, uint32_t wait_ms) {
  struct meter *m = r->gate->meter;
  meter_add(&m->retries[step], 1);
  if (may_be_duplicate(failed)) meter_add(&m->possibly_duplicate, 1);
  r->retry.wait_ms = wait_ms;
  if (wait_ms == 0) {
    request_try_next(r);
    return;
  }
  if (r->retry.timer.loop == NULL) timer_init(&r->retry.timer, r->gate->loop, waited, r);
  r->retry.waits = true;
  timer_set_ms(&r->retry.timer, wait_ms);
}

bool retry_go_on(struct request *r, const struct attempt *failed, enum hook_verdict verdict) {
  const struct retry_rules *rules = retry_rules_of(r);
  uint64_t now_ns = loop_now_ns(r->gate->loop);
  bool by_script = verdict == HOOK_DONE;
  uint16_t next_before = r->plan_next;
  if (!by_script) health_rotate(r, failed, now_ns);
  bool other_key = r->plan_next < next_before;
  const struct fallback_list *list = by_script ? NULL : list_for(r, failed->failure);
  thin_plan(r, failed, other_key);
  if (by_script) {
    if (r->plan_next == r->plan_count || retry_left(r) == 0) return false;
    go(r, failed, RETRY_NEXT, 0);
    return true;
  }
  const struct target *t = failed->target;
  bool is_last_taken = !other_key && r->plan_next > 0 && r->plan[r->plan_next - 1] == t;
  struct retry_case c = {
      .failure = failed->failure,
      .attempts = r->attempt_count,
      .tries = tries_of(r, t),
      .has_next = r->plan_next < r->plan_count,
      .has_list = list != r->retry.list && has_new_target(r, list),
      .is_listed = list != NULL && list == r->retry.list,
      .may_repeat = is_last_taken && !failed->no_retry && !r->gate->draining && recover_takes(r, t),
      .told_ms = has_free_key(failed, now_ns) ? 0 : failed->retry_after_ms,
      .left_ms = left_ms(r, failed, now_ns),
      .random = random_u64(),
  };
  if (c.may_repeat && (rules->on >> c.failure & 1) != 0 && !budget_allows(r, t->provider)) {
    c.may_repeat = false;
    meter_add(&r->gate->meter->retries_denied, 1);
  }
  struct retry_choice choice = retry_decide(rules, &c);
  if (choice.step == RETRY_GIVE_UP) return false;
  if (choice.step == RETRY_SAME) {
    r->plan_next--;
    r->retry.is_counted = t->provider->state != NULL && would_repeat(r, t->provider);
    if (r->retry.is_counted) retry_budget_repeat(&t->provider->state->retries, now_ns);
  }
  if (choice.step == RETRY_LIST) begin_list(r, list);
  go(r, failed, choice.step, choice.wait_ms);
  return true;
}

void retry_count(struct attempt *a) {
  struct request *r = a->request;
  const struct provider *p = a->target->provider;
  a->waited_ms = r->retry.wait_ms;
  r->retry.wait_ms = 0;
  bool is_counted = r->retry.is_counted;
  r->retry.is_counted = false;
  if (p->state == NULL || is_counted) return;
  uint64_t now_ns = loop_now_ns(r->gate->loop);
  bool first = true;
  for (const struct attempt *other = r->attempts; other != a && first; other = other->next)
    first = other->target->provider != p;
  if (first) retry_budget_request(&p->state->retries, now_ns);
  else if (would_repeat(r, p)) retry_budget_repeat(&p->state->retries, now_ns);
}

void retry_end(struct request *r) {
  if (r->retry.timer.loop != NULL) timer_clear(&r->retry.timer);
  r->retry.waits = false;
}
