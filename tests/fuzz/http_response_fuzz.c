/* Fuzzes the response parser. The first byte says where the message is cut, and whether the request was HEAD. Holds:
 * the same verdict whole and in two pieces, every slice inside the message, framing that one can act on. */
#include <stdlib.h>

#include "base/must.h"
#include "wire/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void check_inside(struct slice part, struct slice whole) {
  must(part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len));
}

static void check_head(const struct http_head *head, struct slice bytes, size_t head_bytes, bool to_head) {
  must(head_bytes <= bytes.len);
  struct slice inside = {bytes.ptr, head_bytes};
  must(slice_ends(inside, SLICE("\r\n\r\n")));
  must(head->status >= 100 && head->status <= 599 && head->status != 101);
  must(head->header_count <= HTTP_HEADERS_MAX && head->minor <= 1);
  for (unsigned i = 0; i < head->header_count; i++) {
    check_inside(head->headers[i].name, inside);
    check_inside(head->headers[i].value, inside);
    must(http_is_token(head->headers[i].name) && http_is_field_value(head->headers[i].value));
  }
  bool bodiless = to_head || head->status < 200 || head->status == 204 || head->status == 304;
  must((head->body == HTTP_BODY_NONE) == bodiless);
  must(head->body != HTTP_BODY_UNTIL_CLOSE || !head->keep_alive);
  must(head->body == HTTP_BODY_LENGTH || head->body_bytes == 0);
  unsigned lengths = http_header_count(head, SLICE("content-length"));
  must(lengths == 0 || http_header_count(head, SLICE("transfer-encoding")) == 0);
}

static enum http_verdict parse(const uint8_t *input, size_t size, bool to_head, size_t *scanned, size_t *head_bytes,
                               struct http_refusal *why) {
  static const struct http_limits limits = {.head_bytes = 2048, .target_bytes = 256, .headers = 20};
  static struct http_head head;
  char *copy = malloc(size);
  if (size > 0) memcpy(copy, input, size);
  enum http_verdict verdict =
      http_parse_response(slice_of(copy, size), &limits, to_head, scanned, &head, head_bytes, why);
  if (verdict == HTTP_COMPLETE) check_head(&head, slice_of(copy, size), *head_bytes, to_head);
  if (verdict == HTTP_REFUSED) must(why->status == 502 && why->why != NULL);
  free(copy);
  return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
  if (size < 1) return 0;
  bool to_head = input[0] & 1;
  size_t cut = input[0] >> 1;
  input += 1, size -= 1;
  cut = size > 0 ? cut % (size + 1) : 0;
  size_t scanned = 0, head_bytes = 0, split_scanned = 0, split_bytes = 0;
  struct http_refusal why = {0}, split_why = {0};
  enum http_verdict whole = parse(input, size, to_head, &scanned, &head_bytes, &why);
  enum http_verdict split = parse(input, cut, to_head, &split_scanned, &split_bytes, &split_why);
  if (split == HTTP_MORE) split = parse(input, size, to_head, &split_scanned, &split_bytes, &split_why);
  must(whole == split);
  if (whole == HTTP_COMPLETE) must(head_bytes == split_bytes);
  return 0;
}
