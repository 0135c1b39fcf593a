/* request: the state machine: what happens between a client's head and the record of how it ended. The worker's thread.
 * It reads no socket and knows no script: exchanges come from io/server, answers from attempts, choices through hooks.
 */
#include "gate/request.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/random.h"
#include "base/suggest.h"
#include "gate/attempt/provider_choice.h"
#include "gate/reply.h"
#include "gate/signer/signature.h"
#include "gate/strict.h"

struct request *request_new(struct gate *g, struct exchange *x, const struct http_head *head,
                            const struct endpoint *endpoint) {
  struct arena arena;
  arena_init(&arena);
  struct request *r = arena_new(&arena, struct request);
  r->arena = arena;
  r->gate = g;
  r->tenure = g->tenure;
  r->tenure->requests++;
  r->endpoint = endpoint;
  r->dialect = dialect_of(endpoint->dialect);
  r->head = head;
  r->path = head != NULL ? head->path : SLICE("");
  r->opened_ns = clock_ns();
  r->opened_wall_ms = clock_wall_ms();
  r->attempts_end = &r->attempts;
  r->fault.code = FAULT_COUNT;
  r->route_name = SLICE("none");
  r->delivery.exchange = x;
  memcpy(r->id, "req_", 4);
  random_text(r->id + 4, REQUEST_ID_BYTES - 4);
  list_add_last(&g->requests, &r->link);
  g->request_count++;
  atomic_store_explicit(&g->meter->in_flight, g->request_count, memory_order_relaxed);
  if (x != NULL) exchange_set_owner(x, r);
  return r;
}

/* ---- the end ------------------------------------------------------------------------------------------------ */

static bool attempts_run(const struct request *r) {
  for (const struct attempt *a = r->attempts; a != NULL; a = a->next)
    if (a->phase < ATTEMPT_DONE) return true;
  return false;
}

/* The request ends when its client has been served (or left) and no attempt runs: then it is recorded, once, and freed.
 */
static void end_if_over(struct request *r) {
  if (r->delivery.exchange != NULL || attempts_run(r)) return;
  admission_end(r);
  retry_end(r);
  hedge_end(r);
  if (r->coalesced != NULL) coalesce_end(r);
  disconnect_end(r);
  recover_end(r);
  if (r->keeping != NULL) keeping_end(r);
  struct gate *g = r->gate;
  r->phase = REQUEST_ENDED;
  r->ended_ns = r->disconnect.left_ns != 0 ? r->disconnect.left_ns : clock_ns();
  uint64_t total_us = (r->ended_ns - r->opened_ns) / 1000, waited_us = r->followed_ns / 1000;
  for (struct attempt *a = r->attempts; a != NULL; a = a->next) {
    r->cost_pico_usd += a->cost_pico_usd;
    waited_us += attempt_shared_ns(a, r->ended_ns) / 1000;
    if (a->number > 1) meter_add(&g->meter->attempts_beyond_first, 1);
    buf_done(&a->held);
  }
  waited_us -= hedge_overlap_ns(r) / 1000;
  if (r->source != NULL) {
    r->usage = r->source->reading.usage;
    r->losses = r->source->losses;
  }
  if (r->source != NULL && (r->source->target != r->plan[0] || r->source->resumes)) meter_add(&g->meter->fallbacks, 1);
  meter_request(g->meter, r->route_name, r->outcome, total_us, total_us > waited_us ? total_us - waited_us : 0);
  if (g->traces != NULL) {
    g->line.len = 0;
    trace_format(&g->line, r);
    if (!trace_log_put(g->traces, g->worker, buf_view(&g->line))) meter_add(&g->meter->trace_dropped, 1);
  }
  const struct hooks *hooks = r->tenure->generation->hooks;
  if (r->script_state != NULL) hooks->forget_request(r->tenure->script, r);
  list_remove(&r->link);
  g->request_count--;
  atomic_store_explicit(&g->meter->in_flight, g->request_count, memory_order_relaxed);
  struct tenure *tenure = r->tenure;
  struct arena arena = r->arena;
  arena_done(&arena);
  tenure_release(g, tenure);
}

void request_refused_below(struct request *r, const struct fault *f) {
  r->fault = *f;
  r->refused = true;
  r->outcome = OUTCOME_REFUSED;
  r->status = fault_status(f);
  end_if_over(r);
}

void request_closed(struct request *r, enum exchange_end why) {
  struct delivery *d = &r->delivery;
  struct exchange *x = d->exchange;
  d->sent_bytes = exchange_sent_bytes(x);
  bool goes_on = r->coalesced != NULL && coalesce_left(r, x);
  d->exchange = NULL;
  if (!goes_on) {
    r->head = NULL;
    r->body = slice_of(NULL, 0);
  }
  if (why == EXCHANGE_BROKEN || (why == EXCHANGE_TOO_SLOW && r->phase == REQUEST_READING)) {
    r->outcome = OUTCOME_REFUSED; /* request_refused_below has told why */
  } else if (why != EXCHANGE_FINISHED) {
    r->outcome = OUTCOME_CLIENT_GONE;
    r->status = 499;
    if (goes_on) r->disconnect.left_ns = clock_ns();
    else disconnect_begin(r, x);
  }
  if (!goes_on) end_if_over(r);
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

void request_refuse(struct request *r, const struct fault *f) {
  struct delivery *d = &r->delivery;
  if (f != &r->fault) r->fault = *f;
  r->outcome = r->attempts == NULL && !d->started ? OUTCOME_REFUSED : OUTCOME_FAILED;
  r->refused = true;
  if (!request_is_heard(r)) return;
  must(!d->ended);
  bool told = r->coalesced != NULL && coalesce_refused(r, &r->fault);
  if (d->exchange == NULL) {
    disconnect_end_soon(r);
    return;
  }
  if (told) return;
  if (d->started) {
    reply_stream_fault(r);
  } else {
    reply_fault(r);
  }
}

void request_shut(struct request *r, const struct fault *f) {
  if (r->disconnect.reads_on || r->overheard) {
    disconnect_cut(r);
    return;
  }
  if (r->delivery.ended) return; /* what is left to do is the kernel's */
  for (struct attempt *a = r->attempts; a != NULL; a = a->next)
    if (a->phase < ATTEMPT_DONE) attempt_cancel(a, FAILURE_DRAINING);
  request_refuse(r, f);
}

/* The attempt's own error, in the client's dialect. */
static void deliver_error(struct request *r, struct attempt *a) {
  struct delivery *d = &r->delivery;
  a = strict_blamed(r, a);
  r->source = a;
  r->outcome = OUTCOME_FAILED;
  if (!request_is_heard(r)) return;
  if (!d->started && a->error_whole && a->status >= 400) {
    reply_provider_error(r, a);
    if (d->exchange == NULL) disconnect_end_soon(r);
  } else {
    struct fault f;
    reply_fault_of(a, &f);
    request_refuse(r, &f);
    if (f.code == FAULT_LOSSY) r->outcome = OUTCOME_REFUSED;
  }
}

/* ---- trying ------------------------------------------------------------------------------------------------- */

void request_plan_add(struct request *r, struct target *t) {
  if (r->plan_count < PLAN_MAX) r->plan[r->plan_count++] = t;
}

void request_plan_replace(struct request *r) {
  r->plan_count = r->plan_next;
}

static void try_next(struct request *r) {
  struct health_claim claim;
  struct attempt *a = attempt_new(r, health_next(r, loop_now_ns(r->gate->loop), &claim));
  a->claim = claim;
  a->key_index = claim.key_index;
  a->place = admission_bind(r, a->target);
  hedge_start(r, a);
  attempt_start(a);
}

void request_try_next(struct request *r) {
  must(r->plan_next < r->plan_count);
  r->phase = REQUEST_TRYING;
  if (admission_choose(r)) try_next(r);
}

static void after_retry(struct request *r, enum hook_verdict verdict, const struct fault *f) {
  struct attempt *failed = r->retrying;
  r->retrying = NULL;
  if (verdict == HOOK_REFUSED) {
    request_refuse(r, f);
    return;
  }
  if (!retry_go_on(r, failed, verdict)) deliver_error(r, failed);
}

void request_attempt_failed(struct request *r, struct attempt *a) {
  if (!request_is_heard(r)) {
    end_if_over(r);
    return;
  }
  if (r->delivery.ended) return; /* it was delivered; only the transport went wrong behind it */
  if ((r->delivery.started && !recover_begin(r, a)) || a->failure == FAILURE_CLIENT_GONE) {
    deliver_error(r, a);
    return;
  }
  a = hedge_failed(r, a);
  if (a == NULL) return; /* the attempt that runs beside it decides */
  struct fault f = {.code = FAULT_COUNT};
  const struct hooks *hooks = r->tenure->generation->hooks;
  r->retrying = a;
  enum hook_verdict verdict =
      r->route != NULL && r->route->has_retry ? hooks->retry(r->tenure->script, r, a, &f) : HOOK_ABSENT;
  if (verdict != HOOK_WAITING) after_retry(r, verdict, &f);
}

/* A stream may last for minutes, and its prompt be long: what no further attempt can need goes. */
static void drop_body(struct request *r, struct attempt *a) {
  admission_drop_body(r, a);
  if (r->script_state != NULL) r->tenure->generation->hooks->drop_body(r->tenure->script, a);
  buf_done(&a->body);
  a->part_count = 0;
  r->body = r->asked.model_raw = r->asked.stream_options_raw = slice_of(NULL, 0);
  if (r->keeping != NULL) keeping_drop_body(r);
  if (r->delivery.exchange == NULL) {
    buf_done(&r->disconnect.body);
    return;
  }
  struct buf body = exchange_take_body(r->delivery.exchange);
  buf_done(&body);
}

void request_attempt_committed(struct request *r, struct attempt *a) {
  hedge_committed(r, a);
  if (r->source == NULL || r->source->phase >= ATTEMPT_FAILED) r->source = a;
  r->phase = REQUEST_DELIVERING;
  if (r->first_content_ns == 0) r->first_content_ns = a->first_content_ns;
  if (r->keeping != NULL) keeping_take_input(r, a);
  if ((a->streams || a->relays) && !recover_keeps_body(a)) drop_body(r, a);
  if (r->delivery.congested) attempt_pause(a);
}

void request_attempt_ended(struct request *r) {
  end_if_over(r);
}

/* ---- routing ------------------------------------------------------------------------------------------------ */

struct target *request_target(struct request *r, struct slice name) {
  const struct config *c = r->tenure->generation->config;
  struct target *known = config_target(c, name);
  if (known != NULL) return known;
  ptrdiff_t slash = slice_find_byte(name, '/');
  if (slash <= 0 || (size_t)slash + 1 >= name.len) return NULL;
  struct provider *p = config_provider(c, slice_of(name.ptr, (size_t)slash));
  if (p == NULL) return NULL;
  struct target *t = arena_new(&r->arena, struct target);
  t->name = arena_copy(&r->arena, name);
  t->model = slice_from(t->name, (size_t)slash + 1);
  t->provider = p;
  config_know_target(c, t);
  t->state = target_state_of(t->name);
  t->weight_milli = 1000;
  return t;
}

static void refuse_model(struct request *r) {
  const struct config *c = r->tenure->generation->config;
  const char *names[256];
  size_t count = 0;
  for (uint32_t i = 0; i < c->route_count && count < 256; i++) names[count++] = c->routes[i]->name;
  for (uint32_t i = 0; i < c->target_count && count + 2 <= 256; i++) {
    names[count++] = c->targets[i]->name.ptr;
    names[count++] = c->targets[i]->model.ptr;
  }
  char *asked = arena_text(&r->arena, r->asked.model);
  const char *near = suggest_nearest(asked, names, count);
  struct fault f;
  if (near != NULL)
    fault_set(&f, FAULT_MODEL_UNKNOWN, "There is no model or route \"%.128s\"; did you mean \"%.128s\"?", asked, near);
  else fault_set(&f, FAULT_MODEL_UNKNOWN, "There is no model or route \"%.128s\".", asked);
  snprintf(f.param, sizeof f.param, "model");
  request_refuse(r, &f);
}

static void after_route(struct request *r, enum hook_verdict verdict, const struct fault *f) {
  r->routed_ns = clock_ns();
  if (verdict == HOOK_REFUSED || (verdict == HOOK_FAILED && r->route->refuse_on_script_error)) {
    request_refuse(r, f);
    return;
  }
  if (verdict == HOOK_ABSENT || verdict == HOOK_FAILED) {
    r->plan_count = 0;
    for (uint32_t i = 0; i < r->route->target_count; i++) request_plan_add(r, r->route->targets[i]);
  }
  if (r->plan_count == 0) {
    struct fault none;
    fault_set(&none, FAULT_NO_TARGET, "The policy of route \"%s\" returned no target.", r->route->name);
    request_refuse(r, &none);
    return;
  }
  request_try_next(r);
}

void request_resumed(struct request *r, enum hook_verdict verdict, const struct fault *f) {
  if (r->delivery.ended) return; /* refused meanwhile: the gateway stops */
  if (r->retrying != NULL) after_retry(r, verdict, f);
  else after_route(r, verdict, f);
}

/* model: a route's name, then provider/model, then a bare model that some provider owns. */
static void route(struct request *r) {
  const struct config *c = r->tenure->generation->config;
  struct slice model = r->asked.model;
  r->phase = REQUEST_ROUTING;
  r->route = config_route(c, model);
  if (r->route != NULL) {
    r->route_name = slice_text(r->route->name);
    struct fault f = {.code = FAULT_COUNT};
    enum hook_verdict verdict = HOOK_ABSENT;
    if (r->route->has_policy) verdict = r->tenure->generation->hooks->route(r->tenure->script, r, &f);
    if (verdict != HOOK_WAITING) after_route(r, verdict, &f);
    return;
  }
  r->route_name = SLICE("direct");
  struct target *t = request_target(r, model);
  if (t == NULL) {
    struct provider *owner = config_owner_of(c, model);
    if (owner != NULL) {
      struct slice parts[] = {slice_text(owner->name), SLICE("/"), model};
      t = request_target(r, arena_join(&r->arena, parts, 3));
    }
  }
  r->routed_ns = clock_ns();
  if (t == NULL) {
    r->route_name = SLICE("none");
    refuse_model(r);
    return;
  }
  request_plan_add(r, t);
  request_try_next(r);
}

/* What names no model goes to a provider: the one that the path or a header names, or the only one there is. */
static void route_to_provider(struct request *r) {
  struct fault f;
  struct slice rest = SLICE(""), model = SLICE("");
  struct provider *p = provider_choose(r, &rest, &model, &f);
  r->route_name = SLICE("direct");
  r->routed_ns = clock_ns();
  if (p == NULL) {
    r->route_name = SLICE("none");
    request_refuse(r, &f);
    return;
  }
  r->path_rest = rest;
  r->asked.model = model;
  struct slice last = model.len > 0 ? model : slice_text(operation_row(r->endpoint->operation)->name);
  struct slice parts[] = {slice_text(p->name), SLICE("/"), last};
  struct target *t = request_target(r, arena_join(&r->arena, parts, 3));
  if (model.len == 0) {
    /* Of no model: its figures count under the operation's name, and nothing has its price. */
    struct target *nameless = arena_new(&r->arena, struct target);
    *nameless = *t;
    nameless->model = SLICE("");
    nameless->price = NULL;
    t = nameless;
  }
  request_plan_add(r, t);
  request_try_next(r);
}

static void find_way(struct request *r) {
  if (r->asked.model.len == 0) route_to_provider(r);
  else route(r);
}

/* Reads the body as far as the endpoint says how. */
static bool read_body(struct request *r, struct fault *f) {
  const struct endpoint *e = r->endpoint;
  r->asked.only_looks =
      slice_eq(r->method, SLICE("GET")) || slice_eq(r->method, SLICE("HEAD")) || slice_eq(r->method, SLICE("DELETE"));
  if (e->place == MODEL_NOWHERE) return true;
  if (e->place == MODEL_IN_FORM)
    return asked_read_form(&r->arena, http_header_of(r->head, SLICE("content-type")), r->body, &r->asked, f);
  const struct request_shape *shape = e->shape ? e->shape : &r->dialect->request;
  if (!asked_read(shape, &r->arena, r->body, &r->asked, f)) return false;
  if (e->operation == OPERATION_SPEECH) r->asked.characters = asked_characters(shape, r->body);
  return true;
}

/* What an answer is kept for, or was kept: where the dialect's servers do so. false: f tells. */
static bool keep(struct request *r, struct fault *f) {
  bool changed = false;
  if (r->dialect != &dialect_openai_responses || r->endpoint->operation != OPERATION_CHAT) return true;
  if (r->tenure->generation->config->kept_bytes == 0) return true;
  return keeping_begin(r, &changed, f) && (!changed || read_body(r, f));
}

void request_ready(struct request *r) {
  struct fault f;
  r->ready_ns = clock_ns();
  r->body = exchange_body(r->delivery.exchange);
  r->body_bytes = r->body.len;
  if (r->signature != NULL && !signature_holds(r->signature, r->key, r->head, r->body, &f)) {
    request_refuse(r, &f);
    return;
  }
  if (!read_body(r, &f) || !keep(r, &f)) {
    request_refuse(r, &f);
    return;
  }
  if (r->asked.model.len > 0 && !key_may_use(r->key, r->asked.model)) {
    fault_set(&f, FAULT_MODEL_FORBIDDEN, "The key \"%s\" may not use this model.", r->key->name);
    snprintf(f.param, sizeof f.param, "model");
    request_refuse(r, &f);
    return;
  }
  if (r->asked.only_looks && r->endpoint->operation == OPERATION_RESPONSES) {
    if (keeping_look_up(r, &f)) return;
    if (f.code != FAULT_COUNT) {
      request_refuse(r, &f);
      return;
    }
  }
  if (r->tenure->generation->config->coalesces && coalesce_join(r)) return;
  request_go_on(r);
}

void request_go_on(struct request *r) {
  if (admission_enter(r)) find_way(r);
}

void request_admitted(struct request *r) {
  if (r->phase == REQUEST_READING) find_way(r);
  else try_next(r);
}

/* ---- the flow to the client --------------------------------------------------------------------------------- */

void request_drained(struct request *r) {
  if (r->coalesced != NULL) {
    coalesce_drained(r);
    return;
  }
  r->delivery.congested = false;
  if (r->source != NULL && r->source->phase < ATTEMPT_DONE) attempt_resume(r->source);
}

void request_write(struct request *r, struct slice bytes) {
  struct delivery *d = &r->delivery;
  if (!request_is_heard(r) || bytes.len == 0) return;
  if (r->dialect->note_sent != NULL) r->dialect->note_sent(&d->next_number, bytes);
  if (r->coalesced != NULL) {
    coalesce_write(r, bytes);
    return;
  }
  if (!exchange_write(d->exchange, bytes) && !d->congested) {
    d->congested = true;
    if (r->source != NULL && r->source->phase < ATTEMPT_DONE) attempt_pause(r->source);
  }
}

void request_end(struct request *r) {
  struct delivery *d = &r->delivery;
  if (r->coalesced != NULL && r->coalesced->leads) {
    coalesce_finish(r);
    return;
  }
  if (d->exchange == NULL) return;
  d->ended = true;
  exchange_end(d->exchange);
}
