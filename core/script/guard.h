/* guard: may this gw function be called in the hook that runs now? The VM's thread.
 *
 * lua/gw/api.lua says it for each function; vm_new reads the table into vm->guards. A C function that is not described
 * there cannot be registered. Every guarded function is a closure whose first upvalue is the number of its guard, so
 * that the check is one integer read and one mask test. */
#ifndef MOONGATE_SCRIPT_GUARD_H
#define MOONGATE_SCRIPT_GUARD_H

#include "script/run.h"

struct guard {
  char name[48];      /* "gw.json.decode", "req:header" */
  uint32_t hooks;     /* bit of each enum run_hook it may be called in */
  bool is_registered; /* guard_add has seen it */
  char way_out[200];  /* what to do instead, for the message */
};

/* Reads hooks and functions from the table at the top (lua/gw/api.lua) and leaves it there. Throws. By vm_new. */
void guard_read(lua_State *L);
/* Adds functions to the table at the top. prefix: "gw." or "req:". Each entry's closure has its guard's number as first
 * upvalue. Throws when one is not described in lua/gw/api.lua. */
void guard_add(lua_State *L, const char *prefix, const luaL_Reg *functions);

_Noreturn void guard_refuse(lua_State *L, const struct guard *guard);

/* First line of every function registered by guard_add: throws when the running hook does not allow the call. */
static inline void guard_check(lua_State *L) {
  struct vm *vm = vm_of(L);
  const struct guard *guard = &vm->guards[lua_tointeger(L, lua_upvalueindex(1))];
  if (vm->running != NULL && !(guard->hooks & (1u << vm->running->hook))) guard_refuse(L, guard);
}

/* The name it was registered by; for messages. */
static inline const char *guard_name(lua_State *L) {
  return vm_of(L)->guards[lua_tointeger(L, lua_upvalueindex(1))].name;
}

#endif
