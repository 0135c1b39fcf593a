/* transport: bytes over one accepted socket, plain or TLS, never waiting. One thread; owns the descriptor and the SSL.
 * Does not queue: what the socket does not take is the caller's to keep. */
#ifndef MOONGATE_IO_TRANSPORT_H
#define MOONGATE_IO_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "io/tls.h"

struct transport {
  struct ssl_st *ssl; /* NULL: plain */
  int fd;
  bool wants_write; /* TLS: reading cannot go on before the socket takes bytes */
  bool failed;      /* TLS: a fatal error happened; OpenSSL must not be called again */
  bool ended;       /* the peer has closed its sending side (FIN, close_notify), and all before that was read */
};

enum { TRANSPORT_AGAIN = 0, TRANSPORT_GONE = -1, TRANSPORT_RECORD_BYTES = 16384 };

/* Plain when identity is NULL. */
void transport_init(struct transport *t, int fd, struct tls_identity *identity);
/* Closes. `reset`: with RST, dropping what the kernel still holds; otherwise TLS says goodbye where the socket takes
 * it. */
void transport_close(struct transport *t, bool reset);
/* 1 when the TLS handshake is complete (at once when plain), TRANSPORT_AGAIN, TRANSPORT_GONE. */
int transport_handshake(struct transport *t);
/* Bytes read, TRANSPORT_AGAIN, or TRANSPORT_GONE: FIN, RST, close_notify, any error. */
ssize_t transport_recv(struct transport *t, void *to, size_t bytes);
/* Whether TLS holds bytes that no event of the socket will announce. */
bool transport_pending(const struct transport *t);
/* Bytes taken (fewer than given: the socket is full), or TRANSPORT_GONE. `record` is room for one TLS record, in which
 * small parts are joined. After a short count the same bytes must come first in the next call. */
ssize_t transport_send(struct transport *t, const struct iovec *parts, int count, char *record);
/* No more bytes from us: close_notify and FIN. */
void transport_finish(struct transport *t);
/* Drops up to `bytes` raw bytes without copying them (tcp(7), MSG_TRUNC); results as transport_recv. TLS can read no
 * more afterwards. */
ssize_t transport_drop(struct transport *t, size_t bytes);
/* What the peer has sent last, also behind bytes that have not been read: FIN, or RST. One system call. */
enum transport_peer { TRANSPORT_PEER_SENDS, TRANSPORT_PEER_FIN, TRANSPORT_PEER_RST };
enum transport_peer transport_peer(const struct transport *t);

#endif
