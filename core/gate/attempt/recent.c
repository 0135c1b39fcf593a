/* recent: see the header. Any thread. Two that find the quantiles at the same moment may each store some of theirs:
 * both are of now. */
#include "gate/attempt/recent.h"

#include <stdbool.h>
#include <stdlib.h>

#define SECOND_NS UINT64_C(1000000000)

const char *const recent_quantile_names[RECENT_QUANTILES] = {"p90", "p95", "p99"};

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static void find_quantiles(struct recent *r, uint32_t now_s) {
  static const unsigned percent[RECENT_QUANTILES] = {90, 95, 99};
  uint32_t sorted[RECENT_TIMES];
  unsigned count = 0;
  for (unsigned i = 0; i < RECENT_TIMES; i++) {
    uint64_t word = atomic_load_explicit(&r->times[i], memory_order_relaxed);
    if (word != 0 && (word >> 32) + RECENT_SECONDS > now_s) sorted[count++] = (uint32_t)word;
  }
  bool enough = count >= RECENT_LEAST;
  if (enough) qsort(sorted, count, sizeof *sorted, by_size);
  for (unsigned q = 0; q < RECENT_QUANTILES; q++) {
    unsigned rank = (count * percent[q] + 99) / 100;
    atomic_store_explicit(&r->quantiles_us[q], enough ? sorted[rank - 1] : 0, memory_order_relaxed);
  }
  atomic_store_explicit(&r->until_s, now_s + RECENT_SECONDS, memory_order_relaxed);
}

void recent_add(struct recent *r, uint64_t took_us, uint64_t now_ns) {
  uint32_t now_s = (uint32_t)(now_ns / SECOND_NS), us = took_us > UINT32_MAX ? UINT32_MAX : (uint32_t)took_us;
  uint64_t before = atomic_fetch_add_explicit(&r->added, 1, memory_order_relaxed);
  uint64_t word = (uint64_t)now_s << 32 | (us > 0 ? us : 1);
  atomic_store_explicit(&r->times[before % RECENT_TIMES], word, memory_order_relaxed);
  if (before + 1 >= RECENT_LEAST && (before + 1 - RECENT_LEAST) % RECENT_STEP == 0) find_quantiles(r, now_s);
}

uint32_t recent_quantile_us(const struct recent *r, enum recent_quantile q, uint64_t now_ns) {
  if (now_ns / SECOND_NS >= atomic_load_explicit(&r->until_s, memory_order_relaxed)) return 0;
  return atomic_load_explicit(&r->quantiles_us[q], memory_order_relaxed);
}
