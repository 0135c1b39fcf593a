/* config_recover: what a route does when its client leaves, and when an answer breaks off: `disconnect`, `recover`.
 * The loader's thread. */
#ifndef MOONGATE_MAIN_CONFIG_RECOVER_H
#define MOONGATE_MAIN_CONFIG_RECOVER_H

#include <stdbool.h>

#include "base/err.h"
#include "gate/config.h"

/* v: the route's table; name: the config's file, for messages. */
bool config_recover_route(struct route *r, const struct value *v, const char *name, struct err *e);

#endif
