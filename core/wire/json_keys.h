/* json_keys: the keys that a pass over a text looks out for, told apart by their first two bytes. Private to wire/; any
 * thread; on the caller's stack. */
#ifndef MOONGATE_WIRE_JSON_KEYS_H
#define MOONGATE_WIRE_JSON_KEYS_H

#include <string.h>

#include "base/must.h"
#include "wire/json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct json_keys {
  struct json_sight *wanted;
  size_t count;
  uint32_t first; /* letters that a wanted key begins with, by their low five bits */
  uint16_t pairs[JSON_SIGHTS_MAX];
};

_Static_assert(JSON_SIGHTS_MAX == 16, "json_keys_like compares two vectors of eight");

/* Of what stands behind the quote of a key: its first two bytes, or its only one and the other quote. */
static inline uint16_t json_keys_pair(const char *text) {
  return (uint16_t)((unsigned char)text[0] | (unsigned char)text[1] << 8);
}

static inline void json_keys_init(struct json_keys *k, struct json_sight *wanted, size_t count) {
  must(count <= JSON_SIGHTS_MAX);
  k->wanted = wanted;
  k->count = count;
  k->first = 0;
  memset(k->pairs, 0, sizeof k->pairs);
  for (size_t i = 0; i < count; i++) {
    struct slice key = wanted[i].key;
    wanted[i].value = NULL;
    k->pairs[i] = key.len > 1 ? json_keys_pair(key.ptr) : (uint16_t)((unsigned char)*key.ptr | (unsigned)'"' << 8);
    k->first |= UINT32_C(1) << (*key.ptr & 31);
  }
}

/* Whether a key that begins with c may be one of them. */
static inline bool json_keys_may_be(const struct json_keys *k, char c) {
  return (k->first >> (c & 31) & 1) != 0;
}

/* Which of them begin with the two bytes at `text`: bit i is wanted[i]. */
static inline unsigned json_keys_like(const struct json_keys *k, const char *text) {
  uint16_t pair = json_keys_pair(text);
#ifdef __SSE2__
  __m128i like = _mm_set1_epi16((short)pair);
  __m128i low = _mm_cmpeq_epi16(_mm_loadu_si128((const __m128i *)(const void *)k->pairs), like);
  __m128i high = _mm_cmpeq_epi16(_mm_loadu_si128((const __m128i *)(const void *)(k->pairs + 8)), like);
  return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(low, high));
#else
  unsigned found = 0;
  for (unsigned i = 0; i < k->count; i++) found |= (unsigned)(k->pairs[i] == pair) << i;
  return found;
#endif
}

#endif
