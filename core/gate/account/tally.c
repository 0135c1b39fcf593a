/* tally: see the header. Any thread. */
#include "gate/account/tally.h"

static uint64_t count_of(uint64_t word) {
  return word & ((UINT64_C(1) << TALLY_COUNT_BITS) - 1);
}

uint64_t tally_sum(const _Atomic uint64_t *ring, unsigned slots, uint64_t slot_ns, unsigned last, uint64_t now_ns) {
  uint64_t sum = 0, number = now_ns / slot_ns;
  for (unsigned i = 0; i < last && i <= number; i++) {
    uint64_t word = atomic_load_explicit(&ring[(number - i) % slots], memory_order_relaxed);
    if (word >> TALLY_COUNT_BITS == number - i) sum += count_of(word);
  }
  return sum;
}

void tally_clear(_Atomic uint64_t *ring, unsigned slots) {
  for (unsigned i = 0; i < slots; i++) atomic_store_explicit(&ring[i], 0, memory_order_relaxed);
}
