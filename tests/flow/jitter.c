/* jitter: loaded into every program of a flow run (LD_PRELOAD, see tests/flow/jitter), it takes from the gateway and
 * from the kit what a busy machine takes from them: their turn. It naps at random around the calls by which they wait,
 * connect, accept, read, write and close, and shuffles the sockets that epoll_wait finds ready at once. All threads.
 *
 * It changes when a call returns, and never what it does: a case that fails under it has taken an order for granted
 * that nobody promised, or the gateway has. Environment:
 *
 *     JITTER_GATEWAY, JITTER_KIT  one nap in so many calls, in programs named moongate… and lua…; absent or 0: none
 *     JITTER_SEED                 the same naps at the same calls; what the scheduler adds to them is not repeated */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { SHORT_US = 30000, LONG_US = 300000, LONG_EVERY = 60 };

static uint64_t seed;
static uint64_t one_in; /* calls; 0: never */
static atomic_uint threads;

static uint64_t number(const char *name) {
  const char *text = getenv(name);
  return text ? strtoull(text, NULL, 10) : 0;
}

/* Each program of a run naps in its own way, and in the same way in the next run: its arguments name its case. */
__attribute__((constructor)) static void begin(void) {
  char words[4096];
  int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  ssize_t length = syscall(SYS_read, fd, words, sizeof words);
  syscall(SYS_close, fd);
  seed = UINT64_C(0xcbf29ce484222325) ^ number("JITTER_SEED");
  for (ssize_t i = 0; i < length; i++) seed = (seed ^ (unsigned char)words[i]) * UINT64_C(0x100000001b3);
  if (strncmp(program_invocation_short_name, "moongate", 8) == 0) one_in = number("JITTER_GATEWAY");
  if (strncmp(program_invocation_short_name, "lua", 3) == 0) one_in = number("JITTER_KIT");
}

static uint64_t below(uint64_t limit) { /* xorshift64 */
  static __thread uint64_t state;
  if (state == 0) state = (seed + 1 + atomic_fetch_add(&threads, 1)) * UINT64_C(0x9e3779b97f4a7c15) | 1;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (state >> 11) % limit;
}

static void nap(void) {
  if (one_in == 0 || below(one_in) != 0) return;
  int kept = errno;
  uint64_t us = below(below(LONG_EVERY) == 0 ? LONG_US : SHORT_US);
  nanosleep(&(struct timespec){.tv_nsec = (long)us * 1000}, NULL);
  errno = kept;
}

/* name, as the C library has it, with naps before and after. */
#define AROUND(type, name, parameters, arguments)                                                                      \
  type name parameters {                                                                                               \
    static type(*real) parameters;                                                                                     \
    if (real == NULL) real = (type(*) parameters)dlsym(RTLD_NEXT, #name);                                              \
    nap();                                                                                                             \
    type result = real arguments;                                                                                      \
    nap();                                                                                                             \
    return result;                                                                                                     \
  }

AROUND(int, select, (int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *limit), (n, r, w, x, limit))
AROUND(int, connect, (int fd, const struct sockaddr *to, socklen_t len), (fd, to, len))
AROUND(int, accept, (int fd, struct sockaddr *from, socklen_t *len), (fd, from, len))
AROUND(int, accept4, (int fd, struct sockaddr *from, socklen_t *len, int flags), (fd, from, len, flags))
AROUND(ssize_t, read, (int fd, void *to, size_t most), (fd, to, most))
AROUND(ssize_t, recv, (int fd, void *to, size_t most, int flags), (fd, to, most, flags))
AROUND(ssize_t, write, (int fd, const void *bytes, size_t count), (fd, bytes, count))
AROUND(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
AROUND(ssize_t, send, (int fd, const void *bytes, size_t count, int flags), (fd, bytes, count, flags))
AROUND(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
AROUND(int, shutdown, (int fd, int how), (fd, how))
AROUND(int, close, (int fd), (fd))

int epoll_wait(int fd, struct epoll_event *events, int most, int limit_ms) {
  static int (*real)(int, struct epoll_event *, int, int);
  if (real == NULL) real = (int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait");
  int count = real(fd, events, most, limit_ms);
  nap();
  for (int i = count - 1; one_in != 0 && i > 0; i--) {
    int other = (int)below((uint64_t)i + 1);
    struct epoll_event kept = events[i];
    events[i] = events[other];
    events[other] = kept;
  }
  return count;
}
