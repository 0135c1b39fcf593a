/* google_account: see the header. */
#include "gate/signer/google_account.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/must.h"
#include "base/secret.h"
#include "gate/dialect/dialect_read.h"
#include "wire/json.h"
#include "wire/url.h"

enum { ASSERTION_SECONDS = 3600 };
static const char scope[] = "https://www.googleapis.com/auth/cloud-platform";

/* A string field's decoded text on the heap; NULL: no string. */
static char *text_of(const struct json_field *f) {
  if (f->raw.ptr == NULL || f->kind != JSON_STRING) return NULL;
  char *text = mem_alloc(f->raw.len + 1);
  size_t len = 0;
  if (!json_unquote(f->raw, text, &len)) {
    mem_free(text);
    return NULL;
  }
  text[len] = '\0';
  return text;
}

static EVP_PKEY *decoded_key(const struct secret *pem) {
  struct slice text = secret_view(pem);
  BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
  must(bio != NULL);
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) "");
  BIO_free(bio);
  return key;
}

/* A token endpoint gets a signed statement of who we are: over TLS, or on this machine. */
static bool is_safe(const char *uri, struct err *e) {
  struct url url;
  if (!url_parse(slice_text(uri), &url, e)) return err_before(e, "token_uri: ");
  bool local = slice_eq(url.host, SLICE("127.0.0.1")) || slice_eq(url.host, SLICE("localhost")) ||
               slice_eq(url.host, SLICE("::1"));
  return url.tls || local || err_set(e, "token_uri must be https");
}

bool google_account_read(struct slice json, struct google_account *out, struct err *e) {
  enum { TYPE, EMAIL, KEY_ID, KEY, URI, FIELDS };
  struct json_field f[FIELDS] = {
      [TYPE] = {.key = SLICE_INIT("type")},
      [EMAIL] = {.key = SLICE_INIT("client_email")},
      [KEY_ID] = {.key = SLICE_INIT("private_key_id")},
      [KEY] = {.key = SLICE_INIT("private_key")},
      [URI] = {.key = SLICE_INIT("token_uri")},
  };
  *out = (struct google_account){0};
  struct buf padded = {0}; /* the parser reads in blocks */
  buf_slice(&padded, json);
  bool read = json_fields(buf_view(&padded), f, FIELDS, NULL);
  char *pem = read ? text_of(&f[KEY]) : NULL;
  if (read) {
    out->client_email = text_of(&f[EMAIL]);
    out->key_id = text_of(&f[KEY_ID]);
    out->token_uri = text_of(&f[URI]);
  }
  if (pem != NULL) out->private_key = secret_new(slice_text(pem));
  if (pem != NULL) secret_wipe(pem, strlen(pem));
  mem_free(pem);
  if (out->key_id == NULL) out->key_id = mem_text("", 0);
  bool service = read && slice_eq(f[TYPE].raw, SLICE("\"service_account\""));
  if (padded.len > 0) secret_wipe(padded.ptr, padded.len);
  buf_done(&padded);
  bool fine = true;
  if (!read) fine = err_set(e, "the key is not the JSON of a service account's key file");
  else if (!service) fine = err_set(e, "\"type\" must be \"service_account\"");
  else if (out->client_email == NULL) fine = err_set(e, "\"client_email\" is missing");
  else if (out->token_uri == NULL) fine = err_set(e, "\"token_uri\" is missing");
  else if (out->private_key == NULL) fine = err_set(e, "\"private_key\" is missing");
  else fine = is_safe(out->token_uri, e);
  EVP_PKEY *key = fine ? decoded_key(out->private_key) : NULL;
  if (fine && (key == NULL || EVP_PKEY_base_id(key) != EVP_PKEY_RSA))
    fine = err_set(e, "\"private_key\" is no RSA key in PEM form");
  EVP_PKEY_free(key);
  if (!fine) google_account_done(out);
  return fine;
}

void google_account_done(struct google_account *a) {
  mem_free(a->client_email);
  mem_free(a->key_id);
  mem_free(a->token_uri);
  secret_free(a->private_key);
  *a = (struct google_account){0};
}

/* ---- the assertion ---- */

static void put_base64url(struct buf *out, const void *bytes, size_t len) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const unsigned char *at = bytes;
  uint32_t held = 0;
  unsigned have = 0;
  for (size_t i = 0; i < len; i++) {
    held = held << 8 | at[i];
    for (have += 8; have >= 6; have -= 6) buf_byte(out, alphabet[held >> (have - 6) & 63]);
  }
  if (have > 0) buf_byte(out, alphabet[held << (6 - have) & 63]);
}

static void put_header(struct buf *out, const struct google_account *a) {
  struct buf json = {0};
  buf_text(&json, "{\"alg\":\"RS256\",\"typ\":\"JWT\"");
  if (*a->key_id) {
    buf_text(&json, ",\"kid\":");
    json_put_string(&json, slice_text(a->key_id));
  }
  buf_text(&json, "}");
  put_base64url(out, json.ptr, json.len);
  buf_done(&json);
}

static void put_claims(struct buf *out, const struct google_account *a, int64_t wall_ms) {
  struct buf json = {0};
  int64_t issued_s = wall_ms / 1000;
  buf_text(&json, "{\"iss\":");
  json_put_string(&json, slice_text(a->client_email));
  buf_fill(&json, ",\"scope\":\"%s\",\"aud\":", scope);
  json_put_string(&json, slice_text(a->token_uri));
  buf_text(&json, ",\"iat\":");
  buf_i64(&json, issued_s);
  buf_text(&json, ",\"exp\":");
  buf_i64(&json, issued_s + ASSERTION_SECONDS);
  buf_byte(&json, '}');
  put_base64url(out, json.ptr, json.len);
  buf_done(&json);
}

static bool put_signature(struct buf *out, const struct secret *pem, struct slice text) {
  unsigned char signature[1024]; /* of keys up to 8,192 bits */
  size_t len = sizeof signature;
  EVP_PKEY *key = decoded_key(pem);
  EVP_MD_CTX *c = EVP_MD_CTX_new();
  bool fine = key != NULL && c != NULL && EVP_DigestSignInit_ex(c, NULL, "SHA256", NULL, NULL, key, NULL) == 1 &&
              EVP_DigestSign(c, signature, &len, (const unsigned char *)text.ptr, text.len) == 1;
  EVP_MD_CTX_free(c);
  EVP_PKEY_free(key);
  if (fine) put_base64url(out, signature, len);
  return fine;
}

bool google_account_put_request(const struct google_account *a, int64_t wall_ms, struct buf *out, struct err *e) {
  buf_text(out, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=");
  size_t from = out->len;
  put_header(out, a);
  buf_byte(out, '.');
  put_claims(out, a, wall_ms);
  size_t signed_len = out->len - from;
  struct buf signature = {0};
  bool fine = put_signature(&signature, a->private_key, slice_of(out->ptr + from, signed_len));
  buf_byte(out, '.');
  buf_slice(out, buf_view(&signature));
  buf_done(&signature);
  return fine || err_set(e, "the service account's key cannot sign");
}

/* ---- the answer ---- */

bool google_grant_read(struct slice answer, struct google_grant *out) {
  struct json_field f[] = {{.key = SLICE_INIT("access_token")}, {.key = SLICE_INIT("expires_in")}};
  if (!json_fields(answer, f, 2, NULL) || f[0].raw.ptr == NULL || f[0].kind != JSON_STRING) return false;
  if (!json_plain(f[0].raw, &out->token) || out->token.len == 0) return false;
  for (size_t i = 0; i < out->token.len; i++)
    if ((unsigned char)out->token.ptr[i] <= 0x20 || (unsigned char)out->token.ptr[i] >= 0x7f) return false;
  uint64_t seconds = dialect_number(f[1].raw, ASSERTION_SECONDS);
  out->expires_s = seconds > 86400 ? 86400 : (uint32_t)seconds;
  return true;
}

void google_grant_error(struct slice answer, char *out, size_t bytes) {
  char kind[64] = "", text[128] = "";
  struct json_field f[] = {{.key = SLICE_INIT("error")}, {.key = SLICE_INIT("error_description")}};
  if (answer.len > 0 && json_fields(answer, f, 2, NULL)) {
    if (f[0].kind == JSON_STRING) dialect_text(kind, sizeof kind, f[0].raw);
    if (f[1].kind == JSON_STRING) dialect_text(text, sizeof text, f[1].raw);
  }
  snprintf(out, bytes, "%s%s%s", kind, kind[0] && text[0] ? ": " : "", text);
}
