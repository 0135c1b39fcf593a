/* tls: certificates of the edge. Any thread: a handle is shared by all workers and its certificate may be replaced
 * while connections run; those keep the one they began with. TLS 1.2 and newer, AEAD with ECDHE over X25519, P-256 or
 * P-384, no compression, no renegotiation. Trust towards providers is io/upcall.h's. */
#ifndef MOONGATE_IO_TLS_H
#define MOONGATE_IO_TLS_H

#include <stdbool.h>

#include "base/err.h"

struct tls_identity;
struct ssl_st;

/* PEM files: a chain (leaf first) and its key. Tells file, reason. */
struct tls_identity *tls_identity_new(const char *chain_file, const char *key_file, struct err *e);
/* Reads the files again; on failure the present certificate stays and e says why. */
bool tls_identity_reload(struct tls_identity *t, struct err *e);
void tls_identity_free(struct tls_identity *t);
struct ssl_st *tls_accept_new(struct tls_identity *t, int socket); /* for io/ only */

#endif
