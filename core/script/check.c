/* check: calls lua/gw/check.lua, which holds the rules. The VM's thread. */
#include "script/check.h"

#include "base/suggest.h"

enum { CANDIDATES_MAX = 128 };

static const char *const kind_names[] = {"policy", "adapter", "dialect"};

/* suggest(word, names) → the name that was probably meant, or nil. Handed to check.lua. */
static int l_check_suggest(lua_State *L) {
  const char *word = luaL_checkstring(L, 1), *names[CANDIDATES_MAX];
  luaL_checktype(L, 2, LUA_TTABLE);
  size_t count = 0;
  for (lua_Integer i = 1; count < CANDIDATES_MAX && lua_rawgeti(L, 2, i) == LUA_TSTRING; i++) { /* word names name */
    names[count++] = lua_tostring(L, -1);
    lua_pop(L, 1); /* word names */
  }
  const char *near = suggest_nearest(word, names, count);
  lua_settop(L, 2); /* word names */
  if (near == NULL) return 0;
  lua_pushstring(L, near); /* word names name */
  return 1;
}

void check_open(lua_State *L) {
  lua_pushcfunction(L, l_check_suggest); /* … check suggest */
  lua_setfield(L, -2, "suggest");        /* … check */
  vm_keep(L, VM_CHECK);                  /* … */
}

void check_script(lua_State *L, int index, enum check_kind kind, const char *name, struct slice text) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 8, NULL);
  vm_push(L, VM_CHECK);                   /* … check */
  lua_getfield(L, -1, "script");          /* … check script */
  lua_remove(L, -2);                      /* … script */
  lua_pushvalue(L, index);                /* … script value */
  lua_pushstring(L, kind_names[kind]);    /* … script value kind */
  lua_pushstring(L, name);                /* … script value kind name */
  lua_pushlstring(L, text.ptr, text.len); /* … script value kind name text */
  lua_call(L, 4, 0);                      /* … */
}

void check_options(lua_State *L, int script, int given, const char *place) {
  script = lua_absindex(L, script);
  if (given != 0) given = lua_absindex(L, given);
  luaL_checkstack(L, 8, NULL);
  vm_push(L, VM_CHECK);           /* … check */
  lua_getfield(L, -1, "options"); /* … check options */
  lua_remove(L, -2);              /* … options */
  lua_pushvalue(L, script);       /* … options script */
  if (given != 0) lua_pushvalue(L, given);
  else lua_pushnil(L);      /* … options script given */
  lua_pushstring(L, place); /* … options script given place */
  lua_call(L, 3, 1);        /* … checked */
}
