/* provider_choice: see the header. The worker's thread. */
#include "gate/attempt/provider_choice.h"

#include <stdio.h>

#include "wire/json.h"

static bool key_may_use_provider(const struct key *k, const struct provider *p) {
  char name[300];
  int len = snprintf(name, sizeof name, "%s/*", p->name);
  return len > 0 && (size_t)len < sizeof name && key_may_use(k, slice_of(name, (size_t)len));
}

static struct provider *named(struct request *r, struct slice name, struct fault *f) {
  struct provider *p = config_provider(r->tenure->generation->config, name);
  if (p == NULL) {
    fault_set(f, FAULT_PROVIDER_UNKNOWN, "There is no provider \"%.*s\".", (int)(name.len < 80 ? name.len : 80),
              name.ptr);
    return NULL;
  }
  if (key_may_use_provider(r->key, p)) return p;
  fault_set(f, FAULT_MODEL_FORBIDDEN, "The key \"%s\" may not use the provider \"%s\" without naming a model.",
            r->key->name, p->name);
  return NULL;
}

/* Whether it speaks the client's API, whatever else it speaks. */
static bool serves(const struct request *r, const struct provider *p) {
  return operation_is_shared(r->endpoint->operation, r->dialect, provider_dialect(p, SLICE(""), r->dialect));
}

static struct provider *only_one(struct request *r, struct fault *f) {
  const struct config *c = r->tenure->generation->config;
  struct provider *found = NULL;
  for (uint32_t i = 0; i < c->provider_count; i++) {
    struct provider *p = c->providers[i];
    if (!serves(r, p) || !key_may_use_provider(r->key, p)) continue;
    if (found != NULL) {
      fault_set(f, FAULT_PROVIDER_NEEDED, "The request names no model, and \"%s\" and \"%s\" could both take it.",
                found->name, p->name);
      return NULL;
    }
    found = p;
  }
  if (found == NULL && r->endpoint->operation == OPERATION_RESPONSES && r->asked.only_looks)
    fault_set(f, FAULT_RESPONSE_UNKNOWN, "There is no response \"%.*s\".",
              (int)(r->path_rest.len < 80 ? r->path_rest.len : 80), r->path_rest.ptr);
  else if (found == NULL)
    fault_set(f, FAULT_PROVIDER_UNKNOWN, "No provider that this key may use has the API of %s.", r->dialect->name);
  return found;
}

/* The model that a raw call's JSON body names. */
static struct slice model_of(struct request *r) {
  static const char *const path[] = {"model", NULL};
  struct slice raw = r->body.len > 0 && *r->body.ptr == '{' ? json_find(r->body, path) : SLICE(""), model;
  struct fault ignored;
  if (raw.len == 0 || !json_plain(raw, &model) || !asked_model_fits(model, &ignored)) return SLICE("");
  return arena_copy(&r->arena, model);
}

struct provider *provider_choose(struct request *r, struct slice *rest, struct slice *model, struct fault *f) {
  const struct endpoint *e = r->endpoint;
  *rest = r->path_rest;
  if (e->operation == OPERATION_RAW) {
    ptrdiff_t slash = slice_find_byte(*rest, '/');
    struct slice name = slash < 0 ? *rest : slice_of(rest->ptr, (size_t)slash);
    *rest = slash < 0 ? SLICE("") : slice_from(*rest, (size_t)slash + 1);
    *model = model_of(r);
    return named(r, name, f);
  }
  struct slice header = http_header_of(r->head, SLICE("x-moongate-provider"));
  if (header.len == 0) return only_one(r, f);
  struct provider *p = named(r, header, f);
  if (p == NULL || serves(r, p)) return p;
  fault_set(f, FAULT_PROVIDER_UNKNOWN, "The provider \"%s\" has not the API of %s.", p->name, r->dialect->name);
  return NULL;
}
