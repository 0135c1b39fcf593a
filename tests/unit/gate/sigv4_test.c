/* sigv4: against the published test suite (AWS "Signature Version 4 test suite": credentials, date, requests and
 * signatures are its facts, written down here as a table), and what a verifier must refuse. */
#include "gate/signer/sigv4.h"

#include "check.h"
#include "gate/signer/aws_keys.h"

#define SUITE_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define SUITE_SCOPE "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
static const int64_t suite_ms = 1440938160000; /* 20150830T123600Z */

struct vector {
  const char *name, *method, *path, *query, *body, *signed_headers, *signature;
  const char *headers[8]; /* name, value, … beside host and x-amz-date */
};

static const struct vector vectors[] = {
    {"get-vanilla",
     "GET",
     "/",
     "",
     "",
     "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
     {NULL}},
    {"get-vanilla-query-order-key-case",
     "GET",
     "/",
     "Param2=value2&Param1=value1",
     "",
     "host;x-amz-date",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
     {NULL}},
    {"get-vanilla-utf8-query",
     "GET",
     "/",
     "\xe1\x88\xb4=bar",
     "",
     "host;x-amz-date",
     "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
     {NULL}},
    {"get-unreserved",
     "GET",
     "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
     "",
     "",
     "host;x-amz-date",
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
     {NULL}},
    {"get-utf8",
     "GET",
     "/\xe1\x88\xb4",
     "",
     "",
     "host;x-amz-date",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
     {NULL}},
    {"get-space",
     "GET",
     "/example space/",
     "",
     "",
     "host;x-amz-date",
     "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
     {NULL}},
    {"get-slashes",
     "GET",
     "//example//",
     "",
     "",
     "host;x-amz-date",
     "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
     {NULL}},
    {"get-relative-relative",
     "GET",
     "/example1/example2/../..",
     "",
     "",
     "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
     {NULL}},
    {"get-slash-dot-slash",
     "GET",
     "/./",
     "",
     "",
     "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
     {NULL}},
    {"get-header-value-trim",
     "GET",
     "/",
     "",
     "",
     "host;my-header1;my-header2;x-amz-date",
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
     {"My-Header1", " value1", "My-Header2", " \"a   b   c\""}},
    {"get-header-value-order",
     "GET",
     "/",
     "",
     "",
     "host;my-header1;x-amz-date",
     "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
     {"My-Header1", "value4", "My-Header1", "value1", "My-Header1", "value3", "My-Header1", "value2"}},
    {"post-vanilla",
     "POST",
     "/",
     "",
     "",
     "host;x-amz-date",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
     {NULL}},
    {"post-x-www-form-urlencoded",
     "POST",
     "/",
     "",
     "Param1=value1",
     "content-type;host;x-amz-date",
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
     {"Content-Type", "application/x-www-form-urlencoded"}},
};
enum { VECTORS = sizeof vectors / sizeof *vectors };

static struct http_head head_of(const struct vector *v, const char *authorization) {
  struct http_head head = {.method = slice_text(v->method), .path = slice_text(v->path), .query = slice_text(v->query)};
  struct http_header *at = head.headers;
  *at++ = (struct http_header){SLICE("Host"), SLICE("example.amazonaws.com")};
  *at++ = (struct http_header){SLICE("X-Amz-Date"), SLICE("20150830T123600Z")};
  for (unsigned i = 0; i < 8 && v->headers[i] != NULL; i += 2)
    *at++ = (struct http_header){slice_text(v->headers[i]), slice_text(v->headers[i + 1])};
  *at++ = (struct http_header){SLICE("Authorization"), slice_text(authorization)};
  head.header_count = (uint16_t)(at - head.headers);
  return head;
}

static char *authorization_of(const struct vector *v, const char *scope, const char *signature, char out[1024]) {
  snprintf(out, 1024, "AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=%s, Signature=%s", scope, v->signed_headers,
           signature);
  return out;
}

TEST(verifier_accepts_the_published_signatures) {
  for (unsigned i = 0; i < VECTORS; i++) {
    const struct vector *v = &vectors[i];
    char text[1024];
    struct http_head head = head_of(v, authorization_of(v, SUITE_SCOPE, v->signature, text));
    struct arena arena;
    struct sigv4_claim claim;
    struct err e = {""};
    arena_init(&arena);
    CHECK(sigv4_is_signed(&head));
    bool read = sigv4_claim_read(&head, suite_ms, &arena, &claim, &e);
    if (!read) fprintf(stderr, "%s: %s\n", v->name, e.text);
    CHECK(read);
    CHECK_SLICE(claim.access_key, "AKIDEXAMPLE");
    bool holds = sigv4_claim_holds(&claim, SLICE(SUITE_SECRET), slice_text(v->body));
    if (!holds) fprintf(stderr, "%s does not hold\n%.*s", v->name, (int)claim.canonical.len, claim.canonical.ptr);
    CHECK(holds);
    CHECK(!sigv4_claim_holds(&claim, SLICE("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEz"), slice_text(v->body)));
    CHECK(!sigv4_claim_holds(&claim, SLICE(SUITE_SECRET), SLICE("another body")));
    arena_done(&arena);
  }
}

/* The signer always signs host, date and content type, so of the suite these fit. */
TEST(signer_makes_the_published_signatures) {
  struct sigv4_account account = {
      SLICE_INIT("AKIDEXAMPLE"), SLICE_INIT(SUITE_SECRET), {NULL, 0}, SLICE_INIT("us-east-1"), SLICE_INIT("service")};
  struct sigv4_signer *s = sigv4_signer_new(&account);
  struct buf lines = {0};
  for (unsigned i = 0; i < VECTORS; i++) {
    const struct vector *v = &vectors[i];
    if (strcmp(v->signed_headers, "host;x-amz-date") != 0 && strcmp(v->name, "post-x-www-form-urlencoded") != 0)
      continue;
    char target[256], want[1024];
    snprintf(target, sizeof target, "%s%s%s", v->path, v->query[0] ? "?" : "", v->query);
    struct iovec body = {(void *)v->body, strlen(v->body)};
    struct sigv4_call call = {.method = slice_text(v->method),
                              .target = slice_text(target),
                              .host = SLICE("example.amazonaws.com"),
                              .content_type = slice_text(v->headers[0] ? v->headers[1] : ""),
                              .body = &body,
                              .body_parts = 1};
    snprintf(want, sizeof want,
             "x-amz-date: 20150830T123600Z\r\nauthorization: AWS4-HMAC-SHA256 Credential=" SUITE_SCOPE
             ", SignedHeaders=%s, Signature=%s\r\n",
             v->signed_headers, v->signature);
    lines.len = 0;
    sigv4_sign(s, &call, suite_ms, &lines);
    CHECK_SLICE(buf_view(&lines), want);
  }
  buf_done(&lines);
  sigv4_signer_free(s);
}

/* post-sts-header-before of the suite: the token is signed too. The body comes in pieces. */
TEST(signer_signs_the_session_token_and_bodies_in_pieces) {
  const char *token =
      "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYR"
      "qTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp"
      "75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn"
      "9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
  struct sigv4_account account = {SLICE_INIT("AKIDEXAMPLE"), SLICE_INIT(SUITE_SECRET), slice_text(token),
                                  SLICE_INIT("us-east-1"), SLICE_INIT("service")};
  struct sigv4_signer *s = sigv4_signer_new(&account);
  struct sigv4_call call = {.method = SLICE("POST"), .target = SLICE("/"), .host = SLICE("example.amazonaws.com")};
  struct buf lines = {0}, pieces = {0};
  sigv4_sign(s, &call, suite_ms, &lines);
  CHECK(slice_find(buf_view(&lines),
                   SLICE("SignedHeaders=host;x-amz-date;x-amz-security-token, "
                         "Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead")) > 0);
  struct iovec whole = {(void *)"{\"a\":1}", 7}, cut[] = {{(void *)"{\"a\"", 4}, {(void *)"", 0}, {(void *)":1}", 3}};
  lines.len = 0;
  call.body = &whole;
  call.body_parts = 1;
  sigv4_sign(s, &call, suite_ms, &lines);
  call.body = cut;
  call.body_parts = 3;
  sigv4_sign(s, &call, suite_ms, &pieces);
  CHECK(slice_eq(buf_view(&lines), buf_view(&pieces)));
  buf_done(&lines);
  buf_done(&pieces);
  sigv4_signer_free(s);
}

/* The cached signing key is of one day: the next day's signature is that of a new signer. */
TEST(signing_key_changes_with_the_day) {
  struct sigv4_account account = {
      SLICE_INIT("AKIDEXAMPLE"), SLICE_INIT(SUITE_SECRET), {NULL, 0}, SLICE_INIT("us-east-1"), SLICE_INIT("bedrock")};
  struct sigv4_signer *old = sigv4_signer_new(&account);
  struct sigv4_call call = {.method = SLICE("POST"), .target = SLICE("/model/x/converse"), .host = SLICE("h")};
  for (unsigned day = 0; day < 4; day++) {
    struct sigv4_signer *fresh = sigv4_signer_new(&account);
    struct buf a = {0}, b = {0}, c = {0};
    int64_t when = suite_ms + (int64_t)day * 86400000;
    sigv4_sign(old, &call, when, &a);
    sigv4_sign(old, &call, when, &b);
    sigv4_sign(fresh, &call, when, &c);
    CHECK(slice_eq(buf_view(&a), buf_view(&b)) && slice_eq(buf_view(&a), buf_view(&c)));
    buf_done(&a);
    buf_done(&b);
    buf_done(&c);
    sigv4_signer_free(fresh);
  }
  sigv4_signer_free(old);
}

/* A path that is encoded already is encoded once more; an ARN's slash and colon stay within their segment. */
TEST(paths_are_encoded_twice) {
  static const struct {
    const char *sent, *canonical;
  } rows[] = {
      {"/model/anthropic.claude-v2%3A1/converse", "/model/anthropic.claude-v2%253A1/converse"},
      {"/model/anthropic.claude-v2:1/converse", "/model/anthropic.claude-v2%3A1/converse"},
      {"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x/converse-stream",
       "/model/arn%253Aaws%253Abedrock%253Aus-east-1%253A1%253Ainference-profile%252Fus.x/converse-stream"},
      {"", "/"},
      {"/", "/"},
      {"/a//b/./c/../d", "/a/b/d"},
      {"/../..", "/"},
      {"/a/", "/a/"},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf out = {0};
    sigv4_put_path(&out, slice_text(rows[i].sent));
    CHECK_SLICE(buf_view(&out), rows[i].canonical);
    buf_done(&out);
  }
}

TEST(queries_are_sorted_and_encoded_once) {
  static const struct {
    const char *sent, *canonical;
  } rows[] = {
      {"", ""},
      {"b=2&a=1", "a=1&b=2"},
      {"a=2&a=1", "a=1&a=2"},
      {"flag", "flag="},
      {"a=b%20c&x=%2f", "a=b%20c&x=%2F"},
      {"a=b c+d", "a=b%20c%2Bd"},
      {"a=%zz", "a=%25zz"},
      {"&&a=1&", "a=1"},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf out = {0};
    sigv4_put_query(&out, slice_text(rows[i].sent));
    CHECK_SLICE(buf_view(&out), rows[i].canonical);
    buf_done(&out);
  }
}

/* Each of these is refused from the head alone, with a reason. */
TEST(malformed_and_old_claims_are_refused) {
  const struct vector *v = &vectors[0];
  const char *good = v->signature;
  static const struct {
    const char *authorization, *why;
  } rows[] = {
      {"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, Signature=", "authorization"},
      {"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/aws4_request, SignedHeaders=host;x-amz-date, "
       "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
       "credential"},
      {"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150829/us-east-1/service/aws4_request, "
       "SignedHeaders=host;x-amz-date, "
       "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
       "credential"},
      {"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=x-amz-date, "
       "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
       "host"},
      {"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host, "
       "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
       "x-amz-date"},
      {"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
       "SignedHeaders=host;x-amz-date, "
       "Signature=5FA0",
       "authorization"},
  };
  struct arena arena;
  struct sigv4_claim claim;
  struct err e;
  arena_init(&arena);
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct http_head head = head_of(v, rows[i].authorization);
    CHECK(!sigv4_claim_read(&head, suite_ms, &arena, &claim, &e));
    if (strstr(e.text, rows[i].why) == NULL) fprintf(stderr, "row %u: %s\n", i, e.text);
    CHECK(strstr(e.text, rows[i].why) != NULL);
  }
  char text[1024];
  struct http_head head = head_of(v, authorization_of(v, SUITE_SCOPE, good, text));
  CHECK(!sigv4_claim_read(&head, suite_ms + SIGV4_SKEW_MS + 1000, &arena, &claim, &e));
  CHECK(!sigv4_claim_read(&head, suite_ms - SIGV4_SKEW_MS - 1000, &arena, &claim, &e));
  CHECK(sigv4_claim_read(&head, suite_ms + SIGV4_SKEW_MS, &arena, &claim, &e));
  /* A header that AWS gives meaning to and that is not signed; an unsigned body; two signatures. */
  head.headers[head.header_count++] = (struct http_header){SLICE("x-amz-target"), SLICE("x")};
  CHECK(!sigv4_claim_read(&head, suite_ms, &arena, &claim, &e));
  head.headers[head.header_count - 1] = (struct http_header){SLICE("authorization"), SLICE("Bearer x")};
  CHECK(!sigv4_claim_read(&head, suite_ms, &arena, &claim, &e));
  struct vector unsigned_body = *v;
  unsigned_body.signed_headers = "host;x-amz-content-sha256;x-amz-date";
  unsigned_body.headers[0] = "x-amz-content-sha256";
  unsigned_body.headers[1] = "UNSIGNED-PAYLOAD";
  head = head_of(&unsigned_body, authorization_of(&unsigned_body, SUITE_SCOPE, good, text));
  CHECK(!sigv4_claim_read(&head, suite_ms, &arena, &claim, &e));
  arena_done(&arena);
}

TEST(pairs_are_found_by_their_id) {
  struct aws_keys *t = aws_keys_new();
  uint32_t index;
  struct slice secret;
  CHECK(!aws_keys_find(t, SLICE("MGAKAAAAAAAAAAAAAAAA"), &index, &secret));
  for (uint32_t i = 0; i < 200; i++) {
    char key[32];
    snprintf(key, sizeof key, "sk-gateway-%u", i);
    aws_keys_add(t, slice_text(key), i);
  }
  for (uint32_t i = 0; i < 200; i++) {
    char key[32];
    struct aws_pair pair;
    snprintf(key, sizeof key, "sk-gateway-%u", i);
    aws_pair_of(slice_text(key), &pair);
    CHECK(aws_keys_find(t, slice_of(pair.id, sizeof pair.id), &index, &secret));
    CHECK_INT(index, i);
    CHECK(slice_eq(secret, slice_of(pair.secret, sizeof pair.secret)));
    pair.id[19] = pair.id[19] == 'A' ? 'B' : 'A';
    CHECK(!aws_keys_find(t, slice_of(pair.id, sizeof pair.id), &index, &secret));
  }
  aws_keys_free(t);
}

/* What the manual says of the pair, so that clients can work it out themselves: written down from another
 * implementation (Python's hmac). */
TEST(pair_is_what_the_manual_says) {
  struct aws_pair pair;
  aws_pair_of(SLICE("sk-moongate-0123456789abcdef"), &pair);
  CHECK_SLICE(slice_of(pair.id, sizeof pair.id), "MGAKKEDF75KGEUG7IVEE");
  CHECK_SLICE(slice_of(pair.secret, sizeof pair.secret), "hOPpuraqQLk6OeAHJhr5IOVmWyNGVq7L5ixZt8xg");
}

UNIT_MAIN()
