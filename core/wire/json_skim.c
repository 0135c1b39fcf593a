/* json_skim: strict validation of a whole text (RFC 8259) and its top-level fields, in one pass without an index: what
 * every request and every whole answer goes through. Strings, which are nearly all of a prompt, are taken 64 bytes at a
 * time with their escapes judged in the same step; the rest is a plain recursive descent. Any thread; allocates only
 * for more than KEYS_KEPT top-level keys or for escaped ones. It decodes nothing and builds nothing.
 *
 * Reads up to JSON_PADDING bytes behind the text, and believes none of them. */
#include <stdlib.h>

#include "base/memory.h"
#include "wire/json_cursor.h"
#include "wire/json_keys.h"
#include "wire/json_simd.h"
#include "wire/json_utf8.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

#define ALWAYS_INLINE inline __attribute__((always_inline))

enum { KEYS_KEPT = 32 };

struct skim {
  const char *text, *end;
  const char *(*string_end)(struct skim *s, const char *at);
  struct json_fault *fault;
  struct json_keys *keys; /* to look out for below the top level; NULL: none */
  const char *opened;     /* the quote of the string that is read */
  bool high;              /* bytes from 0x80 on were seen within strings */
};

static const char *fail(struct skim *s, const char *at, const char *why) {
  if (s->fault != NULL) *s->fault = (struct json_fault){(size_t)((at < s->end ? at : s->end) - s->text), why};
  return NULL;
}

/* ---- strings ------------------------------------------------------------------------------------------------ */

/* Bit i tells of byte i of a block of 64. */
struct masks {
  uint64_t quote, backslash, control, high;
};

static bool hex_digits(const struct skim *s, const char *at) {
  if (at + 4 > s->end) return false;
  for (unsigned i = 0; i < 4; i++) {
    char c = at[i];
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) return false;
  }
  return true;
}

/* Which bytes of the block stand behind a backslash that is not itself escaped. carry: the last byte of the block
 * before was such a backslash. Runs of backslashes are told apart by where they begin, even or odd (Langdale and
 * Lemire, "Parsing gigabytes of JSON per second", section 3.1.1); in most blocks there is none, and nothing to tell. */
static ALWAYS_INLINE uint64_t escaped_bytes(uint64_t backslash, uint64_t *carry) {
  const uint64_t even = UINT64_C(0x5555555555555555);
  uint64_t follows = backslash << 1 | *carry, odd_starts, even_runs;
  if ((backslash & follows) == 0) {
    *carry = backslash >> 63;
    return follows;
  }
  backslash &= ~*carry;
  follows = backslash << 1 | *carry;
  odd_starts = backslash & ~even & ~follows;
  *carry = __builtin_add_overflow(odd_starts, backslash, &even_runs);
  return (even ^ even_runs << 1) & follows;
}

static const char *not_closed(struct skim *s) {
  return fail(s, s->opened, "a string that is not closed");
}

/* Whether what looked bad in the block at `at` is not: \u with its digits. escaped: which of it stands behind a
 * backslash. Looks no further than to the first fault. */
static __attribute__((noinline)) bool is_good(struct skim *s, const char *at, uint64_t bad, uint64_t escaped) {
  for (; bad != 0; bad &= bad - 1) {
    const char *where = at + __builtin_ctzll(bad);
    bool of_escape = (escaped & bad & -bad) != 0;
    if (where >= s->end) return true;
    if (!of_escape) return fail(s, where, "a control character within a string") != NULL;
    if (*where != 'u') return fail(s, where - 1, "an escape that JSON does not have") != NULL;
    if (!hex_digits(s, where + 1)) return fail(s, where - 1, "a \\u without four hex digits") != NULL;
  }
  return true;
}

/* From within a string to its closing quote. look: the masks of a block; false when all are empty. letters: which of a
 * block's bytes are one of "\/bfnrt, and so may stand behind a backslash. */
static ALWAYS_INLINE const char *string_blocks(struct skim *s, const char *at,
                                               bool (*look)(const char *, struct masks *),
                                               uint64_t (*letters)(const char *)) {
  uint64_t carry = 0, high = 0;
  for (;; at += 64) {
    struct masks m;
    if (look(at, &m) || carry != 0) {
      uint64_t quote = m.quote, bad = m.control, escaped = 0;
      if ((m.backslash | carry) != 0) {
        escaped = escaped_bytes(m.backslash, &carry);
        quote &= ~escaped;
        bad |= escaped & ~letters(at);
      }
      uint64_t inside = quote ^ (quote - 1); /* to the closing quote; all of the block when it is not there */
      high |= m.high & inside;
      if ((bad & inside) != 0 && !is_good(s, at, bad & inside, escaped)) return NULL;
      if (quote != 0) {
        const char *close = at + __builtin_ctzll(quote);
        if (high != 0) s->high = true;
        return close < s->end ? close : not_closed(s);
      }
    }
    if (at + 64 >= s->end) return not_closed(s);
  }
}

static bool look_plain(const char *at, struct masks *out) {
  struct masks m = {0};
  for (unsigned i = 0; i < 64; i++) {
    unsigned char c = (unsigned char)at[i];
    uint64_t bit = UINT64_C(1) << i;
    if (c == '"') m.quote |= bit;
    if (c == '\\') m.backslash |= bit;
    if (c < 0x20) m.control |= bit;
    if (c >= 0x80) m.high |= bit;
  }
  *out = m;
  return (m.quote | m.backslash | m.control | m.high) != 0;
}

static uint64_t letters_plain(const char *at) {
  uint64_t found = 0;
  for (unsigned i = 0; i < 64; i++)
    if (at[i] != 0 && strchr("\"\\/bfnrt", at[i]) != NULL) found |= UINT64_C(1) << i;
  return found;
}

static const char *string_end_plain(struct skim *s, const char *at) {
  return string_blocks(s, at, look_plain, letters_plain);
}

#ifdef __x86_64__
#define AVX2 __attribute__((target("avx2,bmi,lzcnt")))

AVX2 static ALWAYS_INLINE uint64_t mask_of(__m256i low, __m256i high) {
  return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

AVX2 static ALWAYS_INLINE bool look_avx2(const char *at, struct masks *m) {
  const __m256i quote = _mm256_set1_epi8('"'), backslash = _mm256_set1_epi8('\\'), control = _mm256_set1_epi8(0x1f);
  __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)at);
  __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(at + 32));
  __m256i quote_a = _mm256_cmpeq_epi8(a, quote), quote_b = _mm256_cmpeq_epi8(b, quote);
  __m256i backslash_a = _mm256_cmpeq_epi8(a, backslash), backslash_b = _mm256_cmpeq_epi8(b, backslash);
  __m256i control_a = _mm256_cmpeq_epi8(_mm256_min_epu8(a, control), a);
  __m256i control_b = _mm256_cmpeq_epi8(_mm256_min_epu8(b, control), b);
  __m256i any_a = _mm256_or_si256(_mm256_or_si256(quote_a, backslash_a), _mm256_or_si256(control_a, a));
  __m256i any_b = _mm256_or_si256(_mm256_or_si256(quote_b, backslash_b), _mm256_or_si256(control_b, b));
  *m = (struct masks){0};
  if (_mm256_movemask_epi8(_mm256_or_si256(any_a, any_b)) == 0) return false;
  *m = (struct masks){mask_of(quote_a, quote_b), mask_of(backslash_a, backslash_b), mask_of(control_a, control_b),
                      mask_of(a, b)};
  return true;
}

/* Two look-ups by half a byte each; a byte is one of the letters when both give a common bit: 1 for 0x2_, 2 for 0x5_,
 * 4 for 0x6_, 8 for 0x7_. */
#define LETTERS_BY_LOW 0, 0, 1 | 4 | 8, 0, 8, 0, 4, 0, 0, 0, 0, 0, 2, 0, 4, 1
#define LETTERS_BY_HIGH 0, 0, 1, 0, 0, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0

AVX2 static ALWAYS_INLINE __m256i letters_of(__m256i bytes) {
  const __m256i by_low = _mm256_setr_epi8(LETTERS_BY_LOW, LETTERS_BY_LOW);
  const __m256i by_high = _mm256_setr_epi8(LETTERS_BY_HIGH, LETTERS_BY_HIGH);
  __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0f));
  __m256i both = _mm256_and_si256(_mm256_shuffle_epi8(by_low, bytes), _mm256_shuffle_epi8(by_high, high));
  return _mm256_cmpgt_epi8(both, _mm256_setzero_si256());
}

AVX2 static ALWAYS_INLINE uint64_t letters_avx2(const char *at) {
  return mask_of(letters_of(_mm256_loadu_si256((const __m256i *)(const void *)at)),
                 letters_of(_mm256_loadu_si256((const __m256i *)(const void *)(at + 32))));
}

AVX2 static const char *string_end_avx2(struct skim *s, const char *at) {
  return string_blocks(s, at, look_avx2, letters_avx2);
}

#define AVX512 __attribute__((target("avx512bw,avx512f,bmi,lzcnt")))

/* As signed numbers the bytes from 0x80 on are below 0x20, too: one comparison less while there is only prose. In mask
 * registers, where gcc would keep all this, the same steps take a third longer: the empty statements move it out. */
AVX512 static ALWAYS_INLINE bool look_avx512(const char *at, struct masks *m) {
  __m512i bytes = _mm512_loadu_si512(at);
  uint64_t quote = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"'));
  uint64_t backslash = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\'));
  uint64_t odd = _mm512_cmplt_epi8_mask(bytes, _mm512_set1_epi8(0x20));
  __asm__("" : "+r"(quote), "+r"(backslash), "+r"(odd));
  *m = (struct masks){0};
  if ((quote | backslash | odd) == 0) return false;
  uint64_t high = _mm512_movepi8_mask(bytes);
  __asm__("" : "+r"(high));
  *m = (struct masks){quote, backslash, odd & ~high, high};
  return true;
}

AVX512 static ALWAYS_INLINE uint64_t letters_avx512(const char *at) {
  const __m512i by_low = _mm512_broadcast_i32x4(_mm_setr_epi8(LETTERS_BY_LOW));
  const __m512i by_high = _mm512_broadcast_i32x4(_mm_setr_epi8(LETTERS_BY_HIGH));
  __m512i bytes = _mm512_loadu_si512(at);
  __m512i high = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), _mm512_set1_epi8(0x0f));
  return _mm512_test_epi8_mask(_mm512_shuffle_epi8(by_low, bytes), _mm512_shuffle_epi8(by_high, high));
}

AVX512 static const char *string_end_avx512(struct skim *s, const char *at) {
  return string_blocks(s, at, look_avx512, letters_avx512);
}
#endif

static enum json_width widest = JSON_WIDTH_AVX512;

void json_skim_at_most(enum json_width width) {
  widest = width;
}

static const char *(*string_end_here(void))(struct skim *s, const char *at) {
#ifdef __x86_64__
  if (widest >= JSON_WIDTH_AVX512 && __builtin_cpu_supports("avx512bw")) return string_end_avx512;
  if (widest >= JSON_WIDTH_AVX2 && __builtin_cpu_supports("avx2")) return string_end_avx2;
#endif
  return string_end_plain;
}

/* To the closing quote of the string that opens at `at`. Keys and most values of an answer are short and plain: they
 * end within a block or two, seen here; what is longer, or holds anything but printable ASCII, is taken in
 * large blocks from there. */
static ALWAYS_INLINE const char *string(struct skim *s, const char *at) {
  s->opened = at++;
  for (unsigned block = 0; block < 2; block++, at += JSON_BLOCK) {
    unsigned odd = json_mask_odd(at);
    if (odd == 0) continue;
    const char *first = at + json_mask_first(odd);
    if (*first == '"' && first < s->end) return first;
    break;
  }
  return at < s->end ? s->string_end(s, at) : fail(s, s->opened, "a string that is not closed");
}

/* ---- the rest of the grammar. Each takes the first byte of its value, and gives the byte behind it or NULL. */

/* Of a text that is set out in lines: what indents one. */
static const char *indent_end(const struct skim *s, const char *at) {
  unsigned blank = JSON_BLOCK;
  for (; blank == JSON_BLOCK && at < s->end; at += blank) blank = json_blanks_in_front(at);
  return at < s->end ? at : s->end;
}

/* None, or one, nearly always. At the end of the text one more may be passed by; nothing there is believed. */
static ALWAYS_INLINE const char *blanks(const struct skim *s, const char *at) {
  if ((unsigned char)*at > ' ') return at;
  return *at == ' ' && (unsigned char)at[1] > ' ' ? at + 1 : indent_end(s, at);
}

static ALWAYS_INLINE bool is_digit(const struct skim *s, const char *at) {
  return (unsigned char)(*at - '0') < 10 && at < s->end;
}

static ALWAYS_INLINE const char *digits(const struct skim *s, const char *at) {
  while (is_digit(s, at)) at++;
  return at;
}

/* NULL when the bytes at `at` are no number; a digit that a leading zero leaves over is none either. */
static const char *number_end(const struct skim *s, const char *at) {
  if (*at == '-') at++;
  if (!is_digit(s, at)) return NULL;
  at = *at == '0' ? at + 1 : digits(s, at);
  if (is_digit(s, at)) return NULL;
  if (at < s->end && *at == '.') {
    if (!is_digit(s, ++at)) return NULL;
    at = digits(s, at);
  }
  if (at < s->end && (*at == 'e' || *at == 'E')) {
    at++;
    if (at < s->end && (*at == '+' || *at == '-')) at++;
    if (!is_digit(s, at)) return NULL;
    at = digits(s, at);
  }
  return at;
}

static const char *word(struct skim *s, const char *at, const char *text, size_t len) {
  if ((size_t)(s->end - at) < len || memcmp(at, text, len) != 0) return fail(s, at, "neither true nor false nor null");
  return at + len;
}

/* The opening quote of a key → the first byte of its value. *close gets its closing quote. */
static ALWAYS_INLINE const char *key(struct skim *s, const char *at, const char **close) {
  if (at >= s->end) return fail(s, at, "ends too early");
  if (*at != '"') return fail(s, at, "a key is missing");
  if ((*close = string(s, at)) == NULL) return NULL;
  at = blanks(s, *close + 1);
  if (at >= s->end) return fail(s, at, "ends too early");
  if (*at != ':') return fail(s, at, "a ':' is missing after a key");
  return blanks(s, at + 1);
}

/* Behind an element: ',' → the next one's first byte; the closing bracket → the byte behind it, with *done. */
static ALWAYS_INLINE const char *next_element(struct skim *s, const char *at, char closer, bool *done) {
  at = blanks(s, at);
  if (at >= s->end) return fail(s, at, "ends too early");
  if (*at == ',') return blanks(s, at + 1);
  if (*at != closer) return fail(s, at, closer == '}' ? "neither ',' nor '}'" : "neither ',' nor ']'");
  *done = true;
  return at + 1;
}

/* Anything but an array or an object. */
static ALWAYS_INLINE const char *scalar(struct skim *s, const char *at) {
  switch (*at) {
  case '"': return (at = string(s, at)) != NULL ? at + 1 : NULL;
  case 't': return word(s, at, "true", 4);
  case 'f': return word(s, at, "false", 5);
  case 'n': return word(s, at, "null", 4);
  case '}':
  case ']':
  case ',':
  case ':': return fail(s, at, "a value is missing");
  default: break;
  }
  if (*at != '-' && (unsigned char)(*at - '0') >= 10) return fail(s, at, "not a value");
  const char *end = number_end(s, at);
  return end != NULL ? end : fail(s, at, "not a number");
}

static void look_at(struct json_keys *k, struct slice key, const char *value) {
  for (unsigned like = json_keys_like(k, key.ptr); like != 0; like &= like - 1) {
    struct json_sight *s = &k->wanted[__builtin_ctz(like)];
    if (s->value == NULL && slice_eq(s->key, key)) s->value = value;
  }
}

/* key() below the top level. */
static ALWAYS_INLINE const char *inner_key(struct skim *s, const char *opened) {
  const char *close, *at = key(s, opened, &close);
  if (s->keys != NULL && at != NULL && json_keys_may_be(s->keys, opened[1]))
    look_at(s->keys, slice_of(opened + 1, (size_t)(close - opened - 1)), at);
  return at;
}

/* Whatever the value holds, without recursion: of each array and object that is open a bit says which of them it is.
 * depth: how many are open around it. */
static const char *value(struct skim *s, const char *at, unsigned depth) {
  uint64_t objects[JSON_DEPTH_MAX / 64 + 1] = {0};
  unsigned open = 0;
  bool within_object = false;
  for (;;) {
    if (at >= s->end) return fail(s, at, depth + open == 0 ? "no value" : "ends too early");
    bool opens_object = *at == '{';
    if (opens_object || *at == '[') {
      if (depth + open >= JSON_DEPTH_MAX) return fail(s, at, "nested too deep");
      uint64_t bit = UINT64_C(1) << open % 64;
      if (within_object) objects[open / 64] |= bit;
      else objects[open / 64] &= ~bit;
      open++;
      within_object = opens_object;
      at = blanks(s, at + 1);
      if (at >= s->end || *at != (opens_object ? '}' : ']')) {
        if (opens_object && (at = inner_key(s, at)) == NULL) return NULL;
        continue;
      }
    } else if ((at = scalar(s, at)) == NULL) {
      return NULL;
    }
    /* Behind a value, or before the end of an empty one: what it is the last element of ends here, too. */
    for (;;) {
      if (open == 0) return at;
      bool done = false;
      if ((at = next_element(s, at, within_object ? '}' : ']', &done)) == NULL) return NULL;
      if (!done) break;
      open--;
      within_object = (objects[open / 64] >> open % 64 & 1) != 0;
    }
    if (within_object && (at = inner_key(s, at)) == NULL) return NULL;
  }
}

static struct skim skim_of(struct slice text, struct json_fault *fault) {
  if (fault != NULL) *fault = (struct json_fault){0, NULL};
  return (struct skim){text.ptr, text.ptr + text.len, string_end_here(), fault, NULL, NULL, false};
}

/* What can only be said at the end: nothing follows, and the strings are UTF-8. */
static bool ends_well(struct skim *s, const char *at) {
  at = blanks(s, at);
  if (at < s->end) return fail(s, at, "something behind the document") != NULL;
  struct slice text = slice_of(s->text, (size_t)(s->end - s->text));
  if (!s->high || json_utf8_valid(text)) return true;
  for (size_t i = 0, bad, len; i < text.len; i += len) {
    len = json_utf8_sequence(text.ptr + i, text.len - i, &bad);
    if (len == 0) return fail(s, text.ptr + i, "not UTF-8") != NULL;
  }
  return true;
}

const char *json_value_end(struct json_cursor *c) {
  enum { AROUND = 16 }; /* more than a caller enters */
  struct skim s = skim_of(slice_of(c->begin, (size_t)(c->end - c->begin)), NULL);
  const char *end = value(&s, c->at, AROUND);
  if (s.high) c->high = true;
  return end;
}

bool json_ended(const struct json_cursor *c) {
  if (c->is_broken || c->at != c->end) return false;
  return !c->high || json_utf8_valid(slice_of(c->begin, (size_t)(c->end - c->begin)));
}

bool json_valid(struct slice text, struct json_fault *fault) {
  struct skim s = skim_of(text, fault);
  const char *at = value(&s, blanks(&s, s.text), 0);
  return at != NULL && ends_well(&s, at);
}

/* ---- top-level fields ---------------------------------------------------------------------------------------- */

/* The keys seen so far, decoded, to find one that comes twice. */
struct seen_key {
  struct slice name;
  const char *at;
};

struct seen {
  struct seen_key few[KEYS_KEPT], *many; /* many: on the heap, once few is full */
  size_t count, cap;
  struct buf decoded[4]; /* escaped keys; more than four are refused as never meant well */
  unsigned decoded_count;
};

static void seen_done(struct seen *k) {
  mem_free(k->many);
  for (unsigned i = 0; i < k->decoded_count; i++) buf_done(&k->decoded[i]);
}

/* The key of a raw string; false when there are too many with escapes. */
static bool decode(struct seen *k, struct slice raw, struct slice *out) {
  struct slice inside = slice_of(raw.ptr + 1, raw.len - 2);
  *out = inside;
  if (slice_find_byte(inside, '\\') < 0) return true;
  if (k->decoded_count == sizeof k->decoded / sizeof *k->decoded) return false;
  struct buf *b = &k->decoded[k->decoded_count++];
  *b = (struct buf){0};
  if (!json_unquote(raw, buf_reserve(b, raw.len), &b->len)) return false;
  *out = buf_view(b);
  return true;
}

static int by_name(const void *a, const void *b) {
  const struct seen_key *x = a, *y = b;
  int order = slice_compare(x->name, y->name);
  return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

static void keep(struct seen *k, struct slice name, const char *at) {
  if (k->count < KEYS_KEPT) {
    k->few[k->count++] = (struct seen_key){name, at};
    return;
  }
  if (k->count >= k->cap) {
    k->cap = k->cap ? k->cap * 2 : 4 * KEYS_KEPT;
    k->many = mem_resize(k->many, k->cap * sizeof *k->many);
    if (k->count == KEYS_KEPT) memcpy(k->many, k->few, sizeof k->few);
  }
  k->many[k->count++] = (struct seen_key){name, at};
}

/* While there are few, each new key is compared with those before. */
static bool is_twin(const struct seen *k, struct slice name) {
  for (size_t i = 0; i < k->count && i < KEYS_KEPT; i++)
    if (slice_eq(k->few[i].name, name)) return true;
  return false;
}

static const char *fields_of(struct skim *s, const char *at, struct json_field *fields, size_t count,
                             struct seen *seen) {
  bool done = false;
  if (at >= s->end || *at != '{') return fail(s, at, "not an object");
  at = blanks(s, at + 1);
  if (at < s->end && *at == '}') return at + 1;
  while (!done) {
    const char *opened = at, *close, *from = key(s, at, &close), *to = from ? value(s, from, 1) : NULL;
    if (to == NULL) return NULL;
    struct slice name = slice_of(opened + 1, (size_t)(close - opened - 1));
    if (seen != NULL) {
      if (!decode(seen, slice_of(opened, name.len + 2), &name)) return fail(s, opened, "too many escaped keys");
      if (is_twin(seen, name)) return fail(s, opened, "a key that occurs twice");
      keep(seen, name, opened);
    }
    for (size_t i = 0; i < count; i++) {
      if (fields[i].raw.ptr != NULL || !slice_eq(fields[i].key, name)) continue;
      fields[i].raw = slice_of(from, (size_t)(to - from));
      fields[i].kind = *from == '{'   ? JSON_OBJECT
                       : *from == '[' ? JSON_ARRAY
                       : *from == '"' ? JSON_STRING
                       : *from == 't' ? JSON_TRUE
                       : *from == 'f' ? JSON_FALSE
                       : *from == 'n' ? JSON_NULL
                                      : JSON_NUMBER;
    }
    if ((at = next_element(s, to, '}', &done)) == NULL) return NULL;
  }
  return at;
}

/* Beyond KEYS_KEPT keys, sorting tells. */
static bool keys_differ(struct skim *s, struct seen *k) {
  if (k->count <= KEYS_KEPT) return true;
  qsort(k->many, k->count, sizeof *k->many, by_name);
  for (size_t i = 1; i < k->count; i++)
    if (slice_eq(k->many[i - 1].name, k->many[i].name))
      return fail(s, k->many[i].at, "a key that occurs twice") != NULL;
  return true;
}

static void clear(struct json_field *fields, size_t count) {
  for (size_t i = 0; i < count; i++) fields[i].raw = slice_of(NULL, 0);
}

bool json_scan(struct slice text, struct json_field *fields, size_t count, struct json_fault *fault) {
  struct skim s = skim_of(text, fault);
  struct seen seen;
  seen.many = NULL;
  seen.count = seen.cap = seen.decoded_count = 0;
  clear(fields, count);
  const char *at = fields_of(&s, blanks(&s, s.text), fields, count, &seen);
  bool ok = at != NULL && keys_differ(&s, &seen) && ends_well(&s, at);
  seen_done(&seen);
  return ok;
}

bool json_fields_looking(struct slice text, struct json_field *fields, size_t count, struct json_sight *sights,
                         size_t sight_count, struct json_fault *fault) {
  struct skim s = skim_of(text, fault);
  struct json_keys keys;
  if (sight_count > 0) {
    json_keys_init(&keys, sights, sight_count);
    s.keys = &keys;
  }
  clear(fields, count);
  const char *at = fields_of(&s, blanks(&s, s.text), fields, count, NULL);
  return at != NULL && ends_well(&s, at);
}

bool json_fields(struct slice text, struct json_field *fields, size_t count, struct json_fault *fault) {
  return json_fields_looking(text, fields, count, NULL, 0, fault);
}
