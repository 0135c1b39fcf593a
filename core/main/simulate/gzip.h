/* simulate_gzip: a gzip of as many blanks as one likes, a hundred and fifty times smaller than what it unpacks to. For
 * clients that asked for identity and must not unpack it. Pure; any thread. It does NOT compress anything else. */
#ifndef MOONGATE_MAIN_SIMULATE_GZIP_H
#define MOONGATE_MAIN_SIMULATE_GZIP_H

#include "base/bytes.h"

/* Appends it (RFC 1952), one member. A gigabyte takes seconds, for its checksum. */
void sim_gzip_put_blanks(uint64_t bytes, struct buf *out);

#endif
