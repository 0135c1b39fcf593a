/* Fuzzes the request parser. The first two bytes say where the message is cut. Holds: the same verdict whole and in
 * two pieces, nothing consumed that was not given, every slice of a head inside the message, framing that one can act
 * on. */
#include <stdlib.h>

#include "base/must.h"
#include "wire/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void check_inside(struct slice part, struct slice whole) {
  must(part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len));
}

static void check_head(const struct http_head *head, struct slice bytes, size_t head_bytes) {
  must(head_bytes <= bytes.len);
  struct slice inside = {bytes.ptr, head_bytes};
  must(slice_ends(inside, SLICE("\r\n\r\n")));
  must(http_is_token(head->method) && head->target.len > 0 && head->path.len > 0);
  must(head->path.ptr[0] == '/' || slice_eq(head->path, SLICE("*")));
  check_inside(head->method, inside);
  check_inside(head->target, inside);
  check_inside(head->path, inside);
  check_inside(head->query, inside);
  check_inside(head->host, inside);
  must(head->header_count <= HTTP_HEADERS_MAX && head->minor <= 1);
  for (unsigned i = 0; i < head->header_count; i++) {
    check_inside(head->headers[i].name, inside);
    check_inside(head->headers[i].value, inside);
    must(http_is_token(head->headers[i].name) && http_is_field_value(head->headers[i].value));
  }
  must(head->minor == 0 || http_header_count(head, SLICE("host")) == 1);
  unsigned lengths = http_header_count(head, SLICE("content-length"));
  unsigned codings = http_header_count(head, SLICE("transfer-encoding"));
  must(lengths + codings <= 1);
  must((head->body == HTTP_BODY_LENGTH) == (lengths == 1) && (head->body == HTTP_BODY_CHUNKED) == (codings == 1));
  must(head->body == HTTP_BODY_LENGTH || head->body_bytes == 0);
}

static enum http_verdict parse(const uint8_t *input, size_t size, size_t *scanned, size_t *head_bytes,
                               struct http_refusal *why) {
  static const struct http_limits limits = {.head_bytes = 2048, .target_bytes = 256, .headers = 20};
  static struct http_head head;
  char *copy = malloc(size);
  if (size > 0) memcpy(copy, input, size);
  enum http_verdict verdict = http_parse_request(slice_of(copy, size), &limits, scanned, &head, head_bytes, why);
  if (verdict == HTTP_COMPLETE) check_head(&head, slice_of(copy, size), *head_bytes);
  if (verdict == HTTP_REFUSED) must(why->status >= 400 && why->status <= 599 && why->why != NULL);
  free(copy);
  return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
  if (size < 2) return 0;
  size_t cut = (size_t)(input[0] << 8 | input[1]);
  input += 2, size -= 2;
  cut = size > 0 ? cut % (size + 1) : 0;
  size_t scanned = 0, head_bytes = 0, split_scanned = 0, split_bytes = 0;
  struct http_refusal why = {0}, split_why = {0};
  enum http_verdict whole = parse(input, size, &scanned, &head_bytes, &why);
  enum http_verdict split = parse(input, cut, &split_scanned, &split_bytes, &split_why);
  if (split == HTTP_MORE) split = parse(input, size, &split_scanned, &split_bytes, &split_why);
  must(whole == split);
  if (whole == HTTP_COMPLETE) must(head_bytes == split_bytes);
  if (whole == HTTP_REFUSED) must(why.status == split_why.status);
  return 0;
}
