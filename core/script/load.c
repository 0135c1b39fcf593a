/* load: generations, and the parts of the script layer that a process has once. */
#include "script/load.h"

#include "base/memory.h"
#include "base/must.h"
#include "script/hooks.h"
#include "script/script.h"
#include "script/stdlib/sandbox.h"
#include "script/watchdog.h"

struct generation *load_generation(struct config *config, const struct load_options *options, struct err *e) {
  must(options->workers > 0);
  struct generation *g = mem_new(struct generation);
  struct script_files *files = script_files_new(options->script_root, config->file, options->sources);
  g->number = options->number;
  g->config = config;
  g->hooks = &script_hooks;
  g->scripts = mem_zero(options->workers * sizeof *g->scripts);
  g->released = options->released;
  atomic_init(&g->workers_using, options->workers);
  bool fine = true;
  for (uint32_t i = 0; i < options->workers && fine; i++) {
    g->scripts[i] = script_new(config, files, options->script_root, options->number, e);
    fine = g->scripts[i] != NULL;
    if (fine) g->script_count++;
    if (fine && i == 0) fine = script_try_examples(g->scripts[0], e);
  }
  script_files_seal(files);
  if (fine) return g;
  if (g->script_count == 0) script_files_free(files);
  load_generation_free(g);
  return NULL;
}

void load_generation_free(struct generation *g) {
  struct script_files *files = g->script_count > 0 ? g->scripts[0]->files : NULL;
  for (uint32_t i = 0; i < g->script_count; i++) script_free(g->scripts[i]);
  script_files_free(files);
  mem_free(g->scripts);
  config_free(g->config);
  mem_free(g);
}

bool load_start(struct err *e) {
  return watchdog_start(e);
}

void load_stop(void) {
  watchdog_stop();
}

void load_enter_thread(void) {
  watchdog_enter();
}

void load_leave_thread(void) {
  watchdog_leave();
}

void load_attach(struct script *s, struct gate *g) {
  s->gate = g;
}

struct reference {
  struct script_files *files;
  struct buf *out;
};

/* Not under a hook's limits: the file is ours and runs on request of an operator. */
static int l_load_reference(lua_State *L) {
  const struct reference *reference = lua_touserdata(L, 1);
  struct err e;
  const struct script_file *file = script_files_root(reference->files, "lua/gw/reference.lua", &e);
  if (file == NULL) return luaL_error(L, "%s", e.text);
  sandbox_load(L, file->text, file->name, script_files_modules(reference->files)); /* reference chunk */
  lua_call(L, 0, 1);                                                               /* reference module */
  lua_getfield(L, -1, "text");                                                     /* reference module text */
  vm_push(L, VM_API);                                                              /* reference module text api */
  lua_call(L, 1, 1);                                                               /* reference module manual */
  size_t len;
  const char *text = luaL_checklstring(L, -1, &len);
  buf_append(reference->out, text, len);
  return 0;
}

bool load_script_reference(const char *script_root, struct buf *out, struct err *e) {
  struct vm *vm = vm_new(&(struct vm_options){.script_root = script_root}, e);
  if (vm == NULL) return false;
  struct sources *sources = sources_new();
  struct reference reference = {script_files_new(script_root, NULL, sources), out};
  bool fine = vm_call(vm, l_load_reference, &reference, e);
  vm_free(vm);
  script_files_free(reference.files);
  sources_unref(sources);
  return fine;
}
