/* bytes: the out-of-line part of slices and buffers. Any thread. */
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/must.h"

static unsigned char lower(unsigned char c) {
  return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

bool slice_eq_nocase(struct slice a, struct slice b) {
  if (a.len != b.len) return false;
  for (size_t i = 0; i < a.len; i++)
    if (lower((unsigned char)a.ptr[i]) != lower((unsigned char)b.ptr[i])) return false;
  return true;
}

int slice_compare(struct slice a, struct slice b) {
  size_t shared = a.len < b.len ? a.len : b.len;
  int order = shared ? memcmp(a.ptr, b.ptr, shared) : 0;
  if (order != 0) return order;
  return a.len < b.len ? -1 : a.len > b.len;
}

struct slice slice_trim(struct slice s) {
  while (s.len > 0 && (*s.ptr == ' ' || *s.ptr == '\t')) s.ptr++, s.len--;
  while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t')) s.len--;
  return s;
}

ptrdiff_t slice_find_byte(struct slice s, char byte) {
  const char *at = s.len ? memchr(s.ptr, byte, s.len) : NULL;
  return at ? at - s.ptr : -1;
}

ptrdiff_t slice_find(struct slice s, struct slice part) {
  if (part.len == 0) return 0;
  const char *at = s.len ? memmem(s.ptr, s.len, part.ptr, part.len) : NULL;
  return at ? at - s.ptr : -1;
}

bool slice_to_u64(struct slice s, uint64_t *out) {
  uint64_t number = 0;
  if (s.len == 0 || s.len > 20) return false;
  for (size_t i = 0; i < s.len; i++) {
    unsigned digit = (unsigned)(unsigned char)s.ptr[i] - '0';
    if (digit > 9) return false;
    if (number > (UINT64_MAX - digit) / 10) return false;
    number = number * 10 + digit;
  }
  *out = number;
  return true;
}

void buf_done(struct buf *b) {
  mem_free(b->ptr);
  *b = (struct buf){0};
}

char *buf_reserve(struct buf *b, size_t bytes) {
  size_t need = b->len + bytes + BUF_SLACK;
  must(need >= bytes);
  if (need > b->cap) {
    size_t cap = b->cap < 256 ? 256 : b->cap * 2;
    if (cap < need) cap = need;
    b->ptr = mem_resize(b->ptr, cap);
    b->cap = cap;
  }
  return b->ptr + b->len;
}

void buf_append(struct buf *b, const void *bytes, size_t len) {
  char *at = buf_reserve(b, len);
  if (len > 0) memcpy(at, bytes, len);
  b->len += len;
}

void buf_fill(struct buf *b, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int len = vsnprintf(NULL, 0, format, args);
  va_end(args);
  must(len >= 0);
  vsnprintf(buf_reserve(b, (size_t)len + 1), (size_t)len + 1, format, again);
  va_end(again);
  b->len += (size_t)len;
}

size_t digits_u64(char *at, uint64_t number) {
  char reversed[20];
  size_t count = 0;
  do {
    reversed[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  for (size_t i = 0; i < count; i++) at[i] = reversed[count - 1 - i];
  return count;
}

void buf_u64(struct buf *b, uint64_t number) {
  b->len += digits_u64(buf_reserve(b, 20), number);
}

void buf_i64(struct buf *b, int64_t number) {
  if (number < 0) buf_byte(b, '-');
  buf_u64(b, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void buf_drop_front(struct buf *b, size_t bytes) {
  must(bytes <= b->len);
  if (bytes > 0 && bytes < b->len) memmove(b->ptr, b->ptr + bytes, b->len - bytes);
  b->len -= bytes;
}
