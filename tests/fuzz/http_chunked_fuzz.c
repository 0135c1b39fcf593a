/* Fuzzes the chunked decoder. The first byte is the size of the pieces it is fed in. Holds: the same answer, the same
 * data and the same rest whole and in pieces; no more is consumed than given; data lies inside the input; what our own
 * encoder writes comes back. */
#include <stdlib.h>

#include "base/must.h"
#include "wire/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static enum http_chunk decode(struct slice body, size_t step, struct buf *out, size_t *consumed) {
  struct http_chunked chunked = {0};
  struct http_refusal why = {0};
  enum http_chunk answer = HTTP_CHUNK_MORE;
  size_t at = 0;
  while (at < body.len && answer == HTTP_CHUNK_MORE) {
    size_t given = body.len - at < step ? body.len - at : step;
    char *copy = malloc(given);
    memcpy(copy, body.ptr + at, given);
    struct slice in = {copy, given}, data = {0};
    while ((answer = http_chunked_next(&chunked, &in, &data, &why)) == HTTP_CHUNK_DATA) {
      must(data.len > 0 && data.ptr >= copy && data.ptr + data.len <= copy + given);
      buf_slice(out, data);
    }
    must(in.len <= given);
    must(answer != HTTP_CHUNK_MORE || in.len == 0);
    must(answer != HTTP_CHUNK_REFUSED || ((why.status == 400 || why.status == 431) && why.why != NULL));
    at += given - in.len;
    free(copy);
  }
  *consumed = at;
  return answer;
}

static void check_round_trip(struct slice bytes, size_t step) {
  struct buf coded = {0}, out = {0};
  for (size_t at = 0; at < bytes.len; at += step) {
    size_t part = bytes.len - at < step ? bytes.len - at : step;
    char head[18];
    buf_append(&coded, head, http_chunk_head(head, part));
    buf_append(&coded, bytes.ptr + at, part);
    buf_text(&coded, "\r\n");
  }
  buf_text(&coded, "0\r\n\r\n");
  size_t consumed;
  must(decode(buf_view(&coded), 5, &out, &consumed) == HTTP_CHUNK_END && consumed == coded.len);
  must(slice_eq(buf_view(&out), bytes));
  buf_done(&coded);
  buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
  if (size < 1) return 0;
  size_t step = (size_t)input[0] + 1, whole_consumed, split_consumed;
  struct slice body = {(const char *)input + 1, size - 1};
  struct buf whole = {0}, split = {0};
  enum http_chunk answer = decode(body, size, &whole, &whole_consumed);
  must(decode(body, step, &split, &split_consumed) == answer);
  must(whole_consumed == split_consumed && slice_eq(buf_view(&whole), buf_view(&split)));
  check_round_trip(body, step);
  buf_done(&whole);
  buf_done(&split);
  return 0;
}
