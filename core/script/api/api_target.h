/* api_target: target handles, gw.pool, gw.target, gw.targets, and gw.refuse. The VM's thread.
 *
 * A handle is a userdata that points to a struct target of the generation's config, which outlives the VM: it is never
 * dead. There is one for each target in a VM, so that handles can be compared and used as keys. */
#ifndef MOONGATE_SCRIPT_API_TARGET_H
#define MOONGATE_SCRIPT_API_TARGET_H

#include "gate/attempt/target.h"
#include "gate/fault.h"
#include "script/vm.h"

struct script;

/* Adds its functions to the gw table at index 1. An opener for vm_new. Throws. */
int api_target_open(lua_State *L);

/* Pushes the handle. Throws. */
void api_target_push(lua_State *L, struct script *s, struct target *t); /* … handle */
/* The target of a handle, or NULL when the value is something else. Does not throw. */
struct target *api_target_at(lua_State *L, int index, const struct script *s);
/* Is the value what gw.refuse gave? Then f is filled. Does not throw. */
bool api_target_refusal(lua_State *L, int index, const struct script *s, struct fault *f);

#endif
