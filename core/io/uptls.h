/* uptls: TLS towards providers: trust, the handshake, records. One worker's thread; parts of a upconn.
 *
 * TLS 1.2 and newer, ALPN http/1.1, the host's name or address checked against the certificate, sessions resumed.
 * Verification is off only with `insecure` of the upstream's configuration. libcurl has opened the socket; it has
 * no part in this. */
#ifndef MOONGATE_IO_UPTLS_H
#define MOONGATE_IO_UPTLS_H

#include "base/bytes.h"
#include "base/err.h"
#include "io/upconn.h"

struct uptls; /* what the connections of one upstream share */

/* ca_file: PEM, NULL for the system's. */
struct uptls *uptls_new(struct slice host, const char *ca_file, bool insecure, struct err *e);
void uptls_free(struct uptls *t);

void uptls_begin(struct upconn *x, uint32_t within_ms); /* nothing is told within the call */
void uptls_step(struct upconn *x);                      /* the socket is ready; may tell the user */
void uptls_end(struct upconn *x);                       /* frees, closing quietly */
/* As upconn_send and upconn_recv. */
ssize_t uptls_send(struct upconn *x, const struct iovec *parts, int count);
ssize_t uptls_recv(struct upconn *x, char *at, size_t room);
bool uptls_has_bytes(const struct upconn *x); /* received, not yet read */

#endif
