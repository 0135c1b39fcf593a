/* secret: bytes that must not leak: kept in pages of their own that are left out of core dumps, wiped when freed. Any
 * thread may read; new and free take a lock. The only way out is secret_view, whose callers write to a socket, digest,
 * or compare; nothing that formats text takes a secret. */
#ifndef MOONGATE_BASE_SECRET_H
#define MOONGATE_BASE_SECRET_H

#include <stdbool.h>

#include "base/bytes.h"

struct secret;

struct secret *secret_new(struct slice bytes);
struct secret *secret_join(struct slice a, struct slice b,
                           struct slice c);       /* "authorization: Bearer " + key + "\r\n" */
void secret_free(struct secret *s);               /* NULL is fine */
struct slice secret_view(const struct secret *s); /* empty for NULL */
char *secret_place(struct secret *s);             /* its bytes, for the owner of one that changes */
/* In time that depends on the lengths only. */
bool secret_equals(const struct secret *s, struct slice other);
/* Overwrites memory in a way the compiler keeps. */
void secret_wipe(void *memory, size_t bytes);
/* Overwrites every occurrence of s within bytes with '*'; returns how many there were. */
unsigned secret_scrub(const struct secret *s, char *bytes, size_t len);

#endif
