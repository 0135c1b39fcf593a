/* mock: a provider for the gate's tests: a loopback listener whose connections each run a script function on a thread
 * of their own, with raw bytes. It keeps the last request and notes when the other side closed. */
#ifndef MOONGATE_TESTS_GATE_MOCK_H
#define MOONGATE_TESTS_GATE_MOCK_H

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/must.h"

enum { MOCK_PEERS = 64 };

struct mock;

/* One accepted connection. */
struct mock_peer {
  struct mock *mock;
  int fd;
  unsigned number; /* of the connection, from 0 */
  struct buf in;
  size_t request_bytes;
  pthread_t thread;
};

struct mock {
  int fd;
  uint16_t port;
  void (*serve)(struct mock_peer *p);
  const void *_Atomic script; /* the test's own */
  atomic_uint connections, requests;
  atomic_uint_fast64_t closed_ns; /* when mock_saw_close last did */
  atomic_uint_fast64_t sent;      /* how far a flood came */
  pthread_t thread;
  pthread_mutex_t lock;
  struct mock_peer peers[MOCK_PEERS];
  struct buf last; /* the latest request, whole; mock_last reads it */
};

static inline bool mock_send(struct mock_peer *p, const char *bytes, size_t len) {
  while (len > 0) {
    ssize_t sent = send(p->fd, bytes, len, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    len -= (size_t)sent;
  }
  return true;
}

static inline bool mock_say(struct mock_peer *p, const char *text) {
  return mock_send(p, text, strlen(text));
}

/* Reads one request with its body by Content-Length; false at the end of the connection. */
static inline bool mock_request(struct mock_peer *p) {
  buf_drop_front(&p->in, p->request_bytes);
  p->request_bytes = 0;
  for (;;) {
    ptrdiff_t head = slice_find(buf_view(&p->in), SLICE("\r\n\r\n"));
    if (head >= 0) {
      ptrdiff_t length = slice_find(buf_view(&p->in), SLICE("\r\ncontent-length: "));
      size_t all = (size_t)head + 4 + (length > 0 ? strtoull(p->in.ptr + length + 18, NULL, 10) : 0);
      if (p->in.len >= all) {
        p->request_bytes = all;
        pthread_mutex_lock(&p->mock->lock);
        p->mock->last.len = 0;
        buf_append(&p->mock->last, p->in.ptr, all);
        pthread_mutex_unlock(&p->mock->lock);
        atomic_fetch_add(&p->mock->requests, 1);
        return true;
      }
    }
    ssize_t got = recv(p->fd, buf_reserve(&p->in, 65536), 65536, 0);
    if (got <= 0) return false;
    p->in.len += (size_t)got;
  }
}

/* The latest request, when it has been answered. The lock orders the read behind the connection's thread. */
static inline const struct buf *mock_last(struct mock *m) {
  pthread_mutex_lock(&m->lock);
  pthread_mutex_unlock(&m->lock);
  return &m->last;
}

static inline struct slice mock_body_of(const struct buf *request) {
  ptrdiff_t head = slice_find(buf_view(request), SLICE("\r\n\r\n"));
  return head < 0 ? SLICE("") : slice_from(buf_view(request), (size_t)head + 4);
}

/* Waits until the other side closes, dropping what it sends; notes when. */
static inline void mock_saw_close(struct mock_peer *p) {
  char drop[4096];
  while (recv(p->fd, drop, sizeof drop, 0) > 0) {}
  atomic_store(&p->mock->closed_ns, clock_ns());
}

static inline void mock_reset(struct mock_peer *p) {
  setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
}

static void *mock_peer_run(void *argument) {
  struct mock_peer *p = argument;
  p->mock->serve(p);
  buf_done(&p->in);
  pthread_mutex_lock(&p->mock->lock);
  int fd = p->fd;
  p->fd = -1;
  close(fd);
  pthread_mutex_unlock(&p->mock->lock);
  return NULL;
}

static void *mock_run(void *argument) {
  struct mock *m = argument;
  int fd;
  while ((fd = accept(m->fd, NULL, NULL)) >= 0) {
    unsigned number = atomic_load(&m->connections);
    must(number < MOCK_PEERS);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    m->peers[number] = (struct mock_peer){.mock = m, .fd = fd, .number = number};
    atomic_fetch_add(&m->connections, 1); /* before its first answer */
    must(pthread_create(&m->peers[number].thread, NULL, mock_peer_run, &m->peers[number]) == 0);
  }
  return NULL;
}

static inline struct mock *mock_start(void (*serve)(struct mock_peer *p), const void *script) {
  struct mock *m = mem_new(struct mock);
  m->serve = serve;
  m->script = script;
  pthread_mutex_init(&m->lock, NULL);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  m->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  must(bind(m->fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(m->fd, 128) == 0);
  must(getsockname(m->fd, (struct sockaddr *)&at, &size) == 0);
  m->port = ntohs(at.sin_port);
  must(pthread_create(&m->thread, NULL, mock_run, m) == 0);
  return m;
}

/* Ends every connection and waits for their threads. */
static inline void mock_stop(struct mock *m) {
  shutdown(m->fd, SHUT_RDWR);
  pthread_join(m->thread, NULL);
  close(m->fd);
  pthread_mutex_lock(&m->lock);
  for (unsigned i = 0; i < atomic_load(&m->connections); i++)
    if (m->peers[i].fd >= 0) shutdown(m->peers[i].fd, SHUT_RDWR);
  pthread_mutex_unlock(&m->lock);
  for (unsigned i = 0; i < atomic_load(&m->connections); i++) pthread_join(m->peers[i].thread, NULL);
  pthread_mutex_destroy(&m->lock);
  buf_done(&m->last);
  mem_free(m);
}

/* ---- parts of scripts */

static inline bool mock_answer(struct mock_peer *p, unsigned status, const char *headers, const char *body) {
  struct buf out = {0};
  buf_fill(&out, "HTTP/1.1 %u Status\r\ncontent-type: application/json\r\n%scontent-length: %zu\r\n\r\n%s", status,
           headers, strlen(body), body);
  bool sent = mock_send(p, out.ptr, out.len);
  buf_done(&out);
  return sent;
}

#define MOCK_STREAM_HEAD "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

static inline bool mock_chunk(struct mock_peer *p, const char *text) {
  struct buf out = {0};
  buf_fill(&out, "%zx\r\n%s\r\n", strlen(text), text);
  bool sent = mock_send(p, out.ptr, out.len);
  buf_done(&out);
  return sent;
}

static inline bool mock_stream_end(struct mock_peer *p) {
  return mock_say(p, "0\r\n\r\n");
}

/* Serves what the script says, the same for every request of every connection: `text` whole in one answer when status
 * is not 0, else a stream whose events are `text`, in one chunk. */
struct mock_script {
  unsigned status;
  const char *headers, *text;
  bool cut, reset, hang; /* a stream: no end; RST instead; neither, until the other side closes */
};

static inline void mock_serve(struct mock_peer *p) {
  while (mock_request(p)) {
    const struct mock_script *s = atomic_load(&p->mock->script);
    if (s->status != 0) {
      if (!mock_answer(p, s->status, s->headers ? s->headers : "", s->text)) return;
      continue;
    }
    mock_say(p, MOCK_STREAM_HEAD);
    if (s->text[0]) mock_chunk(p, s->text);
    if (s->reset) mock_reset(p);
    if (s->hang) mock_saw_close(p);
    if (s->cut || s->reset || s->hang) return;
    mock_stream_end(p);
  }
}

/* Takes the request and never answers. */
static inline void mock_silence(struct mock_peer *p) {
  mock_request(p);
  mock_saw_close(p);
}

/* Closes with RST once the request is there. */
static inline void mock_slam(struct mock_peer *p) {
  mock_request(p);
  mock_reset(p);
}

#endif
