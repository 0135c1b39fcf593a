/* vm: builds the state under its cap, boots the parts of the API into it, closes it. The VM's thread; owns everything
 * that struct vm points to. */
#include "script/vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/must.h"
#include "script/api/api_base.h"
#include "script/api/api_floats.h"
#include "script/api/api_json.h"
#include "script/check.h"
#include "script/guard.h"
#include "script/stdlib/sandbox.h"

/* Of the incremental collector. A cycle begins when the heap has grown by half since the last one, and ends before it
 * has grown by another fifth: GC_STEP_WORK / 16 slots are marked or swept for each byte allocated. */
enum { GC_PAUSE = 300, GC_STEP_WORK = 8, GC_STEP_LOG2_BYTES = 13, TIDY_STEP_KB = 128 };

static void *allocate(void *owner, void *memory, size_t old_bytes, size_t new_bytes) {
  struct vm *vm = owner;
  struct vm_memory *m = &vm->memory;
  if (memory == NULL) old_bytes = 0; /* then Lua passes the kind of object here */
  if (new_bytes == 0) {
    heap_resize(&vm->heap, memory, old_bytes, 0);
    m->used_bytes -= old_bytes;
    return NULL;
  }
  if (new_bytes > old_bytes && !m->is_lenient && m->used_bytes - old_bytes + new_bytes > m->max_bytes) {
    m->refusals++;
    return NULL;
  }
  void *moved = heap_resize(&vm->heap, memory, old_bytes, new_bytes);
  if (moved == NULL) {
    must(!m->is_lenient);
    return NULL;
  }
  m->used_bytes = m->used_bytes - old_bytes + new_bytes;
  if (m->used_bytes > m->peak_bytes) m->peak_bytes = m->used_bytes;
  return moved;
}

/* Reached only by an unprotected error, which is our bug. */
static int panicked(lua_State *L) {
  const char *message = lua_tostring(L, -1);
  fprintf(stderr, "unprotected Lua error: %s\n", message ? message : "(no text)");
  must(!"unprotected Lua error");
  return 0;
}

void vm_keep(lua_State *L, enum vm_thing thing) {
  vm_of(L)->things[thing] = luaL_ref(L, LUA_REGISTRYINDEX); /* … */
}

/* Runs lua/FILE with a fresh environment and pushes the table it returns. */
static void load_own(lua_State *L, const char *file) {
  struct vm *vm = vm_of(L);
  const char *path = lua_pushfstring(L, "%s/%s", vm->script_root, file); /* … path */
  FILE *stream = fopen(path, "rb");
  if (stream == NULL) luaL_error(L, "cannot read %s: is the script root \"%s\" right?", path, vm->script_root);
  vm->padded.len = 0;
  size_t got;
  do {
    got = fread(buf_reserve(&vm->padded, 4096), 1, 4096, stream);
    vm->padded.len += got;
  } while (got > 0 && vm->padded.len < SANDBOX_TEXT_MAX_BYTES);
  fclose(stream);
  sandbox_load(L, buf_view(&vm->padded), file, NULL); /* … path chunk */
  lua_call(L, 0, 1);                                  /* … path table */
  luaL_checktype(L, -1, LUA_TTABLE);
  lua_remove(L, -2); /* … table */
}

static int l_vm_boot(lua_State *L) {
  const struct vm_options *options = lua_touserdata(L, 1);
  lua_settop(L, 0);
  lua_pushliteral(L, "script stopped: it ran too long"); /* text */
  vm_keep(L, VM_STOPPED_TEXT);
  lua_pushliteral(L, "field");
  vm_keep(L, VM_FIELD_TEXT);
  lua_pushliteral(L, "message");
  vm_keep(L, VM_MESSAGE_TEXT);
  sandbox_open(L);
  load_own(L, "lua/gw/api.lua"); /* api */
  guard_read(L);
  vm_keep(L, VM_API);
  load_own(L, "lua/gw/check.lua"); /* check */
  check_open(L);
  vm_push(L, VM_TEMPLATE);   /* template */
  lua_createtable(L, 0, 32); /* template gw */
  lua_pushvalue(L, -1);      /* template gw gw */
  lua_setfield(L, 1, "gw");  /* template gw */
  lua_replace(L, 1);         /* gw */
  const lua_CFunction own[] = {api_base_open, api_json_open, api_floats_open, NULL};
  const lua_CFunction *const lists[] = {own, options->openers};
  for (size_t i = 0; i < 2; i++) {
    for (const lua_CFunction *opener = lists[i]; opener != NULL && *opener != NULL; opener++) {
      lua_pushcfunction(L, *opener); /* gw opener */
      lua_pushvalue(L, 1);           /* gw opener gw */
      lua_call(L, 1, 0);             /* gw */
    }
  }
  return 0;
}

bool vm_call(struct vm *vm, lua_CFunction work, void *argument, struct err *e) {
  lua_State *L = vm->L;
  int top = lua_gettop(L);
  lua_pushcfunction(L, work);         /* … work */
  lua_pushlightuserdata(L, argument); /* … work argument */
  if (lua_pcall(L, 1, 0, 0) == LUA_OK) return true;
  if (lua_type(L, -1) == LUA_TSTRING) err_set(e, "%s", lua_tostring(L, -1)); /* … error */
  else err_set(e, "a script error that is no text");
  lua_settop(L, top);
  return false;
}

struct vm *vm_new(const struct vm_options *options, struct err *e) {
  struct vm *vm = mem_new(struct vm);
  vm->memory.max_bytes = options->memory_max_bytes ? options->memory_max_bytes : VM_MEMORY_DEFAULT_BYTES;
  vm->doors = options->doors;
  vm->script_root = mem_text(options->script_root, strlen(options->script_root));
  for (int i = 0; i < VM_THING_COUNT; i++) vm->things[i] = LUA_NOREF;
  vm->L = lua_newstate(allocate, vm);
  if (vm->L == NULL) {
    err_set(e, "the memory cap for scripts, %zu bytes, is too small for Lua itself", vm->memory.max_bytes);
    vm_free(vm);
    return NULL;
  }
  lua_atpanic(vm->L, panicked);
  *(struct vm **)lua_getextraspace(vm->L) = vm; /* coroutines copy it */
  /* Incremental, and slow: a hook pays for collection by what it allocates, some microseconds a kilobyte, never for the
   * whole heap. The generational mode is a few percent cheaper, but its major collections run in one piece inside
   * whichever hook comes by: with some thousand translated streams alive they take longer than the hook's CPU limit,
   * and the watchdog stops an innocent request. */
  lua_gc(vm->L, LUA_GCINC, GC_PAUSE, GC_STEP_WORK, GC_STEP_LOG2_BYTES);
  if (!vm_call(vm, l_vm_boot, (void *)(uintptr_t)options, e)) {
    err_before(e, "scripts cannot be started: ");
    vm_free(vm);
    return NULL;
  }
  vm_collect(vm);
  return vm;
}

void vm_free(struct vm *vm) {
  if (vm == NULL) return;
  must(vm->running == NULL);
  if (vm->L != NULL) {
    run_drop_spare(vm);
    lua_close(vm->L);
    must(vm->memory.used_bytes == 0);
  }
  heap_trim(&vm->heap);
  buf_done(&vm->out);
  buf_done(&vm->padded);
  mem_free(vm->members);
  mem_free(vm->faults);
  mem_free(vm->stopped);
  mem_free(vm->guards);
  mem_free(vm->script_root);
  mem_free(vm);
}

void vm_lend(struct vm *vm, bool lenient) {
  vm->memory.is_lenient = lenient;
}

void vm_collect(struct vm *vm) {
  lua_gc(vm->L, LUA_GCCOLLECT);
  heap_trim(&vm->heap);
}

bool vm_collect_some(struct vm *vm) {
  bool is_over = lua_gc(vm->L, LUA_GCSTEP, TIDY_STEP_KB) != 0;
  if (is_over) heap_trim(&vm->heap);
  return is_over;
}
