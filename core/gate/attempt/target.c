/* target: the process-wide registry of target states: a hash table whose chains only grow. Looking up takes no lock;
 * adding does: when a config is built, and for the first request that names a target no config knows.
 *
 * It never removes a state: traces and metrics of drained generations still point to them. */
#include "gate/attempt/target.h"

#include <pthread.h>

#include "base/memory.h"
#include "base/must.h"

enum { BUCKETS = 1024 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for adding */
static struct target_state *_Atomic first;
static struct target_state *_Atomic buckets[BUCKETS];
static _Atomic unsigned count;

struct target_state *target_state_first(void) {
  return atomic_load_explicit(&first, memory_order_acquire);
}

/* FNV-1a. Clients choose the names, but no more than TARGET_STATES_MAX of them can meet in one bucket. */
static struct target_state *_Atomic *bucket_of(struct slice name) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < name.len; i++) hash = (hash ^ (unsigned char)name.ptr[i]) * 16777619u;
  return &buckets[(hash ^ hash >> 16) % BUCKETS];
}

/* NULL: to be added. */
static struct target_state *find(struct slice name) {
  struct target_state *s = atomic_load_explicit(bucket_of(name), memory_order_acquire);
  while (s != NULL && (s->name_len != name.len || memcmp(s->name, name.ptr, name.len) != 0)) s = s->next_in_bucket;
  return s;
}

static struct target_state *add(struct slice name) {
  struct target_state *s = mem_new(struct target_state);
  struct target_state *_Atomic *bucket = bucket_of(name);
  s->name = mem_text(name.ptr, name.len);
  s->name_len = (uint32_t)name.len;
  s->next = atomic_load_explicit(&first, memory_order_relaxed);
  s->next_in_bucket = atomic_load_explicit(bucket, memory_order_relaxed);
  atomic_store_explicit(&first, s, memory_order_release);
  atomic_store_explicit(bucket, s, memory_order_release);
  atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
  return s;
}

struct target_state *target_state_of(struct slice name) {
  struct target_state *s = find(name);
  if (s != NULL) return s;
  if (atomic_load_explicit(&count, memory_order_relaxed) >= TARGET_STATES_MAX) {
    name = SLICE("other");
    s = find(name);
    if (s != NULL) return s;
  }
  pthread_mutex_lock(&lock);
  s = find(name); /* somebody else may have added it meanwhile */
  if (s == NULL) s = add(name);
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

/* e^-x for x >= 0, to some percent. */
static double fading(double x) {
  return 1 / (1 + x + x * x / 2 + x * x * x / 6);
}

static double faded(const struct target_state *s, uint64_t now_ns, double *left) {
  uint64_t at_ns = atomic_load_explicit(&s->wait_at_ns, memory_order_relaxed);
  *left = fading(now_ns > at_ns ? (double)(now_ns - at_ns) / 1e10 : 0);
  return *left * atomic_load_explicit(&s->wait_us, memory_order_relaxed);
}

uint32_t target_wait_us(const struct target_state *s, uint64_t now_ns) {
  double left;
  uint32_t now = (uint32_t)faded(s, now_ns, &left);
  return now > 0 || atomic_load_explicit(&s->wait_us, memory_order_relaxed) == 0 ? now : 1;
}

void target_record_wait(struct target_state *s, uint64_t wait_us, uint64_t now_ns) {
  double left, old = faded(s, now_ns, &left), value = wait_us > 0 ? (double)wait_us : 1;
  if (value < old) value = old * left + value * (1 - left);
  if (value > UINT32_MAX) value = UINT32_MAX;
  atomic_store_explicit(&s->wait_us, (uint32_t)value, memory_order_relaxed);
  atomic_store_explicit(&s->wait_at_ns, now_ns, memory_order_relaxed);
}
