/* signature: requests that an AWS SDK has signed (Signature Version 4) with a pair that belongs to a virtual key. Who
 * signed is known from the head; whether the signature holds is known once the body is there, because it covers it. Any
 * thread.
 */
#ifndef MOONGATE_GATE_SIGNATURE_H
#define MOONGATE_GATE_SIGNATURE_H

#include <stdbool.h>

#include "base/arena.h"
#include "gate/fault.h"
#include "gate/key.h"
#include "wire/http.h"

/* What the head's signature says; in the request's arena. */
struct signature;

/* Reads `authorization: AWS4-HMAC-SHA256 …` and finds the key whose access key id it names. NULL: f tells (malformed,
 * unknown id, too old). */
struct signature *signature_read(struct arena *arena, const struct http_head *head, const struct key_table *keys,
                                 const struct key **key, struct fault *f);
/* Whether it is the signature of this head and body by that key. Called once, when the body is complete and before
 * anything is done with it. */
bool signature_holds(const struct signature *signature, const struct key *key, const struct http_head *head,
                     struct slice body, struct fault *f);

#endif
