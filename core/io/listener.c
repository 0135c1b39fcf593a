/* listener: listening sockets and the connections that came through them (io/server.h). Worker's thread. Accepting
 * pauses above the cap and while the process has no descriptors left; it never spins. It does not make the sockets. */
#include <errno.h>
#include <event2/event.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/must.h"
#include "io/conn.h"
#include "io/listen_socket.h"

enum { RETRY_MS = 100, COMPLAIN_EVERY_S = 60 };

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
  if (s->accepting == wanted) return;
  for (unsigned i = 0; i < s->door_count; i++)
    must((wanted ? event_add(&s->doors[i].acceptable, NULL) : event_del(&s->doors[i].acceptable)) == 0);
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

static void accept_some(struct listener *s, int door_fd) {
  for (int i = 0; i < ACCEPTS_A_TURN; i++) {
    if (s->open >= s->limits.connections) {
      accepting(s, false);
      return;
    }
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    int fd = accept4(door_fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
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
  (void)what;
  accept_some(owner, fd);
}

/* ---- opening */

struct listener *listener_open_on(struct loop *l, const int *fds, unsigned count, struct tls_identity *tls,
                                  const struct server_limits *limits, const struct service *service, void *owner) {
  must(count > 0);
  struct listener *s = mem_new(struct listener);
  s->loop = l;
  s->tls = tls;
  s->service = service;
  s->owner = owner;
  s->limits = limits ? *limits : server_limits_default;
  s->doors = mem_zero(count * sizeof *s->doors);
  s->door_count = count;
  s->port = listen_socket_port(fds[0]);
  s->input = mem_alloc(INPUT_BYTES);
  s->record = tls ? mem_alloc(TRANSPORT_RECORD_BYTES) : NULL;
  list_init(&s->conns);
  timer_init(&s->retry, l, retry, s);
  for (unsigned i = 0; i < count; i++) {
    s->doors[i].fd = fds[i];
    must(event_assign(&s->doors[i].acceptable, loop_base(l), fds[i], EV_READ | EV_PERSIST, acceptable, s) == 0);
  }
  accepting(s, true);
  return s;
}

struct listener *listener_open(struct loop *l, const char *address, bool shared, struct tls_identity *tls,
                               const struct server_limits *limits, const struct service *service, void *owner,
                               struct err *e) {
  int fd = listen_socket_open(address, shared, e);
  return fd < 0 ? NULL : listener_open_on(l, &fd, 1, tls, limits, service, owner);
}

/* ---- closing */

void listener_say_close(struct listener *s) {
  s->says_close = true;
}

void listener_stop(struct listener *s) {
  if (s->stopping) return;
  /* The backlog has clients whom the kernel has told that they are connected. */
  for (unsigned i = 0; s->accepting && i < s->door_count; i++) accept_some(s, s->doors[i].fd);
  s->stopping = s->says_close = true;
  accepting(s, false);
  timer_clear(&s->retry);
  for (unsigned i = 0; i < s->door_count; i++) close(s->doors[i].fd);
  s->door_count = 0;
  for (struct link *at = s->conns.next, *next; at != &s->conns; at = next) {
    struct conn *c = list_item(at, struct conn, link);
    next = at->next;
    if (conn_idle(c)) timer_set_ms(&c->timer, LISTENER_GRACE_MS);
  }
}

static void listener_free(struct listener *s) {
  for (unsigned i = 0; i < s->buf_count; i++) buf_done(&s->bufs[i]);
  exchange_drop_spare(s);
  mem_free(s->record);
  mem_free(s->input);
  mem_free(s->doors);
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

void listener_count_into(struct listener *s, _Atomic int64_t *count) {
  s->counted = count;
  atomic_store_explicit(count, s->open, memory_order_relaxed);
}

void listener_count(struct listener *s, int more) {
  s->open += (uint32_t)more;
  if (s->counted != NULL) atomic_store_explicit(s->counted, s->open, memory_order_relaxed);
}

void listener_limits(struct listener *s, const struct server_limits *limits) {
  s->limits = *limits;
  if (s->retry.due_ns == 0) accepting(s, s->open < limits->connections);
}
