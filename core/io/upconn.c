/* upconn: sockets on libevent; what differs with TLS is in uptls.c. One worker's thread. */
#include "io/upconn.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/must.h"
#include "io/upstream.h"
#include "io/uptls.h"

/* A close, or bytes that nobody asked for; a TLS session ticket alone is neither. */
static void idle_readable(struct upconn *x) {
  char byte;
  if (x->ssl != NULL && upconn_recv(x, &byte, 1) == 0) return;
  upstream_drop_idle(x->upstream, x);
}

static void on_readable(evutil_socket_t fd, short what, void *owner) {
  (void)fd, (void)what;
  struct upconn *x = owner;
  if (x->handshake != NULL) uptls_step(x);
  else if (x->user != NULL) x->user->readable(x->owner);
  else idle_readable(x);
}

static void on_writable(evutil_socket_t fd, short what, void *owner) {
  (void)fd, (void)what;
  struct upconn *x = owner;
  if (x->handshake != NULL) uptls_step(x);
  else x->user->writable(x->owner);
}

struct upconn *upconn_new(struct upstream *u, int fd, uint32_t within_ms, const struct upconn_user *user, void *owner) {
  struct upconn *x = mem_new(struct upconn);
  x->upstream = u;
  x->user = user;
  x->owner = owner;
  x->fd = fd;
  evutil_make_socket_nonblocking(fd);
  event_assign(&x->readable, loop_base(u->loop), fd, EV_READ | EV_PERSIST, on_readable, x);
  event_add(&x->readable, NULL);
  if (u->tls != NULL) uptls_begin(x, within_ms);
  return x;
}

bool upconn_is_open(const struct upconn *x) {
  return x->handshake == NULL;
}

void upconn_serve(struct upconn *x, const struct upconn_user *user, void *owner) {
  x->user = user;
  x->owner = owner;
}

void upconn_release(struct upconn *x) {
  x->user = NULL;
  x->owner = NULL;
  x->used = true;
  upconn_writing(x, false);
  if (x->writable != NULL) event_free(x->writable);
  x->writable = NULL;
  upconn_reading(x, true);
  upstream_put_idle(x->upstream, x);
}

void upconn_close(struct upconn *x) {
  event_del(&x->readable);
  if (x->writable != NULL) event_free(x->writable);
  if (x->ssl != NULL) uptls_end(x);
  close(x->fd);
  mem_free(x);
}

ssize_t upconn_send(struct upconn *x, const struct iovec *parts, int count) {
  if (x->ssl != NULL) return uptls_send(x, parts, count);
  struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count};
  ssize_t sent;
  do
    sent = count == 1 ? send(x->fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL)
                      : sendmsg(x->fd, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent >= 0) return sent;
  return errno == EAGAIN ? 0 : UPCONN_LOST;
}

ssize_t upconn_recv(struct upconn *x, char *at, size_t room) {
  if (x->ssl != NULL) return uptls_recv(x, at, room);
  ssize_t got;
  do got = recv(x->fd, at, room, 0);
  while (got < 0 && errno == EINTR);
  if (got > 0) return got;
  if (got == 0) return UPCONN_CLOSED;
  return errno == EAGAIN ? 0 : UPCONN_LOST;
}

void upconn_reading(struct upconn *x, bool on) {
  if (!on) {
    event_del(&x->readable);
    return;
  }
  event_add(&x->readable, NULL);
  if (x->ssl != NULL && uptls_has_bytes(x)) upconn_wake(x);
}

void upconn_writing(struct upconn *x, bool on) {
  if (on) {
    if (x->writable == NULL)
      x->writable = event_new(loop_base(x->upstream->loop), x->fd, EV_WRITE | EV_PERSIST, on_writable, x);
    must(x->writable != NULL);
    event_add(x->writable, NULL);
  } else if (x->writable != NULL) {
    event_del(x->writable);
  }
}

void upconn_wake(struct upconn *x) {
  event_active(&x->readable, EV_READ, 0);
}
