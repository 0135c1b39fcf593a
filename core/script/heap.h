/* heap: the small blocks of one VM. Lua makes and drops tables, strings and closures by the thousand, nearly all
 * between 16 and 256 bytes, and says a block's size when it gives it back: they come out of pages that hold blocks of
 * one size, and go back to them, without a search. Larger blocks are the C library's. The VM's thread.
 *
 *     size class ─▶ page with room ⇄ page with room        page: │ header │ block │ block │ free ─▶ free │ never used …
 * │
 *
 * It counts nothing and caps nothing (vm.c does); it moves no block. */
#ifndef MOONGATE_SCRIPT_HEAP_H
#define MOONGATE_SCRIPT_HEAP_H

#include <stddef.h>
#include <stdint.h>

enum { HEAP_GRAIN_BYTES = 16, HEAP_SMALL_BYTES = 256, HEAP_CLASSES = HEAP_SMALL_BYTES / HEAP_GRAIN_BYTES };

struct heap_page;

/* `{0}` is an empty one. */
struct heap {
  struct heap_page *roomy[HEAP_CLASSES]; /* pages of that class that have room, the one in use first */
  struct heap_page *empty;               /* of no class, kept for the next */
  uint32_t empty_count;
};

/* Semantics of lua_Alloc but for the cap: NULL only when there is no memory left, never for a block that shrinks. */
void *heap_resize(struct heap *h, void *block, size_t old_bytes, size_t new_bytes);
/* Frees pages that hold nothing. All of them when every block has been given back. */
void heap_trim(struct heap *h);

#endif
