/* json_write: strings and keys of the JSON writer. Appends to the caller's buffer; any thread. Knows no structure: its
 * callers put the brackets and commas. */
#include "wire/json.h"
#include "wire/json_simd.h"
#include "wire/json_utf8.h"

enum { ESCAPE_BYTES = 6 }; /* "\u001f" */

static char *put_special(char *out, unsigned char c) {
  static const char hex[] = "0123456789abcdef";
  char letter = 0;
  switch (c) {
  case '"': letter = '"'; break;
  case '\\': letter = '\\'; break;
  case '\b': letter = 'b'; break;
  case '\f': letter = 'f'; break;
  case '\n': letter = 'n'; break;
  case '\r': letter = 'r'; break;
  case '\t': letter = 't'; break;
  default: break;
  }
  *out++ = '\\';
  if (letter) {
    *out++ = letter;
    return out;
  }
  memcpy(out, "u00", 3);
  out[3] = hex[c >> 4];
  out[4] = hex[c & 15];
  return out + 5;
}

/* What stands for the byte or bytes at `at`: an escape, a UTF-8 sequence, or U+FFFD for the longest start of one that
 * is broken off. Moves *at. `checked`: all is known to be UTF-8, and *at may be within a sequence. */
static char *put_one(char *out, const char **at, const char *end, bool checked) {
  unsigned char c = (unsigned char)**at;
  if (c == '"' || c == '\\' || c < 0x20) {
    (*at)++;
    return put_special(out, c);
  }
  if (c < 0x80 || checked) {
    (*at)++;
    *out = (char)c;
    return out + 1;
  }
  size_t bad, len = json_utf8_sequence(*at, (size_t)(end - *at), &bad);
  if (len > 0) {
    memcpy(out, *at, len);
    *at += len;
    return out + len;
  }
  *at += bad;
  memcpy(out, "\xef\xbf\xbd", 3);
  return out + 3;
}

enum { SHORT_BYTES = 48 };

/* Names and numbers as text: short, and nearly always without anything to escape. They are judged where they have been
 * copied to, for there a whole block may be read. */
static bool put_short(struct buf *out, struct slice s) {
  char *to = buf_reserve(out, SHORT_BYTES + JSON_BLOCK);
  memcpy(to + 1, s.ptr, s.len);
  for (size_t at = 0; at < s.len; at += JSON_BLOCK) {
    unsigned odd = json_mask_odd(to + 1 + at);
    if (odd != 0 && json_mask_first(odd) < s.len - at) return false;
  }
  *to = '"';
  to[s.len + 1] = '"';
  out->len += s.len + 2;
  return true;
}

void json_put_string(struct buf *out, struct slice s) {
  if (s.len > 0 && s.len <= SHORT_BYTES && put_short(out, s)) return;
  const char *at = s.ptr, *end = s.ptr + s.len;
  bool known = false, broken = false; /* known: the rest has been checked for UTF-8; broken: it is not */
  char *to = buf_reserve(out, s.len + 2 + ESCAPE_BYTES);
  /* Room for what is left as it is, its closing quote, and one escape: asked for again after each escape. */
  char *limit = out->ptr + out->cap - BUF_SLACK;
  *to++ = '"';
  while (at < end) {
    if (end - at >= JSON_BLOCK) {
      unsigned high, special = json_mask_special(at, &high);
      if (high != 0 && !known) {
        known = true;
        broken = !json_utf8_valid(slice_of(at, (size_t)(end - at)));
      }
      if (broken) special |= high;
      unsigned plain = special ? json_mask_first(special) : JSON_BLOCK;
      memcpy(to, at, JSON_BLOCK);
      at += plain;
      to += plain;
      if (special == 0) continue;
    }
    to = put_one(to, &at, end, known && !broken);
    if ((size_t)(limit - to) < (size_t)(end - at) + 1 + ESCAPE_BYTES) {
      out->len = (size_t)(to - out->ptr);
      to = buf_reserve(out, 2 * (size_t)(end - at) + 1 + ESCAPE_BYTES);
      limit = out->ptr + out->cap - BUF_SLACK;
    }
  }
  *to++ = '"';
  out->len = (size_t)(to - out->ptr);
}

void json_put_key(struct buf *out, const char *key) {
  size_t len = strlen(key);
  char *to = buf_reserve(out, len + 4);
  if (out->len > 0 && out->ptr[out->len - 1] != '{') *to++ = ',';
  *to++ = '"';
  memcpy(to, key, len);
  to += len;
  *to++ = '"';
  *to++ = ':';
  out->len = (size_t)(to - out->ptr);
}
