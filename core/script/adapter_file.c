/* adapter_file: runs an adapter file in a VM of its own and keeps what it says as data. The loader's thread. */
#include "script/adapter_file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/suggest.h"
#include "gate/signer/signer.h"
#include "script/check.h"
#include "script/plain_table.h"
#include "script/run.h"
#include "script/script_files.h"
#include "script/script_report.h"
#include "script/stdlib/sandbox.h"

struct reading_file {
  struct slice text;
  const char *name;
  const struct sandbox_sources *modules;
  struct value *tree;
  struct err *e;
  bool fine;
};

static int enter(lua_State *L, void *owner) {
  struct reading_file *f = owner;
  sandbox_load(L, f->text, f->name, f->modules); /* chunk */
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
    if (!slice_ends(name, SLICE(".lua"))) continue;
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
  } else if (auth != NULL && auth->kind == VALUE_TEXT && signer_named(auth->text) != NULL) {
    a->signer = signer_named(auth->text);
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

static bool no_dialect(const char *key, int line, const char *file, struct err *e) {
  char names[160];
  size_t at = 0;
  for (enum dialect_id i = 0; i < DIALECT_COUNT; i++)
    at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "", dialect_of(i)->name);
  return err_set(e, "%s:%d: %s must be one of: %s", file, line, key, names);
}

/* A name, or a list of names whose first is the usual one. */
static bool take_dialects(const struct value *v, const char *key, const char *file, const struct dialect **first,
                          uint32_t *all, struct err *e) {
  uint32_t count = v->kind == VALUE_LIST ? v->count : 1;
  *first = NULL;
  *all = 0;
  for (uint32_t i = 0; i < count; i++) {
    const struct value *one = v->kind == VALUE_LIST ? &v->items[i] : v;
    const struct dialect *d = one->kind == VALUE_TEXT ? dialect_named(one->text) : NULL;
    if (d == NULL) break;
    if (*first == NULL) *first = d;
    *all |= 1u << dialect_index(d);
    if (i + 1 == count) return true;
  }
  return no_dialect(key, v->line, file, e);
}

static bool take_dialect_rules(struct adapter *a, const struct value *rules, const char *file, struct err *e) {
  for (uint32_t i = 0; rules != NULL && i < rules->count; i++) {
    const struct value *v = &rules->items[i], *prefix = value_get(v, "prefix"), *dialects = value_get(v, "dialects");
    struct dialect_rule rule;
    if (prefix == NULL || prefix->kind != VALUE_TEXT || dialects == NULL)
      return err_set(e, "%s:%d: model_dialects[%u] must be { prefix = \"…\", dialects = { … } }", file, v->line, i + 1);
    if (!take_dialects(dialects, "model_dialects[].dialects", file, &rule.first, &rule.dialects, e)) return false;
    rule.prefix = mem_text(prefix->text.ptr, prefix->text.len);
    a->dialect_rules = mem_resize(a->dialect_rules, (a->dialect_rule_count + 1) * sizeof *a->dialect_rules);
    a->dialect_rules[a->dialect_rule_count++] = rule;
  }
  return true;
}

static void take_paths(struct adapter *a, const struct value *paths) {
  a->path = copy_text(paths, "chat");
  a->stream_path = copy_text(paths, "chat_stream");
  for (enum dialect_id i = 0; i < DIALECT_COUNT; i++) {
    char stream[64];
    snprintf(stream, sizeof stream, "%s_stream", dialect_of(i)->name);
    a->paths[i] = copy_text(paths, dialect_of(i)->name);
    a->stream_paths[i] = copy_text(paths, stream);
  }
  for (uint32_t i = 0; paths != NULL && paths->kind == VALUE_TABLE && i < paths->count; i++) {
    const struct value_field *field = &paths->fields[i];
    a->other_paths = mem_resize(a->other_paths, (a->other_path_count + 1) * sizeof *a->other_paths);
    a->other_paths[a->other_path_count++] = (struct adapter_path){
        mem_text(field->key.ptr, field->key.len), mem_text(field->value.text.ptr, field->value.text.len)};
  }
}

static struct adapter *take(const struct value *tree, const char *name, const char *file, struct err *e) {
  const struct value *dialect = value_get(tree, "dialect"), *dialects = value_get(tree, "dialects"),
                     *headers = value_get(tree, "headers"), *models = value_get(tree, "models"),
                     *quirks = value_get(tree, "quirks");
  const struct dialect *first;
  uint32_t all;
  if (dialects == NULL) dialects = dialect;
  if (dialects == NULL) {
    no_dialect("dialect", tree->line, file, e);
    return NULL;
  }
  if (!take_dialects(dialects, dialects == dialect ? "dialect" : "dialects", file, &first, &all, e)) return NULL;
  struct adapter *a = mem_new(struct adapter);
  a->name = mem_text(name, strlen(name));
  a->dialect = first;
  a->dialects = all;
  if (!take_dialect_rules(a, value_get(tree, "model_dialects"), file, e)) {
    config_free_adapter(a);
    return NULL;
  }
  a->base_url = copy_text(tree, "base_url");
  a->environment = copy_text(tree, "environment");
  take_paths(a, value_get(tree, "paths"));
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
  a->doc = copy_text(tree, "doc");
  a->catalogue = copy_text(tree, "catalogue");
  const struct value *tells_cost = value_get(tree, "tells_cost");
  a->tells_cost = tells_cost != NULL && tells_cost->boolean;
  const struct value *stream_usage = value_get(quirks, "stream_usage");
  a->stream_usage = (all >> DIALECT_OPENAI_CHAT & 1) && (stream_usage == NULL || stream_usage->boolean);
  const struct value *usage_nulls = value_get(quirks, "usage_nulls");
  a->usage_nulls = usage_nulls != NULL && usage_nulls->boolean;
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

bool adapter_file_is_on(const char *script_root, const char *name, struct sources *sources) {
  static const struct slice key = SLICE_INIT("\n  environment = \"");
  char path[1024], variable[128];
  struct slice text;
  struct err ignored;
  snprintf(path, sizeof path, "%s/adapters/%s.lua", script_root, name);
  if (!sources_read(sources, path, &text, &ignored)) return false;
  ptrdiff_t at = slice_find(text, key);
  if (at < 0) return false;
  struct slice rest = slice_from(text, (size_t)at + key.len);
  ptrdiff_t end = slice_find_byte(rest, '"');
  if (end <= 0 || (size_t)end >= sizeof variable) return false;
  memcpy(variable, rest.ptr, (size_t)end);
  variable[end] = '\0';
  const char *bytes = getenv(variable);
  return bytes != NULL && *bytes;
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
  struct script_files *files = script_files_new(script_root, NULL, sources);
  struct reading_file f = {.text = text,
                           .name = is_path ? path : path + strlen(script_root) + 1,
                           .modules = script_files_modules(files),
                           .tree = value_new(),
                           .e = e};
  static const struct run_task task = {enter, leave};
  struct run_slot *slot = run_take(vm);
  struct run_report report = {0};
  struct adapter *a = NULL;
  if (run_start(slot, RUN_LOAD, &task, &f, &report) != RUN_DONE) script_report_tell(&report, f.name, e);
  else if (f.fine) a = take(f.tree, is_path ? path : name, f.name, e);
  if (a != NULL) a->file = mem_text(path, strlen(path));
  if (a != NULL && !take_errors(a, value_get(f.tree, "errors"), f.name, e)) {
    config_free_adapter(a);
    a = NULL;
  }
  run_release(slot);
  vm_free(vm);
  script_files_free(files);
  value_free(f.tree);
  return a;
}
