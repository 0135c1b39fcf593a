/* The pool: which connection serves which call, what is never used again, and when a request is sent again. */
#include "seen.h"

/* ---- reuse ---- */

TIMED(calls_one_after_the_other_share_one_connection) {
  struct provider *v = provider_start(serve_whole, NULL, NULL);
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u = upstream_to(l, "http", "127.0.0.1", v->port, upstream_config_default);
  for (int i = 0; i < 50; i++) {
    struct seen s = {.loop = l, .running = &running};
    seen_start(&s, u, "GET", "/v1/models", NULL, 0);
    loop_until_over(l, 60000);
    CHECK_INT(s.ends, 1);
    CHECK_INT(s.times.reused, i > 0);
    CHECK_INT(upstream_idle_connections(u), 1);
    seen_done(&s);
  }
  CHECK_INT(v->connections, 1);
  CHECK_INT(v->requests, 50);
  upstream_retire(u);
  loop_free(l);
  provider_stop(v);
}

static struct upstream *again_to;
static struct seen again;

static void call_again(struct seen *s) {
  again = (struct seen){.loop = s->loop, .running = s->running};
  seen_start(&again, again_to, "GET", "/", NULL, 0);
}

TIMED(a_call_started_in_the_end_event_finds_the_connection) {
  struct provider *v = provider_start(serve_whole, NULL, NULL);
  struct loop *l = loop_new();
  unsigned running = 0;
  again_to = upstream_to(l, "http", "127.0.0.1", v->port, upstream_config_default);
  struct seen s = {.loop = l, .running = &running, .at_end = call_again};
  seen_start(&s, again_to, "GET", "/", NULL, 0);
  loop_until_over(l, 60000);
  if (!again.over) loop_until_over(l, 60000);
  CHECK_INT(again.ends, 1);
  CHECK(again.times.reused);
  CHECK_INT(v->connections, 1);
  seen_done(&s);
  seen_done(&again);
  upstream_retire(again_to);
  loop_free(l);
  provider_stop(v);
}

TIMED(only_so_many_idle_connections_are_kept_and_not_for_ever) {
  struct provider *v = provider_start(serve_whole, NULL, NULL);
  struct upstream_config config = upstream_config_default;
  config.connections_idle = 3;
  struct loop *l = loop_new();
  unsigned running = 0, before = open_descriptors();
  struct upstream *u = upstream_to(l, "http", "127.0.0.1", v->port, config);
  struct seen s[8];
  for (int i = 0; i < 8; i++) {
    s[i] = (struct seen){.loop = l, .running = &running};
    seen_start(&s[i], u, "GET", "/", NULL, 0);
  }
  loop_until_over(l, 60000);
  for (int i = 0; i < 8; i++) {
    CHECK_INT(s[i].ends, 1);
    seen_done(&s[i]);
  }
  CHECK_INT(upstream_idle_connections(u), 3);
  upstream_retire(u);
  config.idle_ms = 50;
  u = upstream_to(l, "http", "127.0.0.1", v->port, config);
  s[0] = (struct seen){.loop = l, .running = &running};
  seen_start(&s[0], u, "GET", "/", NULL, 0);
  loop_until_over(l, 60000);
  CHECK_INT(s[0].ends, 1);
  CHECK_INT(upstream_idle_connections(u), 1);
  LOOP_UNTIL(l, upstream_idle_connections(u) == 0);
  CHECK_INT(upstream_idle_connections(u), 0);
  seen_done(&s[0]);
  upstream_retire(u);
  loop_free(l);
  provider_stop(v);
  CHECK(open_descriptors() < before);
}

TIMED(answers_that_forbid_reuse_close_the_connection) {
  static const char *const bytes[] = {
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
      "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n", /* bytes that nobody asked for */
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n?",
  };
  for (size_t i = 0; i < 4; i++) {
    struct answer_script a = {.bytes = bytes[i]};
    struct provider *v = provider_start(serve_answer, &a, NULL);
    struct loop *l = loop_new();
    unsigned running = 0;
    struct upstream *u = upstream_to(l, "http", "127.0.0.1", v->port, upstream_config_default);
    for (int n = 0; n < 2; n++) {
      struct seen s = {.loop = l, .running = &running};
      seen_start(&s, u, "GET", "/", NULL, 0);
      loop_until_over(l, 60000);
      CHECK_INT(s.ends, 1);
      CHECK_SLICE(buf_view(&s.body), "x");
      CHECK_INT(upstream_idle_connections(u), 0);
      seen_done(&s);
    }
    CHECK_INT(v->connections, 2);
    upstream_retire(u);
    loop_free(l);
    provider_stop(v);
  }
}

static void serve_one_then_close(struct peer *p) {
  if (peer_request(p)) peer_send(p, whole_answer, sizeof whole_answer - 1);
}

static void serve_one_then_blab(struct peer *p) {
  serve_one_then_close(p);
  usleep(100000);
  peer_say(p, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
  peer_saw_close(p);
}

TIMED(an_idle_connection_that_closes_or_speaks_leaves_the_pool) {
  static void (*const ways[])(struct peer *) = {serve_one_then_close, serve_one_then_blab};
  for (size_t i = 0; i < 2; i++) {
    struct provider *v = provider_start(ways[i], NULL, NULL);
    struct loop *l = loop_new();
    unsigned running = 0;
    struct upstream *u = upstream_to(l, "http", "127.0.0.1", v->port, upstream_config_default);
    for (int n = 0; n < 3; n++) {
      struct seen s = {.loop = l, .running = &running};
      seen_start(&s, u, "GET", "/", NULL, 0);
      loop_until_over(l, 60000);
      CHECK_INT(s.ends, 1);
      CHECK_INT(s.status, 200);
      CHECK(!s.times.reused);
      LOOP_UNTIL(l, upstream_idle_connections(u) == 0);
      CHECK_INT(upstream_idle_connections(u), 0);
      seen_done(&s);
    }
    upstream_retire(u);
    loop_free(l);
    provider_stop(v);
  }
}

/* Echoes the key it saw; a connection that ever sees two keys says so. */
static void serve_tag(struct peer *p) {
  char first[64] = "";
  while (peer_request(p)) {
    ptrdiff_t at = slice_find(buf_view(&p->in), SLICE("GET /"));
    char tag[64];
    sscanf(p->in.ptr + at + 5, "%63s", tag);
    if (!first[0]) snprintf(first, sizeof first, "%s", tag);
    char answer[256];
    snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
             strcmp(first, tag) ? 6 : strlen(tag), strcmp(first, tag) ? "SHARED" : tag);
    peer_say(p, answer);
  }
}

TIMED(two_keys_to_one_host_never_share_a_connection) {
  struct provider *v = provider_start(serve_tag, NULL, NULL);
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u[2];
  for (int i = 0; i < 2; i++) u[i] = upstream_to(l, "http", "127.0.0.1", v->port, upstream_config_default);
  for (int round = 0; round < 500; round++) {
    struct seen s[4];
    for (int i = 0; i < 4; i++) {
      s[i] = (struct seen){.loop = l, .running = &running};
      seen_start(&s[i], u[i % 2], "GET", i % 2 ? "/key-b" : "/key-a", NULL, 0);
    }
    loop_until_over(l, 60000);
    for (int i = 0; i < 4; i++) {
      CHECK_SLICE(buf_view(&s[i].body), i % 2 ? "key-b" : "key-a");
      seen_done(&s[i]);
    }
  }
  CHECK_INT(v->connections, 4);
  for (int i = 0; i < 2; i++) upstream_retire(u[i]);
  loop_free(l);
  provider_stop(v);
}

/* ---- resend ---- */

/* The first connection answers once and dies with the second request; how is the script. Others answer, or die, too. */
struct death {
  bool reset, for_ever;
  const char *last_words; /* bytes of an answer before it dies */
};

static void serve_death(struct peer *p) {
  const struct death *d = p->provider->script;
  if (p->number == 0) {
    serve_one_then_close(p);
  } else if (!d->for_ever) {
    serve_whole(p);
    return;
  }
  if (!peer_request(p)) return;
  if (d->last_words) peer_say(p, d->last_words);
  if (d->reset) peer_reset(p);
}

static struct seen second_of(struct death d, unsigned *connections, unsigned *requests, bool *idle_again) {
  struct provider *v = provider_start(serve_death, &d, NULL);
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u = upstream_to(l, "http", "127.0.0.1", v->port, upstream_config_default);
  struct seen s = {.loop = l, .running = &running};
  seen_start(&s, u, "POST", "/", NULL, 0);
  loop_until_over(l, 60000);
  CHECK_INT(s.ends, 1);
  seen_done(&s);
  s = (struct seen){.loop = l, .running = &running};
  static char text[] = "{\"again\":true}";
  struct iovec body[2] = {{text, 5}, {text + 5, sizeof text - 6}};
  seen_start(&s, u, "POST", "/", body, 2);
  loop_until_over(l, 60000);
  *idle_again = upstream_idle_connections(u) == 1;
  upstream_retire(u);
  loop_free(l);
  *connections = v->connections;
  *requests = v->requests;
  if (s.ends) CHECK(strstr(provider_last(v), "\r\n\r\n{\"again\":true}") != NULL);
  provider_stop(v);
  return s;
}

TIMED(a_request_that_dies_on_a_reused_connection_is_sent_again_once) {
  for (int reset = 0; reset < 2; reset++) {
    unsigned connections, requests;
    bool idle;
    struct seen s = second_of((struct death){.reset = reset}, &connections, &requests, &idle);
    CHECK_INT(s.ends, 1);
    CHECK_SLICE(buf_view(&s.body), "{\"a\":1}");
    CHECK(!s.times.reused);
    CHECK_INT(connections, 2);
    CHECK_INT(requests, 3);
    CHECK(idle);
    seen_done(&s);
    s = second_of((struct death){.reset = reset, .for_ever = true}, &connections, &requests, &idle);
    CHECK_INT(s.fails, 1);
    CHECK_INT(s.fault.why, UPCALL_RESET);
    CHECK_INT(s.fault.phase, UPCALL_WAIT);
    CHECK_INT(connections, 2);
    CHECK_INT(requests, 3);
    seen_done(&s);
  }
}

TIMED(nothing_is_sent_again_after_a_byte_of_an_answer) {
  static const char *const words[] = {"H", "HTTP/1.1 100 Continue\r\n\r\n",
                                      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1"};
  for (size_t i = 0; i < 3; i++) {
    unsigned connections, requests;
    bool idle;
    struct seen s = second_of((struct death){.last_words = words[i]}, &connections, &requests, &idle);
    CHECK_INT(s.fails, 1);
    CHECK_INT(s.fault.why, UPCALL_RESET);
    CHECK_INT(connections, 1);
    CHECK_INT(requests, 2);
    seen_done(&s);
  }
}

static void serve_nothing(struct peer *p) {
  peer_request(p);
}

TIMED(nothing_is_sent_again_on_a_fresh_connection) {
  struct provider *v = provider_start(serve_nothing, NULL, NULL);
  struct seen s = {0};
  call_once(&s, v->port, "POST", upstream_config_default);
  CHECK_INT(s.fails, 1);
  CHECK_INT(s.fault.why, UPCALL_RESET);
  CHECK_INT(v->connections, 1);
  CHECK_INT(v->requests, 1);
  provider_stop(v);
}

UNIT_MAIN()
