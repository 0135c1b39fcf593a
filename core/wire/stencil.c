/* stencil: see the header. */
#include "wire/stencil.h"

#include "wire/aws_events.h"
#include "wire/json.h"

static void keep(struct buf *bytes, struct slice *part) {
  size_t at = bytes->len;
  buf_slice(bytes, *part);
  *part = slice_of(bytes->ptr + at, part->len);
}

void stencil_set(struct stencil *s, const struct stencil_cut *cut) {
  s->cut = *cut;
  s->bytes.len = 0;
  buf_reserve(&s->bytes, cut->before.len + cut->middle.len + cut->after.len + cut->aws_type.len); /* parts point in */
  keep(&s->bytes, &s->cut.before);
  keep(&s->bytes, &s->cut.middle);
  keep(&s->bytes, &s->cut.after);
  keep(&s->bytes, &s->cut.aws_type);
}

void stencil_done(struct stencil *s) {
  buf_done(&s->bytes);
  buf_done(&s->payload);
  *s = (struct stencil){0};
}

static void put_event(const struct stencil_cut *cut, struct buf *out, struct slice raw, struct slice text) {
  buf_slice(out, cut->before);
  /* Without a backslash there is nothing that could have been written another way. */
  if (memchr(raw.ptr, '\\', raw.len) == NULL) buf_slice(out, raw);
  else json_put_string(out, text);
  if (cut->counts) {
    buf_slice(out, cut->middle);
    buf_u64(out, cut->number);
  }
  buf_slice(out, cut->after);
}

void stencil_put(struct stencil *s, struct buf *out, struct slice raw, struct slice text) {
  if (s->cut.before.len == 0) return;
  if (s->cut.aws_type.len == 0) {
    put_event(&s->cut, out, raw, text);
  } else {
    s->payload.len = 0;
    put_event(&s->cut, &s->payload, raw, text);
    aws_events_put_json(out, false, s->cut.aws_type, buf_view(&s->payload));
  }
  s->cut.number++;
}
