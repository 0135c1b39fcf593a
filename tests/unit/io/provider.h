/* provider: what the upcall tests talk to: a loopback listener whose connections each run a script function on a
 * thread of their own, with raw bytes and no HTTP library; over TLS if it has an SSL_CTX. Then the scripts that
 * several tests use. */
#ifndef MOONGATE_TESTS_IO_PROVIDER_H
#define MOONGATE_TESTS_IO_PROVIDER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
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

struct provider;

/* One accepted connection, on its own thread. */
struct peer {
  struct provider *provider;
  int fd;
  SSL *ssl;
  unsigned number; /* of the connection, from 0 */
  struct buf in;   /* the last request whole; what came behind it stays for the next */
  size_t request_bytes;
  pthread_t thread;
  struct peer *next;
};

struct provider {
  int fd;
  uint16_t port;
  SSL_CTX *tls;
  void (*serve)(struct peer *p);
  const void *script; /* the test's own */
  atomic_uint connections, requests, handshakes, resumed;
  atomic_uint_fast64_t closed_ns; /* when peer_saw_close last did */
  pthread_t thread;
  pthread_mutex_t lock;
  struct peer *peers;
  char last[4096]; /* the latest request's head and body, cut; provider_last reads it */
};

static inline ssize_t peer_recv(struct peer *p, char *at, size_t room) {
  return p->ssl ? SSL_read(p->ssl, at, (int)room) : recv(p->fd, at, room, 0);
}

/* All of it; false when the other side is gone. */
static inline bool peer_send(struct peer *p, const char *bytes, size_t len) {
  while (len > 0) {
    ssize_t sent = p->ssl ? SSL_write(p->ssl, bytes, (int)len) : send(p->fd, bytes, len, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    len -= (size_t)sent;
  }
  return true;
}

static inline bool peer_say(struct peer *p, const char *text) {
  return peer_send(p, text, strlen(text));
}

/* Reads one request with its body by Content-Length; false at the end of the connection. */
static inline bool peer_request(struct peer *p) {
  buf_drop_front(&p->in, p->request_bytes);
  p->request_bytes = 0;
  for (;;) {
    ptrdiff_t head = slice_find(buf_view(&p->in), SLICE("\r\n\r\n"));
    if (head >= 0) {
      uint64_t body = 0;
      p->in.ptr[head] = '\0';
      const char *length = strcasestr(p->in.ptr, "\ncontent-length: ");
      if (length) body = strtoull(length + 17, NULL, 10);
      p->in.ptr[head] = '\r';
      size_t all = (size_t)head + 4 + body;
      if (p->in.len >= all) {
        p->request_bytes = all;
        pthread_mutex_lock(&p->provider->lock);
        snprintf(p->provider->last, sizeof p->provider->last, "%.*s", (int)(all < 4000 ? all : 4000), p->in.ptr);
        pthread_mutex_unlock(&p->provider->lock);
        atomic_fetch_add(&p->provider->requests, 1);
        return true;
      }
    }
    ssize_t got = peer_recv(p, buf_reserve(&p->in, 65536), 65536);
    if (got <= 0) return false;
    p->in.len += (size_t)got;
  }
}

/* The latest request, when the call is over. The lock orders the read behind the connection's thread. */
static inline const char *provider_last(struct provider *v) {
  pthread_mutex_lock(&v->lock);
  pthread_mutex_unlock(&v->lock);
  return v->last;
}

/* Waits until the other side closes, dropping what it sends; notes when. */
static inline void peer_saw_close(struct peer *p) {
  char drop[4096];
  while (peer_recv(p, drop, sizeof drop) > 0) {}
  atomic_store(&p->provider->closed_ns, clock_ns());
}

static inline void peer_reset(struct peer *p) {
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static void *peer_run(void *argument) {
  struct peer *p = argument;
  bool open = true;
  if (p->provider->tls) {
    p->ssl = SSL_new(p->provider->tls);
    SSL_set_fd(p->ssl, p->fd);
    open = SSL_accept(p->ssl) == 1;
    if (open) atomic_fetch_add(&p->provider->handshakes, 1);
    if (open && SSL_session_reused(p->ssl)) atomic_fetch_add(&p->provider->resumed, 1);
    ERR_clear_error();
  }
  if (open) p->provider->serve(p);
  if (p->ssl) SSL_free(p->ssl);
  buf_done(&p->in);
  int fd = p->fd;
  pthread_mutex_lock(&p->provider->lock);
  p->fd = -1;
  close(fd);
  pthread_mutex_unlock(&p->provider->lock);
  return NULL;
}

static void *provider_run(void *argument) {
  struct provider *v = argument;
  int fd;
  while ((fd = accept(v->fd, NULL, NULL)) >= 0) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct peer *p = mem_new(struct peer);
    p->provider = v;
    p->fd = fd;
    p->number = atomic_fetch_add(&v->connections, 1);
    pthread_mutex_lock(&v->lock);
    p->next = v->peers;
    v->peers = p;
    pthread_mutex_unlock(&v->lock);
    pthread_create(&p->thread, NULL, peer_run, p);
  }
  return NULL;
}

static inline struct provider *provider_start(void (*serve)(struct peer *p), const void *script, SSL_CTX *tls) {
  struct provider *v = mem_new(struct provider);
  v->serve = serve;
  v->script = script;
  v->tls = tls;
  pthread_mutex_init(&v->lock, NULL);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  v->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  must(bind(v->fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(v->fd, 128) == 0);
  must(getsockname(v->fd, (struct sockaddr *)&at, &size) == 0);
  v->port = ntohs(at.sin_port);
  must(pthread_create(&v->thread, NULL, provider_run, v) == 0);
  return v;
}

/* Ends every connection and waits for their threads. */
static inline void provider_stop(struct provider *v) {
  shutdown(v->fd, SHUT_RDWR);
  pthread_join(v->thread, NULL);
  close(v->fd);
  pthread_mutex_lock(&v->lock);
  for (struct peer *p = v->peers; p; p = p->next)
    if (p->fd >= 0) shutdown(p->fd, SHUT_RDWR);
  pthread_mutex_unlock(&v->lock);
  for (struct peer *p = v->peers, *next; p; p = next) {
    next = p->next;
    pthread_join(p->thread, NULL);
    mem_free(p);
  }
  pthread_mutex_destroy(&v->lock);
  mem_free(v);
}

/* ---- scripts ---- */

static const char whole_answer[] =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n{\"a\":1}";

static inline void serve_whole(struct peer *p) {
  while (peer_request(p) && peer_send(p, whole_answer, sizeof whole_answer - 1)) {}
}

/* One answer, and how it is to be sent. */
struct answer_script {
  const char *bytes;
  size_t len, cut;   /* send only the first cut bytes; 0: all */
  unsigned piece;    /* bytes a send; 0: all at once */
  bool close, reset; /* after it */
};

static inline void serve_answer(struct peer *p) {
  const struct answer_script *a = p->provider->script;
  size_t len = a->len ? a->len : strlen(a->bytes);
  if (a->cut) len = a->cut;
  while (peer_request(p)) {
    for (size_t at = 0; at < len;) {
      size_t next = a->piece && len - at > a->piece ? a->piece : len - at;
      if (!peer_send(p, a->bytes + at, next)) return;
      at += next;
    }
    if (a->reset) peer_reset(p);
    if (a->close || a->reset) return;
  }
}

static inline void serve_canary(struct peer *p) {
  peer_request(p);
}

static inline uint64_t sum_of(const char *bytes, size_t len) {
  uint64_t sum = 1469598103934665603u;
  for (size_t i = 0; i < len; i++) sum = (sum ^ (unsigned char)bytes[i]) * 1099511628211u;
  return sum;
}

static inline void serve_sum(struct peer *p) {
  usleep(50000);
  while (peer_request(p)) {
    ptrdiff_t head = slice_find(buf_view(&p->in), SLICE("\r\n\r\n"));
    char body[32], answer[128];
    int len = snprintf(body, sizeof body, "%llx",
                       (unsigned long long)sum_of(p->in.ptr + head + 4, p->request_bytes - (size_t)head - 4));
    snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len, body);
    peer_say(p, answer);
  }
}

static inline void serve_silence(struct peer *p) {
  peer_request(p);
  peer_saw_close(p);
}

enum { FLOOD_BYTES = 50 << 20 };

static inline char flood_byte(size_t at) {
  return (char)(at * 2654435761u >> 13);
}

static inline void serve_flood(struct peer *p) {
  bool chunked = p->provider->script != NULL;
  if (!peer_request(p)) return;
  char head[128], *piece = mem_alloc(40000);
  snprintf(head, sizeof head,
           chunked ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                   : "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
           FLOOD_BYTES);
  peer_say(p, head);
  for (size_t at = 0; at < FLOOD_BYTES;) {
    size_t len = FLOOD_BYTES - at < 33333 ? FLOOD_BYTES - at : 33333, before = 0;
    if (chunked) before = (size_t)snprintf(piece, 40, "%zx\r\n", len);
    for (size_t i = 0; i < len; i++) piece[before + i] = flood_byte(at + i);
    if (chunked) memcpy(piece + before + len, "\r\n", 2);
    if (!peer_send(p, piece, before + len + (chunked ? 2 : 0))) break;
    at += len;
    atomic_store(&p->provider->closed_ns, at); /* here: how far it came */
  }
  if (chunked) peer_say(p, "0\r\n\r\n");
  mem_free(piece);
  peer_saw_close(p);
}

#endif
