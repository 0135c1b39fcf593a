/* json_utf8: one UTF-8 sequence (Unicode table 3-7: no overlong forms, no surrogates, nothing past U+10FFFF). Private
 * to json; any thread. */
#ifndef MOONGATE_WIRE_JSON_UTF8_H
#define MOONGATE_WIRE_JSON_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/* The length of the sequence at `at`, of which `left` bytes are there. 0 when it is not one: then *bad is how many
 * bytes one U+FFFD stands for (the longest start of a sequence, at least 1). */
static inline size_t json_utf8_sequence(const char *at, size_t left, size_t *bad) {
  const unsigned char *bytes = (const unsigned char *)at;
  unsigned char first = bytes[0], low = 0x80, high = 0xbf;
  size_t len = 1;
  *bad = 1;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  len = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (first == 0xe0) low = 0xa0;
  if (first == 0xed) high = 0x9f;
  if (first == 0xf0) low = 0x90;
  if (first == 0xf4) high = 0x8f;
  for (size_t i = 1; i < len; i++) {
    if (i >= left || bytes[i] < low || bytes[i] > high) {
      *bad = i;
      return 0;
    }
    low = 0x80;
    high = 0xbf;
  }
  return len;
}

#ifdef __cplusplus
extern "C"
#endif
    bool
    json_utf8_valid(struct slice text);

#endif
