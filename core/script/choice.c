/* choice: handles, lists of handles, nil and gw.refuse; anything else is the script's error. The VM's thread. */
#include "script/choice.h"

#include <stdlib.h>

#include "script/api/api_target.h"
#include "script/run.h"
#include "script/script.h"

/* Raises with the line where the hook is defined: the run has no frame of the script any more. */
static _Noreturn void refuse(lua_State *L, int function, const char *what) {
  lua_Debug place;
  lua_rawgeti(L, LUA_REGISTRYINDEX, function); /* … function */
  lua_getinfo(L, ">S", &place);                /* … */
  luaL_error(L,
             "%s:%d: `%s` must return targets from gw.pool, gw.target or gw.targets, lists of them, gw.refuse(…) "
             "alone, or nothing, not %s",
             place.short_src, place.linedefined, run_hook_name(run_hook_now(L)), what);
  abort();
}

/* Adds the value at the top, which stays there. */
static void read_value(lua_State *L, struct choice *out, int function, int depth) {
  struct script *s = script_of(L);
  switch (lua_type(L, -1)) {
  case LUA_TUSERDATA: {
    struct target *target = api_target_at(L, -1, s);
    if (target == NULL) refuse(L, function, "an object of another kind");
    if (out->count < CHOICE_MAX) out->targets[out->count++] = target;
    return;
  }
  case LUA_TTABLE:
    if (depth == CHOICE_DEPTH_MAX) refuse(L, function, "lists nested deeper than 8");
    luaL_checkstack(L, 4, NULL);
    for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL && out->count < CHOICE_MAX; i++) { /* … list value */
      read_value(L, out, function, depth + 1);
      lua_pop(L, 1); /* … list */
    }
    lua_pop(L, 1); /* … list */
    return;
  default: refuse(L, function, lua_pushfstring(L, "a %s", luaL_typename(L, -1)));
  }
}

void choice_read(lua_State *L, struct choice *out, int function) {
  int count = lua_gettop(L);
  out->count = 0;
  out->given = false;
  out->refused = false;
  luaL_checkstack(L, 4, NULL);
  for (int i = 1; i <= count; i++) {
    if (lua_isnil(L, i)) continue;
    out->given = true;
    if (count == 1 && api_target_refusal(L, i, script_of(L), &out->fault)) {
      out->refused = true;
      return;
    }
    lua_pushvalue(L, i); /* … value */
    read_value(L, out, function, 0);
    lua_pop(L, 1); /* … */
  }
}
