/* sigv4_claim: what a client's signed request claims, and whether it holds. Two steps, because the head comes before
 * the body: an unknown key or an old date is refused before a body is read. Any thread. */
#include <openssl/crypto.h>
#include <time.h>

#include "base/secret.h"
#include "gate/signer/sigv4.h"
#include "gate/signer/sigv4_key.h"

static const struct slice scheme = SLICE_INIT("AWS4-HMAC-SHA256 ");

bool sigv4_is_signed(const struct http_head *head) {
  struct slice given = http_header_of(head, SLICE("authorization"));
  return given.len >= scheme.len && slice_eq_nocase(slice_of(given.ptr, scheme.len), scheme);
}

/* The value behind "NAME=" in "A=…, B=…"; ptr NULL when it is not there. */
static struct slice part_of(struct slice list, struct slice name) {
  while (list.len > 0) {
    ptrdiff_t comma = slice_find_byte(list, ',');
    struct slice item = slice_trim(slice_of(list.ptr, comma < 0 ? list.len : (size_t)comma));
    list = comma < 0 ? slice_of(NULL, 0) : slice_from(list, (size_t)comma + 1);
    if (slice_starts(item, name) && item.len > name.len && item.ptr[name.len] == '=')
      return slice_from(item, name.len + 1);
  }
  return slice_of(NULL, 0);
}

/* Takes what stands before the next `byte` off the front. */
static struct slice take_until(struct slice *text, char byte) {
  ptrdiff_t at = slice_find_byte(*text, byte);
  struct slice taken = slice_of(text->ptr, at < 0 ? text->len : (size_t)at);
  *text = slice_from(*text, taken.len + 1);
  return taken;
}

static bool is_hex(struct slice text, size_t len) {
  for (size_t i = 0; i < text.len; i++)
    if (!((text.ptr[i] >= '0' && text.ptr[i] <= '9') || (text.ptr[i] >= 'a' && text.ptr[i] <= 'f'))) return false;
  return text.len == len;
}

static bool list_names(struct slice list, struct slice name) {
  while (list.len > 0)
    if (slice_eq(take_until(&list, ';'), name)) return true;
  return false;
}

/* What must be signed: else a request could be replayed in another shape. */
static bool covers_all(const struct http_head *head, struct slice signed_headers, struct err *e) {
  if (!list_names(signed_headers, SLICE("host"))) return err_set(e, "The signature leaves out the header host.");
  for (unsigned i = 0; i < head->header_count; i++) {
    struct slice name = head->headers[i].name;
    char lower[64];
    if (name.len < 6 || name.len > sizeof lower || !slice_eq_nocase(slice_of(name.ptr, 6), SLICE("x-amz-"))) continue;
    for (size_t k = 0; k < name.len; k++) lower[k] = (char)(name.ptr[k] | 0x20);
    if (!list_names(signed_headers, slice_of(lower, name.len)))
      return err_set(e, "The signature leaves out the header %.*s.", (int)name.len, lower);
  }
  return true;
}

static bool read_credential(struct slice credential, struct sigv4_claim *out, struct err *e) {
  out->access_key = take_until(&credential, '/');
  out->scope = credential;
  struct slice date = take_until(&credential, '/');
  out->region = take_until(&credential, '/');
  out->service = take_until(&credential, '/');
  bool fits = out->access_key.len > 0 && date.len == 8 && out->region.len > 0 && out->service.len > 0 &&
              slice_eq(credential, SLICE("aws4_request")) && out->scope.len <= 160 && out->date.len == 16 &&
              memcmp(out->date.ptr, date.ptr, 8) == 0;
  return fits ||
         err_set(e, "The signature's credential is not KEY/DATE/REGION/SERVICE/aws4_request of the request's date.");
}

static bool is_recent(struct slice date, int64_t wall_ms, struct err *e) {
  char text[17];
  struct tm t = {0};
  memcpy(text, date.ptr, 16);
  text[16] = '\0';
  const char *end = strptime(text, "%Y%m%dT%H%M%SZ", &t);
  if (end == NULL || *end != '\0') return err_set(e, "The header x-amz-date is not a date such as 20261122T120000Z.");
  int64_t off_ms = (int64_t)timegm(&t) * 1000 - wall_ms;
  if (off_ms <= SIGV4_SKEW_MS && off_ms >= -SIGV4_SKEW_MS) return true;
  return err_set(e, "The signature's date is more than 15 minutes away from the gateway's clock.");
}

/* All values of one header, each folded, with commas between them (as the client has joined them). */
static void put_values(struct buf *out, const struct http_head *head, struct slice name) {
  bool is_first = true;
  for (unsigned i = 0; i < head->header_count; i++) {
    if (!slice_eq_nocase(head->headers[i].name, name)) continue;
    if (!is_first) buf_byte(out, ',');
    is_first = false;
    sigv4_put_value(out, head->headers[i].value);
  }
}

static void put_canonical(struct buf *out, const struct http_head *head, struct slice signed_headers) {
  buf_slice(out, head->method);
  buf_byte(out, '\n');
  sigv4_put_path(out, head->path);
  buf_byte(out, '\n');
  sigv4_put_query(out, head->query);
  buf_byte(out, '\n');
  for (struct slice left = signed_headers; left.len > 0;) {
    struct slice name = take_until(&left, ';');
    buf_slice(out, name);
    buf_byte(out, ':');
    put_values(out, head, name);
    buf_byte(out, '\n');
  }
  buf_byte(out, '\n');
  buf_slice(out, signed_headers);
  buf_byte(out, '\n');
}

bool sigv4_claim_read(const struct http_head *head, int64_t wall_ms, struct arena *arena, struct sigv4_claim *out,
                      struct err *e) {
  *out = (struct sigv4_claim){0};
  struct slice given = slice_from(http_header_of(head, SLICE("authorization")), scheme.len);
  struct slice credential = part_of(given, SLICE("Credential")), list = part_of(given, SLICE("SignedHeaders"));
  struct slice signature = part_of(given, SLICE("Signature"));
  if (http_header_count(head, SLICE("authorization")) != 1 || http_header_count(head, SLICE("x-amz-date")) != 1 ||
      http_header_count(head, SLICE("x-amz-content-sha256")) > 1)
    return err_set(e, "A signed request carries one authorization and one x-amz-date header.");
  if (list.len == 0 || list.len > 1024 || !is_hex(signature, HMAC_BYTES * 2))
    return err_set(e, "The authorization is not \"AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…\".");
  out->date = http_header_of(head, SLICE("x-amz-date"));
  if (!read_credential(credential, out, e) || !is_recent(out->date, wall_ms, e) || !covers_all(head, list, e))
    return false;
  out->body_hash = http_header_of(head, SLICE("x-amz-content-sha256"));
  if (out->body_hash.len > 0 && !is_hex(out->body_hash, HMAC_BYTES * 2))
    return err_set(e, "The header x-amz-content-sha256 is not the hash of a body; unsigned bodies are not taken.");
  struct buf canonical = {0};
  put_canonical(&canonical, head, list);
  out->canonical = arena_copy(arena, buf_view(&canonical));
  buf_done(&canonical);
  struct slice *kept[] = {&out->access_key, &out->date,      &out->scope,    &out->region,
                          &out->service,    &out->body_hash, &out->signature};
  out->signature = signature;
  for (unsigned i = 0; i < sizeof kept / sizeof *kept; i++) *kept[i] = arena_copy(arena, *kept[i]);
  return true;
}

bool sigv4_claim_holds(const struct sigv4_claim *c, struct slice secret, struct slice body) {
  unsigned char hash[HMAC_BYTES], key[HMAC_BYTES];
  char hex[HMAC_BYTES * 2], signature[HMAC_BYTES * 2];
  sha256_of(&(struct iovec){(void *)(uintptr_t)body.ptr, body.len}, 1, hash);
  digest_hex(hash, hex);
  if (c->body_hash.len > 0 && memcmp(c->body_hash.ptr, hex, sizeof hex) != 0) return false;
  sigv4_signing_key(secret, slice_of(c->scope.ptr, 8), c->region, c->service, key);
  sigv4_signature(key, c->date, c->scope, c->canonical, slice_of(hex, sizeof hex), signature);
  secret_wipe(key, sizeof key);
  return CRYPTO_memcmp(signature, c->signature.ptr, sizeof signature) == 0;
}
