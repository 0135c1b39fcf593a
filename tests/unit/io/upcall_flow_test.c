/* Bytes and time: large requests, cancel in every phase, backpressure. */
#include "seen.h"

/* ---- large requests ---- */

TEST(a_body_larger_than_the_socket_buffer_arrives_whole) {
  enum { BYTES = 20 << 20, PARTS = 40 };
  struct provider *v = provider_start(serve_sum, NULL, NULL);
  char sum[32], *bytes = noise_new(BYTES, sum);
  struct iovec parts[PARTS];
  size_t at = 0;
  for (int i = 0; i < PARTS; i++) {
    size_t len = i == PARTS - 1 ? BYTES - at : i % 5 == 0 ? 0 : (size_t)i * 1000 + 1;
    parts[i] = (struct iovec){bytes + at, len};
    at += len;
  }
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u = upstream_to(l, "http", "127.0.0.1", v->port, upstream_config_default);
  for (int i = 0; i < 2; i++) {
    struct seen s = {.loop = l, .running = &running};
    seen_start(&s, u, "POST", "/", parts, PARTS);
    loop_until_over(l, 60000);
    CHECK_SLICE(buf_view(&s.body), sum);
    CHECK_INT(s.times.reused, i);
    seen_done(&s);
  }
  upstream_retire(u);
  loop_free(l);
  mem_free(bytes);
  provider_stop(v);
}

static void serve_too_large(struct peer *p) {
  char some[1000];
  if (peer_recv(p, some, sizeof some) <= 0) return;
  peer_say(p, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\n{}");
  usleep(20000); /* unread bytes: the close is a reset */
}

TEST(an_answer_before_the_request_was_sent_is_heard) {
  struct provider *v = provider_start(serve_too_large, NULL, NULL);
  char *bytes = mem_zero(20 << 20);
  struct iovec body = {bytes, 20 << 20};
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u = upstream_to(l, "http", "127.0.0.1", v->port, upstream_config_default);
  struct seen s = {.loop = l, .running = &running};
  seen_start(&s, u, "POST", "/", &body, 1);
  loop_until_over(l, 60000);
  CHECK_INT(s.status, 413);
  CHECK_INT(s.ends, 1);
  CHECK_INT(upstream_idle_connections(u), 0);
  seen_done(&s);
  upstream_retire(u);
  loop_free(l);
  mem_free(bytes);
  provider_stop(v);
}

/* ---- cancel ---- */

static void serve_head_then_wait(struct peer *p) {
  peer_request(p);
  peer_say(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  usleep(20000);
  peer_say(p, "3\r\none\r\n3\r\ntwo\r\n3\r\nsix\r\n");
  peer_saw_close(p);
}

static void serve_without_reading(struct peer *p) {
  usleep(200000);
  peer_saw_close(p);
}

TIMED(a_cancel_closes_the_connection_in_every_phase) {
  enum { AT_ONCE, WHILE_SENDING, WHILE_WAITING, IN_HEAD, IN_BODY, WHILE_STREAMING, PHASES };
  for (int phase = 0; phase < PHASES; phase++) {
    struct provider *v = provider_start(phase == WHILE_SENDING   ? serve_without_reading
                                        : phase == WHILE_WAITING ? serve_silence
                                                                 : serve_head_then_wait,
                                        NULL, NULL);
    unsigned running = 0, before = open_descriptors();
    struct loop *l = loop_new();
    struct upstream *u = upstream_to(l, "http", "127.0.0.1", v->port, upstream_config_default);
    struct seen s = {.loop = l, .running = &running};
    if (phase == IN_HEAD) s.at_head = cancel_call;
    if (phase == IN_BODY) s.at_body = cancel_call_at_body;
    char *bytes = mem_zero(20 << 20);
    struct iovec body = {bytes, 20 << 20};
    seen_start(&s, u, "POST", "/", &body, phase == WHILE_SENDING);
    struct timer soon;
    timer_init(&soon, l, cancel_later, &s);
    if (phase == AT_ONCE) cancel_call(&s);
    if (phase == WHILE_SENDING) LOOP_UNTIL(l, v->connections == 1);
    if (phase == WHILE_WAITING) LOOP_UNTIL(l, v->requests == 1);
    if (phase == WHILE_STREAMING) LOOP_UNTIL(l, s.body_bytes == 9);
    if (phase == WHILE_SENDING || phase == WHILE_WAITING || phase == WHILE_STREAMING) timer_set_ms(&soon, 20);
    if (phase != AT_ONCE) {
      loop_until_over(l, 60000);
      /* The loop stands still: nothing but the cancel can have closed it. */
      for (int i = 0; i < 3000 && v->closed_ns == 0; i++) usleep(10000);
      CHECK(v->closed_ns != 0);
    }
    loop_for_ms(l, 30);
    CHECK_INT(s.ends + s.fails, 0);
    CHECK_INT(s.heads, phase >= IN_HEAD);
    CHECK_INT(s.bodies, phase == IN_BODY ? 1 : phase == WHILE_STREAMING ? 3 : 0);
    CHECK_INT(upstream_idle_connections(u), 0);
    seen_done(&s);
    upstream_retire(u);
    loop_free(l);
    mem_free(bytes);
    provider_stop(v);
    CHECK_INT(open_descriptors(), before - 1); /* the provider's listener is gone too */
  }
}

TEST(a_cancel_while_connecting_ends_the_attempt) {
  struct full_port full = full_port_open();
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u = upstream_to(l, "http", "127.0.0.1", full.port, upstream_config_default),
                  *named = upstream_to(l, "http", "no-such-host.invalid", full.port, upstream_config_default);
  unsigned before = open_descriptors();
  struct seen s = {.loop = l, .running = &running}, t = s;
  seen_start(&s, u, "GET", "/", NULL, 0);
  seen_start(&t, named, "GET", "/", NULL, 0);
  loop_for_ms(l, 2);
  if (!t.over) cancel_call(&t);
  loop_for_ms(l, 100);
  CHECK(open_descriptors() > before);
  cancel_call(&s);
  CHECK_INT(s.ends + s.fails, 0);
  LOOP_UNTIL(l, open_descriptors() == before); /* the resolver's thread has a socket while it asks */
  CHECK_INT(open_descriptors(), before);
  upstream_retire(u);
  upstream_retire(named);
  loop_free(l);
  full_port_close(&full);
}

TEST(a_cancel_when_the_whole_answer_is_here_keeps_the_connection) {
  static const char *const bytes[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nend\r\n2\r\nxx\r\n0\r\n\r\n",
  };
  for (size_t i = 0; i < 2; i++) {
    struct answer_script a = {.bytes = bytes[i]};
    struct provider *v = provider_start(serve_answer, &a, NULL);
    struct loop *l = loop_new();
    unsigned running = 0;
    struct upstream *u = upstream_to(l, "http", "127.0.0.1", v->port, upstream_config_default);
    for (int n = 0; n < 3; n++) {
      struct seen s = {.loop = l, .running = &running, .at_body = cancel_call_at_body};
      seen_start(&s, u, "GET", "/", NULL, 0);
      loop_until_over(l, 60000);
      CHECK_INT(s.ends + s.fails, 0);
      CHECK_INT(s.bodies, 1);
      CHECK_INT(upstream_idle_connections(u), 1);
      seen_done(&s);
    }
    CHECK_INT(v->connections, 1);
    upstream_retire(u);
    loop_free(l);
    provider_stop(v);
  }
}

/* ---- pause ---- */

TEST(a_pause_holds_a_fast_provider_back_and_loses_nothing) {
  for (int chunked = 0; chunked < 2; chunked++) {
    struct provider *v = provider_start(serve_flood, chunked ? "" : NULL, NULL);
    struct loop *l = loop_new();
    unsigned running = 0;
    struct upstream *u = upstream_to(l, "http", "127.0.0.1", v->port, upstream_config_default);
    struct seen s = {.loop = l, .running = &running};
    long before_kb = resident_kb();
    flood_begin(&s, u);
    loop_for_ms(l, 400);
    uint64_t told = s.body_bytes;
    CHECK_INT(s.bodies, 1);
    CHECK(v->closed_ns < 16 << 20); /* the provider's writes block: all it got rid of is in socket buffers */
    CHECK(resident_kb() - before_kb < 4096);
    loop_for_ms(l, 200);
    CHECK_INT(s.body_bytes, told);
    flood_end(&s);
    CHECK(resident_kb() - before_kb < 8192);
    CHECK_INT(upstream_idle_connections(u), 1);
    upstream_retire(u);
    loop_free(l);
    provider_stop(v);
  }
}

static void pause_at_head(struct seen *s) {
  upcall_pause(s->call);
}

TEST(a_pause_holds_the_end_back_too) {
  static const struct answer_script a = {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"};
  struct provider *v = provider_start(serve_answer, &a, NULL);
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u = upstream_to(l, "http", "127.0.0.1", v->port, upstream_config_default);
  struct seen s = {.loop = l, .running = &running, .at_head = pause_at_head};
  seen_start(&s, u, "GET", "/", NULL, 0);
  LOOP_UNTIL(l, s.heads == 1);
  loop_for_ms(l, 50);
  CHECK_INT(s.heads, 1);
  CHECK_INT(s.bodies + s.ends, 0);
  upcall_resume(s.call);
  CHECK_INT(s.bodies + s.ends, 0); /* never within the call */
  loop_until_over(l, 60000);
  CHECK_SLICE(buf_view(&s.body), "hello");
  CHECK_INT(s.ends, 1);
  seen_done(&s);
  /* Paused before anything came, then cancelled. */
  s = (struct seen){.loop = l, .running = &running};
  seen_start(&s, u, "GET", "/", NULL, 0);
  upcall_pause(s.call);
  loop_for_ms(l, 50);
  CHECK_INT(s.heads, 0);
  upcall_resume(s.call);
  cancel_call(&s);
  loop_for_ms(l, 20);
  CHECK_INT(s.heads + s.ends + s.fails, 0);
  upstream_retire(u);
  loop_free(l);
  provider_stop(v);
}

UNIT_MAIN()
