/* kit_frames: see the header. The reader lives in a userdata, so that a throw leaves nothing behind. */
#include "script/kit_frames.h"

#include <lauxlib.h>

#include "base/memory.h"
#include "wire/stream.h"

enum { EVENT_MAX_BYTES = 64 << 20 };

struct cutting {
  struct stream_reader stream;
  struct buf piece; /* with its slack behind it */
  lua_Integer count;
  bool is_kept;    /* events go into the list at the top of the stack; else only into the digest */
  uint64_t digest; /* of all names and texts: FNV-1a */
  const char *why; /* set when the bytes are broken */
};

static int l_cutting_gc(lua_State *L) {
  struct cutting *c = lua_touserdata(L, 1);
  stream_done(&c->stream);
  buf_done(&c->piece);
  return 0;
}

static void digest(struct cutting *c, struct slice part) {
  uint64_t hash = (c->digest ^ part.len) * 1099511628211u;
  for (size_t i = 0; i < part.len; i++) hash = (hash ^ (uint8_t)part.ptr[i]) * 1099511628211u;
  c->digest = hash;
}

static void add(lua_State *L, struct cutting *c, const struct stream_event *event) {
  digest(c, event->name);
  digest(c, event->data);
  if (!c->is_kept) return;
  lua_createtable(L, 0, 3); /* … list event */
  lua_pushlstring(L, event->name.len ? event->name.ptr : "", event->name.len);
  lua_setfield(L, -2, "name");
  lua_pushlstring(L, event->data.len ? event->data.ptr : "", event->data.len);
  lua_setfield(L, -2, "data");
  lua_pushlstring(L, event->raw.len ? event->raw.ptr : "", event->raw.len);
  lua_setfield(L, -2, "raw");
  lua_rawseti(L, -2, ++c->count); /* … list */
}

static void feed(lua_State *L, struct cutting *c, struct slice bytes, bool is_end) {
  c->piece.len = 0;
  buf_slice(&c->piece, bytes);
  struct slice in = buf_view(&c->piece);
  for (;;) {
    struct stream_event event;
    enum stream_verdict verdict = is_end ? stream_finish(&c->stream, &event) : stream_next(&c->stream, &in, &event);
    if (verdict == STREAM_TOO_LARGE) c->why = "an event is too large";
    if (verdict == STREAM_BROKEN) c->why = stream_why(&c->stream);
    if (verdict != STREAM_EVENT) return;
    if (event.has_data) add(L, c, &event);
  }
}

static void open_reader(struct cutting *c, enum framing framing) {
  stream_init(&c->stream, framing, EVENT_MAX_BYTES);
  c->digest = 14695981039346656037u;
  c->why = NULL;
}

static struct cutting *push_cutting(lua_State *L, enum framing framing) {
  struct cutting *c = lua_newuserdatauv(L, sizeof *c, 0); /* … cutting */
  memset(c, 0, sizeof *c);
  open_reader(c, framing);
  lua_createtable(L, 0, 1); /* … cutting metatable */
  lua_pushcfunction(L, l_cutting_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2); /* … cutting */
  return c;
}

static enum framing check_framing(lua_State *L, int index) {
  const char *name = luaL_checkstring(L, index);
  for (int framing = 0; framing < FRAMING_COUNT; framing++)
    if (strcmp(framing_row((enum framing)framing)->name, name) == 0) return (enum framing)framing;
  return (enum framing)luaL_argerror(L, index, "there is no framing of that name");
}

int l_kit_frames(lua_State *L) {
  enum framing framing = check_framing(L, 1);
  size_t len, at = 0;
  const char *bytes = luaL_checklstring(L, 2, &len);
  lua_Integer size_count = (lua_Integer)lua_rawlen(L, 3);
  struct cutting *c = push_cutting(L, framing); /* framing bytes sizes cutting */
  lua_newtable(L);                              /* framing bytes sizes cutting list */
  c->is_kept = true;
  for (lua_Integer i = 1; at < len && c->why == NULL; i++) {
    lua_rawgeti(L, 3, i < size_count ? i : size_count); /* … list size */
    lua_Integer size = luaL_optinteger(L, -1, (lua_Integer)len);
    lua_pop(L, 1); /* … list */
    luaL_argcheck(L, size > 0, 3, "sizes are above 0");
    size_t piece = (size_t)size < len - at ? (size_t)size : len - at;
    feed(L, c, slice_of(bytes + at, piece), false);
    at += piece;
  }
  if (c->why == NULL) feed(L, c, SLICE(""), true);
  if (c->why == NULL) return 1;
  lua_pushnil(L); /* … list nil */
  lua_pushstring(L, c->why);
  return 2;
}

/* The digest of the bytes in pieces of `size`, or, with a size of 0, in two pieces, the first of `first` bytes. */
static uint64_t digest_of(lua_State *L, struct cutting *c, struct slice bytes, size_t size, size_t first) {
  stream_done(&c->stream);
  open_reader(c, c->stream.framing);
  for (size_t at = 0; at < bytes.len && c->why == NULL;) {
    size_t piece = size > 0 ? size : at == 0 && first > 0 ? first : bytes.len - at;
    if (piece > bytes.len - at) piece = bytes.len - at;
    feed(L, c, slice_of(bytes.ptr + at, piece), false);
    at += piece;
  }
  if (c->why == NULL) feed(L, c, SLICE(""), true);
  return c->why == NULL ? c->digest : 0;
}

int l_kit_uncut(lua_State *L) {
  enum framing framing = check_framing(L, 1);
  struct slice bytes;
  bytes.ptr = luaL_checklstring(L, 2, &bytes.len);
  struct cutting *c = push_cutting(L, framing);
  uint64_t whole = digest_of(L, c, bytes, 0, 0);
  if (digest_of(L, c, bytes, 1, 0) != whole) {
    lua_pushinteger(L, 0);
    return 1;
  }
  for (size_t at = 1; at < bytes.len; at++) {
    if (digest_of(L, c, bytes, 0, at) == whole) continue;
    lua_pushinteger(L, (lua_Integer)at);
    return 1;
  }
  return 0;
}
