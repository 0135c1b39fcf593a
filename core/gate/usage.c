/* usage: exact cost. Any thread. */
#include "gate/usage.h"

#include <stddef.h>

int64_t usage_cost_pico_usd(const struct usage *u, const struct price *p) {
  if (p == NULL) return 0;
  uint64_t cached = u->cache_read_tokens + u->cache_write_tokens + u->cache_write_1h_tokens;
  uint64_t plain = u->input_tokens > cached ? u->input_tokens - cached : 0;
  unsigned __int128 sum = (unsigned __int128)plain * p->input + (unsigned __int128)u->output_tokens * p->output +
                          (unsigned __int128)u->cache_read_tokens * p->cache_read +
                          (unsigned __int128)u->cache_write_tokens * p->cache_write +
                          (unsigned __int128)u->cache_write_1h_tokens * p->cache_write_1h;
  return sum > INT64_MAX ? INT64_MAX : (int64_t)sum;
}
