/* kit: see the header. Main thread. */
#include "script/kit.h"

#include <stdio.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/must.h"
#include "gate/attempt/failure.h"
#include "gate/request.h"
#include "script/adapter_file.h"
#include "script/api/api_request.h"
#include "script/kit_frames.h"
#include "script/load.h"
#include "script/script.h"
#include "script/stdlib/sandbox.h"

enum { KIT_MEMORY_BYTES = 1 << 30 }; /* a test run holds many streams at once; what serves has the usual cap */

/* A program of lua/gw and what it is given. */
struct program {
  struct script *script;
  struct script_files *files; /* the program's own: those of the generation are sealed */
  struct buf *out;
  const char *path; /* of the adapter */
  bool as_json;
  unsigned passed, failed;
};

static char *text_of(const char *text) {
  return mem_text(text, strlen(text));
}

struct config *kit_config(struct adapter *a, const struct slice *models, uint32_t count) {
  struct config *c = config_new();
  struct provider *p = mem_new(struct provider);
  struct route *r = mem_new(struct route);
  if (a == NULL) {
    a = mem_new(struct adapter);
    a->name = text_of("openai-compatible");
    a->dialect = dialect_of(DIALECT_OPENAI_CHAT);
  }
  p->name = text_of("p");
  p->adapter = a;
  p->dialect = a->dialect;
  c->adapters = mem_alloc(sizeof(struct adapter *));
  c->adapters[c->adapter_count++] = a;
  c->providers = mem_alloc(sizeof(struct provider *));
  c->providers[c->provider_count++] = p;
  r->name = text_of("r");
  r->policy = text_of("builtin");
  r->target_count = count;
  r->targets = mem_alloc(count * sizeof(struct target *));
  for (uint32_t i = 0; i < count; i++) r->targets[i] = config_add_target(c, p, models[i]);
  c->routes = mem_alloc(sizeof(struct route *));
  c->routes[c->route_count++] = r;
  return c;
}

/* ---- tools ---- */

/* One call under a hook's limits. */
struct limited {
  struct script_call call; /* first: owner of the run */
  int function;            /* registry reference */
};

static int enter_limited(lua_State *L, void *owner) {
  struct limited *c = owner;
  lua_rawgeti(L, LUA_REGISTRYINDEX, c->function); /* function */
  if (c->call.request == NULL) return 0;
  api_request_push(L, c->call.request); /* function req */
  return 1;
}

enum run_hook kit_check_hook(lua_State *L, int index) {
  const char *name = luaL_checkstring(L, index);
  enum run_hook hook = run_hook_named(name);
  if (hook == RUN_HOOK_COUNT) luaL_error(L, "there is no hook '%s'", name);
  return hook;
}

/* Fills in the request that does not exist from the table at index. Its texts are borrowed from the table. */
static void read_request(lua_State *L, int index, struct request *r) {
  static struct http_head head;
  const struct config *c = script_of(L)->config;
  memset(r->id, 'x', sizeof r->id);
  r->dialect = c->providers[0]->dialect;
  r->head = &head;
  r->route = c->routes[0];
  r->route_name = SLICE("r");
  lua_getfield(L, index, "model"); /* … model */
  r->asked.model.ptr = luaL_optlstring(L, -1, "model-1", &r->asked.model.len);
  lua_getfield(L, index, "body"); /* … model body */
  r->body.ptr = luaL_optlstring(L, -1, "{}", &r->body.len);
  r->body_bytes = r->body.len;
  lua_getfield(L, index, "stream"); /* … model body stream */
  r->asked.stream = lua_toboolean(L, -1);
}

int kit_push_outcome(lua_State *L, enum run_outcome outcome, const struct run_report *report) {
  static const char *const outcomes[] = {
      [RUN_DONE] = "done",
      [RUN_WAITING] = "waiting",
      [RUN_FAILED] = "failed",
      [RUN_KILLED] = "killed",
      [RUN_OUT_OF_MEMORY] = "out of memory",
  };
  lua_pushstring(L, outcomes[outcome]); /* … outcome */
  if (outcome == RUN_DONE || outcome == RUN_WAITING) return 1;
  lua_pushstring(L, report->message); /* … outcome message */
  lua_pushstring(L, report->file);    /* … outcome message file */
  lua_pushinteger(L, report->line);   /* … outcome message file line */
  return 4;
}

static int l_kit_run(lua_State *L) {
  static const struct run_task task = {enter_limited, NULL};
  struct script *script = script_of(L);
  enum run_hook hook = kit_check_hook(L, 1);
  bool has_request = lua_istable(L, 3);
  struct request *request = NULL;
  struct run_report report = {.line = 0};
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 3); /* hook f request */
  if (has_request) {
    request = lua_newuserdatauv(L, sizeof *request, 0); /* hook f request made */
    memset(request, 0, sizeof *request);
    read_request(L, 3, request); /* hook f request made model body stream */
    arena_init(&request->arena);
  }
  lua_pushvalue(L, 2); /* … f */
  struct limited limited = {.function = luaL_ref(L, LUA_REGISTRYINDEX)};
  limited.call =
      (struct script_call){script, script->config->routes[0], has_request ? script_request_of(script, request) : NULL};
  struct run_slot *slot = run_take(script->vm);
  must(slot != NULL);
  enum run_outcome outcome = run_start(slot, hook, &task, &limited, &report);
  run_release(slot);
  script->vm->stop = 0; /* of a call that was killed; what follows here is ours again */
  luaL_unref(L, LUA_REGISTRYINDEX, limited.function);
  if (has_request) {
    script_request_end(script, request);
    arena_done(&request->arena);
  }
  int count = kit_push_outcome(L, outcome, &report); /* … outcome [message file line] */
  if (count == 1) return 1;
  if (report.is_client_fault) lua_pushstring(L, report.field);
  else lua_pushnil(L); /* … outcome message file line field */
  return count + 1;
}

static int l_kit_class(lua_State *L) {
  const struct adapter *a = script_of(L)->config->providers[0]->adapter;
  enum failure_class class = failure_classify((unsigned)luaL_checkinteger(L, 1), luaL_optstring(L, 2, ""),
                                              luaL_optstring(L, 3, ""), a->errors, a->error_count);
  lua_pushstring(L, failure_row(class)->name); /* … class */
  return 1;
}

void kit_push_tools(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"run", l_kit_run}, {"class", l_kit_class}, {"frames", l_kit_frames}, {"uncut", l_kit_uncut}, {NULL, NULL}};
  luaL_newlib(L, functions); /* … tools */
}

/* ---- programs ---- */

/* Pushes what a file of the project returns. Not under a hook's limits: it is ours. */
static void push_module(lua_State *L, const struct program *p, const char *path) {
  struct err e;
  const struct script_file *file = script_files_root(p->files, path, &e);
  if (file == NULL) luaL_error(L, "%s", e.text);
  sandbox_load(L, file->text, file->name, script_files_modules(p->files)); /* … chunk */
  lua_call(L, 0, 1);                                                       /* … module */
}

/* Pushes the list of dialect files, in the order of enum dialect_id. */
static void push_dialects(lua_State *L, const struct script *s) {
  lua_createtable(L, DIALECT_COUNT, 0); /* … list */
  for (int i = 0; i < DIALECT_COUNT; i++) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->dialects[i]); /* … list dialect */
    lua_rawseti(L, -2, i + 1);                         /* … list */
  }
}

static void take_text(lua_State *L, int index, struct buf *out) {
  size_t len;
  const char *text = luaL_checklstring(L, index, &len);
  buf_append(out, text, len);
}

static int l_kit_losses(lua_State *L) {
  struct program *p = lua_touserdata(L, 1);
  push_module(L, p, p->as_json ? "lua/gw/listed.lua" : "lua/gw/losses.lua"); /* p losses */
  lua_getfield(L, -1, p->as_json ? "json" : "markdown");                     /* p losses write */
  push_dialects(L, p->script);                                               /* p losses write dialects */
  lua_call(L, 1, 1);                                                         /* p losses text */
  take_text(L, -1, p->out);
  return 0;
}

static void set_text(lua_State *L, const char *key, struct slice text) {
  lua_pushlstring(L, text.ptr, text.len); /* … table text */
  lua_setfield(L, -2, key);               /* … table */
}

/* Sets the cases of the spec beside the adapter, and its source, in the subject at the top. */
static void set_spec(lua_State *L, const struct program *p) {
  char path[1024];
  struct err e;
  snprintf(path, sizeof path, "%.*s_spec.lua", (int)(strlen(p->path) - strlen(".lua")), p->path);
  if (access(path, R_OK) != 0) return;
  const struct script_file *file = script_files_path(p->files, path, &e);
  if (file == NULL) luaL_error(L, "%s", e.text);
  sandbox_load(L, file->text, file->name, script_files_modules(p->files)); /* … subject chunk */
  lua_call(L, 0, 1);                                                       /* … subject spec */
  if (!lua_istable(L, -1)) luaL_error(L, "%s:1: the file must return a list of cases", file->name);
  lua_setfield(L, -2, "spec"); /* … subject */
  set_text(L, "spec_text", file->text);
}

/* Pushes the adapter's rules for errors. */
static void push_rules(lua_State *L, const struct adapter *a) {
  lua_createtable(L, (int)a->error_count, 0); /* … rules */
  for (uint32_t i = 0; i < a->error_count; i++) {
    const struct failure_rule *rule = &a->errors[i];
    lua_createtable(L, 0, 4); /* … rules rule */
    set_text(L, "class", slice_text(failure_row(rule->class)->name));
    if (rule->name != NULL) set_text(L, "name", slice_text(rule->name));
    if (rule->match != NULL) set_text(L, "match", slice_text(rule->match));
    if (rule->status != 0) {
      lua_pushinteger(L, rule->status); /* … rules rule status */
      lua_setfield(L, -2, "status");    /* … rules rule */
    }
    lua_rawseti(L, -2, (lua_Integer)i + 1); /* … rules */
  }
}

static int l_kit_test(lua_State *L) {
  struct program *p = lua_touserdata(L, 1);
  const struct config *c = p->script->config;
  push_module(L, p, "lua/gw/conformance.lua"); /* p conformance */
  lua_getfield(L, -1, "test");                 /* p conformance test */
  lua_createtable(L, 0, 10);                   /* p conformance test subject */
  struct err e;
  const struct script_file *file = script_files_path(p->files, p->path, &e);
  if (file == NULL) luaL_error(L, "%s", e.text);
  set_text(L, "file", slice_text(p->path));
  set_text(L, "text", file->text);
  set_text(L, "dialect", slice_text(c->providers[0]->dialect->name));
  set_text(L, "model", c->targets[0]->model);
  lua_rawgeti(L, LUA_REGISTRYINDEX, p->script->adapters[0]);
  lua_setfield(L, -2, "adapter");
  push_rules(L, c->providers[0]->adapter);
  lua_setfield(L, -2, "rules");
  push_dialects(L, p->script);
  lua_setfield(L, -2, "dialects");
  kit_push_tools(L);
  lua_setfield(L, -2, "tools");
  set_spec(L, p);
  lua_call(L, 1, 3); /* p conformance passed failed text */
  p->passed = (unsigned)luaL_checkinteger(L, -3);
  p->failed = (unsigned)luaL_checkinteger(L, -2);
  take_text(L, -1, p->out);
  return 0;
}

/* Builds a generation around the adapter and runs the program in its VM. */
static bool run_program(const char *script_root, struct adapter *a, struct sources *sources, lua_CFunction run,
                        struct program *p, struct err *e) {
  struct load_options options = {.script_root = script_root, .sources = sources, .number = 1, .workers = 1};
  struct slice model = a != NULL && a->models != NULL ? slice_text(a->models[0]) : SLICE("model-1");
  struct generation *g = load_generation(kit_config(a, &model, 1), &options, e);
  if (g == NULL) return false;
  p->script = g->scripts[0];
  p->script->vm->memory.max_bytes = KIT_MEMORY_BYTES;
  p->files = script_files_new(script_root, NULL, sources);
  bool fine = vm_call(p->script->vm, run, p, e);
  load_generation_free(g);
  script_files_free(p->files);
  return fine;
}

bool kit_losses(const char *script_root, bool as_json, struct buf *out, struct err *e) {
  struct program p = {.out = out, .as_json = as_json};
  struct sources *sources = sources_new();
  bool fine = run_program(script_root, NULL, sources, l_kit_losses, &p, e);
  sources_unref(sources);
  return fine;
}

bool kit_test(const char *script_root, const char *path, struct buf *out, unsigned *passed, unsigned *failed,
              struct err *e) {
  struct program p = {.out = out, .path = path};
  struct sources *sources = sources_new();
  struct adapter *a = adapter_file_read(script_root, path, sources, e);
  bool fine = a != NULL && run_program(script_root, a, sources, l_kit_test, &p, e);
  sources_unref(sources);
  *passed += p.passed;
  *failed += p.failed;
  return fine;
}
