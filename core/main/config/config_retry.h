/* config_retry: what the config says of deadlines and retries: `timeouts` of the process, a provider, its models and a
 * route; a route's `retry` and `hedge`; `retry_budget`. The loader's thread. */
#ifndef MOONGATE_MAIN_CONFIG_RETRY_H
#define MOONGATE_MAIN_CONFIG_RETRY_H

#include <stdbool.h>

#include "base/err.h"
#include "gate/config.h"

/* p's own timeouts over the process's, its models', and how long its connections may take at most. v: its table; tree:
 * the whole config. */
void config_retry_provider(struct provider *p, const struct value *v, const struct value *tree);
/* r's timeouts, retry and hedge. v: its table; name: the config's file, for messages. */
bool config_retry_route(struct route *r, const struct value *v, const char *name, struct err *e);
/* The process's retry budget. */
bool config_retry_budget(struct config *c, const struct value *tree, const char *name, struct err *e);

#endif
