/* stdlib: the part of Lua's library that scripts get, bounded. The VM's thread.
 *
 * Functions that can only do a little work are Lua's own. The others are ours, because no hook runs inside a C
 * function: a text pattern may backtrack for hours, table.insert may shift 2^60 elements. Ours have a bound, and look
 * at the watchdog's flag in their loops. The table functions work on plain tables (no __index, __newindex, __len).
 *
 * Left out: coroutine, debug, os, io, package, load, loadfile, dofile, loadstring, collectgarbage, rawset, warn,
 * string.dump, string.pack, string.unpack, string.packsize, math.randomseed. Each opener throws. */
#ifndef MOONGATE_SCRIPT_STDLIB_H
#define MOONGATE_SCRIPT_STDLIB_H

#include "script/vm.h"

enum {
  STDLIB_TEXT_MAX_BYTES = 16 << 20, /* of a text made by string.rep */
  STDLIB_UTF8_MAX_BYTES = 4 << 20,  /* of a text read by utf8.len, utf8.offset */
  STDLIB_SPAN_MAX = 1 << 21,        /* elements that one call of a table function may touch */
  STDLIB_UNPACK_MAX = 16384,        /* values from table.unpack, string.byte, utf8.codepoint */
  STDLIB_FORMAT_MAX = 200           /* conversions in one string.format */
};

/* Adds to the table at the top: assert, error, pcall, … */
void stdlib_open_base(lua_State *L);
/* Each pushes a library's table. */
void stdlib_open_string(lua_State *L); /* … string */
void stdlib_open_table(lua_State *L);  /* … table */
void stdlib_open_math(lua_State *L);   /* … math */
void stdlib_open_utf8(lua_State *L);   /* … utf8 */

/* Calls the closure's first upvalue, one of Lua's own functions, with the arguments; as it is, or refusing (text,
 * first, last) ranges that would return too many values. */
int stdlib_call_own(lua_State *L);
int stdlib_call_slice(lua_State *L);

/* Copies the functions named in `names`, ended by NULL, from the table at `from` to the table at the top. */
void stdlib_pick(lua_State *L, int from, const char *const *names);

#endif
