/* attempt: see the header for its states. The worker's thread. Every function that tells the request of an end does it
 * last: the request, and the attempt with it, may be gone when that call returns. */
#include "gate/attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/secret.h"
#include "gate/reply.h"
#include "gate/request.h"
#include "gate/splice.h"

enum {
  SSE_EVENT_BYTES_MAX = 16 << 20,
  ERROR_BODY_BYTES_MAX = 1 << 20,
  PEEK_BYTES_MAX = 1 << 20,
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

/* ---- the end ------------------------------------------------------------------------------------------------ */

/* Cost, health and meters of an attempt, once, whatever its end. */
static void record(struct attempt *a) {
  if (a->recorded) return;
  a->recorded = true;
  struct request *r = a->request;
  struct target_state *s = a->target->state;
  struct target_meter *m = target_meter_of(s, r->gate->worker);
  struct usage *u = &a->reading.usage;
  bool streamed_part = a->reading.content_begun && !a->reading.complete;
  if (a->reading.content_begun && (u->source == USAGE_NONE || streamed_part)) {
    /* The provider bills what it made whether or not it told: input, and about one token an event or four bytes. */
    uint64_t bytes = a->held.len > 0 ? a->held.len : a->expected_bytes;
    uint64_t seen = a->streams ? a->reading.events : bytes / 4;
    if (u->source == USAGE_NONE) u->input_tokens = r->asked.prompt_tokens;
    if (u->output_tokens < seen) u->output_tokens = seen;
    u->source = USAGE_ESTIMATED;
  }
  a->cost_pico_usd = usage_cost_pico_usd(u, a->target->price);
  atomic_fetch_sub_explicit(&s->in_flight, 1, memory_order_relaxed);
  meter_add(&m->attempts, 1);
  meter_add(&m->failures[a->failure], 1);
  if (u->source != USAGE_NONE) {
    meter_add(&m->input_tokens, u->input_tokens);
    meter_add(&m->output_tokens, u->output_tokens);
    meter_add(&m->cache_read_tokens, u->cache_read_tokens);
    meter_add(&m->cache_write_tokens, u->cache_write_tokens + u->cache_write_1h_tokens);
    meter_add(&m->reasoning_tokens, u->reasoning_tokens);
    meter_add(&m->cost_pico_usd, (uint64_t)a->cost_pico_usd);
    if (a->target->price == NULL) meter_add(&m->unpriced, 1);
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
  sse_done(&a->sse);
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
  a->failure = why;
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
  return a->reading.complete || a->reading.failed;
}

void attempt_pause(struct attempt *a) {
  if (a->call != NULL) upcall_pause(a->call);
}

void attempt_resume(struct attempt *a) {
  if (a->call == NULL) return;
  /* A client that would not read is not a provider that would not write. */
  a->last_content_ns = clock_ns();
  if (!said_all(a)) arm(a, a->last_content_ns);
  upcall_resume(a->call);
}

/* ---- clocks ------------------------------------------------------------------------------------------------- */

/* Only who asked for a stream sees a first token; a whole answer may take until timeouts.total. */
static bool awaits_first_token(const struct attempt *a) {
  return a->first_content_ns == 0 && a->request->asked.stream;
}

static bool awaits_next_token(const struct attempt *a) {
  return a->first_content_ns != 0 && a->streams && !a->request->delivery.congested;
}

static uint64_t next_token_due_ns(const struct attempt *a) {
  return a->last_content_ns + provider_of(a)->timeouts.between_tokens_ms * 1000000ull;
}

static void arm(struct attempt *a, uint64_t now) {
  uint64_t due = a->total_due_ns;
  if (awaits_first_token(a) && a->first_token_due_ns < due) due = a->first_token_due_ns;
  if (awaits_next_token(a) && next_token_due_ns(a) < due) due = next_token_due_ns(a);
  timer_set_ms(&a->timer, due > now ? (due - now) / 1000000 + 1 : 1);
}

static void finish_stream(struct attempt *a);

static void clock_fired(void *owner) {
  struct attempt *a = owner;
  uint64_t now = clock_ns();
  const struct timeouts *t = &provider_of(a)->timeouts;
  char text[120];
  if (a->phase == ATTEMPT_FLOWING && !a->streams) { /* delivered; only the transport's end did not come */
    done(a);
  } else if (a->phase == ATTEMPT_FLOWING && said_all(a)) { /* the same after the terminal event */
    finish_stream(a);
  } else if (now >= a->total_due_ns) {
    snprintf(text, sizeof text, "the answer was not complete after %u ms (timeouts.total)", t->total_ms);
    fail(a, FAILURE_TOTAL_TIMEOUT, text);
  } else if (awaits_first_token(a) && now >= a->first_token_due_ns) {
    snprintf(text, sizeof text, "no content after %u ms (timeouts.first_token)", t->first_token_ms);
    fail(a, FAILURE_FIRST_TOKEN_TIMEOUT, text);
  } else if (awaits_next_token(a) && now >= next_token_due_ns(a)) {
    snprintf(text, sizeof text, "no content for %u ms (timeouts.between_tokens)", t->between_tokens_ms);
    fail(a, FAILURE_IDLE_TIMEOUT, text);
  } else {
    arm(a, now);
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
  a->translated = p->dialect != r->dialect || p->adapter->rewrites_request || p->adapter->rewrites_response ||
                  p->adapter->rewrites_event;
  *r->attempts_end = a;
  r->attempts_end = &a->next;
  timer_init(&a->timer, r->gate->loop, clock_fired, a);
  return a;
}

/* Headers of the client that mean something to a provider of the same dialect; nothing else of the client's goes on. */
static void put_client_headers(struct buf *out, const struct request *r, const struct adapter *adapter) {
  static const struct slice passed[] = {SLICE_INIT("anthropic-version"), SLICE_INIT("anthropic-beta"),
                                        SLICE_INIT("openai-beta"), SLICE_INIT("idempotency-key")};
  for (unsigned i = 0; r->head != NULL && i < r->head->header_count; i++) {
    const struct http_header *h = &r->head->headers[i];
    for (unsigned k = 0; k < sizeof passed / sizeof *passed; k++) {
      if (!slice_eq_nocase(h->name, passed[k])) continue;
      buf_slice(out, passed[k]);
      buf_slice(out, SLICE(": "));
      buf_slice(out, h->value);
      buf_slice(out, SLICE("\r\n"));
    }
  }
  /* The adapter's own lines come last, without those that the client has set. */
  struct slice lines = slice_text(adapter->headers);
  while (lines.len > 0) {
    ptrdiff_t end = slice_find(lines, SLICE("\r\n")), colon = slice_find_byte(lines, ':');
    struct slice line = slice_of(lines.ptr, (size_t)end + 2), name = slice_of(lines.ptr, (size_t)colon);
    bool set = false;
    if (r->head != NULL && http_header_of(r->head, name).ptr != NULL)
      for (unsigned k = 0; k < sizeof passed / sizeof *passed; k++) set = set || slice_eq_nocase(name, passed[k]);
    if (!set) buf_slice(out, line);
    lines = slice_from(lines, line.len);
  }
}

static struct slice request_headers(struct attempt *a) {
  struct request *r = a->request;
  struct buf *out = &r->gate->headers;
  out->len = 0;
  buf_slice(
      out, SLICE("content-type: application/json\r\naccept-encoding: identity\r\nuser-agent: moongate/" MOONGATE_VERSION
                 "\r\n"));
  buf_slice(out, r->asked.stream ? SLICE("accept: text/event-stream\r\n") : SLICE("accept: application/json\r\n"));
  if (provider_of(a)->dialect == r->dialect) put_client_headers(out, r, provider_of(a)->adapter);
  else buf_text(out, provider_of(a)->adapter->headers);
  return buf_view(out);
}

static struct upstream *choose_key(struct attempt *a) {
  const struct provider *p = provider_of(a);
  struct tenure *tenure = a->request->tenure;
  a->key_index = p->key_count > 1 ? tenure->next_key[p->index]++ % p->key_count : 0;
  return tenure->pools[p->index * PROVIDER_KEYS_MAX + a->key_index];
}

/* The parts of the body: what a hook built, or the client's bytes with their splices. */
static void set_parts(struct attempt *a) {
  struct request *r = a->request;
  if (a->body.ptr != NULL) {
    a->parts[0] = (struct iovec){a->body.ptr, a->body.len};
    a->part_count = 1;
    return;
  }
  a->strip_usage_event = provider_of(a)->adapter->stream_usage && r->asked.stream && !r->asked.usage_event &&
                         r->dialect == &dialect_openai_chat;
  a->part_count = splice_body(&r->arena, r->body, &r->asked, a->target->model, a->strip_usage_event, a->parts);
}

void attempt_start(struct attempt *a) {
  struct request *r = a->request;
  const struct provider *p = provider_of(a);
  a->started_ns = clock_ns();
  a->first_token_due_ns = a->started_ns + p->timeouts.first_token_ms * 1000000ull;
  a->total_due_ns = a->started_ns + p->timeouts.total_ms * 1000000ull;
  atomic_fetch_add_explicit(&a->target->state->in_flight, 1, memory_order_relaxed);
  if (p->dialect != r->dialect || p->adapter->rewrites_request) {
    struct fault f = {.code = FAULT_COUNT};
    enum hook_verdict verdict = hooks_of(a)->build(r->tenure->script, a, &f);
    if (verdict == HOOK_REFUSED && f.code == FAULT_FIELD_INVALID) {
      /* The body itself is at fault: no other target of that dialect would take it either. */
      blame(a, FAILURE_INVALID, f.text);
      settle(a, ATTEMPT_FAILED);
      request_refuse(r, &f);
      r->outcome = OUTCOME_REFUSED;
      return;
    }
    if (verdict != HOOK_DONE) {
      fail(a, verdict == HOOK_REFUSED ? FAILURE_UNTRANSLATABLE : FAILURE_SCRIPT, f.text);
      return;
    }
  }
  set_parts(a);
  struct slice path = slice_text(p->base_path),
               tail = p->adapter->path ? slice_text(p->adapter->path) : p->dialect->provider_path;
  struct slice target[] = {path, tail};
  struct upstream *pool = choose_key(a);
  struct upcall_request request = {
      .method = SLICE("POST"),
      .target = arena_join(&r->arena, target, 2),
      .headers = request_headers(a),
      .secret_line = secret_view(p->keys[a->key_index].line),
      .body = a->parts,
      .body_parts = a->part_count,
  };
  a->phase = ATTEMPT_CALLING;
  a->call = upcall_start(pool, &request, &events, a);
  arm(a, a->started_ns);
}

/* ---- the answer --------------------------------------------------------------------------------------------- */

/* What a client may see of a provider's headers. */
static bool passes(struct slice name) {
  static const struct slice exact[] = {SLICE_INIT("retry-after"), SLICE_INIT("retry-after-ms"),
                                       SLICE_INIT("x-should-retry")};
  for (unsigned i = 0; i < sizeof exact / sizeof *exact; i++)
    if (slice_eq_nocase(name, exact[i])) return true;
  static const struct slice prefixes[] = {SLICE_INIT("x-ratelimit-"), SLICE_INIT("anthropic-ratelimit-")};
  for (unsigned i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
    if (name.len > prefixes[i].len && slice_eq_nocase(slice_of(name.ptr, prefixes[i].len), prefixes[i])) return true;
  return false;
}

/* Seconds, or an HTTP date (RFC 9110 10.2.3). */
static uint32_t retry_after_ms(struct slice value) {
  uint64_t seconds;
  char text[64];
  if (slice_to_u64(value, &seconds)) return seconds > 86400 ? 86400000 : (uint32_t)seconds * 1000;
  if (value.len >= sizeof text) return 0;
  memcpy(text, value.ptr, value.len);
  text[value.len] = '\0';
  struct tm date = {0};
  if (strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &date) == NULL) return 0;
  int64_t wait = (int64_t)timegm(&date) * 1000 - clock_wall_ms();
  return wait <= 0 ? 0 : wait > 86400000 ? 86400000 : (uint32_t)wait;
}

static void read_headers(struct attempt *a, const struct http_head *head) {
  struct request *r = a->request;
  struct buf *pass = &r->gate->headers;
  pass->len = 0;
  for (unsigned i = 0; i < head->header_count; i++) {
    const struct http_header *h = &head->headers[i];
    if (h->name.len == 12 && slice_eq_nocase(h->name, SLICE("content-type"))) {
      a->content_type = arena_copy(&r->arena, h->value);
    } else if (slice_eq_nocase(h->name, SLICE("x-request-id")) || slice_eq_nocase(h->name, SLICE("request-id"))) {
      size_t len = h->value.len < sizeof a->provider_request_id ? h->value.len : sizeof a->provider_request_id - 1;
      memcpy(a->provider_request_id, h->value.ptr, len);
      a->provider_request_id[len] = '\0';
    } else if (passes(h->name)) {
      if (slice_eq_nocase(h->name, SLICE("retry-after"))) a->retry_after_ms = retry_after_ms(h->value);
      buf_slice(pass, h->name);
      buf_slice(pass, SLICE(": "));
      buf_slice(pass, h->value);
      buf_slice(pass, SLICE("\r\n"));
    }
  }
  if (pass->len > 0) a->passed_headers = arena_copy(&r->arena, buf_view(pass));
}

static void upcall_head(void *owner, const struct http_head *head) {
  struct attempt *a = owner;
  a->status = head->status;
  read_headers(a, head);
  bool sse =
      a->content_type.len >= 17 && slice_eq_nocase(slice_of(a->content_type.ptr, 17), SLICE("text/event-stream"));
  a->streams = a->request->asked.stream && sse && head->status < 300;
  a->phase = a->streams ? ATTEMPT_PEEKING : ATTEMPT_HEAD;
  if (a->streams) sse_init(&a->sse, SSE_EVENT_BYTES_MAX);
  else if (head->body == HTTP_BODY_LENGTH && head->body_bytes < ERROR_BODY_BYTES_MAX && head->status < 300)
    a->expected_bytes = (uint32_t)head->body_bytes;
}

static void first_content(struct attempt *a) {
  a->first_content_ns = a->last_content_ns = clock_ns();
}

/* A whole 2xx answer, judged and delivered. false: the attempt has failed and may be gone. */
static bool deliver_whole(struct attempt *a, struct slice body) {
  struct request *r = a->request;
  const struct dialect *d = provider_of(a)->dialect;
  d->read_answer(&a->reading, body);
  if (a->reading.failed) {
    fail(a, FAILURE_SERVER_ERROR, a->reading.error_text[0] ? a->reading.error_text : "an error object with status 200");
    return false;
  }
  if (!a->reading.complete) {
    fail(a, FAILURE_BAD_ANSWER, "the body is not an answer of the provider's API");
    return false;
  }
  first_content(a);
  struct slice out = body;
  if (a->translated && (d != r->dialect || provider_of(a)->adapter->rewrites_response)) {
    struct fault f = {.code = FAULT_COUNT};
    if (hooks_of(a)->answer(r->tenure->script, a, body, &out, &f) != HOOK_DONE) {
      fail(a, FAILURE_SCRIPT, f.text);
      return false;
    }
  }
  request_attempt_committed(r, a);
  if (r->delivery.exchange != NULL) reply_whole(r, a, out);
  a->phase = ATTEMPT_FLOWING;
  return true;
}

/* An error answer: its class decides what is tried next. */
static void judge_error(struct attempt *a) {
  struct reading *seen = &a->reading;
  scrub(a, a->held.ptr, a->held.len);
  if (a->held.len > 0) provider_of(a)->dialect->read_error(seen, buf_view(&a->held));
  const struct adapter *adapter = provider_of(a)->adapter;
  enum failure_class why =
      failure_classify(a->status, seen->error_type, seen->error_text, adapter->errors, adapter->error_count);
  char text[200];
  snprintf(text, sizeof text, "status %u%s%s%s%.120s", a->status, seen->error_type[0] ? " " : "", seen->error_type,
           seen->error_text[0] ? ": " : "", seen->error_text);
  a->error_whole = true;
  fail(a, why, text);
}

/* The stream has all it promised: the client's copy ends too. */
static void finish_stream(struct attempt *a) {
  struct request *r = a->request;
  if (a->reading.failed) {
    /* The client has read the provider's own terminal error: nothing is added to it. */
    blame(a, FAILURE_STREAM_ERROR, a->reading.error_text);
    r->outcome = OUTCOME_FAILED;
  } else if (a->translated) {
    struct buf out = {0};
    struct fault f = {.code = FAULT_COUNT};
    if (hooks_of(a)->finish(r->tenure->script, a, &out, &f) != HOOK_DONE) {
      buf_done(&out);
      fail(a, FAILURE_SCRIPT, f.text);
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
  arm(a, a->last_content_ns);
  request_attempt_committed(r, a);
  reply_start(r, a);
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

/* false: a hook failed; f tells. */
static bool pass_event(struct attempt *a, const struct sse_event *e, struct outflow *o, struct fault *f) {
  if (a->strip_usage_event && a->reading.usage_only) return true;
  if (a->translated) return hooks_of(a)->event(a->request->tenure->script, a, e, &o->made, f) == HOOK_DONE;
  if (a->reading.failed) {
    flush(a, o);
    buf_slice(&o->made, e->raw);
    scrub(a, o->made.ptr, o->made.len);
    flush(a, o);
    return true;
  }
  if (o->run.len > 0 && o->run.ptr + o->run.len == e->raw.ptr) {
    o->run.len += e->raw.len;
  } else {
    flush(a, o);
    o->run = e->raw;
    if (e->raw.ptr < o->read.ptr || e->raw.ptr >= o->read.ptr + o->read.len) flush(a, o);
  }
  return true;
}

/* One event: judged, then passed on. false: the attempt has ended and may be gone. */
static bool take_event(struct attempt *a, const struct sse_event *e, struct outflow *o) {
  struct reading *seen = &a->reading;
  provider_of(a)->dialect->read_event(seen, e);
  if (seen->failed) {
    /* Before the first content another target may do better; in another dialect the gateway tells the client itself. */
    if (a->phase == ATTEMPT_PEEKING || a->translated) {
      flush(a, o);
      buf_done(&o->made);
      fail(a, FAILURE_STREAM_ERROR, seen->error_text[0] ? seen->error_text : "an error within the stream");
      return false;
    }
  }
  struct fault f = {.code = FAULT_COUNT};
  if (!pass_event(a, e, o, &f)) {
    flush(a, o);
    buf_done(&o->made);
    fail(a, FAILURE_SCRIPT, f.text);
    return false;
  }
  if (seen->is_content) a->last_content_ns = loop_now_ns(a->request->gate->loop);
  if (seen->content_begun && a->phase == ATTEMPT_PEEKING) {
    flush(a, o);
    commit(a);
  }
  return true;
}

static void take_stream(struct attempt *a, struct slice bytes) {
  struct outflow o = {.read = bytes};
  struct sse_event e;
  enum sse_verdict verdict;
  bool was_over = said_all(a);
  while ((verdict = sse_next(&a->sse, &bytes, &e)) == SSE_EVENT)
    if (!take_event(a, &e, &o)) return;
  flush(a, &o);
  buf_done(&o.made);
  if (verdict == SSE_TOO_LARGE || (a->phase == ATTEMPT_PEEKING && a->held.len > PEEK_BYTES_MAX)) {
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
  if (a->expected_bytes > 0 && a->held.len == 0 && bytes.len == a->expected_bytes) {
    /* The whole answer in one piece, the usual case: it goes on without a copy. */
    deliver_whole(a, bytes);
    return;
  }
  if (a->status >= 300 && a->held.len + bytes.len > ERROR_BODY_BYTES_MAX) {
    fail(a, FAILURE_BAD_ANSWER, "the error's body is larger than 1 MiB");
    return;
  }
  buf_slice(&a->held, bytes);
}

static void upcall_end(void *owner) {
  struct attempt *a = owner;
  a->times = *upcall_times(a->call);
  a->call = NULL;
  if (a->status >= 300) {
    judge_error(a);
    return;
  }
  if (!a->streams) {
    if (a->phase == ATTEMPT_FLOWING || deliver_whole(a, buf_view(&a->held))) done(a);
    return;
  }
  struct outflow o = {0};
  struct sse_event e;
  if (sse_finish(&a->sse, &e) == SSE_EVENT && !take_event(a, &e, &o)) return;
  flush(a, &o);
  buf_done(&o.made);
  struct reading *seen = &a->reading;
  bool whole = seen->complete || (provider_of(a)->dialect == &dialect_openai_chat && seen->finish != FINISH_NONE);
  if (a->phase == ATTEMPT_PEEKING) {
    fail(a, FAILURE_BAD_ANSWER, seen->events == 0 ? "an empty stream" : "a stream without content");
  } else if (whole || seen->failed) {
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
  if (a->phase == ATTEMPT_FLOWING && !a->streams) { /* already delivered from its one piece */
    done(a);
    return;
  }
  static const enum failure_class by_why[] = {
      [UPCALL_REFUSED] = FAILURE_CONNECT, [UPCALL_TLS_FAULT] = FAILURE_TLS,   [UPCALL_RESET] = FAILURE_RESET,
      [UPCALL_BAD] = FAILURE_BAD_ANSWER,  [UPCALL_TIMEOUT] = FAILURE_CONNECT,
  };
  fail(a, by_why[fault->why], fault->text);
}
