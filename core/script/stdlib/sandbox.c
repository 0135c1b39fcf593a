/* sandbox: the template, environments, require, and loading of chunks. The VM's thread.
 *
 *   _ENV {} ──__index──▶ content (private copies) ──__index──▶ error: unknown global
 *      └────__newindex──▶ error: assignment to a global */
#include "script/stdlib/sandbox.h"

#include <lualib.h>
#include <string.h>

#include "base/suggest.h"
#include "script/api/api_json.h"
#include "script/stdlib/stdlib.h"

enum { GLOBALS_MAX = 64 };

const char *sandbox_tostring(lua_State *L, int index, size_t *len) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 4, NULL);
  if (luaL_getmetafield(L, index, "__tostring") != LUA_TNIL) { /* … __tostring */
    lua_pushvalue(L, index);                                   /* … __tostring value */
    lua_call(L, 1, 1);                                         /* … text */
    if (!lua_isstring(L, -1)) luaL_error(L, "__tostring must return a string");
    return lua_tolstring(L, -1, len);
  }
  switch (lua_type(L, index)) {
  case LUA_TNUMBER:
  case LUA_TSTRING:
    lua_pushvalue(L, index); /* … value */
    break;
  case LUA_TBOOLEAN:
    lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false"); /* … text */
    break;
  case LUA_TNIL:
    lua_pushliteral(L, "nil"); /* … text */
    break;
  default:
    if (api_json_is_null(L, index)) {
      lua_pushliteral(L, "null");                                      /* … text */
    } else if (luaL_getmetafield(L, index, "__name") != LUA_TSTRING) { /* … name? */
      lua_pushstring(L, luaL_typename(L, index));                      /* … text */
    }
  }
  return lua_tolstring(L, -1, len);
}

/* __index of content: (content, name). */
static int l_env_unknown(lua_State *L) {
  if (lua_type(L, 2) != LUA_TSTRING) return 0;
  const char *name = lua_tostring(L, 2), *known[GLOBALS_MAX];
  size_t count = 0;
  lua_settop(L, 2);
  for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) /* content name key value */
    if (count < GLOBALS_MAX && lua_type(L, -2) == LUA_TSTRING) known[count++] = lua_tostring(L, -2);
  const char *near = suggest_nearest(name, known, count);
  if (near != NULL) return luaL_error(L, "global '%s' is not known; did you mean '%s'?", name, near);
  return luaL_error(L, "global '%s' is not known", name);
}

/* __newindex of _ENV: (env, name, value). */
static int l_env_assign(lua_State *L) {
  return luaL_error(L, "assignment to global '%s': scripts have no globals; write `local`",
                    lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2));
}

void sandbox_open(lua_State *L) {
  lua_createtable(L, 0, 32); /* template */
  stdlib_open_base(L);
  stdlib_open_string(L);         /* template string */
  lua_setfield(L, -2, "string"); /* template */
  stdlib_open_table(L);          /* template table */
  lua_setfield(L, -2, "table");  /* template */
  stdlib_open_math(L);           /* template math */
  lua_setfield(L, -2, "math");   /* template */
  stdlib_open_utf8(L);           /* template utf8 */
  lua_setfield(L, -2, "utf8");   /* template */
  vm_keep(L, VM_TEMPLATE);       /* */

  stdlib_open_string(L);              /* strings */
  lua_pushliteral(L, "");             /* strings "" */
  lua_createtable(L, 0, 2);           /* strings "" metatable */
  lua_pushvalue(L, -3);               /* strings "" metatable strings */
  lua_setfield(L, -2, "__index");     /* strings "" metatable */
  lua_pushboolean(L, 0);              /* strings "" metatable false */
  lua_setfield(L, -2, "__metatable"); /* strings "" metatable */
  lua_setmetatable(L, -2);            /* strings "" */
  lua_pop(L, 1);                      /* strings */
  vm_keep(L, VM_STRINGS);             /* */

  lua_createtable(L, 0, 2);            /* metatable */
  lua_pushcfunction(L, l_env_unknown); /* metatable function */
  lua_setfield(L, -2, "__index");      /* metatable */
  lua_pushboolean(L, 0);               /* metatable false */
  lua_setfield(L, -2, "__metatable");  /* metatable */
  vm_keep(L, VM_ENV_METATABLE);        /* */
}

/* Pushes a copy of the table at the top; tables inside it are copied too. */
static void push_copy(lua_State *L) {
  luaL_checkstack(L, 5, NULL);
  lua_createtable(L, 0, 16);               /* from copy */
  for (lua_pushnil(L); lua_next(L, -3);) { /* from copy key value */
    if (lua_istable(L, -1)) {
      push_copy(L);      /* from copy key value inner */
      lua_remove(L, -2); /* from copy key inner */
    }
    lua_pushvalue(L, -2); /* from copy key value key */
    lua_insert(L, -2);    /* from copy key key value */
    lua_rawset(L, -4);    /* from copy key */
  }
}

/* Pushes the chunk of `text` whose environment is the table at `env`. */
static void push_chunk(lua_State *L, struct slice text, const char *name, int env) {
  env = lua_absindex(L, env);
  if (text.len > SANDBOX_TEXT_MAX_BYTES) luaL_error(L, "%s:1: longer than %d bytes", name, SANDBOX_TEXT_MAX_BYTES);
  if (text.len > 0 && *text.ptr == *LUA_SIGNATURE) luaL_error(L, "%s:1: scripts are text, this is bytecode", name);
  const char *chunk_name = lua_pushfstring(L, "@%s", name);                             /* … name */
  if (luaL_loadbufferx(L, text.ptr, text.len, chunk_name, "t") != LUA_OK) lua_error(L); /* … name chunk */
  lua_pushvalue(L, env);                                                                /* … name chunk env */
  lua_setupvalue(L, -2, 1);                                                             /* … name chunk */
  lua_remove(L, -2);                                                                    /* … chunk */
}

/* Upvalues: sources, modules by name, the script's env. Modules live in the environment of the script that asks. */
static int l_base_require(lua_State *L) {
  const struct sandbox_sources *sources = lua_touserdata(L, lua_upvalueindex(1));
  const char *module = luaL_checkstring(L, 1), *name = NULL;
  struct slice text = {NULL, 0};
  lua_settop(L, 1);
  lua_pushvalue(L, 1);                           /* module module */
  int kind = lua_rawget(L, lua_upvalueindex(2)); /* module value? */
  if (kind == LUA_TBOOLEAN && !lua_toboolean(L, -1)) {
    return luaL_error(L, "module '%s' requires itself, directly or by others", module);
  }
  if (kind != LUA_TNIL) return 1;
  lua_pop(L, 1); /* module */
  if (sources == NULL || !sources->find(sources->owner, module, &text, &name)) {
    return luaL_error(L, "module '%s' is not among the loaded scripts", module);
  }
  lua_pushvalue(L, 1);                            /* module module */
  lua_pushboolean(L, 0);                          /* module module false */
  lua_rawset(L, lua_upvalueindex(2));             /* module */
  push_chunk(L, text, name, lua_upvalueindex(3)); /* module chunk */
  lua_pushvalue(L, 1);                            /* module chunk module */
  lua_call(L, 1, 1);                              /* module value */
  if (lua_isnil(L, -1)) {
    lua_pushfstring(L, "%s:1: a module must return a table", name); /* module value message */
    return lua_error(L);
  }
  lua_pushvalue(L, 1);                /* module value module */
  lua_pushvalue(L, -2);               /* module value module value */
  lua_rawset(L, lua_upvalueindex(2)); /* module value */
  return 1;
}

void sandbox_push_env(lua_State *L, const struct sandbox_sources *sources) {
  luaL_checkstack(L, 10, NULL);
  lua_createtable(L, 0, 0);                             /* env */
  vm_push(L, VM_TEMPLATE);                              /* env template */
  push_copy(L);                                         /* env template content */
  lua_remove(L, -2);                                    /* env content */
  lua_pushlightuserdata(L, (void *)(uintptr_t)sources); /* env content sources */
  lua_createtable(L, 0, 4);                             /* env content sources modules */
  lua_pushvalue(L, -4);                                 /* env content sources modules env */
  lua_pushcclosure(L, l_base_require, 3);               /* env content require */
  lua_setfield(L, -2, "require");                       /* env content */
  vm_push(L, VM_ENV_METATABLE);                         /* env content metatable */
  lua_setmetatable(L, -2);                              /* env content */
  lua_createtable(L, 0, 3);                             /* env content metatable */
  lua_insert(L, -2);                                    /* env metatable content */
  lua_setfield(L, -2, "__index");                       /* env metatable */
  lua_pushcfunction(L, l_env_assign);                   /* env metatable function */
  lua_setfield(L, -2, "__newindex");                    /* env metatable */
  lua_pushboolean(L, 0);                                /* env metatable false */
  lua_setfield(L, -2, "__metatable");                   /* env metatable */
  lua_setmetatable(L, -2);                              /* env */
}

void sandbox_load(lua_State *L, struct slice text, const char *name, const struct sandbox_sources *sources) {
  sandbox_push_env(L, sources);  /* env */
  push_chunk(L, text, name, -1); /* env chunk */
  lua_remove(L, -2);             /* chunk */
}
