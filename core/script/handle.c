/* handle: one metatable a kind; its __index has two upvalues: name → number or method, and the object's name. The VM's
 * thread. */
#include "script/handle.h"

#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "script/guard.h"

enum { NAMES_MAX = 64 };

/* Checks the fields against lua/gw/api.lua. */
static void check_described(lua_State *L, const struct handle_kind *kind) {
  unsigned wanted = 0, described = 0;
  while (kind->fields[wanted] != NULL) wanted++;
  vm_push(L, VM_API);                                                 /* … api */
  lua_getfield(L, -1, "fields");                                      /* … api rows */
  for (lua_Integer i = 1; lua_rawgeti(L, -1, i) == LUA_TTABLE; i++) { /* … api rows row */
    lua_getfield(L, -1, "object");                                    /* … api rows row object */
    lua_getfield(L, -2, "name");                                      /* … api rows row object name */
    const char *object = luaL_checkstring(L, -2), *name = luaL_checkstring(L, -1);
    if (strcmp(object, kind->object) == 0) {
      unsigned at = 0;
      while (at < wanted && strcmp(kind->fields[at], name) != 0) at++;
      if (at == wanted) luaL_error(L, "lua/gw/api.lua describes %s.%s, which there is not", object, name);
      described++;
    }
    lua_pop(L, 3); /* … api rows */
  }
  lua_pop(L, 3); /* … */
  if (described != wanted) luaL_error(L, "a field of %s is not described in lua/gw/api.lua", kind->object);
}

/* __newindex: (handle, name, value). Upvalue: the object's name. */
static int l_handle_assign(lua_State *L) {
  return luaL_error(L, "%s is read-only", lua_tostring(L, lua_upvalueindex(1)));
}

void handle_push_metatable(lua_State *L, const struct handle_kind *kind) {
  luaL_checkstack(L, 8, NULL);
  check_described(L, kind);
  const char *name = lua_pushfstring(L, "gw.%s", kind->object); /* … name */
  luaL_newmetatable(L, name);                                   /* … name metatable */
  lua_remove(L, -2);                                            /* … metatable */
  lua_createtable(L, 0, 16);                                    /* … metatable names */
  for (int i = 0; kind->fields[i] != NULL; i++) {
    lua_pushinteger(L, i);                /* … metatable names i */
    lua_setfield(L, -2, kind->fields[i]); /* … metatable names */
  }
  if (kind->methods != NULL) {
    const char *prefix = lua_pushfstring(L, "%s:", kind->object); /* … metatable names prefix */
    lua_insert(L, -2);                                            /* … metatable prefix names */
    guard_add(L, prefix, kind->methods);
    lua_remove(L, -2); /* … metatable names */
  }
  lua_pushstring(L, kind->object);         /* … metatable names object */
  lua_pushcclosure(L, kind->get, 2);       /* … metatable get */
  lua_setfield(L, -2, "__index");          /* … metatable */
  lua_pushstring(L, kind->object);         /* … metatable object */
  lua_pushcclosure(L, l_handle_assign, 1); /* … metatable assign */
  lua_setfield(L, -2, "__newindex");       /* … metatable */
  lua_pushstring(L, kind->object);         /* … metatable object */
  lua_setfield(L, -2, "__name");           /* … metatable */
  lua_pushstring(L, kind->object);         /* … metatable object */
  lua_setfield(L, -2, "__metatable");      /* … metatable */
  if (kind->tostring == NULL) return;
  lua_pushcfunction(L, kind->tostring); /* … metatable tostring */
  lua_setfield(L, -2, "__tostring");    /* … metatable */
}

static _Noreturn void refuse_name(lua_State *L) {
  const char *object = lua_tostring(L, lua_upvalueindex(2)), *known[NAMES_MAX];
  if (lua_type(L, 2) != LUA_TSTRING) luaL_error(L, "%s has no field of type %s", object, luaL_typename(L, 2));
  size_t count = 0;
  for (lua_pushnil(L); lua_next(L, lua_upvalueindex(1)); lua_pop(L, 1)) /* … key value */
    if (count < NAMES_MAX) known[count++] = lua_tostring(L, -2);
  const char *name = lua_tostring(L, 2), *near = suggest_nearest(name, known, count);
  if (near != NULL) luaL_error(L, "%s has no field '%s'; did you mean '%s'?", object, name, near);
  luaL_error(L, "%s has no field '%s'", object, name);
  abort();
}

int handle_field(lua_State *L) {
  lua_pushvalue(L, 2); /* handle name … name */
  int kind = lua_rawget(L, lua_upvalueindex(1));
  if (kind == LUA_TFUNCTION) return HANDLE_METHOD;
  if (kind != LUA_TNUMBER) refuse_name(L);
  int number = (int)lua_tointeger(L, -1);
  lua_pop(L, 1); /* handle name … */
  return number;
}
