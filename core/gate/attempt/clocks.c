/* clocks: see the header. */
#include "gate/attempt/clocks.h"

#include <stdio.h>

#include "gate/config.h"

#define MS UINT64_C(1000000)

const struct timeouts timeouts_unsaid = {TIMEOUT_UNSAID, TIMEOUT_UNSAID, TIMEOUT_UNSAID, TIMEOUT_UNSAID, TIMEOUT_UNSAID,
                                         TIMEOUT_UNSAID, TIMEOUT_UNSAID, TIMEOUT_UNSAID, TIMEOUT_UNSAID};

static const struct {
  const char *name;
  size_t offset;
  enum failure_class failure;
  const char *before, *after; /* what was not there in time: before the limit's figure, and behind it */
} rows[CLOCK_COUNT] = {
    [CLOCK_CONNECT] = {"connect", offsetof(struct timeouts, connect_ms), FAILURE_CONNECT_TIMEOUT,
                       "no connection after ", " ms"},
    [CLOCK_TLS] = {"tls", offsetof(struct timeouts, tls_ms), FAILURE_TLS_TIMEOUT,
                   "the TLS handshake was not done after ", " ms"},
    [CLOCK_UPLOAD] = {"upload", offsetof(struct timeouts, upload_ms), FAILURE_UPLOAD_TIMEOUT,
                      "nothing more of the request was taken for ", " ms"},
    [CLOCK_FIRST_TOKEN] = {"first_token", offsetof(struct timeouts, first_token_ms), FAILURE_FIRST_TOKEN_TIMEOUT,
                           "no content after ", " ms"},
    [CLOCK_BETWEEN_TOKENS] = {"between_tokens", offsetof(struct timeouts, between_tokens_ms), FAILURE_IDLE_TIMEOUT,
                              "no content for ", " ms"},
    [CLOCK_TOKEN_RATE] = {"min_tokens_per_s", offsetof(struct timeouts, min_tokens_per_s), FAILURE_TOKEN_RATE,
                          "fewer than ", " tokens a second over 10 s"},
    [CLOCK_FIRST_BYTE] = {"first_byte", offsetof(struct timeouts, first_byte_ms), FAILURE_FIRST_BYTE_TIMEOUT,
                          "no byte of the answer after ", " ms"},
    [CLOCK_BETWEEN_BYTES] = {"between_bytes", offsetof(struct timeouts, between_bytes_ms),
                             FAILURE_BETWEEN_BYTES_TIMEOUT, "no further byte of the answer for ", " ms"},
    [CLOCK_TOTAL] = {"total", offsetof(struct timeouts, total_ms), FAILURE_TOTAL_TIMEOUT,
                     "the answer was not complete after ", " ms"},
};

const char *timeout_name(enum clock_id id) {
  return id < CLOCK_COUNT ? rows[id].name : NULL;
}

enum failure_class clock_failure(enum clock_id id) {
  return rows[id].failure;
}

uint32_t timeout_value(const struct timeouts *t, enum clock_id id) {
  return *(const uint32_t *)(const void *)((const char *)t + rows[id].offset);
}

void timeouts_overlay(struct timeouts *under, const struct timeouts *over) {
  for (enum clock_id id = 0; id < CLOCK_COUNT; id++) {
    uint32_t said = timeout_value(over, id);
    if (said != TIMEOUT_UNSAID) *(uint32_t *)(void *)((char *)under + rows[id].offset) = said;
  }
}

void timeouts_find(const struct route *route, const struct target *t, bool stream, struct timeouts *out) {
  const struct provider *p = t->provider;
  *out = p->timeouts;
  for (uint32_t i = 0; i < p->model_clock_count; i++)
    if (slice_eq(p->model_clocks[i].model, t->model)) timeouts_overlay(out, &p->model_clocks[i].timeouts);
  if (route != NULL && route->timeouts != NULL) timeouts_overlay(out, route->timeouts);
  if (out->total_ms == TIMEOUT_UNSAID) out->total_ms = stream ? TOTAL_STREAM_MS : TOTAL_WHOLE_MS;
}

/* ---- of an attempt ------------------------------------------------------------------------------------------ */

void clocks_start(struct clocks *c, uint64_t now_ns) {
  c->started_ns = c->content_ns = c->rate_from_ns = now_ns;
}

void clocks_content(struct clocks *c, size_t event_bytes, uint64_t now_ns) {
  c->content_ns = now_ns;
  if (event_bytes == 0 || event_bytes > UINT32_MAX) return;
  /* Some put one token into an event, some dozens; about four bytes are one. */
  if (c->shortest_bytes == 0 || event_bytes < c->shortest_bytes) c->shortest_bytes = (uint32_t)event_bytes;
  c->tokens += 1 + (event_bytes - c->shortest_bytes) / 4;
}

/* Servers send white space ahead of JSON to keep connections open. */
void clocks_bytes(struct clocks *c, struct slice bytes, uint64_t now_ns) {
  c->content_ns = now_ns;
  for (size_t i = 0; i < bytes.len && !c->body_begun; i++) c->body_begun = memchr(" \t\r\n", bytes.ptr[i], 4) == NULL;
}

void clocks_resume(struct clocks *c, uint64_t now_ns) {
  c->content_ns = c->rate_from_ns = now_ns;
  c->rate_from_tokens = c->tokens;
}

static void sooner(struct clock_due *due, enum clock_id id, uint32_t limit, uint64_t from_ns) {
  if (limit == 0) return;
  uint64_t at_ns = from_ns + limit * MS;
  if (at_ns < due->at_ns) *due = (struct clock_due){id, at_ns};
}

static struct clock_due due_now(const struct clocks *c, const struct clocks_view *v) {
  const struct timeouts *t = &c->limits;
  struct clock_due due = {CLOCK_TOTAL, UINT64_MAX};
  sooner(&due, CLOCK_TOTAL, t->total_ms, c->started_ns);
  if (v->awaits_first) sooner(&due, CLOCK_FIRST_TOKEN, t->first_token_ms, c->started_ns);
  if (v->awaits_next) {
    sooner(&due, CLOCK_BETWEEN_TOKENS, t->between_tokens_ms, c->content_ns);
    if (t->min_tokens_per_s > 0) sooner(&due, CLOCK_TOKEN_RATE, TOKEN_RATE_WINDOW_MS, c->rate_from_ns);
  }
  if (v->awaits_first_byte && !c->body_begun) sooner(&due, CLOCK_FIRST_BYTE, t->first_byte_ms, c->started_ns);
  if (v->awaits_bytes) sooner(&due, CLOCK_BETWEEN_BYTES, t->between_bytes_ms, c->content_ns);
  if (!v->calls) return due;
  if (v->phase == UPCALL_CONNECT) sooner(&due, CLOCK_CONNECT, t->connect_ms, v->since_ns);
  if (v->phase == UPCALL_TLS) sooner(&due, CLOCK_TLS, t->tls_ms, v->since_ns);
  if (v->phase == UPCALL_SEND) sooner(&due, CLOCK_UPLOAD, t->upload_ms, v->since_ns);
  return due;
}

struct clock_due clocks_next(const struct clocks *c, const struct clocks_view *v, uint64_t now_ns) {
  struct clock_due due = due_now(c, v);
  /* A phase that begins later than now ends no sooner than this. */
  if (v->may_be_whole) sooner(&due, CLOCK_BETWEEN_BYTES, c->limits.between_bytes_ms, now_ns);
  if (!v->calls || v->phase > UPCALL_SEND) return due;
  sooner(&due, CLOCK_CONNECT, c->limits.connect_ms, now_ns);
  sooner(&due, CLOCK_TLS, c->limits.tls_ms, now_ns);
  sooner(&due, CLOCK_UPLOAD, c->limits.upload_ms, now_ns);
  return due;
}

bool clocks_over(struct clocks *c, const struct clocks_view *v, uint64_t now_ns, enum clock_id *id, char text[120]) {
  struct clock_due due = due_now(c, v);
  if (due.at_ns > now_ns) return false;
  if (due.id == CLOCK_TOKEN_RATE) {
    uint64_t made = c->tokens - c->rate_from_tokens, took_ms = (now_ns - c->rate_from_ns) / MS;
    if (made * 1000 >= c->limits.min_tokens_per_s * took_ms) {
      c->rate_from_ns = now_ns;
      c->rate_from_tokens = c->tokens;
      return false;
    }
  }
  *id = due.id;
  snprintf(text, 120, "%s%u%s (timeouts.%s)", rows[due.id].before, timeout_value(&c->limits, due.id),
           rows[due.id].after, rows[due.id].name);
  return true;
}
