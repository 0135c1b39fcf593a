/* coalesce: see the header. */
#include "gate/sharing/coalesce.h"

#include "base/clock.h"
#include "gate/reply.h"
#include "gate/request.h"
#include "gate/sharing/gathering.h"

_Static_assert(sizeof((struct coalesced){0}.with) == REQUEST_ID_BYTES, "a request id");

/* ---- reading ------------------------------------------------------------------------------------------------ */

static void stop_reading(struct coalesced *c) {
  gathering_lock();
  gathering_stop_reading(c);
  gathering_unlock();
}

static void drop_body(struct request *r) {
  admission_drop_body(r, NULL);
  struct buf body = exchange_take_body(r->delivery.exchange);
  buf_done(&body);
  r->body = r->asked.model_raw = r->asked.stream_options_raw = slice_of(NULL, 0);
  if (r->keeping != NULL) keeping_drop_body(r);
}

/* The head, and all of a whole answer. false: that was all. */
static bool begin(struct coalesced *c) {
  struct request *r = c->request;
  struct gathering *g = gathering_of(c);
  const struct shared_answer *s = &g->answer;
  memcpy(c->with, g->leader_id, sizeof c->with);
  if (s->status == 0) {
    request_refuse(r, &s->fault);
    r->outcome = g->outcome;
    return false;
  }
  c->target = arena_copy(&r->arena, buf_view(&g->target));
  r->phase = REQUEST_DELIVERING;
  r->first_content_ns = clock_ns();
  if (!s->whole) {
    reply_follow_start(r, c->with, s->status, buf_view(&s->lines));
    if (!s->relays) exchange_set_filler(r->delivery.exchange, framing_row(r->asked.framing)->filler);
    drop_body(r);
    return true;
  }
  r->outcome = g->outcome;
  reply_follow_whole(r, c->with, s->status, buf_view(&s->lines), shared_reader_next(&c->reader, s));
  stop_reading(c);
  return false;
}

/* The connection's end says that this is not all: within an event, or where there are none, words could not. */
static void cut(struct request *r) {
  r->delivery.ended = true;
  exchange_abort(r->delivery.exchange);
}

/* As is a client that takes nothing for limits.write_idle. */
static void cut_as_gone(struct coalesced *c) {
  struct request *r = c->request;
  r->outcome = OUTCOME_CLIENT_GONE;
  r->status = 499;
  r->disconnect.left_ns = clock_ns();
  stop_reading(c);
  cut(r);
}

static void break_off(struct coalesced *c) {
  struct request *r = c->request;
  const struct gathering *g = gathering_of(c);
  r->fault = g->answer.fault;
  r->refused = true;
  r->outcome = OUTCOME_FAILED;
  r->delivery.next_number = g->next_number;
  stop_reading(c);
  if (g->answer.relays) cut(r);
  else reply_stream_fault(r);
}

/* Gives its client what is there. */
static void pump(struct coalesced *c) {
  struct request *r = c->request;
  struct delivery *d = &r->delivery;
  if (!c->reads) return;
  struct gathering *g = gathering_of(c);
  const struct shared_answer *s = &g->answer;
  enum shared_stage stage = shared_answer_stage(s); /* read first: what was written before an end is there */
  if (stage == SHARED_AWAITED || (!d->started && !begin(c))) return;
  if (c->full && shared_reader_behind(&c->reader, s) > GATHERING_KEPT_BYTES) {
    cut_as_gone(c);
    return;
  }
  while (!c->full) {
    struct slice piece = shared_reader_next(&c->reader, s);
    if (piece.len == 0) break;
    if (!exchange_write(d->exchange, piece)) gathering_set_full(c, true);
  }
  if (c->full || stage < SHARED_COMPLETE) return;
  if (stage == SHARED_FAULTED) {
    break_off(c);
    return;
  }
  if (c->with[0] != '\0') r->outcome = g->outcome;
  stop_reading(c);
  request_end(r);
}

/* ---- being told --------------------------------------------------------------------------------------------- */

/* The leader has to know that nobody waits any more, or that somebody takes more. */
static void attend_leader(struct coalesced *c) {
  struct request *r = c->request;
  struct gathering *g = gathering_of(c);
  gathering_lock();
  bool unheard = g->readers == 0, resumes = g->paused && g->takers > 0;
  if (resumes) g->paused = false;
  gathering_unlock();
  if (unheard) {
    r->overheard = false;
    r->head = NULL;
    r->body = slice_of(NULL, 0);
    disconnect_begin(r, NULL);
    request_attempt_ended(r);
  } else if (resumes) {
    r->delivery.congested = false;
    if (r->source != NULL && r->source->phase < ATTEMPT_DONE) attempt_resume(r->source);
  }
}

void coalesce_tell(void *owner, void *argument) {
  struct coalesced *heir = NULL;
  struct audience *a = gathering_to_tell(owner, &heir);
  (void)argument;
  if (a == NULL) return;
  for (struct link *at = a->members.next, *next; at != &a->members; at = next) {
    next = at->next;
    struct coalesced *c = list_item(at, struct coalesced, link);
    if (c == heir) continue;
    if (c->leads) attend_leader(c);
    else pump(c);
  }
  if (heir != NULL) {
    heir->request->phase = REQUEST_READING;
    request_go_on(heir->request);
  }
  gathering_told(a);
}

/* ---- joining and leaving ------------------------------------------------------------------------------------ */

/* JSON that is asked for and answered as a whole, or a stream of text. */
static bool may_share(const struct request *r) {
  switch (r->endpoint->operation) {
  case OPERATION_CHAT:
  case OPERATION_EMBEDDINGS:
  case OPERATION_RERANK:
  case OPERATION_COMPLETIONS:
  case OPERATION_MODERATIONS:
  case OPERATION_COUNT_TOKENS: return true;
  default: return false;
  }
}

bool coalesce_join(struct request *r) {
  struct route *route = config_route(r->tenure->generation->config, r->asked.model);
  if (route == NULL || !route->coalesce || !may_share(r)) return false;
  unsigned char key[COALESCE_KEY_BYTES];
  coalesce_key_of(r, route, key);
  struct coalesced *c = r->coalesced = arena_new(&r->arena, struct coalesced);
  c->request = r;
  c->joined_ns = clock_ns();
  gathering_join(c, key);
  if (c->leads) return false;
  r->route = route;
  r->route_name = slice_text(route->name);
  r->routed_ns = c->joined_ns;
  r->phase = REQUEST_FOLLOWING;
  admission_stand_by(r);
  meter_add(&r->gate->meter->coalesced, 1);
  pump(c);
  return true;
}

/* Something is done for it, or is about to be. */
static bool is_at_work(const struct request *r) {
  for (const struct attempt *a = r->attempts; a != NULL; a = a->next)
    if (a->phase < ATTEMPT_DONE) return true;
  return r->retry.waits;
}

/* Further attempts need its headers, which are the exchange's. */
static const struct http_head *keep_head(struct request *r) {
  const struct http_head *head = r->head;
  size_t bytes = offsetof(struct http_head, headers) + head->header_count * sizeof *head->headers;
  struct http_head *kept = arena_alloc(&r->arena, bytes);
  memcpy(kept, head, bytes);
  struct slice *texts[] = {&kept->method, &kept->target, &kept->path, &kept->query, &kept->host};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) *texts[i] = arena_copy(&r->arena, *texts[i]);
  for (unsigned i = 0; i < kept->header_count; i++) {
    kept->headers[i].name = arena_copy(&r->arena, kept->headers[i].name);
    kept->headers[i].value = arena_copy(&r->arena, kept->headers[i].value);
  }
  return kept;
}

bool coalesce_left(struct request *r, struct exchange *x) {
  struct coalesced *c = r->coalesced;
  struct gathering *g = gathering_of(c);
  struct fault f;
  fault_set(&f, FAULT_PROVIDER_BROKEN, "The answer was not complete.");
  gathering_lock();
  gathering_stop_reading(c);
  bool leads = c->leads, stays = leads && g->readers > 0 && is_at_work(r);
  if (leads && !stays) {
    if (shared_answer_stage(&g->answer) == SHARED_BEGUN) gathering_answer_failed(c, &f, OUTCOME_FAILED);
    else gathering_hand_over(c);
  }
  gathering_unlock();
  if (!stays) return false;
  r->overheard = true;
  r->head = keep_head(r);
  if (r->body.ptr != NULL) r->disconnect.body = exchange_take_body(x);
  return true;
}

static const struct attempt *last_attempt(const struct request *r) {
  const struct attempt *last = r->source;
  for (const struct attempt *a = r->attempts; a != NULL && r->source == NULL; a = a->next) last = a;
  return last;
}

/* The leader ends, and there is no answer, or not all of it. */
static void end_without(struct coalesced *c, const struct attempt *a) {
  struct fault f;
  if (a == NULL || a->failure == FAILURE_CLIENT_GONE || a->failure == FAILURE_DRAINING || a->failure == FAILURE_NONE)
    fault_set(&f, FAULT_DRAINING, "The gateway shut down before the answer was complete.");
  else reply_fault_of(a, &f);
  gathering_lock();
  if (gathering_may_promote(gathering_of(c), a)) gathering_hand_over(c);
  else gathering_answer_failed(c, &f, OUTCOME_FAILED);
  gathering_unlock();
}

void coalesce_end(struct request *r) {
  struct coalesced *c = r->coalesced;
  if (c->leads) end_without(c, last_attempt(r));
  /* Whatever became of what went on for others. */
  if (r->overheard && r->disconnect.left_ns != 0) r->outcome = OUTCOME_CLIENT_GONE;
  gathering_leave(c);
}

/* ---- the leader --------------------------------------------------------------------------------------------- */

void coalesce_begin(struct request *r, unsigned status, struct slice lines, bool relays) {
  struct coalesced *c = r->coalesced;
  if (!c->leads) return;
  struct gathering *g = gathering_of(c);
  g->answer.relays = relays;
  buf_slice(&g->target, r->source->target->name);
  gathering_lock();
  shared_answer_begin(&g->answer, status, false, lines);
  gathering_wake_followers(g);
  gathering_unlock();
}

void coalesce_whole(struct request *r, unsigned status, struct slice lines, struct slice body) {
  struct coalesced *c = r->coalesced;
  if (!c->leads) return;
  struct gathering *g = gathering_of(c);
  bool failed = r->source->failure != FAILURE_NONE;
  gathering_lock();
  if (failed && gathering_may_promote(g, r->source)) {
    gathering_hand_over(c);
  } else {
    gathering_stop_reading(c);
    g->outcome = failed ? OUTCOME_FAILED : OUTCOME_OK;
    buf_slice(&g->target, r->source->target->name);
    shared_answer_begin(&g->answer, status, true, lines);
    shared_answer_append(&g->answer, body);
    shared_answer_end(&g->answer);
    gathering_answer_ended(c);
  }
  gathering_unlock();
}

void coalesce_write(struct request *r, struct slice bytes) {
  struct coalesced *c = r->coalesced;
  struct gathering *g = gathering_of(c);
  shared_answer_append(&g->answer, bytes);
  pump(c);
  gathering_lock();
  gathering_wake_followers(g);
  if (atomic_load_explicit(&g->answer.bytes, memory_order_relaxed) > GATHERING_KEPT_BYTES) gathering_close(g);
  bool pauses = !g->paused && g->takers == 0 && g->readers > 0;
  if (pauses) g->paused = true;
  gathering_unlock();
  if (!pauses) return;
  r->delivery.congested = true;
  if (r->source != NULL && r->source->phase < ATTEMPT_DONE) attempt_pause(r->source);
}

void coalesce_finish(struct request *r) {
  struct coalesced *c = r->coalesced;
  struct gathering *g = gathering_of(c);
  gathering_lock();
  g->outcome = r->source != NULL && r->source->failure != FAILURE_NONE ? OUTCOME_FAILED : OUTCOME_OK;
  shared_answer_end(&g->answer);
  gathering_answer_ended(c);
  gathering_unlock();
  pump(c);
}

void coalesce_drained(struct request *r) {
  gathering_set_full(r->coalesced, false);
  pump(r->coalesced);
}

bool coalesce_refused(struct request *r, const struct fault *f) {
  struct coalesced *c = r->coalesced;
  if (!c->leads) {
    stop_reading(c);
    return false;
  }
  struct gathering *g = gathering_of(c);
  bool begun = shared_answer_stage(&g->answer) == SHARED_BEGUN;
  bool no_attempt = r->attempts == NULL || (r->source == NULL && fault_status(f) < 500);
  gathering_lock();
  if (!begun) gathering_stop_reading(c);
  if (gathering_may_promote(g, r->source)) gathering_hand_over(c);
  else gathering_answer_failed(c, f, no_attempt ? OUTCOME_REFUSED : OUTCOME_FAILED);
  gathering_unlock();
  if (begun) pump(c);
  return begun;
}
