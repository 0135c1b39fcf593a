/* models: composed per request; lists are short and asked for rarely. The worker's thread. */
#include "gate/models.h"

#include <stdio.h>

#include "gate/reply.h"

struct listing {
  struct buf *out;
  struct slice only; /* one id, or ptr NULL for all */
  const struct request *request;
  struct slice first, last;
  unsigned count;
};

static void put_openai(const struct listing *l, struct slice id, struct slice owner) {
  buf_text(l->out, "{\"id\":");
  json_put_string(l->out, id);
  buf_text(l->out, ",\"object\":\"model\",\"created\":0,\"owned_by\":");
  json_put_string(l->out, owner);
  buf_byte(l->out, '}');
}

static void put_anthropic(const struct listing *l, struct slice id) {
  buf_text(l->out, "{\"type\":\"model\",\"id\":");
  json_put_string(l->out, id);
  buf_text(l->out, ",\"display_name\":");
  json_put_string(l->out, id);
  buf_text(l->out, ",\"created_at\":\"1970-01-01T00:00:00Z\"}");
}

static void put_gemini(const struct listing *l, struct slice id) {
  struct slice parts[] = {SLICE("models/"), id};
  buf_text(l->out, "{\"name\":");
  json_put_string(l->out, arena_join((struct arena *)&l->request->arena, parts, 2));
  buf_text(l->out, ",\"displayName\":");
  json_put_string(l->out, id);
  buf_text(l->out, ",\"version\":\"\",\"supportedGenerationMethods\":[\"generateContent\",\"streamGenerateContent\","
                   "\"embedContent\",\"countTokens\"]}");
}

static void put_bedrock(const struct listing *l, struct slice id, struct slice owner) {
  buf_text(l->out, "{\"modelId\":");
  json_put_string(l->out, id);
  buf_text(l->out, ",\"modelArn\":");
  json_put_string(l->out, id);
  buf_text(l->out, ",\"modelName\":");
  json_put_string(l->out, id);
  buf_text(l->out, ",\"providerName\":");
  json_put_string(l->out, owner);
  buf_text(l->out,
           ",\"inputModalities\":[\"TEXT\"],\"outputModalities\":[\"TEXT\"],\"responseStreamingSupported\":true,"
           "\"inferenceTypesSupported\":[\"ON_DEMAND\"],\"modelLifecycle\":{\"status\":\"ACTIVE\"}}");
}

static void put(struct listing *l, struct slice id, struct slice owner) {
  if (l->only.ptr != NULL && !slice_eq(l->only, id)) return;
  if (!key_may_use(l->request->key, id)) return;
  if (l->count++ > 0) buf_byte(l->out, ',');
  else l->first = id;
  l->last = id;
  switch (dialect_index(l->request->dialect)) {
  case DIALECT_ANTHROPIC_MESSAGES: put_anthropic(l, id); break;
  case DIALECT_GEMINI: put_gemini(l, id); break;
  case DIALECT_BEDROCK_CONVERSE: put_bedrock(l, id, owner); break;
  default: put_openai(l, id, owner);
  }
}

/* The same target may stand in several routes with weights of its own. */
static bool was_listed(const struct config *c, uint32_t index) {
  for (uint32_t i = 0; i < index; i++)
    if (slice_eq(c->targets[i]->name, c->targets[index]->name)) return true;
  return false;
}

static void put_all(struct listing *l) {
  const struct config *c = l->request->tenure->generation->config;
  for (uint32_t i = 0; i < c->route_count; i++) put(l, slice_text(c->routes[i]->name), SLICE("moongate"));
  for (uint32_t i = 0; i < c->target_count; i++)
    if (!was_listed(c, i)) put(l, c->targets[i]->name, slice_text(c->targets[i]->provider->name));
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

static void put_id(struct buf *out, bool given, struct slice id) {
  if (given) json_put_string(out, id);
  else buf_text(out, "null");
}

static void reply_list(struct request *r, struct buf *body) {
  static const char *const begins[DIALECT_COUNT] = {
      [DIALECT_ANTHROPIC_MESSAGES] = "{\"data\":[",
      [DIALECT_GEMINI] = "{\"models\":[",
      [DIALECT_BEDROCK_CONVERSE] = "{\"modelSummaries\":[",
  };
  struct listing l = {.out = body, .request = r};
  const char *begin = begins[dialect_index(r->dialect)];
  buf_text(body, begin ? begin : "{\"object\":\"list\",\"data\":[");
  put_all(&l);
  buf_byte(body, ']');
  if (r->dialect == &dialect_anthropic_messages) {
    buf_text(body, ",\"has_more\":false,\"first_id\":");
    put_id(body, l.count > 0, l.first);
    buf_text(body, ",\"last_id\":");
    put_id(body, l.count > 0, l.last);
  }
  buf_byte(body, '}');
  reply_json(r, 200, buf_view(body));
}

void models_reply(struct request *r) {
  struct buf *body = &r->gate->body;
  body->len = 0;
  if (r->endpoint->operation == OPERATION_MODELS) {
    reply_list(r, body);
    return;
  }
  struct listing l = {.out = body, .only = r->asked.model, .request = r};
  bool wrapped = r->dialect == &dialect_bedrock_converse;
  if (wrapped) buf_text(body, "{\"modelDetails\":");
  put_all(&l);
  if (wrapped) buf_byte(body, '}');
  if (l.count > 0) {
    reply_json(r, 200, buf_view(body));
    return;
  }
  struct fault f;
  fault_set(&f, FAULT_MODEL_UNKNOWN, "There is no such model, or this key may not use it.");
  snprintf(f.param, sizeof f.param, "model");
  request_refuse(r, &f);
}
