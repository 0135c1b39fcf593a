/* config: look-ups, and the end of a configuration. Any thread once built. */
#include "gate/config.h"

#include "base/memory.h"
#include "base/secret.h"

struct config *config_new(void) {
  struct config *c = mem_new(struct config);
  c->retry_budget = (struct retry_budget_rules){.share_ppm = 200000, .per_s = 10};
  return c;
}

static void free_key(struct provider_key *k) {
  mem_free(k->label);
  mem_free(k->identity);
  secret_free(k->line);
  secret_free(k->bare);
}

static void free_texts(char **texts) {
  for (char **at = texts; at != NULL && *at != NULL; at++) mem_free(*at);
  mem_free(texts);
}

void config_free_adapter(struct adapter *a) {
  if (a == NULL) return;
  char *texts[] = {a->doc,         a->catalogue, a->name, a->file,        a->base_url,   a->auth_header,
                   a->auth_prefix, a->headers,   a->path, a->stream_path, a->environment};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) mem_free(texts[i]);
  free_texts(a->models);
  for (unsigned i = 0; i < DIALECT_COUNT; i++) {
    mem_free(a->paths[i]);
    mem_free(a->stream_paths[i]);
  }
  for (uint32_t i = 0; i < a->dialect_rule_count; i++) mem_free(a->dialect_rules[i].prefix);
  mem_free(a->dialect_rules);
  for (uint32_t i = 0; i < a->error_count; i++) {
    mem_free(a->errors[i].name);
    mem_free(a->errors[i].match);
  }
  mem_free(a->errors);
  for (uint32_t i = 0; i < a->other_path_count; i++) {
    mem_free(a->other_paths[i].key);
    mem_free(a->other_paths[i].path);
  }
  mem_free(a->other_paths);
  mem_free(a);
}

const char *adapter_path(const struct adapter *a, struct slice key) {
  for (uint32_t i = 0; i < a->other_path_count; i++)
    if (slice_eq(slice_text(a->other_paths[i].key), key)) return a->other_paths[i].path;
  return NULL;
}

static void free_provider(struct provider *p) {
  health_detach(p);
  char *texts[] = {p->name,  p->base_url, p->base_path, p->authority,        p->ca_file,
                   p->proxy, p->region,   p->service,   p->health.check_path};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) mem_free(texts[i]);
  for (uint32_t i = 0; i < p->key_count; i++) free_key(&p->keys[i]);
  mem_free(p->model_clocks);
  mem_free(p);
}

static void free_route(struct route *r) {
  for (uint32_t i = 0; i < r->pool_count; i++) {
    mem_free(r->pools[i].name);
    mem_free(r->pools[i].targets);
  }
  for (unsigned i = 0; i < FALLBACK_COUNT; i++) mem_free(r->fallbacks[i].targets);
  mem_free(r->pools);
  mem_free(r->targets);
  mem_free(r->timeouts);
  mem_free(r->retry);
  mem_free(r->hedge);
  mem_free(r->name);
  mem_free(r->policy);
  mem_free(r);
}

void config_free(struct config *c) {
  if (c == NULL) return;
  for (uint32_t i = 0; i < c->route_count; i++) free_route(c->routes[i]);
  for (uint32_t i = 0; i < c->target_count; i++) {
    mem_free((char *)c->targets[i]->name.ptr);
    mem_free(c->targets[i]);
  }
  for (uint32_t i = 0; i < c->provider_count; i++) free_provider(c->providers[i]);
  for (uint32_t i = 0; i < c->adapter_count; i++) config_free_adapter(c->adapters[i]);
  for (uint32_t i = 0; i < c->team_count; i++) {
    mem_free(c->teams[i]->name);
    mem_free(c->teams[i]);
  }
  for (uint32_t i = 0; i < c->upstream_count; i++) {
    mem_free(c->upstreams[i].name);
    mem_free(c->upstreams[i].base_url);
    mem_free(c->upstreams[i].ca_file);
    free_key(&c->upstreams[i].key);
  }
  mem_free(c->routes);
  mem_free(c->targets);
  mem_free(c->providers);
  mem_free(c->adapters);
  mem_free(c->teams);
  mem_free(c->upstreams);
  key_table_free(c->keys);
  catalogue_free(c->catalogue);
  secret_free(c->admin_token);
  char *texts[] = {c->file, c->listen, c->admin_listen, c->tls_cert, c->tls_key, c->trace_file};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) mem_free(texts[i]);
  value_free(c->tree);
  mem_free(c);
}

struct provider *config_provider(const struct config *c, struct slice name) {
  for (uint32_t i = 0; i < c->provider_count; i++)
    if (slice_eq(slice_text(c->providers[i]->name), name)) return c->providers[i];
  return NULL;
}

struct route *config_route(const struct config *c, struct slice name) {
  for (uint32_t i = 0; i < c->route_count; i++)
    if (slice_eq(slice_text(c->routes[i]->name), name)) return c->routes[i];
  return NULL;
}

struct target *config_target(const struct config *c, struct slice name) {
  for (uint32_t i = 0; i < c->target_count; i++)
    if (slice_eq(c->targets[i]->name, name)) return c->targets[i];
  return NULL;
}

const struct script_upstream *config_upstream(const struct config *c, struct slice name) {
  for (uint32_t i = 0; i < c->upstream_count; i++)
    if (slice_eq(slice_text(c->upstreams[i].name), name)) return &c->upstreams[i];
  return NULL;
}

static bool owns(const struct config *c, const struct provider *p, struct slice model) {
  for (uint32_t i = 0; i < c->target_count; i++)
    if (c->targets[i]->provider == p && slice_eq(c->targets[i]->model, model)) return true;
  for (char **at = p->adapter ? p->adapter->models : NULL; at != NULL && *at != NULL; at++)
    if (slice_eq(slice_text(*at), model)) return true;
  return false;
}

struct provider *config_owner_of(const struct config *c, struct slice model) {
  for (uint32_t i = 0; i < c->provider_count; i++)
    if (owns(c, c->providers[i], model)) return c->providers[i];
  return NULL;
}

static bool same(const struct secret *a, const struct secret *b) {
  return slice_eq(secret_view(a), secret_view(b));
}

bool config_same_secrets(const struct config *a, const struct config *b) {
  if (!same(a->admin_token, b->admin_token) || a->provider_count != b->provider_count) return false;
  for (uint32_t i = 0; i < a->provider_count; i++) {
    const struct provider *p = a->providers[i], *q = b->providers[i];
    if (p->key_count != q->key_count) return false;
    for (uint32_t k = 0; k < p->key_count; k++)
      if (!same(p->keys[k].line, q->keys[k].line) || !same(p->keys[k].bare, q->keys[k].bare)) return false;
  }
  return value_same(a->tree, b->tree);
}

const struct dialect *provider_dialect(const struct provider *p, struct slice model, const struct dialect *client) {
  const struct adapter *a = p->adapter;
  const struct dialect *first = p->dialect;
  if (p->one_dialect || a == NULL) return first;
  uint32_t spoken = a->dialects;
  for (uint32_t i = 0; i < a->dialect_rule_count; i++) {
    const struct dialect_rule *rule = &a->dialect_rules[i];
    if (!slice_starts(model, slice_text(rule->prefix))) continue;
    first = rule->first;
    spoken = rule->dialects;
    break;
  }
  return spoken >> dialect_index(client) & 1 ? client : first;
}

void config_know_target(const struct config *c, struct target *t) {
  const struct adapter *a = t->provider->adapter;
  t->facts = catalogue_find(c->catalogue, slice_text(t->provider->name),
                            slice_text(!a             ? ""
                                       : a->catalogue ? a->catalogue
                                                      : a->name),
                            t->model);
  t->price = catalogue_price(c->catalogue, t->facts);
}

struct target *config_add_target(struct config *c, struct provider *p, struct slice model) {
  size_t provider_len = strlen(p->name), len = provider_len + 1 + model.len;
  char *name = mem_alloc(len + 1);
  memcpy(name, p->name, provider_len);
  name[provider_len] = '/';
  memcpy(name + provider_len + 1, model.ptr, model.len);
  name[len] = '\0';
  struct target *there = config_target(c, slice_of(name, len));
  if (there != NULL) {
    mem_free(name);
    return there;
  }
  struct target *t = mem_new(struct target);
  t->name = slice_of(name, len);
  t->model = slice_from(t->name, provider_len + 1);
  t->provider = p;
  t->state = target_state_of(t->name);
  t->weight_milli = 1000;
  c->targets = mem_resize(c->targets, (c->target_count + 1) * sizeof *c->targets);
  c->targets[c->target_count++] = t;
  return t;
}
