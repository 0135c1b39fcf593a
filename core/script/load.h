/* load: builds a generation: one VM a worker with every policy, adapter and dialect file the config needs, setup run,
 * options and examples checked. On the loader thread; nothing here touches a running generation. */
#ifndef MOONGATE_SCRIPT_LOAD_H
#define MOONGATE_SCRIPT_LOAD_H

#include "base/err.h"
#include "gate/generation.h"
#include "io/sources.h"

struct load_options {
  const char *script_root;
  struct sources *sources; /* every script file is read through it; the generation does not keep it */
  uint32_t number;         /* of the new generation */
  uint32_t workers;        /* how many VMs */
  void (*released)(struct generation *g);
};

/* Takes the config. NULL on failure: e holds "file:line: reason" and the config is freed. Sets has_policy and has_retry
 * of its routes. */
struct generation *load_generation(struct config *config, const struct load_options *options, struct err *e);
/* Closes the VMs, frees the config and g. On the loader thread. */
void load_generation_free(struct generation *g);

/* Once a process: the watchdog; each worker thread enters and leaves. */
bool load_start(struct err *e);
void load_stop(void);
void load_enter_thread(void);
void load_leave_thread(void);
/* The worker's gate, which waiting calls of its script use (timers, fetch). Once per worker and generation, on the
 * worker's thread, before its first request. */
struct gate;
void load_attach(struct script *s, struct gate *g);

/* docs/reference/script-api.md, generated from lua/gw/api.lua. */
bool load_script_reference(const char *script_root, struct buf *out, struct err *e);

#endif
