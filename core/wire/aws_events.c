/* aws_events: see aws_events.h. One thread a reader; the CRC tables are made before main. */
#include "wire/aws_events.h"

#include "base/must.h"

enum { PRELUDE_BYTES = 12, CRC_BYTES = 4, SMALLEST_BYTES = PRELUDE_BYTES + CRC_BYTES, UUID_BYTES = 16 };

/* crc_tables[n][b]: what byte b does to the CRC when n more zero bytes follow it; eight bytes go in one step. */
static uint32_t crc_tables[8][256];

__attribute__((constructor)) static void crc_tables_fill(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    crc_tables[0][byte] = crc;
  }
  for (int n = 1; n < 8; n++)
    for (uint32_t byte = 0; byte < 256; byte++) {
      uint32_t before = crc_tables[n - 1][byte];
      crc_tables[n][byte] = before >> 8 ^ crc_tables[0][before & 0xff];
    }
}

static uint32_t crc32_of(struct slice s) {
  const unsigned char *at = (const unsigned char *)s.ptr, *end = at + s.len;
  uint32_t crc = 0xffffffffu;
  for (; end - at >= 8; at += 8) {
    crc ^= (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    crc = crc_tables[7][crc & 0xff] ^ crc_tables[6][crc >> 8 & 0xff] ^ crc_tables[5][crc >> 16 & 0xff] ^
          crc_tables[4][crc >> 24] ^ crc_tables[3][at[4]] ^ crc_tables[2][at[5]] ^ crc_tables[1][at[6]] ^
          crc_tables[0][at[7]];
  }
  for (; at < end; at++) crc = crc >> 8 ^ crc_tables[0][(crc ^ *at) & 0xff];
  return ~crc;
}

static uint64_t get_big(const char *at, size_t bytes) {
  uint64_t number = 0;
  for (size_t i = 0; i < bytes; i++) number = number << 8 | (unsigned char)at[i];
  return number;
}

static void set_big(char *at, uint64_t number, size_t bytes) {
  for (size_t i = bytes; i-- > 0; number >>= 8) at[i] = (char)number;
}

static void put_big(struct buf *out, uint64_t number, size_t bytes) {
  set_big(buf_reserve(out, bytes), number, bytes);
  out->len += bytes;
}

void aws_events_init(struct aws_reader *r, size_t message_bytes_max) {
  *r = (struct aws_reader){.message_bytes_max = message_bytes_max};
}

void aws_events_done(struct aws_reader *r) {
  buf_done(&r->held);
}

/* Bytes of a value of a fixed size, or of the length before one of variable size. */
static size_t value_width(unsigned type) {
  static const uint8_t widths[] = {0, 0, 1, 2, 4, 8, 2, 2, 8, UUID_BYTES};
  return widths[type];
}

bool aws_header_next(struct slice *headers, struct aws_header *out) {
  struct slice rest = *headers;
  size_t name_len = rest.len > 0 ? (unsigned char)rest.ptr[0] : 0;
  if (name_len == 0 || rest.len < 1 + name_len + 1) return false;
  unsigned type = (unsigned char)rest.ptr[1 + name_len];
  if (type > AWS_UUID) return false;
  *out = (struct aws_header){.name = slice_of(rest.ptr + 1, name_len), .type = type};
  rest = slice_from(rest, 1 + name_len + 1);
  size_t width = value_width(type);
  if (rest.len < width) return false;
  if (type == AWS_BYTES || type == AWS_STRING) {
    size_t len = get_big(rest.ptr, width);
    rest = slice_from(rest, width);
    if (rest.len < len) return false;
    width = len;
  } else if (type <= AWS_FALSE) {
    out->number = type == AWS_TRUE;
  } else if (type != AWS_UUID) {
    unsigned spare = 64 - 8 * (unsigned)width; /* widens the sign */
    out->number = (int64_t)(get_big(rest.ptr, width) << spare) >> spare;
  }
  if (type == AWS_BYTES || type == AWS_STRING || type == AWS_UUID) out->value = slice_of(rest.ptr, width);
  *headers = slice_from(rest, width);
  return true;
}

static bool read_headers(struct aws_event *e) {
  struct slice left = e->headers, name = {0}, exception = {0}, code = {0};
  struct aws_header h;
  while (left.len > 0) {
    if (!aws_header_next(&left, &h)) return false;
    if (h.type != AWS_STRING) continue;
    if (slice_eq(h.name, SLICE(":message-type"))) e->kind = h.value;
    else if (slice_eq(h.name, SLICE(":event-type"))) name = h.value;
    else if (slice_eq(h.name, SLICE(":exception-type"))) exception = h.value;
    else if (slice_eq(h.name, SLICE(":error-code"))) code = h.value;
    else if (slice_eq(h.name, SLICE(":error-message"))) e->message = h.value;
    else if (slice_eq(h.name, SLICE(":content-type"))) e->content_type = h.value;
  }
  e->name = name.len ? name : exception.len ? exception : code;
  return true;
}

/* Checks the prelude at `at` and gives the message's length. */
static enum aws_verdict read_prelude(struct aws_reader *r, const char *at, size_t *total) {
  *total = get_big(at, 4);
  size_t headers = get_big(at + 4, 4);
  r->why = NULL;
  if (get_big(at + 8, CRC_BYTES) != crc32_of(slice_of(at, 8))) r->why = "the CRC of a prelude is wrong";
  else if (*total < SMALLEST_BYTES || headers > *total - SMALLEST_BYTES) r->why = "the lengths of a message disagree";
  else if (*total > r->message_bytes_max) return AWS_TOO_LARGE;
  return r->why ? AWS_BROKEN : AWS_EVENT;
}

static enum aws_verdict read_message(struct aws_reader *r, struct slice raw, struct aws_event *out) {
  size_t headers = get_big(raw.ptr + 4, 4);
  struct slice signed_part = slice_of(raw.ptr, raw.len - CRC_BYTES);
  r->why = NULL;
  *out = (struct aws_event){.headers = slice_of(raw.ptr + PRELUDE_BYTES, headers),
                            .payload = slice_from(signed_part, PRELUDE_BYTES + headers),
                            .raw = raw};
  if (get_big(signed_part.ptr + signed_part.len, CRC_BYTES) != crc32_of(signed_part))
    r->why = "the CRC of a message is wrong";
  else if (!read_headers(out)) r->why = "a header of a message is malformed";
  return r->why ? AWS_BROKEN : AWS_EVENT;
}

/* Moves bytes from *in to held until it has `bytes` of them. */
static bool gather(struct aws_reader *r, struct slice *in, size_t bytes) {
  size_t missing = bytes > r->held.len ? bytes - r->held.len : 0;
  size_t taken = missing < in->len ? missing : in->len;
  buf_append(&r->held, in->ptr, taken);
  *in = slice_from(*in, taken);
  return taken == missing;
}

enum aws_verdict aws_events_next(struct aws_reader *r, struct slice *in, struct aws_event *out) {
  size_t total;
  enum aws_verdict verdict;
  if (r->given) r->held.len = 0;
  r->given = false;
  if (r->held.len == 0 && in->len >= PRELUDE_BYTES) {
    verdict = read_prelude(r, in->ptr, &total);
    if (verdict != AWS_EVENT) return verdict;
    if (in->len >= total) {
      struct slice raw = slice_of(in->ptr, total);
      *in = slice_from(*in, total);
      return read_message(r, raw, out);
    }
  }
  if (r->held.len == 0 && in->len == 0) {
    buf_done(&r->held);
    return AWS_MORE;
  }
  if (!gather(r, in, PRELUDE_BYTES)) return AWS_MORE;
  verdict = read_prelude(r, r->held.ptr, &total);
  if (verdict != AWS_EVENT) return verdict;
  if (!gather(r, in, total)) return AWS_MORE;
  r->given = true;
  return read_message(r, buf_view(&r->held), out);
}

bool aws_events_ended_whole(const struct aws_reader *r) {
  return r->held.len == 0 || r->given;
}

static void put_header(struct buf *out, const struct aws_header *h) {
  must(h->name.len > 0 && h->name.len <= UINT8_MAX);
  buf_byte(out, (char)h->name.len);
  buf_slice(out, h->name);
  buf_byte(out, (char)h->type);
  switch (h->type) {
  case AWS_BYTES:
  case AWS_STRING:
    must(h->value.len <= UINT16_MAX);
    put_big(out, h->value.len, 2);
    buf_slice(out, h->value);
    break;
  case AWS_UUID:
    must(h->value.len == UUID_BYTES);
    buf_slice(out, h->value);
    break;
  default: put_big(out, (uint64_t)h->number, value_width(h->type));
  }
}

void aws_events_put(struct buf *out, const struct aws_header *headers, size_t count, struct slice payload) {
  size_t begin = out->len;
  put_big(out, 0, PRELUDE_BYTES);
  for (size_t i = 0; i < count; i++) put_header(out, &headers[i]);
  size_t headers_bytes = out->len - begin - PRELUDE_BYTES;
  buf_slice(out, payload);
  size_t total = out->len - begin + CRC_BYTES;
  must(total <= UINT32_MAX);
  set_big(out->ptr + begin, total, 4);
  set_big(out->ptr + begin + 4, headers_bytes, 4);
  set_big(out->ptr + begin + 8, crc32_of(slice_of(out->ptr + begin, 8)), CRC_BYTES);
  put_big(out, crc32_of(slice_of(out->ptr + begin, out->len - begin)), CRC_BYTES);
}

enum { JSON_HEADERS = 3 };

static void set_json_headers(struct aws_header headers[JSON_HEADERS], bool is_exception, struct slice name) {
  headers[0] = (struct aws_header){
      .name = is_exception ? SLICE(":exception-type") : SLICE(":event-type"), .type = AWS_STRING, .value = name};
  headers[1] =
      (struct aws_header){.name = SLICE(":content-type"), .type = AWS_STRING, .value = SLICE("application/json")};
  headers[2] = (struct aws_header){
      .name = SLICE(":message-type"), .type = AWS_STRING, .value = is_exception ? SLICE("exception") : SLICE("event")};
}

void aws_events_put_json(struct buf *out, bool is_exception, struct slice name, struct slice json) {
  struct aws_header headers[JSON_HEADERS];
  set_json_headers(headers, is_exception, name);
  aws_events_put(out, headers, JSON_HEADERS, json);
}

size_t aws_events_json_bytes(bool is_exception, struct slice name, struct slice json) {
  struct aws_header headers[JSON_HEADERS];
  size_t bytes = PRELUDE_BYTES + json.len + CRC_BYTES;
  set_json_headers(headers, is_exception, name);
  for (unsigned i = 0; i < JSON_HEADERS; i++) bytes += 1 + headers[i].name.len + 1 + 2 + headers[i].value.len;
  return bytes;
}
