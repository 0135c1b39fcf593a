/* kit: what the commands for authors of adapters need of the script layer: one adapter loaded as the gateway loads it,
 * with a request that does not exist, and the Lua programs of lua/gw that look at it. Main thread; the thread must have
 * entered the watchdog (load.h).
 *
 * It does NOT serve: nothing here opens a socket. */
#ifndef MOONGATE_SCRIPT_KIT_H
#define MOONGATE_SCRIPT_KIT_H

#include <lua.h>

#include "base/bytes.h"
#include "base/err.h"
#include "gate/config.h"
#include "script/run.h"

/* The chapter of losses, out of the dialect files: Markdown, or every row as JSON. */
bool kit_losses(const char *script_root, bool as_json, struct buf *out, struct err *e);

/* Loads the adapter file at path (ending in ".lua") and runs lua/gw/conformance.lua on it, then the file NAME_spec.lua
 * beside it, where there is one. Appends a line for each failure. False when the adapter could not be loaded: e holds
 * "file:line: reason". */
bool kit_test(const char *script_root, const char *path, struct buf *out, unsigned *passed, unsigned *failed,
              struct err *e);

/* A config with one provider, "p", of that adapter (NULL: one without habits), which is the config's then, and one
 * route, "r", to these models of it. */
struct config *kit_config(struct adapter *a, const struct slice *models, uint32_t count);

/* The hook that the argument at `index` names. Throws. */
enum run_hook kit_check_hook(lua_State *L, int index);

/* Pushes the outcome of a call ("done", "waiting", "failed", "killed", "out of memory") and, where it is one of the
 * last three, message, file and line. Returns how many values. */
int kit_push_outcome(lua_State *L, enum run_outcome outcome, const struct run_report *report);

/* Pushes the table of functions that lua/gw/cases.lua uses beside gw; script_of(L) is a script whose config has a
 * route. Throws.
 *
 *   run(hook, f, request)     calls f(req) under the limits of the hook; request: { model, stream, body } or nil.
 *                             Returns "done", or the outcome, message, file, line and field
 *   frames(framing, bytes, sizes)
 *                             cuts "sse", "json-array" or "aws-events" bytes that come in pieces of these sizes (a
 *                             list; the last one repeats) into { { name, data, raw } … }; nil, message where broken
 *   uncut(framing, bytes)     nil when the events are the same for every cut, else where cutting changes them: after
 *                             how many bytes; 0: byte by byte
 *   class(status, type, message)
 *                             the failure class of an error answer, by the adapter's rules */
void kit_push_tools(lua_State *L); /* … tools */

#endif
