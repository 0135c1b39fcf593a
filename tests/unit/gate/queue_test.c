/* queue: who gets a place, in which order, and how long that is said to take. No clock runs here: times are numbers. */
#include "gate/admission/queue.h"

#include "check.h"

enum { SECOND_NS = 1000000000 };

struct fixture {
  struct queue queue;
  struct place process, teams[2], providers[2];
  struct place *both[2];
  struct waiter waiters[16];
};

static void init(struct fixture *f, uint32_t in_flight) {
  memset(f, 0, sizeof *f);
  queue_init(&f->queue);
  atomic_store(&f->process.cap, in_flight);
  for (unsigned i = 0; i < 2; i++) {
    atomic_store(&f->teams[i].cap, PLACES_UNLIMITED);
    atomic_store(&f->providers[i].cap, PLACES_UNLIMITED);
    f->both[i] = &f->providers[i];
  }
}

static struct waiter *enter(struct fixture *f, unsigned number, unsigned team, uint8_t priority) {
  struct waiter *w = &f->waiters[number];
  *w = (struct waiter){.process = &f->process, .team = &f->teams[team], .priority = priority};
  queue_enter(&f->queue, w);
  return w;
}

/* The numbers of the waiters in the order in which they are served when one place comes free after the other. */
static void order(struct fixture *f, char *out) {
  struct waiter *w;
  while ((w = queue_next(&f->queue)) != NULL) {
    *out++ = (char)('a' + (w - f->waiters));
    place_leave(&f->process, SECOND_NS);
    place_leave(w->team, SECOND_NS);
  }
  *out = '\0';
}

TEST(a_place_is_taken_up_to_its_cap) {
  struct place p = {0};
  atomic_store(&p.cap, 2);
  CHECK(place_take(&p) && !place_is_full(&p) && place_take(&p));
  CHECK(place_is_full(&p) && !place_take(&p));
  place_leave(&p, 0);
  CHECK(place_take(&p));
  atomic_store(&p.cap, 1); /* a reload that lowers it: who is in stays in */
  place_leave(&p, 0);
  CHECK(place_is_full(&p) && !place_take(&p));
  place_leave(&p, 0);
  CHECK(place_take(&p));
}

TEST(bytes_are_held_up_to_a_cap) {
  struct place team = {.kind = PLACE_TEAM}, provider = {.kind = PLACE_PROVIDER};
  CHECK(place_hold(&team, UINT64_C(1) << 40)); /* no cap */
  place_drop(&team, UINT64_C(1) << 40);
  atomic_store(&team.bytes_cap, 100);
  CHECK(place_hold(&team, 60) && !place_hold(&team, 41) && place_hold(&team, 40));
  place_add(&team, 500); /* what is here counts, cap or not */
  CHECK(!place_hold(&team, 0));
  place_drop(&team, 540);
  CHECK_INT(atomic_load(&team.bytes), 60);
  CHECK(place_hold(&team, 40));

  atomic_store(&team.cap, 5);
  CHECK(place_take(&team)); /* who comes so far has been counted already */
  atomic_store(&provider.cap, 5);
  atomic_store(&provider.bytes_cap, 100);
  CHECK(place_take(&provider));
  place_add(&provider, 99);
  CHECK(place_take(&provider));
  place_add(&provider, 1);
  CHECK(!place_take(&provider));
  place_leave(&provider, SECOND_NS);
  CHECK_INT(place_memory_wait_ns(&provider), SECOND_NS); /* one holds all of it, nobody waits before */
  provider.waiting = 1;
  CHECK_INT(place_memory_wait_ns(&provider), 2LL * SECOND_NS);
  place_drop(&provider, 100);
  CHECK(place_take(&provider));
}

TEST(who_waits_for_a_provider_whose_memory_is_full_is_told_how_long) {
  struct fixture f;
  init(&f, PLACES_UNLIMITED);
  struct place *only[] = {&f.providers[0]};
  struct waiter w = {.process = &f.process, .team = &f.teams[0], .providers = only, .provider_count = 1};
  f.providers[0].kind = PLACE_PROVIDER;
  atomic_store(&f.providers[0].bytes_cap, 10);
  CHECK(waiter_take(&w));
  CHECK_INT(queue_wait_ns(&w), 0);
  place_add(&f.providers[0], 10);
  atomic_store(&f.providers[0].held_ns, 3LL * SECOND_NS);
  CHECK(!waiter_take(&w));
  CHECK_INT(queue_wait_ns(&w), 3LL * SECOND_NS);
}

TEST(all_that_is_needed_or_nothing) {
  struct fixture f;
  init(&f, 5);
  atomic_store(&f.teams[0].cap, 1);
  struct waiter *w = enter(&f, 0, 0, 5), *second = enter(&f, 1, 0, 5);
  CHECK(queue_next(&f.queue) == w);
  CHECK(queue_next(&f.queue) == NULL);
  CHECK_INT(atomic_load(&f.process.in_use), 1);
  CHECK_INT(atomic_load(&f.queue.waiting), 1);
  place_leave(w->team, 0);
  CHECK(queue_next(&f.queue) == second);
  CHECK_INT(atomic_load(&f.process.in_use), 2);
  CHECK_INT(atomic_load(&f.queue.waiting), 0);
}

TEST(the_first_provider_with_a_place) {
  struct fixture f;
  init(&f, 5);
  for (unsigned i = 0; i < 2; i++) atomic_store(&f.providers[i].cap, 1);
  struct waiter w = {.process = &f.process, .team = &f.teams[0], .providers = f.both, .provider_count = 2};
  CHECK(waiter_take(&w) && w.provider == &f.providers[0]);
  CHECK(waiter_take(&w) && w.provider == &f.providers[1]);
  CHECK(!waiter_take(&w) && w.provider == NULL);
  CHECK_INT(atomic_load(&f.process.in_use), 2);
  CHECK_INT(atomic_load(&f.teams[0].in_use), 2);
}

TEST(who_cannot_be_served_does_not_block_who_can) {
  struct fixture f;
  init(&f, 5);
  atomic_store(&f.teams[0].cap, 1);
  CHECK(place_take(&f.teams[0]));
  enter(&f, 0, 0, 9);
  struct waiter *other = enter(&f, 1, 1, 0);
  CHECK(queue_next(&f.queue) == other);
  CHECK(queue_next(&f.queue) == NULL);
}

TEST(priorities_then_turns_of_teams_then_who_came_first) {
  struct fixture f;
  char seen[17];
  init(&f, 1);
  enter(&f, 0, 0, 5);
  enter(&f, 1, 0, 5);
  enter(&f, 2, 0, 5);
  enter(&f, 3, 1, 5);
  enter(&f, 4, 1, 5);
  enter(&f, 5, 0, 9);
  enter(&f, 6, 1, 0);
  order(&f, seen);
  CHECK_SLICE(slice_text(seen), "fadbecg");
}

TEST(a_team_that_was_away_has_saved_nothing_up) {
  struct fixture f;
  char seen[17];
  init(&f, 1);
  for (unsigned i = 0; i < 8; i++) enter(&f, i, 0, 5);
  order(&f, seen);
  CHECK_SLICE(slice_text(seen), "abcdefgh");
  enter(&f, 0, 0, 5);
  for (unsigned i = 1; i < 4; i++) enter(&f, i, 1, 5);
  enter(&f, 4, 0, 5);
  order(&f, seen);
  CHECK_SLICE(slice_text(seen), "abced");
}

TEST(who_leaves_is_forgotten) {
  struct fixture f;
  char seen[17];
  init(&f, 1);
  enter(&f, 0, 0, 5);
  struct waiter *gone = enter(&f, 1, 0, 5);
  enter(&f, 2, 0, 5);
  queue_leave(&f.queue, gone);
  CHECK_INT(atomic_load(&f.queue.waiting), 2);
  CHECK_INT(f.process.waiting, 2);
  order(&f, seen);
  CHECK_SLICE(slice_text(seen), "ac");
}

TEST(the_last_of_the_lowest_gives_way) {
  struct fixture f;
  init(&f, 1);
  enter(&f, 0, 0, 3);
  struct waiter *last = enter(&f, 1, 0, 3);
  enter(&f, 2, 0, 7);
  CHECK(queue_last_below(&f.queue, 3) == NULL);
  CHECK(queue_last_below(&f.queue, 4) == last);
  CHECK(queue_last_below(&f.queue, 9) == last);
}

TEST(the_wait_is_held_time_over_places) {
  struct fixture f;
  init(&f, 2);
  struct waiter w = {.process = &f.process, .team = &f.teams[0]};
  CHECK_INT(queue_wait_ns(&w), 0);
  CHECK(waiter_take(&w) && waiter_take(&w));
  CHECK_INT(queue_wait_ns(&w), 0); /* nobody has left yet */
  place_leave(&f.process, 4LL * SECOND_NS);
  CHECK_INT(queue_wait_ns(&w), 0); /* there is a place */
  CHECK(place_take(&f.process));
  CHECK_INT(queue_wait_ns(&w), 2LL * SECOND_NS);
  enter(&f, 0, 0, 5);
  CHECK_INT(queue_wait_ns(&w), 4LL * SECOND_NS);
  for (int i = 0; i < 64; i++) { /* it becomes faster, and the measure follows */
    place_leave(&f.process, SECOND_NS);
    CHECK(place_take(&f.process));
  }
  CHECK(queue_wait_ns(&w) < 1.1 * SECOND_NS && queue_wait_ns(&w) >= SECOND_NS);
  place_leave(&f.process, 0);
  CHECK(place_take(&f.process));
  CHECK(queue_wait_ns(&w) >= SECOND_NS); /* what was not used is not measured */
}

TEST(the_nearest_provider_counts) {
  struct fixture f;
  init(&f, PLACES_UNLIMITED);
  for (unsigned i = 0; i < 2; i++) {
    atomic_store(&f.providers[i].cap, 1);
    CHECK(place_take(f.both[i]));
    place_leave(f.both[i], (10LL - 7 * i) * SECOND_NS);
    CHECK(place_take(f.both[i]));
  }
  struct waiter w = {.process = &f.process, .team = &f.teams[0], .providers = f.both, .provider_count = 2};
  CHECK_INT(queue_wait_ns(&w), 3LL * SECOND_NS);
  w.provider_count = 1;
  CHECK_INT(queue_wait_ns(&w), 10LL * SECOND_NS);
}

UNIT_MAIN()
