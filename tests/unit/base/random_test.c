/* random: different bytes each time, across the end of the pool, only the promised letters, all of them. */
#include "base/random.h"

#include <stdlib.h>

#include "check.h"

static int compare_u64(const void *a, const void *b) {
  uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return left < right ? -1 : left > right;
}

TEST(numbers_differ) {
  uint64_t numbers[4096];
  for (size_t i = 0; i < 4096; i++) numbers[i] = random_u64();
  qsort(numbers, 4096, sizeof *numbers, compare_u64);
  size_t twins = 0;
  for (size_t i = 1; i < 4096; i++) twins += numbers[i] == numbers[i - 1];
  CHECK_INT(twins, 0);
}

TEST(every_bit_is_used) {
  uint64_t ones = 0, zeros = 0;
  for (int i = 0; i < 200; i++) {
    uint64_t number = random_u64();
    ones |= number;
    zeros |= ~number;
  }
  CHECK(ones == UINT64_MAX && zeros == UINT64_MAX);
}

TEST(long_and_odd_lengths_are_filled_exactly) {
  for (size_t len = 1; len < 700; len += 37) {
    unsigned char out[701], seen[701] = {0};
    out[len] = 0xa5;
    for (int i = 0; i < 20; i++) {
      memset(out, 0, len);
      random_bytes(out, len);
      for (size_t j = 0; j < len; j++) seen[j] |= out[j];
    }
    CHECK_INT(out[len], 0xa5);
    size_t untouched = 0;
    for (size_t j = 0; j < len; j++) untouched += seen[j] == 0;
    CHECK_INT(untouched, 0);
  }
}

TEST(texts) {
  char out[3601];
  bool seen[256] = {false};
  out[3600] = '!';
  random_text(out, 3600);
  CHECK(out[3600] == '!');
  unsigned kinds = 0;
  for (size_t i = 0; i < 3600; i++) {
    unsigned char letter = (unsigned char)out[i];
    CHECK((letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z'));
    kinds += !seen[letter];
    seen[letter] = true;
  }
  CHECK_INT(kinds, 36);
}

UNIT_MAIN()
