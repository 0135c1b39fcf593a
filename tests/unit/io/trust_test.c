/* One set of authorities a file and process, for as long as somebody uses it. */
#include "io/trust.h"

#include <pthread.h>

#include "base/must.h"
#include "certificate.h"

TEST(who_takes_the_same_file_shares_what_was_read) {
  struct certificate c, other;
  struct err e;
  certificate_init(&c, "one");
  certificate_init(&other, "two");
  struct trust *first = trust_take(c.chain, &e), *second = trust_take(c.chain, &e);
  struct trust *third = trust_take(other.chain, &e);
  CHECK(first != NULL && first == second && third != NULL && third != first);
  CHECK(trust_store(first) != NULL && trust_store(first) != trust_store(third));
  trust_release(first);
  CHECK(trust_take(c.chain, &e) == second); /* still held */
  trust_release(second);
  trust_release(second);
  trust_release(third);
  certificate_done(&c);
  certificate_done(&other);
}

TEST(a_file_that_changed_is_read_anew_and_the_old_set_stays_with_its_users) {
  struct certificate c;
  struct err e;
  certificate_init(&c, "before");
  struct trust *old = trust_take(c.chain, &e);
  unlink(c.chain); /* a new inode: what certificate tools do */
  certificate_write(&c, "a longer name than before");
  struct trust *new = trust_take(c.chain, &e);
  CHECK(old != NULL && new != NULL &&old != new);
  CHECK(trust_take(c.chain, &e) == new);
  trust_release(new);
  trust_release(new);
  CHECK(trust_store(old) != NULL);
  trust_release(old);
  certificate_done(&c);
}

TEST(the_systems_set_is_shared_too_and_is_not_a_file_s) {
  struct err e;
  struct certificate c;
  certificate_init(&c, "own");
  struct trust *own = trust_take(c.chain, &e);
  struct trust *first = trust_take(NULL, &e), *second = trust_take(NULL, &e);
  CHECK(first != NULL && first == second && first != own);
  trust_release(first);
  trust_release(second);
  trust_release(own);
  certificate_done(&c);
}

TEST(a_file_that_cannot_be_read_is_refused_and_not_remembered) {
  struct certificate c;
  struct err e;
  CHECK(trust_take("/nowhere/ca.pem", &e) == NULL);
  CHECK(strstr(e.text, "cannot read certificates of /nowhere/ca.pem: ") == e.text);
  certificate_init(&c, "later");
  CHECK(trust_take(c.key, &e) == NULL); /* a key, no certificate */
  rename(c.chain, c.key);
  struct trust *t = trust_take(c.key, &e);
  CHECK(t != NULL);
  trust_release(t);
  trust_release(NULL);
  certificate_done(&c);
}

static void *take_often(void *file) {
  struct err e;
  for (int i = 0; i < 200; i++) {
    struct trust *t = trust_take(file, &e);
    must(t != NULL && trust_store(t) != NULL);
    trust_release(t);
  }
  return NULL;
}

TEST(threads_take_and_release_at_the_same_time) {
  struct certificate c;
  pthread_t threads[4];
  certificate_init(&c, "shared");
  for (int i = 0; i < 4; i++) must(pthread_create(&threads[i], NULL, take_often, c.chain) == 0);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  certificate_done(&c);
}

UNIT_MAIN()
