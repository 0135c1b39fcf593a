/* plain: reads Lua files that are data (the config, prices, simulator scenarios) into value trees. Any thread; builds
 * and closes a VM of its own, so not on a worker that serves.
 *
 * The file is ordinary Lua in the sandbox, without gw: `return { … }`, with local variables and functions for whoever
 * needs them. `env "NAME"` and `file "PATH"` give secret references (VALUE_SECRET; an unset variable or unreadable file
 * has no bytes and is told by whoever needs it). Lines come from the source text: each key of a table constructor knows
 * its own. */
#ifndef MOONGATE_SCRIPT_PLAIN_H
#define MOONGATE_SCRIPT_PLAIN_H

#include "base/err.h"
#include "base/value.h"
#include "io/sources.h"

/* NULL on failure: e holds "file:line: reason". */
struct value *plain_load(const char *file, struct sources *sources, struct err *e);
/* The same from text; name is shown in messages. */
struct value *plain_read(struct slice text, const char *name, struct err *e);

#endif
