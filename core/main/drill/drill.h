/* drill: `moongate drill`: failover, tried out. Runs a copy of the user's config against simulated providers, replays
 * scenarios of faults, and prints what clients would have seen. Main thread; its gateway and its providers are child
 * processes on loopback ports of the system's choice. Nothing leaves the machine. */
#ifndef MOONGATE_MAIN_DRILL_H
#define MOONGATE_MAIN_DRILL_H

#include <stdint.h>

struct drill_options {
  const char *config_file, *script_root;
  const char *const *scenarios; /* names of those that ship, or paths; none: all that ship */
  int scenario_count;
  const char *route;    /* only this one; NULL: all */
  const char *rate;     /* requests a second, each route; NULL: 20 */
  const char *patience; /* how long clients wait, as in the config; NULL: 10s */
};

/* Exit status: 0; 1 when clients got errors that a target at another provider would have spared them; 64, 69, 78. */
int drill_run(const struct drill_options *options);

#endif
