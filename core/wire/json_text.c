/* json_text: single values out of their raw text. Pure; any thread; allocates nothing. */
#include "wire/json.h"
#include "wire/json_simd.h"

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* The four hex digits at `at`, or -1. */
static int hex_unit(const char *at, const char *end) {
  int unit = 0;
  if (end - at < 4) return -1;
  for (int i = 0; i < 4; i++) {
    int digit = hex_value(at[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

static char *put_utf8(char *out, uint32_t point) {
  if (point < 0x80) {
    *out++ = (char)point;
  } else if (point < 0x800) {
    *out++ = (char)(0xc0 | point >> 6);
    *out++ = (char)(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    *out++ = (char)(0xe0 | point >> 12);
    *out++ = (char)(0x80 | (point >> 6 & 0x3f));
    *out++ = (char)(0x80 | (point & 0x3f));
  } else {
    *out++ = (char)(0xf0 | point >> 18);
    *out++ = (char)(0x80 | (point >> 12 & 0x3f));
    *out++ = (char)(0x80 | (point >> 6 & 0x3f));
    *out++ = (char)(0x80 | (point & 0x3f));
  }
  return out;
}

/* The character of a \u escape whose digits start at *at; moves *at past it, and past the second half of a pair. */
static bool unicode_escape(const char **at, const char *end, uint32_t *point) {
  int unit = hex_unit(*at, end);
  if (unit < 0) return false;
  *at += 4;
  *point = (uint32_t)unit;
  if (unit < 0xd800 || unit > 0xdfff) return true;
  *point = 0xfffd;
  if (unit > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u') return true;
  int second = hex_unit(*at + 2, end);
  if (second < 0xdc00 || second > 0xdfff) return true;
  *at += 6;
  *point = 0x10000 + (((uint32_t)unit - 0xd800) << 10) + ((uint32_t)second - 0xdc00);
  return true;
}

/* One escape behind its backslash. */
static bool put_escape(const char **at, const char *end, char **out) {
  uint32_t point;
  if (*at == end) return false;
  switch (*(*at)++) {
  case '"': *(*out)++ = '"'; return true;
  case '\\': *(*out)++ = '\\'; return true;
  case '/': *(*out)++ = '/'; return true;
  case 'b': *(*out)++ = '\b'; return true;
  case 'f': *(*out)++ = '\f'; return true;
  case 'n': *(*out)++ = '\n'; return true;
  case 'r': *(*out)++ = '\r'; return true;
  case 't': *(*out)++ = '\t'; return true;
  case 'u':
    if (!unicode_escape(at, end, &point)) return false;
    *out = put_utf8(*out, point);
    return true;
  default: return false;
  }
}

static bool is_string(struct slice raw) {
  return raw.len >= 2 && raw.ptr[0] == '"' && raw.ptr[raw.len - 1] == '"';
}

bool json_unquote(struct slice raw, char *out, size_t *out_len) {
  if (!is_string(raw)) return false;
  const char *at = raw.ptr + 1, *end = raw.ptr + raw.len - 1;
  char *begin = out;
  while (at < end) {
    unsigned high;
    /* A whole block fits in out: what is decoded so far is no longer than what was read for it. */
    if (end - at >= JSON_BLOCK) {
      unsigned special = json_mask_special(at, &high);
      memcpy(out, at, JSON_BLOCK);
      unsigned plain = special ? json_mask_first(special) : JSON_BLOCK;
      at += plain;
      out += plain;
      if (special == 0) continue;
    }
    unsigned char c = (unsigned char)*at++;
    if (c == '"' || c < 0x20) return false;
    if (c != '\\') *out++ = (char)c;
    else if (!put_escape(&at, end, &out)) return false;
  }
  *out_len = (size_t)(out - begin);
  return true;
}

bool json_plain(struct slice raw, struct slice *out) {
  if (!is_string(raw)) return false;
  *out = slice_of(raw.ptr + 1, raw.len - 2);
  return out->len == 0 || memchr(out->ptr, '\\', out->len) == NULL;
}

bool json_to_u64(struct slice raw, uint64_t *out) {
  if (raw.len > 1 && raw.ptr[0] == '0') return false;
  return slice_to_u64(raw, out);
}
