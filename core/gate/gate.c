/* gate: the service that a worker's listener serves: endpoints, keys, and the tenures of generations. The worker's
 * thread. */
#include "gate/gate.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/must.h"
#include "base/random.h"
#include "base/secret.h"
#include "gate/health/health_check.h"
#include "gate/keeping/keeping.h"
#include "gate/models.h"
#include "gate/reply.h"
#include "gate/request.h"
#include "gate/signer/signature.h"

/* ---- tenures ------------------------------------------------------------------------------------------------ */

static struct upstream *pool_for(struct gate *g, const struct provider *p) {
  struct upstream_config c = upstream_config_default;
  c.base_url = p->base_url;
  c.ca_file = p->ca_file;
  c.proxy = p->proxy;
  c.http2 = p->http2;
  c.insecure = p->insecure;
  /* The clocks of attempts come first: they tell what is set where. */
  if (p->dial_ms > 0) c.connect_ms = p->dial_ms + 1000;
  if (p->handshake_ms > 0) c.tls_ms = p->handshake_ms + 1000;
  struct err e;
  struct upstream *u = upstream_new(g->loop, &c, &e);
  must(u != NULL); /* the URL was checked when the config was built */
  return u;
}

/* Pools of the running generation go on where nothing that matters to a connection has changed. */
static struct upstream *inherit(struct tenure *from, const struct provider *p, uint32_t key) {
  if (from == NULL) return NULL;
  const struct config *old = from->generation->config;
  for (uint32_t i = 0; i < old->provider_count; i++) {
    const struct provider *q = old->providers[i];
    for (uint32_t k = 0; k < q->key_count; k++) {
      struct upstream **at = &from->pools[i * PROVIDER_KEYS_MAX + k];
      if (*at == NULL || strcmp(q->keys[k].identity, p->keys[key].identity) != 0) continue;
      if (!slice_eq(secret_view(q->keys[k].line), secret_view(p->keys[key].line))) continue;
      if (!slice_eq(secret_view(q->keys[k].bare), secret_view(p->keys[key].bare))) continue;
      return upstream_share(*at);
    }
  }
  return NULL;
}

void gate_adopt(struct gate *g, struct generation *generation) {
  const struct config *c = generation->config;
  struct tenure *t = mem_new(struct tenure), *before = g->tenure;
  t->generation = generation;
  t->script = generation->scripts ? generation->scripts[g->worker] : NULL;
  t->pools = mem_zero((size_t)c->provider_count * PROVIDER_KEYS_MAX * sizeof *t->pools + sizeof *t->pools);
  t->signer_states = mem_zero(((size_t)c->provider_count * PROVIDER_KEYS_MAX + 1) * sizeof *t->signer_states);
  t->next_key = mem_zero(((size_t)c->provider_count + 1) * sizeof *t->next_key);
  for (uint32_t i = 0; i < c->provider_count; i++) {
    for (uint32_t k = 0; k < c->providers[i]->key_count; k++) {
      struct upstream *u = inherit(before, c->providers[i], k);
      t->pools[i * PROVIDER_KEYS_MAX + k] = u ? u : pool_for(g, c->providers[i]);
    }
  }
  t->script_pools = mem_zero(((size_t)c->upstream_count + 1) * sizeof *t->script_pools);
  for (uint32_t i = 0; i < c->upstream_count; i++) {
    struct upstream_config u = upstream_config_default;
    struct err e;
    u.base_url = c->upstreams[i].base_url;
    u.ca_file = c->upstreams[i].ca_file;
    t->script_pools[i] = upstream_new(g->loop, &u, &e);
    must(t->script_pools[i] != NULL);
  }
  t->current = true;
  list_add_last(&g->tenures, &t->link);
  g->tenure = t;
  admission_adopt(c);
  keeping_adopt(c);
  if (before != NULL) {
    health_checks_stop(before->checks);
    before->checks = NULL;
    before->current = false;
    before->requests++;
    tenure_release(g, before);
  }
  if (g->worker == 0) t->checks = health_checks_start(g, t);
}

void tenure_release(struct gate *g, struct tenure *t) {
  must(t->requests > 0);
  if (--t->requests > 0 || t->current) return;
  const struct config *c = t->generation->config;
  for (uint32_t i = 0; i < c->provider_count * PROVIDER_KEYS_MAX; i++) {
    const struct signer *signer = c->providers[i / PROVIDER_KEYS_MAX]->adapter->signer;
    if (t->signer_states[i] != NULL) signer->close(t->signer_states[i]);
    if (t->pools[i] != NULL) upstream_retire(t->pools[i]);
  }
  for (uint32_t i = 0; i < c->upstream_count; i++) upstream_retire(t->script_pools[i]);
  if (g->tenure == t) g->tenure = NULL;
  list_remove(&t->link);
  struct generation *generation = t->generation;
  mem_free(t->pools);
  mem_free(t->script_pools);
  mem_free(t->signer_states);
  mem_free(t->next_key);
  mem_free(t);
  if (atomic_fetch_sub(&generation->workers_using, 1) == 1) generation->released(generation);
}

struct gate *gate_new(struct loop *l, unsigned worker, struct trace_log *traces) {
  struct gate *g = mem_new(struct gate);
  g->loop = l;
  g->worker = worker;
  g->meter = meter_new(worker);
  g->traces = traces;
  list_init(&g->tenures);
  list_init(&g->requests);
  list_init(&g->decided);
  list_init(&g->woken);
  keeping_timer_init(g);
  return g;
}

void gate_let_go(struct gate *g) {
  for (struct link *at = g->requests.next, *next; at != &g->requests; at = next) {
    next = at->next;
    disconnect_cut(list_item(at, struct request, link));
  }
  if (g->tenure == NULL) return;
  health_checks_stop(g->tenure->checks);
  g->tenure->checks = NULL;
  g->tenure->current = false;
  g->tenure->requests++;
  tenure_release(g, g->tenure);
}

void gate_free(struct gate *g) {
  must(list_empty(&g->requests) && list_empty(&g->tenures) && list_empty(&g->decided) && list_empty(&g->woken));
  timer_clear(&g->look_at_kept);
  buf_done(&g->headers);
  buf_done(&g->body);
  buf_done(&g->line);
  mem_free(g);
}

void gate_server_limits(const struct config *c, struct server_limits *out) {
  *out = server_limits_default;
  out->http.head_bytes = c->head_bytes;
  out->body_bytes = c->body_bytes;
  out->head_ms = c->head_ms;
  out->body_ms = c->body_ms;
  out->keep_alive_ms = c->keep_alive_ms;
  out->write_idle_ms = c->write_idle_ms;
  out->connections = c->connections;
  out->half_close_waits = !c->half_close_leaves;
}

/* ---- the service -------------------------------------------------------------------------------------------- */

static bool authenticate(struct request *r, const struct http_head *head, struct fault *f) {
  const struct key_table *keys = r->tenure->generation->config->keys;
  struct slice secret = {NULL, 0};
  enum credential credential = key_credential(head, &secret);
  if (credential == CREDENTIAL_AMBIGUOUS) {
    fault_set(f, FAULT_KEY_AMBIGUOUS, "The request carries more than one key, or an authorization that is no Bearer.");
    return false;
  }
  if (keys == NULL) return true;
  if (credential == CREDENTIAL_SIGNED) {
    r->signature = signature_read(&r->arena, head, keys, &r->key, f);
    return r->signature != NULL;
  }
  if (credential == CREDENTIAL_NONE) {
    fault_set(f, FAULT_KEY_MISSING, "The request carries no key.");
    return false;
  }
  r->key = key_table_find(keys, secret);
  if (r->key == NULL) fault_set(f, FAULT_KEY_INVALID, "The key is not known here.");
  return r->key != NULL;
}

/* Answered here, without any provider. */
static bool is_ours(const struct endpoint *e) {
  return e->operation == OPERATION_MODELS || e->operation == OPERATION_MODEL;
}

static bool content_type_fits(const struct endpoint *e, const struct http_head *head, struct fault *f) {
  if (e->place == MODEL_NOWHERE || is_ours(e)) return true;
  struct slice encoding = http_header_of(head, SLICE("content-encoding")),
               type = http_header_of(head, SLICE("content-type"));
  if (encoding.len > 0 && !slice_eq_nocase(encoding, SLICE("identity"))) {
    fault_set(f, FAULT_CONTENT_TYPE, "The body has content-encoding \"%.*s\".",
              (int)(encoding.len < 40 ? encoding.len : 40), encoding.ptr);
    return false;
  }
  ptrdiff_t semicolon = slice_find_byte(type, ';');
  struct slice bare = slice_trim(semicolon < 0 ? type : slice_of(type.ptr, (size_t)semicolon));
  bool form = e->place == MODEL_IN_FORM;
  if (form ? slice_eq_nocase(bare, SLICE("multipart/form-data"))
           : bare.len == 0 || slice_eq_nocase(bare, SLICE("application/json")))
    return true;
  fault_set(f, FAULT_CONTENT_TYPE, "The body is \"%.*s\", not %s.", (int)(bare.len < 80 ? bare.len : 80), bare.ptr,
            form ? "multipart/form-data" : "application/json");
  return false;
}

static bool takes(const struct endpoint *e, struct slice method) {
  if (e->method.len == 0) return !slice_eq(method, SLICE("CONNECT")) && !slice_eq(method, SLICE("TRACE"));
  return slice_eq(method, e->method) || (slice_eq(e->method, SLICE("GET")) && slice_eq(method, SLICE("HEAD")));
}

static struct slice method_name(struct request *r, struct slice method) {
  return method.len <= 16 ? arena_copy(&r->arena, method) : SLICE("other");
}

/* Clients write absolute-form to what they take for their proxy; servers must read it all the same. */
static const char *proxy_advice(const struct http_head *head) {
  bool absolute = head->target.ptr[0] != '/' && head->target.ptr[0] != '*';
  return absolute ? " The request is written as to a proxy: this is no proxy, set it as the client's base URL." : "";
}

static void opened(void *owner, struct exchange *x, const struct http_head *head) {
  struct gate *g = owner;
  const struct endpoint *e = endpoint_of(head);
  struct request *r = request_new(g, x, head, e);
  struct fault f;
  r->path = arena_copy(&r->arena, head->path.len > 512 ? slice_of(head->path.ptr, 512) : head->path);
  r->method = method_name(r, head->method);
  r->peer = arena_text(&r->arena, slice_text(exchange_peer(x)));
  if (slice_eq(head->method, SLICE("OPTIONS"))) {
    reply_options(r);
  } else if (e->operation == OPERATION_NONE) {
    fault_set(&f, FAULT_NOT_FOUND, "There is no endpoint %.*s.%s", (int)(r->path.len < 120 ? r->path.len : 120),
              r->path.ptr, proxy_advice(head));
    request_refuse(r, &f);
  } else if (!takes(e, head->method)) {
    fault_set(&f, FAULT_METHOD, "%.*s does not take %.*s.", (int)(r->path.len < 120 ? r->path.len : 120), r->path.ptr,
              (int)r->method.len, r->method.ptr);
    request_refuse(r, &f);
  } else if (!authenticate(r, head, &f) || !endpoint_read_path(e, &r->arena, head, &r->asked, &f) ||
             !content_type_fits(e, head, &f) || (!is_ours(e) && !admission_knock(r, head, &f))) {
    request_refuse(r, &f);
  } else if (is_ours(e)) {
    models_reply(r);
  } else if (e->below) {
    r->path_rest = arena_copy(&r->arena, endpoint_rest(e, head->path));
  }
}

static void ready(void *owner, struct exchange *x) {
  (void)owner;
  struct request *r = exchange_owner(x);
  if (!is_ours(r->endpoint)) request_ready(r);
}

static void drained(void *owner, struct exchange *x) {
  (void)owner;
  request_drained(exchange_owner(x));
}

static void closed(void *owner, struct exchange *x, enum exchange_end why) {
  (void)owner;
  request_closed(exchange_owner(x), why);
}

static void refusal(void *owner, struct exchange *x, struct slice path, const struct http_refusal *why,
                    struct buf *headers, struct buf *body) {
  static const struct {
    uint16_t status;
    enum fault_code code;
  } by_status[] = {{408, FAULT_HEAD_TOO_SLOW}, {413, FAULT_BODY_TOO_LARGE},    {414, FAULT_TARGET_TOO_LONG},
                   {417, FAULT_EXPECTATION},   {431, FAULT_HEADERS_TOO_LARGE}, {501, FAULT_TRANSFER_CODING},
                   {505, FAULT_HTTP_VERSION}};
  enum fault_code code = FAULT_BAD_HTTP;
  for (unsigned i = 0; i < sizeof by_status / sizeof *by_status; i++)
    if (by_status[i].status == why->status) code = by_status[i].code;
  if (why->tunnel) code = FAULT_NOT_A_PROXY;
  struct fault f;
  fault_set(&f, code, "The request was refused: %s.", why->why);
  f.status = why->status;
  struct request *r = x != NULL ? exchange_owner(x) : request_new(owner, NULL, NULL, endpoint_for_path(path));
  if (x == NULL) r->path = arena_copy(&r->arena, path);
  buf_text(headers, "content-type: application/json\r\nx-gateway-error: true\r\nx-request-id: ");
  buf_append(headers, r->id, REQUEST_ID_BYTES);
  buf_text(headers, "\r\n");
  if (r->dialect->put_fault_headers != NULL) r->dialect->put_fault_headers(headers, &f);
  r->dialect->put_fault(body, &f, slice_of(r->id, REQUEST_ID_BYTES));
  request_refused_below(r, &f);
}

const struct service *gate_service(void) {
  static const struct service service = {opened, ready, drained, closed, refusal};
  return &service;
}
