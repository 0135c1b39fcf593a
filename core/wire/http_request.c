/* http_request: the head of a request (RFC 9112 sections 2, 3 and 6). Pure; any thread. Never repairs: a request line
 * that is not exactly `method SP target SP HTTP/1.x` is refused, and so is every framing that could be read twice.
 *
 *     new LF? ──no──▶ judge the unfinished line ──▶ MORE or REFUSED
 *        └─yes─▶ request line ─▶ field lines ─▶ rules over the whole head ─▶ COMPLETE or REFUSED
 */
#include "base/must.h"
#include "wire/http_fields.h"

enum { METHOD_BYTES_MAX = 32, VERSION_BYTES = 8 };

static bool host_is_valid(struct slice host) {
  const char *at = host.ptr, *end = host.ptr + host.len;
  if (host.len == 0) return false;
  if (*at == '[') {
    const char *start = ++at;
    while (at < end && (http_hex_value(*at) >= 0 || *at == ':' || *at == '.')) at++;
    if (at == start || at == end || *at++ != ']') return false;
  } else {
    while (at < end && http_byte_is(*at, HTTP_BYTE_HOST)) at++;
    if (at == host.ptr) return false;
  }
  if (at == end) return true;
  uint64_t port;
  return *at == ':' && slice_to_u64(slice_of(at + 1, (size_t)(end - at - 1)), &port) && port > 0 && port <= 65535;
}

/* What is wrong already with a request line of which [line, end) has come, without its CR. */
static enum http_verdict judge_unfinished(const char *line, const char *end, const struct http_limits *limits,
                                          struct http_refusal *why) {
  const char *at = line;
  while (at < end && at - line < METHOD_BYTES_MAX && http_byte_is(*at, HTTP_BYTE_TOKEN)) at++;
  if (at == end) return HTTP_MORE;
  if (*at != ' ' || at == line) return http_refuse(why, 400, "the request does not begin with a method");
  const char *target = at + 1, *stop = memchr(target, ' ', (size_t)(end - target));
  if ((size_t)((stop ? stop : end) - target) <= limits->target_bytes) return HTTP_MORE;
  if (memchr(target, '\r', limits->target_bytes)) return http_refuse(why, 400, "a CR that is not followed by LF");
  return http_refuse(why, 414, "the request target is too long");
}

static enum http_verdict read_version(const char *at, const char *end, struct http_head *out,
                                      struct http_refusal *why) {
  if (end - at != VERSION_BYTES || memcmp(at, "HTTP/", 5) != 0 || at[6] != '.' || (unsigned)(at[5] - '0') > 9 ||
      (unsigned)(at[7] - '0') > 9)
    return http_refuse(why, 400, "the request line is not: method, one space, target, one space, HTTP version");
  if (at[5] != '1' || at[7] > '1') return http_refuse(why, 505, "an HTTP version other than 1.0 and 1.1");
  out->minor = (uint8_t)(at[7] - '0');
  return HTTP_COMPLETE;
}

/* `end` is the CR of the line. */
static enum http_verdict read_request_line(const char *line, const char *end, const struct http_limits *limits,
                                           struct http_head *out, struct http_refusal *why) {
  const char *at = line;
  while (http_byte_is(*at, HTTP_BYTE_TOKEN)) at++;
  out->method = slice_of(line, (size_t)(at - line));
  if (out->method.len == 0 || *at != ' ' || out->method.len > METHOD_BYTES_MAX)
    return http_refuse(why, 400, "the request does not begin with a method");
  const char *target = ++at;
  while (http_byte_is(*at, HTTP_BYTE_TARGET)) at++;
  out->target = slice_of(target, (size_t)(at - target));
  if (out->target.len > limits->target_bytes || *at != ' ') {
    if (judge_unfinished(line, end, limits, why) == HTTP_REFUSED) return HTTP_REFUSED;
    return http_refuse(
        why, 400, *at == '#' ? "a fragment in the request target" : "a byte that is not allowed in the request target");
  }
  if (out->target.len == 0) return http_refuse(why, 400, "a request without a target");
  return read_version(at + 1, end, out, why);
}

static bool starts_nocase(struct slice s, struct slice prefix) {
  return s.len >= prefix.len && slice_eq_nocase(slice_of(s.ptr, prefix.len), prefix);
}

static void split_path(struct slice from, struct http_head *out) {
  const char *mark = memchr(from.ptr, '?', from.len);
  out->path = mark ? slice_of(from.ptr, (size_t)(mark - from.ptr)) : from;
  out->query = mark ? slice_of(mark + 1, (size_t)(from.ptr + from.len - mark - 1)) : slice_of(NULL, 0);
}

/* absolute-form, RFC 9112 3.2.2. A Host that says something else is refused, though the RFC would ignore it: behind
 * us somebody may read it the other way. */
static enum http_verdict read_absolute(struct slice target, size_t scheme_bytes, const struct http_framing *framing,
                                       struct http_head *out, struct http_refusal *why) {
  struct slice rest = slice_from(target, scheme_bytes);
  size_t len = 0;
  while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?') len++;
  struct slice authority = {rest.ptr, len};
  if (!host_is_valid(authority)) return http_refuse(why, 400, "a request target whose authority is not a host");
  if (framing->hosts > 0 && !slice_eq_nocase(authority, out->host))
    return http_refuse(why, 400, "a request target for another host than the Host header names");
  out->host = authority;
  split_path(slice_from(rest, len), out);
  /* An empty path means "/": the scheme's own slash serves, so that the slice stays within the message. */
  if (out->path.len == 0) out->path = slice_of(target.ptr + scheme_bytes - 1, 1);
  return HTTP_COMPLETE;
}

static enum http_verdict refuse_tunnel(struct slice target, struct http_refusal *why) {
  if (target.ptr[0] == '/' || !host_is_valid(target))
    return http_refuse(why, 400, "CONNECT with a target that is not host:port");
  http_refuse(why, 501, "it asks for a tunnel (CONNECT), and this is no proxy");
  why->tunnel = true;
  return HTTP_REFUSED;
}

static enum http_verdict read_target(const struct http_framing *framing, struct http_head *out,
                                     struct http_refusal *why) {
  struct slice target = out->target;
  if (slice_eq(out->method, SLICE("CONNECT"))) return refuse_tunnel(target, why);
  if (target.ptr[0] == '/') {
    split_path(target, out);
    return HTTP_COMPLETE;
  }
  if (slice_eq(target, SLICE("*"))) {
    if (!slice_eq(out->method, SLICE("OPTIONS"))) return http_refuse(why, 400, "the target * without OPTIONS");
    split_path(target, out);
    return HTTP_COMPLETE;
  }
  if (starts_nocase(target, SLICE("http://"))) return read_absolute(target, 7, framing, out, why);
  if (starts_nocase(target, SLICE("https://"))) return read_absolute(target, 8, framing, out, why);
  return http_refuse(why, 400, "a request target that is neither a path nor an http URL");
}

/* Anything but exactly one "chunked" is refused: with 501 where it is a list of codings that we do not have, with 400
 * where it is no such list or the body would have no end (RFC 9112 6.1, 6.3). */
static enum http_verdict refuse_coding(struct slice list, struct http_refusal *why) {
  bool after_chunked = false;
  for (;;) {
    ptrdiff_t comma = slice_find_byte(list, ',');
    struct slice coding = slice_trim(comma < 0 ? list : slice_of(list.ptr, (size_t)comma));
    if (!http_is_token(coding)) return http_refuse(why, 400, "a Transfer-Encoding that is not a list of codings");
    if (after_chunked) return http_refuse(why, 400, "a Transfer-Encoding that goes on after chunked");
    after_chunked = slice_eq_nocase(coding, SLICE("chunked"));
    if (comma < 0) return http_refuse(why, 501, "a Transfer-Encoding other than chunked");
    list = slice_from(list, (size_t)comma + 1);
  }
}

static enum http_verdict read_body_framing(const struct http_framing *framing, struct http_head *out,
                                           struct http_refusal *why) {
  if (framing->codings > 0) {
    if (framing->lengths > 0) return http_refuse(why, 400, "both Transfer-Encoding and Content-Length");
    if (framing->codings > 1) return http_refuse(why, 400, "more than one Transfer-Encoding");
    if (out->minor == 0) return http_refuse(why, 400, "Transfer-Encoding in an HTTP/1.0 request");
    if (!slice_eq_nocase(framing->coding, SLICE("chunked"))) return refuse_coding(framing->coding, why);
    out->body = HTTP_BODY_CHUNKED;
  } else if (framing->lengths > 0) {
    if (framing->lengths > 1) return http_refuse(why, 400, "more than one Content-Length");
    if (!http_length_of(framing->length, &out->body_bytes))
      return http_refuse(why, 400, "a Content-Length that is not a plain number");
    out->body = HTTP_BODY_LENGTH;
  }
  return HTTP_COMPLETE;
}

/* What can be said only about the whole head. */
static enum http_verdict judge_head(const struct http_framing *framing, struct http_head *out,
                                    struct http_refusal *why) {
  if (framing->hosts > 1) return http_refuse(why, 400, "more than one Host header");
  if (framing->hosts == 0 && out->minor == 1) return http_refuse(why, 400, "a request without a Host header");
  if (framing->hosts == 1 && !host_is_valid(out->host))
    return http_refuse(why, 400, "a Host header that is not a host with an optional port");
  if (read_target(framing, out, why) == HTTP_REFUSED) return HTTP_REFUSED;
  if (read_body_framing(framing, out, why) == HTTP_REFUSED) return HTTP_REFUSED;
  out->keep_alive = !framing->close && (out->minor == 1 || framing->keep_alive);
  if (framing->expects > 0) {
    if (framing->expects > 1 || !slice_eq_nocase(framing->expect, SLICE("100-continue")))
      return http_refuse(why, 417, "an expectation other than 100-continue");
    /* Of an HTTP/1.0 client it must be ignored; without a body there is nothing to continue (RFC 9110 10.1.1). */
    out->expect_continue = out->minor == 1 && (out->body == HTTP_BODY_CHUNKED || out->body_bytes > 0);
  }
  return HTTP_COMPLETE;
}

enum http_verdict http_parse_request(struct slice bytes, const struct http_limits *limits, size_t *scanned,
                                     struct http_head *out, size_t *head_bytes, struct http_refusal *why) {
  size_t window = bytes.len < limits->head_bytes ? bytes.len : limits->head_bytes;
  must(limits->headers <= HTTP_HEADERS_MAX && *scanned <= window);
  if (window == 0) return HTTP_MORE;
  const char *end = bytes.ptr + window, *line = bytes.ptr, *after, *lf;
  size_t from = *scanned;
  *scanned = window;
  if (window >= 2 && line[0] == '\r' && line[1] == '\n') line += 2;
  if (from < window && memchr(bytes.ptr + from, '\n', window - from) != NULL &&
      (lf = memchr(line, '\n', (size_t)(end - line))) != NULL) {
    struct http_framing framing = {0};
    out->host = out->path = out->query = slice_of(NULL, 0);
    out->status = 0;
    out->body = HTTP_BODY_NONE;
    out->body_bytes = 0;
    out->expect_continue = false;
    if (lf == line || lf[-1] != '\r')
      return judge_unfinished(line, lf, limits, why) == HTTP_REFUSED
                 ? HTTP_REFUSED
                 : http_refuse(why, 400, "a line that ends with LF without CR");
    if (read_request_line(line, lf - 1, limits, out, why) == HTTP_REFUSED) return HTTP_REFUSED;
    enum http_verdict verdict = http_fields_read(lf + 1, end, limits->headers, out, &framing, &after, why);
    if (verdict == HTTP_REFUSED) return verdict;
    if (verdict == HTTP_COMPLETE) {
      *head_bytes = (size_t)(after - bytes.ptr);
      return judge_head(&framing, out, why);
    }
  }
  if (line < end && memchr(line, '\n', (size_t)(end - line)) == NULL &&
      judge_unfinished(line, end[-1] == '\r' ? end - 1 : end, limits, why) == HTTP_REFUSED)
    return HTTP_REFUSED;
  if (http_unfinished(bytes.ptr, from, end, why) == HTTP_REFUSED) return HTTP_REFUSED;
  if (bytes.len > limits->head_bytes) return http_refuse(why, 431, "the headers are too large");
  return HTTP_MORE;
}
