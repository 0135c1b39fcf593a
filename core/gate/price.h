/* price: the price table: provider adapter and model → price, exact. Built from adapters/prices.lua and the config's
 * own `prices`, which win. Immutable once built; any thread. */
#ifndef MOONGATE_GATE_PRICE_H
#define MOONGATE_GATE_PRICE_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/value.h"
#include "gate/usage.h"

struct price_table;

struct price_table *price_table_new(void);
void price_table_free(struct price_table *t);
/* rows: { ["openai/gpt-5-mini"] = { input = "0.25", output = "2", cache_read = "0.025", date = "…", source = "…" } }:
 * US dollars per million tokens, as decimal texts (exact) or numbers. The key's first part is an adapter's name, or a
 * provider's. date and source of the row, else the table's defaults. */
bool price_table_add(struct price_table *t, const struct value *rows, const char *date, const char *source,
                     const char *file, struct err *e);
/* By provider name, then by adapter name; a dated model ("gpt-5-mini-2025-08-07", "claude-haiku-4-5-20251001") falls
 * back to its undated name. NULL: not priced. */
const struct price *price_table_find(const struct price_table *t, struct slice provider, struct slice adapter,
                                     struct slice model);
/* "0.25" dollars per million tokens → pico-USD a token. Up to six decimals; false for anything else. */
bool price_parse(struct slice decimal, uint64_t *pico_usd);

#endif
