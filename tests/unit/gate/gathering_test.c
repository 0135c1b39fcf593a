/* gathering: who leads, who is to lead next, and whom a change wakes; workers are loops that do not run. */
#include "gate/sharing/gathering.h"

#include "check.h"

struct worker {
  struct gate gate;
};

static struct gate *worker_new(struct worker *w) {
  memset(w, 0, sizeof *w);
  w->gate.loop = loop_new();
  list_init(&w->gate.woken);
  return &w->gate;
}

static void worker_done(struct worker *w) {
  CHECK(list_empty(&w->gate.woken));
  loop_free(w->gate.loop);
}

struct client {
  struct request request;
  struct coalesced coalesced;
};

static struct coalesced *join(struct client *c, struct gate *g, const char *id, unsigned char what) {
  unsigned char key[COALESCE_KEY_BYTES] = {what};
  memset(c, 0, sizeof *c);
  c->request.gate = g;
  memcpy(c->request.id, id, strlen(id));
  c->coalesced.request = &c->request;
  gathering_join(&c->coalesced, key);
  return &c->coalesced;
}

/* Whether something of that worker's is to be told; heir: who leads from now on. */
static bool tell(struct gate *g, struct coalesced **heir) {
  *heir = NULL;
  struct audience *a = gathering_to_tell(g, heir);
  if (a != NULL) gathering_told(a);
  return a != NULL;
}

TEST(the_first_leads_and_the_others_follow) {
  struct worker one, two;
  struct gate *a = worker_new(&one), *b = worker_new(&two);
  struct client x, y, z, other;
  CHECK(join(&x, a, "first", 1)->leads);
  CHECK(!join(&y, a, "second", 1)->leads);
  CHECK(!join(&z, b, "third", 1)->leads);
  CHECK(join(&other, b, "another", 2)->leads);
  CHECK_SLICE(slice_text(z.coalesced.with), "first");
  CHECK(gathering_of(&x.coalesced) == gathering_of(&z.coalesced));
  CHECK(gathering_of(&x.coalesced) != gathering_of(&other.coalesced));
  CHECK_INT(gathering_of(&x.coalesced)->readers, 3);
  struct coalesced *members[] = {&x.coalesced, &y.coalesced, &z.coalesced, &other.coalesced};
  gathering_lock();
  gathering_hand_over(&x.coalesced);
  gathering_answer_ended(&other.coalesced);
  gathering_unlock();
  for (unsigned i = 0; i < 4; i++) gathering_leave(members[i]);
  worker_done(&one);
  worker_done(&two);
}

/* The worker that was asked for an heir has none any more: another one is asked. */
TEST(an_heir_that_leaves_passes_it_on) {
  struct worker one, two, three;
  struct gate *a = worker_new(&one), *b = worker_new(&two), *c = worker_new(&three);
  struct client leader, second, third;
  struct coalesced *heir;
  join(&leader, a, "leader", 1);
  join(&second, b, "second", 1);
  join(&third, c, "third", 1);
  gathering_lock();
  gathering_hand_over(&leader.coalesced);
  gathering_unlock();
  CHECK(!leader.coalesced.leads);
  gathering_leave(&leader.coalesced);
  gathering_leave(&second.coalesced);
  CHECK(!tell(a, &heir));
  CHECK(!tell(b, &heir));
  CHECK(tell(c, &heir) && heir == &third.coalesced);
  CHECK(third.coalesced.leads && third.coalesced.with[0] == '\0');
  /* Who comes now follows the new leader. */
  CHECK(!join(&second, a, "late", 1)->leads);
  CHECK_SLICE(slice_text(second.coalesced.with), "third");
  gathering_leave(&second.coalesced);
  gathering_lock();
  gathering_hand_over(&third.coalesced);
  gathering_unlock();
  /* Nobody is left to lead: the next one begins anew. */
  CHECK(join(&second, b, "anew", 1)->leads);
  gathering_leave(&third.coalesced);
  gathering_lock();
  gathering_hand_over(&second.coalesced);
  gathering_unlock();
  gathering_leave(&second.coalesced);
  worker_done(&one);
  worker_done(&two);
  worker_done(&three);
}

TEST(a_leader_without_a_client_is_told_when_the_last_follower_leaves) {
  struct worker one, two;
  struct gate *a = worker_new(&one), *b = worker_new(&two);
  struct client leader, follower, next;
  struct coalesced *heir;
  join(&leader, a, "leader", 1);
  join(&follower, b, "follower", 1);
  gathering_lock();
  gathering_stop_reading(&leader.coalesced);
  gathering_unlock();
  CHECK(!tell(a, &heir));
  gathering_leave(&follower.coalesced);
  CHECK(tell(a, &heir) && heir == NULL);
  CHECK_INT(gathering_of(&leader.coalesced)->readers, 0);
  CHECK(join(&next, b, "next", 1)->leads);
  struct coalesced *both[] = {&leader.coalesced, &next.coalesced};
  for (unsigned i = 0; i < 2; i++) {
    gathering_lock();
    gathering_hand_over(both[i]);
    gathering_unlock();
    gathering_leave(both[i]);
  }
  worker_done(&one);
  worker_done(&two);
}

TEST(a_paused_leader_is_told_when_somebody_takes_more) {
  struct worker one, two;
  struct gate *a = worker_new(&one), *b = worker_new(&two);
  struct client leader, follower;
  struct coalesced *heir;
  join(&leader, a, "leader", 1);
  join(&follower, b, "follower", 1);
  struct gathering *g = gathering_of(&leader.coalesced);
  gathering_set_full(&leader.coalesced, true);
  CHECK_INT(g->takers, 1);
  gathering_set_full(&follower.coalesced, true);
  gathering_set_full(&follower.coalesced, true);
  CHECK_INT(g->takers, 0);
  g->paused = true;
  CHECK(!tell(a, &heir));
  gathering_set_full(&follower.coalesced, false);
  CHECK_INT(g->takers, 1);
  CHECK(tell(a, &heir));
  gathering_lock();
  gathering_answer_ended(&leader.coalesced);
  gathering_unlock();
  CHECK(tell(b, &heir) && heir == NULL);
  CHECK(tell(a, &heir)); /* its own client reads on like the others */
  gathering_leave(&follower.coalesced);
  gathering_leave(&leader.coalesced);
  worker_done(&one);
  worker_done(&two);
}

TEST(two_promotions_and_only_for_what_tells_of_the_provider) {
  struct worker one;
  struct client leader;
  struct attempt failed = {.failure = FAILURE_INVALID};
  join(&leader, worker_new(&one), "leader", 1);
  struct gathering *g = gathering_of(&leader.coalesced);
  CHECK(!gathering_may_promote(g, NULL));
  CHECK(!gathering_may_promote(g, &failed));
  failed.failure = FAILURE_QUOTA;
  CHECK(!gathering_may_promote(g, &failed));
  failed.failure = FAILURE_SERVER_ERROR;
  CHECK(gathering_may_promote(g, &failed));
  CHECK(gathering_may_promote(g, &failed));
  CHECK(!gathering_may_promote(g, &failed));
  g->promotions = 0;
  shared_answer_begin(&g->answer, 200, false, SLICE(""));
  CHECK(!gathering_may_promote(g, &failed));
  gathering_lock();
  gathering_answer_ended(&leader.coalesced);
  gathering_unlock();
  gathering_leave(&leader.coalesced);
  worker_done(&one);
}

UNIT_MAIN()
