/* config_models: reads adapters/models/NAME.lua for the adapters in use, a price file, and the config's own rows, in
 * that order; later rows win. The loader's thread.
 *
 * It does not read the files of adapters that no provider uses: a model list is parsed once per load, by whom it
 * concerns. */
#include "main/config/config_models.h"

#include <stdio.h>
#include <unistd.h>

#include "main/config/schema.h"
#include "script/plain.h"

struct models {
  struct config *config;
  const char *name, *script_root;
  struct sources *sources;
  struct err *e;
};

/* A file that returns { date =, source =, models = { … } }: lists, never the operator's own word. */
static bool add_file(struct models *m, const char *path, const char *shown) {
  struct value *tree = plain_load(path, m->sources, m->e);
  if (tree == NULL) return false;
  const struct value *rows = value_get(tree, "models"), *date = value_get(tree, "date"),
                     *source = value_get(tree, "source");
  bool whole = rows != NULL && rows->kind == VALUE_TABLE && date != NULL && date->kind == VALUE_TEXT &&
               source != NULL && source->kind == VALUE_TEXT;
  bool fine = whole ? catalogue_add(m->config->catalogue, rows, date->text.ptr, source->text.ptr, false, shown, m->e)
                    : err_set(m->e, "%s:1: must return { date = \"…\", source = \"…\", models = { … } }", shown);
  value_free(tree);
  return fine;
}

static const char *owner_of(const struct adapter *a) {
  return a->catalogue ? a->catalogue : a->name;
}

static bool add_shipped(struct models *m) {
  const struct config *c = m->config;
  for (uint32_t i = 0; i < c->provider_count; i++) {
    const char *owner = owner_of(c->providers[i]->adapter);
    bool before = strchr(owner, '/') != NULL;
    for (uint32_t k = 0; k < i && !before; k++) before = strcmp(owner_of(c->providers[k]->adapter), owner) == 0;
    char path[1024];
    snprintf(path, sizeof path, "%s/adapters/models/%s.lua", m->script_root, owner);
    if (before || access(path, F_OK) != 0) continue;
    if (!add_file(m, path, path + strlen(m->script_root) + 1)) return false;
  }
  return true;
}

/* A path of the config: from the config's own folder, unless it is absolute. */
static bool add_price_file(struct models *m, const struct value *file) {
  char path[1024];
  const char *slash = strrchr(m->name, '/');
  int folder = *file->text.ptr == '/' || slash == NULL ? 0 : (int)(slash - m->name) + 1;
  snprintf(path, sizeof path, "%.*s%s", folder, m->name, file->text.ptr);
  if (access(path, R_OK) != 0)
    return err_set(m->e, "%s:%d: prices: the file \"%s\" cannot be read", m->name, file->line, file->text.ptr);
  return add_file(m, path, path);
}

/* prices = "FILE", or a table of rows in which `file` may name one. */
static bool add_own(struct models *m, const struct value *prices) {
  if (prices == NULL) return true;
  if (prices->kind == VALUE_TEXT) return add_price_file(m, prices);
  if (prices->kind != VALUE_TABLE)
    return prices->kind == VALUE_LIST && prices->count == 0
               ? true
               : err_set(m->e, "%s:%d: prices must be a table of rows, or the path of a price file", m->name,
                         prices->line);
  const struct value *file = value_get(prices, "file");
  if (file != NULL && file->kind != VALUE_TEXT)
    return err_set(m->e, "%s:%d: prices.file must be a string", m->name, file->line);
  if (file != NULL && !add_price_file(m, file)) return false;
  struct value rows = {.kind = VALUE_TABLE, .line = prices->line};
  for (uint32_t i = 0; i < prices->count; i++) { /* all fields but that one, borrowed */
    rows.fields = &prices->fields[i];
    rows.count = 1;
    if (&prices->fields[i].value != file &&
        !catalogue_add(m->config->catalogue, &rows, "", m->name, true, m->name, m->e))
      return false;
  }
  return true;
}

static bool set_unknown(struct models *m, const struct value *tree) {
  const struct value *policy = value_get(tree, "unknown_price"), *flat = value_get(tree, "estimate_price");
  static const struct price_rates usual = {5000000, 25000000, 5000000, 5000000, 5000000, 5000000, 25000000, 25000000};
  m->config->deny_unpriced = policy != NULL && slice_eq(policy->text, SLICE("deny"));
  if (m->config->deny_unpriced) return true;
  if (flat == NULL) {
    catalogue_unknown(m->config->catalogue, &usual);
    return true;
  }
  struct arena arena;
  struct price price;
  struct err why;
  bool priced = false;
  arena_init(&arena);
  bool fine = flat->kind == VALUE_TABLE && price_read(flat, &arena, &price, &priced, &why) && priced;
  if (fine) catalogue_unknown(m->config->catalogue, &price.rates);
  arena_done(&arena);
  arena_drop_spare();
  return fine || err_set(m->e, "%s:%d: estimate_price must be a table like { input = \"5\", output = \"25\" }", m->name,
                         flat->line);
}

bool config_models_load(struct config *c, const struct value *tree, const char *name, const char *script_root,
                        struct sources *sources, struct err *e) {
  struct models m = {c, name, script_root, sources, e};
  c->catalogue = catalogue_new();
  if (!add_shipped(&m) || !add_own(&m, value_get(tree, "prices")) || !set_unknown(&m, tree)) return false;
  for (uint32_t i = 0; i < c->target_count; i++) config_know_target(c, c->targets[i]);
  return true;
}
