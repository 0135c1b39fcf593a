/* seen: the test's side of a call: drives calls on a loop of its own and keeps what was told. */
#ifndef MOONGATE_TESTS_IO_SEEN_H
#define MOONGATE_TESTS_IO_SEEN_H

#include <dirent.h>

#include "check.h"
#include "full_port.h"
#include "io/upcall.h"
#include "provider.h"

struct seen {
  struct loop *loop;
  struct upcall *call;
  unsigned heads, bodies, ends, fails;
  unsigned status;
  struct buf body;
  struct slice wanted; /* name of a header to keep */
  struct buf kept;     /* its value */
  uint64_t body_bytes;
  bool drop_body; /* count it only */
  struct upcall_fault fault;
  struct upcall_times times;
  void (*at_head)(struct seen *s);
  void (*at_body)(struct seen *s, struct slice bytes);
  void (*at_end)(struct seen *s);
  unsigned *running; /* calls of the test still without a last event; the loop stops at 0 */
  bool over;
};

static inline void seen_over(struct seen *s) {
  s->over = true;
  if (--*s->running == 0) loop_stop(s->loop);
}

static inline void seen_head(void *owner, const struct http_head *head) {
  struct seen *s = owner;
  s->heads++;
  s->status = head->status;
  struct slice value = s->wanted.len > 0 ? http_header_of(head, s->wanted) : (struct slice){0};
  if (value.len > 0) buf_slice(&s->kept, value);
  if (s->at_head) s->at_head(s);
}

static inline void seen_body(void *owner, struct slice bytes) {
  struct seen *s = owner;
  s->bodies++;
  s->body_bytes += bytes.len;
  /* The slack must be readable: the sanitizer would say. */
  volatile char last = bytes.ptr[bytes.len + BUF_SLACK - 1];
  (void)last;
  if (!s->drop_body) buf_slice(&s->body, bytes);
  if (s->at_body) s->at_body(s, bytes);
}

static inline void seen_end(void *owner) {
  struct seen *s = owner;
  s->ends++;
  s->times = *upcall_times(s->call);
  seen_over(s);
  if (s->at_end) s->at_end(s);
}

static inline void seen_fail(void *owner, const struct upcall_fault *fault) {
  struct seen *s = owner;
  s->fails++;
  s->fault = *fault;
  s->times = *upcall_times(s->call);
  seen_over(s);
}

static const struct upcall_events seen_events = {seen_head, seen_body, seen_end, seen_fail};

static inline void seen_done(struct seen *s) {
  buf_done(&s->body);
  buf_done(&s->kept);
}

#define SECRET "sk-canary-4711"

/* Starts a call; body may be NULL. */
static inline void seen_start(struct seen *s, struct upstream *u, const char *method, const char *target,
                              const struct iovec *body, int parts) {
  struct upcall_request request = {.method = slice_text(method),
                                   .target = slice_text(target),
                                   .headers = SLICE("accept-encoding: identity\r\ncontent-type: application/json\r\n"),
                                   .secret_line = SLICE("authorization: Bearer " SECRET "\r\n"),
                                   .body = body,
                                   .body_parts = parts};
  s->over = false;
  ++*s->running;
  s->call = upcall_start(u, &request, &seen_events, s);
}

static inline void loop_too_long(void *owner) {
  fprintf(stderr, "nothing happened for too long\n");
  check_failed_here++;
  loop_stop(owner);
}

/* Runs until no call is running, or within_ms passed: a failure. */
static inline void loop_until_over(struct loop *l, uint64_t within_ms) {
  struct timer guard;
  timer_init(&guard, l, loop_too_long, l);
  timer_set_ms(&guard, within_ms);
  loop_run(l);
  timer_clear(&guard);
}

static inline void loop_enough(void *owner) {
  loop_stop(owner);
}

static inline void loop_for_ms(struct loop *l, uint64_t ms) {
  struct timer enough;
  timer_init(&enough, l, loop_enough, l);
  timer_set_ms(&enough, ms);
  loop_run(l);
  timer_clear(&enough);
}

/* Runs until that is so; a check behind it says what was waited for. */
#define LOOP_UNTIL(l, condition)                                                                                       \
  for (uint64_t give_up_ns_ = clock_ns() + 60000000000u; !(condition) && clock_ns() < give_up_ns_;) loop_for_ms((l), 1)

static inline struct upstream *upstream_to(struct loop *l, const char *scheme, const char *host, uint16_t port,
                                           struct upstream_config config) {
  char url[128];
  snprintf(url, sizeof url, "%s://%s:%u/v1", scheme, host, port);
  config.base_url = url;
  struct err e = {0};
  struct upstream *u = upstream_new(l, &config, &e);
  if (u == NULL) fprintf(stderr, "%s\n", e.text);
  must(u != NULL);
  return u;
}

static inline unsigned open_descriptors(void) {
  unsigned count = 0;
  DIR *all = opendir("/proc/self/fd");
  while (readdir(all)) count++;
  closedir(all);
  return count;
}

/* One call to a fresh upstream, all told in *s. */
static inline void call_at(struct seen *s, const char *scheme, const char *host, uint16_t port, const char *method,
                           struct upstream_config config) {
  static unsigned running;
  struct loop *l = loop_new();
  struct upstream *u = upstream_to(l, scheme, host, port, config);
  running = 0;
  s->loop = l;
  s->running = &running;
  static char text[] = "{\"model\":\"m\"}";
  struct iovec body = {text, sizeof text - 1};
  seen_start(s, u, method, "/v1/chat/completions?x=y", &body, strcmp(method, "POST") == 0);
  loop_until_over(l, 20000);
  upstream_retire(u);
  loop_free(l);
}

static inline void call_once(struct seen *s, uint16_t port, const char *method, struct upstream_config config) {
  call_at(s, "http", "127.0.0.1", port, method, config);
}

static inline void answer_of(struct seen *s, const char *method, struct answer_script a,
                             struct upstream_config config) {
  struct provider *v = provider_start(serve_answer, &a, NULL);
  call_once(s, v->port, method, config);
  provider_stop(v);
}

/* Every way an answer may be framed. */
static const struct framed {
  const char *name, *method, *bytes, *body;
  unsigned status;
  bool close; /* the end of the connection is the end of the body */
} framed[] __attribute__((unused)) = {
    {"length", "POST", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", 200, false},
    {"empty", "POST", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", 200, false},
    {"chunked", "POST",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", "hello world",
     200, false},
    {"trailers", "POST",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nAuthorization: x\r\n\r\n", "a",
     200, false},
    {"until close", "POST", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\ndata: b\n\n",
     "data: a\n\ndata: b\n\n", 200, true},
    {"1.0 until close", "POST", "HTTP/1.0 200 OK\r\n\r\nabc", "abc", 200, true},
    {"1xx first", "POST",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 "
     "Created\r\nContent-Length: 2\r\n\r\nok",
     "ok", 201, false},
    {"HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", "", 200, false},
    {"HEAD chunked", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "", 200, false},
    {"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", "", 204, false},
    {"304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", "", 304, false},
    {"error status", "POST", "HTTP/1.1 529 Overloaded\r\nContent-Length: 2\r\nRetry-After: 3\r\n\r\n{}", "{}", 529,
     false},
    {"identity named", "POST", "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 1\r\n\r\nx", "x", 200,
     false},
};

/* ---- cancel and pause ---- */

static inline void cancel_call(struct seen *s) {
  upcall_cancel(s->call);
  seen_over(s);
}

static inline void cancel_call_at_body(struct seen *s, struct slice bytes) {
  (void)bytes;
  cancel_call(s);
}

static inline void cancel_later(void *owner) {
  cancel_call(owner);
}

static uint64_t flood_wrong __attribute__((unused)), flood_pauses __attribute__((unused));
static struct timer flood_timer __attribute__((unused));

static inline void flood_resume(void *owner) {
  struct seen *s = owner;
  upcall_resume(s->call);
}

/* Checks each byte; pauses often, now and then for long. */
static inline void flood_body(struct seen *s, struct slice bytes) {
  uint64_t from = s->body_bytes - bytes.len;
  for (size_t i = 0; i < bytes.len; i++) flood_wrong += bytes.ptr[i] != flood_byte(from + i);
  if (flood_pauses++ % 64 == 0) {
    upcall_pause(s->call);
    timer_set_ms(&flood_timer, 2);
  } else if (flood_pauses % 3 == 0) {
    upcall_pause(s->call);
    upcall_resume(s->call);
  }
}

static inline long resident_kb(void) {
  long pages = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
  fclose(file);
  return resident * 4;
}

static inline void first_pause(struct seen *s, struct slice bytes) {
  (void)bytes;
  upcall_pause(s->call);
  s->at_body = flood_body;
}

/* A call to serve_flood that pauses at its first bytes: begun, and seen to pause; and its end, all bytes told. */
static inline void flood_begin(struct seen *s, struct upstream *u) {
  flood_wrong = flood_pauses = 0;
  timer_init(&flood_timer, s->loop, flood_resume, s);
  s->drop_body = true;
  s->at_body = first_pause;
  seen_start(s, u, "GET", "/", NULL, 0);
  LOOP_UNTIL(s->loop, s->bodies > 0);
}

static inline void flood_end(struct seen *s) {
  upcall_resume(s->call);
  loop_until_over(s->loop, 60000);
  CHECK_INT(s->ends, 1);
  CHECK_INT(s->body_bytes, FLOOD_BYTES);
  CHECK_INT(flood_wrong, 0);
}

/* Bytes without a pattern, for a body; sum: what serve_sum says of it. The caller frees them with mem_free. */
static inline char *noise_new(size_t len, char sum[32]) {
  char *bytes = mem_alloc(len);
  uint32_t seed = 7;
  for (size_t i = 0; i < len; i++) bytes[i] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
  snprintf(sum, 32, "%llx", (unsigned long long)sum_of(bytes, len));
  return bytes;
}

/* libcurl's and OpenSSL's own set-up comes before any test. */
static void init_library(void) __attribute__((constructor(101)));
static void init_library(void) {
  upcall_library_init();
}

#endif
