/* trust: the certificate authorities that providers are checked against. Any thread; one lock, held while a file is
 * read, so that workers which start together read it once.
 *
 * One parsed set per file serves the whole process: the system's takes 800 KB and 20 ms, and without sharing each
 * provider key would have its own on each worker. A file that has changed since is read anew for those who take it
 * then; the others keep what they have. It does NOT check certificates: OpenSSL does, with the set. */
#ifndef MOONGATE_IO_TRUST_H
#define MOONGATE_IO_TRUST_H

#include "base/err.h"

struct trust;
struct x509_store_st;

/* ca_file: PEM; NULL for the system's, where what is missing shows only when a certificate is checked. Waits for the
 * file. Each take needs one release. */
struct trust *trust_take(const char *ca_file, struct err *e);
void trust_release(struct trust *t); /* NULL is fine */
struct x509_store_st *trust_store(const struct trust *t);

#endif
