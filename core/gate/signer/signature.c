/* signature: see the header. The access keys that clients may sign with are derived from the virtual keys
 * (gate/signer/aws_keys.h); what is signed is gate/signer/sigv4.h's business. Any thread. */
#include "gate/signer/signature.h"

#include "base/clock.h"
#include "gate/signer/sigv4.h"

struct signature {
  struct sigv4_claim claim;
  struct slice secret; /* the key table's */
};

struct signature *signature_read(struct arena *arena, const struct http_head *head, const struct key_table *keys,
                                 const struct key **key, struct fault *f) {
  struct signature *s = arena_new(arena, struct signature);
  struct err e = {""};
  if (!sigv4_claim_read(head, clock_wall_ms(), arena, &s->claim, &e)) {
    fault_set(f, FAULT_KEY_INVALID, "%s", e.text);
    return NULL;
  }
  *key = key_table_find_aws(keys, s->claim.access_key, &s->secret);
  if (*key == NULL) {
    fault_set(f, FAULT_KEY_INVALID, "The request is signed by an access key that is not known here.");
    return NULL;
  }
  return s;
}

bool signature_holds(const struct signature *signature, const struct key *key, const struct http_head *head,
                     struct slice body, struct fault *f) {
  (void)key, (void)head;
  if (sigv4_claim_holds(&signature->claim, signature->secret, body)) return true;
  fault_set(f, FAULT_KEY_INVALID,
            "The signature does not fit the request: the secret access key is another one, or something between the "
            "client and the gateway has changed the path, a signed header or the body.");
  return false;
}
