/* upconn: one connection to a provider, plain or TLS, that serves one call after another. One worker's thread;
 * owned by the call it serves, or by its upstream's pool while idle.
 *
 *     dialled ──▶ (TLS handshake) ──▶ serving ◀──▶ idle ──▶ closed
 *
 * While idle it watches for a close. It moves bytes and does NOT know HTTP. */
#ifndef MOONGATE_IO_UPCONN_H
#define MOONGATE_IO_UPCONN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/list.h"

struct upstream;
struct ssl_st;
struct handshake;

/* What the one who is served hears. Each may close or release the connection. */
struct upconn_user {
  void (*opened)(void *owner);                                   /* the TLS handshake is done */
  void (*refused)(void *owner, bool timed_out, const char *why); /* it failed; why is valid during the call */
  void (*readable)(void *owner); /* bytes, a close, or an error: upconn_recv tells which */
  void (*writable)(void *owner);
};

struct upconn {
  struct link link; /* of the pool while idle */
  struct upstream *upstream;
  const struct upconn_user *user; /* NULL while idle */
  void *owner;
  struct ssl_st *ssl;          /* NULL: plain */
  struct handshake *handshake; /* while it runs */
  struct event *writable;      /* made when the socket first refuses bytes */
  uint64_t idle_since_ns;
  int fd;
  bool used;        /* served a call before the present one */
  bool ticket_came; /* TLS: with it, buffers that OpenSSL does not need; until uptls has dropped them */
  struct event readable;
};

enum { UPCONN_CLOSED = -1, UPCONN_LOST = -2 };

/* Takes fd. With TLS, opened or refused follows within within_ms; without, it is open at once. */
struct upconn *upconn_new(struct upstream *u, int fd, uint32_t within_ms, const struct upconn_user *user, void *owner);
bool upconn_is_open(const struct upconn *x);
/* From the pool to a call. */
void upconn_serve(struct upconn *x, const struct upconn_user *user, void *owner);
/* To the pool, which may close it. */
void upconn_release(struct upconn *x);
void upconn_close(struct upconn *x); /* frees it */

/* Gives the parts to the kernel, as much as it takes now. 0: nothing now, ask for writable; UPCONN_LOST: no more
 * can be sent. After 0 the same bytes must be offered again. */
ssize_t upconn_send(struct upconn *x, const struct iovec *parts, int count);
/* Bytes read; 0: nothing now; UPCONN_CLOSED: the peer's orderly end; UPCONN_LOST: reset or a TLS fault. */
ssize_t upconn_recv(struct upconn *x, char *at, size_t room);
void upconn_reading(struct upconn *x, bool on); /* readable events; on from the start */
void upconn_writing(struct upconn *x, bool on); /* writable events; off from the start */
void upconn_wake(struct upconn *x);             /* one readable event soon, whatever the socket says */

#endif
