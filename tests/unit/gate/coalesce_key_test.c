/* coalesce_key: what is one request, and what is two. */
#include "gate/sharing/coalesce_key.h"

#include "check.h"
#include "gate/request.h"

/* A request as the fields of a case say; unsaid ones are the usual ones. */
struct asking {
  const char *head; /* header lines; the request line comes before them */
  const char *target, *body, *policy, *team, *key;
  unsigned generation, route;
  enum operation operation;
};

static void key_of(struct asking a, unsigned char out[COALESCE_KEY_BYTES]) {
  struct generation generation = {.number = a.generation};
  struct tenure tenure = {.generation = &generation};
  struct endpoint endpoint = {.operation = a.operation};
  struct team team = {.name = (char *)(uintptr_t)a.team};
  struct key key = {.name = (char *)(uintptr_t)a.key, .team = a.team != NULL ? &team : NULL};
  struct route route = {.index = a.route, .policy = (char *)(uintptr_t)(a.policy ? a.policy : "builtin")};
  struct http_head head;
  struct http_refusal why;
  size_t scanned = 0, head_bytes;
  struct buf text = {0};
  buf_fill(&text, "POST %s HTTP/1.1\r\nhost: h\r\n%s\r\n", a.target ? a.target : "/v1/chat/completions",
           a.head ? a.head : "");
  CHECK(http_parse_request(buf_view(&text), &http_limits_default, &scanned, &head, &head_bytes, &why) == HTTP_COMPLETE);
  if (a.key != NULL) memcpy(key.digest, a.key, strlen(a.key));
  struct request r = {.tenure = &tenure,
                      .endpoint = &endpoint,
                      .key = a.key != NULL ? &key : NULL,
                      .head = &head,
                      .body = slice_text(a.body ? a.body : "{\"model\":\"r\"}")};
  coalesce_key_of(&r, &route, out);
  buf_done(&text);
}

static bool same(struct asking a, struct asking b) {
  unsigned char one[COALESCE_KEY_BYTES], other[COALESCE_KEY_BYTES];
  key_of(a, one);
  key_of(b, other);
  return memcmp(one, other, sizeof one) == 0;
}

static const struct asking usual = {.head = NULL};

TEST(the_same_is_the_same) {
  CHECK(same(usual, usual));
  CHECK(!same(usual, (struct asking){.body = "{\"model\":\"r\" }"}));
  CHECK(!same(usual, (struct asking){.target = "/v1/messages"}));
  CHECK(!same(usual, (struct asking){.generation = 1}));
  CHECK(!same(usual, (struct asking){.route = 1}));
  CHECK(!same(usual, (struct asking){.operation = OPERATION_EMBEDDINGS}));
}

TEST(the_tenant_is_the_team_or_the_key) {
  struct asking one = {.key = "k1", .team = "t"}, two = {.key = "k2", .team = "t"};
  CHECK(same(one, two));
  CHECK(!same(one, (struct asking){.key = "k1", .team = "u"}));
  CHECK(!same(one, (struct asking){.key = "k1"}));
  CHECK(!same((struct asking){.key = "k1"}, (struct asking){.key = "k2"}));
  CHECK(!same(usual, (struct asking){.key = "k1"}));
  one.policy = two.policy = "weighted";
  CHECK(same(one, two));
  /* A policy of the operator's own can see the key. */
  one.policy = two.policy = "policies/own.lua";
  CHECK(!same(one, two));
  CHECK(same(one, one));
}

TEST(headers_count_unless_they_say_nothing_of_what_is_asked) {
  static const char *const telling[] = {
      "anthropic-beta: x\r\n",  "openai-beta: x\r\n", "accept: text/plain\r\n",      "user-agent: x\r\n",
      "idempotency-key: 1\r\n", "x-tier: gold\r\n",   "x-moongate-strict: true\r\n", "x-moongate-provider: p\r\n"};
  static const char *const silent[] = {"authorization: Bearer x\r\n",
                                       "x-api-key: x\r\n",
                                       "X-Request-Id: 1\r\n",
                                       "traceparent: 00-1\r\n",
                                       "x-b3-traceid: 1\r\n",
                                       "x-forwarded-for: 1.2.3.4\r\n",
                                       "accept-encoding: gzip\r\n",
                                       "x-stainless-retry-count: 1\r\n",
                                       "x-amz-date: 20260101T000000Z\r\n",
                                       "connection: keep-alive, x-hop\r\nx-hop: 1\r\n"};
  for (unsigned i = 0; i < sizeof telling / sizeof *telling; i++) {
    struct asking with = {.head = telling[i]};
    if (same(usual, with)) fprintf(stderr, "%s", telling[i]);
    CHECK(!same(usual, with));
    CHECK(same(with, with));
  }
  for (unsigned i = 0; i < sizeof silent / sizeof *silent; i++) {
    if (!same(usual, (struct asking){.head = silent[i]})) fprintf(stderr, "%s", silent[i]);
    CHECK(same(usual, (struct asking){.head = silent[i]}));
  }
  CHECK(same((struct asking){.head = "X-Tier: gold\r\n"}, (struct asking){.head = "x-tier: gold\r\n"}));
  CHECK(!same((struct asking){.head = "x-tier: gold\r\n"}, (struct asking){.head = "x-tier: GOLD\r\n"}));
  CHECK(!same((struct asking){.head = "x-a: b\r\nx-c: d\r\n"}, (struct asking){.head = "x-a: d\r\nx-c: b\r\n"}));
}

TEST(a_query_counts_but_for_a_key_in_it) {
  struct asking plain = {.target = "/v1beta/models/r:streamGenerateContent"};
  CHECK(!same(plain, (struct asking){.target = "/v1beta/models/r:streamGenerateContent?alt=sse"}));
  CHECK(same(plain, (struct asking){.target = "/v1beta/models/r:streamGenerateContent?key=secret"}));
  CHECK(same((struct asking){.target = "/v1beta/models/r:streamGenerateContent?alt=sse"},
             (struct asking){.target = "/v1beta/models/r:streamGenerateContent?key=secret&alt=sse"}));
}

UNIT_MAIN()
