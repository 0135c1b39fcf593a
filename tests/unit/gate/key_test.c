/* key: the table and what a request carries. */
#include "gate/key.h"

#include <openssl/sha.h>

#include "base/memory.h"
#include "check.h"

static struct key named(const char *name) {
  return (struct key){.name = mem_text(name, strlen(name))};
}

TEST(thousand_keys_are_found_and_only_they) {
  struct key_table *t = key_table_new();
  const struct key *twin;
  char text[40];
  CHECK(key_table_find(t, SLICE("x")) == NULL);
  for (unsigned i = 0; i < 1000; i++) {
    snprintf(text, sizeof text, "sk-gateway-%u", i);
    CHECK(key_table_add(t, named(text), slice_text(text), &twin));
  }
  CHECK_INT(key_table_count(t), 1000);
  for (unsigned i = 0; i < 2000; i++) {
    snprintf(text, sizeof text, "sk-gateway-%u", i);
    const struct key *k = key_table_find(t, slice_text(text));
    CHECK((k != NULL) == (i < 1000));
    if (k != NULL) CHECK_SLICE(slice_text(k->name), text);
  }
  CHECK(key_table_find(t, SLICE("")) == NULL);
  CHECK(key_table_find(t, slice_of("sk-gateway-1\0", 13)) == NULL);
  CHECK(key_table_find(t, SLICE("SK-GATEWAY-1")) == NULL);
  key_table_free(t);
}

TEST(twins_are_refused_and_named) {
  struct key_table *t = key_table_new();
  const struct key *twin = NULL;
  CHECK(key_table_add(t, named("first"), SLICE("same"), &twin));
  struct key second = named("second");
  CHECK(!key_table_add(t, second, SLICE("same"), &twin));
  CHECK_SLICE(slice_text(twin->name), "first");
  mem_free(second.name);
  CHECK_INT(key_table_count(t), 1);
  CHECK_SLICE(slice_text(key_table_at(t, 0)->name), "first");
  key_table_free(t);
}

/* A digest is of the process's pepper: it cannot be had from the secret alone, and a reload does not change it. */
TEST(digests_are_peppered) {
  struct key_table *a = key_table_new(), *b = key_table_new();
  const struct key *twin;
  key_table_add(a, named("k"), SLICE("secret-of-the-test"), &twin);
  key_table_add(b, named("k"), SLICE("secret-of-the-test"), &twin);
  unsigned char plain[32];
  SHA256((const unsigned char *)"secret-of-the-test", 18, plain);
  CHECK(memcmp(key_table_at(a, 0)->digest, plain, 32) != 0);
  CHECK(memcmp(key_table_at(a, 0)->digest, key_table_at(b, 0)->digest, 32) == 0);
  key_table_free(a);
  key_table_free(b);
}

TEST(models_of_a_key) {
  char *models[] = {"fast", "openai/gpt-5-mini", NULL};
  struct key some = {.models = models}, all = {.models = NULL};
  CHECK(key_may_use(NULL, SLICE("anything")) && key_may_use(&all, SLICE("anything")));
  CHECK(key_may_use(&some, SLICE("fast")) && key_may_use(&some, SLICE("openai/gpt-5-mini")));
  CHECK(!key_may_use(&some, SLICE("gpt-5-mini")) && !key_may_use(&some, SLICE("fas")) &&
        !key_may_use(&some, SLICE("fast ")));
  CHECK(!key_may_use(&some, SLICE("")) && !key_may_use(&some, SLICE("FAST")));
}

TEST(credentials) {
  static const struct {
    const char *names[3], *values[3];
    enum credential is;
    const char *key;
  } rows[] = {{{"host"}, {"x"}, CREDENTIAL_NONE, ""},
              {{"authorization"}, {"Bearer abc"}, CREDENTIAL_ONE, "abc"},
              {{"Authorization"}, {"bEARER  abc"}, CREDENTIAL_ONE, "abc"},
              {{"X-Api-Key"}, {"abc"}, CREDENTIAL_ONE, "abc"},
              {{"x-api-key", "authorization"}, {"abc", "Bearer abc"}, CREDENTIAL_ONE, "abc"},
              {{"x-api-key", "authorization"}, {"abc", "Bearer abd"}, CREDENTIAL_AMBIGUOUS, ""},
              {{"x-api-key", "authorization"}, {"", "Bearer abd"}, CREDENTIAL_AMBIGUOUS, ""},
              {{"authorization", "authorization"}, {"Bearer abc", "Bearer abc"}, CREDENTIAL_AMBIGUOUS, ""},
              {{"x-api-key", "host", "x-api-key"}, {"abc", "h", "abc"}, CREDENTIAL_AMBIGUOUS, ""},
              {{"authorization"}, {"Basic abc"}, CREDENTIAL_AMBIGUOUS, ""},
              {{"authorization"}, {"Bearerabc"}, CREDENTIAL_AMBIGUOUS, ""},
              {{"authorization"}, {"abc"}, CREDENTIAL_AMBIGUOUS, ""},
              {{"authorization"}, {"Bearer"}, CREDENTIAL_NONE, ""},
              {{"x-api-key"}, {""}, CREDENTIAL_NONE, ""},
              {{"api-key"}, {"abc"}, CREDENTIAL_ONE, "abc"},
              {{"x-goog-api-key", "authorization"}, {"abc", "Bearer abc"}, CREDENTIAL_ONE, "abc"},
              {{"x-goog-api-key", "x-api-key"}, {"abc", "abd"}, CREDENTIAL_AMBIGUOUS, ""},
              {{"authorization"}, {"AWS4-HMAC-SHA256 Credential=a"}, CREDENTIAL_SIGNED, ""},
              {{"authorization", "x-api-key"}, {"AWS4-HMAC-SHA256 Credential=a", "abc"}, CREDENTIAL_AMBIGUOUS, ""},
              {{"proxy-authorization"}, {"Bearer abc"}, CREDENTIAL_NONE, ""}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct http_head head = {0};
    struct slice key = {NULL, 0};
    for (; head.header_count < 3 && rows[i].names[head.header_count] != NULL; head.header_count++)
      head.headers[head.header_count] = (struct http_header){slice_text(rows[i].names[head.header_count]),
                                                             slice_text(rows[i].values[head.header_count])};
    CHECK_INT(key_credential(&head, &key), rows[i].is);
    if (rows[i].is == CREDENTIAL_ONE) CHECK_SLICE(key, rows[i].key);
  }
}

TEST(credentials_in_the_query) {
  static const struct {
    const char *query, *header;
    enum credential is;
    const char *key;
  } rows[] = {{"key=abc", NULL, CREDENTIAL_ONE, "abc"},
              {"alt=sse&key=abc", NULL, CREDENTIAL_ONE, "abc"},
              {"key=abc&alt=sse", "abc", CREDENTIAL_ONE, "abc"},
              {"key=abc", "abd", CREDENTIAL_AMBIGUOUS, ""},
              {"key=", NULL, CREDENTIAL_NONE, ""},
              {"monkey=abc&keys=abc&key", NULL, CREDENTIAL_NONE, ""}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct http_head head = {.query = slice_text(rows[i].query)};
    struct slice key = {NULL, 0};
    if (rows[i].header != NULL)
      head.headers[head.header_count++] = (struct http_header){SLICE("x-goog-api-key"), slice_text(rows[i].header)};
    CHECK_INT(key_credential(&head, &key), rows[i].is);
    if (rows[i].is == CREDENTIAL_ONE) CHECK_SLICE(key, rows[i].key);
  }
}

UNIT_MAIN()
