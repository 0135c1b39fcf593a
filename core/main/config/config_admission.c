/* config_admission: one function a section that has caps. The loader's thread. */
#include "main/config/config_admission.h"

#include <stdio.h>
#include <string.h>

#include "gate/admission/admission.h"
#include "main/config/schema.h"

enum { MEMORY_BYTES_MIN = 64 << 20, SHOWN_BYTES = 160 };

struct source {
  struct config *config;
  const char *file;
  struct err *e;
};

/* A cap of at least 1, or PLACES_UNLIMITED where none is written. */
static bool read_cap(const struct source *r, const struct value *in, const char *key, const char *shown,
                     uint32_t *out) {
  const struct value *v = value_get(in, key);
  *out = v != NULL ? (uint32_t)v->integer : PLACES_UNLIMITED;
  if (*out > 0) return true;
  return err_set(r->e, "%s:%d: %s.%s must be at least 1; leave it out for no cap", r->file, v->line, shown, key);
}

uint8_t config_admission_priority(const struct value *in) {
  const struct value *v = value_get(in, "priority");
  return v == NULL ? PRIORITY_UNSAID : v->integer < QUEUE_PRIORITIES ? (uint8_t)v->integer : QUEUE_PRIORITIES;
}

static bool read_priority(const struct source *r, const struct value *in, const char *shown, uint8_t *out) {
  *out = config_admission_priority(in);
  if (*out == QUEUE_PRIORITIES)
    return err_set(r->e, "%s:%d: %s.priority must be 0 to %d; the highest goes first", r->file,
                   value_get(in, "priority")->line, shown, QUEUE_PRIORITIES - 1);
  uint8_t *highest = &r->config->admission.priority_max;
  if (*out != PRIORITY_UNSAID && *out > *highest) *highest = *out;
  return true;
}

/* A cap that any one request fits in, or 0 where none is written. */
static bool read_memory(const struct source *r, const struct value *in, const char *shown, uint64_t *out) {
  const struct value *v = value_get(in, "memory");
  char path[SHOWN_BYTES];
  snprintf(path, sizeof path, "%.*s.*.memory", (int)strcspn(shown, "."), shown);
  *out = v != NULL ? schema_bytes(in, path) : 0;
  if (v == NULL || *out >= r->config->body_bytes) return true;
  return err_set(r->e, "%s:%d: %s.memory must be at least limits.body (%llu bytes): one request needs as much", r->file,
                 v->line, shown, (unsigned long long)r->config->body_bytes);
}

static bool set_process(const struct source *r, const struct value *limits) {
  struct admission_caps *caps = &r->config->admission;
  const struct value *memory = value_get(limits, "memory");
  caps->process = admission_place(PLACE_PROCESS, "");
  caps->no_team = admission_place(PLACE_TEAM, "");
  caps->queue = (uint32_t)schema_integer(limits, "limits.queue");
  caps->queue_ms = (uint32_t)schema_ms(limits, "limits.queue_time");
  caps->memory_bytes = memory != NULL ? schema_bytes(limits, "limits.memory") : 0;
  if (memory != NULL && caps->memory_bytes < MEMORY_BYTES_MIN)
    return err_set(r->e, "%s:%d: limits.memory must be at least 64MiB: so much a few connections need", r->file,
                   memory->line);
  caps->priority_max = QUEUE_PRIORITY_DEFAULT;
  return read_cap(r, limits, "in_flight", "limits", &caps->in_flight);
}

static bool set_providers(const struct source *r, const struct value *providers) {
  for (uint32_t i = 0; i < r->config->provider_count; i++) {
    struct provider *p = r->config->providers[i];
    char shown[SHOWN_BYTES];
    snprintf(shown, sizeof shown, "providers.%s", p->name);
    if (!read_cap(r, value_get(providers, p->name), "max_in_flight", shown, &p->max_in_flight)) return false;
    if (!read_memory(r, value_get(providers, p->name), shown, &p->memory_bytes)) return false;
    if (p->max_in_flight != PLACES_UNLIMITED || p->memory_bytes > 0)
      p->place = admission_place(PLACE_PROVIDER, p->name);
  }
  return true;
}

static bool set_teams(const struct source *r, const struct value *teams) {
  for (uint32_t i = 0; i < r->config->team_count; i++) {
    struct team *t = r->config->teams[i];
    char shown[SHOWN_BYTES];
    snprintf(shown, sizeof shown, "teams.%s", t->name);
    t->place = admission_place(PLACE_TEAM, t->name);
    if (!read_cap(r, value_get(teams, t->name), "max_in_flight", shown, &t->max_in_flight)) return false;
    if (!read_memory(r, value_get(teams, t->name), shown, &t->memory_bytes)) return false;
  }
  return true;
}

static bool set_priorities(const struct source *r, const struct value *routes, const struct value *keys) {
  char shown[SHOWN_BYTES];
  for (uint32_t i = 0; i < r->config->route_count; i++) {
    struct route *route = r->config->routes[i];
    snprintf(shown, sizeof shown, "routes.%s", route->name);
    const struct value *v = value_get(routes, route->name);
    if (!read_priority(r, v, shown, &route->priority)) return false;
    if (value_get(v, "queue_time") != NULL) route->queue_ms = (uint32_t)schema_ms(v, "routes.*.queue_time");
  }
  for (uint32_t i = 0; keys != NULL && i < keys->count; i++) {
    uint8_t of_key; /* the key has it already */
    snprintf(shown, sizeof shown, "keys[%u]", i + 1);
    if (!read_priority(r, &keys->items[i], shown, &of_key)) return false;
  }
  return true;
}

bool config_admission_set(struct config *c, const struct value *tree, const char *name, struct err *e) {
  struct source r = {c, name, e};
  if (!set_process(&r, value_get(tree, "limits")) || !set_providers(&r, value_get(tree, "providers")) ||
      !set_teams(&r, value_get(tree, "teams")) ||
      !set_priorities(&r, value_get(tree, "routes"), value_get(tree, "keys")))
    return false;
  struct admission_caps *caps = &c->admission;
  caps->on = caps->in_flight != PLACES_UNLIMITED || caps->memory_bytes > 0;
  for (uint32_t i = 0; i < c->provider_count; i++) caps->on |= c->providers[i]->place != NULL;
  for (uint32_t i = 0; i < c->team_count; i++)
    caps->on |= c->teams[i]->max_in_flight != PLACES_UNLIMITED || c->teams[i]->memory_bytes > 0;
  return true;
}
