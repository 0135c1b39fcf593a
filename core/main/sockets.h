/* sockets: the listening sockets of the process: opened by itself, or come with it, from systemd (socket activation:
 * sd_listen_fds(3)) or from the process that it takes over from (main/upgrade.h). Main thread, at start. It does not
 * accept: each worker and the admin port get theirs, and own them. */
#ifndef MOONGATE_MAIN_SOCKETS_H
#define MOONGATE_MAIN_SOCKETS_H

#include <stdbool.h>

#include "base/err.h"

enum { SOCKETS_MAX = 128, SOCKETS_FIRST_FD = 3 };

struct sockets {
  int clients[SOCKETS_MAX]; /* each once, whoever shares it */
  unsigned client_count;
  int admin;     /* -1: not opened yet */
  int ready;     /* where the process that is taken over from waits for a word; -1: there is none */
  bool came;     /* the clients' sockets came with the process */
  bool upgrades; /* they came from a process that is taken over from */
};

/* Takes what came with the process out of its environment. false: what came cannot be used. */
bool sockets_take(struct sockets *s, struct err *e);
/* The sockets of worker number of count in out: at least one, at most SOCKETS_MAX. address: where to open those that
 * are missing, as listener_open's. 0: e tells. */
unsigned sockets_of_worker(struct sockets *s, unsigned number, unsigned count, const char *address, int *out,
                           struct err *e);
/* The admin port's. -1: e tells. */
int sockets_of_admin(struct sockets *s, const char *address, struct err *e);

#endif
