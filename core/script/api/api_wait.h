/* api_wait: the calls that wait: gw.sleep, gw.fetch. The worker's thread.
 *
 *   the script calls ─▶ what it wants is noted in struct wait ─▶ the coroutine yields, run_start gives RUN_WAITING
 *   wait_begin: timer or HTTP call begins ─▶ its end: over(request, give) ─▶ run_resume(…, give): the results
 *
 * All waits of a hook together may last as long as lua/gw/api.lua says; the call that would wait longer raises. Without
 * a request (examples, which run while a generation is loaded) nothing waits: sleep returns at once, fetch gives an
 * error. */
#ifndef MOONGATE_SCRIPT_API_WAIT_H
#define MOONGATE_SCRIPT_API_WAIT_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "io/loop.h"

struct fetch;
struct script_request;

/* What a script waits for, and how long its hook has waited. Zeroed at the hook's start. */
struct wait {
  struct timer timer;
  struct fetch *fetch; /* of gw.fetch; owned; NULL: gw.sleep */
  uint64_t wanted_ns;  /* how long: of the sleep, or the fetch's own timeout */
  uint64_t waited_ns;  /* by waits that are over */
  uint64_t began_ns;
  bool is_limit; /* the timer stands for the hook's limit and not for the call's own */
  void (*over)(struct script_request *state, int (*give)(lua_State *L, void *owner));
};

/* Adds its functions to the gw table at index 1. An opener for vm_new. */
int api_wait_open(lua_State *L);

/* After RUN_WAITING: begins what the script asked for. over is called once, later, unless wait_end comes first; give is
 * for run_resume: it pushes the results of the call that waited, or throws. */
void wait_begin(struct script_request *state,
                void (*over)(struct script_request *state, int (*give)(lua_State *L, void *owner)));
/* Drops timer and HTTP call; nothing is called any more. Safe at any time. */
void wait_end(struct script_request *state);

#endif
