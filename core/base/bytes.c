/* bytes: the out-of-line part of slices and buffers. Any thread. */
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/must.h"

static unsigned char lower(unsigned char c) {
  return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

bool slice_eq_nocase_rest(struct slice a, struct slice b) {
  if (memcmp(a.ptr, b.ptr, a.len) == 0) return true; /* names come in lower case, nearly always */
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

enum { SPARE_MAX = 16, SPARE_LEAST_BYTES = 32 << 10, SPARE_MOST_BYTES = 1 << 20, SPARE_ALL_BYTES = 4 << 20 };

/* The thread's own; the last one put is the first one taken. */
static _Thread_local struct spare {
  struct buf bufs[SPARE_MAX];
  unsigned count;
  size_t bytes;
  bool keeps;
} spare;

static bool spare_put(const struct buf *b) {
  if (!spare.keeps || b->cap < SPARE_LEAST_BYTES || b->cap > SPARE_MOST_BYTES) return false;
  if (spare.count == SPARE_MAX || spare.bytes + b->cap > SPARE_ALL_BYTES) return false;
  spare.bufs[spare.count++] = *b;
  spare.bytes += b->cap;
  return true;
}

/* One that fits without wasting more than three times its use. */
static bool spare_take(struct buf *b, size_t need) {
  for (unsigned i = spare.count; i-- > 0;) {
    struct buf found = spare.bufs[i];
    if (found.cap < need || found.cap / 4 > need) continue;
    memmove(&spare.bufs[i], &spare.bufs[i + 1], (spare.count - i - 1) * sizeof found);
    spare.count--;
    spare.bytes -= found.cap;
    *b = (struct buf){.ptr = found.ptr, .cap = found.cap};
    return true;
  }
  return false;
}

void buf_keep_spare(bool keep) {
  spare.keeps = keep;
  while (!keep && spare.count > 0) mem_free(spare.bufs[--spare.count].ptr);
  if (!keep) spare.bytes = 0;
}

void buf_done(struct buf *b) {
  if (!spare_put(b)) mem_free(b->ptr);
  *b = (struct buf){0};
}

char *buf_reserve(struct buf *b, size_t bytes) {
  size_t need = b->len + bytes + BUF_SLACK;
  must(need >= bytes);
  if (need > b->cap && !(b->ptr == NULL && need >= SPARE_LEAST_BYTES && spare_take(b, need))) {
    size_t cap = b->cap < 256 ? 256 : b->cap * 2;
    if (cap < need) cap = need;
    b->ptr = mem_resize(b->ptr, cap);
    b->cap = cap;
  }
  return b->ptr + b->len;
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
  if (number < 10) {
    *at = (char)('0' + number);
    return 1;
  }
  size_t count = 1;
  for (uint64_t rest = number; rest >= 10; rest /= 10) count++;
  for (size_t i = count; i-- > 0; number /= 10) at[i] = (char)('0' + number % 10);
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
