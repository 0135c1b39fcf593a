/* script_files: see the header. */
#include "script/script_files.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/must.h"
#include "base/suggest.h"

enum { CANDIDATES_MAX = 256, PATH_MAX_BYTES = 1024 };

/* One that was asked for; kept, because names and texts are borrowed. */
struct entry {
  char *path;   /* where it was read */
  char *name;   /* shown */
  char *module; /* NULL: not required by anybody */
  struct script_file file;
  struct entry *next;
};

struct script_files {
  struct sources *sources;
  char *root, *folder; /* folder: of the config file */
  struct entry *entries;
  struct sandbox_sources modules;
  bool sealed;
};

static char *copy(const char *text) {
  return mem_text(text, strlen(text));
}

static bool find_module(void *owner, const char *module, struct slice *text, const char **name);

struct script_files *script_files_new(const char *script_root, const char *config_file, struct sources *sources) {
  struct script_files *f = mem_new(struct script_files);
  const char *slash = config_file ? strrchr(config_file, '/') : NULL;
  f->sources = sources_ref(sources);
  f->root = copy(script_root);
  f->folder = slash ? mem_text(config_file, (size_t)(slash - config_file)) : copy(".");
  f->modules = (struct sandbox_sources){find_module, f};
  return f;
}

void script_files_free(struct script_files *f) {
  if (f == NULL) return;
  while (f->entries != NULL) {
    struct entry *entry = f->entries;
    f->entries = entry->next;
    mem_free(entry->path);
    mem_free(entry->name);
    mem_free(entry->module);
    mem_free(entry);
  }
  sources_unref(f->sources);
  mem_free(f->root);
  mem_free(f->folder);
  mem_free(f);
}

void script_files_seal(struct script_files *f) {
  f->sealed = true;
}

const struct sandbox_sources *script_files_modules(struct script_files *f) {
  return &f->modules;
}

/* module NULL: a file that is not there for require. */
static const struct script_file *open_file(struct script_files *f, const char *path, const char *name,
                                           const char *module, struct err *e) {
  for (struct entry *entry = f->entries; entry != NULL; entry = entry->next) {
    bool same = module == NULL ? entry->module == NULL : entry->module != NULL && strcmp(entry->module, module) == 0;
    if (same && strcmp(entry->path, path) == 0) return &entry->file;
  }
  must(!f->sealed);
  struct slice text;
  if (!sources_read(f->sources, path, &text, e)) return NULL;
  struct entry *entry = mem_new(struct entry);
  entry->path = copy(path);
  entry->name = copy(name);
  entry->module = module ? copy(module) : NULL;
  entry->file = (struct script_file){entry->name, text};
  entry->next = f->entries;
  f->entries = entry;
  return &entry->file;
}

static bool join(char out[PATH_MAX_BYTES], const char *folder, const char *name, struct err *e) {
  int len = snprintf(out, PATH_MAX_BYTES, "%s/%s", folder, name);
  return len < PATH_MAX_BYTES || err_set(e, "%s: the path is too long", name);
}

const struct script_file *script_files_root(struct script_files *f, const char *path, struct err *e) {
  char full[PATH_MAX_BYTES];
  return join(full, f->root, path, e) ? open_file(f, full, path, NULL, e) : NULL;
}

const struct script_file *script_files_path(struct script_files *f, const char *path, struct err *e) {
  return open_file(f, path, path, NULL, e);
}

/* Replaces e by "there is no policies/wieghted.lua; did you mean 'weighted'?" and what there is. */
static void tell_missing(const struct script_files *f, const char *folder, const char *name, struct err *e) {
  char path[PATH_MAX_BYTES], *names[CANDIDATES_MAX];
  size_t count = 0;
  if (!join(path, f->root, folder, NULL)) return;
  DIR *dir = opendir(path);
  for (struct dirent *at; dir != NULL && count < CANDIDATES_MAX && (at = readdir(dir)) != NULL;) {
    size_t len = strlen(at->d_name);
    if (len > 4 && strcmp(at->d_name + len - 4, ".lua") == 0) names[count++] = mem_text(at->d_name, len - 4);
  }
  if (dir != NULL) closedir(dir);
  const char *near = suggest_nearest(name, (const char *const *)names, count);
  if (near != NULL) err_set(e, "there is no %s/%s.lua; did you mean '%s'?", folder, name, near);
  else
    err_set(e, "there is no %s/%s.lua in %s; a file of your own is named by its path: \"./%s.lua\"", folder, name,
            f->root, name);
  for (size_t i = 0; i < count; i++) mem_free(names[i]);
}

const struct script_file *script_files_named(struct script_files *f, const char *folder, const char *name,
                                             struct err *e) {
  char path[PATH_MAX_BYTES], relative[PATH_MAX_BYTES];
  size_t len = strlen(name), root_len = strlen(f->root);
  bool is_bare = strchr(name, '/') == NULL && !(len > 4 && strcmp(name + len - 4, ".lua") == 0);
  if (is_bare) {
    if (snprintf(relative, sizeof relative, "%s/%s.lua", folder, name) >= (int)sizeof relative) {
      err_set(e, "%s: the name is too long", name);
      return NULL;
    }
    const struct script_file *file = script_files_root(f, relative, e);
    if (file == NULL) tell_missing(f, folder, name, e);
    return file;
  }
  if (*name == '/') {
    if (strncmp(name, f->root, root_len) == 0 && name[root_len] == '/') {
      return script_files_root(f, name + root_len + 1, e);
    }
    return open_file(f, name, name, NULL, e);
  }
  if (strncmp(name, "./", 2) == 0) name += 2;
  return join(path, f->folder, name, e) ? open_file(f, path, name, NULL, e) : NULL;
}

/* "a.b" → "a/b.lua"; false when it is no module's name (nothing may climb out of its folder). */
static bool module_path(const char *module, char out[PATH_MAX_BYTES]) {
  size_t len = strlen(module);
  if (len == 0 || len + 5 > PATH_MAX_BYTES || *module == '.' || module[len - 1] == '.') return false;
  for (size_t i = 0; i < len; i++) {
    char c = module[i];
    bool is_name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (!is_name && !(c == '.' && module[i + 1] != '.')) return false;
    out[i] = c == '.' ? '/' : c;
  }
  memcpy(out + len, ".lua", 5);
  return true;
}

static bool find_module(void *owner, const char *module, struct slice *text, const char **name) {
  struct script_files *f = owner;
  const struct script_file *file = NULL;
  char relative[PATH_MAX_BYTES], path[2 * PATH_MAX_BYTES];
  if (!module_path(module, relative)) return false;
  bool is_own = strncmp(module, "gw.", 3) == 0;
  if (f->sealed) {
    for (struct entry *entry = f->entries; entry != NULL && file == NULL; entry = entry->next)
      if (entry->module != NULL && strcmp(entry->module, module) == 0) file = &entry->file;
  } else {
    struct err unread;
    snprintf(path, sizeof path, "%s/%s%s", is_own ? f->root : f->folder, is_own ? "lua/" : "", relative);
    char *shown = path + (is_own ? strlen(f->root) : strlen(f->folder)) + 1;
    file = open_file(f, path, shown, module, &unread);
  }
  if (file == NULL) return false;
  *text = file->text;
  *name = file->name;
  return true;
}
