/* bytes: a view of bytes (slice) and a growing buffer (buf). Any thread; the owner of the bytes is the caller.
 *
 * A slice borrows: it is valid as long as what it points into. Neither is zero-terminated. */
#ifndef MOONGATE_BASE_BYTES_H
#define MOONGATE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
  const char *ptr; /* may be NULL when len is 0 */
  size_t len;
};

/* A slice of a string literal, and of a zero-terminated string. */
#define SLICE(literal) ((struct slice){("" literal), sizeof(literal) - 1})
/* The same for static initialisers. */
#define SLICE_INIT(literal)                                                                                            \
  { ("" literal), sizeof(literal) - 1 }

static inline struct slice slice_of(const char *ptr, size_t len) {
  return (struct slice){ptr, len};
}

static inline struct slice slice_text(const char *text) {
  return (struct slice){text, text ? strlen(text) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_starts(struct slice s, struct slice prefix) {
  return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool slice_ends(struct slice s, struct slice suffix) {
  return s.len >= suffix.len && (suffix.len == 0 || memcmp(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len) == 0);
}

/* From byte `from` on; empty when `from` is past the end. */
static inline struct slice slice_from(struct slice s, size_t from) {
  if (s.len == 0) return s; /* also of NULL, to which nothing may be added */
  return from >= s.len ? (struct slice){s.ptr + s.len, 0} : (struct slice){s.ptr + from, s.len - from};
}

bool slice_eq_nocase_rest(struct slice a, struct slice b); /* for slice_eq_nocase only: of the same length */
/* ASCII only. Header names are compared with many candidates: nearly all differ in length or first letter. */
static inline bool slice_eq_nocase(struct slice a, struct slice b) {
  return a.len == b.len && (a.len == 0 || (((a.ptr[0] ^ b.ptr[0]) & 0xdf) == 0 && slice_eq_nocase_rest(a, b)));
}
int slice_compare(struct slice a, struct slice b); /* byte order, as memcmp */
struct slice slice_trim(struct slice s);           /* spaces and tabs off both ends */
/* For tables that compare whole what they find by it. Whoever knows the seed can choose texts that meet. */
uint64_t slice_hash(struct slice s, uint64_t seed);
/* Offset of the first `byte` / of the first `part`, or -1. */
ptrdiff_t slice_find_byte(struct slice s, char byte);
ptrdiff_t slice_find(struct slice s, struct slice part);
/* Decimal digits only, no sign, no blanks; false on anything else and on overflow. */
bool slice_to_u64(struct slice s, uint64_t *out);

/* A growing buffer on the heap. `{0}` is a valid empty one. Keeps BUF_SLACK bytes allocated behind `len`, so that a
 * JSON parser that reads in blocks may be pointed at it. */
struct buf {
  char *ptr;
  size_t len, cap; /* cap counts the slack */
};

enum { BUF_SLACK = 64 };

void buf_done(struct buf *b);                /* frees and empties */
char *buf_grow(struct buf *b, size_t bytes); /* the slow half of buf_reserve */
static inline void buf_append(struct buf *b, const void *bytes, size_t len);
void buf_fill(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3))); /* never on the hot path */
void buf_u64(struct buf *b, uint64_t number);                                                /* decimal */
void buf_i64(struct buf *b, int64_t number);
void buf_drop_front(struct buf *b, size_t bytes);

/* From now on this thread keeps a few buffers that buf_done would free (1 to 32 KiB, 512 KiB in all; 32 KiB to 1 MiB,
 * 4 MiB in all), the last used first: a body then lands in memory that is mapped already, and warm.
 * buf_keep_spare(false) frees them. */
void buf_keep_spare(bool keep);

/* Room for `bytes` more behind len; returns where to write. Does not change len. */
static inline char *buf_reserve(struct buf *b, size_t bytes) {
  if (b->cap >= b->len + BUF_SLACK && b->cap - b->len - BUF_SLACK >= bytes) return b->ptr + b->len;
  return buf_grow(b, bytes);
}

static inline void buf_append(struct buf *b, const void *bytes, size_t len) {
  char *at = buf_reserve(b, len);
  if (len > 0) memcpy(at, bytes, len);
  b->len += len;
}

static inline void buf_slice(struct buf *b, struct slice s) {
  buf_append(b, s.ptr, s.len);
}

static inline void buf_text(struct buf *b, const char *text) {
  buf_append(b, text, strlen(text));
}

static inline void buf_byte(struct buf *b, char byte) {
  buf_append(b, &byte, 1);
}

static inline struct slice buf_view(const struct buf *b) {
  return (struct slice){b->ptr, b->len};
}

/* Writes the decimal digits of `number` at `at` (20 bytes at most) and returns how many. */
size_t digits_u64(char *at, uint64_t number);
/* Writes the last `count` decimal digits of `number`, leading zeros included. */
void digits_fill(char *at, uint64_t number, unsigned count);

#endif
