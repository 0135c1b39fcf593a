/* arena: bump allocation in chunks. One thread per arena; the list of spare chunks is the thread's own. */
#include "base/arena.h"

#include "base/memory.h"

struct arena_chunk {
  struct arena_chunk *next;
  size_t bytes; /* of memory */
  _Alignas(16) char memory[];
};

enum { CHUNK_BYTES = 4096 - sizeof(struct arena_chunk), SPARE_MAX = 256 };

static _Thread_local struct arena_chunk *spare;
static _Thread_local unsigned spare_count;

void arena_init(struct arena *a) {
  *a = (struct arena){0};
}

void arena_done(struct arena *a) {
  for (struct arena_chunk *chunk = a->chunks, *next; chunk != NULL; chunk = next) {
    next = chunk->next;
    if (chunk->bytes == CHUNK_BYTES && spare_count < SPARE_MAX) {
      chunk->next = spare;
      spare = chunk;
      spare_count++;
    } else {
      mem_free(chunk);
    }
  }
  *a = (struct arena){0};
}

static struct arena_chunk *chunk_take(size_t bytes) {
  if (bytes <= CHUNK_BYTES && spare != NULL) {
    struct arena_chunk *chunk = spare;
    spare = chunk->next;
    spare_count--;
    return chunk;
  }
  size_t size = bytes <= CHUNK_BYTES ? CHUNK_BYTES : bytes;
  struct arena_chunk *chunk = mem_alloc(sizeof *chunk + size);
  chunk->bytes = size;
  return chunk;
}

void *arena_alloc(struct arena *a, size_t bytes) {
  size_t rounded = (bytes + 15) & ~(size_t)15;
  if (a->at == NULL || (size_t)(a->end - a->at) < rounded) {
    struct arena_chunk *chunk = chunk_take(rounded);
    a->used_bytes += sizeof *chunk + chunk->bytes;
    if (rounded > CHUNK_BYTES / 2 && a->chunks != NULL) {
      /* A large block gets a chunk of its own, behind the newest, so that the rest of that one is not lost. */
      chunk->next = a->chunks->next;
      a->chunks->next = chunk;
      return chunk->memory;
    }
    chunk->next = a->chunks;
    a->chunks = chunk;
    a->at = chunk->memory;
    a->end = chunk->memory + chunk->bytes;
  }
  void *memory = a->at;
  a->at += rounded;
  return memory;
}

void *arena_zero(struct arena *a, size_t bytes) {
  return memset(arena_alloc(a, bytes), 0, bytes);
}

struct slice arena_copy(struct arena *a, struct slice s) {
  char *copy = arena_alloc(a, s.len + 1);
  if (s.len > 0) memcpy(copy, s.ptr, s.len);
  copy[s.len] = '\0';
  return slice_of(copy, s.len);
}

char *arena_text(struct arena *a, struct slice s) {
  return (char *)arena_copy(a, s).ptr;
}

struct slice arena_join(struct arena *a, const struct slice *parts, size_t count) {
  size_t len = 0;
  for (size_t i = 0; i < count; i++) len += parts[i].len;
  char *joined = arena_alloc(a, len + 1), *at = joined;
  for (size_t i = 0; i < count; i++) {
    if (parts[i].len > 0) memcpy(at, parts[i].ptr, parts[i].len);
    at += parts[i].len;
  }
  *at = '\0';
  return slice_of(joined, len);
}

void arena_drop_spare(void) {
  while (spare != NULL) {
    struct arena_chunk *next = spare->next;
    mem_free(spare);
    spare = next;
  }
  spare_count = 0;
}
