/* stdlib_base: the base functions, math and utf8. The VM's thread.
 *
 * pcall and xpcall let a stopped script's error through, so that no script can swallow its own end. */
#include <lualib.h>

#include "base/must.h"
#include "script/run.h"
#include "script/stdlib/sandbox.h"
#include "script/stdlib/stdlib.h"

void stdlib_pick(lua_State *L, int from, const char *const *names) {
  from = lua_absindex(L, from);
  for (; *names != NULL; names++) {
    must(lua_getfield(L, from, *names) != LUA_TNIL); /* … to function */
    lua_setfield(L, -2, *names);                     /* … to */
  }
}

static int l_base_tostring(lua_State *L) {
  luaL_checkany(L, 1);
  sandbox_tostring(L, 1, NULL); /* value … text */
  return 1;
}

static int l_base_getmetatable(lua_State *L) {
  luaL_checkany(L, 1);
  if (lua_type(L, 1) != LUA_TTABLE || !lua_getmetatable(L, 1)) { /* table metatable */
    lua_pushnil(L);                                              /* value nil */
    return 1;
  }
  if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) return 1; /* table metatable shown */
  return 1;
}

static int l_base_setmetatable(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  if (!lua_isnil(L, 2)) luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2); /* table metatable */
  if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) return luaL_error(L, "this table's metatable is protected");
  if (lua_istable(L, 2)) {
    lua_pushliteral(L, "__gc"); /* table metatable "__gc" */
    if (lua_rawget(L, 2) != LUA_TNIL) {
      return luaL_error(L, "__gc is not allowed in scripts: finalizers cannot be stopped when they run too long");
    }
    lua_pop(L, 1); /* table metatable */
  }
  lua_setmetatable(L, 1); /* table */
  return 1;
}

/* Results lie above `skip` values; after an error its message is on top. */
static int finish_call(lua_State *L, int status, lua_KContext skip) {
  if (status != LUA_OK && status != LUA_YIELD) {
    run_poll(L);
    lua_pushboolean(L, 0); /* … message false */
    lua_insert(L, -2);     /* … false message */
    return 2;
  }
  return lua_gettop(L) - (int)skip;
}

static int l_base_pcall(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, 1);                                                         /* function arguments… true */
  lua_insert(L, 1);                                                              /* true function arguments… */
  int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, finish_call); /* true results… */
  return finish_call(L, status, 0);
}

/* Stands between Lua and a script's message handler, which must not run when the script is being stopped: the hook that
 * stops it is off while its own error is handled. */
static int l_base_handle(lua_State *L) {
  if (vm_of(L)->stop) return 1;
  lua_pushvalue(L, lua_upvalueindex(1)); /* message handler */
  lua_insert(L, -2);                     /* handler message */
  lua_call(L, 1, 1);                     /* result */
  return 1;
}

static int l_base_xpcall(lua_State *L) {
  luaL_checkany(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_pushvalue(L, 2);                   /* function handler arguments… handler */
  lua_pushcclosure(L, l_base_handle, 1); /* function handler arguments… guarded */
  lua_replace(L, 2);                     /* function guarded arguments… */
  lua_pushvalue(L, 2);                   /* function guarded arguments… guarded */
  lua_insert(L, 1);                      /* guarded function guarded arguments… */
  lua_pushboolean(L, 1);                 /* guarded function guarded arguments… true */
  lua_replace(L, 3);                     /* guarded function true arguments… */
  lua_pushvalue(L, 2);                   /* guarded function true arguments… function */
  lua_insert(L, 4);                      /* guarded function true function arguments… */
  int status = lua_pcallk(L, lua_gettop(L) - 4, LUA_MULTRET, 1, 2, finish_call); /* guarded function true results… */
  return finish_call(L, status, 2);
}

void stdlib_open_base(lua_State *L) {
  static const char *const kept[] = {"assert", "error",  "ipairs", "next",     "pairs", "rawequal",
                                     "rawget", "rawlen", "select", "tonumber", "type",  NULL};
  static const luaL_Reg own[] = {
      {"getmetatable", l_base_getmetatable}, {"pcall", l_base_pcall},   {"setmetatable", l_base_setmetatable},
      {"tostring", l_base_tostring},         {"xpcall", l_base_xpcall}, {NULL, NULL},
  };
  /* luaopen_base fills the global table; it is emptied again, because nothing may be found there. */
  lua_pushcfunction(L, luaopen_base); /* template open */
  lua_call(L, 0, 1);                  /* template globals */
  lua_insert(L, -2);                  /* globals template */
  stdlib_pick(L, -2, kept);
  luaL_setfuncs(L, own, 0);
  lua_createtable(L, 0, 0);                            /* globals template empty */
  lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS); /* globals template */
  lua_remove(L, -2);                                   /* template */
}

void stdlib_open_math(lua_State *L) {
  static const char *const kept[] = {"abs",  "acos",       "asin",      "atan", "ceil", "cos",    "deg",
                                     "exp",  "floor",      "fmod",      "huge", "log",  "max",    "maxinteger",
                                     "min",  "mininteger", "modf",      "pi",   "rad",  "random", "sin",
                                     "sqrt", "tan",        "tointeger", "type", "ult",  NULL};
  lua_createtable(L, 0, 32);          /* math */
  lua_pushcfunction(L, luaopen_math); /* math open */
  lua_call(L, 0, 1);                  /* math whole */
  lua_insert(L, -2);                  /* whole math */
  stdlib_pick(L, -2, kept);
  lua_remove(L, -2); /* math */
}

int stdlib_call_own(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));       /* arguments… function */
  lua_insert(L, 1);                            /* function arguments… */
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET); /* results… */
  return lua_gettop(L);
}

/* Of Lua's own function: for texts of a bounded size. */
static int l_utf8_bounded(lua_State *L) {
  size_t len;
  luaL_checklstring(L, 1, &len);
  if (len > STDLIB_UTF8_MAX_BYTES) return luaL_argerror(L, 1, "longer than 4 MB");
  return stdlib_call_own(L);
}

int stdlib_call_slice(lua_State *L) {
  size_t len;
  luaL_checklstring(L, 1, &len);
  lua_Integer first = luaL_optinteger(L, 2, 1), last = luaL_optinteger(L, 3, first);
  if (first < 0) first += (lua_Integer)len + 1;
  if (last < 0) last += (lua_Integer)len + 1;
  if (last > (lua_Integer)len) last = (lua_Integer)len;
  if (last - first >= STDLIB_UNPACK_MAX) return luaL_error(L, "more than %d values from one call", STDLIB_UNPACK_MAX);
  return stdlib_call_own(L);
}

static void wrap(lua_State *L, const char *name, lua_CFunction wrapper) {
  lua_getfield(L, -2, name);       /* whole utf8 function */
  lua_pushcclosure(L, wrapper, 1); /* whole utf8 wrapped */
  lua_setfield(L, -2, name);       /* whole utf8 */
}

void stdlib_open_utf8(lua_State *L) {
  static const char *const kept[] = {"char", "charpattern", "codes", NULL};
  lua_createtable(L, 0, 6);           /* utf8 */
  lua_pushcfunction(L, luaopen_utf8); /* utf8 open */
  lua_call(L, 0, 1);                  /* utf8 whole */
  lua_insert(L, -2);                  /* whole utf8 */
  stdlib_pick(L, -2, kept);
  wrap(L, "codepoint", stdlib_call_slice);
  wrap(L, "len", l_utf8_bounded);
  wrap(L, "offset", l_utf8_bounded);
  lua_remove(L, -2); /* utf8 */
}
