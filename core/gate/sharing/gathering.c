/* gathering: see the header. */
#include "gate/sharing/gathering.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/must.h"

enum { TABLE_SLOTS = 4096 }; /* a power of two */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct link table[TABLE_SLOTS];

void gathering_lock(void) {
  must(pthread_mutex_lock(&lock) == 0);
}

void gathering_unlock(void) {
  must(pthread_mutex_unlock(&lock) == 0);
}

/* ---- waking ------------------------------------------------------------------------------------------------- */

static void wake(struct audience *a) {
  struct gate *g = a->gate;
  if (a->woken.next != NULL) return;
  bool first = list_empty(&g->woken);
  list_add_last(&g->woken, &a->woken);
  if (first) loop_post(g->loop, coalesce_tell, g, NULL);
}

void gathering_wake_followers(struct gathering *g) {
  for (struct link *at = g->audiences.next; at != &g->audiences; at = at->next) {
    struct audience *a = list_item(at, struct audience, of_gathering);
    if (a->followers > 0) wake(a);
  }
}

/* ---- coming and going --------------------------------------------------------------------------------------- */

static struct gathering *find(const unsigned char key[COALESCE_KEY_BYTES], struct link **slot) {
  uint32_t hash;
  memcpy(&hash, key, sizeof hash);
  struct link *head = *slot = &table[hash & (TABLE_SLOTS - 1)];
  if (head->next == NULL) list_init(head);
  for (struct link *at = head->next; at != head; at = at->next) {
    struct gathering *g = list_item(at, struct gathering, of_table);
    if (memcmp(g->key, key, sizeof g->key) == 0) return g;
  }
  return NULL;
}

static struct gathering *make(const unsigned char key[COALESCE_KEY_BYTES], struct link *slot) {
  struct gathering *g = mem_new(struct gathering);
  memcpy(g->key, key, sizeof g->key);
  shared_answer_init(&g->answer);
  list_init(&g->audiences);
  list_add_last(slot, &g->of_table);
  return g;
}

void gathering_close(struct gathering *g) {
  list_remove(&g->of_table);
  shared_answer_close(&g->answer);
}

static struct audience *audience_at(struct gathering *g, struct gate *gate) {
  for (struct link *at = g->audiences.next; at != &g->audiences; at = at->next) {
    struct audience *a = list_item(at, struct audience, of_gathering);
    if (a->gate == gate) return a;
  }
  struct audience *a = mem_new(struct audience);
  a->gathering = g;
  a->gate = gate;
  list_init(&a->members);
  list_add_last(&g->audiences, &a->of_gathering);
  return a;
}

static void free_if_empty(struct audience *a) {
  struct gathering *g = a->gathering;
  if (a->walks || !list_empty(&a->members)) return;
  must(a->followers == 0 && g->leading != a && g->heir != a);
  list_remove(&a->woken);
  list_remove(&a->of_gathering);
  mem_free(a);
  if (!list_empty(&g->audiences)) return;
  gathering_close(g);
  shared_answer_done(&g->answer);
  buf_done(&g->target);
  mem_free(g);
}

static void lead(struct coalesced *c) {
  struct gathering *g = gathering_of(c);
  c->leads = true;
  c->with[0] = '\0';
  g->leading = c->audience;
  memcpy(g->leader_id, c->request->id, sizeof g->leader_id);
}

void gathering_join(struct coalesced *c, const unsigned char key[COALESCE_KEY_BYTES]) {
  struct link *slot;
  c->reads = true;
  gathering_lock();
  struct gathering *g = find(key, &slot);
  bool is_first = g == NULL;
  if (is_first) g = make(key, slot);
  c->audience = audience_at(g, c->request->gate);
  list_add_last(&c->audience->members, &c->link);
  shared_reader_open(&c->reader, &g->answer);
  g->readers++;
  g->takers++;
  if (is_first) {
    lead(c);
  } else {
    c->audience->followers++;
    memcpy(c->with, g->leader_id, sizeof c->with);
    if (g->paused && g->leading != NULL) wake(g->leading);
  }
  gathering_unlock();
}

void gathering_leave(struct coalesced *c) {
  gathering_lock();
  gathering_stop_reading(c);
  list_remove(&c->link);
  free_if_empty(c->audience);
  gathering_unlock();
}

/* ---- who leads ---------------------------------------------------------------------------------------------- */

static void choose_heir(struct gathering *g) {
  g->heir = NULL;
  for (struct link *at = g->audiences.next; at != &g->audiences && g->heir == NULL; at = at->next) {
    struct audience *a = list_item(at, struct audience, of_gathering);
    if (a->followers > 0) g->heir = a;
  }
  if (g->heir != NULL) wake(g->heir);
  else gathering_close(g);
}

static struct coalesced *take_heir(struct audience *a) {
  if (a->gathering->heir != a) return NULL;
  struct link *at = a->members.next;
  while (!list_item(at, struct coalesced, link)->reads) at = at->next;
  struct coalesced *c = list_item(at, struct coalesced, link);
  c->request->followed_ns += clock_ns() - c->joined_ns;
  a->followers--;
  a->gathering->heir = NULL;
  lead(c);
  return c;
}

static void lead_no_more(struct coalesced *c) {
  c->leads = false;
  gathering_of(c)->leading = NULL;
  if (c->reads) c->audience->followers++; /* from now on it reads like the others */
}

void gathering_answer_ended(struct coalesced *c) {
  lead_no_more(c);
  gathering_close(gathering_of(c));
  gathering_wake_followers(gathering_of(c));
}

void gathering_answer_failed(struct coalesced *c, const struct fault *f, enum outcome outcome) {
  struct gathering *g = gathering_of(c);
  g->outcome = outcome;
  g->next_number = c->request->delivery.next_number;
  shared_answer_fail(&g->answer, f);
  gathering_answer_ended(c);
}

void gathering_hand_over(struct coalesced *c) {
  struct gathering *g = gathering_of(c);
  gathering_stop_reading(c);
  lead_no_more(c);
  g->paused = false;
  choose_heir(g);
}

bool gathering_may_promote(struct gathering *g, const struct attempt *failed) {
  if (failed == NULL || !failure_row(failed->failure)->counts_against_health) return false;
  if (shared_answer_stage(&g->answer) != SHARED_AWAITED || g->promotions >= GATHERING_PROMOTIONS) return false;
  g->promotions++;
  return true;
}

/* ---- who reads ---------------------------------------------------------------------------------------------- */

void gathering_stop_reading(struct coalesced *c) {
  if (!c->reads) return;
  struct gathering *g = gathering_of(c);
  c->reads = false;
  shared_reader_close(&c->reader);
  g->readers--;
  if (!c->full) g->takers--;
  if (c->leads) return;
  if (c->with[0] != '\0') c->request->followed_ns += clock_ns() - c->joined_ns;
  c->audience->followers--;
  if (g->heir == c->audience && g->heir->followers == 0) choose_heir(g);
  if (g->readers > 0 || g->leading == NULL) return;
  gathering_close(g);
  wake(g->leading); /* its client has left, too: nobody waits for what it does */
}

void gathering_set_full(struct coalesced *c, bool full) {
  if (c->full == full || !c->reads) return;
  struct gathering *g = gathering_of(c);
  gathering_lock();
  c->full = full;
  if (full) g->takers--;
  else g->takers++;
  if (!full && g->paused && g->leading != NULL) wake(g->leading);
  gathering_unlock();
}

/* ---- a worker's turn ---------------------------------------------------------------------------------------- */

struct audience *gathering_to_tell(struct gate *g, struct coalesced **heir) {
  gathering_lock();
  struct audience *a = list_empty(&g->woken) ? NULL : list_item(g->woken.next, struct audience, woken);
  if (a != NULL) {
    list_remove(&a->woken);
    a->walks = true;
    *heir = take_heir(a);
    if (!list_empty(&g->woken)) loop_post(g->loop, coalesce_tell, g, NULL); /* one a turn */
  }
  gathering_unlock();
  return a;
}

void gathering_told(struct audience *a) {
  gathering_lock();
  a->walks = false;
  free_if_empty(a);
  gathering_unlock();
}
