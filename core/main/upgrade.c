/* upgrade: see the header. */
#include "main/upgrade.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/must.h"

enum { READY_WITHIN_MS = 50000, PASSED_MAX = SOCKETS_MAX + 2 };

static void let_go(struct upgrade *u) {
  event_del(&u->readable);
  timer_clear(&u->late);
  close(u->word);
  u->runs = false;
}

/* It ended, or did not get ready: whatever is left of it goes. */
static void give_up(struct upgrade *u, const char *what) {
  char why[160];
  int status = 0;
  let_go(u);
  kill(u->pid, SIGKILL);
  while (waitpid(u->pid, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(status)) snprintf(why, sizeof why, "%s with status %d; see its messages", what, WEXITSTATUS(status));
  else snprintf(why, sizeof why, "%s", what);
  u->done(u->owner, false, u->pid, why);
}

static void word_came(evutil_socket_t fd, short what, void *owner) {
  struct upgrade *u = owner;
  char word;
  (void)what;
  ssize_t got = read(fd, &word, 1);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    give_up(u, "the new process ended");
    return;
  }
  let_go(u);
  u->done(u->owner, true, u->pid, "");
}

static void late(void *owner) {
  give_up(owner, "the new process did not get ready within 50 s");
}

void upgrade_init(struct upgrade *u, struct loop *l, char **arguments,
                  void (*done)(void *owner, bool ok, pid_t pid, const char *why), void *owner) {
  *u = (struct upgrade){.done = done, .owner = owner, .arguments = arguments, .word = -1};
  /* Now: once the file is replaced, the link says so and no longer where it was. */
  ssize_t len = readlink("/proc/self/exe", u->program, sizeof u->program - 1);
  if (len < 0) u->program[0] = '\0';
  timer_init(&u->late, l, late, u);
}

void upgrade_cancel(struct upgrade *u) {
  if (u->runs) give_up(u, "the process stops");
}

/* The environment with MOONGATE_SOCKETS in it. Returns an array that the caller frees. */
static char **environment_with(char *line) {
  size_t count = 0;
  while (environ[count] != NULL) count++;
  char **all = mem_zero((count + 2) * sizeof *all);
  memcpy(all, environ, count * sizeof *all);
  all[count] = line;
  return all;
}

/* Descriptors 3, 4, … of the new process are those in fds. */
static bool spawn(struct upgrade *u, const int *fds, unsigned count, char **environment) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none;
  int high[PASSED_MAX];
  bool fine = true;
  sigemptyset(&none);
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  for (unsigned i = 0; i < count; i++) {
    /* Out of the way first: one of them may have a number that another gets. */
    high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, SOCKETS_FIRST_FD + (int)count);
    fine = fine && high[i] >= 0 && posix_spawn_file_actions_adddup2(&actions, high[i], SOCKETS_FIRST_FD + (int)i) == 0;
  }
  if (fine) {
    errno = posix_spawn(&u->pid, u->program, &actions, &attributes, u->arguments, environment);
    fine = errno == 0;
  }
  int error = errno;
  for (unsigned i = 0; i < count; i++)
    if (high[i] >= 0) close(high[i]);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  errno = error;
  return fine;
}

bool upgrade_begin(struct upgrade *u, const struct sockets *s, struct err *e) {
  int pipe_ends[2], fds[PASSED_MAX];
  unsigned count = 0;
  char line[64];
  if (u->runs) return err_set(e, "an upgrade runs already");
  if (pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) != 0) return err_set(e, "no pipe: %s", strerror(errno));
  for (unsigned i = 0; i < s->client_count; i++) fds[count++] = s->clients[i];
  fds[count++] = s->admin;
  fds[count++] = pipe_ends[1];
  snprintf(line, sizeof line, "MOONGATE_SOCKETS=%u", s->client_count);
  char **environment = environment_with(line);
  bool fine = spawn(u, fds, count, environment);
  int error = errno;
  mem_free(environment);
  close(pipe_ends[1]);
  if (!fine) {
    close(pipe_ends[0]);
    return err_set(e, "%s cannot be started: %s", u->program, strerror(error));
  }
  u->word = pipe_ends[0];
  u->runs = true;
  must(event_assign(&u->readable, loop_base(u->late.loop), u->word, EV_READ | EV_PERSIST, word_came, u) == 0);
  must(event_add(&u->readable, NULL) == 0);
  timer_set_ms(&u->late, READY_WITHIN_MS);
  return true;
}

void upgrade_say_ready(struct sockets *s) {
  if (s->ready < 0) return;
  ssize_t put = write(s->ready, "1", 1);
  (void)put; /* who does not hear it ends this process */
  close(s->ready);
  s->ready = -1;
}
