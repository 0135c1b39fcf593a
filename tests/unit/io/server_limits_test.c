/* server: limits and deadlines, each with its status, its body from the service, and a close that the client can read;
 * running out of descriptors; the cap on connections. */
#include "edge.h"

#include <sys/resource.h>

#define POST_HELLO "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
#define GET_WAIT "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"

static void edge_init_fast(struct edge *e) {
  struct server_limits limits = server_limits_default;
  limits.head_ms = 60;
  limits.body_ms = 60;
  limits.keep_alive_ms = 60;
  limits.write_idle_ms = 100;
  edge_init(e, &limits, NULL);
}

/* Sends bytes; the answer must have that status, end the connection, and be readable to its end. */
static void refused(const struct server_limits *limits, struct slice bytes, const char *status, const char *log) {
  struct edge e;
  struct client c;
  edge_init(&e, limits, NULL);
  client_open(&c, &e);
  client_send(&c, bytes.ptr, bytes.len);
  CHECK(client_wait(&c, NULL));
  CHECK(!c.reset);
  CHECK(slice_starts(buf_view(&c.got), slice_text(status)));
  CHECK(bytes_have(&c.got, "content-type: text/plain\r\ncontent-length: "));
  CHECK(bytes_have(&c.got, "\r\nconnection: close\r\n\r\n"));
  CHECK_SLICE(buf_view(&e.log), log);
  client_close(&c);
  CHECK(edge_connections(&e, 0));
  edge_done(&e);
}

static void refused_text(const char *text, const char *status, const char *log) {
  refused(NULL, slice_text(text), status, log);
}

TEST(each_refusal_has_its_status_and_path) {
  refused_text("GET /v1/x HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "HTTP/1.1 400 ", "refusal 400 /v1/x\n");
  refused_text("\x16\x03\x01 hello\r\n\r\n", "HTTP/1.1 400 ", "refusal 400 \n");
  refused_text("GET /v1/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "HTTP/1.1 501 ",
               "refusal 501 /v1/x\n");
  refused_text("GET /v1/x?q HTTP/2.0\r\nHost: x\r\n\r\n", "HTTP/1.1 505 ", "refusal 505 /v1/x\n");
  refused_text("POST /v1/x HTTP/1.1\r\nHost: x\r\nExpect: magic\r\nContent-Length: 1\r\n\r\n", "HTTP/1.1 417 ",
               "refusal 417 /v1/x\n");
}

TEST(heads_are_bounded) {
  struct buf b = {0};
  buf_text(&b, "GET /v1/");
  for (int i = 0; i < 9000; i++) buf_byte(&b, 'a');
  buf_text(&b, " HTTP/1.1\r\nHost: x\r\n\r\n");
  char log[300] = "refusal 414 /v1/";
  size_t prefix = strlen(log);
  memset(log + prefix, 'a', 252); /* 256 bytes of the path are told */
  strcpy(log + prefix + 252, "\n");
  refused(NULL, buf_view(&b), "HTTP/1.1 414 ", log);
  b.len = 0;
  buf_text(&b, "GET /v1/x HTTP/1.1\r\nHost: x\r\nX: ");
  for (int i = 0; i < 200000; i++) buf_byte(&b, 'a');
  refused(NULL, buf_view(&b), "HTTP/1.1 431 ", "refusal 431 /v1/x\n");
  buf_done(&b);
}

TEST(bodies_are_bounded) {
  struct server_limits limits = server_limits_default;
  limits.body_bytes = 1000;
  refused(&limits, SLICE("POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n"), "HTTP/1.1 413 ",
          "opened POST /v1/x\nrefusal 413 /v1/x\nclosed broken\n");
  refused(&limits, SLICE("POST /v1/x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n"),
          "HTTP/1.1 413 ", "opened POST /v1/x\nrefusal 413 /v1/x\nclosed broken\n");
  refused(NULL, SLICE("POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n"), "HTTP/1.1 413 ",
          "opened POST /small\nrefusal 413 /small\nclosed broken\n");
  refused(NULL,
          SLICE("POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                "6\r\n123456\r\n5\r\n12345\r\n"),
          "HTTP/1.1 413 ", "opened POST /small\nrefusal 413 /small\nclosed broken\n");
  refused(NULL, SLICE("POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n123456xx5\r\n12345\r\n"),
          "HTTP/1.1 400 ", "opened POST /x\nrefusal 400 /x\nclosed broken\n");
}

MEETING(a_body_at_the_limit_passes) {
  client_say(c, "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789");
  CHECK(edge_wait(e, "ready 10"));
  edge_reply(e->x, 200, SLICE("a"));
  client_say(c, "POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n");
  CHECK(edge_wait(e, "finished\nopened POST /small\nready 10"));
  edge_reply(e->x, 200, SLICE("b"));
}

TEST(a_refused_upload_can_be_read) {
  enum { BYTES = 8000000 };
  struct server_limits limits = server_limits_default;
  limits.body_bytes = 1000;
  struct buf b = {0};
  buf_text(&b, "POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n");
  memset(buf_reserve(&b, BYTES), 'x', BYTES);
  b.len += BYTES;
  refused(&limits, buf_view(&b), "HTTP/1.1 413 ", "opened POST /v1/x\nrefusal 413 /v1/x\nclosed broken\n");
  buf_done(&b);
}

MEETING(refusing_a_head_request_sends_no_body) {
  client_say(c, "HEAD /x HTTP/1.1\r\n\r\n");
  CHECK(client_wait(c, NULL));
  CHECK(slice_ends(buf_view(&c->got), SLICE("\r\n\r\n")));
}

/* ---- deadlines */

TIMED(slow_heads_get_408_at_an_absolute_deadline) {
  struct edge e;
  struct client c;
  edge_init_fast(&e);
  client_open(&c, &e);
  uint64_t start_ns = clock_ns();
  client_say(&c, "GET /v1/slow HTTP/1.1\r\n");
  const char *at = "Host: x\r\nX-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
  for (; *at != '\0' && !c.eof; at++) {
    client_send(&c, at, 1);
    edge_pass_ms(&e, 3);
    client_read(&c, SIZE_MAX);
  }
  CHECK(c.eof && !c.reset);
  CHECK(slice_starts(buf_view(&c.got), SLICE("HTTP/1.1 408 ")));
  CHECK_SLICE(buf_view(&e.log), "refusal 408 /v1/slow\n");
  CHECK(clock_ns() - start_ns >= 59000000);
  edge_part(&e, &c);
}

TIMED(silence_is_closed_without_a_word) {
  struct edge e;
  struct client never, idle, second;
  edge_init_fast(&e);
  client_open(&never, &e);
  client_open(&idle, &e);
  client_say(&idle, POST_HELLO);
  client_open(&second, &e);
  client_say(&second, POST_HELLO);
  CHECK(client_wait(&second, "hello"));
  client_say(&second, "GET /v1/second");
  CHECK(client_wait(&never, NULL));
  CHECK_INT(never.got.len, 0);
  CHECK(client_wait(&idle, NULL));
  CHECK(slice_ends(buf_view(&idle.got), SLICE("\r\n\r\nhello")));
  CHECK(client_wait(&second, NULL));
  CHECK(bytes_have(&second.got, "HTTP/1.1 408 "));
  client_close(&never);
  client_close(&idle);
  client_close(&second);
  edge_done(&e);
}

TIMED(slow_bodies_get_408) {
  static const char *const requests[] = {
      "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe",
      "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
  };
  for (int i = 0; i < 2; i++) {
    struct edge e;
    struct client c;
    edge_init_fast(&e);
    client_open(&c, &e);
    client_say(&c, requests[i]);
    CHECK(client_wait(&c, NULL));
    CHECK(!c.reset);
    CHECK(slice_starts(buf_view(&c.got), SLICE("HTTP/1.1 408 ")));
    CHECK_SLICE(buf_view(&e.log), "opened POST /x\nrefusal 408 /x\nclosed slow\n");
    edge_part(&e, &c);
  }
}

TIMED(a_thinking_service_has_no_deadline) {
  struct edge e;
  struct client c;
  edge_init_fast(&e);
  client_open(&c, &e);
  client_say(&c, GET_WAIT);
  edge_pass_ms(&e, 250);
  CHECK_SLICE(buf_view(&e.log), "opened GET /wait\nready 0\n");
  edge_reply(e.x, 200, SLICE("at last"));
  CHECK(client_wait(&c, "at last"));
  edge_part(&e, &c);
}

TIMED(a_client_that_takes_nothing_is_cut) {
  static char piece[50000];
  struct edge e;
  struct client c;
  edge_init_fast(&e);
  client_open(&c, &e);
  client_say(&c, GET_WAIT);
  CHECK(edge_wait(&e, "ready"));
  exchange_start(e.x, 200, SLICE(""));
  while (exchange_write(e.x, slice_of(piece, sizeof piece))) edge_turn(&e);
  CHECK(edge_wait(&e, "closed slow"));
  CHECK(client_wait(&c, NULL));
  CHECK(c.reset);
  edge_part(&e, &c);
}

/* The socket takes bytes again when a third of its buffer, a megabyte or so, is free: what is read at once is more. */
TIMED(a_client_that_reads_steadily_may_take_longer) {
  enum { TOTAL = 60000000, EACH = TOTAL / 50 };
  struct edge e;
  struct client c;
  struct server_limits limits = server_limits_default;
  char *body = mem_zero(TOTAL);
  limits.write_idle_ms = 700;
  limits.keep_alive_ms = 60;
  edge_init(&e, &limits, NULL);
  client_open(&c, &e);
  client_say(&c, GET_WAIT);
  CHECK(edge_wait(&e, "ready"));
  uint64_t start_ns = clock_ns();
  edge_reply(e.x, 200, slice_of(body, TOTAL));
  while (c.got.len < TOTAL && !c.eof) {
    client_read(&c, EACH);
    edge_pass_ms(&e, 20);
  }
  CHECK(clock_ns() - start_ns > limits.write_idle_ms * 1000000ull);
  CHECK(client_wait(&c, NULL)); /* idle by now */
  CHECK(slice_ends(buf_view(&c.got), slice_of(body, TOTAL)));
  CHECK_SLICE(buf_view(&e.log), "opened GET /wait\nready 0\nclosed finished\n");
  edge_part(&e, &c);
  mem_free(body);
}

/* ---- numbers of connections */

TEST(the_cap_makes_clients_wait) {
  struct server_limits limits = server_limits_default;
  limits.connections = 2;
  struct edge e;
  struct client c[4];
  edge_init(&e, &limits, NULL);
  for (int i = 0; i < 4; i++) {
    client_open(&c[i], &e);
    client_say(&c[i], POST_HELLO);
  }
  CHECK(client_wait(&c[0], "hello"));
  CHECK(client_wait(&c[1], "hello"));
  edge_pass_ms(&e, 20);
  CHECK_INT(listener_connections(e.listener), 2);
  client_read(&c[2], SIZE_MAX);
  CHECK_INT(c[2].got.len, 0);
  client_close(&c[0]);
  client_close(&c[1]);
  CHECK(client_wait(&c[2], "hello"));
  CHECK(client_wait(&c[3], "hello"));
  limits.connections = 3;
  listener_limits(e.listener, &limits);
  client_open(&c[0], &e);
  client_say(&c[0], POST_HELLO);
  CHECK(client_wait(&c[0], "hello"));
  client_close(&c[0]);
  client_close(&c[2]);
  client_close(&c[3]);
  edge_done(&e);
}

TEST(without_descriptors_accepting_waits_and_does_not_spin) {
  struct edge e;
  struct client c[2];
  struct rlimit before, few;
  edge_init(&e, NULL, NULL);
  for (int i = 0; i < 2; i++) client_open(&c[i], &e);
  CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
  few = before;
  few.rlim_cur = 3;
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &few), 0);
  client_say(&c[0], POST_HELLO);
  CHECK(edge_sleep_ms(&e, 350) < 50000000);
  CHECK_INT(listener_connections(e.listener), 0);
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
  CHECK(client_wait(&c[0], "hello"));
  CHECK_INT(listener_connections(e.listener), 2);
  client_close(&c[0]);
  client_close(&c[1]);
  edge_done(&e);
}

/* ---- addresses */

TEST(addresses) {
  static const char *const good[] = {"127.0.0.1:0", "[::1]:0", ":0", "localhost:0"};
  static const char *const bad[] = {"127.0.0.1", "no..where:80", "127.0.0.1:http?",
                                    "256.1.1.1:80"}; /* none asks the DNS */
  struct loop *l = loop_new();
  struct err err;
  for (unsigned i = 0; i < 4; i++) {
    struct listener *s = listener_open(l, good[i], false, NULL, NULL, &edge_service, NULL, &err);
    CHECK(s != NULL && listener_port(s) > 0);
    if (s != NULL) listener_close(s);
    err.text[0] = '\0';
    CHECK(listener_open(l, bad[i], false, NULL, NULL, &edge_service, NULL, &err) == NULL);
    CHECK(strstr(err.text, bad[i]) != NULL);
  }
  struct listener *first = listener_open(l, "127.0.0.1:0", true, NULL, NULL, &edge_service, NULL, &err);
  char address[32];
  snprintf(address, sizeof address, "127.0.0.1:%u", listener_port(first));
  struct listener *second = listener_open(l, address, true, NULL, NULL, &edge_service, NULL, &err);
  CHECK(second != NULL);
  CHECK(listener_open(l, address, false, NULL, NULL, &edge_service, NULL, &err) == NULL);
  CHECK(strstr(err.text, "in use") != NULL);
  listener_close(first);
  if (second != NULL) listener_close(second);
  loop_free(l);
}

UNIT_MAIN()
