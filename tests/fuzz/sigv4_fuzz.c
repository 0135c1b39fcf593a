/* sigv4_fuzz: any request head that parses: its claim is read or refused, twice alike; what is read lies in the arena,
 * and holds for no secret of ours. The clock is that of the claim, so that dates do not end it early. */
#include "gate/signer/sigv4.h"

#include <stdlib.h>

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const int64_t claim_ms = 1440938160000; /* 20150830T123600Z, as in the corpus */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  static struct http_head head;
  char *copy = malloc(len + BUF_SLACK);
  size_t scanned = 0, head_bytes = 0;
  struct http_refusal why;
  if (len) memcpy(copy, bytes, len);
  memset(copy + len, 0, BUF_SLACK);
  struct slice all = slice_of(copy, len);
  if (http_parse_request(all, &http_limits_default, &scanned, &head, &head_bytes, &why) == HTTP_COMPLETE &&
      sigv4_is_signed(&head)) {
    struct arena arena;
    struct sigv4_claim first, second;
    struct err e = {""};
    arena_init(&arena);
    bool read = sigv4_claim_read(&head, claim_ms, &arena, &first, &e);
    must(read == sigv4_claim_read(&head, claim_ms, &arena, &second, &e));
    must(read || e.text[0] != '\0');
    if (read) {
      must(slice_eq(first.canonical, second.canonical) && first.signature.len == 64 && first.access_key.len > 0);
      must(!sigv4_claim_holds(&first, SLICE("a secret that no input knows"), slice_from(all, head_bytes)));
    }
    arena_done(&arena);
  }
  free(copy);
  return 0;
}
