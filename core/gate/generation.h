/* generation: one loaded set of config and scripts, as the gate sees it. Built, and later freed, on the loader thread
 * by main/ with script/; used by the workers in between. A request finishes on the generation it began with.
 *
 *   loader: build ──▶ post to each worker ──▶ (requests of the old one drain) ──▶ last worker posts back ──▶ free
 */
#ifndef MOONGATE_GATE_GENERATION_H
#define MOONGATE_GATE_GENERATION_H

#include <stdatomic.h>
#include <stdint.h>

#include "gate/config.h"
#include "gate/hooks.h"

struct generation {
  uint32_t number; /* 1, 2, … of this process */
  struct config *config;
  const struct hooks *hooks;
  struct script **scripts; /* one a worker */
  uint32_t script_count;
  atomic_uint workers_using;              /* the worker that brings it to 0 calls released */
  void (*released)(struct generation *g); /* on a worker's thread: post it to the loader */
};

#endif
