/* drill_config: writes the user's tree again, key by key. What a copy must not have is left out by name; all else stays
 * as it was written, so that a key added to the config later is in the copy without a line here. */
#include "main/drill/config.h"

#include "base/value.h"
#include "main/config/config_file.h"
#include "script/load.h"
#include "script/plain.h"

/* Of the whole file: ports, certificates, who may, where traces go. */
static const char *const own_keys[] = {"listen", "admin",       "tls",       "keys",        "workers",   "trace",
                                       "drain",  "drain_delay", "upstreams", "open_access", "providers", NULL};
/* Of a provider: how it is reached, and with what. */
static const char *const own_provider_keys[] = {"base_url", "keys",  "aws",   "ca_file",
                                                "insecure", "proxy", "http2", NULL};

static bool is_one_of(struct slice key, const char *const *names) {
  for (; *names != NULL; names++)
    if (slice_eq(key, slice_text(*names))) return true;
  return false;
}

static void put_text(struct buf *out, struct slice text) {
  buf_byte(out, '"');
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c < 0x20 || c == '"' || c == '\\' || c >= 0x7f) buf_fill(out, "\\%03u", c);
    else buf_byte(out, (char)c);
  }
  buf_byte(out, '"');
}

static void put_key(struct buf *out, struct slice key) {
  uint64_t position;
  buf_byte(out, '[');
  if (slice_to_u64(key, &position)) buf_slice(out, key);
  else put_text(out, key);
  buf_text(out, "] = ");
}

static void put_value(struct buf *out, const struct value *v);

static void put_fields(struct buf *out, const struct value *table, const char *const *left_out) {
  for (uint32_t i = 0; table != NULL && i < table->count; i++) {
    const struct value_field *f = &table->fields[i];
    if (is_one_of(f->key, left_out)) continue;
    put_key(out, f->key);
    put_value(out, &f->value);
    buf_text(out, ",\n");
  }
}

static void put_value(struct buf *out, const struct value *v) {
  static const char *const nothing[] = {NULL};
  switch (v->kind) {
  case VALUE_NIL: buf_text(out, "nil"); break;
  case VALUE_BOOL: buf_text(out, v->boolean ? "true" : "false"); break;
  case VALUE_INTEGER: buf_fill(out, "%lld", (long long)v->integer); break;
  case VALUE_NUMBER: buf_fill(out, "%.17g", v->number); break;
  case VALUE_TEXT: put_text(out, v->text); break;
  case VALUE_SECRET: buf_text(out, "\"drill-secret-that-is-none\""); break;
  case VALUE_LIST:
    buf_byte(out, '{');
    for (uint32_t i = 0; i < v->count; i++) {
      put_value(out, &v->items[i]);
      buf_text(out, ", ");
    }
    buf_byte(out, '}');
    break;
  case VALUE_TABLE:
    buf_text(out, "{\n");
    put_fields(out, v, nothing);
    buf_byte(out, '}');
    break;
  }
}

static void put_credentials(struct buf *out, const struct value *provider) {
  const struct value *keys = value_get(provider, "keys");
  if (keys != NULL && keys->kind == VALUE_LIST) {
    buf_text(out, "keys = { ");
    for (uint32_t i = 0; i < keys->count; i++) buf_fill(out, "\"drill-provider-key-%u\", ", i + 1);
    buf_text(out, "},\n");
  }
  if (value_get(provider, "aws") == NULL) return;
  buf_text(out, "aws = { access_key = \"AKIADRILLDRILLDRILL\", secret_key = \"drill-secret-key-that-is-none\" },\n");
  if (value_get(provider, "region") == NULL) buf_text(out, "region = \"us-east-1\",\n");
}

/* port 0: the user's own base_url stays, for the copy whose paths are read. */
static void put_provider(const struct drill_config *d, const struct value_field *f, unsigned port, struct buf *out) {
  const struct value *base_url = value_get(&f->value, "base_url");
  const struct provider *p = port > 0 ? config_provider(d->config, f->key) : NULL;
  put_key(out, f->key);
  buf_text(out, "{\n");
  put_fields(out, &f->value, own_provider_keys);
  put_credentials(out, &f->value);
  if (p != NULL) {
    buf_fill(out, "base_url = \"http://127.0.0.1:%u/s/provider=", port);
    buf_slice(out, f->key);
    buf_fill(out, "%s\",\n", p->base_path);
  } else if (base_url != NULL) {
    buf_text(out, "base_url = ");
    put_value(out, base_url);
    buf_text(out, ",\n");
  }
  buf_text(out, "},\n");
}

/* The same keys with made-up secrets, so that policies see their names and teams. */
static void put_virtual_keys(const struct value *keys, struct buf *out) {
  static const char *const secret[] = {"key", NULL};
  if (keys == NULL || keys->kind != VALUE_LIST) return;
  buf_text(out, "keys = {\n");
  for (uint32_t i = 0; i < keys->count; i++) {
    buf_text(out, "{ ");
    put_fields(out, &keys->items[i], secret);
    buf_fill(out, "key = \"" DRILL_KEY_FORMAT "\" },\n", i);
  }
  buf_text(out, "},\n");
}

bool drill_config_key(const struct drill_config *d, const char *route, unsigned *index) {
  const struct value *keys = value_get(d->tree, "keys");
  for (uint32_t i = 0; keys != NULL && i < keys->count; i++) {
    const struct value *models = value_get(&keys->items[i], "models");
    bool may = models == NULL;
    for (uint32_t m = 0; models != NULL && m < models->count; m++)
      may |= models->items[m].kind == VALUE_TEXT && slice_eq(models->items[m].text, slice_text(route));
    *index = i;
    if (may) return true;
  }
  return false;
}

/* Services of scripts answer 404, as one that is gone would. */
static void put_upstreams(const struct value *upstreams, unsigned port, struct buf *out) {
  if (upstreams == NULL || upstreams->kind != VALUE_TABLE) return;
  buf_text(out, "upstreams = {\n");
  for (uint32_t i = 0; i < upstreams->count; i++) {
    put_key(out, upstreams->fields[i].key);
    buf_fill(out, "{ base_url = \"http://127.0.0.1:%u/simulate/upstream\" },\n", port > 0 ? port : 1);
  }
  buf_text(out, "},\n");
}

void drill_config_put(const struct drill_config *d, unsigned port, struct buf *out) {
  const struct value *providers = value_get(d->tree, "providers");
  buf_text(out,
           "return {\nlisten = \"127.0.0.1:0\", admin = { listen = \"127.0.0.1:0\" }, workers = 1, drain = \"1s\",\n"
           "trace = { file = \"/dev/null\" },\n");
  put_fields(out, d->tree, own_keys);
  put_virtual_keys(value_get(d->tree, "keys"), out);
  put_upstreams(value_get(d->tree, "upstreams"), port, out);
  if (providers != NULL && providers->kind == VALUE_TABLE) {
    buf_text(out, "providers = {\n");
    for (uint32_t i = 0; i < providers->count; i++) put_provider(d, &providers->fields[i], port, out);
    buf_text(out, "},\n");
  }
  buf_text(out, "}\n");
}

/* Adapters are scripts: reading them needs the watchdog's thread, which ends again, since children are forked later. */
static struct config *build(struct value *tree, const char *file, const char *script_root, struct sources *sources,
                            struct err *e) {
  if (!load_start(e)) {
    value_free(tree);
    return NULL;
  }
  load_enter_thread();
  struct config *c = config_file_build(tree, file, script_root, sources, e);
  load_leave_thread();
  load_stop();
  return c;
}

bool drill_config_read(struct drill_config *d, const char *file, const char *script_root, struct err *e) {
  struct buf copy = {0};
  *d = (struct drill_config){.file = file, .sources = sources_new()};
  d->tree = plain_load(file, d->sources, e);
  if (d->tree == NULL) return false;
  if (d->tree->kind != VALUE_TABLE) return err_set(e, "%s: the file must return a table", file);
  drill_config_put(d, 0, &copy);
  buf_byte(&copy, '\0');
  struct value *tree = plain_read(slice_of(copy.ptr, copy.len - 1), file, e);
  buf_done(&copy);
  d->config = tree != NULL ? build(tree, file, script_root, d->sources, e) : NULL;
  return d->config != NULL;
}

void drill_config_done(struct drill_config *d) {
  config_free(d->config);
  value_free(d->tree);
  sources_unref(d->sources);
}
