/* tally: how often something happened lately, in fixed memory: a ring of counters, one for each slot of time. Any
 * thread; no lock, and nothing is lost when a slot begins anew while others count.
 *
 * A counter's word holds the number of its slot of time above the count, so that a stale one is seen to be stale. */
#ifndef MOONGATE_GATE_TALLY_H
#define MOONGATE_GATE_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

enum { TALLY_COUNT_BITS = 40 };

/* Zeroed: nothing happened. The ring has `slots` words, each for slot_ns of time. Inline, because the division by a
 * constant is then a multiplication. */
static inline void tally_add(_Atomic uint64_t *ring, unsigned slots, uint64_t slot_ns, uint64_t now_ns) {
  uint64_t number = now_ns / slot_ns;
  _Atomic uint64_t *word = &ring[number % slots];
  uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
  while (seen >> TALLY_COUNT_BITS < number) {
    uint64_t first = number << TALLY_COUNT_BITS | 1;
    if (atomic_compare_exchange_weak_explicit(word, &seen, first, memory_order_relaxed, memory_order_relaxed)) return;
  }
  /* Of this slot, or of a later one when this thread is late: it counts there. */
  atomic_fetch_add_explicit(word, 1, memory_order_relaxed);
}
/* In the slot that now_ns falls into and the `last - 1` before it; last <= slots. */
uint64_t tally_sum(const _Atomic uint64_t *ring, unsigned slots, uint64_t slot_ns, unsigned last, uint64_t now_ns);
void tally_clear(_Atomic uint64_t *ring, unsigned slots);

#endif
