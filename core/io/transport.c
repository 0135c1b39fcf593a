/* transport: see the header. */
#include "io/transport.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { JOINED_BYTES = 4096 };

void transport_init(struct transport *t, int fd, struct tls_identity *identity) {
  *t = (struct transport){.fd = fd, .ssl = identity ? tls_accept_new(identity, fd) : NULL};
}

void transport_close(struct transport *t, bool reset) {
  if (t->ssl != NULL) {
    ERR_clear_error();
    if (!reset && !t->failed && SSL_is_init_finished(t->ssl)) SSL_shutdown(t->ssl);
    SSL_free(t->ssl);
    ERR_clear_error();
  }
  if (reset) setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
  close(t->fd);
  *t = (struct transport){.fd = -1};
}

/* What a result of OpenSSL below 1 means here. */
static int tls_verdict(struct transport *t, int result) {
  int code = SSL_get_error(t->ssl, result);
  if (code == SSL_ERROR_WANT_READ) return TRANSPORT_AGAIN;
  if (code == SSL_ERROR_WANT_WRITE) {
    t->wants_write = true;
    return TRANSPORT_AGAIN;
  }
  if (code == SSL_ERROR_ZERO_RETURN) t->ended = true;
  else t->failed = true;
  ERR_clear_error();
  return TRANSPORT_GONE;
}

int transport_handshake(struct transport *t) {
  if (t->ssl == NULL) return 1;
  ERR_clear_error();
  t->wants_write = false;
  int result = SSL_do_handshake(t->ssl);
  return result == 1 ? 1 : tls_verdict(t, result);
}

static ssize_t plain_recv(struct transport *t, void *to, size_t bytes, int flags) {
  ssize_t got = recv(t->fd, to, bytes, flags);
  if (got > 0) return got;
  t->ended = got == 0;
  return got < 0 && (errno == EAGAIN || errno == EINTR) ? TRANSPORT_AGAIN : TRANSPORT_GONE;
}

ssize_t transport_recv(struct transport *t, void *to, size_t bytes) {
  if (t->ssl == NULL) return plain_recv(t, to, bytes, 0);
  ERR_clear_error();
  t->wants_write = false;
  int got = SSL_read(t->ssl, to, bytes > INT32_MAX ? INT32_MAX : (int)bytes);
  return got > 0 ? got : tls_verdict(t, got);
}

bool transport_pending(const struct transport *t) {
  return t->ssl != NULL && SSL_has_pending(t->ssl);
}

/* Pieces that are small together are joined first: the kernel takes longer over several than the copy does. */
static ssize_t plain_send(struct transport *t, const struct iovec *parts, int count) {
  char joined[JOINED_BYTES];
  size_t bytes = 0;
  for (int i = 0; i < count && bytes <= sizeof joined; i++) bytes += parts[i].iov_len;
  ssize_t sent;
  if (count == 1) {
    sent = send(t->fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL);
  } else if (bytes <= sizeof joined) {
    char *at = joined;
    for (int i = 0; i < count; i++) at = mempcpy(at, parts[i].iov_base, parts[i].iov_len);
    sent = send(t->fd, joined, bytes, MSG_NOSIGNAL);
  } else {
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count};
    sent = sendmsg(t->fd, &message, MSG_NOSIGNAL);
  }
  if (sent >= 0) return sent;
  return errno == EAGAIN || errno == EINTR ? 0 : TRANSPORT_GONE;
}

ssize_t transport_send(struct transport *t, const struct iovec *parts, int count, char *record) {
  if (t->ssl == NULL) return plain_send(t, parts, count);
  size_t sent = 0, offset = 0; /* offset: into parts[0] */
  while (count > 0) {
    const char *from = (const char *)parts[0].iov_base + offset;
    size_t bytes = parts[0].iov_len - offset;
    if (bytes < TRANSPORT_RECORD_BYTES && count > 1) {
      size_t joined = 0, skip = offset;
      for (int i = 0; i < count && joined < TRANSPORT_RECORD_BYTES; i++, skip = 0) {
        size_t more = parts[i].iov_len - skip;
        if (more > TRANSPORT_RECORD_BYTES - joined) more = TRANSPORT_RECORD_BYTES - joined;
        if (more > 0) memcpy(record + joined, (const char *)parts[i].iov_base + skip, more);
        joined += more;
      }
      from = record;
      bytes = joined;
    }
    if (bytes == 0) break;
    ERR_clear_error();
    int took = SSL_write(t->ssl, from, bytes > INT32_MAX ? INT32_MAX : (int)bytes);
    if (took <= 0) {
      bool reading_waits = t->wants_write;
      int verdict = tls_verdict(t, took);
      t->wants_write = reading_waits;
      return verdict == TRANSPORT_GONE ? TRANSPORT_GONE : (ssize_t)sent;
    }
    sent += (size_t)took;
    offset += (size_t)took;
    while (count > 0 && offset >= parts[0].iov_len) offset -= parts[0].iov_len, parts++, count--;
  }
  return (ssize_t)sent;
}

void transport_finish(struct transport *t) {
  if (t->ssl != NULL && !t->failed && SSL_is_init_finished(t->ssl)) {
    ERR_clear_error();
    SSL_shutdown(t->ssl);
    ERR_clear_error();
  }
  shutdown(t->fd, SHUT_WR);
}

ssize_t transport_drop(struct transport *t, size_t bytes) {
  return plain_recv(t, NULL, bytes, MSG_TRUNC);
}

enum transport_peer transport_peer(const struct transport *t) {
  struct pollfd p = {.fd = t->fd, .events = POLLRDHUP};
  if (poll(&p, 1, 0) <= 0) return TRANSPORT_PEER_SENDS;
  if (p.revents & (POLLHUP | POLLERR | POLLNVAL)) return TRANSPORT_PEER_RST;
  return p.revents & POLLRDHUP ? TRANSPORT_PEER_FIN : TRANSPORT_PEER_SENDS;
}
