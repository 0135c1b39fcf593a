/* server: exchanges over plain TCP, as well-behaved clients of all kinds see them. */
#include "edge.h"

#define POST_HELLO "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
#define GET_WAIT "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"
#define ECHO_HEAD "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: "

/* Sends text, waits for the exact answer, and for the service to have been told. */
static void talk(const char *text, const char *answer) {
  struct edge e;
  struct client c;
  edge_meet(&e, &c);
  client_say(&c, text);
  CHECK(client_wait(&c, answer));
  CHECK_SLICE(buf_view(&c.got), answer);
  CHECK(edge_wait(&e, "closed finished"));
  edge_part(&e, &c);
}

MEETING(post_is_echoed_and_the_connection_kept) {
  client_say(c, "POST /echo?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  CHECK(client_wait(c, "hello"));
  CHECK_SLICE(buf_view(&c->got), ECHO_HEAD "5\r\n\r\nhello");
  c->got.len = 0;
  client_say(c, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(client_wait(c, "\r\n\r\n"));
  CHECK_SLICE(buf_view(&c->got), ECHO_HEAD "0\r\n\r\n");
  CHECK_SLICE(buf_view(&e->log),
              "opened POST /echo?a=1\nready 5\nclosed finished\nopened GET /echo\nready 0\nclosed finished\n");
  CHECK_INT(listener_connections(e->listener), 1);
  CHECK(!c->eof);
  CHECK(slice_starts(slice_text(e->peer), SLICE("127.0.0.1:")) && strlen(e->peer) > 10);
}

MEETING(head_slices_survive_until_closed) {
  client_say(c, "POST /wait/a?q=1 HTTP/1.1\r\nHost: ex.org\r\nX-One:  first \r\nContent-Length: 3\r\n"
                "X-Two: second\r\n\r\n");
  CHECK(edge_wait(e, "opened"));
  client_say(c, "abc");
  CHECK(edge_wait(e, "ready 3"));
  const struct http_head *head = exchange_head(e->x);
  CHECK_SLICE(head->method, "POST");
  CHECK_SLICE(head->target, "/wait/a?q=1");
  CHECK_SLICE(head->path, "/wait/a");
  CHECK_SLICE(head->query, "q=1");
  CHECK_SLICE(head->host, "ex.org");
  CHECK_INT(head->header_count, 4);
  CHECK_SLICE(http_header_of(head, SLICE("x-one")), "first");
  CHECK_SLICE(http_header_of(head, SLICE("x-two")), "second");
  struct buf body = exchange_take_body(e->x);
  CHECK_SLICE(buf_view(&body), "abc");
  CHECK_SLICE(exchange_body(e->x), "");
  buf_done(&body);
  edge_reply(e->x, 200, SLICE("ok"));
  CHECK(exchange_answered(e->x));
  CHECK(client_wait(c, "ok"));
}

MEETING(stream_is_chunked) {
  client_say(c, "GET /s HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(edge_wait(e, "ready"));
  exchange_start(e->x, 200, SLICE("content-type: text/event-stream\r\n"));
  CHECK(exchange_write(e->x, SLICE("data: 1\n\n")));
  CHECK(exchange_write(e->x, SLICE("")));
  CHECK(exchange_write(e->x, SLICE("data: 22\n\n")));
  CHECK(client_wait(c, "data: 22"));
  exchange_end(e->x);
  CHECK(client_wait(c, "0\r\n\r\n"));
  CHECK_SLICE(buf_view(&c->got), "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                                 "transfer-encoding: chunked\r\n\r\n"
                                 "9\r\ndata: 1\n\n\r\na\r\ndata: 22\n\n\r\n0\r\n\r\n");
  CHECK(edge_wait(e, "closed finished"));
}

MEETING(requests_byte_by_byte) {
  static const char *const requests[] = {
      POST_HELLO,
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: "
      "v\r\n\r\n",
  };
  for (unsigned i = 0; i < sizeof requests / sizeof requests[0]; i++) {
    c->got.len = 0;
    for (const char *at = requests[i]; *at != '\0'; at++) {
      client_send(c, at, 1);
      edge_turn(e);
    }
    CHECK(client_wait(c, "hello"));
    CHECK_SLICE(buf_view(&c->got), ECHO_HEAD "5\r\n\r\nhello");
  }
}

TEST(hundred_pipelined_requests_are_answered_in_order) {
  struct edge e;
  struct client c;
  struct buf all = {0}, expected = {0};
  edge_init(&e, NULL, NULL);
  for (int i = 0; i < 100; i++) {
    buf_fill(&all, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n%03d", i);
    buf_fill(&expected, ECHO_HEAD "3\r\n\r\n%03d", i);
  }
  buf_byte(&expected, '\0');
  client_open(&c, &e);
  client_send(&c, all.ptr, all.len);
  CHECK(client_wait(&c, "\r\n\r\n099"));
  CHECK_SLICE(buf_view(&c.got), expected.ptr);
  CHECK_INT(bytes_count(&e.log, "closed finished"), 100);
  edge_part(&e, &c);
  buf_done(&all);
  buf_done(&expected);
}

MEETING(pipelined_request_waits_for_the_answer_before_it) {
  client_say(c, GET_WAIT POST_HELLO);
  CHECK(edge_wait(e, "ready"));
  edge_pass_ms(e, 20);
  CHECK_SLICE(buf_view(&e->log), "opened GET /wait\nready 0\n");
  edge_reply(e->x, 200, SLICE("first"));
  CHECK(client_wait(c, "hello"));
  CHECK_SLICE(buf_view(&c->got), ECHO_HEAD "5\r\n\r\nfirst" ECHO_HEAD "5\r\n\r\nhello");
}

MEETING(input_beyond_one_buffer_waits_and_is_served) {
  struct buf all = {0};
  client_say(c, GET_WAIT);
  CHECK(edge_wait(e, "ready"));
  unsigned count = 0;
  for (; all.len < 100000; count++) buf_text(&all, POST_HELLO);
  client_send(c, all.ptr, all.len);
  edge_pass_ms(e, 20);
  edge_reply(e->x, 200, SLICE("first"));
  for (uint64_t end_ns = clock_ns() + 60000000000; clock_ns() < end_ns && bytes_count(&c->got, "hello") < count;) {
    edge_turn(e);
    client_read(c, SIZE_MAX);
  }
  CHECK_INT(bytes_count(&c->got, "hello"), count);
  buf_done(&all);
}

MEETING(chunked_body_is_joined) {
  struct buf expected = {0};
  client_say(c, "POST /wait HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 1000; i++) {
    char piece[64], chunk[100];
    int len = snprintf(piece, sizeof piece, "piece %d;", i);
    snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n", (unsigned)len, piece);
    buf_text(&expected, piece);
    client_say(c, chunk);
    if (i % 100 == 0) edge_turn(e);
  }
  client_say(c, "0\r\n\r\n");
  CHECK(edge_wait(e, "ready"));
  CHECK(slice_eq(buf_view(&e->last_body), buf_view(&expected)));
  edge_reply(e->x, 200, SLICE("got it"));
  CHECK(client_wait(c, "got it"));
  buf_done(&expected);
}

MEETING(large_body_arrives_whole) {
  enum { BYTES = 5000000 };
  char *body = mem_alloc(BYTES);
  for (int i = 0; i < BYTES; i++) body[i] = (char)('a' + i % 23);
  client_say(c, "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n");
  client_send(c, body, BYTES);
  CHECK(edge_wait(e, "ready 5000000"));
  CHECK(slice_eq(buf_view(&e->last_body), slice_of(body, BYTES)));
  edge_reply(e->x, 200, SLICE("ok"));
  CHECK(client_wait(c, "ok"));
  CHECK(!c->eof);
  mem_free(body);
}

TEST(continue_is_sent_only_before_the_body_is_read) {
  struct edge e;
  struct client c;
  edge_meet(&e, &c);
  client_say(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  CHECK(client_wait(&c, "\r\n\r\n"));
  CHECK_SLICE(buf_view(&c.got), "HTTP/1.1 100 Continue\r\n\r\n");
  c.got.len = 0;
  client_say(&c, "hello");
  CHECK(client_wait(&c, "hello"));
  CHECK_SLICE(buf_view(&c.got), ECHO_HEAD "5\r\n\r\nhello");
  edge_part(&e, &c);
  talk("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
       ECHO_HEAD "5\r\n\r\nhello");
  /* Part of the body is here already: the client does not wait. */
  e = (struct edge){0};
  edge_meet(&e, &c);
  client_say(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhe");
  CHECK(edge_wait(&e, "opened"));
  client_say(&c, "llo");
  CHECK(client_wait(&c, "hello"));
  CHECK_SLICE(buf_view(&c.got), ECHO_HEAD "5\r\n\r\nhello");
  edge_part(&e, &c);
  talk("POST /early HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
       "HTTP/1.1 401 Unauthorized\r\ncontent-type: text/plain\r\ncontent-length: 12\r\nconnection: close\r\n\r\n"
       "who are you?");
}

MEETING(head_gets_the_head_of_get) {
  client_say(c, "HEAD /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(edge_wait(e, "ready"));
  edge_reply(e->x, 200, SLICE("hello"));
  client_say(c, "HEAD /wait2 HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(edge_wait(e, "/wait2\nready"));
  exchange_start(e->x, 200, SLICE(""));
  CHECK(exchange_write(e->x, SLICE("never seen")));
  exchange_end(e->x);
  client_say(c, POST_HELLO);
  CHECK(client_wait(c, "\r\n\r\nhello"));
  CHECK_SLICE(buf_view(&c->got),
              ECHO_HEAD "5\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" ECHO_HEAD "5\r\n\r\nhello");
}

MEETING(statuses_without_a_body) {
  client_say(c, GET_WAIT);
  CHECK(edge_wait(e, "ready"));
  edge_reply(e->x, 204, SLICE("dropped"));
  CHECK(client_wait(c, "\r\n\r\n"));
  CHECK_SLICE(buf_view(&c->got), "HTTP/1.1 204 No Content\r\ncontent-type: text/plain\r\n\r\n");
}

MEETING(connection_close_is_said_and_done) {
  client_say(c, "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK(client_wait(c, NULL));
  CHECK(!c->reset);
  CHECK_SLICE(buf_view(&c->got), ECHO_HEAD "0\r\nconnection: close\r\n\r\n");
  CHECK_INT(listener_connections(e->listener), 0);
}

MEETING(http_1_0) {
  client_say(c, "GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(client_wait(c, "\r\n\r\n"));
  CHECK_SLICE(buf_view(&c->got), ECHO_HEAD "0\r\nconnection: keep-alive\r\n\r\n");
  c->got.len = 0;
  client_say(c, "GET /s HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(edge_wait(e, "/s\nready"));
  exchange_start(e->x, 200, SLICE(""));
  exchange_write(e->x, SLICE("one "));
  exchange_write(e->x, SLICE("two"));
  exchange_end(e->x);
  CHECK(client_wait(c, NULL));
  CHECK_SLICE(buf_view(&c->got), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\none two");
}

MEETING(early_answer_skips_a_short_body) {
  client_say(c, "POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234");
  CHECK(client_wait(c, "who are you?"));
  CHECK(!bytes_have(&c->got, "connection: close"));
  c->got.len = 0;
  client_say(c, "56789" POST_HELLO);
  CHECK(client_wait(c, "hello"));
  CHECK_SLICE(buf_view(&e->log), "opened POST /early\nclosed finished\nopened POST /echo\nready 5\nclosed finished\n");
}

/* The client writes its whole body before it reads: a close with unread bytes would be an RST, and the answer lost. */
TEST(early_answer_reaches_a_client_that_is_still_sending) {
  enum { BYTES = 10000000 };
  struct edge e;
  struct client c;
  char *body = mem_zero(BYTES);
  edge_meet(&e, &c);
  client_say(&c, "POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n");
  client_send(&c, body, BYTES);
  CHECK(client_wait(&c, NULL));
  CHECK(!c.reset);
  CHECK(bytes_have(&c.got, "connection: close\r\n\r\nwho are you?"));
  client_close(&c);
  CHECK(edge_wait(&e, "closed finished"));
  CHECK(edge_connections(&e, 0));
  edge_done(&e);
  mem_free(body);
}

MEETING(many_parts_are_one_answer) {
  enum { PARTS = 40 };
  struct iovec parts[PARTS];
  struct buf expected = {0};
  char text[PARTS][8];
  client_say(c, GET_WAIT);
  CHECK(edge_wait(e, "ready"));
  for (int i = 0; i < PARTS; i++) {
    parts[i] = (struct iovec){text[i], (size_t)snprintf(text[i], sizeof text[i], "<%d>", i)};
    buf_append(&expected, parts[i].iov_base, parts[i].iov_len);
  }
  exchange_reply(e->x, 200, SLICE(""), parts, PARTS);
  CHECK(client_wait(c, "<39>"));
  CHECK(slice_ends(buf_view(&c->got), buf_view(&expected)));
  buf_done(&expected);
}

static unsigned segments_in(const struct client *c) {
  struct tcp_info info;
  socklen_t len = sizeof info;
  CHECK_INT(getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
  return info.tcpi_data_segs_in;
}

MEETING(what_one_callback_writes_is_one_send) {
  client_say(c, POST_HELLO);
  CHECK(client_wait(c, "hello"));
  CHECK_INT(segments_in(c), 1);
  client_say(c, GET_WAIT);
  CHECK(edge_wait(e, "/wait\nready"));
  exchange_start(e->x, 200, SLICE(""));
  for (int i = 0; i < 19; i++) exchange_write(e->x, SLICE("data: event\n\n"));
  exchange_write(e->x, SLICE("data: twentieth\n\n"));
  CHECK(client_wait(c, "twentieth"));
  CHECK_INT(segments_in(c), 2);
  exchange_write(e->x, SLICE("data: last\n\n"));
  exchange_end(e->x);
  CHECK(client_wait(c, "0\r\n\r\n"));
  CHECK_INT(segments_in(c), 3);
  CHECK_INT(bytes_count(&c->got, "data: event\n\n"), 19);
}

MEETING(abort_cuts_the_answer) {
  client_say(c, GET_WAIT);
  CHECK(edge_wait(e, "ready"));
  exchange_start(e->x, 200, SLICE(""));
  exchange_write(e->x, SLICE("half"));
  exchange_abort(e->x);
  CHECK(client_wait(c, NULL));
  CHECK(bytes_have(&c->got, "4\r\nhalf\r\n"));
  CHECK(!bytes_have(&c->got, "0\r\n\r\n"));
  CHECK_SLICE(buf_view(&e->log), "opened GET /wait\nready 0\nclosed finished\n");
  client_close(c);
  /* Without chunks only a reset tells the client that something is missing. */
  e->log.len = 0;
  client_open(c, e);
  client_say(c, "GET /wait HTTP/1.0\r\n\r\n");
  CHECK(edge_wait(e, "ready"));
  exchange_start(e->x, 200, SLICE(""));
  exchange_write(e->x, SLICE("half"));
  CHECK(client_wait(c, "half"));
  exchange_abort(e->x);
  CHECK(client_wait(c, NULL));
  CHECK(c->reset);
}

MEETING(sized_stream) {
  client_say(c, GET_WAIT);
  CHECK(edge_wait(e, "ready"));
  exchange_start_sized(e->x, 200, SLICE(""), 10);
  exchange_write(e->x, SLICE("01234"));
  CHECK(client_wait(c, "01234"));
  exchange_write(e->x, SLICE("56789"));
  exchange_end(e->x);
  CHECK(client_wait(c, "56789"));
  CHECK_SLICE(buf_view(&c->got), "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789");
  CHECK(edge_wait(e, "closed finished"));
  client_say(c, GET_WAIT);
  CHECK(edge_wait(e, "finished\nopened GET /wait\nready"));
  exchange_start(e->x, 200, SLICE(""));
  CHECK(client_wait(c, "chunked\r\n\r\n"));
  exchange_reset(e->x);
  CHECK(client_wait(c, NULL));
  CHECK(c->reset);
}

MEETING(sent_bytes_count_the_whole_answer) {
  client_say(c, GET_WAIT);
  CHECK(edge_wait(e, "ready"));
  exchange_start(e->x, 200, SLICE(""));
  CHECK_INT(exchange_sent_bytes(e->x), 0);
  exchange_write(e->x, SLICE("hello"));
  CHECK(client_wait(c, "hello\r\n"));
  CHECK_INT(exchange_sent_bytes(e->x), c->got.len);
  exchange_end(e->x);
}

MEETING(ten_thousand_requests_on_one_connection) {
  unsigned good = 0;
  for (int i = 0; i < 10000; i++) {
    c->got.len = 0;
    e->log.len = 0;
    client_say(c, POST_HELLO);
    for (uint64_t end_ns = clock_ns() + WAIT_MS * 1000000ull;
         !slice_ends(buf_view(&c->got), SLICE("\r\n\r\nhello")) && !c->eof && clock_ns() < end_ns;) {
      edge_turn(e);
      client_read(c, SIZE_MAX);
    }
    good += slice_eq(buf_view(&c->got), SLICE(ECHO_HEAD "5\r\n\r\nhello"));
  }
  CHECK_INT(good, 10000);
}

UNIT_MAIN()
