/* queue: ten lists by tag. See the header for whose thread and whose lock. */
#include "gate/admission/queue.h"

#include <stddef.h>

#include "base/must.h"

/* ---- places ------------------------------------------------------------------------------------------------- */

static bool is_heavy(const struct place *p) {
  uint64_t cap = atomic_load_explicit(&p->bytes_cap, memory_order_relaxed);
  return cap > 0 && atomic_load_explicit(&p->bytes, memory_order_relaxed) >= cap;
}

bool place_take(struct place *p) {
  /* A team's bytes are refused where they come in; here it would wait for itself. */
  if (p->kind == PLACE_PROVIDER && is_heavy(p)) return false;
  uint32_t used = atomic_load(&p->in_use);
  while (used < atomic_load(&p->cap))
    if (atomic_compare_exchange_weak(&p->in_use, &used, used + 1)) return true;
  return false;
}

bool place_is_full(const struct place *p) {
  return atomic_load(&p->in_use) >= atomic_load(&p->cap);
}

bool place_hold(struct place *p, uint64_t bytes) {
  uint64_t cap = atomic_load_explicit(&p->bytes_cap, memory_order_relaxed);
  uint64_t held = atomic_fetch_add_explicit(&p->bytes, bytes, memory_order_relaxed) + bytes;
  if (cap == 0 || held <= cap) return true;
  place_drop(p, bytes);
  return false;
}

void place_add(struct place *p, uint64_t bytes) {
  atomic_fetch_add_explicit(&p->bytes, bytes, memory_order_relaxed);
}

void place_drop(struct place *p, uint64_t bytes) {
  must(atomic_fetch_sub_explicit(&p->bytes, bytes, memory_order_relaxed) >= bytes);
}

uint64_t place_memory_wait_ns(const struct place *p) {
  uint32_t used = atomic_load(&p->in_use);
  return atomic_load_explicit(&p->held_ns, memory_order_relaxed) * (p->waiting + 1u) / (used > 0 ? used : 1);
}

void place_leave(struct place *p, uint64_t held_ns) {
  if (held_ns > 0) {
    uint64_t old = atomic_load_explicit(&p->held_ns, memory_order_relaxed);
    atomic_store_explicit(&p->held_ns, old == 0 ? held_ns : old - old / 8 + held_ns / 8, memory_order_relaxed);
  }
  must(atomic_fetch_sub(&p->in_use, 1) > 0);
}

bool waiter_take(struct waiter *w) {
  w->provider = NULL;
  if (!place_take(w->process)) return false;
  if (place_take(w->team)) {
    if (w->provider_count == 0) return true;
    for (uint16_t i = 0; i < w->provider_count; i++) {
      if (!place_take(w->providers[i])) continue;
      w->provider = w->providers[i];
      return true;
    }
    place_leave(w->team, 0);
  }
  place_leave(w->process, 0);
  return false;
}

/* ---- the queue ---------------------------------------------------------------------------------------------- */

void queue_init(struct queue *q) {
  for (unsigned i = 0; i < QUEUE_PRIORITIES; i++) list_init(&q->lines[i]);
}

static void count(struct queue *q, struct waiter *w, int by) {
  atomic_fetch_add(&q->waiting, (uint32_t)by);
  w->process->waiting += (uint32_t)by;
  w->team->waiting += (uint32_t)by;
  for (uint16_t i = 0; i < w->provider_count; i++) w->providers[i]->waiting += (uint32_t)by;
}

void queue_enter(struct queue *q, struct waiter *w) {
  must(w->priority < QUEUE_PRIORITIES);
  w->tag = (w->team->tag > q->tag ? w->team->tag : q->tag) + 1;
  w->team->tag = w->tag;
  struct link *line = &q->lines[w->priority], *at = line->prev;
  while (at != line && list_item(at, struct waiter, link)->tag > w->tag) at = at->prev;
  list_add_last(at->next, &w->link);
  count(q, w, 1);
}

void queue_leave(struct queue *q, struct waiter *w) {
  list_remove(&w->link);
  count(q, w, -1);
}

struct waiter *queue_next(struct queue *q) {
  for (unsigned p = QUEUE_PRIORITIES; p-- > 0;) {
    struct link *line = &q->lines[p];
    for (struct link *at = line->next; at != line; at = at->next) {
      struct waiter *w = list_item(at, struct waiter, link);
      if (place_is_full(w->process)) return NULL;
      if (!waiter_take(w)) continue;
      queue_leave(q, w);
      if (w->tag > q->tag) q->tag = w->tag;
      return w;
    }
  }
  return NULL;
}

struct waiter *queue_last_below(struct queue *q, uint8_t priority) {
  for (unsigned p = 0; p < priority; p++)
    if (!list_empty(&q->lines[p])) return list_item(q->lines[p].prev, struct waiter, link);
  return NULL;
}

/* ---- how long ----------------------------------------------------------------------------------------------- */

static uint64_t wait_at(const struct place *p) {
  uint32_t cap = atomic_load(&p->cap);
  if (p->kind == PLACE_PROVIDER && is_heavy(p)) return place_memory_wait_ns(p);
  if (!place_is_full(p) || cap == 0) return 0;
  return atomic_load_explicit(&p->held_ns, memory_order_relaxed) * (p->waiting + 1u) / cap;
}

uint64_t queue_wait_ns(const struct waiter *w) {
  uint64_t process_ns = wait_at(w->process), team_ns = wait_at(w->team), provider_ns = UINT64_MAX;
  for (uint16_t i = 0; i < w->provider_count; i++)
    if (wait_at(w->providers[i]) < provider_ns) provider_ns = wait_at(w->providers[i]);
  uint64_t longest_ns = process_ns > team_ns ? process_ns : team_ns;
  return w->provider_count > 0 && provider_ns > longest_ns ? provider_ns : longest_ns;
}
