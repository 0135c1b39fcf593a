/* key: an open-addressing table of SHA-256 digests, keyed with a pepper of this process. Any thread once built. */
/* One hash of some 50 bytes a request: OpenSSL's own functions for it take a third of the time of its EVP door, which
 * allocates, and cannot begin from a state that has the pepper in it. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "gate/key.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/memory.h"
#include "base/must.h"
#include "base/random.h"

struct key_table {
  SHA256_CTX peppered; /* after one block of random bytes */
  struct key *keys;
  uint32_t count;
  uint32_t *slots; /* index + 1 of keys, 0: free */
  uint32_t slot_count;
};

struct key_table *key_table_new(void) {
  struct key_table *t = mem_new(struct key_table);
  unsigned char pepper[SHA256_CBLOCK];
  random_bytes(pepper, sizeof pepper);
  must(SHA256_Init(&t->peppered) == 1 && SHA256_Update(&t->peppered, pepper, sizeof pepper) == 1);
  OPENSSL_cleanse(pepper, sizeof pepper);
  return t;
}

void key_table_free(struct key_table *t) {
  if (t == NULL) return;
  for (uint32_t i = 0; i < t->count; i++) {
    mem_free(t->keys[i].name);
    mem_free(t->keys[i].hint);
    for (char **model = t->keys[i].models; model != NULL && *model != NULL; model++) mem_free(*model);
    mem_free(t->keys[i].models);
  }
  mem_free(t->keys);
  mem_free(t->slots);
  OPENSSL_cleanse(&t->peppered, sizeof t->peppered);
  mem_free(t);
}

/* SHA-256 over pepper and secret: a keyed digest. It never leaves the process, so nobody can extend it. */
static void digest(const struct key_table *t, struct slice secret, unsigned char out[32]) {
  SHA256_CTX hash = t->peppered;
  must(SHA256_Update(&hash, secret.ptr, secret.len) == 1);
  must(SHA256_Final(out, &hash) == 1);
}

static uint32_t home_of(const struct key_table *t, const unsigned char d[32]) {
  uint32_t hash;
  memcpy(&hash, d, sizeof hash);
  return hash & (t->slot_count - 1);
}

static const struct key *lookup(const struct key_table *t, const unsigned char d[32]) {
  if (t->slot_count == 0) return NULL;
  for (uint32_t at = home_of(t, d);; at = (at + 1) & (t->slot_count - 1)) {
    if (t->slots[at] == 0) return NULL;
    const struct key *k = &t->keys[t->slots[at] - 1];
    if (CRYPTO_memcmp(k->digest, d, 32) == 0) return k;
  }
}

static void place(struct key_table *t, uint32_t index) {
  uint32_t at = home_of(t, t->keys[index].digest);
  while (t->slots[at] != 0) at = (at + 1) & (t->slot_count - 1);
  t->slots[at] = index + 1;
}

bool key_table_add(struct key_table *t, struct key key, struct slice secret, const struct key **twin) {
  digest(t, secret, key.digest);
  const struct key *same = lookup(t, key.digest);
  if (same != NULL) {
    *twin = same;
    return false;
  }
  t->keys = mem_resize(t->keys, (t->count + 1) * sizeof *t->keys);
  t->keys[t->count++] = key;
  if (t->count * 2 > t->slot_count) {
    t->slot_count = t->slot_count ? t->slot_count * 2 : 16;
    mem_free(t->slots);
    t->slots = mem_zero(t->slot_count * sizeof *t->slots);
    for (uint32_t i = 0; i < t->count; i++) place(t, i);
  } else {
    place(t, t->count - 1);
  }
  return true;
}

const struct key *key_table_find(const struct key_table *t, struct slice secret) {
  unsigned char d[32];
  digest(t, secret, d);
  return lookup(t, d);
}

uint32_t key_table_count(const struct key_table *t) {
  return t->count;
}

const struct key *key_table_at(const struct key_table *t, uint32_t index) {
  must(index < t->count);
  return &t->keys[index];
}

bool key_may_use(const struct key *k, struct slice model) {
  if (k == NULL || k->models == NULL) return true;
  for (char **allowed = k->models; *allowed != NULL; allowed++)
    if (slice_eq(slice_text(*allowed), model)) return true;
  return false;
}

enum credential key_credential(const struct http_head *head, struct slice *out) {
  struct slice found = {NULL, 0};
  unsigned bearers = 0, api_keys = 0;
  for (unsigned i = 0; i < head->header_count; i++) {
    const struct http_header *h = &head->headers[i];
    struct slice carried;
    if (h->name.len == 13 && slice_eq_nocase(h->name, SLICE("authorization"))) {
      if (++bearers > 1) return CREDENTIAL_AMBIGUOUS;
      /* Blanks are off the value's ends already: "Bearer" alone is a client whose key is empty. */
      bool bearer = slice_eq_nocase(slice_of(h->value.ptr, h->value.len < 7 ? h->value.len : 7),
                                    h->value.len < 7 ? SLICE("bearer") : SLICE("bearer "));
      if (!bearer) return CREDENTIAL_AMBIGUOUS;
      carried = slice_trim(slice_from(h->value, 7));
    } else if (h->name.len == 9 && slice_eq_nocase(h->name, SLICE("x-api-key"))) {
      if (++api_keys > 1) return CREDENTIAL_AMBIGUOUS;
      carried = h->value;
    } else {
      continue;
    }
    if (found.ptr != NULL && !slice_eq(found, carried)) return CREDENTIAL_AMBIGUOUS;
    found = carried;
  }
  *out = found;
  return found.len == 0 ? CREDENTIAL_NONE : CREDENTIAL_ONE;
}
