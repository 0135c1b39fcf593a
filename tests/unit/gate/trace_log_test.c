/* trace_log: lines arrive whole and in order, whatever the ring, the disk and the number of threads do. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "check.h"
#include "gate/account/meter.h"
#include "gate/account/trace.h"
#include "wire/recorded.h"

static char path[64];

static struct trace_log *opened(unsigned workers) {
  struct err e = {{0}};
  snprintf(path, sizeof path, "/tmp/trace-log-test-%d", (int)getpid());
  unlink(path);
  struct trace_log *t = trace_log_open(path, workers, &e);
  CHECK_SLICE(slice_text(e.text), "");
  return t;
}

TEST(lines_are_written_and_appended) {
  for (unsigned i = 0; i < 2; i++) {
    struct err e;
    struct trace_log *t = i ? trace_log_open(path, 1, &e) : opened(1);
    CHECK(trace_log_put(t, 0, SLICE("{\"a\":1}\n")));
    CHECK_INT(trace_log_dropped(t), 0);
    trace_log_close(t);
  }
  struct buf file = recorded_file(path);
  CHECK_SLICE(buf_view(&file), "{\"a\":1}\n{\"a\":1}\n");
  buf_done(&file);
  unlink(path);
}

TEST(file_that_cannot_be_written_is_said) {
  struct err e = {{0}};
  CHECK(trace_log_open("/nonexistent/trace", 1, &e) == NULL);
  CHECK(strstr(e.text, "/nonexistent/trace") != NULL);
  trace_log_close(NULL);
  trace_log_reopen(NULL);
  CHECK_INT(trace_log_dropped(NULL), 0);
}

struct writer {
  struct trace_log *log;
  unsigned worker, lines, dropped;
  pthread_t thread;
};

/* Lines of many lengths, so that the ring's end falls everywhere: "W N xxxx\n". */
static void *write_lines(void *argument) {
  struct writer *w = argument;
  char line[2100];
  for (unsigned i = 0; i < w->lines; i++) {
    int len = snprintf(line, sizeof line, "%u %u ", w->worker, i), fill = (int)(i * 37 % 1999);
    memset(line + len, 'x', (size_t)fill);
    line[len + fill] = '\n';
    if (!trace_log_put(w->log, w->worker, slice_of(line, (size_t)(len + fill) + 1))) {
      w->dropped++;
      usleep(20000); /* the writer's turn, however slow the disk */
    } else if (i % 64 == 0) {
      usleep(500);
    }
  }
  return NULL;
}

TEST(four_threads_wrap_their_rings_and_lose_nothing_unseen) {
  struct writer w[4];
  struct trace_log *t = opened(4);
  for (unsigned i = 0; i < 4; i++) {
    w[i] = (struct writer){.log = t, .worker = i, .lines = 4000};
    pthread_create(&w[i].thread, NULL, write_lines, &w[i]);
  }
  unsigned dropped = 0;
  for (unsigned i = 0; i < 4; i++) pthread_join(w[i].thread, NULL), dropped += w[i].dropped;
  CHECK_INT(trace_log_dropped(t), dropped);
  trace_log_close(t);
  struct buf file = recorded_file(path);
  unsigned lines = 0, last[4] = {0};
  bool any[4] = {0};
  for (struct slice rest = buf_view(&file); rest.len > 0; lines++) {
    ptrdiff_t end = slice_find_byte(rest, '\n');
    unsigned worker = 9, number = 0;
    int head = 0;
    CHECK(end > 0 && sscanf(rest.ptr, "%u %u%n", &worker, &number, &head) == 2 && worker < 4);
    if (end <= 0 || worker >= 4) break;
    CHECK(!any[worker] || number > last[worker]);
    any[worker] = true;
    last[worker] = number;
    CHECK_INT(end - head - 1, number * 37 % 1999);
    rest = slice_from(rest, (size_t)end + 1);
  }
  CHECK_INT(lines + dropped, 16000);
  CHECK(lines > 8000);
  buf_done(&file);
  unlink(path);
}

/* The writer hangs on a pipe that nobody reads: the worker goes on, lines are dropped and counted. */
TEST(slow_writer_costs_lines_not_time) {
  struct err e;
  char line[1001];
  snprintf(path, sizeof path, "/tmp/trace-log-test-%d", (int)getpid());
  unlink(path);
  CHECK_INT(mkfifo(path, 0600), 0);
  int reader = open(path, O_RDONLY | O_NONBLOCK);
  struct trace_log *t = trace_log_open(path, 1, &e);
  CHECK(reader >= 0 && t != NULL);
  memset(line, 'y', 999);
  line[999] = '\n';
  unsigned dropped = 0;
  for (unsigned i = 0; i < 4000; i++) dropped += !trace_log_put(t, 0, slice_of(line, 1000));
  CHECK(dropped > 2500 && dropped < 4000);
  CHECK_INT(trace_log_dropped(t), dropped);
  /* Then somebody reads: the rest is whole lines. */
  pthread_t closer;
  pthread_create(&closer, NULL, (void *(*)(void *))(void (*)(void))trace_log_close, t);
  size_t bytes = 0;
  char *got = mem_alloc(65536);
  for (ssize_t n;;) {
    n = read(reader, got, 65536);
    if (n == 0) break;
    if (n < 0) usleep(1000);
    else bytes += (size_t)n;
    if (n > 0 && got[n - 1] != '\n') CHECK(memchr(got, 'y', (size_t)n) != NULL);
  }
  pthread_join(closer, NULL);
  CHECK_INT(bytes, (4000 - dropped) * 1000);
  mem_free(got);
  close(reader);
  unlink(path);
}

/* A full disk: each lost line counts. */
TEST(lines_that_the_disk_refuses_are_counted_each) {
  struct err e;
  struct trace_log *t = trace_log_open("/dev/full", 1, &e);
  for (unsigned i = 0; i < 5; i++) CHECK(trace_log_put(t, 0, SLICE("{}\n{}\n")));
  for (unsigned i = 0; trace_log_dropped(t) < 10 && i < 30000; i++) usleep(1000);
  CHECK_INT(trace_log_dropped(t), 10);
  trace_log_close(t); /* its thread has counted them in both places */
  struct buf text = {0};
  meter_write(&text);
  buf_byte(&text, '\0');
  CHECK(strstr(text.ptr, "\nmoongate_trace_records_dropped_total 10\n") != NULL);
  buf_done(&text);
}

static size_t resident_bytes(void) {
  unsigned long all = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  CHECK(file != NULL && fscanf(file, "%lu %lu", &all, &resident) == 2);
  if (file != NULL) fclose(file);
  return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* Three rings' worth, but never much at once: no more than that of the ring is ever touched. */
TEST(ring_that_was_emptied_is_used_from_its_front) {
  enum { LINE = 60000, LINES = 50 };
  struct trace_log *t = opened(1);
  struct stat there;
  char *line = mem_alloc(LINE);
  memset(line, 'z', LINE - 1);
  line[LINE - 1] = '\n';
  size_t before = 0;
  for (unsigned i = 1; i <= LINES; i++) {
    CHECK(trace_log_put(t, 0, slice_of(line, LINE)));
    for (unsigned k = 0; k < 60000 && (stat(path, &there) != 0 || there.st_size < (off_t)i * LINE); k++) usleep(500);
    usleep(500); /* the writer tells the ring after the file */
    if (i == 2) before = resident_bytes();
  }
  size_t after = resident_bytes();
  CHECK(after < before + 600000);
  if (after >= before + 600000) fprintf(stderr, "grew by %zu bytes\n", after - before);
  trace_log_close(t);
  CHECK(stat(path, &there) == 0 && there.st_size == LINES * LINE);
  mem_free(line);
  unlink(path);
}

TEST(reopen_follows_a_rotated_file) {
  char moved[80];
  struct stat there;
  struct trace_log *t = opened(1);
  CHECK(trace_log_put(t, 0, SLICE("old\n")));
  snprintf(moved, sizeof moved, "%s.1", path);
  for (unsigned i = 0; i < 30000 && (stat(path, &there) != 0 || there.st_size < 4); i++) usleep(1000);
  CHECK_INT(rename(path, moved), 0);
  trace_log_reopen(t);
  for (unsigned i = 0; i < 30000 && stat(path, &there) != 0; i++) usleep(1000);
  CHECK(trace_log_put(t, 0, SLICE("new\n")));
  trace_log_close(t);
  struct buf before = recorded_file(moved), after = recorded_file(path);
  CHECK_SLICE(buf_view(&before), "old\n");
  CHECK_SLICE(buf_view(&after), "new\n");
  buf_done(&before);
  buf_done(&after);
  unlink(path);
  unlink(moved);
}

UNIT_MAIN()
