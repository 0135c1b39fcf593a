/* price: what one model costs, and the bill of an answer. Money is integers: pico-US-dollars (10^-12), so that every
 * list price is exact ($0.0375 per million tokens is 37,500 a token). Plain values; any thread.
 *
 * A price has the rates of the standard tier, and steps that replace them: for another service tier, for prompts above
 * so many tokens (then the whole request is paid at the step's rates, as providers bill it), or for both.
 *
 * It does not know which model has which price; that is the catalogue. */
#ifndef MOONGATE_GATE_PRICE_H
#define MOONGATE_GATE_PRICE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/value.h"
#include "gate/account/usage.h"

/* pico-USD a token. */
struct price_rates {
  uint64_t input, output, cache_read, cache_write, cache_write_1h;
  uint64_t audio_input, audio_output;
  uint64_t reasoning; /* of those output tokens that are reasoning */
};

/* pico-USD each; 0: not charged. */
struct price_units {
  uint64_t request, image, second, character, search;
};

struct price_step {
  enum service_tier tier;
  uint32_t above_tokens; /* of the whole prompt; 0: any length */
  struct price_rates rates;
};

struct price {
  struct price_rates rates;       /* standard tier, short prompts */
  const struct price_step *steps; /* by tier, then by above_tokens */
  uint32_t step_count;
  bool own;                        /* from the config's `prices`: counts before what the provider says it charged */
  bool estimate;                   /* the model has no price; this is the configured stand-in */
  const struct price_units *units; /* NULL: tokens only */
  const char *date;   /* "2026-11-01": since when it holds, as far as the source tells; "" for an estimate */
  const char *source; /* where it was read */
};

/* A row of prices: input, output, cache_read, cache_write, cache_write_1h, audio_input, audio_output, reasoning as US
 * dollars per million tokens; per_request, per_image, per_second, per_character, per_search as US dollars each; tables
 * flex, priority and batch of such token prices; in the row and in those tables `above`, a list of
 * { tokens = 200000, input = …, … }. Prices are decimal texts (exact), or numbers.
 *
 * What is left out: cache_read, cache_write, audio_input as input; cache_write_1h as cache_write; audio_output and
 * reasoning as output. In a tier or step it keeps its ratio to that tier's input or output, rounded up.
 *
 * out's steps and units are the arena's. False: e has the reason, without the row's name. *priced: the row has prices.
 */
bool price_read(const struct value *row, struct arena *arena, struct price *out, bool *priced, struct err *e);
/* Is it a key that price_read reads? */
bool price_knows_key(struct slice key);

/* The rates for a prompt of that many tokens. Never NULL. */
const struct price_rates *price_rates_for(const struct price *p, enum service_tier tier, uint64_t input_tokens);

/* Whole cost in pico-USD: a sum of exact products; only seconds are rounded, up to a pico-dollar. Reasoning and audio
 * are parts of the totals and paid once. Saturates at INT64_MAX (nine million dollars). p NULL → 0. A cost that the
 * provider told (usage.cost_told) counts instead, unless the price is the config's own. */
int64_t price_cost_pico_usd(const struct price *p, const struct usage *u);

/* "0.25" dollars per million tokens → pico-USD a token. Up to six decimals; false for anything else. */
bool price_parse(struct slice decimal, uint64_t *pico_usd);
/* A JSON number, exponents too, × 10^places, rounded half up; *exact (may be NULL): nothing was lost. False when it is
 * no number, negative, or does not fit. */
bool price_scale(struct slice number, int places, uint64_t *out, bool *exact);

#endif
