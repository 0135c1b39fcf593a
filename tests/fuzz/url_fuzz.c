/* Fuzzes base URLs and percent coding. Holds: slices inside the text; an accepted URL read again from its own parts
 * gives the same parts; an escaped segment holds no byte that could end it and decodes to what it was; a path that
 * stays inside has no dots to climb by. */
#include "wire/url.h"

#include <stdlib.h>

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void check_inside(struct slice part, struct slice whole) {
  must(part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len));
}

static void check_url(struct slice text) {
  struct url url, again;
  struct err e = {{0}};
  if (!url_parse(text, &url, &e)) {
    must(e.text[0] != '\0');
    return;
  }
  check_inside(url.host, text);
  check_inside(url.authority, text);
  check_inside(url.path, text);
  must(url.host.len > 0 && url.port > 0 && !slice_ends(url.path, SLICE("/")));
  struct buf rebuilt = {0};
  buf_text(&rebuilt, url.tls ? "https://" : "http://");
  buf_slice(&rebuilt, url.authority);
  buf_slice(&rebuilt, url.path);
  must(url_parse(buf_view(&rebuilt), &again, &e));
  must(again.tls == url.tls && again.port == url.port && slice_eq(again.host, url.host) &&
       slice_eq(again.authority, url.authority) && slice_eq(again.path, url.path));
  buf_done(&rebuilt);
}

static void check_segment(struct slice segment) {
  struct buf escaped = {0};
  url_put_segment(&escaped, segment);
  bool printable = true;
  for (size_t i = 0; i < escaped.len; i++) must(strchr("/?#\\", escaped.ptr[i]) == NULL && escaped.ptr[i] > ' ');
  for (size_t i = 0; i < segment.len; i++) printable &= (unsigned char)segment.ptr[i] >= 0x20 && segment.ptr[i] != 0x7f;
  char *decoded = malloc(escaped.len + 1);
  size_t len = 0;
  must(url_decode(buf_view(&escaped), decoded, &len) == printable);
  bool dots = slice_eq(segment, SLICE(".")) || slice_eq(segment, SLICE(".."));
  if (printable && !dots) must(slice_eq(slice_of(decoded, len), segment));
  free(decoded);
  buf_done(&escaped);
}

/* What stays inside has no "..", as it stands and decoded. */
static void check_stays(struct slice text, char *decoded) {
  struct slice forms[2] = {text};
  if (!url_stays_inside(text)) return;
  must(url_decode(text, decoded, &forms[1].len));
  forms[1].ptr = decoded;
  for (unsigned i = 0; i < 2; i++)
    must(!slice_eq(forms[i], SLICE("..")) && !slice_starts(forms[i], SLICE("../")) &&
         !slice_ends(forms[i], SLICE("/..")) && slice_find(forms[i], SLICE("/../")) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
  char *copy = malloc(size + 1), *decoded = malloc(size + 1);
  if (size > 0) memcpy(copy, input, size);
  struct slice text = {copy, size};
  size_t len;
  check_url(text);
  check_segment(text);
  if (url_decode(text, decoded, &len)) must(len <= size);
  check_stays(text, decoded);
  free(copy);
  free(decoded);
  return 0;
}
