/* choice: what a route or retry hook returned, read into plain C. The VM's thread. */
#ifndef MOONGATE_SCRIPT_CHOICE_H
#define MOONGATE_SCRIPT_CHOICE_H

#include <lua.h>

#include "gate/attempt/target.h"
#include "gate/fault.h"

enum { CHOICE_MAX = 32, CHOICE_DEPTH_MAX = 8 };

struct choice {
  struct target *targets[CHOICE_MAX]; /* in order, lists flattened; further ones are dropped */
  uint16_t count;
  bool given;   /* false: nothing, or only nils, was returned */
  bool refused; /* gw.refuse: fault says no */
  struct fault fault;
};

/* Reads the values at 1..lua_gettop. function: registry reference of the hook that returned them, whose "file:line"
 * begins the error that is thrown when a value is something else. */
void choice_read(lua_State *L, struct choice *out, int function);

#endif
