/* pattern_fuzz: any pattern on any text. Input: pattern, a zero byte, subject. The matcher must stay inside both, keep
 * to its budget, and give captures that lie within the subject. */
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "script/stdlib/pattern.h"

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size);

static void check(const struct pattern *p, const struct pattern_match *m, const char *start, const char *end) {
  must(start >= m->subject && start <= end && end <= m->end);
  for (unsigned i = 0; i < p->capture_count; i++) {
    const struct pattern_capture *capture = &m->captures[i];
    must(capture->start >= start && capture->start <= end);
    must(capture->len < 0 || capture->len <= end - capture->start);
  }
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size) {
  const volatile sig_atomic_t stop = 0;
  const unsigned char *zero = size ? memchr(bytes, 0, size) : NULL;
  size_t pattern_len = zero ? (size_t)(zero - bytes) : size, subject_len = zero ? size - pattern_len - 1 : 0;
  /* Copies of the exact size, so that reading past either is seen. */
  char *text = malloc(pattern_len + !pattern_len), *subject = malloc(subject_len + !subject_len);
  must(text != NULL && subject != NULL);
  if (pattern_len) memcpy(text, bytes, pattern_len);
  if (subject_len) memcpy(subject, zero + 1, subject_len);
  for (int anchors = 0; anchors < 2; anchors++) {
    struct pattern p;
    if (pattern_compile(&p, slice_of(text, pattern_len), anchors) != NULL) continue;
    struct pattern_match m;
    pattern_match_init(&m, slice_of(subject, subject_len), &stop);
    m.steps_left = 20000;
    for (const char *at = subject; at <= subject + subject_len;) {
      const char *start, *end = pattern_search(&p, &m, at, &start);
      if (m.steps_left == 0 || end == NULL) break;
      check(&p, &m, start, end);
      at = end > at ? end : at + 1;
    }
  }
  free(text);
  free(subject);
  return 0;
}
