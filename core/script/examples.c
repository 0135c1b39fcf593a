/* examples: runs the examples of the policies (lua/gw/examples.lua) through their real route hooks, with a request made
 * from a table. The loader's thread, on a VM that serves nobody yet. */
#include <stdio.h>

#include "base/must.h"
#include "gate/config.h"
#include "script/run.h"
#include "script/script.h"
#include "script/script_report.h"
#include "script/stdlib/sandbox.h"

struct example {
  struct script_call call; /* first: owner of the run */
  int module;              /* registry reference: lua/gw/examples.lua */
  lua_Integer index;       /* of the example; 0: the next task counts them */
  lua_Integer count;
};

static bool run(struct example *x, enum run_hook hook, const struct run_task *task, struct run_report *report) {
  struct run_slot *slot = run_take(x->call.script->vm);
  *report = (struct run_report){.message = "no memory is left for scripts"};
  if (slot == NULL) return false;
  enum run_outcome outcome = run_start(slot, hook, task, x, report);
  must(outcome != RUN_WAITING);
  run_release(slot);
  return outcome == RUN_DONE;
}

static const struct script_route *route_of(const struct example *x) {
  return &x->call.script->routes[x->call.route->index];
}

static void push_member(lua_State *L, const struct example *x, const char *name) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, x->module); /* … module */
  lua_getfield(L, -1, name);                    /* … module function */
  lua_remove(L, -2);                            /* … function */
}

/* { name, text } of the policy's file. */
static void push_policy(lua_State *L, const struct example *x) {
  const struct script_file *file = route_of(x)->file;
  lua_createtable(L, 0, 2);                           /* … policy */
  lua_pushstring(L, file->name);                      /* … policy name */
  lua_setfield(L, -2, "name");                        /* … policy */
  lua_pushlstring(L, file->text.ptr, file->text.len); /* … policy text */
  lua_setfield(L, -2, "text");                        /* … policy */
}

static void push_example(lua_State *L, const struct example *x) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, route_of(x)->policy); /* … script */
  lua_getfield(L, -1, "examples");                        /* … script examples */
  lua_rawgeti(L, -1, x->index);                           /* … script examples example */
  lua_replace(L, -3);                                     /* … example examples */
  lua_pop(L, 1);                                          /* … example */
}

static int enter_count(lua_State *L, void *owner) {
  const struct example *x = owner;
  lua_rawgeti(L, LUA_REGISTRYINDEX, route_of(x)->policy); /* script */
  lua_getfield(L, -1, "examples");                        /* script examples */
  return -1;
}

static void leave_count(lua_State *L, void *owner) {
  struct example *x = owner;
  x->count = lua_istable(L, 2) ? (lua_Integer)lua_rawlen(L, 2) : 0;
}

static int enter_example(lua_State *L, void *owner) {
  struct example *x = owner;
  lua_rawgeti(L, LUA_REGISTRYINDEX, route_of(x)->route); /* route */
  lua_rawgeti(L, LUA_REGISTRYINDEX, route_of(x)->self);  /* route self */
  push_member(L, x, "request");                          /* route self request */
  vm_push(L, VM_API);                                    /* route self request api */
  push_policy(L, x);                                     /* route self request api policy */
  lua_pushinteger(L, x->index);                          /* route self request api policy index */
  push_example(L, x);                                    /* route self request api policy index example */
  lua_call(L, 4, 1);                                     /* route self req */
  return 2;
}

static void push_names(lua_State *L, struct target *const *targets, uint32_t count) {
  lua_createtable(L, (int)count, 0); /* … names */
  for (uint32_t i = 0; i < count; i++) {
    lua_pushlstring(L, targets[i]->name.ptr, targets[i]->name.len); /* … names name */
    lua_rawseti(L, -2, (lua_Integer)i + 1);                         /* … names */
  }
}

static void leave_example(lua_State *L, void *owner) {
  struct example *x = owner;
  struct choice *choice = &x->call.script->choice;
  const struct route *route = x->call.route;
  choice_read(L, choice, route_of(x)->route);
  luaL_checkstack(L, 12, NULL);
  push_member(L, x, "compare");                  /* … compare */
  push_policy(L, x);                             /* … compare policy */
  lua_pushinteger(L, x->index);                  /* … compare policy index */
  push_example(L, x);                            /* … compare policy index example */
  lua_createtable(L, 0, (int)route->pool_count); /* … compare policy index example pools */
  for (uint32_t i = 0; i < route->pool_count; i++) {
    push_names(L, route->pools[i].targets, route->pools[i].count); /* … pools names */
    lua_setfield(L, -2, route->pools[i].name);                     /* … pools */
  }
  push_names(L, choice->targets, choice->count); /* … compare policy index example pools got */
  if (choice->refused) lua_pushinteger(L, fault_status(&choice->fault));
  else lua_pushnil(L);
  lua_call(L, 6, 0); /* … */
}

static int enter_module(lua_State *L, void *owner) {
  const struct example *x = owner;
  struct err e = {""};
  const struct script_file *file = script_files_root(x->call.script->files, "lua/gw/examples.lua", &e);
  if (file == NULL) return luaL_error(L, "%s", e.text);
  sandbox_load(L, file->text, file->name, NULL); /* chunk */
  return 0;
}

static void leave_module(lua_State *L, void *owner) {
  struct example *x = owner;
  lua_settop(L, 1); /* module */
  x->module = luaL_ref(L, LUA_REGISTRYINDEX);
}

static bool try_route(struct example *x, struct err *e) {
  static const struct run_task counting = {enter_count, leave_count}, trying = {enter_example, leave_example};
  struct run_report report;
  const char *name = route_of(x)->file->name;
  if (!run(x, RUN_LOAD, &counting, &report)) return script_report_tell(&report, name, e);
  for (x->index = 1; x->index <= x->count; x->index++) {
    if (run(x, RUN_ROUTE, &trying, &report)) continue;
    if (strncmp(report.message, "example ", 8) != 0) {
      struct run_report told = report;
      snprintf(told.message, sizeof told.message, "example %lld: %.480s", (long long)x->index, report.message);
      report = told;
    }
    return script_report_tell(&report, name, e);
  }
  return true;
}

bool script_try_examples(struct script *s, struct err *e) {
  static const struct run_task task = {enter_module, leave_module};
  struct example x = {.call = {.script = s}};
  struct run_report report;
  if (!run(&x, RUN_LOAD, &task, &report)) return script_report_tell(&report, "lua/gw/examples.lua", e);
  bool fine = true;
  for (uint32_t i = 0; i < s->config->route_count && fine; i++) {
    x.call.route = s->config->routes[i];
    if (s->routes[i].route != LUA_NOREF) fine = try_route(&x, e);
  }
  script_unref(s, &x.module);
  return fine;
}
