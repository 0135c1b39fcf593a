/* hooks: what scripts do for the gate (gate/hooks.h). The worker's thread. */
#ifndef MOONGATE_SCRIPT_HOOKS_H
#define MOONGATE_SCRIPT_HOOKS_H

#include "gate/hooks.h"

extern const struct hooks script_hooks;

#endif
