/* sse: see sse.h. One thread a reader. An event is a block of lines up to a blank one:
 *
 *     in place     all of the block is in the caller's bytes: its lines are read as its end is looked for
 *     gathered     bytes go to `held` until the end comes, then held is read as one block
 *
 * Two things may stand before a block's first line: a BOM before the stream's first, and the LF of a CRLF that a read
 * has cut in two. No block begins with an LF otherwise, since an empty line is the end of one. */
#include "wire/sse.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static const struct slice bom = SLICE_INIT("\xef\xbb\xbf");

void sse_init(struct sse_reader *r, size_t event_bytes_max) {
  *r = (struct sse_reader){.event_bytes_max = event_bytes_max};
}

void sse_done(struct sse_reader *r) {
  buf_done(&r->held);
  buf_done(&r->joined);
}

/* The first CR or LF from `at` on, or `end`. Reads up to 15 bytes past the end. */
static const char *line_end(const char *at, const char *end) {
#ifdef __SSE2__
  const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n');
  for (; at < end; at += 16) {
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
    int found = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(block, cr), _mm_cmpeq_epi8(block, lf)));
    if (found == 0) continue;
    at += __builtin_ctz((unsigned)found);
    return at < end ? at : end;
  }
  return end;
#else
  while (at < end && *at != '\r' && *at != '\n') at++;
  return at;
#endif
}

/* The first "data:" line stays where it is; a second one makes a copy of both. */
static void add_data(struct sse_reader *r, struct stream_event *e, struct slice value) {
  if (!e->has_data) {
    e->has_data = true;
    e->data = value;
    return;
  }
  if (r->joined.len == 0) buf_slice(&r->joined, e->data);
  buf_byte(&r->joined, '\n');
  buf_slice(&r->joined, value);
  e->data = buf_view(&r->joined);
}

static void read_line(struct sse_reader *r, struct stream_event *e, struct slice line) {
  ptrdiff_t colon = slice_find_byte(line, ':');
  struct slice field = line, value = {line.ptr + line.len, 0};
  if (colon >= 0) {
    field.len = (size_t)colon;
    value = slice_from(line, field.len + 1);
    if (value.len > 0 && value.ptr[0] == ' ') value = slice_from(value, 1);
  }
  if (slice_eq(field, SLICE("data"))) add_data(r, e, value);
  else if (slice_eq(field, SLICE("event"))) e->name = value;
  else if (slice_eq(field, SLICE("id")) && slice_find_byte(value, '\0') < 0) e->id = value;
}

/* Reads lines from `at` up to the blank one and returns where the block ends (with an LF that follows the CR of the
 * blank line), or NULL when it does not end here. *counted is the block's end for its size: without that LF, so that
 * the size is the same however the bytes are cut. `empty`: nothing of the current line came before `at`. Lines are only
 * looked at when e is given. */
static const char *read_block(struct sse_reader *r, struct stream_event *e, const char *at, const char *end, bool empty,
                              const char **counted) {
  for (;;) {
    const char *stop = line_end(at, end);
    if (stop == end) return NULL;
    bool blank = empty && stop == at;
    if (e && !blank) read_line(r, e, slice_of(at, (size_t)(stop - at)));
    *counted = stop + 1;
    at = stop + 1;
    if (*stop == '\r' && at < end && *at == '\n') at++;
    if (blank) return at;
    empty = true;
  }
}

/* How many bytes before the first line of held there are. */
static size_t held_front(const struct sse_reader *r) {
  struct slice held = buf_view(&r->held);
  if (!r->started && slice_starts(held, bom)) return bom.len;
  return held.len > 0 && held.ptr[0] == '\n' ? 1 : 0;
}

static void event_begin(struct sse_reader *r, struct stream_event *e) {
  static const char nothing[BUF_SLACK];
  r->joined.len = 0;
  *e = (struct stream_event){.name = {nothing, 0}, .data = {nothing, 0}, .id = {nothing, 0}};
}

/* Drops what was given out by the last call. */
static void forget_given(struct sse_reader *r) {
  if (r->given) r->held.len = 0;
  r->given = false;
}

static enum sse_verdict more(struct sse_reader *r) {
  buf_done(&r->joined);
  if (r->held.len == 0) buf_done(&r->held);
  return SSE_MORE;
}

static void block_over(struct sse_reader *r, struct slice raw) {
  r->started = true;
  r->swallow_lf = raw.ptr[raw.len - 1] == '\r';
}

/* Nothing is held: the next block begins with *in. */
static enum sse_verdict next_in_place(struct sse_reader *r, struct slice *in, struct stream_event *out) {
  const char *end = in->ptr + in->len, *at = in->ptr, *counted = end;
  if (!r->started && slice_starts(*in, bom)) at += bom.len;
  if (r->swallow_lf && *at == '\n') at++;
  event_begin(r, out);
  const char *over = read_block(r, out, at, end, true, &counted);
  if (over == NULL) counted = end;
  if ((size_t)(counted - at) > r->event_bytes_max) return SSE_TOO_LARGE;
  if (over == NULL) {
    buf_slice(&r->held, *in);
    *in = slice_from(*in, in->len);
    r->swallow_lf = false;
    return more(r);
  }
  out->raw = slice_of(in->ptr, (size_t)(over - in->ptr));
  *in = slice_from(*in, out->raw.len);
  block_over(r, out->raw);
  return SSE_EVENT;
}

static enum sse_verdict next_gathered(struct sse_reader *r, struct slice *in, struct stream_event *out) {
  const char *end = in->ptr + in->len, *at = in->ptr, *counted = end;
  size_t front = held_front(r);
  char last = r->held.ptr[r->held.len - 1];
  bool empty = r->held.len == front || last == '\r' || last == '\n';
  if (last == '\r' && *at == '\n') at++;
  const char *over = read_block(r, NULL, at, end, empty, &counted);
  if (over == NULL) counted = end;
  if (r->held.len - front + (size_t)(counted - in->ptr) > r->event_bytes_max) return SSE_TOO_LARGE;
  size_t taken = (size_t)((over ? over : end) - in->ptr);
  buf_append(&r->held, in->ptr, taken);
  *in = slice_from(*in, taken);
  if (over == NULL) return more(r);
  event_begin(r, out);
  out->raw = buf_view(&r->held);
  read_block(r, out, r->held.ptr + front, r->held.ptr + r->held.len, true, &counted);
  block_over(r, out->raw);
  r->given = true;
  return SSE_EVENT;
}

enum sse_verdict sse_next(struct sse_reader *r, struct slice *in, struct stream_event *out) {
  forget_given(r);
  /* A BOM in pieces is put together first, so that what follows it is seen to begin a line. */
  bool pieces = !r->started && in->len > 0 && r->held.len < bom.len && (r->held.len > 0 || in->len < bom.len) &&
                slice_starts(bom, buf_view(&r->held));
  while (pieces && in->len > 0 && r->held.len < bom.len && in->ptr[0] == bom.ptr[r->held.len]) {
    buf_byte(&r->held, in->ptr[0]);
    *in = slice_from(*in, 1);
  }
  if (in->len == 0) return more(r);
  return r->held.len > 0 ? next_gathered(r, in, out) : next_in_place(r, in, out);
}

enum sse_verdict sse_finish(struct sse_reader *r, struct stream_event *out) {
  forget_given(r);
  if (r->held.len == 0) return more(r);
  const char *counted, *end = r->held.ptr + r->held.len, *at = r->held.ptr + held_front(r);
  event_begin(r, out);
  out->raw = buf_view(&r->held);
  /* The last line may lack its end. */
  const char *line = end;
  while (line > at && line[-1] != '\r' && line[-1] != '\n') line--;
  read_block(r, out, at, line, true, &counted);
  if (line < end) read_line(r, out, slice_of(line, (size_t)(end - line)));
  r->started = r->given = true;
  return SSE_EVENT;
}
