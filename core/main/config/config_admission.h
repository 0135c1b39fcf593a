/* config_admission: how much may be done at once, from the config's rows to its structs: `limits`, and the
 * `max_in_flight` and `priority` of providers, teams, routes and keys. The loader's thread. It does not enforce them:
 * gate/admission does. */
#ifndef MOONGATE_MAIN_CONFIG_ADMISSION_H
#define MOONGATE_MAIN_CONFIG_ADMISSION_H

#include "base/err.h"
#include "base/value.h"
#include "gate/config.h"

/* Once providers, routes, teams and keys are built. name: the file's, for messages. */
bool config_admission_set(struct config *c, const struct value *tree, const char *name, struct err *e);
/* Of a key or a route, unchecked until config_admission_set. */
uint8_t config_admission_priority(const struct value *in);

#endif
