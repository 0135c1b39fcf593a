/* json_glance: quotes, 64 bytes at a time, and what follows them. Pure; any thread. Knows nothing of JSON but that a
 * key is quoted and followed by a colon. */
#include "wire/json.h"
#include "wire/json_simd.h"

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void look(struct slice text, const char *quote, struct json_sight *wanted, size_t count) {
  const char *end = text.ptr + text.len;
  for (size_t i = 0; i < count; i++) {
    struct slice key = wanted[i].key;
    if (quote[1] != *key.ptr || wanted[i].value != NULL || (size_t)(end - quote) < key.len + 3) continue;
    if (memcmp(quote + 1, key.ptr, key.len) != 0 || quote[key.len + 1] != '"') continue;
    const char *at = quote + key.len + 2;
    while (at < end && is_blank(*at)) at++;
    if (at >= end || *at != ':') continue;
    for (at++; at < end && is_blank(*at);) at++;
    if (at < end) wanted[i].value = at;
  }
}

void json_glance(struct slice text, struct json_sight *wanted, size_t count) {
  bool first[256] = {false}; /* letters that a wanted key begins with */
  for (size_t i = 0; i < count; i++) {
    wanted[i].value = NULL;
    first[(unsigned char)*wanted[i].key.ptr] = true;
  }
  for (size_t block = 0; block < text.len; block += 64) {
    uint64_t quotes = json_mask_quotes(text.ptr + block);
    if (text.len - block < 64) quotes &= (UINT64_C(1) << (text.len - block)) - 1;
    for (; quotes != 0; quotes &= quotes - 1) {
      const char *quote = text.ptr + block + __builtin_ctzll(quotes);
      if (first[(unsigned char)quote[1]]) look(text, quote, wanted, count);
    }
  }
}
