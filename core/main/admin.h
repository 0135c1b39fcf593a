/* admin: the operator's port: /livez, /readyz, /metrics, /status, /reload. Main thread's loop. Everything but the two
 * health paths asks for admin.token when one is set; without one only loopback is served, browsers are kept out by
 * asking for a header that they do not send across sites, and for a Host that is loopback. */
#ifndef MOONGATE_MAIN_ADMIN_H
#define MOONGATE_MAIN_ADMIN_H

#include "main/reload.h"

struct admin {
  struct reloader *reloader;
  struct worker *workers;
  unsigned worker_count;
  struct secret *token; /* owned; NULL: none */
  bool draining;
  int64_t started_wall_ms;
  const char *version;
  struct listener *listener;
};

/* Opens the listener; e on failure. */
bool admin_open(struct admin *a, struct loop *l, const char *address, struct err *e);
void admin_close(struct admin *a);

#endif
