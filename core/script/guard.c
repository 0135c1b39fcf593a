/* guard: reads lua/gw/api.lua into the VM and registers functions against it. The VM's thread; vm->guards is owned by
 * the VM. */
#include "script/guard.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static enum run_hook hook_named(lua_State *L, const char *name) {
  enum run_hook hook = run_hook_named(name);
  if (hook == RUN_HOOK_COUNT) luaL_error(L, "lua/gw/api.lua: hook \"%s\" is not known", name);
  return hook;
}

/* Copies the string member of the table at the top. */
static void copy_text(lua_State *L, const char *member, char *out, size_t room) {
  lua_getfield(L, -1, member); /* … table text */
  size_t len;
  const char *text = luaL_optlstring(L, -1, "", &len);
  if (len >= room) luaL_error(L, "lua/gw/api.lua: \"%s\" is longer than %d bytes", text, (int)room - 1);
  memcpy(out, text, len + 1);
  lua_pop(L, 1); /* … table */
}

static uint32_t milliseconds(lua_State *L, const char *member) {
  lua_getfield(L, -1, member); /* … hook number */
  uint32_t ms = (uint32_t)luaL_optinteger(L, -1, 0);
  lua_pop(L, 1); /* … hook */
  return ms;
}

static void read_hooks(lua_State *L, struct vm *vm) {
  lua_getfield(L, -1, "hooks"); /* api hooks */
  luaL_checktype(L, -1, LUA_TTABLE);
  for (int i = 1; lua_rawgeti(L, -1, i) == LUA_TTABLE; i++) { /* api hooks hook */
    lua_getfield(L, -1, "name");                              /* api hooks hook name */
    enum run_hook hook = hook_named(L, luaL_checkstring(L, -1));
    lua_pop(L, 1); /* api hooks hook */
    vm->hooks[hook].cpu_ms = milliseconds(L, "cpu_ms");
    vm->hooks[hook].wait_ms = milliseconds(L, "wait_ms");
    lua_pop(L, 1); /* api hooks */
  }
  for (int hook = 0; hook < RUN_HOOK_COUNT; hook++)
    if (vm->hooks[hook].cpu_ms == 0)
      luaL_error(L, "lua/gw/api.lua: hook \"%s\" has no cpu_ms", run_hook_name((enum run_hook)hook));
  lua_pop(L, 2); /* api */
}

/* The list of hooks at the top, or the text "all", as a mask. */
static uint32_t hook_mask(lua_State *L) {
  if (lua_type(L, -1) == LUA_TSTRING) return (1u << RUN_HOOK_COUNT) - 1;
  luaL_checktype(L, -1, LUA_TTABLE);
  uint32_t mask = 0;
  for (int i = 1; lua_rawgeti(L, -1, i) == LUA_TSTRING; i++) { /* … list name */
    mask |= 1u << hook_named(L, lua_tostring(L, -1));
    lua_pop(L, 1); /* … list */
  }
  lua_pop(L, 1); /* … list */
  return mask;
}

void guard_read(lua_State *L) {
  struct vm *vm = vm_of(L);
  luaL_checktype(L, -1, LUA_TTABLE);
  read_hooks(L, vm);
  lua_getfield(L, -1, "functions"); /* api functions */
  luaL_checktype(L, -1, LUA_TTABLE);
  uint32_t count = (uint32_t)lua_rawlen(L, -1);
  vm->guards = mem_zero((count + 1) * sizeof *vm->guards);
  vm->guard_count = count;
  for (uint32_t i = 0; i < count; i++) {
    struct guard *guard = &vm->guards[i];
    lua_rawgeti(L, -1, (lua_Integer)i + 1); /* api functions function */
    copy_text(L, "name", guard->name, sizeof guard->name);
    copy_text(L, "way_out", guard->way_out, sizeof guard->way_out);
    lua_getfield(L, -1, "hooks"); /* api functions function hooks */
    guard->hooks = hook_mask(L);
    lua_pop(L, 2); /* api functions */
  }
  lua_pop(L, 1); /* api */
}

void guard_add(lua_State *L, const char *prefix, const luaL_Reg *functions) {
  struct vm *vm = vm_of(L);
  for (const luaL_Reg *f = functions; f->name != NULL; f++) {
    const char *name = lua_pushfstring(L, "%s%s", prefix, f->name); /* … table name */
    uint32_t at = 0;
    while (at < vm->guard_count && strcmp(vm->guards[at].name, name) != 0) at++;
    if (at == vm->guard_count) luaL_error(L, "%s is not described in lua/gw/api.lua", name);
    vm->guards[at].is_registered = true;
    lua_pushinteger(L, at);          /* … table name at */
    lua_pushcclosure(L, f->func, 1); /* … table name function */
    lua_setfield(L, -3, f->name);    /* … table name */
    lua_pop(L, 1);                   /* … table */
  }
}

void guard_refuse(lua_State *L, const struct guard *guard) {
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  const char *between = "";
  for (int hook = 0; hook < RUN_HOOK_COUNT; hook++) {
    if (!(guard->hooks & (1u << hook))) continue;
    luaL_addstring(&text, between);
    luaL_addstring(&text, run_hook_name((enum run_hook)hook));
    between = ", ";
  }
  luaL_pushresult(&text); /* … hooks */
  luaL_error(L, "%s may not be called in `%s`, only in: %s%s%s", guard->name, run_hook_name(run_hook_now(L)),
             lua_tostring(L, -1), guard->way_out[0] ? ". " : "", guard->way_out);
  abort();
}
