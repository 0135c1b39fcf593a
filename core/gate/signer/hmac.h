/* hmac: SHA-256 and HMAC-SHA-256 (RFC 2104) on the stack. Any thread. Keys are the caller's; nothing of them stays
 * behind. */
#ifndef MOONGATE_GATE_HMAC_H
#define MOONGATE_GATE_HMAC_H

#include <sys/uio.h>

#include "base/bytes.h"

enum { HMAC_BYTES = 32 };

void sha256_of(const struct iovec *parts, int count, unsigned char out[HMAC_BYTES]);
void hmac_sha256(struct slice key, struct slice text, unsigned char out[HMAC_BYTES]);
/* Lower-case hex digits of a digest, 64 bytes, no zero byte behind them. */
void digest_hex(const unsigned char digest[HMAC_BYTES], char out[HMAC_BYTES * 2]);

#endif
