/* api_floats: gw.floats, the two ways in which embeddings travel: a JSON list of numbers, and base64 of little-endian
 * 32-bit floats. Bit-exact both ways: a 32-bit float is told as the shortest number that reads back as that very
 * value. The VM's thread; does not wait. */
#ifndef MOONGATE_SCRIPT_API_FLOATS_H
#define MOONGATE_SCRIPT_API_FLOATS_H

#include "script/vm.h"

/* Adds gw.floats to the gw table at index 1. By vm_new. Throws. */
int api_floats_open(lua_State *L);

#endif
