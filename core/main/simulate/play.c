/* simulate_play: plays one answer: waits, writes, paces, and lets faults strike. Worker's thread. A play lives in its
 * own arena from `ready` to `closed`.
 *
 *     ready ─▶ WAITING ──latency──▶ head ─┬─▶ whole body ─▶ OVER
 *                                         └─▶ STREAMING ─▶ OVER
 *     a stall from any of these: SILENT, until the client leaves
 *     drip_ms: the body is made at once, then DRIPPING ─▶ OVER
 *
 * It does NOT know dialects: their rows write the bytes (simulate_dialect.h). */
#include "base/clock.h"
#include "base/must.h"
#include "main/simulate/embeddings.h"
#include "main/simulate/faults.h"
#include "main/simulate/gzip.h"
#include "wire/url.h"

enum phase { WAITING, STREAMING, DRIPPING, SILENT, OVER };

enum { BATCH_BYTES = 32768, NS_PER_MS = 1000000, DIALECT_STATUS = 529 };

struct play {
  struct sim_worker *worker;
  struct exchange *exchange;
  const struct sim_dialect *dialect;
  struct arena arena; /* this struct lies in it */
  struct timer timer;
  struct sim_steer steer;
  struct sim_answer answer;
  struct sim_refusal refusal; /* status 0: none */
  struct sim_step step;       /* the next one */
  uint64_t delta;             /* its number within its block */
  uint64_t deltas_out;        /* of all blocks */
  uint64_t body_bytes;        /* written of a stream, and of what drips */
  struct buf drip;            /* the body that drips */
  struct buf marks;           /* of a stream that is made ahead of what goes out: struct mark, in order */
  uint64_t arrived_ns, due_ns, pinged_ns;
  int64_t received_ms;
  unsigned status;  /* of the head written; 0 before */
  enum sim_end end; /* when we ended it ourselves */
  uint8_t phase;    /* enum phase */
  bool stream, models, embeds;
  bool head_out, blocked, middle_passed;
};

/* So many bytes of the body hold so many tokens. */
struct mark {
  uint64_t bytes, tokens;
};

/* ---- reading the request */

static bool refuse(struct play *p, unsigned status, struct slice message) {
  p->refusal = (struct sim_refusal){.status = status, .message = message};
  return false;
}

/* Takes "/s/KEY=VALUE,…" off the front of the path into the steer. */
static bool read_path(struct play *p, struct slice *path, struct err *e) {
  if (!slice_starts(*path, SLICE("/s/"))) return true;
  struct slice rest = slice_from(*path, 3);
  ptrdiff_t end = slice_find_byte(rest, '/');
  struct slice keys = slice_of(rest.ptr, end < 0 ? rest.len : (size_t)end);
  char *text = arena_alloc(&p->arena, keys.len + 1);
  size_t len = 0;
  *path = slice_from(rest, keys.len);
  if (!url_decode(keys, text, &len)) return err_set(e, "the path after /s/ has a bad percent escape");
  return sim_steer_parse(&p->steer, slice_of(text, len), &p->arena, e);
}

static void choose_dialect(struct play *p, const struct http_head *head, struct slice path) {
  const struct sim_dialect *only = p->worker->simulator->only;
  const struct sim_dialect *embeds = sim_embeddings_dialect(path);
  p->embeds = embeds != NULL && (only == NULL || only == embeds);
  if (p->embeds) {
    p->dialect = embeds;
    return;
  }
  p->models = slice_ends(path, SLICE("/models"));
  for (unsigned i = 0; i < SIM_DIALECTS; i++)
    if ((only == NULL || only == sim_dialects[i]) && sim_dialect_takes(sim_dialects[i], path))
      p->dialect = sim_dialects[i];
  if (p->dialect != NULL) return;
  bool anthropic = http_header_of(head, SLICE("anthropic-version")).len > 0;
  p->dialect = only != NULL ? only : anthropic ? &sim_anthropic_messages : &sim_openai_chat;
  if (!p->models) refuse(p, 404, SLICE("The simulator serves no such path."));
}

static bool check_key(struct play *p, const struct http_head *head) {
  struct slice wanted = p->worker->simulator->key, key = p->dialect->credential(head);
  if (wanted.len == 0 || slice_eq(wanted, key)) return true;
  struct buf message = {0};
  p->dialect->wrong_key(key, &message);
  refuse(p, 401, arena_copy(&p->arena, buf_view(&message)));
  buf_done(&message);
  return false;
}

static void steer_to_refusal(struct play *p, const struct http_head *head) {
  struct sim_steer *s = &p->steer;
  if (s->error_event == SIM_AT_HEAD) s->error_event = SIM_AT_FIRST;
  if (s->error_event != SIM_NEVER && !p->stream && s->status == 0) s->status = 500;
  if (s->status == 0 || s->status == 200 || (s->error_event != SIM_NEVER && p->stream)) return;
  p->refusal = (struct sim_refusal){.status = (unsigned)s->status, .type = s->type, .message = s->text};
  if (s->quote_key)
    p->refusal.message =
        arena_join(&p->arena, (struct slice[]){SLICE("Refused for the key "), p->dialect->credential(head)}, 2);
}

/* Since the first request that a scenario saw, in ms. */
static uint64_t scenario_ms(struct simulator *s, uint64_t now_ns) {
  uint_fast64_t began = 0;
  if (atomic_compare_exchange_strong(&s->began_ns, &began, now_ns)) return 0;
  return now_ns > began ? (now_ns - began) / NS_PER_MS : 0;
}

/* Everything that decides the answer. false: a refusal, that no key of the steer bends any more. */
static bool read_request(struct play *p, const struct http_head *head) {
  struct simulator *s = p->worker->simulator;
  struct slice path = head->path, header = http_header_of(head, SLICE("x-simulate"));
  struct sim_ask ask = {0};
  struct err e;
  bool good = read_path(p, &path, &e) && sim_steer_parse(&p->steer, header, &p->arena, &e);
  choose_dialect(p, head, path);
  if (!good) return refuse(p, 400, arena_copy(&p->arena, slice_text(e.text)));
  if (p->refusal.status != 0 || !check_key(p, head)) return false;
  bool reads = slice_eq(head->method, SLICE("GET")) || slice_eq(head->method, SLICE("HEAD"));
  if (p->models ? !reads : !slice_eq(head->method, SLICE("POST")))
    return refuse(p, 405, SLICE("The simulator does not serve this method on this path."));
  if (!p->models) {
    struct slice body = exchange_body(p->exchange);
    bool valid = p->embeds ? sim_embeddings_read(path, body, &ask, &p->refusal)
                           : p->dialect->read(body, head, &ask, &p->refusal);
    if (!valid) return false;
    p->refusal.status = 0;
    p->stream = ask.stream;
    struct slice words = sim_ask_directive(&ask, &p->arena);
    if (words.ptr != NULL && !sim_steer_parse(&p->steer, words, &p->arena, &e))
      return refuse(p, 400, arena_copy(&p->arena, slice_text(e.text)));
  }
  if (s->scenario != NULL && !p->models)
    sim_scenario_bend(s->scenario, scenario_ms(s, p->arrived_ns), s->strike, sim_mix(s->seed, p->answer.number),
                      &p->steer, &p->arena);
  sim_faults_draw(s, &p->steer, p->answer.number, head->path, ask.model);
  sim_faults_delay(s, &p->steer, p->answer.number, p->stream);
  steer_to_refusal(p, head);
  if (p->refusal.status == 0 && !p->models) sim_answer_compose(&p->answer, &ask, &p->steer, p->dialect, &p->arena);
  return true;
}

/* ---- writing the answer */

static void give_up(struct play *p, enum sim_act act) {
  p->phase = OVER;
  p->end = act == SIM_RST ? SIM_RESET : SIM_CUT;
  if (act == SIM_RST) exchange_reset(p->exchange);
  else exchange_abort(p->exchange);
}

static void arm(struct play *p) {
  uint64_t now = loop_now_ns(p->worker->loop), at = p->phase == SILENT ? UINT64_MAX : p->due_ns;
  if (p->steer.ping_ms > 0 && p->stream && p->head_out) {
    uint64_t ping_ns = p->pinged_ns + p->steer.ping_ms * NS_PER_MS;
    if (ping_ns < at) at = ping_ns;
  }
  if (at != UINT64_MAX) timer_set_ms(&p->timer, at > now ? (at - now + NS_PER_MS - 1) / NS_PER_MS : 0);
}

static void put_headers(struct play *p, struct slice content_type) {
  struct buf *out = &p->worker->headers;
  out->len = 0;
  buf_text(out, "content-type: ");
  buf_slice(out, content_type);
  buf_text(out, "\r\n");
  p->dialect->headers(&p->answer, out);
  if (p->steer.gzip_bytes > 0 && p->refusal.status == 0) buf_text(out, "content-encoding: gzip\r\n");
  sim_faults_put_headers(&p->steer, out);
}

/* Where the body in worker->out is cut, and how; its whole length when it is not. */
static size_t cut_whole(const struct play *p, enum sim_act *act) {
  size_t bytes = p->worker->out.len;
  const struct {
    enum sim_moment moment;
    size_t at;
  } places[] = {{SIM_AT_FIRST, 0}, {SIM_AT_MIDDLE, bytes / 2}, {SIM_AT_END, bytes > 0 ? bytes - 1 : 0}};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    *act = sim_faults_at(&p->steer, places[i].moment);
    if (*act != SIM_GO_ON && *act != SIM_ERROR_EVENT) return places[i].at;
  }
  *act = p->steer.cut_at < bytes ? SIM_CLOSE : SIM_GO_ON;
  return *act == SIM_CLOSE ? (size_t)p->steer.cut_at : bytes;
}

/* Hands worker->out to the client. false: not now, or not any more. */
static bool flush(struct play *p) {
  struct buf *out = &p->worker->out;
  size_t bytes = out->len;
  bool cut = p->steer.cut_at != SIM_UNSET && p->body_bytes + bytes > p->steer.cut_at;
  if (cut) bytes = (size_t)(p->steer.cut_at - p->body_bytes);
  if (p->steer.corrupt_at - p->body_bytes < bytes) out->ptr[p->steer.corrupt_at - p->body_bytes] ^= 1;
  p->body_bytes += bytes;
  bool room = exchange_write(p->exchange, slice_of(out->ptr, bytes));
  out->len = 0;
  if (cut) give_up(p, SIM_CLOSE);
  else if (!room) p->blocked = true;
  return room && !cut;
}

static void drip_on(struct play *p) {
  struct slice left = slice_from(buf_view(&p->drip), p->body_bytes);
  uint64_t piece = p->steer.drip_bytes > 0 ? p->steer.drip_bytes : 1;
  p->worker->out.len = 0;
  buf_append(&p->worker->out, left.ptr, left.len < piece ? left.len : (size_t)piece);
  if (!flush(p) && p->phase == OVER) return;
  p->due_ns += p->steer.drip_ms * NS_PER_MS;
  if (p->body_bytes < p->drip.len) {
    if (!p->blocked) arm(p);
    return;
  }
  p->phase = OVER;
  exchange_end(p->exchange);
}

/* What is in worker->out goes out piece by piece. */
static void begin_drip(struct play *p) {
  buf_slice(&p->drip, buf_view(&p->worker->out));
  p->phase = DRIPPING;
  p->steer.ping_ms = 0;
  p->due_ns = loop_now_ns(p->worker->loop);
  drip_on(p);
}

static void send_whole(struct play *p, unsigned status) {
  struct buf *out = &p->worker->out;
  enum sim_act act;
  size_t bytes = cut_whole(p, &act);
  struct slice headers = buf_view(&p->worker->headers);
  p->status = status;
  p->phase = OVER;
  if (p->steer.corrupt_at < bytes && p->steer.drip_ms == 0) out->ptr[p->steer.corrupt_at] ^= 1;
  if (p->steer.drip_ms > 0) {
    exchange_start_sized(p->exchange, status, headers, out->len);
    begin_drip(p);
    return;
  }
  if (act == SIM_GO_ON) {
    exchange_reply(p->exchange, status, headers, &(struct iovec){out->ptr, out->len}, 1);
    return;
  }
  exchange_start_sized(p->exchange, status, headers, out->len);
  exchange_write(p->exchange, slice_of(out->ptr, bytes));
  if (act == SIM_STALL) p->phase = SILENT;
  else give_up(p, act);
}

static void next_step(struct play *p) {
  struct sim_step *step = &p->step;
  const struct sim_answer *a = &p->answer;
  switch (step->kind) {
  case SIM_STEP_BEGIN: step->kind = a->block_count > 0 ? SIM_STEP_OPEN : SIM_STEP_FINISH; break;
  case SIM_STEP_OPEN:
    step->to = p->delta = 0;
    step->kind = a->blocks[step->block].bytes > 0 ? SIM_STEP_DELTA : SIM_STEP_CLOSE;
    break;
  case SIM_STEP_DELTA:
    p->delta++;
    p->deltas_out++;
    p->due_ns += p->steer.chunk_ms * NS_PER_MS;
    if (step->to >= a->blocks[step->block].bytes) step->kind = SIM_STEP_CLOSE;
    break;
  case SIM_STEP_CLOSE: step->kind = ++step->block < a->block_count ? SIM_STEP_OPEN : SIM_STEP_FINISH; break;
  case SIM_STEP_FINISH: step->kind = SIM_STEP_END; break;
  case SIM_STEP_END: break;
  }
  step->from = step->to;
  if (step->kind == SIM_STEP_DELTA) step->to = sim_block_cut(&a->blocks[step->block], step->from, p->delta);
}

/* The fault that strikes before the next step. */
static enum sim_act strike(struct play *p) {
  enum sim_act act = SIM_GO_ON;
  if (p->step.kind == SIM_STEP_BEGIN) return sim_faults_at(&p->steer, SIM_AT_FIRST);
  if (p->step.kind != SIM_STEP_DELTA && p->step.kind != SIM_STEP_FINISH) return SIM_GO_ON;
  if (!p->middle_passed && p->deltas_out >= (p->answer.deltas + 1) / 2) {
    p->middle_passed = true;
    act = sim_faults_at(&p->steer, SIM_AT_MIDDLE);
  }
  if (act == SIM_GO_ON && p->step.kind == SIM_STEP_FINISH) act = sim_faults_at(&p->steer, SIM_AT_END);
  return act;
}

static void act_on_stream(struct play *p, enum sim_act act) {
  if (act == SIM_ERROR_EVENT) {
    struct sim_refusal why = {.status = p->steer.status >= 400 ? (unsigned)p->steer.status : DIALECT_STATUS,
                              .type = p->steer.type};
    p->dialect->error_event(&p->answer, &why, &p->worker->out);
  }
  flush(p);
  if (p->phase == OVER) return;
  p->phase = act == SIM_STALL ? SILENT : OVER;
  if (act == SIM_STALL) arm(p);
  else if (act == SIM_ERROR_EVENT) exchange_end(p->exchange);
  else give_up(p, act);
}

static void put_step(struct play *p) {
  struct buf *out = &p->worker->out;
  size_t from = out->len;
  sim_dialect_step(p->dialect, &p->answer, &p->step, out);
  if (p->steer.malformed != SIM_WELL_FORMED && p->step.kind == SIM_STEP_DELTA && p->deltas_out == p->answer.deltas / 2)
    sim_faults_spoil(&p->steer, true, out, from);
}

/* Tokens of all steps of a stream that are behind it. */
static uint64_t streamed_tokens(const struct play *p) {
  if (p->step.kind == SIM_STEP_FINISH || p->step.kind == SIM_STEP_END) return p->answer.output_tokens;
  uint64_t tokens = 0;
  for (unsigned i = 0; i < p->step.block; i++) tokens += p->answer.blocks[i].words;
  if (p->step.kind == SIM_STEP_DELTA || p->step.kind == SIM_STEP_CLOSE)
    tokens += sim_block_tokens(&p->answer.blocks[p->step.block], p->step.from);
  return tokens;
}

/* Writes all that is due, in one piece. */
static void stream_on(struct play *p) {
  struct buf *out = &p->worker->out;
  uint64_t now = loop_now_ns(p->worker->loop);
  bool drips = p->steer.drip_ms > 0;
  out->len = 0;
  for (;;) {
    bool paced = p->step.kind == SIM_STEP_DELTA || p->step.kind == SIM_STEP_FINISH;
    if (paced && p->due_ns > now && !drips) {
      if (out->len == 0 || flush(p)) arm(p);
      return;
    }
    enum sim_act act = strike(p);
    if (act != SIM_GO_ON) {
      act_on_stream(p, act);
      return;
    }
    put_step(p);
    bool last = p->step.kind == SIM_STEP_END;
    next_step(p);
    if (drips || p->steer.cut_at != SIM_UNSET) {
      struct mark mark = {p->body_bytes + out->len, streamed_tokens(p)};
      buf_append(&p->marks, (const char *)&mark, sizeof mark);
    }
    if (last) break;
    if (out->len >= BATCH_BYTES && !drips && !flush(p)) return;
  }
  if (drips) {
    begin_drip(p);
    return;
  }
  flush(p);
  if (p->phase == OVER) return;
  p->phase = OVER;
  exchange_end(p->exchange);
}

static void begin_stream(struct play *p) {
  struct slice type = p->answer.stream_type;
  put_headers(p, type.ptr != NULL ? type : SLICE("text/event-stream; charset=utf-8"));
  p->status = 200;
  p->phase = STREAMING;
  exchange_start(p->exchange, 200, buf_view(&p->worker->headers));
  if (p->dialect->begin != NULL) p->dialect->begin(&p->answer, &p->arena);
  p->head_out = true;
  p->pinged_ns = loop_now_ns(p->worker->loop);
  uint64_t first_ns = p->arrived_ns + p->steer.ttft_ms * NS_PER_MS;
  p->due_ns = first_ns > p->pinged_ns ? first_ns : p->pinged_ns;
  stream_on(p);
}

static void put_embeddings(const struct play *p, struct buf *out) {
  sim_embeddings_put(exchange_head(p->exchange)->path, exchange_body(p->exchange), &p->answer, out);
}

static void write_head(struct play *p) {
  enum sim_act act = sim_faults_at(&p->steer, SIM_AT_HEAD);
  if (act == SIM_STALL) p->phase = SILENT;
  else if (act != SIM_GO_ON) give_up(p, act);
  if (act != SIM_GO_ON) return;
  bool spoiled = p->steer.malformed == SIM_BAD_CONTENT_TYPE, zipped = p->steer.gzip_bytes > 0;
  if (p->stream && p->refusal.status == 0 && !spoiled && !zipped) {
    begin_stream(p);
    return;
  }
  struct buf *out = &p->worker->out;
  out->len = 0;
  put_headers(p, spoiled               ? SLICE("text/html")
                 : zipped && p->stream ? SLICE("text/event-stream")
                                       : SLICE("application/json"));
  if (p->refusal.status != 0) p->dialect->error(&p->answer, &p->refusal, out);
  else if (zipped) sim_gzip_put_blanks(p->steer.gzip_bytes, out);
  else if (p->models) p->dialect->models(out);
  else if (p->embeds) put_embeddings(p, out);
  else p->dialect->whole(&p->answer, out);
  if (p->steer.malformed != SIM_WELL_FORMED) sim_faults_spoil(&p->steer, false, out, 0);
  send_whole(p, p->refusal.status != 0 ? p->refusal.status : 200);
}

static void fired(void *owner) {
  struct play *p = owner;
  uint64_t now = loop_now_ns(p->worker->loop);
  if (p->phase == WAITING) {
    write_head(p);
    return;
  }
  if (p->phase == OVER || p->blocked) return;
  if (p->steer.ping_ms > 0 && now >= p->pinged_ns + p->steer.ping_ms * NS_PER_MS) {
    p->pinged_ns = now;
    p->worker->out.len = 0;
    p->dialect->ping(&p->worker->out);
    if (!flush(p)) return;
  }
  if (p->phase == STREAMING && now >= p->due_ns) stream_on(p);
  else if (p->phase == DRIPPING && now >= p->due_ns) drip_on(p);
  else arm(p);
}

/* ---- the service */

static void opened(void *owner, struct exchange *x, const struct http_head *head) {
  (void)owner, (void)head;
  exchange_set_owner(x, NULL);
}

static void ready(void *owner, struct exchange *x) {
  struct sim_worker *w = owner;
  struct simulator *s = w->simulator;
  const struct http_head *head = exchange_head(x);
  if (slice_starts(head->path, SLICE("/simulate/"))) {
    sim_control(w, x);
    return;
  }
  struct arena arena;
  arena_init(&arena);
  struct play *p = arena_alloc(&arena, sizeof *p);
  *p = (struct play){.worker = w,
                     .exchange = x,
                     .steer = atomic_load_explicit(&s->defaults, memory_order_acquire)->steer,
                     .arrived_ns = loop_now_ns(w->loop),
                     .received_ms = clock_wall_ms()};
  p->arena = arena;
  p->answer.seed = s->seed;
  p->answer.number = atomic_fetch_add_explicit(&s->requests, 1, memory_order_relaxed) + 1;
  atomic_fetch_add_explicit(&w->recorder.requests, 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&w->recorder.open, 1, memory_order_relaxed);
  timer_init(&p->timer, w->loop, fired, p);
  exchange_set_owner(x, p);
  /* What is wrong with the request itself is told at once, and plainly. */
  if (!read_request(p, head)) p->steer = sim_steer_none;
  p->due_ns = p->arrived_ns + p->steer.latency_ms * NS_PER_MS;
  if (p->steer.latency_ms > 0) arm(p);
  else write_head(p);
}

static void drained(void *owner, struct exchange *x) {
  (void)owner;
  struct play *p = exchange_owner(x);
  if (p == NULL || !p->blocked) return;
  p->blocked = false;
  if (p->phase == STREAMING) stream_on(p);
  else if (p->phase == DRIPPING) arm(p);
}

/* Whether 200 was said in front of something that no model made: a proxy's page, a bomb, an error before all content.
 */
static bool made_nothing(const struct play *p) {
  bool fails_first = p->stream && p->steer.error_event == SIM_AT_FIRST;
  return fails_first || p->steer.malformed == SIM_BAD_CONTENT_TYPE || p->steer.gzip_bytes > 0;
}

/* What was billed has been told, too. */
static bool sent_all(const struct play *p, enum sim_end end) {
  const struct sim_steer *s = &p->steer;
  bool unspoiled = s->malformed == SIM_WELL_FORMED && s->corrupt_at == SIM_UNSET && s->header.len == 0;
  return end == SIM_FINISHED && unspoiled && !s->no_usage && (!p->stream || p->step.kind == SIM_STEP_END);
}

/* Of a stream that broke off where its bytes were counted: a provider makes its answer as it sends it. */
static uint64_t marked_tokens(const struct play *p) {
  const struct mark *marks = (const struct mark *)(const void *)p->marks.ptr;
  size_t count = p->marks.len / sizeof *marks;
  while (count > 0 && marks[count - 1].bytes > p->body_bytes) count--;
  return count > 0 ? marks[count - 1].tokens : 0;
}

/* As a provider bills that notices within moments that nobody reads: the prompt once it was taken to be worked on, and
 * what was generated until then: of a stream what was streamed, all of a whole answer once its head is written. A
 * process that dies before its answer's head bills nothing. */
static void bill(const struct play *p, struct sim_record *record) {
  bool died = p->status == 0 && (record->end == SIM_CUT || record->end == SIM_RESET);
  if (p->refusal.status != 0 || p->models || made_nothing(p) || died) return;
  record->billed_input = p->answer.input_tokens;
  if (p->status == 0) return;
  record->billed_output = !p->stream         ? p->answer.output_tokens
                          : p->marks.len > 0 ? marked_tokens(p)
                                             : streamed_tokens(p);
  record->answer_sent = sent_all(p, record->end);
}

static void closed(void *owner, struct exchange *x, enum exchange_end why) {
  struct sim_worker *w = owner;
  struct play *p = exchange_owner(x);
  if (p == NULL) return;
  static const enum sim_end ends[] = {SIM_FINISHED, SIM_CLIENT_GONE, SIM_TOO_SLOW, SIM_CLIENT_GONE};
  struct sim_record record = {.seq = p->answer.number,
                              .received_ms = p->received_ms,
                              .ended_ms = clock_wall_ms(),
                              .head = sim_record_head(exchange_head(x)),
                              .body_bytes = exchange_body(x).len,
                              .dialect = p->dialect->name,
                              .status = p->status,
                              .end = why == EXCHANGE_FINISHED ? p->end : ends[why]};
  record.body = exchange_take_body(x);
  bill(p, &record);
  timer_clear(&p->timer);
  buf_done(&p->drip);
  buf_done(&p->marks);
  atomic_fetch_sub_explicit(&w->recorder.open, 1, memory_order_relaxed);
  sim_record_add(&w->recorder, &record);
  struct arena arena = p->arena;
  arena_done(&arena);
}

static void refusal(void *owner, struct exchange *x, struct slice path, const struct http_refusal *why,
                    struct buf *headers, struct buf *body) {
  (void)x;
  struct sim_worker *w = owner;
  const struct sim_dialect *dialect = w->simulator->only;
  for (unsigned i = 0; i < SIM_DIALECTS && dialect == NULL; i++)
    if (sim_dialect_takes(sim_dialects[i], path)) dialect = sim_dialects[i];
  if (dialect == NULL) dialect = sim_dialects[0];
  struct sim_answer nothing = {.seed = w->simulator->seed};
  buf_text(headers, "content-type: application/json\r\n");
  dialect->error(&nothing, &(struct sim_refusal){.status = why->status, .message = slice_text(why->why)}, body);
}

const struct service sim_service = {opened, ready, drained, closed, refusal};
