/* breaker: see the header for its states. Any thread. */
#include "gate/health/breaker.h"

static uint64_t length_ns(uint32_t streak, const struct breaker_times *times) {
  uint64_t ms = (uint64_t)times->base_ms << (streak < 20 ? streak : 20);
  if (ms < times->at_least_ms) ms = times->at_least_ms;
  if (ms > times->max_ms) ms = times->max_ms > times->base_ms ? times->max_ms : times->base_ms;
  return ms * 1000000;
}

enum breaker_state breaker_look(const struct breaker *b, uint64_t now_ns) {
  uint64_t until_ns = atomic_load_explicit(&b->until_ns, memory_order_relaxed);
  if (until_ns == 0) return BREAKER_CLOSED;
  if (now_ns < until_ns) return BREAKER_OPEN;
  return atomic_load_explicit(&b->probed, memory_order_relaxed) ? BREAKER_PROBED : BREAKER_HALF_OPEN;
}

enum breaker_state breaker_claim(struct breaker *b, uint64_t now_ns) {
  enum breaker_state seen = breaker_look(b, now_ns);
  if (seen != BREAKER_HALF_OPEN) return seen;
  uint32_t nobody = 0;
  if (!atomic_compare_exchange_strong(&b->probed, &nobody, 1)) return BREAKER_PROBED;
  /* Another probe may have ended between the look and the claim. */
  uint64_t until_ns = atomic_load(&b->until_ns);
  if (until_ns != 0 && now_ns >= until_ns) return BREAKER_HALF_OPEN;
  breaker_release(b);
  return until_ns == 0 ? BREAKER_CLOSED : BREAKER_OPEN;
}

bool breaker_open(struct breaker *b, uint64_t now_ns, const struct breaker_times *times) {
  uint64_t until_ns = atomic_load(&b->until_ns);
  if (until_ns != 0 || times->base_ms == 0) return false;
  atomic_store(&b->since_ns, now_ns);
  if (!atomic_compare_exchange_strong(&b->until_ns, &until_ns, now_ns + length_ns(atomic_load(&b->streak), times)))
    return false;
  atomic_fetch_add(&b->streak, 1);
  atomic_fetch_add(&b->openings, 1);
  return true;
}

bool breaker_reopen(struct breaker *b, uint64_t now_ns, const struct breaker_times *times) {
  if (atomic_load(&b->until_ns) == 0) return false;
  atomic_store(&b->since_ns, now_ns);
  atomic_store(&b->until_ns, now_ns + length_ns(atomic_fetch_add(&b->streak, 1), times));
  atomic_fetch_add(&b->openings, 1);
  return true;
}

void breaker_close(struct breaker *b) {
  atomic_store(&b->streak, 0);
  atomic_store(&b->until_ns, 0);
}

void breaker_release(struct breaker *b) {
  atomic_store(&b->probed, 0);
}

uint32_t breaker_left_ms(const struct breaker *b, uint64_t now_ns) {
  uint64_t until_ns = atomic_load_explicit(&b->until_ns, memory_order_relaxed);
  return until_ns <= now_ns ? 0 : (uint32_t)((until_ns - now_ns + 999999) / 1000000);
}
