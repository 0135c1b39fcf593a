/* sandbox: the environment that scripts live in. The VM's thread.
 *
 * Each script file gets its own `_ENV`: an empty, frozen table in front of private copies of the allowed functions, so
 * that nothing one script does to `string` or `gw` reaches another. Reading an unknown global and assigning any global
 * are errors. `require` resolves through the caller's sources only, once per script. Chunks are text; bytecode is
 * refused.
 *
 * It does NOT limit time or memory: run.h and vm.h do. All functions here throw. */
#ifndef MOONGATE_SCRIPT_SANDBOX_H
#define MOONGATE_SCRIPT_SANDBOX_H

#include "script/vm.h"

enum { SANDBOX_TEXT_MAX_BYTES = 1 << 20 };

/* Where `require` finds its text: one generation's files. Must outlive the VM. */
struct sandbox_sources {
  /* module: "gw.translate". Sets the text and its name for messages ("lua/gw/translate.lua"), both borrowed until the
   * VM is closed; false when the generation has no such module. Must not throw. */
  bool (*find)(void *owner, const char *module, struct slice *text, const char **name);
  void *owner;
};

/* Fills the template (VM_TEMPLATE) with the base library and the limited string, table, math and utf8. By vm_new. */
void sandbox_open(lua_State *L);

/* Pushes a fresh environment. sources may be NULL: then `require` finds nothing. */
void sandbox_push_env(lua_State *L, const struct sandbox_sources *sources); /* … env */

/* Pushes the chunk of a script file in a fresh environment, ready to be called. name: its path from the script root,
 * shown in messages. Raises the syntax error ("policies/x.lua:3: …"). */
void sandbox_load(lua_State *L, struct slice text, const char *name,
                  const struct sandbox_sources *sources); /* … chunk */

/* tostring without addresses: as Lua's, but "table" instead of "table: 0x55…". Pushes the string. */
const char *sandbox_tostring(lua_State *L, int index, size_t *len); /* … text */

#endif
