/* listener: a listening socket and the connections that came through it (io/server.h). Worker's thread. Accepting
 * pauses above the cap and while the process has no descriptors left; it never spins. Resolves names only to listen. */
#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/must.h"
#include "io/conn.h"

enum { BACKLOG = 4096, RETRY_MS = 100, COMPLAIN_EVERY_S = 60, STOP_GRACE_MS = 1000 };

const struct server_limits server_limits_default = {
    .http = {.head_bytes = 32768, .target_bytes = 8192, .headers = HTTP_HEADERS_MAX},
    .body_bytes = 32u << 20,
    .head_ms = 5000,
    .body_ms = 30000,
    .keep_alive_ms = 75000,
    .write_idle_ms = 60000,
    .high_mark_bytes = 64u << 10,
    .connections = 10000,
};

static void accepting(struct listener *s, bool wanted) {
  if (s->fd < 0 || s->accepting == wanted) return;
  must((wanted ? event_add(&s->acceptable, NULL) : event_del(&s->acceptable)) == 0);
  s->accepting = wanted;
}

static void retry(void *owner) {
  struct listener *s = owner;
  accepting(s, s->open < s->limits.connections);
}

void listener_room(struct listener *s) {
  if (s->retry.due_ns == 0 && s->open < s->limits.connections) accepting(s, true);
}

static void out_of_descriptors(struct listener *s, int error) {
  uint64_t now_ns = loop_now_ns(s->loop);
  accepting(s, false);
  timer_set_ms(&s->retry, RETRY_MS);
  if (s->complained_ns != 0 && now_ns - s->complained_ns < COMPLAIN_EVERY_S * 1000000000ull) return;
  s->complained_ns = now_ns;
  log_error("listener", "port %u: cannot accept connections: %s; raise the limit of open files", s->port,
            strerror(error));
}

static void accept_some(struct listener *s) {
  for (int i = 0; i < ACCEPTS_A_TURN; i++) {
    if (s->open >= s->limits.connections) {
      accepting(s, false);
      return;
    }
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    int fd = accept4(s->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      conn_open(s, fd, &peer);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      out_of_descriptors(s, errno);
      return;
    } else if (errno == EAGAIN) {
      return;
    }
    /* Anything else is the fault of one client that is gone already: accept(2), "Error handling". */
  }
}

static void acceptable(evutil_socket_t fd, short what, void *owner) {
  (void)fd, (void)what;
  accept_some(owner);
}

/* ---- opening */

/* "host:port" → its parts; "[::1]:80" and ":80" too. */
static bool address_split(const char *address, char *host, size_t room, const char **port, struct err *e) {
  const char *colon = strrchr(address, ':');
  if (colon == NULL) return err_set(e, "listen address \"%s\": no port; write it as 127.0.0.1:8080", address);
  size_t len = (size_t)(colon - address);
  const char *from = address;
  if (len >= 2 && from[0] == '[' && from[len - 1] == ']') from++, len -= 2;
  if (len >= room) return err_set(e, "listen address \"%s\": the host is too long", address);
  memcpy(host, from, len);
  host[len] = '\0';
  *port = colon + 1;
  return true;
}

static int listen_on(const struct addrinfo *a, bool shared) {
  int yes = 1, no = 0;
  int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (shared) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
  if (a->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
  /* Accepted sockets inherit it: a streamed event must not wait for the acknowledgement of the one before. */
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static int listen_at(const char *address, bool shared, struct err *e) {
  char host[256];
  const char *port = "";
  if (!address_split(address, host, sizeof host, &port, e)) return -1;
  const struct addrinfo want = {
      .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
  struct addrinfo *found;
  /* "All addresses" is one IPv6 socket that also takes IPv4, or an IPv4 one where the machine has no IPv6. */
  int failed = getaddrinfo(host[0] ? host : "::", port, &want, &found);
  if (failed != 0) {
    err_set(e, "listen address \"%s\": %s", address, gai_strerror(failed));
    return -1;
  }
  int fd = listen_on(found, shared), error = errno;
  freeaddrinfo(found);
  if (fd < 0 && host[0] == '\0' && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL)) {
    if (getaddrinfo("0.0.0.0", port, &want, &found) == 0) {
      fd = listen_on(found, shared);
      error = errno;
      freeaddrinfo(found);
    }
  }
  if (fd < 0) err_set(e, "cannot listen on \"%s\": %s", address, strerror(error));
  return fd;
}

static uint16_t port_of(int fd) {
  struct sockaddr_storage at;
  socklen_t len = sizeof at;
  must(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
  if (at.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&at)->sin6_port);
  return ntohs(((struct sockaddr_in *)&at)->sin_port);
}

struct listener *listener_open(struct loop *l, const char *address, bool shared, struct tls_identity *tls,
                               const struct server_limits *limits, const struct service *service, void *owner,
                               struct err *e) {
  int fd = listen_at(address, shared, e);
  if (fd < 0) return NULL;
  struct listener *s = mem_new(struct listener);
  s->loop = l;
  s->tls = tls;
  s->service = service;
  s->owner = owner;
  s->limits = limits ? *limits : server_limits_default;
  s->fd = fd;
  s->port = port_of(fd);
  s->input = mem_alloc(INPUT_BYTES);
  s->record = tls ? mem_alloc(TRANSPORT_RECORD_BYTES) : NULL;
  list_init(&s->conns);
  timer_init(&s->retry, l, retry, s);
  must(event_assign(&s->acceptable, loop_base(l), fd, EV_READ | EV_PERSIST, acceptable, s) == 0);
  accepting(s, true);
  return s;
}

/* ---- closing */

void listener_stop(struct listener *s) {
  if (s->stopping) return;
  /* The backlog has clients whom the kernel has told that they are connected. */
  if (s->accepting) accept_some(s);
  s->stopping = true;
  accepting(s, false);
  timer_clear(&s->retry);
  close(s->fd);
  s->fd = -1;
  for (struct link *at = s->conns.next, *next; at != &s->conns; at = next) {
    struct conn *c = list_item(at, struct conn, link);
    next = at->next;
    if (!conn_idle(c)) continue;
    if (c->served) conn_close(c, false);
    else timer_set_ms(&c->timer, STOP_GRACE_MS);
  }
}

static void listener_free(struct listener *s) {
  for (unsigned i = 0; i < s->buf_count; i++) buf_done(&s->bufs[i]);
  exchange_drop_spare(s);
  mem_free(s->record);
  mem_free(s->input);
  mem_free(s);
}

void listener_conn_freed(struct listener *s) {
  if (--s->allocated == 0 && s->closed) listener_free(s);
}

void listener_close(struct listener *s) {
  must(!s->closed);
  listener_stop(s);
  while (!list_empty(&s->conns)) conn_left(list_item(s->conns.next, struct conn, link));
  s->closed = true;
  if (s->allocated == 0) listener_free(s);
}

uint16_t listener_port(const struct listener *s) {
  return s->port;
}

uint32_t listener_connections(const struct listener *s) {
  return s->open;
}

void listener_limits(struct listener *s, const struct server_limits *limits) {
  s->limits = *limits;
  if (s->retry.due_ns == 0) accepting(s, s->open < limits->connections);
}
