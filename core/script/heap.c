/* heap: see the header. A page finds itself from any of its blocks by its alignment. */
#include "script/heap.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

enum { PAGE_BYTES = 16384, EMPTY_MAX = 32 };

struct heap_page {
  struct heap_page *next, *before; /* of roomy[class]; next alone while it is empty */
  void *free;                      /* given back, each block holds the address of the next */
  uint16_t used, fresh, capacity;  /* blocks; from `fresh` on they were never used */
  uint16_t class;
  _Alignas(HEAP_GRAIN_BYTES) char blocks[];
};

static size_t block_bytes(unsigned class) {
  return (size_t)(class + 1) * HEAP_GRAIN_BYTES;
}

/* The sanitizers see only their own malloc, and ThreadSanitizer hands out signals (the watchdog's) only in there: with
 * them every block is one. */
static unsigned class_of(size_t bytes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  (void)bytes;
  return HEAP_CLASSES;
#else
  return bytes == 0 || bytes > HEAP_SMALL_BYTES ? HEAP_CLASSES : (unsigned)((bytes - 1) / HEAP_GRAIN_BYTES);
#endif
}

static void link_page(struct heap *h, struct heap_page *p) {
  struct heap_page **first = &h->roomy[p->class];
  p->before = NULL;
  p->next = *first;
  if (*first != NULL) (*first)->before = p;
  *first = p;
}

static void unlink_page(struct heap *h, struct heap_page *p) {
  if (p->next != NULL) p->next->before = p->before;
  if (p->before != NULL) p->before->next = p->next;
  else h->roomy[p->class] = p->next;
}

static struct heap_page *add_page(struct heap *h, unsigned class) {
  struct heap_page *p = h->empty;
  if (p != NULL) {
    h->empty = p->next;
    h->empty_count--;
  } else if ((p = aligned_alloc(PAGE_BYTES, PAGE_BYTES)) == NULL) {
    return NULL;
  }
  p->free = NULL;
  p->used = p->fresh = 0;
  p->class = (uint16_t) class;
  p->capacity = (uint16_t)((PAGE_BYTES - sizeof *p) / block_bytes(class));
  link_page(h, p);
  return p;
}

static void *take(struct heap *h, unsigned class) {
  struct heap_page *p = h->roomy[class];
  if (p == NULL && (p = add_page(h, class)) == NULL) return NULL;
  void *block = p->free;
  if (block != NULL) memcpy(&p->free, block, sizeof p->free);
  else block = p->blocks + p->fresh++ * block_bytes(class);
  if (++p->used == p->capacity) unlink_page(h, p);
  return block;
}

static void give(struct heap *h, void *block) {
  struct heap_page *p = (struct heap_page *)((uintptr_t)block & ~(uintptr_t)(PAGE_BYTES - 1));
  memcpy(block, &p->free, sizeof p->free);
  p->free = block;
  if (p->used-- == p->capacity) link_page(h, p);
  if (p->used > 0 || (p->next == NULL && p->before == NULL)) return; /* the last page of a class stays */
  unlink_page(h, p);
  if (h->empty_count >= EMPTY_MAX) {
    free(p);
    return;
  }
  p->next = h->empty;
  h->empty = p;
  h->empty_count++;
}

static void *take_any(struct heap *h, size_t bytes) {
  unsigned class = class_of(bytes);
  return class < HEAP_CLASSES ? take(h, class) : malloc(bytes);
}

void *heap_resize(struct heap *h, void *block, size_t old_bytes, size_t new_bytes) {
  if (block == NULL) return new_bytes > 0 ? take_any(h, new_bytes) : NULL;
  unsigned from = class_of(old_bytes), to = class_of(new_bytes);
  if (new_bytes == 0) {
    if (from < HEAP_CLASSES) give(h, block);
    else free(block);
    return NULL;
  }
  if (from >= HEAP_CLASSES && to >= HEAP_CLASSES) {
    void *again = realloc(block, new_bytes);
    if (again == NULL && new_bytes <= old_bytes) return block;
    return again;
  }
  if (from == to) return block;
  void *moved = take_any(h, new_bytes);
  if (moved == NULL) {
    must(new_bytes > old_bytes); /* its size will say where it came from: it cannot stay where it is */
    return NULL;
  }
  memcpy(moved, block, old_bytes < new_bytes ? old_bytes : new_bytes);
  if (from < HEAP_CLASSES) give(h, block);
  else free(block);
  return moved;
}

void heap_trim(struct heap *h) {
  for (unsigned class = 0; class < HEAP_CLASSES; class ++) {
    struct heap_page *p = h->roomy[class];
    if (p == NULL || p->used > 0 || p->next != NULL) continue; /* only a last page stays when it is empty */
    unlink_page(h, p);
    free(p);
  }
  while (h->empty != NULL) {
    struct heap_page *p = h->empty;
    h->empty = p->next;
    free(p);
  }
  h->empty_count = 0;
}
