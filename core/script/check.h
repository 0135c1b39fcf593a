/* check: is what a script file returned a policy, an adapter, a dialect? The VM's thread; rules in lua/gw/check.lua.
 *
 * All functions throw with "file:line: …" and a did-you-mean; call them from enter or leave of a run (run.h). They do
 * NOT call the script's functions. */
#ifndef MOONGATE_SCRIPT_CHECK_H
#define MOONGATE_SCRIPT_CHECK_H

#include "base/bytes.h"
#include "script/vm.h"

enum check_kind { CHECK_POLICY, CHECK_ADAPTER, CHECK_DIALECT };

/* Checks the value at index as a script of this kind: a table with api = 1, known keys, right types, a sound options
 * schema. text: the file's source, where the line of a wrong key is looked up. */
void check_script(lua_State *L, int index, enum check_kind kind, const char *name, struct slice text);

/* Pushes the options for setup: those given (a table at index `given`, or 0 for none) checked against the script's
 * declared ones, defaults filled in. place: where they were given, for messages ("moongate.lua:12:
 * routes.cost.options"). */
void check_options(lua_State *L, int script, int given, const char *place); /* … options */

/* Keeps lua/gw/check.lua, the table at the top, as VM_CHECK and pops it. By vm_new. */
void check_open(lua_State *L);

#endif
