/* What follows a failed attempt, decided with made-up times and dice; and the budget that limits it. */
#include "gate/attempt/retry.h"

#include "check.h"
#include "gate/attempt/retry_budget.h"

#define SECOND UINT64_C(1000000000)

static const struct retry_rules two_more = {
    .same_target = 2, .base_ms = 100, .max_ms = 1000, .on = UINT64_C(1) << FAILURE_OVERLOADED};

/* The last target of the plan, with all the time there is. */
static struct retry_case last(enum failure_class failure) {
  return (struct retry_case){
      .failure = failure, .attempts = 1, .tries = 1, .may_repeat = true, .left_ms = UINT64_MAX, .random = 5};
}

static struct retry_case not_last(enum failure_class failure) {
  struct retry_case c = last(failure);
  c.has_next = true;
  return c;
}

static enum retry_step step_of(const struct retry_rules *rules, const struct retry_case *c) {
  return retry_decide(rules, c).step;
}

TEST(by_default_the_next_target_is_asked_at_once_and_the_last_once_more) {
  const struct retry_rules *d = &retry_rules_default;
  for (enum failure_class f = FAILURE_NONE + 1; f < FAILURE_COUNT; f++) {
    struct retry_case with_next = not_last(f), alone = last(f);
    CHECK_INT(step_of(d, &with_next), failure_row(f)->next_target ? RETRY_NEXT : RETRY_GIVE_UP);
    CHECK_INT(retry_decide(d, &with_next).wait_ms, 0);
    bool again = f == FAILURE_CONNECT || f == FAILURE_NO_DESCRIPTOR || f == FAILURE_RESET ||
                 f == FAILURE_RATE_LIMITED || f == FAILURE_OVERLOADED || f == FAILURE_SERVER_ERROR ||
                 f == FAILURE_REQUEST_TIMEOUT;
    CHECK_INT(step_of(d, &alone), again ? RETRY_SAME : RETRY_GIVE_UP);
    alone.tries = 2;
    CHECK_INT(step_of(d, &alone), RETRY_GIVE_UP);
  }
}

TEST(same_target_counts_the_tries_of_each) {
  struct retry_case c = not_last(FAILURE_OVERLOADED);
  CHECK_INT(step_of(&two_more, &c), RETRY_SAME);
  c.tries = c.attempts = 2;
  CHECK_INT(step_of(&two_more, &c), RETRY_SAME);
  c.tries = c.attempts = 3;
  CHECK_INT(step_of(&two_more, &c), RETRY_NEXT);
  c.tries = 1;
  CHECK_INT(step_of(&two_more, &c), RETRY_SAME);
  c.failure = FAILURE_SERVER_ERROR; /* not in `on` */
  CHECK_INT(step_of(&two_more, &c), RETRY_NEXT);
  c.failure = FAILURE_OVERLOADED;
  c.may_repeat = false;
  CHECK_INT(step_of(&two_more, &c), RETRY_NEXT);
  c.has_next = false;
  CHECK_INT(step_of(&two_more, &c), RETRY_GIVE_UP);
}

TEST(attempts_caps_everything) {
  struct retry_rules rules = two_more;
  rules.attempts = 2;
  struct retry_case c = not_last(FAILURE_OVERLOADED);
  c.has_list = true;
  CHECK_INT(step_of(&rules, &c), RETRY_LIST);
  c.attempts = 2;
  CHECK_INT(step_of(&rules, &c), RETRY_GIVE_UP);
}

TEST(backoff_doubles_with_full_jitter) {
  for (uint32_t tries = 1; tries < 40; tries++) {
    uint64_t most = tries < 4 ? 100u << (tries - 1) : tries == 4 ? 800 : 1000, sum = 0;
    CHECK_INT(retry_backoff_ms(&two_more, tries, most), most);
    CHECK_INT(retry_backoff_ms(&two_more, tries, most + 1), 0);
    for (uint64_t draw = 0; draw <= most; draw++) sum += retry_backoff_ms(&two_more, tries, draw);
    CHECK_INT(sum, most * (most + 1) / 2); /* evenly from nothing to the most */
  }
  struct retry_rules none = {.max_ms = 1000};
  CHECK_INT(retry_backoff_ms(&none, 7, UINT64_MAX), 0);
}

TEST(what_the_provider_asks_for_is_waited_for_up_to_the_limits) {
  struct retry_case c = not_last(FAILURE_OVERLOADED);
  c.told_ms = 700;
  struct retry_choice choice = retry_decide(&two_more, &c);
  CHECK_INT(choice.step, RETRY_SAME);
  CHECK_INT(choice.wait_ms, 705);
  c.random = 100;
  CHECK_INT(retry_decide(&two_more, &c).wait_ms, 800); /* never sooner, and not all at the same moment */
  c.told_ms = 1001;
  CHECK_INT(step_of(&two_more, &c), RETRY_NEXT);
  c.told_ms = 700;
  c.left_ms = 750;
  CHECK_INT(retry_decide(&two_more, &c).wait_ms, 700);
  c.left_ms = 700;
  CHECK_INT(step_of(&two_more, &c), RETRY_NEXT);
  c.told_ms = 0;
  c.left_ms = 0;
  CHECK_INT(step_of(&two_more, &c), RETRY_NEXT);
}

TEST(lists_come_first_and_go_on_within) {
  struct retry_case c = not_last(FAILURE_CONTEXT_LENGTH);
  CHECK_INT(step_of(&two_more, &c), RETRY_GIVE_UP);
  c.has_list = true;
  CHECK_INT(step_of(&two_more, &c), RETRY_LIST);
  c.has_list = false;
  c.is_listed = true;
  CHECK_INT(step_of(&two_more, &c), RETRY_NEXT);
  c.has_next = false;
  CHECK_INT(step_of(&two_more, &c), RETRY_GIVE_UP);
}

TEST(names) {
  CHECK_SLICE(slice_text(retry_step_name(RETRY_SAME)), "same_target");
  CHECK_SLICE(slice_text(failure_row(fallback_class(FALLBACK_CONTEXT_LENGTH))->name), "context_length");
  CHECK_SLICE(slice_text(failure_row(fallback_class(FALLBACK_CONTENT_POLICY))->name), "content_policy");
}

/* ---- the budget */

static const struct retry_budget_rules usual = {.share_ppm = 200000, .per_s = 10};

TEST(a_provider_that_fails_every_request_gets_a_fifth_more_and_the_floor) {
  static struct retry_budget b;
  unsigned requests = 0, repeats = 0;
  for (uint64_t ms = 0; ms < 60000; ms += 2) { /* 500 a second for a minute, each wants to be tried again for ever */
    uint64_t now_ns = 100 * SECOND + ms * 1000000;
    retry_budget_request(&b, now_ns);
    requests++;
    for (unsigned tries = 0; tries < 3 && retry_budget_allows(&b, &usual, now_ns); tries++) {
      retry_budget_repeat(&b, now_ns);
      repeats++;
    }
  }
  CHECK(repeats <= requests / 5 + 10 * 70);
  CHECK(repeats >= requests / 5);
}

TEST(credits_are_lost_after_ten_seconds) {
  static struct retry_budget b;
  struct retry_budget_rules share = {.share_ppm = 200000, .per_s = 0};
  uint64_t at = 500 * SECOND;
  CHECK(!retry_budget_allows(&b, &share, at));
  for (unsigned i = 0; i < 5; i++) retry_budget_request(&b, at);
  CHECK(retry_budget_allows(&b, &share, at));
  CHECK(retry_budget_allows(&b, &share, at + 9 * SECOND));
  CHECK(!retry_budget_allows(&b, &share, at + 10 * SECOND));
  retry_budget_repeat(&b, at);
  CHECK(!retry_budget_allows(&b, &share, at));
}

TEST(the_floor_holds_without_traffic_and_nothing_is_nothing) {
  static struct retry_budget b, none;
  struct retry_budget_rules floor = {.per_s = 2}, zero = {0};
  uint64_t at = 900 * SECOND;
  for (unsigned i = 0; i < 20; i++) {
    CHECK(retry_budget_allows(&b, &floor, at));
    retry_budget_repeat(&b, at);
  }
  CHECK(!retry_budget_allows(&b, &floor, at));
  CHECK(retry_budget_allows(&b, &floor, at + 10 * SECOND));
  retry_budget_request(&none, at);
  CHECK(!retry_budget_allows(&none, &zero, at));
}

UNIT_MAIN()
