/* key: virtual keys and teams: who may, and who pays. Keys are kept as keyed digests only. A look-up costs one digest
 * of what came, and constant-time comparisons with those keys whose places in the table that digest meets: its time
 * tells nothing about the secrets (tests/bench/keys.c). Immutable once built; any thread. */
#ifndef MOONGATE_GATE_KEY_H
#define MOONGATE_GATE_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "wire/http.h"

struct place;

struct team {
  char *name;
  uint32_t max_in_flight; /* PLACES_UNLIMITED: no cap */
  uint64_t memory_bytes;  /* of its requests' bodies; 0: no cap */
  struct place *place;
};

enum { PRIORITY_UNSAID = 255 };

struct key {
  char *name;        /* what traces and metrics show */
  char *hint;        /* "…c3f9": the last four characters; NULL for short keys */
  struct team *team; /* NULL: none */
  char **models;     /* routes and models it may use, NULL-terminated; NULL: all */
  uint8_t priority;  /* 0 … 9, or PRIORITY_UNSAID */
  unsigned char digest[32];
};

struct key_table;

struct key_table *key_table_new(void);
void key_table_free(struct key_table *t);
/* Adds a key; takes its strings from the heap. Returns false when the same secret is there already (out: that key). */
bool key_table_add(struct key_table *t, struct key key, struct slice secret, const struct key **twin);
const struct key *key_table_find(const struct key_table *t, struct slice secret); /* NULL: none */
/* The key whose pair for AWS clients has that access key id (gate/signer/aws_keys.h), and the pair's secret. NULL:
 * none. */
const struct key *key_table_find_aws(const struct key_table *t, struct slice access_key, struct slice *secret);
uint32_t key_table_count(const struct key_table *t);
const struct key *key_table_at(const struct key_table *t, uint32_t index);
bool key_may_use(const struct key *k, struct slice model);

enum credential { CREDENTIAL_NONE, CREDENTIAL_ONE, CREDENTIAL_SIGNED, CREDENTIAL_AMBIGUOUS };
/* The key a request carries, in whichever place its SDK puts it: `authorization: Bearer`, `x-api-key`, `api-key`,
 * `x-goog-api-key`, the query's `key=` (without escapes, which no key needs). Two of them must agree; a header sent
 * twice is ambiguous. *out points into the head. SIGNED: an AWS signature stands in the key's place
 * (gate/signer/signature.h).
 */
enum credential key_credential(const struct http_head *head, struct slice *out);

#endif
