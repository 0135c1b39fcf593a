/* exchange: one request and the writing of its answer (io/server.h). Worker's thread. Its block holds the struct, the
 * head and the head's bytes. Nothing here calls the service: what an answer leads to happens later in the turn. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/must.h"
#include "io/conn.h"

struct spare_block {
  struct spare_block *next;
};

static void *block_take(struct listener *s, size_t bytes) {
  if (bytes > BLOCK_BYTES) return mem_alloc(bytes);
  if (s->blocks == NULL) return mem_alloc(BLOCK_BYTES);
  struct spare_block *b = s->blocks;
  s->blocks = b->next;
  s->block_count--;
  return b;
}

static void block_give(struct listener *s, void *block, size_t bytes) {
  if (bytes > BLOCK_BYTES || s->block_count >= SPARE_BLOCKS) {
    mem_free(block);
    return;
  }
  struct spare_block *b = block;
  b->next = s->blocks;
  s->blocks = b;
  s->block_count++;
}

void exchange_drop_spare(struct listener *s) {
  for (struct spare_block *b = s->blocks, *next; b != NULL; b = next) {
    next = b->next;
    mem_free(b);
  }
}

static void move(struct slice *s, const char *from, const char *to) {
  if (s->ptr != NULL) s->ptr = to + (s->ptr - from);
}

struct exchange *exchange_new(struct conn *c, const struct http_head *head, const char *bytes, size_t head_bytes) {
  struct listener *s = c->listener;
  size_t head_struct = offsetof(struct http_head, headers) + head->header_count * sizeof head->headers[0];
  size_t block_bytes = sizeof(struct exchange) + head_struct + head_bytes;
  struct exchange *x = block_take(s, block_bytes);
  struct http_head *own = (struct http_head *)(void *)(x + 1);
  char *text = (char *)own + head_struct;
  memcpy(own, head, head_struct);
  memcpy(text, bytes, head_bytes);
  struct slice *const single[] = {&own->method, &own->target, &own->path, &own->query, &own->host};
  for (size_t i = 0; i < sizeof single / sizeof single[0]; i++) move(single[i], bytes, text);
  for (unsigned i = 0; i < own->header_count; i++) {
    move(&own->headers[i].name, bytes, text);
    move(&own->headers[i].value, bytes, text);
  }
  memset(x, 0, sizeof *x);
  x->conn = c;
  x->head = own;
  x->block_bytes = (uint32_t)block_bytes;
  x->body_limit = s->limits.body_bytes;
  x->body_left = head->body == HTTP_BODY_LENGTH ? head->body_bytes : 0;
  x->body_whole = head->body == HTTP_BODY_NONE || (head->body == HTTP_BODY_LENGTH && head->body_bytes == 0);
  return x;
}

void exchange_free(struct exchange *x) {
  buf_done(&x->body);
  block_give(x->conn->listener, x, x->block_bytes);
}

/* ---- what it is */

void exchange_set_owner(struct exchange *x, void *owner) {
  x->owner = owner;
}

void *exchange_owner(const struct exchange *x) {
  return x->owner;
}

const struct http_head *exchange_head(const struct exchange *x) {
  return x->head;
}

struct slice exchange_body(const struct exchange *x) {
  static const char none[BUF_SLACK];
  return x->body.ptr != NULL ? buf_view(&x->body) : slice_of(none, 0);
}

struct buf exchange_take_body(struct exchange *x) {
  struct buf body = x->body;
  x->body = (struct buf){0};
  return body;
}

void exchange_body_limit(struct exchange *x, uint64_t bytes) {
  x->body_limit = bytes;
}

const char *exchange_peer(const struct exchange *x) {
  struct exchange *own = (struct exchange *)(uintptr_t)x;
  const struct conn *c = x->conn;
  if (x->peer[0] != '\0') return x->peer;
  if (IN6_IS_ADDR_V4MAPPED(&c->address)) {
    /* By hand: it is asked for with each request. */
    char *at = own->peer;
    for (unsigned i = 12; i < 16; i++) {
      at += digits_u64(at, c->address.s6_addr[i]);
      *at++ = i < 15 ? '.' : ':';
    }
    at[digits_u64(at, c->port)] = '\0';
  } else {
    char address[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, &c->address, address, sizeof address);
    snprintf(own->peer, sizeof own->peer, "[%s]:%u", address, c->port);
  }
  return x->peer;
}

bool exchange_answered(const struct exchange *x) {
  return x->answered;
}

uint64_t exchange_sent_bytes(const struct exchange *x) {
  return x->sent_bytes;
}

/* ---- heads of answers */

enum framing { FRAMED_NOT, FRAMED_LENGTH, FRAMED_CHUNKS };
enum afterwards { THEN_KEEP, THEN_KEEP_SAID /* HTTP/1.0 must be told */, THEN_CLOSE };

static char *put(char *at, struct slice s) {
  memcpy(at, s.ptr, s.len);
  return at + s.len;
}

static void write_head(struct conn *c, unsigned status, struct slice headers, enum framing framing, uint64_t bytes,
                       enum afterwards then) {
  must(status >= 200 && status <= 999);
  struct slice reason = slice_text(http_reason(status));
  char *start = conn_reserve(c, headers.len + reason.len + 128), *at = start;
  at = put(at, SLICE("HTTP/1.1 "));
  at += digits_u64(at, status);
  *at++ = ' ';
  at = put(at, reason);
  at = put(at, SLICE("\r\n"));
  if (headers.len > 0) at = put(at, headers);
  if (framing == FRAMED_CHUNKS) at = put(at, SLICE("transfer-encoding: chunked\r\n"));
  if (framing == FRAMED_LENGTH) {
    at = put(at, SLICE("content-length: "));
    at += digits_u64(at, bytes);
    at = put(at, SLICE("\r\n"));
  }
  if (then == THEN_CLOSE) at = put(at, SLICE("connection: close\r\n"));
  if (then == THEN_KEEP_SAID) at = put(at, SLICE("connection: keep-alive\r\n"));
  at = put(at, SLICE("\r\n"));
  c->out.len += (size_t)(at - start);
}

static void begin(struct exchange *x, unsigned status) {
  struct conn *c = x->conn;
  must(!x->answered && !x->aborted);
  x->answered = true;
  x->bodyless = status == 204 || status == 304 || slice_eq(x->head->method, SLICE("HEAD"));
  x->keep = x->head->keep_alive && !c->listener->says_close;
  if (c->phase != CONN_BODY) return;
  /* The body is not wanted any more. A short rest is skipped; a long one is cut, after the client could read the
   * answer. A client that waits for "100 Continue" may send it or not, and nobody could tell which. */
  bool short_rest = x->head->body == HTTP_BODY_LENGTH && x->body_left <= SKIP_BYTES && !x->head->expect_continue;
  x->keep = x->keep && short_rest;
  c->skip = x->keep ? x->body_left : UINT64_MAX;
  c->phase = CONN_ANSWER;
  timer_park(&c->timer);
}

static enum afterwards afterwards(const struct exchange *x) {
  if (!x->keep) return THEN_CLOSE;
  return x->head->minor == 0 ? THEN_KEEP_SAID : THEN_KEEP;
}

/* ---- answers */

void exchange_reply(struct exchange *x, unsigned status, struct slice headers, const struct iovec *body, int parts) {
  struct conn *c = x->conn;
  uint64_t bytes = 0;
  for (int i = 0; i < parts; i++) bytes += body[i].iov_len;
  begin(x, status);
  x->ended = true;
  write_head(c, status, headers, status == 204 || status == 304 ? FRAMED_NOT : FRAMED_LENGTH, bytes, afterwards(x));
  if (x->bodyless) parts = 0;
  if (parts > SEND_PARTS) {
    conn_queue(c, body, parts, 0);
    parts = 0;
  }
  conn_send(c, body, parts);
  conn_later(c);
}

void exchange_start(struct exchange *x, unsigned status, struct slice headers) {
  begin(x, status);
  x->until_close = x->head->minor == 0 && !x->bodyless;
  x->chunks = x->head->minor > 0 && status != 204 && status != 304;
  if (x->until_close) x->keep = false;
  write_head(x->conn, status, headers, x->chunks ? FRAMED_CHUNKS : FRAMED_NOT, 0, afterwards(x));
  conn_later(x->conn);
}

void exchange_start_sized(struct exchange *x, unsigned status, struct slice headers, uint64_t body_bytes) {
  begin(x, status);
  write_head(x->conn, status, headers, status == 204 || status == 304 ? FRAMED_NOT : FRAMED_LENGTH, body_bytes,
             afterwards(x));
  conn_later(x->conn);
}

bool exchange_write(struct exchange *x, struct slice bytes) {
  struct conn *c = x->conn;
  must(x->answered && !x->ended);
  if (bytes.len == 0 || x->bodyless || x->aborted || c->broken) return true;
  char size[20];
  struct iovec parts[3];
  int count = 0;
  if (x->chunks) parts[count++] = (struct iovec){size, http_chunk_head(size, bytes.len)};
  parts[count++] = (struct iovec){(void *)(uintptr_t)bytes.ptr, bytes.len};
  if (x->chunks) parts[count++] = (struct iovec){(void *)(uintptr_t) "\r\n", 2};
  uint32_t high = c->listener->limits.high_mark_bytes;
  if (c->writable == NULL && bytes.len >= DIRECT_BYTES) {
    conn_send(c, parts, count);
  } else {
    conn_queue(c, parts, count, 0);
    if (c->writable == NULL && (conn_unsent(c) >= GATHER_BYTES || conn_unsent(c) > high)) conn_send(c, NULL, 0);
  }
  conn_later(c);
  if (conn_unsent(c) <= high) return true;
  x->owes_drained = true;
  return false;
}

void exchange_end(struct exchange *x) {
  struct conn *c = x->conn;
  must(x->answered && !x->ended);
  x->ended = true;
  if (x->chunks && !x->bodyless && !c->broken && !x->aborted)
    conn_queue(c, &(struct iovec){(void *)(uintptr_t) "0\r\n\r\n", 5}, 1, 0);
  conn_later(c);
}

void exchange_abort(struct exchange *x) {
  struct conn *c = x->conn;
  x->aborted = true;
  if (c->phase == CONN_BODY) {
    c->phase = CONN_ANSWER;
    c->skip = UINT64_MAX;
  }
  conn_later(c);
}

void exchange_reset(struct exchange *x) {
  x->reset = true;
  exchange_abort(x);
}

void exchange_continue(struct exchange *x) {
  struct slice line = SLICE("HTTP/1.1 100 Continue\r\n\r\n");
  conn_send(x->conn, &(struct iovec){(void *)(uintptr_t)line.ptr, line.len}, 1);
  x->sent_bytes = 0; /* of the answer none */
}

void exchange_set_filler(struct exchange *x, struct slice filler) {
  x->filler = filler;
}

void exchange_refuse(struct conn *c, struct slice path, const struct http_refusal *why, bool to_head) {
  struct listener *s = c->listener;
  struct buf headers = {0}, body = {0};
  s->service->refusal(s->owner, c->exchange, path, why, &headers, &body);
  write_head(c, why->status, buf_view(&headers), FRAMED_LENGTH, body.len, THEN_CLOSE);
  struct iovec part = {body.ptr, body.len};
  conn_send(c, &part, to_head || body.len == 0 ? 0 : 1);
  buf_done(&headers);
  buf_done(&body);
}
