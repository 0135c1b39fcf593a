/* upgrade: the binary that stands where this one was started from takes over: it is started beside this process with
 * the same arguments and the same listening sockets, and says when it serves. Until then, and if it never does, nothing
 * changes here. Main thread; never waits.
 *
 *     this process                          the next
 *     upgrade_begin ── fork, exec ────────▶ starts, reads its config, opens no port
 *        serves both from one backlog       serves
 *     done(true) ◀────── "ready" ────────── sockets.ready
 *     drains, ends
 *
 * It does not drain: who is told does. */
#ifndef MOONGATE_MAIN_UPGRADE_H
#define MOONGATE_MAIN_UPGRADE_H

#include <event2/event_struct.h>
#include <sys/types.h>

#include "io/loop.h"
#include "main/sockets.h"

struct upgrade {
  /* why: in words, with !ok; pid: of the next process. */
  void (*done)(void *owner, bool ok, pid_t pid, const char *why);
  void *owner;
  char program[4096]; /* its path, as it was when this process started */
  char **arguments;
  bool runs;
  pid_t pid;
  int word; /* the reading end of the pipe */
  struct event readable;
  struct timer late;
};

/* arguments: of main; they live as long as the process. */
void upgrade_init(struct upgrade *u, struct loop *l, char **arguments,
                  void (*done)(void *owner, bool ok, pid_t pid, const char *why), void *owner);
/* false: it could not be started, or one runs already; done is not called. */
bool upgrade_begin(struct upgrade *u, const struct sockets *s, struct err *e);
/* Ends the next process, unless it serves already: done(false). */
void upgrade_cancel(struct upgrade *u);
/* The next process's side: it serves. */
void upgrade_say_ready(struct sockets *s);

#endif
