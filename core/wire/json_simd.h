/* json_simd: sixteen bytes at a time, for the inner loops of json_* and frames. Private to wire/; any thread. Plain
 * loops where the machine has no SSE2. Knows no JSON beyond which bytes are special within a string. */
#ifndef MOONGATE_WIRE_JSON_SIMD_H
#define MOONGATE_WIRE_JSON_SIMD_H

#include <stdint.h>

enum { JSON_BLOCK = 16 };

/* How json_skim takes long strings: as widely as the machine can, and no wider than this. For tests of all three ways
 * on one machine; not while another thread reads. */
enum json_width { JSON_WIDTH_PLAIN, JSON_WIDTH_AVX2, JSON_WIDTH_AVX512 };
void json_skim_at_most(enum json_width width);

#ifdef __SSE2__
#include <emmintrin.h>

/* Bit i of a mask is byte i. Where the backslashes are in the 64 bytes at `at`. */
static inline uint64_t json_mask_backslashes(const char *at) {
  uint64_t mask = 0;
  for (unsigned i = 0; i < 64; i += JSON_BLOCK) {
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)(at + i));
    uint64_t found = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8('\\')));
    mask |= found << i;
  }
  return mask;
}

/* Where the quotes are in the 64 bytes at `at`. */
static inline uint64_t json_mask_quotes(const char *at) {
  uint64_t mask = 0;
  for (unsigned i = 0; i < 64; i += JSON_BLOCK) {
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)(at + i));
    uint64_t found = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')));
    mask |= found << i;
  }
  return mask;
}

/* Of the JSON_BLOCK bytes at `at`: quotes, backslashes, controls below 0x20. *high gets the bytes from 0x80 on. */
static inline unsigned json_mask_special(const char *at, unsigned *high) {
  __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
  __m128i special = _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('\\')), _mm_cmpeq_epi8(block, _mm_set1_epi8('"')));
  /* There is no unsigned compare: a byte is below 0x20 when the smaller of it and 0x1f is the byte itself. */
  __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
  *high = (unsigned)_mm_movemask_epi8(block);
  return (unsigned)_mm_movemask_epi8(_mm_or_si128(special, control));
}

/* Of the JSON_BLOCK bytes at `at`: all but printable ASCII without a quote or a backslash. As signed numbers the bytes
 * from 0x80 on are below 0x20, too. */
static inline unsigned json_mask_odd(const char *at) {
  __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
  __m128i special = _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('\\')), _mm_cmpeq_epi8(block, _mm_set1_epi8('"')));
  return (unsigned)_mm_movemask_epi8(_mm_or_si128(special, _mm_cmplt_epi8(block, _mm_set1_epi8(0x20))));
}

/* How many of the JSON_BLOCK bytes at `at` are blanks of JSON before one that is none. */
static inline unsigned json_blanks_in_front(const char *at) {
  __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
  __m128i blank = _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8(' ')), _mm_cmpeq_epi8(block, _mm_set1_epi8('\n')));
  blank = _mm_or_si128(blank, _mm_cmpeq_epi8(block, _mm_set1_epi8('\r')));
  blank = _mm_or_si128(blank, _mm_cmpeq_epi8(block, _mm_set1_epi8('\t')));
  return (unsigned)__builtin_ctz(~(unsigned)_mm_movemask_epi8(blank));
}
#else
static inline unsigned json_blanks_in_front(const char *at) {
  unsigned i = 0;
  while (i < JSON_BLOCK && (at[i] == ' ' || at[i] == '\n' || at[i] == '\r' || at[i] == '\t')) i++;
  return i;
}

static inline uint64_t json_mask_quotes(const char *at) {
  uint64_t mask = 0;
  for (unsigned i = 0; i < 64; i++) mask |= (uint64_t)(at[i] == '"') << i;
  return mask;
}

static inline uint64_t json_mask_backslashes(const char *at) {
  uint64_t mask = 0;
  for (unsigned i = 0; i < 64; i++) mask |= (uint64_t)(at[i] == '\\') << i;
  return mask;
}

static inline unsigned json_mask_special(const char *at, unsigned *high) {
  unsigned mask = 0, above = 0;
  for (unsigned i = 0; i < JSON_BLOCK; i++) {
    unsigned char c = (unsigned char)at[i];
    mask |= (unsigned)(c == '\\' || c == '"' || c < 0x20) << i;
    above |= (unsigned)(c >> 7) << i;
  }
  *high = above;
  return mask;
}

static inline unsigned json_mask_odd(const char *at) {
  unsigned high, special = json_mask_special(at, &high);
  return special | high;
}
#endif

/* Index of the lowest set bit; mask is not 0. */
static inline unsigned json_mask_first(unsigned mask) {
  return (unsigned)__builtin_ctz(mask);
}

#endif
