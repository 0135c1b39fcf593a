/* config_health: what the config says of health: the rules of each provider (its own `health` over the top-level one),
 * and the panic threshold. The loader's thread. */
#ifndef MOONGATE_MAIN_CONFIG_HEALTH_H
#define MOONGATE_MAIN_CONFIG_HEALTH_H

#include <stdbool.h>

#include "base/err.h"
#include "gate/config.h"

/* Fills the rules of c's providers, which must be whole, and finds their states. tree: the config as read; name: its
 * file, for messages. */
bool config_health_set(struct config *c, const struct value *tree, const char *name, struct err *e);
/* One line of a dump: the rules of p in effect. */
void config_health_dump(const struct provider *p, struct buf *out);

#endif
