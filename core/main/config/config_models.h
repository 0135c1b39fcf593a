/* config_models: the catalogue of a config: what is shipped about the models of its adapters, then its own `prices`.
 * The loader's thread. */
#ifndef MOONGATE_MAIN_CONFIG_MODELS_H
#define MOONGATE_MAIN_CONFIG_MODELS_H

#include "base/err.h"
#include "gate/config.h"
#include "io/sources.h"

/* Fills c->catalogue and what c's targets know of their models. tree: the config as read. name: its file, for messages
 * and for paths in it. Its adapters and targets must be there. */
bool config_models_load(struct config *c, const struct value *tree, const char *name, const char *script_root,
                        struct sources *sources, struct err *e);

#endif
