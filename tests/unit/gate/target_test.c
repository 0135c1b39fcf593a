/* target: states are found by name, shared, and limited in number. */
#include "gate/attempt/target.h"

#include <pthread.h>
#include <stdio.h>

#include "check.h"

TEST(a_name_has_one_state) {
  struct target_state *s = target_state_of(SLICE("p/m"));
  CHECK(s != NULL);
  CHECK_SLICE(slice_text(s->name), "p/m");
  CHECK(target_state_of(SLICE("p/m")) == s);
  CHECK(target_state_of(SLICE("p/m2")) != s);
  CHECK(target_state_of(SLICE("p/")) != s);
  CHECK(target_state_of(SLICE("")) != s);
}

struct finder {
  struct target_state *found[512];
};

static void *find_all(void *owner) {
  struct finder *f = owner;
  for (unsigned i = 0; i < 512; i++) {
    char name[32];
    int len = snprintf(name, sizeof name, "race/%u", i);
    f->found[i] = target_state_of(slice_of(name, (size_t)len));
  }
  return NULL;
}

TEST(threads_that_meet_get_the_same_state) {
  static struct finder finders[4];
  pthread_t threads[4];
  for (unsigned i = 0; i < 4; i++) pthread_create(&threads[i], NULL, find_all, &finders[i]);
  for (unsigned i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  for (unsigned i = 0; i < 512; i++)
    for (unsigned k = 1; k < 4; k++) CHECK(finders[k].found[i] == finders[0].found[i]);
}

TEST(when_there_are_too_many_they_share_one) {
  char name[32];
  for (unsigned i = 0; i < TARGET_STATES_MAX + 100; i++) {
    int len = snprintf(name, sizeof name, "p/many-%u", i);
    target_state_of(slice_of(name, (size_t)len));
  }
  struct target_state *other = target_state_of(SLICE("p/one-more"));
  CHECK_SLICE(slice_text(other->name), "other");
  CHECK(target_state_of(SLICE("p/another")) == other);
  CHECK_SLICE(slice_text(target_state_of(SLICE("p/many-7"))->name), "p/many-7"); /* known ones stay their own */
  unsigned count = 0;
  for (struct target_state *s = target_state_first(); s != NULL; s = s->next) count++;
  CHECK_INT(count, TARGET_STATES_MAX + 1);
}

UNIT_MAIN()
