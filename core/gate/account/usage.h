/* usage: what one answer used, counted one way whatever the provider's way. Plain values; any thread. What it costs is
 * in gate/account/price.h. */
#ifndef MOONGATE_GATE_USAGE_H
#define MOONGATE_GATE_USAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum usage_source { USAGE_NONE, USAGE_PROVIDER, USAGE_ESTIMATED };

/* What the provider served the request as, which may differ from what was asked for. */
enum service_tier { TIER_STANDARD, TIER_FLEX, TIER_PRIORITY, TIER_BATCH, TIER_COUNT };

struct usage {
  uint64_t input_tokens;                           /* all of them, cached ones included */
  uint64_t cache_read_tokens;                      /* of input */
  uint64_t cache_write_tokens;                     /* of input; written to the 5-minute cache */
  uint64_t cache_write_1h_tokens;                  /* of input; written to the 1-hour cache */
  uint64_t audio_input_tokens;                     /* of input */
  uint64_t output_tokens;                          /* all of them, reasoning included */
  uint64_t reasoning_tokens;                       /* of output */
  uint64_t audio_output_tokens;                    /* of output */
  uint64_t images, audio_ms, characters, searches; /* what other endpoints and server tools are paid by */
  uint64_t told_pico_usd;                          /* with cost_told: what the provider says it charged */
  enum usage_source source;
  enum service_tier tier;
  bool cost_told;
};

/* The tier of an answer's service_tier ("flex", "priority", "batch", Gemini's "ON_DEMAND_FLEX"); standard for any other
 * word, and for ptr NULL. word: without quotes. */
enum service_tier service_tier_named(struct slice word);

#endif
