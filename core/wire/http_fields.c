/* http_fields: field lines of both parsers. Pure; any thread. Does not know whether it reads a request. */
#include "wire/http_fields.h"

#define TOKEN HTTP_BYTE_TOKEN
#define VALUE HTTP_BYTE_VALUE
#define TARGET HTTP_BYTE_TARGET
#define HOST HTTP_BYTE_HOST

const uint8_t http_byte_classes[256] = {
    ['\t'] = VALUE,
    [' '] = VALUE,
    ['!'] = TOKEN | VALUE | TARGET,
    ['"'] = VALUE | TARGET,
    ['#'] = TOKEN | VALUE,
    ['$' ... '\''] = TOKEN | VALUE | TARGET,
    ['(' ... ')'] = VALUE | TARGET,
    ['*' ... '+'] = TOKEN | VALUE | TARGET,
    [','] = VALUE | TARGET,
    ['-' ... '.'] = TOKEN | VALUE | TARGET | HOST,
    ['/'] = VALUE | TARGET,
    ['0' ... '9'] = TOKEN | VALUE | TARGET | HOST,
    [':' ... '@'] = VALUE | TARGET,
    ['A' ... 'Z'] = TOKEN | VALUE | TARGET | HOST,
    ['[' ... ']'] = VALUE | TARGET,
    ['^'] = TOKEN | VALUE | TARGET,
    ['_'] = TOKEN | VALUE | TARGET | HOST,
    ['`'] = TOKEN | VALUE | TARGET,
    ['a' ... 'z'] = TOKEN | VALUE | TARGET | HOST,
    ['{'] = VALUE | TARGET,
    ['|'] = TOKEN | VALUE | TARGET,
    ['}'] = VALUE | TARGET,
    ['~'] = TOKEN | VALUE | TARGET | HOST,
    [0x80 ... 0xff] = VALUE,
};

static bool bytes_are(const char *at, size_t len, unsigned class) {
  for (size_t i = 0; i < len; i++)
    if (!http_byte_is(at[i], class)) return false;
  return true;
}

bool http_is_token(struct slice s) {
  return s.len > 0 && bytes_are(s.ptr, s.len, TOKEN);
}

static bool is_blank(char byte) {
  return byte == ' ' || byte == '\t';
}

#ifdef __SSE2__
#include <emmintrin.h>

enum { BLOCK = 16 };

static __m128i between(__m128i bytes, char low, char high) {
  return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8((char)(low - 1))),
                       _mm_cmplt_epi8(bytes, _mm_set1_epi8((char)(high + 1))));
}

/* Behind the letters, digits and dashes that a name begins with, nearly always all of it. */
static const char *skip_plain_name(const char *at, const char *end) {
  for (; end - at >= BLOCK; at += BLOCK) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i plain = between(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z');
    plain = _mm_or_si128(plain, _mm_or_si128(between(bytes, '0', '9'), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-'))));
    unsigned other = (unsigned)_mm_movemask_epi8(plain) ^ 0xffff;
    if (other != 0) return at + __builtin_ctz(other);
  }
  return at;
}

/* The first byte that is below 0x20 or 0x7f; within the last bytes before end it may be one that is neither. */
static const char *skip_visible(const char *at, const char *end) {
  for (; end - at >= BLOCK; at += BLOCK) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    unsigned found = (unsigned)_mm_movemask_epi8(_mm_or_si128(control, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f))));
    if (found != 0) return at + __builtin_ctz(found);
  }
  return at;
}
#else
static const char *skip_plain_name(const char *at, const char *end) {
  (void)end;
  return at;
}

static const char *skip_visible(const char *at, const char *end) {
  (void)end;
  return at;
}
#endif

/* Nonzero when one of eight bytes is below 0x20 or is 0x7f. */
static uint64_t controls_in(const char *at) {
  const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
  uint64_t block;
  memcpy(&block, at, sizeof block);
  uint64_t deletes = block ^ (ones * 0x7f);
  return (((block - ones * 0x20) & ~block) | ((deletes - ones) & ~deletes)) & tops;
}

/* Eight bytes at a time, the last eight overlapping; a tab looks like a control and sends us to the slow way. */
static bool value_is_clean(const char *at, size_t len) {
  if (len < 8) return bytes_are(at, len, VALUE);
  for (size_t i = 0; i + 8 < len; i += 8)
    if (controls_in(at + i)) return bytes_are(at, len, VALUE);
  return !controls_in(at + len - 8) || bytes_are(at, len, VALUE);
}

bool http_is_field_value(struct slice s) {
  if (s.len == 0) return true;
  return !is_blank(s.ptr[0]) && !is_blank(s.ptr[s.len - 1]) && value_is_clean(s.ptr, s.len);
}

bool http_length_of(struct slice value, uint64_t *out) {
  if (value.len > 1 && value.ptr[0] == '0') return false;
  return slice_to_u64(value, out) && *out <= INT64_MAX;
}

static bool is_word(struct slice s, const char *lower_case) {
  for (size_t i = 0; i < s.len; i++)
    if ((s.ptr[i] | 0x20) != lower_case[i]) return false;
  return true;
}

/* Connection is a list of options, RFC 9110 7.6.1. */
static void read_connection(struct slice value, struct http_framing *framing) {
  while (value.len > 0) {
    ptrdiff_t comma = slice_find_byte(value, ',');
    struct slice option = slice_trim(comma < 0 ? value : slice_of(value.ptr, (size_t)comma));
    if (option.len == 5 && is_word(option, "close")) framing->close = true;
    if (option.len == 10 && is_word(option, "keep-alive")) framing->keep_alive = true;
    value = comma < 0 ? slice_of(NULL, 0) : slice_from(value, (size_t)comma + 1);
  }
}

static void note_framing(struct slice name, struct slice value, struct http_head *out, struct http_framing *framing) {
  switch (name.len) {
  case 4:
    if (!is_word(name, "host")) return;
    if (framing->hosts++ == 0) out->host = value;
    return;
  case 6:
    if ((name.ptr[0] | 0x20) != 'e' || !is_word(name, "expect")) return;
    if (framing->expects++ == 0) framing->expect = value;
    return;
  case 10:
    if ((name.ptr[0] | 0x20) == 'c' && is_word(name, "connection")) read_connection(value, framing);
    return;
  case 14:
    if ((name.ptr[0] | 0x20) != 'c' || !is_word(name, "content-length")) return;
    if (framing->lengths++ == 0) framing->length = value;
    else if (!slice_eq(framing->length, value)) framing->lengths_differ = true;
    return;
  case 17:
    if ((name.ptr[0] | 0x20) != 't' || !is_word(name, "transfer-encoding")) return;
    if (framing->codings++ == 0) framing->coding = value;
    return;
  default: return;
  }
}

static enum http_verdict refuse_name(const char *line, const char *at, struct http_refusal *why) {
  if (at == line && is_blank(*at)) return http_refuse(why, 400, "a header line that begins with a blank");
  if (at == line && *at == ':') return http_refuse(why, 400, "a header without a name");
  if (is_blank(*at)) return http_refuse(why, 400, "a blank before the colon of a header");
  if (*at == '\r' || *at == '\n') return http_refuse(why, 400, "a header line without a colon");
  return http_refuse(why, 400, "a byte that is not allowed in a header name");
}

enum http_verdict http_fields_read(const char *at, const char *end, unsigned headers_max, struct http_head *out,
                                   struct http_framing *framing, const char **after, struct http_refusal *why) {
  unsigned count = 0;
  for (;;) {
    const char *line = at;
    if (end - at >= 2 && at[0] == '\r' && at[1] == '\n') {
      out->header_count = (uint16_t)count;
      *after = at + 2;
      return HTTP_COMPLETE;
    }
    /* Nearly every line is a plain name, a colon, and bytes up to a CR LF without a control between them. */
    const char *lf = NULL;
    at = skip_plain_name(line, end);
    const char *cr = skip_visible(at, end);
    bool is_clean = end - cr >= 2 && cr[0] == '\r' && cr[1] == '\n';
    if (is_clean) lf = cr + 1;
    else if ((lf = memchr(line, '\n', (size_t)(end - line))) == NULL) return HTTP_MORE;
    if (lf == line || lf[-1] != '\r') return http_refuse(why, 400, "a line that ends with LF without CR");
    while (http_byte_is(*at, HTTP_BYTE_TOKEN)) at++;
    if (*at != ':' || at == line) return refuse_name(line, at, why);
    struct slice name = {line, (size_t)(at - line)};
    const char *stop = lf - 1;
    at++;
    while (at < stop && is_blank(*at)) at++;
    while (stop > at && is_blank(stop[-1])) stop--;
    struct slice value = {at, (size_t)(stop - at)};
    if (!is_clean && !value_is_clean(value.ptr, value.len))
      return http_refuse(why, 400, "a control byte in a header value");
    if (count == headers_max) return http_refuse(why, 431, "too many headers");
    out->headers[count++] = (struct http_header){name, value};
    note_framing(name, value, out, framing);
    at = lf + 1;
  }
}

enum http_verdict http_unfinished(const char *start, size_t scanned, const char *end, struct http_refusal *why) {
  const char *from = scanned > 0 ? start + scanned - 1 : start;
  const char *lf = memrchr(from, '\n', (size_t)(end - from));
  if (lf != NULL) from = lf + 1;
  const char *cr = memchr(from, '\r', (size_t)(end - from));
  return cr == NULL || cr + 1 == end ? HTTP_MORE : http_refuse(why, 400, "a CR that is not followed by LF");
}
