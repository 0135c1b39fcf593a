/* When a request is hedged and how often: the recent times of a target, and the budget of a route. What becomes of two
 * attempts is shown with the whole binary (tests/flow/hedge_flow.lua). */
#include "gate/attempt/hedge.h"

#include <pthread.h>

#include "check.h"

#define SECOND UINT64_C(1000000000)

static const uint64_t now_ns = 5000 * SECOND;

static uint32_t p95(const struct recent *r, uint64_t at_ns) {
  return recent_quantile_us(r, RECENT_P95, at_ns);
}

/* ---- recent times ------------------------------------------------------------------------------------------- */

TEST(nothing_is_known_of_fewer_than_twenty) {
  static struct recent r;
  CHECK_INT(p95(&r, now_ns), 0);
  for (unsigned i = 1; i < RECENT_LEAST; i++) recent_add(&r, 1000 * i, now_ns);
  CHECK_INT(p95(&r, now_ns), 0);
  recent_add(&r, 20000, now_ns);
  CHECK_INT(p95(&r, now_ns), 19000);
  CHECK_INT(recent_quantile_us(&r, RECENT_P90, now_ns), 18000);
  CHECK_INT(recent_quantile_us(&r, RECENT_P99, now_ns), 20000);
}

TEST(quantiles_are_exact_whatever_the_order) {
  static struct recent r;
  for (unsigned i = 0; i < 244; i++) recent_add(&r, (i * 101) % 244 + 1, now_ns); /* 1 … 244, shuffled */
  CHECK_INT(recent_quantile_us(&r, RECENT_P90, now_ns), 220);
  CHECK_INT(p95(&r, now_ns), 232);
  CHECK_INT(recent_quantile_us(&r, RECENT_P99, now_ns), 242);
}

TEST(only_the_last_256_count) {
  static struct recent r;
  for (unsigned i = 0; i < 300; i++) recent_add(&r, 9000000, now_ns);
  CHECK_INT(p95(&r, now_ns), 9000000);
  for (unsigned i = 0; i < RECENT_TIMES + RECENT_STEP; i++) recent_add(&r, 10, now_ns);
  CHECK_INT(p95(&r, now_ns), 10);
}

TEST(what_is_older_than_ten_minutes_counts_no_more) {
  static struct recent r;
  for (unsigned i = 0; i < RECENT_LEAST; i++) recent_add(&r, 7000, now_ns);
  CHECK_INT(p95(&r, now_ns + (RECENT_SECONDS - 1) * SECOND), 7000);
  uint64_t later_ns = now_ns + RECENT_SECONDS * SECOND;
  CHECK_INT(p95(&r, later_ns), 0);
  /* The old ones are not taken for new ones either. */
  for (unsigned i = 0; i < RECENT_STEP; i++) recent_add(&r, 3000, later_ns);
  CHECK_INT(p95(&r, later_ns), 0);
  for (unsigned i = 0; i < RECENT_STEP; i++) recent_add(&r, 3000, later_ns);
  CHECK_INT(p95(&r, later_ns), 3000);
}

TEST(a_time_that_does_not_fit_is_the_longest_there_is) {
  static struct recent r;
  for (unsigned i = 0; i < RECENT_LEAST; i++) recent_add(&r, UINT64_MAX / 2, now_ns);
  CHECK_INT(p95(&r, now_ns), UINT32_MAX);
}

/* ---- the budget --------------------------------------------------------------------------------------------- */

TEST(five_percent_are_one_hedge_in_twenty_requests) {
  struct hedge_budget *b = hedge_budget_of("twenty");
  CHECK(!hedge_budget_take(b, 0));
  unsigned hedges = 0;
  for (unsigned requests = 1; requests <= 200; requests++) {
    hedge_budget_earn(b, 50000, 0);
    while (hedge_budget_take(b, 0)) hedges++;
    CHECK_INT(hedges, requests / 20);
  }
}

static unsigned hedges_after(const char *route, unsigned requests, uint32_t share_ppm) {
  struct hedge_budget *b = hedge_budget_of(route);
  for (unsigned i = 0; i < requests; i++) hedge_budget_earn(b, share_ppm, 0);
  unsigned hedges = 0;
  while (hedge_budget_take(b, 0)) hedges++;
  return hedges;
}

TEST(credit_for_calls_is_kept_of_200_requests) {
  CHECK_INT(hedges_after("kept", 5000, 50000), 10);
  CHECK_INT(hedges_after("all", 5000, 1000000), 200);
  CHECK_INT(hedges_after("few", 999, 1000), 0);
  CHECK_INT(hedges_after("few", 1, 1000), 1);
  CHECK_INT(hedges_after("few", 5000, 1000), 1);
}

TEST(a_route_has_one_budget_whoever_asks) {
  struct hedge_budget *b = hedge_budget_of("same");
  CHECK(hedge_budget_of("same") == b);
  CHECK(hedge_budget_of("other") != b);
}

TEST(prompts_cost_their_share_too) {
  struct hedge_budget *b = hedge_budget_of("cost");
  const int64_t small = 1000000007, large = 50 * small;
  for (unsigned i = 0; i < 40; i++) hedge_budget_earn(b, 50000, small); /* 5 % of 40: two small ones, two calls */
  CHECK(!hedge_budget_take(b, large));
  CHECK(hedge_budget_take(b, small)); /* the call that was refused was given back */
  CHECK(hedge_budget_take(b, small - 100));
  hedge_budget_give_back(b, small - 100);
  CHECK(hedge_budget_take(b, small - 100));
  CHECK(!hedge_budget_take(b, 0));
}

TEST(a_fortune_does_not_overflow) {
  struct hedge_budget *b = hedge_budget_of("fortune");
  for (unsigned i = 0; i < 100; i++) hedge_budget_earn(b, 1000000, INT64_MAX);
  CHECK(hedge_budget_take(b, INT64_MAX / 2));
  CHECK(!hedge_budget_take(b, INT64_MAX));
}

enum { THREADS = 4, REQUESTS = 20000 };

static void *spend(void *counts) {
  struct hedge_budget *b = hedge_budget_of("threads");
  for (unsigned i = 0; i < REQUESTS; i++) {
    hedge_budget_earn(b, 50000, 1000);
    if (hedge_budget_take(b, 1000)) ++*(unsigned *)counts;
  }
  return NULL;
}

TEST(threads_that_ask_at_once_never_overshoot) {
  pthread_t threads[THREADS];
  unsigned counts[THREADS] = {0}, all = 0;
  for (unsigned i = 0; i < THREADS; i++) CHECK_INT(pthread_create(&threads[i], NULL, spend, &counts[i]), 0);
  for (unsigned i = 0; i < THREADS; i++) CHECK_INT(pthread_join(threads[i], NULL), 0);
  for (unsigned i = 0; i < THREADS; i++) all += counts[i];
  CHECK_INT(all, THREADS * REQUESTS / 20);
}

UNIT_MAIN()
