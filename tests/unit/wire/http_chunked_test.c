/* The chunked decoder: what comes out, however the bytes are cut, and that END and REFUSED stay. Verdicts of all
 * vectors within requests are in http_test.c. */
#include "check.h"
#include "http_vectors.h"
#include "wire/http.h"

/* Decodes by steps; returns the last answer; *rest: what was left of the input. */
static enum http_chunk decode(struct slice body, size_t step, struct buf *out, size_t *rest) {
  struct http_chunked chunked = {0};
  struct http_refusal why;
  enum http_chunk answer = HTTP_CHUNK_MORE;
  for (size_t at = 0; at < body.len && answer == HTTP_CHUNK_MORE;) {
    struct slice in = {body.ptr + at, body.len - at < step ? body.len - at : step}, piece;
    size_t given = in.len;
    while ((answer = http_chunked_next(&chunked, &in, &piece, &why)) == HTTP_CHUNK_DATA) buf_slice(out, piece);
    at += given - in.len;
    *rest = body.len - at;
  }
  return answer;
}

TEST(vectors) {
  for (size_t i = 0; i < sizeof http_chunked_vectors / sizeof *http_chunked_vectors; i++) {
    const struct http_vector *v = &http_chunked_vectors[i];
    enum http_chunk expected = strcmp(v->expected, "accept") == 0 ? HTTP_CHUNK_END
                               : strcmp(v->expected, "more") == 0 ? HTTP_CHUNK_MORE
                                                                  : HTTP_CHUNK_REFUSED;
    for (size_t step = 1; step <= (v->len < 100 ? v->len : 100); step++) {
      struct buf out = {0};
      size_t rest = 0;
      enum http_chunk answer = decode(slice_of(v->bytes, v->len), step, &out, &rest);
      if (answer != expected) fprintf(stderr, "%s by %zu\n", v->id, step);
      CHECK_INT(answer, expected);
      if (answer == HTTP_CHUNK_END) {
        CHECK_INT(rest, 0);
        if (out.len > 0) CHECK_SLICE(buf_view(&out), "hello");
      }
      buf_done(&out);
    }
  }
  (void)http_vectors;
  (void)http_response_vectors;
}

TEST(what_follows_is_left_alone) {
  struct buf out = {0};
  size_t rest = 0;
  CHECK_INT(decode(SLICE("2\r\nab\r\n1;x\r\nc\r\n0\r\nT: u\r\n\r\nGET /"), 1000, &out, &rest), HTTP_CHUNK_END);
  CHECK_SLICE(buf_view(&out), "abc");
  CHECK_INT(rest, 5);
  buf_done(&out);
}

TEST(the_end_and_a_refusal_stay) {
  struct http_chunked chunked = {0};
  struct http_refusal why;
  struct slice in = SLICE("0\r\n\r\nxyz"), piece;
  CHECK_INT(http_chunked_next(&chunked, &in, &piece, &why), HTTP_CHUNK_END);
  CHECK_INT(http_chunked_next(&chunked, &in, &piece, &why), HTTP_CHUNK_END);
  CHECK_SLICE(in, "xyz");
  struct http_chunked broken = {0};
  in = SLICE("z\r\n5\r\nhello\r\n");
  CHECK_INT(http_chunked_next(&broken, &in, &piece, &why), HTTP_CHUNK_REFUSED);
  CHECK_INT(why.status, 400);
  in = SLICE("5\r\nhello\r\n");
  CHECK_INT(http_chunked_next(&broken, &in, &piece, &why), HTTP_CHUNK_REFUSED);
}

TEST(size_lines_are_bounded_one_by_one) {
  struct buf body = {0}, out = {0};
  size_t rest = 0;
  for (int i = 0; i < 5; i++) {
    buf_text(&body, "1;");
    for (int j = 0; j < 250; j++) buf_byte(&body, 'x');
    buf_text(&body, "\r\nh\r\n");
  }
  buf_text(&body, "0\r\n\r\n");
  CHECK_INT(decode(buf_view(&body), 64, &out, &rest), HTTP_CHUNK_END);
  CHECK_SLICE(buf_view(&out), "hhhhh");
  buf_done(&body);
  buf_done(&out);
}

TEST(heads_of_chunks) {
  char at[18];
  CHECK_SLICE(slice_of(at, http_chunk_head(at, 0)), "0\r\n");
  CHECK_SLICE(slice_of(at, http_chunk_head(at, 0x1f)), "1f\r\n");
  CHECK_SLICE(slice_of(at, http_chunk_head(at, 0x10000)), "10000\r\n");
  CHECK_SLICE(slice_of(at, http_chunk_head(at, UINT64_MAX)), "ffffffffffffffff\r\n");
}

UNIT_MAIN()
