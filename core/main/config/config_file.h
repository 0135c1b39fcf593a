/* config_file: from a checked value tree to a struct config: resolves secrets, providers, targets, prices, keys, with
 * every fault told as file:line. On the loader thread; reads files. */
#ifndef MOONGATE_MAIN_CONFIG_FILE_H
#define MOONGATE_MAIN_CONFIG_FILE_H

#include "base/err.h"
#include "gate/config.h"
#include "io/sources.h"

/* file NULL: no config file; providers come from the environment (OPENAI_API_KEY, …), in the order of their names. */
struct config *config_file_load(const char *file, const char *script_root, struct sources *sources, struct err *e);
/* The same from a tree in memory (taken), e.g. the demo's. name is shown in messages. */
struct config *config_file_build(struct value *tree, const char *name, const char *script_root, struct sources *sources,
                                 struct err *e);

#endif
