/* sigv4_key: the steps of a signature that signer and verifier share. Private to gate/sigv4*.c. Any thread. */
#ifndef MOONGATE_GATE_SIGV4_KEY_H
#define MOONGATE_GATE_SIGV4_KEY_H

#include "base/bytes.h"
#include "gate/signer/hmac.h"

/* date: "20261122" (8 bytes). */
void sigv4_signing_key(struct slice secret, struct slice date, struct slice region, struct slice service,
                       unsigned char out[HMAC_BYTES]);
/* date: "20261122T120000Z"; canonical: up to the body's hash; out: 64 hex digits. */
void sigv4_signature(const unsigned char key[HMAC_BYTES], struct slice date, struct slice scope, struct slice canonical,
                     struct slice body_hash, char out[HMAC_BYTES * 2]);
/* "20261122/us-east-1/bedrock/aws4_request"; of date the first 8 bytes are used. */
void sigv4_put_scope(struct buf *out, struct slice date, struct slice region, struct slice service);

#endif
