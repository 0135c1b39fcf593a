/* sigv4: the canonical request, the signing key and its cache of a day, and the signer. The verifier is in
 * sigv4_claim.c. Any thread, but for a signer. */
#include "gate/signer/sigv4.h"

#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "base/secret.h"
#include "gate/signer/hmac.h"
#include "gate/signer/sigv4_key.h"

/* ---- canonical forms ---- */

static bool is_unreserved(unsigned char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '~';
}

static void put_encoded(struct buf *out, unsigned char c) {
  static const char digits[] = "0123456789ABCDEF";
  char escaped[3] = {'%', digits[c >> 4], digits[c & 15]};
  if (is_unreserved(c)) buf_byte(out, (char)c);
  else buf_append(out, escaped, sizeof escaped);
}

/* Takes ".." and its segment off what stands from `from` on. */
static void drop_segment(struct buf *out, size_t from) {
  while (out->len > from && out->ptr[out->len - 1] != '/') out->len--;
  if (out->len > from + 1) {
    out->len--;
    while (out->len > from && out->ptr[out->len - 1] != '/') out->len--;
  }
}

void sigv4_put_path(struct buf *out, struct slice path) {
  size_t from = out->len;
  buf_byte(out, '/');
  while (path.len > 0) {
    path = slice_from(path, path.ptr[0] == '/');
    ptrdiff_t slash = slice_find_byte(path, '/');
    struct slice segment = slice_of(path.ptr, slash < 0 ? path.len : (size_t)slash);
    path = slice_from(path, segment.len);
    if (segment.len == 0 || slice_eq(segment, SLICE("."))) continue;
    if (slice_eq(segment, SLICE(".."))) {
      drop_segment(out, from);
      continue;
    }
    for (size_t i = 0; i < segment.len; i++) put_encoded(out, (unsigned char)segment.ptr[i]);
    if (path.len > 0) buf_byte(out, '/');
  }
}

static int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Appends text that may be encoded already, encoded exactly once. */
static void put_once(struct buf *out, struct slice text) {
  for (size_t i = 0; i < text.len; i++) {
    int high = text.ptr[i] == '%' && i + 2 < text.len ? digit_of(text.ptr[i + 1]) : -1;
    int low = high >= 0 ? digit_of(text.ptr[i + 2]) : -1;
    put_encoded(out, low >= 0 ? (unsigned char)(high * 16 + low) : (unsigned char)text.ptr[i]);
    if (low >= 0) i += 2;
  }
}

struct parameter {
  struct slice name, value; /* encoded */
};

static int by_name_and_value(const void *a, const void *b) {
  const struct parameter *x = a, *y = b;
  int order = slice_compare(x->name, y->name);
  return order != 0 ? order : slice_compare(x->value, y->value);
}

void sigv4_put_query(struct buf *out, struct slice query) {
  enum { PARAMETERS_MAX = 64 };
  struct parameter list[PARAMETERS_MAX];
  struct {
    size_t name, equals, end;
  } at[PARAMETERS_MAX];
  struct buf encoded = {0};
  unsigned count = 0;
  while (query.len > 0 && count < PARAMETERS_MAX) {
    ptrdiff_t ampersand = slice_find_byte(query, '&');
    struct slice pair = slice_of(query.ptr, ampersand < 0 ? query.len : (size_t)ampersand);
    query = slice_from(query, pair.len + 1);
    if (pair.len == 0) continue;
    ptrdiff_t equals = slice_find_byte(pair, '=');
    at[count].name = encoded.len;
    put_once(&encoded, equals < 0 ? pair : slice_of(pair.ptr, (size_t)equals));
    at[count].equals = encoded.len;
    if (equals >= 0) put_once(&encoded, slice_from(pair, (size_t)equals + 1));
    at[count++].end = encoded.len;
  }
  for (unsigned i = 0; i < count; i++) {
    list[i].name = slice_of(encoded.ptr + at[i].name, at[i].equals - at[i].name);
    list[i].value = slice_of(encoded.ptr + at[i].equals, at[i].end - at[i].equals);
  }
  qsort(list, count, sizeof *list, by_name_and_value);
  for (unsigned i = 0; i < count; i++) {
    if (i > 0) buf_byte(out, '&');
    buf_slice(out, list[i].name);
    buf_byte(out, '=');
    buf_slice(out, list[i].value);
  }
  buf_done(&encoded);
}

void sigv4_put_value(struct buf *out, struct slice value) {
  value = slice_trim(value);
  for (size_t i = 0; i < value.len; i++) {
    bool blank = value.ptr[i] == ' ' || value.ptr[i] == '\t';
    if (blank && i > 0 && (value.ptr[i - 1] == ' ' || value.ptr[i - 1] == '\t')) continue;
    buf_byte(out, blank ? ' ' : value.ptr[i]);
  }
}

/* ---- keys and signatures ---- */

static struct slice digest_slice(const unsigned char digest[HMAC_BYTES]) {
  return slice_of((const char *)digest, HMAC_BYTES);
}

void sigv4_signing_key(struct slice secret, struct slice date, struct slice region, struct slice service,
                       unsigned char out[HMAC_BYTES]) {
  struct secret *prefixed = secret_join(SLICE("AWS4"), secret, SLICE(""));
  hmac_sha256(secret_view(prefixed), date, out);
  secret_free(prefixed);
  hmac_sha256(digest_slice(out), region, out);
  hmac_sha256(digest_slice(out), service, out);
  hmac_sha256(digest_slice(out), SLICE("aws4_request"), out);
}

void sigv4_signature(const unsigned char key[HMAC_BYTES], struct slice date, struct slice scope, struct slice canonical,
                     struct slice body_hash, char out[HMAC_BYTES * 2]) {
  unsigned char digest[HMAC_BYTES];
  char hex[HMAC_BYTES * 2];
  struct iovec request[] = {{(void *)canonical.ptr, canonical.len}, {(void *)body_hash.ptr, body_hash.len}};
  sha256_of(request, 2, digest);
  digest_hex(digest, hex);
  char text[512];
  size_t len = 0;
  const struct slice parts[] = {
      SLICE_INIT("AWS4-HMAC-SHA256\n"), date, SLICE_INIT("\n"), scope, SLICE_INIT("\n"), {hex, sizeof hex}};
  for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
    if (parts[i].len > sizeof text - len) break; /* a scope that long fits no account: the signature will not hold */
    memcpy(text + len, parts[i].ptr, parts[i].len);
    len += parts[i].len;
  }
  hmac_sha256(digest_slice(key), slice_of(text, len), digest);
  digest_hex(digest, out);
}

/* ---- the signer ---- */

struct sigv4_signer {
  struct secret *secret, *session_token;
  struct secret *day_key; /* HMAC_BYTES: the signing key of `day` */
  uint32_t day;           /* since 1970; 0: none yet */
  char *access_key, *region, *service;
};

static char *copy(struct slice s) {
  return mem_text(s.ptr ? s.ptr : "", s.len);
}

struct sigv4_signer *sigv4_signer_new(const struct sigv4_account *account) {
  struct sigv4_signer *s = mem_new(struct sigv4_signer);
  static const char empty[HMAC_BYTES];
  s->secret = secret_new(account->secret);
  s->session_token = account->session_token.len > 0 ? secret_new(account->session_token) : NULL;
  s->day_key = secret_new(slice_of(empty, sizeof empty));
  s->access_key = copy(account->access_key);
  s->region = copy(account->region);
  s->service = copy(account->service);
  return s;
}

void sigv4_signer_free(struct sigv4_signer *s) {
  if (s == NULL) return;
  secret_free(s->secret);
  secret_free(s->session_token);
  secret_free(s->day_key);
  mem_free(s->access_key);
  mem_free(s->region);
  mem_free(s->service);
  mem_free(s);
}

static const unsigned char *key_of_day(struct sigv4_signer *s, uint32_t day, struct slice date) {
  unsigned char *key = (unsigned char *)secret_place(s->day_key);
  if (s->day != day)
    sigv4_signing_key(secret_view(s->secret), date, slice_text(s->region), slice_text(s->service), key);
  s->day = day;
  return key;
}

/* "20261122T120000Z" */
static void put_time(int64_t wall_ms, char out[16]) {
  time_t seconds = (time_t)(wall_ms / 1000);
  struct tm t;
  char text[17];
  gmtime_r(&seconds, &t);
  strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &t);
  memcpy(out, text, 16);
}

void sigv4_put_scope(struct buf *out, struct slice date, struct slice region, struct slice service) {
  buf_append(out, date.ptr, 8);
  buf_byte(out, '/');
  buf_slice(out, region);
  buf_byte(out, '/');
  buf_slice(out, service);
  buf_text(out, "/aws4_request");
}

static void put_line(struct buf *out, const char *name, struct slice value, const char *end) {
  buf_text(out, name);
  buf_slice(out, value);
  buf_text(out, end);
}

void sigv4_sign(struct sigv4_signer *s, const struct sigv4_call *call, int64_t wall_ms, struct buf *lines) {
  char time_text[16], hash_hex[HMAC_BYTES * 2], signature[HMAC_BYTES * 2];
  unsigned char hash[HMAC_BYTES];
  put_time(wall_ms, time_text);
  struct slice date = slice_of(time_text, sizeof time_text), token = secret_view(s->session_token);
  sha256_of(call->body, call->body_parts, hash);
  digest_hex(hash, hash_hex);

  struct slice signed_headers =
      call->content_type.len > 0
          ? (token.len > 0 ? SLICE("content-type;host;x-amz-date;x-amz-security-token")
                           : SLICE("content-type;host;x-amz-date"))
          : (token.len > 0 ? SLICE("host;x-amz-date;x-amz-security-token") : SLICE("host;x-amz-date"));
  /* The canonical request is built behind the lines and taken off again: it costs no memory of its own. */
  size_t from = lines->len;
  ptrdiff_t question = slice_find_byte(call->target, '?');
  buf_slice(lines, call->method);
  buf_byte(lines, '\n');
  sigv4_put_path(lines, question < 0 ? call->target : slice_of(call->target.ptr, (size_t)question));
  buf_byte(lines, '\n');
  if (question >= 0) sigv4_put_query(lines, slice_from(call->target, (size_t)question + 1));
  buf_byte(lines, '\n');
  if (call->content_type.len > 0) put_line(lines, "content-type:", call->content_type, "\n");
  put_line(lines, "host:", call->host, "\n");
  put_line(lines, "x-amz-date:", date, "\n");
  if (token.len > 0) put_line(lines, "x-amz-security-token:", token, "\n");
  buf_byte(lines, '\n');
  put_line(lines, "", signed_headers, "\n");
  size_t canonical_len = lines->len - from;
  size_t scope_at = lines->len;
  sigv4_put_scope(lines, date, slice_text(s->region), slice_text(s->service));
  char scope_text[160];
  size_t scope_len = lines->len - scope_at < sizeof scope_text ? lines->len - scope_at : sizeof scope_text;
  memcpy(scope_text, lines->ptr + scope_at, scope_len);
  struct slice scope = slice_of(scope_text, scope_len);

  const unsigned char *key = key_of_day(s, (uint32_t)(wall_ms / 86400000), slice_of(time_text, 8));
  sigv4_signature(key, date, scope, slice_of(lines->ptr + from, canonical_len), slice_of(hash_hex, sizeof hash_hex),
                  signature);
  secret_wipe(lines->ptr + from, lines->len - from);
  lines->len = from;
  put_line(lines, "x-amz-date: ", date, "\r\n");
  if (token.len > 0) put_line(lines, "x-amz-security-token: ", token, "\r\n");
  put_line(lines, "authorization: AWS4-HMAC-SHA256 Credential=", slice_text(s->access_key), "/");
  buf_slice(lines, scope);
  put_line(lines, ", SignedHeaders=", signed_headers, ", Signature=");
  put_line(lines, "", slice_of(signature, sizeof signature), "\r\n");
}
