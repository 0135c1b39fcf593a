/* key_state: what the process knows of a provider's key: whether the provider refuses it, and until when. A state is
 * found by what the key is and where it is used, so it outlives reloads; each config that has the key holds it once.
 * Holding and letting go take a lock; what is read and written on the way of a request are atomics.
 *
 * It never keeps the key: only a digest with a secret of this process. */
#ifndef MOONGATE_GATE_KEY_STATE_H
#define MOONGATE_GATE_KEY_STATE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/bytes.h"
#include "gate/health/breaker.h"

struct key_state {
  struct breaker breaker;          /* closed: not benched */
  _Atomic uint64_t rests_until_ns; /* its rate limit is used up: other keys first */
  _Atomic uint64_t good_ns;        /* when it was last seen to work; to about a second */
  char *provider, *label;          /* for metrics; the pair is unique among those that are held */
  unsigned char digest[32];
  uint32_t holders; /* under the lock */
  struct key_state *next;
};

/* key: its bytes, empty for a provider that asks for none; label: "env NAME". */
struct key_state *key_state_hold(const char *provider, const char *base_url, struct slice key, const char *label);
void key_state_let_go(struct key_state *s); /* NULL is fine */
/* Calls `each` for every state that is held, in a lock: it must not wait. */
void key_state_each(void (*each)(void *owner, const struct key_state *s), void *owner);

#endif
