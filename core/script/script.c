/* script: builds the VM of one worker: loads every file, checks it, runs setup, and keeps what the hooks will call.
 * Also the pool of request states. */
#include "script/script.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/must.h"
#include "gate/account/meter.h"
#include "gate/request.h"
#include "script/api/api_request.h"
#include "script/api/api_target.h"
#include "script/check.h"
#include "script/fetch.h"
#include "script/run.h"
#include "script/script_report.h"
#include "script/stdlib/sandbox.h"

/* Work on one file: its load, or a setup. */
struct building {
  struct script_call call; /* first: owner of the run */
  const struct script_file *file;
  enum check_kind kind;
  enum dialect_id dialect; /* of a dialect file */
  bool is_checked;
  int script;                  /* registry reference: the file's table */
  const struct value *options; /* given in the config; NULL: none */
  char place[320];             /* where they were given */
  int result;                  /* registry reference that the task leaves */
};

static bool run(struct building *b, enum run_hook hook, const struct run_task *task, struct err *e) {
  struct run_report report;
  struct run_slot *slot = run_take(b->call.script->vm);
  if (slot == NULL) return err_set(e, "no memory is left for scripts");
  enum run_outcome outcome = run_start(slot, hook, task, b, &report);
  must(outcome != RUN_WAITING);
  run_release(slot);
  if (outcome == RUN_DONE) return true;
  script_report_tell(&report, b->file ? b->file->name : "", e);
  return false;
}

/* ---- files ---- */

static int enter_file(lua_State *L, void *owner) {
  struct building *b = owner;
  sandbox_load(L, b->file->text, b->file->name, script_files_modules(b->call.script->files)); /* chunk */
  return 0;
}

static void leave_file(lua_State *L, void *owner) {
  struct building *b = owner;
  lua_settop(L, 1); /* script */
  if (b->is_checked) check_script(L, 1, b->kind, b->file->name, b->file->text);
  else luaL_checktype(L, 1, LUA_TTABLE);
  b->result = luaL_ref(L, LUA_REGISTRYINDEX);
}

static bool load_file(struct building *b, const struct script_file *file, enum check_kind kind, bool is_checked,
                      struct err *e) {
  static const struct run_task task = {enter_file, leave_file};
  b->file = file;
  b->kind = kind;
  b->is_checked = is_checked;
  return run(b, RUN_LOAD, &task, e);
}

/* ---- setup ---- */

/* Pushes plain data of the config. */
static void push_value(lua_State *L, const struct value *v, const char *place) {
  luaL_checkstack(L, 4, NULL);
  switch (v->kind) {
  case VALUE_NIL: lua_pushnil(L); break;
  case VALUE_BOOL: lua_pushboolean(L, v->boolean); break;
  case VALUE_INTEGER: lua_pushinteger(L, v->integer); break;
  case VALUE_NUMBER: lua_pushnumber(L, v->number); break;
  case VALUE_TEXT: lua_pushlstring(L, v->text.ptr, v->text.len); break;
  case VALUE_SECRET:
    luaL_error(L, "%s: scripts are never shown secrets (%s): give it to a provider or to `upstreams`", place,
               v->text.ptr);
    break;
  case VALUE_LIST:
    lua_createtable(L, (int)v->count, 0); /* … list */
    for (uint32_t i = 0; i < v->count; i++) {
      push_value(L, &v->items[i], place);     /* … list value */
      lua_rawseti(L, -2, (lua_Integer)i + 1); /* … list */
    }
    break;
  case VALUE_TABLE:
    lua_createtable(L, 0, (int)v->count); /* … table */
    for (uint32_t i = 0; i < v->count; i++) {
      lua_pushlstring(L, v->fields[i].key.ptr, v->fields[i].key.len); /* … table key */
      push_value(L, &v->fields[i].value, place);                      /* … table key value */
      lua_rawset(L, -3);                                              /* … table */
    }
    break;
  }
}

/* Leaves setup's function and its options, or, without a setup, the options as self. */
static int enter_setup(lua_State *L, void *owner) {
  struct building *b = owner;
  lua_rawgeti(L, LUA_REGISTRYINDEX, b->script);                /* script */
  if (b->options != NULL) push_value(L, b->options, b->place); /* script given */
  else lua_pushnil(L);
  check_options(L, -2, b->options ? lua_gettop(L) : 0, b->place); /* script given options */
  int kind = lua_getfield(L, -3, "setup");                        /* script given options setup? */
  if (kind != LUA_TFUNCTION) {
    lua_pop(L, 1);     /* script given options */
    lua_insert(L, -3); /* options script given */
    lua_pop(L, 2);     /* options */
    return -1;
  }
  lua_insert(L, -2); /* script given setup options */
  return 1;
}

static void leave_setup(lua_State *L, void *owner) {
  struct building *b = owner;
  int top = lua_gettop(L);
  if (top == 0 || !lua_istable(L, -1)) {
    lua_Debug place;
    const char *kind = top == 0 ? "nothing" : luaL_typename(L, -1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, b->script); /* … script */
    lua_getfield(L, -1, "setup");                 /* … script setup */
    lua_getinfo(L, ">S", &place);                 /* … script */
    luaL_error(L, "%s:%d: setup must return a table, which the hooks get as self, not %s", place.short_src,
               place.linedefined, kind);
  }
  b->result = luaL_ref(L, LUA_REGISTRYINDEX);
}

static bool run_setup(struct building *b, const struct value *options, const char *kind, const char *name, int line,
                      struct err *e) {
  static const struct run_task task = {enter_setup, leave_setup};
  const struct config *c = b->call.script->config;
  b->options = options;
  snprintf(b->place, sizeof b->place, "%.160s:%d: %s.%.64s.options", c->file ? c->file : "config",
           options && options->line ? options->line : line, kind, name);
  return run(b, RUN_SETUP, &task, e);
}

/* ---- policies ---- */

/* Keeps the hooks of the file's table. */
static void leave_hooks(lua_State *L, void *owner) {
  struct building *b = owner;
  struct script_route *route = &b->call.script->routes[b->call.route->index];
  lua_settop(L, 1); /* script */
  if (lua_getfield(L, 1, "route") == LUA_TFUNCTION) route->route = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_settop(L, 1); /* script */
  if (lua_getfield(L, 1, "retry") == LUA_TFUNCTION) route->retry = luaL_ref(L, LUA_REGISTRYINDEX);
}

static int enter_hooks(lua_State *L, void *owner) {
  struct building *b = owner;
  lua_rawgeti(L, LUA_REGISTRYINDEX, b->script); /* script */
  return -1;
}

static bool load_policy(struct script *s, struct route *route, struct err *e) {
  static const struct run_task hooks = {enter_hooks, leave_hooks};
  const char *name = route->policy ? route->policy : "builtin";
  struct building b = {.call = {.script = s, .route = route}, .result = LUA_NOREF};
  const struct script_file *file = script_files_named(s->files, "policies", name, e);
  if (file == NULL) {
    return err_before(e, "%s:%d: routes.%s.policy: ", s->config->file ? s->config->file : "config", route->line,
                      route->name);
  }
  struct script_route *out = &s->routes[route->index];
  for (uint32_t i = 0; i < route->index && out->policy == LUA_NOREF; i++)
    if (s->routes[i].file == file) out->policy = s->routes[i].policy;
  if (out->policy == LUA_NOREF) {
    if (!load_file(&b, file, CHECK_POLICY, true, e)) return false;
    out->policy = b.result;
  }
  b.file = out->file = file;
  b.script = out->policy;
  if (!run_setup(&b, route->options, "routes", route->name, route->line, e)) return false;
  out->self = b.result;
  if (!run(&b, RUN_LOAD, &hooks, e)) return false;
  route->has_policy = out->route != LUA_NOREF;
  route->has_retry = out->retry != LUA_NOREF;
  return true;
}

/* ---- adapters and dialects ---- */

/* What lua/gw/translate.lua wants of an adapter. */
static void leave_adapter(lua_State *L, void *owner) {
  static const char *const members[] = {"quirks", "request", "response", "event"};
  struct building *b = owner;
  lua_settop(L, 1);         /* script */
  lua_createtable(L, 0, 5); /* script adapter */
  for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
    lua_getfield(L, 1, members[i]);  /* script adapter member */
    lua_setfield(L, -2, members[i]); /* script adapter */
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, b->result); /* script adapter self */
  lua_setfield(L, -2, "self");                  /* script adapter */
  b->result = luaL_ref(L, LUA_REGISTRYINDEX);
}

static bool load_adapter(struct script *s, const struct provider *p, struct err *e) {
  static const struct run_task pick = {enter_hooks, leave_adapter};
  struct building b = {.call = {.script = s}, .result = LUA_NOREF};
  const char *name = p->adapter->name;
  const struct script_file *file = slice_ends(slice_text(name), SLICE(".lua"))
                                       ? script_files_path(s->files, name, e)
                                       : script_files_named(s->files, "adapters", name, e);
  if (file == NULL) {
    return err_before(e, "%s:%d: providers.%s.adapter: ", s->config->file ? s->config->file : "config", p->line,
                      p->name);
  }
  if (!load_file(&b, file, CHECK_ADAPTER, true, e)) return false;
  b.script = b.result;
  if (!run_setup(&b, p->options, "providers", p->name, p->line, e)) return false;
  if (!run(&b, RUN_LOAD, &pick, e)) return false;
  s->adapters[p->index] = b.result;
  return true;
}

static void leave_dialect(lua_State *L, void *owner) {
  struct building *b = owner;
  lua_settop(L, 1);            /* dialect */
  lua_getfield(L, 1, "texts"); /* dialect texts */
  text_form_read(L, 2, &b->call.script->texts[b->dialect]);
}

static bool load_dialect(struct script *s, enum dialect_id id, struct err *e) {
  static const struct run_task pick = {enter_hooks, leave_dialect};
  char path[128];
  int len = snprintf(path, sizeof path, "adapters/dialects/%s", dialect_of(id)->name);
  char *dot = strchr(path, '.');
  if (dot != NULL) *dot = '_';
  snprintf(path + len, sizeof path - (size_t)len, ".lua");
  struct building b = {.call = {.script = s}, .dialect = id, .result = LUA_NOREF};
  const struct script_file *file = script_files_root(s->files, path, e);
  if (file == NULL || !load_file(&b, file, CHECK_DIALECT, true, e)) return false;
  s->dialects[id] = b.script = b.result;
  return run(&b, RUN_LOAD, &pick, e);
}

/* ---- translate ---- */

static void leave_translate(lua_State *L, void *owner) {
  static const char *const names[TRANSLATE_COUNT] = {
      [TRANSLATE_HOP] = "hop",         [TRANSLATE_REQUEST] = "request", [TRANSLATE_RESPONSE] = "response",
      [TRANSLATE_TEXTS] = "texts",     [TRANSLATE_ERROR] = "error",     [TRANSLATE_STREAM] = "stream",
      [TRANSLATE_RECOVER] = "recover",
  };
  struct building *b = owner;
  lua_settop(L, 1); /* module */
  for (int i = 0; i < TRANSLATE_COUNT; i++) {
    if (lua_getfield(L, 1, names[i]) != LUA_TFUNCTION)
      luaL_error(L, "%s:1: has no function '%s'", b->file->name, names[i]);
    b->call.script->translate[i] = luaL_ref(L, LUA_REGISTRYINDEX); /* module */
  }
}

static bool load_translate(struct script *s, struct err *e) {
  static const struct run_task task = {enter_hooks, leave_translate};
  struct building b = {.call = {.script = s}, .result = LUA_NOREF};
  const struct script_file *file = script_files_root(s->files, "lua/gw/translate.lua", e);
  if (file == NULL || !load_file(&b, file, CHECK_POLICY, false, e)) return false;
  b.script = b.result;
  return run(&b, RUN_LOAD, &task, e);
}

/* ---- the whole ---- */

static void count(void *owner, struct slice name, int64_t by) {
  (void)owner;
  meter_script_count(name, (uint64_t)by);
}

static bool load_all(struct script *s, struct config *c, struct err *e) {
  for (int i = 0; i < DIALECT_COUNT; i++)
    if (!load_dialect(s, (enum dialect_id)i, e)) return false;
  if (!load_translate(s, e)) return false;
  for (uint32_t i = 0; i < c->provider_count; i++)
    if (!load_adapter(s, c->providers[i], e)) return false;
  for (uint32_t i = 0; i < c->route_count; i++)
    if (!load_policy(s, c->routes[i], e)) return false;
  return true;
}

struct script *script_new(struct config *config, struct script_files *files, const char *script_root,
                          uint32_t generation, struct err *e) {
  static const lua_CFunction openers[] = {api_target_open, api_request_open, api_wait_open, NULL};
  struct script *s = mem_new(struct script);
  s->config = config;
  s->files = files;
  s->generation = generation;
  s->routes = mem_zero((config->route_count + 1) * sizeof *s->routes);
  s->adapters = mem_zero((config->provider_count + 1) * sizeof *s->adapters);
  for (uint32_t i = 0; i < config->route_count; i++) {
    s->routes[i] = (struct script_route){LUA_NOREF, LUA_NOREF, LUA_NOREF, LUA_NOREF, NULL};
  }
  struct vm_options options = {.script_root = script_root, .doors = {.owner = s, .count = count}, .openers = openers};
  s->vm = vm_new(&options, e);
  if (s->vm == NULL || !load_all(s, config, e)) {
    script_free(s);
    return NULL;
  }
  vm_collect(s->vm);
  return s;
}

void script_free(struct script *s) {
  if (s == NULL) return;
  text_frames_done(&s->frames, NULL);
  text_split_done(&s->split);
  vm_free(s->vm);
  while (s->spare != NULL) {
    struct script_request *state = s->spare;
    s->spare = state->next;
    mem_free(state);
  }
  mem_free(s->routes);
  mem_free(s->adapters);
  mem_free(s);
}

/* ---- requests ---- */

void script_unref(struct script *s, int *reference) {
  if (*reference != LUA_NOREF) luaL_unref(s->vm->L, LUA_REGISTRYINDEX, *reference);
  *reference = LUA_NOREF;
}

struct script_request *script_request_of(struct script *s, struct request *r) {
  if (r->script_state != NULL) return r->script_state;
  struct script_request *state = s->spare;
  if (state != NULL) {
    s->spare = state->next;
  } else {
    state = mem_new(struct script_request);
    state->body = state->recovery = LUA_NOREF;
  }
  state->call = (struct script_call){s, r->route, state};
  state->r = r;
  state->tool_count = state->message_count = -1;
  r->script_state = state;
  return state;
}

void script_request_drop_body(struct script *s, struct attempt *a) {
  struct script_request *state = a->request->script_state;
  if (a->target->provider->adapter->rewrites_event) api_request_count(state);
  script_unref(s, &state->body);
}

void script_request_end(struct script *s, struct request *r) {
  struct script_request *state = r->script_state;
  if (state == NULL) return;
  r->script_state = NULL;
  wait_end(state);
  if (state->slot != NULL) run_release(state->slot);
  state->slot = NULL;
  script_unref(s, &state->body);
  script_unref(s, &state->recovery);
  state->serial++;
  state->r = NULL;
  state->failed = NULL;
  state->next = s->spare;
  s->spare = state;
}
