/* retry_after: when a provider says that it may be asked again, in every form that is in use:
 *
 *   retry-after                  seconds, or an HTTP date in any of its three forms (RFC 9110 10.2.3, 5.6.7)
 *   retry-after-ms               milliseconds, may have a fraction (OpenAI, Azure)
 *   x-ratelimit-reset[-KIND]     "6m0s", "7.66s", "12ms" (OpenAI, Groq), seconds, or a Unix time (OpenRouter)
 *   anthropic-ratelimit-KIND-reset   RFC 3339
 *   in an error's body           Google's RetryInfo ("retryDelay": "34.07s"), or words: "Please try again in 1m2.5s"
 *
 * A limit's reset says something only where that limit is used up: where its own `remaining` is there, it is 0. Pure;
 * any thread. It does not decide whether anybody waits (gate/attempt/retry.h). */
#ifndef MOONGATE_GATE_RETRY_AFTER_H
#define MOONGATE_GATE_RETRY_AFTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum { RETRY_AFTER_LIMITS = 8, RETRY_AFTER_MAX_MS = 24 * 3600 * 1000 };

/* What one answer says. Zeroed: nothing. Slices point into its head. */
struct retry_after {
  bool told;         /* by retry-after or retry-after-ms */
  bool told_exactly; /* by retry-after-ms, which wins */
  bool forbidden;    /* x-should-retry: false */
  uint32_t told_ms;
  unsigned limit_count;
  struct retry_limit {
    struct slice name; /* "requests", "tokens", "input-tokens", "" */
    uint32_t reset_ms;
    bool has_reset, has_remaining, used_up;
  } limits[RETRY_AFTER_LIMITS];
};

/* Takes one header of the answer; others are passed over. wall_ms: now. */
void retry_after_header(struct retry_after *r, struct slice name, struct slice value, int64_t wall_ms);
/* What the headers say; 0: nothing, or at once. Never more than RETRY_AFTER_MAX_MS. */
uint32_t retry_after_ms(const struct retry_after *r);
/* What an error's body says; 0: nothing. text: any bytes. */
uint32_t retry_after_body_ms(struct slice text);
/* "1h2m3.5s", "120ms", "3 seconds": *used bytes of it, rounded up to a millisecond. false: no duration begins there. */
bool retry_after_duration_ms(struct slice text, uint32_t *out, size_t *used);

#endif
