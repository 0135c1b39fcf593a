/* edge: a listener with a scripted service, and clients on loopback sockets, all in the test's one thread: each wait
 * turns the loop and reads the client in alternation.
 *
 * The service logs what it is told ("opened POST /x", "ready 5", "closed finished") and behaves by path:
 *   /echo…  the request's body comes back        /early…  401 in opened      /small…  body limit of 10 bytes
 *   any other path: the exchange is left in edge.x for the test to answer */
#ifndef MOONGATE_TESTS_IO_EDGE_H
#define MOONGATE_TESTS_IO_EDGE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "check.h"
#include "io/server.h"

enum { WAIT_MS = 30000 };

struct edge {
  struct loop *loop;
  struct listener *listener;
  struct later stop;
  struct buf log;
  struct exchange *x; /* the last one that waits for an answer */
  struct buf last_body;
  char peer[64];
};

struct client {
  struct edge *edge;
  int fd;
  struct buf got;
  bool eof, reset;
};

static void edge_stop_loop(void *owner) {
  loop_stop(((struct edge *)owner)->loop);
}

/* One turn of the loop that does not sleep. */
static void edge_turn(struct edge *e) {
  loop_later(e->loop, &e->stop);
  loop_run(e->loop);
}

static void edge_pause(void) {
  poll(NULL, 0, 1);
}

static void edge_log(struct edge *e, const char *what, struct slice s) {
  buf_text(&e->log, what);
  buf_slice(&e->log, s);
  buf_byte(&e->log, '\n');
}

static void edge_reply(struct exchange *x, unsigned status, struct slice body) {
  struct iovec part = {(void *)(uintptr_t)body.ptr, body.len};
  exchange_reply(x, status, SLICE("content-type: text/plain\r\n"), &part, 1);
}

static void edge_opened(void *owner, struct exchange *x, const struct http_head *head) {
  struct edge *e = owner;
  buf_text(&e->log, "opened ");
  buf_slice(&e->log, head->method);
  edge_log(e, " ", head->target);
  snprintf(e->peer, sizeof e->peer, "%s", exchange_peer(x));
  exchange_set_owner(x, e);
  e->x = x;
  if (slice_starts(head->path, SLICE("/early"))) edge_reply(x, 401, SLICE("who are you?"));
  if (slice_starts(head->path, SLICE("/small"))) exchange_body_limit(x, 10);
}

static void edge_ready(void *owner, struct exchange *x) {
  struct edge *e = owner;
  struct slice body = exchange_body(x);
  char text[32];
  snprintf(text, sizeof text, "%zu", body.len);
  edge_log(e, "ready ", slice_text(text));
  /* The slack is promised to be readable. */
  unsigned sum = 0;
  for (int i = 0; i < BUF_SLACK; i++) sum += (unsigned char)body.ptr[body.len + (size_t)i];
  CHECK_INT(sum, 0);
  e->last_body.len = 0;
  buf_slice(&e->last_body, body);
  if (slice_starts(exchange_head(x)->path, SLICE("/echo"))) edge_reply(x, 200, body);
}

static void edge_drained(void *owner, struct exchange *x) {
  (void)x;
  edge_log(owner, "drained", slice_of("", 0));
}

static void edge_closed(void *owner, struct exchange *x, enum exchange_end why) {
  static const char *const names[] = {"finished", "gone", "slow", "broken"};
  struct edge *e = owner;
  CHECK(exchange_owner(x) == e);
  edge_log(e, "closed ", slice_text(names[why]));
  if (e->x == x) e->x = NULL;
}

static void edge_refusal(void *owner, struct exchange *x, struct slice path, const struct http_refusal *why,
                         struct buf *headers, struct buf *body) {
  (void)x;
  struct edge *e = owner;
  char text[16];
  snprintf(text, sizeof text, "refusal %u ", why->status);
  edge_log(e, text, path);
  buf_text(headers, "content-type: text/plain\r\n");
  buf_text(body, why->why);
}

static const struct service edge_service = {edge_opened, edge_ready, edge_drained, edge_closed, edge_refusal};

static inline void edge_init(struct edge *e, const struct server_limits *limits, struct tls_identity *tls) {
  struct err err = {{0}};
  *e = (struct edge){.loop = loop_new()};
  e->stop = (struct later){.call = edge_stop_loop, .owner = e};
  e->listener = listener_open(e->loop, "127.0.0.1:0", false, tls, limits, &edge_service, e, &err);
  CHECK_SLICE(slice_text(err.text), "");
  if (e->listener == NULL) abort();
}

static void edge_done(struct edge *e) {
  if (e->listener != NULL) listener_close(e->listener);
  loop_free(e->loop);
  buf_done(&e->log);
  buf_done(&e->last_body);
}

/* ---- clients */

static int edge_connect_fd(struct edge *e, int receive_bytes) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons(listener_port(e->listener)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (receive_bytes > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
    perror("connect");
    abort();
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  return fd;
}

static inline void client_open(struct client *c, struct edge *e) {
  *c = (struct client){.edge = e, .fd = edge_connect_fd(e, 0)};
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static void client_close(struct client *c) {
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
  buf_done(&c->got);
}

/* A listener with the usual limits and one client of it; and their end. */
static inline void edge_meet(struct edge *e, struct client *c) {
  edge_init(e, NULL, NULL);
  client_open(c, e);
}

static inline void edge_part(struct edge *e, struct client *c) {
  client_close(c);
  edge_done(e);
}

/* A test that begins with the two of edge_meet, as e and c, and is followed by edge_part. */
#define MEETING(id)                                                                                                    \
  static void meeting_##id(struct edge *, struct client *);                                                            \
  TEST(id) {                                                                                                           \
    struct edge e;                                                                                                     \
    struct client c;                                                                                                   \
    edge_meet(&e, &c);                                                                                                 \
    meeting_##id(&e, &c);                                                                                              \
    edge_part(&e, &c);                                                                                                 \
  }                                                                                                                    \
  static void meeting_##id(struct edge *e __attribute__((unused)), struct client *c)

static inline void client_reset(struct client *c) {
  setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
  client_close(c);
}

/* Reads what is there; at most `most` bytes. */
static void client_read(struct client *c, size_t most) {
  while (!c->eof && most > 0) {
    size_t room = most < 65536 ? most : 65536;
    ssize_t n = recv(c->fd, buf_reserve(&c->got, room), room, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) c->eof = true, c->reset = n < 0;
    else c->got.len += (size_t)n, most -= (size_t)n;
  }
}

static void client_send(struct client *c, const char *bytes, size_t len) {
  while (len > 0) {
    ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
      edge_turn(c->edge);
      continue;
    }
    if (n < 0) return;
    bytes += n;
    len -= (size_t)n;
  }
}

static inline void client_say(struct client *c, const char *text) {
  client_send(c, text, strlen(text));
}

static bool bytes_have(const struct buf *b, const char *text) {
  return slice_find(buf_view(b), slice_text(text)) >= 0;
}

/* Until the client has received `text` (NULL: until the end of the stream). */
static inline bool client_wait(struct client *c, const char *text) {
  uint64_t give_up_ns = clock_ns() + WAIT_MS * 1000000ull;
  for (;;) {
    edge_turn(c->edge);
    client_read(c, SIZE_MAX);
    if (text ? bytes_have(&c->got, text) : c->eof) return true;
    if (c->eof || clock_ns() > give_up_ns) {
      int len = c->got.len < 400 ? (int)c->got.len : 400;
      fprintf(stderr, "waited for \"%s\"; got: %.*s\n", text ? text : "(end)", len, c->got.ptr ? c->got.ptr : "");
      return false;
    }
    edge_pause();
  }
}

static inline unsigned bytes_count(const struct buf *b, const char *text) {
  unsigned count = 0;
  struct slice rest = buf_view(b);
  for (ptrdiff_t at; (at = slice_find(rest, slice_text(text))) >= 0; count++) rest = slice_from(rest, (size_t)at + 1);
  return count;
}

/* Until the service's log has `text`. */
static inline bool edge_wait(struct edge *e, const char *text) {
  uint64_t give_up_ns = clock_ns() + WAIT_MS * 1000000ull;
  for (;;) {
    edge_turn(e);
    if (bytes_have(&e->log, text)) return true;
    if (clock_ns() > give_up_ns) {
      const char *log = e->log.ptr ? e->log.ptr : "";
      fprintf(stderr, "waited for \"%s\" in the log; it is: %.*s\n", text, (int)e->log.len, log);
      return false;
    }
    edge_pause();
  }
}

/* Until the listener has that many connections. */
static inline bool edge_connections(struct edge *e, unsigned count) {
  uint64_t give_up_ns = clock_ns() + WAIT_MS * 1000000ull;
  while (listener_connections(e->listener) != count && clock_ns() < give_up_ns) edge_turn(e), edge_pause();
  return listener_connections(e->listener) == count;
}

/* Lets a time pass with the loop turning. */
static inline void edge_pass_ms(struct edge *e, unsigned ms) {
  for (uint64_t end_ns = clock_ns() + ms * 1000000ull; clock_ns() < end_ns; edge_pause()) edge_turn(e);
}

/* Lets a time pass with the loop sleeping as it does in service; returns the processor time this took. */
static inline uint64_t edge_sleep_ms(struct edge *e, unsigned ms) {
  struct timer end;
  struct timespec before, after;
  timer_init(&end, e->loop, edge_stop_loop, e);
  timer_set_ms(&end, ms);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
  loop_run(e->loop);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
  return (uint64_t)((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec);
}

#endif
