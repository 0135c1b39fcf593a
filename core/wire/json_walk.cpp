/* json_walk: a whole document, value by value. Two passes over the tokens: the strict grammar, which also notes where
 * each array and object ends and how many elements it has; then the callbacks, with nothing left to check. Any thread.
 * A callback may call any json function, but must not leave by longjmp: the thread's parser would stay taken. */
#include "wire/json_index.h"

struct walk {
  struct json_index *x;
  const struct json_walker *walker;
  void *owner;
};

/* The string at `token`, decoded: where it stands when it has no escapes, else in the room behind `*used`. */
static struct slice string_at(struct walk *w, uint32_t token, size_t *used) {
  struct slice raw = json_raw(w->x, token, token + 1), text;
  if (json_plain(raw, &text)) return text;
  char *out = json_index_room(w->x, *used, raw.len);
  size_t len = 0;
  json_unquote(raw, out, &len);
  *used += len;
  return slice_of(out, len);
}

/* Calls back for the value at *token and moves *token to what follows: the value's inside when it is entered. */
static bool walk_value(struct walk *w, uint32_t *token, bool keyed, bool *entered) {
  struct json_index *x = w->x;
  uint32_t key_token = *token, at = keyed ? key_token + 2 : key_token;
  enum json_kind kind = json_kind_of(json_token(x, at));
  bool holds = kind == JSON_ARRAY || kind == JSON_OBJECT;
  uint32_t next = holds ? x->close[at] + 1 : at + 1;
  struct slice raw = json_raw(x, at, next), key = {nullptr, 0}, text = raw;
  size_t used = 0;
  if (keyed) {
    struct slice key_raw = json_raw(x, key_token, key_token + 1);
    /* Room for both at once, so that decoding the value does not move the key. */
    if (kind == JSON_STRING) json_index_room(x, 0, key_raw.len + raw.len);
    key = string_at(w, key_token, &used);
  }
  if (kind == JSON_STRING) text = string_at(w, at, &used);
  enum json_walk_step step = w->walker->value(w->owner, kind, key, text, raw, holds ? x->size[at] : 0);
  *entered = holds && step == JSON_WALK_ENTER;
  *token = *entered ? at + 1 : next;
  return step != JSON_WALK_STOP;
}

static bool walk_all(struct walk *w) {
  uint32_t closes[JSON_DEPTH_MAX];
  bool keyed[JSON_DEPTH_MAX];
  unsigned depth = 0;
  uint32_t token = 0;
  for (;;) {
    uint32_t before = token;
    bool within_object = depth > 0 && keyed[depth - 1], entered;
    if (!walk_value(w, &token, within_object, &entered)) return false;
    if (entered) {
      uint32_t opened = within_object ? before + 2 : before;
      keyed[depth] = json_token(w->x, opened) == '{';
      closes[depth++] = w->x->close[opened];
    }
    while (depth > 0 && token == closes[depth - 1]) {
      if (!w->walker->end(w->owner)) return false;
      depth--;
      token++;
    }
    if (depth == 0) return true;
    if (json_token(w->x, token) == ',') token++;
  }
}

bool json_walk(struct slice text, const struct json_walker *walker, void *owner, struct json_fault *fault) {
  struct json_index x;
  uint32_t next;
  if (!json_index_init(&x, text, JSON_STRICT, fault)) return false;
  json_index_record(&x);
  bool ok = json_grammar(&x, 0, 0, true, &next, fault);
  if (ok && next < x.count) ok = json_fail(fault, x.at[next], "something behind the document");
  if (ok) {
    struct walk w = {&x, walker, owner};
    ok = walk_all(&w);
    if (!ok) json_fail(fault, 0, nullptr);
  }
  json_index_done(&x);
  return ok;
}
