/* trace_log: a ring of bytes per worker (one writer, one reader, no lock) and the thread that writes them to the file
 * every few milliseconds. A full ring drops the line and counts it: the disk never slows a request. */
#include "gate/account/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/must.h"
#include "gate/account/meter.h"

enum { RING_BYTES = 1 << 20, PAUSE_MS = 20 };

/* A worker that finds its ring empty begins at the front again: memory is touched as far as one pause fills it. */
struct ring {
  char *bytes; /* RING_BYTES */
  /* Which of the bytes ever written is at the front. The worker's, written only while head == tail: then the writer has
   * left the ring, and looks at it again only behind the next head. */
  uint64_t front;
  _Atomic uint64_t head; /* bytes ever written: the worker's */
  _Atomic uint64_t tail; /* bytes ever read: the writer's */
};

struct trace_log {
  char *file;
  int fd;
  int wake; /* eventfd: something was put into an idle log, or closing */
  unsigned ring_count;
  struct ring *rings;
  _Atomic uint64_t dropped;
  uint64_t failures; /* of writes; the writer's, as is */
  bool cut;          /* the last line in the file has no end */
  atomic_bool closing, reopen, asleep;
  pthread_t thread;
};

static size_t place(const struct ring *r, uint64_t at) {
  return (at - r->front) % RING_BYTES;
}

static bool open_file(struct trace_log *t, struct err *e) {
  int fd =
      strcmp(t->file, "-") == 0 ? dup(STDOUT_FILENO) : open(t->file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (fd < 0) return err_set(e, "trace.file \"%s\" cannot be written: %s", t->file, strerror(errno));
  if (t->fd >= 0) close(t->fd);
  t->fd = fd;
  t->cut = false;
  return true;
}

/* What could not be written is gone, line by line counted: a full disk must not stop the gateway. */
static void lose(struct trace_log *t, const struct ring *r, uint64_t from, uint64_t to) {
  uint64_t lines = 0;
  for (uint64_t at = from; at < to; at++) lines += r->bytes[place(r, at)] == '\n';
  atomic_fetch_add_explicit(&t->dropped, lines, memory_order_relaxed);
  atomic_fetch_add_explicit(&meter_trace_lost, lines, memory_order_relaxed);
  if (t->failures++ % 1000 == 0) log_error("trace", "records are being lost: %s: %s", t->file, strerror(errno));
}

/* Writes what the ring holds; lines stay whole because a ring's content goes out in order. */
static bool drain(struct trace_log *t, struct ring *r) {
  uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire);
  uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
  if (head == tail) return false;
  if (t->cut && write(t->fd, "\n", 1) == 1) t->cut = false;
  while (tail < head) {
    size_t at = place(r, tail), part = (size_t)(head - tail);
    if (part > RING_BYTES - at) part = RING_BYTES - at;
    ssize_t wrote = write(t->fd, r->bytes + at, part);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      lose(t, r, tail, head);
      tail = head;
      break;
    }
    tail += (uint64_t)wrote;
    t->cut = r->bytes[place(r, tail - 1)] != '\n';
  }
  atomic_store_explicit(&r->tail, tail, memory_order_release);
  return true;
}

static void *write_loop(void *argument) {
  struct trace_log *t = argument;
  for (;;) {
    bool closing = atomic_load(&t->closing), any = false;
    if (atomic_exchange(&t->reopen, false)) {
      struct err e;
      if (!open_file(t, &e)) log_error("trace", "%s", e.text);
    }
    for (unsigned i = 0; i < t->ring_count; i++) any |= drain(t, &t->rings[i]);
    if (closing) return NULL;
    if (any) {
      /* Gather what comes meanwhile: one write for many records. */
      poll(NULL, 0, PAUSE_MS);
      continue;
    }
    atomic_store(&t->asleep, true);
    bool late = false;
    for (unsigned i = 0; i < t->ring_count; i++)
      late |= atomic_load(&t->rings[i].head) != atomic_load(&t->rings[i].tail);
    if (!late) {
      struct pollfd wake = {t->wake, POLLIN, 0};
      poll(&wake, 1, -1);
      uint64_t ignored;
      ssize_t got = read(t->wake, &ignored, sizeof ignored);
      (void)got;
    }
    atomic_store(&t->asleep, false);
  }
}

static void wake_up(struct trace_log *t) {
  uint64_t one = 1;
  ssize_t put = write(t->wake, &one, sizeof one);
  (void)put;
}

struct trace_log *trace_log_open(const char *file, unsigned workers, struct err *e) {
  struct trace_log *t = mem_new(struct trace_log);
  t->file = mem_text(file, strlen(file));
  t->fd = -1;
  if (!open_file(t, e)) {
    mem_free(t->file);
    mem_free(t);
    return NULL;
  }
  t->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  must(t->wake >= 0);
  t->ring_count = workers;
  t->rings = mem_zero(workers * sizeof *t->rings);
  for (unsigned i = 0; i < workers; i++) t->rings[i].bytes = mem_alloc(RING_BYTES);
  must(pthread_create(&t->thread, NULL, write_loop, t) == 0);
  return t;
}

void trace_log_close(struct trace_log *t) {
  if (t == NULL) return;
  atomic_store(&t->closing, true);
  wake_up(t);
  pthread_join(t->thread, NULL);
  for (unsigned i = 0; i < t->ring_count; i++) mem_free(t->rings[i].bytes);
  mem_free(t->rings);
  mem_free(t->file);
  close(t->fd);
  close(t->wake);
  mem_free(t);
}

bool trace_log_put(struct trace_log *t, unsigned worker, struct slice line) {
  must(worker < t->ring_count);
  struct ring *r = &t->rings[worker];
  uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed),
           tail = atomic_load_explicit(&r->tail, memory_order_acquire);
  if (line.len > RING_BYTES - (head - tail)) {
    atomic_fetch_add_explicit(&t->dropped, 1, memory_order_relaxed);
    return false;
  }
  if (head == tail) r->front = head;
  size_t at = place(r, head), first = RING_BYTES - at < line.len ? RING_BYTES - at : line.len;
  memcpy(r->bytes + at, line.ptr, first);
  memcpy(r->bytes, line.ptr + first, line.len - first);
  atomic_store(&r->head, head + line.len);
  if (atomic_load(&t->asleep)) wake_up(t);
  return true;
}

uint64_t trace_log_dropped(const struct trace_log *t) {
  return t ? atomic_load(&t->dropped) : 0;
}

void trace_log_reopen(struct trace_log *t) {
  if (t == NULL) return;
  atomic_store(&t->reopen, true);
  wake_up(t);
}
