/* health: see the header. Workers' threads; health_attach and health_detach on the loader's. */
#include "gate/health/health.h"

#include "base/log.h"
#include "base/must.h"
#include "base/secret.h"
#include "gate/account/tally.h"
#include "gate/health/key_state.h"
#include "gate/health/provider_state.h"
#include "gate/request.h"

#define SECOND_NS UINT64_C(1000000000)
/* A key that worked so lately is fine: a 403 then speaks of the model, not of the key. */
#define KEY_FRESH_NS (60 * SECOND_NS)
enum { RATE_LIMIT_REST_MS = 60000 }; /* at most: providers tell of days */

const char *health_why_name(enum health_why why) {
  static const char *const names[] = {"none", "ejected", "probed", "keys_benched", "checks_fail"};
  return names[why];
}

/* ---- looking ------------------------------------------------------------------------------------------------ */

static uint64_t relaxed(const _Atomic uint64_t *at) {
  return atomic_load_explicit(at, memory_order_relaxed);
}

static bool key_may_be_asked(const struct key_state *k, uint64_t now_ns) {
  if (k == NULL) return true;
  enum breaker_state state = breaker_look(&k->breaker, now_ns);
  return state == BREAKER_CLOSED || state == BREAKER_HALF_OPEN;
}

static bool keys_are_benched(const struct provider *p, uint64_t now_ns, uint32_t *left_ms) {
  uint32_t soonest = UINT32_MAX;
  for (uint32_t i = 0; i < p->key_count; i++) {
    const struct key_state *k = p->keys[i].state;
    if (key_may_be_asked(k, now_ns)) return false;
    uint32_t left = breaker_left_ms(&k->breaker, now_ns);
    if (left < soonest) soonest = left;
  }
  *left_ms = p->key_count > 0 ? soonest : 0;
  return p->key_count > 0;
}

static bool checks_fail(const struct provider *p) {
  return p->state != NULL && atomic_load_explicit(&p->state->down, memory_order_relaxed);
}

enum health_why health_look(const struct target *t, uint64_t now_ns, uint32_t *left_ms) {
  *left_ms = 0;
  if (checks_fail(t->provider)) return HEALTH_CHECKS_FAIL;
  enum breaker_state state = breaker_look(&t->state->breaker, now_ns);
  if (state == BREAKER_OPEN) {
    *left_ms = breaker_left_ms(&t->state->breaker, now_ns);
    return HEALTH_EJECTED;
  }
  if (state == BREAKER_PROBED) return HEALTH_PROBED;
  return keys_are_benched(t->provider, now_ns, left_ms) ? HEALTH_KEYS_BENCHED : HEALTH_FINE;
}

/* ---- choosing ----------------------------------------------------------------------------------------------- */

/* In turn; a key at its rate limit only when there is no other. false: all are benched. */
static bool claim_key(const struct provider *p, uint32_t turn, uint64_t now_ns, struct health_claim *out) {
  uint32_t resting = UINT32_MAX;
  uint64_t soonest_ns = UINT64_MAX;
  for (uint32_t i = 0; i < p->key_count; i++) {
    uint32_t at = p->key_count == 1 ? 0 : (turn + i) % p->key_count;
    struct key_state *k = p->keys[at].state;
    out->key_index = at;
    if (k == NULL) return true;
    enum breaker_state state = breaker_claim(&k->breaker, now_ns);
    uint64_t rests_until_ns = relaxed(&k->rests_until_ns);
    out->key_probe = state == BREAKER_HALF_OPEN;
    if (out->key_probe || (state == BREAKER_CLOSED && rests_until_ns <= now_ns)) return true;
    if (state == BREAKER_CLOSED && rests_until_ns < soonest_ns) soonest_ns = rests_until_ns, resting = at;
  }
  if (resting == UINT32_MAX) return false;
  out->key_index = resting;
  return true;
}

bool health_claim(const struct target *t, uint32_t *turn, uint64_t now_ns, struct health_claim *out) {
  *out = (struct health_claim){.made = true};
  if (checks_fail(t->provider)) return false;
  enum breaker_state state = breaker_claim(&t->state->breaker, now_ns);
  if (state == BREAKER_OPEN || state == BREAKER_PROBED) return false;
  out->target_probe = state == BREAKER_HALF_OPEN;
  if (claim_key(t->provider, *turn, now_ns, out)) {
    ++*turn;
    out->probed = out->target_probe || out->key_probe;
    return true;
  }
  if (out->target_probe) breaker_release(&t->state->breaker);
  return false;
}

void health_force(const struct target *t, uint32_t *turn, uint64_t now_ns, struct health_claim *out) {
  const struct provider *p = t->provider;
  *out = (struct health_claim){.made = true};
  out->target_probe = breaker_claim(&t->state->breaker, now_ns) == BREAKER_HALF_OPEN;
  bool has_key = claim_key(p, (*turn)++, now_ns, out);
  out->probed = out->target_probe || out->key_probe;
  if (has_key) return;
  uint64_t soonest_ns = UINT64_MAX;
  for (uint32_t i = 0; i < p->key_count; i++) {
    uint64_t until_ns = relaxed(&p->keys[i].state->breaker.until_ns);
    if (until_ns < soonest_ns) soonest_ns = until_ns, out->key_index = i;
  }
}

/* More of the route's targets are left out than may be: then nobody is. */
static bool is_panic(const struct request *r, uint64_t now_ns) {
  const struct route *route = r->route;
  if (route == NULL) return false;
  uint32_t out = 0, left_ms;
  for (uint32_t i = 0; i < route->target_count; i++)
    out += health_look(route->targets[i], now_ns, &left_ms) != HEALTH_FINE;
  return (uint64_t)out * 1000000 > (uint64_t)r->tenure->generation->config->panic_ppm * route->target_count;
}

static bool another_is_fine(const struct request *r, uint64_t now_ns) {
  uint32_t left_ms;
  for (unsigned i = r->plan_next; i < r->plan_count; i++)
    if (health_look(r->plan[i], now_ns, &left_ms) == HEALTH_FINE) return true;
  return false;
}

static void skip(struct request *r, struct target *t, uint64_t now_ns) {
  struct health_skip *s = arena_new(&r->arena, struct health_skip), **end = &r->skips;
  s->target = t;
  s->why = health_look(t, now_ns, &s->left_ms);
  /* Its probe ended between the claim and now: what kept it out then is what is told. */
  if (s->why == HEALTH_FINE) s->why = HEALTH_PROBED;
  while (*end != NULL) end = &(*end)->next;
  *end = s;
  atomic_fetch_add_explicit(&t->state->skips, 1, memory_order_relaxed);
  if (s->why != HEALTH_KEYS_BENCHED) request_plan_add(r, t);
}

struct target *health_next(struct request *r, uint64_t now_ns, struct health_claim *out) {
  for (;;) {
    must(r->plan_next < r->plan_count);
    struct target *t = r->plan[r->plan_next++];
    uint32_t *turn = &r->tenure->next_key[t->provider->index];
    if (health_claim(t, turn, now_ns, out)) return t;
    if (!another_is_fine(r, now_ns) || is_panic(r, now_ns)) {
      health_force(t, turn, now_ns, out);
      return t;
    }
    skip(r, t, now_ns);
  }
}

static bool is_of_key(enum failure_class c) {
  return c == FAILURE_AUTH || c == FAILURE_QUOTA;
}

void health_rotate(struct request *r, const struct attempt *failed, uint64_t now_ns) {
  const struct provider *p = failed->target->provider;
  if (!is_of_key(failed->failure) || r->plan_next == 0 || r->plan[r->plan_next - 1] != failed->target) return;
  const struct key_state *own = p->keys[failed->key_index].state;
  if (own == NULL || breaker_look(&own->breaker, now_ns) == BREAKER_CLOSED) return;
  for (uint32_t i = 0; i < p->key_count; i++) {
    if (i == failed->key_index || !key_may_be_asked(p->keys[i].state, now_ns)) continue;
    r->plan_next--;
    return;
  }
}

/* ---- learning ----------------------------------------------------------------------------------------------- */

static uint64_t slot_ns_of(const struct health_rules *rules) {
  uint64_t slot_ns = rules->window_ms * UINT64_C(1000000) / HEALTH_WINDOW_SLOTS;
  return slot_ns > 0 ? slot_ns : 1;
}

static uint64_t within_window(const struct target_state *s, const struct health_rules *rules, bool succeeded,
                              uint64_t now_ns) {
  return tally_sum(s->window[succeeded], HEALTH_WINDOW_SLOTS, slot_ns_of(rules), HEALTH_WINDOW_SLOTS, now_ns);
}

static bool fails_too_much(const struct target_state *s, const struct health_rules *rules, uint32_t in_row,
                           uint64_t now_ns) {
  if (rules->eject_after > 0 && in_row >= rules->eject_after) return true;
  if (rules->error_share_ppm == 0) return false;
  uint64_t failed = within_window(s, rules, false, now_ns), all = failed + within_window(s, rules, true, now_ns);
  return all >= rules->error_minimum && failed * 1000000 >= all * rules->error_share_ppm;
}

static void forget_failures(struct target_state *s) {
  atomic_store_explicit(&s->failures_in_row, 0, memory_order_relaxed);
  for (unsigned i = 0; i < 2; i++) tally_clear(s->window[i], HEALTH_WINDOW_SLOTS);
}

static void come_back(struct target_state *s) {
  if (relaxed(&s->breaker.until_ns) != 0) log_info("health", "%s is back: a request to it has succeeded", s->name);
  forget_failures(s);
  breaker_close(&s->breaker);
}

static void judge_good(struct target_state *s, uint64_t started_ns) {
  if (atomic_load_explicit(&s->failures_in_row, memory_order_relaxed) != 0)
    atomic_store_explicit(&s->failures_in_row, 0, memory_order_relaxed);
  /* Who was let in although it was ejected brings news; who began before does not. */
  if (relaxed(&s->breaker.until_ns) != 0 && started_ns >= relaxed(&s->breaker.since_ns)) come_back(s);
}

static void judge_bad(struct target_state *s, const struct health_rules *rules, bool probe, uint64_t now_ns) {
  struct breaker_times times = {.base_ms = rules->eject_ms, .max_ms = rules->eject_max_ms};
  if (probe && breaker_reopen(&s->breaker, now_ns, &times)) return;
  uint32_t in_row = atomic_fetch_add_explicit(&s->failures_in_row, 1, memory_order_relaxed) + 1;
  if (relaxed(&s->breaker.until_ns) != 0 || !fails_too_much(s, rules, in_row, now_ns)) return;
  if (!breaker_open(&s->breaker, now_ns, &times)) return;
  forget_failures(s);
  log_warn("health", "%s is ejected for %u ms: it has failed %u times in a row, or too often", s->name,
           breaker_left_ms(&s->breaker, now_ns), in_row);
}

void health_judge(struct target_state *s, const struct health_rules *rules, enum health_verdict verdict, bool probe,
                  uint64_t started_ns, uint64_t now_ns) {
  if (verdict != HEALTH_NOTHING)
    tally_add(s->window[verdict == HEALTH_GOOD], HEALTH_WINDOW_SLOTS, slot_ns_of(rules), now_ns);
  if (verdict == HEALTH_GOOD) judge_good(s, started_ns);
  if (verdict == HEALTH_BAD) judge_bad(s, rules, probe, now_ns);
  if (probe) breaker_release(&s->breaker);
}

/* The client that leaves and the caller's own mistakes say nothing of the provider (`counts_against_health`). */
static enum health_verdict verdict_of(const struct attempt *a) {
  if (a->failure == FAILURE_NONE) return a->phase == ATTEMPT_DONE ? HEALTH_GOOD : HEALTH_NOTHING;
  return failure_row(a->failure)->counts_against_health ? HEALTH_BAD : HEALTH_NOTHING;
}

/* A key that works elsewhere may not use this model: the target is at fault, not the key. */
static bool is_forbidden_here(const struct attempt *a, const struct key_state *k) {
  uint64_t good_ns = relaxed(&k->good_ns);
  return a->failure == FAILURE_AUTH && a->status == 403 && good_ns != 0 && a->ended_ns - good_ns < KEY_FRESH_NS;
}

static void bring_back(struct key_state *k) {
  if (relaxed(&k->breaker.until_ns) == 0) return;
  log_info("health", "the key \"%s\" of %s is back", k->label, k->provider);
  breaker_close(&k->breaker);
}

static void learn_of_key(const struct attempt *a, struct key_state *k) {
  const struct health_rules *rules = &a->target->provider->health;
  bool works = a->status >= 200 && a->status < 300;
  if (works) {
    if (a->ended_ns - relaxed(&k->good_ns) > SECOND_NS)
      atomic_store_explicit(&k->good_ns, a->ended_ns, memory_order_relaxed);
    if (a->started_ns >= relaxed(&k->breaker.since_ns)) bring_back(k);
  } else if (is_of_key(a->failure) && !is_forbidden_here(a, k)) {
    struct breaker_times times = {rules->key_ms, rules->key_max_ms, a->retry_after_ms};
    if (a->claim.key_probe && breaker_reopen(&k->breaker, a->ended_ns, &times)) return;
    if (breaker_open(&k->breaker, a->ended_ns, &times))
      log_warn("health", "the key \"%s\" of %s is benched for %u ms: %s", k->label, k->provider,
               breaker_left_ms(&k->breaker, a->ended_ns), failure_row(a->failure)->name);
  } else if (a->failure == FAILURE_RATE_LIMITED && a->retry_after_ms > 0) {
    uint32_t ms = a->retry_after_ms < RATE_LIMIT_REST_MS ? a->retry_after_ms : RATE_LIMIT_REST_MS;
    atomic_store_explicit(&k->rests_until_ns, a->ended_ns + ms * UINT64_C(1000000), memory_order_relaxed);
  }
}

static void judge_key(const struct attempt *a, struct key_state *k) {
  learn_of_key(a, k);
  if (a->claim.key_probe) breaker_release(&k->breaker);
}

void health_content(struct attempt *a) {
  struct key_state *k = a->target->provider->keys[a->key_index].state;
  if (a->claim.target_probe) {
    come_back(a->target->state);
    breaker_release(&a->target->state->breaker);
  }
  if (a->claim.key_probe) {
    bring_back(k);
    breaker_release(&k->breaker);
  }
  a->claim.target_probe = a->claim.key_probe = false;
}

void health_record(struct attempt *a) {
  const struct provider *p = a->target->provider;
  struct key_state *k = p->keys[a->key_index].state;
  enum health_verdict verdict = verdict_of(a);
  if (verdict != HEALTH_NOTHING && p->state != NULL)
    provider_state_count(p->state, verdict == HEALTH_GOOD, a->ended_ns);
  if (k != NULL && is_forbidden_here(a, k)) verdict = HEALTH_BAD;
  if (k != NULL && a->claim.made) judge_key(a, k);
  health_judge(a->target->state, &p->health, verdict, a->claim.target_probe, a->started_ns, a->ended_ns);
  a->claim.target_probe = a->claim.key_probe = false;
  if (verdict == HEALTH_GOOD && a->first_content_ns > a->started_ns)
    target_record_wait(a->target->state, (a->first_content_ns - a->started_ns) / 1000, a->ended_ns);
}

/* ---- the config's side -------------------------------------------------------------------------------------- */

void health_attach(struct provider *p) {
  p->state = provider_state_of(p->name);
  for (uint32_t i = 0; i < p->key_count; i++) {
    struct provider_key *k = &p->keys[i];
    k->state = key_state_hold(p->name, p->base_url, secret_view(k->bare), k->label ? k->label : "none");
  }
}

void health_detach(struct provider *p) {
  for (uint32_t i = 0; i < p->key_count; i++) key_state_let_go(p->keys[i].state);
}
