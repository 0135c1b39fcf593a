/* plain_table: a Lua table → a value tree. Private to script/. The state's thread. Does not throw but for memory: what
 * it cannot convert it tells in e. */
#ifndef MOONGATE_SCRIPT_PLAIN_TABLE_H
#define MOONGATE_SCRIPT_PLAIN_TABLE_H

#include <lua.h>

#include "base/err.h"
#include "base/value.h"
#include "script/keylines.h"

struct plain_source {
  const char *name; /* for messages */
  const struct keylines *lines;
  bool functions_are_true; /* a function becomes `true` (script files read as data); else it is a fault */
};

/* Fills out, an empty value, from the value at index. */
bool plain_table_read(lua_State *L, int index, const struct plain_source *source, struct value *out, struct err *e);
/* The metatable key of secret references: a table { reference, bytes } with this field in its metatable. */
#define PLAIN_SECRET "moongate.secret"

#endif
