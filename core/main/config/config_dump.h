/* config_dump: a configuration as `moongate check --dump` shows it: the file's table with secrets as their references,
 * and what is in effect, defaults included, as comments. Pure but for memory. It does NOT check anything. */
#ifndef MOONGATE_MAIN_CONFIG_DUMP_H
#define MOONGATE_MAIN_CONFIG_DUMP_H

#include "base/bytes.h"
#include "gate/config.h"

/* Appends Lua text. */
void config_dump(const struct config *c, struct buf *out);

#endif
