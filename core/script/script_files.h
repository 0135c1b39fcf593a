/* script_files: the script sources of one generation: where a name is found, its text, and the modules that `require`
 * may reach. Filled on the loader's thread while VMs are built, then sealed: read by all workers, changed by none. */
#ifndef MOONGATE_SCRIPT_SCRIPT_FILES_H
#define MOONGATE_SCRIPT_SCRIPT_FILES_H

#include "base/err.h"
#include "io/sources.h"
#include "script/stdlib/sandbox.h"

struct script_files;

/* One script file. Lives as long as the script_files. */
struct script_file {
  const char *name; /* for messages: "policies/cost.lua" below the script root, else as the config names it */
  struct slice text;
};

/* Holds a reference to sources. config_file: what relative names are relative to; NULL: the working directory. */
struct script_files *script_files_new(const char *script_root, const char *config_file, struct sources *sources);
void script_files_free(struct script_files *f); /* NULL is fine */
/* From here on nothing is read any more. */
void script_files_seal(struct script_files *f);

/* A file below the script root ("adapters/dialects/openai_chat.lua"). */
const struct script_file *script_files_root(struct script_files *f, const char *path, struct err *e);
/* What the config names, of a kind ("policies"): a bare name is a file of that folder of the script root, with a
 * did-you-mean; a name with '/' or ".lua" is a path. */
const struct script_file *script_files_named(struct script_files *f, const char *folder, const char *name,
                                             struct err *e);
/* A path that is already relative to the working directory, or absolute. */
const struct script_file *script_files_path(struct script_files *f, const char *path, struct err *e);
/* For `require`: "gw.x" is lua/gw/x.lua of the script root; any other "a.b" is a/b.lua beside the config file. */
const struct sandbox_sources *script_files_modules(struct script_files *f);

#endif
