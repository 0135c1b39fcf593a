/* timers: see the header. */
#include "io/timers.h"

#include "base/memory.h"

static void place(struct timers *h, uint32_t at, struct timers_place p) {
  h->heap[at] = p;
  p.timer->heap_at = at;
}

static void sift_up(struct timers *h, uint32_t at, struct timers_place p) {
  for (; at > 1 && h->heap[at / 2].key_ns > p.key_ns; at /= 2) place(h, at, h->heap[at / 2]);
  place(h, at, p);
}

static void sift_down(struct timers *h, uint32_t at, struct timers_place p) {
  for (;;) {
    uint32_t child = at * 2;
    if (child > h->count) break;
    if (child < h->count && h->heap[child + 1].key_ns < h->heap[child].key_ns) child++;
    if (h->heap[child].key_ns >= p.key_ns) break;
    place(h, at, h->heap[child]);
    at = child;
  }
  place(h, at, p);
}

static void remove_at(struct timers *h, uint32_t at) {
  h->heap[at].timer->heap_at = 0;
  struct timers_place last = h->heap[h->count--];
  if (at > h->count) return;
  if (at > 1 && h->heap[at / 2].key_ns > last.key_ns) sift_up(h, at, last);
  else sift_down(h, at, last);
}

void timers_done(struct timers *h) {
  mem_free(h->heap);
  *h = (struct timers){0};
}

void timers_set(struct timers *h, struct timer *t, uint64_t due_ns) {
  t->due_ns = due_ns;
  if (t->heap_at != 0) {
    if (due_ns < h->heap[t->heap_at].key_ns) sift_up(h, t->heap_at, (struct timers_place){due_ns, t});
    return;
  }
  if (due_ns == UINT64_MAX) return;
  if (h->count + 2 > h->cap) {
    h->cap = h->cap ? h->cap * 2 : 64;
    h->heap = mem_resize(h->heap, h->cap * sizeof *h->heap);
  }
  h->count++;
  sift_up(h, h->count, (struct timers_place){due_ns, t});
}

void timers_remove(struct timers *h, struct timer *t) {
  t->due_ns = 0;
  if (t->heap_at != 0) remove_at(h, t->heap_at);
}

uint64_t timers_next_ns(const struct timers *h) {
  return h->count > 0 ? h->heap[1].key_ns : UINT64_MAX;
}

struct timer *timers_take_due(struct timers *h, uint64_t now_ns) {
  while (h->count > 0 && h->heap[1].key_ns <= now_ns) {
    struct timer *t = h->heap[1].timer;
    if (t->due_ns <= now_ns) {
      timers_remove(h, t);
      return t;
    }
    if (t->due_ns == UINT64_MAX) {
      remove_at(h, 1);
    } else {
      sift_down(h, 1, (struct timers_place){t->due_ns, t});
    }
  }
  return NULL;
}
