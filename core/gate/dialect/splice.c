/* splice: at most two edits in one body. Any thread. */
#include "gate/dialect/splice.h"

#include "base/must.h"
#include "wire/json.h"

struct edit {
  struct slice at; /* of the body: what is replaced; may be empty */
  struct slice with;
};

static struct slice quoted(struct arena *arena, struct slice text) {
  bool plain = true; /* as names are: nothing to escape */
  for (size_t i = 0; i < text.len; i++)
    plain &= (unsigned char)(text.ptr[i] - ' ') < 0x5f && text.ptr[i] != '"' && text.ptr[i] != '\\';
  if (plain) return arena_join(arena, (struct slice[]){SLICE("\""), text, SLICE("\"")}, 3);
  struct buf json = {0};
  json_put_string(&json, text);
  struct slice copy = arena_copy(arena, buf_view(&json));
  buf_done(&json);
  return copy;
}

/* Where include_usage goes: into the options' object, over a value that is there, or, without options, behind the
 * model. */
static struct edit usage_edit(const struct asked *asked) {
  static const char *const path[] = {"include_usage", NULL};
  struct slice options = asked->stream_options_raw;
  if (options.ptr == NULL)
    return (struct edit){slice_of(asked->model_raw.ptr + asked->model_raw.len, 0),
                         SLICE(",\"stream_options\":{\"include_usage\":true}")};
  if (*options.ptr == 'n') return (struct edit){options, SLICE("{\"include_usage\":true}")};
  struct slice there = json_find(options, path);
  if (there.ptr != NULL) return (struct edit){there, SLICE("true")};
  struct slice inside = slice_from(options, 1);
  while (inside.len > 0 && (*inside.ptr == ' ' || *inside.ptr == '\n' || *inside.ptr == '\r' || *inside.ptr == '\t'))
    inside = slice_from(inside, 1);
  bool empty = inside.len > 0 && *inside.ptr == '}';
  return (struct edit){slice_of(options.ptr + 1, 0),
                       empty ? SLICE("\"include_usage\":true") : SLICE("\"include_usage\":true,")};
}

int splice_body(struct arena *arena, struct slice body, const struct asked *asked, struct slice model, bool want_usage,
                struct iovec parts[SPLICE_PARTS_MAX]) {
  struct edit edits[2];
  unsigned count = 0;
  if (asked->model_raw.ptr != NULL && !slice_eq(asked->model, model))
    edits[count++] = (struct edit){asked->model_raw, asked->model_is_plain ? model : quoted(arena, model)};
  if (want_usage) edits[count++] = usage_edit(asked);
  if (count == 2 && edits[1].at.ptr < edits[0].at.ptr) {
    struct edit first = edits[1];
    edits[1] = edits[0];
    edits[0] = first;
  }
  const char *from = body.ptr;
  int n = 0;
  for (unsigned i = 0; i < count; i++) {
    must(edits[i].at.ptr >= from && edits[i].at.ptr + edits[i].at.len <= body.ptr + body.len);
    if (edits[i].at.ptr > from) parts[n++] = (struct iovec){(char *)from, (size_t)(edits[i].at.ptr - from)};
    parts[n++] = (struct iovec){(char *)edits[i].with.ptr, edits[i].with.len};
    from = edits[i].at.ptr + edits[i].at.len;
  }
  if (from < body.ptr + body.len) parts[n++] = (struct iovec){(char *)from, (size_t)(body.ptr + body.len - from)};
  return n;
}

struct renaming {
  struct buf *out;
  const char *from; /* of the body: what is not written yet */
  struct slice model;
};

static enum json_walk_step rename_model(void *owner, enum json_kind kind, struct slice key, struct slice text,
                                        struct slice raw, size_t count) {
  struct renaming *n = owner;
  (void)text, (void)count;
  if (kind == JSON_STRING && slice_eq(key, SLICE("model"))) {
    buf_append(n->out, n->from, (size_t)(raw.ptr - n->from));
    struct buf name = {0};
    buf_text(&name, "models/");
    buf_slice(&name, n->model);
    json_put_string(n->out, buf_view(&name));
    buf_done(&name);
    n->from = raw.ptr + raw.len;
  }
  bool holds = key.ptr == NULL || slice_eq(key, SLICE("requests")) || slice_eq(key, SLICE("generateContentRequest"));
  return holds && (kind == JSON_OBJECT || kind == JSON_ARRAY) ? JSON_WALK_ENTER : JSON_WALK_SKIP;
}

static bool walk_on(void *owner) {
  (void)owner;
  return true;
}

void splice_inner_models(struct buf *out, struct slice body, struct slice model) {
  static const struct json_walker walker = {rename_model, walk_on};
  struct renaming n = {out, body.ptr, model};
  struct json_fault fault;
  json_walk(body, &walker, &n, &fault);
  buf_append(out, n.from, (size_t)(body.ptr + body.len - n.from));
}
