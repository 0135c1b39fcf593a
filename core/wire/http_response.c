/* http_response: the head of a response (RFC 9112 sections 4 and 6). Pure; any thread. As strict as the request side,
 * with one allowance: a Content-Length that is repeated with the same value (RFC 9110 8.6). Every refusal is a 502. */
#include "base/must.h"
#include "wire/http_fields.h"

enum { STATUS_LINE_BYTES = 12 /* "HTTP/1.1 200" */ };

static const char no_status[] = "an answer whose status is not a number of three digits";

static bool is_digit(char byte) {
  return (unsigned)(byte - '0') <= 9;
}

static enum http_verdict read_status_line(const char *line, const char *end, struct http_head *out,
                                          struct http_refusal *why) {
  if (end - line < STATUS_LINE_BYTES || memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ')
    return http_refuse(why, 502, "the answer does not begin with an HTTP/1 status line");
  if (line[7] != '0' && line[7] != '1')
    return http_refuse(why, 502, "an answer of another version than HTTP/1.0 and 1.1");
  if (!is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11])) return http_refuse(why, 502, no_status);
  out->minor = (uint8_t)(line[7] - '0');
  out->status = (uint16_t)((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
  if (out->status < 100 || out->status > 599) return http_refuse(why, 502, "an answer whose status is not 100 to 599");
  if (out->status == 101) return http_refuse(why, 502, "an answer that changes the protocol, which nobody asked for");
  /* The blank before an empty reason is often left out. */
  if (end - line == STATUS_LINE_BYTES) return HTTP_COMPLETE;
  if (line[STATUS_LINE_BYTES] != ' ') return http_refuse(why, 502, no_status);
  for (const char *at = line + STATUS_LINE_BYTES; at < end; at++)
    if (!http_byte_is(*at, HTTP_BYTE_VALUE))
      return http_refuse(why, 502, "a control byte in the status line of the answer");
  return HTTP_COMPLETE;
}

/* A Content-Length may be a list of equal numbers. */
static bool read_length(struct slice value, uint64_t *out) {
  ptrdiff_t comma = slice_find_byte(value, ',');
  struct slice first = slice_trim(comma < 0 ? value : slice_of(value.ptr, (size_t)comma));
  if (!http_length_of(first, out)) return false;
  while (comma >= 0) {
    value = slice_from(value, (size_t)comma + 1);
    comma = slice_find_byte(value, ',');
    if (!slice_eq(first, slice_trim(comma < 0 ? value : slice_of(value.ptr, (size_t)comma)))) return false;
  }
  return true;
}

static enum http_verdict judge_head(const struct http_framing *framing, bool to_head, struct http_head *out,
                                    struct http_refusal *why) {
  if (framing->codings > 0) {
    if (framing->lengths > 0) return http_refuse(why, 502, "an answer with both Transfer-Encoding and Content-Length");
    if (out->minor == 0) return http_refuse(why, 502, "Transfer-Encoding in an HTTP/1.0 answer");
    if (framing->codings > 1 || !slice_eq_nocase(framing->coding, SLICE("chunked")))
      return http_refuse(why, 502, "an answer with a Transfer-Encoding other than chunked");
    out->body = HTTP_BODY_CHUNKED;
  } else if (framing->lengths > 0) {
    if (framing->lengths_differ) return http_refuse(why, 502, "an answer with two different Content-Length headers");
    if (!read_length(framing->length, &out->body_bytes))
      return http_refuse(why, 502, "an answer with a Content-Length that is not a plain number");
    out->body = HTTP_BODY_LENGTH;
  } else {
    out->body = HTTP_BODY_UNTIL_CLOSE;
  }
  if (to_head || out->status < 200 || out->status == 204 || out->status == 304) {
    out->body = HTTP_BODY_NONE;
    out->body_bytes = 0;
  }
  out->keep_alive = out->body != HTTP_BODY_UNTIL_CLOSE && !framing->close && (out->minor == 1 || framing->keep_alive);
  return HTTP_COMPLETE;
}

static enum http_verdict parse_head(const char *start, const char *end, size_t scanned,
                                    const struct http_limits *limits, bool to_head, struct http_head *out,
                                    size_t *head_bytes, struct http_refusal *why) {
  const char *lf = memchr(start, '\n', (size_t)(end - start)), *after;
  if (lf != NULL && memchr(start + scanned, '\n', (size_t)(end - start) - scanned) != NULL) {
    struct http_framing framing = {0};
    out->method = out->target = out->host = out->path = out->query = slice_of(NULL, 0);
    out->body_bytes = 0;
    out->expect_continue = false;
    if (lf == start || lf[-1] != '\r') return http_refuse(why, 502, "a line that ends with LF without CR");
    if (read_status_line(start, lf - 1, out, why) == HTTP_REFUSED) return HTTP_REFUSED;
    enum http_verdict verdict = http_fields_read(lf + 1, end, limits->headers, out, &framing, &after, why);
    if (verdict == HTTP_REFUSED) return verdict;
    if (verdict == HTTP_COMPLETE) {
      *head_bytes = (size_t)(after - start);
      return judge_head(&framing, to_head, out, why);
    }
  }
  size_t prefix = (size_t)(end - start) < 7 ? (size_t)(end - start) : 7;
  if (memcmp(start, "HTTP/1.", prefix) != 0)
    return http_refuse(why, 502, "the answer does not begin with an HTTP/1 status line");
  return http_unfinished(start, scanned, end, why);
}

enum http_verdict http_parse_response(struct slice bytes, const struct http_limits *limits, bool to_head,
                                      size_t *scanned, struct http_head *out, size_t *head_bytes,
                                      struct http_refusal *why) {
  size_t window = bytes.len < limits->head_bytes ? bytes.len : limits->head_bytes, from = *scanned;
  must(limits->headers <= HTTP_HEADERS_MAX && from <= window);
  if (window == 0) return HTTP_MORE;
  *scanned = window;
  enum http_verdict verdict = parse_head(bytes.ptr, bytes.ptr + window, from, limits, to_head, out, head_bytes, why);
  if (verdict == HTTP_MORE && bytes.len > limits->head_bytes)
    verdict = http_refuse(why, 502, "the headers of the answer are too large");
  if (verdict == HTTP_REFUSED) why->status = 502;
  return verdict;
}
