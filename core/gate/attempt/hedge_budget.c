/* hedge_budget: see the header. Any thread. */
#include "gate/attempt/hedge_budget.h"

#include <pthread.h>
#include <string.h>

#include "base/memory.h"

enum { MICRO = 1000000 };
#define MOST (UINT64_C(1) << 62) /* more credit than anybody has money */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for adding */
static struct hedge_budget *first;

struct hedge_budget *hedge_budget_of(const char *route) {
  pthread_mutex_lock(&lock);
  struct hedge_budget *b = first;
  while (b != NULL && strcmp(b->name, route) != 0) b = b->next;
  if (b == NULL) {
    b = mem_new(struct hedge_budget);
    b->name = mem_text(route, strlen(route));
    b->next = first;
    first = b;
  }
  pthread_mutex_unlock(&lock);
  return b;
}

static void add(_Atomic uint64_t *credit, uint64_t more, uint64_t most) {
  uint64_t had = atomic_load_explicit(credit, memory_order_relaxed), has;
  do has = had + more < most ? had + more : most;
  while (!atomic_compare_exchange_weak_explicit(credit, &had, has, memory_order_relaxed, memory_order_relaxed));
}

static bool take(_Atomic uint64_t *credit, uint64_t wanted) {
  uint64_t had = atomic_load_explicit(credit, memory_order_relaxed);
  do
    if (had < wanted) return false;
  while (
      !atomic_compare_exchange_weak_explicit(credit, &had, had - wanted, memory_order_relaxed, memory_order_relaxed));
  return true;
}

void hedge_budget_earn(struct hedge_budget *b, uint32_t share_ppm, int64_t cost_pico_usd) {
  uint64_t cost = (uint64_t)cost_pico_usd, calls = (uint64_t)HEDGE_BUDGET_REQUESTS * share_ppm;
  add(&b->calls_micro, share_ppm, calls > MICRO ? calls : MICRO); /* a small share, too, adds up to a call */
  if (cost > MOST) cost = MOST;
  /* In two parts: the product may not fit. */
  if (cost > 0) add(&b->pico_usd, cost / MICRO * share_ppm + cost % MICRO * share_ppm / MICRO, MOST);
}

bool hedge_budget_take(struct hedge_budget *b, int64_t cost_pico_usd) {
  if (!take(&b->calls_micro, MICRO)) return false;
  if (take(&b->pico_usd, (uint64_t)cost_pico_usd)) return true;
  add(&b->calls_micro, MICRO, MOST);
  return false;
}

void hedge_budget_give_back(struct hedge_budget *b, int64_t cost_pico_usd) {
  add(&b->calls_micro, MICRO, MOST);
  add(&b->pico_usd, (uint64_t)cost_pico_usd, MOST);
}
