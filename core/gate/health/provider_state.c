/* provider_state: the registry, a list that only grows, and its counts. Any thread. */
#include "gate/health/provider_state.h"

#include <pthread.h>

#include "base/memory.h"
#include "gate/account/tally.h"

#define MINUTE_NS UINT64_C(60000000000)
#define QUARTER_NS (15 * MINUTE_NS)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for adding */
static struct provider_state *_Atomic first;

const char *availability_name(enum availability_window w) {
  static const char *const names[] = {"5m", "1h", "24h"};
  return names[w];
}

struct provider_state *provider_state_first(void) {
  return atomic_load_explicit(&first, memory_order_acquire);
}

struct provider_state *provider_state_of(const char *name) {
  pthread_mutex_lock(&lock);
  struct provider_state *s = provider_state_first();
  while (s != NULL && strcmp(s->name, name) != 0) s = s->next;
  if (s == NULL) {
    s = mem_new(struct provider_state);
    s->name = mem_text(name, strlen(name));
    s->next = provider_state_first();
    atomic_store_explicit(&first, s, memory_order_release);
  }
  pthread_mutex_unlock(&lock);
  return s;
}

void provider_state_count(struct provider_state *s, bool succeeded, uint64_t now_ns) {
  tally_add(s->minutes[succeeded], AVAILABILITY_MINUTES, MINUTE_NS, now_ns);
  tally_add(s->quarters[succeeded], AVAILABILITY_QUARTERS, QUARTER_NS, now_ns);
}

static uint64_t count_of(const struct provider_state *s, bool succeeded, enum availability_window w, uint64_t now_ns) {
  if (w == AVAILABILITY_24H)
    return tally_sum(s->quarters[succeeded], AVAILABILITY_QUARTERS, QUARTER_NS, AVAILABILITY_QUARTERS, now_ns);
  unsigned last = w == AVAILABILITY_5M ? 6 : AVAILABILITY_MINUTES;
  return tally_sum(s->minutes[succeeded], AVAILABILITY_MINUTES, MINUTE_NS, last, now_ns);
}

struct availability provider_availability(const struct provider_state *s, enum availability_window w, uint64_t now_ns) {
  return (struct availability){count_of(s, true, w, now_ns), count_of(s, false, w, now_ns)};
}

uint64_t availability_attempts(struct availability a) {
  return a.succeeded + a.failed;
}

double availability_share(struct availability a) {
  uint64_t all = availability_attempts(a);
  return all == 0 ? -1 : (double)a.succeeded / (double)all;
}
