/* server under disorder: clients send good and bad requests in random pieces, read or do not, and vanish; the service
 * answers in every way at random moments. Whatever happens, each opened has one closed and nothing leaks, and the
 * clients that behave (every other one) get each answer whole. The seed is fixed, so that a failure can be repeated. */
#include "edge.h"

enum { CLIENTS = 30, STEPS = 100000, REQUESTS = 6 };

struct slot {
  struct exchange *x;
  bool ready, ended;
};

struct actor {
  struct client c;
  struct buf out;
  size_t sent;
  unsigned asked;
};

static unsigned state = 20261122;
static struct slot slots[2 * CLIENTS];
static unsigned opened_count, closed_count, finished_count, good_rounds, good_answers;

static unsigned pick(unsigned below) {
  state = state * 1664525 + 1013904223;
  return (state >> 8) % below;
}

/* ---- the service: every answer but a cut one holds "END" once, at its end */

static struct slot *slot_of(struct exchange *x) {
  for (struct slot *s = slots; s < slots + sizeof slots / sizeof slots[0]; s++)
    if (s->x == x) return s;
  abort();
}

static void act(struct slot *s) {
  static char body[60003];
  memset(body, 'y', 60000);
  memcpy(body + 60000, "END", 3);
  size_t from = pick(4) ? 59000 : 0;
  bool wild = !slice_eq(exchange_head(s->x)->path, SLICE("/good"));
  if (s->ended || (!wild && !s->ready)) return;
  if (wild && pick(8) == 0) {
    exchange_abort(s->x);
    s->ended = true;
  } else if (exchange_answered(s->x)) {
    for (unsigned n = pick(4); n > 0; n--) exchange_write(s->x, slice_of(body, pick(6) ? 1 + pick(500) : 40000));
    if (pick(3)) return;
    exchange_write(s->x, SLICE("END"));
    exchange_end(s->x);
    s->ended = true;
  } else if (pick(2)) {
    struct iovec parts[] = {{body + from, 50}, {body + from + 50, 60003 - from - 50}};
    exchange_reply(s->x, 200, SLICE("x-a: b\r\n"), parts, 2);
    s->ended = true;
  } else {
    exchange_start(s->x, 200, SLICE(""));
  }
}

static void opened(void *owner, struct exchange *x, const struct http_head *head) {
  (void)owner, (void)head;
  struct slot *s = slot_of(NULL);
  *s = (struct slot){.x = x};
  opened_count++;
  if (pick(4) == 0) act(s);
}

static void ready(void *owner, struct exchange *x) {
  (void)owner;
  struct slot *s = slot_of(x);
  s->ready = true;
  if (pick(3) == 0) act(s);
}

static void drained(void *owner, struct exchange *x) {
  (void)owner;
  act(slot_of(x));
}

static void closed(void *owner, struct exchange *x, enum exchange_end why) {
  (void)owner;
  closed_count++;
  finished_count += why == EXCHANGE_FINISHED;
  *slot_of(x) = (struct slot){0};
}

static const struct service service = {opened, ready, drained, closed, edge_refusal};

/* ---- the clients */

static void add_request(struct buf *b, bool good) {
  static const char *const broken[] = {"GET /x HTTP/1.1\r\n\r\n", "\r\n\r\n\r\n",
                                       "POST /x HTTP/1.1\r\nHost: x\r\nContent-Len",
                                       "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"};
  const char *path = good ? "/good" : "/wild";
  unsigned bytes = pick(3) ? pick(300) : pick(60000);
  switch (pick(good ? 3 : 6)) {
  case 0: buf_fill(b, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); return;
  case 1: buf_fill(b, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %u\r\n\r\n", path, bytes); break;
  case 2:
    buf_fill(b, "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", path, bytes + 1);
    memset(buf_reserve(b, bytes + 1), 'c', bytes + 1);
    b->len += bytes + 1;
    buf_text(b, "\r\n0\r\n\r\n");
    return;
  case 3: buf_fill(b, "POST %s HTTP/1.0\r\nContent-Length: %u\r\n\r\n", path, bytes); break;
  case 4:
    buf_fill(b, "POST %s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %u\r\n\r\n", path, bytes);
    break;
  default: buf_text(b, broken[pick(4)]); return;
  }
  memset(buf_reserve(b, bytes), 'b', bytes);
  b->len += bytes;
}

static void enter(struct actor *a, struct edge *e, bool good) {
  client_open(&a->c, e);
  a->asked = 1 + pick(REQUESTS);
  a->sent = a->out.len = 0;
  for (unsigned i = 0; i < a->asked; i++) add_request(&a->out, good);
}

static void step(struct actor *a, struct edge *e, bool good) {
  if (a->sent < a->out.len && pick(2)) {
    size_t piece = pick(3) ? 1 + pick(200) : 1 + pick(70000);
    if (piece > a->out.len - a->sent) piece = a->out.len - a->sent;
    ssize_t n = send(a->c.fd, a->out.ptr + a->sent, piece, MSG_NOSIGNAL);
    if (n > 0) a->sent += (size_t)n;
  }
  if (pick(3) == 0) client_read(&a->c, pick(3) ? pick(500) : 100000);
  if (good) {
    if (bytes_count(&a->c.got, "END") < a->asked && !a->c.eof) return;
    CHECK(!a->c.eof);
    good_rounds++;
    good_answers += bytes_count(&a->c.got, "END");
  } else if (!a->c.eof && pick(200)) {
    return;
  }
  if (pick(3) == 0) client_reset(&a->c);
  else client_close(&a->c);
  enter(a, e, good);
}

TEST(disorder) {
  static struct actor actors[CLIENTS];
  struct edge e = {.loop = loop_new()};
  struct server_limits limits = server_limits_default;
  limits.high_mark_bytes = 20000;
  e.stop = (struct later){.call = edge_stop_loop, .owner = &e};
  e.listener = listener_open(e.loop, "127.0.0.1:0", false, NULL, &limits, &service, &e, NULL);
  for (unsigned i = 0; i < CLIENTS; i++) enter(&actors[i], &e, i % 2);
  for (unsigned i = 0; i < STEPS; i++) {
    unsigned who = pick(CLIENTS);
    step(&actors[who], &e, who % 2);
    struct slot *s = &slots[pick(CLIENTS)];
    if (s->x != NULL && pick(2)) act(s);
    if (pick(2)) edge_turn(&e);
  }
  for (unsigned i = 0; i < CLIENTS; i++) {
    client_close(&actors[i].c);
    buf_done(&actors[i].out);
  }
  CHECK(edge_connections(&e, 0));
  CHECK_INT(opened_count, closed_count);
  CHECK(finished_count > 1000 && finished_count < opened_count);
  CHECK(good_rounds > 200 && good_answers >= good_rounds);
  edge_done(&e);
  CHECK_INT(opened_count, closed_count);
}

UNIT_MAIN()
