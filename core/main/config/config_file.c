/* config_file: one function a section of the file. The loader's thread. */
#include "main/config/config_file.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/secret.h"
#include "base/suggest.h"
#include "main/config/config_admission.h"
#include "main/config/config_cloud.h"
#include "main/config/config_health.h"
#include "main/config/config_models.h"
#include "main/config/config_recover.h"
#include "main/config/config_retry.h"
#include "main/config/schema.h"
#include "script/adapter_file.h"
#include "script/plain.h"
#include "wire/url.h"

enum { KEY_BYTES_MIN = 16 };

struct build {
  struct config *config;
  const char *name; /* of the file, for messages */
  const char *script_root;
  struct sources *sources;
  struct err *e;
};

static char *copy(const char *text) {
  return text ? mem_text(text, strlen(text)) : NULL;
}

static const struct value *table(const struct value *v, uint32_t i, const char **name) {
  *name = v->fields[i].key.ptr;
  return &v->fields[i].value;
}

/* A path of the file: from the file's own folder, unless it is absolute. NULL for NULL. */
static char *path_from(const struct build *b, const char *path) {
  const char *slash = strrchr(b->name, '/');
  if (path == NULL || *path == '/' || slash == NULL) return copy(path);
  struct buf full = {0};
  buf_append(&full, b->name, (size_t)(slash - b->name) + 1);
  buf_text(&full, path);
  char *out = mem_text(full.ptr, full.len);
  buf_done(&full);
  return out;
}

/* ---- secrets ------------------------------------------------------------------------------------------------ */

static bool is_set(const struct value *v) {
  return v->kind == VALUE_TEXT ? v->text.len > 0 : v->secret.len > 0;
}

static struct slice secret_bytes(const struct value *v) {
  return v->kind == VALUE_TEXT ? v->text : v->secret;
}

/* Why a secret has no bytes. */
static bool secret_present(struct build *b, const struct value *v, const char *shown) {
  if (!is_set(v)) {
    if (slice_starts(v->text, SLICE("env ")))
      return err_set(b->e, "%s:%d: %s: the environment variable %s is not set", b->name, v->line, shown,
                     v->text.ptr + 4);
    return err_set(b->e, "%s:%d: %s: %s is empty or cannot be read", b->name, v->line, shown, v->text.ptr);
  }
  return true;
}

/* The same, and that what is there can stand in a header line. */
static bool secret_usable(struct build *b, const struct value *v, const char *shown) {
  if (!secret_present(b, v, shown)) return false;
  struct slice s = secret_bytes(v);
  for (size_t i = 0; i < s.len; i++)
    if ((unsigned char)s.ptr[i] <= 0x20 || (unsigned char)s.ptr[i] >= 0x7f)
      return err_set(b->e, "%s:%d: %s: the secret holds a blank, a line end or a byte that a header cannot carry",
                     b->name, v->line, shown);
  return true;
}

/* header NULL: a signer makes the line of each call. */
static void set_key(struct provider_key *k, const struct value *v, const char *header, const char *prefix) {
  struct buf start = {0};
  if (header != NULL) buf_fill(&start, "%s: %s", header, prefix);
  k->label = v->kind == VALUE_SECRET ? copy(v->text.ptr) : copy("literal");
  if (header != NULL) k->line = secret_join(buf_view(&start), secret_bytes(v), SLICE("\r\n"));
  k->bare = secret_new(secret_bytes(v));
  buf_done(&start);
}

/* ---- providers ---------------------------------------------------------------------------------------------- */

static struct adapter *adapter_for(struct build *b, const char *name, int line) {
  struct config *c = b->config;
  struct err reason;
  char *file = slice_ends(slice_text(name), SLICE(".lua")) ? path_from(b, name) : copy(name);
  struct adapter *a = adapter_file_read(b->script_root, file, b->sources, &reason);
  mem_free(file);
  if (a == NULL) {
    err_set(b->e, "%s:%d: %s", b->name, line, reason.text);
    return NULL;
  }
  c->adapters = mem_resize(c->adapters, (c->adapter_count + 1) * sizeof *c->adapters);
  return c->adapters[c->adapter_count++] = a;
}

static bool set_url(struct build *b, struct provider *p, const char *text) {
  struct url url;
  struct err reason;
  if (!url_parse(slice_text(text), &url, &reason))
    return err_set(b->e, "%s:%d: providers.%s.base_url: %s", b->name, p->line, p->name, reason.text);
  p->base_url = copy(text);
  p->base_path = mem_text(url.path.ptr, url.path.len);
  p->authority = mem_text(url.authority.ptr, url.authority.len);
  return true;
}

/* An AWS access key becomes one key: what its signer reads. */
static bool add_aws_key(struct build *b, struct provider *p, const struct value *pair) {
  struct buf joined = {0};
  bool fine = p->adapter->signer == &signer_aws ||
              err_set(b->e, "%s:%d: providers.%s.aws: its adapter \"%s\" does not sign for AWS", b->name, pair->line,
                      p->name, p->adapter->name);
  for (unsigned i = 0; fine && config_cloud_aws_parts[i] != NULL; i++) {
    char shown[160];
    const struct value *v = value_get(pair, config_cloud_aws_parts[i]);
    snprintf(shown, sizeof shown, "providers.%s.aws.%s", p->name, config_cloud_aws_parts[i]);
    if (v == NULL && config_cloud_aws_parts[i + 1] == NULL) break;
    fine = v != NULL ? secret_usable(b, v, shown) : err_set(b->e, "%s:%d: %s is missing", b->name, pair->line, shown);
    if (fine && i > 0) buf_byte(&joined, ':');
    if (fine) buf_slice(&joined, secret_bytes(v));
  }
  if (fine) {
    struct value v = {.kind = VALUE_SECRET, .text = SLICE("aws.access_key"), .secret = buf_view(&joined)};
    set_key(&p->keys[p->key_count++], &v, NULL, NULL);
  }
  if (joined.len > 0) secret_wipe(joined.ptr, joined.len);
  buf_done(&joined);
  return fine;
}

static bool key_usable(struct build *b, const struct provider *p, const struct value *v, const char *shown) {
  const struct signer *signer = p->adapter->signer;
  struct err reason = {""};
  if (!(config_cloud_key_is_file(signer) ? secret_present(b, v, shown) : secret_usable(b, v, shown))) return false;
  return config_cloud_key_fits(signer, secret_bytes(v), &reason) ||
         err_set(b->e, "%s:%d: %s: %s", b->name, v->line, shown, reason.text);
}

static bool add_keys(struct build *b, struct provider *p, const struct value *keys) {
  const struct adapter *a = p->adapter;
  if (keys == NULL || keys->count == 0) {
    if ((a->auth_header != NULL || a->signer != NULL) && a->environment != NULL) {
      const char *bytes = getenv(a->environment);
      if (bytes != NULL && *bytes) {
        struct value v = {.kind = VALUE_SECRET, .line = p->line, .secret = slice_text(bytes)};
        char label[128];
        snprintf(label, sizeof label, "env %s", a->environment);
        v.text = slice_text(label);
        if (!secret_usable(b, &v, p->name)) return false;
        set_key(&p->keys[p->key_count++], &v, a->auth_header, a->auth_prefix);
        return true;
      }
      return err_set(b->e,
                     "%s:%d: providers.%s has no keys and the environment variable %s is not set\n  for example: keys "
                     "= { env \"%s\" }",
                     b->name, p->line, p->name, a->environment, a->environment);
    }
    p->key_count = 1; /* without a line: a server of one's own that asks for none */
    return true;
  }
  if (a->auth_header == NULL && a->signer == NULL)
    return err_set(b->e, "%s:%d: providers.%s has keys, but its adapter sends none (auth = \"none\")", b->name,
                   keys->line, p->name);
  if (keys->count > PROVIDER_KEYS_MAX)
    return err_set(b->e, "%s:%d: providers.%s has more than %d keys", b->name, keys->line, p->name, PROVIDER_KEYS_MAX);
  for (uint32_t i = 0; i < keys->count; i++) {
    char shown[160];
    snprintf(shown, sizeof shown, "providers.%s.keys[%u]", p->name, i + 1);
    const struct value *key = &keys->items[i];
    if (!key_usable(b, p, key, shown)) return false;
    set_key(&p->keys[p->key_count++], &keys->items[i], a->auth_header, a->auth_prefix);
  }
  return true;
}

static void set_identities(struct provider *p) {
  struct buf text = {0};
  for (uint32_t i = 0; i < p->key_count; i++) {
    text.len = 0;
    buf_fill(&text, "%s %s %s %d %d %u %u", p->base_url, p->ca_file ? p->ca_file : "-", p->proxy ? p->proxy : "-",
             p->http2, p->insecure, p->dial_ms, p->handshake_ms);
    p->keys[i].identity = mem_text(text.ptr, text.len);
  }
  buf_done(&text);
}

static bool readable(struct build *b, const char *path, int line, const char *shown) {
  FILE *f = path ? fopen(path, "re") : NULL;
  if (path == NULL || f != NULL) {
    if (f != NULL) fclose(f);
    return true;
  }
  return err_set(b->e, "%s:%d: %s: the file \"%s\" cannot be read", b->name, line, shown, path);
}

static bool add_provider(struct build *b, const char *name, const struct value *v) {
  struct config *c = b->config;
  struct provider *p = mem_new(struct provider);
  c->providers = mem_resize(c->providers, (c->provider_count + 1) * sizeof *c->providers);
  p->index = c->provider_count;
  c->providers[c->provider_count++] = p;
  p->name = copy(name);
  p->line = v->line;
  if (strchr(name, '/') != NULL || *name == '\0')
    return err_set(b->e, "%s:%d: the provider name \"%s\" may not be empty or hold '/'", b->name, v->line, name);
  const struct value *adapter = value_get(v, "adapter");
  p->adapter = adapter_for(b, adapter ? adapter->text.ptr : name, adapter ? adapter->line : v->line);
  if (p->adapter == NULL) return false;
  const struct value *dialect = value_get(v, "dialect"), *url = value_get(v, "base_url");
  p->dialect = dialect ? dialect_named(dialect->text) : p->adapter->dialect;
  p->one_dialect = dialect != NULL;
  const char *base = url ? url->text.ptr : p->adapter->base_url;
  if (base == NULL)
    return err_set(b->e,
                   "%s:%d: providers.%s needs a base_url: its adapter \"%s\" has none of its own\n  for example: "
                   "base_url = \"http://127.0.0.1:8000/v1\"",
                   b->name, v->line, name, p->adapter->name);
  const char *ca = schema_text(v, "providers.*.ca_file"), *proxy = schema_text(v, "providers.*.proxy");
  p->ca_file = path_from(b, ca);
  p->proxy = copy(proxy);
  p->http2 = schema_boolean(v, "providers.*.http2");
  p->insecure = schema_boolean(v, "providers.*.insecure");
  p->options = value_get(v, "options");
  config_retry_provider(p, v, c->tree);
  p->region = copy(schema_text(v, "providers.*.region"));
  p->service = copy(schema_text(v, "providers.*.service"));
  const char *missing = NULL;
  char *full = url ? copy(base) : config_cloud_url(base, v, &missing);
  bool located = full != NULL ? set_url(b, p, full)
                              : err_set(b->e, "%s:%d: providers.%s needs a %s: its base_url is %s", b->name, v->line,
                                        name, missing, base);
  mem_free(full);
  const struct value *pair = value_get(v, "aws"), *keys = value_get(v, "keys");
  if (pair != NULL && keys != NULL)
    return err_set(b->e, "%s:%d: providers.%s has both keys and aws; give one of them", b->name, keys->line, name);
  if (!located || !(pair ? add_aws_key(b, p, pair) : add_keys(b, p, keys))) return false;
  set_identities(p);
  char shown[160];
  snprintf(shown, sizeof shown, "providers.%s.ca_file", name);
  return readable(b, p->ca_file, v->line, shown);
}

/* Providers whose usual variable is set, for a start without a config file. */
static bool add_from_environment(struct build *b) {
  char **names = adapter_file_names(b->script_root);
  bool fine = true;
  static const struct value nothing = {.kind = VALUE_TABLE};
  for (char **at = names; fine && *at != NULL; at++) {
    if (!adapter_file_is_on(b->script_root, *at, b->sources)) continue;
    struct adapter *a = adapter_file_read(b->script_root, *at, b->sources, b->e);
    /* One that needs a base_url needs a config. */
    fine = a != NULL && (a->base_url == NULL || add_provider(b, *at, &nothing));
    config_free_adapter(a);
  }
  for (char **at = names; *at != NULL; at++) mem_free(*at);
  mem_free(names);
  if (fine && b->config->provider_count == 0)
    return err_set(b->e, "there is no provider: set OPENAI_API_KEY or ANTHROPIC_API_KEY, name a config file (--config "
                         "FILE), or start with simulated providers (--demo)");
  return fine;
}

/* ---- routes ------------------------------------------------------------------------------------------------- */

static struct target *target_for(struct build *b, const struct value *v, const char *shown) {
  const struct value *name = v->kind == VALUE_TEXT ? v : value_get(v, "1"), *weight = value_get(v, "weight");
  struct slice text = name->text;
  size_t slash = (size_t)slice_find_byte(text, '/');
  struct config *c = b->config;
  struct provider *p = config_provider(c, slice_of(text.ptr, slash));
  if (p == NULL) {
    const char *names[256];
    uint32_t count = c->provider_count < 256 ? c->provider_count : 256;
    char word[128];
    for (uint32_t i = 0; i < count; i++) names[i] = c->providers[i]->name;
    snprintf(word, sizeof word, "%.*s", (int)slash, text.ptr);
    const char *near = suggest_nearest(word, names, count);
    err_set(b->e, "%s:%d: %s: there is no provider \"%s\"%s%s%s", b->name, v->line, shown, word,
            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return NULL;
  }
  struct target *t = config_add_target(c, p, slice_from(text, slash + 1));
  if (weight == NULL) return t;
  /* A weight belongs to the list it stands in: such a target is one of its own beside the shared one. */
  struct target *own = mem_new(struct target);
  *own = *t;
  own->name = slice_of(mem_text(t->name.ptr, t->name.len), t->name.len);
  own->model = slice_from(own->name, slash + 1);
  own->weight_milli = (uint32_t)(weight->number * 1000);
  c->targets = mem_resize(c->targets, (c->target_count + 1) * sizeof *c->targets);
  c->targets[c->target_count++] = own;
  return own;
}

static bool add_list(struct build *b, const struct value *list, const char *shown, struct target ***out,
                     uint32_t *count) {
  for (uint32_t i = 0; list != NULL && i < list->count; i++) {
    char name[200];
    snprintf(name, sizeof name, "%s[%u]", shown, i + 1);
    struct target *t = target_for(b, &list->items[i], name);
    if (t == NULL) return false;
    *out = mem_resize(*out, (*count + 1) * sizeof **out);
    (*out)[(*count)++] = t;
  }
  return true;
}

static bool add_route(struct build *b, const char *name, const struct value *v) {
  struct config *c = b->config;
  struct route *r = mem_new(struct route);
  c->routes = mem_resize(c->routes, (c->route_count + 1) * sizeof *c->routes);
  r->index = c->route_count;
  c->routes[c->route_count++] = r;
  r->name = copy(name);
  r->line = v->line;
  r->policy = copy(schema_text(v, "routes.*.policy"));
  r->options = value_get(v, "options");
  r->refuse_on_script_error =
      strcmp(value_get(v, "on_script_error") ? value_get(v, "on_script_error")->text.ptr : "builtin", "refuse") == 0;
  r->strict = schema_boolean(v, "routes.*.strict");
  r->coalesce = schema_boolean(v, "routes.*.coalesce");
  c->coalesces = c->coalesces || r->coalesce;
  char shown[160];
  snprintf(shown, sizeof shown, "routes.%s.targets", name);
  if (!add_list(b, value_get(v, "targets"), shown, &r->targets, &r->target_count)) return false;
  const struct value *pools = value_get(v, "pools");
  for (uint32_t i = 0; pools != NULL && i < pools->count; i++) {
    r->pools = mem_resize(r->pools, (r->pool_count + 1) * sizeof *r->pools);
    struct pool *pool = &r->pools[r->pool_count++];
    *pool = (struct pool){.name = copy(pools->fields[i].key.ptr)};
    snprintf(shown, sizeof shown, "routes.%s.pools.%s", name, pool->name);
    if (!add_list(b, &pools->fields[i].value, shown, &pool->targets, &pool->count)) return false;
    if (pool->count == 0) return err_set(b->e, "%s:%d: %s is empty", b->name, pools->fields[i].value.line, shown);
    for (uint32_t k = 0; k < pool->count; k++) {
      r->targets = mem_resize(r->targets, (r->target_count + 1) * sizeof *r->targets);
      r->targets[r->target_count++] = pool->targets[k];
    }
  }
  const struct value *fallbacks = value_get(v, "fallbacks");
  for (unsigned i = 0; i < FALLBACK_COUNT; i++) {
    const char *class = failure_row(fallback_class(i))->name;
    struct fallback_list *list = &r->fallbacks[i];
    snprintf(shown, sizeof shown, "routes.%s.fallbacks.%s", name, class);
    if (!add_list(b, value_get(fallbacks, class), shown, &list->targets, &list->count)) return false;
  }
  if (!config_retry_route(r, v, b->name, b->e) || !config_recover_route(r, v, b->name, b->e)) return false;
  if (r->target_count == 0)
    return err_set(b->e, "%s:%d: routes.%s has no targets\n  for example: targets = { \"openai/gpt-5-mini\" }", b->name,
                   v->line, name);
  return true;
}

/* ---- teams and keys ----------------------------------------------------------------------------------------- */

static struct team *team_named(const struct config *c, struct slice name) {
  for (uint32_t i = 0; i < c->team_count; i++)
    if (slice_eq(slice_text(c->teams[i]->name), name)) return c->teams[i];
  return NULL;
}

static bool add_key(struct build *b, const struct value *v, uint32_t index) {
  struct config *c = b->config;
  const struct value *name = value_get(v, "name"), *team = value_get(v, "team"), *secret = value_get(v, "key"),
                     *models = value_get(v, "models");
  char shown[64];
  snprintf(shown, sizeof shown, "keys[%u]", index + 1);
  if (name == NULL)
    return err_set(b->e, "%s:%d: %s has no name\n  for example: name = \"ci\"", b->name, v->line, shown);
  if (secret == NULL)
    return err_set(b->e, "%s:%d: %s has no key\n  for example: key = env \"CI_KEY\"", b->name, v->line, shown);
  snprintf(shown, sizeof shown, "keys[%u].key", index + 1);
  if (!secret_usable(b, secret, shown)) return false;
  struct slice bytes = secret_bytes(secret);
  if (bytes.len < KEY_BYTES_MIN)
    return err_set(b->e, "%s:%d: %s is shorter than %d bytes: it could be guessed\n  for example: openssl rand -hex 24",
                   b->name, secret->line, shown, KEY_BYTES_MIN);
  for (uint32_t i = 0; i < key_table_count(c->keys); i++)
    if (strcmp(key_table_at(c->keys, i)->name, name->text.ptr) == 0)
      return err_set(b->e, "%s:%d: there are two keys named \"%s\"; traces could not tell them apart", b->name,
                     name->line, name->text.ptr);
  struct key key = {.name = copy(name->text.ptr), .priority = config_admission_priority(v)};
  if (team != NULL) {
    key.team = team_named(c, team->text);
    if (key.team == NULL) {
      const char *names[256];
      uint32_t count = c->team_count < 256 ? c->team_count : 256;
      for (uint32_t i = 0; i < count; i++) names[i] = c->teams[i]->name;
      const char *near = suggest_nearest(team->text.ptr, names, count);
      mem_free(key.name);
      return err_set(b->e, "%s:%d: keys[%u].team: there is no team \"%s\"%s%s%s", b->name, team->line, index + 1,
                     team->text.ptr, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
  }
  key.hint = bytes.len >= 24 ? mem_text(bytes.ptr + bytes.len - 4, 4) : NULL;
  if (models != NULL) {
    key.models = mem_zero((models->count + 1) * sizeof *key.models);
    for (uint32_t i = 0; i < models->count; i++) key.models[i] = copy(models->items[i].text.ptr);
  }
  const struct key *twin;
  if (key_table_add(c->keys, key, bytes, &twin)) return true;
  err_set(b->e, "%s:%d: keys[%u] \"%s\" has the same secret as \"%s\"", b->name, v->line, index + 1, key.name,
          twin->name);
  for (char **at = key.models; at != NULL && *at != NULL; at++) mem_free(*at);
  mem_free(key.models);
  mem_free(key.name);
  mem_free(key.hint);
  return false;
}

/* ---- the rest ----------------------------------------------------------------------------------------------- */

static bool add_upstream(struct build *b, const char *name, const struct value *v) {
  struct config *c = b->config;
  c->upstreams = mem_resize(c->upstreams, (c->upstream_count + 1) * sizeof *c->upstreams);
  struct script_upstream *u = &c->upstreams[c->upstream_count++];
  *u = (struct script_upstream){.name = copy(name),
                                .base_url = copy(schema_text(v, "upstreams.*.base_url")),
                                .ca_file = path_from(b, schema_text(v, "upstreams.*.ca_file"))};
  struct url url;
  struct err reason;
  if (u->base_url == NULL) return err_set(b->e, "%s:%d: upstreams.%s has no base_url", b->name, v->line, name);
  if (!url_parse(slice_text(u->base_url), &url, &reason))
    return err_set(b->e, "%s:%d: upstreams.%s.base_url: %s", b->name, v->line, name, reason.text);
  const struct value *key = value_get(v, "key");
  if (key != NULL) {
    char shown[160];
    snprintf(shown, sizeof shown, "upstreams.%s.key", name);
    if (!secret_usable(b, key, shown)) return false;
    set_key(&u->key, key, "authorization", "Bearer ");
  }
  return true;
}

/* "host:port", "[v6]:port", ":port" */
static bool is_address(const char *address) {
  const char *colon = strrchr(address, ':');
  uint64_t port;
  if (colon == NULL || !slice_to_u64(slice_text(colon + 1), &port) || port > 65535) return false;
  struct slice host = slice_of(address, (size_t)(colon - address));
  bool six = slice_starts(host, SLICE("[")) && slice_ends(host, SLICE("]"));
  if (six) return true;
  for (size_t i = 0; i < host.len; i++)
    if (!isalnum((unsigned char)host.ptr[i]) && host.ptr[i] != '.' && host.ptr[i] != '-') return false;
  return true;
}

static bool address_fits(struct build *b, const struct value *in, const char *key, const char *shown,
                         const char *address) {
  if (is_address(address)) return true;
  const struct value *v = value_get(in, key);
  return err_set(
      b->e, "%s:%d: %s must be an address with a port from 0 to 65535, not \"%s\"\n  for example: \"127.0.0.1:8080\"",
      b->name, v ? v->line : 0, shown, address);
}

/* Who may reach an address from elsewhere must have been asked for a key. */
static bool is_loopback(const char *address) {
  struct slice s = slice_text(address);
  return slice_starts(s, SLICE("127.")) || slice_starts(s, SLICE("[::1]")) || slice_starts(s, SLICE("localhost:"));
}

static bool set_process(struct build *b, const struct value *tree) {
  struct config *c = b->config;
  const struct value *admin = value_get(tree, "admin"), *tls = value_get(tree, "tls"),
                     *trace = value_get(tree, "trace"), *limits = value_get(tree, "limits");
  c->listen = copy(schema_text(tree, "listen"));
  c->open_access = schema_boolean(tree, "open_access");
  c->workers = (uint32_t)schema_integer(tree, "workers");
  c->admin_listen = copy(schema_text(admin, "admin.listen"));
  const char *file = schema_text(trace, "trace.file");
  c->trace_file = strcmp(file, "-") == 0 ? copy(file) : path_from(b, file);
  c->drain_ms = (uint32_t)schema_ms(tree, "drain");
  c->drain_delay_ms = (uint32_t)schema_ms(tree, "drain_delay");
  c->body_bytes = schema_bytes(limits, "limits.body");
  c->kept_bytes = schema_bytes(limits, "limits.kept_answers");
  c->kept_ms = (uint32_t)schema_ms(limits, "limits.kept_answers_time");
  c->head_bytes = (uint32_t)schema_bytes(limits, "limits.head");
  c->head_ms = (uint32_t)schema_ms(limits, "limits.head_time");
  c->body_ms = (uint32_t)schema_ms(limits, "limits.body_time");
  c->keep_alive_ms = (uint32_t)schema_ms(limits, "limits.keep_alive");
  c->write_idle_ms = (uint32_t)schema_ms(limits, "limits.write_idle");
  c->connections = (uint32_t)schema_integer(limits, "limits.connections");
  const struct value *half_close = limits ? value_get(limits, "half_close") : NULL;
  c->half_close_leaves = half_close != NULL && strcmp(half_close->text.ptr, "leave") == 0;
  if (!address_fits(b, tree, "listen", "listen", c->listen) ||
      !address_fits(b, admin, "listen", "admin.listen", c->admin_listen))
    return false;
  if (c->workers > METER_WORKERS_MAX)
    return err_set(b->e, "%s:%d: workers must be at most %d", b->name, value_get(tree, "workers")->line,
                   METER_WORKERS_MAX);
  if (tls != NULL && tls->count > 0) {
    const char *cert = schema_text(tls, "tls.cert"), *key = schema_text(tls, "tls.key");
    if (cert == NULL || key == NULL)
      return err_set(
          b->e, "%s:%d: tls needs both cert and key\n  for example: tls = { cert = \"chain.pem\", key = \"key.pem\" }",
          b->name, tls->line);
    c->tls_cert = path_from(b, cert);
    c->tls_key = path_from(b, key);
    if (!readable(b, c->tls_cert, tls->line, "tls.cert") || !readable(b, c->tls_key, tls->line, "tls.key"))
      return false;
  }
  const struct value *token = value_get(admin, "token");
  if (token != NULL) {
    if (!secret_usable(b, token, "admin.token")) return false;
    if (secret_bytes(token).len < KEY_BYTES_MIN)
      return err_set(
          b->e, "%s:%d: admin.token is shorter than %d bytes: it could be guessed\n  for example: openssl rand -hex 24",
          b->name, token->line, KEY_BYTES_MIN);
    c->admin_token = secret_new(secret_bytes(token));
  } else if (!is_loopback(c->admin_listen)) {
    return err_set(b->e,
                   "%s:%d: admin.listen \"%s\" can be reached from elsewhere, so admin.token is needed\n  for example: "
                   "token = env \"MOONGATE_ADMIN_TOKEN\"",
                   b->name, admin->line, c->admin_listen);
  }
  return true;
}

static bool build(struct build *b, const struct value *tree, bool from_environment) {
  struct config *c = b->config;
  const struct value *providers = value_get(tree, "providers"), *routes = value_get(tree, "routes"),
                     *teams = value_get(tree, "teams"), *keys = value_get(tree, "keys"),
                     *upstreams = value_get(tree, "upstreams");
  const char *name;
  if (!set_process(b, tree)) return false;
  for (uint32_t i = 0; providers != NULL && i < providers->count; i++) {
    const struct value *v = table(providers, i, &name);
    if (!add_provider(b, name, v)) return false;
  }
  if (from_environment && !add_from_environment(b)) return false;
  if (c->provider_count == 0)
    return err_set(
        b->e,
        "%s:%d: there are no providers\n  for example: providers = { openai = { keys = { env \"OPENAI_API_KEY\" } } }",
        b->name, tree->line);
  if (!config_health_set(c, tree, b->name, b->e)) return false;
  if (!config_retry_budget(c, tree, b->name, b->e)) return false;
  for (uint32_t i = 0; routes != NULL && i < routes->count; i++) {
    const struct value *v = table(routes, i, &name);
    if (!add_route(b, name, v)) return false;
  }
  for (uint32_t i = 0; teams != NULL && i < teams->count; i++) {
    c->teams = mem_resize(c->teams, (c->team_count + 1) * sizeof *c->teams);
    struct team *team = c->teams[c->team_count++] = mem_new(struct team);
    team->name = copy(teams->fields[i].key.ptr);
  }
  if (keys != NULL && keys->count > 0) {
    c->keys = key_table_new();
    for (uint32_t i = 0; i < keys->count; i++)
      if (!add_key(b, &keys->items[i], i)) return false;
  }
  if (c->keys == NULL && !is_loopback(c->listen) && !c->open_access) {
    const struct value *listen = value_get(tree, "listen");
    return err_set(b->e,
                   "%s:%d: listen \"%s\" can be reached from elsewhere, so `keys` are needed (or open_access = true)\n "
                   " for example: keys = { { name = \"ci\", key = env \"CI_KEY\" } }",
                   b->name, listen ? listen->line : 0, c->listen);
  }
  for (uint32_t i = 0; upstreams != NULL && i < upstreams->count; i++) {
    const struct value *v = table(upstreams, i, &name);
    if (!add_upstream(b, name, v)) return false;
  }
  if (!config_admission_set(c, tree, b->name, b->e)) return false;
  return config_models_load(b->config, tree, b->name, b->script_root, b->sources, b->e);
}

static struct config *finish(struct value *tree, const char *file, const char *name, const char *script_root,
                             struct sources *sources, bool from_environment, struct err *e) {
  struct config *c = config_new();
  struct build b = {c, name, script_root, sources, e};
  c->tree = tree;
  c->file = copy(file);
  if (schema_check(tree, name, e) && build(&b, tree, from_environment)) return c;
  config_free(c);
  return NULL;
}

struct config *config_file_load(const char *file, const char *script_root, struct sources *sources, struct err *e) {
  struct value *tree;
  if (file == NULL) {
    tree = value_new();
    tree->kind = VALUE_TABLE;
    return finish(tree, NULL, "environment", script_root, sources, true, e);
  }
  tree = plain_load(file, sources, e);
  return tree ? finish(tree, file, file, script_root, sources, false, e) : NULL;
}

struct config *config_file_build(struct value *tree, const char *name, const char *script_root, struct sources *sources,
                                 struct err *e) {
  return finish(tree, NULL, name, script_root, sources, false, e);
}
