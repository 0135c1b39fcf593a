/* recovery: the Lua side of gate/attempt/recover.h: the table of lua/gw/recover.lua that knows what a stream has said.
 * It is made with an attempt's stream, is the request's once that stream has broken off, and is then given to the
 * attempts that go on. The worker's thread. Functions with a lua_State throw. */
#ifndef MOONGATE_SCRIPT_RECOVERY_H
#define MOONGATE_SCRIPT_RECOVERY_H

#include "script/translation/hop.h"

/* The stream of the hop at the top is about to be made: makes the hop write through its recovery. */
void recovery_attend(lua_State *L, struct carrying *c); /* … hop */
/* The new hop at the top is of an attempt that goes on: tells it of the request's recovery. */
void recovery_tell(lua_State *L, const struct carrying *c); /* … hop */
/* The attempt's state goes: what its stream has said stays, if the client has read it. */
void recovery_keep(struct script *s, struct attempt *a);
/* hooks.recover */
enum hook_verdict recovery_ask(struct script *s, struct attempt *a);

#endif
