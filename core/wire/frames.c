/* frames: see frames.h. One thread a reader. The bytes are seen once each; what has been seen of a document is in
 * depth, within_string and escaped, so that a document in many pieces is not looked through again.
 *
 *     lines:   BETWEEN ──first byte──▶ DOCUMENT ──LF──▶ BETWEEN
 *     array:   START ──[──▶ FIRST ──first byte──▶ DOCUMENT or SCALAR ──▶ AFTER ──,──▶ BETWEEN ──▶ DOCUMENT …
 *                             └──────────]──────────▶ OVER ◀──]──┘
 */
#include "wire/frames.h"

#include "wire/json_simd.h"

enum place {
  PLACE_BETWEEN,  /* a document is due */
  PLACE_DOCUMENT, /* within a line; within an array's element that is an object, array or string */
  PLACE_SCALAR,   /* within an array's element that ends where a comma, bracket or blank begins */
  PLACE_START,    /* '[' is due */
  PLACE_FIRST,    /* an element or ']' is due */
  PLACE_AFTER,    /* ',' or ']' is due */
  PLACE_OVER      /* only blanks are due */
};

void frames_init(struct frames_reader *r, enum frames_shape shape, size_t frame_bytes_max) {
  *r = (struct frames_reader){
      .shape = shape, .frame_bytes_max = frame_bytes_max, .place = shape == FRAMES_LINES ? PLACE_BETWEEN : PLACE_START};
}

void frames_done(struct frames_reader *r) {
  buf_done(&r->held);
}

static bool is_blank(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool within_document(const struct frames_reader *r) {
  return r->place == PLACE_DOCUMENT || r->place == PLACE_SCALAR;
}

/* The end of the string that goes on at `at`, behind its quote; NULL when it does not end here. */
static const char *string_end(struct frames_reader *r, const char *at, const char *end) {
  while (at < end) {
    unsigned high;
    if (r->escaped) {
      r->escaped = false;
      at++;
      continue;
    }
    if (end - at >= JSON_BLOCK) {
      unsigned special = json_mask_special(at, &high);
      at += special ? json_mask_first(special) : JSON_BLOCK;
      if (special == 0) continue;
    }
    char c = *at++;
    r->escaped = c == '\\';
    if (c != '"') continue;
    r->within_string = false;
    return at;
  }
  return NULL;
}

/* The end of the array element that goes on at `at`; NULL when it does not end here. */
static const char *element_end(struct frames_reader *r, const char *at, const char *end) {
  if (r->place == PLACE_SCALAR) {
    while (at < end && !is_blank(*at) && *at != ',' && *at != ']') at++;
    return at < end ? at : NULL;
  }
  while (at < end) {
    if (r->within_string) {
      at = string_end(r, at, end);
      if (at == NULL || r->depth == 0) return at;
      continue;
    }
    char c = *at++;
    if (c == '"') r->within_string = true;
    else if (c == '{' || c == '[') r->depth++;
    else if ((c == '}' || c == ']') && --r->depth == 0) return at;
  }
  return NULL;
}

/* A byte outside of the elements; false when it may not stand there. An element's first byte is left for element_end.
 */
static bool step_array(struct frames_reader *r, char c) {
  if (is_blank(c)) return true;
  switch (r->place) {
  case PLACE_START:
    r->place = PLACE_FIRST;
    r->why = "not an array";
    return c == '[';
  case PLACE_AFTER:
    r->place = c == ',' ? PLACE_BETWEEN : PLACE_OVER;
    r->why = "neither ',' nor ']' after an element";
    return c == ',' || c == ']';
  case PLACE_OVER: r->why = "something behind the array"; return false;
  default:
    if (c == ']' && r->place == PLACE_FIRST) {
      r->place = PLACE_OVER;
      return true;
    }
    r->why = "an element is missing";
    r->place = c == '{' || c == '[' || c == '"' ? PLACE_DOCUMENT : PLACE_SCALAR;
    return c != ',' && c != ']' && c != '}' && c != ':';
  }
}

/* Looks for a document's end from `at` on; *begin is its first byte when it begins here. NULL and r->why unset: it does
 * not end here. */
static const char *document_end(struct frames_reader *r, const char *at, const char *end, const char **begin) {
  r->why = NULL;
  if (r->shape == FRAMES_LINES) {
    if (r->place == PLACE_BETWEEN) {
      while (at < end && is_blank(*at)) at++;
      if (at == end) return NULL;
      *begin = at;
      r->place = PLACE_DOCUMENT;
    }
    const char *lf = memchr(at, '\n', (size_t)(end - at));
    if (lf) r->place = PLACE_BETWEEN;
    return lf ? lf + 1 : NULL;
  }
  while (!within_document(r)) {
    if (at == end) return NULL;
    if (!step_array(r, *at)) return NULL;
    r->why = NULL;
    if (within_document(r)) *begin = at;
    else at++;
  }
  const char *over = element_end(r, at, end);
  if (over) r->place = PLACE_AFTER;
  return over;
}

static struct slice without_blanks_behind(struct slice s) {
  while (s.len > 0 && is_blank(s.ptr[s.len - 1])) s.len--;
  return s;
}

static void give_held(struct frames_reader *r, struct frames_item *out) {
  out->raw = buf_view(&r->held);
  out->text = without_blanks_behind(slice_from(out->raw, r->text_at));
  r->given = true;
}

static void forget_given(struct frames_reader *r) {
  if (r->given) r->held.len = 0;
  r->given = false;
}

enum frames_verdict frames_next(struct frames_reader *r, struct slice *in, struct frames_item *out) {
  forget_given(r);
  if (in->len == 0) {
    if (r->held.len == 0) buf_done(&r->held);
    return FRAMES_MORE;
  }
  const char *end = in->ptr + in->len, *begin = NULL;
  const char *over = document_end(r, in->ptr, end, &begin);
  if (r->why) return FRAMES_BROKEN;
  size_t taken = (size_t)((over ? over : end) - in->ptr);
  struct slice raw = slice_of(in->ptr, taken);
  *out = (struct frames_item){.raw = raw};
  if (over == NULL && !within_document(r)) {
    *in = slice_from(*in, taken);
    return FRAMES_BETWEEN;
  }
  if (begin) r->text_at = (size_t)(begin - in->ptr);
  if (r->held.len + taken - r->text_at > r->frame_bytes_max) return FRAMES_TOO_LARGE;
  *in = slice_from(*in, taken);
  if (over && r->held.len == 0) {
    out->text = without_blanks_behind(slice_from(raw, r->text_at));
    return FRAMES_ITEM;
  }
  buf_slice(&r->held, raw);
  if (over == NULL) return FRAMES_MORE;
  give_held(r, out);
  return FRAMES_ITEM;
}

enum frames_verdict frames_finish(struct frames_reader *r, struct frames_item *out) {
  forget_given(r);
  if (r->shape == FRAMES_ARRAY && r->place != PLACE_OVER) {
    r->why = "the array is not closed";
    return FRAMES_BROKEN;
  }
  if (r->held.len == 0) {
    buf_done(&r->held);
    return FRAMES_MORE;
  }
  r->place = PLACE_BETWEEN;
  give_held(r, out);
  return FRAMES_ITEM;
}
