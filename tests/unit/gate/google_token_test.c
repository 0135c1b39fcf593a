/* google_account and google_token: the assertion is checked with OpenSSL's verifier and the key's public half; the life
 * of a shared token at given times. */
#include "gate/signer/google_token.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/memory.h"
#include "check.h"
#include "gate/signer/google_account.h"
#include "wire/json.h"

static EVP_PKEY *pair;

/* A key file whose private key is `pair`, with one text in place of another. */
static struct buf key_file(const char *instead_of, const char *text) {
  struct buf out = {0}, pem = {0};
  if (pair == NULL) pair = EVP_RSA_gen(2048);
  BIO *bio = BIO_new(BIO_s_mem());
  char *bytes;
  PEM_write_bio_PrivateKey(bio, pair, NULL, NULL, 0, NULL, NULL);
  long len = BIO_get_mem_data(bio, &bytes);
  json_put_string(&pem, slice_of(bytes, (size_t)len));
  BIO_free(bio);
  buf_text(&out, "{\"type\":\"service_account\",\"project_id\":\"p\",\"private_key_id\":\"kid-1\",\"private_key\":");
  buf_slice(&out, buf_view(&pem));
  buf_text(&out, ",\"client_email\":\"a@p.iam.gserviceaccount.com\",\"token_uri\":\"https://oauth2.example/token\"}");
  ptrdiff_t at = instead_of ? slice_find(buf_view(&out), slice_text(instead_of)) : -1;
  if (at >= 0) {
    struct buf changed = {0};
    buf_append(&changed, out.ptr, (size_t)at);
    buf_text(&changed, text);
    buf_slice(&changed, slice_from(buf_view(&out), (size_t)at + strlen(instead_of)));
    buf_done(&out);
    out = changed;
  }
  buf_done(&pem);
  return out;
}

static struct buf from_base64url(struct slice text) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  struct buf out = {0};
  uint32_t held = 0;
  unsigned have = 0;
  for (size_t i = 0; i < text.len; i++) {
    held = held << 6 | (uint32_t)(strchr(digits, text.ptr[i]) - digits);
    have += 6;
    if (have >= 8) buf_byte(&out, (char)(held >> (have -= 8) & 255));
  }
  return out;
}

TEST(assertion_says_who_for_what_and_how_long) {
  struct buf file = key_file(NULL, NULL), request = {0};
  struct google_account account;
  struct err e = {""};
  CHECK(google_account_read(buf_view(&file), &account, &e));
  CHECK(google_account_put_request(&account, 1795349580123, &request, &e));
  struct slice body = buf_view(&request), before = SLICE("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-"
                                                         "bearer&assertion=");
  CHECK(slice_starts(body, before));
  struct slice jwt = slice_from(body, before.len);
  size_t dot = (size_t)slice_find_byte(jwt, '.'),
         second = dot + 1 + (size_t)slice_find_byte(slice_from(jwt, dot + 1), '.');
  struct buf head = from_base64url(slice_of(jwt.ptr, dot)),
             claims = from_base64url(slice_of(jwt.ptr + dot + 1, second - dot - 1)),
             signature = from_base64url(slice_from(jwt, second + 1));
  CHECK_SLICE(buf_view(&head), "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"kid-1\"}");
  CHECK_SLICE(buf_view(&claims),
              "{\"iss\":\"a@p.iam.gserviceaccount.com\",\"scope\":\"https://www.googleapis.com/auth/cloud-platform\","
              "\"aud\":\"https://oauth2.example/token\",\"iat\":1795349580,\"exp\":1795353180}");
  EVP_MD_CTX *c = EVP_MD_CTX_new();
  CHECK(EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, pair) == 1);
  CHECK(EVP_DigestVerify(c, (unsigned char *)signature.ptr, signature.len, (const unsigned char *)jwt.ptr, second) ==
        1);
  EVP_MD_CTX_free(c);
  struct buf *all[] = {&file, &request, &head, &claims, &signature};
  for (unsigned i = 0; i < 5; i++) buf_done(all[i]);
  google_account_done(&account);
}

TEST(key_files_that_are_none_are_refused_with_the_field) {
  static const struct {
    const char *instead_of, *text, *why;
  } rows[] = {
      {"service_account", "authorized_user", "type"},
      {"\"client_email\"", "\"client_mail\"", "client_email"},
      {"\"token_uri\"", "\"token_url\"", "token_uri"},
      {"https://oauth2.example/token", "http://oauth2.example/token", "https"},
      {"\"private_key\"", "\"private_keys\"", "private_key"},
      {"-----BEGIN", "-----BEGUN", "PEM"},
      {"{", "[", "JSON"},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf file = key_file(rows[i].instead_of, rows[i].text);
    struct google_account account;
    struct err e = {""};
    CHECK(!google_account_read(buf_view(&file), &account, &e));
    if (strstr(e.text, rows[i].why) == NULL) fprintf(stderr, "row %u: %s\n", i, e.text);
    CHECK(strstr(e.text, rows[i].why) != NULL);
    buf_done(&file);
  }
  struct buf local = key_file("https://oauth2.example/token", "http://127.0.0.1:9/token");
  struct google_account account;
  struct err e = {""};
  CHECK(google_account_read(buf_view(&local), &account, &e));
  google_account_done(&account);
  buf_done(&local);
}

/* With slack behind it, as an answer's buffer has. */
static struct slice with_slack(const char *json) {
  static struct buf text;
  if (json == NULL) buf_done(&text);
  text.len = 0;
  if (json != NULL) buf_text(&text, json);
  return buf_view(&text);
}

static bool grant(const char *json, struct google_grant *out) {
  return google_grant_read(with_slack(json), out);
}

TEST(grants) {
  struct google_grant g;
  CHECK(grant("{\"access_token\":\"ya29.x\",\"expires_in\":3599,\"token_type\":\"Bearer\"}", &g));
  CHECK_SLICE(g.token, "ya29.x");
  CHECK_INT(g.expires_s, 3599);
  CHECK(grant("{\"access_token\":\"t\"}", &g));
  CHECK_INT(g.expires_s, 3600);
  CHECK(!grant("{\"access_token\":\"\"}", &g));
  CHECK(!grant("{\"access_token\":\"a b\"}", &g));
  CHECK(!grant("{\"id_token\":\"t\"}", &g));
  CHECK(!grant("no", &g));
  char text[64];
  google_grant_error(with_slack("{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT Signature.\"}"), text,
                     sizeof text);
  CHECK_SLICE(slice_text(text), "invalid_grant: Invalid JWT Signature.");
  google_grant_error(with_slack("<html>"), text, sizeof text);
  CHECK_SLICE(slice_text(text), "");
  with_slack(NULL);
}

static const uint64_t second_ns = 1000000000ull;

struct look {
  enum google_token_state state;
  bool claimed;
  char line[64], why[GOOGLE_TOKEN_WHY_BYTES];
};

static struct look look_at(struct google_token *t, uint64_t second) {
  struct look l = {0};
  struct buf line = {0};
  l.state = google_token_line(t, second * second_ns, &line, &l.claimed, l.why);
  snprintf(l.line, sizeof l.line, "%.*s", (int)line.len, line.ptr ? line.ptr : "");
  buf_done(&line);
  return l;
}

TEST(one_fetches_and_all_use_it) {
  struct google_token *a = google_token_hold(SLICE("file 1")), *b = google_token_hold(SLICE("file 1")),
                      *other = google_token_hold(SLICE("file 2"));
  CHECK(a == b && a != other);
  struct look l = look_at(a, 1000);
  CHECK(l.state == GOOGLE_TOKEN_NONE && l.claimed);
  l = look_at(b, 1000);
  CHECK(l.state == GOOGLE_TOKEN_NONE && !l.claimed);
  google_token_put(a, SLICE("ya29.a"), 3600, 1001 * second_ns);
  l = look_at(b, 1002);
  CHECK(l.state == GOOGLE_TOKEN_READY && !l.claimed);
  CHECK_SLICE(slice_text(l.line), "authorization: Bearer ya29.a\r\n");
  CHECK(look_at(other, 1002).state == GOOGLE_TOKEN_NONE);
  google_token_release(a);
  google_token_release(b);
  google_token_release(other);
}

TEST(renewed_ahead_of_its_end_while_the_old_one_serves) {
  struct google_token *t = google_token_hold(SLICE("file"));
  CHECK(look_at(t, 1).claimed);
  google_token_put(t, SLICE("old"), 3600, 1 * second_ns);
  CHECK(!look_at(t, 3300).claimed);
  struct look l = look_at(t, 3302);
  CHECK(l.state == GOOGLE_TOKEN_READY && l.claimed);
  l = look_at(t, 3303);
  CHECK(l.state == GOOGLE_TOKEN_READY && !l.claimed);
  google_token_fail(t, "no route", 3304 * second_ns);
  l = look_at(t, 3305);
  CHECK(l.state == GOOGLE_TOKEN_READY && !l.claimed);
  CHECK(look_at(t, 3335).claimed);
  google_token_put(t, SLICE("new"), 3600, 3336 * second_ns);
  CHECK_SLICE(slice_text(look_at(t, 3337).line), "authorization: Bearer new\r\n");
  l = look_at(t, 3336 + 3595);
  CHECK(l.state == GOOGLE_TOKEN_NONE && l.claimed); /* too near its end to be sent */
  google_token_unclaim(t);
  CHECK(look_at(t, 3336 + 3595).claimed);
  google_token_release(t);
}

TEST(a_failed_exchange_is_told_and_tried_again) {
  struct google_token *t = google_token_hold(SLICE("file"));
  CHECK(look_at(t, 1).claimed);
  google_token_fail(t, "status 400 invalid_grant", 2 * second_ns);
  struct look l = look_at(t, 3);
  CHECK(l.state == GOOGLE_TOKEN_FAILED && !l.claimed);
  CHECK_SLICE(slice_text(l.why), "status 400 invalid_grant");
  l = look_at(t, 8);
  CHECK(l.state == GOOGLE_TOKEN_NONE && l.claimed);
  google_token_release(t);
}

TEST(a_short_token_is_renewed_at_half_its_life) {
  struct google_token *t = google_token_hold(SLICE("file"));
  CHECK(look_at(t, 1).claimed);
  google_token_put(t, SLICE("short"), 100, 1 * second_ns);
  CHECK(!look_at(t, 2).claimed);
  struct look l = look_at(t, 52);
  CHECK(l.state == GOOGLE_TOKEN_READY && l.claimed);
  google_token_release(t);
  EVP_PKEY_free(pair);
}

UNIT_MAIN()
