/* The request parser: every vector whole, byte by byte, in odd pieces, behind a good request and before one; then what
 * a parsed head says. */
#include "wire/http.h"

#include "check.h"
#include "http_feed.h"
#include "http_vectors.h"

static const char good[] = "POST /good HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\ngood";
static char joined[64 * 1024];

static void check_vector(const struct http_vector *v, const char *how, struct http_outcome outcome, size_t consumed) {
  bool same = strcmp(outcome.verdict, v->expected) == 0;
  if (!same) fprintf(stderr, "%s, %s: %s, not %s\n", v->id, how, outcome.verdict, v->expected);
  CHECK(same);
  if (strcmp(v->expected, "accept") == 0 && same) CHECK_INT(outcome.consumed, consumed);
}

static struct slice join(const char *a, size_t a_len, const char *b, size_t b_len) {
  memcpy(joined, a, a_len);
  memcpy(joined + a_len, b, b_len);
  return slice_of(joined, a_len + b_len);
}

static void check_every_way(const struct http_vector *v, struct slice message) {
  check_vector(v, "whole", http_feed(message, 0, true), message.len);
  check_vector(v, "byte by byte", http_feed(message, 1, true), message.len);
  check_vector(v, "by seven", http_feed(message, 7, true), message.len);
}

TEST(request_vectors) {
  for (size_t i = 0; i < sizeof http_vectors / sizeof *http_vectors; i++)
    check_every_way(&http_vectors[i], slice_of(http_vectors[i].bytes, http_vectors[i].len));
}

TEST(chunked_vectors_as_requests) {
  static const char head[] = "POST /v1 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (size_t i = 0; i < sizeof http_chunked_vectors / sizeof *http_chunked_vectors; i++) {
    const struct http_vector *v = &http_chunked_vectors[i];
    check_every_way(v, join(head, sizeof head - 1, v->bytes, v->len));
  }
}

TEST(vectors_split_once_anywhere) {
  for (size_t i = 0; i < sizeof http_vectors / sizeof *http_vectors; i++) {
    const struct http_vector *v = &http_vectors[i];
    for (size_t cut = 1; cut < v->len && v->len < 1024; cut++)
      check_vector(v, "split once", http_feed(slice_of(v->bytes, v->len), cut, true), v->len);
  }
}

TEST(vectors_pipelined_behind_a_good_request) {
  for (size_t i = 0; i < sizeof http_vectors / sizeof *http_vectors; i++) {
    const struct http_vector *v = &http_vectors[i];
    struct slice both = join(good, sizeof good - 1, v->bytes, v->len);
    struct http_outcome first = http_feed(both, 0, true);
    CHECK(strcmp(first.verdict, "accept") == 0);
    CHECK_INT(first.consumed, sizeof good - 1);
    check_vector(v, "behind a good request", http_feed(slice_from(both, first.consumed), 0, true), v->len);
  }
}

TEST(accepted_vectors_end_where_the_next_begins) {
  for (size_t i = 0; i < sizeof http_vectors / sizeof *http_vectors; i++) {
    const struct http_vector *v = &http_vectors[i];
    if (strcmp(v->expected, "accept") != 0) continue;
    struct slice both = join(v->bytes, v->len, good, sizeof good - 1);
    check_vector(v, "before a good request", http_feed(both, 0, true), v->len);
  }
}

static struct http_head head;
static struct http_refusal why;

static enum http_verdict parse(const char *text) {
  size_t scanned = 0, head_bytes = 0;
  return http_parse_request(slice_text(text), &http_limits_default, &scanned, &head, &head_bytes, &why);
}

TEST(parts_of_a_head) {
  CHECK(parse("POST /v1/chat?a=b?c HTTP/1.1\r\nhost: A:1\r\nX-One:  1 2 \r\nx-one: 3\r\nContent-Length: 7\r\n\r\n") ==
        HTTP_COMPLETE);
  CHECK_SLICE(head.method, "POST");
  CHECK_SLICE(head.target, "/v1/chat?a=b?c");
  CHECK_SLICE(head.path, "/v1/chat");
  CHECK_SLICE(head.query, "a=b?c");
  CHECK_SLICE(head.host, "A:1");
  CHECK_INT(head.minor, 1);
  CHECK_INT(head.header_count, 4);
  CHECK_SLICE(head.headers[1].name, "X-One");
  CHECK_SLICE(head.headers[1].value, "1 2");
  CHECK(head.keep_alive && !head.expect_continue);
  CHECK_INT(head.body, HTTP_BODY_LENGTH);
  CHECK_INT(head.body_bytes, 7);
  CHECK_SLICE(http_header_of(&head, SLICE("X-ONE")), "1 2");
  CHECK(http_header_of(&head, SLICE("x-two")).ptr == NULL);
  CHECK_INT(http_header_count(&head, SLICE("x-one")), 2);
}

TEST(nothing_of_an_earlier_head_is_left) {
  CHECK(parse("POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n") == HTTP_COMPLETE);
  CHECK(head.expect_continue);
  CHECK(parse("GET /c HTTP/1.0\r\n\r\n") == HTTP_COMPLETE);
  CHECK_INT(head.body, HTTP_BODY_NONE);
  CHECK_INT(head.body_bytes, 0);
  CHECK_INT(head.query.len, 0);
  CHECK(head.host.ptr == NULL);
  CHECK_INT(head.header_count, 0);
  CHECK(!head.expect_continue && !head.keep_alive);
}

TEST(absolute_targets) {
  CHECK(parse("GET http://A.example:80/p/q?r HTTP/1.1\r\nHost: a.EXAMPLE:80\r\n\r\n") == HTTP_COMPLETE);
  CHECK_SLICE(head.path, "/p/q");
  CHECK_SLICE(head.query, "r");
  CHECK_SLICE(head.host, "A.example:80");
  CHECK(parse("GET https://a?r/s HTTP/1.1\r\nHost: a\r\n\r\n") == HTTP_COMPLETE);
  CHECK_SLICE(head.path, "/");
  CHECK_SLICE(head.query, "r/s");
  CHECK(parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n") == HTTP_COMPLETE);
  CHECK_SLICE(head.path, "*");
}

static bool keeps_alive(const char *version, const char *connection) {
  char text[256];
  snprintf(text, sizeof text, "GET / HTTP/%s\r\nHost: a\r\n%s\r\n", version, connection);
  CHECK(parse(text) == HTTP_COMPLETE);
  return head.keep_alive;
}

TEST(keep_alive) {
  CHECK(keeps_alive("1.1", ""));
  CHECK(keeps_alive("1.1", "Connection: keep-alive\r\n"));
  CHECK(keeps_alive("1.1", "Connection: closed, keep\r\n"));
  CHECK(!keeps_alive("1.1", "Connection: close\r\n"));
  CHECK(!keeps_alive("1.1", "Connection: keep-alive\r\nConnection: CLOSE\r\n"));
  CHECK(!keeps_alive("1.1", "Connection: te,close\r\n"));
  CHECK(!keeps_alive("1.0", ""));
  CHECK(keeps_alive("1.0", "connection: Keep-Alive\r\n"));
  CHECK(!keeps_alive("1.0", "Connection: keep-alive, close\r\n"));
}

TEST(expect_needs_a_body_and_http11) {
  CHECK(parse("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n") ==
        HTTP_COMPLETE);
  CHECK(head.expect_continue);
  CHECK(parse("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n") == HTTP_COMPLETE);
  CHECK(!head.expect_continue);
  CHECK(parse("POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n") == HTTP_COMPLETE);
  CHECK(!head.expect_continue);
}

TEST(limits_are_exact) {
  static const char text[] = "GET /12345 HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n";
  struct http_limits limits = {.head_bytes = sizeof text - 1, .target_bytes = 6, .headers = 2};
  size_t scanned = 0, head_bytes = 0;
  CHECK(http_parse_request(SLICE("GET /12345 HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n"), &limits, &scanned, &head,
                           &head_bytes, &why) == HTTP_COMPLETE);
  CHECK_INT(head_bytes, sizeof text - 1);
  limits.head_bytes--, scanned = 0;
  CHECK(http_parse_request(slice_text(text), &limits, &scanned, &head, &head_bytes, &why) == HTTP_REFUSED);
  CHECK_INT(why.status, 431);
  limits.head_bytes++, limits.headers--, scanned = 0;
  CHECK(http_parse_request(slice_text(text), &limits, &scanned, &head, &head_bytes, &why) == HTTP_REFUSED);
  CHECK_INT(why.status, 431);
  limits.headers++, limits.target_bytes--, scanned = 0;
  CHECK(http_parse_request(slice_text(text), &limits, &scanned, &head, &head_bytes, &why) == HTTP_REFUSED);
  CHECK_INT(why.status, 414);
}

TEST(lists_and_syntax) {
  CHECK(parse("GET / HTTP/1.1\r\nHost: a\r\nAccept: x, Text/Event-Stream\r\nAccept: y\r\n\r\n") == HTTP_COMPLETE);
  CHECK(http_list_has(&head, SLICE("accept"), SLICE("text/event-stream")));
  CHECK(http_list_has(&head, SLICE("accept"), SLICE("y")));
  CHECK(!http_list_has(&head, SLICE("accept"), SLICE("text/event")));
  CHECK(!http_list_has(&head, SLICE("accept-x"), SLICE("y")));
  CHECK(http_is_token(SLICE("x-Y_z.1~")) && !http_is_token(SLICE("")) && !http_is_token(SLICE("a b")));
  CHECK(http_is_field_value(SLICE("")) && http_is_field_value(SLICE("a\tb \377c")));
  CHECK(!http_is_field_value(SLICE(" a")) && !http_is_field_value(SLICE("a\t")));
  CHECK(!http_is_field_value(SLICE("a\r\nb: c")) && !http_is_field_value(SLICE("0123456789\n")));
  CHECK(!http_is_field_value(SLICE("a\0b")) && !http_is_field_value(SLICE("0123456\1778")));
}

/* Each byte at each place of a value of each length up to 20: the eight-bytes-at-a-time way agrees with the table. */
TEST(every_byte_in_every_place_of_a_value) {
  char value[20];
  for (size_t len = 1; len <= sizeof value; len++)
    for (size_t at = 0; at < len; at++)
      for (unsigned byte = 0; byte < 256; byte++) {
        memset(value, 'a', sizeof value);
        value[at] = (char)byte;
        bool edge = at == 0 || at == len - 1;
        bool allowed = byte == '\t' || byte == ' ' ? !edge : byte > 0x20 && byte != 0x7f;
        if (http_is_field_value(slice_of(value, len)) != allowed) CHECK_INT(byte, -1);
      }
}

TEST(reasons) {
  CHECK_SLICE(slice_text(http_reason(200)), "OK");
  CHECK_SLICE(slice_text(http_reason(431)), "Request Header Fields Too Large");
  CHECK_SLICE(slice_text(http_reason(299)), "Unknown");
}

UNIT_MAIN()
