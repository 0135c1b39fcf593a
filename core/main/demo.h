/* demo: simulated providers for `moongate run --demo`: this same binary as a child process, and the config that uses
 * it. Main thread. */
#ifndef MOONGATE_MAIN_DEMO_H
#define MOONGATE_MAIN_DEMO_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct demo {
  pid_t child; /* 0: none */
  char config_text[2048];
};

bool demo_start(struct demo *d, struct err *e); /* waits until the child listens */
void demo_stop(struct demo *d);

#endif
