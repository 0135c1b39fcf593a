/* arena: alignment, large blocks beside small ones, joining, reuse of chunks. */
#include "base/arena.h"

#include "check.h"

TEST(blocks_are_aligned_and_apart) {
  struct arena a;
  arena_init(&a);
  char *blocks[400];
  for (size_t i = 0; i < 400; i++) {
    blocks[i] = arena_alloc(&a, i);
    CHECK_INT((uintptr_t)blocks[i] % 16, 0);
    memset(blocks[i], (int)(i % 251), i);
  }
  bool same = true;
  for (size_t i = 0; i < 400; i++)
    for (size_t j = 0; j < i; j++) same &= (unsigned char)blocks[i][j] == i % 251;
  CHECK(same);
  arena_done(&a);
  CHECK(a.chunks == NULL && a.used_bytes == 0);
  arena_drop_spare();
}

TEST(a_large_block_leaves_the_newest_chunk_in_use) {
  struct arena a;
  arena_init(&a);
  char *small = arena_alloc(&a, 16);
  char *large = arena_alloc(&a, 1 << 20);
  memset(large, 'x', 1 << 20);
  CHECK((char *)arena_alloc(&a, 16) == small + 16);
  CHECK(a.used_bytes > 1 << 20);
  arena_done(&a);
  arena_drop_spare();
}

TEST(a_large_block_first) {
  struct arena a;
  arena_init(&a);
  memset(arena_alloc(&a, 100000), 'x', 100000);
  memset(arena_alloc(&a, 100), 'y', 100);
  arena_done(&a);
  arena_drop_spare();
}

TEST(chunks_are_used_again) {
  struct arena a;
  arena_init(&a);
  void *first = arena_alloc(&a, 100);
  arena_done(&a);
  arena_init(&a);
  CHECK(arena_alloc(&a, 100) == first);
  unsigned char *zeroed = arena_zero(&a, 3000);
  bool zero = true;
  for (int i = 0; i < 3000; i++) zero &= zeroed[i] == 0;
  CHECK(zero);
  arena_done(&a);
  arena_drop_spare();
}

TEST(texts) {
  struct arena a;
  arena_init(&a);
  struct slice copy = arena_copy(&a, SLICE("ab\0c"));
  CHECK_INT(copy.len, 4);
  CHECK(memcmp(copy.ptr, "ab\0c", 5) == 0);
  CHECK(strcmp(arena_text(&a, SLICE("xyz")), "xyz") == 0);
  CHECK(strcmp(arena_text(&a, slice_of(NULL, 0)), "") == 0);
  struct slice parts[] = {SLICE("a"), {NULL, 0}, SLICE("bc")};
  struct slice joined = arena_join(&a, parts, 3);
  CHECK_SLICE(joined, "abc");
  CHECK(joined.ptr[3] == '\0');
  CHECK_SLICE(arena_join(&a, NULL, 0), "");
  arena_done(&a);
  arena_drop_spare();
}

UNIT_MAIN()
