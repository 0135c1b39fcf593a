/* passage: see the header. */
#include "script/translation/passage.h"

#include <lauxlib.h>

#include "script/api/api_json.h"
#include "wire/json.h"

enum {
  TOLD_BYTES = 4 << 10,  /* of text that Lua has not heard of; then it hears, so that its memory cap sees it */
  PASS_BYTES = 64 << 10, /* of an event that may pass: what is kept of a stream stays small */
  READ_BYTES = 4 << 10   /* of an event that Lua is given as a piece: beyond that, decoding is not what costs */
};

void passage_done(struct passage *p) {
  stencil_done(&p->stencil);
  buf_done(&p->frame);
  buf_done(&p->text);
  buf_done(&p->rest);
  *p = (struct passage){0};
}

/* Decodes a raw string behind what is in `text`. */
static bool decode(struct slice raw, struct buf *text, struct slice *out) {
  size_t len;
  char *to = buf_reserve(text, raw.len);
  if (!json_unquote(raw, to, &len)) return false;
  *out = slice_of(to, len);
  return true;
}

/* ---- passing ---- */

static struct slice part(const struct buf *b, size_t at, size_t len) {
  return slice_of(b->ptr + at, len);
}

/* The piece of an event that has the last one's bytes around it; not validated. */
static bool cut_same(const struct passage *p, const struct stream_event *e, struct slice *raw) {
  size_t around = p->frame_before + p->frame_after;
  if (p->frame_before == 0 || e->data.len < around + 2) return false;
  *raw = slice_of(e->data.ptr + p->frame_before, e->data.len - around);
  return slice_starts(e->data, part(&p->frame, p->frame_name, p->frame_before)) &&
         slice_ends(e->data, part(&p->frame, p->frame_name + p->frame_before, p->frame_after)) &&
         slice_eq(e->name, part(&p->frame, 0, p->frame_name));
}

static void keep_frame(struct passage *p, const struct stream_event *e, struct slice raw) {
  const char *behind = raw.ptr + raw.len;
  p->frame.len = 0;
  p->frame_name = e->name.len;
  p->frame_before = (size_t)(raw.ptr - e->data.ptr);
  p->frame_after = (size_t)(e->data.ptr + e->data.len - behind);
  buf_slice(&p->frame, e->name);
  buf_append(&p->frame, e->data.ptr, p->frame_before);
  buf_append(&p->frame, behind, p->frame_after);
}

static uint64_t characters_of(struct slice text) {
  uint64_t count = 0;
  for (size_t i = 0; i < text.len; i++) count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
  return count;
}

bool passage_take(struct passage *p, const struct dialect *d, const struct stream_event *e, struct buf *out) {
  struct slice raw, piece;
  if (!p->is_open || e->data.len > PASS_BYTES) return false;
  if (!p->keeps_text) p->text.len = 0;
  if (p->text.len > TOLD_BYTES) return false;
  if (cut_same(p, e, &raw)) {
    if (!json_valid(raw, NULL) || !decode(raw, &p->text, &piece) || piece.len == 0) return false;
  } else {
    struct delta found = {.raw = {NULL, 0}};
    if (!d->read_delta(e, &found)) return false;
    if (found.kind != p->delta.kind || found.place != p->delta.place || found.part != p->delta.part) return false;
    if (!decode(found.raw, &p->text, &piece)) return false;
    raw = found.raw;
    if (found.rest.ptr != NULL) {
      p->rest.len = 0;
      buf_slice(&p->rest, found.rest);
    } else {
      keep_frame(p, e, raw);
    }
  }
  stencil_put(&p->stencil, out, raw, piece);
  p->text.len += piece.len;
  p->count++;
  p->bytes += piece.len;
  p->characters += characters_of(piece);
  return true;
}

/* ---- Lua ---- */

/* A member of the table at index, which stays on the stack; empty when there is none. */
static struct slice text_field(lua_State *L, int index, const char *name) {
  struct slice text = {"", 0};
  if (lua_getfield(L, index, name) != LUA_TNIL) text.ptr = luaL_checklstring(L, -1, &text.len); /* … text */
  return text;
}

int passage_push(lua_State *L, struct passage *p, const struct dialect *d, const struct stream_event *e) {
  static const char *const kinds[] = {
      [DELTA_TEXT] = "text", [DELTA_THINKING] = "thinking", [DELTA_ARGUMENTS] = "arguments"};
  struct slice piece, rest;
  p->delta = (struct delta){.raw = {NULL, 0}};
  p->text.len = 0;
  if (e->data.len > READ_BYTES || !d->read_delta(e, &p->delta)) return 0;
  if (!decode(p->delta.raw, &p->text, &piece)) return 0;
  rest = p->delta.rest;
  lua_pushstring(L, kinds[p->delta.kind]);  /* … kind */
  lua_pushlstring(L, piece.ptr, piece.len); /* … kind text */
  lua_pushinteger(L, p->delta.place);       /* … kind text place */
  lua_pushinteger(L, p->delta.part);        /* … kind text place part */
  if (rest.ptr != NULL) api_json_push_raw(L, rest);
  else lua_pushnil(L); /* … kind text place part rest */
  return 5;
}

void passage_open(lua_State *L, int index, struct passage *p) {
  if (!lua_istable(L, index)) return;
  struct stencil_cut cut = {.counts = lua_getfield(L, index, "number") != LUA_TNIL}; /* … number */
  if (cut.counts) cut.number = (uint64_t)luaL_checkinteger(L, -1);
  cut.before = text_field(L, index, "before");
  cut.middle = text_field(L, index, "middle");
  cut.after = text_field(L, index, "after");
  cut.aws_type = text_field(L, index, "aws_type");
  lua_getfield(L, index, "keeps_text"); /* … number before middle after aws_type keeps_text */
  p->keeps_text = lua_toboolean(L, -1);
  lua_pop(L, 6); /* … */
  stencil_set(&p->stencil, &cut);
  p->frame_before = 0;
  p->is_open = true;
}

void passage_tell(lua_State *L, struct passage *p) {
  p->is_open = false;
  if (p->count == 0) return;
  lua_getfield(L, -1, "passed");                                    /* … stream passed */
  lua_pushvalue(L, -2);                                             /* … stream passed stream */
  lua_pushinteger(L, (lua_Integer)p->count);                        /* … count */
  lua_pushinteger(L, (lua_Integer)p->bytes);                        /* … bytes */
  lua_pushinteger(L, (lua_Integer)p->characters);                   /* … characters */
  lua_pushlstring(L, p->text.ptr, p->keeps_text ? p->text.len : 0); /* … text */
  if (p->rest.len > 0) api_json_push_raw(L, buf_view(&p->rest));    /* … rest */
  else lua_pushnil(L);
  p->text.len = p->rest.len = 0;
  p->count = p->bytes = p->characters = 0;
  lua_call(L, 6, 0); /* … stream */
}
