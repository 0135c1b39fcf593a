/* api_base: gw.log, gw.now_ms, gw.random, gw.id, gw.hash, gw.count and print. The VM's thread; side effects go through
 * the VM's doors. */
#ifndef MOONGATE_SCRIPT_API_BASE_H
#define MOONGATE_SCRIPT_API_BASE_H

#include "script/vm.h"

enum {
  API_BASE_LOG_MAX_BYTES = 2048, /* of one line; longer ones are cut */
  API_BASE_LOG_BURST = 20,       /* lines at once, refilled by … */
  API_BASE_LOG_PER_S = 10
};

/* Adds its functions to the gw table at index 1, and print to the template. By vm_new. Throws. */
int api_base_open(lua_State *L);

#endif
