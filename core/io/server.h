/* server: listeners, client connections, and exchanges (one request and its answer) for whoever serves: the gate, the
 * admin interface, the simulator. One worker's thread; a connection never leaves it.
 *
 * The connection owns parsing, deadlines, limits, framing of answers, TLS, backpressure, and noticing that a client
 * left in every phase. The service sees exchanges:
 *
 *     opened ─▶ (body read) ─▶ ready ─▶ reply | start, write…, end ─▶ closed(finished)
 *        └── at any time: closed(why) when the client leaves, breaks the protocol, or is too slow
 *
 * Pipelined requests wait in the connection: one exchange at a time, in order. While an exchange is in flight nothing
 * is read beyond one buffer. Everything written within one turn of the loop goes out in one send, at the end of that
 * turn at the latest; a whole answer at once.
 *
 * A FIN is leaving, in every phase and also behind pipelined bytes, unless limits.half_close_waits: then a client whose
 * request is complete is asked whether it still reads (io/half_close.c), and goes on if it does. (A request answered in
 * the same turn in which its FIN comes is answered either way.)
 *
 * Callbacks get the listener's owner. `closed` is never called from within an exchange_* function: these may be used in
 * any callback, and what follows from them happens later in the turn. */
#ifndef MOONGATE_IO_SERVER_H
#define MOONGATE_IO_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/bytes.h"
#include "base/err.h"
#include "io/loop.h"
#include "io/tls.h"
#include "wire/http.h"

struct exchange;
struct listener;

enum exchange_end {
  EXCHANGE_FINISHED,    /* the whole answer is with the kernel */
  EXCHANGE_CLIENT_GONE, /* RST, or a FIN or TLS close that is leaving, before that */
  EXCHANGE_TOO_SLOW,    /* body deadline (408 was sent), or the client took no byte for write_idle_ms */
  EXCHANGE_BROKEN       /* the body broke the protocol or a limit; the refusal was sent */
};

struct service {
  /* The head has come. May answer at once (the body is then dropped or the connection closed after the answer), may set
   * exchange_body_limit, or return and wait for ready. Slices of head are valid until closed. */
  void (*opened)(void *owner, struct exchange *x, const struct http_head *head);
  /* The body is complete: exchange_body(x). Not called when already answered. Called at once for requests without
   * one. */
  void (*ready)(void *owner, struct exchange *x);
  /* Output fell below the low mark after exchange_write had returned false. May be NULL. */
  void (*drained)(void *owner, struct exchange *x);
  /* The end of x, exactly once for each opened. x is not valid afterwards, and takes no more writes here. */
  void (*closed)(void *owner, struct exchange *x, enum exchange_end why);
  /* The body and headers of an answer to what the connection itself refuses (bad framing, limits, deadlines), in the
   * dialect that path belongs to. x: the exchange whose body is refused, closed afterwards; NULL when its head was.
   * path is empty when unknown, and cut after 256 bytes when the head was refused. Writes header lines ("name:
   * value\r\n") and a body. */
  void (*refusal)(void *owner, struct exchange *x, struct slice path, const struct http_refusal *why,
                  struct buf *headers, struct buf *body);
};

struct server_limits {
  struct http_limits http;
  uint64_t body_bytes;      /* default 32 MiB → 413 */
  uint32_t head_ms;         /* absolute: whole head, from its first byte (from accept for the first) → 408. 5,000 */
  uint32_t body_ms;         /* absolute: whole body. 30,000 → 408 */
  uint32_t keep_alive_ms;   /* idle between requests. 75,000 */
  uint32_t write_idle_ms;   /* no byte taken by the client. 60,000 */
  uint32_t high_mark_bytes; /* of queued output: exchange_write returns false above it. 64 KiB */
  uint32_t connections;     /* per listener; above it accept waits. 10,000 */
  bool half_close_waits;    /* a client that has closed its sending side may wait for its answer. false */
};
extern const struct server_limits server_limits_default;

/* address: "127.0.0.1:8080", "[::1]:8080", ":8080" (all), port 0 for any. Sets SO_REUSEPORT when `shared`. tls may be
 * NULL; limits too, for the default. May wait for the resolver when host is a name. */
struct listener *listener_open(struct loop *l, const char *address, bool shared, struct tls_identity *tls,
                               const struct server_limits *limits, const struct service *service, void *owner,
                               struct err *e);
/* The same on sockets that listen already (io/listen_socket.h), which it owns from now on. */
struct listener *listener_open_on(struct loop *l, const int *fds, unsigned count, struct tls_identity *tls,
                                  const struct server_limits *limits, const struct service *service, void *owner);
uint16_t listener_port(const struct listener *s);
uint32_t listener_connections(const struct listener *s); /* open now */
/* Keeps *count, which outlives it, at that number: for other threads to read. */
void listener_count_into(struct listener *s, _Atomic int64_t *count);
/* Every answer that begins from now on says `connection: close`; accepting goes on. */
void listener_say_close(struct listener *s);
/* That, and no more accepts. An idle connection may still send a request for LISTENER_GRACE_MS: its client may be about
 * to, and does not know yet. */
enum { LISTENER_GRACE_MS = 1000 };
void listener_stop(struct listener *s);
void listener_close(struct listener *s); /* closes every connection too; each open exchange gets closed(CLIENT_GONE) */
/* New limits: deadlines from the next one set, the rest from the next head. */
void listener_limits(struct listener *s, const struct server_limits *limits);

/* ---- an exchange -------------------------------------------------------------------------------------------- */

void exchange_set_owner(struct exchange *x, void *owner); /* the service's own pointer for this exchange */
void *exchange_owner(const struct exchange *x);
const struct http_head *exchange_head(const struct exchange *x); /* as opened saw it, until closed; never copy it by
                                                                    value: it ends after its last header */
struct slice exchange_body(const struct exchange *x); /* whole, BUF_SLACK readable bytes behind it; until closed */
/* Takes the body buffer out of the exchange; the caller frees it with buf_done. */
struct buf exchange_take_body(struct exchange *x);
void exchange_body_limit(struct exchange *x, uint64_t bytes); /* in opened only */
const char *exchange_peer(const struct exchange *x);          /* "127.0.0.1:51234" */
bool exchange_answered(const struct exchange *x);             /* reply or start was called */

/* A whole answer. headers: ready lines "name: value\r\n" without content-length, transfer-encoding and connection,
 * which the exchange adds. body: parts, sent without a copy where the socket takes them; they need to live only during
 * the call. A HEAD request gets the same head without the body. */
void exchange_reply(struct exchange *x, unsigned status, struct slice headers, const struct iovec *body, int parts);
/* Begins an answer of unknown length: chunked, or until close for HTTP/1.0. */
void exchange_start(struct exchange *x, unsigned status, struct slice headers);
/* Begins an answer whose length is known: content-length instead of chunks. Exactly body_bytes are written before
 * exchange_end; fewer only before exchange_abort or exchange_reset. */
void exchange_start_sized(struct exchange *x, unsigned status, struct slice headers, uint64_t body_bytes);
/* Some of its body. Returns false when more than high_mark_bytes are queued: stop until drained. */
bool exchange_write(struct exchange *x, struct slice bytes);
/* What may stand between two writes of this answer, which must outlive it: a client that has closed its sending side is
 * sent it to find out whether it still reads. Where none is set, or an empty one, it has left. */
void exchange_set_filler(struct exchange *x, struct slice filler);
void exchange_end(struct exchange *x); /* complete */
/* Cut: the connection closes without the last chunk (by RST where only that shows that something is missing).
 * closed(EXCHANGE_FINISHED) follows later in this turn. */
void exchange_abort(struct exchange *x);
void exchange_reset(struct exchange *x); /* the same by a TCP reset, for fault injection; what is queued may be lost */
uint64_t exchange_sent_bytes(const struct exchange *x); /* of the answer, with its head, given to the kernel */

#endif
