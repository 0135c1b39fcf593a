/* pattern_lib: string.find, match, gmatch, gsub on the bounded matcher. The VM's thread. Compiled patterns live on the
 * C stack (gmatch: in a userdata), so a throw leaks nothing. */
#include <lauxlib.h>
#include <string.h>

#include "script/run.h"
#include "script/stdlib/pattern.h"

_Noreturn static void too_long(lua_State *L, struct slice pattern, size_t subject_bytes) {
  run_poll(L);
  luaL_error(L,
             "pattern '%s' needs too many steps on a text of %d bytes: each further '-', '*' or '+' multiplies them; "
             "anchor it, or cut the text first",
             pattern.ptr, (int)subject_bytes);
  __builtin_unreachable();
}

static void compile(lua_State *L, struct pattern *p, struct slice text, bool anchors) {
  const char *wrong = pattern_compile(p, text, anchors);
  if (wrong != NULL) luaL_error(L, "%s", wrong);
}

static struct slice text_at(lua_State *L, int index) {
  struct slice text;
  text.ptr = luaL_checklstring(L, index, &text.len);
  return text;
}

/* 0-based offset of an init argument; may lie behind the end. */
static size_t start_at(lua_State *L, int index, size_t len) {
  lua_Integer init = luaL_optinteger(L, index, 1);
  if (init > 0) return (size_t)init - 1;
  if (init == 0 || init < -(lua_Integer)len) return 0;
  return len - (size_t)-init;
}

/* Capture `number` (from 0), or the whole match start…end when the pattern has none and number is 0. */
static void push_capture(lua_State *L, const struct pattern *p, const struct pattern_match *m, unsigned number,
                         const char *start, const char *end) {
  if (number >= p->capture_count) {
    if (number > 0) luaL_error(L, "invalid capture index %%%d", (int)number + 1);
    lua_pushlstring(L, start, (size_t)(end - start)); /* … match */
    return;
  }
  const struct pattern_capture *capture = &m->captures[number];
  if (capture->len < 0) lua_pushinteger(L, capture->start - m->subject + 1); /* … position */
  else lua_pushlstring(L, capture->start, (size_t)capture->len);             /* … capture */
}

/* All captures, or the whole match when `whole` and there are none. */
static int push_captures(lua_State *L, const struct pattern *p, const struct pattern_match *m, const char *start,
                         const char *end, bool whole) {
  unsigned count = p->capture_count == 0 && whole ? 1 : p->capture_count;
  luaL_checkstack(L, (int)count, "too many captures");
  for (unsigned i = 0; i < count; i++) push_capture(L, p, m, i, start, end); /* … captures */
  return (int)count;
}

static bool is_plain(struct slice pattern) {
  for (size_t i = 0; i < pattern.len; i++)
    if (pattern.ptr[i] != 0 && strchr("^$*+?.([%-", pattern.ptr[i]) != NULL) return false;
  return true;
}

static int find(lua_State *L, bool positions) {
  struct slice subject = text_at(L, 1), text = text_at(L, 2);
  size_t from = start_at(L, 3, subject.len);
  if (from > subject.len) {
    lua_pushnil(L); /* … nil */
    return 1;
  }
  if (positions && (lua_toboolean(L, 4) || is_plain(text))) {
    const char *found =
        text.len == 0 ? subject.ptr + from : memmem(subject.ptr + from, subject.len - from, text.ptr, text.len);
    if (found == NULL) {
      lua_pushnil(L); /* … nil */
      return 1;
    }
    lua_pushinteger(L, found - subject.ptr + 1);                     /* … start */
    lua_pushinteger(L, found - subject.ptr + (lua_Integer)text.len); /* … start end */
    return 2;
  }
  struct pattern p;
  struct pattern_match m;
  compile(L, &p, text, true);
  pattern_match_init(&m, subject, &vm_of(L)->stop);
  const char *start, *end = pattern_search(&p, &m, subject.ptr + from, &start);
  if (m.steps_left == 0) too_long(L, text, subject.len);
  if (end == NULL) {
    lua_pushnil(L); /* … nil */
    return 1;
  }
  if (!positions) return push_captures(L, &p, &m, start, end, true);
  lua_pushinteger(L, start - subject.ptr + 1); /* … start */
  lua_pushinteger(L, end - subject.ptr);       /* … start end */
  return 2 + push_captures(L, &p, &m, start, end, false);
}

static int l_string_find(lua_State *L) {
  return find(L, true);
}

static int l_string_match(lua_State *L) {
  return find(L, false);
}

struct iteration {
  size_t next;        /* offset where the search goes on */
  ptrdiff_t last_end; /* offset of the last match's end, -1 before the first: an empty match there does not count */
  struct pattern pattern;
};

/* The first match from *at on that is not the empty one at last_end. */
static const char *next_match(const struct pattern *p, struct pattern_match *m, const char *at, const char *last_end,
                              const char **start) {
  while (at <= m->end) {
    const char *end = pattern_search(p, m, at, start);
    if (end == NULL || end != last_end) return end;
    at = *start + 1;
  }
  return NULL;
}

/* Upvalues: subject, pattern text, iteration. */
static int next_of_gmatch(lua_State *L) {
  struct iteration *it = lua_touserdata(L, lua_upvalueindex(3));
  struct slice subject;
  subject.ptr = lua_tolstring(L, lua_upvalueindex(1), &subject.len);
  if (it->next > subject.len) return 0;
  struct pattern_match m;
  pattern_match_init(&m, subject, &vm_of(L)->stop);
  const char *last_end = it->last_end < 0 ? NULL : subject.ptr + it->last_end, *start;
  const char *end = next_match(&it->pattern, &m, subject.ptr + it->next, last_end, &start);
  if (m.steps_left == 0) too_long(L, slice_text(lua_tostring(L, lua_upvalueindex(2))), subject.len);
  if (end == NULL) {
    it->next = subject.len + 1;
    return 0;
  }
  it->last_end = end - subject.ptr;
  it->next = (size_t)it->last_end;
  return push_captures(L, &it->pattern, &m, start, end, true);
}

static int l_string_gmatch(lua_State *L) {
  struct slice subject = text_at(L, 1), text = text_at(L, 2);
  size_t from = start_at(L, 3, subject.len);
  lua_settop(L, 2); /* subject pattern */
  struct pattern p;
  compile(L, &p, text, false);
  size_t used = offsetof(struct pattern, items) + p.item_count * sizeof *p.items;
  struct iteration *it = lua_newuserdatauv(L, offsetof(struct iteration, pattern) + used, 0); /* subject pattern it */
  it->next = from > subject.len ? subject.len + 1 : from;
  it->last_end = -1;
  memcpy(&it->pattern, &p, used);
  lua_pushcclosure(L, next_of_gmatch, 3); /* next */
  return 1;
}

/* Adds the replacement text (argument 3) with its %0…%9 and %%. */
static void add_text(lua_State *L, luaL_Buffer *out, const struct pattern *p, const struct pattern_match *m,
                     const char *start, const char *end) {
  size_t len;
  const char *at = lua_tolstring(L, 3, &len), *behind = at + len, *percent;
  while ((percent = memchr(at, '%', (size_t)(behind - at))) != NULL) {
    luaL_addlstring(out, at, (size_t)(percent - at));
    unsigned char letter = percent + 1 < behind ? (unsigned char)percent[1] : 0;
    if (letter == '%') {
      luaL_addchar(out, '%');
    } else if (letter == '0') {
      luaL_addlstring(out, start, (size_t)(end - start));
    } else if (letter >= '1' && letter <= '9') {
      push_capture(L, p, m, (unsigned)letter - '1', start, end); /* … capture */
      luaL_tolstring(L, -1, NULL);                               /* … capture text */
      lua_remove(L, -2);                                         /* … text */
      luaL_addvalue(out);                                        /* … */
    } else {
      luaL_error(L, "invalid use of '%%' in replacement string");
    }
    at = percent + 2;
  }
  luaL_addlstring(out, at, (size_t)(behind - at));
}

/* Adds what takes the place of the match; false when the match stays. */
static bool add_replacement(lua_State *L, luaL_Buffer *out, const struct pattern *p, const struct pattern_match *m,
                            const char *start, const char *end, int kind) {
  if (kind == LUA_TFUNCTION) {
    lua_pushvalue(L, 3);                                  /* … function */
    int count = push_captures(L, p, m, start, end, true); /* … function captures */
    lua_call(L, count, 1);                                /* … value */
  } else if (kind == LUA_TTABLE) {
    push_capture(L, p, m, 0, start, end); /* … capture */
    lua_gettable(L, 3);                   /* … value */
  } else {
    add_text(L, out, p, m, start, end);
    return true;
  }
  if (!lua_toboolean(L, -1)) {
    lua_pop(L, 1); /* … */
    luaL_addlstring(out, start, (size_t)(end - start));
    return false;
  }
  if (!lua_isstring(L, -1)) luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  luaL_addvalue(out); /* … */
  return true;
}

static int l_string_gsub(lua_State *L) {
  struct slice subject = text_at(L, 1), text = text_at(L, 2);
  int kind = lua_type(L, 3);
  luaL_argexpected(L, kind == LUA_TSTRING || kind == LUA_TNUMBER || kind == LUA_TTABLE || kind == LUA_TFUNCTION, 3,
                   "string/function/table");
  lua_Integer most = luaL_optinteger(L, 4, LUA_MAXINTEGER), count = 0;
  if (kind == LUA_TNUMBER) lua_tostring(L, 3);
  lua_settop(L, 3); /* subject pattern replacement */
  struct pattern p;
  struct pattern_match m;
  compile(L, &p, text, true);
  pattern_match_init(&m, subject, &vm_of(L)->stop);
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  const char *at = subject.ptr, *last_end = NULL;
  bool changed = false;
  while (count < most) {
    const char *start, *end;
    if (p.is_anchored) {
      start = at;
      end = pattern_match_at(&p, &m, at);
    } else {
      end = next_match(&p, &m, at, last_end, &start);
    }
    if (m.steps_left == 0) too_long(L, text, subject.len);
    if (end == NULL) break;
    luaL_addlstring(&out, at, (size_t)(start - at));
    changed |= add_replacement(L, &out, &p, &m, start, end, kind);
    run_poll(L);
    count++;
    at = last_end = end;
    if (p.is_anchored) break;
  }
  if (changed) {
    luaL_addlstring(&out, at, (size_t)(m.end - at));
    luaL_pushresult(&out); /* … result */
  } else {
    lua_pushvalue(L, 1); /* … subject */
  }
  lua_pushinteger(L, count); /* … result count */
  return 2;
}

void pattern_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"find", l_string_find},
      {"gmatch", l_string_gmatch},
      {"gsub", l_string_gsub},
      {"match", l_string_match},
      {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
}
