/* handle: read-only userdata with named fields, made for req, target and attempt. The VM's thread; all functions throw.
 *
 * Fields are read by C when they are asked for. A field that lua/gw/api.lua does not describe cannot exist, and one
 * that it describes must. */
#ifndef MOONGATE_SCRIPT_HANDLE_H
#define MOONGATE_SCRIPT_HANDLE_H

#include "script/vm.h"

struct handle_kind {
  const char *object;        /* as in lua/gw/api.lua: "req" */
  const char *const *fields; /* names ended by NULL; field i has number i */
  lua_CFunction get;         /* __index (handle, name): begins with handle_field */
  const luaL_Reg *methods;   /* called as handle:name(…), guarded; NULL: none */
  lua_CFunction tostring;    /* NULL: none */
};

/* Pushes the metatable, which luaL_getmetatable finds as "gw.OBJECT". */
void handle_push_metatable(lua_State *L, const struct handle_kind *kind); /* … metatable */

enum { HANDLE_METHOD = -1 };

/* In `get`: the number of the field that is asked for, or HANDLE_METHOD with the method pushed. Throws, with
 * did-you-mean, when there is none of that name. */
int handle_field(lua_State *L);

#endif
