/* target: the process-wide registry of target states. Look-ups take a lock: they happen when a config is built, and
 * once per request that names a target no config knows. */
#include "gate/target.h"

#include <pthread.h>

#include "base/memory.h"
#include "base/must.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct target_state *_Atomic first;
static unsigned count;

struct target_state *target_state_first(void) {
  return atomic_load_explicit(&first, memory_order_acquire);
}

static struct target_state *find(struct slice name) {
  struct target_state *s = atomic_load_explicit(&first, memory_order_relaxed);
  while (s != NULL && !slice_eq(slice_text(s->name), name)) s = s->next;
  return s;
}

struct target_state *target_state_of(struct slice name) {
  pthread_mutex_lock(&lock);
  struct target_state *s = find(name);
  if (s == NULL && count >= TARGET_STATES_MAX) {
    name = SLICE("other");
    s = find(name);
  }
  if (s == NULL) {
    s = mem_new(struct target_state);
    s->name = mem_text(name.ptr, name.len);
    s->next = atomic_load_explicit(&first, memory_order_relaxed);
    atomic_store_explicit(&first, s, memory_order_release);
    count++;
  }
  pthread_mutex_unlock(&lock);
  return s;
}

struct target_meter *target_meter_of(struct target_state *s, unsigned worker) {
  must(worker < METER_WORKERS_MAX);
  struct target_meter *m = atomic_load_explicit(&s->meters[worker], memory_order_relaxed);
  if (m == NULL) {
    m = mem_new(struct target_meter);
    atomic_store_explicit(&s->meters[worker], m, memory_order_release);
  }
  return m;
}

/* An average that weighs the newest value by 1/8. Two workers that meet may lose one value: that is fine here. */
static void average(_Atomic uint32_t *at, uint64_t value) {
  uint32_t old = atomic_load_explicit(at, memory_order_relaxed),
           now = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
  atomic_store_explicit(at, old == 0 ? now : old - old / 8 + now / 8, memory_order_relaxed);
}

void target_record(struct target_state *s, bool failed, uint64_t latency_us, uint64_t first_token_us) {
  uint32_t errors = atomic_load_explicit(&s->error_ppm, memory_order_relaxed);
  errors = errors - errors / 8 + (failed ? 125000 : 0);
  atomic_store_explicit(&s->error_ppm, errors > 1000000 ? 1000000 : errors, memory_order_relaxed);
  if (failed) return;
  if (latency_us > 0) average(&s->latency_us, latency_us);
  if (first_token_us > 0) average(&s->first_token_us, first_token_us);
}
