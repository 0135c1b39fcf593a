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

uint64_t slice_hash(struct slice s, uint64_t seed) {
  uint64_t hash = seed ^ s.len * 0x9e3779b97f4a7c15u, word;
  for (; s.len >= sizeof word; s = slice_from(s, sizeof word)) {
    memcpy(&word, s.ptr, sizeof word);
    hash = (hash ^ word) * 0x9fb21c651e98df25u;
    hash ^= hash >> 32;
  }
  word = 0;
  if (s.len > 0) memcpy(&word, s.ptr, s.len);
  hash = (hash ^ word) * 0x9fb21c651e98df25u;
  return hash ^ hash >> 29;
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
    /* Only the twentieth digit can be too much. */
    if (i == 19 && number > (UINT64_MAX - digit) / 10) return false;
    number = number * 10 + digit;
  }
  *out = number;
  return true;
}

/* The thread's own; the last one put is the first one taken. Each size has a shelf of its own, so that the small never
 * crowd out the large. As many as requests may wait for their providers at once: what malloc gets back beyond the seven
 * of a size that it keeps at hand, it merges, and splits again. */
struct shelf {
  size_t least_bytes, most_bytes, all_bytes;
  struct buf bufs[128];
  unsigned count;
  size_t bytes;
};

static _Thread_local bool keeps_spare;
static _Thread_local struct shelf shelves[] = {
    {.least_bytes = 1 << 8, .most_bytes = (1 << 10) - 1, .all_bytes = 64 << 10},
    {.least_bytes = 1 << 10, .most_bytes = (32 << 10) - 1, .all_bytes = 512 << 10},
    {.least_bytes = 32 << 10, .most_bytes = 1 << 20, .all_bytes = 4 << 20},
};
enum { SHELVES = sizeof shelves / sizeof *shelves };

static struct shelf *shelf_of(size_t bytes) {
  for (unsigned i = 0; i < SHELVES; i++)
    if (bytes >= shelves[i].least_bytes && bytes <= shelves[i].most_bytes) return &shelves[i];
  return NULL;
}

static bool spare_put(const struct buf *b) {
  struct shelf *s = keeps_spare ? shelf_of(b->cap) : NULL;
  if (s == NULL || s->count == sizeof s->bufs / sizeof *s->bufs || s->bytes + b->cap > s->all_bytes) return false;
  s->bufs[s->count++] = *b;
  s->bytes += b->cap;
  return true;
}

/* One that fits without wasting more than three times its use. */
static bool spare_take(struct buf *b, size_t need) {
  struct shelf *s = shelf_of(need);
  for (unsigned i = s != NULL ? s->count : 0; i-- > 0;) {
    struct buf found = s->bufs[i];
    if (found.cap < need || found.cap / 4 > need) continue;
    memmove(&s->bufs[i], &s->bufs[i + 1], (s->count - i - 1) * sizeof found);
    s->count--;
    s->bytes -= found.cap;
    *b = (struct buf){.ptr = found.ptr, .cap = found.cap};
    return true;
  }
  return false;
}

void buf_keep_spare(bool keep) {
  keeps_spare = keep;
  for (unsigned i = 0; !keep && i < SHELVES; i++) {
    while (shelves[i].count > 0) mem_free(shelves[i].bufs[--shelves[i].count].ptr);
    shelves[i].bytes = 0;
  }
}

void buf_done(struct buf *b) {
  if (!spare_put(b)) mem_free(b->ptr);
  *b = (struct buf){0};
}

char *buf_grow(struct buf *b, size_t bytes) {
  size_t need = b->len + bytes + BUF_SLACK;
  must(need >= bytes);
  if (b->ptr == NULL && spare_take(b, need)) return b->ptr;
  size_t cap = b->cap < 256 ? 256 : b->cap * 2;
  if (cap < need) cap = need;
  b->ptr = mem_resize(b->ptr, cap);
  b->cap = cap;
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

static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445"
    "46474849505152535455565758596061626364656667686970717273747576777879808182838485868788899091"
    "9293949596979899";

void digits_fill(char *at, uint64_t number, unsigned count) {
  for (; count >= 2; count -= 2, number /= 100) memcpy(at + count - 2, pairs + number % 100 * 2, 2);
  if (count > 0) *at = (char)('0' + number % 10);
}

size_t digits_u64(char *at, uint64_t number) {
  if (number < 10) {
    *at = (char)('0' + number);
    return 1;
  }
  unsigned count = 2;
  for (uint64_t limit = 100; number >= limit; limit *= 10)
    if (++count == 20) break;
  digits_fill(at, number, count);
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
