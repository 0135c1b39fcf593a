/* kit_frames: see the header. The readers live in a userdata, so that a throw leaves nothing behind. */
#include "script/kit_frames.h"

#include <lauxlib.h>

#include "base/memory.h"
#include "wire/aws_events.h"
#include "wire/frames.h"
#include "wire/sse.h"

enum { EVENT_MAX_BYTES = 64 << 20 };

enum framing { FRAMING_SSE, FRAMING_JSON_ARRAY, FRAMING_AWS };

struct cutting {
  enum framing framing;
  struct sse_reader sse;
  struct frames_reader frames;
  struct aws_reader aws;
  struct buf piece; /* with its slack behind it */
  lua_Integer count;
  bool is_kept;    /* events go into the list at the top of the stack; else only into the digest */
  uint64_t digest; /* of all names and texts: FNV-1a */
  const char *why; /* set when the bytes are broken */
};

static void close_readers(struct cutting *c) {
  sse_done(&c->sse);
  frames_done(&c->frames);
  aws_events_done(&c->aws);
}

static int l_cutting_gc(lua_State *L) {
  struct cutting *c = lua_touserdata(L, 1);
  close_readers(c);
  buf_done(&c->piece);
  return 0;
}

static void digest(struct cutting *c, struct slice part) {
  uint64_t hash = (c->digest ^ part.len) * 1099511628211u;
  for (size_t i = 0; i < part.len; i++) hash = (hash ^ (uint8_t)part.ptr[i]) * 1099511628211u;
  c->digest = hash;
}

static void add(lua_State *L, struct cutting *c, struct slice name, struct slice text, struct slice raw) {
  digest(c, name);
  digest(c, text);
  if (!c->is_kept) return;
  lua_createtable(L, 0, 3); /* … list event */
  lua_pushlstring(L, name.len ? name.ptr : "", name.len);
  lua_setfield(L, -2, "name");
  lua_pushlstring(L, text.len ? text.ptr : "", text.len);
  lua_setfield(L, -2, "data");
  lua_pushlstring(L, raw.len ? raw.ptr : "", raw.len);
  lua_setfield(L, -2, "raw");
  lua_rawseti(L, -2, ++c->count); /* … list */
}

static void add_sse(lua_State *L, struct cutting *c, struct slice *in, bool is_end) {
  for (;;) {
    struct stream_event event;
    enum sse_verdict verdict = is_end ? sse_finish(&c->sse, &event) : sse_next(&c->sse, in, &event);
    if (verdict == SSE_TOO_LARGE) c->why = "an event is too large";
    if (verdict != SSE_EVENT) return;
    if (event.has_data) add(L, c, event.name, event.data, event.raw);
  }
}

static void add_frames(lua_State *L, struct cutting *c, struct slice *in, bool is_end) {
  for (;;) {
    struct frames_item item;
    enum frames_verdict verdict = is_end ? frames_finish(&c->frames, &item) : frames_next(&c->frames, in, &item);
    if (verdict == FRAMES_TOO_LARGE) c->why = "a document is too large";
    else if (verdict == FRAMES_BROKEN) c->why = c->frames.why;
    else if (verdict == FRAMES_ITEM) add(L, c, SLICE(""), item.text, item.raw);
    if (verdict != FRAMES_ITEM && verdict != FRAMES_BETWEEN) return;
  }
}

static void add_aws(lua_State *L, struct cutting *c, struct slice *in, bool is_end) {
  if (is_end && !aws_events_ended_whole(&c->aws)) c->why = "the bytes end inside a message";
  while (!is_end) {
    struct aws_event event;
    enum aws_verdict verdict = aws_events_next(&c->aws, in, &event);
    if (verdict == AWS_TOO_LARGE) c->why = "a message is too large";
    else if (verdict == AWS_BROKEN) c->why = c->aws.why;
    else if (verdict == AWS_EVENT) add(L, c, event.name, event.payload, event.raw);
    if (verdict != AWS_EVENT) return;
  }
}

static void feed(lua_State *L, struct cutting *c, struct slice bytes, bool is_end) {
  c->piece.len = 0;
  buf_slice(&c->piece, bytes);
  struct slice in = buf_view(&c->piece);
  if (c->framing == FRAMING_SSE) add_sse(L, c, &in, is_end);
  else if (c->framing == FRAMING_AWS) add_aws(L, c, &in, is_end);
  else add_frames(L, c, &in, is_end);
}

static void open_readers(struct cutting *c) {
  sse_init(&c->sse, EVENT_MAX_BYTES);
  frames_init(&c->frames, FRAMES_ARRAY, EVENT_MAX_BYTES);
  aws_events_init(&c->aws, EVENT_MAX_BYTES);
  c->digest = 14695981039346656037u;
  c->why = NULL;
}

static struct cutting *push_cutting(lua_State *L, enum framing framing) {
  struct cutting *c = lua_newuserdatauv(L, sizeof *c, 0); /* … cutting */
  memset(c, 0, sizeof *c);
  c->framing = framing;
  open_readers(c);
  lua_createtable(L, 0, 1); /* … cutting metatable */
  lua_pushcfunction(L, l_cutting_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2); /* … cutting */
  return c;
}

static const char *const framings[] = {"sse", "json-array", "aws-events", NULL};

int l_kit_frames(lua_State *L) {
  enum framing framing = (enum framing)luaL_checkoption(L, 1, NULL, framings);
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
  close_readers(c);
  open_readers(c);
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
  enum framing framing = (enum framing)luaL_checkoption(L, 1, NULL, framings);
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
