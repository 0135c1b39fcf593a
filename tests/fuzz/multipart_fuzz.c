/* The input is a content-type, a line end, and a body. Every part lies within the body, behind the one before. */
#include <stdlib.h>

#include "base/must.h"
#include "wire/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
  const char *line = memchr(input, '\n', size);
  if (line == NULL) return 0;
  struct slice type = slice_of((const char *)input, (size_t)(line - (const char *)input));
  struct slice body = slice_of(line + 1, size - type.len - 1);
  struct multipart m;
  struct multipart_part part;
  if (!multipart_begin(&m, type, body)) return 0;
  const char *from = body.ptr;
  while (multipart_next(&m, &part) == MULTIPART_PART) {
    must(part.name.ptr != NULL && part.value.ptr >= from);
    must(part.value.ptr + part.value.len <= body.ptr + body.len);
    from = part.value.ptr + part.value.len;
  }
  return 0;
}
