/* api_request: the handles that hooks are given: req, and attempt for retry. The VM's thread; what pushes
 * may throw.
 *
 * A handle names a struct script_request and the serial it had: when the request ends the serial moves on, and every
 * field of the handle raises from then on. A reused userdata would instead show a later request to a script that kept
 * it. Credentials of the client are never shown. */
#ifndef MOONGATE_SCRIPT_API_REQUEST_H
#define MOONGATE_SCRIPT_API_REQUEST_H

#include "script/vm.h"

struct attempt;
struct script_request;

/* Makes the metatables. An opener for vm_new. */
int api_request_open(lua_State *L);

void api_request_push(lua_State *L, struct script_request *state);                            /* … req */
void api_request_push_attempt(lua_State *L, struct script_request *state, struct attempt *a); /* … attempt */

/* Counts messages and tools while the body is still there, for hooks that may ask later. Does not throw. */
void api_request_count(struct script_request *state);

#endif
