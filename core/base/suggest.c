/* suggest: restricted Damerau-Levenshtein distance over short words. Any thread. */
#include "base/suggest.h"

#include <string.h>

enum { WORD_MAX = 48 };

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len) {
  size_t rows[3][WORD_MAX + 1];
  size_t *before = rows[0], *last = rows[1], *now = rows[2];
  for (size_t j = 0; j <= b_len; j++) last[j] = j;
  for (size_t i = 1; i <= a_len; i++) {
    now[0] = i;
    for (size_t j = 1; j <= b_len; j++) {
      size_t change = a[i - 1] != b[j - 1];
      now[j] = least(least(last[j] + 1, now[j - 1] + 1), last[j - 1] + change);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = least(now[j], before[j - 2] + 1);
    }
    size_t *oldest = before;
    before = last;
    last = now;
    now = oldest;
  }
  return last[b_len];
}

const char *suggest_nearest(const char *word, const char *const *candidates, size_t count) {
  size_t len = strlen(word), best = WORD_MAX;
  const char *nearest = NULL;
  if (len == 0 || len > WORD_MAX) return NULL;
  for (size_t i = 0; i < count; i++) {
    size_t other = strlen(candidates[i]);
    if (other > WORD_MAX) continue;
    size_t far = distance(word, len, candidates[i], other);
    /* One slip in three letters is a typing error; more is another word. */
    if (far < best && far <= (least(len, other) + 2) / 3) {
      best = far;
      nearest = candidates[i];
    }
  }
  return nearest;
}
