/* provider_path: see the header. Any thread. */
#include "gate/attempt/provider_path.h"

#include "wire/url.h"

bool provider_path_takes(struct slice model) {
  for (size_t i = 0; i < model.len; i++)
    if ((unsigned char)model.ptr[i] <= ' ' || model.ptr[i] == 0x7f || memchr("?#%\\", model.ptr[i], 4) != NULL)
      return false;
  while (model.len > 0) {
    ptrdiff_t slash = slice_find_byte(model, '/');
    struct slice segment = slash < 0 ? model : slice_of(model.ptr, (size_t)slash);
    if (slice_eq(segment, SLICE(".")) || slice_eq(segment, SLICE(".."))) return false;
    model = slash < 0 ? SLICE("") : slice_from(model, (size_t)slash + 1);
  }
  return true;
}

bool provider_path_put(struct buf *out, struct slice template, struct slice model, struct slice query) {
  static const struct slice place = SLICE_INIT("{model}");
  bool has_query = slice_find_byte(template, '?') >= 0;
  ptrdiff_t at = slice_find(template, place);
  if (at < 0) {
    buf_slice(out, template);
  } else {
    if (!provider_path_takes(model)) return false;
    buf_append(out, template.ptr, (size_t)at);
    url_put_segment(out, model);
    buf_slice(out, slice_from(template, (size_t)at + place.len));
  }
  if (query.len > 0) {
    buf_byte(out, has_query ? '&' : '?');
    buf_slice(out, query);
  }
  return true;
}
