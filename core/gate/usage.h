/* usage: tokens of one answer, counted one way whatever the provider's way, and what they cost. Plain values; any
 * thread. Prices are integers, pico-US-dollars a token ($1 per million tokens = 1,000,000), so every sum is exact. */
#ifndef MOONGATE_GATE_USAGE_H
#define MOONGATE_GATE_USAGE_H

#include <stdbool.h>
#include <stdint.h>

enum usage_source { USAGE_NONE, USAGE_PROVIDER, USAGE_ESTIMATED };

struct usage {
  uint64_t input_tokens;          /* all of them, cached ones included */
  uint64_t cache_read_tokens;     /* of input */
  uint64_t cache_write_tokens;    /* of input; written to the 5-minute cache */
  uint64_t cache_write_1h_tokens; /* of input; written to the 1-hour cache */
  uint64_t output_tokens;         /* all of them, reasoning included */
  uint64_t reasoning_tokens;      /* of output */
  enum usage_source source;
};

struct price {
  uint64_t input, output, cache_read, cache_write, cache_write_1h; /* pico-USD a token */
  const char *date;   /* "2026-11-01": since when it holds, as far as the source tells */
  const char *source; /* where it was read */
};

/* Whole cost in pico-USD. Saturates at INT64_MAX (nine million dollars). price NULL → 0. */
int64_t usage_cost_pico_usd(const struct usage *u, const struct price *p);

#endif
