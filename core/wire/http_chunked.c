/* http_chunked: the chunked transfer coding, a byte at a time but for the data (RFC 9112 section 7.1). Pure; one
 * decoder, one thread. No blanks anywhere in a size line (the RFC lets a recipient refuse BWS), no bare LF, no sign,
 * no 0x.
 *
 *     SIZE ─▶ (EXT_* …) ─▶ SIZE_LF ─▶ DATA ─▶ DATA_CR ─▶ DATA_LF ─▶ SIZE
 *                             └─ size 0 ─▶ TRAILER ─▶ NAME ─▶ FIELD ─▶ FIELD_LF ─▶ TRAILER
 *                                             └─ CR ─▶ LAST_LF ─▶ END
 */
#include "wire/http_fields.h"

enum {
  SIZE, /* must be 0: {0} is the start state */
  SIZE_LF,
  EXT_NAME_START,
  EXT_NAME,
  EXT_VALUE_START,
  EXT_TOKEN,
  EXT_QUOTED,
  EXT_ESCAPED,
  EXT_AFTER_QUOTED,
  DATA,
  DATA_CR,
  DATA_LF,
  TRAILER,
  TRAILER_NAME,
  TRAILER_FIELD,
  TRAILER_LF,
  LAST_LF,
  END,
  BROKEN
};

enum { SIZE_DIGITS_MAX = 16, SIZE_LINE_BYTES_MAX = 256, TRAILER_BYTES_MAX = 8 * 1024 };

static const char *size_byte(struct http_chunked *c, char byte) {
  int digit = http_hex_value(byte);
  if (digit >= 0) {
    if (c->line > SIZE_DIGITS_MAX || c->left > (uint64_t)INT64_MAX >> 4) return "a chunk size that is too large";
    c->left = c->left << 4 | (unsigned)digit;
    return NULL;
  }
  if (c->line == 1 || (byte != '\r' && byte != ';')) return "a chunk size that is not plain hexadecimal";
  c->state = byte == '\r' ? SIZE_LF : EXT_NAME_START;
  return NULL;
}

static const char *extension_byte(struct http_chunked *c, char byte) {
  static const char bad[] = "a chunk extension that is not name or name=value";
  bool token = http_byte_is(byte, HTTP_BYTE_TOKEN), ends = byte == '\r' || byte == ';';
  unsigned after = byte == '\r' ? SIZE_LF : EXT_NAME_START;
  switch (c->state) {
  case EXT_NAME_START: c->state = EXT_NAME; return token ? NULL : bad;
  case EXT_NAME:
    if (ends) c->state = (uint8_t)after;
    else if (byte == '=') c->state = EXT_VALUE_START;
    else if (!token) return bad;
    return NULL;
  case EXT_VALUE_START: c->state = byte == '"' ? EXT_QUOTED : EXT_TOKEN; return token || byte == '"' ? NULL : bad;
  case EXT_TOKEN:
    if (ends) c->state = (uint8_t)after;
    else if (!token) return bad;
    return NULL;
  case EXT_QUOTED:
    if (byte == '"') c->state = EXT_AFTER_QUOTED;
    else if (byte == '\\') c->state = EXT_ESCAPED;
    return http_byte_is(byte, HTTP_BYTE_VALUE) ? NULL : bad;
  case EXT_ESCAPED: c->state = EXT_QUOTED; return http_byte_is(byte, HTTP_BYTE_VALUE) ? NULL : bad;
  default: /* EXT_AFTER_QUOTED */ c->state = (uint8_t)after; return ends ? NULL : bad;
  }
}

static const char *trailer_byte(struct http_chunked *c, char byte) {
  switch (c->state) {
  case TRAILER:
    c->state = byte == '\r' ? LAST_LF : TRAILER_NAME;
    return byte == '\r' || http_byte_is(byte, HTTP_BYTE_TOKEN) ? NULL : "a trailer line without a name";
  case TRAILER_NAME:
    if (byte == ':') c->state = TRAILER_FIELD;
    return byte == ':' || http_byte_is(byte, HTTP_BYTE_TOKEN) ? NULL : "a trailer line that is not name: value";
  case TRAILER_FIELD:
    if (byte == '\r') c->state = TRAILER_LF;
    return byte == '\r' || http_byte_is(byte, HTTP_BYTE_VALUE) ? NULL : "a control byte in a trailer";
  case TRAILER_LF: c->state = TRAILER; return byte == '\n' ? NULL : "a CR that is not followed by LF in a trailer";
  default: /* LAST_LF */
    c->state = END;
    return byte == '\n' ? NULL : "a CR that is not followed by LF behind the last chunk";
  }
}

/* One byte outside of data. Returns what is wrong with it, or NULL. */
static const char *step(struct http_chunked *c, char byte) {
  switch (c->state) {
  case SIZE: return size_byte(c, byte);
  case SIZE_LF:
    c->state = c->left > 0 ? DATA : TRAILER;
    c->line = 0;
    return byte == '\n' ? NULL : "a CR that is not followed by LF in a chunk's size line";
  case DATA_CR: c->state = DATA_LF; return byte == '\r' ? NULL : "a chunk that does not end where its size says";
  case DATA_LF:
    c->state = SIZE;
    c->line = 0;
    return byte == '\n' ? NULL : "a chunk that does not end where its size says";
  case TRAILER:
  case TRAILER_NAME:
  case TRAILER_FIELD:
  case TRAILER_LF:
  case LAST_LF: return trailer_byte(c, byte);
  default: return extension_byte(c, byte);
  }
}

static enum http_chunk refuse(struct http_chunked *c, struct http_refusal *why, uint16_t status, const char *text) {
  c->state = BROKEN;
  http_refuse(why, status, text);
  return HTTP_CHUNK_REFUSED;
}

enum http_chunk http_chunked_next(struct http_chunked *c, struct slice *in, struct slice *data,
                                  struct http_refusal *why) {
  if (c->state == BROKEN) return refuse(c, why, 400, "a chunked body that was refused before");
  for (;;) {
    if (c->state == END) return HTTP_CHUNK_END;
    if (in->len == 0) return HTTP_CHUNK_MORE;
    if (c->state == DATA) {
      *data = slice_of(in->ptr, c->left < in->len ? (size_t)c->left : in->len);
      *in = slice_from(*in, data->len);
      c->left -= data->len;
      if (c->left == 0) c->state = DATA_CR;
      return HTTP_CHUNK_DATA;
    }
    bool in_trailer = c->state >= TRAILER;
    if (++c->line > (in_trailer ? TRAILER_BYTES_MAX : SIZE_LINE_BYTES_MAX))
      return in_trailer ? refuse(c, why, 431, "the trailers are too large")
                        : refuse(c, why, 400, "a chunk's size line that is too long");
    const char *wrong = step(c, *in->ptr);
    *in = slice_from(*in, 1);
    if (wrong != NULL) return refuse(c, why, 400, wrong);
  }
}

size_t http_chunk_head(char *at, uint64_t bytes) {
  static const char digits[] = "0123456789abcdef";
  size_t count = 1;
  while (count < 16 && bytes >> (4 * count) != 0) count++;
  for (size_t i = 0; i < count; i++) at[i] = digits[bytes >> (4 * (count - 1 - i)) & 15];
  memcpy(at + count, "\r\n", 2);
  return count + 2;
}
