/* reference_providers: one row an adapter file. Main thread.
 *
 * It says what the files say, not what the providers do: each file tells at its head where its facts come from. */
#include "main/reference_providers.h"

#include <stdio.h>
#include <unistd.h>

#include "base/memory.h"
#include "gate/signer/signer.h"
#include "script/adapter_file.h"
#include "script/load.h"
#include "script/plain.h"

static const char *owner_of(const struct adapter *a) {
  return a->catalogue ? a->catalogue : a->name;
}

static void put_dialects(const struct adapter *a, struct buf *out) {
  buf_fill(out, "`%s`", a->dialect->name);
  for (enum dialect_id i = 0; i < DIALECT_COUNT; i++)
    if (dialect_of(i) != a->dialect && (a->dialects >> i & 1)) buf_fill(out, ", `%s`", dialect_of(i)->name);
}

/* How many rows there are for its models. */
static bool put_models(const struct adapter *a, const char *script_root, struct sources *sources, struct buf *out,
                       struct err *e) {
  char path[1024], any[128];
  snprintf(path, sizeof path, "%s/adapters/models/%s.lua", script_root, owner_of(a));
  if (access(path, F_OK) != 0) {
    buf_text(out, "none");
    return true;
  }
  struct value *tree = plain_load(path, sources, e);
  if (tree == NULL) return false;
  const struct value *rows = value_get(tree, "models"), *date = value_get(tree, "date");
  snprintf(any, sizeof any, "%s/*", owner_of(a));
  if (value_get(rows, any) != NULL) buf_text(out, "all, at nothing");
  else buf_fill(out, "%u, %s", rows ? rows->count : 0, date ? date->text.ptr : "");
  value_free(tree);
  return true;
}

static bool put_row(const char *name, const char *script_root, struct sources *sources, struct buf *out,
                    struct err *e) {
  struct adapter *a = adapter_file_read(script_root, name, sources, e);
  if (a == NULL) return false;
  buf_fill(out, "| `%s` | %s | ", a->name, a->doc ? a->doc : "");
  put_dialects(a, out);
  buf_fill(out, a->base_url ? " | `%s` | " : " | set `base_url` | ", a->base_url);
  if (a->signer != NULL) buf_text(out, "signed");
  else if (a->auth_header != NULL) buf_fill(out, "`%s`", a->auth_header);
  else buf_text(out, "none");
  buf_fill(out, a->environment ? " | `%s` | " : " | – | ", a->environment);
  bool fine = put_models(a, script_root, sources, out, e);
  buf_text(out, " |\n");
  config_free_adapter(a);
  return fine;
}

bool reference_providers(const char *script_root, struct buf *out, struct err *e) {
  if (!load_start(e)) return false;
  load_enter_thread();
  struct sources *sources = sources_new();
  char **names = adapter_file_names(script_root);
  bool fine = true;
  buf_text(
      out,
      "# Providers\n\nOne file each under `adapters/`, named in a config as `adapter` (default: the provider's own "
      "name). A client who speaks one of a provider's dialects is passed through byte for byte; one who speaks "
      "another is translated to the first, for some models to another one, as the file says. The variable turns a "
      "provider on without a config, and gives the key where the config has none. The head of each file says where "
      "its facts come from, and what is not verified; the last column, how many models the catalogue "
      "(`adapters/models/`) has limits, capabilities and prices of, and as of when. Any other server with OpenAI's "
      "API: `openai-compatible`. See [add a provider](../how-to/add-a-provider.md) and "
      "[prices](../how-to/prices.md).\n\n"
      "| adapter | what | dialects | base URL | key header | variable | models |\n"
      "| --- | --- | --- | --- | --- | --- | --- |\n");
  for (char **at = names; *at != NULL; at++) {
    fine = fine && put_row(*at, script_root, sources, out, e);
    mem_free(*at);
  }
  mem_free(names);
  sources_unref(sources);
  load_leave_thread();
  load_stop();
  return fine;
}
