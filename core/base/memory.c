/* memory: the heap with one answer to exhaustion. Any thread. */
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_NO_MEMORY = 71 /* sysexits.h EX_OSERR */ };

static void *checked(void *memory, size_t bytes) {
  if (memory != NULL || bytes == 0) return memory;
  static const char text[] = "moongate: out of memory\n";
  ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
  (void)ignored;
  _exit(EXIT_NO_MEMORY);
}

void *mem_alloc(size_t bytes) {
  return checked(malloc(bytes), bytes);
}

/* Small blocks come from the thread's own cache, which calloc of this libc does not use. */
void *mem_zero(size_t bytes) {
  enum { CACHED_BYTES_MAX = 1024 };
  if (bytes > CACHED_BYTES_MAX) return checked(calloc(1, bytes), bytes);
  void *memory = mem_alloc(bytes);
  if (bytes > 0) memset(memory, 0, bytes);
  return memory;
}

void *mem_resize(void *memory, size_t bytes) {
  return checked(realloc(memory, bytes), bytes);
}

char *mem_text(const char *text, size_t bytes) {
  char *copy = mem_alloc(bytes + 1);
  if (bytes > 0) memcpy(copy, text, bytes);
  copy[bytes] = '\0';
  return copy;
}

void mem_free(void *memory) {
  free(memory);
}
