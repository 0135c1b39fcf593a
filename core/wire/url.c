/* url: base URLs and percent coding. Pure; any thread. Resolves nothing and knows no schemes but http and https.
 * Messages never repeat the text: somebody may have put a password into it. */
#include "wire/url.h"

static bool is_letter(char byte) {
  return (unsigned char)((byte | 0x20) - 'a') < 26;
}

static bool is_digit(char byte) {
  return (unsigned char)(byte - '0') < 10;
}

/* RFC 3986 section 2.3. */
static bool is_unreserved(char byte) {
  return is_letter(byte) || is_digit(byte) || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

static int hex_value(char byte) {
  if (is_digit(byte)) return byte - '0';
  byte |= 0x20;
  return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool starts_nocase(struct slice text, struct slice prefix) {
  return text.len >= prefix.len && slice_eq_nocase(slice_of(text.ptr, prefix.len), prefix);
}

static bool is_host_byte(char byte, bool in_address) {
  return in_address ? hex_value(byte) >= 0 || byte == ':' || byte == '.' : is_unreserved(byte);
}

/* Takes the host off the front of *rest. */
static bool take_host(struct slice *rest, struct slice *host, struct err *e) {
  bool address = rest->len > 0 && rest->ptr[0] == '[';
  size_t at = address, start = at;
  while (at < rest->len && is_host_byte(rest->ptr[at], address)) at++;
  *host = slice_of(rest->ptr + start, at - start);
  if (address && (at == rest->len || rest->ptr[at++] != ']')) return err_set(e, "the IPv6 address of the URL has no ]");
  *rest = slice_from(*rest, at);
  if (host->len == 0) return err_set(e, "the URL has no host");
  return true;
}

static bool take_port(struct slice *rest, uint16_t *port, struct err *e) {
  size_t at = 1;
  uint64_t number;
  while (at < rest->len && is_digit(rest->ptr[at])) at++;
  if (!slice_to_u64(slice_of(rest->ptr + 1, at - 1), &number) || number == 0 || number > 65535)
    return err_set(e, "the port of the URL must be 1 to 65535");
  *port = (uint16_t)number;
  *rest = slice_from(*rest, at);
  return true;
}

/* "." and ".." in any spelling: a server may decode before it resolves. */
static bool is_dots(struct slice segment) {
  size_t dots = 0;
  for (size_t i = 0; i < segment.len; dots++) {
    if (segment.ptr[i] == '.') i++;
    else if (starts_nocase(slice_from(segment, i), SLICE("%2e"))) i += 3;
    else return false;
  }
  return dots == 1 || dots == 2;
}

static bool check_path(struct slice path, struct err *e) {
  for (size_t i = 0; i < path.len; i++) {
    unsigned char byte = (unsigned char)path.ptr[i];
    if (byte == '?') return err_set(e, "the URL must have no query (\"?\")");
    if (byte == '#') return err_set(e, "the URL must have no fragment (\"#\")");
    if (byte <= ' ' || byte >= 0x7f || byte == '\\')
      return err_set(e, "the path of the URL has a byte that must be escaped");
    if (byte == '%' && (i + 2 >= path.len || hex_value(path.ptr[i + 1]) < 0 || hex_value(path.ptr[i + 2]) < 0))
      return err_set(e, "the path of the URL has a %% without two hexadecimal digits");
  }
  while (path.len > 0) {
    path = slice_from(path, 1);
    ptrdiff_t slash = slice_find_byte(path, '/');
    size_t len = slash < 0 ? path.len : (size_t)slash;
    if (is_dots(slice_of(path.ptr, len))) return err_set(e, "the path of the URL must have no \".\" or \"..\" segment");
    path = slice_from(path, len);
  }
  return true;
}

bool url_parse(struct slice text, struct url *out, struct err *e) {
  if (starts_nocase(text, SLICE("https://"))) *out = (struct url){.tls = true, .port = 443};
  else if (starts_nocase(text, SLICE("http://"))) *out = (struct url){.tls = false, .port = 80};
  else return err_set(e, "the URL must begin with https:// or http://");
  uint16_t usual = out->port;
  struct slice rest = slice_from(text, out->tls ? 8 : 7);
  const char *start = rest.ptr;
  size_t authority = 0;
  while (authority < rest.len && rest.ptr[authority] != '/') authority++;
  if (slice_find_byte(slice_of(start, authority), '@') >= 0)
    return err_set(e, "the URL must have no user or password before the host; keys have an option of their own");
  if (!take_host(&rest, &out->host, e)) return false;
  out->authority = slice_of(start, (size_t)(rest.ptr - start));
  if (rest.len > 0 && rest.ptr[0] == ':') {
    if (!take_port(&rest, &out->port, e)) return false;
    if (out->port != usual) out->authority.len = (size_t)(rest.ptr - start);
  }
  if (rest.len > 0 && rest.ptr[0] != '/' && rest.ptr[0] != '?' && rest.ptr[0] != '#')
    return err_set(e, "the host of the URL has a byte that no host name has");
  if (!check_path(rest, e)) return false;
  while (rest.len > 0 && rest.ptr[rest.len - 1] == '/') rest.len--;
  out->path = rest;
  return true;
}

void url_put_segment(struct buf *out, struct slice segment) {
  static const char digits[] = "0123456789ABCDEF";
  /* Servers undo %2E before they resolve dots, so these two are escaped twice: such a segment names nothing. */
  if (slice_eq(segment, SLICE(".")) || slice_eq(segment, SLICE(".."))) {
    buf_text(out, segment.len == 1 ? "%252E" : "%252E%252E");
    return;
  }
  char *at = buf_reserve(out, 3 * segment.len);
  for (size_t i = 0; i < segment.len; i++) {
    unsigned char byte = (unsigned char)segment.ptr[i];
    if (is_unreserved((char)byte)) {
      *at++ = (char)byte;
    } else {
      *at++ = '%';
      *at++ = digits[byte >> 4];
      *at++ = digits[byte & 15];
    }
  }
  out->len = (size_t)(at - out->ptr);
}

bool url_decode(struct slice s, char *out, size_t *out_len) {
  size_t len = 0;
  for (size_t i = 0; i < s.len; i++) {
    unsigned char byte = (unsigned char)s.ptr[i];
    if (byte == '%') {
      int high = i + 2 < s.len ? hex_value(s.ptr[i + 1]) : -1, low = i + 2 < s.len ? hex_value(s.ptr[i + 2]) : -1;
      if (high < 0 || low < 0) return false;
      byte = (unsigned char)(high * 16 + low);
      i += 2;
    }
    if (byte < 0x20 || byte == 0x7f) return false;
    out[len++] = (char)byte;
  }
  *out_len = len;
  return true;
}

static bool has_dots(struct slice path) {
  for (size_t at = 0; at <= path.len; at++) {
    size_t from = at;
    while (at < path.len && path.ptr[at] != '/' && path.ptr[at] != '\\') at++;
    if (is_dots(slice_of(path.ptr + from, at - from))) return true;
  }
  return false;
}

bool url_stays_inside(struct slice path) {
  enum { PATH_BYTES_MAX = 8192, ROUNDS = 4 };
  char text[2][PATH_BYTES_MAX];
  if (path.len > PATH_BYTES_MAX) return false;
  for (unsigned round = 0; round < ROUNDS; round++) {
    size_t len = 0;
    if (has_dots(path)) return false;
    if (!url_decode(path, text[round % 2], &len)) return false;
    if (len == path.len) return true;
    path = slice_of(text[round % 2], len);
  }
  return false;
}
