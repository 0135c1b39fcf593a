/* heap: blocks keep their bytes whatever comes and goes around them, and nothing is held in the end. */
#include "script/heap.h"

#include <string.h>

#include "check.h"

enum { BLOCKS = 3000, STEPS = 200000, SIZES = 700 };

static struct block {
  unsigned char *at;
  size_t bytes;
  unsigned char mark;
} blocks[BLOCKS];

static uint32_t state = 12345;

static uint32_t draw(uint32_t below) {
  state = state * 1664525 + 1013904223;
  return (state >> 8) % below;
}

static bool is_whole(const struct block *b) {
  for (size_t i = 0; i < b->bytes; i++)
    if (b->at[i] != b->mark) return false;
  return true;
}

TEST(blocks_keep_their_bytes) {
  struct heap h = {0};
  memset(blocks, 0, sizeof blocks);
  unsigned broken = 0, crooked = 0;
  for (unsigned step = 0; step < STEPS; step++) {
    struct block *b = &blocks[draw(BLOCKS)];
    size_t bytes = draw(4) == 0 ? 0 : 1 + draw(SIZES), kept = bytes < b->bytes ? bytes : b->bytes;
    broken += !is_whole(b);
    b->at = heap_resize(&h, b->at, b->at != NULL ? b->bytes : 5 /* a kind, as Lua says */, bytes);
    b->bytes = kept;
    broken += !is_whole(b);
    crooked += ((uintptr_t)b->at & (HEAP_GRAIN_BYTES - 1)) != 0;
    b->bytes = bytes;
    b->mark = (unsigned char)step;
    if (bytes > 0) memset(b->at, b->mark, bytes);
  }
  CHECK_INT(broken, 0);
  CHECK_INT(crooked, 0);
  for (unsigned i = 0; i < BLOCKS; i++) CHECK(heap_resize(&h, blocks[i].at, blocks[i].bytes, 0) == NULL);
  heap_trim(&h);
  CHECK(h.empty == NULL && h.empty_count == 0);
  for (unsigned class = 0; class < HEAP_CLASSES; class ++) CHECK(h.roomy[class] == NULL);
}

TEST(no_two_blocks_overlap) {
  struct heap h = {0};
  static unsigned char *at[BLOCKS];
  unsigned wrong = 0;
  for (unsigned i = 0; i < BLOCKS; i++) {
    at[i] = heap_resize(&h, NULL, 0, 24);
    memcpy(at[i], &i, sizeof i);
    memcpy(at[i] + 20, &i, sizeof i);
  }
  for (unsigned i = 0; i < BLOCKS; i++)
    wrong += memcmp(at[i], &i, sizeof i) != 0 || memcmp(at[i] + 20, &i, sizeof i) != 0;
  CHECK_INT(wrong, 0);
  for (unsigned i = 0; i < BLOCKS; i++) heap_resize(&h, at[i], 24, 0);
  heap_trim(&h);
}

/* What was given back is what comes next: a request's tables land in warm memory. */
TEST(the_last_one_back_is_the_first_one_out) {
  struct heap h = {0};
  void *first = heap_resize(&h, NULL, 0, 56), *second = heap_resize(&h, NULL, 0, 56);
  CHECK(first != second);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  heap_resize(&h, first, 56, 0);
  CHECK(heap_resize(&h, NULL, 0, 50) == first);
#endif
  heap_resize(&h, first, 50, 0);
  heap_resize(&h, second, 56, 0);
  heap_trim(&h);
}

UNIT_MAIN()
