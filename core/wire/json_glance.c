/* json_glance: quotes, 64 bytes at a time, and what follows them. Pure; any thread. Knows nothing of JSON but that a
 * key is quoted and followed by a colon. */
#include "base/must.h"
#include "wire/json.h"
#include "wire/json_simd.h"

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

enum { SIGHTS_MAX = 16 };

/* What stands behind the quote of a key: its first two bytes, or its only one and the other quote. */
static uint16_t pair_of(const char *text, size_t len) {
  return (uint16_t)((unsigned char)text[0] | (unsigned char)(len > 1 ? text[1] : '"') << 8);
}

static void look(struct slice text, const char *quote, struct json_sight *s) {
  const char *end = text.ptr + text.len;
  struct slice key = s->key;
  if (s->value != NULL || (size_t)(end - quote) < key.len + 3) return;
  if (memcmp(quote + 1, key.ptr, key.len) != 0 || quote[key.len + 1] != '"') return;
  const char *at = quote + key.len + 2;
  while (at < end && is_blank(*at)) at++;
  if (at >= end || *at != ':') return;
  for (at++; at < end && is_blank(*at);) at++;
  if (at < end) s->value = at;
}

void json_glance(struct slice text, struct json_sight *wanted, size_t count) {
  uint16_t pairs[SIGHTS_MAX];
  uint32_t first = 0; /* letters that a wanted key begins with, by their low five bits */
  must(count <= SIGHTS_MAX);
  for (size_t i = 0; i < count; i++) {
    wanted[i].value = NULL;
    pairs[i] = pair_of(wanted[i].key.ptr, wanted[i].key.len);
    first |= UINT32_C(1) << (*wanted[i].key.ptr & 31);
  }
  for (size_t block = 0; block < text.len; block += 64) {
    uint64_t quotes = json_mask_quotes(text.ptr + block);
    if (text.len - block < 64) quotes &= (UINT64_C(1) << (text.len - block)) - 1;
    for (; quotes != 0; quotes &= quotes - 1) {
      const char *quote = text.ptr + block + __builtin_ctzll(quotes);
      if ((first >> (quote[1] & 31) & 1) == 0) continue;
      uint16_t pair = pair_of(quote + 1, 2);
      for (size_t i = 0; i < count; i++)
        if (pairs[i] == pair) look(text, quote, &wanted[i]);
    }
  }
}
