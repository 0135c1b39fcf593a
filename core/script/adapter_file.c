/* adapter_file: runs an adapter file in a VM of its own and keeps what it says as data. The loader's thread. */
#include "script/adapter_file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/suggest.h"
#include "script/check.h"
#include "script/plain_table.h"
#include "script/run.h"
#include "script/sandbox.h"

struct reading_file {
  struct slice text;
  const char *name;
  struct value *tree;
  struct err *e;
  bool fine;
};

static int enter(lua_State *L, void *owner) {
  struct reading_file *f = owner;
  sandbox_load(L, f->text, f->name, NULL); /* chunk */
  return 0;
}

static void leave(lua_State *L, void *owner) {
  struct reading_file *f = owner;
  check_script(L, 1, CHECK_ADAPTER, f->name, f->text);
  struct keylines *lines = keylines_new(f->text);
  struct plain_source source = {.name = f->name, .lines = lines, .functions_are_true = true};
  f->fine = plain_table_read(L, 1, &source, f->tree, f->e);
  keylines_free(lines);
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

char **adapter_file_names(const char *script_root) {
  char path[1024];
  size_t count = 0;
  char **names = mem_zero(sizeof *names);
  snprintf(path, sizeof path, "%s/adapters", script_root);
  DIR *d = opendir(path);
  for (struct dirent *entry; d != NULL && (entry = readdir(d)) != NULL;) {
    struct slice name = slice_text(entry->d_name);
    if (!slice_ends(name, SLICE(".lua")) || slice_eq(name, SLICE("prices.lua"))) continue;
    names = mem_resize(names, (count + 2) * sizeof *names);
    names[count++] = mem_text(name.ptr, name.len - 4);
    names[count] = NULL;
  }
  if (d != NULL) closedir(d);
  qsort(names, count, sizeof *names, by_name);
  return names;
}

static char *copy_text(const struct value *tree, const char *key) {
  const struct value *v = value_get(tree, key);
  return v != NULL && v->kind == VALUE_TEXT ? mem_text(v->text.ptr, v->text.len) : NULL;
}

static void set_auth(struct adapter *a, const struct value *auth) {
  const struct value *header = value_get(auth, "header");
  const char *name = "authorization", *before = "Bearer ";
  if (header != NULL) {
    name = header->text.ptr;
    before = "";
  } else if (auth != NULL && auth->kind == VALUE_TEXT && slice_eq(auth->text, SLICE("none"))) {
    return;
  } else if (auth != NULL && auth->kind == VALUE_TEXT && !slice_eq(auth->text, SLICE("bearer"))) {
    name = auth->text.ptr;
    before = "";
  }
  a->auth_header = mem_text(name, strlen(name));
  a->auth_prefix = mem_text(before, strlen(before));
}

static bool take_errors(struct adapter *a, const struct value *errors, const char *file, struct err *e) {
  for (uint32_t i = 0; errors != NULL && i < errors->count; i++) {
    const struct value *v = &errors->items[i], *status = value_get(v, "status"), *name = value_get(v, "class");
    enum failure_class class = failure_named(name->text);
    if (class == FAILURE_NONE) {
      const char *known[FAILURE_COUNT];
      for (enum failure_class c = FAILURE_NONE; c < FAILURE_COUNT; c++) known[c] = failure_row(c)->name;
      const char *near = suggest_nearest(name->text.ptr, known, FAILURE_COUNT);
      return err_set(e, "%s:%d: errors[%u].class \"%s\" is no failure class%s%s%s", file, name->line, i + 1,
                     name->text.ptr, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    a->errors = mem_resize(a->errors, (a->error_count + 1) * sizeof *a->errors);
    a->errors[a->error_count++] =
        (struct failure_rule){.status = status ? (uint16_t)status->integer : 0,
                              .name = value_get(v, "code") ? copy_text(v, "code") : copy_text(v, "type"),
                              .match = copy_text(v, "match"),
                              .class = class};
  }
  return true;
}

static struct adapter *take(const struct value *tree, const char *name, const char *file, struct err *e) {
  const struct value *dialect = value_get(tree, "dialect"), *headers = value_get(tree, "headers"),
                     *models = value_get(tree, "models"), *paths = value_get(tree, "paths"),
                     *quirks = value_get(tree, "quirks");
  const struct dialect *d = dialect ? dialect_named(dialect->text) : NULL;
  if (d == NULL) {
    err_set(e, "%s:%d: dialect must be one of: openai.chat, anthropic.messages", file,
            dialect ? dialect->line : tree->line);
    return NULL;
  }
  struct adapter *a = mem_new(struct adapter);
  a->name = mem_text(name, strlen(name));
  a->dialect = d;
  a->base_url = copy_text(tree, "base_url");
  a->environment = copy_text(tree, "environment");
  a->path = copy_text(paths, "chat");
  set_auth(a, value_get(tree, "auth"));
  struct buf lines = {0};
  for (uint32_t i = 0; headers != NULL && i < headers->count; i++)
    buf_fill(&lines, "%s: %s\r\n", headers->fields[i].key.ptr, headers->fields[i].value.text.ptr);
  a->headers = mem_text(lines.ptr, lines.len);
  buf_done(&lines);
  if (models != NULL && models->kind == VALUE_LIST) {
    a->models = mem_zero((models->count + 1) * sizeof *a->models);
    for (uint32_t i = 0; i < models->count; i++)
      a->models[i] = mem_text(models->items[i].text.ptr, models->items[i].text.len);
  }
  a->rewrites_request = value_get(tree, "request") != NULL;
  a->rewrites_response = value_get(tree, "response") != NULL;
  a->rewrites_event = value_get(tree, "event") != NULL;
  const struct value *stream_usage = value_get(quirks, "stream_usage");
  a->stream_usage = d == &dialect_openai_chat && (stream_usage == NULL || stream_usage->boolean);
  return a;
}

static void unknown(const char *script_root, const char *name, struct err *e) {
  char **names = adapter_file_names(script_root), list[512] = "";
  size_t count = 0, at = 0;
  for (; names[count] != NULL; count++)
    if (at < sizeof list - 64)
      at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", count ? ", " : "", names[count]);
  const char *near = suggest_nearest(name, (const char *const *)names, count);
  if (near != NULL) err_set(e, "there is no adapter \"%s\"; did you mean \"%s\"?", name, near);
  else
    err_set(
        e,
        "there is no adapter \"%s\"\n  known: %s; any other OpenAI-compatible server: adapter = \"openai-compatible\"",
        name, list);
  for (size_t i = 0; i < count; i++) mem_free(names[i]);
  mem_free(names);
}

struct adapter *adapter_file_read(const char *script_root, const char *name, struct sources *sources, struct err *e) {
  char path[1024];
  bool is_path = slice_ends(slice_text(name), SLICE(".lua"));
  struct slice text;
  struct err reason;
  if (is_path) snprintf(path, sizeof path, "%s", name);
  else snprintf(path, sizeof path, "%s/adapters/%s.lua", script_root, name);
  if (strchr(name, '/') != NULL && !is_path) {
    err_set(e, "there is no adapter \"%s\": a path ends in .lua", name);
    return NULL;
  }
  if (!sources_read(sources, path, &text, &reason)) {
    if (is_path) err_set(e, "%s", reason.text);
    else unknown(script_root, name, e);
    return NULL;
  }
  struct vm_options options = {.script_root = script_root};
  struct vm *vm = vm_new(&options, e);
  if (vm == NULL) return NULL;
  struct reading_file f = {
      .text = text, .name = is_path ? path : path + strlen(script_root) + 1, .tree = value_new(), .e = e};
  static const struct run_task task = {enter, leave};
  struct run_slot *slot = run_take(vm);
  struct run_report report = {0};
  struct adapter *a = NULL;
  if (run_start(slot, RUN_LOAD, &task, &f, &report) != RUN_DONE) err_set(e, "%s", report.message);
  else if (f.fine) a = take(f.tree, is_path ? path : name, f.name, e);
  if (a != NULL) a->file = mem_text(path, strlen(path));
  if (a != NULL && !take_errors(a, value_get(f.tree, "errors"), f.name, e)) {
    config_free_adapter(a);
    a = NULL;
  }
  run_release(slot);
  vm_free(vm);
  value_free(f.tree);
  return a;
}
