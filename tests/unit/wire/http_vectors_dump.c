/* http_vectors_dump: prints the request vectors, one a line, for tests over sockets:
 *
 *     id TAB level TAB expected TAB bytes as hex
 *
 * Chunked bodies come as requests with a head before them. A test program, not a test. */
#include <stdio.h>

#include "http_vectors.h"

static const char chunked_head[] = "POST /v1 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";

static void put_hex(const char *bytes, size_t len) {
  for (size_t i = 0; i < len; i++) printf("%02x", (unsigned char)bytes[i]);
}

static void put_vector(const struct http_vector *v, const char *before, size_t before_len) {
  static const char *const levels[] = {"MUST", "SHOULD", "MAY"};
  printf("%s\t%s\t%s\t", v->id, levels[v->level], v->expected);
  put_hex(before, before_len);
  put_hex(v->bytes, v->len);
  putchar('\n');
}

int main(void) {
  for (size_t i = 0; i < sizeof http_vectors / sizeof *http_vectors; i++) put_vector(&http_vectors[i], "", 0);
  for (size_t i = 0; i < sizeof http_chunked_vectors / sizeof *http_chunked_vectors; i++)
    put_vector(&http_chunked_vectors[i], chunked_head, sizeof chunked_head - 1);
  /* The response vectors are for the other side of a gateway and have no place in this list. */
  (void)http_response_vectors;
  return 0;
}
