/* key: an open-addressing table of SHA-256 digests, keyed with a pepper of this process. Any thread once built. */
/* One hash of some 50 bytes a request: OpenSSL's own functions for it take a third of the time of its EVP door, which
 * allocates, and cannot begin from a state that has the pepper in it. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "gate/key.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <pthread.h>

#include "base/memory.h"
#include "base/must.h"
#include "base/random.h"
#include "gate/signer/aws_keys.h"

struct key_table {
  SHA256_CTX peppered; /* after one block of random bytes */
  struct key *keys;
  uint32_t count;
  uint32_t *slots; /* index + 1 of keys, 0: free */
  uint32_t slot_count;
  struct aws_keys *aws; /* pairs for AWS clients, by the same index */
};

/* The process's, so that a key's digest is the same in every generation: what is kept for a key is kept under it. */
static SHA256_CTX process_peppered;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_pepper(void) {
  unsigned char pepper[SHA256_CBLOCK];
  random_bytes(pepper, sizeof pepper);
  must(SHA256_Init(&process_peppered) == 1 && SHA256_Update(&process_peppered, pepper, sizeof pepper) == 1);
  OPENSSL_cleanse(pepper, sizeof pepper);
}

struct key_table *key_table_new(void) {
  struct key_table *t = mem_new(struct key_table);
  must(pthread_once(&once, make_pepper) == 0);
  t->peppered = process_peppered;
  t->aws = aws_keys_new();
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
  aws_keys_free(t->aws);
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
  aws_keys_add(t->aws, secret, t->count);
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

const struct key *key_table_find_aws(const struct key_table *t, struct slice access_key, struct slice *secret) {
  uint32_t index;
  return aws_keys_find(t->aws, access_key, &index, secret) ? &t->keys[index] : NULL;
}

uint32_t key_table_count(const struct key_table *t) {
  return t->count;
}

const struct key *key_table_at(const struct key_table *t, uint32_t index) {
  must(index < t->count);
  return &t->keys[index];
}

/* "openai/" and a star: all that provider's models, named with it. */
static bool allows(struct slice allowed, struct slice model) {
  if (slice_ends(allowed, SLICE("/*"))) return slice_starts(model, slice_of(allowed.ptr, allowed.len - 1));
  return slice_eq(allowed, model);
}

bool key_may_use(const struct key *k, struct slice model) {
  if (k == NULL || k->models == NULL) return true;
  for (char **allowed = k->models; *allowed != NULL; allowed++)
    if (allows(slice_text(*allowed), model)) return true;
  return false;
}

/* The key within an authorization header; ptr NULL: it is no Bearer. */
static struct slice bearer_of(struct slice value) {
  /* Blanks are off the value's ends already: "Bearer" alone is a client whose key is empty. */
  bool bearer = slice_eq_nocase(slice_of(value.ptr, value.len < 7 ? value.len : 7),
                                value.len < 7 ? SLICE("bearer") : SLICE("bearer "));
  return bearer ? slice_trim(slice_from(value, 7)) : slice_of(NULL, 0);
}

/* Which of the headers that carry a key this is; KEY_HEADERS: none. The usual ones differ in length from nearly all. */
enum key_header { KEY_AUTHORIZATION, KEY_X_API_KEY, KEY_API_KEY, KEY_GOOG, KEY_HEADERS };
static enum key_header key_header_of(struct slice name) {
  static const struct slice names[KEY_HEADERS] = {SLICE_INIT("authorization"), SLICE_INIT("x-api-key"),
                                                  SLICE_INIT("api-key"), SLICE_INIT("x-goog-api-key")};
  for (unsigned i = 0; i < KEY_HEADERS; i++)
    if (slice_eq_nocase(name, names[i])) return (enum key_header)i;
  return KEY_HEADERS;
}

enum credential key_credential(const struct http_head *head, struct slice *out) {
  struct slice found = http_query_of(head->query, SLICE("key"));
  unsigned seen[KEY_HEADERS] = {0};
  bool is_signed = false;
  for (unsigned i = 0; i < head->header_count; i++) {
    const struct http_header *h = &head->headers[i];
    enum key_header which = key_header_of(h->name);
    if (which == KEY_HEADERS) continue;
    if (++seen[which] > 1) return CREDENTIAL_AMBIGUOUS;
    struct slice carried = which == KEY_AUTHORIZATION ? bearer_of(h->value) : h->value;
    if (carried.ptr == NULL) {
      if (!slice_starts(h->value, SLICE("AWS4-HMAC-SHA256 "))) return CREDENTIAL_AMBIGUOUS;
      is_signed = true;
      continue;
    }
    if (found.ptr != NULL && !slice_eq(found, carried)) return CREDENTIAL_AMBIGUOUS;
    found = carried;
  }
  if (is_signed) return found.ptr != NULL ? CREDENTIAL_AMBIGUOUS : CREDENTIAL_SIGNED;
  *out = found;
  return found.len == 0 ? CREDENTIAL_NONE : CREDENTIAL_ONE;
}
