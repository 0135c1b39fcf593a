/* server: clients that close their sending side and wait for the answer, and those that have closed all of it; both
 * have sent a FIN. */
#include "edge.h"

#define GET_WAIT "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST_HELLO "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
#define INTERIM "HTTP/1.1 100 Continue\r\n\r\n"

/* A client whose request is complete, on a listener where it may wait. */
static void meet(struct edge *e, struct client *c, const char *text) {
  struct server_limits limits = server_limits_default;
  limits.half_close_waits = true;
  edge_init(e, &limits, NULL);
  client_open(c, e);
  client_say(c, text);
  CHECK(edge_wait(e, "ready"));
}

static void half_close(struct client *c) {
  CHECK(shutdown(c->fd, SHUT_WR) == 0);
}

static void begin(struct edge *e, struct client *c, struct slice filler) {
  exchange_start(e->x, 200, SLICE(""));
  exchange_set_filler(e->x, filler);
  exchange_write(e->x, SLICE("one"));
  CHECK(client_wait(c, "one"));
}

TEST(who_waits_gets_a_whole_answer) {
  struct edge e;
  struct client c;
  meet(&e, &c, GET_WAIT);
  half_close(&c);
  CHECK(client_wait(&c, INTERIM));
  CHECK(!bytes_have(&e.log, "closed"));
  edge_reply(e.x, 200, SLICE("patient"));
  CHECK(client_wait(&c, NULL));
  CHECK(!c.reset);
  CHECK(slice_starts(buf_view(&c.got), SLICE(INTERIM "HTTP/1.1 200 ")));
  CHECK(slice_ends(buf_view(&c.got), SLICE("patient")));
  CHECK(bytes_have(&e.log, "closed finished"));
  CHECK_INT(listener_connections(e.listener), 0);
  edge_part(&e, &c);
}

TEST(who_waits_gets_the_rest_of_a_stream) {
  struct edge e;
  struct client c;
  meet(&e, &c, GET_WAIT);
  begin(&e, &c, SLICE(":\n\n"));
  half_close(&c);
  CHECK(client_wait(&c, "3\r\n:\n\n\r\n"));
  CHECK(!bytes_have(&e.log, "closed"));
  exchange_write(e.x, SLICE("two"));
  exchange_end(e.x);
  CHECK(client_wait(&c, NULL));
  CHECK(slice_ends(buf_view(&c.got), SLICE("3\r\none\r\n3\r\n:\n\n\r\n3\r\ntwo\r\n0\r\n\r\n")));
  CHECK(bytes_have(&e.log, "closed finished"));
  edge_part(&e, &c);
}

TIMED(who_has_closed_all_of_it_is_found_gone_at_once) {
  for (int stream = 0; stream < 2; stream++) {
    struct edge e;
    struct client c;
    meet(&e, &c, GET_WAIT);
    if (stream) begin(&e, &c, SLICE(":\n\n"));
    client_close(&c);
    uint64_t from_ns = clock_ns();
    CHECK(edge_wait(&e, "closed gone"));
    CHECK(clock_ns() - from_ns < 1000000000); /* not by being asked again */
    CHECK_INT(listener_connections(e.listener), 0);
    edge_done(&e);
  }
}

TEST(who_leaves_later_is_found_gone_too) {
  struct edge e;
  struct client c;
  meet(&e, &c, GET_WAIT);
  half_close(&c);
  CHECK(client_wait(&c, INTERIM));
  client_close(&c);
  CHECK(edge_wait(&e, "closed gone"));
  edge_done(&e);
}

TEST(a_reset_is_leaving) {
  struct edge e;
  struct client c;
  meet(&e, &c, GET_WAIT);
  half_close(&c);
  CHECK(client_wait(&c, INTERIM));
  client_reset(&c);
  CHECK(edge_wait(&e, "closed gone"));
  edge_done(&e);
}

TEST(where_nothing_can_be_asked_a_fin_is_leaving) {
  static const struct {
    const char *text, *seen;
    bool begins;
  } cases[] = {
      {"GET /wait HTTP/1.0\r\n\r\n", "ready", false},                                     /* knows no interim answers */
      {GET_WAIT, "ready", true},                                                          /* a file, say */
      {"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe", "opened", false}, /* can never be complete */
  };
  for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct server_limits limits = server_limits_default;
    struct edge e;
    struct client c;
    limits.half_close_waits = true;
    edge_init(&e, &limits, NULL);
    client_open(&c, &e);
    client_say(&c, cases[i].text);
    CHECK(edge_wait(&e, cases[i].seen));
    if (cases[i].begins) {
      exchange_start(e.x, 200, SLICE(""));
      exchange_write(e.x, SLICE("one"));
      CHECK(client_wait(&c, "one"));
    }
    half_close(&c);
    CHECK(edge_wait(&e, "closed gone"));
    CHECK(!bytes_have(&c.got, "100 Continue"));
    edge_part(&e, &c);
  }
}

TEST(pipelined_requests_before_the_fin_are_answered) {
  struct edge e;
  struct client c;
  meet(&e, &c, GET_WAIT POST_HELLO POST_HELLO);
  half_close(&c);
  CHECK(client_wait(&c, INTERIM));
  edge_reply(e.x, 200, SLICE("first"));
  CHECK(client_wait(&c, NULL));
  CHECK_INT(bytes_count(&e.log, "closed finished"), 3);
  CHECK_INT(bytes_count(&c.got, "hello"), 2);
  CHECK_INT(listener_connections(e.listener), 0);
  edge_part(&e, &c);
}

/* More than the connection reads ahead: the FIN lies behind bytes that are still with the kernel. */
TEST(a_fin_behind_unread_requests_is_waited_with) {
  enum { REQUESTS = 2000 };
  struct edge e;
  struct client c;
  meet(&e, &c, GET_WAIT);
  for (int i = 0; i < REQUESTS; i++) client_say(&c, POST_HELLO);
  half_close(&c);
  CHECK(client_wait(&c, INTERIM));
  CHECK(!bytes_have(&e.log, "closed"));
  edge_reply(e.x, 200, SLICE("first"));
  CHECK(client_wait(&c, NULL));
  CHECK_INT(bytes_count(&e.log, "closed finished"), REQUESTS + 1);
  CHECK_INT(bytes_count(&c.got, "\r\n\r\nhello"), REQUESTS);
  edge_part(&e, &c);
}

/* The loop must sleep while a client that has closed its sending side waits: its socket can always be read. */
TEST(waiting_does_not_spin) {
  struct edge e;
  struct client c;
  meet(&e, &c, GET_WAIT);
  half_close(&c);
  CHECK(client_wait(&c, INTERIM));
  CHECK(edge_sleep_ms(&e, 300) < 50000000);
  edge_part(&e, &c);
}

TEST(a_full_socket_is_filled_on_behind_a_fin) {
  enum { PIECE = 10000 };
  static char piece[PIECE];
  struct edge e;
  struct client c;
  size_t written = 0;
  memset(piece, 'p', PIECE);
  meet(&e, &c, "GET /wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  exchange_start_sized(e.x, 200, SLICE(""), 100u * PIECE * PIECE);
  exchange_set_filler(e.x, SLICE(":\n\n"));
  while (exchange_write(e.x, slice_of(piece, PIECE))) {
    written += PIECE;
    edge_turn(&e);
  }
  written += PIECE;
  half_close(&c);
  edge_pass_ms(&e, 20);
  CHECK(!bytes_have(&e.log, "closed"));
  uint64_t give_up_ns = clock_ns() + WAIT_MS * 1000000ull;
  while (!bytes_have(&e.log, "drained") && clock_ns() < give_up_ns) {
    client_read(&c, 65536);
    edge_turn(&e);
  }
  exchange_abort(e.x);
  CHECK(client_wait(&c, NULL));
  ptrdiff_t body = slice_find(buf_view(&c.got), SLICE("\r\n\r\n"));
  CHECK_INT(c.got.len - (size_t)body - 4, written);
  edge_part(&e, &c);
}

UNIT_MAIN()
