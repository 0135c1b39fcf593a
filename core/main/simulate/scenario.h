/* simulate_scenario: a small Lua file of data that says which faults strike whom and when:
 *
 *     return {
 *       doc = "…", seconds = 4,
 *       phases = { { from = 1, to = 3, share = 0.5, provider = "openai", fault = { status = 503 } } },
 *     }
 *
 * Read once, then read-only; any thread. Time runs from the first request. A phase without `provider` strikes whom the
 * process was told to strike (--strike), or everybody; "all" strikes everybody. It does NOT act: it adds keys to the
 * steer of a request. */
#ifndef MOONGATE_MAIN_SIMULATE_SCENARIO_H
#define MOONGATE_MAIN_SIMULATE_SCENARIO_H

#include "main/simulate/steer.h"

struct sim_phase {
  uint64_t from_ms, to_ms;
  double share;          /* of the requests */
  struct slice provider; /* empty: whoever is to be struck */
  bool everybody;
  struct slice *keys, *values; /* of the fault */
  unsigned count;
};

struct sim_scenario {
  struct slice doc;
  uint64_t seconds_ms; /* until it is over */
  struct sim_phase *phases;
  unsigned count;
};

/* NULL: e holds "file:line: reason". Lives in the arena. */
struct sim_scenario *sim_scenario_read(const char *file, struct arena *arena, struct err *e);
/* Bends *steer by every phase that holds at_ms after the scenario began and strikes steer->provider. strike: --strike's
 * name, may be empty; draw: a number that looks random, the request's own. */
void sim_scenario_bend(const struct sim_scenario *s, uint64_t at_ms, struct slice strike, uint64_t draw,
                       struct sim_steer *steer, struct arena *arena);
/* Whether a phase strikes everybody, whoever --strike names. */
bool sim_scenario_spares_nobody(const struct sim_scenario *s);

#endif
