/* memory: the heap, for what outlives a request. Any thread.
 *
 * No call here returns NULL: when the system has no memory left the process says so and exits with status 71, and its
 * supervisor starts it again. Bodies and buffers are bounded by limits long before that. What a request needs comes
 * from its arena (base/arena.h). */
#ifndef MOONGATE_BASE_MEMORY_H
#define MOONGATE_BASE_MEMORY_H

#include <stddef.h>

void *mem_alloc(size_t bytes);                  /* not zeroed */
void *mem_zero(size_t bytes);                   /* zeroed */
void *mem_resize(void *memory, size_t bytes);   /* like realloc; NULL starts a new one */
char *mem_text(const char *text, size_t bytes); /* a copy with a zero byte behind it */
void mem_free(void *memory);                    /* NULL is fine */

/* Zeroed memory for one struct: `struct conn *c = mem_new(struct conn);` */
#define mem_new(type) ((type *)mem_zero(sizeof(type)))

#endif
