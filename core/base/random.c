/* random: getrandom in blocks. Any thread. */
#include "base/random.h"

#include <string.h>
#include <sys/random.h>

#include "base/must.h"

void random_bytes(void *out, size_t bytes) {
  static _Thread_local unsigned char pool[2048]; /* of a seeded system getrandom never waits, nor stops short */
  static _Thread_local size_t left;
  unsigned char *at = out;
  while (bytes > 0) {
    if (left == 0) {
      must(getrandom(pool, sizeof pool, 0) == (ssize_t)sizeof pool);
      left = sizeof pool;
    }
    size_t part = bytes < left ? bytes : left;
    memcpy(at, pool + sizeof pool - left, part);
    memset(pool + sizeof pool - left, 0, part);
    left -= part;
    at += part;
    bytes -= part;
  }
}

uint64_t random_u64(void) {
  uint64_t number;
  random_bytes(&number, sizeof number);
  return number;
}

void random_text(char *out, size_t count) {
  static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  while (count > 0) {
    uint64_t number = random_u64();
    for (unsigned i = 0; i < 8 && count > 0; i++, count--) {
      *out++ = letters[number % 36];
      number /= 36;
    }
  }
}
