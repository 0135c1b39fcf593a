/* drill_config: the copy of a user's config that a drill runs: the same providers, routes, policies, clocks and health,
 * but every URL is a simulated provider's on this machine, every secret a made-up one, and the ports are free ones.
 * Main thread; reads files. It does NOT contact anybody. */
#ifndef MOONGATE_MAIN_DRILL_CONFIG_H
#define MOONGATE_MAIN_DRILL_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "gate/config.h"
#include "io/sources.h"

struct drill_config {
  const char *file;
  struct sources *sources;
  struct value *tree;    /* as the user wrote it */
  struct config *config; /* of a copy: for names, targets, paths and clocks; its URLs and keys are never used */
};

/* false: e tells, as `moongate check` would. Secrets of the user need not be set. */
bool drill_config_read(struct drill_config *d, const char *file, const char *script_root, struct err *e);
void drill_config_done(struct drill_config *d);
/* The first virtual key that may use the route; its secret in the copy is DRILL_KEY_FORMAT of its index. false: none,
 * or the config has no keys. */
bool drill_config_key(const struct drill_config *d, const char *route, unsigned *index);
#define DRILL_KEY_FORMAT "drill-virtual-key-%06u"
/* Appends the copy as Lua, with all providers at 127.0.0.1:port. */
void drill_config_put(const struct drill_config *d, unsigned port, struct buf *out);

#endif
