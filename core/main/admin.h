/* admin: the operator's port: /livez, /readyz, /metrics, /status, /reload, /upgrade. Main thread's loop. Everything but
 * the two health paths asks for admin.token when one is set; without one only loopback is served, browsers are kept out
 * by asking for a header that they do not send across sites, and for a Host that is loopback. */
#ifndef MOONGATE_MAIN_ADMIN_H
#define MOONGATE_MAIN_ADMIN_H

#include "main/reload.h"

struct admin {
  struct reloader *reloader;
  struct worker *workers;
  unsigned worker_count;
  struct secret *token; /* owned; NULL: none */
  /* Begins an upgrade (main/upgrade.h): done comes once, perhaps at once; pid: of who takes over. */
  void (*upgrade)(void *owner, void (*done)(void *asker, bool ok, pid_t pid, const char *why), void *asker);
  void *owner;
  bool draining;
  int64_t started_wall_ms;
  const char *version;
  struct listener *listener;
};

/* Accepts from this socket, and owns it. */
void admin_open(struct admin *a, struct loop *l, int fd);
/* No new connections: somebody else answers on the port from now on. */
void admin_stop(struct admin *a);
void admin_close(struct admin *a);

#endif
