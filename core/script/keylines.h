/* keylines: on which line of a Lua source each key of the returned table constructor stands. Lua's tables do not
 * remember; a message without a line does not help. Reads tokens, runs nothing; any thread. It follows constructors
 * that stand in place: `return { a = { b = 1 } }`; for what was built elsewhere the nearest enclosing key's line is
 * given. */
#ifndef MOONGATE_SCRIPT_KEYLINES_H
#define MOONGATE_SCRIPT_KEYLINES_H

#include "base/bytes.h"

struct keylines;

struct keylines *keylines_new(struct slice text);
void keylines_free(struct keylines *k);
/* path: keys joined by '\x1f', list items by their number from 1 ("routes\x1fcost\x1ftargets\x1f" "2"); "" is the table
 * itself. The line of the longest part of the path that is known. */
int keylines_of(const struct keylines *k, struct slice path);

#endif
