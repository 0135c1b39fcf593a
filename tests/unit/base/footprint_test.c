/* Giving memory back: what was freed inside the heap and what came from files leaves, and everything goes on working
 * from the same addresses. */
#include "base/footprint.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "check.h"

/* Sanitizers keep books of memory that the system's figures would not match; footprint does nothing under them. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
enum { BLOCKS = 8192, BLOCK_BYTES = 4096 };

/* In pages; file_pages counts what is mapped from files. */
static void resident(long *pages, long *file_pages) {
  FILE *f = fopen("/proc/self/statm", "r");
  must(f != NULL && fscanf(f, "%*d %ld %ld", pages, file_pages) == 2);
  fclose(f);
}

static long file_pages_at_start; /* whichever test comes first: afterwards there is little left to drop */

__attribute__((constructor)) static void note_start(void) {
  long ignored;
  resident(&ignored, &file_pages_at_start);
}

TEST(what_only_the_start_needed_of_files_leaves_the_process) {
  long ignored, after;
  footprint_shrink();
  resident(&ignored, &after);
  CHECK(after < file_pages_at_start / 2);
}

TEST(freed_blocks_between_used_ones_leave_the_process) {
  static char *blocks[BLOCKS];
  long before, after, ignored;
  for (int i = 0; i < BLOCKS; i++) {
    blocks[i] = malloc(BLOCK_BYTES);
    must(blocks[i] != NULL);
    memset(blocks[i], i, BLOCK_BYTES);
  }
  for (int i = 0; i < BLOCKS; i++)
    if (i % 16 != 0) free(blocks[i]);
  resident(&before, &ignored);
  footprint_shrink();
  resident(&after, &ignored);
  CHECK(before - after > BLOCKS / 2);
  unsigned changed = 0;
  for (int i = 0; i < BLOCKS; i += 16) {
    for (int at = 0; at < BLOCK_BYTES; at++) changed += blocks[i][at] != (char)i;
    free(blocks[i]);
  }
  CHECK_INT(changed, 0);
}

TEST(growth_is_seen_until_it_is_trimmed) {
  enum { GROWTH_BYTES = 16 << 20, PIECE_BYTES = 1024 };
  static char *pieces[GROWTH_BYTES / PIECE_BYTES];
  footprint_trim();
  CHECK(!footprint_has_grown());
  for (unsigned i = 0; i < GROWTH_BYTES / PIECE_BYTES; i++) pieces[i] = memset(malloc(PIECE_BYTES), 1, PIECE_BYTES);
  CHECK(footprint_has_grown());
  footprint_trim();
  CHECK(!footprint_has_grown()); /* it is in use */
  /* Those that stay are everywhere, so that freeing alone gives nothing back. */
  for (unsigned i = 0; i < GROWTH_BYTES / PIECE_BYTES; i++)
    if (i % 32 != 0) free(pieces[i]);
  long before, after, ignored;
  resident(&before, &ignored);
  footprint_trim();
  resident(&after, &ignored);
  CHECK(before - after > 2048);
  for (unsigned i = 0; i < GROWTH_BYTES / PIECE_BYTES; i += 32) free(pieces[i]);
}
#endif

static int twice(int number) {
  return 2 * number;
}

/* Relocated constants and data that was written: what must never be dropped. */
static int (*const functions[])(int) = {twice, abs};
static int written = 1;

TEST(code_constants_and_data_are_still_there_afterwards) {
  written = 42;
  char *heap = strdup("of the heap");
  footprint_shrink();
  CHECK_INT(functions[0](21), 42);
  CHECK_INT(functions[1](-5), 5);
  CHECK_INT(written, 42);
  CHECK_SLICE(slice_text(heap), "of the heap");
  CHECK(CRYPTO_memcmp(heap, "of the heap", 11) == 0); /* of another library */
  free(heap);
}

UNIT_MAIN()
