/* prices_import: public price lists as rows of our own, so that prices can be brought up to date without waiting for a
 * release. Three formats are known by what they look like: LiteLLM's model_prices_and_context_window.json (US dollars
 * per token), OpenRouter's /api/v1/models (decimal strings per token) and models.dev's api.json (US dollars per
 * million). Pure; any thread.
 *
 * It does not judge prices: what a list says is taken, or skipped with a reason. */
#ifndef MOONGATE_MAIN_PRICES_IMPORT_H
#define MOONGATE_MAIN_PRICES_IMPORT_H

#include "base/err.h"
#include "base/value.h"

enum { SKIPS_MAX = 16, SKIP_EXAMPLES = 4 };

struct price_skips { /* models that were left out for one reason */
  const char *why;
  unsigned count;
  char examples[SKIP_EXAMPLES][64];
};

struct price_import {
  const char *adapter; /* take only this one's models; NULL: all */
  const char *date;    /* "2026-11-22": models that were retired before are left out */
  struct value *rows;  /* { ["openai/gpt-5"] = { … } }, as catalogue_add takes them, sorted by name */
  const char *format;  /* what the list was */
  struct price_skips skips[SKIPS_MAX];
  unsigned skip_count;
  unsigned rounded; /* prices finer than a pico-dollar a token */
};

/* json: with JSON_PADDING readable bytes behind it. The caller sets adapter and date, and ends it with
 * prices_import_done, also on failure. */
bool prices_import_read(struct price_import *p, struct slice json, struct err *e);
void prices_import_done(struct price_import *p);

/* A file for adapters/models/ or for `prices` in a config: same rows, same bytes. */
void prices_import_write(const struct price_import *p, const char *source, struct buf *out);

#endif
