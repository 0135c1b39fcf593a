/* aws_keys: an open-addressing table by access key id; secrets in pages that are not dumped. */
#include "gate/signer/aws_keys.h"

#include "base/memory.h"
#include "base/secret.h"
#include "gate/signer/hmac.h"

struct entry {
  char id[AWS_KEY_ID_BYTES];
  uint32_t index;
};

struct aws_keys {
  struct entry *entries;
  struct secret *secrets; /* AWS_SECRET_BYTES an entry */
  uint32_t *slots;        /* index + 1 of entries, 0: free */
  uint32_t count, capacity, slot_count;
};

/* `bits` a character, from the front of the digest. */
static void put_characters(const unsigned char digest[HMAC_BYTES], unsigned bits, const char *alphabet, char *out,
                           size_t count) {
  uint32_t held = 0;
  unsigned have = 0;
  for (size_t i = 0; i < count; i++) {
    while (have < bits) {
      held = held << 8 | *digest++;
      have += 8;
    }
    have -= bits;
    out[i] = alphabet[held >> have & ((1u << bits) - 1)];
  }
}

void aws_pair_of(struct slice virtual_key, struct aws_pair *out) {
  unsigned char digest[HMAC_BYTES];
  memcpy(out->id, "MGAK", 4);
  hmac_sha256(virtual_key, SLICE("moongate aws access key id"), digest);
  put_characters(digest, 5, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", out->id + 4, AWS_KEY_ID_BYTES - 4);
  hmac_sha256(virtual_key, SLICE("moongate aws secret access key"), digest);
  put_characters(digest, 6, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", out->secret,
                 AWS_SECRET_BYTES);
  secret_wipe(digest, sizeof digest);
}

struct aws_keys *aws_keys_new(void) {
  return mem_new(struct aws_keys);
}

void aws_keys_free(struct aws_keys *t) {
  if (t == NULL) return;
  secret_free(t->secrets);
  mem_free(t->entries);
  mem_free(t->slots);
  mem_free(t);
}

/* FNV-1a: an id is public and was made by a digest; nobody can choose ids that collide. */
static uint32_t home_of(const struct aws_keys *t, const char *id) {
  uint32_t hash = 2166136261u;
  for (unsigned i = 0; i < AWS_KEY_ID_BYTES; i++) hash = (hash ^ (unsigned char)id[i]) * 16777619u;
  return hash & (t->slot_count - 1);
}

static void place(struct aws_keys *t, uint32_t entry) {
  uint32_t at = home_of(t, t->entries[entry].id);
  while (t->slots[at] != 0) at = (at + 1) & (t->slot_count - 1);
  t->slots[at] = entry + 1;
}

static void grow(struct aws_keys *t) {
  t->capacity = t->capacity ? t->capacity * 2 : 16;
  t->entries = mem_resize(t->entries, t->capacity * sizeof *t->entries);
  char *blank = mem_zero((size_t)(t->capacity - t->count) * AWS_SECRET_BYTES);
  struct secret *before = t->secrets;
  t->secrets =
      secret_join(secret_view(before), slice_of(blank, (size_t)(t->capacity - t->count) * AWS_SECRET_BYTES), SLICE(""));
  secret_free(before);
  mem_free(blank);
  t->slot_count = t->capacity * 2;
  mem_free(t->slots);
  t->slots = mem_zero(t->slot_count * sizeof *t->slots);
  for (uint32_t i = 0; i < t->count; i++) place(t, i);
}

void aws_keys_add(struct aws_keys *t, struct slice virtual_key, uint32_t index) {
  struct aws_pair pair;
  if (t->count == t->capacity) grow(t);
  aws_pair_of(virtual_key, &pair);
  memcpy(t->entries[t->count].id, pair.id, sizeof pair.id);
  t->entries[t->count].index = index;
  memcpy(secret_place(t->secrets) + (size_t)t->count * AWS_SECRET_BYTES, pair.secret, sizeof pair.secret);
  secret_wipe(&pair, sizeof pair);
  place(t, t->count++);
}

bool aws_keys_find(const struct aws_keys *t, struct slice id, uint32_t *index, struct slice *secret) {
  if (t == NULL || t->count == 0 || id.len != AWS_KEY_ID_BYTES) return false;
  for (uint32_t at = home_of(t, id.ptr); t->slots[at] != 0; at = (at + 1) & (t->slot_count - 1)) {
    uint32_t found = t->slots[at] - 1;
    if (memcmp(t->entries[found].id, id.ptr, AWS_KEY_ID_BYTES) != 0) continue;
    *index = t->entries[found].index;
    *secret = slice_of(secret_view(t->secrets).ptr + (size_t)found * AWS_SECRET_BYTES, AWS_SECRET_BYTES);
    return true;
  }
  return false;
}
