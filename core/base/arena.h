/* arena: memory that dies all at once; each request has one. One thread, the worker's.
 *
 * Chunks come from a per-thread free list, so that a request of usual size costs no malloc. */
#ifndef MOONGATE_BASE_ARENA_H
#define MOONGATE_BASE_ARENA_H

#include <stddef.h>

#include "base/bytes.h"

struct arena_chunk;

struct arena {
  struct arena_chunk *chunks; /* newest first */
  char *at, *end;             /* free part of the newest chunk */
  size_t used_bytes;          /* allocated from the system for this arena */
};

void arena_init(struct arena *a);
void arena_done(struct arena *a);                 /* gives the chunks back to the thread's list */
void *arena_alloc(struct arena *a, size_t bytes); /* aligned to 16, not zeroed, never NULL */
void *arena_zero(struct arena *a, size_t bytes);
struct slice arena_copy(struct arena *a, struct slice s); /* with a zero byte behind it */
char *arena_text(struct arena *a, struct slice s);        /* the same, as a C string */
struct slice arena_join(struct arena *a, const struct slice *parts, size_t count);

#define arena_new(arena, type) ((type *)arena_zero((arena), sizeof(type)))

/* Frees this thread's list of spare chunks; at the thread's end. */
void arena_drop_spare(void);

#endif
