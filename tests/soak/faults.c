/* faults: loaded in front of libc (LD_PRELOAD): lets the N-th call of one function fail, once or from then on. What
 * fails is told by a shared page (FAULTS_PAGE names its file), so that a driver can arm it in a process that runs.
 *
 *     page: { int32 function; int32 error; int32 sticky; int32 spare; int64 countdown; int64 hits; int64 calls; }
 *
 * countdown N > 0: the N-th call fails; 0: none. Any thread. It does NOT keep order between threads. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum function {
  NOTHING,
  MEMORY,
  ACCEPT,
  SOCKET,
  CONNECT,
  RECV,
  READ,
  READV,
  SEND,
  SENDMSG,
  WRITE,
  WRITEV,
  EPOLL_CTL,
  EPOLL_WAIT
};

struct page {
  int32_t function, error, sticky, spare;
  int64_t countdown, hits, calls;
};

static struct page nowhere;
static struct page *page = &nowhere;

__attribute__((constructor)) static void begin(void) {
  const char *file = getenv("FAULTS_PAGE");
  int fd = file != NULL ? open(file, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *at = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (at != MAP_FAILED) page = at;
}

static int fails(enum function f) {
  if (__atomic_load_n(&page->function, __ATOMIC_RELAXED) != (int32_t)f) return 0;
  __atomic_fetch_add(&page->calls, 1, __ATOMIC_RELAXED);
  int64_t left = __atomic_load_n(&page->countdown, __ATOMIC_RELAXED);
  if (left <= 0) return 0;
  if (left > 1 || !page->sticky) left = __atomic_sub_fetch(&page->countdown, 1, __ATOMIC_RELAXED);
  else left = 0;
  if (left != 0) return 0;
  __atomic_fetch_add(&page->hits, 1, __ATOMIC_RELAXED);
  errno = page->error;
  return 1;
}

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

void *malloc(size_t bytes) {
  return fails(MEMORY) ? NULL : __libc_malloc(bytes);
}
void *calloc(size_t count, size_t bytes) {
  return fails(MEMORY) ? NULL : __libc_calloc(count, bytes);
}
void *realloc(void *old, size_t bytes) {
  return fails(MEMORY) ? NULL : __libc_realloc(old, bytes);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CALL(function, type, name, parameters, arguments)                                                              \
  type name parameters {                                                                                               \
    static __typeof__(&name) next;                                                                                     \
    if (next == NULL) next = NEXT(name);                                                                               \
    return fails(function) ? -1 : next arguments;                                                                      \
  }

CALL(ACCEPT, int, accept4, (int s, struct sockaddr *a, socklen_t *n, int f), (s, a, n, f))
CALL(SOCKET, int, socket, (int d, int t, int p), (d, t, p))
CALL(CONNECT, int, connect, (int s, const struct sockaddr *a, socklen_t n), (s, a, n))
CALL(RECV, ssize_t, recv, (int s, void *b, size_t n, int f), (s, b, n, f))
CALL(READ, ssize_t, read, (int s, void *b, size_t n), (s, b, n))
CALL(READV, ssize_t, readv, (int s, const struct iovec *v, int n), (s, v, n))
CALL(SEND, ssize_t, send, (int s, const void *b, size_t n, int f), (s, b, n, f))
CALL(SENDMSG, ssize_t, sendmsg, (int s, const struct msghdr *m, int f), (s, m, f))
CALL(WRITE, ssize_t, write, (int s, const void *b, size_t n), (s, b, n))
CALL(WRITEV, ssize_t, writev, (int s, const struct iovec *v, int n), (s, v, n))
CALL(EPOLL_CTL, int, epoll_ctl, (int e, int o, int s, struct epoll_event *v), (e, o, s, v))
CALL(EPOLL_WAIT, int, epoll_wait, (int e, struct epoll_event *v, int n, int t), (e, v, n, t))
