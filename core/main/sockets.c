/* sockets: see the header. Two protocols, one shape: descriptors from SOCKETS_FIRST_FD on. systemd tells their number
 * in LISTEN_FDS and their names in LISTEN_FDNAMES, a predecessor the number of the clients' in MOONGATE_SOCKETS; behind
 * those come the admin port's and the pipe for the word. */
#include "main/sockets.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "io/listen_socket.h"

static bool number_in(const char *name, uint64_t *out) {
  const char *text = getenv(name);
  return text != NULL && slice_to_u64(slice_text(text), out);
}

static bool add(struct sockets *s, int fd, bool is_admin, struct err *e) {
  if (!listen_socket_adopt(fd, e)) return false;
  if (is_admin) s->admin = fd;
  else s->clients[s->client_count++] = fd;
  return true;
}

static bool take_predecessors(struct sockets *s, uint64_t count, struct err *e) {
  int fd = SOCKETS_FIRST_FD;
  if (count == 0 || count > SOCKETS_MAX) return err_set(e, "MOONGATE_SOCKETS says %llu", (unsigned long long)count);
  for (uint64_t i = 0; i < count; i++)
    if (!add(s, fd++, false, e)) return false;
  if (!add(s, fd++, true, e)) return false;
  s->ready = fd;
  s->came = s->upgrades = true;
  return fcntl(s->ready, F_SETFD, FD_CLOEXEC) == 0 || err_set(e, "the pipe to the process before is missing");
}

/* The next of names that are joined by ':'; empty behind the last. */
static struct slice next_name(struct slice *names) {
  ptrdiff_t colon = slice_find_byte(*names, ':');
  struct slice name = colon < 0 ? *names : slice_of(names->ptr, (size_t)colon);
  *names = colon < 0 ? SLICE("") : slice_from(*names, (size_t)colon + 1);
  return name;
}

static bool take_systemds(struct sockets *s, uint64_t count, struct err *e) {
  const char *text = getenv("LISTEN_FDNAMES");
  struct slice names = slice_text(text != NULL ? text : "");
  if (count > SOCKETS_MAX) return err_set(e, "LISTEN_FDS says %llu", (unsigned long long)count);
  for (uint64_t i = 0; i < count; i++) {
    bool is_admin = slice_eq(next_name(&names), SLICE("admin"));
    if (!add(s, SOCKETS_FIRST_FD + (int)i, is_admin, e)) return false;
  }
  s->came = s->client_count > 0;
  return true;
}

bool sockets_take(struct sockets *s, struct err *e) {
  uint64_t count, pid;
  bool fine = true;
  *s = (struct sockets){.admin = -1, .ready = -1};
  if (number_in("MOONGATE_SOCKETS", &count)) fine = take_predecessors(s, count, e);
  else if (number_in("LISTEN_PID", &pid) && pid == (uint64_t)getpid() && number_in("LISTEN_FDS", &count))
    fine = take_systemds(s, count, e);
  /* Nobody whom this process starts is to believe that they are its own. */
  static const char *const names[] = {"MOONGATE_SOCKETS", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) unsetenv(names[i]);
  return fine;
}

unsigned sockets_of_worker(struct sockets *s, unsigned number, unsigned count, const char *address, int *out,
                           struct err *e) {
  unsigned have = 0;
  if (!s->came || (number >= s->client_count && listen_socket_is_shared(s->clients[0]))) {
    char shared[256];
    snprintf(shared, sizeof shared, "%s", address);
    if (s->client_count >
        0) { /* port 0 was a wish for any port, and what came may listen elsewhere than the config says */
      char *port = strrchr(shared, ':');
      snprintf(port, sizeof shared - (size_t)(port - shared), ":%u", listen_socket_port(s->clients[0]));
    }
    int fd = listen_socket_open(shared, true, e);
    if (fd < 0) return 0;
    out[have++] = fd;
    if (s->client_count < SOCKETS_MAX) s->clients[s->client_count++] = fd;
    return have;
  }
  if (number < s->client_count) {
    for (unsigned i = number; i < s->client_count; i += count) out[have++] = s->clients[i];
    return have;
  }
  /* Too few came, and no other can be bound beside them: workers share, and whoever is free accepts. */
  out[have] = fcntl(s->clients[number % s->client_count], F_DUPFD_CLOEXEC, SOCKETS_FIRST_FD);
  if (out[have++] >= 0) return have;
  err_set(e, "the listening socket cannot be shared");
  return 0;
}

int sockets_of_admin(struct sockets *s, const char *address, struct err *e) {
  if (s->admin < 0) s->admin = listen_socket_open(address, false, e);
  return s->admin;
}
