/* check: the harness of the unit tests. A test binary is a list of TEST blocks and UNIT_MAIN; it prints each failed
 * check with its place, then one line "N passed, N failed" (tests, not checks), and exits with 1 if any failed.
 *
 *     TEST(empty_is_more) { CHECK(parse("") == MORE); CHECK_SLICE(out, "abc"); }
 *     TIMED(idle_is_closed_after_60_ms) { … }
 *     UNIT_MAIN()
 *
 * TIMED is for what depends on real clocks of some milliseconds: such a test fails when it fails three times in a row.
 * A machine that stands still for a moment spoils one run, a fault spoils all.
 */
#ifndef MOONGATE_TESTS_CHECK_H
#define MOONGATE_TESTS_CHECK_H

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

/* The text as a reader wants it, with slack behind; the caller frees it with buf_done. */
static inline struct buf padded(const char *text) {
  struct buf b = {0};
  buf_text(&b, text);
  buf_reserve(&b, 0);
  return b;
}

struct check_test {
  const char *name;
  unsigned tries;
  void (*run)(void);
  struct check_test *next;
};
static struct check_test *check_first, **check_last = &check_first;
static unsigned check_failed_here;

#define TEST(id) TEST_TRIED(id, 1)
#define TIMED(id) TEST_TRIED(id, 3)

#define TEST_TRIED(id, tries)                                                                                          \
  static void test_##id(void);                                                                                         \
  static struct check_test entry_##id = {#id, tries, test_##id, NULL};                                                 \
  __attribute__((constructor)) static void add_##id(void) {                                                            \
    *check_last = &entry_##id;                                                                                         \
    check_last = &entry_##id.next;                                                                                     \
  }                                                                                                                    \
  static void test_##id(void)

#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "%s:%d: %s is false\n", __FILE__, __LINE__, #condition);                                         \
      check_failed_here++;                                                                                             \
    }                                                                                                                  \
  } while (0)

#define CHECK_INT(value, expected)                                                                                     \
  do {                                                                                                                 \
    long long value_ = (long long)(value), expected_ = (long long)(expected);                                          \
    if (value_ != expected_) {                                                                                         \
      fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #value, value_, expected_);                 \
      check_failed_here++;                                                                                             \
    }                                                                                                                  \
  } while (0)

#define CHECK_SLICE(value, expected)                                                                                   \
  do {                                                                                                                 \
    struct slice value_ = (value), expected_ = slice_text(expected);                                                   \
    if (!slice_eq(value_, expected_)) {                                                                                \
      fprintf(stderr, "%s:%d: %s is \"%.*s\", not \"%s\"\n", __FILE__, __LINE__, #value, (int)value_.len,              \
              value_.ptr ? value_.ptr : "", expected_.ptr);                                                            \
      check_failed_here++;                                                                                             \
    }                                                                                                                  \
  } while (0)

#define UNIT_MAIN()                                                                                                    \
  int main(void) {                                                                                                     \
    unsigned passed = 0, failed = 0;                                                                                   \
    for (struct check_test *t = check_first; t != NULL; t = t->next) {                                                 \
      for (unsigned left = t->tries; left > 0; left--) {                                                               \
        check_failed_here = 0;                                                                                         \
        t->run();                                                                                                      \
        if (!check_failed_here) break;                                                                                 \
        if (left > 1) fprintf(stderr, "once more: %s\n", t->name);                                                     \
      }                                                                                                                \
      if (check_failed_here) fprintf(stderr, "FAILED %s\n", t->name), failed++;                                        \
      else passed++;                                                                                                   \
    }                                                                                                                  \
    printf("%u passed, %u failed\n", passed, failed);                                                                  \
    return failed > 0;                                                                                                 \
  }

#endif
