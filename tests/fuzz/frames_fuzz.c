/* frames_fuzz: any bytes as lines and as an array, whole and cut where the first bytes say: the same documents. */
#include "base/must.h"
#include "wire/frames_heard.h"

enum { LIMIT = 1 << 20 };

static struct heard hear_cut(enum frames_shape shape, struct slice stream, size_t first, size_t piece) {
  struct heard h = hear_stream(shape, LIMIT, stream, first, piece, '\0');
  must(h.left == 0);
  must(h.last != FRAMES_MORE || slice_eq(buf_view(&h.raws), stream));
  must((h.last == FRAMES_BROKEN) == h.tells);
  return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  if (len < 2) return 0;
  size_t first = bytes[0], piece = bytes[1] % 16 + 1u;
  bytes += 2;
  len -= 2;
  if (first > len) first = len;
  struct slice stream = slice_of((const char *)bytes, len);
  for (int shape = FRAMES_LINES; shape <= FRAMES_ARRAY; shape++) {
    struct heard whole = hear_cut(shape, stream, len, 1), cut = hear_cut(shape, stream, first, piece);
    must(whole.last == cut.last);
    must(slice_eq(buf_view(&whole.texts), buf_view(&cut.texts)));
    heard_done(&whole);
    heard_done(&cut);
  }
  return 0;
}
