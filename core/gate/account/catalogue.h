/* catalogue: what is known of models: limits, capabilities, prices. Built by the loader from
 * adapters/models/ADAPTER.lua of the adapters in use, then from the config's `prices`, which win. Immutable once built;
 * any thread. A look-up allocates nothing; a target does it once.
 *
 * It does not say which models exist: a model that is not in it is served all the same, see catalogue_unknown. */
#ifndef MOONGATE_GATE_CATALOGUE_H
#define MOONGATE_GATE_CATALOGUE_H

#include "gate/account/price.h"

enum capability {
  CAN_TOOLS,
  CAN_PARALLEL_TOOLS,
  CAN_IMAGES,
  CAN_PDF,
  CAN_AUDIO,
  CAN_AUDIO_OUTPUT,
  CAN_VIDEO,
  CAN_THINKING,
  CAN_JSON_SCHEMA,
  CAN_PREFILL,
  CAPABILITY_COUNT
};
extern const char *const capability_names[CAPABILITY_COUNT + 1]; /* "tools" …; NULL at the end */

struct model {
  const char *name;                       /* "openai/gpt-5": adapter or provider, and model */
  uint32_t context_tokens, output_tokens; /* prompt and answer at most; 0: not known */
  uint16_t capabilities;                  /* bits 1 << enum capability */
  bool capabilities_known;
  bool priced;
  struct price price; /* when priced */
};

struct catalogue;

struct catalogue *catalogue_new(void);
void catalogue_free(struct catalogue *c);

/* rows: { ["openai/gpt-5-mini"] = { context = 272000, max_output = 128000, can = "tools images", input = "0.25", …,
 * date = "…", source = "…" } }, prices as price_read takes them. Its first part is the name of an adapter, or of a
 * provider. A row of the model "*"
 * stands for every one that has none. date and source of a row, else those given. own:
 * the config's. Of two rows of one name the later counts; what it does not have at all of prices, limits and
 * capabilities stays the earlier one's. */
bool catalogue_add(struct catalogue *c, const struct value *rows, const char *date, const char *source, bool own,
                   const char *file, struct err *e);
/* For models without a price: `estimate` (copied) is counted in its place. NULL, as in a new catalogue: nothing is. */
void catalogue_unknown(struct catalogue *c, const struct price_rates *estimate);

/* By provider name, then by adapter name; a dated model ("gpt-5-mini-2025-08-07", "claude-haiku-4-5-20251001",
 * "mistral-small-latest") falls back to its undated name, then to "*". NULL: not known. */
const struct model *catalogue_find(const struct catalogue *c, struct slice provider, struct slice adapter,
                                   struct slice model);
/* The model's name without a date or -latest behind it; the name itself when there is none. */
struct slice catalogue_undated(struct slice model);
/* m's price, or the estimate; NULL: nobody knows what it costs. m may be NULL. */
const struct price *catalogue_price(const struct catalogue *c, const struct model *m);
size_t catalogue_count(const struct catalogue *c);

#endif
