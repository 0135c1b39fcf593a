/* aws_events_fuzz: any bytes as an event stream, and any bytes as one message's headers (a CRC that is right is rarely
 * guessed, so the bytes are also wrapped into a message, whose headers may then be malformed). */
#include <stdlib.h>

#include "base/must.h"
#include "wire/aws_events.h"

static enum aws_verdict run(struct slice stream, size_t piece, unsigned *count) {
  struct aws_reader r;
  struct aws_event e;
  enum aws_verdict verdict = AWS_MORE;
  aws_events_init(&r, 1 << 20);
  *count = 0;
  for (size_t at = 0; at < stream.len && verdict == AWS_MORE; at += piece) {
    size_t len = stream.len - at < piece ? stream.len - at : piece;
    char *copy = malloc(len + BUF_SLACK);
    struct slice in = slice_of(copy, len);
    memcpy(copy, stream.ptr + at, len);
    memset(copy + len, 0, BUF_SLACK);
    while ((verdict = aws_events_next(&r, &in, &e)) == AWS_EVENT) {
      struct slice left = e.headers;
      struct aws_header h;
      while (aws_header_next(&left, &h)) must(h.name.len > 0);
      must(left.len == 0);
      must(e.raw.len >= e.headers.len + e.payload.len + 16);
      ++*count;
    }
    must(verdict != AWS_MORE || in.len == 0);
    free(copy);
  }
  aws_events_done(&r);
  return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  unsigned whole_count, cut_count;
  if (len < 2) return 0;
  size_t piece = bytes[0] % 16 + 1u, name_len = bytes[1] % 16 + 1u;
  struct slice rest = slice_of((const char *)bytes + 2, len - 2);
  enum aws_verdict whole = run(rest, rest.len + 1, &whole_count), cut = run(rest, piece, &cut_count);
  must(whole == cut && whole_count == cut_count);
  struct slice left = rest;
  struct aws_header h;
  while (aws_header_next(&left, &h)) must(h.type <= AWS_UUID);
  if (rest.len <= name_len || rest.len > UINT16_MAX) return 0;
  struct buf message = {0};
  struct aws_header header = {.name = slice_of(rest.ptr, name_len), .type = AWS_STRING, .value = rest};
  aws_events_put(&message, &header, 1, slice_from(rest, name_len));
  must(run(buf_view(&message), piece, &cut_count) == AWS_MORE && cut_count == 1);
  buf_done(&message);
  return 0;
}
