/* models: composed per request; lists are short and asked for rarely. The worker's thread. */
#include "gate/models.h"

#include <stdio.h>

#include "gate/reply.h"
#include "wire/url.h"

struct listing {
  struct buf *out;
  struct slice only; /* one id, or ptr NULL for all */
  const struct request *request;
  struct slice first, last;
  unsigned count;
};

static void put(struct listing *l, struct slice id, struct slice owner) {
  if (l->only.ptr != NULL && !slice_eq(l->only, id)) return;
  if (!key_may_use(l->request->key, id)) return;
  if (l->count++ > 0) buf_byte(l->out, ',');
  else l->first = id;
  l->last = id;
  bool anthropic = l->request->dialect == &dialect_anthropic_messages;
  buf_text(l->out, anthropic ? "{\"type\":\"model\",\"id\":" : "{\"id\":");
  json_put_string(l->out, id);
  if (anthropic) {
    buf_text(l->out, ",\"display_name\":");
    json_put_string(l->out, id);
    buf_text(l->out, ",\"created_at\":\"1970-01-01T00:00:00Z\"}");
  } else {
    buf_text(l->out, ",\"object\":\"model\",\"created\":0,\"owned_by\":");
    json_put_string(l->out, owner);
    buf_byte(l->out, '}');
  }
}

static void put_all(struct listing *l) {
  const struct config *c = l->request->tenure->generation->config;
  for (uint32_t i = 0; i < c->route_count; i++) put(l, slice_text(c->routes[i]->name), SLICE("moongate"));
  for (uint32_t i = 0; i < c->target_count; i++) put(l, c->targets[i]->name, slice_text(c->targets[i]->provider->name));
  /* Models that an adapter knows, of providers that are configured. */
  for (uint32_t i = 0; i < c->provider_count; i++) {
    const struct provider *p = c->providers[i];
    for (char **model = p->adapter->models; model != NULL && *model != NULL; model++) {
      char name[300];
      int len = snprintf(name, sizeof name, "%s/%s", p->name, *model);
      if (len <= 0 || (size_t)len >= sizeof name || config_target(c, slice_of(name, (size_t)len)) != NULL) continue;
      put(l, arena_copy((struct arena *)&l->request->arena, slice_of(name, (size_t)len)), slice_text(p->name));
    }
  }
}

static void reply_list(struct request *r, struct buf *body) {
  struct listing l = {.out = body, .request = r};
  bool anthropic = r->dialect == &dialect_anthropic_messages;
  buf_text(body, anthropic ? "{\"data\":[" : "{\"object\":\"list\",\"data\":[");
  put_all(&l);
  buf_byte(body, ']');
  if (anthropic) {
    buf_text(body, ",\"has_more\":false,\"first_id\":");
    if (l.count > 0) json_put_string(body, l.first);
    else buf_text(body, "null");
    buf_text(body, ",\"last_id\":");
    if (l.count > 0) json_put_string(body, l.last);
    else buf_text(body, "null");
  }
  buf_byte(body, '}');
  reply_json(r, 200, buf_view(body));
}

void models_reply(struct request *r) {
  struct buf *body = &r->gate->body;
  body->len = 0;
  if (r->endpoint == ENDPOINT_MODELS) {
    reply_list(r, body);
    return;
  }
  struct slice escaped = slice_from(r->path, 11);
  char *id = arena_alloc(&r->arena, escaped.len + 1);
  size_t len = 0;
  struct listing l = {.out = body, .request = r};
  if (url_decode(escaped, id, &len) && len > 0) {
    l.only = slice_of(id, len);
    put_all(&l);
  }
  if (l.count > 0) {
    reply_json(r, 200, buf_view(body));
    return;
  }
  struct fault f;
  fault_set(&f, FAULT_MODEL_UNKNOWN, "There is no such model, or this key may not use it.");
  snprintf(f.param, sizeof f.param, "model");
  request_refuse(r, &f);
}
