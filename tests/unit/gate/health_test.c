/* health, with breaker, tally and the states of providers and keys, on a clock of the test's own: what ejects and what
 * does not, how targets and keys come back, and what a plan then gives. */
#include "gate/health/health.h"

#include <pthread.h>
#include <sched.h>

#include "base/memory.h"
#include "base/secret.h"
#include "check.h"
#include "gate/account/tally.h"
#include "gate/health/breaker.h"
#include "gate/health/key_state.h"
#include "gate/health/provider_state.h"
#include "gate/request.h"

#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)

static uint64_t now_ns = 1000 * S;

static const struct health_rules rules_default = {.eject_after = 5,
                                                  .error_share_ppm = 500000,
                                                  .error_minimum = 20,
                                                  .window_ms = 10000,
                                                  .eject_ms = 10000,
                                                  .eject_max_ms = 60000,
                                                  .key_ms = 30000,
                                                  .key_max_ms = 100000};

/* ---- breaker */

static const struct breaker_times times = {.base_ms = 1000, .max_ms = 5000};

TEST(a_breaker_opens_for_its_time_then_lets_one_ask) {
  struct breaker b = {0};
  CHECK(breaker_claim(&b, now_ns) == BREAKER_CLOSED);
  CHECK(breaker_open(&b, now_ns, &times));
  CHECK(!breaker_open(&b, now_ns, &times)); /* what is open does not open again */
  CHECK_INT(breaker_left_ms(&b, now_ns), 1000);
  CHECK(breaker_claim(&b, now_ns + 999 * MS) == BREAKER_OPEN);
  CHECK(breaker_look(&b, now_ns + 1000 * MS) == BREAKER_HALF_OPEN);
  CHECK(breaker_claim(&b, now_ns + 1000 * MS) == BREAKER_HALF_OPEN);
  CHECK(breaker_claim(&b, now_ns + 1000 * MS) == BREAKER_PROBED); /* one at a time */
  CHECK_INT(breaker_left_ms(&b, now_ns + 1000 * MS), 0);
  breaker_release(&b); /* no verdict */
  CHECK(breaker_claim(&b, now_ns + 2000 * MS) == BREAKER_HALF_OPEN);
  breaker_close(&b);
  breaker_release(&b);
  CHECK(breaker_claim(&b, now_ns + 2000 * MS) == BREAKER_CLOSED);
  CHECK_INT(b.openings, 1);
}

TEST(each_failed_probe_doubles_the_time_up_to_its_limit_and_success_makes_it_short_again) {
  struct breaker b = {0};
  uint64_t at = now_ns;
  static const unsigned lengths_ms[] = {1000, 2000, 4000, 5000, 5000};
  breaker_open(&b, at, &times);
  for (unsigned i = 0; i < 5; i++) {
    CHECK_INT(breaker_left_ms(&b, at), lengths_ms[i]);
    at += lengths_ms[i] * MS;
    CHECK(breaker_claim(&b, at) == BREAKER_HALF_OPEN);
    CHECK(breaker_reopen(&b, at, &times));
    breaker_release(&b);
  }
  breaker_close(&b);
  CHECK(!breaker_reopen(&b, at, &times)); /* closed meanwhile: the probe is nobody's news */
  breaker_open(&b, at, &times);
  CHECK_INT(breaker_left_ms(&b, at), 1000);
  struct breaker never = {0}, told = {0};
  CHECK(!breaker_open(&never, at, &(struct breaker_times){.max_ms = 5000}));
  breaker_open(&told, at, &(struct breaker_times){1000, 5000, 3000});
  CHECK_INT(breaker_left_ms(&told, at), 3000);
  struct breaker capped = {0};
  breaker_open(&capped, at, &(struct breaker_times){1000, 5000, 86400000});
  CHECK_INT(breaker_left_ms(&capped, at), 5000);
}

enum { RACES = 20000, RACERS = 2 };

struct racer {
  struct breaker *breakers; /* RACES of them, half open */
  _Atomic uint64_t *ring;
  atomic_uint *arrived; /* at a race: each is begun together */
  unsigned won;
};

static void *race(void *owner) {
  struct racer *r = owner;
  for (unsigned i = 0; i < RACES; i++) {
    atomic_fetch_add(r->arrived, 1);
    for (unsigned spins = 1; atomic_load(r->arrived) < RACERS * (i + 1); spins++)
      if (spins % 1024 == 0) sched_yield();
    r->won += breaker_claim(&r->breakers[i], now_ns + 2 * S) == BREAKER_HALF_OPEN;
    tally_add(r->ring, 5, S, now_ns + i / (RACES / 5) * S);
  }
  return NULL;
}

TEST(threads_that_meet_send_one_probe_and_lose_no_count) {
  struct breaker *breakers = mem_zero(RACES * sizeof *breakers);
  _Atomic uint64_t ring[5] = {0};
  struct racer racers[RACERS];
  pthread_t threads[RACERS];
  atomic_uint arrived = 0;
  for (unsigned i = 0; i < RACES; i++) breaker_open(&breakers[i], now_ns, &times);
  for (unsigned i = 0; i < RACERS; i++) {
    racers[i] = (struct racer){breakers, ring, &arrived, 0};
    pthread_create(&threads[i], NULL, race, &racers[i]);
  }
  unsigned won = 0;
  for (unsigned i = 0; i < RACERS; i++) {
    pthread_join(threads[i], NULL);
    won += racers[i].won;
  }
  CHECK_INT(won, RACES);
  CHECK_INT(tally_sum(ring, 5, S, 5, now_ns + 4 * S), RACERS * RACES);
  mem_free(breakers);
}

/* ---- tally */

TEST(a_tally_forgets_what_is_older_than_its_window) {
  _Atomic uint64_t ring[5] = {0};
  for (unsigned second = 0; second < 20; second++)
    for (unsigned i = 0; i <= second; i++) tally_add(ring, 5, S, now_ns + second * S);
  CHECK_INT(tally_sum(ring, 5, S, 5, now_ns + 19 * S), 20 + 19 + 18 + 17 + 16);
  CHECK_INT(tally_sum(ring, 5, S, 2, now_ns + 19 * S), 20 + 19);
  CHECK_INT(tally_sum(ring, 5, S, 5, now_ns + 21 * S), 20 + 19 + 18);
  CHECK_INT(tally_sum(ring, 5, S, 5, now_ns + 24 * S), 0);
  tally_add(ring, 5, S, now_ns + 3 * S); /* a thread that is late counts where its slot is now */
  CHECK_INT(tally_sum(ring, 5, S, 5, now_ns + 19 * S), 91);
  tally_clear(ring, 5);
  CHECK_INT(tally_sum(ring, 5, S, 5, now_ns + 19 * S), 0);
}

TEST(availability_is_a_share_of_three_windows) {
  struct provider_state *s = provider_state_of("windows");
  CHECK(provider_state_of("windows") == s);
  CHECK(availability_share(provider_availability(s, AVAILABILITY_24H, now_ns)) < 0);
  for (unsigned i = 0; i < 90; i++) provider_state_count(s, true, now_ns);
  for (unsigned i = 0; i < 10; i++) provider_state_count(s, false, now_ns);
  struct availability a = provider_availability(s, AVAILABILITY_5M, now_ns);
  CHECK_INT(a.succeeded, 90);
  CHECK_INT(a.failed, 10);
  uint64_t later = now_ns + 400 * S;
  CHECK(availability_share(provider_availability(s, AVAILABILITY_5M, later)) < 0);
  provider_state_count(s, false, later);
  CHECK_INT(provider_availability(s, AVAILABILITY_5M, later).failed, 1);
  CHECK_INT(provider_availability(s, AVAILABILITY_1H, later).failed, 11);
  later = now_ns + 3 * 3600 * S;
  CHECK_INT(provider_availability(s, AVAILABILITY_1H, later).failed, 0);
  CHECK_INT(provider_availability(s, AVAILABILITY_24H, later).failed, 11);
  CHECK_INT(provider_availability(s, AVAILABILITY_24H, later).succeeded, 90);
  CHECK_INT(provider_availability(s, AVAILABILITY_24H, now_ns + 25 * 3600 * S).failed, 0);
}

/* ---- a house of cards: providers, targets, a route and a request, all by hand */

enum { TARGETS = 4, KEYS = 3 };

struct cards {
  struct provider providers[TARGETS];
  struct target targets[TARGETS], *list[TARGETS];
  struct route route;
  struct config config;
  struct generation generation;
  struct tenure tenure;
  uint32_t turns[TARGETS];
  struct request request;
};

/* Provider i has i == 0 ? KEYS : 1 keys. Names are `name` and a letter: states are the process's. */
static void deal(struct cards *c, const char *name, uint32_t targets) {
  *c = (struct cards){.config = {.panic_ppm = 500000}};
  for (uint32_t i = 0; i < targets; i++) {
    struct provider *p = &c->providers[i];
    char text[64];
    snprintf(text, sizeof text, "%s-%c", name, 'a' + (int)i);
    p->name = mem_text(text, strlen(text));
    p->base_url = mem_text("http://x/v1", 11);
    p->index = i;
    p->health = rules_default;
    p->key_count = i == 0 ? KEYS : 1;
    for (uint32_t k = 0; k < p->key_count; k++) {
      char key[32];
      snprintf(key, sizeof key, "sk-%s-%u", text, k);
      p->keys[k] = (struct provider_key){.label = mem_text("literal", 7), .bare = secret_new(slice_text(key))};
    }
    health_attach(p);
    snprintf(text, sizeof text, "%s-%c/m", name, 'a' + (int)i);
    c->targets[i] = (struct target){.provider = p, .state = target_state_of(slice_text(text)), .model = SLICE("m")};
    c->list[i] = &c->targets[i];
  }
  c->route = (struct route){.name = (char *)(uintptr_t) "r", .targets = c->list, .target_count = targets};
  c->generation = (struct generation){.config = &c->config};
  c->tenure = (struct tenure){.generation = &c->generation, .next_key = c->turns};
}

static void gather(struct cards *c) {
  for (uint32_t i = 0; i < TARGETS && c->providers[i].name != NULL; i++) {
    struct provider *p = &c->providers[i];
    health_detach(p);
    for (uint32_t k = 0; k < p->key_count; k++) {
      secret_free(p->keys[k].bare);
      mem_free(p->keys[k].label);
    }
    mem_free(p->name);
    mem_free(p->base_url);
  }
}

/* A new request with all targets in its plan. */
static struct request *plan(struct cards *c) {
  c->request = (struct request){.tenure = &c->tenure, .route = &c->route};
  arena_init(&c->request.arena);
  for (uint32_t i = 0; i < c->route.target_count; i++) request_plan_add(&c->request, &c->targets[i]);
  return &c->request;
}

/* The letters of the targets that are taken one after the other until the plan is over. */
static const char *taken(struct cards *c) {
  static char letters[PLAN_MAX + 1];
  struct request *r = plan(c);
  unsigned count = 0;
  while (r->plan_next < r->plan_count) {
    struct health_claim claim;
    struct target *t = health_next(r, now_ns, &claim);
    letters[count++] = (char)('a' + (t - c->targets));
    if (claim.target_probe) breaker_release(&t->state->breaker);
    for (uint32_t k = 0; claim.key_probe && k < t->provider->key_count; k++)
      breaker_release(&t->provider->keys[k].state->breaker);
  }
  letters[count] = '\0';
  arena_done(&r->arena);
  return letters;
}

/* An attempt of target i that ends now with that failure, having been let in by the claim. */
static void end_with(struct cards *c, uint32_t i, const struct health_claim *claim, enum failure_class failure,
                     unsigned status, uint64_t started_ns) {
  struct attempt a = {.request = &c->request, .target = &c->targets[i], .status = (uint16_t)status};
  a.claim = *claim;
  a.key_index = claim->key_index;
  a.failure = failure;
  a.phase = failure == FAILURE_NONE ? ATTEMPT_DONE : ATTEMPT_FAILED;
  a.started_ns = started_ns;
  a.ended_ns = now_ns;
  health_record(&a);
}

static void ends(struct cards *c, uint32_t i, enum failure_class failure, unsigned status) {
  struct health_claim claim;
  if (!health_claim(&c->targets[i], &c->turns[i], now_ns, &claim))
    health_force(&c->targets[i], &c->turns[i], now_ns, &claim);
  end_with(c, i, &claim, failure, status, now_ns);
}

static enum health_why look(struct cards *c, uint32_t i) {
  uint32_t left_ms;
  return health_look(&c->targets[i], now_ns, &left_ms);
}

/* ---- targets */

TEST(failures_in_a_row_eject_and_one_success_in_between_does_not) {
  struct cards c;
  deal(&c, "row", 2);
  for (unsigned i = 0; i < 4; i++) ends(&c, 1, FAILURE_SERVER_ERROR, 500);
  ends(&c, 1, FAILURE_NONE, 200);
  for (unsigned i = 0; i < 4; i++) ends(&c, 1, FAILURE_CONNECT, 0);
  CHECK(look(&c, 1) == HEALTH_FINE);
  ends(&c, 1, FAILURE_OVERLOADED, 529);
  CHECK(look(&c, 1) == HEALTH_EJECTED);
  CHECK(look(&c, 0) == HEALTH_FINE);
  gather(&c);
}

TEST(callers_mistakes_and_clients_that_leave_never_count) {
  struct cards c;
  deal(&c, "callers", 1);
  static const enum failure_class harmless[] = {FAILURE_INVALID,        FAILURE_CONTEXT_LENGTH, FAILURE_CONTENT_POLICY,
                                                FAILURE_CLIENT_GONE,    FAILURE_NOT_FOUND,      FAILURE_SCRIPT,
                                                FAILURE_UNTRANSLATABLE, FAILURE_UNPRICED,       FAILURE_REDIRECT};
  for (unsigned i = 0; i < 100; i++)
    for (unsigned k = 0; k < sizeof harmless / sizeof *harmless; k++) ends(&c, 0, harmless[k], 400);
  CHECK(look(&c, 0) == HEALTH_FINE);
  CHECK_INT(c.targets[0].state->failures_in_row, 0);
  CHECK(availability_share(provider_availability(c.providers[0].state, AVAILABILITY_5M, now_ns)) < 0);
  /* A cancelled attempt without a failure of its own says nothing either. */
  struct attempt a = {.target = &c.targets[0], .phase = ATTEMPT_CANCELLED, .ended_ns = now_ns};
  health_record(&a);
  CHECK(availability_share(provider_availability(c.providers[0].state, AVAILABILITY_5M, now_ns)) < 0);
  gather(&c);
}

TEST(a_share_of_failures_ejects_when_there_were_enough_attempts) {
  struct cards c;
  deal(&c, "share", 2);
  for (unsigned i = 0; i < 9; i++) {
    ends(&c, 1, FAILURE_NONE, 200);
    ends(&c, 1, FAILURE_RESET, 0);
  }
  ends(&c, 1, FAILURE_NONE, 200);
  CHECK(look(&c, 1) == HEALTH_FINE); /* 19 attempts */
  ends(&c, 1, FAILURE_RESET, 0);
  CHECK(look(&c, 1) == HEALTH_EJECTED);
  now_ns += 20 * S; /* its window and its ejection are over */
  ends(&c, 1, FAILURE_NONE, 200);
  CHECK(look(&c, 1) == HEALTH_FINE);
  for (unsigned i = 0; i < 100; i++) { /* one in three, spread over more than the window */
    ends(&c, 1, i % 3 == 0 ? FAILURE_RESET : FAILURE_NONE, i % 3 == 0 ? 0 : 200);
    now_ns += 300 * MS;
  }
  CHECK(look(&c, 1) == HEALTH_FINE);
  gather(&c);
}

TEST(rules_that_are_zero_never_eject) {
  struct cards c;
  deal(&c, "zero", 1);
  c.providers[0].health = (struct health_rules){0};
  for (unsigned i = 0; i < 1000; i++) ends(&c, 0, i % 2 ? FAILURE_SERVER_ERROR : FAILURE_AUTH, i % 2 ? 500 : 401);
  CHECK(look(&c, 0) == HEALTH_FINE);
  gather(&c);
}

static void eject(struct cards *c, uint32_t i) {
  for (unsigned n = 0; n < 5; n++) ends(c, i, FAILURE_SERVER_ERROR, 500);
  CHECK(look(c, i) == HEALTH_EJECTED);
}

TEST(one_probe_brings_it_back_or_doubles_the_time) {
  struct cards c;
  struct health_claim probe, other;
  deal(&c, "probe", 2);
  eject(&c, 1);
  CHECK(!health_claim(&c.targets[1], &c.turns[1], now_ns + 9999 * MS, &other));
  now_ns += 10 * S;
  CHECK(look(&c, 1) == HEALTH_FINE); /* it may be asked */
  CHECK(health_claim(&c.targets[1], &c.turns[1], now_ns, &probe) && probe.target_probe);
  CHECK(look(&c, 1) == HEALTH_PROBED);
  CHECK(!health_claim(&c.targets[1], &c.turns[1], now_ns, &other));
  end_with(&c, 1, &probe, FAILURE_SERVER_ERROR, 500, now_ns);
  uint32_t left_ms;
  CHECK(health_look(&c.targets[1], now_ns, &left_ms) == HEALTH_EJECTED);
  CHECK_INT(left_ms, 20000);
  now_ns += 20 * S;
  CHECK(health_claim(&c.targets[1], &c.turns[1], now_ns, &probe) && probe.target_probe);
  end_with(&c, 1, &probe, FAILURE_CLIENT_GONE, 0, now_ns); /* no verdict: the next request asks */
  CHECK(health_claim(&c.targets[1], &c.turns[1], now_ns, &probe) && probe.target_probe);
  end_with(&c, 1, &probe, FAILURE_NONE, 200, now_ns);
  CHECK(health_claim(&c.targets[1], &c.turns[1], now_ns, &probe) && !probe.target_probe);
  eject(&c, 1);
  CHECK(health_look(&c.targets[1], now_ns, &left_ms) == HEALTH_EJECTED);
  CHECK_INT(left_ms, 10000);
  gather(&c);
}

TEST(a_probe_has_succeeded_at_its_first_content) {
  struct cards c;
  struct health_claim probe, other;
  deal(&c, "content", 2);
  eject(&c, 1);
  now_ns += 10 * S;
  CHECK(health_claim(&c.targets[1], &c.turns[1], now_ns, &probe));
  struct attempt a = {.target = &c.targets[1], .claim = probe, .phase = ATTEMPT_FLOWING, .started_ns = now_ns};
  health_content(&a);
  CHECK(health_claim(&c.targets[1], &c.turns[1], now_ns, &other) && !other.target_probe);
  a.failure = FAILURE_RESET; /* the rest of it broke: a failure like any other, no failed probe */
  a.phase = ATTEMPT_FAILED;
  a.ended_ns = now_ns + S;
  health_record(&a);
  CHECK(look(&c, 1) == HEALTH_FINE);
  CHECK_INT(c.targets[1].state->failures_in_row, 1);
  gather(&c);
}

TEST(attempts_from_before_the_ejection_are_no_news) {
  struct cards c;
  struct health_claim early = {.made = true};
  uint64_t before = now_ns;
  deal(&c, "before", 2);
  now_ns += S;
  eject(&c, 1);
  for (unsigned i = 0; i < 50; i++) end_with(&c, 1, &early, FAILURE_SERVER_ERROR, 500, before);
  uint32_t left_ms;
  health_look(&c.targets[1], now_ns, &left_ms);
  CHECK_INT(left_ms, 10000);
  end_with(&c, 1, &early, FAILURE_NONE, 200, before);
  CHECK(look(&c, 1) == HEALTH_EJECTED);
  /* One that was let in all the same, as a plan's last, brings it back. */
  struct health_claim forced;
  health_force(&c.targets[1], &c.turns[1], now_ns, &forced);
  end_with(&c, 1, &forced, FAILURE_NONE, 200, now_ns);
  CHECK(look(&c, 1) == HEALTH_FINE);
  gather(&c);
}

/* ---- keys */

TEST(a_refused_key_is_benched_and_the_others_go_on) {
  struct cards c;
  struct health_claim claim;
  deal(&c, "keys", 2);
  CHECK(health_claim(&c.targets[0], &c.turns[0], now_ns, &claim));
  uint32_t bad = claim.key_index;
  end_with(&c, 0, &claim, FAILURE_AUTH, 401, now_ns);
  CHECK(look(&c, 0) == HEALTH_FINE);
  unsigned seen[KEYS] = {0};
  for (unsigned i = 0; i < 30; i++) {
    CHECK(health_claim(&c.targets[0], &c.turns[0], now_ns, &claim));
    seen[claim.key_index]++;
    end_with(&c, 0, &claim, FAILURE_NONE, 200, now_ns);
  }
  CHECK_INT(seen[bad], 0);
  for (uint32_t k = 0; k < KEYS; k++) CHECK(k == bad || seen[k] >= 10);
  now_ns += 30 * S; /* it has its turn again: refused again, twice as long */
  for (unsigned i = 0; i < KEYS; i++) {
    CHECK(health_claim(&c.targets[0], &c.turns[0], now_ns, &claim));
    CHECK(claim.key_probe == (claim.key_index == bad));
    if (claim.key_index == bad) end_with(&c, 0, &claim, FAILURE_QUOTA, 429, now_ns);
    else end_with(&c, 0, &claim, FAILURE_NONE, 200, now_ns);
  }
  CHECK_INT(breaker_left_ms(&c.providers[0].keys[bad].state->breaker, now_ns), 60000);
  gather(&c);
}

TEST(when_all_keys_are_benched_the_target_is_out_and_the_soonest_is_forced) {
  struct cards c;
  struct health_claim claim;
  deal(&c, "allkeys", 2);
  for (unsigned i = 0; i < KEYS; i++) {
    ends(&c, 0, FAILURE_AUTH, 401);
    now_ns += S;
  }
  uint32_t left_ms;
  CHECK(health_look(&c.targets[0], now_ns, &left_ms) == HEALTH_KEYS_BENCHED);
  CHECK_INT(left_ms, 27000);
  CHECK(!health_claim(&c.targets[0], &c.turns[0], now_ns, &claim));
  health_force(&c.targets[0], &c.turns[0], now_ns, &claim);
  CHECK_INT(breaker_left_ms(&c.providers[0].keys[claim.key_index].state->breaker, now_ns), 27000);
  end_with(&c, 0, &claim, FAILURE_NONE, 200, now_ns);
  CHECK(look(&c, 0) == HEALTH_FINE);
  CHECK(availability_share(provider_availability(c.providers[0].state, AVAILABILITY_5M, now_ns)) == 1);
  gather(&c);
}

TEST(a_403_of_a_key_that_works_is_the_models) {
  struct cards c;
  deal(&c, "forbidden", 2);
  ends(&c, 1, FAILURE_NONE, 200);
  for (unsigned i = 0; i < 5; i++) ends(&c, 1, FAILURE_AUTH, 403);
  CHECK(look(&c, 1) == HEALTH_EJECTED);
  CHECK(breaker_look(&c.providers[1].keys[0].state->breaker, now_ns) == BREAKER_CLOSED);
  /* Nor does it make the provider less available. */
  CHECK(availability_share(provider_availability(c.providers[1].state, AVAILABILITY_5M, now_ns)) == 1);
  now_ns += 3600 * S; /* the key has not been seen to work for long */
  ends(&c, 1, FAILURE_AUTH, 403);
  CHECK(breaker_look(&c.providers[1].keys[0].state->breaker, now_ns) == BREAKER_OPEN);
  gather(&c);
}

TEST(a_key_at_its_rate_limit_rests_while_there_are_others) {
  struct cards c;
  struct health_claim claim;
  deal(&c, "rate", 1);
  CHECK(health_claim(&c.targets[0], &c.turns[0], now_ns, &claim));
  struct attempt a = {.target = &c.targets[0],
                      .claim = claim,
                      .key_index = claim.key_index,
                      .status = 429,
                      .failure = FAILURE_RATE_LIMITED,
                      .phase = ATTEMPT_FAILED,
                      .retry_after_ms = 5000,
                      .started_ns = now_ns,
                      .ended_ns = now_ns};
  health_record(&a);
  uint32_t limited = claim.key_index;
  for (unsigned i = 0; i < 6; i++) {
    CHECK(health_claim(&c.targets[0], &c.turns[0], now_ns, &claim));
    CHECK(claim.key_index != limited);
  }
  bool seen = false;
  now_ns += 5 * S;
  for (unsigned i = 0; i < KEYS; i++) {
    CHECK(health_claim(&c.targets[0], &c.turns[0], now_ns, &claim));
    seen = seen || claim.key_index == limited;
  }
  CHECK(seen);
  gather(&c);
}

TEST(the_state_of_a_key_is_its_own_and_survives_the_config) {
  struct key_state *s = key_state_hold("p", "http://x", SLICE("sk-1"), "literal");
  CHECK(key_state_hold("p", "http://x", SLICE("sk-1"), "env KEY") == s);
  struct key_state *other = key_state_hold("p", "http://x", SLICE("sk-2"), "literal");
  CHECK(other != s);
  CHECK_SLICE(slice_text(s->label), "literal");
  CHECK_SLICE(slice_text(other->label), "literal #2");
  struct key_state *elsewhere = key_state_hold("p", "http://y", SLICE("sk-1"), "literal");
  CHECK(elsewhere != s && elsewhere != other);
  breaker_open(&s->breaker, now_ns, &times);
  key_state_let_go(s); /* the old config goes, the new one holds it already */
  CHECK(breaker_look(&s->breaker, now_ns) == BREAKER_OPEN);
  key_state_let_go(s);
  key_state_let_go(other);
  key_state_let_go(elsewhere);
  key_state_let_go(NULL);
}

/* ---- plans */

TEST(an_ejected_target_is_tried_last_and_told_of) {
  struct cards c;
  deal(&c, "plan", 4);
  CHECK_SLICE(slice_text(taken(&c)), "abcd");
  eject(&c, 1);
  CHECK_SLICE(slice_text(taken(&c)), "acdb");
  struct request *r = plan(&c);
  struct health_claim claim;
  health_next(r, now_ns, &claim);
  CHECK(r->skips == NULL);
  CHECK(health_next(r, now_ns, &claim) == &c.targets[2]);
  CHECK(r->skips != NULL && r->skips->target == &c.targets[1] && r->skips->next == NULL);
  CHECK_SLICE(slice_text(health_why_name(r->skips->why)), "ejected");
  CHECK_INT(r->skips->left_ms, 10000);
  CHECK(r->plan[0] == &c.targets[0] && r->plan[1] == &c.targets[1]); /* what was planned stays readable */
  arena_done(&r->arena);
  now_ns += 10 * S;
  CHECK_SLICE(slice_text(taken(&c)), "abcd"); /* its probe */
  gather(&c);
}

TEST(more_than_the_share_left_out_is_panic) {
  struct cards c;
  deal(&c, "panic", 4);
  eject(&c, 0);
  eject(&c, 1);
  CHECK_SLICE(slice_text(taken(&c)), "cdab"); /* half: not more than half */
  eject(&c, 2);
  CHECK_SLICE(slice_text(taken(&c)), "abcd");
  c.config.panic_ppm = 1000000;
  CHECK_SLICE(slice_text(taken(&c)), "dabc");
  eject(&c, 3);
  CHECK_SLICE(slice_text(taken(&c)), "abcd"); /* never nobody */
  gather(&c);
}

TEST(a_single_target_is_always_tried) {
  struct cards c;
  deal(&c, "single", 1);
  eject(&c, 0);
  CHECK_SLICE(slice_text(taken(&c)), "a");
  struct request *r = plan(&c);
  struct health_claim claim;
  r->route = NULL; /* named directly */
  CHECK(health_next(r, now_ns, &claim) == &c.targets[0]);
  CHECK(r->skips == NULL);
  arena_done(&r->arena);
  gather(&c);
}

TEST(who_has_no_key_left_is_dropped_unless_nobody_else_is_there) {
  struct cards c;
  deal(&c, "dropped", 3);
  ends(&c, 1, FAILURE_QUOTA, 402);
  CHECK(look(&c, 1) == HEALTH_KEYS_BENCHED);
  CHECK_SLICE(slice_text(taken(&c)), "ac");
  c.config.panic_ppm = 1000000;
  ends(&c, 2, FAILURE_QUOTA, 402);
  for (unsigned i = 0; i < KEYS; i++) ends(&c, 0, FAILURE_AUTH, 401);
  CHECK_SLICE(slice_text(taken(&c)), "abc");
  gather(&c);
}

TEST(active_checks_that_fail_leave_the_provider_out) {
  struct cards c;
  deal(&c, "checks", 2);
  atomic_store(&c.providers[0].state->down, true);
  CHECK(look(&c, 0) == HEALTH_CHECKS_FAIL);
  CHECK_SLICE(slice_text(taken(&c)), "ba");
  gather(&c);
}

TEST(a_request_goes_on_with_another_key_of_the_same_target) {
  struct cards c;
  struct health_claim claim;
  deal(&c, "rotate", 2);
  struct request *r = plan(&c);
  CHECK(health_next(r, now_ns, &claim) == &c.targets[0]);
  for (unsigned i = 0; i < KEYS; i++) {
    struct attempt a = {.target = &c.targets[0],
                        .claim = claim,
                        .key_index = claim.key_index,
                        .status = 401,
                        .failure = FAILURE_AUTH,
                        .phase = ATTEMPT_FAILED,
                        .started_ns = now_ns,
                        .ended_ns = now_ns};
    health_record(&a);
    health_rotate(r, &a, now_ns);
    struct target *next = health_next(r, now_ns, &claim);
    CHECK(next == (i + 1 < KEYS ? &c.targets[0] : &c.targets[1]));
  }
  arena_done(&r->arena);
  /* What is not the key's fault does not. */
  r = plan(&c);
  health_next(r, now_ns, &claim);
  struct attempt other = {.target = &c.targets[0], .failure = FAILURE_SERVER_ERROR};
  health_rotate(r, &other, now_ns);
  CHECK(r->plan_next == r->plan_count || r->plan[r->plan_next] == &c.targets[1]);
  arena_done(&r->arena);
  gather(&c);
}

/* ---- how long targets let one wait */

TEST(the_wait_rises_at_once_and_fades_with_time) {
  struct target_state *s = target_state_of(SLICE("wait/m"));
  CHECK_INT(target_wait_us(s, now_ns), 0);
  target_record_wait(s, 100000, now_ns);
  CHECK_INT(target_wait_us(s, now_ns), 100000);
  target_record_wait(s, 1000000, now_ns);
  CHECK_INT(target_wait_us(s, now_ns), 1000000); /* a peak counts whole */
  target_record_wait(s, 100000, now_ns);
  CHECK(target_wait_us(s, now_ns) > 990000); /* at the same moment a short one hardly weighs */
  uint32_t after_10_s = target_wait_us(s, now_ns + 10 * S), after_30_s = target_wait_us(s, now_ns + 30 * S);
  CHECK(after_10_s > 340000 && after_10_s < 400000);
  CHECK(after_30_s < 100000 && after_30_s > 0);
  target_record_wait(s, 100000, now_ns + 30 * S); /* healed: the old peak is all but forgotten */
  CHECK(target_wait_us(s, now_ns + 30 * S) < 180000);
  CHECK(target_wait_us(s, now_ns + 100000 * S) > 0); /* known once stays known */
}

UNIT_MAIN()
