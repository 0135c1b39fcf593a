/* attempt: see the header for its states. The worker's thread. Every function that tells the request of an end does it
 * last: the request, and the attempt with it, may be gone when that call returns. */
#include "gate/attempt/attempt.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/secret.h"
#include "gate/account/estimate.h"
#include "gate/attempt/incoming.h"
#include "gate/attempt/outgoing.h"
#include "gate/attempt/retry_after.h"
#include "gate/reply.h"
#include "gate/request.h"
#include "gate/strict.h"

enum {
  EVENT_BYTES_MAX = 16 << 20,
  ERROR_BODY_BYTES_MAX = 1 << 20,
  PEEK_BYTES_MAX = 1 << 20,
  RELAY_FROM_BYTES = 8 << 20,
  TRAILER_MS = 500 /* after the dialect's terminal event, for the transport's own end */
};

static void upcall_head(void *owner, const struct http_head *head);
static void upcall_body(void *owner, struct slice bytes);
static void upcall_end(void *owner);
static void upcall_fail(void *owner, const struct upcall_fault *fault);

static const struct upcall_events events = {upcall_head, upcall_body, upcall_end, upcall_fail};

static const struct hooks *hooks_of(const struct attempt *a) {
  return a->request->tenure->generation->hooks;
}

static const struct provider *provider_of(const struct attempt *a) {
  return a->target->provider;
}

static bool is_chat(const struct attempt *a) {
  return a->request->endpoint->operation == OPERATION_CHAT;
}

/* ---- the end ------------------------------------------------------------------------------------------------ */

/* Cost, health and meters of an attempt, once, whatever its end. */
static void record(struct attempt *a) {
  if (a->recorded) return;
  a->recorded = true;
  struct request *r = a->request;
  struct target_state *s = a->target->state;
  struct target_meter *m = target_meter_of(s, r->gate->worker);
  struct usage *u = &a->reading.usage;
  estimate_usage(a);
  u->cost_told = u->cost_told && provider_of(a)->adapter->tells_cost;
  a->cost_pico_usd = price_cost_pico_usd(a->target->price, u);
  atomic_fetch_sub_explicit(&s->in_flight, 1, memory_order_relaxed);
  if (a->times.resent) meter_add(&r->gate->meter->possibly_duplicate, 1);
  admission_drop(a);
  admission_leave(a->place, a->ended_ns - a->started_ns);
  meter_add(&m->attempts, 1);
  meter_add(&m->failures[a->failure], 1);
  if (u->source != USAGE_NONE) {
    meter_add(&m->input_tokens, u->input_tokens);
    meter_add(&m->output_tokens, u->output_tokens);
    meter_add(&m->cache_read_tokens, u->cache_read_tokens);
    meter_add(&m->cache_write_tokens, u->cache_write_tokens + u->cache_write_1h_tokens);
    meter_add(&m->reasoning_tokens, u->reasoning_tokens);
    meter_add(&m->cost_pico_usd, (uint64_t)a->cost_pico_usd);
    if (a->target->price == NULL || (a->target->price->estimate && !u->cost_told)) meter_add(&m->unpriced, 1);
  }
  uint64_t first_us = a->first_content_ns ? (a->first_content_ns - a->started_ns) / 1000 : 0;
  if (first_us > 0 && a->streams) {
    unsigned bucket = 0;
    while (bucket < METER_BUCKETS - 1 && first_us > histogram_bounds_us[bucket]) bucket++;
    meter_add(&m->first_token_buckets[bucket], 1);
    meter_add(&m->first_token_count, 1);
    meter_add(&m->first_token_sum_us, first_us);
  }
  if (a->failure == FAILURE_NONE || failure_row(a->failure)->counts_against_health)
    target_record(s, a->failure != FAILURE_NONE, (a->ended_ns - a->started_ns) / 1000, first_us);
  health_record(a);
}

static void settle(struct attempt *a, enum attempt_phase phase) {
  a->phase = phase;
  a->ended_ns = clock_ns();
  timer_clear(&a->timer);
  if (a->call != NULL) {
    a->times = *upcall_times(a->call);
    upcall_cancel(a->call);
    a->call = NULL;
  }
  buf_done(&a->body);
  list_remove(&a->wait.link);
  stream_done(&a->stream);
  if (a->script_state != NULL) hooks_of(a)->forget_attempt(a->request->tenure->script, a);
  record(a);
}

static void scrub(const struct attempt *a, char *bytes, size_t len) {
  if (len > 0) secret_scrub(provider_of(a)->keys[a->key_index].bare, bytes, len);
}

/* The same for a key that ends with the text: messages are cut on their way here, and the cut may have split one. */
static void scrub_cut(const struct attempt *a, char *text, size_t len) {
  enum { TELLING_BYTES = 4 };
  struct slice key = secret_view(provider_of(a)->keys[a->key_index].bare);
  for (size_t part = len < key.len ? len : key.len; part >= TELLING_BYTES; part--) {
    if (memcmp(text + len - part, key.ptr, part) != 0) continue;
    memset(text + len - part, '*', part);
    return;
  }
}

/* Why it failed, without the provider's key, which providers like to repeat. */
static void blame(struct attempt *a, enum failure_class why, const char *text) {
  /* What becomes of an answer that nobody waits for is not held against who gave it. */
  bool unheard = a->request->disconnect.left_ns != 0 && !request_is_heard(a->request);
  a->failure = unheard ? FAILURE_CLIENT_GONE : why;
  size_t len = (size_t)snprintf(a->failure_text, sizeof a->failure_text, "%.199s", text);
  scrub(a, a->failure_text, len);
  scrub_cut(a, a->failure_text, len);
}

static void fail(struct attempt *a, enum failure_class why, const char *text) {
  blame(a, why, text);
  settle(a, ATTEMPT_FAILED);
  request_attempt_failed(a->request, a);
}

void attempt_cancel(struct attempt *a, enum failure_class why) {
  a->failure = why;
  settle(a, ATTEMPT_CANCELLED);
  buf_done(&a->held);
}

static void done(struct attempt *a) {
  settle(a, ATTEMPT_DONE);
  buf_done(&a->held);
  request_attempt_ended(a->request);
}

static void arm(struct attempt *a, uint64_t now);

/* The stream's own end was seen, a good one or the provider's error: what the transport does now does not matter. */
static bool said_all(const struct attempt *a) {
  return a->reading.complete || a->reading.failed || a->told_end;
}

void attempt_pause(struct attempt *a) {
  if (a->call != NULL) upcall_pause(a->call);
}

void attempt_resume(struct attempt *a) {
  if (a->call == NULL) return;
  /* A client that would not read is not a provider that would not write. */
  clocks_resume(&a->clocks, clock_ns());
  if (!said_all(a)) arm(a, a->clocks.content_ns);
  upcall_resume(a->call);
}

/* ---- clocks ------------------------------------------------------------------------------------------------- */

/* Only who asked for a stream sees a first token; whole answers have clocks of their own. */
static bool awaits_first_token(const struct attempt *a) {
  return a->first_content_ns == 0 && a->request->asked.stream;
}

static bool awaits_next_token(const struct attempt *a) {
  return a->first_content_ns != 0 && (a->streams || a->relays) && !a->request->delivery.congested;
}

/* The client has all of it; only the provider's transport has not ended. */
static bool is_delivered(const struct attempt *a) {
  return a->phase == ATTEMPT_FLOWING && !a->streams && !a->relays;
}

static struct clocks_view view_of(const struct attempt *a) {
  bool whole = a->first_content_ns == 0 && !a->streams;
  struct clocks_view v = {.calls = a->call != NULL,
                          .awaits_first = awaits_first_token(a),
                          .awaits_next = awaits_next_token(a),
                          .awaits_first_byte = whole && !a->request->asked.stream,
                          .may_be_whole = whole && !a->request->asked.stream && a->phase <= ATTEMPT_CALLING,
                          .awaits_bytes = whole && a->phase == ATTEMPT_HEAD};
  if (v.calls) v.phase = upcall_phase(a->call, &v.since_ns);
  return v;
}

static void arm(struct attempt *a, uint64_t now) {
  struct clocks_view v = view_of(a);
  uint64_t due_ns = clocks_next(&a->clocks, &v, now).at_ns;
  if (due_ns == UINT64_MAX) timer_clear(&a->timer);
  else timer_set_ms(&a->timer, due_ns > now ? (due_ns - now) / 1000000 + 1 : 1);
}

static void finish_stream(struct attempt *a);

static void clock_fired(void *owner) {
  struct attempt *a = owner;
  uint64_t now = clock_ns();
  enum clock_id over;
  char text[120];
  if (is_delivered(a)) {
    done(a);
  } else if (a->phase == ATTEMPT_FLOWING && said_all(a)) { /* the same after the terminal event */
    finish_stream(a);
  } else {
    struct clocks_view v = view_of(a);
    if (clocks_over(&a->clocks, &v, now, &over, text)) fail(a, clock_failure(over), text);
    else arm(a, now);
  }
}

/* ---- the request -------------------------------------------------------------------------------------------- */

struct attempt *attempt_new(struct request *r, struct target *t) {
  struct attempt *a = arena_new(&r->arena, struct attempt);
  a->request = r;
  a->target = t;
  a->number = ++r->attempt_count;
  a->phase = ATTEMPT_BUILDING;
  const struct provider *p = t->provider;
  a->dialect = provider_dialect(p, t->model, r->dialect);
  a->crosses = !operation_is_shared(r->endpoint->operation, r->dialect, a->dialect);
  a->framing = a->crosses ? a->dialect->framing : r->asked.framing;
  bool rewrites = p->adapter->rewrites_request || p->adapter->rewrites_response || p->adapter->rewrites_event;
  a->translated = a->crosses || (rewrites && is_chat(a));
  recover_prepare(a);
  *r->attempts_end = a;
  r->attempts_end = &a->next;
  timer_init(&a->timer, r->gate->loop, clock_fired, a);
  return a;
}

/* Of an attempt that did not come from the plan. */
static void choose_key(struct attempt *a) {
  if (a->claim.made) return;
  health_force(a->target, &a->request->tenure->next_key[provider_of(a)->index], a->started_ns, &a->claim);
  a->key_index = a->claim.key_index;
}

/* The request itself is at fault: no other target of that dialect would take it either. */
static void refuse(struct attempt *a, const struct fault *f) {
  struct request *r = a->request;
  if (a->is_hedge || a->resumes) { /* the attempt beside or before it was taken by its target */
    fail(a, FAILURE_UNTRANSLATABLE, f->text);
    return;
  }
  blame(a, FAILURE_INVALID, f->text);
  settle(a, ATTEMPT_FAILED);
  request_refuse(r, f);
  r->outcome = OUTCOME_REFUSED;
}

static void call(struct attempt *a, struct slice headers, struct slice secret_lines) {
  const struct provider *p = provider_of(a);
  struct upcall_request request = {
      .method = a->request->method,
      .target = a->path,
      .headers = headers,
      .secret_line = secret_lines,
      .body = a->parts,
      .body_parts = a->part_count,
  };
  a->phase = ATTEMPT_CALLING;
  a->call = upcall_start(a->request->tenure->pools[p->index * PROVIDER_KEYS_MAX + a->key_index], &request, &events, a);
  arm(a, upcall_times(a->call)->started_ns);
}

static void sign_and_call(struct attempt *a);

static void wait_over(struct signer_wait *w) {
  sign_and_call(list_item(w, struct attempt, wait));
}

static void sign_and_call(struct attempt *a) {
  const struct provider *p = provider_of(a);
  struct tenure *tenure = a->request->tenure;
  struct buf lines = {0};
  char why[SIGNER_WHY_BYTES] = "";
  a->wait.over = wait_over;
  struct signing signing = {.provider = p,
                            .key_index = a->key_index,
                            .loop = a->request->gate->loop,
                            .state = &tenure->signer_states[p->index * PROVIDER_KEYS_MAX + a->key_index],
                            .method = a->request->method,
                            .target = a->path,
                            .headers = outgoing_headers(a),
                            .body = a->parts,
                            .body_parts = a->part_count};
  enum signer_verdict verdict = p->adapter->signer->sign(&signing, &a->wait, &lines, why);
  if (verdict == SIGNER_DONE) call(a, signing.headers, buf_view(&lines));
  if (lines.len > 0) secret_wipe(lines.ptr, lines.len);
  buf_done(&lines);
  if (verdict == SIGNER_FAILED) fail(a, FAILURE_AUTH, why);
}

void attempt_start(struct attempt *a) {
  struct request *r = a->request;
  const struct provider *p = provider_of(a);
  struct fault f = {.code = FAULT_COUNT};
  a->started_ns = clock_ns();
  timeouts_find(r->route, a->target, r->asked.stream, &a->clocks.limits);
  if (a->resumes) recover_limit(a);
  clocks_start(&a->clocks, a->started_ns);
  retry_count(a);
  admission_hold_body(a);
  atomic_fetch_add_explicit(&a->target->state->in_flight, 1, memory_order_relaxed);
  if (a->target->price == NULL && a->target->model.len > 0 && r->tenure->generation->config->deny_unpriced) {
    char text[200];
    snprintf(text, sizeof text, "Nobody knows what \"%.120s\" costs, so it is not called.", a->target->name.ptr);
    fail(a, FAILURE_UNPRICED, text);
    return;
  }
  if (a->crosses && !is_chat(a) && operation_path(r->endpoint->operation, a->dialect).len == 0) {
    char text[160];
    snprintf(text, sizeof text, "its API (%s) has no %s endpoint that this request can be translated to.",
             a->dialect->name, operation_row(r->endpoint->operation)->name);
    fail(a, FAILURE_UNTRANSLATABLE, text);
    return;
  }
  if (!outgoing_set_path(a, &f)) {
    refuse(a, &f);
    return;
  }
  if (a->crosses || a->continues || (p->adapter->rewrites_request && is_chat(a))) {
    enum hook_verdict verdict = hooks_of(a)->build(r->tenure->script, a, &f);
    if (verdict == HOOK_REFUSED && f.code == FAULT_FIELD_INVALID) {
      refuse(a, &f);
      return;
    }
    if (verdict != HOOK_DONE) {
      fail(a, verdict == HOOK_REFUSED ? FAILURE_UNTRANSLATABLE : FAILURE_SCRIPT, f.text);
      return;
    }
  }
  if (strict_refuses(a)) {
    strict_fault(a, &f);
    fail(a, FAILURE_LOSSY, f.text);
    return;
  }
  outgoing_set_parts(a);
  choose_key(a);
  if (p->adapter->signer != NULL) {
    arm(a, a->started_ns);
    sign_and_call(a);
  } else {
    call(a, outgoing_headers(a), secret_view(p->keys[a->key_index].line));
  }
}

/* ---- the answer --------------------------------------------------------------------------------------------- */

static void first_content(struct attempt *a) {
  a->first_content_ns = clock_ns();
  clocks_resume(&a->clocks, a->first_content_ns);
  health_content(a);
  hedge_learn(a);
}

/* From here on the answer passes by. length NULL: unknown. */
static void begin_relay(struct attempt *a, const uint64_t *length) {
  struct request *r = a->request;
  operation_read_bytes(r->endpoint->operation, &r->asked, &a->reading);
  a->relays = true;
  first_content(a);
  a->phase = ATTEMPT_FLOWING;
  arm(a, a->first_content_ns);
  request_attempt_committed(r, a);
  if (request_is_heard(r)) reply_relay(r, a, length);
}

static void upcall_head(void *owner, const struct http_head *head) {
  struct attempt *a = owner;
  a->status = head->status;
  if (a->request->disconnect.reads_on) disconnect_head(a);
  incoming_read_head(a, head);
  enum framing framing = FRAMING_SSE;
  bool may_stream = a->request->asked.stream || (!is_chat(a) && !a->crosses);
  a->streams = may_stream && head->status < 300 && incoming_is_stream(a, &framing);
  a->phase = a->streams ? ATTEMPT_PEEKING : ATTEMPT_HEAD;
  if (!a->streams && !is_chat(a) && !a->crosses && head->status < 300 && head->body != HTTP_BODY_NONE &&
      !incoming_has_type(a, SLICE("application/json"))) {
    begin_relay(a, head->body == HTTP_BODY_LENGTH ? &head->body_bytes : NULL);
    return;
  }
  clocks_bytes(&a->clocks, SLICE(""), loop_now_ns(a->request->gate->loop));
  if (a->streams) stream_init(&a->stream, framing, EVENT_BYTES_MAX);
  else if (head->body == HTTP_BODY_LENGTH && head->body_bytes < ERROR_BODY_BYTES_MAX && head->status < 300)
    a->expected_bytes = (uint32_t)head->body_bytes;
}

/* Of an error that the provider tells of within a 200. */
static enum failure_class class_within(const struct attempt *a, enum failure_class otherwise) {
  const struct adapter *adapter = provider_of(a)->adapter;
  return failure_classify_inner(a->reading.error_type, a->reading.error_text, adapter->errors, adapter->error_count,
                                otherwise);
}

/* A hook says so of a provider's bytes that it cannot read; otherwise it has failed itself. */
static enum failure_class class_of_hook(const struct fault *f) {
  return f->code == FAULT_PROVIDER_BROKEN ? FAILURE_BAD_ANSWER : FAILURE_SCRIPT;
}

/* A whole 2xx answer, judged and delivered. false: the attempt has failed and may be gone. */
static bool deliver_whole(struct attempt *a, struct slice body) {
  struct request *r = a->request;
  const struct dialect *d = a->dialect;
  if (is_chat(a)) d->read_answer(&a->reading, body);
  else operation_read_answer(r->endpoint->operation, d, &r->asked, &a->reading, body);
  if (a->reading.usage.source == USAGE_NONE) estimate_body(a, body);
  if (a->reading.failed) {
    fail(a, class_within(a, FAILURE_SERVER_ERROR),
         a->reading.error_text[0] ? a->reading.error_text : "an error object with status 200");
    return false;
  }
  if (!a->reading.complete) {
    fail(a, FAILURE_BAD_ANSWER, "the body is not an answer of the provider's API");
    return false;
  }
  first_content(a);
  struct slice out = body;
  bool changes = a->crosses || (a->translated && provider_of(a)->adapter->rewrites_response);
  if (changes && request_is_heard(r)) {
    struct fault f = {.code = FAULT_COUNT};
    if (hooks_of(a)->answer(r->tenure->script, a, body, &out, &f) != HOOK_DONE) {
      fail(a, class_of_hook(&f), f.text);
      return false;
    }
  }
  request_attempt_committed(r, a);
  if (r->keeping != NULL && a->crosses && request_is_heard(r)) keeping_whole(r, out);
  if (request_is_heard(r)) reply_whole(r, a, out);
  a->phase = ATTEMPT_FLOWING;
  return true;
}

/* An error answer: its class decides what is tried next. */
static void judge_error(struct attempt *a) {
  struct reading *seen = &a->reading;
  scrub(a, a->held.ptr, a->held.len);
  if (a->held.len > 0) a->dialect->read_error(seen, buf_view(&a->held));
  const struct adapter *adapter = provider_of(a)->adapter;
  enum failure_class why =
      failure_classify(a->status, seen->error_type, seen->error_text, adapter->errors, adapter->error_count);
  char text[200];
  snprintf(text, sizeof text, "status %u%s%s%s%.120s", a->status, seen->error_type[0] ? " " : "", seen->error_type,
           seen->error_text[0] ? ": " : "", seen->error_text);
  a->error_whole = true;
  if (a->retry_after_ms == 0 && a->status >= 429) a->retry_after_ms = retry_after_body_ms(buf_view(&a->held));
  fail(a, why, text);
}

/* The stream has all it promised: the client's copy ends too. */
static void finish_stream(struct attempt *a) {
  struct request *r = a->request;
  if (a->reading.failed) {
    /* The client has read the provider's own terminal error: nothing is added to it. */
    blame(a, FAILURE_STREAM_ERROR, a->reading.error_text);
    if (request_is_heard(r)) r->outcome = OUTCOME_FAILED;
  } else if (a->translated && request_is_heard(r)) {
    struct buf out = {0};
    struct fault f = {.code = FAULT_COUNT};
    if (hooks_of(a)->finish(r->tenure->script, a, &out, &f) != HOOK_DONE) {
      buf_done(&out);
      fail(a, class_of_hook(&f), f.text);
      return;
    }
    request_write(r, buf_view(&out));
    buf_done(&out);
  }
  request_end(r);
  done(a);
}

static void commit(struct attempt *a) {
  struct request *r = a->request;
  first_content(a);
  a->phase = ATTEMPT_FLOWING;
  arm(a, a->first_content_ns);
  request_attempt_committed(r, a);
  if (request_is_heard(r) && !r->delivery.started) reply_start(r, a);
  request_write(r, buf_view(&a->held));
  buf_done(&a->held);
}

/* What one event gives the client: its own bytes, nothing, or its translation. Before the commit it is held. */
struct outflow {
  struct slice read; /* the read that is being taken; bytes outside it die with the next event */
  struct slice run;  /* bytes that go on unchanged, not yet written */
  struct buf made;   /* translated bytes, not yet written */
};

static void flush(struct attempt *a, struct outflow *o) {
  if (o->run.len == 0 && o->made.len == 0) return;
  struct slice out = o->made.len > 0 ? buf_view(&o->made) : o->run;
  if (a->phase == ATTEMPT_PEEKING) buf_slice(&a->held, out);
  else request_write(a->request, out);
  o->run.len = o->made.len = 0;
}

/* An event without the `"usage":null` that it holds because the gateway asked for usage; clients' libraries know the
 * field as an object. It stands near the end. */
static void put_without_null_usage(struct buf *out, struct slice raw) {
  enum { TAIL_BYTES = 160 };
  static const struct slice field = SLICE_INIT(",\"usage\":null");
  size_t before = raw.len > TAIL_BYTES ? raw.len - TAIL_BYTES : 0;
  ptrdiff_t at = slice_find(slice_from(raw, before), field);
  if (at < 0) {
    buf_slice(out, raw);
    return;
  }
  buf_append(out, raw.ptr, before + (size_t)at);
  buf_slice(out, slice_from(raw, before + (size_t)at + field.len));
}

/* false: a hook failed; f tells. */
static bool pass_event(struct attempt *a, const struct stream_event *e, struct outflow *o, struct fault *f) {
  if (a->strip_usage_event && a->reading.usage_only) return true;
  if (a->translated) return hooks_of(a)->event(a->request->tenure->script, a, e, &o->made, f) == HOOK_DONE;
  if (a->reading.failed) {
    flush(a, o);
    buf_slice(&o->made, e->raw);
    scrub(a, o->made.ptr, o->made.len);
    flush(a, o);
    return true;
  }
  if (a->strip_usage_event && provider_of(a)->adapter->usage_nulls) {
    put_without_null_usage(&o->made, e->raw);
  } else if (o->run.len > 0 && o->run.ptr + o->run.len == e->raw.ptr) {
    o->run.len += e->raw.len;
  } else {
    flush(a, o);
    o->run = e->raw;
    if (e->raw.ptr < o->read.ptr || e->raw.ptr >= o->read.ptr + o->read.len) flush(a, o);
  }
  return true;
}

/* One event: judged, then passed on. false: the attempt has ended and may be gone. */
static bool take_event(struct attempt *a, const struct stream_event *e, struct outflow *o) {
  struct reading *seen = &a->reading;
  const struct dialect *d = a->dialect;
  if (a->told_end) return true;
  if (is_chat(a)) d->read_event(seen, e);
  else operation_read_event(a->request->endpoint->operation, d, &a->request->asked, seen, e);
  if (seen->failed) {
    /* Before the first content another target may do better; in another dialect the gateway tells the client itself. */
    if (a->phase == ATTEMPT_PEEKING || a->translated) {
      flush(a, o);
      buf_done(&o->made);
      fail(a, a->phase == ATTEMPT_PEEKING ? class_within(a, FAILURE_STREAM_ERROR) : FAILURE_STREAM_ERROR,
           seen->error_text[0] ? seen->error_text : "an error within the stream");
      return false;
    }
  }
  struct fault f = {.code = FAULT_COUNT};
  if (request_is_heard(a->request) && !pass_event(a, e, o, &f)) {
    flush(a, o);
    buf_done(&o->made);
    fail(a, class_of_hook(&f), f.text);
    return false;
  }
  seen->deltas += seen->is_content;
  if (seen->is_content && is_chat(a)) reckon_event(&a->reckoned, d, seen, e);
  if (seen->is_content) clocks_content(&a->clocks, e->data.len, loop_now_ns(a->request->gate->loop));
  if (seen->content_begun && a->phase == ATTEMPT_PEEKING) {
    flush(a, o);
    commit(a);
  }
  return true;
}

static void take_stream(struct attempt *a, struct slice bytes) {
  struct outflow o = {.read = bytes};
  struct stream_event e;
  enum stream_verdict verdict;
  bool was_over = said_all(a);
  while ((verdict = stream_next(&a->stream, &bytes, &e)) == STREAM_EVENT)
    if (!take_event(a, &e, &o)) return;
  flush(a, &o);
  buf_done(&o.made);
  if (verdict == STREAM_BROKEN) {
    fail(a, FAILURE_BAD_ANSWER, stream_why(&a->stream));
    return;
  }
  if (verdict == STREAM_TOO_LARGE || (a->phase == ATTEMPT_PEEKING && a->held.len > PEEK_BYTES_MAX)) {
    fail(a, FAILURE_BAD_ANSWER, "an event is larger than the limit");
    return;
  }
  if (was_over || !said_all(a)) return;
  if (a->phase == ATTEMPT_PEEKING) fail(a, FAILURE_BAD_ANSWER, "a stream without content");
  else timer_set_ms(&a->timer, TRAILER_MS);
}

static void upcall_body(void *owner, struct slice bytes) {
  struct attempt *a = owner;
  if (a->streams) {
    take_stream(a, bytes);
    return;
  }
  if (a->relays) {
    clocks_content(&a->clocks, 0, loop_now_ns(a->request->gate->loop));
    request_write(a->request, bytes);
    return;
  }
  if (a->expected_bytes > 0 && a->held.len == 0 && bytes.len == a->expected_bytes) {
    /* The whole answer in one piece, the usual case: it goes on without a copy. */
    deliver_whole(a, bytes);
    return;
  }
  if (a->status >= 300 && a->held.len + bytes.len > ERROR_BODY_BYTES_MAX) {
    fail(a, FAILURE_BAD_ANSWER, "the error's body is larger than 1 MiB");
    return;
  }
  clocks_bytes(&a->clocks, bytes, loop_now_ns(a->request->gate->loop));
  admission_hold_answer(a, bytes.len);
  buf_slice(&a->held, bytes);
  if (a->held.len < RELAY_FROM_BYTES || is_chat(a) || a->crosses || a->status >= 300) return;
  /* Larger than what is worth reading for its usage: a file, most likely. */
  begin_relay(a, NULL);
  request_write(a->request, buf_view(&a->held));
  buf_done(&a->held);
}

static void upcall_end(void *owner) {
  struct attempt *a = owner;
  a->times = *upcall_times(a->call);
  a->call = NULL;
  if (a->status >= 300) {
    judge_error(a);
    return;
  }
  if (a->relays) {
    request_end(a->request);
    done(a);
    return;
  }
  if (!a->streams) {
    if (!is_delivered(a)) {
      buf_reserve(&a->held, 0); /* an empty answer, too, has the slack that JSON is read with */
      if (!deliver_whole(a, buf_view(&a->held))) return;
    }
    done(a);
    return;
  }
  struct outflow o = {0};
  struct stream_event e;
  enum stream_verdict verdict = stream_finish(&a->stream, &e);
  if (verdict == STREAM_EVENT && !take_event(a, &e, &o)) return;
  flush(a, &o);
  buf_done(&o.made);
  struct reading *seen = &a->reading;
  bool whole = seen->complete || a->told_end || (a->dialect->finish_ends && seen->finish != FINISH_NONE) || !is_chat(a);
  if (verdict == STREAM_BROKEN) whole = false;
  if (a->phase == ATTEMPT_PEEKING) {
    fail(a, FAILURE_BAD_ANSWER, seen->events == 0 ? "an empty stream" : "a stream without content");
  } else if (whole || seen->failed) {
    if (!a->translated && is_chat(a) && verdict == STREAM_EVENT && e.has_data) reply_close_event(a);
    finish_stream(a);
  } else {
    fail(a, FAILURE_RESET, "the stream ended before its terminal event");
  }
}

static void upcall_fail(void *owner, const struct upcall_fault *fault) {
  struct attempt *a = owner;
  a->times = *upcall_times(a->call);
  a->call = NULL;
  if (a->streams && a->phase == ATTEMPT_FLOWING && said_all(a)) {
    finish_stream(a);
    return;
  }
  if (is_delivered(a)) {
    done(a);
    return;
  }
  static const enum failure_class by_why[] = {
      [UPCALL_REFUSED] = FAILURE_CONNECT, [UPCALL_NO_DESCRIPTOR] = FAILURE_NO_DESCRIPTOR,
      [UPCALL_TLS_FAULT] = FAILURE_TLS,   [UPCALL_RESET] = FAILURE_RESET,
      [UPCALL_BAD] = FAILURE_BAD_ANSWER,  [UPCALL_TIMEOUT] = FAILURE_CONNECT_TIMEOUT,
  };
  bool in_handshake = fault->why == UPCALL_TIMEOUT && fault->phase == UPCALL_TLS;
  fail(a, in_handshake ? FAILURE_TLS_TIMEOUT : by_why[fault->why], fault->text);
}
