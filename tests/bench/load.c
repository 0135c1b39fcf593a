/* load: a small load generator. One thread, epoll. Closed loop (each of N connections asks again when it has its
 * answer), open loop (a fixed rate; latency counts from when a request should have begun, so a stall is not hidden),
 * streams (events counted), and holding many connections open. HTTP/1.1 to 127.0.0.1, one body for all requests. Prints
 * one line of name=value pairs. Not a client for anything but benchmarks: it trusts the server. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 8192, BATCH = 256 };

enum phase { IDLE, SENDING, HEAD, BODY };

struct connection {
  int fd;
  enum phase phase;
  size_t sent;
  uint64_t due_ns, first_ns; /* when its request should have begun; when its answer's first byte came */
  char head[HEAD_MAX];
  size_t head_len;
  bool chunked, seen_newline;
  uint64_t left; /* of the body, or of the current chunk */
  int chunk_state;
};

/* States of the chunked decoder. */
enum { CHUNK_SIZE, CHUNK_EXT, CHUNK_DATA, CHUNK_CR, CHUNK_LF, CHUNK_LAST };

static struct {
  int port, connections, epoll;
  double seconds, rate;
  bool hold;
  char *request;
  size_t request_len;
} load;

static uint64_t answers, events, failures, bytes_in;
static uint32_t *latencies; /* microseconds */
static size_t latency_count, latency_cap;
static volatile sig_atomic_t stop;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void note_latency(uint64_t ns) {
  if (latency_count == latency_cap) {
    latency_cap = latency_cap ? latency_cap * 2 : 65536;
    latencies = realloc(latencies, latency_cap * sizeof *latencies);
    if (latencies == NULL) die("memory");
  }
  latencies[latency_count++] = (uint32_t)(ns / 1000 > UINT32_MAX ? UINT32_MAX : ns / 1000);
}

static void watch(struct connection *c, uint32_t what, int op) {
  struct epoll_event e = {.events = what, .data.ptr = c};
  if (epoll_ctl(load.epoll, op, c->fd, &e) < 0) die("epoll_ctl");
}

static void open_connection(struct connection *c) {
  memset(c, 0, sizeof *c);
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0) die("socket");
  struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)load.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
  int one = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  watch(c, EPOLLIN, EPOLL_CTL_ADD);
}

static void reopen(struct connection *c) {
  failures++;
  close(c->fd);
  open_connection(c);
}

static void push(struct connection *c) {
  ssize_t n = send(c->fd, load.request + c->sent, load.request_len - c->sent, MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN) {
    reopen(c);
    return;
  }
  if (n > 0) c->sent += (size_t)n;
  bool whole = c->sent == load.request_len;
  if (whole) c->phase = HEAD;
  if (!whole || n < 0) watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
}

static void ask(struct connection *c, uint64_t due_ns) {
  c->phase = SENDING;
  c->sent = c->head_len = 0;
  c->first_ns = 0;
  c->due_ns = due_ns;
  push(c);
}

static void count_events(struct connection *c, const char *bytes, size_t len) {
  for (size_t i = 0; i < len; i++) {
    if (bytes[i] == '\n') {
      if (c->seen_newline) events++;
      c->seen_newline = !c->seen_newline;
    } else if (bytes[i] != '\r') {
      c->seen_newline = false;
    }
  }
}

/* Takes body bytes; true when the answer is complete. */
static bool take_body(struct connection *c, const char *bytes, size_t len) {
  if (!c->chunked) {
    c->left -= len < c->left ? len : c->left;
    return c->left == 0;
  }
  for (size_t i = 0; i < len;) {
    char b = bytes[i];
    switch (c->chunk_state) {
    case CHUNK_SIZE:
      if (b == '\r' || b == ';') c->chunk_state = CHUNK_EXT;
      else c->left = c->left * 16 + (uint64_t)(b <= '9' ? b - '0' : (b | 32) - 'a' + 10);
      i++;
      break;
    case CHUNK_EXT:
      if (b == '\n') c->chunk_state = c->left ? CHUNK_DATA : CHUNK_LAST;
      i++;
      break;
    case CHUNK_DATA: {
      size_t n = len - i < c->left ? len - i : (size_t)c->left;
      count_events(c, bytes + i, n);
      c->left -= n;
      i += n;
      if (c->left == 0) c->chunk_state = CHUNK_CR;
      break;
    }
    case CHUNK_CR:
      c->chunk_state = CHUNK_LF;
      i++;
      break;
    case CHUNK_LF:
      c->chunk_state = CHUNK_SIZE;
      i++;
      break;
    default: /* the empty line behind the last chunk */
      if (b == '\n') return true;
      i++;
    }
  }
  return false;
}

/* Adds to the head; returns how many of the bytes are body, or -1 while the head is incomplete. */
static ssize_t take_head(struct connection *c, const char *bytes, size_t len) {
  size_t room = HEAD_MAX - 1 - c->head_len, n = len < room ? len : room;
  memcpy(c->head + c->head_len, bytes, n);
  size_t before = c->head_len;
  c->head_len += n;
  c->head[c->head_len] = '\0';
  char *end = strstr(c->head, "\r\n\r\n");
  if (end == NULL) return -1;
  size_t head_len = (size_t)(end - c->head) + 4;
  *end = '\0';
  if (strncmp(c->head, "HTTP/1.1 200", 12) != 0) failures++;
  char *length = strcasestr(c->head, "\ncontent-length:");
  c->chunked = length == NULL;
  c->left = length ? strtoull(length + 16, NULL, 10) : 0;
  c->chunk_state = CHUNK_SIZE;
  c->seen_newline = false;
  c->phase = BODY;
  return (ssize_t)(len - (head_len - before));
}

/* The next request of the open loop that is due, or 0. */
static uint64_t scheduled, started_ns;
static uint64_t next_due(uint64_t now) {
  uint64_t due = started_ns + (uint64_t)((double)scheduled * 1e9 / load.rate);
  if (due > now) return 0;
  scheduled++;
  return due;
}

static void answered(struct connection *c) {
  uint64_t now = now_ns();
  answers++;
  c->phase = IDLE;
  note_latency(now - c->due_ns);
  if (stop || load.hold || load.rate > 0) return;
  ask(c, now);
}

static void readable(struct connection *c) {
  static char bytes[262144];
  ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    bool was_busy = c->phase != IDLE;
    uint64_t due = c->due_ns;
    reopen(c);
    if (was_busy && !stop && !load.hold) ask(c, due);
    return;
  }
  bytes_in += (uint64_t)n;
  if (c->first_ns == 0) c->first_ns = now_ns();
  const char *body = bytes;
  size_t len = (size_t)n;
  if (c->phase == HEAD) {
    ssize_t rest = take_head(c, bytes, len);
    if (rest < 0) return;
    body = bytes + (len - (size_t)rest);
    len = (size_t)rest;
    if (!c->chunked && c->left == 0) {
      answered(c);
      return;
    }
  }
  if (c->phase == BODY && take_body(c, body, len)) answered(c);
}

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static uint32_t percentile(double share) {
  if (latency_count == 0) return 0;
  size_t i = (size_t)(share * (double)latency_count);
  return latencies[i < latency_count ? i : latency_count - 1];
}

static void on_signal(int number) {
  (void)number;
  stop = 1;
}

static char *read_file(const char *path, size_t *len) {
  FILE *f = fopen(path, "rb");
  if (f == NULL) die(path);
  char *text = malloc(64 << 20);
  if (text == NULL) die("memory");
  *len = fread(text, 1, 64 << 20, f);
  fclose(f);
  return text;
}

/* Opens the connections `batch` at a time, with a request on each: a listen queue must not overflow. */
static void hold_open(struct connection *all) {
  struct epoll_event ready[BATCH];
  for (int i = 0; i < load.connections && !stop; i++) {
    open_connection(&all[i]);
    ask(&all[i], now_ns());
    if (i % 50 != 49 && i != load.connections - 1) continue;
    uint64_t until = now_ns() + 20000000u;
    while (now_ns() < until) {
      int n = epoll_wait(load.epoll, ready, BATCH, 5);
      for (int k = 0; k < n; k++)
        if (ready[k].events & EPOLLIN) readable(ready[k].data.ptr);
    }
  }
  int waiting = load.connections;
  uint64_t limit = now_ns() + 30000000000u;
  while (waiting > 0 && !stop && now_ns() < limit) {
    waiting = 0;
    for (int i = 0; i < load.connections; i++) waiting += all[i].first_ns == 0;
    int n = epoll_wait(load.epoll, ready, BATCH, 20);
    for (int k = 0; k < n; k++)
      if (ready[k].events & EPOLLIN) readable(ready[k].data.ptr);
  }
  printf("holding=%d without_answer=%d failures=%llu\n", load.connections, waiting, (unsigned long long)failures);
  fflush(stdout);
  uint64_t before = events, from = now_ns();
  while (!stop) {
    int n = epoll_wait(load.epoll, ready, BATCH, 100);
    for (int k = 0; k < n; k++)
      if (ready[k].events & EPOLLIN) readable(ready[k].data.ptr);
  }
  printf("events=%llu seconds=%.3f\n", (unsigned long long)(events - before), (double)(now_ns() - from) / 1e9);
}

static void run(struct connection *all) {
  struct epoll_event ready[BATCH];
  started_ns = now_ns();
  uint64_t end = started_ns + (uint64_t)(load.seconds * 1e9);
  for (int i = 0; i < load.connections; i++) {
    open_connection(&all[i]);
    if (load.rate <= 0) ask(&all[i], now_ns());
  }
  int next = 0;
  while (!stop && now_ns() < end) {
    struct timespec wait = {.tv_nsec = 10000000};
    if (load.rate > 0) {
      uint64_t due;
      for (int tried = 0; tried < load.connections; tried++) {
        struct connection *c = &all[next = (next + 1) % load.connections];
        if (c->phase != IDLE) continue;
        if ((due = next_due(now_ns())) == 0) break;
        ask(c, due);
        tried = 0;
      }
      uint64_t next_ns = started_ns + (uint64_t)((double)scheduled * 1e9 / load.rate), now = now_ns();
      wait.tv_nsec = next_ns <= now ? 0 : next_ns - now < 10000000 ? (long)(next_ns - now) : 10000000;
    }
    int n = epoll_pwait2(load.epoll, ready, BATCH, &wait, NULL);
    for (int k = 0; k < n; k++) {
      struct connection *c = ready[k].data.ptr;
      if (ready[k].events & EPOLLOUT && c->phase == SENDING) {
        watch(c, EPOLLIN, EPOLL_CTL_MOD);
        push(c);
      }
      if (ready[k].events & ~(uint32_t)EPOLLOUT) readable(c);
    }
  }
  double took = (double)(now_ns() - started_ns) / 1e9;
  qsort(latencies, latency_count, sizeof *latencies, by_size);
  printf("requests=%llu failures=%llu seconds=%.4f events=%llu bytes=%llu p50_us=%u p90_us=%u p99_us=%u max_us=%u\n",
         (unsigned long long)answers, (unsigned long long)failures, took, (unsigned long long)events,
         (unsigned long long)bytes_in, percentile(0.50), percentile(0.90), percentile(0.99), percentile(1));
}

int main(int argc, char **argv) {
  const char *path = "/v1/chat/completions", *key = "none", *body_file = NULL;
  load.connections = 1;
  load.seconds = 1;
  for (int i = 1; i < argc; i++) {
    const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
    if (strcmp(name, "--hold") == 0) {
      load.hold = true;
      continue;
    }
    i++;
    if (strcmp(name, "--port") == 0) load.port = atoi(value);
    else if (strcmp(name, "--connections") == 0) load.connections = atoi(value);
    else if (strcmp(name, "--seconds") == 0) load.seconds = strtod(value, NULL);
    else if (strcmp(name, "--rate") == 0) load.rate = strtod(value, NULL);
    else if (strcmp(name, "--path") == 0) path = value;
    else if (strcmp(name, "--key") == 0) key = value;
    else if (strcmp(name, "--body") == 0) body_file = value;
    else {
      fprintf(stderr, "usage: load --port N --body FILE [--connections N] [--seconds S] [--rate PER_SECOND] [--path P] "
                      "[--key K] [--hold]\n");
      return 64;
    }
  }
  if (load.port == 0 || body_file == NULL) return 64;
  size_t body_len;
  char *body = read_file(body_file, &body_len);
  load.request = malloc(body_len + 4096);
  if (load.request == NULL) die("memory");
  /* The 14 headers that OpenAI's Node library sends. */
  int head = snprintf(load.request, 4096,
                      "POST %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nconnection: keep-alive\r\naccept: application/json\r\n"
                      "content-type: application/json\r\nuser-agent: OpenAI/JS 6.0.0\r\nx-stainless-retry-count: 0\r\n"
                      "x-stainless-lang: js\r\nx-stainless-package-version: 6.0.0\r\nx-stainless-os: Linux\r\n"
                      "x-stainless-arch: x64\r\nx-stainless-runtime: node\r\nx-stainless-runtime-version: v20.0.0\r\n"
                      "authorization: Bearer %s\r\ncontent-length: %zu\r\n\r\n",
                      path, load.port, key, body_len);
  memcpy(load.request + head, body, body_len);
  load.request_len = (size_t)head + body_len;
  free(body);
  load.epoll = epoll_create1(0);
  prctl(PR_SET_TIMERSLACK, 1); /* the open loop sleeps until the next request is due, to the microsecond */
  signal(SIGTERM, on_signal);
  signal(SIGINT, on_signal);
  struct connection *all = calloc((size_t)load.connections, sizeof *all);
  if (all == NULL) die("memory");
  if (load.hold) hold_open(all);
  else run(all);
  return 0;
}
