/* server: clients that leave, in each phase and in each way; clients that read slowly; drain and shutdown. */
#include "edge.h"

#define POST_HELLO "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
#define GET_WAIT "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"

/* A client that sends text, waits for `seen` in the log, perhaps gets an answer begun, and then leaves. No timer of the
 * server's would end it in this way. */
static void leave_after(const char *text, const char *seen, bool start, bool reset) {
  struct edge e;
  struct client c;
  edge_meet(&e, &c);
  client_say(&c, text);
  CHECK(edge_wait(&e, seen));
  if (start) {
    exchange_start(e.x, 200, SLICE(""));
    exchange_write(e.x, SLICE("half"));
    CHECK(client_wait(&c, "half"));
  }
  if (reset) client_reset(&c);
  else client_close(&c);
  CHECK(edge_wait(&e, "closed gone\n"));
  CHECK_INT(bytes_count(&e.log, "closed"), 1);
  CHECK_INT(listener_connections(e.listener), 0);
  edge_done(&e);
}

TEST(leaving_is_noticed_in_each_phase) {
  static const struct {
    const char *text, *seen;
    bool start;
  } phases[] = {
      {"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe", "opened", false},
      {"POST /wait HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", "opened", false},
      {GET_WAIT, "ready", false},
      {GET_WAIT, "ready", true},
      {GET_WAIT POST_HELLO, "ready", false},
      {GET_WAIT POST_HELLO, "ready", true},
      {"GET /wait HTTP/1.0\r\n\r\n", "ready", true},
  };
  for (unsigned i = 0; i < sizeof phases / sizeof phases[0]; i++) {
    leave_after(phases[i].text, phases[i].seen, phases[i].start, false);
    leave_after(phases[i].text, phases[i].seen, phases[i].start, true);
  }
}

TEST(leaving_before_a_request_is_silent) {
  struct edge e;
  struct client c;
  edge_meet(&e, &c);
  client_say(&c, "POST /wait HTTP/1.1\r\nHo");
  CHECK(edge_connections(&e, 1));
  edge_pass_ms(&e, 5);
  client_close(&c);
  CHECK(edge_connections(&e, 0));
  CHECK_INT(e.log.len, 0);
  edge_done(&e);
}

/* With 100 KB of pipelined bytes unread, the FIN or RST lies behind them. */
static void leave_behind_unread_bytes(bool reset) {
  struct edge e;
  struct client c;
  char *bytes = mem_alloc(100000);
  memset(bytes, 'x', 100000);
  edge_meet(&e, &c);
  client_say(&c, GET_WAIT);
  client_send(&c, bytes, 100000);
  CHECK(edge_wait(&e, "ready"));
  edge_pass_ms(&e, 20);
  CHECK(!bytes_have(&e.log, "closed"));
  if (reset) client_reset(&c);
  else client_close(&c);
  CHECK(edge_wait(&e, "closed gone"));
  edge_done(&e);
  mem_free(bytes);
}

TEST(leaving_is_noticed_behind_unread_bytes) {
  leave_behind_unread_bytes(false);
  leave_behind_unread_bytes(true);
}

/* The loop must sleep while a client's pipelined bytes wait: seen in its processor time. */
MEETING(unread_bytes_do_not_spin) {
  char *bytes = mem_zero(100000);
  client_say(c, GET_WAIT);
  client_send(c, bytes, 100000);
  CHECK(edge_wait(e, "ready"));
  edge_pass_ms(e, 10);
  CHECK(edge_sleep_ms(e, 300) < 50000000);
  mem_free(bytes);
}

static void fill(struct edge *e, struct client *c, unsigned pieces) {
  static char piece[10000];
  memset(piece, 'p', sizeof piece);
  client_say(c, GET_WAIT);
  CHECK(edge_wait(e, "ready"));
  exchange_start(e->x, 200, SLICE(""));
  for (unsigned i = 0; i < pieces && exchange_write(e->x, slice_of(piece, sizeof piece)); i++) edge_turn(e);
}

TEST(leaving_with_a_full_socket_is_noticed) {
  for (int reset = 0; reset < 2; reset++) {
    struct edge e;
    struct client c;
    edge_meet(&e, &c);
    fill(&e, &c, 100000);
    CHECK(!exchange_write(e.x, SLICE("more")));
    if (reset) client_reset(&c);
    else client_close(&c);
    CHECK(edge_wait(&e, "closed gone"));
    CHECK_INT(listener_connections(e.listener), 0);
    edge_done(&e);
  }
}

/* 20 MB to a client that reads little at a time: what is queued stays within the mark and one write. */
TEST(slow_reader_gets_everything_from_a_bounded_queue) {
  enum { TOTAL = 20000000, PIECE = 10000 };
  struct edge e;
  struct client c;
  char *all = mem_alloc(TOTAL);
  for (unsigned i = 0; i < TOTAL; i++) all[i] = (char)('a' + (i / 7 + i % 13) % 26);
  edge_init(&e, NULL, NULL);
  c = (struct client){.edge = &e, .fd = edge_connect_fd(&e, 20000)};
  fcntl(c.fd, F_SETFL, O_NONBLOCK);
  client_say(&c, "GET /wait HTTP/1.0\r\n\r\n");
  CHECK(edge_wait(&e, "ready"));
  exchange_start(e.x, 200, SLICE(""));
  size_t written = 0, waits = 0;
  uint64_t kernel_most = 0;
  bool open = true;
  while (written < TOTAL) {
    if (open) {
      open = exchange_write(e.x, slice_of(all + written, PIECE));
      written += PIECE;
      uint64_t queued = written - exchange_sent_bytes(e.x);
      if (queued < TOTAL && queued > kernel_most) kernel_most = queued;
      if (!open) waits++, e.log.len = 0;
    } else {
      client_read(&c, 30000);
      edge_turn(&e);
      open = bytes_have(&e.log, "drained");
    }
  }
  exchange_end(e.x);
  CHECK(client_wait(&c, NULL));
  CHECK(waits > 10);
  CHECK(kernel_most <= server_limits_default.high_mark_bytes + 2 * PIECE);
  CHECK(slice_ends(buf_view(&c.got), slice_of(all, TOTAL)));
  CHECK(edge_wait(&e, "closed finished"));
  edge_part(&e, &c);
  mem_free(all);
}

/* The same as one reply: the body is borrowed only during the call. */
MEETING(large_reply_to_a_slow_reader) {
  enum { TOTAL = 20000000 };
  char *all = mem_alloc(TOTAL), *copy = mem_alloc(TOTAL);
  for (unsigned i = 0; i < TOTAL; i++) all[i] = copy[i] = (char)('a' + (i / 5 + i % 11) % 26);
  client_say(c, GET_WAIT);
  CHECK(edge_wait(e, "ready"));
  exchange_reply(e->x, 200, SLICE(""), (struct iovec[]){{all, 1000}, {all + 1000, TOTAL - 1000}}, 2);
  memset(all, '!', TOTAL);
  mem_free(all);
  struct slice body = slice_of(copy, TOTAL);
  for (uint64_t end_ns = clock_ns() + WAIT_MS * 1000000ull; clock_ns() < end_ns && !c->eof; edge_turn(e)) {
    if (slice_ends(buf_view(&c->got), body)) break;
    client_read(c, 200000);
  }
  CHECK(edge_wait(e, "closed finished"));
  CHECK(slice_ends(buf_view(&c->got), body));
  mem_free(copy);
}

/* ---- services that do surprising things inside callbacks */

static void opened_abort(void *owner, struct exchange *x, const struct http_head *head) {
  (void)head;
  edge_log(owner, "opened", SLICE(""));
  exchange_abort(x);
}
static void opened_close(void *owner, struct exchange *x, const struct http_head *head) {
  struct edge *e = owner;
  (void)x, (void)head;
  edge_log(owner, "opened", SLICE(""));
  listener_close(e->listener);
  e->listener = NULL;
}
static void ready_close(void *owner, struct exchange *x) {
  opened_close(owner, x, NULL);
}
static void opened_stream(void *owner, struct exchange *x, const struct http_head *head) {
  (void)head;
  edge_log(owner, "opened", SLICE(""));
  exchange_start(x, 200, SLICE(""));
  exchange_write(x, SLICE("all at once"));
  exchange_end(x);
}
static void opened_nothing(void *owner, struct exchange *x, const struct http_head *head) {
  (void)x, (void)head;
  edge_log(owner, "opened", SLICE(""));
}
static void any_closed(void *owner, struct exchange *x, enum exchange_end why) {
  static const char *const names[] = {"finished", "gone", "slow", "broken"};
  (void)x;
  edge_log(owner, "closed ", slice_text(names[why]));
}

static void surprise(const struct service *service, const char *request, const char *log, const char *answer) {
  struct edge e = {.loop = loop_new()};
  struct client c;
  e.stop = (struct later){.call = edge_stop_loop, .owner = &e};
  e.listener = listener_open(e.loop, "127.0.0.1:0", true, NULL, NULL, service, &e, NULL);
  client_open(&c, &e);
  client_say(&c, request);
  CHECK(edge_wait(&e, "closed"));
  edge_pass_ms(&e, 3);
  CHECK_SLICE(buf_view(&e.log), log);
  if (answer[0]) CHECK(client_wait(&c, answer));
  edge_part(&e, &c);
}

TEST(services_may_answer_abort_and_close_inside_callbacks) {
  static const char post[] = "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab" GET_WAIT;
  const struct service abort_at_once = {.opened = opened_abort, .ready = edge_ready, .closed = any_closed};
  surprise(&abort_at_once, POST_HELLO, "opened\nclosed finished\n", "");
  surprise(&abort_at_once, GET_WAIT, "opened\nclosed finished\n", "");
  const struct service close_at_once = {.opened = opened_close, .ready = edge_ready, .closed = any_closed};
  surprise(&close_at_once, post, "opened\nclosed gone\n", "");
  const struct service close_when_ready = {.opened = opened_nothing, .ready = ready_close, .closed = any_closed};
  surprise(&close_when_ready, post, "opened\nopened\nclosed gone\n", "");
  const struct service stream_at_once = {.opened = opened_stream, .ready = edge_ready, .closed = any_closed};
  surprise(&stream_at_once, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n", "opened\nclosed finished\n",
           "b\r\nall at once\r\n0\r\n\r\n");
}

/* ---- drain */

TEST(stopping_finishes_what_runs_and_closes_what_idles) {
  struct edge e;
  struct client idle, busy, fresh;
  edge_init(&e, NULL, NULL);
  client_open(&idle, &e);
  client_say(&idle, POST_HELLO);
  CHECK(client_wait(&idle, "hello"));
  client_open(&busy, &e);
  client_say(&busy, GET_WAIT POST_HELLO);
  CHECK(edge_wait(&e, "/wait\nready"));
  struct exchange *running = e.x;
  client_open(&fresh, &e); /* still in the backlog */
  listener_stop(e.listener);
  client_say(&fresh, POST_HELLO);
  CHECK(client_wait(&fresh, NULL));
  CHECK(!fresh.reset);
  CHECK(bytes_have(&fresh.got, "connection: close\r\n\r\nhello"));
  edge_reply(running, 200, SLICE("done"));
  CHECK(client_wait(&busy, NULL));
  CHECK(!busy.reset);
  CHECK(bytes_have(&busy.got, "connection: close\r\n\r\ndone"));
  CHECK(!idle.eof);
  CHECK(client_wait(&idle, NULL)); /* after the grace */
  CHECK(!idle.reset);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons(listener_port(e.listener)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  CHECK(connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno == ECONNREFUSED);
  close(fd);
  client_close(&idle);
  client_close(&busy);
  client_close(&fresh);
  CHECK(edge_connections(&e, 0));
  edge_done(&e);
}

TEST(closing_ends_every_exchange) {
  struct edge e;
  struct client clients[5];
  edge_init(&e, NULL, NULL);
  for (int i = 0; i < 5; i++) {
    client_open(&clients[i], &e);
    client_say(&clients[i], i % 2 ? GET_WAIT : POST_HELLO);
  }
  for (uint64_t end_ns = clock_ns() + WAIT_MS * 1000000ull; clock_ns() < end_ns; edge_pause()) {
    if (bytes_count(&e.log, "ready 0") == 2 && bytes_count(&e.log, "closed finished") == 3) break;
    edge_turn(&e);
  }
  listener_close(e.listener);
  e.listener = NULL;
  CHECK_INT(bytes_count(&e.log, "closed gone"), 2);
  CHECK_INT(bytes_count(&e.log, "closed finished"), 3);
  for (int i = 0; i < 5; i++) {
    CHECK(client_wait(&clients[i], NULL));
    client_close(&clients[i]);
  }
  edge_done(&e);
}

UNIT_MAIN()
