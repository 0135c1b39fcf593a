/* json_glance: quotes, 64 bytes at a time, and what follows them. Pure; any thread. Knows nothing of JSON but that a
 * key is quoted and followed by a colon. */
#include "wire/json_keys.h"
#include "wire/json_simd.h"

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
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
  struct json_keys keys;
  json_keys_init(&keys, wanted, count);
  for (size_t block = 0; block < text.len; block += 64) {
    uint64_t quotes = json_mask_quotes(text.ptr + block);
    if (text.len - block < 64) quotes &= (UINT64_C(1) << (text.len - block)) - 1;
    for (; quotes != 0; quotes &= quotes - 1) {
      const char *quote = text.ptr + block + __builtin_ctzll(quotes);
      if (!json_keys_may_be(&keys, quote[1])) continue;
      for (unsigned like = json_keys_like(&keys, quote + 1); like != 0; like &= like - 1)
        look(text, quote, &wanted[__builtin_ctz(like)]);
    }
  }
}
