/* bytes: slices, numbers, and a buffer that grows. */
#include "base/bytes.h"

#include <stdio.h>

#include "check.h"

TEST(comparing) {
  CHECK(slice_eq(SLICE("abc"), slice_text("abc")) && !slice_eq(SLICE("abc"), SLICE("abd")));
  CHECK(slice_eq(slice_of(NULL, 0), SLICE("")) && slice_text(NULL).len == 0);
  CHECK(slice_eq_nocase(SLICE("AbC-z[@"), SLICE("aBc-Z[@")));
  CHECK(!slice_eq_nocase(SLICE("@"), SLICE("`")) && !slice_eq_nocase(SLICE("\311"), SLICE("\351")));
  CHECK(slice_compare(SLICE("a"), SLICE("b")) < 0 && slice_compare(SLICE("b"), SLICE("a")) > 0);
  CHECK(slice_compare(SLICE("a"), SLICE("ab")) < 0 && slice_compare(SLICE("ab"), SLICE("a")) > 0);
  CHECK(slice_compare(SLICE("\200"), SLICE("a")) > 0 && slice_compare(SLICE("a"), SLICE("a")) == 0);
  CHECK(slice_compare(slice_of(NULL, 0), SLICE("")) == 0);
}

TEST(ends_and_rest) {
  CHECK(slice_starts(SLICE("data: x"), SLICE("data:")) && !slice_starts(SLICE("dat"), SLICE("data:")));
  CHECK(slice_ends(SLICE("a.lua"), SLICE(".lua")) && !slice_ends(SLICE("lua"), SLICE(".lua")));
  CHECK(slice_starts(slice_of(NULL, 0), slice_of(NULL, 0)));
  CHECK_SLICE(slice_from(SLICE("abc"), 1), "bc");
  CHECK_SLICE(slice_from(SLICE("abc"), 3), "");
  CHECK_SLICE(slice_from(SLICE("abc"), 9), "");
  CHECK(slice_from(slice_of(NULL, 0), 0).len == 0);
}

TEST(finding_and_trimming) {
  CHECK_SLICE(slice_trim(SLICE(" \t a b\t ")), "a b");
  CHECK_SLICE(slice_trim(SLICE(" \t")), "");
  CHECK_SLICE(slice_trim(SLICE("\na ")), "\na");
  CHECK_INT(slice_find_byte(SLICE("a,b,"), ','), 1);
  CHECK_INT(slice_find_byte(SLICE("ab"), ','), -1);
  CHECK_INT(slice_find_byte(slice_of(NULL, 0), ','), -1);
  CHECK_INT(slice_find(SLICE("abcabd"), SLICE("abd")), 3);
  CHECK_INT(slice_find(SLICE("ab"), SLICE("abc")), -1);
  CHECK_INT(slice_find(SLICE("ab"), SLICE("")), 0);
}

static bool to_u64(const char *text, uint64_t *out) {
  return slice_to_u64(slice_text(text), out);
}

TEST(a_hash_depends_on_every_byte_the_length_and_the_seed) {
  char text[20] = "abcdefghijklmnopqrs";
  for (size_t len = 0; len < sizeof text; len++) {
    struct slice s = slice_of(text, len);
    uint64_t hash = slice_hash(s, 7);
    CHECK(hash == slice_hash(s, 7));
    CHECK(hash != slice_hash(s, 8));
    for (size_t i = 0; i < len; i++) {
      text[i] ^= 1;
      CHECK(hash != slice_hash(s, 7));
      text[i] ^= 1;
    }
  }
  CHECK(slice_hash(slice_of("\0", 1), 0) != slice_hash(slice_of("\0\0", 2), 0));
}

TEST(reading_numbers) {
  uint64_t number = 7;
  CHECK(to_u64("0", &number) && number == 0);
  CHECK(to_u64("007", &number) && number == 7);
  CHECK(to_u64("18446744073709551615", &number) && number == UINT64_MAX);
  static const char *const bad[] = {"",
                                    " 1",
                                    "1 ",
                                    "+1",
                                    "-1",
                                    "0x1",
                                    "1_0",
                                    "1.0",
                                    "18446744073709551616",
                                    "99999999999999999999",
                                    "100000000000000000000",
                                    "\331\241"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!to_u64(bad[i], &number));
  CHECK(!slice_to_u64(slice_of("1\0", 2), &number));
}

TEST(writing_numbers) {
  struct buf b = {0};
  buf_u64(&b, 0);
  buf_byte(&b, ' ');
  buf_u64(&b, UINT64_MAX);
  buf_byte(&b, ' ');
  buf_i64(&b, INT64_MIN);
  buf_byte(&b, ' ');
  buf_i64(&b, INT64_MAX);
  CHECK_SLICE(buf_view(&b), "0 18446744073709551615 -9223372036854775808 9223372036854775807");
  buf_done(&b);
  CHECK(b.ptr == NULL && b.len == 0 && b.cap == 0);
}

TEST(growing_keeps_bytes_and_slack) {
  struct buf b = {0};
  for (int i = 0; i < 5000; i++) {
    buf_byte(&b, (char)(i % 251));
    if (b.cap < b.len + BUF_SLACK) CHECK_INT(b.cap, b.len + BUF_SLACK);
  }
  memset(b.ptr + b.len, 'x', BUF_SLACK); /* a sanitizer would see it, were the slack not there */
  bool same = true;
  for (int i = 0; i < 5000; i++) same &= (unsigned char)b.ptr[i] == i % 251;
  CHECK(same);
  buf_drop_front(&b, 4999);
  CHECK_INT(b.len, 1);
  CHECK_INT((unsigned char)b.ptr[0], 4999 % 251);
  buf_drop_front(&b, 1);
  CHECK_INT(b.len, 0);
  buf_append(&b, NULL, 0);
  buf_fill(&b, "%s=%d", "a", 5);
  buf_slice(&b, SLICE(";"));
  CHECK_SLICE(buf_view(&b), "a=5;");
  buf_done(&b);
}

TEST(reserving_does_not_change_the_length) {
  struct buf b = {0};
  buf_text(&b, "ab");
  memset(buf_reserve(&b, 10000), 'y', 10000 + BUF_SLACK);
  CHECK_SLICE(buf_view(&b), "ab");
  buf_done(&b);
}

TEST(digits_of_every_length) {
  char text[24], wanted[24];
  uint64_t number = 9;
  for (unsigned count = 1; count <= 20; count++, number = number * 10 + (count % 10)) {
    for (uint64_t near = number - 1; near != number + 2; near++) {
      size_t len = digits_u64(text, near);
      CHECK_INT(len, snprintf(wanted, sizeof wanted, "%llu", (unsigned long long)near));
      CHECK_SLICE(slice_of(text, len), wanted);
    }
  }
  digits_fill(text, 7, 3);
  CHECK_SLICE(slice_of(text, 3), "007");
  digits_fill(text, 1234567, 4);
  CHECK_SLICE(slice_of(text, 4), "4567");
}

/* A buffer that was given back comes again for a use of about its size, and is refused to one that would waste it. */
TEST(spare_buffers) {
  buf_keep_spare(true);
  static const size_t sizes[] = {3000, 200000};
  for (unsigned i = 0; i < 2; i++) {
    struct buf first = {0}, again = {0}, small = {0};
    buf_reserve(&first, sizes[i]);
    const char *kept = first.ptr;
    buf_done(&first);
    buf_reserve(&small, sizes[i] / 5 + 1);
    CHECK(small.ptr != kept);
    buf_reserve(&again, sizes[i] - 100);
    CHECK(again.ptr == kept && again.len == 0 && again.cap >= sizes[i]);
    buf_done(&small);
    buf_done(&again);
  }
  buf_keep_spare(false);
}

UNIT_MAIN()
