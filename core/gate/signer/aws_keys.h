/* aws_keys: access keys for AWS clients, derived from virtual keys. AWS's SDKs do not send a key, they sign with one;
 * so each virtual key K has a pair that anybody who holds K can work out:
 *
 *   access key id      "MGAK" + 16 letters and digits (base32) of HMAC-SHA-256(K, "moongate aws access key id")
 *   secret access key  40 characters (base64) of HMAC-SHA-256(K, "moongate aws secret access key")
 *
 * The id is public. The secret tells nothing of K. Built by one thread, immutable then; any thread. It does not verify
 * signatures: see gate/signer/sigv4.h. */
#ifndef MOONGATE_GATE_AWS_KEYS_H
#define MOONGATE_GATE_AWS_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum { AWS_KEY_ID_BYTES = 20, AWS_SECRET_BYTES = 40 };

struct aws_pair {
  char id[AWS_KEY_ID_BYTES];
  char secret[AWS_SECRET_BYTES]; /* the caller wipes it */
};

void aws_pair_of(struct slice virtual_key, struct aws_pair *out);

struct aws_keys;

struct aws_keys *aws_keys_new(void);
void aws_keys_free(struct aws_keys *t); /* wipes */
/* index: whose pair it is. */
void aws_keys_add(struct aws_keys *t, struct slice virtual_key, uint32_t index);
/* false: no key has that id. *secret is valid as long as the table. */
bool aws_keys_find(const struct aws_keys *t, struct slice id, uint32_t *index, struct slice *secret);

#endif
