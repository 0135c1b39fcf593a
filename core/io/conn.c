/* conn: one client connection's way through its phases (see conn.h): reading, deadlines, and when an exchange begins
 * and ends. Worker's thread. Answers are written in exchange.c, bytes sent in output.c.
 *
 * Input flows through conn_input → conn_advance, which takes from it whatever the present phase can use; what is left
 * waits in c->in. Service callbacks are called from there, from conn_writable and from deadlines only, and after each
 * of them the connection may be DEAD. */
#include "io/conn.h"

#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/must.h"

static void conn_input(struct conn *c, struct slice fresh);
static void conn_read(struct conn *c);

/* ---- the end */

static void exchange_over(struct conn *c, enum exchange_end why) {
  struct exchange *x = c->exchange;
  struct listener *s = c->listener;
  if (x->aborted || (why == EXCHANGE_CLIENT_GONE && x->ended && conn_unsent(c) == 0 && !c->broken))
    why = EXCHANGE_FINISHED;
  c->exchange = NULL;
  s->service->closed(s->owner, x, why);
  exchange_free(x);
}

void conn_close(struct conn *c, bool reset) {
  struct listener *s = c->listener;
  if (c->phase == CONN_DEAD) return;
  c->phase = CONN_DEAD;
  conn_watch_output(c, false);
  half_close_end(c);
  event_del(&c->readable);
  timer_clear(&c->timer);
  conn_drop_output(c);
  transport_close(&c->transport, reset);
  list_remove(&c->link);
  listener_count(s, -1);
  conn_later(c);
  listener_room(s);
}

void conn_left(struct conn *c) {
  if (c->exchange != NULL) exchange_over(c, EXCHANGE_CLIENT_GONE);
  conn_close(c, false);
}

static void conn_free(struct conn *c) {
  struct listener *s = c->listener;
  must(c->exchange == NULL);
  buf_done(&c->in);
  mem_free(c);
  listener_conn_freed(s);
}

void conn_linger(struct conn *c) {
  c->phase = CONN_LINGER;
  timer_set_ms(&c->timer, LINGER_MS);
  conn_watch_input(c, false);
  if (conn_unsent(c) > 0 || c->finished) return;
  transport_finish(&c->transport);
  c->finished = true;
}

static void linger_read(struct conn *c) {
  ssize_t got = transport_drop(&c->transport, DROP_BYTES);
  if (got > 0) c->dropped += (size_t)got;
  if (got == TRANSPORT_GONE || c->dropped > LINGER_BYTES) conn_close(c, false);
}

/* Refuses what is being read; an exchange that was opened for it ends with `end`. */
static void refuse(struct conn *c, struct slice path, const struct http_refusal *why, bool to_head,
                   enum exchange_end end) {
  exchange_refuse(c, path, why, to_head);
  if (c->exchange != NULL) exchange_over(c, end);
  if (c->phase != CONN_DEAD) conn_linger(c);
}

static void refuse_body(struct conn *c, const struct http_refusal *why, enum exchange_end end) {
  refuse(c, c->exchange->head->path, why, false, end);
}

/* ---- one exchange: head, body, answer. Each returns whether the connection can go on at once. */

/* The path in a head that was refused or never completed, as far as it can be told. */
static struct slice path_of(struct slice bytes, bool *to_head) {
  *to_head = slice_starts(bytes, SLICE("HEAD "));
  ptrdiff_t space = slice_find_byte(slice_of(bytes.ptr, bytes.len < 32 ? bytes.len : 32), ' ');
  if (space < 0) return slice_of(NULL, 0);
  struct slice path = slice_from(bytes, (size_t)space + 1);
  size_t len = 0;
  while (len < path.len && len < 256 && path.ptr[len] > ' ' && path.ptr[len] < 0x7f && path.ptr[len] != '?') len++;
  path.len = len;
  return slice_starts(path, SLICE("/")) ? path : slice_of(NULL, 0);
}

static void refuse_head(struct conn *c, struct slice bytes, const struct http_refusal *why) {
  bool to_head;
  struct slice path = path_of(bytes, &to_head);
  refuse(c, path, why, to_head, EXCHANGE_BROKEN);
}

static void body_begin(struct conn *c, struct exchange *x, size_t at_hand) {
  static const struct http_refusal too_large = {.status = 413, .why = "the body is larger than allowed"};
  if (x->head->body == HTTP_BODY_LENGTH && x->body_left > x->body_limit) {
    refuse_body(c, &too_large, EXCHANGE_BROKEN);
    return;
  }
  if (x->head->body == HTTP_BODY_LENGTH && at_hand >= x->body_left) return;
  timer_set_ms(&c->timer, c->listener->limits.body_ms);
  if (x->head->expect_continue && at_hand == 0) exchange_continue(x);
}

static bool head_take(struct conn *c, struct slice *in) {
  struct listener *s = c->listener;
  struct http_refusal why;
  size_t head_bytes;
  if (c->skip > 0 || in->len == 0) return false;
  enum http_verdict verdict = http_parse_request(*in, &s->limits.http, &c->scanned, &s->head, &head_bytes, &why);
  if (verdict == HTTP_MORE) {
    if (!c->head_begun && c->served) timer_set_ms(&c->timer, s->limits.head_ms);
    c->head_begun = true;
    return false;
  }
  if (verdict == HTTP_REFUSED) {
    refuse_head(c, *in, &why);
    return false;
  }
  struct exchange *x = exchange_new(c, &s->head, in->ptr, head_bytes);
  *in = slice_from(*in, head_bytes);
  c->exchange = x;
  c->scanned = 0;
  c->head_begun = false;
  c->served = true;
  c->phase = x->body_whole ? CONN_ANSWER : CONN_BODY;
  timer_park(&c->timer);
  s->service->opened(s->owner, x, x->head);
  if (c->exchange != x) return false;
  if (c->phase == CONN_BODY) body_begin(c, x, in->len);
  else if (x->body_whole && !x->answered && !x->aborted) s->service->ready(s->owner, x);
  return true;
}

static bool body_complete(struct conn *c) {
  struct listener *s = c->listener;
  struct exchange *x = c->exchange;
  memset(buf_reserve(&x->body, 0), 0, BUF_SLACK);
  x->body_whole = true;
  c->phase = CONN_ANSWER;
  timer_park(&c->timer);
  s->service->ready(s->owner, x);
  return true;
}

static void body_room(struct exchange *x) {
  if (x->body.cap < x->body.len + BUF_SLACK + 1)
    buf_reserve(&x->body, x->body_left < BODY_FIRST_BYTES ? x->body_left : BODY_FIRST_BYTES);
}

static bool body_take_length(struct conn *c, struct slice *in) {
  struct exchange *x = c->exchange;
  if (in->len > 0) {
    size_t bytes = in->len < x->body_left ? in->len : (size_t)x->body_left;
    body_room(x);
    buf_append(&x->body, in->ptr, bytes);
    x->body_left -= bytes;
    *in = slice_from(*in, bytes);
  }
  return x->body_left == 0 && body_complete(c);
}

static bool body_take_chunks(struct conn *c, struct slice *in) {
  static const struct http_refusal too_large = {.status = 413, .why = "the body is larger than allowed"};
  struct exchange *x = c->exchange;
  struct http_refusal why;
  struct slice piece;
  for (;;) {
    switch (http_chunked_next(&x->chunked, in, &piece, &why)) {
    case HTTP_CHUNK_MORE: return false;
    case HTTP_CHUNK_END: return body_complete(c);
    case HTTP_CHUNK_REFUSED: refuse_body(c, &why, EXCHANGE_BROKEN); return false;
    case HTTP_CHUNK_DATA:
      if (piece.len > x->body_limit - x->body.len) {
        refuse_body(c, &too_large, EXCHANGE_BROKEN);
        return false;
      }
      buf_slice(&x->body, piece);
    }
  }
}

static bool body_take(struct conn *c, struct slice *in) {
  return c->exchange->head->body == HTTP_BODY_CHUNKED ? body_take_chunks(c, in) : body_take_length(c, in);
}

static bool answer_take(struct conn *c, bool more_input) {
  struct listener *s = c->listener;
  struct exchange *x = c->exchange;
  if (conn_unsent(c) > 0 && c->writable == NULL) conn_send(c, NULL, 0);
  if (x->aborted) {
    /* Without a frame around it, an answer that is cut would look complete: only RST says that it is not. */
    bool reset = x->reset || x->until_close;
    exchange_over(c, EXCHANGE_FINISHED);
    conn_close(c, reset);
    return false;
  }
  if (!x->ended || conn_unsent(c) > 0 || c->broken) return false;
  bool keep = x->keep, client_closes = !x->head->keep_alive;
  loop_later_cancel(&c->later);
  exchange_over(c, EXCHANGE_FINISHED);
  if (c->phase == CONN_DEAD) return false;
  if (keep) {
    c->phase = CONN_HEAD;
    uint32_t idle_ms = s->stopping ? LISTENER_GRACE_MS : s->limits.keep_alive_ms;
    timer_set_ms(&c->timer, c->skip > 0 ? s->limits.head_ms : idle_ms);
    return true;
  }
  if (client_closes && c->skip == 0 && !more_input) conn_close(c, false);
  else conn_linger(c);
  return false;
}

/* ---- input */

/* All that the client has sent is used: it waits for its answer, or is gone. */
static void nothing_more(struct conn *c) {
  if (c->phase == CONN_ANSWER && (c->half_close != NULL || half_close_waits(c))) half_close_begin(c);
  else if (c->phase != CONN_LINGER && c->phase != CONN_DEAD) conn_left(c);
}

static void conn_advance(struct conn *c, struct slice *in) {
  for (unsigned finished = 0; finished < EXCHANGES_A_TURN;) {
    if (c->broken) {
      conn_left(c);
      return;
    }
    if (c->skip > 0 && in->len > 0) {
      size_t bytes = in->len < c->skip ? in->len : (size_t)c->skip;
      *in = slice_from(*in, bytes);
      if (c->skip != UINT64_MAX) c->skip -= bytes;
      if (c->skip == 0 && c->phase == CONN_HEAD) timer_set_ms(&c->timer, c->listener->limits.keep_alive_ms);
    }
    bool on = false;
    switch ((enum conn_phase)c->phase) {
    case CONN_HEAD: on = head_take(c, in); break;
    case CONN_BODY: on = body_take(c, in); break;
    case CONN_ANSWER: finished += on = answer_take(c, in->len > 0); break;
    case CONN_HANDSHAKE:
    case CONN_LINGER:
    case CONN_DEAD: break;
    }
    if (on) continue;
    if (c->input_over) nothing_more(c);
    return;
  }
  conn_later(c);
}

/* fresh: bytes that were just read; they do not outlive the call. */
static void conn_input(struct conn *c, struct slice fresh) {
  if (c->in.len > 0) {
    buf_slice(&c->in, fresh);
    struct slice rest = buf_view(&c->in);
    conn_advance(c, &rest);
    buf_drop_front(&c->in, c->in.len - rest.len);
  } else {
    conn_advance(c, &fresh);
    if (fresh.len > 0) buf_slice(&c->in, fresh);
  }
  if (c->phase == CONN_DEAD) return;
  if (c->in.ptr != NULL && (c->in.len == 0 || c->phase == CONN_LINGER)) buf_done(&c->in);
  bool full = c->phase == CONN_ANSWER && c->in.len >= INPUT_BYTES;
  conn_watch_input(c, full || (c->input_over && c->phase != CONN_LINGER));
}

/* A body whose length is known goes from the kernel to where it stays. */
static ssize_t body_read(struct conn *c) {
  struct exchange *x = c->exchange;
  body_room(x);
  size_t room = x->body.cap - BUF_SLACK - x->body.len;
  ssize_t got = transport_recv(&c->transport, x->body.ptr + x->body.len, room < x->body_left ? room : x->body_left);
  if (got <= 0) return got;
  x->body.len += (size_t)got;
  x->body_left -= (size_t)got;
  if (x->body_left == 0) conn_input(c, slice_of(NULL, 0));
  return got;
}

static bool conn_reads(const struct conn *c) {
  return (c->phase == CONN_HEAD || c->phase == CONN_BODY || c->phase == CONN_ANSWER) && !c->edge;
}

/* The client sends nothing more. What is left of its input is taken before anything follows from that. */
static void input_ended(struct conn *c) {
  if (!c->listener->limits.half_close_waits) {
    conn_left(c);
    return;
  }
  c->input_over = true;
  conn_watch_input(c, true);
  conn_later(c);
}

static void peer_news(struct conn *c) {
  enum transport_peer peer = transport_peer(&c->transport);
  if (peer == TRANSPORT_PEER_RST) conn_left(c);
  else if (peer == TRANSPORT_PEER_FIN && half_close_waits(c)) half_close_begin(c);
  else if (peer == TRANSPORT_PEER_FIN && c->half_close == NULL) conn_left(c);
}

static void conn_read(struct conn *c) {
  struct listener *s = c->listener;
  ssize_t got;
  unsigned reads = 0;
  bool more;
  do {
    if (c->phase == CONN_BODY && c->exchange->head->body == HTTP_BODY_LENGTH && c->in.len == 0) {
      got = body_read(c);
    } else {
      got = transport_recv(&c->transport, s->input, INPUT_BYTES);
      if (got > 0) conn_input(c, slice_of(s->input, (size_t)got));
    }
    if (got == TRANSPORT_GONE && c->transport.ended) input_ended(c);
    else if (got == TRANSPORT_GONE) conn_left(c);
    else if (got == TRANSPORT_AGAIN && c->transport.wants_write) conn_watch_output(c, true);
    /* A full read of a head and the front of its body: the rest is there, too, or will be once this has made room. */
    more = transport_pending(&c->transport) || (got == INPUT_BYTES && c->phase == CONN_BODY);
  } while (got > 0 && ++reads < 16 && conn_reads(c) && more);
  if (got > 0 && reads == 16) conn_later(c);
}

static void handshake(struct conn *c) {
  int result = transport_handshake(&c->transport);
  if (result == TRANSPORT_GONE) {
    conn_close(c, false);
    return;
  }
  conn_watch_output(c, result == TRANSPORT_AGAIN && c->transport.wants_write);
  if (result == TRANSPORT_AGAIN) return;
  c->phase = CONN_HEAD;
  conn_read(c);
}

/* ---- events */

static void conn_readable(evutil_socket_t fd, short what, void *owner) {
  struct conn *c = owner;
  (void)fd, (void)what;
  if (c->phase == CONN_HANDSHAKE) {
    handshake(c);
  } else if (c->phase == CONN_LINGER) {
    linger_read(c);
  } else if (c->edge) {
    peer_news(c);
  } else {
    conn_read(c);
  }
}

void conn_writable(int fd, short what, void *owner) {
  struct conn *c = owner;
  struct listener *s = c->listener;
  (void)fd, (void)what;
  if (c->phase == CONN_HANDSHAKE) {
    handshake(c);
    return;
  }
  if (conn_unsent(c) > 0) conn_flush(c);
  else conn_watch_output(c, false);
  if (c->broken) {
    conn_left(c);
    return;
  }
  if (c->phase == CONN_LINGER && conn_unsent(c) == 0 && !c->finished) conn_linger(c);
  struct exchange *x = c->exchange;
  if (x != NULL && x->owes_drained && conn_unsent(c) <= s->limits.high_mark_bytes / 2) {
    x->owes_drained = false;
    if (s->service->drained != NULL) s->service->drained(s->owner, x);
  }
  if (c->phase == CONN_ANSWER) conn_input(c, slice_of(NULL, 0));
  if (conn_reads(c) && c->transport.wants_write) conn_read(c);
}

static void conn_deadline(void *owner) {
  static const struct http_refusal slow_head = {.status = 408, .why = "the request head did not arrive in time"};
  static const struct http_refusal slow_body = {.status = 408, .why = "the request body did not arrive in time"};
  struct conn *c = owner;
  if (c->phase == CONN_HEAD && c->in.len > 0 && c->skip == 0) {
    refuse_head(c, buf_view(&c->in), &slow_head);
  } else if (c->phase == CONN_BODY) {
    refuse_body(c, &slow_body, EXCHANGE_TOO_SLOW);
  } else {
    bool reset = conn_unsent(c) > 0;
    if (c->exchange != NULL) exchange_over(c, EXCHANGE_TOO_SLOW);
    conn_close(c, reset);
  }
}

static void conn_go_on(void *owner) {
  struct conn *c = owner;
  if (c->phase == CONN_DEAD) {
    conn_free(c);
    return;
  }
  conn_input(c, slice_of(NULL, 0));
  if (conn_reads(c) && transport_pending(&c->transport)) conn_read(c);
}

void conn_later(struct conn *c) {
  loop_later(c->listener->loop, &c->later);
}

bool conn_idle(const struct conn *c) {
  return c->phase == CONN_HEAD && c->in.len == 0 && c->skip == 0;
}

static void conn_peer(struct conn *c, const struct sockaddr_storage *peer) {
  if (peer->ss_family == AF_INET6) {
    const struct sockaddr_in6 *v6 = (const void *)peer;
    c->address = v6->sin6_addr;
    c->port = ntohs(v6->sin6_port);
  } else {
    const struct sockaddr_in *v4 = (const void *)peer;
    c->address.s6_addr[10] = c->address.s6_addr[11] = 0xff;
    memcpy(&c->address.s6_addr[12], &v4->sin_addr, 4);
    c->port = ntohs(v4->sin_port);
  }
}

void conn_open(struct listener *s, int fd, const struct sockaddr_storage *peer) {
  struct conn *c = mem_new(struct conn);
  must(event_assign(&c->readable, loop_base(s->loop), fd, EV_READ | EV_PERSIST, conn_readable, c) == 0);
  if (event_add(&c->readable, NULL) != 0) { /* the kernel has no room to watch it */
    close(fd);
    mem_free(c);
    return;
  }
  c->listener = s;
  c->phase = s->tls ? CONN_HANDSHAKE : CONN_HEAD;
  c->later = (struct later){.call = conn_go_on, .owner = c};
  conn_peer(c, peer);
  transport_init(&c->transport, fd, s->tls);
  list_add_last(&s->conns, &c->link);
  listener_count(s, 1);
  s->allocated++;
  timer_init(&c->timer, s->loop, conn_deadline, c);
  timer_set_ms(&c->timer, s->limits.head_ms);
}
