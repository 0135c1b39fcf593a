/* memory_cap: three counters. Any thread. */
#include "gate/admission/memory_cap.h"

#include <stdatomic.h>

#include "base/footprint.h"

enum { LOOK_EVERY_MS = 10, TRIM_EVERY_MS = 1000 };

static _Atomic uint64_t promised_bytes, resident_bytes, pretended_bytes, looked_ns, trimmed_ns;

/* Whether that much time has passed since *at, and nobody else has just seen the same. */
static bool is_due(_Atomic uint64_t *at, uint64_t every_ms, uint64_t now_ns) {
  uint64_t before = atomic_load_explicit(at, memory_order_relaxed);
  if (before != 0 && now_ns < before + every_ms * 1000000) return false;
  return atomic_compare_exchange_strong(at, &before, now_ns);
}

static void look(void) {
  uint64_t pretended = atomic_load(&pretended_bytes);
  atomic_store(&resident_bytes, pretended > 0 ? pretended : footprint_resident_bytes());
}

bool memory_cap_promise(uint64_t cap_bytes, uint64_t bytes, uint64_t now_ns) {
  if (is_due(&looked_ns, LOOK_EVERY_MS, now_ns)) look();
  uint64_t mark = cap_bytes - cap_bytes / 10;
  uint64_t promised = atomic_fetch_add(&promised_bytes, bytes) + bytes;
  if (atomic_load(&resident_bytes) + promised <= mark) return true;
  /* Memory that was freed and not given back is not needed: perhaps that is all. */
  if (is_due(&trimmed_ns, TRIM_EVERY_MS, now_ns)) {
    footprint_trim();
    look();
    if (atomic_load(&resident_bytes) + promised <= mark) return true;
  }
  atomic_fetch_sub(&promised_bytes, bytes);
  return false;
}

void memory_cap_arrived(uint64_t bytes) {
  atomic_fetch_sub(&promised_bytes, bytes);
}

bool memory_cap_exceeded(uint64_t cap_bytes, uint64_t now_ns) {
  if (is_due(&looked_ns, LOOK_EVERY_MS, now_ns)) look();
  return atomic_load(&resident_bytes) > cap_bytes;
}

void memory_cap_pretend(uint64_t bytes) {
  atomic_store(&pretended_bytes, bytes);
  atomic_store(&looked_ns, 0);
}
